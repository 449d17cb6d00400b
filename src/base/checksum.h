/* The one checksum and the one hash.
 *
 * Every stored or logged unit carries checksum64 of its bytes: XXH3-64 with seed 0 and the default
 * secret (xxHash specification 0.8). That is a format fact and never changes. hash64 is the same
 * function today, but is for tables in memory only: it may change, its values must not be stored.
 * All are pure functions. */
#ifndef NILO_BASE_CHECKSUM_H
#define NILO_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The checksum of all formats. data may be NULL when size is 0. */
static inline uint64_t checksum64(const void *data, size_t size) { return XXH3_64bits(data, size); }

/* For tables in memory; never stored. */
static inline uint64_t hash64(const void *data, size_t size) { return XXH3_64bits(data, size); }

/* The same with a seed: for tables whose keys come from strangers, and for second hashes. */
static inline uint64_t hash64_seed(const void *data, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(data, size, seed);
}

/* Spreads the bits of an integer key over all 64 (a bijection; the finalizer "variant 13" of David
 * Stafford, 2011, as in splitmix64). */
static inline uint64_t hash_mix(uint64_t key) {
  key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
  return key ^ key >> 31;
}

#endif
