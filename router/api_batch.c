// api_batch.c - implements what include/braid.h says of many statements and many rows.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "router/api.h"

// The layouts are the same: see result.c.
br_status br_api_vectors(const braid_chunk *chunk, br_vector **vectors_out, br_error *err)
{
    br_vector *vectors = br_heap_array(chunk->column_count + 1u, sizeof *vectors);
    if (vectors == NULL) return br_fail(err, BR_NOMEM, "%u columns", chunk->column_count);
    for (uint32_t i = 0; i < chunk->column_count; i++) {
        const braid_column *column = &chunk->columns[i];
        bool has_type = (unsigned)column->type <= BRAID_ANY;
        bool has_values = column->type == BRAID_NULL || column->as.integers != NULL;
        if (!has_type || (!has_values && chunk->row_count > 0)) {
            br_heap_free(vectors);
            return br_fail(err, BR_MISUSE, "column %u of the chunk has no %s", i,
                           has_type ? "values" : "type");
        }
        vectors[i] = br_vector_null();
        if (column->type == BRAID_NULL) continue;
        vectors[i] = (br_vector){.class_ = (uint8_t)column->type,
                                 .kind = BR_VECTOR_FLAT,
                                 .validity = column->validity,
                                 .data = column->as.integers};
        if (column->type == BRAID_ANY) vectors[i].validity = NULL;
    }
    *vectors_out = vectors;
    return BR_OK;
}

braid_status braid_exec_batch(braid *db, const char *const *statements, size_t count,
                              size_t *failed_out)
{
    br_error *err;
    size_t failed = 0;
    br_status status = br_api_begin(db, &err);
    if (status == BR_OK)
        status = br_database_exec_batch(br_database_of(db), statements, count, &failed, err);
    if (failed_out != NULL) *failed_out = failed;
    return br_api_status(status);
}

braid_status braid_run_batch(braid_statement *statement, const braid_chunk *rows,
                             size_t *failed_out)
{
    br_error *err;
    size_t failed = 0;
    br_vector *vectors = NULL;
    br_status status = br_api_begin(br_api_handle(statement), &err);
    if (status == BR_OK) status = br_api_vectors(rows, &vectors, err);
    br_rows internal = {.row_count = rows->row_count, .column_count = rows->column_count,
                        .columns = vectors};
    if (status == BR_OK)
        status = br_statement_run_batch(br_api_statement(statement), &internal, &failed, err);
    br_heap_free(vectors);
    if (failed_out != NULL) *failed_out = failed;
    return br_api_status(status);
}
