/* The HTTP door: event loops that move bytes, and routes that turn requests into calls of the
 * engine (api/api.h) and its answers into responses.
 *
 * Threads: one libuv loop per core, each on a thread of its own; a connection stays on the loop it
 * was given to. Loops never wait for the engine: work runs on the pool, and its answers are posted
 * back to the connection's loop. */
#ifndef NILO_SERVER_SERVER_H
#define NILO_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/settings.h"

struct api;
struct err;
struct logger;
struct mem_account;
struct metrics;
struct os;
struct os_pool;
struct server;

/* The settings that server_start reads ("http.address", "http.body_size_max" …). */
extern const struct setting_table server_settings;

struct server_options {
  struct api *api;
  struct os *os;        /* a real one: sockets have no simulated twin */
  struct os_pool *pool; /* must outlive the server */
  struct mem_account *account;
  const struct settings *settings; /* with server_settings among its tables */
  struct logger *logger;           /* may be NULL */
  struct metrics *metrics;
  const char *address; /* NULL: the setting http.address; "ADDR:PORT", port 0: any free one */
  bool handle_signals; /* SIGINT and SIGTERM end server_wait */
};

/* Listens and starts the loops. Errors: ERR_INVALID_ARGUMENT (an address that is none), ERR_NETWORK
 * (in use, not allowed), ERR_NO_MEMORY, ERR_IO. SIGPIPE is ignored from here on. */
int server_start(const struct server_options *options, struct server **server, struct err *err);

/* The port it listens on. */
uint16_t server_port(const struct server *server);
/* "127.0.0.1:8086", with the actual port; lives as long as the server. */
const char *server_address(const struct server *server);

/* Blocks until a signal or server_interrupt. */
void server_wait(struct server *server);
/* Ends server_wait, from any thread. */
void server_interrupt(struct server *server);

/* Takes no more connections, lets running requests end (at most http.shutdown_grace, then queries
 * are cancelled), closes, joins the loops, frees. NULL is allowed. */
void server_stop(struct server *server);

#endif
