/* nilo inspect, nilo config, nilo version. */
#include <stdio.h>
#include <string.h>

#include "api/api_tools.h"
#include "base/buffer.h"
#include "cli/cli_private.h"

static int print_buffer(struct buffer *out, int code, struct err *err) {
  if (!code) code = buffer_check(out, err);
  if (!code) fwrite(out->data, 1, out->size, stdout);
  buffer_deinit(out);
  return code ? cli_fail(err) : 0;
}

/* ---- inspect ---- */

static const struct cli_option inspect_options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"server", "URL", "the directory of a running server"},
    {"database", "NAME", "only this database"},
    {"table", "NAME", "only this table"},
    {"part", "ID", "only this part, as `parts` shows it"},
    {"by", "UNIT", "codecs of each `table` (the default), `part` or `block`"},
    {"json", NULL, "as JSON"},
    {"parts", NULL, "the overview with every part of every table"},
    {NULL, NULL, NULL},
};

struct inspection {
  const char *directory; /* NULL: a server's */
  struct api_inspect what;
};

/* [DIR] [VIEW]: a word that names a view is one, unless a directory is called so. */
static int take_inspection(struct cli *cli, struct inspection *inspection) {
  struct cli_arguments *arguments = &cli->arguments;
  const char *database = cli_value(arguments, "database"), *table = cli_value(arguments, "table"),
             *part = cli_value(arguments, "part"), *by = cli_value(arguments, "by");
  int count = arguments->operand_count, status;
  const char *last = count ? arguments->operands[count - 1] : "";
  bool is_view = api_inspect_view(str_from(last)) && (count > 1 || !os_path_exists(cli->os, last));
  inspection->what = (struct api_inspect){.view = str_from(is_view ? last : ""),
                                          .database = str_from(database ? database : ""),
                                          .table = str_from(table ? table : ""),
                                          .part = str_from(part ? part : ""),
                                          .by = str_from(by ? by : ""),
                                          .json = cli_value(arguments, "json") != NULL};
  arguments->operand_count -= is_view;
  if (arguments->operand_count > 1)
    return cli_usage("inspect takes one directory and one view (overview, stores, parts, blocks, "
                     "codecs, compression, log, series, snapshots), not %s",
                     last);
  inspection->directory = cli_tool_directory(cli, &status);
  return status;
}

static int inspect_server(struct cli *cli, const struct api_inspect *what, struct buffer *out,
                          struct err *err) {
  struct buffer target;
  struct cli_door door;
  buffer_init(&target, &cli->account);
  buffer_append_text(&target, "/api/v1/admin/inspect");
  cli_append_param(&target, "view", what->view.size ? what->view.data : NULL);
  cli_append_param(&target, "db", cli_value(&cli->arguments, "database"));
  cli_append_param(&target, "table", cli_value(&cli->arguments, "table"));
  cli_append_param(&target, "part", cli_value(&cli->arguments, "part"));
  cli_append_param(&target, "by", cli_value(&cli->arguments, "by"));
  cli_append_param(&target, "format", what->json ? "json" : "text");
  int code = buffer_check(&target, err);
  if (!code) code = cli_door_open(cli, &door, true, err);
  if (!code) {
    code = cli_door_call(&door, "GET", buffer_str(&target), "", (struct str){"", 0}, out, err);
    cli_door_close(&door);
  }
  buffer_deinit(&target);
  return code;
}

static int inspect_directory(struct cli *cli, const struct inspection *inspection,
                             struct buffer *out, struct err *err) {
  const struct api_inspect *what = &inspection->what;
  struct api_options options;
  bool alone;
  int code = cli_tool_alone(cli, inspection->directory, &options, &alone, err);
  if (alone) return code ? code : api_alone_inspect(&options, what, out, err);
  code = cli_load_settings(cli, NULL, err);
  if (!code) code = cli_open(cli, inspection->directory, true, false, err);
  if (code) return code;
  bool parts = cli_value(&cli->arguments, "parts") != NULL;
  return what->view.size ? api_inspect_as(cli->api, what, out, err)
                         : api_inspect(cli->api, what->json, parts, out, err);
}

static int run_inspect(struct cli *cli) {
  struct err err;
  struct inspection inspection;
  struct cli_tool tool = {.cli = cli};
  err_reset(&err);
  int status = take_inspection(cli, &inspection);
  if (status) return status;
  struct buffer out;
  buffer_init(&out, &cli->account);
  int code = inspection.directory ? inspect_directory(cli, &inspection, &out, &err)
                                  : inspect_server(cli, &inspection.what, &out, &err);
  if (!code) code = buffer_check(&out, &err);
  if (!code) fwrite(out.data, 1, out.size, stdout);
  buffer_deinit(&out);
  status = cli_tool_end(&tool, code, &err);
  cli_close(cli);
  return status;
}

const struct cli_command cli_inspect = {
    "inspect",
    "[DIR | --data DIR | --server URL] [VIEW] [--json]",
    "Shows what a directory holds: tables, parts, log.",
    "Of a server, or of a program's store (nilo/store.h). Views: overview (the default), stores, "
    "parts, blocks (with columns and their\n"
    "encodings), codecs (what each column is encoded as, in bits a value, and what it would\n"
    "take otherwise: everything is encoded again in every way), compression (what that\n"
    "saves and costs), log, series, snapshots. Reads only. Exit status: 0 done, 1 failed,\n"
    "2 used wrongly.",
    inspect_options,
    true,
    run_inspect};

/* ---- config ---- */

static const struct cli_option config_options[] = {
    {"config", "FILE", "a configuration file"},
    {"default", NULL, "print a file with every setting at its default, explained"},
    {NULL, NULL, NULL},
};

static int run_config(struct cli *cli) {
  if (cli->arguments.operand_count)
    return cli_usage("config takes no argument: %s", cli->arguments.operands[0]);
  struct err err;
  err_reset(&err);
  struct buffer out;
  buffer_init(&out, &cli->account);
  int code = ERR_OK;
  if (cli_value(&cli->arguments, "default")) {
    settings_write_default_file(cli->settings, &out);
  } else {
    code = cli_load_settings(cli, cli_value(&cli->arguments, "config"), &err);
    if (!code) settings_write_effective(cli->settings, &out);
  }
  return print_buffer(&out, code, &err);
}

const struct cli_command cli_config = {"config",
                                       "[--config FILE] [--default] [--SETTING=VALUE…]",
                                       "Prints every setting with where its value came from.",
                                       "A setting comes from its default, a file, the environment "
                                       "(NILO_WAL_SYNC=off for wal.sync) or a\n"
                                       "flag (--wal.sync=off), the later over the earlier.",
                                       config_options,
                                       true,
                                       run_config};

/* ---- version ---- */

static const struct cli_option version_options[] = {{NULL, NULL, NULL}};

static int run_version(struct cli *cli) {
  if (cli->arguments.operand_count)
    return cli_usage("version takes no argument: %s", cli->arguments.operands[0]);
  puts("nilo " NILO_VERSION);
  return 0;
}

const struct cli_command cli_version = {
    "version", "", "Prints the version.", "", version_options, false, run_version};
