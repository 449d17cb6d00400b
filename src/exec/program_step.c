/* One step over one vector: a guard, or a call: by its dictionary or row by row. */
#include <string.h>

#include "base/err.h"
#include "exec/program_private.h"

static const uint64_t *guard_bits(const struct program_state *state, uint32_t guard) {
  return guard == GUARD_NONE ? state->selected : state->guards + (size_t)guard * VECTOR_WORDS;
}

static void run_guard(struct program_state *state, uint32_t guard, uint32_t count) {
  const struct guard_plan *plan = &state->program->guards[guard];
  const struct vector *condition = &state->vectors[plan->condition];
  const uint64_t *parent = guard_bits(state, plan->parent), *truth = condition->values;
  uint64_t *out = state->guards + (size_t)guard * VECTOR_WORDS;
  for (size_t w = 0; w < bit_words(count); w++) {
    uint64_t valid = condition->validity ? condition->validity[w] : ~UINT64_C(0);
    uint64_t bits = plan->kind == GUARD_NULL        ? ~valid
                    : plan->kind == GUARD_TRUE      ? valid & truth[w]
                    : plan->kind == GUARD_NOT_FALSE ? ~valid | truth[w]
                                                    : ~(valid & truth[w]);
    out[w] = bits & (parent ? parent[w] : ~UINT64_C(0));
  }
  if (count % 64) out[count / 64] &= (UINT64_C(1) << count % 64) - 1;
}

static bool nothing_asked(const uint64_t *active, uint32_t count) {
  if (!active) return false;
  uint64_t any = 0;
  for (size_t w = 0; w < bit_words(count); w++)
    any |= active[w];
  return any == 0;
}

/* Null in all rows: nobody looks at them. */
static void set_nothing(struct vector *vector) {
  memset(vector->own_validity, 0, VECTOR_WORDS * 8);
  vector->validity = vector->own_validity;
  vector->values = vector->own_values;
  vector->dictionary = NULL;
  vector->texts = type_is_string(vector->type) ? vector->own_values : NULL;
}

int exec__step_run(struct program_state *state, uint32_t index, uint32_t count, struct err *err) {
  const struct step *step = &state->program->steps[index];
  if (!step->expr) {
    run_guard(state, step->result, count);
    return ERR_OK;
  }
  struct vector *result = &state->vectors[step->result];
  const uint64_t *active = guard_bits(state, step->guard);
  if (step->guard != GUARD_NONE && nothing_asked(active, count)) {
    set_nothing(result);
    return ERR_OK;
  }
  for (uint32_t i = 0; i < step->expr->argument_count; i++)
    state->arguments[i] = &state->vectors[step->arguments[i]];
  bool done;
  int code = exec__step_map(state, index, count, &done, err);
  if (code || done) return code;
  struct plan_call call = {.expr = step->expr,
                           .arguments = state->arguments,
                           .result = result,
                           .count = count,
                           .active = active,
                           .scratch = &state->scratch,
                           .lasting = state->arena,
                           .memory = &state->memory[index]};
  return plan_call_run(&call, err);
}
