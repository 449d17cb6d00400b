/* The builds of the hashing loops. */
#ifndef NILO_KERNEL_HASH_PRIVATE_H
#define NILO_KERNEL_HASH_PRIVATE_H

#include "kernel/hash.h"

/* One per instruction set; static storage. */
extern const struct kernel_hashes kernel__hashes_base, kernel__hashes_avx2, kernel__hashes_avx512;

#endif
