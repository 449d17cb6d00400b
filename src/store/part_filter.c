/* One filter: a run of words of 256 bits. Pure functions. */
#include "store/part_filter.h"

#include <math.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum { LANES = 8, WORDS_MAX = 1 << 16 };

static const uint32_t salts[LANES] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                      0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

uint64_t part_filter_hash_number(struct type type, uint64_t bits) {
  if (type.physical == PHYSICAL_FLOAT64 && f64_from_bits(bits) == 0) bits = 0;
  return checksum64(&bits, sizeof bits);
}

uint64_t part_filter_hash_text(struct str text) { return checksum64(text.data, text.size); }

/* Values fall on words by chance: with n of them on w words, a word has k with the probability of
 * Poisson(n / w), and then a stranger finds his bit of a lane set with 1 - (1 - 1/32)^k. */
static double false_positives_of(double values, double words) {
  double mean = values / words, chance = exp(-mean), sum = 0;
  for (int k = 1; k < 400; k++) {
    chance *= mean / k;
    sum += chance * pow(1 - pow(31.0 / 32, k), LANES);
    if (k > mean && chance < 1e-12) break;
  }
  return sum;
}

uint32_t part_filter_words(size_t values, double false_positives) {
  if (values == 0) return 0;
  double words = ceil((double)values / 32);
  while (words < WORDS_MAX && false_positives_of((double)values, words) > false_positives)
    words = ceil(words * 1.04 + 0.01);
  return words < WORDS_MAX ? (uint32_t)words : WORDS_MAX;
}

/* Where the word of a hash begins. */
static size_t word_of(uint32_t words, uint64_t hash) {
  return (size_t)((hash >> 32) * words >> 32) * PART_FILTER_WORD;
}

void part_filter_add(uint8_t *filter, uint32_t words, uint64_t hash) {
  uint8_t *word = filter + word_of(words, hash);
  for (int i = 0; i < LANES; i++) {
    uint32_t bit = (uint32_t)hash * salts[i] >> 27;
    store_u32(word + 4 * i, load_u32(word + 4 * i) | UINT32_C(1) << bit);
  }
}

bool part_filter_may_hold(const uint8_t *filter, uint32_t words, uint64_t hash) {
  const uint8_t *word = filter + word_of(words, hash);
  bool holds = true;
  for (int i = 0; i < LANES; i++) {
    uint32_t bit = (uint32_t)hash * salts[i] >> 27;
    holds &= load_u32(word + 4 * i) >> bit & 1;
  }
  return holds;
}
