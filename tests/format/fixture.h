// fixture.h - columns of many shapes, and pages made from them.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_FORMAT_FIXTURE_H
#define BR_TESTS_FORMAT_FIXTURE_H

#include "base/hash.h"
#include "format/format.h"
#include "tests/test.h"

typedef struct fixture_page {
    br_buffer bytes;
    br_page_entry entry;
    br_page *page;
} fixture_page;

// Appends one value of a shape to a column. Shapes are functions so that tests can be tables.
typedef struct fixture_shape {
    const char *name;
    br_encoding encoding;  // what the encoder is expected to choose, BR_ENCODING_COUNT: whatever
    br_value (*value)(uint64_t *seed, uint32_t row, char *text);  // room for 300 bytes
    uint32_t null_percent;
} fixture_shape;

static inline br_value fixture_text(const char *text)
{
    return br_value_text(br_text_make(text, (uint32_t)strlen(text)));
}

static inline br_value fixture_dense_key(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)text;
    return br_value_int(1000 + (int64_t)row);
}
static inline br_value fixture_one_int(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)row, (void)text;
    return br_value_int(-7);
}
static inline br_value fixture_one_text(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)row, (void)text;
    return fixture_text("the only text there is");
}
static inline br_value fixture_one_real(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)row, (void)text;
    return br_value_real(-0.0);
}
static inline br_value fixture_small_int(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    return br_value_int((int64_t)(test_random(seed) % 100) - 50);
}
static inline br_value fixture_medium_int(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    return br_value_int((int64_t)(test_random(seed) % 3000000));
}
static inline br_value fixture_any_int(uint64_t *seed, uint32_t row, char *text)
{
    (void)text;
    if (row % 1001 == 0) return br_value_int(INT64_MIN);
    if (row % 1003 == 0) return br_value_int(INT64_MAX);
    return br_value_int((int64_t)test_random(seed));
}
// Every vector has its own width, from 0 to 63 bits.
static inline br_value fixture_widths(uint64_t *seed, uint32_t row, char *text)
{
    (void)text;
    uint32_t width = row / 1024 % 64;
    uint64_t low = width == 0 ? 0 : test_random(seed) >> (64 - width);
    return br_value_int((int64_t)((uint64_t)INT64_MIN + row / 1024 * 999 + low));
}
static inline br_value fixture_key_with_gaps(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)text;
    return br_value_int((int64_t)row / 3 * 10 + row % 3);
}
static inline br_value fixture_long_runs(uint64_t *seed, uint32_t row, char *text)
{
    (void)text, (void)seed;
    return br_value_int((int64_t)(row / 700 * 7919 % 1009) * 1000003);
}
static inline br_value fixture_repeated_ids(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    return br_value_int((int64_t)br_hash_u64(test_random(seed) % 3000));
}
static inline br_value fixture_repeated_reals(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    uint64_t pick = test_random(seed) % 1000;
    return br_value_real(pick == 0 ? -0.0 : pick == 1 ? 0.0 : 1.0 / (double)pick);
}
static inline br_value fixture_price(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    return br_value_real((double)(test_random(seed) % 10000000) / 100.0);
}
static inline br_value fixture_price_with_odd_ones(uint64_t *seed, uint32_t row, char *text)
{
    (void)text;
    const double odd[] = {-0.0, 1e300, -1e300, 5e-324, 0.1 + 0.2, 1.0 / 3.0};
    if (row % 97 == 0) return br_value_real(odd[row / 97 % 6]);
    if (row % 89 == 0) return br_value_real(row % 2 ? __builtin_inf() : -__builtin_inf());
    return br_value_real((double)(int64_t)(test_random(seed) % 2000 - 1000) / 10.0);
}
static inline br_value fixture_any_real(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    return br_value_real((double)test_random(seed) / 1.8446744073709552e19 - 0.5);
}
static inline br_value fixture_real_runs(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)text;
    return br_value_real(1.0 / (double)(row / 500 + 3));
}
static inline br_value fixture_color(uint64_t *seed, uint32_t row, char *text)
{
    (void)row, (void)text;
    const char *colors[] = {"red", "green", "blue", "", "a color with a longer name", "rec"};
    return fixture_text(colors[test_random(seed) % 6]);
}
static inline br_value fixture_many_words(uint64_t *seed, uint32_t row, char *text)
{
    (void)row;
    snprintf(text, 300, "word %" PRIu64, test_random(seed) % 5000 * 7919);
    return fixture_text(text);
}
static inline br_value fixture_sorted_words(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed;
    snprintf(text, 300, "word %05u", row / 300);
    return fixture_text(text);
}
static inline br_value fixture_comment(uint64_t *seed, uint32_t row, char *text)
{
    uint64_t bits = test_random(seed);
    uint32_t size = (uint32_t)snprintf(text, 300, "%" PRIx64 " carefully final packages %u",
                                       bits, row);
    return br_value_text(br_text_make(text, size - (uint32_t)(bits % 20)));
}
static inline br_value fixture_bytes(uint64_t *seed, uint32_t row, char *text)
{
    (void)row;
    uint32_t size = (uint32_t)(test_random(seed) % 30);
    for (uint32_t i = 0; i < size; i++) text[i] = (char)test_random(seed);
    return br_value_blob(br_text_make(text, size));
}
static inline br_value fixture_text_with_nuls(uint64_t *seed, uint32_t row, char *text)
{
    uint64_t bits = test_random(seed);
    memset(text, 0, 16);
    memcpy(text + bits % 3, &bits, 2);
    text[5] = (char)row;
    return br_value_text(br_text_make(text, (uint32_t)(bits >> 32) % 9));
}
static inline br_value fixture_date(uint64_t *seed, uint32_t row, char *text)
{
    (void)row;
    br_date_format(8000 + (int64_t)(test_random(seed) % 2500), text);
    return br_value_text(br_text_make(text, 10));
}
static inline br_value fixture_sorted_date(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed;
    br_date_format(-700000 + (int64_t)(row / 40), text);
    return br_value_text(br_text_make(text, 10));
}
static inline br_value fixture_datetime(uint64_t *seed, uint32_t row, char *text)
{
    (void)row;
    br_datetime_format((int64_t)(test_random(seed) % 4000000000u) - 1000000000, text);
    return br_value_text(br_text_make(text, 19));
}
static inline br_value fixture_almost_date(uint64_t *seed, uint32_t row, char *text)
{
    if (row == 5000) return fixture_text("1999-02-29");
    return fixture_date(seed, row, text);
}
static inline br_value fixture_int_with_strays(uint64_t *seed, uint32_t row, char *text)
{
    if (row % 331 == 0) return fixture_color(seed, row, text);
    if (row % 337 == 0) return fixture_bytes(seed, row, text);
    if (row % 347 == 0) return br_value_real(0.25 * row);
    return br_value_int(row % 4096);
}
static inline br_value fixture_date_with_strays(uint64_t *seed, uint32_t row, char *text)
{
    if (row % 331 == 0) return br_value_int(row);
    return fixture_date(seed, row, text);
}
static inline br_value fixture_everything(uint64_t *seed, uint32_t row, char *text)
{
    switch (test_random(seed) % 4) {
    case 0: return fixture_small_int(seed, row, text);
    case 1: return fixture_price(seed, row, text);
    case 2: return fixture_color(seed, row, text);
    default: return fixture_bytes(seed, row, text);
    }
}
static inline br_value fixture_null(uint64_t *seed, uint32_t row, char *text)
{
    (void)seed, (void)row, (void)text;
    return br_value_null();
}

#define FIXTURE_ANY BR_ENCODING_COUNT
static const fixture_shape fixture_shapes[] = {
    {"dense key", BR_ENCODING_SEQUENCE, fixture_dense_key, 0},
    {"dense key with nulls", FIXTURE_ANY, fixture_dense_key, 10},
    {"one int", BR_ENCODING_CONSTANT, fixture_one_int, 0},
    {"one int with nulls", BR_ENCODING_CONSTANT, fixture_one_int, 50},
    {"one text", BR_ENCODING_CONSTANT, fixture_one_text, 0},
    {"one text with nulls", BR_ENCODING_CONSTANT, fixture_one_text, 3},
    {"one real", BR_ENCODING_CONSTANT, fixture_one_real, 0},
    {"null", BR_ENCODING_CONSTANT, fixture_null, 0},
    {"small int", BR_ENCODING_BITPACK, fixture_small_int, 0},
    {"small int with nulls", BR_ENCODING_BITPACK, fixture_small_int, 20},
    {"medium int", BR_ENCODING_BITPACK, fixture_medium_int, 0},
    {"any int", FIXTURE_ANY, fixture_any_int, 0},
    {"any int mostly null", FIXTURE_ANY, fixture_any_int, 99},
    {"widths", BR_ENCODING_BITPACK, fixture_widths, 0},
    {"key with gaps", BR_ENCODING_BITPACK, fixture_key_with_gaps, 0},
    {"long runs", BR_ENCODING_RLE, fixture_long_runs, 0},
    {"long runs with nulls", BR_ENCODING_RLE, fixture_long_runs, 1},
    {"repeated ids", BR_ENCODING_DICT, fixture_repeated_ids, 0},
    {"repeated ids with nulls", BR_ENCODING_DICT, fixture_repeated_ids, 10},
    {"repeated reals", BR_ENCODING_DICT, fixture_repeated_reals, 0},
    {"price", BR_ENCODING_ALP, fixture_price, 0},
    {"price with nulls", BR_ENCODING_ALP, fixture_price, 30},
    {"price with odd ones", BR_ENCODING_ALP, fixture_price_with_odd_ones, 0},
    {"any real", BR_ENCODING_RAW, fixture_any_real, 0},
    {"any real with nulls", BR_ENCODING_RAW, fixture_any_real, 5},
    {"real runs", BR_ENCODING_RLE, fixture_real_runs, 0},
    {"color", BR_ENCODING_DICT, fixture_color, 0},
    {"color with nulls", BR_ENCODING_DICT, fixture_color, 25},
    {"many words", BR_ENCODING_DICT, fixture_many_words, 0},
    {"sorted words", BR_ENCODING_RLE, fixture_sorted_words, 0},
    {"comment", BR_ENCODING_RAW, fixture_comment, 0},
    {"comment with nulls", BR_ENCODING_RAW, fixture_comment, 40},
    {"bytes", BR_ENCODING_RAW, fixture_bytes, 0},
    {"text with nuls", FIXTURE_ANY, fixture_text_with_nuls, 5},
    {"date", BR_ENCODING_DATE, fixture_date, 0},
    {"date with nulls", BR_ENCODING_DATE, fixture_date, 15},
    {"sorted date", BR_ENCODING_DATE, fixture_sorted_date, 0},
    {"datetime", BR_ENCODING_DATETIME, fixture_datetime, 0},
    {"almost date", BR_ENCODING_DICT, fixture_almost_date, 0},
    {"int with strays", BR_ENCODING_MIXED, fixture_int_with_strays, 0},
    {"int with strays and nulls", BR_ENCODING_MIXED, fixture_int_with_strays, 10},
    {"date with strays", BR_ENCODING_MIXED, fixture_date_with_strays, 2},
    {"everything", BR_ENCODING_MIXED, fixture_everything, 10},
};
enum { FIXTURE_SHAPES = sizeof fixture_shapes / sizeof fixture_shapes[0] };

static inline void fixture_fill(const fixture_shape *shape, uint32_t row_count, uint64_t *seed,
                                br_column *column)
{
    br_error err = {0};
    char text[300];
    for (uint32_t row = 0; row < row_count; row++) {
        br_value value = shape->value(seed, row, text);
        if (test_random(seed) % 100 < shape->null_percent) value = br_value_null();
        MUST(br_column_append(column, &value, &err), err);
    }
}

static inline void fixture_open(const br_column *column, br_encode_effort effort,
                                const br_format_kernels *kernels, fixture_page *out)
{
    br_error err = {0};
    *out = (fixture_page){0};
    MUST(br_page_encode(column, effort, &out->bytes, &out->entry, NULL, &err), err);
    MUST(br_page_open(out->bytes.bytes, out->entry.stored_bytes, &out->entry, kernels, "test page",
                      NULL, &out->page, &err),
         err);
}

static inline void fixture_close(fixture_page *page)
{
    br_page_free(page->page);
    br_buffer_release(&page->bytes);
}

static inline bool fixture_equal(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    switch (left->class_) {
    case BR_NULL: return true;
    case BR_INT: return left->i64 == right->i64;
    case BR_REAL: return memcmp(&left->f64, &right->f64, sizeof left->f64) == 0;
    default: return br_text_equal(left->text, right->text);
    }
}

#endif
