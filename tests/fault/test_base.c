// test_base.c - base/ when memory runs out at any place.
// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"
#include "base/bytes.h"
#include "base/column.h"
#include "base/file.h"
#include "base/heap.h"
#include "base/io_ring.h"
#include "base/task_pool.h"
#include "tests/fault/support_allocation.h"
#include "tests/test.h"

// Runs `work` with the n-th allocation failing, for every n it reaches.
static void fail_each(br_status (*work)(br_error *err))
{
    uint64_t n = 1;
    for (;; n++) {
        br_error err = {.message = ""};
        fail_allocation(n, FAIL_ONCE);
        br_status status = work(&err);
        if (!allocation_has_failed()) {
            CHECK_INT(status, BR_OK);
            break;
        }
        if (status != BR_OK) {
            CHECK_INT(status, BR_NOMEM);
            CHECK_INT(err.status, BR_NOMEM);
            CHECK(err.message[0] != 0);
        }
    }
    fail_no_allocation();
    CHECK(n > 1);
}

static br_status fill_column(br_column *column, br_arena *arena, br_error *err)
{
    for (int i = 0; i < 5000; i++) {
        br_value value = i % 3 ? br_value_int(i) : br_value_text(br_text_make("some text", 9));
        BR_TRY(br_column_append(column, &value, err));
        CHECK_INT(column->row_count, i + 1);
    }
    br_vector slice, flat;
    BR_TRY(br_column_slice(column, 100, 200, BR_ANY, arena, &slice, err));
    return br_vector_to_any(&slice, 200, arena, &flat, err);
}

static br_status work_on_column(br_error *err)
{
    br_quota quota;
    br_quota_init(&quota, SIZE_MAX, NULL);
    br_column column = {0};
    br_arena *arena = br_arena_new(&quota);
    if (arena == NULL) return br_fail(err, BR_NOMEM, "arena");
    br_status status = br_column_init(&column, &quota, err);
    if (status == BR_OK) status = fill_column(&column, arena, err);
    br_column_release(&column);
    br_arena_free(arena);
    CHECK_INT(quota.used_bytes, 0);
    return status;
}

static void test_column_without_memory(void) { fail_each(work_on_column); }

static br_status do_nothing(void *context, uint32_t worker, uint32_t index, br_error *err)
{
    (void)context, (void)worker, (void)index, (void)err;
    return BR_OK;
}

static br_status work_on_pool(br_error *err)
{
    br_task_pool *pool = NULL;
    BR_TRY(br_task_pool_new(3, &pool, err));
    br_status status = br_task_pool_run(pool, 0, 10, do_nothing, NULL, err);
    br_task_pool_free(pool);
    return status;
}

static void test_task_pool_without_memory(void) { fail_each(work_on_pool); }

static br_status work_on_ring(br_error *err)
{
    br_file *file = NULL;
    br_io_ring *ring = NULL;
    char bytes[8], more[8];
    BR_TRY(br_file_open("/proc/self/exe", BR_FILE_READ, NULL, &file, err));
    br_status status = br_io_ring_new(BR_IO_AUTO, &ring, err);
    br_io_read reads[] = {{file, 0, bytes, 8}, {file, 8, more, 8}};
    if (status == BR_OK) status = br_io_ring_read(ring, reads, 2, err);
    if (status == BR_OK) CHECK(memcmp(bytes, "\177ELF", 4) == 0);
    br_io_ring_free(ring);
    br_file_close(file);
    return status;
}

static void test_io_ring_without_memory(void) { fail_each(work_on_ring); }

static br_status work_on_buffer(br_error *err)
{
    br_buffer buffer = {0};
    bool is_good = true;
    for (int i = 0; is_good && i < 1000; i++) {
        size_t before = buffer.size_bytes;
        is_good = br_buffer_format(&buffer, "%d,", i);
        if (!is_good) CHECK_INT(buffer.size_bytes, before);
    }
    br_buffer_release(&buffer);
    return is_good ? BR_OK : br_fail(err, BR_NOMEM, "buffer");
}

static void test_buffer_without_memory(void) { fail_each(work_on_buffer); }

int main(void)
{
    RUN(test_column_without_memory);
    RUN(test_task_pool_without_memory);
    RUN(test_io_ring_without_memory);
    RUN(test_buffer_without_memory);
    return test_result();
}
