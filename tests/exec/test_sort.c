// test_sort.c - orders of many rows, by one worker and by several, against comparing neighbours.
//
// A sort is right when no row comes before one that it is behind, and when rows that are equal keep
// their order: there is one such order, so workers cannot matter. The columns are made to be hard
// for sorting by digits: values crowded in few places, texts that begin alike for long.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "exec/sort.h"
#include "tests/test.h"

enum { ROWS_MAX = 80000, KEYS_MAX = 3, WORKERS = 3 };

static uint64_t random_state = 20261201;
static br_exec_env env;
static br_run run;
static br_arena *arena;

static uint32_t below(uint32_t limit) { return (uint32_t)(test_random(&random_state) >> 33) % limit; }

typedef enum shape {
    FEW_INTS, CROWDED_INTS, ANY_INTS, REALS, ALIKE, NUMBERED, LONG_ALIKE, BLOBS, MIXED, NULLS, SHAPES
} shape;

static br_text make_text(shape kind)
{
    char *text;
    switch (kind) {
    case ALIKE: text = br_arena_format(arena, "http://www.%u", below(40)); break;
    case NUMBERED: text = br_arena_format(arena, "%cx%u  ", "aAbB"[below(4)], below(100000)); break;
    default: {  // ever longer, the same at first
        uint32_t size = 40 + below(300);
        text = br_arena_alloc(arena, size + 1, 1);
        memset(text, 'u', size + 1);
        text[size] = 0;
        if (below(4) == 0) text[below(size)] = (char)below(256);
        return br_text_make(text, size);
    }
    }
    uint32_t size = (uint32_t)strlen(text);
    if (below(3) == 0) text[size - 1] = ' ';
    if (below(9) == 0) text[below(size)] = 0;
    return br_text_make(text, size);
}

static br_value make_value(shape kind)
{
    static const double crowded[] = {0.0, -0.0, 1.5, -1.5};
    switch (kind) {
    case FEW_INTS: return br_value_int(below(5));
    case CROWDED_INTS:
        return br_value_int(below(500) == 0 ? (int64_t)test_random(&random_state) : below(3000));
    case ANY_INTS: return br_value_int((int64_t)test_random(&random_state));
    case REALS: return br_value_real(below(2) ? crowded[below(4)] : below(100000) / 7.0 - 5000);
    case BLOBS: return (br_value){.class_ = BR_BLOB, .text = make_text(NUMBERED)};
    case MIXED: return make_value((shape)below(MIXED));
    case NULLS: return br_value_null();
    default: return br_value_text(make_text(kind));
    }
}

static void put_value(br_vector *column, uint32_t row, const br_value *value)
{
    uint64_t *bits = (uint64_t *)(uintptr_t)column->validity;
    if (column->class_ == BR_ANY) ((br_value *)(uintptr_t)column->any)[row] = *value;
    if (column->class_ == BR_ANY || value->class_ == BR_NULL) return;
    if (bits != NULL) br_bitmap_set(bits, row);
    if (column->class_ == BR_INT) ((int64_t *)(uintptr_t)column->i64)[row] = value->i64;
    else if (column->class_ == BR_REAL) ((double *)(uintptr_t)column->f64)[row] = value->f64;
    else ((br_text *)(uintptr_t)column->text)[row] = value->text;
}

static br_vector make_column(shape kind, uint32_t row_count, bool has_nulls)
{
    static const uint8_t classes[SHAPES] = {BR_INT, BR_INT, BR_INT, BR_REAL, BR_TEXT, BR_TEXT,
                                            BR_TEXT, BR_BLOB, BR_ANY, BR_NULL};
    br_vector column = {.class_ = classes[kind]};
    if (kind == NULLS) return br_vector_null();
    column.data = BR_ALLOC(arena, br_value, row_count);
    if (has_nulls && kind != MIXED)
        column.validity = BR_ALLOC(arena, uint64_t, br_bitmap_words(row_count));
    for (uint32_t i = 0; i < row_count; i++) {
        br_value value = has_nulls && below(7) == 0 ? br_value_null() : make_value(kind);
        put_value(&column, i, &value);
    }
    return column;
}

static uint32_t count_wrong(const br_sort_columns *sort, const uint32_t *order, uint32_t row_count)
{
    uint32_t wrong = 0;
    bool *is_seen = BR_ALLOC(arena, bool, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        wrong += is_seen[order[i]];
        is_seen[order[i]] = true;
        int relation = 0;
        for (uint32_t k = 0; i > 0 && relation == 0 && k < sort->key_count; k++)
            relation = br_sort_compare_places((br_sort_place){&sort->columns[k], order[i - 1]},
                                              (br_sort_place){&sort->columns[k], order[i]},
                                              &sort->keys[k]);
        wrong += relation > 0 || (i > 0 && relation == 0 && order[i - 1] > order[i]);
    }
    return wrong;
}

static void check_sort(const shape *kinds, uint32_t key_count, uint32_t row_count)
{
    br_error err;
    uint32_t *order;
    br_vector columns[KEYS_MAX];
    br_sort_key keys[KEYS_MAX];
    for (uint32_t k = 0; k < key_count; k++) {
        columns[k] = make_column(kinds[k], row_count, below(2));
        keys[k] = (br_sort_key){.descending = below(2),
                                .nulls_last = below(2),
                                .collation = (br_collation)below(3)};
    }
    const br_sort_columns sort = {.key_count = key_count, .columns = columns, .keys = keys};
    for (run.thread_count = 1; run.thread_count <= WORKERS; run.thread_count += WORKERS - 1) {
        MUST(br_sort_rows(&run, &sort, row_count, arena, &order, &err), err);
        CHECK_INT(count_wrong(&sort, order, row_count), 0);
    }
    MUST(br_sort_rows_alone(&run, &sort, row_count, arena, &order, &err), err);
    CHECK_INT(count_wrong(&sort, order, row_count), 0);
    br_arena_reset(arena);
}

static void test_sort_one_key(void)
{
    for (shape kind = 0; kind < SHAPES; kind++) {
        check_sort(&kind, 1, ROWS_MAX);
        check_sort(&kind, 1, below(3000));
    }
}

static void test_sort_several_keys(void)
{
    for (uint32_t round = 0; round < 6; round++) {
        shape kinds[KEYS_MAX];
        uint32_t key_count = 2 + below(KEYS_MAX - 1);
        for (uint32_t k = 0; k < key_count; k++) kinds[k] = (shape)below(SHAPES);
        check_sort(kinds, key_count, 40000 + below(ROWS_MAX - 40000));
    }
}

static void test_sort_short_of_memory(void)
{
    br_error err;
    br_quota quota;
    uint32_t *order;
    const shape kind = NUMBERED;
    br_vector column = make_column(kind, ROWS_MAX, false);
    const br_sort_key key = {0};
    const br_sort_columns sort = {.key_count = 1, .columns = &column, .keys = &key};
    br_status status = BR_NOMEM;
    for (size_t limit_bytes = 1 << 16; status == BR_NOMEM; limit_bytes *= 2) {
        br_quota_init(&quota, limit_bytes, NULL);
        br_arena *small = br_arena_new(&quota);
        status = br_sort_rows(&run, &sort, ROWS_MAX, small, &order, &err);
        if (status == BR_OK) CHECK_INT(count_wrong(&sort, order, ROWS_MAX), 0);
        br_arena_free(small);
    }
    CHECK_INT(status, BR_OK);
    br_arena_reset(arena);
}

static void test_sort_cancelled(void)
{
    br_error err;
    uint32_t *order;
    _Atomic bool is_cancelled = true;
    const shape kind = ANY_INTS;
    br_vector column = make_column(kind, ROWS_MAX, false);
    const br_sort_key key = {0};
    const br_sort_columns sort = {.key_count = 1, .columns = &column, .keys = &key};
    env.cancelled = &is_cancelled;
    CHECK_INT(br_sort_rows(&run, &sort, ROWS_MAX, arena, &order, &err), BR_INTERRUPTED);
    env.cancelled = NULL;
    br_arena_reset(arena);
}

int main(int argc, char **argv)
{
    br_error err;
    if (argc > 1) random_state = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", random_state);
    MUST(br_task_pool_new(WORKERS, &env.pool, &err), err);
    run = (br_run){.env = &env, .worker_count = WORKERS, .thread_count = WORKERS};
    arena = br_arena_new(NULL);
    RUN(test_sort_one_key);
    RUN(test_sort_several_keys);
    RUN(test_sort_short_of_memory);
    RUN(test_sort_cancelled);
    br_arena_free(arena);
    br_task_pool_free(env.pool);
    return test_result();
}
