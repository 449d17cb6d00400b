/* SQL's casts, a value at a time: numbers are rounded (floats to even, numerics away from zero) and
 * refused where they do not fit, times go by the clock of the session, texts are those of
 * value_text.h. PostgreSQL's rules and words. */
#include <math.h>

#include "base/datetime.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/text.h"
#include "plan/json_value.h"
#include "plan/plan_private.h"
#include "plan/value_text.h"

/* What one cast is about. */
struct casting {
  const struct plan_value *from;
  const struct datetime_session *session;
  struct arena *arena;
  struct plan_value *to; /* its type is set */
  struct err *err;
};

static int out_of_range(const struct casting *casting) {
  return err_set(casting->err, ERR_OUT_OF_RANGE, "%s out of range",
                 type_sql_name(casting->to->type));
}

static int keep(const struct casting *casting, const void *bytes, size_t size) {
  casting->to->text = arena_copy(casting->arena, str_of(bytes, size));
  return casting->to->text.data ? ERR_OK : mem_refused(casting->arena->account, size, casting->err);
}

static int give_decimal(const struct casting *casting, const struct decimal *value) {
  uint8_t bytes[DECIMAL_BYTES_MAX];
  return keep(casting, bytes, decimal_store(value, bytes));
}

static int give_interval(const struct casting *casting, const struct interval *value) {
  uint8_t bytes[INTERVAL_BYTES];
  interval_store(value, bytes);
  return keep(casting, bytes, sizeof bytes);
}

static int damaged(const struct casting *casting) {
  return err_set(casting->err, ERR_CORRUPTION, "a stored %s is damaged",
                 type_sql_name(casting->from->type));
}

/* ---- to numbers ---- */

bool plan__integer_fits(struct type type, int64_t value) {
  if (type.logical == LOGICAL_INT16) return value >= INT16_MIN && value <= INT16_MAX;
  return type.logical != LOGICAL_INT32 || (value >= INT32_MIN && value <= INT32_MAX);
}

static int give_i64(const struct casting *casting, int64_t value) {
  casting->to->i64 = value;
  return plan__integer_fits(casting->to->type, value) ? ERR_OK : out_of_range(casting);
}

static int give_f64(const struct casting *casting, double value) {
  if (casting->to->type.logical == LOGICAL_REAL && isfinite(value)) {
    float real = (float)value;
    if (isinf(real)) return err_set(casting->err, ERR_OUT_OF_RANGE, "value out of range: overflow");
    if (real == 0 && value != 0)
      return err_set(casting->err, ERR_OUT_OF_RANGE, "value out of range: underflow");
    value = (double)real;
  }
  casting->to->f64 = value;
  return ERR_OK;
}

static int from_integer(const struct casting *casting, uint64_t bits, bool is_signed) {
  struct plan_value *to = casting->to;
  struct decimal decimal;
  switch (plan__class(to->type)) {
  case CLASS_BOOL:
    to->boolean = bits != 0;
    return ERR_OK;
  case CLASS_DECIMAL:
    decimal = is_signed ? decimal_of_i64((int64_t)bits) : decimal_of_u64(bits);
    return give_decimal(casting, &decimal);
  case CLASS_FLOAT:
    return give_f64(casting, is_signed ? (double)(int64_t)bits : (double)bits);
  case CLASS_UINT:
    to->u64 = bits;
    return !is_signed || (int64_t)bits >= 0 ? ERR_OK : out_of_range(casting);
  default:
    if (!is_signed && bits > INT64_MAX) return out_of_range(casting);
    return give_i64(casting, (int64_t)bits);
  }
}

static int from_float(const struct casting *casting, double value) {
  struct plan_value *to = casting->to;
  struct decimal decimal;
  double whole = rint(value);
  bool real = casting->from->type.logical == LOGICAL_REAL;
  switch (plan__class(to->type)) {
  case CLASS_BOOL:
    to->boolean = value != 0;
    return ERR_OK;
  case CLASS_FLOAT:
    return give_f64(casting, value);
  case CLASS_DECIMAL: {
    int code = real ? decimal_of_f32((float)value, &decimal) : decimal_of_f64(value, &decimal);
    return code ? decimal_explain(code, casting->err) : give_decimal(casting, &decimal);
  }
  case CLASS_UINT:
    if (!(whole >= 0 && whole < 0x1p64)) return out_of_range(casting);
    to->u64 = (uint64_t)whole;
    return ERR_OK;
  default:
    if (!(fabs(whole) < 0x1p63 || whole == -0x1p63)) return out_of_range(casting);
    return give_i64(casting, (int64_t)whole);
  }
}

static int from_decimal(const struct casting *casting) {
  struct decimal value;
  struct plan_value *to = casting->to;
  if (!decimal_load(casting->from->text, &value)) return damaged(casting);
  switch (plan__class(to->type)) {
  case CLASS_FLOAT:
    return give_f64(casting, decimal_to_f64(&value));
  case CLASS_BOOL:
    to->boolean = value.m != 0 || value.kind != DECIMAL_FINITE;
    return ERR_OK;
  case CLASS_DECIMAL:
    return give_decimal(casting, &value);
  default:
    break;
  }
  if (value.kind != DECIMAL_FINITE)
    return err_set(casting->err, ERR_UNSUPPORTED, "cannot convert %s to %s",
                   value.kind == DECIMAL_NAN ? "NaN" : "infinity", type_sql_name(to->type));
  if (to->type.physical == PHYSICAL_UINT64)
    return decimal_to_u64(&value, &to->u64) ? ERR_OK : out_of_range(casting);
  int64_t whole;
  return decimal_to_i64(&value, &whole) ? give_i64(casting, whole) : out_of_range(casting);
}

/* ---- times ---- */

static int beyond(const struct casting *casting) {
  const char *word = casting->to->type.logical == LOGICAL_DATE ? "date" : "timestamp";
  return err_set(casting->err, ERR_DATETIME_OVERFLOW, "%s out of range", word);
}

static enum time_unit unit_of(struct type type) { return (enum time_unit)type.parameter; }

/* What a wall clock shows, in a unit, as another type. */
static int from_local(const struct casting *casting, int64_t local, enum time_unit unit) {
  struct plan_value *to = casting->to;
  struct datetime_zone zone = datetime_zone_of(casting->session);
  int64_t value = 0;
  bool fits = true;
  switch (to->type.logical) {
  case LOGICAL_DATE:
    to->i64 = datetime_date_of_local(local, unit);
    return ERR_OK;
  case LOGICAL_TIME:
    if (datetime_is_infinite(local)) {
      to->null = true;
      return ERR_OK;
    }
    to->i64 = 0;
    fits = datetime_convert(datetime_time_of_local(local, unit), unit, unit_of(to->type), &to->i64);
    return fits ? ERR_OK : beyond(casting);
  case LOGICAL_TIMESTAMP:
    fits = datetime_instant_of_local(local, unit, zone, &value);
    local = value;
    break;
  default:
    break;
  }
  fits = fits && datetime_convert(local, unit, unit_of(to->type), &to->i64);
  return fits ? ERR_OK : beyond(casting);
}

static int from_clock(const struct casting *casting, int64_t time) {
  enum time_unit unit = unit_of(casting->from->type);
  struct interval span = {0, 0, 0};
  if (casting->to->type.logical == LOGICAL_TIME)
    return datetime_convert(time, unit, unit_of(casting->to->type), &casting->to->i64)
               ? ERR_OK
               : beyond(casting);
  datetime_convert(time, unit, TIME_US, &span.us);
  return give_interval(casting, &span);
}

static int from_duration(const struct casting *casting, int64_t value) {
  enum time_unit unit = unit_of(casting->from->type);
  struct interval span = {0, 0, 0};
  if (casting->to->type.logical == LOGICAL_DURATION)
    return time_convert_floor(value, unit, unit_of(casting->to->type), &casting->to->i64)
               ? ERR_OK
               : out_of_range(casting);
  bool fits = time_convert_floor(value, unit, TIME_US, &span.us);
  return fits ? give_interval(casting, &span) : out_of_range(casting);
}

static int from_time(const struct casting *casting, int64_t value) {
  struct type from = casting->from->type, to = casting->to->type;
  int64_t local = value;
  switch (from.logical) {
  case LOGICAL_TIMESTAMP:
    if (to.logical == LOGICAL_TIMESTAMP)
      return datetime_convert(value, unit_of(from), unit_of(to), &casting->to->i64)
                 ? ERR_OK
                 : beyond(casting);
    if (!datetime_local_of_instant(value, unit_of(from), datetime_zone_of(casting->session),
                                   &local))
      return beyond(casting);
    return from_local(casting, local, unit_of(from));
  case LOGICAL_LOCAL:
    return from_local(casting, value, unit_of(from));
  case LOGICAL_DATE: {
    enum time_unit unit = to.logical == LOGICAL_DATE ? TIME_S : unit_of(to);
    if (!datetime_local_of_date(value, unit, &local)) return beyond(casting);
    return from_local(casting, local, unit);
  }
  case LOGICAL_TIME:
    return from_clock(casting, value);
  default:
    return from_duration(casting, value);
  }
}

static int from_interval(const struct casting *casting) {
  struct interval value, day = {0, 0, 0};
  if (!interval_load(casting->from->text, &value)) return damaged(casting);
  if (casting->to->type.logical == LOGICAL_TIME) {
    day.us = value.us;
    casting->to->i64 = datetime_add_time(0, unit_of(casting->to->type), &day);
    return ERR_OK;
  }
  if (casting->to->type.logical != LOGICAL_DURATION) return give_interval(casting, &value);
  __int128 us = (__int128)value.us + ((__int128)value.months * 30 + value.days) * US_PER_DAY;
  return time_from_ns_exact(us * NS_PER_US / time_unit_ns(unit_of(casting->to->type)) *
                                time_unit_ns(unit_of(casting->to->type)),
                            unit_of(casting->to->type), &casting->to->i64)
             ? ERR_OK
             : out_of_range(casting);
}

/* ---- JSON and arrays ---- */

static int from_json(const struct casting *casting) {
  struct json_value tree;
  struct type to = casting->to->type;
  if (to.physical == PHYSICAL_STRING)
    return plan_value_read(casting->from->text, to, casting->session, casting->arena, casting->to,
                           casting->err);
  int code = json_value_read(casting->from->text, casting->arena, &tree, casting->err);
  if (code) return code;
  bool number = tree.kind == JSON_VALUE_NUMBER && to.physical != PHYSICAL_BOOL;
  if (tree.kind == JSON_VALUE_BOOL && to.physical == PHYSICAL_BOOL) {
    casting->to->boolean = tree.boolean;
    return ERR_OK;
  }
  if (!number)
    return err_set(casting->err, ERR_INVALID_ARGUMENT, "cannot cast jsonb %s to type %s",
                   json_value_type(&tree), type_sql_name(to));
  struct plan_value decimal;
  code = plan_value_read(tree.text, TYPE_DECIMAL, NULL, casting->arena, &decimal, casting->err);
  if (code) return code;
  struct casting next = *casting;
  next.from = &decimal;
  return from_decimal(&next);
}

static int from_array(const struct casting *casting) {
  struct array array;
  struct array_builder builder;
  struct type from = type_item(casting->from->type), to = type_item(casting->to->type);
  int code = plan_array_open(casting->from->text, casting->from->type, &array, casting->err);
  if (code) return code;
  array_builder_init(&builder, plan_array_items(to), casting->arena->account);
  for (uint32_t i = 0; i < array.count && !code; i++) {
    struct plan_value item = plan_array_item(&array, from, i), cast = {.type = to, .null = true};
    if (!item.null)
      code = plan_value_cast(&item, to, casting->session, casting->arena, &cast, casting->err);
    plan_array_add(&builder, &cast);
  }
  if (!code) code = plan_array_finish(&builder, casting->arena, &casting->to->text, casting->err);
  array_builder_deinit(&builder);
  return code;
}

/* ---- any ---- */

static bool is_text(struct type type) { return type_equal(type, TYPE_STRING); }

static int cast(const struct casting *casting) {
  const struct plan_value *from = casting->from;
  struct type to = casting->to->type;
  if (is_text(to))
    return plan_value_text(from, casting->session, casting->arena, &casting->to->text,
                           casting->err);
  if (is_text(from->type) || from->type.logical == LOGICAL_UNKNOWN)
    return plan_value_read(from->text, to, casting->session, casting->arena, casting->to,
                           casting->err);
  if (from->type.logical == LOGICAL_JSON) return from_json(casting);
  if (from->type.logical == LOGICAL_ARRAY) return from_array(casting);
  switch (plan__class(from->type)) {
  case CLASS_BOOL:
    return from_integer(casting, from->boolean, true);
  case CLASS_INT:
    return from_integer(casting, from->u64, true);
  case CLASS_UINT:
    return from_integer(casting, from->u64, false);
  case CLASS_FLOAT:
    return from_float(casting, from->f64);
  case CLASS_DECIMAL:
    return from_decimal(casting);
  case CLASS_INTERVAL:
    return from_interval(casting);
  case CLASS_TIME:
    return from_time(casting, from->i64);
  default:
    casting->to->text = from->text;
    return ERR_OK;
  }
}

int plan_value_cast(const struct plan_value *from, struct type to,
                    const struct datetime_session *session, struct arena *arena,
                    struct plan_value *value, struct err *err) {
  *value = (struct plan_value){.type = to, .null = from->null};
  if (from->null) return ERR_OK;
  const struct casting casting = {from, session, arena, value, err};
  return cast(&casting);
}

/* ---- which there are ---- */

enum { WHOLE = CLASS_INT | CLASS_UINT, NUMBERS = WHOLE | CLASS_FLOAT | CLASS_DECIMAL };

/* Of times: what becomes what. */
static bool time_becomes(struct type from, struct type to) {
  static const uint32_t becomes[] = {
#define BIT(logical) (UINT32_C(1) << LOGICAL_##logical)
      [LOGICAL_TIMESTAMP] = BIT(TIMESTAMP) | BIT(LOCAL) | BIT(DATE) | BIT(TIME),
      [LOGICAL_LOCAL] = BIT(TIMESTAMP) | BIT(LOCAL) | BIT(DATE) | BIT(TIME),
      [LOGICAL_DATE] = BIT(TIMESTAMP) | BIT(LOCAL) | BIT(DATE),
      [LOGICAL_TIME] = BIT(TIME) | BIT(INTERVAL),
      [LOGICAL_DURATION] = BIT(DURATION) | BIT(INTERVAL),
      [LOGICAL_INTERVAL] = BIT(TIME) | BIT(INTERVAL) | BIT(DURATION),
#undef BIT
  };
  return from.logical < sizeof becomes / sizeof becomes[0] &&
         becomes[from.logical] >> to.logical & 1;
}

/* Signed ones by their width: 2, 4, 8. */
static int integer_width(struct type type) {
  return type.logical == LOGICAL_INT16 ? 2 : type.logical == LOGICAL_INT32 ? 4 : 8;
}

static bool is_list(struct type type) {
  return type.logical == LOGICAL_LIST_STRING || type.logical == LOGICAL_LIST_INT64;
}

enum plan_cast plan__cast_of(struct type from, struct type to) {
  unsigned a = plan__class(from), b = plan__class(to);
  bool plain_time = from.logical == LOGICAL_TIMESTAMP || to.logical == LOGICAL_TIMESTAMP ||
                    from.logical == LOGICAL_DURATION || to.logical == LOGICAL_DURATION;
  if (is_list(from) || is_list(to)) return a == b ? PLAN_CAST_CERTAIN : PLAN_CAST_NONE;
  if (is_text(to)) return from.physical == PHYSICAL_STRING ? PLAN_CAST_CERTAIN : PLAN_CAST_CHECKED;
  if (is_text(from) || from.logical == LOGICAL_UNKNOWN)
    return b ? PLAN_CAST_CHECKED : PLAN_CAST_NONE;
  if (from.logical == LOGICAL_JSON)
    return to.logical == LOGICAL_JSON || b & (NUMBERS | CLASS_BOOL) ? PLAN_CAST_CHECKED
                                                                    : PLAN_CAST_NONE;
  if (from.logical == LOGICAL_ARRAY && to.logical == LOGICAL_ARRAY)
    return plan__cast_of(type_item(from), type_item(to)) ? PLAN_CAST_CHECKED : PLAN_CAST_NONE;
  if (a & (CLASS_TIME | CLASS_INTERVAL) && b & (CLASS_TIME | CLASS_INTERVAL))
    return time_becomes(from, to) ? PLAN_CAST_CHECKED : PLAN_CAST_NONE;
  if ((a | b) == (CLASS_INT | CLASS_TIME)) return plain_time ? PLAN_CAST_CERTAIN : PLAN_CAST_NONE;
  if (a == CLASS_BOOL && b & NUMBERS)
    return b == CLASS_DECIMAL ? PLAN_CAST_CHECKED : PLAN_CAST_CERTAIN;
  if (!(a & NUMBERS) || !(b & (NUMBERS | CLASS_BOOL))) return PLAN_CAST_NONE;
  bool wider = a == CLASS_INT && b == CLASS_INT && integer_width(from) <= integer_width(to);
  bool to_double = b == CLASS_FLOAT && to.logical != LOGICAL_REAL && a != CLASS_DECIMAL;
  return wider || to_double ? PLAN_CAST_CERTAIN : PLAN_CAST_CHECKED;
}
