// Results: chunks against single values, NULLs, columns of several classes, names, Arrow.
// SPDX-License-Identifier: Apache-2.0
#include "tests/router/support.h"

enum { ROWS = 5000 };

// One column per class, with NULLs and without, and one with all classes.
static braid *open_with_rows(const char *name)
{
    braid *db = support_open(name);
    support_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, i, r, s, b, n, m, text TEXT)");
    char sql[700];
    snprintf(sql, sizeof sql,
             "WITH c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c LIMIT %d) INSERT INTO t SELECT x,"
             " iif(x %% 7 = 0, NULL, x * 1000003), iif(x %% 5 = 0, NULL, x / 4.0),"
             " iif(x %% 3 = 0, NULL, 'text ' || x), iif(x %% 11 = 0, NULL, CAST(x AS BLOB)), NULL,"
             " CASE x %% 5 WHEN 0 THEN NULL WHEN 1 THEN x WHEN 2 THEN x + 0.5 WHEN 3 THEN 'm' || x"
             " ELSE CAST('b' || x AS BLOB) END, 'row ' || x FROM c",
             ROWS);
    support_exec(db, sql);
    return db;
}

static const braid_engine engines[] = {BRAID_ENGINE_OLAP, BRAID_ENGINE_OLTP};

static braid_result *run_on(braid *db, const char *sql, braid_engine engine)
{
    braid_result *result = NULL;
    braid_statement *statement = support_prepare(db, sql);
    braid_statement_set_engine(statement, engine);
    CHECK_INT(braid_run(statement, &result), BRAID_OK);
    braid_statement_close(statement);  // the result outlives it
    if (result == NULL) {
        fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
        exit(1);
    }
    CHECK_INT(support_info(result).engine, engine);
    return result;
}

// The value of a chunk's column as braid_value_get would give it.
static braid_value chunk_value(const braid_column *column, uint32_t row)
{
    braid_value value = {.type = (uint8_t)column->type};
    if (column->type == BRAID_ANY) return column->as.values[row];
    if (column->type == BRAID_NULL) return value;
    if (column->validity != NULL && (column->validity[row / 64] >> row % 64 & 1) == 0)
        return (braid_value){.type = BRAID_NULL};
    if (column->type == BRAID_INTEGER) value.as.integer = column->as.integers[row];
    else if (column->type == BRAID_REAL) value.as.real = column->as.reals[row];
    else value.as.text = column->as.texts[row];
    return value;
}

static bool same_value(braid_value left, braid_value right)
{
    if (left.type != right.type) return false;
    switch (left.type) {
    case BRAID_INTEGER: return left.as.integer == right.as.integer;
    case BRAID_REAL: return memcmp(&left.as.real, &right.as.real, sizeof(double)) == 0;
    case BRAID_TEXT:
    case BRAID_BLOB:
        return left.as.text.size == right.as.text.size &&
               memcmp(left.as.text.data, right.as.text.data, left.as.text.size) == 0;
    default: return true;
    }
}

static void check_chunks(const braid_result *result, uint64_t row_count)
{
    uint64_t row = 0, different = 0;
    CHECK_INT(braid_row_count(result), row_count);
    for (uint32_t i = 0; i < braid_chunk_count(result); i++) {
        braid_chunk chunk;
        braid_chunk_get(result, i, &chunk);
        CHECK_INT(chunk.column_count, braid_column_count(result));
        CHECK(chunk.row_count > 0);
        for (uint32_t at = 0; at < chunk.row_count; at++, row++) {
            for (uint32_t column = 0; column < chunk.column_count; column++)
                different += !same_value(chunk_value(&chunk.columns[column], at),
                                         braid_value_get(result, row, column));
        }
    }
    CHECK_INT(row, row_count);
    CHECK_INT(different, 0);
}

static void test_chunks_and_values_agree(void)
{
    braid *db = open_with_rows("chunks.db");
    for (int i = 0; i < 2; i++) {
        braid_result *result = run_on(db, "SELECT * FROM t ORDER BY id", engines[i]);
        check_chunks(result, ROWS);
        CHECK_INT(braid_value_get(result, 6, 1).type, BRAID_NULL);
        CHECK_INT(braid_value_get(result, 7, 1).as.integer, 8 * 1000003);
        CHECK(braid_value_get(result, 6, 2).as.real == 1.75);
        CHECK_INT(braid_value_get(result, 10, 4).type, BRAID_NULL);
        CHECK_INT(braid_value_get(result, 11, 4).type, BRAID_BLOB);
        CHECK_INT(braid_value_get(result, 3000, 5).type, BRAID_NULL);
        static const braid_type mixed[] = {BRAID_NULL, BRAID_INTEGER, BRAID_REAL, BRAID_TEXT,
                                           BRAID_BLOB};
        for (uint64_t row = 0; row < ROWS; row++)
            CHECK_INT(braid_value_get(result, row, 6).type, mixed[(row + 1) % 5]);
        braid_result_free(result);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_both_engines_give_the_same_values(void)
{
    braid *db = open_with_rows("same.db");
    braid_result *left = run_on(db, "SELECT * FROM t ORDER BY id", BRAID_ENGINE_OLAP);
    braid_result *right = run_on(db, "SELECT * FROM t ORDER BY id", BRAID_ENGINE_OLTP);
    uint64_t different = 0;
    for (uint64_t row = 0; row < ROWS; row++) {
        for (uint32_t column = 0; column < 8; column++)
            different += !same_value(braid_value_get(left, row, column),
                                     braid_value_get(right, row, column));
    }
    CHECK_INT(different, 0);
    for (uint32_t column = 0; column < 8; column++)
        CHECK_TEXT(braid_column_name(left, column), braid_column_name(right, column));
    braid_result_free(left);
    braid_result_free(right);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_out_of_range_is_null(void)
{
    braid *db = open_with_rows("range.db");
    for (int i = 0; i < 2; i++) {
        braid_result *result = run_on(db, "SELECT i, text AS \"a name\" FROM t WHERE id < 10",
                                      engines[i]);
        braid_chunk chunk = {.row_count = 77};
        CHECK_INT(braid_value_get(result, 9, 0).type, BRAID_NULL);
        CHECK_INT(braid_value_get(result, 0, 2).type, BRAID_NULL);
        CHECK_INT(braid_value_get(result, UINT64_MAX, UINT32_MAX).type, BRAID_NULL);
        CHECK(braid_column_name(result, 2) == NULL);
        CHECK_TEXT(braid_column_name(result, 0), "i");
        CHECK_TEXT(braid_column_name(result, 1), "a name");
        braid_chunk_get(result, braid_chunk_count(result), &chunk);
        CHECK_INT(chunk.row_count, 0);
        braid_result_free(result);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_results_without_rows_or_columns(void)
{
    braid *db = open_with_rows("empty.db");
    for (int i = 0; i < 2; i++) {
        braid_result *result = run_on(db, "SELECT id, text FROM t WHERE id < 0", engines[i]);
        CHECK_INT(braid_row_count(result), 0);
        CHECK_INT(braid_column_count(result), 2);
        CHECK_TEXT(braid_column_name(result, 1), "text");
        CHECK_INT(braid_chunk_count(result), 0);
        braid_result_free(result);
    }
    braid_result *result = support_query(db, "DELETE FROM t WHERE id = 1");
    CHECK_INT(braid_column_count(result), 0);
    CHECK_INT(braid_row_count(result), 0);
    CHECK_INT(support_info(result).engine, BRAID_ENGINE_OLTP);
    CHECK_TEXT(support_info(result).reason, "not a query");
    braid_result_free(result);
    result = support_query(db, "INSERT INTO t(id, text) VALUES(-5, 'x') RETURNING id, upper(text)");
    CHECK_INT(braid_row_count(result), 1);
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, -5);
    CHECK(memcmp(braid_value_get(result, 0, 1).as.text.data, "X", 1) == 0);
    braid_result_free(result);
    result = support_query(db, "PRAGMA user_version");
    CHECK_INT(braid_value_get(result, 0, 0).as.integer, 0);
    braid_result_free(result);
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_text_may_hold_any_byte(void)
{
    braid *db = support_open("bytes.db");
    support_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES('a' || char(0) || 'b'), (''), (x'')");
    for (int i = 0; i < 2; i++) {
        braid_result *result = run_on(db, "SELECT a FROM t", engines[i]);
        braid_value value = braid_value_get(result, 0, 0);
        CHECK_INT(value.type, BRAID_TEXT);
        CHECK_INT(value.as.text.size, 3);
        CHECK(memcmp(value.as.text.data, "a\0b", 3) == 0);
        value = braid_value_get(result, 1, 0);
        CHECK_INT(value.type, BRAID_TEXT);
        CHECK_INT(value.as.text.size, 0);
        value = braid_value_get(result, 2, 0);
        CHECK_INT(value.type, BRAID_BLOB);
        CHECK_INT(value.as.text.size, 0);
        braid_result_free(result);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

// What was there stays as it was, whatever happens to the table.
static void test_results_do_not_change(void)
{
    braid *db = open_with_rows("stable.db");
    for (int i = 0; i < 2; i++) {
        braid_result *result = run_on(db, "SELECT text FROM t ORDER BY id", engines[i]);
        uint64_t rows = braid_row_count(result), different = 0;
        support_exec(db, "UPDATE t SET text = 'changed'; DELETE FROM t WHERE id % 2");
        CHECK_INT(braid_checkpoint(db), BRAID_OK);
        CHECK_INT(braid_compact(db), BRAID_OK);
        for (uint64_t row = 0; row < rows; row++) {
            braid_value value = braid_value_get(result, row, 0);
            different += value.as.text.size < 5 || memcmp(value.as.text.data, "row ", 4) != 0;
        }
        CHECK_INT(different, 0);
        braid_result_free(result);
        support_exec(db, "UPDATE t SET text = 'row ' || id");
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

static void test_info_tells_about_the_run(void)
{
    braid *db = open_with_rows("info.db");
    CHECK_INT(braid_checkpoint(db), BRAID_OK);
    support_exec(db, "INSERT INTO t(id) VALUES(1000000)");
    braid_result *result = run_on(db, "SELECT count(*), sum(i) FROM t", BRAID_ENGINE_OLAP);
    braid_result_info info = support_info(result);
    CHECK_TEXT(info.reason, "forced");
    CHECK(info.lag_ms == 0);
    CHECK(info.run_ms > 0);
    CHECK(info.delta_rows >= 1);
    CHECK_INT(info.size, sizeof info);
    braid_result_info small = {.size = offsetof(braid_result_info, seq), .seq = 12345};
    braid_result_get_info(result, &small);  // an older caller's struct is not written beyond its end
    CHECK_INT(small.engine, BRAID_ENGINE_OLAP);
    CHECK_INT(small.seq, 12345);
    braid_result_free(result);
    CHECK_INT(braid_close(db), BRAID_OK);
}

// ---- Arrow -----------------------------------------------------------------------------------

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

typedef struct arrow_sums {
    int64_t rows, integers, integer_nulls, text_bytes, text_nulls, mixed;
    double reals;
} arrow_sums;

static bool arrow_valid(const struct ArrowArray *array, int64_t row)
{
    const uint8_t *bits = array->buffers[0];
    return bits == NULL || (bits[(row + array->offset) / 8] >> (row + array->offset) % 8 & 1) != 0;
}

static void arrow_add(const struct ArrowArray *batch, arrow_sums *sums)
{
    const int64_t *integers = batch->children[0]->buffers[1];
    const double *reals = batch->children[1]->buffers[1];
    const int32_t *offsets = batch->children[2]->buffers[1];
    for (int64_t row = 0; row < batch->length; row++) {
        if (arrow_valid(batch->children[0], row)) sums->integers += integers[row];
        else sums->integer_nulls++;
        if (arrow_valid(batch->children[1], row)) sums->reals += reals[row];
        if (arrow_valid(batch->children[2], row)) sums->text_bytes += offsets[row + 1] - offsets[row];
        else sums->text_nulls++;
    }
    sums->rows += batch->length;
    sums->mixed += batch->children[3]->length;
}

static void check_stream(struct ArrowArrayStream *stream)
{
    struct ArrowSchema schema;
    CHECK_INT(stream->get_schema(stream, &schema), 0);
    CHECK_TEXT(schema.format, "+s");
    CHECK_INT(schema.n_children, 4);
    CHECK_TEXT(schema.children[0]->format, "l");
    CHECK_TEXT(schema.children[1]->format, "g");
    CHECK_TEXT(schema.children[2]->format, "u");
    CHECK(strncmp(schema.children[3]->format, "+ud:", 4) == 0);
    CHECK_TEXT(schema.children[2]->name, "s");
    schema.release(&schema);
    CHECK(schema.release == NULL);
    arrow_sums sums = {0};
    for (;;) {
        struct ArrowArray batch;
        CHECK_INT(stream->get_next(stream, &batch), 0);
        if (batch.release == NULL) break;
        CHECK_INT(batch.n_children, 4);
        arrow_add(&batch, &sums);
        batch.release(&batch);
    }
    CHECK_INT(sums.rows, ROWS);
    CHECK_INT(sums.mixed, ROWS);
    CHECK_INT(sums.integer_nulls, ROWS / 7);
    CHECK_INT(sums.text_nulls, ROWS / 3);
    stream->release(stream);
    CHECK(stream->release == NULL);
}

static void test_arrow_holds_the_same_rows(void)
{
    braid *db = open_with_rows("arrow.db");
    for (int i = 0; i < 2; i++) {
        braid_result *result = run_on(db, "SELECT i, r, s, m FROM t", engines[i]);
        struct ArrowArrayStream stream;
        CHECK_INT(braid_result_export_arrow(db, result, &stream), BRAID_OK);
        check_stream(&stream);
    }
    CHECK_INT(braid_close(db), BRAID_OK);
}

int main(void)
{
    support_begin();
    RUN(test_chunks_and_values_agree);
    RUN(test_both_engines_give_the_same_values);
    RUN(test_out_of_range_is_null);
    RUN(test_results_without_rows_or_columns);
    RUN(test_text_may_hold_any_byte);
    RUN(test_results_do_not_change);
    RUN(test_info_tells_about_the_run);
    RUN(test_arrow_holds_the_same_rows);
    return support_end();
}
