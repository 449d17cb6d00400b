/* SQL's arrays: one dimension, indexes from 1, items that may be null; the stored form
 * (docs/format/values.md), and the braces and quotes of their text. What items mean is their
 * type's business (plan/value_text.h). Pure functions. */
#ifndef NILO_BASE_ARRAY_H
#define NILO_BASE_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

/* How items lie in the stored form. */
enum array_items {
  ARRAY_WORDS, /* 8 bytes each: booleans (0, 1), integers, floats, times */
  ARRAY_BYTES, /* any bytes */
};
enum { ARRAY_COUNT_MAX = 1 << 27 };

/* ---- reading ---- */

/* A view of stored bytes. */
struct array {
  uint32_t count;
  enum array_items items;
  const uint8_t *nulls; /* a bit per item, 1: null; NULL: none is */
  const uint8_t *words; /* ARRAY_WORDS: values; ARRAY_BYTES: where each ends, 4 bytes each */
  const char *bytes;
};
/* False: the bytes are none that an array_builder makes for such items. */
bool array_open(struct str stored, enum array_items items, struct array *array);
static inline bool array_is_null(const struct array *array, uint32_t i) {
  return array->nulls && (array->nulls[i >> 3] >> (i & 7) & 1);
}
/* The value of an item that is not null; 0 of one that is. */
uint64_t array_word(const struct array *array, uint32_t i);
struct str array_bytes(const struct array *array, uint32_t i);

/* ---- making ---- */

struct array_builder {
  enum array_items items;
  uint32_t count;
  bool any_null, too_many;
  struct buffer nulls, words, bytes;
};
/* Everything is charged to the account until array_builder_deinit. */
void array_builder_init(struct array_builder *builder, enum array_items items,
                        struct mem_account *account);
void array_builder_deinit(struct array_builder *builder);
void array_add_null(struct array_builder *builder);
void array_add_word(struct array_builder *builder, uint64_t word);
void array_add_bytes(struct array_builder *builder, struct str bytes);
/* Appends the stored form. ERR_LIMIT_EXCEEDED: too many items or bytes; ERR_MEMORY_LIMIT. */
int array_finish(const struct array_builder *builder, struct buffer *out, struct err *err);

/* ---- text ---- */

/* Takes '{a,"b c",NULL}' apart. */
struct array_text {
  struct str text;
  const char *at, *end;
  bool begun;
};
struct array_text_item {
  bool null;
  struct str text; /* in `unescaped` where something was escaped */
};
void array_text_init(struct array_text *reader, struct str text);
/* The next item; *over at the end. `unescaped` is emptied at each call. ERR_INVALID_TEXT with
 * PostgreSQL's "malformed array literal". */
int array_text_next(struct array_text *reader, struct buffer *unescaped,
                    struct array_text_item *item, bool *over, struct err *err);
/* Appends an item's text, quoted where it must be. */
void array_print_item(struct str text, struct buffer *out);

#endif
