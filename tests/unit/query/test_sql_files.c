/* read_csv() and read_lines() in FROM: types, nulls, options, joins, files that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "engine_fixture.h"
#include "query/query.h"

static struct fixture fixture;
static struct query_copy copy;
static int64_t memory_max;
static char answer[8192], types[1024];

static struct str cell(const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return STR("NULL");
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

static void take_event(const struct query_event *event, size_t *used) {
  for (uint32_t c = 0; event->kind == QUERY_SERIES && c < event->column_count; c++) {
    char text[QUERY_TYPE_TEXT_MAX];
    snprintf(types + strlen(types), sizeof types - strlen(types), "%s%.*s %s", c ? ", " : "",
             STR_ARG(event->column_names[c]), query_type_text(event->column_types[c], text));
  }
  for (int64_t row = 0; event->kind == QUERY_ROWS && row < event->batch.length; row++)
    for (uint32_t c = 0; c < event->batch.column_count; c++)
      *used += (size_t)snprintf(answer + *used, sizeof answer - *used, "%.*s%s",
                                STR_ARG(cell(&event->batch.columns[c], row)),
                                c + 1 < event->batch.column_count ? "|" : "\n");
}

static int run(const char *sql, struct err *err) {
  struct query_options options = {.language = QUERY_SQL,
                                  .database = {"d", 1},
                                  .text = str_from(sql),
                                  .form = QUERY_FORM_TEXT,
                                  .memory_bytes_max = memory_max,
                                  .now_ns = INT64_C(1700000000000000000),
                                  .copy = &copy};
  struct query *query;
  struct query_event event;
  size_t used = 0;
  int failed = ERR_OK;
  err_reset(err);
  answer[0] = types[0] = 0;
  int code = query_open(fixture.engine, &options, &query, err);
  if (code) return code;
  do {
    if ((code = query_next(query, &event, err))) fixture_fail(sql, err);
    if (event.kind == QUERY_DONE) {
      failed = event.error.code;
      if (failed) *err = event.error;
    }
    take_event(&event, &used);
  } while (event.kind != QUERY_END);
  query_close(query);
  return failed;
}

static void gives(const char *sql, const char *expected) {
  struct err err;
  if (run(sql, &err)) fixture_fail(sql, &err);
  if (strcmp(answer, expected) != 0) fail_msg("%s\ngives\n%s\nnot\n%s", sql, answer, expected);
}

/* What an error says: its code, a part of its message, detail or hint. */
static void fails(const char *sql, int code, const char *part) {
  struct err err;
  char text[2048];
  int got = run(sql, &err);
  err_format(&err, text, sizeof text);
  if (got != code || !strstr(text, part)) fail_msg("%s\nfails with %d %s", sql, got, text);
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
  copy = (struct query_copy){.directory = fixture.path};
  memory_max = 0;
  return 0;
}

static int end(void **state) {
  (void)state;
  fixture_end(&fixture);
  return 0;
}

static void test_types(void **state) {
  (void)state;
  put_file("a.csv", "i,f,b,t,s,e\n1,2,true,2024-01-01T00:00:00.5Z,x,\n"
                    "-7,2.5,FALSE,2024-01-02,1,\n,NA,,,NA,\n");
  gives("SELECT * FROM read_csv('a.csv')", "1|2|t|2024-01-01 00:00:00.5+00|x|NULL\n"
                                           "-7|2.5|f|2024-01-02 00:00:00+00|1|NULL\n"
                                           "NULL|NULL|NULL|NULL|NA|NULL\n");
  assert_string_equal(types, "i bigint, f double precision, b boolean, t timestamp with time zone, "
                             "s text, e text");
  /* a time that nanoseconds do not hold, and one that nothing else does */
  put_file("b.csv", "us,s\n9999-12-31,9999-12-31\n2024-01-01,2024-01-01T00:00:00.123456789Z\n");
  gives("SELECT us + interval '1 day', s || '!' FROM read_csv('b.csv') LIMIT 1",
        "10000-01-01 00:00:00+00|9999-12-31!\n");
}

/* A value far behind the first ones has its say in the type. */
static void test_every_row_is_seen(void **state) {
  (void)state;
  enum { ROWS = 200000 };
  struct mem_account account;
  struct buffer rows;
  mem_account_init(&account, "test", NULL, 0);
  buffer_init(&rows, &account);
  buffer_append_str(&rows, STR("a,b\n"));
  for (int i = 0; i < ROWS; i++)
    buffer_printf(&rows, "%d,v%d\n", i, i % 100);
  buffer_append_str(&rows, STR("0.5,v\n"));
  buffer_append_byte(&rows, 0);
  put_file("many.csv", (const char *)rows.data);
  buffer_deinit(&rows);
  mem_account_deinit(&account);
  gives("SELECT count(*), max(a), min(b) FROM read_csv('many.csv')", "200001|199999|v\n");
  gives("SELECT sum(a), count(DISTINCT b) FROM read_csv('many.csv', columns => 'a numeric')",
        "19999900000.5|101\n");
}

static void test_options(void **state) {
  (void)state;
  put_file("a.csv", "\xef\xbb\xbf"
                    "1;-;\"x \"\"y\"\";\r\nz\"\r\n2;\"-\";\"\"\r\n");
  gives("SELECT * FROM read_csv('a.csv', header => false, delimiter => ';', null => '-')",
        "1|NULL|x \"y\";\r\nz\n2|-|\n");
  assert_string_equal(types, "column1 bigint, column2 text, column3 text");
  gives("SELECT b, c = '' FROM read_csv('a.csv', header => false, delimiter => ';', "
        "columns => 'a numeric(5,1), b varchar(3), c text') AS t WHERE t.a = 2",
        "-|t\n");
  put_file("b.csv", "when\tn\n2024-01-01\t1\n");
  gives("SELECT x.d + 1, m FROM read_csv('b.csv', delimiter => '\\t', "
        "columns => '\"when\" date') AS x(d, m)",
        "2024-01-02|1\n");
  put_file("empty.csv", "");
  gives("SELECT * FROM read_csv('empty.csv', header => false, columns => 'a int, b text')", "");
  assert_string_equal(types, "a integer, b text");
  put_file("head.csv", "a,b\n");
  gives("SELECT count(a) FROM read_csv('head.csv')", "0\n");
}

static void test_in_statements(void **state) {
  (void)state;
  put_file("hosts.csv", "name,site\na,north\nb,south\n");
  gives("CREATE TABLE cpu (time timestamptz TIME KEY, host text TAG, n bigint)", "");
  gives("INSERT INTO cpu (host, n) VALUES ('a', 1), ('c', 3)", "");
  gives("SELECT site, n FROM cpu LEFT JOIN read_csv('hosts.csv') h ON h.name = cpu.host ORDER BY n",
        "north|1\nNULL|3\n");
  gives("SELECT n, name FROM cpu FULL JOIN read_csv('hosts.csv') h ON h.name = cpu.host "
        "ORDER BY n, name",
        "1|a\n3|NULL\nNULL|b\n");
  gives("SELECT name FROM read_csv('hosts.csv') WHERE name NOT IN (SELECT host FROM cpu)", "b\n");
  gives("WITH h AS (SELECT * FROM read_csv('hosts.csv')) SELECT count(*) FROM h, h AS i", "4\n");
  gives("CREATE TABLE hosts AS SELECT * FROM read_csv('hosts.csv')", "");
  gives("INSERT INTO hosts SELECT upper(name), site FROM read_csv('hosts.csv')", "");
  gives("SELECT * FROM hosts ORDER BY name", "A|north\nB|south\na|north\nb|south\n");
  gives("CREATE VIEW v AS SELECT * FROM read_csv('hosts.csv', header => true)", "");
  gives("SELECT name FROM v ORDER BY name DESC", "b\na\n");
  put_file("hosts.csv", "name,site\nq,east\n"); /* a view reads it anew */
  gives("SELECT * FROM v", "q|east\n");
  gives("PREPARE p AS SELECT * FROM read_csv($1); EXECUTE p('hosts.csv')", "q|east\n");
}

static void test_errors(void **state) {
  (void)state;
  put_file("short.csv", "a,b\n1,2\n3\n");
  put_file("quote.csv", "a,b\n1,\"x\n");
  put_file("twice.csv", "a,a\n");
  put_file("bytes.csv", "a\nx\n\xff\n");
  put_file("noname.csv", "a,,c\n1,2,3\n");
  put_file("empty.csv", "");
  put_file("a.csv", "a,b\n1,2\n\n3,four\n");
  static const struct {
    const char *from;
    int code;
    const char *part;
  } rows[] = {
      {"read_csv('short.csv')", ERR_INVALID_COPY, "file \"short.csv\", line 3"},
      {"read_csv('quote.csv')", ERR_PARSE, "file \"quote.csv\", line 2"},
      {"read_csv('twice.csv')", ERR_DUPLICATE_COLUMN, "line 1, column 3"},
      {"read_csv('bytes.csv')", ERR_INVALID_COPY, "line 3, column 1"},
      {"read_csv('noname.csv')", ERR_INVALID_COPY, "column 2 has no name"},
      {"read_csv('empty.csv')", ERR_INVALID_COPY, "no header row"},
      {"read_csv('empty.csv', header => false)", ERR_INVALID_COPY, "columns => "},
      {"read_csv('a.csv', columns => 'b bigint')", ERR_INVALID_TEXT,
       "line 4, column \"b\": \"four\""},
      {"read_csv('a.csv', columns => 'b varchar(3)')", ERR_STRING_TOO_LONG, "line 4"},
      {"read_csv('a.csv', columns => 'bb bigint')", ERR_UNKNOWN_COLUMN, "no column \"bb\""},
      {"read_csv('a.csv', columns => 'b bigint, b text')", ERR_DUPLICATE_COLUMN, "\"b\""},
      {"read_csv('a.csv', columns => 'b nothing')", ERR_NOT_FOUND, "nothing"},
      {"read_csv('a.csv', columns => 'b')", ERR_PARSE, "no list of columns"},
      {"read_csv('a.csv', columns => 'b text) WHERE (true')", ERR_PARSE, "no list of columns"},
      {"read_csv('a.csv', header => false, columns => 'a text')", ERR_INVALID_COPY, "line 1"},
      {"read_csv('a.csv', delimiter => 'ab')", ERR_INVALID_ARGUMENT, "one byte"},
      {"read_csv('a.csv', headers => true)", ERR_INVALID_ARGUMENT, "\"header\" is meant"},
      {"read_csv('a.csv', ';')", ERR_INVALID_ARGUMENT, "by name"},
      {"read_csv(NULL)", ERR_INVALID_ARGUMENT, "path"},
      {"read_csv()", ERR_INVALID_ARGUMENT, "path"},
      {"read_csv('a.csv') WITH ORDINALITY", ERR_UNSUPPORTED, "stands alone"},
      {"ROWS FROM (read_csv('a.csv'), unnest(array[1]))", ERR_UNSUPPORTED, "stands alone"},
      {"read_csv('none.csv')", ERR_NO_FILE, "none.csv"},
      {"read_csv('/etc/passwd')", ERR_UNAUTHORIZED, "outside"},
      {"read_csv('../a.csv')", ERR_UNAUTHORIZED, "outside"},
      {"read_lines('a.csv')", ERR_PARSE, "file \"a.csv\", line 1"},
      {"read_lines('a.csv', precision => 'h')", ERR_INVALID_ARGUMENT, "precisions are"},
      {"read_lines('a.csv', header => true)", ERR_INVALID_ARGUMENT, "no option"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT * FROM %s", rows[i].from);
    fails(sql, rows[i].code, rows[i].part);
  }
  fails("SELECT read_csv('a.csv')", ERR_UNKNOWN_FUNCTION, "read_csv");
  copy.directory = NULL;
  fails("SELECT * FROM read_csv('a.csv')", ERR_UNAUTHORIZED, "query.copy_directory");
}

static void test_memory(void **state) {
  (void)state;
  enum { SIZE = 24 << 20 };
  char *text = malloc(SIZE + 1);
  assert_non_null(text);
  for (size_t i = 0; i < SIZE; i += 8)
    memcpy(text + i, "abcd,17\n", 8);
  text[SIZE] = 0;
  put_file("large.csv", text);
  for (size_t i = 0; i < SIZE; i += 8)
    memcpy(text + i, "m a=1 7\n", 8);
  put_file("large.lp", text);
  free(text);
  gives("SELECT count(*) FROM read_csv('large.csv')", "3145727\n");
  gives("SELECT count(*) FROM read_lines('large.lp')", "3145728\n");
  memory_max = 16 << 20;
  fails("SELECT count(*) FROM read_csv('large.csv')", ERR_MEMORY_LIMIT, "query.memory_max");
  fails("SELECT count(*) FROM read_lines('large.lp')", ERR_MEMORY_LIMIT, "nilo import");
}

static void test_lines(void **state) {
  (void)state;
  put_file("a.lp", "# points\r\n\r\ncpu,host=a,dc=x u=1.5,n=2i,k=3u,on=t 1000\r\n"
                   "cpu,host=b u=2,s=\"x\ny\\\"\" 2000\nmem,host=a free=7i\n"
                   "cpu,host=a\\ b u=3,u=4 3000");
  gives("SELECT * FROM read_lines('a.lp', measurement => 'cpu', precision => 'ms')",
        "1970-01-01 00:00:01+00|a|x|1.5|2|3|t|NULL\n"
        "1970-01-01 00:00:02+00|b|NULL|2|NULL|NULL|NULL|x\ny\"\n"
        "1970-01-01 00:00:03+00|a b|NULL|4|NULL|NULL|NULL|NULL\n");
  gives("SELECT measurement, time, free FROM read_lines('a.lp', precision => 'ms') "
        "WHERE measurement = 'mem'",
        "mem|2023-11-14 22:13:20+00|7\n");
  gives("SELECT count(*), count(u) FROM read_lines('a.lp', precision => 'ms')", "4|3\n");
  gives("SELECT * FROM read_lines('a.lp', measurement => 'none')", "");
  assert_string_equal(types, "time timestamp with time zone");
  /* names that stand for two things */
  put_file("b.lp", "m,f=x,time=y,measurement=z f=1,measurement=2,time=3 1\n");
  gives("SELECT \"f::tag\", f, \"time::tag\", \"time::field\", \"measurement::tag\" "
        "FROM read_lines('b.lp')",
        "x|1|y|3|z\n");
  put_file("c.lp", "m f=1 1\n\nn f=\"x\" 2\n");
  fails("SELECT * FROM read_lines('c.lp')", ERR_TYPE_CONFLICT, "line 3");
  gives("SELECT f FROM read_lines('c.lp', measurement => 'n')", "x\n");
  put_file("d.lp", "m f=1 1\nm f= 2\n");
  fails("SELECT * FROM read_lines('d.lp')", ERR_PARSE, "file \"d.lp\", line 2, column 5");
  put_file("e.lp", "m,t=a,t=b f=1 1\n");
  fails("SELECT * FROM read_lines('e.lp')", ERR_PARSE, "tag \"t\" twice");
}

/* Strings with line ends, one across the border of two pieces of the file. */
static void test_lines_in_pieces(void **state) {
  (void)state;
  enum { SIZE = (1 << 20) + 4096, LINE = 16 };
  char *text = malloc(SIZE + 1);
  assert_non_null(text);
  for (size_t i = 0; i < SIZE; i += LINE)
    memcpy(text + i, "m f=\"ab\n\n c\" 77\n", LINE);
  text[SIZE] = 0;
  put_file("pieces.lp", text);
  /* and once more, cut elsewhere */
  memmove(text + 7, text, SIZE - LINE);
  memcpy(text, "#2345\n\n", 7);
  text[SIZE - LINE + 7] = 0;
  put_file("moved.lp", text);
  free(text);
  gives("SELECT count(*), min(f), max(f) FROM read_lines('pieces.lp')",
        "65792|ab\n\n c|ab\n\n c\n");
  gives("SELECT count(*), min(f), max(f) FROM read_lines('moved.lp')", "65791|ab\n\n c|ab\n\n c\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_types, begin, end),
      cmocka_unit_test_setup_teardown(test_every_row_is_seen, begin, end),
      cmocka_unit_test_setup_teardown(test_options, begin, end),
      cmocka_unit_test_setup_teardown(test_in_statements, begin, end),
      cmocka_unit_test_setup_teardown(test_errors, begin, end),
      cmocka_unit_test_setup_teardown(test_memory, begin, end),
      cmocka_unit_test_setup_teardown(test_lines, begin, end),
      cmocka_unit_test_setup_teardown(test_lines_in_pieces, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
