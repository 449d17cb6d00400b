/* The aggregates: names, what they take, what they give. */
#include "base/err.h"
#include "plan/plan_private.h"

enum gives { GIVES_INT, GIVES_FLOAT, GIVES_ARGUMENT };
enum { NUMBERS = CLASS_INT | CLASS_UINT | CLASS_FLOAT, ANY = NUMBERS | CLASS_BOOL | CLASS_STRING };

static const struct aggregate {
  const char *name;
  unsigned classes;
  enum gives gives;
  bool selector;
} aggregates[] = {
    [AGGREGATE_COUNT] = {"count", ANY | CLASS_TIME, GIVES_INT, false},
    [AGGREGATE_SUM] = {"sum", NUMBERS, GIVES_ARGUMENT, false},
    [AGGREGATE_MEAN] = {"mean", NUMBERS, GIVES_FLOAT, false},
    [AGGREGATE_MIN] = {"min", NUMBERS | CLASS_BOOL | CLASS_TIME, GIVES_ARGUMENT, true},
    [AGGREGATE_MAX] = {"max", NUMBERS | CLASS_BOOL | CLASS_TIME, GIVES_ARGUMENT, true},
    [AGGREGATE_FIRST] = {"first", ANY | CLASS_TIME, GIVES_ARGUMENT, true},
    [AGGREGATE_LAST] = {"last", ANY | CLASS_TIME, GIVES_ARGUMENT, true},
    [AGGREGATE_SPREAD] = {"spread", NUMBERS, GIVES_ARGUMENT, false},
    [AGGREGATE_STDDEV] = {"stddev", NUMBERS, GIVES_FLOAT, false},
    [AGGREGATE_MEDIAN] = {"median", NUMBERS, GIVES_FLOAT, false},
    [AGGREGATE_PERCENTILE] = {"percentile", NUMBERS, GIVES_ARGUMENT, true},
    [AGGREGATE_MODE] = {"mode", ANY, GIVES_ARGUMENT, false},
    [AGGREGATE_COUNT_DISTINCT] = {"count(distinct)", ANY, GIVES_INT, false},
};

const char *plan_aggregate_name(enum plan_aggregate function) { return aggregates[function].name; }

bool plan_aggregate_is_selector(enum plan_aggregate function) {
  return aggregates[function].selector;
}

int plan_aggregate_type(enum plan_aggregate function, struct type argument, struct type *result,
                        struct err *err) {
  const struct aggregate *aggregate = &aggregates[function];
  if (!(plan__class(argument) & aggregate->classes))
    return err_set(err, ERR_UNSUPPORTED, "%s() does not take %s", aggregate->name,
                   type_name(argument));
  *result = aggregate->gives == GIVES_INT     ? TYPE_INT64
            : aggregate->gives == GIVES_FLOAT ? TYPE_FLOAT64
                                              : argument;
  return ERR_OK;
}
