/* Rows out: the visible rows of an open part, in order.
 *
 * Rows that came in order already (a table that is written at the end, one commit that filled it)
 * are shown where they are; only bitmaps are copied, because the committer still sets bits in their
 * last words. Otherwise the rows are sorted by a natural merge sort (the part is a sequence of
 * sorted commits, so it takes log2(commits) passes), duplicates are folded, and every column is
 * picked into the view's own memory.
 *
 * One view is kept per part, that of the greatest length asked for; readers of older snapshots of
 * the same part are rare and build their own. */
#include "store/open_part_private.h"

#include <assert.h>

#include "base/err.h"
#include "base/limits.h"
#include "store/twins.h"

/* What is sorted: a row's place in the order, and where it is. */
struct place {
  uint64_t series;
  int64_t key;
  uint32_t row;
};

struct builder_state {
  struct open_part *part;
  struct open_view_cached *out;
  struct arena *scratch;
  uint32_t visible;
  uint32_t *rows;  /* the chosen row of each row of the view; NULL: as they lie */
  uint32_t *order; /* all visible rows in order; NULL: as they lie */
};

static bool place_before(const struct place *a, const struct place *b) {
  return a->series < b->series || (a->series == b->series && a->key < b->key);
}

static void *scratch_array(struct arena *arena, size_t count, size_t width, struct err *err,
                           int *code) {
  void *memory = arena_alloc(arena, count * width);
  *code = memory ? ERR_OK : mem_refused(arena->account, count * width, err);
  return memory;
}

/* ---- order ---- */

/* Merges from[a, b) and from[b, c) into to; on equal places the left one is first. */
static void merge_runs(const struct place *from, uint32_t a, uint32_t b, uint32_t c,
                       struct place *to) {
  uint32_t left = a, right = b, at = a;
  while (left < b && right < c)
    to[at++] = place_before(&from[right], &from[left]) ? from[right++] : from[left++];
  if (left < b) memcpy(to + at, from + left, (b - left) * sizeof *from);
  if (right < c) memcpy(to + at + (b - left), from + right, (c - right) * sizeof *from);
}

/* Stable; the sorted places are in one of the two arrays, which is returned. `ends`: where the
 * ascending runs end. */
static struct place *sort_runs(struct place *places, struct place *spare, uint32_t *ends,
                               uint32_t runs) {
  while (runs > 1) {
    uint32_t begin = 0, merged = 0;
    for (uint32_t i = 0; i < runs; i += 2) {
      uint32_t last = i + 1 < runs ? i + 1 : i;
      merge_runs(places, begin, ends[i], ends[last], spare);
      begin = ends[last];
      ends[merged++] = begin;
    }
    runs = merged;
    struct place *swap = places;
    places = spare;
    spare = swap;
  }
  return places;
}

/* How the rows lie: ascending at all, and without two in one place. */
static void probe_order(const struct open_part *part, uint32_t rows, bool *ordered, bool *unique) {
  *ordered = *unique = true;
  for (uint32_t i = 1; i < rows; i++) {
    uint64_t before = part->series[i - 1], series = part->series[i];
    if (series > before) continue;
    if (series < before || part->keys[i] < part->keys[i - 1]) {
      *ordered = *unique = false;
      return;
    }
    if (part->keys[i] == part->keys[i - 1]) *unique = false;
  }
}

static int sort_rows(struct builder_state *state, struct err *err) {
  const struct open_part *part = state->part;
  uint32_t rows = state->visible, runs = 0;
  int code;
  struct place *places = scratch_array(state->scratch, rows, sizeof *places, err, &code);
  if (code) return code;
  struct place *spare = scratch_array(state->scratch, rows, sizeof *spare, err, &code);
  if (code) return code;
  uint32_t *ends = scratch_array(state->scratch, rows, sizeof *ends, err, &code);
  if (code) return code;
  state->order = scratch_array(state->scratch, rows, sizeof *state->order, err, &code);
  if (code) return code;
  for (uint32_t i = 0; i < rows; i++) {
    places[i] = (struct place){part->series[i], part->keys[i], i};
    if (i > 0 && place_before(&places[i], &places[i - 1])) ends[runs++] = i;
  }
  ends[runs++] = rows;
  const struct place *sorted = sort_runs(places, spare, ends, runs);
  for (uint32_t i = 0; i < rows; i++)
    state->order[i] = sorted[i].row;
  return ERR_OK;
}

/* ---- raw columns ---- */

static uint64_t *copy_bits(struct arena *arena, const _Atomic uint64_t *bits, uint32_t rows,
                           struct err *err, int *code) {
  size_t words = bit_words(rows);
  uint64_t *copy = scratch_array(arena, words, 8, err, code);
  for (size_t i = 0; copy && i < words; i++)
    copy[i] = atomic_load_explicit(&bits[i], memory_order_relaxed);
  return copy;
}

/* The visible rows of a column as they lie; bitmaps are copied into the arena. */
static int raw_column(const struct open_column *from, uint32_t rows, struct arena *arena,
                      struct column *column, struct err *err) {
  int code;
  *column = (struct column){.type = from->type, .length = rows};
  uint64_t *validity = copy_bits(arena, from->validity, rows, err, &code);
  if (code) return code;
  uint32_t present = 0;
  for (uint32_t i = 0; i < rows / 64; i++)
    present += (uint32_t)__builtin_popcountll(validity[i]);
  if (rows % 64)
    present += (uint32_t)__builtin_popcountll(validity[rows / 64] & ~(~UINT64_C(0) << rows % 64));
  column->null_count = rows - present;
  column->validity = column->null_count ? validity : NULL;
  if (from->type.physical == PHYSICAL_BOOL) {
    column->bits = copy_bits(arena, from->bits, rows, err, &code);
    return code;
  }
  column->values = from->values;
  column->data = from->data;
  return ERR_OK;
}

/* ---- the policy ---- */

static bool same_place(const struct open_part *part, uint32_t a, uint32_t b) {
  return part->series[a] == part->series[b] && part->keys[a] == part->keys[b];
}

static uint32_t row_at(const struct builder_state *state, uint32_t i) {
  return state->order ? state->order[i] : i;
}

static int drop_twins(struct builder_state *state, const struct column *raw, uint32_t *kept,
                      struct err *err) {
  const struct open_part *part = state->part;
  struct twins twins;
  twins_init(&twins, part->account);
  int code = ERR_OK;
  uint32_t count = 0;
  for (uint32_t i = 0; i < state->visible && !code; i++) {
    uint32_t row = row_at(state, i);
    bool fresh = true;
    bool shared = (i > 0 && same_place(part, row_at(state, i - 1), row)) ||
                  (i + 1 < state->visible && same_place(part, row_at(state, i + 1), row));
    if (shared)
      code = twins_add(&twins, part->series[row], part->keys[row], raw, part->column_count, row,
                       &fresh, err);
    if (fresh) state->rows[count++] = row;
  }
  twins_deinit(&twins);
  *kept = count;
  return code;
}

/* Chooses the rows of the view: state->rows, *kept of them. */
static int choose_rows(struct builder_state *state, const struct column *raw, uint32_t *kept,
                       struct err *err) {
  int code;
  state->rows = scratch_array(state->scratch, state->visible, sizeof *state->rows, err, &code);
  if (code) return code;
  if (state->part->policy == STORE_DROP_TWINS) return drop_twins(state, raw, kept, err);
  bool newest_wins = state->part->policy != STORE_KEEP_ALL;
  uint32_t count = 0;
  for (uint32_t i = 0; i < state->visible; i++) {
    uint32_t row = row_at(state, i);
    if (newest_wins && count && same_place(state->part, state->rows[count - 1], row)) count--;
    state->rows[count++] = row;
  }
  *kept = count;
  return ERR_OK;
}

/* Where newest wins per column: per row of the view the newest row that has this column, else the
 * chosen one. */
static void newest_present(const struct builder_state *state, const struct column *raw,
                           uint32_t *picked) {
  uint32_t count = 0, before = 0;
  for (uint32_t i = 0; i < state->visible; i++) {
    uint32_t row = row_at(state, i);
    bool folds = i > 0 && same_place(state->part, before, row);
    before = row;
    if (!folds)
      picked[count++] = row;
    else if (column_is_valid(raw, row))
      picked[count - 1] = row;
  }
}

/* ---- the view ---- */

static int pick_columns(struct builder_state *state, const struct column *raw,
                        struct store_column *columns, uint32_t kept, struct err *err) {
  const struct open_part *part = state->part;
  struct arena *arena = &state->out->arena;
  bool folds = part->policy == STORE_NEWEST_COLUMN && kept < state->visible;
  uint32_t *picked = NULL;
  int code = ERR_OK;
  if (folds) picked = scratch_array(state->scratch, kept, sizeof *picked, err, &code);
  for (uint32_t i = 0; i < part->column_count && !code; i++) {
    const uint32_t *rows = state->rows;
    if (folds && raw[i].null_count) {
      newest_present(state, &raw[i], picked);
      rows = picked;
    }
    columns[i].id = part->columns[i].id;
    code = column_take(&raw[i], rows, kept, arena, &columns[i].column, err);
  }
  if (code) return code;
  uint64_t *series = scratch_array(arena, kept, 8, err, &code);
  if (code) return code;
  int64_t *keys = scratch_array(arena, kept, 8, err, &code);
  if (code) return code;
  for (uint32_t i = 0; i < kept; i++) {
    series[i] = part->series[state->rows[i]];
    keys[i] = part->keys[state->rows[i]];
  }
  state->out->view.series = series;
  state->out->view.keys = keys;
  return ERR_OK;
}

static int fill_rows(struct builder_state *state, struct err *err) {
  const struct open_part *part = state->part;
  struct open_view *view = &state->out->view;
  bool ordered, unique;
  int code = ERR_OK;
  probe_order(part, state->visible, &ordered, &unique);
  bool as_they_lie = ordered && (unique || part->policy == STORE_KEEP_ALL);
  struct arena *arena = &state->out->arena;
  size_t count = part->column_count;
  struct column *raw = scratch_array(state->scratch, count, sizeof *raw, err, &code);
  if (code) return code;
  struct store_column *columns = scratch_array(arena, count, sizeof *columns, err, &code);
  for (uint32_t i = 0; i < count && !code; i++) {
    code = raw_column(&part->columns[i], state->visible, as_they_lie ? arena : state->scratch,
                      &raw[i], err);
    if (as_they_lie && !code) columns[i] = (struct store_column){part->columns[i].id, raw[i]};
  }
  if (code) return code;
  view->columns = columns;
  view->column_count = part->column_count;
  view->rows = state->visible;
  if (as_they_lie) {
    view->series = part->series;
    view->keys = part->keys;
    return ERR_OK;
  }
  if (!ordered) code = sort_rows(state, err);
  if (!code) code = choose_rows(state, raw, &view->rows, err);
  if (!code) code = pick_columns(state, raw, columns, view->rows, err);
  return code;
}

/* ---- blocks ---- */

struct cutter {
  uint32_t blocks, runs;
  uint32_t block_rows; /* of the block being filled */
};

/* Walks the runs and cuts blocks as a part has them; with `write` fills the arrays, without it only
 * counts. */
static struct cutter cut_blocks(struct open_view *view, struct part_block *blocks,
                                uint32_t *block_rows, uint32_t *block_runs, struct store_run *runs,
                                int64_t *run_keys, bool write) {
  struct cutter at = {0};
  for (uint32_t row = 0; row < view->rows;) {
    uint64_t series = view->series[row];
    uint32_t end = row + 1;
    while (end < view->rows && end - row < LIMIT_BLOCK_ROWS && view->series[end] == series)
      end++;
    uint32_t count = end - row;
    if (at.blocks == 0 || at.block_rows + count > LIMIT_BLOCK_ROWS) {
      if (write) {
        blocks[at.blocks] =
            (struct part_block){.series_first = series, .key_min = INT64_MAX, .key_max = INT64_MIN};
        block_rows[at.blocks] = row;
        block_runs[at.blocks] = at.runs;
      }
      at.blocks++;
      at.block_rows = 0;
    }
    if (write) {
      struct part_block *block = &blocks[at.blocks - 1];
      runs[at.runs] = (struct store_run){series, at.block_rows, count};
      run_keys[2 * at.runs] = view->keys[row];
      run_keys[2 * at.runs + 1] = view->keys[end - 1];
      if (view->keys[row] < block->key_min) block->key_min = view->keys[row];
      if (view->keys[end - 1] > block->key_max) block->key_max = view->keys[end - 1];
      block->series_last = series;
      block->rows += count;
      block->runs++;
    }
    at.runs++;
    at.block_rows += count;
    row = end;
  }
  return at;
}

static int fill_blocks(struct open_view_cached *out, struct err *err) {
  struct open_view *view = &out->view;
  struct cutter needed = cut_blocks(view, NULL, NULL, NULL, NULL, NULL, false);
  int code;
  struct part_block *blocks = scratch_array(&out->arena, needed.blocks, sizeof *blocks, err, &code);
  if (code) return code;
  uint32_t *starts = scratch_array(&out->arena, needed.blocks, 2 * sizeof *starts, err, &code);
  if (code) return code;
  struct store_run *runs = scratch_array(&out->arena, needed.runs, sizeof *runs, err, &code);
  if (code) return code;
  int64_t *run_keys = scratch_array(&out->arena, needed.runs, 2 * sizeof *run_keys, err, &code);
  if (code) return code;
  cut_blocks(view, blocks, starts, starts + needed.blocks, runs, run_keys, true);
  view->blocks = blocks;
  view->block_count = needed.blocks;
  view->block_rows = starts;
  view->block_runs = starts + needed.blocks;
  view->runs = runs;
  view->run_keys = run_keys;
  return ERR_OK;
}

static void view_destroy(struct mem_account *account, struct open_view_cached *out) {
  arena_deinit(&out->arena);
  mem_free(account, out, sizeof *out);
}

static int view_build(struct open_part *part, uint32_t visible, struct open_view_cached **built,
                      struct err *err) {
  struct open_view_cached *out = mem_alloc_zero(part->account, sizeof *out);
  if (!out) return mem_refused(part->account, sizeof *out, err);
  out->references = 1;
  out->visible = visible;
  arena_init(&out->arena, part->account, 512);
  struct arena scratch;
  arena_init(&scratch, part->account, 1024);
  struct builder_state state = {.part = part, .out = out, .scratch = &scratch, .visible = visible};
  int code = fill_rows(&state, err);
  if (!code) code = fill_blocks(out, err);
  arena_deinit(&scratch);
  if (code)
    view_destroy(part->account, out);
  else
    *built = out;
  return code;
}

/* Rows whose commit is at most `commit`: a prefix, because commits ascend. */
static uint32_t visible_rows(const struct open_part *part, uint64_t commit) {
  uint32_t low = 0, high = open_part_rows(part);
  if (high && part->commits[high - 1] <= commit) return high;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (part->commits[middle] <= commit)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int open_part_view(struct open_part *part, uint64_t commit, const struct open_view **view,
                   struct err *err) {
  int code = ERR_OK;
  uint32_t visible = visible_rows(part, commit);
  struct open_view_cached *found = NULL;
  os_mutex_lock(&part->view_lock);
  if (part->view && part->view->visible == visible) {
    found = part->view;
  } else {
    code = view_build(part, visible, &found, err);
    if (!code && (!part->view || part->view->visible < visible)) {
      if (part->view && --part->view->references == 0) view_destroy(part->account, part->view);
      part->view = found; /* the reference of view_build is the cache's */
    } else if (!code) {
      found->references = 0; /* the caller's alone */
    }
  }
  if (!code) {
    found->references++;
    *view = &found->view;
  }
  os_mutex_unlock(&part->view_lock);
  return code;
}

void open_part_view_release(struct open_part *part, const struct open_view *view) {
  if (!view) return;
  struct open_view_cached *cached = (struct open_view_cached *)(uintptr_t)view;
  os_mutex_lock(&part->view_lock);
  bool last = --cached->references == 0;
  os_mutex_unlock(&part->view_lock);
  if (last) view_destroy(part->account, cached);
}

void open_part__view_destroy(struct open_part *part) {
  if (!part->view) return;
  assert(part->view->references == 1);
  view_destroy(part->account, part->view);
  part->view = NULL;
}
