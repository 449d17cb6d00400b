/* A server over the faked engine, and clients that speak to it through real sockets. */
#ifndef NILO_TESTS_SERVER_FIXTURE_H
#define NILO_TESTS_SERVER_FIXTURE_H

#include "fake_engine.h"

struct fixture {
  struct os *os;
  struct mem_account account;
  struct os_pool *pool;
  struct metrics *metrics;
  struct settings *settings;
  struct api api;
  struct server *server;
};

static inline void start(struct fixture *f, const char *const *flags) {
  struct err err = {0};
  memset(f, 0, sizeof *f);
  mem_account_init(&f->account, "test", NULL, 0);
  assert_int_equal(os_real_create(&f->os, &err), 0);
  assert_int_equal(os_pool_create(f->os, 3, &f->pool, &err), 0);
  assert_int_equal(metrics_create(&f->account, &f->metrics, &err), 0);
  assert_int_equal(settings_create(&f->account, &server_settings, 1, &f->settings, &err), 0);
  for (; flags && flags[0]; flags += 2) {
    int code = settings_load_flag(f->settings, str_from(flags[0]), str_from(flags[1]), &err);
    if (code) fail_msg("%s: %s", flags[0], err.message);
  }
  f->api.os = f->os;
  f->api.pool = f->pool;
  f->api.account = &f->account;
  os_mutex_init(&f->api.mutex, f->os);
  os_cond_init(&f->api.cond, f->os);
  struct server_options options = {
      .api = &f->api,
      .os = f->os,
      .pool = f->pool,
      .account = &f->account,
      .settings = f->settings,
      .metrics = f->metrics,
      .address = "127.0.0.1:0",
  };
  int code = server_start(&options, &f->server, &err);
  if (code) fail_msg("%s (%s)", err.message, err.detail);
}

static inline void stop(struct fixture *f) {
  server_stop(f->server);
  assert_int_equal(atomic_load(&f->api.queries), 0);
  os_pool_destroy(f->pool);
  os_cond_deinit(&f->api.cond);
  os_mutex_deinit(&f->api.mutex);
  settings_destroy(f->settings);
  metrics_destroy(f->metrics);
  os_destroy(f->os);
  mem_account_deinit(&f->account);
}

static inline struct seen seen(struct fixture *f) {
  os_mutex_lock(&f->api.mutex);
  struct seen copy = f->api.seen;
  os_mutex_unlock(&f->api.mutex);
  return copy;
}

static inline void set_held(struct fixture *f, bool held) {
  os_mutex_lock(&f->api.mutex);
  f->api.held = held;
  os_cond_broadcast(&f->api.cond);
  os_mutex_unlock(&f->api.mutex);
}

/* ---- clients ---- */

static inline int keep_body(void *context, struct str bytes, struct err *err) {
  buffer_append_str(context, bytes);
  return buffer_check(context, err);
}

/* One call on a connection of its own; the answer's body replaces what is in out. */
static inline int call(struct fixture *f, const char *method, const char *target, struct str body,
                       const struct http_client_header *headers, size_t header_count,
                       struct buffer *out) {
  struct err err = {0};
  struct http_client *client;
  char address[100];
  snprintf(address, sizeof address, "http://%s/", server_address(f->server));
  assert_int_equal(http_client_open(address, 20 * NS_PER_SECOND, &f->account, &client, &err), 0);
  buffer_reset(out);
  struct http_call exchange = {.method = method,
                               .target = str_from(target),
                               .headers = headers,
                               .header_count = header_count,
                               .body = body,
                               .on_body = keep_body,
                               .context = out};
  int status;
  int code = http_client_call(client, &exchange, &status, &err);
  if (code) fail_msg("%s %s: %s (%s)", method, target, err.message, err.detail);
  http_client_close(client);
  buffer_append_byte(out, 0);
  out->size--;
  return status;
}

static inline int get(struct fixture *f, const char *target, struct buffer *out) {
  return call(f, "GET", target, STR(""), NULL, 0, out);
}

static inline int dial(struct fixture *f) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in where = {.sin_family = AF_INET,
                              .sin_port = htons(server_port(f->server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
  return fd;
}

static inline void put(int fd, const char *text) {
  size_t size = strlen(text);
  assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Reads until the server closes, or `until` was seen. */
static inline void read_until(int fd, const char *until, char *out, size_t room) {
  size_t size = 0;
  out[0] = '\0';
  while (size + 1 < room && !(until && strstr(out, until))) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 20000) != 1) fail_msg("no answer; so far: %s", out);
    ssize_t got = recv(fd, out + size, room - size - 1, 0);
    if (got <= 0) break;
    size += (size_t)got;
    out[size] = '\0';
  }
}

/* Sends text on a new connection, reads until it is closed. */
static inline void talk(struct fixture *f, const char *text, char *out, size_t room) {
  int fd = dial(f);
  put(fd, text);
  read_until(fd, NULL, out, room);
  close(fd);
}

#endif
