/* Calls that the session or the catalog's numbers answer. */
#include "base/array.h"
#include "lang/sql/functions_private.h"
#include "plan/value_text.h"

static int made_of(const struct expr *expr, const struct expr **made, struct err *err) {
  *made = expr;
  return expr ? ERR_OK : err && err->code ? err->code : ERR_NO_MEMORY;
}

/* ---- names ---- */

int sql__build_session_name(struct sql_call *call, const struct expr **made, struct err *err) {
  struct sql_context *context = call->context;
  struct str name = str_from(call->row->name), text = context->user;
  if (str_equal(name, STR("version")))
    text = STR("PostgreSQL 15.0 (Nilo " NILO_VERSION ")");
  else if (str_equal(name, STR("pg_encoding_to_char")))
    text = STR("UTF8");
  else if (str_equal(name, STR("current_database")) || str_equal(name, STR("current_catalog")))
    text = context->database;
  else if (str_equal(name, STR("current_schema")))
    text = context->schema.size ? context->schema : STR("public");
  return made_of(sql__text_literal(context, text, err), made, err);
}

int sql__build_current_schemas(struct sql_call *call, const struct expr **made, struct err *err) {
  struct sql_context *context = call->context;
  struct plan_value implicit, schemas = {.type = type_array(TYPE_STRING)};
  struct array_builder builder;
  int code = sql__constant_argument(call, 0, "argument", &implicit, err);
  if (code) return code;
  array_builder_init(&builder, ARRAY_BYTES, context->account);
  if (!implicit.null && implicit.boolean) array_add_bytes(&builder, STR("pg_catalog"));
  array_add_bytes(&builder, context->schema.size ? context->schema : STR("public"));
  code = plan_array_finish(&builder, context->arena, &schemas.text, err);
  array_builder_deinit(&builder);
  return code ? code : made_of(sql__literal(context, &schemas, err), made, err);
}

int sql__build_format_type(struct sql_call *call, const struct expr **made, struct err *err) {
  static const struct {
    int64_t number;
    const char *name;
  } types[] = {
#define TYPE(id, number, physical, logical, parameter, name, oid, array, category)                 \
  {oid, name}, {array, name "[]"},
#include "lang/sql/types.def"
#undef TYPE
      {1043, "character varying"},
      {1042, "character"},
      {26, "oid"},
      {19, "name"},
  };
  struct sql_context *context = call->context;
  enum { TYPES = sizeof types / sizeof *types };
  const struct expr *list[2 * TYPES + 1];
  for (size_t i = 0; i < TYPES; i++) {
    const struct expr *both[] = {call->arguments[0],
                                 sql__int_literal(context, types[i].number, TYPE_INT64, err)};
    if (!both[1]) return made_of(NULL, made, err);
    list[2 * i] = expr_call(context->arena, FUNCTION_EQUAL, both, 2, err);
    list[2 * i + 1] = sql__text_literal(context, str_from(types[i].name), err);
    if (!list[2 * i] || !list[2 * i + 1]) return made_of(NULL, made, err);
  }
  list[2 * TYPES] = sql__text_literal(context, STR("???"), err);
  if (!list[2 * TYPES]) return made_of(NULL, made, err);
  return made_of(expr_call(context->arena, FUNCTION_CASE, list, 2 * TYPES + 1, err), made, err);
}

int sql__build_nothing(struct sql_call *call, const struct expr **made, struct err *err) {
  struct plan_value value = {.type = call->result, .null = true};
  return made_of(sql__literal(call->context, &value, err), made, err);
}

int sql__build_yes(struct sql_call *call, const struct expr **made, struct err *err) {
  struct plan_value value = {.type = TYPE_BOOL, .boolean = true};
  return made_of(sql__literal(call->context, &value, err), made, err);
}
