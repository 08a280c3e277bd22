// io_ring.c - batches of reads through io_uring, or one by one through pread.
// SPDX-License-Identifier: Apache-2.0
#include "base/io_ring.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/heap.h"

enum {
    // Enough to keep an NVMe drive busy from one thread; more adds latency, not throughput.
    DEPTH = 32,
    // Small reads go through buffers the kernel has pinned once, which saves pinning the caller's
    // pages for each; above this size the copy out would cost more than it saves.
    SLOT_BYTES = 16 * 1024,
};

struct br_io_ring {
    bool is_uring;
    bool has_slots;  // registering is refused where the limit on locked memory is low
    struct io_uring uring;
    char *slots;                        // DEPTH slots
    const br_io_read *in_slot[DEPTH];   // the read that has the slot; NULL: free
    uint32_t free_slots[DEPTH];
    uint32_t free_count;
};

// 0, or the errno of the first step that the kernel refuses.
static int uring_open(struct io_uring *uring)
{
    int code = -io_uring_queue_init(DEPTH, uring, 0);
    if (code != 0) return code;
    struct io_uring_probe *probe = io_uring_get_probe_ring(uring);
    bool can_read = probe != NULL && io_uring_opcode_supported(probe, IORING_OP_READ);
    io_uring_free_probe(probe);
    if (can_read) return 0;
    io_uring_queue_exit(uring);
    return EOPNOTSUPP;
}

static void register_slots(br_io_ring *ring)
{
    ring->slots = br_heap_aligned((size_t)DEPTH * SLOT_BYTES);
    if (ring->slots == NULL) return;
    struct iovec slots[DEPTH];
    for (uint32_t i = 0; i < DEPTH; i++) {
        slots[i].iov_base = ring->slots + (size_t)i * SLOT_BYTES;
        slots[i].iov_len = SLOT_BYTES;
    }
    ring->has_slots = io_uring_register_buffers(&ring->uring, slots, DEPTH) == 0;
}

br_status br_io_ring_new(br_io_mode mode, br_io_ring **ring_out, br_error *err)
{
    br_io_ring *ring = br_heap_zalloc(sizeof *ring);
    if (ring == NULL) return br_fail(err, BR_NOMEM, "no memory for a ring of reads");
    if (mode != BR_IO_PREAD) {
        int code = uring_open(&ring->uring);
        ring->is_uring = code == 0;
        if (mode == BR_IO_URING && code != 0) {
            char text[128];
            br_heap_free(ring);
            return br_fail(err, BR_IO, "io_uring is not available: %s",
                           strerror_r(code, text, sizeof text));
        }
    }
    if (ring->is_uring) register_slots(ring);
    for (uint32_t i = 0; i < DEPTH; i++) ring->free_slots[i] = i;
    ring->free_count = DEPTH;
    *ring_out = ring;
    return BR_OK;
}

void br_io_ring_free(br_io_ring *ring)
{
    if (ring == NULL) return;
    if (ring->is_uring) io_uring_queue_exit(&ring->uring);  // before the buffers it has pinned
    br_heap_free(ring->slots);
    br_heap_free(ring);
}

bool br_io_ring_is_uring(const br_io_ring *ring) { return ring->is_uring; }

static bool fits_slot(const br_io_ring *ring, const br_io_read *read)
{
    return ring->has_slots && read->size_bytes <= SLOT_BYTES;
}

static void enqueue(br_io_ring *ring, const br_io_read *read)
{
    br_assert(ring->free_count > 0);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    br_assert(sqe != NULL);  // the queue has an entry for each slot
    uint32_t slot = ring->free_slots[--ring->free_count];
    ring->in_slot[slot] = read;
    int descriptor = br_file_descriptor(read->file);
    if (fits_slot(ring, read)) {
        io_uring_prep_read_fixed(sqe, descriptor, ring->slots + (size_t)slot * SLOT_BYTES,
                                 read->size_bytes, read->offset, (int)slot);
    } else {
        io_uring_prep_read(sqe, descriptor, read->bytes, read->size_bytes, read->offset);
    }
    io_uring_sqe_set_data64(sqe, slot);
}

// Takes one result. A short or refused read is done again by pread, which loops where io_uring
// stopped and words the error when there is one.
static br_status finish(br_io_ring *ring, uint32_t slot, int32_t result, br_error *err)
{
    br_assert(slot < DEPTH && ring->in_slot[slot] != NULL);
    const br_io_read *read = ring->in_slot[slot];
    ring->in_slot[slot] = NULL;
    ring->free_slots[ring->free_count++] = slot;
    if (result < 0 || (uint32_t)result != read->size_bytes)
        return br_file_read_unchecked(read->file, read->offset, read->bytes, read->size_bytes,
                                      err);
    if (fits_slot(ring, read) && read->size_bytes > 0)
        memcpy(read->bytes, ring->slots + (size_t)slot * SLOT_BYTES, read->size_bytes);
    return BR_OK;
}

// Submits what is queued, waits for one result at least, and takes all there are.
static br_status turn(br_io_ring *ring, br_error *err)
{
    int submitted = io_uring_submit_and_wait(&ring->uring, 1);
    if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
        char text[128];
        return br_fail(err, BR_INTERNAL, "io_uring does not take reads any more: %s",
                       strerror_r(-submitted, text, sizeof text));
    }
    br_status status = BR_OK;
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&ring->uring, &cqe) == 0) {
        uint32_t slot = (uint32_t)io_uring_cqe_get_data64(cqe);
        int32_t result = cqe->res;
        io_uring_cqe_seen(&ring->uring, cqe);
        // The first failure is the one that is told; the others still give back their slots.
        br_status one = finish(ring, slot, result, status == BR_OK ? err : NULL);
        if (status == BR_OK) status = one;
    }
    return status;
}

static br_status read_uring(br_io_ring *ring, const br_io_read *reads, uint32_t count,
                            br_error *err)
{
    br_status status = BR_OK;
    uint32_t next = 0;
    // After a failure the reads on their way are awaited: they write into the caller's memory.
    while ((status == BR_OK && next < count) || ring->free_count < DEPTH) {
        while (status == BR_OK && next < count && ring->free_count > 0) {
            const br_io_read *read = &reads[next++];
            status = br_file_check_read(read->file, read->offset, read->size_bytes, err);
            if (status == BR_OK) enqueue(ring, read);
        }
        if (ring->free_count == DEPTH) break;
        br_status one = turn(ring, status == BR_OK ? err : NULL);
        if (one == BR_INTERNAL) return one;
        if (status == BR_OK) status = one;
    }
    return status;
}

br_status br_io_ring_read(br_io_ring *ring, const br_io_read *reads, uint32_t count,
                          br_error *err)
{
    // One read is no batch: a plain system call is the shortest way.
    if (ring->is_uring && count > 1) return read_uring(ring, reads, count, err);
    for (uint32_t i = 0; i < count; i++) {
        BR_TRY(br_file_read(reads[i].file, reads[i].offset, reads[i].bytes, reads[i].size_bytes,
                            err));
    }
    return BR_OK;
}
