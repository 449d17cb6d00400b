/* COPY: rows from a file or the client into a table, and the answer of a query to a file or the
 * client.
 *
 * FROM reads pieces, gathers rows as texts, turns them into the columns' types and inserts them, a
 * commit every COPY_ROWS rows, so what is held is bounded however large a file is. A value that
 * can't be read is told with its line and column; what was committed before it stays and is
 * counted. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "os/os.h"
#include "query/copy_format.h"
#include "query/sql_change_private.h"

enum { COPY_ROWS = 1 << 16, COPY_BYTES = 8 << 20, PIECE = 256 << 10 };

struct copying {
  struct query *query;
  const struct sql_statement *statement;
  struct copy_format format;
  struct os_file *file;
  uint64_t offset;
  struct change_target target;
  uint32_t *given; /* columns of the relation, in the file's order */
  uint32_t given_count;
  struct change_rows texts;
  int64_t *lines;
  size_t bytes; /* of the texts at hand */
  int64_t copied;
};

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

/* ---- options ---- */

static int one_byte(const struct sql_option *option, char *byte, struct err *err) {
  struct str text = change__option_text(option);
  bool tab = str_equal(text, STR("\\t"));
  if (!tab && (text.size != 1 || *text.data == '\n' || *text.data == '\r')) {
    err_set(err, ERR_INVALID_ARGUMENT, "COPY %.*s must be a single one-byte character",
            STR_ARG(text_cut(option->name, 60)));
    err_position(err, 0, 0, option->offset);
    return ERR_INVALID_ARGUMENT;
  }
  *byte = tab ? '\t' : *text.data;
  return ERR_OK;
}

static bool is_yes(const struct sql_option *option) {
  static const char *const no[] = {"false", "off", "0", "no"};
  struct str text = change__option_text(option);
  if (option->value && option->value->kind == SQL_BOOLEAN) return option->value->boolean;
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    if (str_equal_ignoring_case(text, str_from(no[i]))) return false;
  return true;
}

static int set_format(struct copying *self, const struct sql_option *option, struct err *err) {
  struct str text = change__option_text(option);
  self->format.csv = str_equal_ignoring_case(text, STR("csv"));
  if (self->format.csv || str_equal_ignoring_case(text, STR("text"))) return ERR_OK;
  err_set(err, ERR_INVALID_ARGUMENT, "COPY format \"%.*s\" not recognized",
          STR_ARG(text_cut(text, 60)));
  err_hint(err, "formats are csv and text");
  err_position(err, 0, 0, option->offset);
  return ERR_INVALID_ARGUMENT;
}

static int read_options(struct copying *self, struct err *err) {
  const struct sql_options *options = &self->statement->options;
  struct copy_format *format = &self->format;
  bool has_null = false, has_delimiter = false, has_escape = false;
  int code = ERR_OK;
  format->quote = '"';
  for (uint32_t i = 0; i < options->count && !code; i++) {
    const struct sql_option *option = &options->items[i];
    struct str name = option->name;
    if (str_equal(name, STR("format"))) {
      code = set_format(self, option, err);
    } else if (str_equal(name, STR("csv"))) {
      format->csv = true;
    } else if (str_equal(name, STR("header"))) {
      format->header = is_yes(option);
    } else if (str_equal(name, STR("delimiter"))) {
      has_delimiter = true;
      code = one_byte(option, &format->delimiter, err);
    } else if (str_equal(name, STR("quote"))) {
      code = one_byte(option, &format->quote, err);
    } else if (str_equal(name, STR("escape"))) {
      has_escape = true;
      code = one_byte(option, &format->escape, err);
    } else if (str_equal(name, STR("null"))) {
      has_null = true;
      format->null = change__option_text(option);
    } else if (!str_equal(name, STR("encoding"))) {
      err_set(err, ERR_PARSE, "option \"%.*s\" not recognized", STR_ARG(text_cut(name, 60)));
      err_hint(err, "options are format, header, delimiter, null, quote, escape");
      err_position(err, 0, 0, option->offset);
      return ERR_PARSE;
    }
  }
  if (!has_delimiter) format->delimiter = format->csv ? ',' : '\t';
  if (!has_escape) format->escape = format->quote;
  if (!has_null) format->null = format->csv ? STR("") : STR("\\N");
  if (!code && format->csv && format->delimiter == format->quote)
    code = err_set(err, ERR_INVALID_ARGUMENT, "COPY delimiter and quote must be different");
  return code;
}

/* ---- files ---- */

static int open_file(struct copying *self, unsigned flags, struct err *err) {
  const struct sql_expr *named = self->statement->copy_file;
  int code = query__sql_file(self->query, named->text, flags, &self->file, err);
  if (code) err_position(err, 0, 0, named->offset);
  return code;
}

static int read_piece(struct copying *self, char *bytes, size_t *got, struct err *err) {
  const struct query_copy *copy = self->query->copy;
  if (self->file) {
    int code = os_file_read(self->file, self->offset, bytes, PIECE, got, err);
    self->offset += *got;
    return code;
  }
  return copy->read(copy->context, bytes, PIECE, got, err);
}

/* ---- FROM ---- */

static int list_given(struct copying *self, struct err *err) {
  const struct sql_names *names = &self->statement->names;
  const struct sql_relation *relation = self->target.relation;
  self->given = ARENA_ARRAY(&self->query->statement.arena, uint32_t,
                            relation->column_count + names->count + 1);
  if (!self->given) return refused(self->query, names->count * 4, err);
  for (uint32_t i = 0; i < names->count; i++) {
    int code = change__find_column(&self->target, names->items[i], self->statement->target.offset,
                                   &self->given[self->given_count++], err);
    if (code) return code;
  }
  for (uint32_t i = 0; !names->count && i < relation->column_count; i++)
    if (!relation->columns[i].hidden) self->given[self->given_count++] = i;
  return ERR_OK;
}

static int begin_rows(struct copying *self, struct err *err) {
  struct type *types = ARENA_ARRAY(&self->query->statement.arena, struct type, self->given_count);
  if (!types) return refused(self->query, self->given_count * 4, err);
  for (uint32_t i = 0; i < self->given_count; i++)
    types[i] = TYPE_STRING;
  self->bytes = 0;
  return change__rows_init(&self->texts, self->query, types, self->given_count, err);
}

/* The place of a value that can't be read: rows are tried one by one, columns one by one. */
static void blame(struct copying *self, struct err *err) {
  struct err found;
  for (int64_t row = 0; row < self->texts.count; row++)
    for (uint32_t i = 0; i < self->given_count; i++) {
      struct column view = builder_view(&self->texts.columns[i]);
      if (!column_is_valid(&view, row)) continue;
      err_reset(&found);
      if (!change__read_text(&self->target, self->given[i], column_str(&view, row), &found))
        continue;
      *err = found;
      err_detail(err, "COPY %.*s, line %lld, column %.*s: \"%.*s\"",
                 STR_ARG(text_cut(self->target.table->name, 60)), (long long)self->lines[row],
                 STR_ARG(text_cut(self->target.relation->columns[self->given[i]].name, 60)),
                 STR_ARG(text_cut(column_str(&view, row), 60)));
      err->line = (int32_t)self->lines[row];
      return;
    }
}

/* One commit, in memory of its own: a file has any number of them. */
static int insert_gathered(struct copying *self, uint64_t *changed, struct err *err) {
  struct query *query = self->query;
  struct statement *s = &query->statement;
  struct sql_statement insert = {.kind = SQL_STATEMENT_INSERT,
                                 .offset = self->statement->offset,
                                 .target = self->statement->target,
                                 .names = self->statement->names};
  struct arena arena = s->arena;
  struct sql_context context = s->sql_context;
  struct catalog_table **tables = s->tables;
  uint32_t count = s->table_count, capacity = s->table_capacity;
  arena_init(&s->arena, &query->account, 64 << 10);
  s->tables = NULL;
  s->table_count = s->table_capacity = 0;
  query__sql_context(query, &s->sql_context);
  int code = change__insert_texts(query, &insert, &self->texts, changed, err);
  if (code && err_class(code) == ERR_CLASS_VALIDATION) blame(self, err);
  for (uint32_t i = 0; i < s->table_count; i++)
    catalog_table_release(s->tables[i]);
  arena_deinit(&s->arena);
  s->arena = arena;
  s->sql_context = context;
  s->tables = tables;
  s->table_count = count;
  s->table_capacity = capacity;
  return code;
}

/* What was gathered, as one commit. */
static int flush(struct copying *self, struct err *err) {
  uint64_t changed = 0;
  if (!self->texts.count) return ERR_OK;
  struct err local = {.offset = -1};
  int code = insert_gathered(self, &changed, &local);
  if (code && self->copied)
    err_hint(&local, "%lld rows before these are written and stay", (long long)self->copied);
  if (code && err) *err = local;
  self->copied += (int64_t)changed;
  change__rows_deinit(&self->texts);
  return code ? code : begin_rows(self, err);
}

static int bad_row(const struct copying *self, const struct copy_row *row, const char *text,
                   struct err *err) {
  uint32_t column = row->count < self->given_count ? row->count : self->given_count - 1;
  err_set(err, ERR_INVALID_COPY, row->count < self->given_count ? "%s \"%.*s\"" : "%s", text,
          STR_ARG(text_cut(self->target.relation->columns[self->given[column]].name, 100)));
  err_detail(err, "COPY %.*s, line %lld", STR_ARG(text_cut(self->target.table->name, 100)),
             (long long)row->line);
  err_position(err, (int32_t)row->line, 0, -1);
  return ERR_INVALID_COPY;
}

static int take_row(struct copying *self, const struct copy_row *row, struct err *err) {
  if (row->count < self->given_count) return bad_row(self, row, "missing data for column", err);
  if (row->count > self->given_count)
    return bad_row(self, row, "extra data after last expected column", err);
  for (uint32_t i = 0; i < row->count; i++) {
    const struct copy_field *field = &row->fields[i];
    if (!field->null && !text_utf8_valid(field->text))
      return bad_row(self, row, "invalid byte sequence for encoding \"UTF8\"", err);
    if (field->null)
      builder_append_null(&self->texts.columns[i]);
    else
      builder_append_str(&self->texts.columns[i], field->text);
    self->bytes += field->text.size;
    int code = builder_check(&self->texts.columns[i], err);
    if (code) return code;
  }
  self->lines[self->texts.count++] = row->line;
  return self->texts.count == COPY_ROWS || self->bytes > COPY_BYTES ? flush(self, err) : ERR_OK;
}

static int take_rows(struct copying *self, struct copy_reader *reader, bool *header,
                     struct err *err) {
  struct copy_row row;
  bool found;
  for (;;) {
    int code = copy_reader_next(reader, &row, &found, err);
    if (code && self->target.table)
      err_detail(err, "COPY %.*s", STR_ARG(text_cut(self->target.table->name, 100)));
    if (code || !found) return code;
    if (*header)
      *header = false;
    else if ((code = take_row(self, &row, err)))
      return code;
  }
}

static int copy_rows(struct copying *self, struct err *err) {
  struct copy_reader reader;
  bool header = self->format.header;
  char *piece = mem_alloc(&self->query->account, PIECE);
  copy_reader_init(&reader, &self->format, &self->query->account);
  int code = piece ? ERR_OK : refused(self->query, PIECE, err);
  for (size_t got = 1; !code && got;) {
    code = query__check(self->query, err);
    if (!code) code = read_piece(self, piece, &got, err);
    if (!code && got) code = copy_reader_feed(&reader, str_of(piece, got), err);
    if (!code && !got) copy_reader_finish(&reader);
    if (!code) code = take_rows(self, &reader, &header, err);
  }
  if (!code) code = flush(self, err);
  copy_reader_deinit(&reader);
  mem_free(&self->query->account, piece, PIECE);
  return code;
}

static int copy_from(struct copying *self, struct err *err) {
  struct query *query = self->query;
  if (self->statement->where)
    return err_set(err, ERR_UNSUPPORTED, "COPY FROM … WHERE is not supported");
  int code = change__target(query, &self->statement->target, (struct str){0}, &self->target, err);
  if (!code) code = list_given(self, err);
  if (!code && self->statement->copy_file)
    code = open_file(self, OS_READ, err);
  else if (!code && (!query->copy || !query->copy->read)) {
    code = err_set(err, ERR_UNSUPPORTED, "COPY FROM STDIN has no input here");
    err_hint(err, "name a file, or send the rows as line protocol or with INSERT");
  }
  self->lines = code ? NULL : mem_alloc(&query->account, COPY_ROWS * sizeof *self->lines);
  if (!code && !self->lines) code = refused(query, COPY_ROWS * 8, err);
  if (!code) code = begin_rows(self, err);
  if (!code) code = copy_rows(self, err);
  change__rows_deinit(&self->texts);
  if (self->lines) mem_free(&query->account, self->lines, COPY_ROWS * sizeof *self->lines);
  return code;
}

/* ---- TO ---- */

static int select_rows(struct copying *self, struct sql_selection *selection, struct err *err) {
  struct query *query = self->query;
  if (self->statement->select)
    return sql_bind_select(&query->statement.sql_context, self->statement->select, selection, err);
  /* COPY table (columns) TO: as SELECT columns FROM table. */
  struct arena *arena = &query->statement.arena;
  const struct sql_names *names = &self->statement->names;
  uint32_t count = names->count ? names->count : 1;
  struct sql_select *select = ARENA_NEW(arena, struct sql_select);
  struct sql_from *from = ARENA_NEW(arena, struct sql_from),
                  **all = ARENA_NEW(arena, struct sql_from *);
  struct sql_item *items = ARENA_ARRAY(arena, struct sql_item, count);
  struct sql_expr *exprs = ARENA_ARRAY(arena, struct sql_expr, count);
  if (!select || !from || !all || !items || !exprs) return refused(query, count * 64, err);
  for (uint32_t i = 0; i < count; i++) {
    exprs[i] = (struct sql_expr){.kind = names->count ? SQL_COLUMN : SQL_STAR,
                                 .depth = 1,
                                 .offset = self->statement->target.offset};
    if (names->count) exprs[i].name = (struct sql_name){.parts = {names->items[i]}, .count = 1};
    items[i].expr = &exprs[i];
  }
  *from = (struct sql_from){.kind = SQL_FROM_TABLE, .depth = 1, .table = self->statement->target};
  *all = from;
  *select = (struct sql_select){.kind = SQL_SELECT_PLAIN,
                                .depth = 2,
                                .items = items,
                                .item_count = count,
                                .from = all,
                                .from_count = 1};
  return sql_bind_select(&query->statement.sql_context, select, selection, err);
}

/* All columns as texts, as PostgreSQL shows them. */
static const struct plan_node *as_texts(struct copying *self, const struct sql_selection *selection,
                                        struct err *err) {
  struct query *query = self->query;
  struct arena *arena = &query->statement.arena;
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, selection->column_count + 1);
  if (!exprs) {
    refused(query, 64, err);
    return NULL;
  }
  for (uint32_t i = 0; i < selection->column_count; i++) {
    struct type type = selection->columns[i].type;
    const struct expr *value = expr_column(arena, i, type);
    if (!value) return NULL;
    if (type.physical != PHYSICAL_BOOL &&
        sql_coerce(&query->statement.sql_context, value, TYPE_STRING, SQL_EXPLICIT, &value, err))
      return NULL;
    exprs[i] = value;
  }
  return change__project(query, selection->plan, exprs, selection->column_count, err);
}

static void write_row(struct copying *self, const struct batch *batch, int64_t row,
                      struct buffer *out) {
  for (uint32_t i = 0; i < batch->column_count; i++) {
    const struct column *column = &batch->columns[i];
    bool valid = column_is_valid(column, row);
    struct str text = {0};
    if (valid && column->dictionary)
      text = column_str(column->dictionary, column->i32[row]);
    else if (valid && column->type.physical == PHYSICAL_BOOL)
      text = bit_get(column->bits, row) ? STR("t") : STR("f");
    else if (valid)
      text = column_str(column, row);
    copy_write_field(&self->format, text, !valid, i == 0, out);
  }
}

/* Rows go to the file in pieces; without one each is a row of the answer. */
static int put(struct copying *self, struct buffer *out, bool all, struct err *err) {
  if (!self->file) {
    struct builder *answer = query__sql_answer_column(self->query, 0);
    builder_append_str(answer, buffer_str(out));
    buffer_reset(out);
    return builder_check(answer, err);
  }
  copy_write_end(out);
  if (out->size < PIECE && !all) return buffer_check(out, err);
  int code = buffer_check(out, err);
  if (!code) code = os_file_write(self->file, self->offset, out->data, out->size, err);
  self->offset += out->size;
  buffer_reset(out);
  return code;
}

static int write_rows(struct copying *self, struct exec *exec,
                      const struct sql_selection *selection, struct buffer *out, struct err *err) {
  struct exec_batch batch;
  int code = ERR_OK;
  for (uint32_t i = 0; self->format.header && i < selection->column_count; i++)
    copy_write_field(&self->format, selection->columns[i].name, false, i == 0, out);
  if (self->format.header) code = put(self, out, false, err);
  while (!code && !(code = exec_next(exec, &batch, err)) && batch.batch.length)
    for (int64_t row = 0; row < batch.batch.length && !code; row++) {
      write_row(self, &batch.batch, row, out);
      code = put(self, out, false, err);
      self->copied++;
    }
  if (!code && self->file && out->size) {
    code = os_file_write(self->file, self->offset, out->data, out->size, err);
    if (!code) code = os_file_sync(self->file, err);
  }
  return code;
}

static int copy_to(struct copying *self, struct err *err) {
  struct query *query = self->query;
  struct sql_selection selection;
  struct sql_result_column line = {STR("copy"), TYPE_STRING};
  struct exec *exec = NULL;
  struct buffer out;
  int code = select_rows(self, &selection, err);
  const struct plan_node *plan = code ? NULL : as_texts(self, &selection, err);
  if (!code && plan) plan = plan_optimize(&query->statement.arena, plan, err);
  if (!code && !plan) code = err && err->code ? err->code : refused(query, 64, err);
  if (!code) code = query__snapshot(query, err);
  if (!code && self->statement->copy_file)
    code = open_file(self, OS_WRITE | OS_CREATE | OS_TRUNCATE, err);
  else if (!code)
    code = query__sql_answer(query, &line, 1, err);
  if (code) return code;
  struct exec_options options = {
      .snapshot = query->statement.snapshot,
      .pool = table_engine_pool(query->engine),
      .account = &query->account,
      .deadline_ns = query->deadline_ns,
      .cancelled = &query->cancelled,
      .os = table_engine_os(query->engine),
      .space = query->control ? query__control_space(query->control) : NULL,
  };
  buffer_init(&out, &query->account);
  code = exec_open(plan, &options, &exec, err);
  if (!code) code = write_rows(self, exec, &selection, &out, err);
  if (exec) exec_close(exec);
  buffer_deinit(&out);
  return code;
}

int change__copy(struct query *query, const struct sql_statement *statement, struct err *err) {
  struct copying self = {.query = query, .statement = statement};
  query->statement.command = STR("COPY");
  int code = read_options(&self, err);
  if (!code) code = statement->copy_to ? copy_to(&self, err) : copy_from(&self, err);
  os_file_close(self.file);
  query->statement.row_count = code ? -1 : self.copied;
  query->statement.counted = true;
  return code;
}
