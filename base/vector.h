// vector.h - one typed column slice of a batch.
//
// A vector has a class and a kind. The class is that of all its non-NULL values; BR_ANY vectors
// carry a br_value per row. The kind says how values lie in memory:
//
//     FLAT      an array of i64 / f64 / br_text / br_value, one per row
//     CONST     the array has one element, valid for every row
//     DICT      codes[row] indexes dictionary->values (a FLAT vector); TEXT, BLOB, INT or REAL
//     DATE      class TEXT; i64[row] is a day number (0 = 1970-01-01), the text is YYYY-MM-DD
//     DATETIME  class TEXT; i64[row] is seconds since 1970-01-01, the text YYYY-MM-DD HH:MM:SS
//
// Encoded kinds exist so that operators can work on codes, days and seconds; one that does not care
// calls br_vector_flatten first. Years of DATE and DATETIME lie in 0000..9999.
//
// Invariants:
//   1. `validity` is NULL when no row is NULL. A BR_ANY row is NULL exactly when its class is
//      BR_NULL; its validity is NULL always.
//   2. A vector of class BR_NULL is CONST, has no data, and every row is NULL.
//   3. The value behind an invalid row is unspecified but initialised (codes stay in range).
//   4. A CONST vector that is NULL has class BR_NULL.
//
// Ownership: a vector borrows everything; whoever filled it says for how long.
// Threads: immutable once filled.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_VECTOR_H
#define BR_BASE_VECTOR_H

#include "base/arena.h"
#include "base/bitmap.h"
#include "base/error.h"
#include "base/type.h"

enum {
    BR_VECTOR_ROWS = 1024,   // the unit of encoding
    BR_BATCH_ROWS = 2048,    // the unit of execution: 16 KiB per 8-byte column, fits L1 with others
    BR_ZONE_ROWS = 8192,     // the unit of min/max pruning
    BR_CHUNK_ROWS = 65536,   // the unit of work; a row index in a chunk fits 16 bits
};

typedef enum br_vector_kind {
    BR_VECTOR_FLAT = 0,
    BR_VECTOR_CONST,
    BR_VECTOR_DICT,
    BR_VECTOR_DATE,
    BR_VECTOR_DATETIME,
} br_vector_kind;

typedef struct br_dictionary br_dictionary;

typedef struct br_vector {
    uint8_t class_;  // br_class
    uint8_t kind;    // br_vector_kind
    const uint64_t *validity;
    union {
        const void *data;
        const int64_t *i64;  // INT, DATE, DATETIME
        const double *f64;
        const br_text *text;  // TEXT and BLOB
        const br_value *any;
        const uint32_t *codes;  // DICT
    };
    const br_dictionary *dictionary;  // DICT only
} br_vector;

// Distinct values shared by all batches of one chunk. `id` is unique in the process, so that
// operators can cache what they computed per entry. No entry is NULL.
struct br_dictionary {
    uint64_t id;
    uint32_t size;
    br_vector values;  // FLAT, `size` entries
};

static inline bool br_vector_is_null(const br_vector *vector, uint32_t row)
{
    if (vector->class_ == BR_NULL) return true;
    if (vector->class_ == BR_ANY)
        return vector->any[vector->kind == BR_VECTOR_CONST ? 0 : row].class_ == BR_NULL;
    return vector->validity != 0 && !br_bitmap_get(vector->validity, row);
}

br_vector br_vector_null(void);
// A CONST vector over a value that lives as long as the vector does.
br_vector br_vector_const(const br_value *value);

// One value. Text of DATE kinds is written into `arena`; everything else borrows. BR_NULL for a
// NULL row, and for a date when there is no memory: ask br_arena_failed after reading many.
br_value br_vector_value(const br_vector *vector, uint32_t row, br_arena *arena);

// A FLAT vector with the same values; `*out` may be `*vector`. What is FLAT already is passed on.
// A BR_NULL vector stays as it is (invariant 2).
BR_CHECKED br_status br_vector_flatten(const br_vector *vector, uint32_t row_count, br_arena *arena,
                                       br_vector *out, br_error *err);
// A FLAT vector of class BR_ANY with the same values.
BR_CHECKED br_status br_vector_to_any(const br_vector *vector, uint32_t row_count, br_arena *arena,
                                      br_vector *out, br_error *err);
// out[i] = vector[positions[i]]. Keeps CONST, DICT and DATE kinds.
BR_CHECKED br_status br_vector_gather(const br_vector *vector, const uint16_t *positions,
                                      uint32_t count, br_arena *arena, br_vector *out,
                                      br_error *err);

// Canonical text of a day number / a second number; the buffer has room for 10 / 19 bytes.
void br_date_format(int64_t days, char *text_out);
void br_datetime_format(int64_t seconds, char *text_out);
// True when the bytes are exactly YYYY-MM-DD / YYYY-MM-DD HH:MM:SS of an existing day and time.
bool br_date_parse(const char *text, uint32_t size, int64_t *days_out);
bool br_datetime_parse(const char *text, uint32_t size, int64_t *seconds_out);
// Proleptic Gregorian calendar.
void br_days_to_civil(int64_t days, int32_t *year_out, uint32_t *month_out, uint32_t *day_out);
int64_t br_days_from_civil(int32_t year, uint32_t month, uint32_t day);

#endif
