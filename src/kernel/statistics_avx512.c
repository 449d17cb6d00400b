/* The loops of statistics_isa.inc, built for one instruction set (see module.cmake). */
#define LOOPS        statistics__loops_avx512
#define VECTOR_BYTES 64
#include "kernel/statistics_isa.inc"
