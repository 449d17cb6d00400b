/* What the store says about itself: where rows lie, which series there are, what parts and the log
 * are made of, and its metrics; always compared with what was written. */
#include "base/metrics.h"
#include "shard_fixture.h"
#include "store/predicate.h"
#include "store/tools.h"

enum { STORE = 5, SERIES = 3, KEYS = 20000, TAIL = 7 };

/* Series 1 to 3: KEYS keys each on disk (more than a block), TAIL more in memory. */
static void begin(struct fixture *fixture) {
  fixture_init(fixture, 1);
  fixture_open(fixture);
  for (uint64_t series = 1; series <= SERIES; series++)
    put(fixture, STORE, series, 0, 0, KEYS);
  flush(fixture, 0);
  for (uint64_t series = 1; series <= SERIES; series++)
    put(fixture, STORE, series, KEYS, KEYS, TAIL);
}

/* ---- spans and series ---- */

struct seen {
  uint64_t rows, count;
  int64_t key_min, key_max;
};

static int see_span(void *context, int64_t key_min, int64_t key_max, uint32_t rows) {
  struct seen *seen = context;
  assert_true(key_min <= key_max && rows > 0);
  if (!seen->count || key_min < seen->key_min) seen->key_min = key_min;
  if (!seen->count || key_max > seen->key_max) seen->key_max = key_max;
  seen->rows += rows;
  seen->count++;
  return 0;
}

static int refuse(void *context, int64_t key_min, int64_t key_max, uint32_t rows) {
  (void)context, (void)key_min, (void)key_max, (void)rows;
  return ERR_CANCELLED;
}

static struct seen spans(struct fixture *fixture, const struct store_scan_spec *asked) {
  struct store_snapshot *snapshot;
  struct seen seen = {0};
  struct err err;
  struct store_scan_spec spec = *asked;
  spec.store = STORE;
  spec.account = &fixture->account;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  if (store_snapshot_spans(snapshot, &spec, see_span, &seen, &err)) fail_err(&err, "spans");
  if (seen.count)
    assert_int_equal(store_snapshot_spans(snapshot, &spec, refuse, NULL, &err), ERR_CANCELLED);
  store_snapshot_release(snapshot);
  return seen;
}

static void test_spans_hold_the_rows(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  struct store_scan_spec all = {
      .series_max = UINT64_MAX, .key_min = INT64_MIN, .key_max = INT64_MAX};
  struct seen seen = spans(&fixture, &all);
  assert_int_equal(seen.rows, SERIES * (KEYS + TAIL));
  assert_int_equal(seen.key_min, 0);
  assert_int_equal(seen.key_max, KEYS + TAIL - 1);
  /* One series, by name and by range: at least its own rows, not everybody's. */
  uint64_t second = 2;
  struct store_scan_spec one = all;
  one.series = &second;
  one.series_count = 1;
  struct seen named = spans(&fixture, &one);
  assert_true(named.rows >= KEYS + TAIL && named.rows < seen.rows);
  one = all;
  one.series_min = one.series_max = 2;
  struct seen ranged = spans(&fixture, &one);
  assert_int_equal(ranged.rows, named.rows);
  /* A range of keys: blocks outside of it are no answer. */
  one.key_min = 0;
  one.key_max = 10;
  struct seen narrow = spans(&fixture, &one);
  assert_true(narrow.rows > 0 && narrow.rows < ranged.rows && narrow.key_min <= 10);
  one.key_min = 2 * KEYS;
  one.key_max = 3 * KEYS;
  assert_int_equal(spans(&fixture, &one).count, 0);
  one = all;
  one.series_min = 77;
  assert_int_equal(spans(&fixture, &one).count, 0);
  fixture_deinit(&fixture);
}

static void test_rows_are_estimated(void **state) {
  (void)state;
  struct fixture fixture;
  struct store_snapshot *snapshot;
  begin(&fixture);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  double all = SERIES * (KEYS + TAIL), half = SERIES * KEYS / 2;
  assert_true(store_snapshot_rows_about(snapshot, STORE, INT64_MIN, INT64_MAX) == all);
  /* the open part counts as a whole */
  double first = store_snapshot_rows_about(snapshot, STORE, INT64_MIN, KEYS / 2 - 1);
  assert_true(first >= half && first <= half + SERIES * TAIL);
  double none = store_snapshot_rows_about(snapshot, STORE, 2 * KEYS, INT64_MAX);
  assert_true(none <= SERIES * TAIL);
  assert_true(store_snapshot_rows_about(snapshot, STORE + 1, INT64_MIN, INT64_MAX) == 0);
  store_snapshot_release(snapshot);
  fixture_deinit(&fixture);
}

static void test_series_are_listed(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  struct store_snapshot *snapshot;
  struct buffer out;
  struct err err;
  buffer_init(&out, &fixture.account);
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  if (store_snapshot_series(snapshot, STORE, &out, &err)) fail_err(&err, "series");
  assert_int_equal(out.size, SERIES * sizeof(uint64_t));
  for (uint64_t i = 0; i < SERIES; i++)
    assert_int_equal(((const uint64_t *)out.data)[i], i + 1);
  store_snapshot_release(snapshot);
  buffer_deinit(&out);
  fixture_deinit(&fixture);
}

/* ---- parts and log ---- */

struct looked {
  uint64_t rows, blocks, columns, values, column_blocks;
  uint64_t segments, records, commits, publications;
};

static int look_block(void *context, const struct store_block_look *look) {
  struct looked *looked = context;
  assert_int_equal(look->block, looked->blocks);
  looked->rows += look->rows;
  looked->blocks++;
  return 0;
}

static int look_column(void *context, const struct store_column_look *look) {
  struct looked *looked = context;
  assert_int_equal(look->id, VALUE_COLUMN);
  assert_int_equal(look->nulls, 0);
  uint64_t codecs = 0;
  for (int i = 0; i < STORE_LOOK_CODECS; i++)
    codecs += look->codecs[i];
  assert_int_equal(codecs, look->blocks);
  looked->columns++;
  looked->values += look->values;
  looked->column_blocks += look->blocks;
  return 0;
}

static void look_segment(void *context, const struct store_segment_look *look) {
  struct looked *looked = context;
  assert_true(look->incarnation > 0);
  looked->segments++;
}

static void look_record(void *context, const struct store_record_look *look) {
  struct looked *looked = context;
  looked->records++;
  looked->commits += look->commits;
}

static void look_publication(void *context, const struct store_publication_look *look) {
  (void)look;
  ((struct looked *)context)->publications++;
}

static void test_parts_and_log_can_be_looked_at(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  begin(&fixture);
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  struct looked looked = {0};
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), ERR_OK);
  size_t count = store_snapshot_parts(snapshot, STORE, &parts);
  assert_true(count >= 1);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    int64_t start;
    uint64_t width;
    store_part_facts(parts[i], &facts);
    if (facts.in_memory) continue;
    assert_false(store_part_partition(parts[i], &start, &width));
    if (store_part_look(parts[i], look_block, look_column, &looked, &err)) fail_err(&err, "look");
    assert_int_equal(looked.rows, facts.rows);
    assert_int_equal(looked.blocks, facts.blocks);
  }
  assert_int_equal(looked.rows, SERIES * KEYS);
  assert_int_equal(looked.columns, 1);
  assert_int_equal(looked.values, SERIES * KEYS);
  assert_int_equal(looked.column_blocks, looked.blocks);
  store_snapshot_release(snapshot);
  fixture_close(&fixture);
  struct store_look look = {.context = &looked,
                            .segment = look_segment,
                            .record = look_record,
                            .publication = look_publication};
  if (store_look(fixture.os, &fixture.account, fixture.options.path, &look, &err))
    fail_err(&err, "look at the directory");
  assert_true(looked.segments >= 1);
  assert_true(looked.records >= 1 && looked.commits >= SERIES); /* those that are not flushed */
  assert_int_equal(mem_account_used(&fixture.account), 0);
  fixture_deinit(&fixture);
}

/* ---- metrics ---- */

static void test_r9_figures_are_told(void **state) {
  (void)state;
  struct fixture fixture;
  struct metrics *metrics;
  struct buffer text;
  fixture_init(&fixture, 1);
  assert_int_equal(metrics_create(&fixture.account, &metrics, NULL), ERR_OK);
  fixture.options.metrics = metrics;
  fixture_open(&fixture);
  for (int i = 0; i < 5; i++)
    put(&fixture, STORE, 1, i * 10, 0, 10);
  flush(&fixture, 0);
  fixture_close(&fixture); /* the last report; the registry outlives the shard */
  buffer_init(&text, &fixture.account);
  metrics_write_prometheus(metrics, &text);
  assert_true(buffer_append_byte(&text, 0));
  const char *lines = (const char *)text.data;
  assert_non_null(strstr(lines, "\nnilo_store_commits_total 5\n"));
  assert_non_null(strstr(lines, "\nnilo_store_rows_total 50\n"));
  assert_non_null(strstr(lines, "\nnilo_store_flushes_total 1\n"));
  assert_non_null(strstr(lines, "\nnilo_store_parts 1\n"));
  buffer_deinit(&text);
  metrics_destroy(metrics);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spans_hold_the_rows),
      cmocka_unit_test(test_rows_are_estimated),
      cmocka_unit_test(test_series_are_listed),
      cmocka_unit_test(test_parts_and_log_can_be_looked_at),
      cmocka_unit_test(test_r9_figures_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
