// function_date.c - date() time() datetime() julianday() unixepoch() strftime() of one time value.
//
// Native for canonical times (YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, and DATE and DATETIME vectors), with
// the constant modifiers of date_modifier.h; everything else is SQLite's own function, value by
// value. Results that are canonical times again stay numbers: DATE and DATETIME vectors.
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "exec/date_modifier.h"
#include "exec/function_date.h"
#include "exec/implementations.h"

static const int64_t seconds_per_day = 86400;
static const int64_t epoch_julian_ms = 210866760000000;  // julian day of 1970-01-01 in ms

enum { FORMAT_ITEMS_MAX = 32, ITEM_BYTES_MAX = 20 };

typedef struct format_item {
    char conversion;  // the letter behind %, or 0 for literal text
    br_text literal;
} format_item;

// A format of strftime() that is a canonical date or time itself, with fields perhaps fixed: its
// results stay numbers. The unit is what times are cut to: the letter of its conversion.
typedef enum time_shape { SHAPE_TEXT, SHAPE_DATE, SHAPE_DATETIME } time_shape;

typedef struct time_format {
    uint32_t item_count;
    format_item items[FORMAT_ITEMS_MAX];
    uint32_t bytes_max;
    time_shape shape;
    char unit;
} time_format;

typedef struct time_call {  // of a date function: a node's detail
    time_format format;
    br_date_modifiers modifiers;
} time_call;

typedef struct time_parts {
    int64_t days, second_of_day;
    int32_t year;
    uint32_t month, day;
} time_parts;

// A day number as days since 0000-01-01, which is never negative.
static const int64_t days_before_epoch = 719528;

static uint64_t unsigned_seconds(int64_t seconds)
{
    return (uint64_t)(seconds + days_before_epoch * seconds_per_day);
}

// The calendar in 32-bit multiplications: C. Neri and L. Schneider, "Euclidean affine functions and
// their application to calendar algorithms". Years start in March; `day` counts from 0000-01-01,
// and 400 years more keep everything positive.
static void civil_of_day(uint32_t day, time_parts *parts)
{
    uint32_t quarters = 4 * (day + 146097 - 60) + 3;
    uint32_t century = quarters / 146097;
    uint32_t rest = (quarters % 146097) | 3;
    uint64_t product = 2939745ull * rest;
    uint32_t year_of_century = (uint32_t)(product >> 32);
    uint32_t day_of_year = (uint32_t)product / 2939745 / 4;
    uint32_t month_day = 2141 * day_of_year + 197913;
    bool is_next_year = day_of_year >= 306;
    uint32_t month = month_day >> 16;
    parts->year = (int32_t)(100 * century + year_of_century + is_next_year) - 400;
    parts->month = is_next_year ? month - 12 : month;
    parts->day = (month_day & 0xffff) / 2141 + 1;
}

static time_parts parts_of_seconds(int64_t seconds)
{
    uint64_t from_zero = unsigned_seconds(seconds);
    uint32_t day = (uint32_t)(from_zero / (uint64_t)seconds_per_day);
    time_parts parts = {.days = (int64_t)day - days_before_epoch,
                        .second_of_day = (int64_t)(from_zero % (uint64_t)seconds_per_day)};
    civil_of_day(day, &parts);
    return parts;
}

static bool parse_time(br_text text, int64_t *seconds_out)
{
    if (text.size == 19) return br_datetime_parse(text.data, text.size, seconds_out);
    if (!br_date_parse(text.data, text.size, seconds_out)) return false;
    *seconds_out *= seconds_per_day;
    return true;
}

// ---- formats ---------------------------------------------------------------------------------

// Which part of the time the shape of a canonical time is cut to; 0 when it has another shape.
static char shape_unit(const char *format, uint32_t size, time_shape *shape_out)
{
    static const struct {
        const char *format;
        time_shape shape;
        char unit;
    } shapes[] = {
        {"%Y-%m-%d", SHAPE_DATE, 'd'}, {"%Y-%m-01", SHAPE_DATE, 'm'},
        {"%Y-01-01", SHAPE_DATE, 'Y'}, {"%Y-%m-%d %H:%M:%S", SHAPE_DATETIME, 'S'},
        {"%Y-%m-%d %H:%M:00", SHAPE_DATETIME, 'M'}, {"%Y-%m-%d %H:00:00", SHAPE_DATETIME, 'H'},
        {"%Y-%m-%d 00:00:00", SHAPE_DATETIME, 'd'}, {"%Y-%m-01 00:00:00", SHAPE_DATETIME, 'm'},
        {"%Y-01-01 00:00:00", SHAPE_DATETIME, 'Y'}};
    *shape_out = SHAPE_TEXT;
    for (uint32_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (size != strlen(shapes[i].format) || memcmp(format, shapes[i].format, size) != 0)
            continue;
        *shape_out = shapes[i].shape;
        return shapes[i].unit;
    }
    return 0;
}

// False for a format that is better left to SQLite.
static bool parse_format(br_text text, time_format *format)
{
    uint32_t from = 0;
    *format = (time_format){0};
    if (br_text_c_size(text) != text.size) return false;
    for (uint32_t i = 0; i <= text.size; i++) {
        bool is_end = i == text.size;
        if (!is_end && text.data[i] != '%') continue;
        if (format->item_count + 2 > FORMAT_ITEMS_MAX) return false;
        if (i > from) {
            format->items[format->item_count++].literal =
                br_text_make(text.data + from, i - from);
            format->bytes_max += i - from;
        }
        if (is_end) break;
        char conversion = ++i < text.size ? text.data[i] : 0;
        if (conversion == 0 || strchr("dfHjmMsSwWY%", conversion) == NULL) return false;
        format->items[format->item_count++].conversion = conversion;
        format->bytes_max += ITEM_BYTES_MAX;
        from = i + 1;
    }
    format->unit = shape_unit(text.data, text.size, &format->shape);
    return true;
}

// The formats of date(), time() and datetime().
static const char *function_format(br_function function)
{
    switch (function) {
    case BR_FN_DATE: return "%Y-%m-%d";
    case BR_FN_TIME: return "%H:%M:%S";
    default: return "%Y-%m-%d %H:%M:%S";
    }
}

static uint32_t time_index_of(const br_node *node)
{
    return node->function == BR_FN_STRFTIME ? 1 : 0;
}

// Without a detail the call is SQLite's.
br_status br_prepare_time(br_node *node, br_arena *arena, br_error *err)
{
    uint32_t time_index = time_index_of(node);
    if (node->arg_count <= time_index) return BR_OK;
    time_call *call = BR_ALLOC(arena, time_call, 1);
    if (call == NULL) return br_evaluate_no_memory(err);
    const char *name = function_format(node->function);
    br_text format = br_text_make(name, (uint32_t)strlen(name));
    if (node->function == BR_FN_STRFTIME) {
        const br_node *given = node->args[0];
        if (given->kind != BR_EXPR_CONST || given->value.class_ != BR_TEXT) return BR_OK;
        format = given->value.text;
    }
    if (parse_format(format, &call->format) &&
        br_date_modifiers_parse(node, time_index + 1, &call->modifiers))
        node->detail = call;
    return BR_OK;
}

static int64_t day_of_year(const time_parts *parts)  // from 0
{
    return parts->days - br_days_from_civil(parts->year, 1, 1);
}

static int64_t weekday(const time_parts *parts, int64_t first)  // first: of 1970-01-01, a Thursday
{
    int64_t day = (parts->days + first) % 7;
    return day < 0 ? day + 7 : day;
}

// The number that a conversion prints, and the digits it prints at least.
static int64_t conversion_number(char conversion, const time_parts *parts, int *digits_out)
{
    *digits_out = 2;
    switch (conversion) {
    case 'd': return parts->day;
    case 'm': return parts->month;
    case 'H': return parts->second_of_day / 3600;
    case 'M': return parts->second_of_day / 60 % 60;
    case 'S':
    case 'f': return parts->second_of_day % 60;
    case 'W': return (day_of_year(parts) + 7 - weekday(parts, 3)) / 7;
    case 'Y': *digits_out = 4; return parts->year;
    case 'j': *digits_out = 3; return day_of_year(parts) + 1;
    case 'w': *digits_out = 1; return weekday(parts, 4);
    default: *digits_out = 1; return parts->days * seconds_per_day + parts->second_of_day;
    }
}

static char *put_number(char *out, int64_t number, int digits)
{
    char reversed[24];
    int count = 0;
    if (digits == 4) out = put_number(out, number / 100, 2);  // a year
    if (digits == 4 || (digits == 2 && number < 100)) {       // most of them
        *out++ = (char)('0' + number / 10 % 10);
        *out++ = (char)('0' + number % 10);
        return out;
    }
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    for (; rest > 0 || count < digits; rest /= 10) reversed[count++] = (char)('0' + rest % 10);
    if (number < 0) *out++ = '-';
    while (count > 0) *out++ = reversed[--count];
    return out;
}

// Returns the end of what it wrote.
static char *format_time(const time_format *format, const time_parts *parts, char *out)
{
    for (uint32_t i = 0; i < format->item_count; i++) {
        const format_item *item = &format->items[i];
        int digits;
        if (item->conversion == 0) {
            memcpy(out, item->literal.data, item->literal.size);
            out += item->literal.size;
        } else if (item->conversion == '%') {
            *out++ = '%';
        } else {
            int64_t number = conversion_number(item->conversion, parts, &digits);
            out = put_number(out, number, digits);
            if (item->conversion == 'f') {
                memcpy(out, ".000", 4);
                out += 4;
            }
        }
    }
    return out;
}

// ---- one row ---------------------------------------------------------------------------------

static br_status text_row(const br_row_context *context, const time_format *format,
                          const time_parts *parts, br_value *out, br_error *err)
{
    char *bytes = br_arena_alloc(context->arena, format->bytes_max, 1);
    if (bytes == NULL) return br_evaluate_no_memory(err);
    char *end = format_time(format, parts, bytes);
    *out = br_value_text(br_text_make(bytes, (uint32_t)(end - bytes)));
    return BR_OK;
}

// The seconds of one time value, modified. False when SQLite has to answer.
static bool seconds_of(const time_call *call, const br_value *value, int64_t *seconds_out)
{
    bool is_unix = call->modifiers.from_unix_time;
    if (value->class_ != (is_unix ? BR_INT : BR_TEXT)) return false;
    if (is_unix) *seconds_out = value->i64;
    else if (!parse_time(value->text, seconds_out)) return false;
    return br_date_is_in_range(*seconds_out) && br_date_modify(&call->modifiers, seconds_out);
}

// Without a time value, or with 'now', date functions tell the time at which the statement began.
static bool asks_the_clock(const br_node *node, uint32_t time_index, const br_value *args)
{
    if (node->arg_count <= time_index) return node->arg_count == time_index;
    if (args[time_index].class_ != BR_TEXT && args[time_index].class_ != BR_BLOB) return false;
    br_text text = args[time_index].text;
    return br_text_c_size(text) == 3 && strncasecmp(text.data, "now", 3) == 0;
}

static br_status now_row(const br_row_context *context, uint32_t time_index, const br_value *args,
                         br_value *out, br_error *err)
{
    const br_node *node = context->node;
    br_value with_now[BR_BRIDGE_ARGUMENTS_MAX + 1];
    uint32_t arg_count = node->arg_count > time_index ? node->arg_count : time_index + 1;
    if (arg_count > BR_BRIDGE_ARGUMENTS_MAX)
        return br_fail(err, BR_UNSUPPORTED, "function %s() of %u arguments", node->function_name,
                       arg_count);
    if (node->arg_count > 0) memcpy(with_now, args, node->arg_count * sizeof *args);
    with_now[time_index] = br_value_text(context->evaluator->program->env.exec->now);
    return br_bridge_call(context, node->function_name, with_now, arg_count, out, err);
}

br_status br_row_time(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    const br_node *node = context->node;
    const time_call *call = node->detail;
    uint32_t time_index = time_index_of(node);
    int64_t seconds;
    if (asks_the_clock(node, time_index, args)) return now_row(context, time_index, args, out, err);
    if (call == NULL || !seconds_of(call, &args[time_index], &seconds))
        return br_bridge_call(context, node->function_name, args, node->arg_count, out, err);
    if (node->function == BR_FN_UNIXEPOCH) {
        *out = br_value_int(seconds);
        return BR_OK;
    }
    if (node->function == BR_FN_JULIANDAY) {
        *out = br_value_real((double)(epoch_julian_ms + seconds * 1000) / 86400000.0);
        return BR_OK;
    }
    time_parts parts = parts_of_seconds(seconds);
    return text_row(context, &call->format, &parts, out, err);
}

// ---- whole vectors ---------------------------------------------------------------------------

typedef struct time_rows {  // one per row; those of NULL rows are 0
    br_frame *frame;
    const uint64_t *validity;
    const int64_t *numbers;  // days or seconds
    bool are_days;
} time_rows;

static int64_t seconds_at(const time_rows *times, uint32_t row)
{
    if (times->validity != NULL && !br_bitmap_get(times->validity, row)) return 0;
    return times->are_days ? times->numbers[row] * seconds_per_day : times->numbers[row];
}

// False when a row is not a canonical time.
static br_status parse_rows(time_rows *times, const br_vector *texts, bool *done_out, br_error *err)
{
    br_frame *frame = times->frame;
    int64_t *seconds = BR_ALLOC(frame->arena, int64_t, frame->row_count);
    if (seconds == NULL) return br_evaluate_no_memory(err);
    *done_out = false;
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (br_vector_is_null(texts, row)) continue;
        if (!parse_time(texts->text[row], &seconds[row])) return BR_OK;
    }
    *done_out = true;
    times->numbers = seconds;
    times->validity = texts->validity;
    return BR_OK;
}

// What is INT has to be a time of the years we know.
static void check_unix_times(const time_rows *times, bool *done_out)
{
    *done_out = true;
    for (uint32_t row = 0; row < times->frame->row_count; row++)
        *done_out = *done_out && br_date_is_in_range(seconds_at(times, row));
}

static br_status modify_times(time_rows *times, const br_date_modifiers *modifiers, bool *done_out,
                              br_error *err)
{
    br_frame *frame = times->frame;
    int64_t *seconds = BR_ALLOC(frame->arena, int64_t, frame->row_count);
    if (seconds == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count && *done_out; row++) {
        seconds[row] = seconds_at(times, row);
        bool is_null = times->validity != NULL && !br_bitmap_get(times->validity, row);
        *done_out = is_null || br_date_modify(modifiers, &seconds[row]);
    }
    times->numbers = seconds;
    times->are_days = false;
    return BR_OK;
}

static br_status read_unmodified(time_rows *times, const br_node *argument, bool is_unix,
                                 bool *done_out, br_error *err)
{
    br_vector vector;
    br_frame *frame = times->frame;
    BR_TRY(br_node_vector(frame, argument, &vector, err));
    if (vector.kind == BR_VECTOR_CONST || vector.class_ != (is_unix ? BR_INT : BR_TEXT))
        return BR_OK;
    if (vector.kind == BR_VECTOR_DATE || vector.kind == BR_VECTOR_DATETIME) {
        times->numbers = vector.i64;
        times->validity = vector.validity;
        times->are_days = vector.kind == BR_VECTOR_DATE;
        *done_out = true;
        return BR_OK;
    }
    BR_TRY(br_node_flat(frame, argument, &vector, err));
    if (!is_unix) return parse_rows(times, &vector, done_out, err);
    times->numbers = vector.i64;
    times->validity = vector.validity;
    check_unix_times(times, done_out);
    return BR_OK;
}

// The time values of a date function, modified. *done_out is false when SQLite has to see a row.
static br_status read_times(time_rows *times, br_frame *frame, const br_node *node, bool *done_out,
                            br_error *err)
{
    const time_call *call = node->detail;
    *times = (time_rows){.frame = frame};
    *done_out = false;
    if (call == NULL) return BR_OK;
    BR_TRY(read_unmodified(times, node->args[time_index_of(node)], call->modifiers.from_unix_time,
                           done_out, err));
    if (!*done_out || call->modifiers.count == 0) return BR_OK;
    return modify_times(times, &call->modifiers, done_out, err);
}

// Days since 0000-01-01.
static uint32_t day_at(const time_rows *times, uint32_t row)
{
    if (!times->are_days)
        return (uint32_t)(unsigned_seconds(seconds_at(times, row)) / (uint64_t)seconds_per_day);
    bool is_null = times->validity != NULL && !br_bitmap_get(times->validity, row);
    return (uint32_t)((is_null ? 0 : times->numbers[row]) + days_before_epoch);
}

// The parts of the last row are kept: neighbours are often of one day.
static const time_parts *parts_at(const time_rows *times, uint32_t row, time_parts *parts_inout)
{
    int64_t seconds = seconds_at(times, row);
    int64_t second_of_day = seconds - parts_inout->days * seconds_per_day;
    if (second_of_day >= 0 && second_of_day < seconds_per_day)
        parts_inout->second_of_day = second_of_day;
    else *parts_inout = parts_of_seconds(seconds);
    return parts_inout;
}

// Units of fixed length need no calendar.
static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 'd': return seconds_per_day;
    case 'H': return 3600;
    case 'M': return 60;
    case 'S': return 1;
    default: return 0;
    }
}

static int64_t cut_to_unit(const time_rows *times, uint32_t row, char unit,
                           time_parts *parts_inout)
{
    const time_parts *parts = parts_at(times, row, parts_inout);
    if (unit == 'Y') return br_days_from_civil(parts->year, 1, 1) * seconds_per_day;
    return (parts->days - (parts->day - 1)) * seconds_per_day;
}

static br_status times_as_time(const time_rows *times, const time_format *format, br_vector *out,
                               br_error *err)
{
    br_frame *frame = times->frame;
    int64_t *numbers = br_arena_alloc(frame->arena, frame->row_count * sizeof *numbers, 64);
    if (numbers == NULL) return br_evaluate_no_memory(err);
    time_parts parts = parts_of_seconds(0);
    int64_t unit = unit_seconds(format->unit);
    int64_t divisor = format->shape == SHAPE_DATE ? seconds_per_day : 1;
    for (uint32_t row = 0; row < frame->row_count; row++) {
        int64_t start;
        if (unit > 0) {
            int64_t seconds = seconds_at(times, row), rest = seconds % unit;
            start = seconds - (rest < 0 ? rest + unit : rest);
        } else {
            start = cut_to_unit(times, row, format->unit, &parts);
        }
        numbers[row] = start / divisor;
    }
    uint8_t kind = format->shape == SHAPE_DATE ? BR_VECTOR_DATE : BR_VECTOR_DATETIME;
    *out = (br_vector){
        .class_ = BR_TEXT, .kind = kind, .validity = times->validity, .i64 = numbers};
    return BR_OK;
}

static br_status times_as_text(const time_rows *times, const time_format *format, br_vector *out,
                               br_error *err)
{
    br_frame *frame = times->frame;
    br_text *texts = br_arena_alloc(frame->arena, frame->row_count * sizeof *texts, 64);
    char *bytes = br_arena_alloc(frame->arena, (size_t)frame->row_count * format->bytes_max, 1);
    if (texts == NULL || bytes == NULL) return br_evaluate_no_memory(err);
    time_parts parts = parts_of_seconds(0);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        char *end = format_time(format, parts_at(times, row, &parts), bytes);
        texts[row] = br_text_make(bytes, (uint32_t)(end - bytes));
        bytes = end;
    }
    *out = (br_vector){.class_ = BR_TEXT, .validity = times->validity, .text = texts};
    return BR_OK;
}

static br_status times_as_numbers(const time_rows *times, bool as_julian_day, br_vector *out,
                                  br_error *err)
{
    br_frame *frame = times->frame;
    int64_t *items = br_arena_alloc(frame->arena, frame->row_count * sizeof *items, 64);
    if (items == NULL) return br_evaluate_no_memory(err);
    double *reals = (double *)(void *)items;
    for (uint32_t row = 0; row < frame->row_count; row++) {
        int64_t seconds = seconds_at(times, row);
        if (as_julian_day) reals[row] = (double)(epoch_julian_ms + seconds * 1000) / 86400000.0;
        else items[row] = seconds;
    }
    *out = (br_vector){.class_ = as_julian_day ? BR_REAL : BR_INT, .validity = times->validity,
                       .i64 = items};
    return BR_OK;
}

br_status br_vector_time(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    time_rows times;
    bool done = false;
    BR_TRY(read_times(&times, frame, node, &done, err));
    if (!done) return br_node_rows(frame, node, out, err);
    if (node->function == BR_FN_UNIXEPOCH || node->function == BR_FN_JULIANDAY)
        return times_as_numbers(&times, node->function == BR_FN_JULIANDAY, out, err);
    const time_call *call = node->detail;
    if (call->format.shape != SHAPE_TEXT) return times_as_time(&times, &call->format, out, err);
    return times_as_text(&times, &call->format, out, err);
}

// ---- CAST(strftime(...) AS INTEGER) ----------------------------------------------------------

static int64_t int_at(const time_rows *times, uint32_t row, char conversion)
{
    time_parts parts;
    int digits;
    switch (conversion) {
    case 'H': return (int64_t)(unsigned_seconds(seconds_at(times, row)) / 3600 % 24);
    case 'M': return (int64_t)(unsigned_seconds(seconds_at(times, row)) / 60 % 60);
    case 'S': return (int64_t)(unsigned_seconds(seconds_at(times, row)) % 60);
    case 'Y': civil_of_day(day_at(times, row), &parts); return parts.year;
    case 'm': civil_of_day(day_at(times, row), &parts); return parts.month;
    case 'd': civil_of_day(day_at(times, row), &parts); return parts.day;
    default:
        parts = parts_of_seconds(seconds_at(times, row));
        return conversion_number(conversion, &parts, &digits);
    }
}

br_status br_strftime_as_int(br_frame *frame, const br_node *node, bool *done_out, br_vector *out,
                             br_error *err)
{
    const time_call *call = node->detail;
    time_rows times;
    *done_out = false;
    if (node->kind != BR_EXPR_FUNCTION || node->function != BR_FN_STRFTIME || call == NULL)
        return BR_OK;
    const time_format *format = &call->format;
    if (format->item_count != 1 || format->items[0].conversion == 0 ||
        format->items[0].conversion == '%')
        return BR_OK;
    BR_TRY(read_times(&times, frame, node, done_out, err));
    if (!*done_out) return BR_OK;
    int64_t *numbers = br_arena_alloc(frame->arena, frame->row_count * sizeof *numbers, 64);
    if (numbers == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        numbers[row] = int_at(&times, row, format->items[0].conversion);
    }
    *out = (br_vector){.class_ = BR_INT, .validity = times.validity, .i64 = numbers};
    return BR_OK;
}
