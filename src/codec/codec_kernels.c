/* Statistics of images.
 *
 * Present values are a range of indexes, whatever the rows; absent ones count for nothing. Integers
 * are summed in two halves of 128 bits, fields as fields: a vector's sum is count * base + scale *
 * sum of fields, as long as base + scale * greatest does not wrap around. */
#include "codec/codec_kernels.h"

#include "base/err.h"
#include "base/memory.h"
#include "codec/nested.h"
#include "columnar/bits.h"

/* What is known of integers so far. */
struct totals {
  const struct codec_loops *loops;
  uint64_t flip; /* the order: FLIP_SIGNED or FLIP_UNSIGNED */
  unsigned __int128 sum;
  uint64_t min, max; /* ^ flip */
  uint32_t count;
};

static void add_range(struct totals *totals, uint64_t min, uint64_t max) {
  if (totals->count == 0 || min < totals->min) totals->min = min;
  if (totals->count == 0 || max > totals->max) totals->max = max;
}

static __int128 widened(uint64_t value, uint64_t flip) {
  return flip ? (__int128)(int64_t)value : (__int128)value;
}

static void add_values(struct totals *totals, const uint64_t *values, uint32_t count) {
  uint64_t low, high, min, max;
  totals->loops->halves(values, count, totals->flip, &low, &high);
  totals->loops->range(values, count, totals->flip, &min, &max);
  totals->sum += ((unsigned __int128)high << 32) + low;
  if (totals->flip) totals->sum -= (unsigned __int128)count << 63;
  add_range(totals, min, max);
  totals->count += count;
}

static int add_run(void *context, uint64_t value, uint32_t from, uint32_t count) {
  struct totals *totals = context;
  (void)from;
  totals->sum += (unsigned __int128)(widened(value, totals->flip) * count);
  add_range(totals, value ^ totals->flip, value ^ totals->flip);
  totals->count += count;
  return ERR_OK;
}

/* Whether base + scale * field is in range for fields up to `max`. */
static bool is_monotone(const struct vector_part *part, uint64_t flip, uint32_t max) {
  __int128 top = widened(part->base, flip) + (__int128)part->scale * max;
  return part->scale < UINT64_C(1) << 63 && top <= (flip ? INT64_MAX : (__int128)UINT64_MAX);
}

static int add_part(void *context, const struct vector_part *part, struct err *err) {
  struct totals *totals = context;
  (void)err;
  if (!part->fields) {
    add_values(totals, part->values, part->count);
    return ERR_OK;
  }
  struct codec_fields fields;
  totals->loops->summarize(part->fields, part->count, &fields);
  if (!is_monotone(part, totals->flip, fields.max)) {
    uint64_t values[CODEC_VECTOR];
    totals->loops->widen(part->fields, part->count, part->base, part->scale, values);
    add_values(totals, values, part->count);
    return ERR_OK;
  }
  totals->sum += (unsigned __int128)(widened(part->base, totals->flip) * part->count);
  totals->sum += (unsigned __int128)part->scale * fields.sum;
  add_range(totals, (part->base + part->scale * fields.min) ^ totals->flip,
            (part->base + part->scale * fields.max) ^ totals->flip);
  totals->count += part->count;
  return ERR_OK;
}

/* Values of a codec that has no kernel of its own. */
static int add_decoded(struct totals *totals, const struct codec_image *image, uint32_t from,
                       uint32_t to, struct err *err) {
  uint64_t values[CODEC_VECTOR];
  int code = ERR_OK;
  for (uint32_t end; !code && from < to; from = end) {
    end = (from / CODEC_VECTOR + 1) * CODEC_VECTOR < to ? (from / CODEC_VECTOR + 1) * CODEC_VECTOR
                                                        : to;
    code = codec__decode_values(image, from, end, values, err);
    if (!code) add_values(totals, values, end - from);
  }
  return code;
}

static int total_integers(const struct codec_image *image, uint32_t from, uint32_t to,
                          struct totals *totals, struct err *err) {
  uint64_t value;
  switch (image->codec) {
  case CODEC_CONSTANT:
    memcpy(&value, image->payload, 8);
    return add_run(totals, value, from, to - from);
  case CODEC_REPEATS:
    return codec__each_run(image, from, to, add_run, totals, err);
  case CODEC_RAW:
  case CODEC_NUMBERS:
    return add_decoded(totals, image, from, to, err);
  default:
    return codec__each_vector(image, from, to, CODEC_ALL_VECTORS, add_part, totals, err);
  }
}

static void set_integers(const struct totals *totals, struct column_statistics *out) {
  out->count = totals->count;
  out->sum_low = (uint64_t)totals->sum;
  out->sum_high = (uint64_t)(totals->sum >> 64);
  if (!totals->count) return;
  out->flags |= STATISTICS_RANGE;
  out->min.u64 = totals->min ^ totals->flip;
  out->max.u64 = totals->max ^ totals->flip;
}

/* ---- floats ---- */

/* Floats that were decoded, or of one value. */
static void add_floats(const uint64_t *bits, uint32_t count, struct column_statistics *out) {
  struct column column = {.type = TYPE_FLOAT64, .length = count, .u64 = bits};
  struct column_statistics part;
  column_statistics_compute(&column, NULL, &part);
  column_statistics_merge(TYPE_FLOAT64, &part, out);
}

static int add_float_run(void *context, uint64_t value, uint32_t from, uint32_t count) {
  struct column_statistics part;
  double number;
  (void)from;
  column_statistics_init(&part);
  add_floats(&value, 1, &part);
  memcpy(&number, &value, 8);
  part.count *= count;
  part.nan_count *= count;
  double product = number * count;
  if (part.flags & STATISTICS_RANGE) {
    part.sum = product;
    part.compensation = __builtin_isfinite(product) ? __builtin_fma(number, count, -product) : 0;
  }
  column_statistics_merge(TYPE_FLOAT64, &part, context);
  return ERR_OK;
}

static int add_decoded_floats(const struct codec_image *image, uint32_t from, uint32_t to,
                              struct column_statistics *out, struct err *err) {
  uint64_t bits[CODEC_VECTOR];
  int code = ERR_OK;
  for (uint32_t end; !code && from < to; from = end) {
    end = (from / CODEC_VECTOR + 1) * CODEC_VECTOR < to ? (from / CODEC_VECTOR + 1) * CODEC_VECTOR
                                                        : to;
    code = codec__decode_values(image, from, end, bits, err);
    if (!code) add_floats(bits, end - from, out);
  }
  return code;
}

/* The integers of decimals: their sum is that of the decimals times a power of ten. */
static void add_decimals(const struct totals *totals, double power, struct column_statistics *out) {
  struct column_statistics part;
  column_statistics_init(&part);
  part.count = totals->count;
  part.flags = STATISTICS_RANGE | STATISTICS_SUM;
  part.min.f64 = (double)(int64_t)(totals->min ^ totals->flip) / power;
  part.max.f64 = (double)(int64_t)(totals->max ^ totals->flip) / power;
  part.sum = (double)(__int128)totals->sum / power;
  part.compensation = 0;
  column_statistics_merge(TYPE_FLOAT64, &part, out);
}

static int total_decimals(const struct codec_image *image, uint32_t from, uint32_t to,
                          struct column_statistics *out, struct err *err) {
  struct integer_image integers;
  int code = codec__open_integers(image, &integers, err);
  if (code) return code;
  if (integers.frame.exceptions) return add_decoded_floats(image, from, to, out, err);
  struct totals totals = {.loops = codec__loops(), .flip = FLIP_SIGNED};
  code = codec__each_vector(image, from, to, CODEC_ALL_VECTORS, add_part, &totals, err);
  if (!code && totals.count) add_decimals(&totals, codec__power(integers.frame.exponent), out);
  return code;
}

static int total_floats(const struct codec_image *image, uint32_t from, uint32_t to,
                        struct column_statistics *out, struct err *err) {
  uint64_t value;
  switch (image->codec) {
  case CODEC_CONSTANT:
    memcpy(&value, image->payload, 8);
    return add_float_run(out, value, from, to - from);
  case CODEC_REPEATS:
    return codec__each_run(image, from, to, add_float_run, out, err);
  case CODEC_DECIMAL_FOR:
  case CODEC_DECIMAL_DELTA:
    return total_decimals(image, from, to, out, err);
  default:
    return add_decoded_floats(image, from, to, out, err);
  }
}

/* ---- all types ---- */

static int total_booleans(const struct codec_image *image, uint32_t from, uint32_t to,
                          struct column_statistics *out, struct err *err) {
  uint64_t bits[CODEC_ROWS_MAX / 64] = {0};
  int code = codec__decode_booleans(image, from, to, bits, err);
  if (code) return code;
  struct column column = {.type = TYPE_BOOL, .length = to - from, .bits = bits};
  column_statistics_compute(&column, NULL, out);
  out->flags &= ~(uint32_t)STATISTICS_ENDS;
  out->first.u64 = out->last.u64 = 0;
  return ERR_OK;
}

int codec_statistics(const struct codec_image *image, uint32_t from, uint32_t count,
                     struct column_statistics *out, struct err *err) {
  uint32_t first, last;
  int code = codec__value_range(image, from, count, &first, &last, err);
  if (code) return code;
  column_statistics_init(out);
  if (type_is_string(image->type)) {
    out->count = last - first;
    return ERR_OK;
  }
  out->flags = STATISTICS_SUM;
  if (first == last) return ERR_OK;
  if (image->type.physical == PHYSICAL_BOOL) return total_booleans(image, first, last, out, err);
  if (image->type.physical == PHYSICAL_FLOAT64) {
    code = total_floats(image, first, last, out, err);
    out->flags &= ~(uint32_t)STATISTICS_ENDS;
    out->first.u64 = out->last.u64 = 0;
    return code;
  }
  struct totals totals = {.loops = codec__loops(),
                          .flip =
                              image->type.physical == PHYSICAL_INT64 ? FLIP_SIGNED : FLIP_UNSIGNED};
  code = total_integers(image, first, last, &totals, err);
  set_integers(&totals, out);
  return code;
}
