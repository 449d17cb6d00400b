/* Names, numbers and order of SQL's types, by types.def, and which of them become which. */
#include "lang/sql/types.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct row {
  enum sql_type_id id;
  struct type type;
  const char *name;
  uint32_t oid, array_oid;
  char category;
} rows[] = {
#define TYPE(id, number, physical, logical, parameter, name, oid, array_oid, category)             \
  {SQL_TYPE_##id, {physical, logical, parameter}, name, oid, array_oid, category},
#include "lang/sql/types.def"
#undef TYPE
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static bool has_unit(struct type type) {
  return type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
         type.logical == LOGICAL_TIME;
}

/* NULL: a type that SQL has no name for. */
static const struct row *row_of(struct type type) {
  for (size_t i = 0; i < ROWS; i++) {
    struct type of = rows[i].type;
    if (of.physical == type.physical && of.logical == type.logical &&
        (has_unit(type) || of.parameter == type.parameter))
      return &rows[i];
  }
  return NULL;
}

const char *sql_type_text(struct type type, char text[SQL_TYPE_TEXT_MAX]) {
  if (type.logical != LOGICAL_ARRAY) return type_sql_name(type);
  snprintf(text, SQL_TYPE_TEXT_MAX, "%s[]", type_sql_name(type_item(type)));
  return text;
}

uint32_t sql_type_oid(struct type type) {
  bool array = type.logical == LOGICAL_ARRAY;
  const struct row *row = row_of(array ? type_item(type) : type);
  if (!row) return array ? 1009 : 25; /* what only Nilo has travels as text */
  return array ? row->array_oid : row->oid;
}

enum sql_type_id sql_type_id(struct type type) {
  const struct row *row = row_of(type);
  return row ? row->id : SQL_TYPE_UNKNOWN;
}

struct type sql_type_of_id(enum sql_type_id id) {
  for (size_t i = 0; i < ROWS; i++)
    if (rows[i].id == id) return rows[i].type;
  return TYPE_UNKNOWN;
}

char sql_type_category(struct type type) {
  const struct row *row = row_of(type);
  return type.logical == LOGICAL_ARRAY ? 'A' : row ? row->category : 'U';
}

bool sql_type_preferred(struct type type) {
  return type_equal(type, TYPE_FLOAT64) || type_equal(type, TYPE_STRING) ||
         type_equal(type, TYPE_BOOL) || type.logical == LOGICAL_TIMESTAMP ||
         type.logical == LOGICAL_INTERVAL;
}

/* ---- names ---- */

enum modifiers { NONE, LENGTH, PRECISION, FRACTION, BITS };

static const struct name {
  const char *name;
  enum sql_type_id id;
  enum modifiers modifiers;
} names[] = {
    {"bool", SQL_TYPE_BOOL, NONE},
    {"boolean", SQL_TYPE_BOOL, NONE},
    {"smallint", SQL_TYPE_INT16, NONE},
    {"int2", SQL_TYPE_INT16, NONE},
    {"integer", SQL_TYPE_INT32, NONE},
    {"int", SQL_TYPE_INT32, NONE},
    {"int4", SQL_TYPE_INT32, NONE},
    {"bigint", SQL_TYPE_INT64, NONE},
    {"int8", SQL_TYPE_INT64, NONE},
    {"oid", SQL_TYPE_INT64, NONE},
    {"ubigint", SQL_TYPE_UINT64, NONE},
    {"uint8", SQL_TYPE_UINT64, NONE},
    {"real", SQL_TYPE_REAL, NONE},
    {"float4", SQL_TYPE_REAL, NONE},
    {"float", SQL_TYPE_FLOAT64, BITS},
    {"float8", SQL_TYPE_FLOAT64, NONE},
    {"double", SQL_TYPE_FLOAT64, NONE},
    {"double precision", SQL_TYPE_FLOAT64, NONE},
    {"numeric", SQL_TYPE_DECIMAL, PRECISION},
    {"decimal", SQL_TYPE_DECIMAL, PRECISION},
    {"dec", SQL_TYPE_DECIMAL, PRECISION},
    {"text", SQL_TYPE_TEXT, NONE},
    {"name", SQL_TYPE_TEXT, NONE},
    {"varchar", SQL_TYPE_TEXT, LENGTH},
    {"character varying", SQL_TYPE_TEXT, LENGTH},
    {"char", SQL_TYPE_TEXT, LENGTH},
    {"character", SQL_TYPE_TEXT, LENGTH},
    {"nchar", SQL_TYPE_TEXT, LENGTH},
    {"bpchar", SQL_TYPE_TEXT, LENGTH},
    {"bytea", SQL_TYPE_BYTES, NONE},
    {"timestamptz", SQL_TYPE_TIMESTAMP, FRACTION},
    {"timestamp", SQL_TYPE_LOCAL, FRACTION},
    {"date", SQL_TYPE_DATE, NONE},
    {"time", SQL_TYPE_TIME, FRACTION},
    {"interval", SQL_TYPE_INTERVAL, FRACTION},
    {"json", SQL_TYPE_JSON, NONE},
    {"jsonb", SQL_TYPE_JSONB, NONE},
    {"uuid", SQL_TYPE_UUID, NONE},
    {"unknown", SQL_TYPE_UNKNOWN, NONE},
};
enum { NAMES = sizeof names / sizeof names[0] };

static int unknown_type(const struct sql_type_name *name, struct err *err) {
  struct text_nearest nearest = text_nearest_of(name->name);
  for (size_t i = 0; i < NAMES; i++)
    text_nearest_offer(&nearest, str_from(names[i].name));
  int code = err_set(err, ERR_NOT_FOUND, "type \"%.*s\" does not exist",
                     STR_ARG(text_cut(name->name, 80)));
  if (nearest.best.data) err_hint(err, "did you mean \"%.*s\"?", STR_ARG(nearest.best));
  return code;
}

static int refuse_modifier(const struct sql_type_name *name, struct err *err) {
  return err_set(err, ERR_PARSE, "type modifier is not allowed for type \"%.*s\"",
                 STR_ARG(name->name));
}

/* varchar(n), char(n); char alone is char(1). */
static int read_length(const struct sql_type_name *name, struct sql_type *type, struct err *err) {
  bool fixed = str_equal(name->name, STR("char")) || str_equal(name->name, STR("character")) ||
               str_equal(name->name, STR("nchar"));
  if (name->modifier_count > 1) return err_set(err, ERR_INVALID_ARGUMENT, "invalid type modifier");
  type->length = name->modifier_count ? name->modifiers[0] : fixed ? 1 : 0;
  type->blank_padded = fixed || str_equal(name->name, STR("bpchar"));
  if (name->modifier_count && type->length < 1)
    return err_set(err, ERR_INVALID_ARGUMENT, "length for type %s must be at least 1",
                   type->blank_padded ? "character" : "varchar");
  if (type->length > SQL_LENGTH_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "length for type %s cannot exceed %d",
                   type->blank_padded ? "character" : "varchar", SQL_LENGTH_MAX);
  return ERR_OK;
}

static int read_precision(const struct sql_type_name *name, struct sql_type *type,
                          struct err *err) {
  if (name->modifier_count == 0) return ERR_OK;
  type->precision = name->modifiers[0];
  type->scale = name->modifier_count > 1 ? name->modifiers[1] : 0;
  if (type->precision < 1 || type->precision > SQL_PRECISION_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "NUMERIC precision %d must be between 1 and %d",
                   type->precision, SQL_PRECISION_MAX);
  if (type->scale < -SQL_PRECISION_MAX || type->scale > SQL_PRECISION_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "NUMERIC scale %d must be between %d and %d",
                   type->scale, -SQL_PRECISION_MAX, SQL_PRECISION_MAX);
  return ERR_OK;
}

/* timestamp(p): more than six digits make a type of nanoseconds. */
static int read_fraction(const struct sql_type_name *name, struct sql_type *type, struct err *err) {
  if (name->modifier_count == 0) return ERR_OK;
  bool instant = type->type.logical == LOGICAL_TIMESTAMP || type->type.logical == LOGICAL_LOCAL;
  int most = instant ? 9 : 6, digits = name->modifiers[0];
  char text[SQL_TYPE_TEXT_MAX];
  if (name->modifier_count > 1 || digits < 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "invalid type modifier of %s",
                   sql_type_text(type->type, text));
  if (digits > most) digits = most;
  if (digits > 6) type->type.parameter = TIME_NS;
  type->fraction = digits + 1;
  return ERR_OK;
}

/* "day", "day to second": the last word. */
static int read_field(const struct sql_type_name *name, struct sql_type *type, struct err *err) {
  static const char *const words[] = {"", "year", "month", "day", "hour", "minute", "second"};
  struct str word = name->fields;
  for (size_t i = word.size; i > 0; i--)
    if (word.data[i - 1] == ' ') {
      word = (struct str){word.data + i, word.size - i};
      break;
    }
  for (int i = INTERVAL_ANY; i <= INTERVAL_SECOND; i++)
    if (str_equal(word, str_from(words[i]))) {
      type->field = (enum interval_field)i;
      return ERR_OK;
    }
  return err_set(err, ERR_PARSE, "an interval has no field \"%.*s\"", STR_ARG(word));
}

static int read_modifiers(const struct sql_type_name *name, enum modifiers modifiers,
                          struct sql_type *type, struct err *err) {
  switch (modifiers) {
  case LENGTH:
    return read_length(name, type, err);
  case PRECISION:
    return read_precision(name, type, err);
  case FRACTION:
    return read_fraction(name, type, err);
  case BITS:
    if (name->modifier_count == 0) return ERR_OK;
    if (name->modifiers[0] < 1)
      return err_set(err, ERR_INVALID_ARGUMENT, "precision for type float must be at least 1 bit");
    if (name->modifiers[0] > 53)
      return err_set(err, ERR_INVALID_ARGUMENT,
                     "precision for type float must be less than 54 bits");
    if (name->modifiers[0] < 25) type->type = TYPE_REAL;
    return ERR_OK;
  default:
    return name->modifier_count ? refuse_modifier(name, err) : ERR_OK;
  }
}

int sql_type_resolve(const struct sql_type_name *name, struct sql_type *type, struct err *err) {
  *type = (struct sql_type){0};
  const struct name *found = NULL;
  for (size_t i = 0; i < NAMES && !found; i++)
    if (str_equal(name->name, str_from(names[i].name))) found = &names[i];
  int code = ERR_OK;
  if (!found) {
    code = unknown_type(name, err);
  } else if ((name->with_zone && found->id == SQL_TYPE_TIME) ||
             str_equal(name->name, STR("timetz"))) {
    code = err_set(err, ERR_UNSUPPORTED, "type time with time zone is not supported");
    err_hint(err, "use timestamp with time zone, or time without one");
  } else {
    type->type = sql_type_of_id(found->id);
    if (name->with_zone && found->id == SQL_TYPE_LOCAL) type->type = TYPE_TIMESTAMP(TIME_US);
    code = read_modifiers(name, found->modifiers, type, err);
    if (!code && found->id == SQL_TYPE_INTERVAL) code = read_field(name, type, err);
    if (!code && name->dimensions) type->type = type_array(type->type);
  }
  if (code) err_position(err, 0, 0, name->offset);
  return code;
}

/* ---- what becomes what ---- */

/* A row per source of pg_cast: the targets of each level as bits of ids. */
#define BIT(id) (UINT32_C(1) << SQL_TYPE_##id)
static const struct casts {
  uint32_t implicit, assignment, explicitly;
} casts[] = {
    [SQL_TYPE_BOOL] = {0, 0, BIT(INT32)},
    [SQL_TYPE_INT16] = {BIT(INT32) | BIT(INT64) | BIT(DECIMAL) | BIT(REAL) | BIT(FLOAT64),
                        BIT(UINT64), 0},
    [SQL_TYPE_INT32] = {BIT(INT64) | BIT(DECIMAL) | BIT(REAL) | BIT(FLOAT64),
                        BIT(INT16) | BIT(UINT64), BIT(BOOL)},
    [SQL_TYPE_INT64] = {BIT(DECIMAL) | BIT(REAL) | BIT(FLOAT64),
                        BIT(INT16) | BIT(INT32) | BIT(UINT64), 0},
    [SQL_TYPE_UINT64] = {BIT(DECIMAL) | BIT(REAL) | BIT(FLOAT64),
                         BIT(INT16) | BIT(INT32) | BIT(INT64), 0},
    [SQL_TYPE_REAL] = {BIT(FLOAT64),
                       BIT(INT16) | BIT(INT32) | BIT(INT64) | BIT(UINT64) | BIT(DECIMAL), 0},
    [SQL_TYPE_FLOAT64] =
        {0, BIT(INT16) | BIT(INT32) | BIT(INT64) | BIT(UINT64) | BIT(DECIMAL) | BIT(REAL), 0},
    [SQL_TYPE_DECIMAL] = {BIT(REAL) | BIT(FLOAT64),
                          BIT(INT16) | BIT(INT32) | BIT(INT64) | BIT(UINT64), 0},
    [SQL_TYPE_TIMESTAMP] = {0, BIT(LOCAL) | BIT(DATE) | BIT(TIME), 0},
    [SQL_TYPE_LOCAL] = {BIT(TIMESTAMP), BIT(DATE) | BIT(TIME), 0},
    [SQL_TYPE_DATE] = {BIT(TIMESTAMP) | BIT(LOCAL), 0, 0},
    [SQL_TYPE_TIME] = {BIT(INTERVAL), 0, 0},
    [SQL_TYPE_INTERVAL] = {0, BIT(TIME), 0},
    [SQL_TYPE_JSON] = {0, BIT(JSONB), 0},
    [SQL_TYPE_JSONB] = {0, BIT(JSON),
                        BIT(BOOL) | BIT(INT16) | BIT(INT32) | BIT(INT64) | BIT(UINT64) | BIT(REAL) |
                            BIT(FLOAT64) | BIT(DECIMAL)},
    [SQL_TYPE_UNKNOWN] = {0, 0, 0},
};
#undef BIT

bool sql_can_coerce(struct type from, struct type to, enum sql_coercion level) {
  if (type_equal(from, to) || from.logical == LOGICAL_UNKNOWN) return true;
  bool arrays = from.logical == LOGICAL_ARRAY && to.logical == LOGICAL_ARRAY;
  if (arrays) return sql_can_coerce(type_item(from), type_item(to), level);
  if (type_equal(to, TYPE_STRING)) return level != SQL_IMPLICIT;
  if (type_equal(from, TYPE_STRING)) return level == SQL_EXPLICIT;
  if (from.logical == LOGICAL_ARRAY || to.logical == LOGICAL_ARRAY) return false;
  const struct row *a = row_of(from), *b = row_of(to);
  if (!a || !b) return false;
  if (a == b) return true; /* of another unit */
  uint32_t bit = UINT32_C(1) << b->id;
  const struct casts *cast = &casts[a->id];
  return cast->implicit & bit || (level != SQL_IMPLICIT && cast->assignment & bit) ||
         (level == SQL_EXPLICIT && cast->explicitly & bit);
}

static bool integer_pair(struct type a, struct type b) {
  bool one = a.physical == PHYSICAL_UINT64 && b.physical == PHYSICAL_INT64;
  return one && sql_type_category(b) == 'N';
}

/* The wider of two types of one category: PostgreSQL's rule. Signed and unsigned integers meet in
 * numeric, instants in the finer unit. */
static bool widen(struct type *common, struct type next) {
  if (type_equal(*common, next)) return true;
  if (sql_type_category(*common) != sql_type_category(next)) return false;
  if (integer_pair(*common, next) || integer_pair(next, *common)) {
    *common = TYPE_DECIMAL;
  } else if (common->logical == next.logical && has_unit(next)) {
    if (next.parameter < common->parameter) *common = next;
  } else if (!sql_type_preferred(*common) && sql_can_coerce(*common, next, SQL_IMPLICIT) &&
             !sql_can_coerce(next, *common, SQL_IMPLICIT)) {
    *common = next;
  }
  return true;
}

int sql_common_type(const struct type *types, uint32_t count, const char *what, struct type *common,
                    struct err *err) {
  char a[SQL_TYPE_TEXT_MAX], b[SQL_TYPE_TEXT_MAX];
  struct type type = TYPE_UNKNOWN;
  for (uint32_t i = 0; i < count; i++) {
    if (types[i].logical == LOGICAL_UNKNOWN) continue;
    if (type.logical == LOGICAL_UNKNOWN)
      type = types[i];
    else if (!widen(&type, types[i]))
      return err_set(err, ERR_TYPE_CONFLICT, "%s types %s and %s cannot be matched", what,
                     sql_type_text(type, a), sql_type_text(types[i], b));
  }
  if (type.logical == LOGICAL_UNKNOWN) type = TYPE_STRING;
  for (uint32_t i = 0; i < count; i++)
    if (!sql_can_coerce(types[i], type, SQL_IMPLICIT))
      return err_set(err, ERR_CANNOT_COERCE, "%s could not convert type %s to %s", what,
                     sql_type_text(types[i], a), sql_type_text(type, b));
  *common = type;
  return ERR_OK;
}
