/* Writers that create the same tables, columns and series at once, beside drops, deletes, flushes
 * and merges, on real files and threads. Sanitizers see it happen in parallel. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "table/write.h"

enum { WRITERS = 3, BODIES = 60, STEPS = 3 };

struct worker {
  struct fixture *fixture;
  int number;
  _Atomic bool *stop;
  char *text;
};

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw) {
  (void)stat;
  (void)type;
  (void)ftw;
  return remove(path);
}

static void writer_main(void *context) {
  struct worker *worker = context;
  struct fixture own = {.os = worker->fixture->os, .engine = worker->fixture->engine};
  struct err err;
  if (ingest_cache_create(&worker->fixture->account, &own.cache, &err)) fixture_fail("cache", &err);
  for (int i = 0; i < BODIES; i++) {
    char text[512];
    snprintf(text, sizeof text,
             "shared,w=%d,step=s%d v=%d,f%d=1i %d\n"
             "table%d,of=all v=%d %d\n"
             "scratch,w=%d v=1 %d\nscratch,w=%d,of=%d v=2 %d\n",
             worker->number, i % STEPS, i, i / 4, i, i, worker->number, worker->number,
             worker->number, i, worker->number, i % 5, i);
    struct fixture_answer answer;
    do /* a series may have been deleted between parsing and joining */
      fixture_write_pieces(&own, "db", text, 2, &answer);
    while (answer.error.code == ERR_CONFLICT);
    if (answer.error.code) fixture_fail("write", &answer.error);
  }
  ingest_cache_destroy(own.cache);
}

static struct catalog_table *find(struct fixture *fixture, const char *name) {
  return catalog_table_find(table_engine_catalog(fixture->engine), STR("db"), (struct str){0},
                            str_from(name));
}

/* Takes rows and tables away that nobody counts. */
static void remover_main(void *context) {
  struct worker *worker = context;
  for (int i = 0; !*worker->stop; i++) {
    struct err err;
    err_reset(&err);
    struct catalog_table *table = find(worker->fixture, "scratch");
    const struct catalog_column *column =
        table ? catalog_column_find(table, COLUMN_TAG, STR("w")) : NULL;
    int code = ERR_OK;
    if (i % 5 == 4) {
      code = table_drop(worker->fixture->engine, STR("db"), (struct str){0}, STR("scratch"), &err);
      if (code == ERR_UNKNOWN_TABLE) code = ERR_OK;
    } else if (column) {
      struct series_filter filter = {
          .kind = SERIES_FILTER_EQUAL, .column_id = column->id, .value = STR("1")};
      code = table_delete(worker->fixture->engine, table, i % 2 ? &filter : NULL, INT64_MIN,
                          INT64_MAX, &err);
    }
    if (code) fixture_fail("remove", &err);
    catalog_table_release(table);
    os_sleep_ns(worker->fixture->os, 1000000);
  }
}

static void driver_main(void *context) {
  struct worker *worker = context;
  for (int i = 0; !*worker->stop; i++) {
    struct err err;
    struct store_shard *shard = table_engine_shard(worker->fixture->engine);
    if (i % 3 ? store_flush(shard, 0, &err) : store_merge(shard, 0, &err))
      fixture_fail("drive", &err);
    os_sleep_ns(worker->fixture->os, 2000000);
  }
}

/* Reads while all of that goes on; what it reads is checked elsewhere. */
static void reader_main(void *context) {
  struct worker *worker = context;
  while (!*worker->stop) {
    fixture_dump(worker->fixture, "db", "shared", worker->text, 1 << 16);
    os_sleep_ns(worker->fixture->os, 1000000);
  }
}

static void expect_series(struct fixture *fixture, const char *name, uint64_t wanted) {
  struct err err;
  struct table_snapshot *snapshot;
  struct catalog_table *table = find(fixture, name);
  assert_non_null(table);
  uint64_t count;
  if (table_snapshot_acquire(fixture->engine, &snapshot, &err)) fixture_fail("snapshot", &err);
  if (table_series_cardinality(snapshot, table, &count, &err)) fixture_fail("series", &err);
  if (count != wanted)
    fail_msg("%s: %llu series, not %llu", name, (unsigned long long)count,
             (unsigned long long)wanted);
  table_snapshot_release(snapshot);
  catalog_table_release(table);
}

static size_t lines_of(const char *text) {
  size_t count = 0;
  for (; (text = strchr(text, '\n')); text++)
    count++;
  return count;
}

static void check(struct fixture *fixture, char *text) {
  expect_series(fixture, "shared", (uint64_t)WRITERS * STEPS);
  fixture_dump(fixture, "db", "shared", text, 1 << 16);
  assert_int_equal(lines_of(text), WRITERS * BODIES);
  for (int i = 0; i < BODIES; i++) {
    char name[16];
    snprintf(name, sizeof name, "table%d", i);
    expect_series(fixture, name, 1);
    fixture_dump(fixture, "db", name, text, 1 << 16);
    assert_int_equal(lines_of(text), WRITERS);
  }
}

static void test_all_at_once(void **state) {
  (void)state;
  char directory[] = "/tmp/nilo-threads-XXXXXX";
  assert_non_null(mkdtemp(directory));
  struct err err;
  struct fixture fixture = {.background = true};
  assert_int_equal(os_real_create(&fixture.os, &err), ERR_OK);
  mem_account_init(&fixture.account, "test", NULL, 0);
  snprintf(fixture.path, sizeof fixture.path, "%s/data", directory);
  fixture_open(&fixture);
  fixture_database(&fixture, "db");
  _Atomic bool stop = false;
  struct worker workers[WRITERS + 3];
  struct os_thread *threads[WRITERS + 3];
  static void (*const mains[])(void *) = {remover_main, driver_main, reader_main};
  for (int i = 0; i < WRITERS + 3; i++) {
    workers[i] = (struct worker){&fixture, i, &stop, malloc(1 << 16)};
    assert_int_equal(os_thread_create(fixture.os, "worker",
                                      i < WRITERS ? writer_main : mains[i - WRITERS], &workers[i],
                                      &threads[i], &err),
                     ERR_OK);
  }
  for (int i = 0; i < WRITERS; i++)
    os_thread_join(threads[i]);
  stop = true;
  for (int i = WRITERS; i < WRITERS + 3; i++)
    os_thread_join(threads[i]);
  check(&fixture, workers[0].text);
  fixture_write(&fixture, "db", "scratch,w=1 v=1 1");
  fixture_reopen(&fixture);
  check(&fixture, workers[0].text);
  if (store_flush(table_engine_shard(fixture.engine), 0, &err)) fixture_fail("flush", &err);
  fixture_reopen(&fixture);
  check(&fixture, workers[0].text);
  for (int i = 0; i < WRITERS + 3; i++)
    free(workers[i].text);
  fixture_end(&fixture);
  nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
