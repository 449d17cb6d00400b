/* Private to key_table*.c: how keys are packed.
 *
 *   row of a key:  8-byte values · string ends · 4-byte values · booleans · null bits | addresses
 *                  '------------------ compared as whole words ------------------'
 *
 * Everything in front of the addresses decides equality of keys without strings; a string has its
 * size and its first bytes there, and its address behind. An absent value is zero with its null bit
 * set. */
#ifndef NILO_EXEC_KEY_TABLE_PRIVATE_H
#define NILO_EXEC_KEY_TABLE_PRIVATE_H

#include <string.h>

#include "exec/key_table.h"
#include "kernel/hash.h"

enum key_form { KEY_WORD, KEY_FLOAT, KEY_TEXT, KEY_CODE, KEY_BOOL };
struct key_field {
  struct type type; /* of the column; a string's, too, when codes are kept */
  enum key_form form;
  uint32_t offset;  /* bytes into the row */
  uint32_t address; /* KEY_TEXT: of the address */
  uint32_t null_byte;
  uint8_t null_bit;
  const struct column *dictionary; /* of KEY_CODE of strings */
  uint64_t *code_hashes;           /* per code, 0: not computed yet; NULL: none are kept */
  int64_t code_hash_count;
};
/* A float that was not in its plain form (a NaN, -0.0) where its combination was first seen. */
struct key_original {
  uint32_t id, column;
  uint64_t bits;
};
struct key_table {
  struct exec *exec;
  struct mem_account *account;
  const struct kernel_hashes *kernels;
  struct key_field *fields;
  uint32_t field_count;
  bool shaped;    /* the layout is known: rows were added */
  bool has_texts; /* a KEY_TEXT */
  bool has_floats;
  uint32_t stride, compared; /* bytes of a row, and of its part that is compared: whole words */
  uint64_t *slots;           /* lower half of a hash << 32 | id + 1; 0: empty */
  uint32_t slot_bits;        /* 2^slot_bits slots, when there are any */
  uint8_t *rows;             /* by id */
  uint64_t *hashes;          /* by id */
  uint32_t count, row_capacity, hash_capacity;
  struct arena texts;
  uint64_t text_bytes;
  uint64_t seen; /* rows added */
  struct key_original *originals;
  uint32_t original_count, original_capacity;
};

enum { KEY_VECTOR = 1024, KEY_SCRATCH = 32768 };
/* Rows that are packed at a time. */
static inline int64_t key__vector(const struct key_table *table) {
  int64_t fits = table->stride ? KEY_SCRATCH / table->stride : KEY_VECTOR;
  return fits > KEY_VECTOR ? KEY_VECTOR : fits;
}

/* Lays the fields out by their forms. */
void key__shape(struct key_table *table);
/* Packs rows [from, from + count), count at most key__vector; the addresses of strings are those
 * that they have in the columns. */
void key__pack(const struct key_table *table, const struct column *const *columns, int64_t from,
               int64_t count, uint8_t *rows);
/* The id of a row whose columns do not have the table's forms: value by value. */
uint32_t key__search(const struct key_table *table, const struct column *const *columns,
                     int64_t row, uint64_t hash);
/* A row of `from` in the layout of `to`, in which codes may have become strings; `packed` is
 * zeroed. False when memory is refused. */
bool key__repack(const struct key_table *from, const uint8_t *row, struct key_table *to,
                 uint8_t *packed);
/* A string's word in the compared part. */
static inline uint64_t key__text_word(struct str text) {
  uint32_t head = 0;
  if (text.size) memcpy(&head, text.data, text.size < 4 ? text.size : 4);
  return (uint64_t)head << 32 | (uint32_t)text.size;
}
/* A word of a packed row. */
static inline uint64_t key__load(const uint8_t *row, uint32_t offset) {
  uint64_t word;
  memcpy(&word, row + offset, 8);
  return word;
}
/* Hashes with the tables' caches of codes' hashes (NULL: without). */
void key__hash(const struct key_table *table, const struct column *const *columns,
               uint32_t column_count, int64_t from, int64_t count, uint64_t *hashes);

#endif
