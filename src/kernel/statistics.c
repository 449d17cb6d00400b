/* Statistics: dense runs go to the loops of the widest build; columns with nulls are first squeezed
 * into dense runs of 1,024 on the stack, so that there is one loop per type and not two. */
#include "kernel/statistics.h"

#include <math.h>

#include "columnar/bits.h"
#include "kernel/isa.h"
#include "kernel/statistics_loops.h"

enum { CHUNK = 1024 };

typedef void loop_function(const void *values, size_t count, struct statistics_run *run);

static loop_function *loop_of(struct type type) {
  static const struct statistics_loops *const tables[ISA_COUNT] = {
      [ISA_BASE] = &statistics__loops_base,
      [ISA_AVX2] = &statistics__loops_avx2,
      [ISA_AVX512] = &statistics__loops_avx512,
  };
  const struct statistics_loops *loops = tables[isa_best()];
  return type.physical == PHYSICAL_INT64    ? loops->i64
         : type.physical == PHYSICAL_UINT64 ? loops->u64
                                            : loops->f64;
}

static void run_init(struct type type, struct statistics_run *run) {
  *run = (struct statistics_run){0};
  if (type.physical == PHYSICAL_INT64) {
    run->min.i64 = INT64_MAX;
    run->max.i64 = INT64_MIN;
  } else if (type.physical == PHYSICAL_UINT64) {
    run->min.u64 = UINT64_MAX;
  } else {
    run->min.f64 = INFINITY;
    run->max.f64 = -INFINITY;
  }
}

static void set_sum(struct column_statistics *out, unsigned __int128 sum) {
  out->sum_low = (uint64_t)sum;
  out->sum_high = (uint64_t)(sum >> 64);
}

static void set_from_run(struct type type, const struct statistics_run *run,
                         struct column_statistics *out) {
  out->nan_count = (uint32_t)run->nan_count;
  out->flags |= STATISTICS_SUM;
  if (out->count > out->nan_count) {
    out->flags |= STATISTICS_RANGE;
    out->min = run->min;
    out->max = run->max;
  }
  if (type.physical == PHYSICAL_FLOAT64) {
    out->min.f64 += 0.0; /* -0.0 becomes +0.0 */
    out->max.f64 += 0.0;
    out->sum = run->sum;
    out->compensation = run->compensation;
    return;
  }
  unsigned __int128 sum = ((unsigned __int128)run->high << 32) + run->low;
  if (type.physical == PHYSICAL_INT64) /* take back what shifting to unsigned added */
    sum -= (unsigned __int128)out->count << 63;
  set_sum(out, sum);
}

/* Copies the present ones of up to CHUNK values together; returns their count. */
static size_t squeeze(const uint64_t *values, const uint64_t *validity, int64_t at, int64_t count,
                      uint64_t *dense) {
  size_t kept = 0;
  for (int64_t i = 0; i < count; i += 64) {
    int64_t size = count - i < 64 ? count - i : 64;
    uint64_t word = bits_load(validity, at + i, size);
    for (int64_t bit = 0; bit < size; bit++) {
      dense[kept] = values[at + i + bit];
      kept += word >> bit & 1;
    }
  }
  return kept;
}

static void compute_numbers(const struct column *column, int64_t from, int64_t count,
                            struct column_statistics *out) {
  loop_function *loop = loop_of(column->type);
  struct statistics_run run;
  run_init(column->type, &run);
  if (out->count == (uint64_t)count) {
    loop(column->u64 + from, (size_t)count, &run);
  } else {
    uint64_t dense[CHUNK];
    for (int64_t at = 0; at < count; at += CHUNK) {
      int64_t size = count - at < CHUNK ? count - at : CHUNK;
      loop(dense, squeeze(column->u64, column->validity, from + at, size, dense), &run);
    }
  }
  set_from_run(column->type, &run, out);
}

static void compute_bools(const struct column *column, int64_t from, int64_t count,
                          struct column_statistics *out) {
  int64_t ones = 0;
  for (int64_t at = from; at < from + count; at += 64) {
    int64_t size = from + count - at < 64 ? from + count - at : 64;
    uint64_t word = column->bits[at >> 6] & bits_mask(size);
    if (column->validity) word &= column->validity[at >> 6];
    ones += __builtin_popcountll(word);
  }
  set_sum(out, (unsigned __int128)ones);
  out->flags |= STATISTICS_SUM;
  if (out->count) {
    out->flags |= STATISTICS_RANGE;
    out->min.u64 = ones == (int64_t)out->count;
    out->max.u64 = ones > 0;
  }
}

static union statistics_value value_at(const struct column *column, int64_t row) {
  union statistics_value value = {.u64 = 0};
  if (column->type.physical == PHYSICAL_BOOL)
    value.u64 = bit_get(column->bits, row);
  else if (type_width(column->type) == 8)
    value.u64 = column->u64[row];
  return value;
}

static void set_ends(const struct column *column, const int64_t *keys, int64_t from, int64_t count,
                     struct column_statistics *out) {
  int64_t first = from, last = from + count - 1;
  while (!column_is_valid(column, first))
    first++;
  while (!column_is_valid(column, last))
    last--;
  out->flags |= STATISTICS_ENDS;
  out->first = value_at(column, first);
  out->last = value_at(column, last);
  if (keys) {
    out->first_key = keys[first];
    out->last_key = keys[last];
  }
}

void column_statistics_init(struct column_statistics *out) { *out = (struct column_statistics){0}; }

void column_statistics_compute_rows(const struct column *column, const int64_t *keys, int64_t from,
                                    int64_t count, struct column_statistics *out) {
  column_statistics_init(out);
  out->count = (uint32_t)(column->validity ? bits_count(column->validity, from, count) : count);
  if (out->count) set_ends(column, keys, from, count, out);
  if (column->type.physical == PHYSICAL_BOOL)
    compute_bools(column, from, count, out);
  else if (type_width(column->type) == 8)
    compute_numbers(column, from, count, out);
}

void column_statistics_compute(const struct column *column, const int64_t *keys,
                               struct column_statistics *out) {
  column_statistics_compute_rows(column, keys, 0, column->length, out);
}

/* Takes the range of `other` in. */
static void merge_range(struct type type, const struct column_statistics *other,
                        struct column_statistics *into) {
  if (!(into->flags & STATISTICS_RANGE)) {
    into->min = other->min;
    into->max = other->max;
    return;
  }
  bool below, above;
  switch (type.physical) {
  case PHYSICAL_INT64:
    below = other->min.i64 < into->min.i64;
    above = other->max.i64 > into->max.i64;
    break;
  case PHYSICAL_FLOAT64:
    below = other->min.f64 < into->min.f64;
    above = other->max.f64 > into->max.f64;
    break;
  default:
    below = other->min.u64 < into->min.u64;
    above = other->max.u64 > into->max.u64;
  }
  if (below) into->min = other->min;
  if (above) into->max = other->max;
}

static void merge_sum(struct type type, const struct column_statistics *other,
                      struct column_statistics *into) {
  if (type.physical != PHYSICAL_FLOAT64) {
    set_sum(into, (unsigned __int128)column_statistics_sum_integer(into) +
                      (unsigned __int128)column_statistics_sum_integer(other));
    return;
  }
  double total = into->sum + other->sum, part = total - into->sum;
  double lost = (into->sum - (total - part)) + (other->sum - part);
  into->compensation = isfinite(total) ? into->compensation + other->compensation + lost : 0;
  into->sum = total;
}

void column_statistics_merge(struct type type, const struct column_statistics *other,
                             struct column_statistics *into) {
  if (other->flags & STATISTICS_ENDS) {
    bool empty = !(into->flags & STATISTICS_ENDS);
    if (empty || other->first_key < into->first_key) {
      into->first = other->first;
      into->first_key = other->first_key;
    }
    if (empty || other->last_key >= into->last_key) {
      into->last = other->last;
      into->last_key = other->last_key;
    }
  }
  if (other->flags & STATISTICS_RANGE) merge_range(type, other, into);
  if (other->flags & STATISTICS_SUM) merge_sum(type, other, into);
  into->count += other->count;
  into->nan_count += other->nan_count;
  into->flags |= other->flags;
}
