// keys.h - hashing and comparing key columns: of GROUP BY, joins and set operations.
//
// Equal keys have equal hashes whatever their vectors look like: 1 and 1.0, a DATE and its text,
// texts that are the same under the collation. NULL is equal to NULL here; who wants SQL's "=" asks
// br_keys_nulls first.
//
// Ownership: results lie where the caller says. Threads: a cache is for one worker.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_KEYS_H
#define BR_EXEC_KEYS_H

#include "exec/pipeline.h"

// Hashes of the entries of the dictionary seen last; one per key column and worker, zeroed first.
typedef struct br_hash_cache {
    uint64_t dictionary_id;
    uint32_t capacity;
    uint64_t *hashes;
} br_hash_cache;

typedef struct br_hash_context {
    const br_run *run;
    br_arena *arena;         // of the caches
    br_hash_cache *caches;   // one per key column; NULL: no dictionary is hashed as a whole
} br_hash_context;

// hashes_out[row] of the keys together. No keys: all 0.
BR_CHECKED br_status br_keys_hash(const br_hash_context *context, const br_vector *keys,
                                  const br_collation *collations, uint32_t key_count,
                                  uint32_t row_count, uint64_t *hashes_out, br_error *err);
uint64_t br_value_hash(const br_value *value, br_collation collation);
// After hashing one by one: did the collation have the memory it needed?
BR_CHECKED br_status br_hash_check(const br_run *run, br_collation collation, br_error *err);

// Sets the bits of rows where any of the keys is NULL; true when there is one. `exempt` (or NULL)
// names keys whose NULLs do not matter.
bool br_keys_nulls(const br_vector *keys, uint32_t key_count, const bool *exempt,
                   uint32_t row_count, uint64_t *nulls_out);

// Pairs (left row, right row) whose keys are to be compared. `right` is a stored column: FLAT, DATE
// or DATETIME. Clears is_equal[i] of pairs that differ; true when it cleared any.
typedef struct br_key_pairs {
    uint32_t count;
    const uint16_t *left;   // NULL: pair i is row i
    const uint32_t *right;
    uint8_t *is_equal;
} br_key_pairs;

BR_CHECKED br_status br_keys_compare(const br_run *run, const br_vector *left,
                                     const br_vector *right, br_collation collation,
                                     const br_key_pairs *pairs, br_arena *scratch,
                                     bool *differ_out, br_error *err);

#endif
