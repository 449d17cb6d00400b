/* Expressions: operators, literals, calls, types. What is read and how it is printed. */
#include "sql_parse.h"

static const struct good rows[] = {
    {"SELECT 1", "SELECT 1"},
    {"SELECT date '2020-01-01', interval '1' day, interval '1 day', timestamp with time zone "
     "'2020-01-01', timestamp(3) '2020-01-01', double precision '1.5', numeric(5,2) '1.5', int "
     "'5', time '12:00', interval '1-2' year to month, interval(3) '1'",
     "SELECT '2020-01-01'::date, '1'::interval day, '1 day'::interval, '2020-01-01'::timestamp "
     "with time zone, '2020-01-01'::timestamp(3), '1.5'::double precision, '1.5'::numeric(5, 2), "
     "'5'::int, '12:00'::time, '1-2'::interval year to month, '1'::interval(3)"},
    {"SELECT a::int, b::numeric(10,2)[], c::timestamp with time zone, d::double precision, "
     "e::interval day to second, CAST(x AS character varying(10)), y::pg_catalog.regclass, "
     "z::text[][]",
     "SELECT a::int, b::numeric(10, 2)[], c::timestamp with time zone, d::double precision, "
     "e::interval day to second, x::varchar(10), y::regclass, z::text[][]"},
    {"SELECT (1, 2) = (3, 4), ROW(1), ROW(), (a, b) IN (SELECT 1, 2), a NOT IN (1, 2, 3), EXISTS "
     "(SELECT 1), ARRAY[1, 2], ARRAY[[1,2],[3,4]], ARRAY(SELECT 1), ARRAY[]::int[]",
     "SELECT ROW(1, 2) = ROW(3, 4), ROW(1), ROW(), ROW(a, b) IN (SELECT 1, 2), a NOT IN (1, 2, 3), "
     "EXISTS (SELECT 1), ARRAY[1, 2], ARRAY[ARRAY[1, 2], ARRAY[3, 4]], ARRAY(SELECT 1), "
     "ARRAY[]::int[]"},
    {"SELECT a[1], a[1:2], a[:2], a[1:], a[:], (f(x)).y, (r).a.b, a[1].b, (SELECT 1), ((SELECT "
     "1)), (SELECT 1) + 1",
     "SELECT a[1], a[1 : 2], a[ : 2], a[1 : ], a[ : ], (f(x)).y, ((r).a).b, (a[1]).b, (SELECT 1), "
     "(SELECT 1), (SELECT 1) + 1"},
    {"SELECT x AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin', a COLLATE \"C\", a || b COLLATE "
     "pg_catalog.\"default\", a OPERATOR(pg_catalog.~) 'x', a OPERATOR(pg_catalog.+) b",
     "SELECT timezone('Europe/Berlin', timezone('UTC', x)), a COLLATE \"C\", a || b COLLATE "
     "pg_catalog.\"default\", a ~ 'x', a + b"},
    {"SELECT extract(year FROM t), EXTRACT('epoch' FROM t), substring(a FROM 1 FOR 2), substring(a "
     "FOR 2), substring(a, 1, 2), substring(a SIMILAR 'x' ESCAPE '#'), position('a' IN b), "
     "overlay(a PLACING b FROM 1), overlay(a PLACING b FROM 1 FOR 2), trim(a), trim(both 'x' FROM "
     "a), trim(leading FROM a), trim('x' from a), current_date, current_timestamp(3), localtime, "
     "current_user, user, current_schema, current_schema()",
     "SELECT \"extract\"('year', t), \"extract\"('epoch', t), \"substring\"(a, 1, 2), "
     "\"substring\"(a, 1, 2), \"substring\"(a, 1, 2), \"substring\"(a, 'x', '#'), \"position\"(b, "
     "'a'), \"overlay\"(a, b, 1), \"overlay\"(a, b, 1, 2), btrim(a), btrim(a, 'x'), ltrim(a), "
     "btrim(a, 'x'), current_date, current_timestamp(3), localtime, current_user, user, "
     "current_schema, current_schema"},
    {"SELECT sum(x) OVER (), sum(x) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED "
     "FOLLOWING), sum(x) OVER (ORDER BY t RANGE BETWEEN interval '1' day PRECEDING AND interval '1 "
     "hour' FOLLOWING EXCLUDE CURRENT ROW), sum(x) OVER (GROUPS 2 PRECEDING EXCLUDE GROUP)",
     "SELECT sum(x) OVER (), sum(x) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED "
     "FOLLOWING), sum(x) OVER (ORDER BY t RANGE BETWEEN ('1'::interval day) PRECEDING AND ('1 "
     "hour'::interval) FOLLOWING EXCLUDE CURRENT ROW), sum(x) OVER (GROUPS BETWEEN 2 PRECEDING AND "
     "CURRENT ROW EXCLUDE GROUP)"},
    {"SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' END",
     "SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' END"},
    {"SELECT $1, $2::int, -1, - 1, -(-1), -a, +a, @ -5, 1 - -1, 2 ^ -3, !! 5",
     "SELECT $1, $2::int, -1, -1, 1, - a, + a, @ -5, 1 - -1, 2 ^ -3, !! 5"},
    {"SELECT 'a' AS b", "SELECT 'a' AS b"},
    {"SELECT E'a\\nb\\u0041\\x41\\101''x', U&'d\\0061t\\+000061', U&'d!0061' UESCAPE '!', $$raw "
     "'x'$$, $t$a $$ b$t$, x'1F', U&\"d\\0061ta\", n'abc'",
     "SELECT 'a\nbAAA''x', 'data', 'da', 'raw ''x''', 'a $$ b', '\\x1F'::bytea, \"data\", 'abc'"},
    {"((SELECT 1))", "SELECT 1"},
    {"SELECT /* nested /* comment */ here */ 1 -- end", "SELECT 1"},
    {"SELECT (date '2001-02-16', date '2001-12-21') OVERLAPS (date '2001-10-30', date "
     "'2002-10-30')",
     "SELECT overlaps('2001-02-16'::date, '2001-12-21'::date, '2001-10-30'::date, "
     "'2002-10-30'::date)"},
    {"SELECT a->'b'->>'c', a #> '{a}', a @> b, a ? 'k', a ?| b, a && b, a << 1, a & b, a | b, a # "
     "b, ~a, |/ 25, a % 2",
     "SELECT a -> 'b' ->> 'c', a #> '{a}', a @> b, a ? 'k', a ?| b, a && b, a << 1, a & b, a | b, "
     "a # b, ~ a, |/ 25, a % 2"},
    {"SELECT 1.5, .5, 5., 1e10, 1.5e-3", "SELECT 1.5, .5, 5., 1e10, 1.5e-3"},
    {"SELECT 1;; SELECT 2;", "SELECT 1; SELECT 2"},
    {"SELECT interval '1' day AS d", "SELECT '1'::interval day AS d"},
    {"SELECT not a in (1) , not (a like b), not exists (select 1)",
     "SELECT NOT a IN (1), NOT a LIKE b, NOT EXISTS (SELECT 1)"},
};

static void reads_and_prints(void **state) {
  (void)state;
  check_good(rows, sizeof rows / sizeof *rows);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_prints)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
