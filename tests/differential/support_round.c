// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_round.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "router/router.h"

// Little enough for sorts, groups, joins and windows of large tables to go to disk.
static const uint64_t memory_sizes[] = {6 << 20, 9 << 20, 12 << 20, 24 << 20};

void round_must(braid *db, braid_status status, const char *what)
{
    if (status == BRAID_OK || status == BRAID_NOMEM) return; // the budget may be small
    printf("%s: %s\n", what, braid_error_message(db));
    exit(1);
}

static void execute(braid *db, const sql_text *sql)
{
    if (braid_exec(db, sql->bytes) == BRAID_OK) return;
    // Some random changes break a constraint; a transaction they left open would hide later ones.
    (void)braid_exec(db, "ROLLBACK");
}

void round_folder_make(char *folder_out)
{
    bool in_memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder_out, 64, "%s/braid-differential-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder_out) == NULL) exit(2);
}

void round_folder_remove(const char *folder)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) exit(2);
}

static bool cpu_has(const char *isa)
{
#if defined(__x86_64__)
    if (strcmp(isa, "avx2") == 0) return __builtin_cpu_supports("avx2");
    if (strcmp(isa, "avx512") == 0) return __builtin_cpu_supports("avx512vbmi2");
#endif
    return strcmp(isa, "scalar") == 0;
}

round_settings round_settings_random(test_world *world)
{
    static const char *const sets[] = {"avx512", "scalar", "avx2"};
    return (round_settings){
        .threads = 1u << world_below(world, 3),
        .isa = sets[world_below(world, 3)],
        .memory_bytes = world_chance(world, 35) ? memory_sizes[world_below(world, 4)] : 0,
        .plans_plainly = world_chance(world, 10),
    };
}

braid *round_handle(test_round *self, const round_settings *settings)
{
    braid_config config;
    braid *db = NULL;
    braid_config_init(&config);
    config.create = 1;
    config.threads = settings->threads;
    config.memory_bytes = settings->memory_bytes;
    config.isa = settings->isa != NULL && cpu_has(settings->isa) ? settings->isa : NULL;
    braid_status status = braid_open(self->path, &config, &db);
    if (status == BRAID_NOMEM && config.memory_bytes > 0) {
        braid_close(db);
        config.memory_bytes = 0;
        status = braid_open(self->path, &config, &db);
    }
    round_must(db, status, "open");
    if (settings->plans_plainly) br_database_plan_plainly(br_database_of(db));
    return db;
}

static braid *random_handle(test_round *self)
{
    round_settings settings = round_settings_random(&self->world);
    return round_handle(self, &settings);
}

void round_change(test_round *self)
{
    text_clear(&self->sql);
    world_change(&self->world, &self->sql);
    execute(self->db, &self->sql);
}

void round_maintain(test_round *self)
{
    if (world_chance(&self->world, 20)) round_change(self);
    if (world_chance(&self->world, 6))
        round_must(self->db, braid_checkpoint(self->db), "checkpoint");
    if (world_chance(&self->world, 2)) round_must(self->db, braid_compact(self->db), "compact");
    if (world_chance(&self->world, 2)) {
        braid_close(self->db);
        self->db = random_handle(self);
    }
}

// The rows of a large table but a few, as a segment; the rest stay in the delta.
static void grow(test_round *self, uint32_t t)
{
    static const uint32_t sizes[] = {1024, 2048, 8192, 65536, 1024, 8192};
    test_world *world = &self->world;
    uint32_t rows = sizes[world_below(world, 6)] - 1 + world_below(world, 3);
    uint32_t more =
        world_chance(world, 50) ? 0 : sizes[world_below(world, 2)] + world_below(world, 3);
    for (uint32_t i = 0; i < 2; i++) {
        text_clear(&self->sql);
        world_grow(world, t, i == 0 ? rows : rows + more, &self->sql);
        execute(self->db, &self->sql);
        if (i == 0 && world_chance(world, 70))
            round_must(self->db, braid_checkpoint(self->db), "checkpoint");
    }
}

void round_open(test_round *self, const round_arguments *arguments, uint32_t round, bool is_large)
{
    test_world *world = &self->world;
    *self = (test_round){0};
    round_folder_make(self->folder);
    snprintf(self->path, sizeof self->path, "%s/world.db", self->folder);
    world_init(world, arguments->seed + round);
    world->is_large = is_large;
    world->depth_max = arguments->depth_max;
    world->features_allowed = arguments->features;
    self->db = random_handle(self);
    uint32_t most = !is_large && world_chance(world, 25) ? 400 : 60;
    world_create(world, &self->sql);
    execute(self->db, &self->sql);
    for (uint32_t t = 0; t < world->table_count; t++) {
        bool is_single = !is_large && world_chance(world, 10);
        text_clear(&self->sql);
        world_insert(world, t, is_single ? 1 : 40 + world_below(world, most), &self->sql);
        execute(self->db, &self->sql);
        if (is_large) grow(self, t);
    }
    for (uint32_t i = is_large ? 0 : world_below(world, WORLD_NAMES_MAX); i > 0; i--) {
        text_clear(&self->marked);
        world_view(world, &self->marked);
        query_render(self->marked.bytes, true, &self->sql);
        if (braid_exec(self->db, self->sql.bytes) != BRAID_OK) world->view_count--;
    }
}

void round_close(test_round *self)
{
    uint64_t rows = 0;
    round_must(self->db, braid_check(self->db, &rows), "check");
    braid_close(self->db);
    text_release(&self->sql);
    text_release(&self->marked);
    text_release(&self->world.repeated);
    round_folder_remove(self->folder);
}
