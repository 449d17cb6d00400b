/* Calls of literals, computed while planning: the same results as the executor's loops give. */
#include <math.h>

#include "kernel/loops.h"
#include "plan/plan_private.h"

static bool compare_order(enum plan_function function, int order) {
  return compare_holds((enum compare_op)(function - FUNCTION_EQUAL), (order > 0) - (order < 0));
}

static bool compare_floats(enum plan_function function, double a, double b) {
  if (isnan(a) || isnan(b)) return function == FUNCTION_NOT_EQUAL;
  return compare_order(function, (a > b) - (a < b));
}

/* Any integer as 128 bits. */
static __int128 whole(const struct plan_value *value) {
  return value->type.physical == PHYSICAL_UINT64 ? (__int128)value->u64 : (__int128)value->i64;
}

static bool fold_compare(enum plan_function function, const struct plan_value *a,
                         const struct plan_value *b) {
  switch (plan__class(a->type)) {
  case CLASS_FLOAT:
    return compare_floats(function, a->f64, b->f64);
  case CLASS_STRING:
    return compare_order(function, str_compare(a->text, b->text));
  case CLASS_BOOL:
    return compare_order(function, a->boolean - b->boolean);
  default: {
    __int128 x = whole(a), y = whole(b);
    return compare_order(function, (x > y) - (x < y));
  }
  }
}

static double fold_float(enum plan_function function, double a, double b) {
  switch (function) {
  case FUNCTION_ADD:
    return a + b;
  case FUNCTION_SUBTRACT:
    return a - b;
  case FUNCTION_MULTIPLY:
    return a * b;
  case FUNCTION_DIVIDE:
    return arithmetic_divide(a, b);
  default:
    return fmod(a, b);
  }
}

/* On the bits of either kind of integer; they wrap. */
static uint64_t fold_integer(enum plan_function function, uint64_t a, uint64_t b, bool is_signed) {
  switch (function) {
  case FUNCTION_ADD:
    return a + b;
  case FUNCTION_SUBTRACT:
    return a - b;
  case FUNCTION_MULTIPLY:
    return a * b;
  case FUNCTION_BIT_AND:
    return a & b;
  case FUNCTION_BIT_OR:
    return a | b;
  case FUNCTION_BIT_XOR:
    return a ^ b;
  default:
    return is_signed ? (uint64_t)arithmetic_modulo_i64((int64_t)a, (int64_t)b)
                     : arithmetic_modulo_u64(a, b);
  }
}

static void fold_cast(const struct plan_value *from, struct plan_value *to) {
  double value = 0;
  switch (plan__class(from->type)) {
  case CLASS_BOOL:
    value = from->boolean;
    to->u64 = from->boolean;
    break;
  case CLASS_UINT:
    value = (double)from->u64;
    to->u64 = from->u64;
    break;
  case CLASS_FLOAT:
    value = from->f64;
    if (to->type.physical == PHYSICAL_UINT64)
      to->u64 = float_to_u64(value);
    else
      to->i64 = float_to_i64(value);
    break;
  case CLASS_STRING:
    to->text = from->text;
    return;
  default:
    value = (double)from->i64;
    to->i64 = from->i64;
  }
  if (to->type.physical == PHYSICAL_FLOAT64) to->f64 = value;
}

/* Of booleans where null is "not known": true when it is decided. */
static bool fold_logic(enum plan_function function, const struct plan_value *a,
                       const struct plan_value *b, struct plan_value *result) {
  bool decides = function == FUNCTION_OR;
  if ((!a->null && a->boolean == decides) || (!b->null && b->boolean == decides)) {
    result->boolean = decides;
    return true;
  }
  result->null = a->null || b->null;
  result->boolean = !decides;
  return true;
}

bool plan__fold(enum plan_function function, const struct plan_value *arguments, uint32_t count,
                struct type result_type, struct plan_value *result) {
  const struct plan_value *a = &arguments[0], *b = count > 1 ? &arguments[1] : a;
  *result = (struct plan_value){.type = result_type};
  if (function == FUNCTION_MATCH) return false;
  if (function == FUNCTION_IS_PRESENT) {
    result->boolean = !a->null;
    return true;
  }
  if (function == FUNCTION_AND || function == FUNCTION_OR)
    return fold_logic(function, a, b, result);
  if (a->null || b->null) {
    result->null = true;
    return true;
  }
  if (function == FUNCTION_CAST) {
    fold_cast(a, result);
  } else if (function == FUNCTION_NOT) {
    result->boolean = !a->boolean;
  } else if (function >= FUNCTION_EQUAL && function <= FUNCTION_GREATER_EQUAL) {
    result->boolean = fold_compare(function, a, b);
  } else if (result_type.physical == PHYSICAL_BOOL) {
    result->boolean = fold_integer(function, a->boolean, b->boolean, false);
  } else if (result_type.physical == PHYSICAL_FLOAT64) {
    result->f64 = function == FUNCTION_NEGATE ? -a->f64 : fold_float(function, a->f64, b->f64);
  } else if (function == FUNCTION_NEGATE) {
    result->u64 = -a->u64;
  } else {
    result->u64 = fold_integer(function, a->u64, b->u64, result_type.physical == PHYSICAL_INT64);
  }
  return true;
}
