/* The loops of hash_isa.inc, built for one instruction set (see module.cmake). */
#define HASHES kernel__hashes_avx512
#include "kernel/hash_isa.inc"
