// checkpoint.h - what checkpoints and compaction share: committing a snapshot to the catalog.
//
// Threads: the writer's.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_CHECKPOINT_H
#define BR_COLUMNAR_CHECKPOINT_H

#include "columnar/store.h"

// Fails when the store cannot write now; `what` says what was to be done.
BR_CHECKED br_status br_store_check_idle(const br_store *store, const char *what, br_error *err);
// Makes the catalog say what `durable` holds, all of it in segments, and keeps a reference. Files
// that neither the catalog nor a version needs any more go.
BR_CHECKED br_status br_store_commit(br_store *store, br_snapshot *durable, br_error *err);

#endif
