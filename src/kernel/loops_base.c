/* The loops of loops_isa.inc, built for one instruction set (see module.cmake). */
#define LOOPS        kernel__loops_base
#define VECTOR_BYTES 16
#include "kernel/loops_isa.inc"
