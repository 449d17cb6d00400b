/* Random rows of every type, as columns, and comparing cells: for tests of what keeps rows. */
#ifndef TESTS_UNIT_EXEC_RANDOM_ROWS_H
#define TESTS_UNIT_EXEC_RANDOM_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "columnar/builder.h"

struct random_source {
  uint64_t state;
};
static inline uint64_t random_next(struct random_source *random) {
  random->state ^= random->state << 13;
  random->state ^= random->state >> 7;
  random->state ^= random->state << 17;
  return random->state;
}
static inline struct random_source random_begin(uint64_t seed) {
  struct random_source random = {seed * 2654435761u + UINT64_C(88172645463325252)};
  for (int i = 0; i < 8; i++)
    random_next(&random);
  return random;
}
static inline uint64_t random_less(struct random_source *random, uint64_t limit) {
  return random_next(random) % limit;
}

/* One column of each kind; the last is codes of the dictionary before it, of strings. */
enum { RANDOM_COLUMNS = 10, RANDOM_DICTIONARY = 37 };
struct random_rows {
  struct builder builders[RANDOM_COLUMNS], dictionary_texts;
  struct type types[RANDOM_COLUMNS]; /* by the schema: codes are strings */
  struct column columns[RANDOM_COLUMNS], dictionary;
  int64_t count;
};

static inline void random_append(struct random_source *random, struct builder *builder,
                                 int null_percent, uint64_t text_max) {
  if (random_less(random, 100) < (uint64_t)null_percent) {
    builder_append_null(builder);
    return;
  }
  uint64_t bits = random_next(random) >> random_less(random, 60);
  char text[4096];
  switch (builder->type.physical) {
  case PHYSICAL_BOOL:
    builder_append_bool(builder, bits & 1);
    break;
  case PHYSICAL_INT32: {
    int32_t code = (int32_t)random_less(random, RANDOM_DICTIONARY);
    struct column one = {.type = {PHYSICAL_INT32, 0, 0}, .length = 1, .i32 = &code};
    builder_append_column(builder, &one, 0, 1);
    break;
  }
  case PHYSICAL_FLOAT64: {
    static const uint64_t odd[] = {UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000001234),
                                   UINT64_C(0x8000000000000000), UINT64_C(0x7ff0000000000000)};
    double value = (double)(int64_t)random_less(random, 100000) / 100;
    if (random_less(random, 20) == 0) memcpy(&value, &odd[random_less(random, 4)], 8);
    builder_append_f64(builder, value);
    break;
  }
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES: {
    size_t size = (size_t)random_less(random, text_max < sizeof text ? text_max : sizeof text);
    for (size_t i = 0; i < size; i++)
      text[i] = builder->type.physical == PHYSICAL_STRING ? (char)('a' + random_next(random) % 26)
                                                          : (char)random_next(random);
    builder_append_str(builder, (struct str){text, size});
    break;
  }
  default:
    builder_append_u64(builder, bits);
  }
}

static inline void random_rows_make(struct random_rows *rows, struct random_source *random,
                                    struct mem_account *account, int64_t count, int null_percent,
                                    uint64_t text_max) {
  static const struct type types[RANDOM_COLUMNS] = {{PHYSICAL_BOOL, 0, 0},
                                                    {PHYSICAL_INT64, 0, 0},
                                                    {PHYSICAL_UINT64, 0, 0},
                                                    {PHYSICAL_FLOAT64, 0, 0},
                                                    {PHYSICAL_STRING, 0, 0},
                                                    {PHYSICAL_BYTES, 0, 0},
                                                    {PHYSICAL_INT32, 0, 0},
                                                    {PHYSICAL_BYTES, LOGICAL_LIST_STRING, 0},
                                                    {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0},
                                                    {PHYSICAL_INT32, 0, 0}};
  *rows = (struct random_rows){.count = count};
  builder_init(&rows->dictionary_texts, TYPE_STRING, account);
  for (int i = 0; i < RANDOM_DICTIONARY; i++)
    random_append(random, &rows->dictionary_texts, 0, i == 0 ? 1 : 30);
  rows->dictionary = builder_view(&rows->dictionary_texts);
  for (int c = 0; c < RANDOM_COLUMNS; c++) {
    builder_init(&rows->builders[c], types[c], account);
    for (int64_t i = 0; i < count; i++)
      random_append(random, &rows->builders[c], c % 3 == 2 ? 0 : null_percent, text_max);
    assert_int_equal(builder_check(&rows->builders[c], NULL), ERR_OK);
    rows->columns[c] = builder_view(&rows->builders[c]);
    rows->types[c] = types[c];
  }
  rows->columns[RANDOM_COLUMNS - 1].dictionary = &rows->dictionary;
  rows->types[RANDOM_COLUMNS - 1] = TYPE_STRING;
}

static inline void random_rows_free(struct random_rows *rows) {
  for (int c = 0; c < RANDOM_COLUMNS; c++)
    builder_deinit(&rows->builders[c]);
  builder_deinit(&rows->dictionary_texts);
}

/* The same value bit by bit, absent or present; codes are their texts. */
static inline bool same_cell(const struct column *a, int64_t i, const struct column *b, int64_t j) {
  bool present = column_is_valid(a, i);
  if (present != column_is_valid(b, j)) return false;
  if (!present) return true;
  if (a->dictionary || type_is_string(a->type)) {
    struct str x = a->dictionary ? column_str(a->dictionary, a->i32[i]) : column_str(a, i);
    struct str y = b->dictionary ? column_str(b->dictionary, b->i32[j]) : column_str(b, j);
    return x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
  }
  if (a->type.physical != b->type.physical) return false;
  if (a->type.physical == PHYSICAL_BOOL) return bit_get(a->bits, i) == bit_get(b->bits, j);
  if (a->type.physical == PHYSICAL_INT32) return a->i32[i] == b->i32[j];
  return a->u64[i] == b->u64[j];
}

#endif
