/* Joins, bound, optimized or not, and run. Answers and errors are PostgreSQL 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"select t.a, u.d from t join u on t.a = u.a order by 1, 2", "1|x;2|y;2|z", 0, NULL},
    {"select t.a, u.d from t left join u on t.a = u.a order by 1, 2", "1|x;2|y;2|z;3|~;4|~", 0,
     NULL},
    {"select * from t join u using (a) order by 1, d", "1|a|1.5|x;2|b|2.5|y;2|b|2.5|z", 0, NULL},
    {"select * from t natural full join u order by a, d",
     "1|a|1.5|x;2|b|2.5|y;2|b|2.5|z;3|a|~|~;4|~|4|~;~|~|~|n", 0, NULL},
    {"select a.a, b.a from t a cross join t b where a.a < b.a order by 1, 2",
     "1|2;1|3;1|4;2|3;2|4;3|4", 0, NULL},
    {"select t.a, u.d from t right join u on t.a = u.a order by 2", "~|n;1|x;2|y;2|z", 0, NULL},
    {"select t.a, u.d from t full join u on t.a = u.a order by 1, 2", "1|x;2|y;2|z;3|~;4|~;~|n", 0,
     NULL},
    {"select t.a, u.d from t left join u on t.a = u.a and u.d <> 'y' order by 1, 2",
     "1|x;2|z;3|~;4|~", 0, NULL},
    {"select u.*, t.a from t, u where t.a = u.a order by 1, 2", "1|x|1;2|y|2;2|z|2", 0, NULL},
    {"select * from t, t", NULL, ERR_DUPLICATE_ALIAS, "table name \"t\" specified more than once"},
    {"select * from t a, t b where a.a = b.a and a.a = 1", "1|a|1.5|1|a|1.5", 0, NULL},
    {"select a from t, u", NULL, ERR_AMBIGUOUS_COLUMN, "column reference \"a\" is ambiguous"},
    {"select t.a from t join u on t.a = u.a and exists (select 1 from e where e.id = u.a) "
     "order by 1",
     "1;2;2", 0, NULL},
    {"select t.a, u.d from t left join u on t.a = u.a and u.d in (select 'y') order by 1, 2",
     "1|~;2|y;3|~;4|~", 0, NULL},
    {"select a.a, b.d, c.name from t a join u b using (a) join e c on c.id = a.a order by 1, 2",
     "1|x|root;2|y|c1;2|z|c1", 0, NULL},
    {"select * from (t join u using (a)) j order by j.a, j.d", "1|a|1.5|x;2|b|2.5|y;2|b|2.5|z", 0,
     NULL},
    {"select j.a from (t join u using (a)) as j(p, q) order by 1", NULL, ERR_UNKNOWN_COLUMN,
     "column j.a does not exist"},
    {"select * from t join u on t.a = u.a join e on e.id = u.a order by 1, 5",
     "1|a|1.5|1|x|1|~|root;2|b|2.5|2|y|2|1|c1;2|b|2.5|2|z|2|1|c1", 0, NULL},
    {"select e.name, p.name from e left join e p on e.parent = p.id order by 1",
     "c1|root;c2|root;g1|c1;root|~", 0, NULL},
    {"select * from t left join (select a as x, count(*) as n from u group by a) q on q.x = "
     "t.a order by t.a",
     "1|a|1.5|1|1;2|b|2.5|2|2;3|a|~|~|~;4|~|4|~|~", 0, NULL},
    {"select t.a, q.n from t, (select count(*) as n from u) q order by 1", "1|4;2|4;3|4;4|4", 0,
     NULL},
    {"select u.d from t, u where t.a = u.a and t.b = 'b' order by 1", "y;z", 0, NULL},
    {"select a.a from t a, t b, t c where a.a = b.a and b.a = c.a order by 1", "1;2;3;4", 0, NULL},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
