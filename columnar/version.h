// version.h - one published state of one table.
//
// A version (struct br_table_view, as readers call it) lists segments, each with its delete masks,
// and shows a prefix of a delta, less its masks. Copying one costs a few instructions per segment:
// all that is large is shared by reference. The writer copies the published version into a *draft*,
// changes the draft, and publishes it; from then on it never changes.
//
// Invariants, tested by br_version_check and, for 1, br_store_check:
//   1. A key has at most one live row.
//   2. live_rows = rows of segments and delta less the dead ones of their masks.
//   3. Statistics cover every row, dead ones too.
//
// Ownership: counted references down to segments, masks, delta and statistics.
// Threads:   a draft belongs to the writer; published versions are immutable.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_VERSION_H
#define BR_COLUMNAR_VERSION_H

#include "columnar/columnar.h"
#include "columnar/delete_mask.h"
#include "columnar/delta.h"
#include "columnar/segment.h"

// The texts of a table's spec; shared by all its versions.
typedef struct br_table_texts {
    _Atomic uint32_t refs;
    br_table_spec spec;  // as added; its texts lie behind it
} br_table_texts;

typedef struct br_stats_set {
    _Atomic uint32_t refs;
    uint32_t column_count;
    br_common_values *common;  // by column; of segments only, NULL of others
    br_zone_stats stats[];
} br_stats_set;

typedef struct br_version_segment {
    br_segment *segment;
    br_mask_set *masks;    // NULL: every row lives
    uint32_t first_chunk;  // in the version
} br_version_segment;

struct br_table_view {
    _Atomic uint32_t refs;
    br_table_texts *texts;
    br_table_spec spec;        // texts borrowed from `texts`
    uint64_t live_rows;
    uint32_t segment_count;
    br_version_segment *segments;
    uint32_t segment_chunks;
    br_delta *delta;           // NULL: no row; never empty in a published version
    uint32_t delta_rows;       // shown, dead ones included
    br_mask_set *delta_masks;
    br_stats_set *segment_stats;
    br_stats_set *delta_stats;  // NULL while delta is
    br_stats_set *stats;        // of both; NULL in a draft until br_version_seal
};

typedef br_table_view br_version;

// The first version of a table: empty, and a draft.
BR_CHECKED br_status br_version_new(const br_table_spec *spec, br_version **draft_out,
                                    br_error *err);
BR_CHECKED br_status br_version_copy(const br_version *version, br_version **draft_out,
                                     br_error *err);
br_version *br_version_acquire(br_version *version);
void br_version_drop(br_version *version);  // NULL is a no-op

static inline uint32_t br_version_columns(const br_version *version)  // with the key
{
    return version->spec.column_count + 1;
}

// The segment that holds a chunk of the version, which lies before its delta.
const br_version_segment *br_version_find_chunk(const br_version *version, uint32_t chunk);

// ---- on drafts -------------------------------------------------------------------------------

// Replaces the whole list; takes references of its own. `masks` of the items are kept as they are.
BR_CHECKED br_status br_version_set_segments(br_version *draft, const br_version_segment *items,
                                             uint32_t count, br_error *err);
void br_version_clear_delta(br_version *draft);
// Makes it a version of the altered table; rows stay. `spec` gives name, definition and columns.
BR_CHECKED br_status br_version_reshape(br_version *draft, const br_table_spec *spec,
                                        const br_reshape *reshape, br_quota *quota, br_error *err);
void br_version_clear(br_version *draft);
// The delta for appending; makes one when there is none.
BR_CHECKED br_status br_version_open_delta(br_version *draft, br_quota *quota, br_error *err);
// Computes what readers need: statistics. Nothing in the draft changes afterwards.
BR_CHECKED br_status br_version_seal(br_version *draft, br_error *err);
void br_version_count_live(br_version *draft);

BR_CHECKED br_status br_version_check(const br_version *version, br_error *err);

#endif
