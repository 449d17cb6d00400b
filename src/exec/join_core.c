/* The core of joins: probe batches are kept, their runs cut into pieces, the pieces run in lanes,
 * and what the lanes hold is given out in their order. See join.h. */
#include <string.h>

#include "base/err.h"
#include "columnar/bits.h"
#include "exec/join.h"
#include "os/pool.h"

enum {
  LANES_MAX = 32,
  LANES_PER_THREAD = 4, /* so that uneven pieces even out */
  PIECE_ROWS_MIN = 1024,
  BUDGET_SHARE = 8, /* work space takes at most this part of the budget */
  VALUE_SIZE = 12,  /* bytes of a value, its validity and growth included */
};

/* ---- sizes ---- */

/* The budget that holds for the query: its own or the nearest above. 0: none. */
static int64_t budget_of(const struct exec *exec) {
  int64_t least = 0;
  for (const struct mem_account *a = exec->options.account; a; a = a->parent)
    if (a->limit && (!least || a->limit < least)) least = a->limit;
  return least;
}

/* Bytes of one lane's and one probe batch's builders, about. */
static int64_t builders_size(const struct join_core *core, uint32_t lanes, uint32_t piece_rows) {
  int64_t columns = core->shape.schema->count;
  if (core->shape.join->condition)
    columns += core->shape.probe_schema->count + core->shape.build_schema->count;
  int64_t size = piece_rows * columns * VALUE_SIZE;
  if (lanes > 1) size += LIMIT_BLOCK_ROWS * (int64_t)core->shape.probe_schema->count * VALUE_SIZE;
  return lanes * size;
}

/* The same with everything else that a lane has. */
static int64_t lanes_size(const struct join_core *core, uint32_t lanes, uint32_t piece_rows) {
  int64_t size = (int64_t)piece_rows * 24 + (int64_t)LIMIT_BLOCK_ROWS * 9;
  if (core->shape.join->condition) size += LIMIT_BLOCK_ROWS * 16;
  return builders_size(core, lanes, piece_rows) + lanes * size;
}

static void choose_sizes(struct join_core *core) {
  const struct exec *exec = core->exec;
  unsigned threads = exec->options.pool ? os_pool_threads(exec->options.pool) + 1 : 1;
  uint32_t lanes = threads > 1 ? threads * LANES_PER_THREAD : 1;
  if (lanes > LANES_MAX) lanes = LANES_MAX;
  uint32_t rows = LIMIT_BLOCK_ROWS;
  if (exec->options.morsel_rows < rows) rows = exec->options.morsel_rows;
  int64_t budget = budget_of(exec) / BUDGET_SHARE;
  while (budget && lanes > 1 && lanes_size(core, lanes, rows) > budget)
    lanes /= 2;
  while (budget && rows > PIECE_ROWS_MIN && lanes_size(core, lanes, rows) > budget)
    rows /= 2;
  core->lane_count = core->probe_capacity = lanes;
  core->piece_rows = rows;
  core->work_size = (size_t)builders_size(core, lanes, rows);
}

/* ---- making ---- */

static int init_lane(struct join_core *core, struct join_lane *lane, struct err *err) {
  struct arena *memory = &core->exec->memory;
  struct mem_account *account = core->exec->options.account;
  const struct join_shape *shape = &core->shape;
  uint32_t inputs = shape->probe_schema->count + shape->build_schema->count;
  arena_init(&lane->arena, account, 1024);
  lane->probe_rows = ARENA_ARRAY(memory, uint32_t, core->piece_rows + 1);
  lane->build_rows = ARENA_ARRAY(memory, uint64_t, core->piece_rows + 1);
  lane->out_probe = ARENA_ARRAY(memory, uint32_t, core->piece_rows + 1);
  lane->out_build = ARENA_ARRAY(memory, uint64_t, core->piece_rows + 1);
  lane->pointers = ARENA_ARRAY(memory, struct builder *, shape->schema->count + 1);
  lane->views = ARENA_ARRAY(memory, struct column, shape->schema->count + 1);
  struct builder *builders = ARENA_ARRAY(memory, struct builder, shape->schema->count + 1);
  struct builder *gathered = ARENA_ARRAY(memory, struct builder, inputs + 1);
  lane->condition_columns = ARENA_ARRAY(memory, struct column, inputs + 1);
  if (!lane->probe_rows || !lane->build_rows || !lane->out_probe || !lane->out_build ||
      !lane->pointers || !lane->views || !builders || !gathered || !lane->condition_columns)
    return exec__refused(core->exec, core->piece_rows * sizeof(uint64_t), err);
  for (uint32_t c = 0; c < shape->schema->count; c++)
    builder_init(&builders[c], shape->schema->columns[c].type, account);
  for (uint32_t c = 0; c < inputs; c++)
    builder_init(&gathered[c], TYPE_INT64, account);
  lane->builders = builders;
  lane->gathered = gathered;
  if (!core->condition) return ERR_OK;
  return exec__program_state(&lane->arena, core->condition, &lane->condition, err);
}

static int init_probe(struct join_core *core, struct join_probe *probe, struct err *err) {
  struct arena *memory = &core->exec->memory;
  uint32_t columns = core->shape.probe_schema->count;
  probe->columns = ARENA_ARRAY(memory, struct column, columns + 1);
  probe->first = ARENA_ARRAY(memory, uint32_t, LIMIT_BLOCK_ROWS);
  probe->count = ARENA_ARRAY(memory, uint32_t, LIMIT_BLOCK_ROWS);
  probe->matched = arena_alloc_zero(memory, LIMIT_BLOCK_ROWS);
  struct builder *builders = ARENA_ARRAY(memory, struct builder, columns + 1);
  if (!probe->columns || !probe->first || !probe->count || !probe->matched || !builders)
    return exec__refused(core->exec, LIMIT_BLOCK_ROWS * sizeof(uint32_t), err);
  for (uint32_t c = 0; c < columns; c++)
    builder_init(&builders[c], core->shape.probe_schema->columns[c].type,
                 core->exec->options.account);
  probe->builders = builders;
  return ERR_OK;
}

static int init_condition(struct join_core *core, struct err *err) {
  const struct join_shape *shape = &core->shape;
  if (!shape->join->condition) return ERR_OK;
  uint32_t inputs = shape->probe_schema->count + shape->build_schema->count;
  core->condition_uses = ARENA_ARRAY(&core->exec->memory, bool, inputs + 1);
  if (!core->condition_uses) return exec__refused(core->exec, inputs, err);
  exec__expr_columns(shape->join->condition, core->condition_uses);
  return exec__program_compile(&core->exec->memory, shape->join->condition, &core->condition, err);
}

/* Which output columns come from the build side, and from which of its columns. */
static int init_outputs(struct join_core *core, struct err *err) {
  struct arena *memory = &core->exec->memory;
  const struct join_shape *shape = &core->shape;
  uint32_t count = shape->schema->count;
  core->dictionaries = ARENA_ARRAY(memory, const struct column *, count + 1);
  core->build_columns = ARENA_ARRAY(memory, uint32_t, count + 1);
  core->build_outputs = ARENA_ARRAY(memory, uint32_t, count + 1);
  if (!core->dictionaries || !core->build_columns || !core->build_outputs)
    return exec__refused(core->exec, count * sizeof *core->dictionaries, err);
  for (uint32_t c = 0; c < count; c++) {
    bool left = c < shape->left_count;
    if (left != shape->build_left) continue;
    core->build_outputs[core->build_column_count] = c;
    core->build_columns[core->build_column_count++] = left ? c : c - shape->left_count;
  }
  return ERR_OK;
}

int join__core_init(struct join_core *core, struct exec_op *op, bool choose, struct err *err) {
  *core = (struct join_core){.op = op, .exec = op->exec, .last_pass = true};
  int code = join__shape_init(&core->shape, op, choose, err);
  if (!code) code = init_condition(core, err);
  if (!code) code = init_outputs(core, err);
  if (code) return code;
  core->compare_keys = !core->shape.exact;
  choose_sizes(core);
  uint32_t lanes = core->lane_count, probes = core->probe_capacity;
  core->lane_count = core->probe_capacity = 0;
  core->lanes = ARENA_ARRAY(&core->exec->memory, struct join_lane, lanes);
  core->probes = ARENA_ARRAY(&core->exec->memory, struct join_probe, probes);
  if (!core->lanes || !core->probes)
    return exec__refused(core->exec, lanes * sizeof *core->lanes, err);
  for (uint32_t i = 0; i < lanes && !code; i++) {
    core->lane_count++;
    code = init_lane(core, &core->lanes[i], err);
  }
  for (uint32_t i = 0; i < probes && !code; i++) {
    core->probe_capacity++;
    code = init_probe(core, &core->probes[i], err);
  }
  return code;
}

void join__core_deinit(struct join_core *core) {
  if (!core->exec) return;
  struct mem_account *account = core->exec->options.account;
  const struct join_shape *shape = &core->shape;
  for (uint32_t i = 0; i < core->lane_count; i++) {
    struct join_lane *lane = &core->lanes[i];
    for (uint32_t c = 0; lane->builders && c < shape->schema->count; c++)
      builder_deinit(&lane->builders[c]);
    for (uint32_t c = 0;
         lane->gathered && c < shape->probe_schema->count + shape->build_schema->count; c++)
      builder_deinit(&lane->gathered[c]);
    exec__program_release(lane->condition);
    if (lane->arena.account) arena_deinit(&lane->arena);
  }
  for (uint32_t i = 0; i < core->probe_capacity; i++)
    for (uint32_t c = 0; core->probes[i].builders && c < shape->probe_schema->count; c++)
      builder_deinit(&core->probes[i].builders[c]);
  mem_free(account, core->chunks, core->chunk_capacity * sizeof *core->chunks);
  mem_free(account, core->build_marks, core->mark_capacity);
  *core = (struct join_core){0};
}

bool join__core_tight(const struct join_core *core, size_t more) {
  if (!exec__can_spill(core->exec)) return false;
  return exec__memory_tight_with(core->exec, more + (core->begun ? 0 : core->work_size));
}

/* ---- build side ---- */

/* An output column comes as codes of this dictionary, or plain. */
static void adopt(struct join_core *core, uint32_t output, const struct column *dictionary) {
  if (core->dictionaries[output] == dictionary) return;
  core->dictionaries[output] = dictionary;
  struct type type =
      dictionary ? (struct type){PHYSICAL_INT32, 0, 0} : core->shape.schema->columns[output].type;
  for (uint32_t i = 0; i < core->lane_count; i++) {
    struct builder *builder = &core->lanes[i].builders[output];
    builder_deinit(builder);
    builder_init(builder, type, core->exec->options.account);
  }
}

int join__core_build(struct join_core *core, const struct row_buffer *build, struct err *err) {
  struct mem_account *account = core->exec->options.account;
  uint32_t chunks = exec__row_buffer_chunks(build);
  core->build = build;
  if (chunks > core->chunk_capacity) {
    mem_free(account, core->chunks, core->chunk_capacity * sizeof *core->chunks);
    core->chunk_capacity = 0;
    core->chunks = mem_alloc(account, chunks * sizeof *core->chunks);
    if (!core->chunks) return exec__refused(core->exec, chunks * sizeof *core->chunks, err);
    core->chunk_capacity = chunks;
  }
  for (uint32_t i = 0; i < chunks; i++)
    core->chunks[i] = exec__row_buffer_chunk(build, i);
  for (uint32_t i = 0; chunks && i < core->build_column_count && !core->plain_build; i++)
    adopt(core, core->build_outputs[i], core->chunks[0].columns[core->build_columns[i]].dictionary);
  if (!core->shape.marks_build || !build->rows) return ERR_OK;
  if (build->rows > core->mark_capacity) {
    mem_free(account, core->build_marks, core->mark_capacity);
    core->mark_capacity = 0;
    core->build_marks = mem_alloc(account, build->rows);
    if (!core->build_marks) return exec__refused(core->exec, build->rows, err);
    core->mark_capacity = build->rows;
  }
  memset((void *)core->build_marks, 0, build->rows);
  return ERR_OK;
}

/* ---- probe side ---- */

void join__core_clear(struct join_core *core) {
  core->probe_count = 0;
  core->at_batch = core->at_row = core->at_part = 0;
  core->rest_at = core->rest_end = 0;
  core->ran = core->given = 0;
}

static void adopt_probe(struct join_core *core, const struct batch *batch) {
  const struct join_shape *shape = &core->shape;
  for (uint32_t c = 0; c < shape->schema->count; c++) {
    bool left = c < shape->left_count;
    if (left == shape->build_left) continue;
    adopt(core, c, batch->columns[left ? c : c - shape->left_count].dictionary);
  }
}

/* Appends the batch to a probe batch's own rows. */
static int copy_rows(struct join_core *core, struct join_probe *probe, const struct batch *batch,
                     struct err *err) {
  for (uint32_t c = 0; c < batch->column_count; c++) {
    struct builder *builder = &probe->builders[c];
    const struct column *column = &batch->columns[c];
    if (!probe->length) builder_reset(builder);
    if (builder->type.physical != column->type.physical) {
      builder_deinit(builder);
      builder_init(builder, column->type, core->exec->options.account);
    }
    builder_append_column(builder, column, 0, batch->length);
    int code = builder_check(builder, err);
    if (code) return code;
    probe->columns[c] = builder_view(builder);
    probe->columns[c].dictionary = column->dictionary;
  }
  return ERR_OK;
}

int join__core_add(struct join_core *core, const struct batch *batch, bool *room, struct err *err) {
  if (!core->probe_count) adopt_probe(core, batch);
  bool own = core->probe_capacity > 1;
  struct join_probe *probe = core->probe_count ? &core->probes[core->probe_count - 1] : NULL;
  if (!own || !probe || probe->length + batch->length > LIMIT_BLOCK_ROWS) {
    probe = &core->probes[core->probe_count++];
    probe->length = 0;
    probe->base = core->probe_rows;
  }
  if (own) {
    int code = copy_rows(core, probe, batch, err);
    if (code) return code;
  } else {
    memcpy(probe->columns, batch->columns, batch->column_count * sizeof *batch->columns);
  }
  memset((uint8_t *)probe->matched + probe->length, 0, (size_t)batch->length);
  probe->length += batch->length;
  core->probe_rows += (uint64_t)batch->length;
  *room = core->probe_count < core->probe_capacity;
  return ERR_OK;
}

void join__core_add_view(struct join_core *core, const struct batch *batch) {
  if (!core->probe_count) adopt_probe(core, batch);
  struct join_probe *probe = &core->probes[core->probe_count++];
  memcpy(probe->columns, batch->columns, batch->column_count * sizeof *batch->columns);
  memset((void *)probe->matched, 0, (size_t)batch->length);
  probe->length = batch->length;
  probe->base = core->probe_rows;
  core->probe_rows += (uint64_t)batch->length;
}

int join__core_fill(struct join_core *core, struct join_source *source, struct err *err) {
  bool room = true;
  while (room) {
    int code = join__source_some(source, err);
    if (code || source->at == source->count) return code;
    if (!core->probe_count && source->count - source->at > 1 && core->probe_capacity > 1) {
      while (source->at < source->count && core->probe_count < core->probe_capacity)
        join__core_add_view(core, &source->batches[source->at++]);
      return ERR_OK;
    }
    code = join__core_add(core, &source->batches[source->at++], &room, err);
    if (code) return code;
  }
  return ERR_OK;
}

void join__core_range(struct join_core *core, uint32_t from, uint32_t to) {
  core->at_batch = core->at_part = 0;
  core->at_row = from;
  core->probes[0].length = to;
}

void join__core_rest(struct join_core *core, uint64_t rows) {
  core->rest_at = 0;
  core->rest_end = core->shape.marks_build ? rows : 0;
}

/* ---- pieces ---- */

/* Whole rows of the batch, as many as fit. */
static void cut_rows(struct join_core *core, const struct join_probe *probe,
                     struct join_piece *piece) {
  const struct join_shape *shape = &core->shape;
  bool each = shape->probe_unmatched || shape->probe_matched; /* a row of its own may come out */
  uint32_t row = core->at_row;
  uint64_t sum = 0;
  for (; row < probe->length; row++) {
    uint32_t weight = shape->first_only ? 1 : probe->count[row];
    if (each && !weight) weight = 1;
    if (sum + weight > core->piece_rows) break;
    sum += weight;
  }
  *piece = (struct join_piece){
      .kind = JOIN_PIECE_ROWS, .batch = core->at_batch, .from = core->at_row, .to = row};
  core->at_row = row;
}

static bool cut_rest(struct join_core *core, struct join_piece *piece) {
  if (core->rest_at >= core->rest_end) return false;
  uint32_t from = (uint32_t)(core->rest_at % ROW_BUFFER_CHUNK);
  uint64_t to = from + (core->rest_end - core->rest_at);
  if (to > ROW_BUFFER_CHUNK) to = ROW_BUFFER_CHUNK;
  if (to - from > core->piece_rows) to = from + core->piece_rows;
  *piece = (struct join_piece){.kind = JOIN_PIECE_REST,
                               .batch = (uint32_t)(core->rest_at / ROW_BUFFER_CHUNK),
                               .from = from,
                               .to = (uint32_t)to};
  core->rest_at += to - from;
  return true;
}

/* The next piece; false at the end. A row's CLOSE comes first in its round, when the parts of the
 * row have run. */
static bool next_piece(struct join_core *core, bool first, struct join_piece *piece) {
  while (core->at_batch < core->probe_count &&
         core->at_row >= core->probes[core->at_batch].length) {
    core->at_batch++;
    core->at_row = 0;
  }
  if (core->at_batch >= core->probe_count) return cut_rest(core, piece);
  const struct join_probe *probe = &core->probes[core->at_batch];
  uint32_t count = probe->count[core->at_row];
  if (core->shape.first_only || count <= core->piece_rows) {
    cut_rows(core, probe, piece);
    return true;
  }
  *piece = (struct join_piece){.batch = core->at_batch,
                               .from = core->at_row,
                               .to = core->at_row + 1,
                               .first = core->at_part};
  if (core->at_part == count) {
    if (!first) return false;
    piece->kind = JOIN_PIECE_CLOSE;
    core->at_part = 0;
    core->at_row++;
    return true;
  }
  piece->kind = JOIN_PIECE_PART;
  piece->count =
      count - core->at_part < core->piece_rows ? count - core->at_part : core->piece_rows;
  core->at_part += piece->count;
  return true;
}

static int run_lane(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct join_core *core = context;
  (void)figures;
  return join__piece_run(core, &core->lanes[i], err);
}

static void give(struct join_core *core, struct join_lane *lane, struct exec_batch *batch) {
  uint32_t count = core->shape.schema->count;
  for (uint32_t c = 0; c < count; c++) {
    lane->views[c] = builder_view(&lane->builders[c]);
    lane->views[c].dictionary = core->dictionaries[c];
  }
  lane->group = (struct exec_group){.rows = (uint32_t)lane->length, .continued = core->begun};
  core->begun = true;
  *batch = (struct exec_batch){
      .batch = {.length = lane->length, .column_count = count, .columns = lane->views},
      .groups = &lane->group,
      .group_count = 1};
}

int join__core_next(struct join_core *core, struct exec_batch *batch, struct err *err) {
  uint32_t count;
  *batch = (struct exec_batch){0};
  return join__core_some(core, batch, 1, &count, err);
}

int join__core_some(struct join_core *core, struct exec_batch *batches, uint32_t most,
                    uint32_t *given, struct err *err) {
  *given = 0;
  for (;;) {
    while (core->given < core->ran && *given < most) {
      struct join_lane *lane = &core->lanes[core->given++];
      if (lane->length) give(core, lane, &batches[(*given)++]);
    }
    if (*given) return ERR_OK;
    core->ran = core->given = 0;
    uint32_t count = 0;
    while (count < core->lane_count && next_piece(core, count == 0, &core->lanes[count].piece))
      count++;
    if (!count) return ERR_OK;
    int code = exec__check(core->exec, err);
    if (!code) code = exec__parallel(core->exec, count, run_lane, core, err);
    if (code) return code;
    core->ran = count;
  }
}
