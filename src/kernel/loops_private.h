/* Private to loops*.c: the tables of the builds. */
#ifndef NILO_KERNEL_LOOPS_PRIVATE_H
#define NILO_KERNEL_LOOPS_PRIVATE_H

#include "kernel/loops.h"

/* One table per instruction set; kernel_loops picks the widest that the machine runs. */
extern const struct kernel_loops kernel__loops_base, kernel__loops_avx2, kernel__loops_avx512;

#endif
