/* Lowering: the plans that statements become, as text; times bound to units; conditions split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "catalog/catalog.h"
#include "lang/influxql/influxql.h"
#include "os/os.h"
#include "os/sim.h"
#include "series/filter.h"

struct setup {
  struct os *os;
  struct mem_account account;
  struct arena arena;
  struct catalog *catalog;
  struct catalog_table *table;
  struct influxql_context context;
};

static void add(struct setup *setup, enum column_kind kind, const char *name, struct type type) {
  const struct catalog_column *column;
  assert_int_equal(catalog_column_ensure(setup->table, kind, str_from(name), type, &column, NULL),
                   ERR_OK);
}

/* Every name is the one table. */
static int find_tables(void *user, const struct influxql_statement *select,
                       struct catalog_table *const **tables, uint32_t *count, struct err *err) {
  struct setup *setup = user;
  (void)err;
  *count = 0;
  for (uint32_t i = 0; i < select->source_count; i++)
    if (!select->sources[i].select) *count = 1;
  *tables = &setup->table;
  return ERR_OK;
}

static void begin(struct setup *setup, enum time_unit unit) {
  *setup = (struct setup){0};
  struct os_sim_options sim = {.seed = 1};
  assert_int_equal(os_sim_create(&sim, &setup->os, NULL), ERR_OK);
  mem_account_init(&setup->account, "test", NULL, 0);
  arena_init(&setup->arena, &setup->account, 4096);
  assert_int_equal(catalog_create(setup->os, &setup->account, NULL, &setup->catalog, NULL), ERR_OK);
  assert_int_equal(catalog_database_create(setup->catalog, STR("d"), unit, NULL), ERR_OK);
  assert_int_equal(catalog_table_ensure(setup->catalog, STR("d"), (struct str){0}, STR("cpu"),
                                        &setup->table, NULL),
                   ERR_OK);
  add(setup, COLUMN_TAG, "host", TYPE_STRING);
  add(setup, COLUMN_TAG, "region", TYPE_STRING);
  add(setup, COLUMN_FIELD, "usage", TYPE_FLOAT64);
  add(setup, COLUMN_FIELD, "n", TYPE_INT64);
  add(setup, COLUMN_FIELD, "s", TYPE_STRING);
  setup->context = (struct influxql_context){.arena = &setup->arena,
                                             .account = &setup->account,
                                             .now_ns = INT64_C(1000000000000),
                                             .find_tables = find_tables,
                                             .user = setup};
}

static void end(struct setup *setup) {
  influxql_context_deinit(&setup->context);
  arena_deinit(&setup->arena);
  catalog_table_release(setup->table);
  catalog_destroy(setup->catalog);
  os_destroy(setup->os);
  mem_account_deinit(&setup->account);
}

static const struct influxql_statement *parse(struct setup *setup, const char *text) {
  struct influxql_query query;
  struct err err;
  err_reset(&err);
  if (influxql_parse(str_from(text), &setup->arena, &query, &err))
    fail_msg("%s: %s", text, err.message);
  return &query.statements[0];
}

static const struct plan_node *lower(struct setup *setup, const char *text,
                                     struct influxql_selection *selection) {
  struct err err;
  err_reset(&err);
  if (influxql_lower_select(&setup->context, parse(setup, text), selection, &err))
    fail_msg("%s: %s", text, err.message);
  return selection->plan_count ? selection->plans[0].plan : NULL;
}

/* The kinds of nodes, top first. */
static void test_shapes(void **state) {
  (void)state;
  static const char letters[] = {
      [PLAN_SCAN] = 'S',      [PLAN_FILTER] = 'F', [PLAN_PROJECT] = 'P', [PLAN_FILL] = 'I',
      [PLAN_AGGREGATE] = 'A', [PLAN_WINDOW] = 'W', [PLAN_LIMIT] = 'L',   [PLAN_DISTINCT] = 'D'};
  static const struct {
    const char *text, *shape;
  } rows[] = {
      {"SELECT usage FROM cpu", "S"},
      {"SELECT usage, host FROM cpu", "S"},
      {"SELECT usage, usage FROM cpu", "PS"},
      {"SELECT usage + 1 FROM cpu", "PS"},
      {"SELECT usage FROM cpu WHERE host = 'a' AND time > 0", "S"},
      {"SELECT usage FROM cpu WHERE usage > 1", "FS"},
      {"SELECT usage FROM cpu WHERE n > 1", "PFS"},
      {"SELECT usage FROM cpu LIMIT 1", "LS"},
      {"SELECT usage FROM cpu SLIMIT 1", "LS"},
      {"SELECT host FROM cpu", ""},
      {"SELECT nothere FROM cpu", ""},
      {"SELECT usage FROM cpu WHERE time > 5 AND time < 3", ""},
      {"SELECT mean(usage) FROM cpu", "AS"},
      {"SELECT mean(usage) * 2 FROM cpu", "PAS"},
      {"SELECT mean(usage) FROM cpu WHERE usage > 1", "AFS"},
      {"SELECT mean(usage) FROM cpu WHERE n > 1", "FAFS"},
      {"SELECT max(usage), host FROM cpu", "FAS"},
      {"SELECT mean(usage) FROM cpu GROUP BY time(1m)", "IAS"},
      {"SELECT mean(usage) FROM cpu GROUP BY time(1m) fill(none)", "AS"},
      {"SELECT derivative(usage) FROM cpu", "FWS"},
      {"SELECT derivative(mean(usage)) FROM cpu GROUP BY time(1m) fill(none)", "FWAS"},
      {"SELECT derivative(mean(usage)) FROM cpu GROUP BY time(1m) LIMIT 2", "LFWIAS"},
      {"SELECT distinct(usage) FROM cpu", "DS"},
      {"SELECT distinct(usage) FROM cpu WHERE n > 1", "DFPFS"},
      {"SELECT count(distinct(usage)) FROM cpu", "AS"},
      {"SELECT mean(host) FROM cpu", ""},
  };
  struct setup setup;
  begin(&setup, TIME_NS);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct influxql_selection selection;
    char shape[16] = "";
    size_t used = 0;
    for (const struct plan_node *node = lower(&setup, rows[i].text, &selection); node;
         node = node->input)
      shape[used++] = letters[node->kind];
    shape[used] = 0;
    if (strcmp(shape, rows[i].shape) != 0) fail_msg("%s: %s", rows[i].text, shape);
  }
  end(&setup);
}

static void test_plan_text(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *parts[6]; /* what the printed plan must hold */
  } rows[] = {
      {"SELECT usage FROM cpu WHERE host = 'a' AND usage > 1 AND time >= 10 AND time < 20",
       {"filter", "\"usage\" > 1", "scan columns \"usage\"", "[10, 19]", "tags filtered"}},
      {"SELECT mean(usage) FROM cpu WHERE host = 'a' OR n = 2 GROUP BY region",
       {"aggregate", "mean(\"usage\")", "\"host\" = 'a'", "present", "\"n\" = 2", "or"}},
      {"SELECT percentile(usage, 90) FROM cpu GROUP BY time(1m, 10s)",
       {"fill", "aggregate", "percentile(\"usage\"", "90", "60000000000", "10000000000"}},
  };
  struct setup setup;
  begin(&setup, TIME_NS);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct influxql_selection selection;
    struct buffer out;
    buffer_init(&out, &setup.account);
    plan_print(lower(&setup, rows[i].text, &selection), &out);
    buffer_append_byte(&out, 0);
    for (size_t p = 0; p < 6 && rows[i].parts[p]; p++)
      if (!strstr((const char *)out.data, rows[i].parts[p]))
        fail_msg("%s: no %s in\n%s", rows[i].text, rows[i].parts[p], (const char *)out.data);
    buffer_deinit(&out);
  }
  end(&setup);
}

/* ---- conditions ---- */

static void print_filter(const struct setup *setup, const struct series_filter *filter, char *out,
                         size_t size) {
  static const char *const glue[] = {[SERIES_FILTER_AND] = "&", [SERIES_FILTER_OR] = "|"};
  size_t used = strlen(out);
  switch (filter->kind) {
  case SERIES_FILTER_TRUE:
    snprintf(out + used, size - used, "1");
    break;
  case SERIES_FILTER_FALSE:
    snprintf(out + used, size - used, "0");
    break;
  case SERIES_FILTER_NOT:
    snprintf(out + used, size - used, "!");
    print_filter(setup, filter->children[0], out, size);
    break;
  case SERIES_FILTER_AND:
  case SERIES_FILTER_OR:
    for (size_t i = 0; i < filter->child_count; i++) {
      used = strlen(out);
      snprintf(out + used, size - used, "%s", i ? glue[filter->kind] : "(");
      print_filter(setup, filter->children[i], out, size);
    }
    used = strlen(out);
    snprintf(out + used, size - used, ")");
    break;
  default: {
    const struct catalog_column *column = catalog_column_by_id(setup->table, filter->column_id);
    snprintf(out + used, size - used, "%.*s%s%.*s", column ? (int)column->name.size : 1,
             column ? column->name.data : "?", filter->kind == SERIES_FILTER_TEST ? "~" : "=",
             STR_ARG(filter->value));
  }
  }
}

/* What goes to the index, and whether rows are asked too. */
static void test_conditions(void **state) {
  (void)state;
  static const struct {
    const char *condition, *filter;
    bool residual;
  } rows[] = {
      {"host = 'a'", "host=a", false},
      {"host != 'a'", "!host=a", false},
      {"'a' = host", "host=a", false},
      {"host =~ /a/", "host~", false},
      {"host !~ /a/", "!host~", false},
      {"host = 'a' AND region = 'b'", "(host=a&region=b)", false},
      {"host = 'a' OR region = 'b'", "(host=a|region=b)", false},
      {"(host = 'a' OR host = 'b') AND usage > 1", "((host=a|host=b)&1)", true},
      {"host = 'a' OR usage > 1", "(host=a|1)", true},
      {"host = 'a' AND (region = 'b' OR usage > 1)", "(host=a&(region=b|1))", true},
      {"(host = 'a' AND usage > 1) OR (host = 'b' AND n > 1)", "((host=a&1)|(host=b&1))", true},
      {"usage > 1", "", true},
      {"nothere = 'a'", "?=a", false},
      {"nothere != 'a'", "!?=a", false},
      {"nothere > 1", "0", false},
      {"host = 1", "0", false},
      {"host != 1", "0", false},
      {"host = region", "", true},
      {"usage::tag = 'a'", "?=a", false},
      {"time > 5 AND host = 'a'", "host=a", false},
      {"true", "", false},
      {"false", "0", false},
  };
  struct setup setup;
  begin(&setup, TIME_NS);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct influxql_selection selection;
    char text[256], filter[256] = "";
    snprintf(text, sizeof text, "SELECT usage, n FROM cpu WHERE %s", rows[i].condition);
    const struct plan_node *node = lower(&setup, text, &selection);
    bool residual = false;
    for (; node->kind != PLAN_SCAN; node = node->input)
      residual = residual || node->kind == PLAN_FILTER;
    if (node->scan.filter) print_filter(&setup, node->scan.filter, filter, sizeof filter);
    if (strcmp(filter, rows[i].filter) != 0 || residual != rows[i].residual)
      fail_msg("%s: %s, residual %d", rows[i].condition, filter, residual);
  }
  end(&setup);
}

/* ---- times ---- */

#define LOW  INT64_MIN
#define HIGH INT64_MAX
#define NONE (INT64_MIN + 1) /* no row can be inside */

static void test_times(void **state) {
  (void)state;
  static const struct {
    enum time_unit unit;
    const char *condition;
    int64_t min, max;
  } rows[] = {
      {TIME_NS, "host = 'a'", LOW, HIGH},
      {TIME_NS, "time > 10", 11, HIGH},
      {TIME_NS, "time >= 10 AND time <= 20", 10, 20},
      {TIME_NS, "10 < time AND 20 >= time", 11, 20},
      {TIME_NS, "time = 10", 10, 10},
      {TIME_NS, "time > now() - 1s", INT64_C(999000000001), HIGH},
      {TIME_NS, "time < now() + 1s - 500ms", LOW, INT64_C(1000499999999)},
      {TIME_NS, "time >= 1.5e3", 1500, HIGH},
      {TIME_NS, "time >= '1970-01-01T00:00:01.5Z'", 1500000000, HIGH},
      {TIME_NS, "time >= '1970-01-01' + 1s", 1000000000, HIGH},
      {TIME_NS, "time > -10 AND time < -5", -9, -6},
      {TIME_NS, "time > 18446744073709551615", NONE, NONE},
      {TIME_NS, "time < 18446744073709551615", LOW, HIGH},
      {TIME_NS, "time > '9999-01-01'", NONE, NONE},
      {TIME_NS, "time < '9999-01-01' AND time > '0001-01-01'", LOW, HIGH},
      {TIME_S, "time >= 1500ms AND time <= 3500ms", 2, 3},
      {TIME_S, "time > 1s AND time < 3s", 2, 2},
      {TIME_S, "time > 1500ms AND time < 3500ms", 2, 3},
      {TIME_S, "time = 1s", 1, 1},
      {TIME_S, "time = 1500ms", NONE, NONE},
      {TIME_S, "time > 1100ms AND time < 1900ms", NONE, NONE},
      {TIME_S, "time > '9999-01-01' AND time <= '9999-01-01T00:00:01Z'", INT64_C(253370764801),
       INT64_C(253370764801)},
      {TIME_MS, "time >= -1500us AND time <= 1500us", -1, 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct setup setup;
    begin(&setup, rows[i].unit);
    struct influxql_selection selection;
    char text[256];
    snprintf(text, sizeof text, "SELECT usage FROM cpu WHERE %s", rows[i].condition);
    const struct plan_node *node = lower(&setup, text, &selection);
    if (rows[i].min == NONE
            ? node != NULL
            : !node || node->scan.time_min != rows[i].min || node->scan.time_max != rows[i].max)
      fail_msg("%s: %lld .. %lld", rows[i].condition, node ? (long long)node->scan.time_min : 0,
               node ? (long long)node->scan.time_max : 0);
    end(&setup);
  }
}

/* Windows over aggregates read the buckets before the first one. */
static void test_look_back(void **state) {
  (void)state;
  static const struct {
    const char *call, *order;
    int64_t min, max;
  } rows[] = {
      {"mean(usage)", "", 600, 999},
      {"derivative(mean(usage))", "", 540, 999},
      {"difference(mean(usage))", "ORDER BY time DESC", 600, 1059},
      {"moving_average(mean(usage), 4)", "", 420, 999},
      {"cumulative_sum(mean(usage))", "", 600, 999},
  };
  struct setup setup;
  begin(&setup, TIME_S);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct influxql_selection selection;
    char text[256];
    snprintf(text, sizeof text,
             "SELECT %s FROM cpu WHERE time >= 600s AND time < 1000s GROUP BY time(1m) %s",
             rows[i].call, rows[i].order);
    const struct plan_node *node = lower(&setup, text, &selection);
    while (node->kind != PLAN_SCAN)
      node = node->input;
    if (node->scan.time_min != rows[i].min || node->scan.time_max != rows[i].max)
      fail_msg("%s: %lld .. %lld", rows[i].call, (long long)node->scan.time_min,
               (long long)node->scan.time_max);
  }
  end(&setup);
}

/* Equal names are told apart by numbers, which must not cost more than the names. */
static void test_names(void **state) {
  (void)state;
  static const char *const names[] = {"time",    "usage_1",   "usage",
                                      "usage_2", "usage_1_1", "usage_3"};
  struct setup setup;
  struct influxql_selection selection;
  begin(&setup, TIME_S);
  lower(&setup, "SELECT usage AS usage_1, usage, usage, usage AS usage_1_1, usage FROM cpu",
        &selection);
  assert_int_equal(selection.column_count, 6);
  for (uint32_t i = 0; i < selection.column_count; i++)
    assert_true(str_equal(selection.column_names[i], str_from(names[i])));
  struct buffer text;
  buffer_init(&text, &setup.account);
  buffer_append_text(&text, "SELECT usage");
  for (int i = 1; i < 10000; i++)
    buffer_append_text(&text, ",usage");
  buffer_append(&text, " FROM cpu", sizeof " FROM cpu");
  lower(&setup, (const char *)text.data, &selection);
  assert_int_equal(selection.column_count, 10001);
  assert_true(str_equal(selection.column_names[10000], STR("usage_9999")));
  buffer_deinit(&text);
  end(&setup);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shapes),     cmocka_unit_test(test_plan_text),
      cmocka_unit_test(test_conditions), cmocka_unit_test(test_times),
      cmocka_unit_test(test_look_back),  cmocka_unit_test(test_names)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
