#!/usr/bin/env bash
# What Braid does, on real data: makes an ordinary SQLite database with sqlite3, asks it a dozen
# analytic questions through SQLite and through Braid's columnar copy, compares answers and times,
# then changes rows with sqlite3 and asks again. Everything happens in a folder that is removed.
#
#     examples/demo.sh [FOLDER-WITH-BRAID]     ./run demo builds first
#
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
braid=$(cd "${1:-$here/../build}" && pwd)/braid
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

for program in "$braid" sqlite3 zstd python3; do
    command -v "$program" >/dev/null || {
        echo "demo: $program is missing; './run demo' installs and builds what is needed" >&2
        exit 1
    }
done

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# show COMMAND...: prints the command as one would type it, then runs it.
show() {
    local word line=
    for word in "${@/#$braid/braid}"; do
        case $word in
        *' '*) line+=" \"$word\"" ;;
        *) line+=" $word" ;;
        esac
    done
    printf '$%s\n' "$line"
    "$@"
}

say "1. An ordinary SQLite database, made with the sqlite3 shell"
zstd -dcq "$here/data/flights.csv.zst" >flights.csv
sqlite3 flights.db <<SQL
CREATE TABLE flights(date TEXT, delay INTEGER, distance INTEGER, origin TEXT, destination TEXT);
CREATE TABLE airports(iata TEXT PRIMARY KEY, name TEXT, city TEXT, state TEXT, country TEXT,
                      latitude REAL, longitude REAL);
.mode csv
.import --skip 1 flights.csv flights
.import --skip 1 $here/data/airports.csv airports
SQL
rm flights.csv
sqlite3 flights.db "SELECT count(*) || ' flights from ' || min(date) || ' to ' || max(date)
                    FROM flights"
du -h flights.db | cut -f 1 | sed 's/$/ on disk/'

say "2. Braid opens it and makes its columnar copy"
show "$braid" sync flights.db
show "$braid" status flights.db

say "3. The same questions, through SQLite and through the copy"
python3 "$here/demo_compare.py" "$braid" flights.db "$here/demo.sql"

say "4. Another program writes; Braid's next answer knows"
question="SELECT origin, count(*) AS flights, max(delay) AS worst
    FROM flights WHERE origin IN ('SFO', 'HNL') GROUP BY origin ORDER BY origin"
ask() {
    show "$braid" query flights.db --engine olap "$question"
    "$braid" query flights.db --engine olap --format csv "$question" | tail -n +2 >braid.txt
    sqlite3 -csv flights.db "$question" | tr -d '\r' >sqlite.txt
    diff braid.txt sqlite.txt || {
        echo "demo: the answers differ" >&2
        exit 1
    }
}
ask
show sqlite3 flights.db "INSERT INTO flights
    VALUES ('2001-07-01 12:00:00', 99999, 2398, 'SFO', 'HNL')"
show sqlite3 flights.db "DELETE FROM flights WHERE origin = 'HNL' AND delay > 0"
show sqlite3 flights.db "UPDATE flights SET origin = 'SFO' WHERE origin = 'OAK'"
ask
show "$braid" check flights.db
say "Done: every answer was the same on both sides"
