/* Parts: what is written comes back; facts, sizes, endings, what hangs on a part. The numbers in
 * names are those of the ordered store's contract. */
#include "part_fixture.h"

#include <math.h>

#include "codec/codec.h"
#include "store/part_format.h"

enum { SEED = 20240717 };

static struct store_part *open_image(struct fixture *fixture, struct part_memory *memory) {
  struct store_part *part;
  struct err err;
  err_reset(&err);
  assert_ok(part_open_memory(memory, 0, memory->size, &fixture->account, 0, &part, &err), &err);
  return part;
}

/* Writes, opens, compares, verifies. */
static void round_trip(struct fixture *fixture, uint32_t slice_max, int level) {
  struct part_memory *memory;
  struct part_ending ending = {.commit_min = 3, .commit_max = 9};
  struct err err;
  err_reset(&err);
  fixture->options.level = level;
  assert_ok(fixture_write(fixture, slice_max, &ending, &memory, &err), &err);
  struct store_part *part = open_image(fixture, memory);
  part_memory_release(memory);
  assert_ok(fixture_compare(fixture, part, &err), &err);
  assert_ok(part_verify(part, &err), &err);
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  assert_int_equal(facts.rows, fixture_rows(fixture));
  assert_int_equal(facts.blocks, part_block_count(part));
  assert_int_equal(facts.commit_min, 3);
  assert_int_equal(facts.commit_max, 9);
  assert_true(facts.in_memory);
  part_release(part);
}

static const struct shape {
  const char *name;
  uint32_t series, rows; /* rows of each series, about */
  unsigned nulls;        /* of 256 */
} shapes[] = {
    {"one row", 1, 1, 0},
    {"one row of many series", 3000, 1, 0},
    {"one short series", 1, 100, 0},
    {"two short series", 2, 50, 20},
    {"many short series", 1000, 5, 20},
    {"runs that fill blocks", 30, 1024, 3},
    {"middling runs", 7, 5000, 30},
    {"one long series", 1, 30000, 3},
    {"long series after another", 3, 9000, 0},
    {"mostly nulls", 5, 3000, 250},
    {"one block exactly", 1, 8192, 0},
    {"one row more than a block", 1, 8193, 1},
    {"two blocks exactly", 1, 16384, 1},
    {"one row more than two blocks", 1, 16385, 1},
};

static void fill(struct fixture *fixture, const struct shape *shape) {
  fixture_all_types(fixture);
  for (uint32_t i = 0; i < shape->series; i++) {
    uint32_t rows = shape->rows > 2 && shape->series > 1
                        ? shape->rows / 2 + (uint32_t)fixture_below(fixture, shape->rows)
                        : shape->rows;
    fixture_run(fixture, 10 + i * 3, rows, shape->nulls);
  }
}

static void test_round_trips(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    print_message("%s\n", shapes[i].name);
    struct fixture fixture;
    fixture_init(&fixture, SEED + i);
    fill(&fixture, &shapes[i]);
    round_trip(&fixture, 0, CODEC_FAST);
    round_trip(&fixture, 10000, CODEC_HOT);
    if (fixture_rows(&fixture) < 20000) round_trip(&fixture, 700, CODEC_FAST);
    fixture_deinit(&fixture);
  }
}

/* Where blocks end depends on the rows alone, not on how they were sliced. */
static void test_slicing_does_not_matter(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED + i);
    fill(&fixture, &shapes[i]);
    struct part_ending ending = {.commit_min = 1, .commit_max = 1};
    struct part_memory *memory;
    struct err err;
    err_reset(&err);
    assert_ok(fixture_write(&fixture, 0, &ending, &memory, &err), &err);
    struct store_part *whole = open_image(&fixture, memory);
    part_memory_release(memory);
    assert_ok(part_load_blocks(whole, &err), &err);
    for (uint32_t slice = 500; slice < 20000; slice *= 6) {
      assert_ok(fixture_write(&fixture, slice, &ending, &memory, &err), &err);
      struct store_part *sliced = open_image(&fixture, memory);
      part_memory_release(memory);
      assert_ok(part_load_blocks(sliced, &err), &err);
      assert_int_equal(part_block_count(sliced), part_block_count(whole));
      assert_memory_equal(part_blocks(sliced), part_blocks(whole),
                          part_block_count(whole) * sizeof(struct part_block));
      part_release(sliced);
    }
    part_release(whole);
    fixture_deinit(&fixture);
  }
}

/* W2, P7: every key is a key. */
static void test_w2_extreme_keys(void **state) {
  (void)state;
  static const int64_t keys[] = {INT64_MIN, INT64_MIN, INT64_MIN + 1, -1,        0,        0,
                                 0,         1,         INT64_MAX - 1, INT64_MAX, INT64_MAX};
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_all_types(&fixture);
  for (uint64_t series = 1; series < 4; series++)
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
      fixture_row(&fixture, series == 3 ? UINT64_MAX : series, keys[i], 100);
  round_trip(&fixture, 0, CODEC_FAST);
  round_trip(&fixture, 3, CODEC_HOT);
  fixture_deinit(&fixture);
}

static void test_extreme_values(void **state) {
  (void)state;
  static const double floats[] = {0.0,      -0.0,      1e308, -1e308, 5e-324,     0.1,  1e22,
                                  INFINITY, -INFINITY, NAN,   -NAN,   123456.789, -0.01};
  static const int64_t integers[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN, INT64_MAX};
  struct fixture fixture;
  for (size_t from = 0; from < sizeof floats / sizeof floats[0]; from++) {
    for (size_t count = 1; from + count <= sizeof floats / sizeof floats[0]; count++) {
      fixture_init(&fixture, SEED);
      fixture_column(&fixture, 1, TYPE_FLOAT64);
      fixture_column(&fixture, 2, TYPE_INT64);
      fixture_column(&fixture, 3, TYPE_UINT64);
      for (size_t i = from; i < from + count; i++) {
        builder_append_u64(&fixture.series, 1 + i / 4);
        builder_append_i64(&fixture.keys, (int64_t)i);
        builder_append_f64(&fixture.columns[0], floats[i]);
        builder_append_i64(&fixture.columns[1], integers[i % 7]);
        builder_append_u64(&fixture.columns[2], (uint64_t)integers[(i + 3) % 7]);
      }
      round_trip(&fixture, 0, CODEC_FAST);
      fixture_deinit(&fixture);
    }
  }
}

/* A column may come and go between appends. */
static void test_w8_columns_differ_between_appends(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_all_types(&fixture);
  for (uint32_t i = 0; i < 40000; i++) {
    builder_append_u64(&fixture.series, 1 + i / 9000);
    builder_append_i64(&fixture.keys, i);
    for (uint32_t j = 0; j < fixture.column_count; j++) {
      if (i / 5000 % 2 == j % 2 || (j == 3 && i < 30000))
        builder_append_null(&fixture.columns[j]);
      else
        fixture_value(&fixture, &fixture.columns[j]);
    }
  }
  round_trip(&fixture, 0, CODEC_FAST);
  round_trip(&fixture, 300, CODEC_HOT);
  round_trip(&fixture, 12000, CODEC_HOT);
  fixture_deinit(&fixture);
}

static void test_column_the_part_lacks(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_column(&fixture, 4, TYPE_STRING);
  fixture_run(&fixture, 1, 10, 256);
  struct part_memory *memory;
  struct part_ending ending = {.commit_min = 1, .commit_max = 1};
  assert_int_equal(fixture_write(&fixture, 0, &ending, &memory, NULL), ERR_OK);
  struct store_part *part = open_image(&fixture, memory);
  part_memory_release(memory);
  struct arena arena;
  arena_init(&arena, &fixture.account, 100);
  struct column column;
  struct column_statistics statistics;
  assert_int_equal(part_read_column(part, 0, 4, &arena, &column, NULL, NULL), ERR_OK);
  assert_int_equal(column.length, 10);
  assert_int_equal(column.null_count, 10);
  assert_true(type_equal(column.type, TYPE_INT64));
  for (int i = 0; i < 10; i++)
    assert_false(column_is_valid(&column, i));
  assert_int_equal(part_statistics(part, 0, 4, &statistics, NULL), ERR_OK);
  assert_int_equal(statistics.count, 0);
  const uint32_t *ids;
  const struct type *types;
  assert_int_equal(part_columns(part, &ids, &types), 0);
  arena_deinit(&arena);
  part_release(part);
  fixture_deinit(&fixture);
}

/* P2: the writer refuses what is out of order, and stays failed. */
static void test_p2_order_is_enforced(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum store_policy policy;
    uint64_t series[3];
    int64_t keys[3];
    int code;
  } cases[] = {
      {"in order", STORE_NEWEST_COLUMN, {1, 1, 2}, {5, 6, 1}, ERR_OK},
      {"series 0", STORE_KEEP_ALL, {0, 1, 2}, {5, 6, 7}, ERR_INVALID_ARGUMENT},
      {"series goes back", STORE_KEEP_ALL, {1, 2, 1}, {5, 6, 7}, ERR_INVALID_ARGUMENT},
      {"key goes back", STORE_KEEP_ALL, {1, 1, 2}, {5, 4, 7}, ERR_INVALID_ARGUMENT},
      {"equal keys where all are kept", STORE_KEEP_ALL, {1, 1, 2}, {5, 5, 7}, ERR_OK},
      {"equal keys where twins go", STORE_DROP_TWINS, {1, 1, 2}, {5, 5, 7}, ERR_OK},
      {"equal keys, newest column",
       STORE_NEWEST_COLUMN,
       {1, 1, 2},
       {5, 5, 7},
       ERR_INVALID_ARGUMENT},
      {"equal keys, newest row", STORE_NEWEST_ROW, {1, 1, 2}, {5, 5, 7}, ERR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (uint32_t first = 1; first <= 3; first++) { /* across appends too */
      struct fixture fixture;
      fixture_init(&fixture, SEED);
      fixture.options.policy = cases[i].policy;
      struct part_writer *writer;
      assert_int_equal(
          part_writer_create(&fixture.options, &fixture.account, NULL, 0, &writer, NULL), ERR_OK);
      struct store_rows rows = {.policy = cases[i].policy,
                                .rows = first,
                                .series = cases[i].series,
                                .keys = cases[i].keys};
      struct store_rows more = {.policy = cases[i].policy,
                                .rows = 3 - first,
                                .series = cases[i].series + first,
                                .keys = cases[i].keys + first};
      struct err err;
      err_reset(&err);
      int code = part_writer_append(writer, &rows, &err);
      int second = part_writer_append(writer, &more, &err);
      if ((code ? code : first < 3 ? second : code) != cases[i].code)
        fail_msg("%s, cut at %u: %d, %d", cases[i].name, first, code, second);
      if (code && first < 3) assert_int_equal(second, code);
      part_writer_destroy(writer);
      fixture_deinit(&fixture);
    }
  }
}

static void test_bad_columns_are_refused(void **state) {
  (void)state;
  int64_t values[2] = {1, 2};
  struct column good = {.type = TYPE_INT64, .length = 2, .i64 = values};
  struct column small = {.type = {PHYSICAL_INT32, 0, 0}, .length = 2, .i64 = values};
  struct column shorter = {.type = TYPE_INT64, .length = 1, .i64 = values};
  const struct {
    const char *name;
    struct store_column columns[2];
  } cases[] = {
      {"id 0", {{0, good}, {1, good}}},
      {"equal ids", {{1, good}, {1, good}}},
      {"falling ids", {{2, good}, {1, good}}},
      {"another length", {{1, good}, {2, shorter}}},
      {"a type that is not stored", {{1, good}, {2, small}}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    struct part_writer *writer;
    assert_int_equal(part_writer_create(&fixture.options, &fixture.account, NULL, 0, &writer, NULL),
                     ERR_OK);
    struct store_rows rows = {.policy = STORE_KEEP_ALL,
                              .rows = 2,
                              .series = (const uint64_t[]){1, 1},
                              .keys = values,
                              .columns = cases[i].columns,
                              .column_count = 2};
    if (part_writer_append(writer, &rows, NULL) != ERR_INVALID_ARGUMENT)
      fail_msg("%s was accepted", cases[i].name);
    part_writer_destroy(writer);
    fixture_deinit(&fixture);
  }
}

static void test_type_conflict_between_appends(void **state) {
  (void)state;
  int64_t values[2] = {1, 2};
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct part_writer *writer;
  assert_int_equal(part_writer_create(&fixture.options, &fixture.account, NULL, 0, &writer, NULL),
                   ERR_OK);
  struct store_column column = {3, {.type = TYPE_INT64, .length = 1, .i64 = values}};
  struct store_rows rows = {.policy = STORE_KEEP_ALL,
                            .rows = 1,
                            .series = (const uint64_t[]){1},
                            .keys = values,
                            .columns = &column,
                            .column_count = 1};
  assert_int_equal(part_writer_append(writer, &rows, NULL), ERR_OK);
  column.column.type = TYPE_FLOAT64;
  assert_int_equal(part_writer_append(writer, &rows, NULL), ERR_TYPE_CONFLICT);
  part_writer_destroy(writer);
  fixture_deinit(&fixture);
}

/* No rows: deletes alone, with series that are all, few and many; sources; a series section. */
static void test_endings(void **state) {
  (void)state;
  enum { MANY = 3000 };
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  uint64_t *many = malloc(MANY * sizeof *many);
  for (int i = 0; i < MANY; i++)
    many[i] = (uint64_t)i * 3 + 1;
  const struct store_tombstone tombstones[] = {
      {.key_min = INT64_MIN, .key_max = INT64_MAX},
      {.series = (const uint64_t[]){5, UINT64_MAX}, .series_count = 2, .key_min = -4, .key_max = 9},
      {.series = many, .series_count = MANY, .key_min = 7, .key_max = 7},
      {.series = many, .series_count = 0, .key_min = 1, .key_max = 2},
  };
  const uint64_t commits[] = {4, 5, 5, 6}, sources[] = {1, 99};
  for (uint32_t count = 0; count <= 4; count++) {
    struct part_ending ending = {.commit_min = 4,
                                 .commit_max = 6,
                                 .tombstones = tombstones,
                                 .tombstone_commits = commits,
                                 .tombstone_count = count,
                                 .sources = sources,
                                 .source_count = count % 3,
                                 .series = count % 2 ? STR("series section") : STR("")};
    struct part_memory *memory;
    assert_int_equal(fixture_write(&fixture, 0, &ending, &memory, NULL), ERR_OK);
    struct store_part *part = open_image(&fixture, memory);
    part_memory_release(memory);
    const struct store_tombstone *read;
    const uint64_t *read_commits, *read_sources;
    assert_int_equal(part_tombstones(part, &read, &read_commits), count);
    for (uint32_t i = 0; i < count; i++) {
      assert_int_equal(read_commits[i], commits[i]);
      assert_int_equal(read[i].key_min, tombstones[i].key_min);
      assert_int_equal(read[i].key_max, tombstones[i].key_max);
      assert_int_equal(read[i].series_count, tombstones[i].series_count);
      assert_int_equal(read[i].series == NULL, tombstones[i].series == NULL);
      if (read[i].series_count)
        assert_memory_equal(read[i].series, tombstones[i].series, read[i].series_count * 8);
    }
    assert_int_equal(part_sources(part, &read_sources), count % 3);
    assert_memory_equal(read_sources, sources, count % 3 * 8);
    char bytes[20] = {0};
    assert_int_equal(store_part_series_bytes(part), ending.series.size);
    assert_int_equal(store_part_series_read(part, 0, bytes, ending.series.size, NULL), ERR_OK);
    assert_memory_equal(bytes, ending.series.data, ending.series.size);
    assert_int_equal(store_part_series_read(part, ending.series.size, bytes, 1, NULL),
                     ERR_OUT_OF_RANGE);
    assert_int_equal(part_block_count(part), 0);
    assert_int_equal(part_load_blocks(part, NULL), ERR_OK);
    assert_int_equal(part_verify(part, NULL), ERR_OK);
    part_release(part);
  }
  free(many);
  fixture_deinit(&fixture);
}

/* A logged image does not know its commit; who opens it does. */
static void test_commit_override(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_column(&fixture, 1, TYPE_INT64);
  fixture_run(&fixture, 3, 20, 0);
  const struct store_tombstone tombstone = {.key_min = 1, .key_max = 2};
  struct part_ending ending = {
      .tombstones = &tombstone, .tombstone_commits = (const uint64_t[]){0}, .tombstone_count = 1};
  struct part_memory *memory;
  struct store_part *part;
  assert_int_equal(fixture_write(&fixture, 0, &ending, &memory, NULL), ERR_OK);
  assert_int_equal(part_open_memory(memory, 0, memory->size, &fixture.account, 42, &part, NULL),
                   ERR_OK);
  part_memory_release(memory);
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  assert_int_equal(facts.commit_min, 42);
  assert_int_equal(facts.commit_max, 42);
  const struct store_tombstone *read;
  const uint64_t *commits;
  assert_int_equal(part_tombstones(part, &read, &commits), 1);
  assert_int_equal(commits[0], 42);
  assert_int_equal(part_store(part), 7);
  assert_int_equal(part_policy(part), STORE_KEEP_ALL);
  part_release(part);
  fixture_deinit(&fixture);
}

static int destroyed;
static void count_destroyed(void *value) { destroyed += *(int *)value; }

static void test_attachment(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct part_memory *memory;
  struct part_ending ending = {.commit_min = 1, .commit_max = 1};
  assert_int_equal(fixture_write(&fixture, 0, &ending, &memory, NULL), ERR_OK);
  struct store_part *part = open_image(&fixture, memory);
  part_memory_release(memory);
  int first = 1, second = 10;
  destroyed = 0;
  assert_null(store_part_attachment(part, NULL, count_destroyed));
  assert_ptr_equal(store_part_attachment(part, &first, count_destroyed), &first);
  assert_ptr_equal(store_part_attachment(part, &second, count_destroyed), &first);
  assert_ptr_equal(store_part_attachment(part, NULL, NULL), &first);
  part_retain(part);
  part_release(part);
  assert_int_equal(destroyed, 0);
  part_release(part);
  assert_int_equal(destroyed, 1);
  fixture_deinit(&fixture);
}

/* An image at any 8-aligned place of a larger run of bytes. */
static void test_image_inside_a_record(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_all_types(&fixture);
  fixture_run(&fixture, 3, 500, 10);
  struct part_ending ending = {.commit_min = 1, .commit_max = 1};
  struct part_memory *memory;
  assert_int_equal(fixture_write(&fixture, 0, &ending, &memory, NULL), ERR_OK);
  for (size_t shift = 0; shift < 16; shift += 4) { /* 4: not aligned, copied on reading */
    size_t size = memory->size + 16;
    struct part_memory *record = mem_alloc_zero(&fixture.account, sizeof *record);
    *record = (struct part_memory){.references = 1,
                                   .account = &fixture.account,
                                   .data = mem_alloc_zero(&fixture.account, size),
                                   .size = size,
                                   .capacity = size};
    memcpy(record->data + shift, memory->data, memory->size);
    struct store_part *part;
    struct err err;
    err_reset(&err);
    if (shift % 8 == 0) {
      assert_ok(part_open_memory(record, shift, memory->size, &fixture.account, 5, &part, &err),
                &err);
      assert_ok(fixture_compare(&fixture, part, &err), &err);
      part_release(part);
    }
    part_memory_release(record);
  }
  part_memory_release(memory);
  fixture_deinit(&fixture);
}

/* What a small part costs beyond the images of its keys and columns. */
static void test_small_parts_are_small(void **state) {
  (void)state;
  static const struct {
    uint32_t rows, columns;
    struct type type;
    uint64_t overhead;
  } cases[] = {
      {1, 1, {PHYSICAL_INT64, 0, 0}, 450},        {1, 1, {PHYSICAL_STRING, 0, 0}, 450},
      {1, 10, {PHYSICAL_FLOAT64, 0, 0}, 1300},    {10, 3, {PHYSICAL_BOOL, 0, 0}, 600},
      {1000, 10, {PHYSICAL_FLOAT64, 0, 0}, 1400}, {1000, 10, {PHYSICAL_INT64, 0, 0}, 1400},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    for (uint32_t j = 0; j < cases[i].columns; j++)
      fixture_column(&fixture, 1 + j, cases[i].type);
    fixture_run(&fixture, 3, cases[i].rows, 0);
    struct part_ending ending = {.commit_min = 1, .commit_max = 1};
    struct part_memory *memory;
    assert_int_equal(fixture_write(&fixture, 0, &ending, &memory, NULL), ERR_OK);
    struct store_part *part = open_image(&fixture, memory);
    struct arena arena;
    arena_init(&arena, &fixture.account, 4096);
    uint64_t images = 0;
    const int64_t *keys;
    struct column column;
    assert_int_equal(part_read_keys(part, 0, &arena, &keys, &images, NULL), ERR_OK);
    for (uint32_t j = 0; j < cases[i].columns; j++)
      assert_int_equal(part_read_column(part, 0, 1 + j, &arena, &column, &images, NULL), ERR_OK);
    print_message("%u x %u: %zu bytes, %llu of them images\n", cases[i].rows, cases[i].columns,
                  memory->size, (unsigned long long)images);
    assert_true(memory->size - images <= cases[i].overhead);
    arena_deinit(&arena);
    part_release(part);
    part_memory_release(memory);
    fixture_deinit(&fixture);
  }
}

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_slicing_does_not_matter),
      cmocka_unit_test(test_w2_extreme_keys),
      cmocka_unit_test(test_extreme_values),
      cmocka_unit_test(test_w8_columns_differ_between_appends),
      cmocka_unit_test(test_column_the_part_lacks),
      cmocka_unit_test(test_p2_order_is_enforced),
      cmocka_unit_test(test_bad_columns_are_refused),
      cmocka_unit_test(test_type_conflict_between_appends),
      cmocka_unit_test(test_endings),
      cmocka_unit_test(test_commit_override),
      cmocka_unit_test(test_attachment),
      cmocka_unit_test(test_image_inside_a_record),
      cmocka_unit_test(test_small_parts_are_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
