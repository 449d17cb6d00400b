/* AS OF: what a store with history answered after each commit it answers later, too: from memory,
 * flushed, merged, reopened; with filters, backwards, by tags. Prints its seed. */
#include "element_fixture.h"

#include <time.h>

enum { COMMITS = 120, SERIES = 3, KEYS = 8, ANSWER = 4096 };

static uint64_t random_state;
static uint64_t below(uint64_t limit) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (z ^ (z >> 31)) % limit;
}

static const struct nilo_store_value red = {.type = NILO_STORE_STRING, .size = 3, .data = "red"};
static const struct nilo_store_filter is_red = {
    .op = NILO_STORE_EQUALS, .tag = "colour", .values = &red, .value_count = 1};
static const struct nilo_store_filter is_not_red = {
    .op = NILO_STORE_NOT_EQUALS, .tag = "colour", .values = &red, .value_count = 1};

/* Everything, what is red, what is not, and the newest two, as it was after a commit (0: now). */
static void ask(struct alone *alone, uint64_t as_of, char out[ANSWER]) {
  const struct nilo_store_query queries[] = {
      {.as_of = as_of},
      {.as_of = as_of, .filter = &is_red},
      {.as_of = as_of, .filter = &is_not_red, .descending = true},
      {.as_of = as_of, .descending = true, .limit = 2, .offset = 1},
  };
  size_t size = 0;
  out[0] = 0;
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
    size += (size_t)snprintf(out + size, ANSWER - size, "%s|", alone_ask(alone, &queries[i]));
  assert_true(size < ANSWER);
}

static uint64_t change(struct alone *alone, int number) {
  uint64_t commit = 0, series = 1 + below(SERIES);
  int64_t key = (int64_t)below(KEYS);
  if (below(6) == 0) {
    int64_t to = key + (int64_t)below(3);
    if (nilo_store_delete(alone->store, &series, 1, key, to, &commit, &alone->error))
      alone_fail(&alone->error, "delete");
    return commit;
  }
  char data[16];
  snprintf(data, sizeof data, "%d", number);
  struct nilo_store_tag tag = {"colour", below(2) ? red : value_text("blue")};
  struct nilo_store_element element = {.series = series,
                                       .key = key,
                                       .data = bytes_of(below(4) ? data : NULL),
                                       .tags = &tag,
                                       .tag_count = below(3) > 0};
  struct nilo_store_batch *batch;
  assert_int_equal(nilo_store_batch_create(alone->store, &batch, &alone->error), NILO_OK);
  assert_int_equal(nilo_store_batch_add(batch, &element, &alone->error), NILO_OK);
  if (nilo_store_batch_commit(batch, &commit, &alone->error)) alone_fail(&alone->error, "commit");
  nilo_store_batch_destroy(batch);
  return commit;
}

static void check_all(struct alone *alone, char answers[][ANSWER], const uint64_t *commits,
                      int count, const char *when) {
  char now[ANSWER];
  for (int i = 0; i < count; i++) {
    ask(alone, commits[i], now);
    if (strcmp(now, answers[i]))
      fail_msg("%s, as of commit %llu of %d: \"%s\", it was \"%s\"", when,
               (unsigned long long)commits[i], count, now, answers[i]);
  }
}

static void run(enum nilo_store_policy policy, uint64_t seed) {
  static char answers[COMMITS][ANSWER];
  uint64_t commits[COMMITS];
  struct alone alone;
  print_message("seed %llu\n", (unsigned long long)seed);
  random_state = seed;
  alone_init(&alone, seed);
  alone.options.policy = policy;
  alone.options.history_commits = 100000;
  alone_open(&alone);
  for (int i = 0; i < COMMITS; i++) {
    commits[i] = change(&alone, i);
    assert_true(i == 0 || commits[i] > commits[i - 1]);
    ask(&alone, 0, answers[i]);
    if (below(12) == 0) alone_flush(&alone);
    if (below(30) == 0) alone_merge(&alone);
    if (below(30) == 0) alone_reopen(&alone);
    if (below(20) == 0) check_all(&alone, answers, commits, i + 1, "on the way");
  }
  check_all(&alone, answers, commits, COMMITS, "at the end");
  alone_flush(&alone);
  check_all(&alone, answers, commits, COMMITS, "flushed");
  alone_merge(&alone);
  check_all(&alone, answers, commits, COMMITS, "merged");
  alone_reopen(&alone);
  check_all(&alone, answers, commits, COMMITS, "reopened");
  alone_deinit(&alone);
}

static uint64_t seed_of(void) {
  const char *given = getenv("ELEMENT_SEED");
  return given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
}

static void test_as_of_newest_row(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 4; i++)
    run(NILO_STORE_NEWEST_ROW, seed_of() + i);
}

static void test_as_of_newest_column(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 4; i++)
    run(NILO_STORE_NEWEST_COLUMN, seed_of() + i);
}

/* What can't be known is told, not guessed. */
static void test_as_of_where_there_is_no_history(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_cursor *cursor;
  alone_init(&alone, 1);
  alone.options.policy = NILO_STORE_NEWEST_ROW;
  alone.options.history_commits = 2;
  alone_open(&alone);
  for (int64_t i = 0; i < 10; i++)
    alone_put(&alone, 1, 1, "x", NO_TAG);
  alone_flush(&alone);
  struct nilo_store_query query = {.as_of = 1};
  int code = nilo_store_scan_open(alone.store, &query, &cursor, &alone.error);
  struct nilo_store_answer answer;
  if (!code) {
    code = nilo_store_query_next(cursor, &answer, &alone.error);
    nilo_store_query_close(cursor);
  }
  assert_int_equal(code, NILO_HISTORY_GONE);
  query.as_of = 1000;
  code = nilo_store_scan_open(alone.store, &query, &cursor, &alone.error);
  if (!code) {
    code = nilo_store_query_next(cursor, &answer, &alone.error);
    nilo_store_query_close(cursor);
  }
  assert_int_equal(code, NILO_OUT_OF_RANGE);
  alone_deinit(&alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_of_newest_row),
      cmocka_unit_test(test_as_of_newest_column),
      cmocka_unit_test(test_as_of_where_there_is_no_history),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
