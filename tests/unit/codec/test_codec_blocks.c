/* Blocks of one column one after another: what the hint carries over is right whatever follows, and
 * costs hardly a byte. Times around a regular grid: bytes against their entropy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec.h"

enum { SEED = 8192 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static double random_unit(void) { return (double)(random_u64() >> 11) / 0x1p53; }
static double random_normal(void) {
  return sqrt(-2 * log(1 - random_unit())) * cos(6.283185307179586 * random_unit());
}

static struct mem_account account;
static struct buffer buffer;
static struct codec_tables tables;
static uint64_t values[CODEC_ROWS_MAX];

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
  printf("seed %d\n", SEED);
  mem_account_init(&account, "test", NULL, 0);
  buffer_init(&buffer, &account);
  tables.size = 0;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  buffer_deinit(&buffer);
  mem_account_deinit(&account);
  return 0;
}

/* Encodes the values, decodes them, and returns the bytes. */
static size_t encode(struct type type, uint32_t rows, enum codec_level level,
                     struct codec_hint *hint) {
  static uint64_t got[CODEC_ROWS_MAX];
  struct column column = {.type = type, .length = rows, .u64 = values};
  struct codec_image image;
  struct err err;
  buffer_reset(&buffer);
  if (codec_encode(&column, level, hint, &buffer, &err) ||
      codec_open(buffer.data, buffer.size, type, rows, &image, &err))
    fail_msg("%s", err.message);
  if (random_u64() % 2) image.tables = &tables;
  if (codec_decode_into(&image, 0, rows, got, NULL, NULL, &err)) fail_msg("%s", err.message);
  if (memcmp(got, values, rows * sizeof *values))
    fail_msg("%s: values differ", codec_name(image.codec));
  return buffer.size;
}

/* ---- series of blocks ---- */

static double at;
static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static uint64_t make_walk(uint32_t i) {
  (void)i;
  at = fmin(100, fmax(0, at + random_normal()));
  return (uint64_t)(int64_t)rint(at);
}
static uint64_t make_walk_decimals(uint32_t i) {
  (void)make_walk(i);
  return bits_of(rint(at * 100) / 100);
}
static uint64_t make_counter(uint32_t i) {
  (void)i;
  at += floor(random_unit() * 200);
  return (uint64_t)at;
}
static uint64_t make_bell(uint32_t i) {
  (void)i;
  return (uint64_t)(int64_t)rint(50000 + 300 * random_normal());
}
static uint64_t make_times(uint32_t i) {
  return UINT64_C(1451606400000000) + i * UINT64_C(10000000) +
         (uint64_t)(int64_t)rint(random_normal() * 1000);
}

static const struct series {
  const char *name;
  struct type type;
  uint64_t (*make)(uint32_t i);
} series[] = {
    {"walk", {PHYSICAL_INT64, 0, 0}, make_walk},
    {"walk, two decimals", {PHYSICAL_FLOAT64, 0, 0}, make_walk_decimals},
    {"counter", {PHYSICAL_INT64, 0, 0}, make_counter},
    {"bell", {PHYSICAL_UINT64, 0, 0}, make_bell},
    {"times", {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}, make_times},
};
enum { SERIES_COUNT = sizeof series / sizeof series[0], BLOCKS = 24 };

static void make_block(const struct series *one, uint32_t from) {
  for (uint32_t i = 0; i < CODEC_ROWS_MAX; i++)
    values[i] = one->make(from + i);
}

static void test_blocks_alike(void **state) {
  (void)state;
  for (size_t s = 0; s < SERIES_COUNT; s++) {
    struct codec_hint hint = {0};
    size_t with = 0, without = 0, again = 0;
    at = 50;
    for (uint32_t b = 0; b < BLOCKS; b++) {
      make_block(&series[s], b * CODEC_ROWS_MAX);
      with += encode(series[s].type, CODEC_ROWS_MAX, CODEC_COLD, &hint);
      again += hint.again > 0;
      without += encode(series[s].type, CODEC_ROWS_MAX, CODEC_COLD, NULL);
    }
    if (with > without + without / 100)
      fail_msg("%s: %zu bytes with a hint, %zu without", series[s].name, with, without);
    if (again < BLOCKS / 2)
      fail_msg("%s: only %zu blocks as the one before", series[s].name, again);
  }
}

/* Blocks that are as the one before in the vectors that are looked at, and in others are not: too
 * wide, without codes, more than plain values would take. */
static void test_blocks_that_differ_elsewhere(void **state) {
  (void)state;
  for (size_t s = 0; s < SERIES_COUNT; s++) {
    for (unsigned round = 0; round < 64; round++) {
      struct codec_hint hint = {0};
      bool real = series[s].type.physical == PHYSICAL_FLOAT64;
      at = 50;
      make_block(&series[s], 0);
      encode(series[s].type, CODEC_ROWS_MAX, CODEC_COLD, &hint);
      make_block(&series[s], CODEC_ROWS_MAX);
      for (uint32_t i = 0; i < CODEC_ROWS_MAX; i++) {
        bool changed = random_u64() >> 32 & round & (1u << (i / CODEC_VECTOR % 4));
        unsigned shift = round % 8 * 8;
        if (changed)
          values[i] = real ? bits_of((double)(int64_t)(random_u64() >> 14 >> shift) / 100)
                           : random_u64() >> shift;
      }
      size_t size = encode(series[s].type, CODEC_ROWS_MAX, CODEC_COLD, &hint);
      assert_in_range(size, 1, CODEC_ROWS_MAX * 8 + 64);
    }
  }
}

/* Any series after any other. */
static void test_blocks_of_other_series(void **state) {
  (void)state;
  struct codec_hint hint = {0};
  for (int round = 0; round < 200; round++) {
    const struct series *one = &series[random_u64() % SERIES_COUNT];
    uint32_t rows = random_u64() % 3 ? CODEC_ROWS_MAX : 1 + (uint32_t)(random_u64() % 8192);
    at = random_unit() * 100;
    make_block(one, (uint32_t)round);
    encode(one->type, rows, CODEC_COLD, &hint);
  }
}

/* ---- jitter ---- */

/* log2(1001), and log2 of the bell's width times the root of 2 pi e. */
#define UNIFORM_BITS 9.96723
#define NORMAL_BITS  12.01288

static uint64_t make_uniform(uint32_t i) {
  return UINT64_C(1451606400000000) + i * UINT64_C(10000000) + random_u64() % 1001 - 500;
}

/* From 1,000 points on at most 15 % above the entropy hot, and 5 % cold, all bytes counted. */
static void test_jitter(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint64_t (*make)(uint32_t i);
    double entropy;
  } kinds[] = {{"uniform", make_uniform, UNIFORM_BITS}, {"normal", make_times, NORMAL_BITS}};
  static const uint32_t lengths[] = {1000, 1023, 1024, 1025, 1500, 2000, 2048, 3000, 5000, 8192};
  for (size_t k = 0; k < 2; k++) {
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
      for (int round = 0; round < 8; round++) {
        struct type type = {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0};
        for (uint32_t i = 0; i < lengths[l]; i++)
          values[i] = kinds[k].make(i + (uint32_t)round * 100000);
        double entropy = kinds[k].entropy * lengths[l] / 8;
        double hot = (double)encode(type, lengths[l], CODEC_HOT, NULL) / entropy;
        double cold = (double)encode(type, lengths[l], CODEC_COLD, NULL) / entropy;
        if (hot > 1.15 || cold > 1.05)
          fail_msg("%s, %u points: %.4f of the entropy hot, %.4f cold", kinds[k].name, lengths[l],
                   hot, cold);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_blocks_alike, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_blocks_that_differ_elsewhere, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_blocks_of_other_series, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_jitter, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
