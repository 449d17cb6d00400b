/* Answers in CSV, as InfluxDB 1.x writes them: a header line "name,tags,<columns>" whenever the
 * columns change, an empty line between statements and before each further header, times as counts
 * (of nanoseconds unless `epoch` says otherwise), absent values empty. */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"
#include "server/answer_private.h"
#include "wire/csv.h"

/* The columns of the series at hand against those of the next one. */
static bool same_columns(const struct answer *answer, const struct query_event *event) {
  if (answer->column_count != event->column_count) return false;
  for (uint32_t i = 0; i < event->column_count; i++) {
    if (!str_equal(answer->columns[i], event->column_names[i])) return false;
  }
  return true;
}

static void write_header(struct answer *answer) {
  if (answer->headed) csv_write_row_end(answer->out);
  answer->headed = true;
  csv_write_field(answer->out, STR("name"), true);
  csv_write_field(answer->out, STR("tags"), false);
  for (uint32_t i = 0; i < answer->column_count; i++) {
    csv_write_field(answer->out, answer->columns[i], false);
  }
  csv_write_row_end(answer->out);
}

/* Line protocol's escapes inside tags. */
static void append_escaped(struct buffer *out, struct str text) {
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == ',' || c == ' ' || c == '=') buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)c);
  }
}

/* "host=a,region=b" of the series at hand, made once per piece of rows. */
static int tags_text(struct answer *answer, struct buffer *out, struct err *err) {
  for (uint32_t i = 0; i < answer->tag_count; i++) {
    if (i) buffer_append_byte(out, ',');
    append_escaped(out, answer->tags[i].name);
    buffer_append_byte(out, '=');
    append_escaped(out, answer->tags[i].value);
  }
  return buffer_check(out, err);
}

static void write_number(struct buffer *out, const struct answer *answer,
                         const struct column *column, int64_t row) {
  char *to = (char *)buffer_reserve(out, NUMBER_PLAIN_TEXT_MAX);
  if (!to) return;
  char *end = to;
  switch (column->type.physical) {
  case PHYSICAL_INT64:
    end = column->type.logical == LOGICAL_TIMESTAMP
              ? answer__put_epoch(answer->epoch, column->i64[row],
                                  (enum time_unit)column->type.parameter, to)
              : number_print_i64(column->i64[row], to);
    break;
  case PHYSICAL_UINT64:
    end = number_print_u64(column->u64[row], to);
    break;
  case PHYSICAL_FLOAT64:
    end = answer__put_decimal(column, row, to);
    if (end) break;
    end = isfinite(column->f64[row]) ? number_print_f64_plain(column->f64[row], to)
                                     : number_print_f64(column->f64[row], to);
    break;
  default:
    end = number_print_i64(column->i32[row], to);
  }
  buffer_advance(out, (size_t)(end - to));
}

static void write_cell(struct answer *answer, const struct column *column, int64_t row) {
  struct buffer *out = answer->out;
  if (!column_is_valid(column, row)) {
    buffer_append_byte(out, ',');
  } else if (column->dictionary || type_is_string(column->type)) {
    csv_write_field(out, answer__text(column, row), false);
  } else if (column->type.physical == PHYSICAL_BOOL) {
    buffer_append_text(out, bit_get(column->bits, row) ? ",true" : ",false");
  } else {
    buffer_append_byte(out, ',');
    write_number(out, answer, column, row);
  }
}

static int write_rows(struct answer *answer, const struct batch *batch, int64_t *row,
                      size_t size_max, struct err *err) {
  struct buffer tags;
  buffer_init(&tags, answer->arena.account);
  int code = tags_text(answer, &tags, err);
  while (!code && *row < batch->length && answer->out->size < size_max && !answer->out->failed) {
    csv_write_field(answer->out, answer->name, true);
    csv_write_field(answer->out, buffer_str(&tags), false);
    for (uint32_t i = 0; i < batch->column_count; i++) {
      write_cell(answer, &batch->columns[i], *row);
    }
    csv_write_row_end(answer->out);
    ++*row;
  }
  buffer_deinit(&tags);
  return code;
}

static void write_error(struct answer *answer, const struct err *error) {
  if (answer->headed) csv_write_row_end(answer->out);
  answer->headed = true;
  buffer_append_text(answer->out, "error\n");
  char text[ANSWER_ERROR_TEXT_MAX];
  csv_write_field(answer->out, answer__error_text(error, text, sizeof text), true);
  csv_write_row_end(answer->out);
}

int answer__csv_event(struct answer *answer, const struct query_event *event, int64_t *row,
                      size_t size_max, struct err *err) {
  switch (event->kind) {
  case QUERY_STATEMENT:
    answer->has_series = false;
    return ERR_OK;
  case QUERY_SERIES: {
    bool same = answer->has_series && same_columns(answer, event);
    int code = answer__keep_series(answer, event, err);
    if (code) return code;
    if (!same) write_header(answer);
    answer->has_series = true;
    return ERR_OK;
  }
  case QUERY_ROWS:
    return write_rows(answer, &event->batch, row, size_max, err);
  case QUERY_DONE:
    if (event->error.code) write_error(answer, &event->error);
    return ERR_OK;
  default:
    return ERR_OK;
  }
}
