// support.h - databases in a folder of their own, for the tests of the public API.
//
// Files are made as an ordinary user even when the tests run as root, whom no permission stops.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_ROUTER_SUPPORT_H
#define BR_TESTS_ROUTER_SUPPORT_H

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sqlite3.h>

#include "include/braid.h"
#include "tests/test.h"

static char support_folder[] = "/tmp/braid-router-XXXXXX";

enum { SUPPORT_NOBODY = 65534 };

static inline void support_begin(void)
{
    if (mkdtemp(support_folder) == NULL) exit(2);
    if (geteuid() != 0) return;
    if (chown(support_folder, SUPPORT_NOBODY, SUPPORT_NOBODY) == 0 &&
        setegid(SUPPORT_NOBODY) == 0 && seteuid(SUPPORT_NOBODY) == 0)
        return;
    fprintf(stderr, "runs as root: permissions are not tested\n");
}

static inline int support_end(void)
{
    char command[100];
    if (getuid() == 0 && (seteuid(0) != 0 || setegid(0) != 0)) return 2;
    snprintf(command, sizeof command, "rm -rf '%s'", support_folder);
    return system(command) != 0 ? 2 : test_result();
}

// A path in the folder; up to four are in use at once.
static inline const char *support_path(const char *name)
{
    static char paths[4][200];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", support_folder, name);
    return path;
}

static inline braid_config support_config(void)
{
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 2;
    return config;
}

static inline braid *support_open(const char *name)
{
    braid *db = NULL;
    braid_config config = support_config();
    if (braid_open(support_path(name), &config, &db) == BRAID_OK) return db;
    fprintf(stderr, "%s: %s\n", name, braid_error_message(db));
    exit(1);
}

static inline void support_exec(braid *db, const char *sql)
{
    if (braid_exec(db, sql) == BRAID_OK) return;
    fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    exit(1);
}

static inline braid_result *support_query(braid *db, const char *sql)
{
    braid_result *result = NULL;
    if (braid_query(db, sql, &result) == BRAID_OK) return result;
    fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    exit(1);
}

static inline braid_statement *support_prepare(braid *db, const char *sql)
{
    braid_statement *statement = NULL;
    if (braid_prepare(db, sql, &statement, NULL) == BRAID_OK) return statement;
    fprintf(stderr, "%s: %s\n", sql, braid_error_message(db));
    exit(1);
}

// The value in the first row and column as an integer.
static inline int64_t support_int(braid *db, const char *sql)
{
    braid_result *result = support_query(db, sql);
    braid_value value = braid_value_get(result, 0, 0);
    braid_result_free(result);
    return value.type == BRAID_INTEGER ? value.as.integer : INT64_MIN;
}

static inline braid_result_info support_info(const braid_result *result)
{
    braid_result_info info = {.size = sizeof info};
    braid_result_get_info(result, &info);
    return info;
}

// Another program that uses the file.
static inline sqlite3 *support_sqlite(const char *name, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    if (sqlite3_open(support_path(name), &db) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
    return db;
}

#endif
