// number.h - numbers as SQLite reads them from text.
//
// SQLite 3.40 computes a real as significand * 10^exponent in long double, which is not always the
// nearest double; the copy has to agree with it to the last bit, so strtod will not do.
//
// Threads: any. Errors: none.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_SQL_NUMBER_H
#define BR_SQL_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

// The value of the longest prefix of [spaces][sign]digits[.digits][e[sign]digits]; 0.0 when there
// is none.
double br_real_parse(const char *text, uint32_t size);
// Digits only. False when the value does not fit.
bool br_int_parse_digits(const char *text, uint32_t size, int64_t *value_out);
// 0x and up to sixteen significant hexadecimal digits, as a 64-bit pattern. False when longer.
bool br_int_parse_hex(const char *text, uint32_t size, int64_t *value_out);

#endif
