/* What only time series have: the first and last value by time, and reading as of the past. */
#include "lang/sql/bind_private.h"

int bind__by_time(struct binder *binder, const struct sql_expr *call, struct bind_aggregate *made,
                  struct err *err) {
  struct str name = bind__function_name(call);
  bool last = str_equal(name, STR("last"));
  struct sql_aggregate *resolved = &made->resolved;
  if ((!last && !str_equal(name, STR("first"))) || resolved->argument_count != 2) return ERR_OK;
  struct bind_sort *sort = bind__take(binder, sizeof *sort, err);
  if (!sort) return bind__refused(binder, err);
  *sort = (struct bind_sort){.expr = resolved->arguments[1], .nulls_first = last};
  resolved->function = last ? AGGREGATE_LAST : AGGREGATE_FIRST;
  resolved->argument_count = 1;
  resolved->type = resolved->arguments[0]->type;
  made->order = sort;
  made->order_count = 1;
  return ERR_OK;
}

int bind__as_of(struct binder *binder, const struct sql_from *from, struct plan_scan *scan,
                struct err *err) {
  struct bind_scope nowhere = {0};
  struct bind_clause clause = {.binder = binder, .scope = &nowhere, .name = "AS OF"};
  const struct expr *moment;
  struct plan_value value;
  uint32_t offset = from->as_of->offset;
  struct type type = from->as_of_commit ? TYPE_INT64 : TYPE_TIMESTAMP(TIME_NS);
  int code = bind__expr(&clause, from->as_of, &moment, err);
  if (!code)
    code = bind__at(err, offset,
                    sql_coerce(binder->context, moment, type, SQL_ASSIGNMENT, &moment, err));
  if (!code) code = bind__at(err, offset, bind__evaluate(binder, moment, &value, err));
  if (!code && (value.null || (from->as_of_commit && value.i64 < 0)))
    return bind__fail(err, offset, ERR_INVALID_ARGUMENT,
                      "AS OF takes a time, or a commit's number");
  if (!code)
    scan->as_of =
        (struct plan_as_of){from->as_of_commit ? PLAN_AS_OF_COMMIT : PLAN_AS_OF_TIME, value.i64};
  return code;
}
