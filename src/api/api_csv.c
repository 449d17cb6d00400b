/* Imports of CSV: a commit per so many rows. */
#include <string.h>

#include "api/api_private.h"
#include "base/err.h"

enum { ROWS_PER_COMMIT = 50000 };

struct api_csv_import {
  struct api *api;
  struct table_write_options target; /* strings in arena */
  struct arena arena;
  struct ingest_csv *csv;
  struct api_write_answer total;
  struct os_mutex lock;
  struct os_cond cond;
  bool waiting;
};

int api_csv_begin(struct api *api, struct str database, struct str schema,
                  const struct ingest_csv_options *options, struct api_csv_import **out,
                  struct err *err) {
  struct api_csv_import *import = mem_alloc_zero(&api->account, sizeof *import);
  if (!import) return mem_refused(&api->account, sizeof *import, err);
  import->api = api;
  arena_init(&import->arena, &api->account, 1024);
  os_mutex_init(&import->lock, api->os);
  os_cond_init(&import->cond, api->os);
  err_reset(&import->total.error);
  import->target.database = arena_copy(&import->arena, database);
  import->target.schema = arena_copy(&import->arena, schema);
  int code = ingest_csv_create(options, &api->account, &import->csv, err);
  if (code)
    api_csv_end(import);
  else
    *out = import;
  return code;
}

void api_csv_end(struct api_csv_import *import) {
  if (!import) return;
  struct api *api = import->api;
  ingest_csv_destroy(import->csv);
  os_cond_deinit(&import->cond);
  os_mutex_deinit(&import->lock);
  arena_deinit(&import->arena);
  mem_free(&api->account, import, sizeof *import);
}

static void committed(void *context, const struct table_write_result *result,
                      const struct err *error) {
  struct api_csv_import *import = context;
  struct api_write_answer answer;
  api__answer(result, error, &answer);
  os_mutex_lock(&import->lock);
  import->total.rows_written += answer.rows_written;
  import->total.rows_rejected += answer.rows_rejected;
  /* The first rejected row is told; a failure, which ends the import, above it. */
  if (!import->total.error.code || (error->code && error->code != ERR_PARTIAL_WRITE))
    import->total.error = *error;
  import->waiting = false;
  os_cond_signal(&import->cond);
  os_mutex_unlock(&import->lock);
}

/* One commit of what the reader has; *rows 0: it needs more bytes. */
static int one_commit(struct api_csv_import *import, uint32_t *rows, struct err *err) {
  struct table_write *write;
  struct table_piece *piece;
  int code = table_write_begin(import->api->engine, &import->target, &write, err);
  if (code) return code;
  code = table_write_piece(write, 0, &piece, err);
  if (!code) code = ingest_csv_rows(import->csv, piece, ROWS_PER_COMMIT, rows, err);
  if (code || *rows == 0) {
    table_write_abort(write);
    return code;
  }
  import->waiting = true;
  table_write_commit(write, committed, import);
  os_mutex_lock(&import->lock);
  while (import->waiting)
    os_cond_wait(&import->cond, &import->lock);
  os_mutex_unlock(&import->lock);
  code = import->total.error.code;
  if (code && code != ERR_PARTIAL_WRITE && err) *err = import->total.error;
  return code == ERR_PARTIAL_WRITE ? ERR_OK : code;
}

int api_csv_feed(struct api_csv_import *import, struct str bytes, bool last,
                 struct api_write_answer *so_far, struct err *err) {
  int code = ingest_csv_feed(import->csv, bytes, last, err);
  for (uint32_t rows = 1; !code && rows;)
    code = one_commit(import, &rows, err);
  *so_far = import->total;
  return code;
}
