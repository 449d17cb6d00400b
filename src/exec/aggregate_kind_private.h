/* Private to the files of aggregate_kind.h: what a kind of state is. */
#ifndef NILO_EXEC_AGGREGATE_KIND_PRIVATE_H
#define NILO_EXEC_AGGREGATE_KIND_PRIVATE_H

#include <string.h>

#include "exec/aggregate_kind.h"

/* The functions of a state. What is NULL is done by aggregate_kind.c: `scatter` by calls of `fold`,
 * `merge` never, save and load as plain bytes. Either `fold` or `add` is there. */
struct aggregate_kind {
  uint32_t state_size;
  /* Fixed-width values of the one argument together (booleans as 0 and 1). */
  int (*fold)(const struct aggregate_function *function, struct arena *arena, void *state,
              const uint64_t *values, size_t count, struct err *err);
  /* The same, each to its own state. */
  void (*scatter)(const struct aggregate_function *function, uint8_t *states, size_t stride,
                  const uint32_t *ids, const uint64_t *values, size_t count);
  /* One row that counts. */
  int (*add)(const struct aggregate_function *function, struct arena *arena, void *state,
             const struct aggregate_vector *vector, int64_t row, struct err *err);
  int (*merge)(const struct aggregate_function *function, struct arena *arena, void *state,
               const void *other, struct err *err);
  int (*finish)(const struct aggregate_function *function, struct arena *arena, void *state,
                struct builder *result, struct err *err);
  void (*save)(const struct aggregate_function *function, const void *state, struct buffer *out);
  int (*load)(const struct aggregate_function *function, struct arena *arena, void *state,
              struct str *bytes, struct err *err);
};

/* By the class of the first argument: floats; 64-bit integers and times; booleans; strings. NULL:
 * there is none. */
struct aggregate_row {
  const struct aggregate_kind *of_float, *of_integer, *of_bool, *of_text;
};

/* The kinds, in static storage, by the files that aggregate_kind.h lists. Counts to products: */
extern const struct aggregate_kind aggregate__count, aggregate__sum_float, aggregate__sum_integer,
    aggregate__extreme, aggregate__chosen_text, aggregate__first, aggregate__spread,
    aggregate__bits, aggregate__product;
/* Of one variable, and of two. */
extern const struct aggregate_kind aggregate__moments, aggregate__pair;
/* SQL's, exact: sums of numerics and intervals; moments of integers and numerics. */
extern const struct aggregate_kind aggregate__sum_decimal, aggregate__sum_interval,
    aggregate__exact_moments;
/* The result of a sum of integers as numeric. */
int aggregate__finish_exact(const struct aggregate_function *function, __int128 total,
                            uint64_t count, struct builder *result, struct err *err);
/* Words, texts, and points over time, all kept; a row chosen by another column. */
extern const struct aggregate_kind aggregate__values, aggregate__value_texts, aggregate__points,
    aggregate__by;
/* string_agg, array_agg, histogram. */
extern const struct aggregate_kind aggregate__joined, aggregate__list, aggregate__histogram;
/* Percentiles and distinct counts. */
extern const struct aggregate_kind aggregate__quantiles, aggregate__quantile_sketches,
    aggregate__distinct_sketch;
/* Rows kept for a call with DISTINCT or ORDER BY. */
extern const struct aggregate_kind aggregate__ordered;
/* Rows kept for an array, nulls too; DISTINCT and ORDER BY are its own business. */
extern const struct aggregate_kind aggregate__array;

/* A value of a row as a number. */
static inline double aggregate__number(const struct column *column, int64_t row) {
  return column->type.physical == PHYSICAL_FLOAT64  ? column->f64[row]
         : column->type.physical == PHYSICAL_UINT64 ? (double)column->u64[row]
                                                    : (double)column->i64[row];
}
static inline double aggregate__word_number(struct type type, uint64_t word) {
  double value;
  memcpy(&value, &word, 8);
  return type.physical == PHYSICAL_FLOAT64  ? value
         : type.physical == PHYSICAL_UINT64 ? (double)word
                                            : (double)(int64_t)word;
}
static inline uint64_t aggregate__float_word(double value) {
  uint64_t word;
  memcpy(&word, &value, 8);
  return word;
}
static inline struct str aggregate__text(const struct column *column, int64_t row) {
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}
static inline bool aggregate__is_text(struct type type) { return type_is_string(type); }
/* A fixed-width value of a row, booleans as 0 and 1. */
static inline uint64_t aggregate__word(const struct column *column, int64_t row) {
  return column->type.physical == PHYSICAL_BOOL ? bit_get(column->bits, row) : column->u64[row];
}
/* Words as keys that order like the values (NaN last, -0.0 as 0.0), and back. */
static inline uint64_t aggregate__order(struct type type, uint64_t word) {
  const uint64_t sign = UINT64_C(1) << 63;
  if (type.physical == PHYSICAL_INT64) return word ^ sign;
  if (type.physical != PHYSICAL_FLOAT64) return word;
  double value;
  memcpy(&value, &word, 8);
  if (value != value) return UINT64_MAX;
  if (value == 0) return sign;
  return word & sign ? ~word : word | sign;
}
static inline uint64_t aggregate__unorder(struct type type, uint64_t key) {
  const uint64_t sign = UINT64_C(1) << 63;
  if (type.physical == PHYSICAL_INT64) return key ^ sign;
  if (type.physical != PHYSICAL_FLOAT64) return key;
  if (key == UINT64_MAX) return aggregate__float_word(NAN);
  return key & sign ? key & ~sign : ~key;
}
/* Appends a fixed-width value. */
static inline void aggregate__append(struct builder *result, uint64_t word) {
  if (result->type.physical == PHYSICAL_BOOL)
    builder_append_bool(result, word != 0);
  else
    builder_append_u64(result, word);
}
static inline void aggregate__append_float(struct builder *result, double value) {
  builder_append_f64(result, value);
}

/* Bytes at the front of *bytes, which moves on; NULL: there are not so many. */
static inline const void *aggregate__take(struct str *bytes, size_t size) {
  if (bytes->size < size) return NULL;
  const void *at = bytes->data;
  bytes->data += size;
  bytes->size -= size;
  return at;
}
int aggregate__torn(struct err *err);
int aggregate__refused(const struct aggregate_function *function, size_t size, struct err *err);

/* Text that states hold: bytes of the arena. Reuses the room of the text before it. */
struct aggregate_text {
  char *data;
  uint32_t size, capacity;
};
/* False when refused (or a text passes 2 GiB). */
bool aggregate__text_set(struct arena *arena, struct aggregate_text *text, struct str value);
bool aggregate__text_append(struct arena *arena, struct aggregate_text *text, struct str value);

/* ---- states that keep entries of some words each (aggregate_kept.c) ---- */

struct kept_block {
  struct kept_block *next;  /* those behind `last` are empty */
  uint32_t count, capacity; /* entries */
  uint64_t words[];
};
struct kept {
  uint64_t count;
  uint64_t distinct; /* the first ones, which are sorted and different: after a compaction */
  struct kept_block *first, *last;
};
/* A text that an entry points at. */
struct kept_text {
  uint32_t size;
  char data[];
};
static inline struct str kept_str(uint64_t word) {
  const struct kept_text *text = (const struct kept_text *)(uintptr_t)word;
  return (struct str){text->data, text->size};
}
/* Room for one more entry; NULL when refused. */
uint64_t *aggregate__keep_entry(struct arena *arena, struct kept *kept, uint32_t stride);
bool aggregate__keep_words(struct arena *arena, struct kept *kept, const uint64_t *words,
                           size_t count);
/* A copy of a text, as the word of an entry; 0 when refused. */
uint64_t aggregate__keep_text(struct arena *arena, struct str text);
/* All words in order, to `out`. */
void aggregate__kept_gather(const struct kept *kept, uint32_t stride, uint64_t *out);
/* Puts these entries in place of all; not more than there are. */
void aggregate__kept_replace(struct kept *kept, uint32_t stride, const uint64_t *words,
                             uint64_t count);
/* True when so many entries came since the last compaction that another one pays. */
static inline bool aggregate__kept_grown(const struct kept *kept) {
  return kept->count >= kept->distinct * 2 + 1024;
}
/* Appends the entries of `other`; texts[i]: word i of an entry is a text, or 0. */
bool aggregate__kept_merge(struct arena *arena, struct kept *kept, const struct kept *other,
                           uint32_t stride, const bool *texts);
void aggregate__kept_save(const struct kept *kept, uint32_t stride, const bool *texts,
                          struct buffer *out);
int aggregate__kept_load(const struct aggregate_function *function, struct arena *arena,
                         struct kept *kept, uint32_t stride, const bool *texts, struct str *bytes,
                         struct err *err);

#endif
