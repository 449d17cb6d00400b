/* Casts: InfluxQL's, which always give something, and SQL's, which refuse what does not fit
 * (value_cast.c). */
#include <string.h>

#include "base/err.h"
#include "plan/function_kernels.h"
#include "plan/value_text.h"

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

/* ---- SQL ---- */

static void set_value(struct vector *result, uint32_t row, const struct plan_value *value) {
  if (type_is_string(result->type))
    ((struct str *)result->own_values)[row] = value->text;
  else if (result->type.physical != PHYSICAL_BOOL)
    ((uint64_t *)result->own_values)[row] = value->u64;
  else if (value->boolean)
    bit_set(result->own_values, row);
  else
    bit_clear(result->own_values, row);
}

/* A cast whose value is null where the argument is not: the time of an infinite timestamp. */
static void set_null(struct plan_call *call, uint32_t row) {
  struct vector *result = call->result;
  if (result->validity != result->own_validity) {
    for (size_t w = 0; w < bit_words(call->count); w++)
      result->own_validity[w] = result->validity ? result->validity[w] : ~UINT64_C(0);
    result->validity = result->own_validity;
  }
  bit_clear(result->own_validity, row);
}

int plan__run_cast_sql(struct plan_call *call, const uint64_t *rows, struct err *err) {
  EACH_ROW(row) {
    struct plan_value from = vector_value(call->arguments[0], row), value;
    if (from.null) continue;
    int code = plan_value_cast(&from, call->result->type, call->expr->compiled, call->scratch,
                               &value, err);
    if (code) return code;
    if (value.null)
      set_null(call, row);
    else
      set_value(call->result, row, &value);
  }
  return ERR_OK;
}
