/* Rows of a table in the order of groups and time.
 *
 * The scan goes in **waves**, each of a bounded number of rows: several whole groups, or one range
 * of time of a group that is too large for one wave. The morsels of a wave are collected in
 * parallel, put one behind another, and ordered: a group of one series is in order as it is; the
 * rows of several series are sorted by time, stable, the series in the order of their tag values.
 * Descending order is exactly the reverse. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "exec/collect.h"
#include "kernel/sort.h"

enum {
  PIECES_MAX = 64,
  SLICE_MIN = 512,            /* fewer rows are put together with others in a batch */
  LIMIT_PUSHED_MAX = 1 << 16, /* a limit above this is not worth counting blocks for */
};

struct scan_group {
  uint32_t group;
  size_t from, to; /* in `sequence` */
};

struct scan {
  struct exec_op op;
  struct source source;
  struct exec_rows rows;
  uint64_t rows_per_series; /* estimated, at least 1 */
  uint64_t work_per_series; /* the same with rows that are decoded for nothing */
  bool by_time;             /* rows of several series are put in the order of time */
  /* Where the scan is. */
  size_t at;                /* in source.order: series before it are done */
  uint32_t window, windows; /* of the group that is read in ranges of time; windows 0: none */
  uint64_t taken;           /* rows of that group that are out */
  /* The wave. */
  uint32_t *positions; /* of its series, ascending; from `account` */
  uint64_t *ids;
  size_t position_capacity, id_capacity;
  bool whole; /* all series of the source */
  struct morsel *morsels;
  struct collection *pieces;
  uint32_t piece_count, piece_capacity;
  uint32_t bases[PIECES_MAX]; /* the rows that they begin at; keys and runs are all in the first */
  uint32_t rows_max;          /* per series; 0: all */
  uint32_t *sequence;         /* rows in order of output, counted through the pieces */
  size_t sequence_count, sequence_capacity;
  struct scan_group *groups;
  size_t group_count, group_capacity, group_at;
  bool group_begun;
};

/* Of a series only its ends are read: a vector, where several share a block; of one that has blocks
 * of its own what statistics do not tell. */
static void push_limit(struct scan *self, uint64_t limit) {
  uint64_t all = self->rows_per_series, least = all < LIMIT_VECTOR_ROWS ? all : LIMIT_VECTOR_ROWS;
  self->rows_per_series = self->work_per_series = limit;
  if (all <= LIMIT_BLOCK_ROWS && limit < least) self->work_per_series = least;
}

static int scan_open(struct exec_op *op, struct err *err) {
  struct scan *self = (struct scan *)op;
  struct exec *exec = op->exec;
  int code = exec__source_open(&self->source, exec, op->node, err);
  if (code) return code;
  const struct plan_scan *scan = &self->source.scan->scan;
  size_t series = self->source.series.count;
  self->by_time = !scan->unordered;
  code = exec__source_order(&self->source, self->by_time, err);
  if (!code) code = exec__rows_init(&self->rows, exec, &op->node->schema, err);
  if (code) return code;
  self->rows_per_series = series ? self->source.rows_estimate / series + 1 : 1;
  self->work_per_series = self->rows_per_series;
  if (scan->limit && scan->limit <= LIMIT_PUSHED_MAX && !self->source.filter &&
      self->rows_per_series > scan->limit)
    push_limit(self, scan->limit);
  for (uint32_t i = 0; i < op->node->schema.count; i++)
    if (self->source.tags[i].length)
      exec__rows_dictionary(&self->rows, i, self->source.tags[i].dictionary);
  return ERR_OK;
}

/* ---- memory that grows ---- */

static bool grow(struct scan *self, void *array, size_t *capacity, size_t needed, size_t width) {
  void **at = array;
  if (needed <= *capacity) return true;
  size_t larger = *capacity ? *capacity : 64;
  while (larger < needed)
    larger *= 2;
  void *memory = mem_resize(self->op.exec->options.account, *at, *capacity * width, larger * width);
  if (!memory) return false;
  *at = memory;
  *capacity = larger;
  return true;
}

static void drop_pieces(struct scan *self) {
  struct mem_account *account = self->op.exec->options.account;
  for (uint32_t i = 0; i < self->piece_count; i++)
    exec__collection_deinit(&self->pieces[i]);
  mem_free(account, self->pieces, self->piece_capacity * sizeof *self->pieces);
  mem_free(account, self->morsels, self->piece_capacity * sizeof *self->morsels);
  self->pieces = NULL;
  self->morsels = NULL;
  self->piece_count = self->piece_capacity = 0;
}

/* ---- planning a wave ---- */

static uint32_t group_at(const struct scan *self, size_t at) {
  return source_group(&self->source, self->source.order[at]);
}

/* The series of the wave: whole groups from `at` on. */
static size_t wave_end(const struct scan *self) {
  size_t end = self->at, count = self->source.series.count;
  while (end < count) {
    uint32_t group = group_at(self, end);
    size_t next = end + self->source.group_sizes[group];
    if (end > self->at &&
        (next - self->at) * self->rows_per_series > self->op.exec->options.wave_rows)
      break;
    end = next;
  }
  return end;
}

static int compare_u32(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static int wave_series(struct scan *self, size_t end, struct err *err) {
  size_t count = end - self->at;
  if (!grow(self, &self->positions, &self->position_capacity, count, sizeof *self->positions) ||
      !grow(self, &self->ids, &self->id_capacity, count, sizeof *self->ids))
    return exec__refused(self->op.exec, count * 8, err);
  bool sorted = true, all = count == self->source.series.count;
  self->whole = all;
  for (size_t i = 0; i < count; i++) {
    self->positions[i] = all ? (uint32_t)i : self->source.order[self->at + i];
    sorted &= i == 0 || self->positions[i] > self->positions[i - 1];
  }
  if (!sorted) qsort(self->positions, count, sizeof *self->positions, compare_u32);
  for (size_t i = 0; i < count; i++)
    self->ids[i] = self->source.series.ids[self->positions[i]];
  return ERR_OK;
}

/* The range of time of window `i` of a group: from the earliest to the latest. */
static void window_range(const struct scan *self, uint32_t i, int64_t *min, int64_t *max) {
  const struct source *source = &self->source;
  __int128 span = (__int128)source->key_max - source->key_min + 1;
  *min = source->scan->scan.time_min;
  *max = source->scan->scan.time_max;
  if (i > 0) *min = (int64_t)(source->key_min + span * i / self->windows);
  if (i + 1 < self->windows) *max = (int64_t)(source->key_min + span * (i + 1) / self->windows) - 1;
}

static int cut_wave(struct scan *self, size_t series, struct err *err) {
  struct mem_account *account = self->op.exec->options.account;
  const struct plan_scan *scan = &self->source.scan->scan;
  int64_t min = scan->time_min, max = scan->time_max;
  uint64_t rows = series * self->work_per_series;
  if (self->windows) {
    uint32_t window = scan->descending ? self->windows - 1 - self->window : self->window;
    window_range(self, window, &min, &max);
    rows /= self->windows;
  }
  uint64_t pieces = rows / self->op.exec->options.morsel_rows + 1;
  if (pieces > PIECES_MAX) pieces = PIECES_MAX;
  if (pieces > series) pieces = series;
  self->piece_capacity = (uint32_t)pieces;
  self->pieces = mem_alloc_zero(account, pieces * sizeof *self->pieces);
  self->morsels = mem_alloc_zero(account, pieces * sizeof *self->morsels);
  if (!self->pieces || !self->morsels) {
    int code = exec__refused(self->op.exec, pieces * sizeof *self->pieces, err);
    drop_pieces(self);
    return code;
  }
  for (uint32_t i = 0; i < pieces; i++) {
    size_t first = series * i / pieces, end = series * (i + 1) / pieces;
    self->morsels[i] = (struct morsel){.ids = self->ids + first,
                                       .positions = self->whole ? NULL : self->positions + first,
                                       .first = (uint32_t)first,
                                       .count = (uint32_t)(end - first),
                                       .key_min = min,
                                       .key_max = max,
                                       .head = scan->descending ? 0 : self->rows_max,
                                       .tail = scan->descending ? self->rows_max : 0};
    int code = exec__collection_init(&self->pieces[i], &self->source, err);
    self->piece_count = i + 1;
    if (code) return code;
  }
  return ERR_OK;
}

static int collect_piece(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct scan *self = context;
  struct collection *piece = &self->pieces[i];
  bool tail = self->source.scan->scan.descending;
  int code = exec__collect(piece, &self->morsels[i], self->rows_max, tail, figures, err);
  for (int tries = 0; code == ERR_CONFLICT && tries < READER_TRIES_MAX; tries++) {
    exec__collection_deinit(piece);
    code = exec__collection_init(piece, &self->source, err);
    if (!code) code = exec__collect(piece, &self->morsels[i], self->rows_max, tail, figures, err);
  }
  return code;
}

/* Room for all pieces in the first, so that it grows once; refused room shows when it is used. */
static void reserve_joined(struct scan *self, bool values) {
  struct collection *into = &self->pieces[0];
  const struct plan_schema *schema = &self->source.scan->schema;
  int64_t rows = 0;
  for (uint32_t p = 1; p < self->piece_count; p++)
    rows += self->pieces[p].keys.length;
  builder_reserve(&into->keys, rows, 0);
  for (uint32_t i = plan_schema_values(schema); i < schema->count && rows && values; i++)
    builder_reserve(&into->columns[i], rows, 0);
}

/* Puts runs and keys of all pieces behind those of the first; rows count through the pieces. */
static int join_runs(struct scan *self, struct err *err) {
  struct collection *into = &self->pieces[0];
  for (uint32_t p = 1; p < self->piece_count; p++) {
    struct collection *from = &self->pieces[p];
    size_t capacity = into->run_capacity;
    if (!grow(self, &into->runs, &capacity, into->run_count + from->run_count, sizeof *into->runs))
      return exec__refused(self->op.exec, from->run_count * sizeof *into->runs, err);
    into->run_capacity = (uint32_t)capacity;
    self->bases[p] = (uint32_t)into->keys.length;
    for (uint32_t r = 0; r < from->run_count; r++) {
      into->runs[into->run_count] = from->runs[r];
      into->runs[into->run_count++].row += self->bases[p];
    }
    struct column keys = builder_view(&from->keys);
    builder_append_column(&into->keys, &keys, 0, keys.length);
  }
  return builder_check(&into->keys, err);
}

/* The same with their values, which leaves one piece. */
static int join_values(struct scan *self, struct err *err) {
  struct collection *into = &self->pieces[0];
  const struct plan_schema *schema = &self->source.scan->schema;
  int code = ERR_OK;
  for (uint32_t p = 1; p < self->piece_count && !code; p++) {
    struct collection *from = &self->pieces[p];
    for (uint32_t i = plan_schema_values(schema); i < schema->count && !code; i++) {
      struct column column = builder_view(&from->columns[i]);
      builder_append_column(&into->columns[i], &column, 0, column.length);
      code = builder_check(&into->columns[i], err);
    }
    exec__collection_deinit(from);
  }
  if (!code) self->piece_count = 1;
  return code;
}

/* Whether rows of a column in several pieces can be told by one index. */
static bool can_gather(const struct scan *self, uint32_t column) {
  for (uint32_t p = 0; p < self->piece_count; p++) {
    const struct builder *builder = &self->pieces[p].columns[column];
    if (builder->null_count || !type_width(builder->type)) return false;
  }
  return true;
}

/* Values may stay in their pieces where rows can be gathered from there; and where groups are of
 * one series each, which lie in one piece each. */
static bool may_stay_apart(const struct scan *self, size_t series) {
  const struct plan_schema *schema = &self->source.scan->schema;
  bool all = true;
  for (uint32_t i = plan_schema_values(schema); i < schema->count; i++)
    all &= can_gather(self, i);
  if (all) return true;
  for (size_t i = 0; i < series; i++)
    if (self->source.group_sizes[group_at(self, self->at + i)] != 1) return false;
  return true;
}

static int join_pieces(struct scan *self, size_t series, struct err *err) {
  bool apart = may_stay_apart(self, series);
  reserve_joined(self, !apart);
  int code = join_runs(self, err);
  return code || apart ? code : join_values(self, err);
}

static int collect_wave(struct scan *self, size_t series, struct err *err) {
  const struct plan_scan *scan = &self->source.scan->scan;
  bool few = scan->limit && scan->limit <= LIMIT_PUSHED_MAX && !self->source.filter;
  for (uint64_t rows_max = few ? scan->limit : 0;; rows_max *= 16) {
    self->rows_max = rows_max > LIMIT_PUSHED_MAX ? 0 : (uint32_t)rows_max;
    int code = cut_wave(self, series, err);
    if (!code) code = exec__parallel(self->op.exec, self->piece_count, collect_piece, self, err);
    bool is_short = false;
    for (uint32_t i = 0; i < self->piece_count; i++)
      is_short |= self->pieces[i].is_short;
    if (!code && is_short && self->rows_max) {
      drop_pieces(self);
      continue;
    }
    return code ? code : join_pieces(self, series, err);
  }
}

/* ---- ordering a wave ---- */

/* Runs by the rank of their series; those of a series stay in the order of time. */
static int order_runs(struct scan *self, struct err *err) {
  struct collection *all = &self->pieces[0];
  struct mem_account *account = self->op.exec->options.account;
  size_t count = all->run_count, size = count * 2 * sizeof(struct sort_row);
  bool sorted = true;
  for (size_t i = 1; i < count && sorted; i++)
    sorted =
        self->source.ranks[all->runs[i - 1].position] <= self->source.ranks[all->runs[i].position];
  if (sorted) return ERR_OK;
  struct sort_row *rows = mem_alloc(account, size);
  struct collected_run *runs = mem_alloc(account, all->run_capacity * sizeof *runs);
  if (!rows || !runs) {
    mem_free(account, rows, size);
    mem_free(account, runs, all->run_capacity * sizeof *runs);
    return exec__refused(self->op.exec, size, err);
  }
  for (size_t i = 0; i < count; i++)
    rows[i] = (struct sort_row){self->source.ranks[all->runs[i].position], i};
  sort_rows(rows, rows + count, count);
  for (size_t i = 0; i < count; i++)
    runs[i] = all->runs[rows[i].row];
  mem_free(account, rows, size);
  mem_free(account, all->runs, all->run_capacity * sizeof *runs);
  all->runs = runs;
  return ERR_OK;
}

/* Series that were sampled at the same times, each once: their rows are in order time by time. */
static bool is_grid(const struct collection *all, const struct collected_run *runs,
                    uint32_t count) {
  const int64_t *keys = all->keys.i64, *first = keys + runs[0].row;
  for (uint32_t i = 1; i < runs[0].rows; i++)
    if (first[i] <= first[i - 1]) return false;
  for (uint32_t r = 1; r < count; r++)
    if (runs[r].rows != runs[0].rows ||
        memcmp(keys + runs[r].row, first, runs[0].rows * sizeof *keys) != 0)
      return false;
  return true;
}

static void order_grid(const struct collected_run *runs, uint32_t count, uint32_t *sequence) {
  for (uint32_t i = 0; i < runs[0].rows; i++)
    for (uint32_t r = 0; r < count; r++)
      *sequence++ = runs[r].row + i;
}

/* Sorts the rows of a group by time; they stand in the order of the series. */
static int sort_group(struct scan *self, size_t from, size_t to, struct err *err) {
  const int64_t *keys = self->pieces[0].keys.i64;
  struct mem_account *account = self->op.exec->options.account;
  size_t count = to - from, size = count * 2 * sizeof(struct sort_row);
  bool sorted = true;
  for (size_t i = from + 1; i < to && sorted; i++)
    sorted = keys[self->sequence[i - 1]] <= keys[self->sequence[i]];
  if (sorted) return ERR_OK;
  struct sort_row *rows = mem_alloc(account, size);
  if (!rows) return exec__refused(self->op.exec, size, err);
  for (size_t i = 0; i < count; i++)
    rows[i] =
        (struct sort_row){sort_key_i64(keys[self->sequence[from + i]]), self->sequence[from + i]};
  sort_rows(rows, rows + count, count);
  for (size_t i = 0; i < count; i++)
    self->sequence[from + i] = (uint32_t)rows[i].row;
  mem_free(account, rows, size);
  return ERR_OK;
}

static int order_group(struct scan *self, struct scan_group *group,
                       const struct collected_run *runs, uint32_t count, struct err *err) {
  bool descending = self->source.scan->scan.descending;
  int code = ERR_OK;
  if (self->by_time && count > 1) {
    if (is_grid(&self->pieces[0], runs, count))
      order_grid(runs, count, self->sequence + group->from);
    else
      code = sort_group(self, group->from, group->to, err);
  }
  for (size_t i = group->from, j = group->to; descending && i + 1 < j; i++) {
    uint32_t swap = self->sequence[i];
    self->sequence[i] = self->sequence[--j];
    self->sequence[j] = swap;
  }
  return code;
}

static int order_wave(struct scan *self, struct err *err) {
  const struct collection *all = &self->pieces[0];
  int code = order_runs(self, err);
  self->sequence_count = self->group_count = self->group_at = 0;
  self->group_begun = false;
  for (uint32_t r = 0; r < all->run_count && !code;) {
    uint32_t group = source_group(&self->source, all->runs[r].position), first = r;
    size_t from = self->sequence_count;
    for (; r < all->run_count && source_group(&self->source, all->runs[r].position) == group; r++) {
      const struct collected_run *run = &all->runs[r];
      if (!grow(self, &self->sequence, &self->sequence_capacity, self->sequence_count + run->rows,
                sizeof *self->sequence))
        return exec__refused(self->op.exec, run->rows * 4, err);
      for (uint32_t i = 0; i < run->rows; i++)
        self->sequence[self->sequence_count++] = run->row + i;
    }
    if (!grow(self, &self->groups, &self->group_capacity, self->group_count + 1,
              sizeof *self->groups))
      return exec__refused(self->op.exec, sizeof *self->groups, err);
    struct scan_group *of = &self->groups[self->group_count++];
    *of = (struct scan_group){group, from, self->sequence_count};
    code = order_group(self, of, all->runs + first, r - first, err);
  }
  return code;
}

/* ---- waves, one after another ---- */

/* Begins to read a group in ranges of time when it is too large for one wave. */
static void plan_windows(struct scan *self, size_t series) {
  uint64_t rows = series * self->rows_per_series;
  uint64_t wave = self->op.exec->options.wave_rows;
  const struct source *source = &self->source;
  self->window = self->windows = 0;
  self->taken = 0;
  if (rows <= 4 * wave || source->key_min >= source->key_max) return;
  uint64_t windows = rows / wave + 1;
  if ((__int128)source->key_max - source->key_min < (__int128)windows) return;
  self->windows = windows > UINT32_MAX ? UINT32_MAX : (uint32_t)windows;
}

/* Collects the next wave; *more false: there is none. */
static int next_wave(struct scan *self, bool *more, struct err *err) {
  uint64_t limit = self->source.scan->scan.limit;
  drop_pieces(self);
  *more = self->at < self->source.series.count;
  if (!*more) return ERR_OK;
  size_t end = wave_end(self);
  if (self->windows == 0) plan_windows(self, end - self->at);
  int code = wave_series(self, end, err);
  if (!code) code = collect_wave(self, end - self->at, err);
  if (!code) code = order_wave(self, err);
  self->group_begun = self->windows && self->taken;
  bool enough = limit && self->taken + self->sequence_count >= limit;
  if (self->windows && ++self->window < self->windows && !enough) return code;
  self->windows = 0;
  self->at = end;
  return code;
}

/* ---- output ---- */

/* How many of the rows are next to each other, from the first on. */
static size_t stretch_of(const uint32_t *rows, size_t count) {
  size_t i = 1;
  while (i < count && rows[i] == rows[i - 1] + 1)
    i++;
  return i;
}

/* `in_order`: they are next to each other. */
static void append_rows(struct builder *to, const struct builder *from, const uint32_t *rows,
                        size_t count, bool in_order) {
  struct column column = builder_view(from);
  if (in_order)
    builder_append_column(to, &column, rows[0], (int64_t)count);
  else
    builder_append_rows(to, &column, rows, (int64_t)count);
}

/* The piece that a row's values are in; *in: its row there. */
static uint32_t piece_of(const struct scan *self, uint32_t row, uint32_t *in) {
  uint32_t p = self->piece_count - 1;
  while (p > 0 && self->bases[p] > row)
    p--;
  *in = p ? row - self->bases[p] : row;
  return p;
}

/* How many of the rows are next to each other in one piece. */
static size_t stretch_in(const struct scan *self, uint32_t piece, const uint32_t *rows,
                         size_t count) {
  size_t size = stretch_of(rows, count);
  size_t left = piece + 1 < self->piece_count ? self->bases[piece + 1] - rows[0] : size;
  return size < left ? size : left;
}

/* Rows of numbers without nulls (can_gather), wherever they are. */
static void gather(struct scan *self, uint32_t column, const uint8_t *pieces, const uint32_t *rows,
                   size_t count) {
  struct builder *to = &self->rows.builders[column];
  const void *from[PIECES_MAX];
  struct column view = {.decimals = UINT8_MAX};
  uint8_t decimals = 0;
  for (uint32_t p = 0; p < self->piece_count; p++) {
    struct column of = builder_view(&self->pieces[p].columns[column]);
    from[p] = of.values;
    if (of.decimals > decimals) decimals = of.decimals;
    if (of.length && !of.decimals) view.decimals = 0;
  }
  if (view.decimals) view.decimals = decimals;
  if (!builder_reserve(to, (int64_t)count, 0)) return;
  view.type = to->type;
  view.length = (int64_t)count;
  if (type_width(to->type) == 4) {
    int32_t *out = to->i32 + to->length;
    for (size_t i = 0; i < count; i++)
      out[i] = ((const int32_t *)from[pieces[i]])[rows[i]];
    view.i32 = out;
  } else {
    uint64_t *out = to->u64 + to->length;
    for (size_t i = 0; i < count; i++)
      out[i] = ((const uint64_t *)from[pieces[i]])[rows[i]];
    view.u64 = out;
  }
  builder_append_column(to, &view, 0, (int64_t)count);
}

/* Rows that are not next to each other in one piece. */
static void emit_scattered(struct scan *self, const uint32_t *rows, size_t count) {
  const struct plan_schema *schema = &self->source.scan->schema;
  uint8_t pieces[LIMIT_BLOCK_ROWS];
  uint32_t in[LIMIT_BLOCK_ROWS];
  for (size_t i = 0; i < count; i++)
    pieces[i] = (uint8_t)piece_of(self, rows[i], &in[i]);
  for (uint32_t c = plan_schema_values(schema); c < schema->count; c++) {
    if (can_gather(self, c)) {
      gather(self, c, pieces, in, count);
      continue;
    }
    for (size_t at = 0, size; at < count; at += size) {
      const struct collection *piece = &self->pieces[pieces[at]];
      bool alone = self->piece_count == 1;
      size = alone ? count : stretch_in(self, pieces[at], rows + at, count - at);
      append_rows(&self->rows.builders[c], &piece->columns[c], in + at, size, !alone);
    }
  }
}

static void emit_values(struct scan *self, const uint32_t *rows, size_t count) {
  const struct plan_schema *schema = &self->source.scan->schema;
  uint32_t first, p = piece_of(self, rows[0], &first);
  if (stretch_in(self, p, rows, count) < count) {
    emit_scattered(self, rows, count);
    return;
  }
  for (uint32_t i = plan_schema_values(schema); i < schema->count; i++)
    append_rows(&self->rows.builders[i], &self->pieces[p].columns[i], &first, count, true);
}

static void emit_rows(struct scan *self, const struct scan_group *group, size_t count) {
  const struct plan_schema *schema = &self->source.scan->schema;
  const uint32_t *rows = self->sequence + group->from;
  exec__rows_group(&self->rows, self->group_begun);
  if (schema->has_time)
    append_rows(&self->rows.builders[schema->group_count], &self->pieces[0].keys, rows, count,
                stretch_of(rows, count) == count);
  emit_values(self, rows, count);
  if (schema->group_count)
    exec__rows_codes(&self->rows,
                     self->source.group_codes + (size_t)group->group * schema->group_count,
                     (int64_t)count);
}

/* Appends rows of the wave's groups until the batch is full. */
static void emit_wave(struct scan *self) {
  uint64_t limit = self->source.scan->scan.limit;
  while (self->group_at < self->group_count) {
    struct scan_group *group = &self->groups[self->group_at];
    size_t count = group->to - group->from;
    size_t room = (size_t)(LIMIT_BLOCK_ROWS - exec__rows_count(&self->rows));
    if (!self->group_begun) self->taken = 0;
    if (limit && count > limit - self->taken) count = (size_t)(limit - self->taken);
    if (count > room) count = room;
    if (count) {
      emit_rows(self, group, count);
      group->from += count;
      self->taken += count;
      self->group_begun = true;
    }
    if (group->from < group->to && (!limit || self->taken < limit)) return; /* full */
    self->group_at++;
    self->group_begun = false;
  }
}

/* The next rows as they lie in the wave, where they are many next to each other; *sliced: there
 * were such, and the batch is made. */
static int slice_wave(struct scan *self, struct exec_batch *batch, bool *sliced, struct err *err) {
  const struct plan_schema *schema = &self->source.scan->schema;
  uint64_t limit = self->source.scan->scan.limit;
  *sliced = false;
  if (self->group_at == self->group_count) return ERR_OK;
  struct scan_group *group = &self->groups[self->group_at];
  const uint32_t *rows = self->sequence + group->from;
  size_t count = group->to - group->from;
  if (count > LIMIT_BLOCK_ROWS) count = LIMIT_BLOCK_ROWS;
  if (!self->group_begun) self->taken = 0;
  if (limit && count > limit - self->taken) count = (size_t)(limit - self->taken);
  if (count < SLICE_MIN) return ERR_OK;
  uint32_t first, p = piece_of(self, rows[0], &first);
  const struct collection *piece = &self->pieces[p];
  count = stretch_in(self, p, rows, count);
  int64_t size = (int64_t)count;
  if (count < SLICE_MIN) return ERR_OK;
  if (schema->has_time &&
      !exec__rows_slice(&self->rows, schema->group_count, &self->pieces[0].keys, rows[0], size))
    return ERR_OK;
  for (uint32_t i = plan_schema_values(schema); i < schema->count; i++)
    if (!exec__rows_slice(&self->rows, i, &piece->columns[i], first, size)) return ERR_OK;
  *sliced = true;
  const int32_t *codes = schema->group_count
                             ? self->source.group_codes + (size_t)group->group * schema->group_count
                             : NULL;
  int code = exec__rows_sliced(&self->rows, codes, size, self->group_begun, batch, err);
  group->from += count;
  self->taken += count;
  self->group_begun = true;
  if (group->from < group->to && (!limit || self->taken < limit)) return code;
  self->group_at++;
  self->group_begun = false;
  return code;
}

static int scan_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct scan *self = (struct scan *)op;
  exec__rows_reset(&self->rows);
  while (exec__rows_count(&self->rows) < LIMIT_BLOCK_ROWS) {
    bool sliced = false, more;
    int code = ERR_OK;
    if (exec__rows_count(&self->rows) == 0) code = slice_wave(self, batch, &sliced, err);
    if (code || sliced) return code;
    emit_wave(self);
    code = exec__rows_batch(&self->rows, batch, err); /* refused memory shows here */
    if (code) return code;
    if (self->group_at < self->group_count) break;
    code = next_wave(self, &more, err);
    if (code) return code;
    if (!more) break;
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void scan_close(struct exec_op *op) {
  struct scan *self = (struct scan *)op;
  struct mem_account *account = op->exec->options.account;
  drop_pieces(self);
  mem_free(account, self->positions, self->position_capacity * sizeof *self->positions);
  mem_free(account, self->ids, self->id_capacity * sizeof *self->ids);
  mem_free(account, self->sequence, self->sequence_capacity * sizeof *self->sequence);
  mem_free(account, self->groups, self->group_capacity * sizeof *self->groups);
  exec__rows_deinit(&self->rows);
}

const struct exec_op_kind exec__scan = {sizeof(struct scan), scan_open, scan_next, scan_close};
