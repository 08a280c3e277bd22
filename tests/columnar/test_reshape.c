// test_reshape.c - tables altered at random between changes, checkpoints, compactions and reopens.
//
// The model is an array of rows by key, each with a value per column. Old snapshots are held and
// must go on showing the table as it was. Prints its seed; argv[1] is another one, argv[2] rounds.
// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include "tests/columnar/model.h"

enum { KEYS = 2000, COLUMNS_MAX = 12, HELD_MAX = 3 };

typedef struct table {
    uint32_t column_count;
    char names[COLUMNS_MAX][24];
    bool is_live[KEYS];
    br_value values[KEYS][COLUMNS_MAX];
} table;

typedef struct held {
    br_snapshot *snapshot;
    table *state;
} held;

static uint64_t seed = 1;
static uint32_t name_count;

static uint32_t pick(uint32_t bound) { return (uint32_t)(test_random(&seed) >> 33) % bound; }

static br_value random_value(void)
{
    static const char *const words[] = {"", "alpha", "2024-02-29", "a text that is longer than most"};
    const char *word = words[pick(4)];
    switch (pick(6)) {
    case 0: return br_value_null();
    case 1: return br_value_int(pick(5));
    case 2: return br_value_int(INT64_MIN + pick(2));
    case 3: return br_value_real(pick(8) / 4.0);
    case 4: return br_value_blob(br_text_make(word, (uint32_t)strlen(word)));
    default: return br_value_text(br_text_make(word, (uint32_t)strlen(word)));
    }
}

static void new_name(table *t, uint32_t column)
{
    snprintf(t->names[column], sizeof t->names[column], "c%u", name_count++);
}

static br_table_spec spec_of(const table *t, const char *names[COLUMNS_MAX])
{
    for (uint32_t i = 0; i < t->column_count; i++) names[i] = t->names[i];
    return (br_table_spec){.table_id = 1,
                           .name = t->column_count % 2 == 0 ? "even" : "odd",
                           .definition = "CREATE TABLE ...",
                           .column_count = t->column_count,
                           .column_names = names,
                           .hi = 7};
}

// ---- comparing -------------------------------------------------------------------------------

static uint64_t count_live(const table *t)
{
    uint64_t count = 0;
    for (uint32_t key = 0; key < KEYS; key++) count += t->is_live[key];
    return count;
}

static bool is_same_row(const table *t, const br_batch *batch, uint32_t row, br_arena *arena)
{
    int64_t key = br_vector_value(&batch->columns[t->column_count], row, arena).i64;
    if (key < 0 || key >= KEYS || !t->is_live[key]) return false;
    for (uint32_t i = 0; i < t->column_count; i++) {
        br_value found = br_vector_value(&batch->columns[i], row, arena);
        if (!model_equal(&found, &t->values[key][i])) return false;
    }
    return true;
}

// Rows that pass the filters of the request, each compared; UINT64_MAX when one differs.
static uint64_t scan_rows(const table *t, const br_table_view *view, const br_scan_request *request)
{
    br_error err;
    br_scan *scan;
    uint64_t count = 0;
    bool is_same = true;
    br_arena *arena = br_arena_new(NULL);
    MUST(br_scan_open(view, request, 0, NULL, &scan, &err), err);
    for (uint32_t chunk = 0; chunk < br_table_view_chunks(view); chunk++) {
        br_batch batch;
        MUST(br_scan_seek(scan, chunk, &err), err);
        do {
            MUST(br_scan_next(scan, &batch, &err), err);
            for (uint32_t row = 0; row < batch.row_count; row++)
                is_same &= is_same_row(t, &batch, row, arena);
            count += batch.row_count;
        } while (batch.row_count > 0);
    }
    br_scan_close(scan);
    br_arena_free(arena);
    return is_same ? count : UINT64_MAX;
}

// By the zones of segments, as the planner's MIN and MAX do.
static void check_statistics(const table *t, const br_table_view *view)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const br_zone_stats *stats = br_table_view_stats(view, i);
        for (uint32_t key = 0; key < KEYS; key++) {
            br_value value = t->values[key][i];
            if (!t->is_live[key]) continue;
            CHECK((stats->class_mask >> value.class_ & 1) != 0);
            if (value.class_ == BR_INT)
                CHECK(value.i64 >= stats->int_min && value.i64 <= stats->int_max);
        }
    }
}

static void check_filter(const table *t, const br_table_view *view, br_scan_request request)
{
    br_scan_filter filter = {.column = pick(t->column_count)};
    uint64_t want = 0;
    filter.filter.kind = pick(2) == 0 ? BR_FILTER_IS_NULL : BR_FILTER_COMPARE;
    filter.filter.compare = BR_EQ;
    filter.filter.value = br_value_int(pick(5));
    for (uint32_t key = 0; key < KEYS; key++) {
        const br_value *value = &t->values[key][filter.column];
        bool passes = filter.filter.kind == BR_FILTER_IS_NULL
                          ? value->class_ == BR_NULL
                          : value->class_ != BR_NULL &&
                                br_value_compare(value, &filter.filter.value, 0) == 0;
        want += t->is_live[key] && passes;
    }
    request.filters = &filter;
    request.filter_count = 1;
    CHECK_INT(scan_rows(t, view, &request), want);
}

static void check_snapshot(const table *t, const br_snapshot *snapshot)
{
    br_error err;
    const char *names[COLUMNS_MAX];
    br_table_spec spec = spec_of(t, names);
    const br_table_view *view = br_snapshot_find(snapshot, spec.name);
    CHECK(view != NULL);
    if (view == NULL) return;
    CHECK(br_snapshot_find(snapshot, t->column_count % 2 == 0 ? "odd" : "even") == NULL);
    const br_table_spec *found = br_table_view_spec(view);
    CHECK_INT(found->column_count, t->column_count);
    for (uint32_t i = 0; i < t->column_count; i++) CHECK_TEXT(found->column_names[i], names[i]);
    CHECK_INT(found->hi, 7);
    br_scan_column columns[COLUMNS_MAX + 1];
    for (uint32_t i = 0; i <= t->column_count; i++)
        columns[i] = (br_scan_column){.column = i, .class_ = BR_ANY};
    br_scan_request request = {.columns = columns, .column_count = t->column_count + 1};
    CHECK_INT(scan_rows(t, view, &request), count_live(t));
    for (uint32_t i = 0; i < t->column_count; i++)
        columns[i].class_ = br_class_of_mask(br_table_view_stats(view, i)->class_mask);
    CHECK_INT(scan_rows(t, view, &request), count_live(t));
    check_filter(t, view, request);
    check_statistics(t, view);
    MUST(br_table_view_verify(view, &err), err);
}

static void check_now(const table *t, br_store *store)
{
    br_error err;
    br_snapshot *snapshot = br_snapshot_acquire(store);
    MUST(br_store_check(store, &err), err);
    check_snapshot(t, snapshot);
    br_snapshot_drop(snapshot);
}

// ---- changing --------------------------------------------------------------------------------

static void put_row(br_apply *apply, table *t, uint32_t key)
{
    br_error err;
    if (t->is_live[key]) MUST(br_apply_delete(apply, 1, key, &err), err);
    for (uint32_t i = 0; i < t->column_count; i++) t->values[key][i] = random_value();
    MUST(br_apply_append(apply, 1, key, t->values[key], &err), err);
    t->is_live[key] = true;
}

static void change_rows(br_apply *apply, table *t)
{
    br_error err;
    for (uint32_t i = pick(200); i > 0; i--) {
        uint32_t key = pick(KEYS);
        if (pick(4) != 0) {
            put_row(apply, t, key);
        } else {
            MUST(br_apply_delete(apply, 1, key, &err), err);
            t->is_live[key] = false;
        }
    }
}

// What becomes of the columns: some go, one may be new, and one may get another name.
static br_reshape random_reshape(table *t, uint32_t from[COLUMNS_MAX], br_value values[COLUMNS_MAX])
{
    uint32_t count = 0, dropped = pick(3) == 0 ? pick(t->column_count) : UINT32_MAX;
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (i != dropped || t->column_count == 1) from[count++] = i;
    }
    if (pick(2) == 0 && count < COLUMNS_MAX) {
        values[count] = random_value();
        from[count++] = BR_COLUMN_ABSENT;
    }
    return (br_reshape){.column_count = count, .from = from, .values = values};
}

static void reshape_model(table *t, const br_reshape *reshape)
{
    table before = *t;
    t->column_count = reshape->column_count;
    for (uint32_t i = 0; i < reshape->column_count; i++) {
        uint32_t from = reshape->from[i];
        if (from == BR_COLUMN_ABSENT || pick(8) == 0) new_name(t, i);
        else memcpy(t->names[i], before.names[from], sizeof t->names[i]);
        for (uint32_t key = 0; key < KEYS; key++)
            t->values[key][i] =
                from == BR_COLUMN_ABSENT ? reshape->values[i] : before.values[key][from];
    }
}

static void alter(br_apply *apply, table *t)
{
    br_error err;
    uint32_t from[COLUMNS_MAX];
    br_value values[COLUMNS_MAX];
    const char *names[COLUMNS_MAX];
    br_reshape reshape = random_reshape(t, from, values);
    reshape_model(t, &reshape);
    br_table_spec spec = spec_of(t, names);
    MUST(br_apply_reshape(apply, &spec, &reshape, &err), err);
}

static void change(br_store *store, table *t)
{
    br_error err;
    br_apply *apply;
    br_watermark watermark = {.seq = 1};
    bool is_abandoned = pick(5) == 0;
    table *before = br_heap_alloc(sizeof *before);
    *before = *t;
    MUST(br_apply_begin(store, &apply, &err), err);
    if (pick(2) == 0) alter(apply, t);
    change_rows(apply, t);
    if (is_abandoned) {
        br_apply_abandon(apply);
        *t = *before;
    } else {
        MUST(br_apply_publish(apply, &watermark, &err), err);
    }
    br_heap_free(before);
}

static void load(br_store *store, table *t)
{
    br_error err;
    br_apply *apply;
    br_load *load;
    const char *names[COLUMNS_MAX];
    br_table_spec spec = spec_of(t, names);
    br_watermark watermark = {.seq = 1};
    MUST(br_apply_begin(store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    MUST(br_load_begin(apply, 1, &load, &err), err);
    for (uint32_t chunk = 0; chunk < 3; chunk++) {
        br_column columns[COLUMNS_MAX + 1];
        for (uint32_t i = 0; i <= t->column_count; i++)
            MUST(br_column_init(&columns[i], NULL, &err), err);
        for (uint32_t row = 0; row < 300; row++) {
            uint32_t key = chunk * 500 + row;
            br_value key_value = br_value_int(key);
            t->is_live[key] = true;
            for (uint32_t i = 0; i < t->column_count; i++) {
                t->values[key][i] = random_value();
                MUST(br_column_append(&columns[i], &t->values[key][i], &err), err);
            }
            MUST(br_column_append(&columns[t->column_count], &key_value, &err), err);
        }
        MUST(br_load_add_chunk(load, chunk, columns, &err), err);
        for (uint32_t i = 0; i <= t->column_count; i++) br_column_release(&columns[i]);
    }
    MUST(br_load_finish(load, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
}

// ---- rounds ----------------------------------------------------------------------------------

static void hold(held *item, const table *t, br_store *store)
{
    if (item->snapshot != NULL) check_snapshot(item->state, item->snapshot);
    br_snapshot_drop(item->snapshot);
    if (item->state == NULL) item->state = br_heap_alloc(sizeof *item->state);
    *item->state = *t;
    item->snapshot = br_snapshot_acquire(store);
}

static void let_go(held *all)
{
    for (uint32_t i = 0; i < HELD_MAX; i++) {
        if (all[i].snapshot != NULL) check_snapshot(all[i].state, all[i].snapshot);
        br_snapshot_drop(all[i].snapshot);
        br_heap_free(all[i].state);
        all[i] = (held){0};
    }
}

static void checkpoint(fixture *base)
{
    br_error err;
    MUST(br_store_checkpoint(base->store, (const uint8_t[16]){0}, &err), err);
}

static void reopen(fixture *base, held *all)
{
    checkpoint(base);
    let_go(all);
    fixture_close(base);
    fixture_open(base);
}

static void test_reshape_random_alterations_keep_every_value(void)
{
    fixture base;
    table *t = br_heap_zalloc(sizeof *t);
    held all[HELD_MAX] = {0};
    fixture_init(&base);
    fixture_open(&base);
    t->column_count = 1 + pick(4);
    for (uint32_t i = 0; i < t->column_count; i++) new_name(t, i);
    load(base.store, t);
    for (int step = 0; step < 60; step++) {
        br_error err;
        bool did_work = true;
        change(base.store, t);
        check_now(t, base.store);
        switch (pick(8)) {
        case 0: checkpoint(&base); break;
        case 1:
            checkpoint(&base);
            while (did_work) MUST(br_store_compact(base.store, &did_work, &err), err);
            break;
        case 2: MUST(br_store_compact(base.store, &did_work, &err), err); break;
        case 3: reopen(&base, all); break;
        case 4: hold(&all[pick(HELD_MAX)], t, base.store); break;
        default: continue;
        }
        check_now(t, base.store);
    }
    let_go(all);
    fixture_release(&base);
    br_heap_free(t);
}

// ---- the catalog -----------------------------------------------------------------------------

static void run_sql(const fixture *base, const char *sql)
{
    char path[128];
    sqlite3 *database;
    snprintf(path, sizeof path, "%s/catalog.db", base->folder);
    if (sqlite3_open(path, &database) != SQLITE_OK ||
        sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(database));
        exit(1);
    }
    sqlite3_close(database);
}

// A table (c0, c1) altered to (c1, text), checkpointed and closed.
static void make_altered(fixture *base, table *t)
{
    br_error err;
    br_apply *apply;
    br_watermark watermark = {.seq = 2};
    const char *names[COLUMNS_MAX];
    uint32_t from[] = {1, BR_COLUMN_ABSENT};
    br_value values[] = {br_value_null(), br_value_text(br_text_make("text", 4))};
    br_reshape reshape = {2, from, values};
    fixture_init(base);
    fixture_open(base);
    *t = (table){.column_count = 2, .names = {"c0", "c1"}};
    load(base->store, t);
    reshape_model(t, &reshape);
    br_table_spec spec = spec_of(t, names);
    MUST(br_apply_begin(base->store, &apply, &err), err);
    MUST(br_apply_reshape(apply, &spec, &reshape, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    checkpoint(base);
    check_now(t, base->store);
    fixture_close(base);
}

static void test_reshape_hostile_layouts_are_refused(void)
{
    static const char *const damages[] = {
        "x''",
        "7",
        "'text'",
        "x'00000000'",
        "x'ffffffff'",
        "substr(layout, 1, length(layout) - 1)",
        "CAST(layout || x'00' AS BLOB)",
        "CAST(x'03' || substr(layout, 2) AS BLOB)",          // more columns
        "CAST(substr(layout, 1, 4) || x'02' || substr(layout, 6) AS BLOB)",  // the key's column
        "CAST(substr(layout, 1, 4) || x'ff' || substr(layout, 6) AS BLOB)",  // no such column
        "CAST(substr(layout, 1, 12) || x'05' || substr(layout, 14) AS BLOB)",  // no such class
        "CAST(substr(layout, 1, 12) || x'01' || substr(layout, 14) AS BLOB)",  // INT of 4 bytes
        "CAST(substr(layout, 1, 13) || x'ffffffff' || substr(layout, 18) AS BLOB)",
        "x'01000000ffffffff0208000000000000000000f87f'",  // NaN
        "NULL",  // and yet the file's columns are as many: other values than the table had
    };
    table *t = br_heap_zalloc(sizeof *t);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        fixture base;
        char sql[200];
        br_error err = {.status = BR_OK};
        make_altered(&base, t);
        snprintf(sql, sizeof sql, "UPDATE segment SET layout = %s", damages[i]);
        run_sql(&base, sql);
        br_status status = br_store_open(&base.config, &base.store, &err);
        bool is_null = strcmp(damages[i], "NULL") == 0;
        if (status != (is_null ? BR_OK : BR_CORRUPT)) fprintf(stderr, "%s\n", damages[i]);
        CHECK_INT(status, is_null ? BR_OK : BR_CORRUPT);
        fixture_release(&base);
    }
    br_heap_free(t);
}

// Folders of the version that had no layouts are taken over as they are.
static void test_reshape_catalog_of_version_1_is_upgraded(void)
{
    fixture base;
    table *t = br_heap_zalloc(sizeof *t);
    fixture_init(&base);
    fixture_open(&base);
    t->column_count = 3;
    for (uint32_t i = 0; i < t->column_count; i++) new_name(t, i);
    load(base.store, t);
    checkpoint(&base);
    fixture_close(&base);
    run_sql(&base, "ALTER TABLE segment DROP COLUMN layout; PRAGMA user_version = 1");
    fixture_open(&base);
    check_now(t, base.store);
    for (int i = 0; i < 5; i++) change(base.store, t);
    checkpoint(&base);
    fixture_close(&base);
    fixture_open(&base);
    check_now(t, base.store);
    fixture_release(&base);
    br_heap_free(t);
}

int main(int argument_count, char **arguments)
{
    uint64_t first = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t count = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 12;
    for (uint64_t i = 0; i < count; i++) {
        seed = (first + i) * 0x9e3779b97f4a7c15ull | 1;
        printf("seed %" PRIu64 "\n", first + i);
        RUN(test_reshape_random_alterations_keep_every_value);
    }
    RUN(test_reshape_hostile_layouts_are_refused);
    RUN(test_reshape_catalog_of_version_1_is_upgraded);
    return test_result();
}
