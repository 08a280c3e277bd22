// The functions we know: how many arguments, and what comes out.
// SPDX-License-Identifier: Apache-2.0
#include <stddef.h>

#include "sql/bind.h"

static const int64_t length_max = (int64_t)1 << 31;  // SQLite's limit on the bytes of a value

static const br_function_info functions[] = {
    {"abs", 1, 1, BR_FN_ABS},
    {"round", 1, 2, BR_FN_ROUND},
    {"coalesce", 2, -1, BR_FN_COALESCE},
    {"ifnull", 2, 2, BR_FN_COALESCE},
    {"nullif", 2, 2, BR_FN_NULLIF},
    {"iif", 3, 3, BR_FN_IIF},
    {"length", 1, 1, BR_FN_LENGTH},
    {"lower", 1, 1, BR_FN_LOWER},
    {"upper", 1, 1, BR_FN_UPPER},
    {"substr", 2, 3, BR_FN_SUBSTR},
    {"substring", 2, 3, BR_FN_SUBSTR},
    {"trim", 1, 2, BR_FN_TRIM},
    {"ltrim", 1, 2, BR_FN_LTRIM},
    {"rtrim", 1, 2, BR_FN_RTRIM},
    {"replace", 3, 3, BR_FN_REPLACE},
    {"instr", 2, 2, BR_FN_INSTR},
    {"min", 2, -1, BR_FN_MIN},
    {"max", 2, -1, BR_FN_MAX},
    {"typeof", 1, 1, BR_FN_TYPEOF},
    {"date", 0, -1, BR_FN_DATE},
    {"time", 0, -1, BR_FN_TIME},
    {"datetime", 0, -1, BR_FN_DATETIME},
    {"julianday", 0, -1, BR_FN_JULIANDAY},
    {"unixepoch", 0, -1, BR_FN_UNIXEPOCH},
    {"strftime", 0, -1, BR_FN_STRFTIME},
    {"hex", 1, 1, BR_FN_HEX},
    {"unicode", 1, 1, BR_FN_UNICODE},
    {"sign", 1, 1, BR_FN_SIGN},
    {"likely", 1, 1, BR_FN_LIKELY},
    {"unlikely", 1, 1, BR_FN_LIKELY},
    {"likelihood", 2, 2, BR_FN_LIKELY},
    {"like", 2, 3, BR_FN_BRIDGE},
    {"glob", 2, 2, BR_FN_BRIDGE},
    {"regexp", 2, 2, BR_FN_REGEXP},
    {"regexp_replace", 3, 4, BR_FN_REGEXP_REPLACE},
    {"regexp_extract", 2, 3, BR_FN_REGEXP_EXTRACT},
    {"ceil", 1, 1, BR_FN_MATH},
    {"ceiling", 1, 1, BR_FN_MATH},
    {"floor", 1, 1, BR_FN_MATH},
    {"trunc", 1, 1, BR_FN_MATH},
    {"ln", 1, 1, BR_FN_MATH},
    {"log10", 1, 1, BR_FN_MATH},
    {"log2", 1, 1, BR_FN_MATH},
    {"exp", 1, 1, BR_FN_MATH},
    {"sqrt", 1, 1, BR_FN_MATH},
    {"sin", 1, 1, BR_FN_MATH},
    {"cos", 1, 1, BR_FN_MATH},
    {"tan", 1, 1, BR_FN_MATH},
    {"asin", 1, 1, BR_FN_MATH},
    {"acos", 1, 1, BR_FN_MATH},
    {"atan", 1, 1, BR_FN_MATH},
    {"sinh", 1, 1, BR_FN_MATH},
    {"cosh", 1, 1, BR_FN_MATH},
    {"tanh", 1, 1, BR_FN_MATH},
    {"asinh", 1, 1, BR_FN_MATH},
    {"acosh", 1, 1, BR_FN_MATH},
    {"atanh", 1, 1, BR_FN_MATH},
    {"degrees", 1, 1, BR_FN_MATH},
    {"radians", 1, 1, BR_FN_MATH},
    {"pow", 2, 2, BR_FN_MATH},
    {"power", 2, 2, BR_FN_MATH},
    {"atan2", 2, 2, BR_FN_MATH},
    {"mod", 2, 2, BR_FN_MATH},
    {"log", 1, 2, BR_FN_MATH},  // of two arguments it becomes LOG_BASE
    {"pi", 0, 0, BR_FN_PI},
    {"date_trunc", 2, 2, BR_FN_DATE_TRUNC},
    {"json_extract", 0, -1, BR_FN_JSON_EXTRACT},
    {"->", 2, 2, BR_FN_JSON_EXTRACT},
    {"->>", 2, 2, BR_FN_JSON_EXTRACT},
    {"printf", 0, -1, BR_FN_BRIDGE},
    {"format", 0, -1, BR_FN_BRIDGE},
    {"quote", 1, 1, BR_FN_BRIDGE},
    {"char", 0, -1, BR_FN_BRIDGE},
    {"zeroblob", 1, 1, BR_FN_BRIDGE},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

const br_function_info *br_function_list(uint32_t *count_out)
{
    *count_out = FUNCTION_COUNT;
    return functions;
}

const br_function_info *br_function_find(const char *name)
{
    for (uint32_t i = 0; i < FUNCTION_COUNT; i++) {
        if (br_name_equal(functions[i].name, name)) return &functions[i];
    }
    return NULL;
}

const br_window_info *br_window_find(const char *name)
{
    static const br_window_info windows[] = {
        {"row_number", BR_WINDOW_ROW_NUMBER, 0, 0},
        {"rank", BR_WINDOW_RANK, 0, 0},
        {"dense_rank", BR_WINDOW_DENSE_RANK, 0, 0},
        {"percent_rank", BR_WINDOW_PERCENT_RANK, 0, 0},
        {"cume_dist", BR_WINDOW_CUME_DIST, 0, 0},
        {"ntile", BR_WINDOW_NTILE, 1, 1},
        {"lag", BR_WINDOW_LAG, 1, 3},
        {"lead", BR_WINDOW_LEAD, 1, 3},
        {"first_value", BR_WINDOW_FIRST_VALUE, 1, 1},
        {"last_value", BR_WINDOW_LAST_VALUE, 1, 1},
        {"nth_value", BR_WINDOW_NTH_VALUE, 2, 2},
    };
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        if (br_name_equal(windows[i].name, name)) return &windows[i];
    }
    return NULL;
}

br_aggregate_kind br_aggregate_find(const char *name, uint32_t arg_count)
{
    static const struct {
        const char *name;
        br_aggregate_kind kind;
    } aggregates[] = {
        {"count", BR_AGG_COUNT},
        {"sum", BR_AGG_SUM},
        {"total", BR_AGG_TOTAL},
        {"avg", BR_AGG_AVG},
        {"min", BR_AGG_MIN},
        {"max", BR_AGG_MAX},
        {"group_concat", BR_AGG_GROUP_CONCAT},
        {"string_agg", BR_AGG_GROUP_CONCAT},
        {"json_group_array", BR_AGG_JSON_ARRAY},
        {"json_group_object", BR_AGG_JSON_OBJECT},
        {"median", BR_AGG_QUANTILE},
        {"quantile", BR_AGG_QUANTILE},
        {"stddev", BR_AGG_STDDEV_SAMP},
        {"stddev_samp", BR_AGG_STDDEV_SAMP},
        {"stddev_pop", BR_AGG_STDDEV_POP},
        {"variance", BR_AGG_VAR_SAMP},
        {"var_samp", BR_AGG_VAR_SAMP},
        {"var_pop", BR_AGG_VAR_POP},
        {"approx_count_distinct", BR_AGG_COUNT},
    };
    for (size_t i = 0; i < sizeof aggregates / sizeof aggregates[0]; i++) {
        if (!br_name_equal(aggregates[i].name, name)) continue;
        bool is_extreme = aggregates[i].kind == BR_AGG_MIN || aggregates[i].kind == BR_AGG_MAX;
        return is_extreme && arg_count != 1 ? BR_AGG_COUNT_ : aggregates[i].kind;
    }
    return BR_AGG_COUNT_;
}

// ---- result types ----------------------------------------------------------------------------

static unsigned any_null(br_expr *const *args, uint32_t arg_count)
{
    unsigned null = 0;
    for (uint32_t i = 0; i < arg_count; i++) null |= args[i]->type.class_mask & BR_MASK_NULL;
    return null;
}

static br_type type_abs(const br_type *arg)
{
    unsigned mask = arg->class_mask & (BR_MASK_NULL | BR_MASK_INT | BR_MASK_REAL);
    if ((arg->class_mask & (BR_MASK_TEXT | BR_MASK_BLOB)) != 0) mask |= BR_MASK_REAL;
    br_type type = br_type_of_mask(mask);
    if ((mask & BR_MASK_INT) == 0) return type;
    type.has_range = true;
    type.int_min = 0;
    type.int_max = INT64_MAX;
    if (!arg->has_range || arg->int_min == INT64_MIN) return type;
    int64_t low = arg->int_min < 0 ? -arg->int_min : arg->int_min;
    int64_t high = arg->int_max == INT64_MIN ? INT64_MAX
                   : arg->int_max < 0       ? -arg->int_max
                                            : arg->int_max;
    type.int_max = low > high ? low : high;
    return type;
}

// coalesce: NULL only when the last argument may be; min and max: when any may be.
static br_type type_union_of(br_expr *const *args, uint32_t arg_count, bool is_coalesce)
{
    br_type type = args[0]->type;
    for (uint32_t i = 1; i < arg_count; i++) type = br_type_union(type, args[i]->type);
    bool all_null = true;
    for (uint32_t i = 0; i < arg_count; i++)
        all_null = all_null && (args[i]->type.class_mask & BR_MASK_NULL) != 0;
    if (is_coalesce && !all_null) type.class_mask &= (uint8_t)~BR_MASK_NULL;
    return type;
}

static br_type type_of_bridge(const char *name)
{
    static const struct {
        const char *name;
        unsigned mask;
    } masks[] = {
        {"printf", BR_MASK_TEXT | BR_MASK_NULL},
        {"format", BR_MASK_TEXT | BR_MASK_NULL},
        {"quote", BR_MASK_TEXT},
        {"char", BR_MASK_TEXT},
        {"zeroblob", BR_MASK_BLOB | BR_MASK_NULL},
        {"like", BR_MASK_INT | BR_MASK_NULL},
        {"glob", BR_MASK_INT | BR_MASK_NULL},
        {"braid_time", BR_MASK_INT | BR_MASK_NULL},
        {"random", BR_MASK_INT},
        {"randomblob", BR_MASK_BLOB},
        {"changes", BR_MASK_INT},
        {"total_changes", BR_MASK_INT},
        {"last_insert_rowid", BR_MASK_INT},
        {"json", BR_MASK_TEXT | BR_MASK_NULL},
        {"json_array", BR_MASK_TEXT | BR_MASK_NULL},
        {"json_object", BR_MASK_TEXT | BR_MASK_NULL},
        {"json_array_length", BR_MASK_INT | BR_MASK_NULL},
        {"json_type", BR_MASK_TEXT | BR_MASK_NULL},
        {"json_valid", BR_MASK_INT | BR_MASK_NULL},
    };
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        if (br_name_equal(masks[i].name, name)) return br_type_of_mask(masks[i].mask);
    }
    return br_type_of_mask(BR_MASK_ALL);
}

// Only ceil() and the like give integers, of integers; texts may be any number, or none.
static br_type type_math(const char *name, br_expr *const *args, uint32_t arg_count)
{
    static const char *const whole[] = {"ceil", "ceiling", "floor", "trunc"};
    unsigned mask = args[0]->type.class_mask;
    bool keeps_int = false;
    for (size_t i = 0; i < sizeof whole / sizeof *whole && arg_count == 1; i++)
        keeps_int = keeps_int || br_name_equal(name, whole[i]);
    if (!keeps_int) return br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL);
    if ((mask & ~(unsigned)(BR_MASK_INT | BR_MASK_NULL)) == 0) return args[0]->type;
    bool has_int = (mask & (BR_MASK_INT | BR_MASK_TEXT)) != 0;
    return br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL | (has_int ? BR_MASK_INT : 0));
}

static unsigned text_or_blob(br_expr *const *args)
{
    unsigned mask = args[0]->type.class_mask;
    unsigned text = mask & (BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT) ? BR_MASK_TEXT : 0;
    return text | (mask & BR_MASK_BLOB);
}

br_type br_function_type(br_function function, const char *name, br_expr *const *args,
                         uint32_t arg_count)
{
    unsigned null = any_null(args, arg_count);
    br_type type;
    switch (function) {
    case BR_FN_ABS: return type_abs(&args[0]->type);
    case BR_FN_ROUND: return br_type_of_mask(BR_MASK_REAL | null);
    case BR_FN_COALESCE: return type_union_of(args, arg_count, true);
    case BR_FN_MIN:
    case BR_FN_MAX: return type_union_of(args, arg_count, false);
    case BR_FN_IIF: return br_type_union(args[1]->type, args[2]->type);
    case BR_FN_NULLIF:
        type = args[0]->type;
        type.class_mask |= BR_MASK_NULL;
        return type;
    case BR_FN_LENGTH:
    case BR_FN_INSTR: return br_type_int(0, length_max, null != 0);
    case BR_FN_UNICODE: return br_type_int(0, length_max, true);
    case BR_FN_SIGN: return br_type_int(-1, 1, true);
    case BR_FN_REGEXP: return br_type_int(0, 1, null != 0);
    case BR_FN_SUBSTR: return br_type_of_mask(text_or_blob(args) | null);
    case BR_FN_LOWER:
    case BR_FN_UPPER:
    case BR_FN_TRIM:
    case BR_FN_LTRIM:
    case BR_FN_RTRIM:
    case BR_FN_REPLACE: return br_type_of_mask(BR_MASK_TEXT | null);
    case BR_FN_TYPEOF:
    case BR_FN_HEX: return br_type_of_mask(BR_MASK_TEXT);
    case BR_FN_DATE:
    case BR_FN_TIME:
    case BR_FN_DATETIME:
    case BR_FN_STRFTIME:
    case BR_FN_DATE_TRUNC:
    case BR_FN_REGEXP_REPLACE:
    case BR_FN_REGEXP_EXTRACT: return br_type_of_mask(BR_MASK_TEXT | BR_MASK_NULL);
    case BR_FN_JULIANDAY: return br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL);
    case BR_FN_UNIXEPOCH: return br_type_of_mask(BR_MASK_INT | BR_MASK_NULL);
    case BR_FN_MATH: return type_math(name, args, arg_count);
    case BR_FN_LOG_BASE: return br_type_of_mask(BR_MASK_REAL | BR_MASK_NULL);
    case BR_FN_PI: return br_type_of_mask(BR_MASK_REAL);
    case BR_FN_JSON_EXTRACT: {
        bool is_json = br_name_equal(name, "->");
        return br_type_of_mask(is_json ? BR_MASK_TEXT | BR_MASK_NULL
                                       : BR_MASK_ALL & ~(unsigned)BR_MASK_BLOB);
    }
    case BR_FN_LIKELY: return args[0]->type;
    case BR_FN_BRIDGE:
    case BR_FN_COUNT: break;
    }
    return type_of_bridge(name);
}

bool br_function_can_fail(br_function function, br_expr *const *args, uint32_t arg_count)
{
    for (uint32_t i = 0; i < arg_count; i++) {
        if (args[i]->can_fail) return true;
    }
    if (function == BR_FN_ABS) {
        const br_type *type = &args[0]->type;
        return (type->class_mask & BR_MASK_INT) != 0 &&
               (!type->has_range || type->int_min == INT64_MIN);
    }
    return function == BR_FN_BRIDGE || function == BR_FN_DATE_TRUNC ||
           function == BR_FN_JSON_EXTRACT || function == BR_FN_REGEXP ||
           function == BR_FN_REGEXP_REPLACE || function == BR_FN_REGEXP_EXTRACT;
}
