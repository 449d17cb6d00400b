"""The TSBS devops queries in the SQL of peers that do not speak InfluxQL, and those peers.

ClickHouse is Debian's server; DuckDB the Python package (NILO_BENCH_PYTHONPATH may name its folder), in the process of the
benchmark, as a program that embeds it has it; PostgreSQL is Debian's, with indexes by host and time, asked through psycopg2. Rows are ordered by host and time, as ClickHouse's TSBS adapter has them.
"""
import glob
import importlib.util
import os
import random
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

FIELDS = ("usage_user usage_system usage_idle usage_nice usage_iowait usage_irq usage_softirq usage_steal usage_guest "
          "usage_guest_nice").split()
TAGS = "hostname region datacenter rack os arch team service service_version service_environment".split()
START = 1451606400


def stamp(second):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


class Dialect:
    """How a peer writes buckets of time, instants, the last row of each host, and sums up."""
    mean = "avg"

    def minute(self):
        raise NotImplementedError

    def hour(self):
        raise NotImplementedError

    def instant(self, second):
        return f"'{stamp(second)}'"

    def last_rows(self):
        raise NotImplementedError

    def buckets(self, bucket, what, where, by="", order="", limit=""):
        group = f"GROUP BY t{', ' + by if by else ''}"
        return (f"SELECT {bucket} AS t{', ' + by if by else ''}, {what} FROM cpu WHERE {where} {group} "
                f"ORDER BY t{order}{', ' + by if by else ''}{limit}")


class ClickHouseDialect(Dialect):
    def minute(self):
        return "toStartOfMinute(time)"

    def hour(self):
        return "toStartOfHour(time)"

    def instant(self, second):
        return f"toDateTime('{stamp(second)}', 'UTC')"

    def last_rows(self):
        return "SELECT * FROM cpu WHERE (hostname, time) IN (SELECT hostname, max(time) FROM cpu GROUP BY hostname)"


class DuckDialect(Dialect):
    def minute(self):
        return "date_trunc('minute', time)"

    def hour(self):
        return "date_trunc('hour', time)"

    def last_rows(self):
        return ("SELECT cpu.* FROM cpu JOIN (SELECT hostname, max(time) AS time FROM cpu GROUP BY hostname) AS l USING "
                "(hostname, time)")


class PostgresDialect(DuckDialect):
    def last_rows(self):
        """An index probe for each host, as TimescaleDB's TSBS adapter asks."""
        return ("SELECT l.* FROM hosts h, LATERAL (SELECT * FROM cpu c WHERE c.hostname = h.hostname ORDER BY time DESC LIMIT 1) l "
                "ORDER BY h.hostname")


class NiloDialect(Dialect):
    def minute(self):
        return "time_bucket('1 minute', time)"

    def hour(self):
        return "time_bucket('1 hour', time)"

    def last_rows(self):
        return "SELECT * FROM cpu LATEST ON time PARTITION BY hostname"


def queries(dialect, rng, day_seconds):
    """The same 15 questions, with the same windows and hosts, as bench/run's tsbs_queries draws them."""
    def window(hours):
        seconds = min(int(hours * 3600), day_seconds - 600)
        start = START + rng.randrange(0, day_seconds - seconds)
        return f"time >= {dialect.instant(start)} AND time < {dialect.instant(start + seconds)}"

    def hosts(count):
        return "hostname IN (" + ", ".join(f"'host_{h}'" for h in rng.sample(range(100), count)) + ")"

    def aggregates(function, count):
        return ", ".join(f"{function}({f})" for f in FIELDS[:count])

    def single(fields, count, hours):
        where = hosts(count)
        return dialect.buckets(dialect.minute(), aggregates("max", fields), f"{where} AND {window(hours)}")

    def all_hosts(count):
        where = hosts(count)
        return dialect.buckets(dialect.hour(), aggregates("max", 10), f"{where} AND {window(8)}")

    def double(fields):
        return dialect.buckets(dialect.hour(), aggregates(dialect.mean, fields), window(12), "hostname")

    def high(where):
        return f"SELECT * FROM cpu WHERE usage_user > 90.0 AND {where}{window(12)}"

    end = START + rng.randrange(day_seconds // 2, day_seconds)
    return [
        ("single-groupby-1-1-1", single(1, 1, 1)), ("single-groupby-1-1-12", single(1, 1, 12)),
        ("single-groupby-1-8-1", single(1, 8, 1)), ("single-groupby-5-1-1", single(5, 1, 1)),
        ("single-groupby-5-1-12", single(5, 1, 12)), ("single-groupby-5-8-1", single(5, 8, 1)),
        ("cpu-max-all-1", all_hosts(1)), ("cpu-max-all-8", all_hosts(8)),
        ("double-groupby-1", double(1)), ("double-groupby-5", double(5)), ("double-groupby-all", double(10)),
        ("high-cpu-1", high(hosts(1) + " AND ")), ("high-cpu-all", high("")),
        ("lastpoint", dialect.last_rows()),
        ("groupby-orderby-limit", dialect.buckets(dialect.minute(), "max(usage_user)", f"time < {dialect.instant(end)}",
                                                  order=" DESC", limit=" LIMIT 5")),
    ]


def parse_line(line):
    """Tags, fields and seconds of a line of the cpu set (no escapes in it)."""
    tags, fields, at = line.split(" ")
    tag_values = [pair.split("=")[1] for pair in tags.split(",")[1:]]
    field_values = [pair.split("=")[1].rstrip("i") for pair in fields.split(",")]
    return tag_values, field_values, int(at) // 1000000000


def to_csv(dump, path, integers_of_time):
    """Line protocol as CSV: time, tags, fields."""
    with open(dump) as lines, open(path, "w") as out:
        for line in lines:
            tags, fields, second = parse_line(line.rstrip("\n"))
            out.write(",".join([str(second) if integers_of_time else stamp(second), *tags, *fields]) + "\n")


class ClickHouse:
    name = "clickhouse"
    dialect = ClickHouseDialect()
    in_process = False

    def __init__(self, folder, port):
        self.folder, self.port, self.process = folder, port, None

    @staticmethod
    def available():
        return shutil.which("clickhouse-server")

    def start(self):
        os.makedirs(os.path.join(self.folder, "data"), exist_ok=True)
        with open(os.path.join(self.folder, "config.xml"), "w") as file:
            file.write(f"""<yandex><logger><level>warning</level><log>{self.folder}/log</log><errorlog>{self.folder}/errors</errorlog></logger>
<http_port>{self.port}</http_port><tcp_port>{self.port + 1}</tcp_port><interserver_http_port>{self.port + 2}</interserver_http_port>
<listen_host>127.0.0.1</listen_host><path>{self.folder}/data/</path><tmp_path>{self.folder}/tmp/</tmp_path>
<mark_cache_size>5368709120</mark_cache_size><timezone>UTC</timezone><users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database></yandex>""")
        with open(os.path.join(self.folder, "users.xml"), "w") as file:
            file.write("""<yandex><profiles><default><max_memory_usage>8000000000</max_memory_usage></default></profiles><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users><quotas><default></default></quotas></yandex>""")
        log = open(os.path.join(self.folder, "out"), "ab")
        self.process = subprocess.Popen([shutil.which("clickhouse-server"), f"--config-file={self.folder}/config.xml"], stdout=log,
                                        stderr=log, cwd=self.folder)
        log.close()
        wait_for(lambda: self.ask("SELECT 1"), self.process)

    def request(self, text, body=None):
        target = f"http://127.0.0.1:{self.port}/?" + urllib.parse.urlencode({"query": text})
        return urllib.request.urlopen(urllib.request.Request(target, data=body if body is not None else b""), timeout=600).read()

    def ask(self, text):
        return len(self.request(text + " FORMAT JSONCompact" if text.startswith("SELECT") else text))

    def load(self, dump, floats):
        kind = "Float64" if floats else "Int64"
        self.request("CREATE TABLE cpu (time DateTime, " + ", ".join(f"{t} String" for t in TAGS) + ", "
                     + ", ".join(f"{f} {kind}" for f in FIELDS)
                     + ") ENGINE = MergeTree PARTITION BY toYYYYMM(time) ORDER BY (hostname, time)")
        path = os.path.join(self.folder, "cpu.csv")
        to_csv(dump, path, True)
        with open(path, "rb") as file:
            self.request("INSERT INTO cpu FORMAT CSV", file.read())
        self.request("OPTIMIZE TABLE cpu FINAL")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)


class DuckDB:
    name = "duckdb"
    dialect = DuckDialect()
    in_process = True

    def __init__(self, folder, port):
        self.folder, self.connection = folder, None

    @staticmethod
    def available():
        return importlib.util.find_spec("duckdb") is not None and importlib.util.find_spec("numpy") is not None

    def start(self):
        import duckdb
        self.connection = duckdb.connect(os.path.join(self.folder, "db"))
        self.connection.execute("SET threads = 2")

    def ask(self, text):
        """The answer as columns, as a program takes it."""
        columns = self.connection.execute(text).fetchnumpy()
        return sum(len(c) for c in columns.values())

    def run(self, text):
        """A statement without an answer."""
        self.connection.execute(text)

    def load(self, dump, floats):
        kind = "DOUBLE" if floats else "BIGINT"
        path = os.path.join(self.folder, "cpu.csv")
        to_csv(dump, path, False)
        self.connection.execute("CREATE TABLE cpu (time TIMESTAMP, " + ", ".join(f"{t} VARCHAR" for t in TAGS) + ", "
                                + ", ".join(f"{f} {kind}" for f in FIELDS) + ")")
        self.connection.execute(f"INSERT INTO cpu SELECT * FROM read_csv('{path}', header = false, columns = {{"
                                + ", ".join(["'time': 'TIMESTAMP'"] + [f"'{t}': 'VARCHAR'" for t in TAGS]
                                            + [f"'{f}': '{kind}'" for f in FIELDS]) + "}) ORDER BY hostname, time")
        self.connection.execute("CHECKPOINT")

    def stop(self):
        if self.connection:
            self.connection.close()


class PostgreSQL:
    name = "postgresql"
    dialect = PostgresDialect()
    in_process = False

    def __init__(self, folder, port):
        self.folder, self.port, self.process, self.connection = folder, port, None, None
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self.programs = found[-1] if found else None

    @staticmethod
    def available():
        return importlib.util.find_spec("psycopg2") is not None and glob.glob("/usr/lib/postgresql/*/bin/postgres")

    def start(self):
        """As the user postgres where we are root, whom the server refuses."""
        import psycopg2
        data = os.path.join(self.folder, "data")
        before = []
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            os.chmod(os.path.dirname(self.folder), 0o755)
            before = ["runuser", "-u", "postgres", "--"]
        subprocess.run([*before, self.programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust"], check=True,
                       stdout=subprocess.DEVNULL)
        log = open(os.path.join(self.folder, "out"), "ab")
        self.process = subprocess.Popen([*before, self.programs + "/postgres", "-D", data, "-p", str(self.port), "-c",
                                         "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "timezone=UTC", "-c",
                                         "shared_buffers=1GB"], stdout=log, stderr=log, cwd="/")
        log.close()

        def connect():
            try:
                self.connection = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres")
            except psycopg2.OperationalError as failure:
                raise OSError from failure
        wait_for(connect, self.process)
        self.connection.autocommit = True

    def ask(self, text):
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return len(cursor.fetchall())

    def run(self, text):
        """A statement without an answer."""
        with self.connection.cursor() as cursor:
            cursor.execute(text)

    def load(self, dump, floats):
        kind = "double precision" if floats else "bigint"
        path = os.path.join(self.folder, "cpu.csv")
        to_csv(dump, path, False)
        with self.connection.cursor() as cursor, open(path) as file:
            cursor.execute("CREATE TABLE cpu (time timestamp, " + ", ".join(f"{t} text" for t in TAGS) + ", "
                           + ", ".join(f"{f} {kind}" for f in FIELDS) + ")")
            cursor.copy_expert("COPY cpu FROM STDIN CSV", file)
            cursor.execute("CREATE INDEX ON cpu (hostname, time DESC)")
            cursor.execute("CREATE INDEX ON cpu (time DESC)")
            cursor.execute("CREATE TABLE hosts AS SELECT DISTINCT hostname FROM cpu")
            cursor.execute("VACUUM ANALYZE")

    def stop(self):
        if self.connection:
            self.connection.close()
        if self.process:
            self.process.terminate()
            self.process.wait(60)


PEERS = [ClickHouse, DuckDB, PostgreSQL]


def wait_for(probe, process):
    started = time.monotonic()
    while True:
        try:
            return probe()
        except (OSError, urllib.error.URLError):
            if process.poll() is not None or time.monotonic() - started > 120:
                raise RuntimeError("did not start") from None
            time.sleep(0.05)


def medians(peer, day_seconds, runs):
    """ms by query, medians over the same windows as the others get."""
    times = {}
    for run in range(runs):
        for name, text in queries(peer.dialect, random.Random(run), day_seconds):
            started = time.perf_counter()
            peer.ask(text)
            times.setdefault(name, []).append((time.perf_counter() - started) * 1e3)
    return {name: sorted(values)[len(values) // 2] for name, values in times.items()}
