/* The doors of the binder, and what all of it needs: memory, errors with places, depth. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lang/sql/bind_private.h"
#include "plan/properties.h"

int bind__fail(struct err *err, uint32_t offset, int code, const char *format, ...) {
  char text[sizeof err->message];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  err_set(err, code, "%s", text);
  err_position(err, 0, 0, offset);
  return code;
}

int bind__at(struct err *err, uint32_t offset, int code) {
  if (code && err && err->offset < 0 && err_class(code) != ERR_CLASS_RESOURCE)
    err_position(err, err->line, err->column, offset);
  return code;
}

int bind__refused(struct binder *binder, struct err *err) {
  return mem_refused(binder->context->account, binder->arena->chunk_size, err);
}

void *bind__take(struct binder *binder, size_t size, struct err *err) {
  void *taken = arena_alloc_zero(binder->arena, size);
  if (!taken) mem_refused(binder->context->account, size, err);
  return taken;
}

int bind__room(struct binder *binder, void *items, uint32_t count, uint32_t *capacity, size_t size,
               struct err *err) {
  if (count < *capacity) return ERR_OK;
  void *old;
  memcpy(&old, items, sizeof old);
  uint32_t wanted = *capacity ? 2 * *capacity : 8;
  void *made = bind__take(binder, wanted * size, err);
  if (!made) return bind__refused(binder, err);
  if (count) memcpy(made, old, count * size);
  memcpy(items, &made, sizeof made);
  *capacity = wanted;
  return ERR_OK;
}

int bind__enter(struct binder *binder, uint32_t offset, struct err *err) {
  if (++binder->depth <= BIND_DEPTH_MAX) return ERR_OK;
  return bind__fail(err, offset, ERR_LIMIT_EXCEEDED, "the statement is nested too deeply");
}

void bind__leave(struct binder *binder) { binder->depth--; }

static struct binder binder_of(struct sql_context *context) {
  return (struct binder){.context = context, .arena = context->arena};
}

int sql_bind_rows(struct sql_context *context, const struct sql_select *select,
                  const struct sql_type *types, uint32_t count, struct sql_selection *selection,
                  struct err *err) {
  struct binder binder = binder_of(context);
  struct bind_targets targets = {types, count};
  struct bind_result result;
  int code = bind__select(&binder, NULL, NULL, select, types ? &targets : NULL, &result, err);
  for (uint32_t i = 0; !code && i < count && i < result.count; i++)
    code = bind__at(err, select->offset,
                    bind__retype(&binder, &result, i, &types[i], SQL_ASSIGNMENT, err));
  if (!code) code = bind__close(&binder, &result, err);
  if (code) return code;
  *selection = (struct sql_selection){result.plan, result.columns, result.count};
#ifdef NILO_DEBUG
  code = plan_check(result.plan, err);
#endif
  return code;
}

int sql_bind_select(struct sql_context *context, const struct sql_select *select,
                    struct sql_selection *selection, struct err *err) {
  return sql_bind_rows(context, select, NULL, 0, selection, err);
}

int sql_bind_expr(struct sql_context *context, const struct sql_expr *expr,
                  const struct sql_relation *relation, struct type type, const struct expr **bound,
                  struct err *err) {
  struct binder binder = binder_of(context);
  struct bind_names names = {0};
  struct bind_scope scope = {.names = &names};
  struct bind_clause clause = {.binder = &binder, .scope = &scope, .name = "this place"};
  uint32_t count = relation ? relation->column_count : 0;
  struct sql_result_column *columns = BIND_ARRAY(&binder, struct sql_result_column, count, err);
  if (!columns) return bind__refused(&binder, err);
  for (uint32_t i = 0; i < count; i++)
    columns[i] = (struct sql_result_column){relation->columns[i].name, relation->columns[i].type};
  int code =
      relation ? bind__table_names(&binder, relation->name, columns, count, &names, err) : ERR_OK;
  if (!code) code = bind__expr(&clause, expr, bound, err);
  if (!code && binder.subqueries)
    code = bind__fail(err, expr->offset, ERR_UNSUPPORTED, "cannot use subquery in this place");
  if (code) return code;
  if (bind__is_unknown(type)) return bind__known(&binder, bound, err);
  return bind__at(err, expr->offset, sql_coerce(context, *bound, type, SQL_ASSIGNMENT, bound, err));
}

int sql_constant(struct sql_context *context, const struct sql_expr *expr, struct type type,
                 struct plan_value *value, struct err *err) {
  struct binder binder = binder_of(context);
  const struct expr *bound;
  int code = sql_bind_expr(context, expr, NULL, type, &bound, err);
  return code ? code : bind__at(err, expr->offset, bind__evaluate(&binder, bound, value, err));
}
