/* Private to the module: strings as one-byte codes of frequent substrings.
 *
 * After Boncz, Neumann and Leis, "FSST: Fast Random Access String Compression", PVLDB 13(11), 2020.
 * A table has up to 255 symbols of 1 to 8 bytes; a code is the number of a symbol, and code 255
 * says that the next byte stands for itself. Any place between two codes is one to start decoding
 * at. */
#ifndef NILO_CODEC_FSST_H
#define NILO_CODEC_FSST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FSST_SYMBOLS_MAX = 255, FSST_SYMBOL_SIZE = 8, FSST_ESCAPE = 255, FSST_SLACK = 8 };

struct fsst_table {
  unsigned count;
  uint64_t symbols[FSST_SYMBOLS_MAX + 1]; /* the first byte lowest, zeros above */
  uint8_t sizes[FSST_SYMBOLS_MAX + 1];    /* 1 to 8 */
};

/* Bytes of memory, 8-byte aligned, that finding and using a table takes. */
size_t fsst_scratch(void);
/* Finds a good table for `bytes` from a sample of them. Equal bytes give equal tables. */
void fsst_build(const uint8_t *bytes, size_t size, void *scratch, struct fsst_table *table);
/* Bytes that are encoded by themselves: `codes` has room for 2 * size + 1, of which `stored` are
 * told. */
struct fsst_piece {
  const uint8_t *bytes;
  size_t size;
  uint8_t *codes;
  size_t stored;
};
/* Encodes the pieces, four in turn, because a code waits for the length of the one before.
 * `scratch`: as fsst_build for this table left it. */
void fsst_encode(const void *scratch, struct fsst_piece *pieces, size_t count);
/* Writes what the codes stand for; false unless that is exactly `total` bytes. `bytes` has room for
 * FSST_SLACK more, which are anything afterwards. Symbols from `count` on must be there (zeros). */
bool fsst_decode(const struct fsst_table *table, const uint8_t *codes, size_t size, uint8_t *bytes,
                 size_t total);

/* The table as it is stored: the sizes, a byte each, then the bytes of all symbols. */
size_t fsst_stored_size(const struct fsst_table *table);
void fsst_store(const struct fsst_table *table, uint8_t *stored);
/* Reads a table of `count` symbols; *taken is the size of it. False: sizes that are none, or too
 * few bytes. */
bool fsst_load(const uint8_t *stored, size_t size, unsigned count, struct fsst_table *table,
               size_t *taken);

#endif
