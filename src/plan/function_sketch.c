/* What sketches say that statements hold as bytes (docs/format/sketches.md). */
#include "kernel/quantile_sketch.h"
#include "plan/function_rows.h"

static int percentile_of(struct function_row *at) {
  struct quantile_sketch sketch;
  struct str bytes = row_text(at, 0);
  double fraction = row_f64(at, 1);
  if (!(fraction >= 0 && fraction <= 1))
    return err_set(at->err, ERR_INVALID_ARGUMENT, "the fraction is not within 0 and 1");
  int code = quantile_sketch_load(&sketch, at->call->scratch, &bytes, at->err);
  if (code == ERR_CORRUPTION || (!code && bytes.size))
    return err_set(at->err, ERR_INVALID_ARGUMENT, "the bytes are no sketch of percentiles");
  if (code) return code;
  if (!sketch.count) return row_give_null(at);
  return row_give_f64(at, quantile_sketch_value(&sketch, fraction));
}

int plan__run_sketch(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, percentile_of, err);
}
