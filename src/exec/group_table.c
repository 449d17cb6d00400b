/* Filling, merging and finishing the records of groups. */
#include "exec/group_table.h"

#include <string.h>

#include "base/err.h"
#include "columnar/bits.h"

enum { CAPACITY_MIN = 64, STEP = 1024 };

int group_table_begin(struct group_table *table, const struct group_layout *layout,
                      struct err *err) {
  struct mem_account *account = layout->exec->options.account;
  *table = (struct group_table){.layout = layout};
  arena_init(&table->arena, account, 4096);
  return exec__key_table_create(layout->exec, layout->key_types, layout->field_count, &table->keys,
                                err);
}

/* Room for the ids of `count` rows and a bit for each of `length`, while rows are taken. */
static int borrow_ids(struct group_table *table, int64_t count, int64_t length, struct err *err) {
  size_t bits = ((size_t)count + 1) / 2 * 8;
  table->ids_size = bits + (bit_words(length) + 1) * 8;
  table->ids = mem_alloc(table->arena.account, table->ids_size);
  if (!table->ids) return mem_refused(table->arena.account, table->ids_size, err);
  table->selected = (uint64_t *)(void *)((uint8_t *)table->ids + bits);
  return ERR_OK;
}
static void return_ids(struct group_table *table) {
  mem_free(table->arena.account, table->ids, table->ids_size);
  table->ids = NULL;
}

void group_table_end(struct group_table *table) {
  if (!table->layout) return;
  struct mem_account *account = table->layout->exec->options.account;
  mem_free(account, table->records, (size_t)table->capacity * table->layout->record_size);
  return_ids(table);
  exec__key_table_destroy(table->keys);
  arena_deinit(&table->arena);
  *table = (struct group_table){0};
}

uint32_t group_table_count(const struct group_table *table) {
  return table->keys ? exec__key_table_count(table->keys) : 0;
}

uint64_t group_table_bytes(const struct group_table *table) {
  if (!table->keys) return 0;
  return exec__key_table_bytes(table->keys) +
         (uint64_t)table->capacity * table->layout->record_size;
}

/* Room for the records of `count` groups; new ones are zero. */
static int reserve(struct group_table *table, uint32_t count, struct err *err) {
  struct mem_account *account = table->layout->exec->options.account;
  size_t size = table->layout->record_size;
  if (count <= table->capacity) return ERR_OK;
  uint64_t capacity = table->capacity ? table->capacity : CAPACITY_MIN;
  while (capacity < count)
    capacity *= 2;
  if (capacity > KEY_NONE) capacity = KEY_NONE;
  uint8_t *records = mem_resize(account, table->records, table->capacity * size, capacity * size);
  if (!records) return mem_refused(account, capacity * size, err);
  memset(records + table->capacity * size, 0, (capacity - table->capacity) * size);
  table->records = records;
  table->capacity = (uint32_t)capacity;
  return ERR_OK;
}

static void set_first(struct group_table *table, uint32_t id, uint64_t row) {
  memcpy(group_table_record(table, id), &row, sizeof row);
}
static uint64_t first_of(const struct group_table *table, uint32_t id) {
  uint64_t row;
  memcpy(&row, group_table_record(table, id), sizeof row);
  return row;
}

/* Ids of rows whose keys stand in these columns; records for those that are new. */
static int add_keys(struct group_table *table, const struct column *const *keys, int64_t from,
                    int64_t count, uint64_t first, const uint64_t *numbers, const uint64_t *hashes,
                    struct err *err) {
  uint32_t known = exec__key_table_count(table->keys);
  int64_t added;
  int code = exec__key_table_add(table->keys, keys, from, count, hashes, table->ids, &added, err);
  if (!code) code = reserve(table, exec__key_table_count(table->keys), err);
  if (code || exec__key_table_count(table->keys) == known) return code;
  for (int64_t i = 0; i < count; i++) {
    if (table->ids[i] < known) continue;
    set_first(table, table->ids[i], numbers ? numbers[i] : first + (uint64_t)i);
    known = table->ids[i] + 1; /* ids ascend where they are new */
  }
  return ERR_OK;
}

static int feed_calls(struct group_table *table, const struct column *columns, int64_t length,
                      int64_t from, int64_t count, struct err *err) {
  const struct group_layout *layout = table->layout;
  int code = ERR_OK;
  for (uint32_t c = 0; c < layout->call_count && !code; c++) {
    struct aggregate_vector vector;
    exec__aggregate_vector(&layout->calls[c], columns, length, table->selected, &vector);
    code = exec__aggregate_feed_groups(&layout->calls[c], &table->arena,
                                       table->records + layout->offsets[c], layout->record_size,
                                       table->ids, &vector, from, count, err);
  }
  return code;
}

/* ---- grouping sets: the same rows with other keys ---- */

static const uint64_t all_null[LIMIT_BLOCK_ROWS / 64];

static int feed_set(struct group_table *table, const struct column *columns, int64_t length,
                    int64_t from, int64_t count, uint64_t first, uint32_t set, struct err *err) {
  const struct group_layout *layout = table->layout;
  struct arena scratch;
  arena_init(&scratch, table->arena.account, 1024);
  struct column *made = ARENA_ARRAY(&scratch, struct column, layout->field_count);
  const struct column **keys = ARENA_ARRAY(&scratch, const struct column *, layout->field_count);
  int64_t *numbers = ARENA_ARRAY(&scratch, int64_t, length + 1);
  int code = ERR_OK;
  if (!made || !keys || !numbers) {
    code = mem_refused(table->arena.account, (size_t)length * 8, err);
  } else {
    for (uint32_t i = 0; i < layout->key_count; i++) {
      made[i] = columns[layout->keys[i]];
      keys[i] = &made[i];
      if (layout->sets[set] >> i & 1) continue;
      made[i].validity = all_null;
      made[i].null_count = (uint32_t)length;
    }
    for (int64_t i = 0; i < length; i++)
      numbers[i] = set;
    made[layout->key_count] = (struct column){.type = TYPE_INT64, .length = length, .i64 = numbers};
    keys[layout->key_count] = &made[layout->key_count];
    code = add_keys(table, keys, from, count, first, NULL, NULL, err);
    if (!code) code = feed_calls(table, columns, length, from, count, err);
  }
  arena_deinit(&scratch);
  return code;
}

/* With all keys. */
static int feed_all(struct group_table *table, const struct column *columns, int64_t length,
                    int64_t from, int64_t count, uint64_t first, const uint64_t *numbers,
                    const uint64_t *hashes, struct err *err) {
  const struct group_layout *layout = table->layout;
  const struct column *few[16], **keys = few;
  size_t size = layout->key_count * sizeof *keys;
  if (layout->key_count > 16) {
    keys = mem_alloc(table->arena.account, size);
    if (!keys) return mem_refused(table->arena.account, size, err);
  }
  for (uint32_t i = 0; i < layout->key_count; i++)
    keys[i] = &columns[layout->keys[i]];
  int code = add_keys(table, keys, from, count, first, numbers, hashes, err);
  if (keys != few) mem_free(table->arena.account, keys, size);
  return code ? code : feed_calls(table, columns, length, from, count, err);
}

int group_table_feed(struct group_table *table, const struct column *columns, int64_t length,
                     int64_t from, int64_t count, uint64_t first, const uint64_t *numbers,
                     const uint64_t *hashes, struct err *err) {
  const struct group_layout *layout = table->layout;
  int code = borrow_ids(table, count, length, err);
  if (layout->sets) {
    for (uint32_t set = 0; set < layout->set_count && !code; set++)
      code = feed_set(table, columns, length, from, count, first, set, err);
    return_ids(table);
    return code;
  }
  if (code) return code;
  code = feed_all(table, columns, length, from, count, first, numbers, hashes, err);
  return_ids(table);
  return code;
}
int group_table_add_empty(struct group_table *table, uint32_t set, struct err *err) {
  const struct group_layout *layout = table->layout;
  const int64_t number = set;
  const struct column of_set = {.type = TYPE_INT64, .length = 1, .i64 = &number};
  const struct column absent = {.length = 1, .null_count = 1, .validity = all_null};
  struct column *made = mem_alloc(table->arena.account, (layout->field_count + 1) * sizeof *made);
  const struct column **keys =
      mem_alloc(table->arena.account, (layout->field_count + 1) * sizeof *keys);
  int code = ERR_OK;
  if (!made || !keys) code = mem_refused(table->arena.account, sizeof *made, err);
  for (uint32_t i = 0; i < layout->field_count && !code; i++) {
    made[i] = i < layout->key_count ? absent : of_set;
    made[i].type = layout->key_types[i];
    made[i].values = i < layout->key_count ? (const void *)all_null : (const void *)&number;
    keys[i] = &made[i];
  }
  if (!code) code = borrow_ids(table, 1, 1, err);
  if (!code) code = add_keys(table, keys, 0, 1, 0, NULL, NULL, err);
  return_ids(table);
  mem_free(table->arena.account, made, (layout->field_count + 1) * sizeof *made);
  mem_free(table->arena.account, keys, (layout->field_count + 1) * sizeof *keys);
  return code;
}

/* ---- groups of another table ---- */

/* Builders for the key fields as the table gives them. */
struct key_columns {
  struct builder *builders;
  struct builder **list;
  struct column *columns;
  const struct column **views;
  size_t size;
  uint32_t count;
};

static int key_columns_init(struct key_columns *keys, const struct group_table *table,
                            struct err *err) {
  uint32_t count = table->layout->field_count;
  struct mem_account *account = table->layout->exec->options.account;
  size_t each =
      sizeof *keys->builders + sizeof *keys->list + sizeof *keys->columns + sizeof *keys->views;
  *keys = (struct key_columns){.count = count, .size = each * count + 8};
  keys->builders = mem_alloc(account, keys->size);
  if (!keys->builders) return mem_refused(account, keys->size, err);
  keys->columns = (struct column *)(void *)(keys->builders + count);
  keys->list = (struct builder **)(void *)(keys->columns + count);
  keys->views = (const struct column **)(void *)(keys->list + count);
  for (uint32_t i = 0; i < count; i++) {
    bool codes = exec__key_table_dictionary(table->keys, i) != NULL;
    builder_init(&keys->builders[i],
                 codes ? (struct type){PHYSICAL_INT32, 0, 0} : table->layout->key_types[i],
                 account);
    keys->list[i] = &keys->builders[i];
    keys->views[i] = &keys->columns[i];
  }
  return ERR_OK;
}

static void key_columns_deinit(struct key_columns *keys, struct mem_account *account) {
  if (!keys->builders) return;
  for (uint32_t i = 0; i < keys->count; i++)
    builder_deinit(&keys->builders[i]);
  mem_free(account, keys->builders, keys->size);
}

static int key_columns_take(struct key_columns *keys, const struct group_table *table,
                            const uint32_t *ids, uint32_t count, struct err *err) {
  for (uint32_t i = 0; i < keys->count; i++)
    builder_reset(&keys->builders[i]);
  exec__key_table_take(table->keys, ids, count, keys->list);
  for (uint32_t i = 0; i < keys->count; i++) {
    int code = builder_check(&keys->builders[i], err);
    if (code) return code;
    keys->columns[i] = builder_view(&keys->builders[i]);
    keys->columns[i].dictionary = exec__key_table_dictionary(table->keys, i);
  }
  return ERR_OK;
}

static int merge_states(struct group_table *table, uint32_t id, const struct group_table *other,
                        uint32_t from, struct err *err) {
  const struct group_layout *layout = table->layout;
  uint8_t *into = group_table_record(table, id);
  const uint8_t *of = group_table_record(other, from);
  int code = ERR_OK;
  for (uint32_t c = 0; c < layout->call_count && !code; c++)
    code = exec__aggregate_merge(&layout->calls[c], &table->arena, into + layout->offsets[c],
                                 of + layout->offsets[c], err);
  return code;
}

int group_table_merge(struct group_table *table, const struct group_table *other,
                      const uint32_t *ids, uint32_t count, struct err *err) {
  struct key_columns keys;
  uint64_t hashes[STEP], numbers[STEP];
  int code = count ? key_columns_init(&keys, other, err) : ERR_OK;
  if (!count || code) return code;
  code = borrow_ids(table, STEP, 0, err);
  for (uint32_t at = 0; at < count && !code; at += STEP) {
    uint32_t size = count - at < STEP ? count - at : STEP;
    code = key_columns_take(&keys, other, ids + at, size, err);
    for (uint32_t i = 0; i < size; i++) {
      hashes[i] = exec__key_table_hashes(other->keys)[ids[at + i]];
      numbers[i] = first_of(other, ids[at + i]);
    }
    if (!code) code = add_keys(table, keys.views, 0, size, 0, numbers, hashes, err);
    for (uint32_t i = 0; i < size && !code; i++)
      code = merge_states(table, table->ids[i], other, ids[at + i], err);
  }
  return_ids(table);
  key_columns_deinit(&keys, table->arena.account);
  return code;
}

void group_table_split(const struct group_table *table, unsigned shift, uint32_t *order,
                       uint32_t starts[GROUP_FAN + 1]) {
  uint32_t count = group_table_count(table), at[GROUP_FAN + 1] = {0};
  const uint64_t *hashes = exec__key_table_hashes(table->keys);
  for (uint32_t id = 0; id < count; id++)
    at[(hashes[id] >> shift & (GROUP_FAN - 1)) + 1]++;
  for (uint32_t p = 0; p < GROUP_FAN; p++)
    at[p + 1] += at[p];
  memcpy(starts, at, sizeof at);
  for (uint32_t id = 0; id < count; id++)
    order[at[hashes[id] >> shift & (GROUP_FAN - 1)]++] = id;
}

/* ---- on disk ---- */

int group_spill_create(const struct group_layout *layout, struct spill_stream **stream,
                       struct err *err) {
  struct type few[16], *types = few;
  uint32_t count = layout->field_count + 2;
  size_t size = count * sizeof *types;
  if (count > 16) types = mem_alloc(layout->exec->options.account, size);
  if (!types) return mem_refused(layout->exec->options.account, size, err);
  types[0] = TYPE_UINT64;
  for (uint32_t i = 0; i < layout->field_count; i++)
    types[i + 1] = layout->key_types[i];
  types[count - 1] = TYPE_BYTES;
  int code = exec__spill_create(layout->exec, types, count, stream, err);
  if (types != few) mem_free(layout->exec->options.account, types, size);
  return code;
}

/* States of one group as bytes. */
static void save_states(const struct group_table *table, uint32_t id, struct buffer *bytes) {
  const struct group_layout *layout = table->layout;
  for (uint32_t c = 0; c < layout->call_count; c++)
    exec__aggregate_save(&layout->calls[c], group_table_record(table, id) + layout->offsets[c],
                         bytes);
}

struct spilling {
  struct key_columns keys;
  struct builder firsts, states;
  struct buffer bytes;
  struct column *columns;
};

enum { SPILL_GROUPS = 256, SPILL_BYTES = 1 << 18 };

static int spill_some(struct spilling *spilling, const struct group_table *table,
                      const uint32_t *ids, uint32_t count, uint32_t *done,
                      struct spill_stream *stream, struct err *err) {
  uint32_t fields = table->layout->field_count;
  builder_reset(&spilling->firsts);
  builder_reset(&spilling->states);
  for (*done = 0; *done < count && *done < SPILL_GROUPS; ++*done) {
    if (spilling->states.data_size > SPILL_BYTES) break;
    buffer_reset(&spilling->bytes);
    save_states(table, ids[*done], &spilling->bytes);
    int code = buffer_check(&spilling->bytes, err);
    if (code) return code;
    builder_append_u64(&spilling->firsts, first_of(table, ids[*done]));
    builder_append_str(&spilling->states, buffer_str(&spilling->bytes));
  }
  int code = key_columns_take(&spilling->keys, table, ids, *done, err);
  if (!code) code = builder_check(&spilling->firsts, err);
  if (!code) code = builder_check(&spilling->states, err);
  if (code) return code;
  spilling->columns[0] = builder_view(&spilling->firsts);
  memcpy(spilling->columns + 1, spilling->keys.columns, fields * sizeof(struct column));
  spilling->columns[fields + 1] = builder_view(&spilling->states);
  return exec__spill_append(stream, spilling->columns, 0, *done, err);
}

int group_table_spill(struct group_table *table, const uint32_t *ids, uint32_t count,
                      struct spill_stream *stream, struct err *err) {
  struct mem_account *account = table->arena.account;
  struct spilling spilling = {0};
  size_t size = (table->layout->field_count + 2) * sizeof(struct column);
  if (count == 0) return ERR_OK;
  builder_init(&spilling.firsts, TYPE_UINT64, account);
  builder_init(&spilling.states, TYPE_BYTES, account);
  buffer_init(&spilling.bytes, account);
  spilling.columns = mem_alloc(account, size);
  int code = spilling.columns ? key_columns_init(&spilling.keys, table, err)
                              : mem_refused(account, size, err);
  for (uint32_t at = 0, done; at < count && !code; at += done)
    code = spill_some(&spilling, table, ids + at, count - at, &done, stream, err);
  key_columns_deinit(&spilling.keys, account);
  builder_deinit(&spilling.firsts);
  builder_deinit(&spilling.states);
  buffer_deinit(&spilling.bytes);
  mem_free(account, spilling.columns, size);
  return code;
}

static int load_states(struct group_table *table, uint32_t id, bool fresh, struct str bytes,
                       struct arena *scratch, struct err *err) {
  const struct group_layout *layout = table->layout;
  int code = ERR_OK;
  for (uint32_t c = 0; c < layout->call_count && !code; c++) {
    const struct aggregate_function *call = &layout->calls[c];
    uint8_t *state = group_table_record(table, id) + layout->offsets[c];
    if (fresh) {
      code = exec__aggregate_load(call, &table->arena, state, &bytes, err);
      continue;
    }
    void *loaded = arena_alloc_zero(scratch, call->state_size);
    if (!loaded) return mem_refused(scratch->account, call->state_size, err);
    code = exec__aggregate_load(call, scratch, loaded, &bytes, err);
    if (!code) code = exec__aggregate_merge(call, &table->arena, state, loaded, err);
  }
  return code;
}

int group_table_load(struct group_table *table, const struct batch *batch, struct err *err) {
  const struct group_layout *layout = table->layout;
  struct arena scratch;
  arena_init(&scratch, table->arena.account, 1024);
  const struct column **keys =
      ARENA_ARRAY(&scratch, const struct column *, layout->field_count + 1);
  uint32_t known = exec__key_table_count(table->keys);
  int code = keys ? ERR_OK : mem_refused(table->arena.account, sizeof *keys, err);
  if (!code) code = borrow_ids(table, batch->length, 0, err);
  for (uint32_t i = 0; !code && i < layout->field_count; i++)
    keys[i] = &batch->columns[i + 1];
  if (!code) code = add_keys(table, keys, 0, batch->length, 0, batch->columns[0].u64, NULL, err);
  const struct column *states = &batch->columns[layout->field_count + 1];
  for (int64_t i = 0; i < batch->length && !code; i++) {
    uint32_t id = table->ids[i];
    bool fresh = id >= known;
    if (fresh) known = id + 1;
    code = load_states(table, id, fresh, column_str(states, i), &scratch, err);
    if (!fresh) arena_reset(&scratch);
  }
  return_ids(table);
  arena_deinit(&scratch);
  return code;
}

/* ---- results ---- */

/* The numbers of sets become the bits of the keys that are not in them. */
static void finish_sets(const struct group_layout *layout, struct builder *builder, int64_t from) {
  uint64_t all = layout->key_count < 64 ? (UINT64_C(1) << layout->key_count) - 1 : UINT64_MAX;
  for (int64_t i = from; i < builder->length && !builder->failed; i++)
    builder->u64[i] = ~layout->sets[builder->u64[i]] & all;
}

int group_table_finish(const struct group_table *table, const uint32_t *ids, uint32_t count,
                       struct builder *const *builders, struct arena *finished, struct err *err) {
  const struct group_layout *layout = table->layout;
  int64_t from = layout->sets ? builders[layout->key_count]->length : 0;
  exec__key_table_take(table->keys, ids, count, builders);
  if (layout->sets) finish_sets(layout, builders[layout->key_count], from);
  int code = ERR_OK;
  for (uint32_t c = 0; c < layout->call_count && !code; c++) {
    struct builder *builder = builders[layout->field_count + c];
    for (uint32_t i = 0; i < count && !code; i++)
      code = exec__aggregate_finish(&layout->calls[c], finished,
                                    group_table_record(table, ids[i]) + layout->offsets[c], builder,
                                    err);
    if (!code) code = builder_check(builder, err);
  }
  return code;
}
