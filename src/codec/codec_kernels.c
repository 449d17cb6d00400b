/* Aggregates over ranges of rows of an image.
 *
 * Rows become values first: present ones are a range of indexes, and of the selection the bits of
 * present rows are put together. Then each vector that holds wanted values is visited once, and
 * every range takes its share of it. Integers are summed in 128 bits, fields as fields: a share's
 * sum is count * base + scale * sum of fields, as long as base + scale * greatest does not wrap
 * around.
 *
 * Decimals are totalled as their integers. What is kept apart from them is taken out of the
 * selection and added float by float.
 *
 * While it is worked on, a range's record holds integers: sum_low and sum_high their sum, min and
 * max the extremes in the order of unsigned numbers (^ flip), first_key and last_key the range by
 * value. */
#include "codec/codec_kernels.h"

#include "base/err.h"
#include "base/memory.h"
#include "codec/kernel_parts.h"
#include "columnar/bits.h"
#include "kernel/select.h"

struct job {
  const struct codec_loops *loops;
  struct type type;
  bool integers; /* totals are of integers, also those of decimals */
  uint64_t flip; /* their order: FLIP_SIGNED or FLIP_UNSIGNED */
  enum codec_wanted wanted;
  /* Of the vector of steps that is being summed: those before step_at (by index in the vector) add
   * up to step_sum. */
  uint32_t step_origin, step_at;
  int64_t step_sum;
  struct column_statistics *records;
  uint32_t count, at;       /* of ranges; those before `at` are done */
  uint32_t from, to;        /* values of all ranges */
  const uint64_t *selected; /* by value, bit 0 being value `from`; NULL: all */
  /* Memory for it. */
  uint64_t bits[CODEC_ROWS_MAX / 64], validity[CODEC_ROWS_MAX / 64];
};

static uint32_t range_from(const struct column_statistics *record) {
  return (uint32_t)record->first_key;
}
static uint32_t range_to(const struct column_statistics *record) {
  return (uint32_t)record->last_key;
}

static uint32_t count_selected(const struct job *job, uint32_t from, uint32_t to) {
  if (!job->selected || from >= to) return from < to ? to - from : 0;
  return (uint32_t)bits_count(job->selected, from - job->from, to - from);
}

/* ---- integers ---- */

static __int128 widened(uint64_t value, uint64_t flip) {
  return flip ? (__int128)(int64_t)value : (__int128)value;
}

static void add_total(const struct job *job, struct column_statistics *record, uint32_t count,
                      unsigned __int128 sum, uint64_t min, uint64_t max) {
  unsigned __int128 total = (unsigned __int128)record->sum_high << 64 | record->sum_low;
  total += sum;
  record->sum_low = (uint64_t)total;
  record->sum_high = (uint64_t)(total >> 64);
  min ^= job->flip;
  max ^= job->flip;
  if (record->count == 0 || min < record->min.u64) record->min.u64 = min;
  if (record->count == 0 || max > record->max.u64) record->max.u64 = max;
  record->count += count;
}

static void add_integers(const struct job *job, struct column_statistics *record,
                         const uint64_t *values, uint32_t count) {
  uint64_t low, high, min, max;
  job->loops->halves(values, count, job->flip, &low, &high);
  job->loops->range(values, count, job->flip, &min, &max);
  unsigned __int128 sum = ((unsigned __int128)high << 32) + low;
  if (job->flip) sum -= (unsigned __int128)count << 63;
  add_total(job, record, count, sum, min ^ job->flip, max ^ job->flip);
}

/* ---- floats ---- */

static void add_floats(struct column_statistics *record, const uint64_t *bits, uint32_t count) {
  struct column column = {.type = TYPE_FLOAT64, .length = count, .u64 = bits};
  struct column_statistics part;
  column_statistics_compute(&column, NULL, &part);
  part.flags &= ~(uint32_t)STATISTICS_ENDS;
  column_statistics_merge(TYPE_FLOAT64, &part, record);
}

/* One float that is there `count` times. */
static void add_float(struct column_statistics *record, uint64_t bits, uint32_t count) {
  struct column_statistics part;
  double number;
  memcpy(&number, &bits, 8);
  column_statistics_init(&part);
  add_floats(&part, &bits, 1);
  part.count *= count;
  part.nan_count *= count;
  double product = number * count;
  if (part.flags & STATISTICS_RANGE) {
    part.sum = product;
    part.compensation = __builtin_isfinite(product) ? __builtin_fma(number, count, -product) : 0;
  }
  column_statistics_merge(TYPE_FLOAT64, &part, record);
}

/* ---- shares ---- */

/* Values of one range that were decoded. */
static void add_values(const struct job *job, struct column_statistics *record, uint32_t from,
                       const uint64_t *values, uint32_t count) {
  uint64_t dense[CODEC_VECTOR + 1];
  if (job->selected) {
    uint64_t bits[CODEC_VECTOR / 64];
    bits_copy(bits, 0, job->selected, from - job->from, count);
    count = (uint32_t)select_squeeze(values, bits, 0, count, dense);
    values = dense;
  }
  if (count == 0) return;
  if (job->integers)
    add_integers(job, record, values, count);
  else
    add_floats(record, values, count);
}

static void add_fields(const struct job *job, struct column_statistics *record,
                       const struct vector_part *part, uint32_t from, uint32_t count) {
  const uint32_t *fields = part->fields + (from - part->from);
  struct codec_fields of;
  if (job->selected)
    job->loops->summarize_selected(fields, count, job->selected, from - job->from, &of);
  else
    job->loops->summarize(fields, count, &of);
  if (of.count == 0) return;
  uint64_t scale = part->scale, min = part->base + scale * of.min,
           max = part->base + scale * of.max;
  unsigned __int128 span = (unsigned __int128)scale * (of.max - of.min);
  if (span > (UINT64_MAX ^ min ^ job->flip)) { /* they wrap around between least and greatest */
    uint64_t values[CODEC_VECTOR];
    job->loops->widen(fields, count, part->base, scale, values);
    add_values(job, record, from, values, count);
    return;
  }
  unsigned __int128 sum = (unsigned __int128)(widened(min, job->flip) * of.count);
  sum += (unsigned __int128)scale * (of.sum - (uint64_t)of.count * of.min);
  add_total(job, record, of.count, sum, min, max);
}

/* Sums of differences: value i of a vector is base + scale * the sum of steps up to it, so that
 * `count` values behind P come to count * P and each step as often as it is in one of them. */
static void add_steps(struct job *job, struct column_statistics *record,
                      const struct vector_part *part, uint32_t from, uint32_t count) {
  uint32_t origin = part->from - part->from % CODEC_VECTOR, at = from - origin;
  int64_t sum, weighted;
  if (origin != job->step_origin) {
    job->step_origin = origin;
    job->step_at = 0;
    job->step_sum = 0;
  }
  if (at > job->step_at) {
    job->loops->weigh(part->steps + job->step_at, at - job->step_at, &sum, &weighted);
    job->step_sum += sum;
  }
  job->loops->weigh(part->steps + at, count, &sum, &weighted);
  __int128 n = count, before = (__int128)job->step_sum + (__int128)part->add * at;
  __int128 all = n * before + weighted + (__int128)part->add * (n * (n + 1) / 2);
  job->step_sum += sum;
  job->step_at = at + count;
  __int128 total = widened(part->base, job->flip) * n + (__int128)part->scale * all;
  unsigned __int128 old = (unsigned __int128)record->sum_high << 64 | record->sum_low;
  old += (unsigned __int128)total;
  record->sum_low = (uint64_t)old;
  record->sum_high = (uint64_t)(old >> 64);
  record->count += count;
}

static int add_part(void *context, const struct vector_part *part, struct err *err) {
  struct job *job = context;
  uint32_t end = part->from + part->count;
  (void)err;
  for (; job->at < job->count; job->at++) {
    struct column_statistics *record = &job->records[job->at];
    uint32_t from = range_from(record) > part->from ? range_from(record) : part->from;
    uint32_t to = range_to(record) < end ? range_to(record) : end;
    if (from < to && part->steps)
      add_steps(job, record, part, from, to - from);
    else if (from < to && part->fields)
      add_fields(job, record, part, from, to - from);
    else if (from < to)
      add_values(job, record, from, part->values + (from - part->from), to - from);
    if (range_to(record) > end) break;
  }
  return ERR_OK;
}

static int add_run(void *context, uint64_t value, uint32_t from, uint32_t count) {
  struct job *job = context;
  uint32_t end = from + count;
  for (; job->at < job->count; job->at++) {
    struct column_statistics *record = &job->records[job->at];
    uint32_t first = range_from(record) > from ? range_from(record) : from;
    uint32_t last = range_to(record) < end ? range_to(record) : end;
    uint32_t of = count_selected(job, first, last);
    if (of && job->integers)
      add_total(job, record, of, (unsigned __int128)(widened(value, job->flip) * of), value, value);
    else if (of)
      add_float(record, value, of);
    if (range_to(record) > end) break;
  }
  return ERR_OK;
}

/* ---- columns ---- */

/* The vectors that hold values of any range. */
static uint32_t vectors_of(const struct job *job) {
  uint32_t vectors = 0;
  for (uint32_t i = 0; i < job->count; i++) {
    uint32_t from = range_from(&job->records[i]), to = range_to(&job->records[i]);
    bool known =
        from < to && vectors >> from / CODEC_VECTOR & 1 && vectors >> (to - 1) / CODEC_VECTOR & 1;
    if (!known) vectors |= codec__vectors_of(job->selected, job->from, from, to);
  }
  return vectors;
}

static int add_numbers(struct job *job, const struct codec_image *image, struct err *err) {
  uint64_t value, vectors;
  switch (image->codec) {
  case CODEC_CONSTANT:
    memcpy(&value, image->payload, 8);
    return add_run(job, value, job->from, job->to - job->from);
  case CODEC_REPEATS:
    return codec__each_run(image, job->from, job->to, add_run, job, err);
  default:
    vectors = vectors_of(job);
    if (job->wanted == CODEC_SUMS && !job->selected && job->integers) vectors |= CODEC_AS_STEPS;
    return codec__each_part(image, job->from, job->to, vectors, add_part, job, err);
  }
}

static void finish_integers(const struct job *job) {
  for (uint32_t i = 0; i < job->count; i++) {
    struct column_statistics *record = &job->records[i];
    if (!record->count) continue;
    record->flags |= STATISTICS_RANGE;
    record->min.u64 ^= job->flip;
    record->max.u64 ^= job->flip;
  }
}

/* The range that value `position` lies in; NULL: none. */
static struct column_statistics *find_range(const struct job *job, uint32_t position) {
  uint32_t low = 0, high = job->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (range_to(&job->records[middle]) <= position)
      low = middle + 1;
    else
      high = middle;
  }
  bool found = low < job->count && range_from(&job->records[low]) <= position;
  return found ? &job->records[low] : NULL;
}

/* Takes exceptions out of the selection, which is then there; *exceptions has those of them that
 * were selected. */
static int set_apart(struct job *job, const struct codec_image *image,
                     const struct integer_image *integers, uint64_t *exceptions, struct err *err) {
  memset(exceptions, 0, bit_words(job->to - job->from) * 8);
  if (!job->selected) bits_fill(job->bits, 0, job->to - job->from, true);
  job->selected = job->bits;
  for (uint32_t i = 0; i < integers->frame.exceptions; i++) {
    struct codec_exception exception = codec__exception(integers, i);
    if (exception.position >= image->values)
      return codec__damaged(image, "an exception beyond the values", err);
    if (exception.position < job->from || exception.position >= job->to) continue;
    uint32_t at = exception.position - job->from;
    if (bit_get(job->bits, at)) bit_set(exceptions, at);
    bit_clear(job->bits, at);
  }
  return ERR_OK;
}

/* The integers of decimals: their sum is that of the decimals times a power of ten. */
static void finish_decimals(const struct job *job, double power) {
  for (uint32_t i = 0; i < job->count; i++) {
    struct column_statistics *record = &job->records[i];
    if (!record->count) continue; /* sum 0, as of floats */
    __int128 sum = column_statistics_sum_integer(record);
    record->flags |= STATISTICS_RANGE;
    record->min.f64 = (double)(int64_t)(record->min.u64 ^ job->flip) / power;
    record->max.f64 = (double)(int64_t)(record->max.u64 ^ job->flip) / power;
    record->sum = (double)sum / power;
    record->compensation = 0;
  }
}

static int add_decimals(struct job *job, const struct codec_image *image, struct err *err) {
  struct integer_image integers;
  uint64_t exceptions[CODEC_ROWS_MAX / 64];
  int code = codec__open_integers(image, &integers, err);
  if (!code && integers.frame.exceptions) code = set_apart(job, image, &integers, exceptions, err);
  job->integers = true;
  job->flip = FLIP_SIGNED;
  if (!code) code = add_numbers(job, image, err);
  if (code) return code;
  finish_decimals(job, codec__power(integers.frame.exponent));
  for (uint32_t i = 0; i < integers.frame.exceptions; i++) {
    struct codec_exception exception = codec__exception(&integers, i);
    if (exception.position < job->from || exception.position >= job->to ||
        !bit_get(exceptions, exception.position - job->from))
      continue;
    struct column_statistics *record = find_range(job, exception.position);
    if (record) add_floats(record, &exception.bits, 1);
  }
  return ERR_OK;
}

static int add_booleans(struct job *job, const struct codec_image *image, struct err *err) {
  uint64_t bits[CODEC_ROWS_MAX / 64] = {0};
  int code = codec__decode_booleans(image, job->from, job->to, bits, err);
  for (uint32_t i = 0; i < job->count && !code; i++) {
    struct column_statistics *record = &job->records[i];
    uint32_t from = range_from(record) - job->from, to = range_to(record) - job->from, ones = 0;
    for (uint32_t at = from; at < to; at += 64) {
      uint32_t size = to - at < 64 ? to - at : 64;
      uint64_t word = bits_load(bits, at, size) & bits_mask(size);
      uint64_t of = job->selected ? bits_load(job->selected, at, size) : ~UINT64_C(0);
      ones += (uint32_t)__builtin_popcountll(word & of);
      record->count += (uint32_t)__builtin_popcountll(of & bits_mask(size));
    }
    record->sum_low = ones;
    record->min.u64 = record->count && ones == record->count;
    record->max.u64 = ones > 0;
    if (record->count) record->flags |= STATISTICS_RANGE;
  }
  return code;
}

static int add_all(struct job *job, const struct codec_image *image, struct err *err) {
  if (job->wanted == CODEC_COUNTS || type_is_string(image->type)) {
    for (uint32_t i = 0; i < job->count; i++)
      job->records[i].count =
          count_selected(job, range_from(&job->records[i]), range_to(&job->records[i]));
    return ERR_OK;
  }
  for (uint32_t i = 0; i < job->count; i++)
    job->records[i].flags = STATISTICS_SUM;
  if (job->from == job->to) return ERR_OK;
  if (image->type.physical == PHYSICAL_BOOL) return add_booleans(job, image, err);
  if (image->codec == CODEC_DECIMAL_FOR || image->codec == CODEC_DECIMAL_DELTA)
    return add_decimals(job, image, err);
  job->integers = image->type.physical != PHYSICAL_FLOAT64;
  job->flip = image->type.physical == PHYSICAL_INT64 ? FLIP_SIGNED : FLIP_UNSIGNED;
  int code = add_numbers(job, image, err);
  if (!code && job->integers) finish_integers(job);
  return code;
}

/* ---- rows ---- */

/* Empty records that know their range by value, and the selection by value. */
static int begin(struct job *job, const struct codec_image *image, const struct codec_range *ranges,
                 const uint64_t *selected, struct err *err) {
  const struct codec_range *last = &ranges[job->count - 1];
  uint32_t first = ranges[0].from, end = last->from + last->count, values = 0, row = first;
  int code = codec__value_range(image, first, end - first, &job->from, &job->to, err);
  if (code) return code;
  if (image->has_nulls) codec__validity_of(image, first, end - first, job->validity);
  for (uint32_t i = 0; i < job->count; i++) {
    const struct codec_range *range = &ranges[i];
    uint32_t stop = range->from + range->count;
    if (range->from < row || stop < range->from || stop > end)
      return err_set(err, ERR_INVALID_ARGUMENT, "ranges of rows that do not ascend");
    uint32_t before = range->from - row, inside = range->count;
    if (image->has_nulls) {
      before = (uint32_t)bits_count(job->validity, row - first, before);
      inside = (uint32_t)bits_count(job->validity, range->from - first, inside);
    }
    values += before;
    column_statistics_init(&job->records[i]);
    job->records[i].first_key = job->from + values;
    job->records[i].last_key = job->from + values + inside;
    values += inside;
    row = stop;
  }
  if (!selected || first == end) return ERR_OK;
  bits_copy(job->bits, 0, selected, first, end - first);
  if (image->has_nulls) codec__rows_to_values(job->validity, end - first, job->bits, job->bits);
  job->selected = job->bits;
  return ERR_OK;
}

int codec_aggregate(const struct codec_image *image, const struct codec_range *ranges,
                    uint32_t range_count, const uint64_t *selected, enum codec_wanted wanted,
                    struct column_statistics *out, struct err *err) {
  struct job job;
  if (range_count == 0) return ERR_OK;
  job.loops = codec__loops();
  job.type = image->type;
  job.records = out;
  job.count = range_count;
  job.at = 0;
  job.integers = false;
  job.flip = FLIP_UNSIGNED;
  job.selected = NULL;
  job.wanted = wanted;
  job.step_origin = UINT32_MAX;
  int code = begin(&job, image, ranges, selected, err);
  if (!code) code = add_all(&job, image, err);
  for (uint32_t i = 0; i < range_count && !code; i++) {
    out[i].first_key = out[i].last_key = 0;
    if (wanted == CODEC_TOTALS) continue;
    out[i].flags &= ~(uint32_t)STATISTICS_RANGE;
    out[i].min.u64 = out[i].max.u64 = 0;
  }
  return code;
}

int codec_statistics(const struct codec_image *image, uint32_t from, uint32_t count,
                     struct column_statistics *out, struct err *err) {
  struct codec_range range = {from, count};
  return codec_aggregate(image, &range, 1, NULL, CODEC_TOTALS, out, err);
}
