// transactions.c - the five transactions of TPC-C, in its mix.
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "htap.h"

static const int64_t FIRST_SECOND = 1325462400;  // 2012-01-02: behind what data.c makes

// Every statement of the transactions: a name and its text.
#define STATEMENTS(X)                                                                             \
    X(begin, "BEGIN IMMEDIATE")                                                                   \
    X(commit, "COMMIT")                                                                           \
    X(rollback, "ROLLBACK")                                                                       \
    X(note, "UPDATE freshness SET number = ?2 WHERE client = ?1")                                 \
    X(warehouse_tax, "SELECT w_tax FROM warehouse WHERE w_id = ?")                                \
    X(district_tax, "SELECT d_tax, d_next_o_id FROM district WHERE d_w_id = ? AND d_id = ?")      \
    X(district_next, "UPDATE district SET d_next_o_id = d_next_o_id + 1"                          \
                     " WHERE d_w_id = ? AND d_id = ?")                                            \
    X(customer_discount, "SELECT c_discount, c_last, c_credit FROM customer"                      \
                         " WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?")                         \
    X(order_insert, "INSERT INTO orders VALUES(?3, ?2, ?1, ?4, ?5, NULL, ?6, ?7)")                \
    X(new_order_insert, "INSERT INTO new_order VALUES(?3, ?2, ?1)")                               \
    X(item_select, "SELECT i_price, i_name, i_data FROM item WHERE i_id = ?")                     \
    X(stock_select, "SELECT s_quantity, s_data, s_dist_01, s_dist_02, s_dist_03, s_dist_04,"      \
                    " s_dist_05, s_dist_06, s_dist_07, s_dist_08, s_dist_09, s_dist_10"           \
                    " FROM stock WHERE s_w_id = ? AND s_i_id = ?")                                \
    X(stock_update, "UPDATE stock SET s_quantity = ?3, s_ytd = s_ytd + ?4,"                       \
                    " s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + ?5"            \
                    " WHERE s_w_id = ?1 AND s_i_id = ?2")                                         \
    X(line_insert, "INSERT INTO order_line VALUES(?3, ?2, ?1, ?4, ?5, ?6, NULL, ?7, ?8, ?9)")     \
    X(warehouse_pay, "UPDATE warehouse SET w_ytd = w_ytd + ?2 WHERE w_id = ?1")                   \
    X(warehouse_name, "SELECT w_name, w_city FROM warehouse WHERE w_id = ?")                      \
    X(district_pay, "UPDATE district SET d_ytd = d_ytd + ?3 WHERE d_w_id = ?1 AND d_id = ?2")     \
    X(district_name, "SELECT d_name, d_city FROM district WHERE d_w_id = ? AND d_id = ?")         \
    X(customer_by_name, "SELECT c_id FROM customer WHERE c_w_id = ? AND c_d_id = ?"               \
                        " AND c_last = ? ORDER BY c_first")                                       \
    X(customer_select, "SELECT c_balance, c_credit, c_data, c_first FROM customer"                \
                       " WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?")                           \
    X(customer_pay, "UPDATE customer SET c_balance = c_balance - ?4,"                             \
                    " c_ytd_payment = c_ytd_payment + ?4, c_payment_cnt = c_payment_cnt + 1"      \
                    " WHERE c_w_id = ?1 AND c_d_id = ?2 AND c_id = ?3")                           \
    X(customer_note, "UPDATE customer SET c_data = ?4"                                            \
                     " WHERE c_w_id = ?1 AND c_d_id = ?2 AND c_id = ?3")                          \
    X(history_insert, "INSERT INTO history VALUES(?3, ?2, ?1, ?5, ?4, ?6, ?7, ?8)")               \
    X(order_last, "SELECT o_id, o_entry_d, o_carrier_id FROM orders WHERE o_w_id = ?"             \
                  " AND o_d_id = ? AND o_c_id = ? ORDER BY o_id DESC LIMIT 1")                    \
    X(lines_select, "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d"       \
                    " FROM order_line WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?")         \
    X(new_order_first, "SELECT min(no_o_id) FROM new_order WHERE no_w_id = ? AND no_d_id = ?")    \
    X(new_order_delete, "DELETE FROM new_order WHERE no_w_id = ? AND no_d_id = ? AND no_o_id = ?") \
    X(order_customer, "SELECT o_c_id FROM orders WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?")   \
    X(order_carry, "UPDATE orders SET o_carrier_id = ?4"                                          \
                   " WHERE o_w_id = ?1 AND o_d_id = ?2 AND o_id = ?3")                            \
    X(lines_deliver, "UPDATE order_line SET ol_delivery_d = ?4"                                   \
                     " WHERE ol_w_id = ?1 AND ol_d_id = ?2 AND ol_o_id = ?3")                     \
    X(lines_sum, "SELECT sum(ol_amount) FROM order_line"                                          \
                 " WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?")                            \
    X(customer_deliver, "UPDATE customer SET c_balance = c_balance + ?4,"                         \
                        " c_delivery_cnt = c_delivery_cnt + 1"                                    \
                        " WHERE c_w_id = ?1 AND c_d_id = ?2 AND c_id = ?3")                       \
    X(stock_low, "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = ?1"        \
                 " AND ol_d_id = ?2 AND ol_o_id < ?3 AND ol_o_id >= ?3 - 20 AND s_w_id = ?1"      \
                 " AND s_i_id = ol_i_id AND s_quantity < ?4")

struct htap_terminal {
    const htap_scale *scale;
    htap_random random;
    int64_t client;
    int64_t warehouse;  // its home
    char now[20];
#define DECLARE(name, sql) htap_statement *name;
    STATEMENTS(DECLARE)
#undef DECLARE
};

htap_terminal *terminal_new(htap_session *session, const htap_scale *scale, uint32_t client)
{
    htap_terminal *self = calloc(1, sizeof *self);
    if (self == NULL) fail("no memory");
    self->scale = scale;
    self->random = random_seeded(scale->seed, client + 1);
    self->client = client;
    self->warehouse = client % scale->warehouses + 1;
#define PREPARE(name, sql) self->name = session_prepare(session, sql);
    STATEMENTS(PREPARE)
#undef PREPARE
    return self;
}

void terminal_free(htap_terminal *terminal)
{
    free(terminal);
}

// Numbers as the first parameters.
static htap_statement *with(htap_statement *statement, int count, const int64_t *numbers)
{
    for (int i = 0; i < count; i++) bind_int(statement, i + 1, numbers[i]);
    return statement;
}

#define WITH(statement, ...)                                                        \
    with(statement, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),      \
         (int64_t[]){__VA_ARGS__})

static int64_t between(htap_terminal *self, uint32_t low, uint32_t high)
{
    return random_between(&self->random, low, high);
}

// Any but the home warehouse; the home itself when there is no other.
static int64_t remote_warehouse(htap_terminal *self)
{
    uint32_t count = self->scale->warehouses;
    if (count == 1) return self->warehouse;
    int64_t other = between(self, 1, count - 1);
    return other < self->warehouse ? other : other + 1;
}

static int64_t any_customer(htap_terminal *self)
{
    return random_skewed(&self->random, self->scale->customers);
}

// Three of five customers are known by name: the one in the middle.
static int64_t find_customer(htap_terminal *self, int64_t warehouse, int64_t district)
{
    if (between(self, 1, 100) > 60) return any_customer(self);
    char name[20];
    int64_t ids[64];
    int count = 0;
    last_name(random_skewed(&self->random, last_name_count(self->scale)) - 1, name);
    bind_text(WITH(self->customer_by_name, warehouse, district), 3, name);
    while (step(self->customer_by_name)) {
        if (count < 64) ids[count++] = column_int(self->customer_by_name, 0);
    }
    return count == 0 ? any_customer(self) : ids[count / 2];
}

// ---- new order ----------------------------------------------------------------------------------

typedef struct htap_order {
    int64_t district, customer, number, line_count;
    int64_t items[15], suppliers[15], quantities[15];
    bool is_local;
} htap_order;

static htap_order choose_order(htap_terminal *self)
{
    htap_order made = {.district = between(self, 1, DISTRICTS), .customer = any_customer(self),
                  .line_count = between(self, 5, 15), .is_local = true};
    for (int64_t i = 0; i < made.line_count; i++) {
        made.items[i] = random_skewed(&self->random, self->scale->items);
        bool is_remote = between(self, 1, 100) == 1;
        made.suppliers[i] = is_remote ? remote_warehouse(self) : self->warehouse;
        made.quantities[i] = between(self, 1, 10);
        if (made.suppliers[i] != self->warehouse) made.is_local = false;
    }
    if (between(self, 1, 100) == 1) made.items[made.line_count - 1] = self->scale->items + 1;
    return made;
}

// False: there is no such item.
static bool add_line(htap_terminal *self, const htap_order *order, int64_t i)
{
    int64_t item = order->items[i], supplier = order->suppliers[i], quantity = order->quantities[i];
    if (!step(WITH(self->item_select, item))) return false;
    double amount = column_real(self->item_select, 0) * (double)quantity;
    finish(self->item_select);
    if (!step(WITH(self->stock_select, supplier, item))) fail("no stock of item %d", (int)item);
    int64_t in_stock = column_int(self->stock_select, 0);
    char info[40];
    snprintf(info, sizeof info, "%s", column_text(self->stock_select, (int)order->district + 1));
    finish(self->stock_select);
    in_stock -= quantity;
    if (in_stock < 10) in_stock += 91;
    finish(WITH(self->stock_update, supplier, item, in_stock, quantity,
                supplier != self->warehouse));
    htap_statement *line = WITH(self->line_insert, self->warehouse, order->district,
                                order->number, i + 1, item, supplier, quantity);
    bind_real(line, 8, amount);
    bind_text(line, 9, info);
    finish(line);
    return true;
}

static bool new_order(htap_terminal *self)
{
    htap_order order = choose_order(self);
    finish(WITH(self->warehouse_tax, self->warehouse));
    if (!step(WITH(self->district_tax, self->warehouse, order.district))) fail("no district");
    order.number = column_int(self->district_tax, 1);
    finish(self->district_tax);
    finish(WITH(self->district_next, self->warehouse, order.district));
    finish(WITH(self->customer_discount, self->warehouse, order.district, order.customer));
    htap_statement *insert = WITH(self->order_insert, self->warehouse, order.district, order.number,
                             order.customer);
    bind_text(insert, 5, self->now);
    bind_int(insert, 6, order.line_count);
    bind_int(insert, 7, order.is_local);
    finish(insert);
    finish(WITH(self->new_order_insert, self->warehouse, order.district, order.number));
    for (int64_t i = 0; i < order.line_count; i++) {
        if (!add_line(self, &order, i)) return false;
    }
    return true;
}

// ---- the others ---------------------------------------------------------------------------------

// Customers with bad credit carry a note of all they paid.
static void note_payment(htap_terminal *self, const int64_t customer[3], double amount)
{
    char data[501], noted[501];
    htap_statement *select = with(self->customer_select, 3, customer);
    if (!step(select)) fail("no customer");
    bool is_bad = strcmp(column_text(select, 1), "BC") == 0;
    snprintf(data, sizeof data, "%.400s", column_text(select, 2));
    finish(select);
    if (!is_bad) return;
    snprintf(noted, sizeof noted, "%u %u %u %.2f|%.400s", (uint32_t)customer[2],
             (uint32_t)customer[1], (uint32_t)customer[0], amount, data);
    bind_text(with(self->customer_note, 3, customer), 4, noted);
    finish(self->customer_note);
}

static void payment(htap_terminal *self)
{
    int64_t district = between(self, 1, DISTRICTS);
    bool is_remote = self->scale->warehouses > 1 && between(self, 1, 100) <= 15;
    int64_t customer[3] = {is_remote ? remote_warehouse(self) : self->warehouse,
                           is_remote ? between(self, 1, DISTRICTS) : district, 0};
    double amount = (double)between(self, 100, 500000) / 100.0;
    customer[2] = find_customer(self, customer[0], customer[1]);
    bind_real(WITH(self->warehouse_pay, self->warehouse), 2, amount);
    finish(self->warehouse_pay);
    finish(WITH(self->warehouse_name, self->warehouse));
    bind_real(WITH(self->district_pay, self->warehouse, district), 3, amount);
    finish(self->district_pay);
    finish(WITH(self->district_name, self->warehouse, district));
    bind_real(with(self->customer_pay, 3, customer), 4, amount);
    finish(self->customer_pay);
    note_payment(self, customer, amount);
    htap_statement *history = with(self->history_insert, 3, customer);
    bind_int(history, 4, self->warehouse);
    bind_int(history, 5, district);
    bind_text(history, 6, self->now);
    bind_real(history, 7, amount);
    bind_text(history, 8, "payment of a customer");
    finish(history);
}

static void order_status(htap_terminal *self)
{
    int64_t district = between(self, 1, DISTRICTS);
    int64_t customer = find_customer(self, self->warehouse, district);
    finish(WITH(self->customer_select, self->warehouse, district, customer));
    if (!step(WITH(self->order_last, self->warehouse, district, customer))) return;
    int64_t number = column_int(self->order_last, 0);
    finish(self->order_last);
    htap_statement *lines = WITH(self->lines_select, self->warehouse, district, number);
    while (step(lines)) (void)column_int(lines, 0);
}

static void deliver(htap_terminal *self, int64_t district, int64_t carrier)
{
    if (!step(WITH(self->new_order_first, self->warehouse, district))) fail("no minimum");
    int64_t number = column_int(self->new_order_first, 0);
    finish(self->new_order_first);
    if (number == 0) return;  // nothing is left to deliver
    int64_t key[3] = {self->warehouse, district, number};
    finish(with(self->new_order_delete, 3, key));
    if (!step(with(self->order_customer, 3, key))) fail("no order");
    int64_t customer = column_int(self->order_customer, 0);
    finish(self->order_customer);
    bind_int(with(self->order_carry, 3, key), 4, carrier);
    finish(self->order_carry);
    bind_text(with(self->lines_deliver, 3, key), 4, self->now);
    finish(self->lines_deliver);
    if (!step(with(self->lines_sum, 3, key))) fail("no sum");
    double amount = column_real(self->lines_sum, 0);
    finish(self->lines_sum);
    bind_real(WITH(self->customer_deliver, self->warehouse, district, customer), 4, amount);
    finish(self->customer_deliver);
}

static void delivery(htap_terminal *self)
{
    int64_t carrier = between(self, 1, 10);
    for (int64_t district = 1; district <= DISTRICTS; district++) deliver(self, district, carrier);
}

static void stock_level(htap_terminal *self)
{
    int64_t district = between(self, 1, DISTRICTS), limit = between(self, 10, 20);
    if (!step(WITH(self->district_tax, self->warehouse, district))) fail("no district");
    int64_t next = column_int(self->district_tax, 1);
    finish(self->district_tax);
    finish(WITH(self->stock_low, self->warehouse, district, next, limit));
}

// ---- the mix ------------------------------------------------------------------------------------

bool terminal_run(htap_terminal *self, int64_t number, htap_kind *kind_out)
{
    uint32_t dice = random_between(&self->random, 1, 100);
    htap_kind kind = dice <= 45   ? NEW_ORDER
                     : dice <= 88 ? PAYMENT
                     : dice <= 92 ? ORDER_STATUS
                     : dice <= 96 ? DELIVERY
                                  : STOCK_LEVEL;
    bool is_kept = true;
    *kind_out = kind;
    date_text(FIRST_SECOND + number, self->now);
    finish(self->begin);
    switch (kind) {
    case NEW_ORDER: is_kept = new_order(self); break;
    case PAYMENT: payment(self); break;
    case ORDER_STATUS: order_status(self); break;
    case DELIVERY: delivery(self); break;
    case STOCK_LEVEL: stock_level(self); break;
    }
    if (is_kept) finish(WITH(self->note, self->client, number));
    finish(is_kept ? self->commit : self->rollback);
    return is_kept;
}
