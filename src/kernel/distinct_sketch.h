/* About how many distinct values there are among very many, in 16 KiB.
 *
 * HyperLogLog (P. Flajolet, É. Fusy, O. Gandouet, F. Meunier, "HyperLogLog: the analysis of a
 * near-optimal cardinality estimation algorithm", 2007) of 2^14 registers over 64-bit hashes, with
 * the estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
 * (2017), which needs no correction for small or large counts. The standard error is 0.81 percent.
 * Up to 512 distinct hashes are kept as they are: the count is exact there. Merging sketches gives
 * the same answer as one sketch of all values, in any order. */
#ifndef NILO_KERNEL_DISTINCT_SKETCH_H
#define NILO_KERNEL_DISTINCT_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buffer;
struct err;
struct str;

enum { DISTINCT_BITS = 14, DISTINCT_REGISTERS = 1 << DISTINCT_BITS, DISTINCT_KEPT_MAX = 512 };

/* Zeroed: empty. What it points at lies in the arena that adding is given. */
struct distinct_sketch {
  uint64_t *kept; /* an open hash table of hashes, 0: free */
  uint32_t kept_count, kept_capacity;
  uint8_t *registers; /* not NULL: `kept` is no more */
};

/* Hashes with all 64 bits good (base/checksum.h). False when memory is refused. */
bool distinct_sketch_add(struct distinct_sketch *sketch, struct arena *arena,
                         const uint64_t *hashes, size_t count);
bool distinct_sketch_merge(struct distinct_sketch *sketch, struct arena *arena,
                           const struct distinct_sketch *other);
uint64_t distinct_sketch_count(const struct distinct_sketch *sketch);
/* As bytes, good for storing as long as the hashes stay the same, and back from the front of
 * *bytes. ERR_CORRUPTION; ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
void distinct_sketch_save(const struct distinct_sketch *sketch, struct buffer *out);
int distinct_sketch_load(struct distinct_sketch *sketch, struct arena *arena, struct str *bytes,
                         struct err *err);

#endif
