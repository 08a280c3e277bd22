// micro_format.c - what encoding, opening, decoding and filtering pages costs, per shape of column,
// and what the kernels cost in cycles per value.
//
//     cmake --build BUILD --target micro_format && BUILD/micro_format [GHz]
//
// Prints the best of several rounds. Cycles are nanoseconds times the clock rate given (3.7 GHz
// when none is), so compare columns, not machines.
// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"
#include "format/kernels/kernels.h"
#include "tests/format/fixture.h"

enum { ROUNDS = 7 };

static double clock_ghz = 3.7;

static double best_of(double best, uint64_t start, double values)
{
    double ns = (double)(br_clock_ns() - start) / values;
    return ns < best ? ns : best;
}

static void bench_page(const fixture_shape *shape, const br_format_kernels *kernels)
{
    br_error err = {0};
    br_column column;
    uint64_t seed = 1;
    fixture_page page = {0};
    br_arena *arena = br_arena_new(NULL);
    MUST(br_column_init(&column, NULL, &err), err);
    fixture_fill(shape, BR_CHUNK_ROWS, &seed, &column);
    double encode = 1e9, small = 1e9, open = 1e9, decode = 1e9, select = 1e9, rows = BR_CHUNK_ROWS;
    br_value constant = br_column_value(&column, 777);
    br_filter filter = {.kind = BR_FILTER_COMPARE, .compare = BR_LT, .value = constant};
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = br_clock_ns();
        br_buffer_clear(&page.bytes);
        if (round < 3)
            MUST(br_page_encode(&column, BR_ENCODE_SMALL, &page.bytes, &page.entry, NULL, &err), err);
        small = round < 3 ? best_of(small, start, rows) : small;
        br_buffer_clear(&page.bytes);
        start = br_clock_ns();
        MUST(br_page_encode(&column, BR_ENCODE_FAST, &page.bytes, &page.entry, NULL, &err), err);
        encode = best_of(encode, start, rows);
        start = br_clock_ns();
        MUST(br_page_open(page.bytes.bytes, page.entry.stored_bytes, &page.entry, kernels, "bench",
                          NULL, &page.page, &err),
             err);
        open = best_of(open, start, rows);
        br_arena_mark mark = br_arena_get_mark(arena);
        start = br_clock_ns();
        for (uint32_t first = 0; first < BR_CHUNK_ROWS; first += BR_BATCH_ROWS) {
            br_vector vector;
            MUST(br_page_decode(page.page, first, BR_BATCH_ROWS, arena, &vector, &err), err);
            br_arena_rewind(arena, mark);
        }
        decode = best_of(decode, start, rows);
        br_select_cache cache = {0};
        start = br_clock_ns();
        for (uint32_t first = 0; first < BR_CHUNK_ROWS && constant.class_ != BR_NULL;
             first += BR_BATCH_ROWS) {
            uint64_t selected[BR_BATCH_ROWS / 64];
            memset(selected, 0xff, sizeof selected);
            MUST(br_page_select(page.page, &filter, 0, first, BR_BATCH_ROWS, &cache, arena,
                                selected, &err),
                 err);
        }
        select = best_of(select, start, rows);
        br_arena_reset(arena);
        br_page_free(page.page);
    }
    printf("%-26s %-9s %6.2f B/row  encode %7.1f M/s (small %6.1f)  open %6.3f  decode %6.3f  "
           "select %6.3f ns\n",
           shape->name, br_encoding_name((br_encoding)page.entry.encoding),
           page.entry.stored_bytes / rows, 1e3 / encode, 1e3 / small, open, decode, select);
    br_buffer_release(&page.bytes);
    br_column_release(&column);
    br_arena_free(arena);
}

static double bench_unpack(const br_format_kernels *kernels, uint32_t width)
{
    _Alignas(64) static uint8_t packed[BR_VECTOR_ROWS * 8];
    _Alignas(64) static uint64_t lanes[BR_VECTOR_ROWS], values[BR_VECTOR_ROWS];
    uint32_t lane = br_lane_of_width(width);
    double best = 1e9;
    for (int round = 0; round < ROUNDS * 3; round++) {
        uint64_t start = br_clock_ns();
        for (int i = 0; i < 200; i++) {
            kernels->unpack[width](packed, (uint64_t)i, lane == 3 ? values : lanes);
            if (lane < 3) kernels->widen[lane](lanes, 5, values);
        }
        best = best_of(best, start, 200.0 * BR_VECTOR_ROWS);
    }
    return best * clock_ghz;
}

static double bench_range(const br_format_kernels *kernels, uint32_t width)
{
    _Alignas(64) static uint8_t packed[BR_VECTOR_ROWS * 8];
    _Alignas(64) static uint64_t lanes[BR_VECTOR_ROWS];
    uint64_t bits[BR_VECTOR_WORDS];
    double best = 1e9;
    for (int round = 0; round < ROUNDS * 3; round++) {
        uint64_t start = br_clock_ns();
        for (uint64_t i = 0; i < 200; i++) {
            kernels->unpack[width](packed, 0, lanes);
            kernels->range[br_lane_of_width(width)](lanes, i, 100, bits);
        }
        best = best_of(best, start, 200.0 * BR_VECTOR_ROWS);
    }
    return best * clock_ghz;
}

static double bench_codes(const br_format_kernels *kernels, uint32_t width)
{
    uint32_t size = 1u << width;
    _Alignas(64) static uint8_t packed[BR_VECTOR_ROWS * 8];
    _Alignas(64) static uint64_t lanes[BR_VECTOR_ROWS];
    static uint64_t passes[1024];
    uint64_t bits[BR_VECTOR_WORDS];
    double best = 1e9;
    for (int round = 0; round < ROUNDS * 3; round++) {
        uint64_t start = br_clock_ns();
        for (uint64_t i = 0; i < 200; i++) {
            kernels->unpack[width](packed, 0, lanes);
            kernels->test_codes[br_lane_of_width(width)](lanes, 0, passes, size, bits);
        }
        best = best_of(best, start, 200.0 * BR_VECTOR_ROWS);
    }
    return best * clock_ghz;
}

static void bench_kernels(void)
{
    const uint32_t widths[] = {1, 5, 8, 11, 16, 20, 31, 40, 63};
    printf("cycles per value\n");
    for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        const br_format_kernels *kernels = br_format_kernels_for(isa);
        for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
            uint32_t width = widths[i];
            printf("%-7s width %2u  unpack %5.2f  range %5.2f", kernels->isa, width,
                   bench_unpack(kernels, width), bench_range(kernels, width));
            if (width <= 16) printf("  codes %5.2f", bench_codes(kernels, width));
            printf("\n");
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) clock_ghz = atof(argv[1]);
    const br_format_kernels *kernels = br_format_kernels_for(br_cpu_isa_best());
    for (int i = 0; i < FIXTURE_SHAPES; i++) bench_page(&fixture_shapes[i], kernels);
    bench_kernels();
    return 0;
}
