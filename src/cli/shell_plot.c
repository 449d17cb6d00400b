/* A chart of numbers over times, in Unicode's braille: a character is 2 by 4 dots (U+2800 and the
 * dots as bits). Several series stand above each other, each with its own axis, as their units
 * differ. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/shell.h"

enum { LABEL = 11, SERIES_MAX = 8 };

struct canvas {
  uint8_t *dots; /* braille bits per character */
  size_t width, height;
};

static void dot(struct canvas *canvas, size_t x, size_t y) {
  static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
  if (x / 2 < canvas->width && y / 4 < canvas->height)
    canvas->dots[y / 4 * canvas->width + x / 2] |= bits[y % 4][x % 2];
}

static void line(struct canvas *canvas, double x0, double y0, double x1, double y1) {
  double steps = fmax(fabs(x1 - x0), fabs(y1 - y0));
  size_t count = (size_t)ceil(steps) + 1;
  for (size_t i = 0; i <= count; i++) {
    double part = (double)i / (double)count;
    dot(canvas, (size_t)lround(x0 + (x1 - x0) * part), (size_t)lround(y0 + (y1 - y0) * part));
  }
}

static bool number_of(const struct shell_cell *cell, double *value) {
  char text[64], *end;
  if (cell->kind == SHELL_NULL || !cell->text.size || cell->text.size >= sizeof text) return false;
  memcpy(text, cell->text.data, cell->text.size);
  text[cell->text.size] = 0;
  *value = strtod(text, &end);
  return *end == 0 && isfinite(*value);
}

/* "2026-01-02 03:04:05.678+01" as seconds; the zone's offset is that of the first, roughly. */
static bool time_of(const struct shell_cell *cell, double *value) {
  int year, month, day, hour = 0, minute = 0, used = 0;
  double second = 0;
  char text[64];
  if (cell->kind != SHELL_TEXT || cell->text.size >= sizeof text || cell->text.size < 10)
    return false;
  memcpy(text, cell->text.data, cell->text.size);
  text[cell->text.size] = 0;
  if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3) return false;
  if (text[used]) sscanf(text + used + 1, "%2d:%2d:%lf", &hour, &minute, &second);
  /* Days from civil, with years that begin in March. */
  int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
  int64_t of_era = y - era * 400,
          of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  *value = (double)days * 86400 + hour * 3600 + minute * 60 + second;
  return true;
}

static bool is_time_type(struct str type) {
  return str_starts_with(type, STR("timestamp")) || str_equal(type, STR("date"));
}

static bool is_number_type(struct str type) {
  static const char *const types[] = {"smallint", "integer",          "bigint", "ubigint",
                                      "real",     "double precision", "numeric"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (str_equal(type, str_from(types[i]))) return true;
  return false;
}

/* What is drawn. */
struct plot {
  const struct shell_result *result;
  double *x; /* per row; NAN: none */
  size_t x_column, rows;
  double x_min, x_max;
  struct str first, last; /* texts of the ends of the axis */
  struct canvas canvas;
  struct buffer *out;
};

static int choose_x(struct plot *plot, struct err *err) {
  const struct shell_result *result = plot->result;
  size_t column = 0;
  while (column < result->columns && !is_time_type(shell_type(result, column)))
    column++;
  bool times = column < result->columns;
  if (!times) column = 0;
  plot->x_column = column;
  plot->x_min = INFINITY;
  plot->x_max = -INFINITY;
  for (size_t r = 0; r < plot->rows; r++) {
    const struct shell_cell *cell = &shell_cells(result)[r * result->columns + column];
    double value;
    bool known = times ? time_of(cell, &value) : number_of(cell, &value);
    plot->x[r] = known ? value : NAN;
    if (!known) continue;
    if (value < plot->x_min) {
      plot->x_min = value;
      plot->first = cell->text;
    }
    if (value > plot->x_max) {
      plot->x_max = value;
      plot->last = cell->text;
    }
  }
  if (plot->x_min <= plot->x_max) return ERR_OK;
  err_set(err, ERR_INVALID_ARGUMENT, "nothing to plot: the answer has no column of times");
  err_hint(err, "Select a time and one or more numbers.");
  return ERR_INVALID_ARGUMENT;
}

static void print_row(struct plot *plot, size_t row, double low, double high) {
  char label[32] = "";
  const struct canvas *canvas = &plot->canvas;
  bool ends = row == 0 || row + 1 == canvas->height, middle = row == canvas->height / 2;
  if (ends || middle) {
    double share = canvas->height > 1 ? (double)row / (double)(canvas->height - 1) : 0;
    snprintf(label, sizeof label, "%.6g", high - (high - low) * share);
  }
  buffer_printf(plot->out, "%*s %s", LABEL - 1, label, ends || middle ? "┤" : "│");
  size_t end = canvas->width;
  while (end > 0 && !canvas->dots[row * canvas->width + end - 1])
    end--;
  for (size_t c = 0; c < end; c++) {
    uint8_t bits = canvas->dots[row * canvas->width + c];
    char character[4];
    size_t size = text_utf8_encode(0x2800u + bits, character);
    buffer_append(plot->out, bits ? character : " ", bits ? size : 1);
  }
  buffer_append_byte(plot->out, '\n');
}

static void print_axis(struct plot *plot) {
  size_t width = plot->canvas.width;
  buffer_printf(plot->out, "%*s└", LABEL, "");
  for (size_t c = 0; c < width; c++)
    buffer_append_text(plot->out, "─");
  buffer_append_byte(plot->out, '\n');
  size_t first = cli_width(plot->first), last = cli_width(plot->last);
  buffer_printf(plot->out, "%*s%.*s", LABEL + 1, "", STR_ARG(plot->first));
  if (first + last + 2 <= width)
    buffer_printf(plot->out, "%*s%.*s", (int)(width - first - last), "", STR_ARG(plot->last));
  else
    buffer_printf(plot->out, " … %.*s", STR_ARG(plot->last));
  buffer_append_byte(plot->out, '\n');
}

static bool plot_series(struct plot *plot, size_t column) {
  const struct shell_result *result = plot->result;
  struct canvas *canvas = &plot->canvas;
  double low = INFINITY, high = -INFINITY, value;
  for (size_t r = 0; r < plot->rows; r++) {
    const struct shell_cell *cell = &shell_cells(result)[r * result->columns + column];
    if (isnan(plot->x[r]) || !number_of(cell, &value)) continue;
    low = fmin(low, value);
    high = fmax(high, value);
  }
  if (low > high) return false;
  if (low == high) {
    double room = low == 0 ? 1 : fabs(low) / 10;
    low -= room;
    high += room;
  }
  memset(canvas->dots, 0, canvas->width * canvas->height);
  double span = plot->x_max > plot->x_min ? plot->x_max - plot->x_min : 1;
  double wide = (double)(2 * canvas->width - 1), tall = (double)(4 * canvas->height - 1);
  double last_x = NAN, last_y = 0;
  for (size_t r = 0; r < plot->rows; r++) {
    const struct shell_cell *cell = &shell_cells(result)[r * result->columns + column];
    bool known = !isnan(plot->x[r]) && number_of(cell, &value);
    double x = known ? (plot->x[r] - plot->x_min) / span * wide : NAN;
    double y = known ? (high - value) / (high - low) * tall : 0;
    if (known && !isnan(last_x) && x >= last_x)
      line(canvas, last_x, last_y, x, y);
    else if (known)
      dot(canvas, (size_t)lround(x), (size_t)lround(y));
    last_x = x; /* a null leaves a gap, a step back begins another series */
    last_y = y;
  }
  buffer_printf(plot->out, "%*s %.*s\n", LABEL, "", STR_ARG(shell_name(result, column)));
  for (size_t row = 0; row < canvas->height; row++)
    print_row(plot, row, low, high);
  print_axis(plot);
  return true;
}

int shell_plot(const struct shell_result *result, struct arena *arena, size_t width, size_t height,
               struct buffer *out, struct err *err) {
  struct plot plot = {.result = result, .rows = shell_rows(result), .out = out};
  plot.canvas.width = width > LABEL + 12 ? width - LABEL - 2 : 10;
  plot.canvas.height = height > 7 ? height - 3 : 4;
  plot.x = ARENA_ARRAY(arena, double, plot.rows + 1);
  plot.canvas.dots = ARENA_ARRAY(arena, uint8_t, plot.canvas.width * plot.canvas.height);
  if (!plot.x || !plot.canvas.dots) return mem_refused(arena->account, plot.rows * 8, err);
  int code = choose_x(&plot, err);
  if (code) return code;
  size_t drawn = 0;
  for (size_t c = 0; c < result->columns && drawn < SERIES_MAX; c++)
    if (c != plot.x_column && is_number_type(shell_type(result, c))) drawn += plot_series(&plot, c);
  if (drawn) return buffer_check(out, err);
  err_set(err, ERR_INVALID_ARGUMENT, "nothing to plot: the answer has no column of numbers");
  err_hint(err, "Select a time and one or more numbers.");
  return ERR_INVALID_ARGUMENT;
}
