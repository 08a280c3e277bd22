// statistics.h - standard deviation, variance and quantiles: what the aggregates of both engines
// compute, so that they agree.
//
// Moments keep count, mean and the sum of squared distances from it (B. P. Welford, Technometrics
// 1962); two of them join as Chan, Golub and LeVeque (1979) do.
//
// Ownership: values. Threads: none of its business.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_STATISTICS_H
#define BR_BASE_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct br_moments {
    double count, mean, squares;
} br_moments;

void br_moments_add(br_moments *moments, double number);
void br_moments_merge(br_moments *moments, const br_moments *from);
// False when there are too few numbers: none, or one for a sample's variance.
bool br_moments_variance(const br_moments *moments, bool is_sample, double *variance_out);

// Orders the numbers and interpolates between the two nearest to the fraction (0..1) of them;
// there must be at least one. What DuckDB calls quantile_cont.
double br_quantile(double *numbers, size_t count, double fraction);

#endif
