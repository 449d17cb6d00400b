/* FlatBuffers, written front to back: tables with their vtables, strings and vectors, appended to a
 * buffer. Enough for messages that are made in the order of their nesting: a table is written with
 * room for its references, and each is set when what it refers to is written behind it.
 *
 * Specification: "FlatBuffers binary format" (internals), version 2. One thread at a time. */
#ifndef NILO_WIRE_FLATBUFFER_H
#define NILO_WIRE_FLATBUFFER_H

#include <stdint.h>

#include "base/buffer.h"

/* A message begins at `begin` of the buffer, which must be a multiple of 8. */
struct flatbuffer {
  struct buffer *out;
  size_t begin;
};

enum { FLAT_FIELDS_MAX = 16 };
/* A field of a table: `slot` is its place in the schema's declaration, size its bytes (1, 2, 4, 8).
 * A reference has size 4 and is set later. */
struct flat_field {
  uint16_t slot, size;
  uint64_t value;
};

/* Begins a message: room for the reference to its root, which is place 0. */
void flat_begin(struct flatbuffer *flat, struct buffer *out);
/* Writes a table; places[i] is where field i stands. Returns the table's own place. */
size_t flat_table(struct flatbuffer *flat, const struct flat_field *fields, uint32_t count,
                  size_t *places);
/* Returns its place. */
size_t flat_string(struct flatbuffer *flat, struct str text);
/* A vector of `count` items of `size` bytes each, aligned to `alignment`, filled with zeros.
 * Returns its place; the first item stands 4 bytes behind it. */
size_t flat_vector(struct flatbuffer *flat, uint32_t count, size_t size, size_t alignment);
/* Lets the reference at `place` point to what stands at `target`, which lies behind it. */
void flat_refer(struct flatbuffer *flat, size_t place, size_t target);
/* Puts bytes over zeros of a vector. */
void flat_put(struct flatbuffer *flat, size_t place, uint64_t value, size_t size);

#endif
