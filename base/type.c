// type.c - comparing values the way SQLite does.
// SPDX-License-Identifier: Apache-2.0
#include "base/type.h"

#include <string.h>

#include "base/assert.h"
#include "base/collator.h"

br_class br_class_of_mask(unsigned mask)
{
    switch (mask & (BR_MASK_ALL & ~(unsigned)BR_MASK_NULL)) {
    case 0: return BR_NULL;
    case BR_MASK_INT: return BR_INT;
    case BR_MASK_REAL: return BR_REAL;
    case BR_MASK_TEXT: return BR_TEXT;
    case BR_MASK_BLOB: return BR_BLOB;
    default: return BR_ANY;
    }
}

const char *br_class_name(br_class class_)
{
    static const char *const names[] = {"null", "integer", "real", "text", "blob", "any"};
    return (unsigned)class_ <= BR_ANY ? names[class_] : "?";
}

static int compare_sizes(uint32_t left, uint32_t right) { return (left > right) - (left < right); }

static int compare_bytes(const char *left, uint32_t left_size, const char *right,
                         uint32_t right_size)
{
    uint32_t shared = left_size < right_size ? left_size : right_size;
    int order = shared ? memcmp(left, right, shared) : 0;
    return order != 0 ? order : compare_sizes(left_size, right_size);
}

int br_text_compare(br_text left, br_text right)
{
    // Zero padding is right for shorter texts: 0 is the least byte, and ties go on to the bytes.
    if (left.prefix != right.prefix) return left.prefix < right.prefix ? -1 : 1;
    if (left.size <= 4 && right.size <= 4) return compare_sizes(left.size, right.size);
    return compare_bytes(left.data, left.size, right.data, right.size);
}

bool br_text_equal(br_text left, br_text right)
{
    if (left.size != right.size || left.prefix != right.prefix) return false;
    return left.size <= 4 || memcmp(left.data, right.data, left.size) == 0;
}

static unsigned fold(char byte)
{
    unsigned char c = (unsigned char)byte;
    return c >= 'A' && c <= 'Z' ? c + 32u : c;
}

// As SQLite does, stops at a NUL byte that both have: behind it only the sizes count.
static int compare_nocase(br_text left, br_text right)
{
    uint32_t shared = left.size < right.size ? left.size : right.size;
    for (uint32_t i = 0; i < shared; i++) {
        unsigned l = fold(left.data[i]), r = fold(right.data[i]);
        if (l != r) return l < r ? -1 : 1;
        if (l == 0) break;
    }
    return compare_sizes(left.size, right.size);
}

static uint32_t size_without_spaces(br_text text)
{
    uint32_t size = text.size;
    while (size > 0 && text.data[size - 1] == ' ') size--;
    return size;
}

const char *br_collation_name(br_collation collation)
{
    static const char *const names[BR_COLLATION_COUNT] = {"BINARY", "NOCASE", "RTRIM"};
    const br_collator *collator = br_collation_collator(collation);
    return collator != NULL ? br_collator_name(collator) : names[collation];
}

int br_text_collate(br_text left, br_text right, br_collation collation)
{
    if (collation == BR_COLLATION_NOCASE) return compare_nocase(left, right);
    if (collation == BR_COLLATION_BINARY) return br_text_compare(left, right);
    if (collation != BR_COLLATION_RTRIM)
        return br_collator_compare(br_collation_collator(collation), left, right);
    return compare_bytes(left.data, size_without_spaces(left), right.data,
                         size_without_spaces(right));
}

int br_int_real_compare(int64_t left, double right)
{
    const double two_to_63 = 9223372036854775808.0;
    if (right < -two_to_63) return 1;
    if (right >= two_to_63) return -1;
    int64_t whole = (int64_t)right;
    if (left != whole) return left < whole ? -1 : 1;
    double fraction = right - (double)whole;  // exact: below 2^53 there is one, above it is 0
    return (fraction < 0) - (fraction > 0);
}

// NULL, numbers, TEXT, BLOB.
static int rank(uint8_t class_)
{
    static const uint8_t ranks[] = {0, 1, 1, 2, 3};
    br_assert(class_ < BR_ANY);
    return ranks[class_];
}

static int compare_numbers(const br_value *left, const br_value *right)
{
    if (left->class_ == BR_INT && right->class_ == BR_INT)
        return (left->i64 > right->i64) - (left->i64 < right->i64);
    if (left->class_ == BR_INT) return br_int_real_compare(left->i64, right->f64);
    if (right->class_ == BR_INT) return -br_int_real_compare(right->i64, left->f64);
    return (left->f64 > right->f64) - (left->f64 < right->f64);
}

int br_value_compare(const br_value *left, const br_value *right, br_collation collation)
{
    int left_rank = rank(left->class_), right_rank = rank(right->class_);
    if (left_rank != right_rank) return left_rank < right_rank ? -1 : 1;
    switch (left->class_) {
    case BR_NULL: return 0;
    case BR_TEXT: return br_text_collate(left->text, right->text, collation);
    case BR_BLOB: return br_text_compare(left->text, right->text);
    default: return compare_numbers(left, right);
    }
}
