/* The buckets without a row, and the cells without a value, as InfluxQL's fill() has it.
 *
 * A group is held whole (one row per bucket at most). Its rows are looked at in the order of time
 * whichever way they come; for every column it is known which row before and after a place has a
 * value, so filling costs the same in both directions. `previous` is the earlier value in time. */
#include <math.h>

#include "base/err.h"
#include "exec/group_buffer.h"
#include "kernel/bucket.h"
#include "kernel/loops.h"

struct fill {
  struct exec_op op;
  struct group_buffer buffer;
  struct exec_rows rows;
  struct arena arena; /* of a group */
  int64_t *buckets;   /* per row of the group, by time */
  int32_t *row_of;    /* by time -> row of the held batch */
  int32_t **before;   /* per column: the last row by time, up to this one, with a value; -1: none */
  int32_t **after;    /* the first from this one on; the count: none */
  int64_t count;      /* rows */
  int64_t first, last; /* buckets */
  uint64_t total, done;
  int64_t at;    /* rows by time whose bucket is not above the current one */
  bool complete; /* the group's rows are given as they are */
  bool ended;
};

static int fill_open(struct exec_op *op, struct err *err) {
  struct fill *self = (struct fill *)op;
  arena_init(&self->arena, op->exec->options.account, 4096);
  if (!op->node->input->schema.has_time || plan_bucket_is_all(&op->node->fill.bucket))
    return err_set(err, ERR_INTERNAL, "a fill without times or buckets");
  int code = group_buffer_init(&self->buffer, op, err);
  return code ? code : exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
}

/* ---- a group ---- */

static int find_neighbours(struct fill *self, uint32_t column, struct err *err) {
  const struct column *values = &self->buffer.held.batch.columns[column];
  int32_t *before = ARENA_ARRAY(&self->arena, int32_t, self->count);
  int32_t *after = ARENA_ARRAY(&self->arena, int32_t, self->count);
  if (!before || !after) return exec__refused(self->op.exec, (size_t)self->count * 8, err);
  int32_t seen = -1;
  for (int64_t i = 0; i < self->count; i++) {
    if (column_is_valid(values, self->row_of[i])) seen = (int32_t)i;
    before[i] = seen;
  }
  seen = (int32_t)self->count;
  for (int64_t i = self->count; i-- > 0;) {
    if (column_is_valid(values, self->row_of[i])) seen = (int32_t)i;
    after[i] = seen;
  }
  self->before[column] = before;
  self->after[column] = after;
  return ERR_OK;
}

static int find_range(struct fill *self, struct err *err) {
  const struct plan_fill *fill = &self->op.node->fill;
  const struct plan_bucket *bucket = &fill->bucket;
  self->first = self->buckets[0];
  self->last = self->buckets[self->count - 1];
  if (fill->time_min != INT64_MIN) {
    int64_t first = plan_bucket_index(bucket, fill->time_min);
    if (first < self->first) self->first = first;
  }
  if (fill->time_max != INT64_MAX) {
    int64_t last = plan_bucket_index(bucket, fill->time_max);
    if (last > self->last) self->last = last;
  }
  __int128 total = (__int128)self->last - self->first + 1;
  if (fill->limit && total > fill->limit) total = fill->limit;
  if (total > LIMIT_BUCKETS_DEFAULT) {
    err_set(err, ERR_LIMIT_EXCEEDED, "the range of time has more than %d buckets to fill",
            LIMIT_BUCKETS_DEFAULT);
    err_hint(err, "give a shorter range of time, a longer interval, or fill(none)");
    return ERR_LIMIT_EXCEEDED;
  }
  self->total = (uint64_t)total;
  self->done = 0;
  self->at = fill->descending ? self->count : 0;
  return ERR_OK;
}

/* Whether nothing is to be filled: the rows are those of all buckets, with their times, in the
 * order that is wanted, and every cell has a value. Then they are given as they are. */
static bool is_complete(const struct fill *self) {
  const struct exec_batch *held = &self->buffer.held;
  const struct plan_schema *schema = &self->op.node->schema;
  const struct plan_fill *fill = &self->op.node->fill;
  const int64_t *times = held->batch.columns[schema->group_count].i64;
  bool turned = self->row_of[0] != 0;
  if ((uint64_t)self->count != self->total ||
      (self->count > 1 && turned != (bool)fill->descending) ||
      held->batch.columns[schema->group_count].null_count)
    return false;
  for (uint32_t i = plan_schema_values(schema); i < schema->count; i++)
    if (held->batch.columns[i].null_count) return false;
  int64_t first = fill->descending ? self->last - (self->count - 1) : self->first;
  for (int64_t i = 0; i < self->count; i++)
    if (self->buckets[i] != first + i ||
        times[self->row_of[i]] != plan_bucket_first(&fill->bucket, first + i))
      return false;
  return true;
}

static int begin_group(struct fill *self, struct err *err) {
  const struct exec_batch *held = &self->buffer.held;
  const struct plan_schema *schema = &self->op.node->schema;
  const struct plan_bucket *bucket = &self->op.node->fill.bucket;
  const int64_t *times = held->batch.columns[schema->group_count].i64;
  arena_reset(&self->arena);
  self->count = held->batch.length;
  self->buckets = ARENA_ARRAY(&self->arena, int64_t, self->count);
  self->row_of = ARENA_ARRAY(&self->arena, int32_t, self->count);
  self->before = ARENA_ARRAY(&self->arena, int32_t *, schema->count);
  self->after = ARENA_ARRAY(&self->arena, int32_t *, schema->count);
  if (!self->buckets || !self->row_of || !self->before || !self->after)
    return exec__refused(self->op.exec, (size_t)self->count * 12, err);
  bool turned = times[0] > times[self->count - 1];
  for (int64_t i = 0; i < self->count; i++) {
    self->row_of[i] = (int32_t)(turned ? self->count - 1 - i : i);
    self->buckets[i] = plan_bucket_index(bucket, times[self->row_of[i]]);
  }
  exec__rows_adopt(&self->rows, held);
  int code = find_range(self, err);
  self->complete = !code && is_complete(self);
  for (uint32_t i = plan_schema_values(schema); i < schema->count && !code && !self->complete; i++)
    code = find_neighbours(self, i, err);
  return code;
}

/* ---- cells ---- */

static double number_of(const struct column *column, int64_t row) {
  if (column->type.physical == PHYSICAL_FLOAT64) return column->f64[row];
  if (column->type.physical == PHYSICAL_UINT64) return (double)column->u64[row];
  return (double)column->i64[row];
}

static void append_number(struct builder *builder, double value) {
  if (builder->type.physical == PHYSICAL_FLOAT64)
    builder_append_f64(builder, value);
  else if (builder->type.physical == PHYSICAL_INT64)
    builder_append_i64(builder, float_to_i64(value));
  else if (builder->type.physical == PHYSICAL_UINT64)
    builder_append_u64(builder, float_to_u64(value));
  else
    builder_append_null(builder);
}

static void append_value(struct builder *builder, const struct plan_value *value) {
  if (value->null) {
    builder_append_null(builder);
  } else if (value->type.physical == builder->type.physical) {
    if (type_is_string(value->type))
      builder_append_str(builder, value->text);
    else
      exec__append_bits(builder,
                        value->type.physical == PHYSICAL_BOOL ? value->boolean : value->u64);
  } else if (type_is_string(value->type) || value->type.physical == PHYSICAL_BOOL) {
    builder_append_null(builder);
  } else {
    append_number(builder, value->type.physical == PHYSICAL_FLOAT64  ? value->f64
                           : value->type.physical == PHYSICAL_UINT64 ? (double)value->u64
                                                                     : (double)value->i64);
  }
}

/* From bucket to bucket: in buckets where all are of one width, else in time. */
static double distance(const struct fill *self, int64_t from, int64_t to) {
  const struct plan_bucket *bucket = &self->op.node->fill.bucket;
  if (plan_bucket_is_fixed(bucket)) return (double)((__int128)to - from);
  return (double)((__int128)plan_bucket_first(bucket, to) - plan_bucket_first(bucket, from));
}

/* On the line through the values before and after. */
static void append_linear(struct fill *self, uint32_t column, int64_t bucket, int32_t before,
                          int32_t after) {
  const struct column *values = &self->buffer.held.batch.columns[column];
  struct builder *builder = &self->rows.builders[column];
  bool number = values->type.physical == PHYSICAL_FLOAT64 ||
                values->type.physical == PHYSICAL_INT64 || values->type.physical == PHYSICAL_UINT64;
  if (!number || before < 0 || after >= self->count) {
    builder_append_null(builder);
    return;
  }
  double a = number_of(values, self->row_of[before]), b = number_of(values, self->row_of[after]);
  double whole = distance(self, self->buckets[before], self->buckets[after]);
  double part = distance(self, self->buckets[before], bucket);
  append_number(builder, a + (b - a) * (part / whole));
}

/* `at`: the row by time whose bucket is the last not above this one; -1: none. */
static void append_cell(struct fill *self, uint32_t column, int64_t bucket, int64_t at) {
  const struct plan_fill *fill = &self->op.node->fill;
  const struct column *values = &self->buffer.held.batch.columns[column];
  struct builder *builder = &self->rows.builders[column];
  int32_t before = at >= 0 ? self->before[column][at] : -1;
  int32_t after = at + 1 < self->count ? self->after[column][at + 1] : (int32_t)self->count;
  if (before >= 0 && before == at && self->buckets[at] == bucket) {
    builder_append_column(builder, values, self->row_of[at], 1);
    return;
  }
  bool zero = fill->zero_count && fill->zero_count[column - plan_schema_values(self->rows.schema)];
  switch (fill->mode) {
  case FILL_VALUE:
    append_value(builder, &fill->value);
    break;
  case FILL_PREVIOUS:
    if (before >= 0)
      builder_append_column(builder, values, self->row_of[before], 1);
    else
      builder_append_null(builder);
    break;
  case FILL_LINEAR:
    append_linear(self, column, bucket, before, after);
    break;
  default:
    if (zero)
      append_number(builder, 0);
    else
      builder_append_null(builder);
  }
}

static void append_bucket(struct fill *self) {
  const struct plan_fill *fill = &self->op.node->fill;
  const struct plan_schema *schema = &self->op.node->schema;
  int64_t bucket =
      fill->descending ? self->last - (int64_t)self->done : self->first + (int64_t)self->done;
  self->done++;
  /* a bucket that a wall clock leaves out */
  if (plan_bucket_last(&fill->bucket, bucket) < plan_bucket_first(&fill->bucket, bucket)) return;
  if (fill->descending)
    while (self->at > 0 && self->buckets[self->at - 1] > bucket)
      self->at--;
  else
    while (self->at < self->count && self->buckets[self->at] <= bucket)
      self->at++;
  for (uint32_t i = 0; i < schema->group_count; i++)
    exec__append_code(&self->rows.builders[i], self->buffer.held.batch.columns[i].i32[0], 1);
  builder_append_i64(&self->rows.builders[schema->group_count],
                     plan_bucket_first(&fill->bucket, bucket));
  for (uint32_t i = schema->group_count + 1; i < schema->count; i++)
    append_cell(self, i, bucket, self->at - 1);
}

static int fill_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct fill *self = (struct fill *)op;
  exec__rows_reset(&self->rows);
  while (exec__rows_count(&self->rows) < LIMIT_BLOCK_ROWS && !self->ended) {
    if (self->done == self->total) {
      int code = group_buffer_next(&self->buffer, err);
      if (code) return code;
      self->ended = self->buffer.held.batch.length == 0;
      if (!self->ended) code = begin_group(self, err);
      if (code) return code;
      continue;
    }
    exec__rows_group(&self->rows, self->done > 0);
    int64_t room = LIMIT_BLOCK_ROWS - exec__rows_count(&self->rows);
    if (self->complete) {
      int64_t count =
          self->count - (int64_t)self->done < room ? self->count - (int64_t)self->done : room;
      exec__rows_copy(&self->rows, &self->buffer.held, (int64_t)self->done, count);
      self->done += (uint64_t)count;
      continue;
    }
    for (int64_t i = 0; i < room && self->done < self->total; i++)
      append_bucket(self);
    int code = exec__rows_batch(&self->rows, batch, err);
    if (code) return code;
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void fill_close(struct exec_op *op) {
  struct fill *self = (struct fill *)op;
  group_buffer_deinit(&self->buffer);
  exec__rows_deinit(&self->rows);
  if (self->arena.account) arena_deinit(&self->arena);
}

const struct exec_op_kind exec__fill = {sizeof(struct fill), fill_open, fill_next, fill_close};
