/* Functions of bytes: parts, single bits, digests, and bytes as text. */
#include "base/digest.h"
#include "base/octets.h"
#include "base/text.h"
#include "plan/function_rows.h"

static int join(struct function_row *at) {
  struct str a = row_text(at, 0), b = row_text(at, 1);
  char *bytes;
  int code = row_new_text(at, a.size + b.size, &bytes);
  if (code) return code;
  if (a.size) memcpy(bytes, a.data, a.size);
  if (b.size) memcpy(bytes + a.size, b.data, b.size);
  return ERR_OK;
}

static int part(struct function_row *at) {
  struct str text = row_text(at, 0);
  int64_t from = row_i64(at, 1), end = INT64_MAX;
  if (row_arguments(at) > 2) {
    int64_t count = row_i64(at, 2);
    if (count < 0) return err_set(at->err, ERR_SUBSTRING, "negative substring length not allowed");
    if (__builtin_add_overflow(from, count, &end)) end = INT64_MAX;
  }
  if (from < 1) from = 1;
  if (end < 1) end = 1;
  size_t first = (uint64_t)from - 1 < text.size ? (size_t)from - 1 : text.size;
  size_t last = (uint64_t)end - 1 < text.size ? (size_t)end - 1 : text.size;
  return row_give(at, str_part(text, first, last));
}

static int position(struct function_row *at) {
  size_t found = plan__text_find(row_text(at, 0), row_text(at, 1), 0);
  return row_give_i64(at, found == SIZE_MAX ? 0 : (int64_t)found + 1);
}

static int trim(struct function_row *at) {
  struct str text = row_text(at, 0), set = row_text(at, 1);
  enum plan_function function = row_function(at);
  while (function != FUNCTION_BYTES_TRIM_RIGHT && text.size && set.size &&
         memchr(set.data, text.data[0], set.size))
    text = str_part(text, 1, text.size);
  while (function != FUNCTION_BYTES_TRIM_LEFT && text.size && set.size &&
         memchr(set.data, text.data[text.size - 1], set.size))
    text.size--;
  return row_give(at, text);
}

/* ---- one byte, one bit ---- */

static int find_unit(struct function_row *at, bool bits, int64_t *index) {
  struct str text = row_text(at, 0);
  int64_t count = (int64_t)text.size * (bits ? 8 : 1);
  *index = row_i64(at, 1);
  if (*index >= 0 && *index < count) return ERR_OK;
  return err_set(at->err, ERR_ARRAY_SUBSCRIPT, "index %lld out of valid range, 0..%lld",
                 (long long)*index, (long long)count - 1);
}

static int get_unit(struct function_row *at) {
  bool bits = row_function(at) == FUNCTION_GET_BIT;
  int64_t index;
  int code = find_unit(at, bits, &index);
  if (code) return code;
  uint8_t byte = (uint8_t)row_text(at, 0).data[bits ? index / 8 : index];
  return row_give_i64(at, bits ? byte >> index % 8 & 1 : byte);
}

static int set_unit(struct function_row *at) {
  bool bits = row_function(at) == FUNCTION_SET_BIT;
  struct str text = row_text(at, 0);
  int64_t index, value = row_i64(at, 2);
  char *bytes;
  int code = find_unit(at, bits, &index);
  if (!code && bits && value != 0 && value != 1)
    code = err_set(at->err, ERR_INVALID_ARGUMENT, "new bit must be 0 or 1");
  if (!code) code = row_new_text(at, text.size, &bytes);
  if (code) return code;
  memcpy(bytes, text.data, text.size);
  if (!bits)
    bytes[index] = (char)value;
  else if (value)
    bytes[index / 8] |= (char)(1 << index % 8);
  else
    bytes[index / 8] &= (char)~(1 << index % 8);
  return ERR_OK;
}

/* ---- digests ---- */

static const char hex_digits[] = "0123456789abcdef";

static int digest(struct function_row *at) {
  static const enum digest_kind kinds[FUNCTION_COUNT] = {
      [FUNCTION_MD5] = DIGEST_MD5,       [FUNCTION_SHA224] = DIGEST_SHA224,
      [FUNCTION_SHA256] = DIGEST_SHA256, [FUNCTION_SHA384] = DIGEST_SHA384,
      [FUNCTION_SHA512] = DIGEST_SHA512,
  };
  unsigned char out[DIGEST_SIZE_MAX];
  char *bytes;
  enum digest_kind kind = kinds[row_function(at)];
  size_t size = digest_of(kind, row_text(at, 0), out);
  bool hex = kind == DIGEST_MD5; /* PostgreSQL's md5() gives text */
  int code = row_new_text(at, hex ? size * 2 : size, &bytes);
  for (size_t i = 0; i < size && !code; i++) {
    if (!hex) {
      bytes[i] = (char)out[i];
      continue;
    }
    bytes[2 * i] = hex_digits[out[i] >> 4];
    bytes[2 * i + 1] = hex_digits[out[i] & 15];
  }
  return code;
}

/* ---- encode and decode ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* With a line end behind every 76 characters, as PostgreSQL has it. */
static void encode_base64(struct str bytes, struct buffer *out) {
  size_t line = 0;
  for (size_t i = 0; i < bytes.size; i += 3) {
    unsigned left = bytes.size - i > 3 ? 3 : (unsigned)(bytes.size - i), group = 0;
    for (unsigned b = 0; b < 3; b++)
      group = group << 8 | (b < left ? (uint8_t)bytes.data[i + b] : 0);
    for (unsigned d = 0; d < 4; d++)
      buffer_append_byte(out, d <= left ? (uint8_t)base64_digits[group >> (18 - 6 * d) & 63] : '=');
    if ((line += 4) == 76) {
      buffer_append_byte(out, '\n');
      line = 0;
    }
  }
}

static int encode(struct function_row *at) {
  struct str bytes = row_text(at, 0), format = row_text(at, 1);
  struct buffer out = row_buffer_of(at);
  if (str_equal_ignoring_case(format, STR("hex"))) {
    octets_print_hex(bytes, &out);
    if (!out.failed && out.size >= 2) memmove(out.data, out.data + 2, out.size -= 2);
  } else if (str_equal_ignoring_case(format, STR("base64"))) {
    encode_base64(bytes, &out);
  } else if (str_equal_ignoring_case(format, STR("escape"))) {
    octets_print_escape(bytes, &out);
  } else {
    err_set(at->err, ERR_INVALID_ARGUMENT, "unrecognized encoding: \"%.*s\"", STR_ARG(format));
    err_hint(at->err, "hex, base64 and escape are known");
    return ERR_INVALID_ARGUMENT;
  }
  return row_give_buffer(at, &out);
}

static int decode_base64(struct function_row *at, struct str text) {
  struct buffer out = row_buffer_of(at);
  unsigned group = 0, count = 0, ends = 0;
  int code = ERR_OK;
  for (size_t i = 0; i < text.size && !code; i++) {
    char c = text.data[i];
    if (text_is_blank(c)) continue;
    const char *digit = c ? strchr(base64_digits, c) : NULL;
    if (c == '=' && count + ends >= 2) {
      ends++;
    } else if (digit && ends == 0) {
      group = group << 6 | (unsigned)(digit - base64_digits);
      count++;
    } else if (c == '=' || digit) {
      code =
          err_set(at->err, ERR_INVALID_ARGUMENT, "unexpected \"=\" while decoding base64 sequence");
    } else {
      code = err_set(at->err, ERR_INVALID_ARGUMENT,
                     "invalid symbol \"%c\" found while decoding base64 sequence", c);
    }
    if (count + ends < 4 || code) continue;
    group <<= 6 * ends;
    for (unsigned b = 0; b + ends < 3; b++)
      buffer_append_byte(&out, (uint8_t)(group >> (16 - 8 * b)));
    group = count = 0;
  }
  if (!code && count) {
    err_set(at->err, ERR_INVALID_ARGUMENT, "invalid base64 end sequence");
    err_hint(at->err, "input data is missing padding, is truncated, or is otherwise corrupted");
    code = ERR_INVALID_ARGUMENT;
  }
  if (!code) return row_give_buffer(at, &out);
  buffer_deinit(&out);
  return code;
}

static int hex_value(char c) {
  return text_is_digit(c)                               ? c - '0'
         : text_lower(c) >= 'a' && text_lower(c) <= 'f' ? text_lower(c) - 'a' + 10
                                                        : -1;
}

static int decode_hex(struct function_row *at, struct str text) {
  char *bytes;
  size_t size = 0;
  int code = row_new_text(at, text.size / 2 + 1, &bytes);
  for (size_t i = 0; i < text.size && !code; i++) {
    if (text_is_blank(text.data[i])) continue;
    int high = hex_value(text.data[i]);
    if (high < 0)
      return err_set(at->err, ERR_INVALID_ARGUMENT, "invalid hexadecimal digit: \"%c\"",
                     text.data[i]);
    if (++i >= text.size)
      return err_set(at->err, ERR_INVALID_ARGUMENT,
                     "invalid hexadecimal data: odd number of digits");
    int low = hex_value(text.data[i]);
    if (low < 0)
      return err_set(at->err, ERR_INVALID_ARGUMENT, "invalid hexadecimal digit: \"%c\"",
                     text.data[i]);
    bytes[size++] = (char)(high << 4 | low);
  }
  return code ? code : row_give(at, (struct str){bytes, size});
}

static int decode(struct function_row *at) {
  struct str text = row_text(at, 0), format = row_text(at, 1);
  if (str_equal_ignoring_case(format, STR("hex"))) return decode_hex(at, text);
  if (str_equal_ignoring_case(format, STR("base64"))) return decode_base64(at, text);
  if (!str_equal_ignoring_case(format, STR("escape"))) {
    err_set(at->err, ERR_INVALID_ARGUMENT, "unrecognized encoding: \"%.*s\"", STR_ARG(format));
    err_hint(at->err, "hex, base64 and escape are known");
    return ERR_INVALID_ARGUMENT;
  }
  struct octets_fault fault;
  char *bytes;
  size_t size;
  bool plain = text.size < 2 || text.data[0] != '\\' || text.data[1] != 'x';
  int code = row_new_text(at, octets_room(text.size) + 1, &bytes);
  if (code) return code;
  if (!plain || !octets_read(text, bytes, &size, &fault))
    return err_set(at->err, ERR_INVALID_TEXT, "invalid input syntax for type bytea");
  return row_give(at, (struct str){bytes, size});
}

/* ---- texts as bytes ---- */

static int check_utf8(struct function_row *at, struct str encoding) {
  if (str_equal_ignoring_case(encoding, STR("utf8")) ||
      str_equal_ignoring_case(encoding, STR("utf-8")) ||
      str_equal_ignoring_case(encoding, STR("unicode")))
    return ERR_OK;
  err_set(at->err, ERR_UNSUPPORTED, "encoding \"%.*s\" is not supported", STR_ARG(encoding));
  err_hint(at->err, "texts are UTF-8");
  return ERR_UNSUPPORTED;
}

static int convert(struct function_row *at) {
  struct str text = row_text(at, 0);
  int code = check_utf8(at, row_text(at, 1));
  if (code) return code;
  size_t good = text_utf8_prefix(text);
  if (row_function(at) == FUNCTION_CONVERT_FROM && good < text.size)
    return err_set(at->err, ERR_INVALID_TEXT, "invalid byte sequence for encoding \"UTF8\": 0x%02x",
                   (uint8_t)text.data[good]);
  return row_give(at, text);
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_BYTES_JOIN] = join,
    [FUNCTION_BYTES_PART] = part,
    [FUNCTION_BYTES_POSITION] = position,
    [FUNCTION_BYTES_TRIM] = trim,
    [FUNCTION_BYTES_TRIM_LEFT] = trim,
    [FUNCTION_BYTES_TRIM_RIGHT] = trim,
    [FUNCTION_GET_BYTE] = get_unit,
    [FUNCTION_GET_BIT] = get_unit,
    [FUNCTION_SET_BYTE] = set_unit,
    [FUNCTION_SET_BIT] = set_unit,
    [FUNCTION_MD5] = digest,
    [FUNCTION_SHA224] = digest,
    [FUNCTION_SHA256] = digest,
    [FUNCTION_SHA384] = digest,
    [FUNCTION_SHA512] = digest,
    [FUNCTION_ENCODE] = encode,
    [FUNCTION_DECODE] = decode,
    [FUNCTION_CONVERT_FROM] = convert,
    [FUNCTION_CONVERT_TO] = convert,
};

int plan__run_bytes(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
