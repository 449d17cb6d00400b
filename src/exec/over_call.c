/* Evaluating calls, row after row. */
#include <string.h>

#include "base/err.h"
#include "exec/over.h"

int over__state_init(struct over_state *state, const struct over_call *call, struct exec *exec,
                     struct err *err) {
  struct mem_account *account = exec->options.account;
  *state = (struct over_state){.call = call, .exec = exec};
  if (call->plan->function != OVER_AGGREGATE) return ERR_OK;
  size_t size = call->aggregate.state_size;
  arena_init(&state->scratch, account, 512);
  arena_init(&state->left.memory, account, 512);
  arena_init(&state->right.memory, account, 512);
  state->left.back = mem_alloc_zero(account, size);
  state->right.back = mem_alloc_zero(account, size);
  state->result = mem_alloc_zero(account, size);
  bool made = state->left.back && state->right.back && state->result;
  return made ? ERR_OK : exec__refused(exec, size, err);
}

void over__state_deinit(struct over_state *state) {
  if (!state->exec || state->call->plan->function != OVER_AGGREGATE) return;
  over__aggregate_deinit(state);
  arena_deinit(&state->scratch);
  *state = (struct over_state){0};
}

void over__state_begin(struct over_state *state, const struct over_part *part) {
  state->frame_start = state->frame_end = state->row = part->first;
  state->start_group = state->end_group = state->group = 0;
  state->peers_from = part->first;
  state->peers_known = part->first + 1;
  state->peers_to = UINT64_MAX;
  state->has_last = false;
  state->hint = state->start_hint = state->end_hint = 0;
  if (state->call->plan->function == OVER_AGGREGATE) over__aggregate_begin(state, part->first);
}

/* ---- ranks ---- */

static int64_t tile_of(uint64_t at, uint64_t size, uint64_t tiles) {
  uint64_t rows = size / tiles, larger = size % tiles; /* the first ones have a row more */
  if (at < larger * (rows + 1)) return (int64_t)(at / (rows + 1)) + 1;
  return (int64_t)(larger + (at - larger * (rows + 1)) / rows) + 1;
}

static int rank(struct over_state *state, struct over_part *part, struct builder *result,
                struct err *err) {
  uint64_t at = state->row - part->first, place = state->peers_from - part->first, size = 0, to = 0;
  enum plan_over_function function = state->call->plan->function;
  bool whole =
      function == OVER_PERCENT_RANK || function == OVER_CUME_DIST || function == OVER_NTILE;
  int code = whole ? over__size(part, &size, err) : ERR_OK;
  if (!code && function == OVER_CUME_DIST) code = over__peers_to(state, part, &to, err);
  if (code) return code;
  if (function == OVER_ROW_NUMBER)
    builder_append_i64(result, (int64_t)at + 1);
  else if (function == OVER_RANK)
    builder_append_i64(result, (int64_t)place + 1);
  else if (function == OVER_DENSE_RANK)
    builder_append_i64(result, (int64_t)state->group + 1);
  else if (function == OVER_PERCENT_RANK)
    builder_append_f64(result, size < 2 ? 0 : (double)place / (double)(size - 1));
  else if (function == OVER_CUME_DIST)
    builder_append_f64(result, (double)(to - part->first) / (double)size);
  else
    builder_append_i64(result, tile_of(at, size, (uint64_t)state->call->plan->parameter));
  return ERR_OK;
}

/* ---- values of other rows ---- */

#define NO_ROW UINT64_MAX

static int append_value(struct over_state *state, const struct over_part *part, uint64_t row,
                        uint32_t column_number, struct builder *result, struct err *err) {
  if (row == NO_ROW || column_number == PLAN_NO_COLUMN) {
    builder_append_null(result);
    return ERR_OK;
  }
  const struct over_chunk *chunk;
  int code = over__need(part->rows, row, &state->start_hint, &chunk, err);
  if (code) return code;
  const struct column *column = &chunk->columns[column_number];
  int64_t at = (int64_t)(row - chunk->first);
  if (!column_is_valid(column, at))
    builder_append_null(result);
  else if (column->dictionary)
    builder_append_str(result, column_str(column->dictionary, column->i32[at]));
  else
    builder_append_column(result, column, at, 1);
  return ERR_OK;
}

static int is_present(struct over_state *state, const struct over_part *part, uint64_t row,
                      bool *present, struct err *err) {
  const struct over_chunk *chunk;
  int code = over__need(part->rows, row, &state->end_hint, &chunk, err);
  if (!code)
    *present = column_is_valid(&chunk->columns[state->call->column], (int64_t)(row - chunk->first));
  return code;
}

/* The row `distance` before (negative: behind) the current one; nulls may not count. */
static int find_distant(struct over_state *state, struct over_part *part, int64_t distance,
                        uint64_t *found, struct err *err) {
  uint64_t left = distance < 0 ? (uint64_t)0 - (uint64_t)distance : (uint64_t)distance;
  uint64_t row = state->row;
  bool ignore = state->call->plan->ignore_nulls, has = true, present = false;
  *found = NO_ROW;
  if (!ignore && distance >= 0) {
    if (left <= row - part->first) *found = row - left;
    return ERR_OK;
  }
  if (!ignore) {
    row = left > NO_ROW - 1 - row ? NO_ROW - 1 : row + left;
    int code = over__has(part, row, &has, err);
    if (has) *found = row;
    return code;
  }
  while (left > 0) {
    if (distance > 0 && row-- == part->first) return ERR_OK;
    if (distance < 0) {
      int code = over__has(part, ++row, &has, err);
      if (code || !has) return code;
    }
    int code = is_present(state, part, row, &present, err);
    if (code) return code;
    left -= present;
  }
  *found = row;
  return ERR_OK;
}

static int distant(struct over_state *state, struct over_part *part, struct builder *result,
                   struct err *err) {
  const struct plan_over_call *plan = state->call->plan;
  int64_t distance = plan->function == OVER_LAG ? plan->parameter : -plan->parameter;
  uint64_t row;
  int code = find_distant(state, part, distance, &row, err);
  if (code) return code;
  return row == NO_ROW ? append_value(state, part, state->row, plan->fallback, result, err)
                       : append_value(state, part, row, state->call->column, result, err);
}

/* The n-th row of the frame (from 0, from its end when `backward`). */
static uint64_t nth_of(const struct over_frame *frame, uint64_t n, bool backward) {
  for (int i = 0; i < 3; i++) {
    int piece = backward ? 2 - i : i;
    uint64_t size =
        frame->to[piece] > frame->from[piece] ? frame->to[piece] - frame->from[piece] : 0;
    if (n < size) return backward ? frame->to[piece] - 1 - n : frame->from[piece] + n;
    n -= size;
  }
  return NO_ROW;
}

static int nth_present(struct over_state *state, const struct over_part *part,
                       const struct over_frame *frame, uint64_t n, bool backward, uint64_t *row,
                       struct err *err) {
  for (uint64_t i = 0;; i++) {
    bool present;
    *row = nth_of(frame, i, backward);
    if (*row == NO_ROW) return ERR_OK;
    int code = is_present(state, part, *row, &present, err);
    if (code || (present && n-- == 0)) return code;
  }
}

static int value_of_frame(struct over_state *state, struct over_part *part,
                          const struct over_frame *frame, struct builder *result, struct err *err) {
  const struct plan_over_call *plan = state->call->plan;
  uint64_t n = plan->function == OVER_NTH_VALUE ? (uint64_t)plan->parameter - 1 : 0;
  bool backward = plan->function == OVER_LAST_VALUE;
  uint64_t row = plan->ignore_nulls ? NO_ROW : nth_of(frame, n, backward);
  int code = ERR_OK;
  if (plan->ignore_nulls) code = nth_present(state, part, frame, n, backward, &row, err);
  return code ? code : append_value(state, part, row, state->call->column, result, err);
}

/* ---- all ---- */

/* Moves on to a row, which is the one behind the current one or the partition's first. */
static void move_to(struct over_state *state, const struct over_part *part, uint64_t row) {
  const struct over_chunk *chunk = over__chunk(part->rows, row, &state->hint);
  state->row = row;
  if (row == part->first || !(chunk->flags[row - chunk->first] & OVER_PEERS)) return;
  state->group++;
  state->peers_from = row;
  state->peers_known = row + 1;
  state->peers_to = UINT64_MAX;
}

static int evaluate_row(struct over_state *state, struct over_part *part, struct builder *result,
                        struct err *err) {
  struct over_frame frame;
  switch (state->call->plan->function) {
  case OVER_LAG:
  case OVER_LEAD:
    return distant(state, part, result, err);
  case OVER_FIRST_VALUE:
  case OVER_LAST_VALUE:
  case OVER_NTH_VALUE:
  case OVER_AGGREGATE: {
    int code = over__frame(state, part, &frame, err);
    if (code) return code;
    return state->call->plan->function == OVER_AGGREGATE
               ? over__aggregate(state, part, &frame, result, err)
               : value_of_frame(state, part, &frame, result, err);
  }
  default:
    return rank(state, part, result, err);
  }
}

int over__evaluate(struct over_state *state, struct over_part *part, uint64_t from, uint64_t to,
                   struct builder *result, struct err *err) {
  int code = ERR_OK;
  for (uint64_t row = from; row < to && !code; row++) {
    if ((row & 1023) == 0) code = exec__check(state->exec, err);
    move_to(state, part, row);
    if (!code) code = evaluate_row(state, part, result, err);
  }
  return code ? code : builder_check(result, err);
}

uint64_t over__low(const struct over_state *state, const struct over_part *part) {
  const struct plan_over_call *plan = state->call->plan;
  const struct plan_frame *frame = &plan->frame;
  uint64_t low = state->row;
  int64_t back = plan->function == OVER_LAG ? plan->parameter : -plan->parameter;
  if (plan->function == OVER_LAG || plan->function == OVER_LEAD) {
    if (plan->ignore_nulls && back > 0) return part->first;
    uint64_t away = back > 0 ? (uint64_t)back : 0;
    return low - (away < low - part->first ? away : low - part->first);
  }
  if (plan->function < OVER_LAG) return low;
  if (frame->end != BOUND_UNBOUNDED_FOLLOWING && state->frame_end < low) low = state->frame_end;
  if (frame->start == BOUND_UNBOUNDED_PRECEDING)
    return plan->function == OVER_AGGREGATE ? over__aggregate_low(state, low) : part->first;
  return state->frame_start < low ? state->frame_start : low;
}
