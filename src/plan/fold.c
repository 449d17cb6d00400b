/* Calls of literals, computed while planning by the executor's own kernels over one row. What would
 * fail stays a call: it may stand where it is never asked for. */
#include "base/err.h"
#include "plan/function_kernels.h"

/* Room for one row of any type. */
static bool make_vector(struct arena *arena, struct vector *vector, struct type type) {
  vector->type = type;
  vector->own_values = arena_alloc_zero(arena, sizeof(struct str));
  vector->own_validity = arena_alloc_zero(arena, 8);
  return vector->own_values && vector->own_validity;
}

static bool fold(struct arena *arena, const struct expr *call, struct plan_value *value) {
  uint32_t count = call->argument_count;
  struct vector *vectors = ARENA_ARRAY(arena, struct vector, count + 1);
  const struct vector **arguments = ARENA_ARRAY(arena, const struct vector *, count + 1);
  if (!vectors || !arguments || !make_vector(arena, &vectors[count], call->type)) return false;
  for (uint32_t i = 0; i < count; i++) {
    if (!make_vector(arena, &vectors[i], call->arguments[i]->type)) return false;
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
  bool done = plan_call_run(&run, NULL) == ERR_OK;
  plan_call_release(call, memory);
  if (done) *value = vector_value(&vectors[count], 0);
  return done;
}

const struct expr *plan__fold(struct arena *arena, const struct expr *call) {
  if (plan__function_is_volatile(call->function)) return call;
  for (uint32_t i = 0; i < call->argument_count; i++)
    if (call->arguments[i]->kind != EXPR_LITERAL) return call;
  struct arena scratch;
  struct plan_value value;
  const struct expr *made = NULL;
  arena_init(&scratch, arena->account, 1024);
  if (fold(&scratch, call, &value)) made = expr_literal(arena, &value);
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
