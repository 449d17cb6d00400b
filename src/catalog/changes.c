/* The catalog on disk: what of it is written with a commit, and reading it back
 * (docs/format/catalog.md).
 *
 * A row of CATALOG_STORE is (series = kind, key = id) with one bytes column, the record. The newest
 * row of an object wins, so writing a pending object twice does no harm, and a drop is a record
 * that says so: ids stay known for ever and are never given again. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "catalog/catalog_private.h"
#include "columnar/builder.h"
#include "store/store.h"

enum { RECORD_VERSION = 1, RECORD_COLUMN = 1, FLAG_DROPPED = 1 };

struct catalog_change {
  uint64_t kind;
  int64_t key;
  struct str record;
  _Atomic bool *pending;           /* cleared when durable; may be NULL */
  _Atomic uint32_t *pending_count; /* counts such flags; may be NULL */
};

void catalog_changes_init(struct catalog_changes *changes, struct arena *arena) {
  *changes = (struct catalog_changes){.arena = arena};
}

/* Doubles an array in the arena when it is full; false when refused. */
static bool make_room(struct arena *arena, void **list, uint32_t count, uint32_t *capacity,
                      size_t size) {
  if (count < *capacity) return true;
  uint32_t grown = *capacity ? *capacity * 2 : 16;
  void *copy = arena_alloc(arena, grown * size);
  if (!copy) return false;
  if (count) memcpy(copy, *list, count * size);
  *list = copy;
  *capacity = grown;
  return true;
}

static void add(struct catalog_changes *changes, enum catalog_kind kind, uint64_t key,
                _Atomic bool *pending, const struct buffer *record) {
  struct str copy =
      record->failed ? (struct str){NULL, 0} : arena_copy(changes->arena, buffer_str(record));
  if (!copy.data || !make_room(changes->arena, (void **)&changes->list, changes->count,
                               &changes->capacity, sizeof *changes->list)) {
    changes->failed = true;
    return;
  }
  changes->list[changes->count++] = (struct catalog_change){
      .kind = kind, .key = (int64_t)key, .record = copy, .pending = pending};
}

void catalog__change(struct catalog_changes *changes, enum catalog_kind kind, uint64_t key,
                     const struct buffer *record) {
  add(changes, kind, key, NULL, record);
}

/* ---- records ---- */

static void record_begin(struct buffer *record, struct mem_account *account, uint8_t flags) {
  buffer_init(record, account);
  buffer_append_byte(record, RECORD_VERSION);
  buffer_append_byte(record, flags);
}

void catalog__record_begin(struct buffer *record, struct mem_account *account) {
  record_begin(record, account, 0);
}

static void add_schema(struct catalog_changes *changes, uint64_t id, uint64_t database,
                       struct str name, const struct catalog_retention *retention,
                       _Atomic bool *pending) {
  struct buffer record;
  record_begin(&record, changes->arena->account, 0);
  buffer_append_varint(&record, database);
  buffer_append_sized(&record, name);
  if (retention->rule || retention->duration_ns || retention->shard_ns) {
    buffer_append_varint(&record, (uint64_t)retention->duration_ns);
    buffer_append_varint(&record, (uint64_t)retention->shard_ns);
    buffer_append_varint(&record, retention->rule);
  }
  add(changes, KIND_SCHEMA, id, pending, &record);
  buffer_deinit(&record);
}

void catalog_changes_retention(struct catalog_changes *changes,
                               const struct catalog_database *database,
                               const struct catalog_retention *retention) {
  add_schema(changes, database->id + 1, database->id, database->default_schema, retention, NULL);
}

static void add_database(struct catalog_changes *changes, struct database *database) {
  struct buffer record;
  record_begin(&record, changes->arena->account, 0);
  buffer_append_byte(&record, (uint8_t)database->public.unit);
  buffer_append_varint(&record, database->schema.public.id);
  buffer_append_sized(&record, database->public.name);
  add(changes, KIND_DATABASE, database->public.id, &database->pending, &record);
  buffer_deinit(&record);
  add_schema(changes, database->schema.public.id, database->public.id, database->schema.public.name,
             &database->public.retention, NULL);
}

static void add_pending(struct catalog_changes *changes, struct schema *schema) {
  if (atomic_load(&schema->database->pending)) add_database(changes, schema->database);
  if (atomic_load(&schema->pending))
    add_schema(changes, schema->public.id, schema->public.database_id, schema->public.name,
               &schema->public.retention, &schema->pending);
}

void catalog_changes_schema(struct catalog_changes *changes, struct catalog *catalog,
                            struct str database, struct str name) {
  os_mutex_lock(&catalog->lock);
  struct schema *schema = catalog__schema_find(catalog, database, name, NULL);
  os_mutex_unlock(&catalog->lock);
  if (schema) add_pending(changes, schema);
}

void catalog_changes_database(struct catalog_changes *changes, struct catalog *catalog,
                              struct str name) {
  os_mutex_lock(&catalog->lock);
  struct database *database = catalog__database_find(catalog, name, NULL);
  os_mutex_unlock(&catalog->lock);
  if (database && atomic_load(&database->pending)) add_database(changes, database);
}

static void add_table(struct catalog_changes *changes, struct catalog_table *public,
                      const struct catalog_settings *settings) {
  struct buffer record;
  record_begin(&record, changes->arena->account, 0);
  buffer_append_varint(&record, public->database_id);
  buffer_append_varint(&record, public->schema_id);
  buffer_append_byte(&record, (uint8_t) public->unit);
  buffer_append_sized(&record, public->name);
  catalog__settings_write(settings, &record);
  add(changes, KIND_TABLE, public->id, &public->pending, &record);
  buffer_deinit(&record);
}

void catalog_changes_table(struct catalog_changes *changes, struct catalog_table *public) {
  struct table *table = (struct table *)public;
  add_pending(changes, table->schema);
  if (!atomic_load(&public->pending)) return;
  add_table(changes, public, catalog_table_settings(public));
  const struct catalog_definition *definition = catalog_table_definition(public);
  if (definition->number) catalog_changes_definition(changes, public, definition);
}

void catalog_changes_settings(struct catalog_changes *changes, struct catalog_table *public,
                              const struct catalog_settings *settings) {
  struct table *table = (struct table *)public;
  add_pending(changes, table->schema);
  add_table(changes, public, settings);
}

static uint64_t column_key(uint64_t table, uint32_t column) {
  return table << COLUMN_ID_BITS | column;
}

static void column_record(struct buffer *record, struct mem_account *account,
                          const struct catalog_column *column, struct str name) {
  record_begin(record, account, 0);
  buffer_append_byte(record, (uint8_t)column->kind);
  buffer_append(record, &column->type, sizeof column->type);
  buffer_append_sized(record, name);
}

void catalog_changes_column(struct catalog_changes *changes, struct catalog_table *table,
                            const struct catalog_column *column) {
  if (!atomic_load(&column->pending)) return;
  uint32_t before = changes->count;
  struct buffer record;
  column_record(&record, changes->arena->account, column, column->name);
  add(changes, KIND_COLUMN, column_key(table->id, column->id), (_Atomic bool *)&column->pending,
      &record);
  if (changes->count > before) changes->list[before].pending_count = &table->pending_columns;
  buffer_deinit(&record);
}

void catalog_changes_column_name(struct catalog_changes *changes, struct catalog_table *table,
                                 const struct catalog_column *column, struct str name) {
  struct buffer record;
  column_record(&record, changes->arena->account, column, name);
  add(changes, KIND_COLUMN, column_key(table->id, column->id), NULL, &record);
  buffer_deinit(&record);
}

void catalog_changes_column_drop(struct catalog_changes *changes, struct catalog_table *table,
                                 const struct catalog_column *column) {
  catalog__change_drop(changes, KIND_COLUMN, column_key(table->id, column->id));
}

void catalog_changes_schema_drop(struct catalog_changes *changes,
                                 const struct catalog_schema *schema) {
  catalog__change_drop(changes, KIND_SCHEMA, schema->id);
}

void catalog__change_drop(struct catalog_changes *changes, enum catalog_kind kind, uint64_t id) {
  struct buffer record;
  record_begin(&record, changes->arena->account, FLAG_DROPPED);
  add(changes, kind, id, NULL, &record);
  buffer_deinit(&record);
}

void catalog_changes_table_drop(struct catalog_changes *changes, uint64_t table) {
  catalog__change_drop(changes, KIND_TABLE, table);
  uint64_t *kind = ARENA_NEW(changes->arena, uint64_t);
  if (!kind || !make_room(changes->arena, (void **)&changes->tombstones, changes->tombstone_count,
                          &changes->tombstone_capacity, sizeof *changes->tombstones)) {
    changes->failed = true;
    return;
  }
  *kind = KIND_COLUMN;
  changes->tombstones[changes->tombstone_count++] =
      (struct store_tombstone){.series = kind,
                               .series_count = 1,
                               .key_min = (int64_t)column_key(table, 0),
                               .key_max = (int64_t)(column_key(table + 1, 0) - 1)};
}

void catalog_changes_database_drop(struct catalog_changes *changes,
                                   const struct catalog_database *database) {
  catalog__change_drop(changes, KIND_DATABASE, database->id);
  catalog__change_drop(changes, KIND_SCHEMA, database->id + 1);
}

/* ---- rows ---- */

static int change_order(const void *a, const void *b) {
  const struct catalog_change *x = a, *y = b;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  return (x->key > y->key) - (x->key < y->key);
}

/* Sorted; of several changes of one object (a body that names a table twice) one is enough. */
static uint32_t sort_and_fold(struct catalog_change *list, uint32_t count) {
  if (count) qsort(list, count, sizeof *list, change_order);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++)
    if (kept == 0 || change_order(&list[kept - 1], &list[i]) != 0)
      list[kept++] = list[i];
    else if (!list[kept - 1].pending)
      list[kept - 1].pending = list[i].pending;
  return kept;
}

int catalog_changes_rows(struct catalog_changes *changes, struct store_rows *rows,
                         struct err *err) {
  struct arena *arena = changes->arena;
  uint32_t count = changes->count = sort_and_fold(changes->list, changes->count);
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; i++)
    bytes += changes->list[i].record.size;
  uint64_t *series = ARENA_ARRAY(arena, uint64_t, count);
  int64_t *keys = ARENA_ARRAY(arena, int64_t, count);
  int32_t *offsets = ARENA_ARRAY(arena, int32_t, count + 1);
  char *data = arena_alloc(arena, bytes);
  struct store_column *column = ARENA_NEW(arena, struct store_column);
  if (changes->failed || !series || !keys || !offsets || !data || !column)
    return mem_refused(arena->account, bytes, err);
  if (bytes > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "the new names of one commit pass 2 GiB");
  size_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct catalog_change *change = &changes->list[i];
    series[i] = change->kind;
    keys[i] = change->key;
    memcpy(data + at, change->record.data, change->record.size);
    at += change->record.size;
    offsets[i + 1] = (int32_t)at;
  }
  *column = (struct store_column){
      .id = RECORD_COLUMN,
      .column = {.type = TYPE_BYTES, .length = count, .offsets = offsets, .data = data}};
  *rows = (struct store_rows){.store = CATALOG_STORE,
                              .policy = STORE_NEWEST_ROW,
                              .rows = count,
                              .series = series,
                              .keys = keys,
                              .columns = column,
                              .column_count = count ? 1 : 0,
                              .tombstones = changes->tombstones,
                              .tombstone_count = changes->tombstone_count};
  return ERR_OK;
}

void catalog_changes_confirm(struct catalog_changes *changes) {
  for (uint32_t i = 0; i < changes->count; i++)
    if (changes->list[i].pending && atomic_exchange(changes->list[i].pending, false) &&
        changes->list[i].pending_count)
      atomic_fetch_sub(changes->list[i].pending_count, 1);
}

/* ---- loading ---- */

/* A schema: the default one is made with its database and only told how long that keeps its rows.
 */
static int load_schema(struct catalog *catalog, uint64_t id, struct reader *reader,
                       struct err *err) {
  uint64_t database_id = reader_varint(reader);
  struct catalog_retention retention = {0};
  struct str name = reader_sized(reader);
  if (reader_left(reader)) { /* nothing: it was never set */
    retention.duration_ns = (int64_t)reader_varint(reader);
    retention.shard_ns = (int64_t)reader_varint(reader);
    retention.rule = reader_varint(reader);
  }
  if (!reader_done(reader) || retention.duration_ns < 0 || retention.shard_ns < 0)
    return ERR_CORRUPTION;
  uint64_t *found = u64_table_find(&catalog->database_ids, database_id);
  if (!found) return ERR_OK; /* dropped with its database */
  struct database *database = (struct database *)(uintptr_t)*found;
  struct schema *schema = &database->schema;
  int code = ERR_OK;
  if (id != schema->public.id) {
    if (name.size == 0) return ERR_CORRUPTION;
    code = catalog__schema_add(catalog, database, name, id, &schema, err);
  } else {
    database->public.retention = retention;
  }
  if (!code) schema->public.retention = retention;
  return code;
}

static int load_table(struct catalog *catalog, uint64_t id, struct reader *reader,
                      struct err *err) {
  uint64_t database_id = reader_varint(reader), schema_id = reader_varint(reader);
  uint8_t unit = reader_u8(reader);
  struct str name = reader_sized(reader);
  struct table *table;
  if (reader->failed || unit > TIME_S || name.size == 0) return ERR_CORRUPTION;
  uint64_t *database = u64_table_find(&catalog->database_ids, database_id);
  struct schema *schema =
      database ? catalog__schema_by_id((struct database *)(uintptr_t)*database, schema_id) : NULL;
  if (!schema) return ERR_OK; /* dropped with its database or schema */
  int code = catalog__table_add(catalog, schema, name, (enum time_unit)unit, id, &table, err);
  if (!code && reader_left(reader)) code = catalog__settings_load(table, reader, err);
  return code;
}

static struct table *table_of(struct catalog *catalog, uint64_t id) {
  const uint64_t *found = u64_table_find(&catalog->table_ids, id);
  return found ? (struct table *)(uintptr_t)*found : NULL;
}

static int load_column(struct catalog *catalog, uint64_t key, struct reader *reader,
                       struct err *err) {
  uint8_t column_kind = reader_u8(reader);
  struct type type = {0};
  const uint8_t *bytes = reader_bytes(reader, sizeof type);
  if (bytes) memcpy(&type, bytes, sizeof type);
  struct str name = reader_sized(reader);
  uint32_t column_id = (uint32_t)(key & ((1u << COLUMN_ID_BITS) - 1));
  if (!reader_done(reader) || (column_kind != COLUMN_TAG && column_kind != COLUMN_FIELD) ||
      column_id == 0 || name.size == 0 || type.physical < PHYSICAL_BOOL ||
      type.physical > PHYSICAL_BYTES)
    return ERR_CORRUPTION;
  struct table *table = table_of(catalog, key >> COLUMN_ID_BITS);
  struct catalog_column *column;
  if (!table) return ERR_OK; /* of a dropped table */
  return catalog__column_add(table, (enum column_kind)column_kind, name, type, column_id, false,
                             &column, err);
}

static int load_definition(struct catalog *catalog, uint64_t id, struct reader *reader,
                           struct err *err) {
  struct table *table = table_of(catalog, id);
  if (!table) return ERR_OK;
  struct catalog_definition *definition = ARENA_NEW(&table->names, struct catalog_definition);
  struct str bytes =
      arena_copy(&table->names, str_of((const char *)reader->at, reader_left(reader)));
  if (!definition || !bytes.data) return mem_refused(catalog->account, sizeof *definition, err);
  struct reader kept = reader_of(bytes.data, bytes.size);
  int code = catalog__definition_read(&kept, &table->names, definition, err);
  if (!code) catalog_table_define(&table->public, definition);
  return code;
}

static int load_comment(struct catalog *catalog, uint64_t id, struct reader *reader,
                        struct err *err) {
  struct str text = reader_sized(reader);
  if (!reader_done(reader)) return ERR_CORRUPTION;
  return catalog__comment_set(catalog, id, text, err);
}

static int load_database(struct catalog *catalog, uint64_t id, struct reader *reader,
                         struct err *err) {
  uint8_t unit = reader_u8(reader);
  uint64_t schema = reader_varint(reader);
  struct str name = reader_sized(reader);
  struct database *database;
  if (!reader_done(reader) || unit > TIME_S || schema != id + 1 || name.size == 0)
    return ERR_CORRUPTION;
  return catalog__database_add(catalog, name, (enum time_unit)unit, id, &database, err);
}

/* A dropped object: its id is not given again. */
static void note_drop(struct catalog *catalog, uint64_t kind, uint64_t id) {
  struct table *table = kind == KIND_COLUMN ? table_of(catalog, id >> COLUMN_ID_BITS) : NULL;
  uint32_t column = (uint32_t)(id & ((1u << COLUMN_ID_BITS) - 1));
  if (table && table->column_high < column) table->column_high = column;
}

/* One row into the catalog. Rows come by kind, then id: parents before children. */
static int load_row(struct catalog *catalog, uint64_t kind, int64_t key, struct str record,
                    struct err *err) {
  struct reader reader = reader_of(record.data, record.size);
  uint64_t id = (uint64_t)key;
  /* Ids are positive, and a column's key has room for its table's. */
  if (id == 0 || id >> (63 - COLUMN_ID_BITS) >> (kind == KIND_COLUMN ? COLUMN_ID_BITS : 0))
    goto bad;
  if (reader_u8(&reader) != RECORD_VERSION) goto bad;
  bool dropped = reader_u8(&reader) & FLAG_DROPPED;
  if (kind != KIND_COLUMN && catalog->next_id <= id) catalog->next_id = id + 1;
  if (reader.failed) return err_set(err, ERR_CORRUPTION, "a catalog record is cut");
  if (dropped) {
    note_drop(catalog, kind, id);
    return ERR_OK;
  }
  int code = ERR_CORRUPTION;
  switch (kind) {
  case KIND_DATABASE:
    code = load_database(catalog, id, &reader, err);
    break;
  case KIND_SCHEMA:
    code = load_schema(catalog, id, &reader, err);
    break;
  case KIND_TABLE:
    code = load_table(catalog, id, &reader, err);
    break;
  case KIND_COLUMN:
    code = load_column(catalog, id, &reader, err);
    break;
  case KIND_VIEW:
    code = catalog__view_load(catalog, id, &reader, err);
    break;
  case KIND_DEFINITION:
    code = load_definition(catalog, id, &reader, err);
    break;
  case KIND_COMMENT:
    code = load_comment(catalog, id, &reader, err);
    break;
  default:
    break;
  }
  if (code != ERR_CORRUPTION) return code;
bad:
  err_set(err, ERR_CORRUPTION, "the catalog's record of kind %llu, id %lld cannot be read",
          (unsigned long long)kind, (long long)key);
  err_hint(err, "restore the directory from a backup; the data itself is untouched");
  return ERR_CORRUPTION;
}

static int load_chunk(struct catalog *catalog, const struct store_chunk *chunk, struct err *err) {
  int code = ERR_OK;
  for (uint32_t r = 0; r < chunk->run_count && !code; r++) {
    const struct store_run *run = &chunk->runs[r];
    for (uint32_t row = run->row; row < run->row + run->rows && !code; row++)
      code = load_row(catalog, run->series, chunk->keys[row], column_str(&chunk->columns[0], row),
                      err);
  }
  return code;
}

int catalog_load(struct catalog *catalog, struct store_snapshot *snapshot,
                 struct mem_account *account, struct err *err) {
  uint32_t columns[] = {RECORD_COLUMN};
  struct store_scan_spec spec = {.store = CATALOG_STORE,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .columns = columns,
                                 .column_count = 1,
                                 .account = account};
  struct store_scan *scan = NULL;
  struct store_chunk chunk;
  int code = store_scan_open(snapshot, &spec, &scan, err);
  while (!code) {
    code = store_scan_next(scan, &chunk, err);
    if (code || chunk.rows == 0) break;
    code = store_scan_load(scan, &chunk, true, 1, err);
    if (!code && (chunk.columns[0].null_count || !type_is_string(chunk.columns[0].type)))
      code = err_set(err, ERR_CORRUPTION, "a row of the catalog has no record");
    if (!code) code = load_chunk(catalog, &chunk, err);
  }
  /* Without some of its rows names and ids would be given twice: better not to open. */
  struct store_scan_figures figures = {0};
  if (scan) store_scan_figures(scan, &figures);
  if ((!code || code == ERR_CONFLICT) && figures.parts_damaged) {
    code = err_set(err, ERR_CORRUPTION, "the catalog is damaged");
    err_hint(err, "the log names the file: restore it from a backup of this directory");
  }
  store_scan_close(scan);
  return code;
}
