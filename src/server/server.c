/* The server's life: settings, metrics, listening, starting and ending the loops. */
#include "server/server.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "server/server_private.h"

static const struct setting settings_table[] = {
    {"http.address", SETTING_STRING, "127.0.0.1:8086", 0, 255, NULL,
     "Where HTTP listens: ADDR:PORT, [ADDR]:PORT for IPv6, or :PORT for all addresses; port 0 "
     "takes "
     "any free one."},
    {"http.loops", SETTING_INT, "0", 0, 256, NULL,
     "Event loops, each a thread that moves bytes; 0: one per core."},
    {"http.connections_max", SETTING_INT, "10000", 1, 1000000, NULL,
     "Connections open at once; further ones are answered 503 and closed."},
    {"http.body_size_max", SETTING_SIZE, "32MiB", 1024, LIMIT_BODY_SIZE_MAX, NULL,
     "Bytes of one request body, as sent and after decompression; larger ones are answered 413."},
    {"http.bodies_size_max", SETTING_SIZE, "512MiB", 1048576, INT64_C(1) << 40, NULL,
     "Bytes of all request bodies held at once; beyond it connections are not read until room "
     "comes "
     "free."},
    {"http.idle_timeout", SETTING_DURATION, "2m", NS_PER_MS, NS_PER_DAY, NULL,
     "A connection without any request is closed after this time."},
    {"http.header_timeout", SETTING_DURATION, "10s", NS_PER_MS, NS_PER_DAY, NULL,
     "Time for the head of a request, from its first byte."},
    {"http.body_timeout", SETTING_DURATION, "30s", NS_PER_MS, NS_PER_DAY, NULL,
     "Time without any byte of a body, or without room for it."},
    {"http.write_timeout", SETTING_DURATION, "1m", NS_PER_MS, NS_PER_DAY, NULL,
     "Time in which a client takes no byte of an answer."},
    {"http.shutdown_grace", SETTING_DURATION, "10s", 0, NS_PER_DAY, NULL,
     "Time for running requests to end when the server stops; queries are cancelled then."},
    {"http.allow_origin", SETTING_STRING, "", 0, 255, NULL,
     "Origin whose pages may read answers in a browser (CORS), such as "
     "https://grafana.example.org; "
     "* for any, empty for none."},
    {"http.log_requests", SETTING_BOOL, "false", 0, 0, NULL, "One log line per request."},
    {"http.admin_remote", SETTING_BOOL, "false", 0, 0, NULL,
     "Whether other machines may run the tools (/api/v1/admin/...): there are no users yet."},
};
const struct setting_table server_settings = {settings_table,
                                              sizeof settings_table / sizeof settings_table[0]};

static void read_limits(struct server *server, const struct settings *settings) {
  struct server_limits *limits = &server->limits;
  limits->body_max = (uint64_t)settings_number(settings, "http.body_size_max");
  limits->idle_ms = (uint64_t)(settings_number(settings, "http.idle_timeout") / NS_PER_MS);
  limits->header_ms = (uint64_t)(settings_number(settings, "http.header_timeout") / NS_PER_MS);
  limits->body_ms = (uint64_t)(settings_number(settings, "http.body_timeout") / NS_PER_MS);
  limits->write_ms = (uint64_t)(settings_number(settings, "http.write_timeout") / NS_PER_MS);
  limits->grace_ms = (uint64_t)(settings_number(settings, "http.shutdown_grace") / NS_PER_MS);
  limits->connections_max = settings_number(settings, "http.connections_max");
  limits->allow_origin = settings_string(settings, "http.allow_origin");
  limits->log_requests = settings_bool(settings, "http.log_requests");
  limits->admin_remote = settings_bool(settings, "http.admin_remote");
}

static int register_route(struct server *server, size_t index, const char *label, struct err *err) {
  struct route_metrics *route = &server->routes[index];
  static const char *const outcomes[] = {"ok", "client_error", "server_error"};
  struct metric_counter **counters[] = {&route->ok, &route->client_error, &route->server_error};
  for (size_t i = 0; i < 3; i++) {
    struct metric_label labels[] = {{"route", label}, {"outcome", outcomes[i]}};
    struct metric_spec spec = {.name = "nilo_http_requests_total",
                               .help = "Requests answered, by route and outcome.",
                               .labels = labels,
                               .label_count = 2};
    int code = metrics_counter(server->metrics, &spec, counters[i], err);
    if (code) return code;
  }
  struct metric_label label_of[] = {{"route", label}};
  struct metric_spec spec = {.name = "nilo_http_request_seconds",
                             .help = "Time from a complete head to the last byte of the answer.",
                             .labels = label_of,
                             .label_count = 1,
                             .scale = 1e-9};
  return metrics_histogram(server->metrics, &spec, &route->seconds, err);
}

static int register_metrics(struct server *server, struct err *err) {
  struct server_metrics *counters = &server->counters;
  struct metrics *metrics = server->metrics;
  struct metric_spec spec = {.name = "nilo_http_connections", .help = "Connections open."};
  int code = metrics_gauge(metrics, &spec, &counters->connections, err);
  const struct {
    const char *name, *help;
    struct metric_counter **counter;
  } rows[] = {
      {"nilo_http_accepted_total", "Connections accepted.", &counters->accepted},
      {"nilo_http_refused_total", "Connections refused for being too many.", &counters->refused},
      {"nilo_http_received_bytes_total", "Bytes read from clients.", &counters->bytes_in},
      {"nilo_http_sent_bytes_total", "Bytes handed to clients.", &counters->bytes_out},
  };
  for (size_t i = 0; !code && i < sizeof rows / sizeof rows[0]; i++) {
    spec = (struct metric_spec){.name = rows[i].name, .help = rows[i].help};
    code = metrics_counter(metrics, &spec, rows[i].counter, err);
  }
  if (code) return code;
  spec = (struct metric_spec){.name = "nilo_http_bodies_bytes",
                              .help = "Memory of request bodies, kept capacity included."};
  code = metrics_gauge(metrics, &spec, &counters->bodies, err);
  size_t count;
  const struct route *routes = routes_all(&count);
  for (size_t i = 0; !code && i < count; i++) {
    code = register_route(server, i, routes[i].label, err);
  }
  return code ? code : register_route(server, count, "none", err);
}

static int fail_uv(struct err *err, int status, const char *what, const char *address) {
  int code = status == UV_ENOMEM ? ERR_NO_MEMORY : ERR_NETWORK;
  err_set(err, code, "cannot %s %s", what, address);
  err_detail(err, "%s", uv_strerror(status));
  if (status == UV_EADDRINUSE) {
    err_hint(err, "another program listens there; choose another address with --http");
  } else if (status == UV_EADDRNOTAVAIL) {
    err_hint(err,
             "this machine has no such address; a port alone is written with its colon, :8086");
  } else if (status == UV_EACCES) {
    err_hint(err, "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE");
  }
  return code;
}

/* Turns the address into a socket address, asking the resolver for names. localhost is always the
 * loopback address (RFC 6761, 6.3), also where neither a file of hosts nor a resolver says so. */
static int resolve(struct server *server, struct str host, uint16_t port,
                   struct sockaddr_storage *out, struct err *err) {
  char name[256];
  if (host.size == 0) host = STR("::");
  if (str_equal_ignoring_case(host, STR("localhost"))) host = STR("127.0.0.1");
  if (host.size >= sizeof name) return err_set(err, ERR_INVALID_ARGUMENT, "address too long");
  memcpy(name, host.data, host.size);
  name[host.size] = '\0';
  if (uv_ip4_addr(name, port, (struct sockaddr_in *)out) == 0) return ERR_OK;
  if (uv_ip6_addr(name, port, (struct sockaddr_in6 *)out) == 0) return ERR_OK;
  uv_getaddrinfo_t lookup;
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  int status = uv_getaddrinfo(&server->loops[0].uv, &lookup, NULL, name, service, &hints);
  if (status) return fail_uv(err, status, "resolve", name);
  memcpy(out, lookup.addrinfo->ai_addr, lookup.addrinfo->ai_addrlen);
  uv_freeaddrinfo(lookup.addrinfo);
  return ERR_OK;
}

/* The address in words, with the port that was really taken. */
static void note_address(struct server *server) {
  struct sockaddr_storage name;
  int size = sizeof name;
  char text[64] = "?";
  if (uv_tcp_getsockname(&server->listener, (struct sockaddr *)&name, &size) != 0) return;
  if (name.ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&name;
    uv_ip6_name(six, text, sizeof text);
    server->port = (uint16_t)(six->sin6_port >> 8 | six->sin6_port << 8);
    snprintf(server->address, sizeof server->address, "[%s]:%u", text, (unsigned)server->port);
  } else {
    const struct sockaddr_in *four = (const struct sockaddr_in *)&name;
    uv_ip4_name(four, text, sizeof text);
    server->port = (uint16_t)(four->sin_port >> 8 | four->sin_port << 8);
    snprintf(server->address, sizeof server->address, "%s:%u", text, (unsigned)server->port);
  }
}

static int listen_on(struct server *server, const char *address, struct err *err) {
  struct str host;
  uint16_t port;
  int code = url_parse_address(str_from(address), 8086, &host, &port, err);
  if (code) return code;
  struct sockaddr_storage where = {0};
  code = resolve(server, host, port, &where, err);
  if (code) return code;
  int status = uv_tcp_init(&server->loops[0].uv, &server->listener);
  if (status) return fail_uv(err, status, "make a socket for", address);
  server->listener.data = server;
  status = uv_tcp_bind(&server->listener, (struct sockaddr *)&where, 0);
  if (!status) status = uv_listen((uv_stream_t *)&server->listener, 511, loop_on_connection);
  if (status) {
    uv_close((uv_handle_t *)&server->listener, NULL);
    return fail_uv(err, status, "listen on", address);
  }
  note_address(server);
  return ERR_OK;
}

static void on_signal(uv_signal_t *handle, int number) {
  struct server *server = handle->data;
  if (number == SIGPIPE) return;
  server_interrupt(server);
}

static int catch_signals(struct server *server, bool all, struct err *err) {
  static const int numbers[] = {SIGPIPE, SIGINT, SIGTERM};
  for (unsigned i = 0; i < (all ? 3u : 1u); i++) {
    int status = uv_signal_init(&server->loops[0].uv, &server->signals[i]);
    if (status) return fail_uv(err, status, "catch", "signals");
    server->signal_count = i + 1;
    server->signals[i].data = server;
    status = uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    if (status) return fail_uv(err, status, "catch", "signals");
  }
  return ERR_OK;
}

/* Ends loops that were initialized and whose threads may or may not run. */
static void end_loops(struct server *server, unsigned initialized) {
  atomic_store(&server->stopping, true);
  for (unsigned i = 0; i < initialized; i++)
    loop_wake(&server->loops[i]);
  for (unsigned i = 0; i < initialized; i++) {
    if (server->loops[i].thread)
      os_thread_join(server->loops[i].thread);
    else
      loop_run(&server->loops[i]); /* never started: closes its handles here */
  }
  while (atomic_load(&server->posting) > 0)
    os_thread_yield(server->os); /* a few instructions of a thread that posted the last answer */
  for (unsigned i = 0; i < initialized; i++)
    loop_deinit(&server->loops[i]);
}

static int start_threads(struct server *server, struct err *err) {
  for (unsigned i = 0; i < server->loop_count; i++) {
    char name[16];
    snprintf(name, sizeof name, "http-%u", i);
    int code = os_thread_create(server->os, name, loop_run, &server->loops[i],
                                &server->loops[i].thread, err);
    if (code) return code;
  }
  return ERR_OK;
}

static void release(struct server *server, struct mem_account *parent) {
  mem_free(&server->account, server->loops, server->loop_count * sizeof *server->loops);
  os_cond_deinit(&server->cond);
  os_mutex_deinit(&server->mutex);
  mem_account_deinit(&server->bodies);
  mem_account_deinit(&server->account);
  mem_free(parent, server, sizeof *server);
}

int server_start(const struct server_options *options, struct server **out, struct err *err) {
  struct server *server = mem_alloc_zero(options->account, sizeof *server);
  if (!server) return mem_refused(options->account, sizeof *server, err);
  server->api = options->api;
  server->os = options->os;
  server->pool = options->pool;
  server->logger = options->logger;
  server->metrics = options->metrics;
  read_limits(server, options->settings);
  mem_account_init(&server->account, "http", options->account, 0);
  mem_account_init(&server->bodies, "http.bodies_size_max", &server->account,
                   settings_number(options->settings, "http.bodies_size_max"));
  os_mutex_init(&server->mutex, server->os);
  os_cond_init(&server->cond, server->os);
  unsigned count = (unsigned)settings_number(options->settings, "http.loops");
  server->loop_count = count ? count : os_cpu_count(server->os);
  unsigned initialized = 0;
  int code = register_metrics(server, err);
  if (code) goto done;
  server->loops = mem_alloc_zero(&server->account, server->loop_count * sizeof *server->loops);
  if (!server->loops) {
    code = mem_refused(&server->account, server->loop_count * sizeof *server->loops, err);
    goto done;
  }
  for (; initialized < server->loop_count; initialized++) {
    code = loop_init(&server->loops[initialized], server, initialized, err);
    if (code) goto done;
  }
  code = catch_signals(server, options->handle_signals, err);
  if (code) goto done;
  const char *address =
      options->address ? options->address : settings_string(options->settings, "http.address");
  code = listen_on(server, address, err);
  if (code) goto done;
  code = start_threads(server, err);
done:
  if (code) {
    end_loops(server, initialized);
    release(server, options->account);
    return code;
  }
  log_info(server->logger, "http", "listening address=%s loops=%u", server->address,
           server->loop_count);
  *out = server;
  return ERR_OK;
}

uint16_t server_port(const struct server *server) { return server->port; }
const char *server_address(const struct server *server) { return server->address; }

void server_wait(struct server *server) {
  os_mutex_lock(&server->mutex);
  while (!server->interrupted)
    os_cond_wait(&server->cond, &server->mutex);
  os_mutex_unlock(&server->mutex);
}

void server_interrupt(struct server *server) {
  os_mutex_lock(&server->mutex);
  server->interrupted = true;
  os_cond_broadcast(&server->cond);
  os_mutex_unlock(&server->mutex);
}

void server_stop(struct server *server) {
  if (!server) return;
  server_interrupt(server);
  end_loops(server, server->loop_count);
  log_info(server->logger, "http", "stopped address=%s", server->address);
  release(server, server->account.parent);
}
