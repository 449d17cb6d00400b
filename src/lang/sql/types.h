/* SQL's types: names, numbers, what becomes what.
 *
 * An expression's type is a `struct type` (columnar/column.h); this table gives each its names, its
 * number on the PostgreSQL wire, and the rules by which one becomes another. Lengths and precisions
 * (varchar(10), numeric(10,2)) belong to columns and casts, not to expressions: sql_type carries
 * them beside the type. */
#ifndef NILO_LANG_SQL_TYPES_H
#define NILO_LANG_SQL_TYPES_H

#include "base/datetime.h"
#include "lang/sql/sql.h"

/* TYPE(id, name, …) of types.def; ids are stored (items of arrays, columns): never renumbered. */
enum sql_type_id {
#define TYPE(id, number, ...) SQL_TYPE_##id = number,
#include "lang/sql/types.def"
#undef TYPE
};
enum { SQL_LENGTH_MAX = 10485760, SQL_PRECISION_MAX = 38 };
/* A type as written, resolved. */
struct sql_type {
  struct type type;
  int32_t length;            /* varchar(n), char(n): characters; 0: any */
  bool blank_padded;         /* char(n) */
  int32_t precision, scale;  /* numeric(p, s); precision 0: any */
  enum interval_field field; /* interval day, year to month …: the last one */
  int32_t fraction;          /* timestamp(p), time(p), interval(p): 1 + p; 0: as the type has */
};
/* ERR_NOT_FOUND (42704) with the nearest name, ERR_INVALID_ARGUMENT for modifiers. */
int sql_type_resolve(const struct sql_type_name *name, struct sql_type *type, struct err *err);
/* "bigint", "timestamp with time zone", "text[]": as PostgreSQL's format_type spells it. Static or
 * in `text`. */
enum { SQL_TYPE_TEXT_MAX = 64 };
const char *sql_type_text(struct type type, char text[SQL_TYPE_TEXT_MAX]);
uint32_t sql_type_oid(struct type type);
enum sql_type_id sql_type_id(struct type type);
struct type sql_type_of_id(enum sql_type_id id);
/* As pg_type.typcategory: 'N' numbers, 'S' texts, 'D' dates and times, 'T' intervals, 'B' booleans,
 * 'A' arrays, 'X' unknown, 'U' others. */
char sql_type_category(struct type type);
/* Whether it is its category's preferred type. */
bool sql_type_preferred(struct type type);

/* When a cast may happen by itself. */
enum sql_coercion {
  SQL_IMPLICIT,   /* anywhere */
  SQL_ASSIGNMENT, /* storing a value in a column */
  SQL_EXPLICIT,   /* CAST, :: */
};
/* Whether a cast exists at that level. */
bool sql_can_coerce(struct type from, struct type to, enum sql_coercion level);
/* The expression as another type: itself, a literal read as that type (for TYPE_UNKNOWN), a
 * parameter whose type is now known, or a cast. ERR_TYPE_CONFLICT ("cannot cast type … to …");
 * errors of reading a literal with PostgreSQL's texts. */
int sql_coerce(struct sql_context *context, const struct expr *expr, struct type to,
               enum sql_coercion level, const struct expr **coerced, struct err *err);
/* The same with the length or precision of a column or of a written cast. */
int sql_coerce_typed(struct sql_context *context, const struct expr *expr,
                     const struct sql_type *to, enum sql_coercion level,
                     const struct expr **coerced, struct err *err);
/* The session's clock and zone, for casts between times and texts: one for all of a statement.
 * NULL + err when memory is refused. */
const struct datetime_session *sql_session(struct sql_context *context, struct err *err);
/* The type that all of them become in UNION, CASE, COALESCE, VALUES, IN, arrays (PostgreSQL 15,
 * 10.5); `what` names the construct in the error. All unknown: text. */
int sql_common_type(const struct type *types, uint32_t count, const char *what, struct type *common,
                    struct err *err);

#endif
