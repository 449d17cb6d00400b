/* Casts: InfluxQL's, which always give something, and SQL's, which refuse what does not fit.
 *
 * Texts of numbers are those of PostgreSQL (floats: the shortest that reads back, an exponent below
 * 1e-4 and from 1e15 on), texts of instants RFC 3339 in UTC, of durations "1h30m". Read are these,
 * blanks around them, and PostgreSQL's words for booleans and for infinite floats. */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"
#include "base/text.h"
#include "base/time.h"
#include "plan/function_kernels.h"

static void integers_to_floats(const struct vector *from, uint32_t count, void *out) {
  if (from->type.physical == PHYSICAL_UINT64)
    kernel_loops()->u64_to_f64(from->values, count, out);
  else
    kernel_loops()->i64_to_f64(from->values, count, out);
}

static void floats_to_integers(const double *values, uint32_t count, bool is_signed,
                               uint64_t *out) {
  for (uint32_t i = 0; i < count; i++)
    out[i] = is_signed ? (uint64_t)float_to_i64(values[i]) : float_to_u64(values[i]);
}

int plan__run_cast(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  const struct vector *from = call->arguments[0];
  struct vector *result = call->result;
  uint64_t *out = result->own_values;
  bool to_float = result->type.physical == PHYSICAL_FLOAT64;
  if (type_is_string(result->type)) { /* text to bytes and back */
    EACH_ROW(row)((struct str *)result->own_values)[row] = vector_text(from, row);
  } else if (from->type.physical == PHYSICAL_BOOL) {
    for (uint32_t i = 0; i < call->count; i++)
      out[i] = bit_get(from->values, i);
    if (to_float) kernel_loops()->u64_to_f64(out, call->count, result->own_values);
  } else if (from->type.physical == PHYSICAL_FLOAT64 && !to_float) {
    floats_to_integers(from->values, call->count, result->type.physical == PHYSICAL_INT64, out);
  } else if (to_float && from->type.physical != PHYSICAL_FLOAT64) {
    integers_to_floats(from, call->count, out);
  } else {
    memcpy(out, from->values, (size_t)call->count * 8);
  }
  return ERR_OK;
}

/* ---- SQL: numbers ---- */

/* Where one row's value goes. */
struct cast_row {
  struct plan_call *call;
  uint32_t row;
  struct plan_value value; /* not null */
  struct err *err;
};

static int out_of_range(const struct cast_row *at) {
  return err_set(at->err, ERR_OUT_OF_RANGE, "%s out of range", type_name(at->call->result->type));
}

static int set_u64(const struct cast_row *at, uint64_t value) {
  ((uint64_t *)at->call->result->own_values)[at->row] = value;
  return ERR_OK;
}

static int set_bool(const struct cast_row *at, bool value) {
  if (value)
    bit_set(at->call->result->own_values, at->row);
  else
    bit_clear(at->call->result->own_values, at->row);
  return ERR_OK;
}

static int set_f64(const struct cast_row *at, double value) {
  ((double *)at->call->result->own_values)[at->row] = value;
  return ERR_OK;
}

static int from_float(const struct cast_row *at, double value) {
  double whole = rint(value);
  if (at->call->result->type.physical == PHYSICAL_BOOL) return set_bool(at, value != 0);
  if (at->call->result->type.physical == PHYSICAL_UINT64)
    return whole >= 0 && whole < 0x1p64 ? set_u64(at, (uint64_t)whole) : out_of_range(at);
  bool fits = fabs(whole) < 0x1p63 || whole == -0x1p63;
  return fits ? set_u64(at, (uint64_t)(int64_t)whole) : out_of_range(at);
}

static int from_integer(const struct cast_row *at, uint64_t value, bool is_signed) {
  struct type to = at->call->result->type;
  if (to.physical == PHYSICAL_BOOL) return set_bool(at, value != 0);
  bool fits = to.physical == PHYSICAL_UINT64 ? !is_signed || (int64_t)value >= 0
                                             : is_signed || value <= INT64_MAX;
  return fits ? set_u64(at, value) : out_of_range(at);
}

static int from_time(const struct cast_row *at, int64_t value) {
  int64_t out;
  enum time_unit from = (enum time_unit)at->value.type.parameter;
  enum time_unit to = (enum time_unit)at->call->result->type.parameter;
  if (!time_convert_floor(value, from, to, &out)) return out_of_range(at);
  return set_u64(at, (uint64_t)out);
}

/* ---- SQL: to text ---- */

/* Digits and an exponent as PostgreSQL spells them. */
static char *print_float(double value, char *out) {
  if (isnan(value)) return (char *)memcpy(out, "NaN", 3) + 3;
  if (isinf(value)) {
    const char *text = value < 0 ? "-Infinity" : "Infinity";
    return (char *)memcpy(out, text, strlen(text)) + strlen(text);
  }
  double size = fabs(value);
  if (size == 0 || (size >= 1e-4 && size < 1e15)) return number_print_f64_plain(value, out);
  uint64_t digits;
  int exponent;
  char text[NUMBER_TEXT_MAX];
  number_shortest(value, &digits, &exponent);
  int count = (int)(number_print_u64(digits, text) - text);
  if (value < 0) *out++ = '-';
  *out++ = text[0];
  if (count > 1) *out++ = '.';
  memcpy(out, text + 1, (size_t)count - 1);
  out += count - 1;
  exponent += count - 1;
  *out++ = 'e';
  *out++ = exponent < 0 ? '-' : '+';
  exponent = exponent < 0 ? -exponent : exponent;
  if (exponent < 10) *out++ = '0';
  return number_print_u64((uint64_t)exponent, out);
}

static size_t print_time(const struct plan_value *value, char *out) {
  enum time_unit unit = (enum time_unit)value->type.parameter;
  if (value->type.logical == LOGICAL_TIMESTAMP) return (size_t)time_format(value->i64, unit, out);
  int64_t ns;
  if (time_convert_exact(value->i64, unit, TIME_NS, &ns)) return (size_t)duration_format(ns, out);
  char *end = number_print_i64(value->i64, out); /* beyond what nanoseconds hold */
  const char *name = time_unit_name(unit);
  memcpy(end, name, strlen(name));
  return (size_t)(end - out) + strlen(name);
}

static int to_text(const struct cast_row *at) {
  char text[NUMBER_PLAIN_TEXT_MAX];
  size_t size = 0;
  const struct plan_value *value = &at->value;
  switch (plan__class(value->type)) {
  case CLASS_BOOL:
    size = value->boolean ? 4 : 5;
    memcpy(text, value->boolean ? "true" : "false", size);
    break;
  case CLASS_INT:
    size = (size_t)(number_print_i64(value->i64, text) - text);
    break;
  case CLASS_UINT:
    size = (size_t)(number_print_u64(value->u64, text) - text);
    break;
  case CLASS_FLOAT:
    size = (size_t)(print_float(value->f64, text) - text);
    break;
  default:
    size = print_time(value, text);
  }
  struct str copy = arena_copy(at->call->scratch, (struct str){text, size});
  if (!copy.data) return mem_refused(at->call->scratch->account, size, at->err);
  ((struct str *)at->call->result->own_values)[at->row] = copy;
  return ERR_OK;
}

/* ---- SQL: from text ---- */

static int bad_text(const struct cast_row *at) {
  struct str text = text_cut(at->value.text, 60);
  return err_set(at->err, ERR_INVALID_ARGUMENT, "invalid input for type %s: \"%.*s\"%s",
                 type_name(at->call->result->type), STR_ARG(text),
                 text.size < at->value.text.size ? " …" : "");
}

/* A prefix of a word of at least `least` letters. */
static bool is_word(struct str text, const char *word, size_t least) {
  struct str whole = str_from(word);
  return text.size >= least && text.size <= whole.size &&
         str_equal_ignoring_case(text, (struct str){whole.data, text.size});
}

static int bool_from_text(const struct cast_row *at, struct str text) {
  bool yes = is_word(text, "true", 1) || is_word(text, "yes", 1) || is_word(text, "on", 2) ||
             is_word(text, "1", 1);
  bool no = is_word(text, "false", 1) || is_word(text, "no", 1) || is_word(text, "off", 2) ||
            is_word(text, "0", 1);
  return yes || no ? set_bool(at, yes) : bad_text(at);
}

static int float_from_text(const struct cast_row *at, struct str text) {
  const char *next = text.data, *end = text.data + text.size;
  double value = 0;
  struct str word = text;
  bool minus = text.size && text.data[0] == '-';
  if (text.size && (minus || text.data[0] == '+')) word = (struct str){next + 1, text.size - 1};
  if (is_word(text, "nan", 3)) return set_f64(at, NAN);
  if (is_word(word, "infinity", 8) || is_word(word, "inf", 3))
    return set_f64(at, minus ? -INFINITY : INFINITY);
  enum number_result result = number_parse_f64(&next, end, &value);
  if (result == NUMBER_SYNTAX || next != end) return bad_text(at);
  return result == NUMBER_RANGE ? out_of_range(at) : set_f64(at, value);
}

static int integer_from_text(const struct cast_row *at, struct str text) {
  const char *next = text.data, *end = text.data + text.size;
  int64_t i64 = 0;
  uint64_t u64 = 0;
  bool is_signed = at->call->result->type.physical == PHYSICAL_INT64;
  enum number_result result =
      is_signed ? number_parse_i64(&next, end, &i64) : number_parse_u64(&next, end, &u64);
  if (result == NUMBER_SYNTAX || next != end) {
    bool negative = !is_signed && text.size && text.data[0] == '-';
    next = text.data;
    if (negative && number_parse_i64(&next, end, &i64) == NUMBER_OK && next == end)
      return i64 == 0 ? set_u64(at, 0) : out_of_range(at);
    return bad_text(at);
  }
  if (result == NUMBER_RANGE) return out_of_range(at);
  return set_u64(at, is_signed ? (uint64_t)i64 : u64);
}

static int time_from_text(const struct cast_row *at, struct str text) {
  struct type to = at->call->result->type;
  struct err why;
  int64_t value;
  int code;
  if (to.logical == LOGICAL_TIMESTAMP) {
    __int128 ns;
    code = time_parse(text, &ns, &why);
    if (code) return code == ERR_OUT_OF_RANGE ? out_of_range(at) : bad_text(at);
    value = time_from_ns_floor(ns, (enum time_unit)to.parameter);
    if (value == INT64_MIN || value == INT64_MAX) return out_of_range(at);
  } else {
    int64_t ns;
    code = duration_parse(text, &ns, &why);
    if (code) return code == ERR_OUT_OF_RANGE ? out_of_range(at) : bad_text(at);
    if (!time_convert_floor(ns, TIME_NS, (enum time_unit)to.parameter, &value))
      return out_of_range(at);
  }
  return set_u64(at, (uint64_t)value);
}

static int from_text(const struct cast_row *at) {
  struct str text = text_trim(at->value.text);
  switch (plan__class(at->call->result->type)) {
  case CLASS_BOOL:
    return bool_from_text(at, text);
  case CLASS_FLOAT:
    return float_from_text(at, text);
  case CLASS_TIME:
    return time_from_text(at, text);
  default:
    return integer_from_text(at, text);
  }
}

int plan__run_cast_sql(struct plan_call *call, const uint64_t *rows, struct err *err) {
  struct cast_row at = {.call = call, .err = err};
  bool text = type_is_string(call->result->type);
  EACH_ROW(row) {
    at.row = row;
    at.value = vector_value(call->arguments[0], row);
    int code;
    if (text)
      code = to_text(&at);
    else if (type_is_string(at.value.type))
      code = from_text(&at);
    else if (plan__class(at.value.type) == CLASS_TIME)
      code = from_time(&at, at.value.i64);
    else if (at.value.type.physical == PHYSICAL_FLOAT64)
      code = from_float(&at, at.value.f64);
    else
      code = from_integer(&at, at.value.u64, at.value.type.physical == PHYSICAL_INT64);
    if (code) return code;
  }
  return ERR_OK;
}
