/* What the files of this folder share: the objects behind include/nilo/nilo.h. */
#ifndef NILO_EMBED_EMBED_PRIVATE_H
#define NILO_EMBED_EMBED_PRIVATE_H

#include <nilo/nilo.h>

#include "api/api.h"
#include "base/log.h"
#include "os/os.h"
#include "os/pool.h"
#include "query/query_session.h"

struct nilo {
  struct os *os;
  struct os_pool *pool;
  struct mem_account account;
  struct settings *settings;
  struct metrics *metrics;
  struct api *api;
  bool read_only;
};

struct nilo_connection {
  struct nilo *nilo;
  struct query_session *session;
  struct os_mutex lock; /* of query, which nilo_cancel reads */
  struct query *query;  /* that runs, or that a stream reads; NULL: none */
};

/* Opens a query on the connection. ERR_BUSY while a stream reads another one. */
int embed__query_open(struct nilo_connection *connection, struct str text,
                      const struct plan_value *values, uint32_t count, struct query **query,
                      struct err *err);
void embed__query_close(struct nilo_connection *connection);
/* Runs a text to its end. */
int embed__execute(struct nilo_connection *connection, struct str text,
                   const struct plan_value *values, uint32_t count, int64_t *changed,
                   struct err *err);
/* The rows of its last statement as a stream, which closes the query. */
int embed__stream(struct nilo_connection *connection, struct str text,
                  const struct plan_value *values, uint32_t count, struct ArrowArrayStream *stream,
                  struct err *err);

#endif
