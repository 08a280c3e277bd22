// test_heap.c - allocation sizes, alignment, growth, reserved pages.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include "tests/test.h"

static bool is_zero(const void *memory, size_t size_bytes)
{
    const char *bytes = memory;
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

static void test_heap_zero_bytes_is_not_out_of_memory(void)
{
    void *blocks[] = {br_heap_alloc(0), br_heap_zalloc(0), br_heap_array(0, 8),
                      br_heap_array(8, 0), br_heap_aligned(0)};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        CHECK(blocks[i] != NULL);
        br_heap_free(blocks[i]);
    }
}

static void test_heap_array_fails_on_overflow(void)
{
    volatile size_t huge = SIZE_MAX / 4;
    CHECK(br_heap_array(huge, 8) == NULL);
    CHECK(br_heap_aligned(SIZE_MAX - (huge ? 1 : 0)) == NULL);
    int64_t *items = br_heap_array(100, sizeof *items);
    CHECK(items != NULL && is_zero(items, 100 * sizeof *items));
    br_heap_free(items);
}

static void test_heap_aligned_blocks(void)
{
    size_t sizes[] = {1, 64, 1000, 2 << 20, (5 << 20) + 3};
    for (size_t i = 0; i < 5; i++) {
        char *block = br_heap_aligned(sizes[i]);
        CHECK(block != NULL);
        size_t alignment = sizes[i] >= 2 << 20 ? 2 << 20 : 64;
        CHECK_INT((uintptr_t)block % alignment, 0);
        memset(block, 1, sizes[i]);
        br_heap_free(block);
    }
}

static void test_heap_grow_doubles(void)
{
    int *items = NULL;
    size_t capacity = 0;
    for (size_t count = 0; count < 1000; count++) {
        void *grown = items;
        CHECK(br_heap_grow(&grown, sizeof *items, count, &capacity));
        items = grown;
        CHECK(capacity > count);
        items[count] = (int)count;
    }
    for (int i = 0; i < 1000; i++) CHECK_INT(items[i], i);
    CHECK(capacity < 2048);
    br_heap_free(items);
}

static void test_heap_grow_fails_on_overflow(void)
{
    void *items = NULL;
    size_t capacity = SIZE_MAX / 16;
    CHECK(!br_heap_grow(&items, 16, capacity, &capacity));
    CHECK(items == NULL);
    CHECK(capacity == SIZE_MAX / 16);
}

static void test_heap_reserved_pages_are_zero(void)
{
    size_t size_bytes = 64 << 20;
    char *pages = br_heap_reserve(size_bytes);
    CHECK(pages != NULL);
    CHECK_INT(pages[size_bytes - 1], 0);
    pages[4096] = 1;
    br_heap_unreserve(pages, size_bytes);
    br_heap_unreserve(NULL, 1);
}

static void test_heap_resize_and_copy(void)
{
    char *text = br_heap_copy_text("copied");
    CHECK_TEXT(text, "copied");
    text = br_heap_resize(text, 1000);
    CHECK_TEXT(text, "copied");
    br_heap_free(text);
    br_heap_free(NULL);
}

int main(void)
{
    RUN(test_heap_zero_bytes_is_not_out_of_memory);
    RUN(test_heap_array_fails_on_overflow);
    RUN(test_heap_aligned_blocks);
    RUN(test_heap_grow_doubles);
    RUN(test_heap_grow_fails_on_overflow);
    RUN(test_heap_reserved_pages_are_zero);
    RUN(test_heap_resize_and_copy);
    return test_result();
}
