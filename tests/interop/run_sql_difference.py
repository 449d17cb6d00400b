#!/usr/bin/env python3
"""Random statements on Nilo and on PostgreSQL 15, whose dialect Nilo speaks: the answers, or the
SQLSTATEs, must be the same. What differs on purpose stands in docs/languages/sql.md.

    run_sql_difference.py [--seed N] [--count N] [--server-bin DIR] [--show] [--statement SQL]

A private PostgreSQL cluster (locale C) is made in a temporary folder and removed again. Without
PostgreSQL the suite passes over itself. Each statement brings its tables along as VALUES, so nothing
is stored. The seed of a difference is printed: --seed N --count 1 repeats it."""
import argparse
import csv
import http.client
import io
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "protocol"))
import nilo_server  # noqa: E402

BINARIES = ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin"]


class Postgres:
    """A cluster of its own, on a socket in its folder; one session of psql stays open."""

    def __init__(self, binaries):
        self.folder = tempfile.mkdtemp(prefix="nilo-pg-")
        self.binaries = binaries
        self.user = None
        if os.getuid() == 0:  # the server refuses to run as root
            self.user = "postgres"
            shutil.chown(self.folder, "postgres", "postgres")
        data = os.path.join(self.folder, "data")
        self.run("initdb", "-D", data, "--locale=C", "-E", "UTF8", "-A", "trust", "-U", "postgres",
                 "--no-sync")
        self.server = subprocess.Popen(
            self.command("postgres", "-D", data, "-k", self.folder, "-c", "listen_addresses=",
                         "-c", "fsync=off", "-c", "timezone=UTC"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        self.psql = None
        for _ in range(100):
            if os.path.exists(os.path.join(self.folder, ".s.PGSQL.5432")):
                break
            time.sleep(0.1)

    def command(self, name, *arguments):
        whole = [os.path.join(self.binaries, name), *arguments]
        return ["runuser", "-u", self.user, "--", *whole] if self.user else whole

    def run(self, name, *arguments):
        subprocess.run(self.command(name, *arguments), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd="/")

    def start_psql(self):
        self.psql = subprocess.Popen(
            [os.path.join(self.binaries, "psql"), "-X", "-q", "-h", self.folder, "-U", "postgres",
             "-d", "postgres"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd="/")
        self.psql.stdin.write("\\pset format csv\n\\pset null '\\\\N'\n\\set VERBOSITY verbose\n"
                              "SET timezone='UTC';SET statement_timeout='20s';\n")

    def ask(self, sql):
        """(rows, None), or (None, SQLSTATE)."""
        if self.psql is None or self.psql.poll() is not None:
            self.start_psql()
        self.psql.stdin.write(sql + ";\n\\echo ---end---\n")
        self.psql.stdin.flush()
        lines = []
        while True:
            line = self.psql.stdout.readline()
            if line == "":
                return None, "lost"
            if line == "---end---\n":
                break
            lines.append(line)
        text = "".join(lines)
        if text.startswith("ERROR:  "):
            return None, text[8:13]
        rows = [row or [""] for row in csv.reader(io.StringIO(text))]
        return rows[1:], None

    def close(self):
        if self.psql is not None:
            self.psql.stdin.close()
            self.psql.wait()
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nilo:
    def __init__(self):
        self.server = nilo_server.Server()
        self.server.start()

    def ask(self, sql):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request("POST", "/sql?format=csv", sql.encode())
            reply = connection.getresponse()
            text = reply.read().decode()
            if reply.status != 200:
                return None, text.split('"code":"')[1][:5] + " " + text
            rows, state = [], 0
            for row in read_csv(text)[1:]:
                rows.append(row)
            if rows and rows[-1][:1] == ["error"] and len(rows[-1]) == 3:
                return None, rows[-1][1] + " " + rows[-1][2]
            return rows, None
        except (http.client.HTTPException, OSError) as problem:
            return None, f"lost {problem}"
        finally:
            connection.close()

    def close(self):
        self.server.stop()
        self.server.remove()


def start_both(binaries):
    """Both engines; none is left behind when the other does not start."""
    postgres = Postgres(binaries)
    try:
        return postgres, Nilo()
    except BaseException:
        postgres.close()
        raise


def read_csv(text):
    """Rows with \\N for null, which is an empty field without quotes."""
    rows, row, field, at = [], [], [], 0
    quoted = was_quoted = False
    while at < len(text):
        c = text[at]
        if quoted:
            if c == '"' and text[at + 1:at + 2] == '"':
                field.append('"')
                at += 1
            elif c == '"':
                quoted = False
            else:
                field.append(c)
        elif c == '"':
            quoted = was_quoted = True
        elif c in ",\n":
            row.append("".join(field) if field or was_quoted else "\\N")
            field, was_quoted = [], False
            if c == "\n":
                rows.append(row)
                row = []
        else:
            field.append(c)
        at += 1
    return rows


# ---- statements ----

TYPES = {"i": "int", "b": "bigint", "d": "double precision", "n": "numeric", "t": "text",
         "f": "boolean", "s": "timestamp", "a": "date"}


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def literal(self, kind):
        r = self.r
        if r.random() < 0.08:
            return f"NULL::{TYPES[kind]}"
        if kind == "i":
            return str(r.choice([0, 1, 2, 3, 5, -1, -7, 10, 100, 2147483647]))
        if kind == "b":
            return f"{r.choice([0, 1, 2, 4, -3, 12345678901, -5])}::bigint"
        if kind == "d":
            value = r.choice(["0", "1", "0.5", "-2.25", "1e10", "3.75", "100"])
            return f"{value}::double precision"
        if kind == "n":
            return r.choice(["0.0", "1.5", "-2.25", "10.00", "0.001", "123456.789", "7::numeric"])
        if kind == "t":
            return r.choice(["'a'", "'b'", "'abc'", "''", "'Hello World'", "'x%y'", "'été'"]) + "::text"
        if kind == "f":
            return r.choice(["true", "false"])
        if kind == "s":
            return "timestamp '" + r.choice(["2024-01-01 00:00:00", "2024-02-29 12:34:56.789",
                                             "1999-12-31 23:59:59", "2024-03-31 02:30:00"]) + "'"
        return "date '" + r.choice(["2024-01-31", "2024-02-29", "2000-01-01", "1970-01-01"]) + "'"

    def expr(self, kind, columns, depth):
        """An expression of a type over columns [(name, kind)]."""
        r = self.r
        fitting = [name for name, of in columns if of == kind]
        if depth <= 0 or r.random() < 0.25:
            return r.choice(fitting) if fitting and r.random() < 0.8 else self.literal(kind)
        sub = lambda of: self.expr(of, columns, depth - 1)  # noqa: E731
        any_kind = lambda: r.choice("ibdntsaf")  # noqa: E731
        common = [
            lambda: f"CASE WHEN {sub('f')} THEN {sub(kind)} ELSE {sub(kind)} END",
            lambda: f"coalesce({sub(kind)}, {sub(kind)})",
            lambda: f"nullif({sub(kind)}, {sub(kind)})",
            lambda: f"({sub(kind)})",
        ]
        if kind != "f":
            common.append(lambda: f"{r.choice(['greatest', 'least'])}({sub(kind)}, {sub(kind)})")
        own = {
            "i": [lambda: f"({sub('i')} {r.choice(['+', '-', '*'])} {sub('i')})",
                  lambda: f"({sub('i')} {r.choice(['/', '%'])} {sub('i')})",
                  lambda: f"abs({sub('i')})", lambda: f"length({sub('t')})",
                  lambda: f"(- {sub('i')})", lambda: f"{sub('n')}::int", lambda: f"{sub('d')}::int",
                  lambda: f"strpos({sub('t')}, {sub('t')})", lambda: f"({sub('a')} - {sub('a')})",
                  lambda: f"({sub('i')} {r.choice(['&', '|', '#'])} {sub('i')})",
                  lambda: f"{sub('f')}::int"],
            "b": [lambda: f"({sub('b')} {r.choice(['+', '-', '*'])} {sub('i')})",
                  lambda: f"({sub('b')} {r.choice(['/', '%'])} {sub('b')})",
                  lambda: f"{sub('i')}::bigint", lambda: f"{sub('n')}::bigint",
                  lambda: f"abs({sub('b')})", lambda: f"mod({sub('b')}, {sub('b')})"],
            "d": [lambda: f"({sub('d')} {r.choice(['+', '-', '*', '/'])} {sub('d')})",
                  lambda: f"{sub('i')}::double precision", lambda: f"{sub('n')}::double precision",
                  lambda: f"floor({sub('d')})", lambda: f"ceil({sub('d')})", lambda: f"round({sub('d')})",
                  lambda: f"trunc({sub('d')})", lambda: f"sqrt(abs({sub('d')}))", lambda: f"sign({sub('d')})",
                  lambda: f"extract(epoch from {sub('s')})::double precision"],
            "n": [lambda: f"({sub('n')} {r.choice(['+', '-', '*', '/', '%'])} {sub('n')})",
                  lambda: f"({sub('n')} {r.choice(['+', '-', '*', '/'])} {sub('i')})",
                  lambda: f"{sub('i')}::numeric", lambda: f"round({sub('n')}, {r.randrange(4)})",
                  lambda: f"round({sub('n')})", lambda: f"floor({sub('n')})", lambda: f"ceil({sub('n')})",
                  lambda: f"trunc({sub('n')}, 1)", lambda: f"abs({sub('n')})", lambda: f"sign({sub('n')})",
                  lambda: f"{sub('n')}::numeric(12,2)",
                  lambda: f"extract({r.choice(['year', 'month', 'day', 'hour', 'minute', 'second', 'dow', 'doy', 'week', 'quarter', 'epoch', 'isoyear', 'decade', 'century', 'milliseconds'])} from {sub('s')})"],
            "t": [lambda: f"({sub('t')} || {sub('t')})", lambda: f"upper({sub('t')})", lambda: f"lower({sub('t')})",
                  lambda: f"substr({sub('t')}, {r.randrange(-1, 4)}, {r.randrange(0, 4)})",
                  lambda: f"replace({sub('t')}, {sub('t')}, {sub('t')})", lambda: f"left({sub('t')}, {r.randrange(-2, 4)})",
                  lambda: f"right({sub('t')}, {r.randrange(-2, 4)})", lambda: f"trim({sub('t')})",
                  lambda: f"reverse({sub('t')})", lambda: f"lpad({sub('t')}, 6, {sub('t')})", lambda: f"initcap({sub('t')})",
                  lambda: f"{sub('i')}::text", lambda: f"{sub('n')}::text", lambda: f"{sub('d')}::text",
                  lambda: f"{sub('s')}::text", lambda: f"{sub('a')}::text", lambda: f"{sub('f')}::text",
                  lambda: f"split_part({sub('t')}, 'b', 1)", lambda: f"concat({sub('t')}, {sub(any_kind())})",
                  lambda: f"md5({sub('t')})", lambda: f"repeat({sub('t')}, {r.randrange(3)})",
                  lambda: f"translate({sub('t')}, 'abc', 'xy')", lambda: f"quote_literal({sub('t')})",
                  lambda: f"to_char({sub('s')}, 'YYYY-MM-DD HH24:MI:SS Mon Day')",
                  lambda: f"regexp_replace({sub('t')}, '[a-l]', '#', 'g')"],
            "f": [lambda: (lambda of: f"({sub(of)} {r.choice(['=', '<>', '<', '<=', '>', '>='])} {sub(of)})")(any_kind()),
                  lambda: f"({sub('f')} AND {sub('f')})", lambda: f"({sub('f')} OR {sub('f')})", lambda: f"(NOT {sub('f')})",
                  lambda: f"({sub(any_kind())} IS NULL)", lambda: f"({sub(any_kind())} IS NOT NULL)",
                  lambda: (lambda of: f"({sub(of)} IN ({sub(of)}, {sub(of)}))")(r.choice("ibnt")),
                  lambda: (lambda of: f"({sub(of)} BETWEEN {sub(of)} AND {sub(of)})")(r.choice("ibdnts")),
                  lambda: (lambda of: f"({sub(of)} IS DISTINCT FROM {sub(of)})")(any_kind()),
                  lambda: f"({sub('t')} LIKE {r.choice(['%a%', 'a_c', '%', '_%b%'])!r})",
                  lambda: f"({sub('t')} ~ {r.choice(['^a', 'b$', '[a-c]+', 'l{2}'])!r})",
                  lambda: f"({sub('i')} < {sub('n')})", lambda: f"({sub('d')} > {sub('b')})",
                  lambda: f"({sub('a')} < {sub('s')})"],
            "s": [lambda: f"({sub('s')} + interval '{r.choice(['1 day', '1 month', '-2 hours', '1 year 3 days', '90 minutes'])}')",
                  lambda: f"date_trunc('{r.choice(['hour', 'day', 'week', 'month', 'quarter', 'year'])}', {sub('s')})",
                  lambda: f"{sub('a')}::timestamp"],
            "a": [lambda: f"({sub('a')} + {r.randrange(-40, 40)})", lambda: f"{sub('s')}::date",
                  lambda: f"make_date(2024, {r.randrange(1, 13)}, {r.randrange(1, 29)})"],
        }[kind]
        return r.choice(own if r.random() < 0.8 else common)()

    def table(self, name, rows):
        """A CTE with a column of each type, and its columns."""
        kinds = "ibdntfsa"
        columns = [(f"{name}.{kind}{name}", kind) for kind in kinds]
        values = ", ".join(
            "(" + ", ".join(self.literal(kind) for kind in kinds) + ")" for _ in range(rows))
        typed = ", ".join(f"{kind}::{TYPES[kind]}" for kind in kinds)
        names = ", ".join(f"{kind}{name}" for kind in kinds)
        return f"{name}({names}) AS (SELECT {typed} FROM (VALUES {values}) AS v({', '.join(kinds)}))", columns

    def aggregate(self, columns):
        r = self.r
        sub = lambda of: self.expr(of, columns, 1)  # noqa: E731
        call = r.choice([
            lambda: "count(*)", lambda: f"count({sub(r.choice('ibdnt'))})", lambda: f"count(DISTINCT {sub(r.choice('ibnt'))})",
            lambda: f"sum({sub(r.choice('ibn'))})", lambda: f"avg({sub(r.choice('ibn'))})",
            lambda: f"min({sub(r.choice('ibdntsa'))})", lambda: f"max({sub(r.choice('ibdntsa'))})",
            lambda: f"bool_and({sub('f')})", lambda: f"bool_or({sub('f')})",
            lambda: f"stddev({sub('n')})", lambda: f"variance({sub('i')})",
            lambda: (lambda x: f"string_agg({x}, ',' ORDER BY {x})")(sub('t')),
            lambda: f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {sub('i')})",
            lambda: (lambda x: f"array_agg({x} ORDER BY {x})")(sub('i')),
            lambda: f"sum({sub('i')}) FILTER (WHERE {sub('f')})",
        ])()
        return call

    def source(self, tables):
        """FROM and the columns that it gives."""
        r = self.r
        if r.random() < 0.5:
            name, columns = r.choice(tables)
            return name, columns
        (a, left), (b, right) = tables[0], tables[1]
        kind = r.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        both = left + right
        if kind == "CROSS JOIN":
            return f"{a} CROSS JOIN {b}", both
        on = f"{a}.i{a} = {b}.i{b}"
        if kind != "FULL JOIN" and r.random() < 0.5:
            on += f" AND {self.expr('f', both, 1)}"
        return f"{a} {kind} {b} ON {on}", both

    def where(self, columns, tables):
        r = self.r
        pick = r.random()
        if pick < 0.4:
            return ""
        if pick < 0.8:
            return f" WHERE {self.expr('f', columns, 2)}"
        other, inner = tables[r.randrange(2)]
        of = r.choice("int")
        outer = r.choice([name for name, kind in columns if kind == of])
        alias = "q"
        inner = [(f"q.{kind}{other}", kind) for _, kind in inner]
        column = f"q.{of}{other}"
        return r.choice([
            f" WHERE {outer} IN (SELECT {column} FROM {other} {alias} WHERE {self.expr('f', inner, 1)})",
            f" WHERE {outer} NOT IN (SELECT {column} FROM {other} {alias} WHERE {column} IS NOT NULL)",
            f" WHERE EXISTS (SELECT 1 FROM {other} {alias} WHERE {column} = {outer})",
            f" WHERE NOT EXISTS (SELECT 1 FROM {other} {alias} WHERE {column} < {outer})",
            f" WHERE {outer} = (SELECT max({column}) FROM {other} {alias})",
            f" WHERE {outer} >= ALL (SELECT {column} FROM {other} {alias} WHERE {column} IS NOT NULL)",
        ])

    def plain(self, tables):
        r = self.r
        source, columns = self.source(tables)
        kinds = [r.choice("ibdntfsa") for _ in range(r.randrange(1, 4))]
        items = [self.expr(kind, columns, 3) for kind in kinds]
        distinct = "DISTINCT " if r.random() < 0.2 else ""
        return f"SELECT {distinct}{', '.join(items)} FROM {source}{self.where(columns, tables)}"

    def grouped(self, tables):
        r = self.r
        source, columns = self.source(tables)
        keys = [self.expr(r.choice("intfa"), columns, 1) for _ in range(r.randrange(0, 3))]
        keys = [key for key in keys if any(name in key for name, _ in columns)]
        calls = [self.aggregate(columns) for _ in range(r.randrange(1, 3))]
        sql = f"SELECT {', '.join(keys + calls)} FROM {source}{self.where(columns, tables)}"
        if keys:
            numbers = ", ".join(str(i + 1) for i in range(len(keys)))
            form = r.choice(["{}", "{}", "ROLLUP ({})", "CUBE ({})"])
            sql += " GROUP BY " + form.format(numbers if form == "{}" else ", ".join(keys))
        if r.random() < 0.3:
            sql += f" HAVING {r.choice(['count(*) > 1', 'max(' + columns[0][0] + ') > 1', 'count(*) < 3'])}"
        return sql

    def windowed(self, tables):
        r = self.r
        name, columns = r.choice(tables)
        all_columns = ", ".join(column for column, _ in columns)
        call = r.choice(["row_number()", "rank()", "dense_rank()", f"sum({name}.i{name})", "count(*)",
                         f"lag({name}.i{name})", f"lead({name}.t{name}, 1)", f"first_value({name}.n{name})",
                         f"min({name}.d{name})", f"avg({name}.b{name})", "ntile(2)", "cume_dist()", "percent_rank()"])
        partition = f"PARTITION BY {name}.f{name} " if r.random() < 0.6 else ""
        frame = r.choice(["", "", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                          " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"])
        if "(" in call and call.split("(")[0] in ("row_number", "rank", "dense_rank", "lag", "lead", "ntile", "cume_dist", "percent_rank"):
            frame = ""
        return f"SELECT {all_columns}, {call} OVER ({partition}ORDER BY {all_columns}{frame}) FROM {name}"

    def nested(self, tables):
        """Scalar subqueries, lateral ones, DISTINCT ON, order and limit by unique keys, row values."""
        r = self.r
        (a, left), (b, right) = tables
        every = ", ".join(name for name, _ in left)
        inner = [(f"q.{kind}{b}", kind) for _, kind in right]
        of = r.choice("ibnt")
        scalar = r.choice([
            f"(SELECT count(*) FROM {b} q WHERE q.{of}{b} = {a}.{of}{a})",
            f"(SELECT max({self.expr(of, inner, 1)}) FROM {b} q WHERE q.i{b} > {a}.i{a})",
            f"(SELECT string_agg(q.t{b}, '-' ORDER BY q.t{b}) FROM {b} q WHERE q.f{b} = {a}.f{a})",
            f"ARRAY(SELECT q.i{b} FROM {b} q WHERE q.i{b} <= {a}.i{a} ORDER BY 1)",
            f"EXISTS (SELECT 1 FROM {b} q WHERE {self.expr('f', inner + left, 1)})",
        ])
        return r.choice([
            f"SELECT {every}, {scalar} FROM {a}",
            f"SELECT {every}, l.v FROM {a} CROSS JOIN LATERAL (SELECT {self.expr(of, inner, 1)} AS v FROM {b} q "
            f"WHERE q.{of}{b} <= {a}.{of}{a} ORDER BY q.i{b}, q.b{b}, q.d{b}, q.n{b}, q.t{b}, q.f{b}, q.s{b}, q.a{b} LIMIT 2) l",
            f"SELECT DISTINCT ON ({a}.{of}{a}) {every} FROM {a} ORDER BY {a}.{of}{a}, {every}",
            f"SELECT * FROM (SELECT {every} FROM {a} ORDER BY {every} LIMIT {r.randrange(5)} OFFSET {r.randrange(3)}) z",
            f"SELECT {every} FROM {a} WHERE ({a}.i{a}, {a}.t{a}) IN (SELECT q.i{b}, q.t{b} FROM {b} q)",
            f"SELECT {every} FROM {a} WHERE ({a}.i{a}, {a}.b{a}) < ({self.expr('i', left, 1)}, {self.expr('b', left, 1)})",
            f"SELECT {a}.f{a}, {a}.t{a}, grouping({a}.f{a}, {a}.t{a}), count(*) FROM {a} "
            f"GROUP BY GROUPING SETS (({a}.f{a}), ({a}.t{a}), ())",
            f"SELECT g, {a}.i{a} FROM {a}, generate_series(1, {r.randrange(4)}) g WHERE g > {a}.i{a}",
            f"SELECT u FROM unnest(ARRAY[{', '.join(self.literal('i') for _ in range(3))}]) u ORDER BY u DESC NULLS LAST",
            f"SELECT ({every}) IS NULL, ({a}.i{a}, {a}.t{a}) = ({a}.i{a}, {a}.t{a}) FROM {a}",
            f"SELECT {a}.s{a} - timestamp '2000-01-01', age({a}.s{a}, timestamp '2000-01-01'), {a}.s{a} - {a}.a{a}::timestamp FROM {a}",
            f"SELECT {every} FROM {a} WHERE {a}.i{a} = ANY (ARRAY[{', '.join(self.literal('i') for _ in range(2))}]) "
            f"OR {a}.t{a} <> ALL (ARRAY['a', 'b'])",
            f"SELECT jsonb_build_object('i', {a}.i{a}, 't', {a}.t{a}) ->> 't', to_json({a}.n{a})::text FROM {a}",
        ])

    def statement(self):
        r = self.r
        one, left = self.table("x", r.randrange(0, 7) or 1)
        two, right = self.table("y", r.randrange(1, 6))
        tables = [("x", left), ("y", right)]
        kind = r.random()
        if kind < 0.2:
            body = self.nested(tables)
        elif kind < 0.5:
            body = self.plain(tables)
        elif kind < 0.75:
            body = self.grouped(tables)
        elif kind < 0.88:
            body = self.windowed(tables)
        else:
            of = r.choice("ibnt")
            sides = [f"SELECT {self.expr(of, left, 2)} FROM x", f"SELECT {self.expr(of, right, 2)} FROM y"]
            operator = r.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
            body = f"{sides[0]} {operator} {sides[1]}"
        return f"WITH {one}, {two} {body}"


# ---- comparing ----

def same_cell(a, b):
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    if "." not in a and "e" not in a and "." not in b:
        return False
    return x == y or abs(x - y) <= 1e-9 * max(abs(x), abs(y))


def same_rows(a, b):
    if len(a) != len(b):
        return False
    return all(len(x) == len(y) and all(map(same_cell, x, y)) for x, y in zip(sorted(a), sorted(b)))


def is_value_error(state):
    """Class 22: a value that an expression could not take."""
    return (state or "").startswith("22")


def compare(nilo, postgres, sql):
    """None, or what differs. Which rows an expression is computed for is nobody's promise: where only
    one of the two met a value that it can't take, nothing is known ("")."""
    theirs, their_state = postgres.ask(sql)
    ours, our_state = nilo.ask(sql)
    if their_state in ("57014", "lost"):
        return None  # too long for PostgreSQL
    if our_state or their_state:
        if (our_state or "")[:5] == (their_state or "")[:5]:
            return None
        if (is_value_error(our_state) and (not their_state or is_value_error(their_state))) or \
                (is_value_error(their_state) and not our_state):
            return ""
        return f"PostgreSQL: {their_state or theirs[:5]}\nNilo: {our_state or ours[:5]}"
    if same_rows(ours, theirs):
        return None
    return f"PostgreSQL: {theirs[:8]}\nNilo: {ours[:8]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--server-bin")
    parser.add_argument("--show", action="store_true", help="print every statement")
    parser.add_argument("--statement", help="compare this one only")
    options = parser.parse_args()
    found = [options.server_bin] if options.server_bin else [b for b in BINARIES if os.path.isdir(b)]
    if not found:
        print("PostgreSQL is not installed: nothing to compare with")
        print("0 passed, 0 failed")
        return 0
    postgres, nilo = start_both(found[0])
    passed = failed = unknown = 0
    try:
        for seed in range(options.seed, options.seed + options.count):
            sql = options.statement or Generator(seed).statement()
            if options.show:
                print(f"{seed}: {sql}")
            problem = compare(nilo, postgres, sql)
            passed += problem is None
            unknown += problem == ""
            if problem:
                failed += 1
                print(f"--- seed {seed}\n{sql}\n{problem}")
            if options.statement:
                break
    finally:
        nilo.close()
        postgres.close()
    if unknown:
        print(f"{unknown} where one of the two computed what the other did not")
    if unknown * 20 > options.count > 50:
        failed += 1
        print("too many of them")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
