// test_catalog.c - catalogs and segment files that are not what we wrote.
//
// Each case damages a good folder in one way and opens it: BR_CORRUPT naming the file, no crash.
// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include "tests/columnar/model.h"

static uint64_t seed_given = 5;

// A store of one table with two segments, masks in both, checkpointed and closed.
static void make_good(fixture *base, model *table)
{
    br_error err;
    *table = model_new(1, 4000);
    fixture_init(base);
    fixture_open(base);
    model_create(base->store, table, "t", 2000);
    MUST(br_store_checkpoint(base->store, (const uint8_t[16]){0}, &err), err);
    for (int i = 0; i < 2; i++) {
        br_apply *apply;
        br_watermark watermark = {.seq = 5};
        MUST(br_apply_begin(base->store, &apply, &err), err);
        for (int64_t key = 1; key < 4000; key += i == 0 ? 3 : 31) {
            MUST(br_apply_delete(apply, 1, key, &err), err);
            table->seeds[key] = 0;
            if (i > 0) continue;
            MUST(model_append(apply, table, key, (uint32_t)key + 5, &err), err);
        }
        MUST(br_apply_publish(apply, &watermark, &err), err);
        MUST(br_store_checkpoint(base->store, (const uint8_t[16]){0}, &err), err);
    }
    fixture_close(base);
}

static void end_good(fixture *base, model *table)
{
    fixture_release(base);
    model_free(table);
}

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

static void expect_corrupt(const fixture *base, const char *what, const char *names)
{
    br_error err = {.status = BR_OK};
    br_store *store = NULL;
    br_status status = br_store_open(&base->config, &store, &err);
    if (status != BR_CORRUPT) fprintf(stderr, "%s: %s\n", what, err.message);
    CHECK_INT(status, BR_CORRUPT);
    if (strstr(err.message, names) == NULL) fprintf(stderr, "%s: %s\n", what, err.message);
    CHECK(strstr(err.message, names) != NULL);
    br_store_close(store);
    CHECK_INT(base->quota.used_bytes, 0);
}

static void test_catalog_hostile_values_are_refused(void)
{
    static const char *const damages[][2] = {
        {"UPDATE segment SET segment_id = 77 WHERE segment_id = 1", "catalog.db"},
        {"UPDATE segment SET segment_id = 77 WHERE segment_id = 1;"
         "UPDATE watermark SET next_segment_id = 100", ".brd"},
        {"UPDATE watermark SET next_segment_id = 2", "catalog.db"},
        {"UPDATE watermark SET next_segment_id = -2", "catalog.db"},
        {"UPDATE watermark SET lineage = x'00'", "catalog.db"},
        {"UPDATE watermark SET checkpoint_id = 7", "catalog.db"},
        {"UPDATE \"table\" SET column_count = 3", "catalog.db"},
        {"UPDATE \"table\" SET column_count = 100000", "catalog.db"},
        {"UPDATE \"table\" SET column_count = -1", "catalog.db"},
        {"UPDATE \"table\" SET column_count = 'x'", "catalog.db"},
        {"UPDATE \"table\" SET key_kind = 9", "catalog.db"},
        {"DELETE FROM \"column\" WHERE position = 2", "catalog.db"},
        {"DELETE FROM \"column\" WHERE position = 7;"
         "UPDATE \"table\" SET column_count = 7", ".brd"},
        {"UPDATE mask SET dead_count = 0", "catalog.db"},
        {"UPDATE mask SET dead_count = dead_count + 1", "catalog.db"},
        {"UPDATE mask SET dead_count = 70000", "catalog.db"},
        {"UPDATE mask SET chunk = chunk + 5", "catalog.db"},
        {"UPDATE mask SET chunk = -1", "catalog.db"},
        {"UPDATE mask SET bytes = zeroblob(length(bytes))", "catalog.db"},
        {"UPDATE mask SET bytes = CAST(x'ffff' || substr(bytes, 3) AS BLOB)", "catalog.db"},
        {"UPDATE mask SET bytes = zeroblob(9000)", "catalog.db"},
        {"UPDATE mask SET bytes = x''", "catalog.db"},
        {"DROP TABLE mask", "catalog.db"},
        {"ALTER TABLE segment DROP COLUMN position", "catalog.db"},
        {"PRAGMA user_version = 9", "catalog.db"},
        {"PRAGMA user_version = 0", "catalog.db"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        fixture base;
        model table;
        make_good(&base, &table);
        run_sql(&base, damages[i][0]);
        expect_corrupt(&base, damages[i][0], damages[i][1]);
        end_good(&base, &table);
    }
}

static void test_catalog_that_is_no_database_is_refused(void)
{
    fixture base;
    model table;
    char path[128];
    make_good(&base, &table);
    snprintf(path, sizeof path, "%s/catalog.db", base.folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++) fputs("this is no database ", file);
    fclose(file);
    expect_corrupt(&base, "garbage", "catalog.db");
    end_good(&base, &table);
}

static void test_catalog_missing_or_short_segments_are_refused(void)
{
    for (int how = 0; how < 3; how++) {
        fixture base;
        model table;
        char path[128];
        make_good(&base, &table);
        snprintf(path, sizeof path, "%s/0000000000000001.brd", base.folder);
        CHECK(access(path, R_OK) == 0);
        if (how == 0) remove(path);
        else if (truncate(path, how == 1 ? 0 : 700) != 0) exit(1);
        expect_corrupt(&base, "segment", "0000000000000001.brd");
        end_good(&base, &table);
    }
}

static uint32_t flip_bytes(const char *path, uint64_t *random, int count)
{
    FILE *file = fopen(path, "r+");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    for (int i = 0; i < count; i++) {
        long at = (long)(test_random(random) % (uint64_t)size);
        fseek(file, at, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ (1 << test_random(random) % 8), file);
    }
    fclose(file);
    return (uint32_t)size;
}

// Whatever is read in spite of the damage must be what was written.
static void open_damaged(fixture *base, const model *table, bool must_differ)
{
    br_error err;
    br_store *store = NULL;
    br_status status = br_store_open(&base->config, &store, &err);
    if (status == BR_OK) {
        br_snapshot *snapshot = br_snapshot_acquire(store);
        const br_table_view *view = br_snapshot_find(snapshot, "t");
        if (view != NULL) status = br_table_view_verify(view, &err);
        if (status == BR_OK && must_differ) CHECK_INT(model_differences(table, view, true), 0);
        br_snapshot_drop(snapshot);
    }
    CHECK(status == BR_OK || err.message[0] != 0);
    br_store_close(store);
}

static void test_catalog_flipped_bits_are_noticed_or_harmless(void)
{
    uint64_t random = seed_given;
    for (int i = 0; i < 120; i++) {
        fixture base;
        model table;
        char path[128];
        make_good(&base, &table);
        bool is_segment = i % 2 == 0;
        const char *name = is_segment ? "0000000000000002.brd" : "catalog.db";
        snprintf(path, sizeof path, "%s/%s", base.folder, name);
        flip_bytes(path, &random, 1 + i % 3);
        open_damaged(&base, &table, is_segment);
        end_good(&base, &table);
    }
}

static void test_catalog_read_only_needs_no_folder(void)
{
    fixture base;
    fixture_init(&base);
    rmdir(base.folder);
    base.config.read_only = true;
    fixture_open(&base);
    CHECK_INT(br_store_table_count(base.store), 0);
    fixture_close(&base);
    CHECK(access(base.folder, F_OK) != 0);
    base.config.read_only = false;
    fixture_open(&base);
    fixture_release(&base);
}

static void test_catalog_read_only_overlays_in_memory(void)
{
    fixture base;
    model table;
    br_error err;
    br_apply *apply;
    br_load *load;
    br_watermark watermark = {.seq = 9};
    make_good(&base, &table);
    base.config.read_only = true;
    fixture_open(&base);
    MUST(br_apply_begin(base.store, &apply, &err), err);
    CHECK_INT(br_load_begin(apply, 1, &load, &err), BR_READONLY);
    MUST(br_apply_delete_above(apply, 1, 100, &err), err);
    for (int64_t key = 101; key < 4000; key++) table.seeds[key] = 0;
    MUST(model_append(apply, &table, 200, 200, &err), err);
    MUST(br_apply_publish(apply, &watermark, &err), err);
    br_snapshot *snapshot = br_snapshot_acquire(base.store);
    CHECK_INT(model_differences(&table, br_snapshot_find(snapshot, "t"), false), 0);
    br_snapshot_drop(snapshot);
    bool did_work;
    CHECK_INT(br_store_compact(base.store, &did_work, &err), BR_READONLY);
    end_good(&base, &table);
}

// A folder as a crash leaves it: the last checkpoint is only in the WAL of the catalog.
static void test_catalog_after_a_crash_can_be_read_and_written(void)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        fixture base, crashed;
        model table;
        br_error err;
        char command[300];
        make_good(&base, &table);
        fixture_open(&base);
        MUST(br_store_checkpoint(base.store, (const uint8_t[16]){8}, &err), err);
        fixture_init(&crashed);
        snprintf(command, sizeof command, "cp %s/* %s", base.folder, crashed.folder);
        if (system(command) != 0) exit(1);
        crashed.config.read_only = read_only != 0;
        fixture_open(&crashed);
        CHECK_INT(br_store_watermark(crashed.store).checkpoint_id[0], 8);
        br_snapshot *snapshot = br_snapshot_acquire(crashed.store);
        CHECK_INT(model_differences(&table, br_snapshot_find(snapshot, "t"), false), 0);
        br_snapshot_drop(snapshot);
        fixture_release(&crashed);
        end_good(&base, &table);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_catalog_hostile_values_are_refused);
    RUN(test_catalog_that_is_no_database_is_refused);
    RUN(test_catalog_missing_or_short_segments_are_refused);
    RUN(test_catalog_flipped_bits_are_noticed_or_harmless);
    RUN(test_catalog_after_a_crash_can_be_read_and_written);
    RUN(test_catalog_read_only_needs_no_folder);
    RUN(test_catalog_read_only_overlays_in_memory);
    return test_result();
}
