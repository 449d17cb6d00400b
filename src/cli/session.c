/* Opening an engine, reading files, and the one way to a database behind a server or in a
 * directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "cli/cli_private.h"
#include "query/query.h"
#include "server/answer.h"
#include "server/http_client.h"
#include "wire/json.h"
#include "wire/url.h"

enum { READ_SIZE = 1 << 20, FILE_MAX = 1 << 20, ANSWER_PIECE = 1 << 20 };

extern char **environ;

/* ---- settings ---- */

static int take_text(void *context, struct str bytes, bool last, struct err *err) {
  (void)last;
  struct buffer *text = context;
  if (text->size + bytes.size > FILE_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a configuration file larger than %d bytes", FILE_MAX);
  buffer_append_str(text, bytes);
  return buffer_check(text, err);
}

int cli_load_settings(struct cli *cli, const char *file, struct err *err) {
  int code = ERR_OK;
  if (file) {
    struct buffer text;
    buffer_init(&text, &cli->account);
    code = cli_read_file(cli, file, take_text, &text, err);
    if (!code) code = settings_load_file(cli->settings, file, buffer_str(&text), err);
    buffer_deinit(&text);
  }
  return code ? code : settings_load_environment(cli->settings, environ, err);
}

/* ---- the engine ---- */

/* Says what a person who mistyped the path wants to hear; the engine speaks of files inside. */
static int check_path(struct cli *cli, const char *path, bool read_only, struct err *err) {
  struct os_file *file;
  if (!os_path_exists(cli->os, path)) {
    if (!read_only) return ERR_OK;
    err_set(err, ERR_NO_FILE, "there is no directory %s", path);
    err_hint(err, "name the data directory with --data");
    return ERR_NO_FILE;
  }
  if (os_file_open(cli->os, path, OS_READ | OS_WRITE, &file, NULL)) return ERR_OK;
  os_file_close(file); /* a directory cannot be opened so */
  err_set(err, ERR_INVALID_ARGUMENT, "%s is a file; a data directory is needed", path);
  return ERR_INVALID_ARGUMENT;
}

int cli_open(struct cli *cli, const char *path, bool read_only, bool collect, struct err *err) {
  int checked = check_path(cli, path, read_only, err);
  if (checked) return checked;
  int code = os_pool_create(cli->os, 0, &cli->pool, err);
  if (code) return code;
  struct api_options options = {.path = path,
                                .os = cli->os,
                                .pool = cli->pool,
                                .account = &cli->account,
                                .settings = cli->settings,
                                .logger = &cli->logger,
                                .metrics = cli->metrics,
                                .read_only = read_only,
                                .collect = collect};
  return api_open(&options, &cli->api, err);
}

void cli_close(struct cli *cli) {
  api_close(cli->api);
  cli->api = NULL;
  if (cli->pool) os_pool_destroy(cli->pool);
  cli->pool = NULL;
}

/* ---- files ---- */

uint64_t cli_file_size(struct cli *cli, const char *path) {
  struct os_file *file;
  uint64_t size = 0;
  if (!strcmp(path, "-") || os_file_open(cli->os, path, OS_READ, &file, NULL)) return 0;
  if (os_file_size(file, &size, NULL)) size = 0;
  os_file_close(file);
  return size;
}

static int read_standard_input(char *buffer,
                               int (*take)(void *context, struct str bytes, bool last,
                                           struct err *err),
                               void *context, struct err *err) {
  for (;;) {
    size_t got = fread(buffer, 1, READ_SIZE, stdin);
    if (ferror(stdin)) return err_set(err, ERR_IO, "the standard input cannot be read");
    int code = take(context, str_of(buffer, got), got < READ_SIZE, err);
    if (code || got < READ_SIZE) return code;
  }
}

int cli_read_file(struct cli *cli, const char *path,
                  int (*take)(void *context, struct str bytes, bool last, struct err *err),
                  void *context, struct err *err) {
  char *buffer = mem_alloc(&cli->account, READ_SIZE);
  if (!buffer) return mem_refused(&cli->account, READ_SIZE, err);
  int code = ERR_OK;
  struct os_file *file = NULL;
  if (!strcmp(path, "-"))
    code = read_standard_input(buffer, take, context, err);
  else
    code = os_file_open(cli->os, path, OS_READ, &file, err);
  uint64_t offset = 0;
  for (bool last = false; file && !code && !last;) {
    size_t got;
    code = os_file_read(file, offset, buffer, READ_SIZE, &got, err);
    last = got < READ_SIZE;
    offset += got;
    if (!code) code = take(context, str_of(buffer, got), last, err);
  }
  os_file_close(file);
  mem_free(&cli->account, buffer, READ_SIZE);
  return code;
}

/* ---- doors ---- */

int cli_door_open(struct cli *cli, struct cli_door *door, bool read_only, struct err *err) {
  const char *server = cli_value(&cli->arguments, "server"),
             *data = cli_value(&cli->arguments, "data");
  *door = (struct cli_door){.cli = cli};
  if (server && data)
    return err_set(err, ERR_INVALID_ARGUMENT, "give --server or --data, not both");
  if (!server && !data) server = "http://127.0.0.1:8086";
  int code = cli_load_settings(cli, NULL, err);
  if (code) return code;
  if (server)
    return http_client_open(server, INT64_C(300000000000), &cli->account, &door->client, err);
  return cli_open(cli, data, read_only, false, err);
}

void cli_door_close(struct cli_door *door) {
  http_client_close(door->client);
  door->client = NULL;
  cli_close(door->cli);
}

static int append_body(void *context, struct str bytes, struct err *err) {
  buffer_append_str(context, bytes);
  return buffer_check(context, err);
}

/* The text and the hint of {"error":"…","hint":"…"}, or the answer's first bytes. */
static int server_error(struct cli_door *door, int status, struct buffer *body, struct err *err) {
  struct arena arena;
  arena_init(&arena, &door->cli->account, 1024);
  struct json_reader reader;
  struct json_token token;
  struct str text = {NULL, 0}, hint = {NULL, 0};
  json_reader_init(&reader, buffer_str(body), &arena, 0);
  while (json_reader_next(&reader, &token, NULL) == ERR_OK && token.kind != JSON_END) {
    struct str *member = token.kind != JSON_KEY                ? NULL
                         : str_equal(token.text, STR("error")) ? &text
                         : str_equal(token.text, STR("hint"))  ? &hint
                                                               : NULL;
    if (member && json_reader_next(&reader, &token, NULL) == ERR_OK && token.kind == JSON_STRING)
      *member = token.text;
  }
  if (text.size == 0) text = str_of(body->data, body->size < 200 ? body->size : 200);
  int code = status == 404 ? ERR_NOT_FOUND : status >= 500 ? ERR_IO : ERR_INVALID_ARGUMENT;
  err_set(err, code, "%.*s", STR_ARG(text));
  err_detail(err, "answer %d of %s", status, http_client_address(door->client));
  if (hint.size) err_hint(err, "%.*s", STR_ARG(hint));
  arena_deinit(&arena);
  return code;
}

int cli_door_call(struct cli_door *door, const char *method, struct str target, const char *accept,
                  struct str body, struct buffer *answer, struct err *err) {
  struct http_client_header headers[] = {
      {"Accept", str_from(accept)}, {"Content-Type", STR("application/x-www-form-urlencoded")}};
  struct http_call call = {.method = method,
                           .target = target,
                           .headers = headers,
                           .header_count = accept[0] ? 2 : 0,
                           .body = body,
                           .on_body = append_body,
                           .context = answer};
  int status;
  int code = http_client_call(door->client, &call, &status, err);
  if (!code && status >= 300) code = server_error(door, status, answer, err);
  return code;
}

static int query_server(struct cli_door *door, struct str database, struct str text, bool pretty,
                        struct buffer *out, struct err *err) {
  struct buffer target, form;
  buffer_init(&target, &door->cli->account);
  buffer_init(&form, &door->cli->account);
  buffer_append_text(&target, pretty ? "/query?pretty=true&db=" : "/query?db=");
  url_encode(&target, database);
  buffer_append_text(&form, "q=");
  url_encode(&form, text);
  int code = buffer_check(&target, err);
  if (!code) code = buffer_check(&form, err);
  if (!code)
    code = cli_door_call(door, "POST", buffer_str(&target), "application/json", buffer_str(&form),
                         out, err);
  buffer_deinit(&form);
  buffer_deinit(&target);
  return code;
}

static int query_directory(struct cli_door *door, struct str database, struct str text, bool pretty,
                           struct buffer *out, struct err *err) {
  struct query_options options = {.language = QUERY_INFLUXQL, .text = text, .database = database};
  struct query *query;
  int code = api_query_open(door->cli->api, &options, &query, err);
  if (code) return code;
  struct answer answer;
  answer_init(&answer, out, &door->cli->account);
  answer.pretty = pretty;
  answer_begin(&answer);
  for (;;) {
    struct query_event event;
    code = query_next(query, &event, err);
    if (code || event.kind == QUERY_END) break;
    int64_t row = 0;
    do {
      code = answer_event(&answer, &event, &row, out->size + ANSWER_PIECE, err);
    } while (!code && event.kind == QUERY_ROWS && row < event.batch.length);
    if (code) break;
  }
  answer_end(&answer);
  if (!code) code = buffer_check(out, err);
  answer_deinit(&answer);
  query_close(query);
  return code;
}

int cli_door_query(struct cli_door *door, struct str database, struct str text, bool pretty,
                   struct buffer *out, struct err *err) {
  return door->client ? query_server(door, database, text, pretty, out, err)
                      : query_directory(door, database, text, pretty, out, err);
}

static int write_server(struct cli_door *door, struct str database, const char *precision,
                        struct str body, struct api_write_answer *answer, struct err *err) {
  struct buffer target, text;
  buffer_init(&target, &door->cli->account);
  buffer_init(&text, &door->cli->account);
  buffer_append_text(&target, "/write?db=");
  url_encode(&target, database);
  buffer_printf(&target, "&precision=%s", precision);
  int code = buffer_check(&target, err);
  if (!code) code = cli_door_call(door, "POST", buffer_str(&target), "", body, &text, err);
  bool partial = code == ERR_INVALID_ARGUMENT && err && !strncmp(err->message, "partial write", 13);
  *answer = (struct api_write_answer){.rows_rejected = 0};
  if (partial) {
    const char *count = strstr(err->message, " dropped=");
    answer->error = *err;
    answer->error.code = ERR_PARTIAL_WRITE;
    answer->error.detail[0] = 0; /* where the server is is of no interest here */
    answer->rows_rejected = count ? strtoull(count + 9, NULL, 10) : 1;
  }
  buffer_deinit(&text);
  buffer_deinit(&target);
  return partial ? ERR_OK : code;
}

int cli_door_write(struct cli_door *door, struct str database, const char *precision,
                   struct str body, struct api_write_answer *answer, struct err *err) {
  if (door->client) return write_server(door, database, precision, body, answer, err);
  struct api_write write = {.database = database, .format = API_LINE_PROTOCOL, .body = body};
  if (!time_unit_parse(str_from(precision), &write.precision))
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown precision \"%s\": use ns, us, ms or s",
                   precision);
  api_write(door->cli->api, &write, answer);
  int code = answer->error.code;
  if (code && code != ERR_PARTIAL_WRITE && err) *err = answer->error;
  return code == ERR_PARTIAL_WRITE ? ERR_OK : code;
}

void cli_append_identifier(struct buffer *out, struct str name) {
  buffer_append_byte(out, '"');
  for (size_t i = 0; i < name.size; i++) {
    if (name.data[i] == '"' || name.data[i] == '\\') buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)name.data[i]);
  }
  buffer_append_byte(out, '"');
}

int cli_door_database(struct cli_door *door, struct str database, const char *unit,
                      struct err *err) {
  enum time_unit parsed = TIME_NS;
  if (unit && !time_unit_parse(str_from(unit), &parsed))
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown unit \"%s\": use ns, us, ms or s", unit);
  if (!door->client) {
    int code = api_create_database(door->cli->api, database, parsed, err);
    return code == ERR_ALREADY_EXISTS && !unit ? ERR_OK : code;
  }
  struct buffer text, out;
  buffer_init(&text, &door->cli->account);
  buffer_init(&out, &door->cli->account);
  buffer_append_text(&text, "CREATE DATABASE ");
  cli_append_identifier(&text, database);
  if (unit) buffer_printf(&text, " WITH PRECISION %s", unit);
  int code = buffer_check(&text, err);
  if (!code) code = query_server(door, (struct str){"", 0}, buffer_str(&text), false, &out, err);
  buffer_deinit(&out);
  buffer_deinit(&text);
  return code;
}
