/* GROUP BY, its sets, aggregates, bound, optimized or not, and run. Answers and errors are
 * PostgreSQL 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"select b, count(*), sum(c), max(a) from t group by b order by b",
     "a|2|1.5|3;b|1|2.5|2;~|1|4|4", 0, NULL},
    {"select b, count(*) from t group by 1 having count(*) > 1", "a|2", 0, NULL},
    {"select b, a from t group by b", NULL, ERR_GROUPING,
     "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"select grouping(b), b, count(*) from t group by rollup(b) order by 1, 2",
     "0|a|2;0|b|1;0|~|1;1|~|4", 0, NULL},
    {"select count(*), count(a), count(distinct b), max(c) from t", "4|4|2|4", 0, NULL},
    {"select sum(a) filter (where b = 'a'), count(*) filter (where c is null) from t", "4|1", 0,
     NULL},
    {"select a from t where sum(a) > 1", NULL, ERR_GROUPING,
     "aggregate functions are not allowed in WHERE"},
    {"select sum(sum(a)) from t", NULL, ERR_GROUPING, "aggregate function calls cannot be nested"},
    {"select b from t group by sum(a)", NULL, ERR_GROUPING,
     "aggregate functions are not allowed in GROUP BY"},
    {"select b, c from t group by b", NULL, ERR_GROUPING,
     "column \"t.c\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"select b, sum(a) from t group by b having c > 1", NULL, ERR_GROUPING,
     "column \"t.c\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"select sum(a) from t having sum(a) > 100", "", 0, NULL},
    {"select b, max(a) from t group by b order by max(a)", "b|2;a|3;~|4", 0, NULL},
    {"select b as k, max(a) from t group by k order by k", "a|3;b|2;~|4", 0, NULL},
    {"select a % 2 = 0 as even, count(*) from t group by 1 order by 1", "false|2;true|2", 0, NULL},
    {"select a % 2 + 1 as m, count(*) from t group by a % 2 order by 1", "1|2;2|2", 0, NULL},
    {"select a % 2, b, count(*), grouping(a % 2, b) from t group by cube (a % 2, b) order by "
     "1, 2, 4",
     "0|b|1|0;0|~|1|0;0|~|2|1;1|a|2|0;1|~|2|1;~|a|2|2;~|b|1|2;~|~|1|2;~|~|4|3", 0, NULL},
    {"select a % 2, b, count(*) from t group by rollup (a % 2, b) order by 1, 2, 3",
     "0|b|1;0|~|1;0|~|2;1|a|2;1|~|2;~|~|4", 0, NULL},
    {"select b, count(*) from t group by b, rollup (c) order by 1, 2",
     "a|1;a|1;a|2;b|1;b|1;~|1;~|1", 0, NULL},
    {"select b from t group by ()", NULL, ERR_GROUPING,
     "column \"t.b\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"select count(*) from t group by ()", "4", 0, NULL},
    {"select 1 from t group by ()", "1", 0, NULL},
    {"select string_agg(b, ',' order by a desc) from t", "a,b,a", 0, NULL},
    {"select string_agg(distinct b, ',' order by b) from t", "a,b", 0, NULL},
    {"select string_agg(distinct b, ',' order by a) from t", NULL, ERR_COLUMN_REFERENCE,
     "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"},
    {"select percentile_cont(0.5) within group (order by a) from t", "2.5", 0, NULL},
    {"select percentile_cont(0.25) within group (order by a desc) from t", "3.25", 0, NULL},
    {"select percentile_disc(0.5) within group (order by a desc), percentile_disc(0.25) "
     "within group (order by a desc) from t",
     "3|4", 0, NULL},
    {"select mode() within group (order by b) from t", "a", 0, NULL},
    {"select count(t) from t left join u on t.a = u.a", "5", 0, NULL},
    {"select count(u) from t left join u on t.a = u.a", "3", 0, NULL},
    {"select count(*) from t, u, e", "64", 0, NULL},
    {"select 1 from t having true", "1", 0, NULL},
    {"select count(*) from e a left join e b on b.parent = a.id left join e c on c.parent = "
     "b.id",
     "5", 0, NULL},
    {"select a.name, count(b.id) from e a left join e b on b.parent = a.id group by a.name "
     "order by 2 desc, 1",
     "root|2;c1|1;c2|0;g1|0", 0, NULL},
    {"select sum(a) * 2 + count(*) from t", "24", 0, NULL},
    {"select b || '!' as k, sum(a) from t where b is not null group by b || '!' order by 1",
     "a!|4;b!|2", 0, NULL},
    {"select upper(b), count(*) from t group by upper(b) order by 1", "A|2;B|1;~|1", 0, NULL},
    {"select a from t group by a order by -a", "4;3;2;1", 0, NULL},
    {"select max(x) from (values (1.5::float8), (null)) v(x)", "1.5", 0, NULL},
    {"select sum(a) from t group by b having b = 'a' or max(a) > 3 order by 1", "4;4", 0, NULL},
    {"select sum(case when b = 'a' then a end) from t", "4", 0, NULL},
    {"select count(distinct b), count(distinct a % 2) from t", "2|2", 0, NULL},
    {"select min(b), max(b) from t", "a|b", 0, NULL},
    {"select count(*) from t where b like 'a%' or b ilike 'B'", "3", 0, NULL},
    {"select b from t group by b order by count(*) desc, b limit 1", "a", 0, NULL},
    {"select sum(a), b from t group by 2 order by 2", "4|a;2|b;4|~", 0, NULL},
    {"select b, count(*) filter (where a > 1) as n from t group by b having count(*) filter "
     "(where a > 1) > 0 order by b",
     "a|1;b|1;~|1", 0, NULL},
    {"select grouping(a) from t", NULL, ERR_GROUPING,
     "arguments to GROUPING must be grouping expressions of the associated query level"},
    {"select b, grouping(c) from t group by b", NULL, ERR_GROUPING,
     "arguments to GROUPING must be grouping expressions of the associated query level"},
    {"select a, b, sum(c) from t group by cube (a, b) having grouping(a, b) = 3", "~|~|8", 0, NULL},
    {"select coalesce(b, 'all'), sum(a) from t group by grouping sets ((b), ()) having "
     "grouping(b) = 1",
     "all|10", 0, NULL},
    {"select a from t group by nosuch", NULL, ERR_UNKNOWN_COLUMN,
     "column \"nosuch\" does not exist"},
    {"select count(*) from t group by b, 1", NULL, ERR_GROUPING,
     "aggregate functions are not allowed in GROUP BY"},
    {"select 1 from t order by sum(a)", "1", 0, NULL},
    {"select a, sum(a) from t", NULL, ERR_GROUPING,
     "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function"},
    {"select sum(a) from t order by b", NULL, ERR_GROUPING,
     "column \"t.b\" must appear in the GROUP BY clause or be used in an aggregate function"},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
