/* Cells of JSON, column by column.
 *
 * Rows are written from cells that are made a few rows ahead, of one column at a time: what a
 * column is, is asked once, its loop does one thing, and the texts of neighbours, which know
 * nothing of each other, are made side by side. A cell is a slot of fixed size with its text and
 * the comma behind it, so that a row is put together in copies of fixed size. A block of cells
 * stays in the first cache.
 *
 * Floats that are known to be decimals (`decimals`, columnar/column.h) are printed from their
 * integers. */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"
#include "base/time_zone.h"
#include "server/answer_private.h"

_Static_assert((int)NUMBER_TEXT_MAX < (int)ANSWER_CELL_MAX &&
                   (int)TIME_TEXT_MAX + 3 <= (int)ANSWER_CELL_MAX,
               "cells fit");

/* ---- times ---- */

static char *put_two(char *to, uint32_t value) {
  to[0] = (char)('0' + value / 10);
  to[1] = (char)('0' + value % 10);
  return to + 2;
}

/* Makes the hour of a whole second the one at hand; false: its text is not of the usual form. */
static bool begin_hour(struct answer *answer, int64_t value, enum time_unit unit,
                       int64_t per_second) {
  char text[TIME_TEXT_MAX];
  int64_t second = value / per_second;
  if (answer->zone || value % per_second || second < 0 || second >= INT64_C(253402300800))
    return false;
  answer->hour = value - second % 3600 * per_second;
  answer->hour_second = per_second;
  time_format(answer->hour, unit, text);
  memcpy(answer->hour_text, text, sizeof answer->hour_text);
  return true;
}

/* "2016-01-01T00:00:10Z" in quotes. The text up to the hour is kept; fractions of seconds and years
 * that have not four digits go the general way. */
static char *put_time(struct answer *answer, int64_t value, enum time_unit unit, char *to) {
  int64_t per_second = NS_PER_SECOND / time_unit_ns(unit);
  *to++ = '"';
  for (int again = 0; again < 2; again++) {
    uint64_t since = (uint64_t)value - (uint64_t)answer->hour;
    if (!answer->zone && answer->hour_second == per_second && since < 3600 * (uint64_t)per_second) {
      uint32_t second = (uint32_t)((double)(int64_t)since / (double)per_second);
      if (second * (uint64_t)per_second != since) break;
      memcpy(to, answer->hour_text, sizeof answer->hour_text); /* "2016-01-01T00:" */
      to = put_two(to + sizeof answer->hour_text, second / 60);
      *to++ = ':';
      to = put_two(to, second % 60);
      memcpy(to, "Z\"", 2);
      return to + 2;
    }
    if (again || !begin_hour(answer, value, unit, per_second)) break;
  }
  to += answer->zone ? time_format_zoned(value, unit, answer->zone, to)
                     : time_format(value, unit, to);
  *to++ = '"';
  return to;
}

/* ---- one cell ---- */

static char *put_word(char *to, const char *word, size_t size) {
  memcpy(to, word, size);
  return to + size;
}

static char *put_i64(struct answer *answer, const struct column *column, int64_t row, char *to) {
  if (column->type.logical != LOGICAL_TIMESTAMP) return number_print_i64(column->i64[row], to);
  enum time_unit unit = (enum time_unit)column->type.parameter;
  if (answer->epoch == ANSWER_RFC3339) return put_time(answer, column->i64[row], unit, to);
  return answer__put_epoch(answer->epoch, column->i64[row], unit, to);
}

static inline bool has_integers(const struct column *column) {
  return column->decimals && column->decimals <= NUMBER_PLACES_MAX + 1;
}

static inline bool is_short(int64_t m) {
  return m >= -NUMBER_DECIMAL_MAX && m <= NUMBER_DECIMAL_MAX;
}

char *answer__put_decimal(const struct column *column, int64_t row, char *to) {
  if (!has_integers(column)) return NULL;
  unsigned places = column->decimals - 1u;
  int64_t m = number_decimal_of(column->f64[row], number_pow10_f64[places]);
  return is_short(m) ? number_print_decimal(m, places, to) : NULL;
}

static char *put_f64(const struct column *column, int64_t row, char *to) {
  char *end = answer__put_decimal(column, row, to);
  if (end) return end;
  if (!isfinite(column->f64[row])) return put_word(to, "null", 4); /* JSON has no word for it */
  return number_print_f64(column->f64[row], to);
}

char *answer__put_cell(struct answer *answer, const struct column *column, int64_t row, char *to) {
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    return bit_get(column->bits, row) ? put_word(to, "true", 4) : put_word(to, "false", 5);
  case PHYSICAL_INT64:
    return put_i64(answer, column, row, to);
  case PHYSICAL_UINT64:
    return number_print_u64(column->u64[row], to);
  case PHYSICAL_FLOAT64:
    return put_f64(column, row, to);
  default:
    return number_print_i64(column->i32[row], to);
  }
}

/* ---- the cells of a column ---- */

static inline uint8_t end_cell(const char *text, char *end) {
  *end = ',';
  return (uint8_t)(end + 1 - text);
}

/* Up to four digits, the comma behind them: made as four, and those in front that are zero shifted
 * out. */
static inline uint8_t put_four(uint32_t n, char *text) {
  uint32_t hundreds = n * 5243 >> 19, twos = (n - 100 * hundreds) << 16 | hundreds;
  uint32_t tens = (twos * 103 >> 10) & 0x000f000f, digits = (twos - 10 * tens) << 8 | tens;
  unsigned zeros = (unsigned)__builtin_ctz(digits | 1u << 24) & 0x18; /* keeps one digit */
  uint64_t word = ((uint64_t)',' << 32 | digits | 0x30303030) >> zeros;
  memcpy(text, &word, 8);
  return (uint8_t)(5 - (zeros >> 3));
}

static void fill_integers(const int64_t *values, uint32_t count, struct answer_cell *cells,
                          uint8_t *sizes) {
  bool large = false;
  for (uint32_t i = 0; i < count; i++)
    large |= (uint64_t)values[i] > 9999;
  for (uint32_t i = 0; i < count && !large; i++)
    sizes[i] = put_four((uint32_t)values[i], cells[i].text);
  for (uint32_t i = 0; i < count && large; i++)
    sizes[i] = end_cell(cells[i].text, number_print_i64(values[i], cells[i].text));
}

static void fill_decimals(const double *values, uint32_t count, unsigned places,
                          struct answer_cell *cells, uint8_t *sizes) {
  int64_t integers[ANSWER_CELL_ROWS];
  double power = number_pow10_f64[places];
  for (uint32_t i = 0; i < count; i++)
    integers[i] = number_decimal_of(values[i], power);
  for (uint32_t i = 0; i < count; i++) {
    int64_t m = integers[i];
    char *end = is_short(m) ? number_print_decimal(m, places, cells[i].text)
                            : number_print_f64(values[i], cells[i].text);
    sizes[i] = end_cell(cells[i].text, end);
  }
}

static void fill_times(struct answer *answer, const struct column *column, int64_t row,
                       uint32_t count, struct answer_cell *cells, uint8_t *sizes) {
  enum time_unit unit = (enum time_unit)column->type.parameter;
  const int64_t *values = column->i64 + row;
  for (uint32_t i = 0; i < count; i++)
    sizes[i] = end_cell(cells[i].text, put_time(answer, values[i], unit, cells[i].text));
}

static void fill_others(struct answer *answer, const struct column *column, int64_t row,
                        uint32_t count, struct answer_cell *cells, uint8_t *sizes) {
  for (uint32_t i = 0; i < count; i++)
    sizes[i] = end_cell(cells[i].text, answer__put_cell(answer, column, row + i, cells[i].text));
}

static void fill_column(struct answer *answer, const struct column *column, int64_t row,
                        uint32_t count, struct answer_cell *cells, uint8_t *sizes) {
  uint8_t physical = column->type.physical;
  if (column->dictionary || type_is_string(column->type)) {
    memset(sizes, 0, count);
  } else if (physical == PHYSICAL_INT64 && column->type.logical != LOGICAL_TIMESTAMP) {
    fill_integers(column->i64 + row, count, cells, sizes);
  } else if (physical == PHYSICAL_INT64 && answer->epoch == ANSWER_RFC3339) {
    fill_times(answer, column, row, count, cells, sizes);
  } else if (physical == PHYSICAL_FLOAT64 && has_integers(column)) {
    fill_decimals(column->f64 + row, count, column->decimals - 1u, cells, sizes);
  } else {
    fill_others(answer, column, row, count, cells, sizes);
  }
  for (uint32_t i = 0; column->validity && i < count; i++)
    if (!bit_get(column->validity, row + i))
      sizes[i] = end_cell(cells[i].text, put_word(cells[i].text, "null", 4));
}

/* ---- a block ---- */

/* Cells that are made at once, as far as columns allow: two thirds of a first cache. */
enum { CELLS = 384 };

static size_t cells_size(uint32_t capacity) {
  return capacity * (sizeof(struct answer_cell) + sizeof(uint8_t));
}

void answer__cells_deinit(struct answer *answer) {
  mem_free(answer->arena.account, answer->cells, cells_size(answer->cell_capacity));
  answer->cells = NULL;
  answer->cell_capacity = 0;
}

int answer__fill_cells(struct answer *answer, const struct batch *batch, int64_t row,
                       int64_t wanted, uint32_t *count, struct err *err) {
  uint32_t columns = batch->column_count ? batch->column_count : 1;
  if (columns > answer->cell_capacity) {
    uint32_t capacity = columns > CELLS ? columns : CELLS;
    answer__cells_deinit(answer);
    answer->cells = mem_alloc(answer->arena.account, cells_size(capacity));
    if (!answer->cells) return mem_refused(answer->arena.account, cells_size(capacity), err);
    answer->cell_capacity = capacity;
    answer->cell_sizes = (uint8_t *)(answer->cells + capacity);
  }
  int64_t rows = batch->length - row;
  if (rows > wanted) rows = wanted;
  if (rows > ANSWER_CELL_ROWS) rows = ANSWER_CELL_ROWS;
  if (rows > answer->cell_capacity / columns) rows = answer->cell_capacity / columns;
  *count = (uint32_t)rows;
  for (uint32_t c = 0; c < batch->column_count; c++)
    fill_column(answer, &batch->columns[c], row, *count, answer->cells + (size_t)c * *count,
                answer->cell_sizes + (size_t)c * *count);
  return ERR_OK;
}
