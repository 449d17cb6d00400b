/* Rows as JSON, NDJSON and CSV.
 *
 * Cells are written into space that was reserved for the widest number; texts are appended by
 * themselves. Times are RFC 3339 in the session's zone, as JSON's readers expect. */
#include "server/rows_answer.h"

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/time_zone.h"
#include "columnar/arrow_ipc.h"
#include "wire/csv.h"

bool rows_format_parse(struct str text, enum rows_format *format) {
  static const char *const names[] = {"json", "ndjson", "csv", "arrow"};
  *format = ROWS_JSON;
  if (!text.size) return true;
  for (int i = 0; i < 4; i++) {
    if (!str_equal_ignoring_case(text, str_from(names[i]))) continue;
    *format = (enum rows_format)i;
    return true;
  }
  return false;
}

const char *rows_format_media_type(enum rows_format format) {
  return format == ROWS_CSV      ? "text/csv; charset=utf-8"
         : format == ROWS_NDJSON ? "application/x-ndjson"
         : format == ROWS_ARROW  ? "application/vnd.apache.arrow.stream"
                                 : "application/json";
}

enum query_form rows_format_form(enum rows_format format) {
  return format == ROWS_CSV     ? QUERY_FORM_TEXT
         : format == ROWS_ARROW ? QUERY_FORM_ARROW
                                : QUERY_FORM_JSON;
}

void rows_answer_init(struct rows_answer *answer, enum rows_format format, struct buffer *out,
                      struct mem_account *account) {
  *answer = (struct rows_answer){.out = out, .format = format};
  arena_init(&answer->arena, account, 2048);
  buffer_init(&answer->messages, account);
  json_writer_init(&answer->json, out, false);
}

void rows_answer_deinit(struct rows_answer *answer) {
  arena_deinit(&answer->arena);
  buffer_deinit(&answer->messages);
}

void rows_answer_begin(struct rows_answer *answer) {
  if (answer->format != ROWS_JSON) return;
  json_begin_object(&answer->json);
  json_key(&answer->json, STR("results"));
  json_begin_array(&answer->json);
}

void rows_answer_end(struct rows_answer *answer) {
  if (answer->format != ROWS_JSON) return;
  json_end_array(&answer->json);
  json_end_object(&answer->json);
  buffer_append_byte(answer->out, '\n');
}

/* ---- errors ---- */

static void put_member(struct json_writer *json, struct str name, const char *text) {
  if (!text[0]) return;
  json_key(json, name);
  json_string(json, str_from(text));
}

void rows_answer_error(struct json_writer *json, const struct err *err) {
  const struct err_info *info = err_info(err->code);
  json_begin_object(json);
  put_member(json, STR("code"), info->sqlstate);
  put_member(json, STR("message"), err->message[0] ? err->message : info->text);
  if (err->line) {
    json_key(json, STR("line"));
    json_i64(json, err->line);
    json_key(json, STR("column"));
    json_i64(json, err->column);
  }
  put_member(json, STR("detail"), err->detail);
  put_member(json, STR("hint"), err->hint);
  json_end_object(json);
}

static void csv_error(struct rows_answer *answer, const struct err *err) {
  const struct err_info *info = err_info(err->code);
  csv_write_field(answer->out, STR("error"), true);
  csv_write_field(answer->out, str_from(info->sqlstate), false);
  csv_write_field(answer->out, str_from(err->message[0] ? err->message : info->text), false);
  csv_write_row_end(answer->out);
}

/* ---- values ---- */

static struct str text_of(const struct column *column, int64_t row) {
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

static void put_number(struct buffer *out, const struct column *column, int64_t row) {
  char *to = (char *)buffer_reserve(out, NUMBER_PLAIN_TEXT_MAX);
  char *end = to;
  if (!to) return;
  if (column->type.physical == PHYSICAL_INT64)
    end = number_print_i64(column->i64[row], to);
  else if (column->type.physical == PHYSICAL_UINT64)
    end = number_print_u64(column->u64[row], to);
  else
    end = number_print_f64(column->f64[row], to);
  buffer_advance(out, (size_t)(end - to));
}

static void put_time(struct rows_answer *answer, const struct column *column, int64_t row) {
  char text[TIME_TEXT_MAX];
  enum time_unit unit = (enum time_unit)column->type.parameter;
  int size = answer->zone ? time_format_zoned(column->i64[row], unit, answer->zone, text)
                          : time_format(column->i64[row], unit, text);
  buffer_append_byte(answer->out, '"');
  buffer_append(answer->out, text, (size_t)size);
  buffer_append_byte(answer->out, '"');
}

/* JSON as it came, on one line: outside of strings a line end is a blank, inside there is none. */
static void put_raw(struct buffer *out, struct str text) {
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    buffer_append_byte(out, (uint8_t)(c == '\n' || c == '\r' ? ' ' : c));
  }
}

/* `type`: what the value was before it took the form of the answer. */
static void put_json(struct rows_answer *answer, const struct column *column, struct type type,
                     int64_t row) {
  struct buffer *out = answer->out;
  if (!column_is_valid(column, row)) {
    buffer_append_text(out, "null");
  } else if (column->dictionary || type_is_string(column->type)) {
    struct str text = text_of(column, row);
    bool is_number = type.logical == LOGICAL_DECIMAL && text.size && text.data[0] != 'N' &&
                     text.data[text.size - 1] != 'y'; /* NaN, Infinity */
    if (type.logical == LOGICAL_JSON)
      put_raw(out, text);
    else if (is_number)
      buffer_append_str(out, text);
    else
      json_append_string(out, text);
  } else if (column->type.physical == PHYSICAL_BOOL) {
    buffer_append_text(out, bit_get(column->bits, row) ? "true" : "false");
  } else if (column->type.logical == LOGICAL_TIMESTAMP) {
    put_time(answer, column, row);
  } else if (column->type.physical == PHYSICAL_FLOAT64 && !isfinite(column->f64[row])) {
    buffer_append_text(out, "null");
  } else {
    put_number(out, column, row);
  }
}

static void put_csv(struct rows_answer *answer, const struct column *column, int64_t row,
                    bool first) {
  if (!column_is_valid(column, row)) {
    if (!first) buffer_append_byte(answer->out, ',');
    return;
  }
  struct str text = text_of(column, row);
  csv_write_field(answer->out, text, first);
  if (!text.size) buffer_append_text(answer->out, "\"\"");
}

/* ---- rows ---- */

static void json_row(struct rows_answer *answer, const struct batch *batch, int64_t row) {
  json_element(&answer->json);
  buffer_append_byte(answer->out, '[');
  for (uint32_t i = 0; i < batch->column_count; i++) {
    if (i) buffer_append_byte(answer->out, ',');
    put_json(answer, &batch->columns[i], answer->types[i], row);
  }
  buffer_append_byte(answer->out, ']');
}

static void ndjson_row(struct rows_answer *answer, const struct batch *batch, int64_t row) {
  buffer_append_byte(answer->out, '{');
  for (uint32_t i = 0; i < batch->column_count; i++) {
    if (i) buffer_append_byte(answer->out, ',');
    json_append_string(answer->out, answer->names[i]);
    buffer_append_byte(answer->out, ':');
    put_json(answer, &batch->columns[i], answer->types[i], row);
  }
  buffer_append_text(answer->out, "}\n");
}

static void csv_row(struct rows_answer *answer, const struct batch *batch, int64_t row) {
  for (uint32_t i = 0; i < batch->column_count; i++)
    put_csv(answer, &batch->columns[i], row, i == 0);
  csv_write_row_end(answer->out);
}

static void put_rows(struct rows_answer *answer, const struct batch *batch, int64_t *row,
                     size_t size_max) {
  for (; *row < batch->length && answer->out->size < size_max; ++*row) {
    if (answer->format == ROWS_JSON)
      json_row(answer, batch, *row);
    else if (answer->format == ROWS_NDJSON)
      ndjson_row(answer, batch, *row);
    else
      csv_row(answer, batch, *row);
  }
}

/* ---- Arrow ---- */

static void end_stream(struct rows_answer *answer) {
  if (answer->any) arrow_ipc_end(answer->out);
  answer->any = false;
}

static int begin_stream(struct rows_answer *answer, struct err *err) {
  uint32_t count = answer->column_count;
  struct arrow_field *fields = ARENA_ARRAY(&answer->arena, struct arrow_field, count + 1);
  if (!fields) return mem_refused(answer->arena.account, count * sizeof *fields, err);
  for (uint32_t i = 0; i < count; i++) {
    struct type type = query_form_type(QUERY_FORM_ARROW, answer->types[i]);
    fields[i] = (struct arrow_field){
        .name = answer->names[i], .type = arrow_plain_type(type), .nullable = true};
  }
  answer->any = true;
  return arrow_ipc_schema(fields, count, answer->out, err);
}

static int put_batch(struct rows_answer *answer, const struct batch *batch, struct err *err) {
  struct arena scratch;
  struct batch plain;
  arena_init(&scratch, answer->arena.account, 4096);
  int code = arrow_plain_batch(batch, &scratch, &plain, err);
  if (!code) arrow_ipc_batch(&plain, answer->out);
  arena_deinit(&scratch);
  return code;
}

/* ---- events ---- */

static int keep_columns(struct rows_answer *answer, const struct query_event *event,
                        struct err *err) {
  uint32_t count = event->column_count;
  arena_reset(&answer->arena);
  answer->names = ARENA_ARRAY(&answer->arena, struct str, count + 1);
  answer->types = ARENA_ARRAY(&answer->arena, struct type, count + 1);
  if (!answer->names || !answer->types)
    return mem_refused(answer->arena.account, count * sizeof *answer->names, err);
  for (uint32_t i = 0; i < count; i++) {
    answer->names[i] = arena_copy(&answer->arena, event->column_names[i]);
    answer->types[i] = event->column_types[i];
    if (event->column_names[i].size && !answer->names[i].data)
      return mem_refused(answer->arena.account, event->column_names[i].size, err);
  }
  answer->column_count = count;
  answer->zone = event->zone;
  return ERR_OK;
}

static void json_columns(struct rows_answer *answer) {
  struct json_writer *json = &answer->json;
  json_key(json, STR("columns"));
  json_begin_array(json);
  for (uint32_t i = 0; i < answer->column_count; i++) {
    char text[QUERY_TYPE_TEXT_MAX];
    json_begin_object(json);
    json_key(json, STR("name"));
    json_string(json, answer->names[i]);
    json_key(json, STR("type"));
    json_string(json, str_from(query_type_text(answer->types[i], text)));
    json_end_object(json);
  }
  json_end_array(json);
  json_key(json, STR("rows"));
  json_begin_array(json);
  answer->in_rows = true;
}

static int begin_series(struct rows_answer *answer, const struct query_event *event,
                        struct err *err) {
  int code = keep_columns(answer, event, err);
  if (code) return code;
  if (answer->format == ROWS_ARROW) {
    code = begin_stream(answer, err);
  } else if (answer->format == ROWS_JSON) {
    json_columns(answer);
  } else if (answer->format == ROWS_CSV) {
    if (answer->any) csv_write_row_end(answer->out);
    answer->any = true;
    for (uint32_t i = 0; i < answer->column_count; i++)
      csv_write_field(answer->out, answer->names[i], i == 0);
    csv_write_row_end(answer->out);
  }
  return code;
}

static void begin_statement(struct rows_answer *answer, uint32_t index) {
  buffer_reset(&answer->messages);
  if (answer->format != ROWS_JSON) return;
  json_begin_object(&answer->json);
  json_key(&answer->json, STR("statement_id"));
  json_i64(&answer->json, index);
}

static void note(struct rows_answer *answer, struct str message) {
  if (answer->messages.size) buffer_append_byte(&answer->messages, ',');
  json_append_string(&answer->messages, message);
}

static void end_statement(struct rows_answer *answer, const struct query_event *event) {
  struct json_writer *json = &answer->json;
  const struct err *error = &event->error;
  if (answer->format == ROWS_ARROW) end_stream(answer);
  if (answer->format == ROWS_CSV && error->code) csv_error(answer, error);
  if (answer->format == ROWS_NDJSON && error->code) {
    struct json_writer own;
    json_writer_init(&own, answer->out, false);
    json_begin_object(&own);
    json_key(&own, STR("error"));
    rows_answer_error(&own, error);
    json_end_object(&own);
    buffer_append_byte(answer->out, '\n');
  }
  if (answer->format != ROWS_JSON) return;
  if (answer->in_rows) json_end_array(json);
  answer->in_rows = false;
  if (answer->messages.size) {
    json_key(json, STR("messages"));
    json_begin_array(json);
    json_raw(json, buffer_str(&answer->messages));
    json_end_array(json);
  }
  if (error->code) {
    json_key(json, STR("error"));
    rows_answer_error(json, error);
  } else if (event->command.size) {
    json_key(json, STR("command"));
    json_string(json, event->command);
    if (event->rows >= 0) {
      json_key(json, STR("count"));
      json_i64(json, event->rows);
    }
  }
  json_end_object(json);
}

int rows_answer_event(struct rows_answer *answer, const struct query_event *event, int64_t *row,
                      size_t size_max, struct err *err) {
  int code = ERR_OK;
  switch (event->kind) {
  case QUERY_STATEMENT:
    begin_statement(answer, event->statement);
    break;
  case QUERY_SERIES:
    code = begin_series(answer, event, err);
    break;
  case QUERY_ROWS:
    if (answer->format == ROWS_ARROW) {
      code = put_batch(answer, &event->batch, err);
      *row = event->batch.length;
    } else {
      put_rows(answer, &event->batch, row, size_max);
    }
    break;
  case QUERY_MESSAGE:
    note(answer, event->message);
    break;
  case QUERY_DONE:
    end_statement(answer, event);
    break;
  default:
    break;
  }
  if (!code) code = buffer_check(&answer->messages, err);
  return code ? code : buffer_check(answer->out, err);
}
