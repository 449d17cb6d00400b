/* A body's way to a commit: cut into pieces, parsed on the pool, joined by whoever finishes last.
 *
 * Ingest caches are not a connection's but wait in the api for the next piece of the same database:
 * there are never more than pieces parsed at once, whatever the number of connections. */
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"

enum { PIECES_MAX = 4096 };

struct write_job;
struct piece_task {
  struct os_task task;
  struct write_job *job;
  struct table_piece *piece;
  struct str text;
  uint32_t lines;
};
struct write_job {
  struct os_task task;
  struct api *api;
  struct api_write write;
  struct table_write *table_write;
  uint64_t owner;
  int64_t now_ns, started_ns;
  uint32_t piece_count;
  struct piece_task *pieces;
  _Atomic uint32_t left;
  _Atomic int failed; /* the code of the first piece that could not go on */
  struct err error;
  struct os_mutex lock; /* of error */
  void (*done)(void *context, const struct api_write_answer *answer);
  void *context;
};

/* ---- caches ---- */

uint64_t api__cache_owner(struct str database, struct str schema) {
  return hash64(database.data, database.size) * 31 + hash64(schema.data, schema.size);
}

struct ingest_cache *api__cache_take(struct api *api, uint64_t owner, struct err *err) {
  struct ingest_cache *cache = NULL, *victim = NULL;
  os_mutex_lock(&api->lock);
  for (uint32_t i = api->idle_count; i-- > 0 && !cache;) {
    if (api->idle[i].owner != owner) continue;
    cache = api->idle[i].cache;
    memmove(&api->idle[i], &api->idle[i + 1], (api->idle_count - i - 1) * sizeof api->idle[0]);
    api->idle_count--;
  }
  if (!cache && api->idle_count == IDLE_CACHES_MAX) {
    victim = api->idle[0].cache; /* the one that has waited longest */
    memmove(&api->idle[0], &api->idle[1], (IDLE_CACHES_MAX - 1) * sizeof api->idle[0]);
    api->idle_count--;
  }
  os_mutex_unlock(&api->lock);
  ingest_cache_destroy(victim);
  if (!cache) ingest_cache_create(&api->cache_account, &cache, err);
  return cache;
}

void api__cache_give(struct api *api, uint64_t owner, struct ingest_cache *cache) {
  os_mutex_lock(&api->lock);
  bool room = api->idle_count < IDLE_CACHES_MAX;
  if (room) api->idle[api->idle_count++] = (struct idle_cache){cache, owner};
  os_mutex_unlock(&api->lock);
  if (!room) ingest_cache_destroy(cache);
}

/* ---- the answer ---- */

void api__answer(const struct table_write_result *result, const struct err *error,
                 struct api_write_answer *answer) {
  *answer = (struct api_write_answer){.rows_written = result->rows_written,
                                      .rows_rejected = result->rows_rejected,
                                      .error = *error};
  struct err *text = &answer->error;
  if (!error->code || (error->code != ERR_PARTIAL_WRITE && !error->line)) return;
  char place[40] = "", dropped[32] = ""; /* with 15 and 170 bytes they fit */
  if (text->line && text->column)
    snprintf(place, sizeof place, " (line %d, column %d)", text->line, text->column);
  else if (text->line)
    snprintf(place, sizeof place, " (line %d)", text->line);
  if (error->code == ERR_PARTIAL_WRITE)
    snprintf(dropped, sizeof dropped, " dropped=%llu", (unsigned long long)result->rows_rejected);
  char message[sizeof text->message];
  snprintf(message, sizeof message, "%s%.170s%s%s", *dropped ? "partial write: " : "",
           text->message, place, dropped);
  memcpy(text->message, message, sizeof message);
}

static void job_free(struct write_job *job) {
  struct api *api = job->api;
  if (job->pieces) mem_free(&api->account, job->pieces, job->piece_count * sizeof *job->pieces);
  os_mutex_deinit(&job->lock);
  mem_free(&api->account, job, sizeof *job);
}

static void finish(struct write_job *job, const struct api_write_answer *answer) {
  struct api *api = job->api;
  metric_add(api->writes, 1);
  metric_add(api->rows, answer->rows_written);
  metric_add(api->rows_rejected, answer->rows_rejected);
  metric_add(api->write_bytes, job->write.body.size);
  if (answer->error.code && answer->error.code != ERR_PARTIAL_WRITE)
    metric_add(api->write_errors, 1);
  metric_record(api->write_seconds, (uint64_t)(os_monotonic_ns(api->os) - job->started_ns));
  void (*done)(void *, const struct api_write_answer *) = job->done;
  void *context = job->context;
  job_free(job);
  done(context, answer);
}

static void fail(struct write_job *job, const struct err *err) {
  struct api_write_answer answer = {.error = *err};
  finish(job, &answer);
}

/* From the committer's thread. */
static void committed(void *context, const struct table_write_result *result,
                      const struct err *error) {
  struct api_write_answer answer;
  api__answer(result, error, &answer);
  finish(context, &answer);
}

/* ---- parsing ---- */

/* The last piece is parsed: join and commit, or give up. */
static void join(struct write_job *job) {
  if (atomic_load(&job->failed)) {
    table_write_abort(job->table_write);
    fail(job, &job->error);
    return;
  }
  uint32_t lines = 0;
  for (uint32_t p = 0; p < job->piece_count; p++) {
    table_piece_line_base(job->pieces[p].piece, lines);
    lines += job->pieces[p].lines;
  }
  table_write_commit(job->table_write, committed, job);
}

static void parse_piece(struct os_task *task) {
  struct piece_task *piece = (struct piece_task *)task;
  struct write_job *job = piece->job;
  struct err err;
  err_reset(&err);
  struct ingest_options options = {.precision = job->write.precision,
                                   .precision_factor = job->write.precision_factor,
                                   .now_ns = job->now_ns};
  struct ingest_cache *cache = api__cache_take(job->api, job->owner, &err);
  int code = cache ? ERR_OK : err.code;
  if (!code)
    code = ingest_line_protocol(piece->piece, cache, piece->text, &options, &piece->lines, &err);
  if (cache) api__cache_give(job->api, job->owner, cache);
  if (code) {
    os_mutex_lock(&job->lock);
    if (!atomic_load(&job->failed)) job->error = err;
    atomic_store(&job->failed, code);
    os_mutex_unlock(&job->lock);
  }
  if (atomic_fetch_sub(&job->left, 1) == 1) join(job);
}

/* Cuts the body at line ends. */
static int cut(struct write_job *job, struct err *err) {
  struct str rest = job->write.body;
  size_t target = LIMIT_BODY_PIECE_SIZE;
  if (rest.size / target >= PIECES_MAX) target = rest.size / (PIECES_MAX - 1);
  uint32_t most = (uint32_t)(rest.size / target) + 1;
  job->pieces = mem_alloc_zero(&job->api->account, most * sizeof *job->pieces);
  if (!job->pieces) return mem_refused(&job->api->account, most * sizeof *job->pieces, err);
  job->piece_count = most;
  uint32_t used = 0;
  while (rest.size || used == 0) {
    /* What is left over is not worth a piece of its own. */
    size_t size = used + 1 == most || rest.size < target + target / 2
                      ? rest.size
                      : ingest_line_protocol_cut(rest, target);
    struct piece_task *piece = &job->pieces[used];
    *piece =
        (struct piece_task){.task.run = parse_piece, .job = job, .text = str_of(rest.data, size)};
    int code = table_write_piece(job->table_write, used, &piece->piece, err);
    if (code) return code;
    used++;
    rest = str_of(rest.data + size, rest.size - size);
  }
  struct piece_task *fitting =
      mem_resize(&job->api->account, job->pieces, most * sizeof *fitting, used * sizeof *fitting);
  if (fitting) {
    job->pieces = fitting;
    job->piece_count = used;
  } else {
    return mem_refused(&job->api->account, used * sizeof *fitting, err);
  }
  atomic_store(&job->left, used);
  return ERR_OK;
}

static void run(struct os_task *task) {
  struct write_job *job = (struct write_job *)task;
  struct err err;
  err_reset(&err);
  struct table_write_options options = {job->write.database, job->write.schema, job->write.atomic};
  int code = table_write_begin(job->api->engine, &options, &job->table_write, &err);
  if (code) {
    fail(job, &err);
    return;
  }
  code = cut(job, &err);
  if (code) {
    table_write_abort(job->table_write);
    fail(job, &err);
    return;
  }
  /* The first piece here, the others wherever there is a hand; after the last submit the job may be
   * gone. */
  struct piece_task *pieces = job->pieces;
  for (uint32_t p = 1, count = job->piece_count; p < count; p++)
    os_pool_submit(job->api->pool, &pieces[p].task);
  parse_piece(&pieces[0].task);
}

void api_write_submit(struct api *api, const struct api_write *write,
                      void (*done)(void *context, const struct api_write_answer *answer),
                      void *context) {
  struct write_job *job = mem_alloc_zero(&api->account, sizeof *job);
  if (!job) {
    struct api_write_answer answer = {.rows_written = 0};
    mem_refused(&api->account, sizeof *job, &answer.error);
    done(context, &answer);
    return;
  }
  job->task.run = run;
  job->api = api;
  job->write = *write;
  job->owner = api__cache_owner(write->database, write->schema);
  job->now_ns = os_wall_ns(api->os);
  job->started_ns = os_monotonic_ns(api->os);
  job->done = done;
  job->context = context;
  os_mutex_init(&job->lock, api->os);
  os_pool_submit(api->pool, &job->task);
}

/* ---- blocking ---- */

struct waiter {
  struct os_mutex lock;
  struct os_cond cond;
  bool done;
  struct api_write_answer *answer;
};

static void wake(void *context, const struct api_write_answer *answer) {
  struct waiter *waiter = context;
  os_mutex_lock(&waiter->lock);
  *waiter->answer = *answer;
  waiter->done = true;
  os_cond_signal(&waiter->cond);
  os_mutex_unlock(&waiter->lock);
}

void api_write(struct api *api, const struct api_write *write, struct api_write_answer *answer) {
  struct waiter waiter = {.answer = answer};
  os_mutex_init(&waiter.lock, api->os);
  os_cond_init(&waiter.cond, api->os);
  api_write_submit(api, write, wake, &waiter);
  os_mutex_lock(&waiter.lock);
  while (!waiter.done)
    os_cond_wait(&waiter.cond, &waiter.lock);
  os_mutex_unlock(&waiter.lock);
  os_cond_deinit(&waiter.cond);
  os_mutex_deinit(&waiter.lock);
}
