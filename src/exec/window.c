/* Values against earlier rows of the group. A row without a value is passed over by its call; a row
 * for which no call gives anything is left out. Of rows with equal times (several series in one
 * group) differences and derivatives take the first, as InfluxDB does. */
#include "base/err.h"
#include "exec/exec_private.h"
#include "exec/moving.h"
#include "kernel/loops.h"

struct window_state {
  bool has;
  uint64_t value;
  int64_t time;
  uint64_t count;         /* values seen */
  uint64_t sum;           /* cumulative, integers */
  struct float_sum total; /* cumulative or moving, floats */
  double *ring;
  struct moving moving;
};
struct window {
  struct exec_op op;
  struct exec_groups groups;
  struct exec_rows rows;
  struct window_state *states;
  bool begun;
};
struct window_result {
  bool present;
  uint64_t bits;
};

static int open_moving(struct window *self, uint32_t i, struct err *err) {
  const struct plan_window_call *call = &self->op.node->window.calls[i];
  if (call->parameter < 1 || call->parameter > LIMIT_BUCKETS_DEFAULT)
    return err_set(err, ERR_INVALID_ARGUMENT, "a period of %lld values",
                   (long long)call->parameter);
  size_t size = moving_ring_size(call);
  if (size) self->states[i].ring = arena_alloc_zero(&self->op.exec->memory, size);
  if (size && !self->states[i].ring) return exec__refused(self->op.exec, size, err);
  moving_begin(&self->states[i].moving, call, self->states[i].ring);
  return ERR_OK;
}

static int window_open(struct exec_op *op, struct err *err) {
  struct window *self = (struct window *)op;
  const struct plan_windowing *plan = &op->node->window;
  struct arena *arena = &op->exec->memory;
  self->groups.input = op->input;
  if (!op->node->input->schema.has_time)
    return err_set(err, ERR_INTERNAL, "a window over rows without time");
  self->states = ARENA_ARRAY(arena, struct window_state, plan->call_count + 1);
  if (!self->states) return exec__refused(op->exec, sizeof *self->states, err);
  for (uint32_t i = 0; i < plan->call_count; i++) {
    const struct plan_window_call *call = &plan->calls[i];
    if (moving_is(call->function)) {
      int code = open_moving(self, i, err);
      if (code) return code;
      continue;
    }
    if (call->function != WINDOW_MOVING_AVERAGE) continue;
    if (call->parameter < 1 || call->parameter > LIMIT_BUCKETS_DEFAULT)
      return err_set(err, ERR_INVALID_ARGUMENT, "a moving average of %lld rows",
                     (long long)call->parameter);
    self->states[i].ring = ARENA_ARRAY(arena, double, call->parameter);
    if (!self->states[i].ring) return exec__refused(op->exec, (size_t)call->parameter * 8, err);
  }
  return exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
}

static double number(struct type type, uint64_t bits) {
  double value;
  if (type.physical == PHYSICAL_INT64) return (double)(int64_t)bits;
  if (type.physical == PHYSICAL_UINT64) return (double)bits;
  memcpy(&value, &bits, 8);
  return value;
}
static uint64_t float_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

/* value - earlier. Integers are subtracted as such: large ones differ by less than a double tells
 * apart. */
static double distance(struct type type, uint64_t value, uint64_t earlier) {
  if (type.physical == PHYSICAL_INT64) return (double)((__int128)(int64_t)value - (int64_t)earlier);
  if (type.physical == PHYSICAL_UINT64) return (double)((__int128)value - earlier);
  return number(type, value) - number(type, earlier);
}

/* value - earlier, in the result's type; *negative says on which side of zero it is. */
static uint64_t difference(struct type type, struct type result, uint64_t value, uint64_t earlier,
                           bool *negative) {
  double apart = distance(type, value, earlier);
  *negative = apart < 0;
  return result.physical == PHYSICAL_FLOAT64 ? float_bits(apart) : value - earlier;
}

static struct window_result against_previous(const struct window *self,
                                             const struct plan_window_call *call,
                                             struct window_state *state, struct type type,
                                             uint64_t value, int64_t time) {
  struct window_result result = {false, 0};
  bool had = state->has, negative = false;
  if (had && time == state->time && call->function != WINDOW_ELAPSED) return result;
  __int128 elapsed = ((__int128)time - state->time) * self->op.node->window.ns_per_unit;
  int64_t unit = call->parameter ? call->parameter : 1;
  if (had && call->function == WINDOW_ELAPSED) {
    __int128 units = elapsed / unit;
    result.present = true;
    result.bits = (uint64_t)(units > INT64_MAX   ? INT64_MAX
                             : units < INT64_MIN ? INT64_MIN
                                                 : (int64_t)units);
  } else if (had && (call->function == WINDOW_DERIVATIVE ||
                     call->function == WINDOW_NON_NEGATIVE_DERIVATIVE)) {
    double slope = distance(type, value, state->value) / ((double)elapsed / (double)unit);
    negative = slope < 0;
    result = (struct window_result){true, float_bits(slope)};
  } else if (had) {
    result.bits = difference(type, call->type, value, state->value, &negative);
    result.present = true;
  }
  if (negative && (call->function == WINDOW_NON_NEGATIVE_DERIVATIVE ||
                   call->function == WINDOW_NON_NEGATIVE_DIFFERENCE))
    result.present = false;
  state->has = true;
  state->value = value;
  state->time = time;
  return result;
}

static struct window_result moving_average(const struct plan_window_call *call,
                                           struct window_state *state, double value) {
  uint64_t size = (uint64_t)call->parameter, place = state->count % size;
  if (state->count >= size) float_sum_add(&state->total, -state->ring[place]);
  state->ring[place] = value;
  float_sum_add(&state->total, value);
  state->count++;
  if (!isfinite(state->total.sum)) { /* what left the window may have been the cause */
    uint64_t held = state->count < size ? state->count : size;
    state->total = (struct float_sum){0};
    for (uint64_t i = 0; i < held; i++)
      float_sum_add(&state->total, state->ring[i]);
  }
  if (state->count < size) return (struct window_result){false, 0};
  return (struct window_result){true, float_bits(float_sum_value(&state->total) / (double)size)};
}

static struct window_result apply(const struct window *self, uint32_t index,
                                  const struct column *column, int64_t row, int64_t time) {
  const struct plan_window_call *call = &self->op.node->window.calls[index];
  struct window_state *state = &self->states[index];
  if (!column_is_valid(column, row)) return (struct window_result){false, 0};
  if (call->function == WINDOW_COPY) return (struct window_result){true, 0};
  bool numeric = type_width(column->type) == 8;
  uint64_t value = numeric ? column->u64[row] : 0;
  if (moving_is(call->function)) {
    double answer;
    bool present = moving_add(&state->moving, number(column->type, value), &answer);
    return (struct window_result){present, float_bits(answer)};
  }
  if (call->function == WINDOW_MOVING_AVERAGE)
    return moving_average(call, state, number(column->type, value));
  if (call->function == WINDOW_CUMULATIVE_SUM) {
    state->sum += value;
    if (column->type.physical != PHYSICAL_FLOAT64) return (struct window_result){true, state->sum};
    float_sum_add(&state->total, number(column->type, value));
    return (struct window_result){true, float_bits(float_sum_value(&state->total))};
  }
  return against_previous(self, call, state, column->type, value, time);
}

static void reset_states(struct window *self) {
  for (uint32_t i = 0; i < self->op.node->window.call_count; i++) {
    self->states[i] = (struct window_state){.ring = self->states[i].ring};
    if (moving_is(self->op.node->window.calls[i].function))
      moving_begin(&self->states[i].moving, &self->op.node->window.calls[i], self->states[i].ring);
  }
  self->begun = false;
}

static int take_piece(struct window *self, const struct exec_group *piece, struct err *err) {
  const struct exec_batch *input = &self->groups.batch;
  const struct plan_schema *schema = &self->op.node->schema;
  const struct plan_windowing *plan = &self->op.node->window;
  const int64_t *times = input->batch.columns[schema->group_count].i64;
  struct window_result results[64];
  if (plan->call_count > 64) return err_set(err, ERR_LIMIT_EXCEEDED, "more than 64 window calls");
  if (!piece->continued) reset_states(self);
  for (uint32_t row = piece->row; row < piece->row + piece->rows; row++) {
    bool any = false;
    for (uint32_t i = 0; i < plan->call_count; i++) {
      results[i] = apply(self, i, &input->batch.columns[plan->calls[i].column], row, times[row]);
      any |= results[i].present;
    }
    if (!any) continue;
    exec__rows_group(&self->rows, self->begun);
    self->begun = true;
    for (uint32_t i = 0; i <= schema->group_count; i++)
      builder_append_column(&self->rows.builders[i], &input->batch.columns[i], row, 1);
    for (uint32_t i = 0; i < plan->call_count; i++) {
      struct builder *builder = &self->rows.builders[schema->group_count + 1 + i];
      if (results[i].present && plan->calls[i].function == WINDOW_COPY)
        builder_append_column(builder, &input->batch.columns[plan->calls[i].column], row, 1);
      else if (results[i].present)
        exec__append_bits(builder, results[i].bits);
      else
        builder_append_null(builder);
    }
  }
  return ERR_OK;
}

static int window_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct window *self = (struct window *)op;
  exec__rows_reset(&self->rows);
  for (;;) {
    struct exec_group piece;
    bool more;
    int code = exec__groups_next(&self->groups, &piece, &more, err);
    if (code) return code;
    if (!more) break;
    const struct exec_batch *input = &self->groups.batch;
    for (uint32_t i = 0; i < op->node->schema.group_count; i++)
      exec__rows_dictionary(&self->rows, i, input->batch.columns[i].dictionary);
    for (uint32_t i = 0; i < op->node->window.call_count; i++)
      if (op->node->window.calls[i].function == WINDOW_COPY)
        exec__rows_dictionary(&self->rows, op->node->schema.group_count + 1 + i,
                              input->batch.columns[op->node->window.calls[i].column].dictionary);
    code = take_piece(self, &piece, err);
    if (code) return code;
    if (self->groups.at == input->group_count && exec__rows_count(&self->rows) > 0) break;
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void window_close(struct exec_op *op) { exec__rows_deinit(&((struct window *)op)->rows); }

const struct exec_op_kind exec__window = {sizeof(struct window), window_open, window_next,
                                          window_close};
