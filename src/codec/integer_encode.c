/* Integers to patched bit packing: first a plan with every size, then the bytes.
 *
 * Values become small unsigned integers x = (value - origin) / scale. `origin` keeps their order
 * (INT64_MIN for signed integers), `scale` is a common divisor: times in whole seconds kept in
 * nanoseconds, counters of pages. Each vector of 1,024 is then written as fields: x minus the
 * least (for), or zigzag differences from the usual difference (delta), or differences of those
 * (delta2). The width of the fields is the one with the smallest sum of packed bits and
 * exceptions, computed exactly from how many fields have how many bits. */
#include "codec/codec_private.h"

enum {
  SAMPLES = 32,
  CENTER_SAMPLES = 64,
  DELTA2_WIDTH = 3, /* differences of at most so many bits are small enough */
};

/* ---- a common divisor ---- */

static uint64_t gcd(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* The scale for a divisor g > 1: an exact quotient by g = odd * 2^shift is a product with the
 * inverse of `odd` modulo 2^64, rotated; numbers that g does not divide give quotients above
 * (2^64 - 1) / g (Granlund and Montgomery, "Division by invariant integers using multiplication",
 * PLDI 1994). */
static struct codec_scale scale_of(uint64_t origin, uint64_t g) {
  unsigned shift = (unsigned)__builtin_ctzll(g);
  uint64_t odd = g >> shift, inverse = odd; /* right in the lowest 3 bits; each step doubles them */
  for (int i = 0; i < 5; i++)
    inverse *= 2 - odd * inverse;
  return (struct codec_scale){.origin = origin, .scale = g, .inverse = inverse, .shift = shift};
}

/* Whether every value minus the origin is a multiple of the scale; if not, *culprit is the first
 * difference that is none. */
static bool divides_all(const struct integer_plan *plan, const struct codec_scale *scale,
                        uint64_t *culprit) {
  VECTOR_ALIGNED uint64_t x[CODEC_VECTOR];
  uint64_t limit = UINT64_MAX / scale->scale;
  for (size_t at = 0; at < plan->count; at += CODEC_VECTOR) {
    size_t size = plan->count - at < CODEC_VECTOR ? plan->count - at : CODEC_VECTOR;
    if (plan->loops->reduce(plan->values + at, size, scale, x) <= limit) continue;
    for (size_t i = 0; i < size; i++) {
      if (x[i] > limit) {
        *culprit = plan->values[at + i] - scale->origin;
        return false;
      }
    }
  }
  return true;
}

/* Looks for a common divisor of the differences; samples first, which ends it for most columns. */
static void find_scale(struct integer_plan *plan) {
  uint64_t g = 0, min, max, flip = plan->flip;
  size_t step = plan->count / SAMPLES + 1;
  for (size_t i = step; i < plan->count && g != 1; i += step) {
    uint64_t a = plan->values[i] ^ flip, b = plan->values[i - step] ^ flip;
    g = gcd(a > b ? a - b : b - a, g);
  }
  if (g <= 1) return;
  plan->loops->range(plan->values, plan->count, flip, &min, &max);
  for (int attempt = 0; attempt < 4 && g > 1; attempt++) {
    struct codec_scale scale = scale_of(min ^ flip, g);
    uint64_t culprit;
    if (divides_all(plan, &scale, &culprit)) {
      plan->scale = scale;
      return;
    }
    g = gcd(culprit, g);
  }
}

/* ---- the usual difference ---- */

/* x of one value. */
static uint64_t reduced(const struct integer_plan *plan, uint64_t value) {
  uint64_t x = (value - plan->scale.origin) * plan->scale.inverse;
  return x >> plan->scale.shift | x << ((64 - plan->scale.shift) & 63);
}

/* The middle of sampled differences: the median where it is frequent, else the mean of the middle
 * half, which scatters less; or 0 where they scatter around 0. */
static void find_center(struct integer_plan *plan) {
  int64_t sample[CENTER_SAMPLES + 1];
  size_t count = 0, samples = plan->count < 2048 ? CENTER_SAMPLES / 4 : CENTER_SAMPLES;
  size_t step = plan->count / samples + 1;
  plan->center = 0;
  for (size_t i = 1; i < plan->count; i += step) {
    int64_t difference =
        (int64_t)(reduced(plan, plan->values[i]) - reduced(plan, plan->values[i - 1]));
    size_t at = count++;
    for (; at > 0 && sample[at - 1] > difference; at--)
      sample[at] = sample[at - 1];
    sample[at] = difference;
  }
  if (!count || (sample[count / 4] <= 0 && sample[count - 1 - count / 4] >= 0)) return;
  int64_t median = sample[count / 2], sum = 0;
  size_t equal = 0, from = count / 4, to = count - count / 4;
  for (size_t i = 0; i < count; i++)
    equal += sample[i] == median;
  for (size_t i = from; i < to; i++) /* from the median on, or the sum might not have room */
    sum = (int64_t)((uint64_t)sum + (uint64_t)sample[i] - (uint64_t)median);
  bool frequent = equal * 4 > count || count < CENTER_SAMPLES / 2;
  plan->center = (uint64_t)median + (frequent ? 0 : (uint64_t)(sum / (int64_t)(to - from)));
}

/* ---- one vector ---- */

/* The cheapest width for fields of which counts[w] have w bits. */
static void choose_width(const uint32_t counts[65], size_t count, struct vector_plan *vector) {
  unsigned widest = 64;
  while (widest > 0 && counts[widest] == 0)
    widest--;
  size_t best = codec__vector_size(count, widest), exceptions = 0;
  vector->width = (uint8_t)widest;
  for (unsigned width = widest; width-- > 0;) {
    exceptions += counts[width + 1];
    if (exceptions * 3 > best) break;
    unsigned high = codec__high_bytes(widest - width);
    size_t size = codec__vector_size(count, width) + exceptions * (2 + high);
    if (size < best) {
      best = size;
      vector->width = (uint8_t)width;
      vector->exceptions = (uint16_t)exceptions;
      vector->high = (uint8_t)high;
    }
  }
  vector->size = (uint32_t)codec__align(best);
}

size_t codec__vector_values(const struct integer_plan *plan, size_t v) {
  size_t rest = plan->count - v * CODEC_VECTOR;
  return rest < CODEC_VECTOR ? rest : CODEC_VECTOR;
}

/* Without a scale, x are the values themselves. */
void codec__fields_of(const struct integer_plan *plan, uint8_t codec, size_t v, uint64_t *fields,
                      uint64_t *base, uint64_t *bits) {
  const struct codec_loops *loops = plan->loops;
  const uint64_t *values = plan->values + v * CODEC_VECTOR, *x = values;
  VECTOR_ALIGNED uint64_t reduced_values[CODEC_VECTOR];
  size_t count = codec__vector_values(plan, v);
  bool scaled = plan->scale.scale != 1;
  if (scaled) {
    loops->reduce(values, count, &plan->scale, reduced_values);
    x = reduced_values;
  }
  *base = values[0];
  if (codec == CODEC_FOR) {
    uint64_t min, max, flip = scaled ? 0 : plan->flip;
    loops->range(x, count, flip, &min, &max);
    loops->subtract(x, count, min ^ flip, fields);
    *base = scaled ? plan->scale.origin + plan->scale.scale * min : min ^ flip;
    *bits = max - min;
  } else if (codec == CODEC_LINE) {
    VECTOR_ALIGNED uint64_t above[CODEC_VECTOR];
    uint64_t min, max;
    loops->above_line(x, count, &plan->line, above);
    loops->range(above, count, FLIP_SIGNED, &min, &max);
    loops->subtract(above, count, min ^ FLIP_SIGNED, fields);
    *base = plan->scale.scale * (min ^ FLIP_SIGNED) + (scaled ? plan->scale.origin : 0);
    *bits = max - min;
  } else if (codec == CODEC_DELTA) {
    *bits = loops->zigzag(x, count, plan->center, fields);
  } else {
    VECTOR_ALIGNED uint64_t d[CODEC_VECTOR];
    loops->differences(x, count, plan->center, d);
    *bits = loops->zigzag(d, count, 0, fields);
  }
}

/* Adds to `widths` (or NULL) how many fields have how many bits. */
static void plan_vector(const struct integer_plan *plan, uint8_t codec, size_t v, bool patched,
                        struct vector_plan *vector, uint32_t widths[65]) {
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  uint64_t base, bits;
  size_t count = codec__vector_values(plan, v);
  codec__fields_of(plan, codec, v, fields, &base, &bits);
  *vector = (struct vector_plan){.base = base};
  if (patched && bits > 1) {
    uint32_t counts[65];
    plan->loops->histogram(fields, count, bits, counts);
    choose_width(counts, count, vector);
    for (unsigned w = 0; widths && w < 65; w++)
      widths[w] += counts[w];
  } else {
    vector->width = (uint8_t)codec__width(bits);
    vector->size = (uint32_t)codec__align(codec__vector_size(count, vector->width));
    if (widths) widths[vector->width] += (uint32_t)count;
  }
}

/* ---- the column ---- */

size_t codec__vector_count(const struct integer_plan *plan) {
  return (plan->count + CODEC_VECTOR - 1) / CODEC_VECTOR;
}

/* Bytes of frame and table. */
static size_t head_size(const struct integer_plan *plan, uint8_t codec) {
  return sizeof(struct integer_frame) + (plan->scale.scale != 1 ? 8 : 0) +
         (codec != CODEC_FOR && plan->center ? 8 : 0) +
         codec__vector_count(plan) * sizeof(struct vector_entry);
}

/* Plans all vectors under a codec; returns the size of the whole. */
static size_t plan_vectors(const struct integer_plan *plan, uint8_t codec, bool patched,
                           struct vector_plan *vectors, uint32_t widths[65]) {
  size_t size = head_size(plan, codec);
  for (size_t v = 0; v < codec__vector_count(plan); v++) {
    plan_vector(plan, codec, v, patched, &vectors[v], widths);
    size += vectors[v].size;
  }
  return size;
}

/* Takes a codec's plan if it is the smallest so far. */
static void try_codec(struct integer_plan *plan, uint8_t codec) {
  struct vector_plan vectors[VECTORS_MAX];
  uint32_t widths[65] = {0};
  size_t size = plan_vectors(plan, codec, true, vectors, widths);
  if (size >= plan->size) return;
  plan->size = size;
  plan->codec = codec;
  memcpy(plan->vectors, vectors, sizeof vectors);
  memcpy(plan->widths, widths, sizeof widths);
}

/* Which of for (bit 0) and delta (bit 1) are worth planning: where there are several vectors, two
 * of them tell whether one of the codecs stays far behind. */
static unsigned worth_planning(const struct integer_plan *plan) {
  size_t count = codec__vector_count(plan), sizes[2] = {0};
  if (count < 4) return 3;
  for (size_t v = 0; v < count; v += count / 2) {
    for (unsigned i = 0; i < 2; i++) {
      struct vector_plan vector;
      plan_vector(plan, i ? CODEC_DELTA : CODEC_FOR, v, true, &vector, NULL);
      sizes[i] += vector.size;
    }
  }
  return sizes[0] > sizes[1] + sizes[1] / 4 ? 2 : sizes[1] > sizes[0] + sizes[0] / 4 ? 1 : 3;
}

bool codec__is_constant(const uint64_t *values, size_t count) {
  size_t i = 1;
  while (i < count && values[i] == values[0])
    i++;
  return i >= count;
}

/* The smallest of the packed ways. */
static void plan_packed(struct integer_plan *plan, bool with_delta2) {
  plan->size = SIZE_MAX;
  unsigned worth = worth_planning(plan);
  if (worth & 1) try_codec(plan, CODEC_FOR);
  if (worth & 2) try_codec(plan, CODEC_DELTA);
  if (plan->codec != CODEC_DELTA || !with_delta2) return;
  /* Differences of differences only where they can pay, and the largest vector says that they do.
   */
  struct vector_plan second;
  size_t largest = 0;
  for (size_t v = 1; v < codec__vector_count(plan); v++)
    if (plan->vectors[v].size > plan->vectors[largest].size) largest = v;
  if (plan->vectors[largest].width <= DELTA2_WIDTH) return;
  plan_vector(plan, CODEC_DELTA2, largest, true, &second, NULL);
  if (second.size < plan->vectors[largest].size) try_codec(plan, CODEC_DELTA2);
}

/* One codec, whatever it takes. */
static void plan_only(struct integer_plan *plan, uint8_t codec) {
  plan->size = SIZE_MAX;
  if (codec != CODEC_LINE) {
    try_codec(plan, codec);
    return;
  }
  try_codec(plan, CODEC_DELTA); /* what a line has to beat; then as if it took everything */
  plan->size = SIZE_MAX;
  plan->vectors[0].size = UINT32_MAX / 2;
  codec__plan_line(plan);
}

void codec__plan_integers(const struct codec_loops *loops, const uint64_t *values, size_t count,
                          uint64_t flip, unsigned effort, const struct codec_hint *hint,
                          struct integer_plan *plan) {
  plan->loops = loops;
  plan->values = values;
  plan->count = count;
  plan->center = 0;
  plan->codec = CODEC_FOR;
  plan->is_compact = plan->is_again = false;
  plan->line = (struct codec_line){0};
  plan->flip = flip;
  plan->scale = (struct codec_scale){.origin = flip, .scale = 1, .inverse = 1};
  if (effort == PLAN_QUICK) {
    plan->size = plan_vectors(plan, CODEC_FOR, false, plan->vectors, NULL);
    return;
  }
  find_scale(plan);
  if (effort & PLAN_COLD && !(effort & PLAN_ANEW) && hint && codec__plan_again(plan, hint)) return;
  find_center(plan);
  if (effort & PLAN_ONLY) {
    plan_only(plan, (uint8_t)(effort >> PLAN_CODEC_SHIFT));
  } else {
    plan_packed(plan, (effort & PLAN_DECIMAL) == 0);
    if (plan->codec == CODEC_DELTA && (effort & PLAN_LINE)) codec__plan_line(plan);
  }
  if (effort & PLAN_COLD) codec__plan_entropy(plan, hint);
}

/* ---- the bytes ---- */

static void put_vector(const struct integer_plan *plan, size_t v, struct codec_writer *writer) {
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  uint64_t kept[CODEC_VECTOR];
  uint16_t positions[CODEC_VECTOR + 1];
  uint64_t base, bits;
  const struct vector_plan *vector = &plan->vectors[v];
  size_t count = codec__vector_values(plan, v), found = 0;
  codec__fields_of(plan, plan->codec, v, fields, &base, &bits);
  if (vector->exceptions) found = plan->loops->outliers(fields, count, vector->width, positions);
  for (size_t i = 0; i < found; i++)
    kept[i] = fields[positions[i]];
  if (plan->codec != CODEC_FOR) { /* differences; those of exceptions stay zigzag */
    plan->loops->bias(fields, count, vector->width);
    for (size_t i = 0; i < found; i++)
      fields[positions[i]] = kept[i];
  }
  writer->at += codec__pack_vector_wide(plan->loops, fields, count, vector->width, writer->at);
  for (size_t i = 0; i < found; i++) {
    uint64_t high = kept[i] >> vector->width;
    codec__put(writer, &high, vector->high);
  }
  codec__put(writer, positions, found * sizeof *positions);
  codec__put_padding(writer);
}

bool codec__put_integers(const struct integer_plan *plan, uint8_t exponent, uint16_t exceptions,
                         struct codec_hint *hint, struct codec_writer *writer) {
  if (plan->is_compact) return codec__put_compact(plan, exponent, exceptions, hint, writer);
  if (hint) hint->coded = false;
  struct integer_frame frame = {.exponent = exponent, .exceptions = exceptions};
  bool scaled = plan->scale.scale != 1, centered = plan->codec != CODEC_FOR && plan->center != 0;
  frame.flags = (uint8_t)((scaled ? FRAME_SCALE : 0) | (centered ? FRAME_CENTER : 0));
  codec__put(writer, &frame, sizeof frame);
  if (scaled) codec__put(writer, &plan->scale.scale, 8);
  if (centered) codec__put(writer, &plan->center, 8);
  size_t vectors = codec__vector_count(plan), offset = 0;
  for (size_t v = 0; v < vectors; v++) {
    const struct vector_plan *vector = &plan->vectors[v];
    struct vector_entry entry = {.base = vector->base,
                                 .offset = (uint16_t)(offset / 8),
                                 .exceptions = vector->exceptions,
                                 .width = vector->width,
                                 .high = vector->high};
    codec__put(writer, &entry, sizeof entry);
    offset += vector->size;
  }
  for (size_t v = 0; v < vectors; v++)
    put_vector(plan, v, writer);
  return true;
}
