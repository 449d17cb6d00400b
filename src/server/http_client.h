/* A blocking HTTP/1.1 client for the command line: one connection to one server, kept open between
 * calls.
 *
 * Threads: one at a time per client. It runs a small event loop of its own while a call lasts. */
#ifndef NILO_SERVER_HTTP_CLIENT_H
#define NILO_SERVER_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;
struct http_client;
struct mem_account;

struct http_client_header {
  const char *name;
  struct str value;
};

struct http_call {
  const char *method; /* "GET" */
  struct str target;  /* "/query?q=…", encoded; the path of the server's address comes in front */
  const struct http_client_header *headers;
  size_t header_count;
  struct str body; /* sent with its length unless the method is GET or HEAD and it is empty */
  /* Called with pieces of the answer's body; non-zero ends the call with that code. NULL: the body
   * is dropped. */
  int (*on_body)(void *context, struct str bytes, struct err *err);
  void *context;
  bool interruptible; /* Ctrl-C (SIGINT) ends the call with ERR_CANCELLED */
};

/* Parses the address ("http://host:8086"); connects at the first call. timeout_ns: without any byte
 * moving; 0: none. Errors: those of url_parse, ERR_NO_MEMORY, ERR_NETWORK. */
int http_client_open(const char *address, int64_t timeout_ns, struct mem_account *account,
                     struct http_client **client, struct err *err);
/* NULL is allowed. */
void http_client_close(struct http_client *client);
/* Sends and waits for the whole answer. A kept connection that the server has closed meanwhile is
 * opened again, once. *status is the answer's; an answer with an error status is not an error here.
 * Errors: ERR_NETWORK, ERR_DEADLINE, ERR_PARSE (not HTTP), ERR_NO_MEMORY, that of on_body. */
int http_client_call(struct http_client *client, const struct http_call *call, int *status,
                     struct err *err);
/* A header of the last answer; data is NULL when it is absent. Lives until the next call. */
struct str http_client_header(const struct http_client *client, const char *name);
/* "host:port", for messages. */
const char *http_client_address(const struct http_client *client);

#endif
