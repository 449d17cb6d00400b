/* Ascending values are searched as they are stored: the bases of vectors say which of them a bound
 * lies in, and a line that nothing deviates from is searched by arithmetic. */
#include "base/err.h"
#include "codec/codec_kernels.h"
#include "codec/kernel_parts.h"

struct searching {
  const struct integer_image *integers;
  const int64_t *bounds;
  uint32_t count, at; /* bounds before `at` are found */
  uint32_t from, to;
  bool exact; /* a vector's base is its first value */
  uint32_t *rows;
};

/* The last vector of the range whose base is not above the bound. What lies before `from` may be
 * another run, so the first vector's base says nothing. */
static uint32_t vector_of(const struct searching *of, int64_t bound) {
  uint32_t low = of->from / CODEC_VECTOR, high = (of->to - 1) / CODEC_VECTOR;
  while (low < high) {
    uint32_t middle = (low + high + 1) / 2;
    if ((int64_t)of->integers->vectors[middle].base <= bound)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

static uint32_t end_of(const struct searching *of, uint32_t v) {
  uint32_t end = (v + 1) * CODEC_VECTOR;
  return end < of->to ? end : of->to;
}

/* A bound that its vector has no value above. */
static void pass(struct searching *of) {
  of->rows[of->at] = end_of(of, vector_of(of, of->bounds[of->at]));
  of->at++;
}

static int64_t value_at(const struct vector_part *part, uint32_t i) {
  return (int64_t)(part->fields ? part->base + part->scale * part->fields[i] : part->values[i]);
}

static int search_part(void *context, const struct vector_part *part, struct err *err) {
  struct searching *of = context;
  (void)err;
  while (of->exact && of->at < of->count &&
         vector_of(of, of->bounds[of->at]) < part->from / CODEC_VECTOR)
    pass(of);
  int64_t last = value_at(part, part->count - 1);
  for (uint32_t low = 0; of->at < of->count && of->bounds[of->at] < last; of->at++) {
    uint32_t high = part->count - 1; /* above the bound */
    while (low < high) {
      uint32_t middle = (low + high) / 2;
      if (value_at(part, middle) <= of->bounds[of->at])
        low = middle + 1;
      else
        high = middle;
    }
    of->rows[of->at] = part->from + low;
  }
  return ERR_OK;
}

static void search_lines(struct searching *of) {
  const struct integer_image *integers = of->integers;
  for (; of->at < of->count; of->at++) {
    int64_t bound = of->bounds[of->at];
    uint32_t v = vector_of(of, bound), origin = v * CODEC_VECTOR, high = end_of(of, v);
    uint32_t low = origin < of->from ? of->from : origin;
    while (low < high) {
      uint32_t middle = (low + high) / 2;
      if ((int64_t)codec__regular_value(integers, middle) <= bound)
        low = middle + 1;
      else
        high = middle;
    }
    of->rows[of->at] = low;
  }
}

int codec_search(const struct codec_image *image, uint32_t from, uint32_t to, const int64_t *bounds,
                 uint32_t count, uint32_t *rows, bool *done, struct err *err) {
  struct integer_image integers;
  *done = false;
  if (from >= to || to > image->rows)
    return err_set(err, ERR_INVALID_ARGUMENT, "rows %u to %u of a block of %u", from, to,
                   image->rows);
  if (image->type.physical != PHYSICAL_INT64 || image->has_nulls) return ERR_OK;
  if (image->codec != CODEC_LINE && image->codec != CODEC_DELTA && image->codec != CODEC_DELTA2)
    return ERR_OK;
  int code = codec__open_integers(image, &integers, err);
  if (code) return code;
  struct searching of = {.integers = &integers,
                         .bounds = bounds,
                         .count = count,
                         .from = from,
                         .to = to,
                         .exact = image->codec != CODEC_LINE,
                         .rows = rows};
  *done = true;
  if (codec__is_regular(image, &integers)) {
    search_lines(&of);
    return ERR_OK;
  }
  uint32_t vectors = of.exact ? 0 : CODEC_ALL_VECTORS;
  for (uint32_t i = 0; of.exact && i < count; i++)
    vectors |= UINT32_C(1) << vector_of(&of, bounds[i]);
  code = codec__each_vector(image, from, to, vectors, search_part, &of, err);
  while (!code && of.exact && of.at < count)
    pass(&of);
  for (; !code && of.at < count; of.at++)
    rows[of.at] = to;
  return code;
}
