/* COPY's formats, after PostgreSQL 15, "COPY", "File Formats". */
#include "query/copy_format.h"

#include <string.h>

#include "base/err.h"

void copy_reader_init(struct copy_reader *reader, const struct copy_format *format,
                      struct mem_account *account) {
  *reader = (struct copy_reader){.format = *format, .line = 1};
  buffer_init(&reader->input, account);
  buffer_init(&reader->fields, account);
  buffer_init(&reader->text, account);
}

void copy_reader_deinit(struct copy_reader *reader) {
  buffer_deinit(&reader->input);
  buffer_deinit(&reader->fields);
  buffer_deinit(&reader->text);
}

int copy_reader_feed(struct copy_reader *reader, struct str bytes, struct err *err) {
  struct buffer *input = &reader->input;
  if (reader->position) { /* what was given out makes room */
    memmove(input->data, input->data + reader->position, input->size - reader->position);
    input->size -= reader->position;
    reader->position = 0;
  }
  buffer_append_str(input, bytes);
  return buffer_check(input, err);
}

void copy_reader_finish(struct copy_reader *reader) { reader->at_end = true; }

/* ---- the end of a row ---- */

/* True with the size of the row, without its line end, and how much to go on by. */
static bool find_end(struct copy_reader *reader, size_t *size, size_t *next) {
  const struct copy_format *format = &reader->format;
  const char *bytes = (const char *)reader->input.data + reader->position;
  size_t left = reader->input.size - reader->position;
  for (; reader->scanned < left; reader->scanned++) {
    char c = bytes[reader->scanned];
    if (reader->skip) {
      reader->skip = false;
    } else if (!format->csv) {
      ; /* looked at where the line ends */
    } else if (reader->in_quotes && c == format->escape && format->escape != format->quote) {
      reader->skip = true;
    } else if (c == format->quote) {
      reader->in_quotes = !reader->in_quotes;
    }
    if (c != '\n' || reader->in_quotes) continue;
    /* A backslash before a line end makes it data, unless it is one itself. */
    size_t slashes = 0;
    while (!format->csv && slashes < reader->scanned &&
           bytes[reader->scanned - 1 - slashes] == '\\')
      slashes++;
    if (slashes % 2) continue;
    *size = reader->scanned;
    *next = reader->scanned + 1;
    if (*size && bytes[*size - 1] == '\r') --*size;
    return true;
  }
  *size = *next = left;
  return reader->at_end && left;
}

/* ---- fields ---- */

static int bad(const struct copy_reader *reader, const char *text, struct err *err) {
  err_set(err, ERR_INVALID_COPY, "%s", text);
  err_position(err, (int32_t)reader->line, 0, -1);
  return ERR_INVALID_COPY;
}

/* Fields are told by offsets into `text` while that grows. */
static bool add_field(struct copy_reader *reader, size_t from, bool null) {
  struct copy_field field = {{(const char *)(uintptr_t)from, reader->text.size - from}, null};
  return buffer_append(&reader->fields, &field, sizeof field);
}

static int octal_or_hex(const char **at, const char *end, char first, char *byte) {
  unsigned value = 0, digits = 0;
  if (first == 'x') {
    while (*at < end && digits < 2) {
      char c = **at;
      unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                       : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                       : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                              : 16;
      if (digit > 15) break;
      value = value * 16 + digit;
      ++*at;
      digits++;
    }
    if (!digits) return 0;
  } else {
    value = (unsigned)(first - '0');
    for (digits = 1; *at < end && digits < 3 && **at >= '0' && **at <= '7'; digits++)
      value = value * 8 + (unsigned)(*(*at)++ - '0');
  }
  *byte = (char)value;
  return 1;
}

static char unescape(const char **at, const char *end, char c) {
  static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
  const char *known = strchr(from, c);
  char byte;
  if (known && c) return to[known - from];
  if (((c >= '0' && c <= '7') || c == 'x') && octal_or_hex(at, end, c, &byte)) return byte;
  return c;
}

static int text_fields(struct copy_reader *reader, struct str row, struct err *err) {
  const char *at = row.data, *end = row.data + row.size;
  for (;;) {
    const char *begin = at;
    size_t from = reader->text.size;
    while (at < end && *at != reader->format.delimiter) {
      char c = *at++;
      if (c == '\\' && at < end) {
        c = *at++;
        c = unescape(&at, end, c);
      }
      buffer_append_byte(&reader->text, (uint8_t)c);
    }
    bool null = str_equal(str_of(begin, (size_t)(at - begin)), reader->format.null);
    add_field(reader, from, null);
    if (at == end) return ERR_OK;
    if (reader->fields.size / sizeof(struct copy_field) >= COPY_FIELDS_MAX)
      return bad(reader, "too many fields", err);
    at++;
  }
}

static int csv_fields(struct copy_reader *reader, struct str row, struct err *err) {
  const struct copy_format *format = &reader->format;
  const char *at = row.data, *end = row.data + row.size;
  for (;;) {
    size_t from = reader->text.size;
    bool quoted = false, inside = false;
    for (; at < end && (inside || *at != format->delimiter); at++) {
      bool more = at + 1 < end;
      if (inside && *at == format->escape && more &&
          (at[1] == format->quote || at[1] == format->escape)) {
        buffer_append_byte(&reader->text, (uint8_t) * ++at);
      } else if (*at == format->quote) {
        quoted = true;
        inside = !inside;
      } else {
        buffer_append_byte(&reader->text, (uint8_t)*at);
      }
    }
    if (inside) return bad(reader, "unterminated CSV quoted field", err);
    struct str text = str_of((const char *)reader->text.data + from, reader->text.size - from);
    add_field(reader, from, !quoted && str_equal(text, format->null));
    if (at == end) return ERR_OK;
    if (reader->fields.size / sizeof(struct copy_field) >= COPY_FIELDS_MAX)
      return bad(reader, "too many fields", err);
    at++;
  }
}

static int64_t lines_of(struct str bytes) {
  int64_t lines = 0;
  for (size_t i = 0; i < bytes.size; i++)
    lines += bytes.data[i] == '\n';
  return lines;
}

static int give(struct copy_reader *reader, struct str row, struct copy_row *out, struct err *err) {
  buffer_reset(&reader->fields);
  buffer_reset(&reader->text);
  int code = reader->format.csv ? csv_fields(reader, row, err) : text_fields(reader, row, err);
  if (!code) code = buffer_check(&reader->fields, err);
  if (!code) code = buffer_check(&reader->text, err);
  if (code) return code;
  struct copy_field *fields = (struct copy_field *)(void *)reader->fields.data;
  out->count = (uint32_t)(reader->fields.size / sizeof *fields);
  for (uint32_t i = 0; i < out->count; i++)
    fields[i].text.data = (const char *)reader->text.data + (size_t)(uintptr_t)fields[i].text.data;
  out->fields = fields;
  out->line = reader->line;
  return ERR_OK;
}

int copy_reader_next(struct copy_reader *reader, struct copy_row *out, bool *found,
                     struct err *err) {
  size_t size, next;
  *found = false;
  if (reader->done || !find_end(reader, &size, &next)) {
    if (reader->scanned <= COPY_ROW_MAX) return ERR_OK;
    err_set(err, ERR_LIMIT_EXCEEDED, "a row of more than %d bytes", COPY_ROW_MAX);
    err_position(err, (int32_t)reader->line, 0, -1);
    return ERR_LIMIT_EXCEEDED;
  }
  struct str row = str_of((const char *)reader->input.data + reader->position, size);
  struct str whole = str_of(row.data, next);
  reader->scanned = 0;
  reader->skip = reader->in_quotes = false;
  if (str_equal(row, STR("\\."))) {
    reader->done = true;
    return ERR_OK;
  }
  int code = give(reader, row, out, err);
  reader->position += next;
  reader->line += lines_of(whole);
  *found = !code;
  return code;
}

/* ---- writing ---- */

static void write_text(const struct copy_format *format, struct str text, struct buffer *out) {
  static const char from[] = "\b\f\n\r\t\v\\", to[] = "bfnrtv\\";
  for (size_t i = 0; i < text.size; i++) {
    const char *known = text.data[i] ? strchr(from, text.data[i]) : NULL;
    if (known || text.data[i] == format->delimiter) buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)(known ? to[known - from] : text.data[i]));
  }
}

static void write_csv(const struct copy_format *format, struct str text, bool first,
                      struct buffer *out) {
  bool quote = str_equal(text, format->null) || (first && str_equal(text, STR("\\.")));
  for (size_t i = 0; i < text.size && !quote; i++) {
    char c = text.data[i];
    quote = c == format->delimiter || c == format->quote || c == '\n' || c == '\r';
  }
  if (!quote) {
    buffer_append_str(out, text);
    return;
  }
  buffer_append_byte(out, (uint8_t)format->quote);
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == format->quote || text.data[i] == format->escape)
      buffer_append_byte(out, (uint8_t)format->escape);
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, (uint8_t)format->quote);
}

void copy_write_field(const struct copy_format *format, struct str text, bool null, bool first,
                      struct buffer *out) {
  if (!first) buffer_append_byte(out, (uint8_t)format->delimiter);
  if (null)
    buffer_append_str(out, format->null);
  else if (format->csv)
    write_csv(format, text, first, out);
  else
    write_text(format, text, out);
}

void copy_write_end(struct buffer *out) { buffer_append_byte(out, '\n'); }
