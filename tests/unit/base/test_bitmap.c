/* Bit ranges against a loop over single bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bitmap.h"

enum { WORDS = 6, BITS = WORDS * 64, ROUNDS = 20000 };

static uint64_t random_next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static bool get(const uint64_t *bits, int64_t i) { return bits[i >> 6] >> (i & 63) & 1; }

/* Words of a density of their own: empty, full, or mixed. */
static void random_words(uint64_t *words, uint64_t *random) {
  for (int i = 0; i < WORDS; i++) {
    uint64_t kind = random_next(random) % 4;
    words[i] = kind == 0 ? 0 : kind == 1 ? UINT64_MAX : random_next(random);
  }
}

static void ranges_agree_with_single_bits(void **state) {
  (void)state;
  uint64_t seed = 20160101, random = seed;
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t *words = malloc(WORDS * 8); /* on the heap, for the sanitizer */
    random_words(words, &random);
    int64_t from = (int64_t)(random_next(&random) % (BITS + 1));
    int64_t count = (int64_t)(random_next(&random) % (uint64_t)(BITS - from + 1));
    int64_t set = 0, next_set = -1, next_clear = -1;
    for (int64_t i = from; i < from + count; i++) {
      set += get(words, i);
      if (get(words, i) && next_set < 0) next_set = i;
      if (!get(words, i) && next_clear < 0) next_clear = i;
    }
    if (next_set < 0) next_set = from + count;
    if (next_clear < 0) next_clear = from + count;
    if (bits_count(words, from, count) != set ||
        bits_next_set(words, from, from + count) != next_set ||
        bits_next_clear(words, from, from + count) != next_clear ||
        bits_all(words, from, count) != (set == count) ||
        bits_none(words, from, count) != (set == 0))
      fail_msg("seed %d round %d: [%d, +%d)", (int)seed, round, (int)from, (int)count);
    free(words);
  }
}

static void copies_and_fills_leave_the_rest_alone(void **state) {
  (void)state;
  uint64_t seed = 20160102, random = seed;
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t *src = malloc(WORDS * 8), *dst = malloc(WORDS * 8), before[WORDS];
    random_words(src, &random);
    random_words(dst, &random);
    memcpy(before, dst, sizeof before);
    int64_t count = (int64_t)(random_next(&random) % (BITS + 1));
    int64_t src_from = (int64_t)(random_next(&random) % (uint64_t)(BITS - count + 1));
    int64_t dst_from = (int64_t)(random_next(&random) % (uint64_t)(BITS - count + 1));
    if (round % 3 == 0) src_from &= ~INT64_C(63);
    bits_copy(dst, dst_from, src, src_from, count);
    for (int64_t i = 0; i < BITS; i++) {
      bool inside = i >= dst_from && i < dst_from + count;
      bool expected = inside ? get(src, i - dst_from + src_from) : get(before, i);
      if (get(dst, i) != expected)
        fail_msg("seed %d round %d: bit %d of %d + %d from %d", (int)seed, round, (int)i,
                 (int)dst_from, (int)count, (int)src_from);
    }
    bool value = round & 1;
    memcpy(dst, before, sizeof before);
    bits_fill(dst, dst_from, count, value);
    for (int64_t i = 0; i < BITS; i++) {
      bool inside = i >= dst_from && i < dst_from + count;
      if (get(dst, i) != (inside ? value : get(before, i)))
        fail_msg("seed %d round %d: fill of bit %d", (int)seed, round, (int)i);
    }
    free(src);
    free(dst);
  }
}

static void words_combine_and_list(void **state) {
  (void)state;
  uint64_t random = 3, a[WORDS], b[WORDS], out[WORDS];
  for (int round = 0; round < 1000; round++) {
    random_words(a, &random);
    random_words(b, &random);
    bits_and(out, a, b, WORDS);
    assert_true(out[3] == (a[3] & b[3]));
    bits_or(out, a, b, WORDS);
    assert_true(out[3] == (a[3] | b[3]));
    bits_xor(out, a, b, WORDS);
    assert_true(out[3] == (a[3] ^ b[3]));
    bits_and_not(out, a, b, WORDS);
    assert_true(out[3] == (a[3] & ~b[3]));
    bits_not(out, a, WORDS);
    assert_true(out[5] == ~a[5]);
    int64_t length = (int64_t)(random_next(&random) % (BITS + 1));
    uint32_t rows[BITS + 1];
    int64_t count = bits_to_rows(a, length, rows), expected = 0;
    for (int64_t i = 0; i < length; i++)
      if (get(a, i)) assert_int_equal(rows[expected++], i);
    assert_int_equal(count, expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranges_agree_with_single_bits),
      cmocka_unit_test(copies_and_fills_leave_the_rest_alone),
      cmocka_unit_test(words_combine_and_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
