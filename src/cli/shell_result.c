/* The answer of /sql (server/rows_answer.h) as cells. */
#include <stdlib.h>

#include "base/text.h"
#include "cli/shell.h"
#include "wire/json.h"

void shell_result_init(struct shell_result *result, struct mem_account *account) {
  *result = (struct shell_result){.count = -1};
  arena_init(&result->arena, account, 64 << 10);
  buffer_init(&result->json, account);
  buffer_init(&result->names, account);
  buffer_init(&result->types, account);
  buffer_init(&result->cells, account);
  buffer_init(&result->notes, account);
  err_reset(&result->error);
}

void shell_result_deinit(struct shell_result *result) {
  buffer_deinit(&result->notes);
  buffer_deinit(&result->cells);
  buffer_deinit(&result->types);
  buffer_deinit(&result->names);
  buffer_deinit(&result->json);
  arena_deinit(&result->arena);
}

static int read_cell(struct shell_result *result, struct json_reader *reader,
                     const struct json_token *token, struct err *err) {
  struct shell_cell cell = {token->text, SHELL_TEXT};
  int code = ERR_OK;
  switch (token->kind) {
  case JSON_STRING:
    break;
  case JSON_NUMBER:
    cell.kind = SHELL_NUMBER;
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    cell = (struct shell_cell){token->kind == JSON_TRUE ? STR("t") : STR("f"), SHELL_BOOLEAN};
    break;
  case JSON_NULL:
    cell = (struct shell_cell){{NULL, 0}, SHELL_NULL};
    break;
  default: {
    size_t from = reader->at - 1;
    code = json_reader_skip(reader, token, err);
    cell =
        (struct shell_cell){str_of(reader->text.data + from, reader->at - from), SHELL_JSON_VALUE};
  }
  }
  if (!code) buffer_append(&result->cells, &cell, sizeof cell);
  return code;
}

static int read_rows(struct shell_result *result, struct json_reader *reader, struct err *err) {
  struct json_token token;
  result->has_rows = true;
  for (;;) {
    int code = json_reader_next(reader, &token, err);
    if (code || token.kind == JSON_END_ARRAY) return code;
    size_t count = 0;
    for (;; count++) {
      code = json_reader_next(reader, &token, err);
      if (!code && token.kind == JSON_END_ARRAY) break;
      if (!code) code = read_cell(result, reader, &token, err);
      if (code) return code;
    }
    if (count != result->columns)
      return err_set(err, ERR_PARSE, "the answer has rows of different lengths");
  }
}

static int read_columns(struct shell_result *result, struct json_reader *reader, struct err *err) {
  struct json_token token;
  for (;;) {
    int code = json_reader_next(reader, &token, err);
    if (code || token.kind == JSON_END_ARRAY) return code;
    struct str name = {"", 0}, type = {"", 0};
    while (!(code = json_reader_next(reader, &token, err)) && token.kind == JSON_KEY) {
      struct str key = token.text;
      code = json_reader_next(reader, &token, err);
      if (code) return code;
      if (str_equal(key, STR("name"))) name = token.text;
      if (str_equal(key, STR("type"))) type = token.text;
    }
    if (code) return code;
    buffer_append(&result->names, &name, sizeof name);
    buffer_append(&result->types, &type, sizeof type);
    result->columns++;
  }
}

static int64_t number_of(struct str text) {
  char digits[32];
  size_t size = text.size < sizeof digits - 1 ? text.size : sizeof digits - 1;
  memcpy(digits, text.data, size);
  digits[size] = 0;
  return strtoll(digits, NULL, 10);
}

static int read_error(struct shell_result *result, struct json_reader *reader, struct err *err) {
  struct json_token token;
  struct str message = {"", 0}, detail = {"", 0}, hint = {"", 0};
  int32_t line = 0, column = 0;
  int code;
  while (!(code = json_reader_next(reader, &token, err)) && token.kind == JSON_KEY) {
    struct str key = token.text;
    code = json_reader_next(reader, &token, err);
    if (code) return code;
    if (str_equal(key, STR("code")) && token.text.size < sizeof result->sqlstate)
      memcpy(result->sqlstate, token.text.data, token.text.size);
    else if (str_equal(key, STR("message")))
      message = token.text;
    else if (str_equal(key, STR("detail")))
      detail = token.text;
    else if (str_equal(key, STR("hint")))
      hint = token.text;
    else if (str_equal(key, STR("line")))
      line = (int32_t)number_of(token.text);
    else if (str_equal(key, STR("column")))
      column = (int32_t)number_of(token.text);
  }
  err_set(&result->error, ERR_INVALID_ARGUMENT, "%.*s", STR_ARG(message));
  if (detail.size) err_detail(&result->error, "%.*s", STR_ARG(detail));
  if (hint.size) err_hint(&result->error, "%.*s", STR_ARG(hint));
  err_position(&result->error, line, column, -1);
  return code;
}

static int read_notes(struct shell_result *result, struct json_reader *reader, struct err *err) {
  struct json_token token;
  for (;;) {
    int code = json_reader_next(reader, &token, err);
    if (code || token.kind == JSON_END_ARRAY) return code;
    if (token.kind == JSON_STRING) buffer_append(&result->notes, &token.text, sizeof token.text);
    code = json_reader_skip(reader, &token, err);
    if (code) return code;
  }
}

/* A member of one statement's object. */
static int read_member(struct shell_result *result, struct json_reader *reader, struct str key,
                       const struct json_token *token, struct err *err) {
  if (token->kind == JSON_BEGIN_ARRAY && str_equal(key, STR("columns")))
    return read_columns(result, reader, err);
  if (token->kind == JSON_BEGIN_ARRAY && str_equal(key, STR("rows")))
    return read_rows(result, reader, err);
  if (token->kind == JSON_BEGIN_ARRAY && str_equal(key, STR("messages")))
    return read_notes(result, reader, err);
  if (token->kind == JSON_BEGIN_OBJECT && str_equal(key, STR("error")))
    return read_error(result, reader, err);
  if (str_equal(key, STR("command"))) result->command = token->text;
  if (str_equal(key, STR("count"))) result->count = number_of(token->text);
  return json_reader_skip(reader, token, err);
}

/* The members of an object that has begun. An error ends all: what is behind was not run. */
static int read_statement(struct shell_result *result, struct json_reader *reader,
                          struct err *err) {
  struct json_token token;
  result->columns = 0;
  result->has_rows = false;
  buffer_reset(&result->names);
  buffer_reset(&result->types);
  buffer_reset(&result->cells);
  for (;;) {
    int code = json_reader_next(reader, &token, err);
    if (code || token.kind != JSON_KEY) return code;
    struct str key = token.text;
    code = json_reader_next(reader, &token, err);
    if (!code) code = read_member(result, reader, key, &token, err);
    if (code) return code;
  }
}

int shell_result_read(struct shell_result *result, uint64_t statement, struct err *err) {
  struct json_reader reader;
  struct json_token token;
  json_reader_init(&reader, buffer_str(&result->json), &result->arena, 0);
  int code = json_reader_next(&reader, &token, err);
  bool in_results = false;
  uint64_t seen = 0;
  while (!code && token.kind != JSON_END) {
    code = json_reader_next(&reader, &token, err);
    if (code || token.kind == JSON_END || result->error.code) break;
    if (!in_results && token.kind == JSON_KEY && str_equal(token.text, STR("error"))) {
      code = json_reader_next(&reader, &token, err);
      if (!code && token.kind == JSON_BEGIN_OBJECT)
        code = read_error(result, &reader, err);
      else if (!code)
        err_set(&result->error, ERR_INVALID_ARGUMENT, "%.*s", STR_ARG(token.text));
    } else if (token.kind == JSON_BEGIN_ARRAY) {
      in_results = true;
    } else if (in_results && token.kind == JSON_BEGIN_OBJECT && seen <= statement) {
      code = read_statement(result, &reader, err);
      seen++;
    } else if (in_results && token.kind == JSON_BEGIN_OBJECT) {
      code = json_reader_skip(&reader, &token, err);
    }
  }
  if (!code) code = buffer_check(&result->cells, err);
  return code;
}
