/* What the tests of the ordered store compare with: a plain list of rows, sorted and folded the
 * slow and obvious way. Six columns of every stored type; a value is a number that all types are
 * made from. */
#ifndef NILO_TESTS_STORE_MODEL_H
#define NILO_TESTS_STORE_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "columnar/builder.h"
#include "store/store.h"

enum { MODEL_COLUMNS = 6 };

static const uint32_t model_ids[MODEL_COLUMNS] = {3, 5, 8, 9, 12, 40};
static const struct type model_types[MODEL_COLUMNS] = {
    {PHYSICAL_INT64, 0, 0},  {PHYSICAL_FLOAT64, 0, 0}, {PHYSICAL_BOOL, 0, 0},
    {PHYSICAL_STRING, 0, 0}, {PHYSICAL_UINT64, 0, 0},  {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}};

struct model_row {
  uint64_t series;
  int64_t key;
  uint64_t commit;
  uint32_t order;  /* of writing */
  uint8_t present; /* bit per column */
  uint16_t value[MODEL_COLUMNS];
  bool mark; /* the place is deleted; what is present does not count */
};
struct model_rows {
  struct model_row *rows;
  size_t count, capacity;
};
struct model_tombstone {
  uint64_t commit;
  uint64_t series[8];
  size_t series_count; /* 0: all */
  int64_t key_min, key_max;
};

static uint64_t model_random_state;
static inline uint64_t model_random(void) { /* splitmix64 */
  uint64_t z = model_random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline uint64_t model_below(uint64_t limit) { return limit ? model_random() % limit : 0; }

static inline void model_add(struct model_rows *list, struct model_row row) {
  if (list->count == list->capacity) {
    list->capacity = list->capacity ? list->capacity * 2 : 64;
    list->rows = realloc(list->rows, list->capacity * sizeof row);
    assert_non_null(list->rows);
  }
  list->rows[list->count++] = row;
}

static inline void model_free(struct model_rows *list) {
  free(list->rows);
  *list = (struct model_rows){0};
}

static inline int model_compare(const void *a, const void *b) {
  const struct model_row *x = a, *y = b;
  if (x->series != y->series) return x->series < y->series ? -1 : 1;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static inline void model_sort(struct model_rows *list) {
  if (list->count) qsort(list->rows, list->count, sizeof *list->rows, model_compare);
}

static inline bool model_same_place(const struct model_row *a, const struct model_row *b) {
  return a->series == b->series && a->key == b->key;
}

/* Numbers that give the same value of the column's type give the same here. */
static inline uint16_t model_canonical(int column, uint16_t value) {
  if (model_types[column].physical == PHYSICAL_BOOL) return value & 1;
  if (model_types[column].physical == PHYSICAL_STRING && value % 7 == 0) return 0;
  return value;
}

static inline bool model_twins(const struct model_row *a, const struct model_row *b) {
  if (!model_same_place(a, b) || a->present != b->present) return false;
  for (int i = 0; i < MODEL_COLUMNS; i++)
    if (a->present >> i & 1 && model_canonical(i, a->value[i]) != model_canonical(i, b->value[i]))
      return false;
  return true;
}

/* Sorts and applies the policy. */
static inline void model_fold(struct model_rows *list, enum store_policy policy) {
  model_sort(list);
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++) {
    struct model_row row = list->rows[i];
    bool drop = false;
    if (policy == STORE_DROP_TWINS)
      for (size_t j = kept; j-- > 0 && model_same_place(&list->rows[j], &row) && !drop;)
        drop = model_twins(&list->rows[j], &row);
    if (drop) continue;
    bool same = kept && model_same_place(&list->rows[kept - 1], &row);
    if (row.mark) {
      kept -= same;
      continue;
    }
    if (same && policy == STORE_NEWEST_ROW) {
      list->rows[kept - 1] = row;
    } else if (same && policy == STORE_NEWEST_COLUMN) {
      struct model_row *into = &list->rows[kept - 1];
      for (int c = 0; c < MODEL_COLUMNS; c++)
        if (row.present >> c & 1) into->value[c] = row.value[c];
      into->present |= row.present;
    } else {
      list->rows[kept++] = row;
    }
  }
  list->count = kept;
}

static inline bool model_deleted(const struct model_row *row, const struct model_tombstone *marks,
                                 size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (row->commit >= marks[i].commit || row->key < marks[i].key_min ||
        row->key > marks[i].key_max)
      continue;
    if (marks[i].series_count == 0) return true;
    for (size_t j = 0; j < marks[i].series_count; j++)
      if (marks[i].series[j] == row->series) return true;
  }
  return false;
}

/* The text of a string value; some are empty, some long. */
static inline struct str model_text(uint16_t value, char out[64]) {
  if (value % 7 == 0) return (struct str){"", 0};
  int size = snprintf(out, 64, "%.*s%u", value % 40, "abcdefghijklmnopqrstuvwxyzabcdefghijklmn",
                      (unsigned)value);
  return (struct str){out, (size_t)size};
}
static inline double model_double(uint16_t value) {
  if (value == 1) return -0.0;
  if (value == 2) return __builtin_nan("");
  return (double)value / 100;
}

static inline void model_append(struct builder *builder, int column, uint16_t value) {
  char text[64];
  switch (model_types[column].physical) {
  case PHYSICAL_FLOAT64:
    builder_append_f64(builder, model_double(value));
    break;
  case PHYSICAL_BOOL:
    builder_append_bool(builder, value & 1);
    break;
  case PHYSICAL_STRING:
    builder_append_str(builder, model_text(value, text));
    break;
  case PHYSICAL_UINT64:
    builder_append_u64(builder, UINT64_MAX - value);
    break;
  default:
    builder_append_i64(builder, (int64_t)value * 1000003 - 5);
  }
}

/* A list of rows (sorted) as the store takes it. */
struct model_batch {
  struct builder builders[MODEL_COLUMNS], marks;
  struct store_column columns[MODEL_COLUMNS + 1];
  uint64_t *series;
  int64_t *keys;
  struct store_rows rows;
};

static inline void model_batch_init(struct model_batch *batch, const struct model_row *rows,
                                    size_t count, enum store_policy policy,
                                    struct mem_account *account) {
  *batch = (struct model_batch){0};
  batch->series = malloc((count + 1) * 8);
  batch->keys = malloc((count + 1) * 8);
  for (int c = 0; c < MODEL_COLUMNS; c++)
    builder_init(&batch->builders[c], model_types[c], account);
  builder_init(&batch->marks, TYPE_BOOL, account);
  for (size_t i = 0; i < count; i++) {
    batch->series[i] = rows[i].series;
    batch->keys[i] = rows[i].key;
    for (int c = 0; c < MODEL_COLUMNS; c++)
      if (rows[i].present >> c & 1)
        model_append(&batch->builders[c], c, rows[i].value[c]);
      else
        builder_append_null(&batch->builders[c]);
    if (rows[i].mark)
      builder_append_bool(&batch->marks, true);
    else
      builder_append_null(&batch->marks);
  }
  uint32_t used = 0;
  for (int c = 0; c < MODEL_COLUMNS; c++) {
    assert_int_equal(builder_check(&batch->builders[c], NULL), ERR_OK);
    struct column column = builder_view(&batch->builders[c]);
    if (column.null_count < count)
      batch->columns[used++] = (struct store_column){model_ids[c], column};
  }
  struct column marks = builder_view(&batch->marks);
  if (marks.null_count < count)
    batch->columns[used++] = (struct store_column){STORE_COLUMN_MARK, marks};
  batch->rows = (struct store_rows){.store = 7,
                                    .policy = policy,
                                    .rows = (uint32_t)count,
                                    .series = batch->series,
                                    .keys = batch->keys,
                                    .columns = batch->columns,
                                    .column_count = used};
}

static inline void model_batch_deinit(struct model_batch *batch) {
  for (int c = 0; c < MODEL_COLUMNS; c++)
    builder_deinit(&batch->builders[c]);
  builder_deinit(&batch->marks);
  free(batch->series);
  free(batch->keys);
}

static inline void model_assert_value(const struct column *column, int64_t row, int c,
                                      const struct model_row *expected) {
  bool present = expected->present >> c & 1;
  if (column_is_valid(column, row) != present)
    fail_msg("column %u of series %llu key %lld: present is %d", model_ids[c],
             (unsigned long long)expected->series, (long long)expected->key, !present);
  if (!present) return;
  char text[64];
  uint16_t value = expected->value[c];
  uint64_t bits;
  double number;
  switch (model_types[c].physical) {
  case PHYSICAL_FLOAT64:
    number = model_double(value);
    memcpy(&bits, &number, 8);
    break;
  case PHYSICAL_BOOL:
    assert_int_equal(bit_get(column->bits, row), value & 1);
    return;
  case PHYSICAL_STRING: {
    struct str want = model_text(value, text), got = column_str(column, row);
    assert_true(str_equal(want, got));
    return;
  }
  case PHYSICAL_UINT64:
    bits = UINT64_MAX - value;
    break;
  default:
    bits = (uint64_t)((int64_t)value * 1000003 - 5);
  }
  if (column->u64[row] != bits)
    fail_msg("column %u of series %llu key %lld: %llx instead of %llx", model_ids[c],
             (unsigned long long)expected->series, (long long)expected->key,
             (unsigned long long)column->u64[row], (unsigned long long)bits);
}

static inline uint64_t model_seed(uint64_t fallback) {
  const char *text = getenv("NILO_TEST_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 10) : fallback;
  print_message("seed %llu\n", (unsigned long long)seed);
  return seed;
}

#endif
