// function_regexp.c - regexp() regexp_replace() regexp_extract().
//
//     regexp(pattern, text)                             text REGEXP pattern
//     regexp_replace(text, pattern, replacement [, flags])   flags: g all matches, i ignore case
//     regexp_extract(text, pattern [, group])           NULL when nothing matches
//
// NULL for any NULL argument. Each evaluator keeps the last patterns compiled; they are freed with
// its arena.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/regexp.h"
#include "exec/implementations.h"

enum { PATTERNS_KEPT = 8 };

typedef struct kept_pattern {
    char *bytes;
    uint32_t size;
    bool ignore_case;
    br_regexp *regexp;  // NULL: the slot is free
} kept_pattern;

struct br_regexp_cache {
    kept_pattern patterns[PATTERNS_KEPT];
    uint32_t next_victim;
};

// ---- compiled patterns -----------------------------------------------------------------------

static void cache_free(void *context)
{
    br_regexp_cache *cache = context;
    for (uint32_t i = 0; i < PATTERNS_KEPT; i++) {
        br_regexp_free(cache->patterns[i].regexp);
        br_heap_free(cache->patterns[i].bytes);
    }
    br_heap_free(cache);
}

static br_status cache_of(br_evaluator *evaluator, br_regexp_cache **cache_out, br_error *err)
{
    if (evaluator->regexps == NULL) {
        br_regexp_cache *cache = br_heap_zalloc(sizeof *cache);
        if (cache == NULL) return br_evaluate_no_memory(err);
        if (!br_arena_on_free(evaluator->arena, cache_free, cache)) {
            cache_free(cache);
            return br_evaluate_no_memory(err);
        }
        evaluator->regexps = cache;
    }
    *cache_out = evaluator->regexps;
    return BR_OK;
}

static br_status cache_add(br_regexp_cache *cache, br_text pattern, bool ignore_case,
                           br_regexp **regexp_out, br_error *err)
{
    br_regexp *regexp;
    BR_TRY(br_regexp_new(pattern, ignore_case, &regexp, err));
    char *bytes = br_heap_alloc(pattern.size + 1);
    if (bytes == NULL) {
        br_regexp_free(regexp);
        return br_evaluate_no_memory(err);
    }
    if (pattern.size > 0) memcpy(bytes, pattern.data, pattern.size);
    kept_pattern *kept = &cache->patterns[cache->next_victim++ % PATTERNS_KEPT];
    br_regexp_free(kept->regexp);
    br_heap_free(kept->bytes);
    *kept = (kept_pattern){
        .bytes = bytes, .size = pattern.size, .ignore_case = ignore_case, .regexp = regexp};
    *regexp_out = regexp;
    return BR_OK;
}

static br_status find_regexp(br_evaluator *evaluator, br_text pattern, bool ignore_case,
                             br_regexp **regexp_out, br_error *err)
{
    br_regexp_cache *cache;
    BR_TRY(cache_of(evaluator, &cache, err));
    for (uint32_t i = 0; i < PATTERNS_KEPT; i++) {
        const kept_pattern *kept = &cache->patterns[i];
        if (kept->regexp == NULL || kept->size != pattern.size ||
            kept->ignore_case != ignore_case ||
            (pattern.size > 0 && memcmp(kept->bytes, pattern.data, pattern.size) != 0))
            continue;
        *regexp_out = kept->regexp;
        return BR_OK;
    }
    return cache_add(cache, pattern, ignore_case, regexp_out, err);
}

// ---- one row ---------------------------------------------------------------------------------

typedef struct regexp_call {  // the arguments that are not the text
    br_regexp *regexp;
    br_text replacement;
    bool replace_all;
    uint32_t group;
} regexp_call;

static br_status parse_flags(br_text flags, bool *all_out, bool *ignore_case_out, br_error *err)
{
    for (uint32_t i = 0; i < flags.size; i++) {
        if (flags.data[i] == 'g') *all_out = true;
        else if (flags.data[i] == 'i') *ignore_case_out = true;
        else
            return br_fail(err, BR_RUNTIME, "regexp_replace: unknown flag '%c', want g or i",
                           flags.data[i]);
    }
    return BR_OK;
}

// The arguments behind text and pattern; none is NULL.
static br_status prepare_call(br_evaluator *evaluator, const br_node *node, const br_value *args,
                              br_arena *arena, regexp_call *call, br_error *err)
{
    const br_exec_bridge *bridge = evaluator->bridge;
    bool ignore_case = false;
    *call = (regexp_call){0};
    if (node->function == BR_FN_REGEXP_REPLACE) {
        call->replacement = br_value_to_text(&args[2], bridge, arena);
        if (node->arg_count > 3)
            BR_TRY(parse_flags(br_value_to_text(&args[3], bridge, arena), &call->replace_all,
                               &ignore_case, err));
    } else if (node->function == BR_FN_REGEXP_EXTRACT && node->arg_count > 2) {
        int64_t group = br_value_to_int(&args[2]);
        if (group < 0 || group > 65535)
            return br_fail(err, BR_RUNTIME, "regexp_extract: no group %lld", (long long)group);
        call->group = (uint32_t)group;
    }
    uint32_t pattern_index = node->function == BR_FN_REGEXP ? 0 : 1;
    br_text pattern = br_value_to_text(&args[pattern_index], bridge, arena);
    return find_regexp(evaluator, pattern, ignore_case, &call->regexp, err);
}

br_status br_row_regexp(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    const br_node *node = context->node;
    regexp_call call;
    bool found;
    br_text result;
    *out = br_value_null();
    for (uint32_t i = 0; i < node->arg_count; i++) {
        if (args[i].class_ == BR_NULL) return BR_OK;
    }
    BR_TRY(prepare_call(context->evaluator, node, args, context->arena, &call, err));
    br_text text = br_value_to_text(&args[node->function == BR_FN_REGEXP ? 1 : 0],
                                    context->evaluator->bridge, context->arena);
    if (node->function == BR_FN_REGEXP) {
        BR_TRY(br_regexp_matches(call.regexp, text, &found, err));
        *out = br_value_int(found);
    } else if (node->function == BR_FN_REGEXP_REPLACE) {
        BR_TRY(br_regexp_replace(call.regexp, text, call.replacement, call.replace_all,
                                 context->arena, &result, err));
        *out = br_value_text(result);
    } else {
        BR_TRY(br_regexp_extract(call.regexp, text, call.group, &found, &result, err));
        if (found) *out = br_value_text(result);
    }
    return BR_OK;
}

// ---- whole vectors ---------------------------------------------------------------------------

// Everything but the text is a constant that is not NULL.
static bool has_constant_arguments(const br_node *node, uint32_t text_index)
{
    for (uint32_t i = 0; i < node->arg_count; i++) {
        bool is_constant = node->args[i]->kind == BR_EXPR_CONST &&
                           node->args[i]->value.class_ != BR_NULL;
        if (i != text_index && !is_constant) return false;
    }
    return true;
}

static br_status constant_call(br_frame *frame, const br_node *node, regexp_call *call,
                               br_error *err)
{
    br_value args[4] = {{0}};
    br_assert(node->arg_count <= 4);
    for (uint32_t i = 0; i < node->arg_count; i++) args[i] = node->args[i]->value;
    return prepare_call(frame->evaluator, node, args, frame->arena, call, err);
}

br_status br_vector_regexp_replace(br_frame *frame, const br_node *node, br_vector *out,
                                   br_error *err)
{
    br_vector texts;
    regexp_call call;
    BR_TRY(br_node_flat(frame, node->args[0], &texts, err));
    if (texts.class_ != BR_TEXT || texts.kind == BR_VECTOR_CONST ||
        !has_constant_arguments(node, 0))
        return br_node_rows(frame, node, out, err);
    BR_TRY(constant_call(frame, node, &call, err));
    br_text *results = BR_ALLOC(frame->arena, br_text, frame->row_count);
    if (results == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (br_vector_is_null(&texts, row)) {
            results[row] = br_text_make("", 0);
            continue;
        }
        BR_TRY(br_regexp_replace(call.regexp, texts.text[row], call.replacement,
                                 call.replace_all, frame->arena, &results[row], err));
    }
    *out = (br_vector){.class_ = BR_TEXT, .validity = texts.validity, .text = results};
    return BR_OK;
}

br_status br_condition_regexp(br_frame *frame, const br_node *node, br_condition *out,
                              br_error *err)
{
    br_vector texts, rows;
    regexp_call call;
    const uint64_t *nulls;
    BR_TRY(br_node_flat(frame, node->args[1], &texts, err));
    if (texts.class_ != BR_TEXT || texts.kind == BR_VECTOR_CONST ||
        !has_constant_arguments(node, 1)) {
        BR_TRY(br_node_rows(frame, node, &rows, err));
        return br_condition_of_vector(frame, &rows, out, err);
    }
    BR_TRY(constant_call(frame, node, &call, err));
    BR_TRY(br_frame_nulls(frame, &texts, &nulls, err));
    uint64_t *bits = br_frame_bits(frame);
    if (bits == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        bool found = false;
        if (nulls != NULL && br_bitmap_get(nulls, row)) continue;
        BR_TRY(br_regexp_matches(call.regexp, texts.text[row], &found, err));
        bits[row >> 6] |= (uint64_t)found << (row & 63);
    }
    *out = (br_condition){.is_true = bits, .is_null = nulls};
    return BR_OK;
}
