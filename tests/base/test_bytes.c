// test_bytes.c - loads, stores and the growing buffer.
// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include "tests/test.h"

static void test_bytes_are_little_endian_and_unaligned(void)
{
    uint8_t bytes[16] = {0};
    br_store_u16(bytes + 1, 0x1234);
    CHECK(bytes[1] == 0x34 && bytes[2] == 0x12);
    br_store_u32(bytes + 3, 0xa1b2c3d4);
    CHECK(bytes[3] == 0xd4 && bytes[6] == 0xa1);
    br_store_u64(bytes + 7, 0x0102030405060708);
    CHECK(bytes[7] == 8 && bytes[14] == 1);
    CHECK_INT(br_load_u16(bytes + 1), 0x1234);
    CHECK_INT(br_load_u32(bytes + 3), 0xa1b2c3d4);
    CHECK_INT(br_load_u64(bytes + 7), 0x0102030405060708);
}

static void test_buffer_appends_aligns_and_formats(void)
{
    br_buffer buffer = {0};
    CHECK(br_buffer_append(&buffer, NULL, 0));
    CHECK(br_buffer_append(&buffer, "abc", 3));
    CHECK(br_buffer_align(&buffer, 8));
    CHECK_INT(buffer.size_bytes, 8);
    CHECK(br_buffer_align(&buffer, 8));
    CHECK_INT(buffer.size_bytes, 8);
    CHECK(br_buffer_format(&buffer, "%d+%s", 12, "x"));
    CHECK_INT(buffer.size_bytes, 12);
    CHECK(memcmp(buffer.bytes, "abc\0\0\0\0\0" "12+x", 12) == 0);
    br_buffer_clear(&buffer);
    CHECK_INT(buffer.size_bytes, 0);
    CHECK(br_buffer_append_zeros(&buffer, 5));
    CHECK(memcmp(buffer.bytes, "\0\0\0\0", 5) == 0);
    br_buffer_release(&buffer);
    CHECK(buffer.bytes == NULL);
    br_buffer_release(&buffer);
}

static void test_buffer_refuses_impossible_sizes(void)
{
    br_buffer buffer = {0};
    CHECK(br_buffer_append(&buffer, "abc", 3));
    CHECK(!br_buffer_reserve(&buffer, SIZE_MAX));
    CHECK(!br_buffer_append_zeros(&buffer, SIZE_MAX - 1));
    CHECK_INT(buffer.size_bytes, 3);
    br_buffer_release(&buffer);
}

static void test_buffer_grows_in_steps(void)
{
    br_buffer buffer = {0};
    int moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        size_t before = buffer.capacity_bytes;
        CHECK(br_buffer_append(&buffer, &i, sizeof i));
        moves += buffer.capacity_bytes != before;
    }
    CHECK(moves < 20);
    for (uint32_t i = 0; i < 100000; i += 777) CHECK_INT(br_load_u32(buffer.bytes + i * 4), i);
    br_buffer_release(&buffer);
}

int main(void)
{
    RUN(test_bytes_are_little_endian_and_unaligned);
    RUN(test_buffer_appends_aligns_and_formats);
    RUN(test_buffer_refuses_impossible_sizes);
    RUN(test_buffer_grows_in_steps);
    return test_result();
}
