/* Conditions over a scan's columns become part of the scan where they can: ranges of time, and
 * filters on series, which choose blocks before any is read. What is left is a filter over the
 * scan, which the executor runs on encoded data.
 *
 * A condition on one tag is a test of its distinct values, whatever its functions: the scan asks it
 * once per value. Equality with a literal is looked up. */
#include "base/err.h"
#include "base/time.h"
#include "plan/rules_private.h"
#include "plan/vector.h"
#include "series/filter.h"

/* ---- time ---- */

/* The time column behind casts to finer units; *factor: units of the expression in one of its own.
 */
static bool time_side(const struct plan_node *scan, const struct expr *expr, __int128 *factor) {
  *factor = 1;
  if (expr->kind == EXPR_CALL && expr->function == FUNCTION_CAST_SQL &&
      rules__is_time(scan, expr->arguments[0]) && expr->type.logical == LOGICAL_TIMESTAMP) {
    enum time_unit from = (enum time_unit)expr->arguments[0]->type.parameter;
    enum time_unit to = (enum time_unit)expr->type.parameter;
    *factor = time_unit_ns(from) / time_unit_ns(to);
    return *factor >= 1;
  }
  if (expr->kind == EXPR_CALL && expr->function == FUNCTION_CAST &&
      expr->type.physical == PHYSICAL_INT64)
    expr = expr->arguments[0]; /* its number of units */
  return rules__is_time(scan, expr);
}

static int64_t clamp(__int128 value) {
  return value < INT64_MIN ? INT64_MIN : value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static __int128 floor_divide(__int128 value, __int128 by) { return value / by - (value % by < 0); }

static enum compare_op turned(enum compare_op op) {
  switch (op) {
  case COMPARE_LESS:
    return COMPARE_GREATER;
  case COMPARE_LESS_EQUAL:
    return COMPARE_GREATER_EQUAL;
  case COMPARE_GREATER:
    return COMPARE_LESS;
  case COMPARE_GREATER_EQUAL:
    return COMPARE_LESS_EQUAL;
  default:
    return op;
  }
}

/* Narrows the range of time by `time op literal`. False: it is something else. */
static bool narrow_time(struct plan_node *scan, const struct expr *expr) {
  enum compare_op op;
  __int128 factor;
  if (expr->kind != EXPR_CALL || !plan__is_comparison(expr->function, &op)) return false;
  const struct expr *side = expr->arguments[0], *literal = expr->arguments[1];
  if (side->kind == EXPR_LITERAL) {
    side = expr->arguments[1];
    literal = expr->arguments[0];
    op = turned(op);
  }
  if (!scan->schema.has_time || literal->kind != EXPR_LITERAL || literal->literal.null ||
      literal->type.physical != PHYSICAL_INT64 || !time_side(scan, side, &factor))
    return false;
  __int128 value = literal->literal.i64, min = INT64_MIN, max = INT64_MAX;
  switch (op) {
  case COMPARE_EQUAL:
    min = -floor_divide(-value, factor);
    max = floor_divide(value, factor);
    break;
  case COMPARE_LESS:
    max = floor_divide(value - 1, factor);
    break;
  case COMPARE_LESS_EQUAL:
    max = floor_divide(value, factor);
    break;
  case COMPARE_GREATER:
    min = floor_divide(value, factor) + 1;
    break;
  case COMPARE_GREATER_EQUAL:
    min = -floor_divide(-value, factor);
    break;
  default:
    return false;
  }
  if (max < INT64_MIN || min > INT64_MAX) { /* no time at all */
    min = INT64_MAX;
    max = INT64_MIN;
  }
  if (min > scan->scan.time_min) scan->scan.time_min = clamp(min);
  if (max < scan->scan.time_max) scan->scan.time_max = clamp(max);
  return true;
}

/* ---- tags ---- */

/* A condition on one tag, as column 0. Asked from any thread. */
struct tag_test {
  const struct expr *expr;
  struct mem_account *account;
};

static int test_tag(void *context, struct str value, bool *passes, struct err *err) {
  const struct tag_test *test = context;
  struct plan_value column = {.type = TYPE_STRING, .text = value}, result;
  struct arena scratch;
  arena_init(&scratch, test->account, 2048);
  bool told = expr_evaluate(&scratch, test->expr, &column, &result);
  if (told) *passes = !result.null && result.boolean;
  arena_deinit(&scratch);
  return told ? ERR_OK : mem_refused(test->account, 2048, err);
}

/* The tag of a column of the scan. */
static bool tag_column(const struct plan_node *scan, uint32_t column, uint32_t *tag) {
  uint32_t first = plan_schema_values(&scan->schema);
  if (column < scan->schema.group_count) {
    *tag = scan->scan.group_tags[column];
    return true;
  }
  if (column < first || !scan->scan.values[column - first].is_tag) return false;
  *tag = scan->scan.values[column - first].column_id;
  return true;
}

/* The one tag that all columns of the expression are. */
static bool one_tag(const struct plan_node *scan, const struct expr *expr, bool *seen,
                    uint32_t *tag) {
  if (expr->kind == EXPR_PARAMETER) return false;
  if (expr->kind == EXPR_COLUMN) {
    uint32_t this;
    if (!tag_column(scan, expr->column, &this) || (*seen && this != *tag)) return false;
    *seen = true;
    *tag = this;
  }
  for (uint32_t i = 0; i < expr->argument_count; i++)
    if (!one_tag(scan, expr->arguments[i], seen, tag)) return false;
  return true;
}

static const struct series_filter *make_test(struct rewriting *rewriting,
                                             const struct plan_node *scan, const struct expr *expr,
                                             uint32_t tag) {
  struct series_filter *filter = rules__take(rewriting, sizeof *filter);
  struct tag_test *test = rules__take(rewriting, sizeof *test);
  uint32_t *map = rules__take(rewriting, scan->schema.count * sizeof *map); /* all to column 0 */
  if (!filter || !test || !map) return NULL;
  test->account = rewriting->arena->account;
  test->expr =
      rules__made(rewriting, plan__expr_remap(rewriting->arena, expr, map, rewriting->err));
  *filter = (struct series_filter){
      .kind = SERIES_FILTER_TEST, .column_id = tag, .test = test_tag, .context = test};
  return filter;
}

static const struct series_filter *combine(struct rewriting *rewriting,
                                           enum series_filter_kind kind,
                                           const struct series_filter *a,
                                           const struct series_filter *b) {
  struct series_filter *filter = rules__take(rewriting, sizeof *filter);
  const struct series_filter **children = rules__take(rewriting, 2 * sizeof *children);
  if (!filter || !children) return NULL;
  children[0] = a;
  children[1] = b;
  *filter = (struct series_filter){.kind = kind, .children = children, .child_count = 2};
  return filter;
}

/* tag = 'value'; nullif(tag, '') = 'value' is true for the same rows. */
static const struct series_filter *make_equality(struct rewriting *rewriting,
                                                 const struct plan_node *scan,
                                                 const struct expr *expr, uint32_t tag) {
  if (expr->function != FUNCTION_EQUAL) return NULL;
  bool turn = expr->arguments[0]->kind == EXPR_LITERAL;
  const struct expr *side = expr->arguments[turn], *literal = expr->arguments[!turn];
  uint32_t ignored;
  bool column = side->kind == EXPR_COLUMN;
  if (literal->kind != EXPR_LITERAL || literal->literal.null) return NULL;
  if (!column && (!literal->literal.text.size || !rules__tag_of(scan, side, &ignored))) return NULL;
  struct series_filter *filter = rules__take(rewriting, sizeof *filter);
  if (!filter) return NULL;
  *filter = (struct series_filter){
      .kind = SERIES_FILTER_EQUAL, .column_id = tag, .value = literal->literal.text};
  return filter;
}

/* The series for which the condition is true; NULL: it asks for more than tags. */
static const struct series_filter *
series_of(struct rewriting *rewriting, const struct plan_node *scan, const struct expr *expr) {
  uint32_t tag = 0;
  bool seen = false;
  if (expr->kind == EXPR_CALL && !expr_may_fail(expr) && one_tag(scan, expr, &seen, &tag) && seen) {
    const struct series_filter *equality = make_equality(rewriting, scan, expr, tag);
    return equality ? equality : make_test(rewriting, scan, expr, tag);
  }
  bool joins =
      expr->kind == EXPR_CALL && (expr->function == FUNCTION_AND || expr->function == FUNCTION_OR);
  if (!joins) return NULL;
  const struct series_filter *a = series_of(rewriting, scan, expr->arguments[0]);
  const struct series_filter *b = a ? series_of(rewriting, scan, expr->arguments[1]) : NULL;
  if (!b) return NULL;
  return combine(rewriting, expr->function == FUNCTION_AND ? SERIES_FILTER_AND : SERIES_FILTER_OR,
                 a, b);
}

const struct plan_node *rules__push_into_scan(struct rewriting *rewriting,
                                              const struct plan_node *node,
                                              struct conjuncts *conjuncts) {
  if (conjuncts->count == 0 || node->scan.limit) return node;
  struct plan_node *copy = rules__copy(rewriting, node);
  uint32_t kept = 0;
  if (!copy) return node;
  for (uint32_t i = 0; i < conjuncts->count; i++) {
    const struct expr *expr = conjuncts->list[i];
    if (narrow_time(copy, expr)) continue;
    const struct series_filter *series = series_of(rewriting, copy, expr);
    if (!series) {
      conjuncts->list[kept++] = expr;
      continue;
    }
    if (copy->scan.filter)
      series = combine(rewriting, SERIES_FILTER_AND, copy->scan.filter, series);
    copy->scan.filter = series;
  }
  conjuncts->count = kept;
  return copy;
}
