/* Forecasts by exponential smoothing with a damped trend and multiplied seasons. */
#ifndef NILO_EXEC_HOLT_WINTERS_H
#define NILO_EXEC_HOLT_WINTERS_H

#include "exec/exec_private.h"

/* Values at equal distances, NaN where one is missing (never the first). */
struct holt_winters {
  const struct exec *exec; /* asked for cancelling; its account holds what is needed meanwhile */
  const double *values;
  size_t count;  /* at least 2, and at least `season` */
  size_t season; /* values of a season; below 2: there are no seasons */
};
/* Fits a model and writes count + ahead values: the model's, one step ahead each, and the forecast.
 * NaN where it has none. ERR_MEMORY_LIMIT, ERR_NO_MEMORY, ERR_CANCELLED, ERR_DEADLINE. */
int holt_winters_forecast(const struct holt_winters *series, size_t ahead, double *out,
                          struct err *err);

#endif
