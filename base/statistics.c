// statistics.c - see statistics.h.
// SPDX-License-Identifier: Apache-2.0
#include "base/statistics.h"

#include <stdint.h>

#include "base/assert.h"

void br_moments_add(br_moments *moments, double number)
{
    moments->count += 1;
    double distance = number - moments->mean;
    moments->mean += distance / moments->count;
    moments->squares += distance * (number - moments->mean);
}

void br_moments_merge(br_moments *moments, const br_moments *from)
{
    if (from->count == 0) return;
    if (moments->count == 0) {  // no infinite distance times 0
        *moments = *from;
        return;
    }
    double count = moments->count + from->count;
    double distance = from->mean - moments->mean;
    moments->squares +=
        from->squares + distance * distance * (moments->count * from->count / count);
    moments->mean += distance * (from->count / count);
    moments->count = count;
}

bool br_moments_variance(const br_moments *moments, bool is_sample, double *variance_out)
{
    double count = moments->count - (is_sample ? 1 : 0);
    if (count <= 0) return false;
    *variance_out = moments->squares / count;
    return true;
}

// Puts the number of that rank in its place, none larger before it and none smaller behind it:
// C. A. R. Hoare, Algorithm 65: FIND (1961).
static double find_rank(double *numbers, ptrdiff_t count, ptrdiff_t rank)
{
    ptrdiff_t first = 0, last = count - 1;
    while (first < last) {
        double pivot = numbers[rank];
        ptrdiff_t left = first, right = last;
        while (left <= right) {
            while (numbers[left] < pivot) left++;
            while (numbers[right] > pivot) right--;
            if (left > right) break;
            double swapped = numbers[left];
            numbers[left++] = numbers[right];
            numbers[right--] = swapped;
        }
        if (right < rank) first = left;
        if (rank < left) last = right;
    }
    return numbers[rank];
}

double br_quantile(double *numbers, size_t count, double fraction)
{
    br_assert(count > 0 && fraction >= 0 && fraction <= 1);
    double place = fraction * (double)(count - 1);
    size_t rank = (size_t)place;
    double below = find_rank(numbers, (ptrdiff_t)count, (ptrdiff_t)rank);
    if (rank + 1 >= count || place <= (double)rank) return below;
    double above = numbers[rank + 1];
    for (size_t i = rank + 2; i < count; i++) {
        if (numbers[i] < above) above = numbers[i];
    }
    return below + (above - below) * (place - (double)rank);
}
