// function_json.c - json_extract(), -> and ->> of one constant path over TEXT.
//
// One scan proves the text to be JSON and finds the value; what comes out is a piece of the text.
// Whatever is not plain (text that is no JSON, escapes in a string to put out, keys with escapes,
// numbers of more than 18 digits, paths with [#-1]) is left to SQLite's own function, for that row.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "exec/implementations.h"

enum { STEPS_MAX = 16, DEPTH_MAX = 200 };  // deeper JSON goes to SQLite

typedef struct path_step {
    br_text key;     // of an object; data NULL: an index
    uint32_t index;  // of an array
} path_step;

typedef struct json_path {
    uint32_t step_count;
    path_step steps[STEPS_MAX];
    bool as_json;  // -> gives JSON, the others a value
} json_path;

// ---- paths -----------------------------------------------------------------------------------

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool add_key(json_path *path, const char *data, uint32_t size)
{
    if (path->step_count == STEPS_MAX || size == 0) return false;
    path->steps[path->step_count++] = (path_step){.key = br_text_make(data, size)};
    return true;
}

static bool add_index(json_path *path, const char *digits, uint32_t size)
{
    if (path->step_count == STEPS_MAX || size == 0 || size > 8) return false;
    path_step *step = &path->steps[path->step_count++];
    *step = (path_step){0};
    for (uint32_t i = 0; i < size; i++)
        step->index = step->index * 10 + (uint32_t)(digits[i] - '0');
    return true;
}

// $ and any number of .key ."key" [index]
static bool parse_steps(json_path *path, const char *at, const char *end)
{
    while (at < end) {
        char kind = *at++;
        const char *from = at;
        if (kind == '[') {
            while (at < end && is_digit(*at)) at++;
            if (at == end || *at != ']' || !add_index(path, from, (uint32_t)(at - from)))
                return false;
            at++;
        } else if (kind == '.' && at < end && *at == '"') {
            from = ++at;
            while (at < end && (is_word(*at) || *at == ' ')) at++;
            if (at == end || *at != '"' || !add_key(path, from, (uint32_t)(at - from)))
                return false;
            at++;
        } else if (kind == '.') {
            while (at < end && is_word(*at)) at++;
            if (!add_key(path, from, (uint32_t)(at - from))) return false;
        } else {
            return false;
        }
    }
    return true;
}

// The right side of -> and ->> may also be a key or an index alone.
static bool parse_path(json_path *path, const br_value *value, bool is_operator)
{
    *path = (json_path){0};
    if (value->class_ == BR_INT && is_operator && value->i64 >= 0 && value->i64 < 10000000) {
        path->steps[path->step_count++] = (path_step){.index = (uint32_t)value->i64};
        return true;
    }
    if (value->class_ != BR_TEXT || value->text.size == 0) return false;
    const char *text = value->text.data, *end = text + value->text.size;
    if (*text == '$') return parse_steps(path, text + 1, end);
    if (!is_operator || is_digit(*text)) return false;
    for (const char *at = text; at < end; at++) {
        if (!is_word(*at)) return false;
    }
    return add_key(path, text, value->text.size);
}

br_status br_prepare_json(br_node *node, br_arena *arena, br_error *err)
{
    bool is_operator = node->function_name[0] == '-';
    if (node->arg_count != 2 || node->args[1]->kind != BR_EXPR_CONST) return BR_OK;
    json_path *path = BR_ALLOC(arena, json_path, 1);
    if (path == NULL) return br_evaluate_no_memory(err);
    if (!parse_path(path, &node->args[1]->value, is_operator)) return BR_OK;
    path->as_json = strcmp(node->function_name, "->") == 0;
    node->detail = path;
    return BR_OK;
}

// ---- scanning --------------------------------------------------------------------------------

typedef struct scanner {
    const char *at, *end;
    const json_path *path;
    uint32_t depth;
    const char *found, *found_end;  // the value the path leads to
} scanner;

// The scan functions return false for what is better left to SQLite. `step` is how many steps of
// the path led here; nowhere: the value is not on the path.
static const uint32_t nowhere = UINT32_MAX;

static bool scan_value(scanner *self, uint32_t step);

static void skip_space(scanner *self)
{
    while (self->at < self->end &&
           (*self->at == ' ' || *self->at == '\n' || *self->at == '\r' || *self->at == '\t'))
        self->at++;
}

static bool scan_char(scanner *self, char c)
{
    skip_space(self);
    if (self->at == self->end || *self->at != c) return false;
    self->at++;
    return true;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_escape(scanner *self)
{
    static const char letters[] = "\"\\/bfnrt";
    if (self->at == self->end) return false;
    char c = *self->at++;
    if (c != 'u') return memchr(letters, c, sizeof letters - 1) != NULL;
    for (uint32_t i = 0; i < 4; i++) {
        if (self->at == self->end || !is_hex(*self->at++)) return false;
    }
    return true;
}

// Behind the first quote.
static bool scan_string(scanner *self, bool *has_escape_out)
{
    *has_escape_out = false;
    while (self->at < self->end) {
        unsigned char c = (unsigned char)*self->at++;
        if (c == '"') return true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        *has_escape_out = true;
        if (!scan_escape(self)) return false;
    }
    return false;
}

static bool scan_digits(scanner *self)
{
    const char *from = self->at;
    while (self->at < self->end && is_digit(*self->at)) self->at++;
    return self->at > from;
}

static bool scan_number(scanner *self)
{
    if (*self->at == '-') self->at++;
    const char *first = self->at;
    if (!scan_digits(self) || (*first == '0' && self->at - first > 1)) return false;
    if (self->at < self->end && *self->at == '.') {
        self->at++;
        if (!scan_digits(self)) return false;
    }
    if (self->at < self->end && (*self->at == 'e' || *self->at == 'E')) {
        self->at++;
        if (self->at < self->end && (*self->at == '+' || *self->at == '-')) self->at++;
        if (!scan_digits(self)) return false;
    }
    return true;
}

static bool scan_word(scanner *self, const char *word, uint32_t size)
{
    if ((size_t)(self->end - self->at) < size || memcmp(self->at, word, size) != 0) return false;
    self->at += size;
    return self->at == self->end || !is_word(*self->at);
}

static bool scan_object(scanner *self, uint32_t step)
{
    const json_path *path = self->path;
    bool wants = step < path->step_count && path->steps[step].key.data != NULL, is_first = true;
    if (scan_char(self, '}')) return true;
    do {
        bool has_escape;
        if (!scan_char(self, '"')) return false;
        const char *key = self->at;
        if (!scan_string(self, &has_escape)) return false;
        size_t size = (size_t)(self->at - key) - 1;
        // SQLite compares keys as they are written, and takes the first.
        bool matches = wants && is_first && !has_escape && size == path->steps[step].key.size &&
                       memcmp(key, path->steps[step].key.data, size) == 0;
        if (wants && has_escape) return false;
        if (matches) is_first = false;
        if (!scan_char(self, ':') || !scan_value(self, matches ? step + 1 : nowhere)) return false;
    } while (scan_char(self, ','));
    return scan_char(self, '}');
}

static bool scan_array(scanner *self, uint32_t step)
{
    const json_path *path = self->path;
    bool wants = step < path->step_count && path->steps[step].key.data == NULL;
    uint32_t index = 0;
    if (scan_char(self, ']')) return true;
    do {
        bool matches = wants && index == path->steps[step].index;
        if (!scan_value(self, matches ? step + 1 : nowhere)) return false;
        index++;
    } while (scan_char(self, ','));
    return scan_char(self, ']');
}

static bool scan_inside(scanner *self, uint32_t step)
{
    bool has_escape;
    switch (*self->at) {
    case '{':
        self->at++;
        return scan_object(self, step);
    case '[':
        self->at++;
        return scan_array(self, step);
    case '"':
        self->at++;
        return scan_string(self, &has_escape);
    case 't': return scan_word(self, "true", 4);
    case 'f': return scan_word(self, "false", 5);
    case 'n': return scan_word(self, "null", 4);
    default: return (*self->at == '-' || is_digit(*self->at)) && scan_number(self);
    }
}

static bool scan_value(scanner *self, uint32_t step)
{
    skip_space(self);
    if (self->at == self->end || self->depth >= DEPTH_MAX) return false;
    const char *from = self->at;
    self->depth++;
    bool is_json = scan_inside(self, step);
    self->depth--;
    if (is_json && step == self->path->step_count) {
        self->found = from;
        self->found_end = self->at;
    }
    return is_json;
}

// ---- values ----------------------------------------------------------------------------------

// The text without white space between its parts, as SQLite prints JSON.
static bool minify(br_text text, br_arena *arena, br_value *out)
{
    char *bytes = br_arena_alloc(arena, text.size, 1);
    if (bytes == NULL) return false;
    uint32_t size = 0;
    bool in_string = false;
    for (uint32_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
        bytes[size++] = c;
        if (c == '"') in_string = !in_string;
        if (in_string && c == '\\') bytes[size++] = text.data[++i];
    }
    *out = br_value_text(br_text_make(bytes, size));
    return true;
}

static bool number_value(br_text text, br_value *out)
{
    enum { SURE_DIGITS = 18 };
    bool is_real = memchr(text.data, '.', text.size) != NULL ||
                   memchr(text.data, 'e', text.size) != NULL ||
                   memchr(text.data, 'E', text.size) != NULL;
    int64_t integer;
    double real;
    if (is_real) {
        br_text_to_real(text, &real);
        *out = br_value_real(real);
        return true;
    }
    if (text.size > SURE_DIGITS || br_text_to_int(text, &integer) != 0) return false;
    *out = br_value_int(integer);
    return true;
}

static bool found_value(br_text text, bool as_json, br_arena *arena, br_value *out)
{
    char first = text.data[0];
    if (first == '{' || first == '[') return minify(text, arena, out);
    if (as_json) {
        *out = br_value_text(text);
        return true;
    }
    switch (first) {
    case 'n': *out = br_value_null(); return true;
    case 't': *out = br_value_int(1); return true;
    case 'f': *out = br_value_int(0); return true;
    case '"':
        if (memchr(text.data, '\\', text.size) != NULL) return false;
        *out = br_value_text(br_text_make(text.data + 1, text.size - 2));
        return true;
    default: return number_value(text, out);
    }
}

br_status br_row_json(const br_row_context *context, const br_value *args, br_value *out,
                      br_error *err)
{
    const br_node *node = context->node;
    const json_path *path = node->detail;
    *out = br_value_null();
    if (args[0].class_ == BR_NULL) return BR_OK;
    if (path != NULL && args[0].class_ == BR_TEXT && args[0].text.size > 0) {
        scanner self = {
            .at = args[0].text.data, .end = args[0].text.data + args[0].text.size, .path = path};
        bool is_json = scan_value(&self, 0);
        skip_space(&self);
        if (is_json && self.at == self.end) {
            if (self.found == NULL) return BR_OK;
            br_text text = br_text_make(self.found, (uint32_t)(self.found_end - self.found));
            if (found_value(text, path->as_json, context->arena, out)) return BR_OK;
        }
    }
    return br_bridge_call(context, node->function_name, args, node->arg_count, out, err);
}
