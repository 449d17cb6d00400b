/* A connection: its life, its requests one after another, sending replies, deadlines.
 *
 * Phases: IDLE -> HEAD -> BODY (-> WAITING -> BODY) -> BUSY -> IDLE …; LINGER and CLOSING end it.
 * While a request is worked on (BUSY) the next ones stay unparsed in `pending`, so answers come in
 * order. The struct is freed when both its handle is closed and no worker has its request. */
#include <assert.h>
#include <string.h>

#include "api/api.h"
#include "base/err.h"
#include "base/limits.h"
#include "server/server_private.h"

static void on_closed(uv_handle_t *handle);

struct connection *connection_create(struct loop *loop) {
  struct server *server = loop->server;
  struct connection *connection = mem_alloc_zero(&server->account, sizeof *connection);
  if (!connection) return NULL;
  connection->loop = loop;
  uv_tcp_init(&loop->uv, &connection->tcp);
  connection->tcp.data = connection;
  connection->shutdown.data = connection;
  struct http_limits limits = {
      .line_max = LIMIT_HTTP_HEAD_SIZE,
      .header_bytes_max = HTTP_HEADER_BYTES_MAX_DEFAULT,
      .header_count_max = LIMIT_HTTP_HEADERS,
      .body_max = server->limits.body_max,
  };
  http_parser_init(&connection->parser, &limits, &server->account);
  buffer_init(&connection->pending, &server->account);
  for (int i = 0; i < 2; i++) {
    struct send *send = &connection->sends[i];
    send->connection = connection;
    send->write.data = send;
    buffer_init(&send->head, &server->account);
    buffer_init(&send->data, &server->account);
  }
  request_init(&connection->request, connection);
  connection->next = loop->connections;
  if (loop->connections) loop->connections->previous = connection;
  loop->connections = connection;
  metric_gauge_add(server->counters.connections, 1);
  loop_start_tick(loop);
  return connection;
}

static uint64_t now_of(const struct connection *connection) {
  return uv_now(&connection->loop->uv);
}

void connection_begin(struct connection *connection) {
  uv_tcp_nodelay(&connection->tcp, 1);
  connection->phase = PHASE_IDLE;
  connection->deadline = now_of(connection) + connection->loop->server->limits.idle_ms;
  connection_set_reading(connection, true);
}

static void connection_free(struct connection *connection) {
  struct loop *loop = connection->loop;
  struct server *server = loop->server;
  if (connection->previous)
    connection->previous->next = connection->next;
  else
    loop->connections = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
  request_deinit(&connection->request);
  http_parser_deinit(&connection->parser);
  buffer_deinit(&connection->pending);
  for (int i = 0; i < 2; i++) {
    buffer_deinit(&connection->sends[i].head);
    buffer_deinit(&connection->sends[i].data);
  }
  mem_free(&server->account, connection, sizeof *connection);
  metric_gauge_add(server->counters.connections, -1);
  atomic_fetch_sub(&loop->connection_count, 1);
  atomic_fetch_sub(&server->connection_count, 1);
  if (loop->stopping || atomic_load(&server->waiting_count) > 0) loop_wake(loop);
}

static void on_closed(uv_handle_t *handle) {
  struct connection *connection = handle->data;
  connection->closed = true;
  if (!connection->active) connection_free(connection);
}

static void leave_waiting(struct connection *connection) {
  struct loop *loop = connection->loop;
  for (struct connection **at = &loop->waiting; *at; at = &(*at)->next_waiting) {
    if (*at != connection) continue;
    *at = connection->next_waiting;
    atomic_fetch_sub(&loop->server->waiting_count, 1);
    return;
  }
}

static void resume(struct connection *connection) {
  connection->paused = false;
  os_pool_submit(connection->loop->server->pool, &connection->request.task);
}

void connection_close(struct connection *connection) {
  if (connection->phase == PHASE_CLOSING) return;
  if (connection->phase == PHASE_WAITING) leave_waiting(connection);
  connection->phase = PHASE_CLOSING;
  if (connection->active) {
    struct request *request = &connection->request;
    atomic_store(&request->cancelled, true);
    if (request->route && request->route->cancel) request->route->cancel(request);
    if (connection->paused) resume(connection); /* to see that it is cancelled, and end */
  }
  uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

/* ---- errors that the connection itself found ---- */

void connection_answer_error(struct connection *connection, int status, const struct err *err) {
  connection->phase = PHASE_BUSY;
  connection->active = true;
  connection->deadline = 0;
  reply_error_status(&connection->request, status, err);
}

void connection_refuse(struct connection *connection, int status, const struct err *err) {
  connection->refused = true;
  connection->close_after = true;
  connection_set_reading(connection, false);
  connection_answer_error(connection, status, err);
}

/* ---- waiting for room ---- */

void connection_wait_for_room(struct connection *connection) {
  struct loop *loop = connection->loop;
  connection->phase = PHASE_WAITING;
  connection->next_waiting = loop->waiting;
  loop->waiting = connection;
  atomic_fetch_add(&loop->server->waiting_count, 1);
}

/* ---- the end of a reply ---- */

static void on_shut_down(uv_shutdown_t *shutdown, int status) {
  (void)shutdown;
  (void)status; /* the deadline closes it, whatever became of it */
}

/* Closes once the client has had time to read: a socket closed over unread bytes is reset, and the
 * reply could be lost with it. */
static void linger(struct connection *connection) {
  connection->phase = PHASE_LINGER;
  connection->deadline = now_of(connection) + LINGER_MS;
  buffer_reset(&connection->pending);
  connection->pending_at = 0;
  if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shut_down) ||
      connection->at_end) {
    connection_close(connection);
    return;
  }
  connection_set_reading(connection, true);
}

/* Parses what was read ahead, then reads on. */
static void continue_reading(struct connection *connection) {
  struct buffer *pending = &connection->pending;
  connection->direct = false;
  while (connection->pending_at < pending->size && connection->phase < PHASE_WAITING) {
    size_t before = connection->pending_at;
    struct str rest = {(const char *)pending->data + before, pending->size - before};
    connection_feed(connection, rest);
    if (connection->pending_at == before) break;
  }
  if (connection->phase == PHASE_CLOSING || connection->phase == PHASE_LINGER) return;
  if (connection->pending_at == pending->size) {
    buffer_reset(pending);
    connection->pending_at = 0;
  }
  if (connection->phase == PHASE_WAITING) {
    connection_set_reading(connection, false);
    return;
  }
  if (connection->at_end) {
    if (connection->phase != PHASE_BUSY) connection_close(connection);
    return;
  }
  if (pending->size - connection->pending_at < PENDING_MAX) {
    connection_set_reading(connection, true);
  }
}

/* The last byte of the reply is handed to the kernel. */
static void reply_done(struct connection *connection) {
  struct request *request = &connection->request;
  request_finished(request);
  bool unread = connection->refused || connection->pending_at < connection->pending.size ||
                http_parser_is_inside(&connection->parser);
  bool ends = connection->close_after || connection->loop->stopping ||
              !connection->parser.message.keep_alive;
  if (ends) {
    if (unread)
      linger(connection);
    else
      connection_close(connection);
    return;
  }
  http_parser_reset(&connection->parser);
  request_reset(request);
  connection->refused = false;
  connection->discarded = 0;
  connection->phase = PHASE_IDLE;
  connection->deadline = now_of(connection) + connection->loop->server->limits.idle_ms;
  if (request->body.capacity > BODY_KEEP_MAX ||
      atomic_load(&connection->loop->server->waiting_count) > 0) {
    connection_trim(connection);
  }
  continue_reading(connection);
}

/* ---- sending ---- */

static void on_written(uv_write_t *write, int status) {
  struct send *send = write->data;
  struct connection *connection = send->connection;
  send->busy = false;
  if (connection->phase == PHASE_CLOSING) return;
  if (status) {
    connection_close(connection);
    return;
  }
  if (send->last)
    reply_done(connection);
  else if (connection->paused)
    resume(connection);
}

static void swap_buffers(struct buffer *a, struct buffer *b) {
  struct buffer held = *a;
  *a = *b;
  *b = held;
}

/* Sends what is in request->out, with the head and the frame it needs. */
static void start_send(struct connection *connection, struct send *send) {
  struct request *request = &connection->request;
  buffer_reset(&send->head);
  buffer_reset(&send->data);
  swap_buffers(&send->data, &request->out);
  send->last = request->last;
  if (!request->head_sent) {
    bool known = request->last;
    bool new_enough = connection->parser.message.minor == 1;
    if (connection->loop->stopping) connection->close_after = true;
    if (!known && !new_enough) connection->close_after = true; /* the body ends with it */
    request->chunked = !known && new_enough;
    bool keep_alive = connection->parser.message.keep_alive && !connection->close_after;
    request_write_head(request, known ? (int64_t)send->data.size : -1, request->chunked, keep_alive,
                       &send->head);
    request->head_sent = true;
  }
  const char *tail = "";
  if (request->method == HTTP_HEAD) {
    buffer_reset(&send->data);
  } else if (request->chunked) {
    if (send->data.size) {
      buffer_printf(&send->head, "%zx\r\n", send->data.size);
      tail = request->last ? "\r\n0\r\n\r\n" : "\r\n";
    } else if (request->last) {
      tail = "0\r\n\r\n";
    }
  }
  if (send->head.failed) { /* no memory for a head: nothing can be said */
    connection_close(connection);
    return;
  }
  uv_buf_t parts[3] = {
      uv_buf_init((char *)send->head.data, (unsigned)send->head.size),
      uv_buf_init((char *)send->data.data, (unsigned)send->data.size),
      uv_buf_init((char *)(uintptr_t)tail, (unsigned)strlen(tail)),
  };
  metric_add(connection->loop->server->counters.bytes_out,
             send->head.size + send->data.size + strlen(tail));
  send->busy = true;
  if (uv_write(&send->write, (uv_stream_t *)&connection->tcp, parts, 3, on_written)) {
    send->busy = false;
    connection_close(connection);
  }
}

void connection_on_reply(struct connection *connection) {
  struct request *request = &connection->request;
  if (request->last) connection->active = false;
  if (request->broken) connection_close(connection);
  if (connection->phase == PHASE_CLOSING) {
    if (!request->last)
      resume(connection);
    else if (connection->closed)
      connection_free(connection);
    return;
  }
  struct send *send = &connection->sends[connection->sends[0].busy ? 1 : 0];
  assert(!send->busy);
  connection->deadline = 0;
  start_send(connection, send);
  if (request->last || connection->phase == PHASE_CLOSING) {
    if (!request->last) resume(connection);
    return;
  }
  if (connection->sends[0].busy && connection->sends[1].busy)
    connection->paused = true;
  else
    resume(connection);
}

/* ---- time, memory, the end ---- */

static void refuse_late(struct connection *connection, int status, const char *text) {
  struct err err = {.offset = -1};
  err_set(&err, ERR_DEADLINE, "%s", text);
  connection_refuse(connection, status, &err);
}

static void check_write(struct connection *connection, uint64_t now) {
  size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
  if (left == 0 || left != connection->write_left) {
    connection->write_left = left;
    connection->deadline = 0;
  } else if (connection->deadline == 0) {
    connection->deadline = now + connection->loop->server->limits.write_ms;
  } else if (now >= connection->deadline) {
    connection_close(connection);
  }
}

void connection_on_tick(struct connection *connection, uint64_t now) {
  if (connection->phase == PHASE_BUSY) {
    check_write(connection, now);
    return;
  }
  if (connection->phase == PHASE_CLOSING || connection->deadline == 0) return;
  if (now < connection->deadline) {
    uint64_t idle_ms = connection->loop->server->limits.idle_ms;
    if (connection->phase == PHASE_IDLE && now + idle_ms >= connection->deadline + IDLE_TRIM_MS) {
      connection_trim(connection);
    }
    return;
  }
  switch (connection->phase) {
  case PHASE_HEAD:
    refuse_late(connection, 408, "the head of the request did not come in time");
    break;
  case PHASE_BODY:
    refuse_late(connection, 408, "the body of the request did not come in time");
    break;
  case PHASE_WAITING:
    leave_waiting(connection);
    refuse_late(connection, 503, "no room for the request body: too many bodies at once");
    break;
  default:
    connection_close(connection);
  }
}

void connection_on_room(struct connection *connection) {
  struct request *request = &connection->request;
  buffer_reset(&request->body);
  connection->phase = PHASE_BODY;
  if (!buffer_reserve(&request->body, (size_t)connection->parser.message.length)) {
    connection_wait_for_room(connection);
    return;
  }
  connection->deadline = now_of(connection) + connection->loop->server->limits.body_ms;
  continue_reading(connection);
}

void connection_on_stop(struct connection *connection) {
  connection->close_after = true;
  if (connection->phase == PHASE_IDLE) connection_close(connection);
}

static void drop_buffer(struct buffer *buffer) {
  struct mem_account *account = buffer->account;
  if (!buffer->data) return;
  buffer_deinit(buffer);
  buffer_init(buffer, account);
}

void connection_trim(struct connection *connection) {
  struct request *request = &connection->request;
  drop_buffer(&request->body);
  drop_buffer(&request->decoded);
  drop_buffer(&request->out);
  for (int i = 0; i < 2; i++) {
    if (!connection->sends[i].busy) drop_buffer(&connection->sends[i].data);
  }
  if (connection->pending.size == 0) drop_buffer(&connection->pending);
}
