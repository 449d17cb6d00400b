/* Definitions of tables: in memory, and as records (docs/format/catalog.md).
 *
 * A definition that a table keeps is what its own record says: it is written, the bytes are copied
 * into the table's memory, and read there. So nothing that it says can be lost on the way to the
 * disk, and its texts need no copies of their own. */
#include "catalog/definition.h"

#include "base/bytes.h"
#include "base/err.h"
#include "catalog/catalog_private.h"

enum {
  FORMAT = 1,
  FLAG_NOT_NULL = 1,
  FLAG_NUMBERED = 2,
  FLAG_PADDED = 4,
  FLAG_FLOOR = 1,
  FLAG_PRIMARY = 1
};

static const struct catalog_definition none = {
    .retention_ns = -1, .key_type = {PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_NS}};

const struct catalog_definition *catalog_table_definition(const struct catalog_table *table) {
  const struct catalog_definition *definition =
      atomic_load_explicit(&table->definition, memory_order_acquire);
  return definition ? definition : &none;
}

struct str catalog_key_name(const struct catalog_definition *definition) {
  return definition->number ? definition->key_name : STR("time");
}

const struct catalog_column_definition *
catalog_column_definition_of(const struct catalog_definition *definition, uint32_t column) {
  uint32_t low = 0, high = definition->column_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (definition->columns[middle].id < column)
      low = middle + 1;
    else
      high = middle;
  }
  return low < definition->column_count && definition->columns[low].id == column
             ? &definition->columns[low]
             : NULL;
}

const struct catalog_unique *catalog_primary_key(const struct catalog_definition *definition) {
  for (uint32_t i = 0; i < definition->unique_count; i++)
    if (definition->uniques[i].primary) return &definition->uniques[i];
  return NULL;
}

bool catalog_table_storage(struct catalog *catalog, uint64_t id, struct catalog_storage *storage) {
  os_mutex_lock(&catalog->lock);
  const uint64_t *found = u64_table_find(&catalog->table_ids, id);
  /* a place may be there before its table, while the catalog is loaded */
  const struct table *table = found ? (const struct table *)(uintptr_t)*found : NULL;
  if (table) {
    const struct catalog_definition *definition = catalog_table_definition(&table->public);
    *storage = (struct catalog_storage){definition->kind, definition->partition_ns,
                                        definition->history_commits};
  }
  os_mutex_unlock(&catalog->lock);
  return table != NULL;
}

/* ---- the record ---- */

static void write_column(const struct catalog_column_definition *column, struct buffer *record) {
  buffer_append_varint(record, column->id);
  buffer_append_byte(record, (uint8_t)((column->not_null ? FLAG_NOT_NULL : 0) |
                                       (column->numbered ? FLAG_NUMBERED : 0) |
                                       (column->padded ? FLAG_PADDED : 0)));
  buffer_append_varint(record, (uint64_t)column->length);
  buffer_append_varint(record, (uint64_t)column->precision);
  buffer_append_zigzag(record, column->scale);
  buffer_append_byte(record, column->fraction);
  buffer_append_sized(record, column->default_text);
  buffer_append_sized(record, column->comment);
}

void catalog__definition_write(const struct catalog_definition *definition, struct buffer *record) {
  buffer_append_byte(record, FORMAT);
  buffer_append_varint(record, definition->number);
  buffer_append_byte(record, (uint8_t)definition->kind);
  buffer_append_byte(record, (uint8_t)definition->key);
  buffer_append(record, &definition->key_type, sizeof definition->key_type);
  buffer_append_sized(record, definition->key_name);
  buffer_append_varint(record, definition->key_place);
  buffer_append_byte(record, (uint8_t)definition->duplicates);
  buffer_append_byte(record, definition->floor_times ? FLAG_FLOOR : 0);
  buffer_append_zigzag(record, definition->retention_ns);
  buffer_append_varint(record, definition->retention_rule);
  buffer_append_varint(record, (uint64_t)definition->partition_ns);
  buffer_append_varint(record, definition->history_commits);
  buffer_append_varint(record, definition->column_count);
  for (uint32_t i = 0; i < definition->column_count; i++)
    write_column(&definition->columns[i], record);
  buffer_append_varint(record, definition->check_count);
  for (uint32_t i = 0; i < definition->check_count; i++) {
    buffer_append_sized(record, definition->checks[i].name);
    buffer_append_sized(record, definition->checks[i].text);
  }
  buffer_append_varint(record, definition->unique_count);
  for (uint32_t i = 0; i < definition->unique_count; i++) {
    const struct catalog_unique *unique = &definition->uniques[i];
    buffer_append_sized(record, unique->name);
    buffer_append_byte(record, unique->primary ? FLAG_PRIMARY : 0);
    buffer_append_varint(record, unique->column_count);
    for (uint32_t c = 0; c < unique->column_count; c++)
      buffer_append_varint(record, unique->columns[c]);
  }
}

/* A count of things that take a byte each at least; more than `most` fails the reader. */
static uint32_t read_count(struct reader *reader, uint64_t most) {
  uint64_t count = reader_varint(reader);
  if (count > most || count > reader_left(reader)) reader->failed = true;
  return reader->failed ? 0 : (uint32_t)count;
}

static int32_t read_modifier(struct reader *reader) {
  uint64_t value = reader_varint(reader);
  if (value > INT32_MAX) reader->failed = true;
  return (int32_t)value;
}

static bool read_column(struct reader *reader, struct catalog_column_definition *column) {
  uint64_t id = reader_varint(reader);
  column->id = (uint32_t)id;
  uint8_t flags = reader_u8(reader);
  column->not_null = flags & FLAG_NOT_NULL;
  column->numbered = flags & FLAG_NUMBERED;
  column->padded = flags & FLAG_PADDED;
  column->length = read_modifier(reader);
  column->precision = read_modifier(reader);
  int64_t scale = zigzag_decode(reader_varint(reader));
  column->scale = (int32_t)scale;
  column->fraction = reader_u8(reader);
  column->default_text = reader_sized(reader);
  column->comment = reader_sized(reader);
  return !reader->failed && id >> COLUMN_ID_BITS == 0 && scale >= -100000 && scale <= 100000;
}

static int read_columns(struct reader *reader, struct arena *arena,
                        struct catalog_definition *definition, struct err *err) {
  definition->column_count = read_count(reader, UINT64_C(1) << COLUMN_ID_BITS);
  struct catalog_column_definition *columns =
      ARENA_ARRAY(arena, struct catalog_column_definition, definition->column_count);
  if (!columns) return mem_refused(arena->account, definition->column_count, err);
  for (uint32_t i = 0; i < definition->column_count; i++)
    if (!read_column(reader, &columns[i]) || (i && columns[i - 1].id >= columns[i].id))
      return ERR_CORRUPTION;
  definition->columns = columns;
  return ERR_OK;
}

static int read_checks(struct reader *reader, struct arena *arena,
                       struct catalog_definition *definition, struct err *err) {
  definition->check_count = read_count(reader, CATALOG_CHECKS_MAX);
  struct catalog_check *checks = ARENA_ARRAY(arena, struct catalog_check, definition->check_count);
  if (!checks) return mem_refused(arena->account, definition->check_count, err);
  for (uint32_t i = 0; i < definition->check_count; i++)
    checks[i] = (struct catalog_check){reader_sized(reader), reader_sized(reader)};
  definition->checks = checks;
  return ERR_OK;
}

static int read_uniques(struct reader *reader, struct arena *arena,
                        struct catalog_definition *definition, struct err *err) {
  definition->unique_count = read_count(reader, CATALOG_UNIQUES_MAX);
  struct catalog_unique *uniques =
      ARENA_ARRAY(arena, struct catalog_unique, definition->unique_count);
  if (!uniques) return mem_refused(arena->account, definition->unique_count, err);
  for (uint32_t i = 0; i < definition->unique_count; i++) {
    struct catalog_unique *unique = &uniques[i];
    unique->name = reader_sized(reader);
    unique->primary = reader_u8(reader) & FLAG_PRIMARY;
    unique->column_count = read_count(reader, UINT64_C(1) << COLUMN_ID_BITS);
    uint32_t *columns = ARENA_ARRAY(arena, uint32_t, unique->column_count);
    if (!columns) return mem_refused(arena->account, unique->column_count, err);
    for (uint32_t c = 0; c < unique->column_count; c++)
      columns[c] = (uint32_t)reader_varint(reader);
    unique->columns = columns;
    if (unique->column_count == 0) return ERR_CORRUPTION;
  }
  definition->uniques = uniques;
  return ERR_OK;
}

int catalog__definition_read(struct reader *reader, struct arena *arena,
                             struct catalog_definition *definition, struct err *err) {
  if (reader_u8(reader) != FORMAT) return ERR_CORRUPTION;
  *definition = (struct catalog_definition){.number = reader_varint(reader)};
  uint8_t kind = reader_u8(reader), key = reader_u8(reader);
  const uint8_t *type = reader_bytes(reader, sizeof definition->key_type);
  if (type) memcpy(&definition->key_type, type, sizeof definition->key_type);
  definition->key_name = reader_sized(reader);
  definition->key_place = (uint32_t)reader_varint(reader);
  uint8_t duplicates = reader_u8(reader);
  definition->floor_times = reader_u8(reader) & FLAG_FLOOR;
  definition->retention_ns = zigzag_decode(reader_varint(reader));
  definition->retention_rule = reader_varint(reader);
  definition->partition_ns = (int64_t)reader_varint(reader);
  definition->history_commits = reader_varint(reader);
  if (reader->failed || definition->number == 0 || kind > CATALOG_ROWS || key > CATALOG_KEY_HASH ||
      (kind == CATALOG_SERIES) != (key == CATALOG_KEY_TIME) || duplicates > CATALOG_KEEP ||
      definition->retention_ns < -1 || definition->partition_ns < 0)
    return ERR_CORRUPTION;
  definition->kind = (enum catalog_table_kind)kind;
  definition->key = (enum catalog_key)key;
  definition->duplicates = (enum catalog_duplicates)duplicates;
  int code = read_columns(reader, arena, definition, err);
  if (!code) code = read_checks(reader, arena, definition, err);
  if (!code) code = read_uniques(reader, arena, definition, err);
  return code ? code : reader_done(reader) ? ERR_OK : ERR_CORRUPTION;
}

/* ---- of a table ---- */

int catalog_definition_prepare(struct catalog_table *public,
                               const struct catalog_definition *definition,
                               const struct catalog_definition **kept, struct err *err) {
  struct table *table = (struct table *)public;
  struct catalog *catalog = public->catalog;
  struct buffer record;
  buffer_init(&record, catalog->account);
  catalog__definition_write(definition, &record);
  int code = buffer_check(&record, err);
  os_mutex_lock(&catalog->lock);
  struct catalog_definition *copy =
      code ? NULL : ARENA_NEW(&table->names, struct catalog_definition);
  struct str bytes = copy ? arena_copy(&table->names, buffer_str(&record)) : (struct str){0};
  if (!code && !bytes.data) code = mem_refused(catalog->account, record.size, err);
  if (!code) {
    struct reader reader = reader_of(bytes.data, bytes.size);
    code = catalog__definition_read(&reader, &table->names, copy, err);
    if (code == ERR_CORRUPTION)
      code = err_set(err, ERR_INTERNAL, "the definition of a table cannot be written");
  }
  os_mutex_unlock(&catalog->lock);
  buffer_deinit(&record);
  *kept = copy;
  return code;
}

void catalog_table_define(struct catalog_table *table, const struct catalog_definition *kept) {
  atomic_store_explicit(&table->definition, kept, memory_order_release);
}

void catalog_changes_definition(struct catalog_changes *changes, const struct catalog_table *table,
                                const struct catalog_definition *definition) {
  struct buffer record;
  catalog__record_begin(&record, changes->arena->account);
  catalog__definition_write(definition, &record);
  catalog__change(changes, KIND_DEFINITION, table->id, &record);
  buffer_deinit(&record);
}
