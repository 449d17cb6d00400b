/* Hashing columns: one 64-bit hash per row, folded column by column.
 *
 * hash = mix(hash ^ value) per column, from HASH_START; mix is the bijection hash_mix of
 * base/checksum.h, so rows of one 8-byte column never collide. Strings fold their hash64, absent
 * values HASH_NULL, booleans 0 and 1. All 64 bits are good: tables place by the upper ones and
 * partition by the lowest. */
#ifndef NILO_KERNEL_HASH_H
#define NILO_KERNEL_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0x243f6a8885a308d3)
#define HASH_NULL  UINT64_C(0x13198a2e03707344)

struct kernel_hashes {
  /* hashes[i] = mix(hashes[i] ^ values[i]). */
  void (*fold_u64)(const uint64_t *values, size_t count, uint64_t *hashes);
  /* The same with -0.0 as 0.0 and every NaN as one. */
  void (*fold_f64)(const double *values, size_t count, uint64_t *hashes);
  /* out[i] = values[i] with -0.0 as 0.0 and every NaN as one: bits that are equal where grouping
   * says so. */
  void (*same_f64)(const double *values, size_t count, uint64_t *out);
};

/* The table of this machine. Static storage. */
const struct kernel_hashes *kernel_hashes(void);

#endif
