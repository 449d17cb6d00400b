/* The pool, in both twins. */
#include <stdatomic.h>

#include "os/pool.h"
#include "twins.h"

enum { TASKS = 500 };

struct counted_task {
  struct os_task task;
  struct order *order;
  int number;
};

struct order {
  struct os_mutex lock;
  int numbers[TASKS];
  int count;
};

static void note_order(struct os_task *task) {
  struct counted_task *counted = (struct counted_task *)task;
  os_mutex_lock(&counted->order->lock);
  counted->order->numbers[counted->order->count++] = counted->number;
  os_mutex_unlock(&counted->order->lock);
}

/* One thread: the order is that of the submissions. Destroying runs what is queued. */
static void tasks_in_order(void **state) {
  struct twin *twin = *state;
  struct order order = {.count = 0};
  os_mutex_init(&order.lock, twin->os);
  struct os_pool *pool;
  assert_ok(os_pool_create(twin->os, 1, &pool, NULL));
  assert_int_equal(os_pool_threads(pool), 1);
  static struct counted_task tasks[TASKS];
  for (int i = 0; i < TASKS; i++) {
    tasks[i] = (struct counted_task){{.run = note_order}, &order, i};
    os_pool_submit(pool, &tasks[i].task);
  }
  os_pool_destroy(pool);
  assert_int_equal(order.count, TASKS);
  for (int i = 0; i < TASKS; i++)
    assert_int_equal(order.numbers[i], i);
  os_mutex_deinit(&order.lock);
}

static void tasks_on_many_threads(void **state) {
  struct twin *twin = *state;
  struct order order = {.count = 0};
  os_mutex_init(&order.lock, twin->os);
  struct os_pool *pool;
  assert_ok(os_pool_create(twin->os, 4, &pool, NULL));
  static struct counted_task tasks[TASKS];
  for (int i = 0; i < TASKS; i++) {
    tasks[i] = (struct counted_task){{.run = note_order}, &order, i};
    os_pool_submit(pool, &tasks[i].task);
  }
  os_pool_destroy(pool);
  assert_int_equal(order.count, TASKS);
  bool seen[TASKS] = {false};
  for (int i = 0; i < TASKS; i++) {
    assert_false(seen[order.numbers[i]]);
    seen[order.numbers[i]] = true;
  }
  os_mutex_deinit(&order.lock);
}

enum { INDICES = 1000 };

struct each {
  struct os *os;
  struct os_pool *pool;
  _Atomic int runs[INDICES];
  _Atomic int inner;
};

static void count_index(void *context, size_t i) {
  struct each *each = context;
  atomic_fetch_add(&each->runs[i], 1);
  if (i % 100 == 0) os_thread_yield(each->os);
}

static void for_each_runs_every_index_once(void **state) {
  struct twin *twin = *state;
  static const size_t counts[] = {0, 1, 2, 3, 7, INDICES};
  struct each *each = calloc(1, sizeof *each);
  each->os = twin->os;
  assert_ok(os_pool_create(twin->os, 3, &each->pool, NULL));
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    memset(each->runs, 0, sizeof each->runs);
    os_pool_for_each(each->pool, counts[c], count_index, each);
    for (size_t i = 0; i < INDICES; i++)
      assert_int_equal(each->runs[i], i < counts[c]);
  }
  os_pool_destroy(each->pool);
  free(each);
}

static void count_inner(void *context, size_t i) {
  (void)i;
  struct each *each = context;
  atomic_fetch_add(&each->inner, 1);
}

static void nest(void *context, size_t i) {
  (void)i;
  struct each *each = context;
  os_pool_for_each(each->pool, 10, count_inner, each);
}

struct nesting_task {
  struct os_task task;
  struct each *each;
};

static void run_nesting(struct os_task *task) {
  struct each *each = ((struct nesting_task *)task)->each;
  os_pool_for_each(each->pool, 20, nest, each);
}

/* Tasks that use for_each inside for_each, more of them than threads. */
static void for_each_nested_in_tasks(void **state) {
  struct twin *twin = *state;
  for (unsigned threads = 1; threads <= 4; threads++) {
    struct each *each = calloc(1, sizeof *each);
    assert_ok(os_pool_create(twin->os, threads, &each->pool, NULL));
    struct nesting_task tasks[12];
    for (int i = 0; i < 12; i++) {
      tasks[i] = (struct nesting_task){{.run = run_nesting}, each};
      os_pool_submit(each->pool, &tasks[i].task);
    }
    os_pool_for_each(each->pool, 5, nest, each);
    os_pool_destroy(each->pool);
    assert_int_equal(each->inner, 12 * 20 * 10 + 5 * 10);
    free(each);
  }
}

struct blocking_task {
  struct os_task task;
  struct os_mutex lock;
  struct os_cond changed;
  bool begun, released;
};

static void block(struct os_task *task) {
  struct blocking_task *blocking = (struct blocking_task *)task;
  os_mutex_lock(&blocking->lock);
  blocking->begun = true;
  os_cond_broadcast(&blocking->changed);
  while (!blocking->released)
    os_cond_wait(&blocking->changed, &blocking->lock);
  os_mutex_unlock(&blocking->lock);
}

/* The caller does it all when every worker is busy; what is queued is counted. */
static void for_each_without_help(void **state) {
  struct twin *twin = *state;
  struct each *each = calloc(1, sizeof *each);
  assert_ok(os_pool_create(twin->os, 1, &each->pool, NULL));
  struct blocking_task first = {.task = {.run = block}};
  os_mutex_init(&first.lock, twin->os);
  os_cond_init(&first.changed, twin->os);
  os_pool_submit(each->pool, &first.task);
  os_mutex_lock(&first.lock);
  while (!first.begun)
    os_cond_wait(&first.changed, &first.lock);
  os_mutex_unlock(&first.lock);
  assert_int_equal(os_pool_queued(each->pool), 0);

  struct order order = {.count = 0};
  os_mutex_init(&order.lock, twin->os);
  struct counted_task second = {{.run = note_order}, &order, 7};
  os_pool_submit(each->pool, &second.task);
  assert_int_equal(os_pool_queued(each->pool), 1);
  os_pool_for_each(each->pool, 100, count_inner, each);
  assert_int_equal(each->inner, 100);
  assert_int_equal(order.count, 0);

  os_mutex_lock(&first.lock);
  first.released = true;
  os_cond_broadcast(&first.changed);
  os_mutex_unlock(&first.lock);
  os_pool_destroy(each->pool);
  assert_int_equal(order.count, 1);
  os_cond_deinit(&first.changed);
  os_mutex_deinit(&first.lock);
  os_mutex_deinit(&order.lock);
  free(each);
}

/* One thread per core when the number is left open. */
static void default_size(void **state) {
  struct twin *twin = *state;
  struct os_pool *pool;
  assert_ok(os_pool_create(twin->os, 0, &pool, NULL));
  assert_int_equal(os_pool_threads(pool), os_cpu_count(twin->os));
  os_pool_destroy(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tasks_in_order),
      cmocka_unit_test(tasks_on_many_threads),
      cmocka_unit_test(for_each_runs_every_index_once),
      cmocka_unit_test(for_each_nested_in_tasks),
      cmocka_unit_test(for_each_without_help),
      cmocka_unit_test(default_size),
  };
  int failed = cmocka_run_group_tests_name("real", tests, twin_setup_real, twin_teardown);
  failed += cmocka_run_group_tests_name("simulated", tests, twin_setup_simulated, twin_teardown);
  return failed;
}
