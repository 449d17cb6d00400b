/* Runs the files of tests/query/sql/, in the sqllogictest format, against the
 * embedded engine; the suite tests/protocol/run_sqllogic.py runs the same ones
 * against a server.
 *
 *     # a comment
 *     database NAME [ns|us|ms|s]      a fresh database, where names are looked
 * up from here on write                           line protocol up to an empty
 * line restart                         the engine is closed and opened again;
 * the session begins anew
 *
 *     statement ok                    or: statement count N
 *     SQL up to an empty line
 *
 *     statement error SQLSTATE [part of the message]
 *     SQL up to an empty line
 *
 *     query TYPES [nosort|rowsort]    a letter per column: I integer, R other
 * number, B boolean, SQL up to ----                  T anything else
 *     ----
 *     rows up to an empty line, values separated by tabs: NULL, (empty), "\n"
 * and "\t" spelled so
 *
 * Usage: test_sqllogic [--update] [FILE…]. --update writes what came into the
 * files: read the difference before you keep it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/text.h"
#include "engine_fixture.h"
#include "os/pool.h"
#include "query/query.h"
#include "query/query_session.h"

enum { LINE_SIZE = 1 << 16, FILES_MAX = 1000 };

struct run {
  struct fixture fixture;
  struct query_session *session;
  const char *file;
  FILE *input;
  int line, failures;
  char text[LINE_SIZE]; /* the line at hand */
  bool update;
  struct buffer output; /* with --update: the file anew */
  /* what came of a statement */
  struct buffer rows;
  char types[256];
  char sqlstate[8];
  char message[512];
  int64_t count;
  /* the block at hand */
  struct buffer sql, expected;
};

static struct {
  bool update;
  char *files[FILES_MAX];
  int file_count;
} options;

/* ---- the engine ---- */

static void open_session(struct run *run, const char *database) {
  struct query_session_options session = {.database = str_from(database)};
  struct err err = {.offset = -1};
  if (query_session_create(run->fixture.engine, &run->fixture.account, &session, &run->session,
                           &err))
    fixture_fail("session", &err);
}

static void begin_engine(struct run *run) {
  struct fixture *fixture = &run->fixture;
  struct err err = {.offset = -1};
  char path[] = "/tmp/nilo-sqllogic-XXXXXX";
  assert_non_null(mkdtemp(path));
  *fixture = (struct fixture){0};
  snprintf(fixture->path, sizeof fixture->path, "%s", path);
  if (os_real_create(&fixture->os, &err)) fixture_fail("os", &err);
  mem_account_init(&fixture->account, "test", NULL, 0);
  fixture_open(fixture);
  fixture_database(fixture, "nilo");
  open_session(run, "nilo");
}

static void end_engine(struct run *run) {
  char command[128];
  query_session_destroy(run->session);
  fixture_end(&run->fixture);
  snprintf(command, sizeof command, "rm -rf %s", run->fixture.path);
  assert_int_equal(system(command), 0);
}

static void restart(struct run *run) {
  char database[256];
  snprintf(database, sizeof database, "%.*s", STR_ARG(query_session_database(run->session)));
  query_session_destroy(run->session);
  fixture_reopen(&run->fixture);
  open_session(run, database);
}

static char letter_of(struct type type) {
  switch (type.physical) {
  case PHYSICAL_BOOL:
    return 'B';
  case PHYSICAL_INT64:
    return type.logical == LOGICAL_PLAIN || type.logical == LOGICAL_INT16 ||
                   type.logical == LOGICAL_INT32
               ? 'I'
               : 'T';
  case PHYSICAL_UINT64:
    return 'I';
  case PHYSICAL_FLOAT64:
    return 'R';
  case PHYSICAL_BYTES:
    return type.logical == LOGICAL_DECIMAL ? 'R' : 'T';
  default:
    return 'T';
  }
}

static void put_value(struct buffer *out, const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) {
    buffer_append_text(out, "NULL");
    return;
  }
  struct str text = column->dictionary ? column_str(column->dictionary, column->i32[row])
                                       : column_str(column, row);
  if (!text.size) buffer_append_text(out, "(empty)");
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '\n' || c == '\t') buffer_append_text(out, c == '\n' ? "\\n" : "\\t");
    if (c != '\n' && c != '\t') buffer_append_byte(out, (uint8_t)c);
  }
}

static void take_event(struct run *run, const struct query_event *event) {
  if (event->kind == QUERY_SERIES) {
    uint32_t count = event->column_count < 250 ? event->column_count : 250;
    for (uint32_t i = 0; i < count; i++)
      run->types[i] = letter_of(event->column_types[i]);
    run->types[count] = 0;
  } else if (event->kind == QUERY_ROWS) {
    for (int64_t row = 0; row < event->batch.length; row++) {
      for (uint32_t i = 0; i < event->batch.column_count; i++) {
        if (i) buffer_append_byte(&run->rows, '\t');
        put_value(&run->rows, &event->batch.columns[i], row);
      }
      buffer_append_byte(&run->rows, '\n');
    }
  } else if (event->kind == QUERY_DONE) {
    run->count = event->rows;
    if (!event->error.code) return;
    snprintf(run->sqlstate, sizeof run->sqlstate, "%s", err_info(event->error.code)->sqlstate);
    snprintf(run->message, sizeof run->message, "%s", event->error.message);
  }
}

/* Runs a text; what came stands in rows, types, sqlstate, message, count. */
static void execute(struct run *run) {
  struct query_options query_options = {
      .language = QUERY_SQL,
      .text = buffer_str(&run->sql),
      .session = run->session,
      .form = QUERY_FORM_TEXT,
      .now_ns = INT64_C(1700000000123456000), /* 2023-11-14 22:13:20.123456 */
  };
  struct err err = {.offset = -1};
  struct query *query;
  struct query_event event;
  buffer_reset(&run->rows);
  run->types[0] = run->sqlstate[0] = run->message[0] = 0;
  run->count = -1;
  int code = query_open(run->fixture.engine, &query_options, &query, &err);
  if (code) {
    snprintf(run->sqlstate, sizeof run->sqlstate, "%s", err_info(code)->sqlstate);
    snprintf(run->message, sizeof run->message, "%s", err.message);
    return;
  }
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    take_event(run, &event);
  } while (event.kind != QUERY_END);
  query_close(query);
}

/* ---- the file ---- */

/* A line without its end; with --update it goes to the new file. */
static bool read_line(struct run *run) {
  if (!fgets(run->text, LINE_SIZE, run->input)) return false;
  run->text[strcspn(run->text, "\n")] = 0;
  run->line++;
  return true;
}

static void keep_line(struct run *run) {
  buffer_append_text(&run->output, run->text);
  buffer_append_byte(&run->output, '\n');
}

/* Lines up to an empty one, or to ----; true for the latter. */
static bool read_block(struct run *run, struct buffer *block) {
  buffer_reset(block);
  while (read_line(run)) {
    keep_line(run);
    if (!run->text[0]) return false;
    if (strcmp(run->text, "----") == 0) return true;
    buffer_append_text(block, run->text);
    buffer_append_byte(block, '\n');
  }
  return false;
}

static void complain(struct run *run, int line, const char *expected, const char *got) {
  run->failures++;
  fprintf(stderr, "%s:%d\n%.*s--- expected\n%s\n--- got\n%s\n", run->file, line, (int)run->sql.size,
          (const char *)run->sql.data, expected, got);
}

static const char *text_of(struct buffer *buffer) {
  buffer_append_byte(buffer, 0);
  buffer->size--;
  return (const char *)buffer->data;
}

static void check_statement(struct run *run, const char *words, int line) {
  char got[1024], state[8], wanted[512] = "";
  long long count;
  execute(run);
  snprintf(got, sizeof got, "%s %s", run->sqlstate, run->message);
  if (strcmp(words, "ok") == 0) {
    if (run->sqlstate[0]) complain(run, line, "ok", got);
  } else if (sscanf(words, "count %lld", &count) == 1) {
    snprintf(wanted, sizeof wanted, "%lld", count);
    if (!run->sqlstate[0]) snprintf(got, sizeof got, "%lld", (long long)run->count);
    if (strcmp(wanted, got) != 0) complain(run, line, wanted, got);
  } else if (sscanf(words, "error %7s %511[^\n]", state, wanted) >= 1) {
    if (strcmp(state, run->sqlstate) != 0 || !strstr(run->message, wanted))
      complain(run, line, words, run->sqlstate[0] ? got : "ok");
  } else {
    fail_msg("%s:%d: statement %s", run->file, line, words);
  }
}

static int order_lines(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rows in bytewise order. */
static void sort_rows(struct run *run, struct buffer *rows) {
  size_t count = 0, used = 0;
  (void)run;
  for (size_t i = 0; i < rows->size; i++)
    count += rows->data[i] == '\n';
  char **lines = calloc(count + 1, sizeof *lines);
  char *copy = malloc(rows->size + 1);
  assert_non_null(lines);
  assert_non_null(copy);
  memcpy(copy, rows->data, rows->size);
  copy[rows->size] = 0;
  for (char *at = copy; *at && used < count; at += strlen(at) + 1) {
    at[strcspn(at, "\n")] = 0;
    lines[used++] = at;
  }
  qsort(lines, used, sizeof *lines, order_lines);
  buffer_reset(rows);
  for (size_t i = 0; i < used; i++) {
    buffer_append_text(rows, lines[i]);
    buffer_append_byte(rows, '\n');
  }
  free(copy);
  free(lines);
}

static void check_query(struct run *run, const char *words, int line) {
  char types[256] = "", order[32] = "";
  size_t header = run->output.size; /* where the expected rows begin in the new file */
  bool has_rows = false;
  sscanf(words, "%255s %31s", types, order);
  has_rows = read_block(run, &run->sql);
  header = run->output.size;
  if (has_rows) (void)read_block(run, &run->expected);
  execute(run);
  if (run->sqlstate[0]) {
    complain(run, line, "rows", run->message);
    return;
  }
  if (strcmp(order, "rowsort") == 0) sort_rows(run, &run->rows);
  if (run->update && has_rows) {
    run->output.size = header;
    buffer_append(&run->output, run->rows.data, run->rows.size);
    buffer_append_byte(&run->output, '\n');
  } else if (!str_equal(buffer_str(&run->rows), buffer_str(&run->expected))) {
    complain(run, line, text_of(&run->expected), text_of(&run->rows));
  }
  if (strcmp(types, run->types) != 0) complain(run, line, types, run->types);
}

static void begin_database(struct run *run, const char *words) {
  char name[64], unit_text[8] = "ns";
  enum time_unit unit = TIME_NS;
  struct err err = {.offset = -1};
  assert_true(sscanf(words, "%63s %7s", name, unit_text) >= 1);
  assert_true(time_unit_parse(str_from(unit_text), &unit));
  if (table_create_database(run->fixture.engine, str_from(name), unit, &err) ||
      query_session_use(run->session, str_from(name), &err))
    fixture_fail(name, &err);
}

static void write_lines(struct run *run) {
  char database[256];
  (void)read_block(run, &run->sql);
  snprintf(database, sizeof database, "%.*s", STR_ARG(query_session_database(run->session)));
  fixture_write(&run->fixture, database, text_of(&run->sql));
}

static void take_record(struct run *run) {
  int line = run->line;
  char words[LINE_SIZE];
  snprintf(words, sizeof words, "%s", run->text);
  buffer_reset(&run->expected);
  if (strncmp(words, "statement ", 10) == 0) {
    (void)read_block(run, &run->sql);
    check_statement(run, words + 10, line);
  } else if (strncmp(words, "query ", 6) == 0) {
    check_query(run, words + 6, line);
  } else if (strncmp(words, "database ", 9) == 0) {
    begin_database(run, words + 9);
  } else if (strcmp(words, "write") == 0) {
    write_lines(run);
  } else if (strcmp(words, "restart") == 0) {
    restart(run);
  } else if (words[0] && words[0] != '#') {
    fail_msg("%s:%d: %s", run->file, line, words);
  }
}

static void rewrite(struct run *run) {
  FILE *file = fopen(run->file, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(run->output.data, 1, run->output.size, file), run->output.size);
  assert_int_equal(fclose(file), 0);
}

static void run_file(void **state) {
  struct run *run = calloc(1, sizeof *run);
  assert_non_null(run);
  run->file = *state;
  run->update = options.update;
  run->input = fopen(run->file, "r");
  assert_non_null(run->input);
  begin_engine(run);
  struct buffer *buffers[] = {&run->output, &run->rows, &run->sql, &run->expected};
  for (int i = 0; i < 4; i++)
    buffer_init(buffers[i], &run->fixture.account);
  while (read_line(run)) {
    keep_line(run);
    take_record(run);
  }
  fclose(run->input);
  if (run->update) rewrite(run);
  int failures = run->failures;
  for (int i = 0; i < 4; i++)
    buffer_deinit(buffers[i]);
  end_engine(run);
  free(run);
  assert_int_equal(failures, 0);
}

/* ---- which files ---- */

static int order_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_files(const char *folder) {
  DIR *directory = opendir(folder);
  struct dirent *entry;
  assert_non_null(directory);
  while ((entry = readdir(directory))) {
    char path[512];
    struct stat facts;
    size_t size = strlen(entry->d_name);
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    assert_int_equal(stat(path, &facts), 0);
    if (S_ISDIR(facts.st_mode)) {
      find_files(path);
    } else if (size > 4 && strcmp(entry->d_name + size - 4, ".slt") == 0) {
      assert_true(options.file_count < FILES_MAX);
      options.files[options.file_count++] = strdup(path);
    }
  }
  closedir(directory);
}

int main(int argc, char **argv) {
  struct CMUnitTest tests[FILES_MAX];
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--update") == 0)
      options.update = true;
    else if (options.file_count < FILES_MAX)
      options.files[options.file_count++] = strdup(argv[i]);
  }
  if (!options.file_count) find_files("tests/query/sql");
  qsort(options.files, (size_t)options.file_count, sizeof(char *), order_names);
  for (int i = 0; i < options.file_count; i++)
    tests[i] = (struct CMUnitTest){
        .name = options.files[i], .test_func = run_file, .initial_state = options.files[i]};
  int failed = _cmocka_run_group_tests("sqllogic", tests, (size_t)options.file_count, NULL, NULL);
  for (int i = 0; i < options.file_count; i++)
    free(options.files[i]);
  return failed;
}
