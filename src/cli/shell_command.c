/* Commands that begin with a backslash: what psql's users type, by the same names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/shell.h"

struct command {
  const char *name, *arguments, *help;
  bool (*run)(struct shell *shell, struct str arguments);
};
static const struct command commands[];

static struct str last_text(const struct shell *shell) {
  return str_of(shell->text.data, shell->text.size ? shell->text.size - 1 : 0);
}

static bool complain(struct shell *shell, const char *message, struct str what) {
  struct err err;
  err_set(&err, ERR_INVALID_ARGUMENT, "%s%.*s", message, STR_ARG(text_cut(what, 100)));
  shell_tell_error(shell, (struct str){"", 0}, &err, NULL);
  return false;
}

static bool fail(struct shell *shell, const struct err *err) {
  shell_tell_error(shell, (struct str){"", 0}, err, NULL);
  return false;
}

void shell_append_literal(struct buffer *out, struct str text) {
  buffer_append_byte(out, '\'');
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '\'') buffer_append_byte(out, '\'');
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, '\'');
}

void shell_append_name(struct buffer *out, struct str text) {
  buffer_append_byte(out, '"');
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '"') buffer_append_byte(out, '"');
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, '"');
}

/* An argument without its quotes. */
static struct str unquoted(struct str text) {
  text = text_trim(text);
  while (text.size && text.data[text.size - 1] == ';')
    text.size--;
  bool quoted = text.size > 1 && (text.data[0] == '\'' || text.data[0] == '"') &&
                text.data[text.size - 1] == text.data[0];
  return quoted ? str_of(text.data + 1, text.size - 2) : text;
}

/* ---- what there is ---- */

static bool run_built(struct shell *shell, struct buffer *text) {
  struct err err;
  err_reset(&err);
  bool good = buffer_check(text, &err) ? fail(shell, &err) : shell_execute(shell, buffer_str(text));
  buffer_deinit(text);
  return good;
}

/* Whether the statement gives a row; true as well where it fails, which is told when it is run. */
static bool gives_rows(struct shell *shell, struct str text) {
  struct shell_result result;
  shell_result_init(&result, &shell->cli->account);
  int code = shell_query(shell, text, &result, NULL);
  bool rows = code || result.error.code || shell_rows(&result) > 0;
  shell_result_deinit(&result);
  return rows;
}

static bool run_databases(struct shell *shell, struct str arguments) {
  (void)arguments;
  return shell_execute(shell, STR("SELECT database AS name, schema AS default_schema, time_unit "
                                  "FROM system.databases WHERE is_default ORDER BY 1"));
}

static bool run_schemas(struct shell *shell, struct str arguments) {
  struct buffer text;
  (void)arguments;
  buffer_init(&text, &shell->cli->account);
  buffer_append_text(&text, "SELECT schema AS name, is_default, retention, partition_width "
                            "FROM system.databases WHERE database = ");
  shell_append_literal(&text, str_from((const char *)shell->database.data));
  buffer_append_text(&text, " ORDER BY 1");
  return run_built(shell, &text);
}

static bool run_functions(struct shell *shell, struct str arguments) {
  struct buffer text;
  struct str pattern = unquoted(arguments);
  buffer_init(&text, &shell->cli->account);
  buffer_append_text(&text, "SELECT DISTINCT proname AS name FROM pg_catalog.pg_proc");
  if (pattern.size) {
    buffer_append_text(&text, " WHERE proname LIKE ");
    shell_append_literal(&text, pattern);
  }
  buffer_append_text(&text, " ORDER BY 1");
  return run_built(shell, &text);
}

static bool run_tables(struct shell *shell, struct str arguments) {
  struct buffer text;
  struct str pattern = unquoted(arguments);
  buffer_init(&text, &shell->cli->account);
  buffer_append_text(&text, "SELECT table_schema AS schema, table_name AS name, table_type AS type "
                            "FROM information_schema.tables WHERE table_schema NOT IN "
                            "('information_schema', 'pg_catalog', 'system')");
  if (pattern.size) {
    buffer_append_text(&text, " AND table_name LIKE ");
    shell_append_literal(&text, pattern);
  }
  buffer_append_text(&text, " ORDER BY 1, 2");
  return run_built(shell, &text);
}

/* \d: tables; \d NAME, \d SCHEMA.NAME: its columns. */
static bool run_describe(struct shell *shell, struct str arguments) {
  struct str name = unquoted(arguments), schema = {NULL, 0};
  if (!name.size) return run_tables(shell, name);
  bool quoted = name.size != text_trim(arguments).size;
  size_t point = quoted ? name.size : text_find(name, '.');
  if (point < name.size) {
    schema = str_of(name.data, point);
    name = str_of(name.data + point + 1, name.size - point - 1);
  }
  struct buffer text;
  buffer_init(&text, &shell->cli->account);
  buffer_append_text(&text, "SELECT c.column_name AS \"column\", c.data_type AS type, s.role, "
                            "c.is_nullable AS nullable FROM information_schema.columns c "
                            "LEFT JOIN system.columns s ON s.database = c.table_catalog "
                            "AND s.schema = c.table_schema AND s.\"table\" = c.table_name "
                            "AND s.name = c.column_name WHERE c.table_name = ");
  shell_append_literal(&text, name);
  if (schema.data) {
    buffer_append_text(&text, " AND c.table_schema = ");
    shell_append_literal(&text, schema);
  }
  buffer_append_text(&text, " ORDER BY c.table_schema, c.ordinal_position");
  if (!text.failed && !gives_rows(shell, buffer_str(&text))) {
    buffer_deinit(&text);
    return complain(shell, "there is no relation ", unquoted(arguments));
  }
  return run_built(shell, &text);
}

/* ---- the session ---- */

static bool run_connect(struct shell *shell, struct str arguments) {
  struct str name = unquoted(arguments);
  struct err err;
  err_reset(&err);
  if (name.size && shell_use(shell, name, &err)) return fail(shell, &err);
  if (name.size && shell->door.client) { /* the server says whether it is there */
    struct shell_result result;
    shell_result_init(&result, &shell->cli->account);
    int code = shell_query(shell, STR("SELECT 1"), &result, &err);
    bool good = !code && !result.error.code;
    if (!good) fail(shell, code ? &err : &result.error);
    shell_result_deinit(&result);
    if (!good) return false;
  }
  if (!shell->quiet) printf("You are in database \"%s\".\n", (const char *)shell->database.data);
  return true;
}

static bool run_quit(struct shell *shell, struct str arguments) {
  (void)arguments;
  shell->stop = true;
  return true;
}

static int take(void *context, struct str bytes, bool last, struct err *err) {
  (void)last;
  buffer_append_str(context, bytes);
  return buffer_check(context, err);
}

static bool run_include(struct shell *shell, struct str arguments) {
  enum { DEPTH_MAX = 16 };
  struct buffer text, path;
  struct err err;
  struct str name = unquoted(arguments);
  if (!name.size) return complain(shell, "\\i needs the name of a file", name);
  if (shell->depth == DEPTH_MAX) return complain(shell, "files include each other: ", name);
  err_reset(&err);
  buffer_init(&text, &shell->cli->account);
  buffer_init(&path, &shell->cli->account);
  buffer_append_str(&path, name);
  buffer_append_byte(&path, 0);
  int code = buffer_check(&path, &err);
  if (!code) code = cli_read_file(shell->cli, (const char *)path.data, take, &text, &err);
  shell->depth++;
  bool good =
      code ? fail(shell, &err) : shell_run_text(shell, buffer_str(&text), (const char *)path.data);
  shell->depth--;
  buffer_deinit(&path);
  buffer_deinit(&text);
  return good;
}

static bool run_output(struct shell *shell, struct str arguments) {
  struct str name = unquoted(arguments);
  struct buffer path;
  struct err err;
  err_reset(&err);
  os_file_close(shell->output);
  shell->output = NULL;
  shell->output_size = 0;
  if (!name.size) return true;
  buffer_init(&path, &shell->cli->account);
  buffer_append_str(&path, name);
  buffer_append_byte(&path, 0);
  int code = buffer_check(&path, &err);
  if (!code)
    code = os_file_open(shell->cli->os, (const char *)path.data, OS_WRITE | OS_CREATE | OS_TRUNCATE,
                        &shell->output, &err);
  buffer_deinit(&path);
  return code ? fail(shell, &err) : true;
}

/* on, off, or the other one. */
static bool set_switch(struct shell *shell, const char *what, struct str value, bool *on) {
  value = unquoted(value);
  if (!value.size)
    *on = !*on;
  else if (str_equal_ignoring_case(value, STR("on")) || str_equal_ignoring_case(value, STR("off")))
    *on = value.size == 2;
  else
    return complain(shell, "on or off is needed, not ", value);
  if (!shell->quiet && shell->interactive) printf("%s is %s.\n", what, *on ? "on" : "off");
  return true;
}

static bool run_timing(struct shell *shell, struct str arguments) {
  return set_switch(shell, "Timing", arguments, &shell->timing);
}
static bool run_expanded(struct shell *shell, struct str arguments) {
  return set_switch(shell, "Expanded display", arguments, &shell->expanded);
}
static bool run_tuples(struct shell *shell, struct str arguments) {
  bool only = !shell->header;
  bool good = set_switch(shell, "Showing rows only", arguments, &only);
  shell->header = !only;
  return good;
}

static bool run_set(struct shell *shell, struct str arguments) {
  static const char *const formats[] = {"table", "csv", "json", "line"};
  struct str rest = text_trim(arguments), name = text_split(&rest, ' ');
  struct str value = rest.data ? unquoted(rest) : STR("");
  if (str_equal(name, STR("format"))) {
    for (int i = 0; i < 4; i++)
      if (str_equal(value, str_from(formats[i]))) {
        shell->format = (enum shell_format)i;
        return true;
      }
    return complain(shell, "formats are table, csv, json and line, not ", value);
  }
  if (str_equal(name, STR("null"))) {
    buffer_reset(&shell->null);
    buffer_append_str(&shell->null, value);
    return true;
  }
  if (str_equal(name, STR("pager"))) return set_switch(shell, "The pager", value, &shell->pager);
  if (str_equal(name, STR("expanded"))) return run_expanded(shell, value);
  if (str_equal(name, STR("tuples_only"))) return run_tuples(shell, value);
  if (name.size) return complain(shell, "\\pset knows no option ", name);
  printf(
      "format       %s\nexpanded     %s\ntuples_only  %s\npager        %s\nnull         '%.*s'\n",
      formats[shell->format], shell->expanded ? "on" : "off", shell->header ? "off" : "on",
      shell->pager ? "on" : "off", (int)shell->null.size,
      shell->null.size ? (const char *)shell->null.data : "");
  return true;
}

/* ---- the last statement ---- */

static bool run_print(struct shell *shell, struct str arguments) {
  (void)arguments;
  printf("%.*s\n", STR_ARG(text_trim(last_text(shell))));
  return true;
}

static bool run_again(struct shell *shell, struct str arguments) {
  (void)arguments;
  if (!last_text(shell).size) return complain(shell, "there is no statement yet", STR(""));
  return shell_execute(shell, last_text(shell));
}

static bool run_forget(struct shell *shell, struct str arguments) {
  (void)arguments;
  buffer_reset(&shell->text);
  return true;
}

static bool run_watch(struct shell *shell, struct str arguments) {
  struct str text = unquoted(arguments);
  char number[16];
  snprintf(number, sizeof number, "%.*s", (int)(text.size < 15 ? text.size : 15), text.data);
  char *end;
  double seconds = text.size ? strtod(number, &end) : 2;
  if (text.size && (*end || !(seconds >= 0.1) || seconds > 86400))
    return complain(shell, "seconds are needed, from 0.1 to 86400, not ", text);
  if (!last_text(shell).size) return complain(shell, "there is no statement yet", STR(""));
  if (!shell->interactive) return complain(shell, "\\watch is for a terminal", STR(""));
  struct shell_interrupt *own =
      shell->interrupt ? NULL : (shell->interrupt = shell_interrupt_create(shell));
  bool good = true;
  for (bool pressed = false; good && !pressed;) {
    fputs("\33[H\33[2J", stdout);
    good = shell_execute(shell, last_text(shell));
    fflush(stdout);
    for (double waited = 0; waited < seconds && !(pressed = shell_interrupted(shell));
         waited += 0.05)
      os_sleep_ns(shell->cli->os, 50000000);
  }
  if (own) {
    shell_interrupt_destroy(own);
    shell->interrupt = NULL;
  }
  return good;
}

static bool run_edit(struct shell *shell, struct str arguments) {
  const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR"), *folder = getenv("TMPDIR");
  char path[256];
  struct os_file *file;
  struct err err;
  (void)arguments;
  err_reset(&err);
  if (!shell->interactive) return complain(shell, "\\e is for a terminal", STR(""));
  struct str text = text_trim(last_text(shell));
  snprintf(path, sizeof path, "%s/nilo-%llx.sql", folder ? folder : "/tmp",
           (unsigned long long)os_random_u64(shell->cli->os));
  int code = os_file_open(shell->cli->os, path, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &file, &err);
  if (code) return fail(shell, &err);
  code = os_file_write(file, 0, text.data, text.size, &err);
  os_file_close(file);
  struct buffer edited;
  buffer_init(&edited, &shell->cli->account);
  if (!code && !shell_start(visual ? visual : editor ? editor : "vi", path, (struct str){NULL, 0}))
    code = err_set(&err, ERR_IO, "the editor could not be started");
  if (!code) code = cli_read_file(shell->cli, path, take, &edited, &err);
  os_file_remove(shell->cli->os, path, NULL);
  bool good = !code;
  if (code)
    fail(shell, &err);
  else if (str_equal(text_trim(buffer_str(&edited)), text))
    puts("Nothing was changed, nothing is run.");
  else
    good = shell_run_text(shell, buffer_str(&edited), NULL);
  buffer_deinit(&edited);
  return good;
}

/* \plot [WIDTHxHEIGHT] [STATEMENT] */
static bool run_plot(struct shell *shell, struct str arguments) {
  size_t width, height;
  shell_screen_size(&width, &height);
  height = height > 30 ? 20 : height > 12 ? height - 6 : 8;
  int used = 0;
  unsigned w, h;
  char head[32];
  snprintf(head, sizeof head, "%.*s", (int)(arguments.size < 31 ? arguments.size : 31),
           arguments.size ? arguments.data : "");
  if (sscanf(head, "%4ux%4u%n", &w, &h, &used) == 2 && used) {
    width = w;
    height = h;
    arguments = text_trim(str_of(arguments.data + used, arguments.size - (size_t)used));
  }
  struct str text = arguments.size ? arguments : last_text(shell);
  if (!text.size) return complain(shell, "there is no statement yet", STR(""));
  struct shell_result result;
  struct buffer out;
  struct err err;
  err_reset(&err);
  shell_result_init(&result, &shell->cli->account);
  buffer_init(&out, &shell->cli->account);
  int code = shell_query(shell, text, &result, &err);
  bool good = !code && !result.error.code;
  if (!good)
    shell_tell_error(shell, text, code ? &err : &result.error, result.sqlstate);
  else if (shell_plot(&result, &result.arena, width, height, &out, &err))
    good = fail(shell, &err);
  else
    shell_show(shell, buffer_str(&out), width);
  buffer_deinit(&out);
  shell_result_deinit(&result);
  return good;
}

static bool run_echo(struct shell *shell, struct str arguments) {
  (void)shell;
  struct str text = unquoted(arguments);
  printf("%.*s\n", STR_ARG(text));
  return true;
}

static bool run_copy(struct shell *shell, struct str arguments) {
  return shell_copy(shell, arguments);
}

/* \h: the statements there are, or how one is written. */
static bool run_syntax(struct shell *shell, struct str arguments) {
  static const struct {
    const char *name, *syntax;
  } statements[] = {
      {"SELECT", "[WITH …] SELECT [DISTINCT [ON (…)]] items FROM tables [WHERE …]\n"
                 "  [LATEST ON time PARTITION BY …] [GROUP BY …] [HAVING …] [WINDOW …]\n"
                 "  [UNION | INTERSECT | EXCEPT …] [ORDER BY …] [LIMIT n] [OFFSET n]\n"
                 "tables: name [FOR SYSTEM_TIME AS OF …] [alias], (SELECT …) alias, function(…),\n"
                 "  a [LEFT | RIGHT | FULL] JOIN b ON …, a ASOF [LEFT] JOIN b ON … [TOLERANCE …]"},
      {"INSERT", "INSERT INTO table [(columns)] {VALUES (…), … | SELECT … | DEFAULT VALUES}\n"
                 "  [ON CONFLICT [(columns)] DO {NOTHING | UPDATE SET …}] [RETURNING …]"},
      {"UPDATE", "UPDATE table SET column = value, … [FROM …] [WHERE …] [RETURNING …]"},
      {"DELETE", "DELETE FROM table [USING …] [WHERE …] [RETURNING …]"},
      {"CREATE TABLE",
       "CREATE TABLE [IF NOT EXISTS] name (column type [TAG | FIELD | TIME KEY] [NOT NULL]\n"
       "  [DEFAULT …] [CODEC c] [DECIMALS n] [ERROR x], …) [WITH (option = value, …)]\n"
       "CREATE TABLE name AS SELECT …"},
      {"CREATE VIEW", "CREATE [OR REPLACE] VIEW name [(columns)] AS SELECT …"},
      {"CREATE DATABASE", "CREATE DATABASE [IF NOT EXISTS] name [WITH PRECISION unit]"},
      {"CREATE SCHEMA", "CREATE SCHEMA [IF NOT EXISTS] name [WITH (option = value, …)]"},
      {"ALTER TABLE",
       "ALTER TABLE name {ADD [COLUMN] … | DROP [COLUMN] c | RENAME [COLUMN c] TO d |\n"
       "  ALTER [COLUMN] c {TYPE t | SET … | DROP …} | SET (option = value, …) | RESET (…)}, …"},
      {"DROP", "DROP {DATABASE | SCHEMA | TABLE | VIEW} [IF EXISTS] name, … [CASCADE]"},
      {"TRUNCATE", "TRUNCATE [TABLE] name, …"},
      {"COPY", "COPY {table [(columns)] | (SELECT …)} {FROM | TO} 'file' [WITH (FORMAT csv,\n"
               "  HEADER, DELIMITER ',', NULL '')]; \\copy does so with files of this machine"},
      {"SET", "SET [LOCAL] name {= | TO} value; SHOW name; RESET name"},
      {"PREPARE", "PREPARE name [(types)] AS statement; EXECUTE name (values); DEALLOCATE name"},
      {"EXPLAIN", "EXPLAIN [ANALYZE] [VERBOSE] statement"},
  };
  struct str name = unquoted(arguments);
  bool found = false;
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    struct str each = str_from(statements[i].name);
    if (!name.size)
      printf("  %s\n", statements[i].name);
    else if (each.size >= name.size && str_equal_ignoring_case(str_of(each.data, name.size), name))
      printf("%s\n", statements[i].syntax);
    else
      continue;
    found = true;
  }
  if (!name.size) puts("\\h NAME tells how one is written; docs/languages/sql.md has them all.");
  return found ? true : complain(shell, "there is no help about ", name);
}

static bool run_help(struct shell *shell, struct str arguments) {
  (void)shell;
  (void)arguments;
  puts(
      "A statement ends with ; and may have several lines. Ctrl-C forgets it, or cancels it while\n"
      "it runs. TAB completes, the arrow keys and Ctrl-R find what was typed before.\n");
  for (const struct command *command = commands; command->name; command++)
    printf("  %s %-*s  %s\n", command->name, (int)(22 - strlen(command->name)), command->arguments,
           command->help);
  return true;
}

static const struct command commands[] = {
    {"\\?", "", "this help", run_help},
    {"\\h", "[STATEMENT]", "how a statement is written", run_syntax},
    {"\\q", "", "ends", run_quit},
    {"\\d", "[TABLE]", "tables and views, or the columns of one", run_describe},
    {"\\dt", "[PATTERN]", "tables and views", run_tables},
    {"\\dn", "", "schemas", run_schemas},
    {"\\df", "[PATTERN]", "functions", run_functions},
    {"\\l", "", "databases", run_databases},
    {"\\c", "[DATABASE]", "goes to a database", run_connect},
    {"\\plot", "[WxH] [STATEMENT]", "a chart of numbers over time, of the last or this statement",
     run_plot},
    {"\\watch", "[SECONDS]", "runs the last statement again and again, until Ctrl-C", run_watch},
    {"\\g", "", "runs the last statement, or the one at hand", run_again},
    {"\\p", "", "shows it", run_print},
    {"\\e", "", "edits it in $VISUAL or $EDITOR, then runs it", run_edit},
    {"\\r", "", "forgets it", run_forget},
    {"\\x", "[on|off]", "a line per column", run_expanded},
    {"\\t", "[on|off]", "rows only, without names and counts", run_tuples},
    {"\\timing", "[on|off]", "tells how long statements take", run_timing},
    {"\\pset", "[OPTION [VALUE]]", "format (table, csv, json, line), null, pager, expanded",
     run_set},
    {"\\i", "FILE", "runs a file", run_include},
    {"\\o", "[FILE]", "answers go to a file, or back to the terminal", run_output},
    {"\\copy", "…", "TABLE [(COLUMNS)] FROM FILE, or TABLE or (QUERY) TO FILE: CSV", run_copy},
    {"\\echo", "TEXT", "prints the text", run_echo},
    {NULL, NULL, NULL, NULL},
};

const char *shell_command_name(size_t i) {
  return i < sizeof commands / sizeof *commands ? commands[i].name : NULL;
}

bool shell_command(struct shell *shell, struct str line) {
  size_t size = 0;
  while (size < line.size && !text_is_blank(line.data[size]))
    size++;
  struct str name = str_of(line.data, size);
  while (name.size > 1 && name.data[name.size - 1] == ';')
    name.size--;
  struct str arguments = text_trim(str_of(line.data + size, line.size - size));
  struct text_nearest nearest = text_nearest_of(name);
  for (const struct command *command = commands; command->name; command++) {
    if (str_equal(name, str_from(command->name))) {
      fflush(stdout);
      return command->run(shell, arguments);
    }
    text_nearest_offer(&nearest, str_from(command->name));
  }
  struct err err;
  err_set(&err, ERR_INVALID_ARGUMENT, "unknown command %.*s", STR_ARG(text_cut(name, 40)));
  if (nearest.best.data)
    err_hint(&err, "Did you mean %.*s? \\? lists the commands.", STR_ARG(nearest.best));
  else
    err_hint(&err, "\\? lists the commands.");
  return fail(shell, &err);
}
