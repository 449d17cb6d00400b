/* Patched bit packing to integers. What codec__open_integers has checked is relied on; positions of
 * exceptions are checked when they are used. */
#include "codec/codec_private.h"

#include "base/err.h"
#include "base/memory.h"

static size_t vector_values(const struct codec_image *image, size_t v) {
  size_t rest = image->values - v * CODEC_VECTOR;
  return rest < CODEC_VECTOR ? rest : CODEC_VECTOR;
}

/* Takes the next `size` bytes (at most 8) as a number. */
static bool take_number(struct codec_bytes *bytes, size_t size, uint64_t *number) {
  const uint8_t *taken;
  *number = 0;
  if (!codec__take(bytes, size, &taken)) return false;
  memcpy(number, taken, size);
  return true;
}

static bool is_power_of_two_up_to_8(unsigned size) {
  return size == 1 || size == 2 || size == 4 || size == 8;
}

/* Bytes of a vector's payload but for the stream of codes. */
static size_t packed_size(const struct vector_place *place, size_t count) {
  return codec__vector_size(count, place->width) + (size_t)place->exceptions * (place->high + 2u);
}

static int check_place(const struct codec_image *image, const struct vector_place *place,
                       size_t count, struct err *err) {
  if (place->width > 64) return codec__damaged(image, "a field wider than 64 bits", err);
  if (place->exceptions > count) return codec__damaged(image, "more exceptions than values", err);
  if (place->exceptions && (!is_power_of_two_up_to_8(place->high) || place->width == 64))
    return codec__damaged(image, "exceptions of an impossible size", err);
  return ERR_OK;
}

/* The vector table of packed fields. */
static int open_packed(const struct codec_image *image, struct codec_bytes bytes,
                       struct integer_image *integers, struct err *err) {
  size_t vectors = (image->values + CODEC_VECTOR - 1) / CODEC_VECTOR;
  const uint8_t *table;
  if (!codec__take(&bytes, vectors * sizeof(struct vector_entry), &table))
    return codec__damaged(image, "no room for the vector table", err);
  size_t end = 0;
  for (size_t v = 0; v < vectors; v++) {
    struct vector_entry entry;
    memcpy(&entry, table + v * sizeof entry, sizeof entry);
    struct vector_place *place = &integers->vectors[v];
    size_t count = vector_values(image, v), offset = (size_t)entry.offset * 8;
    *place = (struct vector_place){.base = entry.base,
                                   .exceptions = entry.exceptions,
                                   .width = entry.width,
                                   .high = entry.high};
    int code = check_place(image, place, count, err);
    if (code) return code;
    place->size = (uint32_t)packed_size(place, count);
    if (offset > bytes.size || place->size > bytes.size - offset)
      return codec__damaged(image, "a vector beyond the end", err);
    place->payload = bytes.at + offset;
    end = offset + codec__align(place->size);
  }
  if (end > bytes.size) end = bytes.size;
  integers->behind = (struct codec_bytes){bytes.at + end, bytes.size - end};
  return ERR_OK;
}

/* What stands between the numbers of a compact image and its table: base, line, code. */
static int open_head(const struct codec_image *image, struct codec_bytes *bytes,
                     struct integer_image *integers, uint64_t *base, struct err *err) {
  const struct integer_frame *frame = &integers->frame;
  bool coded = frame->flags & FRAME_CODES, line = image->codec == CODEC_LINE;
  unsigned symbols = frame->symbols_last + 1u;
  uint64_t fraction = 0;
  if (frame->width > (coded ? CODES_WIDTH_MAX : 64) ||
      (frame->base_bytes != 0 && !is_power_of_two_up_to_8(frame->base_bytes)))
    return codec__damaged(image, "an impossible frame", err);
  if (!take_number(bytes, 8, base) || (line && !take_number(bytes, 8, &integers->line.whole)) ||
      (line && !take_number(bytes, 4, &fraction)))
    return codec__damaged(image, "no room for the base", err);
  integers->line.fraction = (uint32_t)fraction;
  if (!coded) return ERR_OK;
  if (!codec__take(bytes, huffman_stored_size(symbols), &integers->code))
    return codec__damaged(image, "no room for the code", err);
  if (!huffman_is_stored(integers->code, symbols))
    return codec__damaged(image, "a code that is not complete", err);
  return ERR_OK;
}

/* The compact table, and the payloads one after another. */
static int open_compact(const struct codec_image *image, struct codec_bytes bytes,
                        struct integer_image *integers, struct err *err) {
  const struct integer_frame *frame = &integers->frame;
  size_t vectors = (image->values + CODEC_VECTOR - 1) / CODEC_VECTOR;
  size_t table_size = vectors * codec__compact_entry_size(frame);
  unsigned base_bytes = frame->base_bytes;
  struct codec_bytes entries = {.size = table_size};
  uint64_t base = 0;
  const uint8_t *padding;
  int code = open_head(image, &bytes, integers, &base, err);
  if (code) return code;
  if (!codec__take(&bytes, table_size, &entries.at))
    return codec__damaged(image, "no room for the vector table", err);
  for (size_t v = 0; v < vectors && !code; v++) {
    uint64_t difference, size, exceptions = 0, high = 0;
    struct vector_place *place = &integers->vectors[v];
    (void)take_number(&entries, base_bytes, &difference);
    (void)take_number(&entries, 2, &size);
    if (frame->flags & FRAME_EXCEPTIONS) {
      (void)take_number(&entries, 2, &exceptions);
      (void)take_number(&entries, 1, &high);
    }
    if (base_bytes > 0 && base_bytes < 8 && difference >> (8 * base_bytes - 1))
      difference |= ~UINT64_C(0) << (8 * base_bytes);
    uint64_t rise = codec__line_at(&integers->line, v * CODEC_VECTOR); /* 0 without a line */
    *place = (struct vector_place){.base = base + integers->scale * rise + difference,
                                   .size = (uint32_t)size,
                                   .exceptions = (uint16_t)exceptions,
                                   .width = frame->width,
                                   .high = (uint8_t)high};
    code = check_place(image, place, vector_values(image, v), err);
    if (!code && (packed_size(place, vector_values(image, v)) > size ||
                  !codec__take(&bytes, size, &place->payload)))
      code = codec__damaged(image, "a vector beyond the end", err);
  }
  size_t fill = (size_t)(image->bytes - bytes.at) & 7;
  (void)codec__take(&bytes, fill < bytes.size ? fill : bytes.size, &padding);
  integers->behind = bytes;
  return code;
}

static int open_integers(const struct codec_image *image, struct integer_image *integers,
                         struct err *err) {
  struct codec_bytes bytes = {image->payload, image->payload_size};
  const uint8_t *taken;
  integers->scale = 1;
  integers->center = 0;
  integers->line = (struct codec_line){0};
  if (!codec__take(&bytes, sizeof integers->frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(&integers->frame, taken, sizeof integers->frame);
  if (integers->frame.flags & FRAME_SCALE && !take_number(&bytes, 8, &integers->scale))
    return codec__damaged(image, "no room for the scale", err);
  if (integers->frame.flags & FRAME_CENTER && !take_number(&bytes, 8, &integers->center))
    return codec__damaged(image, "no room for the center", err);
  bool compact = integers->frame.flags & FRAME_COMPACT;
  if (!compact && (image->codec == CODEC_LINE || integers->frame.flags & FRAME_CODES))
    return codec__damaged(image, "a table that does not fit the codec", err);
  return compact ? open_compact(image, bytes, integers, err)
                 : open_packed(image, bytes, integers, err);
}

_Static_assert(sizeof(struct integer_image) <= sizeof((struct codec_opened){0}.words),
               "what is kept has room");

int codec__open_integers(const struct codec_image *image, struct integer_image *integers,
                         struct err *err) {
  struct codec_opened *opened = image->opened;
  if (opened && opened->valid) {
    memcpy(integers, opened->words, sizeof *integers);
    return ERR_OK;
  }
  int code = open_integers(image, integers, err);
  if (code || !opened) return code;
  memcpy(opened->words, integers, sizeof *integers);
  opened->valid = true;
  return ERR_OK;
}

/* ---- one vector ---- */

/* How differences come out of a vector, but for its exceptions: those are zigzag. */
enum difference_form {
  DIFFERENCE_NONE,   /* there are none */
  DIFFERENCE_ZIGZAG, /* packed bits and codes */
  DIFFERENCE_BIASED, /* packed bits: the difference and half of what they can count */
  DIFFERENCE_STEPS,  /* codes alone: signed bytes */
};

/* One vector that is being decoded. */
struct vector {
  const struct codec_loops *loops;
  const struct codec_image *image;
  uint64_t scale, center;
  struct codec_line line;
  struct vector_place entry;
  const uint8_t *packed;
  const uint8_t *symbols; /* what stands above the packed bits; NULL: nothing */
  size_t count;
  enum difference_form form; /* of codecs with differences */
  double power;              /* floats: what the integers are divided by; 0: nothing */
};

static uint64_t unzigzag(uint64_t field) { return field >> 1 ^ (0 - (field & 1)); }

/* What is added to differences before they are packed. */
static uint64_t bias_of(const struct vector *vector) {
  unsigned width = vector->entry.width;
  return vector->form == DIFFERENCE_BIASED && width ? UINT64_C(1) << (width - 1) : 0;
}

static uint64_t high_part(const uint8_t *highs, size_t i, unsigned size) {
  uint64_t high = 0;
  switch (size) { /* constant sizes, or each would be a call of memcpy */
  case 1:
    return highs[i];
  case 2:
    memcpy(&high, highs + i * 2, 2);
    return high;
  case 4:
    memcpy(&high, highs + i * 4, 4);
    return high;
  default:
    memcpy(&high, highs + i * 8, 8);
    return high;
  }
}

/* A field whose high part is an exception's. */
static uint64_t patched(const struct vector *vector, uint64_t low, uint64_t high) {
  uint64_t field = low + (high << vector->entry.width);
  return vector->form <= DIFFERENCE_ZIGZAG ? field : unzigzag(field) + bias_of(vector);
}

/* Adds the high part at each exception's position, times factor where there are no differences; a
 * field's low bits are below. */
static int patch(const struct vector *vector, uint64_t factor, uint64_t *fields, struct err *err) {
  unsigned width = vector->entry.width, size = vector->entry.high;
  const uint8_t *highs = vector->packed + codec__vector_size(vector->count, width);
  const uint8_t *positions = highs + (size_t)vector->entry.exceptions * size;
  for (size_t i = 0; i < vector->entry.exceptions; i++) {
    uint16_t position;
    memcpy(&position, positions + i * 2, 2);
    if (position >= vector->count)
      return codec__damaged(vector->image, "an exception beyond its vector", err);
    uint64_t high = high_part(highs, i, size);
    if (vector->form == DIFFERENCE_NONE)
      fields[position] += factor * (high << width);
    else
      fields[position] = patched(vector, fields[position], high);
  }
  return ERR_OK;
}

/* The same for fields of 32 bits that no exception leaves. */
static int patch_narrow(const struct vector *vector, uint32_t *fields, struct err *err) {
  unsigned width = vector->entry.width, size = vector->entry.high;
  const uint8_t *highs = vector->packed + codec__vector_size(vector->count, width);
  const uint8_t *positions = highs + (size_t)vector->entry.exceptions * size;
  for (size_t i = 0; i < vector->entry.exceptions; i++) {
    uint16_t position;
    memcpy(&position, positions + i * 2, 2);
    if (position >= vector->count)
      return codec__damaged(vector->image, "an exception beyond its vector", err);
    fields[position] = (uint32_t)patched(vector, fields[position], high_part(highs, i, size));
  }
  return ERR_OK;
}

/* Bits of fields but for exceptions. */
static unsigned field_width(const struct vector *vector) {
  return vector->entry.width + (vector->symbols ? 8u : 0u);
}

/* Bits of any field, exceptions included. */
static unsigned patched_width(const struct vector *vector) {
  unsigned patched = vector->entry.exceptions ? vector->entry.width + 8u * vector->entry.high : 0;
  return field_width(vector) > patched ? field_width(vector) : patched;
}

/* The fields without exceptions; field_width must be at most 32. */
static void unpack(const struct vector *vector, uint32_t *fields) {
  codec__unpack_vector(vector->loops, vector->packed, vector->count, vector->entry.width, fields);
  if (vector->symbols)
    vector->loops->add_symbols(fields, vector->count, vector->symbols, vector->entry.width);
}

static void unpack_wide(const struct vector *vector, uint64_t *fields) {
  codec__unpack_vector_wide(vector->loops, vector->packed, vector->count, vector->entry.width,
                            fields);
  if (vector->symbols)
    vector->loops->add_symbols_wide(fields, vector->count, vector->symbols, vector->entry.width);
}

static int decode_for(const struct vector *vector, uint64_t *out, struct err *err) {
  const struct codec_loops *loops = vector->loops;
  if (field_width(vector) <= 32) {
    VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
    unpack(vector, fields);
    loops->widen(fields, vector->count, vector->entry.base, vector->scale, out);
  } else {
    unpack_wide(vector, out);
    loops->affine(out, vector->count, vector->entry.base, vector->scale);
  }
  return vector->entry.exceptions ? patch(vector, vector->scale, out, err) : ERR_OK;
}

static int decode_line(const struct vector *vector, uint64_t *out, struct err *err) {
  const struct codec_loops *loops = vector->loops;
  uint64_t base = vector->entry.base;
  int code = ERR_OK;
  if (patched_width(vector) <= 31 && vector->scale <= UINT32_MAX) {
    VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
    unpack(vector, fields);
    if (vector->entry.exceptions) code = patch_narrow(vector, fields, err);
    if (!code) loops->widen_line(fields, vector->count, &vector->line, base, vector->scale, out);
    return code;
  }
  unpack_wide(vector, out);
  if (vector->entry.exceptions) code = patch(vector, 1, out, err);
  if (!code) loops->add_line(out, vector->count, &vector->line, base, vector->scale);
  return code;
}

/* Whether sums of a vector's differences, exceptions and centers included, stay within 2^30: each
 * is below 2^20 in magnitude, and there are 2^10. */
static bool is_narrow(const struct vector *vector, uint64_t center) {
  return patched_width(vector) <= 20 && vector->entry.high <= 1 &&
         center + (UINT64_C(1) << 19) < UINT64_C(1) << 20;
}

/* Whether differences come out as steps or as biased fields of at most 11 bits, which exceptions do
 * not, and with the center none of them leaves +-2^11. */
static bool is_small(const struct vector *vector, uint64_t center) {
  bool fits = vector->form == DIFFERENCE_STEPS ||
              (vector->form == DIFFERENCE_BIASED && field_width(vector) <= 11);
  return fits && !vector->entry.exceptions && center + 1023 < 2 * 1023;
}

/* fields[i] = start + the sum of differences + center up to i, where is_narrow; the first
 * difference is 0. */
static int narrow_sums(const struct vector *vector, uint64_t center, uint32_t start,
                       uint32_t *fields, struct err *err) {
  const struct codec_loops *loops = vector->loops;
  uint32_t add = (uint32_t)(center - bias_of(vector));
  bool steps = vector->form == DIFFERENCE_STEPS;
  if (steps && !vector->entry.exceptions) {
    loops->sum_steps(vector->symbols, vector->count, start, add, is_small(vector, center), fields);
    return ERR_OK;
  }
  if (!steps) unpack(vector, fields);
  for (size_t i = 0; steps && i < vector->count; i++)
    fields[i] = (uint32_t)(int8_t)vector->symbols[i];
  int code = vector->entry.exceptions ? patch_narrow(vector, fields, err) : ERR_OK;
  if (code) return code;
  if (vector->form == DIFFERENCE_ZIGZAG)
    loops->unzigzag_sum(fields, vector->count, start, add);
  else
    loops->sum_fields(fields, vector->count, start, add, is_small(vector, center));
  return ERR_OK;
}

/* The same into 64 bits, for the forms that have a loop which does it all; false: it is another. */
static bool sum_at_once(const struct vector *vector, uint64_t center, uint64_t start,
                        uint32_t *fields, uint64_t *out, int *code, struct err *err) {
  const struct codec_loops *loops = vector->loops;
  uint32_t add = (uint32_t)(center - bias_of(vector));
  bool small = is_small(vector, center);
  if (vector->form == DIFFERENCE_STEPS && !vector->entry.exceptions) {
    loops->sum_steps_wide(vector->symbols, vector->count, start, add, small, out);
    return true;
  }
  if (vector->form != DIFFERENCE_BIASED) return false;
  unpack(vector, fields);
  if (vector->entry.exceptions) *code = patch_narrow(vector, fields, err);
  if (!*code) loops->sum_wide(fields, vector->count, start, add, small, out);
  return true;
}

/* out[i] = start + the sum of scale * (difference + center) up to i; the first difference is 0. */
static int decode_sums(const struct vector *vector, uint64_t center, uint64_t start, uint64_t *out,
                       struct err *err) {
  const struct codec_loops *loops = vector->loops;
  size_t count = vector->count;
  int code = ERR_OK;
  if (is_narrow(vector, center)) {
    VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
    if (vector->scale == 1 && sum_at_once(vector, center, start, fields, out, &code, err))
      return code;
    code = narrow_sums(vector, center, 0, fields, err);
    if (!code) loops->widen_signed(fields, count, start, vector->scale, out);
    return code;
  }
  if (vector->form == DIFFERENCE_STEPS) {
    for (size_t i = 0; i < count; i++)
      out[i] = (uint64_t)(int8_t)vector->symbols[i];
  } else {
    unpack_wide(vector, out);
  }
  if (vector->entry.exceptions) code = patch(vector, 1, out, err);
  if (code) return code;
  if (vector->form == DIFFERENCE_ZIGZAG)
    loops->unzigzag_wide(out, count, center, vector->scale);
  else
    loops->affine(out, count, vector->scale * (center - bias_of(vector)), vector->scale);
  loops->prefix(out, count, start);
  return ERR_OK;
}

static int decode_integers(const struct vector *vector, unsigned codec, uint64_t *out,
                           struct err *err) {
  uint64_t base = vector->entry.base, step = vector->scale * vector->center;
  if (codec == CODEC_FOR || codec == CODEC_DECIMAL_FOR) return decode_for(vector, out, err);
  if (codec == CODEC_LINE) return decode_line(vector, out, err);
  if (codec == CODEC_DELTA || codec == CODEC_DECIMAL_DELTA)
    return decode_sums(vector, vector->center, base - step, out, err);
  int code = decode_sums(vector, 0, step, out, err);
  if (!code) vector->loops->prefix(out, vector->count, base - step);
  return code;
}

/* Decimals whose integers fit into 32 bits, which are converted twice as fast: *done. */
static int decode_narrow_decimals(const struct vector *vector, unsigned codec, uint64_t *out,
                                  bool *done, struct err *err) {
  VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
  const uint64_t limit = UINT64_C(1) << 30;
  bool sums = codec == CODEC_DECIMAL_DELTA;
  uint64_t start = vector->entry.base - (sums ? vector->center : 0);
  int code = ERR_OK;
  *done = vector->scale == 1 && start + limit < 2 * limit &&
          (sums ? is_narrow(vector, vector->center) : patched_width(vector) <= 30);
  if (!*done) return ERR_OK;
  if (sums) {
    code = narrow_sums(vector, vector->center, (uint32_t)start, fields, err);
    start = 0;
  } else {
    unpack(vector, fields);
    if (vector->entry.exceptions) code = patch_narrow(vector, fields, err);
  }
  if (!code)
    vector->loops->undecimal_fields(fields, vector->count, (int32_t)start, vector->power, out);
  return code;
}

static int decode_vector(const struct vector *vector, unsigned codec, uint64_t *out,
                         struct err *err) {
  bool done = false;
  if (vector->power == 0) return decode_integers(vector, codec, out, err);
  int code = decode_narrow_decimals(vector, codec, out, &done, err);
  if (code || done) return code;
  code = decode_integers(vector, codec, out, err);
  if (!code) vector->loops->undecimal(out, vector->count, vector->power);
  return code;
}

/* Symbols of some vectors. */
struct decoded_symbols {
  unsigned count;
  size_t vectors[HUFFMAN_STREAMS];
  uint8_t symbols[HUFFMAN_STREAMS][CODEC_VECTOR + HUFFMAN_OVERRUN];
};

/* Decodes the codes of those vectors at the same time. */
static void decode_symbols(const struct codec_image *image, const struct integer_image *integers,
                           const struct huffman_decoder *decoder, struct decoded_symbols *decoded) {
  struct huffman_stream streams[HUFFMAN_STREAMS];
  for (unsigned i = 0; i < decoded->count; i++) {
    const struct vector_place *place = &integers->vectors[decoded->vectors[i]];
    size_t count = vector_values(image, decoded->vectors[i]);
    streams[i] =
        (struct huffman_stream){.bytes = place->payload + packed_size(place, count),
                                .end = image->bytes + image->size, /* more is read, not used */
                                .symbols = decoded->symbols[i],
                                .count = count};
  }
  codec__loops()->decode_streams(decoder, streams, decoded->count);
}

/* Vector v whole, or the part of it that lies in [from, to). */
static int decode_part(const struct vector *vector, size_t v, uint32_t from, uint32_t to,
                       uint64_t *values, struct err *err) {
  size_t at = v * CODEC_VECTOR;
  if (at >= from && at + vector->count <= to)
    return decode_vector(vector, codec__integers_of(vector->image->codec), values + (at - from),
                         err);
  VECTOR_ALIGNED uint64_t all[CODEC_VECTOR];
  int code = decode_vector(vector, codec__integers_of(vector->image->codec), all, err);
  if (code) return code;
  size_t first = at < from ? from - at : 0;
  size_t last = at + vector->count < to ? vector->count : to - at;
  memcpy(values + (at + first - from), all + first, (last - first) * sizeof *values);
  return ERR_OK;
}

/* Points a vector at its place. */
static void set_vector(struct vector *vector, const struct integer_image *integers, size_t v) {
  vector->count = vector_values(vector->image, v);
  vector->entry = integers->vectors[v];
  vector->packed = vector->entry.payload;
}

/* What is done with each vector: decoded to its place, or visited. */
struct errand {
  uint32_t from, to; /* values */
  uint64_t *values;
  codec_visit_vector *visit; /* NULL: `values` are filled */
  void *context;
  uint64_t vectors; /* bit v: vector v is visited; CODEC_AS_STEPS */
};

static bool is_wanted(const struct errand *errand, size_t v) { return errand->vectors >> v & 1; }

/* Fields of 32 bits with value = *base + scale * field, where all of the vector's values have one:
 * *narrow. Sums begin at 2^30, which keeps them above 0 (is_narrow) and is taken off the base. */
static int narrow_fields(const struct vector *vector, unsigned codec, uint32_t *fields,
                         uint64_t *base, bool *narrow, struct err *err) {
  const struct vector_place *entry = &vector->entry;
  *base = entry->base;
  if (codec == CODEC_FOR || codec == CODEC_DECIMAL_FOR) {
    *narrow = patched_width(vector) <= 32;
    if (!*narrow) return ERR_OK;
    unpack(vector, fields);
    return entry->exceptions ? patch_narrow(vector, fields, err) : ERR_OK;
  }
  *narrow =
      (codec == CODEC_DELTA || codec == CODEC_DECIMAL_DELTA) && is_narrow(vector, vector->center);
  if (!*narrow) return ERR_OK;
  *base -= vector->scale * (vector->center + (UINT64_C(1) << 30));
  return narrow_sums(vector, vector->center, UINT32_C(1) << 30, fields, err);
}

/* Whether all values stay within the type's range, however the differences add up. */
static bool stays_inside(const struct vector *vector) {
  bool is_unsigned = vector->image->type.physical == PHYSICAL_UINT64;
  __int128 least = is_unsigned ? 0 : INT64_MIN, most = is_unsigned ? UINT64_MAX : INT64_MAX;
  __int128 base = is_unsigned ? (__int128)vector->entry.base : (int64_t)vector->entry.base;
  __int128 center = (int64_t)vector->center;
  __int128 step = ((__int128)2 << patched_width(vector)) + (center < 0 ? -center : center);
  if (vector->scale > UINT32_MAX) return false;
  __int128 reach = step * CODEC_VECTOR * (__int128)vector->scale;
  return base - reach >= least && base + reach <= most;
}

/* The differences themselves, where they are signed numbers of less than 2^21. */
static int take_steps(const struct vector *vector, unsigned codec, uint32_t *steps,
                      struct vector_part *part, struct err *err) {
  bool sums = codec == CODEC_DELTA || codec == CODEC_DECIMAL_DELTA;
  if (!sums || vector->form != DIFFERENCE_BIASED || !is_narrow(vector, vector->center) ||
      !stays_inside(vector))
    return ERR_OK;
  unpack(vector, steps);
  part->add = (int32_t)(vector->center - bias_of(vector));
  part->base = vector->entry.base - vector->scale * vector->center;
  part->steps = steps;
  return vector->entry.exceptions ? patch_narrow(vector, steps, err) : ERR_OK;
}

/* What is kept of the image's fields; NULL: nothing may be. */
static struct codec_kept *kept_of(const struct codec_image *image) {
  struct codec_kept *kept = image->opened ? image->opened->kept : NULL;
  return kept && kept->owner == image->bytes ? kept : NULL;
}

/* Whether all vectors that are to be visited are kept. */
static bool is_kept(const struct codec_kept *kept, const struct errand *errand) {
  if (!kept || !errand->visit) return false;
  uint32_t from = errand->from / CODEC_VECTOR, to = (errand->to - 1) / CODEC_VECTOR;
  uint32_t range = (UINT32_C(2) << to) - (UINT32_C(1) << from);
  return (errand->vectors & range & ~(uint64_t)kept->there) == 0;
}

static int visit_kept(const struct codec_image *image, const struct codec_kept *kept,
                      const struct errand *errand, uint64_t scale, struct err *err) {
  int code = ERR_OK;
  for (uint32_t v = errand->from / CODEC_VECTOR; !code && v * CODEC_VECTOR < errand->to; v++) {
    if (!is_wanted(errand, v)) continue;
    uint32_t at = v * CODEC_VECTOR, end = at + (uint32_t)vector_values(image, v);
    uint32_t first = at < errand->from ? errand->from : at,
             last = end < errand->to ? end : errand->to;
    struct vector_part part = {.from = first,
                               .count = last - first,
                               .fields = kept->fields + first,
                               .base = kept->bases[v],
                               .scale = scale};
    code = errand->visit(errand->context, &part, err);
  }
  return code;
}

/* The part of vector v that lies in the errand's range, as fields where they are enough. */
static int visit_part(const struct vector *vector, size_t v, const struct errand *errand,
                      struct err *err) {
  VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
  VECTOR_ALIGNED uint64_t values[CODEC_VECTOR];
  uint32_t at = (uint32_t)(v * CODEC_VECTOR), end = at + (uint32_t)vector->count;
  uint32_t first = at < errand->from ? errand->from : at,
           last = end < errand->to ? end : errand->to;
  struct vector_part part = {.from = first, .count = last - first, .scale = vector->scale};
  bool narrow;
  int code = ERR_OK;
  if (errand->vectors & CODEC_AS_STEPS)
    code = take_steps(vector, vector->image->codec, fields, &part, err);
  if (code) return code;
  if (part.steps) return errand->visit(errand->context, &part, err);
  struct codec_kept *kept = kept_of(vector->image);
  uint32_t *into = kept ? kept->fields + at : fields;
  code = narrow_fields(vector, vector->image->codec, into, &part.base, &narrow, err);
  if (!code && !narrow)
    code = decode_vector(vector, codec__integers_of(vector->image->codec), values, err);
  if (code) return code;
  if (narrow && kept) {
    kept->bases[v] = part.base;
    kept->there |= UINT32_C(1) << v;
  }
  part.fields = narrow ? into + (first - at) : NULL;
  part.values = values + (first - at);
  return errand->visit(errand->context, &part, err);
}

static int run_part(const struct vector *vector, size_t v, const struct errand *errand,
                    struct err *err) {
  return errand->visit ? visit_part(vector, v, errand, err)
                       : decode_part(vector, v, errand->from, errand->to, errand->values, err);
}

/* The decoder of an image's code: the one that is kept, or a new one in its place. */
static const struct huffman_decoder *decoder_of(const struct vector *vector,
                                                const struct integer_image *integers,
                                                struct codec_tables *tables) {
  struct huffman huffman;
  unsigned symbols = integers->frame.symbols_last + 1u;
  size_t size = huffman_stored_size(symbols);
  bool steps = vector->form == DIFFERENCE_STEPS;
  if (tables->size == size && tables->steps == steps &&
      memcmp(tables->stored, integers->code, size) == 0)
    return &tables->decoder;
  tables->size = 0;
  if (!huffman_load(integers->code, symbols, &huffman)) return NULL;
  huffman_decoder_init(&tables->decoder, &huffman, steps, vector->loops->compose);
  memcpy(tables->stored, integers->code, size);
  tables->size = (uint16_t)size;
  tables->steps = steps;
  return &tables->decoder;
}

static int run_coded(struct vector *vector, const struct integer_image *integers,
                     const struct errand *errand, struct codec_tables *tables, struct err *err) {
  struct decoded_symbols decoded;
  size_t end = (errand->to + CODEC_VECTOR - 1) / CODEC_VECTOR;
  const struct huffman_decoder *decoder = decoder_of(vector, integers, tables);
  if (!decoder) return codec__damaged(vector->image, "a code that is not complete", err);
  for (size_t v = errand->from / CODEC_VECTOR; v < end;) {
    decoded.count = 0;
    for (; v < end && decoded.count < HUFFMAN_STREAMS; v++)
      if (is_wanted(errand, v)) decoded.vectors[decoded.count++] = v;
    if (decoded.count) decode_symbols(vector->image, integers, decoder, &decoded);
    for (unsigned i = 0; i < decoded.count; i++) {
      set_vector(vector, integers, decoded.vectors[i]);
      vector->symbols = decoded.symbols[i];
      int code = run_part(vector, decoded.vectors[i], errand, err);
      if (code) return code;
    }
  }
  return ERR_OK;
}

/* A function of its own, for the room that it takes on the stack. */
static __attribute__((noinline)) int run_alone(struct vector *vector,
                                               const struct integer_image *integers,
                                               const struct errand *errand, struct err *err) {
  struct codec_tables tables;
  tables.size = 0;
  return run_coded(vector, integers, errand, &tables, err);
}

static enum difference_form form_of(unsigned codec, const struct integer_frame *frame) {
  if (codec == CODEC_FOR || codec == CODEC_DECIMAL_FOR || codec == CODEC_LINE)
    return DIFFERENCE_NONE;
  if (!(frame->flags & FRAME_COMPACT)) return DIFFERENCE_BIASED;
  return frame->flags & FRAME_CODES && !frame->width ? DIFFERENCE_STEPS : DIFFERENCE_ZIGZAG;
}

/* `decimals`: integers are divided by the image's power of ten. */
static int run(const struct codec_image *image, const struct errand *errand, bool decimals,
               struct integer_image *integers, struct err *err) {
  int code = codec__open_integers(image, integers, err);
  if (code) return code;
  const struct codec_kept *kept = kept_of(image);
  if (is_kept(kept, errand)) return visit_kept(image, kept, errand, integers->scale, err);
  struct vector vector = {.loops = codec__loops(),
                          .image = image,
                          .scale = integers->scale,
                          .center = integers->center,
                          .line = integers->line,
                          .form = form_of(codec__integers_of(image->codec), &integers->frame),
                          .power = decimals ? codec__power(integers->frame.exponent) : 0};
  if (integers->frame.flags & FRAME_CODES)
    return image->tables ? run_coded(&vector, integers, errand, image->tables, err)
                         : run_alone(&vector, integers, errand, err);
  for (size_t v = errand->from / CODEC_VECTOR; !code && v * CODEC_VECTOR < errand->to; v++) {
    if (!is_wanted(errand, v)) continue;
    set_vector(&vector, integers, v);
    code = run_part(&vector, v, errand, err);
  }
  return code;
}

int codec__decode_integers(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *values, struct err *err) {
  struct integer_image integers;
  struct errand errand = {.from = from, .to = to, .values = values, .vectors = CODEC_ALL_VECTORS};
  return run(image, &errand, false, &integers, err);
}

int codec__decode_decimals(const struct codec_image *image, uint32_t from, uint32_t to,
                           uint64_t *values, struct integer_image *integers, struct err *err) {
  struct errand errand = {.from = from, .to = to, .values = values, .vectors = CODEC_ALL_VECTORS};
  return run(image, &errand, true, integers, err);
}

int codec__each_vector(const struct codec_image *image, uint32_t from, uint32_t to,
                       uint64_t vectors, codec_visit_vector *visit, void *context,
                       struct err *err) {
  struct errand errand = {
      .from = from, .to = to, .visit = visit, .context = context, .vectors = vectors};
  struct integer_image integers;
  return from < to ? run(image, &errand, false, &integers, err) : ERR_OK;
}
