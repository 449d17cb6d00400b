/* read_csv(): a CSV file as rows.
 *
 * The file is read twice: first for the types of its columns, which every value of it has a say in,
 * then for the values, so that no value is ever of another type than its column. A column is the
 * first of integer, float, boolean, time and text that fits all its values. Columns whose types are
 * given are gathered as texts and cast, some rows at a time; a value that can't be is told with its
 * line. */
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"
#include "base/text.h"
#include "os/os.h"
#include "query/sql_change_private.h"
#include "query/sql_files.h"
#include "wire/csv.h"

enum { CAST_ROWS = 1 << 15, SHOWN = 60 };

struct csv_reading {
  struct file_reading *self;
  bool begun;  /* the columns are known */
  bool infers; /* of the two times */
  int32_t lines[CAST_ROWS];
  uint32_t waiting; /* rows whose texts are not cast yet */
};

static int refused(struct file_reading *self, size_t size, struct err *err) {
  return mem_refused(&self->query->account, size, err);
}

/* ---- values ---- */

static bool read_integer(struct str text, int64_t *value) {
  const char *at = text.data, *end = text.data + text.size;
  return number_parse_i64(&at, end, value) == NUMBER_OK && at == end;
}

static bool read_float(struct str text, double *value) {
  const char *at = text.data, *end = text.data + text.size;
  return number_parse_f64(&at, end, value) == NUMBER_OK && at == end;
}

static bool read_boolean(struct str text, bool *value) {
  *value = str_equal_ignoring_case(text, STR("true"));
  return *value || str_equal_ignoring_case(text, STR("false"));
}

/* An empty value and NA are none where there is no text, as in an import. */
static bool is_null(const struct file_reading *self, const struct csv_field *field, bool text) {
  if (!field->quoted && str_equal(field->text, self->options.null)) return true;
  struct str value = text_trim(field->text);
  return !text && (value.size == 0 || str_equal(value, STR("NA")));
}

/* ---- types ---- */

static bool is_time(struct file_column *column, struct str text) {
  __int128 ns;
  int64_t value;
  if (time_parse(text, &ns, NULL)) return false;
  column->not_ns = column->not_ns || !time_from_ns_exact(ns, TIME_NS, &value);
  column->not_us = column->not_us || !time_from_ns_exact(ns, TIME_US, &value);
  return !column->not_ns || !column->not_us;
}

static void widen(struct file_column *column, struct str text) {
  int64_t integer;
  double number;
  bool boolean;
  switch (column->kind) {
  case FILE_NOTHING:
    column->kind = read_integer(text, &integer)   ? FILE_INTEGER
                   : read_float(text, &number)    ? FILE_FLOAT
                   : read_boolean(text, &boolean) ? FILE_BOOLEAN
                   : is_time(column, text)        ? FILE_TIME
                                                  : FILE_TEXT;
    return;
  case FILE_INTEGER:
    if (read_integer(text, &integer)) return;
    column->kind = read_float(text, &number) ? FILE_FLOAT : FILE_TEXT;
    return;
  case FILE_FLOAT:
    if (!read_float(text, &number)) column->kind = FILE_TEXT;
    return;
  case FILE_BOOLEAN:
    if (!read_boolean(text, &boolean)) column->kind = FILE_TEXT;
    return;
  case FILE_TIME:
    if (!is_time(column, text)) column->kind = FILE_TEXT;
    return;
  default:
    return;
  }
}

static void settle_types(struct file_reading *self) {
  for (uint32_t i = 0; i < self->column_count; i++) {
    struct file_column *column = &self->columns[i];
    if (column->kind == FILE_DECLARED) continue;
    column->type.type = column->kind == FILE_INTEGER   ? TYPE_INT64
                        : column->kind == FILE_FLOAT   ? TYPE_FLOAT64
                        : column->kind == FILE_BOOLEAN ? TYPE_BOOL
                        : column->kind == FILE_TIME
                            ? TYPE_TIMESTAMP(column->not_ns ? TIME_US : TIME_NS)
                            : TYPE_STRING;
    builder_init(&column->values, column->type.type, &self->query->account);
  }
}

/* ---- columns ---- */

static int unknown_column(const struct file_reading *self, struct str name, struct err *err) {
  struct text_nearest nearest = text_nearest_of(name);
  for (uint32_t i = 0; i < self->column_count; i++)
    text_nearest_offer(&nearest, self->columns[i].name);
  err_set(err, ERR_UNKNOWN_COLUMN, "the header has no column \"%.*s\"",
          STR_ARG(text_cut(name, SHOWN)));
  if (nearest.best.size)
    err_hint(err, "perhaps \"%.*s\" is meant", STR_ARG(text_cut(nearest.best, SHOWN)));
  return files__place(self, 0, 0, err);
}

static int declare(struct file_reading *self, const struct sql_column_definition *definition,
                   struct file_column *column, struct err *err) {
  struct err inner = {.offset = -1};
  int code = sql_type_resolve(definition->type, &column->type, &inner);
  if (code) {
    err_position(&inner, 0, 0, -1); /* a place of another text */
    if (err) *err = inner;
    return code;
  }
  column->kind = FILE_DECLARED;
  builder_init(&column->values, column->type.type, &self->query->account);
  return ERR_OK;
}

/* With a header types are of the columns it names, without one of all columns in their order. */
static int declare_columns(struct file_reading *self, struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; i < self->options.column_count && !code; i++) {
    const struct sql_column_definition *definition = &self->options.columns[i];
    struct file_column *column = NULL;
    for (uint32_t c = 0; c < self->column_count && !column; c++)
      if (str_equal(self->columns[c].name, definition->name)) column = &self->columns[c];
    if (!column) return unknown_column(self, definition->name, err);
    if (column->kind == FILE_DECLARED)
      return err_set(err, ERR_DUPLICATE_COLUMN, "column \"%.*s\" specified more than once",
                     STR_ARG(text_cut(definition->name, SHOWN)));
    code = declare(self, definition, column, err);
  }
  return code;
}

static int name_column(struct file_reading *self, struct str name, const struct csv_field *field,
                       struct err *err) {
  for (uint32_t c = 0; c < self->column_count && field; c++)
    if (str_equal(self->columns[c].name, name)) {
      err_set(err, ERR_DUPLICATE_COLUMN, "the header names the column \"%.*s\" twice",
              STR_ARG(text_cut(name, SHOWN)));
      return files__place(self, field->line, field->column, err);
    }
  if (field && (name.size == 0 || !text_utf8_valid(name))) {
    err_set(err, ERR_INVALID_COPY, "the header's column %u has no name", self->column_count + 1);
    err_hint(err, "header => false: the first row is one of values");
    return files__place(self, field->line, field->column, err);
  }
  return files__add_column(self, name, TYPE_STRING, err) ? ERR_OK : refused(self, name.size, err);
}

/* By the header, the given types, or numbers; `row` is the first one. */
static int name_columns(struct file_reading *self, const struct csv_row *row, struct err *err) {
  struct arena *arena = &self->query->statement.arena;
  int code = ERR_OK;
  for (size_t i = 0; i < row->count && !code; i++) {
    const struct csv_field *field = self->options.header ? &row->fields[i] : NULL;
    struct str name = field ? text_trim(field->text) : arena_format(arena, "column%zu", i + 1);
    code = name.data ? name_column(self, name, field, err) : refused(self, 64, err);
  }
  return code ? code : declare_columns(self, err);
}

static int name_given(struct file_reading *self, struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; i < self->options.column_count && !code; i++)
    code = name_column(self, self->options.columns[i].name, NULL, err);
  return code ? code : declare_columns(self, err);
}

/* ---- rows ---- */

/* The texts of a column as values of its type, behind those that are there. */
static int cast(struct file_reading *self, struct file_column *column, struct builder *texts,
                struct builder *values, struct err *err) {
  struct query *query = self->query;
  struct arena *arena = &query->statement.arena;
  struct sql_context *context = &query->statement.sql_context;
  struct change_rows in = {&query->account, 1, texts, texts->length};
  struct change_rows out = {&query->account, 1, values, 0};
  const struct expr *text = expr_column(arena, 0, TYPE_STRING), *value;
  if (!text) return refused(self, sizeof *text, err);
  bool is_text = type_equal(column->type.type, TYPE_STRING);
  int code = sql_coerce_typed(context, text, &column->type, is_text ? SQL_ASSIGNMENT : SQL_EXPLICIT,
                              &value, err);
  const struct plan_node *rows = code ? NULL : change__values(query, &in, err);
  const struct plan_node *plan = rows ? change__project(query, rows, &value, 1, err) : NULL;
  if (!code && !plan) code = refused(self, 256, err);
  return code ? code : change__run(query, plan, true, &out, err);
}

/* The first text that can't be read: each is tried alone. */
static int blame(struct csv_reading *csv, struct file_column *column, int code, struct err *err) {
  struct file_reading *self = csv->self;
  struct builder one, value;
  bool found = false;
  builder_init(&one, TYPE_STRING, &self->query->account);
  builder_init(&value, column->type.type, &self->query->account);
  for (uint32_t row = 0; row < csv->waiting && !found; row++) {
    struct column view = builder_view(&column->texts);
    struct err fault = {.offset = -1};
    if (!column_is_valid(&view, row)) continue;
    builder_reset(&one);
    builder_append_str(&one, column_str(&view, row));
    code = cast(self, column, &one, &value, &fault);
    found = code != ERR_OK;
    if (!found || !err) continue;
    *err = fault;
    err_detail(err, "file \"%.*s\", line %d, column \"%.*s\": \"%.*s\"",
               STR_ARG(text_cut(self->path, 120)), csv->lines[row],
               STR_ARG(text_cut(column->name, SHOWN)),
               STR_ARG(text_cut(column_str(&view, row), SHOWN)));
    err_position(err, 0, 0, -1);
  }
  builder_deinit(&one);
  builder_deinit(&value);
  return code;
}

/* Casts the texts that wait. */
static int flush(struct csv_reading *csv, struct err *err) {
  struct file_reading *self = csv->self;
  int code = ERR_OK;
  for (uint32_t i = 0; i < self->column_count && !code; i++) {
    struct file_column *column = &self->columns[i];
    if (column->kind != FILE_DECLARED || !csv->waiting) continue;
    code = builder_check(&column->texts, err);
    if (!code) code = cast(self, column, &column->texts, &column->values, err);
    if (code && err_class(code) == ERR_CLASS_VALIDATION) code = blame(csv, column, code, err);
    builder_reset(&column->texts);
  }
  csv->waiting = 0;
  return code;
}

static int take_value(struct file_reading *self, struct file_column *column,
                      const struct csv_field *field, struct err *err) {
  struct str text = text_trim(field->text);
  struct builder *values = column->kind == FILE_DECLARED ? &column->texts : &column->values;
  int64_t integer = 0;
  double number = 0;
  bool boolean = false, good = true;
  __int128 ns;
  if (is_null(self, field, type_equal(column->type.type, TYPE_STRING))) {
    builder_append_null(values);
    return ERR_OK;
  }
  if (column->kind == FILE_INTEGER && (good = read_integer(text, &integer)))
    builder_append_i64(values, integer);
  else if (column->kind == FILE_FLOAT && (good = read_float(text, &number)))
    builder_append_f64(values, number);
  else if (column->kind == FILE_BOOLEAN && (good = read_boolean(text, &boolean)))
    builder_append_bool(values, boolean);
  else if (column->kind == FILE_TIME &&
           (good = !time_parse(text, &ns, NULL) &&
                   time_from_ns_exact(ns, (enum time_unit)column->type.type.parameter, &integer)))
    builder_append_i64(values, integer);
  else if (good && (good = text_utf8_valid(field->text)))
    builder_append_str(values, field->text);
  if (good) return ERR_OK;
  if (column->kind >= FILE_TEXT || column->kind == FILE_NOTHING)
    err_set(err, ERR_INVALID_COPY, "invalid byte sequence for encoding \"UTF8\"");
  else
    err_set(err, ERR_INVALID_COPY, "the file was changed while it was read");
  return files__place(self, field->line, field->column, err);
}

static int take_row(struct csv_reading *csv, const struct csv_row *row, struct err *err) {
  struct file_reading *self = csv->self;
  if (row->count != self->column_count) {
    err_set(err, ERR_INVALID_COPY, "the row has %zu fields, there are %u columns", row->count,
            self->column_count);
    return files__place(self, row->line, 0, err);
  }
  for (uint32_t i = 0; i < self->column_count; i++) {
    struct file_column *column = &self->columns[i];
    const struct csv_field *field = &row->fields[i];
    if (!csv->infers) {
      int code = take_value(self, column, field, err);
      if (!code && self->rows % 1024 == 0) code = builder_check(&column->values, err);
      if (code) return code;
    } else if (!is_null(self, field, false)) {
      widen(column, text_trim(field->text));
    }
  }
  if (csv->infers) return ERR_OK;
  self->rows++;
  csv->lines[csv->waiting++] = row->line;
  return csv->waiting == CAST_ROWS ? flush(csv, err) : ERR_OK;
}

/* Every row of what was fed. */
static int take_rows(struct csv_reading *csv, struct csv_reader *reader, bool *header,
                     struct err *err) {
  struct csv_row row;
  bool found;
  for (;;) {
    int code = csv_reader_next(reader, &row, &found, err);
    if (code && (code == ERR_PARSE || code == ERR_LIMIT_EXCEEDED) && err)
      return files__place(csv->self, err->line, err->column, err);
    if (code || !found) return code;
    if (!csv->begun) code = name_columns(csv->self, &row, err);
    csv->begun = true;
    if (*header)
      *header = false;
    else if (!code)
      code = take_row(csv, &row, err);
    if (code) return code;
  }
}

static int read_once(struct csv_reading *csv, struct err *err) {
  struct file_reading *self = csv->self;
  struct csv_options options = {.separator = self->options.delimiter};
  struct csv_reader reader;
  uint64_t offset = 0;
  bool header = self->options.header;
  char *piece = mem_alloc(&self->query->account, FILES_PIECE);
  int code = piece ? ERR_OK : refused(self, FILES_PIECE, err);
  csv_reader_init(&reader, &options, &self->query->account);
  for (size_t got = 1; !code && got; offset += got) {
    code = query__check(self->query, err);
    if (!code) code = os_file_read(self->file, offset, piece, FILES_PIECE, &got, err);
    if (!code && got) code = csv_reader_feed(&reader, str_of(piece, got), err);
    if (!code && !got) csv_reader_finish(&reader);
    if (!code) code = take_rows(csv, &reader, &header, err);
  }
  csv_reader_deinit(&reader);
  mem_free(&self->query->account, piece, FILES_PIECE);
  if (!code && header) {
    err_set(err, ERR_INVALID_COPY, "the file has no header row");
    code = files__place(self, 0, 0, err);
  }
  return code;
}

int files__csv(struct file_reading *self, struct err *err) {
  struct csv_reading *csv = mem_alloc_zero(&self->query->account, sizeof *csv);
  if (!csv) return refused(self, sizeof *csv, err);
  csv->self = self;
  csv->infers = true;
  int code = ERR_OK;
  if (!self->options.header && self->options.column_count) { /* even of an empty file */
    code = name_given(self, err);
    csv->begun = true;
  }
  bool all_given = csv->begun;
  if (!code && !all_given) code = read_once(csv, err);
  if (!code && !self->column_count) {
    err_set(err, ERR_INVALID_COPY, "the file is empty, so its columns are not known");
    err_hint(err, "give them: columns => 'a bigint, b text'");
    code = files__place(self, 0, 0, err);
  }
  if (!code) settle_types(self);
  csv->infers = false;
  if (!code) code = read_once(csv, err);
  if (!code) code = flush(csv, err);
  mem_free(&self->query->account, csv, sizeof *csv);
  return code;
}
