/* Appenders: rows of one table, gathered in a write of the table layer and committed together.
 *
 * A row at hand is a time, tags and cells; its end resolves the series and the shape, which the
 * piece remembers, so that rows alike cost no look-up by name of more than their columns. */
#include <string.h>

#include "base/text.h"
#include "columnar/arrow.h"
#include "element/element.h"
#include "embed/embed_private.h"
#include "os/os.h"
#include "table/write.h"

enum { CELLS_MAX = 1024, TAGS_MAX = 256 };

struct nilo_appender {
  struct nilo_connection *connection;
  struct str database, schema, table; /* in names */
  char *names;
  size_t name_size;
  struct table_write *write; /* NULL: no row yet */
  struct table_piece *piece;
  struct table_rows *rows;
  uint32_t line; /* of the row at hand, from 1 */
  /* the row at hand */
  bool has_time, broken;
  int64_t time_ns;
  struct table_tag tags[TAGS_MAX];
  uint32_t tag_count;
  uint32_t fields[CELLS_MAX];
  uint64_t cells[CELLS_MAX];
  uint32_t cell_count;
};

/* ---- life ---- */

/* database.schema.name, schema.name or name; names may be quoted as SQL does. */
static int split_name(struct nilo_appender *appender, const char *name, struct err *err) {
  struct str parts[3];
  uint32_t count = 0;
  char *to = appender->names;
  const char *at = name;
  while (*at && count < 3) {
    char *from = to;
    bool quoted = *at == '"';
    at += quoted;
    while (*at && (quoted ? *at != '"' || at[1] == '"' : *at != '.')) {
      if (quoted && *at == '"') at++;
      *to++ = *at++;
    }
    if (quoted && *at) at++;
    parts[count++] = str_of(from, (size_t)(to - from));
    if (*at != '.') break;
    at++;
  }
  if (*at || !count || !parts[count - 1].size)
    return err_set(err, ERR_INVALID_ARGUMENT, "\"%.100s\" is no name of a table", name);
  struct query_session *session = appender->connection->session;
  appender->table = parts[count - 1];
  appender->schema = count > 1 ? parts[count - 2] : query_session_schema(session);
  if (str_equal(appender->schema, STR("public"))) appender->schema = (struct str){0};
  appender->database = count > 2 ? parts[0] : query_session_database(session);
  return ERR_OK;
}

int nilo_appender_open(struct nilo_connection *connection, const char *table,
                       struct nilo_appender **out, struct nilo_error *error) {
  struct err err = {.offset = -1};
  struct mem_account *account = &connection->nilo->account;
  struct nilo_appender *appender = mem_alloc_zero(account, sizeof *appender);
  *out = NULL;
  if (!appender) {
    mem_refused(account, sizeof *appender, &err);
    return element_fail(&err, error);
  }
  appender->connection = connection;
  appender->name_size = strlen(table) + 1;
  appender->names = mem_alloc(account, appender->name_size);
  int code = appender->names ? split_name(appender, table, &err)
                             : mem_refused(account, appender->name_size, &err);
  if (code) {
    nilo_appender_close(appender);
    return element_fail(&err, error);
  }
  *out = appender;
  return NILO_OK;
}

void nilo_appender_close(struct nilo_appender *appender) {
  if (!appender) return;
  struct mem_account *account = &appender->connection->nilo->account;
  if (appender->write) table_write_abort(appender->write);
  if (appender->names) mem_free(account, appender->names, appender->name_size);
  mem_free(account, appender, sizeof *appender);
}

static int begin_write(struct nilo_appender *appender, struct err *err) {
  struct table_write_options options = {
      .database = appender->database, .schema = appender->schema, .atomic = true};
  if (appender->write) return ERR_OK;
  if (appender->connection->nilo->read_only)
    return err_set(err, ERR_READ_ONLY, "the directory was opened to be read only");
  int code = table_write_begin(api_engine(appender->connection->nilo->api), &options,
                               &appender->write, err);
  if (!code) code = table_write_piece(appender->write, 0, &appender->piece, err);
  if (!code) code = table_piece_rows(appender->piece, appender->table, &appender->rows, err);
  if (code && appender->write) {
    table_write_abort(appender->write);
    appender->write = NULL;
  }
  appender->line = 1;
  return code;
}

/* ---- the row at hand ---- */

static void clear_row(struct nilo_appender *appender) {
  appender->has_time = appender->broken = false;
  appender->tag_count = appender->cell_count = 0;
}

/* An error of a value: the row will not be taken. */
static int spoil(struct nilo_appender *appender, const struct err *err, struct nilo_error *error) {
  appender->broken = true;
  return element_fail(err, error);
}

int nilo_append_time(struct nilo_appender *appender, int64_t ns, struct nilo_error *error) {
  (void)error;
  appender->time_ns = ns;
  appender->has_time = true;
  return NILO_OK;
}

static int keep(struct nilo_appender *appender, struct str text, struct str *kept,
                struct err *err) {
  char *data = table_piece_alloc(appender->piece, text.size + 1);
  if (!data) return mem_refused(&appender->connection->nilo->account, text.size, err);
  if (text.size) memcpy(data, text.data, text.size);
  *kept = str_of(data, text.size);
  return ERR_OK;
}

static int append_tag(struct nilo_appender *appender, struct str name, struct str value,
                      struct err *err) {
  int code = begin_write(appender, err);
  if (code) return code;
  if (appender->tag_count == TAGS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a row has more than %d tags", TAGS_MAX);
  struct table_tag *tag = &appender->tags[appender->tag_count];
  code = keep(appender, name, &tag->name, err);
  if (!code) code = keep(appender, value, &tag->value, err);
  if (!code) appender->tag_count++;
  return code;
}

static int append_cell(struct nilo_appender *appender, struct str name, struct type type,
                       uint64_t cell, struct err *err) {
  uint32_t field;
  int code = begin_write(appender, err);
  if (!code) code = table_rows_field(appender->rows, name, type, &field, err);
  if (code) return code;
  for (uint32_t i = 0; i < appender->cell_count; i++) {
    if (appender->fields[i] != field) continue;
    return err_set(err, ERR_DUPLICATE_COLUMN, "the row has \"%.*s\" twice",
                   STR_ARG(text_cut(name, 100)));
  }
  if (appender->cell_count == CELLS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a row has more than %d fields", CELLS_MAX);
  appender->fields[appender->cell_count] = field;
  appender->cells[appender->cell_count++] = cell;
  return ERR_OK;
}

static int append_string(struct nilo_appender *appender, struct str name, struct type type,
                         struct str value, struct err *err) {
  int code = begin_write(appender, err);
  if (code) return code;
  struct str *cell = table_piece_alloc(appender->piece, sizeof *cell);
  if (!cell) return mem_refused(&appender->connection->nilo->account, sizeof *cell, err);
  code = keep(appender, value, cell, err);
  return code ? code : append_cell(appender, name, type, (uint64_t)(uintptr_t)cell, err);
}

int nilo_append_tag(struct nilo_appender *appender, const char *name, const char *value,
                    struct nilo_error *error) {
  struct err err = {.offset = -1};
  return append_tag(appender, str_from(name), str_from(value), &err) ? spoil(appender, &err, error)
                                                                     : NILO_OK;
}

static int append_plain(struct nilo_appender *appender, const char *name, struct type type,
                        uint64_t cell, struct nilo_error *error) {
  struct err err = {.offset = -1};
  return append_cell(appender, str_from(name), type, cell, &err) ? spoil(appender, &err, error)
                                                                 : NILO_OK;
}

int nilo_append_int64(struct nilo_appender *appender, const char *name, int64_t value,
                      struct nilo_error *error) {
  return append_plain(appender, name, TYPE_INT64, (uint64_t)value, error);
}
int nilo_append_uint64(struct nilo_appender *appender, const char *name, uint64_t value,
                       struct nilo_error *error) {
  return append_plain(appender, name, TYPE_UINT64, value, error);
}
int nilo_append_double(struct nilo_appender *appender, const char *name, double value,
                       struct nilo_error *error) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return append_plain(appender, name, TYPE_FLOAT64, bits, error);
}
int nilo_append_bool(struct nilo_appender *appender, const char *name, bool value,
                     struct nilo_error *error) {
  return append_plain(appender, name, TYPE_BOOL, value, error);
}
int nilo_append_text(struct nilo_appender *appender, const char *name, const char *value,
                     size_t size, struct nilo_error *error) {
  struct err err = {.offset = -1};
  return append_string(appender, str_from(name), TYPE_STRING, str_of(value, size), &err)
             ? spoil(appender, &err, error)
             : NILO_OK;
}

/* The key of a time in the table's unit. */
static int key_of(const struct nilo_appender *appender, int64_t *key, struct err *err) {
  if (time_convert_exact(appender->time_ns, TIME_NS, appender->rows->unit, key)) return ERR_OK;
  err_set(err, ERR_OUT_OF_RANGE, "the time %lld ns is not whole in the table's unit, %s",
          (long long)appender->time_ns, time_unit_name(appender->rows->unit));
  err_hint(err, "round it, or make the table with a finer unit");
  return ERR_OUT_OF_RANGE;
}

static int end_row(struct nilo_appender *appender, struct err *err) {
  uint32_t shape;
  uint64_t series;
  int64_t key;
  if (appender->broken)
    return err_set(err, ERR_INVALID_ARGUMENT, "a value of the row was refused: it is left out");
  if (!appender->has_time) return err_set(err, ERR_INVALID_ARGUMENT, "the row has no time");
  if (!appender->cell_count) return err_set(err, ERR_INVALID_ARGUMENT, "the row has no field");
  int code = key_of(appender, &key, err);
  if (!code)
    code = table_rows_shape(appender->rows, appender->fields, appender->cell_count, &shape, err);
  if (!code)
    code = table_rows_series(appender->rows, appender->tags, appender->tag_count, &series, err);
  if (code) return code;
  struct table_row *row = table_rows_append(appender->rows, shape, series, key, appender->line);
  if (!row) return mem_refused(&appender->connection->nilo->account, sizeof *row, err);
  memcpy(row->cells, appender->cells, appender->cell_count * sizeof *row->cells);
  appender->line++;
  return ERR_OK;
}

int nilo_append_row(struct nilo_appender *appender, struct nilo_error *error) {
  struct err err = {.offset = -1};
  int code = begin_write(appender, &err);
  if (!code) code = end_row(appender, &err);
  clear_row(appender);
  return code ? element_fail(&err, error) : NILO_OK;
}

/* ---- Arrow ---- */

static bool is_tag(struct str name, const char *const *tags, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_equal(name, str_from(tags[i]))) return true;
  return false;
}

static struct str text_of(const struct column *column, int64_t row) {
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

static int append_time(struct nilo_appender *appender, const struct column *column, int64_t row,
                       struct err *err) {
  enum time_unit unit =
      column->type.logical == LOGICAL_TIMESTAMP ? (enum time_unit)column->type.parameter : TIME_NS;
  if (column->type.physical != PHYSICAL_INT64)
    return err_set(err, ERR_TYPE_CONFLICT, "\"time\" must be a timestamp or an integer");
  if (!time_convert_exact(column->i64[row], unit, TIME_NS, &appender->time_ns))
    return err_set(err, ERR_OUT_OF_RANGE, "a time does not fit nanoseconds in 64 bits");
  appender->has_time = true;
  return ERR_OK;
}

static int append_value(struct nilo_appender *appender, struct str name,
                        const struct column *column, int64_t row, struct err *err) {
  uint64_t cell;
  if (column->dictionary || type_is_string(column->type)) {
    struct type type = column->dictionary ? column->dictionary->type : column->type;
    return append_string(appender, name, type, text_of(column, row), err);
  }
  if (column->type.physical == PHYSICAL_BOOL)
    cell = bit_get(column->bits, row);
  else
    cell = column->u64[row];
  return append_cell(appender, name, column->type, cell, err);
}

static int append_rows(struct nilo_appender *appender, const struct arrow_field *fields,
                       const struct batch *batch, const char *const *tags, size_t tag_count,
                       struct err *err) {
  int code = begin_write(appender, err);
  for (int64_t row = 0; !code && row < batch->length; row++) {
    clear_row(appender);
    for (uint32_t c = 0; !code && c < batch->column_count; c++) {
      const struct column *column = &batch->columns[c];
      if (!column_is_valid(column, row)) continue;
      if (str_equal(fields[c].name, STR("time")))
        code = append_time(appender, column, row, err);
      else if (!is_tag(fields[c].name, tags, tag_count))
        code = append_value(appender, fields[c].name, column, row, err);
      else if (column->dictionary || type_is_string(column->type))
        code = append_tag(appender, fields[c].name, text_of(column, row), err);
      else
        code = err_set(err, ERR_TYPE_CONFLICT, "the tag \"%.*s\" is no string",
                       STR_ARG(text_cut(fields[c].name, 100)));
    }
    if (!code) code = end_row(appender, err);
    if (code) err_position(err, (int32_t)row + 1, 0, -1);
  }
  clear_row(appender);
  return code;
}

int nilo_append_arrow(struct nilo_appender *appender, const struct ArrowSchema *schema,
                      const struct ArrowArray *array, const char *const *tags, size_t tag_count,
                      struct nilo_error *error) {
  struct err err = {.offset = -1};
  struct arrow_field *fields;
  struct arena arena;
  struct batch batch;
  uint32_t count;
  arena_init(&arena, &appender->connection->nilo->account, 4096);
  int code = arrow_import_schema(schema, &arena, &fields, &count, &err);
  if (!code) code = arrow_import_batch(schema, array, &arena, &batch, &err);
  if (!code) code = append_rows(appender, fields, &batch, tags, tag_count, &err);
  arena_deinit(&arena);
  return code ? element_fail(&err, error) : NILO_OK;
}

/* ---- committing ---- */

struct waiting {
  struct os_mutex lock;
  struct os_cond cond;
  bool done;
  struct table_write_result result;
  struct err error;
};

static void on_done(void *context, const struct table_write_result *result,
                    const struct err *error) {
  struct waiting *waiting = context;
  os_mutex_lock(&waiting->lock);
  waiting->result = *result;
  waiting->error = *error;
  waiting->done = true;
  os_cond_signal(&waiting->cond);
  os_mutex_unlock(&waiting->lock);
}

int nilo_appender_commit(struct nilo_appender *appender, uint64_t *rows, struct nilo_error *error) {
  struct waiting waiting = {.error = {.offset = -1}};
  struct os *os = appender->connection->nilo->os;
  if (rows) *rows = 0;
  if (!appender->write) return NILO_OK;
  os_mutex_init(&waiting.lock, os);
  os_cond_init(&waiting.cond, os);
  table_write_commit(appender->write, on_done, &waiting);
  os_mutex_lock(&waiting.lock);
  while (!waiting.done)
    os_cond_wait(&waiting.cond, &waiting.lock);
  os_mutex_unlock(&waiting.lock);
  os_cond_deinit(&waiting.cond);
  os_mutex_deinit(&waiting.lock);
  appender->write = NULL;
  clear_row(appender);
  if (rows) *rows = waiting.result.rows_written;
  return waiting.error.code ? element_fail(&waiting.error, error) : NILO_OK;
}
