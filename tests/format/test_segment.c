// test_segment.c - segment files: written, read back, refused when damaged or half written.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "base/hash.h"
#include "base/heap.h"
#include "tests/format/fixture.h"

enum { COLUMNS = 5 };

static uint64_t seed = 31337;
static const char *const folder = "test_segment.tmp";
static const char *const path = "test_segment.tmp/7.brd";

static const fixture_shape shapes[COLUMNS] = {
    {.name = "key", .value = fixture_dense_key},
    {.name = "color", .value = fixture_color, .null_percent = 10},
    {.name = "price", .value = fixture_price},
    {.name = "everything", .value = fixture_everything, .null_percent = 5},
    {.name = "comment", .value = fixture_comment},
};
static const uint32_t chunk_rows[] = {9000, 1, 1025};
enum { CHUNKS = 3 };

static void fill_columns(uint32_t chunk, br_column *columns)
{
    uint64_t chunk_seed = 1000 + chunk;
    br_error err = {0};
    for (uint32_t c = 0; c < COLUMNS; c++) {
        MUST(br_column_init(&columns[c], NULL, &err), err);
        fixture_fill(&shapes[c], chunk_rows[chunk], &chunk_seed, &columns[c]);
    }
}

static br_status add_chunk(br_segment_writer *writer, uint32_t chunk, br_error *err)
{
    br_column columns[COLUMNS];
    br_buffer pages[COLUMNS] = {{0}};
    br_page_entry entries[COLUMNS];
    br_sketch sketches[COLUMNS];
    fill_columns(chunk, columns);
    for (uint32_t c = 0; c < COLUMNS; c++)
        MUST(br_page_encode(&columns[c], BR_ENCODE_FAST, &pages[c], &entries[c], &sketches[c], err),
             *err);
    br_status status = br_segment_writer_add_chunk(writer, pages, entries, sketches, err);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        br_column_release(&columns[c]);
        br_buffer_release(&pages[c]);
    }
    return status;
}

static br_status write_segment(const char *file, const br_file_hook *hook, uint64_t *size_out,
                               br_error *err)
{
    br_segment_writer *writer;
    BR_TRY(br_segment_writer_open(file, 7, COLUMNS, hook, &writer, err));
    br_status status = BR_OK;
    for (uint32_t chunk = 0; chunk < CHUNKS && status == BR_OK; chunk++)
        status = add_chunk(writer, chunk, err);
    if (status == BR_OK) status = br_segment_writer_finish(writer, size_out, err);
    br_segment_writer_close(writer);
    return status;
}

// Every page of the file holds the values it was made from.
static void check_pages(const br_segment_reader *reader)
{
    br_error err = {0};
    br_arena *arena = br_arena_new(NULL);
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        br_column columns[COLUMNS];
        fill_columns(chunk, columns);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            const br_page_entry *entry = br_segment_reader_entry(reader, c, chunk);
            uint8_t *bytes = br_heap_alloc(entry->stored_bytes);
            br_page *page;
            MUST(br_file_read(br_segment_reader_file(reader), entry->offset, bytes,
                              entry->stored_bytes, &err),
                 err);
            MUST(br_page_open(bytes, entry->stored_bytes, entry,
                              br_format_kernels_for(BR_ISA_SCALAR), "page", NULL, &page, &err),
                 err);
            br_heap_free(bytes);
            br_vector vector;
            uint32_t wrong = 0;
            MUST(br_page_decode(page, 0, chunk_rows[chunk], arena, &vector, &err), err);
            for (uint32_t row = 0; row < chunk_rows[chunk]; row++) {
                br_value got = br_vector_value(&vector, row, arena);
                br_value want = br_column_value(&columns[c], row);
                wrong += !fixture_equal(&got, &want);
            }
            CHECK_INT(wrong, 0);
            br_page_free(page);
            br_arena_reset(arena);
        }
        for (uint32_t c = 0; c < COLUMNS; c++) br_column_release(&columns[c]);
    }
    br_arena_free(arena);
}

// Statistics come back as the encoder made them; zones of several classes come back without bounds.
static void check_entries(const br_segment_reader *reader)
{
    br_error err = {0};
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        br_column columns[COLUMNS];
        fill_columns(chunk, columns);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            br_buffer bytes = {0};
            br_page_entry want;
            const br_page_entry *got = br_segment_reader_entry(reader, c, chunk);
            MUST(br_page_encode(&columns[c], BR_ENCODE_FAST, &bytes, &want, NULL, &err), err);
            CHECK_INT(got->checksum, want.checksum);
            CHECK_INT(got->raw_bytes, want.raw_bytes);
            CHECK_INT(got->encoding, want.encoding);
            CHECK_INT(got->offset % 64, 0);
            CHECK(memcmp(&got->stats, &want.stats, sizeof want.stats) == 0);
            for (uint32_t zone = 0; zone < BR_ZONES_PER_CHUNK && c != 3; zone++)
                CHECK(memcmp(&got->zones[zone], &want.zones[zone], sizeof want.stats) == 0);
            br_buffer_release(&bytes);
            br_column_release(&columns[c]);
        }
    }
}

// The sketches of a file are those of its chunks together.
static void check_sketches(const br_segment_reader *reader)
{
    br_error err = {0};
    br_sketch want[COLUMNS] = {0};
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        br_column columns[COLUMNS];
        fill_columns(chunk, columns);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            br_buffer bytes = {0};
            br_page_entry entry;
            br_sketch sketch;
            MUST(br_page_encode(&columns[c], BR_ENCODE_FAST, &bytes, &entry, &sketch, &err), err);
            br_sketch_merge(&want[c], &sketch);
            br_buffer_release(&bytes);
            br_column_release(&columns[c]);
        }
    }
    for (uint32_t c = 0; c < COLUMNS; c++) {
        const br_sketch *got = br_segment_reader_sketch(reader, c);
        CHECK(got != NULL && memcmp(got, &want[c], sizeof want[c]) == 0);
    }
}

static void test_segment_reads_back(void)
{
    br_error err = {0};
    uint64_t size_bytes = 0;
    br_segment_reader *reader;
    MUST(write_segment(path, NULL, &size_bytes, &err), err);
    MUST(br_segment_reader_open(path, NULL, &reader, &err), err);
    CHECK_INT(br_segment_reader_id(reader), 7);
    CHECK_INT(br_segment_reader_bytes(reader), size_bytes);
    CHECK_INT(br_segment_reader_rows(reader), 10026);
    CHECK_INT(br_segment_reader_chunks(reader), CHUNKS);
    CHECK_INT(br_segment_reader_columns(reader), COLUMNS);
    CHECK_INT(br_segment_reader_chunk_rows(reader, 2), 1025);
    CHECK_INT(br_segment_reader_entry(reader, 4, 0)->offset % 4096, 0);
    check_entries(reader);
    check_pages(reader);
    check_sketches(reader);
    br_segment_reader_close(reader);
}

static void test_segment_of_nothing(void)
{
    br_error err = {0};
    uint64_t size_bytes = 0;
    br_segment_writer *writer;
    br_segment_reader *reader;
    MUST(br_segment_writer_open(path, 8, 3, NULL, &writer, &err), err);
    MUST(br_segment_writer_finish(writer, &size_bytes, &err), err);
    br_segment_writer_close(writer);
    MUST(br_segment_reader_open(path, NULL, &reader, &err), err);
    CHECK_INT(br_segment_reader_rows(reader), 0);
    CHECK_INT(br_segment_reader_columns(reader), 3);
    br_segment_reader_close(reader);
}

static void test_segment_many_pages_have_a_long_footer(void)
{
    enum { MANY = 600 };
    br_error err = {0};
    uint64_t size_bytes = 0;
    br_segment_writer *writer;
    br_segment_reader *reader;
    br_column column;
    fixture_page page;
    static br_buffer pages[MANY];
    static br_page_entry entries[MANY];
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(&shapes[2], 100, &seed, &column);
    fixture_open(&column, BR_ENCODE_SMALL, br_format_kernels_for(BR_ISA_SCALAR), &page);
    for (uint32_t i = 0; i < MANY; i++) {
        pages[i] = page.bytes;
        entries[i] = page.entry;
    }
    MUST(br_segment_writer_open(path, 9, MANY, NULL, &writer, &err), err);
    for (uint32_t chunk = 0; chunk < 64; chunk++)
        MUST(br_segment_writer_add_chunk(writer, pages, entries, NULL, &err), err);
    CHECK_INT(br_segment_writer_add_chunk(writer, pages, entries, NULL, &err), BR_MISUSE);
    MUST(br_segment_writer_finish(writer, &size_bytes, &err), err);
    br_segment_writer_close(writer);
    MUST(br_segment_reader_open(path, NULL, &reader, &err), err);
    CHECK_INT(br_segment_reader_chunks(reader), 64);
    CHECK_INT(br_segment_reader_entry(reader, MANY - 1, 63)->row_count, 100);
    br_segment_reader_close(reader);
    fixture_close(&page);
    br_column_release(&column);
}

// ---- damage ----------------------------------------------------------------------------------

static void read_all(const char *file, br_buffer *out)
{
    br_error err = {0};
    br_file *opened;
    uint64_t size;
    MUST(br_file_open(file, BR_FILE_READ, NULL, &opened, &err), err);
    MUST(br_file_size(opened, &size, &err), err);
    CHECK(br_buffer_append_zeros(out, size));
    MUST(br_file_read(opened, 0, out->bytes, size, &err), err);
    br_file_close(opened);
}

static void write_all(const char *file, const uint8_t *bytes, size_t size)
{
    br_error err = {0};
    br_file *opened;
    if (br_file_exists(file)) MUST(br_file_remove(file, NULL, &err), err);
    MUST(br_file_open(file, BR_FILE_CREATE, NULL, &opened, &err), err);
    if (size > 0) MUST(br_file_write(opened, 0, bytes, size, &err), err);
    br_file_close(opened);
}

static br_status open_and_close(const char *file, br_error *err)
{
    br_segment_reader *reader = NULL;
    br_status status = br_segment_reader_open(file, NULL, &reader, err);
    br_segment_reader_close(reader);
    return status;
}

// Any flipped bit in header, footer or tail is noticed; a shorter file too.
static void test_segment_damage_is_noticed(void)
{
    br_error err = {0};
    uint64_t size_bytes;
    br_buffer good = {0};
    MUST(write_segment(path, NULL, &size_bytes, &err), err);
    read_all(path, &good);
    uint64_t footer = br_load_u64(good.bytes + size_bytes - 64);
    for (uint32_t round = 0; round < 300; round++) {
        bool in_header = round % 10 == 0;
        uint64_t span = in_header ? 64 : size_bytes - footer;
        uint64_t at = (in_header ? 0 : footer) + test_random(&seed) % span;
        uint8_t before = good.bytes[at];
        good.bytes[at] ^= (uint8_t)(1u << test_random(&seed) % 8);
        write_all(path, good.bytes, size_bytes);
        good.bytes[at] = before;
        CHECK_INT(open_and_close(path, &err), BR_CORRUPT);
        CHECK(strncmp(err.message, path, strlen(path)) == 0);
    }
    for (uint32_t round = 0; round < 100; round++) {
        write_all(path, good.bytes, test_random(&seed) % size_bytes);
        CHECK_INT(open_and_close(path, &err), BR_CORRUPT);
    }
    br_buffer_release(&good);
}

// Damage with all checksums made right again must still be an error or a harmless footer.
static void test_segment_hostile_footer(void)
{
    br_error err = {0};
    uint64_t size_bytes;
    br_buffer good = {0};
    MUST(write_segment(path, NULL, &size_bytes, &err), err);
    read_all(path, &good);
    uint8_t *tail = good.bytes + size_bytes - 64;
    uint64_t footer = br_load_u64(tail), footer_bytes = br_load_u64(tail + 8);
    uint32_t refused = 0;
    for (uint32_t round = 0; round < 400; round++) {
        uint8_t before[64], *at = good.bytes + footer + test_random(&seed) % (footer_bytes - 8);
        memcpy(before, at, 8);
        uint64_t bits = test_random(&seed);
        if (bits % 2) br_store_u64(at, bits);
        else at[0] ^= (uint8_t)(1u << bits / 2 % 8);
        br_store_u64(tail + 16, br_checksum(good.bytes + footer, footer_bytes));
        br_store_u64(tail + 48, br_checksum(tail, 48));
        write_all(path, good.bytes, size_bytes);
        memcpy(at, before, 8);
        refused += open_and_close(path, &err) != BR_OK;
    }
    CHECK(refused > 100);
    br_buffer_release(&good);
}

// Sketches that are damaged, or whose place makes no sense, are as good as none: the file opens.
static void test_segment_does_without_damaged_sketches(void)
{
    br_error err = {0};
    uint64_t size_bytes;
    br_buffer good = {0};
    MUST(write_segment(path, NULL, &size_bytes, &err), err);
    read_all(path, &good);
    uint8_t *tail = good.bytes + size_bytes - 64;
    uint64_t footer = br_load_u64(tail), footer_bytes = br_load_u64(tail + 8);
    uint64_t place = br_load_u64(good.bytes + footer + 32);
    uint64_t place_bytes = br_load_u64(good.bytes + footer + 40);
    CHECK(place > 64 && place_bytes > 100 && place + place_bytes <= footer);
    for (uint32_t round = 0; round < 300; round++) {
        bool in_footer = round % 3 == 0;
        uint64_t at = in_footer ? footer + 32 + test_random(&seed) % 3 * 8
                                : place + test_random(&seed) % (place_bytes - 8);
        uint8_t before[8];
        memcpy(before, good.bytes + at, 8);
        uint64_t bits = test_random(&seed) >> test_random(&seed) % 64;
        br_store_u64(good.bytes + at, bits);
        bool is_same = memcmp(before, good.bytes + at, 8) == 0;
        br_store_u64(tail + 16, br_checksum(good.bytes + footer, footer_bytes));
        br_store_u64(tail + 48, br_checksum(tail, 48));
        write_all(path, good.bytes, size_bytes);
        memcpy(good.bytes + at, before, 8);
        br_segment_reader *reader;
        MUST(br_segment_reader_open(path, NULL, &reader, &err), err);
        bool is_gone = br_segment_reader_sketch(reader, 0) == NULL;
        CHECK(is_gone == !is_same);
        bool tells = at != footer + 40 || bits != 0;  // without a size there are none
        CHECK((br_segment_reader_check_sketches(reader, &err) != BR_OK) == (is_gone && tells));
        if (round % 50 == 0) check_pages(reader);
        br_segment_reader_close(reader);
    }
    br_buffer_release(&good);
}

// ---- failing operations ----------------------------------------------------------------------

typedef struct countdown {
    uint32_t left;
} countdown;

static int fail_at_zero(void *context, const char *operation, const char *file)
{
    (void)operation, (void)file;
    countdown *count = context;
    return count->left-- == 0 ? EIO : 0;
}

static void test_segment_writer_fails_cleanly(void)
{
    uint32_t failures = 0;
    for (uint32_t n = 0; n < 50; n++) {
        br_error err = {0};
        countdown count = {.left = n};
        br_file_hook hook = {.before = fail_at_zero, .context = &count};
        uint64_t size_bytes;
        if (br_file_exists(path)) MUST(br_file_remove(path, NULL, &err), err);
        br_status status = write_segment(path, &hook, &size_bytes, &err);
        if (status == BR_OK) break;
        failures++;
        CHECK_INT(status, BR_IO);
        CHECK(!br_file_exists(path));
    }
    CHECK(failures >= 4);  // open, write, sync, sync of the folder
}

// ---- files of released versions --------------------------------------------------------------

// The files in tests/format/golden were made by this program (`test_segment --make-golden FILE`).
// The test runs from anywhere, so they are found from this source file.
static br_segment_reader *open_golden(const char *file)
{
    br_error err = {0};
    char golden[4096];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(golden, sizeof golden, "%.*s/golden/%s", (int)(slash - __FILE__), __FILE__, file);
    br_segment_reader *reader;
    MUST(br_segment_reader_open(golden, NULL, &reader, &err), err);
    CHECK_INT(br_segment_reader_rows(reader), 10026);
    check_pages(reader);
    return reader;
}

static void test_segment_golden_files_open(void)
{
    br_segment_reader *reader = open_golden("v1.brd");  // older than sketches
    CHECK(br_segment_reader_sketch(reader, 0) == NULL);
    br_segment_reader_close(reader);
    reader = open_golden("v1-sketches.brd");
    check_sketches(reader);
    br_segment_reader_close(reader);
}

int main(int argc, char **argv)
{
    br_error err = {0};
    uint64_t size_bytes;
    if (argc > 2 && strcmp(argv[1], "--make-golden") == 0) {
        MUST(write_segment(argv[2], NULL, &size_bytes, &err), err);
        return 0;
    }
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    if (br_file_exists(folder)) MUST(br_folder_remove(folder, &err), err);
    MUST(br_folder_make(folder, NULL, &err), err);
    RUN(test_segment_reads_back);
    RUN(test_segment_of_nothing);
    RUN(test_segment_many_pages_have_a_long_footer);
    RUN(test_segment_damage_is_noticed);
    RUN(test_segment_hostile_footer);
    RUN(test_segment_does_without_damaged_sketches);
    RUN(test_segment_writer_fails_cleanly);
    RUN(test_segment_golden_files_open);
    MUST(br_folder_remove(folder, &err), err);
    return test_result();
}
