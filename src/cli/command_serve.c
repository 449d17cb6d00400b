/* nilo serve: the server. */
#include <stdio.h>
#include <string.h>

#include "cli/cli_private.h"
#include "server/server.h"

static const struct cli_option options[] = {
    {"data", "DIR", "the data directory (made if missing); default ./nilo-data"},
    {"http", "ADDR:PORT", "where to listen; default 127.0.0.1:8086"},
    {"config", "FILE", "a configuration file; `nilo config --default` prints one"},
    {"no-collector", NULL, "do not record this host's metrics into the database _nilo"},
    {"log-level", "LEVEL", "error, warn, info (default) or debug"},
    {NULL, NULL, NULL},
};

static int serve(struct cli *cli, const char *data, const char *http, struct err *err) {
  struct server *server;
  int64_t started = os_monotonic_ns(cli->os);
  int code = cli_open(cli, data, false, !cli_value(&cli->arguments, "no-collector"), err);
  if (code) return code;
  struct server_options server_options = {.api = cli->api,
                                          .os = cli->os,
                                          .pool = cli->pool,
                                          .account = &cli->account,
                                          .settings = cli->settings,
                                          .logger = &cli->logger,
                                          .metrics = cli->metrics,
                                          .address = http,
                                          .handle_signals = true};
  code = server_start(&server_options, &server, err);
  if (code) return code;
  char url[128];
  snprintf(url, sizeof url, "http://%s", server_address(server));
  if (api_announce(cli->api, str_from(url), err))
    log_warn(&cli->logger, "serve", "%s", err->message);
  log_info(&cli->logger, "serve", "ready address=%s data=%s after_ms=%lld", server_address(server),
           data, (long long)((os_monotonic_ns(cli->os) - started) / 1000000));
  printf("nilo %s listens on http://%s, data in %s\n", NILO_VERSION, server_address(server), data);
  fflush(stdout);
  server_wait(server);
  log_info(&cli->logger, "serve", "stopping");
  server_stop(server);
  return ERR_OK;
}

static int run(struct cli *cli) {
  struct err err;
  err_reset(&err);
  if (cli->arguments.operand_count)
    return cli_usage("serve takes no argument: %s", cli->arguments.operands[0]);
  const char *level_name = cli_value(&cli->arguments, "log-level"),
             *data = cli_value(&cli->arguments, "data");
  enum log_level level = LOG_LEVEL_INFO;
  if (level_name && !log_level_parse(str_from(level_name), &level))
    return cli_usage("unknown log level \"%s\": use error, warn, info or debug", level_name);
  logger_set_level(&cli->logger, level);
  if (cli_load_settings(cli, cli_value(&cli->arguments, "config"), &err)) return cli_fail(&err);
  if (serve(cli, data ? data : "nilo-data", cli_value(&cli->arguments, "http"), &err))
    return cli_fail(&err);
  return 0;
}

const struct cli_command cli_serve = {
    "serve",
    "[--data DIR] [--http ADDR:PORT] [--config FILE]",
    "Runs the server.",
    "It answers InfluxDB's HTTP interface: /write, /api/v2/write, /query, /ping, /health, /ready,\n"
    "/metrics. SIGINT and SIGTERM end it cleanly; a kill loses nothing that was answered.",
    options,
    true,
    run};
