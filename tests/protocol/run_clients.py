#!/usr/bin/env python3
"""Stock clients against the built server: curl, the influx shell (Debian's influxdb-client) and the
Python client (python3-influxdb). A client that is not installed is skipped."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nilo_server  # noqa: E402

# Debian's modules belong to Debian's interpreter, which may not be the one that runs this.
PYTHON = "/usr/bin/python3" if pathlib.Path("/usr/bin/python3").exists() else sys.executable


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = nilo_server.Server()
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.server.remove()
        if code != 0:
            raise AssertionError(f"the server ended with {code}")

    def run_command(self, *command, data=None):
        done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout


@unittest.skipUnless(shutil.which("curl"), "curl is not installed")
class Curl(Case):
    def curl(self, *arguments, data=None):
        return self.run_command("curl", "--silent", "--show-error", *arguments, data=data)

    def test_session(self):
        url = self.server.url
        self.assertIn("204", self.curl("--head", f"{url}/ping"))
        self.assertEqual(json.loads(self.curl(f"{url}/query", "--data-urlencode",
                                              "q=CREATE DATABASE c")),
                         {"results": [{"statement_id": 0}]})
        self.curl(f"{url}/write?db=c", "--fail", "--data-binary", "m,host=a v=1 1\nm,host=b v=2 2\n")
        answer = self.curl("--get", f"{url}/query", "--data-urlencode", "db=c", "--data-urlencode",
                           "q=SELECT sum(v) FROM m", "--data-urlencode", "epoch=ns")
        self.assertEqual(json.loads(answer)["results"][0]["series"][0]["values"][0][1], 3)

    def test_large_body_waits_for_continue(self):
        self.curl(f"{self.server.url}/query", "--data-urlencode", "q=CREATE DATABASE big")
        with tempfile.NamedTemporaryFile("w", suffix=".lp") as rows:
            rows.writelines(f"m v={i} {i + 1}\n" for i in range(200000))
            rows.flush()
            self.curl("--fail", "--expect100-timeout", "30", f"{self.server.url}/write?db=big",
                      "--data-binary", f"@{rows.name}")
            self.curl("--fail", "-H", "Transfer-Encoding: chunked", "-H", "Expect:",
                      f"{self.server.url}/write?db=big", "--data-binary", f"@{rows.name}")
        answer = self.curl("--get", f"{self.server.url}/query", "--data-urlencode", "db=big",
                           "--data-urlencode", "q=SELECT count(v) FROM m")
        self.assertEqual(json.loads(answer)["results"][0]["series"][0]["values"][0][1], 200000)


@unittest.skipUnless(shutil.which("influx"), "the influx shell is not installed")
class InfluxShell(Case):
    def influx(self, *arguments):
        return self.run_command("influx", "-host", "127.0.0.1", "-port", str(self.server.port),
                                *arguments)

    def test_session(self):
        self.influx("-execute", "CREATE DATABASE shell")
        self.assertIn("shell", self.influx("-execute", "SHOW DATABASES"))
        self.influx("-database", "shell", "-execute", "INSERT cpu,host=a v=1.5,n=3i 1000")
        self.influx("-database", "shell", "-execute", 'INSERT cpu,host=b v=2,s="two words" 2000')
        table = self.influx("-database", "shell", "-execute", "SELECT * FROM cpu")
        self.assertIn("name: cpu", table)
        self.assertRegex(table, r"1000 +a +3 +1\.5")
        self.assertRegex(table, r"2000 +b +two words +2")
        csv = self.influx("-database", "shell", "-format", "csv", "-execute",
                          "SELECT v FROM cpu GROUP BY host")
        self.assertIn("cpu,host=a,1000,1.5", csv)
        parsed = json.loads(self.influx("-database", "shell", "-format", "json", "-execute",
                                        "SELECT mean(v) FROM cpu"))
        self.assertEqual(parsed["results"][0]["series"][0]["values"][0][1], 1.75)
        self.assertIn("host", self.influx("-database", "shell", "-execute", "SHOW TAG KEYS"))

    def test_import(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as dump:
            dump.write("# DDL\nCREATE DATABASE imported\n# DML\n# CONTEXT-DATABASE: imported\n")
            dump.writelines(f"m v={i} {i + 1}\n" for i in range(12000))
            dump.flush()
            text = self.influx("-import", "-path", dump.name)
            self.assertIn("Failed 0 inserts", text)
        self.assertIn("12000", self.influx("-database", "imported", "-execute",
                                           "SELECT count(v) FROM m"))


def has_python_client():
    return subprocess.run([PYTHON, "-c", "import influxdb"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


@unittest.skipUnless(has_python_client(), "python3-influxdb is not installed")
class PythonClient(Case):
    SCRIPT = """
import sys
from influxdb import InfluxDBClient
client = InfluxDBClient("127.0.0.1", int(sys.argv[1]), database="py")
assert client.ping().startswith("1.8")
client.create_database("py")
assert {"name": "py"} in client.get_list_database()
points = [{"measurement": "cpu", "tags": {"host": h}, "time": t,
           "fields": {"v": t * 0.5, "n": t, "ok": True, "s": 'a "quoted" word'}}
          for h in ("a", "b") for t in range(1, 101)]
assert client.write_points(points, time_precision="s", batch_size=50)
rows = list(client.query("SELECT * FROM cpu WHERE host = 'a'", epoch="s").get_points())
assert len(rows) == 100, len(rows)
assert rows[0] == {"time": 1, "host": "a", "n": 1, "ok": True, "s": 'a "quoted" word', "v": 0.5}, rows[0]
result = client.query("SELECT mean(v) FROM cpu GROUP BY host")
assert [key[1] for key in result.keys()] == [{"host": "a"}, {"host": "b"}]
assert [row["mean"] for row in result.get_points()] == [25.25, 25.25]
chunks = client.query("SELECT v FROM cpu", chunked=True, chunk_size=30, epoch="s")
total = 0
for chunk in (chunks if not hasattr(chunks, "get_points") else [chunks]):
    total += len(list(chunk.get_points()))
assert total == 200, total
assert client.get_list_measurements() == [{"name": "cpu"}]
try:
    client.query("SELEC x")
    raise SystemExit("a bad statement was accepted")
except Exception as error:
    assert "error parsing query" in str(error), error
client.query("DROP MEASUREMENT cpu", method="POST")
assert client.get_list_measurements() == []
client.drop_database("py")
print("done")
"""

    def test_session(self):
        out = self.run_command(PYTHON, "-c", self.SCRIPT, str(self.server.port))
        self.assertIn("done", out)

    def test_gzip(self):
        script = """
import sys
from influxdb import InfluxDBClient
client = InfluxDBClient("127.0.0.1", int(sys.argv[1]), database="zip", gzip=True)
client.create_database("zip")
client.write_points([{"measurement": "m", "time": t, "fields": {"v": t}} for t in range(1, 1001)],
                    time_precision="s")
print(next(client.query("SELECT count(v) FROM m").get_points())["count"])
"""
        self.assertIn("1000", self.run_command(PYTHON, "-c", script, str(self.server.port)))


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules[__name__])
