/* Statements, run on a directory or a server, and what becomes of their answers.
 *
 * A server keeps no session between requests: the statements that change one (SET, PREPARE, USE …)
 * are kept here and sent in front of each, and their part of the answer is passed over. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/shell.h"
#include "lang/sql/sql.h"
#include "query/query_session.h"
#include "server/http_client.h"
#include "server/rows_answer.h"
#include "wire/url.h"

enum { ANSWER_PIECE = 1 << 20, PREAMBLE_MAX = 256 << 10 };

static struct str text_of(const struct buffer *buffer) {
  return str_of(buffer->data, buffer->size ? buffer->size - 1 : 0);
}

static void set_text(struct buffer *buffer, struct str text) {
  buffer_reset(buffer);
  buffer_append_str(buffer, text);
  buffer_append_byte(buffer, 0);
}

int shell_open(struct shell *shell, struct cli *cli, struct err *err) {
  const char *database = cli_value(&cli->arguments, "db");
  *shell = (struct shell){.cli = cli, .header = true, .pager = true};
  buffer_init(&shell->preamble, &cli->account);
  buffer_init(&shell->database, &cli->account);
  buffer_init(&shell->text, &cli->account);
  buffer_init(&shell->null, &cli->account);
  buffer_init(&shell->words, &cli->account);
  arena_init(&shell->words_arena, &cli->account, 4096);
  set_text(&shell->database, str_from(database ? database : "nilo"));
  int code = cli_door_open(cli, &shell->door, false, err);
  if (code || shell->door.client) return code;
  struct query_session_options options = {.database = text_of(&shell->database)};
  return query_session_create(api_engine(cli->api), &cli->account, &options, &shell->session, err);
}

void shell_close(struct shell *shell) {
  query_session_destroy(shell->session);
  os_file_close(shell->output);
  cli_door_close(&shell->door);
  arena_deinit(&shell->words_arena);
  buffer_deinit(&shell->words);
  buffer_deinit(&shell->null);
  buffer_deinit(&shell->text);
  buffer_deinit(&shell->database);
  buffer_deinit(&shell->preamble);
}

int shell_use(struct shell *shell, struct str database, struct err *err) {
  int code = ERR_OK;
  if (shell->session) code = query_session_use(shell->session, database, err);
  if (!code) set_text(&shell->database, database);
  return code ? code : buffer_check(&shell->database, err);
}

/* ---- a directory ---- */

static int answer_events(struct shell *shell, struct query *query, struct shell_result *result,
                         struct err *err) {
  struct rows_answer answer;
  struct query_event event;
  int code = ERR_OK;
  rows_answer_init(&answer, ROWS_JSON, &result->json, &shell->cli->account);
  rows_answer_begin(&answer);
  while (!code) {
    code = query_next(query, &event, err);
    if (code || event.kind == QUERY_END) break;
    int64_t row = 0;
    do {
      code = rows_answer_event(&answer, &event, &row, result->json.size + ANSWER_PIECE, err);
    } while (!code && event.kind == QUERY_ROWS && row < event.batch.length);
  }
  rows_answer_end(&answer);
  rows_answer_deinit(&answer);
  return code ? code : buffer_check(&result->json, err);
}

/* A directory that is opened by its user: COPY may do what the user may. */
static const struct query_copy anywhere = {.directory = "/"};

static int query_directory(struct shell *shell, struct str text, struct shell_result *result,
                           struct err *err) {
  struct query_options options = {.language = QUERY_SQL,
                                  .text = text,
                                  .session = shell->session,
                                  .form = QUERY_FORM_JSON,
                                  .copy = &anywhere};
  struct query *query;
  int code = api_query_open(shell->cli->api, &options, &query, &result->error);
  if (code) {
    snprintf(result->sqlstate, sizeof result->sqlstate, "%s", err_info(code)->sqlstate);
    return ERR_OK;
  }
  shell_interrupt_query(shell->interrupt, query);
  code = answer_events(shell, query, result, err);
  shell_interrupt_query(shell->interrupt, NULL);
  query_close(query);
  return code ? code : shell_result_read(result, 0, err);
}

/* ---- a server ---- */

static int append_body(void *context, struct str bytes, struct err *err) {
  buffer_append_str(context, bytes);
  return buffer_check(context, err);
}

/* Places in what was sent as places in the statement. */
static void shift_error(const struct shell *shell, struct err *error) {
  const char *preamble = (const char *)shell->preamble.data;
  int32_t column = error->column, behind = 0;
  for (size_t i = 0; i < shell->preamble.size; i++) {
    behind++;
    if (preamble[i] != '\n') continue;
    error->line--;
    behind = 0;
  }
  if (error->line == 1) error->column = column - behind;
  if (error->line < 1 || error->column < 1) err_position(error, 0, 0, -1);
}

static int query_server(struct shell *shell, struct str text, struct shell_result *result,
                        struct err *err) {
  struct buffer target, body;
  buffer_init(&target, &shell->cli->account);
  buffer_init(&body, &shell->cli->account);
  buffer_append_text(&target, "/sql?format=json&db=");
  url_encode(&target, text_of(&shell->database));
  buffer_append_str(&body, buffer_str(&shell->preamble));
  buffer_append_str(&body, text);
  struct http_client_header headers[] = {{"Accept", STR("application/json")},
                                         {"Content-Type", STR("application/sql")}};
  struct http_call call = {.method = "POST",
                           .target = buffer_str(&target),
                           .headers = headers,
                           .header_count = 2,
                           .body = buffer_str(&body),
                           .on_body = append_body,
                           .context = &result->json,
                           .interruptible = shell->interactive};
  int status = 0, code = buffer_check(&target, err);
  if (!code) code = buffer_check(&body, err);
  if (!code) code = http_client_call(shell->door.client, &call, &status, err);
  if (!code) code = shell_result_read(result, shell->preamble_count, err);
  if (!code && status >= 300 && !result->error.code)
    code = err_set(err, ERR_IO, "answer %d of %s", status, http_client_address(shell->door.client));
  if (!code && result->error.line) shift_error(shell, &result->error);
  buffer_deinit(&body);
  buffer_deinit(&target);
  return code;
}

/* Keeps a statement that changed the session. */
static void remember(struct shell *shell, struct str text) {
  static const char *const words[] = {"set", "reset", "prepare", "deallocate", "use"};
  struct str first = shell_strip(text);
  size_t size = 0;
  while (size < first.size && text_is_letter(first.data[size]))
    size++;
  first.size = size;
  if (str_equal_ignoring_case(first, STR("discard"))) {
    buffer_reset(&shell->preamble);
    shell->preamble_count = 0;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!str_equal_ignoring_case(first, str_from(words[i]))) continue;
    if (shell->preamble.size + text.size > PREAMBLE_MAX) return;
    buffer_append_str(&shell->preamble, text);
    if (text.data[text.size - 1] != ';') buffer_append_text(&shell->preamble, "\n;");
    shell->preamble_count++;
    return;
  }
}

int shell_query(struct shell *shell, struct str text, struct shell_result *result,
                struct err *err) {
  if (!shell->door.client) return query_directory(shell, text, result, err);
  int code = query_server(shell, text, result, err);
  if (!code && !result->error.code) remember(shell, text);
  return code;
}

/* ---- what is told ---- */

/* Where line and column are in the text. */
static int64_t offset_of(struct str text, int32_t line, int32_t column) {
  size_t at = 0;
  for (int32_t l = 1; l < line; l++) {
    while (at < text.size && text.data[at] != '\n')
      at++;
    if (at == text.size) return -1;
    at++;
  }
  at += (size_t)(column - 1);
  return at <= text.size ? (int64_t)at : -1;
}

void shell_tell_error(struct shell *shell, struct str text, const struct err *err,
                      const char *sqlstate) {
  struct err shown = *err;
  struct buffer out;
  char escaped[4 * sizeof shown.message];
  buffer_init(&out, &shell->cli->account);
  if (shell->file) buffer_printf(&out, "%s:%d: ", shell->file, shell->file_line);
  size_t size = cli_escape(str_from(shown.message), escaped);
  buffer_printf(&out, "ERROR:  %.*s\n", (int)size, escaped);
  if (shown.line > 0 && shown.offset < 0) shown.offset = offset_of(text, shown.line, shown.column);
  sql_print_place(text, &shown, &out);
  if (shown.detail[0]) {
    size = cli_escape(str_from(shown.detail), escaped);
    buffer_printf(&out, "DETAIL:  %.*s\n", (int)size, escaped);
  }
  if (shown.hint[0]) {
    size = cli_escape(str_from(shown.hint), escaped);
    buffer_printf(&out, "HINT:  %.*s\n", (int)size, escaped);
  }
  if (sqlstate && sqlstate[0]) buffer_printf(&out, "SQLSTATE:  %s\n", sqlstate);
  fflush(stdout);
  fwrite(out.data, 1, out.size, stderr);
  buffer_deinit(&out);
}

static void tell_time(struct shell *shell, int64_t begin) {
  double ms = (double)(os_monotonic_ns(shell->cli->os) - begin) / 1e6;
  if (shell->timing) printf("Time: %.3f ms\n", ms);
}

static int show_result(struct shell *shell, const struct shell_result *result, struct err *err) {
  struct buffer out;
  size_t widest = 0;
  int code = ERR_OK;
  const struct str *notes = (const struct str *)(const void *)result->notes.data;
  buffer_init(&out, &shell->cli->account);
  for (size_t i = 0; i < result->notes.size / sizeof *notes; i++)
    fprintf(stderr, "NOTICE:  %.*s\n", STR_ARG(notes[i]));
  if (result->has_rows)
    code = shell_print(shell, result, &out, &widest, err);
  else if (!shell->quiet && result->command.size && result->count >= 0)
    buffer_printf(&out, "%.*s %lld\n", STR_ARG(result->command), (long long)result->count);
  else if (!shell->quiet && result->command.size)
    buffer_printf(&out, "%.*s\n", STR_ARG(result->command));
  if (!code) shell_show(shell, buffer_str(&out), widest);
  buffer_deinit(&out);
  return code;
}

bool shell_execute(struct shell *shell, struct str text) {
  struct shell_result result;
  struct err err;
  err_reset(&err);
  int64_t begin = os_monotonic_ns(shell->cli->os);
  shell_result_init(&result, &shell->cli->account);
  int code = shell_query(shell, text, &result, &err);
  bool good = !code && !result.error.code;
  if (good) code = show_result(shell, &result, &err);
  if (code)
    shell_tell_error(shell, text, &err, err_info(code)->sqlstate);
  else if (!good)
    shell_tell_error(shell, text, &result.error, result.sqlstate);
  tell_time(shell, begin);
  if (good && shell->session) /* USE */
    set_text(&shell->database, query_session_database(shell->session));
  shell_result_deinit(&result);
  return good && !code;
}

static int32_t lines_in(struct str text) {
  int32_t lines = 0;
  for (size_t i = 0; i < text.size; i++)
    lines += text.data[i] == '\n';
  return lines;
}

bool shell_run_text(struct shell *shell, struct str text, const char *file) {
  const char *outer_file = shell->file;
  int32_t outer_line = shell->file_line;
  const char *begin = text.data;
  bool good = true;
  shell->file = file;
  while ((good || shell->interactive) && !shell->stop && !shell_interrupted(shell)) {
    text = shell_strip(text);
    if (!text.size) break;
    shell->file_line = 1 + lines_in(str_of(begin, (size_t)(text.data - begin)));
    size_t size = text_find(text, '\n');
    if (text.data[0] == '\\') {
      good &= shell_command(shell, text_trim(str_of(text.data, size)));
    } else {
      bool whole;
      struct shell_scan scan;
      size = shell_statement_end(text, &whole, &scan);
      struct str statement = str_of(text.data, size);
      if (shell_strip(statement).data[0] != ';' || statement.size > 1) {
        set_text(&shell->text, statement);
        good &= shell_execute(shell, statement);
      }
    }
    text = str_of(text.data + size, text.size - size);
  }
  shell->file = outer_file;
  shell->file_line = outer_line;
  return good;
}
