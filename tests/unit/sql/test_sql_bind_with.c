/* WITH, RECURSIVE among it, bound, optimized or not, and run. Answers and errors are PostgreSQL
 * 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"with x as (select a from t) select count(*) from x, x y", "16", 0, NULL},
    {"with recursive r(n) as (values (1) union all select n + 1 from r where n < 5) select * "
     "from r",
     "1;2;3;4;5", 0, NULL},
    {"with recursive r as (select id, parent, name from e where id = 1 union select e.id, "
     "e.parent, e.name from e join r on e.parent = r.id) select * from r order by id",
     "1|~|root;2|1|c1;3|1|c2;4|2|g1", 0, NULL},
    {"with a as (select 1 as x), b as (select x + 1 as y from a) select * from a, b", "1|2", 0,
     NULL},
    {"with a(p, q) as (select a, b from t) select q, p from a order by p", "a|1;b|2;a|3;~|4", 0,
     NULL},
    {"with a(p, q, r, s) as (select a, b from t) select * from a", NULL, ERR_COLUMN_REFERENCE,
     "WITH query \"a\" has 2 columns available but 4 columns specified"},
    {"with a as (select 1), a as (select 2) select * from a", NULL, ERR_DUPLICATE_ALIAS,
     "WITH query name \"a\" specified more than once"},
    {"with recursive f(a, b) as (select 0::bigint, 1::bigint union all select b, a + b from f "
     "where b < 100) select a from f",
     "0;1;1;2;3;5;8;13;21;34;55;89", 0, NULL},
    {"with recursive x(n) as (select 1 union select n % 3 + 1 from x) select * from x order "
     "by 1",
     "1;2;3", 0, NULL},
    {"with recursive x(n) as (select 1) select * from x", "1", 0, NULL},
    {"with recursive x(n) as (select n from x) select * from x", NULL, ERR_RECURSION,
     "recursive query \"x\" does not have the form non-recursive-term UNION [ALL] "
     "recursive-term"},
    {"with recursive x(n) as (select n from x union select 1) select * from x", NULL, ERR_RECURSION,
     "recursive reference to query \"x\" must not appear within its non-recursive term"},
    {"with w as (select b, sum(a) s from t group by b) select w1.b, w2.s from w w1 join w w2 "
     "on w1.b = w2.b order by 1",
     "a|4;b|2", 0, NULL},
    {"with w as (select * from t), v as (select * from w where a > 1), x as (select * from v "
     "where a < 4) select a from x order by a",
     "2;3", 0, NULL},
    {"with w as (select a from t) select (select max(a) from w), (select min(a) from w)", "4|1", 0,
     NULL},
    {"with recursive c(id, path) as (select id, name from e where parent is null union all "
     "select e.id, c.path || '/' || e.name from e join c on e.parent = c.id) select path from "
     "c order by path",
     "root;root/c1;root/c1/g1;root/c2", 0, NULL},
    {"with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) select a.i, "
     "b.i from n a, n b order by 1, 2",
     "1|1;1|2;1|3;2|1;2|2;2|3;3|1;3|2;3|3", 0, NULL},
    {"with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select "
     "sum(i), count(*) from n",
     "5050|100", 0, NULL},
    {"with recursive n(i) as (select 1 union all select i + 1.5::float8 from n where i < 3) "
     "select * from n",
     NULL, ERR_TYPE_CONFLICT,
     "recursive query \"n\" column 1 has type integer in non-recursive term but type double "
     "precision overall"},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
