// support_sql.h - a small database that never changes, for fuzz targets of SQL text.
//
// Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_FUZZ_SUPPORT_SQL_H
#define BR_TESTS_FUZZ_SUPPORT_SQL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "braid.h"
#include "router/router.h"

enum { FUZZ_TEXT_MAX = 4000, FUZZ_HANDLES = 4 };

static inline void fuzz_must(braid *db, braid_status status)
{
    if (status == BRAID_OK) return;
    fprintf(stderr, "%s\n", braid_error_message(db));
    exit(2);
}

static inline void fuzz_fill(braid *db)
{
    static const char *const words[] = {"'a'",  "'A'",          "'north '",
                                        "NULL", "'1996-02-29'", "x'6100'"};
    static const char *const numbers[] = {"1", "-2.5", "NULL", "9223372036854775807", "'7'"};
    char rows[600];
    for (int i = 0; i < 40; i++) {
        const char *word = words[i % 6], *number = numbers[i % 5];
        snprintf(rows, sizeof rows,
                 "INSERT INTO t0(c0_1, c0_2, c0_3, c0_4) VALUES (%d, %s, %s, %s);"
                 "INSERT OR IGNORE INTO t1 VALUES (%s, %s, %s, %d, %s);"
                 "INSERT OR IGNORE INTO t2 VALUES (%d, %d, '199%d-01-31', %s);",
                 i % 7, word, number, word, number, word, word, i % 9, number, i % 11, i % 3, i % 9,
                 number);
        fuzz_must(db, braid_exec(db, rows));
        if (i == 25) fuzz_must(db, braid_checkpoint(db));
    }
}

// More rows than a batch has, of all classes, with texts that are long and repeat.
static inline void fuzz_fill_large(braid *db)
{
    for (int part = 0; part < 2; part++) {
        fuzz_must(db, braid_exec(db,
            "INSERT INTO t3 WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT "
            "2500) SELECT NULL, CASE n % 9 WHEN 0 THEN NULL WHEN 1 THEN n / 2.0 WHEN 2 THEN 'n' || "
            "n WHEN 3 THEN x'00' ELSE n END, 'a text that repeats ' || (n % 50), n % 100 * 0.25, "
            "CASE n % 700 WHEN 0 THEN 9223372036854775807 ELSE n % 13 END, "
            "date('1996-01-01', n || ' days'), json_array(n % 5, json_object('a', n)) FROM n"));
        if (part == 0) fuzz_must(db, braid_checkpoint(db));
    }
    fuzz_must(db, braid_exec(db, "DELETE FROM t3 WHERE c3_0 % 17 = 3"));
}

// The tables that the corpora name: part of the rows in a segment, part in the delta.
static inline void fuzz_database(const char *folder)
{
    static const char *const tables =
        "CREATE TABLE t0(c0_0 INTEGER PRIMARY KEY, c0_1 INTEGER, c0_2 TEXT, c0_3 REAL, c0_4);"
        "CREATE TABLE t1(c1_0 NUMERIC, c1_1 TEXT COLLATE RTRIM, c1_2 TEXT COLLATE NOCASE, c1_3 INT,"
        " c1_4 BLOB, PRIMARY KEY (c1_0, c1_3));"
        "CREATE TABLE t2(c2_0 INT, c2_1 INT, c2_2 DATE, c2_3, PRIMARY KEY (c2_0, c2_1)) WITHOUT "
        "ROWID;"
        "CREATE TABLE t3(c3_0 INTEGER PRIMARY KEY, c3_1, c3_2 TEXT, c3_3 REAL, c3_4 INT, c3_5 "
        "DATE, c3_6 TEXT, c3_7 AS (c3_4 * 2));"
        "CREATE VIEW v0 AS SELECT c0_1 AS d0, count(*) AS d1 FROM t0 GROUP BY c0_1;";
    char path[100];
    braid *db = NULL;
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    config.threads = 1;
    config.memory_bytes = 64 << 20;
    snprintf(path, sizeof path, "%s/fuzz.db", folder);
    fuzz_must(db, braid_open(path, &config, &db));
    fuzz_must(db, braid_exec(db, tables));
    fuzz_fill(db);
    fuzz_fill_large(db);
    fuzz_must(db, braid_close(db));
}

// Handles that only read: as usual, without vectors, without the optimiser, with so little memory
// that rows go to disk.
static inline void fuzz_open(const char *folder, braid **handles)
{
    char path[100];
    snprintf(path, sizeof path, "%s/fuzz.db", folder);
    for (int i = 0; i < FUZZ_HANDLES; i++) {
        braid_config config;
        braid_config_init(&config);
        config.read_only = 1;
        config.threads = i == 0 ? 1 : 2;
        config.memory_bytes = i == 3 ? 5 << 20 : 64 << 20;
        config.isa = i == 1 ? "scalar" : NULL;
        fuzz_must(handles[i], braid_open(path, &config, &handles[i]));
        if (i == 2) br_database_plan_plainly(br_database_of(handles[i]));
    }
}

// The input as text; NULL when it is none.
static inline char *fuzz_text(const uint8_t *bytes, size_t size)
{
    if (size > FUZZ_TEXT_MAX || (size > 0 && memchr(bytes, '\0', size) != NULL)) return NULL;
    char *text = malloc(size + 1);
    if (text == NULL) exit(2);
    if (size > 0) memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

// A query: no statement that writes, sets or attaches anything.
static inline bool fuzz_is_query(const char *text)
{
    static const char *const words[] = {"SELECT", "WITH", "VALUES", "SUMMARIZE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncasecmp(text, words[i], strlen(words[i])) == 0) return true;
    }
    return false;
}

static char fuzz_folder[64];

static inline void fuzz_folder_remove(void)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf '%s'", fuzz_folder);
    if (system(command) != 0) fprintf(stderr, "%s stays\n", fuzz_folder);
}

// A handle on the database, which is made for the first input and removed when the process ends.
// Which handle depends on the size of the text.
static inline braid *fuzz_world(const char *text)
{
    static braid *handles[FUZZ_HANDLES];
    if (handles[0] == NULL) {
        snprintf(fuzz_folder, sizeof fuzz_folder, "/tmp/braid-fuzz-XXXXXX");
        if (mkdtemp(fuzz_folder) == NULL) exit(2);
        atexit(fuzz_folder_remove);
        fuzz_database(fuzz_folder);
        fuzz_open(fuzz_folder, handles);
    }
    return handles[strlen(text) % FUZZ_HANDLES];
}

#endif
