/* Compiling: a tree becomes steps in the order of their arguments.
 *
 * Every distinct part of the expressions has one register: parts are found again by hash. What may
 * fail is computed under a **guard**, the rows for which it is asked for, and its value may be
 * taken again only where the guard is the same or inside of it. What can't fail has no guard and is
 * shared everywhere; it is computed for all rows, which costs less than asking. */
#include <string.h>

#include "base/err.h"
#include "exec/program_private.h"
#include "plan/properties.h"

struct known {
  const struct expr *expr;
  uint32_t place, guard;
};
struct compiling {
  struct arena *arena;
  struct err *err;
  struct program *program;
  struct register_plan *registers;
  struct guard_plan *guards;
  struct step *steps;
  struct known *known; /* open addressing */
  size_t mask;
  int code;
};

static void count_nodes(const struct expr *expr, uint32_t *nodes, uint32_t *guards) {
  ++*nodes;
  if (expr->kind == EXPR_CALL) *guards += 2 * expr->argument_count;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    count_nodes(expr->arguments[i], nodes, guards);
}

static bool guard_within(const struct compiling *c, uint32_t inner, uint32_t outer) {
  while (inner != outer && inner != GUARD_NONE)
    inner = c->guards[inner].parent;
  return inner == outer;
}

static struct known *look_up(struct compiling *c, const struct expr *expr, uint32_t guard) {
  size_t at = expr_hash(expr) & c->mask;
  for (; c->known[at].expr; at = (at + 1) & c->mask)
    if (expr_equal(c->known[at].expr, expr) && guard_within(c, guard, c->known[at].guard)) break;
  return &c->known[at];
}

static uint32_t compile(struct compiling *c, const struct expr *expr, uint32_t guard);

static uint32_t add_guard(struct compiling *c, enum guard_kind kind, uint32_t parent,
                          uint32_t condition) {
  uint32_t guard = c->program->guard_count++;
  c->guards[guard] = (struct guard_plan){kind, parent, condition};
  c->steps[c->program->step_count++] = (struct step){.result = guard, .guard = GUARD_NONE};
  return guard;
}

/* The guard of what comes behind argument i. */
static uint32_t guard_behind(struct compiling *c, const struct expr *expr, uint32_t i,
                             uint32_t place, uint32_t guard) {
  switch (expr->function) {
  case FUNCTION_AND:
    return add_guard(c, GUARD_NOT_FALSE, guard, place);
  case FUNCTION_OR:
    return add_guard(c, GUARD_NOT_TRUE, guard, place);
  case FUNCTION_COALESCE:
    return add_guard(c, GUARD_NULL, guard, place);
  case FUNCTION_CASE:
    return i % 2 == 0 ? add_guard(c, GUARD_NOT_TRUE, guard, place) : guard;
  default:
    return guard;
  }
}

static bool any_fails(const struct expr *expr, uint32_t from) {
  for (uint32_t i = from; i < expr->argument_count; i++)
    if (expr_may_fail(expr->arguments[i])) return true;
  return false;
}

static void compile_arguments(struct compiling *c, const struct expr *expr, uint32_t guard,
                              uint32_t *arguments) {
  bool is_case = expr->function == FUNCTION_CASE;
  for (uint32_t i = 0; i < expr->argument_count && !c->code; i++) {
    arguments[i] = compile(c, expr->arguments[i], guard);
    bool condition = is_case && i % 2 == 0 && i + 1 < expr->argument_count;
    if (condition && expr_may_fail(expr->arguments[i + 1])) {
      uint32_t branch = add_guard(c, GUARD_TRUE, guard, arguments[i]);
      arguments[i + 1] = compile(c, expr->arguments[i + 1], branch);
    } else if (condition) {
      arguments[i + 1] = compile(c, expr->arguments[i + 1], GUARD_NONE);
    }
    if (any_fails(expr, condition ? i + 2 : i + 1))
      guard = guard_behind(c, expr, i, arguments[i], guard);
    i += condition;
  }
}

static uint32_t compile(struct compiling *c, const struct expr *expr, uint32_t guard) {
  if (c->code) return 0;
  if (expr->kind == EXPR_PARAMETER) {
    c->code = err_set(c->err, ERR_INVALID_ARGUMENT, "parameter $%u has no value", expr->column + 1);
    return 0;
  }
  if (!expr_may_fail(expr)) guard = GUARD_NONE;
  struct known *known = look_up(c, expr, guard);
  if (known->expr) return known->place;
  uint32_t *arguments = NULL;
  if (expr->kind == EXPR_CALL) {
    arguments = ARENA_ARRAY(c->arena, uint32_t, expr->argument_count + 1);
    if (!arguments) {
      c->code = mem_refused(c->arena->account, sizeof *arguments, c->err);
      return 0;
    }
    compile_arguments(c, expr, guard, arguments);
  }
  uint32_t place = c->program->register_count++;
  c->registers[place] = (struct register_plan){
      .type = expr->type, .kind = expr->kind, .column = expr->column, .literal = &expr->literal};
  if (expr->kind == EXPR_CALL)
    c->steps[c->program->step_count++] = (struct step){expr, arguments, place, guard};
  if (expr->argument_count > c->program->argument_max)
    c->program->argument_max = expr->argument_count;
  known = look_up(c, expr, guard); /* arguments may have taken the slot */
  *known = (struct known){expr, place, guard};
  return place;
}

int exec__program_compile_list(struct arena *arena, const struct expr *const *exprs, uint32_t count,
                               const struct program **out, struct err *err) {
  uint32_t nodes = 0, guards = 0;
  for (uint32_t i = 0; i < count; i++)
    count_nodes(exprs[i], &nodes, &guards);
  size_t slots = 16;
  while (slots < (size_t)nodes * 2)
    slots *= 2;
  struct compiling c = {.arena = arena, .err = err, .mask = slots - 1};
  uint32_t *results = ARENA_ARRAY(arena, uint32_t, count + 1);
  c.program = ARENA_NEW(arena, struct program);
  c.registers = ARENA_ARRAY(arena, struct register_plan, nodes + 1);
  c.guards = ARENA_ARRAY(arena, struct guard_plan, guards + 1);
  c.steps = ARENA_ARRAY(arena, struct step, nodes + guards + 1);
  c.known = mem_alloc_zero(arena->account, slots * sizeof *c.known);
  if (!results || !c.program || !c.registers || !c.guards || !c.steps || !c.known)
    c.code = mem_refused(arena->account, slots * sizeof *c.known, err);
  for (uint32_t i = 0; i < count && !c.code; i++)
    results[i] = compile(&c, exprs[i], GUARD_NONE);
  mem_free(arena->account, c.known, slots * sizeof *c.known);
  if (c.code) return c.code;
  c.program->registers = c.registers;
  c.program->guards = c.guards;
  c.program->steps = c.steps;
  c.program->results = results;
  c.program->result_count = count;
  *out = c.program;
  return ERR_OK;
}

int exec__program_compile(struct arena *arena, const struct expr *expr, const struct program **out,
                          struct err *err) {
  return exec__program_compile_list(arena, &expr, 1, out, err);
}

void exec__expr_columns(const struct expr *expr, bool *used) {
  if (expr->kind == EXPR_COLUMN) used[expr->column] = true;
  for (uint32_t i = 0; i < expr->argument_count; i++)
    exec__expr_columns(expr->arguments[i], used);
}
