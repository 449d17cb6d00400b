/* The functions of SELECT. */
#include "lang/influxql/influxql_private.h"

enum {
  NUMBERS = TAKES_NUMBERS,
  ORDERED = TAKES_NUMBERS | TAKES_BOOLEANS,
  ANYTHING = TAKES_NUMBERS | TAKES_BOOLEANS | TAKES_STRINGS,
};

static const struct function functions[] = {
    {"count", CLASS_AGGREGATE, AGGREGATE_COUNT, 0, 1, 1, ANYTHING},
    {"sum", CLASS_AGGREGATE, AGGREGATE_SUM, 0, 1, 1, NUMBERS},
    {"mean", CLASS_AGGREGATE, AGGREGATE_MEAN, 0, 1, 1, NUMBERS},
    {"spread", CLASS_AGGREGATE, AGGREGATE_SPREAD, 0, 1, 1, NUMBERS},
    {"stddev", CLASS_AGGREGATE, AGGREGATE_STDDEV, 0, 1, 1, NUMBERS},
    {"median", CLASS_AGGREGATE, AGGREGATE_MEDIAN, 0, 1, 1, NUMBERS},
    {"mode", CLASS_AGGREGATE, AGGREGATE_MODE, 0, 1, 1, ANYTHING},
    {"integral", CLASS_AGGREGATE, AGGREGATE_INTEGRAL, 0, 1, 2, NUMBERS},
    {"min", CLASS_SELECTOR, AGGREGATE_MIN, 0, 1, 1, ORDERED},
    {"max", CLASS_SELECTOR, AGGREGATE_MAX, 0, 1, 1, ORDERED},
    {"first", CLASS_SELECTOR, AGGREGATE_FIRST, 0, 1, 1, ANYTHING},
    {"last", CLASS_SELECTOR, AGGREGATE_LAST, 0, 1, 1, ANYTHING},
    {"percentile", CLASS_SELECTOR, AGGREGATE_PERCENTILE, 0, 2, 2, NUMBERS},
    {"distinct", CLASS_DISTINCT, 0, 0, 1, 1, ANYTHING},
    {"difference", CLASS_WINDOW, 0, WINDOW_DIFFERENCE, 1, 1, NUMBERS},
    {"non_negative_difference", CLASS_WINDOW, 0, WINDOW_NON_NEGATIVE_DIFFERENCE, 1, 1, NUMBERS},
    {"derivative", CLASS_WINDOW, 0, WINDOW_DERIVATIVE, 1, 2, NUMBERS},
    {"non_negative_derivative", CLASS_WINDOW, 0, WINDOW_NON_NEGATIVE_DERIVATIVE, 1, 2, NUMBERS},
    {"moving_average", CLASS_WINDOW, 0, WINDOW_MOVING_AVERAGE, 2, 2, NUMBERS},
    {"exponential_moving_average", CLASS_WINDOW, 0, WINDOW_EXPONENTIAL_MOVING_AVERAGE, 2, 4,
     NUMBERS},
    {"double_exponential_moving_average", CLASS_WINDOW, 0, WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE,
     2, 4, NUMBERS},
    {"triple_exponential_moving_average", CLASS_WINDOW, 0, WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE,
     2, 4, NUMBERS},
    {"relative_strength_index", CLASS_WINDOW, 0, WINDOW_RELATIVE_STRENGTH_INDEX, 2, 4, NUMBERS},
    {"kaufmans_efficiency_ratio", CLASS_WINDOW, 0, WINDOW_EFFICIENCY_RATIO, 2, 3, NUMBERS},
    {"kaufmans_adaptive_moving_average", CLASS_WINDOW, 0, WINDOW_ADAPTIVE_MOVING_AVERAGE, 2, 3,
     NUMBERS},
    {"chande_momentum_oscillator", CLASS_WINDOW, 0, WINDOW_CHANDE_MOMENTUM, 2, 4, NUMBERS},
    {"cumulative_sum", CLASS_WINDOW, 0, WINDOW_CUMULATIVE_SUM, 1, 1, NUMBERS},
    {"elapsed", CLASS_WINDOW, 0, WINDOW_ELAPSED, 1, 2, ANYTHING},
    {"top", CLASS_TOP, 0, 0, 2, UINT32_MAX, NUMBERS},
    {"bottom", CLASS_TOP, 0, 0, 2, UINT32_MAX, NUMBERS},
    {"sample", CLASS_TOP, 0, 0, 2, 2, ANYTHING},
    {"triple_exponential_derivative", CLASS_LATER, 0, 0, 0, UINT32_MAX, 0},
    {"holt_winters", CLASS_WINDOW, 0, WINDOW_HOLT_WINTERS, 3, 3, NUMBERS},
    {"holt_winters_with_fit", CLASS_WINDOW, 0, WINDOW_HOLT_WINTERS_FIT, 3, 3, NUMBERS},
};

static const struct math_function math_functions[] = {
    {"abs", FUNCTION_ABS, 1, false, false},     {"acos", FUNCTION_ACOS, 1, false, false},
    {"asin", FUNCTION_ASIN, 1, false, false},   {"atan", FUNCTION_ATAN, 1, false, false},
    {"atan2", FUNCTION_ATAN2, 2, false, false}, {"ceil", FUNCTION_CEIL, 1, true, false},
    {"cos", FUNCTION_COS, 1, false, false},     {"exp", FUNCTION_EXP, 1, false, false},
    {"floor", FUNCTION_FLOOR, 1, true, false},  {"ln", FUNCTION_LN, 1, false, false},
    {"log", FUNCTION_LOG, 2, false, true},      {"log2", FUNCTION_LOG2, 1, false, false},
    {"log10", FUNCTION_LOG10, 1, false, false}, {"pow", FUNCTION_POWER, 2, false, false},
    {"round", FUNCTION_ROUND, 1, true, false},  {"sin", FUNCTION_SIN, 1, false, false},
    {"sqrt", FUNCTION_SQRT, 1, false, false},   {"tan", FUNCTION_TAN, 1, false, false},
};

const struct math_function *influxql__math(const struct influxql_expr *expr) {
  if (expr->kind != INFLUXQL_CALL) return NULL;
  for (size_t i = 0; i < sizeof math_functions / sizeof *math_functions; i++)
    if (str_equal(expr->text, str_from(math_functions[i].name))) return &math_functions[i];
  return NULL;
}

const struct function *influxql__function(struct str name) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (str_equal(name, str_from(functions[i].name))) return &functions[i];
  return NULL;
}

bool influxql__function_takes(const struct function *function, struct type type) {
  switch (type.physical) {
  case PHYSICAL_INT64:
  case PHYSICAL_UINT64:
  case PHYSICAL_FLOAT64:
    return function->types & TAKES_NUMBERS;
  case PHYSICAL_BOOL:
    return function->types & TAKES_BOOLEANS;
  default:
    return function->types & TAKES_STRINGS;
  }
}
