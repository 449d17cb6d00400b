/* A message is its size, its metadata (a FlatBuffer) and its body (the buffers one behind another).
 */
#include "columnar/arrow_ipc.h"

#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"
#include "columnar/bits.h"
#include "wire/flatbuffer.h"

/* Numbers of Arrow's Message.fbs and Schema.fbs. */
enum { METADATA_V5 = 4, HEADER_SCHEMA = 1, HEADER_BATCH = 3 };
enum {
  TYPE_CODE_INT = 2,
  TYPE_CODE_FLOAT = 3,
  TYPE_CODE_BINARY = 4,
  TYPE_CODE_UTF8 = 5,
  TYPE_CODE_BOOL = 6,
  TYPE_CODE_DATE = 8,
  TYPE_CODE_TIMESTAMP = 10,
  TYPE_CODE_DURATION = 18,
};

/* ---- plain batches ---- */

struct type arrow_plain_type(struct type type) {
  return type.logical == LOGICAL_DATE ? (struct type){PHYSICAL_INT32, LOGICAL_DATE, 0} : type;
}

static int copy_dates(const struct column *from, struct arena *arena, struct column *to,
                      struct err *err) {
  int32_t *days = ARENA_ARRAY(arena, int32_t, (size_t)from->length + 1);
  if (!days) return mem_refused(arena->account, (size_t)from->length * 4, err);
  for (int64_t i = 0; i < from->length; i++)
    days[i] = (int32_t)from->i64[i];
  to->i32 = days;
  to->type = arrow_plain_type(from->type);
  return ERR_OK;
}

static int copy_texts(const struct column *from, struct arena *arena, struct column *to,
                      struct err *err) {
  int32_t *offsets = ARENA_ARRAY(arena, int32_t, (size_t)from->length + 1);
  size_t size = 0;
  if (!offsets) return mem_refused(arena->account, (size_t)from->length * 4, err);
  for (int64_t i = 0; i < from->length; i++)
    if (column_is_valid(from, i)) size += column_str(from->dictionary, from->i32[i]).size;
  if (size > INT32_MAX) return err_set(err, ERR_LIMIT_EXCEEDED, "a batch has more than 2 GiB");
  char *data = arena_alloc(arena, size + 1);
  if (!data) return mem_refused(arena->account, size, err);
  size = 0;
  for (int64_t i = 0; i < from->length; i++) {
    offsets[i] = (int32_t)size;
    if (!column_is_valid(from, i)) continue;
    struct str text = column_str(from->dictionary, from->i32[i]);
    if (text.size) memcpy(data + size, text.data, text.size);
    size += text.size;
  }
  offsets[from->length] = (int32_t)size;
  to->type = from->dictionary->type;
  to->dictionary = NULL;
  to->offsets = offsets;
  to->data = data;
  return ERR_OK;
}

int arrow_plain_batch(const struct batch *batch, struct arena *arena, struct batch *plain,
                      struct err *err) {
  struct column *columns = ARENA_ARRAY(arena, struct column, batch->column_count + 1);
  uint32_t *rows = ARENA_ARRAY(arena, uint32_t, (size_t)batch->length + 1);
  if (!columns || !rows) return mem_refused(arena->account, sizeof *columns, err);
  for (int64_t i = 0; i < batch->length; i++)
    rows[i] = (uint32_t)i;
  for (uint32_t c = 0; c < batch->column_count; c++) {
    const struct column *from = &batch->columns[c];
    int code = column_take(from, rows, batch->length, arena, &columns[c], err);
    if (!code && from->dictionary) code = copy_texts(from, arena, &columns[c], err);
    if (!code && from->type.logical == LOGICAL_DATE && !from->dictionary)
      code = copy_dates(from, arena, &columns[c], err);
    if (code) return code;
  }
  *plain = (struct batch){batch->length, batch->column_count, columns};
  return ERR_OK;
}

/* ---- messages ---- */

/* Begins one: its root has room for the header. Returns the place of that reference. */
static size_t begin_message(struct flatbuffer *flat, struct buffer *out, size_t *prefix,
                            uint8_t header, uint64_t body_size) {
  const struct flat_field fields[] = {
      {3, 8, body_size}, {2, 4, 0}, {0, 2, METADATA_V5}, {1, 1, header}};
  size_t places[4];
  buffer_align(out, 8);
  *prefix = out->size;
  buffer_append_zero(out, 8);
  flat_begin(flat, out);
  size_t root = flat_table(flat, fields, 4, places);
  flat_refer(flat, 0, root);
  return places[1];
}

/* Writes the sizes in front: of the metadata and what pads it. */
static void end_message(struct buffer *out, size_t prefix) {
  buffer_align(out, 8);
  if (out->failed) return;
  uint32_t marker = UINT32_MAX, size = (uint32_t)(out->size - prefix - 8);
  memcpy(out->data + prefix, &marker, 4);
  memcpy(out->data + prefix + 4, &size, 4);
}

/* ---- schemas ---- */

static uint64_t arrow_unit(struct type type) {
  static const uint8_t units[TIME_UNIT_COUNT] = {
      [TIME_NS] = 3, [TIME_US] = 2, [TIME_MS] = 1, [TIME_S] = 0};
  return units[type.parameter % TIME_UNIT_COUNT];
}

static bool is_timed(struct type type) {
  return type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
         type.logical == LOGICAL_DURATION;
}

/* The table of a type; 0: it has no counterpart. */
static size_t put_type(struct flatbuffer *flat, struct type type, uint8_t *code) {
  size_t places[2];
  if (is_timed(type)) {
    const struct flat_field unit[] = {{0, 2, arrow_unit(type)}, {1, 4, 0}};
    bool zoned = type.logical == LOGICAL_TIMESTAMP;
    *code = type.logical == LOGICAL_DURATION ? TYPE_CODE_DURATION : TYPE_CODE_TIMESTAMP;
    size_t table = flat_table(flat, unit, zoned ? 2 : 1, places);
    if (zoned) flat_refer(flat, places[1], flat_string(flat, STR("UTC")));
    return table;
  }
  if (type.logical == LOGICAL_DATE) {
    const struct flat_field days[] = {{0, 2, 0}};
    *code = TYPE_CODE_DATE;
    return flat_table(flat, days, 1, places);
  }
  if (type.physical == PHYSICAL_INT64 || type.physical == PHYSICAL_UINT64 ||
      type.physical == PHYSICAL_INT32) {
    const struct flat_field integer[] = {{0, 4, type.physical == PHYSICAL_INT32 ? 32 : 64},
                                         {1, 1, type.physical != PHYSICAL_UINT64}};
    *code = TYPE_CODE_INT;
    return flat_table(flat, integer, 2, places);
  }
  if (type.physical == PHYSICAL_FLOAT64) {
    const struct flat_field precision[] = {{0, 2, 2}};
    *code = TYPE_CODE_FLOAT;
    return flat_table(flat, precision, 1, places);
  }
  *code = type.physical == PHYSICAL_BOOL     ? TYPE_CODE_BOOL
          : type.physical == PHYSICAL_STRING ? TYPE_CODE_UTF8
                                             : TYPE_CODE_BINARY;
  return type.physical <= PHYSICAL_BYTES ? flat_table(flat, NULL, 0, places) : 0;
}

static int put_field(struct flatbuffer *flat, size_t place, const struct arrow_field *field,
                     struct err *err) {
  const struct flat_field fields[] = {
      {0, 4, 0}, {3, 4, 0}, {5, 4, 0}, {1, 1, field->nullable}, {2, 1, 0}};
  size_t places[5];
  uint8_t code;
  size_t table = flat_table(flat, fields, 5, places);
  flat_refer(flat, place, table);
  flat_refer(flat, places[0], flat_string(flat, field->name));
  size_t type = put_type(flat, field->type, &code);
  if (!type)
    return err_set(err, ERR_UNSUPPORTED, "Arrow has no counterpart of %s", type_name(field->type));
  flat_refer(flat, places[1], type);
  flat_put(flat, places[4], code, 1);
  flat_refer(flat, places[2], flat_vector(flat, 0, 4, 4)); /* children: readers want the list */
  return ERR_OK;
}

int arrow_ipc_schema(const struct arrow_field *fields, uint32_t count, struct buffer *out,
                     struct err *err) {
  const struct flat_field schema[] = {{1, 4, 0}, {0, 2, 0}};
  struct flatbuffer flat;
  size_t prefix, places[2];
  int code = ERR_OK;
  size_t header = begin_message(&flat, out, &prefix, HEADER_SCHEMA, 0);
  flat_refer(&flat, header, flat_table(&flat, schema, 2, places));
  size_t list = flat_vector(&flat, count, 4, 4);
  flat_refer(&flat, places[0], list);
  for (uint32_t i = 0; i < count && !code; i++)
    code = put_field(&flat, list + 4 + 4 * (size_t)i, &fields[i], err);
  end_message(out, prefix);
  return code;
}

/* ---- batches ---- */

/* The buffers of a column: validity, then values, or offsets and bytes. */
struct parts {
  const void *data[3];
  size_t size[3];
  uint32_t count;
};

static struct parts parts_of(const struct column *column) {
  size_t length = (size_t)column->length, words = bit_words(column->length) * 8;
  struct parts parts = {.count = 2};
  parts.data[0] = column->validity;
  parts.size[0] = column->validity ? words : 0;
  parts.data[1] = column->values;
  if (type_is_string(column->type)) {
    parts.count = 3;
    parts.size[1] = (length + 1) * 4;
    parts.data[2] = column->data + (length ? column->offsets[0] : 0);
    parts.size[2] = length ? (size_t)(column->offsets[length] - column->offsets[0]) : 0;
  } else {
    parts.size[1] =
        column->type.physical == PHYSICAL_BOOL ? words : length * type_width(column->type);
  }
  return parts;
}

static size_t padded(size_t size) { return (size + 7) / 8 * 8; }

/* Offsets begin at 0 in the stream. */
static void put_offsets(const struct column *column, struct buffer *out) {
  for (int64_t i = 0; i <= column->length; i++) {
    int32_t offset = column->length ? column->offsets[i] - column->offsets[0] : 0;
    buffer_append(out, &offset, sizeof offset);
  }
}

static void put_body(const struct batch *batch, struct buffer *out) {
  for (uint32_t c = 0; c < batch->column_count; c++) {
    struct parts parts = parts_of(&batch->columns[c]);
    for (uint32_t i = 0; i < parts.count; i++) {
      if (i == 1 && parts.count == 3)
        put_offsets(&batch->columns[c], out);
      else if (parts.size[i])
        buffer_append(out, parts.data[i], parts.size[i]);
      buffer_append_zero(out, padded(parts.size[i]) - parts.size[i]);
    }
  }
}

void arrow_ipc_batch(const struct batch *batch, struct buffer *out) {
  struct flatbuffer flat;
  size_t prefix, places[3], body = 0;
  uint32_t buffers = 0;
  for (uint32_t c = 0; c < batch->column_count; c++) {
    struct parts parts = parts_of(&batch->columns[c]);
    buffers += parts.count;
    for (uint32_t i = 0; i < parts.count; i++)
      body += padded(parts.size[i]);
  }
  const struct flat_field record[] = {{0, 8, (uint64_t)batch->length}, {1, 4, 0}, {2, 4, 0}};
  size_t header = begin_message(&flat, out, &prefix, HEADER_BATCH, body);
  flat_refer(&flat, header, flat_table(&flat, record, 3, places));
  size_t nodes = flat_vector(&flat, batch->column_count, 16, 8);
  size_t spans = flat_vector(&flat, buffers, 16, 8);
  flat_refer(&flat, places[1], nodes);
  flat_refer(&flat, places[2], spans);
  size_t at = 0, span = spans + 4;
  for (uint32_t c = 0; c < batch->column_count; c++) {
    const struct column *column = &batch->columns[c];
    struct parts parts = parts_of(column);
    uint64_t nulls = column->validity ? column->null_count : 0;
    flat_put(&flat, nodes + 4 + 16 * (size_t)c, (uint64_t)batch->length, 8);
    flat_put(&flat, nodes + 12 + 16 * (size_t)c, nulls, 8);
    for (uint32_t i = 0; i < parts.count; i++, span += 16) {
      flat_put(&flat, span, at, 8);
      flat_put(&flat, span + 8, parts.size[i], 8);
      at += padded(parts.size[i]);
    }
  }
  end_message(out, prefix);
  put_body(batch, out);
}

void arrow_ipc_end(struct buffer *out) {
  static const uint32_t end[] = {UINT32_MAX, 0};
  buffer_append(out, end, sizeof end);
}
