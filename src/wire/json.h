/* JSON (RFC 8259): a writer that appends to a buffer and a reader that pulls tokens from a text.
 *
 * The writer keeps commas, nesting and indentation; what it writes looks byte for byte like Go's
 * encoding/json, which InfluxDB's clients know: '<', '>', '&', U+2028 and U+2029 as \uXXXX, invalid
 * UTF-8 as U+FFFD, no blanks, or four blanks a level and one behind each colon when pretty.
 *
 * Threads: one at a time per writer or reader. */
#ifndef NILO_WIRE_JSON_H
#define NILO_WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

struct arena;
struct err;

enum { JSON_DEPTH_MAX = 63 };

/* ---- writing ---- */

/* Failure to grow is remembered by the buffer; ask it once at the end. */
struct json_writer {
  struct buffer *out;
  bool pretty;
  bool after_key; /* the next value stands behind a key */
  int depth;
  uint64_t filled; /* bit d: the container at depth d has an element */
};

/* Prepares a writer in the caller's storage that appends to `out`. */
void json_writer_init(struct json_writer *writer, struct buffer *out, bool pretty);
/* "{": keys and values follow, in turn. At most JSON_DEPTH_MAX containers may be open. */
void json_begin_object(struct json_writer *writer);
/* "}" of the object begun last. */
void json_end_object(struct json_writer *writer);
/* "[": values follow. */
void json_begin_array(struct json_writer *writer);
/* "]" of the array begun last. */
void json_end_array(struct json_writer *writer);
/* The key of the next value. */
void json_key(struct json_writer *writer, struct str key);
/* A string of any bytes. */
void json_string(struct json_writer *writer, struct str text);
/* A signed integer, all digits. */
void json_i64(struct json_writer *writer, int64_t value);
/* An unsigned integer, all digits. */
void json_u64(struct json_writer *writer, uint64_t value);
/* NaN and infinities, which JSON cannot say, are written as null. */
void json_f64(struct json_writer *writer, double value);
/* true or false. */
void json_bool(struct json_writer *writer, bool value);
/* null. */
void json_null(struct json_writer *writer);
/* What stands in front of the next value (a comma, a new line), which the caller then appends to
 * `out` itself. */
void json_element(struct json_writer *writer);
/* A value that is JSON already. */
void json_raw(struct json_writer *writer, struct str text);

/* Appends a quoted, escaped string without any writer. */
void json_append_string(struct buffer *out, struct str text);

/* ---- reading ---- */

enum json_kind {
  JSON_END, /* the text is over */
  JSON_BEGIN_OBJECT,
  JSON_END_OBJECT,
  JSON_BEGIN_ARRAY,
  JSON_END_ARRAY,
  JSON_KEY,
  JSON_STRING,
  JSON_NUMBER,
  JSON_TRUE,
  JSON_FALSE,
  JSON_NULL,
};

struct json_token {
  enum json_kind kind;
  /* KEY, STRING: unescaped, in the text itself where nothing was escaped, else in the arena.
   * NUMBER: as it stands. Others: empty. */
  struct str text;
  bool is_integer; /* NUMBER without point and exponent */
  int32_t line;    /* of its first byte, 1-based */
  int32_t column;  /* byte column, 1-based */
};

struct json_reader {
  struct str text; /* borrowed */
  struct arena *arena;
  int depth_max;
  /* the reader's own */
  size_t at;
  size_t line_begin;
  int32_t line;
  int depth;
  int expect;
  uint64_t objects; /* bit d: the container at depth d is an object */
};

/* Reads one or several values, one after another (as the answers of chunked queries are); their
 * texts point into `text` and the arena. depth_max 0: JSON_DEPTH_MAX. */
void json_reader_init(struct json_reader *reader, struct str text, struct arena *arena,
                      int depth_max);
/* The next token. Strings must be valid UTF-8 without raw control bytes; escaped lone surrogates
 * become U+FFFD. ERR_PARSE and ERR_LIMIT_EXCEEDED (too deep) with line, column and offset;
 * ERR_NO_MEMORY. */
int json_reader_next(struct json_reader *reader, struct json_token *token, struct err *err);
/* Passes over the rest of the value that begins with `token`, which was just read. */
int json_reader_skip(struct json_reader *reader, const struct json_token *token, struct err *err);

#endif
