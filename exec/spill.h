// spill.h - rows that wait on disk when a query's memory runs out.
//
// A run has one temporary file, made when first needed: without a name, in the database's folder or
// where else temporary files go. It only grows; it is gone when the run ends, however it ends.
// What is written is compressed with lz4 and has a checksum that is verified on reading.
//
// Operators that keep rows ask br_run_is_tight now and then; when it says so, they write what they
// keep and give the memory back. Whether that happened shows in no result: rows come back in the
// order in which they were kept.
//
// Ownership: what is read lies in the arena given. Threads: locked (opening the file); any worker
//            may write and read, each with its own scratch memory.
// Errors: BR_FULL, BR_IO naming the file; BR_CORRUPT when other bytes come back than were written.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_SPILL_H
#define BR_EXEC_SPILL_H

#include "exec/pipeline.h"

BR_CHECKED br_status br_spill_new(br_run *run, br_error *err);  // run->spill; NULL: not allowed
void br_spill_free(br_run *run);
uint64_t br_spill_bytes(const br_run *run);  // written so far

// Should operators write rows they keep? True when less than a quarter of the quota is left.
bool br_run_is_tight(const br_run *run);
// What one worker may keep or use at a time while rows wait on disk.
size_t br_run_share_bytes(const br_run *run);

// ---- bytes -----------------------------------------------------------------------------------

// Bytes to write, growing in an arena. Every part begins at a multiple of 8.
typedef struct br_spill_buffer {
    br_arena *arena;
    char *bytes;
    size_t used_bytes, capacity_bytes;
} br_spill_buffer;

// Room for a part of so many bytes; NULL when there is no memory.
void *br_spill_put(br_spill_buffer *buffer, size_t size_bytes);
bool br_spill_put_vector(br_spill_buffer *buffer, const br_vector *vector, uint32_t row_count);
// Parts that point to bytes: the pointers are written as NULL and the bytes behind them.
bool br_spill_put_values(br_spill_buffer *buffer, const br_value *values, uint32_t count);
bool br_spill_put_texts(br_spill_buffer *buffer, const br_text *texts, const uint64_t *validity,
                        uint32_t count);

BR_CHECKED br_status br_spill_write(br_run *run, uint32_t worker, const br_spill_buffer *buffer,
                                    br_spill_place *place_out, br_error *err);
BR_CHECKED br_status br_spill_read(br_run *run, uint32_t worker, const br_spill_place *place,
                                   br_arena *arena, char **bytes_out, br_error *err);

// Parts in the order in which they were put; they stay where they are and *at moves on.
void *br_spill_take(char **at, size_t size_bytes);
br_vector br_spill_take_vector(char **at, uint32_t row_count);
br_value *br_spill_take_values(char **at, uint32_t count);
br_text *br_spill_take_texts(char **at, uint32_t count);

// ---- batches ---------------------------------------------------------------------------------

BR_CHECKED br_status br_spill_write_batch(br_run *run, uint32_t worker, const br_batch *batch,
                                          br_spill_place *place_out, br_error *err);
BR_CHECKED br_status br_spill_read_batch(br_run *run, uint32_t worker,
                                         const br_spill_place *place, br_arena *arena,
                                         br_batch *batch_out, br_error *err);
// Batch i: as it is, or read into `arena`. What follows on disk is read along with it, as far as a
// share goes, and waits for its turn: lists are read in order.
BR_CHECKED br_status br_batches_get(br_run *run, uint32_t worker, const br_batches *batches,
                                    uint32_t index, br_arena *arena, br_batch *batch_out,
                                    br_error *err);
// Reads all of them into the memory.
BR_CHECKED br_status br_batches_load(br_run *run, br_batches *batches, br_memory *memory,
                                     br_error *err);
size_t br_spill_batch_bytes(const br_batch *batch);  // raw_bytes of a place with it
// Writes all that are in memory, whose memory may then go: lists of them are moved.
BR_CHECKED br_status br_batches_store(br_run *run, br_batches *batches, br_error *err);

#endif
