/* Filling a piece: tables, shapes, series and rows as the lines bring them.
 *
 * Everything is in the piece's arena but the small hash tables; a piece belongs to one thread until
 * it is joined. What the catalog and the series index know is asked here, on the parsing threads;
 * what they do not know gets a place in the piece, by name, and is made by the join in line order.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "table/table_private.h"

enum {
  PIECE_CHUNK = 64 << 10,
  ROWS_FIRST = 256,
  ROWS_CHUNK = 64 << 10,
  LINEAR_FIELDS = 24,
  LINEAR_SHAPES = 16,
  TABLES_FEW = 12,            /* of a piece: so many fit the first hash table */
  TABLES_GUESS_MAX = 16 << 10 /* room made at once for as many as the last piece had */
};

int table_write_begin(struct table_engine *engine, const struct table_write_options *options,
                      struct table_write **out, struct err *err) {
  struct catalog_database database;
  struct catalog_schema schema;
  int code = catalog_database_find(engine->catalog, options->database, &database, err);
  if (!code)
    code = catalog_schema_find(engine->catalog, options->database, options->schema, &schema, err);
  if (code) return code;
  struct table_write *write = mem_alloc_zero(&engine->account, sizeof *write);
  if (!write) return mem_refused(&engine->account, sizeof *write, err);
  write->engine = engine;
  write->unit = database.unit;
  write->schema_id = schema.id;
  write->retention = schema.retention;
  mem_account_init(&write->account, "write", &engine->account, 0);
  arena_init(&write->arena, &write->account, 4096);
  os_mutex_init(&write->lock, engine->os);
  write->options =
      (struct table_write_options){arena_copy(&write->arena, options->database),
                                   arena_copy(&write->arena, options->schema), options->atomic};
  if (!write->options.database.data || (options->schema.size && !write->options.schema.data)) {
    table_write_abort(write);
    return mem_refused(&engine->account, options->database.size, err);
  }
  *out = write;
  return ERR_OK;
}

int table_write_piece(struct table_write *write, uint32_t index, struct table_piece **out,
                      struct err *err) {
  struct table_piece *piece = mem_alloc_zero(&write->account, sizeof *piece);
  if (!piece) return mem_refused(&write->account, sizeof *piece, err);
  piece->write = write;
  piece->index = index;
  piece->generation = catalog_drop_generation(write->engine->catalog);
  arena_init(&piece->arena, &write->account, PIECE_CHUNK);
  str_table_init(&piece->tables, &write->account, false, 0);
  os_mutex_lock(&write->lock);
  if (write->piece_count == write->piece_capacity) {
    uint32_t capacity = write->piece_capacity ? write->piece_capacity * 2 : 8;
    struct table_piece **grown =
        mem_resize(&write->account, write->pieces, write->piece_capacity * sizeof *grown,
                   capacity * sizeof *grown);
    if (grown) write->pieces = grown;
    if (grown) write->piece_capacity = capacity;
  }
  bool room = write->piece_count < write->piece_capacity;
  if (room) write->pieces[write->piece_count++] = piece;
  os_mutex_unlock(&write->lock);
  if (!room) {
    table__piece_destroy(piece);
    return mem_refused(&write->account, sizeof *piece, err);
  }
  *out = piece;
  return ERR_OK;
}

void table__piece_destroy(struct table_piece *piece) {
  if (piece->tables.count > TABLES_FEW)
    atomic_store_explicit(&piece->write->engine->piece_tables, (uint32_t)piece->tables.count,
                          memory_order_relaxed);
  for (struct rows *rows = piece->first; rows; rows = rows->next) {
    str_table_deinit(&rows->new_known);
    str_table_deinit(&rows->field_names);
    str_table_deinit(&rows->shape_names);
    catalog_table_release(rows->public.table);
  }
  str_table_deinit(&piece->tables);
  arena_deinit(&piece->arena);
  mem_free(&piece->write->account, piece, sizeof *piece);
}

void table_piece_line_base(struct table_piece *piece, uint32_t lines_before) {
  piece->lines_before = lines_before;
}

struct table_engine *table_piece_engine(const struct table_piece *piece) {
  return piece->write->engine;
}

void *table_piece_alloc(struct table_piece *piece, size_t size) {
  return arena_alloc(&piece->arena, size);
}

void table_piece_reject(struct table_piece *piece, uint32_t line, const struct err *err) {
  piece->rejected++;
  if (piece->error_line && piece->error_line <= line) return;
  piece->error = *err;
  piece->error_line = line;
}

static int refused(struct table_piece *piece, size_t size, struct err *err) {
  return mem_refused(&piece->write->account, size, err);
}

/* A larger copy of an array in the piece's arena, or NULL. */
static void *grown_copy(struct table_piece *piece, const void *list, uint32_t count,
                        uint32_t capacity, size_t size) {
  void *grown = arena_alloc(&piece->arena, capacity * size);
  if (grown && count) memcpy(grown, list, count * size);
  return grown;
}

/* ---- tables ---- */

uint64_t table_name_hash(struct str measurement) {
  return str_table_hash(&(struct str_table){.seed = 0}, measurement);
}

/* A piece with more than a few tables probably has as many as the one before it. */
static void tables_room(struct table_piece *piece) {
  if (piece->tables.count != TABLES_FEW) return;
  uint32_t guess = atomic_load_explicit(&piece->write->engine->piece_tables, memory_order_relaxed);
  if (guess > TABLES_GUESS_MAX) guess = TABLES_GUESS_MAX;
  if (guess > TABLES_FEW) (void)str_table_reserve(&piece->tables, guess); /* else it grows */
}

bool table__takes_rows(struct catalog_table *table) {
  return !atomic_load(&table->dropped) && !atomic_load(&table->successor);
}

int table__refuse_rows(struct str name, struct err *err) {
  err_set(err, ERR_WRONG_OBJECT, "\"%.*s\" is a table of rows, not of series",
          STR_ARG(text_cut(name, 150)));
  err_hint(err, "write it with INSERT, or give the measurement another name");
  return ERR_WRONG_OBJECT;
}

/* Rows of a table that the piece does not have yet; the name's bytes live as long as the piece. The
 * reference to the table (NULL: new) goes over to them in every case. */
static int add_rows(struct table_piece *piece, struct str name, uint64_t hash,
                    struct catalog_table *table, struct table_rows **out, struct err *err) {
  struct table_write *write = piece->write;
  tables_room(piece);
  struct rows *rows = ARENA_NEW(&piece->arena, struct rows);
  uint64_t *slot =
      rows && name.data ? str_table_insert_hashed(&piece->tables, name, hash, NULL) : NULL;
  if (!slot) {
    catalog_table_release(table);
    return refused(piece, sizeof *rows, err);
  }
  *slot = (uint64_t)(uintptr_t)rows;
  rows->hash = hash;
  rows->public.piece = piece;
  rows->public.name = name;
  rows->public.unit = write->unit;
  str_table_init(&rows->new_known, &write->account, false, 0);
  str_table_init(&rows->field_names, &write->account, false, 0);
  str_table_init(&rows->shape_names, &write->account, false, 0);
  rows->public.table = table;
  if (table) {
    rows->public.unit = table->unit;
    rows->index = table__index(write->engine, table);
  }
  if (piece->last)
    piece->last->next = rows;
  else
    piece->first = rows;
  piece->last = rows;
  if (table && !rows->index) return refused(piece, 0, err);
  *out = &rows->public;
  return ERR_OK;
}

int table_piece_rows(struct table_piece *piece, struct str measurement, struct table_rows **out,
                     struct err *err) {
  uint64_t hash = table_name_hash(measurement);
  uint64_t *known = str_table_find_hashed(&piece->tables, measurement, hash);
  if (known) {
    *out = &((struct rows *)(uintptr_t)*known)->public;
    return ERR_OK;
  }
  struct table_write *write = piece->write;
  if (measurement.size == 0 || measurement.size > LIMIT_NAME_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a measurement name of %zu bytes; allowed are 1 to %d",
                   measurement.size, LIMIT_NAME_SIZE);
  struct catalog_table *table = catalog_table_find(write->engine->catalog, write->options.database,
                                                   write->options.schema, measurement);
  if (table && catalog_definition_is_rows(catalog_table_definition(table))) {
    catalog_table_release(table);
    return table__refuse_rows(measurement, err);
  }
  return add_rows(piece, arena_copy(&piece->arena, measurement), hash, table, out, err);
}

struct table_rows *table_piece_rows_known(struct table_piece *piece, struct catalog_table *table,
                                          uint64_t hash) {
  if (table->catalog != piece->write->engine->catalog ||
      table->schema_id != piece->write->schema_id || !table__takes_rows(table))
    return NULL;
  uint64_t *known = str_table_find_hashed(&piece->tables, table->name, hash);
  if (known) return &((struct rows *)(uintptr_t)*known)->public;
  struct table_rows *rows;
  catalog_table_retain(table);
  /* The name is the table's own; who takes the table from the rows keeps it as long as the piece.
   */
  return add_rows(piece, table->name, hash, table, &rows, NULL) ? NULL : rows;
}

/* ---- fields and shapes ---- */

/* The index of a field of this name and type that the rows have already; UINT32_MAX: none. */
static uint32_t field_known(const struct rows *rows, struct str name, struct type type) {
  uint32_t from = 0;
  if (rows->public.field_count > LINEAR_FIELDS) {
    uint64_t *first = str_table_find(&rows->field_names, name);
    if (!first) return UINT32_MAX;
    from = (uint32_t)*first - 1;
  }
  for (uint32_t i = from; i < rows->public.field_count; i++) {
    const struct table_field *field = &rows->public.fields[i];
    if (type_equal(field->type, type) && str_equal(field->name, name)) return i;
  }
  return UINT32_MAX;
}

/* What the catalog says of a field: its id, 0 for a new one, or the conflict. */
static int field_in_catalog(const struct rows *rows, struct str name, struct type type,
                            uint32_t *id, struct err *err) {
  *id = 0;
  if (str_equal(name, STR("time")))
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "a field named \"time\" is not allowed: it is the row's time");
  if (name.size > LIMIT_NAME_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a field name of %zu bytes is longer than %d",
                   name.size, LIMIT_NAME_SIZE);
  const struct catalog_column *column =
      rows->public.table ? catalog_column_find(rows->public.table, COLUMN_FIELD, name) : NULL;
  if (!column) return ERR_OK;
  if (!type_equal(column->type, type)) {
    err_set(err, ERR_TYPE_CONFLICT,
            "field type conflict: input field \"%.*s\" on measurement \"%.*s\" is type %s, already "
            "exists as type %s",
            STR_ARG(name), STR_ARG(rows->public.name), type_name(type), type_name(column->type));
    return ERR_TYPE_CONFLICT;
  }
  *id = column->id;
  return ERR_OK;
}

int table_rows_field(struct table_rows *public, struct str name, struct type type, uint32_t *index,
                     struct err *err) {
  struct rows *rows = (struct rows *)public;
  *index = field_known(rows, name, type);
  if (*index != UINT32_MAX) return ERR_OK;
  uint32_t id;
  int code = field_in_catalog(rows, name, type, &id, err);
  if (code) return code;
  if (public->field_count == public->field_capacity) {
    uint32_t capacity = public->field_capacity ? public->field_capacity * 2 : 4;
    struct table_field *grown =
        grown_copy(public->piece, public->fields, public->field_count, capacity, sizeof *grown);
    if (!grown) return refused(public->piece, capacity * sizeof *grown, err);
    public->fields = grown;
    public->field_capacity = capacity;
  }
  struct table_field *field = &public->fields[public->field_count];
  *field = (struct table_field){arena_copy(&public->piece->arena, name), id, type};
  if (!field->name.data) return refused(public->piece, name.size, err);
  *index = public->field_count++;
  /* The hash of names is made when the list grows long, then kept. */
  uint32_t from = public->field_count > LINEAR_FIELDS + 1 ? *index : 0;
  for (uint32_t i = from; public->field_count > LINEAR_FIELDS && i <= *index; i++) {
    bool is_new;
    uint64_t *slot = str_table_insert(&rows->field_names, public->fields[i].name, &is_new);
    if (!slot) return refused(public->piece, name.size, err);
    if (is_new) *slot = (uint64_t)i + 1;
  }
  return ERR_OK;
}

static struct str shape_key(const uint32_t *fields, uint32_t count) {
  return str_of(fields, count * sizeof *fields);
}

/* The number of a shape that the rows have already; UINT32_MAX: none. */
static uint32_t shape_known(const struct rows *rows, const uint32_t *fields, uint32_t count) {
  if (rows->shape_count > LINEAR_SHAPES) {
    uint64_t *found = str_table_find(&rows->shape_names, shape_key(fields, count));
    return found ? (uint32_t)*found : UINT32_MAX;
  }
  for (uint32_t s = rows->shape_count; s-- > 0;) {
    const struct shape *shape = &rows->shapes[s];
    if (shape->count == count && memcmp(shape->fields, fields, count * sizeof *fields) == 0)
      return s;
  }
  return UINT32_MAX;
}

int table_rows_shape(struct table_rows *public, const uint32_t *fields, uint32_t count,
                     uint32_t *number, struct err *err) {
  struct rows *rows = (struct rows *)public;
  *number = shape_known(rows, fields, count);
  if (*number != UINT32_MAX) return ERR_OK;
  if (rows->shape_count == rows->shape_capacity) {
    uint32_t capacity = rows->shape_capacity ? rows->shape_capacity * 2 : 2;
    struct shape *grown =
        grown_copy(public->piece, rows->shapes, rows->shape_count, capacity, sizeof *grown);
    if (!grown) return refused(public->piece, capacity * sizeof *grown, err);
    rows->shapes = grown;
    rows->shape_capacity = capacity;
  }
  struct str copy = arena_copy(&public->piece->arena, str_of(fields, count * sizeof *fields));
  if (!copy.data) return refused(public->piece, count * sizeof *fields, err);
  rows->shapes[rows->shape_count] =
      (struct shape){.count = count,
                     .row_size = (uint32_t)(sizeof(struct table_row) + 8 * (size_t)count),
                     .fields = (const uint32_t *)copy.data};
  *number = rows->shape_count++;
  /* The hash of shapes is made when the list grows long, then kept. */
  uint32_t from = rows->shape_count > LINEAR_SHAPES + 1 ? *number : 0;
  for (uint32_t s = from; rows->shape_count > LINEAR_SHAPES && s <= *number; s++) {
    const struct shape *shape = &rows->shapes[s];
    uint64_t *slot =
        str_table_insert(&rows->shape_names, shape_key(shape->fields, shape->count), NULL);
    if (!slot) return refused(public->piece, shape->count * sizeof *fields, err);
    *slot = s;
  }
  return ERR_OK;
}

bool table_rows_shape_fields(const struct table_rows *public, uint32_t number,
                             struct table_field *fields) {
  const struct shape *shape = &((const struct rows *)public)->shapes[number];
  for (uint32_t f = 0; f < shape->count; f++) {
    const struct table_field *field = &public->fields[shape->fields[f]];
    const struct catalog_column *column =
        field->column_id ? catalog_column_by_id(public->table, field->column_id) : NULL;
    if (!column) return false;
    fields[f] = (struct table_field){column->name, column->id, column->type};
  }
  return true;
}

bool table_rows_shape_known(struct table_rows *public, const struct table_field *fields,
                            uint32_t count, uint32_t *number) {
  if (public->field_count || count > LINEAR_FIELDS) return false; /* the fields are this shape's */
  struct table_piece *piece = public->piece;
  uint32_t *identity = arena_alloc(&piece->arena, count * sizeof *identity);
  public->fields = grown_copy(piece, fields, count, count, sizeof *fields);
  if (!public->fields || !identity) return false;
  public->field_count = public->field_capacity = count;
  for (uint32_t f = 0; f < count; f++)
    identity[f] = f;
  return table_rows_shape(public, identity, count, number, NULL) == ERR_OK;
}

/* ---- rows ---- */

struct table_row *table_rows_append(struct table_rows *public, uint32_t shape_number,
                                    uint64_t series, int64_t time, uint32_t line) {
  struct rows *rows = (struct rows *)public;
  uint32_t size = rows->shapes[shape_number].row_size;
  struct row_chunk *chunk = rows->last;
  if (!chunk || chunk->size - chunk->used < size) {
    /* A table's first chunk is small, for bodies of many tables; then they double. */
    uint32_t room = !chunk                         ? ROWS_FIRST
                    : chunk->size * 2 > ROWS_CHUNK ? ROWS_CHUNK
                                                   : chunk->size * 2;
    if (room < size) room = size;
    struct row_chunk *fresh = arena_alloc(&public->piece->arena, sizeof *fresh + room);
    if (!fresh) return NULL;
    *fresh = (struct row_chunk){.size = room};
    if (chunk)
      chunk->next = fresh;
    else
      rows->first = fresh;
    rows->last = chunk = fresh;
  }
  struct table_row *row = (struct table_row *)(void *)(chunk->bytes + chunk->used);
  rows->last_row = chunk->used;
  chunk->used += size;
  row->series = series;
  row->time = time;
  row->line = line;
  row->shape = shape_number;
  if (rows->shapes[shape_number].rows++ == 0) rows->shapes[shape_number].first_line = line;
  public->row_count++;
  return row;
}

void table_rows_undo(struct table_rows *public) {
  struct rows *rows = (struct rows *)public;
  assert(public->row_count > 0 && rows->last->used > rows->last_row);
  rows->last->used = rows->last_row;
  const struct table_row *row =
      (const struct table_row *)(const void *)(rows->last->bytes + rows->last_row);
  rows->shapes[row->shape].rows--;
  public->row_count--;
}

/* ---- series ---- */

static int tag_order(const void *a, const void *b) {
  return str_compare(((const struct table_tag *)a)->name, ((const struct table_tag *)b)->name);
}

/* Sorts the tags by name, drops empty values, refuses what cannot be. */
static int normalize(const struct rows *rows, struct table_tag *tags, size_t *count,
                     struct err *err) {
  size_t kept = 0, size = rows->public.name.size;
  bool sorted = true;
  for (size_t i = 0; i < *count; i++) {
    size += tags[i].name.size + tags[i].value.size + 2;
    if (tags[i].value.size == 0) continue;
    tags[kept++] = tags[i];
    if (kept > 1 && str_compare(tags[kept - 2].name, tags[kept - 1].name) >= 0) sorted = false;
  }
  if (!sorted) qsort(tags, kept, sizeof *tags, tag_order);
  for (size_t i = 1; i < kept && !sorted; i++)
    if (str_equal(tags[i - 1].name, tags[i].name))
      return err_set(err, ERR_PARSE, "duplicate tag \"%.*s\"", STR_ARG(tags[i].name));
  for (size_t i = 0; i < kept; i++)
    if (str_equal(tags[i].name, STR("time")))
      return err_set(err, ERR_INVALID_ARGUMENT,
                     "a tag named \"time\" is not allowed: it is the row's time");
  *count = kept;
  if (size > LIMIT_SERIES_KEY_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a series key of %zu bytes is longer than %d", size,
                   LIMIT_SERIES_KEY_SIZE);
  return ERR_OK;
}

struct id_tag {
  uint32_t column;
  struct str value;
};
static int id_order(const void *a, const void *b) {
  const struct id_tag *x = a, *y = b;
  return (x->column > y->column) - (x->column < y->column);
}

/* Appends the canonical tag set (docs/format/series.md) of tags whose columns are known; false when
 * one is not. */
static bool canonical(const struct catalog_table *table, const struct table_tag *tags, size_t count,
                      struct id_tag *scratch, struct buffer *out) {
  bool sorted = true;
  for (size_t i = 0; i < count; i++) {
    const struct catalog_column *column = catalog_column_find(table, COLUMN_TAG, tags[i].name);
    if (!column) return false;
    scratch[i] = (struct id_tag){column->id, tags[i].value};
    if (i && scratch[i].column < scratch[i - 1].column) sorted = false;
  }
  if (!sorted) qsort(scratch, count, sizeof *scratch, id_order);
  for (size_t i = 0; i < count; i++) {
    buffer_append_varint(out, scratch[i].column);
    buffer_append_sized(out, scratch[i].value);
  }
  return !out->failed;
}

/* A tag set that is not known yet: its place in the piece. */
static int new_series(struct rows *rows, const struct table_tag *tags, size_t count,
                      struct buffer *raw, uint64_t *series, struct err *err) {
  struct table_piece *piece = rows->public.piece;
  const struct catalog_table *table = rows->public.table;
  struct str key_name = table ? catalog_key_name(catalog_table_definition(table)) : (struct str){0};
  buffer_reset(raw);
  for (size_t i = 0; i < count; i++) {
    if (key_name.size && str_equal(tags[i].name, key_name))
      return err_set(err, ERR_INVALID_ARGUMENT,
                     "a tag named \"%.*s\" is not allowed: it is the row's time",
                     STR_ARG(text_cut(key_name, 150)));
    buffer_append_sized(raw, tags[i].name);
    buffer_append_sized(raw, tags[i].value);
  }
  int code = buffer_check(raw, err);
  if (code) return code;
  struct str key = raw->size ? buffer_str(raw) : STR("");
  uint64_t *known = str_table_find(&rows->new_known, key);
  if (known) {
    *series = TABLE_SERIES_NEW | *known;
    return ERR_OK;
  }
  if (rows->new_count == rows->new_capacity) {
    uint32_t capacity = rows->new_capacity ? rows->new_capacity * 2 : 4;
    struct str *grown = grown_copy(piece, rows->new_tags, rows->new_count, capacity, sizeof *grown);
    if (!grown) return refused(piece, capacity * sizeof *grown, err);
    rows->new_tags = grown;
    rows->new_capacity = capacity;
  }
  struct str copy = arena_copy(&piece->arena, key);
  uint64_t *slot = copy.data ? str_table_insert(&rows->new_known, copy, NULL) : NULL;
  if (!slot) return refused(piece, key.size, err);
  *slot = rows->new_count;
  rows->new_tags[rows->new_count] = copy;
  *series = TABLE_SERIES_NEW | rows->new_count++;
  return ERR_OK;
}

int table_rows_series(struct table_rows *public, struct table_tag *tags, size_t count,
                      uint64_t *series, struct err *err) {
  struct rows *rows = (struct rows *)public;
  int code = normalize(rows, tags, &count, err);
  if (code) return code;
  struct id_tag few[32], *scratch = few;
  if (count > 32 && !(scratch = table_piece_alloc(public->piece, count * sizeof *scratch)))
    return refused(public->piece, count * sizeof *scratch, err);
  struct buffer bytes;
  buffer_init(&bytes, &public->piece->write->account);
  *series = 0;
  if (rows->index && canonical(public->table, tags, count, scratch, &bytes))
    code = series_find(rows->index, buffer_str(&bytes), series, err);
  if (!code && *series == 0) code = new_series(rows, tags, count, &bytes, series, err);
  buffer_deinit(&bytes);
  return code;
}
