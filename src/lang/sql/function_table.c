/* The table of functions: names, and what the words of its rows mean. */
#include "lang/sql/functions_private.h"

#include "base/text.h"

#define PLAN(function)                  NULL, FUNCTION_##function, 0, NULL
#define BUILD(function)                 sql__build_##function, 0, 0, NULL
#define BUILD_PLAN(build, plan)         sql__build_##build, FUNCTION_##plan, 0, NULL
#define RUN(function, constants, takes) NULL, AGGREGATE_##function, constants, takes
#define RUN_OF(build, function)         sql__build_##build, AGGREGATE_##function, 0, NULL
#define OVER(function)                  NULL, OVER_##function, 0, NULL

const struct function_row sql__functions[] = {
#define SCALAR(name, arguments, result, how, about)                                                \
  {name, arguments, result, SQL_FUNCTION_SCALAR, how, about},
#define AGGREGATE(name, arguments, result, how, about)                                             \
  {name, arguments, result, SQL_FUNCTION_AGGREGATE, how, about},
#define WINDOW(name, arguments, result, how, about)                                                \
  {name, arguments, result, SQL_FUNCTION_WINDOW, how, about},
#define SET(name, arguments, result, how, about)                                                   \
  {name, arguments, result, SQL_FUNCTION_SET, how, about},
#include "lang/sql/overloads.def"
#undef SCALAR
#undef AGGREGATE
#undef WINDOW
#undef SET
};
const uint32_t sql__function_count = sizeof sql__functions / sizeof *sql__functions;

/* Equal; looks at the first letter alone where that tells. */
static bool is_text(struct str text, const char *expected) {
  return text.size && text.data[0] == expected[0] && str_equal(text, str_from(expected));
}

bool sql__function_has_name(const struct function_row *row, struct str name) {
  return is_text(name, row->name);
}

bool sql_function_find(struct str name, enum sql_function_kind *kind) {
  for (uint32_t i = 0; i < sql__function_count; i++) {
    if (!sql__function_has_name(&sql__functions[i], name)) continue;
    *kind = sql__functions[i].kind;
    return true;
  }
  return false;
}

struct str sql_function_nearest(struct str name) {
  struct text_nearest nearest = text_nearest_of(name);
  for (uint32_t i = 0; i < sql__function_count; i++)
    if (text_is_letter(sql__functions[i].name[0]))
      text_nearest_offer(&nearest, str_from(sql__functions[i].name));
  return nearest.best.data ? nearest.best : STR("");
}

/* ---- words of types ---- */

static const struct word {
  const char *name;
  enum function_word word;
  struct type type;
} words[] = {
    {"boolean", WORD_TYPE, {PHYSICAL_BOOL, 0, 0}},
    {"smallint", WORD_TYPE, {PHYSICAL_INT64, LOGICAL_INT16, 0}},
    {"integer", WORD_TYPE, {PHYSICAL_INT64, LOGICAL_INT32, 0}},
    {"bigint", WORD_TYPE, {PHYSICAL_INT64, 0, 0}},
    {"ubigint", WORD_TYPE, {PHYSICAL_UINT64, 0, 0}},
    {"real", WORD_TYPE, {PHYSICAL_FLOAT64, LOGICAL_REAL, 0}},
    {"double", WORD_TYPE, {PHYSICAL_FLOAT64, 0, 0}},
    {"numeric", WORD_TYPE, {PHYSICAL_BYTES, LOGICAL_DECIMAL, 0}},
    {"text", WORD_TYPE, {PHYSICAL_STRING, 0, 0}},
    {"bytea", WORD_TYPE, {PHYSICAL_BYTES, 0, 0}},
    {"timestamptz", WORD_TYPE, {PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_US}},
    {"timestamp", WORD_TYPE, {PHYSICAL_INT64, LOGICAL_LOCAL, TIME_US}},
    {"date", WORD_TYPE, {PHYSICAL_INT64, LOGICAL_DATE, 0}},
    {"time", WORD_TYPE, {PHYSICAL_INT64, LOGICAL_TIME, TIME_US}},
    {"interval", WORD_TYPE, {PHYSICAL_BYTES, LOGICAL_INTERVAL, 0}},
    {"json", WORD_TYPE, {PHYSICAL_STRING, LOGICAL_JSON, 0}},
    {"jsonb", WORD_TYPE, {PHYSICAL_STRING, LOGICAL_JSON, 1}},
    {"uuid", WORD_TYPE, {PHYSICAL_BYTES, LOGICAL_UUID, 0}},
    {"any", WORD_ANY, {0, 0, 0}},
    {"anyelement", WORD_ELEMENT, {0, 0, 0}},
    {"anyarray", WORD_ARRAY, {0, 0, 0}},
    {"anycompatible", WORD_COMPATIBLE, {0, 0, 0}},
    {"anycompatiblearray", WORD_COMPATIBLE_ARRAY, {0, 0, 0}},
    {"record", WORD_RECORD, {0, 0, 0}},
};

bool sql__function_type(struct str word, struct function_type *type) {
  bool array = word.size > 2 && memcmp(word.data + word.size - 2, "[]", 2) == 0;
  if (array) word.size -= 2;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!is_text(word, words[i].name)) continue;
    *type = (struct function_type){words[i].word, words[i].type};
    if (array) type->type = type_array(type->type);
    return true;
  }
  return false;
}

/* ---- signatures ---- */

/* Cuts *rest at the first `separator` outside of quotes. */
static struct str cut(struct str *rest, const char *separator) {
  struct str end = str_from(separator);
  bool quoted = false;
  for (size_t i = 0; i + end.size <= rest->size; i++) {
    if (rest->data[i] == '\'') quoted = !quoted;
    if (quoted || rest->data[i] != *separator || memcmp(rest->data + i, end.data, end.size) != 0)
      continue;
    struct str piece = {rest->data, i};
    *rest = (struct str){rest->data + i + end.size, rest->size - i - end.size};
    return piece;
  }
  struct str piece = *rest;
  rest->data = NULL;
  rest->size = 0;
  return piece;
}

static void add_parameter(struct function_signature *signature, struct str text) {
  struct function_parameter *parameter = &signature->parameters[signature->count++];
  struct str rest = text, word = cut(&rest, " = ");
  parameter->has_default = rest.data != NULL;
  if (rest.size > 1 && rest.data[0] == '\'') rest = (struct str){rest.data + 1, rest.size - 2};
  parameter->fallback = rest;
  struct str name = cut(&word, ": ");
  if (word.data)
    parameter->name = name;
  else
    word = name;
  if (str_starts_with(word, STR("variadic "))) {
    signature->variadic = true;
    word = (struct str){word.data + 9, word.size - 9};
  }
  sql__function_type(word, &parameter->type);
}

void sql__function_signature(const struct function_row *row, struct function_signature *signature) {
  *signature = (struct function_signature){0};
  struct str rest = str_from(row->arguments), direct = cut(&rest, "order by ");
  signature->within_group = rest.data != NULL;
  while (direct.size)
    add_parameter(signature, text_trim(cut(&direct, ", ")));
  signature->direct = signature->within_group ? signature->count : 0;
  while (rest.size)
    add_parameter(signature, text_trim(cut(&rest, ", ")));
  sql__function_type(str_from(row->result), &signature->result);
}
