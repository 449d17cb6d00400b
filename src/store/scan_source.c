/* One input of the union: a part, or the view of an open part, walked forward block by block.
 *
 * Settling finds the next block that may matter from metadata alone: by series first (galloping
 * over blocks below the next wanted one), then by key range, then by deletions of all of it. A
 * block of one run is then an exact position; a block of several runs becomes one when its run
 * directory is read, which happens only when it is this input's turn. Keys and columns are decoded
 * into the block's slot when somebody asks. */
#include "store/scan_private.h"

#include "base/err.h"
#include "codec/codec_kernels.h"

enum { SLOT_BYTES_MAX = 1 << 20 /* of an arena's chunk */ };

/* What a decoded block of the source takes, about. */
static size_t slot_bytes(const struct store_scan *scan, const struct scan_source *source) {
  size_t row = 10 * ((size_t)scan->column_total + 2);
  if (source->plain_row > row) row = source->plain_row;
  return source->blocks[source->at].rows * row + 1024;
}

/* ---- searching ---- */

uint32_t scan__lower(const int64_t *keys, uint32_t from, uint32_t to, int64_t key) {
  uint32_t step = 1, low = from;
  while (low + step < to && keys[low + step - 1] < key) {
    low += step;
    step *= 2;
  }
  uint32_t high = low + step < to ? low + step : to;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (keys[middle] < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

uint32_t scan__upper(const int64_t *keys, uint32_t from, uint32_t to, int64_t key) {
  return key == INT64_MAX ? to : scan__lower(keys, from, to, key + 1);
}

bool scan__next_wanted(const struct store_scan *scan, uint64_t series, size_t *at, uint64_t *next) {
  const struct store_scan_spec *spec = &scan->spec;
  if (!spec->series) {
    *next = series > spec->series_min ? series : spec->series_min;
    return *next <= spec->series_max;
  }
  size_t low = *at, step = 1;
  while (low + step < spec->series_count && spec->series[low + step - 1] < series) {
    low += step;
    step *= 2;
  }
  size_t high = low + step < spec->series_count ? low + step : spec->series_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (spec->series[middle] < series)
      low = middle + 1;
    else
      high = middle;
  }
  *at = low;
  if (low == spec->series_count) return false;
  *next = spec->series[low];
  return true;
}

/* ---- deletions ---- */

static struct scan_region block_region(const struct store_scan *scan,
                                       const struct scan_source *source,
                                       const struct part_block *block) {
  return (struct scan_region){block->series_first, block->series_last,     block->key_min,
                              block->key_max,      source->deletion_first, scan->deletion_count};
}

bool scan__block_cut(struct store_scan *scan, const struct scan_source *source,
                     const struct part_block *block) {
  if (source->deletion_first == scan->deletion_count) return false;
  struct scan_region region = block_region(scan, source, block);
  return scan__deletion_touches(scan, &region);
}

/* True when one deletion takes the whole block. */
static bool block_deleted(struct store_scan *scan, const struct scan_source *source,
                          const struct part_block *block) {
  if (source->deletion_first == scan->deletion_count) return false;
  struct scan_region region = block_region(scan, source, block);
  return scan__deletion_covers(scan, &region);
}

/* ---- settling ---- */

static void skip_blocks(struct store_scan *scan, struct scan_source *source, uint32_t to) {
  scan->figures.blocks_considered += to - source->at;
  scan->figures.blocks_skipped += to - source->at;
  source->at = to;
}

void scan__leave_block(struct store_scan *scan, struct scan_source *source) {
  if (source->slot)
    source->at++; /* counted when the slot is given up */
  else
    skip_blocks(scan, source, source->at + 1);
  source->slot = NULL;
  source->opened = false;
  source->run = 0;
}

/* First block from `at` on whose last series is not below `series`. */
static uint32_t block_of_series(const struct scan_source *source, uint64_t series) {
  uint32_t low = source->at, step = 1;
  while (step < source->end - low && source->blocks[low + step - 1].series_last < series) {
    low += step;
    step *= 2;
  }
  uint32_t high = step < source->end - low ? low + step : source->end;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (source->blocks[middle].series_last < series)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* First block from `at` on, all of `series` alone as far as they lie below `key`, that does not. */
static uint32_t block_of_key(const struct scan_source *source, uint64_t series, int64_t key) {
  uint32_t low = source->at, high = source->end;
  for (uint32_t step = 1; step < high - low; step *= 2) {
    const struct part_block *block = &source->blocks[low + step];
    if (block->series_first != series || block->series_last != series || block->key_max >= key) {
      high = low + step;
      break;
    }
    low += step;
  }
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct part_block *block = &source->blocks[middle];
    if (block->series_first == series && block->series_last == series && block->key_max < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void set_position(struct store_scan *scan, struct scan_source *source, uint64_t series,
                         uint32_t from, uint32_t rows, int64_t lo, int64_t hi, bool exact) {
  scan->series[source->index] = series;
  source->from = from;
  source->to = source->stop = from + rows;
  source->lo = lo;
  source->hi = hi;
  source->exact = exact;
  source->clipped = false;
  source->cuts_known = false;
}

/* The next run of the opened block that matters; false: none is left. */
static bool settle_run(struct store_scan *scan, struct scan_source *source) {
  const struct scan_slot *slot = source->slot;
  uint32_t count = source->blocks[source->at].runs;
  for (; source->run < count; source->run++) {
    const struct store_run *run = &slot->runs[source->run];
    uint64_t wanted;
    if (run->series < scan->floor) continue;
    if (!scan__next_wanted(scan, run->series, &source->wanted_at, &wanted)) return false;
    if (wanted != run->series) continue;
    int64_t lo = slot->run_keys[2 * source->run], hi = slot->run_keys[2 * source->run + 1];
    if (hi < scan__key_min(scan, run->series) || lo > scan__key_max(scan, run->series)) continue;
    set_position(scan, source, run->series, run->row, run->rows, lo, hi, true);
    return true;
  }
  return false;
}

/* Settles on the block `at` if it matters; false: it was passed. */
static bool settle_block(struct store_scan *scan, struct scan_source *source) {
  const struct part_block *block = &source->blocks[source->at];
  uint64_t wanted, from = block->series_first > scan->floor ? block->series_first : scan->floor;
  if (!scan__next_wanted(scan, from, &source->wanted_at, &wanted)) {
    skip_blocks(scan, source, source->end);
    return false;
  }
  if (wanted > block->series_last) {
    skip_blocks(scan, source, block_of_series(source, wanted));
    return false;
  }
  if (block->series_first == block->series_last) {
    if (block->key_max < scan__key_min(scan, wanted)) {
      skip_blocks(scan, source, block_of_key(source, wanted, scan__key_min(scan, wanted)));
      return false;
    }
    if (block->key_min > scan__key_max(scan, wanted)) {
      skip_blocks(scan, source, source->at + 1);
      return false;
    }
  } else if (block->key_max < scan->spec.key_min || block->key_min > scan->spec.key_max) {
    skip_blocks(scan, source, source->at + 1);
    return false;
  } else if (block->key_max < scan__key_min(scan, wanted) ||
             block->key_min > scan__key_max(scan, wanted)) {
    /* head or tail needs nothing of the first series; the others are still open */
    if (wanted == UINT64_MAX || !scan__next_wanted(scan, wanted + 1, &source->wanted_at, &wanted) ||
        wanted > block->series_last) {
      skip_blocks(scan, source, source->at + 1);
      return false;
    }
  }
  if (block_deleted(scan, source, block) || scan__block_fails(scan, source)) {
    skip_blocks(scan, source, source->at + 1);
    return false;
  }
  set_position(scan, source, wanted, 0, block->rows, block->key_min, block->key_max,
               block->runs == 1);
  return true;
}

void scan__settle(struct store_scan *scan, struct scan_source *source) {
  while (!source->done) {
    if (source->at >= source->end || scan->ended) {
      source->done = true;
    } else if (source->opened) {
      if (settle_run(scan, source)) return;
      scan__leave_block(scan, source);
    } else if (settle_block(scan, source)) {
      return;
    }
  }
  scan->series[source->index] = UINT64_MAX;
}

void scan__advance(struct store_scan *scan, struct scan_source *source) {
  if (source->opened)
    source->run++;
  else
    scan__leave_block(scan, source);
  scan__settle(scan, source);
}

void scan__consume(struct store_scan *scan, struct scan_source *source, uint32_t count) {
  source->from += count;
  if (source->from < source->to) {
    source->lo = source->slot->keys[source->from];
  } else if (source->to < source->stop) { /* rows behind a deleted stretch */
    source->to = source->stop;
    source->lo = source->slot->keys[source->from];
    source->hi = source->slot->keys[source->stop - 1];
    source->clipped = false;
  } else {
    scan__advance(scan, source);
  }
}

/* ---- slots ---- */

void scan__retire(struct store_scan *scan, struct scan_slot *slot) {
  if (!slot->held) return;
  struct store_scan_figures *figures = &scan->figures;
  figures->blocks_considered++;
  if (slot->decoded) {
    figures->blocks_read++;
    figures->rows_scanned += slot->source->blocks[slot->block].rows;
  } else if (slot->handed) {
    figures->blocks_by_statistics++;
  } else {
    figures->blocks_skipped++;
  }
  slot->held = false;
}

int scan__slot(struct store_scan *scan, struct scan_source *source, bool *ready, struct err *err) {
  *ready = true;
  if (source->slot) return ERR_OK;
  struct scan_slot *slot = NULL;
  for (uint32_t i = 0; i < (scan->keep ? 1 : SCAN_SLOTS); i++) { /* outputs have many inputs */
    struct scan_slot *candidate = &source->slots[i];
    if (candidate->held && candidate->chunk == scan->plan.number) continue;
    if (!slot || (slot->held && !candidate->held)) slot = candidate;
  }
  if (!slot) {
    *ready = false;
    return ERR_OK;
  }
  if (!slot->columns) {
    size_t columns = scan->column_total + 1;
    size_t size = columns * (sizeof *slot->columns + sizeof *slot->columns_read);
    slot->columns = arena_alloc(&scan->memory, size);
    if (!slot->columns) return scan__refused(&scan->memory, size, err);
    slot->columns_read = (struct scan_rows *)(slot->columns + columns);
    /* large enough for the whole block, so that the next block finds its memory there */
    size_t block = slot_bytes(scan, source);
    arena_init(&slot->arena, scan->account, block < SLOT_BYTES_MAX ? block : SLOT_BYTES_MAX);
  }
  scan__retire(scan, slot);
  arena_reset(&slot->arena);
  slot->block = source->at;
  slot->held = true;
  slot->decoded = slot->handed = false;
  slot->chunk = 0;
  slot->runs = NULL;
  slot->run_keys = NULL;
  slot->images = NULL;
  slot->keys_read = (struct scan_rows){0, 0};
  memset(slot->columns_read, 0, scan->column_total * sizeof *slot->columns_read);
  source->slot = slot;
  return ERR_OK;
}

int scan__slot_runs(struct scan_slot *slot, struct err *err) {
  const struct scan_source *source = slot->source;
  if (slot->runs) return ERR_OK;
  if (source->part)
    return part_read_runs(source->part, slot->block, &slot->arena, &slot->runs, &slot->run_keys,
                          err);
  slot->runs = source->view->runs + source->view->block_runs[slot->block];
  slot->run_keys = source->view->run_keys + 2 * (size_t)source->view->block_runs[slot->block];
  return ERR_OK;
}

/* What to decode so that [from, to) is there: the vectors that hold it when nothing is yet and that
 * is at most half of the block; else all of it. False: it is there. */
static bool rows_to_read(const struct scan_slot *slot, const struct scan_rows *read, uint32_t from,
                         uint32_t to, struct scan_rows *rows) {
  if (read->to && from >= read->from && to <= read->to) return false;
  uint32_t all = slot->source->blocks[slot->block].rows;
  uint32_t last = (to + LIMIT_VECTOR_ROWS - 1) / LIMIT_VECTOR_ROWS * LIMIT_VECTOR_ROWS;
  *rows = (struct scan_rows){from / LIMIT_VECTOR_ROWS * LIMIT_VECTOR_ROWS, last < all ? last : all};
  if (read->to || rows->to - rows->from > all / 2) *rows = (struct scan_rows){0, all};
  return true;
}

/* The address that makes index `rows` that of the first byte given. */
static const void *back(const void *at, size_t bytes) {
  return (const void *)((uintptr_t)at - bytes);
}

int scan__slot_keys(struct store_scan *scan, struct scan_slot *slot, uint32_t from, uint32_t to,
                    struct err *err) {
  const struct scan_source *source = slot->source;
  struct scan_rows rows;
  if (!rows_to_read(slot, &slot->keys_read, from, to, &rows)) return ERR_OK;
  slot->decoded = true;
  if (!source->part) {
    slot->keys = source->view->keys + source->view->block_rows[slot->block];
    slot->keys_read = (struct scan_rows){0, source->blocks[slot->block].rows};
    return ERR_OK;
  }
  const int64_t *keys;
  int code = part_read_keys_rows(source->part, slot->block, rows.from, rows.to - rows.from,
                                 &slot->arena, &keys, &scan->figures.bytes_read, err);
  if (code) return code;
  slot->keys = back(keys, rows.from * sizeof *keys);
  slot->keys_read = rows;
  return ERR_OK;
}

/* A column that the input lacks: zeros for everything. */
static int absent_column(struct store_scan *scan, uint32_t rows, struct type type,
                         struct column *column, struct err *err) {
  if (!scan->nothing) {
    size_t size = (SCAN_ROWS_MAX + 1) * sizeof(uint64_t);
    scan->nothing = arena_alloc_zero(&scan->memory, size);
    if (!scan->nothing) return scan__refused(&scan->memory, size, err);
  }
  *column = (struct column){.type = type,
                            .null_count = rows,
                            .length = rows,
                            .validity = scan->nothing,
                            .values = scan->nothing,
                            .data = ""};
  return ERR_OK;
}

/* The commit of every row, where rows do not say themselves. */
static int constant_column(const struct scan_source *source, uint32_t rows, struct arena *arena,
                           struct column *column, struct err *err) {
  uint64_t *values = arena_alloc(arena, rows * sizeof *values);
  if (!values) return scan__refused(arena, rows * sizeof *values, err);
  for (uint32_t i = 0; i < rows; i++)
    values[i] = source->commit;
  *column = (struct column){.type = TYPE_UINT64, .length = rows, .values = values};
  return ERR_OK;
}

/* The commits of rows of the view. */
static struct column view_commits(const struct scan_slot *slot, uint32_t rows) {
  const struct open_view *view = slot->source->view;
  return (struct column){
      .type = TYPE_UINT64, .length = rows, .values = view->commits + view->block_rows[slot->block]};
}

/* Makes a column of rows from `from` (a multiple of 1,024) on one that is indexed from 0. */
static void shift_column(struct column *column, uint32_t from, uint32_t rows) {
  column->length = rows;
  if (column->validity) column->validity = back(column->validity, from / 8);
  if (column->type.physical == PHYSICAL_BOOL)
    column->values = back(column->values, from / 8);
  else
    column->values = back(column->values, (size_t)from * (type_is_string(column->type) ? 4 : 8));
}

int scan__slot_column(struct store_scan *scan, struct scan_slot *slot, uint32_t i, uint32_t from,
                      uint32_t to, struct err *err) {
  const struct scan_source *source = slot->source;
  struct column *column = &slot->columns[i], read;
  struct scan_rows rows;
  if (!rows_to_read(slot, &slot->columns_read[i], from, to, &rows)) return ERR_OK;
  uint32_t all = source->blocks[slot->block].rows;
  int code;
  slot->decoded = true;
  bool known = source->one_commit || !source->part;
  if (!source->has[i] && known && scan->column_ids[i] == STORE_COLUMN_COMMIT) {
    rows = (struct scan_rows){0, all};
    code = ERR_OK;
    if (source->part)
      code = constant_column(source, all, &slot->arena, &read, err);
    else
      read = view_commits(slot, all);
  } else if (!source->has[i]) {
    rows = (struct scan_rows){0, all};
    code = absent_column(scan, all, scan->types[i], &read, err);
  } else if (source->part) {
    code = part_read_column_rows(source->part, slot->block, scan->column_ids[i], rows.from,
                                 rows.to - rows.from, &slot->arena, &read,
                                 &scan->figures.bytes_read, err);
  } else {
    uint32_t at = 0;
    while (source->view->column_ids[at] != scan->column_ids[i])
      at++;
    rows = (struct scan_rows){0, all};
    struct column whole;
    code = open_part_view_column(scan->open, source->view, at, &whole, err);
    if (!code)
      code = column_slice(&whole, source->view->block_rows[slot->block], all, &slot->arena, &read,
                          err);
  }
  if (code) return code;
  shift_column(&read, rows.from, all);
  *column = read;
  slot->columns_read[i] = rows;
  return ERR_OK;
}

int scan__open_block(struct store_scan *scan, struct scan_source *source, bool *ready,
                     struct err *err) {
  int code = scan__slot(scan, source, ready, err);
  if (code || !*ready) return code;
  if ((code = scan__slot_runs(source->slot, err))) return code;
  source->opened = true;
  source->run = 0;
  scan__settle(scan, source);
  return ERR_OK;
}

/* ---- clipping ---- */

/* Jumps over deleted rows at the front and stops before the next deleted ones; from == stop when
 * nothing is left. */
static void clip_cuts(struct scan_source *source, const int64_t *keys) {
  source->to = source->stop;
  while (source->cut_at < source->cut_count && source->from < source->stop) {
    const struct scan_cut *cut = &source->cuts[source->cut_at];
    if (keys[source->from] < cut->key_min) {
      source->to = scan__lower(keys, source->from, source->stop, cut->key_min);
      return;
    }
    if (keys[source->from] <= cut->key_max)
      source->from = scan__upper(keys, source->from, source->stop, cut->key_max);
    source->cut_at++;
  }
}

/* Where a key stands in a run whose keys are spread evenly. */
static uint32_t guess(const struct scan_source *source, int64_t key) {
  if (key <= source->lo) return source->from;
  if (key >= source->hi) return source->stop;
  double share = ((double)key - (double)source->lo) / ((double)source->hi - (double)source->lo);
  uint32_t row = source->from + (uint32_t)(share * (source->stop - source->from));
  return row < source->stop ? row : source->stop;
}

/* Reads the keys of a run around [key_min, key_max]: first where they are if keys are spread
 * evenly; when that was wrong, all. Afterwards what is read begins below key_min or at the run, and
 * ends above key_max or with the run. */
static int find_keys(struct store_scan *scan, struct scan_source *source, int64_t key_min,
                     int64_t key_max, struct err *err) {
  enum { MARGIN = 4 };
  struct scan_slot *slot = source->slot;
  uint32_t low = guess(source, key_min), high = guess(source, key_max);
  low = low > source->from + MARGIN ? low - MARGIN : source->from;
  high = source->stop - high > MARGIN ? high + MARGIN : source->stop;
  if (low >= high) low = source->from;
  int code = scan__slot_keys(scan, slot, low, high, err);
  if (code) return code;
  const struct scan_rows *read = &slot->keys_read;
  bool begins = read->from <= source->from || slot->keys[read->from] < key_min;
  bool ends = read->to >= source->stop || slot->keys[read->to - 1] > key_max;
  if (begins && ends) return ERR_OK;
  return scan__slot_keys(scan, slot, source->from, source->stop, err);
}

/* The same without the keys: [from, stop) of the run becomes what lies in the range, and lo and hi
 * are found. *done false: the keys must be read. */
static int search_keys(struct store_scan *scan, struct scan_source *source, int64_t key_min,
                       int64_t key_max, bool *done, struct err *err) {
  const struct codec_image *image;
  int64_t bounds[2] = {key_min - (key_min != INT64_MIN), key_max};
  uint32_t rows[2], absent;
  *done = false;
  if (!source->part || source->slot->keys_read.to || key_min == INT64_MIN || key_min > key_max)
    return ERR_OK;
  int code = scan__slot_key_image(scan, source->slot, &image, err);
  if (!code) code = codec_search(image, source->from, source->stop, bounds, 2, rows, done, err);
  if (code || !*done) return code == ERR_CORRUPTION ? ERR_OK : code;
  source->from = rows[0];
  source->to = source->stop = rows[1];
  if (rows[0] >= rows[1]) return ERR_OK;
  uint32_t ends[2] = {rows[0], rows[1] - 1};
  uint64_t keys[2];
  bool one = ends[0] == ends[1];
  code = codec_pick(image, ends, one ? 1 : 2, keys, NULL, &absent, err);
  source->lo = (int64_t)keys[0];
  source->hi = (int64_t)keys[one ? 0 : 1];
  return code;
}

int scan__clip(struct store_scan *scan, struct scan_source *source, bool *ready, struct err *err) {
  int64_t key_min = scan__key_min(scan, scan->current),
          key_max = scan__key_max(scan, scan->current);
  bool inside = source->lo >= key_min && source->hi <= key_max;
  bool touched = false;
  int code;
  *ready = true;
  if (source->deletion_first < scan->deletion_count) {
    if (!source->cuts_known && (code = scan__find_cuts(scan, source, err))) return code;
    while (source->cut_at < source->cut_count && source->cuts[source->cut_at].key_max < source->lo)
      source->cut_at++;
    const struct scan_cut *cut = &source->cuts[source->cut_at];
    touched = source->cut_at < source->cut_count && cut->key_min <= source->hi;
    if (touched && cut->key_min <= source->lo && cut->key_max >= source->hi) {
      scan__advance(scan, source); /* all of it is deleted */
      return ERR_OK;
    }
  }
  if (inside && !touched) {
    source->clipped = true;
    return ERR_OK;
  }
  code = scan__slot(scan, source, ready, err);
  if (code || !*ready) return code;
  bool found = false;
  if (!touched) code = search_keys(scan, source, key_min, key_max, &found, err);
  if (code) return code;
  if (found && source->from < source->stop) {
    source->clipped = true;
    return ERR_OK;
  }
  if (found) {
    scan__advance(scan, source);
    return ERR_OK;
  }
  code = touched ? scan__slot_keys(scan, source->slot, source->from, source->stop, err)
                 : find_keys(scan, source, key_min, key_max, err);
  if (code) return code;
  const int64_t *keys = source->slot->keys;
  uint32_t read_from = source->slot->keys_read.from, read_to = source->slot->keys_read.to;
  if (source->from < read_from) source->from = read_from; /* what is before is below the range */
  if (source->stop > read_to) source->stop = read_to;
  source->from = scan__lower(keys, source->from, source->stop, key_min);
  source->stop = scan__upper(keys, source->from, source->stop, key_max);
  clip_cuts(source, keys);
  if (source->from >= source->stop) {
    scan__advance(scan, source);
    return ERR_OK;
  }
  source->lo = keys[source->from];
  source->hi = keys[source->to - 1];
  source->clipped = true;
  return ERR_OK;
}
