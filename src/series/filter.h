/* Conditions on tag values: a tree in the caller's memory. An absent tag has the value "". */
#ifndef NILO_SERIES_FILTER_H
#define NILO_SERIES_FILTER_H

#include "base/err.h"
#include "base/str.h"

enum series_filter_kind {
  SERIES_FILTER_TRUE,
  SERIES_FILTER_FALSE,
  SERIES_FILTER_AND,
  SERIES_FILTER_OR,
  SERIES_FILTER_NOT,
  SERIES_FILTER_EQUAL,
  SERIES_FILTER_TEST,
};

struct series_filter {
  enum series_filter_kind kind;
  const struct series_filter *const *children; /* AND, OR: any number; NOT: one */
  size_t child_count;
  uint32_t column_id; /* EQUAL, TEST: the tag; 0: a tag that does not exist (always "") */
  struct str value;   /* EQUAL */
  /* TEST: asked once per distinct value, from any thread. An error ends the evaluation: what
   * cannot be decided is neither in nor out. */
  int (*test)(void *context, struct str value, bool *passes, struct err *err);
  void *context;
};

#endif
