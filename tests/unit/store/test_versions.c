/* Marks, history and reading as of a commit, against a plain list of rows: random commits in open
 * parts and images, sealed and merged in any order and selection, read as of any commit. The parts
 * are a list of their own here, so that every selection of neighbours can be merged; the shard only
 * lends its accounts. */
#include "shard_fixture.h"
#include "store_model.h"

#include "codec/codec.h"
#include "store/shard_private.h"

enum { PARTS_MAX = 64, TOMBSTONES_MAX = 64, STORE = 7, WANTED_MAX = 8 };

/* What one sequence has done. */
struct world {
  struct fixture *fixture;
  enum store_policy policy;
  uint64_t history; /* commits that stay readable */
  uint64_t commit;  /* the last one */
  uint64_t since;   /* of what left no part behind */
  struct model_rows rows;
  struct model_tombstone tombstones[TOMBSTONES_MAX];
  size_t tombstone_count;
  struct store_part *parts[PARTS_MAX];
  uint32_t part_count;
  struct open_part *open;
  uint64_t series_max, keys_max, rows_max;
  int64_t first;  /* key */
  unsigned marks; /* of 16 rows */
  int64_t horizon;
  bool plain; /* no tombstones, no images */
  bool real;  /* in the shard itself, not in a list of parts */
};

static bool newest_wins(const struct world *world) {
  return world->policy == STORE_NEWEST_COLUMN || world->policy == STORE_NEWEST_ROW;
}

/* ---- writing ---- */

static int64_t random_key(const struct world *world) {
  return world->first + (int64_t)model_below(world->keys_max);
}

static void random_range(const struct world *world, int64_t *key_min, int64_t *key_max) {
  int64_t a = random_key(world), b = random_key(world);
  *key_min = a < b ? a : b;
  *key_max = a < b ? b : a;
}

static struct model_rows random_rows(struct world *world) {
  struct model_rows rows = {0};
  size_t count = model_below(world->rows_max + 1), kept = 0;
  for (size_t i = 0; i < count; i++) {
    struct model_row row = {.series = 1 + model_below(world->series_max),
                            .key = random_key(world),
                            .commit = world->commit,
                            .order = (uint32_t)(world->rows.count + i),
                            .present = (uint8_t)(model_random() & 63)};
    for (int c = 0; c < MODEL_COLUMNS; c++)
      row.value[c] = (uint16_t)model_below(model_below(2) ? 3 : 60000);
    row.mark = newest_wins(world) && model_below(16) < world->marks;
    model_add(&rows, row);
  }
  model_sort(&rows);
  for (size_t i = 0; i < rows.count; i++) { /* a place once in a commit, where the newest wins */
    if (newest_wins(world) && kept && model_same_place(&rows.rows[kept - 1], &rows.rows[i])) kept--;
    rows.rows[kept] = rows.rows[i];
    rows.rows[kept].order = (uint32_t)(world->rows.count + kept);
    kept++;
  }
  rows.count = kept;
  return rows;
}

static void add_part(struct world *world, struct store_part *part) {
  assert_true(world->part_count < PARTS_MAX);
  world->parts[world->part_count++] = part;
}

static void seal(struct world *world) {
  struct err err;
  err_reset(&err);
  uint8_t shard[16] = {0};
  struct store_part *part;
  if (!open_part_rows(world->open)) return;
  if (open_part_seal(world->open, UINT64_MAX, shard, !newest_wins(world) || world->history == 0,
                     &part, &err))
    fail_err(&err, "seal");
  add_part(world, part);
  open_part_release(world->open);
  assert_int_equal(open_part_create(STORE, world->policy, world->fixture->os,
                                    &world->fixture->account, &world->open, NULL),
                   ERR_OK);
}

/* As the committer keeps an image. */
static void write_image(struct world *world, const struct store_rows *rows) {
  uint8_t shard[16] = {0};
  struct err err;
  err_reset(&err);
  struct part_writer_options options = {
      .store = STORE, .policy = world->policy, .level = CODEC_FAST};
  memcpy(options.shard, shard, 16);
  struct part_writer *writer;
  struct part_memory *memory;
  struct store_part *part;
  uint64_t size, commits[4] = {0};
  seal(world);
  if (part_writer_create(&options, &world->fixture->account, NULL, 0, &writer, &err))
    fail_err(&err, "writer");
  if (rows->rows && part_writer_append_last(writer, rows, &err)) fail_err(&err, "append");
  struct part_ending ending = {.tombstones = rows->tombstones,
                               .tombstone_commits = commits,
                               .tombstone_count = rows->tombstone_count};
  if (part_writer_finish(writer, &ending, &size, &memory, &err)) fail_err(&err, "finish");
  if (part_open_memory(memory, 0, size, &world->fixture->account, world->commit, &part, &err))
    fail_err(&err, "open");
  part_memory_release(memory);
  part_writer_destroy(writer);
  add_part(world, part);
}

static void write_open(struct world *world, const struct store_rows *rows) {
  bool full;
  struct open_part *grown;
  if (!rows->rows) return;
  assert_int_equal(open_part_append(world->open, rows, world->commit, &full, NULL), ERR_OK);
  if (!full) return;
  assert_int_equal(open_part_grow(world->open, rows, &grown, NULL), ERR_OK);
  open_part_release(world->open);
  world->open = grown;
  assert_int_equal(open_part_append(grown, rows, world->commit, &full, NULL), ERR_OK);
  assert_false(full);
}

static struct model_tombstone *random_tombstone(struct world *world) {
  struct model_tombstone *made = &world->tombstones[world->tombstone_count++];
  *made =
      (struct model_tombstone){.commit = world->commit, .key_min = INT64_MIN, .key_max = INT64_MAX};
  for (uint64_t s = 1; s <= world->series_max && made->series_count < 8; s++)
    if (model_below(2)) made->series[made->series_count++] = s;
  if (model_below(3) == 0) made->series_count = 0;
  if (model_below(3)) random_range(world, &made->key_min, &made->key_max);
  return made;
}

static void write_shard(struct world *world, const struct store_rows *rows) {
  uint64_t number;
  struct err err;
  err_reset(&err);
  if (store_write(world->fixture->shard, rows, 1, &number, &err)) fail_err(&err, "write");
  assert_int_equal(number, world->commit);
}

/* The number of the next commit; others write too. */
static void begin_commit(struct world *world) {
  uint64_t others = model_below(4) == 0 ? model_below(5) : 0;
  world->commit += 1 + others;
  if (!world->real) atomic_store(&world->fixture->shard->commit, world->commit);
  for (uint64_t i = 0; world->real && i < others; i++)
    put(world->fixture, STORE + 1, 1, (int64_t)i, 1, 1);
}

static void write_commit(struct world *world) {
  begin_commit(world);
  struct model_rows rows = random_rows(world);
  struct store_tombstone tombstones[3];
  uint32_t count = 0;
  for (unsigned n = world->plain || model_below(4) ? 0 : 1 + (unsigned)model_below(3); n > 0; n--) {
    if (world->tombstone_count == TOMBSTONES_MAX) break;
    const struct model_tombstone *made = random_tombstone(world);
    tombstones[count++] = (struct store_tombstone){
        made->series_count ? made->series : NULL, made->series_count, made->key_min, made->key_max};
  }
  struct model_batch batch;
  model_batch_init(&batch, rows.rows, rows.count, world->policy, &world->fixture->account);
  batch.rows.tombstones = tombstones;
  batch.rows.tombstone_count = count;
  if (world->real)
    write_shard(world, &batch.rows);
  else if (count || (!world->plain && model_below(3) == 0))
    write_image(world, &batch.rows);
  else
    write_open(world, &batch.rows);
  model_batch_deinit(&batch);
  for (size_t i = 0; i < rows.count; i++)
    model_add(&world->rows, rows.rows[i]);
  model_free(&rows);
}

/* ---- merging ---- */

static uint64_t since(const struct world *world) {
  uint64_t most = world->since;
  for (uint32_t i = 0; i < world->part_count; i++) {
    uint64_t of_part = part_history_since(world->parts[i]);
    most = of_part > most ? of_part : most;
  }
  return most;
}

static void merge_window(struct world *world, uint32_t from, uint32_t count) {
  struct output_source source = {.store = STORE,
                                 .policy = world->policy,
                                 .parts = world->parts + from,
                                 .part_count = count,
                                 .keys = {INT64_MIN, INT64_MAX},
                                 .horizon = INT64_MIN,
                                 .oldest = from == 0,
                                 .older = model_below(2) ? world->parts : NULL,
                                 .older_count = from,
                                 .history_commits = newest_wins(world) ? world->history : 0,
                                 .history_since = since(world),
                                 .in_memory = true};
  struct store_part *part;
  struct err err;
  err_reset(&err);
  if (output_memory(world->fixture->shard, &source, &part, &err)) fail_err(&err, "merge");
  for (uint32_t i = from; i < from + count; i++) {
    struct store_part_facts facts;
    store_part_facts(world->parts[i], &facts);
    if (!part && facts.commit_max > world->since) world->since = facts.commit_max;
    part_release(world->parts[i]);
  }
  if (part && part_verify(part, &err)) fail_err(&err, "verify");
  uint32_t added = part != NULL;
  if (part) world->parts[from] = part;
  memmove(world->parts + from + added, world->parts + from + count,
          (world->part_count - from - count) * sizeof *world->parts);
  world->part_count -= count - added;
}

static void merge_some(struct world *world) {
  if (world->part_count == 0) return;
  uint32_t from = (uint32_t)model_below(world->part_count);
  merge_window(world, from, 1 + (uint32_t)model_below(world->part_count - from));
}

/* ---- reading ---- */

struct question {
  struct store_scan_spec spec;
  uint64_t series[WANTED_MAX];
  uint32_t columns[MODEL_COLUMNS];
  int column_of[MODEL_COLUMNS];
};

static void ask(struct world *world, struct question *question) {
  struct store_scan_spec *spec = &question->spec;
  *question = (struct question){.spec = {.store = STORE,
                                         .series_max = UINT64_MAX,
                                         .key_min = INT64_MIN,
                                         .key_max = INT64_MAX,
                                         .account = &world->fixture->account}};
  spec->columns = question->columns;
  for (int c = 0; c < MODEL_COLUMNS; c++)
    if (model_below(3)) {
      question->column_of[spec->column_count] = c;
      question->columns[spec->column_count++] = model_ids[c];
    }
  if (model_below(3) == 0) {
    spec->series = question->series;
    for (uint64_t s = 1; s <= world->series_max && spec->series_count < WANTED_MAX; s++)
      if (model_below(2)) question->series[spec->series_count++] = s;
  }
  if (model_below(3) == 0) random_range(world, &spec->key_min, &spec->key_max);
  /* rows of one place may be cut by the end of a chunk: which of equal ones a tail gives is then
   * not seen here (test_scan_union.c looks at it) */
  bool cut = !newest_wins(world) && world->rows_max > 1000;
  if (model_below(4) == 0 && !cut) spec->tail = 1 + (uint32_t)model_below(4);
  if (model_below(4) == 0) spec->head = 1 + (uint32_t)model_below(4);
  if (model_below(2)) spec->as_of = 1 + model_below(world->commit + 1);
}

static bool wanted(const struct store_scan_spec *spec, const struct model_row *row) {
  if (row->key < spec->key_min || row->key > spec->key_max) return false;
  for (size_t i = 0; spec->series && i < spec->series_count; i++)
    if (spec->series[i] == row->series) return true;
  return !spec->series;
}

static struct model_rows expect(const struct world *world, const struct store_scan_spec *spec) {
  struct model_rows expected = {0};
  uint64_t as_of = spec->as_of ? spec->as_of : UINT64_MAX;
  size_t count = 0;
  while (count < world->tombstone_count && world->tombstones[count].commit <= as_of)
    count++;
  for (size_t i = 0; i < world->rows.count; i++) {
    const struct model_row *row = &world->rows.rows[i];
    if (row->commit <= as_of && row->key >= world->horizon && wanted(spec, row) &&
        !model_deleted(row, world->tombstones, count))
      model_add(&expected, *row);
  }
  model_fold(&expected, world->policy);
  return expected;
}

/* Whether head or tail allow to leave the row out: it is not among the first or last of its
 * series. */
static bool may_miss(const struct model_rows *rows, size_t at, const struct store_scan_spec *spec) {
  uint64_t series = rows->rows[at].series;
  size_t before = at, behind = at;
  while (before > 0 && rows->rows[before - 1].series == series)
    before--;
  while (behind + 1 < rows->count && rows->rows[behind + 1].series == series)
    behind++;
  if (!spec->head && !spec->tail) return false;
  if (spec->head && at - before < spec->head) return false;
  return !(spec->tail && behind - at < spec->tail);
}

static bool same_values(const struct question *question, const struct store_chunk *chunk,
                        uint32_t row, const struct model_row *expected) {
  for (uint32_t i = 0; i < question->spec.column_count; i++)
    if (column_is_valid(&chunk->columns[i], row) !=
        (expected->present >> question->column_of[i] & 1))
      return false;
  return true;
}

/* Of rows of one place a tail gives the last ones: how many of the expected ones, from `at` on, it
 * left out when `row` is the first of them in the run. */
static size_t left_out(const struct question *question, const struct store_chunk *chunk,
                       const struct store_run *run, uint32_t row, const struct model_rows *expected,
                       size_t at) {
  int64_t key = chunk->keys[row];
  if (!question->spec.tail || (row > run->row && chunk->keys[row - 1] == key)) return 0;
  size_t came = 0, there = 0;
  while (row + came < run->row + run->rows && chunk->keys[row + came] == key)
    came++;
  while (at + there < expected->count && expected->rows[at + there].series == run->series &&
         expected->rows[at + there].key == key)
    there++;
  size_t missing = there > came ? there - came : 0;
  for (size_t i = 0; i < missing; i++)
    if (!may_miss(expected, at + i, &question->spec)) return 0;
  return missing;
}

static size_t compare_chunk(const struct question *question, const struct store_chunk *chunk,
                            const struct model_rows *expected, size_t at) {
  const struct store_scan_spec *spec = &question->spec;
  for (uint32_t r = 0; r < chunk->run_count; r++)
    for (uint32_t row = chunk->runs[r].row; row < chunk->runs[r].row + chunk->runs[r].rows; row++) {
      uint64_t series = chunk->runs[r].series;
      int64_t key = chunk->keys[row];
      for (;; at++) {
        if (at == expected->count)
          fail_msg("series %llu key %lld was not expected", (unsigned long long)series,
                   (long long)key);
        const struct model_row *want = &expected->rows[at];
        if (want->series == series && want->key == key) {
          size_t skipped = left_out(question, chunk, &chunk->runs[r], row, expected, at);
          at += skipped;
          want += skipped;
        }
        if (want->series == series && want->key == key &&
            (same_values(question, chunk, row, want) || !may_miss(expected, at, spec)))
          break;
        if (!may_miss(expected, at, spec))
          fail_msg("series %llu key %lld came in place of series %llu key %lld",
                   (unsigned long long)series, (long long)key, (unsigned long long)want->series,
                   (long long)want->key);
      }
      for (uint32_t i = 0; i < spec->column_count; i++)
        if (!spec->head && !spec->tail)
          model_assert_value(&chunk->columns[i], row, question->column_of[i], &expected->rows[at]);
      at++;
    }
  for (uint32_t i = 0; chunk->statistics && i < spec->column_count; i++) {
    struct column_statistics computed;
    column_statistics_compute(&chunk->columns[i], chunk->keys, &computed);
    assert_int_equal(chunk->statistics[i].count, computed.count);
  }
  return at;
}

/* Opens a scan of the list of parts, or of the shard. False: it is right that it cannot be read. */
static bool open_scan(struct world *world, const struct store_scan_spec *spec,
                      struct store_scan **scan) {
  struct scan_input input = {.policy = world->policy,
                             .parts = world->parts,
                             .part_count = world->part_count,
                             .open = world->open,
                             .open_commit = world->commit,
                             .history_since = since(world)};
  struct store_snapshot *snapshot = NULL;
  struct err err;
  err_reset(&err);
  if (world->real)
    assert_int_equal(store_snapshot_acquire(world->fixture->shard, &snapshot, &err), ERR_OK);
  int code = world->real ? store_scan_open(snapshot, spec, scan, &err)
                         : store__scan_create(&input, spec, scan, &err);
  if (snapshot) store_snapshot_release(snapshot);
  if (spec->as_of > world->commit) {
    assert_int_equal(code, ERR_OUT_OF_RANGE);
    return false;
  }
  if (!world->real && spec->as_of && spec->as_of < input.history_since)
    assert_int_equal(code, ERR_HISTORY_GONE);
  if (code == ERR_HISTORY_GONE) {
    assert_non_null(strstr(err.message, "the oldest that can be asked is"));
    /* what is promised stays readable; a start that finds every part expired knows no more */
    if (newest_wins(world) && world->history && world->horizon == INT64_MIN)
      assert_true(spec->as_of + world->history < world->commit);
    return false;
  }
  if (code) fail_err(&err, "scan");
  return true;
}

static void read_and_compare(struct world *world) {
  struct question question;
  ask(world, &question);
  const struct store_scan_spec *spec = &question.spec;
  struct store_scan *scan = NULL;
  struct err err;
  err_reset(&err);
  if (!open_scan(world, spec, &scan)) return;
  struct model_rows expected = expect(world, spec);
  size_t at = 0;
  for (;;) {
    struct store_chunk chunk;
    if (store_scan_next(scan, &chunk, &err)) fail_err(&err, "next");
    if (!chunk.rows) break;
    if (store_scan_load(scan, &chunk, true, UINT64_MAX, &err)) fail_err(&err, "load");
    at = compare_chunk(&question, &chunk, &expected, at);
  }
  for (; at < expected.count; at++)
    if (!may_miss(&expected, at, spec))
      fail_msg("series %llu key %lld is missing", (unsigned long long)expected.rows[at].series,
               (long long)expected.rows[at].key);
  store_scan_close(scan);
  model_free(&expected);
}

/* ---- sequences ---- */

struct shape {
  const char *name;
  uint64_t series_max, keys_max, rows_max;
  unsigned marks;
  int steps;
};

static const struct shape shapes[] = {
    {"tiny", 2, 3, 3, 5, 25},          {"small", 5, 12, 12, 3, 30},
    {"marks alone", 2, 4, 6, 15, 20},  {"no marks", 4, 10, 10, 0, 30},
    {"many series", 60, 5, 80, 3, 20}, {"one place", 1, 1, 3, 4, 40},
    {"longer", 3, 300, 300, 2, 20},
};
static const struct shape long_shapes[] = {
    {"long", 2, 20000, 9000, 1, 12},
    {"long and packed", 3000, 4, 9000, 1, 12},
};

static void world_end(struct world *world) {
  for (uint32_t i = 0; i < world->part_count; i++)
    part_release(world->parts[i]);
  open_part_release(world->open);
  model_free(&world->rows);
}

static void world_run(struct fixture *fixture, const struct shape *shape,
                      enum store_policy policy) {
  static const uint64_t histories[] = {0, 1, 5, 20, 1000000};
  struct world world = {.fixture = fixture,
                        .policy = policy,
                        .history = histories[model_below(5)],
                        .series_max = shape->series_max,
                        .keys_max = shape->keys_max,
                        .rows_max = shape->rows_max,
                        .marks = shape->marks,
                        .first = -3,
                        .horizon = INT64_MIN};
  assert_int_equal(
      open_part_create(STORE, policy, fixture->os, &fixture->account, &world.open, NULL), ERR_OK);
  for (int i = 0; i < shape->steps; i++) {
    uint64_t step = model_below(8);
    if (world.part_count > PARTS_MAX - 4) step = 5;
    if (step < 4)
      write_commit(&world);
    else if (step == 4)
      seal(&world);
    else if (step == 5)
      merge_some(&world);
    else
      read_and_compare(&world);
    if (newest_wins(&world) && world.history) /* what is promised stays readable */
      assert_true(since(&world) + world.history <= world.commit || since(&world) == 0);
  }
  for (int i = 0; i < 3; i++)
    read_and_compare(&world);
  if (world.part_count) merge_window(&world, 0, world.part_count);
  for (int i = 0; i < 3; i++)
    read_and_compare(&world);
  world_end(&world);
}

static void test_s4_s5_versions_in_any_order(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  uint64_t commit = atomic_load(&fixture.shard->commit);
  model_random_state = model_seed(20261120);
  const char *text = getenv("NILO_TEST_ROUNDS"); /* for long runs by hand */
  long rounds = text ? strtol(text, NULL, 10) : 60;
  for (long round = 0; round < rounds; round++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
      for (enum store_policy policy = STORE_KEEP_ALL; policy <= STORE_NEWEST_ROW; policy++) {
        if (getenv("NILO_TEST_TRACE"))
          print_message("%s, policy %d, seed %llu\n", shapes[s].name, policy,
                        (unsigned long long)model_random_state);
        world_run(&fixture, &shapes[s], policy);
      }
  atomic_store(&fixture.shard->commit, commit);
  fixture_deinit(&fixture);
}

static void test_s4_long_versions_in_any_order(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  uint64_t commit = atomic_load(&fixture.shard->commit);
  model_random_state = model_seed(20261121);
  for (int round = 0; round < 4; round++)
    for (size_t s = 0; s < sizeof long_shapes / sizeof *long_shapes; s++)
      for (enum store_policy policy = STORE_KEEP_ALL; policy <= STORE_NEWEST_ROW; policy++)
        world_run(&fixture, &long_shapes[s], policy);
  atomic_store(&fixture.shard->commit, commit);
  fixture_deinit(&fixture);
}

/* A counter that is set again and again: more versions of one place than blocks, slots and chunks
 * take. */
static void test_s4_one_place_has_any_number_of_versions(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  uint64_t commit = atomic_load(&fixture.shard->commit);
  model_random_state = model_seed(20261122);
  for (enum store_policy policy = STORE_NEWEST_COLUMN; policy <= STORE_NEWEST_ROW; policy++) {
    struct world world = {.fixture = &fixture,
                          .policy = policy,
                          .history = 1000000,
                          .series_max = 1,
                          .keys_max = 2,
                          .rows_max = 2,
                          .marks = 1,
                          .first = -3,
                          .horizon = INT64_MIN,
                          .plain = true};
    assert_int_equal(
        open_part_create(STORE, policy, fixture.os, &fixture.account, &world.open, NULL), ERR_OK);
    for (int i = 0; i < 40000; i++) {
      if (i % 9000 == 8999) seal(&world);
      write_commit(&world);
    }
    for (int i = 0; i < 4; i++)
      read_and_compare(&world);
    merge_window(&world, 0, world.part_count);
    for (int i = 0; i < 6; i++)
      read_and_compare(&world);
    world.history = 2000; /* most of it folds now, over many blocks */
    merge_window(&world, 0, world.part_count);
    for (int i = 0; i < 6; i++)
      read_and_compare(&world);
    world_end(&world);
  }
  atomic_store(&fixture.shard->commit, commit);
  fixture_deinit(&fixture);
}

/* ---- the same in a shard ---- */

static void tell_settings(void *context, uint64_t store, struct store_settings *settings) {
  if (store == STORE) *settings = *(const struct store_settings *)context;
}

/* What is below expires; the store has a horizon from its first commit on. */
static void move_horizon(struct world *world, struct store_settings *settings) {
  struct err err;
  int64_t key = random_key(world);
  err_reset(&err);
  if (world->rows.count == 0 || key <= world->horizon) return;
  settings->has_horizon = true;
  settings->horizon = world->horizon = key;
  if (store_expire(world->fixture->shard, 0, &err)) fail_err(&err, "expire");
}

static void shard_step(struct world *world) {
  struct err err;
  bool did;
  err_reset(&err);
  switch (model_below(12)) {
  case 0:
    flush(world->fixture, model_below(2) ? STORE : 0);
    break;
  case 1:
    merge(world->fixture, STORE);
    break;
  case 2:
    if (store_work(world->fixture->shard, &did, &err)) fail_err(&err, "work");
    break;
  case 3:
    fixture_reopen(world->fixture);
    /* a horizon that hid nothing is not kept: background work begins with it */
    if (store_expire(world->fixture->shard, 0, &err)) fail_err(&err, "expire");
    break;
  case 4:
  case 5:
  case 6:
    read_and_compare(world);
    break;
  default:
    write_commit(world);
  }
}

static void run_shard(const struct shape *shape, enum store_policy policy,
                      struct store_settings settings, bool expires, int64_t first) {
  struct fixture fixture;
  struct store_hooks hooks = {.settings = tell_settings};
  fixture_init(&fixture, 1 + model_below(1000));
  fixture.options.hooks = &hooks;
  fixture.options.hooks_context = &settings;
  fixture.options.part_split_bytes = 300;
  fixture_open(&fixture);
  struct world world = {.fixture = &fixture,
                        .policy = policy,
                        .history = settings.history_commits,
                        .series_max = shape->series_max,
                        .keys_max = shape->keys_max,
                        .rows_max = shape->rows_max,
                        .marks = shape->marks,
                        .first = first,
                        .horizon = INT64_MIN,
                        .real = true};
  for (int i = 0; i < 2 * shape->steps; i++) {
    shard_step(&world);
    if (expires && model_below(12) == 0) move_horizon(&world, &settings);
  }
  merge(&fixture, STORE);
  for (int i = 0; i < 4; i++)
    read_and_compare(&world);
  /* what was kept goes */
  if (policy == STORE_NEWEST_ROW && settings.history_commits == 5) settings.history_commits = 0;
  world.history = 0;
  for (int i = 0; i < shape->steps; i++)
    shard_step(&world);
  world_end(&world);
  fixture_deinit(&fixture);
}

static void run_all_shards(uint64_t width, bool expires, int rounds) {
  static const uint64_t histories[] = {0, 5, 1000};
  for (int round = 0; round < rounds; round++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
      for (enum store_policy policy = STORE_KEEP_ALL; policy <= STORE_NEWEST_ROW; policy++)
        for (size_t h = 0; h < sizeof histories / sizeof *histories; h++) {
          int64_t most = INT64_MAX - (int64_t)shapes[s].keys_max + 1;
          int64_t firsts[] = {-3, INT64_MIN, most};
          struct store_settings settings = {.history_commits = histories[h],
                                            .partition_width = width ? 1 + model_below(width) : 0,
                                            .horizon_rule = 1};
          if (getenv("NILO_TEST_TRACE"))
            print_message("%s, policy %d, seed %llu\n", shapes[s].name, policy,
                          (unsigned long long)model_random_state);
          run_shard(&shapes[s], policy, settings, expires, firsts[width ? model_below(3) : 0]);
        }
}

static void test_s4_history_in_a_shard(void **state) {
  (void)state;
  model_random_state = model_seed(20261123);
  run_all_shards(0, false, 4);
  run_shard(&long_shapes[1], STORE_NEWEST_COLUMN, (struct store_settings){.history_commits = 1000},
            false, -3);
}

/* Cut by partitions, and with rows that expire, at both ends of the keys. */
static void test_s4_history_over_partitions_and_horizons(void **state) {
  (void)state;
  const char *text = getenv("NILO_TEST_ROUNDS");
  model_random_state = model_seed(20261124);
  for (int expires = 0; expires < 2; expires++)
    run_all_shards(12, expires, text ? (int)strtoul(text, NULL, 10) : 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_s4_s5_versions_in_any_order),
      cmocka_unit_test(test_s4_long_versions_in_any_order),
      cmocka_unit_test(test_s4_one_place_has_any_number_of_versions),
      cmocka_unit_test(test_s4_history_in_a_shard),
      cmocka_unit_test(test_s4_history_over_partitions_and_horizons),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
