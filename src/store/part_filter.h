/* Filters: which blocks of a part can't hold a value of a column. Private to the store.
 *
 * A Bloom filter per block, split into words of 256 bits of which a value sets eight bits in one
 * (split block Bloom filter: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom
 * Filters", 2007; words and salts as Apache Parquet fixed them). No false negative; false positives
 * as configured, by the exact Poisson mixture, not the rule of thumb. docs/format/part.md,
 * "Filters".
 *
 * What is hashed: checksum64 of 8 bytes little-endian for numbers and booleans (both zeros as +0.0;
 * NaN, which equals nothing, is left out), of the bytes for strings and bytes, and item by item for
 * lists. */
#ifndef NILO_STORE_PART_FILTER_H
#define NILO_STORE_PART_FILTER_H

#include "store/part.h"

enum { PART_FILTER_VERSION = 1, PART_FILTER_WORD = 32 /* bytes */ };

struct part_filter_header {
  uint64_t checksum; /* of the rest of this and the entries */
  uint32_t version;
  uint32_t blocks; /* entries that follow */
};
_Static_assert(sizeof(struct part_filter_header) == 16, "stored");
struct part_filter_entry {
  uint64_t checksum; /* of the filter */
  uint32_t place;    /* in words, from the end of the entries */
  uint32_t words;    /* 0: the block has no value of the column */
};
_Static_assert(sizeof(struct part_filter_entry) == 16, "stored");

/* ---- one filter ---- */
/* The hash of a number (its bits; booleans 0 or 1), and of a text. */
uint64_t part_filter_hash_number(struct type type, uint64_t bits);
uint64_t part_filter_hash_text(struct str text);
/* Words for so many distinct values. `false_positives` between 0 and 1. */
uint32_t part_filter_words(size_t values, double false_positives);
void part_filter_add(uint8_t *filter, uint32_t words, uint64_t hash);
bool part_filter_may_hold(const uint8_t *filter, uint32_t words, uint64_t hash);

/* ---- writing ---- */
/* An observer of a part's writer that gives columns filters. */
struct part_filters {
  struct part_observer observer;
  struct mem_account *account;
  const struct store_settings *settings; /* borrowed: which columns, how exact */
  struct part_filter_column *columns;    /* one per column of the settings */
  uint64_t *hashes;                      /* scratch */
  size_t hash_capacity;
};
/* Without columns in the settings nothing is made: observer.values is NULL. The struct must not
 * move while a writer uses it. */
int part_filters_init(struct part_filters *filters, const struct store_settings *settings,
                      struct mem_account *account, struct err *err);
void part_filters_deinit(struct part_filters *filters);

/* ---- reading ---- */
/* True when block `block` holds none of the values (hashes) of the column, for certain: there is a
 * filter, it can be read, and it says so. What was read is added to *bytes_read. */
bool part_filter_excludes(struct store_part *part, uint32_t block, uint32_t column,
                          const uint64_t *hashes, size_t count, uint64_t *bytes_read);
/* Checks the whole section of a column, if it has one. */
int part_filter_verify(struct store_part *part, uint32_t column, struct err *err);

#endif
