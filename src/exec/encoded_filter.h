/* Filters on encoded data: what of a scan's filter is computed on images.
 *
 * Comparisons of a stored column with a literal, and AND and OR of them, become ranges of values
 * and wanted strings that codecs select as they are stored; other conditions on one column of
 * strings (patterns, their order) are computed once for each distinct string. What else the
 * conditions of a filter are (all of which must hold) is left to a program, which runs on the rows
 * that remain.
 *
 * Null is "not known", so a row is selected where the condition is true, which AND and OR of bits
 * give. What holds for all values but a range, as != does, and as SQL's > does for NaN, is the
 * present rows without it; NOT of anything but a boolean column or a condition on strings is left
 * to the program. */
#ifndef NILO_EXEC_ENCODED_FILTER_H
#define NILO_EXEC_ENCODED_FILTER_H

#include "exec/program.h"

struct reader;
struct source;

enum encoded_kind { ENCODED_RANGE, ENCODED_TEXT, ENCODED_TEXTS, ENCODED_AND, ENCODED_OR };
enum { ENCODED_PROGRAMS_MAX = 8 };
struct encoded_node {
  enum encoded_kind kind;
  uint32_t column;  /* of the scan's schema */
  bool none;        /* RANGE: no value is in it */
  bool negated;     /* present rows that are not */
  uint32_t program; /* TEXTS: which of the filter's, over strings in `column` */
  uint64_t low, high;
  struct str text;
  const struct encoded_node *a, *b; /* AND, OR */
};
/* Immutable, shared by threads. */
struct encoded_filter {
  const struct encoded_node *node;
  const bool *columns; /* of the schema, that it reads */
  const struct program *programs[ENCODED_PROGRAMS_MAX];
  uint32_t program_count;
  /* The conditions that remain; NULL: none. */
  const struct program *rest;
  const bool *rest_columns;
};

/* Looks at source->filter, with the source's columns known; *out NULL: nothing of it can be
 * computed so. From the execution's memory: ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int exec__encoded_filter_compile(const struct source *source, const struct encoded_filter **out,
                                 struct err *err);
/* Bits of the chunk's rows for which the node is true, all words of them; *done false: a column of
 * the chunk has no images. Errors as of exec__reader_load; ERR_CORRUPTION says that decoding is to
 * find out what is damaged. */
int exec__encoded_filter_run(struct reader *reader, const struct encoded_filter *filter,
                             uint64_t *selected, bool *done, struct err *err);

#endif
