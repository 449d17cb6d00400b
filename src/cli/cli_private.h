/* What the commands share. */
#ifndef NILO_CLI_CLI_PRIVATE_H
#define NILO_CLI_CLI_PRIVATE_H

#include "api/api.h"
#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "cli/cli.h"
#include "os/os.h"
#include "os/pool.h"

enum { CLI_OPTIONS_MAX = 24, CLI_OPERANDS_MAX = 64, CLI_REPEATS_MAX = 64 };

/* An option of a command; `value` NULL: a switch. */
struct cli_option {
  const char *name;  /* "server" */
  const char *value; /* "URL", for the help */
  const char *help;  /* one that begins with "-c: " is also -c VALUE */
};

/* Options and operands as given; lists end with a NULL name. */
struct cli_arguments {
  const struct cli_option *options;
  const char *values[CLI_OPTIONS_MAX];  /* per option; "" for a switch that is given */
  const char *repeats[CLI_REPEATS_MAX]; /* all values of options given more than once, in order, as
                                           option/value */
  int repeat_options[CLI_REPEATS_MAX];
  int repeat_count;
  const char *operands[CLI_OPERANDS_MAX];
  int operand_count;
};
/* The value of an option, or NULL. The name must be one of the command's. */
const char *cli_value(const struct cli_arguments *arguments, const char *name);

/* The process as a command sees it. */
struct cli {
  struct os *os;
  struct mem_account account;
  struct settings *settings;
  struct metrics *metrics;
  struct logger logger;
  struct os_pool *pool; /* NULL until cli_open */
  struct api *api;      /* likewise */
  struct cli_arguments arguments;
};

/* One command of the program; its table of options is its --help, too. */
struct cli_command {
  const char *name;
  const char *usage;   /* what stands behind the name */
  const char *summary; /* one line */
  const char *details; /* further text of its help, may be "" */
  const struct cli_option *options;
  bool takes_settings; /* --wal.sync=… and the like are flags of it */
  int (*run)(struct cli *cli);
};
extern const struct cli_command cli_serve, cli_query, cli_write, cli_import, cli_inspect,
    cli_config, cli_version, cli_check, cli_compact, cli_delete, cli_backup, cli_restore,
    cli_repair, cli_index, cli_table, cli_sql;

/* Writes text with its control characters as \n, \t, \r or \x1b, since they would break a table or
 * command the terminal. `out` has room for four times the size; returns how much was used. */
size_t cli_escape(struct str text, char *out);
/* Columns that a text takes on a terminal; ill-formed bytes count as one each. */
size_t cli_width(struct str text);
/* Prints "nilo: " with place and text to the error stream, on one line. */
void cli_complain(const char *place, struct str text);
/* Prints "nilo: message" with detail and hint to the error stream; returns 1. */
int cli_fail(const struct err *err);
/* Prints a usage error and where help is; returns 2. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Loads a configuration file, the environment; flags were loaded before. `file` NULL: none. */
int cli_load_settings(struct cli *cli, const char *file, struct err *err);
/* Opens the engine on a directory (pool, api). A directory in use says which process has it. */
int cli_open(struct cli *cli, const char *path, bool read_only, bool collect, struct err *err);
/* Closes what cli_open opened. */
void cli_close(struct cli *cli);
/* Reads a whole file, "-" the standard input, in pieces: calls take with each. */
int cli_read_file(struct cli *cli, const char *path,
                  int (*take)(void *context, struct str bytes, bool last, struct err *err),
                  void *context, struct err *err);
/* The size of a file, 0 where unknown. */
uint64_t cli_file_size(struct cli *cli, const char *path);

/* ---- a database, behind a server or in a directory ---- */
struct cli_door {
  struct cli *cli;
  struct http_client *client; /* NULL: the directory that cli has open */
};
/* By --server or --data; exactly one must be given. ERR_INVALID_ARGUMENT else. */
int cli_door_open(struct cli *cli, struct cli_door *door, bool read_only, struct err *err);
void cli_door_close(struct cli_door *door);
/* Runs statements; the answer as InfluxDB's JSON in `out`. */
int cli_door_query(struct cli_door *door, struct str database, struct str text, bool pretty,
                   struct buffer *out, struct err *err);
/* Writes a body of line protocol. *answer: what became of it. */
int cli_door_write(struct cli_door *door, struct str database, const char *precision,
                   struct str body, struct api_write_answer *answer, struct err *err);
/* Makes the database if it is not there; unit NULL: the default. */
int cli_door_database(struct cli_door *door, struct str database, const char *unit,
                      struct err *err);

/* A request to the server of a door that has one; a status that is no success is an error. `accept`
 * "": the body is no form. */
int cli_door_call(struct cli_door *door, const char *method, struct str target, const char *accept,
                  struct str body, struct buffer *answer, struct err *err);
/* Appends "name" with quotes and backslashes escaped, as InfluxQL has identifiers. */
void cli_append_identifier(struct buffer *out, struct str name);

/* ---- tools: events of api/api_tools.h, from this process or a server's job ---- */
struct cli_tool {
  struct cli *cli;
  bool json;      /* events as they are, one a line, but for progress */
  bool shown;     /* a line of progress stands on the terminal */
  uint64_t wrong; /* damages that were told */
};
/* The directory that the command names (--data, or its operand), or NULL when it names a server; a
 * usage error is told and *status set. */
const char *cli_tool_directory(struct cli *cli, int *status);
/* Whether it is a store opened alone (nilo/store.h), which the api_alone_ functions take with
 * `options`; settings are loaded then. */
struct api_options;
int cli_tool_alone(struct cli *cli, const char *path, struct api_options *options, bool *alone,
                   struct err *err);
/* Prints an event; an api_sink's (context: the cli_tool). */
void cli_tool_event(void *context, struct str json);
/* Starts a job by `target` (path and parameters) at --server and shows its events until it ends.
 * Its failure is the error. */
int cli_tool_job(struct cli_tool *tool, struct str target, struct err *err);
/* Ends the line of progress, tells the error if there is one, says what to do where a directory is
 * in use; returns the exit status: 0, or 1 where something is wrong. */
int cli_tool_end(struct cli_tool *tool, int code, struct err *err);
/* Appends &name=value, encoded; nothing when value is NULL. */
void cli_append_param(struct buffer *target, const char *name, const char *value);

enum cli_format { CLI_TABLE, CLI_CSV, CLI_JSON };
/* Prints InfluxDB's JSON as aligned tables, as CSV, or as it is; *failed: a statement had an error
 * (printed to the error stream, too). */
int cli_print_answer(struct cli *cli, struct str json, enum cli_format format, bool *failed,
                     struct err *err);

#endif
