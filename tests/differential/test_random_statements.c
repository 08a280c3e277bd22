// Statements that are prepared once and run again and again: with parameters of every class, while
// rows come and go and columns get values of classes that they did not have. And writes that a query
// feeds. Both engines must agree each time.
//
//     differential_test_random_statements [SEED [ROUNDS [QUERIES]]] [OPTIONS as of random_queries]
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/support_compare.h"
#include "tests/differential/support_round.h"

enum { ROUNDS_DEFAULT = 6, QUERIES_DEFAULT = 100, STATEMENTS = 8, TIMEOUT_MS = 150 };

typedef struct twins { // one text, prepared for both engines
    char *sql;
    braid_statement *olap, *oltp;
} twins;

// ---- statements --------------------------------------------------------------------------------

static void twins_open(test_round *self, twins *out)
{
    sql_text sql = {0};
    do {
        text_clear(&self->marked);
        world_query(&self->world, &self->marked);
        query_render(self->marked.bytes, false, &sql);
        round_must(self->db, braid_prepare(self->db, sql.bytes, &out->olap, NULL), sql.bytes);
    } while (out->olap == NULL);
    round_must(self->db, braid_prepare(self->db, sql.bytes, &out->oltp, NULL), sql.bytes);
    braid_statement_set_engine(out->olap, BRAID_ENGINE_OLAP);
    braid_statement_set_engine(out->oltp, BRAID_ENGINE_OLTP);
    braid_statement_set_timeout(out->olap, TIMEOUT_MS);
    braid_statement_set_timeout(out->oltp, TIMEOUT_MS);
    out->sql = sql.bytes;
}

static void twins_close(twins *self)
{
    braid_statement_close(self->olap);
    braid_statement_close(self->oltp);
    free(self->sql);
}

static void value_bind(braid_statement *statement, uint32_t index, uint32_t choice)
{
    static const char *const texts[] = {"", "a", "north", "1996-02-29", "12", "5x"};
    switch (choice % 5) {
    case 0: (void)braid_bind_null(statement, index); break;
    case 1: (void)braid_bind_int64(statement, index, (int64_t)(choice / 5 % 40) - 10); break;
    case 2: (void)braid_bind_double(statement, index, (int)(choice / 5 % 60) - 20 + 0.5); break;
    case 3: {
        const char *text = texts[choice / 5 % 6];
        (void)braid_bind_text(statement, index, text, strlen(text));
        break;
    }
    default: (void)braid_bind_blob(statement, index, "\0\x12", choice / 5 % 3);
    }
}

static void twins_run(test_round *self, const twins *pair, compare_tally *tally)
{
    char message[800] = "", olap_message[300];
    braid_result *olap = NULL, *oltp = NULL;
    uint64_t bits = world_word(&self->world);
    for (uint32_t i = 1; i <= braid_parameter_count(pair->olap); i++) {
        value_bind(pair->olap, i, (uint32_t)(bits >> 5 * i & 1023));
        value_bind(pair->oltp, i, (uint32_t)(bits >> 5 * i & 1023));
    }
    braid_status olap_status = braid_run(pair->olap, &olap);
    snprintf(olap_message, sizeof olap_message, "%s", braid_error_message(self->db));
    braid_status oltp_status = braid_run(pair->oltp, &oltp);
    compare_outcome outcome =
        compare_statuses(olap_status, olap_message, oltp_status, braid_error_message(self->db),
                         message, sizeof message);
    compare_query loose = {.approximate = true};
    if (outcome == COMPARE_SAME && olap_status == BRAID_OK)
        outcome = compare_results(olap, oltp, &loose, message, sizeof message);
    tally_add(tally, outcome, message);
    if (outcome == COMPARE_DIFFERENT)
        printf("DIFFERENT: %s\n    %s\n    (bits %" PRIx64 ")\n", message, pair->sql, bits);
    braid_result_free(olap);
    braid_result_free(oltp);
}

// Some rows of a column get values of another kind.
static void change_class(test_round *self)
{
    static const value_flavour flavours[] = {FLAVOUR_REAL, FLAVOUR_WORD, FLAVOUR_BLOB,
                                             FLAVOUR_SMALL};
    test_world *world = &self->world;
    const world_table *table = &world->tables[world_below(world, world->table_count)];
    const world_column *column = &table->columns[world_below(world, table->stored_count)];
    text_clear(&self->sql);
    text_add(&self->sql, "UPDATE OR IGNORE %s SET %s = ", table->name, column->name);
    world_value(world, flavours[world_below(world, 4)], &self->sql);
    text_add(&self->sql, " WHERE %s", table->columns[0].name);
    text_add(&self->sql, " %s ", world_chance(world, 50) ? "<" : ">");
    world_value(world, table->columns[0].flavour, &self->sql);
    (void)braid_exec(self->db, self->sql.bytes);
}

// ---- writes ------------------------------------------------------------------------------------

static braid_status write_on(braid *db, const char *sql, braid_engine engine)
{
    compare_side side = {db, sql, engine};
    braid_result *result;
    braid_status status = compare_run(&side, &result);
    braid_result_free(result);
    return status;
}

// A table made and filled by each engine from the same query.
static void write_run(test_round *self, compare_tally *tally)
{
    sql_text query = {0}, write = {0};
    char message[800] = "";
    compare_outcome outcome = COMPARE_SAME;
    text_clear(&self->marked);
    world_query(&self->world, &self->marked);
    query_render(self->marked.bytes, true, &query);
    for (uint32_t i = 0; i < 2 && outcome == COMPARE_SAME; i++) {
        for (uint32_t k = 0; k < 2 && outcome == COMPARE_SAME; k++) {
            text_clear(&write);
            text_add(&write, k == 0 ? "CREATE TABLE made%u AS %s" : "INSERT INTO made%u %s", i,
                     query.bytes);
            braid_status status =
                write_on(self->db, write.bytes, i == 0 ? BRAID_ENGINE_OLAP : BRAID_ENGINE_OLTP);
            if (status == BRAID_UNSUPPORTED) outcome = COMPARE_REFUSED;
            else if (status != BRAID_OK) outcome = COMPARE_OPEN;
        }
    }
    if (outcome == COMPARE_SAME) {
        compare_side ours = {self->db, "SELECT * FROM made0", BRAID_ENGINE_OLTP};
        compare_side theirs = {self->db, "SELECT * FROM made1", BRAID_ENGINE_OLTP};
        compare_query how = {.approximate = self->world.approximate};
        outcome = compare_sides(&ours, &theirs, &how, message, sizeof message);
    }
    tally_add(tally, outcome, message);
    if (outcome == COMPARE_DIFFERENT)
        printf("DIFFERENT when written: %s\n    %s\n", message, query.bytes);
    round_must(self->db, braid_exec(self->db, "DROP TABLE IF EXISTS made0;"
                                              "DROP TABLE IF EXISTS made1"), "drop");
    text_release(&query);
    text_release(&write);
}

static void round_run(test_round *self, uint32_t query_count, compare_tally *tally)
{
    twins pairs[STATEMENTS];
    for (uint32_t i = 0; i < STATEMENTS; i++) twins_open(self, &pairs[i]);
    for (uint32_t i = 0; i < query_count; i++) {
        if (world_chance(&self->world, 40)) round_change(self);
        if (world_chance(&self->world, 15)) change_class(self);
        if (world_chance(&self->world, 10))
            round_must(self->db, braid_checkpoint(self->db), "checkpoint");
        if (world_chance(&self->world, 20))
            write_run(self, tally);
        else
            twins_run(self, &pairs[world_below(&self->world, STATEMENTS)], tally);
    }
    for (uint32_t i = 0; i < STATEMENTS; i++) twins_close(&pairs[i]);
}

int main(int argument_count, char **arguments)
{
    round_arguments given =
        round_arguments_read(argument_count, arguments, ROUNDS_DEFAULT, QUERIES_DEFAULT);
    compare_tally tally = {0};
    test_round *self = malloc(sizeof *self);
    if (self == NULL) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %" PRIu64 "\n", given.seed);
    for (uint32_t round = 0; round < given.rounds; round++) {
        uint64_t different = tally.outcomes[COMPARE_DIFFERENT];
        round_open(self, &given, round, false);
        round_run(self, given.queries, &tally);
        round_close(self);
        if (tally.outcomes[COMPARE_DIFFERENT] > different)
            printf("seed %" PRIu64 " differs\n", given.seed + round);
    }
    free(self);
    tally_print(&tally);
    return tally.outcomes[COMPARE_DIFFERENT] != 0 ||
           tally.outcomes[COMPARE_SAME] < tally.queries / 2;
}
