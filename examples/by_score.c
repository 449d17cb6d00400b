/* By score: the best first, where scores are fractions.
 *
 *   by_score DIRECTORY
 *
 * Keys are integers, so a score is kept as millionths: 0.912345 is 912345, which orders the same.
 * A series is a board. Players are asked for by the groups that they are in. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <nilo/store.h>

enum { BOARD = 1 };

static const struct {
  const char *player;
  double score;
  const char *groups[2];
} players[] = {
    {"ada", 0.912345, {"red", "north"}}, {"bert", 0.5, {"blue", NULL}},
    {"cleo", 0.999999, {"red", NULL}},   {"dora", -0.25, {"north", "blue"}},
    {"emil", 0.912344, {NULL, NULL}},
};

static int fail(const char *what, const struct nilo_error *error) {
  char text[768];
  nilo_store_error_text(error, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  return 1;
}

static int write_players(struct nilo_store *store, struct nilo_error *error) {
  struct nilo_store_batch *batch;
  int code = nilo_store_batch_create(store, &batch, error);
  for (size_t i = 0; i < sizeof players / sizeof *players && !code; i++) {
    struct nilo_store_bytes groups[2];
    size_t count = 0;
    for (int g = 0; g < 2; g++)
      if (players[i].groups[g])
        groups[count++] =
            (struct nilo_store_bytes){players[i].groups[g], strlen(players[i].groups[g])};
    struct nilo_store_tag tag = {
        "groups", {.type = NILO_STORE_STRING_LIST, .size = count, .strings = groups}};
    struct nilo_store_element element = {
        .series = BOARD,
        .key = llround(players[i].score * 1000000),
        .data = {players[i].player, strlen(players[i].player)},
        .tags = &tag,
        .tag_count = 1,
    };
    code = nilo_store_batch_add(batch, &element, error);
  }
  if (!code) code = nilo_store_batch_commit(batch, NULL, error);
  nilo_store_batch_destroy(batch);
  return code;
}

static int print(struct nilo_store *store, const struct nilo_store_filter *filter,
                 struct nilo_error *error) {
  const uint64_t board = BOARD;
  struct nilo_store_query query = {
      .series = &board, .series_count = 1, .descending = true, .filter = filter, .limit = 3};
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  int code = nilo_store_query_open(store, &query, &cursor, error);
  if (code) return code;
  while (!(code = nilo_store_query_next(cursor, &answer, error)) && answer.rows)
    for (size_t i = 0; i < answer.rows; i++)
      printf("  %9.6f %.*s\n", (double)answer.keys[i] / 1000000, (int)answer.data[i].size,
             (const char *)answer.data[i].data);
  nilo_store_query_close(cursor);
  return code;
}

int main(int count, char **arguments) {
  struct nilo_store_options options;
  struct nilo_store *store;
  struct nilo_error error;
  if (count != 2) return fprintf(stderr, "usage: by_score DIRECTORY\n"), 2;
  nilo_store_options_default(&options);
  options.path = arguments[1];
  if (nilo_store_open(&options, &store, &error)) return fail("open", &error);
  if (write_players(store, &error)) return fail("write", &error);

  puts("the best three:");
  if (print(store, NULL, &error)) return fail("query", &error);

  struct nilo_store_bytes wanted[] = {{"north", 5}, {"blue", 4}};
  struct nilo_store_value groups = {.type = NILO_STORE_STRING_LIST, .size = 2, .strings = wanted};
  struct nilo_store_filter in_one = {
      .op = NILO_STORE_HAS_ANY, .tag = "groups", .values = &groups, .value_count = 1};
  puts("the best of north or blue:");
  if (print(store, &in_one, &error)) return fail("query", &error);
  return nilo_store_close(store, &error) ? fail("close", &error) : 0;
}
