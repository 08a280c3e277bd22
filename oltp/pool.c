// pool.c - connections for reading, kept for the next reader.
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"
#include "base/heap.h"
#include "base/thread.h"
#include "oltp/handle.h"

enum { IDLE_MAX = 32 };  // more than this many at once is rare; the rest are closed when given back

struct br_oltp_pool {
    br_oltp_config config;
    char *path;
    br_lock lock;  // guards what follows
    br_oltp *idle;
    br_oltp *in_use;
    uint32_t idle_count;
};

br_status br_oltp_pool_new(const br_oltp_config *config, br_oltp_pool **pool_out, br_error *err)
{
    br_oltp_pool *pool = br_heap_zalloc(sizeof *pool);
    char *path = br_heap_copy_text(config->path);
    if (pool == NULL || path == NULL) {
        br_heap_free(path);
        br_heap_free(pool);
        return br_fail(err, BR_NOMEM, "no memory for the readers of '%s'", config->path);
    }
    pool->config = *config;
    pool->config.path = pool->path = path;
    pool->config.read_only = true;
    pool->config.is_writer = pool->config.logs_own_changes = false;
    pool->config.create = false;
    br_lock_init(&pool->lock);
    *pool_out = pool;
    return BR_OK;
}

void br_oltp_pool_free(br_oltp_pool *pool)
{
    if (pool == NULL) return;
    br_assert(pool->in_use == NULL);
    while (pool->idle != NULL) {
        br_oltp *oltp = pool->idle;
        pool->idle = oltp->pool_next;
        br_oltp_close(oltp);
    }
    br_lock_release(&pool->lock);
    br_heap_free(pool->path);
    br_heap_free(pool);
}

br_status br_oltp_pool_take(br_oltp_pool *pool, br_oltp **oltp_out, br_error *err)
{
    br_lock_take(&pool->lock);
    br_oltp *oltp = pool->idle;
    if (oltp != NULL) {
        pool->idle = oltp->pool_next;
        pool->idle_count--;
    }
    br_lock_give(&pool->lock);

    if (oltp == NULL) BR_TRY(br_oltp_open(&pool->config, &oltp, err));
    br_status status = br_oltp_refresh(oltp, err);
    if (status != BR_OK) {
        br_oltp_close(oltp);
        return status;
    }
    br_lock_take(&pool->lock);
    oltp->pool_next = pool->in_use;
    pool->in_use = oltp;
    br_lock_give(&pool->lock);
    *oltp_out = oltp;
    return BR_OK;
}

static void unlink_in_use(br_oltp_pool *pool, br_oltp *oltp)
{
    br_oltp **link = &pool->in_use;
    while (*link != oltp) {
        br_assert(*link != NULL);
        link = &(*link)->pool_next;
    }
    *link = oltp->pool_next;
}

void br_oltp_pool_give(br_oltp_pool *pool, br_oltp *oltp)
{
    if (oltp == NULL) return;
    br_lock_take(&pool->lock);
    unlink_in_use(pool, oltp);
    // One in a transaction was left in a state that its next user must not see.
    bool is_kept = pool->idle_count < IDLE_MAX && !br_oltp_in_transaction(oltp);
    if (is_kept) {
        oltp->pool_next = pool->idle;
        pool->idle = oltp;
        pool->idle_count++;
    }
    br_lock_give(&pool->lock);
    if (!is_kept) br_oltp_close(oltp);
}

void br_oltp_pool_interrupt(br_oltp_pool *pool)
{
    br_lock_take(&pool->lock);
    for (br_oltp *oltp = pool->in_use; oltp != NULL; oltp = oltp->pool_next)
        br_oltp_interrupt(oltp);
    br_lock_give(&pool->lock);
}
