/* The loops against scalar references, and every build against the plainest one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "codec/codec_loops.h"
#include "codec/codec_private.h"
#include "kernel/isa.h"

enum { SEED = 99, COUNT = 1024 };

static const struct codec_loops *const builds[ISA_COUNT] = {&codec__loops_base, &codec__loops_avx2,
                                                            &codec__loops_avx512};

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
  printf("seed %d\n", SEED);
  return 0;
}

/* Field i by the words of the format page. */
static uint32_t field_at(const packed_word *packed, unsigned width, unsigned i) {
  unsigned lane = i % 32, bit = i / 32 * width;
  uint32_t field = 0;
  for (unsigned b = 0; b < width; b++)
    field |= (packed[(bit + b) / 32 * 32 + lane] >> ((bit + b) % 32) & 1) << b;
  return field;
}

static void test_pack_layout(void **state) {
  (void)state;
  uint32_t fields[COUNT], back[COUNT];
  packed_word packed[COUNT + 1];
  for (enum isa isa = ISA_BASE; isa <= isa_best(); isa++) {
    for (unsigned width = 0; width <= 32; width++) {
      uint32_t mask = (uint32_t)((UINT64_C(1) << width) - 1);
      for (unsigned i = 0; i < COUNT; i++)
        fields[i] = (uint32_t)random_u64();
      packed[width * 32] = 0xabcdabcd;
      builds[isa]->pack[width](fields, packed);
      assert_int_equal(packed[width * 32], 0xabcdabcd);
      builds[isa]->unpack[width](packed, back);
      for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(field_at(packed, width, i), fields[i] & mask);
        assert_int_equal(back[i], fields[i] & mask);
      }
    }
  }
}

/* Sequences and both planes, all widths, many counts; reading stays inside the bytes. */
static void test_pack_vectors(void **state) {
  (void)state;
  static const size_t counts[] = {1, 2, 7, 8, 31, 100, 360, 1000, 1023, 1024};
  uint64_t fields[COUNT], back[COUNT];
  for (unsigned width = 0; width <= 64; width++) {
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      size_t size = codec__vector_size(counts[c], width);
      uint8_t written[COUNT * 8 + 16], *exact = malloc(size + 1);
      for (unsigned i = 0; i < COUNT; i++)
        fields[i] = random_u64();
      assert_int_equal(codec__pack_vector_wide(codec__loops(), fields, counts[c], width, written),
                       size);
      memcpy(exact, written, size);
      codec__unpack_vector_wide(codec__loops(), exact, counts[c], width, back);
      uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
      for (size_t i = 0; i < counts[c]; i++)
        assert_true(back[i] == (fields[i] & mask));
      free(exact);
    }
  }
}

/* What each loop of a build gives for the same input, one after the other in memory. */
struct results {
  uint64_t min, max, all, size, missed;
  uint64_t x[COUNT], subtracted[COUNT], zigzag[COUNT], differences[COUNT], affine[COUNT],
      wide[COUNT], prefix[COUNT], joined[COUNT], decimal[COUNT], undecimal[COUNT], order[COUNT],
      unorder[COUNT], widened[COUNT], widened_signed[COUNT], lined[COUNT], biased[COUNT],
      quotients[COUNT], small_wide[COUNT], limited_wide[COUNT], steps_wide[COUNT],
      limited_steps_wide[COUNT];
  uint32_t counts[65], narrow[COUNT], sums[COUNT], field_sums[COUNT], step_sums[COUNT],
      small_sums[COUNT], limited[COUNT], small_step_sums[COUNT];
  uint16_t outliers[COUNT + 1], high[COUNT], codes[COUNT];
  uint8_t symbols[COUNT];
  uint32_t with_symbols[COUNT];
  uint64_t with_symbols_wide[COUNT];
};

static void run(const struct codec_loops *loops, const uint64_t *values, size_t count,
                const uint64_t parameters[6], struct results *r) {
  struct codec_scale scale = {parameters[0], parameters[1] & 1 ? 1 : 3, parameters[2] | 1,
                              (unsigned)(parameters[3] % 64)};
  uint64_t base = parameters[4], factor = parameters[5] & 1 ? 1 : parameters[5];
  unsigned width = (unsigned)(parameters[3] % 33);
  uint64_t bits = 0, shifted[COUNT] = {0};
  memset(r, 0, sizeof *r);
  loops->range(values, count, base, &r->min, &r->max);
  r->all = loops->reduce(values, count, &scale, r->x);
  loops->subtract(values, count, base, r->subtracted);
  r->all ^= loops->zigzag(values, count, base, r->zigzag);
  loops->differences(values, count, base, r->differences);
  for (size_t i = 0; i < count; i++)
    bits |= shifted[i] = values[i] >> width;
  loops->histogram(shifted, count, bits, r->counts);
  loops->narrow(values, count, width, r->narrow);
  r->size = loops->outliers(values, count, width + 20, r->outliers);
  memset(r->outliers + r->size, 0, sizeof r->outliers - r->size * 2);
  loops->widen(r->narrow, count, base, factor, r->widened);
  memcpy(r->sums, r->narrow, sizeof r->sums);
  loops->unzigzag_sum(r->sums, count, (uint32_t)factor, (uint32_t)base);
  memcpy(r->field_sums, r->narrow, sizeof r->field_sums);
  loops->sum_fields(r->field_sums, count, (uint32_t)factor, (uint32_t)base, false);
  /* Small fields with signs all alike and mixed, from any start; and the largest that are narrow.
   */
  uint32_t below = parameters[3] & 1 ? 0x7ff : 0xfff;
  uint32_t add = parameters[3] & 1 ? (uint32_t)(parameters[2] % 2 * 0u - 0x400u) : 0u - 0x800u;
  for (size_t i = 0; i < COUNT; i++) {
    r->small_sums[i] = parameters[3] & 2 ? below : r->narrow[i] & below;
    r->limited[i] = parameters[3] & 2 ? 0 : r->narrow[i] & 0xfffff;
  }
  loops->sum_wide(r->small_sums, count, base, add, true, r->small_wide);
  loops->sum_fields(r->small_sums, count, (uint32_t)factor, add, true);
  loops->sum_wide(r->limited, count, parameters[0], 0u - 0x80000u, false, r->limited_wide);
  const uint8_t *steps = (const uint8_t *)r->narrow;
  loops->sum_steps(steps, count, (uint32_t)factor, (uint32_t)base, false, r->step_sums);
  loops->sum_steps(steps, count, (uint32_t)base, 0u - 1900u, true, r->small_step_sums);
  loops->sum_steps_wide(steps, count, parameters[0], 1900, true, r->steps_wide);
  loops->sum_steps_wide(steps, count, base, 1u << 19, false, r->limited_steps_wide);
  loops->widen_signed(r->sums, count, base, factor, r->widened_signed);
  struct codec_line line = {base, (uint32_t)factor};
  loops->widen_line(r->narrow, count, &line, base, (uint32_t)factor, r->lined);
  memcpy(r->biased, values, count * 8);
  loops->bias(r->biased, count, width);
  loops->undecimal_fields(r->narrow, count, (int32_t)base, 1000, r->quotients);
  r->missed = loops->sum_from(values, count, base, width);
  loops->join((const packed_word *)r->narrow, r->sums, count, r->joined);
  memcpy(r->affine, values, count * 8);
  loops->affine(r->affine, count, base, factor);
  memcpy(r->wide, values, count * 8);
  loops->unzigzag_wide(r->wide, count, base, factor);
  memcpy(r->prefix, values, count * 8);
  loops->prefix(r->prefix, count, base);
  loops->order(values, count, r->order);
  memcpy(r->unorder, r->order, sizeof r->unorder);
  loops->unorder(r->unorder, count);
  loops->symbols(values, count, width, r->symbols);
  memcpy(r->with_symbols, r->narrow, sizeof r->with_symbols);
  loops->add_symbols(r->with_symbols, count, r->symbols, width % 25);
  memcpy(r->with_symbols_wide, values, count * 8);
  loops->add_symbols_wide(r->with_symbols_wide, count, r->symbols, width);
  uint16_t dictionary[4];
  memcpy(dictionary, values, sizeof dictionary);
  r->missed ^= loops->split(values, count, width, dictionary, 4, r->high, r->codes);
}

static void test_builds_agree(void **state) {
  (void)state;
  static struct results want, got;
  for (int round = 0; round < 300; round++) {
    uint64_t values[COUNT] = {0}, parameters[6];
    size_t count = round % 3 ? 1 + random_u64() % COUNT : COUNT;
    unsigned shift = (unsigned)(random_u64() % 64);
    for (size_t i = 0; i < COUNT; i++)
      values[i] = random_u64() >> shift >> (random_u64() % 8);
    for (size_t i = 0; i < 6; i++)
      parameters[i] = random_u64();
    run(builds[ISA_BASE], values, count, parameters, &want);
    assert_memory_equal(want.unorder, values, count * 8);
    for (enum isa isa = ISA_AVX2; isa <= isa_best(); isa++) {
      run(builds[isa], values, count, parameters, &got);
      assert_memory_equal(&want, &got, sizeof want);
    }
  }
}

static void test_histogram(void **state) {
  (void)state;
  for (enum isa isa = ISA_BASE; isa <= isa_best(); isa++) {
    for (unsigned w = 0; w <= 64; w++) {
      uint64_t x[COUNT] = {0}, bits = 0;
      uint32_t counts[65];
      for (size_t i = 0; i < 300; i++) { /* the ends of each width among other values */
        uint64_t top = w ? UINT64_C(1) << (w - 1) : 0;
        x[i] = i % 3 == 0 ? top : i % 3 == 1 ? top | (top - (w > 0)) : i % 2;
        bits |= x[i];
      }
      uint32_t want[65] = {0};
      for (size_t i = 0; i < 300; i++)
        want[codec__width(x[i])]++;
      builds[isa]->histogram(x, 300, bits, counts);
      assert_memory_equal(counts, want, sizeof want);
    }
  }
}

/* Quotients are correctly rounded in every build: equal to the division of the machine. */
static void test_decimals(void **state) {
  (void)state;
  for (int round = 0; round < 2000; round++) {
    unsigned exponent = (unsigned)(random_u64() % 19);
    double power = codec__power(exponent), values[COUNT];
    uint64_t x[COUNT], m[COUNT];
    unsigned shift = 13 + (unsigned)(random_u64() % 50);
    for (size_t i = 0; i < COUNT; i++) {
      int64_t integer = (int64_t)(random_u64() >> shift) * (random_u64() & 1 ? 1 : -1);
      m[i] = (uint64_t)integer;
      values[i] = (double)integer / power;
    }
    for (enum isa isa = ISA_BASE; isa <= isa_best(); isa++) {
      memcpy(x, m, sizeof x);
      builds[isa]->undecimal(x, COUNT, power);
      for (size_t i = 0; i < COUNT; i++)
        if (m[i] != 0) assert_memory_equal(&x[i], &values[i], 8);
      if (shift > 14 && exponent < 15) {
        size_t missed = builds[isa]->decimal(values, COUNT, power, x);
        size_t negative_zeros = 0;
        for (size_t i = 0; i < COUNT; i++)
          negative_zeros += values[i] == 0 && signbit(values[i]);
        if (missed == negative_zeros) assert_memory_equal(x, m, sizeof x);
      }
    }
  }
}

/* The exceptions are the same in every build. */
static void test_decimal_misses(void **state) {
  (void)state;
  for (int round = 0; round < 500; round++) {
    double values[COUNT], power = codec__power((unsigned)(random_u64() % 19));
    for (size_t i = 0; i < COUNT; i++) {
      uint64_t bits = random_u64();
      memcpy(&values[i], &bits, 8);
      if (i % 3 == 0) values[i] = (double)(int64_t)(bits >> 20) / 1000;
      if (i % 7 == 0) values[i] = (double)(bits >> 11); /* around the greatest integer allowed */
    }
    uint64_t want[COUNT], got[COUNT];
    size_t missed = builds[ISA_BASE]->decimal(values, COUNT, power, want);
    for (enum isa isa = ISA_AVX2; isa <= isa_best(); isa++) {
      assert_int_equal(builds[isa]->decimal(values, COUNT, power, got), missed);
      assert_memory_equal(want, got, sizeof want);
    }
  }
}

static void test_summaries_and_selections(void **state) {
  (void)state;
  static uint32_t fields[COUNT];
  static uint64_t values[COUNT];
  static double floats[COUNT];
  for (int round = 0; round < 200; round++) {
    size_t count = 1 + random_u64() % COUNT;
    uint32_t low = (uint32_t)(random_u64() >> 60), span = (uint32_t)(random_u64() >> 59);
    uint64_t flip = random_u64() << 63, sum = 0, total = 0;
    uint32_t min = UINT32_MAX, max = 0;
    for (size_t i = 0; i < count; i++) {
      fields[i] = (uint32_t)random_u64() >> (round % 2 ? 27 : 0);
      values[i] = fields[i] ^ flip;
      floats[i] = i % 50 == 7 ? NAN : (double)fields[i];
      sum += fields[i];
      total += values[i] ^ flip;
      min = fields[i] < min ? fields[i] : min;
      max = fields[i] > max ? fields[i] : max;
    }
    for (int b = 0; b <= (int)isa_best(); b++) {
      struct codec_fields found;
      uint64_t lows, highs, bits[3][COUNT / 64];
      builds[b]->summarize(fields, count, &found);
      assert_true(found.sum == sum && found.min == min && found.max == max);
      builds[b]->halves(values, count, flip, &lows, &highs);
      assert_true(lows + (highs << 32) == total);
      builds[b]->select_fields(fields, count, low, span, bits[0]);
      builds[b]->select_values(values, count, flip, low, span, bits[1]);
      builds[b]->select_floats(floats, count, low, low + span, bits[2]);
      for (size_t i = 0; i < (count + 63) / 64 * 64; i++) {
        bool want = i < count && fields[i] >= low && fields[i] - low <= span;
        assert_int_equal(bits[0][i / 64] >> (i % 64) & 1, want);
        assert_int_equal(bits[1][i / 64] >> (i % 64) & 1, want);
        assert_int_equal(bits[2][i / 64] >> (i % 64) & 1, want && i % 50 != 7);
      }
    }
  }
}

/* Steps of all sizes that are allowed, also all of the greatest. */
static void test_weighing(void **state) {
  (void)state;
  static uint32_t steps[1024];
  const int32_t most = (1 << 21) - 1;
  for (int round = 0; round < 300; round++) {
    size_t count = round % 3 ? random_u64() % 1025 : 1024;
    int64_t sum = 0, weighted = 0;
    for (size_t i = 0; i < count; i++) {
      int32_t step = (int32_t)(random_u64() % (2 * (uint64_t)most + 1)) - most;
      if (round % 4 == 1) step = round % 8 == 1 ? most : -most;
      if (round % 4 == 2) step %= 4;
      steps[i] = (uint32_t)step;
      sum += step;
      weighted += (int64_t)step * (int64_t)(count - i);
    }
    for (int b = 0; b <= (int)isa_best(); b++) {
      int64_t found_sum, found_weighted;
      builds[b]->weigh(steps, count, &found_sum, &found_weighted);
      assert_true(found_sum == sum && found_weighted == weighted);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pack_layout),
      cmocka_unit_test(test_weighing),
      cmocka_unit_test(test_pack_vectors),
      cmocka_unit_test(test_builds_agree),
      cmocka_unit_test(test_histogram),
      cmocka_unit_test(test_decimals),
      cmocka_unit_test(test_decimal_misses),
      cmocka_unit_test_setup(test_summaries_and_selections, set_up),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
