/* Which types the functions take, what they are brought to, and what comes out: a table.
 *
 * Every function names the classes of types that it takes and one of few rules for the type in
 * which it computes, or its shapes: "sii:s" takes a string and two integers and gives a string
 * (a trailing argument may be left out where functions.def allows it, '*' repeats the last).
 * Literals give way: a non-negative integer literal beside an unsigned column is unsigned, an
 * untyped null is whatever stands beside it. */
#include "base/err.h"
#include "base/time.h"
#include "plan/plan_private.h"

enum {
  INTEGERS = CLASS_INT | CLASS_UINT,
  NUMBERS = INTEGERS | CLASS_FLOAT,
  SIGNED = CLASS_INT | CLASS_FLOAT | CLASS_DECIMAL,
};
enum {
  ORDERED = NUMBERS | CLASS_BOOL | CLASS_STRING | CLASS_TIME | CLASS_DECIMAL | CLASS_INTERVAL
};

enum rule {
  RULE_GIVEN,       /* whoever makes the call says what comes out: expr_call_as */
  RULE_SHAPE,       /* by its shapes */
  RULE_COMMON,      /* all in the widest of their types, which is the result's */
  RULE_FLOAT,       /* all in floats */
  RULE_COMPARE,     /* both in the wider one; signed beside unsigned stay as they are; a boolean */
  RULE_COMPARE_SQL, /* the same; times of different units, too */
  RULE_BOOL,        /* booleans */
  RULE_ANY,         /* as it is; a boolean */
  RULE_SQL,         /* SQL's arithmetic: numbers as COMMON, times and durations */
  RULE_SAME,        /* all in one type, which is the result's */
  RULE_AMONG,       /* all in one type; a boolean */
  RULE_CASE,        /* conditions and values in turn */
};

static const struct typing {
  unsigned classes;
  enum rule rule;
  const char *shapes;
} typings[FUNCTION_COUNT] = {
    [FUNCTION_ADD] = {NUMBERS, RULE_COMMON, 0},
    [FUNCTION_SUBTRACT] = {NUMBERS, RULE_COMMON, 0},
    [FUNCTION_MULTIPLY] = {NUMBERS, RULE_COMMON, 0},
    [FUNCTION_DIVIDE] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_MODULO] = {NUMBERS, RULE_COMMON, 0},
    [FUNCTION_BIT_AND] = {INTEGERS | CLASS_BOOL, RULE_COMMON, 0},
    [FUNCTION_BIT_OR] = {INTEGERS | CLASS_BOOL, RULE_COMMON, 0},
    [FUNCTION_BIT_XOR] = {INTEGERS | CLASS_BOOL, RULE_COMMON, 0},
    [FUNCTION_NEGATE] = {CLASS_INT | CLASS_FLOAT, RULE_COMMON, 0},
    [FUNCTION_BIT_NOT] = {INTEGERS, RULE_COMMON, 0},
    [FUNCTION_SHIFT_LEFT] = {INTEGERS, RULE_SHAPE, "ii:i ui:u"},
    [FUNCTION_SHIFT_RIGHT] = {INTEGERS, RULE_SHAPE, "ii:i ui:u"},
    [FUNCTION_ADD_SQL] = {NUMBERS | CLASS_DECIMAL, RULE_SQL, 0},
    [FUNCTION_SUBTRACT_SQL] = {NUMBERS | CLASS_DECIMAL, RULE_SQL, 0},
    [FUNCTION_MULTIPLY_SQL] = {NUMBERS | CLASS_DECIMAL, RULE_SQL, 0},
    [FUNCTION_DIVIDE_SQL] = {NUMBERS | CLASS_DECIMAL, RULE_SQL, 0},
    [FUNCTION_MODULO_SQL] = {NUMBERS | CLASS_DECIMAL, RULE_SQL, 0},
    [FUNCTION_NEGATE_SQL] = {SIGNED | CLASS_TIME | CLASS_INTERVAL, RULE_SQL, 0},
    [FUNCTION_ABS_SQL] = {NUMBERS | CLASS_DECIMAL | CLASS_TIME, RULE_SQL, 0},
    [FUNCTION_EQUAL] = {ORDERED, RULE_COMPARE, 0},
    [FUNCTION_NOT_EQUAL] = {ORDERED, RULE_COMPARE, 0},
    [FUNCTION_LESS] = {ORDERED, RULE_COMPARE, 0},
    [FUNCTION_LESS_EQUAL] = {ORDERED, RULE_COMPARE, 0},
    [FUNCTION_GREATER] = {ORDERED, RULE_COMPARE, 0},
    [FUNCTION_GREATER_EQUAL] = {ORDERED, RULE_COMPARE, 0},
    [FUNCTION_EQUAL_SQL] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_NOT_EQUAL_SQL] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_LESS_SQL] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_LESS_EQUAL_SQL] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_GREATER_SQL] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_GREATER_EQUAL_SQL] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_DISTINCT_FROM] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_NOT_DISTINCT_FROM] = {ORDERED, RULE_COMPARE_SQL, 0},
    [FUNCTION_AND] = {CLASS_BOOL, RULE_BOOL, 0},
    [FUNCTION_OR] = {CLASS_BOOL, RULE_BOOL, 0},
    [FUNCTION_NOT] = {CLASS_BOOL, RULE_BOOL, 0},
    [FUNCTION_IS_PRESENT] = {ORDERED, RULE_ANY, 0},
    [FUNCTION_IS_NULL] = {ORDERED, RULE_ANY, 0},
    [FUNCTION_IS_TRUE] = {CLASS_BOOL, RULE_BOOL, 0},
    [FUNCTION_CASE] = {ORDERED, RULE_CASE, 0},
    [FUNCTION_COALESCE] = {ORDERED, RULE_SAME, 0},
    [FUNCTION_NULLIF] = {ORDERED, RULE_SAME, 0},
    [FUNCTION_GREATEST] = {ORDERED, RULE_SAME, 0},
    [FUNCTION_LEAST] = {ORDERED, RULE_SAME, 0},
    [FUNCTION_IN] = {ORDERED, RULE_AMONG, 0},
    [FUNCTION_MATCH] = {CLASS_STRING, RULE_ANY, 0},
    [FUNCTION_LIKE] = {0, RULE_SHAPE, "sss:b"},
    [FUNCTION_ILIKE] = {0, RULE_SHAPE, "sss:b"},
    [FUNCTION_LENGTH] = {0, RULE_SHAPE, "s:i"},
    [FUNCTION_BYTE_LENGTH] = {0, RULE_SHAPE, "s:i"},
    [FUNCTION_POSITION] = {0, RULE_SHAPE, "ss:i"},
    [FUNCTION_ASCII] = {0, RULE_SHAPE, "s:i"},
    [FUNCTION_STARTS_WITH] = {0, RULE_SHAPE, "ss:b"},
    [FUNCTION_LOWER] = {0, RULE_SHAPE, "s:s"},
    [FUNCTION_UPPER] = {0, RULE_SHAPE, "s:s"},
    [FUNCTION_SUBSTRING] = {0, RULE_SHAPE, "sii:s"},
    [FUNCTION_TRIM] = {0, RULE_SHAPE, "ss:s"},
    [FUNCTION_TRIM_LEFT] = {0, RULE_SHAPE, "ss:s"},
    [FUNCTION_TRIM_RIGHT] = {0, RULE_SHAPE, "ss:s"},
    [FUNCTION_REPLACE] = {0, RULE_SHAPE, "sss:s"},
    [FUNCTION_LEFT] = {0, RULE_SHAPE, "si:s"},
    [FUNCTION_RIGHT] = {0, RULE_SHAPE, "si:s"},
    [FUNCTION_SPLIT_PART] = {0, RULE_SHAPE, "ssi:s"},
    [FUNCTION_LPAD] = {0, RULE_SHAPE, "sis:s"},
    [FUNCTION_RPAD] = {0, RULE_SHAPE, "sis:s"},
    [FUNCTION_REVERSE] = {0, RULE_SHAPE, "s:s"},
    [FUNCTION_REPEAT] = {0, RULE_SHAPE, "si:s"},
    [FUNCTION_CONCAT] = {0, RULE_SHAPE, "s*:s"},
    [FUNCTION_CONCAT_ANY] = {0, RULE_SHAPE, "s*:s"},
    [FUNCTION_ABS] = {NUMBERS, RULE_COMMON, 0},
    [FUNCTION_SIGN] = {NUMBERS, RULE_COMMON, 0},
    [FUNCTION_CEIL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_FLOOR] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ROUND] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ROUND_EVEN] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ROUND_DIGITS] = {0, RULE_SHAPE, "fi:f"},
    [FUNCTION_TRUNCATE] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_TRUNCATE_DIGITS] = {0, RULE_SHAPE, "fi:f"},
    [FUNCTION_SQRT] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_CBRT] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_EXP] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LN] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LOG2] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LOG10] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LOG] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_POWER] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_SIN] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_COS] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_TAN] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ASIN] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ACOS] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ATAN] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ATAN2] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_SQRT_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_EXP_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LN_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LOG10_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_LOG_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_POWER_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ASIN_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_ACOS_SQL] = {NUMBERS, RULE_FLOAT, 0},
    [FUNCTION_CAST] = {0, RULE_ANY, 0},     /* expr_cast, */
    [FUNCTION_CAST_SQL] = {0, RULE_ANY, 0}, /* expr_cast_sql and */
    [FUNCTION_BUCKET] = {0, RULE_ANY, 0},   /* expr_bucket have rules of their own */
    [FUNCTION_DATE_PART] = {0, RULE_SHAPE, "st:f"},
};

bool plan__function_is_given(enum plan_function function) {
  return typings[function].rule == RULE_GIVEN;
}

unsigned plan__class(struct type type) {
  switch (type.physical) {
  case PHYSICAL_BOOL:
    return CLASS_BOOL;
  case PHYSICAL_INT64:
    return type.logical == LOGICAL_PLAIN || type.logical == LOGICAL_INT16 ||
                   type.logical == LOGICAL_INT32
               ? CLASS_INT
               : CLASS_TIME;
  case PHYSICAL_UINT64:
    return CLASS_UINT;
  case PHYSICAL_FLOAT64:
    return CLASS_FLOAT;
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    return type.logical == LOGICAL_DECIMAL    ? CLASS_DECIMAL
           : type.logical == LOGICAL_INTERVAL ? CLASS_INTERVAL
                                              : CLASS_STRING;
  default:
    return 0;
  }
}

bool plan__is_comparison(enum plan_function function, enum compare_op *op) {
  if (function >= FUNCTION_EQUAL && function <= FUNCTION_GREATER_EQUAL)
    *op = (enum compare_op)(function - FUNCTION_EQUAL);
  else if (function >= FUNCTION_EQUAL_SQL && function <= FUNCTION_GREATER_EQUAL_SQL)
    *op = (enum compare_op)(function - FUNCTION_EQUAL_SQL);
  else
    return false;
  return true;
}

static bool literal_null(const struct expr *expr) {
  return expr->kind == EXPR_LITERAL && expr->literal.null;
}

/* An integer literal that is not negative. */
static bool literal_natural(const struct expr *expr) {
  return expr->kind == EXPR_LITERAL && !expr->literal.null &&
         plan__class(expr->type) == CLASS_INT && expr->literal.i64 >= 0;
}

static int refuse(enum plan_function function, const struct expr *const *arguments, uint32_t count,
                  struct err *err) {
  const char *word = plan__function_is_named(function) ? "function" : "operator";
  const char *symbol = plan__function_name(function);
  if (count == 1)
    return err_set(err, ERR_UNSUPPORTED, "%s \"%s\" does not take %s", word, symbol,
                   type_name(arguments[0]->type));
  return err_set(err, ERR_UNSUPPORTED, "%s \"%s\" does not take %s and %s%s", word, symbol,
                 type_name(arguments[0]->type), type_name(arguments[1]->type),
                 count > 2 ? " …" : "");
}

/* ---- one type for two ---- */

/* Times of one kind in the finer unit of the two. */
static bool common_time(struct type a, struct type b, struct type *type) {
  *type = a.parameter < b.parameter ? a : b;
  return a.logical == b.logical;
}

/* The wider of two integers or floats. */
static struct type wider(struct type a, struct type b) {
  if (a.logical == LOGICAL_PLAIN || b.logical == LOGICAL_INT16) return a;
  return b.logical == LOGICAL_PLAIN || a.logical == LOGICAL_INT16 ? b : a;
}

/* Beside each other: texts, unless they are arrays, JSON or UUIDs of different types. */
static bool same_class(struct type a, struct type b, unsigned class, bool compare,
                       struct type *type) {
  *type = a;
  if (type_equal(a, b)) return true;
  if (class == CLASS_INT || class == CLASS_FLOAT) {
    *type = compare ? (struct type){0} : wider(a, b); /* compared as they are */
    return true;
  }
  return class != CLASS_TIME && a.logical != LOGICAL_ARRAY && b.logical != LOGICAL_ARRAY;
}

static bool common_type(const struct expr *a, const struct expr *b, bool compare,
                        struct type *type) {
  unsigned x = plan__class(a->type), y = plan__class(b->type);
  *type = a->type;
  if (x == y) {
    return same_class(a->type, b->type, x, compare, type);
  } else if (((x | y) & CLASS_DECIMAL) && !((x | y) & ~(unsigned)(NUMBERS | CLASS_DECIMAL))) {
    *type = (x | y) & CLASS_FLOAT ? TYPE_FLOAT64 : TYPE_DECIMAL;
  } else if ((x | y) == INTEGERS) {
    bool signed_too = compare && !literal_natural(x == CLASS_INT ? a : b);
    *type = signed_too ? (struct type){0} : TYPE_UINT64;
  } else if (((x | y) & ~(unsigned)NUMBERS) == 0) {
    *type = TYPE_FLOAT64;
  } else if (compare && (x | y) == (CLASS_TIME | CLASS_INT)) {
    *type = (struct type){0};
  } else {
    return false;
  }
  return true;
}

/* One type for all but null literals; nulls alone have the first one's. */
static bool same_type(const struct expr *const *arguments, uint32_t count, uint32_t from,
                      uint32_t step, struct type *type) {
  const struct expr *so_far = NULL;
  struct expr common = {.kind = EXPR_COLUMN};
  for (uint32_t i = from; i < count; i += step) {
    const struct expr *argument = arguments[i];
    if (literal_null(argument)) continue;
    common.type = argument->type;
    bool times = so_far && plan__class(so_far->type) == CLASS_TIME;
    if (times && plan__class(argument->type) == CLASS_TIME) {
      if (!common_time(so_far->type, argument->type, &common.type)) return false;
    } else if (so_far && !common_type(so_far, argument, false, &common.type)) {
      return false;
    }
    so_far = &common;
  }
  *type = so_far ? so_far->type : arguments[from]->type;
  return true;
}

/* ---- shapes ---- */

static bool fits_letter(const struct expr *argument, char letter) {
  unsigned class = plan__class(argument->type);
  if (literal_null(argument)) return true;
  switch (letter) {
  case 's':
    return class == CLASS_STRING;
  case 'i':
    return class == CLASS_INT;
  case 'u':
    return class == CLASS_UINT;
  case 'f':
    return class & NUMBERS;
  case 't':
    return class == CLASS_TIME;
  default:
    return class == CLASS_BOOL;
  }
}

static struct type letter_type(char letter) {
  return letter == 's'   ? TYPE_STRING
         : letter == 'i' ? TYPE_INT64
         : letter == 'u' ? TYPE_UINT64
         : letter == 'f' ? TYPE_FLOAT64
         : letter == 'b' ? TYPE_BOOL
                         : (struct type){0};
}

/* Tries the shape at *shape; moves it to the next one. */
static bool fits_shape(const char **shape, const struct expr *const *arguments, uint32_t count,
                       struct type *wanted, struct type *result) {
  const char *at = *shape, *end = at;
  while (*end && *end != ' ')
    end++;
  *shape = *end ? end + 1 : end;
  bool fits = true;
  for (uint32_t i = 0; i < count; i++) {
    if (*at == ':') fits = false;
    if (!fits) break;
    fits = fits_letter(arguments[i], *at);
    wanted[i] = letter_type(*at);
    if (wanted[i].physical == PHYSICAL_STRING && arguments[i]->type.physical == PHYSICAL_BYTES)
      wanted[i] = (struct type){0}; /* bytes are texts, too */
    if (at[1] != '*') at++;
  }
  while (*at != ':')
    at++;
  *result = letter_type(at[1]);
  return fits;
}

/* ---- SQL's arithmetic ---- */

static bool is_duration(struct type type) { return type.logical == LOGICAL_DURATION; }

static bool has_unit(struct type type) {
  return type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
         type.logical == LOGICAL_TIME || is_duration(type);
}

/* Of times and durations: what both are brought to and what comes out. */
static bool duration_arithmetic(enum plan_function function, struct type a, struct type b,
                                struct type *wanted, struct type *result) {
  uint16_t unit = a.parameter;
  bool both = plan__class(a) == CLASS_TIME && plan__class(b) == CLASS_TIME;
  if (both) {
    unit = a.parameter < b.parameter ? a.parameter : b.parameter;
    wanted[0] = (struct type){PHYSICAL_INT64, a.logical, unit};
    wanted[1] = (struct type){PHYSICAL_INT64, b.logical, unit};
  }
  if (function == FUNCTION_ADD_SQL) {
    bool times = !is_duration(a) || !is_duration(b);
    *result = (struct type){PHYSICAL_INT64, times ? LOGICAL_TIMESTAMP : LOGICAL_DURATION, unit};
    return both && (is_duration(a) || is_duration(b));
  }
  if (function == FUNCTION_SUBTRACT_SQL) {
    bool times = !is_duration(a);
    *result = (struct type){PHYSICAL_INT64, times ? LOGICAL_TIMESTAMP : LOGICAL_DURATION, unit};
    return both && is_duration(b);
  }
  if (function == FUNCTION_MULTIPLY_SQL && plan__class(a) == CLASS_INT) {
    *result = b;
    return is_duration(b);
  }
  bool scaled = function == FUNCTION_MULTIPLY_SQL || function == FUNCTION_DIVIDE_SQL;
  *result = a;
  return scaled && is_duration(a) && plan__class(b) == CLASS_INT;
}

/* SQL's dates, times and intervals: operator, both sides and the result. Units are the sides'. */
enum { A_NUMBER = 255, AN_INTEGER = 254 };
static const struct time_row {
  enum plan_function function;
  uint8_t a, b, result;
} time_rows[] = {
    {FUNCTION_ADD_SQL, LOGICAL_DATE, AN_INTEGER, LOGICAL_DATE},
    {FUNCTION_ADD_SQL, AN_INTEGER, LOGICAL_DATE, LOGICAL_DATE},
    {FUNCTION_ADD_SQL, LOGICAL_DATE, LOGICAL_INTERVAL, LOGICAL_LOCAL},
    {FUNCTION_ADD_SQL, LOGICAL_INTERVAL, LOGICAL_DATE, LOGICAL_LOCAL},
    {FUNCTION_ADD_SQL, LOGICAL_DATE, LOGICAL_TIME, LOGICAL_LOCAL},
    {FUNCTION_ADD_SQL, LOGICAL_TIME, LOGICAL_DATE, LOGICAL_LOCAL},
    {FUNCTION_ADD_SQL, LOGICAL_LOCAL, LOGICAL_INTERVAL, LOGICAL_LOCAL},
    {FUNCTION_ADD_SQL, LOGICAL_INTERVAL, LOGICAL_LOCAL, LOGICAL_LOCAL},
    {FUNCTION_ADD_SQL, LOGICAL_TIMESTAMP, LOGICAL_INTERVAL, LOGICAL_TIMESTAMP},
    {FUNCTION_ADD_SQL, LOGICAL_INTERVAL, LOGICAL_TIMESTAMP, LOGICAL_TIMESTAMP},
    {FUNCTION_ADD_SQL, LOGICAL_TIME, LOGICAL_INTERVAL, LOGICAL_TIME},
    {FUNCTION_ADD_SQL, LOGICAL_INTERVAL, LOGICAL_TIME, LOGICAL_TIME},
    {FUNCTION_ADD_SQL, LOGICAL_INTERVAL, LOGICAL_INTERVAL, LOGICAL_INTERVAL},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_DATE, AN_INTEGER, LOGICAL_DATE},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_DATE, LOGICAL_DATE, LOGICAL_INT32},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_DATE, LOGICAL_INTERVAL, LOGICAL_LOCAL},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_LOCAL, LOGICAL_INTERVAL, LOGICAL_LOCAL},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_LOCAL, LOGICAL_LOCAL, LOGICAL_INTERVAL},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_TIMESTAMP, LOGICAL_INTERVAL, LOGICAL_TIMESTAMP},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_TIMESTAMP, LOGICAL_TIMESTAMP, LOGICAL_INTERVAL},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_TIME, LOGICAL_INTERVAL, LOGICAL_TIME},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_TIME, LOGICAL_TIME, LOGICAL_INTERVAL},
    {FUNCTION_SUBTRACT_SQL, LOGICAL_INTERVAL, LOGICAL_INTERVAL, LOGICAL_INTERVAL},
    {FUNCTION_MULTIPLY_SQL, LOGICAL_INTERVAL, A_NUMBER, LOGICAL_INTERVAL},
    {FUNCTION_MULTIPLY_SQL, A_NUMBER, LOGICAL_INTERVAL, LOGICAL_INTERVAL},
    {FUNCTION_DIVIDE_SQL, LOGICAL_INTERVAL, A_NUMBER, LOGICAL_INTERVAL},
};

static bool fits_side(struct type type, uint8_t side) {
  unsigned class = plan__class(type);
  if (side == AN_INTEGER) return class == CLASS_INT;
  if (side == A_NUMBER) return class & (NUMBERS | CLASS_DECIMAL);
  return type.logical == side && class & (CLASS_TIME | CLASS_INTERVAL);
}

/* The type of a result; a time's unit is that of the sides, the finer one of two. */
static struct type result_of(uint8_t logical, struct type a, struct type b) {
  uint16_t unit = TIME_US;
  bool first = has_unit(a), second = has_unit(b);
  if (first || second)
    unit = !second || (first && a.parameter < b.parameter) ? a.parameter : b.parameter;
  if (logical == LOGICAL_INT32) return TYPE_INT32;
  if (logical == LOGICAL_DATE) return TYPE_DATE;
  if (logical == LOGICAL_INTERVAL) return TYPE_INTERVAL;
  return (struct type){PHYSICAL_INT64, logical, unit};
}

static bool time_arithmetic(enum plan_function function, struct type a, struct type b,
                            struct type *wanted, struct type *result) {
  for (size_t i = 0; i < sizeof time_rows / sizeof time_rows[0]; i++) {
    const struct time_row *row = &time_rows[i];
    if (row->function != function || !fits_side(a, row->a) || !fits_side(b, row->b)) continue;
    *result = result_of(row->result, a, b);
    if (row->a == A_NUMBER) wanted[0] = TYPE_FLOAT64;
    if (row->b == A_NUMBER) wanted[1] = TYPE_FLOAT64;
    if (has_unit(a) && a.logical == b.logical) /* brought to the finer unit */
      wanted[0] = wanted[1] = result_of(a.logical, a, b);
    return true;
  }
  return duration_arithmetic(function, a, b, wanted, result);
}

static int sql_arithmetic(enum plan_function function, const struct expr *const *arguments,
                          uint32_t count, struct type *wanted, struct type *result,
                          struct err *err) {
  const struct expr *a = arguments[0], *b = count > 1 ? arguments[1] : a;
  if (literal_null(a)) a = b;
  if (count > 1 && literal_null(arguments[1])) b = a;
  unsigned classes = plan__class(a->type) | plan__class(b->type);
  if (count == 1) {
    *result = a->type;
    return classes & typings[function].classes && (classes != CLASS_TIME || is_duration(a->type))
               ? ERR_OK
               : refuse(function, arguments, count, err);
  }
  if (classes & (CLASS_TIME | CLASS_INTERVAL))
    return time_arithmetic(function, arguments[0]->type, arguments[1]->type, wanted, result) ||
                   time_arithmetic(function, a->type, b->type, wanted, result)
               ? ERR_OK
               : refuse(function, arguments, count, err);
  unsigned numbers = NUMBERS | CLASS_DECIMAL;
  if (!(plan__class(a->type) & numbers) || !(plan__class(b->type) & numbers) ||
      !common_type(a, b, false, result))
    return refuse(function, arguments, count, err);
  wanted[0] = wanted[1] = *result;
  return ERR_OK;
}

/* ---- the rules ---- */

static int binary_types(enum plan_function function, const struct expr *const *arguments,
                        uint32_t count, struct type *wanted, struct type *result, struct err *err) {
  const struct typing *typing = &typings[function];
  const struct expr *a = arguments[0], *b = count > 1 ? arguments[1] : a;
  if (literal_null(a)) a = b;
  if (count > 1 && literal_null(arguments[1])) b = a;
  if (!(plan__class(a->type) & typing->classes) || !(plan__class(b->type) & typing->classes))
    return refuse(function, arguments, count, err);
  if (typing->rule == RULE_ANY || typing->rule == RULE_BOOL) return ERR_OK;
  struct type type = TYPE_FLOAT64;
  bool compare = typing->rule == RULE_COMPARE || typing->rule == RULE_COMPARE_SQL;
  bool times = plan__class(a->type) == CLASS_TIME && plan__class(b->type) == CLASS_TIME;
  bool found = typing->rule == RULE_FLOAT;
  if (times && typing->rule == RULE_COMPARE_SQL) found = common_time(a->type, b->type, &type);
  if (!found && !common_type(a, b, compare, &type)) return refuse(function, arguments, count, err);
  for (uint32_t i = 0; i < count; i++)
    wanted[i] = type;
  if (!compare) *result = type;
  return ERR_OK;
}

static int many_types(enum plan_function function, const struct expr *const *arguments,
                      uint32_t count, struct type *wanted, struct type *result, struct err *err) {
  const struct typing *typing = &typings[function];
  bool cases = typing->rule == RULE_CASE;
  struct type type, other;
  if (!same_type(arguments, count, cases ? 1 : 0, cases ? 2 : 1, &type))
    return refuse(function, arguments, count, err);
  if (cases && count % 2 && !literal_null(arguments[count - 1])) {
    const struct expr value = {.kind = EXPR_COLUMN, .type = type};
    const struct expr *pair[] = {&value, arguments[count - 1]};
    if (!same_type(pair, 2, 0, 1, &other)) return refuse(function, arguments, count, err);
    bool nulls = true;
    for (uint32_t i = 1; i < count; i += 2)
      nulls &= literal_null(arguments[i]);
    type = nulls ? arguments[count - 1]->type : other;
  }
  for (uint32_t i = 0; i < count; i++) {
    bool condition = cases && i % 2 == 0 && i + 1 < count;
    wanted[i] = condition ? TYPE_BOOL : type;
    if (condition && plan__class(arguments[i]->type) != CLASS_BOOL && !literal_null(arguments[i]))
      return refuse(function, arguments, count, err);
  }
  if (typing->rule != RULE_AMONG) *result = type;
  return ERR_OK;
}

int plan__function_types(enum plan_function function, const struct expr *const *arguments,
                         uint32_t count, struct type *wanted, struct type *result, bool *sql,
                         struct err *err) {
  const struct typing *typing = &typings[function];
  if (!plan__function_takes(function, count))
    return err_set(err, ERR_INVALID_ARGUMENT, "%s \"%s\" takes %u operands, not %u",
                   plan__function_is_named(function) ? "function" : "operator",
                   plan__function_name(function), plan__function_minimum(function), count);
  for (uint32_t i = 0; i < count; i++)
    wanted[i] = (struct type){0};
  *result = TYPE_BOOL;
  *sql = typing->rule != RULE_COMMON && typing->rule != RULE_FLOAT && typing->rule != RULE_COMPARE;
  switch (typing->rule) {
  case RULE_GIVEN:
    return err_set(err, ERR_INVALID_ARGUMENT, "function \"%s\" needs the type of its result",
                   plan__function_name(function));
  case RULE_SHAPE:
    for (const char *shape = typing->shapes; *shape;)
      if (fits_shape(&shape, arguments, count, wanted, result)) return ERR_OK;
    return refuse(function, arguments, count, err);
  case RULE_SQL:
    return sql_arithmetic(function, arguments, count, wanted, result, err);
  case RULE_SAME:
  case RULE_AMONG:
  case RULE_CASE:
    return many_types(function, arguments, count, wanted, result, err);
  default:
    return binary_types(function, arguments, count, wanted, result, err);
  }
}
