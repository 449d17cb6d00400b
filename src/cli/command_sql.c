/* nilo sql: statements of SQL, from the command line, a file, the standard input, or a dialog. */
#include <stdio.h>
#include <string.h>

#include "cli/shell.h"

static const struct cli_option options[] = {
    {"server", "URL", "a server; default http://127.0.0.1:8086"},
    {"data", "DIR", "a directory that no server has open"},
    {"db", "NAME", "the database; default nilo"},
    {"command", "TEXT", "-c: run this and end; may be given again"},
    {"file", "FILE", "-f: run a file and end; - is the standard input"},
    {"format", "FORMAT", "table (default), csv, json or line"},
    {"no-header", NULL, "rows alone, without names and counts"},
    {"null", "TEXT", "what null is shown as; default nothing"},
    {"timing", NULL, "tell how long each statement took"},
    {NULL, NULL, NULL},
};

static int take(void *context, struct str bytes, bool last, struct err *err) {
  (void)last;
  buffer_append_str(context, bytes);
  return buffer_check(context, err);
}

static int run_file(struct shell *shell, const char *path, bool *good, struct err *err) {
  struct buffer text;
  buffer_init(&text, &shell->cli->account);
  int code = cli_read_file(shell->cli, path, take, &text, err);
  if (!code) *good = shell_run_text(shell, buffer_str(&text), strcmp(path, "-") ? path : NULL);
  buffer_deinit(&text);
  return code;
}

/* All -c and -f, in order. */
static int run_given(struct shell *shell, bool *given, bool *good, struct err *err) {
  const struct cli_arguments *arguments = &shell->cli->arguments;
  int code = ERR_OK;
  *given = false;
  *good = true;
  for (int i = 0; i < arguments->repeat_count && !code && *good && !shell->stop; i++) {
    const char *name = arguments->options[arguments->repeat_options[i]].name;
    bool command = !strcmp(name, "command"), file = !strcmp(name, "file");
    *given |= command || file;
    if (command) *good = shell_run_text(shell, str_from(arguments->repeats[i]), NULL);
    if (file) code = run_file(shell, arguments->repeats[i], good, err);
  }
  for (int i = 0; i < arguments->operand_count && !code && *good && !shell->stop; i++) {
    *given = true;
    *good = shell_run_text(shell, str_from(arguments->operands[i]), NULL);
  }
  return code;
}

static bool set_format(struct shell *shell, const char *format) {
  static const char *const names[] = {"table", "csv", "json", "line"};
  for (int i = 0; i < 4; i++) {
    if (strcmp(format, names[i]) != 0) continue;
    shell->format = (enum shell_format)i;
    shell->quiet = shell->format == SHELL_CSV || shell->format == SHELL_JSON;
    return true;
  }
  return false;
}

static int run(struct cli *cli) {
  struct shell shell;
  struct err err;
  const char *format = cli_value(&cli->arguments, "format");
  const char *null = cli_value(&cli->arguments, "null");
  err_reset(&err);
  shell = (struct shell){.format = SHELL_TABLE};
  if (!set_format(&shell, format ? format : "table"))
    return cli_usage("unknown format \"%s\": use table, csv, json or line", format);
  int code = shell_open(&shell, cli, &err);
  set_format(&shell, format ? format : "table");
  shell.header = !cli_value(&cli->arguments, "no-header");
  shell.timing = cli_value(&cli->arguments, "timing") != NULL;
  if (null) buffer_append_text(&shell.null, null);
  bool given = false, good = true;
  if (!code) code = run_given(&shell, &given, &good, &err);
  if (!code && !given && os_is_terminal(0))
    good = shell_dialog(&shell) == 0;
  else if (!code && !given)
    code = run_file(&shell, "-", &good, &err);
  shell_close(&shell);
  if (code == ERR_LOCKED)
    err_hint(&err, "ask the server that has it: --server URL in place of --data");
  return code ? cli_fail(&err) : !good;
}

const struct cli_command cli_sql = {
    "sql",
    "[--server URL | --data DIR] [--db NAME] [-c 'TEXT' | -f FILE] [--format FORMAT]",
    "Runs SQL statements, or is a shell for them.",
    "Without -c and -f it reads the standard input; from a terminal, with history, completion and\n"
    "commands like \\d, \\plot and \\watch: \\? lists them.\n"
    "Example: nilo sql --db nile -c 'SELECT max(max_level) FROM nilometer'",
    options,
    true,
    run};
