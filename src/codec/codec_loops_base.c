/* The loops of codec_loops.inc, built for one instruction set (see module.cmake). */
#define LOOPS        codec__loops_base
#define VECTOR_BYTES 16
#include "codec/codec_loops.inc"
