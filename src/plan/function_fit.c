/* What a column's or a cast's length, precision or digits of a second make of a value: varchar(n),
 * char(n), numeric(p, s), timestamp(p), interval(p). Arrays: each item. */
#include "base/datetime.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/text.h"
#include "plan/function_rows.h"
#include "plan/value_text.h"

struct fitting {
  int64_t size, more; /* the call's two constants */
  struct arena *arena;
  struct err *err;
};

static bool is_blank(struct str text) {
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] != ' ') return false;
  return true;
}

static int fit_text(const struct fitting *fitting, struct plan_value *value) {
  struct str *text = &value->text;
  bool padded = fitting->more & FIT_BLANKS;
  while (padded && text->size && text->data[text->size - 1] == ' ')
    text->size--;
  if (!fitting->size || text->size <= (size_t)fitting->size) return ERR_OK;
  size_t end = plan__char_at(*text, fitting->size);
  struct str rest = {text->data + end, text->size - end};
  if (!(fitting->more & FIT_CUT) && !is_blank(rest))
    return err_set(fitting->err, ERR_STRING_TOO_LONG, "value too long for type character%s(%lld)",
                   padded ? "" : " varying", (long long)fitting->size);
  text->size = end;
  return ERR_OK;
}

static int keep(const struct fitting *fitting, const void *bytes, size_t size,
                struct plan_value *value) {
  value->text = arena_copy(fitting->arena, str_of(bytes, size));
  return value->text.data ? ERR_OK : mem_refused(fitting->arena->account, size, fitting->err);
}

static int fit_decimal(const struct fitting *fitting, struct plan_value *value) {
  struct decimal decimal;
  uint8_t bytes[DECIMAL_BYTES_MAX];
  if (!decimal_load(value->text, &decimal))
    return err_set(fitting->err, ERR_CORRUPTION, "a stored numeric is damaged");
  int code = decimal_fit(&decimal, (int)fitting->size, (int)fitting->more, &decimal, fitting->err);
  return code ? code : keep(fitting, bytes, decimal_store(&decimal, bytes), value);
}

static int fit_interval(const struct fitting *fitting, struct plan_value *value) {
  struct interval interval;
  uint8_t bytes[INTERVAL_BYTES];
  if (!interval_load(value->text, &interval))
    return err_set(fitting->err, ERR_CORRUPTION, "a stored interval is damaged");
  interval = interval_cut(&interval, (enum interval_field)fitting->more);
  if (fitting->size >= 0) interval = interval_round(&interval, (int)fitting->size);
  interval_store(&interval, bytes);
  return keep(fitting, bytes, sizeof bytes, value);
}

static int fit(const struct fitting *fitting, struct plan_value *value);

static int fit_items(const struct fitting *fitting, struct plan_value *value) {
  struct array array;
  struct array_builder builder;
  struct type type = type_item(value->type);
  int code = plan_array_open(value->text, value->type, &array, fitting->err);
  if (code) return code;
  array_builder_init(&builder, plan_array_items(type), fitting->arena->account);
  for (uint32_t i = 0; i < array.count && !code; i++) {
    struct plan_value item = plan_array_item(&array, type, i);
    if (!item.null) code = fit(fitting, &item);
    plan_array_add(&builder, &item);
  }
  if (!code) code = plan_array_finish(&builder, fitting->arena, &value->text, fitting->err);
  array_builder_deinit(&builder);
  return code;
}

static int fit(const struct fitting *fitting, struct plan_value *value) {
  switch (value->type.logical) {
  case LOGICAL_DECIMAL:
    return fit_decimal(fitting, value);
  case LOGICAL_INTERVAL:
    return fit_interval(fitting, value);
  case LOGICAL_ARRAY:
    return fit_items(fitting, value);
  case LOGICAL_TIMESTAMP:
  case LOGICAL_LOCAL:
  case LOGICAL_TIME:
    value->i64 =
        datetime_round(value->i64, (enum time_unit)value->type.parameter, (int)fitting->size);
    return ERR_OK;
  default:
    return type_is_string(value->type) ? fit_text(fitting, value) : ERR_OK;
  }
}

static int fit_row(struct function_row *at) {
  struct plan_value value = vector_value(at->call->arguments[0], at->row);
  const struct fitting fitting = {row_i64(at, 1), row_i64(at, 2), at->call->scratch, at->err};
  int code = fit(&fitting, &value);
  return code ? code : row_give_value(at, &value);
}

int plan__run_fit(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, fit_row, err);
}
