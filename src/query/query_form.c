/* What doors are told of SQL's types: their names, and which values come as texts. */
#include "lang/sql/types.h"
#include "query/query.h"

static bool is_plain(struct type type) {
  return (type.logical == LOGICAL_PLAIN && type.physical != PHYSICAL_BYTES) ||
         type.logical == LOGICAL_INT16 || type.logical == LOGICAL_INT32 ||
         type.logical == LOGICAL_REAL || type.logical == LOGICAL_JSON ||
         type.logical == LOGICAL_TIMESTAMP;
}

static bool needs_text(enum query_form form, struct type type) {
  switch (form) {
  case QUERY_FORM_VALUES:
    return false;
  case QUERY_FORM_TEXT:
    return !type_equal(type, TYPE_STRING);
  case QUERY_FORM_JSON:
    return !is_plain(type);
  default: /* Arrow */
    return !is_plain(type) && type.logical != LOGICAL_PLAIN && type.logical != LOGICAL_DATE &&
           type.logical != LOGICAL_LOCAL && type.logical != LOGICAL_DURATION;
  }
}

struct type query_form_type(enum query_form form, struct type type) {
  return needs_text(form, type) ? TYPE_STRING : type;
}

const char *query_type_text(struct type type, char text[QUERY_TYPE_TEXT_MAX]) {
  _Static_assert((int)QUERY_TYPE_TEXT_MAX == (int)SQL_TYPE_TEXT_MAX, "room for any name");
  return sql_type_text(type, text);
}
