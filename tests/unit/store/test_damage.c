/* Bits turn in files of parts while the shard is open: no row of a damaged part comes out from then
 * on, the other parts answer, the answer says so, and nothing is merged across the damage. */
#include "base/checksum.h"
#include "shard_fixture.h"
#include "store/health.h"
#include "store/shard_private.h"

/* The file of the only store's part `index`. */
static void part_path(struct fixture *fixture, uint64_t store, size_t index, char *out,
                      size_t size) {
  struct store_snapshot *snapshot;
  struct store_part *const *parts;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  assert_true(store_snapshot_parts(snapshot, store, &parts) > index);
  struct store_part_facts facts;
  store_part_facts(parts[index], &facts);
  shard__part_path(fixture->shard, facts.id >> 20, out, size);
  store_snapshot_release(snapshot);
}

static uint64_t file_bytes(struct fixture *fixture, const char *path) {
  struct os_file *file;
  uint64_t size;
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  os_file_close(file);
  return size;
}

static void flip(struct fixture *fixture, const char *path, uint64_t bit) {
  assert_int_equal(os_sim_flip_bit(fixture->os, path, bit, NULL), ERR_OK);
}

/* ---- reading past damage ---- */

struct answer {
  struct row_list list;
  size_t capacity;
  uint64_t damaged;
  unsigned voided; /* chunks */
};

static void add_row(struct answer *answer, struct row row) {
  if (answer->list.count == answer->capacity) {
    answer->capacity = answer->capacity ? 2 * answer->capacity : 1024;
    answer->list.rows = realloc(answer->list.rows, answer->capacity * sizeof(struct row));
  }
  answer->list.rows[answer->list.count++] = row;
}

struct reading {
  struct fixture *fixture;
  struct store_snapshot *snapshot;
  struct store_scan *scan;
  struct answer answer;
};

static int begin(struct reading *reading, struct fixture *fixture, struct store_scan_spec *spec,
                 struct err *err) {
  static const uint32_t column = VALUE_COLUMN;
  *reading = (struct reading){.fixture = fixture};
  spec->columns = &column;
  spec->column_count = 1;
  spec->account = &fixture->account;
  if (!spec->series_max) spec->series_max = UINT64_MAX;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &reading->snapshot, NULL), ERR_OK);
  return store_scan_open(reading->snapshot, spec, &reading->scan, err);
}

/* One chunk; *more false: the end. */
static int step(struct reading *reading, bool *more, struct err *err) {
  struct store_chunk chunk;
  *more = true;
  int code = store_scan_next(reading->scan, &chunk, err);
  if (code) return code;
  *more = chunk.rows > 0;
  if (!chunk.rows) return ERR_OK;
  code = store_scan_load(reading->scan, &chunk, true, 1, err);
  if (code == ERR_CONFLICT) {
    reading->answer.voided++;
    return ERR_OK;
  }
  for (uint32_t i = 0; i < chunk.run_count && !code; i++)
    for (uint32_t j = 0; j < chunk.runs[i].rows; j++) {
      uint32_t row = chunk.runs[i].row + j;
      add_row(&reading->answer,
              (struct row){chunk.runs[i].series, chunk.keys[row], chunk.columns[0].i64[row]});
    }
  return code;
}

static struct answer end(struct reading *reading) {
  struct store_scan_figures of;
  store_scan_figures(reading->scan, &of);
  reading->answer.damaged = of.parts_damaged;
  store_scan_close(reading->scan);
  store_snapshot_release(reading->snapshot);
  return reading->answer;
}

static struct answer ask(struct fixture *fixture, struct store_scan_spec spec) {
  struct reading reading;
  struct err err;
  err_reset(&err);
  if (!spec.key_min && !spec.key_max) spec.key_min = INT64_MIN, spec.key_max = INT64_MAX;
  if (begin(&reading, fixture, &spec, &err)) fail_err(&err, "open");
  for (bool more = true; more;)
    if (step(&reading, &more, &err)) fail_err(&err, "step");
  return end(&reading);
}

/* Three parts: series 1 and 2, whose keys interleave; value = 10 × key + part. Part 1 holds keys
 * that are 1 above a multiple of 3. */
enum { PARTS = 3, ROWS = 600 };

static void fill(struct fixture *fixture) {
  for (int part = 0; part < PARTS; part++) {
    for (uint64_t series = 1; series <= 2; series++) {
      struct rows rows;
      struct err err;
      rows_init(&rows, 1, series, 0, 0, ROWS);
      rows.rows.columns = &rows.column;
      for (int i = 0; i < ROWS; i++) {
        rows.keys[i] = 3 * i + part;
        rows.values[i] = 10 * rows.keys[i] + part;
      }
      if (store_write(fixture->shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
      rows_deinit(&rows);
    }
    flush(fixture, 1);
  }
}

/* Rows of both series in order, each once, without those of the parts whose bit is set. */
static void expect_without(const struct answer *answer, unsigned missing) {
  size_t at = 0;
  for (uint64_t series = 1; series <= 2; series++)
    for (int64_t key = 0; key < PARTS * ROWS; key++) {
      if (missing & 1u << key % 3) continue;
      assert_true(at < answer->list.count);
      const struct row *row = &answer->list.rows[at++];
      assert_int_equal(row->series, series);
      assert_int_equal(row->key, key);
      assert_int_equal(row->value, 10 * key + key % 3);
    }
  assert_int_equal(answer->list.count, at);
}

static void ask_without(struct fixture *fixture, unsigned missing) {
  struct answer answer = ask(fixture, (struct store_scan_spec){.store = 1});
  expect_without(&answer, missing);
  assert_int_equal(answer.damaged, __builtin_popcount(missing));
  free(answer.list.rows);
}

/* ---- tests ---- */

static void test_r4_one_turned_bit_anywhere_in_a_part(void **state) {
  (void)state;
  unsigned noticed = 0, harmless = 0;
  uint64_t bits = 8;
  for (uint64_t bit = 3; bit < bits; bit += 131) {
    struct fixture fixture;
    char path[4096];
    fixture_init(&fixture, 1);
    fixture_open(&fixture);
    fill(&fixture);
    fixture_reopen(&fixture); /* nothing but the tail is in memory */
    part_path(&fixture, 1, 1, path, sizeof path);
    bits = 8 * file_bytes(&fixture, path);
    flip(&fixture, path, bit);
    struct answer answer = ask(&fixture, (struct store_scan_spec){.store = 1});
    expect_without(&answer, answer.damaged ? 2 : 0);
    free(answer.list.rows);
    if (answer.damaged) {
      noticed++;
      assert_int_equal(figures(&fixture).parts_damaged, 1);
      assert_int_equal(figures(&fixture).parts_quarantined, 1);
      ask_without(&fixture, 2);
    } else {
      harmless++; /* the file's header, the tail that was read, the section for the layer above */
    }
    fixture_deinit(&fixture);
  }
  assert_true(noticed > 20);
  assert_true(harmless < noticed);
}

/* The same for parts that are directories: any file of one. */
struct names {
  char names[32][300];
  unsigned count;
};
static int visit_name(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  if (!is_dir && names->count < 32)
    snprintf(names->names[names->count++], sizeof names->names[0], "%s", name);
  return 0;
}

static void test_r4_one_turned_bit_in_any_file_of_a_directory(void **state) {
  (void)state;
  unsigned noticed[32] = {0}, tried[32] = {0};
  struct names names = {.count = 0};
  bool more = true;
  for (uint64_t bit = 3; more; bit += 307) {
    more = false;
    for (unsigned file = 0; file == 0 || file < names.count; file++) {
      struct fixture fixture;
      char path[4096], of[4600];
      fixture_init(&fixture, 10);
      fixture.options.form = STORE_FORM_ALONE;
      fixture_open(&fixture);
      fill(&fixture);
      fixture_reopen(&fixture);
      part_path(&fixture, 1, 1, path, sizeof path);
      names.count = 0;
      assert_int_equal(os_dir_list(fixture.os, path, visit_name, &names, NULL), ERR_OK);
      assert_true(names.count > 1);
      snprintf(of, sizeof of, "%s/%s", path, names.names[file]);
      if (bit < 8 * file_bytes(&fixture, of)) {
        more = true;
        flip(&fixture, of, bit);
        for (int round = 0; round < 2; round++) { /* while it runs, and after a start */
          struct answer answer = ask(&fixture, (struct store_scan_spec){.store = 1});
          expect_without(&answer, answer.damaged ? 2 : 0);
          noticed[file] += round == 1 && answer.damaged;
          free(answer.list.rows);
          fixture_reopen(&fixture);
        }
        tried[file]++;
      }
      fixture_deinit(&fixture);
    }
  }
  for (unsigned file = 0; file < names.count; file++) {
    print_message("%s: %u of %u\n", names.names[file], noticed[file], tried[file]);
    assert_true(tried[file] > 0);
    bool of_rows = !strcmp(names.names[file], "keys.bin") || strstr(names.names[file], ".td");
    if (of_rows || !strcmp(names.names[file], "meta.bin")) assert_true(noticed[file] > 0);
  }
}

/* A directory's files get their second names one by one: what a crash left half done is completed.
 */
static void test_r4_quarantine_has_every_file_of_a_directory(void **state) {
  (void)state;
  struct fixture fixture;
  struct names there = {.count = 0}, kept = {.count = 0};
  char path[4096], of[4600], in[64];
  fixture_init(&fixture, 20);
  fixture.options.form = STORE_FORM_ALONE;
  fixture_open(&fixture);
  fill(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  fixture_close(&fixture);
  snprintf(in, sizeof in, "/shard/quarantine/%s", strrchr(path, '/') + 1);
  assert_int_equal(os_dir_list(fixture.os, path, visit_name, &there, NULL), ERR_OK);
  assert_int_equal(os_dir_create(fixture.os, in, NULL), ERR_OK);
  snprintf(of, sizeof of, "%s/keys.bin", path);
  char to[128];
  snprintf(to, sizeof to, "%s/keys.bin", in);
  assert_int_equal(os_file_link(fixture.os, of, to, NULL), ERR_OK);
  flip(&fixture, of, 8 * 20);
  fixture_open(&fixture);
  ask_without(&fixture, 2);
  fixture_close(&fixture);
  os_sim_crash(fixture.os); /* and durably so */
  os_sim_reboot(fixture.os, OS_SIM_LOSS_ALL);
  assert_int_equal(os_dir_list(fixture.os, in, visit_name, &kept, NULL), ERR_OK);
  assert_int_equal(kept.count, there.count);
  fixture_deinit(&fixture);
}

static void test_r4_rows_that_were_given_are_not_given_again(void **state) {
  (void)state;
  for (unsigned chunks = 0; chunks < 2; chunks++) {
    struct fixture fixture;
    struct reading reading;
    struct err err;
    char path[4096];
    fixture_init(&fixture, 2);
    fixture_open(&fixture);
    /* two series of two parts, each more than a chunk */
    enum { MANY = 9000 };
    for (int part = 0; part < 2; part++) {
      for (uint64_t series = 1; series <= 3; series++) {
        struct rows rows;
        rows_init(&rows, 1, series, 0, 0, MANY);
        rows.rows.columns = &rows.column;
        for (int i = 0; i < MANY; i++)
          rows.keys[i] = rows.values[i] = 2 * i + part;
        if (store_write(fixture.shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
        rows_deinit(&rows);
      }
      flush(&fixture, 1);
    }
    struct store_scan_spec spec = {.store = 1, .key_min = INT64_MIN, .key_max = INT64_MAX};
    assert_int_equal(begin(&reading, &fixture, &spec, &err), ERR_OK);
    bool more = true;
    for (unsigned i = 0; i < chunks; i++)
      assert_int_equal(step(&reading, &more, &err), ERR_OK);
    size_t given = reading.answer.list.count;
    assert_true((given > 0) == (chunks > 0));
    part_path(&fixture, 1, 1, path, sizeof path);
    uint64_t bytes = file_bytes(&fixture, path);
    for (uint64_t at = 64; at < bytes * 3 / 4; at += 16)
      flip(&fixture, path, 8 * at);
    while (more)
      if (step(&reading, &more, &err)) fail_err(&err, "step");
    struct answer answer = end(&reading);
    assert_int_equal(answer.damaged, 1);
    /* ascending, each once, and behind what was given only the first part's */
    for (size_t i = 1; i < answer.list.count; i++) {
      const struct row *row = &answer.list.rows[i];
      assert_true(row->series > row[-1].series ||
                  (row->series == row[-1].series && row->key > row[-1].key));
      assert_int_equal(row->value, row->key);
    }
    size_t even = 0;
    for (size_t i = 0; i < answer.list.count; i++)
      even += answer.list.rows[i].key % 2 == 0;
    assert_int_equal(even, 3 * MANY);
    free(answer.list.rows);
    fixture_deinit(&fixture);
  }
}

/* ---- damage at any moment of any scan ---- */

enum { STORM_PARTS = 4, STORM_SERIES = 3, STORM_ROWS = 6000 };

struct storm {
  struct fixture fixture;
  enum store_policy policy;
  uint32_t rows; /* of a series in a part */
  int64_t keys[STORM_PARTS][STORM_SERIES][STORM_ROWS];
  unsigned damaged; /* bit per part */
};

static uint64_t storm_random;
static uint64_t storm_below(uint64_t limit) {
  storm_random += UINT64_C(0x9e3779b97f4a7c15);
  return hash_mix(storm_random) % limit;
}

/* A row's value says where it is from, in the order of writing. */
static int64_t storm_value(uint32_t part, uint32_t at) { return (int64_t)part * STORM_ROWS + at; }

static void storm_fill(struct storm *storm) {
  bool strict = storm->policy == STORE_NEWEST_ROW;
  uint64_t step = 1 + storm_below(4);
  for (uint32_t part = 0; part < STORM_PARTS; part++) {
    for (uint32_t series = 0; series < STORM_SERIES; series++) {
      struct rows rows;
      struct err err;
      int64_t key = (int64_t)storm_below(3 * storm->rows);
      rows_init(&rows, 1, series + 1, 0, 0, storm->rows);
      rows.rows.columns = &rows.column;
      rows.rows.policy = storm->policy;
      for (uint32_t i = 0; i < storm->rows; i++) {
        key += strict + (int64_t)storm_below(step);
        storm->keys[part][series][i] = rows.keys[i] = key;
        rows.values[i] = storm_value(part, i);
      }
      if (store_write(storm->fixture.shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
      rows_deinit(&rows);
    }
    flush(&storm->fixture, 1);
  }
}

static void storm_strike(struct storm *storm, uint32_t part) {
  char path[4096];
  part_path(&storm->fixture, 1, part, path, sizeof path);
  uint64_t bytes = file_bytes(&storm->fixture, path);
  for (uint64_t at = 64; at < bytes * 3 / 4; at += 16)
    flip(&storm->fixture, path, 8 * at);
  storm->damaged |= 1u << part;
}

/* Where a row stands among those of its series: by key, then by the order of writing. */
static bool storm_before(int64_t key, int64_t value, const struct row *row) {
  return key < row->key || (key == row->key && value < row->value);
}

static bool storm_given(const struct answer *answer, size_t from, size_t to, int64_t key,
                        int64_t value) {
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    const struct row *row = &answer->list.rows[middle];
    if (row->key == key && row->value == value) return true;
    if (storm_before(key, value, row))
      to = middle;
    else
      from = middle + 1;
  }
  return false;
}

/* A newer row of the place that came out, or would have before the damage. */
static bool storm_hidden(const struct storm *storm, uint32_t part, uint32_t series, int64_t key) {
  for (uint32_t newer = part + 1; newer < STORM_PARTS; newer++)
    for (uint32_t i = 0; i < storm->rows; i++)
      if (storm->keys[newer][series][i] == key) return true;
  return false;
}

/* Rows [from, to) of the answer are those of a series: every row of a whole part is there, of
 * which head and tail have need. */
static void storm_check_series(const struct storm *storm, const struct answer *answer, size_t from,
                               size_t to, uint32_t series, const struct store_scan_spec *spec) {
  for (uint32_t part = 0; part < STORM_PARTS; part++) {
    if (storm->damaged & 1u << part) continue;
    for (uint32_t i = 0; i < storm->rows; i++) {
      int64_t key = storm->keys[part][series][i], value = storm_value(part, i);
      if (storm_given(answer, from, to, key, value)) continue;
      if (spec->head && to - from >= spec->head &&
          !storm_before(key, value, &answer->list.rows[from + spec->head - 1]))
        continue;
      if (spec->tail && to - from >= spec->tail &&
          storm_before(key, value, &answer->list.rows[to - spec->tail]))
        continue;
      if (storm->policy == STORE_NEWEST_ROW && storm_hidden(storm, part, series, key)) continue;
      fail_msg("series %u key %lld of part %u is missing", series + 1, (long long)key, part);
    }
  }
}

static void storm_check(const struct storm *storm, const struct answer *answer,
                        const struct store_scan_spec *spec) {
  const struct row *rows = answer->list.rows;
  size_t from = 0;
  for (size_t i = 1; i < answer->list.count; i++) {
    bool same = rows[i].series == rows[i - 1].series;
    assert_true(rows[i].series >= rows[i - 1].series);
    if (same) assert_true(storm_before(rows[i - 1].key, rows[i - 1].value, &rows[i]));
    if (same && storm->policy == STORE_NEWEST_ROW)
      assert_true(rows[i].key > rows[i - 1].key); /* a place comes once */
  }
  for (uint32_t series = 0; series < STORM_SERIES; series++) {
    size_t to = from;
    while (to < answer->list.count && rows[to].series == series + 1)
      to++;
    storm_check_series(storm, answer, from, to, series, spec);
    from = to;
  }
}

static void run_storm(uint64_t seed) {
  struct storm *storm = calloc(1, sizeof *storm);
  struct reading reading;
  struct err err;
  storm_random = seed * 1000;
  storm->policy = storm_below(2) ? STORE_KEEP_ALL : STORE_NEWEST_ROW;
  storm->rows = storm_below(3) ? STORM_ROWS : 1 + (uint32_t)storm_below(300);
  fixture_init(&storm->fixture, 1 + seed);
  fixture_open(&storm->fixture);
  storm_fill(storm);
  fixture_reopen(&storm->fixture);
  struct store_scan_spec spec = {.store = 1, .key_min = INT64_MIN, .key_max = INT64_MAX};
  if (storm_below(4) == 0) spec.head = 1 + (uint32_t)storm_below(100);
  if (storm_below(4) == 0) spec.tail = 1 + (uint32_t)storm_below(100);
  uint64_t strikes = 1 + storm_below(3), chunks = storm_below(8), tries = 0;
  for (bool more = true; more; tries++) { /* again after a conflict, each of another part's */
    assert_true(tries <= STORM_PARTS);
    int code = begin(&reading, &storm->fixture, &spec, &err);
    while (more && !code) {
      for (; strikes && chunks == 0; strikes--, chunks = storm_below(3))
        storm_strike(storm, (uint32_t)storm_below(STORM_PARTS));
      chunks -= chunks > 0;
      code = step(&reading, &more, &err);
    }
    if (code && code != ERR_CONFLICT) fail_err(&err, "step");
    if (code) assert_true(err.hint[0]);
    struct answer answer = end(&reading);
    if (!code) storm_check(storm, &answer, &spec);
    free(answer.list.rows);
  }
  fixture_deinit(&storm->fixture);
  free(storm);
}

static void test_r4_damage_at_any_moment(void **state) {
  (void)state;
  const char *text = getenv("NILO_TEST_ROUNDS");
  for (uint64_t seed = 1; seed <= (text ? strtoul(text, NULL, 10) : 60); seed++) {
    if (text) print_message("seed %llu\n", (unsigned long long)seed);
    run_storm(seed);
  }
}

static void test_r4_a_damaged_part_is_a_gap_for_merges(void **state) {
  (void)state;
  struct fixture fixture;
  char path[4096];
  fixture_init(&fixture, 3);
  fixture_open(&fixture);
  fill(&fixture);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  flip(&fixture, path, 8 * 200);
  uint64_t before = file_bytes(&fixture, path);
  merge(&fixture, 1); /* the merge finds it, and leaves everything as it is */
  assert_int_equal(figures(&fixture).parts_damaged, 1);
  assert_int_equal(figures(&fixture).parts, 3);
  assert_int_equal(file_bytes(&fixture, path), before);
  ask_without(&fixture, 2);
  /* what comes later is merged, behind the gap */
  for (int64_t i = 0; i < 2; i++) {
    put(&fixture, 1, 2, 2 + i * 3, 10 * (2 + i * 3) + 2, 1);
    flush(&fixture, 1);
  }
  merge(&fixture, 1);
  assert_int_equal(figures(&fixture).parts, 3); /* the oldest, the damaged, what came later */
  ask_without(&fixture, 2);
  bool did = true;
  for (int i = 0; did && i < 10; i++)
    assert_int_equal(store_work(fixture.shard, &did, NULL), ERR_OK);
  assert_false(did); /* never for ever */
  fixture_deinit(&fixture);
}

static void test_r4_damage_is_remembered_and_mended_by_a_start(void **state) {
  (void)state;
  struct fixture fixture;
  char path[4096], kept[4096];
  fixture_init(&fixture, 4);
  fixture_open(&fixture);
  fill(&fixture);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  flip(&fixture, path, 8 * 200);
  ask_without(&fixture, 2);
  snprintf(kept, sizeof kept, "/shard/quarantine/%s", strrchr(path, '/') + 1);
  assert_true(os_path_exists(fixture.os, kept));
  for (int i = 0; i < 2; i++) {
    fixture_reopen(&fixture);
    assert_int_equal(figures(&fixture).parts_damaged, 1);
    assert_int_equal(store_shard_health(fixture.shard, 1, NULL, NULL), STORE_DEGRADED);
    assert_int_equal(store_shard_health(fixture.shard, 2, NULL, NULL), STORE_HEALTHY);
    ask_without(&fixture, 2);
    merge(&fixture, 1);
    assert_int_equal(figures(&fixture).parts, 3);
  }
  flip(&fixture, path, 8 * 200); /* whole again */
  ask_without(&fixture, 2);      /* but trusted by a start only */
  fixture_reopen(&fixture);
  assert_int_equal(figures(&fixture).parts_damaged, 0);
  assert_int_equal(store_shard_health(fixture.shard, 1, NULL, NULL), STORE_HEALTHY);
  ask_without(&fixture, 0);
  merge(&fixture, 1);
  assert_int_equal(figures(&fixture).parts, 1);
  ask_without(&fixture, 0);
  fixture_deinit(&fixture);
}

static void test_r4_deletions_of_a_damaged_part_still_count(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  char path[4096];
  fixture_init(&fixture, 5);
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 300);
  flush(&fixture, 1);
  assert_int_equal(try_delete(&fixture, 1, 100, 199, &err), ERR_OK);
  put(&fixture, 1, 2, 0, 0, 300);
  flush(&fixture, 1);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  flip(&fixture, path, 8 * 200);
  struct answer answer = ask(&fixture, (struct store_scan_spec){.store = 1});
  assert_int_equal(answer.damaged, 1);
  assert_int_equal(answer.list.count, 200);
  for (size_t i = 0; i < 200; i++)
    assert_int_equal(answer.list.rows[i].key, i < 100 ? i : i + 100);
  free(answer.list.rows);
  fixture_deinit(&fixture);
}

static void test_r4_only_answers_that_may_lack_rows_are_degraded(void **state) {
  (void)state;
  struct fixture fixture;
  char path[4096];
  fixture_init(&fixture, 6);
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 300);
  flush(&fixture, 1);
  put(&fixture, 1, 1, 1000, 1000, 300);
  flush(&fixture, 1);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  flip(&fixture, path, 8 * 200);
  struct answer answer = ask(&fixture, (struct store_scan_spec){.store = 1});
  assert_int_equal(answer.damaged, 1);
  assert_int_equal(answer.list.count, 300);
  free(answer.list.rows);
  answer = ask(&fixture, (struct store_scan_spec){.store = 1, .key_min = 1, .key_max = 900});
  assert_int_equal(answer.damaged, 0);
  assert_int_equal(answer.list.count, 299);
  free(answer.list.rows);
  answer = ask(&fixture, (struct store_scan_spec){.store = 1, .key_min = 1, .key_max = 1000});
  assert_int_equal(answer.damaged, 1);
  assert_int_equal(answer.list.count, 299);
  free(answer.list.rows);
  fixture_deinit(&fixture);
}

static void test_r4_a_dropped_store_takes_its_damage_along(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  char path[4096];
  fixture_init(&fixture, 7);
  fixture_open(&fixture);
  fill(&fixture);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  flip(&fixture, path, 8 * 200);
  ask_without(&fixture, 2);
  assert_int_equal(try_drop(&fixture, 1, &err), ERR_OK);
  flush(&fixture, 0);
  assert_int_equal(figures(&fixture).parts_damaged, 0);
  assert_int_equal(store_shard_health(fixture.shard, 0, NULL, NULL), STORE_HEALTHY);
  fixture_reopen(&fixture);
  assert_int_equal(figures(&fixture).parts_damaged, 0);
  fixture_deinit(&fixture);
}

/* Who holds an older root may meet damage in a part that has been merged away: that answer lacks
 * rows, and no other. */
static void test_r4_damage_of_what_was_merged_away_is_no_illness(void **state) {
  (void)state;
  struct fixture fixture;
  struct reading reading;
  struct store_scan_spec spec = {.store = 1, .key_min = INT64_MIN, .key_max = INT64_MAX};
  struct err err;
  char path[4096];
  fixture_init(&fixture, 11);
  fixture_open(&fixture);
  fill(&fixture);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  assert_int_equal(begin(&reading, &fixture, &spec, &err), ERR_OK);
  merge(&fixture, 1);
  assert_int_equal(figures(&fixture).parts, 1);
  uint64_t bytes = file_bytes(&fixture, path);
  for (uint64_t at = 64; at < bytes * 3 / 4; at += 16)
    flip(&fixture, path, 8 * at);
  for (bool more = true; more;)
    if (step(&reading, &more, &err)) fail_err(&err, "step");
  struct answer answer = end(&reading);
  assert_int_equal(answer.damaged, 1);
  free(answer.list.rows);
  assert_int_equal(figures(&fixture).parts_damaged, 0);
  assert_int_equal(store_shard_health(fixture.shard, 0, NULL, NULL), STORE_HEALTHY);
  ask_without(&fixture, 0);
  /* nor is it a gap: what comes later is merged with what was there */
  put(&fixture, 1, 1, 0, 0, 1);
  flush(&fixture, 1);
  merge(&fixture, 1);
  assert_int_equal(figures(&fixture).parts, 1);
  ask_without(&fixture, 0);
  fixture_deinit(&fixture);
}

struct reasons {
  unsigned count;
  char names[8][32];
  char text[512];
};

static void note_reason(void *context, const struct store_health_reason *reason) {
  struct reasons *reasons = context;
  assert_true(reasons->count < 8);
  assert_true(reason->hint[0]);
  snprintf(reasons->names[reasons->count++], 32, "%s", reason->name);
  snprintf(reasons->text, sizeof reasons->text, "%.*s", (int)reason->text.size, reason->text.data);
}

static void test_r9_health_names_its_reasons(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  struct reasons reasons = {0};
  char path[4096];
  fixture_init(&fixture, 8);
  fixture_open(&fixture);
  assert_int_equal(store_shard_health(fixture.shard, 0, note_reason, &reasons), STORE_HEALTHY);
  assert_int_equal(reasons.count, 0);
  fill(&fixture);
  fixture_reopen(&fixture);
  part_path(&fixture, 1, 1, path, sizeof path);
  flip(&fixture, path, 8 * 200);
  ask_without(&fixture, 2);
  assert_int_equal(store_shard_health(fixture.shard, 0, note_reason, &reasons), STORE_DEGRADED);
  assert_int_equal(reasons.count, 1);
  assert_string_equal(reasons.names[0], "damaged_part");
  assert_non_null(strstr(reasons.text, strrchr(path, '/') + 1));
  put(&fixture, 2, 1, 0, 0, 100);
  os_sim_set_disk_bytes(fixture.os, os_sim_disk_used(fixture.os));
  os_sleep_ns(fixture.os, INT64_C(1000000000));
  assert_int_equal(store_flush(fixture.shard, 0, &err), ERR_DISK_FULL);
  reasons.count = 0;
  assert_int_equal(store_shard_health(fixture.shard, 2, note_reason, &reasons), STORE_DEGRADED);
  assert_int_equal(reasons.count, 2);
  assert_string_equal(reasons.names[0], "disk_pressure");
  assert_string_equal(reasons.names[1], "flush_failing");
  os_sim_set_disk_bytes(fixture.os, UINT64_C(1) << 40);
  flush(&fixture, 0);
  assert_int_equal(store_shard_health(fixture.shard, 2, NULL, NULL), STORE_HEALTHY);
  os_sim_fail_from(fixture.os, os_sim_operations(fixture.os) + 1, ERR_IO);
  assert_int_equal(try_put(&fixture, 2, 1, 100, 100, 1, NULL, &err), ERR_IO);
  reasons.count = 0;
  assert_int_equal(store_shard_health(fixture.shard, 2, note_reason, &reasons), STORE_FAILED);
  assert_string_equal(reasons.names[0], "log_failing");
  os_sim_fail_from(fixture.os, 0, ERR_OK);
  put(&fixture, 2, 1, 100, 100, 1);
  assert_int_equal(store_shard_health(fixture.shard, 2, NULL, NULL), STORE_HEALTHY);
  fixture_deinit(&fixture);
}

static void test_r3_scans_are_capped(void **state) {
  (void)state;
  struct fixture fixture;
  struct reading readings[3];
  struct err err;
  fixture_init(&fixture, 9);
  fixture.options.scans_max = 2;
  fixture_open(&fixture);
  put(&fixture, 1, 1, 0, 0, 10);
  struct store_scan_spec spec = {.store = 1, .key_max = 100};
  for (int i = 0; i < 2; i++)
    assert_int_equal(begin(&readings[i], &fixture, &spec, &err), ERR_OK);
  assert_int_equal(begin(&readings[2], &fixture, &spec, &err), ERR_BUSY);
  assert_int_equal(err_class(err.code), ERR_CLASS_RESOURCE);
  assert_true(err.retry_ms > 0);
  store_snapshot_release(readings[2].snapshot);
  assert_int_equal(figures(&fixture).scans_open, 2);
  assert_int_equal(figures(&fixture).scans_refused, 1);
  end(&readings[0]);
  assert_int_equal(begin(&readings[0], &fixture, &spec, &err), ERR_OK);
  end(&readings[0]);
  end(&readings[1]);
  assert_int_equal(figures(&fixture).scans_open, 0);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r4_one_turned_bit_anywhere_in_a_part),
      cmocka_unit_test(test_r4_one_turned_bit_in_any_file_of_a_directory),
      cmocka_unit_test(test_r4_quarantine_has_every_file_of_a_directory),
      cmocka_unit_test(test_r4_rows_that_were_given_are_not_given_again),
      cmocka_unit_test(test_r4_damage_at_any_moment),
      cmocka_unit_test(test_r4_a_damaged_part_is_a_gap_for_merges),
      cmocka_unit_test(test_r4_damage_is_remembered_and_mended_by_a_start),
      cmocka_unit_test(test_r4_deletions_of_a_damaged_part_still_count),
      cmocka_unit_test(test_r4_only_answers_that_may_lack_rows_are_degraded),
      cmocka_unit_test(test_r4_a_dropped_store_takes_its_damage_along),
      cmocka_unit_test(test_r4_damage_of_what_was_merged_away_is_no_illness),
      cmocka_unit_test(test_r9_health_names_its_reasons),
      cmocka_unit_test(test_r3_scans_are_capped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
