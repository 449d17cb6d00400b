/* Grouping by any columns, in memory and beyond it.
 *
 *   input ─ wave (row_buffer) ─ morsels, in parallel ─ partitions by hash, in parallel ─ rows
 *
 * Rows are pulled in waves. A wave is cut into morsels by numbers of rows; each makes a table of
 * its own groups, and these go into the partitions, morsel by morsel in the order of the input.
 * Where a first morsel shows that hardly any two rows are of one group, the rows of the others go
 * to the partitions themselves. What is a morsel, and which way a wave goes, follows from the data
 * and the options only, so states are merged in the same order whatever the number of threads, and
 * answers are the same to the bit. Groups come out in the order of their first rows.
 *
 * Where equal keys stand together in the input (plan_order_groups), there is one partition, and
 * groups that can't get rows any more come out after each wave.
 *
 * When memory is tight the partitions' groups go to disk, each to a stream of its own, keys and
 * states; in the end one stream after another is read into a table again, and where that is too
 * much, it is spread over streams by the next bits of the hashes. Then groups come in no order. */
#include <string.h>

#include "base/err.h"
#include "exec/group_table.h"
#include "exec/row_buffer.h"
#include "plan/properties.h"

enum {
  SLOTS = 8,             /* batches of output that are made at a time */
  SPILL_GROUPS_MIN = 64, /* fewer are not worth a spill */
  LEVELS_MAX = 64 / GROUP_FAN_BITS - 1,
};

/* A range of rows of the wave. */
struct group_morsel {
  struct group_table table;
  uint32_t *order; /* ids by partition; or rows, when they go to the partitions themselves */
  uint32_t order_count;
  uint64_t *hashes; /* of the rows then */
  uint32_t starts[GROUP_FAN + 1];
};
/* A stream that waits to be read, whose groups agree in the lower bits [0, shift) of hashes. */
struct group_pending {
  struct group_pending *next;
  struct spill_stream *stream;
  unsigned shift;
};
/* A batch of output. */
struct group_slot {
  struct exec_rows rows;
  struct builder *staged; /* per column: partition by partition */
  struct builder **list;
  uint32_t *places; /* of the output's rows in it */
  struct arena scratch;
  uint32_t *partitions, *ids; /* the groups, LIMIT_BLOCK_ROWS */
  uint32_t count;
};
struct group {
  struct exec_op op;
  struct group_layout layout;
  struct row_buffer wave;
  struct column *picked;
  uint64_t rows; /* before the wave */
  struct group_table partitions[GROUP_FAN];
  uint32_t partition_count; /* 1 where equal keys stand together */
  struct group_morsel *morsels;
  uint32_t morsel_count, morsel_capacity;
  uint64_t morsel_rows;
  /* on disk */
  struct spill_stream *streams[GROUP_FAN];
  unsigned shift; /* of the streams that are being written */
  struct group_pending *pending;
  bool spilled;
  /* coming out */
  struct group_slot slots[SLOTS];
  uint32_t slot_count, slot_at, slots_made;
  uint32_t cursors[GROUP_FAN], ends[GROUP_FAN];
  uint64_t heads[GROUP_FAN]; /* the first rows' numbers of the next groups; UINT64_MAX: none */
  bool ended, emitting, begun;
  struct exec_group out;
};

/* ---- opening ---- */

static int open_slots(struct group *self, struct err *err) {
  struct exec *exec = self->op.exec;
  const struct plan_schema *schema = &self->op.node->schema;
  int64_t limit = exec->options.account->limit;
  self->slots_made = limit && limit < LIMIT_MIB(32) ? 1 : SLOTS;
  for (uint32_t i = 0; i < self->slots_made; i++) {
    struct group_slot *slot = &self->slots[i];
    arena_init(&slot->scratch, exec->options.account, 4096);
    slot->staged = ARENA_ARRAY(&exec->memory, struct builder, schema->count + 1);
    slot->list = ARENA_ARRAY(&exec->memory, struct builder *, schema->count + 1);
    uint32_t *words = ARENA_ARRAY(&exec->memory, uint32_t, 3 * LIMIT_BLOCK_ROWS);
    if (!slot->staged || !slot->list || !words)
      return exec__refused(exec, 3 * LIMIT_BLOCK_ROWS * 4, err);
    slot->places = words;
    slot->partitions = words + LIMIT_BLOCK_ROWS;
    slot->ids = words + 2 * LIMIT_BLOCK_ROWS;
    for (uint32_t c = 0; c < schema->count; c++) {
      builder_init(&slot->staged[c], schema->columns[c].type, exec->options.account);
      slot->list[c] = &slot->staged[c];
    }
    int code = exec__rows_init(&slot->rows, exec, schema, err);
    if (code) return code;
  }
  return ERR_OK;
}

static int find_order(struct group *self, struct err *err) {
  struct plan_ordering order;
  const struct plan_grouping *plan = &self->op.node->group;
  self->partition_count = GROUP_FAN;
  if (plan->key_count == 0 || plan->sets) return ERR_OK;
  if (!plan_order(&self->op.exec->memory, self->op.node->input, &order))
    return exec__refused(self->op.exec, sizeof order, err);
  if (plan_order_groups(&order, plan->keys, plan->key_count)) self->partition_count = 1;
  return ERR_OK;
}

static int group_open(struct exec_op *op, struct err *err) {
  struct group *self = (struct group *)op;
  struct group_layout *layout = &self->layout;
  int code = group_layout_init(layout, op->exec, op->node, err);
  if (!code) code = find_order(self, err);
  if (!code) code = exec__row_buffer_init_schema(&self->wave, op->exec, &layout->rows, err);
  for (uint32_t p = 0; p < self->partition_count && !code; p++)
    code = group_table_begin(&self->partitions[p], layout, err);
  if (!code) code = open_slots(self, err);
  if (code) return code;
  self->picked =
      ARENA_ARRAY(&op->exec->memory, struct column, (layout->rows.count + 1) * EXEC_SOME);
  if (!self->picked) return exec__refused(op->exec, sizeof *self->picked, err);
  return ERR_OK;
}

/* ---- memory ---- */

/* Bytes until a limit refuses. */
static int64_t headroom(const struct exec *exec) {
  int64_t least = INT64_MAX;
  for (const struct mem_account *at = exec->options.account; at; at = at->parent) {
    int64_t room = at->limit - mem_account_used(at);
    if (at->limit && room < least) least = room;
  }
  return least;
}

static uint64_t groups_held(const struct group *self) {
  uint64_t count = 0;
  for (uint32_t p = 0; p < self->partition_count; p++)
    count += group_table_count(&self->partitions[p]);
  return count;
}

static int create_streams(struct group *self, struct err *err) {
  int code = ERR_OK;
  for (uint32_t p = 0; p < GROUP_FAN && !code; p++)
    if (!self->streams[p]) code = group_spill_create(&self->layout, &self->streams[p], err);
  return code;
}

/* Writes all groups of a table to the streams. */
static int spill_table(struct group *self, struct group_table *table, struct err *err) {
  struct mem_account *account = self->op.exec->options.account;
  uint32_t count = group_table_count(table), starts[GROUP_FAN + 1];
  size_t size = count * sizeof(uint32_t);
  if (count == 0) return ERR_OK;
  uint32_t *order = mem_alloc(account, size);
  if (!order) return mem_refused(account, size, err);
  group_table_split(table, self->shift, order, starts);
  int code = ERR_OK;
  for (uint32_t p = 0; p < GROUP_FAN && !code; p++)
    code = group_table_spill(table, order + starts[p], starts[p + 1] - starts[p], self->streams[p],
                             err);
  mem_free(account, order, size);
  return code;
}

static int renew(struct group *self, struct group_table *table, struct err *err) {
  group_table_end(table);
  return group_table_begin(table, &self->layout, err);
}

/* A partition's groups go to its stream: with several partitions they are those of the streams. */
static int spill_partition(void *context, size_t p, struct exec_figures *figures, struct err *err) {
  (void)figures;
  struct group *self = context;
  struct group_table *table = &self->partitions[p];
  int code = spill_table(self, table, err);
  return code ? code : renew(self, table, err);
}

static int spill_all(struct group *self, struct err *err) {
  int code = create_streams(self, err);
  self->spilled = true;
  return code ? code
              : exec__parallel(self->op.exec, self->partition_count, spill_partition, self, err);
}

/* True when groups should go to disk before more memory is asked for. */
static bool should_spill(const struct group *self, uint64_t needed) {
  const struct exec *exec = self->op.exec;
  if (!exec__can_spill(exec) || groups_held(self) < SPILL_GROUPS_MIN) return false;
  int64_t room = headroom(exec);
  return exec__memory_tight(exec) || (uint64_t)(room < 0 ? 0 : room) < needed;
}

static bool is_refusal(int code) { return code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY; }

/* ---- waves ---- */

static bool wave_full(const struct group *self) {
  const struct exec *exec = self->op.exec;
  int64_t limit = exec->options.account->limit;
  if (self->wave.rows >= exec->options.wave_rows) return true;
  return limit && self->wave.bytes > (uint64_t)limit / 16;
}

/* How many batches a wave that is not full has room for; one as long as it is not known how large
 * rows are. */
static uint32_t wave_room(const struct group *self) {
  const struct exec *exec = self->op.exec;
  int64_t limit = exec->options.account->limit;
  if (!self->wave.rows) return 1;
  uint64_t rows = exec->options.wave_rows - self->wave.rows;
  uint64_t row_size = self->wave.bytes / self->wave.rows + 1;
  if (limit && ((uint64_t)limit / 16 - self->wave.bytes) / row_size < rows)
    rows = ((uint64_t)limit / 16 - self->wave.bytes) / row_size;
  uint64_t most = rows / LIMIT_BLOCK_ROWS + 1;
  return most < EXEC_SOME ? (uint32_t)most : EXEC_SOME;
}

/* Keeps rows of the input, after a refusal once more without the groups in memory. */
static int keep_rows(struct group *self, const struct exec_batch *given, uint32_t count,
                     struct err *err) {
  struct batch batches[EXEC_SOME];
  uint32_t columns = self->layout.rows.count;
  for (uint32_t b = 0; b < count; b++) {
    struct column *picked = self->picked + (size_t)b * columns;
    for (uint32_t i = 0; i < columns; i++)
      picked[i] = given[b].batch.columns[self->layout.columns[i]];
    batches[b] = (struct batch){given[b].batch.length, columns, picked};
  }
  int code = exec__row_buffer_append_batches(&self->wave, batches, count, err);
  if (!is_refusal(code) || !exec__can_spill(self->op.exec) || self->partition_count == 1 ||
      !groups_held(self))
    return code;
  err_reset(err);
  code = spill_all(self, err);
  if (!code) code = exec__row_buffer_append_batches(&self->wave, batches, count, err);
  return code;
}

static int pull_wave(struct group *self, struct err *err) {
  struct exec_batch batches[EXEC_SOME];
  exec__row_buffer_reset(&self->wave);
  if (self->partition_count > 1 && should_spill(self, 0)) {
    int code = spill_all(self, err);
    if (code) return code;
  }
  while (!wave_full(self)) {
    uint32_t count;
    int code = exec__check(self->op.exec, err);
    if (!code) code = exec__pull_some(self->op.input, batches, wave_room(self), &count, err);
    if (code) return code;
    if (count == 0) {
      self->ended = true;
      return ERR_OK;
    }
    code = keep_rows(self, batches, count, err);
    if (code) return code;
  }
  return ERR_OK;
}

static void drop_morsel(struct group *self, struct group_morsel *morsel) {
  struct mem_account *account = self->op.exec->options.account;
  group_table_end(&morsel->table);
  mem_free(account, morsel->order, morsel->order_count * sizeof *morsel->order);
  mem_free(account, morsel->hashes,
           morsel->hashes ? morsel->order_count * sizeof *morsel->hashes : 0);
  *morsel = (struct group_morsel){0};
}

static void drop_morsels(struct group *self) {
  for (uint32_t i = 0; i < self->morsel_capacity; i++)
    drop_morsel(self, &self->morsels[i]);
}

static int cut_wave(struct group *self, struct err *err) {
  struct mem_account *account = self->op.exec->options.account;
  self->morsel_rows = self->op.exec->options.morsel_rows;
  self->morsel_count = (uint32_t)((self->wave.rows + self->morsel_rows - 1) / self->morsel_rows);
  if (self->morsel_count <= self->morsel_capacity) return ERR_OK;
  size_t size = self->morsel_count * sizeof *self->morsels;
  struct group_morsel *morsels = mem_alloc_zero(account, size);
  if (!morsels) return mem_refused(account, size, err);
  mem_free(account, self->morsels, self->morsel_capacity * sizeof *morsels);
  self->morsels = morsels;
  self->morsel_capacity = self->morsel_count;
  return ERR_OK;
}

/* The rows of a morsel that stand in one chunk. */
struct group_piece {
  struct batch batch;
  uint64_t row; /* of the wave */
  int64_t from, count;
};
static bool next_piece(const struct group *self, size_t m, struct group_piece *piece) {
  uint64_t end = (m + 1) * self->morsel_rows;
  piece->row = piece->count ? piece->row + (uint64_t)piece->count : m * self->morsel_rows;
  if (end > self->wave.rows) end = self->wave.rows;
  if (piece->row >= end) return false;
  piece->batch = exec__row_buffer_chunk(&self->wave, (uint32_t)(piece->row / ROW_BUFFER_CHUNK));
  piece->from = (int64_t)(piece->row % ROW_BUFFER_CHUNK);
  piece->count = piece->batch.length - piece->from;
  if ((uint64_t)piece->count > end - piece->row) piece->count = (int64_t)(end - piece->row);
  return true;
}

/* ---- morsels: groups first ---- */

static int split_morsel(struct group *self, struct group_morsel *morsel, struct err *err) {
  struct mem_account *account = self->op.exec->options.account;
  uint32_t count = group_table_count(&morsel->table);
  if (count == 0) return ERR_OK;
  morsel->order = mem_alloc(account, count * sizeof *morsel->order);
  if (!morsel->order) return mem_refused(account, count * sizeof *morsel->order, err);
  morsel->order_count = count;
  if (self->partition_count > 1) {
    group_table_split(&morsel->table, 0, morsel->order, morsel->starts);
    return ERR_OK;
  }
  for (uint32_t i = 0; i < count; i++)
    morsel->order[i] = i;
  for (uint32_t p = 1; p <= GROUP_FAN; p++)
    morsel->starts[p] = count;
  return ERR_OK;
}

static int group_morsel(void *context, size_t m, struct exec_figures *figures, struct err *err) {
  (void)figures;
  struct group *self = context;
  struct group_morsel *morsel = &self->morsels[m];
  struct group_piece piece = {.count = 0};
  int code = exec__check(self->op.exec, err);
  if (!code) code = group_table_begin(&morsel->table, &self->layout, err);
  while (!code && next_piece(self, m, &piece))
    code = group_table_feed(&morsel->table, piece.batch.columns, piece.batch.length, piece.from,
                            piece.count, self->rows + piece.row, NULL, NULL, err);
  return code ? code : split_morsel(self, morsel, err);
}

/* ---- morsels: rows to the partitions ---- */

static int scatter_morsel(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  (void)figures;
  struct group *self = context;
  size_t m = i + 1; /* the first one is grouped */
  struct group_morsel *morsel = &self->morsels[m];
  struct mem_account *account = self->op.exec->options.account;
  const struct group_layout *layout = &self->layout;
  uint64_t rows = self->wave.rows - m * self->morsel_rows;
  morsel->order_count = (uint32_t)(rows < self->morsel_rows ? rows : self->morsel_rows);
  morsel->order = mem_alloc(account, morsel->order_count * sizeof *morsel->order);
  morsel->hashes = mem_alloc(account, morsel->order_count * sizeof *morsel->hashes);
  if (!morsel->order || !morsel->hashes)
    return mem_refused(account, morsel->order_count * sizeof *morsel->hashes, err);
  struct arena scratch;
  arena_init(&scratch, account, 256);
  const struct column **keys = ARENA_ARRAY(&scratch, const struct column *, layout->key_count + 1);
  struct group_piece piece = {.count = 0};
  uint32_t at[GROUP_FAN + 1] = {0}, row = 0;
  while (keys && next_piece(self, m, &piece)) {
    for (uint32_t k = 0; k < layout->key_count; k++)
      keys[k] = &piece.batch.columns[layout->keys[k]];
    exec__key_hash(keys, layout->key_count, piece.from, piece.count, morsel->hashes + row);
    row += (uint32_t)piece.count;
  }
  arena_deinit(&scratch);
  if (!keys) return mem_refused(account, layout->key_count * sizeof *keys, err);
  for (uint32_t r = 0; r < morsel->order_count; r++)
    at[(morsel->hashes[r] & (GROUP_FAN - 1)) + 1]++;
  for (uint32_t p = 0; p < GROUP_FAN; p++)
    at[p + 1] += at[p];
  memcpy(morsel->starts, at, sizeof at);
  for (uint32_t r = 0; r < morsel->order_count; r++)
    morsel->order[at[morsel->hashes[r] & (GROUP_FAN - 1)]++] = r;
  return ERR_OK;
}

/* Rows of one chunk, by their numbers in the morsel, to a partition. */
static int feed_picked(struct group *self, struct group_table *table, size_t m,
                       const uint32_t *rows, uint32_t count, struct arena *scratch,
                       struct err *err) {
  const struct group_morsel *morsel = &self->morsels[m];
  uint64_t first = m * self->morsel_rows, chunk = (first + rows[0]) / ROW_BUFFER_CHUNK;
  struct batch batch = exec__row_buffer_chunk(&self->wave, (uint32_t)chunk);
  arena_reset(scratch);
  uint32_t *picked = ARENA_ARRAY(scratch, uint32_t, count);
  uint64_t *numbers = ARENA_ARRAY(scratch, uint64_t, count);
  uint64_t *hashes = ARENA_ARRAY(scratch, uint64_t, count);
  struct column *columns = ARENA_ARRAY(scratch, struct column, batch.column_count);
  if (!picked || !numbers || !hashes || !columns)
    return mem_refused(scratch->account, count * sizeof *numbers, err);
  for (uint32_t i = 0; i < count; i++) {
    picked[i] = (uint32_t)(first + rows[i] - chunk * ROW_BUFFER_CHUNK);
    numbers[i] = self->rows + first + rows[i];
    hashes[i] = morsel->hashes[rows[i]];
  }
  for (uint32_t c = 0; c < batch.column_count; c++) {
    int code = column_take(&batch.columns[c], picked, count, scratch, &columns[c], err);
    if (code) return code;
    columns[c].dictionary = batch.columns[c].dictionary;
  }
  return group_table_feed(table, columns, count, 0, count, 0, numbers, hashes, err);
}

static int feed_rows(struct group *self, struct group_table *table, size_t m, size_t p,
                     struct arena *scratch, struct err *err) {
  const struct group_morsel *morsel = &self->morsels[m];
  uint64_t first = m * self->morsel_rows;
  int code = ERR_OK;
  for (uint32_t at = morsel->starts[p], end; at < morsel->starts[p + 1] && !code; at = end) {
    uint64_t chunk = (first + morsel->order[at]) / ROW_BUFFER_CHUNK;
    for (end = at + 1; end < morsel->starts[p + 1]; end++)
      if ((first + morsel->order[end]) / ROW_BUFFER_CHUNK != chunk) break;
    code = feed_picked(self, table, m, morsel->order + at, end - at, scratch, err);
  }
  return code;
}

/* ---- partitions ---- */

static int fill_partition(void *context, size_t p, struct exec_figures *figures, struct err *err) {
  (void)figures;
  struct group *self = context;
  struct arena scratch;
  arena_init(&scratch, self->op.exec->options.account, 4096);
  int code = exec__check(self->op.exec, err);
  for (uint32_t m = 0; m < self->morsel_count && !code; m++) {
    const struct group_morsel *morsel = &self->morsels[m];
    if (morsel->hashes)
      code = feed_rows(self, &self->partitions[p], m, p, &scratch, err);
    else if (morsel->order)
      code =
          group_table_merge(&self->partitions[p], &morsel->table, morsel->order + morsel->starts[p],
                            morsel->starts[p + 1] - morsel->starts[p], err);
  }
  arena_deinit(&scratch);
  return code;
}

/* What filling the partitions may take, about: tables double, and states are copied. */
static uint64_t fill_needs(const struct group *self, uint64_t made) {
  uint64_t needed = 2 * made;
  for (uint32_t p = 0; p < self->partition_count; p++)
    needed += group_table_bytes(&self->partitions[p]) + self->partitions[p].arena.chunk_size;
  return needed;
}

static int group_later_morsel(void *context, size_t i, struct exec_figures *figures,
                              struct err *err) {
  return group_morsel(context, i + 1, figures, err);
}

/* Groups of the whole wave, or its first morsel's groups and the others' rows by partition. *made:
 * bytes of all groups, about. */
static int group_wave(struct group *self, uint64_t *made, struct err *err) {
  struct exec *exec = self->op.exec;
  struct mem_account *account = exec->options.account;
  int64_t before = mem_account_used(account);
  bool whole = self->partition_count == 1 || self->layout.sets || self->layout.key_count == 0;
  int code = whole ? ERR_OK : group_morsel(self, 0, NULL, err);
  if (code) return code;
  bool few = (uint64_t)group_table_count(&self->morsels[0].table) * 2 < self->morsel_rows;
  uint64_t first = (uint64_t)(mem_account_used(account) - before);
  if (whole)
    code = exec__parallel(exec, self->morsel_count, group_morsel, self, err);
  else
    code = exec__parallel(exec, self->morsel_count - 1, few ? group_later_morsel : scatter_morsel,
                          self, err);
  int64_t all = mem_account_used(account) - before;
  *made = whole || few ? (uint64_t)(all > 0 ? all : 0) : first * self->morsel_count;
  return code;
}

/* One morsel after another, each to disk at once: for memory that has room for no more. Those that
 * are grouped already are not grouped again. */
static int take_wave_narrowly(struct group *self, struct err *err) {
  int code = groups_held(self) ? spill_all(self, err) : create_streams(self, err);
  self->spilled = true;
  for (uint32_t m = 0; m < self->morsel_count && !code; m++) {
    struct group_morsel *morsel = &self->morsels[m];
    if (!morsel->order || morsel->hashes) {
      drop_morsel(self, morsel);
      code = group_morsel(self, m, NULL, err);
    }
    if (!code) code = spill_table(self, &morsel->table, err);
    drop_morsel(self, morsel);
  }
  return code;
}

static int take_wave(struct group *self, struct err *err) {
  struct exec *exec = self->op.exec;
  bool spills = exec__can_spill(exec) && self->partition_count > 1;
  uint64_t needed = 0;
  int code = cut_wave(self, err);
  if (code) return code;
  code = group_wave(self, &needed, err);
  if (is_refusal(code) && spills) {
    drop_morsels(self);
    err_reset(err);
    return take_wave_narrowly(self, err);
  }
  if (code) return code;
  if (spills && should_spill(self, fill_needs(self, needed))) code = spill_all(self, err);
  if (code) return code;
  if (spills && headroom(exec) < (int64_t)fill_needs(self, needed))
    return take_wave_narrowly(self, err);
  return exec__parallel(exec, self->partition_count, fill_partition, self, err);
}

/* ---- the end of the input ---- */

/* What no row made: the one group without keys, and those of empty sets. */
static int add_empty_groups(struct group *self, struct err *err) {
  const struct group_layout *layout = &self->layout;
  if (layout->key_count == 0 && !layout->sets)
    return group_table_add_empty(&self->partitions[0], 0, err);
  int code = ERR_OK;
  for (uint32_t set = 0; set < layout->set_count && !code; set++)
    if (layout->sets[set] == 0) code = group_table_add_empty(&self->partitions[0], set, err);
  return code;
}

/* The streams that were written wait to be read, the first ones first. */
static int finish_streams(struct group *self, struct err *err) {
  int code = ERR_OK;
  for (uint32_t p = GROUP_FAN; p-- > 0;) {
    struct spill_stream *stream = self->streams[p];
    if (!stream) continue;
    if (!code) code = exec__spill_finish(stream, err);
    struct group_pending *pending =
        code ? NULL : ARENA_NEW(&self->op.exec->memory, struct group_pending);
    if (!code && !pending) code = exec__refused(self->op.exec, sizeof *pending, err);
    if (code) break;
    self->streams[p] = NULL;
    if (exec__spill_rows(stream) == 0) {
      exec__spill_destroy(stream);
      continue;
    }
    *pending = (struct group_pending){self->pending, stream, self->shift + GROUP_FAN_BITS};
    self->pending = pending;
  }
  return code;
}

static void load_head(struct group *self, uint32_t p) {
  self->heads[p] = UINT64_MAX;
  if (self->cursors[p] < self->ends[p])
    memcpy(&self->heads[p], group_table_record(&self->partitions[p], self->cursors[p]), 8);
}

static void begin_emission(struct group *self) {
  bool open = self->partition_count == 1 && !self->ended;
  for (uint32_t p = 0; p < self->partition_count; p++) {
    self->cursors[p] = 0;
    self->ends[p] = group_table_count(&self->partitions[p]);
    if (open && self->ends[p]) self->ends[p]--; /* the last group may get more rows */
    load_head(self, p);
  }
  self->emitting = true;
}

static int end_input(struct group *self, struct err *err) {
  int code = ERR_OK;
  exec__row_buffer_reset(&self->wave);
  if (self->rows == 0) code = add_empty_groups(self, err);
  if (!code && self->spilled) {
    code = spill_all(self, err);
    if (!code) code = finish_streams(self, err);
    for (uint32_t p = 1; p < GROUP_FAN; p++)
      group_table_end(&self->partitions[p]);
    self->partition_count = 1;
  }
  if (!code) begin_emission(self);
  return code;
}

/* Takes waves until there are groups to give. */
static int take_input(struct group *self, struct err *err) {
  while (!self->ended) {
    int code = pull_wave(self, err);
    if (!code && self->wave.rows) code = take_wave(self, err);
    drop_morsels(self);
    self->rows += self->wave.rows;
    if (code) return code;
    bool ready = self->partition_count == 1 && groups_held(self) > LIMIT_BLOCK_ROWS;
    if (!self->ended && ready) {
      begin_emission(self);
      return ERR_OK;
    }
  }
  return end_input(self, err);
}

/* ---- from disk ---- */

/* About what loading a batch takes. */
static uint64_t load_needs(const struct group *self, const struct batch *batch) {
  const struct column *states = &batch->columns[batch->column_count - 1];
  uint64_t bytes = (uint64_t)(states->offsets[batch->length] - states->offsets[0]);
  return bytes * 3 + group_table_bytes(&self->partitions[0]) * 2 +
         self->partitions[0].arena.chunk_size;
}

static int load_stream(struct group *self, const struct group_pending *pending, bool *again,
                       struct err *err) {
  struct spill_reader *reader;
  struct group_table *table = &self->partitions[0];
  int code = exec__spill_open(pending->stream, &reader, err);
  if (code) return code;
  *again = false;
  self->shift = pending->shift;
  for (;;) {
    struct batch batch;
    code = exec__check(self->op.exec, err);
    if (!code) code = exec__spill_next(reader, &batch, err);
    if (code || batch.length == 0) break;
    if (pending->shift / GROUP_FAN_BITS < LEVELS_MAX &&
        should_spill(self, load_needs(self, &batch))) {
      *again = true;
      code = spill_all(self, err);
    }
    if (!code) code = group_table_load(table, &batch, err);
    if (code) break;
  }
  exec__spill_close(reader);
  return code;
}

/* The next stream that fits, as a table; *more false: there is none. */
static int next_stream(struct group *self, bool *more, struct err *err) {
  while (self->pending) {
    struct group_pending *pending = self->pending;
    bool again = false;
    int code = renew(self, &self->partitions[0], err);
    if (!code) code = load_stream(self, pending, &again, err);
    if (!code && again) code = spill_all(self, err);
    if (code) return code;
    self->pending = pending->next;
    exec__spill_destroy(pending->stream);
    if (again) code = finish_streams(self, err);
    if (code || !again) {
      *more = !code;
      return code;
    }
  }
  *more = false;
  return ERR_OK;
}

/* ---- output ---- */

/* The partition whose next group came first; GROUP_FAN: none has any. */
static uint32_t earliest(const struct group *self) {
  uint64_t least = self->heads[0];
  uint32_t chosen = 0;
  for (uint32_t p = 1; p < self->partition_count; p++) {
    bool earlier = self->heads[p] < least;
    least = earlier ? self->heads[p] : least;
    chosen = earlier ? p : chosen;
  }
  return least == UINT64_MAX ? GROUP_FAN : chosen;
}

static void fill_slot(struct group *self, struct group_slot *slot) {
  slot->count = 0;
  while (slot->count < LIMIT_BLOCK_ROWS) {
    uint32_t p = earliest(self);
    if (p == GROUP_FAN) return;
    slot->partitions[slot->count] = p;
    slot->ids[slot->count++] = self->cursors[p]++;
    load_head(self, p);
  }
}

static int use_dictionaries(struct group *self, struct group_slot *slot, struct err *err) {
  for (uint32_t k = 0; k < self->layout.field_count; k++) {
    const struct column *dictionary = NULL;
    bool seen = false;
    for (uint32_t p = 0; p < self->partition_count; p++) {
      if (group_table_count(&self->partitions[p]) == 0) continue;
      const struct column *of = exec__key_table_dictionary(self->partitions[p].keys, k);
      if (seen && of != dictionary)
        return err_set(err, ERR_INTERNAL, "keys of one column in more than one dictionary");
      dictionary = of;
      seen = true;
    }
    exec__rows_dictionary(&slot->rows, k, dictionary);
    if (!dictionary || slot->staged[k].type.physical == PHYSICAL_INT32) continue;
    builder_deinit(&slot->staged[k]);
    builder_init(&slot->staged[k], (struct type){PHYSICAL_INT32, 0, 0},
                 self->op.exec->options.account);
  }
  return ERR_OK;
}

/* Groups partition by partition, and where each of the output's rows is among them. */
static int stage_slot(struct group *self, struct group_slot *slot, struct err *err) {
  uint32_t columns = self->op.node->schema.count, at[GROUP_FAN + 1] = {0};
  uint32_t *ids = ARENA_ARRAY(&slot->scratch, uint32_t, slot->count);
  int code = ids ? ERR_OK : exec__refused(self->op.exec, slot->count * sizeof *ids, err);
  if (code) return code;
  for (uint32_t c = 0; c < columns; c++)
    builder_reset(&slot->staged[c]);
  for (uint32_t i = 0; i < slot->count; i++)
    at[slot->partitions[i] + 1]++;
  for (uint32_t p = 0; p < GROUP_FAN; p++)
    at[p + 1] += at[p];
  for (uint32_t i = 0; i < slot->count; i++) {
    slot->places[i] = at[slot->partitions[i]]++;
    ids[slot->places[i]] = slot->ids[i];
  }
  for (uint32_t p = 0, from = 0; p < GROUP_FAN && !code; from = at[p++])
    if (at[p] > from)
      code = group_table_finish(&self->partitions[p], ids + from, at[p] - from, slot->list,
                                &slot->scratch, err);
  for (uint32_t c = 0; c < columns && !code; c++) {
    code = builder_check(&slot->staged[c], err);
    struct column staged = builder_view(&slot->staged[c]);
    if (!code) builder_append_rows(&slot->rows.builders[c], &staged, slot->places, slot->count);
  }
  return code;
}

static int make_slot(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  (void)figures;
  struct group *self = context;
  struct group_slot *slot = &self->slots[i];
  arena_reset(&slot->scratch);
  exec__rows_reset(&slot->rows);
  int code = use_dictionaries(self, slot, err);
  if (code) return code;
  exec__rows_group(&slot->rows, self->begun || i > 0);
  return stage_slot(self, slot, err);
}

static int make_slots(struct group *self, struct err *err) {
  self->slot_count = self->slot_at = 0;
  for (uint32_t i = 0; i < self->slots_made; i++) {
    fill_slot(self, &self->slots[i]);
    if (self->slots[i].count == 0) break;
    self->slot_count++;
  }
  return exec__parallel(self->op.exec, self->slot_count, make_slot, self, err);
}

/* A table anew with the last group, which may get more rows. */
static int keep_last(struct group *self, struct err *err) {
  struct group_table old = self->partitions[0];
  uint32_t count = group_table_count(&old), last = count - 1;
  int code = group_table_begin(&self->partitions[0], &self->layout, err);
  if (!code && count) code = group_table_merge(&self->partitions[0], &old, &last, 1, err);
  group_table_end(&old);
  return code;
}

static int group_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct group *self = (struct group *)op;
  *batch = (struct exec_batch){0};
  for (;;) {
    int code = ERR_OK;
    if (self->slot_at < self->slot_count) {
      self->begun = true;
      return exec__rows_batch(&self->slots[self->slot_at++].rows, batch, err);
    }
    if (!self->emitting) {
      code = take_input(self, err);
      if (code) return code;
    }
    code = make_slots(self, err);
    if (code) return code;
    if (self->slot_count) continue;
    bool more = false;
    if (!self->ended) {
      code = keep_last(self, err);
      self->emitting = false;
    } else {
      code = next_stream(self, &more, err);
      if (!more) return code;
      begin_emission(self);
    }
    if (code) return code;
  }
}

static void group_close(struct exec_op *op) {
  struct group *self = (struct group *)op;
  struct mem_account *account = op->exec->options.account;
  drop_morsels(self);
  mem_free(account, self->morsels, self->morsel_capacity * sizeof *self->morsels);
  for (uint32_t p = 0; p < GROUP_FAN; p++) {
    group_table_end(&self->partitions[p]);
    exec__spill_destroy(self->streams[p]);
  }
  for (; self->pending; self->pending = self->pending->next)
    exec__spill_destroy(self->pending->stream);
  for (uint32_t i = 0; i < self->slots_made; i++) {
    struct group_slot *slot = &self->slots[i];
    for (uint32_t c = 0; slot->list && c < op->node->schema.count; c++)
      if (slot->list[c]) builder_deinit(slot->list[c]);
    if (slot->scratch.account) arena_deinit(&slot->scratch);
    exec__rows_deinit(&slot->rows);
  }
  exec__row_buffer_deinit(&self->wave);
}

const struct exec_op_kind exec__group = {sizeof(struct group), group_open, group_next, group_close};
