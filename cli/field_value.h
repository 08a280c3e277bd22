// field_value.h - fields of text as values: numbers that can be told from text with certainty.
//
// An INTEGER is written as SQLite would write it: no plus, no leading zeros (00501 is a postal
// code), within 64 bits. A REAL has a point or an exponent.
//
// Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_FIELD_VALUE_H
#define BRAID_CLI_FIELD_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool cli_field_integer(const char *field, size_t size, int64_t *value_out);
bool cli_field_real(const char *field, size_t size, double *value_out);

#endif
