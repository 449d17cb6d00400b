/* SELECT … INTO: the rows of the answer become rows of a measurement.
 *
 * Groups become tags, columns become fields (a tag in the SELECT list a string field, as in
 * InfluxDB); a row without any value is no row. Every ROWS_PER_COMMIT rows are one durable commit,
 * so what is held is bounded; the statement reads one snapshot, so it never sees what it writes.
 * The answer is the number of rows written. */
#include "query/query_private.h"

#include "base/text.h"
#include "os/os.h"
#include "table/write.h"

enum { ROWS_PER_COMMIT = 10000 };

struct into {
  struct query *query;
  struct table_write_options options;
  struct table_write *write; /* NULL: none is begun */
  struct table_piece *piece;
  struct table_rows *rows; /* of the series at hand; NULL: ask for them */
  uint64_t series;
  uint32_t lines; /* of the write at hand */
  uint64_t written;
  /* the series at hand */
  struct arena arena;
  struct str name;
  struct table_tag *tags;
  uint32_t tag_count;
  struct str *columns;
  uint32_t column_count;
  uint32_t *fields, *shape; /* scratch: indexes of a row's fields */
  enum time_unit unit;
};

/* ---- a commit ---- */

struct outcome {
  struct os_mutex lock;
  struct os_cond changed;
  bool done;
  struct table_write_result result;
  struct err error;
};

/* From the committer's thread. */
static void committed(void *context, const struct table_write_result *result,
                      const struct err *error) {
  struct outcome *outcome = context;
  os_mutex_lock(&outcome->lock);
  outcome->result = *result;
  outcome->error = *error;
  outcome->done = true;
  os_cond_broadcast(&outcome->changed);
  os_mutex_unlock(&outcome->lock);
}

static int commit(struct into *into, struct err *err) {
  struct os *os = table_engine_os(into->query->engine);
  struct outcome outcome = {0};
  if (!into->write) return ERR_OK;
  os_mutex_init(&outcome.lock, os);
  os_cond_init(&outcome.changed, os);
  struct table_write *write = into->write;
  into->write = NULL;
  into->rows = NULL;
  table_write_commit(write, committed, &outcome);
  os_mutex_lock(&outcome.lock);
  while (!outcome.done)
    os_cond_wait(&outcome.changed, &outcome.lock);
  os_mutex_unlock(&outcome.lock);
  os_cond_deinit(&outcome.changed);
  os_mutex_deinit(&outcome.lock);
  into->written += outcome.result.rows_written;
  if (!outcome.error.code) return ERR_OK;
  const struct err *first =
      outcome.error.code == ERR_PARTIAL_WRITE ? &outcome.result.first : &outcome.error;
  err_set(err, outcome.error.code, "%.170s; %llu rows were written, %llu not", first->message,
          (unsigned long long)into->written, (unsigned long long)outcome.result.rows_rejected);
  return outcome.error.code;
}

/* ---- rows ---- */

static int keep_series(struct into *into, const struct query_event *event, struct err *err) {
  struct arena *arena = &into->arena;
  const struct influxql_source *target = into->query->statement.syntax->into;
  arena_reset(arena);
  into->rows = NULL;
  into->name = arena_copy(arena, target->name.size ? target->name : event->name);
  into->tags = ARENA_ARRAY(arena, struct table_tag, event->tag_count + 1);
  into->columns = ARENA_ARRAY(arena, struct str, event->column_count);
  into->fields = ARENA_ARRAY(arena, uint32_t, event->column_count);
  into->shape = ARENA_ARRAY(arena, uint32_t, event->column_count);
  bool refused = !into->name.data || !into->tags || !into->columns || !into->fields || !into->shape;
  into->tag_count = 0;
  for (uint32_t i = 0; !refused && i < event->tag_count; i++) {
    if (!event->tags[i].value.size) continue;
    struct table_tag *tag = &into->tags[into->tag_count++];
    tag->name = arena_copy(arena, event->tags[i].name);
    tag->value = arena_copy(arena, event->tags[i].value);
    refused = !tag->name.data || !tag->value.data;
  }
  for (uint32_t i = 0; !refused && i < event->column_count; i++) {
    into->columns[i] = arena_copy(arena, event->column_names[i]);
    refused = event->column_names[i].size && !into->columns[i].data;
  }
  into->column_count = event->column_count;
  into->unit = (enum time_unit)event->column_types[0].parameter;
  return refused ? mem_refused(arena->account, 4096, err) : ERR_OK;
}

static int begin(struct into *into, struct err *err) {
  int code = ERR_OK;
  if (!into->write) {
    code = table_write_begin(into->query->engine, &into->options, &into->write, err);
    if (!code) code = table_write_piece(into->write, 0, &into->piece, err);
    into->lines = 0;
    into->rows = NULL;
  }
  if (!code && !into->rows) {
    code = table_piece_rows(into->piece, into->name, &into->rows, err);
    if (!code)
      code = table_rows_series(into->rows, into->tags, into->tag_count, &into->series, err);
  }
  return code;
}

static int cell_of(struct into *into, const struct column *column, int64_t row, uint64_t *cell,
                   struct err *err) {
  if (!column->dictionary && !type_is_string(column->type)) {
    *cell = column->type.physical == PHYSICAL_BOOL ? bit_get(column->bits, row) : column->u64[row];
    return ERR_OK;
  }
  struct str text = column->dictionary ? column_str(column->dictionary, column->i32[row])
                                       : column_str(column, row);
  struct str *kept = table_piece_alloc(into->piece, sizeof *kept + text.size);
  if (!kept) return mem_refused(&into->query->account, sizeof *kept + text.size, err);
  memcpy(kept + 1, text.data, text.size);
  *kept = (struct str){(const char *)(kept + 1), text.size};
  *cell = (uint64_t)(uintptr_t)kept;
  return ERR_OK;
}

static struct type field_type(const struct column *column) {
  if (column->dictionary) return TYPE_STRING;
  struct type type = column->type;
  type.logical = LOGICAL_PLAIN;
  type.parameter = 0;
  return type;
}

/* What a line of the protocol would be rejected for is a rejected row, too. */
static int reject(struct into *into, struct err *error) {
  if (error->code == ERR_NO_MEMORY || error->code == ERR_MEMORY_LIMIT) return error->code;
  table_piece_reject(into->piece, into->lines, error);
  return ERR_OK;
}

static int write_row(struct into *into, const struct batch *batch, int64_t row, struct err *err) {
  uint32_t count = 0, shape;
  int code = ERR_OK;
  for (uint32_t i = 1; i < batch->column_count; i++)
    if (column_is_valid(&batch->columns[i], row)) into->shape[count++] = i;
  if (!count) return ERR_OK;
  code = begin(into, err);
  if (code) return code;
  into->lines++;
  for (uint32_t i = 0; i < count && !code; i++)
    code = table_rows_field(into->rows, into->columns[into->shape[i]],
                            field_type(&batch->columns[into->shape[i]]), &into->fields[i], err);
  int64_t time = 0;
  if (!code && !time_convert_exact(batch->columns[0].i64[row], into->unit, into->rows->unit, &time))
    code = err_set(err, ERR_OUT_OF_RANGE,
                   "a time is finer than the precision of \"%.*s\", which is %s",
                   STR_ARG(text_cut(into->name, 60)), time_unit_name(into->rows->unit));
  if (!code) code = table_rows_shape(into->rows, into->fields, count, &shape, err);
  if (code) return reject(into, err);
  struct table_row *made = table_rows_append(into->rows, shape, into->series, time, into->lines);
  if (!made) return mem_refused(&into->query->account, 64, err);
  for (uint32_t i = 0; i < count && !code; i++)
    code = cell_of(into, &batch->columns[into->shape[i]], row, &made->cells[i], err);
  if (!code && into->lines >= ROWS_PER_COMMIT) code = commit(into, err);
  return code;
}

static int copy_rows(struct into *into, struct err *err) {
  struct query *query = into->query;
  for (;;) {
    struct query_event event = {0};
    bool done = false;
    arena_reset(&query->statement.rows);
    int code = query__check(query, err);
    if (!code) code = query__select_next(query, &event, &done, err);
    if (!code && done) return commit(into, err);
    if (!code && event.kind == QUERY_SERIES) code = keep_series(into, &event, err);
    for (int64_t row = 0; !code && event.kind == QUERY_ROWS && row < event.batch.length; row++)
      code = write_row(into, &event.batch, row, err);
    if (code) return code;
  }
}

/* The answer: one row with the number of rows written, at the beginning of time. */
static int tell(struct query *query, uint64_t written, struct err *err) {
  static const struct str names[] = {{"time", 4}, {"written", 7}, {0}};
  static const struct type types[] = {{PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_NS},
                                      {PHYSICAL_INT64, 0, 0}};
  struct show_series *series;
  query__show_columns(&query->statement, names, types);
  int code = query__show_series(&query->statement, STR("result"), &series, err);
  if (code) return code;
  query->statement.show_at = series;
  builder_append_i64(&series->columns[0], 0);
  builder_append_i64(&series->columns[1], (int64_t)written);
  code = builder_check(&series->columns[0], err);
  return code ? code : builder_check(&series->columns[1], err);
}

int query__into(struct query *query, struct err *err) {
  const struct influxql_source *target = query->statement.syntax->into;
  struct into into = {.query = query, .options = {.schema = target->schema}};
  int code = query__database(query, target->database, &into.options.database, err);
  if (!code) code = query__select_open(query, err);
  if (code) return code;
  arena_init(&into.arena, &query->account, 4096);
  code = copy_rows(&into, err);
  if (into.write) table_write_abort(into.write);
  arena_deinit(&into.arena);
  return code ? code : tell(query, into.written, err);
}
