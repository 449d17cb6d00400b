/* nilo inspect, nilo config, nilo version. */
#include <stdio.h>
#include <string.h>

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
    {"json", NULL, "as JSON"},
    {"parts", NULL, "every part of every table too"},
    {NULL, NULL, NULL},
};

static int run_inspect(struct cli *cli) {
  struct err err;
  err_reset(&err);
  const char *data = cli_value(&cli->arguments, "data");
  if (cli->arguments.operand_count > (data ? 0 : 1))
    return cli_usage("inspect takes one directory, not also %s", cli->arguments.operands[0]);
  if (!data && cli->arguments.operand_count) data = cli->arguments.operands[0];
  struct buffer out;
  buffer_init(&out, &cli->account);
  int code = cli_load_settings(cli, NULL, &err);
  if (!code) code = cli_open(cli, data ? data : "nilo-data", true, false, &err);
  if (!code)
    code = api_inspect(cli->api, cli_value(&cli->arguments, "json") != NULL,
                       cli_value(&cli->arguments, "parts") != NULL, &out, &err);
  int status = print_buffer(&out, code, &err);
  cli_close(cli);
  return status;
}

const struct cli_command cli_inspect = {"inspect",
                                        "[--data DIR | DIR] [--json] [--parts]",
                                        "Shows what a directory holds: tables, parts, log.",
                                        "Reads only; no server may have the directory open.",
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
