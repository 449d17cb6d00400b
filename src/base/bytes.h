/* Little-endian numbers in bytes, variable-length integers, and a bounded reader.
 *
 * Everything stored or sent in a format of our own is little-endian. Loads and stores take any
 * alignment. A `struct reader` walks bytes that nobody has vouched for: past the end it returns
 * zeros, remembers that (`failed`), and never moves again, so a decoder asks once at the end. */
#ifndef NILO_BASE_BYTES_H
#define NILO_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/str.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats are little-endian and are read in place"
#endif

/* ---- fixed width ---- */
static inline uint16_t load_u16(const void *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}
static inline uint32_t load_u32(const void *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}
static inline uint64_t load_u64(const void *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}
static inline int32_t load_i32(const void *at) { return (int32_t)load_u32(at); }
static inline int64_t load_i64(const void *at) { return (int64_t)load_u64(at); }
static inline double load_f64(const void *at) {
  double value;
  memcpy(&value, at, sizeof value);
  return value;
}
static inline void store_u16(void *at, uint16_t value) { memcpy(at, &value, sizeof value); }
static inline void store_u32(void *at, uint32_t value) { memcpy(at, &value, sizeof value); }
static inline void store_u64(void *at, uint64_t value) { memcpy(at, &value, sizeof value); }
static inline void store_i32(void *at, int32_t value) { memcpy(at, &value, sizeof value); }
static inline void store_i64(void *at, int64_t value) { memcpy(at, &value, sizeof value); }
static inline void store_f64(void *at, double value) { memcpy(at, &value, sizeof value); }

/* Big-endian, for protocols of others. */
static inline uint16_t load_u16_be(const void *at) { return __builtin_bswap16(load_u16(at)); }
static inline uint32_t load_u32_be(const void *at) { return __builtin_bswap32(load_u32(at)); }
static inline uint64_t load_u64_be(const void *at) { return __builtin_bswap64(load_u64(at)); }
static inline void store_u16_be(void *at, uint16_t value) {
  store_u16(at, __builtin_bswap16(value));
}
static inline void store_u32_be(void *at, uint32_t value) {
  store_u32(at, __builtin_bswap32(value));
}
static inline void store_u64_be(void *at, uint64_t value) {
  store_u64(at, __builtin_bswap64(value));
}

/* The bits of a double as an integer, and back. */
static inline uint64_t f64_bits(double value) { return load_u64(&value); }
static inline double f64_from_bits(uint64_t bits) { return load_f64(&bits); }

/* ---- variable length: LEB128, seven bits a byte, the lowest first ---- */
enum { VARINT_SIZE_MAX = 10 };

/* Maps small negative numbers to small unsigned ones: 0, -1, 1, -2 … -> 0, 1, 2, 3 … */
static inline uint64_t zigzag_encode(int64_t value) {
  return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}
static inline int64_t zigzag_decode(uint64_t value) {
  return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

/* Writes at most VARINT_SIZE_MAX bytes; returns the byte after the last one. */
static inline uint8_t *varint_write(uint8_t *at, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    *at++ = (uint8_t)(value | 0x80);
  *at++ = (uint8_t)value;
  return at;
}

/* Bytes that varint_write takes. */
static inline size_t varint_size(uint64_t value) {
  return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

/* Reads one and moves *at behind it. False, with *at unmoved, when the bytes end inside it or it
 * does not fit 64 bits. Longer spellings than needed are accepted within ten bytes. */
bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value);

/* ---- appending to a buffer; false when refused, as buffer_append ---- */
static inline bool buffer_append_u16(struct buffer *buffer, uint16_t value) {
  return buffer_append(buffer, &value, sizeof value);
}
static inline bool buffer_append_u32(struct buffer *buffer, uint32_t value) {
  return buffer_append(buffer, &value, sizeof value);
}
static inline bool buffer_append_u64(struct buffer *buffer, uint64_t value) {
  return buffer_append(buffer, &value, sizeof value);
}
static inline bool buffer_append_varint(struct buffer *buffer, uint64_t value) {
  uint8_t *at = buffer_reserve(buffer, VARINT_SIZE_MAX);
  if (!at) return false;
  buffer_advance(buffer, (size_t)(varint_write(at, value) - at));
  return true;
}
static inline bool buffer_append_zigzag(struct buffer *buffer, int64_t value) {
  return buffer_append_varint(buffer, zigzag_encode(value));
}
/* Its size as a varint, then the bytes. */
static inline bool buffer_append_sized(struct buffer *buffer, struct str bytes) {
  return buffer_append_varint(buffer, bytes.size) && buffer_append_str(buffer, bytes);
}

/* ---- reading bytes of unknown quality ---- */
struct reader {
  const uint8_t *at, *end;
  bool failed; /* something reached past the end or did not parse; `at` stays where it was */
};

static inline struct reader reader_of(const void *data, size_t size) {
  const uint8_t *at = data;
  return (struct reader){at, size ? at + size : at, false};
}
/* Bytes left; 0 once failed. */
static inline size_t reader_left(const struct reader *reader) {
  return reader->failed ? 0 : (size_t)(reader->end - reader->at);
}
/* True when everything was read and nothing failed. */
static inline bool reader_done(const struct reader *reader) {
  return !reader->failed && reader->at == reader->end;
}
/* The next `size` bytes, borrowed; NULL when there are not so many. A size of 0 may give NULL on
 * an empty reader without failing it. */
static inline const uint8_t *reader_bytes(struct reader *reader, uint64_t size) {
  if (reader->failed || size > (uint64_t)(reader->end - reader->at)) {
    reader->failed = true;
    return NULL;
  }
  const uint8_t *at = reader->at;
  if (size) reader->at += size;
  return at;
}
static inline uint8_t reader_u8(struct reader *reader) {
  const uint8_t *at = reader_bytes(reader, 1);
  return at ? *at : 0;
}
static inline uint16_t reader_u16(struct reader *reader) {
  const uint8_t *at = reader_bytes(reader, 2);
  return at ? load_u16(at) : 0;
}
static inline uint32_t reader_u32(struct reader *reader) {
  const uint8_t *at = reader_bytes(reader, 4);
  return at ? load_u32(at) : 0;
}
static inline uint64_t reader_u64(struct reader *reader) {
  const uint8_t *at = reader_bytes(reader, 8);
  return at ? load_u64(at) : 0;
}
static inline int64_t reader_i64(struct reader *reader) { return (int64_t)reader_u64(reader); }
static inline double reader_f64(struct reader *reader) { return f64_from_bits(reader_u64(reader)); }
static inline uint64_t reader_varint(struct reader *reader) {
  uint64_t value = 0;
  if (reader->failed || !varint_read(&reader->at, reader->end, &value)) {
    reader->failed = true;
    return 0;
  }
  return value;
}
static inline int64_t reader_zigzag(struct reader *reader) {
  return zigzag_decode(reader_varint(reader));
}
/* What buffer_append_sized wrote, borrowed; empty when it fails. */
static inline struct str reader_sized(struct reader *reader) {
  uint64_t size = reader_varint(reader);
  const uint8_t *at = reader_bytes(reader, size);
  return reader->failed ? (struct str){NULL, 0} : str_of(at, (size_t)size);
}
/* Moves on to a multiple of `alignment` counted from `start`. */
static inline void reader_align(struct reader *reader, const uint8_t *start, size_t alignment) {
  if (!reader->failed) reader_bytes(reader, -(size_t)(reader->at - start) & (alignment - 1));
}

#endif
