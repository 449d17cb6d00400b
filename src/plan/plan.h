/* The logical plan: what every language lowers to and the only thing exec sees.
 *
 * A plan is a tree of nodes in one arena, immutable once built. Each node has an output schema
 * whose columns stand in a fixed order (in flat streams there are only values): first the **group**
 * columns (tags that the statement groups by: dictionary strings), then at most one **time**
 * column, then the **values**. Rows come out ordered by group (bytewise by the group columns'
 * values, absent = ""), and within a group as the node says.
 *
 * Expressions are typed trees over the columns of a node's input; exec compiles them to flat steps.
 * Functions and their signatures are a table (functions.def). */
#ifndef NILO_PLAN_PLAN_H
#define NILO_PLAN_PLAN_H

#include "base/memory.h"
#include "columnar/column.h"
#include "plan/plan_bucket.h"
#include "plan/relational.h"

struct buffer;
struct catalog_table;
struct datetime_session;
struct err;
struct series_filter;

/* ---- values and expressions ---- */
struct plan_value {
  struct type type;
  bool null;
  union {
    bool boolean;
    int64_t i64;
    uint64_t u64;
    double f64;
    struct str text;
  };
};

enum plan_function {
#define FUNCTION(name, ...) FUNCTION_##name,
#include "plan/functions.def"
#undef FUNCTION
  FUNCTION_COUNT
};

enum expr_kind {
  EXPR_COLUMN,
  EXPR_LITERAL,
  EXPR_CALL,
  EXPR_PARAMETER, /* a value that is known when the plan is opened: $1, or a PLAN_APPLY's column */
};
struct expr {
  enum expr_kind kind;
  struct type type; /* of the result */
  uint32_t column; /* EXPR_COLUMN: index in the input's schema; EXPR_PARAMETER: its number from 0 */
  struct plan_value literal;
  enum plan_function function;
  uint32_t argument_count;
  const struct expr *const *arguments;
  /* FUNCTION_MATCH: the compiled pattern (pcre2_code), owned by the statement. FUNCTION_BUCKET: a
   * struct plan_bucket. Functions of functions_sql.def: what expr_call_as was given.
   * FUNCTION_CAST_SQL, ADD_SQL, SUBTRACT_SQL: a struct datetime_session or NULL. */
  const void *compiled;
};

/* Builders: check types by the function table, fold constants; NULL + err on failure. */
const struct expr *expr_column(struct arena *arena, uint32_t column, struct type type);
const struct expr *expr_literal(struct arena *arena, const struct plan_value *value);
/* A value that plan_bind (properties.h) puts in before the plan is opened. */
const struct expr *expr_parameter(struct arena *arena, uint32_t number, struct type type);
const struct expr *expr_call(struct arena *arena, enum plan_function function,
                             const struct expr *const *arguments, uint32_t count, struct err *err);
/* The same, giving `type`: for the functions of functions_sql.def, which take their arguments as
 * they are and whose languages know what comes out, and for others where the result means something
 * narrower than what expr_call gives (length() is an `integer` in SQL); its physical type is the
 * same. `compiled`: what the function keeps beside its arguments (NULL). */
const struct expr *expr_call_as(struct arena *arena, enum plan_function function,
                                const struct expr *const *arguments, uint32_t count,
                                struct type type, const void *compiled, struct err *err);
/* FUNCTION_CAST: numbers and booleans to numbers (floats towards zero, saturating), integers to
 * times and back; the argument itself when it has the type already. */
const struct expr *expr_cast(struct arena *arena, const struct expr *argument, struct type type,
                             struct err *err);
/* SQL's casts: floats are rounded (halves to even), what does not fit is an error; numbers,
 * booleans, times and durations to text and back; times and durations from unit to unit (to a
 * coarser one: rounded down). A FUNCTION_CAST where nothing can go wrong, else a FUNCTION_CAST_SQL.
 */
const struct expr *expr_cast_sql(struct arena *arena, const struct expr *argument, struct type type,
                                 struct err *err);
/* The same by the clock and zone of a session (NULL: UTC), which must outlive the plan. */
const struct expr *expr_cast_in(struct arena *arena, const struct expr *argument, struct type type,
                                const struct datetime_session *session, struct err *err);
/* FUNCTION_FIT: a value within the length or precision of a column or a written cast. Texts: `size`
 * characters (0: any) and FIT_ flags; numerics: precision and scale; times and intervals: digits of
 * a second (intervals: -1: all) and the last field (enum interval_field); arrays: what their items
 * have. */
enum { FIT_CUT = 1 /* what is too long is cut */, FIT_BLANKS = 2 /* blanks at the end go */ };
const struct expr *expr_fit(struct arena *arena, const struct expr *argument, int64_t size,
                            int64_t more, struct err *err);
/* FUNCTION_MATCH with the compiled pattern (pcre2_code), which must outlive the plan. */
const struct expr *expr_match(struct arena *arena, const struct expr *argument,
                              const void *compiled, struct err *err);
/* FUNCTION_BUCKET: the start of the bucket that a time (or duration, or integer) is in; the
 * bucket's width and unit are the argument's. */
const struct expr *expr_bucket(struct arena *arena, const struct expr *argument,
                               const struct plan_bucket *bucket, struct err *err);
/* date_trunc: the bucket of a word ("microseconds" to "decade"), by the clock of a zone (NULL:
 * UTC). ERR_INVALID_ARGUMENT for another word. */
const struct expr *expr_date_trunc(struct arena *arena, struct str word,
                                   const struct expr *argument, const struct time_zone *zone,
                                   struct err *err);
/* SQL's BETWEEN: (argument >= low) and (argument <= high). */
const struct expr *expr_between(struct arena *arena, const struct expr *argument,
                                const struct expr *low, const struct expr *high, struct err *err);

/* ---- schema ---- */
struct plan_column {
  struct str name;
  struct type type; /* tags: TYPE_STRING (they travel as dictionary columns) */
};
struct plan_schema {
  const struct plan_column *columns;
  uint32_t count;
  uint32_t group_count; /* the first ones */
  bool has_time;        /* column [group_count] is the time, TYPE_TIMESTAMP(unit of the table) */
};
/* Index of the first value column. */
static inline uint32_t plan_schema_values(const struct plan_schema *schema) {
  return schema->group_count + (schema->has_time ? 1 : 0);
}

/* ---- nodes ---- */
enum plan_kind {
  PLAN_SCAN,      /* rows of a table */
  PLAN_FILTER,    /* rows for which an expression is true */
  PLAN_PROJECT,   /* new value columns; group and time pass through */
  PLAN_AGGREGATE, /* per group and time bucket */
  PLAN_FILL,      /* the buckets that have no row */
  PLAN_WINDOW,    /* values against earlier rows of the group: difference, derivative */
  PLAN_DISTINCT,  /* distinct values of the one value column, per group and bucket */
  PLAN_LIMIT,     /* rows per group, and groups */
  PLAN_REVERSE,   /* each group's rows in the opposite order */
  PLAN_REGROUP,   /* a flat stream, ordered by its first columns, as groups of them */
  PLAN_VALUES,    /* literal rows */
  /* over flat streams: see relational.h */
  PLAN_GROUP,
  PLAN_SORT,
  PLAN_UNIQUE,
  PLAN_JOIN,
  PLAN_SET,
  PLAN_OVER,
  PLAN_UNNEST,
  PLAN_APPLY,
  PLAN_RECURSE,
  PLAN_WORKING,
};

/* What a scan gives as a value column. */
struct plan_scan_column {
  uint32_t column_id; /* the catalog's; 0: unknown, all null */
  bool is_tag;
  struct type type;
};
/* A table as it was: after a commit, or as of the last commit that was made by a time. */
enum plan_as_of_kind { PLAN_AS_OF_NOW, PLAN_AS_OF_COMMIT, PLAN_AS_OF_TIME };
struct plan_as_of {
  enum plan_as_of_kind kind;
  int64_t value; /* the commit, or nanoseconds since 1970 */
};
struct plan_scan {
  struct catalog_table *table; /* retained by the statement */
  const uint32_t *group_tags;  /* catalog ids (0: a tag the table lacks) of the group columns */
  const struct plan_scan_column *values;
  uint32_t value_count;
  const struct series_filter *filter; /* on tags; NULL: all series */
  int64_t time_min, time_max;         /* inclusive, in the table's unit */
  bool any_present;                   /* drop rows whose field values (not tags) are all absent */
  /* Rows of a group come ordered by time, equal times by the series' tag values, in this direction;
   * false also lets them come series by series when nobody above cares: `unordered`. */
  bool descending;
  bool unordered;
  uint64_t limit; /* not 0: nobody needs more than the first `limit` rows of each group */
  struct plan_as_of as_of;
};

enum plan_aggregate {
#define AGGREGATE(NAME, ...) AGGREGATE_##NAME,
#include "plan/aggregates.def"
#undef AGGREGATE
  AGGREGATE_FUNCTIONS
};
struct plan_aggregate_call {
  enum plan_aggregate function;
  uint32_t column;  /* of the input; a value column */
  double parameter; /* the first one of aggregates.def: percentile: 0..100; 0: its default */
  /* INTEGRAL by buckets: the area is cut where the line between points of two buckets leaves the
   * earlier one; what lies beyond is the later one's, over empty ones, too. */
  bool to_edges;
  struct type type; /* of the result: see plan_aggregate_type */
};
/* The result of a call of PLAN_AGGREGATE by aggregates.def. ERR_UNSUPPORTED when it can't take the
 * type (names both). */
int plan_aggregate_type(enum plan_aggregate function, struct type argument, struct type *result,
                        struct err *err);
/* The same of a call of PLAN_GROUP or PLAN_OVER. ERR_INVALID_ARGUMENT: too few or many. */
int plan_aggregate_result(enum plan_aggregate function, const struct type *arguments,
                          uint32_t count, struct type *result, struct err *err);
const char *plan_aggregate_name(enum plan_aggregate function);
/* By its name, in lower case; false: there is none. */
bool plan_aggregate_find(struct str name, enum plan_aggregate *function);
/* How many literals it takes. */
void plan_aggregate_parameters(enum plan_aggregate function, uint32_t *least, uint32_t *most);
/* True when its second argument is the time: PLAN_AGGREGATE gives it the row's. */
bool plan_aggregate_takes_time(enum plan_aggregate function);
/* first, last, min, max, percentile: give one of the input's points. */
bool plan_aggregate_is_selector(enum plan_aggregate function);

/* A bucket gives a row when any row of the input falls into it. A call whose column is absent in
 * all of them gives null, COUNT and COUNT_DISTINCT too: languages in which it is 0 say so above. */
struct plan_aggregation {
  struct plan_bucket bucket;
  const struct plan_aggregate_call *calls; /* one value column each */
  uint32_t call_count;
  /* The time of an output row: the bucket's start (width 0: `time`), or, with one selector, the
   * time of the point it chose. */
  bool selected_time;
  int64_t time;
  /* Value columns of the input that ride along with the one selector (its row's values), after the
   * calls. */
  const uint32_t *carried;
  uint32_t carried_count;
  bool descending; /* buckets */
  uint64_t limit;  /* not 0: nobody needs more than the first `limit` rows of each group */
};

enum plan_fill_mode { FILL_NULL, FILL_VALUE, FILL_PREVIOUS, FILL_LINEAR };
/* Each value column is filled by itself, in the rows that are missing and in the rows in which it
 * is null; PREVIOUS and LINEAR need values of the same group before (and behind) the gap, else it
 * stays null. FILL_NULL only adds the missing rows and puts 0 where zero_count says so. time_min
 * INT64_MIN: from each group's first row; time_max INT64_MAX: to its last. */
struct plan_fill {
  enum plan_fill_mode mode;
  struct plan_value value;
  struct plan_bucket bucket;
  int64_t time_min,
      time_max; /* rows for every bucket that touches this range, for groups that have any row */
  const bool *zero_count; /* per value column: count() is filled with 0 when mode is FILL_NULL… as
                             InfluxQL */
  bool descending;
  uint64_t limit; /* as the aggregate's */
};

enum plan_window {
  WINDOW_DIFFERENCE,
  WINDOW_NON_NEGATIVE_DIFFERENCE,
  WINDOW_DERIVATIVE,
  WINDOW_NON_NEGATIVE_DERIVATIVE,
  WINDOW_MOVING_AVERAGE,
  WINDOW_CUMULATIVE_SUM,
  WINDOW_ELAPSED,
  /* exec/moving.h: the parameter is the period in values */
  WINDOW_EXPONENTIAL_MOVING_AVERAGE,
  WINDOW_DOUBLE_EXPONENTIAL_MOVING_AVERAGE,
  WINDOW_TRIPLE_EXPONENTIAL_MOVING_AVERAGE,
  WINDOW_RELATIVE_STRENGTH_INDEX,
  WINDOW_EFFICIENCY_RATIO, /* Kaufman's */
  WINDOW_ADAPTIVE_MOVING_AVERAGE,
  WINDOW_CHANDE_MOMENTUM,
  WINDOW_COPY, /* the column as it is, beside the others */
  /* exec/forecast.c, the only call of its node: the rows are what a model says of the `parameter`
   * intervals behind the group's last value; FIT: also of those from its first value on */
  WINDOW_HOLT_WINTERS,
  WINDOW_HOLT_WINTERS_FIT,
};
/* Rows in which the column is absent are passed over: they give null and the value before them
 * stays the earlier one. The first value of a group gives null (moving average: the first
 * `parameter` - 1; cumulative sum: none). A row in which no call gives anything is left out. */
struct plan_window_call {
  enum plan_window function;
  uint32_t column;
  int64_t parameter; /* derivative, elapsed: the unit in ns (0: 1); moving average: rows */
  /* The averages of exec/moving.h: how many values give nothing at first (negative: as many as the
   * function needs), and whether the first ones are averaged plainly. */
  int64_t hold; /* forecasts: values of a season; below 2: none */
  bool plain_first;
  int64_t interval; /* forecasts: between values, in the table's unit */
  struct type type;
};
struct plan_windowing {
  const struct plan_window_call *calls;
  uint32_t call_count;
  int64_t ns_per_unit; /* of the time column */
};

struct plan_limit {
  uint64_t limit, offset;             /* rows per group; limit 0: all */
  uint64_t group_limit, group_offset; /* groups; 0: all */
};

struct plan_node {
  enum plan_kind kind;
  struct plan_schema schema;
  const struct plan_node *input; /* NULL: a leaf */
  const struct plan_node *right; /* the second input of PLAN_JOIN, PLAN_SET and PLAN_APPLY */
  union {
    struct plan_scan scan;
    const struct expr *filter;            /* BOOL over the input's columns */
    const struct expr *const *projection; /* one per value column of the schema */
    struct plan_aggregation aggregate;
    struct plan_fill fill;
    struct plan_windowing window;
    struct plan_bucket distinct;
    struct plan_limit limit;
    struct batch values;
    struct plan_grouping group;
    struct plan_sorting sort;
    struct plan_uniqueness unique;
    struct plan_joining join;
    struct plan_setting set;
    struct plan_overing over;
    struct plan_unnesting unnest;
    struct plan_applying apply;
    struct plan_recursion recurse;
  };
};

/* The rewrite rules (push-down, pruning); returns the better tree, in the same arena. */
const struct plan_node *plan_optimize(struct arena *arena, const struct plan_node *plan,
                                      struct err *err);
/* The tree as indented text: a line per node, its inputs below it, two blanks further in. */
void plan_print(const struct plan_node *plan, struct buffer *out);
/* The same; `note` may append to each node's line (figures of EXPLAIN ANALYZE). */
void plan_print_notes(const struct plan_node *plan,
                      void (*note)(void *context, const struct plan_node *node, struct buffer *out),
                      void *context, struct buffer *out);

#endif
