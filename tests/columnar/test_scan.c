// test_scan.c - filtered scans against brute force over the model, in segments and delta.
//
// A table has loaded segments, flushed ones, deleted rows and a delta. Random filters are put to a
// scan; what it hands out must be exactly the rows of the model that pass, in order within a chunk.
// SPDX-License-Identifier: Apache-2.0
#include "tests/columnar/model.h"

enum { KEYS = 210000, LOADED = 140000, FILTERS_MAX = 4 };

static uint64_t seed_given = 7;

typedef struct world {
    fixture base;
    model table;
    br_snapshot *snapshot;
    const br_table_view *view;
    uint64_t random;
} world;

static uint32_t pick(world *all, uint32_t count)
{
    return (uint32_t)(test_random(&all->random) >> 33) % count;
}

static void load_rows(world *all, br_apply *apply)
{
    br_error err;
    br_load *load;
    // Chunks of odd sizes, brought in another order than they belong.
    static const int64_t ends[] = {0, 65536, 65537, 70000, LOADED};
    static const uint32_t order[] = {2, 0, 3, 1};
    MUST(br_load_begin(apply, 1, &load, &err), err);
    for (int i = 0; i < 4; i++) {
        uint32_t chunk = order[i];
        int64_t first = ends[chunk], count = ends[chunk + 1] - first;
        if (count > BR_CHUNK_ROWS) count = BR_CHUNK_ROWS;
        br_column *columns = model_chunk_new(&all->table, first, (uint32_t)count);
        MUST(br_load_add_chunk(load, chunk, columns, &err), err);
        model_chunk_free(columns);
    }
    MUST(br_load_finish(load, &err), err);
}

static void kill_some(world *all, br_apply *apply)
{
    br_error err;
    for (int64_t key = 8192; key < 16384; key++) {  // a whole zone
        MUST(br_apply_delete(apply, 1, key, &err), err);
        all->table.seeds[key] = 0;
    }
    for (int i = 0; i < 3000; i++) {
        int64_t key = pick(all, KEYS);
        MUST(br_apply_delete(apply, 1, key, &err), err);
        all->table.seeds[key] = 0;
    }
}

static void append_some(world *all, br_apply *apply, int count)
{
    br_error err;
    for (int i = 0; i < count; i++) {
        int64_t key = pick(all, KEYS);
        if (all->table.seeds[key] != 0) continue;
        MUST(model_append(apply, &all->table, key, pick(all, 1 << 30) + 1, &err), err);
    }
}

static void world_open(world *all)
{
    br_error err;
    br_apply *apply;
    br_table_spec spec = model_spec(1, "t");
    br_watermark watermark = {.seq = 1};
    *all = (world){.random = seed_given, .table = model_new(1, KEYS)};
    fixture_init(&all->base);
    fixture_open(&all->base);
    MUST(br_apply_begin(all->base.store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    load_rows(all, apply);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_apply_begin(all->base.store, &apply, &err), err);
    append_some(all, apply, 5000);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_checkpoint(all->base.store, (const uint8_t[16]){0}, &err), err);
    MUST(br_apply_begin(all->base.store, &apply, &err), err);
    append_some(all, apply, 100000);
    kill_some(all, apply);
    append_some(all, apply, 1000);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_check(all->base.store, &err), err);
    all->snapshot = br_snapshot_acquire(all->base.store);
    all->view = br_snapshot_find(all->snapshot, "t");
}

static void world_close(world *all)
{
    br_snapshot_drop(all->snapshot);
    fixture_release(&all->base);
    model_free(&all->table);
}

// ---- filters ---------------------------------------------------------------------------------

static bool value_passes(const br_filter *filter, const br_value *value)
{
    bool is_null = value->class_ == BR_NULL;
    int order;
    switch (filter->kind) {
    case BR_FILTER_IS_NULL: return is_null;
    case BR_FILTER_NOT_NULL: return !is_null;
    case BR_FILTER_RANGE:
        return value->class_ == BR_INT && value->i64 >= filter->int_min &&
               value->i64 <= filter->int_max;
    case BR_FILTER_PREDICATE:  // see select_even
        if (is_null) return filter->null_result;
        if (value->class_ == BR_INT) return value->i64 % 2 == 0;
        return value->class_ == BR_REAL || value->text.size % 2 == 0;
    default: break;
    }
    if (is_null) return false;
    order = br_value_compare(value, &filter->value, BR_COLLATION_BINARY);
    switch (filter->compare) {
    case BR_EQ: return order == 0;
    case BR_NE: return order != 0;
    case BR_LT: return order < 0;
    case BR_LE: return order <= 0;
    case BR_GT: return order > 0;
    default: return order >= 0;
    }
}

static br_status select_even(void *context, uint32_t worker, const br_vector *values,
                             uint32_t row_count, uint64_t *selected_out, br_error *err)
{
    const br_filter *filter = context;
    br_arena *arena = br_arena_new(NULL);
    (void)worker;
    if (arena == NULL) return br_fail(err, BR_NOMEM, "no memory");
    for (uint32_t row = 0; row < row_count; row++) {
        br_value value = br_vector_value(values, row, arena);
        if (value_passes(filter, &value)) br_bitmap_set(selected_out, row);
    }
    br_arena_free(arena);
    return BR_OK;
}

static br_filter random_filter(world *all, uint32_t column, char text[MODEL_TEXT_MAX])
{
    br_filter filter = {.kind = (br_filter_kind)pick(all, 5)};
    // A value that occurs, mostly; of any column now and then.
    uint32_t from = column == MODEL_COLUMNS || pick(all, 10) == 0 ? pick(all, 6) : column;
    filter.compare = (br_compare)pick(all, 6);
    do filter.value = model_value(pick(all, KEYS) + 1, from, text), from = pick(all, 6);
    while (filter.value.class_ == BR_NULL);
    if (column == MODEL_COLUMNS && pick(all, 4) != 0) filter.value = br_value_int(pick(all, KEYS));
    int64_t middle = column == MODEL_COLUMNS ? pick(all, KEYS) : pick(all, 1000);
    filter.int_min = middle - pick(all, 3000);
    filter.int_max = middle + pick(all, 3000);
    filter.null_result = pick(all, 2) == 0;
    filter.select = select_even;
    return filter;
}

// ---- a scan and what it must give ------------------------------------------------------------

typedef struct question {
    br_scan_column columns[MODEL_COLUMNS + 1];
    br_scan_filter filters[FILTERS_MAX];
    char texts[FILTERS_MAX][MODEL_TEXT_MAX];
    br_scan_request request;
} question;

static void make_question(world *all, question *ask, bool with_columns)
{
    uint32_t filter_count = pick(all, FILTERS_MAX);
    *ask = (question){.request = {.columns = ask->columns, .filters = ask->filters}};
    for (uint32_t i = 0; i < filter_count; i++) {
        uint32_t column = pick(all, MODEL_COLUMNS + 1);
        ask->filters[i].column = column == MODEL_COLUMNS ? BR_SCAN_KEY : column;
        ask->filters[i].filter = random_filter(all, column, ask->texts[i]);
        ask->filters[i].filter.context = &ask->filters[i].filter;
    }
    ask->request.filter_count = filter_count;
    for (uint32_t c = 0; with_columns && c <= MODEL_COLUMNS; c++) {
        const br_zone_stats *stats = br_table_view_stats(all->view, c);
        ask->columns[c].column = c == MODEL_COLUMNS ? BR_SCAN_KEY : c;
        ask->columns[c].class_ = pick(all, 3) == 0 ? BR_ANY : br_class_of_mask(stats->class_mask);
        ask->request.column_count++;
    }
}

static bool model_passes(const world *all, const question *ask, int64_t key)
{
    char text[MODEL_TEXT_MAX];
    if (all->table.seeds[key] == 0) return false;
    for (uint32_t i = 0; i < ask->request.filter_count; i++) {
        uint32_t column = ask->filters[i].column;
        br_value value = column == BR_SCAN_KEY
                             ? br_value_int(key)
                             : model_value(all->table.seeds[key], column, text);
        if (!value_passes(&ask->filters[i].filter, &value)) return false;
    }
    return true;
}

static void take_batch(world *all, const br_batch *batch, uint8_t *seen, int64_t *before,
                       uint64_t *bad)
{
    br_arena *arena = br_arena_new(NULL);
    CHECK(batch->row_count <= BR_BATCH_ROWS);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        int64_t key = br_vector_value(&batch->columns[MODEL_COLUMNS], row, arena).i64;
        *bad += !model_row_matches(&all->table, batch, row, seen, arena);
        if (before == NULL) continue;
        *bad += key <= *before;
        *before = key;
    }
    br_arena_free(arena);
}

static void ask_rows(world *all, const question *ask)
{
    br_error err;
    br_scan *scan;
    uint8_t *seen = br_heap_zalloc(KEYS);
    uint64_t bad = 0, wrong = 0, rows = 0;
    uint32_t chunks = br_table_view_chunks(all->view);
    MUST(br_scan_open(all->view, &ask->request, 0, NULL, &scan, &err), err);
    uint32_t first = pick(all, chunks);
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t chunk = (first + i) % chunks;
        bool is_delta = chunk + 1 == chunks;  // in arrival order
        int64_t before = -1;
        uint64_t counted = 0, rows_before = rows;
        bool is_counted = br_scan_count(scan, chunk, &counted);
        br_batch batch;
        MUST(br_scan_seek(scan, chunk, &err), err);
        do {
            MUST(br_scan_next(scan, &batch, &err), err);
            rows += batch.row_count;
            if (ask->request.column_count > 0)
                take_batch(all, &batch, seen, is_delta ? NULL : &before, &bad);
        } while (batch.row_count > 0);
        if (is_counted) CHECK_INT(counted, rows - rows_before);
    }
    uint64_t want = 0;
    for (int64_t key = 0; key < KEYS; key++) {
        bool passes = model_passes(all, ask, key);
        want += passes;
        wrong += ask->request.column_count > 0 && passes != (seen[key] != 0);
    }
    CHECK_INT(bad, 0);
    CHECK_INT(wrong, 0);
    CHECK_INT(rows, want);
    CHECK_INT(br_scan_get_stats(scan).rows_passed, want);
    br_scan_close(scan);
    br_heap_free(seen);
}

static void test_scan_random_filters_give_the_rows_of_the_model(void)
{
    world all;
    world_open(&all);
    CHECK(br_table_view_delta_rows(all.view) > BR_CHUNK_ROWS / 4);
    for (int i = 0; i < 60; i++) {
        question ask;
        make_question(&all, &ask, i % 4 != 0);
        ask_rows(&all, &ask);
    }
    world_close(&all);
}

// ---- statistics instead of rows --------------------------------------------------------------

typedef struct totals {  // of one column
    uint64_t null_count;
    br_value min, max;  // BR_NULL: none; only where bounds are asked for
} totals;

static void add_value(totals *total, const br_value *value, bool has_bounds)
{
    total->null_count += value->class_ == BR_NULL;
    if (value->class_ == BR_NULL || !has_bounds) return;
    if (total->min.class_ == BR_NULL ||
        br_value_compare(value, &total->min, BR_COLLATION_BINARY) < 0)
        total->min = *value;
    if (total->max.class_ == BR_NULL ||
        br_value_compare(value, &total->max, BR_COLLATION_BINARY) > 0)
        total->max = *value;
}

static void add_stats(totals *total, const br_zone_stats *stats, bool has_bounds)
{
    unsigned mask = has_bounds ? stats->class_mask & ~(unsigned)BR_MASK_NULL : 0;
    total->null_count += stats->null_count;
    CHECK(mask == 0 || mask == BR_MASK_INT || mask == BR_MASK_REAL);
    if (mask == 0) return;
    bool is_int = mask == BR_MASK_INT;
    br_value min = is_int ? br_value_int(stats->int_min) : br_value_real(stats->real_min);
    br_value max = is_int ? br_value_int(stats->int_max) : br_value_real(stats->real_max);
    add_value(total, &min, true);
    add_value(total, &max, true);
}

// All rows of a scan, by statistics where it gives them: returns how many those were.
static uint64_t add_scan(world *all, const br_scan_request *request, totals *total,
                         uint64_t *row_count_out)
{
    br_error err;
    br_scan *scan;
    br_batch batch;
    uint64_t summed = 0, read = 0;
    br_arena *arena = br_arena_new(NULL);
    MUST(br_scan_open(all->view, request, 0, NULL, &scan, &err), err);
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(all->view); chunk++) {
        MUST(br_scan_seek(scan, chunk, &err), err);
        br_scan_sum sum = br_scan_summary(scan);
        summed += sum.row_count;
        for (uint32_t c = 0; c < request->column_count; c++)
            add_stats(&total[c], &sum.columns[c], request->bounds[c]);
        do {
            MUST(br_scan_next(scan, &batch, &err), err);
            read += batch.row_count;
            for (uint32_t i = 0; i < batch.row_count * request->column_count; i++) {
                uint32_t c = i % request->column_count, row = i / request->column_count;
                br_value value = br_vector_value(&batch.columns[c], row, arena);
                add_value(&total[c], &value, request->bounds[c]);
            }
        } while (batch.row_count > 0);
    }
    br_scan_close(scan);
    br_arena_free(arena);
    *row_count_out = summed + read;
    return summed;
}

static bool same_number(const br_value *left, const br_value *right)
{
    return left->class_ == right->class_ && (left->class_ == BR_NULL || left->i64 == right->i64);
}

static void test_scan_summaries_agree_with_the_model(void)
{
    world all;
    world_open(&all);
    uint64_t summed = 0;
    for (int i = 0; i < 40; i++) {
        question ask;
        char text[MODEL_TEXT_MAX];
        bool bounds[MODEL_COLUMNS + 1] = {0};
        totals got[MODEL_COLUMNS + 1] = {0}, want[MODEL_COLUMNS + 1] = {0};
        uint64_t rows, want_rows = 0;
        make_question(&all, &ask, i % 4 != 0);
        if (i % 2 == 0) ask.request.filter_count = 0;
        // Numbers of one class: an integer, a real, mostly NULL, only NULL, and the key.
        static const uint32_t numbers[] = {0, 2, 6, 7, MODEL_COLUMNS};
        for (uint32_t k = 0; k < 5; k++) bounds[numbers[k]] = pick(&all, 3) != 0;
        ask.request.bounds = bounds;
        summed += add_scan(&all, &ask.request, got, &rows);
        for (int64_t key = 0; key < KEYS; key++) {
            if (!model_passes(&all, &ask, key)) continue;
            want_rows++;
            for (uint32_t c = 0; c < ask.request.column_count; c++) {
                br_value value = c == MODEL_COLUMNS
                                     ? br_value_int(key)
                                     : model_value(all.table.seeds[key], c, text);
                add_value(&want[c], &value, bounds[c]);
            }
        }
        CHECK_INT(rows, want_rows);
        for (uint32_t c = 0; c < ask.request.column_count; c++) {
            CHECK_INT(got[c].null_count, want[c].null_count);
            CHECK(same_number(&got[c].min, &want[c].min));
            CHECK(same_number(&got[c].max, &want[c].max));
        }
    }
    CHECK(summed > 0);
    world_close(&all);
}

static void test_scan_prunes_zones_and_reads_no_page_of_them(void)
{
    world all;
    br_error err;
    br_scan *scan;
    br_batch batch;
    world_open(&all);
    br_scan_column column = {.column = 0, .class_ = BR_INT};
    br_scan_filter filter = {
        .column = BR_SCAN_KEY,
        .filter = {.kind = BR_FILTER_COMPARE, .compare = BR_LT, .value = br_value_int(100)}};
    br_scan_request request = {
        .columns = &column, .column_count = 1, .filters = &filter, .filter_count = 1};
    MUST(br_scan_open(all.view, &request, 0, NULL, &scan, &err), err);
    MUST(br_scan_seek(scan, 0, &err), err);
    uint64_t rows = 0;
    do {
        MUST(br_scan_next(scan, &batch, &err), err);
        rows += batch.row_count;
    } while (batch.row_count > 0);
    uint64_t want = 0;
    for (int64_t key = 0; key < 100; key++) want += all.table.seeds[key] == (uint32_t)key + 1;
    CHECK_INT(rows, want);
    CHECK_INT(br_scan_get_stats(scan).zones_pruned, 7);
    CHECK_INT(br_scan_get_stats(scan).zones_read, 1);
    CHECK_INT(br_scan_get_stats(scan).rows_read, BR_ZONE_ROWS);
    uint64_t loaded = br_scan_get_stats(scan).pages_loaded;
    MUST(br_scan_seek(scan, 3, &err), err);
    MUST(br_scan_next(scan, &batch, &err), err);
    CHECK_INT(batch.row_count, 0);
    CHECK_INT(br_scan_get_stats(scan).pages_loaded, loaded);
    br_scan_close(scan);
    world_close(&all);
}

static void test_scan_refuses_what_it_cannot_hand_out(void)
{
    world all;
    br_error err;
    br_scan *scan;
    br_batch batch;
    world_open(&all);
    br_scan_column column = {.column = 1, .class_ = BR_INT};  // the column is mixed
    br_scan_request request = {.columns = &column, .column_count = 1};
    MUST(br_scan_open(all.view, &request, 0, NULL, &scan, &err), err);
    MUST(br_scan_seek(scan, 0, &err), err);
    CHECK_INT(br_scan_next(scan, &batch, &err), BR_MISUSE);
    MUST(br_scan_seek(scan, br_table_view_chunks(all.view) - 1, &err), err);
    CHECK_INT(br_scan_next(scan, &batch, &err), BR_MISUSE);
    br_scan_close(scan);
    column.column = MODEL_COLUMNS + 5;
    CHECK_INT(br_scan_open(all.view, &request, 0, NULL, &scan, &err), BR_MISUSE);
    world_close(&all);
}

static void test_scan_within_a_quota_fails_cleanly(void)
{
    world all;
    br_error err;
    br_batch batch;
    world_open(&all);
    br_scan_column columns[MODEL_COLUMNS];
    for (uint32_t c = 0; c < MODEL_COLUMNS; c++)
        columns[c] = (br_scan_column){.column = c, .class_ = BR_ANY};
    br_scan_request request = {.columns = columns, .column_count = MODEL_COLUMNS};
    uint32_t failures = 0, successes = 0;
    for (size_t limit = 1000; limit < 4000000 && successes == 0; limit = limit * 3 / 2) {
        br_quota quota;
        br_scan *scan;
        br_quota_init(&quota, limit, NULL);
        br_status status = br_scan_open(all.view, &request, 0, &quota, &scan, &err);
        if (status == BR_OK) {
            for (uint32_t chunk = 0; chunk < br_table_view_chunks(all.view); chunk++) {
                if (status == BR_OK) status = br_scan_seek(scan, chunk, &err);
                do {
                    if (status == BR_OK) status = br_scan_next(scan, &batch, &err);
                } while (status == BR_OK && batch.row_count > 0);
            }
            br_scan_close(scan);
        }
        CHECK(status == BR_OK || status == BR_NOMEM);
        failures += status == BR_NOMEM;
        successes += status == BR_OK;
        CHECK_INT(quota.used_bytes, 0);
    }
    CHECK(failures > 0 && successes == 1);
    world_close(&all);
}

static void test_view_describes_columns(void)
{
    world all;
    br_error err;
    const char *text;
    world_open(&all);
    br_arena *arena = br_arena_new(NULL);
    MUST(br_table_view_encodings(all.view, MODEL_COLUMNS, arena, &text, &err), err);
    CHECK(strstr(text, "sequence 3") != NULL);
    CHECK_INT(br_table_view_chunks(all.view), 6);
    CHECK_INT(br_table_view_chunk_rows(all.view, 1), 1);
    CHECK_INT(br_table_view_segments(all.view), 2);
    uint64_t stored = 0;
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) stored += br_table_view_column_bytes(all.view, c);
    CHECK(stored > 0 && stored < br_table_view_stored_bytes(all.view));
    CHECK(br_table_view_raw_bytes(all.view) > stored);
    CHECK_INT(br_table_view_rows(all.view), model_rows(&all.table));
    const br_zone_stats *words = br_table_view_stats(all.view, 4);
    CHECK(words->distinct_estimate >= 5 && words->distinct_estimate < 20);
    CHECK_INT(words->class_mask, BR_MASK_TEXT);
    const br_zone_stats *keys = br_table_view_stats(all.view, MODEL_COLUMNS);
    CHECK_INT(keys->distinct_estimate, model_rows(&all.table));
    CHECK_INT(br_table_view_stats(all.view, 7)->class_mask, BR_MASK_NULL);
    br_arena_free(arena);
    world_close(&all);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_scan_random_filters_give_the_rows_of_the_model);
    RUN(test_scan_summaries_agree_with_the_model);
    RUN(test_scan_prunes_zones_and_reads_no_page_of_them);
    RUN(test_scan_refuses_what_it_cannot_hand_out);
    RUN(test_scan_within_a_quota_fails_cleanly);
    RUN(test_view_describes_columns);
    return test_result();
}
