/* SELECT: clauses, joins, set operations, WITH, windows. What is read and how it is printed. */
#include "sql_parse.h"

static const struct good rows[] = {
    {"SELECT a, b AS c, d e, \"F\"\"g\" FROM t x WHERE a = 1 AND b <> 'it''s' OR NOT c",
     "SELECT a, b AS c, d AS e, \"F\"\"g\" FROM t AS x WHERE a = 1 AND b <> 'it''s' OR NOT c"},
    {"SELECT * FROM a, b CROSS JOIN c NATURAL LEFT JOIN d JOIN e USING (x, y) LEFT JOIN f ON f.a = "
     "e.a",
     "SELECT * FROM a, b CROSS JOIN c NATURAL LEFT JOIN d JOIN e USING (x, y) LEFT JOIN f ON f.a = "
     "e.a"},
    {"SELECT time, value, key, \"order\" FROM m ORDER BY time DESC NULLS LAST, value LIMIT 5 "
     "OFFSET 2",
     "SELECT time, value, \"key\", \"order\" FROM m ORDER BY time DESC NULLS LAST, value OFFSET 2 "
     "LIMIT 5"},
    {"SELECT first, last, row, values, interval, timestamp FROM t",
     "SELECT \"first\", \"last\", row, values, interval, timestamp FROM t"},
    {"SELECT left('abc', 2), right('x', 1), a AS select, b.from FROM t",
     "SELECT left('abc', 2), right('x', 1), a AS \"select\", b.\"from\" FROM t"},
    {"SELECT x BETWEEN 1 AND 2 AND y NOT BETWEEN SYMMETRIC 3 AND 4, a LIKE 'x%' ESCAPE '!', b NOT "
     "ILIKE 'c', c SIMILAR TO 'd', d ~ 'e', e !~* 'f', f IS NOT DISTINCT FROM g, g ISNULL, h "
     "NOTNULL, i IS UNKNOWN",
     "SELECT x BETWEEN 1 AND 2 AND y NOT BETWEEN SYMMETRIC 3 AND 4, a LIKE 'x%' ESCAPE '!', b NOT "
     "ILIKE 'c', c SIMILAR TO 'd', d ~ 'e', e !~* 'f', f IS NOT DISTINCT FROM g, g IS NULL, h IS "
     "NOT NULL, i IS UNKNOWN"},
    {"SELECT a = ANY (ARRAY[1]), a < ALL (SELECT 1), a LIKE ANY (b), a <> SOME (VALUES (1)), a ~ "
     "ANY (b), a NOT LIKE ALL (c)",
     "SELECT a = ANY (ARRAY[1]), a < ALL (SELECT 1), a LIKE ANY (b), a <> ANY (VALUES (1)), a ~ "
     "ANY (b), a NOT LIKE ALL (c)"},
    {"SELECT f(a => 1, b := 2), f(1, b => 2), count(*), count(DISTINCT a), string_agg(a, ',' ORDER "
     "BY b DESC), f(VARIADIC a), f(1, VARIADIC a), pg_catalog.now(), percentile_cont(0.5) WITHIN "
     "GROUP (ORDER BY x), sum(x) FILTER (WHERE y), lag(x) IGNORE NULLS OVER (PARTITION BY a ORDER "
     "BY b), first_value(x) RESPECT NULLS OVER w FROM t WINDOW w AS (ORDER BY x ROWS BETWEEN 1 "
     "PRECEDING AND CURRENT ROW EXCLUDE TIES), w2 AS (w RANGE UNBOUNDED PRECEDING)",
     "SELECT f(a => 1, b => 2), f(1, b => 2), count(*), count(DISTINCT a), string_agg(a, ',' ORDER "
     "BY b DESC), f(VARIADIC a), f(1, VARIADIC a), pg_catalog.now(), percentile_cont(0.5) WITHIN "
     "GROUP (ORDER BY x), sum(x) FILTER (WHERE y), lag(x) IGNORE NULLS OVER (PARTITION BY a ORDER "
     "BY b), first_value(x) OVER w FROM t WINDOW w AS (ORDER BY x ROWS BETWEEN 1 PRECEDING AND "
     "CURRENT ROW EXCLUDE TIES), w2 AS (w RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"},
    {"SELECT DISTINCT ON (a, b) a, b FROM t", "SELECT DISTINCT ON (a, b) a, b FROM t"},
    {"SELECT DISTINCT a FROM t GROUP BY a, (b, c), ROLLUP (a, (b, c)), CUBE (a), GROUPING SETS "
     "((), (a), a, ROLLUP (b), GROUPING SETS (c)) HAVING count(*) > 1",
     "SELECT DISTINCT a FROM t GROUP BY a, ROW(b, c), ROLLUP (a, ROW(b, c)), CUBE (a), GROUPING "
     "SETS ((), a, a, ROLLUP (b), GROUPING SETS (c)) HAVING count(*) > 1"},
    {"SELECT grouping(a) FROM t GROUP BY ALL", "SELECT \"grouping\"(a) FROM t GROUP BY ALL"},
    {"SELECT a FROM t GROUP BY ()", "SELECT a FROM t GROUP BY ()"},
    {"SELECT 1 UNION SELECT 2 UNION ALL SELECT 3 INTERSECT SELECT 4 EXCEPT (SELECT 5 ORDER BY 1 "
     "LIMIT 1) ORDER BY 1 FETCH FIRST 3 ROWS ONLY",
     "SELECT 1 UNION SELECT 2 UNION ALL (SELECT 3 INTERSECT SELECT 4) EXCEPT (SELECT 5 ORDER BY 1 "
     "LIMIT 1) ORDER BY 1 LIMIT 3"},
    {"(SELECT 1) UNION (SELECT 2 UNION SELECT 3)", "SELECT 1 UNION (SELECT 2 UNION SELECT 3)"},
    {"SELECT 1 FETCH NEXT ROW ONLY", "SELECT 1 LIMIT 1"},
    {"SELECT a FROM t ORDER BY a OFFSET 1 ROW FETCH FIRST 2 ROWS WITH TIES",
     "SELECT a FROM t ORDER BY a OFFSET 1 FETCH FIRST (2) ROWS WITH TIES"},
    {"SELECT a FROM t ORDER BY a FETCH FIRST ROW WITH TIES",
     "SELECT a FROM t ORDER BY a FETCH FIRST (1) ROWS WITH TIES"},
    {"SELECT 1 LIMIT ALL OFFSET 5", "SELECT 1 OFFSET 5"},
    {"VALUES (1, 'a'), (2, 'b') ORDER BY 1 LIMIT 1",
     "VALUES (1, 'a'), (2, 'b') ORDER BY 1 LIMIT 1"},
    {"TABLE t", "SELECT * FROM t"},
    {"TABLE s.t ORDER BY 1", "SELECT * FROM s.t ORDER BY 1"},
    {"WITH a AS (SELECT 1), b (x, y) AS MATERIALIZED (SELECT 2, 3), c AS NOT MATERIALIZED (VALUES "
     "(1)) SELECT * FROM a, b",
     "WITH a AS (SELECT 1), b (x, y) AS (SELECT 2, 3), c AS (VALUES (1)) SELECT * FROM a, b"},
    {"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT * FROM r",
     "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT * FROM "
     "r"},
    {"WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
     "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x"},
    {"WITH time AS (SELECT 1) SELECT * FROM time", "WITH time AS (SELECT 1) SELECT * FROM time"},
    {"SELECT * FROM (SELECT 1) AS x(a), LATERAL (SELECT x.a) y, LATERAL f(x.a) z, "
     "generate_series(1, 3) AS g(n), unnest(a, b) WITH ORDINALITY AS u(a, b, n), ROWS FROM (f(1), "
     "g(2)) WITH ORDINALITY r, json_to_recordset('[]') AS j(a int, b text), k('x') AS (a int)",
     "SELECT * FROM (SELECT 1) AS x (a), LATERAL (SELECT x.a) AS y, LATERAL f(x.a) AS z, "
     "generate_series(1, 3) AS g (n), unnest(a, b) WITH ORDINALITY AS u (a, b, n), ROWS FROM "
     "(f(1), g(2)) WITH ORDINALITY AS r, json_to_recordset('[]') AS j (a int, b text), k('x') AS "
     "(a int)"},
    {"SELECT * FROM (a JOIN b ON a.x = b.x) j, (VALUES (1, 2)) v(a, b), ((SELECT 1)) z",
     "SELECT * FROM (a JOIN b ON a.x = b.x) AS j, (VALUES (1, 2)) AS v (a, b), (SELECT 1) AS z"},
    {"SELECT * FROM a ASOF JOIN b ON a.k = b.k AND a.t >= b.t TOLERANCE interval '5 s' WHERE 1 = 1",
     "SELECT * FROM a ASOF JOIN b ON a.k = b.k AND a.t >= b.t TOLERANCE ('5 s'::interval) WHERE 1 "
     "= 1"},
    {"SELECT * FROM a x ASOF LEFT JOIN b y USING (k, t) JOIN c ON true",
     "SELECT * FROM a AS x ASOF LEFT JOIN b AS y USING (k, t) JOIN c ON true"},
    {"SELECT * FROM t FOR SYSTEM_TIME AS OF now() - interval '1 hour' AS x, u AS OF COMMIT 5, v AS "
     "OF timestamp '2020-01-01' w",
     "SELECT * FROM t FOR SYSTEM_TIME AS OF (now() - '1 hour'::interval) AS x, u FOR SYSTEM_TIME "
     "AS OF COMMIT (5), v FOR SYSTEM_TIME AS OF ('2020-01-01'::timestamp) AS w"},
    {"SELECT * FROM t WHERE a = 1 LATEST ON time PARTITION BY host, region ORDER BY 1",
     "SELECT * FROM t WHERE a = 1 LATEST ON (time) PARTITION BY host, region ORDER BY 1"},
    {"SELECT * FROM t latest WHERE latest.a = 1", "SELECT * FROM t AS latest WHERE latest.a = 1"},
    {"SELECT FROM t", "SELECT FROM t"},
    {"SELECT all FROM t", "SELECT FROM t"},
    {"SELECT a IS NULL AND b IS NOT TRUE OR c IS DISTINCT FROM d + 1",
     "SELECT a IS NULL AND b IS NOT TRUE OR c IS DISTINCT FROM d + 1"},
    {"SELECT a.b.c.d, a.*, s.t.* FROM s.t a", "SELECT a.b.c.d, a.*, s.t.* FROM s.t AS a"},
    {"SELECT * FROM t AS t(a, b) JOIN LATERAL (SELECT 1) x ON true",
     "SELECT * FROM t AS t (a, b) JOIN LATERAL (SELECT 1) AS x ON true"},
    {"SELECT x FROM t WHERE (a, b) > (1, 2) AND (SELECT 1) IS NULL",
     "SELECT x FROM t WHERE ROW(a, b) > ROW(1, 2) AND (SELECT 1) IS NULL"},
    {"SELECT time_bucket('1 hour', time) AS bucket, avg(value) FROM m WHERE time > now() - "
     "interval '1 day' GROUP BY bucket ORDER BY bucket",
     "SELECT time_bucket('1 hour', time) AS bucket, avg(value) FROM m WHERE time > now() - '1 "
     "day'::interval GROUP BY bucket ORDER BY bucket"},
};

static void reads_and_prints(void **state) {
  (void)state;
  check_good(rows, sizeof rows / sizeof *rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_prints)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
