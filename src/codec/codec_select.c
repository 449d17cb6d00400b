/* Selections on images. A range of values is a range of fields: it is translated once per vector,
 * and the fields are compared as they were packed. Bits are found by value, then spread over the
 * rows. */
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec_kernels.h"
#include "codec/nested.h"
#include "columnar/bits.h"

/* What is looked for among the integers or floats of an image, and what was found. */
struct search {
  const struct codec_loops *loops;
  uint32_t from;  /* value of bit 0 */
  uint64_t *bits; /* by value */
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
  if (!part->fields) {
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

static int select_decoded(const struct search *search, const struct codec_image *image,
                          uint32_t from, uint32_t to, struct err *err) {
  uint64_t values[CODEC_VECTOR];
  int code = ERR_OK;
  for (uint32_t end; !code && from < to; from = end) {
    end = (from / CODEC_VECTOR + 1) * CODEC_VECTOR < to ? (from / CODEC_VECTOR + 1) * CODEC_VECTOR
                                                        : to;
    code = codec__decode_values(image, from, end, values, err);
    if (code) break;
    if (search->is_float)
      select_floats(search, from, values, end - from);
    else
      select_integers(search, from, values, end - from);
  }
  return code;
}

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

/* Decimals without exceptions are compared as their integers. */
static int select_decimals(const struct search *floats, const struct codec_image *image,
                           uint32_t from, uint32_t to, struct err *err) {
  struct integer_image integers;
  int code = codec__open_integers(image, &integers, err);
  if (code) return code;
  double power = codec__power(integers.frame.exponent);
  if (integers.frame.exceptions) return select_decoded(floats, image, from, to, err);
  struct search search = *floats;
  /* Up to the greatest m / power <= high: one below the least m / power above it. */
  double above = __builtin_nextafter(floats->float_high, __builtin_inf());
  int64_t low = least_decimal(floats->float_low, power), high = least_decimal(above, power) - 1;
  if (floats->float_high >= 0x1p51) high = INT64_C(1) << 51;
  if (low > high) {
    bits_fill(search.bits, 0, to - from, false);
    return ERR_OK;
  }
  search.flip = FLIP_SIGNED;
  search.low = (uint64_t)low ^ FLIP_SIGNED;
  search.high = (uint64_t)high ^ FLIP_SIGNED;
  return codec__each_vector(image, from, to, CODEC_ALL_VECTORS, select_part, &search, err);
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
  case CODEC_DECIMAL_FOR:
  case CODEC_DECIMAL_DELTA:
    return select_decimals(search, image, from, to, err);
  case CODEC_FOR:
  case CODEC_DELTA:
  case CODEC_DELTA2:
  case CODEC_LINE:
    if (search->is_float) break;
    return codec__each_vector(image, from, to, CODEC_ALL_VECTORS, select_part, search, err);
  default:
    break;
  }
  return select_decoded(search, image, from, to, err);
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

int codec_select_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       union statistics_value low, union statistics_value high, uint64_t *selected,
                       struct err *err) {
  uint64_t bits[CODEC_ROWS_MAX / 64] = {0};
  uint32_t first, last;
  if (type_width(image->type) != 8)
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
  if (some && first < last) code = select_values(&search, image, last, err);
  if (!code) spread(image, from, count, bits, selected);
  return code;
}

/* ---- strings ---- */

/* Places among distinct strings. */
static void select_places(const struct column *distinct, struct str text, const uint64_t *places,
                          uint32_t count, uint64_t *bits) {
  int64_t place = 0;
  while (place < distinct->length && !str_equal(column_str(distinct, place), text))
    place++;
  for (uint32_t i = 0; i < count; i++)
    if (places[i] == (uint64_t)place) bit_set(bits, i);
}

int codec_select_equal(const struct codec_image *image, uint32_t from, uint32_t count,
                       struct str text, struct arena *arena, uint64_t *selected, struct err *err) {
  uint64_t bits[CODEC_ROWS_MAX / 64] = {0};
  uint32_t first, last;
  struct column distinct, all;
  uint64_t *places;
  if (!type_is_string(image->type))
    return err_set(err, ERR_INVALID_ARGUMENT, "a string among values that are none");
  int code = codec__value_range(image, from, count, &first, &last, err);
  if (code) return code;
  uint32_t values = last - first;
  if (values && (image->codec == CODEC_DICTIONARY || image->codec == CODEC_WORDS)) {
    places = arena_alloc(arena, (size_t)values * sizeof *places);
    if (!places) return mem_refused(arena->account, (size_t)values * sizeof *places, err);
    code = codec__decode_places(image, first, last, arena, &distinct, places, err);
    if (!code) select_places(&distinct, text, places, values, bits);
  } else if (values) {
    int32_t *offsets;
    char *data;
    code = codec__decode_texts(image, first, last, arena, &offsets, &data, err);
    all = (struct column){.type = image->type, .length = values, .offsets = offsets, .data = data};
    for (uint32_t i = 0; !code && i < values; i++)
      if (str_equal(column_str(&all, i), text)) bit_set(bits, i);
  }
  if (!code) spread(image, from, count, bits, selected);
  return code;
}
