// test_delete_mask.c - copy-on-write masks against plain arrays of booleans.
// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"
#include "columnar/delete_mask.h"
#include "tests/test.h"

enum { CHUNKS = 3, SETS = 4 };

static uint64_t seed_given = 3;

typedef struct expected {
    br_mask_set *set;
    bool *dead;  // CHUNKS * BR_CHUNK_ROWS
} expected;

static bool matches(const expected *want)
{
    uint64_t dead_count = 0;
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        for (uint32_t row = 0; row < BR_CHUNK_ROWS; row++) {
            bool dead = want->dead[chunk * BR_CHUNK_ROWS + row];
            if (br_mask_set_is_dead(want->set, chunk, row) != dead) return false;
            dead_count += dead;
        }
    }
    return br_mask_set_dead_count(want->set) == dead_count && br_mask_set_check(want->set) == NULL;
}

static void kill(expected *want, br_mask_range range, br_quota *quota)
{
    br_error err;
    uint32_t killed = 0, fresh = 0;
    for (uint32_t i = 0; i < range.row_count; i++) {
        bool *dead = &want->dead[range.chunk * BR_CHUNK_ROWS + range.first + i];
        fresh += !*dead;
        *dead = true;
    }
    MUST(br_mask_set_kill(&want->set, range, quota, &killed, &err), err);
    CHECK_INT(killed, fresh);
}

static void test_delete_mask_copies_do_not_share_later_deaths(void)
{
    const size_t bytes = CHUNKS * BR_CHUNK_ROWS;
    uint64_t random = seed_given;
    br_quota quota;
    expected sets[SETS];
    br_quota_init(&quota, SIZE_MAX, NULL);
    for (int i = 0; i < SETS; i++) sets[i] = (expected){.dead = br_heap_zalloc(bytes)};
    for (int step = 0; step < 400; step++) {
        expected *one = &sets[test_random(&random) % SETS];
        expected *other = &sets[test_random(&random) % SETS];
        if (step % 10 == 0 && one != other) {
            br_mask_set_drop(one->set);
            one->set = br_mask_set_acquire(other->set);
            memcpy(one->dead, other->dead, bytes);
        }
        uint32_t chunk = (uint32_t)(test_random(&random) % CHUNKS);
        uint32_t first = (uint32_t)(test_random(&random) % BR_CHUNK_ROWS);
        uint32_t most = step % 7 == 0 ? BR_CHUNK_ROWS - first : 1;
        kill(one, (br_mask_range){chunk + 1, chunk, first, most < 900 ? most : 900}, &quota);
        if (step % 20 == 0) {
            for (int i = 0; i < SETS; i++) CHECK(matches(&sets[i]));
        }
    }
    for (int i = 0; i < SETS; i++) {
        CHECK(matches(&sets[i]));
        br_mask_set_drop(sets[i].set);
        br_heap_free(sets[i].dead);
    }
    CHECK_INT(quota.used_bytes, 0);
}

static void test_delete_mask_without_memory_stays_as_it_was(void)
{
    br_error err;
    br_quota quota;
    br_mask_set *set = NULL;
    uint32_t killed = 0;
    br_quota_init(&quota, sizeof(br_mask), NULL);
    MUST(br_mask_set_kill(&set, (br_mask_range){2, 0, 7, 1}, &quota, &killed, &err), err);
    CHECK_INT(br_mask_set_kill(&set, (br_mask_range){2, 1, 7, 1}, &quota, &killed, &err), BR_NOMEM);
    CHECK_INT(br_mask_set_dead_count(set), 1);
    CHECK(br_mask_set_check(set) == NULL);
    MUST(br_mask_set_kill(&set, (br_mask_range){2, 0, 8, 1}, &quota, &killed, &err), err);
    br_mask_set *shared = br_mask_set_acquire(set);
    CHECK_INT(br_mask_set_kill(&set, (br_mask_range){2, 0, 9, 1}, &quota, &killed, &err), BR_NOMEM);
    CHECK(!br_mask_set_is_dead(set, 0, 9) && !br_mask_set_is_dead(shared, 0, 9));
    br_mask_set_drop(set);
    br_mask_set_drop(shared);
    CHECK_INT(quota.used_bytes, 0);
}

static void check_stored(uint32_t dead_count)
{
    br_error err;
    br_mask_set *set = NULL, *loaded = NULL;
    uint8_t bytes[BR_MASK_BLOB_BYTES];
    uint32_t killed;
    bool is_valid;
    for (uint32_t i = 0; i < dead_count; i++)
        MUST(br_mask_set_kill(&set, (br_mask_range){1, 0, i * 3, 1}, NULL, &killed, &err), err);
    uint32_t size_bytes = br_mask_store(set->masks[0], bytes);
    br_mask_stored stored = {bytes, size_bytes, dead_count, (dead_count - 1) * 3 + 1};
    MUST(br_mask_set_load(&loaded, 1, 0, stored, NULL, &is_valid, &err), err);
    CHECK(is_valid && br_mask_set_dead_count(loaded) == dead_count);
    CHECK_INT(memcmp(loaded->masks[0]->dead, set->masks[0]->dead, BR_MASK_BLOB_BYTES), 0);
    br_mask_set_drop(loaded);
    loaded = NULL;
    stored.row_count--;  // the last dead row is past the end now
    MUST(br_mask_set_load(&loaded, 1, 0, stored, NULL, &is_valid, &err), err);
    CHECK(!is_valid);
    br_mask_set_drop(loaded);
    br_mask_set_drop(set);
}

static void test_delete_mask_comes_back_as_stored(void)
{
    check_stored(1);
    check_stored(BR_MASK_LIST_MAX - 1);
    check_stored(BR_MASK_LIST_MAX);
    check_stored(20000);
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_given = strtoull(argv[1], NULL, 0);
    printf("seed %" PRIu64 "\n", seed_given);
    RUN(test_delete_mask_copies_do_not_share_later_deaths);
    RUN(test_delete_mask_without_memory_stays_as_it_was);
    RUN(test_delete_mask_comes_back_as_stored);
    return test_result();
}
