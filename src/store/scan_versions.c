/* Several rows of a place in one input: marks, history, and reading as of a commit.
 *
 * Most inputs have a key once in a series. Those that do not say so in block metadata: a block is
 * **versioned** when it has values of the column of marks (a mark, or a row behind another one of
 * its place), when its neighbour may go on with its last place, when it has rows of commits that
 * are not to be seen, or when a tombstone of the part itself touches it. Versioned blocks are never
 * passed whole or as slices: their rows go through windows, in order of (key, age), and are folded
 * here place by place.
 *
 * Of a place, rows up to a commit, which are **settled**, fold: a mark takes away what came before
 * it, a tombstone what is older than itself, of the rest the newest wins. For a reader it is the
 * commit as of which it reads, and newer rows are left out. An output, whose settled rows are those
 * that history does not keep, plans newer rows as they are, behind what the others come to, and
 * keeps marks as long as something older may lie below.
 *
 * A place may go on behind the window, the block or the chunk. So the last one stays open until a
 * row of another place comes. Until then its rows are picks; when the chunk ends, whose blocks are
 * given up, they are folded into a row of their own and carried along. So the versions of one place
 * may be any number. */
#include "store/scan_private.h"

#include <assert.h>

#include "base/bitmap.h"
#include "base/err.h"

enum { CARRIED_MARK = 0, CARRIED_ROW = 1, CARRIED_ROWS = 2, BATCH = 128 };

/* ---- which blocks ---- */

static int block_versioned(struct store_scan *scan, struct scan_source *source, uint32_t at,
                           bool marks, bool *versioned, struct err *err) {
  const struct part_block *block = &source->blocks[at];
  struct column_statistics statistics;
  int code;
  *versioned = false;
  if (marks) {
    code = part_statistics(source->part, at, STORE_COLUMN_MARK, &statistics, err);
    if (code) return code;
    *versioned = statistics.count > 0;
  }
  if (!*versioned && source->has_commits && scan->as_of < UINT64_MAX) {
    code = part_statistics(source->part, at, STORE_COLUMN_COMMIT, &statistics, err);
    if (code) return code;
    *versioned = statistics.count > 0 && statistics.max.u64 > scan->as_of;
  }
  if (!*versioned && source->inner_first < source->deletion_first) {
    struct scan_region region = {block->series_first, block->series_last,  block->key_min,
                                 block->key_max,      source->inner_first, source->deletion_first};
    *versioned = scan__deletion_touches(scan, &region);
  }
  return ERR_OK;
}

int scan__find_versions(struct store_scan *scan, struct scan_source *source,
                        const struct store_part_facts *facts, struct err *err) {
  const uint32_t *ids;
  const struct type *types;
  uint32_t count = source->end;
  bool marks = false;
  if (source->part) {
    uint32_t columns = part_columns(source->part, &ids, &types);
    for (uint32_t i = columns; i-- > 0 && ids[i] >= STORE_COLUMN_RESERVED;) {
      marks |= ids[i] == STORE_COLUMN_MARK;
      source->has_commits |= ids[i] == STORE_COLUMN_COMMIT;
    }
    if (part_has_history(source->part)) {
      uint64_t carried_out =
          source->commit < facts->commit_min ? facts->commit_min : source->commit;
      source->inner_first = scan__deletions_above(scan, carried_out);
    }
    bool inner = source->inner_first < source->deletion_first;
    if (!marks && !source->has_commits && !inner) return ERR_OK;
  } else if (!source->view->versioned) {
    return ERR_OK;
  }
  bool *versioned = arena_alloc_zero(&scan->memory, count + 1);
  if (!versioned) return scan__refused(&scan->memory, count + 1, err);
  for (uint32_t i = source->at; i < count; i++) {
    const struct part_block *block = &source->blocks[i];
    versioned[i] = !source->part;
    int code = source->part ? block_versioned(scan, source, i, marks, &versioned[i], err) : ERR_OK;
    if (code) return code;
    if (i > source->at && block[-1].series_last == block->series_first &&
        block[-1].key_max >= block->key_min)
      versioned[i] = versioned[i - 1] = true;
  }
  source->versioned = versioned;
  return ERR_OK;
}

bool scan__versions_touch(const struct store_scan *scan, uint64_t series, int64_t lo, int64_t hi) {
  for (uint32_t i = 0; scan->versions && i < scan->active_count; i++) {
    const struct scan_source *source = &scan->sources[scan->active[i]];
    if (!source->versioned || scan->series[source->index] != series) continue;
    for (uint32_t b = source->at; b < source->end && source->blocks[b].series_first <= series; b++)
      if (source->versioned[b] && source->blocks[b].key_min <= hi &&
          source->blocks[b].key_max >= lo)
        return true;
  }
  return false;
}

/* ---- what rows say of themselves ---- */

static struct scan_slot *slot_of(struct store_scan *scan, uint32_t pick) {
  uint32_t ordinal = pick >> SCAN_ROW_BITS;
  if (ordinal == scan->source_count * SCAN_SLOTS) return &scan->place.carried[scan->place.carrying];
  return &scan->sources[ordinal / SCAN_SLOTS].slots[ordinal % SCAN_SLOTS];
}

struct scan_version {
  uint64_t commit;
  bool mark;
};

static int read_version(struct store_scan *scan, uint32_t pick, struct scan_version *version,
                        struct err *err) {
  struct scan_slot *slot = slot_of(scan, pick);
  const struct scan_source *source = slot->source;
  uint32_t row = pick & (SCAN_ROWS_MAX - 1);
  int code;
  *version = (struct scan_version){source->commit, false};
  if (!source->versioned) return ERR_OK;
  if (source->has_commits) {
    code = scan__slot_column(scan, slot, scan->commit_column, row, row + 1, err);
    if (code) return code;
    const struct column *commits = &slot->columns[scan->commit_column];
    if (column_is_valid(commits, row)) version->commit = commits->u64[row];
  }
  if (!source->has[scan->mark_column]) return ERR_OK;
  code = scan__slot_column(scan, slot, scan->mark_column, row, row + 1, err);
  if (code) return code;
  const struct column *marks = &slot->columns[scan->mark_column];
  version->mark = column_is_valid(marks, row) && bit_get(marks->bits, row);
  return ERR_OK;
}

/* Whether a tombstone of the input itself deletes the row. */
static bool deleted_within(struct store_scan *scan, const struct scan_source *source, int64_t key,
                           uint64_t commit) {
  if (source->inner_first >= source->deletion_first) return false;
  uint32_t first = scan__deletions_above(scan, commit);
  struct scan_region region = {scan->current,
                               scan->current,
                               key,
                               key,
                               first < source->inner_first ? source->inner_first : first,
                               source->deletion_first};
  return scan__deletion_touches(scan, &region);
}

bool store__may_be_older(const struct scan_keep *keep, const uint64_t *series, size_t series_count,
                         int64_t key_min, int64_t key_max) {
  if (keep->oldest) return false;
  if (!keep->older) return true;
  for (uint32_t i = 0; i < keep->older_count; i++) {
    struct store_part_facts facts;
    store_part_facts(keep->older[i], &facts);
    if (facts.rows == 0 || facts.key_min > key_max || facts.key_max < key_min) continue;
    if (!series) return true;
    for (size_t s = 0; s < series_count; s++)
      if (series[s] >= facts.series_min && series[s] <= facts.series_max) return true;
  }
  return false;
}

/* ---- planning rows of places ---- */

/* Rows on their way into the plan. */
struct row_batch {
  struct store_scan *scan;
  uint32_t picks[BATCH];
  uint32_t count, folds;
  int64_t lo, hi;
};

static int batch_end(struct row_batch *batch, struct err *err) {
  uint32_t count = batch->count, folds = batch->folds;
  batch->count = batch->folds = 0;
  if (count == 0) return ERR_OK;
  return scan__plan_picks(batch->scan, batch->picks, count, batch->lo, batch->hi, folds, err);
}

static int batch_add(struct row_batch *batch, int64_t key, uint32_t pick, struct err *err) {
  int code = batch->count == BATCH ? batch_end(batch, err) : ERR_OK;
  if (code) return code;
  struct scan_slot *slot = slot_of(batch->scan, pick);
  if (slot->source == &batch->scan->place.source)
    scan__plan_refer(batch->scan, slot, 0, CARRIED_ROWS);
  if (batch->count == 0) batch->lo = key;
  batch->hi = key;
  batch->picks[batch->count++] = pick;
  batch->scan->place.planned = true;
  return ERR_OK;
}

/* Rows that the row added next is folded from. */
static int batch_fold(struct row_batch *batch, const uint32_t *rows, uint32_t count,
                      struct err *err) {
  struct scan_plan *plan = &batch->scan->plan;
  /* Growing keeps only what the plan has already. */
  bool grows = plan->fold_count + batch->folds + count > plan->fold_capacity;
  int code = batch->count == BATCH || grows ? batch_end(batch, err) : ERR_OK;
  if (!code) code = scan__plan_reserve_folds(batch->scan, batch->folds + count, err);
  if (code) return code;
  for (uint32_t i = 0; i < count; i++) {
    struct scan_slot *slot = slot_of(batch->scan, rows[i]);
    if (slot->source == &batch->scan->place.source)
      scan__plan_refer(batch->scan, slot, 0, CARRIED_ROWS);
    plan->fold_pick[plan->fold_count + batch->folds] = rows[i];
    plan->fold_row[plan->fold_count + batch->folds++] = plan->rows + batch->count;
  }
  return ERR_OK;
}

/* What the settled rows come to. */
static int settle_place(struct row_batch *batch, struct err *err) {
  struct store_scan *scan = batch->scan;
  struct scan_place *place = &scan->place;
  int code = ERR_OK;
  if (place->marked && scan->keep &&
      store__may_be_older(scan->keep, &place->series, 1, place->key, place->key))
    code = batch_add(batch, place->key, place->mark, err);
  if (!code && place->count > 1) code = batch_fold(batch, place->rows, place->count, err);
  if (!code && place->count > 0)
    code = batch_add(batch, place->key, place->rows[place->count - 1], err);
  place->marked = false;
  place->count = 0;
  return code;
}

static int place_reserve(struct store_scan *scan, struct err *err) {
  struct scan_place *place = &scan->place;
  if (place->count < place->capacity) return ERR_OK;
  uint32_t capacity = place->capacity ? place->capacity * 2 : 32;
  uint32_t *rows = mem_resize(scan->account, place->rows, place->capacity * sizeof *rows,
                              capacity * sizeof *rows);
  if (!rows) return mem_refused(scan->account, capacity * sizeof *rows, err);
  place->rows = rows;
  place->capacity = capacity;
  return ERR_OK;
}

/* A row of the open place. */
static int place_row(struct row_batch *batch, uint32_t pick, struct err *err) {
  struct store_scan *scan = batch->scan;
  struct scan_place *place = &scan->place;
  struct scan_version version;
  int code = read_version(scan, pick, &version, err);
  if (code || version.commit > scan->as_of) return code;
  if (version.commit > scan->settled) {
    if (!place->passed && (code = settle_place(batch, err))) return code;
    place->passed = true;
    bool idle = version.mark && !place->planned &&
                !store__may_be_older(scan->keep, &place->series, 1, place->key, place->key);
    return idle ? ERR_OK : batch_add(batch, place->key, pick, err);
  }
  if (deleted_within(scan, slot_of(scan, pick)->source, place->key, version.commit)) return ERR_OK;
  if (version.mark) {
    place->marked = true;
    place->mark = pick;
    place->count = 0;
    return ERR_OK;
  }
  if (scan->policy == STORE_NEWEST_ROW) place->count = 0;
  if ((code = place_reserve(scan, err))) return code;
  place->rows[place->count++] = pick;
  return ERR_OK;
}

static int close_place(struct row_batch *batch, struct err *err) {
  struct scan_place *place = &batch->scan->place;
  if (!place->open) return ERR_OK;
  place->open = false;
  return place->passed ? ERR_OK : settle_place(batch, err);
}

int scan__close_place(struct store_scan *scan, struct err *err) {
  struct row_batch batch = {.scan = scan};
  int code = close_place(&batch, err);
  return code ? code : batch_end(&batch, err);
}

int scan__fold_versions(struct store_scan *scan, const int64_t *keys, const uint32_t *picks,
                        uint32_t count, struct err *err) {
  struct row_batch batch = {.scan = scan};
  struct scan_place *place = &scan->place;
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    if (!place->open || place->key != keys[i]) {
      if ((code = close_place(&batch, err))) return code;
      place->open = true;
      place->passed = place->planned = place->marked = false;
      place->count = 0;
      place->series = scan->current;
      place->key = keys[i];
    }
    code = place_row(&batch, picks[i], err);
  }
  return code ? code : batch_end(&batch, err);
}

/* ---- carrying a place along ---- */

/* The newest of the place's rows that has the column; false: none has. */
static int newest_with(struct store_scan *scan, uint32_t i, const struct column **column,
                       uint32_t *row, bool *found, struct err *err) {
  const struct scan_place *place = &scan->place;
  *found = false;
  for (uint32_t at = place->count; at-- > 0 && !*found;) {
    struct scan_slot *slot = slot_of(scan, place->rows[at]);
    *row = place->rows[at] & (SCAN_ROWS_MAX - 1);
    int code = scan__slot_column(scan, slot, i, *row, *row + 1, err);
    if (code) return code;
    *column = &slot->columns[i];
    *found = column_is_valid(*column, *row);
  }
  return ERR_OK;
}

/* Column i of the carried rows. */
static int carry_column(struct store_scan *scan, struct scan_slot *to, uint32_t i,
                        struct err *err) {
  const struct column *from = NULL;
  uint32_t row;
  bool found, mark = scan->column_ids[i] == STORE_COLUMN_MARK && scan->place.marked;
  int code = newest_with(scan, i, &from, &row, &found, err);
  if (code) return code;
  size_t text = found && type_is_string(from->type)
                    ? (size_t)(from->offsets[row + 1] - from->offsets[row])
                    : 0;
  uint64_t *words = arena_alloc_zero(&to->arena, 4 * sizeof *words + text);
  if (!words) return scan__refused(&to->arena, 4 * sizeof *words + text, err);
  struct column *column = &to->columns[i];
  *column = (struct column){.type = scan->types[i],
                            .length = CARRIED_ROWS,
                            .null_count = CARRIED_ROWS - (uint32_t)found - (uint32_t)mark,
                            .validity = words,
                            .values = words + 1,
                            .data = (const char *)(words + 3)};
  words[0] = (uint64_t)found << CARRIED_ROW | (uint64_t)mark << CARRIED_MARK;
  if (mark) words[1] |= 1u << CARRIED_MARK;
  to->columns_read[i] = (struct scan_rows){0, CARRIED_ROWS};
  if (!found) return ERR_OK;
  if (text) {
    ((int32_t *)(words + 1))[CARRIED_ROW + 1] = (int32_t)text;
    memcpy(words + 3, from->data + from->offsets[row], text);
  } else if (scan->types[i].physical == PHYSICAL_BOOL) {
    words[1] |= (uint64_t)bit_get(from->bits, row) << CARRIED_ROW;
  } else if (!type_is_string(from->type)) {
    words[1 + CARRIED_ROW] = from->u64[row];
  }
  return ERR_OK;
}

static int carried_init(struct store_scan *scan, struct scan_slot *slot, struct err *err) {
  if (slot->columns) return ERR_OK;
  size_t columns = scan->column_total + 1;
  size_t size = columns * (sizeof *slot->columns + sizeof *slot->columns_read);
  *slot =
      (struct scan_slot){.source = &scan->place.source, .ordinal = scan->source_count * SCAN_SLOTS};
  scan->place.source.index = scan->source_count;
  if (!(slot->columns = arena_alloc(&scan->memory, size)))
    return scan__refused(&scan->memory, size, err);
  slot->columns_read = (struct scan_rows *)(slot->columns + columns);
  arena_init(&slot->arena, scan->account, 1024);
  return ERR_OK;
}

int scan__carry_place(struct store_scan *scan, struct err *err) {
  struct scan_place *place = &scan->place;
  if (!place->open || (!place->marked && place->count == 0)) return ERR_OK;
  struct scan_slot *to = &place->carried[1 - place->carrying];
  int code = carried_init(scan, to, err);
  if (code) return code;
  arena_reset(&to->arena);
  for (uint32_t i = 0; i < scan->column_total && !code; i++)
    code = carry_column(scan, to, i, err);
  int64_t *keys = code ? NULL : arena_alloc(&to->arena, CARRIED_ROWS * sizeof *keys);
  if (!code && !keys) code = scan__refused(&to->arena, CARRIED_ROWS * sizeof *keys, err);
  if (code) return code;
  keys[CARRIED_MARK] = keys[CARRIED_ROW] = place->key;
  to->keys = keys;
  to->keys_read = (struct scan_rows){0, CARRIED_ROWS};
  to->chunk = 0;
  place->carrying = 1 - place->carrying;
  if (place->marked) place->mark = scan__pick(to, CARRIED_MARK);
  if (place->count) {
    place->rows[0] = scan__pick(to, CARRIED_ROW);
    place->count = 1;
  }
  return ERR_OK;
}

void scan__place_deinit(struct store_scan *scan) {
  struct scan_place *place = &scan->place;
  for (int i = 0; i < 2; i++)
    if (place->carried[i].columns) arena_deinit(&place->carried[i].arena);
  mem_free(scan->account, place->rows, place->capacity * sizeof *place->rows);
}
