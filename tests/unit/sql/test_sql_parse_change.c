/* INSERT, UPDATE, DELETE, COPY and definitions. What is read and how it is printed. */
#include "sql_parse.h"

static const struct good rows[] = {
    {"INSERT INTO t VALUES (1, DEFAULT, 'a'), (2, NULL, 'b')",
     "INSERT INTO t VALUES (1, DEFAULT, 'a'), (2, NULL, 'b')"},
    {"INSERT INTO s.t AS x (a, time) SELECT 1, 2 ON CONFLICT (a) DO UPDATE SET b = excluded.b, (c, "
     "d) = (1, 2) WHERE x.a > 1 RETURNING a, b AS c",
     "INSERT INTO s.t AS x (a, time) SELECT 1, 2 ON CONFLICT (a) DO UPDATE SET b = excluded.b, (c, "
     "d) = ROW(1, 2) WHERE x.a > 1 RETURNING a, b AS c"},
    {"INSERT INTO t DEFAULT VALUES RETURNING *", "INSERT INTO t DEFAULT VALUES RETURNING *"},
    {"INSERT INTO t (a) (SELECT 1) ON CONFLICT DO NOTHING",
     "INSERT INTO t (a) SELECT 1 ON CONFLICT DO NOTHING"},
    {"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
     "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"},
    {"UPDATE t x SET a = 1, (b, c) = (SELECT 1, 2), d = DEFAULT FROM u JOIN v ON u.a = v.a WHERE "
     "x.a = u.a RETURNING *",
     "UPDATE t AS x SET a = 1, (b, c) = (SELECT 1, 2), d = DEFAULT FROM u JOIN v ON u.a = v.a "
     "WHERE x.a = u.a RETURNING *"},
    {"WITH y AS (SELECT 1) UPDATE t SET a = 1", "WITH y AS (SELECT 1) UPDATE t SET a = 1"},
    {"DELETE FROM t AS x USING u, v WHERE x.a = u.a RETURNING a",
     "DELETE FROM t AS x USING u, v WHERE x.a = u.a RETURNING a"},
    {"DELETE FROM t", "DELETE FROM t"},
    {"WITH y AS (SELECT 1) DELETE FROM t USING y", "WITH y AS (SELECT 1) DELETE FROM t USING y"},
    {"CREATE DATABASE IF NOT EXISTS d WITH PRECISION s RETENTION '30d'",
     "CREATE DATABASE IF NOT EXISTS d WITH (\"precision\" 's', retention '30d')"},
    {"CREATE DATABASE d", "CREATE DATABASE d"},
    {"CREATE DATABASE d OWNER = me ENCODING 'UTF8'",
     "CREATE DATABASE d WITH (owner 'me', \"encoding\" 'UTF8')"},
    {"CREATE DATABASE d WITH (precision = s, retention = '30d')",
     "CREATE DATABASE d WITH (\"precision\" 's', retention '30d')"},
    {"CREATE SCHEMA IF NOT EXISTS d.s WITH (retention = interval '30 days')",
     "CREATE SCHEMA IF NOT EXISTS d.s WITH (retention '30 days'::interval)"},
    {"CREATE TABLE IF NOT EXISTS s.t (time timestamptz TIME KEY, host text TAG NOT NULL, v double "
     "precision FIELD CODEC zstd DECIMALS 2 DEFAULT 1.5, w bigint ERROR 0.5, x real RELATIVE ERROR "
     "1e-3, y int EXACT UNIQUE CHECK (y > 0), PRIMARY KEY (host, time), UNIQUE (v, w), CONSTRAINT "
     "c CHECK (v > 0)) WITH (time_unit = 'ms', retention = '30d', partition = interval '1 day', "
     "duplicates last, compress)",
     "CREATE TABLE IF NOT EXISTS s.t (time timestamptz TIME KEY, host text TAG NOT NULL, v double "
     "precision FIELD CODEC 'zstd' DECIMALS 2 DEFAULT (1.5), w bigint ERROR 0.5, x real RELATIVE "
     "ERROR 1e-3, y int EXACT UNIQUE CHECK (y > 0), PRIMARY KEY (host, time), UNIQUE (v, w), CHECK "
     "(v > 0)) WITH (time_unit 'ms', retention '30d', partition '1 day'::interval, duplicates "
     "'last', compress)"},
    {"CREATE TABLE t (a int PRIMARY KEY, b timestamp TIME KEY, c timestamp with time zone DEFAULT "
     "now() NOT NULL, d numeric(10, 2)[] NULL)",
     "CREATE TABLE t (a int PRIMARY KEY, b timestamp TIME KEY, c timestamp with time zone NOT NULL "
     "DEFAULT (now()), d numeric(10, 2)[])"},
    {"CREATE TEMP TABLE t AS SELECT 1 WITH NO DATA",
     "CREATE TEMPORARY TABLE t AS SELECT 1 WITH NO DATA"},
    {"CREATE TABLE t (a, b) WITH (x = 1) AS SELECT a::timestamp, 2 FROM f() WITH DATA",
     "CREATE TABLE t (a, b) WITH (x 1) AS SELECT a::timestamp, 2 FROM f()"},
    {"CREATE OR REPLACE VIEW v (a, b) AS SELECT 1, 2",
     "CREATE OR REPLACE VIEW v (a, b) AS SELECT 1, 2"},
    {"CREATE VIEW IF NOT EXISTS v AS WITH x AS (SELECT 1) SELECT * FROM x",
     "CREATE VIEW IF NOT EXISTS v AS WITH x AS (SELECT 1) SELECT * FROM x"},
    {"CREATE VIEW v AS (SELECT 1) UNION (SELECT 2)", "CREATE VIEW v AS SELECT 1 UNION SELECT 2"},
    {"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int TAG, DROP COLUMN IF EXISTS b CASCADE, ALTER "
     "COLUMN c SET (decimals = 2), ALTER d RESET (decimals), ALTER e TYPE text, ALTER e SET DATA "
     "TYPE numeric(3), ALTER f SET DEFAULT 1, ALTER f DROP DEFAULT, ALTER g SET NOT NULL, ALTER g "
     "DROP NOT NULL",
     "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int TAG, DROP COLUMN IF EXISTS b, ALTER COLUMN c "
     "SET (\"decimals\" 2), ALTER COLUMN d RESET (\"decimals\"), ALTER COLUMN e TYPE text, ALTER "
     "COLUMN e TYPE numeric(3), ALTER COLUMN f SET DEFAULT 1, ALTER COLUMN f DROP DEFAULT, ALTER "
     "COLUMN g SET NOT NULL, ALTER COLUMN g DROP NOT NULL"},
    {"ALTER TABLE IF EXISTS t RENAME COLUMN a TO b",
     "ALTER TABLE IF EXISTS t RENAME COLUMN a TO b"},
    {"ALTER TABLE t RENAME a TO b", "ALTER TABLE t RENAME COLUMN a TO b"},
    {"ALTER TABLE t RENAME TO u", "ALTER TABLE t RENAME TO u"},
    {"ALTER TABLE t SET (retention = '7d'), SET SCHEMA s, RESET (retention)",
     "ALTER TABLE t SET (retention '7d'), SET SCHEMA s, RESET (retention)"},
    {"ALTER DATABASE d RENAME TO e", "ALTER DATABASE d RENAME TO e"},
    {"ALTER SCHEMA s SET (retention = '1d')", "ALTER SCHEMA s SET (retention '1d')"},
    {"DROP TABLE IF EXISTS a, s.b CASCADE", "DROP TABLE IF EXISTS a, s.b CASCADE"},
    {"DROP VIEW v RESTRICT", "DROP VIEW v"},
    {"DROP DATABASE d", "DROP DATABASE d"},
    {"DROP SCHEMA s", "DROP SCHEMA s"},
    {"TRUNCATE TABLE a, b", "TRUNCATE a, b"},
    {"TRUNCATE a CASCADE", "TRUNCATE a CASCADE"},
    {"COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';', NULL '', FORCE_NOT_NULL "
     "(a, b), FORCE_QUOTE *) WHERE a > 1",
     "COPY t (a, b) FROM STDIN WITH (format 'csv', \"header\", \"delimiter\" ';', \"null\" '', "
     "force_not_null (a, b), force_quote *) WHERE a > 1"},
    {"COPY t TO STDOUT CSV HEADER DELIMITER AS ',' NULL 'x' QUOTE '\"' ESCAPE '\\' FORCE QUOTE a, "
     "b",
     "COPY t TO STDOUT WITH (format 'csv', \"header\", \"delimiter\" ',', \"null\" 'x', \"quote\" "
     "'\"', \"escape\" '\\', force_quote (a, b))"},
    {"COPY t FROM '/tmp/x.csv' WITH CSV FORCE NOT NULL a",
     "COPY t FROM '/tmp/x.csv' WITH (format 'csv', force_not_null 'a')"},
    {"COPY t TO '/tmp/x' BINARY", "COPY t TO '/tmp/x' WITH (format 'binary')"},
    {"COPY (SELECT 1) TO STDOUT (FORMAT 'csv', HEADER true)",
     "COPY (SELECT 1) TO STDOUT WITH (format 'csv', \"header\" true)"},
    {"COPY t FROM STDIN", "COPY t FROM STDIN"},
    {"COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS 'x'"},
    {"COMMENT ON COLUMN s.t.a IS NULL", "COMMENT ON COLUMN s.t.a IS NULL"},
};

static void reads_and_prints(void **state) {
  (void)state;
  check_good(rows, sizeof rows / sizeof *rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_prints)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
