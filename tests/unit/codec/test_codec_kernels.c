/* Kernels on images against the decoded column and the kernels on columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec_kernels.h"
#include "columnar/builder.h"

enum { SEED = 31415 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static uint64_t random_below(uint64_t limit) { return random_u64() % limit; }
static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

static struct mem_account account;
static struct arena arena;
static struct buffer buffer;

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
  printf("seed %d\n", SEED);
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 65536);
  buffer_init(&buffer, &account);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  buffer_deinit(&buffer);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

enum { SHAPES = 15 };
static uint64_t walk;
static uint64_t value_of(int shape, uint64_t i) {
  static const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 5e-324};
  switch (shape) {
  case 0:
    return random_u64();
  case 1:
    return random_below(1000) - 500;
  case 2:
    return walk = (i ? walk : 77) + random_below(9) - 4;
  case 3:
    return UINT64_C(1451606400000000000) + i * 10000000000 + random_below(1000);
  case 4:
    return i / 100 * 7777777;
  case 5:
    return random_below(60) ? random_below(30) * 4096 : random_u64();
  case 6:
    return INT64_MAX - random_below(100);
  case 7:
    return random_below(300) * UINT64_C(0x9e3779b97f4a7c15);
  case 8:
    return bits_of((double)(int64_t)(random_below(20000) - 10000) / 100);
  case 9:
    walk = (i ? walk : 5000) + random_below(201) - 100;
    return bits_of((double)(int64_t)walk / 1000);
  case 10:
    return random_below(40) ? bits_of((double)random_below(500) / 10)
                            : bits_of(specials[random_below(6)]);
  case 11:
    return bits_of(((double)(random_u64() >> 11) / 0x1p52 - 1) * 1e6);
  case 12:
    if (i % 61 == 0) walk = random_below(30) ? bits_of((double)random_u64()) : bits_of(NAN);
    return walk;
  case 13: /* a rounding error away from decimals */
    walk = (i ? walk : 5000) + random_below(61) - 30;
    return random_below(99) ? bits_of((double)(int64_t)walk * 0.001)
                            : bits_of(specials[random_below(6)]);
  default:
    return bits_of(-12.5);
  }
}

static uint64_t values[CODEC_ROWS_MAX], validity[CODEC_ROWS_MAX / 64];
static const struct type types[] = {{PHYSICAL_INT64, 0, 0},
                                    {PHYSICAL_UINT64, 0, 0},
                                    {PHYSICAL_FLOAT64, 0, 0},
                                    {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}};

static struct column make(struct type type, int shape, uint32_t rows, unsigned nulls) {
  struct column column = {.type = type, .length = rows, .u64 = values};
  for (uint32_t i = 0; i < rows; i++) {
    values[i] = value_of(shape, i);
    if (nulls && random_below(nulls) == 0) {
      bit_clear(validity, i);
      column.null_count++;
    } else {
      bit_set(validity, i);
    }
  }
  column.validity = column.null_count ? validity : NULL;
  return column;
}

/* Sometimes with what was found out kept from kernel to kernel, and fields, too. */
static struct codec_image encode(const struct column *column, enum codec_level level) {
  static struct codec_opened opened;
  static struct codec_kept kept;
  struct codec_image image;
  uint64_t way = random_below(3);
  buffer_reset(&buffer);
  assert_int_equal(codec_encode(column, level, NULL, &buffer, NULL), ERR_OK);
  assert_int_equal(codec_open_kept(buffer.data, buffer.size, column->type, (uint32_t)column->length,
                                   way ? &opened : NULL, &image, NULL),
                   ERR_OK);
  if (way == 2) {
    kept.owner = image.bytes;
    kept.there = 0;
    opened.kept = &kept;
  }
  return image;
}

/* What an aggregate gave against the kernel on the decoded column. */
static void check_record(const struct codec_image *image, const struct column *of,
                         const struct column_statistics *result) {
  struct column_statistics got = *result, want;
  struct column column = *of;
  column_statistics_compute(&column, NULL, &want);
  assert_int_equal(got.first_key | got.last_key | got.first.i64 | got.last.i64, 0);
  assert_int_equal(got.count, want.count);
  assert_int_equal(got.nan_count, want.nan_count);
  assert_int_equal(got.flags, want.flags & ~(uint32_t)STATISTICS_ENDS);
  if (want.flags & STATISTICS_RANGE) {
    assert_int_equal(got.min.u64, want.min.u64);
    assert_int_equal(got.max.u64, want.max.u64);
  }
  if (image->type.physical != PHYSICAL_FLOAT64) {
    assert_int_equal(got.sum_low, want.sum_low);
    assert_int_equal(got.sum_high, want.sum_high);
    return;
  }
  double a = column_statistics_sum_float(&got), b = column_statistics_sum_float(&want), all = 0;
  bool infinite = false;
  for (int64_t i = 0; i < column.length; i++) {
    if (!column_is_valid(&column, i) || isnan(column.f64[i])) continue;
    all += fabs(column.f64[i]);
    infinite |= (bool)isinf(column.f64[i]);
  }
  if (isinf(all) && !infinite) return; /* sums of what overflows depend on the order */
  if (isnan(b))
    assert_true(isnan(a));
  else if (isinf(b))
    assert_true(a == b);
  else if (!(fabs(a - b) <= all * 0x1p-51))
    fail_msg("%s: a sum of %.17g, not %.17g", codec_name(image->codec), a, b);
}

static void check_statistics(const struct codec_image *image, uint32_t from, uint32_t count) {
  struct column_statistics got;
  struct column column;
  assert_int_equal(codec_statistics(image, from, count, &got, NULL), ERR_OK);
  assert_int_equal(codec_decode(image, from, count, &arena, &column, NULL), ERR_OK);
  check_record(image, &column, &got);
}

/* Ranges of random lengths with gaps, all rows or some of them. */
static void check_aggregate(const struct codec_image *image, const struct column *all) {
  struct codec_range ranges[200];
  struct column_statistics got[200], counts[200], sums[200];
  uint64_t selected[CODEC_ROWS_MAX / 64], valid[CODEC_ROWS_MAX / 64];
  uint32_t count = 0, at = 0, mean = 1 + (uint32_t)random_below(700), sparse = random_below(3) == 0;
  bool some = random_below(3) > 0;
  while (count < 200 && at < image->rows) {
    if (random_below(3) == 0) at += (uint32_t)random_below(random_below(8) ? 10 : 2000);
    uint32_t size = (uint32_t)random_below(mean * 2);
    if (at >= image->rows) break;
    if (size > image->rows - at) size = image->rows - at;
    ranges[count++] = (struct codec_range){at, size};
    at += size;
  }
  for (uint32_t i = 0; i < CODEC_ROWS_MAX / 64; i++)
    selected[i] =
        sparse ? (random_below(9) ? 0 : random_u64() & random_u64() & random_u64()) : random_u64();
  const uint64_t *among = some ? selected : NULL;
  assert_int_equal(codec_aggregate(image, ranges, count, among, CODEC_TOTALS, got, NULL), ERR_OK);
  assert_int_equal(codec_aggregate(image, ranges, count, among, CODEC_COUNTS, counts, NULL),
                   ERR_OK);
  assert_int_equal(codec_aggregate(image, ranges, count, among, CODEC_SUMS, sums, NULL), ERR_OK);
  for (uint32_t i = 0; i < count; i++) {
    struct column column = *all;
    column.length = ranges[i].count;
    column.null_count = 0;
    column.validity = valid;
    memset(valid, 0, sizeof valid);
    uint64_t *moved = arena_alloc(&arena, (ranges[i].count + 64) * 8);
    for (uint32_t j = 0; j < ranges[i].count; j++) {
      uint32_t row = ranges[i].from + j;
      if (column_is_valid(all, row) && (!some || bit_get(selected, row)))
        bit_set(valid, j);
      else
        column.null_count++;
      if (all->type.physical == PHYSICAL_BOOL && bit_get(all->bits, row))
        bit_set(moved, j);
      else if (all->type.physical == PHYSICAL_BOOL)
        bit_clear(moved, j);
      else
        moved[j] = all->u64[row];
    }
    column.u64 = moved;
    if (!column.null_count) column.validity = NULL;
    check_record(image, &column, &got[i]);
    assert_int_equal(counts[i].count, column.length - column.null_count);
    assert_int_equal(counts[i].flags, 0);
    assert_int_equal(sums[i].flags, got[i].flags & ~(uint32_t)STATISTICS_RANGE);
    assert_int_equal(sums[i].min.u64 | sums[i].max.u64, 0);
    sums[i].flags = got[i].flags;
    sums[i].min = got[i].min;
    sums[i].max = got[i].max;
    check_record(image, &column, &sums[i]);
  }
}

/* Picked rows against the column. */
static void check_pick(const struct codec_image *image, const struct column *all) {
  static uint32_t rows[CODEC_ROWS_MAX];
  uint32_t count = 0, absent, missing = 0;
  static uint64_t got[CODEC_ROWS_MAX], valid[CODEC_ROWS_MAX / 64];
  uint64_t step = random_below(3) ? 1 + random_below(5) : 1 + random_below(3000);
  for (uint32_t row = (uint32_t)random_below(step); row < image->rows;
       row += 1 + (uint32_t)random_below(step))
    rows[count++] = row;
  assert_int_equal(codec_pick(image, rows, count, got, valid, &absent, NULL), ERR_OK);
  for (uint32_t i = 0; i < count; i++) {
    bool there = column_is_valid(all, rows[i]);
    missing += !there;
    if (image->has_nulls) assert_int_equal(bit_get(valid, i), there);
    if (there && got[i] != all->u64[rows[i]])
      fail_msg("%s: row %u is %llx", codec_name(image->codec), rows[i], (unsigned long long)got[i]);
  }
  assert_int_equal(absent, missing);
}

static void test_ranges_of_rows(void **state) {
  (void)state;
  for (int round = 0; round < 500; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(round % 3 ? 3000 : CODEC_ROWS_MAX);
    static const unsigned nulls[] = {0, 0, 10, 2};
    struct column column =
        make(types[random_below(4)], round % SHAPES, rows, nulls[random_below(4)]);
    struct codec_image image = encode(&column, (enum codec_level)random_below(4));
    for (int i = 0; i < 3; i++)
      check_aggregate(&image, &column);
    for (int i = 0; i < 3; i++)
      check_pick(&image, &column);
    arena_reset(&arena);
  }
}

static void test_statistics(void **state) {
  (void)state;
  for (int round = 0; round < 700; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(round % 5 ? 3000 : CODEC_ROWS_MAX);
    static const unsigned nulls[] = {0, 0, 10, 2, 1};
    struct column column =
        make(types[random_below(4)], round % SHAPES, rows, nulls[random_below(5)]);
    struct codec_image image = encode(&column, (enum codec_level)random_below(4));
    check_statistics(&image, 0, rows);
    for (int i = 0; i < 3; i++) {
      uint32_t from = (uint32_t)random_below(rows);
      check_statistics(&image, from, (uint32_t)random_below(rows - from + 1));
    }
    arena_reset(&arena);
  }
}

/* Decimals are summed as integers: ten times 0.1 is 1. */
static void test_sum_of_decimals_is_exact(void **state) {
  (void)state;
  struct column column = {.type = TYPE_FLOAT64, .length = 8000, .u64 = values};
  struct column_statistics got;
  for (int i = 0; i < 8000; i++)
    values[i] = bits_of((double)(i % 2 ? 1 : 10000007) / 10);
  struct codec_image image = encode(&column, CODEC_FAST);
  assert_int_equal(image.codec, CODEC_DECIMAL_FOR);
  assert_int_equal(codec_statistics(&image, 0, 8000, &got, NULL), ERR_OK);
  assert_true(column_statistics_sum_float(&got) == 4000 * 10000008.0 / 10);
}

static bool is_between(struct type type, uint64_t value, union statistics_value low,
                       union statistics_value high) {
  union statistics_value v = {.u64 = value};
  if (type.physical == PHYSICAL_FLOAT64) return v.f64 >= low.f64 && v.f64 <= high.f64;
  if (type.physical == PHYSICAL_INT64) return v.i64 >= low.i64 && v.i64 <= high.i64;
  return v.u64 >= low.u64 && v.u64 <= high.u64;
}

static void check_range(const struct column *column, const struct codec_image *image) {
  uint64_t selected[CODEC_ROWS_MAX / 64];
  uint32_t rows = image->rows, from = (uint32_t)random_below(rows);
  uint32_t count = (uint32_t)random_below(rows - from + 1);
  union statistics_value low = {.u64 = values[random_below(rows)]};
  union statistics_value high = {.u64 = values[random_below(rows)]};
  switch (random_below(6)) {
  case 0:
    low = high;
    break;
  case 1: /* from the least on */
    low.u64 = column->type.physical == PHYSICAL_FLOAT64  ? bits_of(-INFINITY)
              : column->type.physical == PHYSICAL_UINT64 ? 0
                                                         : (uint64_t)INT64_MIN;
    break;
  case 2:
    high.u64 = column->type.physical == PHYSICAL_FLOAT64  ? bits_of(INFINITY)
               : column->type.physical == PHYSICAL_UINT64 ? UINT64_MAX
                                                          : (uint64_t)INT64_MAX;
    break;
  case 3: /* between the values */
    if (column->type.physical == PHYSICAL_FLOAT64)
      low.f64 = nextafter(low.f64, INFINITY);
    else
      low.u64++;
    break;
  default:
    break;
  }
  uint64_t among[CODEC_ROWS_MAX / 64];
  bool some = random_below(2);
  for (uint32_t i = 0; i < CODEC_ROWS_MAX / 64; i++)
    among[i] = random_below(6) ? 0 : random_u64();
  assert_int_equal(
      codec_select_range(image, from, count, low, high, some ? among : NULL, selected, NULL),
      ERR_OK);
  for (uint32_t i = 0; i < count; i++) {
    bool want =
        column_is_valid(column, from + i) && is_between(column->type, values[from + i], low, high);
    want &= !some || bit_get(among, i);
    if (bit_get(selected, i) != want)
      fail_msg("%s: row %u is %s", codec_name(image->codec), from + i, want ? "left out" : "in");
  }
}

static void test_ranges(void **state) {
  (void)state;
  for (int round = 0; round < 700; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(round % 5 ? 3000 : CODEC_ROWS_MAX);
    struct column column =
        make(types[random_below(4)], round % SHAPES, rows, random_below(2) ? 5 : 0);
    struct codec_image image = encode(&column, (enum codec_level)random_below(4));
    for (int i = 0; i < 6; i++) {
      check_range(&column, &image);
      if (i % 3 == 2) check_aggregate(&image, &column);
    }
    check_pick(&image, &column);
    arena_reset(&arena);
  }
}

/* What one kernel decoded, the next one does not decode again: bytes are not looked at any more. */
static void test_fields_are_kept(void **state) {
  (void)state;
  struct codec_opened opened;
  static struct codec_kept kept;
  for (int level = CODEC_FAST; level <= CODEC_COLD; level++) {
    struct column column = {.type = TYPE_INT64, .length = 5000, .u64 = values};
    uint64_t selected[CODEC_ROWS_MAX / 64];
    union statistics_value low = {.i64 = 0}, high = {.i64 = 100};
    struct codec_range all = {0, 5000};
    struct column_statistics first, again;
    struct codec_image image;
    for (uint32_t i = 0; i < 5000; i++)
      values[i] = i ? values[i - 1] + random_below(5) - 2 : 50;
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, (enum codec_level)level, NULL, &buffer, NULL), ERR_OK);
    assert_int_equal(
        codec_open_kept(buffer.data, buffer.size, TYPE_INT64, 5000, &opened, &image, NULL), ERR_OK);
    kept.owner = image.bytes;
    kept.there = 0;
    opened.kept = &kept;
    assert_int_equal(codec_select_range(&image, 0, 5000, low, high, NULL, selected, NULL), ERR_OK);
    assert_int_equal(kept.there, 31);
    assert_int_equal(codec_aggregate(&image, &all, 1, selected, CODEC_TOTALS, &first, NULL),
                     ERR_OK);
    memset(buffer.data, 0xa5, buffer.size);
    assert_int_equal(codec_aggregate(&image, &all, 1, selected, CODEC_TOTALS, &again, NULL),
                     ERR_OK);
    assert_memory_equal(&first, &again, sizeof first);
    struct codec_kept other = {.owner = buffer.data + 8, .there = 31}; /* of another image */
    opened.kept = &other;
    (void)codec_aggregate(&image, &all, 1, selected, CODEC_TOTALS, &again, NULL);
    assert_int_equal(other.there, 31);
    assert_true(memcmp(&first, &again, sizeof first) != 0);
  }
}

static void test_booleans(void **state) {
  (void)state;
  for (int round = 0; round < 60; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(5000);
    struct column column = make(TYPE_BOOL, round % 2 ? 0 : 4, rows, round % 3 ? 0 : 7);
    struct codec_image image = encode(&column, CODEC_HOT);
    check_statistics(&image, 0, rows);
    check_statistics(&image, rows / 3, rows / 2);
    check_aggregate(&image, &column);
    uint64_t selected[CODEC_ROWS_MAX / 64];
    union statistics_value low = {.u64 = random_below(3)}, high = {.u64 = random_below(3)};
    uint32_t from = (uint32_t)random_below(rows);
    assert_int_equal(codec_select_range(&image, from, rows - from, low, high, NULL, selected, NULL),
                     ERR_OK);
    for (uint32_t i = from; i < rows; i++) {
      uint64_t value = bit_get(column.bits, i);
      assert_int_equal(bit_get(selected, i - from),
                       column_is_valid(&column, i) && value >= low.u64 && value <= high.u64);
    }
    arena_reset(&arena);
  }
}

static void test_equal_strings(void **state) {
  (void)state;
  uint64_t selected[CODEC_ROWS_MAX / 64];
  for (int round = 0; round < 120; round++) {
    struct builder builder;
    char text[64];
    uint32_t rows = 1 + (uint32_t)random_below(4000);
    uint64_t distinct = 1 + random_below(round % 2 ? 20 : 100000);
    builder_init(&builder, TYPE_STRING, &account);
    for (uint32_t i = 0; i < rows; i++) {
      uint64_t number = round % 3 ? random_below(distinct) : i / 50 % distinct;
      int size =
          snprintf(text, sizeof text, "a host with the number %llu", (unsigned long long)number);
      if (round % 4 == 0 && random_below(6) == 0)
        builder_append_null(&builder);
      else
        builder_append_str(&builder, str_of(text, number == 3 ? 0 : (size_t)size));
    }
    struct column column = builder_view(&builder);
    struct codec_image image = encode(&column, (enum codec_level)random_below(4));
    uint32_t from = (uint32_t)random_below(rows);
    uint32_t count = (uint32_t)random_below(rows - from + 1);
    struct str wanted =
        random_below(5) ? column_str(&column, (int64_t)random_below(rows)) : STR("nowhere");
    assert_int_equal(codec_select_equal(&image, from, count, wanted, &arena, selected, NULL),
                     ERR_OK);
    for (uint32_t i = 0; i < count; i++)
      assert_int_equal(bit_get(selected, i), column_is_valid(&column, from + i) &&
                                                 str_equal(column_str(&column, from + i), wanted));
    struct column_statistics statistics;
    assert_int_equal(codec_statistics(&image, 0, rows, &statistics, NULL), ERR_OK);
    assert_int_equal(statistics.count, rows - column.null_count);
    arena_reset(&arena);
    builder_deinit(&builder);
  }
}

/* Ascending keys, regular, jittered, with gaps, several runs of them, against a plain search. */
static void test_search(void **state) {
  (void)state;
  unsigned searched = 0;
  for (int round = 0; round < 400; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(round % 3 ? 3000 : CODEC_ROWS_MAX), found[64];
    uint32_t run = random_below(2) ? rows : 1 + (uint32_t)random_below(rows);
    int64_t step = 1 + (int64_t)random_below(100000), key = 0, bounds[64];
    for (uint32_t i = 0; i < rows; i++) {
      if (i % run == 0) key = INT64_C(1451606400000000000) + (int64_t)random_below(1000) * step;
      values[i] = (uint64_t)key + (round % 4 == 1 ? random_below((uint64_t)step) : 0);
      key += round % 4 == 2 && random_below(100) == 0 ? step * 7 : round % 4 == 3 ? 0 : step;
      if (round % 4 == 3) key += (int64_t)random_below(3) * step;
    }
    struct column column = {.type = TYPE_INT64, .length = rows, .u64 = values};
    struct codec_image image = encode(&column, (enum codec_level)random_below(3));
    check_pick(&image, &column);
    for (int n = 0; n < 5; n++) {
      uint32_t first = (uint32_t)random_below((rows + run - 1) / run) * run;
      uint32_t from = first + (uint32_t)random_below((rows - first < run ? rows - first : run));
      uint32_t end = first + run < rows ? first + run : rows, at = from;
      uint32_t to = from + 1 + (uint32_t)random_below(end - from);
      uint32_t count = 1 + (uint32_t)random_below(64);
      int64_t bound = (int64_t)values[from] - (int64_t)random_below(3) * step;
      for (uint32_t i = 0; i < count; i++) {
        bounds[i] = bound;
        bound += (int64_t)random_below(4) * step * (int64_t)(run / count + 1) / 2 +
                 (int64_t)random_below(2);
      }
      bool done;
      assert_int_equal(codec_search(&image, from, to, bounds, count, found, &done, NULL), ERR_OK);
      searched += done;
      for (uint32_t i = 0; i < count && done; i++) {
        while (at < to && (int64_t)values[at] <= bounds[i])
          at++;
        if (found[i] != at)
          fail_msg("%s: bound %u at row %u, not %u, of %u to %u", codec_name(image.codec), i,
                   found[i], at, from, to);
      }
    }
  }
  assert_true(searched > 500);
}

/* Rows outside, and types that a kernel is not for. */
static void test_refusals(void **state) {
  (void)state;
  struct column column = make(TYPE_INT64, 1, 100, 0);
  struct codec_image image = encode(&column, CODEC_HOT);
  struct column_statistics statistics;
  union statistics_value zero = {0};
  uint64_t selected[2];
  assert_int_equal(codec_statistics(&image, 50, 51, &statistics, NULL), ERR_INVALID_ARGUMENT);
  assert_int_equal(codec_select_range(&image, 0, 101, zero, zero, NULL, selected, NULL),
                   ERR_INVALID_ARGUMENT);
  assert_int_equal(codec_select_equal(&image, 0, 100, STR(""), &arena, selected, NULL),
                   ERR_INVALID_ARGUMENT);
  uint32_t rows[2] = {5, 5}, absent;
  uint64_t out[2];
  assert_int_equal(codec_pick(&image, rows, 2, out, NULL, &absent, NULL), ERR_INVALID_ARGUMENT);
  rows[1] = 100;
  assert_int_equal(codec_pick(&image, rows, 2, out, NULL, &absent, NULL), ERR_INVALID_ARGUMENT);
  struct codec_range ranges[2] = {{10, 5}, {14, 2}};
  struct column_statistics records[2];
  assert_int_equal(codec_aggregate(&image, ranges, 2, NULL, CODEC_TOTALS, records, NULL),
                   ERR_INVALID_ARGUMENT);
  ranges[1].from = 99;
  assert_int_equal(codec_aggregate(&image, ranges, 2, NULL, CODEC_TOTALS, records, NULL),
                   ERR_INVALID_ARGUMENT);
  static const int32_t offsets[65];
  image =
      encode(&(struct column){.type = TYPE_STRING, .length = 64, .offsets = offsets, .data = ""},
             CODEC_HOT);
  assert_int_equal(codec_select_range(&image, 0, 64, zero, zero, NULL, selected, NULL),
                   ERR_INVALID_ARGUMENT);
  assert_int_equal(codec_pick(&image, rows, 1, out, NULL, &absent, NULL), ERR_INVALID_ARGUMENT);
}

/* Damaged images are refused or answered with something, within bounds. */
static void test_damage(void **state) {
  (void)state;
  uint64_t selected[CODEC_ROWS_MAX / 64];
  for (int round = 0; round < 1500; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(2500);
    struct type type = types[random_below(4)];
    struct column column = make(type, round % SHAPES, rows, round % 4 ? 0 : 5);
    encode(&column, round % 2 ? CODEC_HOT : CODEC_COLD);
    uint8_t *bytes = malloc(buffer.size); /* of exactly this size */
    memcpy(bytes, buffer.data, buffer.size);
    for (int n = 0; n < 3; n++)
      bytes[random_below(n && buffer.size > 64 ? 64 : buffer.size)] = (uint8_t)random_u64();
    struct codec_image image;
    struct column_statistics statistics;
    union statistics_value low = {.u64 = values[0]}, high = {.u64 = values[rows / 2]};
    struct err err;
    if (codec_open(bytes, buffer.size, type, rows, &image, &err) == ERR_OK) {
      int code = codec_statistics(&image, 0, rows, &statistics, &err);
      assert_true(code == ERR_OK || code == ERR_CORRUPTION);
      code = codec_select_range(&image, rows / 4, rows / 2, low, high, NULL, selected, &err);
      assert_true(code == ERR_OK || code == ERR_CORRUPTION);
      struct codec_range ranges[2] = {{rows / 5, rows / 9}, {rows / 2, rows - rows / 2}};
      struct column_statistics records[2];
      for (uint32_t i = 0; i < CODEC_ROWS_MAX / 64; i++)
        selected[i] = random_u64();
      code = codec_aggregate(&image, ranges, 2, round % 3 ? selected : NULL,
                             round % 2 ? CODEC_SUMS : CODEC_TOTALS, records, &err);
      assert_true(code == ERR_OK || code == ERR_CORRUPTION);
      uint32_t picked[] = {rows / 3, rows - 1}, absent;
      uint64_t out[2], valid[1];
      code = codec_pick(&image, picked + (picked[0] == picked[1]), 1 + (picked[0] != picked[1]),
                        out, valid, &absent, &err);
      assert_true(code == ERR_OK || code == ERR_CORRUPTION);
    }
    free(bytes);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_statistics, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sum_of_decimals_is_exact, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_ranges_of_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_fields_are_kept, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_ranges, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_booleans, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_equal_strings, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_search, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
