// The command line of the programs that make random queries.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/support_round.h"

enum { DEPTH_DEFAULT = 3, DEPTH_LIMIT = 8 };

// In the order of query_feature.
static const char *const feature_names[] = {
    "subquery", "derived", "cte",       "compound",  "window",    "outer-join",    "date", "json",
    "math",     "text",    "row-value", "parameter", "recursive", "table-function"};
enum { FEATURE_NAMES = sizeof feature_names / sizeof *feature_names };

static _Noreturn void usage(const char *program, const char *wrong)
{
    fprintf(stderr,
            "unknown: '%s'\nusage: %s [SEED [ROUNDS [QUERIES]]] [--depth N] [--features NAME,...] "
            "[--without NAME,...] [--verbose]\nfeatures:",
            wrong, program);
    for (uint32_t i = 0; i < FEATURE_NAMES; i++) fprintf(stderr, " %s", feature_names[i]);
    fprintf(stderr, "\n");
    exit(2);
}

static uint32_t features_of(const char *program, const char *list)
{
    uint32_t features = 0;
    for (const char *at = list; *at != '\0'; at += *at == ',') {
        size_t size = strcspn(at, ",");
        uint32_t i = 0;
        while (i < FEATURE_NAMES &&
               (strncmp(feature_names[i], at, size) != 0 || feature_names[i][size] != '\0'))
            i++;
        if (i == FEATURE_NAMES) usage(program, at);
        features |= 1u << i;
        at += size;
    }
    return features;
}

static bool option_read(round_arguments *self, const char *program, const char *name,
                        const char *value)
{
    if (value == NULL) usage(program, name);
    if (strcmp(name, "--depth") == 0) {
        self->depth_max = (uint32_t)strtoul(value, NULL, 10);
        if (self->depth_max < 1 || self->depth_max > DEPTH_LIMIT) usage(program, value);
    } else if (strcmp(name, "--features") == 0) {
        self->features = features_of(program, value);
    } else if (strcmp(name, "--without") == 0) {
        self->features &= ~features_of(program, value);
    } else {
        return false;
    }
    return true;
}

round_arguments round_arguments_read(int count, char **arguments, uint32_t rounds, uint32_t queries)
{
    round_arguments self = {.seed = 1,
                            .rounds = rounds,
                            .queries = queries,
                            .depth_max = DEPTH_DEFAULT,
                            .features = UINT32_MAX};
    uint32_t place = 0;
    for (int i = 1; i < count; i++) {
        const char *text = arguments[i];
        if (strcmp(text, "--verbose") == 0) {
            self.verbose = true;
        } else if (text[0] == '-') {
            if (!option_read(&self, arguments[0], text, arguments[i + 1]))
                usage(arguments[0], text);
            i++;
        } else {
            uint64_t value = strtoull(text, NULL, 10);
            if (place == 0) self.seed = value;
            if (place == 1) self.rounds = (uint32_t)value;
            if (place == 2) self.queries = (uint32_t)value;
            if (place++ > 2) usage(arguments[0], text);
        }
    }
    return self;
}
