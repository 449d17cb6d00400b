/* nilo query: statements to a server or straight to a directory, answers as tables, CSV or JSON. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/cli_private.h"

static const struct cli_option options[] = {
    {"server", "URL", "a server; default http://127.0.0.1:8086"},
    {"data", "DIR", "a directory that no server has open"},
    {"db", "NAME", "the default database"},
    {"format", "FORMAT", "table (default), csv, json or pretty"},
    {NULL, NULL, NULL},
};

static int take(void *context, struct str bytes, bool last, struct err *err) {
  (void)last;
  buffer_append_str(context, bytes);
  return buffer_check(context, err);
}

static int query(struct cli *cli, struct str text, const char *format, bool *failed,
                 struct err *err) {
  const char *database = cli_value(&cli->arguments, "db");
  struct cli_door door;
  struct buffer out;
  buffer_init(&out, &cli->account);
  int code = cli_door_open(cli, &door, false, err);
  if (!code)
    code = cli_door_query(&door, str_from(database ? database : ""), text,
                          !strcmp(format, "pretty"), &out, err);
  enum cli_format as = !strcmp(format, "table") ? CLI_TABLE
                       : !strcmp(format, "csv") ? CLI_CSV
                                                : CLI_JSON;
  if (!code) code = cli_print_answer(cli, buffer_str(&out), as, failed, err);
  buffer_deinit(&out);
  cli_door_close(&door);
  return code;
}

static int run(struct cli *cli) {
  struct err err;
  err_reset(&err);
  const char *format = cli_value(&cli->arguments, "format");
  if (!format) format = "table";
  if (strcmp(format, "table") && strcmp(format, "csv") && strcmp(format, "json") &&
      strcmp(format, "pretty"))
    return cli_usage("unknown format \"%s\": use table, csv, json or pretty", format);
  if (cli->arguments.operand_count != 1)
    return cli_usage("query takes one argument, the statements (or - to read them)");
  struct buffer text;
  buffer_init(&text, &cli->account);
  int code = ERR_OK;
  if (!strcmp(cli->arguments.operands[0], "-"))
    code = cli_read_file(cli, "-", take, &text, &err);
  else
    buffer_append_text(&text, cli->arguments.operands[0]);
  bool failed = false;
  if (!code) code = query(cli, buffer_str(&text), format, &failed, &err);
  buffer_deinit(&text);
  return code ? cli_fail(&err) : failed;
}

const struct cli_command cli_query = {
    "query",
    "[--server URL | --data DIR] [--db NAME] [--format FORMAT] 'STATEMENTS'",
    "Runs InfluxQL statements.",
    "Example: nilo query --db nile 'SELECT max(max_level) FROM nilometer'",
    options,
    true,
    run};
