// vector.c - reading, flattening and gathering vectors of every kind; the calendar.
// SPDX-License-Identifier: Apache-2.0
#include "base/vector.h"

#include <string.h>

#include "base/assert.h"

enum { DATE_BYTES = 10, DATETIME_BYTES = 19, SECONDS_PER_DAY = 86400 };

br_vector br_vector_null(void)
{
    return (br_vector){.class_ = BR_NULL, .kind = BR_VECTOR_CONST};
}

br_vector br_vector_const(const br_value *value)
{
    br_vector vector = {.class_ = value->class_, .kind = BR_VECTOR_CONST};
    switch (value->class_) {
    case BR_INT: vector.i64 = &value->i64; break;
    case BR_REAL: vector.f64 = &value->f64; break;
    case BR_TEXT:
    case BR_BLOB: vector.text = &value->text; break;
    default: br_assert(value->class_ == BR_NULL); break;
    }
    return vector;
}

static uint32_t text_bytes_of(uint8_t kind)
{
    return kind == BR_VECTOR_DATE ? DATE_BYTES : DATETIME_BYTES;
}

static br_text format_time(uint8_t kind, int64_t number, char *bytes)
{
    if (kind == BR_VECTOR_DATE) br_date_format(number, bytes);
    else br_datetime_format(number, bytes);
    return br_text_make(bytes, text_bytes_of(kind));
}

static br_value time_value(const br_vector *vector, uint32_t row, br_arena *arena)
{
    char *bytes = br_arena_alloc(arena, text_bytes_of(vector->kind), 1);
    if (bytes == NULL) return br_value_null();
    return br_value_text(format_time(vector->kind, vector->i64[row], bytes));
}

br_value br_vector_value(const br_vector *vector, uint32_t row, br_arena *arena)
{
    if (br_vector_is_null(vector, row)) return br_value_null();
    const br_vector *source = vector;
    if (vector->kind == BR_VECTOR_CONST) {
        row = 0;
    } else if (vector->kind == BR_VECTOR_DICT) {
        row = vector->codes[row];
        br_assert(row < vector->dictionary->size);
        source = &vector->dictionary->values;
    } else if (vector->kind != BR_VECTOR_FLAT) {
        return time_value(vector, row, arena);
    }
    switch (vector->class_) {
    case BR_INT: return br_value_int(source->i64[row]);
    case BR_REAL: return br_value_real(source->f64[row]);
    case BR_TEXT: return br_value_text(source->text[row]);
    case BR_BLOB: return br_value_blob(source->text[row]);
    default: return source->any[row];
    }
}

static br_status no_memory(br_error *err, uint32_t row_count)
{
    return br_fail(err, BR_NOMEM, "no memory for a vector of %u rows", row_count);
}

static size_t item_bytes_of(uint8_t class_)
{
    if (class_ == BR_INT || class_ == BR_REAL) return sizeof(int64_t);
    return class_ == BR_ANY ? sizeof(br_value) : sizeof(br_text);
}

// items_out[i] = items[codes[i]], by the size of an item: 8 bytes or 16.
static void pick(const void *items, size_t item_bytes, const uint32_t *codes, uint32_t count,
                 void *items_out)
{
    if (item_bytes == sizeof(uint64_t)) {
        const uint64_t *in = items;
        uint64_t *out = items_out;
        for (uint32_t i = 0; i < count; i++) out[i] = in[codes[i]];
    } else {
        br_assert(item_bytes == sizeof(br_text));
        const br_text *in = items;
        br_text *out = items_out;
        for (uint32_t i = 0; i < count; i++) out[i] = in[codes[i]];
    }
}

static br_status flatten_dictionary(const br_vector *vector, uint32_t row_count, br_arena *arena,
                                    br_vector *out, br_error *err)
{
    size_t item_bytes = item_bytes_of(vector->class_);
    void *items = br_arena_alloc(arena, row_count * item_bytes, 64);
    if (items == NULL) return no_memory(err, row_count);
    if (vector->dictionary->size > 0) {
        pick(vector->dictionary->values.data, item_bytes, vector->codes, row_count, items);
    } else {
        memset(items, 0, row_count * item_bytes);  // every row is NULL
    }
    *out = (br_vector){.class_ = vector->class_, .validity = vector->validity, .data = items};
    return BR_OK;
}

static br_status flatten_time(const br_vector *vector, uint32_t row_count, br_arena *arena,
                              br_vector *out, br_error *err)
{
    uint32_t text_bytes = text_bytes_of(vector->kind);
    br_text *texts = br_arena_alloc(arena, row_count * sizeof *texts, 64);
    char *bytes = br_arena_alloc(arena, (size_t)row_count * text_bytes, 1);
    if (texts == NULL || bytes == NULL) return no_memory(err, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        // The number behind a NULL need not be a day of the calendar.
        int64_t number = br_vector_is_null(vector, i) ? 0 : vector->i64[i];
        texts[i] = format_time(vector->kind, number, bytes + (size_t)i * text_bytes);
    }
    *out = (br_vector){.class_ = BR_TEXT, .validity = vector->validity, .text = texts};
    return BR_OK;
}

static br_status flatten_const(const br_vector *vector, uint32_t row_count, br_arena *arena,
                               br_vector *out, br_error *err)
{
    if (vector->class_ == BR_NULL) {
        *out = *vector;  // invariant 2: it has no other form
        return BR_OK;
    }
    size_t item_bytes = item_bytes_of(vector->class_);
    char *items = br_arena_alloc(arena, row_count * item_bytes, 64);
    if (items == NULL) return no_memory(err, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        memcpy(items + i * item_bytes, vector->data, item_bytes);
    }
    *out = (br_vector){.class_ = vector->class_, .data = items};
    return BR_OK;
}

br_status br_vector_flatten(const br_vector *vector, uint32_t row_count, br_arena *arena,
                            br_vector *out, br_error *err)
{
    switch (vector->kind) {
    case BR_VECTOR_CONST: return flatten_const(vector, row_count, arena, out, err);
    case BR_VECTOR_DICT: return flatten_dictionary(vector, row_count, arena, out, err);
    case BR_VECTOR_DATE:
    case BR_VECTOR_DATETIME: return flatten_time(vector, row_count, arena, out, err);
    default: *out = *vector; return BR_OK;
    }
}

br_status br_vector_to_any(const br_vector *vector, uint32_t row_count, br_arena *arena,
                           br_vector *out, br_error *err)
{
    if (vector->class_ == BR_ANY) return br_vector_flatten(vector, row_count, arena, out, err);
    br_vector flat = *vector;
    // Dates need their text first; the other kinds are read one value at a time.
    if (vector->kind == BR_VECTOR_DATE || vector->kind == BR_VECTOR_DATETIME)
        BR_TRY(flatten_time(vector, row_count, arena, &flat, err));
    br_value *values = br_arena_alloc(arena, row_count * sizeof *values, 64);
    if (values == NULL) return no_memory(err, row_count);
    for (uint32_t i = 0; i < row_count; i++) values[i] = br_vector_value(&flat, i, arena);
    *out = (br_vector){.class_ = BR_ANY, .any = values};
    return BR_OK;
}

static uint64_t *gather_validity(const uint64_t *validity, const uint16_t *positions,
                                 uint32_t count, br_arena *arena)
{
    uint64_t *bits = BR_ALLOC(arena, uint64_t, br_bitmap_words(count));
    if (bits == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        bits[i >> 6] |= (uint64_t)br_bitmap_get(validity, positions[i]) << (i & 63);
    }
    return bits;
}

static void gather_items(const br_vector *vector, const uint16_t *positions, uint32_t count,
                         void *items)
{
    if (vector->kind == BR_VECTOR_DICT) {
        uint32_t *out = items;
        for (uint32_t i = 0; i < count; i++) out[i] = vector->codes[positions[i]];
    } else if (vector->kind != BR_VECTOR_FLAT || vector->class_ == BR_INT ||
               vector->class_ == BR_REAL) {
        int64_t *out = items;
        for (uint32_t i = 0; i < count; i++) out[i] = vector->i64[positions[i]];
    } else if (vector->class_ == BR_ANY) {
        br_value *out = items;
        for (uint32_t i = 0; i < count; i++) out[i] = vector->any[positions[i]];
    } else {
        br_text *out = items;
        for (uint32_t i = 0; i < count; i++) out[i] = vector->text[positions[i]];
    }
}

static size_t stored_bytes_of(const br_vector *vector)
{
    if (vector->kind == BR_VECTOR_DICT) return sizeof(uint32_t);
    return vector->kind == BR_VECTOR_FLAT ? item_bytes_of(vector->class_) : sizeof(int64_t);
}

br_status br_vector_gather(const br_vector *vector, const uint16_t *positions, uint32_t count,
                           br_arena *arena, br_vector *out, br_error *err)
{
    br_vector result = *vector;
    if (vector->kind != BR_VECTOR_CONST) {
        void *items = br_arena_alloc(arena, count * stored_bytes_of(vector), 64);
        if (items == NULL) return no_memory(err, count);
        gather_items(vector, positions, count, items);
        result.data = items;
    }
    if (vector->validity != NULL) {
        result.validity = gather_validity(vector->validity, positions, count, arena);
        if (result.validity == NULL) return no_memory(err, count);
    }
    *out = result;
    return BR_OK;
}

// The calendar. Both directions are the algorithms of Howard Hinnant, "chrono-compatible low-level
// date algorithms": years start in March, so that the leap day is the last of its year, and repeat
// every 400 years, which are 146097 days. Day 719468 of that count is 1970-01-01.
void br_days_to_civil(int64_t days, int32_t *year_out, uint32_t *month_out, uint32_t *day_out)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    uint32_t day_of_era = (uint32_t)(shifted - era * 146097);
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * day_of_year + 2) / 153;
    *day_out = day_of_year - (153 * month + 2) / 5 + 1;
    *month_out = month < 10 ? month + 3 : month - 9;
    *year_out = (int32_t)((int64_t)year_of_era + era * 400 + (*month_out <= 2));
}

int64_t br_days_from_civil(int32_t year, uint32_t month, uint32_t day)
{
    int64_t shifted = (int64_t)year - (month <= 2);
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void put_digits(char *out, uint32_t digits, uint32_t number)
{
    for (uint32_t i = digits; i-- > 0; number /= 10) out[i] = (char)('0' + number % 10);
}

void br_date_format(int64_t days, char *text_out)
{
    int32_t year;
    uint32_t month, day;
    br_days_to_civil(days, &year, &month, &day);
    br_assert(year >= 0 && year <= 9999);
    put_digits(text_out, 4, (uint32_t)year);
    text_out[4] = '-';
    put_digits(text_out + 5, 2, month);
    text_out[7] = '-';
    put_digits(text_out + 8, 2, day);
}

void br_datetime_format(int64_t seconds, char *text_out)
{
    int64_t second_of_day = seconds % SECONDS_PER_DAY;
    if (second_of_day < 0) second_of_day += SECONDS_PER_DAY;
    br_date_format((seconds - second_of_day) / SECONDS_PER_DAY, text_out);
    uint32_t second = (uint32_t)second_of_day;
    text_out[10] = ' ';
    put_digits(text_out + 11, 2, second / 3600);
    text_out[13] = ':';
    put_digits(text_out + 14, 2, second / 60 % 60);
    text_out[16] = ':';
    put_digits(text_out + 17, 2, second % 60);
}

static bool get_digits(const char *text, uint32_t digits, uint32_t *number_out)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    *number_out = number;
    return true;
}

static uint32_t days_in_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

bool br_date_parse(const char *text, uint32_t size, int64_t *days_out)
{
    uint32_t year, month, day;
    if (size != DATE_BYTES || text[4] != '-' || text[7] != '-') return false;
    if (!get_digits(text, 4, &year) || !get_digits(text + 5, 2, &month) ||
        !get_digits(text + 8, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return false;
    *days_out = br_days_from_civil((int32_t)year, month, day);
    return true;
}

bool br_datetime_parse(const char *text, uint32_t size, int64_t *seconds_out)
{
    uint32_t hour, minute, second;
    int64_t days;
    if (size != DATETIME_BYTES || text[10] != ' ' || text[13] != ':' || text[16] != ':')
        return false;
    if (!br_date_parse(text, DATE_BYTES, &days) || !get_digits(text + 11, 2, &hour) ||
        !get_digits(text + 14, 2, &minute) || !get_digits(text + 17, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    *seconds_out = days * SECONDS_PER_DAY + (int64_t)hour * 3600 + minute * 60 + second;
    return true;
}
