/* Threads, locks, conditions, clocks and the machine, in both twins. */
#include "twins.h"

struct counter {
  struct os *os;
  struct os_mutex lock;
  int value;
};

enum { STEPS = 2000, THREADS = 5 };

static void count_up(void *context) {
  struct counter *counter = context;
  for (int i = 0; i < STEPS; i++) {
    os_mutex_lock(&counter->lock);
    int seen = counter->value;
    if (i % 16 == 0) os_thread_yield(counter->os);
    counter->value = seen + 1;
    os_mutex_unlock(&counter->lock);
  }
}

static void locks_exclude(void **state) {
  struct twin *twin = *state;
  struct counter counter = {.os = twin->os};
  os_mutex_init(&counter.lock, twin->os);
  struct os_thread *threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_ok(os_thread_create(twin->os, "a name that is too long for the kernel", count_up,
                               &counter, &threads[i], NULL));
  count_up(&counter);
  for (int i = 0; i < THREADS; i++)
    os_thread_join(threads[i]);
  assert_int_equal(counter.value, STEPS * (THREADS + 1));
  os_mutex_deinit(&counter.lock);
}

struct channel {
  struct os_mutex lock;
  struct os_cond filled, emptied;
  int value; /* 0: empty */
  int sum;
};

enum { VALUES = 1000, CONSUMERS = 3 };

static void consume(void *context) {
  struct channel *channel = context;
  os_mutex_lock(&channel->lock);
  for (;;) {
    while (channel->value == 0)
      os_cond_wait(&channel->filled, &channel->lock);
    if (channel->value < 0) break;
    channel->sum += channel->value;
    channel->value = 0;
    os_cond_signal(&channel->emptied);
  }
  os_mutex_unlock(&channel->lock);
}

static void put_value(struct channel *channel, int value) {
  os_mutex_lock(&channel->lock);
  while (channel->value != 0)
    os_cond_wait(&channel->emptied, &channel->lock);
  channel->value = value;
  if (value < 0)
    os_cond_broadcast(&channel->filled);
  else
    os_cond_signal(&channel->filled);
  os_mutex_unlock(&channel->lock);
}

static void conditions_hand_over(void **state) {
  struct twin *twin = *state;
  struct channel channel = {.value = 0};
  os_mutex_init(&channel.lock, twin->os);
  os_cond_init(&channel.filled, twin->os);
  os_cond_init(&channel.emptied, twin->os);
  struct os_thread *threads[CONSUMERS];
  for (int i = 0; i < CONSUMERS; i++)
    assert_ok(os_thread_create(twin->os, "consumer", consume, &channel, &threads[i], NULL));
  for (int i = 1; i <= VALUES; i++)
    put_value(&channel, i);
  put_value(&channel, -1);
  for (int i = 0; i < CONSUMERS; i++)
    os_thread_join(threads[i]);
  assert_int_equal(channel.sum, VALUES * (VALUES + 1) / 2);
  os_cond_deinit(&channel.filled);
  os_cond_deinit(&channel.emptied);
  os_mutex_deinit(&channel.lock);
}

static void deadlines_end_waits(void **state) {
  struct twin *twin = *state;
  struct os_mutex lock;
  struct os_cond cond;
  os_mutex_init(&lock, twin->os);
  os_cond_init(&cond, twin->os);
  os_mutex_lock(&lock);
  static const int64_t waits[] = {-1000000000, 0, 1, 5000000};
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    int64_t deadline = os_monotonic_ns(twin->os) + waits[i];
    while (os_cond_wait_until(&cond, &lock, deadline)) {
    }
    assert_true(os_monotonic_ns(twin->os) >= deadline);
  }
  while (os_cond_wait_until(&cond, &lock, INT64_MIN)) {
  }
  os_mutex_unlock(&lock);
  os_cond_deinit(&cond);
  os_mutex_deinit(&lock);
}

struct flag {
  struct os *os;
  struct os_mutex lock;
  struct os_cond changed;
  bool set;
};

static void set_flag(void *context) {
  struct flag *flag = context;
  os_sleep_ns(flag->os, 1000000);
  os_mutex_lock(&flag->lock);
  flag->set = true;
  os_cond_signal(&flag->changed);
  os_mutex_unlock(&flag->lock);
}

/* A deadline far away does not keep a signal from ending the wait. */
static void signals_end_waits_with_deadlines(void **state) {
  struct twin *twin = *state;
  struct flag flag = {.os = twin->os};
  os_mutex_init(&flag.lock, twin->os);
  os_cond_init(&flag.changed, twin->os);
  struct os_thread *thread;
  assert_ok(os_thread_create(twin->os, "setter", set_flag, &flag, &thread, NULL));
  os_mutex_lock(&flag.lock);
  while (!flag.set)
    assert_true(os_cond_wait_until(&flag.changed, &flag.lock, INT64_MAX));
  os_mutex_unlock(&flag.lock);
  os_thread_join(thread);
  os_cond_deinit(&flag.changed);
  os_mutex_deinit(&flag.lock);
}

/* What was never initialized may be passed to the clean-up. */
static void zeroed_objects_are_left_alone(void **state) {
  (void)state;
  struct os_mutex lock = {0};
  struct os_cond cond = {0};
  os_mutex_deinit(&lock);
  os_cond_deinit(&cond);
  os_thread_join(NULL);
  os_file_close(NULL);
}

static void clocks_move(void **state) {
  struct twin *twin = *state;
  int64_t before = os_monotonic_ns(twin->os), wall = os_wall_ns(twin->os);
  int64_t cpu = os_thread_cpu_ns(twin->os);
  os_sleep_ns(twin->os, 2000000);
  assert_true(os_monotonic_ns(twin->os) - before >= 2000000);
  assert_true(os_wall_ns(twin->os) > wall);
  assert_true(wall > (int64_t)1500000000 * 1000000000);
  assert_true(os_thread_cpu_ns(twin->os) >= cpu);
  os_sleep_ns(twin->os, 0);
  os_sleep_ns(twin->os, -5);
}

static void random_bytes_differ(void **state) {
  struct twin *twin = *state;
  assert_int_not_equal(os_random_u64(twin->os), os_random_u64(twin->os));
  unsigned char bytes[1000] = {0};
  os_random_bytes(twin->os, bytes + 1, 997);
  int zeros = 0;
  for (int i = 1; i < 998; i++)
    zeros += bytes[i] == 0;
  assert_true(zeros < 100);
  assert_int_equal(bytes[0] | bytes[998] | bytes[999], 0);
}

struct identity {
  struct os *os;
  uint64_t id;
};
static void note_id(void *context) {
  struct identity *identity = context;
  identity->id = os_thread_id(identity->os);
}

static void threads_have_ids(void **state) {
  struct twin *twin = *state;
  struct identity identities[2] = {{twin->os, 0}, {twin->os, 0}};
  struct os_thread *threads[2];
  for (int i = 0; i < 2; i++)
    assert_ok(os_thread_create(twin->os, "id", note_id, &identities[i], &threads[i], NULL));
  uint64_t own = os_thread_id(twin->os);
  for (int i = 0; i < 2; i++) {
    os_thread_join(threads[i]);
    assert_int_not_equal(identities[i].id, 0);
    assert_int_not_equal(identities[i].id, own);
  }
  assert_int_equal(own, os_thread_id(twin->os));
}

static void the_machine_answers(void **state) {
  struct twin *twin = *state;
  assert_true(os_cpu_count(twin->os) >= 1);
  assert_true(os_memory_total(twin->os) > 1024 * 1024);
  assert_true(os_process_id(twin->os) > 0);
  assert_true(os_process_resident(twin->os) > 0);
  char name[256], tiny[3];
  os_host_name(twin->os, name, sizeof name);
  assert_true(strlen(name) > 0);
  os_host_name(twin->os, tiny, sizeof tiny);
  assert_true(strlen(tiny) <= 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(locks_exclude),
      cmocka_unit_test(conditions_hand_over),
      cmocka_unit_test(deadlines_end_waits),
      cmocka_unit_test(signals_end_waits_with_deadlines),
      cmocka_unit_test(zeroed_objects_are_left_alone),
      cmocka_unit_test(clocks_move),
      cmocka_unit_test(random_bytes_differ),
      cmocka_unit_test(threads_have_ids),
      cmocka_unit_test(the_machine_answers),
  };
  int failed = cmocka_run_group_tests_name("real", tests, twin_setup_real, twin_teardown);
  failed += cmocka_run_group_tests_name("simulated", tests, twin_setup_simulated, twin_teardown);
  return failed;
}
