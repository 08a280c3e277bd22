// The table-valued functions that run natively, with the columns that SQLite gives them.
// SPDX-License-Identifier: Apache-2.0
#include "sql/bind.h"

enum {
    NUMBER_OR_TEXT = BR_MASK_NULL | BR_MASK_INT | BR_MASK_REAL | BR_MASK_TEXT,
    KEY = BR_MASK_NULL | BR_MASK_INT | BR_MASK_TEXT,
    TEXT_OR_NULL = BR_MASK_NULL | BR_MASK_TEXT,
};

#define COLUMN(column, mask) {.name = column, .class_mask = mask}
#define HIDDEN(column, mask) {.name = column, .class_mask = mask, .is_hidden = true}

// Columns that are arguments come last, in the order of the arguments, then the rowid.
static const br_table_function_column json_columns[] = {
    COLUMN("key", KEY),
    COLUMN("value", NUMBER_OR_TEXT),
    COLUMN("type", BR_MASK_TEXT),
    COLUMN("atom", NUMBER_OR_TEXT),
    COLUMN("id", BR_MASK_INT),
    COLUMN("parent", BR_MASK_INT | BR_MASK_NULL),
    COLUMN("fullkey", TEXT_OR_NULL),
    COLUMN("path", TEXT_OR_NULL),
    HIDDEN("json", BR_MASK_ALL),
    HIDDEN("root", BR_MASK_ALL),
    HIDDEN("rowid", BR_MASK_INT),
};

static const br_table_function_column series_columns[] = {
    COLUMN("value", BR_MASK_INT), HIDDEN("start", BR_MASK_INT), HIDDEN("stop", BR_MASK_INT),
    HIDDEN("step", BR_MASK_INT),  HIDDEN("rowid", BR_MASK_INT),
};

#define FUNCTION(function, kind_, minimum, maximum, columns_)                          \
    {.name = function, .kind = kind_, .argument_min = minimum, .argument_max = maximum, \
     .column_count = sizeof columns_ / sizeof *columns_ - 1, .columns = columns_}

static const br_table_function functions[] = {
    FUNCTION("json_each", BR_TABLE_FUNCTION_SQLITE, 0, 2, json_columns),
    FUNCTION("json_tree", BR_TABLE_FUNCTION_SQLITE, 0, 2, json_columns),
    FUNCTION("generate_series", BR_TABLE_FUNCTION_SERIES, 1, 3, series_columns),
};

const br_table_function *br_table_function_find(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (br_name_equal(functions[i].name, name)) return &functions[i];
    }
    return NULL;
}
