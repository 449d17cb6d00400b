/* Calls of literals, computed while planning by the executor's own kernels over one row. What would
 * fail stays a call: it may stand where it is never asked for. */
#include "base/decimal.h"
#include "base/err.h"
#include "base/time.h"
#include "plan/function_kernels.h"

/* Room for one row of any type. */
static bool make_vector(struct arena *arena, struct vector *vector, struct type type) {
  vector->type = type;
  vector->own_values = arena_alloc_zero(arena, sizeof(struct str));
  vector->own_validity = arena_alloc_zero(arena, 8);
  return vector->own_values && vector->own_validity;
}

static int fold(struct arena *arena, const struct expr *call, struct plan_value *value,
                struct err *err) {
  uint32_t count = call->argument_count;
  struct vector *vectors = ARENA_ARRAY(arena, struct vector, count + 1);
  const struct vector **arguments = ARENA_ARRAY(arena, const struct vector *, count + 1);
  if (!vectors || !arguments || !make_vector(arena, &vectors[count], call->type))
    return mem_refused(arena->account, sizeof *vectors, err);
  for (uint32_t i = 0; i < count; i++) {
    if (!make_vector(arena, &vectors[i], call->arguments[i]->type))
      return mem_refused(arena->account, sizeof *vectors, err);
    vector_set_literal(&vectors[i], &call->arguments[i]->literal, 1);
    arguments[i] = &vectors[i];
  }
  void *memory = NULL;
  struct plan_call run = {.expr = call,
                          .arguments = arguments,
                          .result = &vectors[count],
                          .count = 1,
                          .scratch = arena,
                          .lasting = arena,
                          .memory = &memory};
  int code = plan_call_run(&run, err);
  plan_call_release(call, memory);
  if (!code) *value = vector_value(&vectors[count], 0);
  return code;
}

/* ---- integers beside numerics, dates beside timestamps ---- */

/* The signed integer that is cast to numeric, the date that is cast to timestamp; NULL: something
 * else is. */
static const struct expr *widened_integer(const struct expr *expr) {
  if (expr->kind != EXPR_CALL ||
      (expr->function != FUNCTION_CAST && expr->function != FUNCTION_CAST_SQL))
    return NULL;
  const struct expr *inner = expr->arguments[0];
  if (expr->type.logical == LOGICAL_LOCAL)
    return inner->type.logical == LOGICAL_DATE ? inner : NULL;
  if (expr->type.logical != LOGICAL_DECIMAL) return NULL;
  bool plain = inner->type.logical == LOGICAL_PLAIN || inner->type.logical == LOGICAL_INT32 ||
               inner->type.logical == LOGICAL_INT16;
  return inner->type.physical == PHYSICAL_INT64 && plain ? inner : NULL;
}

/* The day with which dates compare as with the timestamp; false: there is none. */
static bool day_bound(const struct plan_value *literal, bool down, bool by_order, int64_t *bound) {
  int64_t day = time_unit_per_day((enum time_unit)literal->type.parameter), value = literal->i64;
  if (value == INT64_MIN || value == INT64_MAX) return false; /* the infinities */
  int64_t rest = value % day, floor = value / day - (rest < 0);
  *bound = floor + (rest != 0 && !down);
  return by_order || rest == 0;
}

/* The integer with which integers compare as with the numeric; false: there is none. */
static bool integer_bound(const struct plan_value *literal, enum compare_op op, int64_t *bound) {
  struct decimal value, whole;
  bool down = op == COMPARE_GREATER || op == COMPARE_LESS_EQUAL;
  bool by_order = op != COMPARE_EQUAL && op != COMPARE_NOT_EQUAL;
  if (!literal->null && literal->type.logical == LOGICAL_LOCAL)
    return day_bound(literal, down, by_order, bound);
  if (literal->null || !decimal_load(literal->text, &value) || value.kind != DECIMAL_FINITE)
    return false;
  if (decimal_round(&value, 0, down ? DECIMAL_FLOOR : DECIMAL_CEIL, &whole)) return false;
  return (by_order || decimal_compare(&value, &whole) == 0) && decimal_to_i64(&whole, bound);
}

/* a < b is b > a. */
static enum compare_op turned_round(enum compare_op op) {
  switch (op) {
  case COMPARE_LESS:
    return COMPARE_GREATER;
  case COMPARE_LESS_EQUAL:
    return COMPARE_GREATER_EQUAL;
  case COMPARE_GREATER:
    return COMPARE_LESS;
  case COMPARE_GREATER_EQUAL:
    return COMPARE_LESS_EQUAL;
  default:
    return op;
  }
}

/* An integer compared with a numeric literal (`usage > 90.0`) is compared with an integer, a date
 * with a timestamp (`day < date '2024-01-01' + interval '1 month'`) with a date, so that
 * encoded data and statistics can be asked. Itself where that is not so. */
static const struct expr *compare_integers(struct arena *arena, const struct expr *call) {
  enum compare_op op;
  if (!plan__is_comparison(call->function, &op)) return call;
  const struct expr *left = call->arguments[0], *right = call->arguments[1];
  bool turned = left->kind == EXPR_LITERAL;
  const struct expr *literal = turned ? left : right;
  const struct expr *inner = widened_integer(turned ? right : left);
  if (!inner || literal->kind != EXPR_LITERAL ||
      literal->type.logical != (turned ? right : left)->type.logical)
    return call;
  struct plan_value value = {.type = inner->type};
  enum compare_op seen = turned ? turned_round(op) : op;
  if (!integer_bound(&literal->literal, seen, &value.i64) ||
      !plan__integer_fits(inner->type, value.i64))
    return call;
  const struct expr *bound = expr_literal(arena, &value);
  const struct expr *arguments[2] = {turned ? bound : inner, turned ? inner : bound};
  const struct expr *made = bound ? expr_call(arena, call->function, arguments, 2, NULL) : NULL;
  return made ? made : call;
}

const struct expr *plan__fold(struct arena *arena, const struct expr *call) {
  if (plan__function_is_volatile(call->function)) return call;
  for (uint32_t i = 0; i < call->argument_count; i++)
    if (call->arguments[i]->kind != EXPR_LITERAL) return compare_integers(arena, call);
  struct arena scratch;
  struct plan_value value;
  const struct expr *made = NULL;
  arena_init(&scratch, arena->account, 1024);
  if (fold(&scratch, call, &value, NULL) == ERR_OK) made = expr_literal(arena, &value);
  arena_deinit(&scratch);
  return made ? made : call;
}

struct evaluation {
  struct arena *arena;
  const struct plan_value *columns;
};

static const struct expr *evaluate_leaf(void *context, const struct expr *leaf, struct err *err) {
  (void)err;
  const struct evaluation *evaluation = context;
  return leaf->kind == EXPR_COLUMN
             ? expr_literal(evaluation->arena, &evaluation->columns[leaf->column])
             : leaf;
}

bool expr_evaluate(struct arena *arena, const struct expr *expr, const struct plan_value *columns,
                   struct plan_value *value) {
  struct evaluation evaluation = {arena, columns};
  struct plan_mapping mapping = {evaluate_leaf, &evaluation};
  const struct expr *made = plan__expr_map(arena, expr, &mapping, NULL);
  if (!made || made->kind != EXPR_LITERAL) return false;
  *value = made->literal;
  return true;
}

/* CASE and COALESCE: the argument that is the value; NULL: none is. */
static int taken_branch(struct arena *arena, const struct expr *expr, const struct expr **taken,
                        struct err *err) {
  struct plan_value value;
  bool cases = expr->function == FUNCTION_CASE;
  *taken = NULL;
  for (uint32_t i = 0; i < expr->argument_count; i += cases ? 2 : 1) {
    *taken = expr->arguments[i];
    if (cases && i + 1 == expr->argument_count) return ERR_OK; /* ELSE */
    int code = expr_compute(arena, *taken, &value, err);
    if (code) return code;
    if (cases) *taken = expr->arguments[i + 1];
    if (!value.null && (!cases || value.boolean)) return ERR_OK;
  }
  *taken = NULL;
  return ERR_OK;
}

int expr_compute(struct arena *arena, const struct expr *expr, struct plan_value *value,
                 struct err *err) {
  if (expr->kind == EXPR_LITERAL) {
    *value = expr->literal;
    return ERR_OK;
  }
  if (expr->kind != EXPR_CALL) return err_set(err, ERR_UNSUPPORTED, "the value is no constant");
  if (expr->function == FUNCTION_CASE || expr->function == FUNCTION_COALESCE) {
    const struct expr *taken;
    int code = taken_branch(arena, expr, &taken, err);
    if (taken && !code) return expr_compute(arena, taken, value, err);
    *value = (struct plan_value){.type = expr->type, .null = true};
    return code;
  }
  const struct expr **literals = ARENA_ARRAY(arena, const struct expr *, expr->argument_count + 1);
  if (!literals) return mem_refused(arena->account, sizeof *literals, err);
  for (uint32_t i = 0; i < expr->argument_count; i++) {
    struct plan_value argument;
    int code = expr_compute(arena, expr->arguments[i], &argument, err);
    if (code) return code;
    literals[i] = expr_literal(arena, &argument);
    if (!literals[i]) return mem_refused(arena->account, sizeof *expr, err);
  }
  struct expr call = *expr;
  call.arguments = literals;
  return fold(arena, &call, value, err);
}
