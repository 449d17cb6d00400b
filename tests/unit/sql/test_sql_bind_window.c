/* Window functions, frames, named windows, bound, optimized or not, and run. Answers and errors are
 * PostgreSQL 15's. */
#include "bind_cases.h"

static const struct bind_case cases[] = {
    {"select a, row_number() over (order by a desc), sum(a) over (partition by b order by a) "
     "from t order by a",
     "1|4|1;2|3|2;3|2|4;4|1|4", 0, NULL},
    {"select b, sum(a) over (partition by b order by a rows between unbounded preceding and "
     "current row) from t order by b, a",
     "a|1;a|4;b|2;~|4", 0, NULL},
    {"select a, lag(a) over (order by a), lead(a, 2, 0) over (order by a) from t order by a",
     "1|~|3;2|1|4;3|2|0;4|3|0", 0, NULL},
    {"select a, first_value(a) over w, last_value(a) over w, nth_value(a, 2) over w from t "
     "window w as (order by a) order by a",
     "1|1|1|~;2|1|2|2;3|1|3|2;4|1|4|2", 0, NULL},
    {"select a, rank() over (order by b), dense_rank() over (order by b), percent_rank() over "
     "(order by b), cume_dist() over (order by b), ntile(2) over (order by b) from t order by "
     "a",
     "1|1|1|0|0.5|1;2|3|2|0.6666666666666666|0.75|2;3|1|1|0|0.5|1;4|4|3|1|1|2", 0, NULL},
    {"select b, count(*) over (partition by b), sum(count(*)) over () from t group by b order "
     "by b",
     "a|1|4;b|1|4;~|1|4", 0, NULL},
    {"select a, sum(a) over (order by a rows between 1 preceding and 1 following) from t "
     "order by a",
     "1|3;2|6;3|9;4|7", 0, NULL},
    {"select a, sum(a) over (order by a range between 1 preceding and current row) from t "
     "order by a",
     "1|1;2|3;3|5;4|7", 0, NULL},
    {"select a, count(*) over (order by b groups between 1 preceding and current row) from t "
     "order by a",
     "1|2;2|3;3|2;4|2", 0, NULL},
    {"select a, sum(a) over (order by a rows between 1 preceding and 1 following exclude "
     "current row) from t order by a",
     "1|2;2|4;3|6;4|3", 0, NULL},
    {"select a, sum(a) filter (where a > 1) over (order by a) from t order by a", "1|~;2|2;3|5;4|9",
     0, NULL},
    {"select a, row_number() over w2 from t window w as (partition by b), w2 as (w order by a "
     "desc) order by a",
     "1|2;2|1;3|1;4|1", 0, NULL},
    {"select a, row_number() over (w partition by a) from t window w as (partition by b)", NULL,
     ERR_WINDOWING, "cannot override PARTITION BY clause of window \"w\""},
    {"select a, row_number() over nosuch from t", NULL, ERR_NOT_FOUND,
     "window \"nosuch\" does not exist"},
    {"select a from t where row_number() over () = 1", NULL, ERR_WINDOWING,
     "window functions are not allowed in WHERE"},
    {"select sum(row_number() over ()) from t", NULL, ERR_GROUPING,
     "aggregate function calls cannot contain window function calls"},
    {"select max(a) over (partition by b) - min(a) over (partition by b) from t order by 1",
     "0;0;2;2", 0, NULL},
    {"select count(*) from (select row_number() over () from t) x", "4", 0, NULL},
    {"select t.b, sum(u.a) over (partition by t.b order by u.d) from t join u on t.a = u.a "
     "order by 1, 2",
     "a|1;b|2;b|4", 0, NULL},
    {"select b, sum(a) as s, rank() over (order by sum(a) desc) from t group by b order by 3, "
     "1",
     "a|4|1;~|4|1;b|2|3", 0, NULL},
    {"select first_value(b) over (partition by a % 2 order by a), last_value(b) over "
     "(partition by a % 2 order by a rows between unbounded preceding and unbounded "
     "following) from t order by a",
     "a|a;b|~;a|a;b|~", 0, NULL},
    {"select a, sum(a) over (order by a desc rows 1 preceding) from t order by a",
     "1|3;2|5;3|7;4|4", 0, NULL},
    {"select a, count(*) over (order by a range between unbounded preceding and current row "
     "exclude ties) from t order by a",
     "1|1;2|2;3|3;4|4", 0, NULL},
    {"select a, lag(b, 1, 'none') over (order by a), lag(a, 1, 0) over (partition by b order "
     "by a) from t order by a",
     "1|none|0;2|a|0;3|b|1;4|a|0", 0, NULL},
    {"select a, sum(a) over (order by b, a groups between unbounded preceding and 1 "
     "following) from t order by a",
     "1|4;2|10;3|6;4|10", 0, NULL},
    {"select sum(a) over (order by a rows between 1 following and 1 preceding) from t", NULL,
     ERR_WINDOWING, "frame starting from following row cannot have preceding rows"},
    {"select sum(a) over (rows between unbounded following and current row) from t", NULL,
     ERR_WINDOWING, "frame start cannot be UNBOUNDED FOLLOWING"},
    {"select sum(a) over (order by a, b range 1 preceding) from t", NULL, ERR_WINDOWING,
     "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"},
    {"select sum(a) over (order by a rows -1 preceding) from t", NULL, ERR_INVALID_ARGUMENT,
     "frame starting offset must not be negative"},
    {"select distinct sum(a) over () from t", "10", 0, NULL},
    {"select a, rank() over w from t window w as (order by b), w as (order by a)", NULL,
     ERR_WINDOWING, "window \"w\" is already defined"},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
