// What a copy may be continued from: reopening, crashes, restored backups, followers, damage.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cdc/fixture.h"

#include <unistd.h>

static void copy_file(const char *from, const char *to)
{
    char command[400];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    if (system(command) != 0) exit(1);
}

static void must_check(fixture *f)
{
    CHECK(is_same_copy(f->cdc));
}

static void fill(fixture *f)
{
    fixture_exec(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE u(x);"
                    "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 2000)"
                    " INSERT INTO t SELECT i, 'row ' || i FROM r; INSERT INTO u VALUES(1), (2)");
}

static void test_reopening_reads_only_what_is_new(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    CHECK_INT(rows_read(f.cdc), 2002);
    fixture_reopen(&f);
    CHECK_INT(rows_read(f.cdc), 0);
    br_cdc_close(f.cdc);
    f.cdc = NULL;
    fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id IN (7, 8, 100); DELETE FROM t WHERE id = 9;"
                     "INSERT INTO t VALUES(3000, 'new'); INSERT INTO u VALUES(3)");
    f.cdc = fixture_open_cdc(&f);
    CHECK_INT(rows_read(f.cdc), 5);
    must_check(&f);
    fixture_release(&f);
}

// Copies both sides as they are on disk without closing: what a crash leaves.
static void crash(fixture *f, fixture *survivor)
{
    char command[600];
    fixture_init(survivor);
    br_oltp_close(survivor->app);
    snprintf(command, sizeof command, "cp -r %s/. %s && rm -f %s/app.db-shm", f->folder,
             survivor->folder, survivor->folder);
    if (system(command) != 0) exit(1);
    survivor->app = fixture_connect(survivor);
}

static void test_crash_loses_only_what_was_not_durable(void)
{
    fixture f, survivor;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id < 5; INSERT INTO t VALUES(5000, 1)");
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    fixture_exec(&f, "UPDATE t SET a = 'y' WHERE id > 4 AND id < 8; DELETE FROM t WHERE id = 5000");
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    crash(&f, &survivor);
    survivor.cdc = fixture_open_cdc(&survivor);
    CHECK(rows_read(survivor.cdc) < 20);
    must_check(&survivor);
    CHECK_INT(copy_rows(survivor.cdc, "t"), 2000);
    fixture_release(&survivor);
    fixture_release(&f);
}

// A checkpoint that dies after each of its steps.
typedef struct dying {
    int calls, limit;
} dying;

static int die(void *context, const char *operation, const char *path)
{
    dying *d = context;
    (void)operation;
    (void)path;
    return ++d->calls > d->limit ? 5 : 0;  // EIO
}

static void test_checkpoints_that_fail_anywhere_do_no_harm(void)
{
    for (int limit = 0; limit < 14; limit++) {
        fixture f, survivor;
        dying d = {.limit = INT32_MAX};
        br_file_hook hook = {.before = die, .context = &d};
        fixture_init(&f);
        fill(&f);
        br_cdc_config config = fixture_config(&f);
        config.store.hook = &hook;
        MUST(br_cdc_open(&config, &f.cdc, &f.err), f.err);
        MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
        fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id < 500; INSERT INTO t VALUES(5000, 1)");
        MUST(br_cdc_sync(f.cdc, &f.err), f.err);
        d = (dying){.limit = limit};
        br_status status = br_cdc_checkpoint(f.cdc, &f.err);
        if (limit == 0) CHECK_INT(status, BR_IO);
        crash(&f, &survivor);
        survivor.cdc = fixture_open_cdc(&survivor);
        must_check(&survivor);
        fixture_exec(&survivor, "UPDATE t SET a = 'z' WHERE id > 1990");
        must_check(&survivor);
        fixture_release(&survivor);
        d.limit = INT32_MAX;
        fixture_exec(&f, "UPDATE t SET a = 'w' WHERE id > 1990");
        must_check(&f);
        fixture_reopen(&f);
        must_check(&f);
        fixture_release(&f);
    }
}

// Whatever the folder refuses, the database opens and its copy, in memory then, is right.
static void test_opening_copes_with_a_folder_that_fails(void)
{
    for (int limit = 0; limit < 24; limit++) {
        fixture f;
        dying d = {.limit = limit};
        br_file_hook hook = {.before = die, .context = &d};
        fixture_init(&f);
        fill(&f);
        if (limit % 2 == 1) {
            f.cdc = fixture_open_cdc(&f);
            br_cdc_close(f.cdc);
            f.cdc = NULL;
        }
        br_cdc_config config = fixture_config(&f);
        config.store.hook = &hook;
        MUST(br_cdc_open(&config, &f.cdc, &f.err), f.err);
        d.limit = INT32_MAX;
        must_check(&f);
        fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id < 50; INSERT INTO t VALUES(5000, 1)");
        must_check(&f);
        fixture_reopen(&f);
        must_check(&f);
        fixture_release(&f);
    }
}

static void test_memory_used_up_is_reported(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.quota.limit_bytes = 100000;
    br_cdc_config config = fixture_config(&f);
    CHECK_INT(br_cdc_open(&config, &f.cdc, &f.err), BR_NOMEM);
    CHECK(f.cdc == NULL);
    f.quota.limit_bytes = SIZE_MAX;
    f.cdc = fixture_open_cdc(&f);
    f.quota.limit_bytes = 0;
    fixture_exec(&f, "UPDATE t SET a = 'x'");
    CHECK_INT(br_cdc_sync(f.cdc, &f.err), BR_NOMEM);
    CHECK_INT(copy_rows(f.cdc, "t"), 2000);
    f.quota.limit_bytes = SIZE_MAX;
    must_check(&f);
    fixture_release(&f);
}

static void test_restored_backup_is_read_again(void)
{
    fixture f;
    char backup[120];
    fixture_init(&f);
    fill(&f);
    snprintf(backup, sizeof backup, "%s/backup.db", f.folder);
    f.cdc = fixture_open_cdc(&f);
    br_cdc_close(f.cdc);
    fixture_exec(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
    copy_file(f.path, backup);
    f.cdc = fixture_open_cdc(&f);
    fixture_exec(&f, "UPDATE t SET a = 'after the backup' WHERE id = 1");
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    br_cdc_close(f.cdc);
    br_oltp_close(f.app);
    copy_file(backup, f.path);
    f.app = fixture_connect(&f);
    // The same number of changes as the copy has seen, but other ones.
    fixture_exec(&f, "UPDATE t SET a = 'another history' WHERE id = 2");
    f.cdc = fixture_open_cdc(&f);
    must_check(&f);
    fixture_release(&f);
}

static void test_other_file_is_read_again(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    br_cdc_close(f.cdc);
    br_oltp_close(f.app);
    if (unlink(f.path) != 0) exit(1);
    f.app = fixture_connect(&f);
    fixture_exec(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1, 'other')");
    f.cdc = fixture_open_cdc(&f);
    must_check(&f);
    CHECK_INT(copy_rows(f.cdc, "u"), -1);
    fixture_release(&f);
}

static void test_dump_and_reload_keeps_the_copy_right(void)
{
    fixture f;
    char command[400];
    fixture_init(&f);
    fill(&f);
    fixture_exec(&f, "DELETE FROM u WHERE x = 1");
    f.cdc = fixture_open_cdc(&f);
    br_cdc_close(f.cdc);
    f.cdc = NULL;
    br_oltp_close(f.app);
    snprintf(command, sizeof command,
             "cd %s && sqlite3 app.db .dump > d && rm app.db* -f 2>&- ;"
             "sqlite3 app.db < d",
             f.folder);
    int code = system(command);
    f.app = fixture_connect(&f);
    if (code == 0) {
        f.cdc = fixture_open_cdc(&f);
        must_check(&f);
    }
    fixture_release(&f);
}

static void test_backup_written_over_an_open_file(void)
{
    fixture f;
    char command[400];
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    fixture_exec(&f, "UPDATE t SET a = 1 WHERE id < 10");
    must_check(&f);
    snprintf(command, sizeof command, "sqlite3 %s '.backup %s/b.db'", f.path, f.folder);
    int code = system(command);
    fixture_exec(&f, "UPDATE t SET a = 2 WHERE id < 20; INSERT INTO t VALUES(4000, 4)");
    must_check(&f);
    snprintf(command, sizeof command, "sqlite3 %s '.restore %s/b.db'", f.path, f.folder);
    if (code == 0 && system(command) == 0) {
        must_check(&f);
        CHECK_INT(copy_rows(f.cdc, "t"), 2000);
        fixture_exec(&f, "UPDATE t SET a = 3 WHERE id < 40");
        must_check(&f);
    }
    // The log grows past what has been read before anybody looks.
    if (code == 0 && system(command) == 0) {
        fixture_exec(&f, "UPDATE t SET a = 4 WHERE id BETWEEN 100 AND 200");
        must_check(&f);
    }
    fixture_release(&f);
}

static void damage(const char *folder, const char *suffix)
{
    char command[400];
    snprintf(command, sizeof command,
             "for f in %s/*%s; do printf 'damaged' | dd of=$f bs=1 seek=40 conv=notrunc"
             " 2>/dev/null; done",
             folder, suffix);
    if (system(command) != 0) exit(1);
}

static void test_damaged_folder_is_rebuilt(void)
{
    static const char *const suffixes[] = {"catalog.db", "", "lock"};
    for (int i = 0; i < 3; i++) {
        fixture f;
        fixture_init(&f);
        fill(&f);
        f.cdc = fixture_open_cdc(&f);
        br_cdc_close(f.cdc);
        damage(f.store, suffixes[i]);
        f.cdc = fixture_open_cdc(&f);
        must_check(&f);
        CHECK_INT(br_cdc_get_status(f.cdc).is_maintainer, true);
        fixture_exec(&f, "UPDATE t SET a = 1; DELETE FROM t WHERE id = 5");
        must_check(&f);
        fixture_release(&f);
    }
}

static void test_missing_folder_is_rebuilt(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    br_cdc_close(f.cdc);
    MUST(br_folder_remove(f.store, &f.err), f.err);
    fixture_exec(&f, "DELETE FROM t WHERE id = 5");
    f.cdc = fixture_open_cdc(&f);
    must_check(&f);
    fixture_release(&f);
}

static void test_follower_sees_the_same(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    br_cdc *follower = fixture_open_cdc(&f);
    CHECK(br_cdc_get_status(f.cdc).is_maintainer);
    CHECK(!br_cdc_get_status(follower).is_maintainer);
    CHECK_INT(rows_read(follower), 0);
    CHECK(is_same_copy(follower));
    fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id < 5; INSERT INTO t VALUES(5000, 1)");
    CHECK(is_same_copy(follower));
    must_check(&f);
    fixture_exec(&f, "DELETE FROM t WHERE id = 5000; UPDATE t SET a = 'q' WHERE id = 7;"
                     "CREATE TABLE later(a); INSERT INTO later VALUES(1)");
    CHECK(is_same_copy(follower));
    must_check(&f);
    fixture_exec(&f, "INSERT INTO later VALUES(2); DROP TABLE u; VACUUM");
    must_check(&f);
    CHECK(is_same_copy(follower));
    // The maintainer prunes what the follower has not read yet.
    for (int i = 0; i < 3; i++) {
        fixture_exec(&f, "UPDATE t SET a = a || '.' WHERE id % 50 = 0; DELETE FROM t WHERE id = 77;"
                         "INSERT INTO t(a) VALUES('tail')");
        MUST(br_cdc_sync(f.cdc, &f.err), f.err);
        MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    }
    CHECK(is_same_copy(follower));
    must_check(&f);
    br_cdc_close(follower);
    fixture_release(&f);
}

static void test_follower_takes_over(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    br_cdc *follower = fixture_open_cdc(&f);
    br_snapshot *held;
    const br_schema_ref *schema;
    br_cdc_snapshot(follower, &held, &schema);
    br_cdc_close(f.cdc);
    f.cdc = follower;
    br_sleep_ms(300);
    fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id < 5; INSERT INTO t VALUES(5000, 1)");
    must_check(&f);
    fixture_exec(&f, "UPDATE t SET a = 'y' WHERE id < 5");
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    CHECK(br_cdc_get_status(f.cdc).is_maintainer);
    CHECK_INT(br_table_view_rows(br_snapshot_find(held, "t")), 2000);
    br_snapshot_drop(held);
    br_cdc_schema_drop(schema);
    must_check(&f);
    fixture_reopen(&f);
    CHECK_INT(rows_read(f.cdc), 0);
    must_check(&f);
    fixture_release(&f);
}

static void test_read_only_files_are_mirrored(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    br_cdc_config config = fixture_config(&f);
    config.read_only = true;
    MUST(br_cdc_open(&config, &f.cdc, &f.err), f.err);
    CHECK(!br_file_exists(f.store));
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM sqlite_master WHERE name LIKE '%braid%'"), 0);
    must_check(&f);
    fixture_exec(&f, "UPDATE t SET a = 'x' WHERE id = 5; DELETE FROM u; ALTER TABLE u ADD y");
    must_check(&f);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    bool did_work;
    MUST(br_cdc_compact(f.cdc, &did_work, &f.err), f.err);
    CHECK(!did_work);
    // Somebody else begins to capture: from then on changes are followed.
    br_cdc *maintainer = fixture_open_cdc(&f);
    CHECK(is_same_copy(maintainer));
    must_check(&f);
    uint64_t before = rows_read(f.cdc);
    fixture_exec(&f, "UPDATE t SET a = 'y' WHERE id = 5");
    must_check(&f);
    CHECK_INT(rows_read(f.cdc) - before, 1);
    br_cdc_close(maintainer);
    fixture_release(&f);
}

static void test_locked_file_is_mirrored_without_triggers(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    fixture_exec(&f, "CREATE TABLE late(a); INSERT INTO late VALUES(1), (2)");
    br_oltp *writer = fixture_connect(&f);
    MUST(br_oltp_exec(writer, "BEGIN IMMEDIATE; UPDATE t SET a = 1", &f.err), f.err);
    must_check(&f);
    CHECK_INT(copy_rows(f.cdc, "late"), 2);
    MUST(br_oltp_exec(writer, "COMMIT", &f.err), f.err);
    must_check(&f);
    fixture_exec(&f, "UPDATE late SET a = 7");
    must_check(&f);
    CHECK(fixture_int(&f, "SELECT count(*) FROM _braid_log") > 0);
    br_oltp_close(writer);
    fixture_release(&f);
}

static void test_detach_removes_everything(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    CHECK_INT(br_cdc_detach(f.path, 100, &f.err), BR_BUSY);
    br_cdc_close(f.cdc);
    MUST(br_cdc_detach(f.path, 100, &f.err), f.err);
    CHECK(!br_file_exists(f.store));
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM sqlite_master WHERE name LIKE '%braid%'"), 0);
    f.cdc = fixture_open_cdc(&f);
    must_check(&f);
    fixture_release(&f);
}

static void test_open_reports_what_is_no_database(void)
{
    fixture f;
    br_cdc *cdc = NULL;
    fixture_init(&f);
    br_cdc_config config = fixture_config(&f);
    char path[120];
    snprintf(path, sizeof path, "%s/text", f.folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 500; i++) fputs("no database ", file);
    fclose(file);
    config.path = path;
    CHECK_INT(br_cdc_open(&config, &cdc, &f.err), BR_NOT_DATABASE);
    snprintf(path, sizeof path, "%s/none", f.folder);
    CHECK_INT(br_cdc_open(&config, &cdc, &f.err), BR_IO);
    CHECK(cdc == NULL);
    fixture_release(&f);
}

int main(void)
{
    RUN(test_reopening_reads_only_what_is_new);
    RUN(test_crash_loses_only_what_was_not_durable);
    RUN(test_checkpoints_that_fail_anywhere_do_no_harm);
    RUN(test_opening_copes_with_a_folder_that_fails);
    RUN(test_memory_used_up_is_reported);
    RUN(test_restored_backup_is_read_again);
    RUN(test_other_file_is_read_again);
    RUN(test_dump_and_reload_keeps_the_copy_right);
    RUN(test_backup_written_over_an_open_file);
    RUN(test_damaged_folder_is_rebuilt);
    RUN(test_missing_folder_is_rebuilt);
    RUN(test_follower_sees_the_same);
    RUN(test_follower_takes_over);
    RUN(test_read_only_files_are_mirrored);
    RUN(test_locked_file_is_mirrored_without_triggers);
    RUN(test_detach_removes_everything);
    RUN(test_open_reports_what_is_no_database);
    return test_result();
}
