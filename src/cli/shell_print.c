/* Cells as a table, as lines of one column each, as CSV, or as JSON. */
#include "base/text.h"
#include "cli/shell.h"
#include "wire/csv.h"
#include "wire/json.h"

/* As it is shown: without what would break the table or command the terminal. Line ends stay where
 * `lines` says so. */
static struct str shown(struct shell *shell, const struct shell_cell *cell, struct arena *arena) {
  if (cell->kind == SHELL_NULL) return buffer_str(&shell->null);
  struct str text = cell->text;
  size_t controls = 0;
  for (size_t i = 0; i < text.size; i++)
    controls += (unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f;
  char *out = controls ? arena_alloc(arena, 4 * text.size) : NULL;
  return out ? str_of(out, cli_escape(text, out)) : text;
}

static void pad(struct buffer *out, size_t count) {
  while (count--)
    buffer_append_byte(out, ' ');
}

static void rule(struct buffer *out, size_t count) {
  while (count--)
    buffer_append_text(out, "─");
}

/* ---- a table ---- */

static bool is_number_column(const struct shell_result *result, size_t column) {
  static const char *const types[] = {"smallint", "integer",          "bigint", "ubigint",
                                      "real",     "double precision", "numeric"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (str_equal(shell_type(result, column), str_from(types[i]))) return true;
  return false;
}

static void table_cell(struct buffer *out, struct str text, size_t width, bool right, bool last) {
  size_t blanks = width - cli_width(text);
  if (right) pad(out, blanks);
  buffer_append_str(out, text);
  if (!right && !last) pad(out, blanks);
  buffer_append_text(out, last ? "\n" : " │ ");
}

static int print_table(struct shell *shell, const struct shell_result *result, struct arena *arena,
                       struct buffer *out, size_t *widest, struct err *err) {
  size_t columns = result->columns, rows = shell_rows(result);
  size_t *widths = ARENA_ARRAY(arena, size_t, columns + 1);
  struct str *texts = ARENA_ARRAY(arena, struct str, columns * rows + 1);
  if (!widths || !texts) return mem_refused(arena->account, columns * rows * sizeof *texts, err);
  for (size_t c = 0; c < columns; c++)
    widths[c] = cli_width(shell_name(result, c));
  for (size_t i = 0; i < rows * columns; i++) {
    texts[i] = shown(shell, &shell_cells(result)[i], arena);
    size_t width = cli_width(texts[i]);
    if (width > widths[i % columns]) widths[i % columns] = width;
  }
  for (size_t c = 0; c < columns; c++)
    *widest += widths[c] + (c ? 3 : 0);
  for (size_t c = 0; shell->header && c < columns; c++)
    table_cell(out, shell_name(result, c), widths[c], is_number_column(result, c),
               c + 1 == columns);
  for (size_t c = 0; shell->header && c < columns; c++) {
    rule(out, widths[c]);
    buffer_append_text(out, c + 1 == columns ? "\n" : "─┼─");
  }
  for (size_t i = 0; i < rows * columns; i++)
    table_cell(out, texts[i], widths[i % columns], is_number_column(result, i % columns),
               i % columns + 1 == columns);
  if (shell->header) buffer_printf(out, "(%zu row%s)\n", rows, rows == 1 ? "" : "s");
  return ERR_OK;
}

/* ---- a line per cell ---- */

static int print_lines(struct shell *shell, const struct shell_result *result, struct arena *arena,
                       struct buffer *out, size_t *widest) {
  size_t columns = result->columns, rows = shell_rows(result), widest_name = 0;
  for (size_t c = 0; c < columns; c++) {
    size_t width = cli_width(shell_name(result, c));
    if (width > widest_name) widest_name = width;
  }
  for (size_t r = 0; r < rows; r++) {
    buffer_printf(out, "─[ RECORD %zu ]", r + 1);
    rule(out, 20);
    buffer_append_byte(out, '\n');
    for (size_t c = 0; c < columns; c++) {
      struct str text = shown(shell, &shell_cells(result)[r * columns + c], arena);
      size_t width = widest_name + 3 + cli_width(text);
      if (width > *widest) *widest = width;
      buffer_append_str(out, shell_name(result, c));
      pad(out, widest_name - cli_width(shell_name(result, c)));
      buffer_append_text(out, " │ ");
      buffer_append_str(out, text);
      buffer_append_byte(out, '\n');
    }
  }
  if (!rows) buffer_append_text(out, "(0 rows)\n");
  return ERR_OK;
}

/* ---- for programs ---- */

static void print_csv(struct shell *shell, const struct shell_result *result, struct buffer *out) {
  size_t columns = result->columns, rows = shell_rows(result);
  for (size_t c = 0; shell->header && c < columns; c++)
    csv_write_field(out, shell_name(result, c), c == 0);
  if (shell->header) csv_write_row_end(out);
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < columns; c++) {
      const struct shell_cell *cell = &shell_cells(result)[r * columns + c];
      if (cell->kind == SHELL_TEXT && !cell->text.size)
        buffer_append_text(out, c ? ",\"\"" : "\"\"");
      else
        csv_write_field(out, cell->kind == SHELL_NULL ? buffer_str(&shell->null) : cell->text,
                        c == 0);
    }
    csv_write_row_end(out);
  }
}

static void json_cell(struct buffer *out, const struct shell_cell *cell) {
  switch (cell->kind) {
  case SHELL_NULL:
    buffer_append_text(out, "null");
    break;
  case SHELL_BOOLEAN:
    buffer_append_text(out, cell->text.data[0] == 't' ? "true" : "false");
    break;
  case SHELL_TEXT:
    json_append_string(out, cell->text);
    break;
  default:
    buffer_append_str(out, cell->text);
  }
}

static void print_json(const struct shell_result *result, struct buffer *out) {
  size_t columns = result->columns, rows = shell_rows(result);
  buffer_append_byte(out, '[');
  for (size_t r = 0; r < rows; r++) {
    buffer_append_text(out, r ? ",\n {" : "{");
    for (size_t c = 0; c < columns; c++) {
      if (c) buffer_append_text(out, ", ");
      json_append_string(out, shell_name(result, c));
      buffer_append_text(out, ": ");
      json_cell(out, &shell_cells(result)[r * columns + c]);
    }
    buffer_append_byte(out, '}');
  }
  buffer_append_text(out, "]\n");
}

int shell_print(struct shell *shell, const struct shell_result *result, struct buffer *out,
                size_t *widest, struct err *err) {
  struct arena arena;
  arena_init(&arena, &shell->cli->account, 64 << 10);
  int code = ERR_OK;
  *widest = 0;
  switch (shell->format) {
  case SHELL_TABLE:
    code = shell->expanded ? print_lines(shell, result, &arena, out, widest)
                           : print_table(shell, result, &arena, out, widest, err);
    break;
  case SHELL_LINE:
    code = print_lines(shell, result, &arena, out, widest);
    break;
  case SHELL_CSV:
    print_csv(shell, result, out);
    break;
  case SHELL_JSON:
    print_json(result, out);
    break;
  }
  if (!code) code = buffer_check(out, err);
  arena_deinit(&arena);
  return code;
}
