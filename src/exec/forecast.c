/* Forecasts: for each group the points of the one call's column become a model of them
 * (holt_winters.h) and what it says of the intervals behind them, or of those of the points, too.
 *
 * A group is read to its end, made into values at equal distances (of points in one interval the
 * first counts, an interval without one is missing), and given out batch by batch. */
#include <math.h>

#include "base/err.h"
#include "exec/exec_private.h"
#include "exec/holt_winters.h"

struct point {
  int64_t time;
  double value;
};
struct forecast {
  struct exec_op op;
  struct exec_groups groups;
  struct exec_group piece; /* of the next group, not taken yet */
  bool have_piece, ended;
  struct exec_rows rows;
  int32_t *codes;       /* of the group */
  struct point *points; /* of the group */
  size_t count, capacity;
  double *out; /* answers from out_time on, an interval apart */
  size_t out_count, out_capacity, out_at;
  int64_t out_time;
  bool descending, begun;
};

static const struct plan_window_call *call_of(const struct forecast *self) {
  return &self->op.node->window.calls[0];
}

static int forecast_open(struct exec_op *op, struct err *err) {
  struct forecast *self = (struct forecast *)op;
  const struct plan_window_call *call = call_of(self);
  self->groups.input = op->input;
  if (op->node->window.call_count != 1 || !op->node->input->schema.has_time)
    return err_set(err, ERR_INTERNAL, "a forecast beside other calls, or without time");
  if (call->parameter < 1 || call->parameter > LIMIT_BUCKETS_DEFAULT || call->hold < 0 ||
      call->interval < 1)
    return err_set(err, ERR_INVALID_ARGUMENT, "a forecast of %lld values",
                   (long long)call->parameter);
  self->codes = ARENA_ARRAY(&op->exec->memory, int32_t, op->node->schema.group_count + 1);
  if (!self->codes) return exec__refused(op->exec, sizeof *self->codes, err);
  return exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
}

/* ---- the points of a group ---- */

static int grow(struct forecast *self, struct err *err) {
  size_t capacity = self->capacity ? 2 * self->capacity : 1024;
  struct point *points = mem_resize(self->op.exec->options.account, self->points,
                                    self->capacity * sizeof *points, capacity * sizeof *points);
  if (!points) return exec__refused(self->op.exec, capacity * sizeof *points, err);
  self->points = points;
  self->capacity = capacity;
  return ERR_OK;
}

static double number(const struct column *column, int64_t row) {
  return column->type.physical == PHYSICAL_FLOAT64  ? column->f64[row]
         : column->type.physical == PHYSICAL_UINT64 ? (double)column->u64[row]
                                                    : (double)column->i64[row];
}

static int take_piece(struct forecast *self, struct err *err) {
  const struct batch *batch = &self->groups.batch.batch;
  uint32_t groups = self->op.node->schema.group_count;
  const struct column *column = &batch->columns[call_of(self)->column];
  for (uint32_t i = 0; i < groups; i++) {
    self->codes[i] = batch->columns[i].i32[self->piece.row];
    exec__rows_dictionary(&self->rows, i, batch->columns[i].dictionary);
  }
  for (uint32_t row = self->piece.row; row < self->piece.row + self->piece.rows; row++) {
    if (!column_is_valid(column, row)) continue;
    int code = self->count == self->capacity ? grow(self, err) : ERR_OK;
    if (code) return code;
    self->points[self->count++] =
        (struct point){batch->columns[groups].i64[row], number(column, row)};
  }
  return ERR_OK;
}

/* Points that come with falling times are turned round. */
static void order_points(struct forecast *self) {
  struct point *points = self->points;
  self->descending = self->count > 1 && points[0].time > points[self->count - 1].time;
  for (size_t i = 0, j = self->count; self->descending && i + 1 < j; i++) {
    struct point point = points[i];
    points[i] = points[--j];
    points[j] = point;
  }
}

/* ---- the series ---- */

/* The number of the interval that a time is nearest to. */
static int64_t nearest(int64_t time, int64_t interval) {
  int64_t number = time / interval;
  return number + (time % interval > interval / 2);
}

/* Values an interval apart, NaN where there is none; their number. */
static int spread(struct forecast *self, double **out, size_t *count, struct err *err) {
  int64_t interval = call_of(self)->interval, first = nearest(self->points[0].time, interval);
  __int128 most = (__int128)nearest(self->points[self->count - 1].time, interval) - first + 1;
  *count = 0;
  *out = NULL;
  if (most > LIMIT_BUCKETS_DEFAULT)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a forecast from more than %d intervals",
                   LIMIT_BUCKETS_DEFAULT);
  if (most < 2) return ERR_OK;
  *count = (size_t)most;
  *out = mem_alloc(self->op.exec->options.account, *count * sizeof **out);
  if (!*out) return exec__refused(self->op.exec, *count * sizeof **out, err);
  for (size_t i = 0; i < *count; i++)
    (*out)[i] = NAN;
  int64_t last = -1;
  for (size_t i = 0; i < self->count; i++) {
    int64_t at = nearest(self->points[i].time, interval) - first;
    if (at > last) (*out)[at] = self->points[i].value;
    if (at > last) last = at;
  }
  return ERR_OK;
}

static void drop_answers(struct forecast *self) {
  mem_free(self->op.exec->options.account, self->out, self->out_capacity * sizeof *self->out);
  self->out = NULL;
  self->out_capacity = self->out_count = self->out_at = 0;
}

/* The model of `count` values, and what it says. */
static int answer(struct forecast *self, const double *values, size_t count, struct err *err) {
  const struct plan_window_call *call = call_of(self);
  size_t ahead = (size_t)call->parameter, all = count + ahead;
  bool whole = call->function == WINDOW_HOLT_WINTERS_FIT;
  struct holt_winters series = {self->op.exec, values, count, (size_t)call->hold};
  self->out = mem_alloc(self->op.exec->options.account, all * sizeof *self->out);
  if (!self->out) return exec__refused(self->op.exec, all * sizeof *self->out, err);
  self->out_capacity = all;
  int code = holt_winters_forecast(&series, ahead, self->out, err);
  if (code) return code;
  if (!whole) memmove(self->out, self->out + count, ahead * sizeof *self->out);
  self->out_count = whole ? all : ahead;
  int64_t last = self->points[self->count - 1].time, first = whole ? self->points[0].time : 0;
  if (!whole && __builtin_add_overflow(last, call->interval, &first)) self->out_count = 0;
  __int128 end = (__int128)first + (__int128)call->interval * (__int128)self->out_count;
  if (end > INT64_MAX) self->out_count = (size_t)(((__int128)INT64_MAX - first) / call->interval);
  self->out_time = first;
  return ERR_OK;
}

/* The group is there as a whole. */
static int end_group(struct forecast *self, struct err *err) {
  double *values = NULL;
  size_t count = 0;
  int code = ERR_OK;
  drop_answers(self);
  self->begun = false;
  order_points(self);
  uint64_t season = (uint64_t)call_of(self)->hold;
  bool enough = self->count >= 2 && (season < 2 || self->count >= season);
  if (enough) code = spread(self, &values, &count, err);
  if (!code && count) code = answer(self, values, count, err);
  mem_free(self->op.exec->options.account, values, count * sizeof *values);
  self->count = 0;
  return code;
}

/* Reads until a group is complete. */
static int read_group(struct forecast *self, struct err *err) {
  bool any = false;
  for (;;) {
    bool more = true;
    int code =
        self->have_piece ? ERR_OK : exec__groups_next(&self->groups, &self->piece, &more, err);
    if (code) return code;
    self->have_piece = more;
    self->ended = !more;
    if (any && (!more || !self->piece.continued)) return end_group(self, err);
    if (!more) return ERR_OK;
    any = true;
    self->have_piece = false;
    code = take_piece(self, err);
    if (code) return code;
  }
}

/* ---- giving ---- */

static void give(struct forecast *self) {
  struct exec_rows *rows = &self->rows;
  uint32_t groups = self->op.node->schema.group_count;
  exec__rows_group(rows, self->begun);
  for (; self->out_at < self->out_count && exec__rows_count(rows) < LIMIT_BLOCK_ROWS;
       self->out_at++) {
    size_t at = self->descending ? self->out_count - 1 - self->out_at : self->out_at;
    if (isnan(self->out[at])) continue;
    self->begun = true;
    exec__rows_codes(rows, self->codes, 1);
    builder_append_i64(&rows->builders[groups],
                       self->out_time + (int64_t)at * call_of(self)->interval);
    builder_append_f64(&rows->builders[groups + 1], self->out[at]);
  }
}

/* A batch is of one group: another one may have other points to read before it. */
static int forecast_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct forecast *self = (struct forecast *)op;
  exec__rows_reset(&self->rows);
  while (exec__rows_count(&self->rows) == 0) {
    if (self->out_at < self->out_count) {
      give(self);
      continue;
    }
    if (self->ended) break;
    int code = read_group(self, err);
    if (code) return code;
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void forecast_close(struct exec_op *op) {
  struct forecast *self = (struct forecast *)op;
  struct mem_account *account = op->exec->options.account;
  drop_answers(self);
  mem_free(account, self->points, self->capacity * sizeof *self->points);
  exec__rows_deinit(&self->rows);
}

const struct exec_op_kind exec__forecast = {sizeof(struct forecast), forecast_open, forecast_next,
                                            forecast_close};
