/* A chunk: first a plan of where its rows lie, then columns for those who ask.
 *
 * The plan is a list of pieces: slices (consecutive rows of a decoded block) and picks (a block and
 * row for each row of the chunk). Nothing is decoded for a column until it is loaded; then it is
 * decoded once per block, and copied slice by slice and pick by pick into one array. A chunk of a
 * single slice borrows the block's own arrays. */
#include "store/scan_private.h"

#include <assert.h>

#include "base/bitmap.h"
#include "base/err.h"

/* ---- the plan ---- */

static int plan_array(struct store_scan *scan, void *array, uint32_t *capacity, uint32_t needed,
                      size_t width, struct err *err) {
  void **at = array;
  if (needed <= *capacity) return ERR_OK;
  uint32_t larger = *capacity ? *capacity : 64;
  while (larger < needed)
    larger *= 2;
  void *memory = mem_resize(scan->account, *at, *capacity * width, larger * width);
  if (!memory) return mem_refused(scan->account, larger * width, err);
  *at = memory;
  *capacity = larger;
  return ERR_OK;
}

int scan__plan_init(struct store_scan *scan, struct err *err) {
  uint32_t ordinals = scan->source_count * SCAN_SLOTS + 1;
  size_t size = ordinals * (sizeof *scan->plan.slots + sizeof *scan->base_values +
                            sizeof *scan->base_validity + sizeof *scan->base_data);
  uint8_t *memory = arena_alloc(&scan->memory, size);
  if (!memory) return scan__refused(&scan->memory, size, err);
  scan->plan.slots = (struct scan_slot **)memory;
  scan->base_values = (const void **)(scan->plan.slots + ordinals);
  scan->base_validity = (const uint64_t **)(scan->base_values + ordinals);
  scan->base_data = (const char **)(scan->base_validity + ordinals);
  size_t columns = scan->spec.column_count + 1;
  size = columns *
         (sizeof *scan->plan.columns + sizeof *scan->plan.statistics + sizeof *scan->plan.outputs);
  scan->plan.columns = arena_alloc_zero(&scan->memory, size);
  if (!scan->plan.columns) return scan__refused(&scan->memory, size, err);
  scan->plan.statistics = (struct column_statistics *)(scan->plan.columns + columns);
  scan->plan.outputs = (struct scan_output *)(scan->plan.statistics + columns);
  return ERR_OK;
}

/* Bytes of values for so many rows: words, and one more for offsets. */
static size_t output_bytes(uint32_t rows) { return ((size_t)rows + 1) * 8; }

static void output_free(struct store_scan *scan, struct scan_output *output) {
  mem_free(scan->account, output->values, output_bytes(output->capacity));
  mem_free(scan->account, output->validity, bit_words(output->capacity) * 8);
  *output = (struct scan_output){0};
}

/* Room for the chunk's rows; validity only where it is asked for. */
static int output_reserve(struct store_scan *scan, struct scan_output *output, bool nulls,
                          struct err *err) {
  uint32_t rows = scan->plan.rows, capacity = output->capacity;
  if (rows > capacity) {
    output_free(scan, output);
    capacity = 64;
    while (capacity < rows)
      capacity *= 2;
    output->values = mem_alloc(scan->account, output_bytes(capacity));
    if (!output->values) return mem_refused(scan->account, output_bytes(capacity), err);
    output->capacity = capacity;
  }
  if (!nulls || output->validity) return ERR_OK;
  output->validity = mem_alloc(scan->account, bit_words(capacity) * 8);
  return output->validity ? ERR_OK : mem_refused(scan->account, bit_words(capacity) * 8, err);
}

void scan__plan_deinit(struct store_scan *scan) {
  struct scan_plan *plan = &scan->plan;
  for (uint32_t i = 0; plan->outputs && i <= scan->spec.column_count; i++)
    output_free(scan, &plan->outputs[i]);
  mem_free(scan->account, plan->pieces, plan->piece_capacity * sizeof *plan->pieces);
  mem_free(scan->account, plan->runs, plan->run_capacity * sizeof *plan->runs);
  mem_free(scan->account, plan->fold_pick, plan->fold_capacity * 2 * sizeof *plan->fold_pick);
}

void scan__plan_reset(struct store_scan *scan) {
  struct scan_plan *plan = &scan->plan;
  plan->number++;
  plan->rows = 0;
  plan->full = false;
  plan->piece_count = 0;
  plan->run_count = 0;
  plan->key_min = INT64_MAX;
  plan->key_max = INT64_MIN;
  plan->fold_count = 0;
  plan->slot_count = 0;
  plan->direct_runs = NULL;
  plan->keys_loaded = false;
  arena_reset(&scan->chunk);
  for (uint32_t i = 0; i < scan->spec.column_count; i++)
    plan->columns[i].length = 0;
}

void scan__plan_refer(struct store_scan *scan, struct scan_slot *slot, uint32_t from,
                      uint32_t count) {
  if (slot->chunk == scan->plan.number) {
    if (from < slot->needed.from) slot->needed.from = from;
    if (from + count > slot->needed.to) slot->needed.to = from + count;
    return;
  }
  slot->needed = (struct scan_rows){from, from + count};
  slot->chunk = scan->plan.number;
  slot->handed = true;
  scan->plan.slots[scan->plan.slot_count++] = slot;
}

/* Room for one more piece and one more run. */
static int plan_reserve(struct store_scan *scan, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  if (plan->piece_count < plan->piece_capacity && plan->run_count < plan->run_capacity)
    return ERR_OK;
  int code = plan_array(scan, &plan->pieces, &plan->piece_capacity, plan->piece_count + 1,
                        sizeof *plan->pieces, err);
  if (code) return code;
  return plan_array(scan, &plan->runs, &plan->run_capacity, plan->run_count + 1, sizeof *plan->runs,
                    err);
}

static void plan_rows(struct store_scan *scan, uint32_t count, int64_t lo, int64_t hi) {
  struct scan_plan *plan = &scan->plan;
  if (plan->run_count && plan->runs[plan->run_count - 1].series == scan->current)
    plan->runs[plan->run_count - 1].rows += count;
  else
    plan->runs[plan->run_count++] = (struct store_run){scan->current, plan->rows, count};
  if (lo < plan->key_min) plan->key_min = lo;
  if (hi > plan->key_max) plan->key_max = hi;
  plan->rows += count;
  scan->planned = scan->current;
  scan->planned_key = hi;
  scan->figures.rows_returned += count;
}

static int plan_init_picks(struct store_scan *scan, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  if (plan->picks) return ERR_OK;
  size_t size = SCAN_ROWS_MAX * 2 * sizeof *plan->picks;
  plan->picks = arena_alloc(&scan->memory, size);
  if (!plan->picks) return scan__refused(&scan->memory, size, err);
  scan->effective = plan->picks + SCAN_ROWS_MAX;
  return ERR_OK;
}

/* The last piece, if a short slice, becomes picks, together with picks before it: something that
 * does not follow it comes next. */
static int settle_last(struct store_scan *scan, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  if (plan->piece_count == 0) return ERR_OK;
  struct scan_piece *last = &plan->pieces[plan->piece_count - 1];
  if (!last->slot || last->rows >= SCAN_SHORT) return ERR_OK;
  if (scan__wants_ends(scan, &last->slot->source->blocks[last->slot->block])) return ERR_OK;
  int code = plan_init_picks(scan, err);
  if (code) return code;
  uint32_t pick = scan__pick(last->slot, last->from);
  for (uint32_t i = 0; i < last->rows; i++)
    plan->picks[last->row + i] = pick + i;
  if (plan->piece_count > 1 && !last[-1].slot) {
    last[-1].rows += last->rows;
    plan->piece_count--;
  } else {
    *last = (struct scan_piece){.row = last->row, .rows = last->rows, .fold = plan->fold_count};
  }
  return ERR_OK;
}

int scan__plan_slice(struct store_scan *scan, struct scan_slot *slot, uint32_t from, uint32_t count,
                     int64_t lo, int64_t hi, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  assert(count > 0 && count <= scan__room(scan));
  int code = plan_reserve(scan, err);
  if (code) return code;
  struct scan_piece *last = plan->piece_count ? &plan->pieces[plan->piece_count - 1] : NULL;
  if (last && last->slot == slot && last->from + last->rows == from) {
    last->rows += count;
  } else {
    if ((code = settle_last(scan, err))) return code;
    plan->pieces[plan->piece_count++] = (struct scan_piece){
        .slot = slot, .from = from, .row = plan->rows, .rows = count, .key = lo};
  }
  scan__plan_refer(scan, slot, from, count);
  plan_rows(scan, count, lo, hi);
  return ERR_OK;
}

int scan__plan_short(struct store_scan *scan, struct scan_slot *slot, uint32_t from, uint32_t count,
                     int64_t lo, int64_t hi, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  uint32_t pick = scan__pick(slot, from);
  struct scan_piece *last = plan->piece_count ? &plan->pieces[plan->piece_count - 1] : NULL;
  scan__plan_refer(scan, slot, from, count);
  if (!last || last->slot) {
    uint32_t picks[SCAN_SHORT];
    for (uint32_t i = 0; i < count; i++)
      picks[i] = pick + i;
    return scan__plan_picks(scan, picks, count, lo, hi, 0, err);
  }
  int code = plan_reserve(scan, err);
  if (code) return code;
  last = &plan->pieces[plan->piece_count - 1];
  for (uint32_t i = 0; i < count; i++)
    plan->picks[plan->rows + i] = pick + i;
  last->rows += count;
  plan_rows(scan, count, lo, hi);
  return ERR_OK;
}

int scan__plan_block(struct store_scan *scan, struct scan_slot *slot, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  const struct part_block *block = &slot->source->blocks[slot->block];
  int code = plan_reserve(scan, err);
  if (!code) code = scan__slot_runs(slot, err);
  if (code) return code;
  plan->pieces[plan->piece_count++] =
      (struct scan_piece){.slot = slot, .rows = block->rows, .key = block->key_min};
  plan->direct_runs = slot->runs;
  plan->run_count = block->runs;
  plan->rows = block->rows;
  scan->planned = block->series_last;
  scan->planned_key = slot->run_keys ? slot->run_keys[2 * block->runs - 1] : block->key_max;
  plan->key_min = block->key_min;
  plan->key_max = block->key_max;
  scan->figures.rows_returned += block->rows;
  scan__plan_refer(scan, slot, 0, block->rows);
  return ERR_OK;
}

int scan__plan_reserve_folds(struct store_scan *scan, uint32_t count, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  uint32_t capacity = plan->fold_capacity;
  if (plan->fold_count + count <= capacity) return ERR_OK;
  capacity = capacity ? capacity : 256;
  while (capacity < plan->fold_count + count)
    capacity *= 2;
  size_t size = (size_t)capacity * 2 * sizeof *plan->fold_pick;
  uint32_t *memory = mem_alloc(scan->account, size);
  if (!memory) return mem_refused(scan->account, size, err);
  if (plan->fold_capacity) { /* all of it: the caller may have filled some behind the count */
    memcpy(memory, plan->fold_pick, plan->fold_capacity * sizeof *memory);
    memcpy(memory + capacity, plan->fold_row, plan->fold_capacity * sizeof *memory);
  }
  mem_free(scan->account, plan->fold_pick, (size_t)plan->fold_capacity * 2 * sizeof *memory);
  plan->fold_pick = memory;
  plan->fold_row = memory + capacity;
  plan->fold_capacity = capacity;
  return ERR_OK;
}

int scan__plan_picks(struct store_scan *scan, const uint32_t *picks, uint32_t count, int64_t lo,
                     int64_t hi, uint32_t folds, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  assert(count > 0 && count <= scan__room(scan));
  int code = plan_reserve(scan, err);
  if (!code) code = plan_init_picks(scan, err);
  if (!code) code = settle_last(scan, err);
  if (code) return code;
  memcpy(plan->picks + plan->rows, picks, count * sizeof *picks);
  struct scan_piece *last = plan->piece_count ? &plan->pieces[plan->piece_count - 1] : NULL;
  if (last && !last->slot) {
    last->rows += count;
    last->folds += folds;
  } else {
    plan->pieces[plan->piece_count++] = (struct scan_piece){
        .row = plan->rows, .rows = count, .fold = plan->fold_count, .folds = folds};
  }
  plan->fold_count += folds;
  plan_rows(scan, count, lo, hi);
  return ERR_OK;
}

/* ---- describing ---- */

/* The slot whose whole block is the chunk, or NULL. */
static struct scan_slot *whole_block(const struct store_scan *scan) {
  const struct scan_piece *piece = scan->plan.pieces;
  if (scan->plan.piece_count != 1 || !piece->slot || piece->from != 0) return NULL;
  return piece->rows == piece->slot->source->blocks[piece->slot->block].rows ? piece->slot : NULL;
}

int scan__chunk_describe(struct store_scan *scan, struct store_chunk *chunk, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  *chunk = (struct store_chunk){.rows = plan->rows,
                                .run_count = plan->run_count,
                                .runs = plan->direct_runs ? plan->direct_runs : plan->runs,
                                .key_min = plan->key_min,
                                .key_max = plan->key_max,
                                .columns = plan->columns};
  struct scan_slot *whole = whole_block(scan);
  if (!whole || !whole->source->part) return ERR_OK;
  for (uint32_t i = 0; i < scan->spec.column_count; i++) {
    if (!whole->source->has[i]) {
      column_statistics_init(&plan->statistics[i]);
      continue;
    }
    int code = part_statistics(whole->source->part, whole->block, scan->column_ids[i],
                               &plan->statistics[i], err);
    if (code) return code;
  }
  chunk->statistics = plan->statistics;
  return ERR_OK;
}

/* ---- loading ---- */

static void *chunk_memory(struct store_scan *scan, size_t size, struct err *err, int *code) {
  void *memory = arena_alloc(&scan->chunk, (size + 7) & ~(size_t)7);
  *code = memory ? ERR_OK : scan__refused(&scan->chunk, size, err);
  return memory;
}

static bool pick_valid(const struct store_scan *scan, uint32_t pick) {
  const uint64_t *validity = scan->base_validity[pick >> SCAN_ROW_BITS];
  return !validity || bit_get(validity, pick & (SCAN_ROWS_MAX - 1));
}

/* The picks of a piece for a column with nulls: where columns fold, the newest row that has a
 * value. */
static const uint32_t *effective_picks(struct store_scan *scan, const struct scan_piece *piece,
                                       bool nulls) {
  const struct scan_plan *plan = &scan->plan;
  const uint32_t *picks = plan->picks + piece->row;
  if (!piece->folds || !nulls) return picks;
  memcpy(scan->effective, picks, piece->rows * sizeof *picks);
  for (uint32_t i = piece->fold; i < piece->fold + piece->folds; i++)
    if (pick_valid(scan, plan->fold_pick[i]))
      scan->effective[plan->fold_row[i] - piece->row] = plan->fold_pick[i];
  return scan->effective;
}

/* Bits of picked rows, put at bit `at`; a NULL base is all ones. */
static void gather_bits(const void *const *bases, const uint32_t *picks, uint32_t count,
                        uint64_t *bits, uint32_t at) {
  for (uint32_t done = 0; done < count;) {
    uint32_t step = count - done < 64 ? count - done : 64;
    uint64_t word = 0;
    for (uint32_t i = 0; i < step; i++) {
      const uint64_t *base = bases[picks[done + i] >> SCAN_ROW_BITS];
      uint64_t bit = !base || bit_get(base, picks[done + i] & (SCAN_ROWS_MAX - 1));
      word |= bit << i;
    }
    bits_copy(bits, at + done, &word, 0, step);
    done += step;
  }
}

static void load_validity(struct store_scan *scan, uint64_t *validity) {
  const struct scan_plan *plan = &scan->plan;
  for (uint32_t i = 0; i < plan->piece_count; i++) {
    const struct scan_piece *piece = &plan->pieces[i];
    if (!piece->slot) {
      const uint32_t *picks = effective_picks(scan, piece, true);
      gather_bits((const void *const *)scan->base_validity, picks, piece->rows, validity,
                  piece->row);
      continue;
    }
    const uint64_t *from = scan->base_validity[piece->slot->ordinal];
    if (from)
      bits_copy(validity, piece->row, from, piece->from, piece->rows);
    else
      bits_fill(validity, piece->row, piece->rows, true);
  }
}

static void load_words(struct store_scan *scan, uint64_t *values, bool nulls) {
  const struct scan_plan *plan = &scan->plan;
  for (uint32_t i = 0; i < plan->piece_count; i++) {
    const struct scan_piece *piece = &plan->pieces[i];
    uint64_t *to = values + piece->row;
    if (piece->slot) {
      const uint64_t *from = scan->base_values[piece->slot->ordinal];
      from += piece->from;
      if (piece->rows < 16)
        for (uint32_t j = 0; j < piece->rows; j++)
          to[j] = from[j];
      else
        memcpy(to, from, piece->rows * sizeof *to);
      continue;
    }
    const uint32_t *picks = effective_picks(scan, piece, nulls);
    for (uint32_t j = 0; j < piece->rows; j++) {
      const uint64_t *from = scan->base_values[picks[j] >> SCAN_ROW_BITS];
      to[j] = from[picks[j] & (SCAN_ROWS_MAX - 1)];
    }
  }
}

/* Keys of slices of one row each, which were planned by them; *done false: they are not all. */
static int know_keys(struct store_scan *scan, struct store_chunk *chunk, bool *done,
                     struct err *err) {
  const struct scan_plan *plan = &scan->plan;
  struct scan_output *output = &scan->plan.outputs[scan->spec.column_count];
  *done = plan->piece_count == plan->rows;
  for (uint32_t i = 0; i < plan->piece_count && *done; i++)
    *done = plan->pieces[i].slot != NULL;
  if (!*done) return ERR_OK;
  int code = output_reserve(scan, output, false, err);
  if (code) return code;
  for (uint32_t i = 0; i < plan->piece_count; i++)
    output->values[i] = (uint64_t)plan->pieces[i].key;
  chunk->keys = (const int64_t *)output->values;
  return ERR_OK;
}

static int load_keys(struct store_scan *scan, struct store_chunk *chunk, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  if (plan->keys_loaded) return ERR_OK;
  int known = know_keys(scan, chunk, &plan->keys_loaded, err);
  if (known || plan->keys_loaded) return known;
  for (uint32_t i = 0; i < plan->slot_count; i++) {
    struct scan_slot *slot = plan->slots[i];
    int code = scan__slot_keys(scan, slot, slot->needed.from, slot->needed.to, err);
    if (code) return code;
    scan->base_values[slot->ordinal] = slot->keys;
  }
  const struct scan_piece *piece = plan->pieces;
  if (plan->piece_count == 1 && piece->slot) {
    chunk->keys = piece->slot->keys + piece->from;
  } else {
    struct scan_output *output = &plan->outputs[scan->spec.column_count];
    int code = output_reserve(scan, output, false, err);
    if (code) return code;
    load_words(scan, output->values, false);
    chunk->keys = (const int64_t *)output->values;
  }
  plan->keys_loaded = true;
  return ERR_OK;
}

static void load_bits(struct store_scan *scan, uint64_t *bits, bool nulls) {
  const struct scan_plan *plan = &scan->plan;
  for (uint32_t i = 0; i < plan->piece_count; i++) {
    const struct scan_piece *piece = &plan->pieces[i];
    if (piece->slot)
      bits_copy(bits, piece->row, scan->base_values[piece->slot->ordinal], piece->from,
                piece->rows);
    else
      gather_bits(scan->base_values, effective_picks(scan, piece, nulls), piece->rows, bits,
                  piece->row);
  }
}

/* Calls for every row of the chunk in order: the offsets of its block, its row there, its bytes. */
static int64_t load_strings(struct store_scan *scan, int32_t *offsets, char *data, bool nulls) {
  const struct scan_plan *plan = &scan->plan;
  int64_t total = 0;
  for (uint32_t i = 0; i < plan->piece_count; i++) {
    const struct scan_piece *piece = &plan->pieces[i];
    const uint32_t *picks = piece->slot ? NULL : effective_picks(scan, piece, nulls);
    if (piece->slot && data) {
      const int32_t *from = scan->base_values[piece->slot->ordinal];
      from += piece->from;
      size_t size = (size_t)(from[piece->rows] - from[0]);
      if (size)
        memcpy(data + offsets[piece->row], scan->base_data[piece->slot->ordinal] + from[0], size);
      continue;
    }
    for (uint32_t j = 0; j < piece->rows; j++) {
      uint32_t ordinal = picks ? picks[j] >> SCAN_ROW_BITS : piece->slot->ordinal;
      uint32_t row = picks ? picks[j] & (SCAN_ROWS_MAX - 1) : piece->from + j;
      const int32_t *from = scan->base_values[ordinal];
      int64_t size = from[row + 1] - from[row];
      if (data) {
        if (size)
          memcpy(data + offsets[piece->row + j], scan->base_data[ordinal] + from[row],
                 (size_t)size);
      } else {
        offsets[piece->row + j] = (int32_t)total;
        total += size;
        if (total > INT32_MAX) return total;
      }
    }
  }
  if (!data) offsets[plan->rows] = (int32_t)total;
  return total;
}

static int build_strings(struct store_scan *scan, int32_t *offsets, bool nulls,
                         struct column *column, struct err *err) {
  int code;
  int64_t total = load_strings(scan, offsets, NULL, nulls);
  if (total > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "%u rows with more than 2 GiB of strings",
                   scan->plan.rows);
  char *data = chunk_memory(scan, (size_t)total + 1, err, &code);
  if (code) return code;
  load_strings(scan, offsets, data, nulls);
  column->offsets = offsets;
  column->data = data;
  return ERR_OK;
}

static int build_column(struct store_scan *scan, uint32_t i, bool nulls, struct column *column,
                        struct err *err) {
  uint32_t rows = scan->plan.rows;
  struct type type = scan->types[i];
  struct scan_output *output = &scan->plan.outputs[i];
  int code = output_reserve(scan, output, nulls, err);
  if (code) return code;
  struct column built = {.type = type, .length = rows};
  if (nulls) {
    load_validity(scan, output->validity);
    built.null_count = (uint32_t)(rows - bits_count(output->validity, 0, rows));
    if (built.null_count) built.validity = output->validity;
  }
  built.values = output->values;
  if (type_is_string(type))
    code = build_strings(scan, (int32_t *)output->values, nulls, &built, err);
  else if (type.physical == PHYSICAL_BOOL)
    load_bits(scan, output->values, nulls);
  else
    load_words(scan, output->values, nulls);
  if (!code) *column = built;
  return code;
}

static int load_column(struct store_scan *scan, uint32_t i, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  bool nulls = false;
  for (uint32_t s = 0; s < plan->slot_count; s++) {
    struct scan_slot *slot = plan->slots[s];
    int code = scan__slot_column(scan, slot, i, slot->needed.from, slot->needed.to, err);
    if (code) return code;
    const struct column *column = &slot->columns[i];
    scan->base_values[slot->ordinal] = column->values;
    scan->base_validity[slot->ordinal] = column->null_count ? column->validity : NULL;
    scan->base_data[slot->ordinal] = column->data;
    nulls |= column->null_count > 0;
  }
  const struct scan_piece *piece = plan->pieces;
  if (plan->piece_count != 1 || !piece->slot)
    return build_column(scan, i, nulls, &plan->columns[i], err);
  int code = column_slice(&piece->slot->columns[i], piece->from, piece->rows, &scan->chunk,
                          &plan->columns[i], err);
  plan->columns[i].type = scan->types[i];
  return code;
}

int scan__chunk_load(struct store_scan *scan, struct store_chunk *chunk, bool with_keys,
                     uint64_t mask, struct err *err) {
  if (scan->plan.rows == 0) return ERR_OK;
  int code = with_keys ? load_keys(scan, chunk, err) : ERR_OK;
  for (uint32_t i = 0; i < scan->spec.column_count && !code; i++)
    if (mask >> (i < 63 ? i : 63) & 1 && scan->plan.columns[i].length == 0)
      code = load_column(scan, i, err);
  return code;
}
