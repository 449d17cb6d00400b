/* By time: the events of a service, asked for by service and time.
 *
 *   by_time DIRECTORY
 *
 * The key is a time in nanoseconds; a series is a service. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <nilo/store.h>

enum { CHECKOUT = 1, SEARCH = 2 };

static const struct {
  uint64_t service;
  int64_t time;
  const char *level, *text;
  int64_t status;
} events[] = {
    {CHECKOUT, 1760000003, "error", "payment refused", 502},
    {CHECKOUT, 1760000001, "info", "cart opened", 200},
    {SEARCH, 1760000002, "info", "query for shoes", 200},
    {CHECKOUT, 1760000002, "info", "address given", 200},
    {SEARCH, 1760000004, "warning", "index is slow", 200},
    {CHECKOUT, 1760000005, "error", "payment timed out", 504},
};

static int fail(const char *what, const struct nilo_error *error) {
  char text[768];
  nilo_store_error_text(error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  return 1;
}

static int write_events(struct nilo_store *store, struct nilo_error *error) {
  struct nilo_store_batch *batch;
  int code = nilo_store_batch_create(store, &batch, error);
  for (size_t i = 0; i < sizeof events / sizeof *events && !code; i++) {
    struct nilo_store_tag tags[] = {
        {"level",
         {.type = NILO_STORE_STRING, .size = strlen(events[i].level), .data = events[i].level}},
        {"status", {.type = NILO_STORE_INT64, .i64 = events[i].status}},
    };
    struct nilo_store_element element = {
        .series = events[i].service,
        .key = events[i].time * 1000000000,
        .data = {events[i].text, strlen(events[i].text)},
        .tags = tags,
        .tag_count = 2,
    };
    code = nilo_store_batch_add(batch, &element, error);
  }
  /* all of it is on disk when this returns, or nothing */
  if (!code) code = nilo_store_batch_commit(batch, NULL, error);
  nilo_store_batch_destroy(batch);
  return code;
}

static int print(struct nilo_store *store, const struct nilo_store_query *query,
                 struct nilo_error *error) {
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  int code = nilo_store_query_open(store, query, &cursor, error);
  if (code) return code;
  while (!(code = nilo_store_query_next(cursor, &answer, error)) && answer.rows)
    for (size_t i = 0; i < answer.rows; i++)
      printf("  %" PRId64 " %s %.*s\n", answer.keys[i] / 1000000000,
             answer.series[i] == CHECKOUT ? "checkout" : "search", (int)answer.data[i].size,
             (const char *)answer.data[i].data);
  nilo_store_query_close(cursor);
  return code;
}

int main(int count, char **arguments) {
  struct nilo_store_options options;
  struct nilo_store *store;
  struct nilo_error error;
  if (count != 2) return fprintf(stderr, "usage: by_time DIRECTORY\n"), 2;
  nilo_store_options_default(&options);
  options.path = arguments[1];
  if (nilo_store_open(&options, &store, &error)) return fail("open", &error);
  if (write_events(store, &error)) return fail("write", &error);

  const uint64_t both[] = {CHECKOUT, SEARCH};
  puts("everything, in the order of time:");
  struct nilo_store_query query = {.series = both, .series_count = 2};
  if (print(store, &query, &error)) return fail("query", &error);

  puts("errors of checkout from second 2 to before second 5:");
  struct nilo_store_value level = {.type = NILO_STORE_STRING, .size = 5, .data = "error"};
  struct nilo_store_filter errors = {
      .op = NILO_STORE_EQUALS, .tag = "level", .values = &level, .value_count = 1};
  query = (struct nilo_store_query){
      .series = both,
      .series_count = 1,
      .lower = {NILO_STORE_INCLUSIVE, 1760000002000000000},
      .upper = {NILO_STORE_EXCLUSIVE, 1760000005000000000},
      .filter = &errors,
  };
  if (print(store, &query, &error)) return fail("query", &error);
  return nilo_store_close(store, &error) ? fail("close", &error) : 0;
}
