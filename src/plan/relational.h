/* The nodes of relational plans: grouping by any columns, order, joins, sets, windows with frames.
 *
 * They work on **flat** streams: schemas without group columns and without a time column, in one
 * group. A projection whose schema is flat makes one of any input: there, it has an expression per
 * column of its schema, and group and time columns of the input are columns like the others. Rows
 * of a flat stream come in no promised order unless a node says so (plan_order tells).
 *
 * Columns are given by their index in the schema of the node's input: what is computed is computed
 * by a projection below. Included by plan.h. */
#ifndef NILO_PLAN_RELATIONAL_H
#define NILO_PLAN_RELATIONAL_H

#include <stdbool.h>
#include <stdint.h>

#include "columnar/column.h"

struct expr;
struct plan_value;

/* "No column" where one may be given. */
#define PLAN_NO_COLUMN UINT32_MAX

struct plan_sort_key {
  uint32_t column;
  bool descending;
  bool nulls_first;
};

/* PLAN_SORT: rows in the order of the keys. NaN is above all other floats and equal to itself, -0.0
 * equals 0.0, strings compare bytewise, false is below true. Rows with equal keys keep the order of
 * the input (the sort is stable), in the top-N form too. */
struct plan_sorting {
  const struct plan_sort_key *keys;
  uint32_t key_count;
  uint64_t limit, offset; /* limit UINT64_MAX: all rows; else top-N */
  bool with_ties;         /* FETCH … WITH TIES: also rows equal to the last one */
};

/* PLAN_UNIQUE: the first row of the input for each combination of the columns; nulls are equal. */
struct plan_uniqueness {
  const uint32_t *columns;
  uint32_t column_count;
};

/* PLAN_GROUP: one row for each combination of the keys: keys, then calls. Without keys: exactly one
 * row, of an empty input too. Grouping equality: nulls are equal, NaN equals NaN, -0.0 equals 0.0
 * (the first value that came is given). */
struct plan_group_call {
  uint8_t function; /* enum plan_aggregate */
  bool distinct;
  const uint32_t *arguments; /* none: COUNT(*) */
  uint32_t argument_count;
  const struct plan_value *parameters; /* literals: fractions of percentiles, separators … */
  uint32_t parameter_count;
  uint32_t filter;                   /* BOOL column: rows in which it is not true are passed over */
  const struct plan_sort_key *order; /* of the rows of a group, where it matters */
  uint32_t order_count;
  struct type type; /* of the result */
};
struct plan_grouping {
  const uint32_t *keys;
  uint32_t key_count;
  const struct plan_group_call *calls;
  uint32_t call_count;
  /* GROUPING SETS: bit i of a set says that keys[i] is in it; the others are null in its rows.
   * NULL: one set, of all keys. With sets an INT64 column behind the keys holds the bits of the
   * keys that are NOT in the row's set (what GROUPING() is made of). */
  const uint64_t *sets;
  uint32_t set_count;
};

/* PLAN_JOIN: rows of `input` (left) with rows of `right`: left columns, then right columns; SEMI
 * and ANTI only the left ones. */
enum plan_join_kind {
  JOIN_INNER,
  JOIN_LEFT,
  JOIN_RIGHT,
  JOIN_FULL,
  JOIN_SEMI, /* left rows with a partner */
  JOIN_ANTI, /* left rows without one */
};
enum plan_join_method {
  JOIN_BY_ANY, /* not chosen yet: exec takes hash with keys, loops without */
  JOIN_BY_HASH,
  JOIN_BY_MERGE, /* both inputs are ordered by their keys, ascending, nulls last */
  JOIN_BY_LOOP,
};
/* As-of: of the right rows with equal keys and, seen from the left row's time, on the right side of
 * it, only the nearest one is a partner (of several at that time the last in the input's order; of
 * two equally near ones the earlier). `condition` is asked for that pair only.
 * Kinds INNER and LEFT. */
enum plan_asof { ASOF_NONE, ASOF_BACKWARD, ASOF_FORWARD, ASOF_NEAREST };
struct plan_joining {
  enum plan_join_kind kind;
  enum plan_join_method method;
  const uint32_t *left_keys, *right_keys; /* equal types pairwise */
  uint32_t key_count;
  bool nulls_equal;             /* IS NOT DISTINCT FROM; else a null key has no partner */
  bool null_aware;              /* ANTI for NOT IN: a null on either side may be a partner */
  const struct expr *condition; /* over left then right columns; NULL: none */
  enum plan_asof asof;
  uint32_t left_time, right_time; /* INT64 columns of one unit */
  bool asof_strict;               /* equal times are no partners */
  int64_t asof_tolerance;         /* greatest distance, inclusive; negative: any */
  bool build_left;                /* hash: the table is made of the left input (the smaller one) */
};

/* PLAN_SET: rows of `input` and `right`, whose schemas have equal types; names are the input's. */
enum plan_set_kind { SET_UNION, SET_INTERSECT, SET_EXCEPT };
struct plan_setting {
  enum plan_set_kind kind;
  bool all; /* keeps duplicates, as SQL's ALL counts them */
};

/* PLAN_OVER: window functions. The input is ordered by the partition columns (any order of them
 * that keeps partitions together) and then by `order`. Input columns, then calls. */
enum plan_over_function {
  OVER_ROW_NUMBER,
  OVER_RANK,
  OVER_DENSE_RANK,
  OVER_PERCENT_RANK,
  OVER_CUME_DIST,
  OVER_NTILE, /* parameter: buckets */
  OVER_LAG,   /* parameter: rows; fallback: column or none */
  OVER_LEAD,
  OVER_FIRST_VALUE,
  OVER_LAST_VALUE,
  OVER_NTH_VALUE, /* parameter: n from 1 */
  OVER_AGGREGATE, /* any aggregate over the frame */
};
enum plan_frame_unit { FRAME_ROWS, FRAME_RANGE, FRAME_GROUPS };
enum plan_frame_bound {
  BOUND_UNBOUNDED_PRECEDING,
  BOUND_PRECEDING,
  BOUND_CURRENT,
  BOUND_FOLLOWING,
  BOUND_UNBOUNDED_FOLLOWING,
};
enum plan_frame_exclude { EXCLUDE_NOTHING, EXCLUDE_CURRENT, EXCLUDE_GROUP, EXCLUDE_TIES };
struct plan_frame {
  enum plan_frame_unit unit;
  enum plan_frame_bound start, end;
  const struct plan_value *start_offset, *end_offset; /* rows, groups, or in the order's type */
  enum plan_frame_exclude exclude;
};
struct plan_over_call {
  enum plan_over_function function;
  struct plan_group_call aggregate; /* OVER_AGGREGATE; arguments of the others, too */
  int64_t parameter;
  uint32_t fallback; /* PLAN_NO_COLUMN: null */
  bool ignore_nulls;
  struct plan_frame frame;
  struct type type;
};
struct plan_overing {
  const uint32_t *partition;
  uint32_t partition_count;
  const struct plan_sort_key *order;
  uint32_t order_count;
  const struct plan_over_call *calls;
  uint32_t call_count;
};

/* PLAN_UNNEST: a row for each item of a list column: the input's columns, then the item and, where
 * asked for, its number from 1 (INT64). */
struct plan_unnesting {
  uint32_t column; /* LIST_STRING, LIST_INT64, ARRAY */
  bool with_ordinality;
  bool keep_empty; /* LEFT JOIN LATERAL: a row with nulls for an absent or empty list */
};

/* PLAN_APPLY: for each row of `input`, the rows of `right`, in which parameters (EXPR_PARAMETER)
 * stand for columns of that row. INNER, LEFT, SEMI, ANTI as in a join; SCALAR gives the one value
 * of the one row of `right`, null without a row, and more than one row is ERR_CARDINALITY. The
 * rules turn most of them into joins; what is left is run row by row, once per distinct parameters.
 */
enum plan_apply_kind { APPLY_INNER, APPLY_LEFT, APPLY_SEMI, APPLY_ANTI, APPLY_SCALAR };
struct plan_applying {
  enum plan_apply_kind kind;
  const uint32_t *columns; /* of the input: parameter first_parameter + i is columns[i] */
  uint32_t column_count;
  uint32_t first_parameter;
};

/* PLAN_RECURSE: the rows of `input`, then again and again those of `right`, in which PLAN_WORKING
 * of the same number, a leaf, stands for the rows that the round before gave, until a round gives
 * none. Without `all` a row is given once, and a round's rows are those that were not given yet;
 * nulls are equal. The working table is held in memory. */
struct plan_recursion {
  uint32_t working; /* from 1; different for each PLAN_RECURSE of a plan */
  bool all;
};

#endif
