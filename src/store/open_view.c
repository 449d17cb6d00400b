/* Rows out: the visible rows of an open part, in order.
 *
 * Rows that came in order already (a table that is written at the end, one commit that filled it)
 * are shown where they are; only bitmaps are copied, because the committer still sets bits in their
 * last words. Otherwise the rows are sorted by a natural merge sort (new rows are a sequence of
 * sorted commits, so it takes log2(commits) passes) and merged with the order of the view before;
 * then duplicates are folded. Columns follow one by one, when somebody asks for them.
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
  const struct open_view_cached *before; /* the last view, of fewer rows; NULL: none */
  struct arena *scratch;
  bool whole; /* nothing is folded */
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

/* Sorts places[begin, ends[last]), a sequence of ascending runs that end at `ends`. Stable. */
static void sort_runs(struct place *places, struct place *spare, uint32_t first, uint32_t *ends,
                      uint32_t runs) {
  struct place *from = places, *to = spare;
  while (runs > 1) {
    uint32_t begin = first, merged = 0;
    for (uint32_t i = 0; i < runs; i += 2) {
      uint32_t last = i + 1 < runs ? i + 1 : i;
      merge_runs(from, begin, ends[i], ends[last], to);
      begin = ends[last];
      ends[merged++] = begin;
    }
    runs = merged;
    struct place *swap = from;
    from = to;
    to = swap;
  }
  if (from != places) memcpy(places + first, from + first, (ends[0] - first) * sizeof *places);
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

/* Orders all visible rows: those of the view before are in order, the new ones are sorted. */
static int sort_rows(struct builder_state *state, struct err *err) {
  const struct open_part *part = state->part;
  uint32_t rows = state->out->visible, sorted = state->before ? state->before->visible : 0,
           runs = 0;
  int code;
  struct place *places = scratch_array(state->scratch, rows, sizeof *places, err, &code);
  if (code) return code;
  struct place *spare = scratch_array(state->scratch, rows, sizeof *spare, err, &code);
  if (code) return code;
  uint32_t *ends =
      scratch_array(state->scratch, (size_t)rows - sorted + 1, sizeof *ends, err, &code);
  if (code) return code;
  uint32_t *order = scratch_array(&state->out->arena, rows, sizeof *order, err, &code);
  if (code) return code;
  for (uint32_t i = 0; i < rows; i++) {
    uint32_t row = i < sorted && state->before->order ? state->before->order[i] : i;
    places[i] = (struct place){part->series[row], part->keys[row], row};
    if (i > sorted && place_before(&places[i], &places[i - 1])) ends[runs++] = i;
  }
  ends[runs++] = rows;
  sort_runs(places, spare, sorted, ends, runs);
  merge_runs(places, 0, sorted, rows, spare);
  for (uint32_t i = 0; i < rows; i++)
    order[i] = spare[i].row;
  state->out->order = order;
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

static uint32_t row_at(const struct open_view_cached *view, uint32_t i) {
  return view->order ? view->order[i] : i;
}

static int drop_twins(struct builder_state *state, uint32_t *kept, struct err *err) {
  const struct open_part *part = state->part;
  struct open_view_cached *out = state->out;
  int code;
  struct column *raw = scratch_array(state->scratch, part->column_count, sizeof *raw, err, &code);
  for (uint32_t i = 0; i < part->column_count && !code; i++)
    code = raw_column(&part->columns[i], out->visible, state->scratch, &raw[i], err);
  struct twins twins;
  twins_init(&twins, part->account);
  uint32_t count = 0;
  for (uint32_t i = 0; i < out->visible && !code; i++) {
    uint32_t row = row_at(out, i);
    bool fresh = true;
    bool shared = (i > 0 && same_place(part, row_at(out, i - 1), row)) ||
                  (i + 1 < out->visible && same_place(part, row_at(out, i + 1), row));
    if (shared)
      code = twins_add(&twins, part->series[row], part->keys[row], raw, part->column_count, row,
                       &fresh, err);
    if (fresh) out->rows[count++] = row;
  }
  twins_deinit(&twins);
  *kept = count;
  return code;
}

/* Chooses the rows of the view: out->rows, *kept of them. */
static int choose_rows(struct builder_state *state, uint32_t *kept, struct err *err) {
  struct open_view_cached *out = state->out;
  int code;
  out->rows = scratch_array(&out->arena, out->visible, sizeof *out->rows, err, &code);
  if (code) return code;
  if (state->part->policy == STORE_DROP_TWINS) return drop_twins(state, kept, err);
  bool newest_wins = state->part->policy != STORE_KEEP_ALL && !state->whole;
  uint32_t count = 0;
  for (uint32_t i = 0; i < out->visible; i++) {
    uint32_t row = row_at(out, i);
    if (newest_wins && count && same_place(state->part, out->rows[count - 1], row)) count--;
    out->rows[count++] = row;
  }
  *kept = count;
  return ERR_OK;
}

/* Where newest wins per column: per row of the view the newest row that has this column, else the
 * chosen one. */
static void newest_present(const struct open_part *part, const struct open_view_cached *view,
                           const struct column *raw, uint32_t *picked) {
  uint32_t count = 0, before = 0;
  for (uint32_t i = 0; i < view->visible; i++) {
    uint32_t row = row_at(view, i);
    bool folds = i > 0 && same_place(part, before, row);
    before = row;
    if (!folds)
      picked[count++] = row;
    else if (column_is_valid(raw, row))
      picked[count - 1] = row;
  }
}

/* ---- the view ---- */

/* A column of the view from the part's arrays; the lock is held. */
static int pick_column(const struct open_part *part, struct open_view_cached *view, uint32_t i,
                       struct column *column, struct err *err) {
  if (!view->rows) return raw_column(&part->columns[i], view->visible, &view->arena, column, err);
  struct arena scratch;
  struct column raw;
  const uint32_t *rows = view->rows;
  arena_init(&scratch, part->account, 1024);
  int code = raw_column(&part->columns[i], view->visible, &scratch, &raw, err);
  if (!code && part->policy == STORE_NEWEST_COLUMN && view->view.rows < view->visible &&
      raw.null_count) {
    uint32_t *picked = scratch_array(&scratch, view->view.rows, sizeof *picked, err, &code);
    if (!code) newest_present(part, view, &raw, picked);
    rows = picked;
  }
  if (!code) code = column_take(&raw, rows, view->view.rows, &view->arena, column, err);
  arena_deinit(&scratch);
  return code;
}

int open_part_view_column(struct open_part *part, const struct open_view *view, uint32_t i,
                          struct column *column, struct err *err) {
  struct open_view_cached *cached = (struct open_view_cached *)(uintptr_t)view;
  int code = ERR_OK;
  assert(i < view->column_count);
  os_mutex_lock(&part->view_lock);
  struct column picked = cached->columns[i];
  if (picked.length == 0) code = pick_column(part, cached, i, &picked, err);
  if (!code) *column = cached->columns[i] = picked;
  os_mutex_unlock(&part->view_lock);
  return code;
}

static int pick_places(struct builder_state *state, struct err *err) {
  struct open_view_cached *out = state->out;
  int code;
  uint64_t *series = scratch_array(&out->arena, out->view.rows, 8, err, &code);
  if (code) return code;
  int64_t *keys = scratch_array(&out->arena, out->view.rows, 8, err, &code);
  if (code) return code;
  for (uint32_t i = 0; i < out->view.rows; i++) {
    series[i] = state->part->series[out->rows[i]];
    keys[i] = state->part->keys[out->rows[i]];
  }
  uint64_t *commits = scratch_array(&out->arena, out->view.rows, 8, err, &code);
  if (code) return code;
  for (uint32_t i = 0; i < out->view.rows; i++)
    commits[i] = state->part->commits[out->rows[i]];
  out->view.series = series;
  out->view.keys = keys;
  out->view.commits = commits;
  return ERR_OK;
}

static int fill_columns(struct builder_state *state, struct err *err) {
  struct open_view_cached *out = state->out;
  uint32_t count = state->part->column_count;
  size_t width = sizeof *out->columns + sizeof(uint32_t) + sizeof(struct type);
  out->columns = arena_alloc_zero(&out->arena, (count + 1) * width);
  if (!out->columns) return mem_refused(out->arena.account, (count + 1) * width, err);
  uint32_t *ids = (uint32_t *)(out->columns + count);
  struct type *types = (struct type *)(ids + count);
  for (uint32_t i = 0; i < count; i++) {
    ids[i] = state->part->columns[i].id;
    types[i] = state->part->columns[i].type;
  }
  out->view.column_ids = ids;
  out->view.column_types = types;
  out->view.column_count = count;
  return ERR_OK;
}

static int fill_rows(struct builder_state *state, struct err *err) {
  const struct open_part *part = state->part;
  struct open_view_cached *out = state->out;
  bool ordered, unique;
  int code = fill_columns(state, err);
  if (code) return code;
  out->view.rows = out->visible;
  out->view.versioned = state->whole;
  probe_order(part, out->visible, &ordered, &unique);
  if (ordered && (unique || part->policy == STORE_KEEP_ALL || state->whole)) {
    out->view.series = part->series;
    out->view.keys = part->keys;
    out->view.commits = part->commits;
    return ERR_OK;
  }
  if (!ordered) code = sort_rows(state, err);
  if (!code) code = choose_rows(state, &out->view.rows, err);
  if (!code) code = pick_places(state, err);
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

/* Where rows may be marks, the scan folds: a mark hides rows of other parts too. */
static bool holds_marks(const struct open_part *part) {
  uint32_t count = part->column_count;
  return count && part->columns[count - 1].id == STORE_COLUMN_MARK;
}

static int view_build(struct open_part *part, uint32_t visible, bool whole,
                      struct open_view_cached **built, struct err *err) {
  struct open_view_cached *out = mem_alloc_zero(part->account, sizeof *out);
  if (!out) return mem_refused(part->account, sizeof *out, err);
  out->references = 1;
  out->visible = visible;
  arena_init(&out->arena, part->account, 512);
  struct arena scratch;
  arena_init(&scratch, part->account, 1024);
  struct builder_state state = {.part = part, .out = out, .scratch = &scratch, .whole = whole};
  if (part->view && part->view->visible < visible) state.before = part->view;
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
    code = view_build(part, visible, holds_marks(part), &found, err);
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

int open_part__whole_view(struct open_part *part, uint64_t commit, const struct open_view **view,
                          struct err *err) {
  struct open_view_cached *built;
  os_mutex_lock(&part->view_lock);
  int code = view_build(part, visible_rows(part, commit), true, &built, err);
  os_mutex_unlock(&part->view_lock);
  if (!code) *view = &built->view;
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
