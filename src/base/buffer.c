#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/memory.h"

enum { BUFFER_CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buffer, struct mem_account *account) {
  *buffer = (struct buffer){.account = account};
}

void buffer_deinit(struct buffer *buffer) {
  mem_free(buffer->account, buffer->data, buffer->capacity);
  *buffer = (struct buffer){.account = buffer->account};
}

void buffer_reset(struct buffer *buffer) {
  buffer->size = 0;
  buffer->failed = false;
  buffer->refused = 0;
}

static bool refuse(struct buffer *buffer, size_t size) {
  buffer->failed = true;
  buffer->refused = size;
  return false;
}

/* Doubles; where the account has no room for that, takes exactly what is needed. */
static bool grow(struct buffer *buffer, size_t size) {
  if (size > SIZE_MAX / 4 - buffer->size) return refuse(buffer, size);
  size_t needed = buffer->size + size;
  size_t capacity = buffer->capacity * 2;
  if (capacity < BUFFER_CAPACITY_MIN) capacity = BUFFER_CAPACITY_MIN;
  if (capacity < needed) capacity = needed;
  uint8_t *data = mem_resize(buffer->account, buffer->data, buffer->capacity, capacity);
  if (!data && capacity > needed &&
      mem_refused(buffer->account, capacity - buffer->capacity, NULL) == ERR_MEMORY_LIMIT) {
    capacity = needed;
    data = mem_resize(buffer->account, buffer->data, buffer->capacity, capacity);
  }
  if (!data) return refuse(buffer, needed - buffer->capacity);
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size) {
  if (buffer->failed) return NULL;
  if (size > buffer->capacity - buffer->size || !buffer->data)
    if (!grow(buffer, size)) return NULL;
  return buffer->data + buffer->size;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t size) {
  uint8_t *at = buffer_reserve(buffer, size);
  if (!at) return false;
  if (size) memcpy(at, data, size);
  buffer->size += size;
  return true;
}

bool buffer_append_str(struct buffer *buffer, struct str text) {
  return buffer_append(buffer, text.data, text.size);
}

bool buffer_append_text(struct buffer *buffer, const char *text) {
  return buffer_append(buffer, text, strlen(text));
}

bool buffer_append_byte(struct buffer *buffer, uint8_t byte) {
  return buffer_append(buffer, &byte, 1);
}

bool buffer_append_zero(struct buffer *buffer, size_t size) {
  uint8_t *at = buffer_reserve(buffer, size);
  if (!at) return false;
  memset(at, 0, size);
  buffer->size += size;
  return true;
}

bool buffer_printf(struct buffer *buffer, const char *format, ...) {
  size_t guess = 64;
  for (int attempt = 0; attempt < 2; attempt++) {
    uint8_t *at = buffer_reserve(buffer, guess);
    if (!at) return false;
    va_list args;
    va_start(args, format);
    int length = vsnprintf((char *)at, guess, format, args);
    va_end(args);
    if (length < 0) return refuse(buffer, guess);
    if ((size_t)length < guess) {
      buffer->size += (size_t)length;
      return true;
    }
    guess = (size_t)length + 1;
  }
  return refuse(buffer, guess);
}

bool buffer_align(struct buffer *buffer, size_t alignment) {
  assert(alignment > 0 && (alignment & (alignment - 1)) == 0);
  return buffer_append_zero(buffer, -buffer->size & (alignment - 1));
}

int buffer_check(const struct buffer *buffer, struct err *err) {
  return buffer->failed ? mem_refused(buffer->account, buffer->refused, err) : ERR_OK;
}
