/* What tokens say: names without quotes, strings without quotes and escapes.
 *
 * PostgreSQL's forms (4.1 of its manual): 'plain', E'with \n escapes', U&'with \0041',
 * $tag$raw$tag$, and "quoted" and U&"quoted" names. Pieces of a string that are apart by a line end
 * are one. */
#include "base/text.h"
#include "lang/sql/syntax.h"

/* A reader over the inside of quotes, which come twice where they are meant. */
struct reading {
  struct parser *parser;
  const char *at, *end; /* of the token */
  char quote;
  char *out;
};

/* The token's first byte that is not a prefix: a quote. */
static const char *first_quote(struct str text, char quote) {
  const char *at = memchr(text.data, quote, text.size);
  return at ? at : text.data + text.size;
}

/* Past a closing quote: to the next piece's first byte, or to the end. */
static void next_piece(struct reading *reading) {
  const char *c = reading->at;
  while (c < reading->end && *c != reading->quote) {
    if (c[0] == '-' && c + 1 < reading->end && c[1] == '-')
      while (c < reading->end && *c != '\n')
        c++;
    else
      c++;
  }
  reading->at = c < reading->end ? c + 1 : reading->end;
}

/* True when a quote at the reader's place ends its piece; steps over one that is meant. */
static bool piece_ends(struct reading *reading) {
  if (reading->at + 1 < reading->end && reading->at[1] == reading->quote) {
    reading->at++;
    return false;
  }
  reading->at++;
  next_piece(reading);
  return true;
}

static int digit_of(char c, int base) {
  int value = text_is_digit(c) ? c - '0' : text_is_letter(c) ? text_lower(c) - 'a' + 10 : 99;
  return value < base ? value : -1;
}

/* Up to `most` digits; how many there were. */
static int read_digits(struct reading *reading, int base, int most, uint32_t *value) {
  int count = 0;
  *value = 0;
  for (; count < most && reading->at < reading->end; count++, reading->at++) {
    int digit = digit_of(*reading->at, base);
    if (digit < 0) break;
    *value = *value * (uint32_t)base + (uint32_t)digit;
  }
  return count;
}

/* A code point of an escape that began at `begin`; halves of a surrogate pair are put together by
 * `pending`. */
static void put_code_point(struct reading *reading, uint32_t code, uint32_t *pending,
                           const char *begin) {
  bool high = code >= 0xd800 && code < 0xdc00, low = code >= 0xdc00 && code < 0xe000;
  if (low && *pending) {
    code = 0x10000 + ((*pending - 0xd800) << 10) + (code - 0xdc00);
    *pending = 0;
  } else if (low || *pending) {
    sql__fail(reading->parser, ERR_PARSE, begin, "invalid Unicode surrogate pair");
    return;
  } else if (high) {
    *pending = code;
    return;
  }
  size_t size = code ? text_utf8_encode(code, reading->out) : 0;
  if (!size) sql__fail(reading->parser, ERR_PARSE, begin, "invalid Unicode escape value");
  reading->out += size;
}

/* What follows a backslash in E'…'. */
static void read_escape(struct reading *reading, uint32_t *pending) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  const char *begin = reading->at - 1;
  char c = *reading->at;
  uint32_t value;
  const char *simple = strchr(from, c);
  if (c && simple) {
    *reading->out++ = to[simple - from];
    reading->at++;
  } else if (digit_of(c, 8) >= 0) {
    read_digits(reading, 8, 3, &value);
    *reading->out++ = (char)value;
  } else if (c == 'x' && reading->at + 1 < reading->end && digit_of(reading->at[1], 16) >= 0) {
    reading->at++;
    read_digits(reading, 16, 2, &value);
    *reading->out++ = (char)value;
  } else if (c == 'u' || c == 'U') {
    int digits = c == 'u' ? 4 : 8;
    reading->at++;
    if (read_digits(reading, 16, digits, &value) == digits) {
      put_code_point(reading, value, pending, begin);
    } else {
      sql__fail(reading->parser, ERR_PARSE, begin, "invalid Unicode escape");
      err_hint(reading->parser->err, "Unicode escapes must be \\uXXXX or \\UXXXXXXXX.");
    }
  } else {
    *reading->out++ = c;
    reading->at++;
  }
}

/* What follows the escape character in U&'…': XXXX, +XXXXXX, or itself. */
static void read_unicode(struct reading *reading, char escape, uint32_t *pending) {
  const char *begin = reading->at - 1;
  uint32_t value;
  if (reading->at < reading->end && *reading->at == escape) {
    *reading->out++ = *reading->at++;
    return;
  }
  int digits = 4;
  if (reading->at < reading->end && *reading->at == '+') {
    reading->at++;
    digits = 6;
  }
  if (read_digits(reading, 16, digits, &value) == digits) {
    put_code_point(reading, value, pending, begin);
    return;
  }
  sql__fail(reading->parser, ERR_PARSE, begin, "invalid Unicode escape");
  err_hint(reading->parser->err, "Unicode escapes must be \\XXXX or \\+XXXXXX.");
}

/* Cuts UESCAPE 'c' off a token and gives c; a backslash where there is none. */
static char cut_uescape(struct parser *parser, struct str *text, char quote) {
  const char *end = text->data + text->size;
  if (text->size < 14 || end[-1] != '\'' || end[-3] != '\'') return '\\';
  const char *word = end - 3;
  while (word > text->data && text_is_blank(word[-1]))
    word--;
  if (word - text->data < 7 || !str_equal_ignoring_case(str_of(word - 7, 7), STR("uescape")))
    return '\\';
  const char *body = word - 7;
  if (!text_is_blank(body[-1])) return '\\';
  while (text_is_blank(body[-1]))
    body--;
  if (body[-1] != quote) return '\\';
  char escape = end[-2];
  if (digit_of(escape, 16) >= 0 || strchr("+'\" \t\n", escape))
    sql__fail(parser, ERR_PARSE, end - 2, "invalid Unicode escape character");
  text->size = (size_t)(body - text->data);
  return escape;
}

/* The inside of quotes. escape 0: none; '\\' with `c_style`: as in E'…'. */
static struct str unquote(struct parser *parser, struct str text, char quote, char escape,
                          bool c_style) {
  char *out = arena_alloc(parser->arena, text.size + 1);
  if (!out) {
    if (!parser->code) parser->code = mem_refused(parser->arena->account, text.size, parser->err);
    return (struct str){"", 0};
  }
  struct reading reading = {parser, first_quote(text, quote) + 1, text.data + text.size, quote,
                            out};
  uint32_t pending = 0;
  while (reading.at < reading.end && !parser->code) {
    char c = *reading.at;
    if (c == quote && piece_ends(&reading)) continue;
    if (escape && c == escape) {
      reading.at++;
      if (c_style)
        read_escape(&reading, &pending);
      else
        read_unicode(&reading, escape, &pending);
      continue;
    }
    if (pending) sql__fail(parser, ERR_PARSE, reading.at, "invalid Unicode surrogate pair");
    *reading.out++ = *reading.at++;
  }
  if (pending) sql__fail(parser, ERR_PARSE, text.data, "invalid Unicode surrogate pair");
  struct str result = {out, (size_t)(reading.out - out)};
  if (escape && (!text_utf8_valid(result) || memchr(out, 0, result.size)))
    sql__fail(parser, ERR_PARSE, text.data, "invalid byte sequence for encoding \"UTF8\"");
  return result;
}

static struct str folded(struct parser *parser, struct str text) {
  size_t upper = 0;
  while (upper < text.size && text.data[upper] == text_lower(text.data[upper]))
    upper++;
  if (upper == text.size) return text;
  struct str copy = arena_copy(parser->arena, text);
  if (!copy.data) {
    if (!parser->code) parser->code = mem_refused(parser->arena->account, text.size, parser->err);
    return (struct str){"", 0};
  }
  char *data = (char *)(uintptr_t)copy.data;
  for (size_t i = upper; i < copy.size; i++)
    data[i] = text_lower(data[i]);
  return copy;
}

struct str sql__identifier(struct parser *parser, const struct token *token) {
  struct str text = token->text;
  bool unicode = text.size > 2 && text.data[1] == '&';
  if (!text.size || (text.data[0] != '"' && !unicode)) return folded(parser, text);
  char escape = unicode ? cut_uescape(parser, &text, '"') : 0;
  struct str name = unquote(parser, text, '"', escape, false);
  if (!name.size)
    sql__fail(parser, ERR_PARSE, token->text.data, "zero-length delimited identifier");
  if (name.size > LIMIT_NAME_SIZE)
    sql__fail(parser, ERR_LIMIT_EXCEEDED, token->text.data, "a name is longer than %d bytes",
              LIMIT_NAME_SIZE);
  return name;
}

struct str sql__string(struct parser *parser, const struct token *token) {
  struct str text = token->text;
  if (text.data[0] == '$') {
    size_t tag = (size_t)((const char *)memchr(text.data + 1, '$', text.size - 1) - text.data) + 1;
    return str_of(text.data + tag, text.size - 2 * tag);
  }
  char prefix = text_lower(text.data[0]);
  if (prefix == 'e') return unquote(parser, text, '\'', '\\', true);
  if (prefix == 'u') {
    char escape = cut_uescape(parser, &text, '\'');
    return unquote(parser, text, '\'', escape, false);
  }
  return unquote(parser, text, '\'', 0, false);
}

int32_t sql__integer(struct parser *parser, const struct token *token) {
  int64_t value = 0;
  for (size_t i = 0; i < token->text.size && value <= INT32_MAX; i++)
    value = value * 10 + (token->text.data[i] - '0');
  if (value <= INT32_MAX) return (int32_t)value;
  sql__fail(parser, ERR_OUT_OF_RANGE, token->text.data,
            "value \"%.*s\" is out of range for type integer", STR_ARG(text_cut(token->text, 40)));
  return 0;
}
