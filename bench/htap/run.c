// run.c - clients of both kinds for some seconds, and what they measured, as one line of JSON.
//
// Each client that does transactions is a process of its own. All clients that ask queries are
// threads of one more process, which with Braid share one handle of one thread each: a client keeps
// one core busy. Everything they measure lies in memory that all of them share.
// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "htap.h"

enum {
    QUERIES = 22,
    TRANSACTIONS_MAX = 1 << 20,  // per client
    SAMPLES_MAX = 1 << 20,       // per client
    QUERY_CLIENTS_MAX = 16,
};

static const uint64_t WARM_UP_NS = 500 * 1000000u;

typedef struct transaction_log {
    _Atomic uint64_t committed_ns[TRANSACTIONS_MAX];  // by number; 0: not yet. Release, acquire
    float latency_us[TRANSACTIONS_MAX];
    uint32_t count, new_orders, rolled_back;  // in the measured time
} transaction_log;

typedef struct query_log {
    float query_ms[SAMPLES_MAX];
    uint8_t query[SAMPLES_MAX];
    float probe_ms[SAMPLES_MAX], age_ms[SAMPLES_MAX];
    uint32_t query_count, probe_count;
} query_log;

// What the processes share.
typedef struct board {
    _Atomic uint32_t ready;
    _Atomic bool may_start, is_measured, must_stop;  // acquire, release
    transaction_log transactions[CLIENTS_MAX];
    query_log queries[QUERY_CLIENTS_MAX];
} board;

static bool is_set(const _Atomic bool *flag)
{
    return atomic_load_explicit(flag, memory_order_acquire);
}

static void set(_Atomic bool *flag)
{
    atomic_store_explicit(flag, true, memory_order_release);
}

static void wait_for_start(board *shared)
{
    atomic_fetch_add_explicit(&shared->ready, 1, memory_order_acq_rel);
    while (!is_set(&shared->may_start)) usleep(1000);
}

// ---- transactions -------------------------------------------------------------------------------

static void run_transactions(const htap_setting *setting, board *shared, uint32_t client)
{
    htap_scale scale = data_scale(setting->path);
    htap_session *session = session_open(setting->path, setting->transactions_by_braid);
    htap_terminal *terminal = terminal_new(session, &scale, client);
    transaction_log *log = &shared->transactions[client];
    wait_for_start(shared);
    for (int64_t number = 1; number < TRANSACTIONS_MAX && !is_set(&shared->must_stop); number++) {
        htap_kind kind;
        uint64_t began_ns = now_ns();
        bool is_kept = terminal_run(terminal, number, &kind);
        uint64_t ended_ns = now_ns();
        if (is_kept)
            atomic_store_explicit(&log->committed_ns[number], ended_ns, memory_order_release);
        if (!is_set(&shared->is_measured) || is_set(&shared->must_stop)) continue;
        log->rolled_back += !is_kept;
        if (!is_kept) continue;
        log->latency_us[log->count++] = (float)(ended_ns - began_ns) / 1e3f;
        log->new_orders += kind == NEW_ORDER;
    }
    terminal_free(terminal);
    session_close(session);
}

// ---- queries ------------------------------------------------------------------------------------

typedef struct query_client {
    const htap_setting *setting;
    board *shared;
    query_log *log;
    char *const *queries;
    uint32_t number;
    braid *braid;     // shared by the clients; NULL: `sqlite` is this client's own
    sqlite3 *sqlite;
} query_client;

static const char probe_sql[] = "SELECT client, number FROM freshness ORDER BY client";

// How long ago did the first transaction commit that the probe, begun at `began_ns`, has not seen?
// A number that was rolled back is skipped.
static uint64_t age_ns(query_client *self, uint32_t client, int64_t seen, uint64_t began_ns)
{
    transaction_log *log = &self->shared->transactions[client];
    for (int64_t number = seen + 1; number < TRANSACTIONS_MAX && number <= seen + 64; number++) {
        uint64_t committed_ns =
            atomic_load_explicit(&log->committed_ns[number], memory_order_acquire);
        if (committed_ns != 0) return committed_ns < began_ns ? began_ns - committed_ns : 0;
    }
    return 0;
}

static void note_probe(query_client *self, const int64_t *seen, uint64_t began_ns,
                       uint64_t ended_ns)
{
    uint64_t oldest_ns = 0;
    for (uint32_t i = 0; i < self->setting->transaction_clients; i++) {
        uint64_t age = age_ns(self, i, seen[i], began_ns);
        if (age > oldest_ns) oldest_ns = age;
    }
    query_log *log = self->log;
    if (!is_set(&self->shared->is_measured) || log->probe_count == SAMPLES_MAX) return;
    log->probe_ms[log->probe_count] = (float)(ended_ns - began_ns) / 1e6f;
    log->age_ms[log->probe_count++] = (float)oldest_ns / 1e6f;
}

static braid_statement *prepare_braid(query_client *self, const char *sql)
{
    braid_statement *statement;
    if (braid_prepare(self->braid, sql, &statement, NULL) != BRAID_OK)
        fail("%s: %s", sql, braid_error_message(self->braid));
    braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
    braid_statement_set_freshness(statement, self->setting->freshness);
    return statement;
}

// False: it was interrupted at the end.
static bool run_braid(query_client *self, braid_statement *statement, braid_result **result_out)
{
    braid_status status = braid_run(statement, result_out);
    if (status == BRAID_INTERRUPTED && is_set(&self->shared->must_stop)) return false;
    if (status != BRAID_OK) fail("query: %s", braid_error_message(self->braid));
    return true;
}

static bool probe_braid(query_client *self, braid_statement *probe)
{
    braid_result *result;
    int64_t seen[CLIENTS_MAX];
    uint64_t began_ns = now_ns();
    if (!run_braid(self, probe, &result)) return false;
    uint64_t ended_ns = now_ns();
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) seen[i] = braid_value_get(result, i, 1).as.integer;
    braid_result_free(result);
    note_probe(self, seen, began_ns, ended_ns);
    return true;
}

// False: it was interrupted at the end.
static bool run_sqlite(query_client *self, sqlite3_stmt *statement, int64_t *seen)
{
    int code;
    for (int i = 0; (code = sqlite3_step(statement)) == SQLITE_ROW; i++) {
        if (seen != NULL && i < CLIENTS_MAX) seen[i] = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    if (code == SQLITE_INTERRUPT && is_set(&self->shared->must_stop)) return false;
    if (code != SQLITE_DONE) fail("query: %s", sqlite3_errmsg(self->sqlite));
    return true;
}

static bool probe_sqlite(query_client *self, sqlite3_stmt *probe)
{
    int64_t seen[CLIENTS_MAX] = {0};
    uint64_t began_ns = now_ns();
    if (!run_sqlite(self, probe, seen)) return false;
    note_probe(self, seen, began_ns, now_ns());
    return true;
}

static void note_query(query_client *self, uint32_t query, uint64_t began_ns)
{
    query_log *log = self->log;
    if (!is_set(&self->shared->is_measured) || is_set(&self->shared->must_stop) ||
        log->query_count == SAMPLES_MAX)
        return;
    log->query_ms[log->query_count] = (float)(now_ns() - began_ns) / 1e6f;
    log->query[log->query_count++] = (uint8_t)(query + 1);
}

static sqlite3_stmt *prepare_sqlite(query_client *self, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(self->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
        fail("%s: %s", sql, sqlite3_errmsg(self->sqlite));
    return statement;
}

// Every client asks the queries in an order of its own, so that they do not march in step.
static uint32_t query_at(const query_client *self, uint64_t position)
{
    return (uint32_t)((position * 7 + self->number * 5u) % QUERIES);  // 7 and 22 have no divisor
}

static void ask_braid(query_client *self)
{
    braid_statement *statements[QUERIES], *probe = prepare_braid(self, probe_sql);
    for (int i = 0; i < QUERIES; i++) statements[i] = prepare_braid(self, self->queries[i]);
    wait_for_start(self->shared);
    for (uint64_t position = 0; !is_set(&self->shared->must_stop); position++) {
        uint32_t query = query_at(self, position);
        braid_result *result;
        if (!probe_braid(self, probe)) break;
        uint64_t began_ns = now_ns();
        if (!run_braid(self, statements[query], &result)) break;
        note_query(self, query, began_ns);
        braid_result_free(result);
    }
    for (int i = 0; i < QUERIES; i++) braid_statement_close(statements[i]);
    braid_statement_close(probe);
}

static int stops(void *context)
{
    return is_set(&((board *)context)->must_stop);
}

static void ask_sqlite(query_client *self)
{
    if (sqlite3_open(self->setting->path, &self->sqlite) != SQLITE_OK) fail("cannot open the file");
    sqlite3_progress_handler(self->sqlite, 10000, stops, self->shared);
    sqlite3_stmt *statements[QUERIES], *probe = prepare_sqlite(self, probe_sql);
    for (int i = 0; i < QUERIES; i++) statements[i] = prepare_sqlite(self, self->queries[i]);
    wait_for_start(self->shared);
    for (uint64_t position = 0; !is_set(&self->shared->must_stop); position++) {
        uint32_t query = query_at(self, position);
        if (!probe_sqlite(self, probe)) break;
        uint64_t began_ns = now_ns();
        if (!run_sqlite(self, statements[query], NULL)) break;
        note_query(self, query, began_ns);
    }
    for (int i = 0; i < QUERIES; i++) sqlite3_finalize(statements[i]);
    sqlite3_finalize(probe);
    sqlite3_close(self->sqlite);
}

static void *run_query_client(void *context)
{
    query_client *self = context;
    if (self->braid != NULL) ask_braid(self);
    else ask_sqlite(self);
    return NULL;
}

static char *read_query(const char *folder, int number)
{
    char path[600];
    snprintf(path, sizeof path, "%s/q%02d.sql", folder, number);
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 8192);
    if (file == NULL || text == NULL || fread(text, 1, 8191, file) == 0)
        fail("cannot read %s", path);
    fclose(file);
    return text;
}

static void run_queries(const htap_setting *setting, board *shared)
{
    char *queries[QUERIES];
    braid *db = NULL;
    pthread_t threads[QUERY_CLIENTS_MAX];
    static query_client clients[QUERY_CLIENTS_MAX];
    for (int i = 0; i < QUERIES; i++) queries[i] = read_query(setting->queries, i + 1);
    braid_config config;
    braid_config_init(&config);
    config.threads = 1;
    if (setting->is_braid && braid_open(setting->path, &config, &db) != BRAID_OK)
        fail("%s: %s", setting->path, braid_error_message(db));
    for (uint32_t i = 0; i < setting->query_clients; i++) {
        clients[i] = (query_client){.setting = setting, .shared = shared, .braid = db,
                                    .log = &shared->queries[i], .queries = queries, .number = i};
        if (pthread_create(&threads[i], NULL, run_query_client, &clients[i]) != 0)
            fail("no thread");
    }
    while (!is_set(&shared->must_stop)) usleep(2000);
    if (db != NULL) braid_interrupt(db);
    for (uint32_t i = 0; i < setting->query_clients; i++) pthread_join(threads[i], NULL);
    braid_close(db);
    for (int i = 0; i < QUERIES; i++) free(queries[i]);
}

// ---- what was measured --------------------------------------------------------------------------

static int compare_floats(const void *left, const void *right)
{
    float l = *(const float *)left, r = *(const float *)right;
    return (l > r) - (l < r);
}

typedef struct samples {
    float *values;
    uint32_t count;
} samples;

static void samples_add(samples *all, const float *values, uint32_t count)
{
    all->values = realloc(all->values, (all->count + count + 1) * sizeof *values);
    if (all->values == NULL) fail("no memory");
    if (count > 0) memcpy(all->values + all->count, values, count * sizeof *values);
    all->count += count;
}

static void print_percentiles(const char *name, samples *all)
{
    static const double wanted[] = {0.5, 0.95, 0.99, 1};
    if (all->count > 0) qsort(all->values, all->count, sizeof *all->values, compare_floats);
    printf(",\"%s\":[", name);
    for (int i = 0; i < 4; i++) {
        double value = all->count == 0 ? 0 : all->values[(uint32_t)(wanted[i] * (all->count - 1))];
        printf("%s%.3f", i == 0 ? "" : ",", value);
    }
    printf("]");
    free(all->values);
}

static void print_transactions(const htap_setting *setting, const board *shared, double seconds)
{
    samples latencies = {0};
    uint64_t count = 0, new_orders = 0, rolled_back = 0;
    for (uint32_t i = 0; i < setting->transaction_clients; i++) {
        const transaction_log *log = &shared->transactions[i];
        samples_add(&latencies, log->latency_us, log->count);
        count += log->count;
        new_orders += log->new_orders;
        rolled_back += log->rolled_back;
    }
    printf(",\"tps\":%.1f,\"new_orders_per_minute\":%.0f,\"rolled_back\":%llu",
           (double)count / seconds, (double)new_orders * 60 / seconds,
           (unsigned long long)rolled_back);
    print_percentiles("latency_us", &latencies);
}

// Mean time of each query that was answered, and their geometric mean.
static void print_query_times(const htap_setting *setting, const board *shared)
{
    double sums[QUERIES + 1] = {0}, logarithms = 0;
    uint32_t counts[QUERIES + 1] = {0}, answered = 0;
    for (uint32_t i = 0; i < setting->query_clients; i++) {
        const query_log *log = &shared->queries[i];
        for (uint32_t k = 0; k < log->query_count; k++) {
            sums[log->query[k]] += (double)log->query_ms[k];
            counts[log->query[k]]++;
        }
    }
    printf(",\"query_ms\":[");
    for (int i = 1; i <= QUERIES; i++) {
        printf("%s%.3f", i == 1 ? "" : ",", counts[i] == 0 ? 0 : sums[i] / counts[i]);
        if (counts[i] == 0) continue;
        logarithms += log(sums[i] / counts[i]);
        answered++;
    }
    printf("],\"geometric_mean_ms\":%.3f", answered == 0 ? 0 : exp(logarithms / answered));
}

static void print_queries(const htap_setting *setting, const board *shared, double seconds)
{
    samples probes = {0}, ages = {0};
    uint64_t count = 0;
    for (uint32_t i = 0; i < setting->query_clients; i++) {
        const query_log *log = &shared->queries[i];
        samples_add(&probes, log->probe_ms, log->probe_count);
        samples_add(&ages, log->age_ms, log->probe_count);
        count += log->query_count;
    }
    printf(",\"qps\":%.3f", (double)count / seconds);
    print_percentiles("age_ms", &ages);
    print_percentiles("probe_ms", &probes);
    print_query_times(setting, shared);
}

// ---- all of it ----------------------------------------------------------------------------------

static pid_t start(const htap_setting *setting, board *shared, int client)
{
    fflush(stdout);
    pid_t process = fork();
    if (process < 0) fail("cannot fork");
    if (process > 0) return process;
    if (client < 0) run_queries(setting, shared);
    else run_transactions(setting, shared, (uint32_t)client);
    exit(0);
}

static void wait_until_ready(const board *shared, uint32_t count)
{
    while (atomic_load_explicit(&shared->ready, memory_order_acquire) < count) {
        int status;
        usleep(1000);
        if (waitpid(-1, &status, WNOHANG) > 0) fail("a client ended too early");
    }
}

static void sleep_ns(uint64_t duration_ns)
{
    uint64_t until_ns = now_ns() + duration_ns;
    while (now_ns() < until_ns) usleep(1000);
}

void run_setting(const htap_setting *setting)
{
    pid_t processes[CLIENTS_MAX + 1];
    uint32_t count = 0;
    // Without swap or huge pages behind it: only what is touched takes memory.
    board *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) fail("no memory to share");
    // First the queries: their process looks after the copy.
    if (setting->query_clients > 0) processes[count++] = start(setting, shared, -1);
    wait_until_ready(shared, setting->query_clients);
    for (uint32_t i = 0; i < setting->transaction_clients; i++)
        processes[count++] = start(setting, shared, (int)i);
    wait_until_ready(shared, setting->query_clients + setting->transaction_clients);
    set(&shared->may_start);
    sleep_ns(WARM_UP_NS);
    uint64_t began_ns = now_ns();
    set(&shared->is_measured);
    sleep_ns((uint64_t)(setting->seconds * 1e9));
    set(&shared->must_stop);
    double seconds = (double)(now_ns() - began_ns) / 1e9;
    for (uint32_t i = 0; i < count; i++) {
        int status;
        if (waitpid(processes[i], &status, 0) < 0 || status != 0) fail("a client failed");
    }
    printf("{\"system\":\"%s\",\"api\":\"%s\",\"transaction_clients\":%u,\"query_clients\":%u,"
           "\"freshness\":%lld,\"seconds\":%.3f",
           setting->is_braid ? "braid" : "sqlite",
           setting->transactions_by_braid ? "braid" : "sqlite",
           setting->transaction_clients, setting->query_clients, (long long)setting->freshness,
           seconds);
    print_transactions(setting, shared, seconds);
    print_queries(setting, shared, seconds);
    printf("}\n");
    munmap(shared, sizeof *shared);
}
