/* Compiling and running: see program.h. Each node of the expression has a register; columns are
 * windows into the input, literals are spread over their register once, calls write theirs. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "columnar/bits.h"
#include "exec/program_private.h"

/* ---- compiling ---- */

static void count_nodes(const struct expr *expr, uint32_t *nodes, uint32_t *calls) {
  ++*nodes;
  if (expr->kind == EXPR_CALL) ++*calls;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    count_nodes(expr->arguments[i], nodes, calls);
}

static uint32_t compile(struct program *program, struct register_plan *registers,
                        struct step *steps, const struct expr *expr) {
  uint32_t arguments[2] = {0, 0};
  for (uint32_t i = 0; i < expr->argument_count && i < 2; i++)
    arguments[i] = compile(program, registers, steps, expr->arguments[i]);
  uint32_t result = program->register_count++;
  registers[result] = (struct register_plan){
      .type = expr->type, .kind = expr->kind, .column = expr->column, .literal = &expr->literal};
  if (expr->kind == EXPR_CALL)
    steps[program->step_count++] =
        (struct step){expr->function, arguments[0],
                      expr->argument_count > 1 ? arguments[1] : arguments[0], result, expr};
  return result;
}

int exec__program_compile(struct arena *arena, const struct expr *expr, const struct program **out,
                          struct err *err) {
  uint32_t nodes = 0, calls = 0;
  count_nodes(expr, &nodes, &calls);
  struct program *program = ARENA_NEW(arena, struct program);
  struct register_plan *registers = ARENA_ARRAY(arena, struct register_plan, nodes);
  struct step *steps = ARENA_ARRAY(arena, struct step, calls + 1);
  if (!program || !registers || !steps)
    return mem_refused(arena->account, nodes * sizeof *registers, err);
  program->registers = registers;
  program->steps = steps;
  program->result = compile(program, registers, steps, expr);
  *out = program;
  return ERR_OK;
}

void exec__expr_columns(const struct expr *expr, bool *used) {
  if (expr->kind == EXPR_COLUMN) used[expr->column] = true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    exec__expr_columns(expr->arguments[i], used);
}

/* ---- states ---- */

static void spread_literal(struct vector *vector, const struct plan_value *literal) {
  static const uint64_t nothing[VECTOR_WORDS];
  if (literal->null) vector->validity = nothing;
  if (literal->null || type_is_string(literal->type)) return;
  if (literal->type.physical == PHYSICAL_BOOL) {
    memset(vector->own_values, literal->boolean ? 0xff : 0, VECTOR_WORDS * 8);
    return;
  }
  uint64_t *values = vector->own_values;
  for (int i = 0; i < PROGRAM_VECTOR; i++)
    values[i] = literal->u64;
}

static bool vector_init(struct arena *arena, struct vector *vector,
                        const struct register_plan *plan) {
  vector->type = plan->type;
  if (plan->kind == EXPR_COLUMN) return true;
  size_t bytes = plan->type.physical == PHYSICAL_BOOL ? VECTOR_WORDS * 8 : PROGRAM_VECTOR * 8;
  vector->own_values = arena_alloc_zero(arena, bytes);
  vector->own_validity = arena_alloc(arena, VECTOR_WORDS * 8);
  if (!vector->own_values || !vector->own_validity) return false;
  vector->values = vector->own_values;
  if (plan->kind == EXPR_LITERAL) {
    vector->literal = plan->literal;
    spread_literal(vector, plan->literal);
  }
  return true;
}

int exec__program_state(struct arena *arena, const struct program *program,
                        struct program_state **out, struct err *err) {
  struct program_state *state = ARENA_NEW(arena, struct program_state);
  if (!state) return mem_refused(arena->account, sizeof *state, err);
  state->program = program;
  state->arena = arena;
  state->loops = kernel_loops();
  state->vectors = ARENA_ARRAY(arena, struct vector, program->register_count);
  state->answers = ARENA_ARRAY(arena, struct code_answers, program->step_count + 1);
  state->result_values = arena_alloc(arena, (LIMIT_BLOCK_ROWS + 1) * 8);
  state->result_validity = arena_alloc(arena, LIMIT_BLOCK_ROWS / 8);
  bool made = state->vectors && state->answers && state->result_values && state->result_validity;
  for (uint32_t i = 0; i < program->register_count && made; i++)
    made = vector_init(arena, &state->vectors[i], &program->registers[i]);
  if (!made) return mem_refused(arena->account, LIMIT_BLOCK_ROWS * 8, err);
  *out = state;
  return ERR_OK;
}

void exec__program_release(struct program_state *state) {
  if (!state) return;
  pcre2_match_data_free(state->match_data);
  pcre2_match_context_free(state->match_context);
  state->match_data = state->match_context = NULL;
}

/* ---- running ---- */

/* Points a register at rows [at, ...) of a column; `at` is a multiple of 64. */
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

static void keep_result(struct program_state *state, const struct vector *vector, int64_t at,
                        uint32_t count) {
  if (vector->type.physical == PHYSICAL_BOOL)
    memcpy(state->result_values + at / 64, vector->values, bit_words(count) * 8);
  else
    memcpy(state->result_values + at, vector->values, (size_t)count * 8);
  if (vector->validity)
    memcpy(state->result_validity + at / 64, vector->validity, bit_words(count) * 8);
  else
    bits_fill(state->result_validity, at, count, true);
}

/* A literal string for every row is a dictionary column with a dictionary of one. */
static int spread_string(struct program_state *state, const struct plan_value *literal,
                         int64_t length, struct column *result, struct err *err) {
  if (!state->literal) {
    struct column *dictionary = ARENA_NEW(state->arena, struct column);
    int32_t *offsets = ARENA_ARRAY(state->arena, int32_t, 2);
    if (!dictionary || !offsets) return mem_refused(state->arena->account, sizeof *dictionary, err);
    offsets[1] = (int32_t)(literal->null ? 0 : literal->text.size);
    *dictionary = (struct column){.type = literal->type,
                                  .length = 1,
                                  .offsets = offsets,
                                  .data = literal->null ? "" : literal->text.data};
    state->literal = dictionary;
  }
  memset(state->result_values, 0, (size_t)length * 4);
  memset(state->result_validity, literal->null ? 0 : 0xff, bit_words(length) * 8);
  *result = (struct column){.type = {PHYSICAL_INT32, 0, 0},
                            .length = length,
                            .values = state->result_values,
                            .dictionary = state->literal};
  return ERR_OK;
}

int exec__program_run(struct program_state *state, const struct column *columns, int64_t length,
                      struct column *result, struct err *err) {
  const struct program *program = state->program;
  const struct register_plan *last = &program->registers[program->result];
  if (last->kind == EXPR_COLUMN) {
    *result = columns[last->column];
    return ERR_OK;
  }
  bool strings = type_is_string(last->type);
  if (strings && last->kind != EXPR_LITERAL)
    return err_set(err, ERR_UNSUPPORTED, "an expression that gives strings");
  for (int64_t at = 0; at < length && !strings; at += PROGRAM_VECTOR) {
    uint32_t count = (uint32_t)(length - at < PROGRAM_VECTOR ? length - at : PROGRAM_VECTOR);
    for (uint32_t i = 0; i < program->register_count; i++)
      if (program->registers[i].kind == EXPR_COLUMN)
        point(&state->vectors[i], &columns[program->registers[i].column], at);
    for (uint32_t i = 0; i < program->step_count; i++) {
      int code = exec__step_run(state, i, count, err);
      if (code) return code;
    }
    keep_result(state, &state->vectors[program->result], at, count);
  }
  if (strings) {
    int code = spread_string(state, last->literal, length, result, err);
    if (code) return code;
  } else {
    *result = (struct column){.type = last->type, .length = length, .values = state->result_values};
  }
  result->null_count = (uint32_t)(length - bits_count(state->result_validity, 0, length));
  result->validity = result->null_count ? state->result_validity : NULL;
  return ERR_OK;
}
