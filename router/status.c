// What the copy holds, as JSON.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "router/database.h"

static bool json_text(br_buffer *out, const char *text)
{
    bool ok = br_buffer_append(out, "\"", 1);
    for (const unsigned char *byte = (const unsigned char *)text; ok && *byte != 0; byte++) {
        if (*byte == '"' || *byte == '\\')
            ok = br_buffer_format(out, "\\%c", *byte);
        else if (*byte < 0x20)
            ok = br_buffer_format(out, "\\u%04x", *byte);
        else
            ok = br_buffer_append(out, byte, 1);
    }
    return ok && br_buffer_append(out, "\"", 1);
}

static br_status status_column(const br_table_view *view, uint32_t column, br_arena *arena,
                               br_buffer *out, br_error *err)
{
    const br_table_spec *spec = br_table_view_spec(view);
    const char *encodings = "";
    BR_TRY(br_table_view_encodings(view, column, arena, &encodings, err));
    bool ok = br_buffer_format(out, "%s{\"name\":", column == 0 ? "" : ",") &&
              json_text(out, spec->column_names[column]) &&
              br_buffer_format(out, ",\"stored_bytes\":%llu,\"encodings\":",
                               (unsigned long long)br_table_view_column_bytes(view, column)) &&
              json_text(out, encodings) && br_buffer_append(out, "}", 1);
    return ok ? BR_OK : br_fail(err, BR_NOMEM, "status text");
}

static br_status status_table(const br_table_view *view, bool is_first, br_arena *arena,
                              br_buffer *out, br_error *err)
{
    const br_table_spec *spec = br_table_view_spec(view);
    bool ok = br_buffer_format(out, "%s{\"name\":", is_first ? "" : ",") &&
              json_text(out, spec->name) &&
              br_buffer_format(out,
                               ",\"rows\":%llu,\"delta_rows\":%llu,\"segments\":%u,"
                               "\"chunks\":%u,\"raw_bytes\":%llu,\"stored_bytes\":%llu,"
                               "\"columns\":[",
                               (unsigned long long)br_table_view_rows(view),
                               (unsigned long long)br_table_view_delta_rows(view),
                               br_table_view_segments(view), br_table_view_chunks(view),
                               (unsigned long long)br_table_view_raw_bytes(view),
                               (unsigned long long)br_table_view_stored_bytes(view));
    if (!ok) return br_fail(err, BR_NOMEM, "status text");
    for (uint32_t column = 0; column < spec->column_count; column++)
        BR_TRY(status_column(view, column, arena, out, err));
    return br_buffer_append(out, "]}", 2) ? BR_OK : br_fail(err, BR_NOMEM, "status text");
}

static br_status status_fallbacks(br_database *database, br_buffer *out, br_error *err)
{
    bool ok = true;
    br_lock_take(&database->cache_lock);
    for (uint32_t i = 0; ok && i < database->fallback_count; i++) {
        ok = br_buffer_format(out, "%s{\"reason\":", i == 0 ? "" : ",") &&
             json_text(out, database->fallbacks[i].reason) &&
             br_buffer_format(out, ",\"count\":%llu}",
                              (unsigned long long)database->fallbacks[i].count);
    }
    br_lock_give(&database->cache_lock);
    return ok ? BR_OK : br_fail(err, BR_NOMEM, "status text");
}

static br_status status_background(br_database *database, const br_cdc_status *copy,
                                   br_buffer *out, br_error *err)
{
    uint64_t lag_changes;
    br_background_status status = br_cdc_background_status(database->cdc);
    BR_TRY(br_cdc_measure_lag(database->cdc, &lag_changes, err));
    bool ok = br_buffer_format(out,
                               "\"lag_changes\":%llu,\"write_lock_ms_max\":%.3f,"
                               "\"background\":{\"running\":%s,\"interval_ms\":%u,"
                               "\"backoff_ms\":%u,\"failures\":%llu,\"error\":",
                               (unsigned long long)lag_changes, (double)copy->hold_ns_max / 1e6,
                               status.is_running ? "true" : "false", status.interval_ms,
                               status.backoff_ms, (unsigned long long)status.failure_count) &&
              json_text(out, status.message) && br_buffer_append(out, "},", 2);
    return ok ? BR_OK : br_fail(err, BR_NOMEM, "status text");
}

static br_status status_copy(br_database *database, const br_snapshot *snapshot, br_arena *arena,
                             br_buffer *out, br_error *err)
{
    br_cdc_status status = br_cdc_get_status(database->cdc);
    double lag_ms = (double)(br_clock_ns() - status.synced_at_ns) / 1e6;
    bool ok = br_buffer_format(
        out,
        ",\"maintainer\":%s,\"seq\":%llu,\"lag_ms\":%.3f,\"syncs\":%llu,"
        "\"checkpoints\":%llu,\"rows_read\":%llu,",
        status.is_maintainer ? "true" : "false", (unsigned long long)status.seq, lag_ms,
        (unsigned long long)status.sync_count, (unsigned long long)status.checkpoint_count,
        (unsigned long long)status.rows_read);
    if (!ok) return br_fail(err, BR_NOMEM, "status text");
    BR_TRY(status_background(database, &status, out, err));
    if (!br_buffer_append(out, "\"tables\":[", 10))
        return br_fail(err, BR_NOMEM, "status text");
    for (uint32_t i = 0; i < br_snapshot_table_count(snapshot); i++)
        BR_TRY(status_table(br_snapshot_table_at(snapshot, i), i == 0, arena, out, err));
    return br_buffer_append(out, "]", 1) ? BR_OK : br_fail(err, BR_NOMEM, "status text");
}

br_status br_database_status(br_database *database, br_buffer *out, br_error *err)
{
    bool ok = br_buffer_append(out, "{\"path\":", 8) && json_text(out, database->path) &&
              br_buffer_append(out, ",\"isa\":", 7) && json_text(out, br_isa_name(database->isa)) &&
              br_buffer_format(
                  out, ",\"threads\":%u,\"memory_bytes\":%zu", br_task_pool_threads(database->pool),
                  atomic_load_explicit(&database->quota.used_bytes, memory_order_relaxed)) &&
              br_buffer_append(out, ",\"problem\":", 11) &&
              (database->cdc_problem == NULL ? br_buffer_append(out, "null", 4)
                                             : json_text(out, database->cdc_problem));
    if (!ok) return br_fail(err, BR_NOMEM, "status text");
    if (database->cdc != NULL) {
        br_snapshot *snapshot;
        const br_schema_ref *schema;
        br_cdc_snapshot(database->cdc, &snapshot, &schema);
        br_arena *arena = br_arena_new(&database->quota);
        br_status status = arena == NULL ? br_fail(err, BR_NOMEM, "status text")
                                         : status_copy(database, snapshot, arena, out, err);
        br_arena_free(arena);
        br_snapshot_drop(snapshot);
        br_cdc_schema_drop(schema);
        BR_TRY(status);
    }
    if (!br_buffer_append(out, ",\"fallbacks\":[", 14))
        return br_fail(err, BR_NOMEM, "status text");
    BR_TRY(status_fallbacks(database, out, err));
    return br_buffer_append(out, "]}", 2) ? BR_OK : br_fail(err, BR_NOMEM, "status text");
}
