/* The routes that tell how the server is: /ping, /health, /ready, /metrics. */
#include "api/api.h"
#include "base/metrics.h"
#include "server/routes.h"
#include "server/server_private.h"
#include "wire/json.h"

static bool is_true(struct str value) {
  return str_equal(value, STR("true")) || str_equal(value, STR("1")) ||
         str_equal(value, STR("t")) || str_equal(value, STR("T")) ||
         str_equal(value, STR("TRUE")) || str_equal(value, STR("True"));
}

void route_ping_begin(struct request *request) {
  struct str verbose = request_param(request, "verbose");
  /* InfluxDB takes any value but "", "0" and "false" for true. */
  if (verbose.size == 0 ||
      (!is_true(verbose) && (str_equal(verbose, STR("0")) || str_equal(verbose, STR("false"))))) {
    reply_empty(request, 204);
    return;
  }
  request->status = 200;
  request->content_type = "application/json";
  buffer_append_text(&request->out, "{\"version\":\"" SERVER_INFLUX_VERSION "\"}\n");
  reply_finish(request);
}

static void member(struct json_writer *json, struct str key, struct str value) {
  json_key(json, key);
  json_string(json, value);
}

/* One of the checks that did not pass. */
static void write_reason(void *context, const struct api_reason *reason) {
  struct json_writer *json = context;
  json_begin_object(json);
  member(json, STR("hint"), reason->hint);
  member(json, STR("message"), reason->text);
  member(json, STR("name"), str_from(reason->name));
  member(json, STR("severity"), reason->failed ? STR("failed") : STR("degraded"));
  member(json, STR("status"), STR("fail"));
  json_end_object(json);
}

void route_health_begin(struct request *request) {
  struct err why = {.offset = -1};
  struct json_writer json;
  json_writer_init(&json, &request->out, false);
  json_begin_object(&json);
  json_key(&json, STR("checks"));
  json_begin_array(&json);
  int code = api_health(request_api(request), write_reason, &json, &why);
  json_end_array(&json);
  struct buffer text;
  buffer_init(&text, &request->server->account);
  if (code)
    reply_error_text(&text, &why);
  else
    buffer_append_text(&text, "ready for queries and writes");
  member(&json, STR("message"), buffer_str(&text));
  member(&json, STR("name"), STR("nilo"));
  member(&json, STR("status"), code ? STR("fail") : STR("pass"));
  member(&json, STR("version"), STR(NILO_VERSION));
  json_end_object(&json);
  buffer_append_byte(&request->out, '\n');
  buffer_deinit(&text);
  request->status = code ? 503 : 200;
  request->content_type = "application/json";
  reply_finish(request);
}

void route_ready_begin(struct request *request) {
  bool ready = api_ready(request_api(request));
  struct json_writer json;
  json_writer_init(&json, &request->out, false);
  json_begin_object(&json);
  member(&json, STR("status"), ready ? STR("ready") : STR("starting"));
  if (ready) member(&json, STR("writes"), str_from(api_writes(request_api(request))));
  json_end_object(&json);
  buffer_append_byte(&request->out, '\n');
  request->status = ready ? 200 : 503;
  request->content_type = "application/json";
  reply_finish(request);
}

static void run_metrics(struct request *request) {
  api_refresh_metrics(request_api(request));
  metrics_write_prometheus(request->server->metrics, &request->out);
  struct err err = {.offset = -1};
  if (buffer_check(&request->out, &err)) {
    reply_error(request, &err);
    return;
  }
  request->status = 200;
  request->content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply_finish(request);
}

void route_metrics_begin(struct request *request) { request_run(request, run_metrics); }
