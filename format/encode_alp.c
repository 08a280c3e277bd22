// encode_alp.c - REAL values that are short decimals, as integers (ALP, SIGMOD 2024).
//
// A value d becomes the integer round(d * 10^e * 10^-f) and reads back as integer * 10^f * 10^-e,
// each multiplication rounded. e and f are chosen per page; a value that does not read back bit for
// bit (-0.0, infinities, long fractions) is an exception.
//
// Body: u8 e, u8 f, u16 zero, u32 exception_count, u16 row[exceptions] ascending,
// u64 bits[exceptions], INT node of the integers (anything at exceptions).
//
// Reading back is monotonic in the integer: a range of reals is a range of integers.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "format/encoding.h"

enum {
    EXPONENT_MAX = 18,  // 10^18 is the largest that fits an int64; all are exact doubles
    ALP_HEADER_BYTES = 8,
    EXCEPTION_BYTES = 10,
    SAMPLE_ROWS = 128,
    VALUE_BITS_MAX = 56,  // wider: not worth decoding instead of copying
};

static const double powers[EXPONENT_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                1e14, 1e15, 1e16, 1e17, 1e18};
static const double inverse_powers[EXPONENT_MAX + 1] = {
    1e0,   1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8, 1e-9,
    1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18};

typedef struct alp_plan {
    uint32_t e, f;
    int64_t *integers;
    uint32_t exception_count;
    uint16_t *rows;
    uint64_t *bits;
} alp_plan;

// Adding and subtracting 1.5 * 2^52 rounds to the nearest integer; it holds below 2^51.
static bool integer_of(double value, uint32_t e, uint32_t f, int64_t *integer_out)
{
    const double rounder = 6755399441055744.0, limit = 2251799813685248.0;
    double scaled = value * powers[e] * inverse_powers[f];
    if (!(fabs(scaled) < limit)) return false;
    int64_t integer = (int64_t)((scaled + rounder) - rounder);
    double back = (double)integer * powers[f] * inverse_powers[e];
    *integer_out = integer;
    return br_bits_of_real(back) == br_bits_of_real(value);
}

// Bits per value over a sample, exceptions included.
static uint32_t sample_bits(const double *sample, uint32_t count, uint32_t e, uint32_t f)
{
    int64_t low = INT64_MAX, high = INT64_MIN, integer;
    uint32_t exceptions = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!integer_of(sample[i], e, f, &integer)) {
            exceptions++;
            continue;
        }
        low = integer < low ? integer : low;
        high = integer > high ? integer : high;
    }
    uint64_t span = exceptions < count ? (uint64_t)high - (uint64_t)low : 0;
    uint32_t width = span == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(span);
    return width * count + exceptions * EXCEPTION_BYTES * 8;
}

// False: no pair of exponents makes these values short.
static bool pick_exponents(const br_values *values, uint32_t *e_out, uint32_t *f_out)
{
    double sample[SAMPLE_ROWS];
    uint32_t count = values->row_count < SAMPLE_ROWS ? values->row_count : SAMPLE_ROWS;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t row = (uint64_t)i * values->row_count / count;
        sample[i] = br_real_of_bits(values->payloads[row]);
    }
    uint32_t best = UINT32_MAX;
    for (uint32_t e = 0; e <= EXPONENT_MAX; e++) {
        for (uint32_t f = 0; f <= e; f++) {
            uint32_t bits = sample_bits(sample, count, e, f);
            // Of equals the larger e wins: it reads back more of the values not sampled.
            if (bits > best) continue;
            best = bits;
            *e_out = e;
            *f_out = f;
        }
    }
    return best <= VALUE_BITS_MAX * count;
}

static br_status plan_new(br_encoder *encoder, uint32_t row_count, alp_plan **plan_out,
                          br_error *err)
{
    alp_plan *plan = BR_ALLOC(encoder->arena, alp_plan, 1);
    if (plan == NULL) return br_fail_nomem(err, sizeof *plan);
    plan->integers = br_arena_alloc(encoder->arena, row_count * sizeof(int64_t), 64);
    plan->rows = br_arena_alloc(encoder->arena, row_count * sizeof(uint16_t), 2);
    plan->bits = br_arena_alloc(encoder->arena, row_count * sizeof(uint64_t), 8);
    if (plan->integers == NULL || plan->rows == NULL || plan->bits == NULL)
        return br_fail_nomem(err, row_count * 18ull);
    *plan_out = plan;
    return BR_OK;
}

// Exceptions repeat the integer before them, so that they do not widen the vector.
static void make_integers(const br_values *values, alp_plan *plan)
{
    int64_t before = 0;
    bool has_before = false;
    for (uint32_t row = 0; row < values->row_count; row++) {
        int64_t integer = 0;
        if (integer_of(br_real_of_bits(values->payloads[row]), plan->e, plan->f, &integer)) {
            if (!has_before)
                for (uint32_t i = 0; i < row; i++) plan->integers[i] = integer;
            has_before = true;
            before = integer;
        } else {
            plan->rows[plan->exception_count] = (uint16_t)row;
            plan->bits[plan->exception_count++] = values->payloads[row];
        }
        plan->integers[row] = before;
    }
}

static br_status alp_estimate(br_encoder *encoder, const br_values *values,
                              const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)traits;
    uint32_t e = 0, f = 0;
    if (!pick_exponents(values, &e, &f)) return BR_OK;
    alp_plan *plan = NULL;
    BR_TRY(plan_new(encoder, values->row_count, &plan, err));
    plan->e = e;
    plan->f = f;
    make_integers(values, plan);
    uint64_t size_bytes;
    BR_TRY(br_integers_estimate(encoder, plan->integers, values->row_count, &size_bytes, err));
    size_bytes += ALP_HEADER_BYTES + (uint64_t)plan->exception_count * EXCEPTION_BYTES;
    *out = (br_estimate){.size_bytes = size_bytes, .plan = plan};
    return BR_OK;
}

static br_status alp_encode(br_encoder *encoder, const br_values *values,
                            const br_estimate *estimate, br_error *err)
{
    const alp_plan *plan = estimate->plan;
    uint8_t head[ALP_HEADER_BYTES] = {(uint8_t)plan->e, (uint8_t)plan->f};
    br_store_u32(head + 4, plan->exception_count);
    BR_TRY(br_append(encoder->out, head, sizeof head, err));
    BR_TRY(br_append(encoder->out, plan->rows, plan->exception_count * sizeof(uint16_t), err));
    BR_TRY(br_append(encoder->out, plan->bits, plan->exception_count * sizeof(uint64_t), err));
    return br_node_encode_integers(encoder, plan->integers, values->row_count, err);
}

// ---- opening and reading ---------------------------------------------------------------------

static br_status alp_open(br_opener *opener, br_node *node, br_error *err)
{
    const uint8_t *head;
    br_alp *alp = &node->alp;
    BR_TRY(br_opener_take(opener, ALP_HEADER_BYTES, "alp header", &head, err));
    uint32_t e = head[0], f = head[1], count = br_load_u32(head + 4);
    if (e > EXPONENT_MAX || f > e) return br_opener_corrupt(opener, err, "alp exponent", f, e);
    if (count > node->row_count)
        return br_opener_corrupt(opener, err, "alp exceptions", count, node->row_count);
    void *rows, *values;
    BR_TRY(br_opener_copy(opener, count * sizeof(uint16_t), "alp rows", &rows, err));
    BR_TRY(br_opener_copy(opener, count * sizeof(double), "alp values", &values, err));
    *alp = (br_alp){.multiplier = powers[f],
                    .scale = inverse_powers[e],
                    .exception_count = count,
                    .rows = rows,
                    .values = values};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = alp->rows[i];
        if (row >= node->row_count || (i > 0 && row <= alp->rows[i - 1]))
            return br_opener_corrupt(opener, err, "alp row", row, node->row_count);
    }
    return br_node_open_child(opener, node->row_count, BR_MASK_INT, &alp->integers, err);
}

// Index of the first exception at or after a row.
static uint32_t exception_from(const br_alp *alp, uint32_t row)
{
    uint32_t low = 0, high = alp->exception_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (alp->rows[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low;
}

static br_status alp_decode(const br_node *node, uint32_t first, uint32_t count, br_arena *arena,
                            br_vector *out, br_error *err)
{
    const br_alp *alp = &node->alp;
    br_vector integers;
    double *values = br_arena_alloc(arena, count * sizeof *values, 64);
    if (values == NULL) return br_fail_nomem(err, count * sizeof *values);
    br_arena_mark mark = br_arena_get_mark(arena);
    BR_TRY(br_integers_decode(alp->integers, first, count, arena, &integers, err));
    node->kernels->alp(integers.i64, count, alp->multiplier, alp->scale, values);
    br_arena_rewind(arena, mark);
    for (uint32_t i = exception_from(alp, first);
         i < alp->exception_count && alp->rows[i] - first < count; i++)
        values[alp->rows[i] - first] = alp->values[i];
    *out = (br_vector){.class_ = BR_REAL, .kind = BR_VECTOR_FLAT, .f64 = values};
    return BR_OK;
}

static br_status alp_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                            uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    const br_alp *alp = &node->alp;
    br_vector integers;
    double *values = br_arena_alloc(arena, count * sizeof *values, 64);
    if (values == NULL) return br_fail_nomem(err, count * sizeof *values);
    br_arena_mark mark = br_arena_get_mark(arena);
    BR_TRY(br_integers_gather(alp->integers, first, positions, count, arena, &integers, err));
    node->kernels->alp(integers.i64, count, alp->multiplier, alp->scale, values);
    br_arena_rewind(arena, mark);
    uint32_t exception = count > 0 ? exception_from(alp, first + positions[0]) : 0;
    for (uint32_t i = 0; i < count && exception < alp->exception_count; i++) {
        uint32_t row = first + positions[i];
        while (exception < alp->exception_count && alp->rows[exception] < row) exception++;
        if (exception < alp->exception_count && alp->rows[exception] == row)
            values[i] = alp->values[exception];
    }
    *out = (br_vector){.class_ = BR_REAL, .kind = BR_VECTOR_FLAT, .f64 = values};
    return BR_OK;
}

static double read_back(const br_alp *alp, int64_t integer)
{
    return (double)integer * alp->multiplier * alp->scale;
}

// The smallest integer that reads back as at least `bound` (or, strict, as more than it), and in
// *found_out whether there is one.
static int64_t integer_bound(const br_alp *alp, double bound, bool is_strict, bool *found_out)
{
    int64_t low = INT64_MIN, high = INT64_MAX, middle;
    double guess = bound / alp->multiplier / alp->scale;
    if (fabs(guess) < 1e15) {
        // The answer is next to the guess but for rounding; what is outside is found the long way.
        int64_t around = (int64_t)guess, below = around - 8, above = around + 8;
        double at_below = read_back(alp, below), at_above = read_back(alp, above);
        if (at_below < bound) low = below;
        if (at_above > bound) high = above;
    }
    double most = read_back(alp, high);
    *found_out = is_strict ? most > bound : most >= bound;
    while (low < high) {
        // Halfway without overflow, towards low.
        middle = (int64_t)((uint64_t)low + ((uint64_t)high - (uint64_t)low) / 2);
        double value = read_back(alp, middle);
        if (is_strict ? value > bound : value >= bound) high = middle;
        else low = middle + 1;
    }
    return low;
}

static void alp_range(const br_node *node, uint32_t first, uint32_t count, br_real_range range,
                      uint64_t *bits_out)
{
    const br_alp *alp = &node->alp;
    const br_node *integers = alp->integers;
    bool has_low, has_past;
    int64_t low = integer_bound(alp, range.low, false, &has_low);
    int64_t past = integer_bound(alp, range.high, true, &has_past);
    // past is INT64_MIN when every integer reads back as more than the range.
    bool is_empty = !(range.low <= range.high) || !has_low || (has_past && past == INT64_MIN);
    int64_t high = is_empty ? 0 : has_past ? past - 1 : INT64_MAX;
    if (is_empty) low = 1;
    integers->ops->integers->range(integers, first, count, low, high, bits_out);
    for (uint32_t i = exception_from(alp, first);
         i < alp->exception_count && alp->rows[i] - first < count; i++) {
        bool passes = range.low <= alp->values[i] && alp->values[i] <= range.high;
        if (passes) br_bitmap_set(bits_out, alp->rows[i] - first);
        else br_bitmap_clear(bits_out, alp->rows[i] - first);
    }
}

static br_status alp_select(const br_node *node, const br_selection *selection,
                            uint64_t *bits_out, bool *done_out, br_error *err)
{
    (void)err;
    *done_out = selection->filter->kind != BR_FILTER_PREDICATE;
    if (!*done_out) return BR_OK;
    br_real_range range = br_filter_reals(selection->filter);
    alp_range(node, selection->first, selection->count, range, bits_out);
    if (range.is_negated) br_bits_negate(bits_out, selection->count);
    return BR_OK;
}

const br_encoding_ops br_encode_alp = {
    .name = "alp",
    .class_mask = BR_MASK_REAL,
    .estimate = alp_estimate,
    .encode = alp_encode,
    .open = alp_open,
    .decode = alp_decode,
    .gather = alp_gather,
    .select = alp_select,
};
