// aggregates.c - the aggregates that Braid adds to SQL, for statements that run in SQLite. Same
// rules as the columnar engine: NULLs are left out, everything else is taken as a number as CAST
// to REAL does. approx_count_distinct counts distinct values by their hashes.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/statistics.h"
#include "oltp/handle.h"

// ---- variance and deviation ------------------------------------------------------------------

enum { IS_SAMPLE = 1, IS_ROOT = 2 };  // what to make of moments: user data of the function

static void moments_step(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return;
    br_moments *moments = sqlite3_aggregate_context(context, sizeof *moments);
    if (moments == NULL) sqlite3_result_error_nomem(context);
    else br_moments_add(moments, sqlite3_value_double(arguments[0]));
}

static void moments_finish(sqlite3_context *context)
{
    const br_moments *moments = sqlite3_aggregate_context(context, 0);
    intptr_t how = (intptr_t)sqlite3_user_data(context);
    double variance;
    if (moments == NULL || !br_moments_variance(moments, how & IS_SAMPLE, &variance)) return;
    sqlite3_result_double(context, how & IS_ROOT ? sqrt(variance) : variance);
}

// ---- quantile --------------------------------------------------------------------------------

typedef struct number_list {
    double *numbers;
    size_t count, capacity;
    double fraction;
} number_list;

static void quantile_step(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    number_list *list = sqlite3_aggregate_context(context, sizeof *list);
    if (list == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    double fraction = count > 1 ? sqlite3_value_double(arguments[1]) : 0.5;
    bool is_null = count > 1 && sqlite3_value_type(arguments[1]) == SQLITE_NULL;
    if (is_null || !(fraction >= 0 && fraction <= 1)) {
        sqlite3_result_error(context, "quantile: the fraction must be between 0 and 1", -1);
        return;
    }
    list->fraction = fraction;  // SQLite finishes after a failure too
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return;
    void *numbers = list->numbers;
    if (!br_heap_grow(&numbers, sizeof *list->numbers, list->count, &list->capacity)) {
        sqlite3_result_error_nomem(context);
        return;
    }
    list->numbers = numbers;
    list->numbers[list->count++] = sqlite3_value_double(arguments[0]);
}

static void quantile_finish(sqlite3_context *context)
{
    number_list *list = sqlite3_aggregate_context(context, 0);
    if (list == NULL) return;
    if (list->count > 0)
        sqlite3_result_double(context, br_quantile(list->numbers, list->count, list->fraction));
    br_heap_free(list->numbers);
}

// ---- approx_count_distinct -------------------------------------------------------------------

typedef struct hash_set {  // open addressing; 0 is an empty slot
    uint64_t *slots;
    uint64_t count, slot_count;
} hash_set;

static uint64_t hash_of(sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    uint64_t hash;
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(value);
        size_t size = (size_t)sqlite3_value_bytes(value);
        hash = br_hash_bytes(bytes == NULL ? "" : bytes, size) + (type == SQLITE_BLOB);
    } else {
        int64_t whole = sqlite3_value_int64(value);
        double number = sqlite3_value_double(value);
        // 1 and 1.0 are one value.
        bool is_whole = type == SQLITE_INTEGER || (double)whole == number;
        hash = is_whole ? br_hash_bytes(&whole, sizeof whole)
                        : br_hash_bytes(&number, sizeof number);
    }
    return hash == 0 ? 1 : hash;
}

static void set_insert(hash_set *set, uint64_t hash)
{
    uint64_t at = hash & (set->slot_count - 1);
    while (set->slots[at] != 0 && set->slots[at] != hash) at = (at + 1) & (set->slot_count - 1);
    set->count += set->slots[at] == 0;
    set->slots[at] = hash;
}

static bool set_grow(hash_set *set)
{
    hash_set grown = {.slot_count = set->slot_count == 0 ? 64 : set->slot_count * 2};
    grown.slots = br_heap_array(grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL) return false;
    for (uint64_t i = 0; i < set->slot_count; i++) {
        if (set->slots[i] != 0) set_insert(&grown, set->slots[i]);
    }
    br_heap_free(set->slots);
    *set = grown;
    return true;
}

static void distinct_step(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return;
    hash_set *set = sqlite3_aggregate_context(context, sizeof *set);
    if (set == NULL || (set->count * 2 >= set->slot_count && !set_grow(set)))
        sqlite3_result_error_nomem(context);
    else
        set_insert(set, hash_of(arguments[0]));
}

static void distinct_finish(sqlite3_context *context)
{
    hash_set *set = sqlite3_aggregate_context(context, 0);
    sqlite3_result_int64(context, set == NULL ? 0 : (sqlite3_int64)set->count);
    if (set != NULL) br_heap_free(set->slots);
}

// ---- string_agg ------------------------------------------------------------------------------

typedef struct joined {
    br_buffer text;
    bool has_any;
} joined;

static void join_step(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return;
    joined *self = sqlite3_aggregate_context(context, sizeof *self);
    bool is_built = self != NULL;
    for (int i = self != NULL && self->has_any ? 1 : 0; is_built && i >= 0; i--) {
        const unsigned char *text = sqlite3_value_text(arguments[i]);
        size_t size = (size_t)sqlite3_value_bytes(arguments[i]);
        is_built = size == 0 || (text != NULL && br_buffer_append(&self->text, text, size));
    }
    if (is_built) self->has_any = true;
    else sqlite3_result_error_nomem(context);
}

static void join_finish(sqlite3_context *context)
{
    joined *self = sqlite3_aggregate_context(context, 0);
    if (self == NULL) return;
    const char *bytes = self->text.size_bytes == 0 ? "" : (const char *)self->text.bytes;
    if (self->has_any)
        sqlite3_result_text64(context, bytes, self->text.size_bytes, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    br_buffer_release(&self->text);
}

int br_oltp_add_aggregates(sqlite3 *handle)
{
    static const struct {
        const char *name;
        int argument_count;
        intptr_t data;
        void (*step)(sqlite3_context *, int, sqlite3_value **);
        void (*finish)(sqlite3_context *);
    } all[] = {
        {"stddev", 1, IS_SAMPLE | IS_ROOT, moments_step, moments_finish},
        {"stddev_samp", 1, IS_SAMPLE | IS_ROOT, moments_step, moments_finish},
        {"stddev_pop", 1, IS_ROOT, moments_step, moments_finish},
        {"variance", 1, IS_SAMPLE, moments_step, moments_finish},
        {"var_samp", 1, IS_SAMPLE, moments_step, moments_finish},
        {"var_pop", 1, 0, moments_step, moments_finish},
        {"median", 1, 0, quantile_step, quantile_finish},
        {"quantile", 2, 0, quantile_step, quantile_finish},
        {"approx_count_distinct", 1, 0, distinct_step, distinct_finish},
        {"string_agg", 2, 0, join_step, join_finish},
    };
    int code = SQLITE_OK;
    size_t count = sizeof all / sizeof all[0];
    if (sqlite3_libversion_number() >= 3044000) count--;  // has string_agg, and more of it
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        code = sqlite3_create_function_v2(handle, all[i].name, all[i].argument_count,
                                          SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                          (void *)all[i].data, NULL, all[i].step, all[i].finish,
                                          NULL);
    }
    return code;
}
