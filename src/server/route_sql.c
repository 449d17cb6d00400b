/* /sql: statements of SQL, run on the pool piece by piece as /query's are (route_query.c).
 *
 * The text comes as ?q=, as a form, as the body itself (any other Content-Type), or as a member of
 * a JSON object {"query":…,"parameters":[…],"database":…}. The status is the error's when the first
 * statement fails before anything was sent; later errors stand in the answer. */
#include "server/routes.h"
#include "server/rows_answer.h"
#include "server/server_private.h"

/* In the request's arena. */
struct sql_state {
  struct query *query;
  struct rows_answer answer;
  struct query_event event; /* the one at hand */
  int64_t row;              /* how far it was written */
  bool has_event;
};

struct sql_request {
  struct str text, parameters, database;
};

static void end(struct request *request) {
  struct sql_state *state = request->state;
  os_mutex_lock(&request->lock);
  request->state = NULL;
  os_mutex_unlock(&request->lock);
  query_close(state->query);
  rows_answer_deinit(&state->answer);
}

void route_sql_cancel(struct request *request) {
  os_mutex_lock(&request->lock);
  struct sql_state *state = request->state;
  if (state) query_cancel(state->query);
  os_mutex_unlock(&request->lock);
}

/* The body is the error alone: nothing of an answer was sent. */
static void refuse(struct request *request, const struct err *err) {
  struct json_writer json;
  buffer_reset(&request->out);
  json_writer_init(&json, &request->out, false);
  json_begin_object(&json);
  json_key(&json, STR("error"));
  rows_answer_error(&json, err);
  json_end_object(&json);
  buffer_append_byte(&request->out, '\n');
  request->content_type = "application/json";
  request->status = err_info(err->code)->http;
  if (err->retry_ms) {
    int64_t seconds = ((int64_t)err->retry_ms + 999) / 1000;
    http_write_header_u64(&request->headers, "Retry-After", (uint64_t)seconds);
  }
  reply_finish(request);
}

static void fail(struct request *request, const struct err *err) {
  struct err told = *err;
  log_warn(request->server->logger, "http", "query failed error=%s", told.message);
  end(request);
  if (request->head_sent)
    reply_break(request);
  else
    refuse(request, &told);
}

static void run(struct request *request) {
  struct sql_state *state = request->state;
  struct err err = {.offset = -1};
  for (;;) {
    if (atomic_load(&request->cancelled)) {
      end(request);
      reply_finish(request);
      return;
    }
    if (!state->has_event) {
      if (query_next(state->query, &state->event, &err)) {
        fail(request, &err);
        return;
      }
      state->has_event = true;
      state->row = 0;
    }
    if (state->event.kind == QUERY_END) break;
    if (state->event.kind == QUERY_DONE && state->event.statement == 0 && !request->head_sent &&
        state->event.error.code) {
      err = state->event.error;
      end(request);
      refuse(request, &err);
      return;
    }
    if (state->event.kind == QUERY_DONE && state->event.error.code &&
        state->answer.format == ROWS_ARROW) {
      fail(request, &state->event.error);
      return;
    }
    if (rows_answer_event(&state->answer, &state->event, &state->row, REPLY_PIECE_SIZE, &err)) {
      fail(request, &err);
      return;
    }
    if (state->event.kind != QUERY_ROWS || state->row >= state->event.batch.length)
      state->has_event = false;
    if (request->out.size >= REPLY_PIECE_SIZE) {
      query_rest(state->query); /* until the client has taken it */
      reply_flush(request, run);
      return;
    }
  }
  rows_answer_end(&state->answer);
  end(request);
  reply_finish(request);
}

/* ---- what is asked ---- */

/* The raw text of a value that begins with `token`. */
static int take_value(struct json_reader *reader, const struct json_token *token, size_t from,
                      struct str *text, struct err *err) {
  int code = json_reader_skip(reader, token, err);
  *text = str_of(reader->text.data + from, reader->at - from);
  return code;
}

static int read_json(struct request *request, struct str body, struct sql_request *sql,
                     struct err *err) {
  struct json_reader reader;
  struct json_token token;
  json_reader_init(&reader, body, &request->arena, 0);
  int code = json_reader_next(&reader, &token, err);
  if (!code && token.kind != JSON_BEGIN_OBJECT)
    return err_set(err, ERR_PARSE, "the body must be a JSON object with a member \"query\"");
  while (!code) {
    struct str key;
    size_t from;
    code = json_reader_next(&reader, &token, err);
    if (code || token.kind != JSON_KEY) break;
    key = token.text;
    from = reader.at;
    code = json_reader_next(&reader, &token, err);
    if (code) break;
    if (str_equal(key, STR("query")) && token.kind == JSON_STRING) {
      sql->text = token.text;
    } else if (str_equal(key, STR("database")) && token.kind == JSON_STRING) {
      sql->database = token.text;
    } else if (str_equal(key, STR("parameters")) && token.kind == JSON_BEGIN_ARRAY) {
      code = take_value(&reader, &token, from, &sql->parameters, err);
    } else if (str_equal(key, STR("parameters"))) {
      code = err_set(err, ERR_INVALID_ARGUMENT, "parameters must be a JSON array");
    } else {
      err_set(err, ERR_INVALID_ARGUMENT, "unknown member of the request: \"%.*s\"",
              (int)(key.size < 60 ? key.size : 60), key.data);
      err_hint(err, "members are query, parameters and database");
      code = ERR_INVALID_ARGUMENT;
    }
  }
  /* what stands between the colon and the array is not of the value */
  while (sql->parameters.size && sql->parameters.data[0] != '[')
    sql->parameters = str_of(sql->parameters.data + 1, sql->parameters.size - 1);
  return code;
}

static int read_request(struct request *request, struct sql_request *sql, struct err *err) {
  struct str type = request_header(request, "Content-Type");
  int code = request->method == HTTP_POST ? request_parse_form(request, err) : ERR_OK;
  sql->text = request_param(request, "q");
  sql->parameters = request_param(request, "params");
  sql->database = request_param(request, "db");
  if (!code && !sql->text.size && request->method == HTTP_POST) {
    struct str body;
    code = request_decode_body(request, &body, err);
    if (!code && str_starts_with(type, STR("application/json")))
      code = read_json(request, body, sql, err);
    else if (!code)
      sql->text = body;
  }
  if (code || sql->text.size) return code;
  err_set(err, ERR_INVALID_ARGUMENT, "missing the text of a statement");
  err_hint(err, "send it as the body of a POST, or as the parameter q");
  return ERR_INVALID_ARGUMENT;
}

static int read_format(struct request *request, enum rows_format *format, struct err *err) {
  struct str name = request_param(request, "format"), accept = request_header(request, "Accept");
  if (!name.size && str_starts_with(accept, STR("application/x-ndjson"))) name = STR("ndjson");
  if (!name.size && str_starts_with(accept, STR("application/vnd.apache.arrow.stream")))
    name = STR("arrow");
  if (!name.size && request_wants_csv(request)) name = STR("csv");
  if (rows_format_parse(name, format)) return ERR_OK;
  err_set(err, ERR_INVALID_ARGUMENT, "unknown format \"%.*s\"",
          (int)(name.size < 20 ? name.size : 20), name.data);
  err_hint(err, "formats are json, ndjson, csv and arrow");
  return ERR_INVALID_ARGUMENT;
}

static void start(struct request *request) {
  struct err err = {.offset = -1};
  struct sql_request sql = {0};
  enum rows_format format = ROWS_JSON;
  struct query *query = NULL;
  int code = read_request(request, &sql, &err);
  if (!code) code = read_format(request, &format, &err);
  struct sql_state *state = code ? NULL : ARENA_NEW(&request->arena, struct sql_state);
  if (!code && !state) code = mem_refused(request->arena.account, sizeof *state, &err);
  if (!code) {
    struct query_options options = {
        .language = QUERY_SQL,
        .text = sql.text,
        .parameters = sql.parameters,
        .database = sql.database,
        .read_only = request->method != HTTP_POST,
        .form = rows_format_form(format),
    };
    code = api_query_open(request_api(request), &options, &query, &err);
  }
  if (code) {
    refuse(request, &err);
    return;
  }
  state->query = query;
  rows_answer_init(&state->answer, format, &request->out, &request->server->account);
  request->status = 200;
  request->content_type = rows_format_media_type(format);
  rows_answer_begin(&state->answer);
  os_mutex_lock(&request->lock);
  request->state = state;
  os_mutex_unlock(&request->lock);
  run(request);
}

void route_sql_begin(struct request *request) { request_run(request, start); }
