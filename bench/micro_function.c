// micro_function.c - ns per call of SQLite's functions over the bridge, in batches and one by one.
//
//     micro_function [text]    only expressions that contain `text`
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "oltp/oltp.h"

enum { ROWS = BR_BATCH_ROWS, ROUNDS = 5 };

static int64_t numbers[ROWS];
static double reals[ROWS];
static br_text texts[ROWS], documents[ROWS];
static br_value results[ROWS];

static void fill(void)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        char *bytes = malloc(128);
        if (bytes == NULL) exit(1);
        numbers[i] = i * 7919 % 100000;
        reals[i] = (double)numbers[i] / 64;
        int size = snprintf(bytes, 32, "text number %u", i);
        texts[i] = br_text_make(bytes, (uint32_t)size);
        int more = snprintf(bytes + 32, 96, "{\"id\":%u,\"name\":\"n%u\",\"tags\":[1,2,3]}", i, i);
        documents[i] = br_text_make(bytes + 32, (uint32_t)more);
    }
}

static double measure(br_oltp_bridge *bridge, const br_function_call *call, br_arena *arena)
{
    double best = 1e9;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        br_error err;
        br_arena_mark mark = br_arena_get_mark(arena);
        uint64_t start = br_clock_ns();
        for (uint32_t row = 0; row < ROWS; row += call->row_count) {
            if (br_oltp_bridge_call(bridge, call, arena, results + row, &err) == BR_OK) continue;
            fprintf(stderr, "%s: %s\n", call->function, err.message);
            exit(1);
        }
        double ns = (double)(br_clock_ns() - start) / ROWS;
        if (ns < best) best = ns;
        br_arena_rewind(arena, mark);
    }
    return best;
}

int main(int argc, char **argv)
{
    static const char *const expressions[] = {
        "?1", "sin(?2)", "printf('%d', ?1)", "quote(?3)", "soundex(?3)", "random()",
        "json_extract(?4, '$.name')", "json_array(json(?4), ?1)"};
    br_error err;
    br_oltp_bridge *bridge;
    br_arena *arena = br_arena_new(NULL);
    fill();
    if (br_oltp_bridge_new(NULL, &bridge, &err) != BR_OK) return 1;
    br_vector columns[] = {{.class_ = BR_INT, .i64 = numbers},
                           {.class_ = BR_REAL, .f64 = reals},
                           {.class_ = BR_TEXT, .text = texts},
                           {.class_ = BR_TEXT, .text = documents}};
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        if (argc > 1 && strstr(expressions[i], argv[1]) == NULL) continue;
        br_function_call call = {.function = expressions[i], .is_expression = true,
                                 .argument_count = 4, .arguments = columns, .row_count = ROWS};
        // SQLite wants no more arguments than the highest that is named.
        char parameter[3] = "?4";
        while (call.argument_count > 0 && strstr(expressions[i], parameter) == NULL) {
            call.argument_count--;
            parameter[1]--;
        }
        double batch = measure(bridge, &call, arena);
        call.row_count = 1;
        printf("%-28s batch %7.1f ns  single %7.1f ns\n", expressions[i], batch,
               measure(bridge, &call, arena));
    }
    br_oltp_bridge_free(bridge);
    br_arena_free(arena);
    return 0;
}
