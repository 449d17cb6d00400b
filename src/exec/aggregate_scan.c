/* Aggregation over a scan: the aggregates run where the chunks are.
 *
 * The source is cut into morsels; each streams its chunks into a table of its own. A chunk becomes
 * slices (consecutive rows of one series and bucket, found by search in the sorted keys), and each
 * call goes over all slices in tight loops. A whole block that falls into one record is answered
 * from its statistics. A filter is a bitmap that is joined with the validity of the columns, so no
 * row is moved. At the end the records of a group are merged in the order of the morsels, which
 * depends on the data only.
 *
 * When memory refuses the states of all groups, the groups are taken in ranges, a quarter as many
 * at a time as were refused: each range reads the scan again, passes over the runs of other groups,
 * and is given out before the next one begins. A group's answer is the same in any range.
 *
 * When only the first few buckets of each group are needed, ranges of time are read one after
 * another from that end, each much longer than the one before, until every group has enough. */
#include <string.h>

#include "base/err.h"
#include "codec/codec_kernels.h"
#include "exec/aggregate_emit.h"
#include "exec/aggregate_encoded.h"
#include "exec/source.h"
#include "kernel/bucket.h"

enum { ROUNDS_MAX = 24, ROUND_GROWTH = 8, RANGE_SHRINKS = 4 };
/* The slot of a group that is not in the range. */
#define SLOT_NONE UINT32_MAX

struct scan_task {
  struct aggregate_table table;
  uint32_t *slots;  /* per position of the morsel; NULL: all of slot 0 */
  uint32_t *groups; /* per slot */
};

struct scan_aggregate {
  struct exec_op op;
  struct source source;
  struct aggregator aggregator;
  struct aggregate_emit emit;
  const struct plan_schema *input; /* the aggregate's input */
  const struct program **programs; /* per column of it; NULL: none is projected */
  bool *computed;                  /* per column of it: a call, no column as it is */
  bool **needs;                    /* per column of the input: columns of the scan */
  struct scan_round {
    struct morsel *morsels;
    struct scan_task *tasks;
    uint32_t count;
  } rounds[ROUNDS_MAX];
  uint32_t round_count;
  uint32_t range_first, range_count; /* groups whose states are made */
  struct sort_row *pages;            /* by group */
  size_t page_count, page_at;
  bool ran, emitting;
};

/* What one morsel works with. */
struct scan_work {
  struct scan_aggregate *self;
  struct scan_task *task;
  const struct morsel *morsel;
  struct reader reader;
  bool *wanted;           /* columns of the scan */
  bool *pending;          /* calls that statistics did not answer */
  struct column *columns; /* of the input */
  bool *ready;            /* columns made for this chunk */
  const uint64_t **validity;
  uint64_t **masks; /* memory for validity and selection together */
  struct program_state **programs;
  struct builder *texts; /* per column: computed texts */
  struct aggregate_slice *slices;
  uint32_t slice_count, slice_capacity;
  struct encoded_found found;
};

/* ---- opening ---- */

static int compile_projection(struct scan_aggregate *self, const struct plan_node *project,
                              struct err *err) {
  struct arena *arena = &self->op.exec->memory;
  uint32_t first = plan_schema_values(&project->schema);
  self->programs = ARENA_ARRAY(arena, const struct program *, project->schema.count + 1);
  self->computed = ARENA_ARRAY(arena, bool, project->schema.count + 1);
  if (!self->programs || !self->computed)
    return exec__refused(self->op.exec, sizeof *self->programs, err);
  for (uint32_t i = first; i < project->schema.count; i++) {
    const struct expr *expr = project->projection[i - first];
    int code = exec__program_compile(arena, expr, &self->programs[i], err);
    if (code) return code;
    exec__expr_columns(expr, self->needs[i]);
    self->computed[i] = expr->kind != EXPR_COLUMN;
  }
  return ERR_OK;
}

static int find_needs(struct scan_aggregate *self, const struct plan_node *scan, struct err *err) {
  struct arena *arena = &self->op.exec->memory;
  uint32_t count = self->input->count;
  const struct plan_node *input = self->op.node->input;
  self->needs = ARENA_ARRAY(arena, bool *, count + 1);
  if (!self->needs) return exec__refused(self->op.exec, sizeof *self->needs, err);
  for (uint32_t i = 0; i < count; i++) {
    self->needs[i] = ARENA_ARRAY(arena, bool, scan->schema.count + 1);
    if (!self->needs[i]) return exec__refused(self->op.exec, scan->schema.count, err);
    if (input->kind != PLAN_PROJECT || i < plan_schema_values(&input->schema))
      self->needs[i][i] = true;
  }
  return input->kind == PLAN_PROJECT ? compile_projection(self, input, err) : ERR_OK;
}

static int scan_aggregate_open(struct exec_op *op, struct err *err) {
  struct scan_aggregate *self = (struct scan_aggregate *)op;
  const struct plan_node *input = op->node->input;
  self->input = &input->schema;
  const struct plan_node *rows = input->kind == PLAN_PROJECT ? input->input : input;
  int code = exec__source_open(&self->source, op->exec, rows, err);
  self->range_count = self->source.group_count ? self->source.group_count : 1;
  if (!code)
    code = aggregator_init(&self->aggregator, op->exec, &op->node->aggregate, self->input, err);
  if (!code) code = aggregate_emit_init(&self->emit, &self->aggregator, op->node, err);
  if (!code) code = find_needs(self, self->source.scan, err);
  if (!code && self->aggregator.any_places && self->source.series.count > 1)
    code = exec__source_order(&self->source, true, err);
  return code;
}

/* ---- slots ---- */

static bool in_range(const struct scan_aggregate *self, uint32_t group) {
  return group >= self->range_first && group - self->range_first < self->range_count;
}

static int find_slots(struct scan_work *work, struct err *err) {
  const struct source *source = &work->self->source;
  struct scan_task *task = work->task;
  uint32_t count = work->morsel->count, first = work->morsel->first;
  if (!source->groups) return ERR_OK;
  struct arena *arena = &task->table.arena;
  struct mem_account *account = arena->account;
  task->slots = arena_alloc(arena, count * sizeof *task->slots);
  task->groups = arena_alloc(arena, count * sizeof *task->groups);
  size_t size = (size_t)count * 2 * sizeof(struct sort_row);
  struct sort_row *rows = mem_alloc(account, size);
  if (!task->slots || !task->groups || !rows) {
    int code = mem_refused(account, size, err);
    mem_free(account, rows, size);
    return code;
  }
  for (uint32_t i = 0; i < count; i++)
    rows[i] = (struct sort_row){source->groups[first + i], i};
  sort_rows(rows, rows + count, count);
  uint32_t slots = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t group = (uint32_t)rows[i].key;
    bool inside = in_range(work->self, group);
    if (inside && (slots == 0 || task->groups[slots - 1] != group)) task->groups[slots++] = group;
    task->slots[rows[i].row] = inside ? slots - 1 : SLOT_NONE;
  }
  mem_free(account, rows, size);
  return ERR_OK;
}

/* ---- slices ---- */

static int add_slice(struct scan_work *work, uint32_t position, int64_t bucket, uint32_t row,
                     uint32_t rows, struct err *err) {
  const struct source *source = &work->self->source;
  uint32_t slot = work->task->slots ? work->task->slots[position - work->morsel->first] : 0;
  void *record = aggregate_table_record(&work->task->table, slot, bucket);
  if (!record) return mem_refused(work->task->table.arena.account, 4096, err);
  struct aggregate_slice *last = work->slice_count ? &work->slices[work->slice_count - 1] : NULL;
  if (last && last->record == record && !work->self->aggregator.any_places &&
      last->row + last->rows == row) {
    last->rows += rows;
    return ERR_OK;
  }
  if (work->slice_count == work->slice_capacity) {
    uint32_t capacity = work->slice_capacity ? work->slice_capacity * 2 : 128;
    struct aggregate_slice *slices =
        mem_resize(source->exec->options.account, work->slices,
                   work->slice_capacity * sizeof *slices, capacity * sizeof *slices);
    if (!slices) return exec__refused(source->exec, capacity * sizeof *slices, err);
    work->slices = slices;
    work->slice_capacity = capacity;
  }
  work->slices[work->slice_count++] =
      (struct aggregate_slice){.record = record,
                               .row = row,
                               .rows = rows,
                               .rank = source->ranks ? source->ranks[position] : 0};
  return ERR_OK;
}

static int cut_run(struct scan_work *work, const struct store_run *run, uint32_t position,
                   struct err *err) {
  const struct plan_bucket *bucket = &work->self->aggregator.plan->bucket;
  const int64_t *keys = work->reader.chunk.keys;
  for (uint32_t row = run->row, end = run->row + run->rows; row < end;) {
    int64_t index = plan_bucket_index(bucket, keys[row]);
    int64_t last = plan_bucket_last(bucket, index);
    uint32_t stop = keys[end - 1] <= last ? end : (uint32_t)bucket_search(keys, row, end, last);
    int code = add_slice(work, position, index, row, stop - row, err);
    if (code) return code;
    row = stop;
  }
  return ERR_OK;
}

/* True when all rows of the chunk are in one bucket, which is *index. */
static bool one_bucket(const struct scan_work *work, int64_t *index) {
  const struct plan_bucket *bucket = &work->self->aggregator.plan->bucket;
  *index = 0;
  if (plan_bucket_is_all(bucket)) return true;
  *index = plan_bucket_index(bucket, work->reader.chunk.key_min);
  return work->reader.chunk.key_max <= plan_bucket_last(bucket, *index);
}

/* Rows [row, row + rows) of a run that lie in one image of the keys: bounds between buckets are
 * searched in it. *done false: too many of them, or not in this image. */
static int cut_encoded(struct scan_work *work, const struct store_image *keys, uint32_t position,
                       uint32_t row, uint32_t rows, bool *done, struct err *err) {
  enum { BOUNDS_MAX = 256, ROWS_MIN = 16 };
  const struct plan_bucket *bucket = &work->self->aggregator.plan->bucket;
  int64_t bounds[BOUNDS_MAX];
  uint32_t starts[BOUNDS_MAX], count = 0, absent, from = row - keys->row + keys->from;
  uint32_t ends[2] = {from, from + rows - 1};
  uint64_t values[2];
  *done = false;
  int code = codec_pick(&keys->image, ends, rows > 1 ? 2 : 1, values, NULL, &absent, err);
  if (code) return code;
  int64_t last = (int64_t)values[rows > 1];
  int64_t index = plan_bucket_index(bucket, (int64_t)values[0]);
  for (int64_t bound; (bound = plan_bucket_last(bucket, index + count)) < last; count++) {
    if (count == BOUNDS_MAX || count * ROWS_MIN > rows) return ERR_OK;
    bounds[count] = bound;
  }
  code = codec_search(&keys->image, from, from + rows, bounds, count, starts, done, err);
  for (uint32_t i = 0; i <= count && !code && *done; i++) {
    uint32_t to = i < count ? starts[i] - keys->from + keys->row : row + rows;
    uint32_t start = i ? starts[i - 1] - keys->from + keys->row : row;
    if (start < to) code = add_slice(work, position, index + i, start, to - start, err);
  }
  return code;
}

/* Slices without decoded keys. *done false: not of this chunk. */
static int make_encoded(struct scan_work *work, bool *done, struct err *err) {
  const struct store_chunk *chunk = &work->reader.chunk;
  const struct store_image *keys;
  uint32_t count, run = 0;
  *done = false;
  if (work->self->aggregator.any_places || work->self->aggregator.any_times || chunk->keys ||
      chunk->run_count * 256 > chunk->rows)
    return ERR_OK;
  int code = store_scan_images(work->reader.scan, &work->reader.chunk, STORE_IMAGE_KEYS, &keys,
                               &count, err);
  *done = count > 0;
  for (uint32_t i = 0; i < count && !code && *done; i++) {
    uint32_t end = keys[i].row + keys[i].rows;
    for (; run < chunk->run_count && !code && *done; run++) {
      const struct store_run *of = &chunk->runs[run];
      uint32_t from = of->row > keys[i].row ? of->row : keys[i].row;
      uint32_t to = of->row + of->rows < end ? of->row + of->rows : end;
      uint32_t position = work->reader.run_positions[run];
      if (from < to && position != POSITION_NONE)
        code = cut_encoded(work, &keys[i], position, from, to - from, done, err);
      if (of->row + of->rows > end) break;
    }
  }
  if (code != ERR_CORRUPTION) return code;
  *done = false;
  return ERR_OK;
}

static int make_slices(struct scan_work *work, struct err *err) {
  int64_t index;
  bool whole = one_bucket(work, &index), done = false;
  int code = ERR_OK;
  work->slice_count = 0;
  if (!whole) code = make_encoded(work, &done, err);
  if (code || done) return code;
  work->slice_count = 0;
  if (!whole || work->self->aggregator.any_places || work->self->aggregator.any_times)
    code = exec__reader_keys(&work->reader, err);
  for (uint32_t i = 0; i < work->reader.chunk.run_count && !code; i++) {
    const struct store_run *run = &work->reader.chunk.runs[i];
    uint32_t position = work->reader.run_positions[i];
    if (position == POSITION_NONE) continue;
    code = whole ? add_slice(work, position, index, run->row, run->rows, err)
                 : cut_run(work, run, position, err);
  }
  return code;
}

/* ---- statistics ---- */

/* The one slot of all runs of the chunk; false: there are several. */
static bool one_slot(const struct scan_work *work, uint32_t *slot) {
  const struct scan_task *task = work->task;
  *slot = 0;
  for (uint32_t i = 0; i < work->reader.chunk.run_count; i++) {
    if (work->reader.run_positions[i] == POSITION_NONE) return false;
    if (!task->slots) continue;
    uint32_t of = task->slots[work->reader.run_positions[i] - work->morsel->first];
    if (i && of != *slot) return false;
    *slot = of;
  }
  return true;
}

/* Answers calls from the block's statistics where it can; sets which are pending. */
static int use_statistics(struct scan_work *work, bool *all, struct err *err) {
  const struct scan_aggregate *self = work->self;
  const struct source *source = &self->source;
  const struct store_chunk *chunk = &work->reader.chunk;
  uint32_t slot;
  int64_t bucket;
  memset(work->pending, true, self->aggregator.call_count);
  *all = false;
  if (!chunk->statistics || source->filter || self->programs || !one_bucket(work, &bucket) ||
      !one_slot(work, &slot))
    return ERR_OK;
  void *record = aggregate_table_record(&work->task->table, slot, bucket);
  if (!record) return mem_refused(work->task->table.arena.account, 4096, err);
  uint32_t position = work->reader.run_positions[0];
  *all = true;
  for (uint32_t i = 0; i < self->aggregator.call_count; i++) {
    const struct aggregate_call *call = &self->aggregator.calls[i];
    int32_t index = source->store_index[call->column];
    if (index >= 0)
      work->pending[i] = !aggregate_apply_statistics(call, record, &chunk->statistics[index],
                                                     source->ranks ? source->ranks[position] : 0,
                                                     chunk->run_count > 1);
    if (!work->pending[i]) work->reader.values_by_statistics += chunk->rows;
    *all &= !work->pending[i];
  }
  return ERR_OK;
}

/* ---- chunks ---- */

/* Computed texts may come as codes of a dictionary that is this thread's: states keep them as what
 * they are. */
static int spell_out(struct scan_work *work, uint32_t column, struct err *err) {
  struct column *made = &work->columns[column];
  struct builder *texts = &work->texts[column];
  if (!made->dictionary) return ERR_OK;
  if (!texts->account) builder_init(texts, TYPE_STRING, work->self->op.exec->options.account);
  builder_reset(texts);
  for (int64_t row = 0; row < made->length; row++) {
    if (column_is_valid(made, row))
      builder_append_str(texts, column_str(made->dictionary, made->i32[row]));
    else
      builder_append_null(texts);
  }
  *made = builder_view(texts);
  return builder_check(texts, err);
}

static int input_column(struct scan_work *work, uint32_t column, struct err *err) {
  struct scan_aggregate *self = work->self;
  if (work->ready[column]) return ERR_OK;
  work->ready[column] = true;
  int code = ERR_OK;
  if (self->programs && self->programs[column])
    code = exec__program_run_list(work->programs[column], work->reader.columns,
                                  work->reader.chunk.rows, work->reader.selection,
                                  &work->columns[column], err);
  else
    work->columns[column] = work->reader.columns[column];
  if (!code && self->programs && self->computed[column]) code = spell_out(work, column, err);
  if (code) return code;
  const struct column *made = &work->columns[column];
  const uint64_t *selection = work->reader.selection;
  work->validity[column] = made->null_count ? made->validity : NULL;
  if (!selection) return ERR_OK;
  if (!work->validity[column]) {
    work->validity[column] = selection;
    return ERR_OK;
  }
  if (!work->masks[column]) {
    work->masks[column] = arena_alloc(&work->reader.memory, LIMIT_BLOCK_ROWS / 8);
    if (!work->masks[column]) return exec__refused(self->op.exec, LIMIT_BLOCK_ROWS / 8, err);
  }
  size_t words = bit_words(work->reader.chunk.rows);
  for (size_t w = 0; w < words; w++)
    work->masks[column][w] = made->validity[w] & selection[w];
  work->validity[column] = work->masks[column];
  return ERR_OK;
}

static void want(struct scan_work *work, uint32_t column) {
  const bool *needs = work->self->needs[column];
  for (uint32_t i = 0; i < work->self->source.scan->schema.count; i++)
    work->wanted[i] |= needs[i];
}

/* The scan's column that a column of the input is, or UINT32_MAX: something computed. */
static uint32_t scan_column(const struct scan_aggregate *self, uint32_t column) {
  const struct plan_node *input = self->op.node->input;
  uint32_t first = plan_schema_values(self->input);
  if (input->kind != PLAN_PROJECT || column < first) return column;
  const struct expr *expr = input->projection[column - first];
  return expr->kind == EXPR_COLUMN ? expr->column : UINT32_MAX;
}

/* Slices that a call must see the rows of. */
static int apply_rest(struct scan_work *work, const struct aggregate_call *call, struct err *err) {
  memset(work->wanted, 0, work->self->source.scan->schema.count);
  want(work, call->column);
  int code = exec__reader_load(&work->reader, work->wanted, err);
  if (!code) code = input_column(work, call->column, err);
  struct aggregate_input input = {work->columns, work->validity, work->reader.chunk.keys};
  if (code) return code;
  return aggregate_apply(&work->task->table, call, &input, work->found.rest, work->found.rest_count,
                         err);
}

/* One thing that is wanted of one column, for all calls that want it. */
static int apply_found(struct scan_work *work, uint32_t column, enum encoded_want wanted,
                       struct err *err) {
  struct scan_aggregate *self = work->self;
  struct encoded_chunk chunk = {&work->reader, work->slices, work->slice_count};
  bool done;
  int code = exec__encoded_find(&chunk, column, wanted, &work->found, &done, err);
  for (uint32_t i = 0; done && i < self->aggregator.call_count && !code; i++) {
    const struct aggregate_call *call = &self->aggregator.calls[i];
    enum encoded_want of = exec__encoded_want(call);
    bool totals = wanted <= ENCODED_TOTALS && of != ENCODED_NOTHING;
    bool takes = of == wanted || (totals && of < wanted); /* a total has counts and sums, too */
    if (!work->pending[i] || !takes || scan_column(self, call->column) != column) continue;
    exec__encoded_take(&chunk, call, &work->found);
    work->pending[i] = false;
    if (work->found.rest_count) code = apply_rest(work, call, err);
  }
  return code;
}

/* Calls that need no values are answered from images where the chunk has some. */
static int apply_encoded(struct scan_work *work, struct err *err) {
  static const enum encoded_want wants[] = {ENCODED_TOTALS, ENCODED_SUMS, ENCODED_COUNTS,
                                            ENCODED_FIRST, ENCODED_LAST};
  struct scan_aggregate *self = work->self;
  int code = ERR_OK;
  for (size_t w = 0; w < sizeof wants / sizeof *wants; w++) {
    for (uint32_t i = 0; i < self->aggregator.call_count && !code; i++) {
      const struct aggregate_call *call = &self->aggregator.calls[i];
      if (!work->pending[i] || exec__encoded_want(call) != wants[w]) continue;
      uint32_t column = scan_column(self, call->column);
      if (column != UINT32_MAX && self->source.store_index[column] >= 0)
        code = apply_found(work, column, wants[w], err);
    }
  }
  return code;
}

static int apply_chunk(struct scan_work *work, struct err *err) {
  struct scan_aggregate *self = work->self;
  const struct aggregator *aggregator = &self->aggregator;
  bool any = false;
  memset(work->ready, 0, self->input->count);
  int code = make_slices(work, err);
  if (!code) code = apply_encoded(work, err);
  if (code) return code;
  memset(work->wanted, 0, self->source.scan->schema.count);
  for (uint32_t i = 0; i < aggregator->call_count; i++) {
    if (work->pending[i]) want(work, aggregator->calls[i].column);
    any |= work->pending[i];
  }
  if (!any) return ERR_OK;
  for (uint32_t i = 0; i < aggregator->carried_count; i++)
    want(work, aggregator->carried[i]);
  code = exec__reader_load(&work->reader, work->wanted, err);
  for (uint32_t i = 0; i < aggregator->carried_count && !code; i++)
    code = input_column(work, aggregator->carried[i], err);
  for (uint32_t i = 0; i < aggregator->call_count && !code; i++) {
    if (!work->pending[i]) continue;
    code = input_column(work, aggregator->calls[i].column, err);
    if (code) break;
    struct aggregate_input input = {work->columns, work->validity, work->reader.chunk.keys};
    code = aggregate_apply(&work->task->table, &aggregator->calls[i], &input, work->slices,
                           work->slice_count, err);
  }
  return code;
}

/* Runs of groups that are not in the range become none; false: nothing is left. */
static bool hide_runs(struct scan_work *work) {
  const struct scan_task *task = work->task;
  if (!task->slots) return true;
  bool left = false;
  for (uint32_t i = 0; i < work->reader.chunk.run_count; i++) {
    uint32_t *position = &work->reader.run_positions[i];
    if (*position == POSITION_NONE) continue;
    if (task->slots[*position - work->morsel->first] == SLOT_NONE) *position = POSITION_NONE;
    left |= *position != POSITION_NONE;
  }
  return left;
}

static int run_chunks(struct scan_work *work, struct err *err) {
  for (;;) {
    bool all;
    int code = exec__reader_next(&work->reader, err);
    if (code || work->reader.chunk.rows == 0) return code;
    if (work->self->range_count < work->self->source.group_count && !hide_runs(work)) continue;
    code = use_statistics(work, &all, err);
    if (!code && all) continue;
    if (!code) code = exec__reader_filter(&work->reader, err);
    if (!code && work->reader.selected) code = apply_chunk(work, err);
    if (code) return code;
  }
}

static int work_init(struct scan_work *work, struct err *err) {
  struct scan_aggregate *self = work->self;
  struct arena *arena = &work->reader.memory;
  uint32_t columns = self->input->count + 1;
  work->wanted = ARENA_ARRAY(arena, bool, self->source.scan->schema.count + 1);
  work->pending = ARENA_ARRAY(arena, bool, self->aggregator.call_count + 1);
  work->columns = ARENA_ARRAY(arena, struct column, columns);
  work->ready = ARENA_ARRAY(arena, bool, columns);
  work->validity = ARENA_ARRAY(arena, const uint64_t *, columns);
  work->masks = ARENA_ARRAY(arena, uint64_t *, columns);
  work->programs = ARENA_ARRAY(arena, struct program_state *, columns);
  work->texts = ARENA_ARRAY(arena, struct builder, columns);
  if (!work->wanted || !work->pending || !work->columns || !work->ready || !work->validity ||
      !work->masks || !work->programs || !work->texts)
    return exec__refused(self->op.exec, columns * sizeof *work->columns, err);
  for (uint32_t i = 0; self->programs && i < self->input->count; i++) {
    if (!self->programs[i]) continue;
    int code = exec__program_state(arena, self->programs[i], &work->programs[i], err);
    if (code) return code;
  }
  return find_slots(work, err);
}

static int try_morsel(struct scan_aggregate *self, size_t i, struct exec_figures *figures,
                      struct err *err) {
  const struct scan_round *round = &self->rounds[self->round_count - 1];
  struct scan_work work = {.self = self, .task = &round->tasks[i], .morsel = &round->morsels[i]};
  int code = exec__reader_open(&work.reader, &self->source, work.morsel, err);
  if (!code) code = work_init(&work, err);
  if (!code) code = run_chunks(&work, err);
  for (uint32_t c = 0; work.programs && c < self->input->count; c++)
    exec__program_release(work.programs[c]);
  for (uint32_t c = 0; work.texts && c < self->input->count; c++)
    if (work.texts[c].account) builder_deinit(&work.texts[c]);
  mem_free(self->op.exec->options.account, work.slices, work.slice_capacity * sizeof *work.slices);
  exec__encoded_deinit(&work.found, self->op.exec->options.account);
  exec__reader_close(&work.reader, figures);
  return code;
}

static bool morsel_in_range(const struct scan_aggregate *self, const struct morsel *morsel) {
  if (self->range_count >= self->source.group_count) return true;
  for (uint32_t i = 0; i < morsel->count; i++)
    if (in_range(self, source_group(&self->source, morsel->first + i))) return true;
  return false;
}

/* Chunks that were aggregated may turn out to be void (ERR_CONFLICT): each time at least one part
 * more is known to be damaged and left out, and the morsel begins anew. */
static int run_morsel(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct scan_aggregate *self = context;
  struct scan_task *task = &self->rounds[self->round_count - 1].tasks[i];
  if (!morsel_in_range(self, &self->rounds[self->round_count - 1].morsels[i])) return ERR_OK;
  int code = try_morsel(self, i, figures, err);
  for (int tries = 0; code == ERR_CONFLICT && tries < READER_TRIES_MAX; tries++) {
    aggregate_table_deinit(&task->table);
    *task = (struct scan_task){0};
    aggregate_table_init(&task->table, &self->aggregator);
    code = try_morsel(self, i, figures, err);
  }
  aggregate_table_settle(&task->table);
  return code;
}

/* ---- the whole ---- */

static void drop_pages(struct scan_aggregate *self) {
  mem_free(self->op.exec->options.account, self->pages, self->page_count * sizeof *self->pages);
  self->pages = NULL;
  self->page_count = 0;
}

/* Orders all pages by group; those of a group stay in the order of morsels. */
static int order_pages(struct scan_aggregate *self, struct err *err) {
  size_t count = 0;
  drop_pages(self);
  for (uint32_t r = 0; r < self->round_count; r++)
    for (uint32_t i = 0; i < self->rounds[r].count; i++)
      count += self->rounds[r].tasks[i].table.page_count;
  struct mem_account *account = self->op.exec->options.account;
  size_t size = count * sizeof *self->pages;
  if (count == 0) return ERR_OK;
  self->pages = mem_alloc(account, size);
  if (!self->pages) return mem_refused(account, size, err);
  self->page_count = count;
  struct sort_row *at = self->pages;
  bool sorted = true;
  for (uint32_t r = 0; r < self->round_count; r++) {
    for (uint32_t i = 0; i < self->rounds[r].count; i++) {
      const struct scan_task *task = &self->rounds[r].tasks[i];
      for (uint32_t p = 0; p < task->table.page_count; p++) {
        struct aggregate_page *page = task->table.pages[p];
        *at = (struct sort_row){task->groups ? task->groups[page->slot] : 0,
                                (uint64_t)(uintptr_t)page};
        sorted &= at == self->pages || at[-1].key <= at->key;
        at++;
      }
    }
  }
  if (sorted) return ERR_OK;
  struct sort_row *spare = mem_alloc(account, size);
  if (!spare) return mem_refused(account, size, err);
  sort_rows(self->pages, spare, count);
  mem_free(account, spare, size);
  return ERR_OK;
}

/* Whether series of a group may come mixed: calls that answer from encoded totals, or by rank. */
static bool minds_no_order(const struct scan_aggregate *self) {
  for (uint32_t i = 0; i < self->aggregator.call_count; i++)
    if (exec__encoded_want(&self->aggregator.calls[i]) == ENCODED_NOTHING) return false;
  return self->aggregator.carried_count == 0;
}

/* Aggregates the rows with keys in [min, max]. */
static int run_round(struct scan_aggregate *self, int64_t min, int64_t max, struct err *err) {
  struct exec *exec = self->op.exec;
  struct scan_round *round = &self->rounds[self->round_count];
  int code = ERR_OK;
  if (!round->tasks) { /* the rounds of the next range of groups are the same */
    struct morsel_cut cut = {min, max, exec->options.morsel_rows, minds_no_order(self)};
    code = exec__source_cut(&self->source, &cut, &round->morsels, &round->count, err);
    if (code) return code;
    round->tasks = ARENA_ARRAY(&exec->memory, struct scan_task, round->count + 1);
    if (!round->tasks) return exec__refused(exec, round->count * sizeof *round->tasks, err);
  }
  for (uint32_t i = 0; i < round->count; i++) {
    round->tasks[i] = (struct scan_task){0};
    aggregate_table_init(&round->tasks[i].table, &self->aggregator);
  }
  self->round_count++;
  code = exec__parallel(exec, round->count, run_morsel, self, err);
  return code ? code : order_pages(self, err);
}

/* Gathers the pages of the next group. */
static int gather_group(struct scan_aggregate *self, size_t *at, struct err *err) {
  uint64_t group = self->pages[*at].key;
  int code = ERR_OK;
  aggregate_emit_begin(&self->emit);
  for (; *at < self->page_count && self->pages[*at].key == group && !code; ++*at)
    code = aggregate_emit_page(&self->emit,
                               (const struct aggregate_page *)(uintptr_t)self->pages[*at].row, err);
  return code;
}

/* True when every group has as many buckets as are needed. */
static int has_enough(struct scan_aggregate *self, bool *enough, struct err *err) {
  uint64_t groups = 0;
  *enough = true;
  for (size_t at = 0; at < self->page_count && *enough; groups++) {
    int code = gather_group(self, &at, err);
    if (code) return code;
    *enough = aggregate_emit_count(&self->emit) >= self->aggregator.plan->limit;
  }
  uint32_t behind = self->source.group_count - self->range_first;
  *enough &= groups == (behind < self->range_count ? behind : self->range_count);
  return ERR_OK;
}

/* Buckets are read from the end that is wanted. Ranges meet between two buckets. */
static int run_rounds(struct scan_aggregate *self, struct err *err) {
  const struct plan_aggregation *plan = self->aggregator.plan;
  const struct source *source = &self->source;
  const struct plan_bucket *bucket = &plan->bucket;
  int64_t min = source->scan->scan.time_min, max = source->scan->scan.time_max;
  int64_t edge = plan_bucket_index(bucket, plan->descending ? source->key_max : source->key_min);
  __int128 step = (__int128)plan->limit;
  for (;;) {
    __int128 next = plan->descending ? edge - step + 1 : edge + step - 1;
    int64_t low = min, high = max;
    bool last = self->round_count + 1 == ROUNDS_MAX || next < INT64_MIN || next > INT64_MAX;
    if (!last && plan->descending) {
      low = plan_bucket_first(bucket, (int64_t)next);
      last = low <= source->key_min || low <= min;
      if (last) low = min;
    } else if (!last) {
      high = plan_bucket_last(bucket, (int64_t)next);
      last = high >= source->key_max || high >= max;
      if (last) high = max;
    }
    bool enough = false;
    int code = run_round(self, low, high, err);
    if (!code && !last) code = has_enough(self, &enough, err);
    if (code || last || enough) return code;
    if (plan->descending)
      max = low - 1;
    else
      min = high + 1;
    step *= ROUND_GROWTH;
  }
}

static int run_all(struct scan_aggregate *self, struct err *err) {
  const struct source *source = &self->source;
  const struct plan_aggregation *plan = self->aggregator.plan;
  bool few = plan->limit && !plan_bucket_is_all(&plan->bucket) &&
             source->key_min < source->key_max &&
             source->rows_estimate > self->op.exec->options.morsel_rows;
  if (few) return run_rounds(self, err);
  return run_round(self, source->scan->scan.time_min, source->scan->scan.time_max, err);
}

/* Forgets the states of a range. */
static void drop_rounds(struct scan_aggregate *self) {
  for (uint32_t r = 0; r < self->round_count; r++)
    for (uint32_t i = 0; i < self->rounds[r].count; i++)
      aggregate_table_deinit(&self->rounds[r].tasks[i].table);
  drop_pages(self);
  self->page_at = 0;
  self->round_count = 0;
}

/* Makes the states of as many groups as there is memory for. */
static int run_range(struct scan_aggregate *self, struct err *err) {
  for (;;) {
    int code = run_all(self, err);
    if ((code != ERR_MEMORY_LIMIT && code != ERR_NO_MEMORY) || self->range_count <= 1) return code;
    drop_rounds(self);
    err_reset(err);
    if (self->range_count > self->source.group_count) self->range_count = self->source.group_count;
    self->range_count = self->range_count / RANGE_SHRINKS + (self->range_count < RANGE_SHRINKS);
  }
}

/* Goes on to the next range; false: there is none. */
static bool next_range(struct scan_aggregate *self) {
  uint64_t next = (uint64_t)self->range_first + self->range_count;
  if (next >= self->source.group_count) return false;
  drop_rounds(self);
  self->range_first = (uint32_t)next;
  self->ran = false;
  return true;
}

/* Begins the next group. */
static int begin_group(struct scan_aggregate *self, struct err *err) {
  uint32_t tags = self->op.node->schema.group_count;
  uint64_t group = self->pages[self->page_at].key;
  int code = gather_group(self, &self->page_at, err);
  if (code) return code;
  for (uint32_t t = 0; t < tags; t++)
    self->emit.codes[t] = self->source.group_codes[group * tags + t];
  return aggregate_emit_finish(&self->emit, err);
}

/* Group tags, and tags that are chosen or carried, come as codes. */
static void set_dictionaries(struct scan_aggregate *self) {
  const struct plan_schema *schema = &self->op.node->schema;
  const struct aggregator *aggregator = &self->aggregator;
  uint32_t first = plan_schema_values(schema);
  for (uint32_t i = 0; i < schema->count; i++) {
    uint32_t value = i - first, column = i;
    if (i >= schema->group_count && i < first) continue;
    if (i >= first) {
      bool call = value < aggregator->call_count;
      if (call &&
          (!type_is_string(aggregator->calls[value].result) || aggregator->calls[value].other))
        continue;
      column = scan_column(self, call ? aggregator->calls[value].column
                                      : aggregator->carried[value - aggregator->call_count]);
    }
    if (column != UINT32_MAX && self->source.tags[column].length)
      exec__rows_dictionary(&self->emit.rows, i, self->source.tags[column].dictionary);
  }
}

static int scan_aggregate_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct scan_aggregate *self = (struct scan_aggregate *)op;
  int code = ERR_OK;
  exec__rows_reset(&self->emit.rows);
  while (!code && exec__rows_count(&self->emit.rows) < LIMIT_BLOCK_ROWS) {
    if (!self->ran) {
      code = run_range(self, err);
      self->ran = true;
      set_dictionaries(self);
      continue;
    }
    if (!self->emitting) {
      if (self->page_at == self->page_count && !next_range(self)) break;
      if (self->page_at == self->page_count) continue;
      code = begin_group(self, err);
      self->emitting = true;
      continue;
    }
    bool done;
    code = aggregate_emit_rows(&self->emit, &done, err);
    self->emitting = !done;
  }
  if (!code) code = exec__check(op->exec, err);
  return code ? code : exec__rows_batch(&self->emit.rows, batch, err);
}

static void scan_aggregate_close(struct exec_op *op) {
  struct scan_aggregate *self = (struct scan_aggregate *)op;
  for (uint32_t r = 0; r < ROUNDS_MAX; r++)
    for (uint32_t i = 0; self->rounds[r].tasks && i < self->rounds[r].count; i++)
      aggregate_table_deinit(&self->rounds[r].tasks[i].table);
  drop_pages(self);
  aggregate_emit_deinit(&self->emit);
}

const struct exec_op_kind exec__aggregate_scan = {
    sizeof(struct scan_aggregate), scan_aggregate_open, scan_aggregate_next, scan_aggregate_close};
