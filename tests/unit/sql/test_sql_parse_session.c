/* Settings, prepared statements, EXPLAIN, transactions. What is read and how it is printed. */
#include "sql_parse.h"

static const struct good rows[] = {
    {"SHOW all", "SHOW ALL"},
    {"SHOW tables", "SHOW tables"},
    {"SHOW columns FROM s.t", "SHOW columns FROM s.t"},
    {"SHOW CREATE TABLE t", "SHOW CREATE TABLE t"},
    {"SHOW TIME ZONE", "SHOW timezone"},
    {"SHOW TRANSACTION ISOLATION LEVEL", "SHOW transaction_isolation"},
    {"SHOW server_version", "SHOW server_version"},
    {"DESCRIBE t", "SHOW columns FROM t"},
    {"SET a = 1", "SET a TO 1"},
    {"SET a.b TO 'x', y", "SET a.b TO 'x', 'y'"},
    {"SET LOCAL statement_timeout TO DEFAULT", "SET LOCAL statement_timeout TO DEFAULT"},
    {"SET SESSION x = on", "SET x TO 'on'"},
    {"SET TIME ZONE 'UTC'", "SET timezone TO 'UTC'"},
    {"SET TIME ZONE LOCAL", "SET timezone TO DEFAULT"},
    {"SET TIME ZONE -3.5", "SET timezone TO -3.5"},
    {"SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
     "SET timezone TO INTERVAL '-08:00' hour to minute"},
    {"SET NAMES 'UTF8'", "SET client_encoding TO 'UTF8'"},
    {"SET search_path = a, b", "SET search_path TO 'a', 'b'"},
    {"SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
     "SET TRANSACTION ISOLATION LEVEL read committed, READ ONLY"},
    {"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "SET TRANSACTION READ WRITE"},
    {"RESET a", "RESET a"},
    {"RESET ALL", "RESET ALL"},
    {"RESET TIME ZONE", "RESET timezone"},
    {"PREPARE p (int, text) AS SELECT $1, $2", "PREPARE p (int, text) AS SELECT $1, $2"},
    {"PREPARE p AS INSERT INTO t VALUES ($1)", "PREPARE p AS INSERT INTO t VALUES ($1)"},
    {"EXECUTE p", "EXECUTE p"},
    {"EXECUTE p (1, 'a')", "EXECUTE p (1, 'a')"},
    {"DEALLOCATE p", "DEALLOCATE p"},
    {"DEALLOCATE PREPARE ALL", "DEALLOCATE ALL"},
    {"EXPLAIN SELECT 1", "EXPLAIN SELECT 1"},
    {"EXPLAIN ANALYZE VERBOSE SELECT 1", "EXPLAIN (\"analyze\", \"verbose\") SELECT 1"},
    {"EXPLAIN (ANALYZE, FORMAT json, VERBOSE off, COSTS true) SELECT 1",
     "EXPLAIN (\"analyze\", format 'json', \"verbose\" 'off', costs true) SELECT 1"},
    {"EXPLAIN (SELECT 1)", "EXPLAIN SELECT 1"},
    {"EXPLAIN INSERT INTO t VALUES (1)", "EXPLAIN INSERT INTO t VALUES (1)"},
    {"BEGIN", "BEGIN"},
    {"BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN ISOLATION LEVEL serializable"},
    {"START TRANSACTION READ ONLY, NOT DEFERRABLE", "BEGIN READ ONLY, NOT DEFERRABLE"},
    {"COMMIT WORK", "COMMIT"},
    {"END", "COMMIT"},
    {"ROLLBACK TRANSACTION", "ROLLBACK"},
    {"ABORT", "ROLLBACK"},
    {"DISCARD ALL", "DISCARD all"},
    {"USE d", "USE d"},
};

static void reads_and_prints(void **state) {
  (void)state;
  check_good(rows, sizeof rows / sizeof *rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_prints)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
