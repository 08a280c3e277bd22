// page.h - what an opened page is made of; private to format/.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_FORMAT_PAGE_H
#define BR_FORMAT_PAGE_H

#include "format/encoding.h"

struct br_page {
    br_node root;
    const uint64_t *validity;  // NULL: no row is NULL, or all are (root is CONSTANT of class NULL)
    br_arena *arena;           // owns all that root and validity point to
};

#endif
