// SPDX-License-Identifier: Apache-2.0
#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile_by_sorting(double *numbers, size_t count, double fraction)
{
    qsort(numbers, count, sizeof *numbers, compare);
    double place = fraction * (double)(count - 1);
    size_t rank = (size_t)place;
    if (rank + 1 >= count) return numbers[rank];
    return numbers[rank] + (numbers[rank + 1] - numbers[rank]) * (place - (double)rank);
}

static void test_quantile_is_that_of_sorted_numbers(void)
{
    enum { MAX = 300 };
    double numbers[MAX], copy[MAX];
    static const double fractions[] = {0, 0.1, 0.25, 0.5, 0.75, 0.999, 1};
    for (int round = 0; round < 3000; round++) {
        size_t count = 1 + (size_t)rand() % MAX;
        int span = 1 + rand() % (round % 3 == 0 ? 4 : 1000);
        for (size_t i = 0; i < count; i++)
            numbers[i] = round % 5 == 0 ? (double)i : rand() % span - span / 2;
        double fraction = fractions[rand() % 7];
        memcpy(copy, numbers, sizeof copy);
        double expected = quantile_by_sorting(copy, count, fraction);
        CHECK(br_quantile(numbers, count, fraction) == expected);
    }
    double one[] = {INFINITY, -INFINITY, 3};
    CHECK(br_quantile(one, 3, 0.5) == 3);
}

static void test_moments_join_like_one(void)
{
    double all[500];
    for (int round = 0; round < 200; round++) {
        size_t count = (size_t)rand() % 500;
        br_moments whole = {0}, parts[3] = {{0}}, joined = {0};
        double mean = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            all[i] = 1e6 + rand() % 1000 / 8.0;
            mean += all[i] / (double)count;
            br_moments_add(&whole, all[i]);
            br_moments_add(&parts[i * 3 / count], all[i]);
        }
        for (size_t i = 0; i < count; i++) squares += (all[i] - mean) * (all[i] - mean);
        for (int i = 0; i < 3; i++) br_moments_merge(&joined, &parts[i]);
        double of_whole = -1, of_joined = -1;
        CHECK(br_moments_variance(&whole, true, &of_whole) == (count > 1));
        CHECK(br_moments_variance(&joined, true, &of_joined) == (count > 1));
        if (count < 2) continue;
        double expected = squares / (double)(count - 1);
        CHECK(fabs(of_whole - expected) <= 1e-9 * expected);
        CHECK(fabs(of_joined - expected) <= 1e-9 * expected);
        CHECK(br_moments_variance(&whole, false, &of_whole));
        CHECK(fabs(of_whole - squares / (double)count) <= 1e-9 * expected);
    }
    double ignored;
    CHECK(!br_moments_variance(&(br_moments){0}, false, &ignored));
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    printf("seed %u\n", seed);
    srand(seed);
    RUN(test_quantile_is_that_of_sorted_numbers);
    RUN(test_moments_join_like_one);
    return test_result();
}
