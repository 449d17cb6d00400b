/* Opening and decoding: the header, the validity, and what is common to all codecs.
 *
 * codec_open checks everything that can be checked without looking at every value; what it has
 * accepted is decoded without leaving the image. Only present values are stored: a range of rows is
 * first turned into a range of values by counting validity bits, decoded, then spread out. */
#include "codec/codec.h"

#include "base/err.h"
#include "base/memory.h"
#include "codec/nested.h"
#include "codec/planes.h"
#include "columnar/bits.h"

const char *codec_name(int codec) {
  static const char *const names[] = {
      "raw",   "constant",   "for",   "delta",   "delta2", "decimal_for", "decimal_delta",
      "split", "dictionary", "zstd",  "runs",    "bits",   "line",        "numbers",
      "fsst",  "front",      "words", "repeats", "planes", "near_for",    "near_delta"};
  return codec >= 0 && (size_t)codec < sizeof names / sizeof names[0] ? names[codec] : "unknown";
}

int codec__damaged(const struct codec_image *image, const char *what, struct err *err) {
  err_set(err, ERR_CORRUPTION, "an encoded %s column is damaged: %s", type_name(image->type), what);
  err_detail(err, "codec %s, %u rows, %zu bytes", codec_name(image->codec), image->rows,
             image->size);
  err_hint(err, "check the data directory with `nilo check`");
  return ERR_CORRUPTION;
}

/* ---- opening ---- */

static int open_validity(struct codec_image *image, struct codec_bytes *bytes, struct err *err) {
  size_t size = 0;
  image->validity = bytes->at;
  image->values = image->rows;
  image->has_nulls = image->validity_kind != VALIDITY_NONE;
  if (image->validity_kind == VALIDITY_BITS) {
    size = bit_words(image->rows) * 8;
  } else if (image->validity_kind == VALIDITY_RUNS) {
    if (!codec__check_runs(*bytes, image->rows, &size))
      return codec__damaged(image, "validity runs that do not add up", err);
    size = codec__align(size);
  } else if (image->validity_kind != VALIDITY_NONE) {
    return codec__damaged(image, "an unknown kind of validity", err);
  }
  const uint8_t *taken;
  if (!codec__take(bytes, size, &taken))
    return codec__damaged(image, "no room for the validity", err);
  if (image->has_nulls) {
    uint64_t bits[CODEC_ROWS_MAX / 64];
    if (image->validity_kind == VALIDITY_BITS)
      codec__get_bits(image->validity, image->rows, 0, image->rows, bits);
    else
      codec__decode_runs(image->validity, 0, image->rows, bits);
    image->values = (uint32_t)bits_count(bits, 0, image->rows);
  }
  return ERR_OK;
}

static int open_payload(const struct codec_image *image, struct err *err) {
  struct integer_image integers;
  bool number = type_width(image->type) == 8, real = image->type.physical == PHYSICAL_FLOAT64;
  if (image->values == 0 && image->codec != CODEC_CONSTANT)
    return codec__damaged(image, "a codec that needs values", err);
  if (type_is_string(image->type)) {
    if (image->codec == CODEC_RAW || image->codec == CODEC_CONSTANT ||
        image->codec == CODEC_DICTIONARY || image->codec == CODEC_ZSTD ||
        image->codec == CODEC_FSST || image->codec == CODEC_FRONT || image->codec == CODEC_WORDS)
      return codec__open_texts(image, err);
    return codec__damaged(image, "a codec of another type", err);
  }
  switch (image->codec) {
  case CODEC_CONSTANT:
    if (image->payload_size < 8) break;
    return ERR_OK;
  case CODEC_RAW:
    if (!number || image->payload_size < image->values * 8u) break;
    return ERR_OK;
  case CODEC_FOR:
  case CODEC_DELTA:
  case CODEC_DELTA2:
  case CODEC_LINE:
    if (!number) break;
    return codec__open_integers(image, &integers, err);
  case CODEC_DECIMAL_FOR:
  case CODEC_DECIMAL_DELTA:
  case CODEC_NEAR_FOR:
  case CODEC_NEAR_DELTA:
    if (!real) break;
    return codec__open_floats(image, err);
  case CODEC_NUMBERS:
    if (!number) break;
    return codec__open_numbers(image, err);
  case CODEC_REPEATS:
    if (!number) break;
    return codec__open_repeats(image, err);
  case CODEC_PLANES:
    if (!number) break;
    return codec__open_planes(image, err);
  case CODEC_SPLIT:
    if (!real) break;
    return codec__open_split(image, err);
  case CODEC_RUNS:
  case CODEC_BITS:
    if (image->type.physical != PHYSICAL_BOOL) break;
    return codec__open_booleans(image, err);
  default:
    break;
  }
  return codec__damaged(image, "an unknown codec, or one of another type, or too few bytes", err);
}

int codec_open(const uint8_t *bytes, size_t size, struct type type, uint32_t rows,
               struct codec_image *image, struct err *err) {
  return codec_open_kept(bytes, size, type, rows, NULL, image, err);
}

int codec_open_kept(const uint8_t *bytes, size_t size, struct type type, uint32_t rows,
                    struct codec_opened *opened, struct codec_image *image, struct err *err) {
  struct codec_bytes rest = {bytes, size};
  struct image_header header;
  const uint8_t *taken;
  *image = (struct codec_image){
      .type = type, .rows = rows, .bytes = bytes, .size = size, .opened = opened};
  if (opened) {
    opened->valid = false;
    opened->kept = NULL;
  }
  if (!codec__take(&rest, sizeof header, &taken))
    return codec__damaged(image, "no room for the header", err);
  memcpy(&header, taken, sizeof header);
  image->codec = header.codec;
  image->validity_kind = header.kind >> 4 & 3;
  if (header.kind >> 6 != IMAGE_VERSION) {
    err_set(err, ERR_BAD_VERSION, "an encoded column of version %d", header.kind >> 6);
    err_hint(err, "open it with the newer version that wrote it");
    return ERR_BAD_VERSION;
  }
  if ((header.kind & 15) != type.physical)
    return codec__damaged(image, "values of another type", err);
  if (header.rows != rows || rows == 0 || rows > CODEC_ROWS_MAX)
    return codec__damaged(image, "another number of rows", err);
  if (header.size > size || header.size < sizeof header)
    return codec__damaged(image, "a size beyond the end", err);
  image->size = header.size;
  rest.size = header.size - sizeof header;
  int code = open_validity(image, &rest, err);
  if (code) return code;
  image->payload = rest.at;
  image->payload_size = rest.size;
  return open_payload(image, err);
}

/* ---- decoding ---- */

/* Validity of rows [from, from + count); returns how many are present. */
static uint32_t decode_validity(const struct codec_image *image, uint32_t from, uint32_t count,
                                uint64_t *validity) {
  if (image->validity_kind == VALIDITY_BITS)
    codec__get_bits(image->validity, image->rows, from, from + count, validity);
  else
    codec__decode_runs(image->validity, from, from + count, validity);
  return (uint32_t)bits_count(validity, 0, count);
}

/* Present rows among the first `row` ones. */
static uint32_t values_before(const struct codec_image *image, uint32_t row) {
  uint64_t validity[CODEC_ROWS_MAX / 64];
  return row == 0 ? 0 : decode_validity(image, 0, row, validity);
}

int codec__decode_values(const struct codec_image *image, uint32_t from, uint32_t to,
                         uint64_t *values, struct err *err) {
  if (from == to) return ERR_OK;
  switch (image->codec) {
  case CODEC_CONSTANT: {
    uint64_t value;
    memcpy(&value, image->payload, 8);
    for (uint32_t i = 0; i < to - from; i++)
      values[i] = value;
    return ERR_OK;
  }
  case CODEC_RAW:
    memcpy(values, image->payload + (size_t)from * 8, (size_t)(to - from) * 8);
    return ERR_OK;
  case CODEC_SPLIT:
    return codec__decode_split(image, from, to, values, err);
  case CODEC_NUMBERS:
    return codec__decode_numbers(image, from, to, values, err);
  case CODEC_REPEATS:
    return codec__decode_repeats(image, from, to, values, err);
  case CODEC_PLANES:
    return codec__decode_planes(image, from, to, values, err);
  default:
    return image->type.physical == PHYSICAL_FLOAT64
               ? codec__decode_floats(image, from, to, values, err)
               : codec__decode_integers(image, from, to, values, err);
  }
}

/* Moves the `present` values at the end of `values` to the rows that have one. In place: a row is
 * never behind the value that goes there. */
static void spread(uint64_t *values, uint32_t count, uint32_t present, const uint64_t *validity) {
  const uint64_t *next = values + (count - present);
  for (uint32_t row = 0; row < count; row++) {
    bool valid = bit_get(validity, row);
    values[row] = valid ? *next : 0;
    next += valid;
    if (next == values + count) {
      for (row++; row < count; row++)
        values[row] = 0;
    }
  }
}

static int check_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       struct err *err) {
  if (from <= image->rows && count <= image->rows - from) return ERR_OK;
  return err_set(err, ERR_INVALID_ARGUMENT, "rows %u to %u of a block of %u", from, from + count,
                 image->rows);
}

int codec__value_range(const struct codec_image *image, uint32_t from, uint32_t count,
                       uint32_t *first, uint32_t *last, struct err *err) {
  int code = check_range(image, from, count, err);
  if (code) return code;
  *first = image->has_nulls ? values_before(image, from) : from;
  *last = image->has_nulls ? values_before(image, from + count) : from + count;
  return ERR_OK;
}

void codec__validity_of(const struct codec_image *image, uint32_t from, uint32_t count,
                        uint64_t *validity) {
  if (count) decode_validity(image, from, count, validity);
}

int codec_decode_into(const struct codec_image *image, uint32_t from, uint32_t count,
                      uint64_t *values, uint64_t *validity, uint32_t *null_count, struct err *err) {
  int code = check_range(image, from, count, err);
  if (code) return code;
  if (null_count) *null_count = 0;
  if (!image->has_nulls) return codec__decode_values(image, from, from + count, values, err);
  if (count == 0) return ERR_OK;
  uint32_t first = values_before(image, from);
  uint32_t present = decode_validity(image, from, count, validity);
  if (null_count) *null_count = count - present;
  code = codec__decode_values(image, first, first + present, values + (count - present), err);
  if (!code && present < count) spread(values, count, present, validity);
  return code;
}

/* Bits of the present rows [first, first + present) spread over rows. */
static int decode_booleans(const struct codec_image *image, uint32_t first, uint32_t present,
                           const uint64_t *validity, uint32_t count, uint64_t *bits,
                           struct err *err) {
  if (!validity) return codec__decode_booleans(image, first, first + present, bits, err);
  uint64_t dense[CODEC_ROWS_MAX / 64];
  int code = codec__decode_booleans(image, first, first + present, dense, err);
  if (code) return code;
  memset(bits, 0, bit_words(count) * 8);
  int64_t next = 0;
  for (uint32_t row = 0; row < count; row++)
    if (bit_get(validity, row) && bit_get(dense, next++)) bit_set(bits, row);
  return ERR_OK;
}

/* Offsets of the present rows spread over rows: an absent row is empty. */
static int decode_texts(const struct codec_image *image, uint32_t first, uint32_t present,
                        const uint64_t *validity, uint32_t count, struct arena *arena,
                        struct column *column, struct err *err) {
  int32_t *dense;
  char *data = NULL;
  int code = codec__decode_texts(image, first, first + present, arena, &dense, &data, err);
  if (code) return code;
  column->offsets = dense;
  column->data = data;
  if (!validity) return ERR_OK;
  int32_t *offsets = arena_alloc(arena, ((size_t)count + 1) * sizeof *offsets);
  if (!offsets) return mem_refused(arena->account, ((size_t)count + 1) * sizeof *offsets, err);
  uint32_t next = 0;
  for (uint32_t row = 0; row < count; row++) {
    offsets[row] = dense[next];
    next += bit_get(validity, row);
  }
  offsets[count] = dense[present];
  column->offsets = offsets;
  return ERR_OK;
}

static void *allocate(struct arena *arena, size_t size, int *code, struct err *err) {
  void *memory = arena_alloc(arena, size);
  if (!memory) *code = mem_refused(arena->account, size, err);
  return memory;
}

int codec_decode(const struct codec_image *image, uint32_t from, uint32_t count,
                 struct arena *arena, struct column *column, struct err *err) {
  int code = check_range(image, from, count, err);
  if (code) return code;
  *column = (struct column){.type = image->type, .length = count};
  uint64_t *validity = NULL;
  if (image->has_nulls) {
    validity = allocate(arena, bit_words(count) * 8, &code, err);
    if (code) return code;
  }
  if (type_width(image->type) == 8) {
    uint64_t *values = allocate(arena, (size_t)count * 8, &code, err);
    if (code) return code;
    column->u64 = values;
    column->decimals = codec_decimals(image);
    code = codec_decode_into(image, from, count, values, validity, &column->null_count, err);
  } else {
    uint32_t first = count ? from : 0, present = count;
    if (validity && count) {
      first = values_before(image, from);
      present = decode_validity(image, from, count, validity);
      column->null_count = count - present;
    }
    const uint64_t *spread_over = column->null_count ? validity : NULL;
    if (type_is_string(image->type)) {
      code = decode_texts(image, first, present, spread_over, count, arena, column, err);
    } else {
      uint64_t *bits = allocate(arena, bit_words(count) * 8, &code, err);
      if (code) return code;
      column->bits = bits;
      code = decode_booleans(image, first, present, spread_over, count, bits, err);
    }
  }
  column->validity = column->null_count ? validity : NULL;
  return code;
}
