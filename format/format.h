// format.h - bytes <-> pages of column values, and the segment file that holds them.
//
// A page is one column of one chunk (up to BR_CHUNK_ROWS values), encoded on its own. A segment
// file is a rectangle of pages, column-major, with a footer that can be used in place. No tables,
// no transactions, no SQL. docs/format.md is the specification.
//
//     br_column --br_page_encode--> bytes + br_page_entry --segment writer--> file
//     file --reader--> br_page (opened: verified, zstd undone) --decode, select--> br_vector
//
// Invariants:
//   1. Bytes become a br_page or br_segment_footer only through br_page_open and
//      br_segment_open, which check everything; all other functions trust them.
//   2. Decoding gives back every value with its class, bit for bit (also -0.0, NaN payloads are
//      SQLite's NULLs and never occur, text with NULs, empty text and blobs).
//
// Threads: opened pages and readers are immutable; writers belong to one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_FORMAT_H
#define BR_FORMAT_FORMAT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/column.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/vector.h"

// ---- kernels ---------------------------------------------------------------------------------

typedef struct br_format_kernels br_format_kernels;  // format/kernels/kernels.h
const br_format_kernels *br_format_kernels_for(br_isa isa);

// ---- statistics ------------------------------------------------------------------------------

// What is known of a set of values: a zone (BR_ZONE_ROWS rows), a page, a segment. Bounds of
// numbers are exact; `text_min/max` are the first 8 bytes, big-endian, zero-padded, of the smallest
// and of the largest TEXT (a longer maximum sorts after its own prefix: compare accordingly).
typedef struct br_zone_stats {
    uint8_t class_mask;    // classes that occur, NULL included
    uint8_t reserved[3];
    uint32_t row_count;
    uint32_t null_count;
    uint32_t distinct_estimate;  // 0: unknown; kept per page
    int64_t int_min, int_max;    // when BR_MASK_INT
    double real_min, real_max;   // when BR_MASK_REAL
    uint64_t text_min, text_max; // when BR_MASK_TEXT
} br_zone_stats;

void br_zone_stats_init(br_zone_stats *stats);
void br_zone_stats_merge(br_zone_stats *stats, const br_zone_stats *other);
uint64_t br_text_bound(br_text text);  // the 8 bytes that text_min and text_max hold

// How many different values there are in a set of rows and which are frequent, known by their
// hashes: estimates that can be merged for any union of sets (sketch.c). They guide the optimiser
// and decide no answer.
enum { BR_SKETCH_BITS = 10, BR_SKETCH_REGISTERS = 1 << BR_SKETCH_BITS, BR_COMMON_MAX = 32 };

typedef struct br_common_value {
    uint64_t hash, rows;
} br_common_value;

typedef struct br_common_values {
    uint64_t row_count;  // of the set, NULLs included; 0: nothing is known
    uint32_t count;
    br_common_value items[BR_COMMON_MAX];  // the most frequent first
} br_common_values;

typedef struct br_sketch {
    uint8_t registers[BR_SKETCH_REGISTERS];
    br_common_values common;
} br_sketch;

// The same for values that SQLite's = finds equal under BINARY, so also for 1 and 1.0; not of NULL.
uint64_t br_sketch_hash(const br_value *value);
void br_sketch_merge(br_sketch *sketch, const br_sketch *other);
double br_sketch_distinct(const br_sketch *sketch);
uint64_t br_common_rows(const br_common_values *common, uint64_t hash);  // 0: not a common value

// ---- filters ---------------------------------------------------------------------------------

typedef enum br_compare { BR_EQ, BR_NE, BR_LT, BR_LE, BR_GT, BR_GE } br_compare;

// "column op constant", or any predicate over the values of one column. Both keep only rows for
// which the condition is true (not NULL).
//   COMPARE   SQLite's comparison with BINARY collation; the caller has applied affinity. The
//             constant is not NULL.
//   RANGE     int_min <= value <= int_max for INT values; keeps nothing else. (Join filters.)
//   NOT_NULL, IS_NULL
//   PREDICATE calls `select` on a vector of the column's values (DICT pages: once per chunk on the
//             dictionary, NULL rows by null_result), which sets the bit of each row to keep; all
//             bits are zero before. It must be a pure function of the values.
typedef enum br_filter_kind {
    BR_FILTER_COMPARE,
    BR_FILTER_RANGE,
    BR_FILTER_NOT_NULL,
    BR_FILTER_IS_NULL,
    BR_FILTER_PREDICATE,
} br_filter_kind;

typedef struct br_filter {
    br_filter_kind kind;
    br_compare compare;
    br_value value;            // COMPARE
    int64_t int_min, int_max;  // RANGE
    bool null_result;          // PREDICATE: does a NULL pass?
    // PREDICATE: false when no value within these bounds passes; NULL: not known.
    bool (*may_pass)(void *context, const br_zone_stats *stats);
    br_status (*select)(void *context, uint32_t worker, const br_vector *values, uint32_t row_count,
                        uint64_t *selected_out, br_error *err);
    void *context;
} br_filter;

typedef enum br_prune { BR_PRUNE_NONE, BR_PRUNE_ALL, BR_PRUNE_SOME } br_prune;

// Can rows with these statistics pass? NONE: no row does. ALL: every row does.
br_prune br_filter_prune(const br_filter *filter, const br_zone_stats *stats);

// ---- pages -----------------------------------------------------------------------------------

typedef enum br_encoding {
    BR_ENCODING_CONSTANT = 0,  // one value or all NULL
    BR_ENCODING_SEQUENCE,      // first + row * step
    BR_ENCODING_BITPACK,       // frame of reference, FastLanes order, narrowest lane, per vector
    BR_ENCODING_RLE,
    BR_ENCODING_DICT,      // TEXT and BLOB decode to DICT vectors, INT and REAL to FLAT ones
    BR_ENCODING_DATE,      // TEXT YYYY-MM-DD as day numbers
    BR_ENCODING_DATETIME,  // TEXT YYYY-MM-DD HH:MM:SS as seconds
    BR_ENCODING_ALP,       // REAL as decimal integers with exceptions
    BR_ENCODING_RAW,       // values as they are (REAL), lengths + bytes (TEXT, BLOB), with zstd
    BR_ENCODING_MIXED,     // main class encoded as above + list of (row, value) of other classes
    BR_ENCODING_COUNT,
} br_encoding;

const char *br_encoding_name(br_encoding encoding);

enum { BR_ZONES_PER_CHUNK = BR_CHUNK_ROWS / BR_ZONE_ROWS };

// What the page directory says of a page; in memory. The footer stores it in fixed-width form.
typedef struct br_page_entry {
    uint64_t offset;       // in the file
    uint32_t stored_bytes;
    uint32_t row_count;
    uint64_t raw_bytes;    // what SQLite's bytes would be: 8 per number, sizes of text and blobs
    uint8_t encoding;      // outermost br_encoding
    uint64_t checksum;     // of the stored bytes
    br_zone_stats stats;
    br_zone_stats zones[BR_ZONES_PER_CHUNK];
} br_page_entry;

typedef enum br_encode_effort {
    BR_ENCODE_FAST,   // flush and first mirroring: cheap statistics, zstd level 1
    BR_ENCODE_SMALL,  // compaction: all candidates, zstd level 3
} br_encode_effort;

// Appends the encoded rows 0..row_count-1 of `column` to `out` and fills the entry (but offset) and
// the sketch, which may be NULL.
BR_CHECKED br_status br_page_encode(const br_column *column, br_encode_effort effort,
                                    br_buffer *out, br_page_entry *entry_out,
                                    br_sketch *sketch_out, br_error *err);

typedef struct br_page br_page;

// Verifies stored bytes and makes them usable; `place` names the page in messages. Takes a private
// copy in memory charged to `quota`, with zstd undone and the dictionary (if any) laid out as
// br_text, so that decoding needs no further set-up. Everything the page hands out borrows from it.
BR_CHECKED br_status br_page_open(const uint8_t *bytes, uint32_t size_bytes,
                                  const br_page_entry *entry, const br_format_kernels *kernels,
                                  const char *place, br_quota *quota, br_page **page_out,
                                  br_error *err);
void br_page_free(br_page *page);
size_t br_page_bytes(const br_page *page);  // memory it takes
uint32_t br_page_rows(const br_page *page);

// The class of its values: one class, BR_NULL, or BR_ANY for MIXED pages.
br_class br_page_class(const br_page *page);
// DICT pages: the dictionary that decoded vectors name. NULL for others.
const br_dictionary *br_page_dictionary(const br_page *page);

// Rows first..first+count (count <= BR_BATCH_ROWS, first a multiple of BR_VECTOR_ROWS) as a vector
// in its natural kind (FLAT, CONST, DICT, DATE, DATETIME). Text borrows from the page; arrays lie
// in `arena` or borrow from the page.
BR_CHECKED br_status br_page_decode(const br_page *page, uint32_t first, uint32_t count,
                                    br_arena *arena, br_vector *out, br_error *err);

// The same for the rows first+positions[0..count-1] (ascending), dense in the result. Decodes whole
// vectors when that is cheaper than picking single values.
BR_CHECKED br_status br_page_gather(const br_page *page, uint32_t first, const uint16_t *positions,
                                    uint32_t count, br_arena *arena, br_vector *out, br_error *err);

// ANDs the filter's result for rows first..first+count into `selected` (bit 0 = row `first`). Works
// on packed values, dictionary entries and runs where it can. `cache` (zeroed before the first call
// for a filter) remembers the result per dictionary entry or run across calls for the same page:
// its bits lie in the arena of the call that made them; everything else is given back to `arena`.
typedef struct br_select_cache {
    const br_page *page;     // what the bits belong to
    uint64_t *entry_passes;  // one bit per dictionary entry or run, in the arena given
} br_select_cache;

BR_CHECKED br_status br_page_select(const br_page *page, const br_filter *filter, uint32_t worker,
                                    uint32_t first, uint32_t count, br_select_cache *cache,
                                    br_arena *arena, uint64_t *selected, br_error *err);

// Position of the first row whose INT value is >= key, in a page of ascending INT values without
// NULLs (key columns); row_count when there is none.
uint32_t br_page_lower_bound(const br_page *page, int64_t key);

// ---- segment files ---------------------------------------------------------------------------

typedef struct br_segment_writer br_segment_writer;

// Creates the file; columns are written chunk by chunk into memory-bounded column buffers and laid
// out column-major at finish.
BR_CHECKED br_status br_segment_writer_open(const char *path, uint64_t segment_id,
                                            uint32_t column_count, const br_file_hook *hook,
                                            br_segment_writer **writer_out, br_error *err);
// Pages of the next chunk, one per column, as br_page_encode made them. A file has sketches when
// all its chunks come with them; `sketches` may be NULL.
BR_CHECKED br_status br_segment_writer_add_chunk(br_segment_writer *writer, const br_buffer *pages,
                                                 const br_page_entry *entries,
                                                 const br_sketch *sketches, br_error *err);
// Writes footer, fsyncs file and folder. The writer is of no further use but to be closed.
BR_CHECKED br_status br_segment_writer_finish(br_segment_writer *writer, uint64_t *size_bytes_out,
                                              br_error *err);
void br_segment_writer_close(br_segment_writer *writer);  // removes an unfinished file

typedef struct br_segment_reader br_segment_reader;

// Opens a file and verifies its footer; pages are verified when they are read.
BR_CHECKED br_status br_segment_reader_open(const char *path, const br_file_hook *hook,
                                            br_segment_reader **reader_out, br_error *err);
void br_segment_reader_close(br_segment_reader *reader);
uint64_t br_segment_reader_id(const br_segment_reader *reader);
uint64_t br_segment_reader_bytes(const br_segment_reader *reader);
uint64_t br_segment_reader_rows(const br_segment_reader *reader);
uint32_t br_segment_reader_chunks(const br_segment_reader *reader);
uint32_t br_segment_reader_columns(const br_segment_reader *reader);
uint32_t br_segment_reader_chunk_rows(const br_segment_reader *reader, uint32_t chunk);
const br_page_entry *br_segment_reader_entry(const br_segment_reader *reader, uint32_t column,
                                             uint32_t chunk);
// Of a column over all chunks; NULL: the file has none, or they are damaged.
const br_sketch *br_segment_reader_sketch(const br_segment_reader *reader, uint32_t column);
// Tells of the damage, which costs nothing but better plans.
BR_CHECKED br_status br_segment_reader_check_sketches(const br_segment_reader *reader,
                                                      br_error *err);
br_file *br_segment_reader_file(const br_segment_reader *reader);

#endif
