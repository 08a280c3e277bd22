"""The writer of test_freshness.c that uses Python's sqlite3; see support_freshness.h.

    freshness_writer.py DATABASE BOARD NUMBER
"""

import mmap
import sqlite3
import sys
import time

SLOT_WORDS = 8  # of freshness_slot: started, acknowledged
IS_OVER_WORD = 8 * SLOT_WORDS
KEEP, ACCOUNTS = 40, 200


def transaction(database, writer, n):
    execute = database.execute
    execute("BEGIN IMMEDIATE")
    execute(
        "INSERT INTO ledger(writer, n, amount) SELECT ?1, ?2, ?2 + p.value FROM counter c, part p"
        " WHERE c.writer = ?1 AND c.n = ?2 - 1 AND p.value <= ?2 % 5 + 1",
        (writer, n),
    )
    execute("DELETE FROM ledger WHERE writer = ? AND n <= ?", (writer, n - KEEP))
    amount = n % 9 + 1
    execute("UPDATE account SET balance = balance - ? WHERE id = ?", (amount, n % ACCOUNTS))
    execute("UPDATE account SET balance = balance + ? WHERE id = ?", (amount, n * 3 % ACCOUNTS))
    execute(
        "UPDATE counter SET n = ?2,"
        " live = (SELECT count(*) FROM ledger l WHERE l.writer = counter.writer),"
        " total = (SELECT sum(amount) FROM ledger l WHERE l.writer = counter.writer)"
        " WHERE writer = ?1 AND n = ?2 - 1",
        (writer, n),
    )
    execute("COMMIT")


def main():
    path, board_path, writer = sys.argv[1], sys.argv[2], int(sys.argv[3])
    database = sqlite3.connect(path, timeout=60, isolation_level=None)
    database.execute("PRAGMA synchronous = NORMAL")
    (n,) = database.execute("SELECT n FROM counter WHERE writer = ?", (writer,)).fetchone()
    with open(board_path, "r+b") as file:
        # Native 64-bit words, stored in one piece.
        board = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
    slot = writer * SLOT_WORDS
    while board[IS_OVER_WORD] == 0:
        n += 1
        board[slot] = max(board[slot], n)
        transaction(database, writer, n)
        board[slot + 1] = n
        time.sleep(n % 7 / 10000)
    database.close()


main()
