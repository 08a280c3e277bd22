// test_statistics.c - distinct and common values of a table, from its load to the next open.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "tests/columnar/model.h"

enum { CHUNKS = 75, CHUNK_ROWS = 1000, ROWS = CHUNKS * CHUNK_ROWS };

static uint64_t seed = 1;

static int compare_hashes(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

// How many different values a column of the model has, and how often it has one of them.
static uint32_t count_values(const model *table, uint32_t column, uint64_t hash, uint32_t *found_out)
{
    char text[MODEL_TEXT_MAX];
    uint64_t *hashes = br_heap_array((size_t)table->key_count, sizeof *hashes);
    uint32_t count = 0, distinct = 0, found = 0;
    for (int64_t key = 0; key < table->key_count; key++) {
        if (table->seeds[key] == 0) continue;
        br_value value = model_value(table->seeds[key], column, text);
        if (value.class_ != BR_NULL) hashes[count++] = br_sketch_hash(&value);
    }
    qsort(hashes, count, sizeof *hashes, compare_hashes);
    for (uint32_t i = 0; i < count; i++) {
        distinct += i == 0 || hashes[i] != hashes[i - 1];
        found += hashes[i] == hash;
    }
    br_heap_free(hashes);
    *found_out = found;
    return distinct;
}

// Rows that are dead may count until compaction drops them.
static void check_statistics(br_store *store, const model *table)
{
    br_snapshot *snapshot = br_snapshot_acquire(store);
    const br_table_view *view = br_snapshot_find(snapshot, "t");
    uint64_t rows = 0, live = br_table_view_rows(view);
    br_value word = br_value_text(br_text_make("beta", 4));
    CHECK_INT(live, model_rows(table));
    for (uint32_t i = 0; i < br_table_view_chunks(view); i++) rows += br_table_view_chunk_rows(view, i);
    double dead = (double)(rows - live);
    for (uint32_t column = 0; column < MODEL_COLUMNS; column++) {
        uint32_t found;
        double truth = count_values(table, column, br_sketch_hash(&word), &found);
        double estimate = br_table_view_stats(view, column)->distinct_estimate;
        bool is_near = estimate >= 0.86 * truth - 1 && estimate <= 1.14 * (truth + dead) + 1;
        if (!is_near) printf("column %u: %g of %g\n", column, estimate, truth);
        CHECK(is_near);
        const br_common_values *common = br_table_view_common(view, column);
        CHECK_INT(common->row_count, rows - br_table_view_delta_rows(view));
        if (column != 4) continue;
        double share = (double)br_common_rows(common, br_sketch_hash(&word)) /
                       (double)common->row_count;
        CHECK(fabs(share * (double)live / found - 1) < 0.25);
    }
    br_snapshot_drop(snapshot);
}

static void load(br_store *store, model *table)
{
    br_error err;
    br_apply *apply;
    br_load *loading;
    br_table_spec spec = model_spec(table->table_id, "t");
    br_watermark watermark = {.seq = 1};
    MUST(br_apply_begin(store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    MUST(br_load_begin(apply, table->table_id, &loading, &err), err);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        br_column *columns = model_chunk_new(table, (int64_t)i * CHUNK_ROWS, CHUNK_ROWS);
        MUST(br_load_add_chunk(loading, i, columns, &err), err);
        model_chunk_free(columns);
    }
    MUST(br_load_finish(loading, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
}

// Gives a tenth of the rows other values, and deletes as many.
static void change(br_store *store, model *table, uint64_t seq)
{
    br_error err;
    br_apply *apply;
    br_watermark watermark = {.seq = seq};
    MUST(br_apply_begin(store, &apply, &err), err);
    for (uint32_t i = 0; i < ROWS / 5; i++) {
        int64_t key = (int64_t)(test_random(&seed) % ROWS);
        MUST(br_apply_delete(apply, table->table_id, key, &err), err);
        table->seeds[key] = 0;
        if (i % 2 != 0) continue;
        uint32_t other = 1 + (uint32_t)test_random(&seed) % 1000000;
        MUST(model_append(apply, table, key, other, &err), err);
    }
    MUST(br_apply_publish(apply, &watermark, &err), err);
}

static void compact(br_store *store)
{
    br_error err;
    bool did_work = true;
    while (did_work) MUST(br_store_compact(store, &did_work, &err), err);
}

static void test_statistics_follow_the_table(void)
{
    fixture base;
    br_error err;
    model table = model_new(1, ROWS);
    fixture_init(&base);
    fixture_open(&base);
    load(base.store, &table);
    check_statistics(base.store, &table);
    for (uint32_t round = 0; round < 4; round++) {
        change(base.store, &table, round + 2);
        MUST(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), err);
        check_statistics(base.store, &table);
        if (round % 2 != 0) compact(base.store);
        fixture_close(&base);
        fixture_open(&base);
        check_statistics(base.store, &table);
    }
    fixture_release(&base);
    model_free(&table);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_statistics_follow_the_table);
    return test_result();
}
