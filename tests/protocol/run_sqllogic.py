#!/usr/bin/env python3
"""The files of tests/query/sql/ against a server: the format is described in
tests/query/test_sqllogic.c, which runs the same ones against the embedded engine. One server for all
files, a database and HTTP's POST /sql for each; sessions last one request there, so files that use
SET or PREPARE (they say "# session") are left out."""
import http.client
import json
import pathlib
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import nilo_server  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "query" / "sql"


def cell(text):
    """A CSV field as the files spell it: None for a field that is not there."""
    if text is None:
        return "NULL"
    if text == "":
        return "(empty)"
    return text.replace("\n", "\\n").replace("\t", "\\t")


def csv_rows(text):
    """Rows of CSV with None for an empty unquoted field, which Python's reader does not tell."""
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
            row.append("".join(field) if field or was_quoted else None)
            field, was_quoted = [], False
            if c == "\n":
                rows.append(row)
                row = []
        else:
            field.append(c)
        at += 1
    return rows


class Client:
    def __init__(self, server):
        self.server = server

    def post(self, target, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request("POST", target, body.encode())
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def sql(self, text, database, format):
        return self.post("/sql?" + urllib.parse.urlencode({"db": database, "format": format}), text)


class File:
    """One file: its records run in order."""

    def __init__(self, case, client, path, database):
        self.case, self.client, self.path, self.database = case, client, path, database
        self.lines = path.read_text().split("\n")
        self.at = 0

    def block(self):
        """Lines up to an empty one or ----; true for the latter."""
        lines = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if line in ("", "----"):
                return lines, line == "----"
            lines.append(line)
        return lines, False

    def place(self, line, text):
        return f"{self.path.name}:{line}: {text}"

    def error_of(self, text):
        """The error of a JSON answer, or None."""
        answer = json.loads(text)
        if "error" in answer:
            return answer["error"]
        for result in answer["results"]:
            if "error" in result:
                return result["error"]
        return None

    def statement(self, words, line):
        text = "\n".join(self.block()[0])
        _, body = self.client.sql(text, self.database, "json")
        error = self.error_of(body)
        where = self.place(line, text)
        if words[0] == "error":
            self.case.assertIsNotNone(error, where)
            self.case.assertEqual(error["code"], words[1], where + "\n" + str(error))
            self.case.assertIn(" ".join(words[2:]), error["message"], where)
            return
        self.case.assertIsNone(error, where)
        if words[0] == "count":
            last = json.loads(body)["results"][-1]
            self.case.assertEqual(last.get("count"), int(words[1]), where)

    def query(self, words, line):
        sql, has_rows = self.block()
        expected = self.block()[0] if has_rows else []
        text = "\n".join(sql)
        status, body = self.client.sql(text, self.database, "csv")
        where = self.place(line, text)
        self.case.assertEqual(status, 200, where + "\n" + body)
        rows = ["\t".join(map(cell, row)) for row in csv_rows(body)[1:]]
        if "rowsort" in words:
            rows.sort(key=lambda row: row.encode())
        self.case.assertEqual(rows, expected, where)

    def write(self):
        lines = "\n".join(self.block()[0])
        target = "/write?" + urllib.parse.urlencode({"db": self.database})
        status, body = self.client.post(target, lines)
        self.case.assertEqual(status, 204, body)

    def run(self):
        while self.at < len(self.lines):
            line = self.at + 1
            words = self.lines[self.at].split(" ")
            self.at += 1
            if words[0] == "statement":
                self.statement(words[1:], line)
            elif words[0] == "query":
                self.query(words[1:], line)
            elif words[0] == "database":
                unit = f" WITH PRECISION {words[2]}" if len(words) > 2 else ""
                self.client.post("/query?" + urllib.parse.urlencode(
                    {"q": f'CREATE DATABASE "{words[1]}"{unit}'}), "")
                self.database = words[1]
            elif words[0] == "write":
                self.write()


class SqlLogic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = nilo_server.Server()
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        log = cls.server.log_text()
        cls.server.remove()
        if code != 0:
            raise AssertionError(f"the server ended with {code}:\n{log[-4000:]}")


def add_file(number, path):
    def run(self):
        database = f"slt{number}"
        client = Client(self.server)
        client.post("/query?" + urllib.parse.urlencode({"q": f"CREATE DATABASE {database}"}), "")
        File(self, client, path, database).run()
    name = "test_" + str(path.relative_to(FOLDER))[:-4].replace("/", "_")
    setattr(SqlLogic, name, run)


for index, file in enumerate(sorted(FOLDER.rglob("*.slt"))):
    if "# session" not in file.read_text():
        add_file(index, file)

if __name__ == "__main__":
    nilo_server.run_suite(sys.modules[__name__])
