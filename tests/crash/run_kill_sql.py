#!/usr/bin/env python3
"""kill -9 while SQL defines tables and changes rows: what was answered is there, what was not is there wholly or not at all.

Each round one client sends statements one after another: tables are made, altered, renamed and dropped; amounts move between
rows of a table (one UPDATE of two rows, so their sum says whether half of it came through); rows of a table of series are
replaced and moved (rows that lose a field, rows whose time changes). The server is killed at a random moment and started
again on the same directory.

NILO_KILL_SQL_ROUNDS changes the number of rounds (default 20), NILO_KILL_SEED the seed.
"""
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_kill import Server  # noqa: E402

ROUNDS = int(os.environ.get("NILO_KILL_SQL_ROUNDS", "20"))
SEED = int(os.environ.get("NILO_KILL_SEED", str(random.randrange(1 << 32))))
ACCOUNTS, AMOUNT, POINTS = 40, 1000, 60


def sql(port, text):
    """The rows of a statement, as lists; OSError when the server is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/sql?db=bank&format=json", text.encode(), {"Content-Type": "application/sql"})
        answer = connection.getresponse()
        data = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise AssertionError(f"{text}: {answer.status} {data}")
    return json.loads(data)


def rows_of(answer):
    """The rows of the first answer in it, whatever it stands in."""
    if isinstance(answer, dict) and "rows" in answer and isinstance(answer["rows"], list):
        return [list(row.values()) if isinstance(row, dict) else row for row in answer["rows"]]
    children = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    for child in children:
        found = rows_of(child)
        if found is not None:
            return found
    return None


class State:
    """What the statements that were answered have made of the database."""

    def __init__(self):
        self.tables = {}  # name -> number of columns
        self.next = 0

    def copy(self):
        other = State()
        other.tables, other.next = dict(self.tables), self.next
        return other


class Client(threading.Thread):
    def __init__(self, port, state, seed):
        super().__init__(daemon=True)
        self.port, self.state, self.random = port, state, random.Random(seed)
        self.pending = None  # the state if the statement under way came through
        self.answered, self.failure = 0, None

    def statement(self):
        """The next statement, and the state behind it."""
        after = self.state.copy()
        choice = self.random.randrange(8)
        names = sorted(after.tables)
        if choice == 0 or not names:
            after.next += 1
            after.tables[f"t{after.next}"] = 2
            return f"CREATE TABLE t{after.next} (id bigint PRIMARY KEY, a text DEFAULT 'x')", after
        name = self.random.choice(names)
        if choice == 1:
            after.tables[name] += 1
            return f"ALTER TABLE {name} ADD COLUMN c{after.tables[name]} double precision", after
        if choice == 2:
            after.next += 1
            after.tables[f"t{after.next}"] = after.tables.pop(name)
            return f"ALTER TABLE {name} RENAME TO t{after.next}", after
        if choice == 3 and len(names) > 3:
            del after.tables[name]
            return f"DROP TABLE {name}", after
        if choice < 6:
            a, b = self.random.sample(range(ACCOUNTS), 2)
            return (f"UPDATE account SET v = v + CASE WHEN id = {a} THEN 7 ELSE -7 END WHERE id IN ({a}, {b})", after)
        at = self.random.randrange(POINTS)
        if choice == 6:
            return f"UPDATE point SET f = n, n = f WHERE k = {at}", after
        return f"UPDATE point SET ts = ts + interval '1 second', f = NULL, n = k WHERE k = {at}", after

    def run(self):
        try:
            while True:
                text, self.pending = self.statement()
                sql(self.port, text)
                self.state, self.pending = self.pending, None
                self.answered += 1
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            pass  # the server was killed
        except AssertionError as failure:
            self.failure = str(failure)


class KillSql(unittest.TestCase):
    def found(self, port):
        rows = rows_of(sql(port, "SELECT table_name, count(*) FROM information_schema.columns "
                                 "WHERE table_name LIKE 't%' AND table_schema = 'public' GROUP BY table_name"))
        return {name: int(count) for name, count in rows}

    def check(self, port, client):
        states = [client.state.tables] + ([client.pending.tables] if client.pending else [])
        found = self.found(port)
        self.assertIn(found, states, f"seed {SEED}")
        for name in found:
            sql(port, f"INSERT INTO {name} (id) VALUES (1) ON CONFLICT DO NOTHING")
            self.assertEqual([[int(c) for c in row] for row in rows_of(sql(port, f"SELECT count(*), sum(id) FROM {name}"))],
                             [[1, 1]], f"seed {SEED}: {name}")
        total = rows_of(sql(port, "SELECT count(*), sum(v) FROM account"))
        self.assertEqual([int(total[0][0]), int(total[0][1])], [ACCOUNTS, ACCOUNTS * AMOUNT],
                         f"seed {SEED}: half of a transfer")
        # Each point is there once, with one field at least, whichever: f and n trade places or f went.
        points = rows_of(sql(port, "SELECT count(*), count(DISTINCT k), count(*) FILTER (WHERE f IS NULL AND n IS NULL) "
                                   "FROM point"))
        self.assertEqual([int(c) for c in points[0]], [POINTS, POINTS, 0], f"seed {SEED}: half of a move")
        if client.pending and found == client.pending.tables:
            client.state = client.pending

    def test_kill(self):
        print(f"kill loop of SQL: seed {SEED}, {ROUNDS} rounds", flush=True)
        rng = random.Random(SEED)
        directory = tempfile.mkdtemp(prefix="nilo-kill-sql-")
        state, answered = State(), 0
        try:
            server = Server(directory)
            server.start()
            sql(server.port, "CREATE DATABASE bank")
            sql(server.port, "CREATE TABLE account (id bigint PRIMARY KEY, v bigint NOT NULL)")
            values = ", ".join(f"({i}, {AMOUNT})" for i in range(ACCOUNTS))
            sql(server.port, f"INSERT INTO account VALUES {values}")
            sql(server.port, "CREATE TABLE point (ts timestamptz TIME KEY, k bigint, f bigint, n bigint)")
            values = ", ".join(f"('2024-01-01 00:{i:02}:00', {i}, {i}, -{i})" for i in range(POINTS))
            sql(server.port, f"INSERT INTO point VALUES {values}")
            for number in range(ROUNDS):
                client = Client(server.port, state, rng.random())
                client.start()
                time.sleep(rng.uniform(0.05, 0.6))
                server.kill()
                client.join(60)
                self.assertIsNone(client.failure, f"seed {SEED}, round {number}")
                flags = ["--storage.memory_max=1MiB", "--wal.segment_size=4MiB", "--wal.size_max=8MiB"]
                server = Server(directory, flags if rng.random() < 0.8 else [])
                server.start()
                self.check(server.port, client)
                state = client.state.copy()
                answered += client.answered
            self.assertEqual(server.stop(), 0)
            print(f"kill loop of SQL: {answered} answered statements, all there", flush=True)
            self.assertGreater(answered, ROUNDS)
        except BaseException:
            print(f"the directory is kept: {directory}", flush=True)
            raise
        shutil.rmtree(directory)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=1).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
