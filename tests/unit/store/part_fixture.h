/* Rows made from a seed, written as a part, read back and compared: what the tests of parts share.
 */
#ifndef NILO_TESTS_STORE_PART_FIXTURE_H
#define NILO_TESTS_STORE_PART_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "columnar/builder.h"
#include "store/part.h"

enum { FIXTURE_COLUMNS_MAX = 16 };

struct fixture {
  struct mem_account account;
  struct builder series, keys;
  struct builder columns[FIXTURE_COLUMNS_MAX];
  uint32_t ids[FIXTURE_COLUMNS_MAX];
  uint32_t column_count;
  struct part_writer_options options;
  uint64_t random_state;
};

static inline uint64_t fixture_random(struct fixture *fixture) { /* splitmix64 */
  uint64_t z = fixture->random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline uint64_t fixture_below(struct fixture *fixture, uint64_t limit) {
  return fixture_random(fixture) % limit;
}

static inline void fixture_init(struct fixture *fixture, uint64_t seed) {
  *fixture = (struct fixture){.random_state = seed};
  mem_account_init(&fixture->account, "test", NULL, 0);
  builder_init(&fixture->series, TYPE_UINT64, &fixture->account);
  builder_init(&fixture->keys, TYPE_INT64, &fixture->account);
  fixture->options = (struct part_writer_options){
      .store = 7, .policy = STORE_KEEP_ALL, .shard = "0123456789abcde"};
}

static inline void fixture_deinit(struct fixture *fixture) {
  builder_deinit(&fixture->series);
  builder_deinit(&fixture->keys);
  for (uint32_t i = 0; i < fixture->column_count; i++)
    builder_deinit(&fixture->columns[i]);
  assert_int_equal(mem_account_used(&fixture->account), 0);
  mem_account_deinit(&fixture->account);
}

/* Ids must be added in ascending order. */
static inline void fixture_column(struct fixture *fixture, uint32_t id, struct type type) {
  fixture->ids[fixture->column_count] = id;
  builder_init(&fixture->columns[fixture->column_count++], type, &fixture->account);
}

static inline void fixture_all_types(struct fixture *fixture) {
  fixture_column(fixture, 1, TYPE_INT64);
  fixture_column(fixture, 2, TYPE_UINT64);
  fixture_column(fixture, 3, TYPE_FLOAT64);
  fixture_column(fixture, 5, TYPE_BOOL);
  fixture_column(fixture, 8, TYPE_STRING);
  fixture_column(fixture, 70000, TYPE_BYTES);
  fixture_column(fixture, 70001, TYPE_TIMESTAMP(0));
}

static inline void fixture_value(struct fixture *fixture, struct builder *builder) {
  uint64_t random = fixture_random(fixture);
  char text[40];
  switch (builder->type.physical) {
  case PHYSICAL_INT64:
    builder_append_i64(builder, (int64_t)(random % 2000) - 1000);
    break;
  case PHYSICAL_UINT64:
    builder_append_u64(builder, random % 64 ? random % 100 : random);
    break;
  case PHYSICAL_FLOAT64:
    builder_append_f64(builder, random % 64 ? (double)(int64_t)(random % 20000) / 100.0
                                            : (double)random * 1e-9);
    break;
  case PHYSICAL_BOOL:
    builder_append_bool(builder, random & 1);
    break;
  default:
    snprintf(text, sizeof text, "value-%llu", (unsigned long long)(random % 37));
    builder_append_str(builder, str_from(text));
  }
}

/* One row; nulls: of 256, how many values are absent. */
static inline void fixture_row(struct fixture *fixture, uint64_t series, int64_t key,
                               unsigned nulls) {
  builder_append_u64(&fixture->series, series);
  builder_append_i64(&fixture->keys, key);
  for (uint32_t i = 0; i < fixture->column_count; i++) {
    if (fixture_below(fixture, 256) < nulls)
      builder_append_null(&fixture->columns[i]);
    else
      fixture_value(fixture, &fixture->columns[i]);
  }
}

/* A run of rows a second apart, with some jitter. */
static inline void fixture_run(struct fixture *fixture, uint64_t series, uint32_t rows,
                               unsigned nulls) {
  int64_t key = 1600000000000000000 + (int64_t)fixture_below(fixture, 1000000);
  for (uint32_t i = 0; i < rows; i++) {
    fixture_row(fixture, series, key, nulls);
    key += 1000000000 + (int64_t)fixture_below(fixture, 3) - 1;
  }
}

static inline uint32_t fixture_rows(const struct fixture *fixture) {
  return (uint32_t)fixture->series.length;
}

/* Rows [from, from + count) as an append takes them; `columns` has room for all of them. */
static inline struct store_rows fixture_slice(const struct fixture *fixture, uint32_t from,
                                              uint32_t count, struct arena *arena,
                                              struct store_column *columns) {
  struct store_rows rows = {
      .store = fixture->options.store,
      .policy = fixture->options.policy,
      .rows = count,
      .series = fixture->series.u64 + from,
      .keys = fixture->keys.i64 + from,
      .columns = columns,
  };
  for (uint32_t i = 0; i < fixture->column_count; i++) {
    struct column all = builder_view(&fixture->columns[i]), slice;
    assert_int_equal(column_slice(&all, from, count, arena, &slice, NULL), ERR_OK);
    if (slice.null_count == count && count % 2) continue; /* both ways to say it are allowed */
    columns[rows.column_count++] = (struct store_column){fixture->ids[i], slice};
  }
  return rows;
}

/* Writes all rows in slices of 1 to slice_max rows (0: all at once, as the last ones). */
static inline int fixture_append_all(struct fixture *fixture, struct part_writer *writer,
                                     uint32_t slice_max, struct err *err) {
  struct mem_account account; /* of its own: injected faults are for the writer */
  mem_account_init(&account, "slices", NULL, 0);
  struct arena arena;
  arena_init(&arena, &account, 1024);
  int code = ERR_OK;
  for (uint32_t at = 0; at < fixture_rows(fixture) && !code;) {
    uint32_t left = fixture_rows(fixture) - at;
    uint32_t count = slice_max ? 1 + (uint32_t)fixture_below(fixture, slice_max) : left;
    if (count > left) count = left;
    struct store_column columns[FIXTURE_COLUMNS_MAX];
    struct store_rows rows = fixture_slice(fixture, at, count, &arena, columns);
    code = slice_max ? part_writer_append(writer, &rows, err)
                     : part_writer_append_last(writer, &rows, err);
    arena_reset(&arena);
    at += count;
  }
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return code;
}

static inline int fixture_write(struct fixture *fixture, uint32_t slice_max,
                                const struct part_ending *ending, struct part_memory **memory,
                                struct err *err) {
  struct part_writer *writer = NULL;
  uint64_t size = 0;
  int code = part_writer_create(&fixture->options, &fixture->account, NULL, 0, &writer, err);
  if (!code) code = fixture_append_all(fixture, writer, slice_max, err);
  if (!code) code = part_writer_finish(writer, ending, &size, memory, err);
  if (!code) assert_int_equal(size, (*memory)->size);
  part_writer_destroy(writer);
  return code;
}

static inline void assert_ok(int code, const struct err *err) {
  char text[800];
  err_format(err, text, sizeof text);
  if (code) fail_msg("error %d: %s", code, text);
}

static inline void fixture_compare_row(const struct column *read, uint32_t row,
                                       const struct column *model, uint32_t model_row) {
  assert_int_equal(column_is_valid(read, row), column_is_valid(model, model_row));
  if (!column_is_valid(model, model_row)) return;
  if (type_is_string(model->type)) {
    assert_true(str_equal(column_str(read, row), column_str(model, model_row)));
  } else if (model->type.physical == PHYSICAL_BOOL) {
    assert_int_equal(bit_get(read->bits, row), bit_get(model->bits, model_row));
  } else {
    assert_true(read->u64[row] == model->u64[model_row]);
  }
}

/* Reads every block and compares it with the rows; checks the contract's limits on the way. */
static inline int fixture_compare(struct fixture *fixture, struct store_part *part,
                                  struct err *err) {
  struct arena arena;
  arena_init(&arena, &fixture->account, 4096);
  uint32_t row = 0;
  int code = part_load_blocks(part, err);
  for (uint32_t block = 0; !code && block < part_block_count(part); block++) {
    arena_reset(&arena);
    const struct part_block *facts = &part_blocks(part)[block];
    const struct store_run *runs;
    const int64_t *run_keys, *keys;
    uint64_t bytes_read = 0;
    assert_in_range(facts->rows, 1, 8192);
    assert_true(row + facts->rows <= fixture_rows(fixture));
    if ((code = part_read_runs(part, block, &arena, &runs, &run_keys, err))) break;
    if ((code = part_read_keys(part, block, &arena, &keys, &bytes_read, err))) break;
    assert_true(bytes_read > 0);
    assert_memory_equal(keys, fixture->keys.i64 + row, facts->rows * 8);
    for (uint32_t i = 0; i < facts->runs; i++) {
      assert_int_equal(runs[i].row, i ? runs[i - 1].row + runs[i - 1].rows : 0);
      for (uint32_t j = 0; j < runs[i].rows; j++)
        assert_true(fixture->series.u64[row + runs[i].row + j] == runs[i].series);
      assert_true(run_keys[2 * i] == keys[runs[i].row]);
      assert_true(run_keys[2 * i + 1] == keys[runs[i].row + runs[i].rows - 1]);
    }
    for (uint32_t i = 0; i < fixture->column_count; i++) {
      struct column column, model = builder_view(&fixture->columns[i]);
      struct column_statistics said, computed;
      if ((code = part_read_column(part, block, fixture->ids[i], &arena, &column, NULL, err)))
        break;
      if ((code = part_statistics(part, block, fixture->ids[i], &said, err))) break;
      assert_int_equal(column.length, facts->rows);
      for (uint32_t j = 0; j < facts->rows; j++)
        fixture_compare_row(&column, j, &model, row + j);
      column_statistics_compute(&column, keys, &computed);
      if (computed.count)
        assert_memory_equal(&said, &computed, sizeof said);
      else
        assert_int_equal(said.count, 0);
    }
    row += facts->rows;
  }
  if (!code) assert_int_equal(row, fixture_rows(fixture));
  arena_deinit(&arena);
  return code;
}

#endif
