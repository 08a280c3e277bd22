// The table-valued functions that run natively, with the columns that SQLite gives them.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"

enum {
    NUMBER_OR_TEXT = BR_MASK_NULL | BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT,
    KEY = BR_MASK_NULL | BR_MASK_INT | BR_MASK_TEXT,
    TEXT_OR_NULL = BR_MASK_NULL | BR_MASK_TEXT,
};

// Columns that are arguments come last, in the order of the arguments, then the rowid.
static const br_table_function_column json_columns[] = {
    {"key", KEY, false},
    {"value", NUMBER_OR_TEXT, false},
    {"type", BR_MASK_TEXT, false},
    {"atom", NUMBER_OR_TEXT, false},
    {"id", BR_MASK_INT, false},
    {"parent", BR_MASK_INT | BR_MASK_NULL, false},
    {"fullkey", TEXT_OR_NULL, false},
    {"path", TEXT_OR_NULL, false},
    {"json", BR_MASK_ALL, true},
    {"root", BR_MASK_ALL, true},
    {"rowid", BR_MASK_INT, true},
};

static const br_table_function_column series_columns[] = {
    {"value", BR_MASK_INT, false}, {"start", BR_MASK_INT, true}, {"stop", BR_MASK_INT, true},
    {"step", BR_MASK_INT, true},   {"rowid", BR_MASK_INT, true},
};

static const br_table_function functions[] = {
    {"json_each", BR_TABLE_FUNCTION_SQLITE, 0, 2, 10, json_columns},
    {"json_tree", BR_TABLE_FUNCTION_SQLITE, 0, 2, 10, json_columns},
    {"generate_series", BR_TABLE_FUNCTION_SERIES, 1, 3, 4, series_columns},
};

const br_table_function *br_table_function_find(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (br_name_equal(functions[i].name, name)) return &functions[i];
    }
    return NULL;
}
