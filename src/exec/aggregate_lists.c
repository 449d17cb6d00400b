/* Aggregates that need every value: median, percentiles, mode, exact counts of distinct values;
 * and values over time. Numbers are kept as ordered keys, so -0.0 is 0.0 and NaN stands last.
 *
 * Values over time are put in the order of their times first (equal times: of the input), so the
 * order in which rows come does not matter. NaN is passed over. What counters and gauges give is
 * what happened between the first and the last point: nothing is extrapolated to the edges of a
 * range. */
#include <stdlib.h>

#include "base/err.h"
#include "base/time.h"
#include "exec/aggregate_kind_private.h"
#include "exec/key_text.h"
#include "kernel/sort.h"

static const bool no_texts[2] = {false, false}, one_text[1] = {true};

static void *scratch(const struct aggregate_function *function, size_t size) {
  return mem_alloc(function->exec->options.account, size);
}
static void drop(const struct aggregate_function *function, void *memory, size_t size) {
  mem_free(function->exec->options.account, memory, size);
}

/* ---- places ---- */

/* Where the value of a discrete percentile stands; false: nowhere. */
static bool percentile_place(const struct aggregate_function *function, uint64_t count,
                             uint64_t *place) {
  double fraction = function->numbers[0], rank;
  if (function->function == AGGREGATE_PERCENTILE) { /* InfluxDB's nearest rank */
    rank = floor((double)count * fraction / 100.0 + 0.5) - 1;
    if (!(rank >= 0) || rank >= (double)count) return false;
  } else { /* the first value whose share of the rows reaches the fraction */
    rank = ceil((double)count * fraction) - 1;
    if (rank < 0) rank = 0;
    if (rank >= (double)count) rank = (double)(count - 1);
  }
  *place = (uint64_t)rank;
  return true;
}

static double number_of(const struct aggregate_function *function, uint64_t key) {
  return aggregate__word_number(function->types[0], aggregate__unorder(function->types[0], key));
}

/* Between the values around place fraction * (count - 1). Moves keys. */
static double interpolated(const struct aggregate_function *function, uint64_t *keys,
                           uint64_t count, double fraction) {
  double at = fraction * (double)(count - 1);
  uint64_t low = (uint64_t)at;
  if (low >= count) low = count - 1;
  double value = number_of(function, sort_select(keys, count, low)), part = at - (double)low;
  if (part == 0 || low + 1 >= count) return value;
  uint64_t next = UINT64_MAX;
  for (uint64_t i = low + 1; i < count; i++)
    next = keys[i] < next ? keys[i] : next;
  double above = number_of(function, next);
  if (part == 0.5 && isfinite(value + above)) return (value + above) / 2;
  return value * (1 - part) + above * part;
}

/* ---- numbers ---- */

static int compact_keys(const struct aggregate_function *function, struct kept *kept,
                        struct err *err) {
  size_t size = kept->count * 2 * 8;
  uint64_t *keys = scratch(function, size), distinct = 0;
  if (!keys) return aggregate__refused(function, size, err);
  aggregate__kept_gather(kept, 1, keys);
  sort_keys(keys, keys + kept->count, kept->count);
  for (uint64_t i = 0; i < kept->count; i++)
    if (i == 0 || keys[i] != keys[distinct - 1]) keys[distinct++] = keys[i];
  aggregate__kept_replace(kept, 1, keys, distinct);
  kept->distinct = distinct;
  drop(function, keys, size);
  return ERR_OK;
}

static int fold_values(const struct aggregate_function *function, struct arena *arena, void *state,
                       const uint64_t *values, size_t count, struct err *err) {
  enum { SIZE = 512 };
  uint64_t keys[SIZE];
  struct kept *kept = state;
  for (size_t at = 0; at < count; at += SIZE) {
    size_t size = count - at < SIZE ? count - at : SIZE;
    for (size_t i = 0; i < size; i++)
      keys[i] = aggregate__order(function->types[0], values[at + i]);
    if (!aggregate__keep_words(arena, kept, keys, size))
      return aggregate__refused(function, size * 8, err);
    if (function->function != AGGREGATE_COUNT_DISTINCT || !aggregate__kept_grown(kept)) continue;
    int code = compact_keys(function, kept, err);
    if (code) return code;
  }
  return ERR_OK;
}

static int merge_values(const struct aggregate_function *function, struct arena *arena, void *state,
                        const void *other, struct err *err) {
  struct kept *kept = state;
  if (!aggregate__kept_merge(arena, kept, other, 1, no_texts))
    return aggregate__refused(function, 64, err);
  bool grown = function->function == AGGREGATE_COUNT_DISTINCT && aggregate__kept_grown(kept);
  return grown ? compact_keys(function, kept, err) : ERR_OK;
}

/* The most frequent key; of equally frequent ones the one that came first. */
static int mode_key(const struct aggregate_function *function, const struct kept *kept,
                    uint64_t *mode, struct err *err) {
  size_t size = kept->count * 3 * sizeof(struct sort_row);
  struct sort_row *rows = scratch(function, size);
  if (!rows) return aggregate__refused(function, size, err);
  uint64_t *keys = (uint64_t *)(void *)(rows + 2 * kept->count), most = 0, first = 0;
  aggregate__kept_gather(kept, 1, keys);
  for (uint64_t i = 0; i < kept->count; i++)
    rows[i] = (struct sort_row){keys[i], i};
  sort_rows(rows, rows + kept->count, kept->count);
  for (uint64_t from = 0, to; from < kept->count; from = to) {
    for (to = from + 1; to < kept->count && rows[to].key == rows[from].key;)
      to++;
    if (to - from < most || (to - from == most && rows[from].row > first)) continue;
    *mode = rows[from].key;
    first = rows[from].row;
    most = to - from;
  }
  drop(function, rows, size);
  return ERR_OK;
}

static int finish_keys(const struct aggregate_function *function, struct kept *kept,
                       struct builder *result, struct err *err) {
  size_t size = kept->count * 8;
  uint64_t *keys = scratch(function, size), place;
  if (!keys) return aggregate__refused(function, size, err);
  aggregate__kept_gather(kept, 1, keys);
  if (function->function == AGGREGATE_MEDIAN)
    aggregate__append_float(result, interpolated(function, keys, kept->count, 0.5));
  else if (function->function == AGGREGATE_PERCENTILE_CONT)
    aggregate__append_float(result,
                            interpolated(function, keys, kept->count, function->numbers[0]));
  else if (percentile_place(function, kept->count, &place))
    aggregate__append(
        result, aggregate__unorder(function->types[0], sort_select(keys, kept->count, place)));
  else
    builder_append_null(result);
  drop(function, keys, size);
  return ERR_OK;
}

static int finish_values(const struct aggregate_function *function, struct arena *arena,
                         void *state, struct builder *result, struct err *err) {
  (void)arena;
  struct kept *kept = state;
  uint64_t mode = 0;
  int code = ERR_OK;
  if (function->function == AGGREGATE_COUNT_DISTINCT) {
    if (kept->count) code = compact_keys(function, kept, err);
    builder_append_u64(result, kept->count);
  } else if (kept->count == 0) {
    builder_append_null(result);
  } else if (function->function == AGGREGATE_MODE) {
    code = mode_key(function, kept, &mode, err);
    aggregate__append(result, aggregate__unorder(function->types[0], mode));
  } else {
    code = finish_keys(function, kept, result, err);
  }
  return code;
}

static void save_values(const struct aggregate_function *function, const void *state,
                        struct buffer *out) {
  (void)function;
  aggregate__kept_save(state, 1, no_texts, out);
}
static int load_values(const struct aggregate_function *function, struct arena *arena, void *state,
                       struct str *bytes, struct err *err) {
  return aggregate__kept_load(function, arena, state, 1, no_texts, bytes, err);
}

const struct aggregate_kind aggregate__values = {.state_size = sizeof(struct kept),
                                                 .fold = fold_values,
                                                 .merge = merge_values,
                                                 .finish = finish_values,
                                                 .save = save_values,
                                                 .load = load_values};

/* ---- texts ---- */

struct placed_text {
  uint64_t word, place;
};
static int compare_texts(const void *a, const void *b) {
  const struct placed_text *x = a, *y = b;
  int by = str_compare(kept_str(x->word), kept_str(y->word));
  return by ? by : (x->place > y->place) - (x->place < y->place);
}

/* All texts in order; the caller drops count * sizeof entries. */
static int sort_texts(const struct aggregate_function *function, const struct kept *kept,
                      struct placed_text **out, struct err *err) {
  size_t size = kept->count * sizeof **out;
  struct placed_text *texts = scratch(function, size);
  if (!texts) return aggregate__refused(function, size, err);
  uint64_t at = 0;
  for (const struct kept_block *block = kept->first; block; block = block->next)
    for (uint32_t i = 0; i < block->count; i++, at++)
      texts[at] = (struct placed_text){block->words[i], at};
  qsort(texts, kept->count, sizeof *texts, compare_texts);
  *out = texts;
  return ERR_OK;
}

/* Of equal keys: numerics of another scale stand side by side in the order of texts. */
static bool same_text(const struct aggregate_function *function, uint64_t a, uint64_t b) {
  uint32_t suffix = key_text_suffix(function->types[0]);
  return str_equal(key_text_cut(kept_str(a), suffix), key_text_cut(kept_str(b), suffix));
}

static int compact_texts(const struct aggregate_function *function, struct kept *kept,
                         struct err *err) {
  struct placed_text *texts;
  uint64_t count = kept->count, distinct = 0;
  int code = sort_texts(function, kept, &texts, err);
  if (code) return code;
  uint64_t *words = (uint64_t *)texts; /* as entries are read, shorter ones are written */
  for (uint64_t i = 0; i < count; i++) {
    uint64_t word = texts[i].word;
    if (distinct && same_text(function, words[distinct - 1], word)) continue;
    words[distinct++] = word;
  }
  aggregate__kept_replace(kept, 1, words, distinct);
  kept->distinct = distinct;
  drop(function, texts, count * sizeof *texts);
  return ERR_OK;
}

static int add_value_text(const struct aggregate_function *function, struct arena *arena,
                          void *state, const struct aggregate_vector *vector, int64_t row,
                          struct err *err) {
  struct kept *kept = state;
  struct str text = aggregate__text(vector->columns[0], row);
  uint64_t word = aggregate__keep_text(arena, text);
  uint64_t *entry = word ? aggregate__keep_entry(arena, kept, 1) : NULL;
  if (!entry) return aggregate__refused(function, text.size, err);
  *entry = word;
  bool grown = function->function == AGGREGATE_COUNT_DISTINCT && aggregate__kept_grown(kept);
  return grown ? compact_texts(function, kept, err) : ERR_OK;
}

static int merge_value_texts(const struct aggregate_function *function, struct arena *arena,
                             void *state, const void *other, struct err *err) {
  struct kept *kept = state;
  if (!aggregate__kept_merge(arena, kept, other, 1, one_text))
    return aggregate__refused(function, 64, err);
  bool grown = function->function == AGGREGATE_COUNT_DISTINCT && aggregate__kept_grown(kept);
  return grown ? compact_texts(function, kept, err) : ERR_OK;
}

static int finish_value_texts(const struct aggregate_function *function, struct arena *arena,
                              void *state, struct builder *result, struct err *err) {
  (void)arena;
  struct kept *kept = state;
  struct placed_text *texts;
  bool count = function->function == AGGREGATE_COUNT_DISTINCT;
  if (kept->count == 0 || count) {
    int code = kept->count ? compact_texts(function, kept, err) : ERR_OK;
    if (count)
      builder_append_u64(result, kept->count);
    else
      builder_append_null(result);
    return code;
  }
  int code = sort_texts(function, kept, &texts, err);
  if (code) return code;
  uint64_t place = 0, most = 0;
  if (function->function == AGGREGATE_MODE) {
    for (uint64_t from = 0, to; from < kept->count; from = to) {
      for (to = from + 1;
           to < kept->count && same_text(function, texts[from].word, texts[to].word);)
        to++;
      if (to - from < most || (to - from == most && texts[from].place > texts[place].place))
        continue;
      place = from;
      most = to - from;
    }
  } else {
    percentile_place(function, kept->count, &place);
  }
  builder_append_str(result, kept_str(texts[place].word));
  drop(function, texts, kept->count * sizeof *texts);
  return ERR_OK;
}

static void save_value_texts(const struct aggregate_function *function, const void *state,
                             struct buffer *out) {
  (void)function;
  aggregate__kept_save(state, 1, one_text, out);
}
static int load_value_texts(const struct aggregate_function *function, struct arena *arena,
                            void *state, struct str *bytes, struct err *err) {
  return aggregate__kept_load(function, arena, state, 1, one_text, bytes, err);
}

const struct aggregate_kind aggregate__value_texts = {.state_size = sizeof(struct kept),
                                                      .add = add_value_text,
                                                      .merge = merge_value_texts,
                                                      .finish = finish_value_texts,
                                                      .save = save_value_texts,
                                                      .load = load_value_texts};

/* ---- values over time ---- */

struct points {
  uint64_t count; /* rows, those that are NaN too */
  struct kept kept;
};

static int add_point(const struct aggregate_function *function, struct arena *arena, void *state,
                     const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct points *points = state;
  double value = aggregate__number(vector->columns[0], row);
  points->count++;
  if (isnan(value)) return ERR_OK;
  uint64_t *entry = aggregate__keep_entry(arena, &points->kept, 2);
  if (!entry) return aggregate__refused(function, 16, err);
  entry[0] = sort_key_i64(vector->columns[1]->i64[row]);
  entry[1] = aggregate__float_word(value);
  return ERR_OK;
}

static int merge_points(const struct aggregate_function *function, struct arena *arena, void *state,
                        const void *other, struct err *err) {
  struct points *points = state;
  const struct points *more = other;
  points->count += more->count;
  if (aggregate__kept_merge(arena, &points->kept, &more->kept, 2, no_texts)) return ERR_OK;
  return aggregate__refused(function, 64, err);
}

/* The first or last point in time; of those at one time the first, or the last, that came. */
static bool end_point(const struct kept *kept, bool last, uint64_t *time, double *value) {
  bool found = false;
  for (const struct kept_block *block = kept->first; block; block = block->next) {
    for (uint32_t i = 0; i < block->count; i++) {
      const uint64_t *entry = block->words + (size_t)i * 2;
      if (found && (last ? entry[0] < *time : entry[0] >= *time)) continue;
      *time = entry[0];
      *value = aggregate__word_number(TYPE_FLOAT64, entry[1]);
      found = true;
    }
  }
  return found;
}

int exec__aggregate_join_points(const struct aggregate_function *function, struct arena *arena,
                                void *earlier, void *later, int64_t edge, struct err *err) {
  struct points *sides[] = {earlier, later};
  uint64_t from, to, at = sort_key_i64(edge);
  double before, behind;
  if (!end_point(&sides[0]->kept, true, &from, &before)) return ERR_OK;
  if (!end_point(&sides[1]->kept, false, &to, &behind)) return ERR_OK;
  double slope = (behind - before) / (double)(to - from);
  double value = slope * (double)(at - from) + before;
  for (int i = 0; i < 2; i++) {
    if (i == 1 && to == at) break; /* it has one there */
    uint64_t *entry = aggregate__keep_entry(arena, &sides[i]->kept, 2);
    if (!entry) return aggregate__refused(function, 16, err);
    entry[0] = at;
    entry[1] = aggregate__float_word(value);
  }
  return ERR_OK;
}

static double area(const struct sort_row *rows, uint64_t count, double unit) {
  struct float_sum sum = {0};
  for (uint64_t i = 1; i < count; i++) {
    double width = (double)(rows[i].key - rows[i - 1].key) * unit;
    double a = aggregate__word_number(TYPE_FLOAT64, rows[i - 1].row);
    double b = aggregate__word_number(TYPE_FLOAT64, rows[i].row);
    float_sum_add(&sum, width * (a / 2 + b / 2));
  }
  return float_sum_value(&sum);
}

static double increase(const struct sort_row *rows, uint64_t count) {
  struct float_sum sum = {0};
  for (uint64_t i = 1; i < count; i++) {
    double a = aggregate__word_number(TYPE_FLOAT64, rows[i - 1].row);
    double b = aggregate__word_number(TYPE_FLOAT64, rows[i].row);
    float_sum_add(&sum, b < a ? b : b - a); /* restarted from zero */
  }
  return float_sum_value(&sum);
}

static double slope(const struct sort_row *rows, uint64_t count, double unit) {
  double mean_x = 0, mean_y = 0, squares = 0, products = 0;
  for (uint64_t i = 0; i < count; i++) {
    double x = (double)(rows[i].key - rows[0].key) * unit;
    double y = aggregate__word_number(TYPE_FLOAT64, rows[i].row), from = x - mean_x;
    mean_x += from / (double)(i + 1);
    mean_y += (y - mean_y) / (double)(i + 1);
    squares += from * (x - mean_x);
    products += from * (y - mean_y);
  }
  return products / squares;
}

/* Of points in order; *null where there are too few, or no time passed between them. `unit`:
 * nanoseconds of the column's unit. */
static double points_value(const struct aggregate_function *function, const struct sort_row *rows,
                           uint64_t count, double unit, bool *null) {
  double last = aggregate__word_number(TYPE_FLOAT64, rows[count - 1].row);
  double first = aggregate__word_number(TYPE_FLOAT64, rows[0].row);
  double lasted = (double)(rows[count - 1].key - rows[0].key) * unit;
  double per = function->numbers[0];
  switch (function->function) {
  case AGGREGATE_INTEGRAL:
    return area(rows, count, unit) / per;
  case AGGREGATE_TIME_MEAN:
    return lasted > 0 ? area(rows, count, unit) / lasted : last;
  case AGGREGATE_INCREASE:
    *null = count < 2;
    return increase(rows, count);
  case AGGREGATE_DELTA:
    *null = count < 2;
    return last - first;
  case AGGREGATE_RATE:
    *null = !(lasted > 0);
    return increase(rows, count) / (lasted / per);
  case AGGREGATE_DERIVATIVE:
    *null = !(lasted > 0);
    return (last - first) / (lasted / per);
  default:
    *null = !(lasted > 0);
    return slope(rows, count, unit) * per;
  }
}

static int finish_points(const struct aggregate_function *function, struct arena *arena,
                         void *state, struct builder *result, struct err *err) {
  (void)arena;
  const struct kept *kept = &((struct points *)state)->kept;
  size_t size = kept->count * 2 * sizeof(struct sort_row);
  if (kept->count == 0) {
    builder_append_null(result);
    return ERR_OK;
  }
  struct sort_row *rows = scratch(function, size);
  if (!rows) return aggregate__refused(function, size, err);
  aggregate__kept_gather(kept, 2, (uint64_t *)(void *)rows); /* key: time, row: value */
  sort_rows(rows, rows + kept->count, kept->count);
  struct type time = function->types[1];
  double unit = time.logical == LOGICAL_PLAIN ? 1 : (double)time_unit_ns(time.parameter);
  bool null = false;
  double value = points_value(function, rows, kept->count, unit, &null);
  if (null)
    builder_append_null(result);
  else
    aggregate__append_float(result, value);
  drop(function, rows, size);
  return ERR_OK;
}

static void save_points(const struct aggregate_function *function, const void *state,
                        struct buffer *out) {
  (void)function;
  const struct points *points = state;
  buffer_append(out, &points->count, 8);
  aggregate__kept_save(&points->kept, 2, no_texts, out);
}
static int load_points(const struct aggregate_function *function, struct arena *arena, void *state,
                       struct str *bytes, struct err *err) {
  struct points *points = state;
  const void *at = aggregate__take(bytes, 8);
  if (!at) return aggregate__torn(err);
  memcpy(&points->count, at, 8);
  return aggregate__kept_load(function, arena, &points->kept, 2, no_texts, bytes, err);
}

const struct aggregate_kind aggregate__points = {.state_size = sizeof(struct points),
                                                 .add = add_point,
                                                 .merge = merge_points,
                                                 .finish = finish_points,
                                                 .save = save_points,
                                                 .load = load_points};
