/* Aggregation over any input, group by group: what comes from a scan is aggregated where the chunks
 * are (aggregate_scan.c). */
#include "base/err.h"
#include "exec/aggregate_emit.h"
#include "kernel/bucket.h"

struct aggregate {
  struct exec_op op;
  struct exec_groups groups;
  struct aggregator aggregator;
  struct aggregate_table table;
  struct aggregate_emit emit;
  const uint64_t **validity;
  struct exec_group piece; /* not taken yet */
  bool have_piece, open, emitting, ended;
  int64_t slices; /* of the group, so far */
};

static int aggregate_open(struct exec_op *op, struct err *err) {
  struct aggregate *self = (struct aggregate *)op;
  const struct plan_schema *input = &op->node->input->schema;
  self->groups.input = op->input;
  self->validity = ARENA_ARRAY(&op->exec->memory, const uint64_t *, input->count + 1);
  if (!self->validity) return exec__refused(op->exec, input->count * 8, err);
  int code = aggregator_init(&self->aggregator, op->exec, &op->node->aggregate, input, err);
  if (code) return code;
  aggregate_table_init(&self->table, &self->aggregator);
  return aggregate_emit_init(&self->emit, &self->aggregator, op->node, err);
}

/* The end of the slice that begins at `row`: rows of one bucket whose times go one way. */
static uint32_t slice_end(const struct aggregate *self, const int64_t *keys, uint32_t row,
                          uint32_t end, int64_t *bucket, bool *descending) {
  const struct plan_bucket *buckets = &self->aggregator.plan->bucket;
  int64_t first = INT64_MIN, last = INT64_MAX;
  *bucket = 0;
  *descending = false;
  if (!plan_bucket_is_all(buckets)) {
    *bucket = plan_bucket_index(buckets, keys[row]);
    first = plan_bucket_first(buckets, *bucket);
    last = plan_bucket_last(buckets, *bucket);
  } else if (!self->aggregator.any_places || !keys) {
    return end;
  }
  int direction = 0;
  uint32_t stop = row + 1;
  for (; stop < end && keys[stop] >= first && keys[stop] <= last; stop++) {
    int step = (keys[stop] > keys[stop - 1]) - (keys[stop] < keys[stop - 1]);
    if (step && direction && step != direction) break;
    if (step) direction = step;
  }
  *descending = direction < 0;
  return stop;
}

static int take_piece(struct aggregate *self, struct err *err) {
  const struct exec_batch *input = &self->groups.batch;
  const struct plan_schema *schema = self->aggregator.input;
  const int64_t *keys = schema->has_time ? input->batch.columns[schema->group_count].i64 : NULL;
  if (!keys && (self->aggregator.any_places || self->aggregator.any_times ||
                !plan_bucket_is_all(&self->aggregator.plan->bucket)))
    return err_set(err, ERR_INTERNAL, "an aggregate by time over rows without time");
  for (uint32_t i = 0; i < schema->count; i++)
    self->validity[i] =
        input->batch.columns[i].null_count ? input->batch.columns[i].validity : NULL;
  uint32_t row = self->piece.row, end = row + self->piece.rows;
  int code = ERR_OK;
  while (row < end && !code) {
    int64_t bucket;
    bool descending;
    uint32_t stop = slice_end(self, keys, row, end, &bucket, &descending);
    struct aggregate_slice slice = {.record = aggregate_table_record(&self->table, 0, bucket),
                                    .row = row,
                                    .rows = stop - row,
                                    .rank = descending ? -self->slices : self->slices,
                                    .descending = descending};
    struct aggregate_input of = {input->batch.columns, self->validity, keys};
    if (!slice.record) code = mem_refused(self->table.arena.account, 4096, err);
    for (uint32_t i = 0; i < self->aggregator.call_count && !code; i++)
      code = aggregate_apply(&self->table, &self->aggregator.calls[i], &of, &slice, 1, err);
    self->slices++;
    row = stop;
  }
  return code;
}

static void begin_group(struct aggregate *self) {
  const struct exec_batch *input = &self->groups.batch;
  const struct plan_schema *schema = &self->op.node->schema;
  aggregate_table_reset(&self->table);
  self->slices = 0;
  self->open = true;
  for (uint32_t i = 0; i < schema->group_count; i++) {
    self->emit.codes[i] = input->batch.columns[i].i32[self->piece.row];
    exec__rows_dictionary(&self->emit.rows, i, input->batch.columns[i].dictionary);
  }
  uint32_t first = plan_schema_values(schema);
  for (uint32_t i = first; i < schema->count; i++) {
    uint32_t value = i - first, calls = self->aggregator.call_count;
    bool call = value < calls;
    uint32_t column =
        call ? self->aggregator.calls[value].column : self->aggregator.carried[value - calls];
    if (!call || (type_is_string(self->aggregator.calls[value].result) &&
                  !self->aggregator.calls[value].other))
      exec__rows_dictionary(&self->emit.rows, i, input->batch.columns[column].dictionary);
  }
}

static int end_group(struct aggregate *self, struct err *err) {
  aggregate_emit_begin(&self->emit);
  int code = ERR_OK;
  for (uint32_t i = 0; i < self->table.page_count && !code; i++)
    code = aggregate_emit_page(&self->emit, self->table.pages[i], err);
  if (!code) code = aggregate_emit_finish(&self->emit, err);
  self->open = false;
  self->emitting = true;
  return code;
}

/* Reads until a group is complete. */
static int read_group(struct aggregate *self, struct err *err) {
  for (;;) {
    bool more = true;
    int code =
        self->have_piece ? ERR_OK : exec__groups_next(&self->groups, &self->piece, &more, err);
    if (code) return code;
    self->have_piece = more;
    self->ended = !more;
    bool new_group = !more || !self->piece.continued;
    if (self->open && new_group) return end_group(self, err);
    if (!more) return ERR_OK;
    if (!self->open) begin_group(self);
    self->have_piece = false;
    code = take_piece(self, err);
    if (code) return code;
    self->piece.continued = true;
  }
}

static int aggregate_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct aggregate *self = (struct aggregate *)op;
  int code = ERR_OK;
  exec__rows_reset(&self->emit.rows);
  while (!code && exec__rows_count(&self->emit.rows) < LIMIT_BLOCK_ROWS) {
    if (self->emitting) {
      bool done;
      code = aggregate_emit_rows(&self->emit, &done, err);
      self->emitting = !done;
    } else if (self->ended) {
      break;
    } else {
      code = read_group(self, err);
    }
  }
  return code ? code : exec__rows_batch(&self->emit.rows, batch, err);
}

static void aggregate_close(struct exec_op *op) {
  struct aggregate *self = (struct aggregate *)op;
  aggregate_table_deinit(&self->table);
  aggregate_emit_deinit(&self->emit);
}

const struct exec_op_kind exec__aggregate = {sizeof(struct aggregate), aggregate_open,
                                             aggregate_next, aggregate_close};
