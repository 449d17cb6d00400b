/* read_lines(): line protocol as rows.
 *
 * A row per line: its time, its tags as texts, its fields in their types, and the measurement where
 * the file may have several. Columns come in the order in which the file names them first; a line
 * that does not name one has null there. Lines are not merged: two of the same series and time are
 * two rows. */
#include <string.h>

#include "base/bytes.h"
#include "base/hash_table.h"
#include "base/text.h"
#include "ingest/ingest.h"
#include "os/os.h"
#include "query/sql_files.h"

enum { SHOWN = 60, COLUMNS_MAX = 4096 };

struct line_reading {
  struct file_reading *self;
  struct str_table tags, fields; /* name -> its column */
  uint32_t time, measurement;    /* columns */
};

static int refused(struct file_reading *self, size_t size, struct err *err) {
  return mem_refused(&self->query->account, size, err);
}

static int find_column(struct line_reading *lines, struct str_table *names, struct str name,
                       struct type type, uint32_t *column, struct err *err) {
  struct file_reading *self = lines->self;
  bool is_new;
  uint64_t *place = str_table_insert(names, name, &is_new);
  if (!place) return refused(self, name.size, err);
  if (is_new) {
    if (self->column_count == COLUMNS_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "the lines have more than %d columns", COLUMNS_MAX);
    *place = self->column_count;
    struct file_column *made = files__add_column(self, name, type, err);
    if (!made) return refused(self, name.size, err);
    made->is_tag = names == &lines->tags;
  }
  *column = (uint32_t)*place;
  return ERR_OK;
}

/* The builder of the line's value, with nulls for the lines before. */
static struct builder *at_row(struct line_reading *lines, uint32_t column) {
  struct builder *values = &lines->self->columns[column].values;
  builder_pad(values, lines->self->rows);
  return values;
}

static int take_tag(struct line_reading *lines, const struct table_tag *tag, struct err *err) {
  uint32_t column;
  int code = find_column(lines, &lines->tags, tag->name, TYPE_STRING, &column, err);
  if (code) return code;
  struct builder *values = at_row(lines, column);
  if (values->length > lines->self->rows)
    return err_set(err, ERR_PARSE, "the line names the tag \"%.*s\" twice",
                   STR_ARG(text_cut(tag->name, SHOWN)));
  builder_append_str(values, tag->value);
  return ERR_OK;
}

static int take_field(struct line_reading *lines, const struct ingest_line_field *field,
                      struct err *err) {
  uint32_t column;
  int code = find_column(lines, &lines->fields, field->name, field->type, &column, err);
  if (code) return code;
  struct builder *values = at_row(lines, column);
  if (values->type.physical != field->type.physical) {
    err_set(err, ERR_TYPE_CONFLICT, "the field \"%.*s\" is %s here and %s in lines before",
            STR_ARG(text_cut(field->name, SHOWN)), type_name(field->type), type_name(values->type));
    if (!lines->self->options.measurement.data)
      err_hint(err, "fields of one measurement have one type: measurement => 'name' reads one");
    return ERR_TYPE_CONFLICT;
  }
  switch (field->type.physical) {
  case PHYSICAL_FLOAT64:
    builder_append_f64(values, f64_from_bits(field->cell));
    break;
  case PHYSICAL_INT64:
    builder_append_i64(values, (int64_t)field->cell);
    break;
  case PHYSICAL_UINT64:
    builder_append_u64(values, field->cell);
    break;
  case PHYSICAL_BOOL:
    builder_append_bool(values, field->cell != 0);
    break;
  default:
    builder_append_str(values, *(const struct str *)(uintptr_t)field->cell);
  }
  return ERR_OK;
}

static int take_line(void *context, const struct ingest_line *line, struct err *err) {
  struct line_reading *lines = context;
  struct file_reading *self = lines->self;
  bool all = !self->options.measurement.data;
  if (!all && !str_equal(line->measurement, self->options.measurement)) return ERR_OK;
  int code = ERR_OK;
  if (all) builder_append_str(at_row(lines, lines->measurement), line->measurement);
  builder_append_i64(at_row(lines, lines->time), line->time);
  for (size_t i = 0; i < line->tag_count && !code; i++)
    code = take_tag(lines, &line->tags[i], err);
  for (size_t i = 0; i < line->field_count && !code; i++)
    code = take_field(lines, &line->fields[i], err);
  if (!code && self->rows % 1024 == 0)
    for (uint32_t i = 0; i < self->column_count && !code; i++)
      code = builder_check(&self->columns[i].values, err);
  if (code && err_class(code) == ERR_CLASS_VALIDATION && err)
    err_position(err, (int32_t)line->number, 0, -1);
  self->rows++;
  return code;
}

/* ---- the file ---- */

static int read_pieces(struct line_reading *lines, struct buffer *text, struct err *err) {
  struct file_reading *self = lines->self;
  struct ingest_options options = {.precision = self->options.precision,
                                   .precision_factor = 1,
                                   .now_ns = (int64_t)self->query->statement.sql_context.now_ns};
  struct ingest_line_visitor visitor = {take_line, lines};
  uint32_t number = 0;
  uint64_t offset = 0;
  size_t got = 1, used;
  int code = ERR_OK;
  while (!code && got) {
    code = query__check(self->query, err);
    if (!code && !buffer_reserve(text, FILES_PIECE)) code = buffer_check(text, err);
    if (!code)
      code = os_file_read(self->file, offset, text->data + text->size, FILES_PIECE, &got, err);
    if (code) break;
    text->size += got;
    offset += got;
    size_t mark = offset == got && text->size >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0;
    struct str rest = str_of((const char *)text->data + 3 * mark, text->size - 3 * mark);
    code = ingest_lines_visit(rest, got == 0, &options, &self->query->account, &visitor, &number,
                              &used, err);
    if (code && err_class(code) == ERR_CLASS_VALIDATION && err)
      return files__place(self, err->line, err->column, err);
    used += 3 * mark;
    memmove(text->data, text->data + used, text->size - used);
    text->size -= used;
  }
  return code;
}

/* Time and measurement first, then tags, then fields; a tag whose name something else has is told
 * apart as it is in tables. */
static int order_columns(struct line_reading *lines, struct err *err) {
  struct file_reading *self = lines->self;
  struct arena *arena = &self->query->statement.arena;
  uint32_t count = self->column_count, at = 0, first = lines->time + 1;
  struct file_column *ordered = ARENA_ARRAY(arena, struct file_column, count);
  if (!ordered) return refused(self, count * sizeof *ordered, err);
  for (uint32_t i = first; i < count; i++) {
    struct file_column *column = &self->columns[i];
    bool taken = str_equal(column->name, STR("time")) ||
                 (first > 1 && str_equal(column->name, self->columns[0].name)) ||
                 (column->is_tag && str_table_find(&lines->fields, column->name));
    if (taken)
      column->name =
          arena_format(arena, "%.*s::%s", STR_ARG(column->name), column->is_tag ? "tag" : "field");
    if (!column->name.data) return refused(self, 64, err);
  }
  for (uint32_t i = 0; i < first; i++)
    ordered[at++] = self->columns[i];
  for (int tags = 1; tags >= 0; tags--)
    for (uint32_t i = first; i < count; i++)
      if (self->columns[i].is_tag == (tags == 1)) ordered[at++] = self->columns[i];
  self->columns = ordered;
  return ERR_OK;
}

int files__lines(struct file_reading *self, struct err *err) {
  struct line_reading lines = {.self = self};
  struct buffer text;
  bool all = !self->options.measurement.data;
  struct type time = TYPE_TIMESTAMP(self->options.precision);
  str_table_init(&lines.tags, &self->query->account, true, 0);
  str_table_init(&lines.fields, &self->query->account, true, 0);
  buffer_init(&text, &self->query->account);
  lines.time = all ? 1 : 0;
  int code = ERR_OK;
  if (all && !files__add_column(self, STR("measurement"), TYPE_STRING, err))
    code = refused(self, 64, err);
  if (!code && !files__add_column(self, STR("time"), time, err)) code = refused(self, 64, err);
  if (!code) code = read_pieces(&lines, &text, err);
  if (!code) code = order_columns(&lines, err);
  buffer_deinit(&text);
  str_table_deinit(&lines.tags);
  str_table_deinit(&lines.fields);
  return code;
}
