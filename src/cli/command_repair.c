/* nilo repair, nilo index rebuild. */
#include <string.h>

#include "api/api_tools.h"
#include "cli/cli_private.h"

static int run(struct cli *cli, const char *path, const struct api_repair *repair,
               struct cli_tool *tool, struct err *err) {
  struct api_sink sink = {tool, cli_tool_event, NULL};
  struct api_options options = {.path = path, .os = cli->os, .account = &cli->account};
  uint64_t losses = 0;
  int code = cli_load_settings(cli, NULL, err);
  return code ? code : api_repair(&options, repair, &sink, &losses, err);
}

/* ---- repair ---- */

static const struct cli_option repair_options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"dry-run", NULL, "say what would be done, change nothing"},
    {"json", NULL, "one JSON object a line"},
    {NULL, NULL, NULL},
};

/* [DIR] or --data DIR; there is no --server. */
static const char *directory_of(struct cli *cli, int first, int *status) {
  const char *data = cli_value(&cli->arguments, "data");
  int count = cli->arguments.operand_count - first;
  *status = 0;
  if (count + (data != NULL) > 1) *status = cli_usage("name one directory");
  return data ? data : count > 0 ? cli->arguments.operands[first] : "nilo-data";
}

static int run_repair(struct cli *cli) {
  struct err err;
  int status;
  err_reset(&err);
  struct cli_tool tool = {.cli = cli, .json = cli_value(&cli->arguments, "json") != NULL};
  struct api_repair repair = {.dry_run = cli_value(&cli->arguments, "dry-run") != NULL};
  const char *directory = directory_of(cli, 0, &status);
  if (status) return status;
  int code = run(cli, directory, &repair, &tool, &err);
  return cli_tool_end(&tool, code, &err);
}

const struct cli_command cli_repair = {
    "repair",
    "[DIR | --data DIR] [--dry-run]",
    "Mends a damaged directory as far as that can be.",
    "A lost manifest is made anew from the parts, a damaged part is written anew\n"
    "with all that is whole in it; what was damaged is kept in quarantine/. Says\n"
    "exactly what could not be saved. Make a copy of the directory first. Exit\n"
    "status: 0 nothing is lost, 1 something is (or it failed), 2 used wrongly.",
    repair_options,
    true,
    run_repair};

/* ---- index ---- */

static const struct cli_option index_options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"all", NULL, "every part, not only damaged ones"},
    {"dry-run", NULL, "say what would be done, change nothing"},
    {"json", NULL, "one JSON object a line"},
    {NULL, NULL, NULL},
};

static int run_index(struct cli *cli) {
  struct err err;
  int status;
  err_reset(&err);
  struct cli_tool tool = {.cli = cli, .json = cli_value(&cli->arguments, "json") != NULL};
  struct api_repair repair = {.dry_run = cli_value(&cli->arguments, "dry-run") != NULL,
                              .index_only = true,
                              .index_all = cli_value(&cli->arguments, "all") != NULL};
  if (!cli->arguments.operand_count || strcmp(cli->arguments.operands[0], "rebuild") != 0)
    return cli_usage("index takes a verb: nilo index rebuild [DIR]");
  const char *directory = directory_of(cli, 1, &status);
  if (status) return status;
  int code = run(cli, directory, &repair, &tool, &err);
  return cli_tool_end(&tool, code, &err);
}

const struct cli_command cli_index = {
    "index",
    "rebuild [DIR | --data DIR] [--all] [--dry-run]",
    "Makes the series sections of parts anew.",
    "From the tag sets that other parts, whole chunks of the damaged sections, and\n"
    "the log still tell. Rows of a series that nothing tells of are left out (they\n"
    "stay in quarantine/) and counted. Exit status: 0 nothing is lost, 1 something\n"
    "is (or it failed), 2 used wrongly.",
    index_options,
    true,
    run_index};
