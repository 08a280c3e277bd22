// error.c - filling in a br_error.
// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

__attribute__((format(printf, 4, 0))) static br_status
fill(br_error *err, br_status status, int32_t sql_offset, const char *format, va_list arguments)
{
    if (err == NULL) return status;
    err->status = status;
    err->sql_offset = sql_offset;
    if (vsnprintf(err->message, sizeof err->message, format, arguments) < 0) err->message[0] = 0;
    return status;
}

br_status br_fail(br_error *err, br_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, status, -1, format, arguments);
    va_end(arguments);
    return status;
}

br_status br_fail_at(br_error *err, br_status status, uint32_t sql_offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(err, status, (int32_t)sql_offset, format, arguments);
    va_end(arguments);
    return status;
}
