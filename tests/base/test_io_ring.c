// test_io_ring.c - batches of reads in both modes give the same bytes and the same errors.
// SPDX-License-Identifier: Apache-2.0
#include "base/io_ring.h"

#include <errno.h>

#include "base/heap.h"
#include "tests/test.h"

enum { FILE_BYTES = 1 << 20, READS_MAX = 200 };

static uint64_t seed = 1;
static char path[64] = "/tmp/braid-test-ring-XXXXXX";
static uint8_t *contents;
static br_error err;

static int count_reads(void *context, const char *operation, const char *file_path)
{
    int *left = context;
    (void)file_path;
    if (strcmp(operation, "read") != 0) return 0;
    return (*left)-- == 0 ? EIO : 0;
}

static void check_random_batches(br_io_ring *ring, br_file *file)
{
    uint64_t random = seed;
    for (uint32_t round = 0; round < 60; round++) {
        br_io_read reads[READS_MAX];
        uint32_t count = (uint32_t)(test_random(&random) % (round < 40 ? 8 : READS_MAX));
        uint32_t largest = round % 3 == 0 ? 100 : 70000;  // below, and around, a pinned buffer
        for (uint32_t i = 0; i < count; i++) {
            uint32_t size = (uint32_t)(test_random(&random) % largest);
            uint64_t offset = test_random(&random) % (FILE_BYTES - size);
            reads[i] = (br_io_read){file, offset, br_heap_zalloc(size), size};
        }
        MUST(br_io_ring_read(ring, reads, count, &err), err);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(memcmp(reads[i].bytes, contents + reads[i].offset, reads[i].size_bytes) == 0);
            br_heap_free(reads[i].bytes);
        }
    }
}

static void check_failures(br_io_ring *ring, br_file *file)
{
    static uint8_t bytes[100][1000];
    br_io_read reads[100];
    for (int bad = 0; bad < 100; bad += 33) {
        for (int i = 0; i < 100; i++)
            reads[i] = (br_io_read){file, (uint64_t)i * 1000, bytes[i], 1000};
        reads[bad].offset = FILE_BYTES - 10;
        CHECK_INT(br_io_ring_read(ring, reads, 100, &err), BR_CORRUPT);
        CHECK(strstr(err.message, "ends after 10") != NULL);
    }
    // The ring is as good as new.
    MUST(br_io_ring_read(ring, reads, 99, &err), err);
    CHECK(memcmp(bytes[5], contents + 5000, 1000) == 0);
    CHECK_INT(br_io_ring_read(ring, reads, 100, NULL), BR_CORRUPT);
}

static void check_hook(br_io_ring *ring)
{
    static uint8_t bytes[100][16];
    br_io_read reads[100];
    int left = 0;
    br_file *file = NULL;
    br_file_hook hook = {.before = count_reads, .context = &left};
    MUST(br_file_open(path, BR_FILE_READ, &hook, &file, &err), err);
    for (int i = 0; i < 100; i++)
        reads[i] = (br_io_read){file, (uint64_t)i * 16, bytes[i], 16};
    for (int failing = 0; failing < 100; failing += 9) {
        left = failing;
        CHECK_INT(br_io_ring_read(ring, reads, 100, &err), BR_IO);
        CHECK(strstr(err.message, path) != NULL);
    }
    left = 1000;
    MUST(br_io_ring_read(ring, reads, 100, &err), err);
    CHECK_INT(left, 900);
    left = 0;
    CHECK_INT(br_io_ring_read(ring, reads, 1, &err), BR_IO);
    br_file_close(file);
}

static void check_mode(br_io_mode mode)
{
    br_io_ring *ring = NULL;
    br_file *file = NULL;
    MUST(br_io_ring_new(mode, &ring, &err), err);
    CHECK(mode == BR_IO_AUTO || br_io_ring_is_uring(ring) == (mode == BR_IO_URING));
    MUST(br_file_open(path, BR_FILE_READ, NULL, &file, &err), err);
    MUST(br_io_ring_read(ring, NULL, 0, &err), err);
    check_random_batches(ring, file);
    check_failures(ring, file);
    check_hook(ring);
    br_file_close(file);
    br_io_ring_free(ring);
}

static void test_io_ring_pread(void) { check_mode(BR_IO_PREAD); }

static void test_io_ring_auto(void) { check_mode(BR_IO_AUTO); }

static void test_io_ring_uring(void)
{
    br_io_ring *ring = NULL;
    if (br_io_ring_new(BR_IO_URING, &ring, &err) != BR_OK) {
        printf("not allowed here: %s\n", err.message);
        CHECK(strstr(err.message, "io_uring is not available") != NULL);
        return;
    }
    br_io_ring_free(ring);
    br_io_ring_free(NULL);
    check_mode(BR_IO_URING);
}

static void write_contents(void)
{
    uint64_t random = seed;
    contents = br_heap_alloc(FILE_BYTES);
    for (uint32_t i = 0; i < FILE_BYTES; i++) contents[i] = (uint8_t)test_random(&random);
    br_file *file = NULL;
    MUST(br_file_open(path, BR_FILE_CREATE, NULL, &file, &err), err);
    MUST(br_file_write(file, 0, contents, FILE_BYTES, &err), err);
    br_file_close(file);
}

int main(int count, char **arguments)
{
    if (count > 1) seed = strtoull(arguments[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    if (mkstemp(path) < 0) return 1;
    write_contents();
    RUN(test_io_ring_pread);
    RUN(test_io_ring_auto);
    RUN(test_io_ring_uring);
    remove(path);
    br_heap_free(contents);
    return test_result();
}
