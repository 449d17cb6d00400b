/* The JSON reader: a token at a time from a text in memory, no tree, no recursion. What may come
 * next follows from one small state and one bit per open container. */
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/text.h"
#include "wire/json.h"
#include "wire/json_private.h"

enum expectation {
  EXPECT_VALUE,        /* at the top, or behind ',' in an array, or behind ':' */
  EXPECT_VALUE_OR_END, /* behind '[' */
  EXPECT_KEY_OR_END,   /* behind '{' */
  EXPECT_COMMA_OR_END, /* behind an element */
};

void json_reader_init(struct json_reader *reader, struct str text, struct arena *arena,
                      int depth_max) {
  *reader = (struct json_reader){
      .text = text,
      .arena = arena,
      .depth_max = depth_max > 0 && depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX,
      .line = 1,
      .expect = EXPECT_VALUE,
  };
}

static int fail(struct json_reader *reader, size_t at, struct err *err, const char *what) {
  int code = err_set(err, ERR_PARSE, "%s", what);
  err_position(err, reader->line, (int32_t)(at - reader->line_begin) + 1, (int64_t)at);
  return code;
}

static void skip_blanks(struct json_reader *reader) {
  const char *text = reader->text.data;
  while (reader->at < reader->text.size) {
    char c = text[reader->at];
    if (c == '\n') {
      reader->line++;
      reader->line_begin = reader->at + 1;
    } else if (c != ' ' && c != '\t' && c != '\r') {
      break;
    }
    reader->at++;
  }
}

/* Four hexadecimal digits at `at`, or -1. */
static int32_t hex4(struct str text, size_t at) {
  if (text.size - at < 4 || at > text.size) return -1;
  int32_t value = 0;
  for (size_t i = at; i < at + 4; i++) {
    char c = text.data[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

/* Undoes one escape, whose backslash is at *at; moves *at behind it. Returns bytes written, 0 when
 * it is not an escape. */
static size_t unescape(struct str raw, size_t *at, char *out) {
  static const char from[] = "\"\\/bfnrt";
  static const char to[] = "\"\\/\b\f\n\r\t";
  if (*at + 1 >= raw.size) return 0;
  char c = raw.data[*at + 1];
  if (c != 'u') {
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) return 0;
    out[0] = to[found - from];
    *at += 2;
    return 1;
  }
  int32_t unit = hex4(raw, *at + 2);
  if (unit < 0) return 0;
  *at += 6;
  uint32_t point = (uint32_t)unit;
  if (point >= 0xd800 && point < 0xe000) {
    bool pair =
        point < 0xdc00 && *at + 6 <= raw.size && raw.data[*at] == '\\' && raw.data[*at + 1] == 'u';
    int32_t second = pair ? hex4(raw, *at + 2) : -1;
    if (second >= 0xdc00 && second < 0xe000) {
      point = 0x10000 + ((point - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
      *at += 6;
    } else {
      point = 0xfffd;
    }
  }
  return text_utf8_encode(point, out);
}

/* Finds the closing quote of the string that begins behind the one at reader->at, checks the bytes
 * in between, and tells whether any escape is among them. */
static int scan_string(struct json_reader *reader, struct str *raw, bool *escaped,
                       struct err *err) {
  const uint8_t *text = (const uint8_t *)reader->text.data;
  size_t size = reader->text.size;
  size_t begin = reader->at + 1;
  size_t i = begin;
  *escaped = false;
  while (i < size && text[i] != '"') {
    if (text[i] == '\\') {
      *escaped = true;
      i += 2;
    } else if (text[i] < 0x20) {
      return fail(reader, i, err, "control byte in a string");
    } else if (text[i] < 0x80) {
      i++;
    } else {
      size_t step = json__sequence_size(text + i, size - i);
      if (step == 0) return fail(reader, i, err, "invalid UTF-8 in a string");
      i += step;
    }
  }
  if (i >= size) return fail(reader, reader->at, err, "a string is not closed");
  *raw = (struct str){(const char *)text + begin, i - begin};
  return ERR_OK;
}

static int read_string(struct json_reader *reader, struct str *out, struct err *err) {
  struct str raw;
  bool escaped;
  int code = scan_string(reader, &raw, &escaped, err);
  if (code) return code;
  size_t begin = reader->at + 1;
  if (!escaped) {
    *out = raw;
    reader->at = begin + raw.size + 1;
    return ERR_OK;
  }
  char *bytes = arena_alloc(reader->arena, raw.size); /* no escape is shorter than what it means */
  if (!bytes) return mem_refused(reader->arena->account, raw.size, err);
  size_t size = 0;
  size_t i = 0;
  while (i < raw.size) {
    if (raw.data[i] != '\\') {
      bytes[size++] = raw.data[i++];
      continue;
    }
    size_t put = unescape(raw, &i, bytes + size);
    if (put == 0) return fail(reader, begin + i, err, "an escape that JSON does not know");
    size += put;
  }
  *out = (struct str){bytes, size};
  reader->at = begin + raw.size + 1;
  return ERR_OK;
}

static bool is_digit(struct json_reader *reader) {
  return reader->at < reader->text.size && reader->text.data[reader->at] >= '0' &&
         reader->text.data[reader->at] <= '9';
}

static bool take_char(struct json_reader *reader, char a, char b) {
  if (reader->at >= reader->text.size) return false;
  char c = reader->text.data[reader->at];
  if (c != a && c != b) return false;
  reader->at++;
  return true;
}

static int read_number(struct json_reader *reader, struct json_token *token, struct err *err) {
  size_t begin = reader->at;
  token->kind = JSON_NUMBER;
  token->is_integer = true;
  take_char(reader, '-', '-');
  if (!is_digit(reader)) return fail(reader, reader->at, err, "a digit is missing in a number");
  if (take_char(reader, '0', '0')) {
    if (is_digit(reader)) return fail(reader, reader->at, err, "a number begins with 0");
  }
  while (is_digit(reader))
    reader->at++;
  if (take_char(reader, '.', '.')) {
    token->is_integer = false;
    if (!is_digit(reader)) return fail(reader, reader->at, err, "a digit is missing in a number");
    while (is_digit(reader))
      reader->at++;
  }
  if (take_char(reader, 'e', 'E')) {
    token->is_integer = false;
    take_char(reader, '+', '-');
    if (!is_digit(reader)) return fail(reader, reader->at, err, "a digit is missing in a number");
    while (is_digit(reader))
      reader->at++;
  }
  token->text = (struct str){reader->text.data + begin, reader->at - begin};
  return ERR_OK;
}

static int read_word(struct json_reader *reader, struct json_token *token, struct err *err) {
  static const struct {
    struct str text;
    enum json_kind kind;
  } words[] = {{{"true", 4}, JSON_TRUE}, {{"false", 5}, JSON_FALSE}, {{"null", 4}, JSON_NULL}};
  struct str rest = {reader->text.data + reader->at, reader->text.size - reader->at};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (!str_starts_with(rest, words[i].text)) continue;
    reader->at += words[i].text.size;
    token->kind = words[i].kind;
    return ERR_OK;
  }
  return fail(reader, reader->at, err, "a value was expected");
}

static int open_container(struct json_reader *reader, struct json_token *token, bool object,
                          struct err *err) {
  if (reader->depth >= reader->depth_max) {
    fail(reader, reader->at, err, "nested too deeply");
    if (err) err->code = ERR_LIMIT_EXCEEDED;
    return ERR_LIMIT_EXCEEDED;
  }
  reader->depth++;
  uint64_t bit = (uint64_t)1 << reader->depth;
  reader->objects = object ? reader->objects | bit : reader->objects & ~bit;
  reader->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
  reader->at++;
  token->kind = object ? JSON_BEGIN_OBJECT : JSON_BEGIN_ARRAY;
  return ERR_OK;
}

static void close_container(struct json_reader *reader, struct json_token *token, bool object) {
  reader->at++;
  reader->depth--;
  reader->expect = reader->depth ? EXPECT_COMMA_OR_END : EXPECT_VALUE;
  token->kind = object ? JSON_END_OBJECT : JSON_END_ARRAY;
}

static int read_value(struct json_reader *reader, struct json_token *token, struct err *err) {
  char c = reader->text.data[reader->at];
  if (c == '{' || c == '[') return open_container(reader, token, c == '{', err);
  reader->expect = reader->depth ? EXPECT_COMMA_OR_END : EXPECT_VALUE;
  if (c == '"') {
    token->kind = JSON_STRING;
    return read_string(reader, &token->text, err);
  }
  if (c == '-' || (c >= '0' && c <= '9')) return read_number(reader, token, err);
  return read_word(reader, token, err);
}

static int read_key(struct json_reader *reader, struct json_token *token, struct err *err) {
  if (reader->at >= reader->text.size || reader->text.data[reader->at] != '"') {
    return fail(reader, reader->at, err, "a key in quotes was expected");
  }
  token->kind = JSON_KEY;
  int code = read_string(reader, &token->text, err);
  if (code) return code;
  skip_blanks(reader);
  if (!take_char(reader, ':', ':')) return fail(reader, reader->at, err, "':' was expected");
  reader->expect = EXPECT_VALUE;
  return ERR_OK;
}

static void set_position(const struct json_reader *reader, struct json_token *token) {
  token->line = reader->line;
  token->column = (int32_t)(reader->at - reader->line_begin) + 1;
}

int json_reader_next(struct json_reader *reader, struct json_token *token, struct err *err) {
  *token = (struct json_token){0};
  skip_blanks(reader);
  set_position(reader, token);
  bool object = reader->depth && (reader->objects >> reader->depth & 1);
  if (reader->at >= reader->text.size) {
    if (reader->depth == 0) return ERR_OK; /* JSON_END */
    return fail(reader, reader->at, err,
                object ? "an object is not closed" : "an array is not closed");
  }
  char c = reader->text.data[reader->at];
  bool closes = reader->depth && c == (object ? '}' : ']');
  if (closes && reader->expect != EXPECT_VALUE) {
    close_container(reader, token, object);
    return ERR_OK;
  }
  if (reader->expect == EXPECT_COMMA_OR_END) {
    if (c != ',') {
      return fail(reader, reader->at, err,
                  object ? "',' or '}' was expected" : "',' or ']' was expected");
    }
    reader->at++;
    skip_blanks(reader);
    set_position(reader, token);
    if (object) return read_key(reader, token, err);
    if (reader->at >= reader->text.size) {
      return fail(reader, reader->at, err, "an array is not closed");
    }
    return read_value(reader, token, err);
  }
  if (reader->expect == EXPECT_KEY_OR_END) return read_key(reader, token, err);
  return read_value(reader, token, err);
}

int json_reader_skip(struct json_reader *reader, const struct json_token *token, struct err *err) {
  struct json_token next = *token;
  if (next.kind == JSON_KEY) {
    int code = json_reader_next(reader, &next, err);
    if (code) return code;
  }
  if (next.kind != JSON_BEGIN_OBJECT && next.kind != JSON_BEGIN_ARRAY) return ERR_OK;
  int depth = reader->depth; /* inside the container */
  while (reader->depth >= depth) {
    int code = json_reader_next(reader, &next, err);
    if (code) return code;
  }
  return ERR_OK;
}
