// test_delta.c - appending, finding by key and taking back.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "columnar/delta.h"
#include "columnar/segment_build.h"
#include "tests/test.h"

enum { KEYS = 5000 };

static uint64_t seed_given = 11;

static br_status append(br_delta *delta, int64_t key, br_error *err)
{
    char text[32];
    int size = snprintf(text, sizeof text, "row %" PRId64, key);
    br_value values[] = {br_value_int(key * 2), br_value_text(br_text_make(text, (uint32_t)size))};
    return br_delta_append(delta, key, values, err);
}

static void check_find(br_delta *delta, int64_t key, int64_t row_wanted)
{
    br_error err;
    uint32_t row = 0;
    bool is_found = false;
    MUST(br_delta_find(delta, key, &row, &is_found, &err), err);
    CHECK_INT(is_found, row_wanted >= 0);
    if (is_found) CHECK_INT(row, row_wanted);
}

static void test_delta_finds_the_last_row_of_a_key(void)
{
    br_error err;
    br_delta *delta;
    uint64_t random = seed_given;
    static int64_t last[KEYS];
    br_quota quota;
    br_quota_init(&quota, SIZE_MAX, NULL);
    MUST(br_delta_new(3, &quota, &delta, &err), err);
    for (int i = 0; i < KEYS; i++) last[i] = -1;
    check_find(delta, 5, -1);
    for (int64_t row = 0; row < 3 * BR_CHUNK_ROWS / 2; row++) {
        int64_t key = row < 1000 ? row * 2 : (int64_t)(test_random(&random) % KEYS);
        MUST(append(delta, key, &err), err);
        last[key] = row;
        if (row == 999) CHECK(delta->is_ascending);
        int64_t probe = (int64_t)(test_random(&random) % KEYS);
        if (row % 16 == 0) check_find(delta, probe, last[probe]);
    }
    CHECK(!delta->is_ascending);
    for (int64_t key = 0; key < KEYS; key++) check_find(delta, key, last[key]);
    check_find(delta, KEYS, -1);
    check_find(delta, INT64_MIN, -1);
    br_delta_drop(delta);
    CHECK_INT(quota.used_bytes, 0);
}

static void test_delta_truncated_is_as_before(void)
{
    br_error err;
    br_delta *delta;
    br_zone_stats stats[3];
    MUST(br_delta_new(3, NULL, &delta, &err), err);
    const uint32_t kept = BR_CHUNK_ROWS - 5;
    for (uint32_t row = 0; row < kept; row++) MUST(append(delta, row, &err), err);
    memcpy(stats, delta->stats, sizeof stats);
    uint64_t bytes = br_delta_column_bytes(delta, 1, kept);
    for (int round = 0; round < 3; round++) {
        for (int64_t key = 0; key < 10; key++) MUST(append(delta, 1000000 - key, &err), err);
        check_find(delta, 999999, kept + 1);
        check_find(delta, 7, 7);
        br_delta_truncate(delta, kept, stats);
        check_find(delta, 999999, -1);
        check_find(delta, kept - 1, kept - 1);
        CHECK_INT(memcmp(delta->stats, stats, sizeof stats), 0);
        CHECK_INT(br_delta_column_bytes(delta, 1, kept), bytes);
        CHECK_INT(br_delta_column(delta, 0, 1)->text_bytes, bytes);
        CHECK_INT(br_delta_column(delta, 1, 1)->row_count, 0);
    }
    br_delta_drop(delta);
}

static void test_delta_without_memory_keeps_its_rows(void)
{
    br_error err;
    br_delta *delta;
    br_quota quota;
    br_quota_init(&quota, 300000, NULL);
    MUST(br_delta_new(3, &quota, &delta, &err), err);
    uint32_t rows = 0;
    while (append(delta, rows, &err) == BR_OK) rows++;
    CHECK(rows > 100 && rows < BR_CHUNK_ROWS);
    CHECK_INT(delta->row_count, rows);
    for (uint32_t c = 0; c < 3; c++) CHECK_INT(br_delta_column(delta, 0, c)->row_count, rows);
    check_find(delta, rows - 1, rows - 1);
    check_find(delta, rows, -1);
    br_delta_drop(delta);
    CHECK_INT(quota.used_bytes, 0);
}

static void test_key_rows_sort_any_runs(void)
{
    uint64_t random = seed_given;
    for (size_t count = 0; count < 3000; count = count * 2 + 1) {
        for (int runs = 1; runs < 50; runs *= 7) {
            br_key_row *rows = br_heap_array(count * 2, sizeof *rows);
            int64_t sum = 0;
            for (size_t i = 0; i < count; i++) {
                rows[i].key = runs == 1 ? (int64_t)i : (int64_t)(test_random(&random) >> 60);
                if (i % (size_t)runs != 0) rows[i].key += rows[i - 1].key;
                rows[i].row = (uint32_t)rows[i].key;
                sum += rows[i].key;
            }
            br_key_rows_sort(rows, rows + count, count);
            for (size_t i = 0; i < count; i++) {
                if (i > 0) CHECK(rows[i - 1].key <= rows[i].key);
                CHECK_INT(rows[i].row, (uint32_t)rows[i].key);
                sum -= rows[i].key;
            }
            CHECK_INT(sum, 0);
            br_heap_free(rows);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_delta_finds_the_last_row_of_a_key);
    RUN(test_delta_truncated_is_as_before);
    RUN(test_delta_without_memory_keeps_its_rows);
    RUN(test_key_rows_sort_any_runs);
    return test_result();
}
