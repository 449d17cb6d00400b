/* One piece of a join: candidate pairs of probe and build rows become output rows. It runs on any
 * thread, with its lane as work space; what it shares with other pieces are the marks of who has a
 * partner, which only ever go from 0 to 1. */
#include <string.h>

#include "base/err.h"
#include "exec/join.h"

static void mark(_Atomic uint8_t *marks, uint64_t row) {
  atomic_store_explicit(&marks[row], 1, memory_order_relaxed);
}
static bool marked(const _Atomic uint8_t *marks, uint64_t row) {
  return atomic_load_explicit(&marks[row], memory_order_relaxed) != 0;
}

/* ---- candidates ---- */

static uint32_t expand_rows(const struct join_core *core, struct join_lane *lane) {
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  const struct sort_row *entries = core->tail ? NULL : core->entries;
  uint32_t pairs = 0;
  for (uint32_t row = lane->piece.from; row < lane->piece.to; row++) {
    uint32_t first = probe->first[row], count = probe->count[row];
    if (count == 1 && entries) { /* most joins are of a row and the one it refers to */
      lane->probe_rows[pairs] = row;
      lane->build_rows[pairs++] = entries[first].row;
      continue;
    }
    for (uint32_t i = 0; i < count; i++) {
      lane->probe_rows[pairs] = row;
      lane->build_rows[pairs++] = join__candidate(core, first, count, i);
    }
  }
  return pairs;
}

static uint32_t expand_part(const struct join_core *core, struct join_lane *lane) {
  const struct join_piece *piece = &lane->piece;
  const struct join_probe *probe = &core->probes[piece->batch];
  uint32_t first = probe->first[piece->from], count = probe->count[piece->from];
  for (uint32_t i = 0; i < piece->count; i++) {
    lane->probe_rows[i] = piece->from;
    lane->build_rows[i] = join__candidate(core, first, count, piece->first + i);
  }
  return piece->count;
}

static bool equal_keys(const struct join_core *core, const struct join_probe *probe, uint32_t row,
                       uint64_t build_row) {
  const struct join_shape *shape = &core->shape;
  return join__equal(shape->probe_keys, probe->columns, row, shape->build_keys,
                     core->chunks[build_row / ROW_BUFFER_CHUNK].columns,
                     (int64_t)(build_row % ROW_BUFFER_CHUNK), shape->key_count, shape->nulls);
}

static uint32_t compare_keys(const struct join_core *core, struct join_lane *lane, uint32_t pairs) {
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  uint32_t kept = 0;
  for (uint32_t i = 0; i < pairs; i++) {
    uint32_t row = lane->probe_rows[i];
    uint64_t build_row = lane->build_rows[i];
    lane->probe_rows[kept] = row;
    lane->build_rows[kept] = build_row;
    kept += equal_keys(core, probe, row, build_row);
  }
  return kept;
}

/* Columns of the condition, for the pairs. */
static int gather_condition(const struct join_core *core, struct join_lane *lane, uint32_t pairs,
                            struct err *err) {
  const struct join_shape *shape = &core->shape;
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  uint32_t probe_count = shape->probe_schema->count, build_count = shape->build_schema->count;
  uint32_t probe_at = shape->build_left ? build_count : 0;
  uint32_t build_at = shape->build_left ? 0 : probe_count;
  for (uint32_t c = 0; c < probe_count + build_count; c++) {
    if (!core->condition_uses[c]) continue;
    bool from_build = c >= build_at && c < build_at + build_count;
    const struct column *source =
        from_build ? &core->chunks[0].columns[c - build_at] : &probe->columns[c - probe_at];
    struct builder *builder = &lane->gathered[c];
    builder_reset(builder);
    if (builder->type.physical != source->type.physical) {
      builder_deinit(builder);
      builder_init(builder, source->type, core->exec->options.account);
    }
    uint32_t column = c - build_at;
    if (from_build)
      exec__row_buffer_take(core->build, lane->build_rows, pairs, &column, 1, &builder);
    else
      builder_append_rows(builder, source, lane->probe_rows, pairs);
    int code = builder_check(builder, err);
    if (code) return code;
    lane->condition_columns[c] = builder_view(builder);
    lane->condition_columns[c].dictionary = source->dictionary;
  }
  return ERR_OK;
}

static int run_condition(const struct join_core *core, struct join_lane *lane, uint32_t *pairs,
                         struct err *err) {
  struct column passed;
  if (!*pairs) return ERR_OK;
  int code = gather_condition(core, lane, *pairs, err);
  if (!code)
    code = exec__program_run(lane->condition, lane->condition_columns, *pairs, &passed, err);
  if (code) return code;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < *pairs; i++) {
    lane->probe_rows[kept] = lane->probe_rows[i];
    lane->build_rows[kept] = lane->build_rows[i];
    kept += bit_get(passed.bits, i) && column_is_valid(&passed, i);
  }
  *pairs = kept;
  return ERR_OK;
}

static void mark_pairs(const struct join_core *core, struct join_lane *lane, uint32_t pairs) {
  const struct join_shape *shape = &core->shape;
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  if (shape->probe_unmatched || shape->probe_matched)
    for (uint32_t i = 0; i < pairs; i++)
      mark(probe->matched, lane->probe_rows[i]);
  if (shape->marks_build)
    for (uint32_t i = 0; i < pairs; i++)
      mark(core->build_marks, lane->build_rows[i]);
}

/* ---- output ---- */

/* Output rows of the piece: columns gathered from both sides. NULL probe rows: none. */
static int gather_output(struct join_core *core, struct join_lane *lane, const uint32_t *probe_rows,
                         const uint64_t *build_rows, uint32_t count, struct err *err) {
  const struct join_shape *shape = &core->shape;
  lane->length = count;
  if (!count) return ERR_OK;
  const struct join_probe *probe = probe_rows ? &core->probes[lane->piece.batch] : NULL;
  for (uint32_t c = 0; c < shape->schema->count; c++) {
    bool left = c < shape->left_count;
    if (left == shape->build_left) continue;
    uint32_t source = left ? c : c - shape->left_count;
    if (probe)
      builder_append_rows(&lane->builders[c], &probe->columns[source], probe_rows, count);
    else
      builder_append_nulls(&lane->builders[c], count);
  }
  for (uint32_t i = 0; i < core->build_column_count; i++)
    lane->pointers[i] = &lane->builders[core->build_outputs[i]];
  if (core->build_column_count)
    exec__row_buffer_take(core->build, build_rows, count, core->build_columns,
                          core->build_column_count, lane->pointers);
  for (uint32_t c = 0; c < shape->schema->count; c++) {
    int code = builder_check(&lane->builders[c], err);
    if (code) return code;
  }
  return ERR_OK;
}

/* Pairs with the probe rows of the piece that have none in between. */
static uint32_t merge_unmatched(const struct join_core *core, struct join_lane *lane,
                                uint32_t pairs) {
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  uint32_t at = 0, count = 0;
  for (uint32_t row = lane->piece.from; row < lane->piece.to; row++) {
    for (; at < pairs && lane->probe_rows[at] == row; at++) {
      lane->out_probe[count] = row;
      lane->out_build[count++] = lane->build_rows[at];
    }
    if (marked(probe->matched, row)) continue;
    lane->out_probe[count] = row;
    lane->out_build[count++] = ROW_NONE;
  }
  return count;
}

/* Probe rows by whether they have a partner. */
static uint32_t pick_probe(const struct join_core *core, struct join_lane *lane) {
  const struct join_shape *shape = &core->shape;
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  uint32_t count = 0;
  for (uint32_t row = lane->piece.from; row < lane->piece.to; row++) {
    bool has = marked(probe->matched, row);
    bool out = shape->probe_matched ? has && probe->count[row] > 0 : !has && core->last_pass;
    lane->out_probe[count] = row;
    lane->out_build[count] = ROW_NONE;
    count += out;
  }
  return count;
}

/* SEMI and ANTI without a condition: the first partner decides. */
static void match_first(const struct join_core *core, struct join_lane *lane) {
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  for (uint32_t row = lane->piece.from; row < lane->piece.to; row++) {
    uint32_t first = probe->first[row], count = probe->count[row];
    bool found = count > 0 && !core->compare_keys;
    for (uint32_t i = 0; i < count && !found; i++)
      found = equal_keys(core, probe, row, join__candidate(core, first, count, i));
    if (found) mark(probe->matched, row);
  }
}

static int run_pairs(struct join_core *core, struct join_lane *lane, uint32_t *count,
                     struct err *err) {
  const struct join_shape *shape = &core->shape;
  bool part = lane->piece.kind == JOIN_PIECE_PART;
  uint32_t pairs = part ? expand_part(core, lane) : expand_rows(core, lane);
  if (core->compare_keys) pairs = compare_keys(core, lane, pairs);
  if (lane->condition) {
    int code = run_condition(core, lane, &pairs, err);
    if (code) return code;
  }
  mark_pairs(core, lane, pairs);
  *count = shape->pairs ? pairs : 0;
  return ERR_OK;
}

static int run_rows(struct join_core *core, struct join_lane *lane, struct err *err) {
  const struct join_shape *shape = &core->shape;
  uint32_t count = 0;
  if (shape->first_only) {
    match_first(core, lane);
  } else {
    int code = run_pairs(core, lane, &count, err);
    if (code) return code;
  }
  if (shape->pairs) {
    if (!shape->probe_unmatched || !core->last_pass)
      return gather_output(core, lane, lane->probe_rows, lane->build_rows, count, err);
    count = merge_unmatched(core, lane, count);
  } else if (shape->probe_matched || shape->probe_unmatched) {
    count = pick_probe(core, lane);
  }
  return gather_output(core, lane, lane->out_probe, lane->out_build, count, err);
}

static int run_part(struct join_core *core, struct join_lane *lane, struct err *err) {
  uint32_t count;
  const struct join_probe *probe = &core->probes[lane->piece.batch];
  bool decided =
      !core->shape.pairs && !core->shape.marks_build && marked(probe->matched, lane->piece.from);
  if (decided) return ERR_OK;
  int code = run_pairs(core, lane, &count, err);
  return code ? code : gather_output(core, lane, lane->probe_rows, lane->build_rows, count, err);
}

static int run_close(struct join_core *core, struct join_lane *lane, struct err *err) {
  const struct join_shape *shape = &core->shape;
  uint32_t count = 0;
  if (shape->pairs) {
    bool has = marked(core->probes[lane->piece.batch].matched, lane->piece.from);
    lane->out_probe[0] = lane->piece.from;
    lane->out_build[0] = ROW_NONE;
    count = shape->probe_unmatched && core->last_pass && !has;
  } else if (shape->probe_matched || shape->probe_unmatched) {
    count = pick_probe(core, lane);
  }
  return gather_output(core, lane, lane->out_probe, lane->out_build, count, err);
}

/* Build rows [from, to) with, or without, a partner. */
static int run_rest(struct join_core *core, struct join_lane *lane, struct err *err) {
  uint64_t base = (uint64_t)lane->piece.batch * ROW_BUFFER_CHUNK;
  uint32_t count = 0;
  for (uint64_t row = base + lane->piece.from; row < base + lane->piece.to; row++) {
    lane->out_build[count] = row;
    count += marked(core->build_marks, row) == core->shape.build_matched;
  }
  return gather_output(core, lane, NULL, lane->out_build, count, err);
}

int join__piece_run(struct join_core *core, struct join_lane *lane, struct err *err) {
  lane->length = 0;
  for (uint32_t c = 0; c < core->shape.schema->count; c++)
    builder_reset(&lane->builders[c]);
  switch (lane->piece.kind) {
  case JOIN_PIECE_ROWS:
    return run_rows(core, lane, err);
  case JOIN_PIECE_PART:
    return run_part(core, lane, err);
  case JOIN_PIECE_CLOSE:
    return run_close(core, lane, err);
  default:
    return run_rest(core, lane, err);
  }
}
