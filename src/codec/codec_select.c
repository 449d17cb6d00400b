/* Selections on images. A range of values is a range of fields: it is translated once per vector,
 * and the fields are compared as they were packed; of a dictionary the distinct values are. Bits
 * are found by value, then spread over the rows. */
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec_kernels.h"
#include "codec/kernel_parts.h"
#include "columnar/bits.h"

/* What is looked for among the integers or floats of an image, and what was found. */
struct search {
  const struct codec_loops *loops;
  uint32_t from;    /* value of bit 0 */
  uint64_t *bits;   /* by value */
  uint32_t vectors; /* that are looked at */
  bool is_float;
  uint64_t flip;
  uint64_t low, high; /* integers ^ flip */
  double float_low, float_high;
};

static void put(const struct search *search, uint32_t from, uint32_t count, const uint64_t *bits) {
  bits_copy(search->bits, from - search->from, bits, 0, count);
}

static void select_integers(const struct search *search, uint32_t from, const uint64_t *values,
                            uint32_t count) {
  uint64_t bits[CODEC_VECTOR / 64];
  search->loops->select_values(values, count, search->flip, search->low, search->high - search->low,
                               bits);
  put(search, from, count, bits);
}

static void select_floats(const struct search *search, uint32_t from, const uint64_t *values,
                          uint32_t count) {
  uint64_t bits[CODEC_VECTOR / 64];
  search->loops->select_floats((const double *)(const void *)values, count, search->float_low,
                               search->float_high, bits);
  put(search, from, count, bits);
}

static int select_run(void *context, uint64_t value, uint32_t from, uint32_t count) {
  const struct search *search = context;
  double number;
  memcpy(&number, &value, 8);
  bool selected = search->is_float
                      ? number >= search->float_low && number <= search->float_high
                      : (value ^ search->flip) - search->low <= search->high - search->low;
  bits_fill(search->bits, from - search->from, count, selected);
  return ERR_OK;
}

/* The fields that base + scale * field puts into the range; false: the vector's values wrap around.
 * *some is whether there can be any. */
static bool fields_of_range(const struct search *search, const struct vector_part *part,
                            uint32_t *low, uint32_t *high, bool *some) {
  uint64_t base = part->base ^ search->flip, scale = part->scale;
  if (scale == 0 || scale > (UINT64_MAX - base) / UINT32_MAX) return false;
  *some = search->high >= base;
  if (!*some) return true;
  uint64_t first = search->low <= base ? 0 : (search->low - base - 1) / scale + 1;
  uint64_t last = (search->high - base) / scale;
  *some = first <= last && first <= UINT32_MAX;
  *low = (uint32_t)first;
  *high = last > UINT32_MAX ? UINT32_MAX : (uint32_t)last;
  return true;
}

static int select_part(void *context, const struct vector_part *part, struct err *err) {
  const struct search *search = context;
  uint32_t low, high;
  bool some;
  (void)err;
  if (!part->fields && search->is_float) {
    select_floats(search, part->from, part->values, part->count);
  } else if (!part->fields) {
    select_integers(search, part->from, part->values, part->count);
  } else if (!fields_of_range(search, part, &low, &high, &some)) {
    uint64_t values[CODEC_VECTOR];
    search->loops->widen(part->fields, part->count, part->base, part->scale, values);
    select_integers(search, part->from, values, part->count);
  } else if (!some) {
    bits_fill(search->bits, part->from - search->from, part->count, false);
  } else {
    uint64_t bits[CODEC_VECTOR / 64];
    search->loops->select_fields(part->fields, part->count, low, high - low, bits);
    put(search, part->from, part->count, bits);
  }
  return ERR_OK;
}

/* ---- dictionaries ---- */

/* Which of the distinct values are selected, and what to look for among places. */
struct place_search {
  const struct search *search;
  const uint64_t *chosen;
  const struct codec_image *image;
  uint32_t count;
};

static int select_places(void *context, const struct vector_part *part, struct err *err) {
  const struct place_search *of = context;
  uint64_t values[CODEC_VECTOR], bits[CODEC_VECTOR / 64], highest = 0;
  const uint64_t *places = part->values;
  if (part->fields) {
    of->search->loops->widen(part->fields, part->count, part->base, part->scale, values);
    places = values;
  }
  for (uint32_t i = 0; i < part->count; i++)
    highest = places[i] > highest ? places[i] : highest;
  if (highest >= of->count)
    return codec__damaged(of->image, "a place beyond the distinct values", err);
  for (uint32_t at = 0; at < part->count; at += 64) {
    uint64_t word = 0;
    for (uint32_t i = at; i < part->count && i < at + 64; i++)
      word |= (uint64_t)bit_get(of->chosen, (int64_t)places[i]) << (i - at);
    bits[at / 64] = word;
  }
  put(of->search, part->from, part->count, bits);
  return ERR_OK;
}

static int select_values(struct search *search, const struct codec_image *image, uint32_t to,
                         struct err *err);

/* The filter is computed on the distinct values. */
static int select_numbers(const struct search *search, const struct codec_image *image, uint32_t to,
                          struct err *err) {
  struct codec_image distinct, places;
  uint64_t chosen[NUMBERS_DISTINCT_MAX / 64] = {0};
  int code = codec__open_places(image, &distinct, &places, err);
  if (code) return code;
  struct search inner = *search;
  inner.from = 0;
  inner.bits = chosen;
  inner.vectors = CODEC_ALL_VECTORS;
  code = select_values(&inner, &distinct, distinct.rows, err);
  if (code) return code;
  int64_t count = bits_count(chosen, 0, distinct.rows);
  if (count == 0) return ERR_OK;
  struct place_search of = {search, chosen, image, distinct.rows};
  return codec__each_place(&places, search->from, to, search->vectors, select_places, &of, err);
}

/* ---- decimals ---- */

/* The least integer m with m / power >= value, within the integers that decimals have. */
static int64_t least_decimal(double value, double power) {
  const int64_t end = INT64_C(1) << 51;
  double guess = value * power;
  if (!(guess > -(double)end)) return -end;
  if (!(guess < (double)end)) return end;
  int64_t m = (int64_t)guess;
  while (m > -end && (double)(m - 1) / power >= value)
    m--;
  while (m < end && (double)m / power < value)
    m++;
  return m;
}

/* What stands apart from decimals, one by one. */
static int select_exceptions(const struct search *search, const struct codec_image *image,
                             const struct integer_image *integers, uint32_t to, struct err *err) {
  for (uint32_t i = 0; i < integers->frame.exceptions; i++) {
    struct codec_exception exception = codec__exception(integers, i);
    if (exception.position >= image->values)
      return codec__damaged(image, "an exception beyond the values", err);
    if (exception.position < search->from || exception.position >= to) continue;
    (void)select_run((void *)(uintptr_t)search, exception.bits, exception.position, 1);
  }
  return ERR_OK;
}

/* Decimals are compared as their integers. */
static int select_decimals(const struct search *floats, const struct codec_image *image,
                           uint32_t to, struct err *err) {
  struct integer_image integers;
  int code = codec__open_integers(image, &integers, err);
  if (code) return code;
  double power = codec__power(integers.frame.exponent);
  struct search search = *floats;
  /* Up to the greatest m / power <= high: one below the least m / power above it. */
  double above = __builtin_nextafter(floats->float_high, __builtin_inf());
  int64_t low = least_decimal(floats->float_low, power), high = least_decimal(above, power) - 1;
  if (floats->float_high >= 0x1p51) high = INT64_C(1) << 51;
  search.is_float = false;
  search.flip = FLIP_SIGNED;
  search.low = (uint64_t)low ^ FLIP_SIGNED;
  search.high = (uint64_t)high ^ FLIP_SIGNED;
  if (low <= high)
    code = codec__each_vector(image, search.from, to, search.vectors, select_part, &search, err);
  return code ? code : select_exceptions(floats, image, &integers, to, err);
}

static int select_values(struct search *search, const struct codec_image *image, uint32_t to,
                         struct err *err) {
  uint32_t from = search->from;
  uint64_t value;
  switch (image->codec) {
  case CODEC_CONSTANT:
    memcpy(&value, image->payload, 8);
    return select_run(search, value, from, to - from);
  case CODEC_REPEATS:
    return codec__each_run(image, from, to, select_run, search, err);
  case CODEC_NUMBERS:
    return select_numbers(search, image, to, err);
  case CODEC_DECIMAL_FOR:
  case CODEC_DECIMAL_DELTA:
    return select_decimals(search, image, to, err);
  default:
    return codec__each_part(image, from, to, search->vectors, select_part, search, err);
  }
}

static int select_booleans(const struct search *search, const struct codec_image *image,
                           uint32_t to, struct err *err) {
  uint32_t count = to - search->from;
  int code = codec__decode_booleans(image, search->from, to, search->bits, err);
  bool zeros = search->low == 0, ones = search->low <= 1 && search->high >= 1;
  for (size_t w = 0; w < bit_words(count) && !code; w++)
    search->bits[w] = (search->bits[w] & (ones ? ~UINT64_C(0) : 0)) |
                      (~search->bits[w] & (zeros ? ~UINT64_C(0) : 0));
  return code;
}

/* Bits by value to bits by row. */
static void spread(const struct codec_image *image, uint32_t from, uint32_t count,
                   const uint64_t *bits, uint64_t *selected) {
  uint64_t validity[CODEC_ROWS_MAX / 64];
  memset(selected, 0, bit_words(count) * 8);
  if (!image->has_nulls) {
    if (count) bits_copy(selected, 0, bits, 0, count);
    return;
  }
  codec__validity_of(image, from, count, validity);
  int64_t next = 0;
  for (uint32_t row = 0; row < count; row++)
    if (bit_get(validity, row) && bit_get(bits, next++)) bit_set(selected, row);
}

/* Vectors that hold a value of one of the rows. */
static uint32_t vectors_among(const struct codec_image *image, uint32_t from, uint32_t count,
                              const uint64_t *among, uint32_t first, uint32_t last) {
  uint64_t validity[CODEC_ROWS_MAX / 64], bits[CODEC_ROWS_MAX / 64];
  if (!among) return CODEC_ALL_VECTORS;
  if (!image->has_nulls) return codec__vectors_of(among, first, first, last);
  codec__validity_of(image, from, count, validity);
  codec__rows_to_values(validity, count, among, bits);
  return codec__vectors_of(bits, first, first, last);
}

int codec_select_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       union statistics_value low, union statistics_value high,
                       const uint64_t *among, uint64_t *selected, struct err *err) {
  uint64_t bits[CODEC_ROWS_MAX / 64] = {0};
  uint32_t first, last;
  if (type_is_string(image->type))
    return err_set(err, ERR_INVALID_ARGUMENT, "a range of values that are no numbers");
  int code = codec__value_range(image, from, count, &first, &last, err);
  if (code) return code;
  struct search search = {.loops = codec__loops(), .from = first, .bits = bits};
  search.is_float = image->type.physical == PHYSICAL_FLOAT64;
  search.flip = image->type.physical == PHYSICAL_INT64 ? FLIP_SIGNED : FLIP_UNSIGNED;
  search.low = low.u64 ^ search.flip;
  search.high = high.u64 ^ search.flip;
  search.float_low = low.f64;
  search.float_high = high.f64;
  bool some = search.is_float ? low.f64 <= high.f64 : search.low <= search.high;
  search.vectors = some && first < last ? vectors_among(image, from, count, among, first, last) : 0;
  if (search.vectors && image->type.physical == PHYSICAL_BOOL)
    code = select_booleans(&search, image, last, err);
  else if (search.vectors)
    code = select_values(&search, image, last, err);
  if (code) return code;
  spread(image, from, count, bits, selected);
  for (size_t w = 0; among && w < bit_words(count); w++)
    selected[w] &= among[w];
  return ERR_OK;
}

/* ---- strings ---- */

/* Strings of the rows, where no image of distinct ones is there. */
static int choose_rows(const struct codec_image *image, uint32_t first, uint32_t last,
                       codec_choose_texts *choose, void *context, struct arena *arena,
                       uint64_t *bits, struct err *err) {
  int32_t *offsets;
  char *data;
  bool constant = image->codec == CODEC_CONSTANT;
  uint32_t end = constant ? first + 1 : last;
  int code = codec__decode_texts(image, first, end, arena, &offsets, &data, err);
  struct column texts = {
      .type = image->type, .length = end - first, .offsets = offsets, .data = data};
  if (!code) code = choose(context, &texts, bits, err);
  if (!code && constant) bits_fill(bits, 0, last - first, bit_get(bits, 0));
  return code;
}

/* Once for each distinct string, then by places. */
static int choose_distinct(const struct codec_image *image, uint32_t first, uint32_t last,
                           codec_choose_texts *choose, void *context, struct arena *arena,
                           uint64_t *bits, struct err *err) {
  struct column distinct;
  uint32_t count = last - first;
  uint64_t *places = arena_alloc(arena, (size_t)count * sizeof *places);
  if (!places) return mem_refused(arena->account, (size_t)count * sizeof *places, err);
  int code = codec__decode_places(image, first, last, arena, &distinct, places, err);
  if (code) return code;
  uint64_t *chosen = arena_alloc_zero(arena, bit_words(distinct.length) * sizeof *chosen);
  if (!chosen) return mem_refused(arena->account, bit_words(distinct.length) * 8, err);
  code = choose(context, &distinct, chosen, err);
  for (uint32_t i = 0; i < count && !code; i++)
    if (bit_get(chosen, (int64_t)places[i])) bit_set(bits, i);
  return code;
}

int codec_select_texts(const struct codec_image *image, uint32_t from, uint32_t count,
                       codec_choose_texts *choose, void *context, struct arena *arena,
                       uint64_t *selected, struct err *err) {
  uint64_t bits[CODEC_ROWS_MAX / 64] = {0};
  uint32_t first, last;
  if (!type_is_string(image->type))
    return err_set(err, ERR_INVALID_ARGUMENT, "a string among values that are none");
  int code = codec__value_range(image, from, count, &first, &last, err);
  if (code) return code;
  bool distinct = image->codec == CODEC_DICTIONARY || image->codec == CODEC_WORDS;
  if (first < last)
    code = (distinct ? choose_distinct : choose_rows)(image, first, last, choose, context, arena,
                                                      bits, err);
  if (!code) spread(image, from, count, bits, selected);
  return code;
}

static int choose_equal(void *context, const struct column *texts, uint64_t *chosen,
                        struct err *err) {
  const struct str *text = context;
  (void)err;
  for (int64_t i = 0; i < texts->length; i++)
    if (str_equal(column_str(texts, i), *text)) bit_set(chosen, i);
  return ERR_OK;
}

int codec_select_equal(const struct codec_image *image, uint32_t from, uint32_t count,
                       struct str text, struct arena *arena, uint64_t *selected, struct err *err) {
  return codec_select_texts(image, from, count, choose_equal, &text, arena, selected, err);
}
