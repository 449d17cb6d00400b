/* Rows' sort keys as bytes whose order under memcmp is the rows' order.
 *
 * Per column: a byte that tells nulls apart, where the column may have any, then the value:
 * integers big-endian with the sign turned, floats by their total order (NaN above all, -0.0 as
 * 0.0), booleans a byte, strings with 0x00 escaped (as 00 FF) and a terminator (00 00), so that no
 * key is the beginning of another; descending columns are complemented, and a null's value is
 * zeros. Keys of fixed-width columns have one width for all rows; a first word of eight bytes, as a
 * big-endian number, decides most comparisons without touching the rest. (The idea is old: Blasgen,
 * Casey, Eswaran, "An encoding method for multifield sorting and indexing", CACM 1977.) */
#ifndef NILO_EXEC_SORT_KEY_H
#define NILO_EXEC_SORT_KEY_H

#include "exec/exec_private.h"

struct sort_key_layout {
  const struct plan_sort_key *keys;
  uint32_t key_count;
  const struct type *types; /* of the key columns, in the order of `keys` */
  bool *nullable;           /* per key: it has a byte for nulls; true at first */
  uint32_t width;           /* bytes of every key; 0: they vary */
};
/* The layout of keys over rows of a schema, from `arena`; `keys` must live as long. */
int exec__sort_key_layout(struct arena *arena, const struct plan_sort_key *keys, uint32_t key_count,
                          const struct plan_schema *schema, struct sort_key_layout *layout,
                          struct err *err);
/* Says that none of the rows to come has a null in key i (or that some may): the byte for nulls is
 * left out. Keys of different layouts can't be compared. */
void exec__sort_key_nullable(struct sort_key_layout *layout, uint32_t i, bool nullable);

/* Keys of many rows, from an arena. */
struct sort_keys {
  uint64_t *prefixes;   /* per row: the first eight bytes as a number, zeros behind a short key */
  const uint8_t *bytes; /* of row i: bytes + offsets[i], or bytes + i * width; NULL: the width is
                           at most 8 and the prefix is all of the key */
  const uint64_t *offsets; /* count + 1; NULL: fixed width */
  uint32_t width;
  int64_t count;
};
/* Of rows [from, from + count) of the columns (by the schema's index; plain or codes). */
int exec__sort_keys_make(const struct sort_key_layout *layout, const struct column *columns,
                         int64_t from, int64_t count, struct arena *arena, struct sort_keys *keys,
                         struct err *err);
/* Negative, 0 or positive as row a of `left` comes before, with or behind row b of `right`. */
int exec__sort_keys_compare(const struct sort_keys *left, int64_t a, const struct sort_keys *right,
                            int64_t b);

/* Bytes of row i's key. */
static inline uint64_t exec__sort_keys_size(const struct sort_keys *keys, int64_t i) {
  return keys->offsets ? keys->offsets[i + 1] - keys->offsets[i] : keys->width;
}
/* Eight bytes of row i's key from byte `depth` on as a big-endian number, zeros behind its end. */
uint64_t exec__sort_keys_word(const struct sort_keys *keys, int64_t i, uint64_t depth);

#endif
