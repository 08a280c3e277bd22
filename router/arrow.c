// The Arrow C stream interface over a result: one record batch per chunk.
//
// A column whose values all have one type becomes int64, float64, utf8 or binary (an all-NULL one
// the null type); a column with several becomes a dense union with those children in the order of
// braid_type, whose type ids are the braid_type numbers. Every buffer of a batch lies in memory of
// that batch, so batches outlive the stream, as the interface demands.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/heap.h"
#include "router/result.h"

// ---- the interface, as arrow.apache.org/docs/format/CDataInterface.html defines it
// ---------------

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

enum { ARROW_FLAG_NULLABLE = 2, UNION_TYPES_MAX = BRAID_BLOB + 1 };

typedef struct stream_state {
    braid_result *result;
    uint8_t *type_masks; // per column: braid_types that occur, as bits
    uint32_t next_chunk;
    const char *error;
} stream_state;

// ---- schema ------------------------------------------------------------------------------------

static const char *const type_formats[] = {
    [BRAID_NULL] = "n", [BRAID_INTEGER] = "l", [BRAID_REAL] = "g",
    [BRAID_TEXT] = "u", [BRAID_BLOB] = "z",
};

static bool mask_is_union(unsigned mask)
{
    mask &= ~(1u << BRAID_NULL);
    return (mask & (mask - 1)) != 0;
}

static braid_type mask_type(unsigned mask) // of a mask that is no union
{
    mask &= ~(1u << BRAID_NULL);
    return mask == 0 ? BRAID_NULL : (braid_type)__builtin_ctz(mask);
}

// Children and arrays of one exported structure live in one arena, which its root owns.
static void schema_release_child(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static void schema_release_root(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release != NULL) schema->children[i]->release(schema->children[i]);
    }
    br_arena *arena = schema->private_data;
    schema->release = NULL;
    br_arena_free(arena);
}

static struct ArrowSchema *schema_new(br_arena *arena, const char *format, const char *name,
                                      uint32_t child_count)
{
    struct ArrowSchema *schema = BR_ALLOC(arena, struct ArrowSchema, 1);
    if (schema == NULL) return NULL;
    schema->format = br_arena_copy_text(arena, format, strlen(format));
    schema->name = br_arena_copy_text(arena, name, strlen(name));
    schema->flags = ARROW_FLAG_NULLABLE;
    schema->n_children = child_count;
    schema->children = BR_ALLOC(arena, struct ArrowSchema *, child_count + 1);
    schema->release = schema_release_child;
    if (schema->format == NULL || schema->name == NULL || schema->children == NULL) return NULL;
    return schema;
}

static struct ArrowSchema *schema_column(br_arena *arena, const char *name, unsigned mask)
{
    if (!mask_is_union(mask)) return schema_new(arena, type_formats[mask_type(mask)], name, 0);
    char format[32] = "+ud:";
    uint32_t count = 0;
    for (unsigned type = BRAID_NULL; type < UNION_TYPES_MAX; type++) {
        if ((mask >> type & 1) == 0) continue;
        size_t used = strlen(format);
        snprintf(format + used, sizeof format - used, "%s%u", count++ == 0 ? "" : ",", type);
    }
    struct ArrowSchema *schema = schema_new(arena, format, name, count);
    if (schema == NULL) return NULL;
    count = 0;
    for (unsigned type = BRAID_NULL; type < UNION_TYPES_MAX; type++) {
        if ((mask >> type & 1) == 0) continue;
        schema->children[count] = schema_new(arena, type_formats[type], type_formats[type], 0);
        if (schema->children[count++] == NULL) return NULL;
    }
    return schema;
}

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    stream_state *state = stream->private_data;
    uint32_t column_count = braid_column_count(state->result);
    br_arena *arena = br_arena_new(NULL);
    struct ArrowSchema *root = arena == NULL ? NULL : schema_new(arena, "+s", "", column_count);
    bool complete = root != NULL;
    for (uint32_t i = 0; complete && i < column_count; i++) {
        root->children[i] =
            schema_column(arena, braid_column_name(state->result, i), state->type_masks[i]);
        complete = root->children[i] != NULL;
    }
    if (!complete) {
        br_arena_free(arena);
        state->error = "out of memory";
        return ENOMEM;
    }
    *out = *root;
    out->flags = 0;
    out->release = schema_release_root;
    out->private_data = arena;
    return 0;
}

// ---- arrays ------------------------------------------------------------------------------------

static void array_release_child(struct ArrowArray *array)
{
    array->release = NULL;
}

static void array_release_root(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) array->children[i]->release(array->children[i]);
    }
    br_arena *arena = array->private_data;
    array->release = NULL;
    br_arena_free(arena);
}

static struct ArrowArray *array_new(br_arena *arena, int64_t length, uint32_t buffer_count,
                                    uint32_t child_count)
{
    struct ArrowArray *array = BR_ALLOC(arena, struct ArrowArray, 1);
    if (array == NULL) return NULL;
    array->length = length;
    array->n_buffers = buffer_count;
    array->n_children = child_count;
    array->buffers = BR_ALLOC(arena, const void *, buffer_count + 1);
    array->children = BR_ALLOC(arena, struct ArrowArray *, child_count + 1);
    array->release = array_release_child;
    return array->buffers == NULL || array->children == NULL ? NULL : array;
}

// The values of one type among `count` values: all of them, or those a union puts into this child.
static bool array_fill_text(br_arena *arena, struct ArrowArray *array, const braid_value *values,
                            uint32_t count)
{
    int32_t *offsets = BR_ALLOC(arena, int32_t, count + 1u);
    if (offsets == NULL) return false;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].type != BRAID_NULL) total += values[i].as.text.size;
        if (total > INT32_MAX) return false;
        offsets[i + 1] = (int32_t)total;
    }
    char *bytes = BR_ALLOC(arena, char, total + 1);
    if (bytes == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].type != BRAID_NULL)
            memcpy(bytes + offsets[i], values[i].as.text.data, values[i].as.text.size);
    }
    array->buffers[1] = offsets;
    array->buffers[2] = bytes;
    return true;
}

static struct ArrowArray *array_of_type(br_arena *arena, braid_type type, const braid_value *values,
                                        uint32_t count)
{
    bool is_text = type == BRAID_TEXT || type == BRAID_BLOB;
    struct ArrowArray *array = array_new(arena, count, type == BRAID_NULL ? 0 : is_text ? 3 : 2, 0);
    if (array == NULL) return NULL;
    if (type == BRAID_NULL) {
        array->null_count = count;
        return array;
    }
    uint64_t *validity = BR_ALLOC(arena, uint64_t, count / 64u + 1);
    if (validity == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].type == BRAID_NULL)
            array->null_count++;
        else
            br_bitmap_set(validity, i);
    }
    array->buffers[0] = array->null_count == 0 ? NULL : validity;
    if (is_text) return array_fill_text(arena, array, values, count) ? array : NULL;
    int64_t *numbers = BR_ALLOC(arena, int64_t, count + 1u);
    if (numbers == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].type != BRAID_NULL) memcpy(&numbers[i], &values[i].as, sizeof *numbers);
    }
    array->buffers[1] = numbers;
    return array;
}

static struct ArrowArray *array_of_union(br_arena *arena, unsigned mask, const braid_value *values,
                                         uint32_t count)
{
    struct ArrowArray *array = array_new(arena, count, 2, (uint32_t)__builtin_popcount(mask));
    int8_t *types = BR_ALLOC(arena, int8_t, count + 1u);
    int32_t *offsets = BR_ALLOC(arena, int32_t, count + 1u);
    braid_value *members = BR_ALLOC(arena, braid_value, count + 1u);
    if (array == NULL || types == NULL || offsets == NULL || members == NULL) return NULL;
    uint32_t child = 0;
    for (unsigned type = BRAID_NULL; type < UNION_TYPES_MAX; type++) {
        if ((mask >> type & 1) == 0) continue;
        uint32_t member_count = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (values[i].type != type) continue;
            types[i] = (int8_t)type;
            offsets[i] = (int32_t)member_count;
            members[member_count++] = values[i];
        }
        array->children[child] = array_of_type(arena, (braid_type)type, members, member_count);
        if (array->children[child++] == NULL) return NULL;
    }
    array->buffers[0] = types;
    array->buffers[1] = offsets;
    return array;
}

static struct ArrowArray *array_column(const stream_state *state, br_arena *arena, uint32_t chunk,
                                       uint32_t column)
{
    uint64_t first_row = state->result->chunk_first_rows[chunk];
    uint32_t count = state->result->chunks[chunk].row_count;
    braid_value *values = BR_ALLOC(arena, braid_value, count + 1u);
    if (values == NULL) return NULL;
    for (uint32_t i = 0; i < count; i++)
        values[i] = braid_value_get(state->result, first_row + i, column);
    unsigned mask = state->type_masks[column];
    return mask_is_union(mask) ? array_of_union(arena, mask, values, count)
                               : array_of_type(arena, mask_type(mask), values, count);
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    stream_state *state = stream->private_data;
    if (state->next_chunk >= braid_chunk_count(state->result)) {
        *out = (struct ArrowArray){0}; // a released array ends the stream
        return 0;
    }
    uint32_t column_count = braid_column_count(state->result);
    uint32_t row_count = state->result->chunks[state->next_chunk].row_count;
    br_arena *arena = br_arena_new(NULL);
    struct ArrowArray *root = arena == NULL ? NULL : array_new(arena, row_count, 1, column_count);
    bool complete = root != NULL;
    for (uint32_t i = 0; complete && i < column_count; i++) {
        root->children[i] = array_column(state, arena, state->next_chunk, i);
        complete = root->children[i] != NULL;
    }
    if (!complete) {
        br_arena_free(arena);
        state->error = "out of memory, or more than 2 GiB of text in one chunk";
        return ENOMEM;
    }
    *out = *root;
    out->release = array_release_root;
    out->private_data = arena;
    state->next_chunk++;
    return 0;
}

// ---- stream ------------------------------------------------------------------------------------

static const char *stream_last_error(struct ArrowArrayStream *stream)
{
    return ((stream_state *)stream->private_data)->error;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    stream_state *state = stream->private_data;
    braid_result_free(state->result);
    br_heap_free(state->type_masks);
    br_heap_free(state);
    stream->release = NULL;
}

static unsigned column_mask(const braid_column *column, uint32_t row_count)
{
    if (column->type != BRAID_ANY) return 1u << column->type | 1u << BRAID_NULL;
    unsigned mask = 0;
    for (uint32_t i = 0; i < row_count; i++) mask |= 1u << column->as.values[i].type;
    return mask;
}

br_status br_result_to_arrow(braid_result *result, struct ArrowArrayStream *stream, br_error *err)
{
    stream_state *state = br_heap_zalloc(sizeof *state);
    uint8_t *masks = br_heap_zalloc(braid_column_count(result) + 1u);
    if (state == NULL || masks == NULL) {
        br_heap_free(state);
        br_heap_free(masks);
        return br_fail(err, BR_NOMEM, "arrow stream");
    }
    for (uint32_t chunk = 0; chunk < braid_chunk_count(result); chunk++) {
        const braid_chunk *source = &result->chunks[chunk];
        for (uint32_t column = 0; column < source->column_count; column++)
            masks[column] |= (uint8_t)column_mask(&source->columns[column], source->row_count);
    }
    // A union names NULL as a type of its own, so every union has that child.
    *state = (stream_state){.result = result, .type_masks = masks};
    *stream = (struct ArrowArrayStream){
        .get_schema = stream_get_schema,
        .get_next = stream_get_next,
        .get_last_error = stream_last_error,
        .release = stream_release,
        .private_data = state,
    };
    return BR_OK;
}
