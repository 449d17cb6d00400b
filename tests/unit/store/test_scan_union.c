/* The union of parts against a plain sorted list: random rows, commits, deletions and an open part,
 * split into parts at random, read through random ranges, sets, projections, heads and tails. */
#include "store_model.h"

#include "codec/codec.h"
#include "os/os.h"
#include "store/scan.h"
#include "store/scan_images.h"

enum { PARTS_MAX = 40, COMMITS_MAX = 64, MARKS_MAX = 8 };

static struct os *os;
static struct mem_account account;

/* What one case is made of. */
struct world {
  enum store_policy policy;
  struct model_rows rows; /* all that was ever written, in order of writing */
  struct model_tombstone marks[MARKS_MAX];
  size_t mark_count;
  struct store_part *parts[PARTS_MAX];
  size_t part_count;
  struct open_part *open;
  uint64_t series_max;
};

static bool newest_wins(enum store_policy policy) {
  return policy == STORE_NEWEST_COLUMN || policy == STORE_NEWEST_ROW;
}

/* ---- parts ---- */

static struct store_part *pack(const struct world *world, struct model_rows *rows, uint64_t first,
                               uint64_t last) {
  struct part_writer_options options = {.store = 7, .policy = world->policy, .level = CODEC_FAST};
  struct part_writer *writer = NULL;
  struct err err;
  err_reset(&err);
  assert_int_equal(part_writer_create(&options, &account, NULL, 0, &writer, &err), ERR_OK);
  size_t at = 0;
  while (at < rows->count) { /* in appends of any size */
    size_t count = model_below(3) ? rows->count - at : 1 + model_below(rows->count - at);
    struct model_batch batch;
    model_batch_init(&batch, rows->rows + at, count, world->policy, &account);
    if (part_writer_append(writer, &batch.rows, &err)) fail_msg("%s", err.message);
    model_batch_deinit(&batch);
    at += count;
  }
  struct store_tombstone tombstones[MARKS_MAX];
  uint64_t commits[MARKS_MAX];
  uint32_t count = 0;
  for (size_t i = 0; i < world->mark_count; i++) {
    const struct model_tombstone *mark = &world->marks[i];
    if (mark->commit < first || mark->commit > last) continue;
    commits[count] = mark->commit;
    tombstones[count++] = (struct store_tombstone){
        mark->series_count ? mark->series : NULL, mark->series_count, mark->key_min, mark->key_max};
  }
  struct part_ending ending = {.commit_min = first,
                               .commit_max = last,
                               .tombstones = tombstones,
                               .tombstone_commits = commits,
                               .tombstone_count = count};
  struct part_memory *memory = NULL;
  struct store_part *part = NULL;
  uint64_t size;
  if (part_writer_finish(writer, &ending, &size, &memory, &err)) fail_msg("%s", err.message);
  if (part_open_memory(memory, 0, size, &account, 0, &part, &err)) fail_msg("%s", err.message);
  part_memory_release(memory);
  part_writer_destroy(writer);
  return part;
}

/* Commits [first, last] as one part: of one commit as it was written, of several as a merge leaves
 * them. */
static void add_part(struct world *world, uint64_t first, uint64_t last) {
  struct model_rows rows = {0};
  for (size_t i = 0; i < world->rows.count; i++) {
    const struct model_row *row = &world->rows.rows[i];
    if (row->commit < first || row->commit > last) continue;
    bool deleted = false;
    for (size_t m = 0; m < world->mark_count; m++)
      if (world->marks[m].commit <= last) deleted |= model_deleted(row, &world->marks[m], 1);
    if (!deleted) model_add(&rows, *row);
  }
  if (first == last)
    model_sort(&rows);
  else
    model_fold(&rows, world->policy);
  world->parts[world->part_count++] = pack(world, &rows, first, last);
  model_free(&rows);
}

static void add_open(struct world *world, uint64_t first, uint64_t last) {
  assert_int_equal(open_part_create(7, world->policy, os, &account, &world->open, NULL), ERR_OK);
  for (uint64_t commit = first; commit <= last; commit++) {
    struct model_rows rows = {0};
    for (size_t i = 0; i < world->rows.count; i++)
      if (world->rows.rows[i].commit == commit) model_add(&rows, world->rows.rows[i]);
    model_sort(&rows);
    struct model_batch batch;
    model_batch_init(&batch, rows.rows, rows.count, world->policy, &account);
    bool full;
    assert_int_equal(open_part_append(world->open, &batch.rows, commit, &full, NULL), ERR_OK);
    if (full) {
      struct open_part *grown = NULL;
      assert_int_equal(open_part_grow(world->open, &batch.rows, &grown, NULL), ERR_OK);
      open_part_release(world->open);
      world->open = grown;
      assert_int_equal(open_part_append(grown, &batch.rows, commit, &full, NULL), ERR_OK);
      assert_false(full);
    }
    model_batch_deinit(&batch);
    model_free(&rows);
  }
}

/* ---- making worlds ---- */

struct shape {
  const char *name;
  uint64_t series_max, commits_max, rows_max, keys_max;
  unsigned advance; /* keys begin this much later with each commit */
  bool deletes;
  uint8_t columns; /* that may be present */
  bool uneven;     /* keys are dense at the low end, sparse at the high one */
};

static const struct shape shapes[] = {
    {"tiny", 3, 4, 6, 8, 0, true, 63, false},
    {"small", 12, 8, 40, 40, 0, true, 63, false},
    {"advancing", 6, 12, 60, 30, 25, true, 63, false},
    {"apart", 5, 10, 80, 50, 50, false, 63, false},
    {"one place", 2, 10, 10, 2, 0, false, 7, false},
    {"many series", 400, 5, 600, 20, 0, true, 3, false},
    {"late rows", 3, 6, 700, 2000, 1900, true, 15, false},
    {"few and many", 2, 3, 1500, 1500, 0, true, 63, false},
    {"extreme keys", 4, 6, 40, 0, 0, true, 63, false},
    {"long", 2, 3, 14000, 30000, 0, false, 5, false},
    {"long and apart", 2, 4, 12000, 20000, 19000, true, 8, false},
    {"long and packed", 3000, 4, 12000, 20, 15, false, 1, false},
    {"long in one place", 1, 4, 9000, 3, 0, false, 1, false},
    {"long and uneven", 2, 3, 12000, 2500, 0, true, 31, true},
    {"long with holes", 1, 2, 8000, 3000, 2000000, false, 63, true},
};

static int64_t random_key(const struct shape *shape, uint64_t commit) {
  static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
  if (shape->keys_max == 0) return extremes[model_below(7)];
  uint64_t key = model_below(shape->keys_max);
  if (shape->uneven) key = key * key * key / 1000;
  return (int64_t)(key + shape->advance * commit) - 20;
}

static void write_commit(struct world *world, const struct shape *shape, uint64_t commit) {
  struct model_rows rows = {0};
  uint64_t count = model_below(8) ? model_below(shape->rows_max + 1) : model_below(3);
  if (model_below(3) == 0) count /= 30; /* few rows over many, or under them */
  uint8_t columns = model_below(3) ? shape->columns : (uint8_t)(shape->columns & model_random());
  bool dense = model_below(2);
  for (uint64_t i = 0; i < count; i++) {
    struct model_row row = {.series = 1 + model_below(shape->series_max),
                            .key = random_key(shape, commit),
                            .commit = commit,
                            .order = (uint32_t)i};
    if (model_below(200) == 0) row.series = UINT64_MAX;
    row.present = dense ? columns : (uint8_t)(columns & model_random());
    for (int c = 0; c < MODEL_COLUMNS; c++)
      row.value[c] = (uint16_t)model_below(model_below(2) ? 3 : 60000);
    model_add(&rows, row);
  }
  model_fold(&rows, newest_wins(world->policy) ? world->policy : STORE_KEEP_ALL);
  for (size_t i = 0; i < rows.count; i++) {
    rows.rows[i].order = (uint32_t)world->rows.count;
    model_add(&world->rows, rows.rows[i]);
  }
  model_free(&rows);
}

static void write_mark(struct world *world, const struct shape *shape, uint64_t commit) {
  struct model_tombstone *mark = &world->marks[world->mark_count++];
  *mark = (struct model_tombstone){.commit = commit, .key_min = INT64_MIN, .key_max = INT64_MAX};
  for (uint64_t s = 1; s <= shape->series_max && mark->series_count < 8; s++)
    if (model_below(2)) mark->series[mark->series_count++] = s;
  if (model_below(3) == 0) mark->series_count = 0;
  if (model_below(4) == 0) return;
  int64_t a = random_key(shape, model_below(commit + 1)), b = random_key(shape, commit);
  mark->key_min = a < b ? a : b;
  mark->key_max = a < b ? b : a;
}

static void world_make(struct world *world, const struct shape *shape, enum store_policy policy) {
  *world = (struct world){.policy = policy, .series_max = shape->series_max};
  uint64_t commits = 1 + model_below(shape->commits_max);
  for (uint64_t commit = 1; commit <= commits; commit++) {
    if (shape->deletes && model_below(4) == 0 && world->mark_count < MARKS_MAX)
      write_mark(world, shape, commit);
    if (model_below(6)) write_commit(world, shape, commit);
  }
}

/* Splits the commits into parts and an open part, at random. */
static void world_split(struct world *world) {
  uint64_t commits = 0, last_mark = 0;
  for (size_t i = 0; i < world->rows.count; i++)
    if (world->rows.rows[i].commit > commits) commits = world->rows.rows[i].commit;
  for (size_t i = 0; i < world->mark_count; i++)
    last_mark = world->marks[i].commit;
  if (last_mark > commits) commits = last_mark;
  uint64_t sealed = model_below(3) ? model_below(commits + 1) : commits;
  if (sealed < last_mark) sealed = last_mark;
  for (uint64_t first = 1; first <= sealed;) {
    uint64_t last = first + (model_below(2) ? 0 : model_below(sealed - first + 1));
    add_part(world, first, last);
    first = last + 1;
  }
  if (sealed < commits) add_open(world, sealed + 1, commits);
}

static void world_join(struct world *world) {
  for (size_t i = 0; i < world->part_count; i++)
    part_release(world->parts[i]);
  open_part_release(world->open);
  world->part_count = 0;
  world->open = NULL;
}

/* ---- asking ---- */

struct question {
  struct store_scan_spec spec;
  uint64_t series[16];
  uint32_t columns[8];
  int column_of[8]; /* of the model; -1: nobody has it */
};

static void ask(struct question *question, const struct shape *shape, const struct world *world) {
  *question = (struct question){0};
  struct store_scan_spec *spec = &question->spec;
  *spec = (struct store_scan_spec){.store = 7,
                                   .series_max = UINT64_MAX,
                                   .key_min = INT64_MIN,
                                   .key_max = INT64_MAX,
                                   .columns = question->columns,
                                   .account = &account};
  switch (model_below(4)) {
  case 0:
    spec->series_min = model_below(world->series_max);
    spec->series_max = spec->series_min + model_below(world->series_max);
    break;
  case 1: {
    spec->series = question->series;
    uint64_t step = 1 + world->series_max / 8;
    for (uint64_t s = 0; s < world->series_max + 3 && spec->series_count < 15; s++)
      if (model_below(step) == 0) question->series[spec->series_count++] = s + model_below(1);
    if (model_below(3) == 0) question->series[spec->series_count++] = UINT64_MAX;
    break;
  }
  default:
    break;
  }
  if (model_below(2)) {
    int64_t a = random_key(shape, 1 + model_below(shape->commits_max));
    int64_t b = random_key(shape, 1 + model_below(shape->commits_max));
    if (model_below(4)) spec->key_min = a < b ? a : b;
    if (model_below(4)) spec->key_max = a < b ? b : a;
  }
  for (int c = 0; c < MODEL_COLUMNS; c++)
    if (model_below(3)) {
      question->column_of[spec->column_count] = c;
      question->columns[spec->column_count++] = model_ids[c];
    }
  if (model_below(8) == 0) {
    question->column_of[spec->column_count] = -1;
    question->columns[spec->column_count++] = 999;
  }
  if (model_below(4) == 0)
    spec->tail = 1 + (uint32_t)model_below(model_below(3) ? 4 : 40);
  else if (model_below(6) == 0)
    spec->head = 1 + (uint32_t)model_below(model_below(3) ? 4 : 40);
}

static bool wanted(const struct store_scan_spec *spec, const struct model_row *row) {
  if (row->key < spec->key_min || row->key > spec->key_max) return false;
  if (!spec->series) return row->series >= spec->series_min && row->series <= spec->series_max;
  for (size_t i = 0; i < spec->series_count; i++)
    if (spec->series[i] == row->series) return true;
  return false;
}

static void expect(const struct world *world, const struct store_scan_spec *spec,
                   struct model_rows *expected) {
  *expected = (struct model_rows){0};
  for (size_t i = 0; i < world->rows.count; i++) {
    const struct model_row *row = &world->rows.rows[i];
    if (wanted(spec, row) && !model_deleted(row, world->marks, world->mark_count))
      model_add(expected, *row);
  }
  model_fold(expected, world->policy);
}

/* ---- comparing ---- */

struct group { /* rows of one (series, key) that came */
  uint64_t series;
  int64_t key;
  size_t count;
};

struct comparison {
  const struct question *question;
  const struct group *groups; /* with tail: what an earlier scan gave; else NULL */
  const struct model_rows *expected;
  size_t at; /* the next expected row */
  uint64_t rows;
};

static void assert_statistics(const struct store_chunk *chunk, uint32_t i) {
  struct column_statistics computed;
  column_statistics_compute(&chunk->columns[i], chunk->keys, &computed);
  const struct column_statistics *given = &chunk->statistics[i];
  assert_int_equal(given->count, computed.count);
  assert_int_equal(given->nan_count, computed.nan_count);
  if (computed.flags & STATISTICS_RANGE) {
    assert_int_equal(given->min.u64, computed.min.u64);
    assert_int_equal(given->max.u64, computed.max.u64);
  }
  if (computed.count) assert_true(given->last_key == computed.last_key);
}

/* How many rows of the series that begins at `at`. */
static size_t series_rows(const struct model_rows *rows, size_t at) {
  size_t end = at;
  while (end < rows->count && rows->rows[end].series == rows->rows[at].series)
    end++;
  return end - at;
}

/* Of rows with equal keys a tail gives the last ones: steps over the others. */
static void skip_in_group(struct comparison *of, uint64_t series, int64_t key) {
  const struct model_rows *expected = of->expected;
  bool begins = of->at == 0 || expected->rows[of->at - 1].series != series ||
                expected->rows[of->at - 1].key != key;
  if (!of->groups || !begins) return;
  size_t there = 0;
  while (of->at + there < expected->count && expected->rows[of->at + there].series == series &&
         expected->rows[of->at + there].key == key)
    there++;
  while (of->groups->series != series || of->groups->key != key)
    of->groups++;
  assert_true(of->groups->count <= there);
  size_t skipped = there - of->groups->count;
  if (skipped) assert_true(series_rows(expected, of->at) - skipped >= of->question->spec.tail);
  of->at += skipped;
}

/* The expected row that comes next: that of (series, key). With head and tail, rows may be left
 * out. */
static const struct model_row *match(struct comparison *of, uint64_t series, int64_t key) {
  const struct store_scan_spec *spec = &of->question->spec;
  for (;; of->at++) {
    if (of->at >= of->expected->count)
      fail_msg("series %llu key %lld was not expected", (unsigned long long)series, (long long)key);
    const struct model_row *row = &of->expected->rows[of->at];
    if (row->series == series && row->key == key) {
      skip_in_group(of, series, key);
      return &of->expected->rows[of->at++];
    }
    size_t left = series_rows(of->expected, of->at); /* this and what follows it */
    size_t before = of->at;
    while (before > 0 && of->expected->rows[before - 1].series == row->series)
      before--;
    bool may_skip =
        (spec->tail && left > spec->tail) || (spec->head && of->at - before >= spec->head);
    if (!may_skip)
      fail_msg("series %llu key %lld came instead of series %llu key %lld",
               (unsigned long long)series, (long long)key, (unsigned long long)row->series,
               (long long)row->key);
  }
}

static size_t images_seen; /* columns of chunks that had some */

static void load(struct store_scan *scan, struct store_chunk *chunk, uint32_t columns) {
  switch (model_below(3)) {
  case 0: /* all at once */
    assert_int_equal(store_scan_load(scan, chunk, true, UINT64_MAX, NULL), ERR_OK);
    break;
  case 1: /* column by column, keys last */
    for (uint32_t i = columns; i-- > 0;)
      assert_int_equal(store_scan_load(scan, chunk, false, UINT64_C(1) << i, NULL), ERR_OK);
    assert_int_equal(store_scan_load(scan, chunk, true, 0, NULL), ERR_OK);
    break;
  default: /* keys first, some things twice */
    assert_int_equal(store_scan_load(scan, chunk, true, 1, NULL), ERR_OK);
    assert_int_equal(store_scan_load(scan, chunk, true, UINT64_MAX, NULL), ERR_OK);
  }
}

/* What images hold is what was loaded. */
static void compare_images(struct store_scan *scan, struct store_chunk *chunk, uint32_t i) {
  const struct store_image *images;
  uint32_t count, row = 0;
  struct arena arena;
  arena_init(&arena, &account, 65536);
  assert_int_equal(store_scan_images(scan, chunk, i, &images, &count, NULL), ERR_OK);
  for (uint32_t n = 0; n < count; n++) {
    const struct store_image *of = &images[n];
    struct column column = {0}, loaded = chunk->columns[i];
    assert_int_equal(of->row, row);
    row += of->rows;
    if (!of->absent) {
      assert_true(of->from + of->rows <= of->image.rows);
      assert_int_equal(of->image.type.physical, loaded.type.physical);
      assert_int_equal(codec_decode(&of->image, of->from, of->rows, &arena, &column, NULL), ERR_OK);
      assert_true(of->statistics.count == of->image.values);
    }
    for (uint32_t r = 0; r < of->rows; r++) {
      bool valid = !of->absent && column_is_valid(&column, r);
      assert_int_equal(valid, column_is_valid(&loaded, of->row + r));
      if (valid && type_width(loaded.type) == 8)
        assert_int_equal(column.u64[r], loaded.u64[of->row + r]);
    }
  }
  if (count) images_seen++;
  assert_int_equal(row, count ? chunk->rows : 0);
  arena_deinit(&arena);
}

static void compare_chunk(struct comparison *of, struct store_scan *scan,
                          struct store_chunk *chunk) {
  uint32_t columns = of->question->spec.column_count, row = 0;
  assert_in_range(chunk->rows, 1, 8192);
  assert_null(chunk->keys);
  load(scan, chunk, columns);
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (uint32_t r = 0; r < chunk->run_count; r++) {
    assert_int_equal(chunk->runs[r].row, row);
    assert_true(chunk->runs[r].rows > 0);
    if (r) assert_true(chunk->runs[r].series > chunk->runs[r - 1].series);
    for (uint32_t i = 0; i < chunk->runs[r].rows; i++, row++) {
      int64_t key = chunk->keys[row];
      const struct model_row *expected = match(of, chunk->runs[r].series, key);
      low = key < low ? key : low;
      high = key > high ? key : high;
      for (uint32_t c = 0; c < columns; c++)
        if (of->question->column_of[c] >= 0)
          model_assert_value(&chunk->columns[c], row, of->question->column_of[c], expected);
        else
          assert_false(column_is_valid(&chunk->columns[c], row));
    }
  }
  assert_int_equal(row, chunk->rows);
  assert_true(chunk->key_min == low && chunk->key_max == high);
  for (uint32_t c = 0; c < columns; c++) {
    assert_int_equal(chunk->columns[c].length, chunk->rows);
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < chunk->rows; i++)
      nulls += !column_is_valid(&chunk->columns[c], i);
    assert_int_equal(chunk->columns[c].null_count, nulls);
    compare_images(scan, chunk, c);
    if (chunk->statistics) assert_statistics(chunk, c);
  }
  of->rows += chunk->rows;
}

static struct scan_input input_of(const struct world *world) {
  return (struct scan_input){.policy = world->policy,
                             .parts = world->parts,
                             .part_count = world->part_count,
                             .open = world->open,
                             .open_commit = UINT64_MAX};
}

/* Which (series, key) come, and how many rows of each; to be freed. */
static struct group *collect_groups(const struct world *world, const struct question *question) {
  struct scan_input input = input_of(world);
  struct store_scan *scan = NULL;
  struct store_chunk chunk;
  struct group *groups = calloc(world->rows.count + 1, sizeof *groups);
  size_t count = 0;
  assert_non_null(groups);
  assert_int_equal(store__scan_create(&input, &question->spec, &scan, NULL), ERR_OK);
  while (store_scan_next(scan, &chunk, NULL) == ERR_OK && chunk.rows) {
    assert_int_equal(store_scan_load(scan, &chunk, true, 0, NULL), ERR_OK);
    for (uint32_t r = 0; r < chunk.run_count; r++)
      for (uint32_t i = 0; i < chunk.runs[r].rows; i++) {
        int64_t key = chunk.keys[chunk.runs[r].row + i];
        struct group *last = count ? &groups[count - 1] : NULL;
        if (last && last->series == chunk.runs[r].series && last->key == key)
          last->count++;
        else
          groups[count++] = (struct group){chunk.runs[r].series, key, 1};
      }
  }
  store_scan_close(scan);
  return groups;
}

static void scan_and_compare(const struct world *world, const struct question *question,
                             const struct model_rows *expected) {
  struct scan_input input = input_of(world);
  struct group *groups = question->spec.tail ? collect_groups(world, question) : NULL;
  struct store_scan *scan = NULL;
  struct err err;
  err_reset(&err);
  if (store__scan_create(&input, &question->spec, &scan, &err)) fail_msg("%s", err.message);
  struct comparison of = {.question = question, .groups = groups, .expected = expected};
  for (;;) {
    struct store_chunk chunk;
    if (store_scan_next(scan, &chunk, &err)) fail_msg("%s (%s)", err.message, err.detail);
    if (chunk.rows == 0) break;
    compare_chunk(&of, scan, &chunk);
  }
  const struct store_scan_spec *spec = &question->spec;
  if (spec->head) { /* what is left may only be left out */
    for (; of.at < expected->count; of.at++) {
      size_t before = of.at;
      while (before > 0 && expected->rows[before - 1].series == expected->rows[of.at].series)
        before--;
      if (of.at - before < spec->head) break;
    }
  }
  if (of.at != expected->count) fail_msg("%zu of %zu rows came", of.at, expected->count);
  struct store_scan_figures figures;
  store_scan_figures(scan, &figures);
  assert_int_equal(figures.rows_returned, of.rows);
  assert_int_equal(figures.parts, world->part_count + (world->open != NULL));
  assert_int_equal(figures.blocks_considered,
                   figures.blocks_skipped + figures.blocks_read + figures.blocks_by_statistics);
  if (of.rows) assert_int_equal(figures.blocks_by_statistics, 0); /* all were loaded */
  store_scan_close(scan);
  free(groups);
}

static void run_case(const struct shape *shape, enum store_policy policy) {
  struct world world;
  world_make(&world, shape, policy);
  for (int split = 0; split < 2; split++) {
    world_split(&world);
    for (int i = 0; i < 4; i++) {
      struct question question;
      struct model_rows expected;
      ask(&question, shape, &world);
      expect(&world, &question.spec, &expected);
      scan_and_compare(&world, &question, &expected);
      model_free(&expected);
    }
    world_join(&world);
  }
  model_free(&world.rows);
}

static void run_shapes(size_t from, size_t to, int rounds) {
  for (int round = 0; round < rounds; round++)
    for (size_t s = from; s < to; s++)
      for (enum store_policy policy = STORE_KEEP_ALL; policy <= STORE_NEWEST_ROW; policy++) {
        uint64_t before = model_random_state;
        (void)before;
        if (getenv("NILO_TEST_TRACE"))
          print_message("%s, policy %d, seed %llu\n", shapes[s].name, policy,
                        (unsigned long long)before);
        run_case(&shapes[s], policy);
      }
}

static void test_union_small(void **state) {
  (void)state;
  model_random_state = model_seed(20240702);
  run_shapes(0, 9, 50);
  assert_int_equal(mem_account_used(&account), 0);
}

static void test_union_long(void **state) {
  (void)state;
  model_random_state = model_seed(20240703);
  run_shapes(9, sizeof shapes / sizeof *shapes, 2);
  assert_int_equal(mem_account_used(&account), 0);
  assert_true(images_seen > 0);
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
      cmocka_unit_test(test_union_small),
      cmocka_unit_test(test_union_long),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
