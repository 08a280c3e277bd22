// own_changes.h - a connection that logs the changes it makes itself, in place of the triggers.
//
// A trigger costs an insert half of what the insert costs, and an update as much again for its
// record in the log. This connection runs with triggers off and lets SQLite's preupdate hook tell
// which rows change; their keys are logged as ranges when the transaction ends. So much is certain:
//   1. Keys are in the log before the transaction that changed them can commit.
//   2. Triggers are off only while main has none but those of capture, and no temporary one and no
//      attached file is there. The schema is compared in the very transaction of the changes;
//      what ran under another one is undone and run again.
//   3. A change too many in the log does no harm: a sync reads the row again.
//
// Statements that change rows outside of a transaction get one of their own.
//
// Ownership: made and freed with the connection. Threads: its thread. Errors: as SQLite's own; a
// log that cannot be written fails the commit.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_OLTP_OWN_CHANGES_H
#define BR_OLTP_OWN_CHANGES_H

#include <sqlite3.h>

#include "oltp/oltp.h"

typedef struct br_own_changes br_own_changes;

// *own_out is NULL when this SQLite has no preupdate hook: the triggers do it then.
BR_CHECKED br_status br_own_changes_new(br_oltp *oltp, br_own_changes **own_out, br_error *err);
void br_own_changes_free(br_own_changes *own); // before the connection is closed; NULL is a no-op

// What a statement means for the log, told by how its text begins.
typedef enum br_own_kind {
    BR_OWN_QUERY,   // changes nothing
    BR_OWN_CHANGE,  // INSERT, UPDATE, DELETE
    BR_OWN_CONTROL, // begins or ends a transaction
    BR_OWN_SAVEPOINT,
    BR_OWN_ROLLBACK,
    BR_OWN_OTHER, // may change the schema or the connection
} br_own_kind;
br_own_kind br_own_kind_of(sqlite3_stmt *statement);

// Turns triggers on until somebody has looked again; false when they are on. For a text that cannot
// be compiled: without INSTEAD OF triggers SQLite does not write to views.
bool br_own_suspend(br_own_changes *own);
// In place of sqlite3_step.
BR_CHECKED br_status br_own_step(br_own_changes *own, br_oltp_statement *statement, bool *row_out,
                                 br_error *err);
// To be called when a BR_OWN_CHANGE has been reset before its end.
void br_own_abandon(br_own_changes *own, br_oltp_statement *statement);
// As sqlite3_changes64 and sqlite3_total_changes64, without what was written to the log.
int64_t br_own_changes_count(const br_own_changes *own);
int64_t br_own_total_changes(const br_own_changes *own);

#endif
