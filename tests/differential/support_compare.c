// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_SHOWN_MAX = 60, TIMEOUT_MS = 150 };

typedef enum strictness { STRICT_EXACT, STRICT_EQUAL, STRICT_CLOSE } strictness;

static bool is_number(const braid_value *value)
{
    return value->type == BRAID_INTEGER || value->type == BRAID_REAL;
}

// Wide enough for every INTEGER and every REAL.
static long double number(const braid_value *value)
{
    return value->type == BRAID_INTEGER ? (long double)value->as.integer
                                        : (long double)value->as.real;
}

static bool both_integers(const braid_value *left, const braid_value *right)
{
    return left->type == BRAID_INTEGER && right->type == BRAID_INTEGER;
}

static bool numbers_close(const braid_value *left, const braid_value *right, strictness how)
{
    if (both_integers(left, right)) return left->as.integer == right->as.integer;
    long double a = number(left), b = number(right);
    if (a == b || (isnan(a) && isnan(b))) return true;
    if (how == STRICT_EQUAL) return false;
    return fabsl(a - b) <= 1e-12L * fmaxl(fabsl(a), fabsl(b)) || fabsl(a - b) < 1e-12L;
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

static bool values_equal(const braid_value *left, const braid_value *right, strictness how)
{
    if (how != STRICT_EXACT && is_number(left) && is_number(right))
        return numbers_close(left, right, how);
    if (left->type != right->type) return false;
    if (left->type == BRAID_NULL) return true;
    if (left->type == BRAID_INTEGER) return left->as.integer == right->as.integer;
    if (left->type == BRAID_REAL) return memcmp(&left->as.real, &right->as.real, 8) == 0;
    if (how != STRICT_EXACT && left->type == BRAID_TEXT)
        return text_order_loose(left->as.text, right->as.text) == 0;
    return text_order(left->as.text, right->as.text) == 0;
}

// A total order that puts rows side by side that are to be compared. Approximately: numbers within
// the tolerance and text that a collation may take for the same are equal (all but always).
static int value_order(const braid_value *left, const braid_value *right, strictness how)
{
    if (both_integers(left, right))
        return (left->as.integer > right->as.integer) - (left->as.integer < right->as.integer);
    if (is_number(left) && is_number(right)) {
        long double a = number(left), b = number(right);
        long double tolerance = how == STRICT_CLOSE ? 1e-12L * fmaxl(fabsl(a), fabsl(b)) : 0;
        if (a != b && !(fabsl(a - b) <= tolerance)) return a < b ? -1 : 1;
        if (how != STRICT_EXACT) return 0;
        if (left->type != right->type) return (int)left->type - (int)right->type;
        return memcmp(&left->as, &right->as, sizeof(int64_t)); // 0.0 and -0.0
    }
    if (left->type != right->type) return (int)left->type - (int)right->type;
    if (left->type == BRAID_NULL) return 0;
    if (how != STRICT_EXACT && left->type == BRAID_TEXT)
        return text_order_loose(left->as.text, right->as.text);
    return text_order(left->as.text, right->as.text);
}

typedef struct rows {
    braid_value *values;
    uint64_t row_count;
    uint32_t column_count;
    strictness how; // of the sorting
} rows;

static int row_order(const void *left, const void *right, void *context)
{
    const rows *self = context;
    for (uint32_t i = 0; i < self->column_count; i++) {
        int order = value_order((const braid_value *)left + i, (const braid_value *)right + i,
                                self->how);
        if (order != 0) return order;
    }
    return 0;
}

static rows rows_of(const braid_result *result)
{
    rows self = {.row_count = braid_row_count(result),
                 .column_count = braid_column_count(result)};
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

static bool rows_differ(const rows *olap, const rows *oltp, strictness how, char *message,
                        size_t size)
{
    if (olap->row_count != oltp->row_count || olap->column_count != oltp->column_count) {
        snprintf(message, size, "%" PRIu64 " rows, SQLite has %" PRIu64, olap->row_count,
                 oltp->row_count);
        return true;
    }
    for (uint64_t i = 0; i < olap->row_count * olap->column_count; i++) {
        if (values_equal(&olap->values[i], &oltp->values[i], how)) continue;
        char ours[200], theirs[200];
        value_print(&olap->values[i], ours, sizeof ours);
        value_print(&oltp->values[i], theirs, sizeof theirs);
        snprintf(message, size, "row %" PRIu64 " column %" PRIu64 ": %s, SQLite has %s",
                 i / olap->column_count + 1, i % olap->column_count + 1, ours, theirs);
        return true;
    }
    return false;
}

// ---- running -----------------------------------------------------------------------------------

// ?1 to ?5 as world_parameters has them.
static void bind(braid_statement *statement)
{
    uint32_t count = braid_parameter_count(statement);
    if (count > 0) (void)braid_bind_int64(statement, 1, 5);
    if (count > 1) (void)braid_bind_text(statement, 2, "a", 1);
    if (count > 2) (void)braid_bind_double(statement, 3, 2.5);
    if (count > 3) (void)braid_bind_null(statement, 4);
    if (count > 4) (void)braid_bind_blob(statement, 5, "\0\x12", 2);
}

braid_status compare_run(const compare_side *side, braid_result **result_out)
{
    braid_statement *statement = NULL;
    *result_out = NULL;
    braid_status status = braid_prepare(side->db, side->sql, &statement, NULL);
    if (status == BRAID_OK) {
        bind(statement);
        braid_statement_set_engine(statement, side->engine);
        braid_statement_set_timeout(statement, TIMEOUT_MS); // some random joins are huge
        status = braid_run(statement, result_out);
    }
    braid_statement_close(statement);
    return status;
}

// Whether a sum overflows on the way depends on the order of its rows; which of two conditions is
// asked first, and may fail, is open as well.
static bool depends_on_order(const char *message)
{
    return strstr(message, "integer overflow") != NULL || strstr(message, "JSON") != NULL;
}

// What SQLite's planner refuses though it is right: docs/testing.md.
static bool is_refused_wrongly(const char *message)
{
    return strstr(message, "ON clause references tables to its right") != NULL ||
           strstr(message, "generate_series()\" missing or unusable") != NULL;
}

compare_outcome compare_statuses(braid_status olap, const char *olap_message, braid_status oltp,
                                 const char *oltp_message, char *message_out, size_t message_size)
{
    snprintf(message_out, message_size, "'%s', SQLite says '%s'", olap_message, oltp_message);
    bool gave_up = olap == BRAID_INTERRUPTED || olap == BRAID_NOMEM;
    if (gave_up || oltp == BRAID_INTERRUPTED || oltp == BRAID_NOMEM) return COMPARE_INTERRUPTED;
    if (oltp == BRAID_SQL)
        return olap == BRAID_OK && !is_refused_wrongly(oltp_message) ? COMPARE_DIFFERENT
                                                                  : COMPARE_INVALID;
    if (olap == BRAID_UNSUPPORTED) {
        snprintf(message_out, message_size, "%s", olap_message);
        return COMPARE_REFUSED;
    }
    if ((olap == BRAID_OK) == (oltp == BRAID_OK)) return COMPARE_SAME;
    return depends_on_order(olap_message) || depends_on_order(oltp_message) ? COMPARE_OPEN
                                                                            : COMPARE_DIFFERENT;
}

compare_outcome compare_results(const braid_result *left, const braid_result *right,
                                const compare_query *query, char *message_out, size_t message_size)
{
    rows ours = rows_of(left), theirs = rows_of(right);
    // In order, 0 and -0.0 may change places; sorted, every value must be there exactly.
    bool differs =
        query->ordered && rows_differ(&ours, &theirs, STRICT_CLOSE, message_out, message_size);
    rows_sort(&ours);
    rows_sort(&theirs);
    if (!differs) differs = rows_differ(&ours, &theirs, STRICT_EXACT, message_out, message_size);
    if (differs && (query->approximate || query->equal) && !query->ordered) {
        strictness how = query->approximate ? STRICT_CLOSE : STRICT_EQUAL;
        ours.how = theirs.how = how;
        rows_sort(&ours);
        rows_sort(&theirs);
        differs = rows_differ(&ours, &theirs, how, message_out, message_size);
    }
    free(ours.values);
    free(theirs.values);
    return differs ? COMPARE_DIFFERENT : COMPARE_SAME;
}

compare_outcome compare_engines(braid *db, const compare_query *query, char *message_out,
                                size_t message_size)
{
    braid_result *olap, *oltp;
    char olap_message[300], oltp_message[300];
    compare_side side = {.db = db, .sql = query->sql, .engine = BRAID_ENGINE_OLAP};
    braid_status olap_status = compare_run(&side, &olap);
    snprintf(olap_message, sizeof olap_message, "%s", braid_error_message(db));
    braid_status oltp_status = BRAID_OK;
    oltp = NULL;
    side.engine = BRAID_ENGINE_OLTP;
    if (olap_status != BRAID_INTERRUPTED) oltp_status = compare_run(&side, &oltp);
    snprintf(oltp_message, sizeof oltp_message, "%s", braid_error_message(db));
    compare_outcome outcome = compare_statuses(olap_status, olap_message, oltp_status, oltp_message,
                                               message_out, message_size);
    if (outcome == COMPARE_SAME && olap_status == BRAID_OK)
        outcome = compare_results(olap, oltp, query, message_out, message_size);
    braid_result_free(olap);
    braid_result_free(oltp);
    return outcome;
}

compare_outcome compare_sides(const compare_side *left, const compare_side *right,
                              const compare_query *how, char *message_out, size_t message_size)
{
    braid_result *ours, *theirs;
    char left_message[300];
    braid_status left_status = compare_run(left, &ours);
    snprintf(left_message, sizeof left_message, "%s", braid_error_message(left->db));
    braid_status right_status = compare_run(right, &theirs);
    compare_outcome outcome =
        compare_statuses(left_status, left_message, right_status, braid_error_message(right->db),
                         message_out, message_size);
    if (right_status == BRAID_UNSUPPORTED) outcome = COMPARE_REFUSED;
    if (outcome == COMPARE_SAME && left_status == BRAID_OK)
        outcome = compare_results(ours, theirs, how, message_out, message_size);
    braid_result_free(ours);
    braid_result_free(theirs);
    return outcome;
}

// ---- counting ----------------------------------------------------------------------------------

void tally_add(compare_tally *self, compare_outcome outcome, const char *message)
{
    self->queries++;
    self->outcomes[outcome]++;
    if (outcome != COMPARE_REFUSED) return;
    uint32_t i = 0;
    while (i < self->reason_count &&
           strncmp(self->reasons[i].text, message, sizeof self->reasons[i].text - 1) != 0)
        i++;
    if (i == COMPARE_REASONS_MAX) return;
    if (i == self->reason_count) {
        snprintf(self->reasons[i].text, sizeof self->reasons[i].text, "%s", message);
        self->reason_count++;
    }
    self->reasons[i].count++;
}

void tally_print(const compare_tally *self)
{
    const uint64_t *outcomes = self->outcomes;
    for (uint32_t i = 0; i < self->reason_count; i++)
        printf("refused %6" PRIu64 ": %s\n", self->reasons[i].count, self->reasons[i].text);
    printf("%" PRIu64 " queries: %" PRIu64 " the same, %" PRIu64 " refused, %" PRIu64
           " invalid, %" PRIu64 " too long, %" PRIu64 " open, %" PRIu64 " different\n",
           self->queries, outcomes[COMPARE_SAME], outcomes[COMPARE_REFUSED],
           outcomes[COMPARE_INVALID], outcomes[COMPARE_INTERRUPTED], outcomes[COMPARE_OPEN],
           outcomes[COMPARE_DIFFERENT]);
}
