/* Tables point back to their vtables, which are written in front of them, and forward to everything
 * else. Failed growth is the buffer's to remember. */
#include "wire/flatbuffer.h"

#include <string.h>

static size_t place_of(const struct flatbuffer *flat) { return flat->out->size - flat->begin; }

static void pad(struct flatbuffer *flat, size_t alignment, size_t ahead) {
  while ((place_of(flat) + ahead) % alignment)
    if (!buffer_append_byte(flat->out, 0)) return;
}

void flat_put(struct flatbuffer *flat, size_t place, uint64_t value, size_t size) {
  if (flat->out->failed) return;
  for (size_t i = 0; i < size; i++)
    flat->out->data[flat->begin + place + i] = (uint8_t)(value >> 8 * i);
}

void flat_refer(struct flatbuffer *flat, size_t place, size_t target) {
  flat_put(flat, place, target - place, 4);
}

void flat_begin(struct flatbuffer *flat, struct buffer *out) {
  *flat = (struct flatbuffer){out, out->size};
  buffer_append_zero(out, 4);
}

size_t flat_table(struct flatbuffer *flat, const struct flat_field *fields, uint32_t count,
                  size_t *places) {
  uint16_t offsets[FLAT_FIELDS_MAX] = {0}, slots = 0;
  size_t size = 4; /* the reference to the vtable */
  for (uint32_t i = 0; i < count; i++) {
    size = (size + fields[i].size - 1) / fields[i].size * fields[i].size;
    offsets[fields[i].slot] = (uint16_t)size;
    places[i] = size;
    size += fields[i].size;
    if (fields[i].slot >= slots) slots = (uint16_t)(fields[i].slot + 1);
  }
  size_t vtable_size = 4 + 2 * (size_t)slots;
  pad(flat, 8, vtable_size); /* the table begins at a multiple of 8 */
  size_t vtable = place_of(flat);
  buffer_append_zero(flat->out, vtable_size + size);
  size_t table = vtable + vtable_size;
  flat_put(flat, vtable, vtable_size, 2);
  flat_put(flat, vtable + 2, size, 2);
  for (uint16_t i = 0; i < slots; i++)
    flat_put(flat, vtable + 4 + 2 * (size_t)i, offsets[i], 2);
  flat_put(flat, table, vtable_size, 4);
  for (uint32_t i = 0; i < count; i++) {
    places[i] += table;
    flat_put(flat, places[i], fields[i].value, fields[i].size);
  }
  return table;
}

size_t flat_string(struct flatbuffer *flat, struct str text) {
  pad(flat, 4, 0);
  size_t place = place_of(flat);
  buffer_append_zero(flat->out, 4);
  flat_put(flat, place, text.size, 4);
  buffer_append_str(flat->out, text);
  buffer_append_byte(flat->out, 0);
  return place;
}

size_t flat_vector(struct flatbuffer *flat, uint32_t count, size_t size, size_t alignment) {
  pad(flat, alignment < 4 ? 4 : alignment, 4);
  size_t place = place_of(flat);
  buffer_append_zero(flat->out, 4 + count * size);
  flat_put(flat, place, count, 4);
  return place;
}
