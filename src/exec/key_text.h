/* Strings as keys: what of a value equality, hashing and order look at. The last bytes of a numeric
 * (its scale) and of an interval (its parts) belong to the value, not to the key. */
#ifndef NILO_EXEC_KEY_TEXT_H
#define NILO_EXEC_KEY_TEXT_H

#include "base/decimal.h"
#include "base/interval.h"
#include "columnar/column.h"

/* Bytes at the end of every value of a type that are not of its key. */
static inline uint32_t key_text_suffix(struct type type) {
  return type.logical == LOGICAL_DECIMAL    ? 1
         : type.logical == LOGICAL_INTERVAL ? INTERVAL_BYTES - INTERVAL_KEY_SIZE
                                            : 0;
}
/* The type of a column's strings, plain or by code. */
static inline struct type key_text_type(const struct column *column) {
  return column->dictionary ? column->dictionary->type : column->type;
}
static inline struct str key_text_cut(struct str text, uint32_t suffix) {
  return (struct str){text.data, text.size < suffix ? 0 : text.size - suffix};
}
/* The key of a row, which is present. */
static inline struct str key_text_of(const struct column *column, int64_t row) {
  struct str text = column->dictionary ? column_str(column->dictionary, column->i32[row])
                                       : column_str(column, row);
  return key_text_cut(text, key_text_suffix(key_text_type(column)));
}

#endif
