/* Which build of a hot loop this machine can run.
 *
 * Hot loops are plain C compiled several times: each build is its own small .c file that includes
 * the shared text and gets its instruction set from module.cmake. The choice is made where the loop
 * is called from; results are the same to the bit, whatever the choice. */
#ifndef NILO_KERNEL_ISA_H
#define NILO_KERNEL_ISA_H

enum isa {
  ISA_BASE = 0,   /* x86-64 as it began: SSE2 */
  ISA_AVX2 = 1,   /* AVX2, FMA, BMI, LZCNT: all processors with AVX2 have these */
  ISA_AVX512 = 2, /* AVX-512 F, BW, DQ, VL, used 64 bytes wide */
  ISA_COUNT = 3,
};

/* The widest build that runs here. Costs a load and two tests: ask once per block, not per value.
 */
static inline enum isa isa_best(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return ISA_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("fma"))
    return ISA_AVX2;
#endif
  return ISA_BASE;
}

#endif
