/* Answers in JSON, and what JSON and CSV have in common. */
#include "server/answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/number.h"
#include "base/time_zone.h"
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

char *answer__put_epoch(enum answer_epoch epoch, int64_t value, enum time_unit unit, char *to) {
  static const enum time_unit units[] = {
      [ANSWER_RFC3339] = TIME_NS, [ANSWER_NS] = TIME_NS, [ANSWER_US] = TIME_US,
      [ANSWER_MS] = TIME_MS,      [ANSWER_S] = TIME_S,   [ANSWER_M] = TIME_S,
      [ANSWER_H] = TIME_S};
  int64_t out;
  if (!time_convert_floor(value, unit, units[epoch], &out)) {
    /* A finer count that 64 bits do not hold: the digits still say it. */
    to = number_print_i64(value, to);
    for (int zeros = time_unit_digits(units[epoch]) - time_unit_digits(unit); zeros > 0; zeros--)
      *to++ = '0';
    return to;
  }
  int64_t width = epoch == ANSWER_M ? 60 : epoch == ANSWER_H ? 3600 : 1;
  return number_print_i64(out / width - (out % width < 0), to);
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

/* ---- texts of tags ---- */

/* Rows repeat the values of few tags: their quoted texts are kept by column and code, and copied in
 * a step. A slot is of the series at hand, because dictionaries live as long as its plan. */
enum { MEMO_COLUMNS = 16, MEMO_SLOTS = 128, MEMO_TEXT = 48 };
struct memo_slot {
  uint64_t series; /* 0: none */
  int32_t code;
  uint32_t size;
  char text[MEMO_TEXT];
};
struct answer_memo {
  uint64_t series; /* the number of the one at hand */
  struct memo_slot slots[MEMO_COLUMNS][MEMO_SLOTS];
};

static void begin_memo(struct answer *answer) {
  if (answer->memo) answer->memo->series++;
}

/* The slot of a row's value, whatever it holds; NULL: texts of this column are not kept. */
static struct memo_slot *memo_slot(struct answer *answer, const struct column *column,
                                   uint32_t index, int64_t row) {
  if (!column->dictionary || index >= MEMO_COLUMNS) return NULL;
  if (!answer->memo) {
    answer->memo = mem_alloc_zero(answer->arena.account, sizeof *answer->memo);
    if (!answer->memo) return NULL;
    answer->memo->series = 1;
  }
  return &answer->memo->slots[index][(uint32_t)column->i32[row] % MEMO_SLOTS];
}

void answer_deinit(struct answer *answer) {
  answer__cells_deinit(answer);
  mem_free(answer->arena.account, answer->memo, sizeof *answer->memo);
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
  answer->zone = event->zone;
  return ERR_OK;
}

/* ---- JSON ---- */

/* The quoted text of a string cell: of column `index`, appended by itself unless it is known. */
static char *put_string(struct answer *answer, const struct column *column, uint32_t index,
                        int64_t row, char *to, size_t room) {
  struct buffer *out = answer->out;
  struct memo_slot *slot = memo_slot(answer, column, index, row);
  if (slot && slot->series == answer->memo->series && slot->code == column->i32[row]) {
    memcpy(to, slot->text, MEMO_TEXT);
    return to + slot->size;
  }
  buffer_advance(out, (size_t)(to - (char *)out->data) - out->size);
  size_t start = out->size;
  json_append_string(out, answer__text(column, row));
  char *next = (char *)buffer_reserve(out, room);
  if (!slot || !next || out->size - start > MEMO_TEXT) return next;
  slot->series = answer->memo->series;
  slot->code = column->i32[row];
  slot->size = (uint32_t)(out->size - start);
  memcpy(slot->text, out->data + start, slot->size);
  return next;
}

/* The i-th of `count` rows whose cells are made. Room for a whole row of numbers is made at once;
 * strings go through the buffer. */
static void write_row(struct answer *answer, const struct batch *batch, int64_t row, uint32_t i,
                      uint32_t count) {
  struct buffer *out = answer->out;
  const struct answer_cell *cells = answer->cells + i;
  const uint8_t *sizes = answer->cell_sizes + i;
  size_t room = ((size_t)batch->column_count + 1) * sizeof *cells;
  char *to = (char *)buffer_reserve(out, room);
  if (!to) return;
  *to++ = '[';
  for (uint32_t c = 0; c < batch->column_count; c++, cells += count, sizes += count) {
    if (*sizes) {
      memcpy(to, cells->text, 16);
      if (*sizes > 16) memcpy(to + 16, cells->text + 16, sizeof *cells - 16);
      to += *sizes;
      continue;
    }
    to = put_string(answer, &batch->columns[c], c, row, to, room);
    if (!to) return;
    *to++ = ',';
  }
  to -= batch->column_count > 0; /* the last comma */
  *to++ = ']';
  buffer_advance(out, (size_t)(to - (char *)out->data) - out->size);
}

/* The same with a cell a line. */
static void write_pretty_row(struct answer *answer, const struct batch *batch, int64_t row) {
  struct json_writer *json = &answer->json;
  json_begin_array(json);
  for (uint32_t i = 0; i < batch->column_count; i++) {
    const struct column *column = &batch->columns[i];
    bool text = column->dictionary || type_is_string(column->type);
    if (!column_is_valid(column, row)) {
      json_null(json);
    } else if (text) {
      json_string(json, answer__text(column, row));
    } else {
      char cell[ANSWER_CELL_MAX];
      char *end = answer__put_cell(answer, column, row, cell);
      json_raw(json, (struct str){cell, (size_t)(end - cell)});
    }
  }
  json_end_array(json);
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

/* Rows that about fill what is left of size_max. */
static int64_t rows_wanted(const struct answer *answer, const struct batch *batch,
                           size_t size_max) {
  size_t left = (size_max - answer->out->size) / (8 * ((size_t)batch->column_count + 1)) + 1;
  return left < ANSWER_CELL_ROWS ? (int64_t)left : ANSWER_CELL_ROWS;
}

static int write_rows(struct answer *answer, const struct batch *batch, int64_t *row,
                      size_t size_max, struct err *err) {
  uint32_t made = 0, used = 0; /* rows of cells */
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
    if (answer->pretty) {
      write_pretty_row(answer, batch, *row);
    } else {
      if (used == made) {
        int code = answer__fill_cells(answer, batch, *row, rows_wanted(answer, batch, size_max),
                                      &made, err);
        if (code) return code;
        used = 0;
      }
      json_element(&answer->json);
      write_row(answer, batch, *row, used++, made);
    }
    answer->rows++;
    ++*row;
  }
  return ERR_OK;
}

bool answer_is_fault(const struct err *error) {
  enum err_class class = err_info(error->code)->class;
  return class == ERR_CLASS_CORRUPTION || class == ERR_CLASS_IO || class == ERR_CLASS_INTERNAL;
}

struct str answer__error_text(const struct err *error, char *out, size_t size) {
  if (!error->detail[0] || !answer_is_fault(error)) return str_from(error->message);
  snprintf(out, size, "%s (%s)", error->message, error->detail);
  return str_from(out);
}

static void write_error(struct answer *answer, const struct err *error) {
  char text[ANSWER_ERROR_TEXT_MAX];
  json_key(&answer->json, STR("error"));
  json_string(&answer->json, answer__error_text(error, text, sizeof text));
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
    begin_memo(answer);
    begin_series(answer);
    answer->has_series = true;
    return ERR_OK;
  case QUERY_ROWS:
    return write_rows(answer, &event->batch, row, size_max, err);
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
