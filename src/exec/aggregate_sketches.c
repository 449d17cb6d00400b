/* Approximate percentiles and distinct counts: states around the sketches of kernel/. */
#include "base/checksum.h"
#include "base/err.h"
#include "exec/aggregate_kind_private.h"
#include "exec/key_text.h"
#include "kernel/distinct_sketch.h"
#include "kernel/hash.h"
#include "kernel/quantile_sketch.h"

enum { DENSE = 512 };

/* ---- percentiles ---- */

struct quantiles {
  uint64_t count; /* values, NaN too */
  struct quantile_sketch *sketch;
};

static bool make_sketch(struct arena *arena, struct quantiles *quantiles, double accuracy) {
  if (quantiles->sketch) return true;
  quantiles->sketch = ARENA_NEW(arena, struct quantile_sketch);
  if (quantiles->sketch) quantile_sketch_init(quantiles->sketch, accuracy);
  return quantiles->sketch;
}

static int fold_quantiles(const struct aggregate_function *function, struct arena *arena,
                          void *state, const uint64_t *values, size_t count, struct err *err) {
  struct quantiles *quantiles = state;
  double numbers[DENSE];
  bool made = make_sketch(arena, quantiles, function->numbers[1]);
  for (size_t at = 0; made && at < count; at += DENSE) {
    size_t size = count - at < DENSE ? count - at : DENSE;
    for (size_t i = 0; i < size; i++)
      numbers[i] = aggregate__word_number(function->types[0], values[at + i]);
    made = quantile_sketch_add(quantiles->sketch, arena, numbers, size);
  }
  quantiles->count += count;
  return made ? ERR_OK : aggregate__refused(function, sizeof *quantiles->sketch, err);
}

static int merge_sketch(const struct aggregate_function *function, struct arena *arena,
                        struct quantiles *quantiles, const struct quantile_sketch *more,
                        struct err *err) {
  if (!make_sketch(arena, quantiles, more->accuracy))
    return aggregate__refused(function, sizeof *quantiles->sketch, err);
  if (quantiles->sketch->accuracy != more->accuracy)
    return err_set(err, ERR_INVALID_ARGUMENT, "sketches of accuracies %g and %g cannot be merged",
                   quantiles->sketch->accuracy, more->accuracy);
  if (quantile_sketch_merge(quantiles->sketch, arena, more)) return ERR_OK;
  return aggregate__refused(function, sizeof *more, err);
}

/* A row that is a sketch itself. */
static int add_sketch(const struct aggregate_function *function, struct arena *arena, void *state,
                      const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct quantiles *quantiles = state;
  struct quantile_sketch sketch;
  struct str bytes = aggregate__text(vector->columns[0], row);
  int code = quantile_sketch_load(&sketch, arena, &bytes, err);
  if (code == ERR_CORRUPTION || (!code && bytes.size))
    return err_set(err, ERR_INVALID_ARGUMENT, "the bytes are no sketch of percentiles");
  if (code) return code;
  quantiles->count++;
  return merge_sketch(function, arena, quantiles, &sketch, err);
}

static int merge_quantiles(const struct aggregate_function *function, struct arena *arena,
                           void *state, const void *other, struct err *err) {
  struct quantiles *quantiles = state;
  const struct quantiles *more = other;
  if (more->count == 0) return ERR_OK;
  quantiles->count += more->count;
  return merge_sketch(function, arena, quantiles, more->sketch, err);
}

static int finish_quantiles(const struct aggregate_function *function, struct arena *arena,
                            void *state, struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct quantiles *quantiles = state;
  if (quantiles->count && function->function != AGGREGATE_APPROX_PERCENTILE) {
    struct buffer bytes;
    buffer_init(&bytes, function->exec->options.account);
    quantile_sketch_save(quantiles->sketch, &bytes);
    int code = buffer_check(&bytes, err);
    if (!code) builder_append_str(result, buffer_str(&bytes));
    buffer_deinit(&bytes);
    return code;
  }
  if (quantiles->count)
    aggregate__append_float(result, quantile_sketch_value(quantiles->sketch, function->numbers[0]));
  else
    builder_append_null(result);
  return ERR_OK;
}

static void save_quantiles(const struct aggregate_function *function, const void *state,
                           struct buffer *out) {
  (void)function;
  const struct quantiles *quantiles = state;
  buffer_append(out, &quantiles->count, 8);
  if (quantiles->count) quantile_sketch_save(quantiles->sketch, out);
}

static int load_quantiles(const struct aggregate_function *function, struct arena *arena,
                          void *state, struct str *bytes, struct err *err) {
  struct quantiles *quantiles = state;
  const void *at = aggregate__take(bytes, 8);
  if (!at) return aggregate__torn(err);
  memcpy(&quantiles->count, at, 8);
  if (quantiles->count == 0) return ERR_OK;
  if (!make_sketch(arena, quantiles, QUANTILE_ACCURACY_MAX))
    return aggregate__refused(function, sizeof *quantiles->sketch, err);
  return quantile_sketch_load(quantiles->sketch, arena, bytes, err);
}

const struct aggregate_kind aggregate__quantiles = {.state_size = sizeof(struct quantiles),
                                                    .fold = fold_quantiles,
                                                    .merge = merge_quantiles,
                                                    .finish = finish_quantiles,
                                                    .save = save_quantiles,
                                                    .load = load_quantiles};

const struct aggregate_kind aggregate__quantile_sketches = {.state_size = sizeof(struct quantiles),
                                                            .add = add_sketch,
                                                            .merge = merge_quantiles,
                                                            .finish = finish_quantiles,
                                                            .save = save_quantiles,
                                                            .load = load_quantiles};

/* ---- distinct counts ---- */

struct distinct_state {
  uint64_t count;
  struct distinct_sketch sketch;
};

static int fold_distinct(const struct aggregate_function *function, struct arena *arena,
                         void *state, const uint64_t *values, size_t count, struct err *err) {
  struct distinct_state *distinct = state;
  uint64_t hashes[DENSE];
  bool is_float = function->types[0].physical == PHYSICAL_FLOAT64;
  for (size_t at = 0; at < count; at += DENSE) {
    size_t size = count - at < DENSE ? count - at : DENSE;
    for (size_t i = 0; i < size; i++)
      hashes[i] = HASH_START;
    if (is_float)
      kernel_hashes()->fold_f64((const double *)(const void *)(values + at), size, hashes);
    else
      kernel_hashes()->fold_u64(values + at, size, hashes);
    if (!distinct_sketch_add(&distinct->sketch, arena, hashes, size))
      return aggregate__refused(function, DISTINCT_REGISTERS, err);
  }
  distinct->count += count;
  return ERR_OK;
}

static int add_distinct(const struct aggregate_function *function, struct arena *arena, void *state,
                        const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct distinct_state *distinct = state;
  struct str text = key_text_of(vector->columns[0], row);
  uint64_t hash = hash_mix(HASH_START ^ hash64(text.data, text.size));
  distinct->count++;
  if (distinct_sketch_add(&distinct->sketch, arena, &hash, 1)) return ERR_OK;
  return aggregate__refused(function, DISTINCT_REGISTERS, err);
}

static int merge_distinct(const struct aggregate_function *function, struct arena *arena,
                          void *state, const void *other, struct err *err) {
  struct distinct_state *distinct = state;
  const struct distinct_state *more = other;
  distinct->count += more->count;
  if (distinct_sketch_merge(&distinct->sketch, arena, &more->sketch)) return ERR_OK;
  return aggregate__refused(function, DISTINCT_REGISTERS, err);
}

static int finish_distinct(const struct aggregate_function *function, struct arena *arena,
                           void *state, struct builder *result, struct err *err) {
  (void)function, (void)arena, (void)err;
  const struct distinct_state *distinct = state;
  builder_append_u64(result, distinct_sketch_count(&distinct->sketch));
  return ERR_OK;
}

static void save_distinct(const struct aggregate_function *function, const void *state,
                          struct buffer *out) {
  (void)function;
  const struct distinct_state *distinct = state;
  buffer_append(out, &distinct->count, 8);
  distinct_sketch_save(&distinct->sketch, out);
}

static int load_distinct(const struct aggregate_function *function, struct arena *arena,
                         void *state, struct str *bytes, struct err *err) {
  (void)function;
  struct distinct_state *distinct = state;
  const void *at = aggregate__take(bytes, 8);
  if (!at) return aggregate__torn(err);
  memcpy(&distinct->count, at, 8);
  return distinct_sketch_load(&distinct->sketch, arena, bytes, err);
}

const struct aggregate_kind aggregate__distinct_sketch = {.state_size =
                                                              sizeof(struct distinct_state),
                                                          .fold = fold_distinct,
                                                          .add = add_distinct,
                                                          .merge = merge_distinct,
                                                          .finish = finish_distinct,
                                                          .save = save_distinct,
                                                          .load = load_distinct};
