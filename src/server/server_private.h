/* The server's own structures: server, loops, connections. Routes do not include it.
 *
 *   server ── loop 0 (listens) ── connections ── request (one at a time, embedded)
 *          └─ loop n (gets sockets through a pipe) …
 *
 * Everything of a loop and its connections is touched by the loop's thread only, but for what is
 * atomic, and the request while a worker has it. */
#ifndef NILO_SERVER_SERVER_PRIVATE_H
#define NILO_SERVER_SERVER_PRIVATE_H

#include <uv.h>

#include "base/log.h"
#include "base/metrics.h"
#include "os/os.h"
#include "server/request.h"
#include "server/server.h"

enum {
  READ_BUFFER_SIZE = 64 * 1024,    /* one per loop, for what is not a body of known length */
  READ_DIRECT_MAX = 1024 * 1024,   /* bytes asked of one read into a body */
  PENDING_MAX = 64 * 1024,         /* bytes read ahead while a request is worked on */
  DISCARD_MAX = 256 * 1024,        /* of a refused body: read and dropped rather than cut off */
  BODY_KEEP_MAX = 8 * 1024 * 1024, /* capacity kept between the bodies of a busy connection */
  TICK_MS = 250,
  IDLE_TRIM_MS = 2000, /* an idle connection gives its buffers back after that */
  LINGER_MS = 2000,    /* time for the client to read an answer that ends the connection */
};

/* The settings, read once. Times in ms, sizes in bytes. */
struct server_limits {
  uint64_t body_max;
  uint64_t idle_ms, header_ms, body_ms, write_ms, grace_ms;
  int64_t connections_max;
  bool log_requests;
  bool admin_remote;        /* http.admin_remote */
  const char *allow_origin; /* http.allow_origin; "": none */
};

struct server_metrics {
  struct metric_gauge *connections, *bodies;
  struct metric_counter *accepted, *refused, *bytes_in, *bytes_out;
};
/* Of one route; the last one is for paths that have none. */
struct route_metrics {
  struct metric_counter *ok, *client_error, *server_error;
  struct metric_histogram *seconds;
};
enum { ROUTES_MAX = 32 };

struct loop {
  struct server *server;
  unsigned index;
  uv_loop_t uv;
  uv_async_t async;      /* something was posted, memory came free, or the server stops */
  uv_timer_t tick;       /* deadlines; runs while there are connections */
  uv_pipe_t sockets_in;  /* loops but the first: sockets come here */
  uv_pipe_t sockets_out; /* the other end, a handle of loop 0 */
  bool has_out;
  struct os_thread *thread;
  struct connection *connections;
  _Atomic int connection_count; /* given to this loop, on their way included */
  _Atomic(struct request *) posted;
  struct connection *waiting; /* for room for their bodies */
  char *read_buffer;
  uint64_t id_state; /* of the generator of request ids */
  int64_t date_second;
  char date[HTTP_DATE_SIZE];
  bool ticking;
  bool stopping;
  bool ended;             /* its handles are closing */
  uint64_t stop_deadline; /* uv_now */
};

struct server {
  struct api *api;
  struct os *os;
  struct os_pool *pool;
  struct logger *logger;
  struct metrics *metrics;
  struct mem_account account;
  struct mem_account bodies; /* request bodies, compressed and not; http.bodies_size_max */
  struct server_limits limits;
  struct server_metrics counters;
  struct route_metrics routes[ROUTES_MAX];
  struct loop *loops;
  unsigned loop_count;
  uv_tcp_t listener; /* on loop 0 */
  uv_signal_t signals[3];
  unsigned signal_count;
  _Atomic int connection_count;
  _Atomic int waiting_count; /* connections that wait for room for their bodies */
  _Atomic bool stopping;
  _Atomic int posting; /* threads inside loop_post */
  struct os_mutex mutex;
  struct os_cond cond;
  bool interrupted; /* under mutex */
  uint16_t port;
  char address[80];
};

/* A write on its way. Two per connection, so that one piece is made while another is sent. */
struct send {
  uv_write_t write;
  struct connection *connection;
  struct buffer head; /* status and headers, or the chunk's size line */
  struct buffer data;
  bool busy;
  bool last;
};

enum phase {
  PHASE_IDLE,    /* between requests */
  PHASE_HEAD,    /* inside a head */
  PHASE_BODY,    /* inside a body */
  PHASE_WAITING, /* for room for the body; not reading */
  PHASE_BUSY,    /* the request is worked on, or its reply is sent */
  PHASE_LINGER,  /* the last reply is sent; reads and drops until the client closes */
  PHASE_CLOSING, /* uv_close was called */
};

struct connection {
  uv_tcp_t tcp;
  uv_shutdown_t shutdown;
  struct loop *loop;
  struct connection *next, *previous;
  struct connection *next_waiting;
  struct http_parser parser;
  struct request request;
  struct send sends[2];
  struct buffer pending; /* read ahead of the request at hand */
  size_t pending_at;
  enum phase phase;
  bool reading;
  bool at_end;      /* the client sends no more */
  bool close_after; /* close when the reply is sent */
  bool active;      /* request.begin was called and its last piece has not come back */
  bool paused;      /* the request waits for room to send */
  bool refused;     /* an error was found at the head: the body is dropped, refusal follows */
  bool closed;      /* the handle is gone */
  bool direct;      /* the read at hand goes into the body */
  uint64_t discarded;
  uint64_t deadline; /* uv_now; 0: none */
  size_t write_left; /* bytes queued at the last tick, to see progress */
  int refusal_status;
  struct err refusal;
};

/* ---- loop.c ---- */
/* Prepares the loop's handles; called before its thread starts. */
int loop_init(struct loop *loop, struct server *server, unsigned index, struct err *err);
/* The thread's function: runs until the server stops and all connections are gone. */
void loop_run(void *context);
void loop_deinit(struct loop *loop);
/* Accepts a waiting connection of the listener and gives it to a loop. */
void loop_on_connection(uv_stream_t *listener, int status);
/* Wakes a loop, from any thread. */
void loop_wake(struct loop *loop);
/* Hands a request with a piece of reply to its loop, from any thread. */
void loop_post(struct loop *loop, struct request *request);
/* The Date header's value. */
const char *loop_date(struct loop *loop);
void loop_start_tick(struct loop *loop);

/* ---- connection.c ---- */
/* A connection whose tcp handle is initialized and not yet connected to a socket; NULL when memory
 * is refused. */
struct connection *connection_create(struct loop *loop);
/* Its socket has been accepted: begins to read. */
void connection_begin(struct connection *connection);
/* Closes; frees it when its handle and its request are done with. */
void connection_close(struct connection *connection);
/* Answers an error in the place of the request at hand. */
void connection_answer_error(struct connection *connection, int status, const struct err *err);
/* The same where the rest of the request cannot be read: closes behind the answer. */
void connection_refuse(struct connection *connection, int status, const struct err *err);
/* Puts it into the list of those that wait for room for their bodies. */
void connection_wait_for_room(struct connection *connection);
/* A posted request: takes its piece of reply. */
void connection_on_reply(struct connection *connection);
/* Deadlines and idle memory. */
void connection_on_tick(struct connection *connection, uint64_t now);
/* Room for bodies came free: tries again. */
void connection_on_room(struct connection *connection);
/* The server stops: closes it if it is idle, else after the reply at hand. */
void connection_on_stop(struct connection *connection);
/* Frees what an idle connection keeps for speed. */
void connection_trim(struct connection *connection);

/* ---- connection_read.c ---- */
/* libuv's callbacks: where the next bytes go, and that they came. */
void connection_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
/* size < 0: the end, or an error. */
void connection_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);
/* Parses bytes that were read; keeps what belongs to later requests. */
void connection_feed(struct connection *connection, struct str bytes);
void connection_set_reading(struct connection *connection, bool on);

/* ---- request.c ---- */
/* Prepares the request that is embedded in a connection. */
void request_init(struct request *request, struct connection *connection);
/* Frees its buffers. */
void request_deinit(struct request *request);
/* Ready for the next one of the connection. */
void request_reset(struct request *request);
/* From a complete head: path, query string, route. An error is the reply, its status set. */
int request_from_head(struct request *request, const struct http_parser *parser, int *status,
                      struct err *err);
/* Writes the head of the reply; length -1: unknown (chunked if the client can). */
void request_write_head(struct request *request, int64_t length, bool chunked, bool keep_alive,
                        struct buffer *out);
/* Counts and logs a finished one. */
void request_finished(struct request *request);

#endif
