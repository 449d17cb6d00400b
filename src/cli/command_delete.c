/* nilo delete: rows by time and tags, a table, a database. It writes the InfluxQL statement that
 * does it, so that this is the same code as DELETE and DROP, here or in a server. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_tools.h"
#include "base/buffer.h"
#include "base/time.h"
#include "cli/cli_private.h"
#include "wire/json.h"

static const struct cli_option options[] = {
    {"data", "DIR", "the directory; default ./nilo-data"},
    {"server", "URL", "delete in a running server"},
    {"database", "NAME", "of this database (needed)"},
    {"table", "NAME", "of this table; without it of every table"},
    {"from", "TIME", "rows at or after: 2026-01-31T08:00:00Z, or ns"},
    {"to", "TIME", "rows before"},
    {"partition", "DAY", "rows of a day: 2026-01-31 (UTC)"},
    {"where", "CONDITION", "these series: \"host = 'a' AND rack =~ /^b/\""},
    {"all", NULL, "without any of these: the whole database"},
    {"series", "LIST", "of a program's store: of these series: 7,12,40"},
    {"dry-run", NULL, "say what would go, delete nothing"},
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

struct deletion {
  const char *database, *table, *from, *to, *partition, *where, *series;
  bool all, dry_run, yes;
};

/* ---- the condition, in InfluxQL ---- */

static void append_time(struct buffer *out, const char *text) {
  size_t digits = strspn(text + (*text == '-'), "0123456789");
  if (digits && !text[digits + (*text == '-')]) {
    buffer_append_text(out, text);
    return;
  }
  buffer_append_byte(out, '\'');
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\') buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)*text);
  }
  buffer_append_byte(out, '\'');
}

static void append_and(struct buffer *out, size_t begin) {
  if (out->size > begin) buffer_append_text(out, " AND ");
}

/* Everything but the tags. */
static void append_times(const struct deletion *deletion, struct buffer *out, size_t begin) {
  if (deletion->from || deletion->partition) {
    append_and(out, begin);
    buffer_append_text(out, "time >= ");
    append_time(out, deletion->partition ? deletion->partition : deletion->from);
  }
  if (deletion->to || deletion->partition) {
    append_and(out, begin);
    buffer_append_text(out, "time < ");
    append_time(out, deletion->partition ? deletion->partition : deletion->to);
    if (deletion->partition) buffer_append_text(out, " + 1d");
  }
}

static void append_source(const struct deletion *deletion, bool times, bool needs_from,
                          struct buffer *out) {
  if (deletion->table) {
    buffer_append_text(out, " FROM ");
    cli_append_identifier(out, str_from(deletion->table));
  } else if (needs_from) {
    buffer_append_text(out, " FROM /.*/");
  }
  struct buffer condition;
  buffer_init(&condition, out->account);
  if (times) append_times(deletion, &condition, 0);
  if (deletion->where) {
    append_and(&condition, 0);
    buffer_printf(&condition, "(%s)", deletion->where);
  }
  if (condition.size) {
    buffer_append_text(out, " WHERE ");
    buffer_append_str(out, buffer_str(&condition));
  }
  out->failed = out->failed || condition.failed;
  buffer_deinit(&condition);
}

static bool has_times(const struct deletion *deletion) {
  return deletion->from || deletion->to || deletion->partition;
}

static void append_statement(const struct deletion *deletion, struct buffer *out) {
  if (has_times(deletion) || deletion->where) {
    buffer_append_text(out, "DELETE");
    append_source(deletion, true, false, out);
  } else if (deletion->table) {
    buffer_append_text(out, "DROP MEASUREMENT ");
    cli_append_identifier(out, str_from(deletion->table));
  } else {
    buffer_append_text(out, "DROP DATABASE ");
    cli_append_identifier(out, str_from(deletion->database));
  }
}

/* ---- how much goes ---- */

struct counts {
  uint64_t rows, series;
  bool known;
};

/* Statement 0: values per field and table, of which the largest count is what is known of the rows;
 * statement 1: series. */
static void read_counts(struct mem_account *account, struct str json, struct counts *counts) {
  struct arena arena;
  struct json_reader reader;
  struct json_token token;
  uint64_t statement = 0, largest = 0, last = 0;
  size_t column = 0;
  int depth = 0;
  bool in_values = false;
  arena_init(&arena, account, 4096);
  json_reader_init(&reader, json, &arena, 0);
  counts->known = true;
  while (json_reader_next(&reader, &token, NULL) == ERR_OK && token.kind != JSON_END) {
    if (token.kind == JSON_KEY && str_equal(token.text, STR("error"))) counts->known = false;
    if (token.kind == JSON_KEY && str_equal(token.text, STR("statement_id"))) {
      if (json_reader_next(&reader, &token, NULL)) break;
      statement = strtoull(token.text.data, NULL, 10);
    } else if (token.kind == JSON_KEY && str_equal(token.text, STR("values"))) {
      in_values = true;
      depth = 0;
    } else if (in_values && token.kind == JSON_BEGIN_ARRAY) {
      depth++;
      column = 0;
      largest = last = 0;
    } else if (in_values && token.kind == JSON_END_ARRAY) {
      if (depth == 2 && statement == 0) counts->rows += largest;
      if (depth == 2 && statement == 1) counts->series += last;
      in_values = --depth > 0;
    } else if (in_values && depth == 2) {
      if (token.kind == JSON_NUMBER) last = strtoull(token.text.data, NULL, 10);
      if (column++ && token.kind == JSON_NUMBER && last > largest) largest = last;
    }
  }
  arena_deinit(&arena);
}

static void count(struct cli_door *door, const struct deletion *deletion, struct counts *counts) {
  struct buffer text, answer;
  *counts = (struct counts){.known = false};
  buffer_init(&text, &door->cli->account);
  buffer_init(&answer, &door->cli->account);
  buffer_append_text(&text, "SELECT count(*)");
  append_source(deletion, true, true, &text);
  buffer_append_text(&text, "; SHOW SERIES EXACT CARDINALITY");
  append_source(deletion, false, false, &text);
  if (!buffer_check(&text, NULL) &&
      !cli_door_query(door, str_from(deletion->database), buffer_str(&text), false, &answer, NULL))
    read_counts(&door->cli->account, buffer_str(&answer), counts);
  buffer_deinit(&text);
  buffer_deinit(&answer);
}

/* ---- asking ---- */

static bool confirmed(void) {
  char answer[16] = "";
  fputs("Delete them? They cannot be brought back. [y/N] ", stderr);
  fflush(stderr);
  if (!fgets(answer, sizeof answer, stdin)) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

/* A condition is one expression: a semicolon outside of quotes would end the statement and begin
 * another. */
static bool is_one_condition(const char *text) {
  char quote = 0;
  for (; *text; text++) {
    if (*text == '\\' && text[1])
      text++;
    else if (quote)
      quote = *text == quote ? 0 : quote;
    else if (*text == '\'' || *text == '"')
      quote = *text;
    else if (*text == ';')
      return false;
  }
  return !quote;
}

static int check_terminal(const struct deletion *deletion) {
  if (!deletion->yes && !deletion->dry_run && !os_is_terminal(0))
    return cli_usage("there is no terminal to ask on: say --yes, or --dry-run");
  return 0;
}

static int check_usage(const struct deletion *deletion) {
  bool nothing =
      !deletion->table && !deletion->where && !deletion->partition && !has_times(deletion);
  if (!deletion->database) return cli_usage("--database NAME is needed");
  if (deletion->partition && (deletion->from || deletion->to))
    return cli_usage("give --partition, or --from and --to");
  if (deletion->where && !is_one_condition(deletion->where))
    return cli_usage("--where takes one condition: %s", deletion->where);
  if (nothing && !deletion->all)
    return cli_usage("nothing says what is to go: name --table, --from, --to, --partition or "
                     "--where, or --all for the whole database");
  if (!nothing && deletion->all)
    return cli_usage("--all deletes the whole database: it stands alone with --database");
  if (deletion->series) return cli_usage("--series is for a program's store: name tags by --where");
  return check_terminal(deletion);
}

static int run_on(struct cli *cli, struct cli_door *door, const struct deletion *deletion,
                  struct err *err) {
  struct buffer text, answer;
  struct counts counts;
  bool failed = false;
  count(door, deletion, &counts);
  if (counts.known)
    printf("%" PRIu64 " rows or more of %" PRIu64 " series match\n", counts.rows, counts.series);
  else
    puts("how many rows match is not known");
  fflush(stdout);
  if (deletion->dry_run) return ERR_OK;
  if (!deletion->yes && !confirmed()) {
    puts("nothing was deleted");
    return ERR_OK;
  }
  buffer_init(&text, &cli->account);
  buffer_init(&answer, &cli->account);
  append_statement(deletion, &text);
  int code = buffer_check(&text, err);
  if (!code)
    code =
        cli_door_query(door, str_from(deletion->database), buffer_str(&text), false, &answer, err);
  if (!code) code = cli_print_answer(cli, buffer_str(&answer), CLI_TABLE, &failed, err);
  if (!code && failed) code = err_set(err, ERR_INVALID_ARGUMENT, "nothing was deleted");
  if (!code) puts("deleted");
  buffer_deinit(&answer);
  buffer_deinit(&text);
  return code;
}

/* ---- of a store opened alone: series and keys ---- */

enum { SERIES_MAX = 4096 };

/* "7,12,40", ascending or not, without repetition. */
static bool read_series(const char *text, uint64_t *series, size_t *count) {
  for (*count = 0; *text; text += *text == ',') {
    char *end;
    if (*count == SERIES_MAX || *text < '0' || *text > '9') return false;
    uint64_t value = strtoull(text, &end, 10);
    if (!value || (*end && (*end != ',' || !end[1]))) return false;
    size_t at = (*count)++;
    for (; at && series[at - 1] >= value; at--) {
      if (series[at - 1] == value) return false;
      series[at] = series[at - 1];
    }
    series[at] = value;
    text = end;
  }
  return *count > 0;
}

static bool read_key(const char *text, int64_t *key) {
  char *end;
  errno = 0;
  *key = strtoll(text, &end, 10);
  return *text && !*end && !errno;
}

static int check_alone(const struct deletion *deletion, struct api_alone_delete *delete,
                       uint64_t series[SERIES_MAX]) {
  bool nothing = !deletion->series && !deletion->from && !deletion->to;
  *delete = (struct api_alone_delete){
      .series = series, .key_min = INT64_MIN, .key_max = INT64_MAX, .count_only = true};
  if (deletion->database || deletion->table || deletion->where || deletion->partition)
    return cli_usage("a program's store has series and keys: name --series, --from, --to or --all");
  if (deletion->series && !read_series(deletion->series, series, &delete->series_count))
    return cli_usage("--series takes numbers above 0, like 7,12,40: %s", deletion->series);
  if (deletion->from && !read_key(deletion->from, &delete->key_min))
    return cli_usage("--from takes a key, a whole number: %s", deletion->from);
  if (deletion->to && !read_key(deletion->to, &delete->key_max))
    return cli_usage("--to takes a key, a whole number: %s", deletion->to);
  if (deletion->to && delete->key_max-- <= delete->key_min)
    return cli_usage("the range of keys is empty");
  if (nothing != deletion->all)
    return cli_usage(nothing ? "nothing says what is to go: name --series, --from or --to, or "
                               "--all for every element"
                             : "--all deletes every element: it stands alone");
  return check_terminal(deletion);
}

static int delete_alone(const struct api_options *opening, const struct deletion *deletion,
                        struct api_alone_delete *delete, struct err *err) {
  uint64_t rows;
  int code = api_alone_delete(opening, delete, &rows, err);
  if (code) return code;
  printf("%" PRIu64 " elements match\n", rows);
  fflush(stdout);
  if (deletion->dry_run) return ERR_OK;
  if (!deletion->yes && !confirmed()) {
    puts("nothing was deleted");
    return ERR_OK;
  }
  delete->count_only = false;
  code = api_alone_delete(opening, delete, &rows, err);
  if (!code) puts("deleted");
  return code;
}

static int run_alone(struct cli *cli, const char *directory, const struct deletion *deletion) {
  uint64_t series[SERIES_MAX];
  struct api_alone_delete delete;
  struct cli_tool tool = {.cli = cli};
  struct api_options opening;
  struct err err;
  bool alone;
  err_reset(&err);
  int status = check_alone(deletion, &delete, series);
  if (status) return status;
  int code = cli_tool_alone(cli, directory, &opening, &alone, &err);
  if (!code) code = delete_alone(&opening, deletion, &delete, &err);
  return cli_tool_end(&tool, code, &err);
}

static int run(struct cli *cli) {
  const struct cli_arguments *arguments = &cli->arguments;
  struct deletion deletion = {.database = cli_value(arguments, "database"),
                              .table = cli_value(arguments, "table"),
                              .from = cli_value(arguments, "from"),
                              .to = cli_value(arguments, "to"),
                              .partition = cli_value(arguments, "partition"),
                              .where = cli_value(arguments, "where"),
                              .series = cli_value(arguments, "series"),
                              .all = cli_value(arguments, "all") != NULL,
                              .dry_run = cli_value(arguments, "dry-run") != NULL,
                              .yes = cli_value(arguments, "yes") != NULL};
  struct cli_tool tool = {.cli = cli};
  struct cli_door door = {.cli = cli};
  struct err err;
  int status;
  err_reset(&err);
  const char *directory = cli_tool_directory(cli, &status);
  if (status) return status;
  if (directory && api_is_alone(cli->os, directory)) return run_alone(cli, directory, &deletion);
  status = check_usage(&deletion);
  if (status) return status;
  int code;
  if (!directory)
    code = cli_door_open(cli, &door, false, &err);
  else if (!os_path_exists(cli->os, directory))
    code = err_set(&err, ERR_NO_FILE, "there is no directory %s", directory);
  else if (!(code = cli_load_settings(cli, NULL, &err)))
    code = cli_open(cli, directory, deletion.dry_run, false, &err);
  if (!code) code = run_on(cli, &door, &deletion, &err);
  status = cli_tool_end(&tool, code, &err);
  cli_door_close(&door);
  return status;
}

const struct cli_command cli_delete = {
    "delete",
    "[DIR | --server URL] --database NAME [WHAT …] [--yes]",
    "Deletes rows by time and tags, a table, or a database.",
    "Of a program's store (nilo/store.h): elements, by --series and by keys with\n"
    "--from and --to. Conditions add up. The same as the statements DELETE and DROP of InfluxQL.\n"
    "Counts are of values of the fullest field, so rows may be more. Exit status: 0\n"
    "done (or declined), 1 failed, 2 used wrongly.",
    options,
    true,
    run};
