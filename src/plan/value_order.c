/* The order of values of one type: what comparisons, MIN and MAX, and items of arrays go by. */
#include <math.h>

#include "base/decimal.h"
#include "base/interval.h"
#include "plan/value_text.h"

static int sign(int order) { return (order > 0) - (order < 0); }

static int order_f64(double a, double b) {
  if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
  return (a > b) - (a < b);
}

static int order_arrays(struct str a, struct str b, struct type type) {
  struct array x, y;
  struct type item = type_item(type);
  if (plan_array_open(a, type, &x, NULL) || plan_array_open(b, type, &y, NULL))
    return sign(str_compare(a, b));
  for (uint32_t i = 0; i < x.count && i < y.count; i++) {
    struct plan_value left = plan_array_item(&x, item, i), right = plan_array_item(&y, item, i);
    if (left.null && right.null) continue;
    if (left.null || right.null) return left.null ? 1 : -1;
    int order = plan_value_order(&left, &right);
    if (order) return order;
  }
  return (x.count > y.count) - (x.count < y.count);
}

int plan_text_order(struct str a, struct str b, struct type type) {
  switch (type.logical) {
  case LOGICAL_DECIMAL:
    return sign(str_compare(decimal_key(a), decimal_key(b)));
  case LOGICAL_INTERVAL:
    return sign(str_compare(interval_key(a), interval_key(b)));
  case LOGICAL_ARRAY:
    return order_arrays(a, b, type);
  default:
    return sign(str_compare(a, b));
  }
}

int plan_value_order(const struct plan_value *a, const struct plan_value *b) {
  switch (a->type.physical) {
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    return plan_text_order(a->text, b->text, a->type);
  case PHYSICAL_BOOL:
    return a->boolean - b->boolean;
  case PHYSICAL_FLOAT64:
    return order_f64(a->f64, b->f64);
  case PHYSICAL_UINT64:
    return (a->u64 > b->u64) - (a->u64 < b->u64);
  default:
    return (a->i64 > b->i64) - (a->i64 < b->i64);
  }
}

struct str plan_text_key(struct str text, struct type type) {
  return type.logical == LOGICAL_DECIMAL    ? decimal_key(text)
         : type.logical == LOGICAL_INTERVAL ? interval_key(text)
                                            : text;
}
