/* Counts, sums, extremes, choices, logic and bits: states of a few words. */
#include "base/err.h"
#include "exec/aggregate_kind_private.h"

/* ---- count ---- */

static int fold_count(const struct aggregate_function *function, struct arena *arena, void *state,
                      const uint64_t *values, size_t count, struct err *err) {
  (void)function, (void)arena, (void)values, (void)err;
  *(uint64_t *)state += count;
  return ERR_OK;
}
static void scatter_count(const struct aggregate_function *function, uint8_t *states, size_t stride,
                          const uint32_t *ids, const uint64_t *values, size_t count) {
  (void)function, (void)values;
  for (size_t i = 0; i < count; i++)
    ++*(uint64_t *)(void *)(states + ids[i] * stride);
}
static int add_count(const struct aggregate_function *function, struct arena *arena, void *state,
                     const struct aggregate_vector *vector, int64_t row, struct err *err) {
  (void)function, (void)arena, (void)vector, (void)row, (void)err;
  ++*(uint64_t *)state;
  return ERR_OK;
}
static int merge_count(const struct aggregate_function *function, struct arena *arena, void *state,
                       const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  *(uint64_t *)state += *(const uint64_t *)other;
  return ERR_OK;
}
static int finish_count(const struct aggregate_function *function, struct arena *arena, void *state,
                        struct builder *result, struct err *err) {
  (void)function, (void)arena, (void)err;
  builder_append_u64(result, *(const uint64_t *)state);
  return ERR_OK;
}
const struct aggregate_kind aggregate__count = {.state_size = 8,
                                                .fold = fold_count,
                                                .scatter = scatter_count,
                                                .add = add_count,
                                                .merge = merge_count,
                                                .finish = finish_count};

/* ---- sum and mean ---- */

struct sum_float {
  uint64_t count;
  struct float_sum sum;
};
static int fold_float(const struct aggregate_function *function, struct arena *arena, void *state,
                      const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  struct sum_float *sum = state;
  sum->count += count;
  function->loops->sum_f64((const double *)(const void *)values, count, &sum->sum);
  return ERR_OK;
}
static void scatter_float(const struct aggregate_function *function, uint8_t *states, size_t stride,
                          const uint32_t *ids, const uint64_t *values, size_t count) {
  (void)function;
  const double *numbers = (const double *)(const void *)values;
  for (size_t i = 0; i < count; i++) {
    struct sum_float *sum = (void *)(states + ids[i] * stride);
    sum->count++;
    float_sum_add(&sum->sum, numbers[i]);
  }
}
static int merge_float(const struct aggregate_function *function, struct arena *arena, void *state,
                       const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct sum_float *sum = state;
  const struct sum_float *more = other;
  sum->count += more->count;
  float_sum_merge(&sum->sum, &more->sum);
  return ERR_OK;
}
static int finish_float(const struct aggregate_function *function, struct arena *arena, void *state,
                        struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct sum_float *sum = state;
  double value = float_sum_value(&sum->sum);
  bool mean = function->function == AGGREGATE_MEAN;
  if (sum->count == 0)
    builder_append_null(result);
  else
    aggregate__append_float(result, mean ? value / (double)sum->count : value);
  return ERR_OK;
}
const struct aggregate_kind aggregate__sum_float = {.state_size = sizeof(struct sum_float),
                                                    .fold = fold_float,
                                                    .scatter = scatter_float,
                                                    .merge = merge_float,
                                                    .finish = finish_float};

struct sum_integer {
  uint64_t count;
  uint64_t low, high; /* 128 bits */
};
static inline void add_128(struct sum_integer *sum, uint64_t low, uint64_t high) {
  uint64_t total = sum->low + low;
  sum->high += high + (total < low);
  sum->low = total;
}
static int fold_integer(const struct aggregate_function *function, struct arena *arena, void *state,
                        const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  struct sum_integer *sum = state;
  __int128 total = 0;
  if (function->types[0].physical == PHYSICAL_UINT64)
    function->loops->sum_u64(values, count, &total);
  else
    function->loops->sum_i64((const int64_t *)values, count, &total);
  sum->count += count;
  add_128(sum, (uint64_t)total, (uint64_t)((unsigned __int128)total >> 64));
  return ERR_OK;
}
static void scatter_integer(const struct aggregate_function *function, uint8_t *states,
                            size_t stride, const uint32_t *ids, const uint64_t *values,
                            size_t count) {
  bool natural = function->types[0].physical == PHYSICAL_UINT64;
  for (size_t i = 0; i < count; i++) {
    struct sum_integer *sum = (void *)(states + ids[i] * stride);
    sum->count++;
    add_128(sum, values[i], natural ? 0 : (uint64_t)((int64_t)values[i] >> 63));
  }
}
static int merge_integer(const struct aggregate_function *function, struct arena *arena,
                         void *state, const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct sum_integer *sum = state;
  const struct sum_integer *more = other;
  sum->count += more->count;
  add_128(sum, more->low, more->high);
  return ERR_OK;
}
static int finish_integer(const struct aggregate_function *function, struct arena *arena,
                          void *state, struct builder *result, struct err *err) {
  (void)arena;
  const struct sum_integer *sum = state;
  __int128 total = (__int128)((unsigned __int128)sum->high << 64 | sum->low);
  if (sum->count == 0) {
    builder_append_null(result);
    return ERR_OK;
  }
  if (function->result.logical == LOGICAL_DECIMAL)
    return aggregate__finish_exact(function, total, sum->count, result, err);
  if (function->function == AGGREGATE_MEAN) {
    aggregate__append_float(result, (double)total / (double)sum->count);
    return ERR_OK;
  }
  bool fits = function->types[0].physical == PHYSICAL_UINT64
                  ? total >= 0 && total <= (__int128)UINT64_MAX
                  : total >= INT64_MIN && total <= INT64_MAX;
  if (!fits) {
    err_set(err, ERR_OUT_OF_RANGE, "the sum of %llu integers does not fit 64 bits",
            (unsigned long long)sum->count);
    err_hint(err, "sum them as floats, or fewer of them");
    return ERR_OUT_OF_RANGE;
  }
  aggregate__append(result, (uint64_t)total);
  return ERR_OK;
}
const struct aggregate_kind aggregate__sum_integer = {.state_size = sizeof(struct sum_integer),
                                                      .fold = fold_integer,
                                                      .scatter = scatter_integer,
                                                      .merge = merge_integer,
                                                      .finish = finish_integer};

/* ---- extremes, as ordered keys; NaN is taken only where there is nothing else ---- */

struct extreme {
  uint64_t count;
  uint64_t key; /* of a state that is not empty */
};
static bool wants_max(const struct aggregate_function *function) {
  return function->function == AGGREGATE_MAX || function->function == AGGREGATE_BOOL_OR;
}
/* A greater key is better: NaN, the greatest of all, is turned into the least for max. */
static inline uint64_t extreme_key(struct type type, bool max, uint64_t word) {
  uint64_t key = aggregate__order(type, word);
  if (!max) return ~key;
  return type.physical == PHYSICAL_FLOAT64 && key == UINT64_MAX ? 0 : key;
}
static int fold_extreme(const struct aggregate_function *function, struct arena *arena, void *state,
                        const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  struct extreme *extreme = state;
  struct type type = function->types[0];
  bool max = wants_max(function);
  uint64_t best = extreme->count ? extreme->key : 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t key = extreme_key(type, max, values[i]);
    best = key > best ? key : best;
  }
  extreme->key = best;
  extreme->count += count;
  return ERR_OK;
}
static void scatter_extreme(const struct aggregate_function *function, uint8_t *states,
                            size_t stride, const uint32_t *ids, const uint64_t *values,
                            size_t count) {
  struct type type = function->types[0];
  bool max = wants_max(function);
  for (size_t i = 0; i < count; i++) { /* an empty state's key is 0, which loses against all */
    struct extreme *extreme = (void *)(states + ids[i] * stride);
    uint64_t key = extreme_key(type, max, values[i]);
    extreme->count++;
    extreme->key = key > extreme->key ? key : extreme->key;
  }
}
static int merge_extreme(const struct aggregate_function *function, struct arena *arena,
                         void *state, const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct extreme *extreme = state;
  const struct extreme *more = other;
  if (more->key > extreme->key) extreme->key = more->key;
  extreme->count += more->count;
  return ERR_OK;
}
static int finish_extreme(const struct aggregate_function *function, struct arena *arena,
                          void *state, struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct extreme *extreme = state;
  struct type type = function->types[0];
  uint64_t key = wants_max(function) ? extreme->key : ~extreme->key;
  if (extreme->count == 0)
    builder_append_null(result);
  else if (type.physical == PHYSICAL_FLOAT64 && extreme->key == 0)
    aggregate__append_float(result, NAN);
  else
    aggregate__append(result, aggregate__unorder(type, key));
  return ERR_OK;
}
const struct aggregate_kind aggregate__extreme = {.state_size = sizeof(struct extreme),
                                                  .fold = fold_extreme,
                                                  .scatter = scatter_extreme,
                                                  .merge = merge_extreme,
                                                  .finish = finish_extreme};

/* ---- texts: extremes, first and last ---- */

struct chosen_text {
  uint64_t count;
  struct aggregate_text text;
};
static int choose_text(const struct aggregate_function *function, struct arena *arena,
                       struct chosen_text *chosen, struct str text, struct err *err) {
  bool wins = chosen->count == 0;
  struct str held = {chosen->text.data, chosen->text.size};
  switch (function->function) {
  case AGGREGATE_MIN:
    wins |= str_compare(text, held) < 0;
    break;
  case AGGREGATE_MAX:
    wins |= str_compare(text, held) > 0;
    break;
  default:
    wins |= function->function == AGGREGATE_LAST;
  }
  if (wins && !aggregate__text_set(arena, &chosen->text, text))
    return aggregate__refused(function, text.size, err);
  return ERR_OK;
}
static int add_text(const struct aggregate_function *function, struct arena *arena, void *state,
                    const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct chosen_text *chosen = state;
  int code = choose_text(function, arena, chosen, aggregate__text(vector->columns[0], row), err);
  chosen->count++;
  return code;
}
static int merge_text(const struct aggregate_function *function, struct arena *arena, void *state,
                      const void *other, struct err *err) {
  struct chosen_text *chosen = state;
  const struct chosen_text *more = other;
  if (more->count == 0) return ERR_OK;
  int code =
      choose_text(function, arena, chosen, (struct str){more->text.data, more->text.size}, err);
  chosen->count += more->count;
  return code;
}
static int finish_text(const struct aggregate_function *function, struct arena *arena, void *state,
                       struct builder *result, struct err *err) {
  (void)function, (void)arena, (void)err;
  const struct chosen_text *chosen = state;
  if (chosen->count)
    builder_append_str(result, (struct str){chosen->text.data, chosen->text.size});
  else
    builder_append_null(result);
  return ERR_OK;
}
static void save_text(const struct aggregate_function *function, const void *state,
                      struct buffer *out) {
  (void)function;
  const struct chosen_text *chosen = state;
  uint64_t head[2] = {chosen->count, chosen->text.size};
  buffer_append(out, head, sizeof head);
  buffer_append(out, chosen->text.data, chosen->text.size);
}
static int load_text(const struct aggregate_function *function, struct arena *arena, void *state,
                     struct str *bytes, struct err *err) {
  struct chosen_text *chosen = state;
  uint64_t head[2];
  const void *at = aggregate__take(bytes, sizeof head);
  if (!at) return aggregate__torn(err);
  memcpy(head, at, sizeof head);
  at = aggregate__take(bytes, head[1]);
  if (!at) return aggregate__torn(err);
  chosen->count = head[0];
  if (!aggregate__text_set(arena, &chosen->text, (struct str){at, head[1]}))
    return aggregate__refused(function, head[1], err);
  return ERR_OK;
}
const struct aggregate_kind aggregate__chosen_text = {.state_size = sizeof(struct chosen_text),
                                                      .add = add_text,
                                                      .merge = merge_text,
                                                      .finish = finish_text,
                                                      .save = save_text,
                                                      .load = load_text};

/* ---- first and last ---- */

struct chosen_word {
  uint64_t count;
  uint64_t word;
};
static int fold_first(const struct aggregate_function *function, struct arena *arena, void *state,
                      const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  struct chosen_word *chosen = state;
  if (count == 0) return ERR_OK;
  if (function->function == AGGREGATE_LAST)
    chosen->word = values[count - 1];
  else if (chosen->count == 0)
    chosen->word = values[0];
  chosen->count += count;
  return ERR_OK;
}
static void scatter_first(const struct aggregate_function *function, uint8_t *states, size_t stride,
                          const uint32_t *ids, const uint64_t *values, size_t count) {
  bool last = function->function == AGGREGATE_LAST;
  for (size_t i = 0; i < count; i++) {
    struct chosen_word *chosen = (void *)(states + ids[i] * stride);
    if (last || chosen->count == 0) chosen->word = values[i];
    chosen->count++;
  }
}
static int merge_first(const struct aggregate_function *function, struct arena *arena, void *state,
                       const void *other, struct err *err) {
  (void)arena, (void)err;
  struct chosen_word *chosen = state;
  const struct chosen_word *more = other;
  if (more->count && (function->function == AGGREGATE_LAST || chosen->count == 0))
    chosen->word = more->word;
  chosen->count += more->count;
  return ERR_OK;
}
static int finish_first(const struct aggregate_function *function, struct arena *arena, void *state,
                        struct builder *result, struct err *err) {
  (void)function, (void)arena, (void)err;
  const struct chosen_word *chosen = state;
  if (chosen->count)
    aggregate__append(result, chosen->word);
  else
    builder_append_null(result);
  return ERR_OK;
}
const struct aggregate_kind aggregate__first = {.state_size = sizeof(struct chosen_word),
                                                .fold = fold_first,
                                                .scatter = scatter_first,
                                                .merge = merge_first,
                                                .finish = finish_first};

/* ---- spread ---- */

struct spread {
  uint64_t count;
  uint64_t ordered;  /* values that are not NaN */
  uint64_t min, max; /* ordered keys */
};
static inline void add_spread(struct spread *spread, struct type type, uint64_t word) {
  uint64_t key = aggregate__order(type, word);
  spread->count++;
  if (type.physical == PHYSICAL_FLOAT64 && key == UINT64_MAX) return;
  if (!spread->ordered || key < spread->min) spread->min = key;
  if (!spread->ordered || key > spread->max) spread->max = key;
  spread->ordered++;
}
static int fold_spread(const struct aggregate_function *function, struct arena *arena, void *state,
                       const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  for (size_t i = 0; i < count; i++)
    add_spread(state, function->types[0], values[i]);
  return ERR_OK;
}
static void scatter_spread(const struct aggregate_function *function, uint8_t *states,
                           size_t stride, const uint32_t *ids, const uint64_t *values,
                           size_t count) {
  for (size_t i = 0; i < count; i++)
    add_spread((void *)(states + ids[i] * stride), function->types[0], values[i]);
}
static int merge_spread(const struct aggregate_function *function, struct arena *arena, void *state,
                        const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct spread *spread = state;
  const struct spread *more = other;
  if (more->ordered && (!spread->ordered || more->min < spread->min)) spread->min = more->min;
  if (more->ordered && (!spread->ordered || more->max > spread->max)) spread->max = more->max;
  spread->ordered += more->ordered;
  spread->count += more->count;
  return ERR_OK;
}
static int finish_spread(const struct aggregate_function *function, struct arena *arena,
                         void *state, struct builder *result, struct err *err) {
  (void)arena;
  const struct spread *spread = state;
  struct type type = function->types[0];
  uint64_t min = aggregate__unorder(type, spread->min), max = aggregate__unorder(type, spread->max);
  if (spread->count == 0) {
    builder_append_null(result);
  } else if (type.physical == PHYSICAL_FLOAT64) {
    double value = aggregate__word_number(type, max) - aggregate__word_number(type, min);
    aggregate__append_float(result, spread->ordered ? value : NAN);
  } else if (type.physical == PHYSICAL_INT64 && max - min > INT64_MAX) {
    err_set(err, ERR_OUT_OF_RANGE, "the spread from %lld to %lld does not fit 64 bits",
            (long long)min, (long long)max);
    err_hint(err, "ask for min and max instead");
    return ERR_OUT_OF_RANGE;
  } else {
    aggregate__append(result, max - min);
  }
  return ERR_OK;
}
const struct aggregate_kind aggregate__spread = {.state_size = sizeof(struct spread),
                                                 .fold = fold_spread,
                                                 .scatter = scatter_spread,
                                                 .merge = merge_spread,
                                                 .finish = finish_spread};

/* ---- bits ---- */

static inline uint64_t join_bits(enum plan_aggregate function, uint64_t a, uint64_t b) {
  return function == AGGREGATE_BIT_AND ? a & b : function == AGGREGATE_BIT_OR ? a | b : a ^ b;
}
static int fold_bits(const struct aggregate_function *function, struct arena *arena, void *state,
                     const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  struct chosen_word *bits = state;
  for (size_t i = 0; i < count; i++) {
    bits->word = bits->count ? join_bits(function->function, bits->word, values[i]) : values[i];
    bits->count++;
  }
  return ERR_OK;
}
static int merge_bits(const struct aggregate_function *function, struct arena *arena, void *state,
                      const void *other, struct err *err) {
  struct chosen_word *bits = state;
  const struct chosen_word *more = other;
  uint64_t count = bits->count + more->count;
  int code = more->count ? fold_bits(function, arena, state, &more->word, 1, err) : ERR_OK;
  bits->count = count;
  return code;
}
const struct aggregate_kind aggregate__bits = {.state_size = sizeof(struct chosen_word),
                                               .fold = fold_bits,
                                               .merge = merge_bits,
                                               .finish = finish_first};

/* ---- product ---- */

static int fold_product(const struct aggregate_function *function, struct arena *arena, void *state,
                        const uint64_t *values, size_t count, struct err *err) {
  (void)arena, (void)err;
  struct chosen_word *product = state;
  double value = product->count ? aggregate__word_number(TYPE_FLOAT64, product->word) : 1;
  for (size_t i = 0; i < count; i++)
    value *= aggregate__word_number(function->types[0], values[i]);
  product->word = aggregate__float_word(value);
  product->count += count;
  return ERR_OK;
}
static int merge_product(const struct aggregate_function *function, struct arena *arena,
                         void *state, const void *other, struct err *err) {
  (void)function, (void)arena, (void)err;
  struct chosen_word *product = state;
  const struct chosen_word *more = other;
  double value = product->count ? aggregate__word_number(TYPE_FLOAT64, product->word) : 1;
  if (more->count) value *= aggregate__word_number(TYPE_FLOAT64, more->word);
  product->word = aggregate__float_word(value);
  product->count += more->count;
  return ERR_OK;
}
const struct aggregate_kind aggregate__product = {.state_size = sizeof(struct chosen_word),
                                                  .fold = fold_product,
                                                  .merge = merge_product,
                                                  .finish = finish_first};
