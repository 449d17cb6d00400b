/* Which types the functions take, what they are brought to, and what comes out: a table.
 *
 * Every function names the classes of types that it takes and one of few rules for the type in
 * which it computes. Literals give way: a non-negative integer literal beside an unsigned column is
 * unsigned, an untyped null is whatever stands beside it. */
#include "base/err.h"
#include "plan/plan_private.h"

enum { INTEGERS = CLASS_INT | CLASS_UINT, NUMBERS = INTEGERS | CLASS_FLOAT };
enum { ORDERED = NUMBERS | CLASS_BOOL | CLASS_STRING | CLASS_TIME };

enum rule {
  RULE_COMMON,  /* both in the wider one of their types, which is the result's */
  RULE_FLOAT,   /* both in floats */
  RULE_COMPARE, /* both in the wider one; signed beside unsigned stay as they are; a boolean */
  RULE_BOOL,    /* booleans */
  RULE_ANY,     /* as it is; a boolean */
};

static const struct signature {
  const char *name, *symbol;
  uint32_t minimum, maximum;
} signatures[FUNCTION_COUNT] = {
#define FUNCTION(name, symbol, minimum, maximum)                                                   \
  [FUNCTION_##name] = {#name, symbol, minimum, maximum},
#include "plan/functions.def"
#undef FUNCTION
};

static const struct typing {
  unsigned classes;
  enum rule rule;
} typings[FUNCTION_COUNT] = {
    [FUNCTION_ADD] = {NUMBERS, RULE_COMMON},
    [FUNCTION_SUBTRACT] = {NUMBERS, RULE_COMMON},
    [FUNCTION_MULTIPLY] = {NUMBERS, RULE_COMMON},
    [FUNCTION_DIVIDE] = {NUMBERS, RULE_FLOAT},
    [FUNCTION_MODULO] = {NUMBERS, RULE_COMMON},
    [FUNCTION_BIT_AND] = {INTEGERS | CLASS_BOOL, RULE_COMMON},
    [FUNCTION_BIT_OR] = {INTEGERS | CLASS_BOOL, RULE_COMMON},
    [FUNCTION_BIT_XOR] = {INTEGERS | CLASS_BOOL, RULE_COMMON},
    [FUNCTION_NEGATE] = {CLASS_INT | CLASS_FLOAT, RULE_COMMON},
    [FUNCTION_EQUAL] = {ORDERED, RULE_COMPARE},
    [FUNCTION_NOT_EQUAL] = {ORDERED, RULE_COMPARE},
    [FUNCTION_LESS] = {ORDERED, RULE_COMPARE},
    [FUNCTION_LESS_EQUAL] = {ORDERED, RULE_COMPARE},
    [FUNCTION_GREATER] = {ORDERED, RULE_COMPARE},
    [FUNCTION_GREATER_EQUAL] = {ORDERED, RULE_COMPARE},
    [FUNCTION_AND] = {CLASS_BOOL, RULE_BOOL},
    [FUNCTION_OR] = {CLASS_BOOL, RULE_BOOL},
    [FUNCTION_NOT] = {CLASS_BOOL, RULE_BOOL},
    [FUNCTION_MATCH] = {CLASS_STRING, RULE_ANY},
    [FUNCTION_IS_PRESENT] = {ORDERED, RULE_ANY},
    [FUNCTION_CAST] = {0, RULE_ANY}, /* expr_cast has rules of its own */
};

unsigned plan__class(struct type type) {
  switch (type.physical) {
  case PHYSICAL_BOOL:
    return CLASS_BOOL;
  case PHYSICAL_INT64:
    return type.logical == LOGICAL_PLAIN ? CLASS_INT : CLASS_TIME;
  case PHYSICAL_UINT64:
    return CLASS_UINT;
  case PHYSICAL_FLOAT64:
    return CLASS_FLOAT;
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    return CLASS_STRING;
  default:
    return 0;
  }
}

const char *plan__function_name(enum plan_function function) { return signatures[function].symbol; }

static bool literal_null(const struct expr *expr) {
  return expr->kind == EXPR_LITERAL && expr->literal.null;
}

/* An integer literal that is not negative. */
static bool literal_natural(const struct expr *expr) {
  return expr->kind == EXPR_LITERAL && !expr->literal.null &&
         plan__class(expr->type) == CLASS_INT && expr->literal.i64 >= 0;
}

static bool common_type(const struct expr *a, const struct expr *b, bool compare,
                        struct type *type) {
  unsigned x = plan__class(a->type), y = plan__class(b->type);
  *type = a->type;
  if (x == y) {
    return x != CLASS_TIME || type_equal(a->type, b->type);
  } else if ((x | y) == INTEGERS) {
    bool signed_too = compare && !literal_natural(x == CLASS_INT ? a : b);
    *type = signed_too ? (struct type){0} : TYPE_UINT64;
  } else if (((x | y) & ~(unsigned)NUMBERS) == 0) {
    *type = TYPE_FLOAT64;
  } else if (compare && (x | y) == (CLASS_TIME | CLASS_INT)) {
    *type = (struct type){0};
  } else {
    return false;
  }
  return true;
}

static int refuse(enum plan_function function, const struct expr *const *arguments, uint32_t count,
                  struct err *err) {
  if (count == 1)
    err_set(err, ERR_UNSUPPORTED, "operator \"%s\" does not take %s", signatures[function].symbol,
            type_name(arguments[0]->type));
  else
    err_set(err, ERR_UNSUPPORTED, "operator \"%s\" does not take %s and %s",
            signatures[function].symbol, type_name(arguments[0]->type),
            type_name(arguments[1]->type));
  return ERR_UNSUPPORTED;
}

int plan__function_types(enum plan_function function, const struct expr *const *arguments,
                         uint32_t count, struct type *argument_type, struct type *result,
                         struct err *err) {
  const struct typing *typing = &typings[function];
  if (count < signatures[function].minimum || count > signatures[function].maximum)
    return err_set(err, ERR_INVALID_ARGUMENT, "operator \"%s\" takes %u operands, not %u",
                   signatures[function].symbol, signatures[function].minimum, count);
  *argument_type = (struct type){0};
  *result = TYPE_BOOL;
  const struct expr *a = arguments[0], *b = count > 1 ? arguments[1] : a;
  if (literal_null(a)) a = b;
  if (count > 1 && literal_null(arguments[1])) b = a;
  if (!(plan__class(a->type) & typing->classes) || !(plan__class(b->type) & typing->classes))
    return refuse(function, arguments, count, err);
  if (typing->rule == RULE_ANY || typing->rule == RULE_BOOL) return ERR_OK;
  if (typing->rule == RULE_FLOAT) {
    *argument_type = *result = TYPE_FLOAT64;
    return ERR_OK;
  }
  if (!common_type(a, b, typing->rule == RULE_COMPARE, argument_type))
    return refuse(function, arguments, count, err);
  if (typing->rule == RULE_COMMON) *result = *argument_type;
  return ERR_OK;
}
