#!/usr/bin/env python3
"""The /sql door of the built server: formats, parameters, errors and their statuses, several
statements, what a GET may do, limits, clients that go away."""
import http.client
import json
import pathlib
import socket
import struct
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nilo_server  # noqa: E402

# More rows than anybody waits for, in little memory.
ENDLESS = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT n FROM t"


class Door(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = nilo_server.Server()
        cls.server.start()
        cls.call(cls, "POST", "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE d"}))
        lines = "\n".join(f"cpu,host=h{i % 3} usage={i}.5,n={i}i {i}000000000" for i in range(10))
        cls.call(cls, "POST", "/write?db=d", lines.encode())

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        log = cls.server.log_text()
        cls.server.remove()
        if code != 0:
            raise AssertionError(f"the server ended with {code}:\n{log[-4000:]}")

    def call(self, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, target, body, headers or {})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def sql(self, text, headers=None, method="POST", **params):
        target = "/sql?" + urllib.parse.urlencode(dict({"db": "d"}, **params))
        return self.call(method, target, text.encode(), headers)

    def rows(self, text, **params):
        status, _, body = self.sql(text, **params)
        self.assertEqual(status, 200, body)
        result = json.loads(body)["results"][-1]
        self.assertNotIn("error", result)
        return result["rows"]

    def refused(self, text, status, code, **params):
        got, _, body = self.sql(text, **params)
        error = json.loads(body)["error"]
        self.assertEqual((got, error["code"]), (status, code), body)
        return error

    def test_json(self):
        status, headers, body = self.sql("SELECT time, host, n, usage, n > 1 AS b, NULL AS z FROM cpu "
                                         "ORDER BY time LIMIT 2")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        result = json.loads(body)["results"][0]
        self.assertEqual([column["type"] for column in result["columns"]][:4],
                         ["timestamp with time zone", "text", "bigint", "double precision"])
        self.assertEqual(result["rows"][1], ["1970-01-01T00:00:01Z", "h1", 1, 1.5, False, None])
        self.assertEqual((result["command"], result["count"]), ("SELECT", 2))

    def test_numbers_keep_their_digits(self):
        _, _, body = self.sql("SELECT 12345678901234567890.12::numeric, 'NaN'::double precision, "
                              "jsonb '{\"a\": [1]}', date '2024-02-29'")
        self.assertIn(b'[[12345678901234567890.12,null,{"a": [1]},"2024-02-29"]]', body)

    def test_csv_and_ndjson(self):
        _, headers, body = self.sql("SELECT host, n, NULL, '' FROM cpu ORDER BY n LIMIT 1", format="csv")
        self.assertTrue(headers["Content-Type"].startswith("text/csv"))
        self.assertEqual(body, b'host,n,?column?,?column?\nh0,0,,""\n')
        _, headers, body = self.sql("SELECT host, n FROM cpu ORDER BY n LIMIT 2",
                                    headers={"Accept": "application/x-ndjson"})
        self.assertEqual(headers["Content-Type"], "application/x-ndjson")
        self.assertEqual([json.loads(line) for line in body.splitlines()],
                         [{"host": "h0", "n": 0}, {"host": "h1", "n": 1}])

    def test_arrow_is_framed(self):
        _, headers, body = self.sql("SELECT n FROM cpu", format="arrow")
        self.assertEqual(headers["Content-Type"], "application/vnd.apache.arrow.stream")
        at, messages = 0, 0
        while True:
            marker, size = struct.unpack_from("<II", body, at)
            self.assertEqual(marker, 0xffffffff)
            at += 8 + size
            if size == 0:
                break
            messages += 1
            if messages == 2:  # the one batch: its values are the body
                at += 10 * 8
        self.assertEqual((messages, at), (2, len(body)))

    def test_parameters(self):
        sql = "SELECT count(*) FROM cpu WHERE host = $1 AND n > $2"
        self.assertEqual(self.rows(sql, params='["h1", 1]'), [[2]])
        body = json.dumps({"query": sql, "parameters": ["h1", 1], "database": "d"})
        _, _, answer = self.call("POST", "/sql", body, {"Content-Type": "application/json"})
        self.assertEqual(json.loads(answer)["results"][0]["rows"], [[2]])
        self.refused("SELECT $1", 400, "22023", params='{"a": 1}')

    def test_errors_have_places(self):
        error = self.refused("SELECT\n  nosuch FROM cpu", 404, "42703")
        self.assertEqual((error["line"], error["column"]), (2, 3))
        self.refused("SELEC 1", 400, "42601")
        self.refused("", 400, "22023")
        self.refused("SELECT 1", 400, "22023", format="xml")
        self.refused("SELECT * FROM nosuch", 404, "42P01")

    def test_a_get_changes_nothing(self):
        target = "/sql?" + urllib.parse.urlencode({"db": "d", "q": "SELECT count(*) FROM cpu"})
        self.assertEqual(json.loads(self.call("GET", target)[2])["results"][0]["rows"], [[10]])
        target = "/sql?" + urllib.parse.urlencode({"db": "d", "q": "CREATE TABLE nope (a int)"})
        status, _, body = self.call("GET", target)
        self.assertEqual((status, json.loads(body)["error"]["code"]), (403, "25006"))

    def test_several_statements(self):
        _, _, body = self.sql("SELECT 1; SET TimeZone = 'Asia/Tokyo'; SHOW TimeZone; SELECT 1/0; SELECT 2")
        results = json.loads(body)["results"]
        self.assertEqual(results[2]["rows"], [["Asia/Tokyo"]])
        self.assertEqual(results[3]["error"]["code"], "22012")
        self.assertEqual(results[4]["error"]["code"], "25P02")
        self.assertEqual(self.rows("SHOW TimeZone"), [["UTC"]])  # each request is its own session

    def test_limits(self):
        self.refused("SELECT " + "(" * 5000 + "1" + ")" * 5000, 400, "54000")
        self.refused("SELECT 1" + " + 1" * 100000, 400, "54000")
        status, _, body = self.sql(f"SET statement_timeout = 100; SELECT count(*) FROM ({ENDLESS}) x")
        self.assertEqual(json.loads(body)["results"][1]["error"]["code"], "57014")
        self.assertEqual(status, 200)

    def test_a_client_that_goes_away_ends_its_query(self):
        request = ENDLESS.encode()
        with socket.create_connection(("127.0.0.1", self.server.port)) as client:
            client.sendall(b"POST /sql HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(request), request))
            self.assertTrue(client.recv(1000).startswith(b"HTTP/1.1 200"))
        for _ in range(600):
            if self.rows("SELECT count(*) FROM system.queries WHERE statement LIKE 'WITH RECURSIVE%'") == [[0]]:
                return
            time.sleep(0.1)
        self.fail("the query goes on")


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules[__name__])
