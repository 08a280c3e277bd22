// Several captures of one file, as several processes have them: memory of followers, whose role it
// is to maintain, and what each sees.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cdc/fixture.h"

static void fill(fixture *f)
{
    fixture_exec(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                    "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 2000)"
                    " INSERT INTO t SELECT i, 'row ' || i FROM r");
}

static br_cdc *open_with_quota(fixture *f, br_quota *quota)
{
    br_cdc *cdc = NULL;
    br_cdc_config config = fixture_config(f);
    config.store.quota = quota;
    config.store.page_cache_bytes = quota->limit_bytes / 4;
    MUST(br_cdc_open(&config, &cdc, &f->err), f->err);
    return cdc;
}

// Rows that are updated again and again leave dead ones behind, which only a checkpoint takes away.
static void test_memory_of_a_follower_is_bounded(void)
{
    fixture f;
    br_quota quota;
    fixture_init(&f);
    fill(&f);
    br_quota_init(&quota, 8 << 20, NULL);
    f.cdc = fixture_open_cdc(&f);
    br_cdc *follower = open_with_quota(&f, &quota);
    for (int i = 0; i < 300; i++) {
        fixture_exec(&f, "UPDATE t SET a = a || '.' WHERE id <= 1000 AND id % 2 = 0;"
                         "UPDATE t SET a = substr(a, 1, 10) WHERE id <= 1000 AND id % 2 = 1");
        MUST(br_cdc_sync(follower, &f.err), f.err);
        if (i % 50 == 49) {  // with a newer copy in the folder, and without
            MUST(br_cdc_sync(f.cdc, &f.err), f.err);
            MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
        }
    }
    CHECK(!br_cdc_get_status(follower).is_maintainer);
    CHECK(is_same_copy(follower));
    CHECK(is_same_copy(f.cdc));
    br_cdc_close(follower);
    CHECK(quota.used_bytes == 0);
    fixture_release(&f);
}

// ---- the thread ------------------------------------------------------------------------------

static bool soon(fixture *f, bool (*is_so)(fixture *f))
{
    for (int i = 0; i < 3000 && !is_so(f); i++) br_sleep_ms(10);
    return is_so(f);
}

static bool has_no_lag(fixture *f)
{
    uint64_t changes = 1;
    return br_cdc_measure_lag(f->cdc, &changes, &f->err) == BR_OK && changes == 0;
}

static void test_background_keeps_the_copy_fresh(void)
{
    fixture f;
    uint64_t changes;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    fixture_exec(&f, "INSERT INTO t(a) VALUES(1), (2), (3); UPDATE t SET a = 0 WHERE id < 6");
    MUST(br_cdc_measure_lag(f.cdc, &changes, &f.err), f.err);
    CHECK_INT(changes, 8);
    CHECK_INT(br_cdc_background_start(f.cdc, 0, &f.err), BR_MISUSE);
    MUST(br_cdc_background_start(f.cdc, 5, &f.err), f.err);
    MUST(br_cdc_background_start(f.cdc, 2, &f.err), f.err);
    CHECK(soon(&f, has_no_lag));
    CHECK_INT(copy_rows(f.cdc, "t"), 2003);
    fixture_exec(&f, "DELETE FROM t WHERE id > 2000; ALTER TABLE t ADD COLUMN b DEFAULT 7");
    CHECK(soon(&f, has_no_lag));
    CHECK_INT(copy_rows(f.cdc, "t"), 2000);
    br_background_status status = br_cdc_background_status(f.cdc);
    CHECK(status.is_running && status.interval_ms == 2 && status.backoff_ms == 0);
    br_cdc_background_stop(f.cdc);
    br_cdc_background_stop(f.cdc);
    CHECK(!br_cdc_background_status(f.cdc).is_running);
    MUST(br_cdc_background_start(f.cdc, 1000000, &f.err), f.err);  // ends while it waits
    fixture_release(&f);
}

static bool is_backing_off(fixture *f)
{
    br_background_status status = br_cdc_background_status(f->cdc);
    return status.failure_count >= 3 && status.backoff_ms >= 80;
}

static bool has_recovered(fixture *f)
{
    br_background_status status = br_cdc_background_status(f->cdc);
    return status.failure_count == 0 && status.backoff_ms == 0 && status.message[0] != 0;
}

static void test_background_backs_off_and_recovers(void)
{
    fixture f;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    f.quota.limit_bytes = 0;
    MUST(br_cdc_background_start(f.cdc, 1, &f.err), f.err);
    fixture_exec(&f, "UPDATE t SET a = 'x'");
    CHECK(soon(&f, is_backing_off));
    f.quota.limit_bytes = SIZE_MAX;
    CHECK(soon(&f, has_recovered));
    CHECK(soon(&f, has_no_lag));
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

// Nothing of what we write into the file keeps the lock for long, pruning above all.
static void test_write_lock_is_held_for_moments(void)
{
    fixture f;
    fixture_init(&f);
    fixture_exec(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                     "WITH r(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM r LIMIT 60000)"
                     " INSERT INTO t SELECT i, i FROM r");
    f.cdc = fixture_open_cdc(&f);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    for (int i = 0; i < 3; i++) {
        fixture_exec(&f, "UPDATE t SET a = a + 1");
        MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    }
    br_cdc_status before = br_cdc_get_status(f.cdc);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    br_cdc_status after = br_cdc_get_status(f.cdc);
    CHECK_INT(fixture_int(&f, "SELECT count(*) FROM _braid_log"), 1);
    uint64_t holds = after.hold_count - before.hold_count;
    uint64_t long_holds = after.long_hold_count - before.long_hold_count;
    printf("%" PRIu64 " times, %" PRIu64 " of them for over 2 ms, %.3f ms at most\n", holds,
           long_holds, (double)after.hold_ns_max / 1e6);
    CHECK(holds > 20);
    CHECK(long_holds * 2 <= holds);  // a busy machine takes the processor away from us
    fixture_release(&f);
}

// ---- marks -----------------------------------------------------------------------------------

static void test_marks_are_beyond_what_was_committed(void)
{
    fixture f;
    uint64_t first, second;
    fixture_init(&f);
    fill(&f);
    f.cdc = fixture_open_cdc(&f);
    MUST(br_cdc_mark(f.cdc, &first, &f.err), f.err);
    fixture_exec(&f, "INSERT INTO t(a) VALUES(1)");  // needs no record
    MUST(br_cdc_mark(f.cdc, &second, &f.err), f.err);
    CHECK_INT(second, first + 1);
    CHECK(br_cdc_get_status(f.cdc).seq < first);
    MUST(br_cdc_sync(f.cdc, &f.err), f.err);
    CHECK_INT(br_cdc_get_status(f.cdc).seq, second);
    MUST(br_cdc_checkpoint(f.cdc, &f.err), f.err);
    MUST(br_cdc_mark(f.cdc, &first, &f.err), f.err);
    CHECK_INT(first, second + 1);  // pruning takes no number back
    // From any program, in the transaction in question.
    int64_t third = fixture_int(&f, "INSERT INTO _braid_log(table_id) VALUES(0) RETURNING seq");
    CHECK_INT(third, first + 1);
    CHECK(is_same_copy(f.cdc));
    fixture_release(&f);
}

int main(void)
{
    RUN(test_background_keeps_the_copy_fresh);
    RUN(test_background_backs_off_and_recovers);
    RUN(test_write_lock_is_held_for_moments);
    RUN(test_marks_are_beyond_what_was_committed);
    RUN(test_memory_of_a_follower_is_bounded);
    return test_result();
}
