/* What grows a run of bytes: string_agg, array_agg; and histograms, whose counts are a list. */
#include "base/bytes.h"
#include "base/err.h"
#include "exec/aggregate_kind_private.h"

enum { LIST_ITEMS_MAX = 65536 }; /* docs/format/element.md */

/* ---- texts ---- */

static bool text_room(struct arena *arena, struct aggregate_text *text, size_t size) {
  if (size > INT32_MAX) return false;
  if (size <= text->capacity) return true;
  size_t capacity = (size_t)text->capacity * 2;
  if (capacity < size) capacity = size;
  if (capacity < 16) capacity = 16;
  char *data = arena_alloc(arena, capacity);
  if (!data) return false;
  if (text->size) memcpy(data, text->data, text->size);
  text->data = data;
  text->capacity = capacity > UINT32_MAX ? UINT32_MAX : (uint32_t)capacity;
  return true;
}

bool aggregate__text_set(struct arena *arena, struct aggregate_text *text, struct str value) {
  text->size = 0;
  return aggregate__text_append(arena, text, value);
}

bool aggregate__text_append(struct arena *arena, struct aggregate_text *text, struct str value) {
  if (!text_room(arena, text, text->size + value.size)) return false;
  if (value.size) memcpy(text->data + text->size, value.data, value.size);
  text->size += (uint32_t)value.size;
  return true;
}

/* ---- string_agg and array_agg ---- */

struct grown {
  uint64_t count;
  struct aggregate_text text;
};

static int append_grown(const struct aggregate_function *function, struct arena *arena,
                        struct grown *grown, struct str text, struct err *err) {
  if (!aggregate__text_append(arena, &grown->text, text))
    return aggregate__refused(function, grown->text.size + text.size, err);
  return ERR_OK;
}

static int add_joined(const struct aggregate_function *function, struct arena *arena, void *state,
                      const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct grown *grown = state;
  int code = grown->count ? append_grown(function, arena, grown, function->text, err) : ERR_OK;
  grown->count++;
  return code ? code
              : append_grown(function, arena, grown, aggregate__text(vector->columns[0], row), err);
}

static int merge_grown(const struct aggregate_function *function, struct arena *arena, void *state,
                       const void *other, struct err *err) {
  struct grown *grown = state;
  const struct grown *more = other;
  bool between = grown->count && more->count && function->text.size;
  int code = between ? append_grown(function, arena, grown, function->text, err) : ERR_OK;
  grown->count += more->count;
  return code ? code
              : append_grown(function, arena, grown, (struct str){more->text.data, more->text.size},
                             err);
}

static int finish_grown(const struct aggregate_function *function, struct arena *arena, void *state,
                        struct builder *result, struct err *err) {
  (void)arena;
  const struct grown *grown = state;
  bool list = function->function == AGGREGATE_ARRAY_AGG;
  if (list && grown->count > LIST_ITEMS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a list of %llu items; %d are the most",
                   (unsigned long long)grown->count, LIST_ITEMS_MAX);
  if (grown->count)
    builder_append_str(result, (struct str){grown->text.data, grown->text.size});
  else
    builder_append_null(result);
  return ERR_OK;
}

static void save_grown(const struct aggregate_function *function, const void *state,
                       struct buffer *out) {
  (void)function;
  const struct grown *grown = state;
  uint64_t head[2] = {grown->count, grown->text.size};
  buffer_append(out, head, sizeof head);
  buffer_append(out, grown->text.data, grown->text.size);
}

static int load_grown(const struct aggregate_function *function, struct arena *arena, void *state,
                      struct str *bytes, struct err *err) {
  struct grown *grown = state;
  uint64_t head[2];
  const void *at = aggregate__take(bytes, sizeof head);
  if (!at) return aggregate__torn(err);
  memcpy(head, at, sizeof head);
  at = aggregate__take(bytes, head[1]);
  if (!at) return aggregate__torn(err);
  grown->count = head[0];
  return append_grown(function, arena, grown, (struct str){at, head[1]}, err);
}

const struct aggregate_kind aggregate__joined = {.state_size = sizeof(struct grown),
                                                 .add = add_joined,
                                                 .merge = merge_grown,
                                                 .finish = finish_grown,
                                                 .save = save_grown,
                                                 .load = load_grown};

static int add_listed(const struct aggregate_function *function, struct arena *arena, void *state,
                      const struct aggregate_vector *vector, int64_t row, struct err *err) {
  struct grown *grown = state;
  const struct column *column = vector->columns[0];
  grown->count++;
  if (!aggregate__is_text(function->types[0])) {
    int64_t value = column->i64[row];
    return append_grown(function, arena, grown, (struct str){(const char *)&value, 8}, err);
  }
  uint8_t size[10];
  struct str text = aggregate__text(column, row);
  size_t bytes = (size_t)(varint_write(size, text.size) - size);
  int code = append_grown(function, arena, grown, (struct str){(const char *)size, bytes}, err);
  return code ? code : append_grown(function, arena, grown, text, err);
}

const struct aggregate_kind aggregate__list = {.state_size = sizeof(struct grown),
                                               .add = add_listed,
                                               .merge = merge_grown,
                                               .finish = finish_grown,
                                               .save = save_grown,
                                               .load = load_grown};

/* ---- histogram ---- */

/* Counts: below the lower edge, of each bucket, of the rest. NaN is counted nowhere. */
struct histogram {
  uint64_t count;
  uint64_t *counts; /* NULL: all are 0 */
};
static uint32_t count_words(const struct aggregate_function *function) {
  return (uint32_t)function->numbers[2] + 2;
}

static bool make_counts(const struct aggregate_function *function, struct arena *arena,
                        struct histogram *histogram) {
  if (!histogram->counts) histogram->counts = ARENA_ARRAY(arena, uint64_t, count_words(function));
  return histogram->counts;
}

static int fold_histogram(const struct aggregate_function *function, struct arena *arena,
                          void *state, const uint64_t *values, size_t count, struct err *err) {
  struct histogram *histogram = state;
  double lower = function->numbers[0], upper = function->numbers[1], buckets = function->numbers[2];
  if (!make_counts(function, arena, histogram))
    return aggregate__refused(function, count_words(function) * 8, err);
  for (size_t i = 0; i < count; i++) {
    double value = aggregate__word_number(function->types[0], values[i]);
    if (value != value) continue;
    double place = (value - lower) / (upper - lower) * buckets;
    uint32_t bucket = value < lower     ? 0
                      : value >= upper  ? (uint32_t)buckets + 1
                      : place < buckets ? (uint32_t)place + 1
                                        : (uint32_t)buckets; /* rounded up to the edge */
    histogram->counts[bucket]++;
  }
  histogram->count += count;
  return ERR_OK;
}

static int merge_counts(const struct aggregate_function *function, struct arena *arena,
                        struct histogram *histogram, uint64_t count, const uint64_t *counts,
                        struct err *err) {
  if (count == 0) return ERR_OK;
  if (!make_counts(function, arena, histogram))
    return aggregate__refused(function, count_words(function) * 8, err);
  for (uint32_t i = 0; i < count_words(function); i++)
    histogram->counts[i] += counts[i];
  histogram->count += count;
  return ERR_OK;
}

static int merge_histogram(const struct aggregate_function *function, struct arena *arena,
                           void *state, const void *other, struct err *err) {
  const struct histogram *more = other;
  return merge_counts(function, arena, state, more->count, more->counts, err);
}

static int finish_histogram(const struct aggregate_function *function, struct arena *arena,
                            void *state, struct builder *result, struct err *err) {
  (void)arena, (void)err;
  const struct histogram *histogram = state;
  if (histogram->count)
    builder_append_str(result,
                       (struct str){(const char *)histogram->counts, count_words(function) * 8});
  else
    builder_append_null(result);
  return ERR_OK;
}

static void save_histogram(const struct aggregate_function *function, const void *state,
                           struct buffer *out) {
  const struct histogram *histogram = state;
  buffer_append(out, &histogram->count, 8);
  if (histogram->count) buffer_append(out, histogram->counts, count_words(function) * 8);
}

static int load_histogram(const struct aggregate_function *function, struct arena *arena,
                          void *state, struct str *bytes, struct err *err) {
  const void *at = aggregate__take(bytes, 8);
  uint64_t count;
  if (!at) return aggregate__torn(err);
  memcpy(&count, at, 8);
  if (count == 0) return ERR_OK;
  struct histogram *histogram = state;
  at = aggregate__take(bytes, count_words(function) * 8);
  if (!at) return aggregate__torn(err);
  if (!make_counts(function, arena, histogram))
    return aggregate__refused(function, count_words(function) * 8, err);
  memcpy(histogram->counts, at, count_words(function) * 8);
  histogram->count = count;
  return ERR_OK;
}

const struct aggregate_kind aggregate__histogram = {.state_size = sizeof(struct histogram),
                                                    .fold = fold_histogram,
                                                    .merge = merge_histogram,
                                                    .finish = finish_histogram,
                                                    .save = save_histogram,
                                                    .load = load_histogram};
