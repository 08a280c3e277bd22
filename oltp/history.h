// history.h - the inside of histories: their tables' texts, and the triggers that write them.
//
// Ownership: texts are in the arena of the set. Threads: one thread. Errors: a text that could not
// be made shows in is_out_of_memory, which the caller asks once, at the end.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_OLTP_HISTORY_H
#define BR_OLTP_HISTORY_H

#include "oltp/oltp.h"

#define BR_CHANGE_TABLE "_braid_change_"

// What every text about the history of one table is made of.
typedef struct history_texts {
    br_arena *arena;
    const br_schema_table *table;
    uint32_t history_id;
    const char *name;  // of the table, quoted
    bool is_out_of_memory;
} history_texts;

// The row image as a list: the rowid, where no column is that, then the columns. Each in `prefix`,
// like "NEW."; of the table, or of a table with images (changes, replaced).
const char *history_table_list(history_texts *texts, const char *prefix);
const char *history_image_list(history_texts *texts, const char *prefix);
// "a.key = b.key" for rows of the table (NEW. and OLD. too) or of a table with images.
typedef struct history_side {
    const char *prefix;
    bool is_image;
} history_side;
const char *history_key_equal(history_texts *texts, history_side left, history_side right);
// The columns of an image that make its key, quoted, with commas.
const char *history_key(history_texts *texts);
// Columns for CREATE TABLE, of the types that keep every value as it is.
const char *history_image_columns(history_texts *texts);
const char *history_image_column(history_texts *texts, const br_schema_column *column);
// Does REPLACE delete rows behind the triggers' back?
bool history_has_replace(const br_schema_table *table);

enum { HISTORY_TRIGGERS_MAX = 6 };
typedef struct history_triggers {
    uint32_t count;
    const char *sql[HISTORY_TRIGGERS_MAX];
} history_triggers;

// CREATE TRIGGER texts exactly as SQLite keeps them in sqlite_master.
void history_make_triggers(history_texts *texts, history_triggers *triggers_out);
// The time of a change: later than all before.
#define HISTORY_TICK                                                                              \
    "UPDATE _braid_clock SET last = max(last + 1, CAST(round((julianday('now') - 2440587.5)"      \
    " * 86400000.0) AS INTEGER) * 1000)"

// Adds the histories to a schema that has its tables.
BR_CHECKED br_status br_history_read(br_oltp *oltp, br_arena *arena, br_schema *schema,
                                     br_error *err);

#endif
