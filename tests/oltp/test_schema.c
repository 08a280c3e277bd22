// What br_schema_read says of tables of every kind.
// SPDX-License-Identifier: Apache-2.0
#include "tests/oltp/fixture.h"

static br_schema read_schema(fixture *f, const char *sql)
{
    fixture_exec(f, sql);
    br_schema schema;
    MUST(br_schema_read(f->oltp, f->arena, &schema, &f->err), f->err);
    return schema;
}

static const br_schema_table *find(const br_schema *schema, const char *name)
{
    const br_schema_table *table = br_schema_find(schema, name);
    if (table == NULL) {
        fprintf(stderr, "no table %s\n", name);
        exit(1);
    }
    return table;
}

static void test_columns_are_described(void)
{
    fixture f = fixture_new();
    br_schema schema = read_schema(
        &f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR(10) NOT NULL COLLATE NOCASE,"
            " b DOUBLE DEFAULT 1.5, c, d DECIMAL(10,2), e AS (b * 2), f BLOB AS (c) STORED)");
    const br_schema_table *t = find(&schema, "T");
    CHECK_INT(schema.table_count, 1);
    CHECK_INT(schema.cookie, fixture_int(&f, "PRAGMA schema_version"));
    CHECK_INT(t->column_count, 7);
    CHECK(t->has_rowid && !t->is_virtual && !t->is_shadow);
    CHECK_INT(t->rowid_column, 0);
    CHECK_TEXT(t->rowid_name, "rowid");
    CHECK_TEXT(t->columns[1].name, "a");
    CHECK_TEXT(t->columns[1].collation, "NOCASE");
    CHECK_TEXT(t->columns[1].declared_type, "VARCHAR(10)");
    CHECK(t->columns[1].not_null && !t->columns[2].not_null);
    CHECK_TEXT(t->columns[2].default_value, "1.5");
    CHECK(t->columns[3].default_value == NULL);
    static const int affinities[] = {BR_OLTP_INTEGER, BR_OLTP_TEXT, BR_OLTP_REAL, BR_OLTP_BLOB,
                                     BR_OLTP_NUMERIC, BR_OLTP_BLOB, BR_OLTP_BLOB};
    for (int i = 0; i < 7; i++) CHECK_INT(t->columns[i].affinity, affinities[i]);
    CHECK(t->columns[5].is_generated && t->columns[6].is_generated && !t->columns[4].is_generated);
    CHECK_INT(t->columns[0].key_position, 1);
    CHECK(strncmp(t->sql, "CREATE TABLE t(", 15) == 0);
    fixture_release(&f);
}

static void test_rowid_is_found(void)
{
    fixture f = fixture_new();
    br_schema schema =
        read_schema(&f, "CREATE TABLE descending(a INTEGER PRIMARY KEY DESC);"
                        "CREATE TABLE intkey(a INT PRIMARY KEY);"
                        "CREATE TABLE two(a INTEGER, b, PRIMARY KEY(a, b));"
                        "CREATE TABLE late(a, b integer, PRIMARY KEY(b));"
                        "CREATE TABLE without(a INTEGER PRIMARY KEY, b) WITHOUT ROWID;"
                        "CREATE TABLE taken(rowid, _ROWID_, oid);"
                        "CREATE TABLE some(RowId, b);"
                        "CREATE TABLE keyed(rowid TEXT, _rowid_, oid INTEGER PRIMARY KEY)");
    CHECK_INT(find(&schema, "descending")->rowid_column, -1);
    CHECK_TEXT(find(&schema, "descending")->rowid_name, "rowid");
    CHECK_INT(find(&schema, "intkey")->rowid_column, -1);
    CHECK_INT(find(&schema, "two")->rowid_column, -1);
    CHECK_INT(find(&schema, "late")->rowid_column, 1);
    CHECK(!find(&schema, "without")->has_rowid);
    CHECK_INT(find(&schema, "without")->rowid_column, -1);
    CHECK(find(&schema, "taken")->rowid_name == NULL);
    CHECK_TEXT(find(&schema, "some")->rowid_name, "_rowid_");
    CHECK(find(&schema, "keyed")->rowid_name == NULL);
    CHECK_INT(find(&schema, "keyed")->rowid_column, 2);
    CHECK_TEXT(br_schema_key_name(find(&schema, "keyed"), f.arena), "\"oid\"");
    CHECK_INT(br_capture_kind_of(find(&schema, "keyed")), BR_CAPTURE_KEYS);
    CHECK_INT(br_capture_kind_of(find(&schema, "taken")), BR_CAPTURE_DIRTY);
    CHECK_INT(br_capture_kind_of(find(&schema, "without")), BR_CAPTURE_DIRTY);
    fixture_release(&f);
}

static void test_indexes_are_described(void)
{
    fixture f = fixture_new();
    br_schema schema = read_schema(
        &f, "CREATE TABLE t(a, b COLLATE NOCASE, c);"
            "CREATE INDEX plain ON t(c);"
            "CREATE UNIQUE INDEX two ON t(b, a COLLATE RTRIM);"
            "CREATE UNIQUE INDEX part ON t(a) /* WHERE */ WHERE c = ' WHERE ' AND (b IS NULL);"
            "CREATE TABLE x(a); CREATE UNIQUE INDEX expr ON x(lower(a));");
    const br_schema_table *t = find(&schema, "t");
    CHECK_INT(t->index_count, 3);
    for (uint32_t i = 0; i < t->index_count; i++) {
        const br_schema_index *index = &t->indexes[i];
        CHECK_INT(index->is_unique, strcmp(index->name, "plain") != 0);
        CHECK_INT(index->is_partial, strcmp(index->name, "part") == 0);
        if (index->is_partial) CHECK_TEXT(index->condition, " c = ' WHERE ' AND (b IS NULL)");
        if (strcmp(index->name, "two") != 0) continue;
        CHECK_INT(index->column_count, 2);
        CHECK_INT(index->columns[0], 1);
        CHECK_TEXT(index->collations[0], "NOCASE");
        CHECK_TEXT(index->collations[1], "RTRIM");
    }
    CHECK_INT(br_capture_kind_of(t), BR_CAPTURE_KEYS);
    CHECK(find(&schema, "x")->indexes[0].has_expression);
    CHECK_INT(br_capture_kind_of(find(&schema, "x")), BR_CAPTURE_DIRTY);
    fixture_release(&f);
}

static void test_views_virtual_and_shadow_tables(void)
{
    fixture f = fixture_new();
    br_schema schema = read_schema(&f, "CREATE VIRTUAL TABLE words USING fts5(body);"
                                       "CREATE TABLE \"odd \"\" name\"(\"select\", \"\");"
                                       "CREATE VIEW v AS SELECT 1 AS one;"
                                       "CREATE VIEW broken AS SELECT * FROM nowhere;"
                                       "CREATE TABLE auto(i INTEGER PRIMARY KEY AUTOINCREMENT)");
    CHECK(find(&schema, "words")->is_virtual);
    CHECK_INT(find(&schema, "words")->column_count, 1);
    CHECK(find(&schema, "words_data")->is_shadow);
    CHECK_INT(find(&schema, "odd \" name")->column_count, 2);
    CHECK(br_schema_find(&schema, "sqlite_sequence") == NULL);
    CHECK(br_schema_find(&schema, "v") == NULL);
    CHECK_INT(schema.view_count, 2);
    CHECK(strstr(br_schema_find_view(&schema, "V")->sql, "SELECT 1") != NULL);
    MUST(br_capture_install_meta(f.oltp, &f.err), f.err);
    schema = read_schema(&f, "");
    CHECK(br_schema_find(&schema, "_braid_log") == NULL);
    fixture_release(&f);
}

static void test_strict_any_has_no_affinity(void)
{
    fixture f = fixture_new();
    br_schema schema =
        read_schema(&f, "CREATE TABLE s(a ANY, b INT) STRICT; CREATE TABLE l(a ANY)");
    CHECK_INT(find(&schema, "s")->columns[0].affinity, BR_OLTP_BLOB);
    CHECK_INT(find(&schema, "l")->columns[0].affinity, BR_OLTP_NUMERIC);
    fixture_release(&f);
}

int main(void)
{
    RUN(test_columns_are_described);
    RUN(test_rowid_is_found);
    RUN(test_indexes_are_described);
    RUN(test_views_virtual_and_shadow_tables);
    RUN(test_strict_any_has_no_affinity);
    return test_result();
}
