// eval_like.c - LIKE and GLOB: a constant pattern of plain pieces between wildcards is searched for
// byte by byte; others go through the matcher of pattern.c.
//
// Only ASCII pieces are searched for as bytes: in text that is not valid UTF-8, SQLite may see a
// character where its bytes are not, but never an ASCII one.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "exec/implementations.h"

enum { PATTERN_BYTES_MAX = 50000 };  // SQLite's default limit

typedef struct like_pattern {
    br_pattern_style style;
    br_text pattern;        // up to its first NUL
    bool has_pieces;        // the rest is filled in
    bool open_start, open_end;  // begins, ends with a wildcard
    uint32_t piece_count;
    br_text *pieces;        // between wildcards; in lower case if case does not matter
    const char *bytes;      // of all pieces
    char *letter_bits;      // for each of them 0x20 when it is a letter whose case does not matter
} like_pattern;

static br_pattern_style style_of(const br_node *node)
{
    bool is_like = node->operator_ == BR_OP_LIKE;
    return (br_pattern_style){.matches_all = is_like ? '%' : '*',
                              .matches_one = is_like ? '_' : '?',
                              .is_like = is_like,
                              .folds_case = is_like && node->collation == BR_COLLATION_NOCASE};
}

// False when it is not one character.
static bool style_set_escape(br_pattern_style *style, br_text escape)
{
    const char *at = escape.data, *end = escape.data + br_text_c_size(escape);
    style->escape = at < end ? br_utf8_read(&at, end) : 0;
    if (style->escape == 0 || at != end) return false;
    if (style->escape == style->matches_all) style->matches_all = 0;
    if (style->escape == style->matches_one) style->matches_one = 0;
    return true;
}

br_status br_row_like(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    const br_node *node = context->node;
    const br_exec_bridge *bridge = context->evaluator->bridge;
    br_pattern_style style = style_of(node);
    // Whether blobs match anything depends on how SQLite was compiled.
    if (args[0].class_ == BR_BLOB || args[1].class_ == BR_BLOB) {
        br_value swapped[3] = {args[1], args[0]};
        if (node->arg_count > 2) swapped[2] = args[2];
        return br_bridge_call(context, style.is_like ? "like" : "glob", swapped, node->arg_count,
                              out, err);
    }
    *out = br_value_null();
    br_text pattern = br_value_to_text(&args[1], bridge, context->arena);
    if (pattern.size > PATTERN_BYTES_MAX)
        return br_fail(err, BR_RUNTIME, "LIKE or GLOB pattern too complex");
    if (node->arg_count > 2) {
        if (args[2].class_ == BR_NULL) return BR_OK;
        if (!style_set_escape(&style, br_value_to_text(&args[2], bridge, context->arena)))
            return br_fail(err, BR_RUNTIME, "ESCAPE expression must be a single character");
    }
    if (args[0].class_ == BR_NULL || args[1].class_ == BR_NULL) return BR_OK;
    br_text text = br_value_to_text(&args[0], bridge, context->arena);
    *out = br_value_int(br_pattern_matches(&style, pattern, text));
    return BR_OK;
}

// ---- constant patterns -----------------------------------------------------------------------

static char fold(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

// Cuts the pattern at its wildcards. Leaves has_pieces false when there is more to it.
static br_status cut_pieces(like_pattern *like, br_arena *arena, br_error *err)
{
    const br_pattern_style *style = &like->style;
    char *bytes = br_arena_alloc(arena, like->pattern.size, 1);
    like->pieces = BR_ALLOC(arena, br_text, like->pattern.size / 2 + 1);
    like->letter_bits = br_arena_zalloc(arena, like->pattern.size, 1);
    if (bytes == NULL || like->pieces == NULL || like->letter_bits == NULL)
        return br_evaluate_no_memory(err);
    like->bytes = bytes;
    char *piece = bytes, *end = bytes;
    bool is_wild = false;
    for (uint32_t i = 0; i < like->pattern.size; i++) {
        unsigned char c = (unsigned char)like->pattern.data[i];
        bool is_special = c == style->matches_one || (!style->is_like && c == '[');
        if (c >= 0x80) return BR_OK;
        is_wild = c == style->matches_all;
        if (is_wild) {
            if (i == 0) like->open_start = true;
            if (end > piece) like->pieces[like->piece_count++] =
                                 br_text_make(piece, (uint32_t)(end - piece));
            piece = end;
            continue;
        }
        if (style->escape != 0 && c == style->escape) {
            if (++i == like->pattern.size) return BR_OK;
            c = (unsigned char)like->pattern.data[i];
            if (c >= 0x80) return BR_OK;
        } else if (is_special) {
            return BR_OK;
        }
        *end++ = style->folds_case ? fold((char)c) : (char)c;
    }
    if (end > piece) like->pieces[like->piece_count++] =
                         br_text_make(piece, (uint32_t)(end - piece));
    for (const char *at = bytes; style->folds_case && at < end; at++) {
        if (*at >= 'a' && *at <= 'z') like->letter_bits[at - bytes] = 0x20;
    }
    like->open_end = is_wild;
    like->has_pieces = true;
    return BR_OK;
}

br_status br_prepare_like(br_node *node, br_arena *arena, br_error *err)
{
    for (uint32_t i = 1; i < node->arg_count; i++) {
        bool is_text = node->args[i]->kind == BR_EXPR_CONST &&
                       node->args[i]->value.class_ == BR_TEXT;
        if (!is_text) return BR_OK;
    }
    like_pattern *like = BR_ALLOC(arena, like_pattern, 1);
    if (like == NULL) return br_evaluate_no_memory(err);
    br_text pattern = node->args[1]->value.text;
    like->style = style_of(node);
    if (pattern.size > PATTERN_BYTES_MAX) return BR_OK;
    if (node->arg_count > 2 && !style_set_escape(&like->style, node->args[2]->value.text))
        return BR_OK;
    like->pattern = br_text_make(pattern.data, br_text_c_size(pattern));
    BR_TRY(cut_pieces(like, arena, err));
    node->detail = like;
    return BR_OK;
}

// A byte ORed with a letter's 0x20 equals the letter only in either of its cases.
static bool piece_equals(const like_pattern *like, br_text piece, const char *bytes)
{
    const char *letter_bits = like->letter_bits + (piece.data - like->bytes);
    uint32_t i = 0;
    if (piece.size < 4) {
        while (i < piece.size && (bytes[i] | letter_bits[i]) == piece.data[i]) i++;
        return i == piece.size;
    }
    for (;;) {  // four bytes at a time, the last ones again with those before them
        uint32_t actual = br_load_u32(bytes + i) | br_load_u32(letter_bits + i);
        if (actual != br_load_u32(piece.data + i)) return false;
        if (i + 4 == piece.size) return true;
        i = i + 8 <= piece.size ? i + 4 : piece.size - 4;
    }
}

// The text has no NULs before `size`, or a match that reaches behind one is checked by the caller.
// *end_out is where the last piece ends.
static bool match_pieces(const like_pattern *like, const br_exec_kernels *kernels,
                         const char *bytes, size_t size, size_t *end_out)
{
    size_t at = 0;
    uint32_t first = 0, count = like->piece_count;
    *end_out = 0;
    if (count == 0) return size == 0 || like->open_start;
    if (!like->open_start) {
        br_text piece = like->pieces[0];
        if (piece.size > size || !piece_equals(like, piece, bytes)) return false;
        at = piece.size;
        first = 1;
        if (count == 1 && !like->open_end) return at == size;
    }
    uint32_t last = like->open_end ? count : count - 1;
    for (uint32_t i = first; i < last; i++) {
        br_text piece = like->pieces[i];
        at = like->style.folds_case
                 ? kernels->find_bytes_nocase(bytes, size, at, piece.data, piece.size)
                 : kernels->find_bytes(bytes, size, at, piece.data, piece.size);
        if (at == size) return false;
        at += piece.size;
    }
    *end_out = last > first || like->open_start ? at : 0;  // a piece at the start has no NULs
    if (like->open_end) return true;
    br_text piece = like->pieces[count - 1];
    return piece.size <= size - at && piece_equals(like, piece, bytes + size - piece.size);
}

// SQLite sees the text only up to its first NUL. Where the end does not matter, it is enough to
// look for one when there is a match.
static bool match_text(const like_pattern *like, const br_exec_kernels *kernels, br_text text)
{
    size_t end;
    if (!like->has_pieces) return br_pattern_matches(&like->style, like->pattern, text);
    if (text.size == 0) return like->piece_count == 0;
    if (!like->open_end)
        return match_pieces(like, kernels, text.data, br_text_c_size(text), &end);
    if (!match_pieces(like, kernels, text.data, text.size, &end)) return false;
    if (end == 0 || memchr(text.data, 0, end) == NULL) return true;
    return match_pieces(like, kernels, text.data, br_text_c_size(text), &end);
}

br_status br_condition_like(br_frame *frame, const br_node *node, br_condition *out,
                            br_error *err)
{
    br_vector texts;
    const uint64_t *is_null;
    if (node->detail != NULL) BR_TRY(br_node_flat(frame, node->args[0], &texts, err));
    if (node->detail == NULL || texts.class_ != BR_TEXT || texts.kind == BR_VECTOR_CONST) {
        br_vector rows;
        BR_TRY(br_node_rows(frame, node, &rows, err));
        return br_condition_of_vector(frame, &rows, out, err);
    }
    const br_exec_kernels *kernels = frame->evaluator->kernels;
    BR_TRY(br_frame_nulls(frame, &texts, &is_null, err));
    uint64_t *is_true = br_frame_bits(frame);
    if (is_true == NULL) return br_evaluate_no_memory(err);
    for (uint32_t row = 0; row < frame->row_count; row++) {
        if (is_null != NULL && br_bitmap_get(is_null, row)) continue;
        bool matches = match_text(node->detail, kernels, texts.text[row]);
        is_true[row >> 6] |= (uint64_t)matches << (row & 63);
    }
    *out = (br_condition){.is_true = is_true, .is_null = is_null};
    return BR_OK;
}
