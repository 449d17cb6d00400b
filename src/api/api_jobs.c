/* Tools inside a server: each run is a job on a thread of its own, because it may take long and
 * must not hold a worker of the pool. Events are kept as lines until somebody asks; what tells only
 * how far it is, is not kept. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "os/os.h"

enum { EVENTS_BYTES_MAX = 16 << 20, ARGUMENT_MAX = 4096 };

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED };
struct api_job {
  struct api *api;
  uint64_t id;
  enum api_job_tool tool;
  struct os_thread *thread;
  _Atomic bool cancelled;
  char database[ARGUMENT_MAX], table[ARGUMENT_MAX];
  char target[ARGUMENT_MAX], previous[ARGUMENT_MAX]; /* paths */
  char from[ARGUMENT_MAX], to[ARGUMENT_MAX];
  /* under the api's jobs_lock */
  enum job_state state;
  uint64_t done, total;
  struct buffer events; /* one a line */
  uint64_t left_out;
};

static const char *const tool_names[] = {
    [API_JOB_CHECK] = "check", [API_JOB_COMPACT] = "compact", [API_JOB_BACKUP] = "backup"};
static const char *const state_names[] = {
    [JOB_RUNNING] = "running", [JOB_DONE] = "done", [JOB_FAILED] = "failed"};

/* ---- the job's side ---- */

/* {"event":"progress","done":1,"total":2} is the writer's own and has this shape. */
static bool take_progress(struct api_job *job, struct str json) {
  unsigned long long done, total;
  char text[96];
  if (json.size >= sizeof text) return false;
  memcpy(text, json.data, json.size);
  text[json.size] = 0;
  if (sscanf(text, "{\"event\":\"progress\",\"done\":%llu,\"total\":%llu}", &done, &total) != 2)
    return false;
  job->done = done;
  job->total = total;
  return true;
}

static void on_event(void *context, struct str json) {
  struct api_job *job = context;
  os_mutex_lock(&job->api->jobs_lock);
  if (!take_progress(job, json)) {
    size_t size = job->events.size;
    bool fits = size + json.size < EVENTS_BYTES_MAX && buffer_append_str(&job->events, json) &&
                buffer_append_byte(&job->events, '\n');
    if (!fits) {
      job->left_out++;
      job->events.size = size;
      job->events.failed = false;
    }
  }
  os_mutex_unlock(&job->api->jobs_lock);
}

static bool is_cancelled(void *context) {
  struct api_job *job = context;
  return atomic_load(&job->cancelled);
}

static int run_tool(struct api_job *job, const struct api_sink *sink, struct err *err) {
  struct api *api = job->api;
  uint64_t damages;
  struct api_compact compact = {str_from(job->database), str_from(job->table)};
  struct api_backup backup = {.target = job->target,
                              .previous = job->previous[0] ? job->previous : NULL,
                              .database = str_from(job->database),
                              .from = job->from[0] ? job->from : NULL,
                              .to = job->to[0] ? job->to : NULL};
  switch (job->tool) {
  case API_JOB_CHECK:
    return api_check(api, sink, &damages, err);
  case API_JOB_COMPACT:
    return api_compact(api, &compact, sink, err);
  case API_JOB_BACKUP:
    return api_backup(api, &backup, sink, err);
  default:
    return err_set(err, ERR_UNSUPPORTED, "no such tool");
  }
}

static void run_job(void *context) {
  struct api_job *job = context;
  struct api_sink sink = {job, on_event, is_cancelled};
  struct err err;
  err_reset(&err);
  int code = run_tool(job, &sink, &err);
  if (code) {
    struct api_event event;
    api__event_begin(&event, &sink, &job->api->account, "error");
    api__event_text(&event, "error", str_from(err.message));
    api__event_text(&event, "detail", str_from(err.detail));
    api__event_text(&event, "hint", str_from(err.hint));
    api__event_end(&event);
  }
  os_mutex_lock(&job->api->jobs_lock);
  job->state = code ? JOB_FAILED : JOB_DONE;
  os_mutex_unlock(&job->api->jobs_lock);
}

/* ---- the caller's side ---- */

static void job_end(struct api_job *job) {
  struct mem_account *account = &job->api->account;
  if (job->thread) os_thread_join(job->thread);
  buffer_deinit(&job->events);
  mem_free(account, job, sizeof *job);
}

void api__jobs_end(struct api *api) {
  for (uint32_t i = 0; i < api->job_count; i++)
    atomic_store(&api->jobs[i]->cancelled, true);
  for (uint32_t i = 0; i < api->job_count; i++)
    job_end(api->jobs[i]);
  api->job_count = 0;
}

/* Under the lock: a place for one more; *old is what gives way. */
static int make_room(struct api *api, enum api_job_tool tool, struct api_job **old,
                     struct err *err) {
  uint32_t finished = JOBS_MAX;
  *old = NULL;
  for (uint32_t i = 0; i < api->job_count; i++) {
    if (api->jobs[i]->state != JOB_RUNNING && finished == JOBS_MAX) finished = i;
    if (api->jobs[i]->state == JOB_RUNNING && api->jobs[i]->tool == tool) {
      err_set(err, ERR_BUSY, "a %s is running already: job %llu", tool_names[tool],
              (unsigned long long)api->jobs[i]->id);
      err_hint(err, "wait for it, or cancel it");
      return ERR_BUSY;
    }
  }
  if (api->job_count < JOBS_MAX) return ERR_OK;
  if (finished == JOBS_MAX) return err_set(err, ERR_BUSY, "too many jobs are running");
  *old = api->jobs[finished];
  memmove(&api->jobs[finished], &api->jobs[finished + 1],
          (--api->job_count - finished) * sizeof *api->jobs);
  return ERR_OK;
}

static int copy_argument(char out[ARGUMENT_MAX], struct str text, struct err *err) {
  if (text.size >= ARGUMENT_MAX) return err_set(err, ERR_LIMIT_EXCEEDED, "an argument is too long");
  if (text.size) memcpy(out, text.data, text.size);
  out[text.size] = 0;
  return ERR_OK;
}

/* A name becomes a path in the folder that the settings allow, and nowhere else. */
static int backup_path(struct api *api, struct str name, const char *what, char out[ARGUMENT_MAX],
                       struct err *err) {
  const char *folder = api->options.settings
                           ? settings_string(api->options.settings, "storage.backup_directory")
                           : "";
  if (!folder[0]) {
    err_set(err, ERR_UNSUPPORTED, "this server has no place for backups");
    err_hint(err, "set storage.backup_directory, or stop the server and back its directory up");
    return ERR_UNSUPPORTED;
  }
  bool good = name.size && name.size < 200 && name.data[0] != '.';
  for (size_t i = 0; i < name.size; i++)
    good = good && name.data[i] != '/' && (unsigned char)name.data[i] >= 0x20;
  if (!good) {
    err_set(err, ERR_INVALID_ARGUMENT, "%s is a name without '/' that does not begin with '.'",
            what);
    err_hint(err, "it is made in the server's storage.backup_directory");
    return ERR_INVALID_ARGUMENT;
  }
  if (snprintf(out, ARGUMENT_MAX, "%s/%.*s", folder, STR_ARG(name)) >= 3800)
    return err_set(err, ERR_LIMIT_EXCEEDED, "storage.backup_directory is too long");
  return ERR_OK;
}

static int copy_arguments(struct api_job *job, const struct api_job_spec *spec, struct err *err) {
  int code = copy_argument(job->database, spec->database, err);
  if (!code) code = copy_argument(job->table, spec->table, err);
  if (!code) code = copy_argument(job->from, spec->from, err);
  if (!code) code = copy_argument(job->to, spec->to, err);
  if (code || spec->tool != API_JOB_BACKUP) return code;
  code = backup_path(job->api, spec->target, "the target", job->target, err);
  if (!code && spec->previous.size)
    code = backup_path(job->api, spec->previous, "the backup before", job->previous, err);
  return code;
}

int api_job_start(struct api *api, const struct api_job_spec *spec, uint64_t *id, struct err *err) {
  struct api_job *job = mem_alloc_zero(&api->account, sizeof *job), *old = NULL;
  if (!job) return mem_refused(&api->account, sizeof *job, err);
  job->api = api;
  job->tool = spec->tool;
  buffer_init(&job->events, &api->account);
  int code = copy_arguments(job, spec, err);
  os_mutex_lock(&api->jobs_lock);
  if (!code) code = make_room(api, spec->tool, &old, err);
  if (!code) {
    *id = job->id = ++api->job_last;
    code = os_thread_create(api->os, "tool", run_job, job, &job->thread, err);
    if (!code) api->jobs[api->job_count++] = job;
  }
  os_mutex_unlock(&api->jobs_lock);
  if (old) job_end(old);
  if (code) job_end(job);
  return code;
}

static struct api_job *find(struct api *api, uint64_t id, struct err *err) {
  for (uint32_t i = 0; i < api->job_count; i++)
    if (api->jobs[i]->id == id) return api->jobs[i];
  err_set(err, ERR_NOT_FOUND, "there is no job %llu", (unsigned long long)id);
  return NULL;
}

static void write_job(const struct api_job *job, uint64_t from, struct buffer *out) {
  struct json_writer json;
  json_writer_init(&json, out, false);
  json_begin_object(&json);
  json_key(&json, STR("job"));
  json_u64(&json, job->id);
  json_key(&json, STR("tool"));
  json_string(&json, str_from(tool_names[job->tool]));
  json_key(&json, STR("state"));
  json_string(&json, str_from(state_names[job->state]));
  json_key(&json, STR("done"));
  json_u64(&json, job->done);
  json_key(&json, STR("total"));
  json_u64(&json, job->total);
  json_key(&json, STR("left_out"));
  json_u64(&json, job->left_out);
  json_key(&json, STR("next"));
  json_u64(&json, job->events.size);
  json_key(&json, STR("events"));
  json_begin_array(&json);
  const char *at = (const char *)job->events.data + from;
  for (const char *end = (const char *)job->events.data + job->events.size; from && at < end;) {
    /* A place that is none of ours: on to the next line. */
    if (at[-1] == '\n') break;
    at++;
  }
  while (job->events.size && at < (const char *)job->events.data + job->events.size) {
    const char *end =
        memchr(at, '\n', (size_t)((const char *)job->events.data + job->events.size - at));
    json_raw(&json, str_of(at, (size_t)(end - at)));
    at = end + 1;
  }
  json_end_array(&json);
  json_end_object(&json);
  buffer_append_byte(out, '\n');
}

int api_job_read(struct api *api, uint64_t id, uint64_t from, struct buffer *out, struct err *err) {
  os_mutex_lock(&api->jobs_lock);
  const struct api_job *job = find(api, id, err);
  if (job) write_job(job, from < job->events.size ? from : job->events.size, out);
  os_mutex_unlock(&api->jobs_lock);
  return job ? buffer_check(out, err) : ERR_NOT_FOUND;
}

int api_job_cancel(struct api *api, uint64_t id, struct err *err) {
  os_mutex_lock(&api->jobs_lock);
  struct api_job *job = find(api, id, err);
  if (job) atomic_store(&job->cancelled, true);
  os_mutex_unlock(&api->jobs_lock);
  return job ? ERR_OK : ERR_NOT_FOUND;
}
