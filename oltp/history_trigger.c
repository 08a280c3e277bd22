// history_trigger.c - the triggers that write a table's changes down, and their text.
//
// A change is written by the AFTER trigger of the statement that makes it. Rows that REPLACE
// deletes on a UNIQUE index fire no trigger: a BEFORE trigger notes those that are in the way,
// and the AFTER trigger writes down which of them are gone. Between the two a statement may still
// decide to leave its row out (OR IGNORE, ON CONFLICT DO): the note is then worth nothing, and
// the next one begins anew. A row replaced under its own key needs none of that: its next version
// ends it.
// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"
#include "oltp/capture.h"
#include "oltp/history.h"

static const char *keep(history_texts *texts, const char *text)
{
    if (text != NULL) return text;
    texts->is_out_of_memory = true;
    return "";
}

#define FORMAT(texts, ...) keep(texts, br_arena_format((texts)->arena, __VA_ARGS__))

static const char *quote(history_texts *texts, const char *name)
{
    return keep(texts, br_oltp_quote_name(texts->arena, name));
}

static bool has_hidden_key(const br_schema_table *table)
{
    return table->has_rowid && table->rowid_column < 0;
}

// ---- lists -----------------------------------------------------------------------------------

static const char *append_columns(history_texts *texts, const char *list, const char *prefix)
{
    br_buffer text = {0};
    bool is_built = br_buffer_format(&text, "%s", list);
    for (uint32_t i = 0; is_built && i < texts->table->column_count; i++)
        is_built = br_buffer_format(&text, "%s%s%s", text.size_bytes == 0 ? "" : ", ", prefix,
                                    quote(texts, texts->table->columns[i].name));
    const char *copy =
        is_built ? br_arena_copy_text(texts->arena, (const char *)text.bytes, text.size_bytes)
                 : NULL;
    br_buffer_release(&text);
    return keep(texts, copy);
}

const char *history_table_list(history_texts *texts, const char *prefix)
{
    const char *key = "";
    if (has_hidden_key(texts->table)) key = FORMAT(texts, "%s%s", prefix, texts->table->rowid_name);
    return append_columns(texts, key, prefix);
}

const char *history_image_list(history_texts *texts, const char *prefix)
{
    const char *key = "";
    if (has_hidden_key(texts->table)) key = FORMAT(texts, "%s" BR_CHANGE_KEY, prefix);
    return append_columns(texts, key, prefix);
}

// The n-th column of the key, counting from 0; NULL: it has fewer.
static const br_schema_column *key_column(const br_schema_table *table, uint32_t n)
{
    if (table->has_rowid) {
        bool is_column = n == 0 && table->rowid_column >= 0;
        return is_column ? &table->columns[table->rowid_column] : NULL;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].key_position == n + 1) return &table->columns[i];
    }
    return NULL;
}

const char *history_key_equal(history_texts *texts, history_side left, history_side right)
{
    const br_schema_table *table = texts->table;
    if (has_hidden_key(table))
        return FORMAT(texts, "%s%s = %s%s", left.prefix,
                      left.is_image ? BR_CHANGE_KEY : table->rowid_name, right.prefix,
                      right.is_image ? BR_CHANGE_KEY : table->rowid_name);
    const char *text = "";
    const br_schema_column *column;
    for (uint32_t n = 0; (column = key_column(table, n)) != NULL; n++) {
        const char *name = quote(texts, column->name);
        text = FORMAT(texts, "%s%s%s%s = %s%s", text, n == 0 ? "" : " AND ", left.prefix, name,
                      right.prefix, name);
    }
    return text;
}

const char *history_key(history_texts *texts)
{
    if (has_hidden_key(texts->table)) return BR_CHANGE_KEY;
    const char *text = "";
    const br_schema_column *column;
    for (uint32_t n = 0; (column = key_column(texts->table, n)) != NULL; n++)
        text = FORMAT(texts, "%s%s%s", text, n == 0 ? "" : ", ", quote(texts, column->name));
    return text;
}

const char *history_image_column(history_texts *texts, const br_schema_column *column)
{
    static const char *const types[] = {[BR_OLTP_BLOB] = "BLOB",
                                        [BR_OLTP_TEXT] = "TEXT",
                                        [BR_OLTP_NUMERIC] = "NUMERIC",
                                        [BR_OLTP_INTEGER] = "INTEGER",
                                        [BR_OLTP_REAL] = "REAL"};
    return FORMAT(texts, "%s %s COLLATE %s", quote(texts, column->name), types[column->affinity],
                  quote(texts, column->collation));
}

const char *history_image_columns(history_texts *texts)
{
    const char *text = has_hidden_key(texts->table) ? BR_CHANGE_KEY " INTEGER" : "";
    for (uint32_t i = 0; i < texts->table->column_count; i++)
        text = FORMAT(texts, "%s%s%s", text, text[0] == 0 ? "" : ", ",
                      history_image_column(texts, &texts->table->columns[i]));
    return text;
}

// ---- rows in the way -------------------------------------------------------------------------

// Rows that conflict in the key itself are replaced under their key.
static bool is_key_index(const br_schema_table *table, const br_schema_index *index)
{
    if (table->has_rowid) return false;
    uint32_t count = 0;
    while (key_column(table, count) != NULL) count++;
    for (uint32_t i = 0; i < index->column_count; i++) {
        int32_t column = index->columns[i];
        if (column < 0 || table->columns[column].key_position == 0) return false;
    }
    return index->column_count == count && !index->is_partial;
}

static bool can_be_in_the_way(const br_schema_table *table, const br_schema_index *index)
{
    return br_index_may_replace(index) && br_index_is_plain(table, index) &&
           !is_key_index(table, index);
}

bool history_has_replace(const br_schema_table *table)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (can_be_in_the_way(table, &table->indexes[i])) return true;
    }
    return false;
}

// "the row agrees with NEW on the index".
static const char *agrees(history_texts *texts, const br_schema_index *index)
{
    const char *text = "";
    for (uint32_t i = 0; i < index->column_count; i++) {
        const br_schema_column *column = &texts->table->columns[index->columns[i]];
        const char *name = quote(texts, column->name), *value = FORMAT(texts, "NEW.%s", name);
        // REPLACE puts the default in place of a forbidden NULL, after this trigger has run.
        if (column->not_null && column->default_value != NULL)
            value = FORMAT(texts, "coalesce(%s, (%s))", value, column->default_value);
        text = FORMAT(texts, "%s%s%s = %s COLLATE %s", text, i == 0 ? "" : " AND ", name, value,
                      quote(texts, index->collations[i]));
    }
    if (index->condition != NULL) text = FORMAT(texts, "%s AND (%s\n)", text, index->condition);
    return text;
}

static const char *in_the_way(history_texts *texts, bool is_update)
{
    const char *text = "";
    for (uint32_t i = 0; i < texts->table->index_count; i++) {
        const br_schema_index *index = &texts->table->indexes[i];
        if (!can_be_in_the_way(texts->table, index)) continue;
        text = FORMAT(texts, "%s%s%s", text, text[0] == 0 ? "" : " OR ", agrees(texts, index));
    }
    if (!is_update) return text;
    history_side row = {.prefix = ""}, old = {.prefix = "OLD."};
    return FORMAT(texts, "(%s) AND NOT (%s)", text, history_key_equal(texts, row, old));
}

// ---- triggers --------------------------------------------------------------------------------

static void add(history_texts *texts, history_triggers *triggers, const char *event,
                const char *body)
{
    static const char *const names[] = {"insert", "update", "move", "delete", "replace_insert",
                                        "replace_update"};
    triggers->sql[triggers->count] =
        FORMAT(texts, "CREATE TRIGGER _braid_history_%u_%s %s BEGIN %s END", texts->history_id,
               names[triggers->count], event, body);
    triggers->count++;
}

// Writes one change down, at the time of the clock.
static const char *change(history_texts *texts, const char *operation, const char *prefix)
{
    return FORMAT(texts,
                  " INSERT INTO " BR_CHANGE_TABLE "%u(" BR_CHANGE_AT ", " BR_CHANGE_OPERATION
                  ", %s) VALUES((SELECT last FROM _braid_clock), '%s', %s);",
                  texts->history_id, history_image_list(texts, ""), operation,
                  history_table_list(texts, prefix));
}

// Sets the clock, and before the change that follows writes down what it has replaced.
static const char *tick(history_texts *texts)
{
    uint32_t id = texts->history_id;
    if (!history_has_replace(texts->table)) return HISTORY_TICK ";";
    history_side row = {.prefix = ""}, replaced = {.prefix = "r.", .is_image = true};
    return FORMAT(texts,
                  HISTORY_TICK " + (SELECT count(*) FROM _braid_replaced_%u);"
                  " INSERT INTO " BR_CHANGE_TABLE "%u(" BR_CHANGE_AT ", " BR_CHANGE_OPERATION
                  ", %s) SELECT (SELECT last FROM _braid_clock) - r._braid_n, 'D', %s"
                  " FROM _braid_replaced_%u r WHERE NOT EXISTS (SELECT 1 FROM %s WHERE %s)"
                  " ORDER BY r._braid_n DESC;"
                  " DELETE FROM _braid_replaced_%u WHERE _braid_n > 0;",
                  id, id, history_image_list(texts, ""), history_image_list(texts, "r."), id,
                  texts->name, history_key_equal(texts, row, replaced), id);
}

// What can bring an update in the way of other rows: a column of an index, or any column, where an
// index has a condition.
static const char *update_event(history_texts *texts)
{
    const char *text = "BEFORE UPDATE";
    for (uint32_t i = 0, count = 0; i < texts->table->index_count; i++) {
        const br_schema_index *index = &texts->table->indexes[i];
        if (!can_be_in_the_way(texts->table, index)) continue;
        if (index->is_partial) return "BEFORE UPDATE";
        for (uint32_t j = 0; j < index->column_count; j++, count++)
            text = FORMAT(texts, "%s%s%s", text, count == 0 ? " OF " : ", ",
                          quote(texts, texts->table->columns[index->columns[j]].name));
    }
    return text;
}

static void add_note(history_texts *texts, history_triggers *triggers, const char *event,
                     bool is_update)
{
    uint32_t id = texts->history_id;
    const char *rows = in_the_way(texts, is_update);
    const char *body =
        FORMAT(texts,
               "DELETE FROM _braid_replaced_%u WHERE _braid_n > 0;"
               " INSERT INTO _braid_replaced_%u(%s) SELECT %s FROM %s WHERE %s;",
               id, id, history_image_list(texts, ""), history_table_list(texts, ""), texts->name,
               rows);
    event = FORMAT(texts, "%s ON %s WHEN EXISTS (SELECT 1 FROM %s WHERE %s)", event, texts->name,
                   texts->name, rows);
    add(texts, triggers, event, body);
}

void history_make_triggers(history_texts *texts, history_triggers *triggers_out)
{
    history_triggers triggers = {0};
    bool has_replace = history_has_replace(texts->table);
    const char *on = texts->name, *now = tick(texts);
    history_side new = {.prefix = "NEW."}, old = {.prefix = "OLD."};
    history_side row = {.prefix = "", .is_image = true};
    const char *same = history_key_equal(texts, new, old);
    // A row that is written down as deleted must not be so again by an old note.
    const char *forget =
        has_replace ? FORMAT(texts, "DELETE FROM _braid_replaced_%u WHERE %s; ", texts->history_id,
                             history_key_equal(texts, row, old))
                    : "";
    add(texts, &triggers, FORMAT(texts, "AFTER INSERT ON %s", on),
        FORMAT(texts, "%s%s", now, change(texts, "I", "NEW.")));
    add(texts, &triggers, FORMAT(texts, "AFTER UPDATE ON %s WHEN %s", on, same),
        FORMAT(texts, "%s%s", now, change(texts, "U", "NEW.")));
    add(texts, &triggers, FORMAT(texts, "AFTER UPDATE ON %s WHEN NOT (%s)", on, same),
        FORMAT(texts, "%s%s%s " HISTORY_TICK ";%s", forget, now, change(texts, "D", "OLD."),
               change(texts, "I", "NEW.")));
    add(texts, &triggers, FORMAT(texts, "AFTER DELETE ON %s", on),
        FORMAT(texts, "%s" HISTORY_TICK ";%s", forget, change(texts, "D", "OLD.")));
    if (has_replace) {
        add_note(texts, &triggers, "BEFORE INSERT", false);
        add_note(texts, &triggers, update_event(texts), true);
    }
    *triggers_out = triggers;
}
