/* Which series match a filter on tags.
 *
 * A condition is decided once per distinct value of its tag, then turned into a bit per series by
 * running over the packed codes. Sources (the pinned entries, each part's section) are asked one
 * after another and their ids united. Parts without keys in the wanted range are not asked, but for
 * series that have rows in memory there: a part of other keys may be the only one that knows them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "series/series_private.h"

/* What a filter is evaluated on: codes and values of one tag at a time. */
struct source {
  struct series_registry *registry;
  struct arena *arena;
  uint64_t count;
  /* a section */
  const struct section *section;
  struct store_part *part;
  /* or pinned entries */
  const struct series_memory *memory;
  const uint32_t *entries;
};

static uint64_t *bits_new(struct source *source, struct err *err) {
  uint64_t *bits = ARENA_ARRAY(source->arena, uint64_t, bit_words((int64_t)source->count) + 1);
  if (!bits) mem_refused(source->arena->account, source->count / 8, err);
  return bits;
}

/* Whether a value passes, as 0 or 1. */
static int test_value(const struct series_filter *filter, struct str value, uint8_t *pass,
                      struct err *err) {
  bool passes = false;
  int code = ERR_OK;
  if (filter->kind == SERIES_FILTER_EQUAL)
    passes = str_equal(filter->value, value);
  else
    code = filter->test(filter->context, value, &passes, err);
  *pass = passes;
  return code;
}

/* Sets the bits of series whose code passes. pass[code], code 0: absent. */
static int mark_section(struct source *source, uint32_t column, const uint8_t *pass, uint64_t *bits,
                        struct err *err) {
  for (uint32_t chunk = 0; chunk < source->section->id_chunks; chunk++) {
    const int64_t *codes;
    uint32_t rows;
    int code = series__section_codes_chunk(source->section, source->part, column, chunk,
                                           source->arena, &codes, &rows, err);
    if (code) return code;
    uint64_t *words = bits + (uint64_t)chunk * SECTION_CHUNK / 64;
    for (uint32_t i = 0; i < rows; i++)
      words[i >> 6] |= (uint64_t)pass[codes[i]] << (i & 63);
  }
  return ERR_OK;
}

static int leaf_section(struct source *source, const struct series_filter *filter, uint32_t column,
                        uint64_t *bits, struct err *err) {
  const struct section *section = source->section;
  uint32_t distinct = section->columns[column].distinct;
  uint8_t *pass = arena_alloc_zero(source->arena, (size_t)distinct + 1);
  if (!pass) return mem_refused(source->arena->account, distinct, err);
  int code = test_value(filter, (struct str){"", 0}, &pass[0], err);
  if (code) return code;
  if (filter->kind == SERIES_FILTER_EQUAL && filter->value.size) {
    uint32_t found;
    code = series__section_value_code(section, source->part, column, filter->value, source->arena,
                                      &found, err);
    if (!code && !found) return ERR_OK;
    if (!code) pass[found] = 1;
  } else if (filter->kind == SERIES_FILTER_TEST) {
    for (uint32_t from = 0; from < distinct && !code; from += SECTION_VALUES) {
      struct str *values;
      uint32_t n = 0;
      code = series__section_values(section, source->part, column, from / SECTION_VALUES,
                                    source->arena, &values, &n, err);
      for (uint32_t v = 0; v < n && !code; v++)
        code = test_value(filter, values[v], &pass[from + v + 1], err);
    }
  }
  return code ? code : mark_section(source, column, pass, bits, err);
}

static int leaf_memory(struct source *source, const struct series_filter *filter, uint32_t tag,
                       uint64_t *bits, struct err *err) {
  const struct series_values *values = &source->memory->tags[tag];
  uint8_t *pass = arena_alloc_zero(source->arena, (size_t)values->count + 1);
  if (!pass) return mem_refused(source->arena->account, values->count, err);
  int code = test_value(filter, (struct str){"", 0}, &pass[0], err);
  for (uint32_t v = 0; v < values->count && !code; v++)
    code = test_value(filter, values->values[v], &pass[v + 1], err);
  if (code) return code;
  for (uint64_t i = 0; i < source->count; i++)
    if (pass[series__memory_code(source->memory, source->entries[i], tag)])
      bit_set(bits, (int64_t)i);
  return ERR_OK;
}

static int leaf(struct source *source, const struct series_filter *filter, uint64_t *bits,
                struct err *err) {
  int64_t column = source->section ? series__section_column(source->section, filter->column_id)
                                   : series__memory_tag(source->memory, filter->column_id);
  if (filter->column_id == 0 || column < 0) {
    uint8_t pass;
    int code = test_value(filter, (struct str){"", 0}, &pass, err);
    if (!code && pass) memset(bits, 0xff, bit_words((int64_t)source->count) * 8);
    return code;
  }
  return source->section ? leaf_section(source, filter, (uint32_t)column, bits, err)
                         : leaf_memory(source, filter, (uint32_t)column, bits, err);
}

/* The bits of series that pass, fresh. The depth of a filter is bounded by the statement's. */
static int evaluate(struct source *source, const struct series_filter *filter, uint64_t **out,
                    struct err *err) {
  uint64_t *bits = bits_new(source, err);
  size_t words = bit_words((int64_t)source->count);
  if (!bits) return err ? err->code : ERR_NO_MEMORY;
  int code = ERR_OK;
  switch (filter->kind) {
  case SERIES_FILTER_TRUE:
    memset(bits, 0xff, words * 8);
    break;
  case SERIES_FILTER_FALSE:
    break;
  case SERIES_FILTER_EQUAL:
  case SERIES_FILTER_TEST:
    code = leaf(source, filter, bits, err);
    break;
  case SERIES_FILTER_NOT: {
    uint64_t *child;
    code = evaluate(source, filter->children[0], &child, err);
    for (size_t w = 0; w < words && !code; w++)
      bits[w] = ~child[w];
    break;
  }
  case SERIES_FILTER_AND:
  case SERIES_FILTER_OR: {
    bool all = filter->kind == SERIES_FILTER_AND;
    if (all) memset(bits, 0xff, words * 8);
    for (size_t c = 0; c < filter->child_count && !code; c++) {
      uint64_t *child;
      code = evaluate(source, filter->children[c], &child, err);
      for (size_t w = 0; w < words && !code; w++)
        bits[w] = all ? bits[w] & child[w] : bits[w] | child[w];
    }
    break;
  }
  }
  *out = bits;
  return code;
}

static int select_section(struct source *source, const struct series_filter *filter,
                          struct buffer *ids, struct err *err) {
  uint64_t *bits = NULL;
  int code = filter ? evaluate(source, filter, &bits, err) : ERR_OK;
  int64_t *chunk_ids = ARENA_ARRAY(source->arena, int64_t, SECTION_CHUNK);
  if (!code && !chunk_ids) code = mem_refused(source->arena->account, SECTION_CHUNK * 8, err);
  for (uint64_t from = 0; from < source->count && !code; from += SECTION_CHUNK) {
    uint64_t n = source->count - from < SECTION_CHUNK ? source->count - from : SECTION_CHUNK;
    uint64_t any = !bits;
    for (size_t w = 0; bits && w < bit_words((int64_t)n); w++)
      any |= bits[from / 64 + w];
    if (!any) continue;
    code =
        series__section_ids(source->section, source->part, from, n, source->arena, chunk_ids, err);
    if (!code && !bits) buffer_append(ids, chunk_ids, n * 8);
    for (uint64_t i = 0; i < n && bits && !code; i++)
      if (bit_get(bits, (int64_t)(from + i))) buffer_append(ids, &chunk_ids[i], 8);
  }
  return code ? code : buffer_check(ids, err);
}

static int id_order(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void sort_and_fold(struct buffer *ids) {
  uint64_t *list = (uint64_t *)(void *)ids->data;
  size_t count = ids->size / 8, kept = 0;
  bool sorted = true;
  for (size_t i = 1; i < count && sorted; i++)
    sorted = list[i - 1] < list[i];
  if (sorted) return;
  qsort(list, count, sizeof *list, id_order);
  for (size_t i = 0; i < count; i++)
    if (kept == 0 || list[kept - 1] != list[i]) list[kept++] = list[i];
  ids->size = kept * 8;
}

/* ---- rows in memory: they have no section of their own ---- */

/* Takes the ids whose mark is set out of an ascending list. */
static void strike(struct buffer *pending, const uint8_t *known) {
  uint64_t *list = (uint64_t *)(void *)pending->data;
  size_t count = pending->size / 8, kept = 0;
  for (size_t i = 0; i < count; i++)
    if (!known[i]) list[kept++] = list[i];
  pending->size = kept * 8;
}

/* Pinned series that match, but for those that no commit has used yet; their rows in a snapshot are
 * there a moment before that is noted. Takes all of them out of `pending`. */
static int select_pinned(struct series_index *index, const struct series_filter *filter,
                         struct arena *arena, struct buffer *pending, struct buffer *ids,
                         struct err *err) {
  uint8_t *known = arena_alloc_zero(arena, pending->size / 8 + 1);
  if (!known) return mem_refused(arena->account, pending->size / 8, err);
  os_mutex_lock(&index->lock);
  struct source source = {.registry = index->registry,
                          .arena = arena,
                          .count = index->pinned_count,
                          .memory = index->current,
                          .entries = index->pinned};
  uint64_t *bits = NULL;
  int code = filter && source.count ? evaluate(&source, filter, &bits, err) : ERR_OK;
  const uint64_t *list = (const uint64_t *)(const void *)pending->data, *at = NULL;
  for (uint64_t i = 0; i < source.count && !code; i++) {
    const struct series_entry *entry = &source.memory->entries[source.entries[i]];
    if (pending->size)
      at = bsearch(&entry->id, list, pending->size / 8, sizeof entry->id, id_order);
    if (at) known[at - list] = 1;
    if ((at || entry->commit != SERIES_UNDURABLE) && (!bits || bit_get(bits, (int64_t)i)))
      buffer_append_u64(ids, entry->id);
  }
  os_mutex_unlock(&index->lock);
  strike(pending, known);
  return code ? code : buffer_check(ids, err);
}

/* Takes those out of `pending` that the section knows; of a part whose keys are not wanted (`add`),
 * those that match are added to `ids`. */
static int take_pending(struct source *source, const struct series_filter *filter, bool add,
                        struct buffer *pending, struct buffer *ids, struct err *err) {
  const uint64_t *list = (const uint64_t *)(const void *)pending->data;
  size_t count = pending->size / 8, found = 0;
  uint32_t *ordinals = ARENA_ARRAY(source->arena, uint32_t, count);
  uint8_t *known = arena_alloc_zero(source->arena, count);
  uint64_t *bits = NULL;
  if (!ordinals || !known) return mem_refused(source->arena->account, count * 5, err);
  int code = series__section_ordinals(source->section, source->part, list, count, source->arena,
                                      ordinals, err);
  for (size_t i = 0; i < count && !code; i++)
    found += known[i] = ordinals[i] != UINT32_MAX;
  if (code || !found) return code;
  if (add && filter) code = evaluate(source, filter, &bits, err);
  if (code) return code;
  for (size_t i = 0; i < count && add; i++)
    if (known[i] && (!bits || bit_get(bits, ordinals[i]))) buffer_append_u64(ids, list[i]);
  strike(pending, known);
  return buffer_check(ids, err);
}

/* What no part knows any more, because one is damaged, the cache may still know. Under the lock. */
static int select_cached(struct series_index *index, const struct series_memory *memory,
                         const struct series_filter *filter, struct arena *arena,
                         struct buffer *pending, struct buffer *ids, struct err *err) {
  const uint64_t *list = (const uint64_t *)(const void *)pending->data, *at;
  size_t count = pending->size / 8;
  if (!memory || !count) return ERR_OK;
  struct source source = {.registry = index->registry, .arena = arena, .memory = memory};
  uint32_t *entries = ARENA_ARRAY(arena, uint32_t, count);
  uint8_t *known = arena_alloc_zero(arena, count);
  uint64_t *bits = NULL;
  if (!entries || !known) return mem_refused(arena->account, count * 5, err);
  for (uint32_t i = 0; i < memory->entry_count && source.count < count; i++) {
    at = bsearch(&memory->entries[i].id, list, count, sizeof *list, id_order);
    if (!at || known[at - list]) continue;
    known[at - list] = 1;
    entries[source.count++] = i;
  }
  source.entries = entries;
  int code = filter && source.count ? evaluate(&source, filter, &bits, err) : ERR_OK;
  for (uint64_t i = 0; i < source.count && !code; i++)
    if (!bits || bit_get(bits, (int64_t)i)) buffer_append_u64(ids, memory->entries[entries[i]].id);
  strike(pending, known);
  return code ? code : buffer_check(ids, err);
}

/* ---- all sources ---- */

/* Whether every part that knows tags is asked, and no pinned series waits for its commit: then what
 * is asked knows the series of all rows. */
static bool asks_all(const struct series_index *index, const struct store_snapshot *snapshot,
                     int64_t key_min, int64_t key_max) {
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(snapshot, index->store, &parts);
  bool all = !series_has_undurable(index);
  for (size_t i = 0; i < count && all; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    all = facts.in_memory || (facts.key_max >= key_min && facts.key_min <= key_max);
  }
  return all;
}

/* Series with rows in memory in the range, unless `damaged` is not set and all parts are asked at
 * any. snapshot NULL: the newest. */
static int list_memory(struct series_index *index, struct store_snapshot *snapshot, int64_t key_min,
                       int64_t key_max, bool damaged, struct buffer *out, struct err *err) {
  struct store_snapshot *newest = NULL;
  int code = snapshot ? ERR_OK : store_snapshot_acquire(index->registry->shard, &newest, err);
  if (newest) snapshot = newest;
  if (!code && (damaged || !asks_all(index, snapshot, key_min, key_max)))
    code = store_snapshot_memory_series(snapshot, index->store, key_min, key_max, out, err);
  if (newest) store_snapshot_release(newest);
  return code;
}

struct selection {
  struct series_index *index;
  const struct series_filter *filter;
  int64_t key_min, key_max;
  struct series__parts parts;
  struct buffer pending; /* ascending: series with rows in memory, not known so far */
  struct buffer *ids;
  bool damaged; /* not every section could be read */
};

static int ask_part(struct selection *selection, struct store_part *part, struct err *err) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  bool wanted = facts.key_max >= selection->key_min && facts.key_min <= selection->key_max;
  if (!wanted && !selection->pending.size) return ERR_OK;
  struct arena work;
  arena_init(&work, selection->ids->account, 65536);
  struct source source = {.registry = selection->index->registry, .arena = &work, .part = part};
  struct section *section;
  int code = series__section_of(source.registry, part, &section, err);
  if (!code && section) {
    source.section = section;
    source.count = section->count;
    if (wanted) code = select_section(&source, selection->filter, selection->ids, err);
    if (!code && selection->pending.size)
      code = take_pending(&source, selection->filter, !wanted, &selection->pending, selection->ids,
                          err);
  }
  arena_deinit(&work);
  selection->damaged |= code != ERR_OK;
  return code ? series__pass_damage(&selection->parts, part, code, err) : ERR_OK;
}

/* *damaged: whether sections were damaged before; is set when one turns out to be. */
static int select_once(struct series_index *index, struct store_snapshot *snapshot,
                       const struct series_filter *filter, int64_t key_min, int64_t key_max,
                       bool *damaged, struct buffer *ids, uint64_t *unknown, struct err *err) {
  struct selection selection = {
      .index = index, .filter = filter, .key_min = key_min, .key_max = key_max, .ids = ids};
  struct arena arena;
  arena_init(&arena, ids->account, 16384);
  buffer_init(&selection.pending, ids->account);
  int code = list_memory(index, snapshot, key_min, key_max, *damaged, &selection.pending, err);
  if (!code) code = select_pinned(index, filter, &arena, &selection.pending, ids, err);
  if (!code) code = series__parts_pin(&selection.parts, index, snapshot, &arena, err);
  for (size_t p = 0; p < selection.parts.count && !code; p++)
    code = ask_part(&selection, selection.parts.list[p], err);
  os_mutex_lock(&index->lock);
  if (!code)
    code = select_cached(index, index->current, filter, &arena, &selection.pending, ids, err);
  if (!code)
    code = select_cached(index, index->previous, filter, &arena, &selection.pending, ids, err);
  os_mutex_unlock(&index->lock);
  series__parts_unpin(&selection.parts);
  *unknown = code ? 0 : selection.pending.size / 8;
  *damaged = selection.damaged;
  buffer_deinit(&selection.pending);
  arena_deinit(&arena);
  return code;
}

int series_select(struct series_index *index, struct store_snapshot *snapshot,
                  const struct series_filter *filter, int64_t key_min, int64_t key_max,
                  struct buffer *ids, uint64_t *unknown, struct err *err) {
  struct err own;
  size_t before = ids->size;
  uint64_t count;
  bool damaged = false;
  if (!err) err = &own;
  int code = select_once(index, snapshot, filter, key_min, key_max, &damaged, ids, &count, err);
  if (!code && damaged) { /* rows in memory may have their tags there only */
    ids->size = before;
    code = select_once(index, snapshot, filter, key_min, key_max, &damaged, ids, &count, err);
  }
  if (unknown) *unknown = count;
  if (!code) sort_and_fold(ids);
  return code;
}
