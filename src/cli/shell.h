/* The SQL shell: what its files share.
 *
 *   command_sql.c  options; one text, a file, or the dialog
 *   shell.c        the dialog: lines to statements and commands
 *   shell_split.c  where a statement ends
 *   shell_run.c    a statement, run on a directory or a server; Ctrl-C
 *   shell_result.c the answer as cells
 *   shell_print.c  cells as a table, CSV, JSON or lines
 *   shell_plot.c   cells as a chart
 *   shell_command.c, shell_copy.c  \commands
 *   shell_line.c   editing, history, completion
 *   shell_screen.c the terminal's size, the pager, the editor */
#ifndef NILO_CLI_SHELL_H
#define NILO_CLI_SHELL_H

#include "base/buffer.h"
#include "base/limits.h"
#include "cli/cli_private.h"

struct query_session;
struct shell_interrupt;
struct shell_line;

enum shell_format { SHELL_TABLE, SHELL_CSV, SHELL_JSON, SHELL_LINE };

enum shell_cell_kind { SHELL_NULL, SHELL_NUMBER, SHELL_BOOLEAN, SHELL_TEXT, SHELL_JSON_VALUE };
struct shell_cell {
  struct str text;
  enum shell_cell_kind kind;
};
/* The answer of one statement; texts in `arena` or in the answer's own. */
struct shell_result {
  struct arena arena;
  struct buffer json;         /* the answer, which texts lie in */
  struct buffer names, types; /* struct str */
  struct buffer cells;        /* struct shell_cell, row by row */
  struct buffer notes;        /* struct str */
  size_t columns;
  bool has_rows; /* it gives rows, if none */
  struct str command;
  int64_t count; /* -1: none */
  struct err error;
  char sqlstate[6];
};
static inline size_t shell_rows(const struct shell_result *result) {
  return result->columns ? result->cells.size / sizeof(struct shell_cell) / result->columns : 0;
}
static inline const struct shell_cell *shell_cells(const struct shell_result *result) {
  return (const struct shell_cell *)(const void *)result->cells.data;
}
static inline struct str shell_name(const struct shell_result *result, size_t column) {
  return ((const struct str *)(const void *)result->names.data)[column];
}
static inline struct str shell_type(const struct shell_result *result, size_t column) {
  return ((const struct str *)(const void *)result->types.data)[column];
}

struct shell {
  struct cli *cli;
  struct cli_door door;
  struct query_session *session; /* of a directory */
  /* Of a server, which keeps no session for us: the statements that made it what it is. */
  struct buffer preamble;
  uint64_t preamble_count;
  struct buffer database; /* NUL-terminated */
  struct buffer text;     /* the statement at hand, for \p, \e, \watch, \plot: the last one run */
  struct buffer null;     /* what null is shown as */
  enum shell_format format;
  bool expanded, timing, pager, header, interactive, quiet, stop;
  struct os_file *output; /* \o; NULL: the standard output */
  uint64_t output_size;
  struct shell_interrupt *interrupt;
  struct shell_line *line;
  struct buffer words; /* names for completion, struct str in words_arena */
  struct arena words_arena;
  const char *file; /* whose text runs; NULL: none */
  int32_t file_line;
  int depth; /* of \i */
};

/* ---- shell_split.c ---- */
struct shell_scan {
  size_t at; /* how far it was read */
  int comment_depth, parentheses;
  char quote; /* ' " e (escaped ') or $; 0: outside */
  struct str tag;
  bool blank; /* nothing but blanks and comments so far */
};
/* Where the first statement of the text ends, behind its ";", or its size when none is there;
 * *whole tells which. `scan` says what is open at the end. */
size_t shell_statement_end(struct str text, bool *whole, struct shell_scan *scan);
/* What the statement does not need: blanks and comments in front. */
struct str shell_strip(struct str text);

/* ---- shell_run.c ---- */
/* By the options of the command. What failed must be closed, too. */
int shell_open(struct shell *shell, struct cli *cli, struct err *err);
/* Frees what it holds. */
void shell_close(struct shell *shell);
/* Runs one statement. What fails of the statement stands in result->error; the answer's failure is
 * returned. */
int shell_query(struct shell *shell, struct str text, struct shell_result *result, struct err *err);
/* Goes to another database. */
int shell_use(struct shell *shell, struct str database, struct err *err);
/* Runs a statement and prints its answer; false: an error was told. */
bool shell_execute(struct shell *shell, struct str text);
/* All statements and backslash commands of a text; stops at an error unless interactive. */
bool shell_run_text(struct shell *shell, struct str text, const char *file);
/* Tells an error with its place in the text, on the error stream. sqlstate may be NULL. */
void shell_tell_error(struct shell *shell, struct str text, const struct err *err,
                      const char *sqlstate);

/* ---- shell_interrupt.c: Ctrl-C while something runs ---- */
struct query;
/* Watches from now on: Ctrl-C does not end the program any more. NULL where that can't be. */
struct shell_interrupt *shell_interrupt_create(struct shell *shell);
void shell_interrupt_destroy(struct shell_interrupt *interrupt);
/* The query that Ctrl-C cancels; NULL: none. `interrupt` may be NULL. */
void shell_interrupt_query(struct shell_interrupt *interrupt, struct query *query);
/* Whether Ctrl-C was pressed since the last question. */
bool shell_interrupted(struct shell *shell);

/* ---- shell_result.c ---- */
/* An empty one. */
void shell_result_init(struct shell_result *result, struct mem_account *account);
/* Frees what it holds. */
void shell_result_deinit(struct shell_result *result);
/* Reads result->json, an answer of /sql: the statement of this number. */
int shell_result_read(struct shell_result *result, uint64_t statement, struct err *err);

/* ---- shell_print.c ---- */
/* The rows as text, to `out`; *widest: the columns of its widest line. */
int shell_print(struct shell *shell, const struct shell_result *result, struct buffer *out,
                size_t *widest, struct err *err);

/* ---- shell_plot.c ---- */
/* A chart of the columns of numbers over the first column of times (or of numbers), `width` by
 * `height` characters with its axes. ERR_INVALID_ARGUMENT where the answer has none. */
int shell_plot(const struct shell_result *result, struct arena *arena, size_t width, size_t height,
               struct buffer *out, struct err *err);

/* ---- shell_command.c, shell_copy.c ---- */
/* A line that begins with a backslash; false: it failed. */
bool shell_command(struct shell *shell, struct str line);
/* The i-th command as it is typed, NULL behind the last. */
const char *shell_command_name(size_t i);
bool shell_copy(struct shell *shell, struct str arguments);
/* 'x' with quotes doubled; "x" likewise. */
void shell_append_literal(struct buffer *out, struct str text);
void shell_append_name(struct buffer *out, struct str text);

/* ---- shell_line.c ---- */
/* NULL when the standard input is no terminal, or there is no memory. */
struct shell_line *shell_line_create(struct shell *shell);
void shell_line_destroy(struct shell_line *line);
/* A line without its end, or data NULL at the end; *interrupted: Ctrl-C, the line is to be
 * forgotten. Lives until the next call. */
struct str shell_line_read(struct shell_line *line, const char *prompt, bool *interrupted);
void shell_line_remember(struct shell_line *line, struct str statement);

/* ---- shell_screen.c ---- */
/* Of the terminal, or 80 by 24. */
void shell_screen_size(size_t *columns, size_t *rows);
/* To \o's file, through the pager when it is taller or wider than the screen, or plainly. */
void shell_show(struct shell *shell, struct str text, size_t widest);
/* Starts a program on a file (the editor), or with `input` as its standard input (the pager), and
 * waits for it. False: it could not be started. */
bool shell_start(const char *command, const char *file, struct str input);

/* ---- the dialog ---- */
/* Reads and runs until the end; the exit status. */
int shell_dialog(struct shell *shell);

#endif
