/* The rewrite rules of relational plans, each alone, with the plan it makes. Every plan is checked
 * before and behind. */
#include "plan_nodes.h"

#include "plan/rules.h"
#include "plan/vector.h"
#include "series/filter.h"

static const struct plan_node *better(const struct plan_node *plan, const char *const *only,
                                      int line) {
  struct plan_optimizing options = {.only = only, .check = true};
  struct err err;
  if (plan_check(plan, &err)) fail_msg("line %d, before: %s", line, err.message);
  const struct plan_node *made = plan_optimize_with(&arena, plan, &options, &err);
  if (!made) fail_msg("line %d: %s (%s)", line, err.message, err.detail);
  return made;
}

#define EXPECT_RULE(plan, rule, expected)                                                          \
  expect_print(better(plan, (const char *const[]){rule, NULL}, __LINE__), expected, __LINE__)
#define EXPECT_ALL(plan, expected) expect_print(better(plan, NULL, __LINE__), expected, __LINE__)
#define ROWS                       "values 0 rows\n"

static const struct expr *equal(const struct expr *a, const struct expr *b) {
  return call2(FUNCTION_EQUAL_SQL, a, b);
}
static const struct expr *less(const struct expr *a, const struct expr *b) {
  return call2(FUNCTION_LESS_SQL, a, b);
}
static const struct expr *both(const struct expr *a, const struct expr *b) {
  return call2(FUNCTION_AND, a, b);
}

/* ---- filters and projections ---- */

static void test_simple_filters(void **state) {
  (void)state;
  const struct plan_node *rows = rows_of("a:i b:i");
  EXPECT_RULE(filter_of(rows, bool_of(true)), "true filters", ROWS);
  EXPECT_RULE(filter_of(sort_of(rows, KEYS(0)), null_of(TYPE_BOOL)), "true filters", ROWS);
  EXPECT_RULE(filter_of(filter_of(rows, equal(column_of(rows, 0), int_of(1))),
                        less(column_of(rows, 1), int_of(2))),
              "neighbour filters", "filter ((\"a\" = 1) and (\"b\" < 2))\n  " ROWS);
  const struct expr *sum[] = {call2(FUNCTION_ADD, column_of(rows, 0), column_of(rows, 1))};
  const struct plan_node *inner = flat_of(rows, 1, sum);
  const struct expr *twice[] = {call2(FUNCTION_MULTIPLY, column_of(inner, 0), column_of(inner, 0)),
                                int_of(7)};
  EXPECT_RULE(flat_of(inner, 2, twice), "projections",
              "project ((\"a\" + \"b\") * (\"a\" + \"b\")), 7\n  " ROWS);
}

static void test_filters_down(void **state) {
  (void)state;
  const struct plan_node *rows = rows_of("a:i b:i");
  const struct expr *a = column_of(rows, 0), *b = column_of(rows, 1);
  const struct expr *on_a = equal(a, int_of(1)), *on_b = less(b, int_of(2));
  const struct expr *list[] = {call2(FUNCTION_ADD, a, int_of(1)), b};
  const struct plan_node *project = flat_of(rows, 2, list);
  EXPECT_RULE(filter_of(project, less(column_of(project, 0), int_of(9))), "filters",
              "project (\"a\" + 1), \"b\"\n  filter ((\"a\" + 1) < 9)\n    " ROWS);
  EXPECT_RULE(filter_of(sort_of(rows, KEYS(0)), on_a), "filters",
              "sort \"a\"\n  filter (\"a\" = 1)\n    " ROWS);
  struct plan_node *top = sort_of(rows, KEYS(0));
  top->sort.limit = 5;
  EXPECT_RULE(filter_of(top, on_a), "filters",
              "filter (\"a\" = 1)\n  sort \"a\" limit 5\n    " ROWS);
  EXPECT_RULE(filter_of(limit_of(rows, 5, 0), on_a), "filters",
              "filter (\"a\" = 1)\n  limit 5\n    " ROWS);
  EXPECT_RULE(filter_of(unique_of(rows, INDICES(0)), both(on_a, on_b)), "filters",
              "filter (\"b\" < 2)\n  unique by \"a\"\n    filter (\"a\" = 1)\n      " ROWS);
  const struct plan_node *group = group_of(rows, INDICES(1), CALLS({AGGREGATE_SUM, 0}));
  EXPECT_RULE(
      filter_of(group,
                both(less(column_of(group, 0), int_of(3)), less(column_of(group, 1), int_of(4)))),
      "filters",
      "filter (\"sum\" < 4)\n  group by \"b\": sum(\"a\")\n    filter (\"b\" < 3)\n      " ROWS);
  const struct plan_node *all = group_of(rows, 0, NULL, CALLS({AGGREGATE_COUNT, PLAN_NO_COLUMN}));
  EXPECT_RULE(filter_of(all, equal(expr_parameter(&arena, 0, TYPE_INT64), int_of(1))), "filters",
              "filter ($1 = 1)\n  group: count(*)\n    " ROWS);
  /* the empty set has a row, whatever the condition */
  static const uint64_t sets[] = {1, 0};
  struct plan_node *with_sets = group_of(rows, INDICES(0), CALLS({AGGREGATE_SUM, 1}));
  with_sets->group.sets = sets;
  with_sets->group.set_count = 2;
  with_sets->schema = joined_schema(rows_of("a:i bits:i"), rows_of("sum:i"), false);
  EXPECT_RULE(filter_of(with_sets, equal(expr_parameter(&arena, 0, TYPE_INT64), int_of(1))),
              "filters",
              "filter ($1 = 1)\n  group by \"a\" sets (\"a\"), (): sum(\"b\")\n    " ROWS);
  struct plan_node *set = node_over(PLAN_SET, rows);
  set->right = rows;
  set->set = (struct plan_setting){SET_EXCEPT, false};
  EXPECT_RULE(filter_of(set, on_a), "filters",
              "except\n  filter (\"a\" = 1)\n    " ROWS "  filter (\"a\" = 1)\n    " ROWS);
}

static void test_filters_and_windows(void **state) {
  (void)state;
  const struct plan_node *rows = rows_of("a:i b:i");
  struct plan_over_call number[] = {{.function = OVER_ROW_NUMBER,
                                     .aggregate.filter = PLAN_NO_COLUMN,
                                     .fallback = PLAN_NO_COLUMN,
                                     .type = TYPE_INT64}};
  static const uint32_t partition[] = {0};
  struct plan_node *over = node_over(PLAN_OVER, rows);
  over->schema = joined_schema(rows, rows_of("n:i"), false);
  over->over = (struct plan_overing){
      .partition = partition, .partition_count = 1, .calls = number, .call_count = 1};
  EXPECT_RULE(filter_of(over, both(equal(column_of(rows, 0), int_of(1)),
                                   less(column_of(rows, 1), int_of(2)))),
              "filters",
              "filter (\"b\" < 2)\n  over partition by \"a\": row_number()\n"
              "    filter (\"a\" = 1)\n      " ROWS);
}

static void test_filters_and_joins(void **state) {
  (void)state;
  const struct plan_node *left = rows_of("a:i b:i"), *right = rows_of("c:i d:i");
  struct plan_node *cross = join_of(JOIN_INNER, left, right, PLAN_NO_COLUMN, 0);
  const struct expr *a = column_of(cross, 0), *b = column_of(cross, 1), *c = column_of(cross, 2),
                    *d = column_of(cross, 3);
  /* an equality is a key, what is known of one key holds of the other, the rest goes to its side */
  EXPECT_RULE(filter_of(cross, both(both(equal(a, c), equal(a, int_of(5))),
                                    both(less(d, int_of(3)), less(b, d)))),
              "filters",
              "inner join on \"a\" = \"c\" where (\"b\" < \"d\")\n"
              "  filter (\"a\" = 5)\n    " ROWS
              "  filter ((\"d\" < 3) and (\"c\" = 5))\n    " ROWS);
  /* what all branches of an OR ask */
  const struct expr *first = both(both(equal(a, c), less(b, int_of(1))), less(d, int_of(9)));
  const struct expr *second = both(both(less(d, int_of(9)), equal(a, c)), less(b, d));
  EXPECT_RULE(filter_of(cross, call2(FUNCTION_OR, first, second)), "filters",
              "inner join on \"a\" = \"c\" where ((\"b\" < 1) or (\"b\" < \"d\"))\n"
              "  " ROWS "  filter (\"d\" < 9)\n    " ROWS);
  /* what each branch asks of one side */
  first = both(less(a, int_of(1)), less(d, int_of(2)));
  EXPECT_RULE(
      filter_of(cross, call2(FUNCTION_OR, first, both(less(b, int_of(3)), less(a, c)))), "filters",
      "inner join where (((\"a\" < 1) and (\"d\" < 2)) or ((\"b\" < 3) and (\"a\" < \"c\")))\n"
      "  filter ((\"a\" < 1) or (\"b\" < 3))\n    " ROWS "  " ROWS);
  EXPECT_RULE(filter_of(cross, call2(FUNCTION_OR, equal(a, c), second)), "filters",
              "inner join on \"a\" = \"c\"\n  " ROWS "  " ROWS);
  EXPECT_RULE(filter_of(cross, call2(FUNCTION_OR, equal(a, c), equal(b, d))), "filters",
              "inner join where ((\"a\" = \"c\") or (\"b\" = \"d\"))\n  " ROWS "  " ROWS);
  struct plan_node *outer = join_of(JOIN_LEFT, left, right, 0, 0);
  outer->join.condition = both(less(d, int_of(3)), less(b, int_of(1)));
  EXPECT_RULE(filter_of(outer, both(less(b, int_of(9)), call1(FUNCTION_IS_NULL, d))), "filters",
              "filter (absent \"d\")\n  left join on \"a\" = \"c\" where (\"b\" < 1)\n"
              "    filter (\"b\" < 9)\n      " ROWS "    filter (\"d\" < 3)\n      " ROWS);
  /* a condition that nulls don't pass makes the outer join an inner one */
  EXPECT_RULE(filter_of(join_of(JOIN_LEFT, left, right, 0, 0), less(d, int_of(3))), "filters",
              "inner join on \"a\" = \"c\"\n  " ROWS "  filter (\"d\" < 3)\n    " ROWS);
  EXPECT_RULE(filter_of(join_of(JOIN_FULL, left, right, 0, 0), less(b, int_of(3))), "filters",
              "left join on \"a\" = \"c\"\n  filter (\"b\" < 3)\n    " ROWS "  " ROWS);
  EXPECT_RULE(filter_of(join_of(JOIN_RIGHT, left, right, 0, 0), less(d, int_of(3))), "filters",
              "right join on \"a\" = \"c\"\n  " ROWS "  filter (\"d\" < 3)\n    " ROWS);
  struct plan_node *semi = join_of(JOIN_SEMI, left, right, PLAN_NO_COLUMN, 0);
  semi->join.condition = both(equal(c, a), less(d, int_of(3)));
  EXPECT_RULE(filter_of(semi, equal(a, int_of(5))), "filters",
              "semi join on \"a\" = \"c\"\n  filter (\"a\" = 5)\n    " ROWS
              "  filter ((\"d\" < 3) and (\"c\" = 5))\n    " ROWS);
  /* what may fail is not asked of the other side */
  struct plan_node *keyed = join_of(JOIN_INNER, left, right, 0, 0);
  EXPECT_RULE(filter_of(keyed, less(int_of(1), call2(FUNCTION_DIVIDE_SQL, int_of(9), a))),
              "filters",
              "inner join on \"a\" = \"c\"\n  filter (1 < (9 / \"a\"))\n    " ROWS "  " ROWS);
  struct plan_node *anti = join_of(JOIN_ANTI, left, right, 0, 0);
  anti->join.null_aware = true;
  anti->join.condition = less(d, int_of(3));
  EXPECT_RULE(anti, "filters",
              "anti join on \"a\" = \"c\" null aware where (\"d\" < 3)\n  " ROWS "  " ROWS);
  struct plan_node *asof = join_of(JOIN_INNER, left, right, 0, 0);
  asof->join.asof = ASOF_BACKWARD;
  asof->join.left_time = asof->join.right_time = 1;
  EXPECT_RULE(filter_of(asof, both(less(b, int_of(1)), less(d, int_of(3)))), "filters",
              "filter (\"d\" < 3)\n  inner join on \"a\" = \"c\" as of backward \"b\", \"d\"\n"
              "    filter (\"b\" < 1)\n      " ROWS "    " ROWS);
}

/* ---- scans ---- */

static void test_scan_conditions(void **state) {
  (void)state;
  const struct plan_node *scan = scan_of("time:T host:w dc:w f:f");
  const struct expr *time = column_of(scan, 0), *host = column_of(scan, 1),
                    *dc = column_of(scan, 2), *f = column_of(scan, 3);
  const struct plan_node *flat = flat_copy(scan);
  EXPECT_RULE(filter_of(flat, both(call2(FUNCTION_GREATER_EQUAL_SQL, time, time_of(10)),
                                   both(less(time, time_of(20)), less(f, float_of(1))))),
              "filters",
              "project \"time\", \"host\", \"dc\", \"f\"\n  filter (\"f\" < 1)\n"
              "    scan columns \"host\", \"dc\", \"f\" time [10, 19]\n");
  /* in another unit: rounded inwards; literal first; nothing left */
  struct err err;
  struct plan_value ms = {.type = TYPE_TIMESTAMP(2), .i64 = 5};
  struct plan_node *coarse = scan_of("time:T f:f");
  struct plan_column *columns = ARENA_ARRAY(&arena, struct plan_column, 2);
  columns[0] = (struct plan_column){STR("time"), TYPE_TIMESTAMP(2)};
  columns[1] = coarse->schema.columns[1];
  coarse->schema.columns = columns;
  EXPECT_RULE(
      filter_of(coarse, both(less(column_of(coarse, 0), time_of(7000001)),
                             call2(FUNCTION_GREATER_SQL, column_of(coarse, 0), time_of(2000001)))),
      "filters", "scan columns \"f\" time [3, 7]\n");
  EXPECT_RULE(filter_of(coarse, less(expr_literal(&arena, &ms), column_of(coarse, 0))), "filters",
              "scan columns \"f\" time [6, ]\n");
  EXPECT_RULE(filter_of(coarse, equal(column_of(coarse, 0), time_of(1500000))), "filters",
              "scan columns \"f\" time [2, 1]\n");
  /* tags: equality is looked up, anything else of one tag is a test */
  const struct expr *empty = text_of("");
  const struct expr *nullable = call2(FUNCTION_NULLIF, host, empty);
  const struct expr *conditions =
      both(both(equal(nullable, text_of("h1")),
                call2(FUNCTION_LIKE, call1(FUNCTION_LOWER, dc), text_of("eu%"))),
           call2(FUNCTION_OR, equal(dc, text_of("eu1")), equal(host, text_of("h2"))));
  const struct plan_node *made =
      better(filter_of(scan, conditions), (const char *const[]){"filters", NULL}, __LINE__);
  assert_int_equal(made->kind, PLAN_SCAN);
  const struct series_filter *filter = made->scan.filter;
  assert_int_equal(filter->kind, SERIES_FILTER_AND);
  assert_int_equal(filter->children[1]->kind, SERIES_FILTER_OR);
  const struct series_filter *pair = filter->children[0];
  assert_int_equal(pair->children[0]->kind, SERIES_FILTER_EQUAL);
  assert_int_equal(pair->children[0]->column_id, 2);
  assert_true(str_equal(pair->children[0]->value, STR("h1")));
  const struct series_filter *test = pair->children[1];
  assert_int_equal(test->kind, SERIES_FILTER_TEST);
  assert_int_equal(test->column_id, 3);
  bool passes;
  assert_int_equal(test->test(test->context, STR("EU-west"), &passes, &err), ERR_OK);
  assert_true(passes);
  assert_int_equal(test->test(test->context, STR("us"), &passes, &err), ERR_OK);
  assert_false(passes);
  /* is null of an absent tag, which the scan gives as "" */
  made = better(filter_of(scan, call1(FUNCTION_IS_NULL, nullable)),
                (const char *const[]){"filters", NULL}, __LINE__);
  assert_int_equal(made->scan.filter->kind, SERIES_FILTER_TEST);
  test = made->scan.filter;
  assert_int_equal(test->test(test->context, STR(""), &passes, &err), ERR_OK);
  assert_true(passes);
  /* two tags beside a field, and what may fail, stay */
  EXPECT_RULE(filter_of(scan, call2(FUNCTION_OR, equal(host, dc), less(f, float_of(1)))), "filters",
              "filter ((\"host\" = \"dc\") or (\"f\" < 1))\n"
              "  scan columns \"host\", \"dc\", \"f\" time [, ]\n");
  EXPECT_RULE(filter_of(scan, less(expr_cast_sql(&arena, host, TYPE_INT64, &err), int_of(1))),
              "filters",
              "filter (integer(\"host\") < 1)\n  scan columns \"host\", \"dc\", \"f\" time [, ]\n");
}

/* ---- aggregates of a scan ---- */

static const struct expr *hours(const struct expr *time) {
  struct plan_bucket bucket = {.width = 3600};
  struct err err;
  return expr_bucket(&arena, time, &bucket, &err);
}

static void test_scan_aggregates(void **state) {
  (void)state;
  const struct plan_node *scan = scan_of("time:T host:w dc:w f:f g:f");
  const struct expr *host = call2(FUNCTION_NULLIF, column_of(scan, 1), text_of(""));
  const struct expr *list[] = {
      column_of(scan, 0), host,
      column_of(scan, 2), hours(column_of(scan, 0)),
      column_of(scan, 3), call2(FUNCTION_MULTIPLY, column_of(scan, 4), float_of(2))};
  const struct plan_node *flat =
      flat_of(filter_of(scan, less(column_of(scan, 4), float_of(9))), 6, list);
  EXPECT_RULE(group_of(flat, INDICES(3, 1, 2), CALLS({AGGREGATE_MEAN, 4}, {AGGREGATE_COUNT, 4})),
              "scan aggregates",
              "project \"time\", nullif(\"host\", ''), \"dc\", \"mean\", coalesce(\"count\", 0)\n"
              "  aggregate by \"host\", \"dc\" mean(\"f\"), count(\"f\") every 3600\n"
              "    filter by \"host\", \"dc\" (\"g\" < 9)\n"
              "      scan by \"host\", \"dc\" columns \"host\", \"dc\", \"f\", \"g\" time [, ]\n");
  /* what is computed, and rows, go through a projection */
  EXPECT_RULE(
      group_of(flat, INDICES(2),
               CALLS({AGGREGATE_COUNT, PLAN_NO_COLUMN}, {AGGREGATE_MAX, 5}, {AGGREGATE_MIN, 0})),
      "scan aggregates",
      "project \"dc\", coalesce(\"count\", 0), \"max\", \"min\"\n"
      "  aggregate by \"dc\" count(#2), max(#3), min(\"time\")\n"
      "    project by \"dc\" true, (\"g\" * 2), \"time\"\n"
      "      filter by \"dc\" (\"g\" < 9)\n"
      "        scan by \"dc\" columns \"host\", \"dc\", \"f\", \"g\" time [, ]\n");
  /* without keys there is always one row */
  EXPECT_RULE(group_of(flat, 0, NULL, CALLS({AGGREGATE_SUM, 4}, {AGGREGATE_COUNT, 4})),
              "scan aggregates",
              "project \"sum\", coalesce(\"count\", 0)\n  group: first(\"sum\"), first(\"count\")\n"
              "    project \"sum\", \"count\"\n      aggregate sum(\"f\"), count(\"f\")\n"
              "        filter (\"g\" < 9)\n"
              "          scan columns \"host\", \"dc\", \"f\", \"g\" time [, ]\n");
  /* not by a field, not distinct, not of what PLAN_AGGREGATE does not know */
  const char *by_field = "group by \"f\": count(\"f\")\n";
  struct buffer out;
  buffer_init(&out, &account);
  plan_print(better(group_of(flat, INDICES(4), CALLS({AGGREGATE_COUNT, 4})),
                    (const char *const[]){"scan aggregates", NULL}, __LINE__),
             &out);
  assert_true(str_starts_with(buffer_str(&out), str_from(by_field)));
  buffer_deinit(&out);
  struct plan_node *distinct = group_of(flat, INDICES(2), CALLS({AGGREGATE_SUM, 4}));
  struct plan_group_call *call = ARENA_NEW(&arena, struct plan_group_call);
  *call = distinct->group.calls[0];
  call->distinct = true;
  distinct->group.calls = call;
  assert_ptr_equal(
      better(distinct, (const char *const[]){"scan aggregates", NULL}, __LINE__)->group.calls,
      call);
  /* last(f by time) per host */
  struct plan_node *last = group_of(flat, INDICES(1), CALLS({AGGREGATE_LAST, 4}));
  struct plan_sort_key *by_time = ARENA_NEW(&arena, struct plan_sort_key);
  call = ARENA_NEW(&arena, struct plan_group_call);
  *call = last->group.calls[0];
  call->order = by_time;
  call->order_count = 1;
  last->group.calls = call;
  EXPECT_RULE(last, "scan aggregates",
              "project nullif(\"host\", ''), \"last\"\n  aggregate by \"host\" last(\"f\")\n"
              "    filter by \"host\" (\"g\" < 9)\n"
              "      scan by \"host\" columns \"host\", \"dc\", \"f\", \"g\" time [, ]\n");
}

static void test_points(void **state) {
  (void)state;
  const struct plan_node *scan = scan_of("time:T host:w f:f");
  const struct plan_node *flat = flat_copy(scan);
  const char *scanned = "limit by \"host\" 1\n        scan by \"host\" columns \"host\", \"f\" "
                        "time [, ] descending\n";
  char expected[512];
  snprintf(expected, sizeof expected,
           "unique by \"host\"\n  sort \"host\", \"time\" descending nulls first\n"
           "    project \"time\", \"host\", \"f\"\n      %s",
           scanned);
  EXPECT_RULE(unique_of(sort_of(flat, KEYS(1, ~0)), INDICES(1)), "points", expected);
  struct plan_over_call number[] = {{.function = OVER_ROW_NUMBER,
                                     .aggregate.filter = PLAN_NO_COLUMN,
                                     .fallback = PLAN_NO_COLUMN,
                                     .type = TYPE_INT64}};
  static const uint32_t partition[] = {1};
  struct plan_node *over = node_over(PLAN_OVER, sort_of(flat, KEYS(1, 0)));
  over->schema = joined_schema(flat, rows_of("n:i"), false);
  static const struct plan_sort_key by_time[] = {{0, false, false}};
  over->over = (struct plan_overing){.partition = partition,
                                     .partition_count = 1,
                                     .order = by_time,
                                     .order_count = 1,
                                     .calls = number,
                                     .call_count = 1};
  EXPECT_RULE(filter_of(over, less(column_of(over, 3), int_of(4))), "points",
              "filter (\"n\" < 4)\n  over partition by \"host\" order by \"time\": row_number()\n"
              "    sort \"host\", \"time\"\n      project \"time\", \"host\", \"f\"\n"
              "        limit by \"host\" 3\n"
              "          scan by \"host\" columns \"host\", \"f\" time [, ]\n");
  /* all rows count where something else is computed of them, or the partition is no tag */
  number[0].function = OVER_RANK;
  const struct plan_node *kept = better(filter_of(over, less(column_of(over, 3), int_of(4))),
                                        (const char *const[]){"points", NULL}, __LINE__);
  assert_ptr_equal(kept->input, over);
  const struct plan_node *by_field = unique_of(sort_of(flat, KEYS(2, ~0)), INDICES(2));
  assert_ptr_equal(better(by_field, (const char *const[]){"points", NULL}, __LINE__), by_field);
  /* further keys choose among rows of one time */
  const struct plan_node *chosen = unique_of(sort_of(flat, KEYS(1, ~0, 2)), INDICES(1));
  assert_ptr_equal(better(chosen, (const char *const[]){"points", NULL}, __LINE__), chosen);
  static const struct plan_sort_key by_value[] = {{0, false, false}, {2, false, false}};
  number[0].function = OVER_ROW_NUMBER;
  over->over.order = by_value;
  over->over.order_count = 2;
  const struct plan_node *first = filter_of(over, less(column_of(over, 3), int_of(4)));
  assert_ptr_equal(better(first, (const char *const[]){"points", NULL}, __LINE__), first);
  /* all rules together: the scan knows how few rows are needed, and nothing is sorted twice */
  EXPECT_ALL(unique_of(sort_of(flat, KEYS(1, ~0)), INDICES(1)),
             "unique by \"host\"\n  sort \"host\", \"time\" descending nulls first\n"
             "    project \"time\", \"host\", \"f\"\n      limit by \"host\" 1\n"
             "        scan by \"host\" columns \"host\", \"f\" time [, ] descending limit 1\n");
}

/* ---- orders ---- */

static void test_orders(void **state) {
  (void)state;
  const struct plan_node *rows = rows_of("a:i b:i");
  const struct expr *b[] = {column_of(rows, 1)};
  EXPECT_RULE(limit_of(flat_of(sort_of(rows, KEYS(0)), 1, b), 5, 2), "top n",
              "project \"b\"\n  sort \"a\" limit 5 offset 2\n    " ROWS);
  EXPECT_RULE(limit_of(limit_of(sort_of(rows, KEYS(0)), 5, 0), 3, 0), "top n",
              "limit 3\n  sort \"a\" limit 5\n    " ROWS);
  struct plan_node *ties = sort_of(rows, KEYS(0));
  ties->sort.with_ties = true;
  EXPECT_RULE(limit_of(ties, 5, 0), "top n", "sort \"a\" limit 5\n  " ROWS);
  struct plan_node *set = node_over(PLAN_SET, sort_of(rows, KEYS(1)));
  set->right = rows;
  set->set = (struct plan_setting){SET_UNION, true};
  EXPECT_RULE(limit_of(set, 5, 2), "top n",
              "limit 5 offset 2\n  union all\n    sort \"b\" limit 7\n      " ROWS
              "    limit 7\n      " ROWS);
  EXPECT_RULE(sort_of(sort_of(rows, KEYS(0, 1)), KEYS(0)), "sorts", "sort \"a\", \"b\"\n  " ROWS);
  EXPECT_RULE(sort_of(sort_of(rows, KEYS(0)), KEYS(0, 1)), "sorts",
              "sort \"a\", \"b\"\n  sort \"a\"\n    " ROWS);
  struct plan_node *scan = scan_of("time:T host:w f:f");
  scan->scan.unordered = true;
  EXPECT_RULE(sort_of(flat_copy(scan), KEYS(~0)), "sorts",
              "project \"time\", \"host\", \"f\"\n"
              "  scan columns \"host\", \"f\" time [, ] descending\n");
  /* buckets come the other way, and no more of them than are asked for; not with other keys */
  const struct expr *bucket[] = {hours(column_of(scan, 0)), column_of(scan, 2)};
  const struct plan_node *grouped =
      group_of(flat_of(scan, 2, bucket), INDICES(0), CALLS({AGGREGATE_MAX, 1}));
  EXPECT_ALL(limit_of(sort_of(grouped, KEYS(~0)), 5, 0),
             "limit 5\n  project \"time\", \"max\"\n"
             "    aggregate max(\"f\") every 3600 descending limit 5\n"
             "      scan columns \"f\" time [, ] unordered\n");
  EXPECT_ALL(sort_of(grouped, KEYS(1)), "sort \"max\"\n  project \"time\", \"max\"\n"
                                        "    aggregate max(\"f\") every 3600\n"
                                        "      scan columns \"f\" time [, ] unordered\n");
  EXPECT_ALL(limit_of(sort_of(flat_copy(scan), KEYS(~0)), 10, 0),
             "limit 10\n  project \"time\", \"host\", \"f\"\n"
             "    scan columns \"host\", \"f\" time [, ] descending limit 10\n");
  EXPECT_ALL(sort_of(flat_copy(scan), KEYS(2)),
             "sort \"f\"\n  project \"time\", \"host\", \"f\"\n"
             "    scan columns \"host\", \"f\" time [, ] unordered\n");
}

static double rows_by_name(void *context, const struct plan_node *scan) {
  (void)context;
  return scan->schema.columns[1].name.data[0] == 's' ? 10 : 100000;
}

static void test_joins(void **state) {
  (void)state;
  const struct plan_node *a = sort_of(rows_of("a:i b:i"), KEYS(0, 1));
  const struct plan_node *c = sort_of(rows_of("c:i d:i"), KEYS(0));
  EXPECT_RULE(join_of(JOIN_LEFT, a, c, 0, 0), "join methods",
              "left join by merge on \"a\" = \"c\"\n  sort \"a\", \"b\"\n    " ROWS
              "  sort \"c\"\n    " ROWS);
  EXPECT_RULE(join_of(JOIN_LEFT, a, c, 1, 0), "join methods",
              "left join by hash on \"b\" = \"c\"\n  sort \"a\", \"b\"\n    " ROWS
              "  sort \"c\"\n    " ROWS);
  const struct plan_node *small = flat_copy(scan_of("time:T s:i")),
                         *large = flat_copy(scan_of("time:T l:i")),
                         *other = flat_copy(scan_of("time:T m:i"));
  struct plan_estimator estimator = {rows_by_name, NULL};
  struct plan_optimizing options = {
      .estimator = &estimator, .only = (const char *const[]){"join methods", NULL}, .check = true};
  struct err err;
  const struct plan_node *made =
      plan_optimize_with(&arena, join_of(JOIN_INNER, small, large, 1, 1), &options, &err);
  assert_true(made->join.build_left);
  made = plan_optimize_with(&arena, join_of(JOIN_INNER, large, small, 1, 1), &options, &err);
  assert_false(made->join.build_left);
  /* large × other by time, then small: each row of large meets one of small, so nothing is won
   * before small has a filter; then it comes in between */
  struct plan_node *pair = join_of(JOIN_INNER, large, other, 0, 0);
  struct plan_node *tree = join_of(JOIN_INNER, pair, small, 1, 1);
  options.only = (const char *const[]){"join order", "projections", NULL};
  assert_ptr_equal(plan_optimize_with(&arena, tree, &options, &err)->right, small);
  const struct plan_node *some = filter_of(small, equal(column_of(small, 1), int_of(1)));
  tree = join_of(JOIN_INNER, pair, some, 1, 1);
  made = plan_optimize_with(&arena, tree, &options, &err);
  EXPECT_PRINT(made, "project \"time\", \"l\", \"time\", \"m\", \"time\", \"s\"\n"
                     "  inner join on \"time\" = \"time\"\n"
                     "    inner join on \"l\" = \"s\"\n"
                     "      project \"time\", \"l\"\n        scan columns \"l\" time [, ]\n"
                     "      project \"time\", \"s\"\n        filter (\"s\" = 1)\n"
                     "          scan columns \"s\" time [, ]\n"
                     "    project \"time\", \"m\"\n      scan columns \"m\" time [, ]\n");
  assert_int_equal(plan_check(made, &err), ERR_OK);
  assert_int_equal(made->schema.count, 6);
}

static void test_join_keys(void **state) {
  (void)state;
  const struct plan_node *left = rows_of("a:i s:s"), *right = rows_of("f:f t:s");
  struct plan_node *join = join_of(JOIN_LEFT, left, right, PLAN_NO_COLUMN, 0);
  const struct plan_node *all = join_of(JOIN_INNER, left, right, PLAN_NO_COLUMN, 0);
  const struct expr *a = column_of(all, 0), *s = column_of(all, 1), *f = column_of(all, 2),
                    *t = column_of(all, 3);
  join->join.condition = both(both(equal(f, a), equal(s, call1(FUNCTION_LOWER, t))),
                              less(a, call1(FUNCTION_LENGTH, t)));
  EXPECT_RULE(join, "join keys",
              "project \"a\", \"s\", \"f\", \"t\"\n"
              "  left join on #2 = \"f\", \"s\" = #5 where (\"a\" < length(\"t\"))\n"
              "    project \"a\", \"s\", float(\"a\")\n      " ROWS
              "    project \"f\", \"t\", lower(\"t\")\n      " ROWS);
  struct plan_node *semi = join_of(JOIN_SEMI, left, right, PLAN_NO_COLUMN, 0);
  semi->join.condition = equal(f, a);
  EXPECT_RULE(semi, "join keys",
              "project \"a\", \"s\"\n  semi join on #2 = \"f\"\n"
              "    project \"a\", \"s\", float(\"a\")\n      " ROWS "    " ROWS);
  /* one side only, or equality that NaN does not have */
  join->join.condition = both(equal(a, int_of(1)), call2(FUNCTION_EQUAL, f, f));
  assert_ptr_equal(better(join, (const char *const[]){"join keys", NULL}, __LINE__), join);
}

/* ---- subqueries ---- */

static const struct expr *parameter(uint32_t number) {
  return expr_parameter(&arena, number, TYPE_INT64);
}

static void test_subqueries(void **state) {
  (void)state;
  const struct plan_node *left = rows_of("a:i b:i"), *right = rows_of("c:i d:i");
  const struct expr *c = column_of(right, 0), *d = column_of(right, 1);
  /* exists (select d from right where c = a and d < b) */
  const struct expr *just_d[] = {d};
  const struct plan_node *related =
      flat_of(filter_of(right, both(equal(c, parameter(0)), less(d, parameter(1)))), 1, just_d);
  EXPECT_RULE(apply_of(APPLY_SEMI, left, limit_of(related, 1, 0), INDICES(0, 1)), "subqueries",
              "semi join where ((\"c\" = \"a\") and (\"d\" < \"b\"))\n  " ROWS "  " ROWS);
  EXPECT_ALL(apply_of(APPLY_ANTI, left, related, INDICES(0, 1)),
             "anti join by hash on \"a\" = \"c\" where (\"d\" < \"b\")\n  " ROWS "  " ROWS);
  /* lateral: the column that the condition needs is appended and left out again */
  EXPECT_RULE(apply_of(APPLY_LEFT, left, related, INDICES(0, 1)), "subqueries",
              "project \"a\", \"b\", \"d\"\n"
              "  left join where ((\"c\" = \"a\") and (\"d\" < \"b\"))\n    " ROWS
              "    project \"d\", \"c\"\n      " ROWS);
  /* (select count(*) + max(d) from right where c = a) */
  const struct plan_node *same = filter_of(right, equal(c, parameter(0)));
  struct plan_node *group =
      group_of(same, 0, NULL, CALLS({AGGREGATE_COUNT, PLAN_NO_COLUMN}, {AGGREGATE_MAX, 1}));
  const struct expr *sum[] = {call2(FUNCTION_ADD, column_of(group, 0), column_of(group, 1))};
  EXPECT_RULE(apply_of(APPLY_SCALAR, left, flat_of(group, 1, sum), INDICES(0)), "subqueries",
              "project \"a\", \"b\", (coalesce(\"count\", 0) + \"max\")\n"
              "  left join where (\"c\" = \"a\")\n    " ROWS
              "    group by \"c\": count(*), max(\"d\")\n      " ROWS);
  /* a group with keys of its own */
  const struct plan_node *keyed = group_of(same, INDICES(1), CALLS({AGGREGATE_SUM, 1}));
  EXPECT_RULE(
      apply_of(APPLY_INNER, left, keyed, INDICES(0)), "subqueries",
      "project \"a\", \"b\", \"d\", \"sum\"\n"
      "  inner join where (\"c\" = \"a\")\n    " ROWS
      "    project \"d\", \"sum\", \"c\"\n      group by \"d\", \"c\": sum(\"d\")\n        " ROWS);
  /* distinct rows */
  EXPECT_RULE(apply_of(APPLY_INNER, left, unique_of(related, INDICES(0)), INDICES(0, 1)),
              "subqueries",
              "inner apply $1 = \"a\", $2 = \"b\"\n  " ROWS "  unique by \"d\"\n    project \"d\"\n"
              "      filter ((\"c\" = $1) and (\"d\" < $2))\n        " ROWS);
  /* the first rows of an order: the sort stays where its order is looked at */
  EXPECT_RULE(
      apply_of(APPLY_INNER, left, unique_of(sort_of(same, KEYS(0, ~1)), INDICES(0)), INDICES(0)),
      "subqueries",
      "inner join where (\"c\" = \"a\")\n  " ROWS "  unique by \"c\"\n"
      "    sort \"c\", \"d\" descending nulls first\n      " ROWS);
  EXPECT_RULE(apply_of(APPLY_INNER, left, sort_of(same, KEYS(1)), INDICES(0)), "subqueries",
              "inner join where (\"c\" = \"a\")\n  " ROWS "  " ROWS);
  /* a join inside */
  struct plan_node *inside = join_of(JOIN_INNER, same, rows_of("e:i"), 1, 0);
  inside->join.condition = less(column_of(inside, 2), parameter(1));
  EXPECT_RULE(apply_of(APPLY_SEMI, left, inside, INDICES(0, 1)), "subqueries",
              "semi join where ((\"c\" = \"a\") and (\"e\" < \"b\"))\n  " ROWS
              "  project \"c\", \"d\", \"e\"\n    inner join on \"d\" = \"e\"\n      " ROWS
              "      " ROWS);
  /* nothing to pull: run once */
  EXPECT_RULE(
      apply_of(APPLY_SCALAR, left, group_of(right, 0, NULL, CALLS({AGGREGATE_MAX, 1})), 0, NULL),
      "subqueries", "left join\n  " ROWS "  group: max(\"d\")\n    " ROWS);
  const struct plan_node *many = scan_of("time:T d:i");
  EXPECT_RULE(apply_of(APPLY_SCALAR, left, flat_of(many, 1, just_d), 0, NULL), "subqueries",
              "scalar apply\n  " ROWS "  project \"d\"\n    scan columns \"d\" time [, ]\n");
  /* a limit per row stays */
  EXPECT_RULE(apply_of(APPLY_INNER, left, limit_of(same, 3, 0), INDICES(0)), "subqueries",
              "inner apply $1 = \"a\"\n  " ROWS "  limit 3\n    filter (\"c\" = $1)\n      " ROWS);
}

/* ---- columns ---- */

static void test_columns(void **state) {
  (void)state;
  const struct plan_node *left = flat_copy(scan_of("time:T a:i b:i c:f")),
                         *right = flat_copy(scan_of("time:T d:i e:i s:s"));
  struct plan_node *join = join_of(JOIN_INNER, left, right, 1, 1);
  join->join.condition = less(column_of(join, 2), column_of(join, 6));
  const struct plan_node *group =
      group_of(sort_of(join, KEYS(0)), INDICES(7), CALLS({AGGREGATE_SUM, 3}, {AGGREGATE_MAX, 0}));
  const struct expr *sum[] = {column_of(group, 1)};
  EXPECT_RULE(flat_of(group, 1, sum), "columns",
              "project \"sum\"\n  group by \"s\": sum(\"c\")\n    sort \"time\"\n"
              "      inner join on \"a\" = \"d\" where (\"b\" < \"e\")\n"
              "        project \"time\", \"a\", \"b\", \"c\"\n"
              "          scan columns \"a\", \"b\", \"c\" time [, ]\n"
              "        project \"d\", \"e\", \"s\"\n"
              "          scan columns \"d\", \"e\", \"s\" time [, ]\n");
  const struct expr *only_c[] = {column_of(left, 3)};
  EXPECT_RULE(flat_of(join_of(JOIN_SEMI, left, right, 1, 1), 1, only_c), "columns",
              "project \"c\"\n  semi join on \"a\" = \"d\"\n"
              "    project \"a\", \"c\"\n      scan columns \"a\", \"c\" time [, ]\n"
              "    project \"d\"\n      scan columns \"d\" time [, ]\n");
  EXPECT_RULE(group_of(left, 0, NULL, CALLS({AGGREGATE_COUNT, PLAN_NO_COLUMN})), "columns",
              "group: count(*)\n  project \"time\"\n    scan columns time [, ]\n");
  struct plan_node *set = node_over(PLAN_SET, left);
  set->right = sort_of(left, KEYS(2));
  set->set = (struct plan_setting){SET_UNION, true};
  EXPECT_RULE(flat_of(set, 1, only_c), "columns",
              "project \"c\"\n  union all\n    project \"c\"\n      scan columns \"c\" time [, ]\n"
              "    project \"c\"\n      sort \"b\"\n        project \"b\", \"c\"\n"
              "          scan columns \"b\", \"c\" time [, ]\n");
  set->set.all = false;
  EXPECT_RULE(flat_of(set, 1, only_c), "columns",
              "project \"c\"\n  union\n    project \"time\", \"a\", \"b\", \"c\"\n"
              "      scan columns \"a\", \"b\", \"c\" time [, ]\n"
              "    sort \"b\"\n      project \"time\", \"a\", \"b\", \"c\"\n"
              "        scan columns \"a\", \"b\", \"c\" time [, ]\n");
}

/* ---- the table ---- */

static void test_choices(void **state) {
  (void)state;
  const struct plan_node *rows = rows_of("a:i");
  const struct plan_node *plan =
      filter_of(sort_of(sort_of(rows, KEYS(0)), KEYS(0)), equal(column_of(rows, 0), int_of(1)));
  struct plan_optimizing options = {.without = (const char *const[]){"filters", NULL}};
  struct err err;
  EXPECT_PRINT(plan_optimize_with(&arena, plan, &options, &err),
               "filter (\"a\" = 1)\n  sort \"a\"\n    " ROWS);
  options.without = (const char *const[]){"sorts", NULL};
  EXPECT_PRINT(plan_optimize_with(&arena, plan, &options, &err),
               "sort \"a\"\n  sort \"a\"\n    filter (\"a\" = 1)\n      " ROWS);
  EXPECT_ALL(plan, "sort \"a\"\n  filter (\"a\" = 1)\n    " ROWS);
  assert_non_null(plan_rule_name(0));
  assert_null(plan_rule_name(1000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_simple_filters, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_filters_down, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_filters_and_windows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_filters_and_joins, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_scan_conditions, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_scan_aggregates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_points, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_orders, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_joins, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_join_keys, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_subqueries, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_columns, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_choices, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
