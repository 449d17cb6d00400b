/* LATERAL, functions in FROM and in the list, bound, optimized or not, and run. Answers and errors
 * are PostgreSQL 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"select t.a, l.d from t, lateral (select d from u where u.a = t.a) l order by 1,2",
     "1|x;2|y;2|z", 0, NULL},
    {"select t.a, l.n from t left join lateral (select count(*) as n from u where u.a = t.a) "
     "l on true order by 1",
     "1|1;2|2;3|0;4|0", 0, NULL},
    {"select t.a, l.d from t left join lateral (select d from u where u.a = t.a order by d "
     "desc limit 1) l on true order by 1",
     "1|x;2|z;3|~;4|~", 0, NULL},
    {"select t.a, l.d from t join lateral (select d from u where u.a = t.a order by d limit "
     "1) l on l.d <> 'x' order by 1",
     "2|y", 0, NULL},
    {"select x, y from t, unnest(array[1, 2], array['a']) as z(x, y) where a = 1 order by 1",
     "1|a;2|~", 0, NULL},
    {"select * from (select 1 as x) a join lateral (select a.x + 1 as y) b on true", "1|2", 0,
     NULL},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
