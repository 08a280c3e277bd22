// encoding.h - the one interface behind all encodings; private to format/.
//
// A *node* is a run of values of one class, every row with a value, under one encoding. Nodes nest:
// the codes of a DICT, the days of a DATE, the values of an RLE are nodes again. A page is a
// validity, an optional list of exceptions (MIXED) and a root node.
//
//     br_values --choose, encode--> bytes --open--> br_node --decode, gather, select--> br_vector
//
// Encodings that hold INT values also answer with plain int64 arrays (br_integer_ops): DATE, ALP
// and RLE are built on those.
//
// Ownership: an opened node lies in the arena of its page. Threads: opened nodes are immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_ENCODING_H
#define BR_FORMAT_ENCODING_H

#include "base/assert.h"
#include "format/format.h"
#include "format/kernels/kernels.h"

enum {
    BR_NODE_DEPTH_MAX = 8,  // MIXED, RLE, DICT, RAW, BITPACK is the deepest the encoder makes
    BR_CHUNK_VECTORS = BR_CHUNK_ROWS / BR_VECTOR_ROWS,
    BR_NODE_HEADER_BYTES = 8,  // u8 encoding, u8 class, u16 zero, u32 row_count
    BR_DATE_TEXT_BYTES = 10,
    BR_DATETIME_TEXT_BYTES = 19,
};

static inline uint32_t br_vectors_of(uint32_t row_count)
{
    return (row_count + BR_VECTOR_ROWS - 1) / BR_VECTOR_ROWS;
}
static inline double br_real_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint64_t br_bits_of_real(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// ---- encoding --------------------------------------------------------------------------------

// What a node is made from: values of one class, as br_column holds them. Every row has a value;
// where `validity` says NULL it repeats a neighbour, and an encoding may store any other.
typedef struct br_values {
    br_class class_;  // INT, REAL, TEXT or BLOB
    uint32_t row_count;
    const uint64_t *payloads;
    const uint32_t *sizes;     // TEXT and BLOB
    const uint64_t *validity;  // NULL: no row is NULL
} br_values;

// What one pass over the values tells.
typedef struct br_traits {
    uint32_t run_count;          // runs of equal neighbours
    bool is_sequence;            // INT: equal steps (also when there are one or two rows)
    int64_t int_min, int_max;    // INT
    uint64_t text_bytes;         // TEXT, BLOB: of the rows that are not NULL
} br_traits;

typedef struct br_encoder {
    br_encode_effort effort;
    br_arena *arena;  // scratch of this page
    br_buffer *out;
    uint32_t depth;
    uint32_t distinct_estimate;  // of the page's values, when something counted them on the way
    const br_values *page_values;  // of the root node
    br_sketch *sketch;           // NULL: not wanted, or something has added all of page_values
} br_encoder;

// What becomes a MIXED node: main values and the rows that have another class.
typedef struct br_exceptions {
    uint32_t count;
    const uint16_t *rows;   // ascending
    const br_value *values;
} br_exceptions;

#define BR_SIZE_IMPOSSIBLE UINT64_MAX

typedef struct br_estimate {
    uint64_t size_bytes;  // BR_SIZE_IMPOSSIBLE: cannot hold these values
    bool is_final;        // nothing later in the list of candidates can be better
    const void *plan;     // in the encoder's arena, for encode
} br_estimate;

// ---- opening ---------------------------------------------------------------------------------

// A position in the bytes of a page that is being opened. Nothing in them is trusted.
typedef struct br_opener {
    const uint8_t *bytes;
    size_t left_bytes;
    const char *place;  // for messages
    br_arena *arena;
    const br_format_kernels *kernels;
    uint32_t depth;
} br_opener;

typedef struct br_node br_node;

typedef struct br_bitpack {
    const uint8_t *bytes;     // 64-byte aligned
    const uint8_t *widths;    // per vector
    const uint32_t *offsets;  // per vector, into bytes
    const uint64_t *bases;    // per vector
} br_bitpack;

typedef struct br_alp {
    const br_node *integers;
    double multiplier, scale;
    uint32_t exception_count;
    const uint16_t *rows;  // ascending
    const double *values;
} br_alp;

typedef struct br_rle {
    br_vector values;      // one per run
    const uint32_t *ends;  // row after the last row of each run
    uint32_t run_count;
} br_rle;

typedef struct br_mixed {
    const br_node *main;
    uint32_t exception_count;
    const uint16_t *rows;  // ascending
    const br_value *values;
} br_mixed;

struct br_node {
    const struct br_encoding_ops *ops;
    const br_format_kernels *kernels;
    uint8_t encoding;  // br_encoding
    uint8_t class_;    // of its values; BR_NULL for CONSTANT NULL, BR_ANY for MIXED
    uint32_t row_count;
    union {
        br_value constant;
        struct { uint64_t first, step; } sequence;
        br_bitpack bitpack;
        br_rle rle;
        struct { br_dictionary dictionary; const br_node *codes; } dict;
        const br_node *numbers;  // DATE, DATETIME
        br_alp alp;
        struct { const void *numbers; const char *bytes; const uint32_t *offsets; } raw;
        br_mixed mixed;
    };
};

// ---- the interface ---------------------------------------------------------------------------

// INT values as an array. `first` is a multiple of BR_VECTOR_ROWS.
typedef struct br_integer_ops {
    // `values_out` has room for `count` rounded up to whole vectors.
    void (*decode)(const br_node *node, uint32_t first, uint32_t count, int64_t *values_out);
    void (*gather)(const br_node *node, uint32_t first, const uint16_t *positions, uint32_t count,
                   int64_t *values_out);
    // Bits of the rows with low <= value <= high, in whole vectors (BR_VECTOR_WORDS words each);
    // bits past `count` are unspecified.
    void (*range)(const br_node *node, uint32_t first, uint32_t count, int64_t low, int64_t high,
                  uint64_t *bits_out);
} br_integer_ops;

// What select is asked: a filter that is not about NULLs, for rows that lie in one batch.
typedef struct br_selection {
    const br_filter *filter;
    uint32_t worker;
    uint32_t first, count;
    const br_page *page;       // whose validity predicates see
    br_select_cache *cache;
    br_arena *arena;
} br_selection;

typedef struct br_encoding_ops {
    const char *name;
    unsigned class_mask;  // classes it can hold
    BR_CHECKED br_status (*estimate)(br_encoder *encoder, const br_values *values,
                                     const br_traits *traits, br_estimate *out, br_error *err);
    BR_CHECKED br_status (*encode)(br_encoder *encoder, const br_values *values,
                                   const br_estimate *estimate, br_error *err);
    BR_CHECKED br_status (*open)(br_opener *opener, br_node *node, br_error *err);
    // Vectors without validity. `first` is a multiple of BR_VECTOR_ROWS.
    BR_CHECKED br_status (*decode)(const br_node *node, uint32_t first, uint32_t count,
                                   br_arena *arena, br_vector *out, br_error *err);
    BR_CHECKED br_status (*gather)(const br_node *node, uint32_t first, const uint16_t *positions,
                                   uint32_t count, br_arena *arena, br_vector *out, br_error *err);
    // Bits of the rows that pass, ignoring NULLs; bits past count are unspecified. NULL, or
    // *done_out false: there is no way better than decoding.
    BR_CHECKED br_status (*select)(const br_node *node, const br_selection *selection,
                                   uint64_t *bits_out, bool *done_out, br_error *err);
    const br_integer_ops *integers;  // NULL: holds no INT values
} br_encoding_ops;

extern const br_encoding_ops br_encode_constant, br_encode_sequence, br_encode_bitpack,
    br_encode_rle, br_encode_dict, br_encode_date, br_encode_datetime, br_encode_alp,
    br_encode_raw, br_encode_mixed;

const br_encoding_ops *br_encoding_ops_of(br_encoding encoding);

// ---- encoding.c: choosing --------------------------------------------------------------------

// Appends the node in the encoding that is best for the values; *encoding_out says which.
BR_CHECKED br_status br_node_encode(br_encoder *encoder, const br_values *values,
                                    br_encoding *encoding_out, br_error *err);
// The same in a given encoding, with the estimate its own `estimate` made.
BR_CHECKED br_status br_node_encode_as(br_encoder *encoder, const br_values *values,
                                       br_encoding encoding, const br_estimate *estimate,
                                       br_error *err);
// Estimates and encodes INT values made from something else, without DICT or ALP.
BR_CHECKED br_status br_node_encode_integers(br_encoder *encoder, const int64_t *integers,
                                             uint32_t row_count, br_error *err);
// Size of the best integer encoding of these values.
BR_CHECKED br_status br_integers_estimate(br_encoder *encoder, const int64_t *integers,
                                          uint32_t row_count, uint64_t *size_bytes_out,
                                          br_error *err);
void br_node_header_append(uint8_t header_out[BR_NODE_HEADER_BYTES], br_encoding encoding,
                           br_class class_, uint32_t row_count);

// ---- values.c --------------------------------------------------------------------------------

void br_values_traits(const br_values *values, br_traits *traits_out);
bool br_values_equal(const br_values *values, uint32_t left, uint32_t right);
// How many different values there are, from a sketch: within a few percent.
// Counts and adds them to the sketch, which may be NULL. 0: unknown, for want of memory.
uint32_t br_values_distinct(const br_values *values, br_sketch *sketch);
uint32_t br_exceptions_distinct(const br_exceptions *exceptions);
uint64_t br_values_hash(const br_values *values, uint32_t row);
static inline br_text br_values_text(const br_values *values, uint32_t row)
{
    return br_text_make((const void *)(uintptr_t)values->payloads[row], values->sizes[row]);
}

// ---- opening ---------------------------------------------------------------------------------

// Takes the next `size_bytes` of the page; `what` names them when they are missing.
BR_CHECKED br_status br_opener_take(br_opener *opener, size_t size_bytes, const char *what,
                                    const uint8_t **bytes_out, br_error *err);
// The same, copied into the page's memory at an alignment of 64.
BR_CHECKED br_status br_opener_copy(br_opener *opener, size_t size_bytes, const char *what,
                                    void **copy_out, br_error *err);
br_status br_opener_corrupt(const br_opener *opener, br_error *err, const char *what,
                            uint64_t found, uint64_t want);
BR_CHECKED br_status br_opener_alloc(br_opener *opener, size_t size_bytes, void **memory_out,
                                     br_error *err);
// Opens the next node, which must have `row_count` rows and a class in `class_mask`.
BR_CHECKED br_status br_node_open(br_opener *opener, uint32_t row_count, unsigned class_mask,
                                  br_node *node, br_error *err);
// The same for a node inside another, in the page's memory.
BR_CHECKED br_status br_node_open_child(br_opener *opener, uint32_t row_count, unsigned class_mask,
                                        const br_node **node_out, br_error *err);
// Fails unless all values of an INT node lie in low..high.
BR_CHECKED br_status br_node_check_range(br_opener *opener, const br_node *node, int64_t low,
                                         int64_t high, const char *what, br_error *err);

// ---- block.c: bytes with or without zstd -----------------------------------------------------

// Appends {u32 raw_bytes, u32 stored_bytes, bytes}: compressed when that saves at least 12 %.
BR_CHECKED br_status br_block_append(br_encoder *encoder, const void *bytes, size_t size_bytes,
                                     br_error *err);
// Takes a block of at most `size_max` bytes, with BR_TEXT_PADDING readable bytes behind it.
BR_CHECKED br_status br_block_take(br_opener *opener, uint64_t size_max, const char *what,
                                   const uint8_t **bytes_out, uint32_t *size_bytes_out,
                                   br_error *err);

// ---- filter.c --------------------------------------------------------------------------------

// A filter as a range of numbers: passes when (low <= value <= high) != is_negated.
typedef struct br_integer_range {
    int64_t low, high;  // low > high: empty
    bool is_negated;
} br_integer_range;
typedef struct br_real_range {
    double low, high;
    bool is_negated;
} br_real_range;

// COMPARE and RANGE filters over INT, REAL and DATE / DATETIME values.
br_integer_range br_filter_integers(const br_filter *filter);
br_real_range br_filter_reals(const br_filter *filter);
br_integer_range br_filter_dates(const br_filter *filter, br_vector_kind kind);
bool br_filter_value(const br_filter *filter, const br_value *value);
// Bits of the rows of any vector that pass; NULL rows (vector->validity) are unspecified but for
// PREDICATE filters. Bits past count are unspecified.
BR_CHECKED br_status br_filter_vector(const br_selection *selection,
                                      const br_format_kernels *kernels, const br_vector *vector,
                                      uint32_t count, uint64_t *bits_out, br_error *err);
void br_bits_negate(uint64_t *bits, uint32_t count);
void br_bits_set(uint64_t *bits, uint32_t begin, uint32_t end);  // ones for begin..end-1

// ---- validity.c ------------------------------------------------------------------------------

BR_CHECKED br_status br_validity_append(br_encoder *encoder, const uint64_t *validity,
                                        uint32_t row_count, br_error *err);
// *validity_out is NULL when no row is NULL. Whole vectors of words.
BR_CHECKED br_status br_validity_open(br_opener *opener, uint32_t row_count,
                                      const uint64_t **validity_out, br_error *err);

// ---- helpers of the encodings ----------------------------------------------------------------

BR_CHECKED br_status br_append(br_buffer *out, const void *bytes, size_t size_bytes, br_error *err);
br_status br_fail_nomem(br_error *err, size_t size_bytes);
// Decode and gather for every encoding that has integer ops.
BR_CHECKED br_status br_integers_decode(const br_node *node, uint32_t first, uint32_t count,
                                        br_arena *arena, br_vector *out, br_error *err);
BR_CHECKED br_status br_integers_gather(const br_node *node, uint32_t first,
                                        const uint16_t *positions, uint32_t count, br_arena *arena,
                                        br_vector *out, br_error *err);
BR_CHECKED br_status br_integers_select(const br_node *node, const br_selection *selection,
                                        uint64_t *bits_out, bool *done_out, br_error *err);
// BITPACK nodes as unsigned codes.
void br_bitpack_codes(const br_node *node, uint32_t first, uint32_t count, uint32_t *codes_out);
void br_bitpack_test_codes(const br_node *node, uint32_t first, uint32_t count,
                           const uint64_t *passes, uint32_t size, uint64_t *bits_out);
// The largest value a vector of a BITPACK node can hold, UINT64_MAX when that does not fit.
uint64_t br_bitpack_vector_max(const br_node *node, uint32_t vector);
// Text order and number order of dates.
bool br_time_parse(br_vector_kind kind, br_text text, int64_t *number_out);
void br_time_bounds(br_vector_kind kind, int64_t *low_out, int64_t *high_out);

// The entries (dictionary values, run values) of a node, and what passes of them: one bit each,
// remembered in the cache of the selection. The arena keeps the bits.
BR_CHECKED br_status br_select_entries(const br_selection *selection,
                                       const br_format_kernels *kernels, const br_vector *entries,
                                       uint32_t entry_count, const uint64_t **passes_out,
                                       br_error *err);

#endif
