/* UNION, INTERSECT, EXCEPT, VALUES, bound, optimized or not, and run. Answers and errors are
 * PostgreSQL 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"select a from t union select a from u order by 1", "1;2;3;4;~", 0, NULL},
    {"select a from t intersect select a from u order by 1", "1;2", 0, NULL},
    {"values (1, 'a'), (2, 'b')", "1|a;2|b", 0, NULL},
    {"select a from t union all select a from u order by a nulls first", "~;1;1;2;2;2;3;4", 0,
     NULL},
    {"select a from t except select a from u order by 1", "3;4", 0, NULL},
    {"select a from t except all select a from u order by 1", "3;4", 0, NULL},
    {"select a from u intersect all select a from u order by 1", "1;2;2;~", 0, NULL},
    {"select a, b from t union select a from u", NULL, ERR_PARSE,
     "each UNION query must have the same number of columns"},
    {"select a from t union select d from u", NULL, ERR_TYPE_CONFLICT,
     "UNION types integer and text cannot be matched"},
    {"select 1 union select 2.5::float8 order by 1", "1;2.5", 0, NULL},
    {"select null union select 1 order by 1", "1;~", 0, NULL},
    {"select 'a' union select 'b' order by 1", "a;b", 0, NULL},
    {"select '1' union select 2 order by 1", "1;2", 0, NULL},
    {"select a from t union select a from u order by a + 1", NULL, ERR_UNSUPPORTED,
     "invalid UNION/INTERSECT/EXCEPT ORDER BY clause"},
    {"(select a from t order by a limit 1) union all (select a from u order by a limit 1)", "1;1",
     0, NULL},
    {"values (1, 2), (3)", NULL, ERR_PARSE, "VALUES lists must all be the same length"},
    {"select * from (values (1, 'a'), (2, null)) v(x, y) where y is null", "2|~", 0, NULL},
    {"select * from (values (1), (2)) v(x, y)", NULL, ERR_COLUMN_REFERENCE,
     "table \"v\" has 1 columns available but 2 columns specified"},
    {"select v.* from (values (1), (2)) as v order by 1 desc", "2;1", 0, NULL},
    {"select column1 from (values (3)) v", "3", 0, NULL},
    {"select count(*) from (select a from t union all select a from u) x", "8", 0, NULL},
    {"select count(*) from (select 1 from t union select 2) x", "2", 0, NULL},
    {"select a from t where a = 1 union select a from t where a = 2 union all select a from t "
     "where a = 2 order by 1",
     "1;2;2", 0, NULL},
    {"select a from t union (select a from u intersect select a from t) order by 1", "1;2;3;4", 0,
     NULL},
    {"select a, count(*) from (select a from t union all select a from u) x group by a order "
     "by a",
     "1|2;2|3;3|1;4|1;~|1", 0, NULL},
    {"select a.x from (values (1), (2), (3)) a(x) where exists (select from t where t.a = "
     "a.x) order by 1",
     "1;2;3", 0, NULL},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
