/* Which of the overloads a call means: PostgreSQL 15, 10.2 and 10.3.
 *
 * Of the rows with the name that take so many arguments, the one whose types are the arguments'
 * own; else those that implicit casts lead to, and of these the ones with most exact types, then
 * with most preferred types, then those that take what untyped literals look like. A literal
 * without a type goes with anything, beside one operand of an operator it has that one's type.
 *
 * Times keep the units that they have: a row that says timestamptz takes all of them, and what is
 * brought to it beside another one gets the finer unit of that and microseconds. */
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "lang/sql/functions_private.h"

struct candidate {
  const struct function_row *row;
  struct function_signature signature;
  struct type *wanted; /* per argument; physical 0: as it is */
  struct type element;
  uint32_t exact, preferred;
};
struct resolving {
  struct sql_context *context;
  const struct function_request *request;
  struct type *types;     /* of the arguments, by their places in the call */
  struct candidate *list; /* those that are left */
  uint32_t count;
};

static bool is_unknown(struct type type) { return type.logical == LOGICAL_UNKNOWN; }
static bool is_array(struct type type) { return type.logical == LOGICAL_ARRAY; }
static bool has_unit(struct type type) {
  return type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
         type.logical == LOGICAL_TIME;
}

/* The same type but for units. */
static bool same_type(struct type a, struct type b) {
  if (is_array(a) && is_array(b)) return same_type(type_item(a), type_item(b));
  return a.physical == b.physical && a.logical == b.logical &&
         (a.parameter == b.parameter || has_unit(a));
}

/* The parameter that argument i of the call is for. */
static uint32_t parameter_of(const struct function_signature *signature, uint32_t i) {
  return signature->variadic && i + 1 >= signature->count ? signature->count - 1 : i;
}

/* ---- one candidate ---- */

static bool takes_count(const struct function_signature *signature, uint32_t count) {
  if (signature->variadic) return count >= signature->count;
  if (count > signature->count) return false;
  for (uint32_t i = count; i < signature->count; i++)
    if (!signature->parameters[i].has_default) return false;
  return true;
}

/* The type of anyelement; false: arguments differ. */
static bool find_element(const struct resolving *r, struct candidate *candidate) {
  for (uint32_t i = 0; i < r->request->count; i++) {
    enum function_word word =
        candidate->signature.parameters[parameter_of(&candidate->signature, i)].type.word;
    struct type type = r->types[i];
    if ((word != WORD_ELEMENT && word != WORD_ARRAY) || is_unknown(type)) continue;
    if (word == WORD_ARRAY && !is_array(type)) return false;
    if (word == WORD_ARRAY) type = type_item(type);
    if (!candidate->element.physical)
      candidate->element = type;
    else if (!same_type(candidate->element, type))
      return false;
  }
  return true;
}

/* The type of anycompatible. */
static bool find_common(const struct resolving *r, struct candidate *candidate) {
  struct type *types = ARENA_ARRAY(r->context->arena, struct type, r->request->count + 1);
  uint32_t count = 0;
  if (!types) return false;
  for (uint32_t i = 0; i < r->request->count; i++) {
    enum function_word word =
        candidate->signature.parameters[parameter_of(&candidate->signature, i)].type.word;
    if (word == WORD_COMPATIBLE_ARRAY && !is_unknown(r->types[i])) {
      if (!is_array(r->types[i])) return false;
      types[count++] = type_item(r->types[i]);
    } else if (word == WORD_COMPATIBLE) {
      types[count++] = r->types[i];
    }
  }
  return count == 0 ||
         sql_common_type(types, count, candidate->row->name, &candidate->element, NULL) == ERR_OK;
}

/* The unit in which times come that have none yet. */
static uint16_t common_unit(const struct resolving *r) {
  uint16_t unit = TIME_US;
  for (uint32_t i = 0; i < r->request->count; i++)
    if (has_unit(r->types[i]) && r->types[i].parameter < unit) unit = r->types[i].parameter;
  return unit;
}

static struct type wanted_type(const struct candidate *candidate, uint32_t parameter,
                               struct type have, uint16_t unit) {
  struct function_type declared = candidate->signature.parameters[parameter].type;
  struct type type = declared.type;
  switch (declared.word) {
  case WORD_TYPE:
    if (!is_unknown(have) && same_type(have, type)) return have;
    if (has_unit(type)) type.parameter = unit;
    return type;
  case WORD_ELEMENT:
  case WORD_COMPATIBLE:
    return candidate->element;
  case WORD_ARRAY:
  case WORD_COMPATIBLE_ARRAY:
    return type_array(candidate->element);
  default:
    return is_unknown(have) ? TYPE_STRING : (struct type){0};
  }
}

/* Whether implicit casts lead there; counts what is exact and preferred. */
static bool fits(const struct resolving *r, struct candidate *candidate) {
  candidate->element = (struct type){0};
  candidate->wanted = ARENA_ARRAY(r->context->arena, struct type, r->request->count + 1);
  if (!candidate->wanted || !takes_count(&candidate->signature, r->request->count)) return false;
  if (candidate->signature.within_group != r->request->within_group) return false;
  if (r->request->within_group && candidate->signature.direct != r->request->direct) return false;
  if (!find_element(r, candidate)) return false;
  if (!candidate->element.physical && !find_common(r, candidate)) return false;
  if (!candidate->element.physical) candidate->element = TYPE_STRING;
  uint16_t unit = common_unit(r);
  for (uint32_t i = 0; i < r->request->count; i++) {
    uint32_t parameter = parameter_of(&candidate->signature, i);
    struct type have = r->types[i];
    struct type want = wanted_type(candidate, parameter, have, unit);
    candidate->wanted[i] = want;
    bool declared = candidate->signature.parameters[parameter].type.word == WORD_TYPE;
    if (!want.physical || is_unknown(have)) {
      candidate->preferred += is_unknown(have) && declared && sql_type_preferred(want);
      continue;
    }
    bool equal = same_type(have, want);
    if (!equal && !sql_can_coerce(have, want, SQL_IMPLICIT)) return false;
    candidate->exact += equal && declared;
    candidate->preferred += (equal && declared) || (declared && sql_type_preferred(want));
  }
  return true;
}

/* ---- choosing ---- */

static void keep_best(struct resolving *r, size_t field) {
  uint32_t best = 0, kept = 0;
  for (uint32_t i = 0; i < r->count; i++) {
    uint32_t value = *(const uint32_t *)((const char *)&r->list[i] + field);
    if (value > best) best = value;
  }
  for (uint32_t i = 0; i < r->count; i++)
    if (*(const uint32_t *)((const char *)&r->list[i] + field) == best)
      r->list[kept++] = r->list[i];
  r->count = kept;
}

/* The one whose types are the arguments' own; an operator's untyped operand has the other's type.
 */
static bool choose_exact(struct resolving *r) {
  uint32_t count = r->request->count;
  for (uint32_t c = 0; c < r->count; c++) {
    bool equal = true;
    for (uint32_t i = 0; i < count && equal; i++) {
      struct type have = r->types[i];
      if (r->request->is_operator && count == 2 && is_unknown(have)) have = r->types[1 - i];
      const struct function_signature *signature = &r->list[c].signature;
      const struct function_type *type = &signature->parameters[parameter_of(signature, i)].type;
      equal = !is_unknown(have) && (type->word == WORD_TYPE ? same_type(have, type->type) : false);
    }
    if (!equal || count == 0) continue;
    r->list[0] = r->list[c];
    r->count = 1;
    return true;
  }
  return false;
}

/* Untyped arguments are texts where a candidate takes one, else of the one category that all
 * candidates take there. */
static void choose_by_category(struct resolving *r) {
  for (uint32_t i = 0; i < r->request->count; i++) {
    if (!is_unknown(r->types[i])) continue;
    char category = 0;
    bool differ = false, preferred = false;
    for (uint32_t c = 0; c < r->count; c++) {
      if (!r->list[c].wanted[i].physical) continue;
      char other = sql_type_category(r->list[c].wanted[i]);
      if (other == 'S') category = 'S', differ = false;
      if (category == 'S') continue;
      if (!category) category = other;
      differ |= category != other;
    }
    if (differ || !category) return;
    for (uint32_t c = 0; c < r->count; c++)
      preferred |= sql_type_category(r->list[c].wanted[i]) == category &&
                   sql_type_preferred(r->list[c].wanted[i]);
    uint32_t kept = 0;
    for (uint32_t c = 0; c < r->count; c++) {
      struct type want = r->list[c].wanted[i];
      if (sql_type_category(want) == category && (!preferred || sql_type_preferred(want)))
        r->list[kept++] = r->list[c];
    }
    if (kept) r->count = kept;
  }
}

/* All typed arguments have one type: the untyped ones have it, too. */
static void choose_by_known(struct resolving *r) {
  struct type known = TYPE_UNKNOWN;
  uint32_t kept = 0, last = 0;
  for (uint32_t i = 0; i < r->request->count; i++) {
    if (is_unknown(r->types[i])) continue;
    if (!is_unknown(known) && !same_type(known, r->types[i])) return;
    known = r->types[i];
  }
  if (is_unknown(known)) return;
  for (uint32_t c = 0; c < r->count; c++) {
    bool all = true;
    for (uint32_t i = 0; i < r->request->count; i++)
      all &= !is_unknown(r->types[i]) || same_type(r->list[c].wanted[i], known);
    kept += all;
    if (all) last = c;
  }
  if (kept != 1) return;
  r->list[0] = r->list[last];
  r->count = 1;
}

static void choose(struct resolving *r) {
  if (choose_exact(r)) return;
  keep_best(r, offsetof(struct candidate, exact));
  if (r->count > 1) keep_best(r, offsetof(struct candidate, preferred));
  if (r->count > 1) choose_by_category(r);
  if (r->count > 1) choose_by_known(r);
}

/* ---- names of arguments ---- */

/* Puts arguments that are given by name where they belong: places[i] is the argument for parameter
 * i, NULL: its default. False: the row has no such names. */
static bool place_named(const struct function_request *request,
                        const struct function_signature *signature, const struct expr **places) {
  for (uint32_t i = 0; i < signature->count; i++)
    places[i] = NULL;
  for (uint32_t i = 0; i < request->count; i++) {
    uint32_t at = i;
    if (request->names && request->names[i].size) {
      for (at = 0; at < signature->count; at++)
        if (str_equal(signature->parameters[at].name, request->names[i])) break;
    }
    if (at >= signature->count || places[at]) return false;
    places[at] = request->arguments[i];
  }
  for (uint32_t i = 0; i < signature->count; i++)
    if (!places[i] && !signature->parameters[i].has_default) return false;
  return true;
}

static bool any_names(const struct function_request *request) {
  for (uint32_t i = 0; request->names && i < request->count; i++)
    if (request->names[i].size) return true;
  return false;
}

static const struct expr *fallback_of(struct sql_context *context,
                                      const struct function_parameter *parameter, struct err *err) {
  struct plan_value value = {.type = TYPE_UNKNOWN, .text = parameter->fallback};
  value.null = str_equal(parameter->fallback, STR("null"));
  return sql__literal(context, &value, err);
}

/* Names become places: the request in the order of the one row that has them, defaults in it. */
static int resolve_names(struct sql_context *context, const struct function_request *request,
                         struct function_request *placed, struct err *err) {
  for (uint32_t i = 0; i < sql__function_count; i++) {
    const struct function_row *row = &sql__functions[i];
    struct function_signature signature;
    if (!sql__function_has_name(row, request->name)) continue;
    sql__function_signature(row, &signature);
    const struct expr **places = ARENA_ARRAY(context->arena, const struct expr *, signature.count);
    if (!places) return mem_refused(context->arena->account, sizeof *places, err);
    if (signature.variadic || !place_named(request, &signature, places)) continue;
    for (uint32_t p = 0; p < signature.count; p++) {
      if (!places[p]) places[p] = fallback_of(context, &signature.parameters[p], err);
      if (!places[p]) return ERR_NO_MEMORY;
    }
    *placed = *request;
    placed->arguments = places;
    placed->count = signature.count;
    placed->names = NULL;
    return ERR_OK;
  }
  struct str text = sql__function_text(context, request);
  err_set(err, ERR_UNKNOWN_FUNCTION, "function %.*s does not exist", STR_ARG(text));
  err_hint(err, "no function of that name has arguments of these names");
  return ERR_UNKNOWN_FUNCTION;
}

/* ---- the call ---- */

struct str sql__function_text(struct sql_context *context, const struct function_request *request) {
  struct buffer out;
  char text[SQL_TYPE_TEXT_MAX];
  buffer_init(&out, context->arena->account);
  if (!request->is_operator) buffer_printf(&out, "%.*s(", STR_ARG(request->name));
  if (request->is_operator && request->count == 1)
    buffer_printf(&out, "%.*s ", STR_ARG(request->name));
  for (uint32_t i = 0; i < request->count; i++) {
    if (i && request->is_operator)
      buffer_printf(&out, " %.*s ", STR_ARG(request->name));
    else if (i)
      buffer_append_text(&out, ", ");
    if (request->names && request->names[i].size)
      buffer_printf(&out, "%.*s => ", STR_ARG(request->names[i]));
    buffer_append_text(&out, sql_type_text(request->arguments[i]->type, text));
  }
  if (!request->is_operator) buffer_append_byte(&out, ')');
  struct str copy = arena_copy(context->arena, buffer_str(&out));
  buffer_deinit(&out);
  return copy;
}

static int refuse(struct resolving *r, bool named, struct err *err) {
  const struct function_request *request = r->request;
  struct str text = sql__function_text(r->context, request);
  const char *what = request->is_operator ? "operator" : "function";
  if (r->count > 1) {
    err_set(err, ERR_AMBIGUOUS_FUNCTION, "%s is not unique: %.*s", what, STR_ARG(text));
    err_hint(err, "could not choose a best candidate %s; add explicit type casts", what);
    return ERR_AMBIGUOUS_FUNCTION;
  }
  if (request->is_operator)
    err_set(err, ERR_UNKNOWN_FUNCTION, "operator does not exist: %.*s", STR_ARG(text));
  else
    err_set(err, ERR_UNKNOWN_FUNCTION, "function %.*s does not exist", STR_ARG(text));
  struct str nearest = named ? STR("") : sql_function_nearest(request->name);
  if (nearest.size && !request->is_operator)
    err_hint(err, "did you mean %.*s()?", STR_ARG(nearest));
  else
    err_hint(err,
             "no %s matches the given name and argument types; you might need to add explicit "
             "type casts",
             what);
  return ERR_UNKNOWN_FUNCTION;
}

static struct type result_type(const struct resolving *r, const struct candidate *chosen) {
  struct function_type result = chosen->signature.result;
  switch (result.word) {
  case WORD_ELEMENT:
  case WORD_COMPATIBLE:
    return chosen->element;
  case WORD_ARRAY:
  case WORD_COMPATIBLE_ARRAY:
    return type_array(chosen->element);
  default:
    break;
  }
  if (has_unit(result.type)) {
    struct type other = result.type;
    bool found = false;
    for (uint32_t i = 0; i < r->request->count && !found; i++) {
      struct type want = chosen->wanted[i];
      found = want.logical == result.type.logical;
      if (found || (has_unit(want) && want.parameter < other.parameter))
        other.parameter = want.parameter;
    }
    return other;
  }
  return result.type;
}

/* Arguments coerced, defaults behind them. */
static int finish(struct resolving *r, struct sql_call *call, struct err *err) {
  const struct candidate *chosen = &r->list[0];
  const struct function_signature *signature = &chosen->signature;
  uint32_t count = r->request->count, all = count;
  if (!signature->variadic && signature->count > count) all = signature->count;
  const struct expr **arguments = ARENA_ARRAY(r->context->arena, const struct expr *, all + 1);
  if (!arguments) return mem_refused(r->context->arena->account, sizeof *arguments, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < all && !code; i++) {
    const struct expr *argument = i < count
                                      ? r->request->arguments[i]
                                      : fallback_of(r->context, &signature->parameters[i], err);
    struct type want =
        i < count ? chosen->wanted[i] : wanted_type(chosen, i, TYPE_UNKNOWN, common_unit(r));
    if (!argument) return ERR_NO_MEMORY;
    arguments[i] = argument;
    if (want.physical && !type_equal(argument->type, want))
      code = sql_coerce(r->context, argument, want, SQL_IMPLICIT, &arguments[i], err);
  }
  *call = (struct sql_call){.context = r->context,
                            .row = chosen->row,
                            .arguments = arguments,
                            .count = all,
                            .result = result_type(r, chosen),
                            .element = chosen->element};
  return code;
}

static bool add_candidates(struct resolving *r, bool *named) {
  uint32_t first = 0, count = 0;
  for (uint32_t i = 0; i < sql__function_count; i++) {
    if (!sql__function_has_name(&sql__functions[i], r->request->name)) continue;
    if (!count) first = i;
    count++;
  }
  *named = count > 0;
  r->list = ARENA_ARRAY(r->context->arena, struct candidate, count + 1);
  if (!r->list) return false;
  for (uint32_t i = first; count; i++) {
    const struct function_row *row = &sql__functions[i];
    if (!sql__function_has_name(row, r->request->name)) continue;
    count--;
    if (!(r->request->kinds & 1u << row->kind)) continue;
    struct candidate *candidate = &r->list[r->count];
    *candidate = (struct candidate){.row = row};
    sql__function_signature(row, &candidate->signature);
    if (fits(r, candidate)) r->count++;
  }
  return true;
}

int sql__function_resolve(struct sql_context *context, const struct function_request *request,
                          struct sql_call *call, struct err *err) {
  struct function_request placed;
  if (any_names(request)) {
    int code = resolve_names(context, request, &placed, err);
    if (code) return code;
    request = &placed;
  }
  struct resolving r = {.context = context, .request = request};
  bool named;
  r.types = ARENA_ARRAY(context->arena, struct type, request->count + 1);
  if (!r.types) return mem_refused(context->arena->account, sizeof *r.types, err);
  for (uint32_t i = 0; i < request->count; i++)
    r.types[i] = request->arguments[i]->type;
  if (!add_candidates(&r, &named))
    return mem_refused(context->arena->account, sizeof(struct candidate), err);
  if (r.count > 1) choose(&r);
  if (r.count != 1) return refuse(&r, named, err);
  return finish(&r, call, err);
}
