/* States and running: columns are windows into the input, literals are spread over their register
 * once, steps write theirs, and results are gathered behind every vector. Views of texts end with
 * the vector, so texts are copied when they are results. */
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "columnar/bits.h"
#include "columnar/builder.h"
#include "exec/program_private.h"

/* ---- states ---- */

static bool vector_init(struct arena *arena, struct vector *vector,
                        const struct register_plan *plan) {
  vector->type = plan->type;
  if (plan->kind == EXPR_COLUMN) return true;
  vector->own_values = arena_alloc_zero(arena, vector_bytes(plan->type));
  vector->own_validity = arena_alloc_zero(arena, VECTOR_WORDS * 8);
  if (!vector->own_values || !vector->own_validity) return false;
  if (plan->kind == EXPR_LITERAL) vector_set_literal(vector, plan->literal, VECTOR_ROWS);
  return true;
}

static bool result_init(struct arena *arena, struct program_result *result,
                        const struct register_plan *plan) {
  buffer_init(&result->bytes, arena->account);
  if (plan->kind == EXPR_COLUMN) return true;
  result->values = arena_alloc(arena, (LIMIT_BLOCK_ROWS + 1) * 8);
  result->validity = arena_alloc(arena, LIMIT_BLOCK_ROWS / 8);
  return result->values && result->validity;
}

int exec__program_state(struct arena *arena, const struct program *program,
                        struct program_state **out, struct err *err) {
  struct program_state *state = ARENA_NEW(arena, struct program_state);
  if (!state) return mem_refused(arena->account, sizeof *state, err);
  state->program = program;
  state->arena = arena;
  arena_init(&state->scratch, arena->account, 16384);
  state->vectors = ARENA_ARRAY(arena, struct vector, program->register_count + 1);
  state->guards = ARENA_ARRAY(arena, uint64_t, (program->guard_count + 1) * VECTOR_WORDS);
  state->arguments = ARENA_ARRAY(arena, const struct vector *, program->argument_max + 1);
  state->memory = ARENA_ARRAY(arena, void *, program->step_count + 1);
  state->mappings = ARENA_ARRAY(arena, struct mapping, program->step_count + 1);
  state->results = ARENA_ARRAY(arena, struct program_result, program->result_count + 1);
  bool made = state->vectors && state->guards && state->arguments && state->memory &&
              state->mappings && state->results;
  for (uint32_t i = 0; i < program->register_count && made; i++)
    made = vector_init(arena, &state->vectors[i], &program->registers[i]);
  for (uint32_t i = 0; i < program->result_count && made; i++)
    made = result_init(arena, &state->results[i], &program->registers[program->results[i]]);
  if (!made) return mem_refused(arena->account, LIMIT_BLOCK_ROWS * 8, err);
  *out = state;
  return ERR_OK;
}

void exec__program_release(struct program_state *state) {
  if (!state) return;
  for (uint32_t i = 0; i < state->program->step_count; i++) {
    const struct expr *expr = state->program->steps[i].expr;
    if (expr) plan_call_release(expr, state->memory[i]);
    state->memory[i] = NULL;
    exec__mapping_release(&state->mappings[i]);
  }
  for (uint32_t i = 0; i < state->program->result_count; i++)
    buffer_deinit(&state->results[i].bytes);
  arena_deinit(&state->scratch);
  arena_init(&state->scratch, state->arena->account, 16384);
}

/* ---- running ---- */

/* Points a register at rows [at, …) of a column; `at` is a multiple of 64. */
static void point(struct vector *vector, const struct column *column, int64_t at) {
  vector->dictionary = column->dictionary;
  vector->validity = column->null_count && column->validity ? column->validity + at / 64 : NULL;
  vector->data = column->data;
  if (column->dictionary)
    vector->values = column->i32 + at;
  else if (column->type.physical == PHYSICAL_BOOL)
    vector->values = column->bits + at / 64;
  else if (type_is_string(column->type))
    vector->values = column->offsets + at;
  else
    vector->values = column->u64 + at;
}

/* Texts of a vector behind those that are there; absent ones are empty. */
static int keep_texts(struct program_result *result, const struct vector *vector, int64_t at,
                      uint32_t count, struct err *err) {
  int32_t *offsets = (int32_t *)(void *)result->values + at;
  if (at == 0) offsets[0] = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct str text = vector_valid(vector, i) ? vector_text(vector, i) : STR("");
    buffer_append(&result->bytes, text.data ? text.data : "", text.size);
    if (result->bytes.size > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "the texts of one batch are more than 2 GiB");
    offsets[i + 1] = (int32_t)result->bytes.size;
  }
  return buffer_check(&result->bytes, err);
}

static int keep_result(struct program_result *result, const struct vector *vector, int64_t at,
                       uint32_t count, struct err *err) {
  int code = ERR_OK;
  if (vector->type.physical == PHYSICAL_BOOL)
    memcpy(result->values + at / 64, vector->values, bit_words(count) * 8);
  else if (vector->dictionary)
    memcpy((int32_t *)(void *)result->values + at, vector->values, (size_t)count * 4);
  else if (type_is_string(vector->type))
    code = keep_texts(result, vector, at, count, err);
  else
    memcpy(result->values + at, vector->values, (size_t)count * 8);
  if (vector->validity)
    memcpy(result->validity + at / 64, vector->validity, bit_words(count) * 8);
  else
    bits_fill(result->validity, at, count, true);
  return code;
}

/* A literal text for every row is a dictionary column with a dictionary of one. */
static int spread_text(struct arena *arena, struct program_result *to,
                       const struct plan_value *literal, int64_t length, struct err *err) {
  if (!to->literal) {
    struct column *dictionary = ARENA_NEW(arena, struct column);
    int32_t *offsets = ARENA_ARRAY(arena, int32_t, 2);
    if (!dictionary || !offsets) return mem_refused(arena->account, sizeof *dictionary, err);
    offsets[1] = (int32_t)(literal->null ? 0 : literal->text.size);
    *dictionary = (struct column){.type = literal->type,
                                  .length = 1,
                                  .offsets = offsets,
                                  .data = literal->null ? "" : literal->text.data};
    to->literal = dictionary;
  }
  memset(to->values, 0, (size_t)length * 4);
  memset(to->validity, literal->null ? 0 : 0xff, bit_words(length) * 8);
  return ERR_OK;
}

/* The column of a result whose rows are gathered. */
static void finish(const struct program_result *result, const struct vector *vector, int64_t length,
                   struct column *column) {
  const struct column *dictionary = result->literal ? result->literal : vector->dictionary;
  *column = (struct column){.type = dictionary ? (struct type){PHYSICAL_INT32, 0, 0} : vector->type,
                            .length = length,
                            .values = result->values,
                            .dictionary = dictionary};
  if (!dictionary && type_is_string(vector->type))
    column->data = result->bytes.data ? (const char *)result->bytes.data : "";
  column->null_count = (uint32_t)(length - bits_count(result->validity, 0, length));
  column->validity = column->null_count ? result->validity : NULL;
}

static bool is_literal_text(const struct register_plan *plan) {
  return plan->kind == EXPR_LITERAL && type_is_string(plan->type);
}

static int run_vector(struct program_state *state, const struct column *columns, int64_t at,
                      uint32_t count, struct err *err) {
  const struct program *program = state->program;
  arena_reset(&state->scratch);
  for (uint32_t i = 0; i < program->register_count; i++)
    if (program->registers[i].kind == EXPR_COLUMN)
      point(&state->vectors[i], &columns[program->registers[i].column], at);
  for (uint32_t i = 0; i < program->step_count; i++) {
    int code = exec__step_run(state, i, count, err);
    if (code) return code;
  }
  for (uint32_t i = 0; i < program->result_count; i++) {
    const struct register_plan *plan = &program->registers[program->results[i]];
    if (plan->kind == EXPR_COLUMN || is_literal_text(plan)) continue;
    int code =
        keep_result(&state->results[i], &state->vectors[program->results[i]], at, count, err);
    if (code) return code;
  }
  state->rows += count;
  return ERR_OK;
}

int exec__program_run_list(struct program_state *state, const struct column *columns,
                           int64_t length, const uint64_t *selected, struct column *results,
                           struct err *err) {
  const struct program *program = state->program;
  bool computes = program->step_count > 0;
  for (uint32_t i = 0; i < program->result_count; i++) {
    buffer_reset(&state->results[i].bytes);
    computes |= program->registers[program->results[i]].kind == EXPR_LITERAL;
  }
  for (int64_t at = 0; at < length && computes; at += PROGRAM_VECTOR) {
    uint32_t count = (uint32_t)(length - at < PROGRAM_VECTOR ? length - at : PROGRAM_VECTOR);
    state->selected = selected ? selected + at / 64 : NULL;
    int code = run_vector(state, columns, at, count, err);
    if (code) return code;
  }
  for (uint32_t i = 0; i < program->result_count; i++) {
    const struct register_plan *plan = &program->registers[program->results[i]];
    if (plan->kind == EXPR_COLUMN) {
      results[i] = columns[plan->column];
      continue;
    }
    if (is_literal_text(plan)) {
      int code = spread_text(state->arena, &state->results[i], plan->literal, length, err);
      if (code) return code;
    }
    finish(&state->results[i], &state->vectors[program->results[i]], length, &results[i]);
  }
  return ERR_OK;
}

int exec__program_run(struct program_state *state, const struct column *columns, int64_t length,
                      struct column *result, struct err *err) {
  return exec__program_run_list(state, columns, length, NULL, result, err);
}
