/* Answers in JSON, and what JSON and CSV have in common. */
#include "server/answer.h"

#include <string.h>

#include "base/err.h"
#include "server/answer_private.h"

bool answer_epoch_parse(struct str text, enum answer_epoch *epoch) {
  static const struct {
    struct str text;
    enum answer_epoch epoch;
  } names[] = {
      {{"", 0}, ANSWER_RFC3339},
      {{"ns", 2}, ANSWER_NS},
      {{"n", 1}, ANSWER_NS},
      {{"us", 2}, ANSWER_US},
      {{"u", 1}, ANSWER_US},
      {{"\xc2\xb5", 2}, ANSWER_US},
      {{"ms", 2}, ANSWER_MS},
      {{"s", 1}, ANSWER_S},
      {{"m", 1}, ANSWER_M},
      {{"h", 1}, ANSWER_H},
      {{"rfc3339", 7}, ANSWER_RFC3339},
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (!str_equal(text, names[i].text)) continue;
    *epoch = names[i].epoch;
    return true;
  }
  return false;
}

int64_t answer__epoch_time(enum answer_epoch epoch, int64_t value, enum time_unit unit) {
  int64_t out;
  switch (epoch) {
  case ANSWER_US:
    time_convert_floor(value, unit, TIME_US, &out);
    return out;
  case ANSWER_MS:
    time_convert_floor(value, unit, TIME_MS, &out);
    return out;
  case ANSWER_S:
    time_convert_floor(value, unit, TIME_S, &out);
    return out;
  case ANSWER_M:
  case ANSWER_H: {
    int64_t width = epoch == ANSWER_M ? 60 : 3600;
    time_convert_floor(value, unit, TIME_S, &out);
    return out / width - (out % width < 0);
  }
  default:
    time_convert_floor(value, unit, TIME_NS, &out);
    return out;
  }
}

struct str answer__text(const struct column *column, int64_t row) {
  if (column->dictionary) return column_str(column->dictionary, column->i32[row]);
  return column_str(column, row);
}

void answer_init(struct answer *answer, struct buffer *out, struct mem_account *account) {
  *answer = (struct answer){.out = out};
  arena_init(&answer->arena, account, 2048);
  buffer_init(&answer->messages, account);
}

void answer_deinit(struct answer *answer) {
  arena_deinit(&answer->arena);
  buffer_deinit(&answer->messages);
}

int answer__keep_series(struct answer *answer, const struct query_event *event, struct err *err) {
  struct arena *arena = &answer->arena;
  arena_reset(arena);
  answer->name = arena_copy(arena, event->name);
  answer->tags = ARENA_ARRAY(arena, struct query_tag, event->tag_count);
  answer->columns = ARENA_ARRAY(arena, struct str, event->column_count);
  bool refused = !answer->tags || !answer->columns || (event->name.size && !answer->name.data);
  for (uint32_t i = 0; !refused && i < event->tag_count; i++) {
    answer->tags[i].name = arena_copy(arena, event->tags[i].name);
    answer->tags[i].value = arena_copy(arena, event->tags[i].value);
    refused = (event->tags[i].name.size && !answer->tags[i].name.data) ||
              (event->tags[i].value.size && !answer->tags[i].value.data);
  }
  for (uint32_t i = 0; !refused && i < event->column_count; i++) {
    answer->columns[i] = arena_copy(arena, event->column_names[i]);
    refused = event->column_names[i].size && !answer->columns[i].data;
  }
  if (refused) return mem_refused(arena->account, 2048, err);
  answer->tag_count = event->tag_count;
  answer->column_count = event->column_count;
  return ERR_OK;
}

/* ---- JSON ---- */

static void write_cell(struct answer *answer, const struct column *column, int64_t row) {
  struct json_writer *json = &answer->json;
  if (!column_is_valid(column, row)) {
    json_null(json);
    return;
  }
  if (column->dictionary) {
    json_string(json, answer__text(column, row));
    return;
  }
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    json_bool(json, bit_get(column->bits, row));
    return;
  case PHYSICAL_INT64:
    if (column->type.logical == LOGICAL_TIMESTAMP) {
      enum time_unit unit = (enum time_unit)column->type.parameter;
      if (answer->epoch == ANSWER_RFC3339) {
        char text[TIME_TEXT_MAX];
        int size = time_format(column->i64[row], unit, text);
        json_string(json, (struct str){text, (size_t)size});
      } else {
        json_i64(json, answer__epoch_time(answer->epoch, column->i64[row], unit));
      }
      return;
    }
    json_i64(json, column->i64[row]);
    return;
  case PHYSICAL_UINT64:
    json_u64(json, column->u64[row]);
    return;
  case PHYSICAL_FLOAT64:
    json_f64(json, column->f64[row]);
    return;
  case PHYSICAL_INT32:
    json_i64(json, column->i32[row]);
    return;
  default:
    json_string(json, column_str(column, row));
  }
}

void answer__json_row(struct answer *answer, const struct batch *batch, int64_t row) {
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < batch->column_count; i++)
    write_cell(answer, &batch->columns[i], row);
  json_end_array(&answer->json);
}

static void open_series(struct answer *answer) {
  struct json_writer *json = &answer->json;
  json_begin_object(json);
  if (answer->name.size) {
    json_key(json, STR("name"));
    json_string(json, answer->name);
  }
  if (answer->tag_count) {
    json_key(json, STR("tags"));
    json_begin_object(json);
    for (uint32_t i = 0; i < answer->tag_count; i++) {
      json_key(json, answer->tags[i].name);
      json_string(json, answer->tags[i].value);
    }
    json_end_object(json);
  }
  json_key(json, STR("columns"));
  json_begin_array(json);
  for (uint32_t i = 0; i < answer->column_count; i++)
    json_string(json, answer->columns[i]);
  json_end_array(json);
  answer->in_series = true;
  answer->in_values = false;
}

static void close_series(struct answer *answer, bool partial) {
  struct json_writer *json = &answer->json;
  if (!answer->in_series) return;
  if (answer->in_values) json_end_array(json);
  if (partial) {
    json_key(json, STR("partial"));
    json_bool(json, true);
  }
  json_end_object(json);
  answer->in_series = false;
  answer->in_values = false;
}

static void open_result(struct answer *answer) {
  json_begin_object(&answer->json);
  json_key(&answer->json, STR("statement_id"));
  json_u64(&answer->json, answer->statement);
}

static void write_messages(struct answer *answer) {
  struct json_writer *json = &answer->json;
  if (answer->messages.size == 0) return;
  json_key(json, STR("messages"));
  json_begin_array(json);
  size_t at = 0;
  while (at < answer->messages.size) {
    size_t size;
    memcpy(&size, answer->messages.data + at, sizeof size);
    at += sizeof size;
    json_begin_object(json);
    json_key(json, STR("level"));
    json_string(json, STR("warning"));
    json_key(json, STR("text"));
    json_string(json, (struct str){(const char *)answer->messages.data + at, size});
    json_end_object(json);
    at += size;
  }
  json_end_array(json);
  buffer_reset(&answer->messages);
}

/* One line per response in chunked answers; the whole is one response otherwise. */
static void open_response(struct answer *answer) {
  json_writer_init(&answer->json, answer->out, answer->pretty);
  json_begin_object(&answer->json);
  json_key(&answer->json, STR("results"));
  json_begin_array(&answer->json);
}

static void close_response(struct answer *answer) {
  json_end_array(&answer->json);
  json_end_object(&answer->json);
  buffer_append_byte(answer->out, '\n');
}

static void open_chunk(struct answer *answer) {
  open_response(answer);
  open_result(answer);
  json_key(&answer->json, STR("series"));
  json_begin_array(&answer->json);
  open_series(answer);
  answer->rows = 0;
  answer->in_chunk = true;
}

static void close_chunk(struct answer *answer, bool series_partial, bool result_partial) {
  if (!answer->in_chunk) return;
  close_series(answer, series_partial);
  json_end_array(&answer->json);
  if (!result_partial) write_messages(answer);
  if (result_partial) {
    json_key(&answer->json, STR("partial"));
    json_bool(&answer->json, true);
  }
  json_end_object(&answer->json);
  close_response(answer);
  answer->in_chunk = false;
}

static void begin_series(struct answer *answer) {
  if (answer->chunk_size) {
    close_chunk(answer, false, true);
    open_chunk(answer);
    return;
  }
  close_series(answer, false);
  if (!answer->has_series) {
    json_key(&answer->json, STR("series"));
    json_begin_array(&answer->json);
  }
  open_series(answer);
}

static void write_rows(struct answer *answer, const struct batch *batch, int64_t *row,
                       size_t size_max) {
  while (*row < batch->length && answer->out->size < size_max && !answer->out->failed) {
    if (answer->chunk_size && answer->rows == answer->chunk_size) {
      close_chunk(answer, true, true);
      open_chunk(answer);
    }
    if (!answer->in_values) {
      json_key(&answer->json, STR("values"));
      json_begin_array(&answer->json);
      answer->in_values = true;
    }
    answer__json_row(answer, batch, *row);
    answer->rows++;
    ++*row;
  }
}

static void write_error(struct answer *answer, const struct err *error) {
  json_key(&answer->json, STR("error"));
  json_string(&answer->json, str_from(error->message));
}

static void end_statement(struct answer *answer, const struct err *error) {
  if (answer->chunk_size) {
    bool failed = error->code != ERR_OK;
    close_chunk(answer, false, failed);
    if (answer->has_series && !failed) return;
    open_response(answer);
    open_result(answer);
    write_messages(answer);
    if (failed) write_error(answer, error);
    json_end_object(&answer->json);
    close_response(answer);
    return;
  }
  close_series(answer, false);
  if (answer->has_series) json_end_array(&answer->json);
  write_messages(answer);
  if (error->code) write_error(answer, error);
  json_end_object(&answer->json);
}

static int keep_message(struct answer *answer, struct str text, struct err *err) {
  buffer_append(&answer->messages, &text.size, sizeof text.size);
  buffer_append_str(&answer->messages, text);
  return buffer_check(&answer->messages, err);
}

static int json_event(struct answer *answer, const struct query_event *event, int64_t *row,
                      size_t size_max, struct err *err) {
  int code;
  switch (event->kind) {
  case QUERY_STATEMENT:
    answer->statement = event->statement;
    answer->has_series = false;
    if (!answer->chunk_size) open_result(answer);
    return ERR_OK;
  case QUERY_SERIES:
    code = answer__keep_series(answer, event, err);
    if (code) return code;
    begin_series(answer);
    answer->has_series = true;
    return ERR_OK;
  case QUERY_ROWS:
    write_rows(answer, &event->batch, row, size_max);
    return ERR_OK;
  case QUERY_MESSAGE:
    return keep_message(answer, event->message, err);
  case QUERY_DONE:
    end_statement(answer, &event->error);
    return ERR_OK;
  default:
    return ERR_OK;
  }
}

void answer_begin(struct answer *answer) {
  if (!answer->csv && !answer->chunk_size) open_response(answer);
}

int answer_event(struct answer *answer, const struct query_event *event, int64_t *row,
                 size_t size_max, struct err *err) {
  int code = answer->csv ? answer__csv_event(answer, event, row, size_max, err)
                         : json_event(answer, event, row, size_max, err);
  return code ? code : buffer_check(answer->out, err);
}

void answer_end(struct answer *answer) {
  if (!answer->csv && !answer->chunk_size) close_response(answer);
}
