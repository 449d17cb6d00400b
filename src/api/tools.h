/* The engine's tools: check, compact, backup, restore, repair. Beside api.h the second header that
 * the command line and the server use.
 *
 * A tool tells what it does as **events**, each a JSON object on one line, the same offline and
 * through a server (docs/operating/tools.md lists them). Offline the caller's thread does the work;
 * in a server a tool is a **job** on a thread of its own, whose events wait to be asked for. */
#ifndef NILO_API_TOOLS_H
#define NILO_API_TOOLS_H

#include "api/api.h"

struct buffer;

struct api_sink {
  void *context;
  /* An event, without the end of the line; borrowed for the call. */
  void (*event)(void *context, struct str json);
  /* May be NULL. True: the tool gives up with ERR_CANCELLED. */
  bool (*cancelled)(void *context);
};

/* Checks everything of a directory that nobody has open, or of an open engine beside its work (at
 * low priority). Events: finding, progress, done. *damages counts what is wrong; an error says that
 * the check itself failed. */
int api_check_directory(const struct api_options *options, const struct api_sink *sink,
                        uint64_t *damages, struct err *err);
int api_check(struct api *api, const struct api_sink *sink, uint64_t *damages, struct err *err);

/* Flushes and merges as far as the policy allows: everything, a database, or a table of it. Events:
 * done. ERR_UNKNOWN_DATABASE, ERR_UNKNOWN_TABLE. */
struct api_compact {
  struct str database, table; /* may be empty */
};
int api_compact(struct api *api, const struct api_compact *compact, const struct api_sink *sink,
                struct err *err);

/* ---- jobs of a server ---- */
enum api_job_tool { API_JOB_CHECK, API_JOB_COMPACT, API_JOB_BACKUP };
struct api_job_spec {
  enum api_job_tool tool;
  struct str database, table;
};
/* Starts a job. ERR_BUSY while one of the same tool runs; and what the tool finds wrong with its
 * arguments becomes the job's failure. */
int api_job_start(struct api *api, const struct api_job_spec *spec, uint64_t *id, struct err *err);
/* Appends {"job":…,"tool":…,"state":"running"|"done"|"failed","done":…,"total":…,"next":…,
 * "events":[…]}: the events from place `from` on (0, then the last answer's "next"). A finished job
 * is remembered until eight newer ones are. ERR_NOT_FOUND. */
int api_job_read(struct api *api, uint64_t id, uint64_t from, struct buffer *out, struct err *err);
/* Asks a job to give up. ERR_NOT_FOUND. */
int api_job_cancel(struct api *api, uint64_t id, struct err *err);

#endif
