/* Interleaved keys: a window of rows of several inputs is merged at once.
 *
 * A **window** is all rows up to a limit that certainly come before everything not in it. The limit
 * is the smallest last key among the inputs' shares, where a share is at most the chunk's room
 * divided by the inputs: so the rows of a window always fit. Where every row stays, and where
 * inputs hold several rows of a place, the limit is a key and the input that set it: of rows with
 * that key those of later inputs wait, because the input may go on with the same key. Where the
 * newest wins and inputs have a key once, all rows with the limit's key are in the window and fold
 * there.
 *
 * When one input has nearly all rows (late rows over a long run), its stretches between the others'
 * rows are found by galloping and stay slices. Otherwise the keys are merged pair by pair without
 * branches on them, carrying picks (block, row), and columns are gathered by pick later. */
#include "store/scan_private.h"

#include "base/err.h"

enum {
  ROOM_MIN = 512,   /* less room in the chunk: finish it first */
  GALLOP_RATIO = 16 /* rows of the largest share per other row, from which on galloping pays */
};

static bool newest_wins(const struct store_scan *scan) {
  return scan->policy == STORE_NEWEST_COLUMN || scan->policy == STORE_NEWEST_ROW;
}

static int window_init(struct store_scan *scan, struct err *err) {
  struct scan_window *window = &scan->window;
  if (window->capacity) return ERR_OK;
  uint32_t rows = scan->source_count > SCAN_ROWS_MAX ? scan->source_count : SCAN_ROWS_MAX;
  size_t lists = scan->source_count * (sizeof *window->lists + sizeof *window->ends);
  size_t size = lists + (size_t)rows * 2 * (8 + 4);
  uint8_t *memory = arena_alloc(&scan->memory, size);
  if (!memory) return scan__refused(&scan->memory, size, err);
  for (int i = 0; i < 2; i++, memory += (size_t)rows * 8)
    window->keys[i] = (int64_t *)memory;
  window->lists = (struct scan_list *)memory;
  memory += scan->source_count * sizeof *window->lists;
  for (int i = 0; i < 2; i++, memory += (size_t)rows * 4)
    window->picks[i] = (uint32_t *)memory;
  window->ends = (uint32_t *)memory;
  window->capacity = rows;
  return ERR_OK;
}

/* The members that overlap the first one, with their keys decoded, in commit order. */
static int window_lists(struct store_scan *scan, const struct scan_source *first, bool *ready,
                        struct err *err) {
  struct scan_window *window = &scan->window;
  window->list_count = 0;
  for (uint32_t i = 0; i < scan->member_count; i++) {
    struct scan_source *source = &scan->sources[scan->members[i]];
    if (source->lo > first->hi) continue;
    int code = scan__slot(scan, source, ready, err);
    if (code || !*ready) return code;
    code = scan__slot_keys(scan, source->slot, source->from, source->stop, err);
    if (code) return code;
    window->lists[window->list_count++] =
        (struct scan_list){source, source->slot->keys, source->from, 0};
  }
  return ERR_OK;
}

/* Sets every list's share of the window; returns all rows together. */
static uint32_t window_cut(struct store_scan *scan) {
  struct scan_window *window = &scan->window;
  uint32_t room = scan__room(scan) - (scan->place.open ? 2 : 0); /* what that comes to */
  uint32_t share = room / window->list_count, limiting = 0, total = 0;
  int64_t limit = INT64_MAX;
  if (share == 0) share = 1;
  for (uint32_t i = 0; i < window->list_count; i++) {
    struct scan_list *list = &window->lists[i];
    uint32_t count = list->source->to - list->from;
    list->count = count < share ? count : share;
    int64_t last = list->keys[list->from + list->count - 1];
    if (i == 0 || last < limit) {
      limit = last;
      limiting = i;
    }
  }
  for (uint32_t i = 0; i < window->list_count; i++) {
    struct scan_list *list = &window->lists[i];
    uint32_t end = list->from + list->count;
    bool with_limit = i < limiting || (newest_wins(scan) && !scan->versions);
    if (i != limiting)
      list->count = (with_limit ? scan__upper(list->keys, list->from, end, limit)
                                : scan__lower(list->keys, list->from, end, limit)) -
                    list->from;
    total += list->count;
  }
  return total;
}

/* ---- merging keys ---- */

/* Two sorted runs into one; on equal keys the left one is first. Written so that the compiler needs
 * no branch on the keys. */
static void merge_pair(const int64_t *a_keys, const uint32_t *a_picks, uint32_t a,
                       const int64_t *b_keys, const uint32_t *b_picks, uint32_t b,
                       int64_t *restrict keys, uint32_t *restrict picks) {
  uint32_t i = 0, j = 0, at = 0;
  while (i < a && j < b) {
    int64_t left = a_keys[i], right = b_keys[j];
    uint32_t left_pick = a_picks[i], right_pick = b_picks[j];
    uint32_t take_right = right < left;
    int64_t mask = -(int64_t)take_right;
    keys[at] = left ^ ((left ^ right) & mask);
    picks[at] = left_pick ^ ((left_pick ^ right_pick) & (uint32_t)mask);
    i += 1 - take_right;
    j += take_right;
    at++;
  }
  memcpy(keys + at, a_keys + i, (a - i) * sizeof *keys);
  memcpy(picks + at, a_picks + i, (a - i) * sizeof *picks);
  at += a - i;
  memcpy(keys + at, b_keys + j, (b - j) * sizeof *keys);
  memcpy(picks + at, b_picks + j, (b - j) * sizeof *picks);
}

/* Merges all lists but `left_out`; returns which of the two buffers holds the result. */
static int merge_lists(struct scan_window *window, const struct scan_list *left_out) {
  uint32_t total = 0, runs = 0;
  int from = 0;
  for (uint32_t l = 0; l < window->list_count; l++) {
    const struct scan_list *list = &window->lists[l];
    if (list == left_out || list->count == 0) continue;
    uint32_t pick = scan__pick(list->source->slot, list->from);
    memcpy(window->keys[0] + total, list->keys + list->from, list->count * sizeof(int64_t));
    for (uint32_t i = 0; i < list->count; i++)
      window->picks[0][total + i] = pick + i;
    total += list->count;
    window->ends[runs++] = total;
  }
  for (; runs > 1; from = 1 - from) {
    uint32_t begin = 0, merged = 0;
    const int64_t *keys = window->keys[from];
    const uint32_t *picks = window->picks[from];
    for (uint32_t i = 0; i < runs; i += 2) {
      uint32_t middle = window->ends[i], end = i + 1 < runs ? window->ends[i + 1] : middle;
      merge_pair(keys + begin, picks + begin, middle - begin, keys + middle, picks + middle,
                 end - middle, window->keys[1 - from] + begin, window->picks[1 - from] + begin);
      begin = end;
      window->ends[merged++] = end;
    }
    runs = merged;
  }
  return from;
}

/* ---- folding ---- */

/* Newest wins: of each place the last row stays; where columns fold, all rows of places with
 * several go to the plan's folds. Keeps the result in the same arrays. */
static int fold_newest(struct store_scan *scan, int64_t *keys, uint32_t *picks, uint32_t count,
                       uint32_t *kept, uint32_t *folds, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  uint32_t at = 0, duplicates = 0;
  *folds = 0;
  for (uint32_t i = 1; i < count; i++)
    duplicates += keys[i] == keys[i - 1];
  *kept = count - duplicates;
  if (duplicates == 0) return ERR_OK;
  if (scan->policy == STORE_NEWEST_COLUMN) {
    int code = scan__plan_reserve_folds(scan, 2 * duplicates, err);
    if (code) return code;
    uint32_t end = plan->fold_count;
    for (uint32_t i = 0, row = plan->rows; i < count; i++) {
      bool as_before = i > 0 && keys[i] == keys[i - 1];
      bool as_next = i + 1 < count && keys[i] == keys[i + 1];
      row += i > 0 && !as_before;
      if (!as_before && !as_next) continue;
      plan->fold_pick[end] = picks[i];
      plan->fold_row[end++] = row;
    }
    *folds = end - plan->fold_count;
  }
  for (uint32_t i = 1; i < count; i++) {
    at += keys[i] != keys[i - 1];
    keys[at] = keys[i];
    picks[at] = picks[i];
  }
  return ERR_OK;
}

/* Twins: of rows that share their place the distinct ones stay. The last row of a window may go on
 * in the next one, so it is always remembered. */
static int fold_twins(struct store_scan *scan, int64_t *keys, uint32_t *picks, uint32_t count,
                      uint32_t *kept, struct err *err) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    bool fresh = true;
    int64_t key = keys[i];
    uint32_t pick = picks[i];
    bool shared = i + 1 == count || keys[i + 1] == key ||
                  (at > 0 && i > 0 && keys[at - 1] == key) ||
                  twins_in_group(&scan->twins, scan->current, key);
    if (shared) {
      struct scan_slot *slot = &scan->sources[(pick >> SCAN_ROW_BITS) / SCAN_SLOTS]
                                    .slots[(pick >> SCAN_ROW_BITS) % SCAN_SLOTS];
      for (uint32_t c = 0; c < scan->column_total; c++) {
        uint32_t row = pick & (SCAN_ROWS_MAX - 1);
        int code = scan__slot_column(scan, slot, c, row, row + 1, err);
        if (code) return code;
      }
      int code = twins_add(&scan->twins, scan->current, key, slot->columns, scan->column_total,
                           pick & (SCAN_ROWS_MAX - 1), &fresh, err);
      if (code) return code;
    }
    keys[at] = key;
    picks[at] = pick;
    at += fresh;
  }
  *kept = at;
  return ERR_OK;
}

static int plan_merged(struct store_scan *scan, int64_t *keys, uint32_t *picks, uint32_t count,
                       struct err *err) {
  uint32_t folds = 0;
  int code = ERR_OK;
  if (scan->versions) return scan__fold_versions(scan, keys, picks, count, err);
  if (newest_wins(scan))
    code = fold_newest(scan, keys, picks, count, &count, &folds, err);
  else if (scan->policy == STORE_DROP_TWINS)
    code = fold_twins(scan, keys, picks, count, &count, err);
  if (code || count == 0) return code;
  return scan__plan_picks(scan, picks, count, keys[0], keys[count - 1], folds, err);
}

/* ---- galloping ---- */

/* Rows of the large list up to `end`, which come next. */
static int plan_stretch(struct store_scan *scan, struct scan_list *large, uint32_t end,
                        struct err *err) {
  uint32_t count = end - large->from;
  if (count == 0) return ERR_OK;
  int code = scan__plan_slice(scan, large->source->slot, large->from, count,
                              large->keys[large->from], large->keys[end - 1], err);
  large->from = end;
  large->count -= count;
  return code;
}

/* The rows of one place, one of which may be the large list's next: in commit order. */
static int plan_place(struct store_scan *scan, struct scan_list *large, int64_t key,
                      const uint32_t *picks, uint32_t count, struct err *err) {
  struct scan_plan *plan = &scan->plan;
  bool with_large = large->count > 0 && large->keys[large->from] == key;
  uint32_t large_pick = scan__pick(large->source->slot, large->from);
  uint32_t winner = picks[count - 1], folds = 0;
  if (with_large && large_pick > winner) winner = large_pick; /* ordinals follow commit order */
  if (scan->policy == STORE_NEWEST_COLUMN && count + with_large > 1) {
    int code = scan__plan_reserve_folds(scan, count + 1, err);
    if (code) return code;
    uint32_t *fold = plan->fold_pick + plan->fold_count;
    bool placed = !with_large;
    for (uint32_t i = 0; i < count; i++) {
      if (!placed && large_pick < picks[i]) {
        fold[folds++] = large_pick;
        placed = true;
      }
      fold[folds++] = picks[i];
    }
    if (!placed) fold[folds++] = large_pick;
    for (uint32_t i = 0; i < folds; i++)
      plan->fold_row[plan->fold_count + i] = plan->rows;
  }
  large->from += with_large;
  large->count -= with_large;
  return scan__plan_picks(scan, &winner, 1, key, key, folds, err);
}

static int plan_galloping(struct store_scan *scan, struct scan_list *large, const int64_t *keys,
                          const uint32_t *picks, uint32_t count, struct err *err) {
  uint32_t stop = large->from + large->count;
  int code = ERR_OK;
  for (uint32_t i = 0, next; i < count && !code; i = next) {
    next = i + 1;
    bool after =
        !newest_wins(scan) && (picks[i] >> SCAN_ROW_BITS) / SCAN_SLOTS > large->source->index;
    uint32_t end = after ? scan__upper(large->keys, large->from, stop, keys[i])
                         : scan__lower(large->keys, large->from, stop, keys[i]);
    if ((code = plan_stretch(scan, large, end, err))) break;
    if (newest_wins(scan)) {
      while (next < count && keys[next] == keys[i])
        next++;
      code = plan_place(scan, large, keys[i], picks + i, next - i, err);
    } else {
      code = scan__plan_picks(scan, picks + i, 1, keys[i], keys[i], 0, err);
    }
  }
  return code ? code : plan_stretch(scan, large, stop, err);
}

/* ---- the window ---- */

int scan__merge_window(struct store_scan *scan, struct scan_source *first, bool *ready,
                       struct err *err) {
  struct scan_window *window = &scan->window;
  struct scan_plan *plan = &scan->plan;
  *ready = plan->rows == 0 || (scan__room(scan) >= ROOM_MIN && plan->fold_count < SCAN_PICKS_MAX &&
                               scan__room(scan) >= scan->member_count);
  if (!*ready) return ERR_OK;
  int code = window_init(scan, err);
  if (!code) code = window_lists(scan, first, ready, err);
  if (code || !*ready) return code;
  uint32_t total = window_cut(scan);
  struct scan_list *large = &window->lists[0];
  for (uint32_t i = 1; i < window->list_count; i++)
    if (window->lists[i].count > large->count) large = &window->lists[i];
  uint32_t shares[2] = {total - large->count, large->count};
  bool gallops =
      scan->policy != STORE_DROP_TWINS && !scan->versions && shares[1] / GALLOP_RATIO >= shares[0];
  int result = merge_lists(window, gallops ? large : NULL);
  int64_t *keys = window->keys[result];
  uint32_t *picks = window->picks[result];
  struct scan_list taken = *large;
  for (uint32_t i = 0; i < window->list_count; i++)
    if (window->lists[i].count)
      scan__plan_refer(scan, window->lists[i].source->slot, window->lists[i].from,
                       window->lists[i].count);
  if (gallops)
    code = plan_galloping(scan, &taken, keys, picks, shares[0], err);
  else
    code = plan_merged(scan, keys, picks, total, err);
  for (uint32_t i = 0; i < window->list_count && !code; i++)
    if (window->lists[i].count)
      scan__consume(scan, window->lists[i].source, window->lists[i].count);
  return code;
}
