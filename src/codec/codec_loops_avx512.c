/* The loops of codec_loops.inc, built for one instruction set (see module.cmake). */
#define LOOPS        codec__loops_avx512
#define VECTOR_BYTES 64
#include "codec/codec_loops.inc"
