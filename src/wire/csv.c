/* The CSV reader works in two passes over each row: the first finds where the row ends (a line end
 * outside quotes), which may need bytes that have not come yet; the second cuts it into fields and
 * undoes doubled quotes in place. A row is short and in the cache by then, and the second pass
 * never has to stop in the middle. */
#include "wire/csv.h"

#include <string.h>

#include "base/err.h"

void csv_reader_init(struct csv_reader *reader, const struct csv_options *options,
                     struct mem_account *account) {
  memset(reader, 0, sizeof *reader);
  if (options) reader->options = *options;
  if (!reader->options.separator) reader->options.separator = ',';
  if (!reader->options.fields_max) reader->options.fields_max = 4096;
  if (!reader->options.row_max) reader->options.row_max = 16u << 20;
  buffer_init(&reader->input, account);
  buffer_init(&reader->fields, account);
  reader->first = true;
  reader->line = 1;
}

void csv_reader_deinit(struct csv_reader *reader) {
  buffer_deinit(&reader->input);
  buffer_deinit(&reader->fields);
}

int csv_reader_feed(struct csv_reader *reader, struct str bytes, struct err *err) {
  struct buffer *input = &reader->input;
  if (reader->broken) return ERR_OK;
  if (reader->position > 0) { /* rows given out make room for what comes */
    size_t left = input->size - reader->position;
    if (left) memmove(input->data, input->data + reader->position, left);
    input->size = left;
    reader->position = 0;
  }
  buffer_append_str(input, bytes);
  return buffer_check(input, err);
}

void csv_reader_finish(struct csv_reader *reader) { reader->at_end = true; }

static int fail_at(struct err *err, int code, int32_t line, int32_t column, const char *what) {
  err_set(err, code, "%s", what);
  err_position(err, line, column, -1);
  return code;
}

/* Where the search for a row's end stands. A quote opens a quoted field only at its first byte, so
 * that a stray one elsewhere spoils its own row and no other. */
enum scan_state { SCAN_FIELD_START, SCAN_PLAIN, SCAN_QUOTED, SCAN_QUOTE_SEEN };

static enum scan_state scan_byte(enum scan_state state, char byte, char separator) {
  if (state == SCAN_QUOTED) return byte == '"' ? SCAN_QUOTE_SEEN : SCAN_QUOTED;
  if (byte == separator) return SCAN_FIELD_START;
  return byte == '"' && state != SCAN_PLAIN ? SCAN_QUOTED : SCAN_PLAIN;
}

/* Finds the LF that ends the row at position; *size counts it. False: it has not come. */
static bool find_row_end(struct csv_reader *reader, size_t *size) {
  const char *row = (const char *)reader->input.data + reader->position;
  size_t available = reader->input.size - reader->position;
  enum scan_state state = (enum scan_state)reader->scan_state;
  char separator = reader->options.separator;
  size_t i = reader->scanned;
  while (i < available && (row[i] != '\n' || state == SCAN_QUOTED)) {
    state = scan_byte(state, row[i], separator);
    i++;
  }
  bool found = i < available;
  reader->scanned = found ? 0 : available;
  reader->scan_state = found ? SCAN_FIELD_START : (int)state;
  *size = i + 1;
  return found;
}

/* Where the cutter stands in a row. */
struct cursor {
  char *at;
  char *end; /* behind the row's content, its line end excluded */
  const char *line_begin;
  int32_t line;
};

static int32_t cursor_column(const struct cursor *cursor) {
  return (int32_t)(cursor->at - cursor->line_begin) + 1;
}

/* Reads "…" at the cursor, undoing doubled quotes in place. */
static int cut_quoted(struct csv_reader *reader, struct cursor *cursor, struct csv_field *field,
                      struct err *err) {
  char *out = ++cursor->at;
  field->text.data = out;
  field->quoted = true;
  for (;;) {
    if (cursor->at >= cursor->end) {
      return fail_at(err, ERR_PARSE, field->line, field->column, "a quoted field is not closed");
    }
    char c = *cursor->at++;
    if (c == '"') {
      if (cursor->at >= cursor->end || *cursor->at != '"') break;
      cursor->at++;
    } else if (c == '\n') {
      cursor->line++;
      cursor->line_begin = cursor->at;
    }
    *out++ = c;
  }
  field->text.size = (size_t)(out - field->text.data);
  if (cursor->at < cursor->end && *cursor->at != reader->options.separator) {
    return fail_at(err, ERR_PARSE, cursor->line, cursor_column(cursor),
                   "text behind the closing quote of a field");
  }
  return ERR_OK;
}

static int cut_plain(struct csv_reader *reader, struct cursor *cursor, struct csv_field *field,
                     struct err *err) {
  field->text.data = cursor->at;
  field->quoted = false;
  while (cursor->at < cursor->end && *cursor->at != reader->options.separator) {
    if (*cursor->at == '"') {
      return fail_at(err, ERR_PARSE, cursor->line, cursor_column(cursor),
                     "a quote inside a field that does not begin with one");
    }
    if (*cursor->at == '\r') {
      return fail_at(err, ERR_PARSE, cursor->line, cursor_column(cursor),
                     "a CR that no LF follows, outside quotes");
    }
    cursor->at++;
  }
  field->text.size = (size_t)(cursor->at - field->text.data);
  return ERR_OK;
}

static int cut_row(struct csv_reader *reader, struct cursor *cursor, struct csv_row *row,
                   struct err *err) {
  buffer_reset(&reader->fields);
  size_t count = 0;
  for (;;) {
    struct csv_field field = {.line = cursor->line, .column = cursor_column(cursor)};
    if (count >= reader->options.fields_max) {
      return fail_at(err, ERR_LIMIT_EXCEEDED, field.line, field.column, "too many fields in a row");
    }
    int code = cursor->at < cursor->end && *cursor->at == '"'
                   ? cut_quoted(reader, cursor, &field, err)
                   : cut_plain(reader, cursor, &field, err);
    if (code) return code;
    if (!buffer_append(&reader->fields, &field, sizeof field)) {
      return buffer_check(&reader->fields, err);
    }
    count++;
    if (cursor->at >= cursor->end) break;
    cursor->at++; /* the separator */
  }
  row->fields = (const struct csv_field *)(void *)reader->fields.data;
  row->count = count;
  return ERR_OK;
}

/* Counts the lines of a row, so that the reader's line is right behind it whatever happens in it.
 */
static int32_t count_lines(const uint8_t *bytes, size_t size) {
  int32_t lines = 0;
  const uint8_t *end = bytes + size;
  while ((bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
    lines++;
    bytes++;
  }
  return lines;
}

static void skip_mark(struct csv_reader *reader) {
  size_t available = reader->input.size - reader->position;
  if (available < 3 && !reader->at_end) return;
  if (available >= 3 && memcmp(reader->input.data + reader->position, "\xef\xbb\xbf", 3) == 0) {
    reader->position += 3;
  }
  reader->first = false;
}

/* Takes the next row's extent; false: there is none (yet). */
static bool take_row(struct csv_reader *reader, size_t *size) {
  if (find_row_end(reader, size)) return true;
  size_t left = reader->input.size - reader->position;
  if (!reader->at_end || left == 0) return false;
  reader->scanned = 0;
  reader->scan_state = SCAN_FIELD_START;
  *size = left;
  return true;
}

int csv_reader_next(struct csv_reader *reader, struct csv_row *row, bool *found, struct err *err) {
  *found = false;
  if (reader->first) skip_mark(reader);
  if (reader->first || reader->broken || !reader->input.data) return ERR_OK;
  size_t size;
  while (take_row(reader, &size)) {
    char *begin = (char *)reader->input.data + reader->position;
    int32_t line = reader->line;
    reader->position += size;
    reader->line += count_lines((const uint8_t *)begin, size);
    size_t content = size;
    if (begin[content - 1] == '\n') content--;
    if (content && begin[content - 1] == '\r') content--;
    if (content == 0) continue;
    if (size > reader->options.row_max) {
      return fail_at(err, ERR_LIMIT_EXCEEDED, line, 1, "a row is too long");
    }
    struct cursor cursor = {begin, begin + content, begin, line};
    row->line = line;
    int code = cut_row(reader, &cursor, row, err);
    *found = code == ERR_OK;
    return code;
  }
  if (reader->input.size - reader->position > reader->options.row_max) {
    reader->broken = true;
    return fail_at(err, ERR_LIMIT_EXCEEDED, reader->line, 1, "a row is too long");
  }
  return ERR_OK;
}

int csv_row_find(const struct csv_row *row, struct str name) {
  for (size_t i = 0; i < row->count; i++) {
    if (str_equal(row->fields[i].text, name)) return (int)i;
  }
  return -1;
}

static bool needs_quotes(struct str text) {
  if (text.size == 0) return false;
  if (text.data[0] == ' ' || text.data[0] == '\t') return true;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == ',' || c == '"' || c == '\n' || c == '\r') return true;
  }
  return false;
}

void csv_write_field(struct buffer *out, struct str text, bool first) {
  if (!first) buffer_append_byte(out, ',');
  if (!needs_quotes(text)) {
    buffer_append_str(out, text);
    return;
  }
  buffer_append_byte(out, '"');
  for (size_t at = 0; at < text.size;) {
    const char *quote = memchr(text.data + at, '"', text.size - at);
    size_t size = quote ? (size_t)(quote - text.data) + 1 - at : text.size - at;
    buffer_append(out, text.data + at, size);
    if (quote) buffer_append_byte(out, '"');
    at += size;
  }
  buffer_append_byte(out, '"');
}

void csv_write_row_end(struct buffer *out) { buffer_append_byte(out, '\n'); }
