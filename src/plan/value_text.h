/* Values as text, as PostgreSQL reads and prints them: literals, casts, COPY and answers share
 * these. */
#ifndef NILO_PLAN_VALUE_TEXT_H
#define NILO_PLAN_VALUE_TEXT_H

#include "base/array.h"
#include "plan/plan.h"

struct buffer;
struct datetime_session;

/* A value of a type from its text; blanks around it are allowed where PostgreSQL allows them. Texts
 * and bytes of the value lie in `arena`, or are the text itself. `session` (may be NULL): the clock
 * of times. ERR_INVALID_TEXT ("invalid input syntax for type integer: …"), ERR_OUT_OF_RANGE,
 * ERR_INVALID_DATETIME, ERR_DATETIME_OVERFLOW. */
int plan_value_read(struct str text, struct type type, const struct datetime_session *session,
                    struct arena *arena, struct plan_value *value, struct err *err);
/* Appends the text of a value that is not null. ERR_CORRUPTION for stored bytes that are none. */
int plan_value_print(const struct plan_value *value, const struct datetime_session *session,
                     struct buffer *out, struct err *err);
/* The same in `arena`; a text is itself. */
int plan_value_text(const struct plan_value *value, const struct datetime_session *session,
                    struct arena *arena, struct str *text, struct err *err);

/* A value as another type, by SQL's rules; there must be a cast (expr_cast_in). Texts lie in
 * `arena`, or are the value's own. Errors as above, ERR_CORRUPTION. */
int plan_value_cast(const struct plan_value *from, struct type to,
                    const struct datetime_session *session, struct arena *arena,
                    struct plan_value *value, struct err *err);

/* ---- arrays (base/array.h) of values ---- */

/* How items of a type lie in the stored form. */
enum array_items plan_array_items(struct type item);
/* A stored array of a type. ERR_CORRUPTION. */
int plan_array_open(struct str stored, struct type type, struct array *array, struct err *err);
/* An item by its index from 0; texts are borrowed. */
struct plan_value plan_array_item(const struct array *array, struct type item, uint32_t i);
/* Appends a value of the items' type, or a null. */
void plan_array_add(struct array_builder *builder, const struct plan_value *value);
/* The stored form in an arena. */
int plan_array_finish(const struct array_builder *builder, struct arena *arena, struct str *stored,
                      struct err *err);
/* The order of two values of one type, neither null: -1, 0, 1. NaN is above all numbers; scales of
 * numerics and parts of intervals do not count; arrays item by item, null above all. Damaged bytes
 * order as bytes. */
int plan_value_order(const struct plan_value *a, const struct plan_value *b);
/* The same of types that are texts or bytes. */
int plan_text_order(struct str a, struct str b, struct type type);
/* True of numerics and intervals: the last bytes of a value do not count in comparisons. */
static inline bool plan_text_has_suffix(struct type type) {
  return type.logical == LOGICAL_DECIMAL || type.logical == LOGICAL_INTERVAL;
}
/* What equality and hashing of such a value look at. */
struct str plan_text_key(struct str text, struct type type);

#endif
