/* Memory is bounded by the options, whatever is flushed and merged: many parts of many series,
 * whose values are hundreds of times as large as they are compressed, in a store that may hold less
 * than one block of each part would take. Bytes are measured in the store's own account. */
#include "element_fixture.h"

#include "element/element_private.h"

enum { PARTS = 60, ROWS = 8000, SERIES = 400, BYTES = 256, MIB = 1 << 20 };

/* All series once around, in turns. Data of one byte, repeated, or as long a tag. */
static void write_part(struct alone *alone, int number, bool with_data) {
  static uint64_t series[ROWS];
  static int64_t keys[ROWS];
  static int32_t offsets[ROWS + 1];
  static char bytes[ROWS * BYTES];
  for (int i = 0; i < ROWS; i++) {
    series[i] = 1 + (uint64_t)(i / (ROWS / SERIES));
    keys[i] = (int64_t)number + (int64_t)(i % (ROWS / SERIES)) * PARTS;
    offsets[i + 1] = (i + 1) * BYTES;
  }
  memset(bytes, 'a' + number % 26, sizeof bytes);
  struct nilo_store_column tag = {
      .name = "tag", .type = NILO_STORE_STRING, .offsets = offsets, .data = bytes};
  struct nilo_store_rows rows = {.rows = ROWS,
                                 .series = series,
                                 .keys = keys,
                                 .data_offsets = with_data ? offsets : NULL,
                                 .data = bytes,
                                 .columns = &tag,
                                 .column_count = !with_data};
  if (nilo_store_write(alone->store, &rows, NULL, &alone->error))
    alone_fail(&alone->error, "write");
}

/* Keys ascend over all series, and nothing is missing. */
static void check_all(struct alone *alone) {
  struct nilo_store_query query = {.no_data = true, .only_tags = true};
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  uint64_t found = 0;
  int64_t last = INT64_MIN;
  assert_int_equal(nilo_store_scan_open(alone->store, &query, &cursor, &alone->error), NILO_OK);
  do {
    assert_int_equal(nilo_store_query_next(cursor, &answer, &alone->error), NILO_OK);
    for (size_t i = 0; i < answer.rows; i++) {
      assert_true(answer.keys[i] >= last);
      last = answer.keys[i];
    }
    found += answer.rows;
  } while (answer.rows);
  nilo_store_query_close(cursor);
  assert_int_equal(found, (uint64_t)PARTS * ROWS);
}

static uint64_t part_count(struct alone *alone) {
  struct nilo_store_figures figures;
  nilo_store_figures(alone->store, &figures);
  return figures.parts;
}

/* What the account of the store held at most since the last time. */
static int64_t take_peak(struct alone *alone) {
  int64_t peak = atomic_load(&alone->store->account.peak);
  atomic_store(&alone->store->account.peak, mem_account_used(&alone->store->account));
  return peak;
}

static void open_small(struct alone *alone) {
  alone_init(alone, 1);
  alone->options.memory_parts_max = 16 * MIB;
  alone->options.query_memory_max = 32 * MIB;
  alone_open(alone);
}

/* Every part has a block of two MiB, which is almost nothing while it waits: all of them side by
 * side take 120. */
static void test_flush_of_many_blocks(void **state) {
  (void)state;
  struct alone alone;
  open_small(&alone);
  for (int i = 0; i < PARTS; i++)
    write_part(&alone, i, false);
  (void)take_peak(&alone);
  alone_flush(&alone);
  int64_t peak = take_peak(&alone);
  if (peak > 48 * MIB) fail_msg("a flush held %lld bytes", (long long)peak);
  check_all(&alone);
  alone_deinit(&alone);
}

static void test_merge_of_many_blocks(void **state) {
  (void)state;
  struct alone alone;
  open_small(&alone);
  for (int i = 0; i < PARTS; i++) {
    write_part(&alone, i, true);
    alone_flush(&alone);
  }
  (void)take_peak(&alone);
  alone_merge(&alone);
  int64_t peak = take_peak(&alone);
  if (peak > 80 * MIB) fail_msg("a merge held %lld bytes", (long long)peak);
  assert_int_equal(part_count(&alone), 1);
  check_all(&alone);
  alone_deinit(&alone);
}

/* The same by itself, while rows come: nothing is refused where memory is short. */
static void test_work_within_the_limit(void **state) {
  (void)state;
  struct alone alone;
  alone_init(&alone, 1);
  alone.options.memory_parts_max = 1 * MIB;
  alone.options.memory_max = 96 * MIB;
  alone.options.query_memory_max = 32 * MIB;
  alone_open(&alone);
  for (int i = 0; i < PARTS; i++) {
    bool did = true;
    write_part(&alone, i, true);
    while (did)
      if (nilo_store_work(alone.store, &did, &alone.error)) alone_fail(&alone.error, "work");
  }
  check_all(&alone);
  alone_deinit(&alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_flush_of_many_blocks),
      cmocka_unit_test(test_merge_of_many_blocks),
      cmocka_unit_test(test_work_within_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
