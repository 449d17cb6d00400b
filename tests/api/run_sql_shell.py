#!/usr/bin/env python3
"""`nilo sql` as a person uses it: texts and files, and the dialog on a terminal of its own.

NILO_BUILD names the folder of the build; the last line is "N passed, N failed"."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "protocol"))
import nilo_server  # noqa: E402

SECONDS = 120
LINES = "".join(f"m,host=h{i % 2} v={i}.5 {1700000000 + 60 * i}\n" for i in range(100))
LONG = "SELECT count(*) FROM m a, m b, m c, m d, m e WHERE a.v < b.v AND c.v < d.v;\n"


def environment(more=None):
    names = {name: value for name, value in os.environ.items()
             if not name.startswith("NILO_") and name not in ("PAGER", "EDITOR", "VISUAL")}
    suppressions = TOP / "tests" / "support" / "tsan.supp"
    names["TSAN_OPTIONS"] = names.get("TSAN_OPTIONS", "") + f":suppressions={suppressions}"
    names["TERM"] = "xterm"
    names.update(more or {})
    return names


class Terminal:
    """A program on a terminal of 80 by 24: type to it, wait for what it shows."""

    def __init__(self, arguments, folder, env=None):
        self.text = ""
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        names = environment({"NILO_HISTORY": str(folder / "history"), **(env or {})})
        self.process = subprocess.Popen(
            arguments, stdin=side, stdout=side, stderr=side, env=names, cwd=folder,
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        os.close(side)

    def until(self, pattern):
        """What is shown until the pattern, and with it."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = re.search(pattern, self.text)
            if found:
                shown, self.text = self.text[:found.end()], self.text[found.end():]
                return shown.replace("\r", "")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {pattern!r}, saw {self.text!r}")
            if not select.select([self.main], [], [], 0.2)[0]:
                continue
            try:
                self.text += os.read(self.main, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"it ended before {pattern!r}: {self.text!r}") from None

    def type(self, text):
        os.write(self.main, text.encode())

    def ask(self, text, prompt=r"nilo=> "):
        """What is shown between a line and the next prompt."""
        self.type(text)
        return self.until(prompt)

    def end(self):
        self.type("\\q\n")
        try:
            while os.read(self.main, 65536):
                pass
        except OSError:
            pass
        os.close(self.main)
        return self.process.wait(SECONDS)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nilo-sql-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = str(self.folder / "data")

    def run_nilo(self, *arguments, status=0, stdin=""):
        done = subprocess.run([nilo_server.program(), *arguments], input=stdin, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                              timeout=SECONDS, env=environment())
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def sql(self, *arguments, status=0, stdin=""):
        return self.run_nilo("sql", "--data", self.data, *arguments, status=status, stdin=stdin)

    def load(self):
        self.run_nilo("query", "--data", self.data, "CREATE DATABASE nilo")
        self.run_nilo("write", "--data", self.data, "--db", "nilo", "--precision", "s",
                      stdin=LINES)

    def file(self, name, text):
        (self.folder / name).write_text(text)
        return name

    def terminal(self, *arguments, env=None):
        terminal = Terminal([nilo_server.program(), "sql", *arguments], self.folder, env)
        self.addCleanup(lambda: terminal.process.poll() is None and terminal.process.kill())
        self.assertIn("\\? lists commands", terminal.until(r"nilo=> "))
        return terminal


class Batch(Case):
    def test_formats(self):
        text = "SELECT 1 AS a, '' AS b, NULL AS c, true AS d, 'x\ty' AS \"E\""
        self.assertEqual(self.sql("-c", text)[0],
                         "a │ b │ c │ d │ E\n"
                         "──┼───┼───┼───┼─────\n"
                         "1 │   │   │ t │ x\\ty\n"
                         "(1 row)\n")
        self.assertEqual(self.sql("--format", "csv", "-c", text)[0], 'a,b,c,d,E\n1,"",,t,x\ty\n')
        self.assertEqual(json.loads(self.sql("--format=json", "-c", text)[0]),
                         [{"a": 1, "b": "", "c": None, "d": True, "E": "x\ty"}])
        self.assertIn("a │ 1\nb │ \n", self.sql("--format", "line", "-c", text)[0])
        self.assertEqual(self.sql("--no-header", "--null", "-", text)[0], "1 │   │ - │ t │ x\\ty\n")

    def test_numbers_stand_to_the_right(self):
        self.load()
        out, _ = self.sql("-c", "SELECT host, v FROM m ORDER BY v LIMIT 2")
        self.assertEqual(out, "host │   v\n─────┼────\nh0   │ 0.5\nh1   │ 1.5\n(2 rows)\n")

    def test_an_error_has_its_place(self):
        out, err = self.sql("-c", "SELECT 1;\nSELECT *\nFORM t; SELECT 2", status=1)
        self.assertIn("(1 row)", out)
        self.assertNotIn("2\n", out)
        self.assertEqual(err, 'ERROR:  syntax error at or near "FORM"\n'
                              "LINE 2: FORM t;\n"
                              "        ^\n"
                              'DETAIL:  expected ",", EXCEPT, FETCH, FROM, GROUP, HAVING, INTERSECT, '
                              "LATEST, LIMIT, OFFSET, ORDER, UNION, …\n"
                              "HINT:  Did you mean FROM instead of FORM?\n"
                              "SQLSTATE:  42601\n")
        path = self.file("f.sql", "SELECT 1;\n\n-- no\nSELECT\n  nope;\nSELECT 3;\n")
        out, err = self.sql("-f", path, status=1)
        self.assertTrue(err.startswith("f.sql:4: ERROR:  "), err)
        self.assertIn("LINE 2:   nope;\n          ^\n", err)
        self.assertIn("SQLSTATE:  42703", err)

    def test_statements_end_where_sql_says(self):
        text = ("SELECT 'a;b' AS x, $t$;$t$ AS y /* ; /* ; */ */ -- ;\n, \"a;\" FROM (SELECT 1 AS "
                "\"a;\") s; ;; SELECT E'\\';' AS z")
        out, _ = self.sql("--format", "csv", "-f", "-", stdin=text)
        self.assertEqual(out, "x,y,a;\na;b,;,1\nz\n';\n")

    def test_files_and_commands(self):
        self.load()
        inner = self.file("in.sql", "\\echo inner\nSELECT count(*) AS n FROM m;\n")
        out, _ = self.sql("--format", "csv", "-c", f"\\i {inner}", "-c", "\\pset format json",
                          "-c", "SELECT 1 AS a")
        self.assertEqual(out, 'inner\nn\n100\n[{"a": 1}]\n')
        self.sql("-c", "\\o out.txt", "-c", "SELECT 1 AS a", "-c", "\\o", "-c", "\\echo done")
        self.assertEqual((self.folder / "out.txt").read_text(), "a\n─\n1\n(1 row)\n")
        self.assertIn("did you mean", self.sql("-c", "\\timin", status=1)[1].lower())
        self.assertIn("there is no relation nope", self.sql("-c", "\\d nope", status=1)[1])
        loop = self.file("loop.sql", "\\i loop.sql\n")
        self.assertIn("files include each other", self.sql("-f", loop, status=1)[1])

    def test_what_there_is(self):
        self.load()
        out, _ = self.sql("--format", "csv", "-c", "\\d m")
        self.assertIn("host,text,tag,", out)
        self.assertIn("v,double precision,field,", out)
        self.assertIn(",m,", self.sql("--format", "csv", "-c", "\\dt")[0])
        self.assertIn("nilo,", self.sql("--format", "csv", "-c", "\\l")[0])
        self.assertIn("public,", self.sql("--format", "csv", "-c", "\\dn")[0])

    def test_copy_out(self):
        self.load()
        out, _ = self.sql("-c", "\\copy (SELECT host, v FROM m ORDER BY v LIMIT 2) TO 'x.csv' CSV HEADER")
        self.assertEqual(out, "COPY 2\n")
        self.assertEqual((self.folder / "x.csv").read_text(), "host,v\nh0,0.5\nh1,1.5\n")
        self.assertIn("\\copy cannot read this", self.sql("-c", "\\copy m", status=1)[1])

    def test_plot(self):
        self.load()
        out, _ = self.sql("-c", "\\plot 40x8 SELECT time, v FROM m")
        rows = out.splitlines()
        self.assertEqual(rows[0].strip(), "v")
        self.assertEqual(len(rows), 8)
        self.assertRegex(rows[1], r"^ +99\.5 ┤ +[⠀-⣿]+$")
        self.assertRegex(rows[5], r"^ +0\.5 ┤[⠀-⣿]+ *$")
        self.assertIn("2023-11-14", rows[7])
        # A line that only rises is never lower than the one to its left.
        firsts = [row.index(next(c for c in row if "⠀" < c <= "⣿")) for row in rows[1:6]]
        self.assertEqual(firsts, sorted(firsts, reverse=True))
        self.assertIn("nothing to plot", self.sql("-c", "\\plot SELECT 'a'", status=1)[1])

    def test_usage(self):
        for arguments in (["--format", "xml"], ["-c"], ["-q"], ["--formt", "csv"]):
            self.assertIn("nilo", self.sql(*arguments, status=2)[1])
        self.assertIn("give --server or --data", self.sql("--server", "http://x", status=1)[1])


class Served(Case):
    def test_a_server(self):
        with nilo_server.Server(folder=str(self.folder)) as server:
            self.run_nilo("query", "--server", server.url, "CREATE DATABASE nilo")
            self.run_nilo("write", "--server", server.url, "--db", "nilo", "--precision", "s",
                          stdin=LINES)
            at = ["sql", "--server", server.url, "--format", "csv"]
            self.assertEqual(self.run_nilo(*at, "-c", "SELECT max(v) AS a FROM m")[0], "a\n99.5\n")
            # A session is kept from statement to statement.
            out, _ = self.run_nilo(*at, "-c", "SET TimeZone = 'Europe/Berlin'; SHOW TimeZone")
            self.assertIn("Europe/Berlin", out)
            _, err = self.run_nilo(*at, "-c", "SET TimeZone = 'UTC';\nSELECT 1 +\n + ;", status=1)
            self.assertIn("LINE 2:  + ;\n           ^\n", err)
            _, err = self.run_nilo(*at, "-c", "SET TimeZone = 'UTC'; SELECT nope", status=1)
            self.assertIn("LINE 1: SELECT nope\n               ^\n", err)
            self.assertIn("SQLSTATE:  42703", err)
            terminal = self.terminal("--server", server.url)
            terminal.type(LONG)
            time.sleep(1)
            self.assertIn("canceling statement", terminal.ask("\x03"))
            self.assertIn("\n88\n", terminal.ask("SELECT 88 AS a;\n"))
            self.assertEqual(terminal.end(), 0)


class Dialog(Case):
    def setUp(self):
        super().setUp()
        self.load()

    def test_lines_make_statements(self):
        terminal = self.terminal("--data", self.data)
        terminal.ask("SELECT count(*)\n", r"nilo-> ")
        self.assertIn("100", terminal.ask("FROM m;\n"))
        terminal.ask("SELECT (1 +\n", r"nilo\(> ")
        terminal.ask("\x03")
        terminal.ask("SELECT 'a\n", r"nilo'> ")
        self.assertIn("a\\nb", terminal.ask("b';\n"))
        terminal.ask("/* c\n", r"nilo\*> ")
        self.assertIn("5", terminal.ask("*/ SELECT 5; SELECT 6;\n"))
        self.assertIn("LINE 1: SELECT * FORM m;\n                 ^\n",
                      terminal.ask("SELECT * FORM m;\n"))
        self.assertEqual(terminal.end(), 0)

    def test_history_and_completion(self):
        terminal = self.terminal("--data", self.data)
        terminal.ask("SELECT 42 AS a;\n")
        self.assertIn("\n42", terminal.ask("\x1b[A\n"))
        self.assertIn("h0", terminal.ask("SELECT hos\tFROM m LIMIT 1;\n"))
        self.assertIn("Timing is on.", terminal.ask("\\timi\t\n"))
        self.assertEqual(terminal.end(), 0)
        again = self.terminal("--data", self.data)
        self.assertIn("Timing is on.", again.ask("\x1b[A\x1b[A\n"))
        self.assertEqual(again.end(), 0)

    def test_ctrl_c_cancels(self):
        terminal = self.terminal("--data", self.data)
        terminal.type(LONG)
        time.sleep(1)
        self.assertRegex(terminal.ask("\x03"), "(?i)cancel")
        self.assertIn("\n88\n", terminal.ask("SELECT 88 AS a;\n"))
        terminal.ask("SELECT 77;\n")
        terminal.type("\\watch 0.1\n")
        terminal.until("77(?s:.)*77(?s:.)*77")
        terminal.ask("\x03")
        self.assertEqual(terminal.end(), 0)

    def test_pager_and_editor(self):
        terminal = self.terminal("--data", self.data,
                                 env={"PAGER": "sed -n 's/^/paged: /; 3p; $p'",
                                      "EDITOR": "sed -i s/m/m\\ LIMIT\\ 1/"})
        shown = terminal.ask("SELECT v FROM m;\n")
        self.assertIn("paged: ", shown)
        self.assertEqual(shown.count("paged: "), 2)
        self.assertIn("(1 row)", terminal.ask("\\e\n"))
        self.assertNotIn("paged", terminal.ask("SELECT 1;\n"))
        self.assertEqual(terminal.end(), 0)

    def test_commands(self):
        terminal = self.terminal("--data", self.data)
        help_text = terminal.ask("\\?\n")
        for name in ("\\d", "\\plot", "\\watch", "\\copy", "\\timing", "\\x", "\\e", "\\c", "\\l"):
            self.assertIn(f"  {name} ", help_text)
        self.assertIn("RECORD 1", terminal.ask("\\x\n") + terminal.ask("SELECT 1;\n"))
        self.assertIn("INSERT INTO table", terminal.ask("\\h insert\n"))
        self.assertIn("SELECT 1;", terminal.ask("\\p\n"))
        self.assertIn("does not exist", terminal.ask("\\c nowhere\n").replace("not found",
                                                                             "does not exist"))
        self.assertEqual(terminal.end(), 0)


if __name__ == "__main__":
    nilo_server.run_suite(sys.modules["__main__"])
