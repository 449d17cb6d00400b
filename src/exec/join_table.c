/* The table of a hash join: entries in the order of their hashes, and a directory into them.
 *
 * It is made in three steps, each a few tasks side by side: count the rows of each range of chunks
 * by partition (the upper bits of the hash), move hash and row number of every row into its
 * partition, put each partition in order and write its part of the directory. Rows move in their
 * order, and a partition is sorted stably, so the table is the same for any number of threads.
 *
 * A lookup reads one pair of neighbours of the directory and then entries that stand side by side;
 * both are loops over a vector of rows, so that many misses of the cache are under way at once. */
#include "exec/join.h"

#include <string.h>

#include "base/err.h"

enum {
  TASKS_MAX = 64,
  PARTITION_ROWS = 16384,  /* sorted within the second-level cache */
  PARTITION_BITS_MAX = 10, /* streams of writes side by side */
  SMALL_BUCKET = 24,       /* sorted by insertion */
  AHEAD = 12,              /* rows between asking for an entry and reading it */
};

struct builder_state {
  struct join_table *table;
  const struct join_shape *shape;
  const struct batch *chunks;
  uint32_t chunk_count, task_count;
  unsigned partition_bits;
  uint32_t partition_count; /* the last one: rows with null keys */
  uint32_t *places;         /* per task and partition: rows, then where the next one goes */
  uint32_t *bounds;         /* per partition: its first entry; and the end */
};

static uint32_t partition_of(const struct builder_state *state, uint64_t hash, bool absent) {
  if (absent && state->shape->nulls != JOIN_NULLS_NULLS) return state->partition_count - 1;
  return state->partition_bits ? (uint32_t)(hash >> (64 - state->partition_bits)) : 0;
}

/* Both counting (entries NULL) and moving, so that they can't disagree. */
static void walk_rows(const struct builder_state *state, size_t task, struct sort_row *entries) {
  const struct join_shape *shape = state->shape;
  uint32_t *places = state->places + task * state->partition_count;
  uint64_t hashes[JOIN_VECTOR];
  uint8_t absent[JOIN_VECTOR];
  uint32_t begin = (uint32_t)((uint64_t)state->chunk_count * task / state->task_count);
  uint32_t end = (uint32_t)((uint64_t)state->chunk_count * (task + 1) / state->task_count);
  for (uint32_t c = begin; c < end; c++) {
    const struct batch *chunk = &state->chunks[c];
    for (int64_t at = 0; at < chunk->length; at += JOIN_VECTOR) {
      int64_t count = chunk->length - at < JOIN_VECTOR ? chunk->length - at : JOIN_VECTOR;
      bool any;
      join__hash(shape->build_keys, shape->key_count, chunk->columns, at, count, hashes, absent,
                 &any);
      uint64_t row = (uint64_t)c * ROW_BUFFER_CHUNK + (uint64_t)at;
      for (int64_t i = 0; i < count; i++) {
        uint32_t place = places[partition_of(state, hashes[i], any && absent[i])]++;
        if (entries) entries[place] = (struct sort_row){hashes[i], row + (uint64_t)i};
      }
    }
  }
}

static int count_task(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  const struct builder_state *state = context;
  (void)figures;
  walk_rows(state, i, NULL);
  return exec__check(state->table->exec, err);
}

static int move_task(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  const struct builder_state *state = context;
  (void)figures;
  walk_rows(state, i, state->table->entries);
  return exec__check(state->table->exec, err);
}

static bool in_order(const struct sort_row *entries, size_t count) {
  for (size_t i = 1; i < count; i++)
    if (entries[i - 1].key > entries[i].key) return false;
  return true;
}

/* Entries of one bucket, stably. */
static void sort_bucket(struct sort_row *entries, struct sort_row *spare, size_t count) {
  if (count > SMALL_BUCKET) {
    if (!in_order(entries, count)) sort_rows(entries, spare, count);
    return;
  }
  for (size_t i = 1; i < count; i++) {
    struct sort_row entry = entries[i];
    size_t at = i;
    for (; at > 0 && entries[at - 1].key > entry.key; at--)
      entries[at] = entries[at - 1];
    entries[at] = entry;
  }
}

/* Sorts entries [begin, end), which have the buckets [low, high), and writes their starts. */
static void order_partition(struct join_table *table, uint32_t begin, uint32_t end, size_t low,
                            size_t high, struct sort_row *spare) {
  uint32_t *starts = table->starts;
  unsigned shift = 64 - table->bits;
  struct sort_row *entries = table->entries;
  size_t count = end - begin;
  memset(starts + low, 0, (high - low) * sizeof *starts);
  for (uint32_t i = begin; i < end; i++)
    starts[entries[i].key >> shift]++;
  uint32_t at = begin;
  for (size_t b = low; b < high; b++) {
    uint32_t rows = starts[b];
    starts[b] = at;
    at += rows;
  }
  if (spare) { /* not in order yet */
    memcpy(spare, entries + begin, count * sizeof *spare);
    for (size_t i = 0; i < count; i++)
      entries[starts[spare[i].key >> shift]++] = spare[i];
    memmove(starts + low + 1, starts + low, (high - low - 1) * sizeof *starts);
    starts[low] = begin;
    for (size_t b = low; b < high; b++) {
      uint32_t bucket_end = b + 1 < high ? starts[b + 1] : end;
      if (bucket_end - starts[b] > 1)
        sort_bucket(entries + starts[b], spare, bucket_end - starts[b]);
    }
  }
}

static int order_task(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  const struct builder_state *state = context;
  struct join_table *table = state->table;
  (void)figures;
  uint32_t begin = state->bounds[i], end = state->bounds[i + 1];
  unsigned shift = table->bits - state->partition_bits;
  struct sort_row *spare = NULL;
  size_t size = (size_t)(end - begin) * sizeof *spare;
  if (!in_order(table->entries + begin, end - begin)) {
    spare = mem_alloc(table->exec->options.account, size);
    if (!spare) return exec__refused(table->exec, size, err);
  }
  order_partition(table, begin, end, (size_t)i << shift, (size_t)(i + 1) << shift, spare);
  mem_free(table->exec->options.account, spare, spare ? size : 0);
  return exec__check(table->exec, err);
}

/* From counts per task and partition to where each task's rows of it go. */
static void place_rows(struct builder_state *state) {
  uint32_t at = 0;
  for (uint32_t p = 0; p < state->partition_count; p++) {
    state->bounds[p] = at;
    for (uint32_t t = 0; t < state->task_count; t++) {
      uint32_t *place = &state->places[(size_t)t * state->partition_count + p];
      uint32_t rows = *place;
      *place = at;
      at += rows;
    }
  }
  state->bounds[state->partition_count] = at;
}

static size_t places_size(const struct builder_state *state) {
  return ((size_t)state->task_count + 1) * (state->partition_count + 1) * sizeof(uint32_t);
}

static size_t starts_size(unsigned bits) { return (((size_t)1 << bits) + 1) * sizeof(uint32_t); }

void join__table_deinit(struct join_table *table) {
  if (!table->exec) return;
  struct mem_account *account = table->exec->options.account;
  mem_free(account, table->entries, table->entries ? table->capacity * sizeof *table->entries : 0);
  mem_free(account, table->starts, table->starts ? starts_size(table->bits) : 0);
  *table = (struct join_table){0};
}

static int allocate(struct join_table *table, uint64_t rows, struct err *err) {
  struct mem_account *account = table->exec->options.account;
  table->capacity = rows ? (size_t)rows : 1;
  table->entries = mem_alloc(account, table->capacity * sizeof *table->entries);
  if (!table->entries)
    return exec__refused(table->exec, table->capacity * sizeof *table->entries, err);
  table->bits = 1;
  while (table->bits < 31 && (UINT64_C(1) << table->bits) < rows)
    table->bits++;
  table->starts = mem_alloc(account, starts_size(table->bits));
  return table->starts ? ERR_OK : exec__refused(table->exec, starts_size(table->bits), err);
}

/* The bounds of the entries, once rows are counted. */
static void settle(struct builder_state *state) {
  struct join_table *table = state->table;
  const struct join_shape *shape = state->shape;
  uint32_t end = state->bounds[state->partition_count];
  table->count = state->bounds[state->partition_count - 1];
  table->tail = shape->nulls == JOIN_NULLS_ANYTHING ? end - table->count : 0;
  /* Any one of them is a partner of every row. */
  if (table->tail > 1 && shape->key_count == 1 && !shape->join->condition) table->tail = 1;
  table->starts[(size_t)1 << table->bits] = table->count;
}

int join__table_build(struct join_table *table, struct exec *exec, const struct join_shape *shape,
                      const struct row_buffer *build, const struct batch *chunks, struct err *err) {
  join__table_deinit(table);
  *table = (struct join_table){.exec = exec};
  struct builder_state state = {.table = table,
                                .shape = shape,
                                .chunks = chunks,
                                .chunk_count = exec__row_buffer_chunks(build)};
  int code = allocate(table, build->rows, err);
  if (code) return code;
  while (state.partition_bits < PARTITION_BITS_MAX && state.partition_bits < table->bits &&
         build->rows >> state.partition_bits > PARTITION_ROWS)
    state.partition_bits++;
  state.partition_count = (UINT32_C(1) << state.partition_bits) + 1;
  state.task_count = state.chunk_count < TASKS_MAX ? state.chunk_count : TASKS_MAX;
  if (!state.task_count) state.task_count = 1;
  state.places = mem_alloc_zero(exec->options.account, places_size(&state));
  if (!state.places) return exec__refused(exec, places_size(&state), err);
  state.bounds = state.places + (size_t)state.task_count * state.partition_count;
  code = exec__parallel(exec, state.task_count, count_task, &state, err);
  if (!code) {
    place_rows(&state);
    settle(&state);
    code = exec__parallel(exec, state.task_count, move_task, &state, err);
  }
  if (!code) code = exec__parallel(exec, state.partition_count - 1, order_task, &state, err);
  mem_free(exec->options.account, state.places, places_size(&state));
  return code;
}

/* ---- lookup ---- */

/* The first entry in [begin, end) whose hash is at least (above: greater than) `hash`. */
static uint32_t search(const struct sort_row *entries, uint32_t begin, uint32_t end, uint64_t hash,
                       bool above) {
  while (begin < end) {
    uint32_t middle = begin + (end - begin) / 2;
    if (entries[middle].key < hash || (above && entries[middle].key == hash))
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

/* The run of a hash among the entries of its bucket. */
static inline void find_run(const struct sort_row *entries, uint32_t begin, uint32_t end,
                            uint64_t hash, uint32_t *first, uint32_t *count) {
  if (end - begin > SMALL_BUCKET) { /* many rows of one key, and perhaps others beside them */
    *first = begin;
    *count = end - begin;
    if (entries[begin].key == hash && entries[end - 1].key == hash) return;
    *first = search(entries, begin, end, hash, false);
    *count = search(entries, *first, end, hash, true) - *first;
    return;
  }
  while (begin < end && entries[begin].key < hash)
    begin++;
  uint32_t at = begin;
  while (at < end && entries[at].key == hash)
    at++;
  *first = begin;
  *count = at - begin;
}

static void find_vector(const struct join_table *table, const uint64_t *hashes, int64_t length,
                        uint32_t *first, uint32_t *count) {
  const struct sort_row *entries = table->entries;
  const uint32_t *starts = table->starts;
  unsigned shift = 64 - table->bits;
  for (int64_t i = 0; i < length; i++) {
    first[i] = starts[hashes[i] >> shift];
    count[i] = starts[(hashes[i] >> shift) + 1];
  }
  for (int64_t i = 0; i < length; i++) {
    if (i + AHEAD < length) __builtin_prefetch(&entries[first[i + AHEAD]]);
    find_run(entries, first[i], count[i], hashes[i], &first[i], &count[i]);
  }
}

void join__table_find(const struct join_table *table, const struct join_shape *shape,
                      const struct column *columns, int64_t length, uint32_t *first,
                      uint32_t *count) {
  uint64_t hashes[JOIN_VECTOR];
  uint8_t absent[JOIN_VECTOR];
  uint32_t total = table->count + table->tail;
  bool one = shape->key_count == 1 && !shape->join->condition;
  for (int64_t at = 0; at < length; at += JOIN_VECTOR) {
    int64_t size = length - at < JOIN_VECTOR ? length - at : JOIN_VECTOR;
    bool any;
    join__hash(shape->probe_keys, shape->key_count, columns, at, size, hashes, absent, &any);
    find_vector(table, hashes, size, first + at, count + at);
    if (shape->nulls == JOIN_NULLS_NULLS) continue;
    for (int64_t i = 0; i < size && (any || table->tail); i++) {
      bool null = any && absent[i];
      if (shape->nulls == JOIN_NULLS_NOTHING) {
        if (null) count[at + i] = 0;
      } else if (!null) {
        count[at + i] += table->tail;
      } else {
        first[at + i] = 0;
        count[at + i] = one && total ? 1 : total;
      }
    }
  }
}
