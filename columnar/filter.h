// filter.h - filters on decoded vectors: for the delta, and for few survivors of a page.
//
// Threads: no state. Errors: those of a PREDICATE, and BR_NOMEM.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_COLUMNAR_FILTER_H
#define BR_COLUMNAR_FILTER_H

#include "format/format.h"

// Sets the bit of each row that passes. `passes` has br_bitmap_words(row_count) zeroed words.
BR_CHECKED br_status br_vector_filter(const br_filter *filter, uint32_t worker,
                                      const br_vector *vector, uint32_t row_count, br_arena *arena,
                                      uint64_t *passes, br_error *err);

#endif
