/* The open part: appending, growing, visibility by commit, ordered views under each policy, and
 * readers beside the writer. */
#include "store_model.h"

#include "os/os.h"
#include "store/open_part.h"

static struct os *os;
static struct mem_account account;

static struct open_part *new_part(enum store_policy policy) {
  struct open_part *part = NULL;
  assert_int_equal(open_part_create(7, policy, os, &account, &part, NULL), ERR_OK);
  return part;
}

/* Appends as the committer does: on full, goes on with a larger copy. */
static void append(struct open_part **part, const struct store_rows *rows, uint64_t commit) {
  bool full;
  struct err err;
  err_reset(&err);
  int code = open_part_append(*part, rows, commit, &full, &err);
  if (code) fail_msg("%s", err.message);
  if (!full) return;
  struct open_part *grown = NULL;
  assert_int_equal(open_part_grow(*part, rows, &grown, &err), ERR_OK);
  open_part_release(*part);
  *part = grown;
  assert_int_equal(open_part_append(*part, rows, commit, &full, &err), ERR_OK);
  assert_false(full);
}

static void append_model(struct open_part **part, struct model_rows *rows, uint64_t commit,
                         enum store_policy policy) {
  struct model_batch batch;
  model_batch_init(&batch, rows->rows, rows->count, policy, &account);
  append(part, &batch.rows, commit);
  model_batch_deinit(&batch);
}

/* A column of a view; false where the part lacks it. */
static bool view_column(struct open_part *part, const struct open_view *view, uint32_t id,
                        struct column *column) {
  for (uint32_t i = 0; i < view->column_count; i++)
    if (view->column_ids[i] == id)
      return open_part_view_column(part, view, i, column, NULL) == ERR_OK;
  return false;
}

static void assert_view(struct open_part *part, const struct open_view *view,
                        const struct model_rows *expected) {
  assert_int_equal(view->rows, expected->count);
  for (uint32_t row = 0; row < view->rows; row++) {
    assert_int_equal(view->series[row], expected->rows[row].series);
    assert_int_equal(view->keys[row], expected->rows[row].key);
  }
  for (int c = 0; c < MODEL_COLUMNS; c++) {
    struct column column;
    bool found = view_column(part, view, model_ids[c], &column);
    for (uint32_t row = 0; row < view->rows; row++)
      if (found)
        model_assert_value(&column, row, c, &expected->rows[row]);
      else
        assert_false(expected->rows[row].present >> c & 1);
    if (found) assert_int_equal(column.length, view->rows);
  }
}

/* The blocks tile the rows and say the truth about them. */
static void assert_blocks(const struct open_view *view) {
  uint32_t row = 0, run = 0;
  for (uint32_t b = 0; b < view->block_count; b++) {
    const struct part_block *block = &view->blocks[b];
    assert_int_equal(view->block_rows[b], row);
    assert_int_equal(view->block_runs[b], run);
    assert_true(block->rows > 0 && block->rows <= 8192);
    int64_t low = INT64_MAX, high = INT64_MIN;
    uint32_t rows = 0;
    for (uint32_t i = 0; i < block->runs; i++, run++) {
      const struct store_run *at = &view->runs[run];
      assert_int_equal(at->row, rows);
      assert_int_equal(view->run_keys[2 * run], view->keys[row + at->row]);
      assert_int_equal(view->run_keys[2 * run + 1], view->keys[row + at->row + at->rows - 1]);
      for (uint32_t j = 0; j < at->rows; j++) {
        assert_int_equal(view->series[row + rows], at->series);
        if (view->keys[row + rows] < low) low = view->keys[row + rows];
        if (view->keys[row + rows] > high) high = view->keys[row + rows];
        rows++;
      }
    }
    assert_int_equal(rows, block->rows);
    assert_int_equal(block->series_first, view->series[row]);
    assert_int_equal(block->series_last, view->series[row + rows - 1]);
    assert_true(block->key_min == low && block->key_max == high);
    row += rows;
  }
  assert_int_equal(row, view->rows);
}

static struct model_row random_row(uint64_t series_max, uint64_t key_max) {
  struct model_row row = {.series = 1 + model_below(series_max),
                          .key = (int64_t)model_below(key_max) - 5};
  row.present = (uint8_t)(1 + model_below(63));
  if (model_below(3) == 0) row.present = 63;
  for (int c = 0; c < MODEL_COLUMNS; c++)
    row.value[c] = (uint16_t)model_below(model_below(2) ? 4 : 60000);
  return row;
}

/* The view of all rows so far, against the model. */
static void assert_latest(struct open_part *part, const struct model_rows *all,
                          enum store_policy policy) {
  struct model_rows copy = {0};
  for (size_t i = 0; i < all->count; i++)
    model_add(&copy, all->rows[i]);
  model_fold(&copy, policy);
  const struct open_view *view;
  assert_int_equal(open_part_view(part, UINT64_MAX, &view, NULL), ERR_OK);
  assert_view(part, view, &copy);
  assert_blocks(view);
  open_part_view_release(part, view);
  model_free(&copy);
}

static void one_random_part(enum store_policy policy) {
  uint64_t series_max = 1 + model_below(20), key_max = 1 + model_below(60);
  uint32_t commits = 1 + (uint32_t)model_below(30), order = 0;
  struct open_part *part = new_part(policy);
  struct model_rows all = {0};
  uint64_t middle = 0;
  size_t rows_at_middle = 0;
  for (uint64_t commit = 10; commit < 10 + commits; commit++) {
    struct model_rows rows = {0};
    size_t count = model_below(4) ? 1 + model_below(3) : model_below(200);
    for (size_t i = 0; i < count; i++) {
      struct model_row row = random_row(series_max, key_max);
      row.commit = commit;
      row.order = order++;
      model_add(&rows, row);
    }
    model_sort(&rows);
    bool folds = policy == STORE_NEWEST_COLUMN || policy == STORE_NEWEST_ROW;
    model_fold(&rows, folds ? policy : STORE_KEEP_ALL);
    for (size_t i = 0; i < rows.count; i++) {
      rows.rows[i].order = order++;
      model_add(&all, rows.rows[i]);
    }
    append_model(&part, &rows, commit, policy);
    model_free(&rows);
    if (model_below(3) == 0) assert_latest(part, &all, policy); /* views follow each other */
    if (model_below(3) == 0) {
      middle = commit;
      rows_at_middle = all.count;
    }
  }
  assert_int_equal(open_part_rows(part), all.count);
  struct model_rows old = {0};
  for (size_t i = 0; i < rows_at_middle; i++)
    model_add(&old, all.rows[i]);
  model_fold(&all, policy);
  model_fold(&old, policy);
  const struct open_view *view, *again, *older;
  assert_int_equal(open_part_view(part, UINT64_MAX, &view, NULL), ERR_OK);
  assert_int_equal(open_part_view(part, middle, &older, NULL), ERR_OK);
  assert_int_equal(open_part_view(part, 10 + commits, &again, NULL), ERR_OK);
  assert_ptr_equal(view, again);
  assert_view(part, view, &all);
  assert_blocks(view);
  assert_view(part, older, &old);
  assert_blocks(older);
  open_part_view_release(part, older);
  open_part_view_release(part, again);
  open_part_view_release(part, view);
  open_part_release(part);
  model_free(&all);
  model_free(&old);
}

static void test_views_against_model(void **state) {
  (void)state;
  model_random_state = model_seed(20240701);
  for (int i = 0; i < 1200; i++)
    one_random_part((enum store_policy)(1 + i % 4));
  assert_int_equal(mem_account_used(&account), 0);
}

static void test_long_series_are_cut(void **state) {
  (void)state;
  static const uint32_t lengths[] = {5, 8192, 3, 20000, 1, 8191, 8193, 2};
  struct open_part *part = new_part(STORE_NEWEST_COLUMN);
  struct model_rows rows = {0}, all = {0};
  for (uint32_t s = 0; s < sizeof lengths / sizeof *lengths; s++)
    for (uint32_t i = 0; i < lengths[s]; i++)
      model_add(&rows,
                (struct model_row){.series = s + 1, .key = i, .present = 1, .value = {i & 7}});
  append_model(&part, &rows, 1, STORE_NEWEST_COLUMN);
  const struct open_view *view;
  assert_int_equal(open_part_view(part, 1, &view, NULL), ERR_OK);
  assert_view(part, view, &rows);
  assert_blocks(view);
  open_part_view_release(part, view);
  open_part_release(part);
  model_free(&rows);
  model_free(&all);
}

static void test_empty(void **state) {
  (void)state;
  struct open_part *part = new_part(STORE_NEWEST_ROW);
  const struct open_view *view;
  assert_int_equal(open_part_rows(part), 0);
  assert_int_equal(open_part_commit_min(part), 0);
  assert_int_equal(open_part_commit_max(part), 0);
  assert_int_equal(open_part_view(part, 5, &view, NULL), ERR_OK);
  assert_int_equal(view->rows, 0);
  assert_int_equal(view->block_count, 0);
  open_part_view_release(part, view);
  open_part_release(part);
  assert_int_equal(mem_account_used(&account), 0);
}

static void test_small_parts_are_small(void **state) {
  (void)state;
  struct builder builder;
  builder_init(&builder, TYPE_FLOAT64, &account);
  builder_append_f64(&builder, 1.5);
  struct store_column columns[10];
  for (uint32_t i = 0; i < 10; i++)
    columns[i] = (struct store_column){i + 1, builder_view(&builder)};
  uint64_t series = 4;
  int64_t key = 9;
  struct store_rows rows = {.store = 7,
                            .policy = STORE_NEWEST_COLUMN,
                            .rows = 1,
                            .series = &series,
                            .keys = &key,
                            .columns = columns,
                            .column_count = 10};
  struct open_part *part = new_part(STORE_NEWEST_COLUMN);
  append(&part, &rows, 1);
  assert_true(open_part_bytes(part) <= 1536);
  open_part_release(part);
  builder_deinit(&builder);
}

static void test_type_change_is_refused(void **state) {
  (void)state;
  struct open_part *part = new_part(STORE_NEWEST_COLUMN);
  struct model_rows rows = {0};
  model_add(&rows, (struct model_row){.series = 1, .key = 1, .present = 1, .value = {9}});
  append_model(&part, &rows, 1, STORE_NEWEST_COLUMN);
  struct model_batch batch;
  model_batch_init(&batch, rows.rows, 1, STORE_NEWEST_COLUMN, &account);
  batch.columns[0].column.type = TYPE_FLOAT64;
  bool full;
  struct err err;
  err_reset(&err);
  assert_int_equal(open_part_append(part, &batch.rows, 2, &full, &err), ERR_INTERNAL);
  assert_false(full);
  assert_non_null(strstr(err.message, "column 3"));
  struct open_part *grown = NULL;
  assert_int_equal(open_part_grow(part, &batch.rows, &grown, &err), ERR_INTERNAL);
  assert_int_equal(open_part_rows(part), 1);
  model_batch_deinit(&batch);
  open_part_release(part);
  model_free(&rows);
  assert_int_equal(mem_account_used(&account), 0);
}

/* Every allocation of a life refused once. */
static void test_refused_memory(void **state) {
  (void)state;
  struct mem_account outer;
  for (int64_t nth = 1;; nth++) {
    mem_account_init(&outer, "open part", NULL, 0);
    atomic_store(&outer.fail_countdown, nth);
    struct open_part *part = NULL, *grown = NULL;
    const struct open_view *view = NULL;
    struct model_rows rows = {0};
    model_add(&rows, (struct model_row){.series = 2, .key = 1, .present = 63});
    model_add(&rows, (struct model_row){.series = 2, .key = 3, .present = 7});
    struct model_batch batch;
    model_batch_init(&batch, rows.rows, 2, STORE_DROP_TWINS, &account);
    bool full;
    int code = open_part_create(7, STORE_DROP_TWINS, os, &outer, &part, NULL);
    if (!code) code = open_part_grow(part, &batch.rows, &grown, NULL);
    for (uint64_t commit = 1; commit < 3 && !code; commit++)
      code = open_part_append(grown, &batch.rows, commit, &full, NULL);
    if (!code) code = open_part_view(grown, 2, &view, NULL);
    bool finished = atomic_load(&outer.fail_countdown) > 0;
    assert_int_equal(code, finished ? ERR_OK : ERR_NO_MEMORY);
    if (view) open_part_view_release(grown, view);
    open_part_release(grown);
    open_part_release(part);
    mem_account_deinit(&outer);
    model_batch_deinit(&batch);
    model_free(&rows);
    if (finished) break;
  }
}

/* ---- readers beside the writer ---- */

struct race {
  struct open_part *part;
  _Atomic uint64_t commit; /* published */
  _Atomic int failures;
};

static void read_until_done(void *context) {
  struct race *race = context;
  for (uint64_t commit = 0; commit < 400;) {
    commit = atomic_load(&race->commit);
    const struct open_view *view;
    if (open_part_view(race->part, commit, &view, NULL)) {
      atomic_fetch_add(&race->failures, 1);
      return;
    }
    /* commit n writes the rows (series n % 5 + 1, key n) and (6, n) */
    if (view->rows != 2 * commit) atomic_fetch_add(&race->failures, 1);
    struct column column;
    bool found = view_column(race->part, view, model_ids[0], &column);
    for (uint32_t i = 0; i < view->rows; i++) {
      bool present = view->keys[i] % 3 != 0;
      if (!found || column_is_valid(&column, i) != present ||
          (present && column.i64[i] != view->keys[i] * 1000003 - 5))
        atomic_fetch_add(&race->failures, 1);
    }
    open_part_view_release(race->part, view);
    os_thread_yield(os);
  }
}

static void test_readers_beside_writer(void **state) {
  (void)state;
  struct race race = {.part = new_part(STORE_NEWEST_COLUMN)};
  struct model_rows rows = {0};
  for (uint32_t i = 0; i < 2000; i++) /* room for all, in one copy */
    model_add(&rows, (struct model_row){.series = 1, .key = i, .present = 63, .value = {[3] = 5}});
  struct model_batch batch;
  struct open_part *grown = NULL;
  model_batch_init(&batch, rows.rows, rows.count, STORE_NEWEST_COLUMN, &account);
  assert_int_equal(open_part_grow(race.part, &batch.rows, &grown, NULL), ERR_OK);
  model_batch_deinit(&batch);
  open_part_release(race.part);
  race.part = grown;
  struct os_thread *readers[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(os_thread_create(os, "reader", read_until_done, &race, &readers[i], NULL),
                     ERR_OK);
  for (uint64_t n = 1; n <= 400; n++) {
    rows.count = 2;
    uint16_t value = (uint16_t)n;
    uint8_t present = n % 3 ? 63 : 62;
    rows.rows[0] =
        (struct model_row){n % 5 + 1, (int64_t)n, n, 0, present, {value, 3, 1, 4, 5, 6}, false};
    rows.rows[1] = (struct model_row){6, (int64_t)n, n, 0, present, {value, 3, 0, 4, 5, 6}, false};
    model_batch_init(&batch, rows.rows, 2, STORE_NEWEST_COLUMN, &account);
    bool full;
    assert_int_equal(open_part_append(race.part, &batch.rows, n, &full, NULL), ERR_OK);
    assert_false(full);
    model_batch_deinit(&batch);
    atomic_store(&race.commit, n);
    if (n % 16 == 0) os_thread_yield(os);
  }
  for (int i = 0; i < 2; i++)
    os_thread_join(readers[i]);
  assert_int_equal(atomic_load(&race.failures), 0);
  open_part_release(race.part);
  model_free(&rows);
  assert_int_equal(mem_account_used(&account), 0);
}

static int set_up(void **state) {
  (void)state;
  mem_account_init(&account, "test", NULL, 0);
  return os_real_create(&os, NULL);
}

static int tear_down(void **state) {
  (void)state;
  os_destroy(os);
  mem_account_deinit(&account);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_small_parts_are_small),
      cmocka_unit_test(test_type_change_is_refused),
      cmocka_unit_test(test_long_series_are_cut),
      cmocka_unit_test(test_views_against_model),
      cmocka_unit_test(test_refused_memory),
      cmocka_unit_test(test_readers_beside_writer),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
