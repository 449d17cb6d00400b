"""SQL on Nilo: the TSBS devops types beside the same in InfluxQL, TPC-H beside peers, and what statements cost before they run.

Times are CPU time where a ratio is told, for the machine may be shared; all of one table comes from one run.
"""
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import tsbs_peers

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "interop"))
import tpch  # noqa: E402


def one_line(text):
    return " ".join(text.split())


def run_lines(program, folder, database, lines, runs):
    """What bench/ask.c or bench/sql.c prints for each statement."""
    output = subprocess.run([program, "--data", folder, "--db", database, "--runs", str(runs)], check=True,
                            input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def post(port, database, text):
    """An answer of POST /sql as JSON; RuntimeError where it is an error."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/sql?db=" + database, text.encode())
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200 or b'"error"' in body[:300]:
        raise RuntimeError(f"{text[:200]}: {body[:300]!r}")
    return body


def pairs(bench, runs, day):
    """[(name, [InfluxQL of each run], [SQL of each run])]: the same windows and hosts."""
    told = {}
    for run in range(runs):
        influxql = bench.tsbs_queries(random.Random(run), day)
        sql = tsbs_peers.queries(tsbs_peers.NiloDialect(), random.Random(run), day)
        for (name, ours), (_, theirs) in zip(influxql, sql):
            told.setdefault(name, ([], []))
            told[name][0].append(ours)
            told[name][1].append(theirs)
    return [(name, *texts) for name, texts in told.items()]


def served(texts, ask):
    """Median ms of questions that were asked once before."""
    for text in texts:
        ask(text)
    times = []
    for _ in range(3):
        for text in texts:
            started = time.perf_counter()
            ask(text)
            times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def measure_tsbs(bench, arguments, title, args):
    runs, day = (3, 21600) if args.quick else (5, 86400)
    asked = pairs(bench, runs, day)
    table = bench.Table(f"TSBS devops in SQL and in InfluxQL, {title}, merged (cold): median ms; embedded CPU ms",
                        ["query", "data", "HTTP sql", "HTTP influxql", "sql / influxql", "embedded sql", "embedded influxql",
                         "cpu sql", "cpu influxql", "cpu sql / influxql", "rows sql", "rows influxql"])
    server = bench.Nilo()
    try:
        server.start()
        server.create("bench")
        bench.load(server, arguments, 600)
        subprocess.run([server.program(), "compact", "--server", f"http://127.0.0.1:{server.port}"], check=True,
                       stdout=subprocess.DEVNULL)
        http_times = {name: (served(sql, lambda text: post(server.port, "bench", text)),
                             served(influxql, lambda text: server.influxql("bench", text)))
                      for name, influxql, sql in asked}
        server.stop()
        lines = [line for _, influxql, sql in asked for line in influxql + ["sql " + text for text in sql]]
        data = os.path.join(server.folder, "data")
        told = run_lines(bench.find_program("ask"), data, "bench", lines, 7)
        planned = run_lines(bench.find_program("sql"), data, "bench", [sql[0] for _, _, sql in asked], 101)
        for i, (name, influxql, sql) in enumerate(asked):
            ours, theirs = [told[2 * runs * i + offset:2 * runs * i + offset + runs] for offset in (runs, 0)]
            middle = lambda rows, key: statistics.median(row[key] for row in rows)
            sql_ms, influxql_ms = http_times[name]
            table.add(name, title, f"{sql_ms:.2f}", f"{influxql_ms:.2f}", f"{sql_ms / influxql_ms:.2f}",
                      f"{middle(ours, 'ms'):.2f}", f"{middle(theirs, 'ms'):.2f}", f"{middle(ours, 'cpu_ms'):.2f}",
                      f"{middle(theirs, 'cpu_ms'):.2f}", f"{middle(ours, 'cpu_ms') / middle(theirs, 'cpu_ms'):.2f}",
                      middle(ours, "rows"), middle(theirs, "rows"))
        table.show()
        return [(name, row) for (name, _, _), row in zip(asked, planned)]
    finally:
        server.remove()


def show_planning(bench, title, rows):
    table = bench.Table(f"{title}: CPU µs of a statement before it runs, median of 101",
                        ["statement", "", "parse", "bind", "optimize", "all"])
    for name, row in rows:
        stages = [row["parse_us"], row["bind_us"], row["optimize_us"]]
        table.add(name, "", *[f"{stage:.0f}" for stage in stages], f"{sum(stages):.0f}")
    table.show()


# ---- TPC-H ----

def insert_texts(table, rows):
    """INSERTs of up to 1,000 rows."""
    quote = lambda value: str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
    for at in range(0, len(rows), 1000):
        yield f"INSERT INTO {table} VALUES " + ", ".join(
            "(" + ", ".join(map(quote, row)) + ")" for row in rows[at:at + 1000])


def fill(ask, tables):
    for name, columns in tpch.SCHEMA.items():
        ask(f"CREATE TABLE {name} ({columns})")
        for text in insert_texts(name, tables[name]):
            ask(text)


def run_time_ns(pid):
    """CPU time of a process with one thread, by the scheduler's clock."""
    return int(open(f"/proc/{pid}/schedstat").read().split()[0])


def ask_peer(peer, runs):
    """{number: (ms, CPU ms)}, medians; a peer in a process of its own answers in one backend."""
    cpu = time.process_time_ns
    if not peer.in_process:
        with peer.connection.cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 0")
            cursor.execute("SET statement_timeout = '60s'")
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
        cpu = lambda: run_time_ns(backend)
    answers = {}
    for number, text in tpch.QUERIES.items():
        rows = []
        for _ in range(runs):
            before, started = cpu(), time.perf_counter()
            try:
                peer.ask(one_line(text))
            except Exception as failure:  # each peer has errors of its own
                print(f"{peer.name}: query {number}: {failure}")
                break
            rows.append(((time.perf_counter() - started) * 1e3, (cpu() - before) / 1e6))
        if rows:
            answers[number] = tuple(statistics.median(row[i] for row in rows) for i in (0, 1))
    return answers


def nilo_tpch(bench, tables, runs):
    """What ask and sql tell of each question, in an engine of its own over merged tables."""
    server = bench.Nilo()
    try:
        server.start()
        server.create("bench")
        fill(lambda text: post(server.port, "bench", text), tables)
        subprocess.run([server.program(), "compact", "--server", f"http://127.0.0.1:{server.port}"], check=True,
                       stdout=subprocess.DEVNULL)
        server.stop()
        data = os.path.join(server.folder, "data")
        texts = [one_line(text) for text in tpch.QUERIES.values()]
        return (run_lines(bench.find_program("ask"), data, "bench", ["sql " + text for text in texts], runs),
                run_lines(bench.find_program("sql"), data, "bench", texts, 101))
    finally:
        server.remove()


def measure_tpch(bench, args, scale):
    runs = 3
    tables = {name: [] for name in tpch.SCHEMA}
    for name, row in tpch.rows(scale):
        tables[name].append(row)
    nilo, planned = nilo_tpch(bench, tables, runs)
    answers, peers = {}, [p for p in (tsbs_peers.PostgreSQL, tsbs_peers.DuckDB) if p.available()]
    with tempfile.TemporaryDirectory(prefix="bench-tpch-", dir=os.environ.get("NILO_BENCH_DIR")) as folder:
        for kind in peers:
            own = os.path.join(folder, kind.name)
            os.mkdir(own)
            peer = kind(own, bench.free_port())
            try:
                peer.start()
                fill(peer.run, tables)
                peer.run("ANALYZE")
                answers[kind.name] = ask_peer(peer, runs)
            except (RuntimeError, OSError) as failure:
                print(f"{kind.name}: {failure}")
            finally:
                peer.stop()
    columns = [column for p in peers for column in (p.name, "cpu", "nilo cpu /")]
    table = bench.Table(f"TPC-H at scale {scale}, median ms of {runs}: wall, then CPU", ["query", "rows", "nilo", "cpu"] + columns)
    for number, told in zip(tpch.QUERIES, nilo):
        cells = []
        for peer in peers:
            ms, cpu = answers.get(peer.name, {}).get(number, (None, None))
            cells += ["-"] * 3 if ms is None else [f"{ms:.1f}", f"{cpu:.1f}", f"{told['cpu_ms'] / cpu:.2f}"]
        table.add(number, told["rows"], f"{told['ms']:.1f}", f"{told['cpu_ms']:.1f}", *cells)
    table.show()
    return [(f"TPC-H {number}", row) for number, row in zip(tpch.QUERIES, planned)]


def measure(bench, args):
    parts = args.sets or ["tsbs", "tpch"]
    steps = (21600 if args.quick else 86400) // 10
    if "tsbs" in parts:
        for variant, title in (("A", "integers"), ("B", "2 decimals")):
            rows = measure_tsbs(bench, ["--set=cpu", "--hosts=100", f"--steps={steps}", f"--variant={variant}"], title, args)
        show_planning(bench, "TSBS", rows)
    if "tpch" in parts:
        for scale in (0.01,) if args.quick else (0.01, 0.05):
            rows = measure_tpch(bench, args, scale)
        show_planning(bench, "TPC-H", rows)
