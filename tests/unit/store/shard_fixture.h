/* A shard on the simulated machine, rows of one integer column, and reading them back. */
#ifndef NILO_TESTS_SHARD_FIXTURE_H
#define NILO_TESTS_SHARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/root.h"
#include "store/store.h"

struct fixture {
  struct os *os;
  struct mem_account account;
  struct store_options options;
  struct store_shard *shard;
};

enum { VALUE_COLUMN = 7 };

static inline void fixture_sink(void *context, enum log_level level, const char *line,
                                size_t size) {
  (void)context;
  (void)level;
  fwrite(line, 1, size, stderr);
}

/* seed 0: the real environment, in a new folder below the working directory's build of tests. */
static inline void fixture_init(struct fixture *fixture, uint64_t seed) {
  memset(fixture, 0, sizeof *fixture);
  struct os_sim_options sim = {.seed = seed};
  assert_int_equal(os_sim_create(&sim, &fixture->os, NULL), ERR_OK);
  mem_account_init(&fixture->account, "test", NULL, 0);
  fixture->options.path = "/shard";
  fixture->options.os = fixture->os;
  fixture->options.account = &fixture->account;
  store_options_default(&fixture->options);
  fixture->options.background = false;
  if (getenv("SHARD_LOG")) {
    static struct logger logger;
    logger_init(&logger, LOG_LEVEL_DEBUG, fixture_sink, NULL, NULL);
    fixture->options.logger = &logger;
  }
}

/* Where what holds the parts of an epoch is, in the form of the fixture's options. */
static inline void fixture_part_path(const struct fixture *fixture, uint64_t epoch, char *out,
                                     size_t size) {
  bool alone = fixture->options.form == STORE_FORM_ALONE;
  snprintf(out, size, alone ? "%s/%016llx" : "%s/parts/%016llx.part", fixture->options.path,
           (unsigned long long)epoch);
}

static inline int fixture_count_part(void *context, const char *name, bool is_dir) {
  bool numbered = strspn(name, "0123456789abcdef") == 16;
  *(size_t *)context += numbered && (is_dir ? !name[16] : !strcmp(name + 16, ".part"));
  return 0;
}

/* Files or directories of parts. */
static inline size_t fixture_parts_on_disk(const struct fixture *fixture) {
  char folder[256];
  size_t count = 0;
  bool alone = fixture->options.form == STORE_FORM_ALONE;
  snprintf(folder, sizeof folder, alone ? "%s" : "%s/parts", fixture->options.path);
  assert_int_equal(os_dir_list(fixture->os, folder, fixture_count_part, &count, NULL), ERR_OK);
  return count;
}

static inline void fixture_deinit(struct fixture *fixture) {
  store_shard_close(fixture->shard);
  mem_account_deinit(&fixture->account);
  os_destroy(fixture->os);
}

static inline void fail_err(const struct err *err, const char *what) {
  char text[1024];
  err_format(err, text, sizeof text);
  fail_msg("%s: %s", what, text);
}

static inline void fixture_open(struct fixture *fixture) {
  struct err err;
  err_reset(&err);
  if (store_shard_open(&fixture->options, &fixture->shard, &err)) fail_err(&err, "open");
}

static inline void fixture_close(struct fixture *fixture) {
  store_shard_close(fixture->shard);
  fixture->shard = NULL;
}

static inline void fixture_reopen(struct fixture *fixture) {
  fixture_close(fixture);
  fixture_open(fixture);
}

/* `count` rows of series `series`, keys from `key` on, values from `value` on. */
struct rows {
  struct store_rows rows;
  struct store_column column;
  uint64_t *series;
  int64_t *keys, *values;
};

static inline void rows_init(struct rows *rows, uint64_t store, uint64_t series, int64_t key,
                             int64_t value, uint32_t count) {
  memset(rows, 0, sizeof *rows);
  rows->series = malloc((count + 1) * 8);
  rows->keys = malloc((count + 1) * 8);
  rows->values = malloc((count + 1) * 8);
  for (uint32_t i = 0; i < count; i++) {
    rows->series[i] = series;
    rows->keys[i] = key + i;
    rows->values[i] = value + i;
  }
  rows->column.id = VALUE_COLUMN;
  rows->column.column = (struct column){.type = TYPE_INT64, .length = count, .i64 = rows->values};
  rows->rows = (struct store_rows){.store = store,
                                   .policy = STORE_NEWEST_COLUMN,
                                   .rows = count,
                                   .series = rows->series,
                                   .keys = rows->keys,
                                   .columns = &rows->column,
                                   .column_count = 1};
}

static inline void rows_deinit(struct rows *rows) {
  free(rows->series);
  free(rows->keys);
  free(rows->values);
}

static inline int try_put(struct fixture *fixture, uint64_t store, uint64_t series, int64_t key,
                          int64_t value, uint32_t count, uint64_t *number, struct err *err) {
  struct rows rows;
  rows_init(&rows, store, series, key, value, count);
  rows.rows.columns = &rows.column;
  int code = store_write(fixture->shard, &rows.rows, 1, number, err);
  rows_deinit(&rows);
  return code;
}

static inline uint64_t put(struct fixture *fixture, uint64_t store, uint64_t series, int64_t key,
                           int64_t value, uint32_t count) {
  struct err err;
  uint64_t number = 0;
  err_reset(&err);
  if (try_put(fixture, store, series, key, value, count, &number, &err)) fail_err(&err, "write");
  return number;
}

static inline int try_delete(struct fixture *fixture, uint64_t store, int64_t key_min,
                             int64_t key_max, struct err *err) {
  struct store_tombstone tombstone = {.key_min = key_min, .key_max = key_max};
  struct store_rows rows = {.store = store,
                            .policy = STORE_NEWEST_COLUMN,
                            .tombstones = &tombstone,
                            .tombstone_count = 1};
  return store_write(fixture->shard, &rows, 1, NULL, err);
}

static inline int try_drop(struct fixture *fixture, uint64_t store, struct err *err) {
  struct store_rows rows = {.store = store, .policy = STORE_NEWEST_COLUMN, .drop = true};
  return store_write(fixture->shard, &rows, 1, NULL, err);
}

struct row {
  uint64_t series;
  int64_t key, value;
};
struct row_list {
  struct row *rows;
  size_t count;
};

static inline struct row_list read_snapshot(struct fixture *fixture,
                                            struct store_snapshot *snapshot, uint64_t store) {
  struct row_list list = {0};
  size_t capacity = 0;
  uint32_t column = VALUE_COLUMN;
  struct store_scan_spec spec = {.store = store,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .columns = &column,
                                 .column_count = 1,
                                 .account = &fixture->account};
  struct store_scan *scan;
  struct err err;
  err_reset(&err);
  struct scan_input input;
  if (store__snapshot_input(snapshot, store, &input)) fail_msg("no input");
  if (store__scan_create(&input, &spec, &scan, &err)) fail_err(&err, "scan");
  for (;;) {
    struct store_chunk chunk;
    if (store_scan_next(scan, &chunk, &err)) fail_err(&err, "next");
    if (!chunk.rows) break;
    if (store_scan_load(scan, &chunk, true, 1, &err)) fail_err(&err, "load");
    if (list.count + chunk.rows > capacity) {
      capacity = 2 * (list.count + chunk.rows);
      list.rows = realloc(list.rows, capacity * sizeof *list.rows);
    }
    for (uint32_t i = 0; i < chunk.run_count; i++)
      for (uint32_t j = 0; j < chunk.runs[i].rows; j++) {
        uint32_t row = chunk.runs[i].row + j;
        bool valid = column_is_valid(&chunk.columns[0], row);
        list.rows[list.count++] = (struct row){chunk.runs[i].series, chunk.keys[row],
                                               valid ? chunk.columns[0].i64[row] : INT64_MIN};
      }
  }
  store_scan_close(scan);
  return list;
}

static inline struct row_list read_all(struct fixture *fixture, uint64_t store) {
  struct store_snapshot *snapshot;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  struct row_list list = read_snapshot(fixture, snapshot, store);
  store_snapshot_release(snapshot);
  return list;
}

static inline size_t count_rows(struct fixture *fixture, uint64_t store) {
  struct row_list list = read_all(fixture, store);
  free(list.rows);
  return list.count;
}

/* Rows (series, key + i, value + i) for i below count, and no others, in this store. */
static inline void expect_rows(struct fixture *fixture, uint64_t store, uint64_t series,
                               int64_t key, int64_t value, size_t count) {
  struct row_list list = read_all(fixture, store);
  assert_int_equal(list.count, count);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(list.rows[i].series, series);
    assert_int_equal(list.rows[i].key, key + (int64_t)i);
    assert_int_equal(list.rows[i].value, value + (int64_t)i);
  }
  free(list.rows);
}

static inline struct store_figures figures(struct fixture *fixture) {
  struct store_figures out;
  store_shard_figures(fixture->shard, &out);
  return out;
}

static inline void flush(struct fixture *fixture, uint64_t store) {
  struct err err;
  err_reset(&err);
  if (store_flush(fixture->shard, store, &err)) fail_err(&err, "flush");
}

static inline void merge(struct fixture *fixture, uint64_t store) {
  struct err err;
  err_reset(&err);
  if (store_merge(fixture->shard, store, &err)) fail_err(&err, "merge");
}

#endif
