// Hands a result to anything that speaks Arrow, and reads the stream back.
//
// The three structs below are the whole Arrow C interface; programs that use an Arrow library get
// them from there. See arrow.apache.org/docs/format/CDataInterface.html.
//
//     cc arrow.c $(pkg-config --cflags --libs braid) && ./a.out
//
// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>

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
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#include <braid.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 5000 };

static void check(braid_status status, const braid *db)
{
    if (status == BRAID_OK) return;
    fprintf(stderr, "%s: %s\n", braid_status_name(status), braid_error_message(db));
    exit(1);
}

static void expect(int is_true, const char *what)
{
    if (is_true) return;
    fprintf(stderr, "not as expected: %s\n", what);
    exit(1);
}

static void make_rows(braid *db)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "CREATE TABLE point(id INTEGER PRIMARY KEY, label TEXT, x REAL);"
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             "INSERT INTO point SELECT i, 'p' || i, CASE WHEN i %% 10 <> 3 THEN i / 4.0 END FROM n",
             ROW_COUNT - 1);
    check(braid_exec(db, sql), db);
}

// A row is NULL where its bit in the first buffer is 0; without that buffer none is.
static int is_value(const struct ArrowArray *array, int64_t row)
{
    const uint8_t *validity = array->buffers[0];
    int64_t bit = row + array->offset;
    return validity == NULL || (validity[bit / 8] >> (bit % 8) & 1) != 0;
}

static void check_label(const struct ArrowArray *labels, int64_t row, int64_t id)
{
    const int32_t *offsets = labels->buffers[1];  // where each text begins and the last one ends
    const char *bytes = labels->buffers[2];
    int64_t at = row + labels->offset;
    char expected[32];
    int size = snprintf(expected, sizeof expected, "p%" PRId64, id);
    expect(offsets[at + 1] - offsets[at] == size, "the length of a label");
    expect(memcmp(bytes + offsets[at], expected, (size_t)size) == 0, "a label");
}

// Checks the rows of one batch, which begin with row `first`; returns their number.
static int64_t read_batch(const struct ArrowArray *batch, int64_t first)
{
    const struct ArrowArray *ids = batch->children[0], *x = batch->children[2];
    const int64_t *id_values = ids->buffers[1];
    const double *x_values = x->buffers[1];
    for (int64_t row = 0; row < batch->length; row++) {
        int64_t id = first + row;
        expect(is_value(ids, row) && id_values[row + ids->offset] == id, "an id");
        check_label(batch->children[1], row, id);
        expect(is_value(x, row) == (id % 10 != 3), "which x are NULL");
        if (is_value(x, row)) expect(x_values[row + x->offset] == (double)id / 4, "an x");
    }
    return batch->length;
}

static void read_stream(struct ArrowArrayStream *stream)
{
    struct ArrowSchema schema;
    expect(stream->get_schema(stream, &schema) == 0, "the stream has a schema");
    expect(strcmp(schema.format, "+s") == 0 && schema.n_children == 3, "a struct of three columns");
    static const char *const names[] = {"id", "label", "x"}, *const formats[] = {"l", "u", "g"};
    for (int i = 0; i < 3; i++) {
        printf("%-5s has Arrow format %s\n", schema.children[i]->name, schema.children[i]->format);
        expect(strcmp(schema.children[i]->name, names[i]) == 0, "the name of a column");
        expect(strcmp(schema.children[i]->format, formats[i]) == 0, "the format of a column");
    }
    schema.release(&schema);

    int64_t rows = 0, batches = 0;
    for (;; batches++) {
        struct ArrowArray batch;
        expect(stream->get_next(stream, &batch) == 0, "the next batch");
        if (batch.release == NULL) break;  // no more
        rows += read_batch(&batch, rows);
        batch.release(&batch);
    }
    printf("%" PRId64 " rows in %" PRId64 " batches\n", rows, batches);
    expect(rows == ROW_COUNT, "the number of rows");
}

int main(void)
{
    remove("points.db");
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    braid *db;
    check(braid_open("points.db", &config, &db), db);
    make_rows(db);

    braid_result *result;
    struct ArrowArrayStream stream;
    check(braid_query(db, "SELECT id, label, x FROM point ORDER BY id", &result), db);
    check(braid_result_export_arrow(db, result, &stream), db);  // the stream owns the result now
    read_stream(&stream);
    stream.release(&stream);

    check(braid_close(db), NULL);
    return 0;
}
