// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FAILURES_SHOWN_MAX = 30, TEXT_SHOWN_MAX = 60, TIMEOUT_MS = 400 };

static double number(const braid_value *value)
{
    return value->type == BRAID_INTEGER ? (double)value->as.integer : value->as.real;
}

static bool is_number(const braid_value *value)
{
    return value->type == BRAID_INTEGER || value->type == BRAID_REAL;
}

static bool both_integers(const braid_value *left, const braid_value *right)
{
    return left->type == BRAID_INTEGER && right->type == BRAID_INTEGER;
}

static bool numbers_close(const braid_value *left, const braid_value *right)
{
    if (both_integers(left, right)) return left->as.integer == right->as.integer;
    double a = number(left), b = number(right);
    if (a == b || (isnan(a) && isnan(b))) return true;
    return fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b)) || fabs(a - b) < 1e-9 * 1e-3;
}

// Text without regard to case and to spaces at its end: what NOCASE and RTRIM may take for the
// same.
static int text_order_loose(braid_text left, braid_text right)
{
    while (left.size > 0 && left.data[left.size - 1] == ' ') left.size--;
    while (right.size > 0 && right.data[right.size - 1] == ' ') right.size--;
    uint32_t size = left.size < right.size ? left.size : right.size;
    int order = size == 0 ? 0 : strncasecmp(left.data, right.data, size);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static int text_order(braid_text left, braid_text right)
{
    uint32_t size = left.size < right.size ? left.size : right.size;
    int order = size == 0 ? 0 : memcmp(left.data, right.data, size);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static bool values_equal(const braid_value *left, const braid_value *right, bool approximate)
{
    if (approximate && is_number(left) && is_number(right)) return numbers_close(left, right);
    if (left->type != right->type) return false;
    if (left->type == BRAID_NULL) return true;
    if (left->type == BRAID_INTEGER) return left->as.integer == right->as.integer;
    if (left->type == BRAID_REAL) return memcmp(&left->as.real, &right->as.real, 8) == 0;
    if (approximate && left->type == BRAID_TEXT)
        return text_order_loose(left->as.text, right->as.text) == 0;
    return text_order(left->as.text, right->as.text) == 0;
}

// A total order that puts rows side by side that are to be compared. Approximately: numbers within
// the tolerance and text that a collation may take for the same are equal (all but always).
static int value_order(const braid_value *left, const braid_value *right, bool approximate)
{
    if (both_integers(left, right))
        return (left->as.integer > right->as.integer) - (left->as.integer < right->as.integer);
    if (is_number(left) && is_number(right)) {
        double a = number(left), b = number(right);
        double tolerance = approximate ? 1e-12 * fmax(fabs(a), fabs(b)) : 0;
        if (fabs(a - b) > tolerance) return a < b ? -1 : 1;
        if (approximate) return 0;
        if (left->type != right->type) return (int)left->type - (int)right->type;
        return memcmp(&left->as, &right->as, sizeof(int64_t)); // 0.0 and -0.0, large integers
    }
    if (left->type != right->type) return (int)left->type - (int)right->type;
    if (left->type == BRAID_NULL) return 0;
    if (approximate && left->type == BRAID_TEXT)
        return text_order_loose(left->as.text, right->as.text);
    return text_order(left->as.text, right->as.text);
}

typedef struct rows {
    braid_value *values;
    uint64_t row_count;
    uint32_t column_count;
    bool approximate;
} rows;

static int row_order(const void *left, const void *right, void *context)
{
    const rows *self = context;
    for (uint32_t i = 0; i < self->column_count; i++) {
        int order = value_order((const braid_value *)left + i, (const braid_value *)right + i,
                                self->approximate);
        if (order != 0) return order;
    }
    return 0;
}

static rows rows_of(const braid_result *result)
{
    rows self = {.row_count = braid_row_count(result),
                 .column_count = braid_column_count(result),
                 .approximate = false};
    self.values = malloc((self.row_count * self.column_count + 1) * sizeof *self.values);
    if (self.values == NULL) exit(2);
    for (uint64_t row = 0; row < self.row_count; row++) {
        for (uint32_t column = 0; column < self.column_count; column++)
            self.values[row * self.column_count + column] = braid_value_get(result, row, column);
    }
    return self;
}

static void rows_sort(rows *self)
{
    qsort_r(self->values, self->row_count, self->column_count * sizeof *self->values, row_order,
            self);
}

static void value_print(const braid_value *value, char *out, size_t size)
{
    static const char *const names[] = {"null", "integer", "real", "text", "blob"};
    int shown = (int)(value->as.text.size < TEXT_SHOWN_MAX ? value->as.text.size : TEXT_SHOWN_MAX);
    switch (value->type) {
    case BRAID_NULL:
        snprintf(out, size, "null");
        break;
    case BRAID_INTEGER:
        snprintf(out, size, "integer %" PRId64, value->as.integer);
        break;
    case BRAID_REAL:
        snprintf(out, size, "real %.17g", value->as.real);
        break;
    default:
        snprintf(out, size, "%s '%.*s' (%u)", names[value->type], shown,
                 value->as.text.data == NULL ? "" : value->as.text.data, value->as.text.size);
    }
}

static bool rows_differ(const rows *olap, const rows *oltp, bool approximate, char *message,
                        size_t size)
{
    if (olap->row_count != oltp->row_count || olap->column_count != oltp->column_count) {
        snprintf(message, size, "%" PRIu64 " rows, SQLite has %" PRIu64, olap->row_count,
                 oltp->row_count);
        return true;
    }
    for (uint64_t i = 0; i < olap->row_count * olap->column_count; i++) {
        if (values_equal(&olap->values[i], &oltp->values[i], approximate)) continue;
        char ours[200], theirs[200];
        value_print(&olap->values[i], ours, sizeof ours);
        value_print(&oltp->values[i], theirs, sizeof theirs);
        snprintf(message, size, "row %" PRIu64 " column %" PRIu64 ": %s, SQLite has %s",
                 i / olap->column_count + 1, i % olap->column_count + 1, ours, theirs);
        return true;
    }
    return false;
}

static braid_status run(braid *db, const char *sql, braid_engine engine, braid_result **result_out)
{
    braid_statement *statement = NULL;
    *result_out = NULL;
    braid_status status = braid_prepare(db, sql, &statement, NULL);
    if (status == BRAID_OK) {
        braid_statement_set_engine(statement, engine);
        braid_statement_set_timeout(statement, TIMEOUT_MS); // some random joins are huge
        status = braid_run(statement, result_out);
    }
    braid_statement_close(statement);
    return status;
}

static void report(compare_tally *tally, const char *message, const char *sql)
{
    if (++tally->failed <= FAILURES_SHOWN_MAX) printf("DIFFERENT: %s\n    %s\n", message, sql);
}

void compare_engines(braid *db, const char *sql, bool ordered, bool approximate,
                     compare_tally *tally)
{
    braid_result *olap, *oltp;
    char message[700];
    tally->queries++;
    braid_status oltp_status = run(db, sql, BRAID_ENGINE_OLTP, &oltp);
    snprintf(message, sizeof message, "%s", braid_error_message(db));
    // Whether a sum overflows on the way depends on the order of its rows.
    bool unsure = strstr(message, "integer overflow") != NULL;
    braid_status olap_status = run(db, sql, BRAID_ENGINE_OLAP, &olap);
    if (olap_status == BRAID_UNSUPPORTED || olap_status == BRAID_SQL) {
        tally->refused++;
        if (olap_status == BRAID_SQL && oltp_status == BRAID_OK)
            report(tally, braid_error_message(db), sql);
        else if (tally->verbose)
            printf("refused: %s\n    %s\n", braid_error_message(db), sql);
    } else if (olap_status == BRAID_INTERRUPTED || oltp_status == BRAID_INTERRUPTED) {
        tally->interrupted++;
    } else {
        tally->native++;
        unsure = unsure || strstr(braid_error_message(db), "integer overflow") != NULL;
        if ((olap_status == BRAID_OK) != (oltp_status == BRAID_OK)) {
            char both[1500];
            snprintf(both, sizeof both, "'%s', SQLite says '%s'", braid_error_message(db), message);
            if (!unsure) report(tally, both, sql);
        } else if (olap_status == BRAID_OK) {
            rows ours = rows_of(olap), theirs = rows_of(oltp);
            // In order, 0 and -0.0 may change places; sorted, every value must be there exactly.
            bool differs = ordered && rows_differ(&ours, &theirs, true, message, sizeof message);
            rows_sort(&ours);
            rows_sort(&theirs);
            if (!differs) differs = rows_differ(&ours, &theirs, false, message, sizeof message);
            if (differs && approximate && !ordered) {
                ours.approximate = theirs.approximate = true;
                rows_sort(&ours);
                rows_sort(&theirs);
                differs = rows_differ(&ours, &theirs, true, message, sizeof message);
            }
            if (differs) report(tally, message, sql);
            free(ours.values);
            free(theirs.values);
        }
    }
    braid_result_free(olap);
    braid_result_free(oltp);
}
