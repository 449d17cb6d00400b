/* nilo write and nilo import: files of line protocol or CSV into a database, with a progress bar
 * for long ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "cli/cli_private.h"
#include "ingest/ingest.h"

enum { BODY_SIZE = 8 << 20, BAR = 30, SHOWN_ERRORS = 5 };

/* ---- progress ---- */

/* A bar on the error stream, when it is a terminal and the work lasts. */
struct progress {
  struct cli *cli;
  uint64_t total, done; /* bytes */
  int64_t started, shown;
  bool terminal, visible;
};

static void progress_begin(struct progress *progress, struct cli *cli, uint64_t total) {
  *progress = (struct progress){.cli = cli, .total = total, .started = os_monotonic_ns(cli->os)};
  progress->terminal = os_is_terminal(2);
}

static void progress_add(struct progress *progress, uint64_t bytes) {
  progress->done += bytes;
  int64_t now = os_monotonic_ns(progress->cli->os);
  if (!progress->terminal || now - progress->started < 500000000 ||
      now - progress->shown < 100000000)
    return;
  progress->shown = now;
  progress->visible = true;
  double seconds = (double)(now - progress->started) / 1e9, mib = (double)progress->done / 1048576;
  if (progress->total) {
    double share = (double)progress->done / (double)progress->total;
    int filled = share >= 1 ? BAR : (int)(share * BAR);
    fprintf(stderr, "\r[%.*s%.*s] %3.0f%%  %.0f MiB  %.1f MiB/s ", filled,
            "##############################", BAR - filled, "..............................",
            share * 100, mib, mib / seconds);
  } else {
    fprintf(stderr, "\r%.0f MiB  %.1f MiB/s ", mib, mib / seconds);
  }
  fflush(stderr);
}

static void progress_end(struct progress *progress) {
  if (progress->visible) fprintf(stderr, "\r%70s\r", "");
}

/* ---- line protocol ---- */

struct writing {
  struct cli *cli;
  struct cli_door door;
  struct str database;
  const char *precision;
  struct buffer body;
  struct progress progress;
  const char *file;      /* for messages */
  uint64_t lines;        /* of all files */
  uint64_t lines_before; /* of the file that is being read, before the body at hand */
  uint64_t rejected;
  uint32_t shown;
  bool rows_only; /* all of it was CSV */
  struct api_csv_import *csv;
  struct api_write_answer total;
};

/* Takes "partial write: reason (line 2, column 5) dropped=1" apart, the form in which the engine
 * and servers tell it: the reason stays in the message, line and column go to their members. */
static void take_apart(struct err *err) {
  static const char prefix[] = "partial write: ", place[] = " (line ";
  char *text = err->message, *dropped = strstr(text, " dropped="), *at = NULL;
  if (dropped) *dropped = 0;
  if (!strncmp(text, prefix, sizeof prefix - 1))
    memmove(text, text + sizeof prefix - 1, strlen(text + sizeof prefix - 1) + 1);
  for (char *next = text; (next = strstr(next, place)); next++)
    at = next;
  int line = 0, column = 0;
  if (!at || text[strlen(text) - 1] != ')' ||
      sscanf(at, " (line %d, column %d", &line, &column) < 1)
    return;
  *at = 0;
  err->line = line;
  err->column = column;
}

/* FILE:LINE:COLUMN: reason; hint. A body's first rejection is told, the others are counted. */
static void show_rejection(struct writing *writing, const struct err *told) {
  if (writing->shown++ >= SHOWN_ERRORS) return;
  struct err err = *told;
  char text[1024], where[64] = "";
  take_apart(&err);
  uint64_t line = err.line ? writing->lines_before + (uint64_t)err.line : 0;
  if (line && err.column)
    snprintf(where, sizeof where, ":%llu:%d", (unsigned long long)line, err.column);
  else if (line)
    snprintf(where, sizeof where, ":%llu", (unsigned long long)line);
  err_format(&err, text, sizeof text);
  progress_end(&writing->progress);
  char place[LIMIT_PATH_SIZE + 64];
  snprintf(place, sizeof place, "%s%s: ", writing->file, where);
  cli_complain(place, str_from(text));
}

/* Sends the whole lines that are gathered; all of it when it is the last. */
static int send_body(struct writing *writing, bool last, struct err *err) {
  struct str text = buffer_str(&writing->body);
  size_t size = text.size;
  while (!last && size && text.data[size - 1] != '\n')
    size--;
  if (!last && size == 0 && text.size > (size_t)LIMIT_LINE_SIZE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a line longer than %lld bytes",
                   (long long)LIMIT_LINE_SIZE);
  if (size == 0) return ERR_OK;
  struct api_write_answer answer;
  int code = cli_door_write(&writing->door, writing->database, writing->precision,
                            str_of(text.data, size), &answer, err);
  if (code) return code;
  writing->rejected += answer.rows_rejected;
  if (answer.error.code) show_rejection(writing, &answer.error);
  uint64_t lines = last && text.data[size - 1] != '\n';
  for (size_t i = 0; i < size; i++)
    lines += text.data[i] == '\n';
  writing->lines += lines;
  writing->lines_before += lines;
  progress_add(&writing->progress, size);
  memmove(writing->body.data, writing->body.data + size, text.size - size);
  writing->body.size -= size;
  return ERR_OK;
}

static int take_lines(void *context, struct str bytes, bool last, struct err *err) {
  struct writing *writing = context;
  buffer_append_str(&writing->body, bytes);
  int code = buffer_check(&writing->body, err);
  if (!code && (last || writing->body.size >= BODY_SIZE)) code = send_body(writing, last, err);
  return code;
}

static int take_csv(void *context, struct str bytes, bool last, struct err *err) {
  struct writing *writing = context;
  int code = api_csv_feed(writing->csv, bytes, last, &writing->total, err);
  progress_add(&writing->progress, bytes.size);
  return code;
}

/* ---- CSV ---- */

enum { NAMES_MAX = 64 };

/* name:type of --field. */
static int parse_field_option(const char *text, struct ingest_csv_field *field, struct err *err) {
  static const struct {
    const char *name;
    struct type type;
  } types[] = {{"float", {PHYSICAL_FLOAT64, 0, 0}},
               {"integer", {PHYSICAL_INT64, 0, 0}},
               {"unsigned", {PHYSICAL_UINT64, 0, 0}},
               {"boolean", {PHYSICAL_BOOL, 0, 0}},
               {"string", {PHYSICAL_STRING, 0, 0}}};
  const char *colon = strrchr(text, ':');
  for (size_t t = 0; colon && t < sizeof types / sizeof *types; t++) {
    if (strcmp(colon + 1, types[t].name) != 0) continue;
    *field = (struct ingest_csv_field){{text, (size_t)(colon - text)}, types[t].type};
    return ERR_OK;
  }
  return err_set(err, ERR_INVALID_ARGUMENT,
                 "--field %s: write NAME:float, integer, unsigned, boolean or string", text);
}

static int csv_begin(struct writing *writing, struct err *err) {
  struct cli_arguments *arguments = &writing->cli->arguments;
  struct str tags[NAMES_MAX];
  struct ingest_csv_field fields[NAMES_MAX];
  struct ingest_csv_options options = {.tags = tags, .fields = fields};
  for (int r = 0; r < arguments->repeat_count; r++) {
    const char *name = arguments->options[arguments->repeat_options[r]].name;
    if (options.tag_count == NAMES_MAX || options.field_count == NAMES_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d --tag or --field options", NAMES_MAX);
    if (!strcmp(name, "tag")) tags[options.tag_count++] = str_from(arguments->repeats[r]);
    if (!strcmp(name, "field")) {
      int code = parse_field_option(arguments->repeats[r], &fields[options.field_count++], err);
      if (code) return code;
    }
  }
  const char *measurement = cli_value(arguments, "measurement"),
             *time = cli_value(arguments, "time");
  const char *delimiter = cli_value(arguments, "delimiter");
  if (!measurement) return err_set(err, ERR_INVALID_ARGUMENT, "CSV needs --measurement NAME");
  if (delimiter && strlen(delimiter) != 1)
    return err_set(err, ERR_INVALID_ARGUMENT, "--delimiter takes one character");
  options.measurement = str_from(measurement);
  options.time_column = str_from(time ? time : "");
  options.delimiter = delimiter ? delimiter[0] : 0;
  options.time_is_year = !strcmp(writing->precision, "year");
  if (!options.time_is_year && !time_unit_parse(str_from(writing->precision), &options.precision))
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown precision \"%s\": use ns, us, ms, s or year",
                   writing->precision);
  if (writing->door.client)
    return err_set(
        err, ERR_UNSUPPORTED,
        "CSV is imported into a directory (--data), not through a server; stop the server "
        "or send line protocol");
  return api_csv_begin(writing->cli->api, writing->database, (struct str){"", 0}, &options,
                       &writing->csv, err);
}

/* ---- both commands ---- */

static bool is_csv(struct cli *cli, const char *file) {
  const char *format = cli_value(&cli->arguments, "format");
  size_t size = strlen(file);
  if (format) return !strcmp(format, "csv");
  return size > 4 && !strcmp(file + size - 4, ".csv");
}

static int write_file(struct writing *writing, const char *file, bool csv, struct err *err) {
  writing->file = strcmp(file, "-") ? file : "standard input";
  writing->lines_before = 0;
  writing->rows_only &= csv;
  int code = csv ? csv_begin(writing, err) : ERR_OK;
  if (!code) code = cli_read_file(writing->cli, file, csv ? take_csv : take_lines, writing, err);
  if (csv) {
    writing->rejected += writing->total.rows_rejected;
    writing->lines += writing->total.rows_written + writing->total.rows_rejected;
    if (writing->total.error.code == ERR_PARTIAL_WRITE)
      show_rejection(writing, &writing->total.error);
    api_csv_end(writing->csv);
    writing->csv = NULL;
    writing->total = (struct api_write_answer){.rows_written = 0};
  }
  return code;
}

/* *rejected: rows that were refused while others were written. */
static int write_all(struct cli *cli, bool import, uint64_t *rejected, struct err *err) {
  const char *database = cli_value(&cli->arguments, "db"),
             *precision = cli_value(&cli->arguments, "precision");
  struct writing writing = {
      .cli = cli, .database = str_from(database), .precision = precision ? precision : "ns"};
  buffer_init(&writing.body, &cli->account);
  int code = cli_door_open(cli, &writing.door, false, err);
  if (!code && import)
    code =
        cli_door_database(&writing.door, writing.database, cli_value(&cli->arguments, "unit"), err);
  uint64_t total = 0;
  for (int i = 0; i < cli->arguments.operand_count; i++)
    total += cli_file_size(cli, cli->arguments.operands[i]);
  progress_begin(&writing.progress, cli, total);
  writing.rows_only = true;
  for (int i = 0; i < cli->arguments.operand_count && !code; i++)
    code = write_file(&writing, cli->arguments.operands[i],
                      import && is_csv(cli, cli->arguments.operands[i]), err);
  progress_end(&writing.progress);
  if (writing.shown > SHOWN_ERRORS)
    fprintf(stderr, "nilo: … and %u more pieces with rejected lines\n",
            writing.shown - SHOWN_ERRORS);
  *rejected = writing.rejected;
  uint64_t good = writing.lines - writing.rejected;
  if (!code)
    printf("%llu %s%s written to \"%s\"", (unsigned long long)good,
           writing.rows_only ? "row" : "line", good == 1 ? "" : "s", database);
  if (!code && writing.rejected) printf(", %llu rejected", (unsigned long long)writing.rejected);
  if (!code) putchar('\n');
  if (code && good)
    fprintf(stderr, "nilo: stopped in %s, after %llu lines were written\n", writing.file,
            (unsigned long long)good);
  buffer_deinit(&writing.body);
  cli_door_close(&writing.door);
  return code;
}

static int run(struct cli *cli, bool import) {
  struct err err;
  err_reset(&err);
  if (!cli_value(&cli->arguments, "db")) return cli_usage("--db NAME is needed");
  if (cli->arguments.operand_count == 0)
    cli->arguments.operands[cli->arguments.operand_count++] = "-";
  const char *format = import ? cli_value(&cli->arguments, "format") : NULL;
  if (format && strcmp(format, "csv") && strcmp(format, "lp"))
    return cli_usage("unknown format \"%s\": use csv or lp", format);
  uint64_t rejected = 0;
  if (write_all(cli, import, &rejected, &err)) return cli_fail(&err);
  return rejected != 0;
}

static int run_write(struct cli *cli) { return run(cli, false); }
static int run_import(struct cli *cli) { return run(cli, true); }

static const struct cli_option write_options[] = {
    {"server", "URL", "a server; default http://127.0.0.1:8086"},
    {"data", "DIR", "a directory that no server has open"},
    {"db", "NAME", "the database (must exist)"},
    {"precision", "UNIT", "of the timestamps in the text: ns (default), us, ms, s"},
    {NULL, NULL, NULL},
};
const struct cli_command cli_write = {
    "write",
    "[--server URL | --data DIR] --db NAME [FILE…]",
    "Writes line protocol, from files or the standard input.",
    "Example: echo 'temperature,room=kitchen celsius=21.5' | nilo write --db home",
    write_options,
    true,
    run_write};

static const struct cli_option import_options[] = {
    {"server", "URL", "a server; default http://127.0.0.1:8086 (line protocol only)"},
    {"data", "DIR", "a directory that no server has open"},
    {"db", "NAME", "the database, made if it is not there"},
    {"unit", "UNIT", "the database's unit of time when it is made: ns, us, ms, s"},
    {"precision", "UNIT", "of times in the file: ns (default), us, ms, s; CSV also year"},
    {"format", "FORMAT", "csv or lp; default by the file's name"},
    {"measurement", "NAME", "CSV: the measurement"},
    {"time", "COLUMN", "CSV: the time column; default \"time\", else the first"},
    {"tag", "COLUMN", "CSV: a column that is a tag (repeat for more)"},
    {"field", "COLUMN:TYPE", "CSV: a field's type, where inferring it is not wanted (repeat)"},
    {"delimiter", "CHARACTER", "CSV: instead of the comma"},
    {NULL, NULL, NULL},
};
const struct cli_command cli_import = {"import",
                                       "[--server URL | --data DIR] --db NAME [OPTIONS] FILE…",
                                       "Imports CSV or line protocol.",
                                       "A CSV file begins with a header; times are whole numbers, "
                                       "dates or RFC 3339; other columns are fields.\n"
                                       "Example: nilo import --data nilo-data --db nile "
                                       "--measurement nilometer --unit s samples/nile.csv",
                                       import_options,
                                       true,
                                       run_import};
