#!/usr/bin/env python3
"""The tools of the `nilo` command (check, compact, delete, backup, restore, repair …) as a person
uses them, on a directory and through a server.

NILO_BUILD names the folder of the build; the last line is "N passed, N failed"."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "protocol"))
import nilo_server  # noqa: E402

SECONDS = 120


def environment():
    names = {name: value for name, value in os.environ.items() if not name.startswith("NILO_")}
    suppressions = TOP / "tests" / "support" / "tsan.supp"
    names["TSAN_OPTIONS"] = names.get("TSAN_OPTIONS", "") + f":suppressions={suppressions}"
    return names


def flip(path, offset, mask=1):
    data = bytearray(path.read_bytes())
    data[offset] ^= mask
    path.write_bytes(data)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nilo-tools-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = self.folder / "data"

    def nilo(self, *arguments, status=0, stdin=""):
        """Runs a command; its standard output and its error stream."""
        arguments = [str(argument) for argument in arguments]
        done = subprocess.run([nilo_server.program(), *arguments], input=stdin, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                              timeout=SECONDS, env=environment())
        self.assertEqual(done.returncode, status,
                         f"nilo {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def events(self, *arguments, status=0):
        out, _ = self.nilo(*arguments, "--json", status=status)
        return [json.loads(line) for line in out.splitlines()]

    def write(self, db, lines, data=None, precision="s"):
        self.nilo("write", "--data", data or self.data, "--db", db, "--precision", precision,
                  stdin="\n".join(lines) + "\n")

    def load(self, rows=3000, hosts=3):
        """Database `d`: `cpu` of `hosts` hosts, an hour a row, and `note`; all of it in parts."""
        lines = [f"cpu,host=h{i % hosts},rack=r{i % 2} usage={i}i,idle={i / 4} {3600 * i}"
                 for i in range(rows)]
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        self.write("d", lines)
        self.write("d", [f'note,who=me text="row {i}" {86400 * i}' for i in range(20)])
        self.nilo("compact", self.data)

    def query(self, text, data=None, db="d"):
        out, _ = self.nilo("query", "--data", data or self.data, "--db", db, "--format", "csv",
                           text)
        return out

    def part_files(self, data=None):
        return sorted((data or self.data).glob("parts/*.part"))


class Inspect(Case):
    VIEWS = {"stores": ("stores",), "parts": ("parts",), "blocks": ("blocks", "columns"),
             "log": ("segments", "records"), "series": ("series",), "snapshots": ("snapshots",),
             "codecs": ("codecs",), "compression": ("compression",)}

    def test_views(self):
        self.load()
        self.write("d", ["cpu,host=x usage=1i 1"])
        for view, members in self.VIEWS.items():
            text, err = self.nilo("inspect", self.data, view)
            self.assertEqual(err, "")
            self.assertEqual([line for line in text.splitlines() if len(line) > 90], [], view)
            report = json.loads(self.nilo("inspect", self.data, view, "--json")[0])
            self.assertEqual(tuple(report), members)
            for member in members:
                self.assertTrue(report[member], f"{view}: {member}")
        blocks = json.loads(self.nilo("inspect", self.data, "blocks", "--table", "cpu",
                                      "--json")[0])
        self.assertEqual({row["table"] for row in blocks["blocks"]}, {"cpu"})
        columns = {row["column"]: row for row in blocks["columns"]}
        self.assertEqual(columns["usage"]["type"], "integer")
        self.assertRegex(columns["usage"]["encodings"], r"^[a-z_0-9]+ \d+$")
        self.assertEqual(columns["idle"]["values"], 3000)
        series = json.loads(self.nilo("inspect", self.data, "series", "--json")[0])["series"]
        self.assertEqual({(row["table"], row["series"], row["tags"]) for row in series},
                         {("cpu", 6, 2), ("note", 1, 1)})
        part = blocks["blocks"][0]["part"]
        one = json.loads(self.nilo("inspect", self.data, "parts", "--part", part, "--json")[0])
        self.assertEqual([row["part"] for row in one["parts"]], [part])

    def codecs(self, *arguments):
        rows = json.loads(self.nilo("inspect", self.data, "codecs", "--database", "d", *arguments, "--json")[0])
        return rows["codecs"]

    def test_what_codecs_beat(self):
        lines = [f'm,host=h{i % 2} walk={(i * i % 7919) // 40}i,price={i * 37 % 1000 / 100},same=1.5,'
                 f'on={"true" if i % 900 < 450 else "false"},text="of {i % 5}" {i}' for i in range(4000)]
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        self.write("d", lines)
        self.nilo("compact", self.data)
        columns = {row["column"]: row for row in self.codecs("--table", "m")}
        self.assertEqual(set(columns), {"(time)", "walk", "price", "same", "on", "text"})
        self.assertEqual(columns["same"]["codec"], "constant")
        self.assertIn(columns["text"]["codec"], ("dictionary", "words"))
        self.assertEqual({row["values"] for row in columns.values()}, {4000})
        for name, row in columns.items():
            beaten = dict(pair.split() for pair in row["instead"].split(", "))
            self.assertNotIn(row["codec"], beaten)
            if name != "on":
                self.assertIn("raw", beaten)
                self.assertGreater(int(beaten["raw"]), row["bytes"])
            sizes = [int(size) for size in beaten.values()]
            self.assertEqual(sizes, sorted(sizes))
        text = self.nilo("inspect", self.data, "codecs", "--table", "m")[0]
        bits = f"{columns['price']['bytes'] * 8 / 4000:.2f}"
        self.assertRegex(text, rf"d\.m +price +4000 +{bits} +{columns['price']['codec']} +[a-z_0-9]+ [0-9.]+, ")
        # Told by block the same in pieces.
        blocks = [row for row in self.codecs("--by", "block") if row["column"] == "walk"]
        self.assertEqual([row["block"] for row in blocks], [str(i) for i in range(len(blocks))])
        self.assertEqual(sum(row["bytes"] for row in blocks), columns["walk"]["bytes"])
        parts = [row for row in self.codecs("--by", "part") if row["column"] == "walk"]
        self.assertEqual([row["bytes"] for row in parts], [columns["walk"]["bytes"]])
        self.assertIn("by table, part or block",
                      self.nilo("inspect", self.data, "codecs", "--by", "column", status=1)[1])

    def test_compression_is_counted(self):
        self.load(rows=2000)
        stored, = [row for row in json.loads(self.nilo("inspect", self.data, "compression", "--table", "cpu",
                                                       "--json")[0])["compression"]]
        self.assertEqual((stored["setting"], stored["level"], stored["rows"]), ("entropy", "entropy", 2000))
        self.assertGreater(stored["plain"], stored["bytes"])
        self.assertEqual((stored["encoded_in"], stored["cpu_ns"]), (0, 0))
        with nilo_server.Server(["--no-collector"], folder=str(self.folder)) as server:
            self.nilo("table", "set", "--server", server.url, "--database", "d", "--table", "cpu", "--codec", "hot")
            self.nilo("compact", "--server", server.url)
            row, = json.loads(self.nilo("inspect", "--server", server.url, "compression", "--table", "cpu",
                                        "--json")[0])["compression"]
            self.assertEqual((row["setting"], row["level"]), ("hot", "hot"))
            self.assertEqual(row["encoded_in"], row["plain"])
            self.assertGreater(row["encoded_out"], 0)
            self.assertGreater(row["cpu_ns"], 0)
            for _ in range(100):
                with urllib.request.urlopen(server.url + "/metrics") as answer:
                    metrics = answer.read().decode()
                counted = [line for line in metrics.splitlines()
                           if line.startswith('nilo_store_encoded_in_bytes_total{codec="hot"}')]
                if float(counted[0].split()[1]) >= row["encoded_in"]:
                    break
                time.sleep(0.1)
            self.assertGreaterEqual(float(counted[0].split()[1]), row["encoded_in"])
            # Per table exactly what inspect tells, and what is left in the row of the others.
            labels = 'database="d",table="cpu",codec="hot"'
            self.assertEqual(self.metric(metrics, "nilo_table_encoded_in_bytes_total", labels), row["encoded_in"])
            self.assertEqual(self.metric(metrics, "nilo_table_encoded_out_bytes_total", labels), row["encoded_out"])
            self.assertAlmostEqual(self.metric(metrics, "nilo_table_encode_cpu_seconds_total", labels),
                                   row["cpu_ns"] / 1e9)
            self.assertIsNone(self.metric(metrics, "nilo_table_encoded_in_bytes_total",
                                          'database="d",table="cpu",codec="zstd"'))

    def test_metrics_of_tables_are_bounded(self):
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        with nilo_server.Server(["--no-collector"], folder=str(self.folder)) as server:
            body = "".join(f"m{m} v={m} {t}\n" for m in range(60) for t in range(1, 4 if m == 59 else 3))
            request = urllib.request.Request(server.url + "/write?db=d&precision=s", data=body.encode())
            urllib.request.urlopen(request).read()
            self.nilo("compact", "--server", server.url)
            for _ in range(2):
                with urllib.request.urlopen(server.url + "/metrics") as answer:
                    metrics = answer.read().decode()
                rows = [line for line in metrics.splitlines()
                        if line.startswith('nilo_table_encoded_in_bytes_total{database="d"')]
                self.assertEqual(len({line.split('table="')[1].split('"')[0] for line in rows}), 50)
                self.assertTrue(any('table="m59"' in line for line in rows)) # the largest
                self.assertIn('nilo_table_encoded_in_bytes_total{database="",table="other"', metrics)
                summed = sum(float(line.split()[1]) for line in metrics.splitlines()
                             if line.startswith("nilo_table_encoded_in_bytes_total{"))
                told = sum(row["encoded_in"] for row in json.loads(
                    self.nilo("inspect", "--server", server.url, "compression", "--json")[0])["compression"])
                self.assertEqual(summed, told)

    @staticmethod
    def metric(text, name, labels):
        """The value of a counter, or None."""
        for line in text.splitlines():
            if line.startswith(name + "{" + labels + "}"):
                return float(line.split()[1])
        return None

    def test_through_a_server(self):
        self.load(rows=30)
        offline = json.loads(self.nilo("inspect", self.data, "parts", "--json")[0])
        with nilo_server.Server(["--no-collector"], folder=str(self.folder)) as server:
            online = json.loads(self.nilo("inspect", "--server", server.url, "parts", "--json")[0])
            self.assertEqual(online, offline)
            for view in self.VIEWS:
                self.assertTrue(self.nilo("inspect", "--server", server.url, view)[0])
            err = self.nilo("inspect", "--server", server.url, "parts", "--database", "nope",
                            status=1)[1]
            self.assertIn("database not found", err)

    def test_control_characters(self):
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        self.write("d", ["m\x1b[31m\x07x,t=a v=1 1"])
        self.nilo("compact", self.data)
        text, _ = self.nilo("inspect", self.data, "parts")
        self.assertIn("\\x1b[31m\\x07x", text)
        self.assertNotIn("\x1b", text)

    def test_used_wrongly(self):
        self.assertIn("one view", self.nilo("inspect", "a", "b", status=2)[1])


class Table(Case):
    def show(self, *where):
        answer = json.loads(self.nilo("table", "show", *where, "--database", "d", "--json")[0])
        return {series["name"]: series["values"] for series in answer["results"][0]["series"]}

    def test_rules_and_codecs(self):
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        rule = ("--database", "d", "--table", "m")
        out, _ = self.nilo("table", "set", self.data, *rule, "--field", "*", "--decimals", "1", "--create")
        self.assertEqual(out, "set, from the next write and the next merge on\n")
        self.nilo("table", "set", self.data, *rule, "--field", "f", "--relative-error", "1e-3", "--codec", "zstd")
        self.nilo("table", "set", self.data, *rule, "--field", "my field", "--exact")
        self.assertEqual(self.show(self.data), {"m": [
            ["codec", "", "zstd"], ["precision", "*", "decimals 1"],
            ["precision", "f", "relative error 0.001"], ["precision", "my field", "exact"]]})
        self.write("d", ["m f=1234.5678,g=0.26,my\\ field=0.26 1"])
        self.assertIn("1970-01-01T00:00:01Z,1235,0.3,0.26", self.query("SELECT f, g, \"my field\" FROM m"))
        with nilo_server.Server(["--no-collector"], folder=str(self.folder)) as server:
            where = ("--server", server.url)
            self.nilo("table", "unset", *where, *rule, "--field", "f")
            self.nilo("table", "unset", *where, *rule, "--codec", "default")
            self.nilo("table", "set", *where, *rule, "--field", "my field", "--error", "0.5")
            self.assertEqual(self.show(*where), {"m": [
                ["codec", "", "entropy"], ["precision", "*", "decimals 1"], ["precision", "my field", "error 0.5"]]})
        out, _ = self.nilo("table", "show", self.data, *rule)
        self.assertIn("precision  my field  error 0.5", out)

    def test_refused(self):
        self.load(rows=3)
        rule = ("--database", "d", "--table", "cpu")
        for arguments, text in (
                ((), "show, set or unset"),
                (("alter",), "show, set or unset"),
                (("set", self.data, "--database", "d"), "--table"),
                (("set", self.data, *rule), "nothing is to be set"),
                (("set", self.data, *rule, "--decimals", "1"), "--field"),
                (("set", self.data, *rule, "--field", "idle"), "--field"),
                (("set", self.data, *rule, "--field", "idle", "--exact", "--error", "1"), "one rule"),
                (("set", self.data, *rule, "--field", "idle", "--error", "1; DROP"), "no number"),
                (("unset", self.data, *rule), "unset takes"),
                (("show", self.data, *rule, "--codec", "hot"), "show takes")):
            self.assertIn(text, self.nilo("table", *arguments, status=2)[1])
        for arguments, text in ((("--codec", "lz4"), "entropy, zstd, hot"),
                                (("--field", "idle", "--decimals", "99"), "at most 15"),
                                (("--field", "usage", "--decimals", "1"), "only floats are rounded")):
            self.assertIn(text, self.nilo("table", "set", self.data, *rule, *arguments, status=1)[1])
        err = self.nilo("table", "set", self.data, "--database", "d", "--table", "nosuch", "--codec", "hot", status=1)[1]
        self.assertIn("measurement not found", err)
        self.assertIn("no directory", self.nilo("table", "show", "missing", "--database", "d", status=1)[1])


class Check(Case):
    def test_clean(self):
        self.load()
        out, err = self.nilo("check", self.data)
        self.assertIn("all is well", out)
        self.assertEqual(err, "")
        event, = self.events("check", self.data)
        self.assertEqual((event["event"], event["damages"]), ("done", 0))
        self.assertGreaterEqual(event["rows"], 3020)

    def test_r4_every_kind_of_file_is_looked_into(self):
        self.load()
        self.write("d", ["cpu,host=h9 usage=1i 1"])
        for path in [*self.part_files(), *sorted(self.data.glob("manifest/*"))]:
            size = path.stat().st_size
            for offset in (0, size // 3, size // 2, size - 40):
                flip(path, offset)
                events = self.events("check", self.data, status=1)
                name = str(path.relative_to(self.data))
                found = [e for e in events if e["event"] == "finding" and e["kind"] == "damage"]
                self.assertIn(name, [e["file"] for e in found], f"{name} at {offset}: {events}")
                for event in found:
                    self.assertTrue(event["what"] and event["remedy"], event)
                    self.assertIsInstance(event["offset"], int)
                flip(path, offset)
        log = sorted(path for path in self.data.glob("log/*.log")
                     if b"NREC" in path.read_bytes()[4096:4200])[-1]
        flip(log, 4200)
        text, _ = self.nilo("check", self.data, status=1)
        self.assertIn(f"log/{log.name}, offset 4096, record", text)
        self.assertIn("DAMAGED", text)
        self.assertEqual([line for line in text.splitlines() if len(line) > 160], [])

    def test_places_that_are_none(self):
        self.assertIn("is no data directory", self.nilo("check", self.folder, status=1)[1])
        self.assertIn("is no data directory", self.nilo("check", "missing", status=1)[1])
        self.assertIn("one directory", self.nilo("check", "a", "--data", "b", status=2)[1])

    def test_through_a_server(self):
        self.load()
        with nilo_server.Server(folder=str(self.folder)) as server:
            err = self.nilo("check", self.data, status=1)[1]
            self.assertIn("is in use by process", err)
            self.assertIn(server.url, err)
            self.assertIn("--server", err)
            self.assertIn("all is well", self.nilo("check", "--server", server.url)[0])
            flip(self.part_files()[-1], 40)
            events = self.events("check", "--server", server.url, status=1)
            self.assertEqual([e["file"] for e in events if e["event"] == "finding"],
                             ["parts/" + self.part_files()[-1].name])
            flip(self.part_files()[-1], 40)
            request = urllib.request.Request(server.url + "/api/v1/admin/check", method="POST",
                                             headers={"Origin": "http://example.org"})
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request)
            self.assertEqual(caught.exception.code, 403)
            # A page may have a name of its own point here: then it needs no Origin to read.
            port = server.url.rsplit(":", 1)[1]
            for host, status in (("page.example", 403), (f"page.example:{port}", 403),
                                 ("127.0.0.1.page.example", 403), (f"localhost:{port}", 200),
                                 (f"[::1]:{port}", 200), ("127.0.0.1", 200)):
                request = urllib.request.Request(server.url + "/api/v1/admin/inspect",
                                                 headers={"Host": host})
                try:
                    with urllib.request.urlopen(request) as answer:
                        self.assertEqual(answer.status, status, host)
                except urllib.error.HTTPError as error:
                    self.assertEqual(error.code, status, host)
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(server.url + "/api/v1/admin/job?id=99")
            self.assertEqual(caught.exception.code, 404)


class Repair(Case):
    SUMS = ("SELECT count(usage), sum(usage), sum(idle) FROM cpu; SELECT count(text) FROM note; "
            "SHOW SERIES; SELECT sum(usage) FROM cpu GROUP BY host")

    def part_of(self, table):
        row, = json.loads(self.nilo("inspect", self.data, "parts", "--table", table,
                                    "--json")[0])["parts"]
        return self.data / "parts" / row["file"]

    def series_at(self, table):
        """Where the series section of a table's only part begins: behind its blocks."""
        rows = json.loads(self.nilo("inspect", self.data, "blocks", "--table", table,
                                    "--json")[0])["blocks"]
        return max(row["offset"] + row["bytes"] for row in rows)

    def spoil(self, path, offset, size):
        data = bytearray(path.read_bytes())
        for i in range(offset, offset + size):
            data[i] ^= 0x5a
        path.write_bytes(data)

    def test_whole(self):
        self.load()
        self.assertIn("nothing to repair", self.nilo("repair", self.data)[0])
        self.assertIn("nothing to repair", self.nilo("index", "rebuild", self.data)[0])

    def test_r5_single_bits_cost_nothing(self):
        self.load(rows=700)
        before = self.query(self.SUMS)
        for table in ("cpu", "note"):
            for place in (5, 60, 0.3, 0.5, 0.7, -100, -20):
                path = self.part_of(table)
                size = path.stat().st_size
                offset = int(size * place) if 0 < place < 1 else place % size
                flip(path, offset, 0x10)
                self.nilo("check", self.data, status=1)
                out, _ = self.nilo("repair", self.data)
                self.assertIn("0 lost", out, f"{table} at {offset} of {size}")
                self.assertIn("all is well", self.nilo("check", self.data)[0])
                self.assertEqual(self.query(self.SUMS), before)
                self.assertTrue((self.data / "quarantine" / path.name).exists())

    def test_r5_damaged_blocks(self):
        self.load(rows=30000, hosts=2)  # 15,000 rows each: several blocks
        path = self.part_of("cpu")
        self.spoil(path, 40, 24)
        dry, _ = self.nilo("repair", self.data, "--dry-run", status=1)
        self.assertIn("nothing was changed; it would be", dry)
        self.nilo("check", self.data, status=1)
        events = self.events("repair", self.data, status=1)
        done = events[-1]
        self.assertEqual(done["parts_rewritten"], 1)
        self.assertGreater(done["rows_lost"], 0)
        self.assertEqual(done["rows_lost"] + done["rows_saved"], 30000)
        lost = [e for e in events if e["event"] == "finding" and e["kind"] == "damage"]
        self.assertRegex(lost[0]["what"], r"rows of series \d+ to \d+ with keys \d+ to \d+ could "
                                          r"not be saved")
        self.assertIn("all is well", self.nilo("check", self.data)[0])
        self.assertIn(str(done["rows_saved"]), self.query("SELECT count(usage) FROM cpu"))
        self.assertTrue((self.data / "quarantine" / path.name).exists())
        self.assertFalse(path.exists())

    def test_r5_manifest(self):
        self.load()
        self.write("d", ["cpu,host=late usage=1i 1"])
        before = self.query(self.SUMS)
        for path in self.data.glob("manifest/*"):
            path.unlink()
        self.nilo("query", "--data", self.data, "SHOW DATABASES", status=1)
        self.assertIn("made anew", self.nilo("repair", self.data)[0])
        self.assertEqual(self.query(self.SUMS), before)
        self.assertIn("all is well", self.nilo("check", self.data)[0])

    def test_r5_series_sections(self):
        self.load()
        before = self.query(self.SUMS)
        self.spoil(self.part_of("cpu"), self.series_at("cpu") + 4, 20)
        self.assertIn("series.bin", self.nilo("check", self.data, status=1)[0])
        shutil.copytree(self.data, self.folder / "copy")
        # The log still tells the tags.
        self.nilo("index", "rebuild", self.data)
        self.assertIn("all is well", self.nilo("check", self.data)[0])
        self.assertEqual(self.query(self.SUMS), before)
        # Nothing does: the rows are left out, and said.
        self.data = self.folder / "copy"
        for path in self.data.glob("log/*"):
            path.unlink()
        events = self.events("index", "rebuild", self.data, status=1)
        self.assertEqual(events[-1]["rows_lost"], 3000)
        self.assertIn("all is well", self.nilo("check", self.data)[0])
        self.assertNotIn("cpu,host", self.query("SHOW SERIES"))
        self.assertIn("20", self.query("SELECT count(text) FROM note"))

    def test_index_all(self):
        self.load()
        before = self.query(self.SUMS)
        self.assertEqual(self.events("index", "rebuild", self.data, "--all")[-1]
                         ["parts_rewritten"], 3)
        self.assertIn("all is well", self.nilo("check", self.data)[0])
        self.assertEqual(self.query(self.SUMS), before)

    def test_used_wrongly(self):
        self.assertIn("index takes a verb", self.nilo("index", status=2)[1])
        self.assertIn("name one directory", self.nilo("repair", "a", "b", status=2)[1])
        self.assertIn("is no data directory", self.nilo("repair", self.folder, status=1)[1])
        self.load(rows=3)
        with nilo_server.Server(folder=str(self.folder)):
            self.assertIn("is in use", self.nilo("repair", self.data, status=1)[1])


class Doors(Case):
    """The tools answer the own machine only, unless a setting opens them."""

    def own_address(self):
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(probe.close)
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            self.skipTest("this machine has no address but the loopback's")
        address = probe.getsockname()[0]
        if address.startswith("127."):
            self.skipTest("this machine has no address but the loopback's")
        return address

    def ask(self, server, address, path="/api/v1/admin/inspect"):
        port = server.url.rsplit(":", 1)[1]
        try:
            with urllib.request.urlopen(f"http://{address}:{port}{path}") as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def test_other_machines(self):
        address = self.own_address()
        for settings, status in (([], 403), (["--http.admin_remote=true"], 200)):
            with nilo_server.Server(["--http", "0.0.0.0:0", *settings],
                                    folder=str(self.folder)) as server:
                self.assertEqual(self.ask(server, address), status)
                self.assertEqual(self.ask(server, "127.0.0.1"), 200)
                self.assertEqual(self.ask(server, address, "/ping"), 204)


class Compact(Case):
    def test_directory_and_server(self):
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        for i in range(4):
            self.write("d", [f"cpu,host=a usage={i}i {j}" for j in range(i * 500, i * 500 + 500)])
        before = self.query("SELECT count(usage), sum(usage) FROM cpu")
        event, = self.events("compact", self.data)
        self.assertEqual(event["tool"], "compact")
        self.assertGreater(event["parts_after"], 0)
        self.assertEqual(event["memory_after"], 0)
        self.assertEqual(self.query("SELECT count(usage), sum(usage) FROM cpu"), before)
        with nilo_server.Server(folder=str(self.folder)) as server:
            self.assertIn("parts ", self.nilo("compact", "--server", server.url, "--database", "d",
                                              "--table", "cpu")[0])
            err = self.nilo("compact", "--server", server.url, "--database", "nope", status=1)[1]
            self.assertIn("database not found", err)
        self.assertIn("--table needs --database", self.nilo("compact", "--table", "t", status=2)[1])
        self.assertIn("measurement not found",
                      self.nilo("compact", self.data, "--database", "d", "--table", "x",
                                status=1)[1])
        self.assertIn("all is well", self.nilo("check", self.data)[0])


class Delete(Case):
    def left(self, data=None):
        return int(self.query("SELECT count(usage) FROM cpu", data).splitlines()[1].split(",")[-1])

    def test_by_time_tag_and_day(self):
        self.load(rows=240)
        out, _ = self.nilo("delete", self.data, "--database", "d", "--table", "cpu", "--where",
                           "host = 'h1'", "--dry-run")
        self.assertEqual(out, "80 rows or more of 2 series match\n")
        self.assertEqual(self.left(), 240)
        self.nilo("delete", self.data, "--database", "d", "--table", "cpu", "--where",
                  "host = 'h1'", "--yes")
        self.assertEqual(self.left(), 160)
        self.nilo("delete", self.data, "--database", "d", "--table", "cpu", "--partition",
                  "1970-01-02", "--yes")
        self.assertEqual(self.left(), 144)
        self.nilo("delete", self.data, "--database", "d", "--from", "1970-01-03T00:00:00Z", "--to",
                  str(72 * 3600 * 10**9), "--yes")
        self.assertEqual(self.left(), 128)
        self.assertIn("all is well", self.nilo("check", self.data)[0])

    def test_table_and_database(self):
        self.load(rows=10)
        self.nilo("delete", self.data, "--database", "d", "--table", "cpu", "--yes")
        self.assertNotIn("cpu", self.query("SHOW MEASUREMENTS"))
        self.assertIn("note", self.query("SHOW MEASUREMENTS"))
        err = self.nilo("delete", self.data, "--database", "d", "--yes", status=2)[1]
        self.assertIn("--all", err)
        self.nilo("delete", self.data, "--database", "d", "--all", "--yes")
        self.assertNotIn("\nd\n", self.query("SHOW DATABASES"))

    def test_through_a_server(self):
        self.load(rows=30)
        with nilo_server.Server(folder=str(self.folder)) as server:
            self.nilo("delete", "--server", server.url, "--database", "d", "--table", "cpu",
                      "--where", "host = 'h0'", "--yes")
        self.assertEqual(self.left(), 20)

    def test_used_wrongly(self):
        self.load(rows=3)
        for arguments, text in (
                ((), "--database NAME is needed"),
                (("--database", "d", "--table", "cpu"), "no terminal to ask on"),
                (("--database", "d", "--table", "cpu", "--all"), "stands alone"),
                (("--database", "d", "--where", "host = 'a'); DROP DATABASE d; SELECT (1"),
                 "one condition"),
                (("--database", "d", "--partition", "x", "--from", "y"), "--partition, or")):
            self.assertIn(text, self.nilo("delete", self.data, *arguments, status=2)[1])
        err = self.nilo("delete", self.data, "--database", "d", "--table", "cpu", "--where",
                        "usage > 1", "--yes", status=1)[1]
        self.assertTrue(err)
        self.assertEqual(self.left(), 3)


class Backup(Case):
    def values(self, data=None, db="d"):
        return self.query("SELECT count(usage), sum(usage), sum(idle) FROM cpu; "
                          "SELECT count(text) FROM note; SHOW SERIES", data, db)

    def test_whole(self):
        self.load()
        self.write("d", ["cpu,host=new usage=7i,idle=1 99999999"])  # in the log only
        before = self.values()
        event, = [e for e in self.events("backup", self.data, "--to", "b") if e["event"] == "done"]
        self.assertEqual(event["tool"], "backup")
        self.assertGreater(event["bytes_linked"], 0)
        self.assertIn("is whole", self.nilo("restore", "--verify", "b")[0])
        self.assertIn("all is well", self.nilo("check", "b")[0])
        self.write("d", ["cpu,host=later usage=1i 1"])
        self.assertIn("restored commit", self.nilo("restore", "b", "--to", "r")[0])
        self.assertEqual(self.values("r"), before)
        self.assertIn("all is well", self.nilo("check", self.data)[0])
        self.write("d", ["cpu,host=again usage=1i 1"], data="r")
        self.assertIn("all is well", self.nilo("check", "r")[0])
        self.assertIn("is whole", self.nilo("restore", "--verify", "b")[0])
        self.assertEqual(self.values("b"), before)  # a backup is a directory itself

    def test_incremental_chain(self):
        self.load(rows=600)
        self.nilo("backup", self.data, "--to", "b0")
        expected = []
        for i in range(1, 4):
            self.write("d", [f"cpu,host=x{i} usage={i}i {i}"])
            event = self.events("backup", self.data, "--to", f"b{i}", "--incremental-from",
                                f"b{i - 1}/")[-1]  # as a shell completes it
            self.assertGreater(event["files_elsewhere"], 0)
            expected.append(self.values())
        for i in range(1, 4):
            self.nilo("restore", f"b{i}", "--to", f"r{i}")
            self.assertEqual(self.values(f"r{i}"), expected[i - 1])
        # Moved together, they are found beside each other; apart, they have to be named.
        (self.folder / "moved").mkdir()
        for i in range(4):
            (self.folder / f"b{i}").rename(self.folder / "moved" / f"b{i}")
        self.nilo("restore", "moved/b3/", "--to", "s3/")
        self.assertEqual(self.values("s3"), expected[2])
        (self.folder / "moved" / "b0").rename(self.folder / "apart")
        err = self.nilo("restore", "moved/b3", "--to", "t3", status=1)[1]
        self.assertIn("name the older backups", err)
        self.assertFalse((self.folder / "t3").exists())
        self.nilo("restore", "moved/b3", "apart", "--to", "t3")
        self.assertEqual(self.values("t3"), expected[2])

    def test_narrowed(self):
        self.load(rows=240)
        self.nilo("query", "--data", self.data, "CREATE DATABASE other")
        self.write("other", ["m,secret=yes v=1 1"])
        self.nilo("compact", self.data)
        self.nilo("backup", self.data, "--to", "b", "--database", "d", "--partition", "1970-01-03")
        self.nilo("restore", "b", "--to", "r")
        self.assertEqual(self.query("SHOW DATABASES", "r").splitlines()[1:], ["databases,,d"])
        rows = self.query("SELECT usage FROM cpu", "r").splitlines()[1:]
        self.assertEqual(sorted(int(row.split(",")[-1]) for row in rows), list(range(48, 72)))
        self.assertNotIn(b"secret", b"".join(path.read_bytes() for path in self.part_files(
            self.folder / "r") if b"yes" in path.read_bytes()))
        self.nilo("restore", "b", "--to", "x", "--database", "nope", status=1)
        self.nilo("backup", self.data, "--to", "all")
        self.nilo("restore", "all", "--to", "o", "--database", "other")
        self.assertEqual(self.query("SELECT v FROM m", "o", db="other").splitlines()[1][-1], "1")
        self.assertNotIn(",d", self.query("SHOW DATABASES", "o"))
        self.nilo("backup", self.data, "--to", "n", "--database", "nope", status=1)
        self.assertFalse((self.folder / "n").exists())

    def test_damaged_and_unfinished(self):
        self.load(rows=300)
        self.nilo("backup", self.data, "--to", "b")
        shutil.copytree(self.folder / "b", self.folder / "c")
        flip(self.part_files(self.folder / "c")[0], 50)
        out, err = self.nilo("restore", "c", "--to", "r", status=1)
        self.assertIn("do not match their digest", out)
        self.assertIn("backup is damaged", err)
        self.assertFalse((self.folder / "r").exists())
        self.assertFalse((self.folder / "r.restoring").exists())
        for offset in range(0, (self.folder / "b" / "backup.json").stat().st_size, 7):
            flip(self.folder / "b" / "backup.json", offset)
            self.nilo("restore", "--verify", "b", status=1)
            flip(self.folder / "b" / "backup.json", offset)
        (self.folder / "b" / "backup.json").unlink()
        err = self.nilo("restore", "b", "--to", "r", status=1)[1]
        self.assertIn("no backup, or one that was not finished", err)
        (self.folder / "full").mkdir()
        (self.folder / "full" / "x").write_text("")
        self.assertIn("not empty", self.nilo("backup", self.data, "--to", "full", status=1)[1])
        self.nilo("backup", self.data, "--to", "b9")
        self.assertIn("not empty", self.nilo("restore", "b9", "--to", "full", status=1)[1])
        (self.folder / "empty").mkdir()
        self.nilo("restore", "b9", "--to", "empty")
        self.assertIn("all is well", self.nilo("check", "empty")[0])

    def test_through_a_server(self):
        self.load(rows=300)
        (self.folder / "backups").mkdir()
        with nilo_server.Server([f"--storage.backup_directory={self.folder}/backups"],
                                folder=str(self.folder)) as server:
            self.nilo("write", "--server", server.url, "--db", "d", "--precision", "s",
                      stdin="cpu,host=live usage=5i 5\n")
            self.assertIn("backup of commit",
                          self.nilo("backup", "--server", server.url, "--to", "one")[0])
            self.nilo("write", "--server", server.url, "--db", "d", "--precision", "s",
                      stdin="cpu,host=live usage=6i 6\n")
            self.nilo("backup", "--server", server.url, "--to", "two", "--incremental-from", "one")
            for name in ("../out", "/tmp/out", ".", "a/b"):
                self.nilo("backup", "--server", server.url, "--to", name, status=1)
        self.nilo("restore", "backups/two", "--to", "r")
        self.assertIn("302", self.query("SELECT count(usage) FROM cpu", "r"))
        with nilo_server.Server(folder=str(self.folder)) as server:
            err = self.nilo("backup", "--server", server.url, "--to", "x", status=1)[1]
            self.assertIn("storage.backup_directory", err)

    def test_one_commit_while_rows_come(self):
        """Every request writes to both tables; so every backup has as many rows of the one as of
        the other, and all that were answered before it began."""
        self.load(rows=30)
        (self.folder / "backups").mkdir()
        written, stop = [0], threading.Event()
        with nilo_server.Server([f"--storage.backup_directory={self.folder}/backups",
                                 "--storage.memory_max=1MiB"], folder=str(self.folder)) as server:
            def write():
                while not stop.is_set():
                    i = written[0]
                    body = "".join(f"{table},n=x v={i}i {50 * i + j}\n" for j in range(50)
                                   for table in ("one", "two"))
                    urllib.request.urlopen(urllib.request.Request(
                        server.url + "/write?db=d&precision=s", body.encode()))
                    written[0] += 1
            thread = threading.Thread(target=write)
            thread.start()
            before = []
            for name in ("b0", "b1", "b2"):
                before.append(written[0])
                self.nilo("backup", "--server", server.url, "--to", name,
                          *(["--incremental-from", "b0"] if name == "b2" else []))
            stop.set()
            thread.join()
        for i, least in enumerate(before):
            self.nilo("restore", f"backups/b{i}", "--to", f"r{i}")
            counts = [int(line.split(",")[-1]) for line in
                      self.query("SELECT count(v) FROM one; SELECT count(v) FROM two",
                                 f"r{i}").splitlines() if line[:3] in ("one", "two")]
            if least:
                self.assertEqual(counts[0], counts[1])
                self.assertGreaterEqual(counts[0], 50 * least)

    def test_used_wrongly(self):
        self.load(rows=3)
        for arguments, text in (
                (("backup", self.data), "--to TARGET is needed"),
                (("backup", self.data, "--to", "b", "--partition", "monday"), "takes a day"),
                (("restore", "--to", "x"), "takes a backup"),
                (("restore", "b"), "--to DIR, or --verify")):
            self.assertIn(text, self.nilo(*arguments, status=2)[1])
        self.nilo("backup", self.data, "--to", "b", "--from", "yesterday", status=1)
        self.nilo("backup", self.data, "--to", "b", "--from", "5", "--before", "5", status=1)


class Alone(Case):
    """A store opened alone, as nilo/store.h makes it: the golden one, 1,100 rows in two parts and
    three records of log, of which a tombstone; policy newest column."""

    def setUp(self):
        super().setUp()
        self.fill()

    def fill(self):
        for file in (TOP / "tests" / "golden" / "alone").iterdir():
            if file.name == "files.txt":
                continue
            target = self.data / file.name.replace("-", "/", 1)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)

    def count(self, data=None):
        out, _ = self.nilo("delete", data or self.data, "--all", "--dry-run")
        return int(out.split()[0])

    def files(self):
        return sorted(path for path in self.data.rglob("*")
                      if path.is_file() and path.name != "LOCK" and path.parent.name != "log")

    def test_views(self):
        out, _ = self.nilo("inspect", self.data)
        self.assertIn("last commit 5", out)
        shown = json.loads(self.nilo("inspect", self.data, "parts", "--json")[0])["parts"]
        self.assertEqual([part["table"] for part in shown], ["(store)"] * 3)
        self.assertEqual(sum(part["rows"] for part in shown), 1100)
        for view, member in (("stores", "stores"), ("blocks", "columns"), ("log", "records"),
                             ("series", "series"), ("snapshots", "snapshots")):
            self.assertTrue(json.loads(self.nilo("inspect", self.data, view, "--json")[0])[member])
            self.nilo("inspect", self.data, view)
        records = json.loads(self.nilo("inspect", self.data, "log", "--json")[0])["records"]
        self.assertEqual([record["closed"] for record in records], ["no", "no", "yes"])
        self.nilo("delete", self.data, "--series", "77", "--yes")  # opens and closes in order
        records = json.loads(self.nilo("inspect", self.data, "log", "--json")[0])["records"]
        self.assertEqual([record["closed"] for record in records][-2:], ["no", "yes"])
        self.assertEqual(json.loads(self.nilo("inspect", self.data, "--json")[0])["commit"], 6)
        self.assertIn("one store by itself",
                      self.nilo("inspect", self.data, "parts", "--database", "d", status=1)[1])

    def test_r4_every_file_is_looked_into(self):
        self.assertEqual(self.events("check", self.data)[-1]["damages"], 0)
        self.assertGreater(len(self.files()), 12)
        for path in self.files():
            flip(path, path.stat().st_size // 2)
            found = self.events("check", self.data, status=1)
            name = str(path.relative_to(self.data))
            damaged = [event["file"] for event in found if event.get("kind") == "damage"]
            self.assertIn(name, damaged)
            flip(path, path.stat().st_size // 2)
        self.nilo("check", self.data)

    def test_r5_repair(self):
        whole = self.count()
        for path in self.files():
            flip(path, path.stat().st_size // 2)
            before = path.read_bytes()
            self.nilo("repair", self.data, "--dry-run")
            self.assertEqual(path.read_bytes(), before)
            done = self.events("repair", self.data)[-1]
            self.assertEqual((done["rows_lost"], done["values_lost"]), (0, 0))
            self.nilo("check", self.data)
            self.assertEqual(self.count(), whole)
            shutil.rmtree(self.data)
            self.fill()
        for path in self.data.glob("*.s*"):
            path.unlink()
        self.assertTrue(self.events("repair", self.data)[-1]["manifest_rebuilt"])
        self.nilo("check", self.data)
        self.assertEqual(self.count(), whole)
        self.assertIn("no series sections",
                      self.nilo("index", "rebuild", self.data, status=1)[1])

    def test_compact_and_delete(self):
        whole = self.count()
        done = self.events("compact", self.data)[-1]
        self.assertEqual((done["parts_before"], done["parts_after"]), (2, 1))
        self.assertEqual(self.count(), whole)
        out, _ = self.nilo("delete", self.data, "--series", "2", "--from", "100", "--to", "200",
                           "--yes")
        self.assertEqual(out.splitlines(), ["100 elements match", "deleted"])
        self.assertEqual(self.count(), whole - 100)
        for arguments in (("--series", "0"), ("--series", "1,"), ("--series", "2,2"), (),
                          ("--from", "x"), ("--from", "5", "--to", "5"), ("--table", "t"),
                          ("--all", "--from", "5")):
            self.nilo("delete", self.data, *arguments, "--yes", status=2)
        self.nilo("compact", self.data, "--database", "d", status=1)

    def test_backup_and_restore(self):
        whole = self.count()
        self.nilo("backup", self.data, "--to", "b1")
        self.nilo("delete", self.data, "--series", "2", "--yes")
        done = self.events("backup", self.data, "--to", "b2", "--incremental-from", "b1")[-1]
        self.assertGreater(done["files_elsewhere"], 0)
        self.nilo("restore", "b1", "--verify")
        self.nilo("restore", "b1", "--to", "r1")
        self.nilo("restore", "b2", "--to", "r2")
        self.assertEqual(self.count("r1"), whole)
        self.assertEqual(self.count("r2"), self.count())
        self.nilo("backup", self.data, "--to", "b3", "--from", "5", status=1)


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules["__main__"])
