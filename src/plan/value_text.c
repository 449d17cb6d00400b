/* Values as text: what each type reads and prints, with PostgreSQL's words for what is wrong. */
#include "plan/value_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/datetime.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/number.h"
#include "base/octets.h"
#include "base/text.h"
#include "plan/json_value.h"

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

static int read_decimal(const struct reading *reading) {
  struct decimal decimal;
  uint8_t bytes[DECIMAL_BYTES_MAX];
  int code = decimal_read(reading->text, &decimal, reading->err);
  return code ? code : keep(reading, bytes, decimal_store(&decimal, bytes));
}

static int read_interval(const struct reading *reading) {
  struct interval interval;
  uint8_t bytes[INTERVAL_BYTES];
  int code = interval_read(reading->text, &interval, reading->err);
  if (code) return code;
  interval_store(&interval, bytes);
  return keep(reading, bytes, sizeof bytes);
}

static int read_json(const struct reading *reading) {
  struct json_value tree;
  struct plan_value *value = reading->value;
  if (reading->type.parameter)
    return json_value_text(reading->text, reading->arena, &value->text, reading->err);
  value->text = reading->text;
  return json_value_read(reading->text, reading->arena, &tree, reading->err);
}

/* ---- reading arrays ---- */

enum array_items plan_array_items(struct type item) {
  return type_is_string(item) ? ARRAY_BYTES : ARRAY_WORDS;
}

void plan_array_add(struct array_builder *builder, const struct plan_value *value) {
  if (value->null)
    array_add_null(builder);
  else if (type_is_string(value->type))
    array_add_bytes(builder, value->text);
  else
    array_add_word(builder, value->type.physical == PHYSICAL_BOOL ? value->boolean : value->u64);
}

struct plan_value plan_array_item(const struct array *array, struct type item, uint32_t i) {
  struct plan_value value = {.type = item, .null = array_is_null(array, i)};
  if (value.null) return value;
  if (array->items == ARRAY_BYTES)
    value.text = array_bytes(array, i);
  else if (item.physical == PHYSICAL_BOOL)
    value.boolean = array_word(array, i) != 0;
  else
    value.u64 = array_word(array, i);
  return value;
}

int plan_array_open(struct str stored, struct type type, struct array *array, struct err *err) {
  if (array_open(stored, plan_array_items(type_item(type)), array)) return ERR_OK;
  return err_set(err, ERR_CORRUPTION, "a stored array is damaged");
}

static int read_items(const struct reading *reading, struct array_builder *builder,
                      struct buffer *unescaped) {
  struct array_text reader;
  struct array_text_item item;
  struct type type = type_item(reading->type);
  array_text_init(&reader, reading->text);
  for (;;) {
    struct plan_value value = {.type = type, .null = true};
    bool over;
    int code = array_text_next(&reader, unescaped, &item, &over, reading->err);
    if (code || over) return code;
    if (!item.null)
      code =
          plan_value_read(item.text, type, reading->session, reading->arena, &value, reading->err);
    if (code) return code;
    plan_array_add(builder, &value);
  }
}

int plan_array_finish(const struct array_builder *builder, struct arena *arena, struct str *stored,
                      struct err *err) {
  struct buffer out;
  buffer_init(&out, arena->account);
  int code = array_finish(builder, &out, err);
  if (!code) {
    *stored = arena_copy(arena, buffer_str(&out));
    if (!stored->data) code = mem_refused(arena->account, out.size, err);
  }
  buffer_deinit(&out);
  return code;
}

static int read_array(const struct reading *reading) {
  struct array_builder builder;
  struct buffer unescaped;
  array_builder_init(&builder, plan_array_items(type_item(reading->type)), reading->arena->account);
  buffer_init(&unescaped, reading->arena->account);
  int code = read_items(reading, &builder, &unescaped);
  if (!code)
    code = plan_array_finish(&builder, reading->arena, &reading->value->text, reading->err);
  buffer_deinit(&unescaped);
  array_builder_deinit(&builder);
  return code;
}

/* ---- reading times ---- */

static int read_duration(const struct reading *reading) {
  int64_t ns;
  struct err why;
  int code = duration_parse(text_trim(reading->text), &ns, &why);
  if (code) return code == ERR_OUT_OF_RANGE ? beyond(reading) : bad_syntax(reading);
  enum time_unit unit = (enum time_unit)reading->type.parameter;
  return time_convert_floor(ns, TIME_NS, unit, &reading->value->i64) ? ERR_OK : beyond(reading);
}

static int read_time(const struct reading *reading) {
  enum time_unit unit = (enum time_unit)reading->type.parameter;
  int64_t *value = &reading->value->i64;
  switch (reading->type.logical) {
  case LOGICAL_TIMESTAMP:
    return datetime_read_instant(reading->text, unit, reading->session, value, reading->err);
  case LOGICAL_LOCAL:
    return datetime_read_local(reading->text, unit, reading->session, value, reading->err);
  case LOGICAL_DATE:
    return datetime_read_date(reading->text, reading->session, value, reading->err);
  case LOGICAL_TIME:
    return datetime_read_time(reading->text, unit, reading->session, value, reading->err);
  default:
    return read_duration(reading);
  }
}

static int read_plain(const struct reading *reading) {
  switch (reading->type.physical) {
  case PHYSICAL_BOOL:
    return read_bool(reading);
  case PHYSICAL_UINT64:
    return read_unsigned(reading);
  case PHYSICAL_FLOAT64:
    return read_float(reading);
  case PHYSICAL_STRING:
    reading->value->text = reading->text;
    return ERR_OK;
  case PHYSICAL_BYTES:
    return read_octets(reading);
  default:
    return read_integer(reading);
  }
}

int plan_value_read(struct str text, struct type type, const struct datetime_session *session,
                    struct arena *arena, struct plan_value *value, struct err *err) {
  const struct reading reading = {text, type, session, arena, value, err};
  *value = (struct plan_value){.type = type};
  switch (type.logical) {
  case LOGICAL_TIMESTAMP:
  case LOGICAL_LOCAL:
  case LOGICAL_DATE:
  case LOGICAL_TIME:
  case LOGICAL_DURATION:
    return read_time(&reading);
  case LOGICAL_DECIMAL:
    return read_decimal(&reading);
  case LOGICAL_INTERVAL:
    return read_interval(&reading);
  case LOGICAL_UUID:
    return read_uuid(&reading);
  case LOGICAL_JSON:
    return read_json(&reading);
  case LOGICAL_ARRAY:
    return read_array(&reading);
  case LOGICAL_LIST_STRING:
  case LOGICAL_LIST_INT64:
    return err_set(err, ERR_UNSUPPORTED, "%s can't be read from text", type_sql_name(type));
  default:
    return read_plain(&reading);
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
  *exponent = (int)strtol(at + 1, NULL, 10) - (count - 1);
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
    return out + snprintf(out, 8, "e%c%02d", point > 0 ? '+' : '-', abs(point - 1));
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

static size_t print_duration(const struct plan_value *value, char *out) {
  enum time_unit unit = (enum time_unit)value->type.parameter;
  int64_t ns;
  if (time_convert_exact(value->i64, unit, TIME_NS, &ns)) return (size_t)duration_format(ns, out);
  char *end = number_print_i64(value->i64, out); /* beyond what nanoseconds hold */
  return (size_t)(end - out) + print_word(time_unit_name(unit), end);
}

static size_t print_time(const struct plan_value *value, const struct datetime_session *session,
                         char *out) {
  enum time_unit unit = (enum time_unit)value->type.parameter;
  switch (value->type.logical) {
  case LOGICAL_TIMESTAMP:
    return datetime_print_instant(value->i64, unit, session, out);
  case LOGICAL_LOCAL:
    return datetime_print_local(value->i64, unit, out);
  case LOGICAL_DATE:
    return datetime_print_date(value->i64, out);
  case LOGICAL_TIME:
    return datetime_print_time(value->i64, unit, out);
  case LOGICAL_DURATION:
    return print_duration(value, out);
  default:
    return (size_t)(number_print_i64(value->i64, out) - out);
  }
}

static int damaged(const char *what, struct err *err) {
  return err_set(err, ERR_CORRUPTION, "a stored %s is damaged", what);
}

/* Types of bounded texts; *size 0: another type. */
static int print_small(const struct plan_value *value, const struct datetime_session *session,
                       char out[SMALL], size_t *size, struct err *err) {
  struct decimal decimal;
  struct interval interval;
  *size = 0;
  switch (value->type.physical) {
  case PHYSICAL_BOOL:
    *size = print_word(value->boolean ? "true" : "false", out);
    return ERR_OK;
  case PHYSICAL_UINT64:
    *size = (size_t)(number_print_u64(value->u64, out) - out);
    return ERR_OK;
  case PHYSICAL_FLOAT64:
    *size = (size_t)(print_float(value->f64, value->type.logical == LOGICAL_REAL, out) - out);
    return ERR_OK;
  case PHYSICAL_INT64:
    *size = print_time(value, session, out);
    return ERR_OK;
  default:
    break;
  }
  switch (value->type.logical) {
  case LOGICAL_DECIMAL:
    if (!decimal_load(value->text, &decimal)) return damaged("numeric", err);
    *size = decimal_print(&decimal, out);
    return ERR_OK;
  case LOGICAL_INTERVAL:
    if (!interval_load(value->text, &interval)) return damaged("interval", err);
    *size = interval_print(&interval, out);
    return ERR_OK;
  case LOGICAL_UUID:
    if (value->text.size != UUID_SIZE) return damaged("uuid", err);
    uuid_print((const unsigned char *)value->text.data, out);
    *size = UUID_TEXT_SIZE;
    return ERR_OK;
  default:
    return ERR_OK;
  }
}

static int print_item(const struct plan_value *value, const struct datetime_session *session,
                      struct buffer *text, struct buffer *out, struct err *err) {
  if (value->null) {
    buffer_append_text(out, "NULL");
    return ERR_OK;
  }
  if (value->type.physical == PHYSICAL_BOOL) {
    buffer_append_byte(out, value->boolean ? 't' : 'f');
    return ERR_OK;
  }
  buffer_reset(text);
  int code = plan_value_print(value, session, text, err);
  if (!code) array_print_item(buffer_str(text), out);
  return code;
}

static int print_array(const struct plan_value *value, const struct datetime_session *session,
                       struct buffer *out, struct err *err) {
  struct array array;
  struct type type = type_item(value->type);
  int code = plan_array_open(value->text, value->type, &array, err);
  if (code) return code;
  struct buffer text;
  buffer_init(&text, out->account);
  buffer_append_byte(out, '{');
  for (uint32_t i = 0; i < array.count && !code; i++) {
    struct plan_value item = plan_array_item(&array, type, i);
    if (i) buffer_append_byte(out, ',');
    code = print_item(&item, session, &text, out, err);
  }
  buffer_append_byte(out, '}');
  buffer_deinit(&text);
  return code;
}

int plan_value_print(const struct plan_value *value, const struct datetime_session *session,
                     struct buffer *out, struct err *err) {
  char small[SMALL];
  size_t size;
  int code = print_small(value, session, small, &size, err);
  if (code) return code;
  if (size)
    buffer_append(out, small, size);
  else if (value->type.logical == LOGICAL_ARRAY)
    code = print_array(value, session, out, err);
  else if (value->type.physical == PHYSICAL_STRING)
    buffer_append_str(out, value->text);
  else
    octets_print_hex(value->text, out);
  return code ? code : buffer_check(out, err);
}

int plan_value_text(const struct plan_value *value, const struct datetime_session *session,
                    struct arena *arena, struct str *text, struct err *err) {
  if (value->type.physical == PHYSICAL_STRING) {
    *text = value->text;
    return ERR_OK;
  }
  char small[SMALL];
  size_t size;
  int code = print_small(value, session, small, &size, err);
  if (code) return code;
  if (size) {
    *text = arena_copy(arena, str_of(small, size));
    return text->data ? ERR_OK : mem_refused(arena->account, size, err);
  }
  struct buffer buffer;
  buffer_init(&buffer, arena->account);
  code = plan_value_print(value, session, &buffer, err);
  if (!code) {
    *text = arena_copy(arena, buffer_str(&buffer));
    if (!text->data) code = mem_refused(arena->account, buffer.size, err);
  }
  buffer_deinit(&buffer);
  return code;
}
