/* nilo check, nilo compact. */
#include <string.h>

#include "api/api_tools.h"
#include "base/buffer.h"
#include "cli/cli_private.h"

/* ---- check ---- */

static const struct cli_option check_options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"server", "URL", "check the directory of a running server"},
    {"json", NULL, "one JSON object a line"},
    {NULL, NULL, NULL},
};

static int check_directory(struct cli *cli, const char *path, struct cli_tool *tool,
                           struct err *err) {
  struct api_sink sink = {tool, cli_tool_event, NULL};
  uint64_t damages = 0;
  int code = cli_load_settings(cli, NULL, err);
  if (!code) code = os_pool_create(cli->os, 0, &cli->pool, err);
  if (code) return code;
  struct api_options options = {.path = path,
                                .os = cli->os,
                                .pool = cli->pool,
                                .account = &cli->account,
                                .settings = cli->settings};
  return api_check_directory(&options, &sink, &damages, err);
}

static int run_check(struct cli *cli) {
  struct err err;
  int status;
  err_reset(&err);
  struct cli_tool tool = {.cli = cli, .json = cli_value(&cli->arguments, "json") != NULL};
  const char *directory = cli_tool_directory(cli, &status);
  if (status) return status;
  int code = directory ? check_directory(cli, directory, &tool, &err)
                       : cli_tool_job(&tool, STR("/api/v1/admin/check"), &err);
  return cli_tool_end(&tool, code, &err);
}

const struct cli_command cli_check = {
    "check",
    "[DIR | --data DIR | --server URL] [--json]",
    "Checks every checksum and invariant of a directory.",
    "Reads all of it and changes nothing; goes on behind what it finds and tells\n"
    "file, offset, what is wrong and what to do. Exit status: 0 all is well (notes\n"
    "are no fault), 1 something is damaged or the check failed, 2 used wrongly.",
    check_options,
    true,
    run_check};

/* ---- compact ---- */

static const struct cli_option compact_options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"server", "URL", "compact the directory of a running server"},
    {"database", "NAME", "only this database"},
    {"table", "NAME", "only this table of it"},
    {"json", NULL, "one JSON object a line"},
    {NULL, NULL, NULL},
};

static int compact_directory(struct cli *cli, const char *path, struct cli_tool *tool,
                             const char *database, const char *table, struct err *err) {
  struct api_sink sink = {tool, cli_tool_event, NULL};
  struct api_compact compact = {str_from(database ? database : ""), str_from(table ? table : "")};
  struct api_options options;
  bool alone;
  if (!os_path_exists(cli->os, path))
    return err_set(err, ERR_NO_FILE, "there is no directory %s", path);
  int code = cli_tool_alone(cli, path, &options, &alone, err);
  if (alone && !code && database)
    code = err_set(err, ERR_UNSUPPORTED, "%s is one store by itself, without databases", path);
  if (alone) return code ? code : api_alone_compact(&options, &sink, err);
  code = cli_load_settings(cli, NULL, err);
  if (!code) code = cli_open(cli, path, false, false, err);
  if (!code) code = api_compact(cli->api, &compact, &sink, err);
  return code;
}

static int run_compact(struct cli *cli) {
  struct err err;
  int status;
  err_reset(&err);
  struct cli_tool tool = {.cli = cli, .json = cli_value(&cli->arguments, "json") != NULL};
  const char *database = cli_value(&cli->arguments, "database"),
             *table = cli_value(&cli->arguments, "table");
  if (table && !database) return cli_usage("--table needs --database NAME");
  const char *directory = cli_tool_directory(cli, &status);
  if (status) return status;
  int code;
  if (directory) {
    code = compact_directory(cli, directory, &tool, database, table, &err);
  } else {
    struct buffer target;
    buffer_init(&target, &cli->account);
    buffer_append_text(&target, "/api/v1/admin/compact");
    cli_append_param(&target, "db", database);
    cli_append_param(&target, "table", table);
    code = buffer_check(&target, &err);
    if (!code) code = cli_tool_job(&tool, buffer_str(&target), &err);
    buffer_deinit(&target);
  }
  status = cli_tool_end(&tool, code, &err);
  cli_close(cli);
  return status;
}

const struct cli_command cli_compact = {
    "compact",
    "[DIR | --server URL] [--database NAME [--table NAME]]",
    "Flushes and merges parts as far as the policy allows.",
    "Rows and answers stay as they are; files become fewer and smaller. Needs as\n"
    "much free disk as the largest table takes. Exit status: 0 done, 1 failed, 2\n"
    "used wrongly.",
    compact_options,
    true,
    run_compact};
