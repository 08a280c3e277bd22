// join_table.h - the build side of a join: stored rows, found by key.
//
// Rows are grouped by bucket, in build order within a bucket:
//
//     offsets[b] .. offsets[b + 1]     entries of bucket b
//     entry_rows[e], entry_tags[e]     a row and 32 bits of its hash
//
// A single INT key with a small span needs no hash: bucket = key - key_min, and no tags. When keys
// are unique then, heads[key - key_min] is the row + 1 at once (0: none). Without keys every row
// is a candidate for every probe row.
//
// Rows with a NULL key that "=" never matches are in no bucket.
//
// Ownership: everything lives in the memory given. Threads: immutable once built, but for `matched`
//            (relaxed atomics: flags that are only ever set, read after the probing is over).
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_JOIN_TABLE_H
#define BR_EXEC_JOIN_TABLE_H

#include <stdatomic.h>

#include "exec/keys.h"
#include "exec/rows.h"

typedef enum br_join_table_kind {
    BR_TABLE_ALL,      // no keys
    BR_TABLE_HASHED,
    BR_TABLE_DIRECT,   // bucket = key - key_min
    BR_TABLE_UNIQUE,   // heads
} br_join_table_kind;

typedef struct br_join_table {
    br_run *run;
    br_memory *memory;
    br_join_table_kind kind;
    br_rows rows;
    uint32_t key_count;
    br_vector *keys;                 // columns of the rows
    const br_collation *collations;
    const bool *null_safe;
    uint32_t bucket_shift;           // bucket = hash >> bucket_shift
    uint32_t *offsets, *entry_rows, *entry_tags;
    uint32_t *heads;
    bool has_range;                  // a single INT key: its bounds
    int64_t key_min, key_max;
    uint64_t *nulls;                 // rows with a NULL key that counts; NULL: none
    uint64_t *hashes;                // while building
    _Atomic uint8_t *matched;        // NULL: nobody asks
} br_join_table;

// `key_columns[k]` is the column of `rows` that holds key k. The other fields of *table, up to
// null_safe, are set by the caller.
BR_CHECKED br_status br_join_table_build(br_join_table *table, const uint32_t *key_columns,
                                         br_error *err);
BR_CHECKED br_status br_join_table_track(br_join_table *table, br_error *err);  // makes `matched`

// Where the candidates of each probe row lie: entries cursors[i]..ends[i] whose tag is tags[i]. For
// kinds HASHED and DIRECT.
typedef struct br_join_probe {
    uint32_t row_count;
    const br_vector *keys;
    const uint64_t *nulls;  // rows that match nothing; NULL: none
    uint32_t *cursors, *ends, *tags;
} br_join_probe;

BR_CHECKED br_status br_join_table_look(const br_join_table *table,
                                        const br_hash_context *context,
                                        const br_join_probe *probe, br_arena *scratch,
                                        br_error *err);
// Clears is_equal[i] of candidate pairs (left: probe rows, right: build rows) that do not match.
BR_CHECKED br_status br_join_table_verify(const br_join_table *table, const br_vector *probe_keys,
                                          const br_key_pairs *pairs, br_arena *scratch,
                                          bool *differ_out, br_error *err);

static inline uint32_t br_join_entry_row(const br_join_table *table, uint32_t entry)
{
    return table->entry_rows != NULL ? table->entry_rows[entry] : entry;
}

#endif
