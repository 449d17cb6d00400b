/* Answers past damaged parts: a bit turns in a file while the engine serves, and every statement
 * that would have had rows of that part says that it lacks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"
#include "store/health.h"

enum { HOSTS = 3, TIMES = 400, BIT = 8 * 200 };

struct answer {
  int64_t rows;
  double sum;      /* of the second column */
  int64_t without; /* rows without a value in the last column */
  char message[1024];
  struct err error;
};

static void take_rows(struct answer *answer, const struct query_event *event) {
  answer->rows += event->batch.length;
  const struct column *last = &event->batch.columns[event->batch.column_count - 1];
  for (int64_t i = 0; i < last->length; i++)
    answer->without += !column_is_valid(last, i) ||
                       (last->dictionary && column_str(last->dictionary, last->i32[i]).size == 0);
  if (event->batch.column_count < 2) return;
  const struct column *column = &event->batch.columns[1];
  for (int64_t i = 0; i < column->length; i++) {
    if (!column_is_valid(column, i)) continue;
    if (column->type.physical == PHYSICAL_FLOAT64)
      answer->sum += column->f64[i];
    else if (column->type.physical == PHYSICAL_INT64)
      answer->sum += (double)column->i64[i];
  }
}

static struct answer ask(struct fixture *fixture, const char *text) {
  struct query_options options = {.language = QUERY_INFLUXQL,
                                  .text = str_from(text),
                                  .database = {"d", 1},
                                  .now_ns = INT64_C(1500000000000000000)};
  struct answer answer = {.error = {.offset = -1}};
  struct query *query;
  struct err err;
  if (query_open(fixture->engine, &options, &query, &err)) fixture_fail("query", &err);
  struct query_event event;
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    if (event.kind == QUERY_ROWS) take_rows(&answer, &event);
    if (event.kind == QUERY_MESSAGE)
      snprintf(answer.message, sizeof answer.message, "%.*s", (int)event.message.size,
               event.message.data);
    if (event.kind == QUERY_DONE && event.error.code) answer.error = event.error;
  } while (event.kind != QUERY_END);
  query_close(query);
  return answer;
}

/* Rows of all hosts at times from, from + 1 … seconds, value 1; and everything to disk. */
static void fill(struct fixture *fixture, int from) {
  char *text = malloc(HOSTS * TIMES * 64), *at = text;
  for (int host = 0; host < HOSTS; host++)
    for (int i = 0; i < TIMES; i++)
      at += snprintf(at, 64, "cpu,host=h%d usage=1,load=%di %d000000000\n", host, i, from + i);
  fixture_write(fixture, "d", text);
  free(text);
  struct err err;
  if (store_flush(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("flush", &err);
}

struct newest {
  char name[64];
};
static int visit_file(void *context, const char *name, bool is_dir) {
  struct newest *newest = context;
  if (!is_dir) snprintf(newest->name, sizeof newest->name, "%.60s", name);
  return 0;
}

/* Turns a bit of the newest file of parts; false: it has less. */
static bool try_damage(struct fixture *fixture, uint64_t bit) {
  struct newest newest;
  char path[128];
  assert_int_equal(os_dir_list(fixture->os, "/data/parts", visit_file, &newest, NULL), ERR_OK);
  snprintf(path, sizeof path, "/data/parts/%s", newest.name);
  return os_sim_flip_bit(fixture->os, path, bit, NULL) == ERR_OK;
}

static void test_r4_answers_say_that_they_are_degraded(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double whole, degraded; /* sums */
    int64_t whole_rows, degraded_rows;
  } rows[] = {
      {"SELECT usage FROM cpu", 2 * HOSTS * TIMES, HOSTS * TIMES, 2 * HOSTS * TIMES, HOSTS * TIMES},
      {"SELECT sum(usage) FROM cpu WHERE load >= 0", 2 * HOSTS * TIMES, HOSTS * TIMES, 1, 1},
      {"SELECT spread(load) FROM cpu WHERE usage > 0 GROUP BY host", HOSTS * (TIMES - 1),
       HOSTS * (TIMES - 1), HOSTS, HOSTS},
      {"SELECT usage FROM cpu WHERE time < 400s", HOSTS * TIMES, HOSTS * TIMES, HOSTS * TIMES,
       HOSTS * TIMES},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fixture fixture;
    fixture_begin(&fixture);
    fixture_database(&fixture, "d");
    fill(&fixture, 0);
    fill(&fixture, 10000);
    struct answer answer = ask(&fixture, rows[i].text);
    assert_int_equal(answer.error.code, ERR_OK);
    assert_int_equal(answer.rows, rows[i].whole_rows);
    assert_true(answer.sum == rows[i].whole);
    assert_string_equal(answer.message, "");
    assert_true(try_damage(&fixture, BIT));
    for (int round = 0; round < 2; round++) { /* found in the middle; and known before */
      answer = ask(&fixture, rows[i].text);
      if (answer.error.code) fixture_fail(rows[i].text, &answer.error);
      assert_int_equal(answer.rows, rows[i].degraded_rows);
      assert_true(answer.sum == rows[i].degraded);
      bool lacks = i < 3;
      assert_true(!lacks || strstr(answer.message, "left out"));
      assert_true(lacks || answer.message[0] == 0);
    }
    struct store_shard *shard = table_engine_shard(fixture.engine);
    assert_int_equal(store_shard_health(shard, 0, NULL, NULL),
                     i < 3 ? STORE_DEGRADED : STORE_HEALTHY);
    fixture_end(&fixture);
  }
}

/* Every byte of the newest file, one after another: whatever it is (rows, metadata, the register of
 * series, the tail), an answer is whole, or lacks that part's rows and says so. */
static void test_r4_any_bit_of_a_file_of_parts(void **state) {
  (void)state;
  unsigned degraded = 0, whole = 0;
  bool inside = true;
  for (uint64_t byte = 60; inside; byte += 37) {
    struct fixture fixture;
    fixture_begin(&fixture);
    fixture_database(&fixture, "d");
    fill(&fixture, 0);
    fill(&fixture, 10000);
    inside = try_damage(&fixture, 8 * byte + byte % 8);
    for (int round = 0; round < 3; round++) {
      struct answer answer = ask(&fixture, "SELECT usage, load FROM cpu WHERE host =~ /h/");
      if (answer.error.code) fixture_fail("select", &answer.error);
      bool lacks = answer.message[0] != 0;
      assert_int_equal(answer.rows, lacks ? HOSTS * TIMES : 2 * HOSTS * TIMES);
      assert_int_equal(ask(&fixture, "SELECT usage FROM cpu GROUP BY host").rows, answer.rows);
      if (round == 2) *(lacks ? &degraded : &whole) += 1;
    }
    fixture_end(&fixture);
  }
  assert_true(degraded > 20);
  (void)whole;
}

/* The file is the only one that knows the tags of rows in memory: those have their tags, or are
 * left out and the answer says so. They never come as if they had none. */
static void test_r4_rows_whose_tags_are_damaged(void **state) {
  (void)state;
  static const char *const texts[] = {
      "SELECT usage, host FROM cpu WHERE time > 5000s",
      "SELECT usage, host FROM cpu WHERE time > 5000s AND host =~ /h|^$/",
      "SELECT load, host FROM cpu WHERE time > 5000s GROUP BY host",
      "SELECT usage, host FROM cpu WHERE time > 5000s ORDER BY time DESC",
      "SELECT usage, host FROM cpu",
  };
  unsigned degraded = 0, whole = 0;
  bool inside = true;
  for (uint64_t byte = 60, i = 0; inside; byte += 29, i++) {
    struct fixture fixture;
    fixture_begin(&fixture);
    fixture_database(&fixture, "d");
    fixture_write(&fixture, "d", "cpu,host=other usage=1,load=1i 1\n");
    struct err err;
    if (store_flush(table_engine_shard(fixture.engine), 0, &err)) fixture_fail("flush", &err);
    fill(&fixture, 0); /* the catalog is not in this file */
    char text[256] = "";
    for (int host = 0; host < HOSTS; host++)
      snprintf(text + strlen(text), 64, "cpu,host=h%d usage=1,load=1i 10000000000000\n", host);
    fixture_write(&fixture, "d", text);
    inside = try_damage(&fixture, 8 * byte + byte % 8);
    if (i & 1) fixture_reopen(&fixture);
    for (size_t k = 0; k < 2 * sizeof texts / sizeof *texts; k++) {
      size_t which = (k + i) % (sizeof texts / sizeof *texts);
      struct answer answer = ask(&fixture, texts[which]);
      if (answer.error.code) fixture_fail(texts[which], &answer.error);
      if (answer.without)
        fail_msg("byte %d, %s: %d rows without tags", (int)byte, texts[which], (int)answer.without);
      int64_t all = which == 4 ? 1 + HOSTS * TIMES + HOSTS : HOSTS;
      bool lacks = answer.rows < all;
      if (lacks && !answer.message[0])
        fail_msg("byte %d, %s: rows are left out, and nothing says so", (int)byte, texts[which]);
      *(lacks ? &degraded : &whole) += 1;
    }
    fixture_end(&fixture);
  }
  assert_true(degraded > 20 && whole > 20);
}

/* Writes a body, or says why its lines could not be taken. */
static int try_write(struct fixture *fixture, const char *text) {
  struct table_write_options options = {.database = STR("d")};
  struct ingest_options ingest = {.precision = TIME_NS};
  struct table_write *write;
  struct table_piece *piece;
  uint32_t lines;
  struct err err;
  if (table_write_begin(fixture->engine, &options, &write, &err) ||
      table_write_piece(write, 0, &piece, &err))
    fixture_fail("begin", &err);
  int code = ingest_line_protocol(piece, fixture->cache, str_from(text), &ingest, &lines, &err);
  table_write_abort(write);
  if (!code) fixture_write(fixture, "d", text);
  return code;
}

static uint64_t count_ids(struct fixture *fixture) {
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine), STR("d"),
                                                   (struct str){0}, STR("cpu"));
  struct table_snapshot *snapshot;
  struct err err;
  uint64_t count;
  if (table_snapshot_acquire(fixture->engine, &snapshot, &err) ||
      table_series_cardinality(snapshot, table, &count, &err))
    fixture_fail("cardinality", &err);
  table_snapshot_release(snapshot);
  catalog_table_release(table);
  return count;
}

/* The id of a tag set may stand in the damaged file only: then nothing is written under another
 * one. What the cache or another part knows can still be written. */
static void test_r4_no_tag_set_gets_two_ids(void **state) {
  (void)state;
  unsigned refused = 0;
  bool inside = true;
  for (uint64_t byte = 60, i = 0; inside; byte += 31, i++) {
    struct fixture fixture;
    fixture_begin(&fixture);
    fixture_database(&fixture, "d");
    fixture_write(&fixture, "d", "cpu,host=other usage=1,load=1i 1\n");
    struct err err;
    if (store_flush(table_engine_shard(fixture.engine), 0, &err)) fixture_fail("flush", &err);
    fill(&fixture, 0);
    inside = try_damage(&fixture, 8 * byte + byte % 8);
    if (i & 1) fixture_reopen(&fixture);
    fixture_write(&fixture, "d", "cpu,host=other usage=1 2000000000000\n");
    int code = try_write(&fixture, "cpu,host=h1 usage=1 2000000000000\n");
    bool written = !code;
    assert_true(written || err_class(code) == ERR_CLASS_CORRUPTION);
    assert_true(written || (i & 1)); /* the cache knows it before the restart */
    refused += !written;
    assert_int_equal(ask(&fixture, "SELECT usage, host FROM cpu WHERE time > 1500s").without, 0);
    /* and when the bit is put right, everything is there, once */
    if (inside) assert_true(try_damage(&fixture, 8 * byte + byte % 8));
    fixture_reopen(&fixture);
    assert_int_equal(ask(&fixture, "SELECT usage FROM cpu").rows, HOSTS * TIMES + 2 + written);
    assert_int_equal(ask(&fixture, "SELECT count(usage) FROM cpu GROUP BY host").rows, HOSTS + 1);
    if (count_ids(&fixture) != HOSTS + 1) fail_msg("byte %d: two ids of one tag set", (int)byte);
    fixture_end(&fixture);
  }
  assert_true(refused > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r4_answers_say_that_they_are_degraded),
      cmocka_unit_test(test_r4_any_bit_of_a_file_of_parts),
      cmocka_unit_test(test_r4_rows_whose_tags_are_damaged),
      cmocka_unit_test(test_r4_no_tag_set_gets_two_ids),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
