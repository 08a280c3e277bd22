// json_text.h - writing values as JSON, as SQLite 3.40's functions write them.
//
// Ownership: the caller's buffer. Threads: any. Errors: false without memory.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_EXEC_JSON_TEXT_H
#define BR_EXEC_JSON_TEXT_H

#include "base/bytes.h"
#include "exec/exec.h"

enum { BR_NUMBER_TEXT_MAX = 48 };  // an integer, or a real as the bridge writes it

// The value as text; of numbers in `number`, which has room for BR_NUMBER_TEXT_MAX bytes.
br_text br_plain_text(const br_exec_bridge *bridge, const br_value *value, char *number);

bool br_json_put_string(br_buffer *out, br_text text);
// `is_json`: texts are JSON already. The value is no BLOB.
bool br_json_put(br_buffer *out, const br_exec_bridge *bridge, const br_value *value, bool is_json);
// "key": of an object; SQLite writes only the colon for NULL.
bool br_json_put_key(br_buffer *out, const br_exec_bridge *bridge, const br_value *key);
BR_CHECKED br_status br_json_check_value(const br_value *value, br_error *err);  // no BLOB

#endif
