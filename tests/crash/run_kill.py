#!/usr/bin/env python3
"""kill -9 at any moment of a write storm: every acknowledged row is there afterwards, and no body is there by half.

Each round: writers send bodies that touch three measurements, every row carrying its body's number; the server is killed
without warning at a random moment, started again on the same directory, and asked for everything. A body that was
answered must be there in all its rows; a body that was not must be wholly there or wholly absent; a row that nobody
wrote must not be there. Rounds with small logs and memory make flushes, merges and trimming happen meanwhile.

NILO_KILL_ROUNDS changes the number of rounds (default 50), NILO_KILL_SEED the seed.
"""
import collections
import http.client
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

NILO = os.path.join(os.environ.get("NILO_BUILD", "build/release"), "nilo")
ROUNDS = int(os.environ.get("NILO_KILL_ROUNDS", "50"))
SEED = int(os.environ.get("NILO_KILL_SEED", str(random.randrange(1 << 32))))
TABLES = ("alpha", "beta", "gamma")
WRITERS = 4


class Server:
    def __init__(self, directory, flags=()):
        self.directory = directory
        self.flags = list(flags)
        self.process = None
        self.port = None

    def start(self):
        log = open(os.path.join(self.directory, "server.log"), "ab")
        self.process = subprocess.Popen(
            [NILO, "serve", "--data", os.path.join(self.directory, "data"), "--http", "127.0.0.1:0", "--no-collector",
             *self.flags],
            stdout=subprocess.PIPE, stderr=log)
        log.close()
        line = self.process.stdout.readline().decode()
        if "listens on http://" not in line:
            raise AssertionError(f"the server did not start: {line!r}; see {self.directory}/server.log: {self.log_end()}")
        self.port = int(line.split("http://")[1].split(",")[0].rsplit(":", 1)[1])

    def log_end(self):
        with open(os.path.join(self.directory, "server.log"), errors="replace") as log:
            return log.read()[-4000:]

    def kill(self):
        # To the writers a server that died of itself (a signal, a report of a sanitizer) looks the same.
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"seed {SEED}: the server ended by itself with {code}: {self.log_end()}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(60)
        self.process.stdout.close()
        return code

    def call(self, connection, method, target, body=None):
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def query(self, database, text):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        form = urllib.parse.urlencode({"q": text})
        connection.request("POST", "/query?db=" + database, form,
                           {"Accept": "application/csv", "Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        data = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"{text}: {answer.status} {data}")
        return data


class Writer(threading.Thread):
    """Sends bodies until the server dies; remembers what was answered and what was under way."""

    def __init__(self, server, database, number, seed):
        super().__init__(daemon=True)
        self.server, self.database, self.number = server, database, number
        self.random = random.Random(seed)
        self.acknowledged, self.pending, self.rows, self.failure = set(), None, {}, None

    def body(self, identity):
        rows = self.random.choice((1, 1, 3, 20, 400))
        lines = []
        for table in TABLES:
            for i in range(rows):
                series = self.random.randrange(50) if rows < 400 else i
                lines.append(f"{table},w={self.number},s={series}_{i} id={identity}i,v={i * 0.25},t=\"{table}\" "
                             f"{identity * 1000 + i}")
        self.rows[identity] = rows
        return "\n".join(lines).encode()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        identity = self.number * 1000000
        try:
            while True:
                identity += 1
                body = self.body(identity)
                self.pending = identity
                status, answer = self.server.call(connection, "POST", "/write?db=" + self.database, body)
                if status != 204:
                    self.failure = f"{status} {answer!r}"
                    return
                self.acknowledged.add(identity)
                self.pending = None
        except (OSError, http.client.HTTPException):
            pass  # the server was killed
        finally:
            connection.close()


class Kill(unittest.TestCase):
    def check(self, server, database, writers):
        acknowledged = set().union(*(w.acknowledged for w in writers))
        pending = {w.pending for w in writers if w.pending}
        rows = {}
        for writer in writers:
            rows.update(writer.rows)
        found = {}
        for table in TABLES:
            counts = collections.Counter()
            lines = server.query(database, f"SELECT id, v FROM {table}").splitlines()
            if lines:
                at = lines[0].split(",").index("id")
                for line in lines[1:]:
                    counts[int(line.split(",")[at])] += 1
            found[table] = counts
        for identity in acknowledged:
            for table in TABLES:
                self.assertEqual(found[table][identity], rows[identity],
                                 f"seed {SEED}: acknowledged body {identity} in {database}.{table}")
        for identity in set().union(*found.values()):
            self.assertIn(identity, acknowledged | pending, f"seed {SEED}: body {identity} that nobody wrote")
            whole = {found[table][identity] for table in TABLES}
            self.assertEqual(whole, {rows[identity]}, f"seed {SEED}: half of body {identity} in {database}")
        return len(acknowledged)

    def test_kill(self):
        print(f"kill loop: seed {SEED}, {ROUNDS} rounds", flush=True)
        rng = random.Random(SEED)
        directory = tempfile.mkdtemp(prefix="nilo-kill-")
        history, bodies = [], 0
        try:
            for number in range(ROUNDS):
                # Small limits on most rounds, so that flushes, merges and trimming are cut too.
                flags = ["--storage.memory_max=1MiB", "--wal.segment_size=4MiB", "--wal.size_max=8MiB"]
                server = Server(directory, flags if rng.random() < 0.8 else [])
                server.start()
                if history:
                    database, writers = history[-1]
                    self.check(server, database, writers)
                database = f"round{number}"
                server.query("", f"CREATE DATABASE {database}")
                writers = [Writer(server, database, n + 1, rng.random()) for n in range(WRITERS)]
                for writer in writers:
                    writer.start()
                time.sleep(rng.uniform(0.05, 0.6))
                server.kill()
                for writer in writers:
                    writer.join(60)
                    self.assertIsNone(writer.failure, f"seed {SEED}, round {number}")
                history.append((database, writers))
            server = Server(directory)
            server.start()
            for database, writers in history:
                bodies += self.check(server, database, writers)
            self.assertEqual(server.stop(), 0)
            print(f"kill loop: {bodies} acknowledged bodies, all there", flush=True)
            self.assertGreater(bodies, ROUNDS)
        except BaseException:
            print(f"the directory is kept: {directory}", flush=True)
            raise
        shutil.rmtree(directory)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=1).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
