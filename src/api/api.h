/* The engine as programs use it: open a directory, write bytes of a format, query text, read
 * results.
 *
 * The server and the command line reach the engine only through this header. (The public C header,
 * include/nilo/nilo.h, will be this with opaque types and Arrow results.) */
#ifndef NILO_API_API_H
#define NILO_API_API_H

#include "base/settings.h"
#include "base/time.h"
#include "query/query.h"

struct api;
struct table_engine;
struct logger;
struct metrics;
struct os;
struct os_pool;

/* The settings of the engine and everything below, for settings_create. */
extern const struct setting_table api_setting_tables[];
extern const size_t api_setting_table_count;

struct api_options {
  const char *path;
  struct os *os;
  struct os_pool *pool;
  struct mem_account *account;
  const struct settings *settings; /* the values of api_setting_tables */
  struct logger *logger;
  struct metrics *metrics;
  bool read_only;
  bool collect; /* run the collector of the host's metrics */
};
/* Opens the directory (creating it unless read_only) with all that works behind it, until
 * api_close. ERR_LOCKED: another process has it; ERR_CORRUPTION, ERR_IO, ERR_NO_FILE. Options are
 * copied, what they point at is borrowed. */
int api_open(const struct api_options *options, struct api **api, struct err *err);
void api_close(struct api *api);

/* ---- writing ---- */
enum api_format { API_LINE_PROTOCOL = 1 };
struct api_write {
  struct str database, schema;
  enum api_format format;
  enum time_unit precision;
  uint32_t precision_factor; /* as in struct ingest_options */
  bool atomic;
  struct str body; /* must stay until done is called */
};
struct api_write_answer {
  uint64_t rows_written, rows_rejected;
  struct err
      error; /* code ERR_OK, ERR_PARTIAL_WRITE (good rows are durable), or the failure of all */
};
/* Parses on the pool (a large body in pieces of about 256 KiB), commits, and calls `done` from any
 * thread when the rows are durable or refused. The body must stay until then. Returns at once. */
void api_write_submit(struct api *api, const struct api_write *write,
                      void (*done)(void *context, const struct api_write_answer *answer),
                      void *context);
/* Blocking form; not from a task of the pool. */
void api_write(struct api *api, const struct api_write *write, struct api_write_answer *answer);

struct ingest_csv_options; /* ingest/ingest.h */
/* An import of CSV: many commits. Feed the file in any pieces; *so_far tells the totals and the
 * first error. */
struct api_csv_import;
int api_csv_begin(struct api *api, struct str database, struct str schema,
                  const struct ingest_csv_options *options, struct api_csv_import **import,
                  struct err *err);
int api_csv_feed(struct api_csv_import *import, struct str bytes, bool last,
                 struct api_write_answer *so_far, struct err *err);
void api_csv_end(struct api_csv_import *import);

/* ---- queries: query/query.h's events ---- */
/* Opens a statement text, as query_open does, on this engine's state. */
int api_query_open(struct api *api, const struct query_options *options, struct query **query,
                   struct err *err);
/* then query_next, query_cancel, query_close */

/* The engine below: for the collector and tests, not for doors. */
struct table_engine *api_engine(struct api *api);

/* Creates a database whose tables keep time in `unit`; one that is there is no error. */
int api_create_database(struct api *api, struct str name, enum time_unit unit, struct err *err);

/* ---- state ---- */
/* Whether recovery is over and statements and writes are taken. */
bool api_ready(struct api *api);
/* One thing that is wrong. Texts are borrowed during the call. */
struct api_reason {
  const char *name; /* stable, for programs: "damaged_part", "disk_pressure" … (store/health.h) */
  bool failed;      /* nothing is taken any more; else answers lack rows or writes are held up */
  struct str text;  /* what is wrong, where, and the cause */
  struct str hint;  /* what to do */
};
/* Health: ERR_OK, or why not, in short, and each reason to `visit` (which may be NULL). */
int api_health(struct api *api, void (*visit)(void *context, const struct api_reason *reason),
               void *context, struct err *why);
/* How writes are treated: "taken", "slowed" or "refused". Static storage. */
const char *api_writes(struct api *api);
/* Tells programs that find the directory in use which address serves it. */
int api_announce(struct api *api, struct str address, struct err *err);
/* Refreshes gauges before a scrape. */
void api_refresh_metrics(struct api *api);
/* Flushes everything to parts. */
int api_flush(struct api *api, struct err *err);
/* What a directory holds, as text or JSON: databases, tables, log and (with_parts) every part; for
 * `nilo inspect`. */
int api_inspect(struct api *api, bool json, bool with_parts, struct buffer *out, struct err *err);

#endif
