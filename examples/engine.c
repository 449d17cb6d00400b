/* The engine in a program: rows in by an appender, questions in SQL, rows out as Arrow.
 *
 *   engine DIRECTORY */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <nilo/nilo.h>

static int fail(const char *what, const struct nilo_error *error) {
  char text[768];
  nilo_store_error_text(error, text, sizeof text);
  fprintf(stderr, "%s: %s %s\n", what, error->sqlstate, text);
  return 1;
}

/* A day of two sensors, a reading an hour: one commit, durable when it returns. */
static int write_readings(struct nilo_connection *connection, struct nilo_error *error) {
  static const char *const sensors[] = {"north", "south"};
  struct nilo_appender *appender;
  int code = nilo_appender_open(connection, "readings", &appender, error);
  if (code) return code;
  for (int hour = 0; hour < 24 && !code; hour++) {
    for (int sensor = 0; sensor < 2 && !code; sensor++) {
      code = nilo_append_time(appender, (INT64_C(1767225600) + hour * 3600) * 1000000000, error);
      if (!code) code = nilo_append_tag(appender, "sensor", sensors[sensor], error);
      if (!code) code = nilo_append_double(appender, "celsius", 10 + sensor + hour * 0.5, error);
      if (!code) code = nilo_append_row(appender, error);
    }
  }
  uint64_t rows = 0;
  if (!code) code = nilo_appender_commit(appender, &rows, error);
  if (!code) printf("%" PRIu64 " rows written\n", rows);
  nilo_appender_close(appender);
  return code;
}

/* A text column of an Arrow batch. */
static void print_text(const struct ArrowArray *column, int64_t row) {
  const int32_t *offsets = (const int32_t *)column->buffers[1] + column->offset;
  printf("%.*s", (int)(offsets[row + 1] - offsets[row]),
         (const char *)column->buffers[2] + offsets[row]);
}

static int print_means(struct nilo_connection *connection, double above, struct nilo_error *error) {
  struct nilo_statement *statement;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  int code = nilo_prepare(connection,
                          "SELECT sensor, count(*), avg(celsius) FROM readings "
                          "WHERE celsius > $1 GROUP BY sensor ORDER BY sensor",
                          &statement, error);
  if (code) return code;
  code = nilo_bind_double(statement, 1, above, error);
  if (!code) code = nilo_query_prepared(statement, &stream, error);
  while (!code) {
    if (stream.get_next(&stream, &batch)) {
      fprintf(stderr, "%s\n", stream.get_last_error(&stream));
      break;
    }
    if (!batch.release) break; /* the end */
    const struct ArrowArray *counts = batch.children[1], *means = batch.children[2];
    for (int64_t row = 0; row < batch.length; row++) {
      print_text(batch.children[0], row);
      printf(": %" PRId64 " readings above %.1f, mean %.2f\n",
             ((const int64_t *)counts->buffers[1])[counts->offset + row], above,
             ((const double *)means->buffers[1])[means->offset + row]);
    }
    batch.release(&batch);
  }
  if (!code) stream.release(&stream);
  nilo_statement_close(statement);
  return code;
}

int main(int argc, char **argv) {
  struct nilo_options options;
  struct nilo_error error = {0};
  struct nilo *nilo;
  struct nilo_connection *connection = NULL;
  if (argc != 2) {
    fprintf(stderr, "usage: engine DIRECTORY\n");
    return 2;
  }
  nilo_options_default(&options);
  options.path = argv[1];
  if (nilo_open(&options, &nilo, &error)) return fail("open", &error);
  int code = nilo_connect(nilo, NULL, &connection, &error);
  if (!code) code = write_readings(connection, &error);
  if (!code) code = print_means(connection, 15, &error);
  if (!code && nilo_execute(connection, "SELECT celcius FROM readings", NULL, &error))
    printf("%s at line %d, column %d: %s\n", error.sqlstate, error.line, error.column,
           error.message);
  nilo_disconnect(connection);
  nilo_close(nilo);
  return code ? fail("engine", &error) : 0;
}
