// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "htap.h"

void fail(const char *format, ...)
{
    va_list arguments;
    fputs("htap: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// splitmix64: every seed is a good one.
static uint64_t next(htap_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

htap_random random_seeded(uint64_t seed, uint64_t stream)
{
    htap_random random = {seed * 0x2545f4914f6cdd1du + stream};
    random.state = next(&random);
    return random;
}

uint32_t random_between(htap_random *random, uint32_t low, uint32_t high)
{
    return low + (uint32_t)(next(random) % (high - low + 1));
}

uint32_t random_skewed(htap_random *random, uint32_t count)
{
    // 255 of 1000 names, 1023 of 3000 customers, 8191 of 100000 items: about a twelfth to a third.
    uint32_t a = 1;
    while ((a + 1) * 6 < count) a = a * 2 + 1;
    uint32_t x = random_between(random, 0, a) | random_between(random, 1, count);
    return (x + 7) % count + 1;
}

void random_text(htap_random *random, uint32_t low, uint32_t high, char *text_out)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t size = random_between(random, low, high);
    for (uint32_t i = 0; i < size; i++) text_out[i] = letters[next(random) % 62];
    text_out[size] = '\0';
}

void last_name(uint32_t number, char name_out[20])
{
    static const char *const parts[] = {"BAR", "OUGHT", "ABLE",  "PRI",   "PRES",
                                        "ESE", "ANTI",  "CALLY", "ATION", "EING"};
    snprintf(name_out, 20, "%s%s%s", parts[number / 100 % 10], parts[number / 10 % 10],
             parts[number % 10]);
}

uint32_t last_name_count(const htap_scale *scale)
{
    return scale->customers < 1000 ? scale->customers : 1000;
}

void date_text(int64_t seconds, char text_out[20])
{
    time_t time = (time_t)seconds;
    struct tm parts;
    gmtime_r(&time, &parts);
    strftime(text_out, 20, "%Y-%m-%d %H:%M:%S", &parts);
}
