/* The choice of a build. */
#include "kernel/hash.h"

#include "kernel/hash_private.h"
#include "kernel/isa.h"

const struct kernel_hashes *kernel_hashes(void) {
  static const struct kernel_hashes *const tables[ISA_COUNT] = {
      [ISA_BASE] = &kernel__hashes_base,
      [ISA_AVX2] = &kernel__hashes_avx2,
      [ISA_AVX512] = &kernel__hashes_avx512,
  };
  return tables[isa_best()];
}
