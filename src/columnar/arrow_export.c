/* Export: descriptions of memory that is ours, with callbacks that let it go.
 *
 * One block holds all that an export needs (nodes, pointers, names) and counts its references: one
 * per node, because a receiver may move a child out and release it later than its parent. The
 * last one frees the block and tells the owner. */
#include "columnar/arrow.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"

enum { FORMAT_SIZE = 8, BUFFERS_MAX = 3 };

/* ---- schema ---- */

struct schema_block {
  atomic_uint references;
  struct mem_account *account;
  size_t size;
};

static void schema_release(struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; i++)
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  if (schema->dictionary && schema->dictionary->release)
    schema->dictionary->release(schema->dictionary);
  struct schema_block *block = schema->private_data;
  schema->release = NULL;
  if (atomic_fetch_sub(&block->references, 1) == 1) mem_free(block->account, block, block->size);
}

/* The format string of a type; false when it has none. */
static bool format_of(struct type type, char format[FORMAT_SIZE]) {
  static const char units[TIME_UNIT_COUNT] = {'n', 'u', 'm', 's'};
  static const char *const plain[] = {
      [PHYSICAL_BOOL] = "b",    [PHYSICAL_INT64] = "l",  [PHYSICAL_UINT64] = "L",
      [PHYSICAL_FLOAT64] = "g", [PHYSICAL_STRING] = "u", [PHYSICAL_BYTES] = "z",
      [PHYSICAL_INT32] = "i"};
  if (type.physical < PHYSICAL_BOOL || type.physical > PHYSICAL_INT32) return false;
  bool timed = type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL ||
               type.logical == LOGICAL_DURATION;
  if (timed && (type.parameter >= TIME_UNIT_COUNT || type.physical != PHYSICAL_INT64)) return false;
  if (type.logical == LOGICAL_TIMESTAMP)
    snprintf(format, FORMAT_SIZE, "ts%c:UTC", units[type.parameter]);
  else if (type.logical == LOGICAL_LOCAL) /* by a clock on the wall, of no zone */
    snprintf(format, FORMAT_SIZE, "ts%c:", units[type.parameter]);
  else if (type.logical == LOGICAL_DATE && type.physical == PHYSICAL_INT32)
    snprintf(format, FORMAT_SIZE, "tdD");
  else if (type.logical == LOGICAL_DURATION)
    snprintf(format, FORMAT_SIZE, "tD%c", units[type.parameter]);
  else
    snprintf(format, FORMAT_SIZE, "%s", plain[type.physical]);
  return true;
}

static void fill_schema(struct ArrowSchema *schema, const char *format, const char *name,
                        struct schema_block *block) {
  *schema = (struct ArrowSchema){
      .format = format, .name = name, .release = schema_release, .private_data = block};
  atomic_fetch_add(&block->references, 1);
}

/* The parts of a schema's block, in the order in which they lie. */
struct schema_parts {
  struct ArrowSchema **children;
  struct ArrowSchema *nodes; /* two per field: itself and its dictionary */
  char (*formats)[FORMAT_SIZE];
  char *names;
};

static int create_schema_block(const struct arrow_field *fields, uint32_t count,
                               struct mem_account *account, struct schema_block **created,
                               struct schema_parts *parts, struct err *err) {
  size_t names = 0;
  for (uint32_t i = 0; i < count; i++)
    names += fields[i].name.size + 1;
  size_t head = (sizeof(struct schema_block) + 15) & ~(size_t)15;
  size_t size =
      head + count * (sizeof(void *) + 2 * sizeof(struct ArrowSchema) + FORMAT_SIZE) + names;
  struct schema_block *block = mem_alloc_zero(account, size);
  if (!block) return mem_refused(account, size, err);
  atomic_init(&block->references, 0);
  block->account = account;
  block->size = size;
  parts->children = (struct ArrowSchema **)((char *)block + head);
  parts->nodes = (struct ArrowSchema *)(parts->children + count);
  parts->formats = (char(*)[FORMAT_SIZE])(parts->nodes + 2 * (size_t)count);
  parts->names = (char *)(parts->formats + count);
  *created = block;
  return ERR_OK;
}

int arrow_export_schema(const struct arrow_field *fields, uint32_t count,
                        struct mem_account *account, struct ArrowSchema *out, struct err *err) {
  struct schema_parts parts = {0};
  out->release = NULL;
  struct schema_block *block = NULL;
  int code = create_schema_block(fields, count, account, &block, &parts, err);
  if (code) return code;
  for (uint32_t i = 0; i < count; i++) {
    if (!format_of(fields[i].type, parts.formats[i])) {
      mem_free(account, block, block->size);
      return err_set(err, ERR_UNSUPPORTED, "column %.*s of type %s has no Arrow format",
                     STR_ARG(fields[i].name), type_name(fields[i].type));
    }
    if (fields[i].name.size) memcpy(parts.names, fields[i].name.data, fields[i].name.size);
    struct ArrowSchema *node = &parts.nodes[2 * (size_t)i], *dictionary = node + 1;
    fill_schema(node, fields[i].dictionary ? "i" : parts.formats[i], parts.names, block);
    node->flags = fields[i].nullable ? ARROW_FLAG_NULLABLE : 0;
    if (fields[i].dictionary) {
      fill_schema(dictionary, parts.formats[i], "", block);
      node->dictionary = dictionary;
    }
    parts.children[i] = node;
    parts.names += fields[i].name.size + 1;
  }
  fill_schema(out, "+s", "", block);
  out->n_children = count;
  out->children = parts.children;
  return ERR_OK;
}

/* ---- batch ---- */

struct array_block {
  atomic_uint references;
  struct mem_account *account;
  size_t size;
  struct arrow_owner owner;
};

static void array_release(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++)
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  if (array->dictionary && array->dictionary->release)
    array->dictionary->release(array->dictionary);
  struct array_block *block = array->private_data;
  array->release = NULL;
  if (atomic_fetch_sub(&block->references, 1) != 1) return;
  if (block->owner.release) block->owner.release(block->owner.context);
  mem_free(block->account, block, block->size);
}

static void fill_array(struct ArrowArray *array, const struct column *column, const void **buffers,
                       struct array_block *block) {
  static const uint64_t nothing[1]; /* the specification wants a pointer even to no bytes */
  bool strings = type_is_string(column->type);
  *array = (struct ArrowArray){.length = column->length,
                               .null_count = column->null_count,
                               .n_buffers = strings ? 3 : 2,
                               .buffers = buffers,
                               .release = array_release,
                               .private_data = block};
  buffers[0] = column->null_count ? column->validity : NULL;
  buffers[1] = column->values ? column->values : nothing;
  buffers[2] = column->data ? (const void *)column->data : nothing;
  atomic_fetch_add(&block->references, 1);
}

int arrow_export_batch(const struct batch *batch, struct arrow_owner owner,
                       struct mem_account *account, struct ArrowArray *out, struct err *err) {
  size_t count = batch->column_count;
  size_t head = (sizeof(struct array_block) + 15) & ~(size_t)15;
  size_t size = head + count * (sizeof(void *) + 2 * sizeof(struct ArrowArray)) +
                (2 * count * BUFFERS_MAX + 1) * sizeof(void *);
  out->release = NULL;
  struct array_block *block = mem_alloc_zero(account, size);
  if (!block) return mem_refused(account, size, err);
  atomic_init(&block->references, 1);
  block->account = account;
  block->size = size;
  block->owner = owner;
  struct ArrowArray **children = (struct ArrowArray **)((char *)block + head);
  struct ArrowArray *nodes = (struct ArrowArray *)(children + count);
  const void **buffers = (const void **)(nodes + 2 * count);
  for (size_t i = 0; i < count; i++) {
    struct ArrowArray *node = &nodes[2 * i];
    fill_array(node, &batch->columns[i], buffers, block);
    buffers += BUFFERS_MAX;
    if (batch->columns[i].dictionary) {
      fill_array(node + 1, batch->columns[i].dictionary, buffers, block);
      node->dictionary = node + 1;
      buffers += BUFFERS_MAX;
    }
    children[i] = node;
  }
  *out = (struct ArrowArray){.length = batch->length,
                             .n_buffers = 1,
                             .n_children = (int64_t)count,
                             .buffers = buffers, /* one NULL: no row of the struct is null */
                             .children = children,
                             .release = array_release,
                             .private_data = block};
  return ERR_OK;
}

/* ---- stream ---- */

struct stream_block {
  struct mem_account *account;
  struct arrow_source source;
  struct err err;
  bool failed, ended;
  char text[600];
  uint32_t count;
  size_t size;
  struct arrow_field *fields; /* behind this block, the names behind them */
};

/* The errno that the interface asks for. */
static int system_code(int code) {
  switch (code) {
  case ERR_OK:
    return 0;
  case ERR_NO_MEMORY:
  case ERR_MEMORY_LIMIT:
    return ENOMEM;
  case ERR_INVALID_ARGUMENT:
  case ERR_UNSUPPORTED:
    return EINVAL;
  default:
    return EIO;
  }
}

static int stream_fail(struct stream_block *block, int code) {
  block->failed = true;
  err_format(&block->err, block->text, sizeof block->text);
  return system_code(code);
}

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  struct stream_block *block = stream->private_data;
  int code = arrow_export_schema(block->fields, block->count, block->account, out, &block->err);
  return code ? stream_fail(block, code) : 0;
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  struct stream_block *block = stream->private_data;
  struct batch batch = {0};
  struct arrow_owner owner = {0};
  out->release = NULL;
  if (block->failed) return EIO;
  if (block->ended) return 0;
  int code = block->source.next(block->source.context, &batch, &owner, &block->err);
  if (code) return stream_fail(block, code);
  if (batch.column_count == 0) {
    block->ended = true;
    return 0;
  }
  code = arrow_export_batch(&batch, owner, block->account, out, &block->err);
  if (!code) return 0;
  if (owner.release) owner.release(owner.context);
  return stream_fail(block, code);
}

static const char *stream_get_last_error(struct ArrowArrayStream *stream) {
  const struct stream_block *block = stream->private_data;
  return block->failed ? block->text : NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
  struct stream_block *block = stream->private_data;
  stream->release = NULL;
  if (block->source.close) block->source.close(block->source.context);
  mem_free(block->account, block, block->size);
}

int arrow_export_stream(const struct arrow_field *fields, uint32_t count,
                        struct arrow_source source, struct mem_account *account,
                        struct ArrowArrayStream *out, struct err *err) {
  size_t size = sizeof(struct stream_block) + count * sizeof *fields;
  for (uint32_t i = 0; i < count; i++)
    size += fields[i].name.size;
  out->release = NULL;
  struct stream_block *block = mem_alloc_zero(account, size);
  if (!block) return mem_refused(account, size, err);
  block->account = account;
  block->source = source;
  block->count = count;
  block->size = size;
  block->fields = (struct arrow_field *)(block + 1);
  char *names = (char *)(block->fields + count);
  for (uint32_t i = 0; i < count; i++) {
    block->fields[i] = fields[i];
    block->fields[i].name.data = names;
    if (fields[i].name.size) memcpy(names, fields[i].name.data, fields[i].name.size);
    names += fields[i].name.size;
  }
  *out = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                   .get_next = stream_get_next,
                                   .get_last_error = stream_get_last_error,
                                   .release = stream_release,
                                   .private_data = block};
  return ERR_OK;
}
