// htap.h - a benchmark of transactions and queries on the same data, at the same time.
//
// Data and queries are those of CH-benCHmark (Cole et al., DBTest 2011): TPC-C's transactions and
// 22 queries after TPC-H's. The method is HATtrick's (Milkai et al., SIGMOD 2022): so many clients of
// each kind, and how old what the queries see is.
//
//     data.c          makes a database, the same for the same scale and seed
//     session.c       a connection, through the API of SQLite or of Braid
//     transactions.c  the five transactions
//     run.c           clients of both kinds for some seconds; prints one line of JSON
//
// Errors: a benchmark cannot go on after one: it says what and exits. Threads: as run.c says.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_BENCH_HTAP_H
#define BRAID_BENCH_HTAP_H

#include <stdbool.h>
#include <stdint.h>

#include "braid.h"

enum {
    DISTRICTS = 10,     // of a warehouse
    SUPPLIERS = 10000,  // of all
    CLIENTS_MAX = 16,   // that do transactions
};

typedef struct htap_scale {
    uint32_t warehouses;
    uint32_t customers;  // of a district; it has as many orders
    uint32_t items;
    uint64_t seed;
} htap_scale;

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t now_ns(void);

// ---- random numbers, each stream of its own -----------------------------------------------------

typedef struct htap_random {
    uint64_t state;
} htap_random;

htap_random random_seeded(uint64_t seed, uint64_t stream);
uint32_t random_between(htap_random *random, uint32_t low, uint32_t high);
// TPC-C's NURand over 1..count, with A scaled to the count.
uint32_t random_skewed(htap_random *random, uint32_t count);
void random_text(htap_random *random, uint32_t low, uint32_t high, char *text_out);
// A last name of TPC-C, by number 0..999.
void last_name(uint32_t number, char name_out[20]);
uint32_t last_name_count(const htap_scale *scale);
// YYYY-MM-DD HH:MM:SS of a second since 1970.
void date_text(int64_t seconds, char text_out[20]);

void data_make(const char *path, const htap_scale *scale);
// What a database was made with.
htap_scale data_scale(const char *path);

// ---- sessions -----------------------------------------------------------------------------------

typedef struct htap_session htap_session;
typedef struct htap_statement htap_statement;

htap_session *session_open(const char *path, bool through_braid);
void session_close(htap_session *session);
void session_run(htap_session *session, const char *sql);
htap_statement *session_prepare(htap_session *session, const char *sql);
void bind_int(htap_statement *statement, int index, int64_t value);
void bind_real(htap_statement *statement, int index, double value);
void bind_text(htap_statement *statement, int index, const char *text);
// The next row, the first time of a new run; at the end false, and it can be bound and run again.
bool step(htap_statement *statement);
// Runs it to its end: of writes, or when no more rows are wanted.
void finish(htap_statement *statement);
int64_t column_int(htap_statement *statement, int column);
double column_real(htap_statement *statement, int column);
const char *column_text(htap_statement *statement, int column);  // until the next step

// ---- transactions -------------------------------------------------------------------------------

typedef enum htap_kind { NEW_ORDER, PAYMENT, ORDER_STATUS, DELIVERY, STOCK_LEVEL } htap_kind;

typedef struct htap_terminal htap_terminal;

// `client` has its row in the table freshness, and a stream of random numbers of its own.
htap_terminal *terminal_new(htap_session *session, const htap_scale *scale, uint32_t client);
void terminal_free(htap_terminal *terminal);
// Does the next transaction of TPC-C's mix, its `number` of this client, and tells which it was.
// False: it was rolled back, as one in a hundred new orders is.
bool terminal_run(htap_terminal *terminal, int64_t number, htap_kind *kind_out);

// ---- run ----------------------------------------------------------------------------------------

typedef struct htap_setting {
    const char *path, *queries;  // the file, and the folder of q*.sql
    bool is_braid;               // the file is captured, and queries are Braid's
    bool transactions_by_braid;  // through include/braid.h instead of SQLite's API
    uint32_t transaction_clients, query_clients;
    double seconds;
    int64_t freshness;  // as in include/braid.h
} htap_setting;

void run_setting(const htap_setting *setting);

#endif
