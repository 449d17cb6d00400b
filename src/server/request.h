/* One HTTP request and its reply, as routes see them.
 *
 * A route's `begin` is called on the connection's loop when the whole request is there; it must not
 * wait. It replies at once, or hands the request to the pool (request_run) or to the engine and
 * replies from there. Exactly one thread works on a request at a time; **after reply_flush,
 * reply_finish or reply_error the request must not be touched** by whoever called it.
 *
 * A small reply is put into request->out and finished. A long one is streamed: the task fills
 * request->out up to about REPLY_PIECE_SIZE, calls reply_flush and returns; it is run again when
 * the client has taken enough, so that a slow client holds memory for three pieces at most and no
 * thread. */
#ifndef NILO_SERVER_REQUEST_H
#define NILO_SERVER_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "os/pool.h"
#include "wire/http.h"
#include "wire/url.h"

struct api;
struct connection;
struct request;
struct server;

enum { REPLY_PIECE_SIZE = 256 * 1024 };

enum route_methods {
  ROUTE_GET = 1 << HTTP_GET, /* HEAD is allowed wherever GET is */
  ROUTE_POST = 1 << HTTP_POST,
};

/* What clients of InfluxDB 1.x are told; some of them choose features by it. */
#define SERVER_INFLUX_VERSION "1.8.0-nilo"

enum error_style {
  ERROR_STYLE_V1, /* {"error":"…"}, as InfluxDB 1.x */
  ERROR_STYLE_V2, /* {"code":"…","message":"…"}, as InfluxDB 2 */
};

struct route {
  const char *path;
  const char *label; /* in metrics */
  unsigned methods;  /* enum route_methods */
  enum error_style error_style;
  bool is_query; /* its work is cancelled when the client goes away */
  void (*begin)(struct request *request);
  /* The client has gone or the server stops: make the work end soon. On the loop, possibly while
   * another thread works on the request. NULL: nothing to cancel. */
  void (*cancel)(struct request *request);
};

/* All routes; *count of them. */
const struct route *routes_all(size_t *count);
/* The route of a decoded path, or NULL. */
const struct route *routes_find(struct str path);

struct request {
  struct server *server;
  struct connection *connection;
  const struct route *route; /* NULL: none was found, the reply is an error */
  enum http_method method;
  struct str path;         /* decoded */
  struct url_pairs params; /* of the query string */
  struct url_pairs form;   /* of a form body, after request_parse_form */
  struct buffer body;      /* as sent */
  struct buffer decoded;   /* what request_decode_body made of it */
  struct arena arena;      /* lives until the reply is sent */
  int64_t start_ns;        /* monotonic, when the head was complete */
  char id[37];             /* a UUID, or what the client named in X-Request-Id, cut */
  _Atomic bool cancelled;  /* the reply interests nobody any more */
  struct os_mutex lock;    /* of state, which cancelling reads from the loop */
  void *state;             /* the route's own */

  /* the reply */
  int status;
  const char *content_type; /* NULL: none */
  struct buffer headers;    /* lines that the route adds */
  struct buffer out;        /* body bytes not yet handed to the loop */

  /* between request.c and the connection */
  struct os_task task;
  void (*run)(struct request *request);
  struct request *next_posted;
  bool last; /* the reply ends with what is in out */
  bool head_sent;
  bool broken;  /* the reply cannot be completed: the connection is cut instead */
  bool chunked; /* the reply's body is framed in chunks */
};

/* A parameter, a form's before the query string's; data is NULL when it is absent. */
struct str request_param(const struct request *request, const char *name);
/* A header; data is NULL when it is absent. */
struct str request_header(const struct request *request, const char *name);
/* True when Accept asks for CSV. */
bool request_wants_csv(const struct request *request);
/* The engine. */
struct api *request_api(const struct request *request);
/* Parses the body where its Content-Type says that it is a form. ERR_PARSE, ERR_LIMIT_EXCEEDED;
 * ERR_UNSUPPORTED for multipart forms. */
int request_parse_form(struct request *request, struct err *err);
/* Undoes Content-Encoding: *body is the body as sent or what it was compressed from; it lives
 * until the reply is sent. ERR_UNSUPPORTED (another coding), ERR_BODY_TOO_LARGE,
 * ERR_PARSE. Decompression takes time: call it on the pool. */
int request_decode_body(struct request *request, struct str *body, struct err *err);
/* True when request_decode_body has work to do. */
bool request_is_compressed(const struct request *request);

/* Calls run(request) on the pool. */
void request_run(struct request *request, void (*run)(struct request *request));

/* A header line of the reply; before its first piece. */
void reply_header(struct request *request, const char *name, struct str value);
/* What is in out goes to the client, more follows: run(request) is called again on the pool. */
void reply_flush(struct request *request, void (*run)(struct request *request));
/* What is in out goes to the client and ends the reply. */
void reply_finish(struct request *request);
/* The reply cannot go on though its head is sent: the connection is cut, so that the client sees
 * that something is missing. */
void reply_break(struct request *request);
/* An error in the route's style (for queries as CSV or indented where the client wants that); what
 * was in out is dropped. Only before the first reply_flush. */
void reply_error(struct request *request, const struct err *err);
/* The same with the status chosen. */
void reply_error_status(struct request *request, int status, const struct err *err);
/* A status without a body. */
void reply_empty(struct request *request, int status);

/* The one-line text of an error as clients see it: message, detail in brackets. */
void reply_error_text(struct buffer *out, const struct err *err);

#endif
