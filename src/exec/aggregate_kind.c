/* Compiling calls and feeding states: which kind of state a function has for a type, and the way
 * from vectors to dense values. */
#include <assert.h>

#include "exec/aggregate_kind_private.h"

#include "base/err.h"
#include "columnar/bits.h"
#include "kernel/quantile_sketch.h"
#include "kernel/select.h"

enum { DENSE = 1024, HISTOGRAM_BUCKETS_MAX = 65534 };

#define ALL(kind)                                                                                  \
  { &(kind), &(kind), &(kind), &(kind) }
#define NUMBERS(kind)                                                                              \
  { &(kind), &(kind), NULL, NULL }
#define WHOLE(kind)                                                                                \
  { NULL, &(kind), NULL, &(kind) }
#define TEXTS(kind)                                                                                \
  { NULL, NULL, NULL, &(kind) }
#define EACH(words, texts)                                                                         \
  { &(words), &(words), &(words), &(texts) }

static const struct aggregate_row rows[AGGREGATE_FUNCTIONS] = {
    [AGGREGATE_COUNT] = ALL(aggregate__count),
    [AGGREGATE_SUM] = {&aggregate__sum_float, &aggregate__sum_integer, NULL, NULL},
    [AGGREGATE_MEAN] = {&aggregate__sum_float, &aggregate__sum_integer, NULL, NULL},
    [AGGREGATE_SUM_EXACT] = {NULL, &aggregate__sum_integer, NULL, &aggregate__sum_decimal},
    [AGGREGATE_MEAN_EXACT] = {NULL, &aggregate__sum_integer, NULL, &aggregate__sum_decimal},
    [AGGREGATE_STDDEV_EXACT] = WHOLE(aggregate__exact_moments),
    [AGGREGATE_STDDEV_POP_EXACT] = WHOLE(aggregate__exact_moments),
    [AGGREGATE_VAR_SAMP_EXACT] = WHOLE(aggregate__exact_moments),
    [AGGREGATE_VAR_POP_EXACT] = WHOLE(aggregate__exact_moments),
    [AGGREGATE_MIN] = EACH(aggregate__extreme, aggregate__chosen_text),
    [AGGREGATE_MAX] = EACH(aggregate__extreme, aggregate__chosen_text),
    [AGGREGATE_FIRST] = EACH(aggregate__first, aggregate__chosen_text),
    [AGGREGATE_LAST] = EACH(aggregate__first, aggregate__chosen_text),
    [AGGREGATE_SPREAD] = NUMBERS(aggregate__spread),
    [AGGREGATE_STDDEV] = NUMBERS(aggregate__moments),
    [AGGREGATE_MEDIAN] = NUMBERS(aggregate__values),
    [AGGREGATE_PERCENTILE] = NUMBERS(aggregate__values),
    [AGGREGATE_MODE] = EACH(aggregate__values, aggregate__value_texts),
    [AGGREGATE_COUNT_DISTINCT] = EACH(aggregate__values, aggregate__value_texts),
    [AGGREGATE_STDDEV_POP] = NUMBERS(aggregate__moments),
    [AGGREGATE_VAR_SAMP] = NUMBERS(aggregate__moments),
    [AGGREGATE_VAR_POP] = NUMBERS(aggregate__moments),
    [AGGREGATE_PERCENTILE_DISC] = EACH(aggregate__values, aggregate__value_texts),
    [AGGREGATE_PERCENTILE_CONT] = NUMBERS(aggregate__values),
    [AGGREGATE_APPROX_PERCENTILE] = NUMBERS(aggregate__quantiles),
    [AGGREGATE_SKETCH] = NUMBERS(aggregate__quantiles),
    [AGGREGATE_SKETCH_MERGE] = TEXTS(aggregate__quantile_sketches),
    [AGGREGATE_APPROX_DISTINCT] = ALL(aggregate__distinct_sketch),
    [AGGREGATE_COVAR_SAMP] = NUMBERS(aggregate__pair),
    [AGGREGATE_COVAR_POP] = NUMBERS(aggregate__pair),
    [AGGREGATE_CORR] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_SLOPE] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_INTERCEPT] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_R2] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_SXX] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_SXY] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_SYY] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_AVGX] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_AVGY] = NUMBERS(aggregate__pair),
    [AGGREGATE_REGR_COUNT] = NUMBERS(aggregate__pair),
    [AGGREGATE_HISTOGRAM] = NUMBERS(aggregate__histogram),
    [AGGREGATE_INTEGRAL] = NUMBERS(aggregate__points),
    [AGGREGATE_TIME_MEAN] = NUMBERS(aggregate__points),
    [AGGREGATE_RATE] = NUMBERS(aggregate__points),
    [AGGREGATE_INCREASE] = NUMBERS(aggregate__points),
    [AGGREGATE_DELTA] = NUMBERS(aggregate__points),
    [AGGREGATE_DERIVATIVE] = NUMBERS(aggregate__points),
    [AGGREGATE_DERIV] = NUMBERS(aggregate__points),
    [AGGREGATE_BOOL_AND] = {NULL, NULL, &aggregate__extreme, NULL},
    [AGGREGATE_BOOL_OR] = {NULL, NULL, &aggregate__extreme, NULL},
    [AGGREGATE_BIT_AND] = NUMBERS(aggregate__bits),
    [AGGREGATE_BIT_OR] = NUMBERS(aggregate__bits),
    [AGGREGATE_BIT_XOR] = NUMBERS(aggregate__bits),
    [AGGREGATE_PRODUCT] = NUMBERS(aggregate__product),
    [AGGREGATE_ANY_VALUE] = EACH(aggregate__first, aggregate__chosen_text),
    [AGGREGATE_MIN_BY] = ALL(aggregate__by),
    [AGGREGATE_MAX_BY] = ALL(aggregate__by),
    [AGGREGATE_STRING_AGG] = TEXTS(aggregate__joined),
    [AGGREGATE_ARRAY_AGG] = {NULL, &aggregate__list, NULL, &aggregate__list},
    [AGGREGATE_ARRAY] = ALL(aggregate__array),
};

int aggregate__torn(struct err *err) {
  return err_set(err, ERR_CORRUPTION, "the saved state of an aggregate ends early");
}
int aggregate__refused(const struct aggregate_function *function, size_t size, struct err *err) {
  return exec__refused(function->exec, size, err);
}

/* ---- compiling ---- */

static const struct aggregate_kind *kind_of(enum plan_aggregate function, struct type argument) {
  const struct aggregate_row *row = &rows[function];
  switch (argument.physical) {
  case PHYSICAL_FLOAT64:
    return row->of_float;
  case PHYSICAL_BOOL:
    return row->of_bool;
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    if (argument.logical == LOGICAL_INTERVAL && row->of_text == &aggregate__sum_decimal)
      return &aggregate__sum_interval;
    return row->of_text;
  default:
    return row->of_integer;
  }
}

static bool number_of(const struct plan_value *value, double *number) {
  *number = value->type.physical == PHYSICAL_FLOAT64  ? value->f64
            : value->type.physical == PHYSICAL_UINT64 ? (double)value->u64
                                                      : (double)value->i64;
  return !value->null && !type_is_string(value->type) && value->type.physical != PHYSICAL_BOOL;
}

static int bad_parameter(const struct aggregate_function *function, const char *what,
                         struct err *err) {
  return err_set(err, ERR_INVALID_ARGUMENT, "%s(): %s", plan_aggregate_name(function->function),
                 what);
}

/* Defaults and bounds of parameters. */
static int check_numbers(struct aggregate_function *function, uint32_t given, struct err *err) {
  double *numbers = function->numbers;
  switch (function->function) {
  case AGGREGATE_PERCENTILE:
    return numbers[0] >= 0 && numbers[0] <= 100
               ? ERR_OK
               : bad_parameter(function, "the percentage is not within 0 and 100", err);
  case AGGREGATE_SKETCH:
    numbers[1] = numbers[0]; /* where approx_percentile() has it */
    numbers[0] = 0;
    given++;
    /* fall through */
  case AGGREGATE_APPROX_PERCENTILE:
    if (given < 2) numbers[1] = 0.01;
    if (!(numbers[1] >= QUANTILE_ACCURACY_MIN && numbers[1] <= QUANTILE_ACCURACY_MAX))
      return bad_parameter(function, "the accuracy is not within 0.0005 and 0.25", err);
    /* fall through */
  case AGGREGATE_PERCENTILE_DISC:
  case AGGREGATE_PERCENTILE_CONT:
    return numbers[0] >= 0 && numbers[0] <= 1
               ? ERR_OK
               : bad_parameter(function, "the fraction is not within 0 and 1", err);
  case AGGREGATE_HISTOGRAM:
    if (!isfinite(numbers[0]) || !isfinite(numbers[1]) || !(numbers[0] < numbers[1]) ||
        !isfinite(numbers[1] - numbers[0]))
      return bad_parameter(function, "the lower edge is not below the upper one", err);
    numbers[2] = floor(numbers[2]);
    return numbers[2] >= 1 && numbers[2] <= HISTOGRAM_BUCKETS_MAX
               ? ERR_OK
               : bad_parameter(function, "the number of buckets is not within 1 and 65534", err);
  case AGGREGATE_INTEGRAL:
  case AGGREGATE_RATE:
  case AGGREGATE_DERIVATIVE:
  case AGGREGATE_DERIV:
    if (given < 1) numbers[0] = 1e9;
    return numbers[0] > 0 ? ERR_OK : bad_parameter(function, "the unit is not above zero", err);
  default:
    return ERR_OK;
  }
}

static int take_parameters(struct aggregate_function *function, const struct plan_group_call *call,
                           struct err *err) {
  uint32_t least, most;
  plan_aggregate_parameters(function->function, &least, &most);
  if (call->parameter_count < least || call->parameter_count > most)
    return bad_parameter(function, "too few or too many parameters", err);
  if (function->function == AGGREGATE_STRING_AGG) {
    if (call->parameter_count == 0) return ERR_OK;
    if (call->parameters[0].null || !type_is_string(call->parameters[0].type))
      return bad_parameter(function, "the separator is not a string", err);
    function->text = call->parameters[0].text;
    return ERR_OK;
  }
  for (uint32_t i = 0; i < call->parameter_count; i++)
    if (!number_of(&call->parameters[i], &function->numbers[i]))
      return bad_parameter(function, "a parameter is not a number", err);
  return check_numbers(function, call->parameter_count, err);
}

static int take_columns(struct aggregate_function *function, const struct plan_group_call *call,
                        const struct plan_schema *input, struct err *err) {
  uint32_t count = call->argument_count + call->order_count;
  if (count > AGGREGATE_COLUMNS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "an aggregate over %u columns; %d are the most", count,
                   AGGREGATE_COLUMNS_MAX);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t column = i < call->argument_count ? call->arguments[i]
                                               : call->order[i - call->argument_count].column;
    function->columns[i] = column;
    function->types[i] = input->columns[column].type;
  }
  function->argument_count = call->argument_count;
  function->column_count = count;
  return plan_aggregate_result(function->function, function->types, call->argument_count,
                               &function->result, err);
}

/* True when the order of rows, or how often one comes, can be told from the answer. */
static bool needs_rows(const struct aggregate_function *function) {
  switch (function->function) {
  case AGGREGATE_MIN:
  case AGGREGATE_MAX:
  case AGGREGATE_SPREAD:
  case AGGREGATE_BOOL_AND:
  case AGGREGATE_BOOL_OR:
  case AGGREGATE_BIT_AND:
  case AGGREGATE_BIT_OR:
  case AGGREGATE_COUNT_DISTINCT:
  case AGGREGATE_APPROX_DISTINCT:
    return false;
  default:
    return function->argument_count > 0;
  }
}

int exec__aggregate_compile(struct exec *exec, const struct plan_group_call *call,
                            const struct plan_schema *input, struct aggregate_function *function,
                            struct err *err) {
  *function = (struct aggregate_function){.loops = kernel_loops(),
                                          .exec = exec,
                                          .function = (enum plan_aggregate)call->function,
                                          .filter = call->filter,
                                          .distinct = call->distinct,
                                          .order = call->order,
                                          .order_count = call->order_count};
  int code = take_columns(function, call, input, err);
  if (!code) code = take_parameters(function, call, err);
  if (code) return code;
  struct type first = function->argument_count ? function->types[0] : TYPE_INT64;
  if (function->distinct && function->function == AGGREGATE_COUNT && function->argument_count) {
    function->function = AGGREGATE_COUNT_DISTINCT;
    function->distinct = false;
    function->order_count = 0;
  }
  function->kind = kind_of(function->function, first);
  if (!function->kind)
    return err_set(err, ERR_UNSUPPORTED, "%s() does not take %s",
                   plan_aggregate_name(function->function), type_name(first));
  if (function->kind == &aggregate__array) {
    assert(function->column_count == function->argument_count + function->order_count);
  } else if ((function->distinct || function->order_count) && needs_rows(function)) {
    struct aggregate_function *inner = ARENA_NEW(&exec->memory, struct aggregate_function);
    if (!inner) return exec__refused(exec, sizeof *inner, err);
    *inner = *function;
    inner->distinct = false;
    inner->order_count = 0;
    inner->column_count = inner->argument_count;
    inner->filter = PLAN_NO_COLUMN;
    inner->state_size = inner->kind->state_size;
    function->inner = inner;
    function->kind = &aggregate__ordered;
  } else {
    function->order_count = 0;
    function->column_count = function->argument_count;
  }
  function->state_size = (function->kind->state_size + 7) / 8 * 8;
  return ERR_OK;
}

bool exec__aggregate_is_plain(const struct aggregate_function *function) {
  return !function->kind->save && function->kind->merge;
}

/* ---- vectors ---- */

void exec__aggregate_vector(const struct aggregate_function *function, const struct column *columns,
                            int64_t length, uint64_t *scratch, struct aggregate_vector *vector) {
  size_t words = bit_words(length);
  bool takes_nulls = function->kind == &aggregate__array;
  *vector = (struct aggregate_vector){{0}, NULL};
  for (uint32_t i = 0; i < function->column_count; i++) {
    const struct column *column = &columns[function->columns[i]];
    vector->columns[i] = column;
    if (i >= function->argument_count || !column->null_count || takes_nulls) continue;
    if (!vector->selected) {
      vector->selected = column->validity;
      continue;
    }
    for (size_t w = 0; w < words; w++)
      scratch[w] = vector->selected[w] & column->validity[w];
    vector->selected = scratch;
  }
  if (function->filter == PLAN_NO_COLUMN) return;
  const struct column *filter = &columns[function->filter];
  for (size_t w = 0; w < words; w++) {
    uint64_t passed = filter->bits[w] & (filter->null_count ? filter->validity[w] : UINT64_MAX);
    scratch[w] = passed & (vector->selected ? vector->selected[w] : UINT64_MAX);
  }
  vector->selected = scratch;
}

/* True when the kind takes the one argument as dense words. */
static bool is_dense(const struct aggregate_function *function) {
  return function->kind->fold && function->argument_count == 1 && !function->inner &&
         !aggregate__is_text(function->types[0]);
}

/* Selected values of rows [from, from + count) together, count at most DENSE. */
static const uint64_t *squeeze(const struct aggregate_vector *vector, int64_t from, int64_t count,
                               uint64_t *dense, size_t *kept) {
  const struct column *column = vector->columns[0];
  bool bits = column->type.physical == PHYSICAL_BOOL;
  if (!vector->selected && !bits) {
    *kept = (size_t)count;
    return column->u64 + from;
  }
  *kept =
      bits ? select_squeeze_bits(column->bits, vector->selected, (size_t)from, (size_t)count, dense)
           : select_squeeze(column->u64, vector->selected, (size_t)from, (size_t)count, dense);
  return dense;
}

static int feed_dense(const struct aggregate_function *function, struct arena *arena, void *state,
                      const struct aggregate_vector *vector, int64_t from, int64_t count,
                      struct err *err) {
  uint64_t dense[DENSE + 1];
  bool direct = !vector->selected && function->types[0].physical != PHYSICAL_BOOL;
  int64_t step = direct ? count : DENSE;
  int code = ERR_OK;
  for (int64_t at = 0; at < count && !code; at += step) {
    size_t kept;
    const uint64_t *values =
        squeeze(vector, from + at, count - at < step ? count - at : step, dense, &kept);
    if (kept) code = function->kind->fold(function, arena, state, values, kept, err);
  }
  return code;
}

/* Rows that count, without a look at their values. */
static uint64_t count_rows(const struct aggregate_vector *vector, int64_t from, int64_t count) {
  return vector->selected ? (uint64_t)bits_count(vector->selected, from, count) : (uint64_t)count;
}

int exec__aggregate_feed(const struct aggregate_function *function, struct arena *arena,
                         void *state, const struct aggregate_vector *vector, int64_t from,
                         int64_t count, struct err *err) {
  if (function->kind == &aggregate__count) {
    *(uint64_t *)state += count_rows(vector, from, count);
    return ERR_OK;
  }
  if (is_dense(function)) return feed_dense(function, arena, state, vector, from, count, err);
  int code = ERR_OK;
  for (int64_t row = from; row < from + count && !code; row++)
    if (!vector->selected || bit_get(vector->selected, row))
      code = function->kind->add(function, arena, state, vector, row, err);
  return code;
}

/* Ids of the rows that count together; how many. */
static size_t squeeze_ids(const struct aggregate_vector *vector, int64_t from, int64_t count,
                          const uint32_t *ids, uint32_t *dense) {
  size_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    dense[kept] = ids[i];
    kept += bit_get(vector->selected, from + i);
  }
  return kept;
}

static bool one_group(const uint32_t *ids, size_t count) {
  if (ids[0] != ids[count - 1]) return false;
  uint32_t differ = 0;
  for (size_t i = 1; i < count; i++)
    differ |= ids[i] ^ ids[0];
  return differ == 0;
}

/* Values each to its state: runs of one state together. */
static int scatter(const struct aggregate_function *function, struct arena *arena, uint8_t *states,
                   size_t stride, const uint32_t *ids, const uint64_t *values, size_t count,
                   struct err *err) {
  const struct aggregate_kind *kind = function->kind;
  int code = ERR_OK;
  if (kind->scatter && (count < 16 || !one_group(ids, count))) {
    kind->scatter(function, states, stride, ids, values, count);
    return ERR_OK;
  }
  for (size_t i = 0, end; i < count && !code; i = end) {
    for (end = i + 1; end < count && ids[end] == ids[i];)
      end++;
    code = kind->fold(function, arena, states + ids[i] * stride, values + i, end - i, err);
  }
  return code;
}

int exec__aggregate_feed_groups(const struct aggregate_function *function, struct arena *arena,
                                uint8_t *states, size_t stride, const uint32_t *ids,
                                const struct aggregate_vector *vector, int64_t from, int64_t count,
                                struct err *err) {
  uint64_t dense[DENSE + 1];
  uint32_t dense_ids[DENSE + 1];
  bool counting = function->kind == &aggregate__count;
  int code = ERR_OK;
  if (!counting && !is_dense(function)) {
    for (int64_t i = 0; i < count && !code; i++)
      if (!vector->selected || bit_get(vector->selected, from + i))
        code =
            function->kind->add(function, arena, states + ids[i] * stride, vector, from + i, err);
    return code;
  }
  for (int64_t at = 0; at < count && !code; at += DENSE) {
    int64_t size = count - at < DENSE ? count - at : DENSE;
    size_t kept = (size_t)size;
    const uint32_t *of = ids + at;
    const uint64_t *values = NULL;
    if (vector->selected) {
      kept = squeeze_ids(vector, from + at, size, of, dense_ids);
      of = dense_ids;
    }
    if (kept == 0) continue;
    if (counting) {
      function->kind->scatter(function, states, stride, of, NULL, kept);
      continue;
    }
    values = squeeze(vector, from + at, size, dense, &kept);
    code = scatter(function, arena, states, stride, of, values, kept, err);
  }
  return code;
}

int exec__aggregate_merge(const struct aggregate_function *function, struct arena *arena,
                          void *state, const void *other, struct err *err) {
  return function->kind->merge(function, arena, state, other, err);
}

int exec__aggregate_finish(const struct aggregate_function *function, struct arena *arena,
                           void *state, struct builder *result, struct err *err) {
  return function->kind->finish(function, arena, state, result, err);
}

void exec__aggregate_save(const struct aggregate_function *function, const void *state,
                          struct buffer *out) {
  if (function->kind->save)
    function->kind->save(function, state, out);
  else
    buffer_append(out, state, function->kind->state_size);
}

int exec__aggregate_load(const struct aggregate_function *function, struct arena *arena,
                         void *state, struct str *bytes, struct err *err) {
  if (function->kind->load) return function->kind->load(function, arena, state, bytes, err);
  const void *at = aggregate__take(bytes, function->kind->state_size);
  if (!at) return aggregate__torn(err);
  memcpy(state, at, function->kind->state_size);
  return ERR_OK;
}
