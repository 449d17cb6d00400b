/* Builders: three buffers that grow by doubling.
 *
 * `values` has room for `capacity` rows (and one more offset for strings), `validity`, once there
 * is one, for the same rows rounded up to whole words. Invariant: for strings with capacity > 0,
 * offsets[length] == data_size. Every append first makes room; when room is refused the builder is
 * marked and stays as it was. */
#include "columnar/builder.h"

#include <assert.h>

#include "base/err.h"
#include "base/memory.h"
#include "columnar/bits.h"

enum { CAPACITY_MIN = 64 };

/* Bytes of the values buffer for so many rows. */
static size_t values_size(struct type type, int64_t capacity) {
  if (capacity == 0) return 0;
  if (type.physical == PHYSICAL_BOOL) return bit_words(capacity) * 8;
  if (type_is_string(type)) return ((size_t)capacity + 1) * 4;
  return (size_t)capacity * type_width(type);
}

static bool refuse(struct builder *builder, size_t size) {
  builder->failed = true;
  builder->refused = size;
  return false;
}

void builder_init(struct builder *builder, struct type type, struct mem_account *account) {
  *builder = (struct builder){.type = type, .account = account};
}

void builder_deinit(struct builder *builder) {
  mem_free(builder->account, builder->values, values_size(builder->type, builder->capacity));
  mem_free(builder->account, builder->validity,
           builder->validity ? bit_words(builder->capacity) * 8 : 0);
  mem_free(builder->account, builder->data, builder->data_capacity);
  builder_init(builder, builder->type, builder->account);
}

void builder_reset(struct builder *builder) {
  mem_free(builder->account, builder->validity,
           builder->validity ? bit_words(builder->capacity) * 8 : 0);
  builder->validity = NULL;
  builder->null_count = 0;
  builder->length = 0;
  builder->decimals = 0;
  builder->decimal_rows = 0;
  builder->data_size = 0;
  builder->failed = false;
  builder->refused = 0;
}

static bool grow_rows(struct builder *builder, int64_t needed) {
  int64_t capacity = builder->capacity * 2 > needed ? builder->capacity * 2 : needed;
  if (capacity < CAPACITY_MIN) capacity = CAPACITY_MIN;
  if (capacity > INT32_MAX) return refuse(builder, (size_t)capacity);
  size_t old_bits = bit_words(builder->capacity) * 8, bits = bit_words(capacity) * 8;
  uint64_t *validity = NULL;
  if (builder->validity) {
    validity = mem_alloc(builder->account, bits);
    if (!validity) return refuse(builder, bits);
  }
  size_t old_size = values_size(builder->type, builder->capacity);
  size_t size = values_size(builder->type, capacity);
  void *values = mem_resize(builder->account, builder->values, old_size, size);
  if (!values) {
    mem_free(builder->account, validity, bits);
    return refuse(builder, size);
  }
  if (validity) {
    memcpy(validity, builder->validity, old_bits);
    mem_free(builder->account, builder->validity, old_bits);
    builder->validity = validity;
  }
  builder->values = values;
  builder->capacity = capacity;
  if (type_is_string(builder->type) && old_size == 0) builder->offsets[0] = 0;
  return true;
}

static bool grow_data(struct builder *builder, size_t needed) {
  size_t capacity = builder->data_capacity * 2 > needed ? builder->data_capacity * 2 : needed;
  if (needed > INT32_MAX) return refuse(builder, needed);
  if (capacity < 256) capacity = 256;
  char *data = mem_resize(builder->account, builder->data, builder->data_capacity, capacity);
  if (!data) return refuse(builder, capacity);
  builder->data = data;
  builder->data_capacity = capacity;
  return true;
}

bool builder_reserve(struct builder *builder, int64_t rows, size_t bytes) {
  if (builder->failed) return false;
  if (rows > builder->capacity - builder->length && !grow_rows(builder, builder->length + rows))
    return false;
  return bytes <= builder->data_capacity - builder->data_size ||
         grow_data(builder, builder->data_size + bytes);
}

/* Room for one more row. */
static inline bool reserve_one(struct builder *builder) {
  if (builder->length < builder->capacity && !builder->failed) return true;
  return builder_reserve(builder, 1, 0);
}

/* Makes the validity bitmap, with every row so far present. */
static bool materialize(struct builder *builder) {
  if (builder->validity) return true;
  size_t size = bit_words(builder->capacity) * 8;
  builder->validity = mem_alloc(builder->account, size);
  if (!builder->validity) return refuse(builder, size);
  bits_fill(builder->validity, 0, builder->length, true);
  return true;
}

/* Marks the row that is being appended as present. */
static inline void mark_present(struct builder *builder) {
  if (builder->validity) bit_set(builder->validity, builder->length);
}

void builder_append_null(struct builder *builder) { builder_append_nulls(builder, 1); }

void builder_append_nulls(struct builder *builder, int64_t count) {
  if (count <= 0 || !builder_reserve(builder, count, 0) || !materialize(builder)) return;
  int64_t at = builder->length;
  bits_fill(builder->validity, at, count, false);
  if (builder->type.physical == PHYSICAL_BOOL) {
    bits_fill(builder->bits, at, count, false);
  } else if (type_is_string(builder->type)) {
    for (int64_t i = 0; i < count; i++)
      builder->offsets[at + i + 1] = (int32_t)builder->data_size;
  } else {
    size_t width = type_width(builder->type);
    memset((char *)builder->values + (size_t)at * width, 0, (size_t)count * width);
  }
  builder->null_count += (uint32_t)count;
  builder->decimal_rows += count;
  builder->length += count;
}

void builder_append_bool(struct builder *builder, bool value) {
  if (!reserve_one(builder)) return;
  mark_present(builder);
  if (value)
    bit_set(builder->bits, builder->length);
  else
    bit_clear(builder->bits, builder->length);
  builder->length++;
}

void builder_append_i64(struct builder *builder, int64_t value) {
  if (!reserve_one(builder)) return;
  mark_present(builder);
  builder->i64[builder->length++] = value;
}

void builder_append_u64(struct builder *builder, uint64_t value) {
  if (!reserve_one(builder)) return;
  mark_present(builder);
  builder->u64[builder->length++] = value;
}

void builder_append_f64(struct builder *builder, double value) {
  if (!reserve_one(builder)) return;
  mark_present(builder);
  builder->f64[builder->length++] = value;
}

void builder_append_str(struct builder *builder, struct str value) {
  if (!builder_reserve(builder, 1, value.size)) return;
  mark_present(builder);
  if (value.size) memcpy(builder->data + builder->data_size, value.data, value.size);
  builder->data_size += value.size;
  builder->offsets[++builder->length] = (int32_t)builder->data_size;
}

/* What is known of rows that are appended: a decimal of one place is one of two as well. */
static inline void note_decimals(struct builder *builder, const struct column *column,
                                 int64_t count) {
  if (!column->decimals) return;
  if (column->decimals > builder->decimals) builder->decimals = column->decimals;
  builder->decimal_rows += count;
}

/* The validity of rows that were just copied behind the builder's length. */
static bool append_validity(struct builder *builder, const struct column *column, int64_t from,
                            int64_t count) {
  if (!column->validity) {
    if (builder->validity) bits_fill(builder->validity, builder->length, count, true);
    return true;
  }
  int64_t nulls = count - bits_count(column->validity, from, count);
  if (nulls && !materialize(builder)) return false;
  if (builder->validity)
    bits_copy(builder->validity, builder->length, column->validity, from, count);
  builder->null_count += (uint32_t)nulls;
  return true;
}

void builder_append_column(struct builder *builder, const struct column *column, int64_t from,
                           int64_t count) {
  assert(column->type.physical == builder->type.physical);
  if (count <= 0) return;
  bool strings = type_is_string(builder->type);
  size_t bytes = strings ? (size_t)(column->offsets[from + count] - column->offsets[from]) : 0;
  if (!builder_reserve(builder, count, bytes) || !append_validity(builder, column, from, count))
    return;
  int64_t at = builder->length;
  if (builder->type.physical == PHYSICAL_BOOL) {
    bits_copy(builder->bits, at, column->bits, from, count);
  } else if (strings) {
    int32_t base = (int32_t)builder->data_size - column->offsets[from];
    for (int64_t i = 1; i <= count; i++)
      builder->offsets[at + i] = column->offsets[from + i] + base;
    if (bytes)
      memcpy(builder->data + builder->data_size, column->data + column->offsets[from], bytes);
    builder->data_size += bytes;
  } else {
    size_t width = type_width(builder->type);
    char *to = (char *)builder->values + (size_t)at * width;
    const char *values = (const char *)column->values + (size_t)from * width;
    /* no width: a column that nobody reads */
    if (width && to != values) memcpy(to, values, (size_t)count * width);
  }
  note_decimals(builder, column, count);
  builder->length += count;
}

static void append_string_rows(struct builder *builder, const struct column *column,
                               const uint32_t *rows, int64_t count) {
  size_t bytes = 0;
  for (int64_t i = 0; i < count; i++)
    bytes += (size_t)(column->offsets[rows[i] + 1] - column->offsets[rows[i]]);
  if (!builder_reserve(builder, count, bytes)) return;
  for (int64_t i = 0; i < count; i++) {
    if (column_is_valid(column, rows[i]))
      builder_append_str(builder, column_str(column, rows[i]));
    else
      builder_append_null(builder);
  }
}

static bool append_row_validity(struct builder *builder, const struct column *column,
                                const uint32_t *rows, int64_t count) {
  if (!column->validity) {
    if (builder->validity) bits_fill(builder->validity, builder->length, count, true);
    return true;
  }
  if (!materialize(builder)) return false;
  for (int64_t i = 0; i < count; i++) {
    if (bit_get(column->validity, rows[i])) {
      bit_set(builder->validity, builder->length + i);
    } else {
      bit_clear(builder->validity, builder->length + i);
      builder->null_count++;
    }
  }
  return true;
}

void builder_append_rows(struct builder *builder, const struct column *column, const uint32_t *rows,
                         int64_t count) {
  assert(column->type.physical == builder->type.physical);
  if (count <= 0) return;
  if (type_is_string(builder->type)) {
    append_string_rows(builder, column, rows, count);
    return;
  }
  if (!builder_reserve(builder, count, 0) || !append_row_validity(builder, column, rows, count))
    return;
  int64_t at = builder->length;
  if (builder->type.physical == PHYSICAL_BOOL) {
    for (int64_t i = 0; i < count; i++)
      bits_fill(builder->bits, at + i, 1, bit_get(column->bits, rows[i]));
  } else if (type_width(builder->type) == 4) {
    for (int64_t i = 0; i < count; i++)
      builder->i32[at + i] = column->i32[rows[i]];
  } else {
    for (int64_t i = 0; i < count; i++)
      builder->u64[at + i] = column->u64[rows[i]];
  }
  note_decimals(builder, column, count);
  builder->length += count;
}

void builder_pad(struct builder *builder, int64_t length) {
  builder_append_nulls(builder, length - builder->length);
}

struct column builder_view(const struct builder *builder) {
  static const int32_t no_offsets[2] = {0, 0};
  struct column column = {
      .type = builder->type,
      .null_count = builder->null_count,
      .length = builder->length,
      .validity = builder->null_count ? builder->validity : NULL,
      .values = builder->values,
      .data = builder->data,
      .decimals = builder->decimal_rows == builder->length ? builder->decimals : 0,
  };
  if (type_is_string(builder->type) && builder->capacity == 0) column.offsets = no_offsets;
  return column;
}

int builder_check(const struct builder *builder, struct err *err) {
  if (!builder->failed) return ERR_OK;
  if (builder->refused > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a column of more than 2 GiB or 2^31 rows");
  return mem_refused(builder->account, builder->refused, err);
}
