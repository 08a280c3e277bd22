// Functions and collations of the application, on every connection of a database.
//
// Definitions are kept in the order in which they came. A connection knows how many of them it has
// seen, and adds the rest when somebody is about to use it: definitions come while other threads
// run statements on theirs. A definition lives until no connection and no list has it any more.
// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/thread.h"
#include "oltp/handle.h"

enum {
    ARGUMENTS_MAX = 127,   // SQLITE_MAX_FUNCTION_ARG
    NAME_BYTES_MAX = 255,  // SQLite's
};

typedef struct shared_definition {
    br_oltp_definition given;  // its name is our copy
    _Atomic uint32_t references;  // acq_rel: the last one to let go sees all that others did
    br_lock lock;                 // around calls of what is not thread-safe
} shared_definition;

struct br_oltp_functions {
    br_lock lock;  // guards `items`
    shared_definition **items;  // NULL: replaced by a later one
    _Atomic uint32_t count;     // written under the lock; release, for readers that only compare
    uint32_t capacity;
    _Atomic int64_t changes, total_changes, last_rowid;  // relaxed: counters, they order nothing
};

struct br_oltp_call {
    sqlite3_context *context;
    const shared_definition *definition;
};

// ---- definitions -----------------------------------------------------------------------------

static void definition_drop(void *pointer)
{
    shared_definition *definition = pointer;
    if (definition == NULL ||
        atomic_fetch_sub_explicit(&definition->references, 1, memory_order_acq_rel) > 1)
        return;
    if (definition->given.destroy != NULL) definition->given.destroy(definition->given.context);
    br_lock_release(&definition->lock);
    br_heap_free((void *)(uintptr_t)definition->given.name);
    br_heap_free(definition);
}

static br_status no_memory(const br_oltp_definition *given, br_error *err)
{
    if (given->destroy != NULL) given->destroy(given->context);
    return br_fail(err, BR_NOMEM, "no memory to define '%s'", given->name);
}

static shared_definition *definition_new(const br_oltp_definition *given)
{
    shared_definition *definition = br_heap_zalloc(sizeof *definition);
    char *name = br_heap_copy_text(given->name);
    if (definition == NULL || name == NULL) {
        br_heap_free(definition);
        br_heap_free(name);
        return NULL;
    }
    definition->given = *given;
    definition->given.name = name;
    atomic_init(&definition->references, 1);
    br_lock_init(&definition->lock);
    return definition;
}

static bool replaces(const br_oltp_definition *later, const br_oltp_definition *earlier)
{
    if (later->is_like || earlier->is_like) return later->is_like && earlier->is_like;
    bool same_kind = (later->collation != NULL) == (earlier->collation != NULL);
    return same_kind && strcasecmp(later->name, earlier->name) == 0 &&
           (later->collation != NULL || later->argument_count == earlier->argument_count);
}

br_status br_oltp_functions_new(br_oltp_functions **functions_out, br_error *err)
{
    br_oltp_functions *functions = br_heap_zalloc(sizeof *functions);
    if (functions == NULL) return br_fail(err, BR_NOMEM, "no memory for functions");
    br_lock_init(&functions->lock);
    *functions_out = functions;
    return BR_OK;
}

void br_oltp_functions_free(br_oltp_functions *functions)
{
    if (functions == NULL) return;
    for (uint32_t i = 0; i < functions->count; i++) definition_drop(functions->items[i]);
    br_heap_free(functions->items);
    br_lock_release(&functions->lock);
    br_heap_free(functions);
}

static bool items_reserve(br_oltp_functions *functions)
{
    if (functions->count < functions->capacity) return true;
    uint32_t capacity = functions->capacity == 0 ? 16 : functions->capacity * 2;
    shared_definition **items = br_heap_resize(functions->items, capacity * sizeof *items);
    if (items == NULL) return false;
    functions->items = items;
    functions->capacity = capacity;
    return true;
}

static br_status refuse(const br_oltp_definition *given, const char *why, br_error *err)
{
    if (given->destroy != NULL) given->destroy(given->context);
    return br_fail(err, BR_MISUSE, "'%s' %s", given->name, why);
}

// What SQLite would refuse on each connection, and collations that we compare with ourselves.
static br_status check_definition(const br_oltp_definition *given, br_error *err)
{
    static const char *const known[] = {"BINARY", "NOCASE", "RTRIM"};
    if (strlen(given->name) > NAME_BYTES_MAX) return refuse(given, "is too long a name", err);
    if (given->argument_count < -1 || given->argument_count > ARGUMENTS_MAX)
        return refuse(given, "has -1 to 127 arguments", err);
    for (size_t i = 0; i < sizeof known / sizeof *known && given->collation != NULL; i++) {
        if (strcasecmp(given->name, known[i]) == 0)
            return refuse(given, "is a collation that cannot be replaced", err);
    }
    return BR_OK;
}

br_status br_oltp_functions_add(br_oltp_functions *functions, const br_oltp_definition *definition,
                                br_error *err)
{
    BR_TRY(check_definition(definition, err));
    shared_definition *added = definition_new(definition), *replaced = NULL;
    if (added == NULL) return no_memory(definition, err);
    br_lock_take(&functions->lock);
    bool has_room = items_reserve(functions);
    if (has_room) {
        for (uint32_t i = 0; i < functions->count; i++) {
            shared_definition *item = functions->items[i];
            if (item == NULL || !replaces(definition, &item->given)) continue;
            replaced = item;
            functions->items[i] = NULL;
        }
        functions->items[functions->count] = added;
        // Pairs with the acquire of those who only look how many there are.
        atomic_fetch_add_explicit(&functions->count, 1, memory_order_release);
    }
    br_lock_give(&functions->lock);
    definition_drop(replaced);
    if (has_room) return BR_OK;
    definition_drop(added);  // which calls `destroy`
    return br_fail(err, BR_NOMEM, "no memory to define '%s'", definition->name);
}

uint32_t br_oltp_functions_generation(const br_oltp_functions *functions)
{
    // Pairs with the release in br_oltp_functions_add.
    return functions == NULL ? 0
                             : atomic_load_explicit(&functions->count, memory_order_acquire);
}

bool br_oltp_functions_has(br_oltp_functions *functions, const char *name, uint32_t argument_count)
{
    if (br_oltp_functions_generation(functions) == 0) return false;
    bool is_found = false;
    br_lock_take(&functions->lock);
    for (uint32_t i = 0; i < functions->count && !is_found; i++) {
        const shared_definition *item = functions->items[i];
        if (item == NULL || item->given.collation != NULL || item->given.is_like) continue;
        bool fits = item->given.argument_count < 0 ||
                    item->given.argument_count == (int32_t)argument_count;
        is_found = fits && strcasecmp(item->given.name, name) == 0;
    }
    br_lock_give(&functions->lock);
    return is_found;
}

bool br_oltp_functions_like_is_case_sensitive(br_oltp_functions *functions)
{
    if (br_oltp_functions_generation(functions) == 0) return false;
    bool is_sensitive = false;
    br_lock_take(&functions->lock);
    for (uint32_t i = 0; i < functions->count; i++) {
        const shared_definition *item = functions->items[i];
        if (item != NULL && item->given.is_like) is_sensitive = item->given.is_case_sensitive;
    }
    br_lock_give(&functions->lock);
    return is_sensitive;
}

br_status br_oltp_functions_note_like(br_oltp_functions *functions, br_oltp *writer,
                                      bool *is_told_out, br_error *err)
{
    int64_t ignores_case;
    *is_told_out = !br_oltp_functions_has(functions, "like", 2) &&
                   !br_oltp_functions_has(functions, "like", 3);
    if (!*is_told_out) return BR_OK;  // the pragma may have replaced it, or not have run at all
    BR_TRY(br_oltp_query_int(writer, "SELECT 'a' LIKE 'A'", 0, &ignores_case, err));
    bool is_sensitive = ignores_case == 0;
    if (is_sensitive == br_oltp_functions_like_is_case_sensitive(functions)) return BR_OK;
    br_oltp_definition like = {.name = "like", .is_like = true, .is_case_sensitive = is_sensitive};
    return br_oltp_functions_add(functions, &like, err);
}

void *br_oltp_collation_take(br_oltp_functions *functions, const char *name)
{
    shared_definition *found = NULL;
    if (br_oltp_functions_generation(functions) == 0) return NULL;
    br_lock_take(&functions->lock);
    for (uint32_t i = 0; i < functions->count && found == NULL; i++) {
        shared_definition *item = functions->items[i];
        if (item == NULL || item->given.collation == NULL) continue;
        if (strcasecmp(item->given.name, name) == 0) found = item;
    }
    if (found != NULL) atomic_fetch_add_explicit(&found->references, 1, memory_order_relaxed);
    br_lock_give(&functions->lock);
    return found;
}

void br_oltp_collation_drop(void *held)
{
    definition_drop(held);
}

// ---- calls -----------------------------------------------------------------------------------

static br_value value_of(sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    if (type == SQLITE_INTEGER) return br_value_int(sqlite3_value_int64(value));
    if (type == SQLITE_FLOAT) return br_value_real(sqlite3_value_double(value));
    if (type == SQLITE_NULL) return br_value_null();
    const void *bytes = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(value)
                                            : sqlite3_value_blob(value);
    uint32_t size = (uint32_t)sqlite3_value_bytes(value);
    br_text text = br_text_make(bytes == NULL ? "" : bytes, bytes == NULL ? 0 : size);
    return type == SQLITE_TEXT ? br_value_text(text) : br_value_blob(text);
}

static void call_function(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    shared_definition *definition = sqlite3_user_data(context);
    br_value values[ARGUMENTS_MAX];
    br_assert(count <= ARGUMENTS_MAX);
    for (int i = 0; i < count; i++) values[i] = value_of(arguments[i]);
    br_oltp_call call = {.context = context, .definition = definition};
    if (!definition->given.is_thread_safe) br_lock_take(&definition->lock);
    definition->given.function(&call, (uint32_t)count, values);
    if (!definition->given.is_thread_safe) br_lock_give(&definition->lock);
}

int br_oltp_collate(void *held, br_text left, br_text right)
{
    shared_definition *definition = held;
    if (!definition->given.is_thread_safe) br_lock_take(&definition->lock);
    int order = definition->given.collation(definition->given.context, left, right);
    if (!definition->given.is_thread_safe) br_lock_give(&definition->lock);
    return order;
}

static int call_collation(void *pointer, int left_size, const void *left, int right_size,
                          const void *right)
{
    return br_oltp_collate(pointer, br_text_make(left, (uint32_t)left_size),
                           br_text_make(right, (uint32_t)right_size));
}

void *br_oltp_call_context(const br_oltp_call *call)
{
    return call->definition->given.context;
}

void br_oltp_call_return(br_oltp_call *call, const br_value *value)
{
    br_text text = br_text_make("", 0);
    bool has_bytes = value->class_ == BR_TEXT || value->class_ == BR_BLOB;
    if (has_bytes && value->text.size > 0) text = value->text;
    switch ((br_class)value->class_) {
    case BR_INT: sqlite3_result_int64(call->context, value->i64); break;
    case BR_REAL: sqlite3_result_double(call->context, value->f64); break;
    case BR_TEXT:
        sqlite3_result_text64(call->context, text.data, text.size, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case BR_BLOB:
        sqlite3_result_blob64(call->context, text.data, text.size, SQLITE_TRANSIENT);
        break;
    default: sqlite3_result_null(call->context); break;
    }
}

void br_oltp_call_fail(br_oltp_call *call, const char *message)
{
    sqlite3_result_error(call->context, message, -1);
}

// ---- connections -----------------------------------------------------------------------------

// Gives the connection one more hold on the definition, unless it fails.
static int define(sqlite3 *handle, shared_definition *definition)
{
    const br_oltp_definition *given = &definition->given;
    atomic_fetch_add_explicit(&definition->references, 1, memory_order_relaxed);
    if (given->collation != NULL) {
        int code = sqlite3_create_collation_v2(handle, given->name, SQLITE_UTF8, definition,
                                               call_collation, definition_drop);
        if (code != SQLITE_OK) definition_drop(definition);  // unlike for functions, it is ours
        return code;
    }
    if (given->is_like) {
        definition_drop(definition);
        return sqlite3_exec(handle, given->is_case_sensitive ? "PRAGMA case_sensitive_like = 1"
                                                             : "PRAGMA case_sensitive_like = 0",
                            NULL, NULL, NULL);
    }
    int flags = SQLITE_UTF8 | (given->is_deterministic ? SQLITE_DETERMINISTIC : 0);
    return sqlite3_create_function_v2(handle, given->name, given->argument_count, flags,
                                      definition, given->function != NULL ? call_function : NULL,
                                      NULL, NULL, definition_drop);
}

br_status br_oltp_refresh(br_oltp *oltp, br_error *err)
{
    br_oltp_functions *functions = oltp->functions;
    while (oltp->functions_seen < br_oltp_functions_generation(functions)) {
        br_lock_take(&functions->lock);
        shared_definition *definition = functions->items[oltp->functions_seen];
        if (definition != NULL)
            atomic_fetch_add_explicit(&definition->references, 1, memory_order_relaxed);
        br_lock_give(&functions->lock);
        // Outside of the lock: what is replaced calls the application's destructor.
        int code = definition == NULL ? SQLITE_OK : define(oltp->handle, definition);
        definition_drop(definition);
        if (code != SQLITE_OK)
            return br_oltp_fail(oltp->handle, oltp->path, code, BR_OLTP_RUNNING, err);
        oltp->functions_seen++;
    }
    return BR_OK;
}

void br_oltp_functions_note_writer(br_oltp_functions *functions, const br_oltp *writer)
{
    int64_t total_changes = writer->own != NULL ? br_own_total_changes(writer->own)
                                                : sqlite3_total_changes64(writer->handle);
    atomic_store_explicit(&functions->changes, br_oltp_changes(writer), memory_order_relaxed);
    atomic_store_explicit(&functions->total_changes, total_changes, memory_order_relaxed);
    atomic_store_explicit(&functions->last_rowid, sqlite3_last_insert_rowid(writer->handle),
                          memory_order_relaxed);
}

static void writer_counter(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    _Atomic int64_t *counter = sqlite3_user_data(context);
    (void)count;
    (void)arguments;
    sqlite3_result_int64(context, atomic_load_explicit(counter, memory_order_relaxed));
}

int br_oltp_add_writer_counters(br_oltp *oltp)
{
    br_oltp_functions *functions = oltp->functions;
    const struct {
        const char *name;
        _Atomic int64_t *counter;
    } counters[] = {{"changes", &functions->changes},
                    {"total_changes", &functions->total_changes},
                    {"last_insert_rowid", &functions->last_rowid}};
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof counters / sizeof *counters && code == SQLITE_OK; i++) {
        code = sqlite3_create_function_v2(oltp->handle, counters[i].name, 0,
                                          SQLITE_UTF8 | SQLITE_INNOCUOUS, counters[i].counter,
                                          writer_counter, NULL, NULL, NULL);
    }
    return code;
}
