/* Subqueries that no rule could make a join of: the right side is run for the values that each row
 * of the input gives its parameters, once for each distinct combination of them.
 *
 * What a run gave is kept (`results`, found by the parameters' values) as long as there is memory
 * for it. When there is none, everything that was kept is forgotten, and the run at hand goes to a
 * stream if need be, for its one row. Each run is an execution of its own, of a plan with the
 * values in the place of the parameters, optimized again: a condition on a tag or a time that was a
 * parameter prunes the scan. Semi and anti applies stop a run at its first row. */
#include "base/err.h"
#include "exec/key_table.h"
#include "exec/row_buffer.h"
#include "exec/spill.h"
#include "exec/spill_private.h"
#include "plan/properties.h"

/* What a run gave. */
struct apply_entry {
  uint64_t first, rows; /* in `results` */
  bool known;
};

struct apply {
  struct exec_op op;
  struct exec_rows rows;
  struct builder **right; /* of its columns in `rows` */
  uint32_t left_count, right_count;
  struct row_buffer results;
  struct key_table *keys;
  const struct column **key_columns;
  struct plan_value *values;
  struct apply_entry *entries; /* by the ids of `keys` */
  uint32_t entry_count, entry_capacity;
  struct arena bound; /* the plan of the run at hand */
  struct exec_batch input;
  int64_t at, ids_end; /* row of the input; rows before it have ids */
  uint32_t *ids;
  uint64_t given; /* rows of row `at` that are out */
  struct spill_stream *stream;
  struct spill_reader *reader; /* of what the run for row `at` gave; NULL: it is in `results` */
  struct batch piece;
  int64_t piece_at;
  uint32_t *picked;  /* rows of the input, one per row of output */
  uint64_t *numbers; /* rows of `results` */
  int64_t count;
  bool begun, ended;
};

static const struct plan_applying *applying(const struct apply *self) {
  return &self->op.node->apply;
}
static bool is_refusal(int code) { return code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY; }

/* True when only the number of rows matters. */
static bool tests_only(const struct apply *self) {
  return applying(self)->kind == APPLY_SEMI || applying(self)->kind == APPLY_ANTI;
}

/* ---- opening ---- */

static int make_keys(struct apply *self, struct err *err) {
  const struct plan_applying *apply = applying(self);
  struct exec *exec = self->op.exec;
  struct type *types = ARENA_ARRAY(&exec->memory, struct type, apply->column_count + 1);
  self->key_columns = ARENA_ARRAY(&exec->memory, const struct column *, apply->column_count + 1);
  self->values = ARENA_ARRAY(&exec->memory, struct plan_value, apply->column_count + 1);
  self->ids = ARENA_ARRAY(&exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  self->picked = ARENA_ARRAY(&exec->memory, uint32_t, LIMIT_BLOCK_ROWS);
  self->numbers = ARENA_ARRAY(&exec->memory, uint64_t, LIMIT_BLOCK_ROWS);
  if (!types || !self->key_columns || !self->values || !self->ids || !self->picked ||
      !self->numbers)
    return exec__refused(exec, LIMIT_BLOCK_ROWS * sizeof *self->numbers, err);
  for (uint32_t i = 0; i < apply->column_count; i++)
    types[i] = self->op.node->input->schema.columns[apply->columns[i]].type;
  return exec__key_table_create(exec, types, apply->column_count, &self->keys, err);
}

static int apply_open(struct exec_op *op, struct err *err) {
  struct apply *self = (struct apply *)op;
  const struct plan_schema *right = &op->node->right->schema;
  arena_init(&self->bound, op->exec->options.account, 4096);
  self->left_count = op->node->input->schema.count;
  self->right_count = tests_only(self) ? 0 : right->count;
  self->right = ARENA_ARRAY(&op->exec->memory, struct builder *, self->right_count + 1);
  if (!self->right) return exec__refused(op->exec, self->right_count * sizeof *self->right, err);
  int code = exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
  for (uint32_t i = 0; i < self->right_count && !code; i++)
    self->right[i] = &self->rows.builders[self->left_count + i];
  if (!code) code = exec__row_buffer_init_schema(&self->results, op->exec, right, err);
  self->results.plain = true; /* a run's dictionaries end with it */
  return code ? code : make_keys(self, err);
}

static void drop_stream(struct apply *self) {
  exec__spill_close(self->reader);
  exec__spill_destroy(self->stream);
  self->reader = NULL;
  self->stream = NULL;
  self->piece = (struct batch){0};
  self->piece_at = 0;
}

static void apply_close(struct exec_op *op) {
  struct apply *self = (struct apply *)op;
  drop_stream(self);
  exec__row_buffer_deinit(&self->results);
  exec__key_table_destroy(self->keys);
  mem_free(op->exec->options.account, self->entries, self->entry_capacity * sizeof *self->entries);
  exec__rows_deinit(&self->rows);
  arena_deinit(&self->bound);
}

/* ---- running the right side ---- */

static void set_value(struct plan_value *value, struct type type, const struct column *column,
                      int64_t row) {
  *value = (struct plan_value){.type = type, .null = !column_is_valid(column, row)};
  if (value->null) return;
  if (column->dictionary)
    value->text = column_str(column->dictionary, column->i32[row]);
  else if (type_is_string(type))
    value->text = column_str(column, row);
  else if (type.physical == PHYSICAL_BOOL)
    value->boolean = bit_get(column->bits, row);
  else
    value->u64 = column->u64[row];
}

/* The right side with the values of row `at`. */
static int bind(struct apply *self, const struct plan_node **plan, struct err *err) {
  const struct plan_applying *apply = applying(self);
  struct err local = {.offset = -1};
  for (uint32_t i = 0; i < apply->column_count; i++)
    set_value(&self->values[i], self->op.node->input->schema.columns[apply->columns[i]].type,
              &self->input.batch.columns[apply->columns[i]], self->at);
  arena_reset(&self->bound);
  *plan = plan_bind(&self->bound, self->op.node->right, apply->first_parameter, self->values,
                    apply->column_count, &local);
  if (*plan) *plan = plan_optimize(&self->bound, *plan, &local);
  if (*plan) return ERR_OK;
  if (!local.code) return exec__refused(self->op.exec, 4096, err);
  if (err) *err = local;
  return local.code;
}

static int take(struct apply *self, const struct batch *batch, uint64_t *rows, struct err *err) {
  *rows += (uint64_t)batch->length;
  if (tests_only(self)) return ERR_OK;
  if (applying(self)->kind == APPLY_SCALAR && *rows > 1) {
    err_set(err, ERR_CARDINALITY, "more than one row returned by a subquery used as an expression");
    err_hint(err, "aggregate it, or add LIMIT 1");
    return ERR_CARDINALITY;
  }
  return self->stream
             ? exec__spill_append(self->stream, batch->columns, 0, batch->length, err)
             : exec__row_buffer_append(&self->results, batch->columns, 0, batch->length, err);
}

/* What a run did is the apply's doing. */
static void add_figures(struct apply *self, const struct exec *run) {
  struct exec *exec = self->op.exec;
  struct exec_figures figures;
  exec_figures(run, &figures);
  exec__add_figures(exec, &figures);
  self->op.figures.bytes_spilled += figures.bytes_spilled;
  self->op.figures.bytes_spill_read += figures.bytes_spill_read;
  self->op.figures.streams_spilled += figures.streams_spilled;
  if (!exec->spill) return;
  exec->spill->written += figures.bytes_spilled;
  exec->spill->read += figures.bytes_spill_read;
  exec->spill->streams += figures.streams_spilled;
}

/* Runs the right side for row `at`, into `results` or the stream. */
static int run(struct apply *self, uint64_t *rows, struct err *err) {
  struct exec_options options = self->op.exec->options;
  const struct plan_node *plan;
  struct exec *exec;
  *rows = 0;
  int code = bind(self, &plan, err);
  options.os = self->op.exec->os;
  options.analyze = false;
  if (!code) code = exec_open(plan, &options, &exec, err);
  if (code) return code;
  for (;;) {
    struct exec_batch batch;
    code = exec_next(exec, &batch, err);
    if (!code && batch.batch.length) code = take(self, &batch.batch, rows, err);
    if (code || batch.batch.length == 0 || (tests_only(self) && *rows)) break;
  }
  add_figures(self, exec);
  exec_close(exec);
  return code;
}

/* Forgets what runs gave. Rows that are on their way out must not be. */
static void forget(struct apply *self) {
  exec__row_buffer_reset(&self->results);
  exec__key_table_reset(self->keys);
  self->entry_count = 0;
  self->ids_end = self->at;
}

/* ---- rows of the input ---- */

static bool grow_entries(struct apply *self, uint32_t count) {
  if (count > self->entry_capacity) {
    uint32_t capacity = count + self->entry_capacity;
    struct apply_entry *entries =
        mem_resize(self->op.exec->options.account, self->entries,
                   self->entry_capacity * sizeof *entries, capacity * sizeof *entries);
    if (!entries) return false;
    self->entries = entries;
    self->entry_capacity = capacity;
  }
  for (; self->entry_count < count; self->entry_count++)
    self->entries[self->entry_count] = (struct apply_entry){.known = false};
  return true;
}

/* Ids of the input's rows from `at` on; some of them when memory ends. */
static int find_ids(struct apply *self, struct err *err) {
  const struct plan_applying *apply = applying(self);
  int64_t added = 0;
  for (uint32_t i = 0; i < apply->column_count; i++)
    self->key_columns[i] = &self->input.batch.columns[apply->columns[i]];
  int code = exec__key_table_add(self->keys, self->key_columns, self->at,
                                 self->input.batch.length - self->at, NULL, self->ids + self->at,
                                 &added, err);
  if (is_refusal(code) && added) code = ERR_OK;
  uint32_t count = exec__key_table_count(self->keys);
  if (!code && !grow_entries(self, count))
    code = exec__refused(self->op.exec, count * sizeof *self->entries, err);
  if (!code) self->ids_end = self->at + added;
  return code;
}

/* What the right side gives for row `at`; NULL: it is in the stream. */
static int find_entry(struct apply *self, struct apply_entry **entry, struct err *err) {
  int code = self->at < self->ids_end ? ERR_OK : find_ids(self, err);
  if (code) return code;
  *entry = &self->entries[self->ids[self->at]];
  if ((*entry)->known) return ERR_OK;
  uint64_t rows, first = self->results.rows;
  code = run(self, &rows, err);
  if (code) return code;
  **entry = (struct apply_entry){.first = first, .rows = rows, .known = true};
  return ERR_OK;
}

static void put(struct apply *self, uint64_t number) {
  self->picked[self->count] = (uint32_t)self->at;
  self->numbers[self->count++] = number;
}

/* Puts the rows of row `at` out, until the batch is full or it is done. */
static void put_entry(struct apply *self, const struct apply_entry *entry) {
  switch (applying(self)->kind) {
  case APPLY_SEMI:
  case APPLY_ANTI:
    if ((entry->rows > 0) == (applying(self)->kind == APPLY_SEMI)) put(self, ROW_NONE);
    break;
  case APPLY_SCALAR:
    put(self, entry->rows ? entry->first : ROW_NONE);
    break;
  default:
    if (entry->rows == 0 && applying(self)->kind == APPLY_LEFT) put(self, ROW_NONE);
    while (self->given < entry->rows && self->count < LIMIT_BLOCK_ROWS)
      put(self, entry->first + self->given++);
    if (self->given < entry->rows) return;
  }
  self->given = 0;
  self->at++;
}

/* Nothing fits any more: the run for row `at` goes to a stream. */
static int run_to_stream(struct apply *self, struct err *err) {
  const struct plan_schema *right = &self->op.node->right->schema;
  uint64_t rows;
  if (!exec__can_spill(self->op.exec) || tests_only(self))
    return exec__refused(self->op.exec, 0, err);
  int code =
      exec__spill_create(self->op.exec, self->results.types, right->count, &self->stream, err);
  if (!code) code = run(self, &rows, err);
  if (!code) code = exec__spill_finish(self->stream, err);
  if (!code && rows == 0) {
    drop_stream(self);
    put_entry(self, &(struct apply_entry){.rows = 0});
    return ERR_OK;
  }
  return code ? code : exec__spill_open(self->stream, &self->reader, err);
}

/* A piece of what the stream holds for row `at`. */
static int put_piece(struct apply *self, struct err *err) {
  if (self->piece_at == self->piece.length) {
    self->piece_at = 0;
    int code = exec__spill_next(self->reader, &self->piece, err);
    if (code) return code;
    if (self->piece.length == 0) {
      drop_stream(self);
      self->at++;
      return ERR_OK;
    }
  }
  int64_t count = self->piece.length - self->piece_at;
  if (count > LIMIT_BLOCK_ROWS) count = LIMIT_BLOCK_ROWS;
  for (int64_t i = 0; i < count; i++)
    put(self, ROW_NONE);
  for (uint32_t i = 0; i < self->right_count; i++)
    builder_append_column(self->right[i], &self->piece.columns[i], self->piece_at, count);
  self->piece_at += count;
  return ERR_OK;
}

/* Rows of the input until the batch is full; *more false: the input is at its end. */
static int fill(struct apply *self, struct err *err) {
  while (self->count < LIMIT_BLOCK_ROWS) {
    struct apply_entry *entry;
    int code = exec__check(self->op.exec, err);
    if (code) return code;
    if (self->at == self->input.batch.length) {
      if (self->count || self->ended) return ERR_OK;
      self->at = self->ids_end = 0;
      code = exec__pull(self->op.input, &self->input, err);
      self->ended = self->input.batch.length == 0;
      if (!code) exec__rows_adopt(&self->rows, &self->input);
      if (code || self->ended) return code;
      continue;
    }
    code = find_entry(self, &entry, err);
    if (is_refusal(code)) {
      if (self->count) return ERR_OK; /* these rows first: they stand in what will be forgotten */
      err_reset(err);
      forget(self);
      code = find_entry(self, &entry, err);
      if (is_refusal(code)) {
        err_reset(err);
        forget(self);
        return run_to_stream(self, err);
      }
    }
    if (code) return code;
    put_entry(self, entry);
  }
  return ERR_OK;
}

static int apply_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct apply *self = (struct apply *)op;
  int code = ERR_OK;
  bool streamed = false;
  exec__rows_reset(&self->rows);
  exec__rows_group(&self->rows, self->begun);
  self->count = 0;
  while (!code && self->count == 0 && !self->ended) {
    streamed = self->reader != NULL;
    code = streamed ? put_piece(self, err) : fill(self, err);
  }
  if (code) return code;
  for (uint32_t i = 0; i < self->left_count && self->count; i++)
    builder_append_rows(&self->rows.builders[i], &self->input.batch.columns[i], self->picked,
                        self->count);
  if (self->right_count && self->count && !streamed)
    exec__row_buffer_take(&self->results, self->numbers, self->count, NULL, self->right_count,
                          self->right);
  self->begun |= self->count > 0;
  return exec__rows_batch(&self->rows, batch, err);
}

const struct exec_op_kind exec__apply = {sizeof(struct apply), apply_open, apply_next, apply_close};
