/* InfluxDB's JSON as aligned tables: numbers to the right, everything else to the left; a series'
 * tags above its table. Or as CSV, with times as JSON has them. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/cli_private.h"
#include "wire/csv.h"
#include "wire/json.h"

struct cell {
  struct str text;
  bool number;
};
struct table {
  struct arena arena;
  struct json_reader reader;
  struct buffer cells;      /* struct cell, row by row, the header first */
  struct buffer name, tags; /* tags: "host=a, region=b" */
  struct buffer header;     /* CSV: the last header line */
  size_t columns;
  enum cli_format format;
  bool failed, printed;
  struct cli *cli;
};

static int next(struct table *table, struct json_token *token, struct err *err) {
  return json_reader_next(&table->reader, token, err);
}

/* Control characters would break the table, or command the terminal: \n, \t, \x1b. */
static struct str printable(struct table *table, struct str text) {
  size_t controls = 0;
  for (size_t i = 0; i < text.size; i++)
    controls += (unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f;
  char *out = controls ? arena_alloc(&table->arena, 4 * text.size) : NULL;
  if (!out) return text;
  return str_of(out, cli_escape(text, out));
}

static void add_cell(struct table *table, struct str text, bool number) {
  struct cell cell = {table->format == CLI_TABLE ? printable(table, text) : text, number};
  buffer_append(&table->cells, &cell, sizeof cell);
}

/* Where characters take two columns of a terminal, or none: the blocks of Unicode's East Asian
 * Width (UAX #11) that are wide, and the common combining and invisible ones. */
static const struct width_range {
  uint32_t from, to;
  size_t width;
} width_ranges[] = {
    {0x300, 0x36f, 0},     {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},   {0x20d0, 0x20ff, 0},
    {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
    {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},
    {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
};

size_t cli_width(struct str text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size;) {
    unsigned char c = (unsigned char)text.data[i++];
    uint32_t point = c < 0xc0 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;
    for (int more = c < 0xc0   ? 0
                    : c < 0xe0 ? 1
                    : c < 0xf0 ? 2
                               : 3;
         more && i < text.size && (text.data[i] & 0xc0) == 0x80; more--)
      point = point << 6 | (text.data[i++] & 0x3f);
    size_t columns = 1;
    for (size_t r = 0; point >= 0x300 && r < sizeof width_ranges / sizeof *width_ranges; r++)
      if (point >= width_ranges[r].from && point <= width_ranges[r].to)
        columns = width_ranges[r].width;
    width += columns;
  }
  return width;
}

static void print_cell(struct cell cell, size_t width, bool right, bool last) {
  size_t pad = width - cli_width(cell.text);
  if (right && !(last && cell.text.size == 0)) printf("%*s", (int)pad, "");
  printf("%.*s", STR_ARG(cell.text));
  if (!right && !last) printf("%*s", (int)pad, "");
  fputs(last ? "\n" : "  ", stdout);
}

/* One row behind the texts in front of it. */
static void csv_row(struct buffer *out, const struct cell *cells, size_t columns) {
  for (size_t c = 0; c < columns; c++)
    csv_write_field(out, cells[c].text, false);
  csv_write_row_end(out);
}

static int print_csv(struct table *table, const struct cell *cells, size_t rows, struct err *err) {
  struct buffer out;
  buffer_init(&out, &table->cli->account);
  buffer_append_text(&out, "name,tags");
  csv_row(&out, cells, table->columns);
  if (str_equal(buffer_str(&out), buffer_str(&table->header))) {
    buffer_reset(&out);
  } else {
    buffer_reset(&table->header);
    buffer_append_str(&table->header, buffer_str(&out));
    if (table->printed) putchar('\n');
  }
  table->printed = true;
  for (size_t r = 1; r < rows; r++) {
    csv_write_field(&out, buffer_str(&table->name), true);
    csv_write_field(&out, buffer_str(&table->tags), false);
    csv_row(&out, cells + r * table->columns, table->columns);
  }
  int code = buffer_check(&out, err);
  if (!code) fwrite(out.data, 1, out.size, stdout);
  buffer_deinit(&out);
  return code;
}

static int print(struct table *table, struct err *err) {
  int code = buffer_check(&table->cells, err);
  size_t columns = table->columns,
         rows = columns ? table->cells.size / sizeof(struct cell) / columns : 0;
  if (code || rows == 0 || table->format == CLI_JSON) return code;
  const struct cell *cells = (const struct cell *)(const void *)table->cells.data;
  if (table->format == CLI_CSV) return print_csv(table, cells, rows, err);
  size_t *widths = ARENA_ARRAY(&table->arena, size_t, columns);
  bool *numbers = ARENA_ARRAY(&table->arena, bool, columns);
  if (!widths || !numbers) return mem_refused(&table->cli->account, columns * sizeof *widths, err);
  for (size_t c = 0; c < columns; c++) {
    numbers[c] = rows > 1;
    for (size_t r = 0; r < rows; r++) {
      size_t width = cli_width(cells[r * columns + c].text);
      if (width > widths[c]) widths[c] = width;
      if (r && !cells[r * columns + c].number && cells[r * columns + c].text.size)
        numbers[c] = false;
    }
  }
  if (table->printed) putchar('\n');
  table->printed = true;
  if (table->name.size + table->tags.size)
    printf("%.*s%s%.*s\n", (int)table->name.size, (const char *)table->name.data,
           table->tags.size ? ": " : "", (int)table->tags.size, (const char *)table->tags.data);
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < columns; c++)
      print_cell(cells[r * columns + c], widths[c], numbers[c], c + 1 == columns);
    for (size_t c = 0; r == 0 && c < columns; c++) {
      for (size_t w = 0; w < widths[c]; w++)
        fputs("─", stdout);
      fputs(c + 1 == columns ? "\n" : "  ", stdout);
    }
  }
  return ERR_OK;
}

/* [a, b, …] of scalars as cells; *count of them. */
static int read_cells(struct table *table, size_t *count, struct err *err) {
  struct json_token token;
  *count = 0;
  for (;;) {
    int code = next(table, &token, err);
    if (code || token.kind == JSON_END_ARRAY) return code;
    static const struct str words[] = {[JSON_TRUE] = {"true", 4}, [JSON_FALSE] = {"false", 5}};
    if (token.kind == JSON_NUMBER || token.kind == JSON_STRING)
      add_cell(table, token.text, token.kind == JSON_NUMBER);
    else
      add_cell(table,
               token.kind == JSON_TRUE || token.kind == JSON_FALSE ? words[token.kind]
                                                                   : (struct str){"", 0},
               false);
    ++*count;
  }
}

static int read_tags(struct table *table, struct err *err) {
  struct json_token token;
  const char *between = table->format == CLI_CSV ? "," : ", ";
  for (;;) {
    int code = next(table, &token, err);
    if (code || token.kind == JSON_END_OBJECT) return code;
    buffer_append_text(&table->tags, table->tags.size ? between : "");
    buffer_append_str(&table->tags, token.text);
    buffer_append_byte(&table->tags, '=');
    code = next(table, &token, err);
    if (code) return code;
    buffer_append_str(&table->tags, printable(table, token.text));
  }
}

static int read_values(struct table *table, struct err *err) {
  struct json_token token;
  for (;;) {
    int code = next(table, &token, err);
    if (code || token.kind == JSON_END_ARRAY) return code;
    size_t count;
    code = read_cells(table, &count, err);
    if (!code && count != table->columns)
      return err_set(err, ERR_PARSE, "the answer has rows of different lengths");
    if (code) return code;
  }
}

static int read_series(struct table *table, struct err *err) {
  struct json_token token;
  buffer_reset(&table->cells);
  buffer_reset(&table->name);
  buffer_reset(&table->tags);
  table->columns = 0;
  for (;;) {
    int code = next(table, &token, err);
    if (code) return code;
    if (token.kind == JSON_END_OBJECT) return print(table, err);
    struct str key = token.text;
    code = next(table, &token, err);
    if (!code && str_equal(key, STR("name")))
      buffer_append_str(&table->name, printable(table, token.text));
    else if (!code && str_equal(key, STR("tags")))
      code = read_tags(table, err);
    else if (!code && str_equal(key, STR("columns")))
      code = read_cells(table, &table->columns, err);
    else if (!code && str_equal(key, STR("values")))
      code = read_values(table, err);
    else if (!code)
      code = json_reader_skip(&table->reader, &token, err);
    if (code) return code;
  }
}

int cli_print_answer(struct cli *cli, struct str json, enum cli_format format, bool *failed,
                     struct err *err) {
  struct table table = {.cli = cli, .format = format};
  if (format == CLI_JSON) fwrite(json.data, 1, json.size, stdout);
  arena_init(&table.arena, &cli->account, 64 << 10);
  buffer_init(&table.cells, &cli->account);
  buffer_init(&table.name, &cli->account);
  buffer_init(&table.tags, &cli->account);
  buffer_init(&table.header, &cli->account);
  json_reader_init(&table.reader, json, &table.arena, 0);
  int code = ERR_OK;
  bool in_series = false;
  for (struct json_token token; !code;) {
    code = next(&table, &token, err);
    if (code || token.kind == JSON_END) break;
    if (token.kind == JSON_KEY && str_equal(token.text, STR("error"))) {
      code = next(&table, &token, err);
      if (!code) cli_complain("", token.text);
      table.failed = true;
    } else if (!in_series && token.kind == JSON_KEY && str_equal(token.text, STR("text"))) {
      code = next(&table, &token, err); /* of a message, which warns */
      if (!code) cli_complain("warning: ", token.text);
    } else if (token.kind == JSON_KEY && str_equal(token.text, STR("series"))) {
      code = next(&table, &token, err);
      in_series = true;
    } else if (in_series && token.kind == JSON_BEGIN_OBJECT) {
      code = read_series(&table, err);
    } else if (in_series && token.kind == JSON_END_ARRAY) {
      in_series = false;
    }
  }
  *failed = table.failed;
  buffer_deinit(&table.header);
  buffer_deinit(&table.tags);
  buffer_deinit(&table.name);
  buffer_deinit(&table.cells);
  arena_deinit(&table.arena);
  return code;
}
