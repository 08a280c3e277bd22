// data.c - makes a database, the same for the same scale and seed.
// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "htap.h"

static const int64_t FIRST_SECOND = 1167609600;  // 2007-01-01, the first order
static const int64_t ORDER_SECONDS = 4 * 365 * 86400;

enum { NEW_PERCENT = 30, NAME_BYTES = 64 };

typedef struct maker {
    sqlite3 *db;
    const htap_scale *scale;
    htap_random random;
} maker;

static void execute(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail("%s: %s", sql, message);
}

static sqlite3_stmt *prepare_insert(maker *self, const char *table, int column_count)
{
    char sql[200];
    sqlite3_stmt *statement;
    int size = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES(?", table);
    for (int i = 1; i < column_count; i++)
        size += snprintf(sql + size, sizeof sql - (size_t)size, ",?");
    snprintf(sql + size, sizeof sql - (size_t)size, ")");
    if (sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail("%s: %s", sql, sqlite3_errmsg(self->db));
    return statement;
}

// One row: per value a letter, i for int64_t, r for double, t for a text, n for NULL.
static void insert(maker *self, sqlite3_stmt *statement, const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    for (int i = 1; *kinds != '\0'; kinds++, i++) {
        if (*kinds == 'i') sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
        else if (*kinds == 'r') sqlite3_bind_double(statement, i, va_arg(values, double));
        else if (*kinds == 'n') sqlite3_bind_null(statement, i);
        else sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_STATIC);
    }
    va_end(values);
    if (sqlite3_step(statement) != SQLITE_DONE) fail("insert: %s", sqlite3_errmsg(self->db));
    sqlite3_reset(statement);
}

static double random_cents(maker *self, uint32_t low, uint32_t high)
{
    return random_between(&self->random, low, high) / 100.0;
}

static const char *text(maker *self, uint32_t low, uint32_t high, char *out)
{
    random_text(&self->random, low, high, out);
    return out;
}

// One in ten has ORIGINAL somewhere.
static const char *data_of(maker *self, char *out)
{
    text(self, 26, 50, out);
    if (random_between(&self->random, 1, 10) == 1)
        memcpy(out + random_between(&self->random, 0, 17), "ORIGINAL", 8);
    return out;
}

typedef struct address {
    char street_1[NAME_BYTES], street_2[NAME_BYTES], city[NAME_BYTES], state[NAME_BYTES],
        zip[NAME_BYTES];
} address;

static address make_address(maker *self)
{
    address made;
    text(self, 10, 20, made.street_1);
    text(self, 10, 20, made.street_2);
    text(self, 10, 20, made.city);
    text(self, 2, 2, made.state);
    snprintf(made.zip, sizeof made.zip, "%04u11111", random_between(&self->random, 0, 9999));
    return made;
}

// ---- the part of TPC-H --------------------------------------------------------------------------

static void make_nations(maker *self)
{
    static const char *const regions[] = {"Africa", "America", "Asia", "Europe", "Middle East"};
    static const char *const names[] = {
        "Algeria",   "Argentina", "Brazil",     "Canada",    "Egypt",      "Ethiopia", "France",
        "Germany",   "India",     "Indonesia",  "Iran",      "Iraq",       "Japan",    "Jordan",
        "Kenya",     "Morocco",   "Mozambique", "Peru",      "China",      "Romania",
        "Saudi Arabia",
        "Vietnam",   "Russia",    "UK",         "USA",       "Cambodia",   "Chile",    "Cuba",
        "Denmark",   "Ecuador",   "Estonia",    "Finland",   "Ghana",      "Greece",   "Haiti",
        "Hungary",   "Iceland",   "Ireland",    "Israel",    "Italy",      "Jamaica",  "Kuwait",
        "Laos",      "Latvia",    "Lebanon",    "Libya",     "Lithuania",  "Mali",     "Malta",
        "Mexico",    "Nepal",     "Netherlands", "Niger",    "Norway",     "Oman",     "Panama",
        "Poland",    "Portugal",  "Qatar",      "Spain",     "Sweden",     "Turkey"};
    static const int in_region[] = {
        0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1, 2, 1, 1, 3, 1,
        3, 3, 0, 3, 1, 3, 3, 3, 4, 3, 1, 4, 2, 3, 4, 0, 3, 0, 3, 1, 2, 3, 0, 3, 4, 1, 3, 3, 4, 3,
        3, 4};
    char comment[100];
    sqlite3_stmt *region = prepare_insert(self, "region", 3);
    sqlite3_stmt *nation = prepare_insert(self, "nation", 4);
    for (int64_t i = 0; i < 5; i++)
        insert(self, region, "itt", i, regions[i], text(self, 20, 60, comment));
    for (int64_t i = 0; i < 62; i++) {
        // The codes of 0..9, A..Z, a..z, which a state may begin with.
        int64_t key = i < 10 ? '0' + i : i < 36 ? 'A' + i - 10 : 'a' + i - 36;
        insert(self, nation, "itit", key, names[i], (int64_t)in_region[i],
               text(self, 20, 60, comment));
    }
    sqlite3_finalize(region);
    sqlite3_finalize(nation);
}

static void make_suppliers(maker *self)
{
    char name[NAME_BYTES], place[NAME_BYTES], phone[NAME_BYTES], comment[120];
    sqlite3_stmt *supplier = prepare_insert(self, "supplier", 7);
    for (int64_t i = 0; i < SUPPLIERS; i++) {
        uint32_t letter = random_between(&self->random, 0, 61);
        int64_t nation = letter < 10 ? '0' + letter : letter < 36 ? 'A' + letter - 10
                                                                  : 'a' + letter - 36;
        snprintf(name, sizeof name, "Supplier#%09d", (int)i);
        text(self, 20, 90, comment);
        if (random_between(&self->random, 1, 100) == 1) memcpy(comment + 4, " bad ", 5);
        insert(self, supplier, "ittitrt", i, name, text(self, 10, 40, place), nation,
               text(self, 15, 15, phone), random_cents(self, 0, 1000000), comment);
    }
    sqlite3_finalize(supplier);
}

// ---- the part of TPC-C --------------------------------------------------------------------------

static void make_items(maker *self)
{
    char name[NAME_BYTES], data[NAME_BYTES];
    sqlite3_stmt *item = prepare_insert(self, "item", 5);
    for (int64_t i = 1; i <= self->scale->items; i++)
        insert(self, item, "iitrt", i, (int64_t)random_between(&self->random, 1, 10000),
               text(self, 14, 24, name), random_cents(self, 100, 10000), data_of(self, data));
    sqlite3_finalize(item);
}

static void make_stock(maker *self, int64_t warehouse)
{
    char dist[10][NAME_BYTES], data[NAME_BYTES];
    sqlite3_stmt *stock = prepare_insert(self, "stock", 17);
    for (int64_t i = 1; i <= self->scale->items; i++) {
        for (int k = 0; k < 10; k++) text(self, 24, 24, dist[k]);
        insert(self, stock, "iiittttttttttiiit", i, warehouse,
               (int64_t)random_between(&self->random, 10, 100), dist[0], dist[1], dist[2], dist[3],
               dist[4], dist[5], dist[6], dist[7], dist[8], dist[9], (int64_t)0, (int64_t)0,
               (int64_t)0, data_of(self, data));
    }
    sqlite3_finalize(stock);
}

static void make_customers(maker *self, int64_t warehouse, int64_t district)
{
    char first[NAME_BYTES], last[20], phone[NAME_BYTES], data[520], since[20];
    sqlite3_stmt *customer = prepare_insert(self, "customer", 21);
    sqlite3_stmt *history = prepare_insert(self, "history", 8);
    uint32_t names = last_name_count(self->scale);
    date_text(FIRST_SECOND, since);
    for (int64_t i = 1; i <= self->scale->customers; i++) {
        address at = make_address(self);
        last_name(i <= names ? (uint32_t)i - 1 : random_skewed(&self->random, names) - 1, last);
        for (int k = 0; k < 16; k++) phone[k] = (char)('0' + random_between(&self->random, 0, 9));
        phone[16] = '\0';
        bool is_bad = random_between(&self->random, 1, 10) == 1;
        insert(self, customer, "iiittttttttttt" "rrrriit", i, district, warehouse,
               text(self, 8, 16, first), "OE", last, at.street_1, at.street_2, at.city, at.state,
               at.zip, phone, since, is_bad ? "BC" : "GC", 50000.0,
               random_between(&self->random, 0, 5000) / 10000.0, -10.0, 10.0, (int64_t)1,
               (int64_t)0, text(self, 300, 500, data));
        insert(self, history, "iiiiitrt", i, district, warehouse, district, warehouse, since, 10.0,
               text(self, 12, 24, first));
    }
    sqlite3_finalize(customer);
    sqlite3_finalize(history);
}

// Customers 1..count in random order: each has one order.
static uint32_t *shuffled(maker *self, uint32_t count)
{
    uint32_t *numbers = malloc(count * sizeof *numbers);
    if (numbers == NULL) fail("no memory");
    for (uint32_t i = 0; i < count; i++) numbers[i] = i + 1;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t k = random_between(&self->random, 0, i - 1), kept = numbers[i - 1];
        numbers[i - 1] = numbers[k];
        numbers[k] = kept;
    }
    return numbers;
}

static void make_lines(maker *self, sqlite3_stmt *line, const int64_t key[3], int64_t count,
                       const char *delivered)
{
    char info[NAME_BYTES];
    for (int64_t i = 1; i <= count; i++) {
        int64_t item = random_between(&self->random, 1, self->scale->items);
        text(self, 24, 24, info);
        if (delivered == NULL)
            insert(self, line, "iiiiiinirt", key[2], key[1], key[0], i, item, key[0], (int64_t)5,
                   random_cents(self, 1, 999999), info);
        else
            insert(self, line, "iiiiiitirt", key[2], key[1], key[0], i, item, key[0], delivered,
                   (int64_t)5, 0.0, info);
    }
}

static void make_orders(maker *self, int64_t warehouse, int64_t district)
{
    sqlite3_stmt *order = prepare_insert(self, "orders", 8);
    sqlite3_stmt *line = prepare_insert(self, "order_line", 10);
    sqlite3_stmt *new_order = prepare_insert(self, "new_order", 3);
    uint32_t count = self->scale->customers;
    uint32_t *customers = shuffled(self, count);
    int64_t first_new = count - count * NEW_PERCENT / 100 + 1;
    for (int64_t i = 1; i <= count; i++) {
        char entered[20], delivered[20];
        int64_t second = FIRST_SECOND + ORDER_SECONDS * i / count + district;
        int64_t key[] = {warehouse, district, i};
        int64_t line_count = random_between(&self->random, 5, 15);
        bool is_new = i >= first_new;
        date_text(second, entered);
        date_text(second + random_between(&self->random, 3600, 7 * 86400), delivered);
        insert(self, order, is_new ? "iiiitnii" : "iiiitiii", i, district, warehouse,
               (int64_t)customers[i - 1], entered,
               is_new ? line_count : (int64_t)random_between(&self->random, 1, 10),
               is_new ? (int64_t)1 : line_count, (int64_t)1);
        make_lines(self, line, key, line_count, is_new ? NULL : delivered);
        if (is_new) insert(self, new_order, "iii", i, district, warehouse);
    }
    free(customers);
    sqlite3_finalize(order);
    sqlite3_finalize(line);
    sqlite3_finalize(new_order);
}

static void make_warehouse(maker *self, int64_t warehouse)
{
    char name[NAME_BYTES];
    address at = make_address(self);
    sqlite3_stmt *row = prepare_insert(self, "warehouse", 9);
    insert(self, row, "itttttt" "rr", warehouse, text(self, 6, 10, name), at.street_1, at.street_2,
           at.city, at.state, at.zip, random_between(&self->random, 0, 2000) / 10000.0,
           DISTRICTS * 10.0 * self->scale->customers);
    sqlite3_finalize(row);
    make_stock(self, warehouse);
    row = prepare_insert(self, "district", 11);
    for (int64_t district = 1; district <= DISTRICTS; district++) {
        at = make_address(self);
        insert(self, row, "iittttttrri", district, warehouse, text(self, 6, 10, name), at.street_1,
               at.street_2, at.city, at.state, at.zip,
               random_between(&self->random, 0, 2000) / 10000.0, 10.0 * self->scale->customers,
               (int64_t)self->scale->customers + 1);
        make_customers(self, warehouse, district);
        make_orders(self, warehouse, district);
    }
    sqlite3_finalize(row);
}

// ---- all of it ----------------------------------------------------------------------------------

static void make_schema(sqlite3 *db)
{
    FILE *file = fopen(HTAP_FOLDER "/schema.sql", "r");
    static char sql[16384];
    size_t size = file == NULL ? 0 : fread(sql, 1, sizeof sql - 1, file);
    if (size == 0) fail("cannot read %s", HTAP_FOLDER "/schema.sql");
    fclose(file);
    execute(db, sql);
}

static void make_rest(maker *self)
{
    sqlite3_stmt *freshness = prepare_insert(self, "freshness", 2);
    for (int64_t i = 0; i < CLIENTS_MAX; i++) insert(self, freshness, "ii", i, (int64_t)0);
    sqlite3_finalize(freshness);
    sqlite3_stmt *scale = prepare_insert(self, "scale", 4);
    insert(self, scale, "iiii", (int64_t)self->scale->warehouses, (int64_t)self->scale->customers,
           (int64_t)self->scale->items, (int64_t)self->scale->seed);
    sqlite3_finalize(scale);
}

void data_make(const char *path, const htap_scale *scale)
{
    maker self = {.scale = scale, .random = random_seeded(scale->seed, 0)};
    remove(path);
    if (sqlite3_open(path, &self.db) != SQLITE_OK) fail("%s: %s", path, sqlite3_errmsg(self.db));
    execute(self.db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
    make_schema(self.db);
    make_nations(&self);
    make_suppliers(&self);
    make_items(&self);
    for (int64_t i = 1; i <= scale->warehouses; i++) make_warehouse(&self, i);
    make_rest(&self);
    execute(self.db, "COMMIT; ANALYZE; PRAGMA journal_mode = WAL");
    sqlite3_close(self.db);
}

htap_scale data_scale(const char *path)
{
    htap_session *session = session_open(path, false);
    htap_statement *select =
        session_prepare(session, "SELECT warehouses, customers, items, seed FROM scale");
    if (!step(select)) fail("%s: no data", path);
    htap_scale scale = {(uint32_t)column_int(select, 0), (uint32_t)column_int(select, 1),
                        (uint32_t)column_int(select, 2), (uint64_t)column_int(select, 3)};
    session_close(session);
    return scale;
}
