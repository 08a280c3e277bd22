// SPDX-License-Identifier: Apache-2.0
#include "json_reader.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

// Behind the string whose opening quote is at `at`.
static const char *string_end(const char *at)
{
    for (at++; *at != '\0' && *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0') at++;
    }
    return *at == '"' ? at + 1 : at;
}

static const char *value_end(const char *at)
{
    uint32_t depth = 0;
    do {
        if (*at == '"') {
            at = string_end(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0) return at;
            depth--;
            at++;
        } else if (depth == 0) {
            return at + strcspn(at, ",]} \t\r\n");
        } else if (*at != '\0') {
            at++;
        }
    } while (depth > 0 && *at != '\0');
    return at;
}

const char *cli_json_member(const char *object, const char *name)
{
    size_t size = strlen(name);
    if (object == NULL || *object != '{') return NULL;
    for (const char *at = skip_space(object + 1); *at == '"'; at = skip_space(at)) {
        const char *end = string_end(at);
        bool is_it = (size_t)(end - at) == size + 2 && memcmp(at + 1, name, size) == 0;
        const char *value = skip_space(end);
        if (*value != ':') return NULL;
        value = skip_space(value + 1);
        if (is_it) return value;
        at = skip_space(value_end(value));
        if (*at == ',') at++;
    }
    return NULL;
}

const char *cli_json_first(const char *array)
{
    if (array == NULL || *array != '[') return NULL;
    const char *at = skip_space(array + 1);
    return *at == ']' || *at == '\0' ? NULL : at;
}

const char *cli_json_next(const char *element)
{
    const char *at = skip_space(value_end(element));
    return *at == ',' ? skip_space(at + 1) : NULL;
}

bool cli_json_true(const char *value)
{
    return value != NULL && strncmp(value, "true", 4) == 0;
}

double cli_json_number(const char *value)
{
    return value == NULL ? 0 : strtod(value, NULL);
}

// The escapes that our own writer makes; \u only below 0x80, others are shown as they are.
bool cli_json_string(const char *value, cli_text *text_out)
{
    if (value == NULL || *value != '"') return false;
    const char *end = string_end(value) - 1;
    for (const char *at = value + 1; at < end; at++) {
        if (*at != '\\') {
            cli_text_byte(text_out, *at);
        } else if (*++at == 'u' && end - at > 4) {
            char digits[5] = {at[1], at[2], at[3], at[4], '\0'};
            unsigned long code = strtoul(digits, NULL, 16);
            if (code < 0x80) cli_text_byte(text_out, (char)code);
            else cli_text_format(text_out, "\\u%s", digits);
            at += 4;
        } else {
            static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
            const char *known = strchr(from, *at);
            cli_text_byte(text_out, known == NULL ? *at : to[known - from]);
        }
    }
    return true;
}

void cli_json_indent(const char *json, cli_text *text_out)
{
    size_t depth = 0;
    for (const char *at = skip_space(json); *at != '\0'; at = skip_space(at)) {
        if (*at == '"') {
            const char *end = string_end(at);
            cli_text_append(text_out, at, (size_t)(end - at));
            at = end;
            continue;
        }
        char byte = *at++;
        bool opens = byte == '{' || byte == '[', closes = byte == '}' || byte == ']';
        bool is_empty = opens && strchr("]}", *skip_space(at)) != NULL;
        if (closes && depth > 0) {
            cli_text_byte(text_out, '\n');
            cli_text_repeat(text_out, ' ', --depth * 2);
        }
        cli_text_byte(text_out, byte);
        if (is_empty) {
            at = skip_space(at);
            if (*at != '\0') cli_text_byte(text_out, *at++);
        } else if (opens || byte == ',') {
            depth += opens;
            cli_text_byte(text_out, '\n');
            cli_text_repeat(text_out, ' ', depth * 2);
        } else if (byte == ':') {
            cli_text_byte(text_out, ' ');
        }
    }
    cli_text_byte(text_out, '\n');
}
