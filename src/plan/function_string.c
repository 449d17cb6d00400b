/* SQL's other functions of texts: what PostgreSQL has beyond the ones that all languages share
 * (function_text.c). */
#include <stdio.h>

#include "base/limits.h"
#include "base/number.h"
#include "base/text.h"
#include "plan/function_rows.h"

static bool is_word(char c) { return text_is_letter(c) || text_is_digit(c); }

/* ---- characters ---- */

static int initcap(struct function_row *at) {
  struct str text = row_text(at, 0);
  char *bytes;
  int code = row_new_text(at, text.size, &bytes);
  bool inside = false;
  for (size_t i = 0; i < text.size && !code; i++) {
    char c = text_lower(text.data[i]);
    bytes[i] = !inside && text_is_letter(c) ? (char)(c & ~0x20) : c;
    inside = is_word(c);
  }
  return code;
}

static int chr(struct function_row *at) {
  int64_t number = row_i64(at, 0);
  char character[4], *bytes;
  if (number == 0) return err_set(at->err, ERR_LIMIT_EXCEEDED, "null character not permitted");
  if (number < 0) return err_set(at->err, ERR_LIMIT_EXCEEDED, "character number must be positive");
  size_t size = number > 0x10ffff ? 0 : text_utf8_encode((uint32_t)number, character);
  if (size == 0)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "requested character too large for encoding: %lld",
                   (long long)number);
  int code = row_new_text(at, size, &bytes);
  if (!code) memcpy(bytes, character, size);
  return code;
}

/* Characters of the second text become those at the same place of the third; those without one go.
 */
static int translate(struct function_row *at) {
  struct str text = row_text(at, 0), from = row_text(at, 1), to = row_text(at, 2);
  struct buffer out = row_buffer_of(at);
  for (size_t i = 0, size; i < text.size; i += size) {
    size = plan__char_size(text, i);
    struct str character = {text.data + i, size};
    int64_t index = 0, found = -1;
    for (size_t k = 0, width; k < from.size && found < 0; k += width, index++) {
      width = plan__char_size(from, k);
      if (str_equal((struct str){from.data + k, width}, character)) found = index;
    }
    size_t begin = found < 0 ? 0 : plan__char_at(to, found);
    if (found < 0)
      buffer_append_str(&out, character);
    else if (begin < to.size)
      buffer_append(&out, to.data + begin, plan__char_size(to, begin));
  }
  return row_give_buffer(at, &out);
}

/* Characters [from, from + count) replaced; count is the new ones' where it is not given. */
static int overlay(struct function_row *at) {
  struct str text = row_text(at, 0), with = row_text(at, 1);
  int64_t from = row_i64(at, 2), end;
  bool bytes_only = row_type(at, 0).physical == PHYSICAL_BYTES;
  int64_t count = row_arguments(at) > 3 ? row_i64(at, 3)
                  : bytes_only          ? (int64_t)with.size
                                        : plan__char_count(with);
  if (from <= 0) return err_set(at->err, ERR_SUBSTRING, "negative substring length not allowed");
  if (__builtin_add_overflow(from, count, &end) || end > INT32_MAX)
    return err_set(at->err, ERR_OUT_OF_RANGE, "integer out of range");
  size_t first = (size_t)from - 1, last = end > 1 ? (size_t)end - 1 : 0;
  first = bytes_only ? (first < text.size ? first : text.size) : plan__char_at(text, from - 1);
  last = bytes_only ? (last < text.size ? last : text.size) : plan__char_at(text, end - 1);
  struct buffer out = row_buffer_of(at);
  buffer_append(&out, text.data, first);
  buffer_append_str(&out, with);
  buffer_append(&out, text.data + last, text.size - last);
  return row_give_buffer(at, &out);
}

static int bit_length(struct function_row *at) {
  return row_give_i64(at, (int64_t)row_text(at, 0).size * 8);
}

/* ---- joining ---- */

/* The separator, then what stands between: nulls are left out. */
static int concat_ws(struct function_row *at) {
  if (row_is_null(at, 0)) return row_give_null(at);
  struct str separator = row_text(at, 0);
  struct buffer out = row_buffer_of(at);
  bool any = false;
  for (uint32_t i = 1; i < row_arguments(at); i++) {
    if (row_is_null(at, i)) continue;
    if (any) buffer_append_str(&out, separator);
    any = true;
    buffer_append_str(&out, row_text(at, i));
  }
  return row_give_buffer(at, &out);
}

/* ---- quoting ---- */

static void append_quoted(struct buffer *out, struct str text, char quote) {
  buffer_append_byte(out, (uint8_t)quote);
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == quote) buffer_append_byte(out, (uint8_t)quote);
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, (uint8_t)quote);
}

/* A text as a literal; with backslashes as an escape string. */
static void append_literal(struct buffer *out, struct str text) {
  if (text.size == 0 || !memchr(text.data, '\\', text.size)) {
    append_quoted(out, text, '\'');
    return;
  }
  buffer_append_text(out, "E'");
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '\'' || text.data[i] == '\\')
      buffer_append_byte(out, (uint8_t)text.data[i]);
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, '\'');
}

/* PostgreSQL's keywords that may not stand alone as a name: quote_ident quotes them. */
static bool is_reserved(struct str name) {
  static const char words[] =
      " all analyse analyze and any array as asc asymmetric authorization between bigint binary "
      "bit "
      "boolean both case cast char character check coalesce collate collation column concurrently "
      "constraint create cross current_catalog current_date current_role current_schema "
      "current_time current_timestamp current_user dec decimal default deferrable desc distinct do "
      "else end except exists extract false fetch float for foreign freeze from full grant "
      "greatest "
      "group grouping having ilike in initially inner inout int integer intersect interval into is "
      "isnull join lateral leading least left like limit localtime localtimestamp national natural "
      "nchar none normalize not notnull null nullif numeric offset on only or order out outer "
      "overlaps overlay placing position precision primary real references returning right row "
      "select session_user setof similar smallint some substring symmetric table tablesample then "
      "time timestamp to trailing treat trim true union unique user using values varchar variadic "
      "verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest "
      "xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable ";
  char word[34];
  if (name.size > 30) return false;
  int size = snprintf(word, sizeof word, " %.*s ", STR_ARG(name));
  return memmem(words, sizeof words - 1, word, (size_t)size) != NULL;
}

static void append_identifier(struct buffer *out, struct str name) {
  bool plain = name.size && (text_is_letter(name.data[0]) || name.data[0] == '_');
  for (size_t i = 0; i < name.size; i++)
    plain &= (name.data[i] >= 'a' && name.data[i] <= 'z') || text_is_digit(name.data[i]) ||
             name.data[i] == '_';
  if (plain && !is_reserved(name))
    buffer_append_str(out, name);
  else
    append_quoted(out, name, '"');
}

static int quote_ident(struct function_row *at) {
  struct buffer out = row_buffer_of(at);
  append_identifier(&out, row_text(at, 0));
  return row_give_buffer(at, &out);
}

static int quote_literal(struct function_row *at) {
  struct buffer out = row_buffer_of(at);
  append_literal(&out, row_text(at, 0));
  return row_give_buffer(at, &out);
}

static int quote_nullable(struct function_row *at) {
  return row_is_null(at, 0) ? row_give(at, STR("NULL")) : quote_literal(at);
}

/* ---- format ---- */

struct formatting {
  struct function_row *at;
  struct str format;
  size_t next;       /* byte of the format */
  uint32_t argument; /* the one used last */
  struct buffer out;
};

static int format_fault(struct formatting *f, const char *what, const char *hint) {
  err_set(f->at->err, ERR_INVALID_ARGUMENT, "%s", what);
  if (hint) err_hint(f->at->err, "%s", hint);
  return ERR_INVALID_ARGUMENT;
}

static bool format_number(struct formatting *f, int64_t *number) {
  size_t begin = f->next;
  *number = 0;
  while (f->next < f->format.size && text_is_digit(f->format.data[f->next]) && *number < INT32_MAX)
    *number = *number * 10 + (f->format.data[f->next++] - '0');
  return f->next > begin;
}

/* The next argument, or the one of a number; its text, "" with *null for null. */
static int format_argument(struct formatting *f, int64_t number, struct str *text, bool *null) {
  uint32_t index = number ? (uint32_t)number : f->argument + 1;
  if (index >= row_arguments(f->at)) return format_fault(f, "too few arguments for format()", NULL);
  f->argument = index;
  *null = row_is_null(f->at, index);
  *text = *null ? STR("") : row_text(f->at, index);
  return ERR_OK;
}

/* %[n$][-][width]type */
static int format_item(struct formatting *f) {
  static const char unfinished[] = "unterminated format() type specifier";
  static const char hint[] = "for a single \"%\" use \"%%\"";
  int64_t position = 0, width = 0, number;
  bool left = false, null;
  struct str text;
  size_t begin = f->next;
  if (format_number(f, &number) && f->next < f->format.size && f->format.data[f->next] == '$') {
    f->next++;
    position = number;
    if (number == 0)
      return format_fault(f, "format specifies argument 0, but arguments are numbered from 1",
                          NULL);
  } else {
    f->next = begin;
  }
  for (; f->next < f->format.size && f->format.data[f->next] == '-'; f->next++)
    left = true;
  if (f->next < f->format.size && f->format.data[f->next] == '*') {
    f->next++;
    begin = f->next;
    bool numbered =
        format_number(f, &number) && f->next < f->format.size && f->format.data[f->next] == '$';
    if (numbered)
      f->next++;
    else
      f->next = begin;
    int code = format_argument(f, numbered ? number : 0, &text, &null);
    if (code) return code;
    const char *from = text.data;
    if (!null && (number_parse_i64(&from, text.data + text.size, &width) || width > INT32_MAX ||
                  width < -INT32_MAX))
      return format_fault(f, "the width of format() is no integer", NULL);
    if (width < 0) left = true, width = -width;
  } else {
    format_number(f, &width);
  }
  if (f->next >= f->format.size) return format_fault(f, unfinished, hint);
  char type = f->format.data[f->next++];
  if (type != 's' && type != 'I' && type != 'L') {
    err_set(f->at->err, ERR_INVALID_ARGUMENT, "unrecognized format() type specifier \"%c\"", type);
    err_hint(f->at->err, "%s", hint);
    return ERR_INVALID_ARGUMENT;
  }
  int code = format_argument(f, position, &text, &null);
  if (code) return code;
  if (null && type == 'I')
    return format_fault(f, "null values cannot be formatted as an SQL identifier", NULL);
  struct buffer piece = row_buffer_of(f->at);
  if (type == 's') buffer_append_str(&piece, text);
  if (type == 'I') append_identifier(&piece, text);
  if (type == 'L' && null) buffer_append_text(&piece, "NULL");
  if (type == 'L' && !null) append_literal(&piece, text);
  int64_t missing = width - plan__char_count(buffer_str(&piece));
  if (missing > LIMIT_STRING_SIZE_MAX) missing = LIMIT_STRING_SIZE_MAX + 1;
  if (left) buffer_append_str(&f->out, buffer_str(&piece));
  for (; missing > 0; missing--)
    buffer_append_byte(&f->out, ' ');
  if (!left) buffer_append_str(&f->out, buffer_str(&piece));
  buffer_deinit(&piece);
  return ERR_OK;
}

static int format(struct function_row *at) {
  if (row_is_null(at, 0)) return row_give_null(at);
  struct formatting f = {.at = at, .format = row_text(at, 0), .out = row_buffer_of(at)};
  int code = ERR_OK;
  while (f.next < f.format.size && !code) {
    char c = f.format.data[f.next++];
    if (c != '%') {
      buffer_append_byte(&f.out, (uint8_t)c);
    } else if (f.next < f.format.size && f.format.data[f.next] == '%') {
      buffer_append_byte(&f.out, '%');
      f.next++;
    } else {
      code = format_item(&f);
    }
  }
  if (!code) return row_give_buffer(at, &f.out);
  buffer_deinit(&f.out);
  return code;
}

/* ---- numbers as texts ---- */

/* As unsigned integers of the argument's width. */
static int to_hex(struct function_row *at) {
  uint64_t value = (uint64_t)row_i64(at, 0);
  if (row_type(at, 0).logical == LOGICAL_INT32) value &= UINT32_MAX;
  char text[20], *bytes;
  int size = snprintf(text, sizeof text, "%llx", (unsigned long long)value);
  int code = row_new_text(at, (size_t)size, &bytes);
  if (!code) memcpy(bytes, text, (size_t)size);
  return code;
}

static int pg_size_pretty(struct function_row *at) {
  static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
  int64_t size = row_i64(at, 0);
  uint64_t rest = size < 0 ? -(uint64_t)size : (uint64_t)size;
  unsigned unit = 0;
  /* each step divides by 1024, the last half of a unit rounds up: as PostgreSQL shifts */
  if (rest >= 10 * 1024) {
    rest >>= 9;
    for (unit = 1; unit < 5 && rest >= 2 * 10 * 1024 - 1; unit++)
      rest >>= 10;
    rest = (rest + 1) / 2;
  }
  char text[40], *bytes;
  int length = snprintf(text, sizeof text, "%s%llu %s", size < 0 ? "-" : "",
                        (unsigned long long)rest, units[unit]);
  int code = row_new_text(at, (size_t)length, &bytes);
  if (!code) memcpy(bytes, text, (size_t)length);
  return code;
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_INITCAP] = initcap,
    [FUNCTION_CHR] = chr,
    [FUNCTION_TRANSLATE] = translate,
    [FUNCTION_OVERLAY] = overlay,
    [FUNCTION_BIT_LENGTH] = bit_length,
    [FUNCTION_CONCAT_WS] = concat_ws,
    [FUNCTION_QUOTE_IDENT] = quote_ident,
    [FUNCTION_QUOTE_LITERAL] = quote_literal,
    [FUNCTION_QUOTE_NULLABLE] = quote_nullable,
    [FUNCTION_FORMAT] = format,
    [FUNCTION_TO_HEX] = to_hex,
    [FUNCTION_SIZE_PRETTY] = pg_size_pretty,
};

int plan__run_string(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
