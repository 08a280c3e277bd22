// The same as open_and_query.c from C++: the C header is enough, two deleters make it safe.
//
//     c++ open_and_query_cxx.cc $(pkg-config --cflags --libs braid) && ./a.out
//
// SPDX-License-Identifier: Apache-2.0
#include <braid.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct CloseBraid {
    void operator()(braid *db) const { braid_close(db); }
};
struct FreeResult {
    void operator()(braid_result *result) const { braid_result_free(result); }
};
using Database = std::unique_ptr<braid, CloseBraid>;
using Result = std::unique_ptr<braid_result, FreeResult>;

static void check(braid_status status, const braid *db)
{
    if (status != BRAID_OK) throw std::runtime_error(braid_error_message(db));
}

static Database open_database(const std::string &path)
{
    braid_config config;
    braid_config_init(&config);
    config.create = 1;
    braid *handle = nullptr;
    braid_status status = braid_open(path.c_str(), &config, &handle);
    Database db(handle);  // also a handle that did not open is closed
    check(status, db.get());
    return db;
}

static Result query(const Database &db, const std::string &sql)
{
    braid_result *result = nullptr;
    check(braid_query(db.get(), sql.c_str(), &result), db.get());
    return Result(result);
}

static void expect(bool is_true, const char *what)
{
    if (!is_true) throw std::runtime_error(std::string("not as expected: ") + what);
}

int main()
{
    try {
        std::remove("sales_cxx.db");
        Database db = open_database("sales_cxx.db");
        check(braid_exec(db.get(), "CREATE TABLE sales(city TEXT, amount REAL);"
                                   "INSERT INTO sales VALUES ('Oslo', 12.5), ('Rome', 7.25),"
                                   "  ('Oslo', 30.0)"),
              db.get());

        Result totals =
            query(db, "SELECT city, sum(amount) FROM sales GROUP BY city ORDER BY city");
        for (uint64_t row = 0; row < braid_row_count(totals.get()); row++) {
            braid_value city = braid_value_get(totals.get(), row, 0);
            braid_value total = braid_value_get(totals.get(), row, 1);
            std::cout << std::string_view(city.as.text.data, city.as.text.size) << ' '
                      << total.as.real << '\n';
        }
        expect(braid_row_count(totals.get()) == 2, "two cities");
        expect(braid_value_get(totals.get(), 0, 1).as.real == 42.5, "Oslo's total");

        // What goes wrong is an exception with the database's words.
        try {
            query(db, "SELECT profit FROM sales");
            expect(false, "an unknown column is an error");
        } catch (const std::runtime_error &error) {
            std::cout << "error: " << error.what() << ", at byte " << braid_error_offset(db.get())
                      << '\n';
            expect(braid_error_offset(db.get()) == 7, "where the error is");
        }
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
