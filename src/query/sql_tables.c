/* The tables that a SELECT names, wherever in it: below joins, set operations, expressions, WITH.
 *
 * A name of one part that a WITH in scope has is no table. */
#include "query/sql_change_private.h"

/* The names that WITH gives, innermost first. */
struct scope {
  const struct scope *outer;
  const struct sql_with *with;
  uint32_t count;
};
struct walk {
  int (*visit)(void *context, struct sql_name *name, struct err *err);
  void *context;
  struct err *err;
};

static int walk_select(const struct walk *walk, const struct scope *scope,
                       struct sql_select *select);
static int walk_expr(const struct walk *walk, const struct scope *scope, struct sql_expr *expr);

static bool is_with(const struct scope *scope, const struct sql_name *name) {
  if (name->count != 1) return false;
  for (; scope; scope = scope->outer)
    for (uint32_t i = 0; i < scope->count; i++)
      if (str_equal(scope->with[i].name, name->parts[0])) return true;
  return false;
}

static int walk_exprs(const struct walk *walk, const struct scope *scope,
                      const struct sql_exprs *exprs) {
  int code = 0;
  for (uint32_t i = 0; i < exprs->count && !code; i++)
    code = walk_expr(walk, scope, exprs->items[i]);
  return code;
}

static int walk_orders(const struct walk *walk, const struct scope *scope,
                       const struct sql_orders *orders) {
  int code = 0;
  for (uint32_t i = 0; i < orders->count && !code; i++)
    code = walk_expr(walk, scope, orders->items[i].expr);
  return code;
}

static int walk_window(const struct walk *walk, const struct scope *scope,
                       const struct sql_window *window) {
  int code = walk_exprs(walk, scope, &window->partition);
  if (!code) code = walk_orders(walk, scope, &window->order);
  if (!code) code = walk_expr(walk, scope, window->start_offset);
  return code ? code : walk_expr(walk, scope, window->end_offset);
}

static int walk_expr(const struct walk *walk, const struct scope *scope, struct sql_expr *expr) {
  if (!expr) return 0;
  int code = walk_exprs(walk, scope, &expr->arguments);
  if (!code && expr->select) code = walk_select(walk, scope, expr->select);
  if (!code) code = walk_orders(walk, scope, &expr->order);
  if (!code) code = walk_expr(walk, scope, expr->filter);
  if (!code && expr->over) code = walk_window(walk, scope, expr->over);
  return code;
}

static int walk_from(const struct walk *walk, const struct scope *scope, struct sql_from *from) {
  int code = 0;
  if (!from) return 0;
  if (from->kind == SQL_FROM_TABLE && !is_with(scope, &from->table)) {
    /* The table keeps the name that its columns are called by. */
    if (!from->alias.size) from->alias = from->table.parts[from->table.count - 1];
    code = walk->visit(walk->context, &from->table, walk->err);
  }
  if (!code && from->select) code = walk_select(walk, scope, from->select);
  if (!code) code = walk_exprs(walk, scope, &from->functions);
  if (!code) code = walk_from(walk, scope, from->left);
  if (!code) code = walk_from(walk, scope, from->right);
  return code ? code : walk_expr(walk, scope, from->on);
}

static int walk_grouping(const struct walk *walk, const struct scope *scope,
                         const struct sql_grouping *groups, uint32_t count) {
  int code = 0;
  for (uint32_t i = 0; i < count && !code; i++) {
    code = walk_expr(walk, scope, groups[i].expr);
    if (!code) code = walk_exprs(walk, scope, &groups[i].exprs);
    if (!code) code = walk_grouping(walk, scope, groups[i].sets, groups[i].set_count);
  }
  return code;
}

static int walk_plain(const struct walk *walk, const struct scope *scope,
                      struct sql_select *select) {
  int code = walk_exprs(walk, scope, &select->distinct_on);
  for (uint32_t i = 0; i < select->item_count && !code; i++)
    code = walk_expr(walk, scope, select->items[i].expr);
  for (uint32_t i = 0; i < select->from_count && !code; i++)
    code = walk_from(walk, scope, select->from[i]);
  if (!code) code = walk_expr(walk, scope, select->where);
  if (!code) code = walk_grouping(walk, scope, select->group, select->group_count);
  if (!code) code = walk_expr(walk, scope, select->having);
  for (uint32_t i = 0; i < select->window_count && !code; i++)
    code = walk_window(walk, scope, &select->windows[i]);
  return code;
}

static int walk_select(const struct walk *walk, const struct scope *outer,
                       struct sql_select *select) {
  int code = 0;
  if (!select) return 0;
  for (uint32_t i = 0; i < select->with_count && !code; i++) {
    /* One that is not recursive knows those before it, and not itself. */
    struct scope before = {outer, select->with, select->recursive ? select->with_count : i};
    if (select->with[i].statement)
      code = walk_select(walk, &before, select->with[i].statement->select);
  }
  struct scope scope = {outer, select->with, select->with_count};
  if (!code) code = walk_plain(walk, &scope, select);
  if (!code) code = walk_select(walk, &scope, select->left);
  if (!code) code = walk_select(walk, &scope, select->right);
  if (!code) code = walk_exprs(walk, &scope, &select->rows);
  if (!code) code = walk_orders(walk, &scope, &select->order);
  if (!code) code = walk_expr(walk, &scope, select->limit);
  return code ? code : walk_expr(walk, &scope, select->offset_rows);
}

int query__sql_walk_tables(struct sql_select *select,
                           int (*visit)(void *context, struct sql_name *name, struct err *err),
                           void *context, struct err *err) {
  struct walk walk = {visit, context, err};
  return walk_select(&walk, NULL, select);
}
