/* Who waits for whom in the pool, counted in pieces of work, in both twins. */
#include <limits.h>
#include <stdatomic.h>

#include "os/pool.h"
#include "twins.h"

enum {
  LONG_QUERIES = 3,
  LONG_MORSELS = 1000000,
  CLIENTS = 8,
  SHORT_QUERIES = 1000,
  SHORT_MORSELS = 4
};
enum { THREADS = 2 };

struct scene {
  struct os *os;
  struct os_pool *pool;
  struct os_mutex lock;
  struct os_cond changed;
  _Atomic uint64_t long_morsels[LONG_QUERIES];
  _Atomic bool stop;
  int begun, left, running;     /* short queries; long ones that have not ended */
  uint64_t waited_most, waited; /* morsels of long queries during one short query, and all */
};

struct long_query {
  struct os_task task;
  struct scene *scene;
  int number;
};
struct short_query {
  struct os_task task;
  struct scene *scene;
  uint64_t before;
  _Atomic uint64_t morsels;
};

static uint64_t all_long(struct scene *scene) {
  uint64_t sum = 0;
  for (int i = 0; i < LONG_QUERIES; i++)
    sum += atomic_load(&scene->long_morsels[i]);
  return sum;
}

/* Long enough for others to come, short enough for many. */
static void work(struct os *os) {
  for (int i = 0; i < 4; i++)
    os_thread_yield(os);
}

static void long_morsel(void *context, size_t i) {
  (void)i;
  struct long_query *query = context;
  if (atomic_load_explicit(&query->scene->stop, memory_order_relaxed)) return;
  atomic_fetch_add(&query->scene->long_morsels[query->number], 1);
  work(query->scene->os);
}

static void run_long(struct os_task *task) {
  struct long_query *query = (struct long_query *)task;
  struct scene *scene = query->scene;
  os_pool_for_each(scene->pool, LONG_MORSELS, long_morsel, query);
  os_mutex_lock(&scene->lock);
  scene->running--;
  os_cond_broadcast(&scene->changed);
  os_mutex_unlock(&scene->lock);
}

static void short_morsel(void *context, size_t i) {
  (void)i;
  struct short_query *query = context;
  atomic_fetch_add(&query->morsels, 1);
  os_thread_yield(query->scene->os);
}

static void run_short(struct os_task *task);

/* The next query of a client; with the lock held. */
static bool submit_short(struct scene *scene, struct short_query *query) {
  if (scene->begun == SHORT_QUERIES) return false;
  scene->begun++;
  *query = (struct short_query){.task = {.run = run_short}, .scene = scene};
  query->before = all_long(scene);
  os_pool_submit(scene->pool, &query->task);
  return true;
}

static void run_short(struct os_task *task) {
  struct short_query *query = (struct short_query *)task;
  struct scene *scene = query->scene;
  os_pool_for_each(scene->pool, SHORT_MORSELS, short_morsel, query);
  uint64_t waited = all_long(scene) - query->before;
  os_mutex_lock(&scene->lock);
  if (waited > scene->waited_most) scene->waited_most = waited;
  scene->waited += waited;
  scene->left--;
  submit_short(scene, query);
  os_cond_broadcast(&scene->changed);
  os_mutex_unlock(&scene->lock);
}

/* More long queries than cores, and a thousand short ones from eight clients. In a turn of the
 * pool's rotation each core runs at most one morsel of a long query; a short query waits for the
 * others' turns to begin, for the turns of its morsels and for those to go on. Nobody starves. */
static void short_queries_beside_long_ones(void **state) {
  struct twin *twin = *state;
  struct scene scene = {.os = twin->os, .left = SHORT_QUERIES, .running = LONG_QUERIES};
  struct long_query longs[LONG_QUERIES];
  struct short_query shorts[CLIENTS];
  os_mutex_init(&scene.lock, twin->os);
  os_cond_init(&scene.changed, twin->os);
  assert_ok(os_pool_create(twin->os, THREADS, &scene.pool, NULL));
  for (int i = 0; i < LONG_QUERIES; i++) {
    longs[i] = (struct long_query){{.run = run_long}, &scene, i};
    os_pool_submit(scene.pool, &longs[i].task);
  }
  while (all_long(&scene) < 10)
    os_thread_yield(twin->os);
  uint64_t before[LONG_QUERIES];
  os_mutex_lock(&scene.lock);
  for (int i = 0; i < LONG_QUERIES; i++)
    before[i] = atomic_load(&scene.long_morsels[i]);
  for (int i = 0; i < CLIENTS; i++)
    submit_short(&scene, &shorts[i]);
  while (scene.left > 0)
    os_cond_wait(&scene.changed, &scene.lock);
  print_message("a short query waited for at most %llu morsels\n",
                (unsigned long long)scene.waited_most);
  for (int i = 0; i < LONG_QUERIES; i++) {
    uint64_t made = atomic_load(&scene.long_morsels[i]) - before[i];
    print_message("long query %d: %llu morsels\n", i, (unsigned long long)made);
    if (twin->simulated) assert_true(made > SHORT_QUERIES / 20);
  }
  struct os_pool_figures figures;
  os_pool_figures(scene.pool, &figures);
  assert_int_equal(figures.threads, THREADS);
  assert_true(figures.running <= THREADS);
  assert_true(figures.stood_back > 0 && figures.spares > 0);
  assert_true(figures.spares <= LONG_QUERIES + CLIENTS);
  atomic_store(&scene.stop, true);
  while (scene.running > 0)
    os_cond_wait(&scene.changed, &scene.lock);
  os_mutex_unlock(&scene.lock);
  os_pool_destroy(scene.pool);
  uint64_t bound = THREADS * (CLIENTS + SHORT_MORSELS + CLIENTS);
  /* on a real machine a thread may lose its core at any point, for any number of the other threads'
   * pieces: there it is only told */
  if (twin->simulated) {
    assert_true(scene.waited <= bound * SHORT_QUERIES);
    assert_true(scene.waited_most <= bound);
  }
  os_cond_deinit(&scene.changed);
  os_mutex_deinit(&scene.lock);
}

/* ---- stealing ---- */

enum { STOLEN = 100 };
struct stealing {
  struct os_mutex lock;
  struct os_cond changed;
  int done;
};

static void wait_for_the_others(void *context, size_t i) {
  struct stealing *stealing = context;
  os_mutex_lock(&stealing->lock);
  while (i == 0 && stealing->done < STOLEN - 1)
    os_cond_wait(&stealing->changed, &stealing->lock);
  stealing->done++;
  os_cond_broadcast(&stealing->changed);
  os_mutex_unlock(&stealing->lock);
}

/* The first index of a range ends when all others have been taken from behind it. */
static void ranges_are_stolen(void **state) {
  struct twin *twin = *state;
  struct stealing stealing = {.done = 0};
  struct os_pool *pool;
  os_mutex_init(&stealing.lock, twin->os);
  os_cond_init(&stealing.changed, twin->os);
  assert_ok(os_pool_create(twin->os, 2, &pool, NULL));
  os_pool_for_each(pool, STOLEN, wait_for_the_others, &stealing);
  assert_int_equal(stealing.done, STOLEN);
  os_pool_destroy(pool);
  os_cond_deinit(&stealing.changed);
  os_mutex_deinit(&stealing.lock);
}

/* ---- giving way ---- */

enum { PIECES = 200, PIECE_NS = 250000 };
struct serial {
  struct os_task task;
  struct os *os;
  struct os_pool *pool;
  _Atomic int *pieces, *seen;
};

static void run_serial(struct os_task *task) {
  struct serial *serial = (struct serial *)task;
  assert_true(os_pool_worker(serial->pool) < THREADS + POOL_SPARES_MAX);
  for (int i = 0; i < PIECES; i++) {
    os_sleep_ns(serial->os, PIECE_NS); /* stands for work: a place is held */
    atomic_fetch_add(serial->pieces, 1);
    os_pool_yield(serial->pool);
  }
}
static void see(struct os_task *task) {
  struct serial *serial = (struct serial *)task;
  atomic_store(serial->seen, atomic_load(serial->pieces));
}

/* Long work without for_each lets others on when it has had its slice. */
static void serial_work_gives_way(void **state) {
  struct twin *twin = *state;
  struct os_pool *pool;
  _Atomic int pieces = 0, seen = -1;
  struct serial serials[THREADS + 1], after;
  assert_ok(os_pool_create(twin->os, THREADS, &pool, NULL));
  assert_int_equal(os_pool_worker(pool), UINT_MAX);
  os_pool_yield(pool); /* nothing on other threads */
  for (int i = 0; i <= THREADS; i++) {
    serials[i] = (struct serial){{.run = run_serial}, twin->os, pool, &pieces, &seen};
    os_pool_submit(pool, &serials[i].task);
  }
  while (atomic_load(&pieces) == 0)
    os_thread_yield(twin->os);
  int before = atomic_load(&pieces);
  after = (struct serial){{.run = see}, twin->os, pool, &pieces, &seen};
  os_pool_submit(pool, &after.task);
  while (atomic_load(&seen) < 0)
    os_thread_yield(twin->os);
  os_pool_destroy(pool);
  assert_int_equal(pieces, (THREADS + 1) * PIECES);
  assert_true(seen >= 0 && seen < PIECES);
  /* a slice is four pieces; one slice of each thread, and one for the task before it */
  if (twin->simulated) assert_true(seen - before <= 3 * THREADS * 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(short_queries_beside_long_ones),
      cmocka_unit_test(ranges_are_stolen),
      cmocka_unit_test(serial_work_gives_way),
  };
  int failed = cmocka_run_group_tests_name("real", tests, twin_setup_real, twin_teardown);
  failed += cmocka_run_group_tests_name("simulated", tests, twin_setup_simulated, twin_teardown);
  return failed;
}
