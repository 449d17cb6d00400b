/* COPY: its formats, files and where they may be, the client's input, errors with their lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "engine_fixture.h"
#include "query/copy_format.h"
#include "query/query.h"

/* ---- formats ---- */

/* All rows of a text that comes in pieces of `piece` bytes, as [a|b|\0] lines. */
static const char *rows_of(const struct copy_format *format, const char *text, size_t piece) {
  static char out[4096];
  struct mem_account account;
  struct copy_reader reader;
  struct copy_row row;
  struct err err = {.offset = -1};
  size_t size = strlen(text), used = 0;
  bool found;
  mem_account_init(&account, "test", NULL, 0);
  copy_reader_init(&reader, format, &account);
  out[0] = 0;
  for (size_t at = 0; at <= size; at += piece) {
    size_t left = size - at < piece ? size - at : piece;
    assert_int_equal(copy_reader_feed(&reader, str_of(text + at, left), &err), ERR_OK);
    if (at + piece > size) copy_reader_finish(&reader);
    for (;;) {
      int code = copy_reader_next(&reader, &row, &found, &err);
      if (code)
        used += (size_t)snprintf(out + used, sizeof out - used, "%d:%s\n", err.line, err.message);
      if (code || !found) break;
      used += (size_t)snprintf(out + used, sizeof out - used, "%lld", (long long)row.line);
      for (uint32_t i = 0; i < row.count; i++)
        used += (size_t)snprintf(out + used, sizeof out - used, "|%.*s",
                                 STR_ARG(row.fields[i].null ? STR("<null>") : row.fields[i].text));
      used += (size_t)snprintf(out + used, sizeof out - used, "\n");
    }
  }
  copy_reader_deinit(&reader);
  mem_account_deinit(&account);
  return out;
}

static const struct copy_format csv = {
    .csv = true, .delimiter = ',', .quote = '"', .escape = '"', .null = {"", 0}};
static const struct copy_format text = {
    .delimiter = '\t', .quote = '"', .escape = '"', .null = {"\\N", 2}};

static void test_formats(void **state) {
  (void)state;
  static const struct {
    const struct copy_format *format;
    const char *text, *rows;
  } rows[] = {
      {&csv, "a,b\nc,d\n", "1|a|b\n2|c|d\n"},
      {&csv, "a,,\"\"\r\n1,2,3", "1|a|<null>|\n2|1|2|3\n"},
      {&csv, "\"x,\"\"y\"\"\n\",2\nz,3\n", "1|x,\"y\"\n|2\n3|z|3\n"},
      {&csv, "a\"b,c\"d,e\n", "1|ab,cd|e\n"},
      {&csv, "\n", "1|<null>\n"},
      {&text, "a\tb\n\\N\t\\\\N\n", "1|a|b\n2|<null>|\\N\n"},
      {&text, "a\\tb\\nc\td\\\ne\nx\n", "1|a\tb\nc|d\ne\n3|x\n"},
      {&text, "\\x41\\102\\q\n", "1|ABq\n"},
      {&text, "a\n\\.\nb\n", "1|a\n"},
      {&text, "\n\n", "1|\n2|\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t piece = 1; piece < 40; piece++)
      assert_string_equal(rows_of(rows[i].format, rows[i].text, piece), rows[i].rows);
  assert_non_null(strstr(rows_of(&csv, "a\n\"b\n", 100), "2:unterminated CSV quoted field"));
}

static void test_what_is_written_is_read(void **state) {
  (void)state;
  static const char *const values[] = {"",   "\\N", "a,b", "\"", "x\ny", "\\",
                                       "\t", "\\.", " ",   "\r", "NULL", "\\\\n"};
  const struct copy_format *formats[] = {&csv, &text};
  for (int f = 0; f < 2; f++) {
    struct mem_account account;
    struct buffer out;
    struct copy_reader reader;
    struct copy_row row;
    bool found;
    mem_account_init(&account, "test", NULL, 0);
    buffer_init(&out, &account);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      copy_write_field(formats[f], str_from(values[i]), false, true, &out);
      copy_write_field(formats[f], (struct str){0}, true, false, &out);
      copy_write_end(&out);
    }
    copy_reader_init(&reader, formats[f], &account);
    copy_reader_feed(&reader, buffer_str(&out), NULL);
    copy_reader_finish(&reader);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      assert_int_equal(copy_reader_next(&reader, &row, &found, NULL), ERR_OK);
      assert_true(found && row.count == 2 && row.fields[1].null && !row.fields[0].null);
      assert_true(str_equal(row.fields[0].text, str_from(values[i])));
    }
    copy_reader_deinit(&reader);
    buffer_deinit(&out);
    mem_account_deinit(&account);
  }
}

/* ---- statements ---- */

static struct fixture fixture;
static struct query_copy copy;
static const char *input;
static char answer[8192];
static int64_t count;

static int give(void *context, char *bytes, size_t size, size_t *got, struct err *err) {
  (void)context;
  (void)err;
  *got = strlen(input) < 3 ? strlen(input) : size < 3 ? size : 3; /* a little at a time */
  memcpy(bytes, input, *got);
  input += *got;
  return ERR_OK;
}

static struct str cell(const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return STR("NULL");
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

static int run(const char *sql, struct err *err) {
  struct query_options options = {.language = QUERY_SQL,
                                  .database = {"d", 1},
                                  .text = str_from(sql),
                                  .form = QUERY_FORM_TEXT,
                                  .copy = &copy};
  struct query *query;
  struct query_event event;
  size_t used = 0;
  int failed = ERR_OK;
  err_reset(err);
  answer[0] = 0;
  int code = query_open(fixture.engine, &options, &query, err);
  if (code) return code;
  do {
    if ((code = query_next(query, &event, err))) fixture_fail(sql, err);
    if (event.kind == QUERY_DONE) {
      count = event.rows;
      failed = event.error.code;
      if (failed) *err = event.error;
    }
    for (int64_t row = 0; event.kind == QUERY_ROWS && row < event.batch.length; row++)
      for (uint32_t c = 0; c < event.batch.column_count; c++)
        used += (size_t)snprintf(answer + used, sizeof answer - used, "%.*s%s",
                                 STR_ARG(cell(&event.batch.columns[c], row)),
                                 c + 1 < event.batch.column_count ? "|" : "\n");
  } while (event.kind != QUERY_END);
  query_close(query);
  return failed;
}

static void good(const char *sql) {
  struct err err;
  if (run(sql, &err)) fixture_fail(sql, &err);
}

static void put_file(const char *name, const char *content) {
  struct os_file *file;
  struct err err;
  char path[128];
  snprintf(path, sizeof path, "%s/%s", fixture.path, name);
  assert_int_equal(os_file_open(fixture.os, path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, &err),
                   ERR_OK);
  assert_int_equal(os_file_write(file, 0, content, strlen(content), &err), ERR_OK);
  os_file_close(file);
}

static int begin(void **state) {
  (void)state;
  fixture_begin(&fixture);
  fixture_database(&fixture, "d");
  copy = (struct query_copy){.directory = fixture.path, .read = give};
  good("CREATE TABLE t (a bigint PRIMARY KEY, b text, c bigint DEFAULT 7)");
  return 0;
}

static int end(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void test_from_and_to(void **state) {
  (void)state;
  input = "a,b\n1,x\n2,\n3,\"\"\n";
  good("COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER)");
  assert_int_equal(count, 3);
  good("SELECT * FROM t ORDER BY a");
  assert_string_equal(answer, "1|x|7\n2|NULL|7\n3||7\n");
  good("COPY (SELECT * FROM t ORDER BY a) TO STDOUT");
  assert_string_equal(answer, "1\tx\t7\n2\t\\N\t7\n3\t\t7\n");
  good("COPY (SELECT * FROM t ORDER BY a) TO 'out.csv' (FORMAT csv, HEADER, DELIMITER ';')");
  assert_int_equal(count, 3);
  good("CREATE TABLE u (a bigint, b text, c bigint)");
  good("COPY u FROM 'out.csv' (FORMAT csv, HEADER, DELIMITER ';')");
  good("SELECT * FROM u ORDER BY a");
  assert_string_equal(answer, "1|x|7\n2|NULL|7\n3||7\n");
}

static void test_into_series(void **state) {
  (void)state;
  good("CREATE TABLE s (ts timestamptz TIME KEY, host text TAG, n bigint)");
  put_file("s.tsv", "2024-01-01 00:00:00\ta\t1\n2024-01-01 00:00:01\t\\N\t2\n");
  good("COPY s FROM 's.tsv'");
  assert_int_equal(count, 2);
  good("SELECT host, n FROM s ORDER BY n");
  assert_string_equal(answer, "a|1\nNULL|2\n");
}

static void test_errors_have_lines(void **state) {
  (void)state;
  static const struct {
    const char *input;
    int code, line;
    const char *message, *detail;
  } rows[] = {
      {"1,x,1\n2,y\n", ERR_INVALID_COPY, 2, "missing data for column \"c\"", "line 2"},
      {"1,x,1\n2,y,1,2\n", ERR_INVALID_COPY, 2, "extra data after last expected column", "line 2"},
      {"1,\"x\ny\",1\nz,y,1\n", ERR_INVALID_TEXT, 3, "invalid input syntax for type bigint: \"z\"",
       "COPY t, line 3, column a: \"z\""},
      {"1,x,1\n1,y,1\n", ERR_UNIQUE, 0, "duplicate key", "1"},
      {"1,\xff,1\n", ERR_INVALID_COPY, 1, "invalid byte sequence", "line 1"},
  };
  struct err err;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    input = rows[i].input;
    int code = run("COPY t FROM STDIN CSV", &err);
    if (code != rows[i].code) fail_msg("%zu: %d %s", i, code, err.message);
    assert_non_null(strstr(err.message, rows[i].message));
    assert_non_null(strstr(err.detail, rows[i].detail));
    if (rows[i].line) assert_int_equal(err.line, rows[i].line);
    good("SELECT count(*) FROM t"); /* nothing of it */
    assert_string_equal(answer, "0\n");
  }
}

static void test_files_stay_below_the_directory(void **state) {
  (void)state;
  struct err err;
  assert_int_equal(run("COPY t FROM '/etc/passwd'", &err), ERR_UNAUTHORIZED);
  assert_int_equal(run("COPY t TO '../x'", &err), ERR_UNAUTHORIZED);
  assert_int_equal(run("COPY t FROM 'none.csv'", &err), ERR_NO_FILE);
  copy.directory = NULL;
  assert_int_equal(run("COPY t TO 'x'", &err), ERR_UNAUTHORIZED);
  copy.read = NULL;
  assert_int_equal(run("COPY t FROM STDIN", &err), ERR_UNSUPPORTED);
  assert_int_equal(run("COPY t TO STDOUT (FORMAT xml)", &err), ERR_INVALID_ARGUMENT);
  assert_int_equal(run("COPY t TO STDOUT (DELIMITER 'ab')", &err), ERR_INVALID_ARGUMENT);
}

/* More rows than one commit takes. */
static void test_many_rows(void **state) {
  (void)state;
  enum { ROWS = 150000 };
  struct mem_account account;
  struct buffer rows;
  mem_account_init(&account, "test", NULL, 0);
  buffer_init(&rows, &account);
  for (int i = 0; i < ROWS; i++)
    buffer_printf(&rows, "%d,v%d,%d\n", i, i % 100, i % 7);
  buffer_append_byte(&rows, 0);
  put_file("many.csv", (const char *)rows.data);
  buffer_deinit(&rows);
  mem_account_deinit(&account);
  good("COPY t FROM 'many.csv' CSV");
  assert_int_equal(count, ROWS);
  good("SELECT count(*), max(a) FROM t");
  assert_string_equal(answer, "150000|149999\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_formats),
      cmocka_unit_test(test_what_is_written_is_read),
      cmocka_unit_test_setup_teardown(test_from_and_to, begin, end),
      cmocka_unit_test_setup_teardown(test_into_series, begin, end),
      cmocka_unit_test_setup_teardown(test_errors_have_lines, begin, end),
      cmocka_unit_test_setup_teardown(test_files_stay_below_the_directory, begin, end),
      cmocka_unit_test_setup_teardown(test_many_rows, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
