// text.h - growing text, numbers as text, and places in UTF-8 text.
//
// Ownership: a cli_text starts as {0} and is released by its owner. Threads: one thread. Errors: a
// program of one command has nothing to save when memory ends: it says so and exits with 1.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_TEXT_H
#define BRAID_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void *cli_allocate(size_t size_bytes);
void *cli_reallocate(void *memory, size_t size_bytes);
char *cli_copy_text(const char *text, size_t size_bytes);  // NUL-terminated

typedef struct cli_text {
    char *data;  // NUL-terminated once something was appended
    size_t size;
    size_t capacity;
} cli_text;

void cli_text_release(cli_text *text);
void cli_text_reset(cli_text *text);  // empty, keeps the memory
void cli_text_reserve(cli_text *text, size_t more_bytes);
void cli_text_append(cli_text *text, const void *bytes, size_t size);
void cli_text_add(cli_text *text, const char *string);
void cli_text_byte(cli_text *text, char byte);
void cli_text_repeat(cli_text *text, char byte, size_t count);
void cli_text_format(cli_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_text_flush(cli_text *text, FILE *file);  // writes and empties
// "name" with its quotes doubled, as SQL wants it.
void cli_text_add_name(cli_text *text, const char *name);

void cli_text_add_count(cli_text *text, double number);  // 1234567.8 as 1,234,567

enum { CLI_NUMBER_MAX = 40 };  // bytes of any number as text, NUL included
size_t cli_integer_text(int64_t value, char text_out[CLI_NUMBER_MAX]);
// The fewest digits that read back as the same double, always with a point or an exponent; infinity
// is 1e999, which reads back too.
size_t cli_real_text(double value, char text_out[CLI_NUMBER_MAX]);

// Columns of a terminal that UTF-8 text takes.
size_t cli_text_width(const char *text, size_t size);
// Code point at `text`, and in *size_out its bytes; a broken byte is U+FFFD of size 1.
uint32_t cli_code_point(const char *text, size_t size, size_t *size_out);

// The whole file as text, NUL-terminated; "-" is stdin. NULL after printing why not.
char *cli_read_file(const char *path, size_t *size_out);

#endif
