/* Sorting and selecting by 64-bit keys that order as unsigned integers. */
#ifndef NILO_KERNEL_SORT_H
#define NILO_KERNEL_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Numbers as keys that order like them, and back. Floats: -0.0 before +0.0, NaN last. */
static inline uint64_t sort_key_i64(int64_t value) { return (uint64_t)value ^ UINT64_C(1) << 63; }
static inline int64_t sort_key_to_i64(uint64_t key) { return (int64_t)(key ^ UINT64_C(1) << 63); }
uint64_t sort_key_f64(double value);
double sort_key_to_f64(uint64_t key);

struct sort_row {
  uint64_t key;
  uint64_t row;
};
/* Sorts rows by key, equal keys in the order they stand in. `spare` has room for `count`. The
 * result is in `rows`. Radix sort by bytes, those that all keys share left out; runs that are in
 * order already cost one pass. */
void sort_rows(struct sort_row *rows, struct sort_row *spare, size_t count);
/* Sorts keys; `spare` as above. */
void sort_keys(uint64_t *keys, uint64_t *spare, size_t count);
/* Moves the key that belongs at `place` (below count) in sorted order there, smaller ones before
 * it, greater ones behind it; returns it. Quickselect with the median of three; falls back to
 * sorting by heap when it goes badly, so it is never quadratic. */
uint64_t sort_select(uint64_t *keys, size_t count, size_t place);

#endif
