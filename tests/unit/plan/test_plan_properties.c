/* The text of trees, the order of rows, binding parameters. */
#include "plan_nodes.h"

static void append_note(void *context, const struct plan_node *node, struct buffer *out) {
  buffer_printf(out, " [%s of %s]", node->input ? "node" : "leaf", (const char *)context);
}

static void test_print(void **state) {
  (void)state;
  const struct plan_node *left = rows_of("k:i v:f"), *right = rows_of("k:i t:t s:s");
  struct plan_node *join = join_of(JOIN_LEFT, left, right, 0, 0);
  join->join.condition = call2(FUNCTION_LESS, column_of(join, 1), float_of(2));
  join->join.method = JOIN_BY_HASH;
  EXPECT_PRINT(join, "left join by hash on \"k\" = \"k\" where (\"v\" < 2)\n"
                     "  values 0 rows\n  values 0 rows\n");
  struct plan_node *asof = join_of(JOIN_INNER, right, right, 0, 0);
  asof->join.asof = ASOF_BACKWARD;
  asof->join.left_time = asof->join.right_time = 1;
  asof->join.asof_tolerance = 7;
  EXPECT_PRINT(asof, "inner join on \"k\" = \"k\" as of backward \"t\", \"t\" within 7\n"
                     "  values 0 rows\n  values 0 rows\n");
  struct plan_node *group =
      group_of(right, INDICES(2, 0), CALLS({AGGREGATE_COUNT, PLAN_NO_COLUMN}, {AGGREGATE_MAX, 0}));
  EXPECT_PRINT(group, "group by \"s\", \"k\": count(*), max(\"k\")\n  values 0 rows\n");
  static const uint64_t sets[] = {3, 1, 0};
  group->group.sets = sets;
  group->group.set_count = 3;
  EXPECT_PRINT(group,
               "group by \"s\", \"k\" sets (\"s\", \"k\"), (\"s\"), (): count(*), max(\"k\")\n"
               "  values 0 rows\n");
  struct plan_node *sort = sort_of(right, KEYS(~1, 0));
  sort->sort.limit = 10;
  sort->sort.offset = 2;
  EXPECT_PRINT(sort, "sort \"t\" descending nulls first, \"k\" limit 10 offset 2\n"
                     "  values 0 rows\n");
  EXPECT_PRINT(unique_of(right, INDICES(2)), "unique by \"s\"\n  values 0 rows\n");
  struct plan_node *set = node_over(PLAN_SET, left);
  set->right = left;
  set->set = (struct plan_setting){SET_EXCEPT, true};
  EXPECT_PRINT(set, "except all\n  values 0 rows\n  values 0 rows\n");
  EXPECT_PRINT(apply_of(APPLY_SCALAR, left, filter_of(right, bool_of(true)), INDICES(1)),
               "scalar apply $1 = \"v\"\n  values 0 rows\n  filter true\n    values 0 rows\n");
  struct plan_over_call rank[] = {
      {.function = OVER_RANK, .fallback = PLAN_NO_COLUMN, .type = TYPE_INT64}};
  struct plan_node *over = node_over(PLAN_OVER, right);
  over->schema = joined_schema(right, rows_of("rank:i"), false);
  static const uint32_t partition[] = {2};
  over->over = (struct plan_overing){partition, 1, sort->sort.keys, 1, rank, 1};
  EXPECT_PRINT(over, "over partition by \"s\" order by \"t\" descending nulls first: rank()\n"
                     "  values 0 rows\n");
  struct buffer out;
  buffer_init(&out, &account);
  plan_print_notes(filter_of(left, bool_of(true)), append_note, (char[]){"x"}, &out);
  assert_true(
      str_equal(buffer_str(&out), STR("filter true [node of x]\n  values 0 rows [leaf of x]\n")));
  buffer_deinit(&out);
}

static void expect_order(const struct plan_node *node, const char *expected, int line) {
  struct plan_ordering order;
  char text[256] = "";
  size_t at = 0;
  assert_true(plan_order(&arena, node, &order));
  for (uint32_t i = 0; i < order.key_count; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%u", i ? " " : "",
                           order.keys[i].descending ? "-" : "", order.keys[i].column);
  if (strcmp(text, expected) != 0) fail_msg("line %d: expected %s, got %s", line, expected, text);
}
#define EXPECT_ORDER(node, expected) expect_order(node, expected, __LINE__)

static void test_order(void **state) {
  (void)state;
  struct plan_node *scan = scan_of("host:g time:T f:f");
  EXPECT_ORDER(scan, "0 1");
  EXPECT_ORDER(node_over(PLAN_REVERSE, scan), "0 -1");
  EXPECT_ORDER(filter_of(scan, bool_of(true)), "0 1");
  const struct expr *swapped[] = {column_of(scan, 2), column_of(scan, 1), column_of(scan, 0)};
  EXPECT_ORDER(flat_of(scan, 3, swapped), "2 1");
  EXPECT_ORDER(flat_of(scan, 2, swapped), ""); /* the first key is not there */
  struct plan_node *unordered = scan_of("host:g time:T f:f");
  unordered->scan.unordered = true;
  EXPECT_ORDER(unordered, "0");
  const struct plan_node *flat = rows_of("a:i b:i");
  EXPECT_ORDER(flat, "");
  EXPECT_ORDER(sort_of(flat, KEYS(1, ~0)), "1 -0");
  EXPECT_ORDER(sort_of(flat, KEYS(1, 1, 0)), "1 0"); /* nothing is left for the second to decide */
  EXPECT_ORDER(group_of(sort_of(flat, KEYS(1)), INDICES(1), CALLS({AGGREGATE_SUM, 0})), "");
  struct plan_node *join = join_of(JOIN_LEFT, flat, flat, 1, 0);
  EXPECT_ORDER(join, "");
  join->join.method = JOIN_BY_MERGE;
  EXPECT_ORDER(join, "1");
  struct plan_ordering order;
  assert_true(plan_order(&arena, flat_of(scan, 3, swapped), &order));
  static const struct plan_sort_key wanted[] = {{2, false, false}, {1, false, true}};
  static const struct plan_sort_key turned[] = {{2, true, true}};
  static const struct plan_sort_key twice[] = {
      {2, false, false}, {2, true, true}, {1, false, true}};
  static const struct plan_sort_key other[] = {{1, false, false}};
  assert_true(plan_order_covers(&order, wanted, 2)); /* neither has nulls */
  assert_true(plan_order_covers(&order, wanted, 1));
  assert_true(plan_order_covers(&order, twice, 3));
  assert_false(plan_order_covers(&order, turned, 1));
  assert_false(plan_order_covers(&order, other, 1));
  assert_true(plan_order_groups(&order, (uint32_t[]){1, 2}, 2));
  assert_true(plan_order_groups(&order, (uint32_t[]){2}, 1));
  assert_false(plan_order_groups(&order, (uint32_t[]){1}, 1));
  assert_false(plan_order_groups(&order, (uint32_t[]){0, 1, 2}, 3));
}

static void test_bind(void **state) {
  (void)state;
  const struct plan_node *rows = rows_of("a:i b:f");
  const struct expr *first = expr_parameter(&arena, 0, TYPE_INT64);
  const struct expr *second = expr_parameter(&arena, 1, TYPE_FLOAT64);
  const struct plan_node *filter = filter_of(
      rows, call2(FUNCTION_LESS, column_of(rows, 0), call2(FUNCTION_ADD, first, int_of(1))));
  const struct expr *list[] = {column_of(rows, 0), second};
  struct plan_node *join = join_of(JOIN_INNER, flat_of(filter, 2, list), rows, 0, 0);
  join->join.condition = call2(FUNCTION_LESS, column_of(join, 3), second);
  const char *unbound = "inner join on \"a\" = \"a\" where (\"b\" < $2)\n  project \"a\", $2\n"
                        "    filter (\"a\" < ($1 + 1))\n      values 0 rows\n  values 0 rows\n";
  EXPECT_PRINT(join, unbound);
  assert_true(plan_has_parameters(join, 0, 1));
  assert_true(plan_has_parameters(join, 1, 5));
  assert_false(plan_has_parameters(join, 2, 5));
  struct plan_value values[] = {{.type = TYPE_INT64, .i64 = 41}, {.type = TYPE_FLOAT64, .f64 = 2}};
  struct err err;
  const struct plan_node *bound = plan_bind(&arena, join, 0, values, 2, &err);
  EXPECT_PRINT(bound, "inner join on \"a\" = \"a\" where (\"b\" < 2)\n  project \"a\", 2\n"
                      "    filter (\"a\" < 42)\n      values 0 rows\n  values 0 rows\n");
  assert_ptr_equal(bound->right, rows); /* shared */
  EXPECT_PRINT(join, unbound);
  bound = plan_bind(&arena, join, 0, values, 1, &err);
  assert_false(plan_has_parameters(bound, 0, 1));
  assert_true(plan_has_parameters(bound, 1, 1));
  struct plan_value text = {.type = TYPE_STRING, .text = STR("x")};
  assert_null(plan_bind(&arena, join, 0, &text, 1, &err));
  assert_int_equal(err.code, ERR_UNSUPPORTED);
  struct plan_value nothing = {.type = TYPE_STRING, .null = true};
  assert_non_null(plan_bind(&arena, join, 0, &nothing, 1, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_print, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_bind, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
