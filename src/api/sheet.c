/* Tables of `nilo inspect`. */
#include "api/sheet.h"

#include <stdio.h>
#include <string.h>

#include "api/api_event.h"

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_BYTES };
struct cell {
  uint32_t size, kind;
  uint64_t value; /* of CELL_BYTES */
};

void sheet_init(struct sheet *sheet, const char *const *names, struct mem_account *account) {
  *sheet = (struct sheet){.names = names};
  buffer_init(&sheet->cells, account);
  while (names[sheet->columns])
    sheet->columns++;
}

void sheet_deinit(struct sheet *sheet) { buffer_deinit(&sheet->cells); }

static void add(struct sheet *sheet, enum cell_kind kind, uint64_t value, struct str text) {
  struct cell cell = {(uint32_t)text.size, kind, value};
  buffer_append(&sheet->cells, &cell, sizeof cell);
  buffer_append_str(&sheet->cells, text);
}

void sheet_text(struct sheet *sheet, struct str text) { add(sheet, CELL_TEXT, 0, text); }

void sheet_number(struct sheet *sheet, uint64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  add(sheet, CELL_NUMBER, 0, str_from(text));
}

void sheet_signed(struct sheet *sheet, int64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  add(sheet, CELL_NUMBER, 0, str_from(text));
}

void sheet_bytes(struct sheet *sheet, uint64_t value) {
  char text[32];
  add(sheet, CELL_BYTES, value, str_from(api__size_text(value, text)));
}

/* Walks the cells. */
static bool next(const struct sheet *sheet, size_t *at, struct cell *cell, struct str *text) {
  if (sheet->cells.failed || *at >= sheet->cells.size) return false;
  memcpy(cell, sheet->cells.data + *at, sizeof *cell);
  *text = str_of(sheet->cells.data + *at + sizeof *cell, cell->size);
  *at += sizeof *cell + cell->size;
  return true;
}

/* Control characters would command the terminal. */
static void append_escaped(struct buffer *out, struct str text) {
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c >= 0x20 && c != 0x7f)
      buffer_append_byte(out, c);
    else
      buffer_printf(out, "\\x%02x", c);
  }
}

/* Columns on the screen: bytes that begin a character; escapes take four. */
static size_t width_of(struct str text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    width += c < 0x20 || c == 0x7f ? 4 : (c & 0xc0) != 0x80;
  }
  return width;
}

static void pad(struct buffer *out, size_t count) {
  for (size_t i = 0; i < count; i++)
    buffer_append_byte(out, ' ');
}

static bool in_text(const struct sheet *sheet, size_t column) {
  return sheet->names[column][0] != '.';
}

static const char *name_of(const struct sheet *sheet, size_t column) {
  const char *name = sheet->names[column];
  return *name == '.' || *name == '-' ? name + 1 : name;
}

struct layout {
  size_t widths[SHEET_COLUMNS_MAX];
  bool right[SHEET_COLUMNS_MAX];
  size_t last; /* the last column that is shown */
};

static void measure(const struct sheet *sheet, struct layout *layout) {
  size_t at = 0, column = 0;
  struct cell cell;
  struct str text;
  *layout = (struct layout){.last = 0};
  for (uint32_t c = 0; c < sheet->columns; c++) {
    layout->widths[c] = strlen(name_of(sheet, c));
    if (in_text(sheet, c)) layout->last = c;
  }
  for (; next(sheet, &at, &cell, &text); column = (column + 1) % sheet->columns) {
    size_t width = width_of(text);
    if (width > layout->widths[column]) layout->widths[column] = width;
    layout->right[column] = layout->right[column] || cell.kind != CELL_TEXT;
  }
}

static void put_cell(const struct layout *layout, size_t column, struct str text,
                     struct buffer *out) {
  size_t room = layout->widths[column] - width_of(text);
  bool last = column == layout->last;
  buffer_append_text(out, "  ");
  if (layout->right[column]) pad(out, room);
  append_escaped(out, text);
  if (!layout->right[column] && !last) pad(out, room);
  if (last) buffer_append_byte(out, '\n');
}

void sheet_write_text(const struct sheet *sheet, const char *title, struct buffer *out) {
  struct layout layout;
  size_t at = 0, column = 0;
  struct cell cell;
  struct str text;
  buffer_printf(out, "%s\n", title);
  if (sheet->cells.size == 0) {
    buffer_append_text(out, "  none\n");
    return;
  }
  measure(sheet, &layout);
  for (uint32_t c = 0; c < sheet->columns; c++)
    if (in_text(sheet, c)) put_cell(&layout, c, str_from(name_of(sheet, c)), out);
  for (; next(sheet, &at, &cell, &text); column = (column + 1) % sheet->columns)
    if (in_text(sheet, column)) put_cell(&layout, column, text, out);
}

void sheet_write_json(const struct sheet *sheet, const char *title, struct json_writer *json) {
  size_t at = 0, column = 0;
  struct cell cell;
  struct str text;
  json_key(json, str_from(title));
  json_begin_array(json);
  for (; next(sheet, &at, &cell, &text); column = (column + 1) % sheet->columns) {
    if (column == 0) json_begin_object(json);
    if (sheet->names[column][0] != '-') {
      json_key(json, str_from(name_of(sheet, column)));
      if (cell.kind == CELL_TEXT)
        json_string(json, text);
      else if (cell.kind == CELL_BYTES)
        json_u64(json, cell.value);
      else
        json_raw(json, text);
    }
    if (column + 1 == sheet->columns) json_end_object(json);
  }
  json_end_array(json);
}
