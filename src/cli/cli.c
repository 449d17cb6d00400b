/* Dispatch, help, and what all commands do first. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "cli/cli_private.h"
#include "server/server.h"

static const struct cli_command *const commands[] = {
    &cli_serve,  &cli_sql,     &cli_query,  &cli_write,   &cli_import, &cli_inspect,
    &cli_check,  &cli_repair,  &cli_index,  &cli_compact, &cli_delete, &cli_table,
    &cli_backup, &cli_restore, &cli_config, &cli_version};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

size_t cli_escape(struct str text, char *out) {
  static const char digits[] = "0123456789abcdef";
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c >= 0x20 && c != 0x7f) {
      out[size++] = (char)c;
      continue;
    }
    out[size++] = '\\';
    out[size++] = c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : 'x';
    if (out[size - 1] != 'x') continue;
    out[size++] = digits[c >> 4];
    out[size++] = digits[c & 15];
  }
  return size;
}

void cli_complain(const char *place, struct str text) {
  char shown[4 * 1024];
  text = text_cut(text, sizeof shown / 4);
  size_t size = cli_escape(text, shown);
  fprintf(stderr, "nilo: %s%.*s\n", place, (int)size, shown);
}

int cli_fail(const struct err *err) {
  char text[1024];
  err_format(err, text, sizeof text);
  cli_complain("", str_from(text));
  return 1;
}

int cli_usage(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("nilo: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputs("; see nilo --help\n", stderr);
  return 2;
}

static void print_help(void) {
  puts("Nilo, a time-series database.\n\n"
       "usage: nilo COMMAND [OPTIONS] …\n\n"
       "commands:");
  for (int c = 0; c < COMMAND_COUNT; c++)
    printf("  %-8s  %s\n", commands[c]->name, commands[c]->summary);
  puts("\n`nilo COMMAND --help` tells a command's options. Settings: nilo config --help.");
}

static void print_command_help(const struct cli_command *command) {
  printf("usage: nilo %s%s%s\n\n%s\n", command->name, command->usage[0] ? " " : "", command->usage,
         command->summary);
  if (command->details[0]) printf("\n%s\n", command->details);
  puts("\noptions:");
  for (const struct cli_option *option = command->options; option->name; option++) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
    printf("  %-26s  %s\n", left, option->help);
  }
  printf("  %-26s  %s\n", "--help", "this text");
  if (command->takes_settings)
    puts("  --SETTING=VALUE             any setting; `nilo config` lists them");
}

/* ---- arguments ---- */

const char *cli_value(const struct cli_arguments *arguments, const char *name) {
  for (int o = 0; arguments->options[o].name; o++)
    if (strcmp(arguments->options[o].name, name) == 0) return arguments->values[o];
  abort(); /* a command asks for an option it does not have */
}

static int unknown_option(struct cli *cli, const struct cli_command *command, struct str name) {
  if (command->takes_settings && memchr(name.data, '.', name.size)) {
    struct err err; /* a misspelt setting: the settings know which one is near */
    err_reset(&err);
    settings_load_flag(cli->settings, name, STR(""), &err);
    cli_fail(&err);
    return 2;
  }
  struct text_nearest nearest = text_nearest_of(name);
  for (const struct cli_option *option = command->options; option->name; option++)
    text_nearest_offer(&nearest, str_from(option->name));
  if (nearest.best.size)
    fprintf(stderr, "nilo %s: unknown option --%.*s; did you mean --%.*s?\n", command->name,
            STR_ARG(name), STR_ARG(nearest.best));
  else
    fprintf(stderr, "nilo %s: unknown option --%.*s; see nilo %s --help\n", command->name,
            STR_ARG(name), command->name);
  return 2;
}

/* -c as --command: the option whose help begins with "-c: ". NULL: none. */
static const char *long_name(const struct cli_command *command, const char *text) {
  for (const struct cli_option *option = command->options; option->name; option++)
    if (option->help[0] == '-' && option->help[1] == text[1] && option->help[2] == ':')
      return option->name;
  return NULL;
}

static int take_short_option(struct cli *cli, const struct cli_command *command, int argc,
                             char **argv, int *at) {
  const char *name = long_name(command, argv[*at]);
  if (!name) return cli_usage("unknown option %s", argv[*at]);
  const char *value = argv[*at][2] ? argv[*at] + 2 : *at + 1 < argc ? argv[++*at] : NULL;
  if (!value) return cli_usage("-%c needs a value", name[0]);
  struct cli_arguments *arguments = &cli->arguments;
  if (arguments->repeat_count == CLI_REPEATS_MAX) return cli_usage("too many options");
  for (int o = 0; command->options[o].name; o++) {
    if (strcmp(command->options[o].name, name) != 0) continue;
    arguments->values[o] = value;
    arguments->repeat_options[arguments->repeat_count] = o;
    arguments->repeats[arguments->repeat_count++] = value;
  }
  return 0;
}

/* One option at argv[*at]; moves *at over a value that stands apart. */
static int take_option(struct cli *cli, const struct cli_command *command, int argc, char **argv,
                       int *at) {
  const char *text = argv[*at] + 2, *equals = strchr(text, '=');
  struct str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
  if (command->takes_settings && settings_known(cli->settings, name)) {
    struct err err;
    err_reset(&err);
    const char *value = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    if (!value) return cli_usage("--%.*s needs a value", STR_ARG(name));
    return settings_load_flag(cli->settings, name, str_from(value), &err) ? cli_fail(&err) + 1 : 0;
  }
  for (int o = 0; command->options[o].name; o++) {
    const struct cli_option *option = &command->options[o];
    if (!str_equal(name, str_from(option->name))) continue;
    if (!option->value && equals) return cli_usage("--%s takes no value", option->name);
    const char *value = !option->value   ? ""
                        : equals         ? equals + 1
                        : *at + 1 < argc ? argv[++*at]
                                         : NULL;
    if (!value) return cli_usage("--%s needs a value: %s", option->name, option->value);
    struct cli_arguments *arguments = &cli->arguments;
    if (arguments->repeat_count == CLI_REPEATS_MAX) return cli_usage("too many options");
    arguments->values[o] = value;
    arguments->repeat_options[arguments->repeat_count] = o;
    arguments->repeats[arguments->repeat_count++] = value;
    return 0;
  }
  return unknown_option(cli, command, name);
}

static int take_arguments(struct cli *cli, const struct cli_command *command, int argc,
                          char **argv) {
  bool options = true;
  cli->arguments.options = command->options;
  for (int i = 2; i < argc; i++) {
    if (options && strcmp(argv[i], "--") == 0) {
      options = false;
    } else if (options && argv[i][0] == '-' && argv[i][1] == '-') {
      int status = take_option(cli, command, argc, argv, &i);
      if (status) return status;
    } else if (options && argv[i][0] == '-' && argv[i][1]) {
      int status = take_short_option(cli, command, argc, argv, &i);
      if (status) return status;
    } else {
      if (cli->arguments.operand_count == CLI_OPERANDS_MAX) return cli_usage("too many arguments");
      cli->arguments.operands[cli->arguments.operand_count++] = argv[i];
    }
  }
  return 0;
}

/* ---- the process ---- */

static void log_line(void *context, enum log_level level, const char *line, size_t size) {
  (void)context;
  (void)level;
  fwrite(line, 1, size, stderr);
}
static int64_t log_now(void *context) { return os_wall_ns(context); }

static int process_begin(struct cli *cli, struct err *err) {
  int code = os_real_create(&cli->os, err);
  if (code) return code;
  mem_account_init(&cli->account, "process", NULL, 0);
  logger_init(&cli->logger, LOG_LEVEL_WARN, log_line, log_now, cli->os);
  struct setting_table tables[16];
  size_t count = 0;
  for (size_t t = 0; t < api_setting_table_count; t++)
    tables[count++] = api_setting_tables[t];
  tables[count++] = server_settings;
  code = settings_create(&cli->account, tables, count, &cli->settings, err);
  if (!code) code = metrics_create(&cli->account, &cli->metrics, err);
  return code;
}

static void process_end(struct cli *cli) {
  cli_close(cli);
  metrics_destroy(cli->metrics);
  settings_destroy(cli->settings);
  os_destroy(cli->os);
}

static bool wants_help(int argc, char **argv) {
  for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
  return false;
}

int cli_main(int argc, char **argv, char **environment) {
  (void)environment;
  if (argc < 2) {
    print_help();
    return 2;
  }
  const char *name = argv[1];
  if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
    print_help();
    return 0;
  }
  if (!strcmp(name, "--version")) name = "version";
  const struct cli_command *command = NULL;
  struct text_nearest nearest = text_nearest_of(str_from(name));
  for (int c = 0; c < COMMAND_COUNT; c++) {
    text_nearest_offer(&nearest, str_from(commands[c]->name));
    if (strcmp(commands[c]->name, name) == 0) command = commands[c];
  }
  if (!command && nearest.best.size)
    return cli_usage("no command \"%s\"; did you mean \"%.*s\"?", name, STR_ARG(nearest.best));
  if (!command) return cli_usage("no command \"%s\"", name);
  if (wants_help(argc, argv)) {
    print_command_help(command);
    return 0;
  }
  static struct cli cli; /* the process's wiring; large */
  struct err err;
  err_reset(&err);
  if (process_begin(&cli, &err)) return cli_fail(&err);
  int status = take_arguments(&cli, command, argc, argv);
  if (!status) status = command->run(&cli);
  process_end(&cli);
  if (fflush(stdout) || ferror(stdout)) {
    fputs("nilo: the output could not be written\n", stderr);
    status = 1;
  }
  return status;
}
