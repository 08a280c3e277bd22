// SPDX-License-Identifier: Apache-2.0
#include "tests/differential/support_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

// ---- text and chance ---------------------------------------------------------------------------

void text_add(sql_text *self, const char *format, ...)
{
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        size_t room = self->capacity - self->size;
        int length = vsnprintf(self->bytes == NULL ? NULL : self->bytes + self->size, room, format,
                               arguments);
        va_end(arguments);
        if ((size_t)length < room) {
            self->size += (size_t)length;
            return;
        }
        self->capacity = self->capacity * 2 + (size_t)length + 64;
        self->bytes = realloc(self->bytes, self->capacity);
        if (self->bytes == NULL) exit(2);
    }
}

void text_clear(sql_text *self)
{
    self->size = 0;
    if (self->bytes != NULL) self->bytes[0] = '\0';
}

void text_release(sql_text *self)
{
    free(self->bytes);
    *self = (sql_text){0};
}

uint64_t world_word(test_world *self)
{
    return test_random(&self->random);
}

uint32_t world_below(test_world *self, uint32_t limit)
{
    return (uint32_t)(test_random(&self->random) % limit);
}

bool world_chance(test_world *self, uint32_t percent)
{
    return world_below(self, 100) < percent;
}

// ---- values ------------------------------------------------------------------------------------

static void value_big(test_world *self, sql_text *out)
{
    static const char *const extremes[] = {"9223372036854775807",
                                           "-9223372036854775808",
                                           "4611686018427387904",
                                           "9007199254740993",
                                           "-9007199254740993",
                                           "2147483648",
                                           "-2147483649",
                                           "65536",
                                           "255",
                                           "-1",
                                           "0"};
    if (world_chance(self, 40))
        text_add(out, "%s", extremes[world_below(self, 11)]);
    else
        text_add(out, "%lld", (long long)(test_random(&self->random) >> world_below(self, 40)) / 8);
}

static void value_word(test_world *self, sql_text *out)
{
    static const char *const words[] = {"",
                                        "a",
                                        "A",
                                        "ab",
                                        "Ab",
                                        "abc",
                                        "abd",
                                        "north",
                                        "North",
                                        "south",
                                        "east",
                                        "west wind",
                                        "east wind",
                                        "special requests",
                                        "very special long requests",
                                        "naïve",
                                        "ÄÖ",
                                        "x  ",
                                        "x",
                                        "%per_cent%",
                                        "it''s",
                                        "zebra",
                                        "a longer text that does not fit into sixteen bytes"};
    text_add(out, "'%s'", words[world_below(self, 23)]);
}

static void value_date(test_world *self, bool with_time, sql_text *out)
{
    if (world_chance(self, 4)) {
        static const char *const odd[] = {"",           "1996-2-3",   "1996-13-01", "0000-01-01",
                                          "9999-12-31", "1996-02-30", "hello",      "1996-02-29 "};
        text_add(out, "'%s'", odd[world_below(self, 8)]);
        return;
    }
    text_add(out, "'19%02u-%02u-%02u", 92 + world_below(self, 7), 1 + world_below(self, 12),
             1 + world_below(self, 28));
    if (with_time)
        text_add(out, " %02u:%02u:%02u", world_below(self, 24), world_below(self, 60),
                 world_below(self, 60));
    text_add(out, "'");
}

static void value_digits(test_world *self, sql_text *out)
{
    static const char *const texts[] = {"'12'",
                                        "'7'",
                                        "'-3'",
                                        "'1.5'",
                                        "' 5 '",
                                        "'5x'",
                                        "'0x10'",
                                        "'1e2'",
                                        "'+4'",
                                        "'.5'",
                                        "'9223372036854775808'",
                                        "'00'"};
    text_add(out, "%s", texts[world_below(self, 12)]);
}

void world_value(test_world *self, value_flavour flavour, sql_text *out)
{
    if (world_chance(self, 8)) {
        text_add(out, "NULL");
        return;
    }
    switch (flavour) {
    case FLAVOUR_SMALL:
        text_add(out, "%d", (int)world_below(self, 40) - 10);
        break;
    case FLAVOUR_BIG:
        value_big(self, out);
        break;
    // Fractions of a half, so that no REAL equals an INTEGER of another row: which of two equal
    // values a group shows is not defined.
    case FLAVOUR_REAL:
        text_add(out, "%d.5", (int)world_below(self, 60) - 20);
        break;
    case FLAVOUR_DECIMAL:
        text_add(out, "%u.%02u1", world_below(self, 900), world_below(self, 100));
        break;
    case FLAVOUR_WORD:
        value_word(self, out);
        break;
    case FLAVOUR_DATE:
        value_date(self, false, out);
        break;
    case FLAVOUR_DATETIME:
        value_date(self, true, out);
        break;
    case FLAVOUR_DIGITS:
        value_digits(self, out);
        break;
    case FLAVOUR_BLOB:
        text_add(out, "x'%04x'", world_below(self, 64));
        break;
    default:
        world_value(self, (value_flavour)world_below(self, FLAVOUR_MIXED), out);
        break;
    }
}

// ---- schema ------------------------------------------------------------------------------------

static const char *column_type(test_world *self, value_flavour flavour)
{
    static const char *const types[FLAVOUR_COUNT][3] = {
        [FLAVOUR_SMALL] = {"INTEGER", "INT", ""},
        [FLAVOUR_BIG] = {"INTEGER", "BIGINT", ""},
        [FLAVOUR_REAL] = {"REAL", "DOUBLE", ""},
        [FLAVOUR_DECIMAL] = {"REAL", "FLOAT", "DECIMAL(10,2)"},
        [FLAVOUR_WORD] = {"TEXT", "VARCHAR(30)", "TEXT COLLATE NOCASE"},
        [FLAVOUR_DATE] = {"TEXT", "TEXT", "DATE"},
        [FLAVOUR_DATETIME] = {"TEXT", "TEXT", ""},
        [FLAVOUR_DIGITS] = {"TEXT", "INTEGER", "NUMERIC"},
        [FLAVOUR_BLOB] = {"BLOB", "", "TEXT"},
        [FLAVOUR_MIXED] = {"", "NUMERIC", "TEXT COLLATE RTRIM"},
    };
    return types[flavour][world_below(self, 3)];
}

static void create_key(const world_table *table, sql_text *out)
{
    const world_column *columns = table->columns;
    if (table->key == KEY_COMPOSITE || table->key == KEY_WITHOUT_ROWID)
        text_add(out, ", PRIMARY KEY (%s, %s)", columns[0].name, columns[1].name);
    if (table->key == KEY_TEXT) text_add(out, ", PRIMARY KEY (%s)", columns[0].name);
    if (table->key == KEY_UNIQUE) text_add(out, ", UNIQUE (%s)", columns[0].name);
    text_add(out, ")%s", table->key == KEY_WITHOUT_ROWID ? " WITHOUT ROWID" : "");
}

// Now and then one column more, made of the others.
static void create_generated(test_world *self, uint32_t t, sql_text *out)
{
    static const char *const kinds[] = {"VIRTUAL", "STORED"};
    world_table *table = &self->tables[t];
    uint32_t count = table->stored_count = table->column_count;
    if (self->is_large || count == WORLD_COLUMNS_MAX || !world_chance(self, 25)) return;
    const world_column *from = &table->columns[1 + world_below(self, count - 1)];
    bool is_small = from->flavour == FLAVOUR_SMALL;
    world_column *column = &table->columns[table->column_count++];
    *column = (world_column){.flavour = is_small ? FLAVOUR_SMALL : FLAVOUR_WORD};
    snprintf(column->name, sizeof column->name, "c%u_%u", t, count);
    text_add(out, ", %s %s GENERATED ALWAYS AS (", column->name, is_small ? "INT" : "TEXT");
    if (is_small)
        text_add(out, "%s + 1", from->name);
    else
        text_add(out, "'g' || typeof(%s) || substr(%s, 1, 2)", from->name, from->name);
    text_add(out, ") %s", kinds[world_below(self, 2)]);
}

static void stored_columns(const world_table *table, sql_text *out)
{
    for (uint32_t c = 0; c < table->stored_count; c++)
        text_add(out, "%s%s", c == 0 ? "(" : ", ", table->columns[c].name);
    text_add(out, ")");
}

void world_init(test_world *self, uint64_t seed)
{
    *self = (test_world){.has_like = true, .random = seed * 0x9e3779b97f4a7c15ull + 1};
    self->table_count = 2 + world_below(self, WORLD_TABLES_MAX - 1);
}

void world_create(test_world *self, sql_text *out)
{
    for (uint32_t t = 0; t < self->table_count; t++) {
        world_table *table = &self->tables[t];
        snprintf(table->name, sizeof table->name, "t%u", t);
        table->key = (world_key)world_below(self, self->is_large ? KEY_ROWID + 1 : KEY_COUNT);
        table->column_count = 3 + world_below(self, WORLD_COLUMNS_MAX - 2);
        text_add(out, "CREATE TABLE %s(", table->name);
        for (uint32_t c = 0; c < table->column_count; c++) {
            world_column *column = &table->columns[c];
            snprintf(column->name, sizeof column->name, "c%u_%u", t, c);
            column->flavour = (value_flavour)world_below(self, FLAVOUR_COUNT);
            bool is_rowid = c == 0 && table->key == KEY_ROWID;
            if (is_rowid || (c == 0 && table->key == KEY_WITHOUT_ROWID))
                column->flavour = FLAVOUR_SMALL;
            const char *type =
                is_rowid ? "INTEGER PRIMARY KEY" : column_type(self, column->flavour);
            // INTEGER PRIMARY KEY would be the rowid, whose values are thought to be small.
            if (c == 0 && table->key == KEY_TEXT && strcmp(type, "INTEGER") == 0) type = "INT";
            column->is_collated = strstr(type, "COLLATE") != NULL;
            column->is_rowid = is_rowid;
            text_add(out, "%s%s %s", c == 0 ? "" : ", ", column->name, type);
        }
        create_generated(self, t, out);
        create_key(table, out);
        text_add(out, ";\n");
        if (world_chance(self, 30))
            text_add(out, "CREATE INDEX i%u ON %s(%s);\n", t, table->name, table->columns[1].name);
    }
}

// ---- changes -----------------------------------------------------------------------------------

// Keys repeat, so every insert says what to do then.
void world_insert(test_world *self, uint32_t t, uint32_t rows, sql_text *out)
{
    static const char *const verbs[] = {"INSERT OR IGNORE", "INSERT OR REPLACE", "REPLACE"};
    const world_table *table = &self->tables[t];
    bool wide = rows > 50;
    text_add(out, "%s INTO %s", verbs[wide ? 0 : world_below(self, 3)], table->name);
    stored_columns(table, out);
    text_add(out, " VALUES ");
    for (uint32_t row = 0; row < rows; row++) {
        text_add(out, "%s(", row == 0 ? "" : ",");
        for (uint32_t c = 0; c < table->stored_count; c++) {
            text_add(out, "%s", c == 0 ? "" : ", ");
            if (c == 0 && table->key == KEY_ROWID && world_chance(self, 70))
                text_add(out, "NULL");
            else if (c == 0 && table->key == KEY_WITHOUT_ROWID)
                text_add(out, "%u", world_below(self, 5000));
            else if (c == 1 && table->key == KEY_WITHOUT_ROWID)
                text_add(out, "%u", world_below(self, 10));
            else
                world_value(self, table->columns[c].flavour, out);
        }
        text_add(out, ")");
    }
    text_add(out, ";\n");
}

void world_grow(test_world *self, uint32_t t, uint32_t rows, sql_text *out)
{
    static const char *const sources[] = {"a", "b", "c"};
    const world_table *table = &self->tables[t];
    const char *name = table->name;
    text_add(out, "INSERT INTO %s SELECT ", name);
    for (uint32_t c = 0; c < table->column_count; c++) {
        if (c == 0 && table->key == KEY_ROWID)
            text_add(out, "NULL");
        else
            text_add(out, "%s%s.%s", c == 0 ? "" : ", ", sources[world_below(self, 3)],
                     table->columns[c].name);
    }
    text_add(out, " FROM %s AS a, %s AS b, %s AS c LIMIT max(0, %u - (SELECT count(*) FROM %s));\n",
             name, name, name, rows, name);
}

static void change_where(test_world *self, const world_table *table, sql_text *out)
{
    const world_column *column = &table->columns[world_below(self, table->column_count)];
    static const char *const operators[] = {"=", "<", ">", "<>", ">="};
    text_add(out, " WHERE %s %s ", column->name, operators[world_below(self, 5)]);
    world_value(self, column->flavour, out);
    if (table->key != KEY_WITHOUT_ROWID && world_chance(self, 70))
        text_add(out, " AND rowid %% %u = %u", 2 + world_below(self, 9), world_below(self, 2));
}

void world_change(test_world *self, sql_text *out)
{
    uint32_t t = world_below(self, self->table_count);
    const world_table *table = &self->tables[t];
    const world_column *column = &table->columns[world_below(self, table->stored_count)];
    switch (world_below(self, 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
        world_insert(self, t, 1 + world_below(self, 20), out);
        return;
    case 4:
    case 5:
        text_add(out, "UPDATE OR REPLACE %s SET %s = ", table->name, column->name);
        world_value(self, column->flavour, out);
        change_where(self, table, out);
        break;
    case 6:
        text_add(out, "DELETE FROM %s", table->name), change_where(self, table, out);
        break;
    case 7:
        text_add(out, "BEGIN; SAVEPOINT s; DELETE FROM %s", table->name);
        change_where(self, table, out);
        text_add(out, "; ROLLBACK TO s; UPDATE OR IGNORE %s SET %s = %s; COMMIT", table->name,
                 column->name, column->name);
        break;
    case 8:
        if (world_chance(self, 20))
            text_add(out, "DELETE FROM %s", table->name);
        else
            text_add(out, "BEGIN; DELETE FROM %s; ROLLBACK", table->name);
        break;
    default:
        text_add(out, "UPDATE OR IGNORE %s SET %s = %s", table->name, column->name, column->name);
    }
    text_add(out, ";\n");
}
