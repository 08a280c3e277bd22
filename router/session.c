// What only the writer connection sees: temporary tables and views, attached files, a dialect.
//
// SQLite runs there then. The columnar engine goes on with queries whose names mean main's tables:
// a name means a temporary table first, then one of main, then one of an attached file.
// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "router/database.h"

static const char dialect[] = "case_sensitive_like";

bool br_text_may_bind_session(const char *sql)
{
    // ALTER ... RENAME may give a temporary table the name of another one; ROLLBACK may take back
    // that one was dropped.
    bool renames = strcasestr(sql, "alter") != NULL && strcasestr(sql, "rename") != NULL;
    return renames || strcasestr(sql, "temp") != NULL || strcasestr(sql, "tach") != NULL ||
           strcasestr(sql, "rollback") != NULL || strcasestr(sql, dialect) != NULL;
}

static br_status read_names(br_oltp *writer, br_buffer *names, br_error *err)
{
    br_oltp_statement *statement;
    bool has_row = true;
    BR_TRY(br_oltp_prepare(writer,
                           "SELECT name FROM sqlite_temp_master WHERE type IN ('table', 'view')",
                           NULL, &statement, err));
    br_status status = br_oltp_step(statement, &has_row, err);
    while (status == BR_OK && has_row) {
        br_value name = br_oltp_column(statement, 0);
        bool is_added = br_buffer_append(names, name.text.data, name.text.size) &&
                        br_buffer_append(names, "", 1);
        status = is_added ? br_oltp_step(statement, &has_row, err)
                          : br_fail(err, BR_NOMEM, "names of temporary tables");
    }
    br_oltp_finalize(statement);
    return status;
}

void br_writer_note_session(br_database *database, const char *sql)
{
    br_buffer names = {0}, old;
    int64_t attached = 0;
    br_error ignored;
    br_status status = read_names(database->writer, &names, &ignored);
    if (status == BR_OK)
        status = br_oltp_query_int(database->writer,
                                   "SELECT count(*) FROM pragma_database_list"
                                   " WHERE name NOT IN ('main', 'temp')",
                                   0, &attached, &ignored);
    br_lock_take(&database->cache_lock);
    old = database->temporary_names;
    database->temporary_names = names;
    br_lock_give(&database->cache_lock);
    bool is_told = true;
    if (status == BR_OK && strcasestr(sql, dialect) != NULL)
        status = br_oltp_functions_note_like(database->functions, database->writer, &is_told,
                                             &ignored);
    // When SQLite does not tell, there may be anything.
    if (status != BR_OK || !is_told)
        atomic_store_explicit(&database->session_alone, true, memory_order_relaxed);
    bool bound = status != BR_OK || attached > 0 || names.size_bytes > 0 ||
                 atomic_load_explicit(&database->session_alone, memory_order_relaxed);
    atomic_store_explicit(&database->session_bound, bound, memory_order_relaxed);
    atomic_fetch_add_explicit(&database->session_changes, 1, memory_order_relaxed);
    br_buffer_release(&old);
}

bool br_session_hides(br_database *database, const char *name)
{
    bool is_hidden = false;
    br_lock_take(&database->cache_lock);
    const br_buffer *names = &database->temporary_names;
    for (size_t at = 0; at < names->size_bytes && !is_hidden;) {
        const char *other = (const char *)names->bytes + at;
        is_hidden = strcasecmp(other, name) == 0;
        at += strlen(other) + 1;
    }
    br_lock_give(&database->cache_lock);
    return is_hidden;
}
