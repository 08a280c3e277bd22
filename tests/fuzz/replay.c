// replay.c - runs a fuzz target without libFuzzer: over the files of its corpus folder and seeded
// mutations of them. With BRAID_FUZZ=ON libFuzzer takes the place of this file.
//
//     fuzz_NAME CORPUS_FOLDER [SEED [ROUNDS]]
//
// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum { INPUT_BYTES_MAX = 1 << 20 };

// The input in a block of exactly its size, so that ASan sees a read past its end.
static void run_one(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t *exact = calloc(1, size_bytes ? size_bytes : 1);
    if (exact == NULL) exit(1);
    if (size_bytes > 0) memcpy(exact, bytes, size_bytes);
    LLVMFuzzerTestOneInput(exact, size_bytes);
    free(exact);
}

static size_t mutate(uint8_t *bytes, size_t size_bytes, uint64_t *random)
{
    uint64_t changes = 1 + test_random(random) % 4;
    while (changes-- > 0 && size_bytes > 0) {
        size_t at = test_random(random) % size_bytes;
        switch (test_random(random) % 4) {
        case 0: bytes[at] ^= (uint8_t)(1u << (test_random(random) % 8)); break;
        case 1: bytes[at] = (uint8_t)test_random(random); break;
        case 2: bytes[at] = test_random(random) % 2 ? 0xff : 0; break;
        default: size_bytes = at; break;
        }
    }
    return size_bytes;
}

static size_t read_input(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t size_bytes = fread(bytes, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    return size_bytes;
}

static uint32_t replay(const char *folder_path, uint64_t seed, uint64_t rounds)
{
    static uint8_t input[INPUT_BYTES_MAX], mutated[INPUT_BYTES_MAX];
    uint64_t random = seed;
    uint32_t inputs = 0;
    DIR *folder = opendir(folder_path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder_path, entry->d_name);
        size_t size_bytes = read_input(path, input);
        run_one(input, size_bytes);
        for (uint64_t i = 0; i < rounds; i++) {
            memcpy(mutated, input, size_bytes);
            run_one(mutated, mutate(mutated, size_bytes, &random));
        }
        inputs++;
    }
    if (folder != NULL) closedir(folder);
    return inputs;
}

int main(int count, char **arguments)
{
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    uint64_t rounds = count > 3 ? strtoull(arguments[3], NULL, 10) : 200;
    printf("seed %" PRIu64 ", %" PRIu64 " mutations of each input\n", seed, rounds);
    run_one(NULL, 0);
    uint32_t inputs = count > 1 ? replay(arguments[1], seed ? seed : 1, rounds) : 0;
    printf("%" PRIu32 " inputs\n", inputs);
    return 0;
}
