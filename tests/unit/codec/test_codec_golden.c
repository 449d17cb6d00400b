/* Images of every codec as they were stored once: today's code must read them for ever.
 *
 * Each file under tests/golden/codec/ is one image of a column that this test can make again from a
 * formula. With NILO_GOLDEN_WRITE=1 in the environment, files that are missing are written; one
 * that exists is never rewritten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec.h"
#include "columnar/builder.h"

enum { IMAGE_MAX = 65536 };

static uint64_t lcg;
static uint64_t next(void) { /* a generator that will never change */
  lcg = lcg * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return lcg >> 33;
}
static void put_bits(struct builder *builder, uint64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  builder_append_f64(builder, value);
}

static void make_raw(struct builder *b, int i) {
  (void)i;
  builder_append_i64(b, (int64_t)(next() << 33 ^ next() << 2));
}
static void make_constant(struct builder *b, int i) {
  (void)i;
  builder_append_u64(b, UINT64_C(0xfedcba9876543210));
}
static void make_for(struct builder *b, int i) {
  builder_append_i64(b, i % 200 == 7 ? INT64_C(1) << 40 : (int64_t)(next() % 1000) - 500);
}
static void make_small(struct builder *b, int i) {
  (void)i;
  builder_append_i64(b, (int64_t)(next() % 1000) - 500);
}
static void make_bell(struct builder *b, int i) {
  int64_t sum = 5000;
  for (int k = 0; k < 6; k++)
    sum += (int64_t)(next() % 50);
  builder_append_i64(b, i % 300 == 7 ? INT64_C(1) << 40 : sum);
}
static void make_line(struct builder *b, int i) {
  builder_append_i64(b, INT64_C(1600000000000) + INT64_C(10007) * i + (int64_t)(next() % 900));
}
static void make_numbers(struct builder *b, int i) {
  (void)i;
  put_bits(b, UINT64_C(0x3ff0000000000000) | (next() % 300 * UINT64_C(0x9e3779b97f4a7c15)) >> 12);
}
static void make_for_scaled(struct builder *b, int i) {
  (void)i;
  builder_append_u64(b, 77 + next() % 100000 * 4096);
}
static int64_t walk;
static void make_delta(struct builder *b, int i) {
  walk += i ? (int64_t)(next() % 7) - 3 : 50 - walk;
  builder_append_i64(b, i > 600 ? walk + INT64_C(1000000000000) : walk);
}
static void make_delta_times(struct builder *b, int i) {
  builder_append_i64(b, INT64_C(1451606400000000000) + (i % 360) * INT64_C(10000000000) +
                            (i == 500 ? 1000000000 : 0));
}
static void make_delta2(struct builder *b, int i) {
  int64_t pace = i < 400 ? 1000003 : i < 900 ? 60000017 : 5000011;
  walk = i ? walk + pace : 0;
  builder_append_i64(b, walk);
}
static void make_decimal_for(struct builder *b, int i) {
  static const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324};
  if (i % 100 == 3) {
    builder_append_f64(b, specials[i / 100 % 5]);
    return;
  }
  builder_append_f64(b, (double)(int64_t)(next() % 100000) / 1000);
}
static void make_decimal_delta(struct builder *b, int i) {
  walk += i ? (int64_t)(next() % 201) - 100 : 5000 - walk;
  builder_append_f64(b, (double)walk / 100);
}
static void make_float_delta(struct builder *b, int i) {
  if (i == 0) walk = (int64_t)((next() << 22 ^ next()) >> 2 | UINT64_C(0x3fe0000000000000));
  walk += (int64_t)(next() % 4000) - 2000;
  put_bits(b, (uint64_t)walk);
}
/* Sums of decimals, some of which are a rounding error away from one. */
static void make_near_for(struct builder *b, int i) {
  double value = i % 400 == 9 ? -0.0 : (double)(next() % 2000) / 100 + 0.1;
  builder_append_f64(b, value);
}
static void make_near_delta(struct builder *b, int i) {
  if (i == 0) walk = 50000;
  walk += (int64_t)(next() % 9) - 4;
  builder_append_f64(b, (double)walk * 0.01);
}
static void make_split(struct builder *b, int i) {
  uint64_t high = i % 150 == 9 ? next() % 2047 : 1020 + next() % 3 + next() % 2 * 2048;
  put_bits(b, high << 52 | ((next() << 31 ^ next()) & ((UINT64_C(1) << 52) - 1)));
}
static void make_nulls_bits(struct builder *b, int i) {
  if (i % 3 == 1)
    builder_append_null(b);
  else
    builder_append_i64(b, (int64_t)(next() % 100));
}
static void make_nulls_runs(struct builder *b, int i) {
  if (i / 300 % 2)
    builder_append_null(b);
  else
    builder_append_f64(b, (double)(next() % 1000) / 10);
}
static void make_all_null(struct builder *b, int i) {
  (void)i;
  builder_append_null(b);
}
static void append_text(struct builder *b, const char *prefix, int number) {
  char text[64];
  int size = snprintf(text, sizeof text, "%s%d", prefix, number);
  builder_append_str(b, str_of(text, (size_t)size));
}
static void make_texts(struct builder *b, int i) {
  (void)i;
  append_text(b, "", (int)next());
}
static void make_texts_constant(struct builder *b, int i) {
  (void)i;
  builder_append_str(b, STR("Nilo"));
}
static void make_dictionary(struct builder *b, int i) {
  if (i % 11 == 0)
    builder_append_null(b);
  else
    append_text(b, "host_", (int)(next() % 12));
}
static void make_dictionary_zstd(struct builder *b, int i) {
  (void)i;
  append_text(b, "a rather long text that repeats itself, number ", (int)(next() % 40));
}
static void make_zstd(struct builder *b, int i) { append_text(b, "a log of many lines, line ", i); }
static void make_uuids(struct builder *b, int i) {
  char text[64];
  (void)i;
  unsigned first = (unsigned)next(), second = (unsigned)next();
  int size = snprintf(text, sizeof text, "%08x-%08x-4%03x", first, second, (unsigned)next() % 4096);
  builder_append_str(b, str_of(text, (size_t)size));
}
static void make_sorted(struct builder *b, int i) {
  char text[64];
  walk = i ? walk + (int64_t)(next() % 90000) : 0;
  int size = snprintf(text, sizeof text, "sensor/%010lld", (long long)walk);
  builder_append_str(b, str_of(text, (size_t)size));
}
static void make_words(struct builder *b, int i) {
  append_text(b, "the state of the machine is now number ", i / 60 % 40);
}
static void make_repeats(struct builder *b, int i) {
  if (i % 37 == 0 || i % 101 == 0) walk = (int64_t)next();
  put_bits(b, UINT64_C(0x3ff0000000000000) | (uint64_t)walk * 77777);
}
static uint64_t hashed(int i) { return ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 12; }
static void make_period(struct builder *b, int i) {
  put_bits(b, UINT64_C(1023) << 52 | hashed(i % 300));
}
static void make_period_above(struct builder *b, int i) {
  builder_append_i64(b, (int64_t)(hashed(i % 300) % 60000 * 256 + next() % 256));
}
static void make_period_of_steps(struct builder *b, int i) {
  walk += (int64_t)(hashed(i % 300) % 5000);
  builder_append_f64(b, i % 500 == 20 ? -0.0 : (double)walk / 1000);
}
static void make_runs(struct builder *b, int i) { builder_append_bool(b, i / 70 % 2); }
static void make_bools(struct builder *b, int i) {
  (void)i;
  builder_append_bool(b, next() % 2);
}
static void make_true(struct builder *b, int i) {
  (void)i;
  builder_append_bool(b, true);
}

static const struct golden {
  const char *name;
  struct type type;
  int rows;
  enum codec_level level;
  int codec;
  void (*make)(struct builder *builder, int i);
} goldens[] = {
    {"raw", {PHYSICAL_INT64, 0, 0}, 20, CODEC_HOT, CODEC_RAW, make_raw},
    {"constant", {PHYSICAL_UINT64, 0, 0}, 1100, CODEC_HOT, CODEC_CONSTANT, make_constant},
    {"for_quick", {PHYSICAL_INT64, 0, 0}, 1100, CODEC_FAST, CODEC_FOR, make_small},
    {"for_patched", {PHYSICAL_INT64, 0, 0}, 1100, CODEC_HOT, CODEC_FOR, make_for},
    {"for_scaled", {PHYSICAL_UINT64, 0, 0}, 1100, CODEC_HOT, CODEC_FOR, make_for_scaled},
    {"delta", {PHYSICAL_INT64, 0, 0}, 1100, CODEC_HOT, CODEC_DELTA, make_delta},
    {"delta_times", {PHYSICAL_INT64, 1, 0}, 1100, CODEC_FAST, CODEC_DELTA, make_delta_times},
    {"delta2", {PHYSICAL_INT64, 0, 0}, 1100, CODEC_HOT, CODEC_DELTA2, make_delta2},
    {"decimal_for", {PHYSICAL_FLOAT64, 0, 0}, 1100, CODEC_HOT, CODEC_DECIMAL_FOR, make_decimal_for},
    {"decimal_delta",
     {PHYSICAL_FLOAT64, 0, 0},
     1100,
     CODEC_HOT,
     CODEC_DECIMAL_DELTA,
     make_decimal_delta},
    {"float_delta", {PHYSICAL_FLOAT64, 0, 0}, 1100, CODEC_HOT, CODEC_DELTA, make_float_delta},
    {"near_for", {PHYSICAL_FLOAT64, 0, 0}, 2500, CODEC_HOT, CODEC_NEAR_FOR, make_near_for},
    {"near_delta", {PHYSICAL_FLOAT64, 0, 0}, 2500, CODEC_COLD, CODEC_NEAR_DELTA, make_near_delta},
    {"split", {PHYSICAL_FLOAT64, 0, 0}, 1100, CODEC_HOT, CODEC_SPLIT, make_split},
    {"line", {PHYSICAL_INT64, 1, 0}, 2500, CODEC_HOT, CODEC_LINE, make_line},
    {"numbers", {PHYSICAL_FLOAT64, 0, 0}, 2500, CODEC_HOT, CODEC_NUMBERS, make_numbers},
    {"planes_values", {PHYSICAL_FLOAT64, 0, 0}, 2500, CODEC_SMALLEST, CODEC_PLANES, make_period},
    {"planes_integers",
     {PHYSICAL_INT64, 0, 0},
     2500,
     CODEC_SMALLEST,
     CODEC_PLANES,
     make_period_above},
    {"planes_differences",
     {PHYSICAL_FLOAT64, 0, 0},
     2500,
     CODEC_SMALLEST,
     CODEC_PLANES,
     make_period_of_steps},
    {"cold_delta", {PHYSICAL_INT64, 0, 0}, 2500, CODEC_COLD, CODEC_DELTA, make_delta},
    {"cold_for", {PHYSICAL_INT64, 0, 0}, 2500, CODEC_COLD, CODEC_FOR, make_bell},
    {"cold_decimal_delta",
     {PHYSICAL_FLOAT64, 0, 0},
     2500,
     CODEC_COLD,
     CODEC_DECIMAL_DELTA,
     make_decimal_delta},
    {"nulls_bits", {PHYSICAL_INT64, 0, 0}, 2000, CODEC_HOT, CODEC_FOR, make_nulls_bits},
    {"nulls_runs", {PHYSICAL_FLOAT64, 0, 0}, 2500, CODEC_HOT, CODEC_DECIMAL_FOR, make_nulls_runs},
    {"all_null", {PHYSICAL_FLOAT64, 0, 0}, 100, CODEC_HOT, CODEC_CONSTANT, make_all_null},
    {"texts_raw", {PHYSICAL_STRING, 0, 0}, 1100, CODEC_FAST, CODEC_RAW, make_texts},
    {"texts_constant", {PHYSICAL_BYTES, 0, 0}, 100, CODEC_HOT, CODEC_CONSTANT, make_texts_constant},
    {"dictionary", {PHYSICAL_STRING, 0, 0}, 1100, CODEC_HOT, CODEC_DICTIONARY, make_dictionary},
    {"dictionary_zstd",
     {PHYSICAL_BYTES, 0, 0},
     1100,
     CODEC_HOT,
     CODEC_DICTIONARY,
     make_dictionary_zstd},
    {"zstd", {PHYSICAL_STRING, 0, 0}, 1100, CODEC_HOT, CODEC_ZSTD, make_zstd},
    {"fsst", {PHYSICAL_STRING, 0, 0}, 2500, CODEC_HOT, CODEC_FSST, make_uuids},
    {"front", {PHYSICAL_STRING, 0, 0}, 2500, CODEC_HOT, CODEC_FRONT, make_sorted},
    {"words", {PHYSICAL_BYTES, 0, 0}, 2500, CODEC_COLD, CODEC_WORDS, make_words},
    {"repeats", {PHYSICAL_FLOAT64, 0, 0}, 2500, CODEC_HOT, CODEC_REPEATS, make_repeats},
    {"runs", {PHYSICAL_BOOL, 0, 0}, 1100, CODEC_HOT, CODEC_RUNS, make_runs},
    {"bits", {PHYSICAL_BOOL, 0, 0}, 1100, CODEC_HOT, CODEC_BITS, make_bools},
    {"bool_constant", {PHYSICAL_BOOL, 0, 0}, 100, CODEC_HOT, CODEC_CONSTANT, make_true},
};

static struct mem_account account;
static struct arena arena;

static void write_missing(const char *path, const struct golden *golden,
                          const struct column *column) {
  struct buffer buffer;
  FILE *file = fopen(path, "rb");
  if (file) {
    fclose(file);
    return;
  }
  buffer_init(&buffer, &account);
  assert_int_equal(codec_encode(column, golden->level, NULL, &buffer, NULL), ERR_OK);
  file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(buffer.data, 1, buffer.size, file), buffer.size);
  fclose(file);
  buffer_deinit(&buffer);
}

static void check(const struct golden *golden, const struct column *want) {
  static uint8_t bytes[IMAGE_MAX];
  char path[256];
  snprintf(path, sizeof path, "tests/golden/codec/%s.image", golden->name);
  if (getenv("NILO_GOLDEN_WRITE")) write_missing(path, golden, want);
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s is missing", path);
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  struct codec_image image;
  struct column got;
  struct err err;
  if (codec_open(bytes, size, golden->type, (uint32_t)golden->rows, &image, &err) ||
      codec_decode(&image, 0, (uint32_t)golden->rows, &arena, &got, &err))
    fail_msg("%s: %s", golden->name, err.message);
  assert_int_equal(image.size, size);
  if (image.codec != golden->codec) fail_msg("%s: %s", golden->name, codec_name(image.codec));
  assert_int_equal(got.null_count, want->null_count);
  for (int64_t i = 0; i < golden->rows; i++) {
    assert_int_equal(column_is_valid(&got, i), column_is_valid(want, i));
    if (!column_is_valid(want, i)) continue;
    bool same = type_is_string(want->type) ? str_equal(column_str(&got, i), column_str(want, i))
                : want->type.physical == PHYSICAL_BOOL
                    ? bit_get(got.bits, i) == bit_get(want->bits, i)
                    : got.u64[i] == want->u64[i];
    if (!same) fail_msg("%s: row %lld differs", golden->name, (long long)i);
  }
}

static void test_golden_images(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 65536);
  for (size_t g = 0; g < sizeof goldens / sizeof goldens[0]; g++) {
    struct builder builder;
    lcg = 42;
    walk = 0;
    builder_init(&builder, goldens[g].type, &account);
    for (int i = 0; i < goldens[g].rows; i++)
      goldens[g].make(&builder, i);
    struct column column = builder_view(&builder);
    check(&goldens[g], &column);
    builder_deinit(&builder);
    arena_reset(&arena);
  }
  arena_deinit(&arena);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_images)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
