// aggregate_state.h - what aggregates remember per group, and how it is updated and merged.
//
// An aggregate is computed from one or two states; aggregates over the same argument share them
// (SUM, AVG, TOTAL and COUNT of x need one sum and one count). States of one kind lie in an array
// indexed by group. Update takes rows of a batch with their groups; merge takes states of another
// array, which come later in row order; finish turns states into the aggregate's values.
//
// Ownership: arrays live in `arena`, bytes of texts in `keep`. Threads: one worker per array; specs
// are immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_AGGREGATE_STATE_H
#define BR_EXEC_AGGREGATE_STATE_H

#include "base/statistics.h"
#include "exec/pipeline.h"

typedef enum br_state_kind {
    BR_STATE_COUNT,      // int64_t: rows, or rows whose argument is not NULL
    BR_STATE_SUM_INT,    // int64_t; flag: overflow
    BR_STATE_SUM_REAL,   // double
    BR_STATE_SUM_ANY,    // br_sum_any
    BR_STATE_BEST_INT,   // int64_t; flag: there is one
    BR_STATE_BEST_REAL,  // double; flag: there is one
    BR_STATE_BEST_TEXT,  // br_best_text; flag: a br_best_flag
    BR_STATE_BEST_ANY,   // br_value, BR_NULL: none yet
    BR_STATE_FIRST,      // br_value; flag: there is one
    BR_STATE_LAST,       // br_value; flag: there is one
    BR_STATE_ARG_BEST,   // br_arg_best
    BR_STATE_CONCAT,     // br_concat_list
    BR_STATE_MOMENTS,    // br_moments
    BR_STATE_NUMBERS,    // br_number_list
    BR_STATE_KIND_COUNT,
} br_state_kind;

typedef struct br_sum_any {  // as sum() of SQLite keeps it
    int64_t int_sum;
    double real_sum;
    bool is_real;       // something was not an integer, or the integers overflowed
    bool has_overflow;  // of integers, before anything else came
} br_sum_any;

typedef struct br_best_text {  // a text, or the number of a date that has not been text yet
    br_text text;
    int64_t number;
} br_best_text;

enum {  // flags of BEST_TEXT
    BR_BEST_NONE = 0,
    BR_BEST_IS_TEXT,
    BR_BEST_IS_DATE,
    BR_BEST_IS_DATETIME,
    BR_BEST_BORROWED = 0x80,  // while a batch is taken in: the bytes still are the batch's
};

typedef struct br_arg_best {
    br_value value, best;  // best is BR_NULL as long as every ordering value was
    bool has_value;
    bool has_passed;  // the filter lets the row through that it is from
} br_arg_best;

typedef struct br_concat_item {
    struct br_concat_item *next;
    br_value value, separator;
    br_value order[];  // ORDER BY inside
} br_concat_item;

typedef struct br_concat_list {
    br_concat_item *first, *last;
    uint64_t count;
} br_concat_list;

typedef struct br_number_chunk br_number_chunk;  // aggregate_statistics.c

typedef struct br_number_list {
    br_number_chunk *first, *last;
    uint64_t count;
} br_number_list;

static const uint32_t BR_STATE_NO_ARG = UINT32_MAX;

typedef struct br_state_spec {
    br_state_kind kind;
    bool is_max;             // BEST
    br_collation collation;  // BEST
    uint32_t arg;            // index of the evaluated expression, or BR_STATE_NO_ARG
    uint32_t second_arg;     // ordering of ARG_BEST, separator of CONCAT
    uint32_t filter;         // condition, or BR_STATE_NO_ARG
    uint32_t order_count;    // CONCAT: expressions first_order, first_order + 1, ...
    uint32_t first_order;
    bool is_checked;         // SUM_INT might overflow
    bool keeps_nulls;        // CONCAT
} br_state_spec;

typedef struct br_state_array {
    char *items;     // item_bytes each
    uint8_t *flags;  // for kinds that have them
} br_state_array;

uint32_t br_state_item_bytes(br_state_kind kind);
bool br_state_has_flags(br_state_kind kind);
void br_state_init(const br_state_spec *spec, br_state_array *array, uint32_t first,
                   uint32_t count);

// Rows to take in: row i belongs to group groups[i], or to group 0 when `groups` is NULL.
typedef struct br_state_rows {
    const br_run *run;
    const uint32_t *groups;
    uint32_t group_count;  // groups are below
    uint32_t row_count;
    const br_vector *vectors;  // the evaluated expressions
    br_arena *keep, *scratch;
} br_state_rows;

BR_CHECKED br_status br_state_update(const br_state_spec *spec, br_state_array *array,
                                     const br_state_rows *rows, br_error *err);
// State first+i of `from` goes into state groups[i].
void br_state_merge(const br_state_spec *spec, br_state_array *array, const uint32_t *groups,
                    const br_state_array *from, uint32_t first, uint32_t count);

// ---- results ---------------------------------------------------------------------------------

typedef struct br_aggregate_output {
    const br_aggregate *aggregate;
    uint32_t state;        // the main one
    uint32_t count_state;  // how many values went in, or BR_STATE_NO_ARG: at least one
} br_aggregate_output;

typedef struct br_finish_context {
    const br_run *run;
    const br_state_spec *specs;
    const br_state_array *arrays;
    br_arena *arena;  // of the vectors
    uint32_t first, count;  // groups, at most BR_BATCH_ROWS
} br_finish_context;

BR_CHECKED br_status br_aggregate_finish(const br_finish_context *context,
                                         const br_aggregate_output *output, br_vector *out,
                                         br_error *err);
// aggregate_list.c
BR_CHECKED br_status br_list_finish(const br_finish_context *context,
                                    const br_aggregate_output *output, const br_concat_list *list,
                                    br_value *out, br_error *err);
// aggregate_statistics.c: MOMENTS and NUMBERS
BR_CHECKED br_status br_statistics_update(const br_state_spec *spec, br_state_array *array,
                                          const br_state_rows *rows, br_error *err);
void br_numbers_merge(br_number_list *list, const br_number_list *from);
// All numbers in their order, and a list of such.
void br_numbers_copy(const br_number_list *list, double *out);
bool br_numbers_make(br_number_list *list, const double *numbers, uint64_t count,
                     br_arena *arena);
BR_CHECKED br_status br_statistics_finish(const br_finish_context *context,
                                          const br_aggregate_output *output, br_vector *out,
                                          br_error *err);

#endif
