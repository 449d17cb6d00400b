/* JSON values as trees, for SQL's json and jsonb: reading, PostgreSQL's normal form, finding.
 *
 * A tree borrows the text where it can and lies in an arena. In jsonb, keys of an object stand in
 * the order of their sizes, equal sizes bytewise, and of equal keys the last one counts; numbers
 * are printed as numeric prints them. */
#ifndef NILO_PLAN_JSON_VALUE_H
#define NILO_PLAN_JSON_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct buffer;
struct err;

enum json_value_kind {
  JSON_VALUE_NULL,
  JSON_VALUE_STRING,
  JSON_VALUE_NUMBER,
  JSON_VALUE_BOOL,
  JSON_VALUE_ARRAY,
  JSON_VALUE_OBJECT,
};
struct json_value {
  enum json_value_kind kind;
  bool boolean;
  struct str text;          /* a string without escapes; a number as it stands */
  struct str raw;           /* as it was written; empty: it was made */
  struct str key;           /* of a member of an object */
  struct json_value *items; /* of arrays and objects, `count` of them in the text's order */
  uint32_t count;
};

/* Reads one value. ERR_INVALID_TEXT ("invalid input syntax for type json", the place in its
 * detail), ERR_LIMIT_EXCEEDED (deeper than 63), ERR_NO_MEMORY. */
int json_value_read(struct str text, struct arena *arena, struct json_value *value,
                    struct err *err);
/* Brings objects to jsonb's order, without the keys that do not count, all the way down. */
void json_value_normalize(struct json_value *value);
/* Appends jsonb's text: {"a": 1, "b": [true, null]}. Of a tree that is normal. */
void json_value_print(const struct json_value *value, struct buffer *out);
/* The same over several lines, four blanks a level. */
void json_value_print_pretty(const struct json_value *value, int level, struct buffer *out);
/* A string as JSON writes it. */
void json_value_print_string(struct str text, struct buffer *out);
/* jsonb's text of a JSON text, in the arena. */
int json_value_text(struct str text, struct arena *arena, struct str *normal, struct err *err);

/* The member of a key (the last one of that name); NULL: none, or no object. */
const struct json_value *json_value_member(const struct json_value *value, struct str key);
/* The item of an array, negative from its end; NULL: none, or no array. */
const struct json_value *json_value_item(const struct json_value *value, int64_t index);
/* One step of a path: a key, or an index as text. */
const struct json_value *json_value_step(const struct json_value *value, struct str step);
/* jsonb's equality and containment (@>): numbers by value. Trees are normal. */
bool json_value_equal(const struct json_value *a, const struct json_value *b);
bool json_value_contains(const struct json_value *a, const struct json_value *b);
/* "object", "array", "string", "number", "boolean", "null". */
const char *json_value_type(const struct json_value *value);

#endif
