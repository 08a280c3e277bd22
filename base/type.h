// type.h - SQLite's storage classes and one value of any of them.
//
// A *class* is what sqlite3_column_type tells of one value. A *class mask* says which classes occur
// in a set of values; a vector has a single class for all its non-NULL values whenever the mask
// allows, and BR_ANY otherwise.
//
// Ownership: a br_text points to bytes owned by somebody else (a page, an arena).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_TYPE_H
#define BR_BASE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// For exact intermediate results of 64-bit arithmetic.
__extension__ typedef __int128 br_int128;

typedef enum br_class {
    BR_NULL = 0,
    BR_INT = 1,
    BR_REAL = 2,
    BR_TEXT = 3,
    BR_BLOB = 4,
    BR_ANY = 5,  // only as the class of a vector or expression: each value carries its own
} br_class;

enum {
    BR_MASK_NULL = 1 << BR_NULL,
    BR_MASK_INT = 1 << BR_INT,
    BR_MASK_REAL = 1 << BR_REAL,
    BR_MASK_TEXT = 1 << BR_TEXT,
    BR_MASK_BLOB = 1 << BR_BLOB,
    BR_MASK_ALL = 31,
};

// The vector class that holds every class of the mask: one class and NULLs keep the class, only
// NULLs (or nothing) is BR_NULL, more than one class is BR_ANY.
br_class br_class_of_mask(unsigned mask);
const char *br_class_name(br_class class_);  // "null" "integer" "real" "text" "blob" as typeof()

// TEXT or BLOB bytes. `prefix` holds the first four bytes big-endian, zero-padded, so that most
// comparisons never follow the pointer. Always make one with br_text_make.
typedef struct br_text {
    const char *data;
    uint32_t size;
    uint32_t prefix;
} br_text;

static inline br_text br_text_make(const void *data, uint32_t size)
{
    const unsigned char *bytes = data;
    uint32_t prefix = 0;
    if (size >= 4) {
        prefix = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                 bytes[3];
    } else {
        for (uint32_t i = 0; i < size; i++) prefix |= (uint32_t)bytes[i] << (24 - 8 * i);
    }
    return (br_text){.data = data, .size = size, .prefix = prefix};
}

// memcmp order with the shorter one first on a tie: SQLite's BINARY collation and BLOB order.
int br_text_compare(br_text left, br_text right);
bool br_text_equal(br_text left, br_text right);

// How texts compare: one of SQLite's three, or the application's: the address of its br_collator,
// which outlives everything that has it.
typedef uintptr_t br_collation;
enum {
    BR_COLLATION_BINARY = 0,
    BR_COLLATION_NOCASE,
    BR_COLLATION_RTRIM,
    BR_COLLATION_COUNT,
};
typedef struct br_collator br_collator;  // base/collator.h

static inline br_collator *br_collation_collator(br_collation collation)  // NULL: SQLite's
{
    return collation < BR_COLLATION_COUNT ? NULL : (br_collator *)collation;
}

const char *br_collation_name(br_collation collation);
int br_text_collate(br_text left, br_text right, br_collation collation);

typedef struct br_value {
    uint8_t class_;  // br_class, never BR_ANY
    union {
        int64_t i64;
        double f64;
        br_text text;  // TEXT and BLOB
    };
} br_value;

static inline br_value br_value_null(void) { return (br_value){.class_ = BR_NULL}; }
static inline br_value br_value_int(int64_t v) { return (br_value){.class_ = BR_INT, .i64 = v}; }
static inline br_value br_value_real(double v) { return (br_value){.class_ = BR_REAL, .f64 = v}; }
static inline br_value br_value_text(br_text v) { return (br_value){.class_ = BR_TEXT, .text = v}; }
static inline br_value br_value_blob(br_text v) { return (br_value){.class_ = BR_BLOB, .text = v}; }

// SQLite's total order of values: NULL < numbers < TEXT < BLOB; INT and REAL compare exactly as
// numbers (no rounding of large integers). Affinity is the caller's business.
int br_value_compare(const br_value *left, const br_value *right, br_collation collation);
int br_int_real_compare(int64_t left, double right);

#endif
