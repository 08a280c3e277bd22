// encode_date.c - TEXT that is a canonical date or date and time, as day or second numbers.
//
// Body: an INT node of the numbers. Every value must be exactly YYYY-MM-DD (DATE) or
// YYYY-MM-DD HH:MM:SS (DATETIME) of an existing day and time, so that the text can be made again.
// For such texts the order of bytes is the order of numbers.
// SPDX-License-Identifier: Apache-2.0
#include "format/encoding.h"

enum { SECONDS_PER_DAY = 86400 };

// The day of the last text parsed: neighbouring rows often share it.
typedef struct day_memo {
    char text[BR_DATE_TEXT_BYTES];
    int64_t days;
} day_memo;

static bool parse_day(day_memo *memo, const char *text, int64_t *days_out)
{
    if (memcmp(text, memo->text, BR_DATE_TEXT_BYTES) != 0) {
        if (!br_date_parse(text, BR_DATE_TEXT_BYTES, &memo->days)) return false;
        memcpy(memo->text, text, BR_DATE_TEXT_BYTES);
    }
    *days_out = memo->days;
    return true;
}

static bool parse_two_digits(const char *text, uint32_t limit, int64_t *number_out)
{
    uint32_t tens = (uint32_t)(unsigned char)text[0] - '0';
    uint32_t ones = (uint32_t)(unsigned char)text[1] - '0';
    if (tens > 9 || ones > 9 || tens * 10 + ones >= limit) return false;
    *number_out = tens * 10 + ones;
    return true;
}

static bool parse_moment(day_memo *memo, const char *text, int64_t *seconds_out)
{
    int64_t days, hours, minutes, seconds;
    if (text[10] != ' ' || text[13] != ':' || text[16] != ':') return false;
    if (!parse_two_digits(text + 11, 24, &hours) || !parse_two_digits(text + 14, 60, &minutes) ||
        !parse_two_digits(text + 17, 60, &seconds) || !parse_day(memo, text, &days))
        return false;
    *seconds_out = days * SECONDS_PER_DAY + hours * 3600 + minutes * 60 + seconds;
    return true;
}

bool br_time_parse(br_vector_kind kind, br_text text, int64_t *number_out)
{
    if (kind == BR_VECTOR_DATE) return br_date_parse(text.data, text.size, number_out);
    return br_datetime_parse(text.data, text.size, number_out);
}

void br_time_bounds(br_vector_kind kind, int64_t *low_out, int64_t *high_out)
{
    int64_t first = br_days_from_civil(0, 1, 1), last = br_days_from_civil(9999, 12, 31);
    bool is_date = kind == BR_VECTOR_DATE;
    *low_out = is_date ? first : first * SECONDS_PER_DAY;
    *high_out = is_date ? last : last * SECONDS_PER_DAY + SECONDS_PER_DAY - 1;
}

// The numbers of all values, or NULL when one is not canonical.
static br_status parse_all(br_encoder *encoder, const br_values *values, br_vector_kind kind,
                           const int64_t **numbers_out, br_error *err)
{
    bool is_date = kind == BR_VECTOR_DATE;
    uint32_t size = is_date ? BR_DATE_TEXT_BYTES : BR_DATETIME_TEXT_BYTES;
    *numbers_out = NULL;
    if (values->class_ != BR_TEXT || values->sizes[0] != size) return BR_OK;
    size_t size_bytes = values->row_count * sizeof(int64_t);
    int64_t *numbers = br_arena_alloc(encoder->arena, size_bytes, 64);
    if (numbers == NULL) return br_fail_nomem(err, size_bytes);
    day_memo memo = {{0}, 0};
    for (uint32_t row = 0; row < values->row_count; row++) {
        const char *text = (const char *)(uintptr_t)values->payloads[row];
        if (values->sizes[row] != size) return BR_OK;
        if (is_date ? !parse_day(&memo, text, &numbers[row])
                    : !parse_moment(&memo, text, &numbers[row]))
            return BR_OK;
    }
    *numbers_out = numbers;
    return BR_OK;
}

// Final: no other encoding comes near, and operators gain from numbers.
static br_status estimate_kind(br_encoder *encoder, const br_values *values, br_vector_kind kind,
                               br_estimate *out, br_error *err)
{
    const int64_t *numbers;
    BR_TRY(parse_all(encoder, values, kind, &numbers, err));
    if (numbers != NULL)
        *out = (br_estimate){
            .size_bytes = values->row_count * 2ull, .is_final = true, .plan = numbers};
    return BR_OK;
}

static br_status date_estimate(br_encoder *encoder, const br_values *values,
                               const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)traits;
    return estimate_kind(encoder, values, BR_VECTOR_DATE, out, err);
}

static br_status datetime_estimate(br_encoder *encoder, const br_values *values,
                                   const br_traits *traits, br_estimate *out, br_error *err)
{
    (void)traits;
    return estimate_kind(encoder, values, BR_VECTOR_DATETIME, out, err);
}

static br_status date_encode(br_encoder *encoder, const br_values *values,
                             const br_estimate *estimate, br_error *err)
{
    return br_node_encode_integers(encoder, estimate->plan, values->row_count, err);
}

// ---- opening and reading ---------------------------------------------------------------------

static br_vector_kind kind_of(const br_node *node)
{
    return node->encoding == BR_ENCODING_DATE ? BR_VECTOR_DATE : BR_VECTOR_DATETIME;
}

// Numbers outside the calendar would have no canonical text.
static br_status date_open(br_opener *opener, br_node *node, br_error *err)
{
    int64_t low, high;
    br_time_bounds(kind_of(node), &low, &high);
    BR_TRY(br_node_open_child(opener, node->row_count, BR_MASK_INT, &node->numbers, err));
    return br_node_check_range(opener, node->numbers, low, high, node->ops->name, err);
}

static br_status date_decode(const br_node *node, uint32_t first, uint32_t count, br_arena *arena,
                             br_vector *out, br_error *err)
{
    BR_TRY(br_integers_decode(node->numbers, first, count, arena, out, err));
    out->class_ = BR_TEXT;
    out->kind = (uint8_t)kind_of(node);
    return BR_OK;
}

static br_status date_gather(const br_node *node, uint32_t first, const uint16_t *positions,
                             uint32_t count, br_arena *arena, br_vector *out, br_error *err)
{
    BR_TRY(br_integers_gather(node->numbers, first, positions, count, arena, out, err));
    out->class_ = BR_TEXT;
    out->kind = (uint8_t)kind_of(node);
    return BR_OK;
}

static br_status date_select(const br_node *node, const br_selection *selection,
                             uint64_t *bits_out, bool *done_out, br_error *err)
{
    (void)err;
    *done_out = selection->filter->kind != BR_FILTER_PREDICATE;
    if (!*done_out) return BR_OK;
    br_integer_range range = br_filter_dates(selection->filter, kind_of(node));
    node->numbers->ops->integers->range(node->numbers, selection->first, selection->count,
                                        range.low, range.high, bits_out);
    if (range.is_negated) br_bits_negate(bits_out, selection->count);
    return BR_OK;
}

const br_encoding_ops br_encode_date = {
    .name = "date",
    .class_mask = BR_MASK_TEXT,
    .estimate = date_estimate,
    .encode = date_encode,
    .open = date_open,
    .decode = date_decode,
    .gather = date_gather,
    .select = date_select,
};

const br_encoding_ops br_encode_datetime = {
    .name = "datetime",
    .class_mask = BR_MASK_TEXT,
    .estimate = datetime_estimate,
    .encode = date_encode,
    .open = date_open,
    .decode = date_decode,
    .gather = date_gather,
    .select = date_select,
};
