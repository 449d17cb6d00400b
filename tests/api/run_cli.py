#!/usr/bin/env python3
"""The `nilo` command as a person uses it: every command, every option, what it prints and how it ends.

NILO_BUILD names the folder of the build; the last line is "N passed, N failed"."""
import csv
import io
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "protocol"))
import nilo_server  # noqa: E402

NILE = str(TOP / "samples" / "nile.csv")
READINGS, MAXIMA = 1118, 1110  # rows of it that have a value at all, and those with a max_level
COMMANDS = ("serve", "sql", "query", "write", "import", "inspect", "check",
            "repair", "index", "compact", "delete", "table", "backup", "restore", "config", "version")
OPTIONS = {
    "serve": ("data", "http", "config", "no-collector", "log-level"),
    "sql": ("server", "data", "db", "command", "file", "format", "no-header", "null", "timing"),
    "query": ("server", "data", "db", "format"),
    "write": ("server", "data", "db", "precision"),
    "import": ("server", "data", "db", "unit", "precision", "format", "measurement", "time", "tag",
               "field", "delimiter"),
    "inspect": ("data", "server", "database", "table", "part", "by", "json", "parts"),
    "check": ("data", "server", "json"),
    "compact": ("data", "server", "database", "table", "json"),
    "delete": ("data", "server", "database", "table", "series", "from", "to", "partition", "where", "all",
               "dry-run", "yes"),
    "table": ("data", "server", "database", "table", "field", "decimals", "error", "relative-error",
              "exact", "codec", "create", "json"),
    "repair": ("data", "dry-run", "json"),
    "index": ("data", "all", "dry-run", "json"),
    "backup": ("to", "data", "server", "database", "from", "before", "partition",
               "incremental-from", "json"),
    "restore": ("to", "database", "verify", "json"),
    "config": ("config", "default"),
    "version": (),
}
SECONDS = 120


def environment(more=None):
    names = {name: value for name, value in os.environ.items() if not name.startswith("NILO_")}
    suppressions = TOP / "tests" / "support" / "tsan.supp"
    names["TSAN_OPTIONS"] = names.get("TSAN_OPTIONS", "") + f":suppressions={suppressions}"
    names.update(more or {})
    return names


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nilo-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = str(self.folder / "data")

    def nilo(self, *arguments, status=0, stdin="", env=None, user=None):
        """Runs a command; its standard output and its error stream."""
        done = subprocess.run([nilo_server.program(), *arguments], input=stdin, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                              timeout=SECONDS, env=environment(env), user=user)
        self.assertEqual(done.returncode, status,
                         f"nilo {' '.join(arguments)}\n{done.stdout}\n{done.stderr}")
        if status == 2:
            self.assertEqual(done.stdout, "")
        return done.stdout, done.stderr

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def load_nile(self):
        out, _ = self.nilo("import", "--data", self.data, "--db", "nile", "--measurement",
                           "nilometer", "--unit", "s", NILE)
        self.assertEqual(out, f'{READINGS} rows written to "nile"\n')

    def flush(self):
        """Runs a server that flushes by age until the catalog's and a table's rows are in parts."""
        with nilo_server.Server(["--storage.flush_age=1ms"], folder=str(self.folder)) as server:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with urllib.request.urlopen(server.url + "/metrics") as answer:
                    text = answer.read().decode()
                if int(re.search(r"(?m)^nilo_store_parts (\d+)$", text)[1]) >= 2:
                    break
                time.sleep(0.05)
            self.assertEqual(server.stop(), 0)

    def inspect(self):
        return json.loads(self.nilo("inspect", "--data", self.data, "--json")[0])

    def query(self, text, *arguments, db="d"):
        """Rows of a query on the directory, as lists of texts under the header."""
        out, _ = self.nilo("query", "--data", self.data, "--db", db, "--format", "csv", *arguments,
                           text)
        return list(csv.reader(io.StringIO(out)))


class Help(Case):
    def test_program(self):
        out, err = self.nilo("--help")
        self.assertEqual(err, "")
        for name in COMMANDS:
            self.assertRegex(out, rf"(?m)^  {name} +\S")
        for same in ("-h", "help"):
            self.assertEqual(self.nilo(same)[0], out)

    def test_manual_page_has_the_commands(self):
        page = (TOP / "docs" / "man" / "nilo.1").read_text()
        told = [line[3:] for line in page.splitlines() if line.startswith(".B ") and " " not in line[3:]]
        self.assertEqual([name for name in told if name.isalpha() and name != "nilo"],
                         list(COMMANDS))

    def test_no_command(self):
        done = subprocess.run([nilo_server.program()], stdout=subprocess.PIPE, encoding="utf-8",
                              env=environment(), timeout=SECONDS)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: nilo COMMAND", done.stdout)

    def test_every_option_is_told(self):
        for name in COMMANDS:
            with self.subTest(command=name):
                out, err = self.nilo(name, "--help")
                self.assertEqual(err, "")
                self.assertTrue(out.startswith(f"usage: nilo {name}"))
                told = set(re.findall(r"(?m)^  --([a-z-]+)", out)) - {"help"}
                self.assertEqual(told, set(OPTIONS[name]))
                self.assertEqual(self.nilo(name, "-h")[0], out)
                self.assertEqual([line for line in out.splitlines() if line != line.rstrip()], [])

    def test_help_wins_over_what_is_wrong(self):
        self.assertIn("usage: nilo query", self.nilo("query", "--nonsense", "--help")[0])

    def test_usage_errors(self):
        for arguments, text in (
                (("serv",), 'no command "serv"; did you mean "serve"?'),
                (("xyzzy",), 'no command "xyzzy"'),
                (("query", "--dat", "x", "q"), "unknown option --dat; did you mean --data?"),
                (("query", "--nonsense", "q"), "unknown option --nonsense; see nilo query --help"),
                (("query", "-x", "q"), "unknown option -x"),
                (("query",), "query takes one argument"),
                (("query", "a", "b"), "query takes one argument"),
                (("query", "--format", "xml", "q"), 'unknown format "xml": use table, csv, json'),
                (("query", "--db"), "--db needs a value: NAME"),
                (("write",), "--db NAME is needed"),
                (("import",), "--db NAME is needed"),
                (("import", "--db", "d", "--format", "xls", "f"), 'unknown format "xls"'),
                (("inspect", "--json=yes"), "--json takes no value"),
                (("inspect", "a", "b"), "inspect takes one directory"),
                (("config", "x"), "config takes no argument: x"),
                (("config", "--wal.snc=off"), 'no setting "wal.snc" (flag --wal.snc); did you mean wal.sync?'),
                (("config", "--wal.sync=sometimes"), "wal.sync"),
                (("serve", "x"), "serve takes no argument: x"),
                (("serve", "--log-level", "loud"), 'unknown log level "loud"'),
                (("version", "x"), "version takes no argument: x"),
        ):
            with self.subTest(arguments=arguments):
                err = self.nilo(*arguments, status=2)[1]
                self.assertIn(text, err)
                self.assertTrue(err.startswith("nilo"))
                self.assertEqual(err.count("\n"), 1, err)

    def test_version(self):
        self.assertRegex(self.nilo("version")[0], r"^nilo \d+\.\d+\.\d+\S*\n$")
        self.assertEqual(self.nilo("--version"), self.nilo("version"))

    @unittest.skipUnless(pathlib.Path("/dev/full").exists(), "no /dev/full")
    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([nilo_server.program(), "config"], stdout=full,
                                  stderr=subprocess.PIPE, encoding="utf-8", env=environment(),
                                  timeout=SECONDS)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the output could not be written", done.stderr)


class Config(Case):
    def test_defaults(self):
        out, _ = self.nilo("config")
        rows = re.findall(r"(?m)^([a-z_.]+) += (.+?) +# (.+)$", out)
        self.assertEqual(len(rows), len(out.splitlines()))
        self.assertEqual({origin for _, _, origin in rows}, {"default"})
        self.assertEqual(len({line.index("=") for line in out.splitlines()}), 1)
        self.assertEqual(len({line.rindex("#") for line in out.splitlines()}), 1)

    def test_origins(self):
        path = self.file("nilo.toml", '# comment\n\n[wal]\nsync = "interval"\nsegment_size = 16MiB\n'
                                      "[collector]\nenabled = no\n")
        out, _ = self.nilo("config", "--config", path, "--wal.sync=always", "--http.loops", "2",
                           env={"NILO_WAL_SYNC": "off", "NILO_COLLECTOR_INTERVAL": "1m"})
        for line in (r'wal.sync +"always" +flag --wal.sync',
                     rf"wal.segment_size +16MiB +{re.escape(path)}:5",
                     rf"collector.enabled +false +{re.escape(path)}:7",
                     r"collector.interval +1m +environment NILO_COLLECTOR_INTERVAL",
                     r"http.loops +2 +flag --http.loops",
                     r"wal.size_max +256MiB +default"):
            name, value, origin = re.split(r" \+", line)
            self.assertRegex(out, rf"(?m)^{name} += {value} +# {origin}$")

    def test_default_file_is_one_that_loads(self):
        text, _ = self.nilo("config", "--default")
        effective, _ = self.nilo("config")
        names = re.findall(r"(?m)^([a-z_.]+) +=", effective)
        section, found = "", []
        for line in text.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif re.match(r"#[a-z_]+ = ", line):
                found.append(section + "." + line[1:].split(" ")[0])
        self.assertEqual(found, names)
        path = self.file("all.toml", re.sub(r"(?m)^#([a-z_]+ = )", r"\1", text))
        loaded, _ = self.nilo("config", "--config", path)
        for line, default in zip(loaded.splitlines(), effective.splitlines()):
            self.assertIn(path, line)
            self.assertEqual(line.split("  #")[0].split(), default.split("  #")[0].split())

    def test_faults(self):
        for text, fault in (("[wal]\nsnc = off\n", "nilo.toml:2); did you mean wal.sync?"),
                            ("[wal]\nsync = on\n", "nilo.toml:2"),
                            ("[wal\n", "nilo.toml:1"),
                            ("[wal]\nsync = off\nsync = off\n", "set twice"),
                            ("[wal]\nsegment_size = 1\n", "nilo.toml:2"),
                            ("[http]\nloops = many\n", "nilo.toml:2")):
            with self.subTest(text=text):
                err = self.nilo("config", "--config", self.file("nilo.toml", text), status=1)[1]
                self.assertIn(fault, err)
        self.assertIn("NILO_WAL_SNC", self.nilo("config", status=1, env={"NILO_WAL_SNC": "1"})[1])
        self.assertIn("missing.toml", self.nilo("config", "--config", "missing.toml", status=1)[1])

    def test_a_command_that_is_refused_its_settings_does_nothing(self):
        self.nilo("import", "--data", self.data, "--db", "d", "--measurement", "m", NILE, status=1,
                  env={"NILO_WAL_SNC": "1"})
        self.assertFalse(os.path.exists(self.data))


class Documentation(Case):
    """What the program has, the documents tell."""

    def page(self, name):
        return (TOP / "docs" / name).read_text()

    def test_settings(self):
        text = self.page("operating/configuration.md")
        names = re.findall(r"(?m)^([a-z_.]+) +=", self.nilo("config")[0])
        self.assertEqual(re.findall(r"(?m)^\| `([a-z_.]+)`", text), names)
        for name, value in re.findall(r'(?m)^([a-z_.]+) += "?([^"\n ]*)"? +#', self.nilo("config")[0]):
            row = re.search(rf"(?m)^\| `{name}` \| `?([^`|]*)`? \|", text)[1].strip()
            self.assertEqual(row, value or "empty", name)

    def test_metrics(self):
        with nilo_server.Server() as server:
            with urllib.request.urlopen(server.url + "/metrics") as answer:
                names = set(re.findall(r"(?m)^# TYPE (\S+) ", answer.read().decode()))
        told = set(re.findall(r"`((?:nilo|process)_[a-z0-9_]+)(?:\{[a-z, ]+\})?`",
                              self.page("operating/metrics.md")))
        self.assertEqual(told, names)

    def test_refused_lines(self):
        """Every example of a refused line is refused for the reason beside it."""
        table = self.page("line-protocol.md").split("## Errors")[1].split("\n## ")[0]
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        rows = re.findall(r"(?m)^\| (`.+`) \| (`.+`) \|$", table)
        self.assertGreater(len(rows), 10)
        for reasons, examples in rows:
            reasons = [reason.replace('"…"', "") for reason in re.findall(r"`([^`]+)`", reasons)]
            for line in re.findall(r"`([^`]+)`", examples):
                err = self.nilo("write", "--data", self.data, "--db", "d", status=1, stdin=line)[1]
                self.assertTrue(any(reason in err for reason in reasons), f"{line}: {err}")

    def test_links(self):
        """Every relative link of a page leads somewhere."""
        pages = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "samples" / "README.md",
                 *(TOP / "docs").rglob("*.md")]
        for page in pages:
            for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
                if not target.startswith("http"):
                    self.assertTrue((page.parent / target).exists(), f"{page}: {target}")

    def test_routes(self):
        with nilo_server.Server() as server:
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(server.url + "/nothing")
            hint = json.loads(raised.exception.read())["hint"]
            raised.exception.close()
        for route in re.findall(r"/[a-z0-9/]+", hint):
            self.assertIn(f"`{route}`", self.page("http.md"))


class Import(Case):
    def test_nile(self):
        self.load_nile()
        database, = self.inspect()["databases"]
        table, = database["tables"]
        self.assertEqual((database["name"], database["unit"]), ("nile", "s"))
        self.assertEqual((table["name"], table["unit"], table["series"]), ("nilometer", "s", 1))

    def test_again_is_the_same(self):
        self.load_nile()
        self.load_nile()
        rows = self.query("SELECT count(max_level) FROM nilometer", db="nile")
        self.assertEqual(rows[1][-1], str(MAXIMA))
        rows = self.query("SELECT min_level, max_level FROM nilometer", db="nile")
        self.assertEqual(len(rows), 1 + READINGS)
        self.assertEqual(rows[1], ["nilometer", "", "0622-01-01T00:00:00Z", "11.57", "17.58"])

    def test_a_unit_that_does_not_fit(self):
        _, err = self.nilo("import", "--data", self.data, "--db", "nile", "--measurement",
                           "nilometer", NILE, status=1)
        self.assertIn(f"{NILE}:2:1: the time \"0622-01-01T00:00:00Z\" cannot be kept in ns", err)
        self.assertIn("nilo import --unit", err)

    def test_unit_of_a_database_that_is_there(self):
        self.load_nile()
        err = self.nilo("import", "--data", self.data, "--db", "nile", "--measurement", "n", "--unit",
                        "ms", NILE, status=1)[1]
        self.assertIn('"nile" already exists with precision s', err)

    def test_wrong_options(self):
        for options, text in ((("--unit", "week"), 'unknown unit "week": use ns, us, ms or s'),
                              (("--precision", "week"), 'unknown precision "week"'),
                              (("--field", "x"), "--field x: write NAME:float"),
                              (("--field", "x:number"), "--field x:number: write NAME:float"),
                              (("--tag", "tim"), 'no column "tim"; did you mean "time"?'),
                              (("--time", "when"), 'no column "when"'),
                              (("--delimiter", "--"), "--delimiter takes one character")):
            with self.subTest(options=options):
                err = self.nilo("import", "--data", self.data, "--db", "d", "--measurement", "m",
                                *options, NILE, status=1)[1]
                self.assertIn(text, err)
        err = self.nilo("import", "--data", self.data, "--db", "d", NILE, status=1)[1]
        self.assertIn("CSV needs --measurement NAME", err)
        err = self.nilo("import", "--data", self.data, "--db", "d", "--measurement", "m", "no.csv",
                        status=1)[1]
        self.assertIn("no.csv", err)
        err = self.nilo("import", "--data", self.data, "--server", "http://127.0.0.1:1", "--db", "d",
                        "--measurement", "m", NILE, status=1)[1]
        self.assertIn("--server or --data, not both", err)

    def test_bad_rows_of_csv(self):
        path = self.file("bad.csv", "time,v\n1,2\n2,3.5\nabc,3\n4,5,6\n5,6\n")
        out, err = self.nilo("import", "--data", self.data, "--db", "d", "--measurement", "m",
                             "--precision", "s", path, status=1)
        self.assertEqual(out, '3 rows written to "d", 2 rejected\n')
        self.assertIn(f'{path}:4:1: bad time "abc"', err)
        self.assertEqual(self.query("SELECT v FROM m", "--wal.sync=off")[1:],
                         [["m", "", "1970-01-01T00:00:01Z", "2"],
                          ["m", "", "1970-01-01T00:00:02Z", "3.5"],
                          ["m", "", "1970-01-01T00:00:05Z", "6"]])

    def test_missing_values_of_csv(self):
        """Empty cells are absent, NA too where the column is not text; a row of nothing is none."""
        path = self.file("gaps.csv", "time,v,text\n1,2,NA\n2,NA,\n3,,b\n4,5,\n")
        out, _ = self.nilo("import", "--data", self.data, "--db", "d", "--measurement", "m",
                           "--precision", "s", path)
        self.assertEqual(out, '3 rows written to "d"\n')
        self.assertEqual([row[2:] for row in self.query("SELECT v, text FROM m")[1:]],
                         [["1970-01-01T00:00:01Z", "2", "NA"], ["1970-01-01T00:00:03Z", "", "b"],
                          ["1970-01-01T00:00:04Z", "5", ""]])

    def test_csv_options(self):
        path = self.file("rows.txt", "when;place;ok;n;v;text\n"
                                     "622;Cairo;true;1;1;7\n"
                                     '623;Roda;false;2;2.5;"a; ""b"""\n')
        self.nilo("import", "--data", self.data, "--db", "d", "--unit", "s", "--precision", "year",
                  "--format", "csv", "--measurement", "m", "--time", "when", "--tag", "place",
                  "--field", "text:string", "--delimiter", ";", path)
        out, _ = self.nilo("query", "--data", self.data, "--db", "d", "--format", "json",
                           "SELECT * FROM m")
        series, = json.loads(out)["results"][0]["series"]
        self.assertEqual(series["columns"], ["time", "n", "ok", "place", "text", "v"])
        self.assertEqual(series["values"],
                         [["0622-01-01T00:00:00Z", 1, True, "Cairo", "7", 1],
                          ["0623-01-01T00:00:00Z", 2, False, "Roda", 'a; "b"', 2.5]])

    def test_line_protocol(self):
        path = self.file("rows.lp", "# comment\nm,t=a v=1 1\r\n\nm,t=b v=2 2")
        out, _ = self.nilo("import", "--data", self.data, "--db", "d", "--precision", "ms", path)
        self.assertEqual(out, '4 lines written to "d"\n')
        self.assertEqual(self.query("SELECT v FROM m"),
                         [["name", "tags", "time", "v"],
                          ["m", "", "1970-01-01T00:00:00.001Z", "1"],
                          ["m", "", "1970-01-01T00:00:00.002Z", "2"]])

    def test_lines_are_those_of_the_file(self):
        """A file is sent in bodies of some MiB; a bad line far behind is named by its own number."""
        good = 400000
        lines = [f"m,host=a value={i}i {i + 1}" for i in range(good)] + ["m value=oops 5", "m value=7i 9"]
        path = self.file("long.lp", "\n".join(lines) + "\n")
        out, err = self.nilo("import", "--data", self.data, "--db", "d", path, status=1)
        self.assertEqual(out, f'{good + 1} lines written to "d", 1 rejected\n')
        self.assertRegex(err, rf"^nilo: {re.escape(path)}:{good + 1}:\d+: ")
        self.assertEqual(err.count("\n"), 1)
        self.assertEqual(self.query("SELECT count(value) FROM m")[1][-1], str(good + 1))

    def test_stopped(self):
        """A fault that ends an import: what was written before is told, then the fault."""
        one = self.file("1.lp", "m v=1 1\nm v=2 2\n")
        err = self.nilo("import", "--data", self.data, "--db", "d", one, "missing.lp", status=1)[1]
        told = err.splitlines()
        self.assertEqual(told[0], "nilo: stopped in missing.lp, after 2 lines were written")
        self.assertIn("missing.lp", told[1])

    def test_several_files(self):
        one, two = self.file("1.lp", "m v=1 1\n"), self.file("2.lp", "m v=2 2\nm\n")
        out, err = self.nilo("import", "--data", self.data, "--db", "d", one, two, status=1)
        self.assertEqual(out, '2 lines written to "d", 1 rejected\n')
        self.assertIn(f"{two}:2:", err)

    def test_progress_bar(self):
        """A bar on a terminal while it lasts; nothing of it where the error stream is a file."""
        path = self.folder / "long.lp"
        with open(path, "w", encoding="ascii") as out:
            for i in range(1500000):
                out.write(f"cpu,host=h{i % 100},region=north usage={i % 89}.5,n={i}i {i + 1}\n")
        command = [nilo_server.program(), "import", "--data", self.data, "--db", "d", str(path)]
        main, terminal = pty.openpty()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal,
                              env=environment()) as process:
            os.close(terminal)
            seen = b""
            while True:
                try:
                    seen += os.read(main, 65536)
                except OSError:
                    break
            os.close(main)
            self.assertEqual(process.wait(SECONDS), 0)
        if seen:  # a fast machine may be done before a bar is worth showing
            self.assertRegex(seen.decode(), r"\r\[#*\.*\] +\d+%  \d+ MiB  \d+\.\d MiB/s ")
            self.assertRegex(seen.decode(), r"\r +\r$")


class Write(Case):
    def test_directory(self):
        err = self.nilo("write", "--data", self.data, "--db", "d", status=1, stdin="m v=1 1")[1]
        self.assertIn('database not found: "d"; create it first: CREATE DATABASE "d"', err)
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        out, _ = self.nilo("write", "--data", self.data, "--db", "d", stdin="m v=1 1")
        self.assertEqual(out, '1 line written to "d"\n')
        path = self.file("two.lp", "m v=2 2\nm v=3 3\n")
        for precision in ("ns", "us", "ms", "s"):
            self.nilo("write", "--data", self.data, "--db", "d", "--precision", precision, path)
        self.nilo("write", "--data", self.data, "--db", "d", "-", stdin="m v=4 4000000000\n")
        self.assertEqual([row[2] for row in self.query("SELECT v FROM m")[1:]],
                         ["1970-01-01T00:00:00" + rest for rest in
                          (".000000001Z", ".000000002Z", ".000000003Z", ".000002Z", ".000003Z",
                           ".002Z", ".003Z")] +
                         ["1970-01-01T00:00:0" + rest for rest in ("2Z", "3Z", "4Z")])

    def test_faults(self):
        self.nilo("query", "--data", self.data, "CREATE DATABASE d")
        out, err = self.nilo("write", "--data", self.data, "--db", "d", status=1,
                             stdin="m,t=1 v=1 1\nbad\nm v=2i 2\nm v=3 3")
        self.assertEqual(out, '2 lines written to "d", 2 rejected\n')
        self.assertEqual(err, "nilo: standard input:2:4: unable to parse 'bad': missing fields\n")
        err = self.nilo("write", "--data", self.data, "--db", "d", status=1,
                        stdin='bad\x1b[31m\tvalue="a\nb"\n')[1]
        self.assertNotIn("\x1b", err)
        self.assertIn("\\x1b[31m\\t", err)
        self.assertEqual(err.count("\n"), 1)
        err = self.nilo("write", "--data", self.data, "--db", "d", "--precision", "w", status=1,
                        stdin="m v=1 1")[1]
        self.assertIn('unknown precision "w": use ns, us, ms or s', err)
        self.assertIn("missing.lp", self.nilo("write", "--data", self.data, "--db", "d", "missing.lp",
                                              status=1)[1])

    def test_no_server(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        for arguments in (("write", "--server", url, "--db", "d"),
                          ("query", "--server", url, "SHOW DATABASES")):
            err = self.nilo(*arguments, status=1, stdin="m v=1 1")[1]
            self.assertIn(str(port), err)
            self.assertIn("is the server running? Start it with: nilo serve", err)
        err = self.nilo("query", "--server", "https://127.0.0.1", "SHOW DATABASES", status=1)[1]
        self.assertIn("only http", err)


class Directories(Case):
    """What a wrong data directory gets."""

    def commands(self, directory):
        path = self.file("row.lp", "m v=1 1\n")
        return (("inspect", "--data", directory), ("query", "--data", directory, "SHOW DATABASES"),
                ("write", "--data", directory, "--db", "d", path),
                ("import", "--data", directory, "--db", "d", path),
                ("serve", "--data", directory, "--http", "127.0.0.1:0", "--log-level", "error"))

    def refused(self, directory, text, **options):
        for command in self.commands(directory):
            with self.subTest(command=command[0]):
                err = self.nilo(*command, status=1, **options)[1]
                self.assertIn(text, err)
                self.assertTrue(err.startswith("nilo: "), err)

    def test_a_file(self):
        self.refused(self.file("plain", "text"), "is a file; a data directory is needed")

    def test_missing(self):
        err = self.nilo("inspect", "--data", "missing", status=1)[1]
        self.assertIn("there is no directory missing", err)
        self.assertFalse((self.folder / "missing").exists())
        err = self.nilo("query", "--data", "a/b", "SHOW DATABASES", status=1)[1]
        self.assertIn("a/b", err)

    def damage(self, place):
        """Loads and flushes the Nile, then damages the part file at place(size)."""
        self.load_nile()
        self.flush()
        part = max((self.folder / "data" / "parts").iterdir(), key=lambda path: path.stat().st_size)
        content = bytearray(part.read_bytes())
        at = place(len(content))
        content[at] ^= 0xff
        part.write_bytes(content)
        return part

    def test_damaged_block(self):
        """The query warns, says where, and answers with the rest; so does /health from then on."""
        part = self.damage(lambda size: size // 3)
        with nilo_server.Server(folder=str(self.folder)) as server:
            err = self.nilo("query", "--server", server.url, "--db", "nile",
                            "SELECT * FROM nilometer; SHOW FIELD KEYS")[1]
            self.assertIn("warning: 1 damaged part is left out", err)
            self.assertIn(part.name, err)
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(server.url + "/health")
            checks = json.loads(raised.exception.read())["checks"]
            raised.exception.close()
            self.assertEqual([check["name"] for check in checks], ["damaged_part"])
            self.assertEqual(server.stop(), 0)
            self.assertIn(part.name, server.log_text())

    def test_damaged_part(self):
        """The part is left out and kept; the server says that it is not well."""
        part = self.damage(lambda size: size - 40)
        with nilo_server.Server(folder=str(self.folder)) as server:
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(server.url + "/health")
            self.assertEqual(raised.exception.code, 503)
            self.assertIn("a part is damaged", json.loads(raised.exception.read())["message"])
            raised.exception.close()
            self.assertIn(part.name, server.log_text())
            self.assertEqual(server.stop(), 0)
        self.assertEqual([path.name for path in (self.folder / "data" / "quarantine").iterdir()],
                         [part.name])

    def test_missing_part(self):
        self.load_nile()
        self.flush()
        part = next((self.folder / "data" / "parts").iterdir())
        aside = self.folder / "aside"
        part.rename(aside)
        self.refused(self.data, f"is missing ({part}); nothing was changed; put it back")
        aside.rename(part)
        self.assertEqual(self.query("SELECT count(max_level) FROM nilometer", db="nile")[1][-1],
                         str(MAXIMA))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_no_permission(self):
        self.load_nile()
        os.chmod(self.folder, 0o755)
        os.chmod(self.data, 0o700)
        before = sorted(pathlib.Path(self.data).rglob("*"))
        program = pathlib.Path(nilo_server.program())
        if not all(p.stat().st_mode & 0o001 for p in (program, *program.parents)):
            self.skipTest("nobody may run the program")
        self.refused(self.data, "ermission denied", user=65534)
        self.assertEqual(sorted(pathlib.Path(self.data).rglob("*")), before)

    def test_in_use(self):
        self.load_nile()
        with nilo_server.Server(folder=str(self.folder)) as server:
            self.refused(self.data, f"is in use by process {server.process.pid}, {server.url}; "
                                    "ask the server that has it, or stop that first")
            self.assertEqual(server.stop(), 0)
        self.assertEqual(self.inspect()["databases"][0]["name"], "nile")


class Inspect(Case):
    def test_fresh(self):
        self.load_nile()
        text, err = self.nilo("inspect", "--data", self.data)
        self.assertEqual(err, "")
        self.assertRegex(text, r"^shard [0-9a-f]{32}: last commit \d+\n")
        self.assertRegex(text, r"(?m)^log: \d+ segments?, \d+ bytes$")
        self.assertRegex(text, r"(?m)^database nile: id \d+, unit s$")
        self.assertRegex(text, r"(?m)^  table nilometer: id \d+, 2 columns, 1 series, ")
        self.assertEqual(self.nilo("inspect", self.data)[0], text)
        self.assertEqual(self.inspect()["parts"], 0)

    def test_flushed(self):
        """A server flushes by age; then the rows are in parts on disk."""
        self.load_nile()
        self.flush()
        report = self.inspect()
        self.assertGreater(report["parts"], 0)
        self.assertGreater(report["part_bytes"], 0)
        part, = report["databases"][0]["tables"][0]["parts"]
        self.assertEqual((part["rows"], part["series"], part["in_memory"]), (READINGS, 1, False))
        self.assertEqual((part["time_min"], part["time_max"]), (-42538780800, -1546300800))
        text = self.nilo("inspect", "--data", self.data, "--parts")[0]
        self.assertRegex(text, r"(?m)^    part [0-9a-f]{16}: 1118 rows, .*"
                               r"0622-01-01T00:00:00Z to 1921-01-01T00:00:00Z$")
        self.assertEqual(self.query("SELECT count(max_level) FROM nilometer", db="nile")[1][-1],
                         str(MAXIMA))

    def test_reads_only(self):
        self.load_nile()
        files = lambda: {path: path.stat().st_mtime_ns
                         for path in pathlib.Path(self.data).rglob("*") if path.is_file()}
        before = files()
        self.nilo("inspect", "--data", self.data)
        self.assertEqual(files(), before)


class Query(Case):
    def setUp(self):
        super().setUp()
        self.load_nile()

    def nile(self, text, *arguments, status=0):
        return self.nilo("query", "--data", self.data, "--db", "nile", *arguments, text,
                         status=status)

    def test_table(self):
        out, err = self.nile("SELECT min_level, max_level FROM nilometer LIMIT 2")
        self.assertEqual(err, "")
        self.assertEqual(out, "nilometer\n"
                              "time                  min_level  max_level\n"
                              "────────────────────  ─────────  ─────────\n"
                              "0622-01-01T00:00:00Z      11.57      17.58\n"
                              "0623-01-01T00:00:00Z      10.88      17.37\n")

    def test_tables_of_several_series(self):
        self.nilo("import", "--data", self.data, "--db", "d", "-",
                  stdin='m,place=Cairo v=1,s="x" 1\nm,place=al-Rodâ v=10.25,s="a\tb\nc" 2\n')
        out, _ = self.nilo("query", "--data", self.data, "--db", "d",
                           "SELECT v, s FROM m GROUP BY place; SHOW TAG KEYS")
        self.assertEqual(out, "m: place=Cairo\n"
                              "time                            v  s\n"
                              "──────────────────────────────  ─  ─\n"
                              "1970-01-01T00:00:00.000000001Z  1  x\n"
                              "\n"
                              "m: place=al-Rodâ\n"
                              "time                                v  s\n"
                              "──────────────────────────────  ─────  ───────\n"
                              "1970-01-01T00:00:00.000000002Z  10.25  a\\tb\\nc\n"
                              "\n"
                              "m\n"
                              "tagKey\n"
                              "──────\n"
                              "place\n")

    def test_wide_and_combining_characters(self):
        """Columns stay under each other where a character takes two places, or none."""
        self.nilo("import", "--data", self.data, "--db", "d", "-",
                  stdin='m,p=東京 v=1 1\nm,p=Cafe\u0301 v=2 2\nm,p=x v=3 3\n')
        out, _ = self.nilo("query", "--data", self.data, "--db", "d", "SELECT p, v FROM m")
        self.assertEqual([line.split("Z  ")[-1] for line in out.splitlines()[3:]],
                         ["東京  1", "Cafe\u0301  2", "x     3"])

    def test_formats(self):
        text = "SELECT max_level FROM nilometer WHERE time < '0623-06-01T00:00:00Z'"
        self.assertEqual(self.nile(text, "--format", "csv")[0],
                         "name,tags,time,max_level\n"
                         "nilometer,,0622-01-01T00:00:00Z,17.58\n"
                         "nilometer,,0623-01-01T00:00:00Z,17.37\n")
        out = self.nile(text, "--format", "json")[0]
        self.assertEqual(out.count("\n"), 1)
        expected = {"results": [{"statement_id": 0, "series": [
            {"name": "nilometer", "columns": ["time", "max_level"],
             "values": [["0622-01-01T00:00:00Z", 17.58], ["0623-01-01T00:00:00Z", 17.37]]}]}]}
        self.assertEqual(json.loads(out), expected)
        pretty = self.nile(text, "--format=pretty")[0]
        self.assertEqual(json.loads(pretty), expected)
        self.assertGreater(pretty.count("\n"), 10)

    def test_csv_of_several_series(self):
        self.nilo("import", "--data", self.data, "--db", "d", "-",
                  stdin='m,a=1,b=x\\,y v=1,s="say ""\n" 1\nm,a=2 v=2 2\nn w=3 3\n'.replace('""', '\\"'))
        out, _ = self.nilo("query", "--data", self.data, "--db", "d", "--format", "csv",
                           "SELECT v, s FROM m GROUP BY *; SELECT w FROM n")
        self.assertEqual(out, "name,tags,time,v,s\n"
                              'm,"a=1,b=x,y",1970-01-01T00:00:00.000000001Z,1,"say ""\n"\n'
                              'm,"a=2,b=",1970-01-01T00:00:00.000000002Z,2,\n'
                              "\n"
                              "name,tags,time,w\n"
                              "n,,1970-01-01T00:00:00.000000003Z,3\n")

    def test_standard_input(self):
        out, _ = self.nilo("query", "--data", self.data, "--db", "nile", "--format", "csv", "-",
                           stdin="SELECT count(max_level)\nFROM nilometer\n")
        self.assertEqual(out.splitlines()[1].split(",")[-1], str(MAXIMA))

    def test_errors(self):
        out, err = self.nile("SELECT mox(max_level) FROM nilometer; SELECT count(max_level) FROM nilometer",
                             status=1)
        self.assertTrue(err.startswith("nilo: "), err)
        out, err = self.nile("SELEKT 1", status=1)
        self.assertEqual(out, "")
        self.assertIn("SELEKT", err)
        for output in ("csv", "json", "pretty", "table"):
            with self.subTest(format=output):
                self.nile("SELEKT 1", "--format", output, status=1)
        out, err = self.nilo("query", "--data", self.data, "--db", "nope", "SELECT v FROM m", status=1)
        self.assertEqual(out, "")
        self.assertIn("database not found: ", err)

    def test_one_statement_fails(self):
        """Those before it have answered, those behind it are not executed, and the status tells."""
        count = "SELECT count(max_level) FROM nilometer"
        for output in ("table", "csv", "json"):
            with self.subTest(format=output):
                out, err = self.nile(f"{count}; SELECT v FROM nope..m; {count}; DROP MEASUREMENT nilometer",
                                     "--format", output, status=1)
                self.assertEqual(out.count(str(MAXIMA)), 1, out)
                self.assertIn("database not found: ", err)
                self.assertEqual(err.count("not executed"), 2, err)
                self.assertEqual(err.count("\n"), 3, err)
        self.assertEqual(self.query(count, db="nile")[1][-1], str(MAXIMA))

    def test_nothing_found(self):
        self.assertEqual(self.nile("SELECT v FROM none"), ("", ""))

    def test_statements_that_change(self):
        self.nilo("query", "--data", self.data, "CREATE DATABASE a WITH PRECISION ms; CREATE DATABASE b")
        names = [row[-1] for row in self.query("SHOW DATABASES", db="")[1:]]
        self.assertEqual(names, ["a", "b", "nile"])
        self.assertEqual(self.nilo("query", "--data", self.data, "DROP DATABASE a"), ("", ""))
        self.assertEqual([row[-1] for row in self.query("SHOW DATABASES", db="")[1:]], ["b", "nile"])


class Serve(Case):
    def start(self, *arguments, env=None):
        process = subprocess.Popen([nilo_server.program(), "serve", "--data", self.data, *arguments],
                                   stdout=subprocess.PIPE, stderr=open(self.folder / "log", "ab"),
                                   encoding="utf-8", cwd=self.folder, env=environment(env))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        found = re.fullmatch(r"nilo \S+ listens on (http://127\.0\.0\.1:(\d+)), data in (.+)\n", line)
        self.assertIsNotNone(found, line + (self.folder / "log").read_text())
        self.assertEqual(found[3], self.data)
        return process, found[1]

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                process, url = self.start("--http", "127.0.0.1:0", "--no-collector")
                self.nilo("query", "--server", url, "CREATE DATABASE d")
                self.nilo("write", "--server", url, "--db", "d", stdin=f"m v={int(number)} {int(number)}")
                process.send_signal(number)
                self.assertEqual(process.wait(SECONDS), 0)
                self.assertEqual(process.stdout.read(), "")
        self.assertEqual(self.query("SELECT count(v) FROM m")[1][-1], "2")
        self.assertIn("stopp", (self.folder / "log").read_text())

    def test_address_from_everywhere(self):
        path = self.file("nilo.toml", '[http]\naddress = "127.0.0.1:0"\n')
        for arguments, env in ((("--config", path), None), ((), {"NILO_HTTP_ADDRESS": "127.0.0.1:0"}),
                               (("--http.address=127.0.0.1:0",), None), (("--http=127.0.0.1:0",), None)):
            with self.subTest(arguments=arguments, env=env):
                process, url = self.start("--no-collector", *arguments, env=env)
                self.nilo("query", "--server", url, "SHOW DATABASES")
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(SECONDS), 0)

    def test_address_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            err = self.nilo("serve", "--data", self.data, "--http", address, "--log-level", "error",
                            status=1)[1]
        self.assertIn(f"cannot listen on {address} (address already in use)", err)
        self.assertIn("choose another address with --http", err)

    def test_port_alone(self):
        err = self.nilo("serve", "--data", self.data, "--http", "8086", "--log-level", "error",
                        status=1)[1]
        self.assertIn("a port alone is written with its colon, :8086", err)

    def test_bad_address(self):
        for address in ("127.0.0.1:99999", "127.0.0.1:x", "[::1", "300.0.0.1:1:2"):
            with self.subTest(address=address):
                err = self.nilo("serve", "--data", self.data, "--http", address, "--log-level",
                                "error", status=1)[1]
                self.assertTrue(err.startswith("nilo: "), err)

    def test_collector(self):
        process, url = self.start("--http", "127.0.0.1:0")
        deadline = time.monotonic() + 60
        found = ""
        while "system" not in found and time.monotonic() < deadline:
            found = self.nilo("query", "--server", url, "--db", "_nilo", "SHOW MEASUREMENTS")[0]
            time.sleep(0.05)
        for name in ("mem", "nilo", "system"):
            self.assertIn(name, found.split())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(SECONDS), 0)

    def test_no_collector(self):
        for arguments, env in ((("--no-collector",), None), (("--collector.enabled=false",), None),
                               ((), {"NILO_COLLECTOR_ENABLED": "off"})):
            with self.subTest(arguments=arguments, env=env):
                process, url = self.start("--http", "127.0.0.1:0", *arguments, env=env)
                self.assertNotIn("_nilo", self.nilo("query", "--server", url, "SHOW DATABASES")[0])
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(SECONDS), 0)

    def test_log_level(self):
        for level, many in (("error", False), ("info", True)):
            with self.subTest(level=level):
                (self.folder / "log").write_text("")
                process, _ = self.start("--http", "127.0.0.1:0", "--no-collector", "--log-level", level)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(SECONDS), 0)
                text = (self.folder / "log").read_text()
                self.assertEqual(bool(text), many, text)
                for line in text.splitlines():
                    self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \w+: ")

    def test_client_commands(self):
        process, url = self.start("--http", "127.0.0.1:0", "--no-collector")
        self.nilo("query", "--server", url, "CREATE DATABASE d")
        out, err = self.nilo("write", "--server", url, "--db", "d", "--precision", "s", status=1,
                             stdin="m,t=1 v=1 1\nbad\nm v=2i 2\nm v=3 3")
        self.assertEqual(out, '2 lines written to "d", 2 rejected\n')
        self.assertEqual(err, "nilo: standard input:2:4: unable to parse 'bad': missing fields\n")
        path = self.file("more.lp", "m v=4 4\n")
        self.nilo("import", "--server", url, "--db", "fresh", "--unit", "s", "--precision", "s", path)
        out, _ = self.nilo("query", "--server", url, "--db", "fresh", "--format", "csv",
                           "SELECT v FROM m")
        self.assertEqual(out, "name,tags,time,v\nm,,1970-01-01T00:00:04Z,4\n")
        err = self.nilo("import", "--server", url, "--db", "nile", "--measurement", "n", NILE,
                        status=1)[1]
        self.assertIn("(--data), not through a server", err)
        out, _ = self.nilo("query", "--server", url, "--db", "d", "SELECT v FROM m")
        self.assertEqual(out, "m\n"
                              "time                  v\n"
                              "────────────────────  ─\n"
                              "1970-01-01T00:00:01Z  1\n"
                              "1970-01-01T00:00:03Z  3\n")
        for text in ("SELEKT", "SELECT v FROM m WHERE"):
            self.assertTrue(self.nilo("query", "--server", url, "--db", "d", text, status=1)[1]
                            .startswith("nilo: "))
        err = self.nilo("write", "--server", url, "--db", "nope", status=1, stdin="m v=1 1")[1]
        self.assertIn('database not found: "nope"', err)
        self.assertIn("CREATE DATABASE", err)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(SECONDS), 0)


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules["__main__"])
