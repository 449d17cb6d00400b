/* Many threads on one store, on the real machine: writers, readers, flush and merge at once. A
 * batch is seen wholly or not at all (W6), by every later reader (W7), while S3 goes on. */
#include <ftw.h>
#include <stdatomic.h>
#include <unistd.h>

#include "element_fixture.h"

enum { WRITERS = 3, BATCHES = 60, BATCH = 10 };

struct shared {
  struct nilo_store *store;
  _Atomic int writing;
  _Atomic uint64_t acknowledged;
};
struct writer {
  struct shared *shared;
  uint64_t series;
};

static void write_batches(void *context) {
  struct writer *writer = context;
  struct nilo_store_batch *batch;
  assert_int_equal(nilo_store_batch_create(writer->shared->store, &batch, NULL), NILO_OK);
  for (int64_t b = 0; b < BATCHES; b++) {
    char name[16];
    snprintf(name, sizeof name, "tag%lld", (long long)(b % 7)); /* new ones come as it goes */
    for (int i = 0; i < BATCH; i++) {
      struct nilo_store_tag tag = {name, value_i64(b)};
      struct nilo_store_element element = {.series = writer->series,
                                           .key = b,
                                           .data = bytes_of("data"),
                                           .tags = &tag,
                                           .tag_count = 1};
      assert_int_equal(nilo_store_batch_add(batch, &element, NULL), NILO_OK);
    }
    assert_int_equal(nilo_store_batch_commit(batch, NULL, NULL), NILO_OK);
    atomic_fetch_add(&writer->shared->acknowledged, BATCH);
  }
  nilo_store_batch_destroy(batch);
  atomic_fetch_sub(&writer->shared->writing, 1);
}

/* Counts all elements; each batch must be whole, and its tag there. */
static uint64_t read_all(struct nilo_store *store, bool descending) {
  uint64_t counts[WRITERS + 1][BATCHES] = {{0}}, all = 0;
  struct nilo_store_query query = {.descending = descending, .batch = 37};
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  assert_int_equal(nilo_store_scan_open(store, &query, &cursor, NULL), NILO_OK);
  do {
    assert_int_equal(nilo_store_query_next(cursor, &answer, NULL), NILO_OK);
    for (size_t i = 0; i < answer.rows; i++) {
      bool tagged = false;
      for (size_t t = 0; t < answer.tag_count; t++) {
        const struct nilo_store_value *value = &answer.values[i * answer.tag_count + t];
        tagged |= value->type == NILO_STORE_INT64 && value->i64 == answer.keys[i];
      }
      assert_true(tagged);
      counts[answer.series[i]][answer.keys[i]]++;
      all++;
    }
  } while (answer.rows);
  nilo_store_query_close(cursor);
  for (int s = 1; s <= WRITERS; s++)
    for (int b = 0; b < BATCHES; b++)
      assert_true(counts[s][b] == 0 || counts[s][b] == BATCH);
  return all;
}

static void read_on(void *context) {
  struct shared *shared = context;
  for (int i = 0; atomic_load(&shared->writing); i++) {
    uint64_t before = atomic_load(&shared->acknowledged);
    assert_true(read_all(shared->store, i % 2) >= before);
  }
}

static void tidy_on(void *context) {
  struct shared *shared = context;
  while (atomic_load(&shared->writing)) {
    assert_int_equal(nilo_store_flush(shared->store, NULL), NILO_OK);
    assert_int_equal(nilo_store_merge(shared->store, NULL), NILO_OK);
  }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at) {
  (void)status;
  (void)type;
  (void)at;
  return remove(path);
}

static void test_w7_many_threads_write_read_flush_and_merge(void **state) {
  (void)state;
  char path[] = "/tmp/nilo-element-XXXXXX", store_path[64];
  struct os *os;
  struct nilo_store_options options;
  struct shared shared = {.writing = WRITERS};
  struct writer writers[WRITERS];
  struct os_thread *threads[WRITERS + 3];
  struct nilo_error error;
  assert_non_null(mkdtemp(path));
  snprintf(store_path, sizeof store_path, "%s/store", path);
  assert_int_equal(os_real_create(&os, NULL), 0);
  nilo_store_options_default(&options);
  options.path = store_path;
  options.sync = NILO_STORE_SYNC_OFF;
  options.log_segment = 1 << 20;
  if (element_open(os, &options, &shared.store, &error)) alone_fail(&error, "open");
  for (int i = 0; i < WRITERS; i++) {
    writers[i] = (struct writer){&shared, (uint64_t)i + 1};
    os_thread_create(os, "writer", write_batches, &writers[i], &threads[i], NULL);
  }
  for (int i = 0; i < 2; i++)
    os_thread_create(os, "reader", read_on, &shared, &threads[WRITERS + i], NULL);
  os_thread_create(os, "tidier", tidy_on, &shared, &threads[WRITERS + 2], NULL);
  for (int i = 0; i < WRITERS + 3; i++)
    os_thread_join(threads[i]);
  assert_int_equal(read_all(shared.store, false), WRITERS * BATCHES * BATCH);
  assert_int_equal(nilo_store_close(shared.store, NULL), NILO_OK);
  if (element_open(os, &options, &shared.store, &error)) alone_fail(&error, "open again");
  assert_int_equal(read_all(shared.store, true), WRITERS * BATCHES * BATCH);
  assert_int_equal(nilo_store_close(shared.store, NULL), NILO_OK);
  os_destroy(os);
  nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_w7_many_threads_write_read_flush_and_merge),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
