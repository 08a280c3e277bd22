// sketch.c - distinct and common values of columns, mergeable over pages, segments and tables.
//
// HyperLogLog (Flajolet, Fusy, Gandouet and Meunier, AofA 2007) with 1,024 registers, so that the
// standard error is 3.3 %, and the estimator of Ertl ("New cardinality estimation algorithms for
// HyperLogLog sketches", arXiv:1702.01284), which needs no correction for few values. Common values
// are counted on a sample: pages pass on those seen twice or more, the most frequent ones first.
// SPDX-License-Identifier: Apache-2.0
#include "format/sketch.h"

#include <math.h>
#include <stdlib.h>


enum {
    SAMPLE_ROWS = 1024,   // of a page: 1 % of the time its encoding takes
    SAMPLE_SLOTS = 2048,
    HEAD_BYTES = 16,
    SPARSE_MAX = BR_SKETCH_REGISTERS / 2,  // two bytes for each register that is set
    COMMON_BYTES = 12,
};

// ---- hashes ----------------------------------------------------------------------------------

uint64_t br_sketch_hash(const br_value *value)
{
    bool is_number = value->class_ == BR_INT || value->class_ == BR_REAL;
    if (is_number) return br_payload_hash(value->class_, (uint64_t)value->i64, 0);
    return br_payload_hash(value->class_, (uint64_t)(uintptr_t)value->text.data, value->text.size);
}

// ---- distinct values -------------------------------------------------------------------------

// The two series of Ertl's estimator: what registers at zero, and those that are full, stand for.
static double sigma(double x)
{
    double weight = 1, sum = x, before;
    if (x == 1) return HUGE_VAL;
    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != before);
    return sum;
}

static double tau(double x)
{
    double weight = 1, sum = 1 - x, before;
    if (x == 0 || x == 1) return 0;
    do {
        x = sqrt(x);
        before = sum;
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    } while (sum != before);
    return sum / 3;
}

double br_sketch_distinct(const br_sketch *sketch)
{
    const double registers = BR_SKETCH_REGISTERS, alpha = 0.5 / 0.69314718055994530942;
    uint32_t counts[BR_SKETCH_RANK_MAX + 1] = {0};
    for (uint32_t i = 0; i < BR_SKETCH_REGISTERS; i++) counts[sketch->registers[i]]++;
    double sum = registers * tau(1 - counts[BR_SKETCH_RANK_MAX] / registers);
    for (uint32_t rank = BR_SKETCH_RANK_MAX - 1; rank > 0; rank--)
        sum = 0.5 * (sum + counts[rank]);
    sum += registers * sigma(counts[0] / registers);
    return alpha * registers * registers / sum;
}

// ---- common values ---------------------------------------------------------------------------

static int compare_common(const void *left, const void *right)
{
    const br_common_value *a = left, *b = right;
    if (a->rows != b->rows) return a->rows < b->rows ? 1 : -1;
    return (a->hash > b->hash) - (a->hash < b->hash);
}

// Sorts the items and keeps the most frequent ones.
static void keep_common(br_common_values *common, br_common_value *items, uint32_t count)
{
    qsort(items, count, sizeof *items, compare_common);
    common->count = count < BR_COMMON_MAX ? count : BR_COMMON_MAX;
    memcpy(common->items, items, common->count * sizeof *items);
}

uint64_t br_common_rows(const br_common_values *common, uint64_t hash)
{
    for (uint32_t i = 0; i < common->count; i++)
        if (common->items[i].hash == hash) return common->items[i].rows;
    return 0;
}

static void merge_common(br_common_values *common, const br_common_values *other)
{
    br_common_value items[2 * BR_COMMON_MAX];
    uint32_t count = common->count;
    memcpy(items, common->items, count * sizeof *items);
    for (uint32_t i = 0; i < other->count; i++) {
        uint32_t at = 0;
        while (at < common->count && items[at].hash != other->items[i].hash) at++;
        if (at < common->count) items[at].rows += other->items[i].rows;
        else items[count++] = other->items[i];
    }
    keep_common(common, items, count);
    common->row_count += other->row_count;
}

void br_sketch_merge(br_sketch *sketch, const br_sketch *other)
{
    for (uint32_t i = 0; i < BR_SKETCH_REGISTERS; i++) {
        uint8_t rank = other->registers[i];
        sketch->registers[i] = rank > sketch->registers[i] ? rank : sketch->registers[i];
    }
    merge_common(&sketch->common, &other->common);
}

// One row out of each `stride`, at a place of its own so that no period of the data meets it.
static void count_sample(const br_column *column, uint32_t stride, br_common_value *slots)
{
    for (uint32_t first = 0; first < column->row_count; first += stride) {
        uint32_t row = first + (uint32_t)(br_hash_u64(first) % stride);
        if (row >= column->row_count || column->classes[row] == BR_NULL) continue;
        uint64_t hash = br_payload_hash(column->classes[row], column->payloads[row],
                                        column->sizes[row]);
        uint32_t slot = (uint32_t)hash & (SAMPLE_SLOTS - 1);
        while (slots[slot].rows > 0 && slots[slot].hash != hash)
            slot = (slot + 1) & (SAMPLE_SLOTS - 1);
        slots[slot].hash = hash;
        slots[slot].rows++;
    }
}

br_status br_sketch_sample(br_sketch *sketch, const br_column *column, br_arena *arena,
                           br_error *err)
{
    br_common_value *slots = BR_ALLOC(arena, br_common_value, SAMPLE_SLOTS);
    if (slots == NULL) return br_fail_nomem(err, SAMPLE_SLOTS * sizeof *slots);
    uint32_t stride = (column->row_count + SAMPLE_ROWS - 1) / SAMPLE_ROWS, count = 0;
    count_sample(column, stride, slots);
    for (uint32_t slot = 0; slot < SAMPLE_SLOTS; slot++) {
        if (slots[slot].rows < 2) continue;
        uint64_t rows = slots[slot].rows * stride;
        slots[count].hash = slots[slot].hash;
        slots[count++].rows = rows < column->row_count ? rows : column->row_count;
    }
    keep_common(&sketch->common, slots, count);
    return BR_OK;
}

// ---- bytes -----------------------------------------------------------------------------------

static br_status append_registers(const uint8_t *registers, bool is_sparse, br_buffer *out,
                                  br_error *err)
{
    if (!is_sparse) return br_append(out, registers, BR_SKETCH_REGISTERS, err);
    for (uint32_t i = 0; i < BR_SKETCH_REGISTERS; i++) {
        uint8_t pair[2];
        if (registers[i] == 0) continue;
        br_store_u16(pair, (uint16_t)(i | (uint32_t)registers[i] << BR_SKETCH_BITS));
        BR_TRY(br_append(out, pair, sizeof pair, err));
    }
    return BR_OK;
}

br_status br_sketch_append(const br_sketch *sketch, br_buffer *out, br_error *err)
{
    uint8_t bytes[HEAD_BYTES];
    const br_common_values *common = &sketch->common;
    uint32_t used = 0;
    for (uint32_t i = 0; i < BR_SKETCH_REGISTERS; i++) used += sketch->registers[i] != 0;
    bool is_sparse = used < SPARSE_MAX;
    br_store_u32(bytes, is_sparse ? used : BR_SKETCH_REGISTERS);
    br_store_u32(bytes + 4, common->count);
    br_store_u64(bytes + 8, common->row_count);
    BR_TRY(br_append(out, bytes, HEAD_BYTES, err));
    BR_TRY(append_registers(sketch->registers, is_sparse, out, err));
    for (uint32_t i = 0; i < common->count; i++) {
        br_store_u64(bytes, common->items[i].hash);
        br_store_u32(bytes + 8, (uint32_t)common->items[i].rows);
        BR_TRY(br_append(out, bytes, COMMON_BYTES, err));
    }
    return BR_OK;
}

static bool read_registers(const uint8_t *bytes, uint32_t used, uint8_t *registers)
{
    if (used == BR_SKETCH_REGISTERS) {
        memcpy(registers, bytes, BR_SKETCH_REGISTERS);
        for (uint32_t i = 0; i < BR_SKETCH_REGISTERS; i++)
            if (registers[i] > BR_SKETCH_RANK_MAX) return false;
        return true;
    }
    for (uint32_t i = 0; i < used; i++) {
        uint32_t pair = br_load_u16(bytes + 2 * (size_t)i), rank = pair >> BR_SKETCH_BITS;
        if (rank == 0 || rank > BR_SKETCH_RANK_MAX) return false;
        registers[pair & (BR_SKETCH_REGISTERS - 1)] = (uint8_t)rank;
    }
    return true;
}

// What follows the registers; no value can be in more rows than there are.
static bool read_common(const uint8_t *bytes, br_common_values *common)
{
    for (uint32_t i = 0; i < common->count; i++) {
        br_common_value *item = &common->items[i];
        item->hash = br_load_u64(bytes + i * (size_t)COMMON_BYTES);
        item->rows = br_load_u32(bytes + i * (size_t)COMMON_BYTES + 8);
        if (item->rows > common->row_count) return false;
    }
    return true;
}

bool br_sketches_read(const uint8_t *bytes, size_t size_bytes, br_sketch *sketches_out,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        br_sketch *sketch = &sketches_out[i];
        if (size_bytes < HEAD_BYTES) return false;
        uint32_t used = br_load_u32(bytes), common = br_load_u32(bytes + 4);
        if (used >= SPARSE_MAX && used != BR_SKETCH_REGISTERS) return false;
        if (common > BR_COMMON_MAX) return false;
        size_t registers_bytes = used < SPARSE_MAX ? 2 * (size_t)used : BR_SKETCH_REGISTERS;
        size_t want_bytes = HEAD_BYTES + registers_bytes + common * (size_t)COMMON_BYTES;
        if (size_bytes < want_bytes) return false;
        sketch->common.count = common;
        sketch->common.row_count = br_load_u64(bytes + 8);
        if (!read_registers(bytes + HEAD_BYTES, used, sketch->registers) ||
            !read_common(bytes + HEAD_BYTES + registers_bytes, &sketch->common))
            return false;
        bytes += want_bytes;
        size_bytes -= want_bytes;
    }
    return size_bytes == 0;
}
