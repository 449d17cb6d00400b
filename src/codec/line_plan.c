/* Integers around a line: times of a regular schedule with jitter, counters of a steady rate.
 *
 * Differences of neighbours would take each deviation twice; what is left above a line takes it
 * once. One slope serves the whole column, because it is known better the longer the column is;
 * every vector has its own height. */
#include <math.h>

#include "codec/codec_private.h"

enum { ROWS_MIN = 32 };
#define ROUNDING 3.5

/* The slope, in 1 / 2^32: the mean of the second half minus that of the first, over half the
 * length. Sums that overflow give a slope that does not pay, nothing worse. */
struct codec_line codec__line_of(const struct integer_plan *plan, size_t count) {
  size_t half = count / 2, second = count - half;
  const uint64_t *values = plan->values;
  /* Of exact multiples x is the shifted difference times the inverse, and so is their sum. */
  uint64_t low = plan->loops->sum_from(values, half, values[0], plan->scale.shift);
  uint64_t high = plan->loops->sum_from(values + second, half, values[0], plan->scale.shift);
  uint64_t sum = (high - low) * plan->scale.inverse;
  uint64_t divisor = (uint64_t)half * second;
  int64_t rise = (int64_t)sum;
  int64_t whole = rise / (int64_t)divisor, rest = rise % (int64_t)divisor;
  if (rest < 0) {
    whole--;
    rest += (int64_t)divisor;
  }
  return (struct codec_line){.whole = (uint64_t)whole,
                             .fraction = (uint32_t)(((uint64_t)rest << 32) / divisor)};
}

/* The line with a whole slope, if that is as likely as the one found: a regular grid has one, and
 * what a slope that is slightly wrong adds to the range can take another bit. The slope of n values
 * that scatter over `range` is known to about range / n^1.5. */
static struct codec_line rounded(struct codec_line line, uint64_t range, size_t count) {
  bool up = line.fraction >> 31;
  double away = (double)(up ? (UINT64_C(1) << 32) - line.fraction : line.fraction) / 0x1p32;
  double n = (double)count;
  if (away * n * sqrt(n) > ROUNDING * (double)range) return line;
  return (struct codec_line){.whole = line.whole + up};
}

/* The width with the smallest sum of packed bits and exceptions for `count` fields, for all vectors
 * the same; returns the bytes. */
static size_t choose_width(size_t count, const uint32_t widths[65], struct compact_plan *compact) {
  unsigned widest = 64;
  while (widest > 0 && !widths[widest])
    widest--;
  size_t vectors = (count + CODEC_VECTOR - 1) / CODEC_VECTOR, exceptions = 0;
  size_t best = vectors + count * widest / 8;
  *compact = (struct compact_plan){.width = widest};
  for (unsigned width = widest; width-- > 0;) {
    exceptions += widths[width + 1];
    if (exceptions * 3 > best) break;
    unsigned high = codec__high_bytes(widest - width);
    size_t size = vectors * 4 + count * width / 8 + exceptions * (2 + high);
    if (size >= best) continue;
    best = size;
    compact->width = width;
    compact->has_exceptions = exceptions > 0;
  }
  return best;
}

/* Bytes of frame and table, at most. */
static size_t head_size(const struct integer_plan *plan) {
  return sizeof(struct integer_frame) + (plan->scale.scale != 1 ? 8 : 0) + 8 + 12 +
         codec__vector_count(plan) * (codec__base_bytes(plan) + 2u) + 7;
}

void codec__plan_line(struct integer_plan *plan) {
  if (plan->count < ROWS_MIN) return;
  struct integer_plan line = *plan;
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  uint64_t bits;
  uint32_t widths[65] = {0}, counts[65];
  line.codec = CODEC_LINE;
  line.is_compact = true;
  /* A first vector that is behind tells enough. */
  line.line = codec__line_of(plan, codec__vector_values(plan, 0));
  codec__fields_of(&line, CODEC_LINE, 0, fields, &line.vectors[0].base, &bits);
  plan->loops->histogram(fields, codec__vector_values(plan, 0), bits, counts);
  size_t size = choose_width(codec__vector_values(plan, 0), counts, &line.compact);
  if (size > plan->vectors[0].size + plan->vectors[0].size / 16 + 32) return;
  line.line = rounded(codec__line_of(plan, plan->count), bits, plan->count);
  for (size_t v = 0; v < codec__vector_count(plan); v++) {
    codec__fields_of(&line, CODEC_LINE, v, fields, &line.vectors[v].base, &bits);
    plan->loops->histogram(fields, codec__vector_values(plan, v), bits, counts);
    for (unsigned w = 0; w < 65; w++)
      widths[w] += counts[w];
  }
  line.size = choose_width(plan->count, widths, &line.compact);
  line.size += head_size(&line);
  if (line.size >= plan->size) return;
  memcpy(line.widths, widths, sizeof widths);
  *plan = line;
}
