/* The choice of a build. */
#include "kernel/loops.h"

#include "kernel/isa.h"
#include "kernel/loops_private.h"

const struct kernel_loops *kernel_loops(void) {
  static const struct kernel_loops *const tables[ISA_COUNT] = {
      [ISA_BASE] = &kernel__loops_base,
      [ISA_AVX2] = &kernel__loops_avx2,
      [ISA_AVX512] = &kernel__loops_avx512,
  };
  return tables[isa_best()];
}
