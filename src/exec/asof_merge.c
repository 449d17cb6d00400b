/* As-of joins of inputs that both come in the order of the keys, then of time.
 *
 * Of the right rows a window is held: from the last one before the left row's time on, to the end
 * of the next time. Both ends only move forward, so each row is read once and what is held does not
 * grow with the input (rows of one key at one time apart). */
#include <string.h>

#include "base/err.h"
#include "exec/asof.h"

static uint32_t *keys_and_time(struct join_core *core, const uint32_t *keys, uint32_t time) {
  uint32_t count = core->shape.key_count;
  uint32_t *columns = ARENA_ARRAY(&core->exec->memory, uint32_t, count + 1);
  if (!columns) return NULL;
  for (uint32_t k = 0; k < count; k++)
    columns[k] = keys[k];
  columns[count] = time;
  return columns;
}

int asof__merge_init(struct asof_merge *merge, struct join_core *core, struct exec_op *left,
                     struct exec_op *right, struct err *err) {
  const struct join_shape *shape = &core->shape;
  *merge = (struct asof_merge){.core = core, .left.op = left, .right.op = right};
  merge->left_columns = keys_and_time(core, shape->probe_keys, shape->join->left_time);
  merge->right_columns = keys_and_time(core, shape->build_keys, shape->join->right_time);
  if (!merge->left_columns || !merge->right_columns)
    return exec__refused(core->exec, shape->key_count * sizeof(uint32_t), err);
  int code = exec__row_buffer_init_schema(&merge->window, core->exec, shape->build_schema, err);
  if (!code)
    code = exec__row_buffer_init_schema(&merge->spare, core->exec, shape->build_schema, err);
  return code;
}

void asof__merge_deinit(struct asof_merge *merge) {
  exec__row_buffer_deinit(&merge->window);
  exec__row_buffer_deinit(&merge->spare);
}

static const struct column *window_row(const struct asof_merge *merge, uint64_t row) {
  return merge->core->chunks[row / ROW_BUFFER_CHUNK].columns;
}

/* The window's row against a left row, by the first `count` of keys and time. */
static int compare(const struct asof_merge *merge, uint64_t row, uint32_t left_row,
                   uint32_t count) {
  return join__compare(merge->right_columns, window_row(merge, row),
                       (int64_t)(row % ROW_BUFFER_CHUNK), merge->left_columns,
                       merge->core->probes[0].columns, left_row, count);
}

static bool same_time(const struct asof_merge *merge, uint64_t a, uint64_t b) {
  return join__compare(merge->right_columns, window_row(merge, a), (int64_t)(a % ROW_BUFFER_CHUNK),
                       merge->right_columns, window_row(merge, b), (int64_t)(b % ROW_BUFFER_CHUNK),
                       merge->core->shape.key_count + 1) == 0;
}

/* Moves the places to a left row; false when right rows are missing to tell. */
static bool move_to(struct asof_merge *merge, uint32_t left_row) {
  uint64_t rows = merge->window.rows;
  uint32_t all = merge->core->shape.key_count + 1;
  int order = 1;
  while (merge->low < rows && (order = compare(merge, merge->low, left_row, all)) < 0)
    merge->low++;
  if (merge->high < merge->low) merge->high = merge->low;
  while (merge->high < rows && compare(merge, merge->high, left_row, all) == 0)
    merge->high++;
  if (merge->high == rows) return merge->right_ended;
  if (merge->core->shape.join->asof == ASOF_BACKWARD) return true;
  if (merge->after <= merge->high) merge->after = merge->high + 1;
  while (merge->after < rows && same_time(merge, merge->high, merge->after))
    merge->after++;
  return merge->after < rows || merge->right_ended;
}

/* True when the window's row is one of the left row's key that may be its partner. */
static bool reaches(const struct asof_merge *merge, uint64_t row, uint32_t left_row,
                    uint64_t *distance) {
  const struct plan_joining *join = merge->core->shape.join;
  const struct column *right = &window_row(merge, row)[join->right_time];
  const struct column *left = &merge->core->probes[0].columns[join->left_time];
  int64_t at = (int64_t)(row % ROW_BUFFER_CHUNK);
  return compare(merge, row, left_row, merge->core->shape.key_count) == 0 &&
         column_is_valid(right, at) &&
         asof__reaches(join, left->i64[left_row], right->i64[at], distance);
}

static bool find_partner(const struct asof_merge *merge, uint32_t left_row, uint64_t *partner) {
  const struct plan_joining *join = merge->core->shape.join;
  uint64_t before = 0, behind = 0;
  uint64_t last = join->asof_strict ? merge->low : merge->high; /* rows on the earlier side */
  bool exact = !join->asof_strict && merge->low < merge->high;
  bool backward = false, forward = false;
  if (join->asof != ASOF_FORWARD || exact)
    backward = last > 0 && reaches(merge, last - 1, left_row, &before);
  if (join->asof != ASOF_BACKWARD && !(backward && exact) && merge->high < merge->window.rows)
    forward = reaches(merge, merge->after - 1, left_row, &behind);
  *partner = backward && (!forward || before <= behind) ? last - 1 : merge->after - 1;
  return backward || forward;
}

/* Runs of left rows from left_at on; the row at which right rows are missing, or the end. */
static uint32_t walk(struct asof_merge *merge) {
  const struct join_shape *shape = &merge->core->shape;
  struct join_probe *probe = &merge->core->probes[0];
  uint32_t row = merge->left_at;
  for (; row < merge->left_length; row++) {
    uint64_t partner;
    probe->first[row] = probe->count[row] = 0;
    if (!column_is_valid(&probe->columns[shape->join->left_time], row) ||
        (shape->nulls == JOIN_NULLS_NOTHING &&
         join__absent(shape->probe_keys, shape->key_count, probe->columns, row)))
      continue;
    if (!move_to(merge, row)) return row;
    if (!find_partner(merge, row, &partner)) continue;
    probe->first[row] = (uint32_t)partner;
    probe->count[row] = 1;
  }
  return row;
}

/* Forgets what no left row can meet any more. */
static int drop_rows(struct asof_merge *merge, struct err *err) {
  uint64_t kept = merge->low ? merge->low - 1 : 0;
  if (!kept) return ERR_OK;
  for (uint64_t row = kept; row < merge->window.rows;) {
    struct batch chunk = exec__row_buffer_chunk(&merge->window, (uint32_t)(row / ROW_BUFFER_CHUNK));
    int64_t from = (int64_t)(row % ROW_BUFFER_CHUNK);
    int code =
        exec__row_buffer_append(&merge->spare, chunk.columns, from, chunk.length - from, err);
    if (code) return code;
    row += (uint64_t)(chunk.length - from);
  }
  exec__row_buffer_reset(&merge->window);
  struct row_buffer emptied = merge->window;
  merge->window = merge->spare;
  merge->spare = emptied;
  merge->low -= kept;
  merge->high -= merge->high < kept ? merge->high : kept;
  merge->after -= merge->after < kept ? merge->after : kept;
  return ERR_OK;
}

static int read_right(struct asof_merge *merge, struct err *err) {
  int code = drop_rows(merge, err);
  if (!code) code = join__source_next(&merge->right, &merge->pending, err);
  if (code) return code;
  merge->right_ended = !merge->pending.length;
  if (!merge->right_ended)
    code = exec__row_buffer_append(&merge->window, merge->pending.columns, 0, merge->pending.length,
                                   err);
  return code ? code : join__core_build(merge->core, &merge->window, err);
}

int asof__merge_next(struct asof_merge *merge, bool *more, struct err *err) {
  struct join_core *core = merge->core;
  *more = true;
  /* The first right rows tell the first output whether their columns are codes. */
  if (!merge->window.rows && !merge->right_ended) return read_right(merge, err);
  if (merge->left_at == merge->left_length) {
    struct batch batch;
    bool room;
    join__core_clear(core);
    int code = join__source_next(&merge->left, &batch, err);
    *more = !code && batch.length;
    if (!*more) return code;
    code = join__core_add(core, &batch, &room, err);
    if (code) return code;
    merge->left_at = 0;
    merge->left_length = (uint32_t)batch.length;
  }
  uint32_t to = walk(merge);
  join__core_range(core, merge->left_at, to);
  if (to > merge->left_at) {
    merge->left_at = to;
    return ERR_OK;
  }
  return read_right(merge, err);
}
