/* Floats to bytes: most were decimals once.
 *
 * A column is tried as integers m with value = m / 10^k, rounded correctly: what reading the text
 * "12.34" gave is 1234 / 100 to the bit. k comes from the hint or from a sample; values without
 * such an m (NaN, infinities, -0.0, too many digits) become exceptions. Where decimals do not pay,
 * the smallest of the raw bits as ordered integers, the split into a dictionary of high bits and
 * raw low bits, and the raw values is taken. */
#include "codec/planes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum {
  SAMPLES = 32,
  SAMPLES_FIRST = 8, /* if none of so many is a decimal, no more are looked at */
  EXPONENT_NONE = EXPONENT_MAX + 1,
  HINT_BLOCKS = 64,  /* blocks after which the exponent is searched again */
  SPLIT_BLOCKS = 8,  /* split ones after which other ways are planned again */
  NEAR_DISTANCE = 4, /* units in the last place that make a decimal of a sample */
};
/* Bits of a digit; of an exception, and of one near a decimal. */
#define DIGIT_BITS     3.32
#define EXCEPTION_BITS 80.0
#define NEAR_BITS      24.0

double codec__power(unsigned exponent) {
  static const double powers[EXPONENT_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                  1e14, 1e15, 1e16, 1e17, 1e18};
  return powers[exponent];
}

static double double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  return value;
}

static bool is_quotient(int64_t m, double power, uint64_t bits) {
  double back = (double)m / power;
  return m < INT64_C(1) << 51 && m > -(INT64_C(1) << 51) && memcmp(&back, &bits, 8) == 0;
}

/* How many units in the last place a value is above a decimal: -NEAR_MAX to NEAR_MAX, or NEAR_NONE.
 */
static int distance_of(uint64_t bits, int64_t m, double power) {
  double back = (double)m / power;
  uint64_t decimal;
  memcpy(&decimal, &back, 8);
  int64_t distance = (int64_t)(bits - decimal);
  return distance >= -NEAR_MAX && distance <= NEAR_MAX ? (int)distance : NEAR_NONE;
}

/* The least exponent at which a value is a decimal, or but for a rounding error *near one; or
 * EXPONENT_NONE. */
static unsigned exponent_of(uint64_t bits, bool *near) {
  double value = double_of(bits);
  unsigned nearest = EXPONENT_NONE;
  for (unsigned k = 0; k <= EXPONENT_MAX; k++) {
    double m = rint(value * codec__power(k));
    if (!(fabs(m) < 0x1p51)) break;
    int distance = distance_of(bits, (int64_t)m, codec__power(k));
    *near = distance != 0;
    if (distance == 0) return k;
    if (nearest == EXPONENT_NONE && abs(distance) <= NEAR_DISTANCE) nearest = k;
  }
  *near = nearest != EXPONENT_NONE;
  return nearest;
}

/* The exponent with the smallest cost over a sample. */
static unsigned find_exponent(const uint64_t *bits, size_t count) {
  unsigned counts[2][EXPONENT_NONE + 1] = {{0}}, seen = 0, best = EXPONENT_NONE;
  size_t step = count / SAMPLES + 1;
  for (size_t i = 0; i < count; i += step) {
    bool near;
    unsigned k = exponent_of(bits[i], &near);
    counts[near][k]++;
    if (++seen == SAMPLES_FIRST && counts[0][EXPONENT_NONE] == seen) return EXPONENT_NONE;
  }
  double best_cost = 56.0 * seen;
  unsigned exact = 0, near = 0;
  for (unsigned k = 0; k <= EXPONENT_MAX; k++) {
    exact += counts[0][k];
    near += counts[1][k];
    double cost =
        DIGIT_BITS * k * (exact + near) + NEAR_BITS * near + EXCEPTION_BITS * (seen - exact - near);
    if (counts[0][k] + counts[1][k] && cost < best_cost) {
      best_cost = cost;
      best = k;
    }
  }
  return best;
}

/* A column as decimals. */
struct decimals {
  uint64_t *m;         /* scratch: one per value */
  uint16_t *positions; /* scratch: the exceptions */
  size_t exceptions;
  size_t values;                /* of those, the ones that are not near a decimal */
  uint16_t missed[VECTORS_MAX]; /* those of each vector */
  unsigned exponent;
};

/* The integers, and how many values of each vector have none. */
static void find_integers(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                          unsigned exponent, struct decimals *decimals) {
  const double *values = (const double *)(const void *)bits;
  double power = codec__power(exponent);
  decimals->exponent = exponent;
  decimals->exceptions = decimals->values = 0;
  for (size_t at = 0; at < count; at += CODEC_VECTOR) {
    size_t size = count - at < CODEC_VECTOR ? count - at : CODEC_VECTOR;
    size_t missed = loops->decimal(values + at, size, power, decimals->m + at);
    decimals->missed[at / CODEC_VECTOR] = (uint16_t)missed;
    decimals->exceptions += missed;
  }
}

/* Lists the exceptions. Those near a decimal keep its integer; others get the one before, which
 * costs least, or the first one where there is none before. */
static void list_exceptions(const uint64_t *bits, size_t count, struct decimals *decimals) {
  double power = codec__power(decimals->exponent);
  uint64_t previous = 0, *m = decimals->m;
  size_t found = 0, values = 0;
  for (size_t i = 0; i < count; i++) {
    size_t left = CODEC_VECTOR - i % CODEC_VECTOR;
    bool whole = left == CODEC_VECTOR && !decimals->missed[i / CODEC_VECTOR];
    if (whole || is_quotient((int64_t)m[i], power, bits[i])) {
      for (size_t j = 0; values == i && j < i; j++)
        m[j] = m[i];
      if (whole) i += (left < count - i ? left : count - i) - 1;
      previous = m[i];
      continue;
    }
    decimals->positions[found++] = (uint16_t)i;
    bool near = (int64_t)m[i] < INT64_C(1) << 51 && (int64_t)m[i] > -(INT64_C(1) << 51) &&
                distance_of(bits[i], (int64_t)m[i], power) != NEAR_NONE;
    for (size_t j = 0; near && values == i && j < i; j++)
      m[j] = m[i];
    if (!near) m[i] = previous;
    previous = m[i];
    values += !near;
  }
  decimals->values = values;
  assert(found == decimals->exceptions);
}

/* Tries the hint's exponent, then a searched one; false when too few values are decimals. */
static bool find_decimals(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                          struct codec_hint *hint, struct decimals *decimals) {
  unsigned before = hint ? codec__integers_of(hint->codec) : CODEC_RAW;
  bool hinted = hint && (before == CODEC_DECIMAL_FOR || before == CODEC_DECIMAL_DELTA) &&
                hint->exponent <= EXPONENT_MAX && hint->age++ < HINT_BLOCKS;
  if (hinted) find_integers(loops, bits, count, hint->exponent, decimals);
  if (!hinted || decimals->exceptions > count / 64) {
    if (hint && hint->codec != CODEC_SPLIT) hint->age = 0;
    unsigned exponent = find_exponent(bits, count);
    if (exponent == EXPONENT_NONE) return false;
    if (!hinted || exponent != decimals->exponent)
      find_integers(loops, bits, count, exponent, decimals);
  }
  if (decimals->exceptions > count / 2) return false;
  if (decimals->exceptions) list_exceptions(bits, count, decimals);
  return true;
}

bool codec__decimals_of(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                        uint64_t *integers, uint16_t *positions, unsigned *exponent,
                        size_t *exceptions) {
  struct decimals decimals = {.m = integers, .positions = positions};
  if (!find_decimals(loops, bits, count, NULL, &decimals)) return false;
  *exponent = decimals.exponent;
  *exceptions = decimals.exceptions;
  return true;
}

/* Distances take less than values where but few have none. */
static bool is_near(const struct decimals *decimals) {
  return decimals->values * 8 < decimals->exceptions * 7;
}
static size_t exceptions_size(const struct decimals *decimals) {
  return is_near(decimals) ? decimals->exceptions * 3 + decimals->values * 8
                           : decimals->exceptions * 10;
}

size_t codec__exceptions_size(const uint64_t *bits, const uint64_t *integers,
                              const uint16_t *positions, size_t exceptions, unsigned exponent,
                              bool *near) {
  struct decimals decimals = {.exceptions = exceptions};
  for (size_t i = 0; i < exceptions; i++)
    decimals.values += distance_of(bits[positions[i]], (int64_t)integers[positions[i]],
                                   codec__power(exponent)) == NEAR_NONE;
  *near = is_near(&decimals);
  return exceptions_size(&decimals);
}

/* False: the plan was a guess that is wrong. */
static bool put_decimals(const uint64_t *bits, const struct decimals *decimals,
                         const struct integer_plan *plan, struct codec_hint *hint,
                         struct codec_writer *writer) {
  size_t count = decimals->exceptions, positions_size = count * sizeof *decimals->positions;
  bool near = is_near(decimals);
  double power = codec__power(decimals->exponent);
  if (!codec__put_integers(plan, (uint8_t)decimals->exponent, (uint16_t)count, hint, writer))
    return false;
  uint8_t *values = writer->at + (near ? count + positions_size : 0);
  for (size_t i = 0; i < count; i++) {
    uint64_t value = bits[decimals->positions[i]];
    int distance =
        near ? distance_of(value, (int64_t)decimals->m[decimals->positions[i]], power) : NEAR_NONE;
    if (near) *writer->at++ = (uint8_t)distance;
    if (distance != NEAR_NONE) continue;
    memcpy(values, &value, 8);
    values += 8;
  }
  if (!near) writer->at = values;
  codec__put(writer, decimals->positions, positions_size);
  if (near) writer->at = values;
  if (hint) hint->exponent = (uint8_t)decimals->exponent;
  return true;
}

static unsigned effort_of(enum codec_level level, unsigned full) {
  return level == CODEC_FAST ? PLAN_QUICK : level >= CODEC_COLD ? full | PLAN_COLD : full;
}

/* The smallest of the ways that know nothing of decimals, if it is smaller than `limit`. */
static bool put_binary(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                       enum codec_level level, struct codec_hint *hint, size_t limit,
                       uint64_t *scratch, struct codec_writer *writer, uint8_t *codec) {
  struct integer_plan plan;
  struct split_plan split = {.size = SIZE_MAX};
  bool again =
      level != CODEC_FAST && hint && hint->codec == CODEC_SPLIT && hint->age < SPLIT_BLOCKS;
  if (hint && hint->codec == CODEC_SPLIT) hint->age = again ? (uint8_t)(hint->age + 1) : 0;
  if (again) {
    plan.size = SIZE_MAX;
  } else {
    loops->order(bits, count, scratch);
    codec__plan_integers(loops, scratch, count, FLIP_UNSIGNED,
                         effort_of(level, PLAN_FULL) | (level >= CODEC_COLD ? PLAN_ANEW : 0), hint,
                         &plan);
  }
  if (level != CODEC_FAST) codec__plan_split(loops, bits, count, &split);
  size_t best = plan.size < split.size ? plan.size : split.size;
  size_t raw = count * 8;
  if (limit <= best && limit <= raw) return false;
  if (raw <= best) {
    codec__put(writer, bits, raw);
    *codec = CODEC_RAW;
  } else if (plan.size <= split.size) {
    codec__put_integers(&plan, 0, 0, hint, writer);
    *codec = plan.codec;
  } else {
    codec__put_split(loops, bits, count, &split, writer);
    *codec = CODEC_SPLIT;
  }
  return true;
}

static uint8_t codec_of(const struct decimals *decimals, const struct integer_plan *plan) {
  bool sums = plan->codec != CODEC_FOR;
  if (is_near(decimals)) return sums ? CODEC_NEAR_DELTA : CODEC_NEAR_FOR;
  return sums ? CODEC_DECIMAL_DELTA : CODEC_DECIMAL_FOR;
}

static bool is_large(enum codec_level level, size_t size, size_t exceptions, size_t count) {
  return size > count * 8 || exceptions > count / 32 || (level != CODEC_FAST && size > count * 5);
}

uint8_t codec__put_floats(const struct codec_loops *loops, const uint64_t *bits, size_t count,
                          enum codec_level level, struct codec_hint *hint, void *scratch,
                          struct codec_writer *writer) {
  struct decimals decimals = {.m = scratch,
                              .positions = (uint16_t *)((uint64_t *)scratch + 2 * count)};
  uint64_t *other = (uint64_t *)scratch + count;
  struct integer_plan plan;
  size_t size = SIZE_MAX;
  uint8_t codec = CODEC_RAW;
  if (find_decimals(loops, bits, count, hint, &decimals)) {
    unsigned effort = effort_of(level, PLAN_DECIMAL);
    codec__plan_integers(loops, decimals.m, count, FLIP_SIGNED, effort, hint, &plan);
    size = plan.size + exceptions_size(&decimals);
    bool guess = plan.is_again;
    if (guess && (is_large(level, size, decimals.values, count) ||
                  !put_decimals(bits, &decimals, &plan, hint, writer))) {
      codec__plan_integers(loops, decimals.m, count, FLIP_SIGNED, effort | PLAN_ANEW, hint, &plan);
      size = plan.size + exceptions_size(&decimals);
      guess = false;
    }
    if (guess) return codec_of(&decimals, &plan);
  }
  bool large = is_large(level, size, decimals.values, count);
  if (!large || !put_binary(loops, bits, count, level, hint, size, other, writer, &codec)) {
    (void)put_decimals(bits, &decimals, &plan, hint, writer); /* no guess */
    codec = codec_of(&decimals, &plan);
  }
  return codec;
}
