// test_sketch.c - how many different values, and which are frequent: bounds, merging, bytes.
// SPDX-License-Identifier: Apache-2.0
#include "format/sketch.h"

#include <math.h>

#include "base/heap.h"
#include "tests/format/fixture.h"

static uint64_t seed = 1;

static br_sketch sketch_of(const br_column *column, br_encode_effort effort)
{
    br_error err = {0};
    br_buffer bytes = {0};
    br_page_entry entry;
    br_sketch sketch;
    MUST(br_page_encode(column, effort, &bytes, &entry, &sketch, &err), err);
    br_buffer_release(&bytes);
    return sketch;
}

static br_sketch sketch_of_integers(const int64_t *values, uint32_t count)
{
    br_error err = {0};
    br_column column;
    MUST(br_column_init(&column, NULL, &err), err);
    for (uint32_t i = 0; i < count; i++) {
        br_value value = br_value_int(values[i]);
        MUST(br_column_append(&column, &value, &err), err);
    }
    br_sketch sketch = sketch_of(&column, BR_ENCODE_FAST);
    br_column_release(&column);
    return sketch;
}

static uint64_t hash_of_integer(int64_t integer)
{
    br_value value = br_value_int(integer);
    return br_sketch_hash(&value);
}

// Values that SQLite's = finds equal have one hash, others have another.
static void test_sketch_hash_goes_by_equality(void)
{
    const double reals[] = {0.0, -0.0, 1.0, -17.0, 9007199254740992.0, -9223372036854775808.0};
    for (uint32_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        br_value real = br_value_real(reals[i]);
        CHECK(br_sketch_hash(&real) == hash_of_integer((int64_t)reals[i]));
    }
    const br_value different[] = {
        br_value_int(1), br_value_int(0), br_value_real(1.5), br_value_real(9223372036854775808.0),
        br_value_int(INT64_MAX), br_value_real(INFINITY), br_value_real(-INFINITY),
        br_value_text(br_text_make("1", 1)), br_value_blob(br_text_make("1", 1)),
        br_value_text(br_text_make("", 0)), br_value_blob(br_text_make("", 0))};
    uint32_t count = sizeof different / sizeof different[0];
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            CHECK(br_sketch_hash(&different[i]) != br_sketch_hash(&different[k]));
}

// Whatever encoding a page takes, its sketch is that of its values.
static void test_sketch_is_that_of_every_value(void)
{
    br_error err = {0};
    for (uint32_t s = 0; s < FIXTURE_SHAPES; s++) {
        br_column column;
        br_sketch want = {0};
        MUST(br_column_init(&column, NULL, &err), err);
        fixture_fill(&fixture_shapes[s], 20000, &seed, &column);
        for (uint32_t row = 0; row < column.row_count; row++) {
            br_value value = br_column_value(&column, row);
            if (value.class_ != BR_NULL) br_sketch_add(&want, br_sketch_hash(&value));
        }
        for (int effort = BR_ENCODE_FAST; effort <= BR_ENCODE_SMALL; effort++) {
            br_sketch got = sketch_of(&column, (br_encode_effort)effort);
            bool is_same = memcmp(got.registers, want.registers, BR_SKETCH_REGISTERS) == 0;
            if (!is_same) printf("shape '%s', effort %d\n", fixture_shapes[s].name, effort);
            CHECK(is_same);
            CHECK_INT(got.common.row_count, column.row_count);
        }
        br_column_release(&column);
    }
}

// Four standard errors, and hardly any where there are few values.
static void check_distinct(const br_sketch *sketch, double truth)
{
    double off = fabs(br_sketch_distinct(sketch) - truth);
    if (off > 0.13 * truth + 0.5) printf("%g of %g\n", br_sketch_distinct(sketch), truth);
    CHECK(off <= 0.13 * truth + 0.5);
}

static void test_sketch_counts_any_number_of_values(void)
{
    const uint32_t counts[] = {0, 1, 2, 5, 10, 31, 100, 333, 1000, 2500, 10000, 100000, 3000000};
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        br_sketch sketch = {0};
        int64_t first = (int64_t)test_random(&seed);
        for (uint32_t k = 0; k < counts[i]; k++)
            br_sketch_add(&sketch, hash_of_integer((int64_t)((uint64_t)first + k * 3ull)));
        check_distinct(&sketch, counts[i]);
    }
}

// The union of pages has the sketch of all their rows, whatever they share.
static void test_sketch_merges(void)
{
    enum { PAGES = 20, ROWS = 5000 };
    static int64_t values[ROWS];
    static bool seen[40000];
    br_sketch all = {0}, backwards = {0}, pages[PAGES];
    uint32_t distinct = 0;
    for (uint32_t page = 0; page < PAGES; page++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            double unit = (double)(test_random(&seed) >> 11) * 0x1p-53;
            uint32_t value = (uint32_t)(40000 * unit * unit * unit);  // small ones are frequent
            values[i] = value;
            distinct += !seen[value];
            seen[value] = true;
        }
        pages[page] = sketch_of_integers(values, ROWS);
        br_sketch_merge(&all, &pages[page]);
    }
    for (uint32_t page = PAGES; page-- > 0;) br_sketch_merge(&backwards, &pages[page]);
    check_distinct(&all, distinct);
    CHECK(memcmp(all.registers, backwards.registers, BR_SKETCH_REGISTERS) == 0);
    CHECK_INT(all.common.row_count, PAGES * ROWS);
}

// Zipf with exponent 1 over 10,000 values: value k has a share of 1 / (k * 9.79).
static void test_sketch_finds_common_values(void)
{
    enum { VALUES = 10000, PAGES = 8, ROWS = BR_CHUNK_ROWS };
    static double until[VALUES];
    static int64_t values[ROWS];
    static uint64_t counts[VALUES];
    br_sketch all = {0};
    for (uint32_t k = 0; k < VALUES; k++) until[k] = (k == 0 ? 0 : until[k - 1]) + 1.0 / (k + 1);
    for (uint32_t page = 0; page < PAGES; page++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            double at = (double)(test_random(&seed) >> 11) * 0x1p-53 * until[VALUES - 1];
            uint32_t low = 0, high = VALUES - 1;
            while (low < high) {
                uint32_t middle = (low + high) / 2;
                if (until[middle] < at) low = middle + 1;
                else high = middle;
            }
            counts[low]++;
            values[i] = low;
        }
        br_sketch part = sketch_of_integers(values, ROWS);
        br_sketch_merge(&all, &part);
    }
    uint32_t distinct = 0;
    for (uint32_t k = 0; k < VALUES; k++) distinct += counts[k] > 0;
    check_distinct(&all, distinct);
    CHECK_INT(all.common.count, BR_COMMON_MAX);
    for (uint32_t k = 0; k < 10; k++) {
        double rows = (double)br_common_rows(&all.common, hash_of_integer(k));
        CHECK(fabs(rows / (double)counts[k] - 1) < 0.25);
    }
    CHECK_INT(br_common_rows(&all.common, hash_of_integer(VALUES)), 0);
}

static void test_sketch_of_one_value_and_of_none(void)
{
    br_error err = {0};
    br_column column;
    MUST(br_column_init(&column, NULL, &err), err);
    for (uint32_t row = 0; row < 30000; row++) {
        br_value value = row % 3 == 0 ? br_value_null() : br_value_real(42);
        MUST(br_column_append(&column, &value, &err), err);
    }
    br_sketch sketch = sketch_of(&column, BR_ENCODE_FAST);
    CHECK_INT(sketch.common.count, 1);
    double rows = (double)br_common_rows(&sketch.common, hash_of_integer(42));
    CHECK(fabs(rows / 20000 - 1) < 0.15);
    check_distinct(&sketch, 1);
    br_column_release(&column);
    static int64_t unique[BR_CHUNK_ROWS];
    for (uint32_t i = 0; i < BR_CHUNK_ROWS; i++) unique[i] = (int64_t)test_random(&seed);
    sketch = sketch_of_integers(unique, BR_CHUNK_ROWS);
    CHECK_INT(sketch.common.count, 0);
    check_distinct(&sketch, BR_CHUNK_ROWS);
}

// ---- bytes -----------------------------------------------------------------------------------

enum { SKETCHES = 4 };

// An empty one, a sparse one, and two full ones.
static void append_some(br_sketch *sketches, br_buffer *bytes)
{
    const uint32_t counts[SKETCHES] = {0, 7, 900, 60000};
    br_error err = {0};
    for (uint32_t i = 0; i < SKETCHES; i++) {
        int64_t *values = br_heap_array(counts[i] + 1, sizeof *values);
        for (uint32_t k = 0; k < counts[i]; k++) values[k] = k % 11 == 0 ? 5 : (int64_t)k;
        sketches[i] = counts[i] == 0 ? (br_sketch){0} : sketch_of_integers(values, counts[i]);
        MUST(br_sketch_append(&sketches[i], bytes, &err), err);
        br_heap_free(values);
    }
}

static void test_sketch_reads_back(void)
{
    br_buffer bytes = {0};
    br_sketch want[SKETCHES], got[SKETCHES] = {0};
    append_some(want, &bytes);
    CHECK(br_sketches_read(bytes.bytes, bytes.size_bytes, got, SKETCHES));
    for (uint32_t i = 0; i < SKETCHES; i++) {
        CHECK(memcmp(got[i].registers, want[i].registers, BR_SKETCH_REGISTERS) == 0);
        CHECK_INT(got[i].common.row_count, want[i].common.row_count);
        CHECK_INT(got[i].common.count, want[i].common.count);
        CHECK(memcmp(got[i].common.items, want[i].common.items,
                     want[i].common.count * sizeof want[i].common.items[0]) == 0);
    }
    CHECK(!br_sketches_read(bytes.bytes, bytes.size_bytes, got, SKETCHES - 1));
    CHECK(!br_sketches_read(bytes.bytes, bytes.size_bytes, got, SKETCHES + 1));
    br_buffer_release(&bytes);
}

// Whatever is read is a sketch that can be used, or is refused; sanitizers watch.
static void test_sketch_of_hostile_bytes(void)
{
    br_buffer bytes = {0};
    br_sketch sketches[SKETCHES];
    uint32_t refused = 0;
    append_some(sketches, &bytes);
    for (uint32_t round = 0; round < 3000; round++) {
        size_t at = test_random(&seed) % (bytes.size_bytes - 8);
        uint8_t before[8];
        memcpy(before, bytes.bytes + at, 8);
        if (round % 2 == 0) br_store_u64(bytes.bytes + at, test_random(&seed));
        else bytes.bytes[at] ^= (uint8_t)(1u << test_random(&seed) % 8);
        size_t size_bytes = round % 5 == 0 ? at : bytes.size_bytes;
        uint8_t *exact = br_heap_alloc(size_bytes + 1);  // ends where the memory does
        memcpy(exact, bytes.bytes, size_bytes);
        memset(sketches, 0, sizeof sketches);
        if (br_sketches_read(exact, size_bytes, sketches, SKETCHES)) {
            for (uint32_t i = 1; i < SKETCHES; i++) br_sketch_merge(&sketches[0], &sketches[i]);
            CHECK(br_sketch_distinct(&sketches[0]) >= 0);
        } else {
            refused++;
        }
        br_heap_free(exact);
        memcpy(bytes.bytes + at, before, 8);
    }
    CHECK(refused > 600);
    br_buffer_release(&bytes);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    RUN(test_sketch_hash_goes_by_equality);
    RUN(test_sketch_is_that_of_every_value);
    RUN(test_sketch_counts_any_number_of_values);
    RUN(test_sketch_merges);
    RUN(test_sketch_finds_common_values);
    RUN(test_sketch_of_one_value_and_of_none);
    RUN(test_sketch_reads_back);
    RUN(test_sketch_of_hostile_bytes);
    return test_result();
}
