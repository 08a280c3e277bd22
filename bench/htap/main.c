// htap - transactions and queries on the same data: see htap.h and bench/README.md.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "htap.h"

static const char usage[] =
    "usage: htap make FILE [--warehouses N] [--customers N] [--items N] [--seed N]\n"
    "       htap mirror FILE                      makes the columnar copy\n"
    "       htap work FILE COUNT [--by-braid]     so many transactions of one client\n"
    "       htap run FILE [--braid] [--by-braid] [--transactions CLIENTS] [--queries CLIENTS]\n"
    "                     [--seconds S] [--freshness MS]   0 strict, -1 any\n";

// The value behind an option; NULL: it is not there.
static const char *option(char **arguments, const char *name)
{
    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, name) == 0) return arguments[1] == NULL ? "" : arguments[1];
    }
    return NULL;
}

static double number(char **arguments, const char *name, double otherwise)
{
    const char *value = option(arguments, name);
    return value == NULL ? otherwise : strtod(value, NULL);
}

static void make(const char *path, char **arguments)
{
    htap_scale scale = {
        .warehouses = (uint32_t)number(arguments, "--warehouses", 1),
        .customers = (uint32_t)number(arguments, "--customers", 3000),
        .items = (uint32_t)number(arguments, "--items", 100000),
        .seed = (uint64_t)number(arguments, "--seed", 1),
    };
    if (scale.warehouses == 0 || scale.customers < 10 || scale.items < 100)
        fail("at least 1 warehouse, 10 customers and 100 items");
    data_make(path, &scale);
}

static void mirror(const char *path)
{
    braid *db;
    if (braid_open(path, NULL, &db) != BRAID_OK || braid_checkpoint(db) != BRAID_OK)
        fail("%s: %s", path, braid_error_message(db));
    braid_close(db);
}

static void work(const char *path, long long count, bool by_braid)
{
    htap_scale scale = data_scale(path);
    htap_session *session = session_open(path, by_braid);
    htap_terminal *terminal = terminal_new(session, &scale, 0);
    htap_kind kind;
    for (long long i = 1; i <= count; i++) (void)terminal_run(terminal, i, &kind);
    terminal_free(terminal);
    session_close(session);
}

static void run(const char *path, char **arguments)
{
    htap_setting setting = {
        .path = path,
        .queries = HTAP_FOLDER "/queries",
        .is_braid = option(arguments, "--braid") != NULL,
        .transactions_by_braid = option(arguments, "--by-braid") != NULL,
        .transaction_clients = (uint32_t)number(arguments, "--transactions", 1),
        .query_clients = (uint32_t)number(arguments, "--queries", 1),
        .seconds = number(arguments, "--seconds", 5),
        .freshness = (int64_t)number(arguments, "--freshness", 0),
    };
    if (setting.transaction_clients > CLIENTS_MAX || setting.query_clients > CLIENTS_MAX)
        fail("at most %d clients of each kind", CLIENTS_MAX);
    run_setting(&setting);
}

int main(int count, char **arguments)
{
    const char *word = count > 2 ? arguments[1] : "";
    if (strcmp(word, "make") == 0) make(arguments[2], arguments + 3);
    else if (strcmp(word, "mirror") == 0) mirror(arguments[2]);
    else if (strcmp(word, "work") == 0 && count > 3)
        work(arguments[2], atoll(arguments[3]), option(arguments, "--by-braid") != NULL);
    else if (strcmp(word, "run") == 0) run(arguments[2], arguments + 3);
    else {
        fputs(usage, stderr);
        return 2;
    }
    return 0;
}
