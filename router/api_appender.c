// api_appender.c - implements the appenders of include/braid.h.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "router/api.h"

struct braid_appender {
    braid *db;
    br_appender *appender;
};

braid_status braid_appender_open(braid *db, const char *table, const char *const *columns,
                                 braid_appender **appender_out)
{
    br_error *err;
    br_appender *appender = NULL;
    *appender_out = NULL;
    br_status status = br_api_begin(db, &err);
    braid_appender *wrapped = br_heap_zalloc(sizeof *wrapped);
    if (status == BR_OK && wrapped == NULL) status = br_fail(err, BR_NOMEM, "appender");
    if (status == BR_OK && table == NULL) status = br_fail(err, BR_MISUSE, "no table given");
    if (status == BR_OK)
        status = br_appender_open(br_database_of(db), table, columns, &appender, err);
    if (status != BR_OK) {
        br_heap_free(wrapped);
        return br_api_status(status);
    }
    *wrapped = (braid_appender){.db = db, .appender = appender};
    *appender_out = wrapped;
    return BRAID_OK;
}

static braid_status append(braid_appender *appender, br_value value)
{
    br_error *err;
    br_status status = br_api_begin(appender->db, &err);
    if (status == BR_OK) status = br_appender_add(appender->appender, &value, err);
    return br_api_status(status);
}

braid_status braid_append_null(braid_appender *appender)
{
    return append(appender, br_value_null());
}

braid_status braid_append_int64(braid_appender *appender, int64_t value)
{
    return append(appender, br_value_int(value));
}

braid_status braid_append_double(braid_appender *appender, double value)
{
    // SQLite has no NaN: it stores NULL.
    return append(appender, value != value ? br_value_null() : br_value_real(value));
}

static braid_status append_bytes(braid_appender *appender, const void *bytes, size_t size_bytes,
                                 bool is_text)
{
    if (bytes == NULL) return append(appender, br_value_null());
    if (size_bytes > INT32_MAX) {
        br_error *err;
        br_status status = br_api_begin(appender->db, &err);
        if (status == BR_OK)
            status = br_fail(err, BR_MISUSE, "value of %zu bytes, the most is %d", size_bytes,
                             INT32_MAX);
        return br_api_status(status);
    }
    br_text text = br_text_make(bytes, (uint32_t)size_bytes);
    return append(appender, is_text ? br_value_text(text) : br_value_blob(text));
}

braid_status braid_append_text(braid_appender *appender, const char *text, size_t size_bytes)
{
    return append_bytes(appender, text, size_bytes, true);
}

braid_status braid_append_blob(braid_appender *appender, const void *blob, size_t size_bytes)
{
    return append_bytes(appender, blob, size_bytes, false);
}

braid_status braid_append_chunk(braid_appender *appender, const braid_chunk *rows)
{
    br_error *err;
    br_vector *vectors = NULL;
    br_status status = br_api_begin(appender->db, &err);
    if (status == BR_OK) status = br_api_vectors(rows, &vectors, err);
    br_rows internal = {.row_count = rows->row_count, .column_count = rows->column_count,
                        .columns = vectors};
    if (status == BR_OK) status = br_appender_add_rows(appender->appender, &internal, err);
    br_heap_free(vectors);
    return br_api_status(status);
}

braid_status braid_appender_flush(braid_appender *appender)
{
    br_error *err;
    br_status status = br_api_begin(appender->db, &err);
    if (status == BR_OK) status = br_appender_flush(appender->appender, err);
    return br_api_status(status);
}

uint64_t braid_appender_row_count(const braid_appender *appender)
{
    return br_appender_row_count(appender->appender);
}

braid_status braid_appender_close(braid_appender *appender)
{
    if (appender == NULL) return BRAID_OK;
    braid_status status = braid_appender_flush(appender);
    br_appender_free(appender->appender);
    br_heap_free(appender);
    return status;
}
