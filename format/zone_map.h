// zone_map.h - how the writer of a page fills its statistics; private to format/.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_ZONE_MAP_H
#define BR_FORMAT_ZONE_MAP_H

#include "format/encoding.h"

// Statistics of rows first..first+count (count > 0), and how many rows have each class, added to
// `class_counts`.
void br_zone_stats_collect(const br_column *column, uint32_t first, uint32_t count,
                           uint32_t class_counts[BR_ANY], br_zone_stats *stats_out);

#endif
