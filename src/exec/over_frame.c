/* Where frames begin and end.
 *
 * Bounds never go back from one row of a partition to the next (a row's order value, its number and
 * the number of its group of peers only grow), so each is a cursor that moves on: over rows whose
 * group is too early (GROUPS) or whose value is (RANGE). PostgreSQL's rules hold for what is not a
 * number: a row without an order value has its peers as its frame where an offset is asked for, NaN
 * is as far from itself as nothing and beyond all else. */
#include <math.h>

#include "base/err.h"
#include "exec/over.h"

static uint8_t flags_at(const struct over_part *part, uint64_t row, uint32_t *hint) {
  const struct over_chunk *chunk = over__chunk(part->rows, row, hint);
  return chunk->flags[row - chunk->first];
}

int over__peers_to(struct over_state *state, struct over_part *part, uint64_t *to,
                   struct err *err) {
  while (state->peers_to == UINT64_MAX) {
    bool has;
    int code = over__has(part, state->peers_known, &has, err);
    if (code) return code;
    if (!has || flags_at(part, state->peers_known, &state->hint) & OVER_PEERS)
      state->peers_to = state->peers_known;
    else
      state->peers_known++;
  }
  *to = state->peers_to;
  return ERR_OK;
}

/* ---- ROWS ---- */

static uint64_t offset_of(const struct plan_value *value) { return (uint64_t)value->i64; }

/* The row `offset` behind the current one, or the partition's end. */
static int row_behind(const struct over_state *state, struct over_part *part, uint64_t offset,
                      uint64_t *row, struct err *err) {
  bool has;
  *row = offset > UINT64_MAX - 1 - state->row ? UINT64_MAX - 1 : state->row + offset;
  int code = over__has(part, *row, &has, err);
  if (!code && !has) *row = part->end;
  return code;
}

static int start_by_rows(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  uint64_t at = state->row - part->first;
  if (frame->start == BOUND_FOLLOWING)
    return row_behind(state, part, offset_of(frame->start_offset), &state->frame_start, err);
  uint64_t back = frame->start == BOUND_CURRENT ? 0 : offset_of(frame->start_offset);
  state->frame_start = state->row - (back < at ? back : at);
  return ERR_OK;
}

static int end_by_rows(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  uint64_t at = state->row - part->first;
  if (frame->end == BOUND_FOLLOWING) {
    int code = row_behind(state, part, offset_of(frame->end_offset), &state->frame_end, err);
    if (!code && state->frame_end != part->end) state->frame_end++;
    return code;
  }
  uint64_t back = frame->end == BOUND_CURRENT ? 0 : offset_of(frame->end_offset);
  state->frame_end = back > at ? part->first : state->row - back + 1;
  return ERR_OK;
}

/* ---- GROUPS ---- */

/* Moves a cursor that stands at the beginning of a group to that of group `target`. */
static int seek_group(struct over_part *part, uint64_t *cursor, uint64_t *group, uint64_t target,
                      uint32_t *hint, struct err *err) {
  while (*group < target) {
    bool has;
    int code = over__has(part, *cursor + 1, &has, err);
    if (code) return code;
    ++*cursor;
    if (!has) {
      *cursor = part->end;
      *group = UINT64_MAX;
    } else if (flags_at(part, *cursor, hint) & OVER_PEERS) {
      ++*group;
    }
  }
  return ERR_OK;
}

static uint64_t group_from(const struct over_state *state, enum plan_frame_bound bound,
                           const struct plan_value *offset, bool *none) {
  uint64_t group = state->group, away = offset_of(offset);
  *none = bound == BOUND_PRECEDING && away > group;
  if (bound == BOUND_PRECEDING) return *none ? 0 : group - away;
  return away > UINT64_MAX - 2 - group ? UINT64_MAX - 2 : group + away;
}

static int start_by_groups(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  bool none;
  uint64_t target = group_from(state, frame->start, frame->start_offset, &none);
  return seek_group(part, &state->frame_start, &state->start_group, target, &state->start_hint,
                    err);
}

static int end_by_groups(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  bool none;
  uint64_t target = group_from(state, frame->end, frame->end_offset, &none);
  if (none) return ERR_OK; /* the cursor stands at the first row: nothing is before it */
  return seek_group(part, &state->frame_end, &state->end_group, target + 1, &state->end_hint, err);
}

/* ---- RANGE ---- */

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
static int compare_floats(double a, double b) {
  return isnan(a) || isnan(b) ? isnan(a) - isnan(b) : COMPARE(a, b);
}

static double float_bound(double value, double offset, bool plus) {
  double bound = plus ? value + offset : value - offset;
  if (isnan(bound) && !isnan(value)) return plus ? INFINITY : -INFINITY; /* inf - inf */
  return bound;
}

/* Where a present value stands to the current one moved by an offset. */
static int compare_bound(const struct column *column, int64_t row, const struct column *current,
                         int64_t at, const struct plan_value *offset, bool plus) {
  if (column->type.physical == PHYSICAL_FLOAT64)
    return compare_floats(column->f64[row], float_bound(current->f64[at], offset->f64, plus));
  bool is_signed = column->type.physical == PHYSICAL_INT64;
  __int128 value = is_signed ? (__int128)column->i64[row] : (__int128)column->u64[row];
  __int128 bound = is_signed ? (__int128)current->i64[at] : (__int128)current->u64[at];
  __int128 away = offset->type.physical == PHYSICAL_UINT64 ? (__int128)offset->u64 : offset->i64;
  bound += plus ? away : -away;
  return COMPARE(value, bound);
}

/* Moves a cursor over rows before the bound; `through`: over those at it, too. */
static int seek_value(struct over_state *state, struct over_part *part, uint64_t *cursor,
                      enum plan_frame_bound bound, const struct plan_value *offset, bool through,
                      uint32_t *hint, struct err *err) {
  const struct over_call *call = state->call;
  const struct over_chunk *home;
  int code = over__need(part->rows, state->row, &state->hint, &home, err);
  if (code) return code;
  const struct column *current = &home->columns[call->order_column];
  int64_t at = (int64_t)(state->row - home->first);
  bool plus = (bound == BOUND_FOLLOWING) != call->descending;
  for (;; ++*cursor) {
    bool has;
    const struct over_chunk *chunk;
    code = over__has(part, *cursor, &has, err);
    if (code || !has) return code;
    code = over__need(part->rows, *cursor, hint, &chunk, err);
    if (code) return code;
    const struct column *column = &chunk->columns[call->order_column];
    int64_t row = (int64_t)(*cursor - chunk->first);
    int order = call->nulls_first ? -1 : 1;
    if (column_is_valid(column, row)) {
      order = compare_bound(column, row, current, at, offset, plus);
      if (call->descending) order = -order;
    }
    if (through ? order > 0 : order >= 0) return ERR_OK;
  }
}

static int current_is_null(struct over_state *state, const struct over_part *part, bool *null,
                           struct err *err) {
  const struct over_chunk *home;
  int code = over__need(part->rows, state->row, &state->hint, &home, err);
  if (!code)
    *null = !column_is_valid(&home->columns[state->call->order_column],
                             (int64_t)(state->row - home->first));
  return code;
}

static int start_by_range(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  bool null;
  int code = current_is_null(state, part, &null, err);
  if (code || null) {
    state->frame_start = state->peers_from;
    return code;
  }
  return seek_value(state, part, &state->frame_start, frame->start, frame->start_offset, false,
                    &state->start_hint, err);
}

static int end_by_range(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  bool null;
  int code = current_is_null(state, part, &null, err);
  if (code) return code;
  if (null) return over__peers_to(state, part, &state->frame_end, err);
  return seek_value(state, part, &state->frame_end, frame->end, frame->end_offset, true,
                    &state->end_hint, err);
}

/* ---- any ---- */

static int find_start(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  if (frame->start == BOUND_UNBOUNDED_PRECEDING) return ERR_OK;
  if (frame->unit == FRAME_ROWS) return start_by_rows(state, part, err);
  if (frame->start == BOUND_CURRENT) {
    state->frame_start = state->peers_from;
    return ERR_OK;
  }
  return frame->unit == FRAME_GROUPS ? start_by_groups(state, part, err)
                                     : start_by_range(state, part, err);
}

static int find_end(struct over_state *state, struct over_part *part, struct err *err) {
  const struct plan_frame *frame = &state->call->plan->frame;
  uint64_t size;
  if (frame->end == BOUND_UNBOUNDED_FOLLOWING) {
    int code = over__size(part, &size, err);
    state->frame_end = part->end;
    return code;
  }
  if (frame->unit == FRAME_ROWS) return end_by_rows(state, part, err);
  if (frame->end == BOUND_CURRENT) return over__peers_to(state, part, &state->frame_end, err);
  return frame->unit == FRAME_GROUPS ? end_by_groups(state, part, err)
                                     : end_by_range(state, part, err);
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

int over__frame(struct over_state *state, struct over_part *part, struct over_frame *frame,
                struct err *err) {
  enum plan_frame_exclude exclude = state->call->plan->frame.exclude;
  int code = find_start(state, part, err);
  if (!code) code = find_end(state, part, err);
  uint64_t from = state->frame_start, to = most(state->frame_end, from);
  uint64_t hole = state->row, behind = state->row + 1;
  *frame = (struct over_frame){{from, to, to}, {to, to, to}};
  if (code || exclude == EXCLUDE_NOTHING) return code;
  if (exclude != EXCLUDE_CURRENT) {
    hole = state->peers_from;
    code = over__peers_to(state, part, &behind, err);
  }
  frame->to[0] = most(from, least(to, hole));
  frame->from[2] = most(from, least(to, behind));
  bool middle = exclude == EXCLUDE_TIES && state->row >= from && state->row < to;
  frame->from[1] = frame->to[1] = state->row;
  if (middle) frame->to[1]++;
  return code;
}
