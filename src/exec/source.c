/* Series, groups, order. The group of a series is found once: the codes of its group tags, which
 * compare as the values do, are packed into one integer where they fit, and sorted. */
#include "exec/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "kernel/sort.h"

/* ---- sorting series by codes ---- */

struct code_order {
  const struct column *tags; /* codes per position */
  uint32_t tag_count;
  const uint32_t *groups; /* before the tags; NULL: none */
};

static int compare_positions(const void *a, const void *b, void *context) {
  const struct code_order *order = context;
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  if (order->groups && order->groups[x] != order->groups[y])
    return order->groups[x] < order->groups[y] ? -1 : 1;
  for (uint32_t i = 0; i < order->tag_count; i++) {
    int32_t p = order->tags[i].i32[x], q = order->tags[i].i32[y];
    if (p != q) return p < q ? -1 : 1;
  }
  return x < y ? -1 : x > y;
}

static unsigned bits_for(uint64_t count) {
  return count > 1 ? 64 - (unsigned)__builtin_clzll(count - 1) : 0;
}

/* The codes of a position as one integer that orders like them. */
static uint64_t pack_codes(const struct code_order *order, size_t position) {
  uint64_t key = order->groups ? order->groups[position] : 0;
  for (uint32_t i = 0; i < order->tag_count; i++)
    key = key << bits_for((uint64_t)order->tags[i].dictionary->length) |
          (uint32_t)order->tags[i].i32[position];
  return key;
}

/* Where there is room for them behind the codes, positions are sorted as part of the keys. */
static int sort_keys_packed(struct source *source, const struct code_order *order,
                            unsigned position_bits, uint32_t *positions, struct err *err) {
  size_t count = source->series.count, size = count * 2 * sizeof(uint64_t);
  struct mem_account *account = source->exec->options.account;
  uint64_t *keys = mem_alloc(account, size), mask = (UINT64_C(1) << position_bits) - 1;
  bool sorted = true;
  if (!keys) return mem_refused(account, size, err);
  for (size_t p = 0; p < count; p++) {
    keys[p] = pack_codes(order, p) << position_bits | p;
    sorted &= p == 0 || keys[p] > keys[p - 1];
  }
  if (!sorted) sort_keys(keys, keys + count, count);
  for (size_t p = 0; p < count; p++)
    positions[p] = (uint32_t)(keys[p] & mask);
  mem_free(account, keys, size);
  return ERR_OK;
}

/* Sorts by one packed integer; false when the codes do not fit into one. */
static bool sort_packed(struct source *source, const struct code_order *order, uint32_t *positions,
                        int *code, struct err *err) {
  size_t count = source->series.count;
  unsigned bits = order->groups ? bits_for(source->group_count) : 0;
  for (uint32_t i = 0; i < order->tag_count; i++)
    bits += bits_for((uint64_t)order->tags[i].dictionary->length);
  if (bits > 64) return false;
  if (bits + bits_for(count) <= 63) {
    *code = sort_keys_packed(source, order, bits_for(count), positions, err);
    return true;
  }
  struct mem_account *account = source->exec->options.account;
  size_t size = count * 2 * sizeof(struct sort_row);
  struct sort_row *rows = mem_alloc(account, size);
  if (!rows) {
    *code = mem_refused(account, size, err);
    return true;
  }
  for (size_t p = 0; p < count; p++)
    rows[p] = (struct sort_row){pack_codes(order, p), p};
  sort_rows(rows, rows + count, count);
  for (size_t p = 0; p < count; p++)
    positions[p] = (uint32_t)rows[p].row;
  mem_free(account, rows, size);
  return true;
}

static int sort_positions(struct source *source, const struct code_order *order,
                          uint32_t *positions, struct err *err) {
  int code = ERR_OK;
  if (sort_packed(source, order, positions, &code, err)) return code;
  for (size_t p = 0; p < source->series.count; p++)
    positions[p] = (uint32_t)p;
  qsort_r(positions, source->series.count, sizeof *positions, compare_positions,
          (void *)(uintptr_t)order);
  return ERR_OK;
}

/* ---- groups ---- */

static bool same_codes(const struct code_order *order, uint32_t x, uint32_t y) {
  for (uint32_t i = 0; i < order->tag_count; i++)
    if (order->tags[i].i32[x] != order->tags[i].i32[y]) return false;
  return true;
}

/* Numbers the groups of positions that stand in their order. */
static int number_groups(struct source *source, const struct code_order *order,
                         const uint32_t *positions, struct err *err) {
  struct exec *exec = source->exec;
  struct arena *arena = &exec->memory;
  size_t count = source->series.count;
  uint32_t tags = order->tag_count, groups = 1, group = 0;
  for (size_t i = 1; i < count; i++)
    groups += !same_codes(order, positions[i - 1], positions[i]);
  source->group_count = groups;
  source->group_sizes = ARENA_ARRAY(arena, uint32_t, groups);
  source->group_codes = ARENA_ARRAY(arena, int32_t, (size_t)groups * tags);
  if (!source->group_sizes || !source->group_codes) return exec__refused(exec, groups * 4, err);
  for (size_t i = 0; i < count; i++) {
    group += i && !same_codes(order, positions[i - 1], positions[i]);
    source->groups[positions[i]] = group;
    if (source->group_sizes[group]++ == 0)
      for (uint32_t t = 0; t < tags; t++)
        source->group_codes[group * tags + t] = source->tags[t].i32[positions[i]];
  }
  return ERR_OK;
}

static int find_groups(struct source *source, struct err *err) {
  struct exec *exec = source->exec;
  struct arena *arena = &exec->memory;
  struct mem_account *account = exec->options.account;
  size_t count = source->series.count;
  uint32_t tags = source->scan->schema.group_count;
  source->group_count = count > 0;
  source->group_sizes = ARENA_ARRAY(arena, uint32_t, 1);
  if (!source->group_sizes) return exec__refused(exec, sizeof(uint32_t), err);
  source->group_sizes[0] = (uint32_t)count;
  if (tags == 0 || count == 0) return ERR_OK;
  source->groups = ARENA_ARRAY(arena, uint32_t, count);
  uint32_t *positions = mem_alloc(account, count * sizeof *positions);
  if (!positions || !source->groups) {
    mem_free(account, positions, count * sizeof *positions);
    return exec__refused(exec, count * 8, err);
  }
  struct code_order order = {source->tags, tags, NULL};
  int code = sort_positions(source, &order, positions, err);
  if (!code) code = number_groups(source, &order, positions, err);
  mem_free(account, positions, count * sizeof *positions);
  return code;
}

/* The table's tag columns by name. */
static int compare_names(const void *a, const void *b) {
  const struct catalog_column *const *x = a, *const *y = b;
  return str_compare((*x)->name, (*y)->name);
}

static int all_tags(struct source *source, const uint32_t **ids, uint32_t *count, struct err *err) {
  const struct catalog_column *const *columns;
  size_t total = catalog_table_columns(source->scan->scan.table, &columns);
  struct arena *arena = &source->exec->memory;
  const struct catalog_column **tags = ARENA_ARRAY(arena, const struct catalog_column *, total + 1);
  uint32_t *list = ARENA_ARRAY(arena, uint32_t, total + 1);
  if (!tags || !list) return exec__refused(source->exec, total * 8, err);
  *count = 0;
  for (size_t i = 0; i < total; i++)
    if (columns[i]->kind == COLUMN_TAG) tags[(*count)++] = columns[i];
  qsort(tags, *count, sizeof(struct catalog_column *), compare_names);
  for (uint32_t i = 0; i < *count; i++)
    list[i] = tags[i]->id;
  *ids = list;
  return ERR_OK;
}

int exec__source_order(struct source *source, bool ties, struct err *err) {
  struct exec *exec = source->exec;
  size_t count = source->series.count;
  if (source->order || count == 0) return ERR_OK;
  source->ranks = ARENA_ARRAY(&exec->memory, uint32_t, count);
  uint32_t *order = ARENA_ARRAY(&exec->memory, uint32_t, count);
  if (!source->ranks || !order) return exec__refused(exec, count * 8, err);
  struct code_order codes = {NULL, 0, source->groups};
  if (ties && source->group_count < count) { /* else groups alone order the series */
    const uint32_t *ids = NULL;
    int code = all_tags(source, &ids, &codes.tag_count, err);
    if (code) return code;
    struct column *tags = ARENA_ARRAY(&exec->memory, struct column, codes.tag_count + 1);
    if (!tags) return exec__refused(exec, codes.tag_count * sizeof *tags, err);
    code = table_series_tags(exec->options.snapshot, source->scan->scan.table, &source->series, ids,
                             codes.tag_count, &exec->memory, tags, NULL, err);
    if (code) return code;
    codes.tags = tags;
  }
  int code = sort_positions(source, &codes, order, err);
  for (size_t i = 0; i < count && !code; i++)
    source->ranks[order[i]] = (uint32_t)i;
  if (!code) source->order = order;
  return code;
}

/* ---- opening ---- */

static size_t source_parts(const struct source *source, struct store_part *const **parts) {
  return store_snapshot_parts(table_snapshot_store(source->exec->options.snapshot),
                              source->scan->scan.table->id, parts);
}

/* What parts say about how many rows there are, and between which keys. */
static void estimate(struct source *source) {
  const struct plan_scan *scan = &source->scan->scan;
  struct store_part *const *parts;
  size_t count = source_parts(source, &parts);
  source->key_min = INT64_MAX;
  source->key_max = INT64_MIN;
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    int64_t low = facts.key_min > scan->time_min ? facts.key_min : scan->time_min;
    int64_t high = facts.key_max < scan->time_max ? facts.key_max : scan->time_max;
    if (facts.rows == 0 || low > high) continue;
    if (low < source->key_min) source->key_min = low;
    if (high > source->key_max) source->key_max = high;
    double share =
        ((double)high - (double)low + 1) / ((double)facts.key_max - (double)facts.key_min + 1);
    double series = (double)source->series.count / (double)(facts.series_count + 1);
    source->rows_estimate += (uint64_t)((double)facts.rows * share * (series < 1 ? series : 1)) + 1;
  }
}

static int find_tags(struct source *source, struct err *err) {
  const struct plan_node *node = source->scan;
  struct exec *exec = source->exec;
  uint32_t *ids = ARENA_ARRAY(&exec->memory, uint32_t, node->schema.count + 1);
  uint32_t *places = ARENA_ARRAY(&exec->memory, uint32_t, node->schema.count + 1);
  struct column *found = ARENA_ARRAY(&exec->memory, struct column, node->schema.count + 1);
  source->tags = ARENA_ARRAY(&exec->memory, struct column, node->schema.count + 1);
  if (!ids || !places || !found || !source->tags)
    return exec__refused(exec, node->schema.count * sizeof *found, err);
  uint32_t count = 0, first = plan_schema_values(&node->schema);
  for (uint32_t i = 0; i < node->schema.count; i++) {
    bool group = i < node->schema.group_count;
    if (!group && (i < first || !node->scan.values[i - first].is_tag)) continue;
    ids[count] = group ? node->scan.group_tags[i] : node->scan.values[i - first].column_id;
    places[count++] = i;
  }
  const uint8_t *known = NULL;
  int code = ERR_OK;
  do {
    if (known) code = table_series_keep(&source->series, known, &exec->memory, err);
    if (!code && count && source->series.count)
      code = table_series_tags(exec->options.snapshot, node->scan.table, &source->series, ids,
                               count, &exec->memory, found, &known, err);
    else
      known = NULL;
  } while (!code && known);
  for (uint32_t i = 0; i < count && !code; i++)
    source->tags[places[i]] = found[i];
  return code;
}

static int find_store_columns(struct source *source, struct err *err) {
  const struct plan_node *node = source->scan;
  struct exec *exec = source->exec;
  source->store_ids = ARENA_ARRAY(&exec->memory, uint32_t, node->schema.count + 1);
  source->store_index = ARENA_ARRAY(&exec->memory, int32_t, node->schema.count + 1);
  if (!source->store_ids || !source->store_index)
    return exec__refused(exec, node->schema.count * 8, err);
  uint32_t first = plan_schema_values(&node->schema);
  for (uint32_t i = 0; i < node->schema.count; i++) {
    source->store_index[i] = -1;
    if (i < first || node->scan.values[i - first].is_tag ||
        node->scan.values[i - first].column_id == 0)
      continue;
    uint32_t id = node->scan.values[i - first].column_id, at = 0;
    while (at < source->store_count && source->store_ids[at] != id)
      at++;
    if (at == source->store_count) source->store_ids[source->store_count++] = id;
    source->store_index[i] = (int32_t)at;
  }
  return ERR_OK;
}

int exec__source_open(struct source *source, struct exec *exec, const struct plan_node *node,
                      struct err *err) {
  *source = (struct source){.exec = exec};
  if (node->kind == PLAN_FILTER) {
    source->filter = node->filter;
    node = node->input;
  }
  source->scan = node;
  const struct plan_scan *scan = &node->scan;
  source->all = !scan->filter;
  int code = ERR_OK;
  if (source->filter) {
    code = exec__program_compile(&exec->memory, source->filter, &source->filter_program, err);
    source->filter_columns = ARENA_ARRAY(&exec->memory, bool, node->schema.count + 1);
    if (!code && !source->filter_columns) code = exec__refused(exec, node->schema.count, err);
    if (!code) exec__expr_columns(source->filter, source->filter_columns);
  }
  if (!code && scan->time_min <= scan->time_max)
    code = table_select_series(exec->options.snapshot, scan->table, scan->filter, scan->time_min,
                               scan->time_max, &exec->memory, &source->series, err);
  if (!code && source->series.count > UINT32_MAX / 2)
    code = err_set(err, ERR_LIMIT_EXCEEDED, "%zu series in one query", source->series.count);
  if (!code) code = find_tags(source, err);
  if (!code) code = find_groups(source, err);
  if (!code) code = find_store_columns(source, err);
  if (!code && source->filter) code = exec__encoded_filter_compile(source, &source->encoded, err);
  if (!code) estimate(source);
  struct exec_figures found = {.series = source->series.count,
                               .parts_damaged = source->series.unknown ? 1 : 0};
  exec__add_figures(exec, &found);
  return code;
}

/* ---- morsels ---- */

enum { MORSELS_MAX = 1024, MORSELS_PLENTY = 64, MORSEL_GROWTH = 8 };

/* What is cut: a range of keys, and the part of it where parts have rows (low above high: none). */
struct cut {
  int64_t min, max, low, high;
  int64_t *begins; /* of parts, ascending */
  uint32_t begin_count;
};

/* Where range `i` of `count` equal ones of the keys that parts have begins; where a part begins
 * nearby, there, so that fewer blocks lie in two of them. */
static int64_t cut_bound(const struct cut *cut, uint32_t i, uint32_t count) {
  const __int128 span = (__int128)cut->high - cut->low + 1;
  int64_t even = (int64_t)(cut->low + span * i / count);
  uint32_t low = 0, high = cut->begin_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (cut->begins[middle] < even)
      low = middle + 1;
    else
      high = middle;
  }
  /* Less than half of a range away: bounds ascend. */
  __int128 nearest = (span / count - 1) / 2;
  int64_t bound = even;
  for (uint32_t at = low ? low - 1 : 0; at < cut->begin_count && at <= low; at++) {
    __int128 away = (__int128)cut->begins[at] - even;
    if (away < 0) away = -away;
    if (away >= nearest) continue;
    nearest = away;
    bound = cut->begins[at];
  }
  return bound;
}

/* The outer ranges reach to the ends of what is asked for, because unflushed rows may lie there. */
static void cut_keys(const struct cut *cut, uint32_t i, uint32_t count, struct morsel *morsel) {
  morsel->key_min = cut->min;
  morsel->key_max = cut->max;
  if (i > 0) morsel->key_min = cut_bound(cut, i, count);
  if (i + 1 < count) morsel->key_max = cut_bound(cut, i + 1, count) - 1;
}

/* The first keys of the parts in the range, ascending. */
static int find_begins(const struct source *source, struct cut *cut, struct err *err) {
  struct exec *exec = source->exec;
  struct store_part *const *parts;
  size_t count = source_parts(source, &parts);
  if (count > UINT32_MAX) return ERR_OK;
  struct sort_row *rows = ARENA_ARRAY(&exec->memory, struct sort_row, 2 * count + 1);
  cut->begins = ARENA_ARRAY(&exec->memory, int64_t, count + 1);
  if (!rows || !cut->begins) return exec__refused(exec, count * 2 * sizeof *rows, err);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (facts.rows == 0 || facts.key_min <= cut->low || facts.key_min > cut->high) continue;
    rows[cut->begin_count++].key = (uint64_t)facts.key_min ^ UINT64_C(1) << 63;
  }
  sort_rows(rows, rows + count, cut->begin_count);
  for (uint32_t i = 0; i < cut->begin_count; i++)
    cut->begins[i] = (int64_t)(rows[i].key ^ UINT64_C(1) << 63);
  return ERR_OK;
}

/* Where there are many, morsels are larger: what each costs by itself is paid for more rows. */
static uint64_t pieces_of(const struct source *source, const struct cut *cut, uint64_t rows) {
  if (cut->low > cut->high) return 1;
  uint64_t larger = source->rows_estimate / MORSELS_PLENTY;
  if (larger > rows) rows = larger < rows * MORSEL_GROWTH ? larger : rows * MORSEL_GROWTH;
  double share = ((double)cut->high - (double)cut->low + 1) /
                 ((double)source->key_max - (double)source->key_min + 1);
  uint64_t pieces = (uint64_t)((double)source->rows_estimate * share) / rows + 1;
  return pieces > MORSELS_MAX ? MORSELS_MAX : pieces;
}

/* What it costs to read a part in so many pieces, in rows: blocks that lie in several pieces are
 * read for each, and each piece opens every part that it touches. */
static double cost_of_part(const struct source *source, const struct cut *cut,
                           const struct store_part_facts *facts, uint32_t by_series,
                           uint32_t by_keys) {
  enum { OPENING = 2048 };
  int64_t low = facts->key_min > cut->low ? facts->key_min : cut->low;
  int64_t high = facts->key_max < cut->high ? facts->key_max : cut->high;
  if (facts->rows == 0 || low > high) return 0;
  double run = (double)facts->rows / (double)(facts->series_count ? facts->series_count : 1);
  double packed = LIMIT_BLOCK_ROWS / run; /* series of a block */
  if (packed > (double)facts->series_count) packed = (double)facts->series_count;
  double touched =
      by_keys * ((double)high - (double)low + 1) / ((double)cut->high - (double)cut->low + 1);
  double by_block = packed < 1 ? touched * packed : touched;
  double pieces = packed > 1 ? (packed - 1) * by_series / (double)source->series.count : 0;
  if (pieces > by_series - 1) pieces = by_series - 1;
  return (double)facts->rows * (1 + pieces) * (1 + by_block) + OPENING * by_series * (1 + touched);
}

/* How many pieces of each kind are cheapest. Each group has states in every range of keys. */
static void choose_pieces(const struct source *source, const struct cut *cut, uint32_t pieces,
                          uint32_t *by_series, uint32_t *by_keys) {
  enum { STATES = 256 };
  struct store_part *const *parts;
  size_t count = source_parts(source, &parts);
  double least = 0;
  for (uint32_t series = *by_series;; series = (series + 1) / 2) {
    uint32_t keys = (pieces + series - 1) / series;
    double cost =
        (double)STATES * keys * (series > source->group_count ? series : source->group_count);
    for (size_t i = 0; i < count; i++) {
      struct store_part_facts facts;
      store_part_facts(parts[i], &facts);
      cost += cost_of_part(source, cut, &facts, series, keys);
    }
    if (least == 0 || cost < least) {
      least = cost;
      *by_series = series;
      *by_keys = keys;
    }
    if (series == 1) break;
  }
}

int exec__source_cut(const struct source *source, const struct morsel_cut *wanted,
                     struct morsel **out, uint32_t *count, struct err *err) {
  int64_t key_min = wanted->key_min, key_max = wanted->key_max;
  struct cut cut = {.min = key_min,
                    .max = key_max,
                    .low = key_min > source->key_min ? key_min : source->key_min,
                    .high = key_max < source->key_max ? key_max : source->key_max};
  size_t series = source->series.count;
  uint64_t pieces = pieces_of(source, &cut, wanted->rows);
  uint32_t by_series = (uint32_t)(pieces < series ? pieces : series), by_keys = 1;
  if (wanted->any_order && by_series > 1 && cut.low <= cut.high)
    choose_pieces(source, &cut, (uint32_t)pieces, &by_series, &by_keys);
  else if (series && by_series < pieces)
    by_keys = (uint32_t)((pieces + by_series - 1) / by_series);
  if (cut.low > cut.high || (__int128)cut.high - cut.low < by_keys) by_keys = 1;
  int code = by_keys > 1 ? find_begins(source, &cut, err) : ERR_OK;
  if (code) return code;
  struct morsel *morsels =
      ARENA_ARRAY(&source->exec->memory, struct morsel, (size_t)by_series * by_keys + 1);
  if (!morsels) return exec__refused(source->exec, by_series * sizeof *morsels, err);
  *count = 0;
  for (uint32_t s = 0; s < by_series; s++) {
    size_t first = series * s / by_series, end = series * (s + 1) / by_series;
    for (uint32_t k = 0; k < by_keys; k++) {
      struct morsel *morsel = &morsels[(*count)++];
      *morsel = (struct morsel){.ids = source->series.ids + first,
                                .first = (uint32_t)first,
                                .count = (uint32_t)(end - first)};
      cut_keys(&cut, k, by_keys, morsel);
    }
  }
  *out = morsels;
  return ERR_OK;
}
