/* nilo/nilo.h: Nilo's engine inside a program: a directory of databases, SQL, Arrow.
 *
 *   nilo_open ──► nilo_connect ──► nilo_execute            statements, for what they do
 *                             ├──► nilo_query              rows, as an ArrowArrayStream
 *                             ├──► nilo_prepare, nilo_bind_…, nilo_query_prepared
 *                             ├──► nilo_appender_open, nilo_append_…   rows in, without SQL
 *                             └──► nilo_write_lines        line protocol in
 *
 * Durability. What returned NILO_OK is visible to every later reader and, by default, on stable
 * storage. A statement is one commit; what returned anything else left nothing behind, unless its
 * text says otherwise.
 *
 * Errors. A function that can fail returns NILO_OK (0) or a code, and fills the caller's `struct
 * nilo_error` (which may be NULL). Errors of SQL have PostgreSQL's SQLSTATE and a place in the
 * text. Nothing is global; nothing is thread-local.
 *
 * Threads. A `struct nilo` may be used from any number of threads at once. A connection and what
 * comes from it (statements, appenders, streams) belong to one thread at a time; nilo_cancel is the
 * exception. One process at a time opens a directory.
 *
 * Memory. Pointers given in are read during the call only. What is opened must be closed: streams,
 * statements and appenders before their connection, connections before the directory.
 *
 * docs/embedding.md has the tour, examples/engine.c a small program. Needs C11 or C++11, a 64-bit
 * machine, and -lnilo. nilo/store.h is the ordered store alone. */
#ifndef NILO_NILO_H
#define NILO_NILO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nilo/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the Arrow C data and stream interfaces, as their specification declares them ---- */

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};
#endif

/* ---- a directory ---- */

struct nilo;
struct nilo_connection;
struct nilo_statement;
struct nilo_appender;

/* A setting as the configuration file has it: "query.memory_max", "64MiB". `nilo config` lists
 * them. */
struct nilo_setting {
  const char *name, *value;
};
struct nilo_options {
  const char *path; /* the directory; created where its parent exists */
  bool read_only;   /* nothing is changed; the directory must exist */
  uint32_t threads; /* of the executor; 0: one per core */
  const struct nilo_setting *settings;
  size_t setting_count;
  uint64_t reserved[8];
};
/* All defaults but `path`. */
NILO_API void nilo_options_default(struct nilo_options *options);
/* Opens a directory, recovering what its log holds. NILO_LOCKED: another process has it;
 * NILO_CORRUPTION, NILO_IO, NILO_NO_FILE, NILO_INVALID_ARGUMENT for a setting. */
NILO_API int nilo_open(const struct nilo_options *options, struct nilo **nilo,
                       struct nilo_error *error);
/* All connections must be closed. NULL is allowed. */
NILO_API void nilo_close(struct nilo *nilo);
/* Makes parts of all rows that are only in the log. */
NILO_API int nilo_flush(struct nilo *nilo, struct nilo_error *error);
/* Creates a database whose tables keep time in `unit` ("ns", "us", "ms", "s"); one that is there
 * with the same unit is no error. */
NILO_API int nilo_create_database(struct nilo *nilo, const char *name, const char *unit,
                                  struct nilo_error *error);

/* ---- a connection: a session of SQL ---- */

/* `database` NULL: "nilo", which is created when it is not there and the directory may be changed.
 */
NILO_API int nilo_connect(struct nilo *nilo, const char *database,
                          struct nilo_connection **connection, struct nilo_error *error);
/* NULL is allowed. */
NILO_API void nilo_disconnect(struct nilo_connection *connection);
/* Ends what the connection is doing, from any thread: that returns NILO_CANCELLED. */
NILO_API void nilo_cancel(struct nilo_connection *connection);

/* Runs all statements of a text, one after another; the first that fails ends it. Rows that they
 * give are dropped. *changed (may be NULL): rows that were inserted, updated, deleted, copied. */
NILO_API int nilo_execute(struct nilo_connection *connection, const char *sql, int64_t *changed,
                          struct nilo_error *error);
/* Runs a text whose last statement gives rows, which come as they are asked for. Release the stream
 * before the connection is used again. Errors behind the first rows are told by the stream:
 * get_next returns an errno, get_last_error the text. */
NILO_API int nilo_query(struct nilo_connection *connection, const char *sql,
                        struct ArrowArrayStream *stream, struct nilo_error *error);

/* ---- prepared statements ---- */

/* One statement with parameters $1, $2 … */
NILO_API int nilo_prepare(struct nilo_connection *connection, const char *sql,
                          struct nilo_statement **statement, struct nilo_error *error);
/* NULL is allowed. */
NILO_API void nilo_statement_close(struct nilo_statement *statement);
NILO_API uint32_t nilo_parameter_count(const struct nilo_statement *statement);
/* Parameters count from 1; each must be bound before the statement runs, and stays bound. Values
 * are copied. NILO_INVALID_ARGUMENT for a number that there is not. */
NILO_API int nilo_bind_null(struct nilo_statement *statement, uint32_t parameter,
                            struct nilo_error *error);
NILO_API int nilo_bind_bool(struct nilo_statement *statement, uint32_t parameter, bool value,
                            struct nilo_error *error);
NILO_API int nilo_bind_int64(struct nilo_statement *statement, uint32_t parameter, int64_t value,
                             struct nilo_error *error);
NILO_API int nilo_bind_uint64(struct nilo_statement *statement, uint32_t parameter, uint64_t value,
                              struct nilo_error *error);
NILO_API int nilo_bind_double(struct nilo_statement *statement, uint32_t parameter, double value,
                              struct nilo_error *error);
/* An instant: nanoseconds since 1970-01-01T00:00:00Z. */
NILO_API int nilo_bind_time(struct nilo_statement *statement, uint32_t parameter, int64_t ns,
                            struct nilo_error *error);
/* A text, which is read as whatever type its place asks for: '2024-01-01', '1.50' … */
NILO_API int nilo_bind_text(struct nilo_statement *statement, uint32_t parameter, const char *value,
                            size_t size, struct nilo_error *error);
NILO_API int nilo_bind_bytes(struct nilo_statement *statement, uint32_t parameter,
                             const void *value, size_t size, struct nilo_error *error);
/* As nilo_execute and nilo_query. */
NILO_API int nilo_execute_prepared(struct nilo_statement *statement, int64_t *changed,
                                   struct nilo_error *error);
NILO_API int nilo_query_prepared(struct nilo_statement *statement, struct ArrowArrayStream *stream,
                                 struct nilo_error *error);

/* ---- rows in, without SQL ---- */

/* Appends rows to a table of series: a commit when nilo_appender_commit says so. Times are in
 * nanoseconds and must be whole in the table's unit. The table (database.schema.name, or fewer
 * parts, as the connection finds them) is made when it is not there, and so are columns. */
NILO_API int nilo_appender_open(struct nilo_connection *connection, const char *table,
                                struct nilo_appender **appender, struct nilo_error *error);
/* Rows that were not committed are dropped. NULL is allowed. */
NILO_API void nilo_appender_close(struct nilo_appender *appender);
/* One row: its time, then tags and fields in any order, then its end. Names are those of columns;
 * a field without a value is left out. An error leaves the row at hand out; the appender goes on
 * with the next one. */
NILO_API int nilo_append_time(struct nilo_appender *appender, int64_t ns, struct nilo_error *error);
NILO_API int nilo_append_tag(struct nilo_appender *appender, const char *name, const char *value,
                             struct nilo_error *error);
NILO_API int nilo_append_int64(struct nilo_appender *appender, const char *name, int64_t value,
                               struct nilo_error *error);
NILO_API int nilo_append_uint64(struct nilo_appender *appender, const char *name, uint64_t value,
                                struct nilo_error *error);
NILO_API int nilo_append_double(struct nilo_appender *appender, const char *name, double value,
                                struct nilo_error *error);
NILO_API int nilo_append_bool(struct nilo_appender *appender, const char *name, bool value,
                              struct nilo_error *error);
NILO_API int nilo_append_text(struct nilo_appender *appender, const char *name, const char *value,
                              size_t size, struct nilo_error *error);
NILO_API int nilo_append_row(struct nilo_appender *appender, struct nilo_error *error);
/* The rows of an Arrow batch: a struct array. Its column "time" (a timestamp, or integers in
 * nanoseconds) is the time, string columns named in `tags` (tag_count of them) are tags, all others
 * fields; nulls are left out. The caller goes on owning schema and array. */
NILO_API int nilo_append_arrow(struct nilo_appender *appender, const struct ArrowSchema *schema,
                               const struct ArrowArray *array, const char *const *tags,
                               size_t tag_count, struct nilo_error *error);
/* Commits the rows appended so far, durably. *rows (may be NULL): how many. NILO_TYPE_CONFLICT and
 * others name the first row that was refused, and then none is written. */
NILO_API int nilo_appender_commit(struct nilo_appender *appender, uint64_t *rows,
                                  struct nilo_error *error);

/* Line protocol: one commit. `precision`: "ns", "us", "ms", "s". A bad line leaves the good ones:
 * NILO_PARTIAL_WRITE with the first bad one's place. *rows (may be NULL): how many were written. */
NILO_API int nilo_write_lines(struct nilo_connection *connection, const char *text, size_t size,
                              const char *precision, uint64_t *rows, struct nilo_error *error);

#ifdef __cplusplus
}
#endif

#endif
