// date_trunc.h - cutting times off at a unit, for date_trunc() of both engines.
//
// A time is YYYY-MM-DD, or that and HH:MM[:SS[.fraction]] behind a space or a T. A date stays a
// date; a time of day becomes YYYY-MM-DD HH:MM:SS. Weeks begin on Monday.
//
// Threads: any. Errors: BR_RUNTIME for an unknown unit.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_DATE_TRUNC_H
#define BR_BASE_DATE_TRUNC_H

#include "base/error.h"
#include "base/type.h"

typedef enum br_date_unit {
    BR_DATE_YEAR, BR_DATE_QUARTER, BR_DATE_MONTH, BR_DATE_WEEK, BR_DATE_DAY, BR_DATE_HOUR,
    BR_DATE_MINUTE, BR_DATE_SECOND,
} br_date_unit;

enum { BR_DATE_TRUNC_BYTES = 19 };

// Case does not matter.
BR_CHECKED br_status br_date_unit_parse(br_text name, br_date_unit *unit_out, br_error *err);
// Days since 1970-01-01, and seconds since then.
int64_t br_date_trunc_days(br_date_unit unit, int64_t days);
int64_t br_date_trunc_seconds(br_date_unit unit, int64_t seconds);
// False for what is no time, or when its week began before the year 0000. The buffer has room for
// BR_DATE_TRUNC_BYTES.
bool br_date_trunc(br_date_unit unit, br_text time, char *text_out, uint32_t *size_out);

#endif
