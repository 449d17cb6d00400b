/* An event loop: its thread, the hand-over of new sockets, posted replies, the tick.
 *
 * Loop 0 accepts. A connection goes to the loop that has the fewest; for another loop its socket is
 * sent through a pipe that can carry handles, which is libuv's way to move a socket between loops.
 *
 * A loop ends when the server stops and its last connection is gone: then it closes its own handles
 * and uv_run returns. Loop 0 ends its pipes to the others last, when it has nothing left to give.
 */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "server/server_private.h"

static void on_wake(uv_async_t *handle);
static void on_tick(uv_timer_t *timer);
static void on_socket_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
static void on_socket(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

/* Makes the pipe that sockets come through. */
static int make_pipe(struct loop *loop) {
  struct loop *first = &loop->server->loops[0];
  uv_os_sock_t ends[2];
  int status = uv_pipe_init(&loop->uv, &loop->sockets_in, 1);
  if (status) return status;
  loop->sockets_in.data = loop;
  status = uv_pipe_init(&first->uv, &loop->sockets_out, 1);
  if (status) return status;
  loop->has_out = true;
  status = uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  if (!status) status = uv_pipe_open(&loop->sockets_in, ends[0]);
  if (!status) status = uv_pipe_open(&loop->sockets_out, ends[1]);
  if (!status) {
    status = uv_read_start((uv_stream_t *)&loop->sockets_in, on_socket_alloc, on_socket);
  }
  return status;
}

static void close_handle(uv_handle_t *handle, void *context) {
  (void)context;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* Undoes what loop_init made before it failed; the other end of the pipe is closed with loop 0. */
static void abandon(struct loop *loop) {
  uv_walk(&loop->uv, close_handle, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  loop_deinit(loop);
}

int loop_init(struct loop *loop, struct server *server, unsigned index, struct err *err) {
  loop->server = server;
  loop->index = index;
  loop->date_second = -1;
  loop->read_buffer = mem_alloc(&server->account, READ_BUFFER_SIZE);
  if (!loop->read_buffer) return mem_refused(&server->account, READ_BUFFER_SIZE, err);
  int status = uv_loop_init(&loop->uv);
  if (status) {
    mem_free(&server->account, loop->read_buffer, READ_BUFFER_SIZE);
    err_set(err, ERR_NETWORK, "cannot make an event loop");
    err_detail(err, "%s", uv_strerror(status));
    return ERR_NETWORK;
  }
  loop->uv.data = loop;
  loop->id_state = os_random_u64(server->os);
  status = uv_async_init(&loop->uv, &loop->async, on_wake);
  loop->async.data = loop;
  if (!status) status = uv_timer_init(&loop->uv, &loop->tick);
  loop->tick.data = loop;
  if (!status && index > 0) status = make_pipe(loop);
  if (status) {
    abandon(loop);
    err_set(err, ERR_NETWORK, "cannot make an event loop");
    err_detail(err, "%s", uv_strerror(status));
    return ERR_NETWORK;
  }
  return ERR_OK;
}

void loop_deinit(struct loop *loop) {
  int status = uv_loop_close(&loop->uv);
  assert(status == 0);
  (void)status;
  mem_free(&loop->server->account, loop->read_buffer, READ_BUFFER_SIZE);
}

void loop_wake(struct loop *loop) { uv_async_send(&loop->async); }

void loop_post(struct loop *loop, struct request *request) {
  /* As soon as the request is in the list its loop may answer it, see that it was the last one of a
   * stopping server, and end: the count keeps the server's memory until the wake below is done. */
  struct server *server = loop->server;
  atomic_fetch_add(&server->posting, 1);
  struct request *first = atomic_load_explicit(&loop->posted, memory_order_relaxed);
  do {
    request->next_posted = first;
  } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &first, request,
                                                  memory_order_release, memory_order_relaxed));
  uv_async_send(&loop->async);
  atomic_fetch_sub(&server->posting, 1);
}

const char *loop_date(struct loop *loop) {
  int64_t second = os_wall_ns(loop->server->os) / NS_PER_SECOND;
  if (second != loop->date_second) {
    loop->date_second = second;
    http_date(second, loop->date);
  }
  return loop->date;
}

void loop_start_tick(struct loop *loop) {
  if (loop->ticking) return;
  loop->ticking = true;
  uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
}

/* ---- sockets ---- */

/* The loop with the fewest connections; counts one more for it. */
static struct loop *choose_loop(struct server *server) {
  struct loop *best = &server->loops[0];
  for (unsigned i = 1; i < server->loop_count; i++) {
    if (atomic_load(&server->loops[i].connection_count) < atomic_load(&best->connection_count)) {
      best = &server->loops[i];
    }
  }
  atomic_fetch_add(&best->connection_count, 1);
  return best;
}

/* A socket on its way through a pipe. */
struct transfer {
  uv_write_t write;
  uv_tcp_t tcp;
  struct server *server;
  struct loop *loop; /* where it goes */
};

static void on_transfer_closed(uv_handle_t *handle) {
  struct transfer *transfer = handle->data;
  mem_free(&transfer->server->account, transfer, sizeof *transfer);
}

static void on_transferred(uv_write_t *write, int status) {
  struct transfer *transfer = write->data;
  if (status) {
    atomic_fetch_sub(&transfer->loop->connection_count, 1);
    atomic_fetch_sub(&transfer->server->connection_count, 1);
  }
  uv_close((uv_handle_t *)&transfer->tcp, on_transfer_closed);
}

/* Accepts into a handle of loop 0 and sends the socket to another loop. False: it is lost. */
static bool transfer_to(struct loop *loop, uv_stream_t *listener) {
  struct server *server = loop->server;
  struct transfer *transfer = mem_alloc_zero(&server->account, sizeof *transfer);
  if (!transfer) return false;
  transfer->server = server;
  transfer->loop = loop;
  transfer->write.data = transfer;
  uv_tcp_init(&server->loops[0].uv, &transfer->tcp);
  transfer->tcp.data = transfer;
  int status = uv_accept(listener, (uv_stream_t *)&transfer->tcp);
  if (!status) {
    static char mark[] = "s";
    uv_buf_t byte = uv_buf_init(mark, 1);
    status = uv_write2(&transfer->write, (uv_stream_t *)&loop->sockets_out, &byte, 1,
                       (uv_stream_t *)&transfer->tcp, on_transferred);
  }
  if (status) uv_close((uv_handle_t *)&transfer->tcp, on_transfer_closed);
  return status == 0;
}

/* Too many connections: a short answer, if the socket takes it at once, and the end. */
static void refuse(struct server *server, uv_stream_t *listener) {
  struct transfer *transfer = mem_alloc_zero(&server->account, sizeof *transfer);
  if (!transfer) return;
  transfer->server = server;
  uv_tcp_init(&server->loops[0].uv, &transfer->tcp);
  transfer->tcp.data = transfer;
  if (uv_accept(listener, (uv_stream_t *)&transfer->tcp) == 0) {
    static char text[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
        "Content-Type: application/json\r\nContent-Length: 33\r\n\r\n"
        "{\"error\":\"too many connections\"}\n";
    uv_buf_t bytes = uv_buf_init(text, sizeof text - 1);
    uv_try_write((uv_stream_t *)&transfer->tcp, &bytes, 1);
  }
  metric_add(server->counters.refused, 1);
  uv_close((uv_handle_t *)&transfer->tcp, on_transfer_closed);
}

void loop_on_connection(uv_stream_t *listener, int status) {
  struct server *server = listener->data;
  if (status || atomic_load(&server->stopping)) return;
  if (atomic_load(&server->connection_count) >= server->limits.connections_max) {
    refuse(server, listener);
    return;
  }
  metric_add(server->counters.accepted, 1);
  atomic_fetch_add(&server->connection_count, 1);
  struct loop *loop = choose_loop(server);
  bool kept;
  if (loop->index > 0) {
    kept = transfer_to(loop, listener);
  } else {
    struct connection *connection = connection_create(loop);
    kept = connection && uv_accept(listener, (uv_stream_t *)&connection->tcp) == 0;
    if (kept) {
      connection_begin(connection);
    } else if (connection) {
      connection_close(connection); /* counts itself off */
      return;
    }
  }
  if (!kept) {
    atomic_fetch_sub(&loop->connection_count, 1);
    atomic_fetch_sub(&server->connection_count, 1);
  }
}

static void on_socket_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  struct loop *loop = handle->data;
  *buffer = uv_buf_init(loop->read_buffer, 64);
}

static void on_socket(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  (void)size;
  (void)buffer;
  struct loop *loop = stream->data;
  uv_pipe_t *pipe = (uv_pipe_t *)stream;
  while (uv_pipe_pending_count(pipe) > 0) {
    struct connection *connection = connection_create(loop);
    if (!connection) break; /* no memory: the socket waits in the pipe until the next one comes */
    if (uv_accept(stream, (uv_stream_t *)&connection->tcp) == 0 && !loop->stopping) {
      connection_begin(connection);
    } else {
      connection_close(connection);
    }
  }
}

/* ---- running ---- */

static void take_posted(struct loop *loop) {
  struct request *request = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
  while (request) {
    struct request *next = request->next_posted;
    connection_on_reply(request->connection);
    request = next;
  }
}

/* Connections that wait for room try again; those that keep memory for nothing give it back. */
static void make_room(struct loop *loop) {
  if (atomic_load(&loop->server->waiting_count) == 0) return;
  for (struct connection *at = loop->connections; at; at = at->next) {
    if (at->phase == PHASE_IDLE) connection_trim(at);
  }
  struct connection *waiting = loop->waiting;
  loop->waiting = NULL;
  while (waiting) {
    struct connection *next = waiting->next_waiting;
    atomic_fetch_sub(&loop->server->waiting_count, 1);
    connection_on_room(waiting);
    waiting = next;
  }
}

/* Closes the loop's own handles once nothing needs them. */
static void end_if_empty(struct loop *loop) {
  if (!loop->stopping || loop->ended || loop->connections) return;
  loop->ended = true;
  struct server *server = loop->server;
  if (loop->index == 0) {
    for (unsigned i = 1; i < server->loop_count; i++) {
      if (server->loops[i].has_out) uv_close((uv_handle_t *)&server->loops[i].sockets_out, NULL);
    }
    for (unsigned i = 0; i < server->signal_count; i++) {
      uv_close((uv_handle_t *)&server->signals[i], NULL);
    }
  } else {
    uv_close((uv_handle_t *)&loop->sockets_in, NULL);
  }
  uv_close((uv_handle_t *)&loop->async, NULL);
  uv_close((uv_handle_t *)&loop->tick, NULL);
}

static void begin_stop(struct loop *loop) {
  loop->stopping = true;
  loop->stop_deadline = uv_now(&loop->uv) + loop->server->limits.grace_ms;
  uv_handle_t *listener = (uv_handle_t *)&loop->server->listener;
  if (loop->index == 0 && listener->data && !uv_is_closing(listener)) uv_close(listener, NULL);
  struct connection *at = loop->connections;
  while (at) {
    struct connection *next = at->next;
    connection_on_stop(at);
    at = next;
  }
}

static void on_wake(uv_async_t *handle) {
  struct loop *loop = handle->data;
  take_posted(loop);
  make_room(loop);
  if (!loop->stopping && atomic_load(&loop->server->stopping)) begin_stop(loop);
  end_if_empty(loop);
}

static void on_tick(uv_timer_t *timer) {
  struct loop *loop = timer->data;
  uint64_t now = uv_now(&loop->uv);
  bool expired = loop->stopping && now >= loop->stop_deadline;
  struct connection *at = loop->connections;
  while (at) {
    struct connection *next = at->next;
    if (expired)
      connection_close(at);
    else
      connection_on_tick(at, now);
    at = next;
  }
  make_room(loop);
  metric_set(loop->server->counters.bodies, mem_account_used(&loop->server->bodies));
  if (!loop->connections && !loop->stopping) {
    uv_timer_stop(&loop->tick);
    loop->ticking = false;
  }
  end_if_empty(loop);
}

void loop_run(void *context) {
  struct loop *loop = context;
  if (atomic_load(&loop->server->stopping)) loop_wake(loop);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
}
