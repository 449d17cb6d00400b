/* Tags of given series, from wherever they are known: pinned entries, then the sections of parts.
 *
 * Work goes column by column: codes first, then only those dictionary chunks whose values are used.
 * Values of several sources are simply listed one after another; whoever needs them sorted and
 * distinct calls series__sort_values. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "series/series_private.h"

/* A column that is being gathered; `values` grows in the arena. */
struct column_gather {
  struct section_source_column out;
  uint32_t value_capacity;
};
struct gather {
  struct arena *arena; /* of the answer */
  struct arena work;   /* of one section */
  struct arena part;   /* of one column of it */
  const uint64_t *ids;
  size_t count;
  const uint32_t *wanted; /* NULL: all */
  struct column_gather *columns;
  uint32_t column_count, column_capacity;
  uint8_t *found; /* per id */
};

static int refused(struct gather *gather, size_t size, struct err *err) {
  return mem_refused(gather->arena->account, size, err);
}

/* The column's place, made on first use; NULL when it is not wanted (*code ERR_OK) or memory is
 * refused. */
static struct column_gather *column_of(struct gather *gather, uint32_t id, int *code,
                                       struct err *err) {
  *code = ERR_OK;
  for (uint32_t c = 0; c < gather->column_count; c++)
    if (gather->columns[c].out.id == id) return &gather->columns[c];
  if (gather->wanted) return NULL; /* the wanted ones were made at the start */
  if (gather->column_count == gather->column_capacity) {
    uint32_t capacity = gather->column_capacity ? gather->column_capacity * 2 : 8;
    struct column_gather *grown = ARENA_ARRAY(gather->arena, struct column_gather, capacity);
    if (!grown) *code = refused(gather, capacity * sizeof *grown, err);
    if (!grown) return NULL;
    if (gather->column_count) memcpy(grown, gather->columns, gather->column_count * sizeof *grown);
    gather->columns = grown;
    gather->column_capacity = capacity;
  }
  struct column_gather *column = &gather->columns[gather->column_count];
  *column = (struct column_gather){.out = {.id = id}};
  column->out.codes = ARENA_ARRAY(gather->arena, uint32_t, gather->count + 1);
  if (!column->out.codes) *code = refused(gather, gather->count * 4, err);
  if (!column->out.codes) return NULL;
  gather->column_count++;
  return column;
}

/* The code of a further value; 0 when memory is refused. The bytes must live in the arena. */
static uint32_t add_value(struct gather *gather, struct column_gather *column, struct str value) {
  if (column->out.value_count == column->value_capacity) {
    uint32_t capacity = column->value_capacity ? column->value_capacity * 2 : 16;
    struct str *grown = ARENA_ARRAY(gather->arena, struct str, capacity);
    if (!grown) return 0;
    if (column->out.value_count)
      memcpy(grown, column->out.values, column->out.value_count * sizeof *grown);
    column->out.values = grown;
    column->value_capacity = capacity;
  }
  column->out.values[column->out.value_count++] = value;
  return column->out.value_count;
}

/* ---- entries in memory ---- */

struct entry_id {
  uint64_t id;
  uint32_t entry;
};
static int entry_order(const void *a, const void *b) {
  const struct entry_id *x = a, *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

/* Copies the tags of one entry into position `at`. maps: per tag of memory, code -> gathered code.
 */
static int gather_entry(struct gather *gather, const struct series_memory *memory, uint32_t entry,
                        size_t at, uint32_t **maps, struct err *err) {
  const uint32_t *words = memory->words + memory->entries[entry].word;
  uint32_t count = *words++;
  for (uint32_t i = 0; i < count; i++, words += 2) {
    const struct series_values *tag = &memory->tags[words[0]];
    int code;
    struct column_gather *column = column_of(gather, tag->column, &code, err);
    if (code) return code;
    if (!column) continue;
    if (!maps[words[0]] && !(maps[words[0]] = ARENA_ARRAY(gather->arena, uint32_t, tag->count + 1)))
      return refused(gather, tag->count * 4, err);
    uint32_t *mapped = &maps[words[0]][words[1]];
    if (!*mapped) {
      struct str copy = arena_copy(gather->arena, tag->values[words[1] - 1]);
      if (!copy.data || !(*mapped = add_value(gather, column, copy)))
        return refused(gather, copy.size, err);
    }
    column->out.codes[at] = *mapped;
  }
  gather->found[at] = 1;
  return ERR_OK;
}

/* From the given entries (NULL: from all), for ids that are not found yet. Under the index's lock.
 */
static int gather_entries(struct gather *gather, const struct series_memory *memory,
                          const uint32_t *entries, uint32_t count, struct err *err) {
  if (count == 0) return ERR_OK;
  struct entry_id *known = ARENA_ARRAY(gather->arena, struct entry_id, count);
  uint32_t **maps = ARENA_ARRAY(gather->arena, uint32_t *, memory->tag_count + 1);
  if (!known || !maps) return refused(gather, count * sizeof *known, err);
  bool sorted = true;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t entry = entries ? entries[i] : i;
    known[i] = (struct entry_id){memory->entries[entry].id, entry};
    if (i && known[i].id < known[i - 1].id) sorted = false;
  }
  if (!sorted) qsort(known, count, sizeof *known, entry_order);
  int code = ERR_OK;
  for (size_t i = 0, k = 0; i < gather->count && k < count && !code;) {
    if (known[k].id < gather->ids[i])
      k++;
    else if (known[k].id > gather->ids[i] || gather->found[i])
      i++;
    else
      code = gather_entry(gather, memory, known[k].entry, i++, maps, err);
  }
  return code;
}

/* What no part knows any more, because one is damaged, the cache may still know. Under the lock. */
static int gather_cached(struct gather *gather, const struct series_memory *memory,
                         struct err *err) {
  return memory ? gather_entries(gather, memory, NULL, memory->entry_count, err) : ERR_OK;
}

/* ---- sections ---- */

/* The values of a chunk that are in `map`, which becomes their codes in the answer. */
static int gather_values(struct gather *gather, const struct section *section,
                         struct store_part *part, uint32_t section_column, uint32_t chunk,
                         struct column_gather *column, uint32_t *map, struct err *err) {
  struct str *values;
  uint32_t count, first = chunk * SECTION_VALUES + 1;
  struct arena read;
  arena_init(&read, gather->arena->account, 65536);
  int code =
      series__section_values(section, part, section_column, chunk, &read, &values, &count, err);
  for (uint32_t v = 0; !code && v < count; v++) {
    if (!map[first + v]) continue;
    struct str copy = arena_copy(gather->arena, values[v]);
    if ((!copy.data && values[v].size) || !(map[first + v] = add_value(gather, column, copy)))
      code = refused(gather, 64, err);
  }
  arena_deinit(&read);
  return code;
}

/* Codes of one section column for some series: `at` are their places in the answer. */
static int gather_column(struct gather *gather, const struct section *section,
                         struct store_part *part, uint32_t section_column,
                         struct column_gather *column, const uint32_t *ordinals, const uint32_t *at,
                         size_t count, struct err *err) {
  uint32_t distinct = section->columns[section_column].distinct;
  arena_reset(&gather->part);
  uint32_t *codes = ARENA_ARRAY(&gather->part, uint32_t, count);
  uint32_t *map = ARENA_ARRAY(&gather->part, uint32_t, (size_t)distinct + 1);
  if (!codes || !map) return refused(gather, (count + distinct) * 4, err);
  int code = series__section_codes(section, part, section_column, ordinals, count, &gather->part,
                                   codes, err);
  for (size_t i = 0; i < count && !code; i++)
    map[codes[i]] = 1;
  for (uint32_t from = 0; from < distinct && !code; from += SECTION_VALUES) {
    uint32_t to = distinct - from < SECTION_VALUES ? distinct : from + SECTION_VALUES, n = 0;
    for (uint32_t v = from + 1; v <= to; v++)
      n += map[v];
    if (n)
      code = gather_values(gather, section, part, section_column, from / SECTION_VALUES, column,
                           map, err);
  }
  map[0] = 0;
  for (size_t i = 0; i < count && !code; i++)
    column->out.codes[at[i]] = map[codes[i]];
  return code;
}

static int gather_section(struct gather *gather, struct series_registry *registry,
                          struct store_part *part, size_t *left, struct err *err) {
  struct section *section;
  int code = series__section_of(registry, part, &section, err);
  if (code || !section) return code;
  arena_reset(&gather->work);
  uint64_t *some = *left < gather->count ? ARENA_ARRAY(&gather->work, uint64_t, *left) : NULL;
  const uint64_t *ids = some ? some : gather->ids;
  uint32_t *at = ARENA_ARRAY(&gather->work, uint32_t, *left),
           *ordinals = ARENA_ARRAY(&gather->work, uint32_t, *left);
  if ((!some && *left < gather->count) || !at || !ordinals) return refused(gather, *left * 16, err);
  size_t n = 0, known = 0;
  for (size_t i = 0; i < gather->count; i++) {
    if (gather->found[i]) continue;
    if (some) some[n] = gather->ids[i];
    at[n++] = (uint32_t)i;
  }
  code = series__section_ordinals(section, part, ids, n, &gather->work, ordinals, err);
  for (size_t i = 0; i < n && !code; i++) {
    if (ordinals[i] == UINT32_MAX) continue;
    at[known] = at[i];
    ordinals[known++] = ordinals[i];
    gather->found[at[i]] = 1;
  }
  *left -= known;
  for (uint32_t c = 0; c < section->column_count && known && !code; c++) {
    struct column_gather *column = column_of(gather, section->columns[c].id, &code, err);
    if (column) code = gather_column(gather, section, part, c, column, ordinals, at, known, err);
  }
  return code;
}

static size_t count_missing(const struct gather *gather) {
  size_t left = 0;
  for (size_t i = 0; i < gather->count; i++)
    left += !gather->found[i];
  return left;
}

/* Parts whose sections turned out to be damaged. */
enum { PASSED_MAX = 64 };
struct passed {
  struct store_part *parts[PASSED_MAX];
  size_t count;
};

static bool is_passed(const struct passed *passed, const struct store_part *part) {
  for (size_t i = 0; i < passed->count; i++)
    if (passed->parts[i] == part) return true;
  return false;
}

/* *again: one more was passed, and everything has to be gathered anew, because half of what it gave
 * is there. */
static int gather_once(struct series_index *index, struct store_part *const *given,
                       size_t given_count, struct store_snapshot *snapshot,
                       const struct series__wanted *wanted, struct passed *passed, bool *again,
                       struct arena *arena, struct series__gathered *gathered, struct err *err) {
  *again = false;
  struct gather gather = {.arena = arena, .ids = wanted->ids, .count = wanted->count};
  gather.found = arena_alloc_zero(arena, wanted->count);
  if (!gather.found) return refused(&gather, wanted->count, err);
  arena_init(&gather.work, arena->account, 16384);
  arena_init(&gather.part, arena->account, 16384);
  int code = ERR_OK;
  for (size_t c = 0; c < wanted->column_count && wanted->columns && !code; c++)
    column_of(&gather, wanted->columns[c], &code, err);
  gather.wanted = wanted->columns;
  os_mutex_lock(&index->lock);
  if (!code)
    code = gather_entries(&gather, index->current, index->pinned, index->pinned_count, err);
  os_mutex_unlock(&index->lock);
  size_t left = count_missing(&gather);
  struct series__parts pinned = {.newest = NULL};
  if (!given && left &&
      !code) { /* only now: what was unpinned meanwhile is in a part that is visible by now */
    code = series__parts_pin(&pinned, index, snapshot, arena, err);
    given = pinned.list;
    given_count = pinned.count;
  }
  for (size_t p = 0; p < given_count && left && !code; p++) {
    if (is_passed(passed, given[p])) continue;
    code = gather_section(&gather, index->registry, given[p], &left, err);
    if (!code || !pinned.newest || passed->count == PASSED_MAX) continue;
    code = series__pass_damage(&pinned, given[p], code, err);
    *again = !code;
    if (*again) passed->parts[passed->count++] = given[p];
    if (*again) break;
  }
  series__parts_unpin(&pinned);
  arena_deinit(&gather.part);
  arena_deinit(&gather.work);
  if (!code && left && !*again) {
    os_mutex_lock(&index->lock);
    code = gather_cached(&gather, index->current, err);
    if (!code) code = gather_cached(&gather, index->previous, err);
    os_mutex_unlock(&index->lock);
    left = count_missing(&gather);
  }
  *gathered = (struct series__gathered){
      .columns = ARENA_ARRAY(arena, struct section_source_column, gather.column_count + 1),
      .column_count = gather.column_count,
      .missing = left,
      .known = gather.found};
  if (!code && !gathered->columns) code = refused(&gather, gather.column_count * 32, err);
  for (uint32_t c = 0; c < gather.column_count && !code; c++)
    gathered->columns[c] = gather.columns[c].out;
  return code;
}

int series__gather(struct series_index *index, struct store_part *const *given, size_t given_count,
                   struct store_snapshot *snapshot, const struct series__wanted *wanted,
                   struct arena *arena, struct series__gathered *gathered, struct err *err) {
  struct passed passed = {.count = 0};
  struct err own;
  bool again = true;
  int code = ERR_OK;
  if (!err) err = &own;
  while (again && !code)
    code = gather_once(index, given, given_count, snapshot, wanted, &passed, &again, arena,
                       gathered, err);
  return code;
}

/* ---- for queries ---- */

/* A gathered column as an Arrow dictionary column, "" for absent; its codes become those of the
 * answer where they are. */
static int dictionary_column(struct section_source_column *source, size_t count, struct arena *work,
                             struct arena *arena, struct column *out, struct err *err) {
  struct str *values;
  uint32_t distinct;
  int code = series__sort_values(source, count, work, &values, &distinct, err);
  if (code) return code;
  bool absent = false;
  for (size_t i = 0; i < count; i++)
    absent |= source->codes[i] == 0;
  uint32_t first = absent ? 0 : 1; /* code 0 of the answer is "" when anybody needs it */
  size_t bytes = 0;
  for (uint32_t v = 0; v < distinct; v++)
    bytes += values[v].size;
  int32_t *offsets = ARENA_ARRAY(arena, int32_t, (size_t)distinct + 2);
  char *data = arena_alloc(arena, bytes);
  struct column *dictionary = ARENA_NEW(arena, struct column);
  if (!offsets || !data || !dictionary) return mem_refused(arena->account, bytes, err);
  if (bytes > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "the values of a tag take %zu bytes", bytes);
  uint32_t n = absent ? 1 : 0;
  for (uint32_t v = 0; v < distinct; v++, n++) {
    memcpy(data + offsets[n], values[v].data, values[v].size);
    offsets[n + 1] = offsets[n] + (int32_t)values[v].size;
  }
  for (size_t i = 0; i < count; i++)
    source->codes[i] -= first;
  *dictionary = (struct column){.type = TYPE_STRING, .length = n, .offsets = offsets, .data = data};
  *out = (struct column){.type = {PHYSICAL_INT32, 0, 0},
                         .length = (int64_t)count,
                         .values = source->codes,
                         .dictionary = dictionary};
  return ERR_OK;
}

int series_tags(struct series_index *index, struct store_snapshot *snapshot, const uint64_t *ids,
                size_t count, const uint32_t *columns, size_t column_count, struct arena *arena,
                struct column *out, const uint8_t **known, struct err *err) {
  if (known) *known = NULL;
  if (column_count == 0) return ERR_OK;
  struct series__wanted wanted = {ids, count, columns, column_count};
  struct series__gathered gathered;
  int code = series__gather(index, NULL, 0, snapshot, &wanted, arena, &gathered, err);
  if (code) return code;
  if (known && gathered.missing) *known = gathered.known;
  struct arena work;
  arena_init(&work, arena->account, 16384);
  for (uint32_t g = 0; g < gathered.column_count && !code; g++) {
    struct column column;
    arena_reset(&work);
    code = dictionary_column(&gathered.columns[g], count, &work, arena, &column, err);
    for (size_t c = 0; c < column_count && !code; c++)
      if (columns[c] == gathered.columns[g].id) out[c] = column;
  }
  arena_deinit(&work);
  return code;
}
