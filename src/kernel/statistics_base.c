/* The loops of statistics_isa.inc, built for one instruction set (see module.cmake). */
#define LOOPS        statistics__loops_base
#define VECTOR_BYTES 16
#include "kernel/statistics_isa.inc"
