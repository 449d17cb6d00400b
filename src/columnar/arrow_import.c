/* Import: foreign descriptions checked, then viewed as columns.
 *
 * A format string leads to one row of a table: how wide a value is there, which type it becomes
 * here, and how it is converted. Everything counted (lengths, offsets, codes) is checked first;
 * the interface does not tell the sizes of buffers, so those are believed. */
#include "columnar/arrow.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"
#include "columnar/bits.h"

enum source { /* how values lie in the foreign buffer */
              SOURCE_BITS,
              SOURCE_INT8,
              SOURCE_UINT8,
              SOURCE_INT16,
              SOURCE_UINT16,
              SOURCE_INT32,
              SOURCE_UINT32,
              SOURCE_64,
              SOURCE_FLOAT32,
              SOURCE_OFFSETS32,
              SOURCE_OFFSETS64,
};

static const struct {
  char format;
  uint8_t source, physical, width;
} formats[] = {
    {'b', SOURCE_BITS, PHYSICAL_BOOL, 0},       {'c', SOURCE_INT8, PHYSICAL_INT64, 1},
    {'C', SOURCE_UINT8, PHYSICAL_UINT64, 1},    {'s', SOURCE_INT16, PHYSICAL_INT64, 2},
    {'S', SOURCE_UINT16, PHYSICAL_UINT64, 2},   {'i', SOURCE_INT32, PHYSICAL_INT64, 4},
    {'I', SOURCE_UINT32, PHYSICAL_UINT64, 4},   {'l', SOURCE_64, PHYSICAL_INT64, 8},
    {'L', SOURCE_64, PHYSICAL_UINT64, 8},       {'f', SOURCE_FLOAT32, PHYSICAL_FLOAT64, 4},
    {'g', SOURCE_64, PHYSICAL_FLOAT64, 8},      {'u', SOURCE_OFFSETS32, PHYSICAL_STRING, 4},
    {'z', SOURCE_OFFSETS32, PHYSICAL_BYTES, 4}, {'U', SOURCE_OFFSETS64, PHYSICAL_STRING, 8},
    {'Z', SOURCE_OFFSETS64, PHYSICAL_BYTES, 8},
};

/* A format string understood. */
struct foreign {
  enum source source;
  unsigned width; /* bytes of a value, or of an offset */
  struct type type;
};

static bool unit_of(char letter, uint16_t *unit) {
  static const char units[TIME_UNIT_COUNT] = {'n', 'u', 'm', 's'};
  for (uint16_t i = 0; i < TIME_UNIT_COUNT; i++) {
    if (units[i] != letter) continue;
    *unit = i;
    return true;
  }
  return false;
}

static bool parse_format(const char *format, struct foreign *foreign) {
  *foreign = (struct foreign){0};
  if (!format) return false;
  if (format[0] == 't' && (format[1] == 's' || format[1] == 'D')) {
    bool stamp = format[1] == 's';
    foreign->source = SOURCE_64;
    foreign->width = 8;
    foreign->type.physical = PHYSICAL_INT64;
    foreign->type.logical = stamp ? LOGICAL_TIMESTAMP : LOGICAL_DURATION;
    if (!unit_of(format[2], &foreign->type.parameter)) return false;
    return stamp ? format[3] == ':' : format[3] == 0; /* any zone: the instants are UTC */
  }
  for (size_t i = 0; format[0] && i < sizeof formats / sizeof formats[0]; i++) {
    if (formats[i].format != format[0] || format[1]) continue;
    foreign->source = (enum source)formats[i].source;
    foreign->width = formats[i].width;
    foreign->type.physical = formats[i].physical;
    return true;
  }
  return false;
}

static const char *name_of(const struct ArrowSchema *schema) {
  return schema->name ? schema->name : "";
}

static int check_struct(const struct ArrowSchema *schema, struct err *err) {
  if (!schema->release || !schema->format || strcmp(schema->format, "+s") != 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "an Arrow schema that is not a struct of columns");
  if (schema->n_children < 0 || schema->n_children > UINT16_MAX ||
      (schema->n_children > 0 && !schema->children))
    return err_set(err, ERR_INVALID_ARGUMENT, "an Arrow schema with %lld columns",
                   (long long)schema->n_children);
  return ERR_OK;
}

/* Understands a column's schema: its values, and its codes if it is a dictionary. */
static int parse_column(const struct ArrowSchema *schema, struct foreign *values,
                        struct foreign *codes, struct err *err) {
  const struct ArrowSchema *described = schema->dictionary ? schema->dictionary : schema;
  if (!parse_format(described->format, values) ||
      (schema->dictionary && (!parse_format(schema->format, codes) || codes->source < SOURCE_INT8 ||
                              codes->source > SOURCE_64 ||
                              codes->type.physical == PHYSICAL_FLOAT64 || codes->type.logical)))
    return err_set(err, ERR_UNSUPPORTED,
                   "column %s has the Arrow format %s, which is not supported", name_of(schema),
                   schema->format ? schema->format : "(none)");
  return ERR_OK;
}

int arrow_import_schema(const struct ArrowSchema *schema, struct arena *arena,
                        struct arrow_field **fields, uint32_t *count, struct err *err) {
  int code = check_struct(schema, err);
  if (code) return code;
  size_t size = (size_t)schema->n_children * sizeof **fields;
  *fields = arena_alloc_zero(arena, size);
  if (!*fields) return mem_refused(arena->account, size, err);
  for (int64_t i = 0; i < schema->n_children; i++) {
    struct foreign values, codes;
    const struct ArrowSchema *child = schema->children[i];
    code = parse_column(child, &values, &codes, err);
    if (code) return code;
    (*fields)[i] = (struct arrow_field){.name = str_from(child->name),
                                        .type = values.type,
                                        .dictionary = child->dictionary != NULL,
                                        .nullable = (child->flags & ARROW_FLAG_NULLABLE) != 0};
  }
  *count = (uint32_t)schema->n_children;
  return ERR_OK;
}

/* ---- buffers ---- */

static void *allocate(struct arena *arena, size_t size, int *code, struct err *err) {
  void *memory = arena_alloc_zero(arena, (size + 7) & ~(size_t)7);
  *code = memory ? ERR_OK : mem_refused(arena->account, size, err);
  return memory;
}

/* Bits [offset, offset + length) copied to whole words: a foreign bitmap ends with its last byte.
 */
static int import_bits(const void *source, int64_t offset, int64_t length, struct arena *arena,
                       uint64_t **bits, struct err *err) {
  int code;
  *bits = allocate(arena, bit_words(length) * 8, &code, err);
  if (code || length == 0) return code;
  const uint8_t *bytes = (const uint8_t *)source + offset / 8;
  unsigned shift = (unsigned)(offset % 8);
  size_t stored = ((size_t)shift + (size_t)length + 7) / 8, size = ((size_t)length + 7) / 8;
  uint8_t *out = (uint8_t *)*bits;
  for (size_t i = 0; i < size; i++) {
    unsigned next = i + 1 < stored ? bytes[i + 1] : 0u;
    out[i] = (uint8_t)((bytes[i] | next << 8) >> shift);
  }
  return ERR_OK;
}

static uint64_t widen(const uint8_t *at, enum source source) {
  int8_t i8;
  int16_t i16;
  uint16_t u16;
  int32_t i32;
  uint32_t u32;
  float f32;
  double f64;
  uint64_t u64;
  switch (source) {
  case SOURCE_INT8:
    memcpy(&i8, at, 1);
    return (uint64_t)(int64_t)i8;
  case SOURCE_UINT8:
    return *at;
  case SOURCE_INT16:
    memcpy(&i16, at, 2);
    return (uint64_t)(int64_t)i16;
  case SOURCE_UINT16:
    memcpy(&u16, at, 2);
    return u16;
  case SOURCE_INT32:
    memcpy(&i32, at, 4);
    return (uint64_t)(int64_t)i32;
  case SOURCE_UINT32:
    memcpy(&u32, at, 4);
    return u32;
  case SOURCE_FLOAT32:
    memcpy(&f32, at, 4);
    f64 = (double)f32;
    memcpy(&u64, &f64, 8);
    return u64;
  default:
    memcpy(&u64, at, 8);
    return u64;
  }
}

static int import_numbers(const struct foreign *foreign, const struct ArrowArray *array,
                          struct arena *arena, struct column *column, struct err *err) {
  const uint8_t *from = (const uint8_t *)array->buffers[1] + array->offset * foreign->width;
  if (foreign->source == SOURCE_64 && (uintptr_t)from % 8 == 0) {
    column->values = from;
    return ERR_OK;
  }
  int code;
  uint64_t *values = allocate(arena, (size_t)array->length * 8, &code, err);
  if (code) return code;
  for (int64_t i = 0; i < array->length; i++)
    values[i] = widen(from + i * foreign->width, foreign->source);
  column->u64 = values;
  return ERR_OK;
}

static int bad_offset(const struct ArrowSchema *schema, int64_t row, struct err *err) {
  return err_set(err, ERR_INVALID_ARGUMENT, "column %s: the offset of row %lld is out of order",
                 name_of(schema), (long long)row);
}

/* Offsets copied, counted from 0, so that they fit into 32 bits. */
static int import_strings(const struct ArrowSchema *schema, const struct foreign *foreign,
                          const struct ArrowArray *array, struct arena *arena,
                          struct column *column, struct err *err) {
  int code;
  int32_t *offsets = allocate(arena, ((size_t)array->length + 1) * 4, &code, err);
  if (code) return code;
  const uint8_t *from = (const uint8_t *)array->buffers[1] + array->offset * foreign->width;
  enum source source = foreign->width == 4 ? SOURCE_INT32 : SOURCE_64;
  int64_t first = (int64_t)widen(from, source), previous = first;
  if (first < 0) return bad_offset(schema, 0, err);
  for (int64_t i = 1; i <= array->length; i++) {
    int64_t offset = (int64_t)widen(from + i * foreign->width, source);
    if (offset < previous) return bad_offset(schema, i, err);
    if (offset - first > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "column %s: more than 2 GiB of strings in a batch",
                     name_of(schema));
    offsets[i] = (int32_t)(offset - first);
    previous = offset;
  }
  column->offsets = offsets;
  column->data = array->buffers[2] ? (const char *)array->buffers[2] + first : "";
  return ERR_OK;
}

static int check_array(const struct ArrowSchema *schema, const struct foreign *foreign,
                       const struct ArrowArray *array, struct err *err) {
  bool strings = foreign->source >= SOURCE_OFFSETS32;
  const char *wrong = NULL;
  if (array->length < 0 || array->offset < 0 || array->length > INT32_MAX ||
      array->offset > INT64_MAX / 16 - array->length)
    wrong = "an impossible length or offset";
  else if (array->null_count < -1 || array->null_count > array->length)
    wrong = "an impossible count of nulls";
  else if (array->n_buffers != (strings ? 3 : 2) || !array->buffers)
    wrong = "another number of buffers than its format needs";
  else if (array->length > 0 && !array->buffers[1])
    wrong = "no values";
  else if (array->null_count > 0 && !array->buffers[0])
    wrong = "nulls but no validity bitmap";
  if (!wrong) return ERR_OK;
  return err_set(err, ERR_INVALID_ARGUMENT, "column %s: an Arrow array with %s", name_of(schema),
                 wrong);
}

static int import_validity(const struct ArrowArray *array, struct arena *arena,
                           struct column *column, struct err *err) {
  if (array->null_count == 0 || !array->buffers[0]) return ERR_OK;
  uint64_t *validity;
  int code = import_bits(array->buffers[0], array->offset, array->length, arena, &validity, err);
  if (code) return code;
  column->null_count = (uint32_t)(array->length - bits_count(validity, 0, array->length));
  column->validity = column->null_count ? validity : NULL;
  return ERR_OK;
}

static int import_values(const struct ArrowSchema *schema, const struct foreign *foreign,
                         const struct ArrowArray *array, struct arena *arena, struct column *column,
                         struct err *err) {
  int code = check_array(schema, foreign, array, err);
  if (code) return code;
  static const uint64_t nothing[1];
  *column = (struct column){.type = foreign->type, .length = array->length, .values = nothing};
  if (array->length == 0) return ERR_OK; /* the buffers may be missing */
  code = import_validity(array, arena, column, err);
  if (code) return code;
  if (foreign->source == SOURCE_BITS) {
    uint64_t *bits;
    code = import_bits(array->buffers[1], array->offset, array->length, arena, &bits, err);
    column->bits = bits;
    return code;
  }
  if (foreign->source >= SOURCE_OFFSETS32)
    return import_strings(schema, foreign, array, arena, column, err);
  return import_numbers(foreign, array, arena, column, err);
}

/* Codes of any width to 32 bits, each checked against the dictionary. */
static int import_codes(const struct ArrowSchema *schema, const struct foreign *foreign,
                        const struct ArrowArray *array, struct arena *arena, struct column *column,
                        struct err *err) {
  struct column *dictionary = (struct column *)column->dictionary;
  int code = check_array(schema, foreign, array, err);
  if (code) return code;
  *column = (struct column){.type = {PHYSICAL_INT32, 0, 0}, .length = array->length};
  column->dictionary = dictionary;
  if (array->length == 0) return ERR_OK;
  code = import_validity(array, arena, column, err);
  if (code) return code;
  int32_t *codes = allocate(arena, (size_t)array->length * 4, &code, err);
  if (code) return code;
  const uint8_t *from = (const uint8_t *)array->buffers[1] + array->offset * foreign->width;
  for (int64_t i = 0; i < array->length; i++) {
    uint64_t value = widen(from + i * foreign->width, foreign->source);
    if (!column_is_valid(column, i)) continue; /* zero: anything may stand there */
    if (value >= (uint64_t)dictionary->length)
      return err_set(err, ERR_INVALID_ARGUMENT, "column %s: row %lld has a code of no value",
                     name_of(schema), (long long)i);
    codes[i] = (int32_t)value;
  }
  column->i32 = codes;
  return ERR_OK;
}

static int import_column(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         struct arena *arena, struct column *column, struct err *err) {
  struct foreign values, codes;
  int code = parse_column(schema, &values, &codes, err);
  if (code) return code;
  if (!schema->dictionary) return import_values(schema, &values, array, arena, column, err);
  if (!array->dictionary)
    return err_set(err, ERR_INVALID_ARGUMENT, "column %s: codes without a dictionary",
                   name_of(schema));
  struct column *dictionary = allocate(arena, sizeof *dictionary, &code, err);
  if (code) return code;
  code = import_values(schema->dictionary, &values, array->dictionary, arena, dictionary, err);
  column->dictionary = dictionary;
  return code ? code : import_codes(schema, &codes, array, arena, column, err);
}

/* Makes rows null that are null in the struct itself. */
static int mask(const uint64_t *present, struct arena *arena, struct column *column,
                struct err *err) {
  int code;
  size_t words = bit_words(column->length);
  uint64_t *validity = allocate(arena, words * 8, &code, err);
  if (code) return code;
  for (size_t i = 0; i < words; i++)
    validity[i] = present[i] & (column->validity ? column->validity[i] : UINT64_MAX);
  column->validity = validity;
  column->null_count = (uint32_t)(column->length - bits_count(validity, 0, column->length));
  return ERR_OK;
}

/* Columns of the struct's own rows: a struct may be a slice of its children. */
static int slice(const struct ArrowSchema *schema, const struct ArrowArray *array,
                 struct arena *arena, struct column *column, struct err *err) {
  if (array->offset > column->length || array->length > column->length - array->offset)
    return err_set(err, ERR_INVALID_ARGUMENT, "column %s is shorter than its struct",
                   name_of(schema));
  if (array->offset == 0 && array->length == column->length) return ERR_OK;
  return column_slice(column, array->offset, array->length, arena, column, err);
}

int arrow_import_batch(const struct ArrowSchema *schema, const struct ArrowArray *array,
                       struct arena *arena, struct batch *batch, struct err *err) {
  int code = check_struct(schema, err);
  if (code) return code;
  if (!array->release || array->n_children != schema->n_children || array->length < 0 ||
      array->length > INT32_MAX || array->offset < 0 || array->n_buffers != 1 ||
      (array->n_children > 0 && !array->children))
    return err_set(err, ERR_INVALID_ARGUMENT, "an Arrow array that does not fit its schema");
  uint64_t *present = NULL;
  if (array->null_count != 0 && array->buffers && array->buffers[0]) {
    code = import_bits(array->buffers[0], array->offset, array->length, arena, &present, err);
    if (code) return code;
  }
  size_t count = (size_t)schema->n_children;
  struct column *columns = allocate(arena, count * sizeof *columns, &code, err);
  for (size_t i = 0; !code && i < count; i++) {
    code = import_column(schema->children[i], array->children[i], arena, &columns[i], err);
    if (!code) code = slice(schema->children[i], array, arena, &columns[i], err);
    if (!code && present) code = mask(present, arena, &columns[i], err);
  }
  if (!code) *batch = (struct batch){array->length, (uint32_t)count, columns};
  return code;
}
