/* nilo backup, nilo restore. */
#include <stdio.h>
#include <string.h>

#include "api/api_tools.h"
#include "base/buffer.h"
#include "base/time.h"
#include "cli/cli_private.h"

/* ---- backup ---- */

static const struct cli_option backup_options[] = {
    {"to", "TARGET", "where to: a new directory; with --server a name"},
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"server", "URL", "of a running server, on its side"},
    {"database", "NAME", "only this database"},
    {"from", "TIME", "only rows at or after: 2026-01-31T08:00:00Z, or ns"},
    {"before", "TIME", "only rows before"},
    {"partition", "DAY", "only rows of a day: 2026-01-31 (UTC)"},
    {"incremental-from", "BACKUP", "only what this backup of the same directory lacks"},
    {"json", NULL, "one JSON object a line"},
    {NULL, NULL, NULL},
};

struct day {
  char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
};

/* The first instants of a day and of the next. */
static bool read_day(const char *text, struct day *day) {
  __int128 ns;
  if (strlen(text) != 10 || time_parse(str_from(text), &ns, NULL)) return false;
  time_format_ns(ns, day->from);
  time_format_ns(ns + NS_PER_DAY, day->to);
  return true;
}

static int backup_directory(struct cli *cli, const char *path, const struct api_backup *backup,
                            struct cli_tool *tool, struct err *err) {
  struct api_sink sink = {tool, cli_tool_event, NULL};
  struct api_options options;
  bool alone;
  int code = cli_tool_alone(cli, path, &options, &alone, err);
  if (alone) return code ? code : api_alone_backup(&options, backup, &sink, err);
  code = cli_load_settings(cli, NULL, err);
  /* Nothing of the directory changes: rows in its log become parts of the backup. */
  if (!code) code = cli_open(cli, path, true, false, err);
  return code ? code : api_backup(cli->api, backup, &sink, err);
}

static int backup_server(struct cli *cli, const struct api_backup *backup, struct cli_tool *tool,
                         struct err *err) {
  struct buffer target;
  buffer_init(&target, &cli->account);
  buffer_append_text(&target, "/api/v1/admin/backup");
  cli_append_param(&target, "to", backup->target);
  cli_append_param(&target, "db", cli_value(&cli->arguments, "database"));
  cli_append_param(&target, "from", backup->from);
  cli_append_param(&target, "before", backup->to);
  cli_append_param(&target, "previous", backup->previous);
  int code = buffer_check(&target, err);
  if (!code) code = cli_tool_job(tool, buffer_str(&target), err);
  buffer_deinit(&target);
  return code;
}

static int run_backup(struct cli *cli) {
  const struct cli_arguments *arguments = &cli->arguments;
  struct cli_tool tool = {.cli = cli, .json = cli_value(arguments, "json") != NULL};
  const char *database = cli_value(arguments, "database"),
             *partition = cli_value(arguments, "partition");
  struct api_backup backup = {.target = cli_value(arguments, "to"),
                              .previous = cli_value(arguments, "incremental-from"),
                              .database = str_from(database ? database : ""),
                              .from = cli_value(arguments, "from"),
                              .to = cli_value(arguments, "before")};
  struct day day;
  struct err err;
  int status;
  err_reset(&err);
  if (!backup.target) return cli_usage("--to TARGET is needed");
  if (partition && (backup.from || backup.to))
    return cli_usage("give --partition, or --from and --before");
  if (partition && !read_day(partition, &day))
    return cli_usage("--partition takes a day, like 2026-01-31: %s", partition);
  if (partition) {
    backup.from = day.from;
    backup.to = day.to;
  }
  const char *directory = cli_tool_directory(cli, &status);
  if (status) return status;
  int code = directory ? backup_directory(cli, directory, &backup, &tool, &err)
                       : backup_server(cli, &backup, &tool, &err);
  status = cli_tool_end(&tool, code, &err);
  cli_close(cli);
  return status;
}

const struct cli_command cli_backup = {
    "backup",
    "--to TARGET [DIR | --data DIR | --server URL] [WHAT …]",
    "Makes a backup of a directory, or of what is named.",
    "Files are linked where they can be, else copied; the directory goes on\n"
    "working. A server writes below its storage.backup_directory. Only with\n"
    "backup.json in it is a backup finished. Exit status: 0 done, 1 failed, 2 used\n"
    "wrongly.",
    backup_options,
    true,
    run_backup};

/* ---- restore ---- */

static const struct cli_option restore_options[] = {
    {"to", "DIR", "the new directory"},
    {"database", "NAME", "only this database"},
    {"verify", NULL, "only compare the backup with its digests"},
    {"json", NULL, "one JSON object a line"},
    {NULL, NULL, NULL},
};

static int run_restore(struct cli *cli) {
  const struct cli_arguments *arguments = &cli->arguments;
  struct cli_tool tool = {.cli = cli, .json = cli_value(arguments, "json") != NULL};
  const char *database = cli_value(arguments, "database");
  struct api_restore restore = {.backups = arguments->operands,
                                .backup_count = (size_t)arguments->operand_count,
                                .target = cli_value(arguments, "to"),
                                .database = str_from(database ? database : ""),
                                .verify_only = cli_value(arguments, "verify") != NULL};
  struct api_sink sink = {&tool, cli_tool_event, NULL};
  struct err err;
  err_reset(&err);
  if (!restore.backup_count) return cli_usage("restore takes a backup");
  if (!restore.target == !restore.verify_only) return cli_usage("give --to DIR, or --verify");
  int code = cli_load_settings(cli, NULL, &err);
  if (!code) code = os_pool_create(cli->os, 0, &cli->pool, &err);
  struct api_options options = {.path = restore.target,
                                .os = cli->os,
                                .pool = cli->pool,
                                .account = &cli->account,
                                .settings = cli->settings};
  if (!code) code = api_restore(&options, &restore, &sink, &err);
  return cli_tool_end(&tool, code, &err);
}

const struct cli_command cli_restore = {
    "restore",
    "BACKUP [OLDER …] --to DIR [--database NAME]",
    "Makes a directory out of a backup.",
    "Every file is compared with its digest before anything is written, and the new\n"
    "directory is checked before it gets its name. The backups that an incremental\n"
    "one builds on are found where they were, beside it, or named behind it. Exit\n"
    "status: 0 done, 1 failed, 2 used wrongly.",
    restore_options,
    true,
    run_restore};
