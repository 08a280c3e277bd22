// fixture.h - a SQLite file in a folder of its own, for the tests of oltp/.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_OLTP_FIXTURE_H
#define BR_TESTS_OLTP_FIXTURE_H

#include "base/file.h"
#include "oltp/oltp.h"
#include "tests/test.h"

typedef struct fixture {
    char folder[64];
    char path[80];
    br_oltp *oltp;
    br_arena *arena;
    br_error err;
} fixture;

static inline br_oltp *fixture_connect(fixture *f)
{
    br_oltp_config config = {.path = f->path, .busy_timeout_ms = 1000, .create = true};
    br_oltp *oltp = NULL;
    MUST(br_oltp_open(&config, &oltp, &f->err), f->err);
    return oltp;
}

static inline fixture fixture_new(void)
{
    fixture f = {.folder = "/tmp/braid-oltp-XXXXXX"};
    if (mkdtemp(f.folder) == NULL) exit(1);
    snprintf(f.path, sizeof f.path, "%s/app.db", f.folder);
    f.oltp = fixture_connect(&f);
    f.arena = br_arena_new(NULL);
    return f;
}

static inline void fixture_release(fixture *f)
{
    br_oltp_close(f->oltp);
    br_arena_free(f->arena);
    MUST(br_folder_remove(f->folder, &f->err), f->err);
}

static inline void fixture_exec(fixture *f, const char *sql)
{
    MUST(br_oltp_exec(f->oltp, sql, &f->err), f->err);
}

static inline int64_t fixture_int(fixture *f, const char *sql)
{
    int64_t value = 0;
    MUST(br_oltp_query_int(f->oltp, sql, -999, &value, &f->err), f->err);
    return value;
}

#endif
