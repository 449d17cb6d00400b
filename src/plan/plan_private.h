/* What the files of this folder share. */
#ifndef NILO_PLAN_PLAN_PRIVATE_H
#define NILO_PLAN_PLAN_PRIVATE_H

#include "plan/plan.h"

/* Classes of types, as bits. */
enum plan_class {
  CLASS_BOOL = 1,
  CLASS_INT = 2,
  CLASS_UINT = 4,
  CLASS_FLOAT = 8,
  CLASS_STRING = 16,
  CLASS_TIME = 32, /* timestamps and durations */
};
unsigned plan__class(struct type type);
const char *plan__function_name(enum plan_function function);

/* The type that arguments are brought to (physical 0: they stay as they are) and the result's. */
int plan__function_types(enum plan_function function, const struct expr *const *arguments,
                         uint32_t count, struct type *argument_type, struct type *result,
                         struct err *err);

/* The value of a call of literals. False when it can't be told now (MATCH). */
bool plan__fold(enum plan_function function, const struct plan_value *arguments, uint32_t count,
                struct type result_type, struct plan_value *result);

#endif
