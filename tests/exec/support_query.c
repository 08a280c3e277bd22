// SPDX-License-Identifier: Apache-2.0
#include "tests/exec/support_query.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/column.h"
#include "tests/test.h"

void world_open(query_world *world)
{
    br_error err;
    *world = (query_world){.optimize = true};
    snprintf(world->folder, sizeof world->folder, "/tmp/braid-exec-XXXXXX");
    if (mkdtemp(world->folder) == NULL) exit(1);
    if (sqlite3_open(":memory:", &world->sqlite) != SQLITE_OK) exit(1);
    br_quota_init(&world->quota, SIZE_MAX, NULL);
    br_quota_init(&world->query_quota, SIZE_MAX, NULL);
    world->arena = br_arena_new(NULL);
    for (uint32_t i = 0; i < WORLD_POOLS; i++)
        MUST(br_task_pool_new(i + 1, &world->pools[i], &err), err);
}

void world_close(query_world *world)
{
    br_error err;
    br_snapshot_drop(world->snapshot);
    br_store_close(world->store);
    for (uint32_t i = 0; i < WORLD_POOLS; i++) br_task_pool_free(world->pools[i]);
    br_arena_free(world->arena);
    sqlite3_close(world->sqlite);
    MUST(br_folder_remove(world->folder, &err), err);
}

void world_exec(query_world *world, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(world->sqlite, sql, NULL, NULL, &message) == SQLITE_OK) return;
    fprintf(stderr, "%s: %s\n", sql, message);
    exit(1);
}

// ---- mirroring -------------------------------------------------------------------------------

static br_value value_of(sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return br_value_int(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return br_value_real(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: {
        const void *text = sqlite3_column_text(statement, column);
        return br_value_text(br_text_make(text, (uint32_t)sqlite3_column_bytes(statement, column)));
    }
    case SQLITE_BLOB: {
        uint32_t size = (uint32_t)sqlite3_column_bytes(statement, column);
        const void *blob = sqlite3_column_blob(statement, column);
        return br_value_blob(br_text_make(size > 0 ? blob : "", size));
    }
    default: return br_value_null();
    }
}

static br_affinity affinity_of(const char *type)
{
    if (strstr(type, "INT") != NULL) return BR_AFFINITY_INTEGER;
    if (strstr(type, "CHAR") != NULL || strstr(type, "TEXT") != NULL) return BR_AFFINITY_TEXT;
    if (type[0] == 0 || strstr(type, "BLOB") != NULL) return BR_AFFINITY_BLOB;
    return strstr(type, "REAL") != NULL ? BR_AFFINITY_REAL : BR_AFFINITY_NUMERIC;
}

static void describe(query_world *world, br_sql_table *table, const char *name)
{
    sqlite3_stmt *statement;
    char sql[200];
    br_sql_column *columns = BR_ALLOC(world->arena, br_sql_column, 64);
    snprintf(sql, sizeof sql, "PRAGMA table_info(%s)", name);
    *table = (br_sql_table){.name = br_arena_copy_text(world->arena, name, strlen(name)),
                            .columns = columns,
                            .has_rowid = true};
    if (sqlite3_prepare_v2(world->sqlite, sql, -1, &statement, NULL) != SQLITE_OK) exit(1);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(statement, 1);
        const char *type = (const char *)sqlite3_column_text(statement, 2);
        const char *collation;
        sqlite3_table_column_metadata(world->sqlite, NULL, name, column, NULL, &collation, NULL,
                                      NULL, NULL);
        columns[table->column_count++] = (br_sql_column){
            .name = br_arena_copy_text(world->arena, column, strlen(column)),
            .affinity = affinity_of(type),
            .collation = br_arena_copy_text(world->arena, collation, strlen(collation)),
            .declared_type = br_arena_copy_text(world->arena, type, strlen(type)),
            .is_rowid = sqlite3_column_int(statement, 5) != 0};
    }
    sqlite3_finalize(statement);
}

static void load_chunk(br_load *load, uint32_t order, br_column *columns, uint32_t count)
{
    br_error err;
    if (columns[0].row_count > 0) MUST(br_load_add_chunk(load, order, columns, &err), err);
    for (uint32_t i = 0; i < count; i++) br_column_reset(&columns[i]);
}

// All rows but the last tenth become segments, in chunks of different sizes; the rest the delta.
static void load_table(query_world *world, br_apply *apply, uint32_t table_id)
{
    br_error err;
    const br_sql_table *table = &world->tables[table_id - 1];
    uint32_t count = table->column_count, order = 0;
    br_column columns[65];
    br_value values[65];
    sqlite3_stmt *statement;
    br_load *load;
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT *, rowid, (SELECT count(*) FROM %s) FROM %s ORDER BY rowid",
             table->name, table->name);
    for (uint32_t i = 0; i <= count; i++) MUST(br_column_init(&columns[i], NULL, &err), err);
    MUST(br_load_begin(apply, table_id, &load, &err), err);
    if (sqlite3_prepare_v2(world->sqlite, sql, -1, &statement, NULL) != SQLITE_OK) exit(1);
    int64_t row = 0;
    for (; sqlite3_step(statement) == SQLITE_ROW; row++) {
        int64_t total = sqlite3_column_int64(statement, (int)count + 1);
        for (uint32_t i = 0; i <= count; i++) values[i] = value_of(statement, (int)i);
        if (row >= total - total / 10) {
            if (load != NULL) {
                load_chunk(load, order, columns, count + 1);
                MUST(br_load_finish(load, &err), err);
                load = NULL;
            }
            MUST(br_apply_append(apply, table_id, values[count].i64, values, &err), err);
            continue;
        }
        for (uint32_t i = 0; i <= count; i++)
            MUST(br_column_append(&columns[i], &values[i], &err), err);
        if (columns[0].row_count == (order % 2 == 0 ? 20000 : 65536))
            load_chunk(load, order++, columns, count + 1);
    }
    if (load != NULL) {
        load_chunk(load, order, columns, count + 1);
        MUST(br_load_finish(load, &err), err);
    }
    sqlite3_finalize(statement);
    for (uint32_t i = 0; i <= count; i++) br_column_release(&columns[i]);
}

static void add_tables(query_world *world, br_apply *apply)
{
    br_error err;
    sqlite3_stmt *statement;
    const char *sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    if (sqlite3_prepare_v2(world->sqlite, sql, -1, &statement, NULL) != SQLITE_OK) exit(1);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        br_sql_table *table = &world->tables[world->table_count++];
        describe(world, table, (const char *)sqlite3_column_text(statement, 0));
        const char *names[64];
        for (uint32_t i = 0; i < table->column_count; i++) names[i] = table->columns[i].name;
        br_table_spec spec = {.table_id = world->table_count,
                              .name = table->name,
                              .definition = "",
                              .key_kind = BR_KEY_ROWID,
                              .column_count = table->column_count,
                              .column_names = names};
        MUST(br_apply_add_table(apply, &spec, &err), err);
        load_table(world, apply, world->table_count);
    }
    sqlite3_finalize(statement);
}

void world_load(query_world *world)
{
    br_error err;
    br_apply *apply;
    char path[100];
    snprintf(path, sizeof path, "%s/store", world->folder);
    br_store_config config = {.folder = path,
                              .kernels = br_format_kernels_for(br_cpu_isa_best()),
                              .pool = world->pools[1],
                              .quota = &world->quota,
                              .page_cache_bytes = (size_t)1 << 30};
    MUST(br_store_open(&config, &world->store, &err), err);
    MUST(br_apply_begin(world->store, &apply, &err), err);
    add_tables(world, apply);
    br_watermark watermark = {.seq = 1};
    MUST(br_apply_publish(apply, &watermark, &err), err);
    world->snapshot = br_snapshot_acquire(world->store);
    for (uint32_t i = 0; i < world->table_count; i++)
        world->tables[i].view = br_snapshot_find(world->snapshot, world->tables[i].name);
}

// ---- running ---------------------------------------------------------------------------------

static const br_sql_table *find_table(void *context, const char *schema, const char *name)
{
    query_world *world = context;
    (void)schema;
    for (uint32_t i = 0; i < world->table_count; i++) {
        if (sqlite3_stricmp(world->tables[i].name, name) == 0) return &world->tables[i];
    }
    return NULL;
}

static const char *find_view(void *context, const char *schema, const char *name)
{
    (void)context;
    (void)schema;
    (void)name;
    return NULL;
}

static bool find_function(void *context, const char *name, uint32_t argument_count,
                          bool *is_volatile_out)
{
    (void)context;
    *is_volatile_out = false;
    (void)name;
    (void)argument_count;
    return false;
}

static uint32_t real_to_text(double value, char *text_out)
{
    sqlite3_snprintf(40, text_out, "%!.15g", value);
    return (uint32_t)strlen(text_out);
}

static void bind(sqlite3_stmt *statement, int index, const br_value *value)
{
    switch (value->class_) {
    case BR_INT: sqlite3_bind_int64(statement, index, value->i64); break;
    case BR_REAL: sqlite3_bind_double(statement, index, value->f64); break;
    case BR_TEXT:
        sqlite3_bind_text(statement, index, value->text.data, (int)value->text.size,
                          SQLITE_TRANSIENT);
        break;
    case BR_BLOB:
        sqlite3_bind_blob(statement, index, value->text.data, (int)value->text.size,
                          SQLITE_TRANSIENT);
        break;
    default: sqlite3_bind_null(statement, index); break;
    }
}

// SQLite's connection serves several threads at once (its default threading mode).
static br_status call_function(void *context, uint32_t worker, const br_function_call *call,
                               br_arena *arena, br_value *results_out, br_error *err)
{
    query_world *world = context;
    sqlite3_stmt *statement;
    char sql[200] = "";
    (void)worker;
    int size = snprintf(sql, sizeof sql, "SELECT %s(", call->function);
    for (uint32_t i = 0; i < call->argument_count; i++)
        size += snprintf(sql + size, sizeof sql - (size_t)size, i > 0 ? ",?" : "?");
    snprintf(sql + size, sizeof sql - (size_t)size, ")");
    if (sqlite3_prepare_v2(world->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
        return br_fail(err, BR_RUNTIME, "%s", sqlite3_errmsg(world->sqlite));
    br_status status = BR_OK;
    for (uint32_t row = 0; row < call->row_count && status == BR_OK; row++) {
        for (uint32_t i = 0; i < call->argument_count; i++) {
            br_value value = br_vector_value(&call->arguments[i], row, arena);
            bind(statement, (int)i + 1, &value);
        }
        br_value *result = &results_out[row];
        if (sqlite3_step(statement) == SQLITE_ROW) {
            *result = value_of(statement, 0);
            if (result->class_ == BR_TEXT || result->class_ == BR_BLOB)
                result->text.data =
                    br_arena_copy_text(arena, result->text.data, result->text.size);
        } else {
            status = br_fail(err, BR_RUNTIME, "%s", sqlite3_errmsg(world->sqlite));
        }
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return status;
}

br_status world_run_query(query_world *world, const br_query *query, uint32_t pool, br_isa isa,
                          br_result **result_out, br_error *err)
{
    world->query_quota.limit_bytes = world->memory_limit > 0 ? world->memory_limit : SIZE_MAX;
    br_exec_env env = {.snapshot = world->snapshot,
                       .pool = world->pools[pool],
                       .isa = isa,
                       .quota = &world->query_quota,
                       .spill_folders = {world->spills ? world->folder : NULL},
                       .io_mode = world->io_mode,
                       .hook = world->hook,
                       .cancelled = world->cancelled,
                       .deadline_ns = world->deadline_ns,
                       .bridge = {.call = call_function,
                                  .real_to_text = real_to_text,
                                  .context = world}};
    return br_exec_run(query, &env, result_out, err);
}

static void explain(const br_query *query)
{
    br_buffer text = {0};
    br_error err;
    MUST(br_query_explain(query, &text, &err), err);
    fprintf(stderr, "%.*s\n", (int)text.size_bytes, (const char *)text.bytes);
    br_buffer_release(&text);
}

br_status world_run(query_world *world, const char *sql, uint32_t pool, br_isa isa,
                    br_result **result_out, br_error *err)
{
    br_arena *arena = br_arena_new(NULL);
    br_statement_ast ast;
    br_query *query;
    br_sql_catalog catalog = {.find_table = find_table,
                              .find_view = find_view,
                              .find_function = find_function,
                              .context = world};
    br_plan_options options = {.optimize = world->optimize};
    br_status status = br_parse(sql, arena, &ast, err);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (status == BR_OK) status = br_sql_plan(&ast, &catalog, &options, arena, &query, err);
        if (status == BR_OK && getenv("BR_EXPLAIN") != NULL) explain(query);
        if (status == BR_OK) status = world_run_query(world, query, pool, isa, result_out, err);
        if (status != BR_RETYPE || attempt > 0) break;
        options.checked_arithmetic = true;
        status = BR_OK;
    }
    br_arena_free(arena);
    return status;
}

br_value world_value(const br_result *result, uint64_t row, uint32_t column)
{
    uint32_t batch = 0;
    while (row >= result->batches[batch].row_count) row -= result->batches[batch++].row_count;
    return br_vector_value(&result->batches[batch].columns[column], (uint32_t)row, NULL);
}

static bool same_value(const br_value *left, const br_value *right)
{
    if (left->class_ != right->class_) return false;
    if (left->class_ == BR_TEXT || left->class_ == BR_BLOB)
        return br_text_equal(left->text, right->text);
    return left->class_ == BR_NULL || left->i64 == right->i64;
}

static br_value batch_value(const br_batch *batch, uint32_t row, uint32_t column)
{
    return br_vector_value(&batch->columns[column], row, NULL);
}

bool world_same_result(const br_result *left, const br_result *right)
{
    if (left->row_count != right->row_count || left->batch_count != right->batch_count)
        return false;
    for (uint32_t b = 0; b < left->batch_count; b++) {
        if (left->batches[b].row_count != right->batches[b].row_count) return false;
        for (uint32_t row = 0; row < left->batches[b].row_count; row++) {
            for (uint32_t k = 0; k < left->column_count; k++) {
                br_value l = batch_value(&left->batches[b], row, k);
                br_value r = batch_value(&right->batches[b], row, k);
                if (!same_value(&l, &r)) return false;
            }
        }
    }
    return true;
}

// ---- comparing -------------------------------------------------------------------------------

typedef struct row_list {
    char **rows;
    size_t count, capacity;
} row_list;

static void add_text(char **text, size_t *size, const br_value *value)
{
    char number[64];
    *text = realloc(*text, *size + 100 +
                               (value->class_ == BR_TEXT || value->class_ == BR_BLOB
                                    ? 2 * (size_t)value->text.size
                                    : 0));
    char *out = *text + *size;
    switch (value->class_) {
    case BR_INT: *size += (size_t)sprintf(out, "|i%lld", (long long)value->i64); break;
    case BR_REAL:
        // Sums may differ in the last digits.
        snprintf(number, sizeof number, "%.11g", value->f64 == 0 ? 0 : value->f64);
        *size += (size_t)sprintf(out, "|r%s", number);
        break;
    case BR_TEXT:
        *size += (size_t)sprintf(out, "|t%.*s", (int)value->text.size, value->text.data);
        break;
    case BR_BLOB:
        *size += (size_t)sprintf(out, "|b%u:", value->text.size);
        for (uint32_t i = 0; i < value->text.size; i++)
            *size += (size_t)sprintf(*text + *size, "%02x", (unsigned char)value->text.data[i]);
        break;
    default: *size += (size_t)sprintf(out, "|null"); break;
    }
}

static void add_row(row_list *list, char *row)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 64;
        list->rows = realloc(list->rows, list->capacity * sizeof *list->rows);
    }
    list->rows[list->count++] = row;
}

static int compare_rows(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void release_rows(row_list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->rows[i]);
    free(list->rows);
}

static row_list rows_of_sqlite(query_world *world, const char *sql, char message[200])
{
    row_list list = {0};
    sqlite3_stmt *statement = NULL;
    message[0] = 0;
    int rc = sqlite3_prepare_v2(world->sqlite, sql, -1, &statement, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        char *row = NULL;
        size_t size = 0;
        for (int k = 0; k < sqlite3_column_count(statement); k++) {
            br_value value = value_of(statement, k);
            add_text(&row, &size, &value);
        }
        add_row(&list, row);
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE) snprintf(message, 200, "%s", sqlite3_errmsg(world->sqlite));
    sqlite3_finalize(statement);
    return list;
}

static row_list rows_of_result(const br_result *result)
{
    row_list list = {0};
    for (uint32_t b = 0; b < result->batch_count; b++) {
        for (uint32_t i = 0; i < result->batches[b].row_count; i++) {
            char *row = NULL;
            size_t size = 0;
            for (uint32_t k = 0; k < result->column_count; k++) {
                br_value value = batch_value(&result->batches[b], i, k);
                add_text(&row, &size, &value);
            }
            add_row(&list, row);
        }
    }
    return list;
}

// Equal rows; in any order, unless the query begins with an ORDER BY comment.
static bool same_rows(const char *sql, row_list *expected, row_list *actual)
{
    if (strncmp(sql, "/*ordered*/", 11) != 0) {
        if (expected->count > 0)
            qsort(expected->rows, expected->count, sizeof(char *), compare_rows);
        if (actual->count > 0) qsort(actual->rows, actual->count, sizeof(char *), compare_rows);
    }
    if (expected->count != actual->count) {
        fprintf(stderr, "%s\n  %zu rows, expected %zu\n", sql, actual->count, expected->count);
        for (size_t i = 0; i < actual->count && i < 5; i++)
            fprintf(stderr, "    got %s\n", actual->rows[i]);
        for (size_t i = 0; i < expected->count && i < 5; i++)
            fprintf(stderr, "    want %s\n", expected->rows[i]);
        return false;
    }
    for (size_t i = 0; i < expected->count; i++) {
        if (strcmp(expected->rows[i], actual->rows[i]) == 0) continue;
        fprintf(stderr, "%s\n  row %zu: %.300s\n  expected: %.300s\n", sql, i, actual->rows[i],
                expected->rows[i]);
        return false;
    }
    return true;
}

// Runs the SQL, or the plan when there is one.
static br_status run_either(query_world *world, const br_query *query, const char *sql,
                            uint32_t pool, br_isa isa, br_result **result_out, br_error *err)
{
    if (query != NULL) return world_run_query(world, query, pool, isa, result_out, err);
    return world_run(world, sql, pool, isa, result_out, err);
}

static bool runs_agree(query_world *world, const br_query *query, const char *sql,
                       const br_result *first)
{
    bool agree = true;
    for (uint32_t pool = 0; pool < WORLD_POOLS; pool++) {
        for (br_isa isa = BR_ISA_SCALAR; isa <= br_cpu_isa_best(); isa++) {
            br_error err;
            br_result *result = NULL;
            if (pool == 0 && isa == BR_ISA_SCALAR) continue;
            br_status status = run_either(world, query, sql, pool, isa, &result, &err);
            if (status != BR_OK || !world_same_result(first, result)) {
                fprintf(stderr, "%s\n  differs with %u threads, %s: %s\n", sql, pool + 1,
                        br_isa_name(isa), status == BR_OK ? "other rows" : err.message);
                agree = false;
            }
            if (status == BR_OK) br_result_free(result);
        }
    }
    return agree;
}

bool world_check(query_world *world, const char *sql)
{
    return world_check_plan(world, NULL, sql);
}

bool world_check_plan(query_world *world, const br_query *query, const char *sql)
{
    br_error err = {0};
    br_result *result = NULL;
    char message[200];
    row_list expected = rows_of_sqlite(world, sql, message);
    br_status status = run_either(world, query, sql, 0, BR_ISA_SCALAR, &result, &err);
    bool is_same;
    if (status != BR_OK) {
        is_same = message[0] != 0 && strcmp(err.message, message) == 0;
        if (!is_same)
            fprintf(stderr, "%s\n  failed: %s (%d), expected %s\n", sql, err.message, status,
                    message[0] != 0 ? message : "rows");
    } else {
        row_list actual = rows_of_result(result);
        is_same = message[0] == 0 && same_rows(sql, &expected, &actual);
        if (message[0] != 0) fprintf(stderr, "%s\n  expected the error: %s\n", sql, message);
        release_rows(&actual);
        if (is_same) is_same = runs_agree(world, query, sql, result);
        br_result_free(result);
    }
    release_rows(&expected);
    return is_same;
}
