/* What a scan reads and what it leaves alone, what it refuses, what it does when memory is short,
 * and scans beside a writer. */
#include "store_model.h"

#include "base/buffer.h"
#include "codec/codec.h"
#include "os/os.h"
#include "store/scan.h"
#include "store/scan_images.h"

enum { PARTS_MAX = 64 };

static struct os *os;
static struct mem_account account;
static struct store_part *parts[PARTS_MAX];
static size_t part_count;

static const uint32_t one_column[] = {3};

/* Packs rows (in order) as the next part, one commit. */
static void add_part(const struct model_rows *rows, const struct store_tombstone *tombstone) {
  struct part_writer_options options = {
      .store = 7, .policy = STORE_NEWEST_COLUMN, .level = CODEC_FAST};
  uint64_t commit = part_count + 1, size;
  struct part_ending ending = {.commit_min = commit,
                               .commit_max = commit,
                               .tombstones = tombstone,
                               .tombstone_commits = &commit,
                               .tombstone_count = tombstone != NULL};
  struct part_writer *writer = NULL;
  struct part_memory *memory = NULL;
  struct model_batch batch;
  assert_int_equal(part_writer_create(&options, &account, NULL, 0, &writer, NULL), ERR_OK);
  model_batch_init(&batch, rows->rows, rows->count, STORE_NEWEST_COLUMN, &account);
  assert_int_equal(part_writer_append_last(writer, &batch.rows, NULL), ERR_OK);
  assert_int_equal(part_writer_finish(writer, &ending, &size, &memory, NULL), ERR_OK);
  assert_int_equal(part_open_memory(memory, 0, size, &account, 0, &parts[part_count++], NULL),
                   ERR_OK);
  part_memory_release(memory);
  part_writer_destroy(writer);
  model_batch_deinit(&batch);
}

/* A part of `series` series from `first` on, each with keys from, from + step, …: `count` of them.
 */
static void add_grid(uint64_t first, uint64_t series, int64_t from, int64_t step, uint32_t count) {
  struct model_rows rows = {0};
  for (uint64_t s = first; s < first + series; s++)
    for (uint32_t i = 0; i < count; i++)
      model_add(&rows, (struct model_row){.series = s,
                                          .key = from + step * i,
                                          .present = 1,
                                          .value = {(uint16_t)(part_count * 1000 + i % 1000)}});
  add_part(&rows, NULL);
  model_free(&rows);
}

static void drop_parts(void) {
  for (size_t i = 0; i < part_count; i++)
    part_release(parts[i]);
  part_count = 0;
}

/* After each test, so that a failure does not reach the next one. */
static int clean(void **state) {
  (void)state;
  drop_parts();
  return 0;
}

static struct store_scan_spec all_rows(void) {
  return (struct store_scan_spec){.store = 7,
                                  .series_max = UINT64_MAX,
                                  .key_min = INT64_MIN,
                                  .key_max = INT64_MAX,
                                  .columns = one_column,
                                  .column_count = 1,
                                  .account = &account};
}

struct outcome {
  uint64_t rows, chunks, with_statistics, series, counted; /* counted: by statistics */
  struct store_scan_figures figures;
};

/* Scans; loads what has no statistics, or everything. */
static struct outcome run(const struct store_scan_spec *spec, bool load_all) {
  struct scan_input input = {
      .policy = STORE_NEWEST_COLUMN, .parts = parts, .part_count = part_count};
  struct outcome outcome = {0};
  struct store_scan *scan = NULL;
  struct store_chunk chunk;
  uint64_t last = 0;
  assert_int_equal(store__scan_create(&input, spec, &scan, NULL), ERR_OK);
  for (;;) {
    assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
    if (chunk.rows == 0) break;
    outcome.rows += chunk.rows;
    outcome.chunks++;
    for (uint32_t i = 0; i < chunk.run_count; i++) {
      outcome.series += chunk.runs[i].series != last;
      last = chunk.runs[i].series;
    }
    if (chunk.statistics) {
      outcome.with_statistics++;
      outcome.counted += chunk.statistics[0].count;
    }
    if (load_all || !chunk.statistics)
      assert_int_equal(store_scan_load(scan, &chunk, true, 1, NULL), ERR_OK);
  }
  store_scan_figures(scan, &outcome.figures);
  store_scan_close(scan);
  return outcome;
}

static void test_whole_blocks_are_not_read(void **state) {
  (void)state;
  add_grid(1, 1, 0, 10, 8192 * 4);       /* one long series */
  add_grid(5, 600, 0, 10, 20);           /* packed blocks */
  add_grid(1, 1, 1000000, 10, 8192 * 2); /* the long series goes on */
  struct store_scan_spec spec = all_rows();
  struct outcome outcome = run(&spec, false);
  assert_int_equal(outcome.rows, 8192 * 6 + 600 * 20);
  assert_int_equal(outcome.counted, outcome.rows);
  assert_int_equal(outcome.chunks, outcome.with_statistics);
  assert_int_equal(outcome.figures.blocks_read, 0);
  assert_int_equal(outcome.figures.bytes_read, 0);
  assert_int_equal(outcome.figures.blocks_by_statistics, outcome.chunks);
  assert_int_equal(outcome.figures.blocks_considered, outcome.chunks);
  assert_int_equal(outcome.figures.rows_returned, outcome.rows);
  outcome = run(&spec, true);
  assert_int_equal(outcome.figures.blocks_read, outcome.chunks);
  assert_int_equal(outcome.figures.rows_scanned, outcome.rows);
  assert_true(outcome.figures.bytes_read > 0);
}

static void test_an_overlay_costs_one_block(void **state) {
  (void)state;
  add_grid(1, 1, 0, 10, 8192 * 10);
  add_grid(1, 1, 10 * (8192 * 4 + 100) + 5, 10, 5); /* between rows of the fifth block */
  struct store_scan_spec spec = all_rows();
  struct outcome outcome = run(&spec, false);
  assert_int_equal(outcome.rows, 8192 * 10 + 5);
  assert_int_equal(outcome.with_statistics, 9);
  assert_int_equal(outcome.figures.blocks_read, 2);
  assert_int_equal(outcome.figures.blocks_by_statistics, 9);
}

static void test_key_range_skips_blocks(void **state) {
  (void)state;
  add_grid(1, 3, 0, 1, 8192 * 10);
  struct store_scan_spec spec = all_rows();
  spec.key_min = 8192 * 3 + 5;
  spec.key_max = 8192 * 5 + 6;
  struct outcome outcome = run(&spec, false);
  assert_int_equal(outcome.rows, 3 * (8192 * 2 + 2));
  assert_int_equal(outcome.figures.blocks_considered, 30);
  assert_int_equal(outcome.figures.blocks_skipped, 21);
  assert_int_equal(outcome.figures.blocks_by_statistics, 3);
  assert_int_equal(outcome.figures.blocks_read, 6);
  static const uint64_t wanted[] = {2, 9};
  spec.series = wanted;
  spec.series_count = 2;
  outcome = run(&spec, false);
  assert_int_equal(outcome.series, 1);
  assert_int_equal(outcome.figures.blocks_considered, 30);
  assert_int_equal(outcome.figures.blocks_read, 2);
  spec.key_min = spec.key_max = 1 << 30; /* no part reaches there: its metadata is not read */
  outcome = run(&spec, false);
  assert_int_equal(outcome.rows, 0);
  assert_int_equal(outcome.figures.blocks_skipped, 30);
}

static void test_tail_does_not_read_history(void **state) {
  (void)state;
  enum { HISTORY = 40, SERIES = 300 };
  for (int64_t p = 0; p < HISTORY; p++)
    add_grid(1, p == 3 ? SERIES + 1 : SERIES, p * 1000, 10,
             12); /* the last one only in the fourth */
  struct store_scan_spec spec = all_rows();
  spec.tail = 1;
  struct outcome outcome = run(&spec, true);
  assert_int_equal(outcome.series, SERIES + 1);
  assert_true(outcome.rows <= 12 * (SERIES + 1));
  assert_in_range(outcome.figures.blocks_read, 2, 3); /* the newest, and the fourth's last */
  assert_int_equal(outcome.figures.blocks_considered, HISTORY);
  spec.tail = 30; /* three parts of twelve rows */
  outcome = run(&spec, true);
  assert_true(outcome.rows >= 30 * SERIES + 12 && outcome.rows <= 36 * SERIES + 12);
  assert_in_range(outcome.figures.blocks_read, 3, 5);
  spec.tail = 0;
  spec.head = 1;
  outcome = run(&spec, true);
  assert_int_equal(outcome.series, SERIES + 1);
  assert_in_range(outcome.figures.blocks_read, 1, 2);
}

static void test_tail_of_long_series(void **state) {
  (void)state;
  for (int64_t p = 0; p < 4; p++)
    add_grid(1, 2, p * 8192 * 5, 1, 8192 * 5);
  struct store_scan_spec spec = all_rows();
  spec.tail = 1;
  struct outcome outcome = run(&spec, false);
  assert_int_equal(outcome.rows, 2 * 8192);
  assert_int_equal(outcome.with_statistics, 2);
  assert_int_equal(outcome.figures.blocks_skipped, 38);
}

static void test_ends_of_long_series_are_cut(void **state) {
  (void)state;
  for (int64_t p = 0; p < 4; p++)
    add_grid(1, 2, p * 8192 * 5, 1, 8192 * 5);
  struct store_scan_spec spec = all_rows();
  spec.tail = 10;
  struct outcome outcome = run(&spec, true);
  assert_int_equal(outcome.rows, 2 * 10);
  assert_int_equal(outcome.figures.blocks_read, 2);
  spec.tail = 0;
  spec.head = 10;
  outcome = run(&spec, true);
  assert_int_equal(outcome.rows, 2 * 10);
  assert_int_equal(outcome.figures.blocks_read, 2);
  assert_int_equal(outcome.figures.blocks_considered, 40);
}

/* Blocks of several series: of each only the row that is wanted comes out, as a slice of its block,
 * and its key is known without the others being decoded. */
static void test_ends_of_packed_series_are_cut(void **state) {
  (void)state;
  enum { SERIES = 40, ROWS = 2000 };
  for (int64_t p = 0; p < 3; p++)
    add_grid(1, SERIES, p * ROWS, 1, ROWS);
  for (int way = 0; way < 4; way++) {
    struct store_scan_spec spec = all_rows();
    if (way % 2) {
      spec.head = 1;
    } else {
      spec.tail = 1;
    }
    if (way >= 2) { /* inside a part */
      spec.key_min = ROWS + 100;
      spec.key_max = 2 * ROWS - 100;
    }
    int64_t wanted = way == 0   ? 3 * ROWS - 1
                     : way == 1 ? 0
                     : way == 2 ? spec.key_max
                                : spec.key_min;
    struct scan_input input = {
        .policy = STORE_NEWEST_COLUMN, .parts = parts, .part_count = part_count};
    struct store_scan *scan = NULL;
    struct store_chunk chunk;
    struct store_scan_figures figures;
    uint64_t series = 0;
    assert_int_equal(store__scan_create(&input, &spec, &scan, NULL), ERR_OK);
    for (;;) {
      assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
      if (chunk.rows == 0) break;
      if (way < 2) assert_int_equal(chunk.rows, chunk.run_count);
      const struct store_image *images;
      uint32_t count;
      assert_int_equal(store_scan_images(scan, &chunk, 0, &images, &count, NULL), ERR_OK);
      assert_true(count > 0 && count <= chunk.run_count);
      store_scan_figures(scan, &figures);
      uint64_t read = figures.bytes_read;
      assert_int_equal(store_scan_load(scan, &chunk, true, 0, NULL), ERR_OK);
      store_scan_figures(scan, &figures);
      if (way < 2) assert_int_equal(figures.bytes_read, read); /* no keys */
      for (uint32_t i = 0; i < chunk.run_count; i++) {
        const struct store_run *run = &chunk.runs[i];
        assert_int_equal(run->series, ++series);
        assert_int_equal(chunk.keys[way % 2 ? run->row : run->row + run->rows - 1], wanted);
      }
    }
    assert_int_equal(series, SERIES);
    store_scan_close(scan);
  }
}

static void test_deleted_blocks_are_not_read(void **state) {
  (void)state;
  static const uint64_t one[] = {1};
  struct model_rows none = {0};
  add_grid(1, 2, 0, 1, 8192 * 4);
  add_part(&none, &(struct store_tombstone){NULL, 0, INT64_MIN, 8192 * 2 - 1});
  add_part(&none, &(struct store_tombstone){one, 1, 8192 * 3, INT64_MAX});
  struct store_scan_spec spec = all_rows();
  struct outcome outcome = run(&spec, false);
  assert_int_equal(outcome.rows, 8192 * 3);
  assert_int_equal(outcome.figures.blocks_skipped, 5);
  assert_int_equal(outcome.figures.blocks_by_statistics, 3);
  assert_int_equal(outcome.figures.blocks_read, 0);
}

static void test_bad_questions(void **state) {
  (void)state;
  static const uint64_t unordered[] = {4, 4};
  static const uint32_t zero[] = {0};
  struct {
    const char *name;
    struct store_scan_spec spec;
    const char *says;
  } cases[] = {
      {"keys", all_rows(), "key range"},
      {"series", all_rows(), "series range"},
      {"series list", all_rows(), "not ascending"},
      {"column", all_rows(), "column id 0"},
  };
  cases[0].spec.key_min = 5, cases[0].spec.key_max = 4;
  cases[1].spec.series_min = 5, cases[1].spec.series_max = 4;
  cases[2].spec.series = unordered, cases[2].spec.series_count = 2;
  cases[3].spec.columns = zero;
  struct scan_input input = {.policy = STORE_KEEP_ALL};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct store_scan *scan;
    struct err err;
    assert_int_equal(store__scan_create(&input, &cases[i].spec, &scan, &err), ERR_INVALID_ARGUMENT);
    if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].name, err.message);
  }
  assert_int_equal(mem_account_used(&account), 0);
}

static void test_empty_inputs(void **state) {
  (void)state;
  struct store_scan_spec spec = all_rows();
  assert_int_equal(run(&spec, true).rows, 0); /* no parts */
  static const uint64_t none[] = {0};
  add_grid(1, 1, 0, 1, 3);
  spec.series = none;
  assert_int_equal(run(&spec, true).rows, 0); /* an empty list of series */
  spec = all_rows();
  spec.column_count = 0;
  assert_int_equal(run(&spec, true).rows, 3); /* keys only */
}

/* ---- memory ---- */

/* Parts that make every part of the union work. */
static void add_mixture(void) {
  struct model_rows rows = {0};
  for (uint64_t p = 0; p < 3; p++) {
    rows.count = 0;
    for (uint64_t s = 1; s < 40; s++)
      for (int64_t i = 0; i < 60; i++)
        model_add(&rows, (struct model_row){.series = s,
                                            .key = i * 3 + (int64_t)(p * (s % 4)),
                                            .present = (uint8_t)(s % 63 + 1),
                                            .value = {1, 2, 3, (uint16_t)i, 5, 6}});
    add_part(&rows, p == 1 ? &(struct store_tombstone){NULL, 0, 10, 20} : NULL);
  }
  model_free(&rows);
}

static int scan_all(struct mem_account *charged, uint64_t *rows) {
  struct scan_input input = {
      .policy = STORE_NEWEST_COLUMN, .parts = parts, .part_count = part_count};
  struct store_scan_spec spec = all_rows();
  spec.columns = model_ids;
  spec.column_count = MODEL_COLUMNS;
  spec.account = charged;
  struct store_scan *scan = NULL;
  struct store_chunk chunk;
  *rows = 0;
  int code = store__scan_create(&input, &spec, &scan, NULL);
  while (!code && !(code = store_scan_next(scan, &chunk, NULL)) && chunk.rows) {
    *rows += chunk.rows;
    code = store_scan_load(scan, &chunk, true, UINT64_MAX, NULL);
  }
  store_scan_close(code && !scan ? NULL : scan);
  return code;
}

static void test_refused_memory(void **state) {
  (void)state;
  uint64_t expected, rows;
  add_mixture();
  assert_int_equal(scan_all(&account, &expected), ERR_OK);
  for (int64_t nth = 1;; nth++) {
    struct mem_account charged;
    mem_account_init(&charged, "scan", NULL, 0);
    atomic_store(&charged.fail_countdown, nth);
    int code = scan_all(&charged, &rows);
    bool finished = atomic_load(&charged.fail_countdown) > 0;
    assert_int_equal(code, finished ? ERR_OK : ERR_NO_MEMORY);
    if (finished) assert_int_equal(rows, expected);
    mem_account_deinit(&charged); /* asserts that all is back */
    if (finished) break;
  }
  for (int64_t limit = 1000; limit < 400000; limit += limit / 3) {
    struct mem_account charged;
    mem_account_init(&charged, "scan", NULL, limit);
    int code = scan_all(&charged, &rows);
    assert_true(code == ERR_MEMORY_LIMIT || (code == ERR_OK && rows == expected));
    if (limit < 2000) assert_int_equal(code, ERR_MEMORY_LIMIT);
    mem_account_deinit(&charged);
  }
}

static void test_memory_does_not_grow_with_rows(void **state) {
  (void)state;
  uint64_t rows;
  add_grid(1, 1, 0, 10, 8192 * 30);
  add_grid(1, 1, 5, 10, 8192 * 30); /* interleaved throughout */
  struct mem_account charged;
  mem_account_init(&charged, "scan", NULL, 4 << 20);
  assert_int_equal(scan_all(&charged, &rows), ERR_OK);
  assert_int_equal(rows, 8192 * 60);
  mem_account_deinit(&charged);
}

static void test_closing_early(void **state) {
  (void)state;
  add_mixture();
  struct scan_input input = {
      .policy = STORE_NEWEST_COLUMN, .parts = parts, .part_count = part_count};
  struct store_scan_spec spec = all_rows();
  struct store_scan *scan;
  struct store_chunk chunk;
  for (int steps = 0; steps < 3; steps++) {
    assert_int_equal(store__scan_create(&input, &spec, &scan, NULL), ERR_OK);
    for (int i = 0; i < steps; i++) {
      assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
      assert_int_equal(store_scan_load(scan, &chunk, i > 0, 1, NULL), ERR_OK);
    }
    store_scan_close(scan);
  }
  /* the parts go first: the scan holds them */
  assert_int_equal(store__scan_create(&input, &spec, &scan, NULL), ERR_OK);
  drop_parts();
  assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
  assert_int_equal(store_scan_load(scan, &chunk, true, 1, NULL), ERR_OK);
  assert_true(chunk.rows > 0);
  store_scan_close(scan);
  assert_int_equal(mem_account_used(&account), 0);
}

/* After the end, the end again. */
static void test_the_end_stays(void **state) {
  (void)state;
  add_grid(1, 2, 0, 1, 10);
  struct scan_input input = {.policy = STORE_KEEP_ALL, .parts = parts, .part_count = part_count};
  struct store_scan_spec spec = all_rows();
  struct store_scan *scan;
  struct store_chunk chunk;
  assert_int_equal(store__scan_create(&input, &spec, &scan, NULL), ERR_OK);
  assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
  assert_int_equal(chunk.rows, 20);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
    assert_int_equal(chunk.rows, 0);
    assert_int_equal(store_scan_load(scan, &chunk, true, 1, NULL), ERR_OK);
  }
  store_scan_close(scan);
}

/* ---- damage ---- */

/* Scans everything into one number; an error is returned. */
static int scan_sum(uint64_t *sum) {
  struct scan_input input = {
      .policy = STORE_NEWEST_COLUMN, .parts = parts, .part_count = part_count};
  struct store_scan_spec spec = all_rows();
  struct store_scan *scan = NULL;
  struct store_chunk chunk;
  *sum = 0;
  int code = store__scan_create(&input, &spec, &scan, NULL);
  while (!code && !(code = store_scan_next(scan, &chunk, NULL)) && chunk.rows) {
    code = store_scan_load(scan, &chunk, true, 1, NULL);
    for (uint32_t i = 0; i < chunk.rows && !code; i++)
      *sum = *sum * 31 + (uint64_t)chunk.keys[i] * 7 +
             (column_is_valid(&chunk.columns[0], i) ? chunk.columns[0].u64[i] : 3);
  }
  store_scan_close(scan);
  return code;
}

/* One flipped bit anywhere in a part: an error or the same rows, never others. */
static void test_damage_is_an_error(void **state) {
  (void)state;
  struct part_writer_options options = {
      .store = 7, .policy = STORE_NEWEST_COLUMN, .level = CODEC_FAST};
  struct part_ending ending = {.commit_min = 1, .commit_max = 1};
  struct part_writer *writer = NULL;
  struct part_memory *memory = NULL;
  struct model_rows rows = {0};
  struct model_batch batch;
  uint64_t size, expected, sum;
  for (uint64_t s = 1; s <= 40; s++)
    for (int64_t i = 0; i < (s == 9 ? 9000 : 30); i++)
      model_add(&rows, (struct model_row){.series = s,
                                          .key = i * i,
                                          .present = (uint8_t)(i % 3 > 0),
                                          .value = {(uint16_t)(i * 7)}});
  assert_int_equal(part_writer_create(&options, &account, NULL, 0, &writer, NULL), ERR_OK);
  model_batch_init(&batch, rows.rows, rows.count, STORE_NEWEST_COLUMN, &account);
  assert_int_equal(part_writer_append_last(writer, &batch.rows, NULL), ERR_OK);
  assert_int_equal(part_writer_finish(writer, &ending, &size, &memory, NULL), ERR_OK);
  part_writer_destroy(writer);
  model_batch_deinit(&batch);
  model_free(&rows);
  add_grid(1, 12, 3, 50, 40); /* something to merge with */
  model_random_state = model_seed(20240704);
  for (int round = -1; round < 400; round++) {
    uint64_t bit = model_below(size * 8);
    if (round >= 0) memory->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    int code = part_open_memory(memory, 0, size, &account, 0, &parts[part_count], NULL);
    if (!code) {
      part_count++;
      code = scan_sum(&sum);
      part_release(parts[--part_count]);
    }
    if (round < 0) {
      assert_int_equal(code, ERR_OK);
      expected = sum;
      continue;
    }
    if (code)
      assert_int_equal(err_info(code)->class, ERR_CLASS_CORRUPTION);
    else
      assert_int_equal(sum, expected);
    memory->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  part_memory_release(memory);
}

/* ---- scans beside a writer ---- */

struct race {
  struct open_part *open;
  _Atomic uint64_t commit;
  _Atomic int failures;
};

static void scan_until_done(void *context) {
  struct race *race = context;
  struct mem_account charged;
  mem_account_init(&charged, "reader", NULL, 0);
  for (uint64_t commit = 0; commit < 200;) {
    commit = atomic_load(&race->commit);
    struct scan_input input = {.policy = STORE_NEWEST_COLUMN,
                               .parts = parts,
                               .part_count = part_count,
                               .open = race->open,
                               .open_commit = commit};
    struct store_scan_spec spec = all_rows();
    spec.account = &charged;
    struct store_scan *scan;
    struct store_chunk chunk;
    uint64_t rows = 0;
    int code = store__scan_create(&input, &spec, &scan, NULL);
    if (code) {
      atomic_fetch_add(&race->failures, 1);
      break;
    }
    while (!(code = store_scan_next(scan, &chunk, NULL)) && chunk.rows) {
      code = store_scan_load(scan, &chunk, true, 1, NULL);
      if (code) break;
      for (uint32_t i = 0; i < chunk.rows; i++) /* newer rows hold 7 */
        if (chunk.keys[i] >= 1000 && chunk.columns[0].i64[i] != 7 * 1000003 - 5)
          atomic_fetch_add(&race->failures, 1);
      rows += chunk.rows;
    }
    if (code || rows != 5 * 400 + 2 * commit) atomic_fetch_add(&race->failures, 1);
    store_scan_close(scan);
  }
  mem_account_deinit(&charged);
}

static void test_scans_beside_a_writer(void **state) {
  (void)state;
  add_grid(1, 5, 0, 2, 400);
  struct race race = {0};
  struct model_rows rows = {0};
  struct open_part *empty = NULL;
  struct model_batch batch;
  bool full;
  for (uint32_t i = 0; i < 1000; i++)
    model_add(&rows, (struct model_row){.series = 1, .key = i, .present = 1});
  assert_int_equal(open_part_create(7, STORE_NEWEST_COLUMN, os, &account, &empty, NULL), ERR_OK);
  model_batch_init(&batch, rows.rows, rows.count, STORE_NEWEST_COLUMN, &account);
  assert_int_equal(open_part_grow(empty, &batch.rows, &race.open, NULL), ERR_OK);
  model_batch_deinit(&batch);
  open_part_release(empty);
  struct os_thread *readers[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(os_thread_create(os, "reader", scan_until_done, &race, &readers[i], NULL),
                     ERR_OK);
  for (uint64_t n = 1; n <= 200; n++) { /* new keys of two series, and a row that is there */
    rows.count = 0;
    model_add(&rows,
              (struct model_row){
                  .series = n % 5 + 1, .key = 1000 + (int64_t)n, .present = 1, .value = {7}});
    model_add(&rows, (struct model_row){
                         .series = 6, .key = 1000 + (int64_t)n, .present = 1, .value = {7}});
    model_batch_init(&batch, rows.rows, rows.count, STORE_NEWEST_COLUMN, &account);
    assert_int_equal(open_part_append(race.open, &batch.rows, n, &full, NULL), ERR_OK);
    assert_false(full);
    model_batch_deinit(&batch);
    atomic_store(&race.commit, n);
    if (n % 8 == 0) os_thread_yield(os);
  }
  for (int i = 0; i < 2; i++)
    os_thread_join(readers[i]);
  assert_int_equal(atomic_load(&race.failures), 0);
  open_part_release(race.open);
  model_free(&rows);
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
      cmocka_unit_test_teardown(test_whole_blocks_are_not_read, clean),
      cmocka_unit_test_teardown(test_an_overlay_costs_one_block, clean),
      cmocka_unit_test_teardown(test_key_range_skips_blocks, clean),
      cmocka_unit_test_teardown(test_tail_does_not_read_history, clean),
      cmocka_unit_test_teardown(test_tail_of_long_series, clean),
      cmocka_unit_test_teardown(test_ends_of_long_series_are_cut, clean),
      cmocka_unit_test_teardown(test_ends_of_packed_series_are_cut, clean),
      cmocka_unit_test_teardown(test_deleted_blocks_are_not_read, clean),
      cmocka_unit_test_teardown(test_bad_questions, clean),
      cmocka_unit_test_teardown(test_empty_inputs, clean),
      cmocka_unit_test_teardown(test_refused_memory, clean),
      cmocka_unit_test_teardown(test_memory_does_not_grow_with_rows, clean),
      cmocka_unit_test_teardown(test_closing_early, clean),
      cmocka_unit_test_teardown(test_the_end_stays, clean),
      cmocka_unit_test_teardown(test_damage_is_an_error, clean),
      cmocka_unit_test_teardown(test_scans_beside_a_writer, clean),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
