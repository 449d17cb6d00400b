/* The aggregates: names, what they take, what they give. */
#include "base/err.h"
#include "plan/plan_private.h"

enum gives {
  GIVES_INT,
  GIVES_FLOAT,
  GIVES_ARGUMENT,
  GIVES_EXACT,
  GIVES_TEXT,
  GIVES_BYTES,
  GIVES_INT_LIST,
  GIVES_LIST,
  GIVES_ARRAY,
};
enum {
  NUMBERS = CLASS_INT | CLASS_UINT | CLASS_FLOAT,
  INTEGERS = CLASS_INT | CLASS_UINT,
  BOOLS = CLASS_BOOL,
  STRINGS = CLASS_STRING,
  TIME = CLASS_TIME | CLASS_INT,
  WHOLE = INTEGERS | CLASS_DECIMAL,
  EXACT = WHOLE | CLASS_INTERVAL,
  VALUES = NUMBERS | CLASS_BOOL | CLASS_STRING | CLASS_DECIMAL | CLASS_INTERVAL,
  ORDERED = NUMBERS | CLASS_BOOL | CLASS_TIME,
  ANY = VALUES | CLASS_TIME,
  LISTED = CLASS_INT | CLASS_TIME | CLASS_STRING,
};

static const struct aggregate {
  const char *name;
  uint8_t least, most; /* arguments */
  unsigned classes, bucket_classes, other_classes;
  enum gives gives;
  uint8_t parameters_least, parameters_most;
  bool selector;
} aggregates[] = {
#define AGGREGATE(NAME, name, least, most, classes, bucket, others, gives, p_least, p_most,        \
                  selector)                                                                        \
  [AGGREGATE_##NAME] = {name,   least,         most,    classes, bucket,                           \
                        others, GIVES_##gives, p_least, p_most,  selector},
#include "plan/aggregates.def"
#undef AGGREGATE
};

const char *plan_aggregate_name(enum plan_aggregate function) { return aggregates[function].name; }

bool plan_aggregate_find(struct str name, enum plan_aggregate *function) {
  for (unsigned i = 0; i < AGGREGATE_FUNCTIONS; i++) {
    if (!str_equal(name, str_from(aggregates[i].name))) continue;
    *function = (enum plan_aggregate)i;
    return true;
  }
  return false;
}

bool plan_aggregate_is_selector(enum plan_aggregate function) {
  return aggregates[function].selector;
}

bool plan_aggregate_takes_time(enum plan_aggregate function) {
  return aggregates[function].other_classes == TIME;
}

void plan_aggregate_parameters(enum plan_aggregate function, uint32_t *least, uint32_t *most) {
  *least = aggregates[function].parameters_least;
  *most = aggregates[function].parameters_most;
}

static struct type result_type(const struct aggregate *aggregate, struct type argument) {
  switch (aggregate->gives) {
  case GIVES_INT:
    return TYPE_INT64;
  case GIVES_FLOAT:
    return TYPE_FLOAT64;
  case GIVES_EXACT:
    return plan__class(argument) == CLASS_INTERVAL ? TYPE_INTERVAL : TYPE_DECIMAL;
  case GIVES_TEXT:
    return TYPE_STRING;
  case GIVES_BYTES:
    return TYPE_BYTES;
  case GIVES_INT_LIST:
    return TYPE_LIST_INT64;
  case GIVES_LIST:
    return plan__class(argument) == CLASS_STRING ? TYPE_LIST_STRING : TYPE_LIST_INT64;
  case GIVES_ARRAY:
    return type_array(argument);
  default:
    return argument;
  }
}

int plan_aggregate_type(enum plan_aggregate function, struct type argument, struct type *result,
                        struct err *err) {
  const struct aggregate *aggregate = &aggregates[function];
  if (!(plan__class(argument) & aggregate->bucket_classes))
    return err_set(err, ERR_UNSUPPORTED, "%s() does not take %s", aggregate->name,
                   type_name(argument));
  *result = result_type(aggregate, argument);
  return ERR_OK;
}

int plan_aggregate_result(enum plan_aggregate function, const struct type *arguments,
                          uint32_t count, struct type *result, struct err *err) {
  const struct aggregate *aggregate = &aggregates[function];
  if (count < aggregate->least || count > aggregate->most)
    return err_set(err, ERR_INVALID_ARGUMENT, "%s() takes %u argument%s, not %u", aggregate->name,
                   aggregate->most, aggregate->most == 1 ? "" : "s", count);
  for (uint32_t i = 0; i < count; i++) {
    unsigned classes = i ? aggregate->other_classes : aggregate->classes;
    if (!(plan__class(arguments[i]) & classes))
      return err_set(err, ERR_UNSUPPORTED, "%s() does not take %s", aggregate->name,
                     type_name(arguments[i]));
  }
  if (aggregate->gives == GIVES_ARRAY && arguments[0].logical == LOGICAL_ARRAY)
    return err_set(err, ERR_UNSUPPORTED, "arrays of arrays are not supported");
  *result = result_type(aggregate, count ? arguments[0] : TYPE_INT64);
  return ERR_OK;
}
