/* Subqueries, bound, optimized or not, and run. Answers and errors are PostgreSQL 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"select a, (select max(d) from u where u.a = t.a) from t order by a", "1|x;2|z;3|~;4|~", 0,
     NULL},
    {"select a from t where exists (select 1 from u where u.a = t.a) order by a", "1;2", 0, NULL},
    {"select a from t where a in (select a from u) order by a", "1;2", 0, NULL},
    {"select a from t where a not in (select a from u) order by a", "", 0, NULL},
    {"select a from t where a not in (select a from u where a is not null) order by a", "3;4", 0,
     NULL},
    {"select a, a in (select a from u) from t order by a", "1|true;2|true;3|~;4|~", 0, NULL},
    {"select x.a from t x where x.a = (select max(a) from t)", "4", 0, NULL},
    {"select a, (select count(*) from u where u.a = t.a) n from t order by n desc, a",
     "2|2;1|1;3|0;4|0", 0, NULL},
    {"select a, exists (select 1 from u where u.a = t.a) from t order by a",
     "1|true;2|true;3|false;4|false", 0, NULL},
    {"select a, not exists (select 1 from u where u.a = t.a) or b = 'a' from t order by a",
     "1|true;2|false;3|true;4|true", 0, NULL},
    {"select a, a not in (select a from u where a is not null) from t order by a",
     "1|false;2|false;3|true;4|true", 0, NULL},
    {"select a, a = any (select a from u) from t order by a", "1|true;2|true;3|~;4|~", 0, NULL},
    {"select a, a <> all (select a from u) from t order by a", "1|false;2|false;3|~;4|~", 0, NULL},
    {"select a, a > all (select a from u where a is not null) from t order by a",
     "1|false;2|false;3|true;4|true", 0, NULL},
    {"select a, a >= any (select a from u) from t order by a", "1|true;2|true;3|true;4|true", 0,
     NULL},
    {"select (select 1 where false)", "~", 0, NULL},
    {"select (select a from t)", NULL, ERR_CARDINALITY,
     "more than one row returned by a subquery used as an expression"},
    {"select (select a, b from t)", NULL, ERR_PARSE, "subquery must return only one column"},
    {"select a in (select a, d from u) from t", NULL, ERR_PARSE, "subquery has too many columns"},
    {"select (a, b) in (select a, d from u) from t order by a", "false;false;false;~", 0, NULL},
    {"select a from t where (a, b) = (select 1, 'a')", "1", 0, NULL},
    {"select a from t where (a, b) not in (select a, d from u where a is not null) order by a",
     "1;2;3;4", 0, NULL},
    {"select a from t order by a limit (select 2)", "1;2", 0, NULL},
    {"select a from t x where exists (select 1 from t y where y.a > x.a and exists (select 1 "
     "from t z where z.a > y.a and z.a > x.a + 1)) order by 1",
     "1;2", 0, NULL},
    {"select x.a, (select sum(y.a) from t y where y.a <= x.a) from t x order by 1",
     "1|1;2|3;3|6;4|10", 0, NULL},
    {"select b, (select count(*) from t y where y.b = x.b) from t x group by b order by b",
     "a|2;b|1;~|0", 0, NULL},
    {"select b, (select max(y.a) from t y where y.a < max(x.a)) from t x group by b order by b",
     "a|2;b|1;~|3", 0, NULL},
    {"select a, (select b from t y where y.a = x.a + 1) from t x order by a", "1|b;2|a;3|~;4|~", 0,
     NULL},
    {"select sum(a) from (select a from t order by a limit 2) x", "3", 0, NULL},
    {"select x.s from (select sum(a) as s from t) x", "10", 0, NULL},
    {"select 1 from (select count(*) from t) x", "1", 0, NULL},
    {"select count(*) from (select count(*) from t) x", "1", 0, NULL},
    {"select b, (select sum(x.a) from u limit 1) from t x group by b order by b", "a|4;b|2;~|4", 0,
     NULL},
    {"select name from e where id in (select parent from e) order by 1", "c1;root", 0, NULL},
    {"select name from e where id not in (select parent from e where parent is not null) "
     "order by 1",
     "c2;g1", 0, NULL},
    {"select name from e x where not exists (select 1 from e y where y.parent = x.id) order "
     "by 1",
     "c2;g1", 0, NULL},
    {"select name, (select count(*) from e y where y.parent = x.id) as kids from e x where "
     "(select count(*) from e y where y.parent = x.id) > 0 order by 1",
     "c1|1;root|2", 0, NULL},
    {"select (select sum(a) from t) - a from t order by 1", "6;7;8;9", 0, NULL},
    {"select * from (select 1 as x) a, (select 2 as y) b", "1|2", 0, NULL},
    {"select a, case when exists (select 1 from u where u.a = t.a) then 'yes' else 'no' end "
     "from t order by a",
     "1|yes;2|yes;3|no;4|no", 0, NULL},
    {"select a, coalesce((select min(d) from u where u.a = t.a), 'none') from t order by a",
     "1|x;2|y;3|none;4|none", 0, NULL},
    {"select a from t where (select count(*) from u) = 4 and a < 3 order by a", "1;2", 0, NULL},
    {"select a from t where not (a in (select a from u)) order by a", "", 0, NULL},
    {"select a from t where a = all (select 1)", "1", 0, NULL},
    {"select * from t where c = (select max(c) from t)", "4|~|4", 0, NULL},
    {"select x from (select a as x from t order by a desc limit 3) q order by x limit 2", "2;3", 0,
     NULL},
    {"select a, (select a) from t order by a", NULL, ERR_AMBIGUOUS_COLUMN,
     "ORDER BY \"a\" is ambiguous"},
    {"select a, (select b from (select t.b) q) from t order by a", "1|a;2|b;3|a;4|~", 0, NULL},
    {"select exists (select 1 from t where false), exists (select count(*) from t where false)",
     "false|true", 0, NULL},
    {"select (select a from u where u.a = x.a limit 1) from t x order by 1", "1;2;~;~", 0, NULL},
    {"select max((select max(a) from u)) from t", "2", 0, NULL},
    {"select a from t order by (select max(a) from u where u.a = t.a), a desc", "1;2;4;3", 0, NULL},
    {"select b, (select string_agg(d, ',' order by d) from u where u.a in (select a from t y "
     "where y.b = x.b)) from t x group by b order by 1",
     "a|x;b|y,z;~|~", 0, NULL},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
