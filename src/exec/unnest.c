/* A row for each item of a list or an array: the input's columns, repeated, then the item and its
 * number. Lists are checked as they are read; a damaged one ends the query. */
#include "base/array.h"
#include "base/bytes.h"
#include "base/err.h"
#include "element/element.h"
#include "exec/exec_private.h"

struct unnest {
  struct exec_op op;
  struct exec_rows rows;
  struct exec_batch input;
  int64_t at;      /* row of the input */
  struct str list; /* of that row: what is left */
  struct array array;
  bool is_array;
  uint32_t number;   /* items of it that are out */
  bool begun, ended; /* begun: rows are out */
  uint32_t *picked;  /* rows of the input, one per row of output */
  bool reading;      /* the list of row `at` */
};

static struct type list_type(const struct unnest *self) {
  return self->op.input->node->schema.columns[self->op.node->unnest.column].type;
}

static int unnest_open(struct exec_op *op, struct err *err) {
  struct unnest *self = (struct unnest *)op;
  self->picked = ARENA_ARRAY(&op->exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  if (!self->picked) return exec__refused(op->exec, LIMIT_BLOCK_ROWS * 4, err);
  self->is_array = list_type(self).logical == LOGICAL_ARRAY;
  return exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
}

static struct builder *item_builder(struct unnest *self) {
  return &self->rows.builders[self->op.input->node->schema.count];
}

/* Item number - 1 of an array. */
static void append_array_item(struct unnest *self) {
  struct builder *builder = item_builder(self);
  uint32_t at = self->number - 1;
  if (array_is_null(&self->array, at))
    builder_append_null(builder);
  else if (type_is_string(builder->type))
    builder_append_str(builder, array_bytes(&self->array, at));
  else
    exec__append_bits(builder, array_word(&self->array, at));
}

static void append_item(struct unnest *self, bool integers) {
  if (self->is_array) {
    append_array_item(self);
    return;
  }
  if (integers) {
    builder_append_i64(item_builder(self), load_i64(self->list.data));
    self->list = str_of(self->list.data + 8, self->list.size - 8);
    return;
  }
  struct reader reader = reader_of(self->list.data, self->list.size);
  struct str item = reader_sized(&reader);
  builder_append_str(item_builder(self), item.size ? item : STR(""));
  size_t left = reader_left(&reader);
  self->list = str_of(self->list.data + (self->list.size - left), left);
}

static void append_number(struct unnest *self, bool absent) {
  if (!self->op.node->unnest.with_ordinality) return;
  struct builder *builder = item_builder(self) + 1;
  if (absent)
    builder_append_null(builder);
  else
    builder_append_i64(builder, self->number);
}

/* The list of the row that is next, checked. */
static int begin_row(struct unnest *self, struct err *err) {
  const struct column *column = &self->input.batch.columns[self->op.node->unnest.column];
  bool integers = list_type(self).logical == LOGICAL_LIST_INT64;
  self->list = (struct str){"", 0};
  self->number = 0;
  self->reading = true;
  self->array = (struct array){0};
  if (column_is_valid(column, self->at))
    self->list = column->dictionary ? column_str(column->dictionary, column->i32[self->at])
                                    : column_str(column, self->at);
  uint32_t items;
  if (self->is_array) {
    bool texts = type_is_string(type_item(list_type(self)));
    if (!self->list.size || array_open(self->list, texts ? ARRAY_BYTES : ARRAY_WORDS, &self->array))
      return ERR_OK;
    return err_set(err, ERR_CORRUPTION, "an array is damaged");
  }
  return element_list_check(integers ? NILO_STORE_INT64_LIST : NILO_STORE_STRING_LIST, self->list,
                            &items, err);
}

static bool more_items(const struct unnest *self) {
  return self->is_array ? self->number < self->array.count : self->list.size > 0;
}

/* Fills an output batch from the input batch, or until that ends. */
static int unnest_rows(struct unnest *self, int64_t *count, struct err *err) {
  const struct plan_unnesting *unnest = &self->op.node->unnest;
  bool integers = list_type(self).logical == LOGICAL_LIST_INT64;
  for (*count = 0; self->at < self->input.batch.length && *count < LIMIT_BLOCK_ROWS;) {
    int code = self->reading ? ERR_OK : begin_row(self, err);
    if (code) return code;
    bool empty = !more_items(self) && self->number == 0;
    while (more_items(self) && *count < LIMIT_BLOCK_ROWS) {
      self->number++;
      append_item(self, integers);
      append_number(self, false);
      self->picked[(*count)++] = (uint32_t)self->at;
    }
    if (more_items(self)) break;
    if (empty && unnest->keep_empty) {
      builder_append_null(item_builder(self));
      append_number(self, true);
      self->picked[(*count)++] = (uint32_t)self->at;
    }
    self->at++;
    self->reading = false;
  }
  return ERR_OK;
}

static int unnest_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct unnest *self = (struct unnest *)op;
  int64_t count = 0;
  exec__rows_reset(&self->rows);
  exec__rows_group(&self->rows, self->begun);
  while (count == 0 && !self->ended) {
    int code = exec__check(op->exec, err);
    if (!code && self->at == self->input.batch.length) {
      self->at = 0;
      code = exec__pull(op->input, &self->input, err);
      self->ended = self->input.batch.length == 0;
      if (!code) exec__rows_adopt(&self->rows, &self->input);
    }
    if (!code) code = unnest_rows(self, &count, err);
    if (code) return code;
  }
  for (uint32_t c = 0; c < op->input->node->schema.count && count; c++)
    builder_append_rows(&self->rows.builders[c], &self->input.batch.columns[c], self->picked,
                        count);
  self->begun |= count > 0;
  return exec__rows_batch(&self->rows, batch, err);
}

static void unnest_close(struct exec_op *op) { exec__rows_deinit(&((struct unnest *)op)->rows); }

const struct exec_op_kind exec__unnest = {sizeof(struct unnest), unnest_open, unnest_next,
                                          unnest_close};
