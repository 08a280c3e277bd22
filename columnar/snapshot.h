// snapshot.h - one version of every table at one commit point.
//
// Ownership: counted references; a snapshot holds its versions.
// Threads:   under construction it belongs to the writer, then it is immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_SNAPSHOT_H
#define BR_COLUMNAR_SNAPSHOT_H

#include "columnar/version.h"

// Case-insensitive name -> index of the table + 1 (0: empty); shared while the set of tables stays.
typedef struct br_name_index {
    _Atomic uint32_t refs;
    uint32_t capacity;  // a power of two
    uint32_t slots[];
} br_name_index;

struct br_snapshot {
    _Atomic uint32_t refs;
    uint64_t version;
    br_watermark watermark;
    br_name_index *names;
    uint32_t table_count;
    br_version *tables[];
};

// `tables` get a reference more. `names_of` has the same tables in the same order, or is NULL.
BR_CHECKED br_status br_snapshot_new(br_version *const *tables, uint32_t table_count,
                                     const br_snapshot *names_of, br_snapshot **snapshot_out,
                                     br_error *err);
br_snapshot *br_snapshot_share(br_snapshot *snapshot);  // another reference
br_version *br_snapshot_find_id(const br_snapshot *snapshot, uint32_t table_id);  // may be NULL

#endif
