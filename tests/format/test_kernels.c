// test_kernels.c - every table against plain formulas: each width, each lane, ends of every range.
//
// Packed vectors are made here bit by bit from the definition in kernels.h, apart from the encoder.
// SPDX-License-Identifier: Apache-2.0
#include "format/format.h"
#include "format/kernels/kernels.h"
#include "tests/test.h"

enum { ROWS = BR_VECTOR_ROWS, CANARY = 0x5a };

static uint64_t seed = 77;
static const br_format_kernels *tested;  // the table under test; set by main only

static uint64_t mask_of(uint32_t width) { return width == 0 ? 0 : ~0ull >> (64 - width); }
static uint32_t lane_bits_of(uint32_t width) { return 8u << br_lane_of_width(width); }

// Mostly extremes, so that carries between words show.
static void random_values(uint32_t width, uint64_t values[ROWS])
{
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t bits = test_random(&seed);
        uint64_t value = bits % 4 == 0 ? 0 : bits % 4 == 1 ? ~0ull : bits;
        values[i] = value & mask_of(width);
    }
}

static void pack(const uint64_t values[ROWS], uint32_t width, uint8_t *packed)
{
    uint32_t bits = lane_bits_of(width), lanes = 1024 / bits;
    memset(packed, 0, width * BR_PACKED_BYTES_PER_BIT);
    for (uint32_t i = 0; i < ROWS; i++) {
        for (uint32_t b = 0; b < width; b++) {
            uint32_t bit_of_lane = i / lanes * width + b;
            uint32_t word = bit_of_lane / bits, bit = bit_of_lane % bits;
            uint32_t bit_of_all = (word * lanes + i % lanes) * bits + bit;
            packed[bit_of_all / 8] |= (uint8_t)((values[i] >> b & 1) << (bit_of_all % 8));
        }
    }
}

static uint64_t lane_at(const void *lanes, uint32_t bits, uint32_t i)
{
    uint64_t value = 0;
    memcpy(&value, (const uint8_t *)lanes + (size_t)i * bits / 8, bits / 8);
    return value;
}

static void test_unpack_and_widen_every_width(void)
{
    _Alignas(64) static uint8_t packed[ROWS * 8 + 64], lanes[ROWS * 8 + 64];
    _Alignas(64) static uint64_t wide[ROWS];
    _Alignas(64) static uint32_t codes[ROWS];
    uint64_t values[ROWS];
    const uint64_t bases[] = {0, 1, (uint64_t)INT64_MIN, (uint64_t)INT64_MAX, 0xfedcba9876543210u};
    for (uint32_t width = 0; width <= 64; width++) {
        uint32_t bits = lane_bits_of(width), lane = br_lane_of_width(width), wrong = 0;
        random_values(width, values);
        pack(values, width, packed);
        for (uint32_t b = 0; b < 5; b++) {
            memset(lanes, CANARY, sizeof lanes);
            tested->unpack[width](packed, bases[b], lanes);
            for (uint32_t i = 0; i < ROWS; i++)
                wrong += lane_at(lanes, bits, i) != ((values[i] + bases[b]) & mask_of(bits));
            for (uint32_t i = 0; i < 64; i++) wrong += lanes[ROWS * bits / 8 + i] != CANARY;
            if (lane == 3) continue;
            tested->unpack[width](packed, 0, lanes);
            tested->widen[lane](lanes, bases[b], wide);
            tested->widen_codes[lane](lanes, (uint32_t)bases[b], codes);
            for (uint32_t i = 0; i < ROWS; i++)
                wrong += wide[i] != values[i] + bases[b] ||
                         codes[i] != (uint32_t)(values[i] + bases[b]);
        }
        CHECK_INT(wrong, 0);
    }
}

static void test_gather_every_width(void)
{
    _Alignas(64) static uint8_t packed[ROWS * 8];
    uint64_t values[ROWS], picked[ROWS + 1];
    uint16_t positions[ROWS];
    for (uint32_t width = 1; width <= 64; width++) {
        random_values(width, values);
        pack(values, width, packed);
        for (uint32_t share = 1; share < 200; share = share * 3 + 1) {
            uint32_t count = 0, wrong = 0;
            uint64_t base = test_random(&seed);
            for (uint32_t i = 0; i < ROWS; i++)
                if (test_random(&seed) % share == 0) positions[count++] = (uint16_t)i;
            picked[count] = CANARY;
            tested->gather[br_lane_of_width(width)](packed, width, base, positions, count, picked);
            for (uint32_t i = 0; i < count; i++) wrong += picked[i] != values[positions[i]] + base;
            CHECK_INT(wrong, 0);
            CHECK_INT(picked[count], CANARY);
        }
    }
}

static void test_range_every_lane(void)
{
    _Alignas(64) static uint8_t lanes[ROWS * 8];
    uint64_t bits_out[BR_VECTOR_WORDS + 1];
    for (uint32_t lane = 0; lane < BR_LANE_COUNT; lane++) {
        uint32_t bits = 8u << lane;
        uint64_t top = mask_of(bits);
        for (uint32_t round = 0; round < 300; round++) {
            uint64_t ends[] = {0, 1, top / 2, top / 2 + 1, top - 1, top, test_random(&seed) & top};
            uint64_t low = ends[test_random(&seed) % 7], high = ends[test_random(&seed) % 7];
            if (low > high) continue;
            for (uint32_t i = 0; i < ROWS; i++) {
                uint64_t near[] = {low, low - 1, low + 1, high, high - 1, high + 1, 0, top};
                uint64_t pick = test_random(&seed), value = pick % 3 ? near[pick / 3 % 8] : pick;
                memcpy(lanes + (size_t)i * bits / 8, &value, bits / 8);
            }
            uint32_t wrong = 0;
            bits_out[BR_VECTOR_WORDS] = CANARY;
            tested->range[lane](lanes, low, high - low, bits_out);
            for (uint32_t i = 0; i < ROWS; i++) {
                uint64_t value = lane_at(lanes, bits, i);
                wrong += br_bitmap_get(bits_out, i) != (low <= value && value <= high);
            }
            CHECK_INT(wrong, 0);
            CHECK_INT(bits_out[BR_VECTOR_WORDS], CANARY);
        }
    }
}

static void test_codes_every_lane(void)
{
    _Alignas(64) static uint8_t lanes[ROWS * 4];
    static uint64_t passes[2048];
    uint64_t bits_out[BR_VECTOR_WORDS];
    for (uint32_t lane = 0; lane < 3; lane++) {
        for (uint32_t size = 1; size <= 65536; size = size * 5 + 1) {
            uint32_t limit = lane == 0 && size > 256 ? 256 : size, wrong = 0;
            uint32_t base = size > limit ? (uint32_t)(test_random(&seed) % (size - limit)) : 0;
            for (uint32_t i = 0; i < 2048; i++) passes[i] = test_random(&seed);
            for (uint32_t i = 0; i < ROWS; i++) {
                uint64_t code = test_random(&seed) % limit;
                memcpy(lanes + (size_t)i * (1u << lane), &code, 1u << lane);
            }
            tested->test_codes[lane](lanes, base, passes, base + limit, bits_out);
            for (uint32_t i = 0; i < ROWS; i++) {
                uint32_t code = base + (uint32_t)lane_at(lanes, 8u << lane, i);
                wrong += br_bitmap_get(bits_out, i) != br_bitmap_get(passes, code);
            }
            CHECK_INT(wrong, 0);
        }
    }
}

static void test_range_of_values_every_length(void)
{
    static int64_t integers[200];
    static double reals[200];
    const int64_t ends[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    const double odd[] = {-__builtin_inf(), -1.5, -0.0, 0.0, 5e-324, 1.5, __builtin_inf()};
    for (uint32_t count = 0; count <= 130; count++) {
        for (uint32_t start = 0; start < 9; start++) {
            for (uint32_t i = 0; i < 200; i++) {
                uint64_t pick = test_random(&seed);
                integers[i] = pick % 2 ? ends[pick / 2 % 5] : (int64_t)pick;
                reals[i] = odd[pick / 16 % 7];
            }
            uint64_t bits[4] = {CANARY, CANARY, CANARY, CANARY};
            uint32_t words = br_bitmap_words(count), wrong = 0;
            int64_t low = ends[test_random(&seed) % 5], high = ends[test_random(&seed) % 5];
            tested->range_i64(integers + start, count, low, high, bits);
            for (uint32_t i = 0; i < words * 64; i++) {
                int64_t value = integers[start + (i < count ? i : 0)];
                wrong += br_bitmap_get(bits, i) != (i < count && low <= value && value <= high);
            }
            CHECK_INT(bits[words], CANARY);
            double from = odd[test_random(&seed) % 7], upto = odd[test_random(&seed) % 7];
            tested->range_f64(reals + start, count, from, upto, bits);
            for (uint32_t i = 0; i < words * 64; i++) {
                double value = reals[start + (i < count ? i : 0)];
                wrong += br_bitmap_get(bits, i) != (i < count && from <= value && value <= upto);
            }
            CHECK_INT(wrong, 0);
        }
    }
}

static void test_alp_rounds_like_scalar(void)
{
    static int64_t integers[300];
    static double values[301];
    const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, 1ll << 53, (1ll << 53) + 1, -(1ll << 62) - 3};
    for (uint32_t count = 0; count < 300; count++) {
        for (uint32_t i = 0; i < 300; i++) {
            uint64_t pick = test_random(&seed);
            integers[i] = pick % 8 < 6 ? (int64_t)(pick >> pick % 60) : ends[pick / 8 % 6];
        }
        uint32_t wrong = 0;
        values[count] = CANARY;
        tested->alp(integers, count, 1e12, 1e-14, values);
        for (uint32_t i = 0; i < count; i++) {
            volatile double product = (double)integers[i] * 1e12;
            volatile double want = product * 1e-14;
            double expected = want;
            wrong += memcmp(&values[i], &expected, sizeof expected) != 0;
        }
        CHECK_INT(wrong, 0);
        CHECK(values[count] == CANARY);
    }
}

static void test_texts_every_size(void)
{
    static char bytes[2000 + BR_TEXT_PADDING];
    static uint32_t offsets[201];
    static br_text texts[201];
    for (uint32_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)test_random(&seed);
    for (uint32_t count = 0; count <= 200; count++) {
        for (uint32_t i = 0; i < count; i++)
            offsets[i + 1] = offsets[i] + (uint32_t)(test_random(&seed) % 10);
        uint32_t wrong = 0;
        texts[count].size = CANARY;
        tested->texts(bytes, offsets, count, texts);
        for (uint32_t i = 0; i < count; i++) {
            br_text want = br_text_make(bytes + offsets[i], offsets[i + 1] - offsets[i]);
            wrong += texts[i].data != want.data || texts[i].size != want.size ||
                     texts[i].prefix != want.prefix;
        }
        CHECK_INT(wrong, 0);
        CHECK_INT(texts[count].size, CANARY);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) seed = strtoull(argv[1], NULL, 10);
    printf("seed %" PRIu64 "\n", seed);
    for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        tested = br_format_kernels_for(isa);
        printf("%s\n", tested->isa);
        CHECK_TEXT(tested->isa, br_isa_name(isa));
        RUN(test_unpack_and_widen_every_width);
        RUN(test_gather_every_width);
        RUN(test_range_every_lane);
        RUN(test_codes_every_lane);
        RUN(test_range_of_values_every_length);
        RUN(test_alp_rounds_like_scalar);
        RUN(test_texts_every_size);
    }
    return test_result();
}
