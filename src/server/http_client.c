/* The blocking client: each call runs the client's own loop until the answer is whole, the
 * connection breaks or nothing has moved for the timeout. */
#include "server/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"
#include "wire/http.h"
#include "wire/url.h"

enum { ADDRESS_MAX = 512, CLIENT_READ_SIZE = 64 * 1024 };

struct http_client {
  struct mem_account *account;
  char text[ADDRESS_MAX]; /* the address as given; url points into it */
  char name[ADDRESS_MAX]; /* host:port */
  struct url url;
  uint64_t timeout_ms;
  uv_loop_t loop;
  uv_tcp_t tcp;
  uv_timer_t timer;
  uv_connect_t connecting;
  uv_write_t writing;
  bool open; /* tcp is initialized and not closed */
  bool connected;
  struct http_parser parser;
  struct buffer head;
  char *read_buffer;
  /* the call at hand */
  const struct http_call *call;
  struct err *err;
  int code;
  bool done;
  bool answered; /* some byte of the answer has come */
};

static int fail_uv(struct http_client *client, int status, const char *what, struct err *err) {
  err_set(err, ERR_NETWORK, "cannot %s %s", what, client->name);
  err_detail(err, "%s", uv_strerror(status));
  if (status == UV_ECONNREFUSED) err_hint(err, "is the server running? Start it with: nilo serve");
  return ERR_NETWORK;
}

int http_client_open(const char *address, int64_t timeout_ns, struct mem_account *account,
                     struct http_client **out, struct err *err) {
  struct http_client *client = mem_alloc_zero(account, sizeof *client);
  if (!client) return mem_refused(account, sizeof *client, err);
  client->account = account;
  client->timeout_ms = (uint64_t)(timeout_ns / NS_PER_MS);
  http_parser_init_response(&client->parser, NULL, account);
  buffer_init(&client->head, account);
  size_t size = strlen(address);
  int code =
      size < sizeof client->text ? ERR_OK : err_set(err, ERR_INVALID_ARGUMENT, "address too long");
  if (!code) {
    memcpy(client->text, address, size + 1);
    code = url_parse(str_from(client->text), 8086, &client->url, err);
  }
  if (!code) {
    bool six = memchr(client->url.host.data, ':', client->url.host.size) != NULL;
    snprintf(client->name, sizeof client->name, six ? "[%.*s]:%u" : "%.*s:%u",
             STR_ARG(client->url.host), (unsigned)client->url.port);
    client->read_buffer = mem_alloc(account, CLIENT_READ_SIZE);
    if (!client->read_buffer) code = mem_refused(account, CLIENT_READ_SIZE, err);
  }
  if (!code && uv_loop_init(&client->loop)) {
    code = err_set(err, ERR_NETWORK, "cannot make an event loop");
  }
  if (code) {
    mem_free(account, client->read_buffer, client->read_buffer ? CLIENT_READ_SIZE : 0);
    http_parser_deinit(&client->parser);
    buffer_deinit(&client->head);
    mem_free(account, client, sizeof *client);
    return code;
  }
  uv_timer_init(&client->loop, &client->timer);
  client->timer.data = client;
  *out = client;
  return ERR_OK;
}

const char *http_client_address(const struct http_client *client) { return client->name; }

struct str http_client_header(const struct http_client *client, const char *name) {
  return http_header(&client->parser, str_from(name));
}

static void disconnect(struct http_client *client) {
  if (!client->open) return;
  uv_timer_stop(&client->timer);
  uv_close((uv_handle_t *)&client->tcp, NULL);
  client->open = false;
  client->connected = false;
  uv_run(&client->loop, UV_RUN_DEFAULT);
}

void http_client_close(struct http_client *client) {
  if (!client) return;
  disconnect(client);
  uv_close((uv_handle_t *)&client->timer, NULL);
  uv_run(&client->loop, UV_RUN_DEFAULT);
  uv_loop_close(&client->loop);
  http_parser_deinit(&client->parser);
  buffer_deinit(&client->head);
  mem_free(client->account, client->read_buffer, CLIENT_READ_SIZE);
  mem_free(client->account, client, sizeof *client);
}

/* Ends the wait of the call at hand. */
static void finish(struct http_client *client, int code) {
  if (client->done) return;
  client->done = true;
  client->code = code;
  uv_timer_stop(&client->timer);
  if (client->open) uv_read_stop((uv_stream_t *)&client->tcp);
}

static void on_timeout(uv_timer_t *timer) {
  struct http_client *client = timer->data;
  finish(client, err_set(client->err, ERR_DEADLINE, "%s did not answer in time", client->name));
}

static void expect_progress(struct http_client *client) {
  if (client->timeout_ms) uv_timer_start(&client->timer, on_timeout, client->timeout_ms, 0);
}

static void on_connected(uv_connect_t *connecting, int status) {
  struct http_client *client = connecting->data;
  if (client->done) return;
  client->connected = status == 0;
  finish(client, status ? fail_uv(client, status, "connect to", client->err) : ERR_OK);
}

static int connect_to(struct http_client *client, const struct sockaddr *where, struct err *err) {
  uv_tcp_init(&client->loop, &client->tcp);
  client->tcp.data = client;
  client->open = true;
  client->connecting.data = client;
  client->done = false;
  client->err = err;
  int status = uv_tcp_connect(&client->connecting, &client->tcp, where, on_connected);
  if (status) {
    disconnect(client);
    return fail_uv(client, status, "connect to", err);
  }
  expect_progress(client);
  while (!client->done)
    uv_run(&client->loop, UV_RUN_ONCE);
  if (client->code)
    disconnect(client);
  else
    uv_tcp_nodelay(&client->tcp, 1);
  return client->code;
}

/* Tries the addresses of the name in turn. */
static int connect_any(struct http_client *client, struct err *err) {
  char host[ADDRESS_MAX];
  char service[8];
  snprintf(host, sizeof host, "%.*s", STR_ARG(client->url.host));
  snprintf(service, sizeof service, "%u", (unsigned)client->url.port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  uv_getaddrinfo_t lookup;
  int status = uv_getaddrinfo(&client->loop, &lookup, NULL, host, service, &hints);
  if (status && str_equal_ignoring_case(client->url.host, STR("localhost"))) /* no file of hosts */
    status = uv_getaddrinfo(&client->loop, &lookup, NULL, "127.0.0.1", service, &hints);
  if (status) return fail_uv(client, status, "find", err);
  int code = ERR_NETWORK;
  for (struct addrinfo *at = lookup.addrinfo; at && code; at = at->ai_next) {
    code = connect_to(client, at->ai_addr, err);
    if (code == ERR_DEADLINE) break;
  }
  uv_freeaddrinfo(lookup.addrinfo);
  return code;
}

/* ---- one call ---- */

static void on_sent(uv_write_t *writing, int status) {
  struct http_client *client = writing->data;
  if (client->done) return;
  /* A server may answer and close before it has read all: its answer, if any, is what counts. */
  if (status && status != UV_EPIPE && status != UV_ECONNRESET) {
    finish(client, fail_uv(client, status, "send to", client->err));
    return;
  }
  expect_progress(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  struct http_client *client = handle->data;
  *buffer = uv_buf_init(client->read_buffer, CLIENT_READ_SIZE);
}

/* Gives bytes to the parser and the body to the caller. */
static void take(struct http_client *client, struct str bytes) {
  while (!client->done) {
    size_t used;
    enum http_event event;
    struct str body;
    int code = http_parser_next(&client->parser, bytes, &used, &event, &body, client->err);
    bytes = (struct str){bytes.data + used, bytes.size - used};
    if (code) {
      finish(client, err_wrap(client->err, "%s does not speak HTTP as expected", client->name));
      client->code = code;
    } else if (event == HTTP_EVENT_BODY && client->call->on_body) {
      code = client->call->on_body(client->call->context, body, client->err);
      if (code) finish(client, code);
    } else if (event == HTTP_EVENT_END) {
      finish(client, ERR_OK);
    } else if (event == HTTP_EVENT_MORE) {
      return;
    }
  }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
  struct http_client *client = stream->data;
  if (size == 0 || client->done) return;
  if (size > 0) {
    client->answered = true;
    expect_progress(client);
    take(client, (struct str){buffer->base, (size_t)size});
    return;
  }
  enum http_event event;
  client->connected = false;
  if (size == UV_EOF && client->answered &&
      http_parser_finish(&client->parser, &event, client->err) == ERR_OK) {
    finish(client, ERR_OK);
    return;
  }
  finish(client, fail_uv(client, (int)size, "read the answer of", client->err));
}

static void write_head(struct http_client *client, const struct http_call *call) {
  struct buffer *head = &client->head;
  buffer_reset(head);
  buffer_append_text(head, call->method);
  buffer_append_byte(head, ' ');
  buffer_append_str(head, client->url.path);
  buffer_append_str(head, call->target);
  buffer_append_text(head, " HTTP/1.1\r\n");
  http_write_header(head, "Host", str_from(client->name));
  http_write_header(head, "User-Agent", STR("nilo/" NILO_VERSION));
  for (size_t i = 0; i < call->header_count; i++) {
    http_write_header(head, call->headers[i].name, call->headers[i].value);
  }
  bool bare = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
  if (call->body.size || !bare) http_write_header_u64(head, "Content-Length", call->body.size);
  http_write_head_end(head);
}

static void on_interrupt(uv_signal_t *interrupt, int number) {
  struct http_client *client = interrupt->data;
  (void)number;
  if (!client->done)
    finish(client, err_set(client->err, ERR_CANCELLED, "canceling statement due to user request"));
}

static void on_unwatched(uv_handle_t *handle) { handle->data = NULL; }

static void watch_interrupt(struct http_client *client, uv_signal_t *interrupt, bool wanted) {
  if (!wanted) return;
  uv_signal_init(&client->loop, interrupt);
  interrupt->data = client;
  uv_signal_start(interrupt, on_interrupt, SIGINT);
}

static void unwatch_interrupt(struct http_client *client, uv_signal_t *interrupt, bool wanted) {
  if (!wanted) return;
  uv_close((uv_handle_t *)interrupt, on_unwatched);
  while (interrupt->data)
    uv_run(&client->loop, UV_RUN_ONCE);
}

static int exchange(struct http_client *client, const struct http_call *call, struct err *err) {
  http_parser_reset(&client->parser);
  if (strcmp(call->method, "HEAD") == 0) http_parser_expect_no_body(&client->parser);
  write_head(client, call);
  int code = buffer_check(&client->head, err);
  if (code) return code;
  client->call = call;
  client->err = err;
  client->done = false;
  client->answered = false;
  client->writing.data = client;
  uv_buf_t parts[2] = {
      uv_buf_init((char *)client->head.data, (unsigned)client->head.size),
      uv_buf_init((char *)(uintptr_t)call->body.data, (unsigned)call->body.size),
  };
  int status = uv_write(&client->writing, (uv_stream_t *)&client->tcp, parts,
                        call->body.size ? 2 : 1, on_sent);
  if (!status) status = uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read);
  if (status) {
    disconnect(client);
    return fail_uv(client, status, "send to", err);
  }
  expect_progress(client);
  uv_signal_t interrupt;
  watch_interrupt(client, &interrupt, call->interruptible);
  while (!client->done)
    uv_run(&client->loop, UV_RUN_ONCE);
  unwatch_interrupt(client, &interrupt, call->interruptible);
  if (client->code || !client->connected || !client->parser.message.keep_alive) {
    disconnect(client);
  }
  return client->code;
}

int http_client_call(struct http_client *client, const struct http_call *call, int *status,
                     struct err *err) {
  *status = 0;
  bool kept = client->open;
  int code = kept ? ERR_OK : connect_any(client, err);
  if (!code) code = exchange(client, call, err);
  if (code == ERR_NETWORK && kept && !client->answered) {
    code = connect_any(client, err);
    if (!code) code = exchange(client, call, err);
  }
  if (!code) *status = client->parser.message.status;
  return code;
}
