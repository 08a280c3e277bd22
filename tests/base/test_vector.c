// test_vector.c - every kind of vector read, flattened and gathered; the calendar.
// SPDX-License-Identifier: Apache-2.0
#include "base/vector.h"

#include <time.h>

#include "tests/test.h"

enum { ROWS = 200 };

static br_arena *arena;
static br_error err;

static br_text text(const char *bytes) { return br_text_make(bytes, (uint32_t)strlen(bytes)); }

// What each kind of vector is made of; row i is NULL when i % 7 == 3.
typedef struct fixture {
    int64_t numbers[ROWS];
    double reals[ROWS];
    br_text texts[ROWS];
    br_value values[ROWS];
    uint32_t codes[ROWS];
    br_text words[3];
    uint64_t validity[(ROWS + 63) / 64];
    br_dictionary dictionary;
    br_value constant;
} fixture;

static bool row_is_null(uint32_t row) { return row % 7 == 3; }

static void fill_fixture(fixture *f)
{
    static const char *const words[] = {"zero", "one", "two"};
    memset(f, 0, sizeof *f);
    for (uint32_t i = 0; i < ROWS; i++) {
        f->numbers[i] = (int64_t)i * 1000 - 50000;
        f->reals[i] = i * 0.5;
        f->texts[i] = text(words[i % 3]);
        f->codes[i] = (i * 5) % 3;
        f->values[i] = i % 2 ? br_value_int(i) : br_value_text(text("even"));
        if (row_is_null(i)) f->values[i] = br_value_null();
        else br_bitmap_set(f->validity, i);
    }
    for (int i = 0; i < 3; i++) f->words[i] = text(words[i]);
    f->dictionary = (br_dictionary){.id = 1, .size = 3,
        .values = {.class_ = BR_TEXT, .text = f->words}};
    f->constant = br_value_text(text("constant"));
}

enum { CASES = 10 };

static br_vector make_case(const fixture *f, int number)
{
    br_vector v = {.validity = f->validity};
    switch (number) {
    case 0: v.class_ = BR_INT; v.i64 = f->numbers; return v;
    case 1: v.class_ = BR_REAL; v.f64 = f->reals; return v;
    case 2: v.class_ = BR_TEXT; v.text = f->texts; return v;
    case 3: v.class_ = BR_BLOB; v.text = f->texts; return v;
    case 4: v.class_ = BR_ANY; v.any = f->values; v.validity = NULL; return v;
    case 5:
        v.class_ = BR_TEXT, v.kind = BR_VECTOR_DICT;
        v.codes = f->codes, v.dictionary = &f->dictionary;
        return v;
    case 6: v.class_ = BR_TEXT; v.kind = BR_VECTOR_DATE; v.i64 = f->numbers; return v;
    case 7: v.class_ = BR_TEXT; v.kind = BR_VECTOR_DATETIME; v.i64 = f->numbers; return v;
    case 8: return br_vector_const(&f->constant);
    default: return br_vector_null();
    }
}

static bool same(br_value left, br_value right)
{
    return left.class_ == right.class_ &&
           br_value_compare(&left, &right, BR_COLLATION_BINARY) == 0;
}

static void test_vector_value_of_each_kind(void)
{
    fixture f;
    fill_fixture(&f);
    br_vector cases[CASES];
    for (int i = 0; i < CASES; i++) cases[i] = make_case(&f, i);
    CHECK_INT(br_vector_value(&cases[0], 1, arena).i64, -49000);
    CHECK(br_vector_value(&cases[1], 5, arena).f64 == 2.5);
    CHECK(same(br_vector_value(&cases[2], 4, arena), br_value_text(text("one"))));
    CHECK(same(br_vector_value(&cases[3], 4, arena), br_value_blob(text("one"))));
    CHECK(same(br_vector_value(&cases[4], 1, arena), br_value_int(1)));
    CHECK(same(br_vector_value(&cases[5], 1, arena), br_value_text(text("two"))));
    CHECK(same(br_vector_value(&cases[6], 50, arena), br_value_text(text("1970-01-01"))));
    CHECK(same(br_vector_value(&cases[7], 50, arena), br_value_text(text("1970-01-01 00:00:00"))));
    CHECK(same(br_vector_value(&cases[7], 49, arena), br_value_text(text("1969-12-31 23:43:20"))));
    CHECK(same(br_vector_value(&cases[8], 77, arena), f.constant));
    for (uint32_t row = 0; row < ROWS; row++) {
        CHECK(br_vector_is_null(&cases[9], row));
        CHECK(!br_vector_is_null(&cases[8], row));
        for (int i = 0; i < 8; i++) CHECK(br_vector_is_null(&cases[i], row) == row_is_null(row));
    }
}

static void test_vector_flatten_and_to_any_keep_values(void)
{
    fixture f;
    fill_fixture(&f);
    // Dates have no text outside of the years 0000 to 9999: a NULL row may hold such a number.
    f.numbers[3] = INT64_MAX / 100000;
    for (int i = 0; i < CASES; i++) {
        br_vector v = make_case(&f, i), flat, any;
        MUST(br_vector_flatten(&v, ROWS, arena, &flat, &err), err);
        MUST(br_vector_to_any(&v, ROWS, arena, &any, &err), err);
        CHECK(flat.kind == BR_VECTOR_FLAT || v.class_ == BR_NULL);
        CHECK_INT(flat.class_, v.class_);
        CHECK(any.kind == BR_VECTOR_FLAT && any.class_ == BR_ANY && any.validity == NULL);
        for (uint32_t row = 0; row < ROWS; row++) {
            br_value value = br_vector_value(&v, row, arena);
            CHECK(same(br_vector_value(&flat, row, arena), value));
            CHECK(same(any.any[row], value));
        }
        MUST(br_vector_flatten(&v, ROWS, arena, &v, &err), err);
        CHECK_INT(v.kind, flat.kind);
    }
}

static void test_vector_gather_keeps_kind_and_picks_rows(void)
{
    fixture f;
    fill_fixture(&f);
    uint16_t positions[150];
    for (uint32_t i = 0; i < 150; i++) positions[i] = (uint16_t)(i * 37 % ROWS);
    for (int i = 0; i < CASES; i++) {
        br_vector v = make_case(&f, i), picked;
        MUST(br_vector_gather(&v, positions, 150, arena, &picked, &err), err);
        CHECK_INT(picked.kind, v.kind);
        CHECK_INT(picked.class_, v.class_);
        for (uint32_t row = 0; row < 150; row++) {
            CHECK(same(br_vector_value(&picked, row, arena),
                       br_vector_value(&v, positions[row], arena)));
        }
    }
}

static void test_vector_out_of_memory(void)
{
    fixture f;
    fill_fixture(&f);
    br_quota none;
    br_quota_init(&none, 0, NULL);
    br_arena *empty = br_arena_new(&none);
    uint16_t positions[2] = {1, 2};
    br_vector date = make_case(&f, 6), out;
    CHECK_INT(br_vector_flatten(&date, ROWS, empty, &out, &err), BR_NOMEM);
    CHECK_INT(br_vector_to_any(&date, ROWS, empty, &out, &err), BR_NOMEM);
    CHECK_INT(br_vector_gather(&date, positions, 2, empty, &out, &err), BR_NOMEM);
    br_arena_reset(empty);
    CHECK(!br_arena_failed(empty));
    CHECK_INT(br_vector_value(&date, 0, empty).class_, BR_NULL);
    CHECK(br_arena_failed(empty));
    br_arena_free(empty);
}

static void test_vector_dictionary_of_nothing(void)
{
    uint32_t codes[2] = {0, 0};
    uint64_t validity = 0;
    br_dictionary dictionary = {.id = 2, .size = 0, .values = {.class_ = BR_INT}};
    br_vector v = {.class_ = BR_INT, .kind = BR_VECTOR_DICT, .codes = codes,
                   .validity = &validity, .dictionary = &dictionary}, flat;
    MUST(br_vector_flatten(&v, 2, arena, &flat, &err), err);
    CHECK_INT(br_vector_value(&flat, 1, arena).class_, BR_NULL);
}

static void test_dates_agree_with_the_c_library(void)
{
    // Every day of years 0000 to 9999, by turns through parse, format and the civil pair.
    int64_t first = br_days_from_civil(0, 1, 1), last = br_days_from_civil(9999, 12, 31);
    CHECK_INT(first, -719528);
    CHECK_INT(last, 2932896);
    for (int64_t day = first; day <= last; day++) {
        char bytes[10];
        int64_t parsed = 0;
        int32_t year;
        uint32_t month, day_of_month;
        br_date_format(day, bytes);
        if (!br_date_parse(bytes, 10, &parsed) || parsed != day) CHECK_INT(parsed, day);
        if (day % 97 != 0) continue;
        time_t seconds = (time_t)day * 86400;
        struct tm calendar;
        gmtime_r(&seconds, &calendar);
        br_days_to_civil(day, &year, &month, &day_of_month);
        CHECK_INT(year, calendar.tm_year + 1900);
        CHECK_INT(month, calendar.tm_mon + 1);
        CHECK_INT(day_of_month, calendar.tm_mday);
    }
}

static void test_date_parse_takes_only_the_canonical_form(void)
{
    static const char *const wrong[] = {
        "1970-1-01 ", "1970-00-01", "1970-13-01", "1970-01-00", "1970-01-32", "1970-02-29",
        "1900-02-29", "1970-04-31", "1970/01/01", "1970-01-0x", "-970-01-01", "1970-01-1 ",
    };
    int64_t out = 5;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!br_date_parse(wrong[i], 10, &out));
    CHECK(!br_date_parse("1970-01-011", 11, &out));
    CHECK(!br_date_parse("1970-01-0", 9, &out));
    CHECK_INT(out, 5);
    CHECK(br_date_parse("2000-02-29", 10, &out));
    CHECK_INT(out, 11016);
}

static void test_datetime_parse_and_format(void)
{
    static const char *const wrong[] = {
        "1970-01-01T00:00:00", "1970-01-01 24:00:00", "1970-01-01 00:60:00",
        "1970-01-01 00:00:60", "1970-02-30 00:00:00", "1970-01-01 0a:00:00",
    };
    int64_t out = 5;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!br_datetime_parse(wrong[i], 19, &out));
    CHECK(!br_datetime_parse("1970-01-01 00:00", 16, &out));
    static const char *const right[] = {"0000-01-01 00:00:00", "1969-12-31 23:59:59",
                                        "2024-02-29 12:34:56", "9999-12-31 23:59:59"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        char bytes[20] = {0};
        CHECK(br_datetime_parse(right[i], 19, &out));
        br_datetime_format(out, bytes);
        CHECK_TEXT(bytes, right[i]);
    }
    CHECK(br_datetime_parse("1969-12-31 23:59:59", 19, &out));
    CHECK_INT(out, -1);
}

int main(void)
{
    arena = br_arena_new(NULL);
    RUN(test_vector_value_of_each_kind);
    RUN(test_vector_flatten_and_to_any_keep_values);
    RUN(test_vector_gather_keeps_kind_and_picks_rows);
    RUN(test_vector_out_of_memory);
    RUN(test_vector_dictionary_of_nothing);
    RUN(test_dates_agree_with_the_c_library);
    RUN(test_date_parse_takes_only_the_canonical_form);
    RUN(test_datetime_parse_and_format);
    br_arena_free(arena);
    return test_result();
}
