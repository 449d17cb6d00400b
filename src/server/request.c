/* A request from its head, the replies of routes, and the counting of both. */
#include "server/request.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/text.h"
#include "server/server_private.h"
#include "wire/csv.h"
#include "wire/gzip.h"
#include "wire/json.h"

static void run_task(struct os_task *task) {
  struct request *request =
      (struct request *)(void *)((char *)task - offsetof(struct request, task));
  request->run(request);
}

void request_init(struct request *request, struct connection *connection) {
  struct server *server = connection->loop->server;
  request->server = server;
  request->connection = connection;
  request->task.run = run_task;
  os_mutex_init(&request->lock, server->os);
  buffer_init(&request->body, &server->bodies);
  buffer_init(&request->decoded, &server->bodies);
  buffer_init(&request->headers, &server->account);
  buffer_init(&request->out, &server->account);
  arena_init(&request->arena, &server->account, 4096);
}

void request_deinit(struct request *request) {
  buffer_deinit(&request->body);
  buffer_deinit(&request->decoded);
  buffer_deinit(&request->headers);
  buffer_deinit(&request->out);
  arena_deinit(&request->arena);
  os_mutex_deinit(&request->lock);
}

void request_reset(struct request *request) {
  buffer_reset(&request->body);
  buffer_reset(&request->decoded);
  buffer_reset(&request->headers);
  buffer_reset(&request->out);
  arena_reset(&request->arena);
  request->route = NULL;
  request->method = HTTP_GET;
  request->path = (struct str){NULL, 0};
  request->params = (struct url_pairs){0};
  request->form = (struct url_pairs){0};
  request->start_ns = 0;
  request->id[0] = '\0';
  request->state = NULL;
  request->status = 0;
  request->content_type = NULL;
  request->last = false;
  request->head_sent = false;
  request->chunked = false;
  request->broken = false;
  atomic_store(&request->cancelled, false);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* A random UUID (RFC 4122 version 4) from the loop's generator. */
static void make_id(struct request *request) {
  static const char digits[] = "0123456789abcdef";
  uint64_t *state = &request->connection->loop->id_state;
  uint64_t words[2] = {next_random(state), next_random(state)};
  uint8_t bytes[16];
  memcpy(bytes, words, sizeof bytes);
  bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
  bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
  char *at = request->id;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = digits[bytes[i] >> 4];
    *at++ = digits[bytes[i] & 15];
  }
  *at = '\0';
}

static void take_id(struct request *request, const struct http_parser *parser) {
  struct str given = http_header(parser, STR("X-Request-Id"));
  if (!given.data) given = http_header(parser, STR("Request-Id"));
  if (given.size == 0) {
    make_id(request);
    return;
  }
  size_t size = given.size < sizeof request->id ? given.size : sizeof request->id - 1;
  memcpy(request->id, given.data, size);
  request->id[size] = '\0';
}

/* The Allow header of a 405, and of the answer to OPTIONS. */
static void allow(struct request *request, unsigned methods) {
  bool get = methods & ROUTE_GET;
  bool post = methods & ROUTE_POST;
  reply_header(request, "Allow",
               get && post ? STR("GET, HEAD, POST, OPTIONS")
               : get       ? STR("GET, HEAD, OPTIONS")
                           : STR("POST, OPTIONS"));
}

static void begin_options(struct request *request) {
  allow(request, ROUTE_GET | ROUTE_POST);
  reply_header(request, "Access-Control-Allow-Methods", STR("GET, HEAD, POST, OPTIONS"));
  reply_header(request, "Access-Control-Allow-Headers",
               STR("Accept, Accept-Encoding, Authorization, Content-Encoding, Content-Length, "
                   "Content-Type, X-Request-Id"));
  reply_header(request, "Access-Control-Max-Age", STR("600"));
  reply_empty(request, 204);
}

static const struct route options_route = {
    .path = "*", .label = "options", .methods = ROUTE_GET, .begin = begin_options};

static int not_found(struct request *request, int *status, struct err *err) {
  *status = 404;
  err_set(err, ERR_NOT_FOUND, "there is nothing at \"%.*s\"",
          (int)(request->path.size < 100 ? request->path.size : 100), request->path.data);
  struct text_nearest nearest = text_nearest_of(request->path);
  size_t count;
  const struct route *routes = routes_all(&count);
  for (size_t i = 0; i < count; i++)
    text_nearest_offer(&nearest, str_from(routes[i].path));
  if (nearest.best.data)
    err_hint(err, "did you mean %.*s?", STR_ARG(nearest.best));
  else
    err_hint(err, "there are /query, /write, /api/v2/write, /ping, /health, /ready, /metrics");
  return ERR_NOT_FOUND;
}

int request_from_head(struct request *request, const struct http_parser *parser, int *status,
                      struct err *err) {
  const struct http_message *message = &parser->message;
  request->method = message->method;
  request->start_ns = os_monotonic_ns(request->server->os);
  take_id(request, parser);
  *status = 400;
  int code =
      url_decode(http_text(parser, message->path), false, &request->arena, &request->path, err);
  if (code) {
    *status = err_info(code)->http;
    return code;
  }
  request->route = message->method == HTTP_OPTIONS ? &options_route : routes_find(request->path);
  if (!request->route) return not_found(request, status, err);
  code = url_pairs_parse(&request->params, http_text(parser, message->query), &request->arena, err);
  if (code) {
    if (code == ERR_PARSE) {
      int64_t offset = err->offset;
      err_wrap(err, "unable to parse the query string at byte %lld", (long long)offset + 1);
    }
    *status = err_info(code)->http;
    return code;
  }
  unsigned methods = request->route->methods;
  bool allowed = message->method == HTTP_HEAD ? methods & ROUTE_GET
                 : message->method == HTTP_GET || message->method == HTTP_POST
                     ? methods >> message->method & 1
                     : message->method == HTTP_OPTIONS;
  if (allowed) return ERR_OK;
  allow(request, methods);
  *status = 405;
  struct str method = http_text(parser, message->method_text);
  return err_set(err, ERR_METHOD_NOT_ALLOWED, "%s does not take the method %.*s",
                 request->route->path, (int)(method.size < 20 ? method.size : 20), method.data);
}

struct str request_param(const struct request *request, const char *name) {
  struct str found = url_pairs_find(&request->form, str_from(name));
  return found.data ? found : url_pairs_find(&request->params, str_from(name));
}

struct str request_header(const struct request *request, const char *name) {
  return http_header(&request->connection->parser, str_from(name));
}

bool request_wants_csv(const struct request *request) {
  struct str accept = request_header(request, "Accept");
  return http_value_has_token(accept, STR("application/csv")) ||
         http_value_has_token(accept, STR("text/csv"));
}

struct api *request_api(const struct request *request) {
  return request->server->api;
}

int request_parse_form(struct request *request, struct err *err) {
  struct str type = request_header(request, "Content-Type");
  if (type.size >= 10 && str_equal_ignoring_case((struct str){type.data, 10}, STR("multipart/"))) {
    err_set(err, ERR_UNSUPPORTED, "multipart forms are not supported");
    err_hint(err, "send application/x-www-form-urlencoded (curl --data-urlencode)");
    return ERR_UNSUPPORTED;
  }
  if (!http_value_has_token(type, STR("application/x-www-form-urlencoded"))) return ERR_OK;
  struct str body;
  int code = request_decode_body(request, &body, err);
  if (code) return code;
  code = url_pairs_parse(&request->form, body, &request->arena, err);
  if (code == ERR_PARSE && err) {
    int64_t offset = err->offset;
    err_wrap(err, "unable to parse the form at byte %lld", (long long)offset + 1);
  }
  return code;
}

bool request_is_compressed(const struct request *request) {
  struct str coding = request_header(request, "Content-Encoding");
  return coding.size > 0 && !str_equal_ignoring_case(coding, STR("identity"));
}

int request_decode_body(struct request *request, struct str *body, struct err *err) {
  *body = buffer_str(&request->body);
  if (!request_is_compressed(request)) return ERR_OK;
  struct str coding = request_header(request, "Content-Encoding");
  enum gzip_format format = GZIP_FORMAT_GZIP;
  if (str_equal_ignoring_case(coding, STR("deflate"))) {
    format = GZIP_FORMAT_DEFLATE;
  } else if (!str_equal_ignoring_case(coding, STR("gzip")) &&
             !str_equal_ignoring_case(coding, STR("x-gzip"))) {
    err_set(err, ERR_UNSUPPORTED, "Content-Encoding '%.*s' is not supported",
            (int)(coding.size < 40 ? coding.size : 40), coding.data);
    err_hint(err, "send the body plain or with gzip");
    return ERR_UNSUPPORTED;
  }
  int code =
      gzip_inflate(format, *body, (size_t)request->server->limits.body_max, &request->decoded, err);
  *body = buffer_str(&request->decoded);
  return code;
}

void request_run(struct request *request, void (*run)(struct request *request)) {
  request->run = run;
  os_pool_submit(request->server->pool, &request->task);
}

/* ---- replies ---- */

void reply_header(struct request *request, const char *name, struct str value) {
  http_write_header(&request->headers, name, value);
}

void reply_flush(struct request *request, void (*run)(struct request *request)) {
  request->run = run;
  request->last = false;
  loop_post(request->connection->loop, request);
}

void reply_finish(struct request *request) {
  request->last = true;
  loop_post(request->connection->loop, request);
}

void reply_break(struct request *request) {
  request->broken = true;
  reply_finish(request);
}

void reply_empty(struct request *request, int status) {
  request->status = status;
  buffer_reset(&request->out);
  reply_finish(request);
}

void reply_error_text(struct buffer *out, const struct err *err) {
  buffer_append_text(out, err->message[0] ? err->message : err_info(err->code)->text);
  if (err->detail[0]) buffer_printf(out, " (%s)", err->detail);
}

/* InfluxDB 2's word for a status. */
static const char *v2_code(int status) {
  switch (status) {
  case 400:
    return "invalid";
  case 401:
    return "unauthorized";
  case 404:
    return "not found";
  case 405:
    return "method not allowed";
  case 409:
    return "conflict";
  case 413:
    return "request too large";
  case 429:
    return "too many requests";
  case 503:
    return "unavailable";
  default:
    return status >= 500 ? "internal error" : "invalid";
  }
}

/* {"error":…} or {"code":…,"message":…}, with the hint if there is one. */
static void write_json_error(struct request *request, int status, struct str text, struct str hint,
                             bool pretty) {
  struct json_writer json;
  json_writer_init(&json, &request->out, pretty);
  json_begin_object(&json);
  if (request->route && request->route->error_style == ERROR_STYLE_V2) {
    json_key(&json, STR("code"));
    json_string(&json, str_from(v2_code(status)));
    json_key(&json, STR("message"));
  } else {
    json_key(&json, STR("error"));
  }
  json_string(&json, text);
  if (hint.size) {
    json_key(&json, STR("hint"));
    json_string(&json, hint);
  }
  json_end_object(&json);
  buffer_append_byte(&request->out, '\n');
}

void reply_error_status(struct request *request, int status, const struct err *err) {
  bool is_query = request->route && request->route->is_query;
  bool is_v2 = request->route && request->route->error_style == ERROR_STYLE_V2;
  struct buffer text;
  buffer_init(&text, &request->server->account);
  reply_error_text(&text, err);
  buffer_reset(&request->out);
  request->content_type = "application/json";
  if (is_query && request_wants_csv(request)) {
    request->content_type = "text/csv";
    buffer_append_text(&request->out, "error\n");
    csv_write_field(&request->out, buffer_str(&text), true);
    csv_write_row_end(&request->out);
  } else {
    bool pretty = is_query && str_equal(request_param(request, "pretty"), STR("true"));
    write_json_error(request, status, buffer_str(&text), str_from(err->hint), pretty);
  }
  if (!is_v2) http_write_header(&request->headers, "X-Influxdb-Error", buffer_str(&text));
  buffer_deinit(&text);
  if (status == 503 || err->retry_ms) {
    /* whole seconds, upwards */
    int64_t seconds = err->retry_ms ? ((int64_t)err->retry_ms + 999) / 1000 : 1;
    http_write_header_u64(&request->headers, "Retry-After", (uint64_t)seconds);
  }
  request->status = status;
  reply_finish(request);
}

void reply_error(struct request *request, const struct err *err) {
  reply_error_status(request, err_info(err->code)->http, err);
}

void request_write_head(struct request *request, int64_t length, bool chunked, bool keep_alive,
                        struct buffer *out) {
  struct loop *loop = request->connection->loop;
  if (!request->id[0]) make_id(request);
  http_write_status(out, request->status);
  buffer_printf(out,
                "Date: %s\r\nX-Influxdb-Build: OSS\r\nX-Influxdb-Version: " SERVER_INFLUX_VERSION
                "\r\nX-Nilo-Version: " NILO_VERSION "\r\n",
                loop_date(loop));
  http_write_header(out, "Request-Id", str_from(request->id));
  http_write_header(out, "X-Request-Id", str_from(request->id));
  const char *origin = request->server->limits.allow_origin;
  if (origin[0]) {
    http_write_header(out, "Access-Control-Allow-Origin", str_from(origin));
    http_write_header(out, "Access-Control-Expose-Headers",
                      STR("Date, X-Influxdb-Version, X-Influxdb-Build, X-Request-Id"));
  }
  buffer_append_str(out, buffer_str(&request->headers));
  if (request->content_type) {
    http_write_header(out, "Content-Type", str_from(request->content_type));
  }
  if (chunked)
    http_write_header(out, "Transfer-Encoding", STR("chunked"));
  else if (length >= 0 && request->status != 204) {
    http_write_header_u64(out, "Content-Length", (uint64_t)length);
  }
  if (!keep_alive) http_write_header(out, "Connection", STR("close"));
  http_write_head_end(out);
}

void request_finished(struct request *request) {
  struct server *server = request->server;
  size_t count;
  const struct route *routes = routes_all(&count);
  size_t index = count;
  if (request->route >= routes && request->route < routes + count) {
    index = (size_t)(request->route - routes);
  }
  struct route_metrics *metrics = &server->routes[index];
  struct metric_counter *outcome = request->status < 400   ? metrics->ok
                                   : request->status < 500 ? metrics->client_error
                                                           : metrics->server_error;
  metric_add(outcome, 1);
  int64_t ns = 0;
  if (request->start_ns) {
    ns = os_monotonic_ns(server->os) - request->start_ns;
    metric_record(metrics->seconds, (uint64_t)(ns > 0 ? ns : 0));
  }
  if (server->limits.log_requests) {
    log_info(server->logger, "http", "request path=%.*s status=%d us=%lld id=%s",
             (int)(request->path.size < 200 ? request->path.size : 200),
             request->path.data ? request->path.data : "", request->status,
             (long long)(ns / NS_PER_US), request->id);
  }
}
