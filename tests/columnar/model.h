// model.h - a store under test beside a model of what it must hold.
//
// A row of the model is a key and a seed; every value follows from the seed. So a table is an array
// of seeds by key (0: no such row), cheap to copy for each snapshot that is held.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_COLUMNAR_MODEL_H
#define BR_TESTS_COLUMNAR_MODEL_H

#include <unistd.h>

#include "base/heap.h"
#include "columnar/columnar.h"
#include "tests/test.h"

enum { MODEL_COLUMNS = 8, MODEL_TEXT_MAX = 64 };

static const char *const model_names[MODEL_COLUMNS] = {"number", "mixed",  "real",   "day",
                                                       "word",   "random", "sparse", "nothing"};

static inline uint32_t model_mix(uint32_t seed, uint32_t column)
{
    uint64_t state = (uint64_t)seed * 0x9e3779b97f4a7c15ull + column * 0xbf58476d1ce4e5b9ull + 1;
    test_random(&state);
    return (uint32_t)(test_random(&state) >> 32);
}

// The value of a column in the row with this seed; text lies in `text`.
static inline br_value model_value(uint32_t seed, uint32_t column, char text[MODEL_TEXT_MAX])
{
    static const char *const words[] = {"", "alpha", "beta", "gamma", "delta with a longer text"};
    uint32_t mix = model_mix(seed, column);
    int size;
    switch (column) {
    case 0: return br_value_int((int64_t)(mix % 1000));
    case 1:
        if (mix % 50 == 0) return br_value_blob(br_text_make("\0x", 2));
        if (mix % 50 == 1) return br_value_real(mix / 7.0);
        if (mix % 50 == 2) return br_value_null();
        return br_value_int((int64_t)mix - 100000);
    case 2: return mix % 10 == 0 ? br_value_null() : br_value_real(mix % 10000 / 100.0);
    case 3:
        br_date_format(9000 + mix % 3000, text);
        return br_value_text(br_text_make(text, 10));
    case 4: return br_value_text(br_text_make(words[mix % 5], (uint32_t)strlen(words[mix % 5])));
    case 5:
        size = snprintf(text, MODEL_TEXT_MAX, "text %u of %u", mix, seed);
        return br_value_text(br_text_make(text, (uint32_t)size));
    case 6: return mix % 4 != 0 ? br_value_null() : br_value_int((int64_t)mix << 20);
    default: return br_value_null();
    }
}

static inline bool model_equal(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    if (left->class_ == BR_NULL) return true;
    if (left->class_ == BR_TEXT || left->class_ == BR_BLOB)
        return br_text_equal(left->text, right->text);
    return left->i64 == right->i64;  // bits of the double
}

// ---- a store in a folder of its own ----------------------------------------------------------

typedef struct fixture {
    char folder[64];
    br_quota quota;
    br_task_pool *pool;
    br_store_config config;
    br_store *store;
} fixture;

static inline void fixture_open(fixture *test)
{
    br_error err;
    MUST(br_store_open(&test->config, &test->store, &err), err);
}

static inline void fixture_init(fixture *test)
{
    br_error err;
    // In memory where there is such a folder: hundreds of stores are made and synced.
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(test->folder, sizeof test->folder, "%s/braid-columnar-XXXXXX", root);
    if (mkdtemp(test->folder) == NULL) exit(1);
    br_quota_init(&test->quota, SIZE_MAX, NULL);
    MUST(br_task_pool_new(2, &test->pool, &err), err);
    test->config = (br_store_config){.folder = test->folder,
                                     .kernels = br_format_kernels_for(br_cpu_isa_best()),
                                     .pool = test->pool,
                                     .quota = &test->quota,
                                     .page_cache_bytes = 64 * 1024 * 1024,
                                     .io_mode = BR_IO_AUTO};
    test->store = NULL;
}

static inline void fixture_close(fixture *test)
{
    br_store_close(test->store);
    test->store = NULL;
    CHECK_INT(test->quota.used_bytes, 0);
}

static inline void fixture_release(fixture *test)
{
    br_error err;
    fixture_close(test);
    br_task_pool_free(test->pool);
    MUST(br_folder_remove(test->folder, &err), err);
}

// ---- tables of the model ---------------------------------------------------------------------

typedef struct model {
    uint32_t table_id;
    int64_t key_count;  // keys are 0..key_count-1
    uint32_t *seeds;    // by key; 0: no such row
} model;

static inline model model_new(uint32_t table_id, int64_t key_count)
{
    return (model){.table_id = table_id,
                   .key_count = key_count,
                   .seeds = br_heap_array((size_t)key_count, sizeof(uint32_t))};
}

static inline model model_copy(const model *from)
{
    model copy = model_new(from->table_id, from->key_count);
    memcpy(copy.seeds, from->seeds, (size_t)from->key_count * sizeof(uint32_t));
    return copy;
}

static inline void model_free(model *table)
{
    br_heap_free(table->seeds);
    table->seeds = NULL;
}

static inline uint64_t model_rows(const model *table)
{
    uint64_t count = 0;
    for (int64_t key = 0; key < table->key_count; key++) count += table->seeds[key] != 0;
    return count;
}

static inline br_table_spec model_spec(uint32_t table_id, const char *name)
{
    return (br_table_spec){.table_id = table_id,
                           .name = name,
                           .definition = "CREATE TABLE ...",
                           .key_kind = BR_KEY_ROWID,
                           .column_count = MODEL_COLUMNS,
                           .column_names = model_names,
                           .hi = 7};
}

static inline br_status model_append(br_apply *apply, model *table, int64_t key, uint32_t seed,
                                     br_error *err)
{
    char texts[MODEL_COLUMNS][MODEL_TEXT_MAX];
    br_value values[MODEL_COLUMNS];
    for (uint32_t i = 0; i < MODEL_COLUMNS; i++) values[i] = model_value(seed, i, texts[i]);
    BR_TRY(br_apply_append(apply, table->table_id, key, values, err));
    table->seeds[key] = seed;
    return BR_OK;
}

// Creates the table in the store, with keys 0..row_count-1 appended; published.
static inline void model_create(br_store *store, model *table, const char *name, int64_t row_count)
{
    br_error err;
    br_apply *apply;
    br_table_spec spec = model_spec(table->table_id, name);
    br_watermark watermark = {.seq = 1};
    MUST(br_apply_begin(store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    for (int64_t key = 0; key < row_count; key++)
        MUST(model_append(apply, table, key, (uint32_t)key + 1, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
}

// A chunk of rows for a load; the caller releases it with model_chunk_free.
static inline br_column *model_chunk_new(model *table, int64_t first_key, uint32_t row_count)
{
    br_error err;
    char text[MODEL_TEXT_MAX];
    br_column *columns = br_heap_array(MODEL_COLUMNS + 1, sizeof *columns);
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) {
        MUST(br_column_init(&columns[c], NULL, &err), err);
        for (uint32_t row = 0; row < row_count; row++) {
            int64_t key = first_key + row;
            br_value value = c == MODEL_COLUMNS ? br_value_int(key)
                                                : model_value((uint32_t)key + 1, c, text);
            MUST(br_column_append(&columns[c], &value, &err), err);
        }
    }
    for (uint32_t row = 0; row < row_count; row++)
        table->seeds[first_key + row] = (uint32_t)(first_key + row) + 1;
    return columns;
}

static inline void model_chunk_free(br_column *columns)
{
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) br_column_release(&columns[c]);
    br_heap_free(columns);
}

// ---- comparing -------------------------------------------------------------------------------

static inline bool model_row_matches(const model *table, const br_batch *batch, uint32_t row,
                                     uint8_t *seen, br_arena *arena)
{
    char text[MODEL_TEXT_MAX];
    br_value key = br_vector_value(&batch->columns[MODEL_COLUMNS], row, arena);
    if (key.class_ != BR_INT || key.i64 < 0 || key.i64 >= table->key_count) return false;
    if (table->seeds[key.i64] == 0 || seen[key.i64]++ != 0) return false;
    for (uint32_t c = 0; c < MODEL_COLUMNS; c++) {
        br_value found = br_vector_value(&batch->columns[c], row, arena);
        br_value want = model_value(table->seeds[key.i64], c, text);
        if (!model_equal(&found, &want)) return false;
    }
    return true;
}

// How many rows of the view are not as the model says, or missing. Columns are asked for by the
// class that the statistics give, or all as BR_ANY.
static inline uint64_t model_differences(const model *table, const br_table_view *view,
                                         bool as_any)
{
    br_error err;
    br_scan *scan;
    br_scan_column columns[MODEL_COLUMNS + 1];
    for (uint32_t c = 0; c <= MODEL_COLUMNS; c++) {
        br_class class_ = br_class_of_mask(br_table_view_stats(view, c)->class_mask);
        columns[c].class_ = as_any ? BR_ANY : class_;
        columns[c].column = c < MODEL_COLUMNS ? c : BR_SCAN_KEY;
    }
    br_scan_request request = {.columns = columns, .column_count = MODEL_COLUMNS + 1};
    uint8_t *seen = br_heap_zalloc((size_t)table->key_count);
    br_arena *arena = br_arena_new(NULL);
    uint64_t good = 0, bad = 0;
    MUST(br_scan_open(view, &request, 0, NULL, &scan, &err), err);
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(view); chunk++) {
        MUST(br_scan_seek(scan, chunk, &err), err);
        br_batch batch;
        do {
            MUST(br_scan_next(scan, &batch, &err), err);
            br_arena_reset(arena);
            for (uint32_t row = 0; row < batch.row_count; row++) {
                bool matches = model_row_matches(table, &batch, row, seen, arena);
                good += matches;
                bad += !matches;
            }
        } while (batch.row_count > 0);
    }
    br_scan_close(scan);
    br_arena_free(arena);
    br_heap_free(seen);
    uint64_t want = model_rows(table);
    bad += br_table_view_rows(view) != want;
    return bad + (want > good ? want - good : 0);
}

#endif
