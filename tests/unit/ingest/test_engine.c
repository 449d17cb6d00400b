/* Bodies, definitions and deletes on a whole engine: what drops and deletes mean for bodies under
 * way, what failures leave behind, and crashes at every operation. Here and not beside the tests of
 * table/, because line protocol is the shortest way to say a body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "table/write.h"

static char dump[1 << 16];

static int begin(void **state) {
  static struct fixture fixture;
  fixture_begin(&fixture);
  fixture_database(&fixture, "db");
  *state = &fixture;
  return 0;
}

static int end(void **state) {
  fixture_end(*state);
  return 0;
}

static void expect_rows(struct fixture *fixture, const char *table, const char *rows) {
  fixture_dump(fixture, "db", table, dump, sizeof dump);
  if (strcmp(dump, rows)) fail_msg("table %s: got\n%s, wanted\n%s", table, dump, rows);
}

static bool has_table(struct fixture *fixture, const char *name) {
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine), STR("db"),
                                                   (struct str){0}, str_from(name));
  catalog_table_release(table);
  return table != NULL;
}

static uint64_t table_id(struct fixture *fixture, const char *name) {
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine), STR("db"),
                                                   (struct str){0}, str_from(name));
  assert_non_null(table);
  uint64_t id = table->id;
  catalog_table_release(table);
  return id;
}

/* Deletes by one tag (NULL: all) in [min, max]. */
static void delete_rows(struct fixture *fixture, const char *name, const char *tag,
                        const char *value, int64_t min, int64_t max) {
  struct err err;
  err_reset(&err);
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine), STR("db"),
                                                   (struct str){0}, str_from(name));
  assert_non_null(table);
  struct series_filter filter = {.kind = SERIES_FILTER_EQUAL};
  if (tag) {
    filter.column_id = catalog_column_find(table, COLUMN_TAG, str_from(tag))->id;
    filter.value = str_from(value);
  }
  if (table_delete(fixture->engine, table, tag ? &filter : NULL, min, max, &err))
    fixture_fail("delete", &err);
  catalog_table_release(table);
}

static void flush(struct fixture *fixture) {
  struct err err;
  err_reset(&err);
  if (store_flush(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("flush", &err);
}

static void merge(struct fixture *fixture) {
  struct err err;
  err_reset(&err);
  if (store_merge(table_engine_shard(fixture->engine), 0, &err)) fixture_fail("merge", &err);
}

static void drop(struct fixture *fixture, const char *name) {
  struct err err;
  err_reset(&err);
  if (table_drop(fixture->engine, STR("db"), (struct str){0}, str_from(name), &err))
    fixture_fail("drop", &err);
}

/* A body that is parsed now and joined later. */
struct body {
  struct table_write *write;
  struct fixture_answer answer;
};

static void body_parse(struct fixture *fixture, struct body *body, const char *text, bool atomic) {
  *body = (struct body){.write = NULL};
  struct table_write_options options = {.database = STR("db"), .atomic = atomic};
  struct ingest_options ingest = {.precision = TIME_NS, .now_ns = 1};
  struct table_piece *piece;
  uint32_t lines;
  if (table_write_begin(fixture->engine, &options, &body->write, &body->answer.error) ||
      table_write_piece(body->write, 0, &piece, &body->answer.error) ||
      ingest_line_protocol(piece, fixture->cache, str_from(text), &ingest, &lines,
                           &body->answer.error))
    fixture_fail("parse", &body->answer.error);
}

static void body_commit(struct fixture *fixture, struct body *body) {
  os_mutex_init(&body->answer.lock, fixture->os);
  os_cond_init(&body->answer.cond, fixture->os);
  table_write_commit(body->write, fixture_done, &body->answer);
  os_mutex_lock(&body->answer.lock);
  while (!body->answer.done)
    os_cond_wait(&body->answer.cond, &body->answer.lock);
  os_mutex_unlock(&body->answer.lock);
  os_cond_deinit(&body->answer.cond);
  os_mutex_deinit(&body->answer.lock);
}

/* ---- answers ---- */

static void close_and_open(void *context, const struct table_write_result *result,
                           const struct err *error) {
  assert_int_equal(error->code, ERR_PARTIAL_WRITE);
  assert_int_equal(result->rows_rejected, 1);
  fixture_reopen(context);
}

/* Whoever is told the answer may close the engine: nothing of the body is left in it by then. Here
 * the body has nothing to log, so that the answer comes on the thread that commits. */
static void test_an_answered_body_is_gone(void **state) {
  struct fixture *fixture = *state;
  struct body body;
  body_parse(fixture, &body, "m v=", false);
  table_write_commit(body.write, close_and_open, fixture);
  fixture_write(fixture, "db", "m v=1 1");
  assert_true(has_table(fixture, "m"));
}

/* ---- deletes ---- */

/* A series whose rows are all deleted leaves the parts with them; who writes it again must be able
 * to say who it is, whatever had been flushed, merged or cached by then. */
static void test_written_again_after_a_delete(void **state) {
  struct fixture *fixture = *state;
  for (int steps = 0; steps < 32; steps++) {
    char name[16], line[64], wanted[64];
    snprintf(name, sizeof name, "m%d", steps);
    snprintf(line, sizeof line, "%s,host=a v=1 10\n%s,host=b v=1 10", name, name);
    fixture_write(fixture, "db", line);
    if (steps & 1) flush(fixture);
    delete_rows(fixture, name, "host", "a", INT64_MIN, INT64_MAX);
    if (steps & 2) flush(fixture);
    if (steps & 4) merge(fixture);
    snprintf(line, sizeof line, "%s,host=a v=2 20", name);
    fixture_write(fixture, "db", line);
    if (steps & 8) fixture_reopen(fixture);
    snprintf(line, sizeof line, "%s,host=a v=3 30", name);
    fixture_write(fixture, "db", line);
    flush(fixture);
    if (steps & 16) merge(fixture);
    fixture_reopen(fixture);
    fixture_dump(fixture, "db", name, dump, sizeof dump);
    snprintf(wanted, sizeof wanted, "host=a 20 v=2\n");
    if (!strstr(dump, wanted) || !strstr(dump, "host=a 30 v=3\n") ||
        !strstr(dump, "host=b 10 v=1\n") || strstr(dump, "host=a 10"))
      fail_msg("steps %d: got %s", steps, dump);
  }
}

/* The series was found before the delete and is used after it. */
static void test_a_delete_between_parsing_and_joining(void **state) {
  struct fixture *fixture = *state;
  for (int steps = 0; steps < 8; steps++) {
    char name[16], line[64];
    snprintf(name, sizeof name, "m%d", steps);
    snprintf(line, sizeof line, "%s,host=a v=1 10", name);
    fixture_write(fixture, "db", line);
    if (steps & 1) flush(fixture);
    struct body body;
    snprintf(line, sizeof line, "%s,host=a v=2 20", name);
    body_parse(fixture, &body, line, false);
    delete_rows(fixture, name, NULL, NULL, INT64_MIN, INT64_MAX);
    if (steps & 2) flush(fixture);
    if (steps & 4) merge(fixture);
    body_commit(fixture, &body);
    if (body.answer.error.code == ERR_CONFLICT) { /* "send it again" */
      snprintf(line, sizeof line, "%s,host=a v=2 20", name);
      fixture_write(fixture, "db", line);
    } else if (body.answer.error.code) {
      fixture_fail("commit", &body.answer.error);
    }
    fixture_reopen(fixture);
    flush(fixture);
    expect_rows(fixture, name, "host=a 20 v=2\n");
  }
}

/* A reader sees what its snapshot holds, with tags, after the rows and their tag set have gone. */
static void test_a_snapshot_outlives_a_delete(void **state) {
  struct fixture *fixture = *state;
  for (int steps = 0; steps < 4; steps++) {
    char name[16], line[64];
    snprintf(name, sizeof name, "m%d", steps);
    snprintf(line, sizeof line, "%s,host=a v=1 10\n%s,host=b v=1 10", name, name);
    fixture_write(fixture, "db", line);
    if (steps & 1) flush(fixture);
    struct err err;
    err_reset(&err);
    struct table_snapshot *snapshot;
    assert_int_equal(table_snapshot_acquire(fixture->engine, &snapshot, &err), ERR_OK);
    delete_rows(fixture, name, "host", "a", INT64_MIN, INT64_MAX);
    flush(fixture);
    if (steps & 2) merge(fixture);
    struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine),
                                                     STR("db"), (struct str){0}, str_from(name));
    struct arena arena;
    arena_init(&arena, &fixture->account, 1024);
    struct table_series series;
    uint32_t host = catalog_column_find(table, COLUMN_TAG, STR("host"))->id;
    struct series_filter filter = {
        .kind = SERIES_FILTER_EQUAL, .column_id = host, .value = STR("a")};
    assert_int_equal(
        table_select_series(snapshot, table, &filter, INT64_MIN, INT64_MAX, &arena, &series, &err),
        ERR_OK);
    assert_int_equal(series.count, 1);
    struct column tags;
    assert_int_equal(
        table_series_tags(snapshot, table, &series, &host, 1, &arena, &tags, NULL, &err), ERR_OK);
    struct str value = column_str(tags.dictionary, tags.i32[0]);
    assert_true(str_equal(value, STR("a")));
    arena_deinit(&arena);
    catalog_table_release(table);
    table_snapshot_release(snapshot);
  }
}

static void test_a_delete_from_an_empty_table_makes_no_store(void **state) {
  struct fixture *fixture = *state;
  fixture_write(fixture, "db", "m v=1 10");
  struct err err;
  err_reset(&err);
  struct catalog_table *table;
  assert_int_equal(catalog_table_ensure(table_engine_catalog(fixture->engine), STR("db"),
                                        (struct str){0}, STR("empty"), &table, &err),
                   ERR_OK);
  catalog_table_release(table);
  delete_rows(fixture, "empty", NULL, NULL, INT64_MIN, INT64_MAX);
  drop(fixture, "empty");
  assert_false(has_table(fixture, "empty"));
  fixture_reopen(fixture);
  expect_rows(fixture, "m", "10 v=1\n");
}

/* ---- drops ---- */

static void test_a_drop_between_parsing_and_joining(void **state) {
  struct fixture *fixture = *state;
  fixture_write(fixture, "db", "m,t=a v=1 10");
  uint64_t id = table_id(fixture, "m");
  struct body body;
  body_parse(fixture, &body, "m,t=a v=2 20\nm,t=b v=2 20\nn v=1 10", false);
  drop(fixture, "m");
  body_commit(fixture, &body);
  assert_int_equal(body.answer.error.code, ERR_OK);
  assert_int_equal(body.answer.result.rows_written, 3);
  for (int i = 0; i < 2; i++) {
    assert_false(has_table(fixture, "m"));
    expect_rows(fixture, "n", "10 v=1\n");
    fixture_reopen(fixture);
  }
  /* Made anew, it is another table. */
  fixture_write(fixture, "db", "m v=\"text\" 30");
  assert_true(table_id(fixture, "m") > id);
  expect_rows(fixture, "m", "30 v=\"text\"\n");
}

static void test_ids_are_not_given_again(void **state) {
  struct fixture *fixture = *state;
  uint64_t before = 0;
  for (int i = 0; i < 5; i++) {
    fixture_write(fixture, "db", "m v=1 10");
    uint64_t id = table_id(fixture, "m");
    assert_true(id > before);
    before = id;
    if (i & 1) flush(fixture);
    drop(fixture, "m");
    fixture_reopen(fixture);
    if (i & 1) merge(fixture);
  }
}

/* A drop that cannot be logged has changed nothing, now and after a restart. */
static void test_a_drop_that_fails(void **state) {
  struct fixture *fixture = *state;
  fixture_write(fixture, "db", "m,t=a v=1 10");
  struct err err;
  err_reset(&err);
  os_sim_fail_from(fixture->os, os_sim_operations(fixture->os) + 1, ERR_IO);
  assert_int_not_equal(table_drop(fixture->engine, STR("db"), (struct str){0}, STR("m"), &err), 0);
  assert_int_not_equal(table_drop_database(fixture->engine, STR("db"), &err), 0);
  assert_int_not_equal(table_create_database(fixture->engine, STR("other"), TIME_NS, &err), 0);
  os_sim_fail_from(fixture->os, 0, 0);
  assert_int_equal(
      catalog_database_find(table_engine_catalog(fixture->engine), STR("other"), NULL, NULL),
      ERR_UNKNOWN_DATABASE);
  expect_rows(fixture, "m", "t=a 10 v=1\n");
  fixture_reopen(fixture);
  expect_rows(fixture, "m", "t=a 10 v=1\n");
}

static enum os_sim_verdict fail_reads(void *context, const struct os_sim_event *event, int *code) {
  (void)context;
  *code = ERR_IO;
  return strcmp(event->call, "read") == 0 ? OS_SIM_FAIL : OS_SIM_GO;
}

/* A series that cannot be looked up is no fault of its line: the body fails, and can be sent again.
 */
static void test_a_read_that_fails_rejects_no_line(void **state) {
  struct fixture *fixture = *state;
  fixture_write(fixture, "db", "m,t=a v=1 10");
  flush(fixture);
  fixture_reopen(fixture);
  struct table_write_options options = {.database = STR("db")};
  struct ingest_options ingest = {.precision = TIME_NS};
  struct table_write *write;
  struct table_piece *piece;
  struct err err;
  uint32_t lines;
  err_reset(&err);
  assert_int_equal(table_write_begin(fixture->engine, &options, &write, &err), ERR_OK);
  assert_int_equal(table_write_piece(write, 0, &piece, &err), ERR_OK);
  os_sim_watch(fixture->os, fail_reads, NULL);
  assert_int_equal(ingest_line_protocol(piece, fixture->cache, STR("m,t=a v=2 20\nm,t=b v=3 30"),
                                        &ingest, &lines, &err),
                   ERR_IO);
  os_sim_watch(fixture->os, NULL, NULL);
  table_write_abort(write);
  fixture_write(fixture, "db", "m,t=a v=2 20");
  expect_rows(fixture, "m", "t=a 10 v=1\nt=a 20 v=2\n");
}

static int count_tables(void *context, struct catalog_table *table) {
  (void)table;
  ++*(int *)context;
  return 0;
}

/* What a failed commit made stays pending, is shown to nobody, and travels with the next one. */
static void test_a_commit_that_fails_then_one_that_does_not(void **state) {
  struct fixture *fixture = *state;
  struct body body;
  body_parse(fixture, &body, "m,t=a v=1,w=2i 10", false);
  os_sim_set_disk_bytes(fixture->os, 1);
  body_commit(fixture, &body);
  os_sim_set_disk_bytes(fixture->os, UINT64_C(1) << 40);
  int tables = 0;
  if (body.answer.error.code) {
    assert_int_equal(catalog_table_list(table_engine_catalog(fixture->engine), STR("db"),
                                        (struct str){0}, count_tables, &tables, NULL),
                     ERR_OK);
    assert_int_equal(tables, 0);
  }
  /* The same measurement in another shape: the columns that it needs go along. */
  fixture_write(fixture, "db", "m,t=a w=3i 20");
  fixture_reopen(fixture);
  fixture_dump(fixture, "db", "m", dump, sizeof dump);
  assert_non_null(strstr(dump, "t=a 20 w=3i\n"));
}

/* ---- conflicts ---- */

static void test_a_rejected_row_makes_nothing(void **state) {
  struct fixture *fixture = *state;
  fixture_write(fixture, "db", "m,t=a v=1 10");
  struct fixture_answer answer;
  fixture_write_pieces(fixture, "db", "m,t=new v=1i,fresh=1i 20\nm,t=a w=1 30", 1, &answer);
  assert_int_equal(answer.error.code, ERR_PARTIAL_WRITE);
  struct table_snapshot *snapshot;
  struct err err;
  err_reset(&err);
  assert_int_equal(table_snapshot_acquire(fixture->engine, &snapshot, &err), ERR_OK);
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine), STR("db"),
                                                   (struct str){0}, STR("m"));
  struct arena arena;
  arena_init(&arena, &fixture->account, 1024);
  struct table_series series;
  assert_int_equal(
      table_select_series(snapshot, table, NULL, INT64_MIN, INT64_MAX, &arena, &series, &err),
      ERR_OK);
  assert_int_equal(series.count, 1);
  assert_null(catalog_column_find(table, COLUMN_FIELD, STR("fresh")));
  assert_non_null(catalog_column_find(table, COLUMN_FIELD, STR("w")));
  arena_deinit(&arena);
  catalog_table_release(table);
  table_snapshot_release(snapshot);
}

/* The first line that stays fixes a type, in a new table too and however the body is cut. */
static void test_types_are_fixed_by_lines_that_stay(void **state) {
  struct fixture *fixture = *state;
  static const char *const text = "m a=1i 10\n"       /* fixes a */
                                  "m a=1.5,b=1i 20\n" /* rejected: b is not fixed by it */
                                  "m b=1.5 30\n"
                                  "m b=2i 40\n"; /* rejected */
  for (uint32_t pieces = 1; pieces <= 4; pieces++) {
    char database[16];
    snprintf(database, sizeof database, "types%u", pieces);
    fixture_database(fixture, database);
    struct fixture_answer answer;
    fixture_write_pieces(fixture, database, text, pieces, &answer);
    assert_int_equal(answer.error.code, ERR_PARTIAL_WRITE);
    assert_int_equal(answer.result.rows_rejected, 2);
    assert_int_equal(answer.error.line, 2);
    fixture_dump(fixture, database, "m", dump, sizeof dump);
    assert_string_equal(dump, "10 a=1i\n30 b=1.5\n");
  }
}

static void test_atomic_bodies(void **state) {
  struct fixture *fixture = *state;
  struct body body;
  body_parse(fixture, &body, "m v=1 10\nm v= 20\nn v=1 10", true);
  body_commit(fixture, &body);
  assert_int_equal(body.answer.error.code, ERR_PARSE);
  assert_int_equal(body.answer.error.line, 2);
  assert_int_equal(body.answer.result.rows_written, 0);
  expect_rows(fixture, "m", "");
  assert_false(has_table(fixture, "m")); /* what was refused before the join made nothing */
  body_parse(fixture, &body, "m v=1 10\nm v=\"x\" 20", true); /* a conflict inside the body */
  body_commit(fixture, &body);
  assert_int_equal(body.answer.error.code, ERR_TYPE_CONFLICT);
  expect_rows(fixture, "m", "");
  fixture_write(fixture, "db", "m v=2 20");
  expect_rows(fixture, "m", "20 v=2\n");
}

/* ---- failing memory ---- */

#define SHAPES                                                                                     \
  "%s,t=a,u=b v=1,w=2i,s=\"text\" 10\n%s,t=c v=2,b=t 20\n%sz v=1 10\n%s,t=a,u=b v=3 10\n"

/* One body, error or not; whatever fails must be told as memory. */
static void write_under_fault(struct fixture *fixture, const char *text) {
  struct table_write_options options = {.database = STR("db")};
  struct ingest_options ingest = {.precision = TIME_NS, .now_ns = 1};
  struct body body = {.write = NULL};
  struct table_piece *piece;
  uint32_t lines;
  struct err *err = &body.answer.error;
  int code = table_write_begin(fixture->engine, &options, &body.write, err);
  if (!code) code = table_write_piece(body.write, 0, &piece, err);
  if (!code)
    code = ingest_line_protocol(piece, fixture->cache, str_from(text), &ingest, &lines, err);
  if (code) {
    table_write_abort(body.write);
  } else {
    body_commit(fixture, &body);
    code = body.answer.error.code;
  }
  if (code && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT) fixture_fail("fault", err);
}

static void test_every_allocation_of_a_body_fails_once(void **state) {
  struct fixture *fixture = *state;
  for (int64_t n = 1;; n++) {
    char name[320], text[2048];
    /* Every other name is longer than what the catalog looks up without memory. */
    memset(name, 'x', sizeof name);
    snprintf(name + (n % 2 ? 280 : 0), 32, "m%lld", (long long)n);
    snprintf(text, sizeof text, SHAPES, name, name, name, name);
    atomic_store(&fixture->account.fail_countdown, n);
    write_under_fault(fixture, text);
    bool over = atomic_load(&fixture->account.fail_countdown) > 0;
    atomic_store(&fixture->account.fail_countdown, 0);
    fixture_write(fixture, "db", text); /* no restart is needed */
    if (n % 16 == 0) fixture_reopen(fixture);
    expect_rows(fixture, name,
                "t=a u=b 10 v=3 w=2i s=\"text\"\n"
                "t=c 20 v=2 b=true\n");
    if (over) break;
    assert_true(n < 10000);
  }
}

static void test_every_allocation_of_definitions_fails_once(void **state) {
  struct fixture *fixture = *state;
  for (int64_t n = 1;; n++) {
    struct err err;
    err_reset(&err);
    char line[32];
    fixture_write(fixture, "db", "m,t=a v=1 10");
    snprintf(line, sizeof line, "d%lld", (long long)n);
    atomic_store(&fixture->account.fail_countdown, n);
    int made = table_create_database(fixture->engine, str_from(line), TIME_NS, &err);
    int gone = made ? made : table_drop_database(fixture->engine, str_from(line), &err);
    int dropped =
        gone ? gone : table_drop(fixture->engine, STR("db"), (struct str){0}, STR("m"), &err);
    bool over = atomic_load(&fixture->account.fail_countdown) > 0;
    atomic_store(&fixture->account.fail_countdown, 0);
    if (dropped && dropped != ERR_NO_MEMORY && dropped != ERR_MEMORY_LIMIT)
      fixture_fail("definitions", &err);
    assert_int_equal(has_table(fixture, "m"), dropped != ERR_OK);
    if (n % 8 == 0) {
      fixture_reopen(fixture);
      assert_int_equal(has_table(fixture, "m"), dropped != ERR_OK);
    }
    if (over) break;
    assert_true(n < 1000);
  }
}

/* ---- crashes ---- */

enum { BODIES = 10 };

static void crash_body(int i, char *text, size_t size) {
  snprintf(text, size, "a,host=h%d v=%d %d\nb,host=h%d v=%d %d\nc%d v=%d %d\n", i % 4, i, i, i % 3,
           i, i, i, i, i);
}

/* Which of a body's three tables have its row, as bits. */
static int crash_rows(struct fixture *fixture, int i) {
  char name[32], line[64];
  int found = 0;
  for (int t = 0; t < 3; t++) {
    snprintf(name, sizeof name, t == 0 ? "a" : t == 1 ? "b" : "c%d", i);
    if (t == 2)
      snprintf(line, sizeof line, "%d v=%d\n", i, i);
    else
      snprintf(line, sizeof line, "host=h%d %d v=%d\n", t ? i % 3 : i % 4, i, i);
    fixture_dump(fixture, "db", name, dump, sizeof dump);
    if (strstr(dump, line)) found |= 1 << t;
  }
  return found;
}

/* Runs bodies, flushes and merges until the power is lost; returns how many bodies were
 * acknowledged. */
static int crash_run(struct fixture *fixture) {
  char text[256];
  for (int i = 1; i <= BODIES; i++) {
    crash_body(i, text, sizeof text);
    struct fixture_answer answer;
    fixture_write_pieces(fixture, "db", text, 2, &answer);
    if (answer.error.code) return i - 1;
    if (i % 3 == 0) store_flush(table_engine_shard(fixture->engine), 0, NULL);
    if (i == 7) store_merge(table_engine_shard(fixture->engine), 0, NULL);
    if (os_sim_crashed(fixture->os)) return i;
  }
  return BODIES;
}

static void test_crashes_at_every_operation(void **state) {
  (void)state;
  for (uint64_t operation = 1;; operation++) {
    struct fixture fixture;
    fixture_begin(&fixture);
    fixture_database(&fixture, "db");
    os_sim_crash_at(fixture.os, os_sim_operations(fixture.os) + operation);
    int acknowledged = crash_run(&fixture);
    bool crashed = os_sim_crashed(fixture.os);
    fixture_close(&fixture);
    os_sim_reboot(fixture.os, operation % 3 ? OS_SIM_LOSS_DRAWN : OS_SIM_LOSS_ALL);
    for (int again = 0; again < 2; again++) {
      fixture_open(&fixture);
      for (int i = 1; i <= BODIES; i++) {
        int found = crash_rows(&fixture, i);
        if (i <= acknowledged ? found != 7 : found != 0 && found != 7)
          fail_msg("operation %llu, body %d of %d acknowledged: tables %d",
                   (unsigned long long)operation, i, acknowledged, found);
      }
      fixture_write(&fixture, "db", "a,host=h1 v=0 100\nafter v=1 1");
      flush(&fixture);
      fixture_close(&fixture);
    }
    fixture_open(&fixture);
    fixture_end(&fixture);
    if (!crashed) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_an_answered_body_is_gone, begin, end),
      cmocka_unit_test_setup_teardown(test_written_again_after_a_delete, begin, end),
      cmocka_unit_test_setup_teardown(test_a_delete_between_parsing_and_joining, begin, end),
      cmocka_unit_test_setup_teardown(test_a_snapshot_outlives_a_delete, begin, end),
      cmocka_unit_test_setup_teardown(test_a_delete_from_an_empty_table_makes_no_store, begin, end),
      cmocka_unit_test_setup_teardown(test_a_drop_between_parsing_and_joining, begin, end),
      cmocka_unit_test_setup_teardown(test_ids_are_not_given_again, begin, end),
      cmocka_unit_test_setup_teardown(test_a_drop_that_fails, begin, end),
      cmocka_unit_test_setup_teardown(test_a_read_that_fails_rejects_no_line, begin, end),
      cmocka_unit_test_setup_teardown(test_a_commit_that_fails_then_one_that_does_not, begin, end),
      cmocka_unit_test_setup_teardown(test_a_rejected_row_makes_nothing, begin, end),
      cmocka_unit_test_setup_teardown(test_types_are_fixed_by_lines_that_stay, begin, end),
      cmocka_unit_test_setup_teardown(test_atomic_bodies, begin, end),
      cmocka_unit_test_setup_teardown(test_every_allocation_of_a_body_fails_once, begin, end),
      cmocka_unit_test_setup_teardown(test_every_allocation_of_definitions_fails_once, begin, end),
      cmocka_unit_test(test_crashes_at_every_operation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
