/* The contract of the ordered store as a program sees it that has the store alone: a function per
 * case (docs/ordered-store.md), over elements in memory, flushed, merged, and after opening again.
 */
#include "element/element_private.h"
#include "element_fixture.h"

#include <math.h>

/* Runs a check over each state of the same elements; between states nothing is written. */
static void in_every_state(struct alone *alone, void (*check)(struct alone *alone)) {
  check(alone);
  alone_flush(alone);
  check(alone);
  alone_merge(alone);
  check(alone);
  alone_reopen(alone);
  check(alone);
}

static void begin(struct alone *alone) {
  alone_init(alone, 5);
  alone_open(alone);
}

static const uint64_t three[] = {1, 2, 3};

static void expect(struct alone *alone, struct nilo_store_query query, const char *answer) {
  if (!query.series_count) {
    query.series = three;
    query.series_count = 3;
  }
  assert_string_equal(alone_ask(alone, &query), answer);
}
#define ASK(...) ((struct nilo_store_query){__VA_ARGS__})

static void expect_refused(struct alone *alone, int code, const char *word) {
  assert_int_equal(alone->error.code, code);
  assert_non_null(strstr(alone->error.message, word));
}

static void refuse_query(struct alone *alone, struct nilo_store_query query, int code,
                         const char *word) {
  struct nilo_store_cursor *cursor;
  assert_int_equal(nilo_store_query_open(alone->store, &query, &cursor, &alone->error), code);
  assert_null(cursor);
  expect_refused(alone, code, word);
}

/* ---- write ---- */

static void test_w1_what_is_missing_is_named_and_the_batch_rejected(void **state) {
  (void)state;
  struct alone alone;
  alone_init(&alone, 1);
  alone.options.payload_required = true;
  alone_open(&alone);
  struct nilo_store_tag unnamed = {"", value_i64(1)};
  struct nilo_store_element good = {.series = 1, .key = 1, .data = bytes_of("x")};
  struct nilo_store_element bad[] = {
      {.series = 0, .key = 1, .data = bytes_of("x")},
      {.series = 1, .key = 1},
      {.series = 1, .key = 1, .data = bytes_of("")},
      {.series = 1, .key = 1, .data = bytes_of("x"), .tags = &unnamed, .tag_count = 1},
  };
  static const char *const words[] = {"series", "data", "data", "name"};
  for (int i = 0; i < 4; i++) {
    struct nilo_store_element both[] = {good, bad[i]};
    assert_int_equal(alone_try_put(&alone, both, 2), NILO_INVALID_ARGUMENT);
    expect_refused(&alone, NILO_INVALID_ARGUMENT, words[i]);
  }
  const uint64_t series[] = {1, 0};
  const int64_t keys[] = {1, 2};
  const int32_t ends[] = {0, 1, 1};
  struct nilo_store_rows rows = {
      .rows = 2, .series = series, .keys = keys, .data_offsets = ends, .data = "x"};
  assert_int_equal(nilo_store_write(alone.store, &rows, NULL, &alone.error), NILO_INVALID_ARGUMENT);
  expect_refused(&alone, NILO_INVALID_ARGUMENT, "element 1: data");
  expect(&alone, ASK(0), "");
  alone_deinit(&alone);
}

static void check_w2(struct alone *alone) { expect(alone, ASK(0), "min negative zero zero max"); }
static void test_w2_any_key_is_accepted(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  alone_put(&alone, 1, INT64_MAX, "max", NO_TAG);
  alone_put(&alone, 1, 0, "zero", NO_TAG);
  alone_put(&alone, 1, INT64_MIN, "min", NO_TAG);
  alone_put(&alone, 1, -5, "negative", NO_TAG);
  alone_put(&alone, 1, 0, "zero", NO_TAG);
  in_every_state(&alone, check_w2);
  alone_deinit(&alone);
}

static void check_w3(struct alone *alone) { expect(alone, ASK(0), "a b c d e"); }
static void test_w3_a_batch_is_sorted_and_strict_order_refuses_it(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_element elements[] = {{.series = 2, .key = 5, .data = bytes_of("e")},
                                          {.series = 1, .key = 4, .data = bytes_of("d")},
                                          {.series = 2, .key = 1, .data = bytes_of("a")},
                                          {.series = 1, .key = 2, .data = bytes_of("b")},
                                          {.series = 3, .key = 3, .data = bytes_of("c")}};
  begin(&alone);
  assert_int_equal(alone_try_put(&alone, elements, 5), NILO_OK);
  in_every_state(&alone, check_w3);
  alone_deinit(&alone);
  alone_init(&alone, 2);
  alone.options.strict_order = true;
  alone_open(&alone);
  assert_int_equal(alone_try_put(&alone, elements, 5), NILO_INVALID_ARGUMENT);
  expect_refused(&alone, NILO_INVALID_ARGUMENT, "element 3: key 2 goes back");
  expect(&alone, ASK(0), "");
  /* series may take turns as long as each goes on */
  struct nilo_store_element turns[] = {elements[2], elements[3], elements[0], elements[1]};
  assert_int_equal(alone_try_put(&alone, turns, 4), NILO_OK);
  expect(&alone, ASK(0), "a b d e");
  alone_deinit(&alone);
}

static void check_w4(struct alone *alone) {
  expect(alone, ASK(0), "1 2 3 4 5 6");
  expect(alone, ASK(.descending = true), "6 5 4 3 2 1");
}
static void test_w4_equal_places_keep_the_order_of_writing(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  struct nilo_store_element two[] = {{.series = 1, .key = 9, .data = bytes_of("1")},
                                     {.series = 1, .key = 9, .data = bytes_of("2")}};
  assert_int_equal(alone_try_put(&alone, two, 2), NILO_OK);
  alone_put(&alone, 1, 9, "3", NO_TAG);
  alone_flush(&alone);
  alone_put(&alone, 1, 9, "4", NO_TAG);
  alone_flush(&alone);
  alone_put(&alone, 1, 9, "5", NO_TAG);
  alone_put(&alone, 1, 9, "6", NO_TAG);
  in_every_state(&alone, check_w4);
  alone_deinit(&alone);
}

static void test_w5_buffers_may_be_used_again(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_batch *batch;
  begin(&alone);
  assert_int_equal(nilo_store_batch_create(alone.store, &batch, NULL), NILO_OK);
  char data[8] = "first", name[8] = "tag", text[8] = "value";
  struct nilo_store_tag tag = {name, value_text(text)};
  struct nilo_store_element element = {
      .series = 1, .key = 1, .data = {data, 5}, .tags = &tag, .tag_count = 1};
  assert_int_equal(nilo_store_batch_add(batch, &element, NULL), NILO_OK);
  memset(data, '!', sizeof data);
  memset(name, '!', sizeof name);
  memset(text, '!', sizeof text);
  assert_int_equal(nilo_store_batch_commit(batch, NULL, NULL), NILO_OK);
  struct nilo_store_value value = value_text("value");
  struct nilo_store_filter filter = {
      .op = NILO_STORE_EQUALS, .tag = "tag", .values = &value, .value_count = 1};
  expect(&alone, ASK(.filter = &filter), "first");
  nilo_store_batch_destroy(batch);
  alone_deinit(&alone);
}

static void test_w6_a_batch_is_all_or_nothing(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_batch *batch;
  uint64_t commit;
  begin(&alone);
  assert_int_equal(nilo_store_batch_create(alone.store, &batch, NULL), NILO_OK);
  struct nilo_store_element a = {.series = 1, .key = 1, .data = bytes_of("a")};
  struct nilo_store_element b = {.series = 2, .key = 2, .data = bytes_of("b")};
  nilo_store_batch_add(batch, &a, NULL);
  nilo_store_batch_reset(batch); /* cancelled */
  assert_int_equal(nilo_store_batch_count(batch), 0);
  assert_int_equal(nilo_store_batch_commit(batch, &commit, NULL), NILO_OK);
  assert_int_equal(commit, 0);
  expect(&alone, ASK(0), "");
  /* a type conflict leaves the batch as it was, and the commit is whole */
  struct nilo_store_tag tag = {"t", value_i64(1)}, other = {"t", value_text("x")};
  a.tags = &tag;
  b.tags = &other;
  a.tag_count = b.tag_count = 1;
  assert_int_equal(nilo_store_batch_add(batch, &a, NULL), NILO_OK);
  assert_int_equal(nilo_store_batch_add(batch, &b, &alone.error), NILO_TYPE_CONFLICT);
  expect_refused(&alone, NILO_TYPE_CONFLICT, "\"t\" is int64, and string was given");
  b.tag_count = 0;
  assert_int_equal(nilo_store_batch_add(batch, &b, NULL), NILO_OK);
  expect(&alone, ASK(0), "");
  assert_int_equal(nilo_store_batch_commit(batch, &commit, NULL), NILO_OK);
  assert_int_equal(commit, 1);
  expect(&alone, ASK(0), "a b");
  /* a write that fails in the store leaves nothing, and the batch stays */
  nilo_store_batch_add(batch, &b, NULL);
  os_sim_fail_from(alone.os, os_sim_operations(alone.os) + 1, 32 /* disk full */);
  assert_int_not_equal(nilo_store_batch_commit(batch, NULL, &alone.error), NILO_OK);
  assert_int_equal(alone.error.error_class, NILO_CLASS_RESOURCE);
  os_sim_fail_from(alone.os, 0, 0);
  expect(&alone, ASK(0), "a b");
  assert_int_equal(nilo_store_batch_count(batch), 1);
  assert_int_equal(nilo_store_batch_commit(batch, NULL, &alone.error), NILO_OK);
  expect(&alone, ASK(0), "a b b");
  nilo_store_batch_destroy(batch);
  alone_deinit(&alone);
}

static void test_w7_what_was_acknowledged_survives_power_loss(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  alone_put(&alone, 1, 1, "a", "color", value_text("red"));
  alone_flush(&alone);
  alone_put(&alone, 1, 2, "b", "color", value_text("blue"));
  alone_put(&alone, 1, 3, "c", "size", value_u64(7));
  os_sim_crash(alone.os);
  nilo_store_close(alone.store, NULL);
  os_sim_reboot(alone.os, OS_SIM_LOSS_ALL);
  alone_open(&alone);
  struct nilo_store_value blue = value_text("blue");
  struct nilo_store_filter filter = {
      .op = NILO_STORE_EQUALS, .tag = "color", .values = &blue, .value_count = 1};
  expect(&alone, ASK(0), "a b c");
  expect(&alone, ASK(.filter = &filter), "b");
  alone_deinit(&alone);
}

static void check_w8(struct alone *alone) {
  struct nilo_store_query query = {.series = three, .series_count = 3};
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  assert_int_equal(nilo_store_query_open(alone->store, &query, &cursor, NULL), NILO_OK);
  assert_int_equal(nilo_store_query_next(cursor, &answer, NULL), NILO_OK);
  assert_int_equal(answer.rows, 3);
  assert_int_equal(answer.tag_count, 2);
  assert_string_equal(answer.tags[0], "list");
  assert_string_equal(answer.tags[1], "number/of.things \xc3\xa4");
  assert_int_equal(answer.values[0].type, NILO_STORE_NULL);
  assert_int_equal(answer.values[1].i64, 42);
  assert_int_equal(answer.values[2].type, NILO_STORE_INT64_LIST);
  assert_int_equal(answer.values[2].size, 2);
  assert_int_equal(answer.values[2].integers[1], INT64_MIN);
  assert_int_equal(answer.values[3].type, NILO_STORE_NULL);
  assert_int_equal(answer.values[4].type, NILO_STORE_NULL);
  assert_int_equal(answer.values[5].type, NILO_STORE_NULL);
  nilo_store_query_close(cursor);
}
static void test_w8_tags_that_are_missing_read_back_null(void **state) {
  (void)state;
  struct alone alone;
  static const int64_t items[] = {1, INT64_MIN};
  begin(&alone);
  alone_put(&alone, 1, 1, "a", "number/of.things \xc3\xa4", value_i64(42));
  alone_put(&alone, 1, 2, "b", "list", value_integers(items, 2));
  alone_put(&alone, 1, 3, "c", NO_TAG);
  in_every_state(&alone, check_w8);
  alone_deinit(&alone);
}

/* ---- query ---- */

static void test_q1_queries_are_checked_before_any_work(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_cursor *cursor;
  begin(&alone);
  alone_put(&alone, 1, 1, "a", "t", value_i64(1));
  refuse_query(&alone, ASK(0), NILO_INVALID_ARGUMENT, "series");
  const uint64_t zero = 0;
  refuse_query(&alone, ASK(.series = &zero, .series_count = 1), NILO_INVALID_ARGUMENT, "series");
  refuse_query(&alone, ASK(.series = three, .series_count = 3, .limit = -1), NILO_INVALID_ARGUMENT,
               "limit");
  refuse_query(&alone, ASK(.series = three, .series_count = 3, .offset = -1), NILO_INVALID_ARGUMENT,
               "offset");
  refuse_query(&alone,
               ASK(.series = three, .series_count = 3, .lower = {NILO_STORE_INCLUSIVE, 2},
                   .upper = {NILO_STORE_INCLUSIVE, 1}),
               NILO_INVALID_ARGUMENT, "lower");
  struct nilo_store_value text = value_text("x"), unknown = {.type = (enum nilo_store_type)99};
  struct nilo_store_filter filter = {
      .op = NILO_STORE_EQUALS, .tag = "t", .values = &text, .value_count = 1};
  refuse_query(&alone, ASK(.series = three, .series_count = 3, .filter = &filter),
               NILO_TYPE_CONFLICT, "int64");
  filter.values = &unknown;
  refuse_query(&alone, ASK(.series = three, .series_count = 3, .filter = &filter),
               NILO_INVALID_ARGUMENT, "type");
  struct nilo_store_query all = {.series = three, .series_count = 3};
  assert_int_equal(nilo_store_scan_open(alone.store, &all, &cursor, NULL), NILO_INVALID_ARGUMENT);
  all.series_count = 0;
  assert_string_equal(alone_ask(&alone, &all), "a");
  alone_deinit(&alone);
}

static void check_q2(struct alone *alone) {
  expect(alone, ASK(.lower = {NILO_STORE_INCLUSIVE, 2}), "2 3 4");
  expect(alone, ASK(.lower = {NILO_STORE_EXCLUSIVE, 2}), "3 4");
  expect(alone, ASK(.upper = {NILO_STORE_INCLUSIVE, 3}), "1 2 3");
  expect(alone, ASK(.upper = {NILO_STORE_EXCLUSIVE, 3}), "1 2");
  expect(alone, ASK(.lower = {NILO_STORE_EXCLUSIVE, 2}, .upper = {NILO_STORE_EXCLUSIVE, 3}), "");
  expect(alone, ASK(.lower = {NILO_STORE_EXCLUSIVE, INT64_MAX}), "");
  expect(alone, ASK(.upper = {NILO_STORE_EXCLUSIVE, INT64_MIN}), "");
}
static void test_q2_bounds_are_inclusive_exclusive_or_open(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  for (int64_t key = 1; key <= 4; key++) {
    char text[2] = {(char)('0' + key), 0};
    alone_put(&alone, 1 + (uint64_t)key % 3, key, text, NO_TAG);
  }
  in_every_state(&alone, check_q2);
  alone_deinit(&alone);
}

static void check_q3(struct alone *alone) {
  expect(alone, ASK(0), "a b c d e f");
  expect(alone, ASK(.descending = true), "f e d c b a");
  expect(alone, ASK(.descending = true, .limit = 2, .offset = 1), "e d");
}
static void test_q3_series_interleave_and_descending_is_the_reverse(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  static const char *const texts[] = {"f", "e", "d", "c", "b", "a"};
  for (int i = 0; i < 6; i++) {
    alone_put(&alone, 1 + (uint64_t)i % 3, -i, texts[i], NO_TAG);
    if (i % 2) alone_flush(&alone);
  }
  in_every_state(&alone, check_q3);
  alone_deinit(&alone);
}

static void check_q5(struct alone *alone) {
  expect(alone, ASK(0), "x y x - y x -");
  expect(alone, ASK(.distinct_data = true), "x y -");
  expect(alone, ASK(.distinct_data = true, .descending = true), "- x y");
  expect(alone, ASK(.distinct_data = true, .batch = 1, .offset = 1, .limit = 1), "y");
}
static void test_q5_each_distinct_data_once(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  static const char *const texts[] = {"x", "y", "x", NULL, "y", "x", NULL};
  for (int i = 0; i < 7; i++)
    alone_put(&alone, 1 + (uint64_t)i % 2, i, texts[i], NO_TAG);
  in_every_state(&alone, check_q5);
  alone_deinit(&alone);
}

static struct nilo_store_filter test_of(enum nilo_store_operator op, const char *tag,
                                        const struct nilo_store_value *values, size_t count) {
  return (struct nilo_store_filter){.op = op, .tag = tag, .values = values, .value_count = count};
}

static void check_q6(struct alone *alone) {
  const struct nilo_store_bytes wanted[] = {bytes_of("red"), bytes_of("blue")};
  const struct nilo_store_value lists[] = {value_strings(wanted, 2), value_strings(wanted, 1),
                                           value_strings(NULL, 0)};
  struct nilo_store_filter filter = test_of(NILO_STORE_HAS_ANY, "colors", &lists[0], 1);
  expect(alone, ASK(.filter = &filter), "a b");
  filter.op = NILO_STORE_HAS_ALL;
  expect(alone, ASK(.filter = &filter), "b");
  filter.values = &lists[1];
  expect(alone, ASK(.filter = &filter), "a b");
  filter.values = &lists[2]; /* of nothing: all of nothing is in every list, any of it in none */
  expect(alone, ASK(.filter = &filter), "a b c");
  filter.op = NILO_STORE_HAS_ANY;
  expect(alone, ASK(.filter = &filter), "");
  filter = test_of(NILO_STORE_EQUALS, "colors", &lists[1], 1);
  expect(alone, ASK(.filter = &filter), "a");
  filter.values = &lists[2];
  expect(alone, ASK(.filter = &filter), "c");
  filter = test_of(NILO_STORE_IN, "colors", NULL, 0); /* an empty in matches nothing */
  expect(alone, ASK(.filter = &filter), "");
  filter.op = NILO_STORE_NOT_IN; /* and its opposite what is not null */
  expect(alone, ASK(.filter = &filter), "a b c");
  const struct nilo_store_filter inner = filter;
  filter = (struct nilo_store_filter){.op = NILO_STORE_NOT, .children = &inner, .child_count = 1};
  expect(alone, ASK(.filter = &filter), "");
  filter = test_of(NILO_STORE_ABSENT, "colors", NULL, 0);
  expect(alone, ASK(.filter = &filter), "d");
  const struct nilo_store_value pattern = value_text("^[rb]lu");
  filter = test_of(NILO_STORE_MATCHES, "colors", &pattern, 1);
  expect(alone, ASK(.filter = &filter), "b");
  filter = test_of(NILO_STORE_PRESENT, "never written", NULL, 0);
  expect(alone, ASK(.filter = &filter), "");
  filter.op = NILO_STORE_ABSENT;
  expect(alone, ASK(.filter = &filter), "a b c d");
}
static void test_q6_filters_on_lists_and_nulls(void **state) {
  (void)state;
  struct alone alone;
  const struct nilo_store_bytes red = bytes_of("red");
  const struct nilo_store_bytes both[] = {bytes_of("blue"), bytes_of("red"), bytes_of("")};
  alone_init(&alone, 6);
  const char *indexed[] = {"colors"};
  alone.options.indexed_tags = indexed;
  alone.options.indexed_tag_count = 1;
  alone_open(&alone);
  alone_put(&alone, 1, 1, "a", "colors", value_strings(&red, 1));
  alone_put(&alone, 2, 2, "b", "colors", value_strings(both, 3));
  alone_put(&alone, 3, 3, "c", "colors", value_strings(NULL, 0));
  alone_put(&alone, 3, 4, "d", NO_TAG);
  in_every_state(&alone, check_q6);
  alone_deinit(&alone);
}

static void test_q6_a_regular_expression_is_bounded(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  begin(&alone);
  alone_put(&alone, 1, 1, "a", "t",
            value_text("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));
  alone_put(&alone, 1, 2, "b", "t", value_text("\xff\xfe"));
  struct nilo_store_value pattern = value_text("^(a+)+$");
  struct nilo_store_filter filter = test_of(NILO_STORE_MATCHES, "t", &pattern, 1);
  struct nilo_store_query query = {.series = three, .series_count = 3, .filter = &filter};
  assert_int_equal(nilo_store_query_open(alone.store, &query, &cursor, NULL), NILO_OK);
  assert_int_equal(nilo_store_query_next(cursor, &answer, &alone.error), NILO_LIMIT_EXCEEDED);
  expect_refused(&alone, NILO_LIMIT_EXCEEDED, "steps");
  nilo_store_query_close(cursor);
  pattern = value_text("(unclosed");
  refuse_query(&alone, query, NILO_INVALID_ARGUMENT, "(unclosed");
  pattern = value_text("."); /* bytes that are no UTF-8 match nothing */
  expect(&alone, ASK(.filter = &filter), "a");
  alone_deinit(&alone);
}

/* Many elements: i of key i * 2 in series 1 + i % 3. */
enum { MANY = 30000 };
static void put_many(struct alone *alone) {
  static uint64_t series[MANY];
  static int64_t keys[MANY], numbers[MANY];
  static int32_t ends[MANY + 1];
  static char data[MANY * 8 + 1];
  for (int i = 0; i < MANY; i++) {
    series[i] = 1 + (uint64_t)i % 3;
    keys[i] = 2 * i;
    numbers[i] = i;
    ends[i + 1] = 8 * (i + 1);
    snprintf(data + 8 * i, 9, "%08d", i);
  }
  struct nilo_store_column column = {.name = "number", .type = NILO_STORE_INT64, .values = numbers};
  for (int from = 0; from < MANY; from += MANY / 3) {
    struct nilo_store_rows rows = {.rows = MANY / 3,
                                   .series = series + from,
                                   .keys = keys + from,
                                   .data_offsets = ends + from,
                                   .data = data,
                                   .columns = &column,
                                   .column_count = 1};
    column.values = numbers + from;
    if (nilo_store_write(alone->store, &rows, NULL, &alone->error))
      alone_fail(&alone->error, "write");
    alone_flush(alone);
  }
}

static struct nilo_store_query_figures figures_of(struct alone *alone,
                                                  const struct nilo_store_query *query,
                                                  size_t answers, size_t *rows) {
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer = {.rows = 1};
  struct nilo_store_query_figures figures;
  if (nilo_store_query_open(alone->store, query, &cursor, &alone->error))
    alone_fail(&alone->error, "query");
  *rows = 0;
  for (size_t i = 0; i < answers && answer.rows; i++) {
    if (nilo_store_query_next(cursor, &answer, &alone->error)) alone_fail(&alone->error, "next");
    assert_true(answer.rows <= (query->batch ? query->batch : 1024));
    *rows += answer.rows;
  }
  nilo_store_query_figures(cursor, &figures);
  nilo_store_query_close(cursor);
  return figures;
}

static void test_q8_only_the_named_tags_are_read(void **state) {
  (void)state;
  struct alone alone;
  size_t rows;
  begin(&alone);
  put_many(&alone);
  struct nilo_store_query query = {.series = three, .series_count = 3};
  uint64_t whole = figures_of(&alone, &query, SIZE_MAX, &rows).bytes_read;
  assert_int_equal(rows, MANY);
  query.only_tags = true;
  uint64_t no_tags = figures_of(&alone, &query, SIZE_MAX, &rows).bytes_read;
  query.no_data = true;
  uint64_t keys = figures_of(&alone, &query, SIZE_MAX, &rows).bytes_read;
  assert_int_equal(rows, MANY);
  assert_true(keys < no_tags && no_tags < whole);
  alone_deinit(&alone);
}

static void test_q9_batches_and_an_early_stop(void **state) {
  (void)state;
  struct alone alone;
  size_t rows;
  begin(&alone);
  put_many(&alone);
  alone_merge(&alone);
  struct nilo_store_query query = {.series = three, .series_count = 3, .batch = 7};
  uint64_t all = figures_of(&alone, &query, SIZE_MAX, &rows).blocks_read;
  assert_int_equal(rows, MANY);
  for (int i = 0; i < 4; i++) { /* one series or three, up or down: a part of the blocks */
    query.series_count = i % 2 ? 3 : 1;
    query.descending = i / 2;
    struct nilo_store_query_figures early = figures_of(&alone, &query, 2, &rows);
    assert_int_equal(rows, 14);
    assert_true(early.blocks_read <= query.series_count && early.blocks_read < all);
  }
  alone_deinit(&alone);
}

static void test_q10_cancel_deadline_and_close_free_everything(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  struct nilo_store_figures before, after;
  begin(&alone);
  put_many(&alone);
  struct nilo_store_query query = {.series = three, .series_count = 3, .batch = 10};
  size_t rows;
  figures_of(&alone, &query, 3, &rows); /* block metadata stays from here on */
  nilo_store_figures(alone.store, &before);
  assert_int_equal(nilo_store_query_open(alone.store, &query, &cursor, NULL), NILO_OK);
  assert_int_equal(nilo_store_query_next(cursor, &answer, NULL), NILO_OK);
  assert_int_equal(answer.rows, 10);
  nilo_store_query_cancel(cursor);
  assert_int_equal(nilo_store_query_next(cursor, &answer, &alone.error), NILO_CANCELLED);
  assert_int_equal(answer.rows, 0);
  assert_int_equal(alone.error.error_class, NILO_CLASS_CANCELLED);
  assert_int_equal(nilo_store_query_next(cursor, &answer, &alone.error), NILO_CANCELLED);
  nilo_store_query_close(cursor);
  query.timeout_ms = 1000;
  assert_int_equal(nilo_store_query_open(alone.store, &query, &cursor, NULL), NILO_OK);
  assert_int_equal(nilo_store_query_next(cursor, &answer, NULL), NILO_OK);
  os_sleep_ns(alone.os, INT64_C(2000000000));
  assert_int_equal(nilo_store_query_next(cursor, &answer, &alone.error), NILO_DEADLINE);
  nilo_store_query_close(cursor);
  nilo_store_figures(alone.store, &after);
  assert_int_equal(after.account_bytes, before.account_bytes);
  /* a consumer that stalls sees the same, whatever is written and merged meanwhile */
  query.timeout_ms = 0;
  assert_int_equal(nilo_store_query_open(alone.store, &query, &cursor, NULL), NILO_OK);
  int64_t key = 0;
  for (size_t i = 0; i < 300; i++) {
    assert_int_equal(nilo_store_query_next(cursor, &answer, NULL), NILO_OK);
    for (size_t row = 0; row < answer.rows; row++, key += 2)
      assert_int_equal(answer.keys[row], key);
    if (i == 100) alone_put(&alone, 1, 2001, "later", NO_TAG);
    if (i == 200) alone_merge(&alone);
  }
  assert_int_equal(key, 6000);
  nilo_store_query_close(cursor);
  alone_deinit(&alone);
}

static void test_q11_over_the_budget_is_an_error_or_marked(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  begin(&alone);
  put_many(&alone);
  struct nilo_store_query query = {
      .series = three, .series_count = 3, .distinct_data = true, .memory_max = 1500000};
  size_t rows = 0;
  int code;
  assert_int_equal(nilo_store_query_open(alone.store, &query, &cursor, NULL), NILO_OK);
  while (!(code = nilo_store_query_next(cursor, &answer, &alone.error)) && answer.rows)
    rows += answer.rows;
  assert_int_equal(code, NILO_MEMORY_LIMIT);
  assert_int_equal(alone.error.error_class, NILO_CLASS_RESOURCE);
  assert_non_null(strstr(alone.error.hint, "memory_max"));
  nilo_store_query_close(cursor);
  query.truncate = true;
  rows = 0;
  assert_int_equal(nilo_store_query_open(alone.store, &query, &cursor, NULL), NILO_OK);
  do {
    assert_int_equal(nilo_store_query_next(cursor, &answer, NULL), NILO_OK);
    rows += answer.rows;
  } while (answer.rows);
  assert_true(answer.truncated);
  assert_true(rows > 0 && rows < MANY);
  nilo_store_query_close(cursor);
  /* the same budget is enough for an answer that need not be remembered */
  query = ASK(.series = three, .series_count = 3, .memory_max = 3000000, .descending = true);
  figures_of(&alone, &query, SIZE_MAX, &rows);
  assert_int_equal(rows, MANY);
  alone_deinit(&alone);
}

static void test_q12_the_result_tells_what_it_took(void **state) {
  (void)state;
  struct alone alone;
  size_t rows;
  begin(&alone);
  put_many(&alone);
  struct nilo_store_query query = {.series = three,
                                   .series_count = 1,
                                   .lower = {NILO_STORE_INCLUSIVE, 100},
                                   .upper = {NILO_STORE_EXCLUSIVE, 700}};
  struct nilo_store_query_figures figures = figures_of(&alone, &query, SIZE_MAX, &rows);
  assert_int_equal(rows, 100);
  assert_int_equal(figures.rows_returned, 100);
  assert_int_equal(figures.parts, 3);
  assert_int_equal(figures.blocks_read, 1);
  assert_true(figures.blocks_considered == figures.blocks_read + figures.blocks_skipped);
  assert_true(figures.rows_scanned >= 100 && figures.bytes_read > 0 && figures.elapsed_ns > 0);
  assert_int_equal(figures.commit, 3);
  assert_true(figures.memory_peak > 0);
  alone_deinit(&alone);
}

/* ---- driving ---- */

static void test_s3_flush_and_merge_with_nothing_to_do_succeed(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  for (int i = 0; i < 2; i++) {
    alone_flush(&alone);
    alone_merge(&alone);
  }
  alone_put(&alone, 1, 1, "a", NO_TAG);
  alone_flush(&alone);
  alone_flush(&alone);
  alone_merge(&alone);
  expect(&alone, ASK(0), "a");
  alone_deinit(&alone);
}

static int count_parts(void *context, const struct nilo_store_part *part) {
  struct nilo_store_part *last = context;
  assert_true(part->commit_min <= part->commit_max);
  *last = *part;
  return 0;
}

static void test_s8_a_snapshot_opens_and_parts_move(void **state) {
  (void)state;
  struct alone alone, copy;
  uint64_t commit, rows;
  begin(&alone);
  alone_put(&alone, 1, 1, "a", "t", value_i64(1));
  alone_flush(&alone);
  alone_put(&alone, 2, 2, "b", "u", value_text("x"));
  if (nilo_store_snapshot(alone.store, "/copy", &commit, &alone.error))
    alone_fail(&alone.error, "snapshot");
  assert_int_equal(commit, 2);
  alone_put(&alone, 3, 3, "c", NO_TAG);
  copy = alone;
  copy.options.path = "/copy";
  alone_open(&copy);
  expect(&copy, ASK(0), "a b");
  struct nilo_store_value x = value_text("x");
  struct nilo_store_filter filter = test_of(NILO_STORE_EQUALS, "u", &x, 1);
  expect(&copy, ASK(.filter = &filter), "b");
  alone_close(&copy);
  /* a part of one store, whose tags have other columns in the next */
  struct nilo_store_part part;
  assert_int_equal(os_dir_create(alone.os, "/exports", NULL), 0);
  alone_flush(&alone);
  alone_merge(&alone);
  assert_int_equal(nilo_store_parts(alone.store, count_parts, &part, NULL), NILO_OK);
  assert_int_equal(part.rows, 3);
  assert_int_equal(part.key_max, 3);
  assert_int_equal(
      nilo_store_export(alone.store, part.id + 77, "/exports/00000000000000ab", &alone.error),
      NILO_NOT_FOUND);
  if (nilo_store_export(alone.store, part.id, "/exports/00000000000000ab", &alone.error))
    alone_fail(&alone.error, "export");
  copy.options.path = "/other";
  alone_open(&copy);
  alone_put(&copy, 1, 0, "z", "u", value_text("first here"));
  if (nilo_store_import(copy.store, "/exports/00000000000000ab", &rows, &copy.error))
    alone_fail(&copy.error, "import");
  assert_int_equal(rows, 3);
  expect(&copy, ASK(0), "z a b c");
  expect(&copy, ASK(.filter = &filter), "b");
  alone_reopen(&copy);
  expect(&copy, ASK(.filter = &filter), "b");
  alone_close(&copy);
  /* where a tag has another type nothing comes in */
  copy.options.path = "/third";
  alone_open(&copy);
  alone_put(&copy, 1, 0, "z", "u", value_i64(1));
  assert_int_equal(nilo_store_import(copy.store, "/exports/00000000000000ab", NULL, &copy.error),
                   NILO_TYPE_CONFLICT);
  expect(&copy, ASK(0), "z");
  alone_close(&copy);
  alone_deinit(&alone);
}

static void test_s9_the_program_drives_or_a_policy_does(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_figures figures;
  bool did = true;
  alone_init(&alone, 9);
  alone.options.flush_age_ms = 1000;
  alone.options.flush_on_close = true;
  alone_open(&alone);
  alone_put(&alone, 1, 1, "a", NO_TAG);
  os_sleep_ns(alone.os, INT64_C(2000000000));
  for (int i = 0; i < 10 && did; i++)
    assert_int_equal(nilo_store_work(alone.store, &did, NULL), NILO_OK);
  nilo_store_figures(alone.store, &figures);
  assert_int_equal(figures.flushes, 1);
  alone_put(&alone, 1, 2, "b", NO_TAG);
  alone_reopen(&alone); /* flushes on close */
  nilo_store_figures(alone.store, &figures);
  assert_int_equal(figures.parts, 2);
  expect(&alone, ASK(0), "a b");
  alone_deinit(&alone);
}

static void test_s4_the_policies_of_a_store(void **state) {
  (void)state;
  static const char *const answers[] = {NULL, "a b b -", "a b -", "b", "-"};
  for (int policy = NILO_STORE_KEEP_ALL; policy <= NILO_STORE_NEWEST_ROW; policy++) {
    struct alone alone;
    alone_init(&alone, 4);
    alone.options.policy = (enum nilo_store_policy)policy;
    alone_open(&alone);
    struct nilo_store_element both[] = {{.series = 1, .key = 1, .data = bytes_of("a")},
                                        {.series = 1, .key = 1, .data = bytes_of("b")}};
    assert_int_equal(alone_try_put(&alone, both, 2), NILO_OK);
    alone_flush(&alone);
    alone_put(&alone, 1, 1, "b", NO_TAG);
    alone_put(&alone, 1, 1, NULL, "t", value_i64(1));
    for (int i = 0; i < 3; i++) {
      expect(&alone, ASK(0), answers[policy]);
      if (i == 0) alone_flush(&alone);
      if (i == 1) alone_merge(&alone);
    }
    alone_deinit(&alone);
  }
}

static void test_deleted_and_expired_elements_are_gone(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  for (int64_t key = 1; key <= 6; key++) {
    char text[2] = {(char)('0' + key), 0};
    alone_put(&alone, 1 + (uint64_t)key % 2, key, text, NO_TAG);
    if (key == 3) alone_flush(&alone);
  }
  const uint64_t one = 1; /* has the even keys */
  assert_int_equal(nilo_store_delete(alone.store, &one, 1, 2, 5, NULL, &alone.error), NILO_OK);
  expect(&alone, ASK(0), "1 3 5 6");
  assert_int_equal(nilo_store_expire(alone.store, 3, &alone.error), NILO_OK);
  expect(&alone, ASK(0), "3 5 6");
  alone_flush(&alone);
  alone_merge(&alone);
  expect(&alone, ASK(0), "3 5 6");
  alone_put(&alone, 1, 1, "too late", NO_TAG);
  expect(&alone, ASK(0), "3 5 6");
  alone_reopen(&alone);
  expect(&alone, ASK(0), "3 5 6");
  assert_int_equal(nilo_store_delete(alone.store, NULL, 0, INT64_MIN, INT64_MAX, NULL, NULL),
                   NILO_OK);
  expect(&alone, ASK(0), "");
  alone_deinit(&alone);
}

/* Both layouts answer alike, also beside each other. */
static void test_p5_small_parts_may_be_one_file(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store *refused;
  begin(&alone);
  alone_put(&alone, 1, 1, "wide", "tag", value_i64(7));
  alone_flush(&alone);
  assert_true(os_path_exists(alone.os, "/store/0000000000000001/tag_tag.td"));
  alone.options.compact_max = alone.options.memory_max;
  alone_close(&alone);
  assert_int_equal(element_open(alone.os, &alone.options, &refused, &alone.error),
                   NILO_INVALID_ARGUMENT);
  assert_non_null(strstr(alone.error.message, "compact_max"));
  alone.options.compact_max = 1 << 20;
  alone_open(&alone);
  alone_put(&alone, 1, 2, "compact", "tag", value_i64(8));
  alone_flush(&alone);
  assert_true(os_path_exists(alone.os, "/store/0000000000000003/part.bin"));
  assert_false(os_path_exists(alone.os, "/store/0000000000000003/keys.bin"));
  expect(&alone, ASK(0), "wide compact");
  alone_merge(&alone);
  assert_true(os_path_exists(alone.os, "/store/0000000000000005/part.bin"));
  alone.options.compact_max = 0;
  alone_reopen(&alone);
  expect(&alone, ASK(0), "wide compact");
  alone_deinit(&alone);
}

/* What has expired stays so over a start, also when the store works by itself before anybody says
 * again what has. */
static void test_expired_elements_stay_gone_over_a_start(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  for (int64_t key = 1; key <= 6; key++) {
    char text[2] = {(char)('0' + key), 0};
    alone_put(&alone, 1, key, text, NO_TAG);
  }
  alone_flush(&alone);
  assert_int_equal(nilo_store_expire(alone.store, 3, &alone.error), NILO_OK);
  expect(&alone, ASK(0), "3 4 5 6");
  alone_reopen(&alone);
  bool did = true;
  for (int i = 0; did && i < 10; i++)
    assert_int_equal(store_work(alone.store->shard, &did, NULL), 0);
  expect(&alone, ASK(0), "3 4 5 6");
  assert_int_equal(nilo_store_expire(alone.store, 2, &alone.error), NILO_OK);
  expect(&alone, ASK(0), "3 4 5 6");
  assert_int_equal(nilo_store_expire(alone.store, 5, &alone.error), NILO_OK);
  alone_reopen(&alone);
  expect(&alone, ASK(0), "5 6");
  alone_deinit(&alone);
}

/* ---- errors, health ---- */

static void test_r7_errors_carry_class_place_and_cause(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store *second;
  char text[800];
  begin(&alone);
  assert_int_equal(element_open(alone.os, &alone.options, &second, &alone.error), NILO_LOCKED);
  assert_int_equal(alone.error.error_class, NILO_CLASS_CONCURRENCY);
  assert_non_null(strstr(alone.error.message, "/store"));
  assert_true(nilo_store_error_text(&alone.error, text, sizeof text) > 10);
  assert_string_equal(nilo_store_error_name(NILO_LOCKED), "LOCKED");
  struct nilo_store_options options = alone.options;
  options.path = "/no/such/parent";
  assert_int_not_equal(element_open(alone.os, &options, &second, &alone.error), NILO_OK);
  assert_null(second);
  assert_non_null(strstr(alone.error.place, "/no/such/parent"));
  options.path = "";
  assert_int_equal(element_open(alone.os, &options, &second, &alone.error), NILO_INVALID_ARGUMENT);
  assert_int_equal(alone.error.error_class, NILO_CLASS_VALIDATION);
  assert_int_equal(element_open(alone.os, &options, &second, NULL), NILO_INVALID_ARGUMENT);
  alone_deinit(&alone);
}

static void test_r3_a_rate_limit_says_when_to_come_again(void **state) {
  (void)state;
  struct alone alone;
  alone_init(&alone, 3);
  alone.options.rows_per_second = 10;
  alone.options.write_wait_ms = 0;
  alone_open(&alone);
  struct nilo_store_element element = {.series = 1, .key = 1, .data = bytes_of("x")};
  int code = NILO_OK;
  for (int i = 0; i < 100 && !code; i++)
    code = alone_try_put(&alone, &element, 1);
  assert_int_equal(code, NILO_RATE_LIMIT);
  assert_true(alone.error.retry_ms > 0);
  os_sleep_ns(alone.os, (int64_t)alone.error.retry_ms * 1000000);
  assert_int_equal(alone_try_put(&alone, &element, 1), NILO_OK);
  alone_deinit(&alone);
}

static void test_r9_health_and_figures(void **state) {
  (void)state;
  struct alone alone;
  struct nilo_store_health health;
  struct nilo_store_figures figures;
  begin(&alone);
  alone_put(&alone, 1, 1, "a", NO_TAG);
  alone_flush(&alone);
  expect(&alone, ASK(0), "a");
  nilo_store_health(alone.store, &health);
  assert_int_equal(health.state, NILO_STORE_HEALTHY);
  assert_int_equal(health.reason_count, 0);
  assert_int_equal(health.pressure, NILO_STORE_PRESSURE_NONE);
  nilo_store_figures(alone.store, &figures);
  assert_int_equal(figures.commits, 1);
  assert_int_equal(figures.rows, 1);
  assert_int_equal(figures.parts, 1);
  assert_int_equal(figures.queries, 1);
  assert_int_equal(figures.rows_returned, 1);
  assert_true(figures.account_bytes > 0 && figures.account_peak >= figures.account_bytes);
  alone_deinit(&alone);
}

static int note_tag(void *context, const char *name, enum nilo_store_type type) {
  char *text = context;
  size_t size = strlen(text);
  snprintf(text + size, 256 - size, "%s:%d ", name, (int)type);
  return 0;
}
static int note_series(void *context, uint64_t series) {
  char *text = context;
  size_t size = strlen(text);
  snprintf(text + size, 256 - size, "%llu ", (unsigned long long)series);
  return 0;
}
static void test_tags_and_series_are_told(void **state) {
  (void)state;
  struct alone alone;
  begin(&alone);
  alone_put(&alone, 7, 1, "a", "zeta", value_f64(NAN));
  alone_put(&alone, 3, 1, "a", "alpha", value_bytes("\0", 1));
  alone_put(&alone, 5, 1, "a", "beta", value_bool(true));
  for (int i = 0; i < 3; i++) {
    char text[256] = "";
    assert_int_equal(nilo_store_tags(alone.store, note_tag, text), 0);
    assert_int_equal(nilo_store_series(alone.store, note_series, text, NULL), 0);
    assert_string_equal(text, "alpha:6 beta:5 zeta:4 3 5 7 ");
    if (i == 0) alone_flush(&alone);
    if (i == 1) alone_reopen(&alone);
  }
  alone_deinit(&alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_w1_what_is_missing_is_named_and_the_batch_rejected),
      cmocka_unit_test(test_w2_any_key_is_accepted),
      cmocka_unit_test(test_w3_a_batch_is_sorted_and_strict_order_refuses_it),
      cmocka_unit_test(test_w4_equal_places_keep_the_order_of_writing),
      cmocka_unit_test(test_w5_buffers_may_be_used_again),
      cmocka_unit_test(test_w6_a_batch_is_all_or_nothing),
      cmocka_unit_test(test_w7_what_was_acknowledged_survives_power_loss),
      cmocka_unit_test(test_w8_tags_that_are_missing_read_back_null),
      cmocka_unit_test(test_q1_queries_are_checked_before_any_work),
      cmocka_unit_test(test_q2_bounds_are_inclusive_exclusive_or_open),
      cmocka_unit_test(test_q3_series_interleave_and_descending_is_the_reverse),
      cmocka_unit_test(test_q5_each_distinct_data_once),
      cmocka_unit_test(test_q6_filters_on_lists_and_nulls),
      cmocka_unit_test(test_q6_a_regular_expression_is_bounded),
      cmocka_unit_test(test_q8_only_the_named_tags_are_read),
      cmocka_unit_test(test_q9_batches_and_an_early_stop),
      cmocka_unit_test(test_q10_cancel_deadline_and_close_free_everything),
      cmocka_unit_test(test_q11_over_the_budget_is_an_error_or_marked),
      cmocka_unit_test(test_q12_the_result_tells_what_it_took),
      cmocka_unit_test(test_s3_flush_and_merge_with_nothing_to_do_succeed),
      cmocka_unit_test(test_s4_the_policies_of_a_store),
      cmocka_unit_test(test_s8_a_snapshot_opens_and_parts_move),
      cmocka_unit_test(test_s9_the_program_drives_or_a_policy_does),
      cmocka_unit_test(test_deleted_and_expired_elements_are_gone),
      cmocka_unit_test(test_p5_small_parts_may_be_one_file),
      cmocka_unit_test(test_expired_elements_stay_gone_over_a_start),
      cmocka_unit_test(test_r3_a_rate_limit_says_when_to_come_again),
      cmocka_unit_test(test_r7_errors_carry_class_place_and_cause),
      cmocka_unit_test(test_r9_health_and_figures),
      cmocka_unit_test(test_tags_and_series_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
