/* Bins are an array around the indexes that were met. It grows by doubling; beyond the most bins
 * the ones nearest to zero are thrown together, which is the same whatever the order in which
 * values came: a bin is either within reach of the highest index or in the lowest bin. */
#include "kernel/quantile_sketch.h"

#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/memory.h"

enum { VERSION = 1, CAPACITY_MIN = 32 };
#define REACH 64.0 /* natural logarithm of the range that bins cover */

void quantile_sketch_init(struct quantile_sketch *sketch, double accuracy) {
  *sketch = (struct quantile_sketch){.accuracy = accuracy,
                                     .log_base = log1p(2 * accuracy / (1 - accuracy))};
}

static uint32_t bins_max(const struct quantile_sketch *sketch) {
  return (uint32_t)ceil(REACH / sketch->log_base);
}

/* Makes bins [first, first + size) the array, `size` at most bins_max; what is below goes into the
 * first one. */
static bool reshape(struct arena *arena, struct quantile_bins *bins, int32_t first, uint32_t size) {
  uint64_t *counts = bins->counts;
  uint32_t capacity = bins->capacity;
  if (size > capacity || first < bins->first) {
    capacity = CAPACITY_MIN;
    while (capacity < size)
      capacity *= 2;
    counts = arena_alloc(arena, capacity * sizeof *counts);
    if (!counts) return false;
  }
  uint64_t low = 0;
  uint32_t skip = first > bins->first ? (uint32_t)(first - bins->first) : 0;
  for (uint32_t i = 0; i < skip && i < bins->size; i++)
    low += bins->counts[i];
  uint32_t kept = skip < bins->size ? bins->size - skip : 0;
  uint32_t at = bins->size && bins->first > first ? (uint32_t)(bins->first - first) : 0;
  if (counts != bins->counts) memset(counts, 0, capacity * sizeof *counts);
  if (kept) memmove(counts + at, bins->counts + skip, kept * sizeof *counts);
  if (counts == bins->counts)
    memset(counts + at + kept, 0, (capacity - at - kept) * sizeof *counts);
  counts[0] += low;
  *bins = (struct quantile_bins){counts, first, size, capacity};
  return true;
}

/* The bin of an index, made if need be; NULL when memory is refused. */
static uint64_t *bin_at(const struct quantile_sketch *sketch, struct arena *arena,
                        struct quantile_bins *bins, int32_t index) {
  int64_t place = (int64_t)index - bins->first;
  if (bins->size && place >= 0 && place < bins->size) return &bins->counts[place];
  int64_t most = bins_max(sketch);
  int64_t first = bins->size ? bins->first : index, last = first + bins->size - 1;
  if (bins->size == 0 || index > last) last = index;
  if (index < first) first = (int64_t)index - bins->size; /* room for more that way */
  if (last - first >= most) first = last - most + 1;
  if (first != bins->first || last - first + 1 != bins->size)
    if (!reshape(arena, bins, (int32_t)first, (uint32_t)(last - first + 1))) return NULL;
  return &bins->counts[index < first ? 0 : index - first];
}

static bool add_one(struct quantile_sketch *sketch, struct arena *arena, double value) {
  if (isnan(value)) return true;
  if (value == 0) {
    sketch->zeros++;
  } else if (isinf(value)) {
    sketch->above += value > 0;
    sketch->below += value < 0;
  } else {
    int32_t index = (int32_t)ceil(log(fabs(value)) / sketch->log_base);
    uint64_t *bin = bin_at(sketch, arena, value > 0 ? &sketch->positive : &sketch->negative, index);
    if (!bin) return false;
    ++*bin;
  }
  if (!isinf(value)) {
    bool first = sketch->count == sketch->below + sketch->above;
    if (first || value < sketch->min) sketch->min = value;
    if (first || value > sketch->max) sketch->max = value;
  }
  sketch->count++;
  return true;
}

bool quantile_sketch_add(struct quantile_sketch *sketch, struct arena *arena, const double *values,
                         size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!add_one(sketch, arena, values[i])) return false;
  return true;
}

static bool merge_bins(const struct quantile_sketch *sketch, struct arena *arena,
                       struct quantile_bins *bins, const struct quantile_bins *other) {
  for (uint32_t i = other->size; i-- > 0;) { /* from the highest: lower ones know where they end */
    if (!other->counts[i]) continue;
    uint64_t *bin = bin_at(sketch, arena, bins, other->first + (int32_t)i);
    if (!bin) return false;
    *bin += other->counts[i];
  }
  return true;
}

bool quantile_sketch_merge(struct quantile_sketch *sketch, struct arena *arena,
                           const struct quantile_sketch *other) {
  uint64_t finite = other->count - other->below - other->above;
  bool first = sketch->count == sketch->below + sketch->above;
  if (!merge_bins(sketch, arena, &sketch->positive, &other->positive) ||
      !merge_bins(sketch, arena, &sketch->negative, &other->negative))
    return false;
  if (finite && (first || other->min < sketch->min)) sketch->min = other->min;
  if (finite && (first || other->max > sketch->max)) sketch->max = other->max;
  sketch->zeros += other->zeros;
  sketch->below += other->below;
  sketch->above += other->above;
  sketch->count += other->count;
  return true;
}

/* The middle of a bin: equally far, relative to itself, from both edges. */
static double bin_value(const struct quantile_sketch *sketch, int32_t index) {
  return exp(index * sketch->log_base) * (1 - sketch->accuracy);
}

static double finite_value(const struct quantile_sketch *sketch, uint64_t place) {
  const struct quantile_bins *negative = &sketch->negative, *positive = &sketch->positive;
  for (uint32_t i = negative->size; i-- > 0;) {
    if (place < negative->counts[i]) return -bin_value(sketch, negative->first + (int32_t)i);
    place -= negative->counts[i];
  }
  if (place < sketch->zeros) return 0;
  place -= sketch->zeros;
  for (uint32_t i = 0; i < positive->size; i++) {
    if (place < positive->counts[i]) return bin_value(sketch, positive->first + (int32_t)i);
    place -= positive->counts[i];
  }
  return sketch->max;
}

double quantile_sketch_value(const struct quantile_sketch *sketch, double fraction) {
  if (sketch->count == 0) return NAN;
  uint64_t place = (uint64_t)(fraction * (double)(sketch->count - 1));
  if (place < sketch->below) return -INFINITY;
  if (place >= sketch->count - sketch->above) return INFINITY;
  double value = finite_value(sketch, place - sketch->below);
  return value < sketch->min ? sketch->min : value > sketch->max ? sketch->max : value;
}

/* ---- bytes ---- */

static void save_bins(const struct quantile_bins *bins, struct buffer *out) {
  uint32_t from = 0;
  while (from < bins->size && bins->counts[from] == 0)
    from++;
  buffer_append_zigzag(out, from < bins->size ? bins->first + (int32_t)from : 0);
  buffer_append_varint(out, bins->size - from);
  for (uint32_t i = from; i < bins->size; i++)
    buffer_append_varint(out, bins->counts[i]);
}

void quantile_sketch_save(const struct quantile_sketch *sketch, struct buffer *out) {
  buffer_append_byte(out, VERSION);
  buffer_append(out, &sketch->accuracy, 8);
  buffer_append(out, &sketch->min, 8);
  buffer_append(out, &sketch->max, 8);
  buffer_append_varint(out, sketch->zeros);
  buffer_append_varint(out, sketch->below);
  buffer_append_varint(out, sketch->above);
  save_bins(&sketch->negative, out);
  save_bins(&sketch->positive, out);
}

static int load_bins(struct quantile_sketch *sketch, struct arena *arena,
                     struct quantile_bins *bins, struct reader *reader, struct err *err) {
  int64_t first = reader_zigzag(reader);
  uint64_t size = reader_varint(reader);
  if (reader->failed || size > bins_max(sketch) || first < INT32_MIN / 2 || first > INT32_MAX / 2)
    return err_set(err, ERR_CORRUPTION, "a sketch of quantiles with bins that cannot be");
  if (size == 0) return ERR_OK;
  if (!reshape(arena, bins, (int32_t)first, (uint32_t)size))
    return mem_refused(arena->account, size * 8, err);
  for (uint64_t i = 0; i < size; i++) {
    bins->counts[i] = reader_varint(reader);
    if (__builtin_add_overflow(sketch->count, bins->counts[i], &sketch->count))
      return err_set(err, ERR_CORRUPTION, "a sketch of more than 2^64 values");
  }
  return ERR_OK;
}

int quantile_sketch_load(struct quantile_sketch *sketch, struct arena *arena, struct str *bytes,
                         struct err *err) {
  struct reader reader = reader_of(bytes->data, bytes->size);
  uint8_t version = reader_u8(&reader);
  double accuracy = reader_f64(&reader);
  if (reader.failed || version != VERSION || !(accuracy >= QUANTILE_ACCURACY_MIN) ||
      accuracy > QUANTILE_ACCURACY_MAX)
    return err_set(err, ERR_CORRUPTION, "not a sketch of quantiles, or of another version");
  quantile_sketch_init(sketch, accuracy);
  sketch->min = reader_f64(&reader);
  sketch->max = reader_f64(&reader);
  sketch->zeros = reader_varint(&reader);
  sketch->below = reader_varint(&reader);
  sketch->above = reader_varint(&reader);
  bool fits = !__builtin_add_overflow(sketch->zeros, sketch->below, &sketch->count) &&
              !__builtin_add_overflow(sketch->count, sketch->above, &sketch->count);
  if (!fits) return err_set(err, ERR_CORRUPTION, "a sketch of more than 2^64 values");
  int code = load_bins(sketch, arena, &sketch->negative, &reader, err);
  if (!code) code = load_bins(sketch, arena, &sketch->positive, &reader, err);
  if (!code && reader.failed)
    code = err_set(err, ERR_CORRUPTION, "a sketch of quantiles ends early");
  if (code) return code;
  bytes->data = (const char *)reader.at;
  bytes->size = (size_t)(reader.end - reader.at);
  return ERR_OK;
}
