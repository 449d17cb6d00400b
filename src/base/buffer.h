/* A growable run of bytes, charged to an account.
 *
 * Failure is sticky: when growing is refused the buffer remembers it (`failed`), later appends do
 * nothing, and the caller asks once at the end with buffer_check. One thread at a time. */
#ifndef NILO_BASE_BUFFER_H
#define NILO_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;
struct mem_account;

struct buffer {
  uint8_t *data;
  size_t size;     /* bytes in use */
  size_t capacity; /* bytes allocated */
  struct mem_account *account;
  size_t refused; /* bytes that could not be had, once `failed` */
  bool failed;    /* an append was refused; the content is incomplete */
};

/* An empty buffer in the caller's storage; allocates nothing. */
void buffer_init(struct buffer *buffer, struct mem_account *account);
/* Frees the bytes; the buffer is empty then and may be used again. */
void buffer_deinit(struct buffer *buffer);
/* Empties it, keeps the capacity, clears `failed`. */
void buffer_reset(struct buffer *buffer);
/* Makes room for `size` more bytes and returns where they go (they are not counted as used until
 * buffer_advance), or NULL. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);
static inline void buffer_advance(struct buffer *buffer, size_t size) { buffer->size += size; }
/* Appends; false when refused. */
bool buffer_append(struct buffer *buffer, const void *data, size_t size);
bool buffer_append_str(struct buffer *buffer, struct str text);
bool buffer_append_text(struct buffer *buffer, const char *text);
bool buffer_append_byte(struct buffer *buffer, uint8_t byte);
bool buffer_append_zero(struct buffer *buffer, size_t size);
bool buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Pads with zeros to a multiple of `alignment` (a power of two). */
bool buffer_align(struct buffer *buffer, size_t alignment);
/* ERR_OK, or the error of the append that was refused. */
int buffer_check(const struct buffer *buffer, struct err *err);
static inline struct str buffer_str(const struct buffer *buffer) {
  return (struct str){(const char *)buffer->data, buffer->size};
}

#endif
