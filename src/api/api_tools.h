/* The engine's tools: check, compact, backup, restore, repair. Beside api.h the second header that
 * the command line and the server use.
 *
 * A tool tells what it does as **events**, each a JSON object on one line, the same offline and
 * through a server (docs/operating/tools.md lists them). Offline the caller's thread does the work;
 * in a server a tool is a **job** on a thread of its own, whose events wait to be asked for. */
#ifndef NILO_API_API_TOOLS_H
#define NILO_API_API_TOOLS_H

#include "api/api.h"

struct buffer;

struct api_sink {
  void *context;
  /* An event, without the end of the line; borrowed for the call. */
  void (*event)(void *context, struct str json);
  /* May be NULL. True: the tool gives up with ERR_CANCELLED. */
  bool (*cancelled)(void *context);
};

/* What an engine's directory holds, as a view: "overview" (the default), "stores", "parts",
 * "blocks", "codecs" (by "table", the default, "part" or "block"), "compression", "log", "series"
 * or "snapshots"; of one database, table or part (its id as parts show it) where that is given.
 * Text for people, or JSON. ERR_INVALID_ARGUMENT (no such view), ERR_UNKNOWN_DATABASE. */
struct api_inspect {
  struct str view, database, table, part, by; /* may be empty */
  bool json;
};
int api_inspect_as(struct api *api, const struct api_inspect *what, struct buffer *out,
                   struct err *err);
bool api_inspect_view(struct str name);

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

/* Makes a backup (docs/format/backup.md): the directory of one commit in `target`, which must not
 * exist or be empty; files are linked where the file system allows. Narrowed by database and time
 * if they are given: then by rewriting what is not wholly inside. With `previous` (a backup of the
 * same directory) only what that one lacks is put there. Events: progress, done. Without a finished
 * backup.json what is there is no backup; on failure it is removed as far as possible. Errors:
 * ERR_FILE_EXISTS, ERR_UNKNOWN_DATABASE, ERR_CORRUPTION (parts that cannot be read), ERR_DISK_FULL,
 * ERR_IO. */
struct api_backup {
  const char *target, *previous; /* previous may be NULL */
  struct str database;           /* empty: all */
  const char *from, *to;         /* instants as InfluxQL has them, or ns; NULL: open; `to` is out */
};
int api_backup(struct api *api, const struct api_backup *backup, const struct api_sink *sink,
               struct err *err);

/* Makes a directory out of a backup, and of older ones where it is incremental: `backups` are asked
 * in turn, then what each says its previous one was. Digests are verified first, then all is
 * copied, checked like api_check_directory does, and only then named `target`, which must not exist
 * or be empty; until then it is <target>.restoring. `options` are those of an engine, but for the
 * path. verify_only: only the digests. Events: finding, progress, done. */
struct api_restore {
  const char *const *backups;
  size_t backup_count;
  const char *target;
  struct str database; /* empty: all */
  bool verify_only;
};
int api_restore(const struct api_options *options, const struct api_restore *restore,
                const struct api_sink *sink, struct err *err);

/* Mends a directory that nobody has open (store/tools.h says how); index_only: only parts whose
 * series section is wrong, with index_all every part. *losses counts what could not be saved.
 * Events: finding, done. `options`: path, os, account. */
struct api_repair {
  bool dry_run, index_only, index_all;
};
int api_repair(const struct api_options *options, const struct api_repair *repair,
               const struct api_sink *sink, uint64_t *losses, struct err *err);

/* ---- stores opened alone (nilo/store.h) ---- */

/* api_check_directory, api_repair and api_restore know them by themselves; what works on an open
 * engine has its like here, which opens the directory (`options`: path, os, account) and closes it
 * again. Errors and events as there; databases, tables and times are refused. */
bool api_is_alone(struct os *os, const char *path);
int api_alone_inspect(const struct api_options *options, const struct api_inspect *what,
                      struct buffer *out, struct err *err);
int api_alone_compact(const struct api_options *options, const struct api_sink *sink,
                      struct err *err);
int api_alone_backup(const struct api_options *options, const struct api_backup *backup,
                     const struct api_sink *sink, struct err *err);
/* Deletes elements of these series (none: of all) with keys from key_min to key_max, both in; or
 * only counts them. */
struct api_alone_delete {
  const uint64_t *series; /* ascending */
  size_t series_count;
  int64_t key_min, key_max;
  bool count_only;
};
int api_alone_delete(const struct api_options *options, const struct api_alone_delete *delete,
                     uint64_t *rows, struct err *err);

/* ---- jobs of a server ---- */
enum api_job_tool { API_JOB_CHECK, API_JOB_COMPACT, API_JOB_BACKUP };
struct api_job_spec {
  enum api_job_tool tool;
  struct str database, table;
  /* backup: names below storage.backup_directory; instants */
  struct str target, previous, from, to;
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
