/* CSV: a header names the columns, the first rows tell their types, every row becomes a point.
 *
 * Types are inferred from the first bytes of the file (SAMPLE of them, or all): the narrowest that
 * fits every value seen. A later value that does not fit is that row's error, with its line and
 * column and what to do. An empty cell is an absent value, and so is NA (the missing value of R and
 * of published tables) where the column holds no text; a row without any value is no row. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/text.h"
#include "ingest/ingest_private.h"
#include "wire/csv.h"

enum { SAMPLE = 256 << 10, SHOWN = 40 };

enum role { ROLE_TIME, ROLE_TAG, ROLE_FIELD };
struct csv_column {
  struct str name;
  enum role role;
  struct type type;
  bool given;
};
struct ingest_csv {
  struct mem_account *account;
  struct arena arena; /* options, header */
  struct ingest_csv_options options;
  struct csv_reader reader;
  struct buffer sample; /* until the types are known */
  bool started, last;
  struct csv_column *columns;
  size_t column_count;
  struct table_tag *tags; /* scratch of a row */
  uint32_t *fields;
  uint64_t *cells;
};

static int refused(const struct ingest_csv *csv, size_t size, struct err *err) {
  return mem_refused(csv->account, size, err);
}

static bool copy_options(struct ingest_csv *csv, const struct ingest_csv_options *options) {
  struct arena *arena = &csv->arena;
  struct str *tags = ARENA_ARRAY(arena, struct str, options->tag_count + 1);
  struct ingest_csv_field *fields =
      ARENA_ARRAY(arena, struct ingest_csv_field, options->field_count + 1);
  if (!tags || !fields) return false;
  for (size_t i = 0; i < options->tag_count; i++)
    if (!(tags[i] = arena_copy(arena, options->tags[i])).data) return false;
  for (size_t i = 0; i < options->field_count; i++) {
    fields[i] = options->fields[i];
    if (!(fields[i].name = arena_copy(arena, options->fields[i].name)).data) return false;
  }
  csv->options = *options;
  csv->options.tags = tags;
  csv->options.fields = fields;
  csv->options.measurement = arena_copy(arena, options->measurement);
  csv->options.time_column = arena_copy(arena, options->time_column);
  return csv->options.measurement.data != NULL;
}

int ingest_csv_create(const struct ingest_csv_options *options, struct mem_account *account,
                      struct ingest_csv **out, struct err *err) {
  struct ingest_csv *csv = mem_alloc_zero(account, sizeof *csv);
  if (!csv) return mem_refused(account, sizeof *csv, err);
  csv->account = account;
  arena_init(&csv->arena, account, 4096);
  buffer_init(&csv->sample, account);
  struct csv_options reader = {.separator = options->delimiter};
  csv_reader_init(&csv->reader, &reader, account);
  if (!copy_options(csv, options)) {
    ingest_csv_destroy(csv);
    return mem_refused(account, sizeof *csv, err);
  }
  *out = csv;
  return ERR_OK;
}

void ingest_csv_destroy(struct ingest_csv *csv) {
  if (!csv) return;
  csv_reader_deinit(&csv->reader);
  buffer_deinit(&csv->sample);
  arena_deinit(&csv->arena);
  mem_free(csv->account, csv, sizeof *csv);
}

int ingest_csv_feed(struct ingest_csv *csv, struct str bytes, bool last, struct err *err) {
  csv->last |= last;
  if (!csv->started) {
    buffer_append_str(&csv->sample, bytes);
    return buffer_check(&csv->sample, err);
  }
  int code = csv_reader_feed(&csv->reader, bytes, err);
  if (!code && last) csv_reader_finish(&csv->reader);
  return code;
}

/* ---- header and types ---- */

static int unknown_column(const struct ingest_csv *csv, struct str name, struct err *err) {
  struct text_nearest nearest = text_nearest_of(name);
  for (size_t c = 0; c < csv->column_count; c++)
    text_nearest_offer(&nearest, csv->columns[c].name);
  err_set(err, ERR_UNKNOWN_COLUMN, "the header has no column \"%.*s\"", STR_ARG(name));
  if (nearest.best.size) err_hint(err, "did you mean \"%.*s\"?", STR_ARG(nearest.best));
  return ERR_UNKNOWN_COLUMN;
}

static struct csv_column *column_named(struct ingest_csv *csv, struct str name) {
  for (size_t c = 0; c < csv->column_count; c++)
    if (str_equal(csv->columns[c].name, name)) return &csv->columns[c];
  return NULL;
}

static int assign_roles(struct ingest_csv *csv, struct err *err) {
  for (size_t i = 0; i < csv->options.tag_count; i++) {
    struct csv_column *column = column_named(csv, csv->options.tags[i]);
    if (!column) return unknown_column(csv, csv->options.tags[i], err);
    column->role = ROLE_TAG;
  }
  for (size_t i = 0; i < csv->options.field_count; i++) {
    struct csv_column *column = column_named(csv, csv->options.fields[i].name);
    if (!column) return unknown_column(csv, csv->options.fields[i].name, err);
    column->type = csv->options.fields[i].type;
    column->given = true;
  }
  bool named = csv->options.time_column.size != 0;
  struct csv_column *time = column_named(csv, named ? csv->options.time_column : STR("time"));
  if (!time && named) return unknown_column(csv, csv->options.time_column, err);
  if (!time) time = &csv->columns[0];
  time->role = ROLE_TIME;
  return ERR_OK;
}

static int read_header(struct ingest_csv *csv, const struct csv_row *row, struct err *err) {
  csv->columns = ARENA_ARRAY(&csv->arena, struct csv_column, row->count);
  csv->tags = ARENA_ARRAY(&csv->arena, struct table_tag, row->count);
  csv->fields = ARENA_ARRAY(&csv->arena, uint32_t, row->count);
  csv->cells = ARENA_ARRAY(&csv->arena, uint64_t, row->count);
  if (!csv->columns || !csv->tags || !csv->fields || !csv->cells)
    return refused(csv, row->count * 64, err);
  csv->column_count = 0;
  for (size_t c = 0; c < row->count; c++) {
    struct str name = text_trim(row->fields[c].text);
    if (name.size == 0) {
      err_set(err, ERR_PARSE, "the header's column %zu has no name", c + 1);
      err_position(err, row->fields[c].line, row->fields[c].column, -1);
      return ERR_PARSE;
    }
    if (column_named(csv, name))
      return err_set(err, ERR_PARSE, "the header names the column \"%.*s\" twice", STR_ARG(name));
    csv->columns[c] =
        (struct csv_column){.name = arena_copy(&csv->arena, name), .role = ROLE_FIELD};
    if (!csv->columns[c].name.data) return refused(csv, name.size, err);
    csv->column_count++;
  }
  return assign_roles(csv, err);
}

static bool parse_bool(struct str text, uint64_t *cell) {
  *cell = str_equal_ignoring_case(text, STR("true"));
  return *cell || str_equal_ignoring_case(text, STR("false"));
}

/* The cell of a text; false: not of this type. Strings are the caller's. */
static bool parse_cell(struct str text, struct type type, uint64_t *cell) {
  const char *at = text.data, *end = text.data + text.size;
  double number;
  switch (type.physical) {
  case PHYSICAL_INT64:
    return number_parse_i64(&at, end, (int64_t *)cell) == NUMBER_OK && at == end;
  case PHYSICAL_UINT64:
    return number_parse_u64(&at, end, cell) == NUMBER_OK && at == end;
  case PHYSICAL_FLOAT64:
    if (number_parse_f64(&at, end, &number) != NUMBER_OK || at != end) return false;
    *cell = f64_bits(number);
    return true;
  case PHYSICAL_BOOL:
    return parse_bool(text, cell);
  default:
    return true;
  }
}

static bool is_missing(struct str text) { return text.size == 0 || str_equal(text, STR("NA")); }

/* Widens a column's type until the text fits. */
static void widen(struct csv_column *column, struct str text) {
  static const struct type order[] = {{PHYSICAL_INT64, 0, 0},
                                      {PHYSICAL_FLOAT64, 0, 0},
                                      {PHYSICAL_BOOL, 0, 0},
                                      {PHYSICAL_STRING, 0, 0}};
  uint64_t cell;
  size_t from = 0;
  while (column->type.physical && !type_equal(order[from], column->type))
    from++;
  bool numbers_before =
      column->type.physical == PHYSICAL_INT64 || column->type.physical == PHYSICAL_FLOAT64;
  while (!parse_cell(text, order[from], &cell) ||
         (numbers_before && order[from].physical == PHYSICAL_BOOL))
    from++;
  column->type = order[from];
}

/* Reads the sample with a reader of its own. */
static int infer_types(struct ingest_csv *csv, struct err *err) {
  struct csv_options options = {.separator = csv->options.delimiter};
  struct csv_reader reader;
  csv_reader_init(&reader, &options, csv->account);
  int code = csv_reader_feed(&reader, buffer_str(&csv->sample), err);
  if (csv->last) csv_reader_finish(&reader);
  struct csv_row row;
  bool found = false;
  if (!code) code = csv_reader_next(&reader, &row, &found, err);
  if (!code && !found) code = err_set(err, ERR_PARSE, "the file has no header row");
  if (!code) code = read_header(csv, &row, err);
  while (!code) {
    int fault = csv_reader_next(&reader, &row, &found, NULL);
    if (!fault && !found) break;
    for (size_t c = 0; !fault && c < csv->column_count && c < row.count; c++) {
      struct csv_column *column = &csv->columns[c];
      struct str text = text_trim(row.fields[c].text);
      if (column->role == ROLE_FIELD && !column->given && !is_missing(text)) widen(column, text);
    }
  }
  csv_reader_deinit(&reader);
  for (size_t c = 0; c < csv->column_count; c++)
    if (csv->columns[c].role == ROLE_FIELD && csv->columns[c].type.physical == 0)
      csv->columns[c].type = TYPE_STRING;
  return code;
}

/* The real reader takes over, behind the header. */
static int start(struct ingest_csv *csv, struct err *err) {
  int code = infer_types(csv, err);
  if (!code) code = csv_reader_feed(&csv->reader, buffer_str(&csv->sample), err);
  if (!code && csv->last) csv_reader_finish(&csv->reader);
  struct csv_row row;
  bool found;
  if (!code) code = csv_reader_next(&csv->reader, &row, &found, err);
  buffer_deinit(&csv->sample);
  buffer_init(&csv->sample, csv->account);
  csv->started = true;
  return code;
}

/* ---- rows ---- */

static int bad_cell(const struct csv_field *field, struct err *err) {
  err_position(err, field->line, field->column, -1);
  return err ? err->code : ERR_PARSE;
}

static int parse_time(const struct ingest_csv *csv, const struct csv_field *field,
                      enum time_unit unit, int64_t *time, struct err *err) {
  struct str text = text_trim(field->text);
  const char *at = text.data, *end = text.data + text.size;
  int64_t number;
  __int128 ns;
  bool fits;
  if (text.size && number_parse_i64(&at, end, &number) == NUMBER_OK && at == end) {
    if (csv->options.time_is_year) {
      fits = number >= -999999 && number <= 999999;
      ns = fits ? (__int128)civil_to_days(number, 1, 1) * 86400 * 1000000000 : 0;
    } else {
      fits = true;
      ns = time_to_ns(number, csv->options.precision);
    }
  } else {
    int code = time_parse(text, &ns, err);
    if (code) {
      err_set(err, ERR_PARSE, "bad time \"%.*s\"", STR_ARG(text_cut(text, SHOWN)));
      err_hint(err,
               "write RFC 3339 or a date, or a whole number in the unit that --precision names");
      return bad_cell(field, err);
    }
    fits = true;
  }
  if (fits && time_from_ns_exact(ns, unit, time)) return ERR_OK;
  err_set(err, ERR_OUT_OF_RANGE, "the time \"%.*s\" cannot be kept in %s",
          STR_ARG(text_cut(text, SHOWN)), time_unit_name(unit));
  err_hint(err, "use a database of another precision: nilo import --unit, or CREATE DATABASE … "
                "WITH PRECISION s");
  return bad_cell(field, err);
}

static int parse_field(struct ingest_csv *csv, struct table_piece *piece,
                       const struct csv_column *column, const struct csv_field *field,
                       uint64_t *cell, struct err *err) {
  struct str text = text_trim(field->text);
  if (type_is_string(column->type)) {
    if (field->text.size > LIMIT_STRING_SIZE_DEFAULT || !text_utf8_valid(field->text)) {
      err_set(err, ERR_PARSE, "the string in column \"%.*s\" is too long or not UTF-8",
              STR_ARG(column->name));
      return bad_cell(field, err);
    }
    struct str *copy = table_piece_alloc(piece, sizeof *copy + field->text.size);
    if (!copy) return refused(csv, field->text.size, err);
    memcpy(copy + 1, field->text.data, field->text.size);
    *copy = str_of(copy + 1, field->text.size);
    *cell = (uint64_t)(uintptr_t)copy;
    return ERR_OK;
  }
  if (parse_cell(text, column->type, cell)) return ERR_OK;
  err_set(err, ERR_PARSE, "\"%.*s\" in column \"%.*s\" is not %s %s",
          STR_ARG(text_cut(text, SHOWN)), STR_ARG(column->name),
          column->type.physical == PHYSICAL_INT64 ? "an" : "a", type_name(column->type));
  err_hint(err, "name the column's type: --field %.*s:float (or integer, boolean, string)",
           STR_ARG(column->name));
  return bad_cell(field, err);
}

static int put_row(struct ingest_csv *csv, struct table_piece *piece, const struct csv_row *row,
                   struct err *err) {
  struct table_rows *rows;
  int code = table_piece_rows(piece, csv->options.measurement, &rows, err);
  if (!code && row->count != csv->column_count) {
    code = err_set(err, ERR_PARSE, "the row has %zu columns, the header %zu", row->count,
                   csv->column_count);
    err_position(err, row->line, 1, -1);
  }
  size_t tags = 0;
  uint32_t fields = 0, shape;
  uint64_t series;
  int64_t time = 0;
  for (size_t c = 0; c < csv->column_count && !code; c++) {
    const struct csv_column *column = &csv->columns[c];
    const struct csv_field *field = &row->fields[c];
    if (column->role == ROLE_TIME) {
      code = parse_time(csv, field, rows->unit, &time, err);
    } else if (column->role == ROLE_TAG) {
      csv->tags[tags++] = (struct table_tag){column->name, field->text};
    } else if (type_is_string(column->type) ? field->text.size != 0
                                            : !is_missing(text_trim(field->text))) {
      code = parse_field(csv, piece, column, field, &csv->cells[fields], err);
      if (!code)
        code = table_rows_field(rows, column->name, column->type, &csv->fields[fields], err);
      fields++;
    }
  }
  if (!code && fields == 0) return ERR_OK;
  if (!code) code = table_rows_series(rows, csv->tags, tags, &series, err);
  if (!code) code = table_rows_shape(rows, csv->fields, fields, &shape, err);
  struct table_row *out =
      code ? NULL : table_rows_append(rows, shape, series, time, (uint32_t)row->line);
  if (!code && !out) code = refused(csv, fields * 8, err);
  if (!code) memcpy(out->cells, csv->cells, fields * sizeof *csv->cells);
  return code;
}

int ingest_csv_rows(struct ingest_csv *csv, struct table_piece *piece, uint32_t rows_max,
                    uint32_t *count, struct err *err) {
  *count = 0;
  if (!csv->started) {
    if (csv->sample.size < SAMPLE && !csv->last) return ERR_OK;
    int code = start(csv, err);
    if (code) return code;
  }
  while (*count < rows_max) {
    struct csv_row row = {.count = 0};
    bool found;
    struct err fault;
    err_reset(&fault);
    int code = csv_reader_next(&csv->reader, &row, &found, &fault);
    if (!code && !found) break;
    if (!code) code = put_row(csv, piece, &row, &fault);
    if (code && !ingest__is_own_fault(code)) {
      if (err) *err = fault;
      return code;
    }
    if (code && fault.line == 0) err_position(&fault, row.line, fault.column, -1);
    if (code) table_piece_reject(piece, (uint32_t)(fault.line ? fault.line : 1), &fault);
    ++*count;
  }
  return ERR_OK;
}
