// support_freshness.h - writers of numbered transactions, for the proof of freshness.
//
// Transaction n of a writer adds rows to `ledger`, takes old ones away, moves money between two
// accounts, and says in `counter` what then is true of its rows:
//
//     counter(writer, n, live, total)   n: the newest transaction; of its rows in ledger:
//     ledger(id, writer, n, amount)         max(n) = n, count(*) = live, sum(amount) = total
//     account(id, balance)              the sum of all balances never changes
//
// A transaction is written so that doing it twice is as good as once: a shell that outlives the
// killed writer that started it does no harm.
//
// The board is memory of all processes: what each writer has begun and what was acknowledged.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_TESTS_STRESS_SUPPORT_FRESHNESS_H
#define BR_TESTS_STRESS_SUPPORT_FRESHNESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRESHNESS_WRITERS_MAX = 8,
    FRESHNESS_READERS_MAX = 8,
    FRESHNESS_ACCOUNTS = 200,
    FRESHNESS_BALANCE = 100,
    FRESHNESS_KEEP = 40,  // transactions of a writer whose rows are kept
};

typedef enum freshness_kind {  // of a writer
    FRESHNESS_BRAID,
    FRESHNESS_SQLITE,
    FRESHNESS_PYTHON,
    FRESHNESS_SHELL,
    FRESHNESS_KINDS
} freshness_kind;

// Offsets are known to freshness_writer.py. All sequentially consistent: they order what processes
// do to each other.
typedef struct freshness_slot {
    _Atomic int64_t started;  // highest n whose COMMIT may have run
    _Atomic int64_t acknowledged;
    _Atomic int64_t seq;  // of a mark behind an acknowledged transaction; 0: none
    int64_t reserved[5];  // one cache line each
} freshness_slot;

typedef struct freshness_board {
    freshness_slot writers[FRESHNESS_WRITERS_MAX];
    _Atomic int64_t is_over;
    _Atomic int64_t reads[FRESHNESS_READERS_MAX];
    _Atomic int64_t native;  // reads that the columnar engine ran
    _Atomic int64_t chores;  // what the caretaker has done
    _Atomic int64_t violations[8];
} freshness_board;

typedef struct freshness_world {
    const char *path;        // of the database
    const char *board_path;  // of the file behind the board
    const char *script;      // freshness_writer.py
    freshness_board *board;
} freshness_world;

// The statements of transaction n, ended by a COMMIT.
void freshness_transaction(int writer, int64_t n, char *sql_out, size_t size);
// Writes until the board says that it is over, and exits; 77 when what it needs is not there.
_Noreturn void freshness_write(const freshness_world *world, freshness_kind kind, int writer);
const char *freshness_kind_name(freshness_kind kind);

#endif
