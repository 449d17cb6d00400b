/* Places of queries: who waits, in which order, for how long, and what others do meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/limits.h"
#include "os/os.h"
#include "os/pool.h"
#include "os/sim.h"
#include "query/query.h"
#include "query/query_control.h"
#include "table/engine.h"

enum { SECOND = 1000000000 };

struct scene {
  struct os *os;
  struct os_pool *pool;
  struct mem_account account;
  struct table_engine *engine;
  struct query_control *control;
};

static void begin(struct scene *scene, uint64_t seed, const struct query_control_options *limits) {
  struct os_sim_options sim = {.seed = seed, .cpus = 2, .stack_bytes = 512 << 10};
  *scene = (struct scene){0};
  assert_int_equal(os_sim_create(&sim, &scene->os, NULL), ERR_OK);
  assert_int_equal(os_pool_create(scene->os, 2, &scene->pool, NULL), ERR_OK);
  mem_account_init(&scene->account, "test", NULL, 0);
  struct table_engine_options options = {.pool = scene->pool};
  store_options_default(&options.store);
  options.store.path = "data";
  options.store.os = scene->os;
  options.store.account = &scene->account;
  options.store.background = false;
  assert_int_equal(table_engine_open(&options, &scene->engine, NULL), ERR_OK);
  struct query_control_options control = *limits;
  control.os = scene->os;
  control.pool = scene->pool;
  control.account = &scene->account;
  assert_int_equal(query_control_create(&control, &scene->control, NULL), ERR_OK);
}

static struct query_control_figures figures_of(struct scene *scene) {
  struct query_control_figures figures;
  query_control_figures(scene->control, &figures);
  return figures;
}

static void end(struct scene *scene) {
  assert_int_equal(figures_of(scene).open, 0);
  assert_int_equal(figures_of(scene).running, 0);
  assert_int_equal(figures_of(scene).memory_bytes, 0);
  query_control_destroy(scene->control);
  table_engine_close(scene->engine);
  os_pool_destroy(scene->pool);
  mem_account_deinit(&scene->account);
  os_destroy(scene->os);
}

static int open_query(struct scene *scene, const char *text, struct query **query,
                      struct err *err) {
  struct query_options options = {
      .language = QUERY_INFLUXQL, .text = str_from(text), .control = scene->control};
  return query_open(scene->engine, &options, query, err);
}

static void no_more_than_may_be_open(void **state) {
  (void)state;
  struct scene scene;
  struct query *queries[3];
  struct err err;
  begin(&scene, 1, &(struct query_control_options){.open_max = 2});
  assert_int_equal(open_query(&scene, "SHOW DATABASES", &queries[0], &err), ERR_OK);
  assert_int_equal(open_query(&scene, "SHOW DATABASES", &queries[1], &err), ERR_OK);
  assert_int_equal(open_query(&scene, "SHOW DATABASES", &queries[2], &err), ERR_BUSY);
  assert_true(err.retry_ms > 0);
  assert_non_null(strstr(err.hint, "query.concurrent_max"));
  query_close(queries[1]);
  assert_int_equal(open_query(&scene, "SHOW", &queries[1], &err), ERR_PARSE);
  assert_int_equal(figures_of(&scene).open, 1);
  assert_int_equal(figures_of(&scene).refused, 1);
  query_close(queries[0]);
  end(&scene);
}

/* Without a place in time the answer is "busy", and the line is empty again. */
static void waiting_ends(void **state) {
  (void)state;
  struct scene scene;
  struct query *query, *other;
  struct err err;
  begin(&scene, 2, &(struct query_control_options){.running_max = 1, .wait_ns = 3LL * SECOND});
  assert_int_equal(open_query(&scene, "SHOW DATABASES", &query, &err), ERR_OK);
  int64_t before = os_monotonic_ns(scene.os);
  assert_int_equal(open_query(&scene, "SHOW DATABASES", &other, &err), ERR_BUSY);
  assert_true(os_monotonic_ns(scene.os) - before >= 3LL * SECOND);
  assert_true(err.retry_ms > 0);
  assert_non_null(strstr(err.hint, "query.running_max"));
  struct query_control_figures figures = figures_of(&scene);
  assert_int_equal(figures.waiting, 0);
  assert_int_equal(figures.waited, 1);
  assert_int_equal(figures.refused, 1);
  assert_true(figures.wait_ns > 2ULL * SECOND);
  /* while its reader rests its place is another's, and it goes on without waiting */
  query_rest(query);
  query_rest(query);
  assert_int_equal(open_query(&scene, "SHOW DATABASES", &other, &err), ERR_OK);
  struct query_event event;
  assert_int_equal(query_next(query, &event, &err), ERR_OK);
  assert_int_equal(figures_of(&scene).running, 2);
  query_close(other);
  query_close(query);
  end(&scene);
}

/* ---- a line ---- */

enum { IN_LINE = 12, PLACES = 1 };
struct line {
  struct scene scene;
  struct os_mutex lock;
  int order[IN_LINE], arrived, done, inside, inside_most;
  bool others_ran;
};
struct guest {
  struct os_task task;
  struct line *line;
  int number, arrival;
};

static void run_guest(struct os_task *task) {
  struct guest *guest = (struct guest *)task;
  struct line *line = guest->line;
  struct query *query;
  struct query_event event = {.kind = QUERY_STATEMENT};
  struct err err;
  os_mutex_lock(&line->lock);
  guest->arrival = line->arrived++;
  os_mutex_unlock(&line->lock);
  assert_int_equal(open_query(&line->scene, "SHOW DATABASES", &query, &err), ERR_OK);
  os_mutex_lock(&line->lock);
  line->inside++;
  if (line->inside > line->inside_most) line->inside_most = line->inside;
  os_mutex_unlock(&line->lock);
  os_sleep_ns(line->scene.os, SECOND / 10);
  while (event.kind != QUERY_END)
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
  os_mutex_lock(&line->lock);
  line->inside--;
  line->order[line->done++] = guest->number;
  os_mutex_unlock(&line->lock);
  query_close(query);
}

static void run_other(struct os_task *task) {
  struct guest *guest = (struct guest *)task;
  os_mutex_lock(&guest->line->lock);
  guest->line->others_ran = guest->line->done < IN_LINE;
  os_mutex_unlock(&guest->line->lock);
}

/* More queries than places and than threads: they get in one at a time, and who waits holds no
 * thread that other work needs. */
static void a_line_of_queries(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 5; seed++) {
    struct line line = {.done = 0};
    struct guest guests[IN_LINE], other;
    int done;
    begin(&line.scene, seed,
          &(struct query_control_options){.running_max = PLACES, .wait_ns = 60LL * SECOND});
    os_mutex_init(&line.lock, line.scene.os);
    for (int i = 0; i < IN_LINE; i++) {
      guests[i] = (struct guest){{.run = run_guest}, &line, i, 0};
      os_pool_submit(line.scene.pool, &guests[i].task);
    }
    other = (struct guest){{.run = run_other}, &line, 0, 0};
    os_pool_submit(line.scene.pool, &other.task);
    struct os_pool_figures figures;
    do {
      os_sleep_ns(line.scene.os, SECOND / 100);
      os_pool_figures(line.scene.pool, &figures);
      assert_true(figures.running <= 2);
      os_mutex_lock(&line.lock);
      done = line.done;
      os_mutex_unlock(&line.lock);
    } while (done < IN_LINE);
    assert_true(figures_of(&line.scene).waited >= IN_LINE - 2);
    assert_true(figures.stood_back > 0);
    os_pool_destroy(line.scene.pool);
    line.scene.pool = NULL;
    assert_int_equal(line.done, IN_LINE);
    assert_int_equal(line.inside_most, PLACES);
    assert_true(line.others_ran);
    assert_int_equal(figures_of(&line.scene).refused, 0);
    os_mutex_deinit(&line.lock);
    end(&line.scene);
  }
}

/* ---- limits ---- */

static void memory_of_all_is_limited(void **state) {
  (void)state;
  struct scene scene;
  struct query *query;
  struct err err;
  char text[60000];
  begin(&scene, 4, &(struct query_control_options){.memory_total_max = LIMIT_KIB(64)});
  memset(text, ' ', sizeof text);
  memcpy(text, "SHOW DATABASES", 14);
  text[sizeof text - 1] = 0;
  struct query *queries[8];
  int count = 0, code = ERR_OK;
  while (count < 8 && !(code = open_query(&scene, text, &query, &err)))
    queries[count++] = query;
  if (!code) fail_msg("%d queries within 64 KiB", count);
  assert_int_equal(code, ERR_MEMORY_LIMIT);
  assert_non_null(strstr(err.message, "query.memory_total_max"));
  while (count)
    query_close(queries[--count]);
  end(&scene);
}

static void a_deadline_for_all(void **state) {
  (void)state;
  struct scene scene;
  struct query *query;
  struct query_event event;
  struct err err;
  begin(&scene, 5, &(struct query_control_options){.timeout_ns = 2LL * SECOND});
  assert_int_equal(open_query(&scene, "SHOW DATABASES; SHOW DATABASES", &query, &err), ERR_OK);
  os_sleep_ns(scene.os, 3LL * SECOND);
  do
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
  while (event.kind != QUERY_DONE);
  assert_int_equal(event.error.code, ERR_DEADLINE);
  query_close(query);
  end(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_more_than_may_be_open), cmocka_unit_test(waiting_ends),
      cmocka_unit_test(a_line_of_queries),        cmocka_unit_test(memory_of_all_is_limited),
      cmocka_unit_test(a_deadline_for_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
