#!/usr/bin/env python3
"""No query takes the server down: one that needs some fifty times its memory limit is answered through temporary
files or refused, while writes go on and short queries are answered beside it; with a limit that its scan fits
into it is answered. Work is counted, not timed."""
import http.client
import json
import pathlib
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nilo_server  # noqa: E402

HOSTS = 50
ROWS = 4100000  # time, value, code and two entries of 16 bytes to sort by: 52 bytes each, 213 MB
SHORT = 1000


class FiftyTimes(unittest.TestCase):
    limit = 4 << 20
    answered = False  # it may be refused

    @classmethod
    def setUpClass(cls):
        cls.server = nilo_server.Server([f"--query.memory_max={cls.limit}"])
        cls.server.start()
        cls.ask("CREATE DATABASE d")
        per_body = 50000
        for begin in range(0, ROWS, per_body):
            lines = (f"m,h={row % HOSTS} v={row % 1009}i {row + 1}" for row in range(begin, begin + per_body))
            cls.write("\n".join(lines))
        # rows that are not flushed are held whole, series by series (docs/operating/limits.md)
        status, body = cls.call("POST", "/api/v1/admin/compact?db=d&table=m")
        job = json.loads(body)["job"]
        while '"done"' not in body.decode() and '"error"' not in body.decode():
            time.sleep(0.05)
            status, body = cls.call("GET", f"/api/v1/admin/job?id={job}&from=0")

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        log = cls.server.log_text()
        cls.server.remove()
        if code != 0:
            raise AssertionError(f"the server ended with {code}:\n{log[-4000:]}")

    @classmethod
    def call(cls, method, target, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", cls.server.port, timeout=300)
        try:
            connection.request(method, target, body)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    @classmethod
    def write(cls, text):
        status, body = cls.call("POST", "/write?db=d", text)
        if status != 204:
            raise AssertionError(f"{status} {body!r}")

    @classmethod
    def ask(cls, text):
        status, body = cls.call("POST", "/query?" + urllib.parse.urlencode({"db": "d", "epoch": "ns", "q": text}))
        return status, json.loads(body)

    def metric(self, name):
        status, body = self.call("GET", "/metrics")
        self.assertEqual(status, 200)
        return sum(float(line.split()[-1]) for line in body.decode().splitlines()
                   if line.startswith(name + " ") or line.startswith(name + "{"))

    def test_large_query(self):
        # rows that come by h have to be put in the order of time
        large = "SELECT sum(c) FROM (SELECT cumulative_sum(x) AS c FROM (SELECT v AS x FROM m GROUP BY h))"
        answers, writes, shorts = [], 0, 0
        before = self.metric("nilo_query_spill_written_bytes_total")
        thread = threading.Thread(target=lambda: answers.append(self.ask(large)))
        thread.start()
        while thread.is_alive() or shorts < SHORT:
            if writes < 100:
                self.write(f"other v={writes} {writes + 1}")
                writes += 1
            if shorts < SHORT:
                status, reply = self.ask("SELECT last(v) FROM m WHERE h = '7'")
                self.assertEqual(status, 200)
                self.assertIn("series", reply["results"][0], reply)
                self.assertEqual(reply["results"][0]["series"][0]["values"][0][1], (ROWS - HOSTS + 7) % 1009)
                shorts += 1
            else:
                thread.join(0.2)
        thread.join()
        status, reply = answers[0]
        self.assertEqual(status, 200)
        result = reply["results"][0]
        if self.answered or "error" not in result:
            expected = running = 0
            for row in range(ROWS):
                running += row % 1009
                expected += running
            self.assertIn("series", result, reply)
            self.assertEqual(result["series"][0]["values"][0][1], expected)
            self.assertGreater(self.metric("nilo_query_spill_written_bytes_total") - before, 1 << 20)
        else:
            self.assertIn("memory limit", result["error"])
        self.assertEqual(self.metric("nilo_query_spill_files"), 0)
        self.assertEqual(self.metric("nilo_query_memory_bytes"), 0)
        self.assertEqual(self.ask("SELECT count(v) FROM other")[1]["results"][0]["series"][0]["values"][0][1], writes)


class WithRoomToScan(FiftyTimes):
    limit = 24 << 20
    answered = True


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules[__name__])
