// test_store.c - random changes against a model, with snapshots held across and reopening.
// SPDX-License-Identifier: Apache-2.0
#include "tests/columnar/model.h"

enum { TABLES = 2, HELD = 4 };

static uint64_t seed_given = 20240711;

typedef struct held {
    br_snapshot *snapshot;
    model tables[TABLES];
} held;

typedef struct world {
    fixture base;
    uint64_t random;
    uint64_t seq;
    model tables[TABLES];
    model durable[TABLES];
    uint64_t durable_seq;
    held kept[HELD];
} world;

static uint32_t pick(world *all, uint32_t count)
{
    return (uint32_t)(test_random(&all->random) >> 33) % count;
}

static void world_check_one(world *all, const br_snapshot *snapshot, const model *tables)
{
    for (int t = 0; t < TABLES; t++) {
        const br_table_view *view = br_snapshot_find(snapshot, t == 0 ? "FIRST" : "second");
        CHECK(view != NULL);
        if (view != NULL) CHECK_INT(model_differences(&tables[t], view, pick(all, 2) == 0), 0);
    }
}

static void world_check(world *all)
{
    br_error err;
    br_snapshot *snapshot = br_snapshot_acquire(all->base.store);
    MUST(br_store_check(all->base.store, &err), err);
    world_check_one(all, snapshot, all->tables);
    CHECK_INT(br_snapshot_watermark(snapshot).seq, all->seq);
    br_snapshot_drop(snapshot);
}

static void change_keys(world *all, br_apply *apply, model *table, uint32_t count)
{
    br_error err;
    int64_t keys[300];
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = pick(all, (uint32_t)table->key_count);
        if (pick(all, 8) == 0) keys[i] += table->key_count;  // no such row
    }
    if (pick(all, 2) == 0) {
        MUST(br_apply_delete_keys(apply, table->table_id, keys, count, &err), err);
    } else {
        for (uint32_t i = 0; i < count; i++)
            MUST(br_apply_delete(apply, table->table_id, keys[i], &err), err);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] < table->key_count) table->seeds[keys[i]] = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] >= table->key_count || table->seeds[keys[i]] != 0 || pick(all, 4) == 0) continue;
        uint32_t seed = (uint32_t)(test_random(&all->random) >> 34) + 1;
        MUST(model_append(apply, table, keys[i], seed, &err), err);
    }
}

static void change_range(world *all, br_apply *apply, model *table)
{
    br_error err;
    int64_t above = pick(all, (uint32_t)table->key_count);
    MUST(br_apply_delete_above(apply, table->table_id, above, &err), err);
    for (int64_t key = above + 1; key < table->key_count; key++) table->seeds[key] = 0;
    int64_t end = above + 1 + pick(all, 2000);
    for (int64_t key = above + 1; key < end && key < table->key_count; key++)
        MUST(model_append(apply, table, key, (uint32_t)key + 77, &err), err);
}

static void change_some(world *all, br_apply *apply, model *table)
{
    br_error err;
    uint32_t what = pick(all, 100);
    if (what < 80) change_keys(all, apply, table, 1 + pick(all, 300));
    else if (what < 96) change_range(all, apply, table);
    else {
        MUST(br_apply_truncate(apply, table->table_id, &err), err);
        memset(table->seeds, 0, (size_t)table->key_count * sizeof(uint32_t));
        change_keys(all, apply, table, pick(all, 300));
    }
}

static void step_apply(world *all)
{
    br_error err;
    br_apply *apply;
    model before[TABLES];
    for (int t = 0; t < TABLES; t++) before[t] = model_copy(&all->tables[t]);
    MUST(br_apply_begin(all->base.store, &apply, &err), err);
    for (uint32_t i = 0; i <= pick(all, 3); i++)
        change_some(all, apply, &all->tables[pick(all, TABLES)]);
    bool abandons = pick(all, 4) == 0;
    if (abandons) {
        br_apply_abandon(apply);
    } else {
        br_watermark watermark = {.seq = ++all->seq};
        MUST(br_apply_publish(apply, &watermark, &err), err);
    }
    for (int t = 0; t < TABLES; t++) {
        model *keep = abandons ? &before[t] : &all->tables[t];
        model *lose = abandons ? &all->tables[t] : &before[t];
        model_free(lose);
        all->tables[t] = *keep;
    }
}

static void remember_durable(world *all)
{
    for (int t = 0; t < TABLES; t++) {
        model_free(&all->durable[t]);
        all->durable[t] = model_copy(&all->tables[t]);
    }
    all->durable_seq = all->seq;
}

static void step_hold(world *all)
{
    held *slot = &all->kept[pick(all, HELD)];
    if (slot->snapshot != NULL) {
        world_check_one(all, slot->snapshot, slot->tables);
        br_snapshot_drop(slot->snapshot);
        for (int t = 0; t < TABLES; t++) model_free(&slot->tables[t]);
    }
    slot->snapshot = br_snapshot_acquire(all->base.store);
    for (int t = 0; t < TABLES; t++) slot->tables[t] = model_copy(&all->tables[t]);
}

static void let_go(world *all)
{
    for (int i = 0; i < HELD; i++) {
        held *slot = &all->kept[i];
        if (slot->snapshot == NULL) continue;
        world_check_one(all, slot->snapshot, slot->tables);
        br_snapshot_drop(slot->snapshot);
        for (int t = 0; t < TABLES; t++) model_free(&slot->tables[t]);
        slot->snapshot = NULL;
    }
}

static void step_reopen(world *all)
{
    let_go(all);
    fixture_close(&all->base);
    fixture_open(&all->base);
    for (int t = 0; t < TABLES; t++) {
        model_free(&all->tables[t]);
        all->tables[t] = model_copy(&all->durable[t]);
    }
    all->seq = all->durable_seq;
}

// Changes are published before and after the segments are written; the copy that becomes durable is
// that of the beginning.
static void step_checkpoint_slowly(world *all)
{
    br_error err;
    br_checkpoint *checkpoint;
    uint8_t id[16] = {4, 5};
    MUST(br_checkpoint_begin(all->base.store, &checkpoint, &err), err);
    remember_durable(all);
    for (uint32_t i = pick(all, 3); i > 0; i--) step_apply(all);
    if (pick(all, 5) > 0) MUST(br_checkpoint_write(checkpoint, &err), err);
    else {
        br_checkpoint_abandon(checkpoint);  // then this copy is not durable
        MUST(br_store_checkpoint(all->base.store, id, &err), err);
        remember_durable(all);
        return;
    }
    for (uint32_t i = pick(all, 3); i > 0; i--) step_apply(all);
    MUST(br_checkpoint_commit(checkpoint, id, &err), err);
    CHECK_INT(br_store_durable_watermark(all->base.store).seq, all->durable_seq);
}

static void step_compact_slowly(world *all)
{
    br_error err;
    br_compaction *compaction;
    bool did_work;
    MUST(br_compaction_begin(all->base.store, &compaction, &err), err);
    if (compaction == NULL) return;
    for (uint32_t i = pick(all, 3); i > 0; i--) step_apply(all);
    MUST(br_compaction_write(compaction, &err), err);
    for (uint32_t i = pick(all, 3); i > 0; i--) step_apply(all);
    if (pick(all, 5) == 0) br_compaction_abandon(compaction);
    else MUST(br_compaction_commit(compaction, &did_work, &err), err);
}

static void step(world *all)
{
    br_error err;
    uint8_t id[16] = {1, 2, 3};
    bool did_work;
    uint32_t what = pick(all, 100);
    if (what < 60) step_apply(all);
    else if (what < 70) step_hold(all);
    else if (what < 78) step_checkpoint_slowly(all);
    else if (what < 84) {
        MUST(br_store_checkpoint(all->base.store, id, &err), err);
        remember_durable(all);
    } else if (what < 90) {
        step_compact_slowly(all);
    } else if (what < 95) {
        MUST(br_store_compact(all->base.store, &did_work, &err), err);
    } else {
        step_reopen(all);
    }
}

static void world_run(int64_t key_count, int64_t first_rows, int steps)
{
    world all = {.random = seed_given, .seq = 1};
    br_error err;
    uint8_t id[16] = {9};
    fixture_init(&all.base);
    all.base.config.page_cache_bytes = 256 * 1024;  // so that pages come and go
    fixture_open(&all.base);
    for (int t = 0; t < TABLES; t++) {
        all.tables[t] = model_new((uint32_t)t + 10, key_count);
        model_create(all.base.store, &all.tables[t], t == 0 ? "First" : "SECOND", first_rows);
    }
    MUST(br_store_checkpoint(all.base.store, id, &err), err);
    remember_durable(&all);
    for (int i = 0; i < steps; i++) {
        step(&all);
        if (key_count < 10000 || i % 8 == 0) world_check(&all);
    }
    world_check(&all);
    let_go(&all);
    step_reopen(&all);
    world_check(&all);
    fixture_release(&all.base);
    for (int t = 0; t < TABLES; t++) {
        model_free(&all.tables[t]);
        model_free(&all.durable[t]);
    }
}

static void test_store_small_tables_follow_the_model(void) { world_run(3000, 1000, 250); }

static void test_store_many_chunks_follow_the_model(void) { world_run(180000, 150000, 24); }

// ---- single situations -----------------------------------------------------------------------

static uint32_t count_files(const char *folder)
{
    char command[200], text[32] = "";
    snprintf(command, sizeof command, "ls %s | grep -c 'brd$'", folder);
    FILE *pipe = popen(command, "r");
    if (fgets(text, sizeof text, pipe) == NULL) text[0] = 0;
    pclose(pipe);
    return (uint32_t)atoi(text);
}

static void test_store_removes_files_that_are_not_named(void)
{
    fixture base;
    br_error err;
    char path[128];
    fixture_init(&base);
    fixture_open(&base);
    fixture_close(&base);
    snprintf(path, sizeof path, "%s/00000000000000aa.brd", base.folder);
    fclose(fopen(path, "w"));
    base.config.read_only = true;
    fixture_open(&base);
    CHECK_INT(count_files(base.folder), 1);
    CHECK_INT(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), BR_READONLY);
    fixture_close(&base);
    base.config.read_only = false;
    fixture_open(&base);
    CHECK_INT(count_files(base.folder), 0);
    fixture_release(&base);
}

static void test_store_compaction_gives_files_back_when_readers_leave(void)
{
    fixture base;
    br_error err;
    bool did_work;
    fixture_init(&base);
    fixture_open(&base);
    model table = model_new(3, 5000);
    model_create(base.store, &table, "t", 0);
    for (int i = 0; i < 5; i++) {
        br_apply *apply;
        br_watermark watermark = {.seq = (uint64_t)i + 2};
        MUST(br_apply_begin(base.store, &apply, &err), err);
        for (int64_t key = i * 1000; key < i * 1000 + 1000; key++)
            MUST(model_append(apply, &table, key, (uint32_t)key + 9, &err), err);
        MUST(br_apply_publish(apply, &watermark, &err), err);
        MUST(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), err);
    }
    br_snapshot *before = br_snapshot_acquire(base.store);
    CHECK_INT(br_table_view_segments(br_snapshot_find(before, "t")), 5);
    MUST(br_store_compact(base.store, &did_work, &err), err);
    CHECK(did_work);
    CHECK_INT(count_files(base.folder), 6);
    CHECK_INT(model_differences(&table, br_snapshot_find(before, "t"), false), 0);
    br_snapshot_drop(before);
    CHECK_INT(count_files(base.folder), 1);
    MUST(br_store_compact(base.store, &did_work, &err), err);
    CHECK(!did_work);
    br_snapshot *after = br_snapshot_acquire(base.store);
    CHECK_INT(model_differences(&table, br_snapshot_find(after, "t"), false), 0);
    MUST(br_table_view_verify(br_snapshot_find(after, "t"), &err), err);
    br_snapshot_drop(after);
    model_free(&table);
    fixture_release(&base);
}

static void test_store_keeps_spec_and_watermark(void)
{
    fixture base;
    br_error err;
    br_apply *apply;
    fixture_init(&base);
    fixture_open(&base);
    model table = model_new(42, 10);
    model_create(base.store, &table, "It's \"quoted\"", 3);
    br_watermark watermark = {.seq = 1ull << 63, .schema_cookie = -5};
    memset(watermark.lineage, 7, 16);
    MUST(br_apply_begin(base.store, &apply, &err), err);
    MUST(br_apply_set_hi(apply, 42, INT64_MIN, &err), err);
    CHECK(br_table_get_spec(br_store_find(base.store, 42))->hi == INT64_MIN);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_checkpoint(base.store, (const uint8_t[16]){5}, &err), err);
    fixture_close(&base);
    fixture_open(&base);
    br_watermark found = br_store_watermark(base.store);
    CHECK(found.seq == 1ull << 63 && found.schema_cookie == -5 && found.checkpoint_id[0] == 5);
    CHECK_INT(memcmp(found.lineage, watermark.lineage, 16), 0);
    CHECK_INT(br_store_table_count(base.store), 1);
    const br_table_spec *spec = br_table_get_spec(br_store_table_at(base.store, 0));
    CHECK_TEXT(spec->name, "It's \"quoted\"");
    CHECK_TEXT(spec->definition, "CREATE TABLE ...");
    CHECK_TEXT(spec->column_names[MODEL_COLUMNS - 1], "nothing");
    CHECK(spec->hi == INT64_MIN && spec->key_kind == BR_KEY_ROWID);
    model_free(&table);
    fixture_release(&base);
}

static void test_store_adds_and_drops_tables(void)
{
    fixture base;
    br_error err;
    br_apply *apply;
    br_watermark watermark = {.seq = 3};
    fixture_init(&base);
    fixture_open(&base);
    model one = model_new(1, 100), two = model_new(2, 100);
    model_create(base.store, &one, "one", 50);
    MUST(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), err);
    br_table_spec spec = model_spec(2, "two");
    MUST(br_apply_begin(base.store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    CHECK_INT(br_apply_add_table(apply, &spec, &err), BR_MISUSE);
    MUST(model_append(apply, &two, 5, 5, &err), err);
    MUST(br_apply_drop_table(apply, 1, &err), err);
    CHECK(br_store_find(base.store, 1) == NULL);
    CHECK_INT(br_apply_delete(apply, 1, 1, &err), BR_MISUSE);
    br_apply_abandon(apply);
    CHECK_INT(br_store_table_count(base.store), 1);
    CHECK(br_store_find(base.store, 1) != NULL && br_store_find(base.store, 2) == NULL);

    MUST(br_apply_begin(base.store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    memset(two.seeds, 0, 400);
    MUST(model_append(apply, &two, 6, 6, &err), err);
    MUST(br_apply_drop_table(apply, 1, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), err);
    CHECK_INT(count_files(base.folder), 1);
    fixture_close(&base);
    fixture_open(&base);
    br_snapshot *snapshot = br_snapshot_acquire(base.store);
    CHECK_INT(br_snapshot_table_count(snapshot), 1);
    CHECK(br_snapshot_find(snapshot, "one") == NULL);
    CHECK_INT(model_differences(&two, br_snapshot_find(snapshot, "TWO"), false), 0);
    br_snapshot_drop(snapshot);
    model_free(&one);
    model_free(&two);
    fixture_release(&base);
}

static void test_store_numbers_rows_without_keys(void)
{
    fixture base;
    br_error err;
    br_apply *apply;
    br_watermark watermark = {.seq = 1};
    fixture_init(&base);
    fixture_open(&base);
    model table = model_new(1, 10);
    br_table_spec spec = model_spec(1, "t");
    spec.key_kind = BR_KEY_NONE;
    MUST(br_apply_begin(base.store, &apply, &err), err);
    MUST(br_apply_add_table(apply, &spec, &err), err);
    for (int i = 1; i <= 3; i++) MUST(model_append(apply, &table, 0, 5, &err), err);
    CHECK_INT(br_apply_delete(apply, 1, 1, &err), BR_MISUSE);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_checkpoint(base.store, (const uint8_t[16]){0}, &err), err);
    MUST(br_apply_begin(base.store, &apply, &err), err);
    MUST(model_append(apply, &table, 0, 5, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    MUST(br_store_check(base.store, &err), err);
    br_snapshot *snapshot = br_snapshot_acquire(base.store);
    const br_zone_stats *keys =
        br_table_view_stats(br_snapshot_find(snapshot, "t"), MODEL_COLUMNS);
    CHECK_INT(keys->int_min, 1);
    CHECK_INT(keys->int_max, 4);
    br_snapshot_drop(snapshot);
    model_free(&table);
    fixture_release(&base);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_store_small_tables_follow_the_model);
    RUN(test_store_many_chunks_follow_the_model);
    RUN(test_store_removes_files_that_are_not_named);
    RUN(test_store_compaction_gives_files_back_when_readers_leave);
    RUN(test_store_keeps_spec_and_watermark);
    RUN(test_store_adds_and_drops_tables);
    RUN(test_store_numbers_rows_without_keys);
    return test_result();
}
