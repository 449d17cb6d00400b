/* Round trips at every length from 1 to 8,192 (0 values: all rows absent), of every type at every
 * level, of values for every codec and adversarial bit patterns.
 *
 * The everyday run takes every length up to 130, those around multiples of 512, and a few between;
 * NILO_TEST_FULL=1 takes all, a minute or two. */
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
#include "columnar/bits.h"
#include "columnar/builder.h"

enum { SEED = 20170 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static uint64_t random_below(uint64_t n) { return random_u64() % n; }

static struct mem_account account;
static struct arena arena;
static struct buffer buffer;
static unsigned codecs_seen;

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
  printf("seed %d\n", SEED);
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 65536);
  buffer_init(&buffer, &account);
  codecs_seen = 0;
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  buffer_deinit(&buffer);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* The next length to try: all, or a selection. */
static uint32_t next_length(uint32_t length) {
  if (getenv("NILO_TEST_FULL") || length < 130) return length + 1;
  uint32_t in_step = (length + 1) % 512;
  if (in_step <= 1 || in_step == 511) return length + 1;
  uint32_t to_edge = 511 - in_step, jump = 97 + length % 31;
  return length + 1 + (jump < to_edge ? jump : to_edge);
}

static bool is_same(const struct column *want, const struct column *got) {
  if (want->length != got->length || want->null_count != got->null_count) return false;
  for (int64_t i = 0; i < want->length; i++) {
    if (column_is_valid(want, i) != column_is_valid(got, i)) return false;
    if (!column_is_valid(want, i)) continue;
    bool same = type_is_string(want->type) ? str_equal(column_str(want, i), column_str(got, i))
                : want->type.physical == PHYSICAL_BOOL
                    ? bit_get(want->bits, i) == bit_get(got->bits, i)
                    : want->u64[i] == got->u64[i];
    if (!same) return false;
  }
  return true;
}

/* The whole, and a part. */
static void round_trip(const char *what, const struct column *column, enum codec_level level,
                       struct codec_hint *hint) {
  struct codec_image image;
  struct column got, part = *column;
  struct err err;
  uint32_t rows = (uint32_t)column->length;
  buffer_reset(&buffer);
  arena_reset(&arena);
  if (codec_encode(column, level, hint, &buffer, &err) ||
      codec_open(buffer.data, buffer.size, column->type, rows, &image, &err) ||
      codec_decode(&image, 0, rows, &arena, &got, &err))
    fail_msg("%s, %u rows, level %d: %s", what, rows, level, err.message);
  if (!is_same(column, &got))
    fail_msg("%s, %u rows, level %d: %s differs", what, rows, level, codec_name(image.codec));
  codecs_seen |= 1u << image.codec;
  if (column->validity || column->type.physical == PHYSICAL_BOOL) return;
  uint32_t from = (uint32_t)random_below(rows), count = (uint32_t)random_below(rows - from + 1);
  part.length = count;
  if (type_is_string(part.type))
    part.offsets += from;
  else
    part.u64 += from;
  if (codec_decode(&image, from, count, &arena, &got, &err))
    fail_msg("%s, rows %u to %u of %u: %s", what, from, from + count, rows, err.message);
  if (!is_same(&part, &got))
    fail_msg("%s, rows %u to %u of %u: %s differs", what, from, from + count, rows,
             codec_name(image.codec));
}

/* ---- numbers ---- */

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static uint64_t running;

static uint64_t make_adversarial(uint32_t i) {
  static const uint64_t patterns[] = {0,
                                      1,
                                      UINT64_MAX,
                                      UINT64_C(1) << 63, /* -0.0 */
                                      INT64_MAX,
                                      UINT64_C(0x7ff0000000000000), /* infinities */
                                      UINT64_C(0xfff0000000000000),
                                      UINT64_C(0x7ff8000000000000), /* NaN, quiet and signalling */
                                      UINT64_C(0x7ff0000000000001),
                                      UINT64_C(0xffffffffffff0000),
                                      UINT64_C(0x000fffffffffffff), /* subnormals */
                                      UINT64_C(0x8000000000000001),
                                      UINT64_C(0x7fefffffffffffff), /* the greatest */
                                      UINT64_C(0x4330000000000000), /* 2^52, 2^51, 2^53 */
                                      UINT64_C(0x4320000000000000),
                                      UINT64_C(0x4340000000000001),
                                      UINT64_C(0xaaaaaaaaaaaaaaaa),
                                      UINT64_C(0x3ff0000000000000)};
  (void)i;
  return patterns[random_below(sizeof patterns / sizeof patterns[0])];
}
static uint64_t make_random(uint32_t i) { return random_u64() >> i % 64; }
static uint64_t make_steps(uint32_t i) {
  return running = (i ? running : 1000) + random_below(i % 100 == 99 ? 100000 : 9) - 4;
}
static uint64_t make_small(uint32_t i) { return random_below(i % 61 == 60 ? 5000 : 90); }
static uint64_t make_squares(uint32_t i) { return (uint64_t)i * i * 1000 + random_below(3); }
static uint64_t make_grid(uint32_t i) { return i * UINT64_C(10000000) + random_below(1001); }
static uint64_t make_few(uint32_t i) {
  return (i * UINT64_C(0x9e3779b97f4a7c15) ^ random_below(200)) % 300 * UINT64_C(0x123456789abcd);
}
static uint64_t make_runs(uint32_t i) { return (i / 37) * UINT64_C(0x9e3779b97f4a7c15); }
static uint64_t make_decimals(uint32_t i) {
  return i % 200 == 77 ? make_adversarial(i)
                       : bits_of((double)(int64_t)(make_steps(i) - 500) / 100);
}
static uint64_t make_near(uint32_t i) {
  double value = (double)(int64_t)(make_steps(i) - 500) * 0.01;
  return i % 300 == 299 ? make_adversarial(i) : bits_of(value);
}
static uint64_t make_unit(uint32_t i) {
  (void)i;
  return bits_of((double)(random_u64() >> 11) / 0x1p53);
}
static uint64_t make_constant(uint32_t i) {
  (void)i;
  return UINT64_C(0x7ff0000000000123);
}

static const struct kind {
  const char *name;
  uint64_t (*make)(uint32_t i);
} kinds[] = {{"adversarial", make_adversarial},
             {"random", make_random},
             {"steps", make_steps},
             {"small", make_small},
             {"squares", make_squares},
             {"grid", make_grid},
             {"few", make_few},
             {"runs", make_runs},
             {"decimals", make_decimals},
             {"near", make_near},
             {"unit", make_unit},
             {"constant", make_constant}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const struct type number_types[] = {{PHYSICAL_INT64, 0, 0},
                                           {PHYSICAL_UINT64, 0, 0},
                                           {PHYSICAL_FLOAT64, 0, 0},
                                           {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0}};

/* Of a length every kind, and for each one type and level in turn; all types and levels where all
 * lengths are taken over a few neighbouring lengths. */
static void test_numbers(void **state) {
  (void)state;
  static uint64_t values[CODEC_ROWS_MAX], validity[CODEC_ROWS_MAX / 64];
  static struct codec_hint hints[KINDS];
  uint32_t turn = 0;
  memset(hints, 0, sizeof hints);
  for (uint32_t rows = 1; rows <= CODEC_ROWS_MAX; rows = next_length(rows), turn++) {
    for (uint32_t k = 0; k < KINDS; k++) {
      struct column column = {.type = number_types[(turn + k) % 4], .length = rows, .u64 = values};
      for (uint32_t i = 0; i < rows; i++)
        values[i] = kinds[k].make(i);
      if (turn % 5 == 0) { /* absent rows; all of them where the turn says so */
        for (uint32_t i = 0; i < rows; i++)
          (turn % 50 == 0 || random_below(3) == 0 ? bit_clear : bit_set)(validity, i);
        column.null_count = rows - (uint32_t)bits_count(validity, 0, rows);
        column.validity = column.null_count ? validity : NULL;
      }
      round_trip(kinds[k].name, &column, (enum codec_level)((turn / 4 + k) % 4),
                 turn % 2 ? &hints[k] : NULL);
    }
  }
  for (unsigned codec = CODEC_RAW; codec <= CODEC_SPLIT; codec++)
    if (!(codecs_seen >> codec & 1)) fail_msg("no image of codec %s", codec_name((int)codec));
  assert_true(codecs_seen >> CODEC_LINE & 1);
  assert_true(codecs_seen >> CODEC_NEAR_FOR & 1 || codecs_seen >> CODEC_NEAR_DELTA & 1);
  assert_true(codecs_seen >> CODEC_NUMBERS & 1);
  assert_true(codecs_seen >> CODEC_REPEATS & 1);
}

/* ---- booleans and strings ---- */

static void test_booleans(void **state) {
  (void)state;
  static uint64_t bits[CODEC_ROWS_MAX / 64];
  for (uint32_t rows = 1; rows <= CODEC_ROWS_MAX; rows = next_length(rows)) {
    for (uint32_t run = 1; run <= 100; run *= 10) {
      uint64_t value = random_below(2);
      for (uint32_t i = 0; i < rows; i++) {
        value ^= random_below(run) == 0;
        (value ? bit_set : bit_clear)(bits, i);
      }
      struct column column = {.type = TYPE_BOOL, .length = rows, .bits = bits};
      round_trip("booleans", &column, (enum codec_level)(rows % 3), NULL);
    }
  }
  assert_true(codecs_seen >> CODEC_RUNS & 1 && codecs_seen >> CODEC_BITS & 1);
}

static void append_text(struct builder *builder, unsigned kind, uint32_t i) {
  char text[128];
  size_t size = 0;
  switch (kind) {
  case 0:
    size = (size_t)snprintf(text, sizeof text, "host_%d", (int)random_below(20));
    break;
  case 1:
    size = (size_t)snprintf(text, sizeof text, "GET /item/%d 200 %d", (int)random_below(100000),
                            (int)random_below(5000));
    break;
  case 2:
    size = random_below(4) ? random_below(40) : 0;
    for (size_t b = 0; b < size; b++)
      text[b] = (char)random_u64();
    break;
  case 3:
    size = (size_t)snprintf(text, sizeof text, "sensor/%06u/t", (unsigned)i * 3);
    break;
  case 4:
    size = (size_t)snprintf(text, sizeof text, "%016llx", (unsigned long long)random_u64());
    break;
  case 5: /* few, ascending, of many bytes in common */
    size = (size_t)snprintf(text, sizeof text, "a/long/path/that/repeats/%05u",
                            (unsigned)random_below(300));
    break;
  case 6:
    size = (size_t)snprintf(text, sizeof text, "the quick brown fox %u jumps %u", (unsigned)i % 7,
                            (unsigned)random_below(9));
    break;
  default:
    size = (size_t)snprintf(text, sizeof text, "state");
  }
  builder_append_str(builder, (struct str){text, size});
}

static void test_strings(void **state) {
  (void)state;
  uint32_t turn = 0;
  for (uint32_t rows = 1; rows <= CODEC_ROWS_MAX; rows = next_length(rows), turn++) {
    for (unsigned i = 0; i < 2; i++) {
      unsigned kind = (turn * 2 + i) % 8;
      struct builder builder;
      builder_init(&builder, turn % 2 ? TYPE_STRING : TYPE_BYTES, &account);
      for (uint32_t row = 0; row < rows; row++) {
        if (turn % 7 == 3 && random_below(4) == 0)
          builder_append_null(&builder);
        else
          append_text(&builder, kind, row);
      }
      struct column column = builder_view(&builder);
      round_trip("strings", &column, (enum codec_level)((turn / 8 + i) % 3), NULL);
      builder_deinit(&builder);
    }
  }
  assert_true(codecs_seen >> CODEC_DICTIONARY & 1 && codecs_seen >> CODEC_ZSTD & 1);
  assert_true(codecs_seen >> CODEC_FSST & 1 && codecs_seen >> CODEC_FRONT & 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_booleans, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
