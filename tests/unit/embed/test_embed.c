/* nilo/nilo.h as a program uses it: directories, statements, parameters, streams, appenders,
 * errors, cancelling. */
#include <nilo/nilo.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
  char path[64];
  struct nilo *nilo;
  struct nilo_connection *connection;
  atomic_bool done;
};

static void expect(int code, const struct nilo_error *error) {
  if (!code) return;
  fprintf(stderr, "%d %s: %s (%s) %s\n", code, error->sqlstate, error->message, error->place,
          error->hint);
  fail();
}

static void open_world(struct world *world) {
  struct nilo_options options;
  struct nilo_error error;
  nilo_options_default(&options);
  options.path = world->path;
  options.threads = 2;
  expect(nilo_open(&options, &world->nilo, &error), &error);
  expect(nilo_connect(world->nilo, NULL, &world->connection, &error), &error);
}

static void close_world(struct world *world) {
  nilo_disconnect(world->connection);
  nilo_close(world->nilo);
}

static int setup(void **state) {
  struct world *world = calloc(1, sizeof *world);
  char path[] = "/tmp/nilo-embed-XXXXXX";
  assert_non_null(world);
  assert_non_null(mkdtemp(path));
  snprintf(world->path, sizeof world->path, "%s", path);
  open_world(world);
  *state = world;
  return 0;
}

static int teardown(void **state) {
  struct world *world = *state;
  char command[128];
  close_world(world);
  snprintf(command, sizeof command, "rm -rf %s", world->path);
  assert_int_equal(system(command), 0);
  free(world);
  return 0;
}

static void write_lines(struct world *world, const char *text) {
  struct nilo_error error;
  expect(nilo_write_lines(world->connection, text, strlen(text), "s", NULL, &error), &error);
}

/* The sum of an integer column over all rows of a stream, and how many there are. */
static int64_t sum_stream(struct ArrowArrayStream *stream, int column, int64_t *rows) {
  struct ArrowArray array;
  int64_t sum = 0;
  *rows = 0;
  for (;;) {
    int code = stream->get_next(stream, &array);
    if (code) fail_msg("%s", stream->get_last_error(stream));
    if (!array.release) break;
    const int64_t *values = array.children[column]->buffers[1];
    for (int64_t i = 0; i < array.length; i++)
      sum += values[array.children[column]->offset + i];
    *rows += array.length;
    array.release(&array);
  }
  stream->release(stream);
  return sum;
}

static void test_rows_come_as_arrow(void **state) {
  struct world *world = *state;
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct nilo_error error;
  int64_t rows;
  write_lines(world, "m,host=a v=1i,f=0.5 100\nm,host=b v=2i,f=1.5 200\nm,host=a v=3i 300\n");
  expect(nilo_query(world->connection, "SELECT v, host, time, f FROM m ORDER BY time", &stream,
                    &error),
         &error);
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  assert_int_equal(schema.n_children, 4);
  assert_string_equal(schema.children[0]->name, "v");
  assert_string_equal(schema.children[0]->format, "l");
  assert_string_equal(schema.children[1]->format, "u");
  assert_string_equal(schema.children[2]->format, "tsn:UTC");
  assert_string_equal(schema.children[3]->format, "g");
  schema.release(&schema);
  assert_int_equal(sum_stream(&stream, 0, &rows), 6);
  assert_int_equal(rows, 3);
}

static void test_batches_outlive_their_stream(void **state) {
  struct world *world = *state;
  struct ArrowArrayStream stream;
  struct ArrowArray array;
  struct nilo_error error;
  write_lines(world, "m,host=a v=41i 100\n");
  expect(nilo_query(world->connection, "SELECT v, host FROM m", &stream, &error), &error);
  assert_int_equal(stream.get_next(&stream, &array), 0);
  stream.release(&stream);
  assert_int_equal(array.length, 1);
  assert_int_equal(((const int64_t *)array.children[0]->buffers[1])[0], 41);
  const int32_t *offsets = array.children[1]->buffers[1];
  assert_int_equal(offsets[1] - offsets[0], 1);
  assert_memory_equal((const char *)array.children[1]->buffers[2] + offsets[0], "a", 1);
  array.release(&array);
}

static void test_a_stream_keeps_its_connection(void **state) {
  struct world *world = *state;
  struct ArrowArrayStream stream;
  struct nilo_error error;
  int64_t rows;
  write_lines(world, "m v=1i 100\n");
  expect(nilo_query(world->connection, "SELECT v FROM m", &stream, &error), &error);
  assert_int_equal(nilo_execute(world->connection, "SELECT v FROM m", NULL, &error), NILO_BUSY);
  assert_string_equal(error.sqlstate, "53300");
  assert_int_equal(sum_stream(&stream, 0, &rows), 1); /* it goes on, and is released */
  expect(nilo_execute(world->connection, "SELECT v FROM m", NULL, &error), &error);
}

static void test_parameters(void **state) {
  struct world *world = *state;
  struct nilo_statement *statement;
  struct ArrowArrayStream stream;
  struct nilo_error error;
  int64_t rows;
  write_lines(world, "m,host=a v=1i 100\nm,host=b v=2i 200\nm,host=b v=5i 300\n");
  expect(nilo_prepare(world->connection, "SELECT v FROM m WHERE host = $1 AND v > $2", &statement,
                      &error),
         &error);
  assert_int_equal(nilo_parameter_count(statement), 2);
  assert_int_equal(nilo_query_prepared(statement, &stream, &error), NILO_INVALID_ARGUMENT);
  assert_non_null(strstr(error.message, "$1"));
  expect(nilo_bind_text(statement, 1, "b", 1, &error), &error);
  expect(nilo_bind_int64(statement, 2, 2, &error), &error);
  assert_int_equal(nilo_bind_int64(statement, 3, 2, &error), NILO_INVALID_ARGUMENT);
  expect(nilo_query_prepared(statement, &stream, &error), &error);
  assert_int_equal(sum_stream(&stream, 0, &rows), 5);
  expect(nilo_bind_text(statement, 1, "a", 1, &error), &error);
  expect(nilo_bind_int64(statement, 2, 0, &error), &error);
  expect(nilo_query_prepared(statement, &stream, &error), &error);
  assert_int_equal(sum_stream(&stream, 0, &rows), 1);
  nilo_statement_close(statement);
}

static void test_errors_have_places(void **state) {
  struct world *world = *state;
  struct nilo_error error;
  assert_int_equal(nilo_execute(world->connection, "SELECT 1;\nSELECT nosuch", NULL, &error),
                   NILO_UNKNOWN_COLUMN);
  assert_string_equal(error.sqlstate, "42703");
  assert_int_equal(error.line, 2);
  assert_int_equal(error.column, 8);
  assert_int_equal(nilo_execute(world->connection, "SELEC 1", NULL, &error), NILO_PARSE);
  assert_int_equal(error.column, 1);
  struct nilo_statement *statement;
  assert_int_equal(nilo_prepare(world->connection, "SELECT 1; SELECT 2", &statement, &error),
                   NILO_INVALID_ARGUMENT);
  struct ArrowArrayStream stream;
  assert_int_equal(nilo_query(world->connection, "SET application_name = 'x'", &stream, &error),
                   NILO_INVALID_ARGUMENT);
  expect(nilo_execute(world->connection, "SELECT 1", NULL, &error), &error);
}

static void test_appender(void **state) {
  struct world *world = *state;
  struct nilo_appender *appender;
  struct nilo_error error;
  struct ArrowArrayStream stream;
  uint64_t committed;
  int64_t rows;
  expect(nilo_appender_open(world->connection, "public.\"m\"", &appender, &error), &error);
  for (int i = 0; i < 100; i++) {
    expect(nilo_append_time(appender, (int64_t)i * 1000000000, &error), &error);
    expect(nilo_append_tag(appender, "host", i % 2 ? "a" : "b", &error), &error);
    expect(nilo_append_int64(appender, "v", i, &error), &error);
    expect(nilo_append_text(appender, "s", "text", 4, &error), &error);
    expect(nilo_append_row(appender, &error), &error);
  }
  expect(nilo_append_int64(appender, "v", 7, &error), &error); /* a row without a time */
  assert_int_equal(nilo_append_row(appender, &error), NILO_INVALID_ARGUMENT);
  expect(nilo_append_time(appender, 1, &error), &error);
  assert_int_equal(nilo_append_row(appender, &error), NILO_INVALID_ARGUMENT); /* nor a field */
  expect(nilo_appender_commit(appender, &committed, &error), &error);
  assert_int_equal(committed, 100);
  expect(nilo_append_time(appender, 5, &error), &error);
  assert_int_equal(nilo_append_double(appender, "v", 1.5, &error), NILO_TYPE_CONFLICT);
  assert_int_equal(nilo_append_row(appender, &error), NILO_INVALID_ARGUMENT);
  nilo_appender_close(appender);
  close_world(world); /* what was committed is there after a restart */
  open_world(world);
  expect(nilo_query(world->connection, "SELECT v FROM m WHERE host = 'a'", &stream, &error),
         &error);
  assert_int_equal(sum_stream(&stream, 0, &rows), 2500);
  assert_int_equal(rows, 50);
}

static void test_arrow_goes_in(void **state) {
  struct world *world = *state;
  struct nilo_appender *appender;
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct nilo_error error;
  const char *tags[] = {"host"};
  uint64_t committed;
  int64_t rows;
  write_lines(world, "m,host=a v=1i,f=0.5 100\nm,host=b v=2i 200\n");
  expect(nilo_query(world->connection, "SELECT time, host, v, f FROM m", &stream, &error), &error);
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  assert_int_equal(stream.get_next(&stream, &array), 0);
  stream.release(&stream);
  expect(nilo_appender_open(world->connection, "copied", &appender, &error), &error);
  expect(nilo_append_arrow(appender, &schema, &array, tags, 1, &error), &error);
  expect(nilo_appender_commit(appender, &committed, &error), &error);
  assert_int_equal(committed, 2);
  nilo_appender_close(appender);
  array.release(&array);
  schema.release(&schema);
  expect(nilo_query(world->connection, "SELECT v FROM copied WHERE host = 'b' AND f IS NULL",
                    &stream, &error),
         &error);
  assert_int_equal(sum_stream(&stream, 0, &rows), 2);
}

static void test_options_are_checked(void **state) {
  struct world *world = *state;
  struct nilo_options options;
  struct nilo_error error;
  struct nilo *other;
  nilo_options_default(&options);
  assert_int_equal(nilo_open(&options, &other, &error), NILO_INVALID_ARGUMENT);
  options.path = world->path;
  assert_int_equal(nilo_open(&options, &other, &error), NILO_LOCKED);
  struct nilo_setting setting = {"query.memory_max", "lots"};
  options.settings = &setting;
  options.setting_count = 1;
  assert_int_not_equal(nilo_open(&options, &other, &error), NILO_OK);
  options.setting_count = 0;
  options.reserved[3] = 1;
  assert_int_equal(nilo_open(&options, &other, &error), NILO_UNSUPPORTED);
  struct nilo_connection *connection;
  assert_int_equal(nilo_connect(world->nilo, "nosuch", &connection, &error), NILO_UNKNOWN_DATABASE);
}

static void test_read_only(void **state) {
  struct world *world = *state;
  struct nilo_options options;
  struct nilo_error error;
  write_lines(world, "m v=1i 100\n");
  close_world(world);
  nilo_options_default(&options);
  options.path = world->path;
  options.read_only = true;
  expect(nilo_open(&options, &world->nilo, &error), &error);
  expect(nilo_connect(world->nilo, NULL, &world->connection, &error), &error);
  expect(nilo_execute(world->connection, "SELECT * FROM m", NULL, &error), &error);
  assert_int_not_equal(nilo_execute(world->connection, "CREATE TABLE t (a int)", NULL, &error),
                       NILO_OK);
  assert_string_equal(error.sqlstate, "25006");
}

static void *cancel_soon(void *context) {
  struct world *world = context;
  while (!atomic_load(&world->done)) { /* also when the query is not there yet */
    nilo_cancel(world->connection);
    usleep(1000);
  }
  return NULL;
}

static void test_cancel(void **state) {
  struct world *world = *state;
  struct nilo_error error;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, world), 0);
  int code = nilo_execute(world->connection,
                          "WITH RECURSIVE t (n) AS (SELECT 1::bigint UNION ALL SELECT n FROM t) "
                          "SELECT count(*) FROM t",
                          NULL, &error);
  atomic_store(&world->done, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  if (code != NILO_CANCELLED) expect(code ? code : -1, &error);
  assert_string_equal(error.sqlstate, "57014");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_rows_come_as_arrow, setup, teardown),
      cmocka_unit_test_setup_teardown(test_batches_outlive_their_stream, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_stream_keeps_its_connection, setup, teardown),
      cmocka_unit_test_setup_teardown(test_parameters, setup, teardown),
      cmocka_unit_test_setup_teardown(test_errors_have_places, setup, teardown),
      cmocka_unit_test_setup_teardown(test_appender, setup, teardown),
      cmocka_unit_test_setup_teardown(test_arrow_goes_in, setup, teardown),
      cmocka_unit_test_setup_teardown(test_options_are_checked, setup, teardown),
      cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
