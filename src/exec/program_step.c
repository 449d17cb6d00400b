/* One step over one vector: numbers and booleans here, strings in program_text.c. */
#include <string.h>

#include "base/err.h"
#include "exec/program_private.h"

/* The rows where both arguments are present; NULL: all of them. */
static const uint64_t *both_present(const struct vector *a, const struct vector *b, size_t words,
                                    uint64_t *own) {
  if (!a->validity) return b->validity;
  if (!b->validity || a->validity == b->validity) return a->validity;
  for (size_t w = 0; w < words; w++)
    own[w] = a->validity[w] & b->validity[w];
  return own;
}

/* ---- logic ---- */

static uint64_t valid_word(const struct vector *vector, size_t word) {
  return vector->validity ? vector->validity[word] : ~UINT64_C(0);
}

/* What is true and what is false are known apart; the rest is null. */
static void run_logic(enum plan_function function, const struct vector *a, const struct vector *b,
                      size_t words, struct vector *result) {
  const uint64_t *x = a->values, *y = b->values;
  uint64_t *out = result->own_values;
  for (size_t w = 0; w < words; w++) {
    uint64_t x_valid = valid_word(a, w), y_valid = valid_word(b, w);
    uint64_t x_true = x[w] & x_valid, y_true = y[w] & y_valid;
    uint64_t x_false = ~x[w] & x_valid, y_false = ~y[w] & y_valid;
    uint64_t is_true = function == FUNCTION_AND ? x_true & y_true : x_true | y_true;
    uint64_t is_false = function == FUNCTION_AND ? x_false | y_false : x_false & y_false;
    out[w] = is_true;
    result->own_validity[w] = is_true | is_false;
  }
  result->validity = a->validity || b->validity ? result->own_validity : NULL;
}

/* Booleans compared or combined bit by bit. */
static void run_bits(enum plan_function function, const struct vector *a, const struct vector *b,
                     size_t words, uint64_t *out) {
  const uint64_t *x = a->values, *y = b->values;
  for (size_t w = 0; w < words; w++) {
    switch (function) {
    case FUNCTION_EQUAL:
      out[w] = ~(x[w] ^ y[w]);
      break;
    case FUNCTION_NOT_EQUAL:
    case FUNCTION_BIT_XOR:
      out[w] = x[w] ^ y[w];
      break;
    case FUNCTION_LESS:
      out[w] = ~x[w] & y[w];
      break;
    case FUNCTION_LESS_EQUAL:
      out[w] = ~x[w] | y[w];
      break;
    case FUNCTION_GREATER:
      out[w] = x[w] & ~y[w];
      break;
    case FUNCTION_GREATER_EQUAL:
      out[w] = x[w] | ~y[w];
      break;
    case FUNCTION_BIT_AND:
      out[w] = x[w] & y[w];
      break;
    case FUNCTION_BIT_OR:
      out[w] = x[w] | y[w];
      break;
    default: /* NOT */
      out[w] = ~x[w];
    }
  }
}

/* ---- numbers ---- */

/* Signed beside unsigned: a negative number is below every unsigned one. */
static void compare_mixed(enum compare_op op, const struct vector *a, const struct vector *b,
                          uint32_t count, uint64_t *out) {
  const uint64_t *x = a->values, *y = b->values;
  bool x_signed = a->type.physical == PHYSICAL_INT64;
  bool y_signed = b->type.physical == PHYSICAL_INT64;
  for (uint32_t i = 0; i < count; i++) {
    bool x_negative = x_signed && (int64_t)x[i] < 0, y_negative = y_signed && (int64_t)y[i] < 0;
    int order = x_negative != y_negative ? (x_negative ? -1 : 1) : (x[i] > y[i]) - (x[i] < y[i]);
    if (compare_holds(op, order))
      bit_set(out, i);
    else
      bit_clear(out, i);
  }
}

static void run_compare(const struct program_state *state, enum plan_function function,
                        const struct vector *a, const struct vector *b, uint32_t count,
                        uint64_t *out) {
  enum compare_op op = (enum compare_op)(function - FUNCTION_EQUAL);
  if (a->type.physical != b->type.physical)
    compare_mixed(op, a, b, count, out);
  else if (a->type.physical == PHYSICAL_FLOAT64)
    state->loops->compare_f64[op](a->values, b->values, count, out);
  else if (a->type.physical == PHYSICAL_INT64)
    state->loops->compare_i64[op](a->values, b->values, count, out);
  else if (a->type.physical == PHYSICAL_UINT64)
    state->loops->compare_u64[op](a->values, b->values, count, out);
  else
    run_bits(function, a, b, bit_words(count), out);
}

static int run_arithmetic(const struct program_state *state, enum plan_function function,
                          const struct vector *a, const struct vector *b, uint32_t count,
                          struct vector *result, struct err *err) {
  enum arithmetic_op op = (enum arithmetic_op)(function - FUNCTION_ADD);
  if (result->type.physical == PHYSICAL_BOOL) {
    run_bits(function, a, b, bit_words(count), result->own_values);
  } else if (result->type.physical == PHYSICAL_FLOAT64 && state->loops->arithmetic_f64[op]) {
    state->loops->arithmetic_f64[op](a->values, b->values, count, result->own_values);
  } else if (result->type.physical == PHYSICAL_INT64 && state->loops->arithmetic_i64[op]) {
    state->loops->arithmetic_i64[op](a->values, b->values, count, result->own_values);
  } else if (result->type.physical == PHYSICAL_UINT64 && state->loops->arithmetic_u64[op]) {
    state->loops->arithmetic_u64[op](a->values, b->values, count, result->own_values);
  } else {
    return err_set(err, ERR_UNSUPPORTED, "arithmetic on %s", type_name(result->type));
  }
  return ERR_OK;
}

static void run_negate(const struct vector *a, uint32_t count, struct vector *result) {
  const uint64_t *x = a->values;
  uint64_t *out = result->own_values;
  if (result->type.physical == PHYSICAL_FLOAT64)
    for (uint32_t i = 0; i < count; i++)
      out[i] = x[i] ^ UINT64_C(1) << 63;
  else
    for (uint32_t i = 0; i < count; i++)
      out[i] = -x[i];
}

static void run_cast(const struct program_state *state, const struct vector *a, uint32_t count,
                     struct vector *result) {
  const uint64_t *x = a->values;
  const double *floats = a->values;
  uint64_t *out = result->own_values;
  bool to_float = result->type.physical == PHYSICAL_FLOAT64;
  switch (a->type.physical) {
  case PHYSICAL_BOOL:
    for (uint32_t i = 0; i < count; i++)
      out[i] = bit_get(x, i);
    if (to_float) state->loops->u64_to_f64(out, count, result->own_values);
    break;
  case PHYSICAL_FLOAT64:
    for (uint32_t i = 0; i < count; i++)
      out[i] = result->type.physical == PHYSICAL_UINT64 ? float_to_u64(floats[i])
               : to_float                               ? x[i]
                                                        : (uint64_t)float_to_i64(floats[i]);
    break;
  case PHYSICAL_UINT64:
    if (to_float)
      state->loops->u64_to_f64(x, count, result->own_values);
    else
      memcpy(out, x, (size_t)count * 8);
    break;
  default:
    if (to_float)
      state->loops->i64_to_f64(a->values, count, result->own_values);
    else
      memcpy(out, x, (size_t)count * 8);
  }
}

int exec__step_run(struct program_state *state, uint32_t index, uint32_t count, struct err *err) {
  const struct step *step = &state->program->steps[index];
  const struct vector *a = &state->vectors[step->a], *b = &state->vectors[step->b];
  struct vector *result = &state->vectors[step->result];
  size_t words = bit_words(count);
  if (step->function == FUNCTION_AND || step->function == FUNCTION_OR) {
    run_logic(step->function, a, b, words, result);
    return ERR_OK;
  }
  if (step->function == FUNCTION_IS_PRESENT) {
    result->validity = NULL;
    for (size_t w = 0; w < words; w++)
      ((uint64_t *)result->own_values)[w] = valid_word(a, w);
    return ERR_OK;
  }
  result->validity = both_present(a, b, words, result->own_validity);
  bool text = a->dictionary || type_is_string(a->type);
  if (text) return exec__step_text(state, index, count, err);
  if (step->function == FUNCTION_NOT)
    run_bits(FUNCTION_NOT, a, a, words, result->own_values);
  else if (step->function == FUNCTION_NEGATE)
    run_negate(a, count, result);
  else if (step->function == FUNCTION_CAST)
    run_cast(state, a, count, result);
  else if (step->function >= FUNCTION_EQUAL && step->function <= FUNCTION_GREATER_EQUAL)
    run_compare(state, step->function, a, b, count, result->own_values);
  else
    return run_arithmetic(state, step->function, a, b, count, result, err);
  return ERR_OK;
}
