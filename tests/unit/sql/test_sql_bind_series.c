/* What time series have: gap filling, first and last by time, and the plans of tables, which must
 * reach what InfluxQL's do: ranges of time and tags in the scan, aggregates by tags and buckets,
 * the last rows of series. */
#include "bind_cases.h"

#define ROWS                                                                                       \
  "(values ('2024-01-01 00:10+00'::timestamptz, 'x', 1.0::float8), "                               \
  "('2024-01-01 03:10+00', 'x', 4.0), ('2024-01-01 01:00+00', 'y', 7.0)) s(ts, k, v) "

static const struct bind_case cases[] = {
    {"select time_bucket_gapfill('1 hour', ts) as b, sum(v), locf(sum(v)), interpolate(sum(v)) "
     "from " ROWS "where k = 'x' and ts >= '2024-01-01' and ts < '2024-01-01 05:00' group by b "
     "order by b",
     "2024-01-01 00:00:00+00|1|1|1;2024-01-01 01:00:00+00|~|1|2;2024-01-01 02:00:00+00|~|1|3;"
     "2024-01-01 03:00:00+00|4|4|4;2024-01-01 04:00:00+00|~|4|~",
     0, NULL},
    {"select k, count(*) from (select time_bucket_gapfill('1 hour', ts) as b, k from " ROWS
     "where ts between '2024-01-01' and '2024-01-01 04:00' group by b, k) q group by k order by k",
     "x|5;y|5", 0, NULL},
    {"select time_bucket_gapfill('1 hour', ts) from " ROWS "group by 1", NULL, ERR_INVALID_ARGUMENT,
     "could not infer start from WHERE clause"},
    {"select locf(sum(v)) from " ROWS, NULL, ERR_GROUPING, "time_bucket_gapfill"},
    {"select last(v, ts), first(v, ts), first(k, ts) from " ROWS, "4|1|x", 0, NULL},
};

static void answers(void **state) {
  (void)state;
  bind_check_cases(cases, sizeof cases / sizeof cases[0]);
}

struct shape {
  const char *sql, *part; /* what stands in the optimized plan */
};
static const struct shape shapes[] = {
    {"select usage from cpu where time >= '2024-01-01' and time < '2024-01-02' and host = 'a'",
     "time [1704067200000000000, 1704153599999999999] tags filtered"},
    {"select host, max(usage), count(*) from cpu group by host",
     "aggregate by \"host\" max(\"usage\"), count("},
    {"select host, date_trunc('hour', time), avg(usage) from cpu group by host, "
     "date_trunc('hour', time)",
     "aggregate by \"host\" mean(\"usage\") every 3600000000000"},
    {"select host, time_bucket('1 hour', time), avg(usage) from cpu group by 1, 2",
     "aggregate by \"host\" mean(\"usage\") every 3600000000000"},
    {"select host, last(usage, time) from cpu group by host",
     "aggregate by \"host\" last(\"usage\")"},
    {"select distinct on (host) host, usage from cpu order by host, time desc",
     "scan by \"host\" columns \"host\", \"usage\" time [, ] descending limit 1"},
    {"select host, usage from cpu latest on time partition by host",
     "scan by \"host\" columns \"host\", \"usage\" time [, ] descending limit 1"},
    {"select * from cpu order by time desc limit 10", "time [, ] descending limit 10"},
    {"select a.host from cpu a join cpu b on a.host = b.host and a.time = b.time",
     "inner join by hash on \"host\" = \"host\", \"time\" = \"time\""},
    {"select time, (select max(load) from cpu b where b.host = a.host) from cpu a",
     "left join by hash on \"host\" = \"host\""},
    {"select a.host from cpu a asof join cpu b on a.host = b.host and a.time >= b.time "
     "tolerance '1 minute'",
     "as of backward \"time\", \"time\" within 60000000000"},
    {"select host from cpu a where exists (select 1 from cpu b where b.host = a.host)",
     "semi join by hash on \"host\" = \"host\""},
    {"select * from cpu as of commit 7", "as of commit 7"},
};

static void plans(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    struct bind_world world;
    struct sql_selection selection;
    struct plan_optimizing optimizing = {.check = true};
    struct buffer out;
    struct err err;
    bind_begin(&world, NULL, 0);
    bind_table(&world, TIME_NS);
    buffer_init(&out, &world.account);
    if (bind_text(&world, shapes[i].sql, &selection, &err))
      fail_msg("%s: %s", shapes[i].sql, err.message);
    const struct plan_node *plan =
        plan_optimize_with(&world.arena, selection.plan, &optimizing, &err);
    assert_non_null(plan);
    plan_print(plan, &out);
    buffer_append_byte(&out, 0);
    if (!strstr((const char *)out.data, shapes[i].part))
      fail_msg("%s: no \"%s\" in\n%s", shapes[i].sql, shapes[i].part, (const char *)out.data);
    buffer_deinit(&out);
    bind_end(&world);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(plans)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
