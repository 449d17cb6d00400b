/* nilo table: what is set for a measurement. It writes the InfluxQL statement that does it, so that
 * this is the same code as ALTER MEASUREMENT, here or in a server. */
#include <stdio.h>
#include <string.h>

#include "api/api_tools.h"
#include "base/buffer.h"
#include "cli/cli_private.h"

static const struct cli_option options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"server", "URL", "a running server's"},
    {"database", "NAME", "of this database (needed)"},
    {"table", "NAME", "this table; show: without it every table"},
    {"field", "NAME", "the field that a rule is for; `*`: every one without its own"},
    {"decimals", "N", "set: round its floats to so many decimals, 0 to 15"},
    {"error", "E", "set: to anything no more than E away"},
    {"relative-error", "E", "set: to anything no more than E times the value away"},
    {"exact", NULL, "set: do not round it, whatever the rule for `*` says"},
    {"codec", "NAME", "set: of merged parts: entropy, zstd or hot"},
    {"create", NULL, "set: make the table if it is not there"},
    {"json", NULL, "show: as JSON"},
    {NULL, NULL, NULL},
};

enum action { SHOW, SET, UNSET, ACTIONS };
static const char *const actions[ACTIONS] = {"show", "set", "unset"};

struct change {
  enum action action;
  const char *database, *table, *field, *decimals, *error, *relative, *codec;
  bool exact, create;
};

/* ---- the statement ---- */

static bool is_number(const char *text) {
  size_t size = strspn(text, "0123456789.eE-+");
  return (*text == '.' || (*text >= '0' && *text <= '9')) && !text[size];
}

static int check_usage(const struct change *change) {
  int bounds = (change->decimals != NULL) + (change->error != NULL) + (change->relative != NULL) +
               change->exact;
  if (!change->database) return cli_usage("name the database: --database NAME");
  if (change->action == SHOW)
    return bounds || change->codec || change->field || change->create
               ? cli_usage("show takes --database and --table")
               : 0;
  if (!change->table) return cli_usage("name the table: --table NAME");
  if (change->action == UNSET)
    return bounds || change->create || !change->field == !change->codec
               ? cli_usage("unset takes --field NAME, or --codec default")
               : 0;
  if (bounds > 1) return cli_usage("a field has one rule");
  if (bounds != (change->field != NULL))
    return cli_usage(
        "a rule is --field NAME with --decimals, --error, --relative-error or --exact");
  if (!bounds && !change->codec && !change->create)
    return cli_usage("nothing is to be set: name a rule for a field, or --codec");
  const char *numbers[] = {change->decimals, change->error, change->relative};
  for (int i = 0; i < 3; i++)
    if (numbers[i] && !is_number(numbers[i])) return cli_usage("no number: %s", numbers[i]);
  return 0;
}

static void append_rule(const struct change *change, struct buffer *out) {
  buffer_append_text(out, " FIELD ");
  if (!strcmp(change->field, "*"))
    buffer_append_byte(out, '*');
  else
    cli_append_identifier(out, str_from(change->field));
  if (change->decimals) buffer_printf(out, " DECIMALS %s", change->decimals);
  if (change->error) buffer_printf(out, " ERROR %s", change->error);
  if (change->relative) buffer_printf(out, " RELATIVE ERROR %s", change->relative);
  if (change->exact) buffer_append_text(out, " EXACT");
  if (change->action == UNSET) buffer_append_text(out, " DEFAULT");
}

static void append_statement(const struct change *change, struct buffer *out) {
  if (change->action == SHOW) {
    buffer_append_text(out, "SHOW MEASUREMENT SETTINGS");
    if (!change->table) return;
    buffer_append_text(out, " FROM ");
    cli_append_identifier(out, str_from(change->table));
    return;
  }
  buffer_append_text(out, change->create ? "CREATE MEASUREMENT " : "ALTER MEASUREMENT ");
  cli_append_identifier(out, str_from(change->table));
  if (change->field) append_rule(change, out);
  if (!change->codec) return;
  if (change->field) buffer_append_byte(out, ',');
  buffer_append_text(out, " CODEC ");
  cli_append_identifier(out, str_from(change->action == UNSET ? "entropy" : change->codec));
}

/* ---- running ---- */

static int run_on(struct cli *cli, struct cli_door *door, const struct change *change,
                  struct err *err) {
  struct buffer text, answer;
  bool failed = false;
  buffer_init(&text, &cli->account);
  buffer_init(&answer, &cli->account);
  append_statement(change, &text);
  int code = buffer_check(&text, err);
  if (!code)
    code = cli_door_query(door, str_from(change->database), buffer_str(&text), false, &answer, err);
  enum cli_format format = cli_value(&cli->arguments, "json") ? CLI_JSON : CLI_TABLE;
  if (!code && change->action == SHOW)
    code = cli_print_answer(cli, buffer_str(&answer), format, &failed, err);
  else if (!code) /* only an error says something */
    code = cli_print_answer(cli, buffer_str(&answer), CLI_TABLE, &failed, err);
  if (!code && failed)
    code = err_set(err, ERR_INVALID_ARGUMENT, "%s",
                   change->action == SHOW ? "nothing is shown" : "nothing was changed");
  if (!code && change->action != SHOW)
    puts(change->action == SET ? "set, from the next write and the next merge on" : "unset");
  buffer_deinit(&answer);
  buffer_deinit(&text);
  return code;
}

/* The word that says what to do; ACTIONS: none does. */
static enum action take_action(struct cli_arguments *arguments) {
  enum action action = SHOW;
  if (!arguments->operand_count) return ACTIONS;
  while (action < ACTIONS && strcmp(arguments->operands[0], actions[action]))
    action++;
  arguments->operand_count--;
  memmove(arguments->operands, arguments->operands + 1,
          (size_t)arguments->operand_count * sizeof arguments->operands[0]);
  return action;
}

static int open_directory(struct cli *cli, const char *directory, bool read_only, struct err *err) {
  if (!os_path_exists(cli->os, directory))
    return err_set(err, ERR_NO_FILE, "there is no directory %s", directory);
  if (api_is_alone(cli->os, directory))
    return err_set(err, ERR_UNSUPPORTED, "%s is a program's store: its program has the settings",
                   directory);
  int code = cli_load_settings(cli, NULL, err);
  return code ? code : cli_open(cli, directory, read_only, false, err);
}

static int run(struct cli *cli) {
  struct cli_arguments *arguments = &cli->arguments;
  struct change change = {.action = take_action(arguments),
                          .database = cli_value(arguments, "database"),
                          .table = cli_value(arguments, "table"),
                          .field = cli_value(arguments, "field"),
                          .decimals = cli_value(arguments, "decimals"),
                          .error = cli_value(arguments, "error"),
                          .relative = cli_value(arguments, "relative-error"),
                          .codec = cli_value(arguments, "codec"),
                          .exact = cli_value(arguments, "exact") != NULL,
                          .create = cli_value(arguments, "create") != NULL};
  struct cli_tool tool = {.cli = cli};
  struct cli_door door = {.cli = cli};
  struct err err;
  int status, code;
  err_reset(&err);
  if (change.action == ACTIONS) return cli_usage("say what to do: table show, set or unset");
  const char *directory = cli_tool_directory(cli, &status);
  if (!status) status = check_usage(&change);
  if (status) return status;
  if (directory)
    code = open_directory(cli, directory, change.action == SHOW, &err);
  else
    code = cli_door_open(cli, &door, false, &err);
  if (!code) code = run_on(cli, &door, &change, &err);
  status = cli_tool_end(&tool, code, &err);
  cli_door_close(&door);
  return status;
}

const struct cli_command cli_table = {
    "table",
    "show|set|unset [DIR | --server URL] --database NAME --table NAME [WHAT …]",
    "Shows and sets how a table's floats are rounded and its parts encoded.",
    "The same as the statements SHOW MEASUREMENT SETTINGS and ALTER MEASUREMENT of InfluxQL. Off\n"
    "by default: every bit of a float is kept. A rule holds for rows that are written from then\n"
    "on, a codec from the next merge on; `nilo compact` merges at once. `unset --field NAME`\n"
    "removes a field's rule, `unset --codec default` the codec. Exit status: 0 done, 1 failed,\n"
    "2 used wrongly.",
    options,
    true,
    run};
