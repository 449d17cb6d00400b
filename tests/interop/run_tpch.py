#!/usr/bin/env python3
"""TPC-H's 22 questions on Nilo and on PostgreSQL 15, over the same small data: the answers must be
equal, row by row and in order.

    run_tpch.py [--scale 0.002] [--query N] [--times N]

--times prints how long each took, the best of N, in milliseconds. Without PostgreSQL the suite
passes over itself."""
import argparse
import os
import sys
import time

import run_sql_difference as difference
import tpch


def insert_texts(table, rows):
    """INSERTs of up to 500 rows."""
    for at in range(0, len(rows), 500):
        values = ", ".join(
            "(" + ", ".join("'" + str(value).replace("'", "''") + "'" if not isinstance(value, int)
                            else str(value) for value in row) + ")" for row in rows[at:at + 500])
        yield f"INSERT INTO {table} VALUES {values}"


def load(ask, scale):
    tables = {name: [] for name in tpch.SCHEMA}
    for table, row in tpch.rows(scale):
        tables[table].append(row)
    for name, columns in tpch.SCHEMA.items():
        _, problem = ask(f"CREATE TABLE {name} ({columns})")
        if problem:
            raise SystemExit(f"CREATE TABLE {name}: {problem}")
        for text in insert_texts(name, tables[name]):
            _, problem = ask(text)
            if problem:
                raise SystemExit(f"INSERT INTO {name}: {problem}")
    return {name: len(rows) for name, rows in tables.items()}


def best(ask, sql, times):
    """The rows and the best time in ms."""
    least = None
    for _ in range(max(1, times)):
        began = time.monotonic()
        rows, problem = ask(sql)
        took = (time.monotonic() - began) * 1000
        least = took if least is None or took < least else least
        if problem:
            return None, problem, least
    return rows, None, least


def same(a, b):
    return len(a) == len(b) and all(
        len(x) == len(y) and all(map(difference.same_cell, x, y)) for x, y in zip(a, b))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=0.002)
    parser.add_argument("--query", type=int, help="this one only")
    parser.add_argument("--times", type=int, default=0)
    options = parser.parse_args()
    found = [b for b in difference.BINARIES if os.path.isdir(b)]
    if not found:
        print("PostgreSQL is not installed: nothing to compare with")
        print("0 passed, 0 failed")
        return 0
    postgres, nilo = difference.start_both(found[0])
    passed = failed = 0
    try:
        sizes = load(postgres.ask, options.scale)
        load(nilo.ask, options.scale)
        postgres.ask("ANALYZE")
        print(f"{sizes['lineitem']} lines of {sizes['orders']} orders")
        for number, sql in tpch.QUERIES.items():
            if options.query and number != options.query:
                continue
            theirs, their_problem, their_ms = best(postgres.ask, sql, options.times)
            ours, our_problem, our_ms = best(nilo.ask, sql, options.times)
            good = not our_problem and not their_problem and same(ours, theirs)
            passed += good
            failed += not good
            note = f"  {our_ms:8.1f} ms, PostgreSQL {their_ms:8.1f} ms" if options.times else ""
            print(f"query {number:2d}: {'equal' if good else 'DIFFERENT'}"
                  f"{'' if not good else f', {len(ours)} rows'}{note}")
            if not good:
                print(f"  PostgreSQL: {their_problem or theirs[:3]}\n  Nilo: {our_problem or ours[:3]}")
    finally:
        nilo.close()
        postgres.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
