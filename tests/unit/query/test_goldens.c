/* Runs the files of tests/query/influxql/: data, statements, and the answers they must give.
 *
 *     # a comment
 *     -- database NAME [ns|us|ms|s]   a fresh database, the default of what follows
 *     -- now NS                       what now() is
 *     -- flush                        the engine is closed and opened again
 *     -- zone NAME OFFSET RULE        a time zone file: seconds east, the rule of its footer
 *     -- write                        line protocol up to an empty line
 *     > STATEMENT                     may go on in lines that begin with ">"
 *     the answer, up to an empty line
 *
 * An answer is, per series: "name tag=value …", the columns, the rows; times as integers in the
 * table's unit, null as nothing. Errors are "error: text". NILO_GOLDEN_PRINT=1 prints what came
 * instead of comparing. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/number.h"
#include "engine_fixture.h"
#include "query/query.h"
#include "time_zone_file.h"

enum { TEXT_SIZE = 1 << 16 };

/* Where rows are when they are asked for. */
enum layout {
  LAYOUT_MEMORY,
  LAYOUT_PART,   /* each block of lines in a part on disk */
  LAYOUT_PARTS,  /* each line in one of its own */
  LAYOUT_MERGED, /* those, merged */
};

struct golden {
  struct fixture fixture;
  char database[64];
  int64_t now_ns;
  char actual[TEXT_SIZE];
  size_t used;
  const char *file;
  int line, failures;
  enum layout layout;
};

static void put(struct golden *golden, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(golden->actual + golden->used, TEXT_SIZE - golden->used, format, arguments);
  va_end(arguments);
  golden->used += (size_t)size;
  assert_true(golden->used < TEXT_SIZE);
}

static void put_value(struct golden *golden, const struct column *column, int64_t row) {
  char text[NUMBER_TEXT_MAX + 1];
  if (!column_is_valid(column, row)) return;
  if (column->dictionary) {
    put(golden, "%.*s", STR_ARG(column_str(column->dictionary, column->i32[row])));
    return;
  }
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    put(golden, "%s", bit_get(column->bits, row) ? "true" : "false");
    break;
  case PHYSICAL_INT64:
    put(golden, "%lld", (long long)column->i64[row]);
    break;
  case PHYSICAL_UINT64:
    put(golden, "%llu", (unsigned long long)column->u64[row]);
    break;
  case PHYSICAL_FLOAT64:
    *number_print_f64(column->f64[row], text) = 0;
    put(golden, "%s", text);
    break;
  default:
    put(golden, "%.*s", STR_ARG(column_str(column, row)));
  }
}

static void put_series(struct golden *golden, const struct query_event *event) {
  put(golden, "%.*s", STR_ARG(event->name));
  for (uint32_t i = 0; i < event->tag_count; i++)
    put(golden, "%s%.*s=%.*s", i || event->name.size ? " " : "", STR_ARG(event->tags[i].name),
        STR_ARG(event->tags[i].value));
  put(golden, "%s", event->name.size || event->tag_count ? "\n" : "");
  for (uint32_t i = 0; i < event->column_count; i++)
    put(golden, "%s%.*s", i ? "," : "", STR_ARG(event->column_names[i]));
  put(golden, "\n");
}

static void put_rows(struct golden *golden, const struct query_event *event) {
  for (int64_t row = 0; row < event->batch.length; row++) {
    for (uint32_t i = 0; i < event->batch.column_count; i++) {
      put(golden, "%s", i ? "," : "");
      put_value(golden, &event->batch.columns[i], row);
    }
    put(golden, "\n");
  }
}

static void run(struct golden *golden, const char *text) {
  struct err err;
  err_reset(&err);
  golden->used = 0;
  golden->actual[0] = 0;
  struct query_options options = {.language = QUERY_INFLUXQL,
                                  .text = str_from(text),
                                  .database = str_from(golden->database),
                                  .now_ns = golden->now_ns};
  struct query *query;
  if (query_open(golden->fixture.engine, &options, &query, &err)) {
    put(golden, "error: %s\n", err.message);
    return;
  }
  struct query_event event;
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    if (event.kind == QUERY_SERIES) put_series(golden, &event);
    if (event.kind == QUERY_ROWS) put_rows(golden, &event);
    if (event.kind == QUERY_MESSAGE) put(golden, "message: %.*s\n", STR_ARG(event.message));
    if (event.kind == QUERY_DONE && event.error.code)
      put(golden, "error: %s\n", event.error.message);
  } while (event.kind != QUERY_END);
  query_close(query);
}

static void check(struct golden *golden, const char *statement, const char *expected) {
  run(golden, statement);
  if (getenv("NILO_GOLDEN_PRINT")) {
    printf("> %s\n%s\n", statement, golden->actual);
  } else if (strcmp(golden->actual, expected) != 0) {
    golden->failures++;
    fprintf(stderr, "%s:%d: %s\n--- expected\n%s--- got\n%s\n", golden->file, golden->line,
            statement, expected, golden->actual);
  }
}

static void write_zone(struct golden *golden, const char *name, int offset, const char *rule) {
  struct os *os = golden->fixture.os;
  uint8_t bytes[TIME_ZONE_RULE_FILE_MAX];
  size_t size = time_zone_rule_file(rule, offset, bytes);
  char path[160] = "/usr/share/zoneinfo/";
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    assert_int_equal(os_dir_create(os, path, NULL), ERR_OK);
    *slash = '/';
  }
  snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
  char *slash = strrchr(path, '/');
  *slash = 0;
  assert_int_equal(os_dir_create(os, path, NULL), ERR_OK);
  *slash = '/';
  struct os_file *file;
  assert_int_equal(os_file_open(os, path, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_write(file, 0, bytes, size, NULL), ERR_OK);
  os_file_close(file);
}

static void command(struct golden *golden, const char *line) {
  char name[64], unit_text[8] = "ns", rule[64];
  int offset;
  long long now;
  if (sscanf(line, "-- database %63s %7s", name, unit_text) >= 1) {
    struct err err;
    err_reset(&err);
    enum time_unit unit = TIME_NS;
    assert_true(time_unit_parse(str_from(unit_text), &unit));
    if (table_create_database(golden->fixture.engine, str_from(name), unit, &err))
      fixture_fail(name, &err);
    snprintf(golden->database, sizeof golden->database, "%s", name);
  } else if (sscanf(line, "-- now %lld", &now) == 1) {
    golden->now_ns = now;
  } else if (sscanf(line, "-- zone %63s %d %63s", name, &offset, rule) == 3) {
    write_zone(golden, name, offset, rule);
  } else if (strcmp(line, "-- flush") == 0) {
    fixture_reopen(&golden->fixture);
  } else {
    fail_msg("%s:%d: %s", golden->file, golden->line, line);
  }
}

/* One line without its end; false at the end of the file. */
static bool read_line(struct golden *golden, FILE *file, char *line, int size) {
  if (!fgets(line, size, file)) return false;
  line[strcspn(line, "\n")] = 0;
  golden->line++;
  return true;
}

static void append_line(char *text, size_t *used, const char *line, const char *end) {
  int size = snprintf(text + *used, TEXT_SIZE - *used, "%s%s", line, end);
  *used += (size_t)size;
  assert_true(*used < TEXT_SIZE);
}

/* Lines up to an empty one. */
static void read_block(struct golden *golden, FILE *file, char *text) {
  char line[4096];
  size_t used = 0;
  text[0] = 0;
  while (read_line(golden, file, line, sizeof line) && line[0])
    append_line(text, &used, line, "\n");
}

static void flush(struct golden *golden) {
  assert_int_equal(store_flush(table_engine_shard(golden->fixture.engine), 0, NULL), ERR_OK);
}

static void write_block(struct golden *golden, char *block) {
  if (golden->layout < LAYOUT_PARTS) {
    fixture_write(&golden->fixture, golden->database, block);
    if (golden->layout == LAYOUT_PART) flush(golden);
    return;
  }
  while (*block) {
    char *end = strchr(block, '\n');
    *end = 0;
    fixture_write(&golden->fixture, golden->database, block);
    flush(golden);
    block = end + 1;
  }
  if (golden->layout == LAYOUT_MERGED)
    assert_int_equal(store_merge(table_engine_shard(golden->fixture.engine), 0, NULL), ERR_OK);
}

static void run_file(const char *path, enum layout layout) {
  static struct golden golden;
  static char statement[TEXT_SIZE], block[TEXT_SIZE];
  char line[4096];
  golden = (struct golden){.file = path, .now_ns = INT64_C(1500000000000000000), .layout = layout};
  fixture_begin(&golden.fixture);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  bool more = read_line(&golden, file, line, sizeof line);
  while (more) {
    if (strcmp(line, "-- write") == 0) {
      read_block(&golden, file, block);
      write_block(&golden, block);
    } else if (line[0] == '>') {
      size_t used = 0;
      append_line(statement, &used, line + 1 + (line[1] == ' '), "");
      size_t expected = 0;
      block[0] = 0;
      while ((more = read_line(&golden, file, line, sizeof line)) && line[0]) {
        if (line[0] == '>' && !expected)
          append_line(statement, &used, line + 1, "");
        else
          append_line(block, &expected, line, "\n");
      }
      check(&golden, statement, block);
    } else if (line[0] == '-') {
      command(&golden, line);
    } else {
      assert_true(line[0] == 0 || line[0] == '#');
    }
    more = read_line(&golden, file, line, sizeof line);
  }
  fclose(file);
  fixture_end(&golden.fixture);
  assert_int_equal(golden.failures, 0);
}

static int is_golden(const struct dirent *entry) {
  size_t size = strlen(entry->d_name);
  return size > 4 && strcmp(entry->d_name + size - 4, ".txt") == 0;
}

/* The answers are the same wherever the rows are. */
static void run_all(enum layout layout) {
  struct dirent **entries;
  int count = scandir("tests/query/influxql", &entries, is_golden, alphasort);
  assert_true(count > 0);
  for (int i = 0; i < count; i++) {
    char path[512];
    snprintf(path, sizeof path, "tests/query/influxql/%s", entries[i]->d_name);
    free(entries[i]);
    const char *only = getenv("NILO_GOLDEN_ONLY");
    if (!only || strstr(path, only)) run_file(path, layout);
  }
  free(entries);
}

static void test_memory(void **state) {
  (void)state;
  run_all(LAYOUT_MEMORY);
}
static void test_part(void **state) {
  (void)state;
  run_all(LAYOUT_PART);
}
static void test_parts(void **state) {
  (void)state;
  run_all(LAYOUT_PARTS);
}
static void test_merged(void **state) {
  (void)state;
  run_all(LAYOUT_MERGED);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_part),
                                     cmocka_unit_test(test_parts), cmocka_unit_test(test_merged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
