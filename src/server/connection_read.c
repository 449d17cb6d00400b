/* Reading requests: where bytes go, and what each event of the parser leads to.
 *
 * A body of known length is read straight into its final place: the kernel is asked for no more
 * than what is left of it, so nothing of the next request lands there. Everything else is read into
 * the loop's one buffer and parsed at once. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "server/server_private.h"

static uint64_t now_of(const struct connection *connection) {
  return uv_now(&connection->loop->uv);
}

void connection_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  struct connection *connection = handle->data;
  struct buffer *body = &connection->request.body;
  uint64_t left = http_parser_body_left(&connection->parser);
  connection->direct = false;
  if (connection->phase == PHASE_BODY && !connection->refused && left > 0 &&
      body->capacity - body->size >= left) {
    connection->direct = true;
    size_t size = left < READ_DIRECT_MAX ? (size_t)left : READ_DIRECT_MAX;
    *buffer = uv_buf_init((char *)body->data + body->size, (unsigned)size);
    return;
  }
  *buffer = uv_buf_init(connection->loop->read_buffer, READ_BUFFER_SIZE);
}

void connection_set_reading(struct connection *connection, bool on) {
  if (connection->reading == on || connection->phase == PHASE_CLOSING) return;
  if (on && connection->at_end) return;
  connection->reading = on;
  if (!on)
    uv_read_stop((uv_stream_t *)&connection->tcp);
  else if (uv_read_start((uv_stream_t *)&connection->tcp, connection_on_alloc, connection_on_read))
    connection_close(connection);
}

/* The client sends no more, or the connection broke. */
static void on_end(struct connection *connection, bool broken) {
  connection->at_end = true;
  connection_set_reading(connection, false);
  const struct route *route = connection->request.route;
  bool answers = connection->phase == PHASE_BUSY && !broken;
  /* A client that goes away ends its query; a write is finished, and its answer tried. */
  if (answers && connection->active && route && route->is_query) answers = false;
  if (!answers && connection->phase != PHASE_WAITING)
    connection_close(connection);
  else if (connection->pending_at == connection->pending.size)
    connection->close_after = true; /* else requests are left that came before the end */
}

/* Keeps bytes for later; reading stops when they are many. */
static void keep(struct connection *connection, struct str bytes) {
  if (bytes.size == 0) return;
  if (!buffer_append_str(&connection->pending, bytes)) {
    connection_close(connection);
    return;
  }
  if (connection->pending.size - connection->pending_at >= PENDING_MAX) {
    connection_set_reading(connection, false);
  }
}

void connection_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  struct connection *connection = stream->data;
  if (size == 0) return; /* nothing to read after all */
  if (size < 0) {
    on_end(connection, size != UV_EOF);
    return;
  }
  metric_add(connection->loop->server->counters.bytes_in, (uint64_t)size);
  struct str bytes = {buffer->base, (size_t)size};
  if (connection->phase == PHASE_LINGER) {
    connection->discarded += (uint64_t)size;
    return;
  }
  if (connection->phase >= PHASE_WAITING || connection->pending_at < connection->pending.size) {
    keep(connection, bytes);
    return;
  }
  size_t before = connection->pending_at;
  connection_feed(connection, bytes);
  size_t used = connection->pending_at - before;
  connection->pending_at = before;
  if (connection->phase == PHASE_CLOSING) return;
  if (connection->phase == PHASE_WAITING) connection_set_reading(connection, false);
  if (used < bytes.size) keep(connection, (struct str){bytes.data + used, bytes.size - used});
}

/* The parser failed: what it found is the answer, and the connection is over. */
static void on_bad_message(struct connection *connection, struct err *err) {
  if (err->code == ERR_BODY_TOO_LARGE) {
    err_hint(err, "send smaller batches, or raise http.body_size_max");
  }
  connection_refuse(connection, connection->parser.error_status, err);
}

/* Answers a refused request; its body, if any, has been dropped or will never be read. */
static void answer_refusal(struct connection *connection) {
  connection_answer_error(connection, connection->refusal_status, &connection->refusal);
}

static void send_continue(struct connection *connection) {
  static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
  uv_buf_t bytes = uv_buf_init(text, sizeof text - 1);
  int sent = uv_try_write((uv_stream_t *)&connection->tcp, &bytes, 1);
  if (sent != (int)sizeof text - 1) connection_close(connection);
}

/* Makes room for a body of known length, or waits for it. */
static void reserve_body(struct connection *connection, uint64_t length) {
  struct buffer *body = &connection->request.body;
  if (buffer_reserve(body, (size_t)length)) return;
  buffer_reset(body);
  connection_wait_for_room(connection);
  for (unsigned i = 0; i < connection->loop->server->loop_count; i++) {
    loop_wake(&connection->loop->server->loops[i]); /* idle connections give back what they keep */
  }
}

static void on_head(struct connection *connection) {
  const struct http_message *message = &connection->parser.message;
  connection->phase = PHASE_BODY;
  connection->deadline = now_of(connection) + connection->loop->server->limits.body_ms;
  err_reset(&connection->refusal);
  int code = request_from_head(&connection->request, &connection->parser,
                               &connection->refusal_status, &connection->refusal);
  bool body_comes = message->chunked || message->length > 0;
  if (code) {
    bool small = !message->chunked && message->length <= DISCARD_MAX && !message->expect_continue;
    connection->refused = true;
    if (body_comes && !small) { /* the rest of the body is not worth reading */
      connection->close_after = true;
      answer_refusal(connection);
    }
    return;
  }
  if (message->has_length) reserve_body(connection, message->length);
  if (message->expect_continue) send_continue(connection);
}

static void on_body(struct connection *connection, struct str bytes) {
  struct buffer *body = &connection->request.body;
  connection->deadline = now_of(connection) + connection->loop->server->limits.body_ms;
  if (connection->refused) return;
  if (connection->direct) {
    assert(bytes.data == (const char *)body->data + body->size);
    buffer_advance(body, bytes.size);
    return;
  }
  if (buffer_append_str(body, bytes)) return;
  struct err err = {.offset = -1};
  err_set(&err, ERR_MEMORY_LIMIT, "no room for the request body: too many bodies at once");
  connection->parser.error_status = 503;
  on_bad_message(connection, &err);
}

static void on_complete(struct connection *connection) {
  struct request *request = &connection->request;
  if (connection->refused) {
    connection->refused = false; /* everything of it was read */
    answer_refusal(connection);
    return;
  }
  connection->phase = PHASE_BUSY;
  connection->active = true;
  connection->deadline = 0;
  request->route->begin(request);
}

/* Advances pending_at by what was used, so that callers see it even when the bytes were not from
 * `pending`. */
void connection_feed(struct connection *connection, struct str bytes) {
  while (connection->phase < PHASE_WAITING) {
    size_t used;
    enum http_event event;
    struct str body;
    struct err err = {.offset = -1};
    int code = http_parser_next(&connection->parser, bytes, &used, &event, &body, &err);
    connection->pending_at += used;
    bytes = (struct str){bytes.data + used, bytes.size - used};
    if (code) {
      on_bad_message(connection, &err);
      return;
    }
    switch (event) {
    case HTTP_EVENT_HEAD:
      on_head(connection);
      break;
    case HTTP_EVENT_BODY:
      on_body(connection, body);
      break;
    case HTTP_EVENT_END:
      on_complete(connection);
      return;
    default:
      if (connection->phase == PHASE_IDLE && http_parser_is_inside(&connection->parser)) {
        connection->phase = PHASE_HEAD;
        connection->deadline = now_of(connection) + connection->loop->server->limits.header_ms;
      }
      return;
    }
  }
}
