/* Every build of the hashing loops against the scalar definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/checksum.h"
#include "kernel/hash_private.h"
#include "kernel/isa.h"

enum { ROWS = 301 };

static void test_builds(void **state) {
  (void)state;
  static const struct kernel_hashes *const builds[ISA_COUNT] = {
      &kernel__hashes_base, &kernel__hashes_avx2, &kernel__hashes_avx512};
  uint64_t values[ROWS], expected[ROWS], actual[ROWS], same[ROWS], random = 0x5eed;
  double floats[ROWS];
  for (int isa = 0; isa <= (int)isa_best(); isa++) {
    for (size_t count = 0; count < ROWS; count++) {
      for (size_t i = 0; i < count; i++) {
        random = hash_mix(random + i);
        values[i] = random >> random % 60;
        expected[i] = actual[i] = hash_mix(random);
        floats[i] = i % 5 ? (double)(int64_t)random : i % 2 ? -0.0 : -NAN;
      }
      for (size_t i = 0; i < count; i++)
        expected[i] = hash_mix(expected[i] ^ values[i]);
      builds[isa]->fold_u64(values, count, actual);
      assert_memory_equal(actual, expected, count * 8);
      for (size_t i = 0; i < count; i++) {
        double plain = isnan(floats[i]) ? NAN : floats[i] == 0 ? 0.0 : floats[i];
        memcpy(&same[i], &plain, 8);
        expected[i] = hash_mix(expected[i] ^ same[i]);
      }
      builds[isa]->fold_f64(floats, count, actual);
      assert_memory_equal(actual, expected, count * 8);
      builds[isa]->same_f64(floats, count, actual);
      assert_memory_equal(actual, same, count * 8);
    }
  }
}

static void test_choice(void **state) {
  (void)state;
  double zeros[] = {0.0, -0.0};
  uint64_t hashes[] = {HASH_START, HASH_START};
  kernel_hashes()->fold_f64(zeros, 2, hashes);
  assert_true(hashes[0] == hashes[1]);
  assert_true(hashes[0] == hash_mix(HASH_START));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_builds),
      cmocka_unit_test(test_choice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
