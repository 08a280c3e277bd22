// handle.h - what the files of oltp/ know of each other.
//
// Ownership and threads: as oltp.h says. Errors: oltp_fail turns a result code of SQLite into a
// status and is the only place that does.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_OLTP_HANDLE_H
#define BR_OLTP_HANDLE_H

#include <sqlite3.h>

#include "oltp/oltp.h"
#include "oltp/own_changes.h"

struct br_oltp {
    sqlite3 *handle;
    char *path;
    sqlite3_stmt *data_version;  // PRAGMA data_version, made at its first use
    uint64_t deadline_ns;        // 0: none
    br_oltp_functions *functions;  // NULL: none
    uint32_t functions_seen;     // how many of them it has
    br_own_changes *own;         // NULL: its changes are logged by triggers
    bool is_utf8;                // false: text must be asked for in UTF-8, the file has UTF-16
    struct br_oltp *pool_next;   // of a pool: the next idle connection, or the next one in use
};

struct br_oltp_statement {
    br_oltp *oltp;
    sqlite3_stmt *handle;
    br_own_kind own_kind;  // of an oltp with `own`
    bool has_begun;        // own_changes.c made a transaction for it that is to be ended
    int64_t total_before;  // sqlite3_total_changes64 when it was begun, for own_changes.c
};

typedef enum br_oltp_moment { BR_OLTP_PREPARING, BR_OLTP_RUNNING } br_oltp_moment;

// The failure of the last call on `handle`. SQLITE_ERROR is the text's fault while preparing, and
// the statement's while running.
br_status br_oltp_fail(sqlite3 *handle, const char *path, int code, br_oltp_moment moment,
                       br_error *err);

// br_oltp_step without own_changes.c.
BR_CHECKED br_status br_oltp_step_plainly(br_oltp_statement *statement, bool *row_out,
                                          br_error *err);

br_oltp_affinity br_oltp_affinity_of(const char *declared_type);

// Marks the tables and columns that are registered as not to be mirrored.
br_status br_registration_apply(br_oltp *oltp, br_schema *schema, br_error *err);

// Registers the functions that Braid adds to SQL; a result code of SQLite.
int br_oltp_add_functions(sqlite3 *handle);
// The aggregates, likewise.
int br_oltp_add_aggregates(sqlite3 *handle);
int br_oltp_add_date_functions(sqlite3 *handle);
// Registers the table behind br_oltp_bind_batches; a result code of SQLite.
int br_oltp_add_rows_table(sqlite3 *handle);
int br_oltp_add_series(sqlite3 *handle);  // generate_series
// Makes changes() and its like the writer's. The connection must have functions.
int br_oltp_add_writer_counters(br_oltp *oltp);

#endif
