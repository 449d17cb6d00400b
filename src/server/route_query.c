/* /query: runs on the pool, piece by piece. A piece ends when about REPLY_PIECE_SIZE bytes of
 * answer are there; the query then rests, without a thread, until the client has taken enough.
 *
 * Cancelling may come from the loop while a worker is inside the query; the request's lock keeps
 * the query from being closed under it. */
#include "api/api.h"
#include "base/number.h"
#include "server/answer.h"
#include "server/routes.h"
#include "server/server_private.h"

/* In the request's arena. */
struct query_state {
  struct query *query;
  struct answer answer;
  struct query_event event; /* the one at hand */
  int64_t row;              /* how far it was written */
  bool has_event;
};

enum { CHUNK_SIZE_DEFAULT = 10000 };

static bool is_true(struct str value) { return str_equal(value, STR("true")); }

/* chunked=true and chunk_size=n; a size that is no positive number means the default. */
static int64_t chunk_size(const struct request *request) {
  if (!is_true(request_param(request, "chunked"))) return 0;
  struct str text = request_param(request, "chunk_size");
  const char *at = text.data;
  int64_t size = 0;
  if (text.size == 0) return CHUNK_SIZE_DEFAULT;
  if (number_parse_i64(&at, text.data + text.size, &size) || at != text.data + text.size ||
      size <= 0) {
    return CHUNK_SIZE_DEFAULT;
  }
  return size;
}

static void end(struct request *request) {
  struct query_state *state = request->state;
  os_mutex_lock(&request->lock);
  request->state = NULL;
  os_mutex_unlock(&request->lock);
  query_close(state->query);
  answer_deinit(&state->answer);
}

void route_query_cancel(struct request *request) {
  os_mutex_lock(&request->lock);
  struct query_state *state = request->state;
  if (state) query_cancel(state->query);
  os_mutex_unlock(&request->lock);
}

/* The query itself broke (not one of its statements). */
static void fail(struct request *request, const struct err *err) {
  log_warn(request->server->logger, "http", "query failed error=%s", err->message);
  end(request);
  if (request->head_sent)
    reply_break(request);
  else
    reply_error(request, err);
}

static void run(struct request *request) {
  struct query_state *state = request->state;
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
    if (state->event.kind == QUERY_DONE && answer_is_fault(&state->event.error)) {
      char text[1024];
      err_format(&state->event.error, text, sizeof text);
      log_error(request->server->logger, "http", "a statement met a fault: %s", text);
    }
    if (answer_event(&state->answer, &state->event, &state->row, REPLY_PIECE_SIZE, &err)) {
      fail(request, &err);
      return;
    }
    if (state->event.kind != QUERY_ROWS || state->row >= state->event.batch.length) {
      state->has_event = false;
    }
    if (request->out.size >= REPLY_PIECE_SIZE) {
      query_rest(state->query); /* until the client has taken it */
      reply_flush(request, run);
      return;
    }
  }
  answer_end(&state->answer);
  end(request);
  reply_finish(request);
}

static int check_params(struct request *request, enum answer_epoch *epoch, struct err *err) {
  struct str q = request_param(request, "q");
  if (q.size == 0) return err_set(err, ERR_INVALID_ARGUMENT, "missing required parameter \"q\"");
  struct str text = request_param(request, "epoch");
  if (!answer_epoch_parse(text, epoch)) {
    return err_set(err, ERR_INVALID_ARGUMENT, "invalid epoch \"%.*s\" (use ns, u, ms, s, m or h)",
                   (int)(text.size < 20 ? text.size : 20), text.data);
  }
  return ERR_OK;
}

static void start(struct request *request) {
  struct err err = {.offset = -1};
  enum answer_epoch epoch = ANSWER_RFC3339;
  struct query *query = NULL;
  int code = request->method == HTTP_POST ? request_parse_form(request, &err) : ERR_OK;
  if (!code) code = check_params(request, &epoch, &err);
  struct query_state *state = code ? NULL : ARENA_NEW(&request->arena, struct query_state);
  if (!code && !state) code = mem_refused(request->arena.account, sizeof *state, &err);
  if (!code) {
    struct query_options options = {
        .language = QUERY_INFLUXQL,
        .text = request_param(request, "q"),
        .parameters = request_param(request, "params"),
        .database = request_param(request, "db"),
        .schema = request_param(request, "rp"),
        .read_only = request->method != HTTP_POST,
    };
    code = api_query_open(request_api(request), &options, &query, &err);
  }
  if (code) {
    reply_error(request, &err);
    return;
  }
  state->query = query;
  answer_init(&state->answer, &request->out, &request->server->account);
  state->answer.epoch = epoch;
  state->answer.csv = request_wants_csv(request);
  state->answer.pretty = is_true(request_param(request, "pretty"));
  state->answer.chunk_size = chunk_size(request);
  request->status = 200;
  request->content_type = state->answer.csv ? "text/csv" : "application/json";
  answer_begin(&state->answer);
  os_mutex_lock(&request->lock);
  request->state = state;
  os_mutex_unlock(&request->lock);
  run(request);
}

void route_query_begin(struct request *request) { request_run(request, start); }
