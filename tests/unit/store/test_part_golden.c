/* Parts that were written once and must be readable for ever, and the same rows written today.
 *
 * The rows follow from formulas, not from a generator that might change. NILO_GOLDEN=write makes
 * the files anew: only for a new file of a new format; the old ones stay. */
#include "part_fixture.h"

#include <math.h>

#include "codec/codec.h"
#include "store/part_format.h"

static const char *const folder = "tests/golden/part/";

/* 40 series of 1 to 9 rows, one of 3,000: every type, absent values, special floats. */
static void small_rows(struct fixture *fixture) {
  static const double special[] = {NAN, -0.0, INFINITY, -INFINITY, 5e-324, 1e300};
  fixture_all_types(fixture);
  struct builder *columns = fixture->columns;
  for (uint64_t series = 1; series <= 41; series++) {
    int64_t rows = series == 41 ? 3000 : (int64_t)(series % 9) + 1;
    for (int64_t i = 0; i < rows; i++) {
      char text[32];
      builder_append_u64(&fixture->series, series * series);
      builder_append_i64(&fixture->keys, 1700000000000 + i * 1000 + (i % 7 == 3));
      builder_append_i64(&columns[0], i * i - 50);
      builder_append_u64(&columns[1], i % 5 ? (uint64_t)i : UINT64_MAX - (uint64_t)i);
      if (i % 50 == 49)
        builder_append_f64(&columns[2], special[i / 50 % 6]);
      else
        builder_append_f64(&columns[2], (double)(i % 1000) / 100.0);
      if (i % 4 == 1)
        builder_append_null(&columns[3]);
      else
        builder_append_bool(&columns[3], i % 3 == 0);
      snprintf(text, sizeof text, "host-%d", (int)(i % 11));
      builder_append_str(&columns[4], str_from(text));
      if (series % 2)
        builder_append_null(&columns[5]);
      else
        builder_append_str(&columns[5], str_of("\0\xff\x7f", (size_t)(i % 4)));
      builder_append_i64(&columns[6], 1600000000 + i / 2);
    }
  }
}

/* Blocks of one series, cut evenly. */
static void long_rows(struct fixture *fixture) {
  fixture_column(fixture, 3, TYPE_FLOAT64);
  fixture_column(fixture, 4, TYPE_INT64);
  for (int64_t i = 0; i < 30000; i++) {
    builder_append_u64(&fixture->series, i < 20000 ? 5 : 9);
    builder_append_i64(&fixture->keys, i * 10);
    builder_append_f64(&fixture->columns[0], (double)(i * 7919 % 10007) * 0.25);
    builder_append_i64(&fixture->columns[1], i / 100);
  }
}

/* Several rows of a place, with their commits and marks. */
static void history_rows(struct fixture *fixture) {
  fixture->options.policy = STORE_NEWEST_COLUMN;
  fixture_column(fixture, 3, TYPE_INT64);
  fixture_column(fixture, STORE_COLUMN_COMMIT, TYPE_UINT64);
  fixture_column(fixture, STORE_COLUMN_MARK, TYPE_BOOL);
  for (int64_t i = 0; i < 900; i++) {
    bool behind = i % 3 > 0, mark = i % 3 == 1;
    builder_append_u64(&fixture->series, 1 + (uint64_t)i / 300);
    builder_append_i64(&fixture->keys, i / 3);
    if (mark)
      builder_append_null(&fixture->columns[0]);
    else
      builder_append_i64(&fixture->columns[0], i);
    if (behind)
      builder_append_u64(&fixture->columns[1], 11 + (uint64_t)i % 3);
    else
      builder_append_null(&fixture->columns[1]);
    if (behind)
      builder_append_bool(&fixture->columns[2], mark);
    else
      builder_append_null(&fixture->columns[2]);
  }
}

static void no_rows(struct fixture *fixture) { (void)fixture; }

enum { MANY = 4000 };
static uint64_t many[MANY];
static const struct store_tombstone tombstones[] = {
    {.key_min = INT64_MIN, .key_max = 5},
    {.series = many, .series_count = 3, .key_min = -1, .key_max = 1},
    {.series = many, .series_count = MANY, .key_min = 0, .key_max = INT64_MAX},
};
static const uint64_t commits[] = {11, 12, 12}, sources[] = {7, 8};

static const struct {
  const char *file;
  void (*rows)(struct fixture *fixture);
  int level;
  struct part_ending ending;
} goldens[] = {
    {"v1_small_fast.part", small_rows, CODEC_FAST, {.commit_min = 0, .commit_max = 0}},
    {"v1_small_hot.part",
     small_rows,
     CODEC_HOT,
     {.commit_min = 11,
      .commit_max = 12,
      .tombstones = tombstones,
      .tombstone_commits = commits,
      .tombstone_count = 2,
      .sources = sources,
      .source_count = 2,
      .series = {"what the layer above says", 25}}},
    {"v1_long_chunks.part",
     long_rows,
     CODEC_HOT,
     {.commit_min = 11,
      .commit_max = 12,
      .tombstones = tombstones,
      .tombstone_commits = commits,
      .tombstone_count = 3}},
    {"v1_history.part",
     history_rows,
     CODEC_HOT,
     {.commit_min = 10, .commit_max = 13, .has_history = true, .history_since = 11}},
    {"v1_tombstones.part",
     no_rows,
     CODEC_FAST,
     {.commit_min = 11,
      .commit_max = 12,
      .tombstones = tombstones,
      .tombstone_commits = commits,
      .tombstone_count = 2}},
};

static struct part_memory *read_golden(struct fixture *fixture, const char *name) {
  char path[200];
  snprintf(path, sizeof path, "%s%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s is missing (tests run from the top of the tree)", path);
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  struct part_memory *memory = mem_alloc_zero(&fixture->account, sizeof *memory);
  *memory = (struct part_memory){.references = 1,
                                 .account = &fixture->account,
                                 .data = mem_alloc(&fixture->account, size),
                                 .size = size,
                                 .capacity = size};
  assert_int_equal(fread(memory->data, 1, size, file), size);
  fclose(file);
  return memory;
}

static void write_golden(const struct part_memory *memory, const char *name) {
  char path[200];
  snprintf(path, sizeof path, "%s%s", folder, name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(memory->data, 1, memory->size, file), memory->size);
  assert_int_equal(fclose(file), 0);
}

static void check_ending(struct store_part *part, const struct part_ending *ending) {
  const struct store_tombstone *read;
  const uint64_t *read_commits, *read_sources;
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  assert_int_equal(facts.commit_min, ending->commit_min);
  assert_int_equal(facts.commit_max, ending->commit_max);
  assert_int_equal(facts.id, 42 << 20 | 3);
  assert_int_equal(part_store(part), 7);
  assert_int_equal(part_has_history(part), ending->has_history);
  if (ending->has_history) assert_int_equal(part_history_since(part), ending->history_since);
  assert_int_equal(part_tombstones(part, &read, &read_commits), ending->tombstone_count);
  for (uint32_t i = 0; i < ending->tombstone_count; i++) {
    assert_int_equal(read_commits[i], commits[i]);
    assert_int_equal(read[i].key_min, tombstones[i].key_min);
    assert_int_equal(read[i].key_max, tombstones[i].key_max);
    assert_int_equal(read[i].series_count, tombstones[i].series_count);
    for (size_t j = 0; j < read[i].series_count; j++)
      assert_int_equal(read[i].series[j], many[j]);
  }
  assert_int_equal(part_sources(part, &read_sources), ending->source_count);
  for (uint32_t i = 0; i < ending->source_count; i++)
    assert_int_equal(read_sources[i], sources[i]);
  char bytes[64];
  assert_int_equal(store_part_series_bytes(part), ending->series.size);
  assert_int_equal(store_part_series_read(part, 0, bytes, ending->series.size, NULL), ERR_OK);
  if (ending->series.size) assert_memory_equal(bytes, ending->series.data, ending->series.size);
}

static void check_part(struct fixture *fixture, struct part_memory *memory,
                       const struct part_ending *ending) {
  struct store_part *part;
  struct err err;
  err_reset(&err);
  assert_ok(part_open_memory(memory, 0, memory->size, &fixture->account, 0, &part, &err), &err);
  assert_ok(fixture_compare(fixture, part, &err), &err);
  assert_ok(part_verify(part, &err), &err);
  check_ending(part, ending);
  part_release(part);
}

static void test_golden_files(void **state) {
  (void)state;
  const char *mode = getenv("NILO_GOLDEN");
  for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
    print_message("%s\n", goldens[i].file);
    struct fixture fixture;
    fixture_init(&fixture, 0);
    fixture.options.level = goldens[i].level;
    fixture.options.id = 42 << 20 | 3;
    goldens[i].rows(&fixture);
    struct part_memory *memory;
    struct err err;
    err_reset(&err);
    assert_ok(fixture_write(&fixture, 0, &goldens[i].ending, &memory, &err), &err);
    check_part(&fixture, memory, &goldens[i].ending);
    if (mode && strcmp(mode, "write") == 0) write_golden(memory, goldens[i].file);
    part_memory_release(memory);
    memory = read_golden(&fixture, goldens[i].file);
    check_part(&fixture, memory, &goldens[i].ending);
    part_memory_release(memory);
    fixture_deinit(&fixture);
  }
}

int main(void) {
  for (uint64_t i = 0; i < MANY; i++)
    many[i] = 1 + i * 3;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
