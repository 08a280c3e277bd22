// date_modifier.c - see the header.
// SPDX-License-Identifier: Apache-2.0
#include "exec/date_modifier.h"

#include <string.h>
#include <strings.h>

static const int64_t seconds_per_day = 86400;
static const int64_t seconds_min = -62167219200;  // 0000-01-01 00:00:00
static const int64_t seconds_max = 253402300799;  // 9999-12-31 23:59:59

enum { AMOUNT_DIGITS_MAX = 5, YEARS_MAX = 9999 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// ---- parsing ---------------------------------------------------------------------------------

static bool is_unit(br_text text, const char *unit)
{
    size_t size = strlen(unit);
    if (text.size == size + 1 && (text.data[size] == 's' || text.data[size] == 'S')) text.size--;
    return text.size == size && strncasecmp(text.data, unit, size) == 0;
}

static bool parse_unit(br_text unit, int64_t amount, br_date_modifier *out)
{
    static const struct {
        const char *name;
        int64_t seconds, months;
    } units[] = {{"second", 1, 0}, {"minute", 60, 0}, {"hour", 3600, 0},
                 {"day", 86400, 0}, {"month", 0, 1},  {"year", 0, 12}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!is_unit(unit, units[i].name)) continue;
        if (units[i].months == 12 && (amount > YEARS_MAX || amount < -YEARS_MAX)) return false;
        bool is_calendar = units[i].months > 0;
        out->kind = is_calendar ? BR_DATE_ADD_MONTHS : BR_DATE_ADD_SECONDS;
        out->amount = amount * (is_calendar ? units[i].months : units[i].seconds);
        return true;
    }
    return false;
}

// [+-]number, spaces, unit
static bool parse_addition(br_text text, br_date_modifier *out)
{
    uint32_t at = text.data[0] == '+' || text.data[0] == '-', from = at;
    int64_t amount = 0;
    while (at < text.size && is_digit(text.data[at]) && at - from <= AMOUNT_DIGITS_MAX)
        amount = amount * 10 + (text.data[at++] - '0');
    if (at == from || at - from > AMOUNT_DIGITS_MAX) return false;
    uint32_t spaces = at;
    while (at < text.size && text.data[at] == ' ') at++;
    if (at == spaces) return false;
    br_text unit = br_text_make(text.data + at, text.size - at);
    return parse_unit(unit, text.data[0] == '-' ? -amount : amount, out);
}

static bool is_word(br_text text, const char *word)
{
    size_t size = strlen(word);
    return text.size == size && strncasecmp(text.data, word, size) == 0;
}

static bool parse_modifier(br_text text, br_date_modifier *out)
{
    static const struct {
        const char *text;
        char unit;
    } starts[] = {{"start of day", 'd'}, {"start of month", 'm'}, {"start of year", 'Y'}};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (!is_word(text, starts[i].text)) continue;
        *out = (br_date_modifier){.kind = BR_DATE_START, .unit = starts[i].unit};
        return true;
    }
    bool is_weekday = text.size == 9 && strncasecmp(text.data, "weekday ", 8) == 0;
    if (is_weekday) {
        *out = (br_date_modifier){.kind = BR_DATE_WEEKDAY, .amount = text.data[8] - '0'};
        return out->amount >= 0 && out->amount <= 6;
    }
    return parse_addition(text, out);
}

bool br_date_modifiers_parse(const br_node *node, uint32_t first, br_date_modifiers *out)
{
    *out = (br_date_modifiers){0};
    for (uint32_t i = first; i < node->arg_count; i++) {
        const br_node *arg = node->args[i];
        if (arg->kind != BR_EXPR_CONST || arg->value.class_ != BR_TEXT ||
            arg->value.text.size == 0 || out->count == BR_DATE_MODIFIERS_MAX)
            return false;
        if (i == first && is_word(arg->value.text, "unixepoch"))
            out->from_unix_time = true;
        else if (!parse_modifier(arg->value.text, &out->items[out->count++]))
            return false;
    }
    return true;
}

// ---- applying --------------------------------------------------------------------------------

bool br_date_is_in_range(int64_t seconds)
{
    return seconds >= seconds_min && seconds <= seconds_max;
}

static int64_t floor_div(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

// The day stays: of a month that has no such day, it goes over into the next.
static int64_t add_months(int64_t days, int64_t months)
{
    int32_t year;
    uint32_t month, day;
    br_days_to_civil(days, &year, &month, &day);
    int64_t total = (int64_t)year * 12 + (month - 1) + months;
    int64_t new_year = floor_div(total, 12);
    uint32_t new_month = (uint32_t)(total - new_year * 12) + 1;
    return br_days_from_civil((int32_t)new_year, new_month, 1) + (day - 1);
}

static int64_t start_of(int64_t days, char unit)
{
    int32_t year;
    uint32_t month, day;
    if (unit == 'd') return days;
    br_days_to_civil(days, &year, &month, &day);
    return br_days_from_civil(year, unit == 'm' ? month : 1, 1);
}

bool br_date_modify(const br_date_modifiers *modifiers, int64_t *seconds_inout)
{
    int64_t seconds = *seconds_inout;
    for (uint32_t i = 0; i < modifiers->count; i++) {
        const br_date_modifier *modifier = &modifiers->items[i];
        if (!br_date_is_in_range(seconds)) return false;
        int64_t days = floor_div(seconds, seconds_per_day);
        int64_t time = seconds - days * seconds_per_day;
        switch (modifier->kind) {
        case BR_DATE_ADD_SECONDS: seconds += modifier->amount; break;
        case BR_DATE_ADD_MONTHS:
            seconds = add_months(days, modifier->amount) * seconds_per_day + time;
            break;
        case BR_DATE_START: seconds = start_of(days, modifier->unit) * seconds_per_day; break;
        case BR_DATE_WEEKDAY: {
            int64_t weekday = days + 4 - floor_div(days + 4, 7) * 7;  // 1970-01-01: a Thursday
            int64_t ahead = modifier->amount - weekday;
            seconds += (ahead < 0 ? ahead + 7 : ahead) * seconds_per_day;
            break;
        }
        }
    }
    *seconds_inout = seconds;
    return br_date_is_in_range(seconds);
}
