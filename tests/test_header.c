// test_header.c - include/braid.h alone compiles, as C11 and as C++, and links.
// SPDX-License-Identifier: Apache-2.0
#include <braid.h>

int main(void) { return 0; }
