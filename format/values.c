// values.c - what one pass over values tells the chooser.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/hash.h"
#include "base/heap.h"
#include "format/sketch.h"

enum { LINEAR_BITS_LOG2 = 17 };  // twice as many bits as rows: linear counting errs by below 1 %

static void integer_traits(const br_values *values, br_traits *traits)
{
    const int64_t *integers = (const int64_t *)values->payloads;
    const uint64_t *payloads = values->payloads;
    uint32_t count = values->row_count;
    int64_t low = integers[0], high = integers[0];
    for (uint32_t i = 1; i < count; i++) {
        low = integers[i] < low ? integers[i] : low;
        high = integers[i] > high ? integers[i] : high;
    }
    uint64_t step = count > 1 ? payloads[1] - payloads[0] : 0;
    uint32_t changes = 0, other_steps = 0;
    for (uint32_t i = 1; i < count; i++) {
        changes += payloads[i] != payloads[i - 1];
        other_steps += payloads[i] - payloads[i - 1] != step;
    }
    traits->int_min = low;
    traits->int_max = high;
    traits->run_count = changes + 1;
    traits->is_sequence = other_steps == 0;
}

static void text_traits(const br_values *values, br_traits *traits)
{
    uint32_t runs = 1;
    uint64_t text_bytes = 0;
    for (uint32_t row = 0; row < values->row_count; row++) {
        if (row > 0) runs += !br_values_equal(values, row, row - 1);
        bool is_valid = values->validity == NULL || br_bitmap_get(values->validity, row);
        text_bytes += is_valid ? values->sizes[row] : 0;
    }
    traits->run_count = runs;
    traits->text_bytes = text_bytes;
}

void br_values_traits(const br_values *values, br_traits *traits_out)
{
    br_assert(values->row_count > 0);
    *traits_out = (br_traits){0};
    if (values->class_ == BR_INT) {
        integer_traits(values, traits_out);
    } else if (values->class_ == BR_REAL) {
        uint32_t changes = 0;
        for (uint32_t i = 1; i < values->row_count; i++)
            changes += values->payloads[i] != values->payloads[i - 1];
        traits_out->run_count = changes + 1;
    } else {
        text_traits(values, traits_out);
    }
}

bool br_values_equal(const br_values *values, uint32_t left, uint32_t right)
{
    if (values->payloads[left] == values->payloads[right])
        return values->sizes == NULL || values->sizes[left] == values->sizes[right];
    if (values->sizes == NULL || values->sizes[left] != values->sizes[right]) return false;
    return memcmp((const void *)(uintptr_t)values->payloads[left],
                  (const void *)(uintptr_t)values->payloads[right], values->sizes[left]) == 0;
}

uint64_t br_values_hash(const br_values *values, uint32_t row)
{
    if (values->sizes == NULL) return br_hash_u64(values->payloads[row]);
    return br_hash_bytes((const void *)(uintptr_t)values->payloads[row], values->sizes[row]);
}

// Linear counting (Whang et al. 1990): the share of bits that no hash hit tells how many hashes
// there were.
static uint32_t linear_count(const uint64_t *bits, uint32_t row_count)
{
    uint32_t used = br_bitmap_count(bits, 1u << LINEAR_BITS_LOG2);
    double total = (double)(1u << LINEAR_BITS_LOG2);
    double estimate = -total * log(1.0 - used / total);
    uint32_t rounded = (uint32_t)(estimate + 0.5);
    if (rounded < used) rounded = used;
    return rounded < row_count ? rounded : row_count;
}

static void linear_add(uint64_t *bits, uint64_t hash)
{
    uint64_t bit = hash >> (64 - LINEAR_BITS_LOG2);
    bits[bit >> 6] |= 1ull << (bit & 63);
}

// Inlined with a constant class for those whose hash takes less time than asking for it.
static inline void count_values(const br_values *values, br_class class_, uint64_t *bits,
                                br_sketch *sketch)
{
    uint64_t before = 0;
    uint32_t before_size = 0;
    for (uint32_t row = 0; row < values->row_count; row++) {
        uint64_t payload = values->payloads[row];
        uint32_t size = values->sizes == NULL ? 0 : values->sizes[row];
        if (row > 0 && payload == before && size == before_size) continue;
        before = payload;
        before_size = size;
        uint64_t hash = br_payload_hash(class_, payload, size);
        linear_add(bits, hash);
        if (sketch != NULL) br_sketch_add(sketch, hash);
    }
}

uint32_t br_values_distinct(const br_values *values, br_sketch *sketch)
{
    uint64_t *bits = br_heap_array((1 << LINEAR_BITS_LOG2) / 64, sizeof *bits);
    if (bits == NULL) return 0;
    switch (values->class_) {
    case BR_INT: count_values(values, BR_INT, bits, sketch); break;
    case BR_REAL: count_values(values, BR_REAL, bits, sketch); break;
    default: count_values(values, values->class_, bits, sketch); break;
    }
    uint32_t count = linear_count(bits, values->row_count);
    br_heap_free(bits);
    return count;
}

uint32_t br_exceptions_distinct(const br_exceptions *exceptions)
{
    if (exceptions->count < 2) return exceptions->count;
    uint64_t *bits = br_heap_array((1 << LINEAR_BITS_LOG2) / 64, sizeof *bits);
    if (bits == NULL) return exceptions->count;
    for (uint32_t i = 0; i < exceptions->count; i++) {
        const br_value *value = &exceptions->values[i];
        bool is_number = value->class_ == BR_INT || value->class_ == BR_REAL;
        uint64_t hash = is_number ? br_hash_u64((uint64_t)value->i64)
                                  : br_hash_bytes(value->text.data, value->text.size);
        linear_add(bits, br_hash_combine(hash, value->class_));
    }
    uint32_t count = linear_count(bits, exceptions->count);
    br_heap_free(bits);
    return count;
}
