/* Making an expression another type: literals are read at once, parameters learn what they are,
 * everything else is a cast in the plan. */
#include "base/text.h"
#include "lang/sql/types.h"
#include "os/zones.h"
#include "plan/value_text.h"

static const struct time_zone *find_zone(void *owner, struct str name) {
  const struct time_zone *zone = NULL;
  return os_zones_find(owner, name, &zone, NULL) == ERR_OK ? zone : NULL;
}

const struct datetime_session *sql_session(struct sql_context *context, struct err *err) {
  if (context->session) return context->session;
  struct datetime_session *session = ARENA_NEW(context->arena, struct datetime_session);
  if (!session) {
    mem_refused(context->account, sizeof *session, err);
    return NULL;
  }
  session->zone = context->zone;
  session->now_ns = context->now_ns;
  session->has_now = true;
  session->find = context->zones ? find_zone : NULL;
  session->owner = context->zones;
  context->session = session;
  return session;
}

static int made(struct sql_context *context, const struct expr *expr, const struct expr **coerced,
                struct err *err) {
  *coerced = expr;
  return expr ? ERR_OK : mem_refused(context->account, sizeof(struct expr), err);
}

static int read_literal(struct sql_context *context, const struct expr *expr, struct type to,
                        const struct datetime_session *session, const struct expr **coerced,
                        struct err *err) {
  struct plan_value value = {.type = to, .null = true};
  if (!expr->literal.null) {
    int code = plan_value_read(expr->literal.text, to, session, context->arena, &value, err);
    if (code) return code;
  }
  return made(context, expr_literal(context->arena, &value), coerced, err);
}

static int refuse(struct type from, struct type to, enum sql_coercion level, struct err *err) {
  char a[SQL_TYPE_TEXT_MAX], b[SQL_TYPE_TEXT_MAX];
  int code = err_set(err, level == SQL_EXPLICIT ? ERR_CANNOT_COERCE : ERR_TYPE_CONFLICT,
                     "cannot cast type %s to %s", sql_type_text(from, a), sql_type_text(to, b));
  if (level != SQL_EXPLICIT && sql_can_coerce(from, to, SQL_EXPLICIT))
    err_hint(err, "write the cast: CAST(… AS %s)", sql_type_text(to, b));
  return code;
}

int sql_coerce(struct sql_context *context, const struct expr *expr, struct type to,
               enum sql_coercion level, const struct expr **coerced, struct err *err) {
  if (type_equal(expr->type, to) || to.logical == LOGICAL_UNKNOWN)
    return made(context, expr, coerced, err);
  const struct datetime_session *session = sql_session(context, err);
  if (!session) return ERR_NO_MEMORY;
  bool unknown = expr->type.logical == LOGICAL_UNKNOWN;
  if (unknown && expr->kind == EXPR_LITERAL)
    return read_literal(context, expr, to, session, coerced, err);
  if (unknown && expr->kind == EXPR_PARAMETER) {
    struct type *known =
        expr->column < context->parameter_count ? &context->parameter_types[expr->column] : NULL;
    if (known && known->logical == LOGICAL_UNKNOWN) *known = to;
    struct type type = known ? *known : to;
    int code = made(context, expr_parameter(context->arena, expr->column, type), coerced, err);
    return code ? code : sql_coerce(context, *coerced, to, level, coerced, err);
  }
  if (!sql_can_coerce(expr->type, to, level)) return refuse(expr->type, to, level, err);
  *coerced = expr_cast_in(context->arena, expr, to, session, err);
  return *coerced ? ERR_OK : err ? err->code : ERR_UNSUPPORTED;
}

/* Whether there is a length or precision, and FUNCTION_FIT's constants for it. */
static bool fit_of(const struct sql_type *type, enum sql_coercion level, int64_t *size,
                   int64_t *more) {
  struct type item = type->type.logical == LOGICAL_ARRAY ? type_item(type->type) : type->type;
  *size = type->length;
  *more = (level == SQL_EXPLICIT ? FIT_CUT : 0) | (type->blank_padded ? FIT_BLANKS : 0);
  if (type_is_string(item) && item.logical == LOGICAL_PLAIN)
    return type->length || type->blank_padded;
  *more = type->scale;
  if (item.logical == LOGICAL_DECIMAL) {
    *size = type->precision;
    return type->precision != 0;
  }
  *size = type->fraction - 1;
  *more = item.logical == LOGICAL_INTERVAL ? (int64_t)type->field : 0;
  return type->fraction != 0 || *more;
}

/* INTERVAL '3' DAY: the text's number counts days. */
static int counted(struct sql_context *context, struct str text, enum interval_field field,
                   struct plan_value *value, struct err *err) {
  struct interval interval;
  uint8_t bytes[INTERVAL_BYTES];
  int code = interval_read_as(text, field, &interval, err);
  if (code) return code;
  interval_store(&interval, bytes);
  *value = (struct plan_value){.type = TYPE_INTERVAL};
  value->text = arena_copy(context->arena, str_of(bytes, sizeof bytes));
  return value->text.data ? ERR_OK : mem_refused(context->account, sizeof bytes, err);
}

int sql_coerce_typed(struct sql_context *context, const struct expr *expr,
                     const struct sql_type *to, enum sql_coercion level,
                     const struct expr **coerced, struct err *err) {
  int64_t size, more;
  bool literal = expr->kind == EXPR_LITERAL && expr->type.logical == LOGICAL_UNKNOWN;
  struct plan_value text;
  if (literal && to->field && !expr->literal.null && to->type.logical == LOGICAL_INTERVAL) {
    int failed = counted(context, expr->literal.text, to->field, &text, err);
    expr = failed ? NULL : expr_literal(context->arena, &text);
    if (!expr) return failed ? failed : mem_refused(context->account, sizeof text, err);
  }
  int code = sql_coerce(context, expr, to->type, level, coerced, err);
  if (code || !fit_of(to, level, &size, &more)) return code;
  *coerced = expr_fit(context->arena, *coerced, size, more, err);
  return *coerced ? ERR_OK : err ? err->code : ERR_NO_MEMORY;
}
