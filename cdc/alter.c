// alter.c - taking ALTER TABLE over without reading the table again.
//
// The triggers of a table tell that it is the same one, and the log what has changed in it, but not
// which of its columns are those of the copy: names can be exchanged, and a column that is dropped
// and added again under the same definition leaves no trace in the schema. Two facts of SQLite
// decide: columns are added at the end only, so those that were there before, the *survivors*, come
// before added ones; and a row that nobody has written to since a column was added has the column's
// default in it.
//
//   By count   Each change moves the schema cookie by one at least. When it has moved by exactly
//              the difference in the number of columns, they were all added, or all dropped (and
//              then their names tell which). When it has moved by one and the number is the
//              same, no column was dropped and added.
//   By proof   A row that was not written to since the copy was made (it is not in the log) and has
//              another value than the default in column n - 1 shows that this column has survived,
//              hence all before it have, and these are all the columns that the copy has.
//
// What neither decides is read again, that table alone. SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "cdc/state.h"

enum {
    // A longer default is not worth keeping with each segment.
    DEFAULT_BYTES_MAX = 1 << 16,
};

// ---- which columns are which ----------------------------------------------------------------

static bool is_same_text(const char *left, const char *right)
{
    if (left == NULL || right == NULL) return left == right;
    return strcmp(left, right) == 0;
}

// Its values are read alike: all but its name and constraints.
static bool is_same_column(const br_schema_column *left, const br_schema_column *right)
{
    return is_same_text(left->declared_type, right->declared_type) &&
           is_same_text(left->default_value, right->default_value) &&
           is_same_text(left->collation, right->collation) && left->affinity == right->affinity &&
           left->key_position == right->key_position;
}

static bool has_generated(const br_schema_table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].is_generated) return true;
    }
    return false;
}

// Which columns of `before` are those of `after`, if none was added: by their names.
static bool map_dropped(const br_schema_table *before, const br_schema_table *after, uint32_t *from)
{
    uint32_t old = 0;
    for (uint32_t i = 0; i < after->column_count; i++) {
        while (old < before->column_count &&
               strcmp(before->columns[old].name, after->columns[i].name) != 0)
            old++;
        if (old == before->column_count) return false;
        from[i] = old++;
    }
    return true;
}

static bool are_same_columns(const br_schema_table *before, const br_schema_table *after,
                             const uint32_t *from)
{
    for (uint32_t i = 0; i < after->column_count; i++) {
        if (from[i] == BR_COLUMN_ABSENT) continue;
        if (!is_same_column(&before->columns[from[i]], &after->columns[i])) return false;
    }
    return true;
}

// A column that cannot be dropped, or added later, needs no proof; nor do those before it.
static bool is_lasting(const br_schema_column *column)
{
    return column->key_position > 0;
}

// Has to prove that the columns up to the last one of the copy have survived. Generated ones tell
// nothing: their values follow from the others.
static void demand_proof(br_mirror *mirror, uint32_t column_count)
{
    const br_schema_column *columns = mirror->table->columns;
    uint32_t column = column_count;
    while (column > 0 && columns[column - 1].is_generated) column--;
    bool is_needed = column > 0 && !is_lasting(&columns[column - 1]);
    mirror->unproven_column = is_needed ? (int32_t)column - 1 : -1;
}

static br_status map_added(br_mirror *mirror, uint32_t old_count, br_arena *arena, bool *is_known,
                           br_error *err)
{
    for (uint32_t i = 0; i < mirror->table->column_count && *is_known; i++) {
        mirror->from[i] = i < old_count ? i : BR_COLUMN_ABSENT;
        if (i < old_count) continue;
        br_value *value = &mirror->added[i];
        BR_TRY(br_schema_default(&mirror->table->columns[i], arena, value, is_known, err));
        if (value->class_ == BR_TEXT || value->class_ == BR_BLOB)
            *is_known &= value->text.size <= DEFAULT_BYTES_MAX;
    }
    return BR_OK;
}

// The columns of the copy among those of the altered table. *is_known is false when they cannot be
// told, or their values are not those that the copy has.
static br_status map_columns(br_mirror *mirror, const br_schema_table *before, br_arena *arena,
                             bool *is_known, br_error *err)
{
    const br_schema_table *table = mirror->table;
    uint32_t count = table->column_count, old_count = before->column_count;
    mirror->from = BR_ALLOC(arena, uint32_t, count);
    mirror->added = BR_ALLOC(arena, br_value, count);
    if (mirror->from == NULL || mirror->added == NULL)
        return br_fail(err, BR_NOMEM, "no memory for the columns of table '%s'", table->name);
    *is_known = !has_generated(before) && !has_generated(table) &&
                before->has_rowid == table->has_rowid;
    if (*is_known && count < old_count) {
        *is_known = mirror->moved == (int64_t)old_count - count &&
                    map_dropped(before, table, mirror->from);
    } else if (*is_known) {
        BR_TRY(map_added(mirror, old_count, arena, is_known, err));
        int64_t added = (int64_t)count - old_count;
        bool is_counted = mirror->moved == (added == 0 ? 1 : added);
        if (!is_counted) demand_proof(mirror, old_count);
    }
    *is_known = *is_known && are_same_columns(before, table, mirror->from);
    return BR_OK;
}

static bool has_left_out(const char *definition)
{
    return strstr(definition, BR_MIRROR_LEFT_OUT) != NULL;
}

bool br_alter_is_same(const br_table_spec *spec, const br_mirror *mirror)
{
    br_key_kind key_kind = mirror->key == NULL ? BR_KEY_NONE : BR_KEY_ROWID;
    return spec->key_kind == key_kind && strcmp(spec->definition, mirror->definition) == 0 &&
           strcmp(spec->name, mirror->table->name) == 0;
}

// A UNIQUE index that is new may have deleted rows silently before its triggers were there, and one
// that came and went needs two changes.
static bool may_lack_deletes(const br_cdc *cdc, const br_mirror *mirror)
{
    if (mirror->mode != BR_MIRROR_KEYS) return false;
    if (mirror->is_loose || cdc->has_remade) return true;
    if (br_cdc_is_maintainer(cdc)) return mirror->moved < 0 || mirror->moved > 1;
    return mirror->moved != 0;  // another process may have made the triggers
}

br_status br_alter_compare(br_cdc *cdc, br_mirror *mirror, br_arena *arena, br_error *err)
{
    mirror->unproven_column = -1;
    if (!mirror->is_known) return BR_OK;
    const br_table_spec *spec = br_table_get_spec(br_store_find(cdc->next_store, mirror->table_id));
    mirror->must_count = may_lack_deletes(cdc, mirror);
    mirror->is_altered = !br_alter_is_same(spec, mirror);
    if (!mirror->is_altered) {
        // A column dropped and added again takes two changes.
        if (mirror->moved < 0 || mirror->moved > 1)
            demand_proof(mirror, mirror->table->column_count);
        return BR_OK;
    }
    br_schema_table before;
    bool is_known = false;
    mirror->is_known = false;
    if (has_left_out(spec->definition) || has_left_out(mirror->definition)) return BR_OK;
    br_oltp_functions *functions = cdc->config.functions;
    BR_TRY(br_schema_parse(functions, spec->definition, arena, &before, &is_known, err));
    if (is_known) BR_TRY(map_columns(mirror, &before, arena, &is_known, err));
    mirror->is_known = is_known && (spec->key_kind == BR_KEY_NONE) == (mirror->key == NULL);
    return BR_OK;
}

// ---- proof ----------------------------------------------------------------------------------

// Looks for a row that proves a column to be a survivor.
typedef struct proof {
    const br_cdc *cdc;
    const br_mirror *mirror;
    br_arena *arena;
    br_value *excluded;  // defaults of the column and of those behind it
    uint32_t excluded_count;
} proof;

static int compare_keys(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;
    return (l > r) - (l < r);
}

static bool is_logged(const br_mirror *mirror, int64_t key)
{
    return mirror->key_count > 0 && bsearch(&key, mirror->keys, mirror->key_count,
                                            sizeof *mirror->keys, compare_keys) != NULL;
}

// Rows that have none of the excluded values in the column: their keys.
static const char *select_telling(const proof *at, uint32_t column)
{
    const br_mirror *mirror = at->mirror;
    const char *name = br_oltp_quote_name(at->arena, mirror->table->name);
    const char *value = br_oltp_quote_name(at->arena, mirror->table->columns[column].name);
    const char *key = mirror->key == NULL ? "0" : mirror->key;
    if (name == NULL || value == NULL) return NULL;
    const char *text = br_arena_format(
        at->arena, "SELECT %s FROM main.%s NOT INDEXED WHERE %s <= ?1", key, name, key);
    for (uint32_t i = 0; i < at->excluded_count && text != NULL; i++)
        text = br_arena_format(at->arena, "%s AND %s COLLATE BINARY IS NOT ?%u", text, value,
                               i + 2);
    return text;
}

// The first row that the log does not name decides; those it names are passed over.
static br_status find_unwritten(const proof *at, br_oltp_statement *rows, bool *found_out,
                                br_error *err)
{
    const br_mirror *mirror = at->mirror;
    br_value last = br_value_int(mirror->mode == BR_MIRROR_KEYS ? mirror->hi : INT64_MAX);
    bool has_row = true;
    BR_TRY(br_oltp_bind(rows, 1, &last, err));
    for (uint32_t i = 0; i < at->excluded_count; i++)
        BR_TRY(br_oltp_bind(rows, i + 2, &at->excluded[i], err));
    while (has_row && !*found_out) {
        BR_TRY(br_oltp_step(rows, &has_row, err));
        *found_out = has_row && !is_logged(mirror, br_oltp_column(rows, 0).i64);
    }
    return BR_OK;
}

// A table of mode DIRTY gets here only when nobody has written to it at all.
static br_status is_survivor(const proof *at, uint32_t column, bool *is_out, br_error *err)
{
    br_oltp_statement *rows = NULL;
    const char *sql = select_telling(at, column);
    if (sql == NULL)
        return br_fail(err, BR_NOMEM, "no memory to look into '%s'", at->mirror->table->name);
    BR_TRY(br_oltp_prepare(at->cdc->reader, sql, NULL, &rows, err));
    br_status status = find_unwritten(at, rows, is_out, err);
    br_oltp_finalize(rows);
    return status;
}

static bool is_all_default(const proof *at, uint32_t column, const br_value *initial)
{
    const br_table *copy = br_store_find(at->cdc->next_store, at->mirror->table_id);
    const br_zone_stats *stats = br_table_view_stats(br_table_published(copy), column);
    if (stats->class_mask != 1u << initial->class_) return false;
    if (initial->class_ == BR_INT)
        return stats->int_min == initial->i64 && stats->int_max == initial->i64;
    return initial->class_ == BR_NULL;
}

// Goes from the last column to the left while columns have nothing but their default in the copy:
// of these it makes no difference which one they are, for the defaults are as they were. A row that
// has none of these values in the column before them proves that that one is in its place.
static br_status prove(proof *at, bool *is_out, br_error *err)
{
    for (uint32_t i = (uint32_t)at->mirror->unproven_column + 1; i-- > 0 && !*is_out;) {
        const br_schema_column *column = &at->mirror->table->columns[i];
        br_value *initial = &at->excluded[at->excluded_count];
        bool is_constant;
        if (is_lasting(column)) break;
        if (column->is_generated) continue;
        BR_TRY(br_schema_default(column, at->arena, initial, &is_constant, err));
        at->excluded_count++;
        // A default that is no constant is given to tables without rows only: any row proves it.
        BR_TRY(is_survivor(at, i, is_out, err));
        bool is_told = is_constant && !column->is_left_out;  // by the copy
        if (!*is_out && (!is_told || !is_all_default(at, i, initial))) return BR_OK;
    }
    *is_out = true;
    return BR_OK;
}

br_status br_alter_prove(const br_cdc *cdc, br_mirror *mirror, br_error *err)
{
    bool is_proven = false;
    if (mirror->unproven_column < 0 || mirror->must_reload) return BR_OK;
    proof at = {.cdc = cdc, .mirror = mirror, .arena = br_arena_new(NULL)};
    if (at.arena != NULL)
        at.excluded = BR_ALLOC(at.arena, br_value, mirror->table->column_count);
    br_status status =
        at.excluded == NULL
            ? br_fail(err, BR_NOMEM, "no memory to look into '%s'", mirror->table->name)
            : prove(&at, &is_proven, err);
    br_arena_free(at.arena);
    mirror->must_reload |= !is_proven;
    return status;
}

// ---- rows that went silently ----------------------------------------------------------------

// What the log tells has been applied, so all rows of SQLite are in the copy. If there are as many
// of them, there are no others: none was deleted without a trigger.
br_status br_alter_has_all_rows(const br_pass *pass, const br_mirror *mirror, bool *has_out,
                                br_error *err)
{
    br_cdc *cdc = pass->cdc;
    int64_t row_count = 0;
    br_arena *arena = br_arena_new(NULL);
    const char *name = arena == NULL ? NULL : br_oltp_quote_name(arena, mirror->table->name);
    const char *sql =
        name == NULL ? NULL : br_arena_format(arena, "SELECT count(*) FROM main.%s", name);
    br_status status =
        sql == NULL ? br_fail(err, BR_NOMEM, "no memory to count '%s'", mirror->table->name)
                    : br_oltp_query_int(cdc->reader, sql, 0, &row_count, err);
    br_arena_free(arena);
    *has_out =
        (uint64_t)row_count == br_table_rows(br_store_find(cdc->next_store, mirror->table_id));
    return status;
}
