// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static void memory_ended(size_t size_bytes)
{
    fprintf(stderr, "braid: out of memory (%zu bytes wanted)\n", size_bytes);
    exit(1);
}

void *cli_reallocate(void *memory, size_t size_bytes)
{
    void *grown = realloc(memory, size_bytes == 0 ? 1 : size_bytes);
    if (grown == NULL) memory_ended(size_bytes);
    return grown;
}

void *cli_allocate(size_t size_bytes)
{
    void *memory = cli_reallocate(NULL, size_bytes);
    memset(memory, 0, size_bytes);
    return memory;
}

char *cli_copy_text(const char *text, size_t size_bytes)
{
    char *copy = cli_reallocate(NULL, size_bytes + 1);
    if (size_bytes > 0) memcpy(copy, text, size_bytes);
    copy[size_bytes] = '\0';
    return copy;
}

// ---- growing text ------------------------------------------------------------------------------

void cli_text_release(cli_text *text)
{
    free(text->data);
    *text = (cli_text){0};
}

void cli_text_reset(cli_text *text)
{
    text->size = 0;
    if (text->data != NULL) text->data[0] = '\0';
}

void cli_text_reserve(cli_text *text, size_t more_bytes)
{
    size_t needed = text->size + more_bytes + 1;
    if (needed <= text->capacity) return;
    size_t capacity = text->capacity == 0 ? 256 : text->capacity;
    while (capacity < needed) capacity *= 2;
    text->data = cli_reallocate(text->data, capacity);
    text->capacity = capacity;
}

void cli_text_append(cli_text *text, const void *bytes, size_t size)
{
    cli_text_reserve(text, size);
    if (size > 0) memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void cli_text_add(cli_text *text, const char *string)
{
    cli_text_append(text, string, strlen(string));
}

void cli_text_byte(cli_text *text, char byte)
{
    cli_text_append(text, &byte, 1);
}

void cli_text_repeat(cli_text *text, char byte, size_t count)
{
    cli_text_reserve(text, count);
    memset(text->data + text->size, byte, count);
    text->size += count;
    text->data[text->size] = '\0';
}

void cli_text_format(cli_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) return;
    cli_text_reserve(text, (size_t)size);
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)size;
}

void cli_text_flush(cli_text *text, FILE *file)
{
    if (text->size > 0) fwrite(text->data, 1, text->size, file);  // callers look at ferror
    cli_text_reset(text);
}

void cli_text_add_name(cli_text *text, const char *name)
{
    cli_text_byte(text, '"');
    for (const char *byte = name; *byte != '\0'; byte++) {
        if (*byte == '"') cli_text_byte(text, '"');
        cli_text_byte(text, *byte);
    }
    cli_text_byte(text, '"');
}

// ---- numbers -----------------------------------------------------------------------------------

size_t cli_integer_text(int64_t value, char text_out[CLI_NUMBER_MAX])
{
    char reversed[CLI_NUMBER_MAX];
    size_t count = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        reversed[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    size_t size = 0;
    if (value < 0) text_out[size++] = '-';
    while (count > 0) text_out[size++] = reversed[--count];
    text_out[size] = '\0';
    return size;
}

void cli_text_add_count(cli_text *text, double number)
{
    char digits[CLI_NUMBER_MAX];
    size_t size = cli_integer_text((int64_t)number, digits);
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0 && digits[i - 1] != '-') cli_text_byte(text, ',');
        cli_text_byte(text, digits[i]);
    }
}

// Fewest digits first. Fifteen always suffice for what was written with fifteen or fewer, and %g
// drops zeros at the end, so only numbers too small to have full precision begin below.
static void real_digits(double value, char text_out[CLI_NUMBER_MAX])
{
    int first = fabs(value) < 2.2250738585072014e-308 ? 1 : 15;
    for (int digits = first; digits <= 17; digits++) {
        snprintf(text_out, CLI_NUMBER_MAX, "%.*g", digits, value);
        if (strtod(text_out, NULL) == value) return;
    }
}

size_t cli_real_text(double value, char text_out[CLI_NUMBER_MAX])
{
    if (isinf(value)) {
        return (size_t)snprintf(text_out, CLI_NUMBER_MAX, "%s", value < 0 ? "-1e999" : "1e999");
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value && !(value == 0 && signbit(value))) {
        size_t size = cli_integer_text((int64_t)value, text_out);
        memcpy(text_out + size, ".0", 3);
        return size + 2;
    }
    real_digits(value, text_out);
    size_t size = strlen(text_out);
    if (strpbrk(text_out, ".en") == NULL) {
        memcpy(text_out + size, ".0", 3);
        size += 2;
    }
    return size;
}

// ---- UTF-8 -------------------------------------------------------------------------------------

uint32_t cli_code_point(const char *text, size_t size, size_t *size_out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};  // by size: no long forms
    const unsigned char *bytes = (const unsigned char *)text;
    *size_out = 1;
    if (bytes[0] < 0x80) return bytes[0];
    size_t needed = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || needed > size) return 0xfffd;
    uint32_t code = bytes[0] & (0xffu >> (needed + 1));
    for (size_t i = 1; i < needed; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0xfffd;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < smallest[needed] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0xfffd;
    *size_out = needed;
    return code;
}

size_t cli_text_width(const char *text, size_t size)
{
    size_t width = 0;
    for (size_t at = 0; at < size;) {
        size_t bytes;
        uint32_t code = cli_code_point(text + at, size - at, &bytes);
        int columns = code < 0x80 ? 1 : wcwidth((wchar_t)code);
        width += columns < 0 ? 1 : (size_t)columns;
        at += bytes;
    }
    return width;
}

// ---- files -------------------------------------------------------------------------------------

char *cli_read_file(const char *path, size_t *size_out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "braid: cannot open '%s': %s\n", path, strerror(errno));
        return NULL;
    }
    cli_text text = {0};
    size_t count;
    do {
        cli_text_reserve(&text, 65536);
        count = fread(text.data + text.size, 1, 65536, file);
        text.size += count;
    } while (count > 0);
    text.data[text.size] = '\0';
    bool failed = ferror(file) != 0;
    if (failed && errno != EINTR)
        fprintf(stderr, "braid: cannot read '%s': %s\n", path, strerror(errno));
    if (!is_stdin) fclose(file);
    if (failed) cli_text_release(&text);
    *size_out = text.size;
    return text.data;
}
