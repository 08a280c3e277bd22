// date_trunc(unit, time), for statements that run in SQLite; the same code as the columnar
// engine's. NULL for a NULL argument and for what is no time.
// SPDX-License-Identifier: Apache-2.0
#include "base/date_trunc.h"

#include "oltp/handle.h"

static br_text text_argument(sqlite3_value *value)
{
    const unsigned char *bytes = sqlite3_value_text(value);
    return br_text_make(bytes == NULL ? (const void *)"" : bytes,
                        (uint32_t)sqlite3_value_bytes(value));
}

static void date_trunc(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    br_date_unit unit;
    br_error err;
    char text[BR_DATE_TRUNC_BYTES];
    uint32_t size;
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL ||
        sqlite3_value_type(arguments[1]) == SQLITE_NULL)
        return;
    if (br_date_unit_parse(text_argument(arguments[0]), &unit, &err) != BR_OK) {
        sqlite3_result_error(context, err.message, -1);
        return;
    }
    if (br_date_trunc(unit, text_argument(arguments[1]), text, &size))
        sqlite3_result_text(context, text, (int)size, SQLITE_TRANSIENT);
}

int br_oltp_add_date_functions(sqlite3 *handle)
{
    return sqlite3_create_function_v2(handle, "date_trunc", 2,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      date_trunc, NULL, NULL, NULL);
}
