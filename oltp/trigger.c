// trigger.c - which triggers a table gets, and their text.
//
// Measured (5 columns, ns per row of a batch): an insert takes 780, with a trigger whose WHEN is
// false 1,220, with one that asks for hi 1,410; an update 800, with a trigger that logs 1,290. So
// inserts ask for hi, because most need no record, and updates log without asking.
// SPDX-License-Identifier: Apache-2.0
#include "oltp/capture.h"

#include <string.h>
#include <strings.h>

typedef struct builder {
    const br_schema_table *table;
    uint32_t table_id;
    const char *name;  // of the table, quoted
    const char *key;   // of its rowid, quoted
    const char *hi;    // the key at or below which changes are logged
    br_arena *arena;
    capture_triggers *triggers;
    bool is_out_of_memory;
} builder;

static bool is_generated(const br_schema_table *table, const br_schema_index *index)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        int32_t column = index->columns[i];
        if (column >= 0 && table->columns[column].is_generated) return true;
    }
    return false;
}

// Can an index other than the rowid make REPLACE delete rows? One that holds the rowid cannot: who
// conflicts there has the same rowid.
bool br_index_may_replace(const br_schema_index *index)
{
    if (!index->is_unique) return false;
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i] == -1) return false;
    }
    return true;
}

bool br_index_is_plain(const br_schema_table *table, const br_schema_index *index)
{
    return !index->has_expression && !is_generated(table, index) &&
           (!index->is_partial || index->condition != NULL);
}

br_capture_kind br_capture_kind_of(const br_schema_table *table)
{
    if (!table->has_rowid) return BR_CAPTURE_DIRTY;
    if (table->rowid_column < 0 && table->rowid_name == NULL) return BR_CAPTURE_DIRTY;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const br_schema_index *index = &table->indexes[i];
        if (!br_index_may_replace(index)) continue;
        // What NEW would give such an index cannot be told in a trigger.
        if (!br_index_is_plain(table, index)) return BR_CAPTURE_DIRTY;
    }
    return BR_CAPTURE_KEYS;
}

const char *br_schema_key_name(const br_schema_table *table, br_arena *arena)
{
    if (table->rowid_name != NULL) return table->rowid_name;
    if (table->rowid_column < 0) return NULL;
    return br_oltp_quote_name(arena, table->columns[table->rowid_column].name);
}

// A text that could not be made is "": the builder then fails as a whole.
static const char *keep(builder *b, const char *text)
{
    if (text != NULL) return text;
    b->is_out_of_memory = true;
    return "";
}

// Names behind _braid_<table_id>_.
static const char *const key_suffixes[] = {"insert", "update",         "move",
                                           "delete", "replace_insert", "replace_update"};
static const char *const dirty_suffixes[] = {"dirty_insert", "dirty_update", "dirty_delete"};

uint32_t br_capture_trigger_id(const char *name, const char **suffix_out)
{
    static const char prefix[] = "_braid_";
    uint32_t id = 0;
    *suffix_out = "";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) return 0;
    const char *digit = name + sizeof prefix - 1;
    for (; *digit >= '0' && *digit <= '9' && id < UINT32_MAX / 10 - 1; digit++)
        id = id * 10 + (uint32_t)(*digit - '0');
    if (*digit != '_') return 0;
    *suffix_out = digit + 1;
    return id;
}

static bool is_one_of(const char *suffix, const char *const *suffixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(suffix, suffixes[i]) == 0) return true;
    }
    return false;
}

bool br_capture_is_log_trigger(const char *name, uint32_t *table_id_out, br_capture_kind *kind_out)
{
    const char *suffix;
    *table_id_out = br_capture_trigger_id(name, &suffix);
    if (*table_id_out == 0) return false;
    *kind_out = BR_CAPTURE_DIRTY;
    if (is_one_of(suffix, dirty_suffixes, sizeof dirty_suffixes / sizeof *dirty_suffixes))
        return true;
    *kind_out = BR_CAPTURE_KEYS;
    return is_one_of(suffix, key_suffixes, sizeof key_suffixes / sizeof *key_suffixes);
}

// `event` is like "AFTER INSERT", `when` a condition or "", `body` statements with semicolons.
static void add(builder *b, const char *suffix, const char *event, const char *when,
                const char *body)
{
    b->triggers->sql[b->triggers->count++] = keep(
        b, br_arena_format(b->arena, "CREATE TRIGGER _braid_%u_%s %s ON %s%s%s BEGIN %s END",
                           b->table_id, suffix, event, b->name, when[0] == 0 ? "" : " WHEN ", when,
                           body));
}

static const char *log_row(builder *b, const char *which)
{
    return keep(b, br_arena_format(b->arena,
                                   "INSERT INTO _braid_log(table_id, key) VALUES(%u, %s.%s);",
                                   b->table_id, which, b->key));
}

static const char *at_or_below_hi(builder *b, const char *which)
{
    return keep(b, br_arena_format(b->arena, "%s.%s <= %s", which, b->key, b->hi));
}

// "rows of the table that agree with NEW on the index", as the text behind FROM.
static const char *conflicting_rows(builder *b, const br_schema_index *index, bool is_update)
{
    const char *text = keep(b, br_arena_format(b->arena, "%s WHERE ", b->name));
    for (uint32_t i = 0; i < index->column_count; i++) {
        const br_schema_column *column = &b->table->columns[index->columns[i]];
        const char *name = keep(b, br_oltp_quote_name(b->arena, column->name));
        const char *collation = keep(b, br_oltp_quote_name(b->arena, index->collations[i]));
        const char *value = keep(b, br_arena_format(b->arena, "NEW.%s", name));
        // REPLACE puts the default in place of a forbidden NULL, after this trigger has run.
        if (column->not_null && column->default_value != NULL)
            value = keep(
                b, br_arena_format(b->arena, "coalesce(%s, (%s))", value, column->default_value));
        text = keep(b, br_arena_format(b->arena, "%s%s = %s COLLATE %s AND ", text, name, value,
                                       collation));
    }
    if (index->condition != NULL)
        text = keep(b, br_arena_format(b->arena, "%s(%s\n) AND ", text, index->condition));
    if (is_update)
        text = keep(b, br_arena_format(b->arena, "%s+%s <> OLD.%s AND ", text, b->key, b->key));
    // The plus keeps SQLite from walking all rowids at or below hi instead of using the index.
    return keep(b, br_arena_format(b->arena, "%s+%s <= %s", text, b->key, b->hi));
}

// REPLACE deletes rows that conflict on a UNIQUE index without telling any trigger, so look for
// them before it does.
static void add_replace(builder *b, const char *suffix, const char *event, bool is_update)
{
    const char *when = "", *body = "";
    for (uint32_t i = 0; i < b->table->index_count; i++) {
        const br_schema_index *index = &b->table->indexes[i];
        if (!br_index_may_replace(index)) continue;
        const char *rows = conflicting_rows(b, index, is_update);
        when = keep(b, br_arena_format(b->arena, "%s%sEXISTS (SELECT 1 FROM %s)", when,
                                       when[0] == 0 ? "" : " OR ", rows));
        body = keep(b, br_arena_format(b->arena,
                                       "%sINSERT INTO _braid_log(table_id, key) SELECT %u, %s"
                                       " FROM %s;",
                                       body, b->table_id, b->key, rows));
    }
    if (body[0] != 0) add(b, suffix, event, when, body);
}

// "BEFORE UPDATE OF" the columns of all unique indexes, or of all columns.
static const char *update_event(builder *b)
{
    const char *text = "";
    for (uint32_t i = 0; i < b->table->index_count; i++) {
        const br_schema_index *index = &b->table->indexes[i];
        // Any column may be in its condition.
        if (br_index_may_replace(index) && index->is_partial) return "BEFORE UPDATE";
        for (uint32_t j = 0; br_index_may_replace(index) && j < index->column_count; j++) {
            const char *name = b->table->columns[index->columns[j]].name;
            text = keep(b, br_arena_format(b->arena, "%s%s%s", text,
                                           text[0] == 0 ? "BEFORE UPDATE OF " : ", ",
                                           keep(b, br_oltp_quote_name(b->arena, name))));
        }
    }
    return text;
}

// Nothing but inserts happens to a change table, until old changes are deleted.
static void add_change_triggers(builder *b)
{
    add(b, "delete", "AFTER DELETE", "", log_row(b, "OLD"));
}

// "AFTER UPDATE OF" all that means the rowid. SQLite goes by what the SET of an UPDATE calls it, so
// that other updates do not pay for this trigger.
static const char *move_event(builder *b)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    const br_schema_table *table = b->table;
    const char *text = "AFTER UPDATE OF ";
    if (table->rowid_column >= 0) {
        const char *name = table->columns[table->rowid_column].name;
        text = keep(b, br_arena_format(b->arena, "%s%s", text,
                                       keep(b, br_oltp_quote_name(b->arena, name))));
    }
    for (size_t i = 0, count = table->rowid_column >= 0; i < 3; i++) {
        bool is_column = false;
        for (uint32_t j = 0; j < table->column_count; j++)
            is_column = is_column || strcasecmp(table->columns[j].name, names[i]) == 0;
        if (is_column) continue;
        text = keep(b, br_arena_format(b->arena, "%s%s%s", text, count++ == 0 ? "" : ", ",
                                       names[i]));
    }
    return text;
}

static void add_key_triggers(builder *b)
{
    add(b, "insert", "AFTER INSERT", at_or_below_hi(b, "NEW"), log_row(b, "NEW"));
    add(b, "update", "AFTER UPDATE", "", log_row(b, "OLD"));
    add(b, "move", move_event(b),
        keep(b, br_arena_format(b->arena, "NEW.%s <> OLD.%s", b->key, b->key)), log_row(b, "NEW"));
    add(b, "delete", "AFTER DELETE", "", log_row(b, "OLD"));
}

static void add_replace_triggers(builder *b)
{
    add_replace(b, "replace_insert", "BEFORE INSERT", false);
    add_replace(b, "replace_update", update_event(b), true);
}

static void add_dirty_triggers(builder *b)
{
    const char *when = keep(b, br_arena_format(b->arena, "%s = 0", b->hi));
    const char *body =
        keep(b, br_arena_format(b->arena,
                                "INSERT INTO _braid_log(table_id, key) VALUES(%u, NULL);"
                                " UPDATE _braid_table SET hi = 1 WHERE table_id = %u;",
                                b->table_id, b->table_id));
    add(b, "dirty_insert", "AFTER INSERT", when, body);
    add(b, "dirty_update", "AFTER UPDATE", when, body);
    add(b, "dirty_delete", "AFTER DELETE", when, body);
}

br_status br_capture_triggers(const br_schema_table *table, uint32_t table_id, br_arena *arena,
                              capture_triggers *triggers_out, br_error *err)
{
    *triggers_out = (capture_triggers){0};
    builder b = {.table = table, .table_id = table_id, .arena = arena, .triggers = triggers_out};
    b.name = keep(&b, br_oltp_quote_name(arena, table->name));
    b.hi = keep(
        &b, br_arena_format(arena, "(SELECT hi FROM _braid_table WHERE table_id = %u)", table_id));
    bool has_keys = br_capture_kind_of(table) == BR_CAPTURE_KEYS;
    if (has_keys) b.key = keep(&b, br_schema_key_name(table, arena));
    if (!has_keys)
        add_dirty_triggers(&b);
    else if (table->is_changes)
        add_change_triggers(&b);
    else
        add_key_triggers(&b);
    triggers_out->base_count = triggers_out->count;
    if (has_keys && !table->is_changes) add_replace_triggers(&b);
    if (b.is_out_of_memory)
        return br_fail(err, BR_NOMEM, "no memory for the triggers of table '%s'", table->name);
    return BR_OK;
}
