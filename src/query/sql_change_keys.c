/* The keys of new rows, and the rows that have them already.
 *
 * Series: the time. Rows: the integer primary key; a number that follows the highest one; or, for
 * any other primary key, a hash of its columns. Hashes may meet: a key is the upper 61 bits of the
 * hash and three bits that tell those apart which meet, so a row is found by looking at eight keys,
 * whatever was deleted among them. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/hash_table.h"
#include "base/text.h"
#include "query/sql_change_private.h"

enum {
  HASH_PLACES = 8,   /* keys of one hash */
  SCANS_MAX = 128,   /* ranges that are looked at one by one; more: all between the ends */
  SCAN_GAP = 1 << 12 /* keys this close are one range */
};

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

/* ---- reading rows by key ---- */

/* A scan of the relation's columns, in their order behind the key. */
static const struct plan_node *scan_node(struct change_target *target, int64_t key_min,
                                         int64_t key_max, struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  const struct sql_relation *relation = target->relation;
  uint32_t count = relation->column_count, values = 0;
  struct plan_node *scan = ARENA_NEW(arena, struct plan_node);
  struct plan_scan_column *list = ARENA_ARRAY(arena, struct plan_scan_column, count + 1);
  struct plan_column *columns = ARENA_ARRAY(arena, struct plan_column, count + 1);
  if (!scan || !list || !columns) {
    refused(target->query, count * sizeof *columns, err);
    return NULL;
  }
  columns[0] = (struct plan_column){STR("time"), TYPE_TIMESTAMP(target->table->unit)};
  for (uint32_t i = 0; i < count; i++) {
    const struct sql_relation_column *column = &relation->columns[i];
    if (column->source == SQL_SOURCE_KEY) continue;
    list[values] =
        (struct plan_scan_column){column->id, column->source == SQL_SOURCE_TAG, column->type};
    columns[++values] = (struct plan_column){column->name, column->type};
  }
  scan->kind = PLAN_SCAN;
  scan->schema = (struct plan_schema){columns, values + 1, 0, true};
  scan->scan = (struct plan_scan){.table = target->table,
                                  .values = list,
                                  .value_count = values,
                                  .time_min = key_min,
                                  .time_max = key_max,
                                  .unordered = true};
  return scan;
}

int change__scan(struct change_target *target, int64_t key_min, int64_t key_max,
                 struct change_rows *rows, struct err *err) {
  struct query *query = target->query;
  uint32_t count = target->relation->column_count, from = 1;
  /* The scan gives the key first: its builders are the rows', in another order. */
  const struct plan_node *plan = scan_node(target, key_min, key_max, err);
  struct builder *ordered = ARENA_ARRAY(&query->statement.arena, struct builder, count + 1);
  if (!plan || !ordered) return refused(query, count * sizeof *ordered, err);
  for (uint32_t i = 0; i < count; i++)
    ordered[i == target->key ? 0 : from++] = rows->columns[i];
  struct change_rows scanned = {
      .account = &query->account, .column_count = count, .columns = ordered, .count = rows->count};
  int code = query__snapshot(query, err);
  if (!code) code = change__run(query, plan, target->turn.engine != NULL, &scanned, err);
  from = 1;
  for (uint32_t i = 0; i < count; i++)
    rows->columns[i] = ordered[i == target->key ? 0 : from++];
  rows->count = scanned.count;
  return code;
}

int change__no_nulls(struct query *query, struct catalog_table *table,
                     const struct sql_relation_column *column, struct err *err) {
  const struct sql_relation *relation;
  catalog_table_retain(table);
  int code = query__sql_table(query, table, &relation, err);
  if (code) return code;
  struct sql_relation one = *relation;
  struct sql_relation_column columns[2] = {*column};
  uint32_t key = 0;
  while (relation->columns[key].source != SQL_SOURCE_KEY)
    key++;
  columns[1] = relation->columns[key];
  one.columns = columns;
  one.column_count = 2;
  struct change_target target = {.query = query,
                                 .relation = &one,
                                 .table = table,
                                 .definition = catalog_table_definition(table),
                                 .rows = relation->relational,
                                 .key = 1};
  struct change_rows rows;
  struct type types[] = {column->type, TYPE_INT64};
  code = change__rows_init(&rows, query, types, 2, err);
  if (!code) code = change__scan(&target, INT64_MIN, INT64_MAX, &rows, err);
  if (!code && rows.columns[0].null_count)
    code = err_set(err, ERR_NOT_NULL, "column \"%.*s\" of relation \"%.*s\" contains null values",
                   STR_ARG(text_cut(column->name, 100)), STR_ARG(text_cut(table->name, 100)));
  change__rows_deinit(&rows);
  return code;
}

/* ---- places: a tag set and a key, as bytes ---- */

static struct str place_of(struct buffer *bytes, const struct change_sets *sets, int64_t row,
                           int64_t key) {
  buffer_reset(bytes);
  buffer_append(bytes, &key, sizeof key);
  if (sets->set_count) buffer_append_str(bytes, sets->sets[sets->of[row]]);
  return buffer_str(bytes);
}

/* ---- existing rows ---- */

static int key_order(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Reads all rows whose keys are near wanted ones; more may come. `wanted` is sorted here. */
static int read_near(struct change_target *target, int64_t *wanted, size_t count, int64_t span,
                     struct change_rows *rows, struct err *err) {
  if (!count) return ERR_OK;
  qsort(wanted, count, sizeof *wanted, key_order);
  size_t ranges = 1;
  for (size_t i = 1; i < count; i++)
    ranges += (uint64_t)wanted[i] - (uint64_t)wanted[i - 1] > SCAN_GAP;
  int code = ERR_OK;
  bool single = ranges <= SCANS_MAX;
  for (size_t from = 0, to; from < count && !code; from = to) {
    to = from + 1;
    while (to < count && (!single || (uint64_t)wanted[to] - (uint64_t)wanted[to - 1] <= SCAN_GAP))
      to++;
    int64_t last = wanted[to - 1];
    last = last > INT64_MAX - span ? INT64_MAX : last + span;
    code = change__scan(target, wanted[from], last, rows, err);
  }
  return code;
}

static int existing_keys(struct change_target *target, struct change_keys *keys, struct err *err) {
  struct column view = builder_view(&keys->existing.columns[target->key]);
  keys->existing_keys =
      ARENA_ARRAY(&target->query->statement.arena, int64_t, keys->existing.count + 1);
  if (!keys->existing_keys) return refused(target->query, 8, err);
  if (view.length) memcpy(keys->existing_keys, view.i64, (size_t)view.length * sizeof *view.i64);
  return change__tag_sets(target, &keys->existing, &keys->existing_sets, err);
}

/* Which existing row each new one meets, by place. */
static int match_places(struct change_target *target, const struct change_rows *rows,
                        const struct change_sets *sets, struct change_keys *keys, struct err *err) {
  struct buffer bytes;
  struct str_table known;
  buffer_init(&bytes, &target->query->account);
  str_table_init(&known, &target->query->account, true, 0);
  bool good = true;
  for (int64_t row = 0; row < keys->existing.count && good; row++) {
    struct str place = place_of(&bytes, &keys->existing_sets, row, keys->existing_keys[row]);
    uint64_t *slot = bytes.failed ? NULL : str_table_insert(&known, place, NULL);
    good = slot != NULL;
    if (slot) *slot = (uint64_t)row + 1;
  }
  for (int64_t row = 0; row < rows->count && good; row++) {
    uint64_t *slot = str_table_find(&known, place_of(&bytes, sets, row, keys->keys[row]));
    good = !bytes.failed;
    if (slot) keys->found[row] = (uint32_t)*slot - 1;
  }
  str_table_deinit(&known);
  buffer_deinit(&bytes);
  return good ? ERR_OK : refused(target->query, 64, err);
}

/* ---- hashes ---- */

/* The bytes of the primary key of a row: equal values have equal bytes. */
static void key_bytes(const struct change_target *target, const struct change_rows *rows,
                      int64_t row, struct buffer *bytes) {
  const struct catalog_unique *primary = catalog_primary_key(target->definition);
  buffer_reset(bytes);
  for (uint32_t k = 0; k < primary->column_count; k++)
    for (uint32_t i = 0; i < rows->column_count; i++) {
      if (target->relation->columns[i].source == SQL_SOURCE_KEY ||
          target->relation->columns[i].id != primary->columns[k])
        continue;
      struct column view = builder_view(&rows->columns[i]);
      if (!column_is_valid(&view, row)) {
        buffer_append_byte(bytes, 0);
      } else if (type_is_string(view.type)) {
        struct str value = column_str(&view, row);
        /* Of numeric and interval the end says how they are shown, not what they are. */
        if (view.type.logical == LOGICAL_DECIMAL && value.size) value.size--;
        if (view.type.logical == LOGICAL_INTERVAL && value.size > 16) value.size = 16;
        buffer_append_byte(bytes, 1);
        buffer_append_sized(bytes, value);
      } else {
        uint64_t value =
            view.type.physical == PHYSICAL_BOOL ? bit_get(view.bits, row) : view.u64[row];
        if (view.type.physical == PHYSICAL_FLOAT64 && view.f64[row] == 0) value = 0;
        buffer_append_byte(bytes, 1);
        buffer_append_u64(bytes, value);
      }
    }
}

static int64_t hash_key(const struct buffer *bytes) {
  return (int64_t)(hash64_seed(bytes->data, bytes->size, 0) & ~(uint64_t)(HASH_PLACES - 1));
}

struct hashing {
  struct change_target *target;
  const struct change_rows *rows;
  struct change_keys *keys;
  struct buffer bytes;
  struct str_table known; /* a primary key's bytes -> 1 + row, existing ones first */
  struct u64_table used;  /* a hash -> the bits of its places that are taken */
};

static int take_existing(struct hashing *hashing) {
  struct change_keys *keys = hashing->keys;
  for (int64_t row = 0; row < keys->existing.count; row++) {
    int64_t key = keys->existing_keys[row];
    key_bytes(hashing->target, &keys->existing, row, &hashing->bytes);
    uint64_t *slot = str_table_insert(&hashing->known, buffer_str(&hashing->bytes), NULL);
    uint64_t *used = u64_table_insert(&hashing->used, (uint64_t)(key & ~(HASH_PLACES - 1)), NULL);
    if (!slot || !used || hashing->bytes.failed) return ERR_NO_MEMORY;
    *slot = (uint64_t)row + 1;
    *used |= UINT64_C(1) << (key & (HASH_PLACES - 1));
  }
  return ERR_OK;
}

/* A row that is there keeps its key; a new one takes a free place; equal new ones take the same. */
static int take_new(struct hashing *hashing, int64_t row, struct err *err) {
  struct change_keys *keys = hashing->keys;
  enum { NEW = 1 << 30 };
  key_bytes(hashing->target, hashing->rows, row, &hashing->bytes);
  int64_t key = hash_key(&hashing->bytes);
  bool is_new;
  uint64_t *slot = str_table_insert(&hashing->known, buffer_str(&hashing->bytes), &is_new);
  if (!slot || hashing->bytes.failed) return refused(hashing->target->query, 64, err);
  if (!is_new) {
    bool existing = *slot < NEW;
    if (existing) keys->found[row] = (uint32_t)*slot - 1;
    keys->keys[row] = existing ? keys->existing_keys[*slot - 1] : keys->keys[*slot - NEW];
    return ERR_OK;
  }
  uint64_t *used = u64_table_insert(&hashing->used, (uint64_t)key, NULL);
  if (!used) return refused(hashing->target->query, 64, err);
  int free_place = 0;
  while (free_place < HASH_PLACES && *used >> free_place & 1)
    free_place++;
  if (free_place == HASH_PLACES)
    return err_set(err, ERR_LIMIT_EXCEEDED, "too many primary keys have one hash");
  *used |= UINT64_C(1) << free_place;
  keys->keys[row] = key + free_place;
  *slot = (uint64_t)row + NEW;
  return ERR_OK;
}

static int hash_rows(struct change_target *target, const struct change_rows *rows,
                     struct change_keys *keys, struct err *err) {
  struct hashing hashing = {.target = target, .rows = rows, .keys = keys};
  struct query *query = target->query;
  int64_t *wanted = ARENA_ARRAY(&query->statement.arena, int64_t, rows->count + 1);
  if (!wanted) return refused(query, (size_t)rows->count * 8, err);
  if (rows->count >= 1 << 30)
    return err_set(err, ERR_LIMIT_EXCEEDED, "too many rows for one statement");
  buffer_init(&hashing.bytes, &query->account);
  str_table_init(&hashing.known, &query->account, true, 0);
  u64_table_init(&hashing.used, &query->account);
  for (int64_t row = 0; row < rows->count; row++) {
    key_bytes(target, rows, row, &hashing.bytes);
    wanted[row] = hash_key(&hashing.bytes);
  }
  int code = read_near(target, wanted, (size_t)rows->count, HASH_PLACES - 1, &keys->existing, err);
  if (!code) code = existing_keys(target, keys, err);
  if (!code && take_existing(&hashing)) code = refused(query, 64, err);
  for (int64_t row = 0; row < rows->count && !code; row++)
    code = take_new(&hashing, row, err);
  u64_table_deinit(&hashing.used);
  str_table_deinit(&hashing.known);
  buffer_deinit(&hashing.bytes);
  return code;
}

/* ---- numbers ---- */

/* The highest key of a table of rows; 0: it has none above it. */
static int highest_key(struct change_target *target, int64_t *highest, struct err *err) {
  struct query *query = target->query;
  *highest = 0;
  int code = query__snapshot(query, err);
  if (code) return code;
  struct store_scan_spec spec = {.store = target->table->id,
                                 .series_max = UINT64_MAX,
                                 .key_min = 1,
                                 .key_max = INT64_MAX,
                                 .tail = 1,
                                 .account = &query->account};
  struct store_scan *scan = NULL;
  struct store_chunk chunk;
  code = store_scan_open(table_snapshot_store(query->statement.snapshot), &spec, &scan, err);
  while (!code) {
    code = store_scan_next(scan, &chunk, err);
    if (code || !chunk.rows) break;
    code = store_scan_load(scan, &chunk, true, 0, err);
    for (uint32_t i = 0; i < chunk.rows && !code; i++)
      if (chunk.keys[i] > *highest) *highest = chunk.keys[i];
  }
  store_scan_close(scan);
  return code;
}

/* Numbers for rows without a key: those that follow. */
static int number_rows(struct change_target *target, struct change_rows *rows,
                       struct change_keys *keys, struct err *err) {
  struct column view = builder_view(&rows->columns[target->key]);
  int64_t next;
  int code = highest_key(target, &next, err);
  if (code) return code;
  for (int64_t row = 0; row < rows->count; row++)
    if (column_is_valid(&view, row) && view.i64[row] > next) next = view.i64[row];
  int64_t most = target->definition->key_type.logical == LOGICAL_INT16   ? INT16_MAX
                 : target->definition->key_type.logical == LOGICAL_INT32 ? INT32_MAX
                                                                         : INT64_MAX;
  struct builder filled;
  builder_init(&filled, rows->columns[target->key].type, &target->query->account);
  for (int64_t row = 0; row < rows->count && !code; row++) {
    bool given = column_is_valid(&view, row);
    if (!given && next >= most)
      code = err_set(err, ERR_OUT_OF_RANGE, "nextval: reached maximum value of the key (%lld)",
                     (long long)most);
    keys->keys[row] = given ? view.i64[row] : ++next;
    builder_append_i64(&filled, keys->keys[row]);
  }
  if (!code) code = builder_check(&filled, err);
  if (code) {
    builder_deinit(&filled);
    return code;
  }
  builder_deinit(&rows->columns[target->key]);
  rows->columns[target->key] = filled;
  return ERR_OK;
}

/* ---- all of them ---- */

static bool is_numbered(const struct change_target *target) {
  const struct catalog_column_definition *key = catalog_column_definition_of(target->definition, 0);
  return target->definition->key == CATALOG_KEY_NUMBER || (key && key->numbered);
}

int change__keys(struct change_target *target, struct change_rows *rows,
                 const struct change_sets *sets, bool look, struct change_keys *keys,
                 struct err *err) {
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  struct type *types = ARENA_ARRAY(arena, struct type, rows->column_count + 1);
  *keys = (struct change_keys){.keys = ARENA_ARRAY(arena, int64_t, rows->count + 1),
                               .found = ARENA_ARRAY(arena, uint32_t, rows->count + 1)};
  if (!types || !keys->keys || !keys->found) return refused(query, (size_t)rows->count * 12, err);
  memset(keys->found, 0xff, (size_t)rows->count * sizeof *keys->found);
  for (uint32_t i = 0; i < rows->column_count; i++)
    types[i] = target->relation->columns[i].type;
  int code = change__rows_init(&keys->existing, query, types, rows->column_count, err);
  if (code) return code;
  if (target->definition->key == CATALOG_KEY_HASH) return hash_rows(target, rows, keys, err);
  if (target->rows && is_numbered(target)) {
    code = number_rows(target, rows, keys, err);
  } else {
    struct column view = builder_view(&rows->columns[target->key]);
    if (view.length) memcpy(keys->keys, view.i64, (size_t)view.length * sizeof *view.i64);
  }
  if (code || !look || target->definition->key == CATALOG_KEY_NUMBER) return code;
  int64_t *wanted = ARENA_ARRAY(arena, int64_t, rows->count + 1);
  if (!wanted) return refused(query, (size_t)rows->count * 8, err);
  if (rows->count) memcpy(wanted, keys->keys, (size_t)rows->count * sizeof *wanted);
  code = read_near(target, wanted, (size_t)rows->count, 0, &keys->existing, err);
  if (!code) code = existing_keys(target, keys, err);
  return code ? code : match_places(target, rows, sets, keys, err);
}

void change__keys_deinit(struct change_keys *keys) { change__rows_deinit(&keys->existing); }
