#include "codec/codec_loops.h"

#include "kernel/isa.h"

const struct codec_loops *codec__loops(void) {
  static const struct codec_loops *const tables[ISA_COUNT] = {
      [ISA_BASE] = &codec__loops_base,
      [ISA_AVX2] = &codec__loops_avx2,
      [ISA_AVX512] = &codec__loops_avx512,
  };
  return tables[isa_best()];
}
