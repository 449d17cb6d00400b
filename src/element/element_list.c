/* Lists as bytes.
 *
 *   INT64_LIST    8 bytes little-endian per item
 *   STRING_LIST   per item its size as a varint in the shortest form, then its bytes
 *
 * No count stands in front: the end of the bytes is the end of the list. Each list has exactly one
 * form, so that lists are equal when their bytes are, and tables, Bloom filters and twins can go by
 * the bytes. */
#include "base/bytes.h"
#include "element/element_private.h"

int element_list_encode(const struct nilo_store_value *value, struct buffer *out, struct err *err) {
  if (value->size > ELEMENT_LIST_ITEMS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a list of %zu items, at most %d", value->size,
                   ELEMENT_LIST_ITEMS_MAX);
  if (value->type == NILO_STORE_INT64_LIST) {
    buffer_append(out, value->integers, value->size * sizeof *value->integers);
    return ERR_OK;
  }
  for (size_t i = 0; i < value->size; i++)
    buffer_append_sized(out, str_of(value->strings[i].data, value->strings[i].size));
  return ERR_OK;
}

static int damaged(const char *what, size_t offset, struct err *err) {
  int code = err_set(err, ERR_CORRUPTION, "a list of a tag is damaged: %s", what);
  err_position(err, 0, 0, (int64_t)offset);
  return code;
}

int element_list_check(enum nilo_store_type type, struct str bytes, uint32_t *items,
                       struct err *err) {
  if (type == NILO_STORE_INT64_LIST) {
    if (bytes.size % 8) return damaged("its size is not of whole integers", bytes.size, err);
    if (bytes.size / 8 > ELEMENT_LIST_ITEMS_MAX)
      return damaged("it has too many items", bytes.size, err);
    *items = (uint32_t)(bytes.size / 8);
    return ERR_OK;
  }
  struct reader reader = reader_of(bytes.data, bytes.size);
  uint32_t count = 0;
  while (reader_left(&reader)) {
    const uint8_t *before = reader.at;
    size_t offset = bytes.size - reader_left(&reader);
    uint64_t size = reader_varint(&reader);
    if (!reader.failed && (size_t)(reader.at - before) != varint_size(size))
      return damaged("a size is not in its shortest form", offset, err);
    reader_bytes(&reader, size);
    if (reader.failed) return damaged("an item ends behind it", offset, err);
    if (++count > ELEMENT_LIST_ITEMS_MAX) return damaged("it has too many items", offset, err);
  }
  *items = count;
  return ERR_OK;
}

void element_list_integers(struct str bytes, int64_t *integers) {
  if (bytes.size) memcpy(integers, bytes.data, bytes.size);
}

void element_list_strings(struct str bytes, uint32_t items, struct nilo_store_bytes *strings) {
  struct reader reader = reader_of(bytes.data, bytes.size);
  for (uint32_t i = 0; i < items; i++) {
    struct str item = reader_sized(&reader);
    strings[i] = (struct nilo_store_bytes){item.size ? item.data : "", item.size};
  }
}
