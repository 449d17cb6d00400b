/* The write routes: parameters in, the engine's answer out. Parsing, committing and waiting for the
 * disk happen behind api_write_submit; only decompression is done here, on the pool. */
#include "api/api.h"
#include "server/routes.h"

/* What is kept of a write until its answer; in the request's arena. */
struct write_state {
  struct api_write write;
};

/* Units of InfluxDB's `precision`. */
static int parse_precision(struct str text, struct api_write *write, struct err *err) {
  if (text.size == 0) {
    write->precision = TIME_NS;
    return ERR_OK;
  }
  if (time_unit_parse(text, &write->precision)) return ERR_OK;
  if (str_equal(text, STR("m")) || str_equal(text, STR("h"))) {
    write->precision = TIME_S;
    write->precision_factor = text.data[0] == 'm' ? 60 : 3600;
    return ERR_OK;
  }
  return err_set(err, ERR_INVALID_ARGUMENT, "invalid precision \"%.*s\" (use ns, u, ms, s, m or h)",
                 (int)(text.size < 20 ? text.size : 20), text.data);
}

static int parse_bool(struct str text, const char *name, bool *value, struct err *err) {
  if (text.size == 0 || str_equal(text, STR("false")) || str_equal(text, STR("0")))
    *value = false;
  else if (str_equal(text, STR("true")) || str_equal(text, STR("1")))
    *value = true;
  else
    return err_set(err, ERR_INVALID_ARGUMENT, "%s is neither true nor false", name);
  return ERR_OK;
}

/* From any thread: rows are durable, or refused. */
static void on_written(void *context, const struct api_write_answer *answer) {
  struct request *request = context;
  if (answer->error.code == ERR_OK)
    reply_empty(request, 204);
  else
    reply_error(request, &answer->error);
}

/* Hands the body to the engine; an empty one is fine, as it is to InfluxDB. */
static void submit(struct request *request) {
  struct write_state *state = request->state;
  struct err err = {.offset = -1};
  if (request_decode_body(request, &state->write.body, &err)) {
    reply_error(request, &err);
    return;
  }
  api_write_submit(request_api(request), &state->write, on_written, request);
}

static void begin(struct request *request,
                  int (*parse)(struct request *, struct api_write *, struct err *)) {
  struct err err = {.offset = -1};
  struct write_state *state = ARENA_NEW(&request->arena, struct write_state);
  int code = state ? parse(request, &state->write, &err)
                   : mem_refused(request->arena.account, sizeof *state, &err);
  if (!code) {
    code = parse_bool(request_param(request, "atomic"), "atomic", &state->write.atomic, &err);
  }
  if (code) {
    reply_error(request, &err);
    return;
  }
  state->write.format = API_LINE_PROTOCOL;
  request->state = state;
  if (request_is_compressed(request))
    request_run(request, submit);
  else
    submit(request);
}

static int parse_v1(struct request *request, struct api_write *write, struct err *err) {
  write->database = request_param(request, "db");
  write->schema = request_param(request, "rp");
  if (write->database.size == 0) {
    err_set(err, ERR_INVALID_ARGUMENT, "database is required");
    err_hint(err, "name it in the query string: /write?db=mydb");
    return ERR_INVALID_ARGUMENT;
  }
  return parse_precision(request_param(request, "precision"), write, err);
}

/* A bucket is "database" or "database/policy". */
static int parse_v2(struct request *request, struct api_write *write, struct err *err) {
  struct str bucket = request_param(request, "bucket");
  const char *slash = bucket.size ? memchr(bucket.data, '/', bucket.size) : NULL;
  write->database = bucket;
  if (slash) {
    write->database.size = (size_t)(slash - bucket.data);
    write->schema = (struct str){slash + 1, bucket.size - write->database.size - 1};
  }
  if (write->database.size == 0) {
    err_set(err, ERR_INVALID_ARGUMENT, "bucket is required");
    err_hint(err, "name it in the query string: /api/v2/write?bucket=mydb or bucket=mydb/policy");
    return ERR_INVALID_ARGUMENT;
  }
  return parse_precision(request_param(request, "precision"), write, err);
}

void route_write_begin(struct request *request) { begin(request, parse_v1); }
void route_write_v2_begin(struct request *request) { begin(request, parse_v2); }
