/* By sequence number: a queue that is read from where the reader stopped.
 *
 *   by_sequence DIRECTORY
 *
 * The key is a number that goes up by one; the series is a topic. The reader remembers the last
 * number that it has seen and asks for what is beyond it; what all have read is deleted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <nilo/store.h>

enum { TOPIC = 1 };

static int fail(const char *what, const struct nilo_error *error) {
  char text[768];
  nilo_store_error_text(error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  return 1;
}

static int append(struct nilo_store *store, int64_t first, int64_t count,
                  struct nilo_error *error) {
  struct nilo_store_batch *batch;
  int code = nilo_store_batch_create(store, &batch, error);
  for (int64_t i = first; i < first + count && !code; i++) {
    char text[32];
    struct nilo_store_element element = {
        .series = TOPIC,
        .key = i,
        .data = {text, (size_t)snprintf(text, sizeof text, "message %" PRId64, i)},
    };
    code = nilo_store_batch_add(batch, &element, error); /* copies: text may be used again */
  }
  if (!code) code = nilo_store_batch_commit(batch, NULL, error);
  nilo_store_batch_destroy(batch);
  return code;
}

/* Prints up to `count` messages beyond *last, which becomes the last one printed. */
static int read_on(struct nilo_store *store, int64_t *last, int64_t count,
                   struct nilo_error *error) {
  const uint64_t topic = TOPIC;
  struct nilo_store_query query = {
      .series = &topic,
      .series_count = 1,
      .lower = {NILO_STORE_EXCLUSIVE, *last},
      .limit = count,
  };
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  int code = nilo_store_query_open(store, &query, &cursor, error);
  if (code) return code;
  while (!(code = nilo_store_query_next(cursor, &answer, error)) && answer.rows)
    for (size_t i = 0; i < answer.rows; i++) {
      printf("  %.*s\n", (int)answer.data[i].size, (const char *)answer.data[i].data);
      *last = answer.keys[i];
    }
  nilo_store_query_close(cursor);
  return code;
}

int main(int count, char **arguments) {
  struct nilo_store_options options;
  struct nilo_store *store;
  struct nilo_error error;
  int64_t last = 0;
  if (count != 2) return fprintf(stderr, "usage: by_sequence DIRECTORY\n"), 2;
  nilo_store_options_default(&options);
  options.path = arguments[1];
  options.strict_order = true; /* numbers never go back: say so, and a mistake is found */
  if (nilo_store_open(&options, &store, &error)) return fail("open", &error);
  if (append(store, 1, 5, &error)) return fail("append", &error);

  puts("the first three:");
  if (read_on(store, &last, 3, &error)) return fail("read", &error);
  if (append(store, 6, 2, &error)) return fail("append", &error);
  puts("the rest:");
  if (read_on(store, &last, 100, &error)) return fail("read", &error);

  if (nilo_store_delete(store, NULL, 0, INT64_MIN, last - 1, NULL, &error))
    return fail("delete", &error);
  last = 0;
  puts("what is left when the others were read by all:");
  if (read_on(store, &last, 100, &error)) return fail("read", &error);
  return nilo_store_close(store, &error) ? fail("close", &error) : 0;
}
