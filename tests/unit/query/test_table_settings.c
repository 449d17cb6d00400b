/* What is set for a measurement: floats are rounded within their bound before anything keeps them,
 * and merged parts are encoded as it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "codec/codec.h"
#include "engine_fixture.h"
#include "query/query.h"

enum { SEED = 577215, ROWS = 300 };

static uint64_t random_state = SEED;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* The statement's error, or ERR_OK; its answer as lines of cells. */
static int run(struct fixture *fixture, const char *text, char *out, size_t size, struct err *err) {
  struct query_options options = {
      .language = QUERY_INFLUXQL, .database = {"d", 1}, .text = str_from(text)};
  struct query *query;
  struct query_event event;
  size_t used = 0;
  int failed = ERR_OK;
  err_reset(err);
  if (size) out[0] = 0;
  int code = query_open(fixture->engine, &options, &query, err);
  if (code) return code;
  do {
    if ((code = query_next(query, &event, err))) fixture_fail(text, err);
    if (event.kind == QUERY_DONE && event.error.code) {
      *err = event.error;
      failed = event.error.code;
    }
    for (int64_t row = 0; event.kind == QUERY_ROWS && row < event.batch.length; row++)
      for (uint32_t c = 0; c < event.batch.column_count && used < size; c++)
        used += (size_t)snprintf(out + used, size - used, "%.*s%s",
                                 STR_ARG(column_str(&event.batch.columns[c], row)),
                                 c + 1 < event.batch.column_count ? "|" : "\n");
  } while (event.kind != QUERY_END);
  query_close(query);
  return failed;
}

static void statement(struct fixture *fixture, const char *text) {
  struct err err;
  if (run(fixture, text, NULL, 0, &err)) fixture_fail(text, &err);
}

static void begin(struct fixture *fixture) {
  fixture_begin(fixture);
  fixture_database(fixture, "d");
}

static void flush(struct fixture *fixture) {
  struct err err;
  if (store_flush(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("flush", &err);
}

static struct catalog_table *find(struct fixture *fixture, const char *name) {
  return catalog_table_find(table_engine_catalog(fixture->engine), STR("d"), (struct str){0},
                            str_from(name));
}

/* ---- rounding ---- */

/* Values that a line can say: random bits without NaN and infinities, and plain ones. */
static double make_value(int shape) {
  uint64_t bits = random_u64();
  double value, unit = (double)(bits >> 11) / 0x1p53;
  memcpy(&value, &bits, 8);
  if (shape == 0) return isfinite(value) ? value : -0.0;
  if (shape == 1) return (unit - 0.5) * pow(10, (double)(bits % 12));
  return 20 + unit;
}

/* Reads the values of field f of m back, in order of time. */
static void read_back(struct fixture *fixture, double *values) {
  static char text[ROWS * 64];
  fixture_dump(fixture, "d", "m", text, sizeof text);
  const char *at = text;
  for (int i = 0; i < ROWS; i++) {
    at = strstr(at, " f=");
    assert_non_null(at);
    values[i] = strtod(at + 3, NULL);
    at += 3;
  }
}

static void test_the_bound_holds_for_every_value(void **state) {
  (void)state;
  printf("seed %d\n", SEED);
  static const struct {
    const char *change;
    struct lossy_bound bound;
  } rows[] = {{"DECIMALS 0", {LOSSY_DECIMALS, 0, 0}},
              {"DECIMALS 2", {LOSSY_DECIMALS, 2, 0}},
              {"DECIMALS 15", {LOSSY_DECIMALS, 15, 0}},
              {"ERROR 0.05", {LOSSY_ABSOLUTE, 0, 0.05}},
              {"ERROR 30000", {LOSSY_ABSOLUTE, 0, 30000}},
              {"ERROR 0", {LOSSY_ABSOLUTE, 0, 0}},
              {"RELATIVE ERROR 0.01", {LOSSY_RELATIVE, 0, 0.01}},
              {"RELATIVE ERROR 1e-7", {LOSSY_RELATIVE, 0, 1e-7}}};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
    for (int shape = 0; shape < 3; shape++) {
      static char body[ROWS * 64], text[100];
      double written[ROWS], read[ROWS], again[ROWS];
      struct fixture fixture;
      begin(&fixture);
      snprintf(text, sizeof text, "CREATE MEASUREMENT m FIELD f %s", rows[r].change);
      statement(&fixture, text);
      size_t used = 0, changed = 0;
      for (int i = 0; i < ROWS; i++) {
        written[i] = make_value(shape);
        used += (size_t)snprintf(body + used, sizeof body - used, "m f=%.17g %d\n", written[i], i);
      }
      fixture_write(&fixture, "d", body);
      read_back(&fixture, read); /* what memory says */
      for (int i = 0; i < ROWS; i++) {
        changed += memcmp(&written[i], &read[i], 8) != 0;
        if (!codec_within_bound(&rows[r].bound, written[i], read[i]))
          fail_msg("%s: %.17g became %.17g", rows[r].change, written[i], read[i]);
      }
      if (shape == 2 && rows[r].bound.decimals < 15 &&
          (rows[r].bound.kind == LOSSY_DECIMALS || rows[r].bound.limit > 0))
        assert_true(changed > ROWS / 2);
      fixture_reopen(&fixture); /* what the log says */
      read_back(&fixture, again);
      assert_memory_equal(read, again, sizeof read);
      flush(&fixture); /* what a part says */
      read_back(&fixture, again);
      assert_memory_equal(read, again, sizeof read);
      fixture_end(&fixture);
    }
}

/* What becomes of a value depends on nothing that comes with it. */
static void test_a_value_becomes_the_same_in_any_body(void **state) {
  (void)state;
  struct fixture fixture;
  static char text[400];
  begin(&fixture);
  statement(&fixture, "CREATE MEASUREMENT m FIELD * RELATIVE ERROR 0.01");
  fixture_write(&fixture, "d", "m f=0.0012345 1\nm f=123456.7 2\nm f=1.2345678 3\n");
  fixture_write(&fixture, "d", "m f=1.2345678 4\n");
  fixture_write(&fixture, "d", "m f=123456.7 5\nm f=98765432.1 6\n");
  assert_string_equal(fixture_dump(&fixture, "d", "m", text, sizeof text),
                      "1 f=0.00123\n2 f=123000\n3 f=1.23\n4 f=1.23\n5 f=123000\n6 f=99000000\n");
  fixture_end(&fixture);
}

static void test_which_fields_are_rounded(void **state) {
  (void)state;
  struct fixture fixture;
  static char text[800];
  begin(&fixture);
  fixture_write(&fixture, "d", "m a=1.256,b=1.256,c=1.256,i=7i,s=\"1.256\",t=true 1\n");
  statement(&fixture, "ALTER MEASUREMENT m FIELD * DECIMALS 1, FIELD b DECIMALS 2, FIELD c EXACT");
  fixture_write(&fixture, "d", "m a=1.256,b=1.256,c=1.256,i=7i,s=\"1.256\",t=true 2\n");
  fixture_write(&fixture, "d", "m a=1.256 3\nn a=1.256 3\n"); /* a row alone; another table */
  statement(&fixture, "ALTER MEASUREMENT m FIELD b DEFAULT, FIELD c DEFAULT");
  fixture_write(&fixture, "d", "m b=1.256,c=1.256,fresh=9.99 4\nm b=-0 5\n");
  statement(&fixture, "ALTER MEASUREMENT m FIELD * DEFAULT");
  fixture_write(&fixture, "d", "m a=1.256,b=1.256 6\n");
  assert_string_equal(fixture_dump(&fixture, "d", "m", text, sizeof text),
                      "1 a=1.256 b=1.256 c=1.256 i=7i s=\"1.256\" t=true\n"
                      "2 a=1.3 b=1.26 c=1.256 i=7i s=\"1.256\" t=true\n"
                      "3 a=1.3\n4 b=1.3 c=1.3 fresh=10\n5 b=-0\n6 a=1.256 b=1.256\n");
  assert_string_equal(fixture_dump(&fixture, "d", "n", text, sizeof text), "3 a=1.256\n");
  fixture_end(&fixture);
}

/* ---- statements ---- */

static void test_settings_are_durable_and_shown(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  static char text[800];
  begin(&fixture);
  fixture_write(&fixture, "d", "m f=1.5 1\n");
  const char *show = "SHOW MEASUREMENT SETTINGS";
  assert_int_equal(run(&fixture, show, text, sizeof text, &err), ERR_OK);
  assert_string_equal(text, "codec||entropy\n");
  statement(&fixture, "ALTER MEASUREMENT m FIELD f ERROR 0.25, CODEC hot, FIELD * DECIMALS 3");
  statement(&fixture, "CREATE MEASUREMENT later FIELD x RELATIVE ERROR 0.5");
  for (int i = 0; i < 2; i++) {
    assert_int_equal(run(&fixture, show, text, sizeof text, &err), ERR_OK);
    assert_string_equal(text, "codec||entropy\nprecision|x|relative error 0.5\n"
                              "codec||hot\nprecision|*|decimals 3\nprecision|f|error 0.25\n");
    struct catalog_table *table = find(&fixture, "m");
    assert_int_equal(catalog_table_settings(table)->number, 1);
    catalog_table_release(table);
    fixture_reopen(&fixture);
  }
  fixture_write(&fixture, "d", "later x=1.4 1\n");
  assert_string_equal(fixture_dump(&fixture, "d", "later", text, sizeof text), "1 x=1\n");
  /* A table of that name made anew has none of it. */
  statement(&fixture, "DROP MEASUREMENT later");
  fixture_write(&fixture, "d", "later x=1.4 1\n");
  fixture_reopen(&fixture);
  assert_string_equal(fixture_dump(&fixture, "d", "later", text, sizeof text),
                      "1 x=1.3999999999999999\n");
  fixture_end(&fixture);
}

static void test_what_is_refused_changes_nothing(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  static char text[400];
  begin(&fixture);
  fixture_write(&fixture, "d", "m f=1.5,i=2i 1\n");
  assert_int_equal(run(&fixture, "ALTER MEASUREMENT nosuch CODEC hot", NULL, 0, &err),
                   ERR_UNKNOWN_TABLE);
  assert_int_equal(
      run(&fixture, "ALTER MEASUREMENT m CODEC hot, FIELD i DECIMALS 1", NULL, 0, &err),
      ERR_INVALID_ARGUMENT);
  assert_non_null(strstr(err.message, "only floats are rounded"));
  assert_int_equal(run(&fixture, "SHOW MEASUREMENT SETTINGS", text, sizeof text, &err), ERR_OK);
  assert_string_equal(text, "codec||entropy\n");
  fixture_end(&fixture);
}

/* Memory is refused at each place once: the settings are the old ones or the new ones, after a
 * restart too, and nothing is held. */
static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  static char text[400];
  int refused = 0;
  begin(&fixture);
  fixture_write(&fixture, "d", "m f=1.5 1\n");
  for (int64_t n = 1; n < 40; n++) {
    struct table_change changes[2] = {
        {.kind = TABLE_SET_BOUND, .field = STR("f"), .bound = {LOSSY_DECIMALS, (unsigned)n % 9, 0}},
        {.kind = TABLE_SET_CODEC, .codec = (enum catalog_codec)(n % 3)}};
    struct table_setting setting = {
        .database = STR("d"), .name = STR("m"), .changes = changes, .change_count = 2};
    struct catalog_table *table = find(&fixture, "m");
    uint64_t number = catalog_table_settings(table)->number;
    err_reset(&err);
    atomic_store(&fixture.account.fail_countdown, n);
    int code = table_change_settings(fixture.engine, &setting, &err);
    atomic_store(&fixture.account.fail_countdown, 0);
    if (code) assert_int_equal(err_info(code)->class, ERR_CLASS_RESOURCE);
    refused += code != ERR_OK;
    const struct catalog_settings *settings = catalog_table_settings(table);
    assert_int_equal(settings->number, number + (code == ERR_OK));
    if (!code) assert_int_equal(catalog_settings_bound(settings, STR("f"))->decimals, n % 9);
    catalog_table_release(table);
  }
  assert_in_range(refused, 3, 38);
  static char before[400];
  assert_int_equal(run(&fixture, "SHOW MEASUREMENT SETTINGS", before, sizeof before, &err), ERR_OK);
  fixture_reopen(&fixture);
  assert_int_equal(run(&fixture, "SHOW MEASUREMENT SETTINGS", text, sizeof text, &err), ERR_OK);
  assert_string_equal(text, before);
  fixture_end(&fixture);
}

/* ---- merges ---- */

/* The level of the only part of m that is on disk. */
static uint32_t merged_level(struct fixture *fixture) {
  struct err err;
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  struct store_part_facts facts;
  struct catalog_table *table = find(fixture, "m");
  if (store_merge(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("merge", &err);
  assert_int_equal(store_snapshot_acquire(table_engine_shard(fixture->engine), &snapshot, &err), 0);
  assert_int_equal(store_snapshot_parts(snapshot, table->id, &parts), 1);
  store_part_facts(parts[0], &facts);
  store_snapshot_release(snapshot);
  catalog_table_release(table);
  return facts.level;
}

static void write_part(struct fixture *fixture, int from) {
  static char body[2000 * 40];
  size_t used = 0;
  for (int i = from; i < from + 2000; i++)
    used += (size_t)snprintf(body + used, sizeof body - used, "m f=%d %d\n",
                             (int)(random_u64() % 7 + random_u64() % 7), i);
  fixture_write(fixture, "d", body);
  flush(fixture);
}

static void test_merges_follow_the_policy(void **state) {
  (void)state;
  struct fixture fixture;
  static char before[200000], after[200000];
  begin(&fixture);
  write_part(&fixture, 0);
  write_part(&fixture, 2000);
  fixture_dump(&fixture, "d", "m", before, sizeof before);
  assert_int_equal(merged_level(&fixture), CODEC_COLD);
  /* A part that is alone is written again where everything is to be merged, once. */
  statement(&fixture, "ALTER MEASUREMENT m CODEC hot");
  assert_int_equal(merged_level(&fixture), CODEC_HOT);
  statement(&fixture, "ALTER MEASUREMENT m CODEC zstd");
  assert_int_equal(merged_level(&fixture), CODEC_SMALLEST);
  fixture_reopen(&fixture);
  write_part(&fixture, 4000);
  assert_int_equal(merged_level(&fixture), CODEC_SMALLEST);
  statement(&fixture, "ALTER MEASUREMENT m CODEC entropy");
  assert_int_equal(merged_level(&fixture), CODEC_COLD);
  fixture_dump(&fixture, "d", "m", after, sizeof after);
  assert_memory_equal(before, after, strlen(before));
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_bound_holds_for_every_value),
      cmocka_unit_test(test_a_value_becomes_the_same_in_any_body),
      cmocka_unit_test(test_which_fields_are_rounded),
      cmocka_unit_test(test_settings_are_durable_and_shown),
      cmocka_unit_test(test_what_is_refused_changes_nothing),
      cmocka_unit_test(test_every_allocation_fails_once),
      cmocka_unit_test(test_merges_follow_the_policy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
