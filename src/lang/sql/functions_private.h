/* What the files of functions share: the rows of overloads.def, and a call on its way into a plan.
 */
#ifndef NILO_LANG_SQL_FUNCTIONS_PRIVATE_H
#define NILO_LANG_SQL_FUNCTIONS_PRIVATE_H

#include "lang/sql/functions.h"

/* A type of overloads.def: one of types.def, an array of it, or a word for several. */
enum function_word {
  WORD_TYPE,
  WORD_ANY,              /* "any": as it is */
  WORD_ELEMENT,          /* "anyelement": all of one type */
  WORD_ARRAY,            /* "anyarray": an array of anyelement */
  WORD_COMPATIBLE,       /* "anycompatible": their common type */
  WORD_COMPATIBLE_ARRAY, /* "anycompatiblearray": an array of it */
  WORD_RECORD,           /* results of sets only */
};
struct function_type {
  enum function_word word;
  struct type type; /* WORD_TYPE */
};

/* How a row becomes a part of a plan. */
struct sql_call;
typedef int sql__build(struct sql_call *call, const struct expr **made, struct err *err);
struct function_row {
  const char *name;
  const char *arguments; /* "[name:] type [= default], …", "variadic type", "… order by type" */
  const char *result;
  enum sql_function_kind kind;
  sql__build *build; /* NULL: by `number` */
  uint16_t number;   /* enum plan_function, plan_aggregate or plan_over_function */
  uint8_t constants; /* aggregates: so many arguments at the end are constants */
  const char
      *takes; /* aggregates: what the first argument is brought to; NULL: as it is declared */
  const char *about;
};
extern const struct function_row sql__functions[];
extern const uint32_t sql__function_count;

/* The type that a word of the table means; false: there is none of that name. */
bool sql__function_type(struct str word, struct function_type *type);
/* Whether calls of that name may mean the row. */
bool sql__function_has_name(const struct function_row *row, struct str name);

enum { FUNCTION_PARAMETERS_MAX = 12 };
/* A row's arguments, taken apart. */
struct function_parameter {
  struct str name; /* empty: none */
  struct function_type type;
  bool has_default;
  struct str fallback; /* "null": null */
};
struct function_signature {
  struct function_parameter parameters[FUNCTION_PARAMETERS_MAX];
  uint32_t count;
  uint32_t direct;   /* so many stand in front of WITHIN GROUP */
  bool within_group; /* the others are its ORDER BY */
  bool variadic;     /* the last one repeats, once at least */
  struct function_type result;
};
void sql__function_signature(const struct function_row *row, struct function_signature *signature);

/* A call whose row is found: arguments coerced, defaults put in. */
struct sql_call {
  struct sql_context *context;
  const struct function_row *row;
  const struct expr **arguments;
  uint32_t count;
  struct type result;
  struct type element; /* of anyelement, anycompatible; TYPE_UNKNOWN: none */
};

/* Finds the row for arguments of these types by PostgreSQL's rules. `symbol`: an operator, for the
 * words of errors; `direct`: so many arguments stand in front of WITHIN GROUP. */
struct function_request {
  struct str name;
  const struct expr *const *arguments;
  const struct str *names; /* NULL: all by place */
  uint32_t count, direct;
  bool within_group, is_operator;
  unsigned kinds; /* bits of enum sql_function_kind that will do */
};
int sql__function_resolve(struct sql_context *context, const struct function_request *request,
                          struct sql_call *call, struct err *err);
/* "f(integer, text)", "integer + text" for errors, in the arena. */
struct str sql__function_text(struct sql_context *context, const struct function_request *request);

/* ---- for builders ---- */

/* A literal of the arena; NULL + err when memory is refused. */
const struct expr *sql__literal(struct sql_context *context, const struct plan_value *value,
                                struct err *err);
const struct expr *sql__text_literal(struct sql_context *context, struct str text, struct err *err);
const struct expr *sql__int_literal(struct sql_context *context, int64_t number, struct type type,
                                    struct err *err);
/* The call's plan function over its arguments, giving its result type. */
int sql__build_plan(struct sql_call *call, const struct expr **made, struct err *err);
/* A constant's value: ERR_INVALID_ARGUMENT ("… of f() must be a constant") for what is none. */
int sql__constant_argument(const struct sql_call *call, uint32_t index, const char *what,
                           struct plan_value *value, struct err *err);
/* Builders of overloads.def. */
#define BUILDER(name) int sql__build_##name(struct sql_call *, const struct expr **, struct err *)
BUILDER(session_call);
BUILDER(negated);
BUILDER(now);
BUILDER(ask);
BUILDER(cast);
BUILDER(type_of);
BUILDER(unnest);
BUILDER(texts);
BUILDER(json_item);
BUILDER(json_member);
BUILDER(time_bucket);
BUILDER(session_name);
BUILDER(current_schemas);
BUILDER(format_type);
BUILDER(nothing);
BUILDER(yes);
BUILDER(date_trunc);
BUILDER(number_bucket);
BUILDER(age_of_today);
BUILDER(ask_or_now);
BUILDER(swapped);
BUILDER(random);
BUILDER(pi);
BUILDER(ignoring_case);
BUILDER(not_ignoring_case);
#undef BUILDER

#endif
