/* An engine that is faked: what it is told and what it answers follow from the names of databases
 * and the texts of queries. For one test program: it defines what api/ and query/ declare. */
#ifndef NILO_TESTS_FAKE_ENGINE_H
#define NILO_TESTS_FAKE_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api.h"
#include "api/api_tools.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "os/os.h"
#include "os/pool.h"
#include "server/http_client.h"
#include "server/server.h"
#include "wire/gzip.h"

/* What the last write told. */
struct seen {
  char database[64], schema[64];
  enum time_unit precision;
  uint32_t precision_factor;
  bool atomic;
  uint64_t body_sum;
  size_t body_size;
};

struct api {
  struct os *os;
  struct os_pool *pool;
  struct mem_account *account;
  struct os_mutex mutex;
  struct os_cond cond;
  bool held; /* writes to "held" wait */
  _Atomic bool sick;
  _Atomic int queries, cancelled, rests; /* queries: open ones */
  struct seen seen;                      /* under mutex */
};

static inline uint64_t sum_of(struct str bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size; i++)
    sum = sum * 1099511628211u + (uint8_t)bytes.data[i];
  return sum;
}

struct write_task {
  struct os_task task;
  struct api *api;
  struct api_write write;
  void (*done)(void *context, const struct api_write_answer *answer);
  void *context;
};

static inline void copy_text(char *out, size_t room, struct str text) {
  snprintf(out, room, "%.*s", (int)text.size, text.data ? text.data : "");
}

static inline void run_write(struct os_task *task) {
  struct write_task *job = (struct write_task *)(void *)task;
  struct api *api = job->api;
  struct api_write_answer answer = {0};
  os_mutex_lock(&api->mutex);
  while (api->held && str_equal(job->write.database, STR("held"))) {
    os_cond_wait(&api->cond, &api->mutex);
  }
  copy_text(api->seen.database, sizeof api->seen.database, job->write.database);
  copy_text(api->seen.schema, sizeof api->seen.schema, job->write.schema);
  api->seen.precision = job->write.precision;
  api->seen.precision_factor = job->write.precision_factor;
  api->seen.atomic = job->write.atomic;
  api->seen.body_sum = sum_of(job->write.body);
  api->seen.body_size = job->write.body.size;
  os_mutex_unlock(&api->mutex);
  if (str_equal(job->write.database, STR("partial"))) {
    err_set(&answer.error, ERR_PARTIAL_WRITE,
            "partial write: unable to parse 'cpu': missing fields dropped=1");
  } else if (str_equal(job->write.database, STR("none"))) {
    err_set(&answer.error, ERR_UNKNOWN_DATABASE, "database not found: \"none\"");
    err_hint(&answer.error, "create it first");
  }
  job->done(job->context, &answer);
  free(job);
}

void api_write_submit(struct api *api, const struct api_write *write,
                      void (*done)(void *context, const struct api_write_answer *answer),
                      void *context) {
  struct write_task *job = calloc(1, sizeof *job);
  job->task.run = run_write;
  job->api = api;
  job->write = *write;
  job->done = done;
  job->context = context;
  os_pool_submit(api->pool, &job->task);
}

bool api_ready(struct api *api) { return !api->sick; }
int api_health(struct api *api, void (*visit)(void *context, const struct api_reason *reason),
               void *context, struct err *why) {
  if (!api->sick) return ERR_OK;
  const struct api_reason reason = {"damaged_part", false, STR("a part is quarantined"),
                                    STR("restore it")};
  visit(context, &reason);
  return err_set(why, ERR_CORRUPTION, "a part is quarantined");
}
const char *api_writes(struct api *api) { return api->sick ? "refused" : "taken"; }
void api_refresh_metrics(struct api *api) { (void)api; }

/* Jobs have suites of their own. */
int api_job_start(struct api *api, const struct api_job_spec *spec, uint64_t *id, struct err *err) {
  (void)api, (void)spec, (void)id;
  return err_set(err, ERR_UNSUPPORTED, "no jobs here");
}
int api_job_read(struct api *api, uint64_t id, uint64_t from, struct buffer *out, struct err *err) {
  (void)api, (void)id, (void)from, (void)out;
  return err_set(err, ERR_NOT_FOUND, "no jobs here");
}
int api_job_cancel(struct api *api, uint64_t id, struct err *err) {
  (void)api, (void)id;
  return err_set(err, ERR_NOT_FOUND, "no jobs here");
}

/* "rows N": one series of N rows; "two": two series and a second statement; "fails": a statement
 * that fails; "endless": rows until it is cancelled; "broken": breaks after some rows; "types". */
struct query {
  struct api *api;
  char text[64];
  int64_t total, given;
  int step;
  _Atomic bool cancelled;
  int64_t times[1000];
  double values[1000];
  struct column columns[7];
  struct str names[7];
  struct type types[7];
  struct query_tag tags[1];
};

int api_query_open(struct api *api, const struct query_options *options, struct query **query,
                   struct err *err) {
  if (str_starts_with(options->text, STR("syntax"))) {
    return err_set(err, ERR_PARSE, "error parsing query: found syntax, expected SELECT");
  }
  struct query *made = calloc(1, sizeof *made);
  made->api = api;
  copy_text(made->text, sizeof made->text, options->text);
  if (options->read_only && str_starts_with(options->text, STR("CREATE"))) {
    free(made);
    return err_set(err, ERR_INVALID_ARGUMENT, "read only");
  }
  if (strncmp(made->text, "rows ", 5) == 0) made->total = strtoll(made->text + 5, NULL, 10);
  if (strcmp(made->text, "endless") == 0 || strcmp(made->text, "broken") == 0) {
    made->total = INT64_MAX;
  }
  made->names[0] = STR("time");
  made->names[1] = STR("v");
  made->types[0] = TYPE_TIMESTAMP(TIME_S);
  made->types[1] = TYPE_FLOAT64;
  atomic_fetch_add(&api->queries, 1);
  *query = made;
  return ERR_OK;
}

static inline void series_event(struct query *query, struct query_event *event, const char *tag) {
  event->kind = QUERY_SERIES;
  event->name = STR("cpu");
  if (tag) {
    query->tags[0] = (struct query_tag){STR("host"), str_from(tag)};
    event->tags = query->tags;
    event->tag_count = 1;
  }
  event->column_names = query->names;
  event->column_types = query->types;
  event->column_count = 2;
  event->has_time = true;
}

static inline void rows_event(struct query *query, struct query_event *event, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    query->times[i] = query->given + i;
    query->values[i] = (double)(query->given + i) / 2;
  }
  query->given += count;
  query->columns[0] =
      (struct column){.type = TYPE_TIMESTAMP(TIME_S), .length = count, .i64 = query->times};
  query->columns[1] = (struct column){.type = TYPE_FLOAT64, .length = count, .f64 = query->values};
  event->kind = QUERY_ROWS;
  event->batch = (struct batch){.length = count, .column_count = 2, .columns = query->columns};
}

/* All types and absent values, in two rows. */
static inline void types_event(struct query *query, struct query_event *event, int step) {
  static const int64_t times[] = {0, 1500};
  static const int64_t integers[] = {INT64_MIN, 7};
  static const uint64_t numbers[] = {UINT64_MAX, 8}, bits[] = {1}, present[] = {2};
  static const double floats[] = {1e21, 0.1};
  static const int32_t offsets[] = {0, 3, 6}, codes[] = {1, 0};
  static const struct column dictionary = {
      .type = {PHYSICAL_STRING, 0, 0}, .length = 2, .offsets = offsets, .data = "a\"b<,>"};
  static const char *const names[] = {"time", "i", "u", "b", "f", "s", "d"};
  for (int i = 0; i < 7; i++)
    query->names[i] = str_from(names[i]);
  series_event(query, event, NULL);
  event->column_count = 7;
  if (step == 1) return;
  query->columns[0] = (struct column){.type = TYPE_TIMESTAMP(TIME_MS), .length = 2, .i64 = times};
  query->columns[1] = (struct column){.type = TYPE_INT64, .length = 2, .i64 = integers};
  query->columns[2] = (struct column){
      .type = TYPE_UINT64, .length = 2, .u64 = numbers, .validity = present, .null_count = 1};
  query->columns[3] = (struct column){.type = TYPE_BOOL, .length = 2, .bits = bits};
  query->columns[4] = (struct column){.type = TYPE_FLOAT64, .length = 2, .f64 = floats};
  query->columns[5] = dictionary;
  query->columns[6] = (struct column){
      .type = {PHYSICAL_INT32, 0, 0}, .length = 2, .i32 = codes, .dictionary = &dictionary};
  event->kind = QUERY_ROWS;
  event->batch = (struct batch){.length = 2, .column_count = 7, .columns = query->columns};
}

/* Two series with a tag that repeats, the same codes for other values in the second. */
static inline void tags_event(struct query *query, struct query_event *event, int step) {
  static const int64_t times[] = {0, 1, 2, 3};
  static const int32_t codes[] = {1, 0, 1, 0};
  static const int32_t offsets[2][3] = {{0, 3, 6}, {0, 2, 7}};
  static const char *const texts[2] = {"a\"bxyz", "ab<\n>cd"};
  static struct column dictionaries[2];
  int series = step > 2;
  series_event(query, event, series ? "second" : "first");
  if (step % 2) return;
  dictionaries[series] = (struct column){
      .type = TYPE_STRING, .length = 2, .offsets = offsets[series], .data = texts[series]};
  query->columns[0] = (struct column){.type = TYPE_TIMESTAMP(TIME_S), .length = 4, .i64 = times};
  query->columns[1] = (struct column){.type = {PHYSICAL_INT32, 0, 0},
                                      .length = 4,
                                      .i32 = codes,
                                      .dictionary = &dictionaries[series]};
  event->kind = QUERY_ROWS;
  event->batch = (struct batch){.length = 4, .column_count = 2, .columns = query->columns};
}

/* Two series, then a statement without any, then one that fails. */
static inline void two_event(struct query *query, struct query_event *event, int step) {
  event->statement = step < 6 ? 0 : step < 9 ? 1 : 2;
  if (step == 0 || step == 6 || step == 9)
    event->kind = QUERY_STATEMENT;
  else if (step == 1 || step == 3)
    series_event(query, event, step == 1 ? "a b" : "c");
  else if (step == 2 || step == 4)
    rows_event(query, event, 3);
  else if (step == 7) {
    event->kind = QUERY_MESSAGE;
    event->message = STR("careful");
  } else if (step == 11) {
    event->kind = QUERY_END;
  } else {
    event->kind = QUERY_DONE;
    if (step == 10) err_set(&event->error, ERR_UNKNOWN_DATABASE, "database not found: \"x\"");
  }
}

int query_next(struct query *query, struct query_event *event, struct err *err) {
  memset(event, 0, sizeof *event);
  int step = query->step++;
  if (strcmp(query->text, "two") == 0) {
    two_event(query, event, step);
    return ERR_OK;
  }
  if (step == 0) {
    event->kind = QUERY_STATEMENT;
  } else if (strcmp(query->text, "tags") == 0) {
    event->kind = step == 5 ? QUERY_DONE : QUERY_END;
    if (step < 5) tags_event(query, event, step);
  } else if (strcmp(query->text, "types") == 0 && step < 3) {
    types_event(query, event, step);
  } else if (strcmp(query->text, "types") == 0) {
    event->kind = step == 3 ? QUERY_DONE : QUERY_END;
  } else if (query->given < query->total && !atomic_load(&query->cancelled)) {
    if (step == 1) {
      series_event(query, event, NULL);
      return ERR_OK;
    }
    if (strcmp(query->text, "broken") == 0 && step > 100) {
      return err_set(err, ERR_CORRUPTION, "a block is damaged");
    }
    int64_t left = query->total - query->given;
    rows_event(query, event, left < 1000 ? left : 1000);
  } else if (query->total >= 0) {
    event->kind = QUERY_DONE;
    query->total = -1;
    query->given = 0;
  } else {
    event->kind = QUERY_END;
  }
  return ERR_OK;
}
void query_rest(struct query *query) { atomic_fetch_add(&query->api->rests, 1); }
void query_cancel(struct query *query) {
  atomic_fetch_add(&query->api->cancelled, 1);
  atomic_store(&query->cancelled, true);
}
void query_close(struct query *query) {
  atomic_fetch_sub(&query->api->queries, 1);
  free(query);
}

#endif
