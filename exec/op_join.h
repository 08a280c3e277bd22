// op_join.h - inside of a join: the stage that probes, and what it shares with its other files.
//
//     op_join.c     building both sides, and the rows of the build side that come last
//     join_probe.c  one batch of probe rows: candidates, conditions, output
//     join_filter.c what the build side tells a scan on the probe side
//     join_disk.c   the same join, partition by partition, when the build side is too large
//     join_pass.c   probe rows that pass one block of a partition after the other
//
// Ownership: the run's arena. Threads: the stage is immutable while it runs, but for the table's
//            `matched`.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_OP_JOIN_H
#define BR_EXEC_OP_JOIN_H

#include "exec/join_table.h"

typedef enum br_join_side { BR_SIDE_PROBE, BR_SIDE_BUILD, BR_SIDE_MARK } br_join_side;

typedef struct br_join_column {  // where a column of a pair comes from
    br_join_side side;
    uint32_t position;
} br_join_column;

// What is known about the probe rows of a join whose build side comes in several blocks, each of
// which all probe rows pass. Their numbers are in a column behind those of their batches; the bits
// of a batch are in words of its own.
typedef struct br_join_passes {
    uint64_t *matched;
    uint64_t *unknown;  // MARK with NULLs: neither true nor false, as far as is known
    bool is_last;       // all blocks are through: probe rows are put out by these bits
} br_join_passes;

typedef struct br_join_stage {
    br_stage base;
    const br_plan *plan;
    br_join_kind join;
    bool build_left;
    br_join_table table;
    br_program *keys;          // of the probe side; NULL without keys
    br_program *residual;      // NULL: none; over residual_columns
    uint32_t residual_count;
    br_join_column *residual_columns;
    uint32_t column_count;     // of the output
    br_join_column *columns;
    bool keeps_unmatched;      // probe rows without a match go on with NULLs
    bool stops_at_first;       // one match decides about a probe row
    bool puts_out_pairs;       // matches go on
    uint32_t *null_rows;       // MARK: build rows with a NULL among the keys of IN
    uint32_t null_row_count;
    br_join_passes *passes;    // NULL: the whole build side is in the table
} br_join_stage;

extern const br_stage_kind br_join_probe_kind;

// Finds null_rows, when the join asks for them.
BR_CHECKED br_status br_join_find_null_rows(br_run *run, br_join_stage *stage, br_error *err);
// Does a probe row go on, or get its mark, when all its matches are known?
bool br_join_finishes_probe(const br_join_stage *stage);

// Bits for the probe rows, in `memory`.
BR_CHECKED br_status br_join_passes_init(br_join_passes *passes, const br_join_stage *stage,
                                         const br_batches *probe, br_memory *memory,
                                         br_error *err);
// The probe rows as a source, with their numbers.
BR_CHECKED br_status br_join_pass_source(br_run *run, const br_batches *probe,
                                         br_source **source_out, br_error *err);
// Bits of the rows of a batch that br_join_pass_source has pushed.
uint64_t *br_join_pass_bits(uint64_t *bits, const br_batch *batch);

// Lets a scan on the probe side skip rows that cannot match. Does nothing where it would not pay.
BR_CHECKED br_status br_join_push_filters(br_run *run, const br_join_stage *stage,
                                          const br_plan *probe, br_error *err);

#endif
