/* Values as text: what each type reads and prints, with PostgreSQL's words for what is wrong. */
#include "plan/value_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/datetime.h"
#include "base/err.h"
#include "base/number.h"
#include "base/octets.h"
#include "base/text.h"

/* What one reading is about. */
struct reading {
  struct str text; /* as it came */
  struct type type;
  const struct datetime_session *session;
  struct arena *arena;
  struct plan_value *value;
  struct err *err;
};

static int bad_syntax(const struct reading *reading) {
  struct str text = text_cut(reading->text, 120);
  return err_set(reading->err, ERR_INVALID_TEXT, "invalid input syntax for type %s: \"%.*s\"%s",
                 type_sql_name(reading->type), STR_ARG(text),
                 text.size < reading->text.size ? " …" : "");
}

static int beyond(const struct reading *reading) {
  struct str text = text_cut(reading->text, 120);
  const char *word = reading->type.physical == PHYSICAL_FLOAT64 ? "" : "value ";
  return err_set(reading->err, ERR_OUT_OF_RANGE, "%s\"%.*s\" is out of range for type %s", word,
                 STR_ARG(text), type_sql_name(reading->type));
}

/* ---- reading numbers and booleans ---- */

/* A prefix of a word of at least `least` letters. */
static bool is_word(struct str text, const char *word, size_t least) {
  struct str whole = str_from(word);
  return text.size >= least && text.size <= whole.size &&
         str_equal_ignoring_case(text, (struct str){whole.data, text.size});
}

static int read_bool(const struct reading *reading) {
  struct str text = text_trim(reading->text);
  bool yes = is_word(text, "true", 1) || is_word(text, "yes", 1) || is_word(text, "on", 2) ||
             is_word(text, "1", 1);
  bool no = is_word(text, "false", 1) || is_word(text, "no", 1) || is_word(text, "off", 2) ||
            is_word(text, "0", 1);
  reading->value->boolean = yes;
  return yes || no ? ERR_OK : bad_syntax(reading);
}

/* A mantissa of zeros only. */
static bool is_zero(struct str text) {
  for (size_t i = 0; i < text.size && text_lower(text.data[i]) != 'e'; i++)
    if (text.data[i] >= '1' && text.data[i] <= '9') return false;
  return true;
}

static int read_float(const struct reading *reading) {
  struct str text = text_trim(reading->text), word = text;
  const char *next = text.data, *end = text.data + text.size;
  bool minus = text.size && text.data[0] == '-';
  double *value = &reading->value->f64;
  if (text.size && (minus || text.data[0] == '+')) word = (struct str){next + 1, text.size - 1};
  if (is_word(word, "nan", 3)) {
    *value = NAN;
    return ERR_OK;
  }
  if (is_word(word, "infinity", 8) || is_word(word, "inf", 3)) {
    *value = minus ? -INFINITY : INFINITY;
    return ERR_OK;
  }
  enum number_result result = number_parse_f64(&next, end, value);
  if (result == NUMBER_SYNTAX || next != end) return bad_syntax(reading);
  bool real = reading->type.logical == LOGICAL_REAL;
  if (real) *value = (double)(float)*value;
  bool fits = result == NUMBER_OK && isfinite(*value) && (*value != 0 || is_zero(word));
  return fits ? ERR_OK : beyond(reading);
}

static bool integer_fits(struct type type, int64_t value) {
  if (type.logical == LOGICAL_INT16) return value >= INT16_MIN && value <= INT16_MAX;
  return type.logical != LOGICAL_INT32 || (value >= INT32_MIN && value <= INT32_MAX);
}

static int read_integer(const struct reading *reading) {
  struct str text = text_trim(reading->text);
  const char *next = text.data, *end = text.data + text.size;
  enum number_result result = number_parse_i64(&next, end, &reading->value->i64);
  if (result == NUMBER_SYNTAX || next != end) return bad_syntax(reading);
  bool fits = result == NUMBER_OK && integer_fits(reading->type, reading->value->i64);
  return fits ? ERR_OK : beyond(reading);
}

static int read_unsigned(const struct reading *reading) {
  struct str text = text_trim(reading->text);
  const char *next = text.data, *end = text.data + text.size;
  enum number_result result = number_parse_u64(&next, end, &reading->value->u64);
  if (result == NUMBER_SYNTAX && text.size && text.data[0] == '-') {
    int64_t negative;
    next = text.data;
    result = number_parse_i64(&next, end, &negative);
    if (result != NUMBER_SYNTAX && negative != 0) result = NUMBER_RANGE;
    reading->value->u64 = 0;
  }
  if (result == NUMBER_SYNTAX || next != end) return bad_syntax(reading);
  return result == NUMBER_OK ? ERR_OK : beyond(reading);
}

/* ---- reading texts and bytes ---- */

static int keep(const struct reading *reading, const void *data, size_t size) {
  reading->value->text = arena_copy(reading->arena, str_of(data, size));
  return reading->value->text.data ? ERR_OK
                                   : mem_refused(reading->arena->account, size, reading->err);
}

static int read_octets(const struct reading *reading) {
  char *out = arena_alloc(reading->arena, octets_room(reading->text.size));
  size_t size;
  struct octets_fault fault;
  if (!out) return mem_refused(reading->arena->account, reading->text.size, reading->err);
  if (octets_read(reading->text, out, &size, &fault)) {
    reading->value->text = str_of(out, size);
    return ERR_OK;
  }
  if (!fault.why)
    return err_set(reading->err, ERR_INVALID_TEXT, "invalid input syntax for type bytea");
  if (!fault.at) return err_set(reading->err, ERR_INVALID_ARGUMENT, "%s", fault.why);
  return err_set(reading->err, ERR_INVALID_ARGUMENT, "invalid hexadecimal digit: \"%c\"", fault.at);
}

static int read_uuid(const struct reading *reading) {
  unsigned char uuid[UUID_SIZE];
  if (!uuid_read(reading->text, uuid)) return bad_syntax(reading);
  return keep(reading, uuid, sizeof uuid);
}

/* ---- reading times ---- */

static int read_instant(const struct reading *reading) {
  __int128 ns;
  struct err why;
  int code = time_parse(text_trim(reading->text), &ns, &why);
  struct str text = text_cut(reading->text, 120);
  if (code == ERR_OUT_OF_RANGE)
    return err_set(reading->err, ERR_DATETIME_OVERFLOW,
                   "date/time field value out of range: \"%.*s\"", STR_ARG(text));
  if (code)
    return err_set(reading->err, ERR_INVALID_DATETIME, "invalid input syntax for type %s: \"%.*s\"",
                   type_sql_name(reading->type), STR_ARG(text));
  int64_t value = time_from_ns_floor(ns, (enum time_unit)reading->type.parameter);
  reading->value->i64 = value;
  if (value != INT64_MIN && value != INT64_MAX) return ERR_OK;
  return err_set(reading->err, ERR_DATETIME_OVERFLOW, "timestamp out of range: \"%.*s\"",
                 STR_ARG(text));
}

int plan_value_read(struct str text, struct type type, const struct datetime_session *session,
                    struct arena *arena, struct plan_value *value, struct err *err) {
  const struct reading reading = {text, type, session, arena, value, err};
  *value = (struct plan_value){.type = type};
  switch (type.logical) {
  case LOGICAL_PLAIN:
  case LOGICAL_UNKNOWN:
  case LOGICAL_REAL:
  case LOGICAL_INT16:
  case LOGICAL_INT32:
    break;
  case LOGICAL_TIMESTAMP:
  case LOGICAL_LOCAL:
    return read_instant(&reading);
  case LOGICAL_UUID:
    return read_uuid(&reading);
  default:
    return err_set(err, ERR_UNSUPPORTED, "%s can't be read from text", type_sql_name(type));
  }
  switch (type.physical) {
  case PHYSICAL_BOOL:
    return read_bool(&reading);
  case PHYSICAL_UINT64:
    return read_unsigned(&reading);
  case PHYSICAL_FLOAT64:
    return read_float(&reading);
  case PHYSICAL_STRING:
    value->text = text;
    return ERR_OK;
  case PHYSICAL_BYTES:
    return read_octets(&reading);
  default:
    return read_integer(&reading);
  }
}

/* ---- printing ---- */

/* The digits of the shortest decimal that is this float. */
static int shortest(double value, bool real, char digits[NUMBER_TEXT_MAX], int *exponent) {
  if (!real) {
    uint64_t number;
    number_shortest(value, &number, exponent);
    return (int)(number_print_u64(number, digits) - digits);
  }
  char text[32];
  for (int precision = 0; precision < 9; precision++) {
    snprintf(text, sizeof text, "%.*e", precision, fabs(value));
    if (strtof(text, NULL) == (float)fabs(value)) break;
  }
  int count = 0;
  const char *at = text;
  for (; *at != 'e'; at++)
    if (text_is_digit(*at)) digits[count++] = *at;
  *exponent = atoi(at + 1) - (count - 1);
  return count;
}

/* Digits and an exponent as PostgreSQL spells them: plain from 1e-4 up to 1e15, real to 1e6. */
static char *print_float(double value, bool real, char *out) {
  if (isnan(value)) return (char *)memcpy(out, "NaN", 3) + 3;
  if (isinf(value)) {
    const char *text = value < 0 ? "-Infinity" : "Infinity";
    return (char *)memcpy(out, text, strlen(text)) + strlen(text);
  }
  char digits[NUMBER_TEXT_MAX];
  int exponent, count = 0, point;
  if (signbit(value)) *out++ = '-';
  if (value == 0) {
    *out++ = '0';
    return out;
  }
  count = shortest(value, real, digits, &exponent);
  point = count + exponent; /* digits in front of the point */
  if (point > (real ? 6 : 15) || point < -3) {
    *out++ = digits[0];
    if (count > 1) *out++ = '.';
    memcpy(out, digits + 1, (size_t)count - 1);
    out += count - 1;
    return out + sprintf(out, "e%c%02d", point > 0 ? '+' : '-', abs(point - 1));
  }
  if (point <= 0) {
    *out++ = '0';
    *out++ = '.';
    for (int i = point; i < 0; i++)
      *out++ = '0';
    memcpy(out, digits, (size_t)count);
    return out + count;
  }
  for (int i = 0; i < count || i < point; i++) {
    if (i == point) *out++ = '.';
    *out++ = i < count ? digits[i] : '0';
  }
  return out;
}

enum { SMALL = 400 };

static size_t print_word(const char *word, char *out) {
  memcpy(out, word, strlen(word));
  return strlen(word);
}

/* Types of bounded texts. */
static size_t print_small(const struct plan_value *value, char out[SMALL]) {
  switch (value->type.physical) {
  case PHYSICAL_BOOL:
    return print_word(value->boolean ? "true" : "false", out);
  case PHYSICAL_UINT64:
    return (size_t)(number_print_u64(value->u64, out) - out);
  case PHYSICAL_FLOAT64:
    return (size_t)(print_float(value->f64, value->type.logical == LOGICAL_REAL, out) - out);
  default:
    break;
  }
  switch (value->type.logical) {
  case LOGICAL_TIMESTAMP:
  case LOGICAL_LOCAL:
    return (size_t)time_format(value->i64, (enum time_unit)value->type.parameter, out);
  default:
    return (size_t)(number_print_i64(value->i64, out) - out);
  }
}

int plan_value_print(const struct plan_value *value, const struct datetime_session *session,
                     struct buffer *out, struct err *err) {
  (void)session;
  char small[SMALL];
  if (value->type.logical == LOGICAL_UUID) {
    if (value->text.size != UUID_SIZE)
      return err_set(err, ERR_CORRUPTION, "a uuid of %zu bytes", value->text.size);
    uuid_print((const unsigned char *)value->text.data, small);
    buffer_append(out, small, UUID_TEXT_SIZE);
  } else if (value->type.physical == PHYSICAL_STRING) {
    buffer_append_str(out, value->text);
  } else if (value->type.physical == PHYSICAL_BYTES) {
    octets_print_hex(value->text, out);
  } else {
    buffer_append(out, small, print_small(value, small));
  }
  return buffer_check(out, err);
}

int plan_value_text(const struct plan_value *value, const struct datetime_session *session,
                    struct arena *arena, struct str *text, struct err *err) {
  if (value->type.physical == PHYSICAL_STRING) {
    *text = value->text;
    return ERR_OK;
  }
  struct buffer buffer;
  buffer_init(&buffer, arena->account);
  int code = plan_value_print(value, session, &buffer, err);
  if (!code) {
    *text = arena_copy(arena, buffer_str(&buffer));
    if (!text->data) code = mem_refused(arena->account, buffer.size, err);
  }
  buffer_deinit(&buffer);
  return code;
}
