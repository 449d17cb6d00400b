/* Applying a function to vectors: nulls, and which rows are computed; the kernels do the rest. */
#include <string.h>

#include "base/err.h"
#include "plan/function_kernels.h"

static const struct function {
  const char *name, *symbol;
  enum function_form form;
  uint32_t minimum, maximum;
  unsigned traits;
  int (*run)(struct plan_call *call, const uint64_t *rows, struct err *err);
} functions[FUNCTION_COUNT] = {
#define FUNCTION(name, symbol, form, minimum, maximum, traits, kernel)                             \
  [FUNCTION_##name] = {#name, symbol, form, minimum, maximum, traits, kernel},
#include "plan/functions.def"
#undef FUNCTION
};

const char *plan__function_name(enum plan_function function) { return functions[function].symbol; }
bool plan__function_is_named(enum plan_function function) {
  return functions[function].form == NAMED;
}
bool plan__function_takes(enum plan_function function, uint32_t count) {
  return count >= functions[function].minimum && count <= functions[function].maximum;
}
uint32_t plan__function_minimum(enum plan_function function) { return functions[function].minimum; }
bool plan__function_is_strict(enum plan_function function) {
  return !(functions[function].traits & LENIENT);
}

bool plan__function_is_volatile(enum plan_function function) {
  return functions[function].traits & VOLATILE;
}

bool plan_function_may_fail(enum plan_function function) {
  return functions[function].traits & FALLIBLE;
}

static bool call_may_fail(const void *context, const struct expr *expr) {
  (void)context;
  return expr->kind == EXPR_CALL && plan_function_may_fail(expr->function);
}

bool expr_may_fail(const struct expr *expr) { return plan__expr_any(expr, call_may_fail, NULL); }

/* ---- vectors ---- */

void vector_set_literal(struct vector *vector, const struct plan_value *value, uint32_t rows) {
  static const uint64_t nothing[VECTOR_WORDS];
  vector->constant = true;
  vector->values = vector->own_values;
  vector->validity = value->null ? nothing : NULL;
  if (type_is_string(value->type)) {
    vector->texts = vector->own_values;
    ((struct str *)vector->own_values)[0] = value->null ? STR("") : value->text;
  } else if (value->type.physical == PHYSICAL_BOOL) {
    memset(vector->own_values, !value->null && value->boolean ? 0xff : 0, bit_words(rows) * 8);
  } else {
    uint64_t *values = vector->own_values;
    for (uint32_t i = 0; i < rows; i++)
      values[i] = value->null ? 0 : value->u64;
  }
}

struct plan_value vector_value(const struct vector *vector, uint32_t row) {
  struct plan_value value = {.type = vector->type, .null = !vector_valid(vector, row)};
  if (value.null) return value;
  if (type_is_string(vector->type))
    value.text = vector_text(vector, row);
  else if (vector->type.physical == PHYSICAL_BOOL)
    value.boolean = bit_get(vector->values, row);
  else
    value.u64 = ((const uint64_t *)vector->values)[row];
  return value;
}

/* ---- calls ---- */

/* The rows in which all arguments are present; NULL: all. */
static const uint64_t *present_rows(const struct plan_call *call) {
  const uint64_t *rows = NULL;
  uint64_t *own = call->result->own_validity;
  size_t words = bit_words(call->count);
  for (uint32_t i = 0; i < call->expr->argument_count; i++) {
    const uint64_t *more = call->arguments[i]->validity;
    if (!more || more == rows) continue;
    if (rows)
      for (size_t w = 0; w < words; w++)
        own[w] = rows[w] & more[w];
    rows = rows ? own : more;
  }
  return rows;
}

int plan_call_run(struct plan_call *call, struct err *err) {
  const struct function *function = &functions[call->expr->function];
  struct vector *result = call->result;
  uint64_t wanted[VECTOR_WORDS];
  result->dictionary = NULL;
  result->values = result->own_values;
  result->texts = type_is_string(result->type) ? result->own_values : NULL;
  result->validity = NULL;
  const uint64_t *rows = call->active;
  if (!(function->traits & LENIENT)) {
    result->validity = present_rows(call);
    if (result->validity && rows) {
      for (size_t w = 0; w < bit_words(call->count); w++)
        wanted[w] = result->validity[w] & call->active[w];
      rows = wanted;
    } else if (result->validity) {
      rows = result->validity;
    }
  }
  return function->run(call, rows, err);
}

void plan_call_release(const struct expr *expr, void *memory) {
  if (expr->kind != EXPR_CALL) return;
  const struct function *function = &functions[expr->function];
  if (function->run == plan__run_match) plan__match_release(memory);
  if (function->run == plan__run_regex || function->run == plan__run_similar)
    plan__regex_release(memory);
}
