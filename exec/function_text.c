// function_text.c - length() lower() upper() substr() trim() replace() instr() hex() unicode().
//
// SQLite's C strings end at a NUL; where its function stops there, so does ours.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "exec/evaluate.h"
#include "exec/implementations.h"

static br_text text_of(const br_row_context *context, const br_value *value)
{
    return br_value_to_text(value, context->evaluator->bridge, context->arena);
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

// Past one character: a byte, and behind one of 0xc0 or more its continuation bytes.
static const char *skip_char(const char *at, const char *end)
{
    if ((unsigned char)*at++ < 0xc0) return at;
    while (at < end && is_continuation(*at)) at++;
    return at;
}

br_status br_row_length(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    (void)err;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL) return BR_OK;
    br_text text = text_of(context, &args[0]);
    size_t length = text.size;
    if (args[0].class_ == BR_TEXT)
        length = context->evaluator->kernels->count_chars(text.data, text.size);
    *out = br_value_int((int64_t)length);
    return BR_OK;
}

br_status br_vector_length(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    br_vector texts;
    BR_TRY(br_node_flat(frame, node->args[0], &texts, err));
    if (texts.class_ != BR_TEXT || texts.kind == BR_VECTOR_CONST)
        return br_node_rows(frame, node, out, err);
    const br_exec_kernels *kernels = frame->evaluator->kernels;
    int64_t *lengths = BR_ALLOC(frame->arena, int64_t, frame->row_count);
    if (lengths == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (br_vector_is_null(&texts, row)) continue;
        lengths[row] = (int64_t)kernels->count_chars(texts.text[row].data, texts.text[row].size);
    }
    *out = (br_vector){.class_ = BR_INT, .validity = texts.validity, .i64 = lengths};
    return BR_OK;
}

br_status br_row_change_case(const br_row_context *context, const br_value *args, br_value *out,
                             br_error *err)
{
    *out = br_value_null();
    if (args[0].class_ == BR_NULL) return BR_OK;
    br_text text = text_of(context, &args[0]);
    char *bytes = br_arena_alloc(context->arena, text.size, 1);
    if (bytes == NULL) return br_evaluate_no_memory(err);
    char first = context->node->function == BR_FN_LOWER ? 'A' : 'a';
    for (uint32_t i = 0; i < text.size; i++) {
        bool is_letter = (unsigned char)(text.data[i] - first) < 26;
        bytes[i] = (char)(text.data[i] ^ (is_letter ? 0x20 : 0));
    }
    *out = br_value_text(br_text_make(bytes, text.size));
    return BR_OK;
}

// ---- substr() --------------------------------------------------------------------------------

static int64_t count_chars(br_text text)
{
    const char *at = text.data, *end = text.data + br_text_c_size(text);
    int64_t count = 0;
    for (; at < end; count++) at = skip_char(at, end);
    return count;
}

// SQLite's arithmetic on (start, length), of a value of `size` characters: *start_inout becomes
// 0-based. `size` matters only for a negative start.
static void substr_resolve(int64_t *start_inout, int64_t *length_inout, int64_t size)
{
    int64_t start = *start_inout, length = *length_inout;
    bool is_backward = length < 0;
    if (is_backward) length = -length;
    if (start < 0) {
        start += size;
        if (start < 0) {
            length = length + start < 0 ? 0 : length + start;
            start = 0;
        }
    } else if (start > 0) {
        start--;
    } else if (length > 0) {
        length--;
    }
    if (is_backward) {
        start -= length;
        if (start < 0) {
            length += start;
            start = 0;
        }
    }
    *start_inout = start;
    *length_inout = length;
}

static br_text text_substr(br_text text, int64_t start, int64_t length)
{
    substr_resolve(&start, &length, start < 0 ? count_chars(text) : 0);
    const char *at = text.data, *end = text.data + text.size;
    while (start > 0 && at < end && *at != 0) {
        at = skip_char(at, end);
        start--;
    }
    const char *first = at;
    while (length > 0 && at < end && *at != 0) {
        at = skip_char(at, end);
        length--;
    }
    return br_text_make(first, (uint32_t)(at - first));
}

br_status br_row_substr(const br_row_context *context, const br_value *args, br_value *out,
                        br_error *err)
{
    (void)err;
    bool has_length = context->node->arg_count == 3;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL ||
        (has_length && args[2].class_ == BR_NULL))
        return BR_OK;
    int64_t start = (int32_t)br_value_to_int(&args[1]);
    int64_t length = has_length ? (int32_t)br_value_to_int(&args[2]) : BR_TEXT_BYTES_MAX;
    br_text text = text_of(context, &args[0]);
    if (args[0].class_ != BR_BLOB) {
        *out = br_value_text(text_substr(text, start, length));
        return BR_OK;
    }
    if (text.size == 0) return BR_OK; // SQLite sees no bytes at all
    substr_resolve(&start, &length, text.size);
    if (start > text.size) start = text.size;
    if (length > text.size - start) length = text.size - start;
    *out = br_value_blob(br_text_make(text.data + start, (uint32_t)length));
    return BR_OK;
}

// Texts whose first bytes are plain ASCII are cut at bytes.
static bool is_plain(br_text text, uint32_t size)
{
    if (text.size < size) return false;
    for (uint32_t i = 0; i < size; i++) {
        if ((signed char)text.data[i] <= 0) return false;  // NUL, or 0x80 and more
    }
    return true;
}

static bool is_small_int(const br_vector *vector)
{
    return vector->kind == BR_VECTOR_CONST && vector->class_ == BR_INT && vector->i64[0] >= 0 &&
           vector->i64[0] < INT32_MAX;
}

// substr(text, start, length) with constants start > 0 and length >= 0.
br_status br_vector_substr(br_frame *frame, const br_node *node, br_vector *out, br_error *err)
{
    br_vector texts, start, length;
    if (node->arg_count != 3) return br_node_rows(frame, node, out, err);
    BR_TRY(br_node_flat(frame, node->args[0], &texts, err));
    BR_TRY(br_node_vector(frame, node->args[1], &start, err));
    BR_TRY(br_node_vector(frame, node->args[2], &length, err));
    if (texts.class_ != BR_TEXT || texts.kind == BR_VECTOR_CONST || !is_small_int(&start) ||
        !is_small_int(&length) || start.i64[0] == 0)
        return br_node_rows(frame, node, out, err);
    uint32_t first = (uint32_t)start.i64[0] - 1, size = (uint32_t)length.i64[0];
    br_text *results = br_arena_alloc(frame->arena, frame->row_count * sizeof *results, 64);
    if (results == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        br_text text = br_vector_is_null(&texts, row) ? br_text_make("", 0) : texts.text[row];
        results[row] = is_plain(text, first + size) ? br_text_make(text.data + first, size)
                                                    : text_substr(text, first + 1, size);
    }
    *out = (br_vector){.class_ = BR_TEXT, .validity = texts.validity, .text = results};
    return BR_OK;
}

// ---- trim() ----------------------------------------------------------------------------------

// The size of the character of `set` at the start (or end) of the text; 0 when there is none.
static uint32_t match_set_char(br_text set, const char *bytes, uint32_t size, bool at_end)
{
    const char *at = set.data, *end = set.data + br_text_c_size(set);
    while (at < end) {
        const char *next = skip_char(at, end);
        uint32_t char_size = (uint32_t)(next - at);
        if (char_size <= size &&
            memcmp(at_end ? bytes + size - char_size : bytes, at, char_size) == 0)
            return char_size;
        at = next;
    }
    return 0;
}

br_status br_row_trim(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    (void)err;
    const br_node *node = context->node;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || (node->arg_count == 2 && args[1].class_ == BR_NULL))
        return BR_OK;
    br_text text = text_of(context, &args[0]);
    br_text set = node->arg_count == 2 ? text_of(context, &args[1]) : br_text_make(" ", 1);
    const char *bytes = text.data;
    uint32_t size = text.size, char_size;
    if (node->function != BR_FN_RTRIM) {
        while (size > 0 && (char_size = match_set_char(set, bytes, size, false)) > 0) {
            bytes += char_size;
            size -= char_size;
        }
    }
    if (node->function != BR_FN_LTRIM) {
        while (size > 0 && (char_size = match_set_char(set, bytes, size, true)) > 0) {
            size -= char_size;
        }
    }
    *out = br_value_text(br_text_make(bytes, size));
    return BR_OK;
}

// ---- replace() -------------------------------------------------------------------------------

static uint64_t count_matches(const br_exec_kernels *kernels, br_text text, br_text pattern)
{
    uint64_t count = 0;
    size_t at = 0;
    while ((at = kernels->find_bytes(text.data, text.size, at, pattern.data, pattern.size)) <
           text.size) {
        count++;
        at += pattern.size;
    }
    return count;
}

static void replace_into(const br_exec_kernels *kernels, br_text text, br_text pattern,
                         br_text replacement, char *out)
{
    size_t from = 0;
    for (;;) {
        size_t at = kernels->find_bytes(text.data, text.size, from, pattern.data, pattern.size);
        memcpy(out, text.data + from, at - from);
        out += at - from;
        if (at == text.size) return;
        if (replacement.size > 0) memcpy(out, replacement.data, replacement.size);
        out += replacement.size;
        from = at + pattern.size;
    }
}

br_status br_row_replace(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    const br_exec_kernels *kernels = context->evaluator->kernels;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    br_text text = text_of(context, &args[0]), pattern = text_of(context, &args[1]);
    if (pattern.size == 0 || pattern.data[0] == 0) {
        *out = args[0].class_ == BR_BLOB ? br_value_text(text) : args[0];
        return BR_OK;
    }
    if (args[2].class_ == BR_NULL) return BR_OK;
    br_text replacement = text_of(context, &args[2]);
    *out = br_value_text(text);
    uint64_t matches = text.size > 0 ? count_matches(kernels, text, pattern) : 0;
    if (matches == 0) return BR_OK;
    uint64_t size = text.size - matches * pattern.size + matches * replacement.size;
    if (size > BR_TEXT_BYTES_MAX) return br_text_too_big(err);
    char *bytes = br_arena_alloc(context->arena, size, 1);
    if (bytes == NULL) return br_evaluate_no_memory(err);
    replace_into(kernels, text, pattern, replacement, bytes);
    *out = br_value_text(br_text_make(bytes, (uint32_t)size));
    return BR_OK;
}

// ---- instr(), hex(), unicode() ---------------------------------------------------------------

// Characters to walk until the needle: SQLite steps over continuation bytes wherever they are.
static int64_t instr_text(br_text haystack, br_text needle)
{
    int64_t position = 1;
    for (uint32_t at = 0; at + (uint64_t)needle.size <= haystack.size; position++) {
        if (memcmp(haystack.data + at, needle.data, needle.size) == 0) return position;
        do at++;
        while (at < haystack.size && is_continuation(haystack.data[at]));
    }
    return 0;
}

br_status br_row_instr(const br_row_context *context, const br_value *args, br_value *out,
                       br_error *err)
{
    (void)err;
    const br_exec_kernels *kernels = context->evaluator->kernels;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    br_text haystack = text_of(context, &args[0]), needle = text_of(context, &args[1]);
    int64_t position = 1;
    if (needle.size > 0 && args[0].class_ == BR_BLOB && args[1].class_ == BR_BLOB) {
        size_t at = haystack.size;
        if (haystack.size > 0)
            at = kernels->find_bytes(haystack.data, haystack.size, 0, needle.data, needle.size);
        position = at == haystack.size ? 0 : (int64_t)at + 1;
    } else if (needle.size > 0) {
        position = instr_text(haystack, needle);
    }
    *out = br_value_int(position);
    return BR_OK;
}

br_status br_row_hex(const br_row_context *context, const br_value *args, br_value *out,
                     br_error *err)
{
    br_text text = text_of(context, &args[0]);
    if (text.size > BR_TEXT_BYTES_MAX / 2) return br_text_too_big(err);
    char *bytes = br_arena_alloc(context->arena, (size_t)text.size * 2, 1);
    if (bytes == NULL) return br_evaluate_no_memory(err);
    for (uint32_t i = 0; i < text.size; i++) {
        bytes[2 * i] = "0123456789ABCDEF"[(unsigned char)text.data[i] >> 4];
        bytes[2 * i + 1] = "0123456789ABCDEF"[text.data[i] & 15];
    }
    *out = br_value_text(br_text_make(bytes, text.size * 2));
    return BR_OK;
}

br_status br_row_unicode(const br_row_context *context, const br_value *args, br_value *out,
                         br_error *err)
{
    (void)err;
    br_text text = text_of(context, &args[0]);
    const char *at = text.data, *end = text.data + br_text_c_size(text);
    *out = at < end ? br_value_int(br_utf8_read(&at, end)) : br_value_null();
    return BR_OK;
}
