/* Values as text, as PostgreSQL reads and prints them: literals, casts, COPY and answers share
 * these. */
#ifndef NILO_PLAN_VALUE_TEXT_H
#define NILO_PLAN_VALUE_TEXT_H

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

#endif
