// op_join.h - inside of a join: the stage that probes, and what it shares with its other files.
//
//     op_join.c     building both sides, and the rows of the build side that come last
//     join_probe.c  one batch of probe rows: candidates, conditions, output
//     join_filter.c what the build side tells a scan on the probe side
//     join_disk.c   the same join, partition by partition, when the build side is too large
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
} br_join_stage;

extern const br_stage_kind br_join_probe_kind;

// Lets a scan on the probe side skip rows that cannot match. Does nothing where it would not pay.
BR_CHECKED br_status br_join_push_filters(br_run *run, const br_join_stage *stage,
                                          const br_plan *probe, br_error *err);

#endif
