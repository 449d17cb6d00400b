#include "base/octets.h"

#include "base/buffer.h"
#include "base/text.h"

static const char hex_digits[] = "0123456789abcdef";

/* 0..15; -1: no hexadecimal digit. */
static int hex_value(char c) {
  if (text_is_digit(c)) return c - '0';
  char low = text_lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static bool read_hex(struct str text, char *out, size_t *size, struct octets_fault *fault) {
  size_t count = 0;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
    int high = hex_value(c);
    if (high < 0) {
      *fault = (struct octets_fault){"invalid hexadecimal digit: \"%c\"", c};
      return false;
    }
    if (++i == text.size) {
      *fault = (struct octets_fault){"invalid hexadecimal data: odd number of digits", 0};
      return false;
    }
    int low = hex_value(text.data[i]);
    if (low < 0) {
      *fault = (struct octets_fault){"invalid hexadecimal digit: \"%c\"", text.data[i]};
      return false;
    }
    out[count++] = (char)(high << 4 | low);
  }
  *size = count;
  return true;
}

static bool octal(char c, char most) { return c >= '0' && c <= most; }

bool octets_read(struct str text, char *out, size_t *size, struct octets_fault *fault) {
  *fault = (struct octets_fault){NULL, 0};
  if (text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'x')
    return read_hex((struct str){text.data + 2, text.size - 2}, out, size, fault);
  size_t count = 0;
  for (size_t i = 0; i < text.size; i++) {
    const char *at = text.data + i;
    size_t left = text.size - i;
    if (*at != '\\') {
      out[count++] = *at;
    } else if (left >= 4 && octal(at[1], '3') && octal(at[2], '7') && octal(at[3], '7')) {
      out[count++] = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
      i += 3;
    } else if (left >= 2 && at[1] == '\\') {
      out[count++] = '\\';
      i++;
    } else {
      return false;
    }
  }
  *size = count;
  return true;
}

void octets_print_hex(struct str bytes, struct buffer *out) {
  uint8_t *at = buffer_reserve(out, 2 + 2 * bytes.size);
  if (!at) return;
  *at++ = '\\';
  *at++ = 'x';
  for (size_t i = 0; i < bytes.size; i++) {
    unsigned char byte = (unsigned char)bytes.data[i];
    *at++ = (uint8_t)hex_digits[byte >> 4];
    *at++ = (uint8_t)hex_digits[byte & 15];
  }
  buffer_advance(out, 2 + 2 * bytes.size);
}

void octets_print_escape(struct str bytes, struct buffer *out) {
  for (size_t i = 0; i < bytes.size; i++) {
    unsigned char byte = (unsigned char)bytes.data[i];
    if (byte == '\\')
      buffer_append_text(out, "\\\\");
    else if (byte == 0 || byte >= 0x80)
      buffer_printf(out, "\\%03o", byte);
    else
      buffer_append_byte(out, byte);
  }
}

bool uuid_read(struct str text, unsigned char out[UUID_SIZE]) {
  size_t at = 0;
  bool braces = text.size && text.data[0] == '{';
  if (braces) at++;
  for (int i = 0; i < UUID_SIZE; i++) {
    if (text.size - at < 2) return false;
    int high = hex_value(text.data[at]), low = hex_value(text.data[at + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (unsigned char)(high << 4 | low);
    at += 2;
    bool hyphen = at < text.size && text.data[at] == '-';
    if (hyphen && i % 2 == 1 && i < UUID_SIZE - 1) at++;
  }
  if (braces && (at == text.size || text.data[at++] != '}')) return false;
  return at == text.size;
}

void uuid_print(const unsigned char uuid[UUID_SIZE], char out[UUID_TEXT_SIZE]) {
  for (int i = 0; i < UUID_SIZE; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
    *out++ = hex_digits[uuid[i] >> 4];
    *out++ = hex_digits[uuid[i] & 15];
  }
}
