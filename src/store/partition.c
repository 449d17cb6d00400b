/* Partitions: arithmetic on the axis of keys, and where outputs are cut.
 *
 * An output that is large is cut by halves: the smallest span that holds all of it, its two halves,
 * theirs, until a half is small enough or one partition. So a large part belongs to one partition,
 * small neighbours share one, and late rows beside many current ones have a part of their own. */
#include "store/partition.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/err.h"

static __int128 floor_divide(__int128 value, __int128 by) { return value / by - (value % by < 0); }

/* Of the partition with the smallest key. */
static __int128 first_index(const struct partitions *partitions) {
  return floor_divide((__int128)INT64_MIN - partitions->origin, partitions->width);
}

uint64_t partition_of(const struct partitions *partitions, int64_t key) {
  if (!partitions->width) return 0;
  __int128 index = floor_divide((__int128)key - partitions->origin, partitions->width);
  return (uint64_t)(index - first_index(partitions));
}

struct key_range partition_keys(const struct partitions *partitions, struct partition_span span) {
  struct key_range keys = {INT64_MIN, INT64_MAX};
  if (!partitions->width) return keys;
  __int128 base = first_index(partitions), width = partitions->width;
  __int128 from = (base + span.first) * width + partitions->origin;
  __int128 to = (base + span.last + 1) * width + partitions->origin - 1;
  if (from > INT64_MIN) keys.min = from > INT64_MAX ? INT64_MAX : (int64_t)from;
  if (to < INT64_MAX) keys.max = (int64_t)to;
  return keys;
}

struct partition_span partition_home(uint64_t a, uint64_t b) {
  uint64_t differ = a ^ b;
  unsigned bits = differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;
  uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
  return (struct partition_span){a & ~mask, a | mask};
}

bool part_extent(const struct store_part *part, struct key_range *extent) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  bool any = facts.rows > 0;
  if (any) *extent = (struct key_range){facts.key_min, facts.key_max};
  const struct store_tombstone *tombstones;
  const uint64_t *commits;
  uint32_t count = facts.tombstones ? part_tombstones(part, &tombstones, &commits) : 0;
  for (uint32_t i = 0; i < count; i++) {
    struct key_range keys = {tombstones[i].key_min, tombstones[i].key_max};
    *extent = any ? key_range_hull(*extent, keys) : keys;
    any = true;
  }
  return any;
}

/* ---- weights ---- */

void partition_weights_init(struct partition_weights *weights, const struct partitions *partitions,
                            struct mem_account *account) {
  *weights = (struct partition_weights){.partitions = *partitions, .account = account};
  u64_table_init(&weights->table, account);
}

void partition_weights_deinit(struct partition_weights *weights) {
  u64_table_deinit(&weights->table);
}

static int add_entry(struct u64_table *table, uint64_t key, uint64_t bytes, struct err *err) {
  uint64_t *value = u64_table_insert(table, key, NULL);
  if (!value) return err_set(err, ERR_MEMORY_LIMIT, "no memory to count what partitions hold");
  *value += bytes;
  return ERR_OK;
}

/* Counts twice as many partitions together. */
static int coarsen(struct partition_weights *weights, struct err *err) {
  struct u64_table table;
  u64_table_init(&table, weights->account);
  size_t cursor = 0;
  const struct u64_table_slot *slot;
  int code = ERR_OK;
  while (code == ERR_OK && (slot = u64_table_next(&weights->table, &cursor)))
    code = add_entry(&table, slot->key >> 1, slot->value, err);
  if (code) {
    u64_table_deinit(&table);
    return code;
  }
  u64_table_deinit(&weights->table);
  weights->table = table;
  weights->level++;
  return ERR_OK;
}

int partition_weights_add(struct partition_weights *weights, uint64_t partition, uint64_t bytes,
                          struct err *err) {
  int code = add_entry(&weights->table, partition >> weights->level, bytes, err);
  while (code == ERR_OK && weights->table.count > PARTITION_WEIGHTS_MAX && weights->level < 63)
    code = coarsen(weights, err);
  return code;
}

/* The rows of one run, partition by partition. */
static int add_run(struct partition_weights *weights, const int64_t *keys, uint32_t rows,
                   double row_bytes, struct err *err) {
  int code = ERR_OK;
  for (uint32_t from = 0; from < rows && code == ERR_OK;) {
    uint64_t partition = partition_of(&weights->partitions, keys[from]);
    int64_t last =
        partition_keys(&weights->partitions, (struct partition_span){partition, partition}).max;
    uint32_t low = from + 1, high = rows;
    while (low < high) {
      uint32_t middle = low + (high - low) / 2;
      if (keys[middle] <= last)
        low = middle + 1;
      else
        high = middle;
    }
    code = partition_weights_add(weights, partition, (uint64_t)((low - from) * row_bytes) + 1, err);
    from = low;
  }
  return code;
}

static int add_block(struct partition_weights *weights, struct store_part *part, uint32_t block,
                     double row_bytes, struct arena *arena, struct err *err) {
  const struct store_run *runs;
  const int64_t *run_keys, *keys;
  int code = part_read_runs(part, block, arena, &runs, &run_keys, err);
  if (code == ERR_OK) code = part_read_keys(part, block, arena, &keys, NULL, err);
  for (uint32_t i = 0; code == ERR_OK && i < part_blocks(part)[block].runs; i++)
    code = add_run(weights, keys + runs[i].row, runs[i].rows, row_bytes, err);
  return code;
}

int partition_weights_add_part(struct partition_weights *weights, struct store_part *part,
                               struct err *err) {
  struct store_part_facts facts;
  struct arena arena;
  store_part_facts(part, &facts);
  if (!facts.rows) return ERR_OK;
  double row_bytes = (double)facts.bytes / (double)facts.rows;
  uint64_t first = partition_of(&weights->partitions, facts.key_min);
  if (first == partition_of(&weights->partitions, facts.key_max))
    return partition_weights_add(weights, first, facts.bytes, err);
  int code = part_load_blocks(part, err);
  arena_init(&arena, weights->account, 64 << 10);
  for (uint32_t i = 0; code == ERR_OK && i < part_block_count(part); i++) {
    const struct part_block *block = &part_blocks(part)[i];
    uint64_t partition = partition_of(&weights->partitions, block->key_min);
    if (partition == partition_of(&weights->partitions, block->key_max)) {
      code =
          partition_weights_add(weights, partition, (uint64_t)(block->rows * row_bytes) + 1, err);
    } else {
      code = add_block(weights, part, i, row_bytes, &arena, err);
      arena_reset(&arena);
    }
  }
  arena_deinit(&arena);
  return code;
}

/* ---- cutting ---- */

struct weight {
  uint64_t partition; /* >> level */
  uint64_t bytes;     /* of it and all before */
};

struct cutting {
  const struct partition_weights *weights;
  const struct weight *list;
  uint64_t limit;
  struct buffer *cells;
};

static int by_partition(const void *a, const void *b) {
  uint64_t x = ((const struct weight *)a)->partition, y = ((const struct weight *)b)->partition;
  return x < y ? -1 : x > y;
}

static void add_cell(const struct cutting *cutting, size_t from, size_t to) {
  unsigned level = cutting->weights->level;
  uint64_t first = cutting->list[from].partition << level;
  uint64_t last = cutting->list[to - 1].partition << level | ((UINT64_C(1) << level) - 1);
  uint64_t before = from ? cutting->list[from - 1].bytes : 0;
  struct partition_cell cell = {.span = partition_home(first, last),
                                .bytes = cutting->list[to - 1].bytes - before};
  buffer_append(cutting->cells, &cell, sizeof cell);
}

/* Cuts entries [from, to). At most 64 deep. */
static void cut(const struct cutting *cutting, size_t from, size_t to) {
  const struct weight *list = cutting->list;
  uint64_t bytes = list[to - 1].bytes - (from ? list[from - 1].bytes : 0);
  if (bytes <= cutting->limit || to - from == 1) {
    add_cell(cutting, from, to);
    return;
  }
  struct partition_span home = partition_home(list[from].partition, list[to - 1].partition);
  uint64_t half = home.first + (home.last - home.first) / 2;
  size_t middle = from;
  while (list[middle].partition <= half)
    middle++;
  cut(cutting, from, middle);
  cut(cutting, middle, to);
}

/* Cells side by side: each ends where the next one's partitions begin. */
static void spread(const struct partition_weights *weights, struct partition_cell *cells,
                   size_t count) {
  for (size_t i = 0; i < count; i++) {
    cells[i].keys = partition_keys(&weights->partitions, cells[i].span);
    if (i) cells[i - 1].keys.max = cells[i].keys.min - 1;
  }
  cells[0].keys.min = INT64_MIN;
  cells[count - 1].keys.max = INT64_MAX;
}

int partition_weights_cut(const struct partition_weights *weights, uint64_t limit,
                          struct buffer *cells, struct err *err) {
  size_t count = 0, capacity = weights->table.count, cursor = 0, begin = cells->size;
  const struct u64_table_slot *slot;
  struct weight *list = mem_alloc(weights->account, (capacity + 1) * sizeof *list);
  if (!list) return mem_refused(weights->account, (capacity + 1) * sizeof *list, err);
  while ((slot = u64_table_next(&weights->table, &cursor)))
    list[count++] = (struct weight){slot->key, slot->value};
  if (count) {
    qsort(list, count, sizeof *list, by_partition);
    for (size_t i = 1; i < count; i++)
      list[i].bytes += list[i - 1].bytes;
    struct cutting cutting = {weights, list, limit, cells};
    cut(&cutting, 0, count);
  } else {
    struct partition_cell all = {.span = {0, UINT64_MAX}};
    buffer_append(cells, &all, sizeof all);
  }
  mem_free(weights->account, list, (capacity + 1) * sizeof *list);
  int code = buffer_check(cells, err);
  if (code == ERR_OK)
    spread(weights, (struct partition_cell *)(cells->data + begin),
           (cells->size - begin) / sizeof(struct partition_cell));
  return code;
}
