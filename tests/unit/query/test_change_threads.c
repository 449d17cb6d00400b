/* Statements of several threads on one table of rows: none is lost, none is counted twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"

enum { THREADS = 2, TIMES = 150 };

struct worker {
  struct fixture *fixture;
  struct os_thread *thread;
  int64_t deleted;
};

/* Rows that the statement touched, or gave. */
static int64_t run(struct fixture *fixture, const char *text) {
  struct query_options options = {.language = QUERY_SQL,
                                  .text = str_from(text),
                                  .database = STR("d"),
                                  .form = QUERY_FORM_TEXT,
                                  .now_ns = INT64_C(1700000000000000000)};
  struct err err = {.offset = -1};
  struct query *query;
  struct query_event event;
  int64_t rows = 0;
  if (query_open(fixture->engine, &options, &query, &err)) fixture_fail(text, &err);
  do {
    if (query_next(query, &event, &err)) fixture_fail(text, &err);
    if (event.kind == QUERY_DONE && event.error.code) fixture_fail(text, &event.error);
    if (event.kind == QUERY_DONE) rows = event.rows;
  } while (event.kind != QUERY_END);
  query_close(query);
  return rows;
}

static void work(void *context) {
  struct worker *worker = context;
  char text[200];
  for (int i = 1; i <= TIMES; i++) {
    run(worker->fixture, "UPDATE sums SET n = n + 1 WHERE id = 1");
    run(worker->fixture, "INSERT INTO sums VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET n = sums.n "
                         "+ excluded.n");
    snprintf(text, sizeof text, "DELETE FROM jobs WHERE id = %d", i);
    worker->deleted += run(worker->fixture, text);
    snprintf(text, sizeof text, "DELETE FROM jobs WHERE id = %d AND what = 'y'", TIMES + i);
    worker->deleted += run(worker->fixture, text);
  }
}

static void test_writers_take_turns(void **state) {
  (void)state;
  struct fixture fixture = {0};
  struct worker workers[THREADS] = {0};
  struct err err = {.offset = -1};
  char path[] = "/tmp/nilo-change-threads-XXXXXX", command[128], text[200];
  int64_t deleted = 0;
  assert_non_null(mkdtemp(path));
  snprintf(fixture.path, sizeof fixture.path, "%s", path);
  if (os_real_create(&fixture.os, &err)) fixture_fail("os", &err);
  mem_account_init(&fixture.account, "test", NULL, 0);
  fixture_open(&fixture);
  fixture_database(&fixture, "d");
  run(&fixture, "CREATE TABLE sums (id bigint PRIMARY KEY, n bigint)");
  run(&fixture, "CREATE TABLE jobs (id bigint PRIMARY KEY, what text)");
  run(&fixture, "INSERT INTO sums VALUES (1, 0)");
  snprintf(text, sizeof text, "INSERT INTO jobs SELECT i, 'y' FROM generate_series(1, %d) AS g(i)",
           2 * TIMES);
  run(&fixture, text);
  for (int i = 0; i < THREADS; i++) {
    workers[i].fixture = &fixture;
    if (os_thread_create(fixture.os, "worker", work, &workers[i], &workers[i].thread, &err))
      fixture_fail("thread", &err);
  }
  for (int i = 0; i < THREADS; i++) {
    os_thread_join(workers[i].thread);
    deleted += workers[i].deleted;
  }
  assert_int_equal(deleted, 2 * TIMES);
  assert_int_equal(run(&fixture, "SELECT * FROM jobs"), 0);
  snprintf(text, sizeof text, "UPDATE sums SET n = 0 WHERE n = %d", THREADS * TIMES);
  assert_int_equal(run(&fixture, text), 2);
  fixture_end(&fixture);
  snprintf(command, sizeof command, "rm -rf %s", path);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_writers_take_turns)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
