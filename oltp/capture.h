// capture.h - the text of the triggers that capture a table's changes.
//
// Ownership: texts are in the arena given. Threads: pure functions.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_OLTP_CAPTURE_H
#define BR_OLTP_CAPTURE_H

#include "oltp/oltp.h"

enum { CAPTURE_TRIGGERS_MAX = 6 };

// CREATE TRIGGER texts exactly as SQLite keeps them in sqlite_master.
typedef struct capture_triggers {
    uint32_t count;
    uint32_t base_count;  // the first ones; the others only tell what REPLACE deletes silently
    const char *sql[CAPTURE_TRIGGERS_MAX];
} capture_triggers;

BR_CHECKED br_status br_capture_triggers(const br_schema_table *table, uint32_t table_id,
                                         br_arena *arena, capture_triggers *triggers_out,
                                         br_error *err);
// Can REPLACE delete rows on this index, other than the one with the same rowid?
bool br_index_may_replace(const br_schema_index *index);
// Can a trigger tell what NEW would give the index?
bool br_index_is_plain(const br_schema_table *table, const br_schema_index *index);

// The number in _braid_<number>_<suffix>; 0 when it is no trigger of ours.
uint32_t br_capture_trigger_id(const char *name, const char **suffix_out);
// Is this the name of a trigger that does nothing but log? Of which table, then, and how.
bool br_capture_is_log_trigger(const char *name, uint32_t *table_id_out,
                               br_capture_kind *kind_out);

#endif
