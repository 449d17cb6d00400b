/* Elements one by one: a builder per tag, grown side by side.
 *
 * An element is checked whole before any of it is added, and memory for it is reserved before, so
 * that one that is refused leaves nothing behind. Tags that an element lacks are not touched: their
 * builders are filled up with nulls when they next get a value, or at the commit. Elements of one
 * kind tend to give their tags in one order, so the tag at place i is looked for at place i first.
 */
#include "element/element_private.h"

#include <assert.h>

#include "base/limits.h"

struct batch_column {
  struct str name; /* of the batch's arena */
  enum nilo_store_type type;
  struct builder builder;
  uint64_t element; /* the last that was checked with it, from 1: finds tags that stand twice */
};

struct nilo_store_batch {
  struct nilo_store *store;
  struct mem_account *account;
  struct arena names;
  uint32_t rows;
  uint64_t checked;
  struct builder series, keys, data;
  bool has_data;
  struct batch_column **columns;
  size_t column_count, column_capacity;
  struct str_table by_name;
  struct buffer list;          /* scratch */
  struct batch_column **found; /* per tag of the element */
  size_t found_capacity;
};

int nilo_store_batch_create(struct nilo_store *store, struct nilo_store_batch **created,
                            struct nilo_error *error) {
  struct nilo_store_batch *batch = mem_alloc_zero(&store->account, sizeof *batch);
  struct err err;
  err_reset(&err);
  *created = NULL;
  if (!batch) {
    mem_refused(&store->account, sizeof *batch, &err);
    return element_fail(&err, error);
  }
  batch->store = store;
  batch->account = &store->account;
  arena_init(&batch->names, batch->account, 1024);
  builder_init(&batch->series, TYPE_UINT64, batch->account);
  builder_init(&batch->keys, TYPE_INT64, batch->account);
  builder_init(&batch->data, TYPE_BYTES, batch->account);
  str_table_init(&batch->by_name, batch->account, false, 0);
  buffer_init(&batch->list, batch->account);
  *created = batch;
  return NILO_OK;
}

void nilo_store_batch_destroy(struct nilo_store_batch *batch) {
  if (!batch) return;
  for (size_t i = 0; i < batch->column_count; i++)
    builder_deinit(&batch->columns[i]->builder);
  mem_free(batch->account, batch->columns, batch->column_capacity * sizeof *batch->columns);
  mem_free(batch->account, batch->found, batch->found_capacity * sizeof *batch->found);
  builder_deinit(&batch->series);
  builder_deinit(&batch->keys);
  builder_deinit(&batch->data);
  str_table_deinit(&batch->by_name);
  buffer_deinit(&batch->list);
  arena_deinit(&batch->names);
  mem_free(batch->account, batch, sizeof *batch);
}

void nilo_store_batch_reset(struct nilo_store_batch *batch) {
  for (size_t i = 0; i < batch->column_count; i++)
    builder_reset(&batch->columns[i]->builder);
  builder_reset(&batch->series);
  builder_reset(&batch->keys);
  builder_reset(&batch->data);
  batch->has_data = false;
  batch->rows = 0;
}

size_t nilo_store_batch_count(const struct nilo_store_batch *batch) { return batch->rows; }

/* ---- checking ---- */

static int type_conflict(struct str name, enum nilo_store_type has, enum nilo_store_type given,
                         struct err *err) {
  int code = err_set(err, ERR_TYPE_CONFLICT, "tag \"%.*s\" is %s, and %s was given",
                     (int)(name.size > 100 ? 100 : name.size), name.data, element_type_name(has),
                     element_type_name(given));
  err_hint(err, "a tag keeps the type of its first value; give the other values another name");
  return code;
}

static int add_column(struct nilo_store_batch *batch, struct str name, enum nilo_store_type type,
                      struct batch_column **added, struct err *err) {
  uint32_t id;
  struct type known;
  if (name.size > LIMIT_NAME_SIZE)
    return err_set(err, ERR_INVALID_ARGUMENT, "the name of a tag has %zu bytes, at most %d",
                   name.size, LIMIT_NAME_SIZE);
  if (element_registry_find(&batch->store->registry, name, &id, &known) &&
      element_tag_type(known) != type)
    return type_conflict(name, element_tag_type(known), type, err);
  if (batch->column_count == UINT16_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d tags in one batch", UINT16_MAX);
  if (batch->column_count == batch->column_capacity) {
    size_t wanted = batch->column_capacity ? 2 * batch->column_capacity : 16;
    struct batch_column **columns =
        mem_resize(batch->account, batch->columns, batch->column_capacity * sizeof *columns,
                   wanted * sizeof *columns);
    if (!columns) return mem_refused(batch->account, wanted * sizeof *columns, err);
    batch->columns = columns;
    batch->column_capacity = wanted;
  }
  struct batch_column *column = ARENA_NEW(&batch->names, struct batch_column);
  struct str copy = arena_copy(&batch->names, name);
  if (!column || !copy.data || !str_table_reserve(&batch->by_name, batch->column_count + 1))
    return mem_refused(batch->account, sizeof *column + name.size, err);
  column->name = copy;
  column->type = type;
  builder_init(&column->builder, element_column_type(type), batch->account);
  *str_table_insert(&batch->by_name, copy, NULL) = batch->column_count;
  batch->columns[batch->column_count++] = column;
  *added = column;
  return ERR_OK;
}

static int find_column(struct nilo_store_batch *batch, const struct nilo_store_tag *tag, size_t at,
                       struct batch_column **found, struct err *err) {
  struct str name = str_from(tag->name);
  struct batch_column *column = NULL;
  if (at < batch->column_count && str_equal(batch->columns[at]->name, name)) {
    column = batch->columns[at];
  } else {
    uint64_t *index = str_table_find(&batch->by_name, name);
    if (index) column = batch->columns[*index];
  }
  if (!column) {
    int code = add_column(batch, name, tag->value.type, &column, err);
    if (code) return code;
  } else if (column->type != tag->value.type) {
    if (column->builder.null_count < column->builder.length)
      return type_conflict(name, column->type, tag->value.type, err);
    /* nothing of it stands in the batch: the store decides what it is */
    uint32_t id;
    struct type known;
    if (element_registry_find(&batch->store->registry, name, &id, &known) &&
        element_tag_type(known) != tag->value.type)
      return type_conflict(name, element_tag_type(known), tag->value.type, err);
    builder_deinit(&column->builder);
    column->type = tag->value.type;
    builder_init(&column->builder, element_column_type(column->type), batch->account);
  }
  if (column->element == batch->checked)
    return err_set(err, ERR_INVALID_ARGUMENT, "tag \"%.100s\" stands twice", tag->name);
  column->element = batch->checked;
  *found = column;
  return ERR_OK;
}

/* Room for one value; a builder that was refused it is as it was, and may be asked again. */
static bool reserve(struct builder *builder, size_t bytes) {
  bool good = !builder->failed && builder_reserve(builder, 1, bytes);
  builder->failed = false;
  return good;
}

/* Bytes of the value as it is kept. */
static size_t value_bytes(const struct nilo_store_value *value) {
  size_t size = value->size;
  if (value->type == NILO_STORE_INT64_LIST) return 8 * value->size;
  if (value->type == NILO_STORE_STRING_LIST)
    for (size_t i = 0; i < value->size; i++)
      size += value->strings[i].size + 10;
  return size;
}

static int check_tag(struct nilo_store_batch *batch, const struct nilo_store_tag *tag, size_t at,
                     struct err *err) {
  batch->found[at] = NULL;
  if (!tag->name || !*tag->name)
    return err_set(err, ERR_INVALID_ARGUMENT, "tag %zu: the name is empty", at);
  if (tag->value.type == NILO_STORE_NULL) return ERR_OK;
  if (tag->value.type > NILO_STORE_INT64_LIST)
    return err_set(err, ERR_INVALID_ARGUMENT, "tag \"%.100s\": %d is no type", tag->name,
                   (int)tag->value.type);
  if (tag->value.size && !tag->value.data)
    return err_set(err, ERR_INVALID_ARGUMENT, "tag \"%.100s\": its value is at no place",
                   tag->name);
  bool list = tag->value.type >= NILO_STORE_STRING_LIST;
  if (list && tag->value.size > ELEMENT_LIST_ITEMS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "tag \"%.100s\": a list of %zu items, at most %d",
                   tag->name, tag->value.size, ELEMENT_LIST_ITEMS_MAX);
  for (size_t i = 0; tag->value.type == NILO_STORE_STRING_LIST && i < tag->value.size; i++)
    if (tag->value.strings[i].size && !tag->value.strings[i].data)
      return err_set(err, ERR_INVALID_ARGUMENT, "tag \"%.100s\": item %zu is at no place",
                     tag->name, i);
  int code = find_column(batch, tag, at, &batch->found[at], err);
  if (code) return code;
  struct builder *builder = &batch->found[at]->builder;
  builder_pad(builder, batch->rows);
  size_t bytes = value_bytes(&tag->value);
  if (builder->data_size + bytes > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "tag \"%.100s\": over 2 GiB in one batch", tag->name);
  if (!reserve(builder, bytes)) return mem_refused(batch->account, bytes + 64, err);
  if (!list) return ERR_OK;
  buffer_reset(&batch->list);
  return buffer_reserve(&batch->list, bytes + 16) ? ERR_OK : buffer_check(&batch->list, err);
}

static int check_element(struct nilo_store_batch *batch, const struct nilo_store_element *element,
                         struct err *err) {
  if (element->series == 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "element %u: series is 0", batch->rows);
  if (!element->data.data && element->data.size)
    return err_set(err, ERR_INVALID_ARGUMENT, "element %u: data is at no place", batch->rows);
  if (!element->tags && element->tag_count)
    return err_set(err, ERR_INVALID_ARGUMENT, "element %u: its tags are at no place", batch->rows);
  if (batch->store->options.payload_required && element->data.size == 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "element %u: data is missing or empty", batch->rows);
  if (batch->rows == INT32_MAX || batch->data.data_size + element->data.size > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "the batch is full with %u elements", batch->rows);
  if (element->tag_count > batch->found_capacity) {
    size_t wanted = element->tag_count < 16 ? 16 : element->tag_count;
    struct batch_column **found =
        mem_resize(batch->account, batch->found, batch->found_capacity * sizeof *found,
                   wanted * sizeof *found);
    if (!found) return mem_refused(batch->account, wanted * sizeof *found, err);
    batch->found = found;
    batch->found_capacity = wanted;
  }
  batch->checked++;
  int code = ERR_OK;
  for (size_t i = 0; i < element->tag_count && !code; i++)
    code = check_tag(batch, &element->tags[i], i, err);
  if (code) return code;
  if (element->data.data) builder_pad(&batch->data, batch->rows);
  if (!reserve(&batch->series, 0) || !reserve(&batch->keys, 0) ||
      !reserve(&batch->data, element->data.size))
    return mem_refused(batch->account, element->data.size + 64, err);
  return ERR_OK;
}

/* ---- adding ---- */

static void add_value(struct nilo_store_batch *batch, struct builder *builder,
                      const struct nilo_store_value *value) {
  switch (value->type) {
  case NILO_STORE_INT64:
    builder_append_i64(builder, value->i64);
    break;
  case NILO_STORE_UINT64:
    builder_append_u64(builder, value->u64);
    break;
  case NILO_STORE_FLOAT64:
    builder_append_f64(builder, value->f64);
    break;
  case NILO_STORE_BOOL:
    builder_append_bool(builder, value->boolean);
    break;
  case NILO_STORE_STRING:
  case NILO_STORE_BYTES:
    builder_append_str(builder, str_of(value->data, value->size));
    break;
  case NILO_STORE_STRING_LIST:
  case NILO_STORE_INT64_LIST:
    buffer_reset(&batch->list);
    element_list_encode(value, &batch->list, NULL); /* there is room: it was checked */
    assert(!batch->list.failed);
    builder_append_str(builder, buffer_str(&batch->list));
    break;
  case NILO_STORE_NULL:
    break;
  }
}

int nilo_store_batch_add(struct nilo_store_batch *batch, const struct nilo_store_element *element,
                         struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  if (check_element(batch, element, &err)) return element_fail(&err, error);
  for (size_t i = 0; i < element->tag_count; i++)
    if (batch->found[i]) add_value(batch, &batch->found[i]->builder, &element->tags[i].value);
  builder_append_u64(&batch->series, element->series);
  builder_append_i64(&batch->keys, element->key);
  if (element->data.data) {
    builder_append_str(&batch->data, str_of(element->data.data, element->data.size));
    batch->has_data = true;
  }
  batch->rows++;
  return NILO_OK;
}

/* ---- the commit ---- */

static int write_batch(struct nilo_store_batch *batch, struct arena *arena, uint64_t *commit,
                       struct err *err) {
  struct element_column *columns = arena_alloc(arena, (batch->column_count + 1) * sizeof *columns);
  if (!columns) return mem_refused(arena->account, batch->column_count * sizeof *columns, err);
  size_t count = 0;
  int code = ERR_OK;
  for (size_t i = 0; i < batch->column_count && !code; i++) {
    struct builder *builder = &batch->columns[i]->builder;
    if (builder->null_count == builder->length) continue; /* the batch has no value of it */
    builder_pad(builder, batch->rows);
    code = builder_check(builder, err);
    columns[count++] = (struct element_column){batch->columns[i]->name, builder_view(builder)};
  }
  if (batch->has_data) builder_pad(&batch->data, batch->rows);
  if (!code) code = builder_check(&batch->data, err);
  if (code) return code;
  struct column data = builder_view(&batch->data);
  struct element_rows rows = {.rows = batch->rows,
                              .series = builder_view(&batch->series).u64,
                              .keys = builder_view(&batch->keys).i64,
                              .data = batch->has_data ? &data : NULL,
                              .columns = columns,
                              .column_count = count};
  return element_write(batch->store, &rows, arena, commit, err);
}

int nilo_store_batch_commit(struct nilo_store_batch *batch, uint64_t *commit,
                            struct nilo_error *error) {
  struct err err;
  struct arena arena;
  err_reset(&err);
  if (commit) *commit = 0;
  if (batch->rows == 0) return NILO_OK;
  arena_init(&arena, batch->account, 4096);
  int code = write_batch(batch, &arena, commit, &err);
  arena_deinit(&arena);
  if (code) return element_fail(&err, error);
  nilo_store_batch_reset(batch);
  return NILO_OK;
}
