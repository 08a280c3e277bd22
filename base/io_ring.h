// io_ring.h - many reads at once.
//
// Reads a set of (file, offset, size) ranges: through io_uring with registered buffers where the
// kernel allows it, with pread elsewhere. The choice is made when the ring is made and can be
// forced for tests; callers see no difference.
//
// Ownership: the caller owns the target memory. Threads: one thread per ring.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_IO_RING_H
#define BR_BASE_IO_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"

typedef enum br_io_mode { BR_IO_AUTO, BR_IO_URING, BR_IO_PREAD } br_io_mode;

typedef struct br_io_read {
    br_file *file;
    uint64_t offset;
    void *bytes;
    uint32_t size_bytes;
} br_io_read;

typedef struct br_io_ring br_io_ring;

// BR_IO_URING fails where io_uring is not allowed; BR_IO_AUTO then takes pread.
BR_CHECKED br_status br_io_ring_new(br_io_mode mode, br_io_ring **ring_out, br_error *err);
void br_io_ring_free(br_io_ring *ring);  // NULL is a no-op
bool br_io_ring_is_uring(const br_io_ring *ring);

// Performs all the reads, in any order, and returns when all are done or one failed (then the
// contents of every target are unspecified).
BR_CHECKED br_status br_io_ring_read(br_io_ring *ring, const br_io_read *reads, uint32_t count,
                                     br_error *err);

#endif
