/* Aggregates over frames that move on.
 *
 * A window is a queue of rows in two halves (the "two stacks" of Tangwongsan, Hirzel and Schneider,
 * "General incremental sliding-window aggregation", PVLDB 8, 2015): rows that come are fed to the
 * state `back`; when the window's first row moves past the rows in front, the rows of the back are
 * gone through once from the last to the first, and for each the state of it and all behind it is
 * kept. A frame is then one kept state and the back: a merge per row, whatever its size. Nothing is
 * ever taken out of a state, so sums of floats do not drift and any aggregate will do. A frame that
 * begins at the partition's first row is the back alone.
 *
 * States that hold on to memory of their own (lists of values) are not kept by row: such a frame is
 * fed anew, unless it begins where the back does. */
#include <string.h>

#include "base/err.h"
#include "exec/over.h"

static const struct aggregate_function *function_of(const struct over_state *state) {
  return &state->call->aggregate;
}

void over__aggregate_begin(struct over_state *state, uint64_t first) {
  struct over_queue *queues[] = {&state->left, &state->right};
  for (int i = 0; i < 2; i++) {
    struct over_queue *queue = queues[i];
    queue->front_from = queue->front_to = queue->back_to = first;
    memset(queue->back, 0, function_of(state)->state_size);
    arena_reset(&queue->memory);
  }
}

void over__aggregate_deinit(struct over_state *state) {
  struct mem_account *account = state->exec->options.account;
  struct over_queue *queues[] = {&state->left, &state->right};
  for (int i = 0; i < 2; i++) {
    mem_free(account, queues[i]->front, queues[i]->front_size);
    mem_free(account, queues[i]->back, function_of(state)->state_size);
    if (queues[i]->memory.account) arena_deinit(&queues[i]->memory);
  }
  mem_free(account, state->result, function_of(state)->state_size);
}

static int feed(struct over_state *state, const struct over_part *part, struct arena *arena,
                uint8_t *into, uint64_t from, uint64_t to, struct err *err) {
  int code = ERR_OK;
  while (from < to && !code) {
    const struct over_chunk *chunk;
    code = over__need(part->rows, from, &state->end_hint, &chunk, err);
    if (code) return code;
    uint64_t end = chunk->first + (uint64_t)chunk->length;
    if (end > to) end = to;
    code =
        exec__aggregate_feed(function_of(state), arena, into, &chunk->vectors[state->call->number],
                             (int64_t)(from - chunk->first), (int64_t)(end - from), err);
    from = end;
  }
  return code;
}

/* Keeps the states of the back's rows [from, back_to), each with all behind it. */
static int turn(struct over_state *state, const struct over_part *part, struct over_queue *queue,
                uint64_t from, struct err *err) {
  const struct aggregate_function *function = function_of(state);
  struct mem_account *account = state->exec->options.account;
  size_t size = function->state_size, wanted = (queue->back_to - from) * size;
  if (wanted > queue->front_size) {
    uint8_t *front = mem_alloc(account, wanted);
    if (!front) return exec__refused(state->exec, wanted, err);
    mem_free(account, queue->front, queue->front_size);
    queue->front = front;
    queue->front_size = wanted;
  }
  memset(queue->front, 0, wanted);
  uint8_t *at = queue->front + wanted;
  int code = ERR_OK;
  for (uint64_t row = queue->back_to; row-- > from && !code;) {
    at -= size;
    code = feed(state, part, &state->scratch, at, row, row + 1, err);
    if (!code && row + 1 < queue->back_to)
      code = exec__aggregate_merge(function, &state->scratch, at, at + size, err);
  }
  queue->front_from = from;
  queue->front_to = queue->back_to;
  memset(queue->back, 0, size);
  return code;
}

/* Makes the queue the window [from, to), neither of which goes back. */
static int move(struct over_state *state, const struct over_part *part, struct over_queue *queue,
                uint64_t from, uint64_t to, struct err *err) {
  if (from >= queue->back_to) {
    queue->front_from = queue->front_to = queue->back_to = from;
    memset(queue->back, 0, function_of(state)->state_size);
    arena_reset(&queue->memory);
  }
  int code = ERR_OK;
  if (to > queue->back_to) {
    code = feed(state, part, &queue->memory, queue->back, queue->back_to, to, err);
    queue->back_to = to;
  }
  if (!code && from > queue->front_to) code = turn(state, part, queue, from, err);
  return code;
}

/* Merges the window from `from` on into a state. */
static int merge_window(struct over_state *state, const struct over_queue *queue, uint64_t from,
                        uint8_t *into, struct err *err) {
  const struct aggregate_function *function = function_of(state);
  int code = ERR_OK;
  if (from < queue->front_to)
    code = exec__aggregate_merge(function, &state->scratch, into,
                                 queue->front + (from - queue->front_from) * function->state_size,
                                 err);
  if (!code && queue->back_to > queue->front_to)
    code = exec__aggregate_merge(function, &state->scratch, into, queue->back, err);
  return code;
}

/* By queues: the frame's first and last piece, and the row between them. */
static int combine(struct over_state *state, const struct over_part *part,
                   const struct over_frame *frame, uint8_t **result, struct err *err) {
  bool excludes = state->call->plan->frame.exclude != EXCLUDE_NOTHING;
  int code = move(state, part, &state->left, frame->from[0], frame->to[0], err);
  if (!code && excludes) code = move(state, part, &state->right, frame->from[2], frame->to[2], err);
  *result = state->left.back;
  if (code || (!excludes && frame->from[0] == state->left.front_to)) return code;
  *result = state->result;
  memset(state->result, 0, function_of(state)->state_size);
  code = merge_window(state, &state->left, frame->from[0], state->result, err);
  if (!code)
    code = feed(state, part, &state->scratch, state->result, frame->from[1], frame->to[1], err);
  if (!code && excludes)
    code = merge_window(state, &state->right, frame->from[2], state->result, err);
  return code;
}

/* By feeding all of it. */
static int gather(struct over_state *state, const struct over_part *part,
                  const struct over_frame *frame, uint8_t **result, struct err *err) {
  struct over_queue *left = &state->left;
  bool excludes = state->call->plan->frame.exclude != EXCLUDE_NOTHING;
  if (!excludes && (frame->from[0] == left->front_to || frame->from[0] >= left->back_to)) {
    *result = left->back;
    return move(state, part, left, frame->from[0], frame->to[0], err);
  }
  *result = state->result;
  memset(state->result, 0, function_of(state)->state_size);
  int code = ERR_OK;
  for (int i = 0; i < 3 && !code; i++)
    code = feed(state, part, &state->scratch, state->result, frame->from[i], frame->to[i], err);
  return code;
}

/* The result that was appended last, once more. */
static void repeat(struct builder *result) {
  struct column last = builder_view(result);
  int64_t row = last.length - 1;
  if (!column_is_valid(&last, row)) {
    builder_append_null(result);
    return;
  }
  size_t bytes = type_is_string(last.type) ? column_str(&last, row).size : 0;
  if (!builder_reserve(result, 1, bytes)) return;
  last = builder_view(result);
  builder_append_column(result, &last, row, 1);
}

int over__aggregate(struct over_state *state, struct over_part *part,
                    const struct over_frame *frame, struct builder *result, struct err *err) {
  uint64_t made_of[4] = {frame->from[0], frame->to[0], frame->from[2], frame->to[2]};
  bool same = state->has_last && result->length > 0 && frame->to[1] == frame->from[1] &&
              memcmp(made_of, state->last, sizeof made_of) == 0;
  if (same) {
    repeat(result);
    return ERR_OK;
  }
  uint8_t *made;
  arena_reset(&state->scratch);
  int code = state->call->plain_state ? combine(state, part, frame, &made, err)
                                      : gather(state, part, frame, &made, err);
  if (!code) code = exec__aggregate_finish(function_of(state), &state->scratch, made, result, err);
  state->has_last = frame->to[1] == frame->from[1];
  memcpy(state->last, made_of, sizeof made_of);
  return code;
}

uint64_t over__aggregate_low(const struct over_state *state, uint64_t low) {
  const struct plan_frame *frame = &state->call->plan->frame;
  bool excludes = frame->exclude != EXCLUDE_NOTHING;
  if (frame->start != BOUND_UNBOUNDED_PRECEDING || (excludes && !state->call->plain_state)) {
    return low < state->frame_start ? low : state->frame_start;
  }
  if (excludes && state->right.back_to < low) low = state->right.back_to;
  return low < state->left.back_to ? low : state->left.back_to;
}
