// error.h - how every fallible function reports failure.
//
// A fallible function returns br_status and takes `br_error *err` as its last parameter.
// One rule makes that cheap to use: whoever returns a status other than BR_OK has already
// filled *err, so callers pass the status up with BR_TRY and never invent a second message.
//
// Threads: a br_error belongs to one caller.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_ERROR_H
#define BR_BASE_ERROR_H

#include <stdint.h>

typedef enum br_status {
    BR_OK = 0,
    BR_NOMEM,        // an allocation failed or a memory quota is used up; the database is unharmed
    BR_IO,           // the operating system refused a read or a write
    BR_FULL,         // the disk is full
    BR_CORRUPT,      // bytes on disk are not what we wrote
    BR_MISUSE,       // the caller broke the documented contract
    BR_SQL,          // the SQL text is wrong: syntax, unknown name, wrong use; has sql_offset
    BR_RUNTIME,      // the statement failed while running: integer overflow, constraint, ...
    BR_BUSY,         // somebody else holds a lock for longer than the timeout
    BR_READONLY,     // a write to what may only be read
    BR_NOT_DATABASE, // the file is not a SQLite database
    BR_INTERRUPTED,  // braid_interrupt or a timeout stopped the statement
    BR_UNSUPPORTED,  // the columnar engine does not run this natively; the message is the reason
    BR_RETYPE,       // the data broke a typing assumption of the plan: plan again; router/ only
    BR_INTERNAL,     // an invariant broke; the database is read-only from here on
} br_status;

enum { BR_ERROR_MESSAGE_MAX = 512 };

typedef struct br_error {
    br_status status;
    int32_t sql_offset;                  // byte offset into the SQL text, -1 when not about text
    char message[BR_ERROR_MESSAGE_MAX];  // always NUL-terminated; lower case, no full stop
} br_error;

#define BR_CHECKED __attribute__((warn_unused_result))

// Fills *err (when not NULL) and returns `status`, so that failing is one statement.
br_status br_fail(br_error *err, br_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same for an error that has a place in the SQL text.
br_status br_fail_at(br_error *err, br_status status, uint32_t sql_offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define BR_TRY(call)                                  \
    do {                                              \
        br_status try_status_ = (call);               \
        if (try_status_ != BR_OK) return try_status_; \
    } while (0)

#endif
