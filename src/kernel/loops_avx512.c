/* The loops of loops_isa.inc, built for one instruction set (see module.cmake). */
#define LOOPS        kernel__loops_avx512
#define VECTOR_BYTES 64
#include "kernel/loops_isa.inc"
