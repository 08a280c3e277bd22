// SPDX-License-Identifier: Apache-2.0
#include "exec/json_text.h"

#include <inttypes.h>
#include <stdio.h>

br_text br_plain_text(const br_exec_bridge *bridge, const br_value *value, char *number)
{
    switch (value->class_) {
    case BR_TEXT:
    case BR_BLOB: return value->text;
    case BR_INT: {
        int size = snprintf(number, BR_NUMBER_TEXT_MAX, "%" PRId64, value->i64);
        return br_text_make(number, (uint32_t)size);
    }
    case BR_REAL: return br_text_make(number, bridge->real_to_text(value->f64, number));
    default: return br_text_make("", 0);
    }
}

bool br_json_put_string(br_buffer *out, br_text text)
{
    static const char short_escapes[] = "--------btn-fr";
    bool is_built = br_buffer_append(out, "\"", 1);
    for (uint32_t i = 0; is_built && i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\')
            is_built = br_buffer_format(out, "\\%c", c);
        else if (c >= ' ')
            is_built = br_buffer_append(out, &text.data[i], 1);
        else if (c < sizeof short_escapes - 1 && short_escapes[c] != '-')
            is_built = br_buffer_format(out, "\\%c", short_escapes[c]);
        else
            is_built = br_buffer_format(out, "\\u%04x", c);
    }
    return is_built && br_buffer_append(out, "\"", 1);
}

bool br_json_put(br_buffer *out, const br_exec_bridge *bridge, const br_value *value, bool is_json)
{
    char number[BR_NUMBER_TEXT_MAX];
    if (value->class_ == BR_NULL) return br_buffer_append(out, "null", 4);
    br_text text = br_plain_text(bridge, value, number);
    if (value->class_ == BR_TEXT && !is_json) return br_json_put_string(out, text);
    return br_buffer_append(out, text.data, text.size);
}

bool br_json_put_key(br_buffer *out, const br_exec_bridge *bridge, const br_value *key)
{
    char number[BR_NUMBER_TEXT_MAX];
    if (key->class_ != BR_NULL && !br_json_put_string(out, br_plain_text(bridge, key, number)))
        return false;
    return br_buffer_append(out, ":", 1);
}

br_status br_json_check_value(const br_value *value, br_error *err)
{
    if (value->class_ != BR_BLOB) return BR_OK;
    return br_fail(err, BR_RUNTIME, "JSON cannot hold BLOB values");
}
