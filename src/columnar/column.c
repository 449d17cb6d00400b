/* Views over columns: what a type is called, slices, and rows picked by index. */
#include "columnar/column.h"

#include "base/err.h"
#include "base/memory.h"
#include "columnar/bits.h"

const char *type_name(struct type type) {
  switch (type.logical) {
  case LOGICAL_TIMESTAMP:
    return "timestamp";
  case LOGICAL_DURATION:
    return "duration";
  case LOGICAL_DECIMAL:
    return "decimal";
  case LOGICAL_JSON:
    return "json";
  case LOGICAL_LIST_STRING:
    return "string list";
  case LOGICAL_LIST_INT64:
    return "integer list";
  case LOGICAL_DATE:
  case LOGICAL_TIME:
  case LOGICAL_LOCAL:
  case LOGICAL_INTERVAL:
  case LOGICAL_UUID:
  case LOGICAL_ARRAY:
  case LOGICAL_UNKNOWN:
    return type_sql_name(type);
  default:
    break;
  }
  switch (type.physical) {
  case PHYSICAL_BOOL:
    return "boolean";
  case PHYSICAL_INT64:
  case PHYSICAL_INT32:
    return "integer";
  case PHYSICAL_UINT64:
    return "unsigned";
  case PHYSICAL_FLOAT64:
    return "float";
  case PHYSICAL_STRING:
    return "string";
  case PHYSICAL_BYTES:
    return "bytes";
  default:
    return "unknown";
  }
}

const char *type_sql_name(struct type type) {
  static const char *const logical[] = {
      [LOGICAL_TIMESTAMP] = "timestamp with time zone",
      [LOGICAL_DECIMAL] = "numeric",
      [LOGICAL_DURATION] = "duration",
      [LOGICAL_LIST_STRING] = "text list",
      [LOGICAL_LIST_INT64] = "bigint list",
      [LOGICAL_INT16] = "smallint",
      [LOGICAL_INT32] = "integer",
      [LOGICAL_REAL] = "real",
      [LOGICAL_DATE] = "date",
      [LOGICAL_TIME] = "time without time zone",
      [LOGICAL_LOCAL] = "timestamp without time zone",
      [LOGICAL_INTERVAL] = "interval",
      [LOGICAL_UUID] = "uuid",
      [LOGICAL_ARRAY] = "array",
      [LOGICAL_UNKNOWN] = "unknown",
  };
  static const char *const physical[] = {
      [PHYSICAL_BOOL] = "boolean",   [PHYSICAL_INT64] = "bigint",
      [PHYSICAL_UINT64] = "ubigint", [PHYSICAL_FLOAT64] = "double precision",
      [PHYSICAL_STRING] = "text",    [PHYSICAL_BYTES] = "bytea",
      [PHYSICAL_INT32] = "integer",
  };
  if (type.logical == LOGICAL_JSON) return type.parameter ? "jsonb" : "json";
  if (type.logical && type.logical < sizeof logical / sizeof logical[0])
    return logical[type.logical];
  return type.physical && type.physical < sizeof physical / sizeof physical[0]
             ? physical[type.physical]
             : "unknown";
}

/* Memory of the arena for `size` bytes, rounded up to whole words. */
static void *take_memory(struct arena *arena, size_t size, struct err *err, int *code) {
  void *memory = arena_alloc(arena, (size + 7) & ~(size_t)7);
  *code = memory ? ERR_OK : mem_refused(arena->account, size, err);
  return memory;
}

/* Bits [from, from + count) starting at bit 0: borrowed where from is a word bound, else copied. */
static int slice_bits(const uint64_t *bits, int64_t from, int64_t count, struct arena *arena,
                      const uint64_t **slice, struct err *err) {
  if (from % 64 == 0) {
    *slice = bits + from / 64;
    return ERR_OK;
  }
  int code;
  uint64_t *copy = take_memory(arena, bit_words(count) * 8, err, &code);
  if (copy) bits_copy(copy, 0, bits, from, count);
  *slice = copy;
  return code;
}

int column_slice(const struct column *column, int64_t from, int64_t count, struct arena *arena,
                 struct column *slice, struct err *err) {
  struct column result = *column;
  result.length = count;
  if (column->validity) {
    result.null_count = (uint32_t)(count - bits_count(column->validity, from, count));
    result.validity = NULL;
    if (result.null_count) {
      int code = slice_bits(column->validity, from, count, arena, &result.validity, err);
      if (code) return code;
    }
  }
  if (column->type.physical == PHYSICAL_BOOL) {
    int code = slice_bits(column->bits, from, count, arena, &result.bits, err);
    if (code) return code;
  } else if (type_is_string(column->type)) {
    result.offsets = column->offsets + from;
  } else {
    result.values = (const char *)column->values + (size_t)from * type_width(column->type);
  }
  *slice = result;
  return ERR_OK;
}

static void take_bits(const uint64_t *bits, const uint32_t *rows, int64_t count, uint64_t *taken) {
  for (int64_t at = 0; at < count; at += 64) {
    int64_t size = count - at < 64 ? count - at : 64;
    uint64_t word = 0;
    for (int64_t i = 0; i < size; i++)
      word |= (uint64_t)bit_get(bits, rows[at + i]) << i;
    taken[at >> 6] = word;
  }
}

static int take_strings(const struct column *column, const uint32_t *rows, int64_t count,
                        struct arena *arena, struct column *taken, struct err *err) {
  int code;
  int32_t *offsets = take_memory(arena, (size_t)(count + 1) * 4, err, &code);
  if (!offsets) return code;
  int64_t total = 0;
  offsets[0] = 0;
  for (int64_t i = 0; i < count; i++) {
    total += column->offsets[rows[i] + 1] - column->offsets[rows[i]];
    if (total > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "%lld strings of more than 2 GiB in one column",
                     (long long)count);
    offsets[i + 1] = (int32_t)total;
  }
  char *data = take_memory(arena, (size_t)total, err, &code);
  if (!data) return code;
  for (int64_t i = 0; i < count; i++) {
    size_t size = (size_t)(offsets[i + 1] - offsets[i]);
    if (size) memcpy(data + offsets[i], column->data + column->offsets[rows[i]], size);
  }
  taken->offsets = offsets;
  taken->data = data;
  return ERR_OK;
}

static int take_values(const struct column *column, const uint32_t *rows, int64_t count,
                       struct arena *arena, struct column *taken, struct err *err) {
  int code;
  if (type_is_string(column->type)) return take_strings(column, rows, count, arena, taken, err);
  if (column->type.physical == PHYSICAL_BOOL) {
    uint64_t *bits = take_memory(arena, bit_words(count) * 8, err, &code);
    if (bits) take_bits(column->bits, rows, count, bits);
    taken->bits = bits;
    return code;
  }
  if (type_width(column->type) == 4) {
    int32_t *values = take_memory(arena, (size_t)count * 4, err, &code);
    for (int64_t i = 0; values && i < count; i++)
      values[i] = column->i32[rows[i]];
    taken->i32 = values;
    return code;
  }
  uint64_t *values = take_memory(arena, (size_t)count * 8, err, &code);
  for (int64_t i = 0; values && i < count; i++)
    values[i] = column->u64[rows[i]];
  taken->u64 = values;
  return code;
}

int column_take(const struct column *column, const uint32_t *rows, int64_t count,
                struct arena *arena, struct column *taken, struct err *err) {
  struct column result = *column;
  result.length = count;
  int code = take_values(column, rows, count, arena, &result, err);
  if (code) return code;
  if (column->validity) {
    uint64_t *validity = take_memory(arena, bit_words(count) * 8, err, &code);
    if (!validity) return code;
    take_bits(column->validity, rows, count, validity);
    result.null_count = (uint32_t)(count - bits_count(validity, 0, count));
    result.validity = result.null_count ? validity : NULL;
  }
  *taken = result;
  return ERR_OK;
}
