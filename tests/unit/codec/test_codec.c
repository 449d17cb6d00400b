/* Images against the columns they were made from: every type, every level, many shapes of data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/compare.h"
#include "columnar/bits.h"
#include "columnar/builder.h"

enum { SEED = 4711 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static uint64_t random_below(uint64_t limit) { return random_u64() % limit; }
static uint64_t double_to_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

/* ---- shapes of data: the i-th value of a column, as raw bits ---- */

static uint64_t walk;
static uint64_t shape_random(uint64_t i) { return (void)i, random_u64(); }
static uint64_t shape_constant(uint64_t i) { return (void)i, 0x7fffffffffffffff; }
static uint64_t shape_small(uint64_t i) { return (void)i, random_below(100); }
static uint64_t shape_sign(uint64_t i) { return (void)i, random_below(2) ? 5 : (uint64_t)-5; }
static uint64_t shape_extremes(uint64_t i) {
  static const uint64_t ends[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1};
  return (void)i, ends[random_below(5)];
}
static uint64_t shape_walk(uint64_t i) { return walk = (i ? walk : 50) + random_below(7) - 3; }
static uint64_t shape_outliers(uint64_t i) {
  return (void)i, random_below(50) ? random_below(16) : random_u64() >> random_below(64);
}
static uint64_t shape_times(uint64_t i) { /* 10 s in ns */
  return UINT64_C(1451606400000000000) + i * UINT64_C(10000000000);
}
static uint64_t shape_times_jitter(uint64_t i) { /* ms in ns */
  return UINT64_C(1451606400000000000) + (i * 10000 + random_below(1000)) * 1000000;
}
static uint64_t shape_runs_of_series(uint64_t i) {
  return UINT64_C(1451606400000000000) + (i % 360) * UINT64_C(10000000000);
}
static uint64_t shape_quadratic(uint64_t i) { return i * i * 3 + 17 * i; }
static uint64_t shape_multiples(uint64_t i) { return (void)i, random_below(100000) * 4096 - 81920; }
static uint64_t shape_almost_multiples(uint64_t i) {
  return i % 777 == 5 ? 1 : random_below(1000) * 1000;
}
static uint64_t shape_all_widths(uint64_t i) { return random_u64() >> (i / 1024 * 8 % 64); }
static uint64_t shape_decimals(uint64_t i) {
  walk = (i ? walk : 5000) + random_below(201) - 100;
  return double_to_bits((double)(int64_t)walk / 100);
}
static uint64_t shape_decimals_mixed(uint64_t i) {
  static const double powers[] = {1, 10, 100, 1000, 1e5};
  return (void)i, double_to_bits((double)(int64_t)(random_below(2000000) - 1000000) /
                                 powers[random_below(5)]);
}
static uint64_t shape_decimals_special(uint64_t i) {
  static const double specials[] = {NAN, -NAN, INFINITY, -INFINITY, -0.0, 0.0, 5e-324, 1e308};
  if (random_below(20) == 0) return double_to_bits(specials[random_below(8)]);
  return shape_decimals(i);
}
static uint64_t shape_only_special(uint64_t i) {
  return i % 2 ? UINT64_C(0x7ff8000000000123) : UINT64_C(0xfff0000000000001);
}
static uint64_t shape_noise(uint64_t i) {
  return (void)i, double_to_bits(((double)(random_u64() >> 11) / 0x1p52 - 1) * 3);
}
static uint64_t shape_floats_widened(uint64_t i) {
  return (void)i, double_to_bits((double)(float)(random_below(100000) / 1000.0));
}
static uint64_t shape_repeated_noise(uint64_t i) {
  if (i % 50 == 0) walk = double_to_bits((double)(random_u64() >> 11) / 0x1p53);
  return walk;
}
static uint64_t shape_large_whole(uint64_t i) {
  return (void)i, double_to_bits((double)(random_u64() >> random_below(20)));
}
static uint64_t shape_few_distinct(uint64_t i) { /* of many digits, some of them negative */
  uint64_t z = (random_below(900) + 1) * UINT64_C(0x9e3779b97f4a7c15);
  return (void)i, double_to_bits((double)(int64_t)z / 0x1p61);
}
/* Of what repeats over a distance: values with noise, decimals of that low byte, their steps. */
static uint64_t hashed(uint64_t i) { return (i + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 12; }
static uint64_t shape_period(uint64_t i) { return UINT64_C(1023) << 52 | hashed(i % 700); }
static uint64_t shape_period_above(uint64_t i) {
  return double_to_bits((double)(hashed(i % 700) % 60000 * 256 + random_below(256)) / 100);
}
static uint64_t shape_period_of_steps(uint64_t i) {
  walk = (i ? walk : 1000) + hashed(i % 700) % 5000;
  return double_to_bits(i % 500 == 20 ? NAN : (double)(walk & 0xffffffff) / 1000);
}

/* A rounding error away from decimals, most of them; a few special ones. */
static uint64_t shape_near_decimals(uint64_t i) {
  walk = (i ? walk : 5000) + random_below(60) - 30;
  return i % 700 == 5 ? shape_only_special(i) : double_to_bits((double)(int64_t)walk * 0.001);
}

static const struct shape {
  const char *name;
  uint64_t (*value)(uint64_t i);
} shapes[] = {
    {"random", shape_random},
    {"constant", shape_constant},
    {"small", shape_small},
    {"sign", shape_sign},
    {"extremes", shape_extremes},
    {"walk", shape_walk},
    {"outliers", shape_outliers},
    {"times", shape_times},
    {"times with jitter", shape_times_jitter},
    {"runs of series", shape_runs_of_series},
    {"quadratic", shape_quadratic},
    {"multiples", shape_multiples},
    {"almost multiples", shape_almost_multiples},
    {"all widths", shape_all_widths},
    {"decimals", shape_decimals},
    {"decimals of mixed digits", shape_decimals_mixed},
    {"decimals and special values", shape_decimals_special},
    {"only special values", shape_only_special},
    {"noise", shape_noise},
    {"floats widened", shape_floats_widened},
    {"repeated noise", shape_repeated_noise},
    {"large whole numbers", shape_large_whole},
    {"few distinct", shape_few_distinct},
    {"period", shape_period},
    {"period above noise", shape_period_above},
    {"period of steps", shape_period_of_steps},
    {"near decimals", shape_near_decimals},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof shapes[0] };

/* ---- set-up ---- */

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

/* Equal where present; what is absent is anything. */
static void assert_rows(const char *name, const struct column *want, uint32_t from,
                        const struct column *got) {
  uint32_t nulls = 0;
  for (int64_t i = 0; i < got->length; i++) {
    int64_t row = from + i;
    bool present = column_is_valid(want, row), same = true;
    nulls += !present;
    if (column_is_valid(got, i) != present)
      fail_msg("%s: row %lld is %s", name, (long long)row, present ? "lost" : "made up");
    if (!present) continue;
    if (type_is_string(want->type))
      same = str_equal(column_str(want, row), column_str(got, i));
    else if (want->type.physical == PHYSICAL_BOOL)
      same = bit_get(want->bits, row) == bit_get(got->bits, i);
    else
      same = want->u64[row] == got->u64[i];
    if (!same)
      fail_msg("%s: row %lld of %lld differs", name, (long long)row, (long long)want->length);
  }
  assert_int_equal(got->null_count, nulls);
}

/* What is told of all ways agrees with the image that was made without hints: the way that it took
 * is there, at its size. (Others may be smaller: the encoder decides by samples.) */
static void assert_compared(const char *name, const struct column *column, enum codec_level level,
                            uint8_t codec, size_t size) {
  struct codec_trial trials[CODEC_TRIALS_MAX];
  size_t count, chosen = SIZE_MAX;
  assert_int_equal(codec_compare(column, level, &account, trials, &count, NULL), ERR_OK);
  assert_in_range(count, 1, CODEC_TRIALS_MAX);
  for (size_t i = 0; i < count; i++) {
    if (i) assert_true(trials[i - 1].bytes <= trials[i].bytes);
    if (trials[i].codec == codec) chosen = trials[i].bytes;
  }
  if (chosen != size)
    fail_msg("%s, level %d: %s takes %zu, told are %zu", name, (int)level, codec_name(codec), size,
             chosen);
}

/* Encodes, opens, decodes all and a few ranges; returns the image's size. */
static size_t round_trip(const char *name, const struct column *column, enum codec_level level,
                         struct codec_hint *hint) {
  struct err err;
  buffer_reset(&buffer);
  buffer_append_zero(&buffer, random_below(9)); /* an image may stand at any address */
  size_t start = buffer.size;
  int code = codec_encode(column, level, hint, &buffer, &err);
  if (code) fail_msg("%s: %s", name, err.message);
  size_t size = buffer.size - start;
  assert_int_equal(size % 8, 0);
  /* At exact size in its own memory, so that a sanitizer sees a step outside. */
  uint8_t *image_bytes = malloc(size);
  memcpy(image_bytes, buffer.data + start, size);
  struct codec_image image;
  code = codec_open(image_bytes, size, column->type, (uint32_t)column->length, &image, &err);
  if (code) fail_msg("%s: %s", name, err.message);
  assert_int_equal(image.size, size);
  assert_int_equal(image.has_nulls, column->null_count > 0);
  if (!hint && level != CODEC_FAST) assert_compared(name, column, level, image.codec, size);
  for (int round = 0; round < 5; round++) {
    uint32_t rows = (uint32_t)column->length, from = 0, count = rows;
    if (round > 0) {
      from = (uint32_t)random_below(rows);
      count = (uint32_t)random_below(rows - from + 1);
    }
    struct column got;
    code = codec_decode(&image, from, count, &arena, &got, &err);
    if (code) fail_msg("%s: %s", name, err.message);
    assert_int_equal(got.length, count);
    assert_rows(name, column, from, &got);
  }
  arena_reset(&arena);
  free(image_bytes);
  return size;
}

/* ---- numbers ---- */

static uint64_t values[CODEC_ROWS_MAX], validity[CODEC_ROWS_MAX / 64];

static struct column number_column(struct type type, const struct shape *shape, uint32_t rows,
                                   unsigned nulls) {
  struct column column = {.type = type, .length = rows, .u64 = values};
  for (uint32_t i = 0; i < rows; i++)
    values[i] = shape->value(i);
  if (nulls) {
    for (uint32_t i = 0; i < rows; i++) {
      bool present = nulls == 1   ? random_below(10) != 0
                     : nulls == 2 ? i > rows / 3
                     : nulls == 3 ? random_below(100) == 0
                                  : false;
      if (present)
        bit_set(validity, i);
      else
        bit_clear(validity, i);
      column.null_count += !present;
    }
    column.validity = column.null_count ? validity : NULL;
  }
  return column;
}

static const struct type number_types[] = {{PHYSICAL_INT64, 0, 0},
                                           {PHYSICAL_UINT64, 0, 0},
                                           {PHYSICAL_FLOAT64, 0, 0},
                                           {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}};
static const uint32_t lengths[] = {1,   2,    3,    7,    31,   64,   100,
                                   360, 1023, 1024, 1025, 2048, 3000, 8192};

static void test_numbers(void **state) {
  (void)state;
  for (size_t t = 0; t < 4; t++) {
    for (size_t s = 0; s < SHAPE_COUNT; s++) {
      struct codec_hint hints[4] = {{0}};
      for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        uint32_t rows = lengths[l];
        for (enum codec_level level = CODEC_FAST; level <= CODEC_SMALLEST; level++) {
          struct column column =
              number_column(number_types[t], &shapes[s], rows, (unsigned)(l % 5));
          size_t size = round_trip(shapes[s].name, &column, level, &hints[level]);
          /* Never more than a little above raw. */
          size_t raw = (rows - column.null_count) * 8u, bits = bit_words(rows) * 8;
          assert_in_range(size, 8, 16 + raw + (column.null_count ? bits : 0));
        }
      }
    }
  }
}

static void test_numbers_random_lengths(void **state) {
  (void)state;
  for (int round = 0; round < 400; round++) {
    const struct shape *shape = &shapes[random_below(SHAPE_COUNT)];
    struct column column =
        number_column(number_types[random_below(4)], shape, 1 + (uint32_t)random_below(3000),
                      (unsigned)random_below(5));
    round_trip(shape->name, &column, (enum codec_level)random_below(4), NULL);
  }
}

/* Any content of a hint gives a correct image. */
static void test_hints_are_only_hints(void **state) {
  (void)state;
  for (int round = 0; round < 200; round++) {
    const struct shape *shape = &shapes[random_below(SHAPE_COUNT)];
    struct codec_hint hint;
    for (size_t i = 0; i < sizeof hint; i++)
      ((uint8_t *)&hint)[i] = (uint8_t)random_u64();
    if (round & 1) hint.codec = CODEC_DECIMAL_FOR;
    if (round & 2) hint.exponent %= 25;
    struct column column = number_column(TYPE_FLOAT64, shape, 1 + (uint32_t)random_below(2000), 0);
    round_trip(shape->name, &column, CODEC_HOT, &hint);
    if (round & 4) { /* a complete code, too */
      hint.huffman = (struct huffman){.count = 3, .lengths = {1, 2, 2}};
      hint.shift %= 60;
      hint.excess = 100;
    }
    round_trip(shape->name, &column, CODEC_COLD, &hint);
  }
}

/* ---- what a shape is expected to cost and become ---- */

static void test_sizes(void **state) {
  (void)state;
  static const struct {
    const char *shape;
    struct type type;
    int codec;
    double bytes_per_value; /* at most */
    double cold;            /* likewise, at that level; 0: as much */
  } rows[] = {
      {"constant", {PHYSICAL_INT64, 0, 0}, CODEC_CONSTANT, 0.002, 0},
      {"times", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, CODEC_LINE, 0.008, 0},
      {"times with jitter", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, CODEC_LINE, 1.27, 1.27},
      {"runs of series", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, CODEC_DELTA, 0.06, 0},
      {"quadratic", {PHYSICAL_INT64, 0, 0}, CODEC_DELTA2, 0.55, 0},
      {"multiples", {PHYSICAL_INT64, 0, 0}, CODEC_FOR, 2.2, 0},
      {"small", {PHYSICAL_UINT64, 0, 0}, CODEC_FOR, 0.91, 0},
      {"decimals", {PHYSICAL_FLOAT64, 0, 0}, CODEC_DECIMAL_DELTA, 1.05, 1.01},
      {"noise", {PHYSICAL_FLOAT64, 0, 0}, CODEC_SPLIT, 7.2, 0},
      {"random", {PHYSICAL_INT64, 0, 0}, CODEC_RAW, 8.01, 0},
      {"repeated noise", {PHYSICAL_FLOAT64, 0, 0}, CODEC_REPEATS, 0.3, 0},
      {"few distinct", {PHYSICAL_FLOAT64, 0, 0}, CODEC_NUMBERS, 2.1, 2.08},
      {"few distinct", {PHYSICAL_INT64, 0, 0}, CODEC_NUMBERS, 2.1, 2.08},
      {"near decimals", {PHYSICAL_FLOAT64, 0, 0}, CODEC_NEAR_DELTA, 1.9, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    size_t s = 0;
    while (strcmp(shapes[s].name, rows[i].shape))
      s++;
    struct column column = number_column(rows[i].type, &shapes[s], CODEC_ROWS_MAX, 0);
    struct codec_image image;
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, CODEC_HOT, NULL, &buffer, NULL), ERR_OK);
    assert_int_equal(
        codec_open(buffer.data, buffer.size, rows[i].type, CODEC_ROWS_MAX, &image, NULL), ERR_OK);
    double size = (double)buffer.size / CODEC_ROWS_MAX;
    if (image.codec != rows[i].codec || size > rows[i].bytes_per_value)
      fail_msg("%s: %s with %.4f bytes a value", rows[i].shape, codec_name(image.codec), size);
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, CODEC_COLD, NULL, &buffer, NULL), ERR_OK);
    double cold = (double)buffer.size / CODEC_ROWS_MAX;
    if (cold > (rows[i].cold > 0 ? rows[i].cold : size))
      fail_msg("%s: cold with %.4f bytes a value", rows[i].shape, cold);
  }
}

/* zstd where it wins, in each of its forms; any range of it alone. */
static void test_planes(void **state) {
  (void)state;
  static const char *const names[] = {"period", "period above noise", "period of steps"};
  for (uint8_t form = 0; form < 3; form++) {
    size_t s = 0;
    while (strcmp(shapes[s].name, names[form]))
      s++;
    struct column column = number_column(TYPE_FLOAT64, &shapes[s], CODEC_ROWS_MAX, 0);
    struct codec_image image;
    static uint64_t got[CODEC_ROWS_MAX];
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, CODEC_COLD, NULL, &buffer, NULL), ERR_OK);
    size_t cold = buffer.size;
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, CODEC_SMALLEST, NULL, &buffer, NULL), ERR_OK);
    assert_in_range(buffer.size, 1, cold - cold / 5);
    assert_int_equal(
        codec_open(buffer.data, buffer.size, TYPE_FLOAT64, CODEC_ROWS_MAX, &image, NULL), ERR_OK);
    assert_int_equal(image.codec, CODEC_PLANES);
    assert_int_equal(image.payload[0], form);
    for (int round = 0; round < 50; round++) {
      uint32_t from = (uint32_t)random_below(CODEC_ROWS_MAX);
      uint32_t count = 1 + (uint32_t)random_below(CODEC_ROWS_MAX - from);
      assert_int_equal(codec_decode_into(&image, from, count, got, NULL, NULL, NULL), ERR_OK);
      assert_memory_equal(got, values + from, count * 8);
    }
  }
}

/* From 1,024 values on no more than 1 % above raw, whatever the values: rule 1. Every length, too.
 */
static void test_never_loses(void **state) {
  (void)state;
  for (uint32_t rows = 1; rows <= CODEC_ROWS_MAX; rows++) {
    const struct shape *shape = &shapes[rows % SHAPE_COUNT];
    struct type type = number_types[rows / SHAPE_COUNT % 4];
    struct column column = number_column(type, shape, rows, 0);
    enum codec_level level = (enum codec_level)(rows % 4);
    struct codec_image image;
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, level, NULL, &buffer, NULL), ERR_OK);
    if (rows >= 1024 && buffer.size > rows * 8 + rows * 8 / 100)
      fail_msg("%s: %zu bytes of %u values", shape->name, buffer.size, rows);
    static uint64_t got[CODEC_ROWS_MAX];
    assert_int_equal(codec_open(buffer.data, buffer.size, type, rows, &image, NULL), ERR_OK);
    assert_int_equal(codec_decode_into(&image, 0, rows, got, NULL, NULL, NULL), ERR_OK);
    if (memcmp(got, values, rows * 8u)) fail_msg("%s: %u values differ", shape->name, rows);
  }
}

/* ---- booleans and strings ---- */

static void test_booleans(void **state) {
  (void)state;
  static uint64_t bits[CODEC_ROWS_MAX / 64];
  for (int round = 0; round < 300; round++) {
    uint32_t rows = 1 + (uint32_t)random_below(round % 10 ? 3000 : CODEC_ROWS_MAX);
    struct column column = number_column(TYPE_BOOL, &shapes[0], rows, (unsigned)random_below(5));
    uint64_t flip = 1 + random_below(round % 3 ? 200 : 2), value = random_below(2);
    for (uint32_t i = 0; i < rows; i++) {
      if (random_below(flip) == 0 && round % 7) value ^= 1;
      if (value)
        bit_set(bits, i);
      else
        bit_clear(bits, i);
    }
    column.bits = bits;
    round_trip("booleans", &column, (enum codec_level)random_below(4), NULL);
  }
}

static void append_text(struct builder *builder, unsigned kind, uint32_t i) {
  char text[400];
  size_t size;
  switch (kind) {
  case 0: /* few distinct */
    size = (size_t)snprintf(text, sizeof text, "host_%d.example.org", (int)random_below(20));
    break;
  case 1: /* log lines */
    size = (size_t)snprintf(text, sizeof text, "GET /api/v2/item/%d HTTP/1.1 200 %d bytes",
                            (int)random_below(100000), (int)random_below(5000));
    break;
  case 2: /* random bytes of random sizes, many empty */
    size = random_below(4) ? random_below(40) : 0;
    for (size_t b = 0; b < size; b++)
      text[b] = (char)random_u64();
    break;
  case 3: /* constant */
    size = (size_t)snprintf(text, sizeof text, "always the same");
    break;
  case 4: /* all empty */
    size = 0;
    break;
  default: /* runs */
    size = (size_t)snprintf(text, sizeof text, "state %d", (int)(i / 100));
  }
  builder_append_str(builder, (struct str){text, size});
}

static void test_strings(void **state) {
  (void)state;
  for (int round = 0; round < 250; round++) {
    struct builder builder;
    builder_init(&builder, random_below(2) ? TYPE_STRING : TYPE_BYTES, &account);
    uint32_t rows = 1 + (uint32_t)random_below(round % 10 ? 2500 : CODEC_ROWS_MAX);
    if (round % 10 == 1) rows = 1 + (uint32_t)random_below(5);
    unsigned nulls = (unsigned)random_below(3);
    for (uint32_t i = 0; i < rows; i++) {
      if (nulls && random_below(nulls == 1 ? 10 : 2) == 0)
        builder_append_null(&builder);
      else
        append_text(&builder, (unsigned)round % 6, i);
    }
    struct column column = builder_view(&builder);
    round_trip("strings", &column, (enum codec_level)random_below(4), NULL);
    builder_deinit(&builder);
  }
}

/* Of every length, and every one but for one byte the same as others of its length. */
static void test_strings_that_differ_in_a_byte(void **state) {
  (void)state;
  for (enum codec_level level = CODEC_FAST; level <= CODEC_SMALLEST; level++) {
    struct builder builder;
    builder_init(&builder, TYPE_STRING, &account);
    for (int times = 0; times < 8; times++) {
      for (size_t size = 0; size <= 36; size++) {
        for (size_t at = 0; at <= size; at++) {
          char text[36];
          memset(text, 'a', sizeof text);
          if (at < size) text[at] = 'b';
          builder_append_str(&builder, (struct str){text, size});
        }
      }
    }
    struct column column = builder_view(&builder);
    round_trip("strings that differ in a byte", &column, level, NULL);
    builder_deinit(&builder);
  }
}

/* ---- bad input ---- */

/* Cut images and images with changed bytes are refused or decode to something, within bounds. */
static void test_damage(void **state) {
  (void)state;
  for (int round = 0; round < 300; round++) {
    const struct shape *shape = &shapes[random_below(SHAPE_COUNT)];
    struct type type = number_types[random_below(4)];
    uint32_t rows = 1 + (uint32_t)random_below(2500);
    struct column column = number_column(type, shape, rows, (unsigned)random_below(5));
    buffer_reset(&buffer);
    enum codec_level level = (enum codec_level)(CODEC_HOT + random_below(3));
    assert_int_equal(codec_encode(&column, level, NULL, &buffer, NULL), ERR_OK);
    for (int change = 0; change < 20; change++) {
      size_t size = change % 2 ? buffer.size : random_below(buffer.size);
      uint8_t *bytes = malloc(size + 1);
      memcpy(bytes, buffer.data, size);
      for (uint64_t n = random_below(4) + (change % 2); size && n > 0; n--)
        bytes[random_below(random_below(2) ? size : size < 64 ? size : 64)] = (uint8_t)random_u64();
      struct codec_image image;
      struct err err;
      int code = codec_open(bytes, size, type, rows, &image, &err);
      if (size < buffer.size) assert_int_not_equal(code, ERR_OK);
      if (!code) {
        struct column got;
        code = codec_decode(&image, 0, rows, &arena, &got, &err);
      }
      if (code) assert_true(code == ERR_CORRUPTION || code == ERR_BAD_VERSION);
      arena_reset(&arena);
      free(bytes);
    }
  }
}

static void test_open_refuses(void **state) {
  (void)state;
  struct column column = number_column(TYPE_INT64, &shapes[5], 100, 0);
  assert_int_equal(codec_encode(&column, CODEC_HOT, NULL, &buffer, NULL), ERR_OK);
  struct codec_image image;
  struct err err;
  static const struct {
    const char *name;
    struct type type;
    uint32_t rows;
    size_t cut;
    int code;
  } rows[] = {
      {"as it is", {PHYSICAL_INT64, 0, 0}, 100, 0, ERR_OK},
      {"another logical type", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 1}, 100, 0, ERR_OK},
      {"another type", {PHYSICAL_FLOAT64, 0, 0}, 100, 0, ERR_CORRUPTION},
      {"a string type", {PHYSICAL_STRING, 0, 0}, 100, 0, ERR_CORRUPTION},
      {"other rows", {PHYSICAL_INT64, 0, 0}, 101, 0, ERR_CORRUPTION},
      {"cut by a byte", {PHYSICAL_INT64, 0, 0}, 100, 1, ERR_CORRUPTION},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (codec_open(buffer.data, buffer.size - rows[i].cut, rows[i].type, rows[i].rows, &image,
                   &err) != rows[i].code)
      fail_msg("%s", rows[i].name);
  assert_int_equal(codec_open(buffer.data, buffer.size, TYPE_INT64, 100, &image, &err), ERR_OK);
  struct column got;
  assert_int_equal(codec_decode(&image, 50, 51, &arena, &got, &err), ERR_INVALID_ARGUMENT);
  assert_int_equal(codec_open(NULL, 0, TYPE_INT64, 100, &image, &err), ERR_CORRUPTION);
}

/* Every allocation refused in turn: an error, nothing appended, nothing leaked. */
static void test_refused_memory(void **state) {
  (void)state;
  struct builder builder;
  builder_init(&builder, TYPE_STRING, &account);
  for (uint32_t i = 0; i < 500; i++)
    append_text(&builder, 1, i);
  struct column columns[2] = {builder_view(&builder),
                              number_column(TYPE_FLOAT64, &shapes[14], 500, 1)};
  for (size_t c = 0; c < 2; c++) {
    bool fired = true;
    for (int countdown = 1; fired; countdown++) {
      buffer_deinit(&buffer);
      buffer_init(&buffer, &account);
      atomic_store(&account.fail_countdown, countdown);
      int code = codec_encode(&columns[c], CODEC_HOT, NULL, &buffer, NULL);
      fired = atomic_load(&account.fail_countdown) <= 0;
      atomic_store(&account.fail_countdown, 0);
      if (code) assert_int_equal(buffer.size, 0);
      if (!fired) assert_int_equal(code, ERR_OK);
    }
  }
  builder_deinit(&builder);
}

/* A column says that it holds decimals where the image proves it, and then it does. */
static void test_decimals_are_told(void **state) {
  (void)state;
  static double floats[CODEC_ROWS_MAX];
  for (int round = 0; round < 300; round++) {
    unsigned places = (unsigned)random_below(7), digits = 3 + (unsigned)random_below(13);
    uint32_t rows = 600 + (uint32_t)random_below(CODEC_ROWS_MAX - 600);
    bool strange = round % 3 == 0;
    double power = pow(10, places), limit = pow(10, digits);
    int64_t m = 0;
    for (uint32_t i = 0; i < rows; i++) {
      int64_t any = (int64_t)(random_u64() >> 1) % (int64_t)limit;
      m = round % 2 ? m + any % 100 - 50 : (random_below(2) ? any : -any);
      floats[i] = m == 0 ? 0 : (double)m / power;
    }
    if (strange) floats[random_below(rows)] = round % 2 ? -0.0 : NAN;
    struct column column = {.type = TYPE_FLOAT64, .length = rows, .f64 = floats}, got;
    struct codec_image image;
    enum codec_level level = (enum codec_level)random_below(3);
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, level, NULL, &buffer, NULL), ERR_OK);
    assert_int_equal(codec_open(buffer.data, buffer.size, TYPE_FLOAT64, rows, &image, NULL),
                     ERR_OK);
    arena_reset(&arena);
    assert_int_equal(codec_decode(&image, 7, rows - 7, &arena, &got, NULL), ERR_OK);
    assert_int_equal(got.decimals, codec_decimals(&image));
    if (strange) assert_int_equal(got.decimals, 0);
    if (image.codec != CODEC_DECIMAL_FOR && image.codec != CODEC_DECIMAL_DELTA) {
      assert_int_equal(got.decimals, 0);
      continue;
    }
    if (strange) continue;
    assert_in_range(got.decimals, 1, 1 + places);
    power = pow(10, got.decimals - 1);
    for (uint32_t i = 0; i + 7 < rows; i++) {
      assert_false(got.f64[i] == 0 && signbit(got.f64[i]));
      if (nearbyint(got.f64[i] * power) / power != got.f64[i])
        fail_msg("round %d: %.17g is no decimal of %d places", round, got.f64[i], got.decimals - 1);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_decimals_are_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_numbers_random_lengths, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_hints_are_only_hints, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_planes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_never_loses, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_booleans, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_strings_that_differ_in_a_byte, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_open_refuses, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refused_memory, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
