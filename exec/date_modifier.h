// date_modifier.h - constant modifiers of date functions: '+1 day', 'start of month' and the like.
//
// Times are seconds since 1970-01-01, of the years 0000 to 9999. What is not here (fractions,
// 'localtime', '+HH:MM') is left to SQLite.
//
// Threads: immutable once parsed.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_DATE_MODIFIER_H
#define BR_EXEC_DATE_MODIFIER_H

#include "exec/evaluate.h"

enum { BR_DATE_MODIFIERS_MAX = 8 };

typedef struct br_date_modifier {
    enum {
        BR_DATE_ADD_SECONDS,  // also days, hours and minutes
        BR_DATE_ADD_MONTHS,   // also years
        BR_DATE_START,        // of unit: d, m or Y
        BR_DATE_WEEKDAY,      // the next one, 0 is Sunday
    } kind;
    int64_t amount;
    char unit;
} br_date_modifier;

typedef struct br_date_modifiers {
    bool from_unix_time;  // 'unixepoch' comes first: the time is an INT
    uint32_t count;
    br_date_modifier items[BR_DATE_MODIFIERS_MAX];
} br_date_modifiers;

// Those behind the first `first` arguments. False when one is not a constant of these kinds.
bool br_date_modifiers_parse(const br_node *node, uint32_t first, br_date_modifiers *out);
// False when the time leaves the years 0000 to 9999 on the way.
bool br_date_modify(const br_date_modifiers *modifiers, int64_t *seconds_inout);
bool br_date_is_in_range(int64_t seconds);

#endif
