#!/usr/bin/env python3
"""The HTTP door of the built server: every route, InfluxDB's answers, bad requests raw over a socket,
slow clients, limits. Needs nothing but Python's own library."""
import gzip
import http.client
import json
import pathlib
import socket
import sys
import threading
import time
import unittest
import urllib.parse
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nilo_server  # noqa: E402


class Reply:
    """An answer, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Case(unittest.TestCase):
    """One server per class of tests."""
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.server = nilo_server.Server(cls.settings)
        cls.server.start()
        cls.made = 0

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
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def query(self, text, method="POST", headers=None, **params):
        target = "/query?" + urllib.parse.urlencode(dict(params, q=text))
        return self.call(method, target, headers=headers)

    def write(self, database, text, headers=None, **params):
        body = text.encode() if isinstance(text, str) else text
        target = "/write?" + urllib.parse.urlencode(dict(params, db=database))
        return self.call("POST", target, body, headers)

    def database(self):
        """A new database."""
        type(self).made += 1
        name = f"db{self.made}"
        reply = self.query(f'CREATE DATABASE "{name}"')
        self.assertEqual(reply.json(), {"results": [{"statement_id": 0}]})
        return name

    def count(self, database, measurement="m"):
        reply = self.query(f'SELECT count(v) FROM "{measurement}"', db=database).json()
        series = reply["results"][0].get("series")
        return series[0]["values"][0][1] if series else 0


class StateRoutes(Case):
    def test_ping(self):
        for method in ("GET", "HEAD"):
            reply = self.call(method, "/ping")
            self.assertEqual((reply.status, reply.body), (204, b""))
            self.assertTrue(reply.headers["X-Influxdb-Version"].startswith("1.8"))
            self.assertTrue(reply.headers["X-Nilo-Version"])
            self.assertEqual(len(reply.headers["Request-Id"]), 36)
            self.assertTrue(reply.headers["Date"].endswith("GMT"))
        self.assertIn("version", self.call("GET", "/ping?verbose=true").json())

    def test_request_id_is_kept(self):
        reply = self.call("GET", "/ping", headers={"X-Request-Id": "abc"})
        self.assertEqual(reply.headers["X-Request-Id"], "abc")

    def test_health_and_ready(self):
        reply = self.call("GET", "/health")
        self.assertEqual((reply.status, reply.json()["status"]), (200, "pass"))
        self.assertEqual(self.call("GET", "/ready").json()["status"], "ready")

    def test_metrics(self):
        self.call("GET", "/ping")
        reply = self.call("GET", "/metrics")
        self.assertTrue(reply.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        text = reply.body.decode()
        names = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                self.assertNotIn(line.split()[2], names, "a metric's type is told twice")
                names.add(line.split()[2])
            elif not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                float(value)
                self.assertRegex(name, r"^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?$")
        self.assertIn("nilo_http_requests_total", names)

    def test_unknown_path_and_method(self):
        reply = self.call("GET", "/querry")
        self.assertEqual(reply.status, 404)
        self.assertIn("/query", reply.json()["hint"])
        self.assertEqual(self.call("GET", "/").status, 404)
        reply = self.call("DELETE", "/write?db=x")
        self.assertEqual(reply.status, 405)
        self.assertIn("POST", reply.headers["Allow"])
        self.assertEqual(self.call("OPTIONS", "/query").status, 204)


class Writes(Case):
    def test_rows_come_back(self):
        db = self.database()
        self.assertEqual(self.write(db, "m,host=a v=1 1\nm,host=b v=2.5 2\n").status, 204)
        reply = self.query("SELECT * FROM m", db=db, epoch="ns").json()
        self.assertEqual(reply["results"][0]["series"][0], {
            "name": "m", "columns": ["time", "host", "v"],
            "values": [[1, "a", 1], [2, "b", 2.5]]})

    def test_precisions(self):
        db = self.database()
        units = {"n": 1, "ns": 1, "u": 10**3, "us": 10**3, "\u00b5": 10**3, "ms": 10**6, "s": 10**9,
                 "m": 60 * 10**9, "h": 3600 * 10**9}
        for at, (name, width) in enumerate(units.items()):
            reply = self.write(db, f"p{at} v=1 7", precision=name)
            self.assertEqual(reply.status, 204, name)
            rows = self.query(f"SELECT v FROM p{at}", db=db, epoch="ns").json()
            self.assertEqual(rows["results"][0]["series"][0]["values"][0][0], 7 * width, name)
        reply = self.write(db, "p v=1 7", precision="parsec")
        self.assertEqual(reply.status, 400)
        self.assertIn("parsec", reply.json()["error"])

    def test_partial_write(self):
        db = self.database()
        reply = self.write(db, "m v=1 1\nbad line here\nm v=2 2\nm v=true 3\n")
        self.assertEqual(reply.status, 400)
        self.assertIn("partial write", reply.json()["error"])
        self.assertEqual(reply.headers["X-Influxdb-Error"], reply.json()["error"])
        self.assertEqual(self.count(db), 2)

    def test_atomic_write(self):
        db = self.database()
        refused = self.write(db, "m v=1 1\nbad\nm v=2 2\n", atomic="true")
        self.assertEqual(refused.status, 400)
        self.assertIn("missing fields (line 2, column 4)", refused.json()["error"])
        self.assertEqual(self.count(db), 0)
        self.assertEqual(self.write(db, "m v=1 1\nm v=2 2\n", atomic="true").status, 204)
        self.assertEqual(self.count(db), 2)

    def test_type_conflict(self):
        db = self.database()
        self.assertEqual(self.write(db, "m v=1i 1").status, 204)
        reply = self.write(db, "m v=1.5 2")
        self.assertEqual(reply.status, 400)
        self.assertIn("field type conflict", reply.json()["error"])

    def test_missing_database(self):
        reply = self.write("none", "m v=1")
        self.assertEqual(reply.status, 404)
        self.assertIn('database not found: "none"', reply.json()["error"])
        reply = self.call("POST", "/write", b"m v=1")
        self.assertEqual(reply.status, 400)
        self.assertEqual(reply.json()["error"], "database is required")

    def test_v2(self):
        db = self.database()
        reply = self.call("POST", f"/api/v2/write?org=any&bucket={db}/autogen&precision=s",
                          b"m v=1 1")
        self.assertEqual(reply.status, 204)
        self.assertEqual(self.call("POST", f"/api/v2/write?bucket={db}", b"m v=2 2").status, 204)
        self.assertEqual(self.count(db), 2)
        reply = self.call("POST", "/api/v2/write?bucket=none", b"m v=1 1")
        self.assertEqual((reply.status, reply.json()["code"]), (404, "not found"))
        reply = self.call("POST", "/api/v2/write", b"m v=1 1")
        self.assertEqual((reply.status, reply.json()["code"]), (400, "invalid"))

    def test_compressed_bodies(self):
        db = self.database()
        rows = "".join(f"m v={i} {i + 1}\n" for i in range(10000)).encode()
        for coding, body in (("gzip", gzip.compress(rows)), ("deflate", zlib.compress(rows)),
                             ("gzip", gzip.compress(rows[:5]) + gzip.compress(rows[5:]))):
            reply = self.write(db, body, headers={"Content-Encoding": coding})
            self.assertEqual(reply.status, 204)
        self.assertEqual(self.count(db), 10000)
        bad = gzip.compress(rows)[:-9]
        self.assertEqual(self.write(db, bad, headers={"Content-Encoding": "gzip"}).status, 400)
        self.assertEqual(self.write(db, rows, headers={"Content-Encoding": "br"}).status, 400)

    def test_chunked_body(self):
        db = self.database()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        pieces = (f"m v={i} {i + 1}\n".encode() for i in range(1000))
        connection.request("POST", f"/write?db={db}", body=pieces, encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(connection.getresponse().status, 204)
        connection.close()
        self.assertEqual(self.count(db), 1000)

    def test_empty_body(self):
        self.assertEqual(self.write(self.database(), "").status, 204)

    def test_large_body_and_many_writers(self):
        db = self.database()

        def write(number):
            rows = "".join(f"m,w={number} v={i} {i + 1}\n" for i in range(20000))
            statuses.append(self.write(db, rows).status)

        statuses = []
        threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [204] * 8)
        self.assertEqual(self.count(db), 160000)


class Queries(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("setUpClass_rows")
        cls.db = case.database()
        rows = "".join(f"m,host=h{i % 3} v={i / 4},n={i}i,s=\"t <{i}>\",b={i % 2 == 0} {i}\n"
                       for i in range(9))
        assert case.write(cls.db, rows, precision="s").status == 204

    def setUpClass_rows(self):
        """Only carries the helpers."""

    def test_shapes(self):
        reply = self.query("SELECT v FROM m WHERE host = 'h1'", db=self.db, epoch="s")
        self.assertEqual(reply.headers["Content-Type"], "application/json")
        self.assertEqual(reply.body, b'{"results":[{"statement_id":0,"series":[{"name":"m","columns":'
                                     b'["time","v"],"values":[[1,0.25],[4,1],[7,1.75]]}]}]}\n')
        reply = self.query("SELECT v FROM m LIMIT 1", db=self.db).json()
        self.assertEqual(reply["results"][0]["series"][0]["values"],
                         [["1970-01-01T00:00:00Z", 0]])

    def test_tags_and_several_statements(self):
        reply = self.query("SELECT v FROM m GROUP BY host LIMIT 1; SELECT v FROM none; "
                           "SHOW DATABASES", db=self.db, epoch="s").json()["results"]
        self.assertEqual([one["tags"]["host"] for one in reply[0]["series"]], ["h0", "h1", "h2"])
        self.assertEqual(reply[1], {"statement_id": 1})
        self.assertIn([self.db], reply[2]["series"][0]["values"])

    def test_epochs(self):
        for epoch, width in (("ns", 10**9), ("u", 10**6), ("ms", 1000), ("s", 1)):
            reply = self.query("SELECT v FROM m WHERE v = 2", db=self.db, epoch=epoch).json()
            self.assertEqual(reply["results"][0]["series"][0]["values"], [[8 * width, 2]])
        self.assertEqual(self.query("SHOW DATABASES", epoch="fortnight").status, 400)

    def test_bound_parameters(self):
        reply = self.query("SELECT v FROM m WHERE host = $h AND v > $least", db=self.db, epoch="s",
                           params=json.dumps({"h": "h1", "least": 0.5})).json()
        self.assertEqual(reply["results"][0]["series"][0]["values"], [[4, 1], [7, 1.75]])
        reply = self.query("SELECT v FROM m WHERE host = $h", db=self.db, params=json.dumps({"h": "' OR 1=1"}))
        self.assertEqual(reply.json(), {"results": [{"statement_id": 0}]})
        self.assertEqual(self.query("SELECT v FROM m WHERE host = $h", db=self.db).status, 400)

    def test_zones(self):
        db = self.database()
        self.write(db, "p kw=1 1711843199\np kw=2 1711922399\n", precision="s")
        reply = self.query("SELECT sum(kw) FROM p WHERE time >= '2024-03-31' AND time < '2024-04-01' "
                           "GROUP BY time(1d) tz('Europe/Berlin')", db=db).json()
        self.assertEqual(reply["results"][0]["series"][0]["values"],
                         [["2024-03-31T00:00:00+01:00", 3]])
        reply = self.query("SELECT kw FROM p tz('America/New_York')", db=db).json()
        self.assertEqual([row[0] for row in reply["results"][0]["series"][0]["values"]],
                         ["2024-03-30T19:59:59-04:00", "2024-03-31T17:59:59-04:00"])
        reply = self.query("SELECT kw FROM p tz('Mars/Olympus')", db=db).json()
        self.assertIn("unknown time zone", reply["results"][0]["error"])

    def test_statements_behind_a_failure_are_not_executed(self):
        reply = self.query("SELECT v FROM m LIMIT 1; SELECT mean(v), v FROM m; SELECT v FROM m; "
                           "SHOW DATABASES", db=self.db).json()["results"]
        self.assertIn("series", reply[0])
        self.assertIn("mixing", reply[1]["error"])
        self.assertEqual(reply[2:], [{"statement_id": 2, "error": "not executed"},
                                     {"statement_id": 3, "error": "not executed"}])

    def test_pretty(self):
        plain = self.query("SELECT * FROM m", db=self.db)
        pretty = self.query("SELECT * FROM m", db=self.db, pretty="true")
        self.assertEqual(plain.json(), pretty.json())
        self.assertEqual(pretty.body.decode(), json.dumps(
            plain.json(), indent=4).replace("<", "\\u003c").replace(">", "\\u003e") + "\n")

    def test_chunked(self):
        reply = self.query("SELECT v FROM m", db=self.db, epoch="s", chunked="true", chunk_size=4)
        lines = [json.loads(line) for line in reply.body.splitlines()]
        results = [line["results"][0] for line in lines]
        self.assertEqual([len(one["series"][0]["values"]) for one in results], [4, 4, 1])
        self.assertEqual([one.get("partial") for one in results], [True, True, None])
        self.assertEqual([one["series"][0].get("partial") for one in results], [True, True, None])

    def test_csv(self):
        reply = self.query("SELECT v, s FROM m WHERE time < 2s", db=self.db,
                           headers={"Accept": "application/csv"})
        self.assertEqual(reply.headers["Content-Type"], "text/csv")
        self.assertEqual(reply.body.decode(), "name,tags,time,v,s\nm,,0,0,t <0>\n"
                                              "m,,1000000000,0.25,t <1>\n")

    def test_form(self):
        body = urllib.parse.urlencode({"q": "SHOW DATABASES"})
        reply = self.call("POST", "/query", body,
                          {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertIn("series", reply.json()["results"][0])
        self.assertEqual(self.query("SHOW DATABASES", method="GET").status, 200)

    def test_errors(self):
        reply = self.call("GET", "/query?db=x")
        self.assertEqual((reply.status, reply.json()),
                         (400, {"error": 'missing required parameter "q"'}))
        reply = self.query("SELEC v FROM m", db=self.db)
        self.assertEqual(reply.status, 400)
        self.assertTrue(reply.json()["error"].startswith("error parsing query: "))
        reply = self.query("SELECT v FROM m", db="none")
        self.assertEqual(reply.status, 200)
        self.assertIn("database not found", reply.json()["results"][0]["error"])
        self.assertEqual(self.query("SHOW DATABASES", params="{").status, 400)
        self.assertEqual(self.call("GET", "/query?q=%zz").status, 400)


class LongAnswers(Case):
    ROWS = 200000

    def test_long_answer_and_slow_reader(self):
        db = self.database()
        for begin in range(0, self.ROWS, 50000):
            rows = "".join(f"m v={i} {i}\n" for i in range(begin, begin + 50000))
            self.assertEqual(self.write(db, rows, precision="s").status, 204)
        reply = self.query("SELECT v FROM m", db=db, epoch="s")
        self.assertEqual(reply.headers["Transfer-Encoding"], "chunked")
        values = reply.json()["results"][0]["series"][0]["values"]
        self.assertEqual(len(values), self.ROWS)
        self.assertEqual(values[-1], [self.ROWS - 1, self.ROWS - 1])
        # a client that reads slowly gets the same, and others are served meanwhile
        slow = self.server.connect()
        target = "/query?" + urllib.parse.urlencode({"q": "SELECT v FROM m", "db": db})
        slow.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        total = 0
        for _ in range(20):
            total += len(slow.recv(1000))
            self.assertEqual(self.call("GET", "/ping").status, 204)
        while piece := slow.recv(1 << 20):
            total += len(piece)
        slow.close()
        self.assertGreater(total, self.ROWS * 20)
        # a client that goes away does no harm
        gone = self.server.connect()
        gone.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        gone.recv(1000)
        gone.close()
        self.assertEqual(self.count(db), self.ROWS)


class Raw(Case):
    settings = ("--http.header_timeout", "500ms", "--http.body_timeout", "500ms",
                "--http.body_size_max", "1MiB")

    def talk(self, data, half_close=False):
        """Sends bytes and reads until the server closes."""
        with self.server.connect() as raw:
            raw.sendall(data)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := raw.recv(65536):
                answer += piece
            return answer.decode("utf-8", "replace")

    def test_bad_requests(self):
        host = b"Host: h\r\n"
        rows = (
            ("garbage", b"\x16\x03\x01\x02\x00\r\n\r\n", " 400 "),
            ("no host", b"GET /ping HTTP/1.1\r\n\r\n", " 400 "),
            ("bare LF", b"GET /ping HTTP/1.1\nHost: h\n\n", " 400 "),
            ("folded header", b"GET /ping HTTP/1.1\r\nHost: h\r\n x\r\n\r\n", " 400 "),
            ("blank before colon", b"GET /ping HTTP/1.1\r\nHost : h\r\n\r\n", " 400 "),
            ("two lengths", b"POST /write HTTP/1.1\r\n" + host +
             b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", " 400 "),
            ("length and chunks", b"POST /write HTTP/1.1\r\n" + host +
             b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", " 400 "),
            ("bad chunk", b"POST /write?db=x HTTP/1.1\r\n" + host +
             b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", " 400 "),
            ("unknown coding", b"POST /write HTTP/1.1\r\n" + host +
             b"Transfer-Encoding: gzip\r\n\r\n", " 501 "),
            ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", " 505 "),
            ("too large", b"POST /write?db=x HTTP/1.1\r\n" + host +
             b"Content-Length: 1048577\r\n\r\n", " 413 "),
            ("many headers", b"GET /ping HTTP/1.1\r\n" + host + b"A: b\r\n" * 200 + b"\r\n",
             " 431 "),
            ("large header", b"GET /ping HTTP/1.1\r\n" + host + b"A: " + b"b" * 70000 + b"\r\n\r\n",
             " 431 "),
            ("long target", b"GET /" + b"b" * 1100000 + b" HTTP/1.1\r\n" + host + b"\r\n", " 414 "),
            ("cut head", b"GET /ping HTTP/1.1\r\nHos", " 408 "),
            ("cut body", b"POST /write?db=x HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nab",
             " 408 "),
        )
        for name, data, status in rows:
            with self.subTest(name):
                answer = self.talk(data)
                self.assertTrue(answer.startswith("HTTP/1.1" + status), answer[:300])
                self.assertIn("X-Influxdb-Error: ", answer)
                self.assertIn('{"error":', answer)
        self.assertEqual(self.call("GET", "/ping").status, 204)

    def test_bomb(self):
        db = self.database()
        bomb = gzip.compress(b"m v=1\n" * 1000000)
        reply = self.write(db, bomb, headers={"Content-Encoding": "gzip"})
        self.assertEqual(reply.status, 413)
        self.assertIn("decompressed", reply.json()["error"])

    def test_pipelining(self):
        db = self.database()
        write = f"POST /write?db={db} HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nm v=1 1"
        select = urllib.parse.urlencode({"q": "SELECT v FROM m", "db": db, "epoch": "ns"})
        answer = self.talk((write + f"GET /query?{select} HTTP/1.1\r\nHost: h\r\n\r\n"
                            "GET /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").encode())
        self.assertLess(answer.index(" 204 "), answer.index(" 200 "))
        self.assertLess(answer.index("[[1,1]]"), answer.rindex(" 204 "))

    def test_bytes_one_by_one(self):
        with self.server.connect() as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":
                raw.sendall(bytes((byte,)))
            self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 204"))

    def test_half_close(self):
        db = self.database()
        answer = self.talk(f"POST /write?db={db} HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"
                           "m v=1 1".encode(), half_close=True)
        self.assertTrue(answer.startswith("HTTP/1.1 204"), answer)
        self.assertEqual(self.count(db), 1)

    def test_many_idle_connections(self):
        idle = [self.server.connect() for _ in range(200)]
        self.assertEqual(self.call("GET", "/ping").status, 204)
        for raw in idle:
            raw.close()


class Restart(unittest.TestCase):
    def test_stop_and_start_again(self):
        server = nilo_server.Server()
        try:
            with_rows = 0
            for round_number in range(3):
                server.start()
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                connection.request("POST", "/query?q=CREATE+DATABASE+d")
                connection.getresponse().read()
                connection.request("POST", "/write?db=d", f"m v=1 {round_number + 1}")
                self.assertEqual(Reply(connection.getresponse()).status, 204)
                with_rows += 1
                connection.request("GET", "/query?q=SELECT+count(v)+FROM+m&db=d&epoch=ns")
                series = Reply(connection.getresponse()).json()["results"][0]["series"]
                self.assertEqual(series[0]["values"][0][1], with_rows)
                connection.close()
                if round_number == 1:
                    server.kill()
                else:
                    self.assertEqual(server.stop(), 0)
        finally:
            server.remove()

    def test_second_server_is_refused(self):
        first = nilo_server.Server()
        with first:
            second = nilo_server.Server(folder=first.folder)
            with self.assertRaises(RuntimeError) as caught:
                second.start()
            self.assertIn("in use", str(caught.exception))


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules[__name__])
