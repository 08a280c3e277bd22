// json_reader.h - finds values in JSON text, for what braid_status_json tells.
//
// Values are places in the text; nothing is copied but strings on request. The text must be JSON,
// as the library's is: on anything else values are simply not found.
//
// Threads: one thread.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_JSON_READER_H
#define BRAID_CLI_JSON_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

// Value of a member of the object that begins at `object`; NULL: no such member.
const char *cli_json_member(const char *object, const char *name);
// First element of an array, and the one behind an element; NULL: no more.
const char *cli_json_first(const char *array);
const char *cli_json_next(const char *element);

bool cli_json_true(const char *value);              // false for NULL
double cli_json_number(const char *value);          // 0 for NULL or when it is no number
bool cli_json_string(const char *value, cli_text *text_out);  // appends; false: no string

// Pretty-prints the text with indentation, ended by a line feed.
void cli_json_indent(const char *json, cli_text *text_out);

#endif
