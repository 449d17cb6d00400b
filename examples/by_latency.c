/* By latency: an index over requests, the slowest first.
 *
 *   by_latency DIRECTORY
 *
 * The key is a latency in microseconds; a series is an endpoint; the data is the id of the trace,
 * which is kept elsewhere. Written as arrays: columns go into the store without being taken apart.
 */
#include <inttypes.h>
#include <stdio.h>

#include <nilo/store.h>

enum { LOGIN = 10, CART = 20, PAY = 30, ROWS = 7 };

/* Nothing has to be in order: the store sorts. */
static const uint64_t endpoints[ROWS] = {CART, LOGIN, PAY, PAY, CART, LOGIN, PAY};
static const int64_t latencies[ROWS] = {8200, 950, 91000, 15000, 700, 12400, 15000};
static const char traces[] = "t1t2t3t4t5t6t7";
static const int32_t trace_ends[ROWS + 1] = {0, 2, 4, 6, 8, 10, 12, 14};
static const int64_t statuses[ROWS] = {200, 200, 504, 200, 200, 500, 200};

static int fail(const char *what, const struct nilo_error *error) {
  char text[768];
  nilo_store_error_text(error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  return 1;
}

static int write_requests(struct nilo_store *store, struct nilo_error *error) {
  struct nilo_store_column status = {
      .name = "status", .type = NILO_STORE_INT64, .values = statuses};
  struct nilo_store_rows rows = {
      .rows = ROWS,
      .series = endpoints,
      .keys = latencies,
      .data_offsets = trace_ends,
      .data = traces,
      .columns = &status,
      .column_count = 1,
  };
  return nilo_store_write(store, &rows, NULL, error);
}

int main(int count, char **arguments) {
  struct nilo_store_options options;
  struct nilo_store *store;
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  struct nilo_error error;
  int code;
  if (count != 2) return fprintf(stderr, "usage: by_latency DIRECTORY\n"), 2;
  nilo_store_options_default(&options);
  options.path = arguments[1];
  if (nilo_store_open(&options, &store, &error)) return fail("open", &error);
  if (write_requests(store, &error)) return fail("write", &error);
  if (nilo_store_flush(store, &error)) return fail("flush", &error);

  const uint64_t all[] = {LOGIN, CART, PAY};
  struct nilo_store_query slowest = {
      .series = all, .series_count = 3, .descending = true, .limit = 5};
  if (nilo_store_query_open(store, &slowest, &cursor, &error)) return fail("query", &error);
  puts("the five slowest requests:");
  while (!(code = nilo_store_query_next(cursor, &answer, &error)) && answer.rows)
    for (size_t i = 0; i < answer.rows; i++)
      printf("  %6" PRId64 " us  endpoint %" PRIu64 "  status %" PRId64 "  trace %.*s\n",
             answer.keys[i], answer.series[i], answer.values[i * answer.tag_count].i64,
             (int)answer.data[i].size, (const char *)answer.data[i].data);
  nilo_store_query_close(cursor);
  if (code) return fail("query", &error);
  return nilo_store_close(store, &error) ? fail("close", &error) : 0;
}
