/* Running statements, and their rows as Arrow streams.
 *
 * A query's batch lives until the next one is asked for, a stream's for as long as its reader
 * likes: batches are copied. A stream owns the query; the connection knows it, so that it can be
 * cancelled. */
#include <string.h>

#include "columnar/arrow_ipc.h"
#include "element/element.h"
#include "embed/embed_private.h"

/* A program reads and writes what its user may. */
static const struct query_copy anywhere = {.directory = "/"};

int embed__query_open(struct nilo_connection *connection, struct str text,
                      const struct plan_value *values, uint32_t count, struct query **query,
                      struct err *err) {
  struct query_options options = {.language = QUERY_SQL,
                                  .text = text,
                                  .values = values,
                                  .value_count = count,
                                  .session = connection->session,
                                  .form = QUERY_FORM_ARROW,
                                  .copy = &anywhere,
                                  .read_only = connection->nilo->read_only};
  *query = NULL;
  if (connection->query) {
    err_set(err, ERR_BUSY, "the connection is busy: a stream of it is open");
    err_hint(err, "release the stream first, or use another connection");
    return ERR_BUSY;
  }
  int code = api_query_open(connection->nilo->api, &options, query, err);
  os_mutex_lock(&connection->lock);
  connection->query = *query;
  os_mutex_unlock(&connection->lock);
  return code;
}

void embed__query_close(struct nilo_connection *connection) {
  os_mutex_lock(&connection->lock);
  struct query *query = connection->query;
  connection->query = NULL;
  os_mutex_unlock(&connection->lock);
  query_close(query);
}

static bool is_change(struct str command) {
  static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "COPY"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (str_equal(command, str_from(words[i]))) return true;
  return false;
}

int embed__execute(struct nilo_connection *connection, struct str text,
                   const struct plan_value *values, uint32_t count, int64_t *changed,
                   struct err *err) {
  struct query *query;
  struct query_event event;
  int64_t rows = 0;
  int code = embed__query_open(connection, text, values, count, &query, err);
  if (changed) *changed = 0;
  if (code) return code; /* the query that is open may be a stream's */
  while (!code) {
    code = query_next(query, &event, err);
    if (code || event.kind == QUERY_END) break;
    if (event.kind != QUERY_DONE) continue;
    if (event.error.code) {
      *err = event.error;
      code = event.error.code;
    } else if (is_change(event.command) && event.rows > 0) {
      rows += event.rows;
    }
  }
  embed__query_close(connection);
  if (changed) *changed = rows;
  return code;
}

/* ---- streams ---- */

/* The memory of one batch that a reader holds. */
struct kept {
  struct mem_account *account;
  struct arena arena;
};

static void release_kept(void *context) {
  struct kept *kept = context;
  struct mem_account *account = kept->account;
  arena_deinit(&kept->arena);
  mem_free(account, kept, sizeof *kept);
}

static int next_batch(void *context, struct batch *batch, struct arrow_owner *owner,
                      struct err *err) {
  struct nilo_connection *connection = context;
  struct mem_account *account = &connection->nilo->account;
  struct query_event event;
  *batch = (struct batch){0};
  *owner = (struct arrow_owner){0};
  for (;;) {
    int code = query_next(connection->query, &event, err);
    if (code || event.kind == QUERY_END) return code;
    if (event.kind == QUERY_DONE && event.error.code) {
      *err = event.error;
      return event.error.code;
    }
    if (event.kind == QUERY_ROWS && event.batch.length) break;
  }
  struct kept *kept = mem_alloc_zero(account, sizeof *kept);
  if (!kept) return mem_refused(account, sizeof *kept, err);
  kept->account = account;
  arena_init(&kept->arena, account, 4096);
  int code = arrow_plain_batch(&event.batch, &kept->arena, batch, err);
  if (code)
    release_kept(kept);
  else
    *owner = (struct arrow_owner){release_kept, kept};
  return code;
}

static void close_stream(void *context) { embed__query_close(context); }

/* The types that batches of the query have when they were copied. */
static struct type exported(struct type type) {
  return arrow_plain_type(query_form_type(QUERY_FORM_ARROW, type));
}

static int begin_stream(struct nilo_connection *connection, const struct query_event *event,
                        struct ArrowArrayStream *stream, struct err *err) {
  struct arena arena;
  struct arrow_source source = {next_batch, close_stream, connection};
  arena_init(&arena, &connection->nilo->account, 1024);
  struct arrow_field *fields = ARENA_ARRAY(&arena, struct arrow_field, event->column_count + 1);
  int code = fields ? ERR_OK : mem_refused(arena.account, sizeof *fields, err);
  for (uint32_t i = 0; !code && i < event->column_count; i++)
    fields[i] = (struct arrow_field){
        .name = event->column_names[i], .type = exported(event->column_types[i]), .nullable = true};
  if (!code)
    code = arrow_export_stream(fields, event->column_count, source, &connection->nilo->account,
                               stream, err);
  arena_deinit(&arena);
  return code;
}

int embed__stream(struct nilo_connection *connection, struct str text,
                  const struct plan_value *values, uint32_t count, struct ArrowArrayStream *stream,
                  struct err *err) {
  struct query *query;
  struct query_event event;
  uint32_t last = UINT32_MAX; /* known when the statement begins */
  memset(stream, 0, sizeof *stream);
  int code = embed__query_open(connection, text, values, count, &query, err);
  if (code) return code; /* the query that is open may be a stream's */
  last = query_statement_count(query) - 1;
  while (!code) {
    code = query_next(query, &event, err);
    if (code) break;
    if (event.kind == QUERY_SERIES && event.statement == last) {
      code = begin_stream(connection, &event, stream, err);
      if (!code) return ERR_OK;
    } else if (event.kind == QUERY_DONE && event.error.code) {
      *err = event.error;
      code = event.error.code;
    } else if (event.kind == QUERY_END) {
      err_set(err, ERR_INVALID_ARGUMENT, "the statement gives no rows");
      err_hint(err, "run it with nilo_execute");
      code = ERR_INVALID_ARGUMENT;
    }
  }
  embed__query_close(connection);
  return code;
}

/* ---- the public calls ---- */

int nilo_execute(struct nilo_connection *connection, const char *sql, int64_t *changed,
                 struct nilo_error *error) {
  struct err err = {.offset = -1};
  int code = embed__execute(connection, str_from(sql), NULL, 0, changed, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}

int nilo_query(struct nilo_connection *connection, const char *sql, struct ArrowArrayStream *stream,
               struct nilo_error *error) {
  struct err err = {.offset = -1};
  int code = embed__stream(connection, str_from(sql), NULL, 0, stream, &err);
  return code ? element_fail(&err, error) : NILO_OK;
}
