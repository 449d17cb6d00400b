/* The JSON writer. Strings are copied in runs of bytes that need no escape. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "wire/json.h"
#include "wire/json_private.h"

void json_writer_init(struct json_writer *writer, struct buffer *out, bool pretty) {
  *writer = (struct json_writer){.out = out, .pretty = pretty};
}

static void new_line(struct json_writer *writer) {
  static const char blanks[] = "                                                                ";
  buffer_append_byte(writer->out, '\n');
  size_t left = (size_t)writer->depth * 4;
  while (left > 0) {
    size_t size = left < sizeof blanks - 1 ? left : sizeof blanks - 1;
    buffer_append(writer->out, blanks, size);
    left -= size;
  }
}

/* What stands before an element: nothing behind a key, else a comma if it is not the first. */
static void begin_element(struct json_writer *writer) {
  if (writer->after_key) {
    writer->after_key = false;
    return;
  }
  if (writer->depth == 0) return;
  uint64_t bit = (uint64_t)1 << writer->depth;
  if (writer->filled & bit) buffer_append_byte(writer->out, ',');
  writer->filled |= bit;
  if (writer->pretty) new_line(writer);
}

static void begin_container(struct json_writer *writer, uint8_t bracket) {
  begin_element(writer);
  buffer_append_byte(writer->out, bracket);
  assert(writer->depth < JSON_DEPTH_MAX);
  writer->depth++;
  writer->filled &= ~((uint64_t)1 << writer->depth);
}

static void end_container(struct json_writer *writer, uint8_t bracket) {
  assert(writer->depth > 0);
  bool filled = writer->filled >> writer->depth & 1;
  writer->depth--;
  if (filled && writer->pretty) new_line(writer);
  buffer_append_byte(writer->out, bracket);
}

void json_begin_object(struct json_writer *writer) { begin_container(writer, '{'); }
void json_end_object(struct json_writer *writer) { end_container(writer, '}'); }
void json_begin_array(struct json_writer *writer) { begin_container(writer, '['); }
void json_end_array(struct json_writer *writer) { end_container(writer, ']'); }

void json_key(struct json_writer *writer, struct str key) {
  begin_element(writer);
  json_append_string(writer->out, key);
  buffer_append_byte(writer->out, ':');
  if (writer->pretty) buffer_append_byte(writer->out, ' ');
  writer->after_key = true;
}

void json_string(struct json_writer *writer, struct str text) {
  begin_element(writer);
  json_append_string(writer->out, text);
}

void json_i64(struct json_writer *writer, int64_t value) {
  begin_element(writer);
  char *to = (char *)buffer_reserve(writer->out, NUMBER_TEXT_MAX);
  if (to) buffer_advance(writer->out, (size_t)(number_print_i64(value, to) - to));
}

void json_u64(struct json_writer *writer, uint64_t value) {
  begin_element(writer);
  char *to = (char *)buffer_reserve(writer->out, NUMBER_TEXT_MAX);
  if (to) buffer_advance(writer->out, (size_t)(number_print_u64(value, to) - to));
}

void json_f64(struct json_writer *writer, double value) {
  if (!isfinite(value)) {
    json_null(writer);
    return;
  }
  begin_element(writer);
  char *to = (char *)buffer_reserve(writer->out, NUMBER_TEXT_MAX);
  if (to) buffer_advance(writer->out, (size_t)(number_print_f64(value, to) - to));
}

void json_bool(struct json_writer *writer, bool value) {
  json_raw(writer, value ? STR("true") : STR("false"));
}

void json_null(struct json_writer *writer) { json_raw(writer, STR("null")); }

void json_element(struct json_writer *writer) { begin_element(writer); }

void json_raw(struct json_writer *writer, struct str text) {
  begin_element(writer);
  buffer_append_str(writer->out, text);
}

/* 1: the byte stands for itself inside a string: ASCII without controls, '"', '&', '<', '>', '\\'.
 */
static const uint8_t plain_bytes[256] = {
    [' '] = 1, ['!'] = 1,         ['#' ... '%'] = 1,  ['\'' ... ';'] = 1,
    ['='] = 1, ['?' ... '['] = 1, [']' ... 0x7f] = 1,
};

static void append_escape(struct buffer *out, uint8_t byte) {
  static const char digits[] = "0123456789abcdef";
  switch (byte) {
  case '"':
  case '\\':
    buffer_append(out, (char[2]){'\\', (char)byte}, 2);
    break;
  case '\n':
    buffer_append(out, "\\n", 2);
    break;
  case '\r':
    buffer_append(out, "\\r", 2);
    break;
  case '\t':
    buffer_append(out, "\\t", 2);
    break;
  default:
    buffer_append(out, (char[6]){'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]}, 6);
  }
}

void json_append_string(struct buffer *out, struct str text) {
  const uint8_t *bytes = (const uint8_t *)text.data;
  buffer_append_byte(out, '"');
  size_t i = 0;
  while (i < text.size) {
    size_t run = i;
    while (run < text.size && plain_bytes[bytes[run]])
      run++;
    if (run > i) buffer_append(out, bytes + i, run - i);
    i = run;
    if (i == text.size) break;
    if (bytes[i] < 0x80) {
      append_escape(out, bytes[i++]);
      continue;
    }
    size_t size = json__sequence_size(bytes + i, text.size - i);
    if (size == 0) {
      buffer_append(out, "\\ufffd", 6);
      i++;
    } else if (size == 3 && bytes[i] == 0xe2 && bytes[i + 1] == 0x80 &&
               (bytes[i + 2] & 0xfe) == 0xa8) {
      buffer_append(out, bytes[i + 2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
      i += 3;
    } else {
      buffer_append(out, bytes + i, size);
      i += size;
    }
  }
  buffer_append_byte(out, '"');
}
