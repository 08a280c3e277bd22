// history_purge.c - forgetting versions that nobody has to keep any more.
//
// Each change ends the version before it, so going through the changes once, in order, finds every
// version that has ended: _braid_temporal keeps how far that has come, for age and for number. An
// index by key, which only such histories have, finds the older changes. The newest change of all
// stays, so that no number is used twice; it is gone through when it is not the newest any more.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>

#include "oltp/history.h"

enum { CHANGES_PER_STEP = 150 };  // some 1 ms of holding SQLite's write lock

typedef struct purge {
    br_oltp *oltp;
    const br_schema_history *history;
    int64_t from, upto;  // changes from < seq <= upto are gone through in this step
} purge;

static br_status read_limit(br_oltp *oltp, const br_schema_history *history, const char *name,
                            int64_t *limit_out, br_error *err)
{
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT %s FROM main._braid_temporal WHERE history_id = %u", name,
             history->history_id);
    return br_oltp_query_int(oltp, sql, 0, limit_out, err);
}

// Finds the changes of the next step: those behind `marker`, the newest of all left out, and only
// those up to a time. *is_done_out: there are no more.
static br_status find_step(purge *p, const char *marker, int64_t cutoff_us, bool *is_done_out,
                           br_error *err)
{
    uint32_t id = p->history->history_id;
    char sql[400];
    BR_TRY(read_limit(p->oltp, p->history, marker, &p->from, err));
    snprintf(sql, sizeof sql,
             "SELECT max(" BR_CHANGE_SEQ ") FROM (SELECT " BR_CHANGE_SEQ ", " BR_CHANGE_AT
             " FROM main." BR_CHANGE_TABLE "%u WHERE " BR_CHANGE_SEQ " > %" PRId64
             " ORDER BY " BR_CHANGE_SEQ " LIMIT %d) WHERE " BR_CHANGE_AT " <= %" PRId64
             " AND " BR_CHANGE_SEQ " < (SELECT max(" BR_CHANGE_SEQ ") FROM main." BR_CHANGE_TABLE
             "%u)",
             id, p->from, CHANGES_PER_STEP, cutoff_us, id);
    BR_TRY(br_oltp_query_int(p->oltp, sql, p->from, &p->upto, err));
    *is_done_out = p->upto == p->from;
    return BR_OK;
}

static br_status set_marker(purge *p, const char *marker, br_error *err)
{
    return br_oltp_exec_format(p->oltp, err,
                               "UPDATE main._braid_temporal SET %s = %" PRId64
                               " WHERE history_id = %u",
                               marker, p->upto, p->history->history_id);
}

// What a change of the step has ended, and deletes, which end with themselves.
static br_status forget_aged(purge *p, br_error *err)
{
    uint32_t id = p->history->history_id;
    BR_TRY(br_oltp_exec_format(
        p->oltp, err,
        "DELETE FROM main." BR_CHANGE_TABLE "%u WHERE " BR_CHANGE_SEQ " IN (SELECT o." BR_CHANGE_SEQ
        " FROM main." BR_CHANGE_TABLE "%u e JOIN main." BR_CHANGE_TABLE "%u o USING (%s) WHERE o."
        BR_CHANGE_SEQ " < e." BR_CHANGE_SEQ " AND e." BR_CHANGE_SEQ " > %" PRId64
        " AND e." BR_CHANGE_SEQ " <= %" PRId64 ")",
        id, id, id, p->history->key, p->from, p->upto));
    BR_TRY(br_oltp_exec_format(p->oltp, err,
                               "DELETE FROM main." BR_CHANGE_TABLE "%u WHERE " BR_CHANGE_SEQ
                               " > %" PRId64 " AND " BR_CHANGE_SEQ " <= %" PRId64
                               " AND " BR_CHANGE_OPERATION " = 'D'",
                               id, p->from, p->upto));
    return set_marker(p, "aged", err);
}

// More than so many versions of the keys of the step.
static br_status forget_counted(purge *p, br_error *err)
{
    uint32_t id = p->history->history_id;
    const char *key = p->history->key;
    BR_TRY(br_oltp_exec_format(
        p->oltp, err,
        "DELETE FROM main." BR_CHANGE_TABLE "%u WHERE " BR_CHANGE_SEQ " IN (SELECT " BR_CHANGE_SEQ
        " FROM (SELECT " BR_CHANGE_SEQ ", row_number() OVER (PARTITION BY %s ORDER BY "
        BR_CHANGE_SEQ " DESC) AS _braid_n FROM main." BR_CHANGE_TABLE "%u WHERE (%s) IN (SELECT %s"
        " FROM main." BR_CHANGE_TABLE "%u WHERE " BR_CHANGE_SEQ " > %" PRId64 " AND " BR_CHANGE_SEQ
        " <= %" PRId64 ")) WHERE _braid_n > %" PRId64 ")",
        id, key, id, key, key, id, p->from, p->upto, p->history->keep_versions));
    return set_marker(p, "counted", err);
}

br_status br_history_read_limits(br_oltp *oltp, br_schema_history *history, bool *has_any_out,
                                 br_error *err)
{
    BR_TRY(read_limit(oltp, history, "keep_us", &history->keep_us, err));
    BR_TRY(read_limit(oltp, history, "keep_versions", &history->keep_versions, err));
    *has_any_out =
        history->changes != NULL && (history->keep_us > 0 || history->keep_versions > 0);
    return BR_OK;
}

br_status br_history_purge(br_oltp *oltp, const br_schema_history *history, int64_t now_us,
                           bool *is_done_out, br_error *err)
{
    purge p = {.oltp = oltp, .history = history};
    bool is_aged = true, is_counted = true;
    if (history->keep_us > 0) {
        BR_TRY(find_step(&p, "aged", now_us - history->keep_us, &is_aged, err));
        if (!is_aged) BR_TRY(forget_aged(&p, err));
    }
    if (history->keep_versions > 0) {
        BR_TRY(find_step(&p, "counted", INT64_MAX, &is_counted, err));
        if (!is_counted) BR_TRY(forget_counted(&p, err));
    }
    *is_done_out = is_aged && is_counted;
    return BR_OK;
}
