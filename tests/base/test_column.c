// test_column.c - appending, slicing, quotas, and a reader beside the writer.
// SPDX-License-Identifier: Apache-2.0
#include "base/column.h"

#include <pthread.h>

#include "tests/test.h"

static uint64_t seed = 1;
static br_error err;

static br_value random_value(uint64_t *random, unsigned mask, char *bytes)
{
    for (;;) {
        unsigned class_ = (unsigned)(test_random(random) % 5);
        if ((mask >> class_ & 1) == 0) continue;
        uint32_t size = (uint32_t)(test_random(random) % 20);
        for (uint32_t i = 0; i < size; i++) bytes[i] = (char)test_random(random);
        switch (class_) {
        case BR_NULL: return br_value_null();
        case BR_INT: return br_value_int((int64_t)test_random(random));
        case BR_REAL: return br_value_real((double)(int64_t)test_random(random) / 3);
        case BR_TEXT: return br_value_text(br_text_make(bytes, size));
        default: return br_value_blob(br_text_make(bytes, size));
        }
    }
}

static bool same(br_value left, br_value right)
{
    return left.class_ == right.class_ &&
           br_value_compare(&left, &right, BR_COLLATION_BINARY) == 0;
}

static void check_slice(const br_column *column, uint32_t first, uint32_t count, br_class class_)
{
    br_arena *arena = br_arena_new(NULL);
    br_vector slice;
    MUST(br_column_slice(column, first, count, class_, arena, &slice, &err), err);
    CHECK_INT(slice.class_, class_);
    for (uint32_t i = 0; i < count; i++)
        CHECK(same(br_vector_value(&slice, i, arena), br_column_value(column, first + i)));
    br_arena_free(arena);
}

static void test_column_keeps_values_of_every_class_mix(void)
{
    uint64_t random = seed;
    br_column column;
    MUST(br_column_init(&column, NULL, &err), err);
    for (unsigned mask = 1; mask < 32; mask++) {
        br_column_reset(&column);
        br_value values[300];
        char bytes[300][20];
        uint64_t text_bytes = 0;
        unsigned seen = 0;
        for (int i = 0; i < 300; i++) {
            values[i] = random_value(&random, mask, bytes[i]);
            seen |= 1u << values[i].class_;
            if (values[i].class_ >= BR_TEXT) text_bytes += values[i].text.size;
            MUST(br_column_append(&column, &values[i], &err), err);
        }
        CHECK_INT(column.row_count, 300);
        CHECK_INT(column.class_mask, seen);
        CHECK_INT(column.text_bytes, text_bytes);
        for (uint32_t i = 0; i < 300; i++) CHECK(same(br_column_value(&column, i), values[i]));
        check_slice(&column, 0, 300, br_class_of_mask(seen));
        check_slice(&column, 77, 130, br_class_of_mask(seen));
        check_slice(&column, 5, 100, BR_ANY);
        check_slice(&column, 300, 0, BR_ANY);
    }
    br_column_release(&column);
}

static void test_column_slice_of_integers_copies_nothing(void)
{
    br_column column;
    br_vector slice;
    MUST(br_column_init(&column, NULL, &err), err);
    for (int i = 0; i < 100; i++) {
        br_value value = br_value_int(i);
        MUST(br_column_append(&column, &value, &err), err);
    }
    br_arena *arena = br_arena_new(NULL);
    MUST(br_column_slice(&column, 10, 50, BR_INT, arena, &slice, &err), err);
    CHECK(slice.data == column.payloads + 10);
    CHECK(slice.validity == NULL);
    CHECK_INT(br_arena_bytes(arena), 0);
    br_arena_free(arena);
    br_column_release(&column);
}

static void test_column_is_full_at_a_chunk(void)
{
    br_column column;
    br_value value = br_value_int(1);
    MUST(br_column_init(&column, NULL, &err), err);
    for (int i = 0; i < BR_CHUNK_ROWS; i++) MUST(br_column_append(&column, &value, &err), err);
    CHECK_INT(br_column_append(&column, &value, &err), BR_INTERNAL);
    CHECK_INT(column.row_count, BR_CHUNK_ROWS);
    br_column_release(&column);
    br_column_release(&column);  // a zeroed one
}

static void test_column_charges_the_quota_as_it_grows(void)
{
    br_quota quota;
    br_quota_init(&quota, 200000, NULL);
    br_column column;
    br_value value = br_value_int(1);
    MUST(br_column_init(&column, &quota, &err), err);
    CHECK_INT(quota.used_bytes, 0);
    br_status status = BR_OK;
    while (status == BR_OK) status = br_column_append(&column, &value, &err);
    CHECK_INT(status, BR_NOMEM);
    CHECK(column.row_count > 8000 && column.row_count < 16000);
    uint32_t rows = column.row_count;
    char big[100000] = {0};
    br_column_reset(&column);
    CHECK(quota.used_bytes > 100000);
    br_value text = br_value_text(br_text_make(big, sizeof big));
    CHECK_INT(br_column_append(&column, &text, &err), BR_NOMEM);
    CHECK_INT(column.row_count, 0);
    for (uint32_t i = 0; i < rows; i++) MUST(br_column_append(&column, &value, &err), err);
    br_column_release(&column);
    CHECK_INT(quota.used_bytes, 0);
}

typedef struct shared_column {
    br_column column;
    _Atomic uint32_t published;
} shared_column;

static br_value value_of_row(uint32_t row, char *bytes)
{
    if (row % 5 == 0) return br_value_null();
    if (row % 2 == 0) return br_value_int(row);
    snprintf(bytes, 16, "row %u", row);
    return br_value_text(br_text_make(bytes, (uint32_t)strlen(bytes)));
}

static void *write_rows(void *argument)
{
    shared_column *shared = argument;
    char bytes[16];
    br_error error;
    for (uint32_t row = 0; row < 20000; row++) {
        br_value value = value_of_row(row, bytes);
        MUST(br_column_append(&shared->column, &value, &error), error);
        atomic_store_explicit(&shared->published, row + 1, memory_order_release);
    }
    return NULL;
}

// Every row below the published count is complete; TSan watches the rest.
static void test_column_readers_beside_the_writer(void)
{
    static shared_column shared;
    MUST(br_column_init(&shared.column, NULL, &err), err);
    pthread_t writer;
    pthread_create(&writer, NULL, write_rows, &shared);
    br_arena *arena = br_arena_new(NULL);
    uint32_t rows = 0;
    while (rows < 20000) {
        br_vector slice;
        rows = atomic_load_explicit(&shared.published, memory_order_acquire);
        uint32_t first = rows > 300 ? rows - 300 : 0;
        br_arena_reset(arena);
        MUST(br_column_slice(&shared.column, first, rows - first, BR_ANY, arena, &slice, &err),
             err);
        for (uint32_t row = first; row < rows; row++) {
            char bytes[16];
            if (!same(slice.any[row - first], value_of_row(row, bytes))) CHECK_INT(row, -1);
        }
    }
    pthread_join(writer, NULL);
    br_arena_free(arena);
    br_column_release(&shared.column);
}

int main(int count, char **arguments)
{
    if (count > 1) seed = strtoull(arguments[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_column_keeps_values_of_every_class_mix);
    RUN(test_column_slice_of_integers_copies_nothing);
    RUN(test_column_is_full_at_a_chunk);
    RUN(test_column_charges_the_quota_as_it_grows);
    RUN(test_column_readers_beside_the_writer);
    return test_result();
}
