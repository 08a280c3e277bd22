// test_kernels.c - every table of kernels must return what the plain C one does, bit for bit.
//
// Each kernel runs at every length 0..130 and at a batch's, from a start that is not aligned, over
// random values and extremes, and must leave what lies behind its output alone.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/bitmap.h"
#include "base/cpu.h"
#include "exec/kernels/kernels.h"
#include "tests/test.h"

enum { ROWS_MAX = 2100, CANARY = 0x5a };

static uint64_t random_state = 1;
static const br_exec_kernels *plain, *other;

static int64_t ints[2][ROWS_MAX + 8];
static double reals[2][ROWS_MAX + 8];
static uint32_t codes[ROWS_MAX + 8];
static uint64_t words[2 * (ROWS_MAX + 8)];
static uint64_t bits[ROWS_MAX / 64 + 3];
static uint64_t table[16];
static char text[4200];

typedef struct output {
    union {
        uint64_t words[ROWS_MAX + 16];
        int64_t ints[ROWS_MAX + 16];
        double reals[ROWS_MAX + 16];
        uint32_t codes[2 * (ROWS_MAX + 16)];
    };
} output;

static output outputs[2];

static uint64_t random_word(void) { return test_random(&random_state); }

static int64_t random_int(void)
{
    static const int64_t samples[] = {0, 1, -1, INT64_MAX, INT64_MIN, 5, 6, 7, 1 << 30};
    uint64_t word = random_word();
    if (word % 3 == 0) return samples[word / 3 % 9];
    return word % 3 == 1 ? (int64_t)(word >> 40) : (int64_t)random_word();
}

static double random_real(void)
{
    static const double samples[] = {0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 4.9e-324, 0.1,
                                     INFINITY, -INFINITY};
    uint64_t word = random_word();
    if (word % 3 == 0) return samples[word / 3 % 10];
    return (double)(int64_t)random_word() / 1e6;
}

static void fill_inputs(void)
{
    for (uint32_t i = 0; i < ROWS_MAX + 8; i++) {
        for (uint32_t k = 0; k < 2; k++) {
            ints[k][i] = random_int();
            reals[k][i] = random_real();
            words[2 * i + k] = random_word() % 3;
        }
        codes[i] = (uint32_t)(random_word() % (16 * 64));
        if (random_word() % 4 == 0) ints[1][i] = ints[0][i];
        if (random_word() % 4 == 0) reals[1][i] = reals[0][i];
    }
    uint64_t density = random_word() % 4;
    for (uint32_t i = 0; i < ROWS_MAX / 64 + 3; i++) {
        bits[i] = density == 0 ? 0 : density == 1 ? UINT64_MAX : random_word();
        if (density == 3) bits[i] &= random_word() & random_word();
    }
    for (uint32_t i = 0; i < 16; i++) table[i] = random_word();
}

static const br_exec_kernels *begin(uint32_t which)
{
    memset(&outputs[which], CANARY, sizeof outputs[which]);
    return which == 0 ? plain : other;
}

// Both outputs are the same in full: results, and the canary behind them.
static void expect_same(const char *kernel, uint32_t count)
{
    bool same = memcmp(&outputs[0], &outputs[1], sizeof outputs[0]) == 0;
    if (!same) fprintf(stderr, "%s of %s, %u rows\n", kernel, other->isa, count);
    CHECK(same);
}

#define COMPARE_OUTPUTS(name, call)                                                         \
    do {                                                                                    \
        for (uint32_t which = 0; which < 2; which++) {                                      \
            const br_exec_kernels *kernels = begin(which);                                  \
            output *out = &outputs[which];                                                  \
            kernels->call;                                                                  \
        }                                                                                   \
        expect_same(#name, count);                                                          \
    } while (0)

#define COMPARE_RESULTS(name, type, call)                                                   \
    do {                                                                                    \
        type results[2];                                                                    \
        for (uint32_t which = 0; which < 2; which++) {                                      \
            const br_exec_kernels *kernels = begin(which);                                  \
            output *out = &outputs[which];                                                  \
            (void)out;                                                                      \
            results[which] = kernels->call;                                                 \
        }                                                                                   \
        CHECK(memcmp(&results[0], &results[1], sizeof(type)) == 0);                         \
        expect_same(#name, count);                                                          \
    } while (0)

static void check_arithmetic(uint32_t count, uint32_t from)
{
    const int64_t *l = ints[0] + from, *r = ints[1] + from;
    COMPARE_OUTPUTS(add_i64, add_i64(l, r, count, out->ints));
    COMPARE_OUTPUTS(sub_i64, sub_i64(l, r, count, out->ints));
    COMPARE_OUTPUTS(mul_i64, mul_i64(l, r, count, out->ints));
    COMPARE_OUTPUTS(add_const_i64, add_const_i64(l, r[0], count, out->ints));
    COMPARE_OUTPUTS(const_sub_i64, const_sub_i64(r[0], l, count, out->ints));
    COMPARE_OUTPUTS(mul_const_i64, mul_const_i64(l, r[0], count, out->ints));
    COMPARE_RESULTS(add_checked_i64, bool, add_checked_i64(l, r, count, out->ints));
    COMPARE_RESULTS(sub_checked_i64, bool, sub_checked_i64(l, r, count, out->ints));
    COMPARE_RESULTS(mul_checked_i64, bool, mul_checked_i64(l, r, count, out->ints));
    const double *x = reals[0] + from, *y = reals[1] + from;
    COMPARE_RESULTS(add_f64, bool, add_f64(x, y, count, out->reals));
    COMPARE_RESULTS(sub_f64, bool, sub_f64(x, y, count, out->reals));
    COMPARE_RESULTS(mul_f64, bool, mul_f64(x, y, count, out->reals));
    COMPARE_RESULTS(div_f64, bool, div_f64(x, y, count, out->reals));
    COMPARE_RESULTS(add_const_f64, bool, add_const_f64(x, y[0], count, out->reals));
    COMPARE_RESULTS(sub_const_f64, bool, sub_const_f64(x, y[0], count, out->reals));
    COMPARE_RESULTS(const_sub_f64, bool, const_sub_f64(y[0], x, count, out->reals));
    COMPARE_RESULTS(mul_const_f64, bool, mul_const_f64(x, y[0], count, out->reals));
    COMPARE_RESULTS(div_const_f64, bool, div_const_f64(x, y[0], count, out->reals));
    COMPARE_OUTPUTS(i64_to_f64, i64_to_f64(l, count, out->reals));
}

static void check_comparisons(uint32_t count, uint32_t from)
{
    const int64_t *l = ints[0] + from, *r = ints[1] + from;
    const double *x = reals[0] + from, *y = reals[1] + from;
    COMPARE_OUTPUTS(equal_i64, equal_i64(l, r, count, out->words));
    COMPARE_OUTPUTS(less_i64, less_i64(l, r, count, out->words));
    COMPARE_OUTPUTS(equal_f64, equal_f64(x, y, count, out->words));
    COMPARE_OUTPUTS(less_f64, less_f64(x, y, count, out->words));
    COMPARE_OUTPUTS(in_range_i64, in_range_i64(l, count, r[0], r[1], out->words));
    COMPARE_OUTPUTS(in_range_i64, in_range_i64(l, count, INT64_MIN, r[1], out->words));
    COMPARE_OUTPUTS(in_range_f64, in_range_f64(x, count, y[0], y[1], out->words));
    COMPARE_OUTPUTS(in_range_f64, in_range_f64(x, count, -INFINITY, y[1], out->words));
    COMPARE_OUTPUTS(equal_text_word, equal_text_word(words + from, count, 1, out->words));
    for (uint64_t span = 1023; span > 0; span /= 7) {
        COMPARE_OUTPUTS(in_bitmap_i64,
                        in_bitmap_i64(ints[0] + from, count, -7, span, table, out->words));
        COMPARE_OUTPUTS(in_bitmap_i64,
                        in_bitmap_i64(ints[1] + from, count, 5, span, table, out->words));
    }
    COMPARE_OUTPUTS(lookup_bits, lookup_bits(codes + from, count, table, out->words));
}

static void check_bitmaps(uint32_t count, uint32_t from)
{
    const uint64_t *items = (const uint64_t *)ints[0] + from;
    const uint64_t *others = (const uint64_t *)ints[1] + from;
    COMPARE_OUTPUTS(expand_bits, expand_bits(bits, count, out->ints));
    COMPARE_OUTPUTS(blend_u64, blend_u64(items, others, bits, count, out->words));
    COMPARE_OUTPUTS(fill_u64, fill_u64(0x123456789abcdefull, bits, count, out->words));
    // Behind the selected items, up to `count`, anything may be written.
    uint32_t selected[2];
    for (uint32_t which = 0; which < 2; which++) {
        const br_exec_kernels *kernels = begin(which);
        uint64_t clean[ROWS_MAX / 64 + 3];
        memcpy(clean, bits, sizeof clean);
        if (count % 64 != 0) clean[count / 64] &= (1ull << (count % 64)) - 1;
        selected[which] = kernels->compact_u64(items, clean, count, outputs[which].words);
        memset(&outputs[which].words[selected[which]], CANARY, (count - selected[which]) * 8);
    }
    CHECK_INT(selected[0], selected[1]);
    expect_same("compact_u64", count);
    for (uint32_t which = 0; which < 2; which++) {
        const br_exec_kernels *kernels = begin(which);
        uint64_t clean[ROWS_MAX / 64 + 3];
        memcpy(clean, bits, sizeof clean);
        if (count % 64 != 0) clean[count / 64] &= (1ull << (count % 64)) - 1;
        selected[which] = kernels->compact_u32(codes + from, clean, count, outputs[which].codes);
        memset(&outputs[which].codes[selected[which]], CANARY, (count - selected[which]) * 4);
    }
    CHECK_INT(selected[0], selected[1]);
    expect_same("compact_u32", count);
}

static void check_reductions(uint32_t count, uint32_t from)
{
    const int64_t *l = ints[0] + from;
    COMPARE_OUTPUTS(hash_i64, hash_i64(l, count, out->words));
    COMPARE_RESULTS(sum_i64, int64_t, sum_i64(l, count));
    double finite[ROWS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        finite[i] = isinf(reals[0][i + from]) ? -0.0 : reals[0][i + from];
    }
    COMPARE_RESULTS(sum_f64, double, sum_f64(finite, count));
    if (count > 0)
        COMPARE_OUTPUTS(min_max_i64, min_max_i64(l, count, &out->ints[0], &out->ints[1]));
}

static void check_all(uint32_t count)
{
    uint32_t from = (uint32_t)(random_word() % 7);
    check_arithmetic(count, from);
    check_comparisons(count, from);
    check_bitmaps(count, from);
    check_reductions(count, from);
}

static void test_kernels_agree_with_plain_c(void)
{
    for (uint32_t count = 0; count <= 130; count++) {
        fill_inputs();
        check_all(count);
    }
    for (uint32_t round = 0; round < 20; round++) {
        fill_inputs();
        check_all((uint32_t)(random_word() % (ROWS_MAX - 8)));
    }
}

// ---- text ------------------------------------------------------------------------------------

// Few letters, so that needles are found; texts end at the end of the array, so that reading past
// them is seen by the sanitizer.
static char *fill_text(size_t size, uint32_t alphabet)
{
    static const char letters[] = "abAB[{@`\xc3\xa4\xe2\x82\x80xyz";
    char *start = text + sizeof text - size;
    for (size_t i = 0; i < size; i++) start[i] = letters[random_word() % alphabet];
    if (alphabet == 16 && random_word() % 3 == 0 && size > 0)
        start[random_word() % size] = 0;
    return start;
}

static void test_text_kernels_agree_with_plain_c(void)
{
    char needle[200];
    uint32_t found = 0;
    for (uint32_t round = 0; round < 30000; round++) {
        uint32_t alphabet = 2 + (uint32_t)(random_word() % 15);
        size_t size = random_word() % (round % 10 == 0 ? 1000 : 140);
        const char *start = fill_text(size, alphabet);
        CHECK_INT(other->count_chars(start, size), plain->count_chars(start, size));
        size_t needle_size = 1 + random_word() % (round % 20 == 0 ? 150 : 5);
        size_t from = size == 0 ? 0 : random_word() % size;
        for (size_t i = 0; i < needle_size; i++) needle[i] = "abAB[{@`"[random_word() % 8];
        if (needle_size < size && random_word() % 2 == 0)
            memcpy(needle, start + random_word() % (size - needle_size), needle_size);
        size_t at = plain->find_bytes(start, size, from, needle, needle_size);
        CHECK_INT(other->find_bytes(start, size, from, needle, needle_size), at);
        for (size_t i = 0; i < needle_size; i++) {
            if (needle[i] >= 'A' && needle[i] <= 'Z') needle[i] = (char)(needle[i] + 32);
        }
        at = plain->find_bytes_nocase(start, size, from, needle, needle_size);
        CHECK_INT(other->find_bytes_nocase(start, size, from, needle, needle_size), at);
        found += at < size;
    }
    CHECK(found > 1000);
}

static void test_plain_kernels_do_what_they_say(void)
{
    const br_exec_kernels *kernels = &br_exec_kernels_scalar;
    int64_t left[] = {INT64_MAX, 1, -5}, right[] = {1, 2, -5}, sums[3];
    uint64_t result[1];
    double thirds[] = {1.0, 0.0, 3.0}, zeros[] = {0.0, 2.0, 1.0}, quotients[3];
    CHECK(kernels->add_checked_i64(left, right, 3, sums));
    CHECK_INT(sums[0], INT64_MIN);
    CHECK(!kernels->add_checked_i64(left + 1, right + 1, 2, sums));
    CHECK(kernels->mul_checked_i64((int64_t[]){3037000500}, (int64_t[]){3037000500}, 1, sums));
    CHECK(!kernels->mul_checked_i64((int64_t[]){3037000499}, (int64_t[]){3037000499}, 1, sums));
    CHECK(kernels->div_f64(thirds, zeros, 3, quotients));
    CHECK(!kernels->div_f64(thirds + 1, zeros + 1, 2, quotients));
    kernels->in_range_i64(left, 3, -5, 1, result);
    CHECK_INT(result[0], 6);
    kernels->less_i64(left, right, 3, result);
    CHECK_INT(result[0], 2);
    CHECK_INT(kernels->count_chars("a\xc3\xa4\0b", 5), 2);
    CHECK_INT(kernels->count_chars("a\x80\x80", 3), 3);
    CHECK_INT(kernels->find_bytes_nocase("xABCd", 5, 0, "abc", 3), 1);
    CHECK_INT(kernels->find_bytes_nocase("x[BCd", 5, 0, "{bc", 3), 5);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 4711;
    printf("seed %" PRIu64 "\n", seed);
    random_state = seed * 2 + 1;
    plain = br_exec_kernels_for(BR_ISA_SCALAR);
    RUN(test_plain_kernels_do_what_they_say);
    for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
        other = br_exec_kernels_for(isa);
        CHECK_TEXT(other->isa, br_isa_name(isa));
        RUN(test_kernels_agree_with_plain_c);
        RUN(test_text_kernels_agree_with_plain_c);
    }
    return test_result();
}
