/* Where blocks end (P1, P2): tables of series and the blocks they must give. */
#include "part_fixture.h"

#include "codec/codec.h"
#include "store/part_format.h"

enum { SEED = 20240718, BLOCKS_MAX = 12, SERIES_MAX = 8 };

static struct store_part *write_part(struct fixture *fixture, uint32_t slice_max) {
  struct part_ending ending = {.commit_min = 1, .commit_max = 1};
  struct part_memory *memory;
  struct store_part *part;
  struct err err;
  err_reset(&err);
  assert_ok(fixture_write(fixture, slice_max, &ending, &memory, &err), &err);
  assert_ok(part_open_memory(memory, 0, memory->size, &fixture->account, 0, &part, &err), &err);
  part_memory_release(memory);
  assert_ok(part_load_blocks(part, &err), &err);
  return part;
}

static const struct {
  const char *name;
  uint32_t series[SERIES_MAX]; /* rows of each, 0 ends */
  uint32_t blocks[BLOCKS_MAX]; /* rows of each */
} cases[] = {
    {"small series share a block", {10, 20, 30}, {60}},
    {"whole runs only", {4000, 4000, 4000}, {8000, 4000}},
    {"a block is filled exactly", {4096, 4096, 1}, {8192, 1}},
    {"a block and one row", {8193}, {4097, 4096}},
    {"cut evenly", {9000}, {4500, 4500}},
    {"cut evenly, odd", {9001}, {4501, 4500}},
    {"two full blocks", {16384}, {8192, 8192}},
    {"two blocks and one row", {16385}, {8192, 4097, 4096}},
    {"small, long, small", {100, 9000, 100}, {100, 4500, 4500, 100}},
    {"long ones keep to themselves", {9000, 9000}, {4500, 4500, 4500, 4500}},
    {"many full blocks, the rest evenly", {50000}, {8192, 8192, 8192, 8192, 8192, 9040}},
    {"exactly one block each", {8192, 8192}, {8192, 8192}},
};

static void test_p1_p2_where_blocks_end(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (uint32_t slice = 0; slice <= 20000; slice = slice ? slice * 5 : 100) {
      struct fixture fixture;
      fixture_init(&fixture, SEED);
      fixture_column(&fixture, 1, TYPE_INT64);
      for (uint32_t j = 0; j < SERIES_MAX && cases[i].series[j]; j++)
        fixture_run(&fixture, 5 + j, cases[i].series[j], 0);
      struct store_part *part = write_part(&fixture, slice);
      uint32_t count = 0;
      while (count < BLOCKS_MAX && cases[i].blocks[count])
        count++;
      if (cases[i].blocks[count - 1] > CODEC_ROWS_MAX) { /* the last two, given as their sum */
        assert_int_equal(part_block_count(part), count + 1);
        uint32_t a = part_blocks(part)[count - 1].rows, b = part_blocks(part)[count].rows;
        assert_int_equal(a + b, cases[i].blocks[count - 1]);
        assert_in_range(a - b, 0, 1);
        count--;
      } else if (part_block_count(part) != count) {
        fail_msg("%s: %u blocks", cases[i].name, part_block_count(part));
      }
      for (uint32_t j = 0; j < count; j++)
        if (part_blocks(part)[j].rows != cases[i].blocks[j])
          fail_msg("%s: block %u has %u rows", cases[i].name, j, part_blocks(part)[j].rows);
      part_release(part);
      fixture_deinit(&fixture);
    }
  }
}

/* 2 MiB plain: wide rows and long strings make blocks of fewer rows. */
static void test_p1_bytes(void **state) {
  (void)state;
  for (int wide = 0; wide < 2; wide++) {
    for (uint32_t slice = 0; slice <= 9000; slice += 3000) {
      struct fixture fixture;
      fixture_init(&fixture, SEED);
      char text[1500];
      memset(text, 'x', sizeof text);
      for (uint32_t j = 0; j < FIXTURE_COLUMNS_MAX; j++)
        fixture_column(&fixture, j + 1, wide || j ? TYPE_FLOAT64 : TYPE_STRING);
      fixture.options.policy = STORE_NEWEST_COLUMN;
      for (int i = 0; i < 20000; i++) {
        builder_append_u64(&fixture.series, i < 15000 ? 1 : (uint64_t)i);
        builder_append_i64(&fixture.keys, i);
        for (uint32_t j = 0; j < FIXTURE_COLUMNS_MAX; j++) {
          if (wide || j)
            builder_append_f64(&fixture.columns[j], (double)(i % 100));
          else
            builder_append_str(&fixture.columns[j], str_of(text, fixture_below(&fixture, 1500)));
        }
      }
      struct store_part *part = write_part(&fixture, slice);
      struct err err;
      err_reset(&err);
      uint32_t row = 0;
      struct column strings = builder_view(&fixture.columns[0]);
      for (uint32_t i = 0; i < part_block_count(part); i++) {
        uint32_t rows = part_blocks(part)[i].rows;
        uint64_t plain = (uint64_t)rows * (8 + 15 * 8);
        plain += wide ? rows * 8
                      : rows * 4 + (uint64_t)(strings.offsets[row + rows] - strings.offsets[row]);
        assert_true(plain <= 2 << 20);
        row += rows;
      }
      assert_true(part_block_count(part) < 40);
      assert_ok(fixture_compare(&fixture, part, &err), &err);
      part_release(part);
      fixture_deinit(&fixture);
    }
  }
}

/* A block of a single large row exceeds 2 MiB; its neighbours do not join it. */
static void test_p1_single_large_rows(void **state) {
  (void)state;
  enum { LARGE = 5 << 20 };
  char *text = malloc(LARGE);
  memset(text, 'y', LARGE);
  for (uint32_t slice = 0; slice < 3; slice++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    fixture_column(&fixture, 9, TYPE_BYTES);
    static const size_t sizes[] = {10, LARGE, 10, 10, LARGE, LARGE, 10, 10};
    for (int i = 0; i < 8; i++) {
      builder_append_u64(&fixture.series, 1 + (uint64_t)i / 3);
      builder_append_i64(&fixture.keys, i);
      builder_append_str(&fixture.columns[0], str_of(text, sizes[i]));
    }
    struct store_part *part = write_part(&fixture, slice);
    struct err err;
    err_reset(&err);
    uint32_t row = 0;
    for (uint32_t i = 0; i < part_block_count(part); i++) {
      size_t bytes = 0;
      for (uint32_t j = 0; j < part_blocks(part)[i].rows; j++)
        bytes += sizes[row++];
      assert_true(bytes <= 2 << 20 || part_blocks(part)[i].rows == 1);
    }
    assert_ok(fixture_compare(&fixture, part, &err), &err);
    part_release(part);
    fixture_deinit(&fixture);
  }
  free(text);
}

/* More metadata than fits the tail or one chunk: a series of 4,097 rows is a block. */
static void test_metadata_in_chunks(void **state) {
  (void)state;
  enum { ROWS = 4097, SERIES = 3000 };
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  static uint64_t series[ROWS];
  static int64_t keys[ROWS], values[ROWS];
  struct part_writer *writer;
  struct part_memory *memory;
  struct store_part *part;
  struct err err;
  err_reset(&err);
  assert_ok(part_writer_create(&fixture.options, &fixture.account, NULL, 0, &writer, &err), &err);
  for (uint64_t i = 0; i < SERIES; i++) {
    for (int j = 0; j < ROWS; j++) {
      series[j] = i * 1000003 + 1;
      keys[j] = (int64_t)i * 1000 + j;
      values[j] = (int64_t)(i * 77777) + 5;
    }
    struct store_column columns[2] = {
        {4, {.type = TYPE_INT64, .length = ROWS, .i64 = values}},
        {9, {.type = TYPE_INT64, .length = ROWS, .i64 = keys}}, /* absent at first */
    };
    struct store_rows rows = {.policy = STORE_KEEP_ALL,
                              .rows = ROWS,
                              .series = series,
                              .keys = keys,
                              .columns = columns,
                              .column_count = i < 100 ? 1 : 2};
    assert_ok(part_writer_append(writer, &rows, &err), &err);
  }
  uint64_t size;
  struct part_ending ending = {.commit_min = 1, .commit_max = 1};
  assert_ok(part_writer_finish(writer, &ending, &size, &memory, &err), &err);
  part_writer_destroy(writer);
  assert_ok(part_open_memory(memory, 0, memory->size, &fixture.account, 0, &part, &err), &err);
  part_memory_release(memory);
  assert_ok(part_load_blocks(part, &err), &err);
  assert_int_equal(part_block_count(part), SERIES);
  for (uint32_t i = 0; i < SERIES; i += 7) {
    struct column_statistics statistics;
    assert_true(part_blocks(part)[i].series_first == i * UINT64_C(1000003) + 1);
    assert_int_equal(part_blocks(part)[i].key_min, i * 1000);
    assert_ok(part_statistics(part, i, 4, &statistics, &err), &err);
    assert_int_equal(statistics.min.i64, i * UINT64_C(77777) + 5);
    assert_ok(part_statistics(part, i, 9, &statistics, &err), &err);
    assert_int_equal(statistics.count, i < 100 ? 0 : ROWS);
  }
  assert_ok(part_verify(part, &err), &err);
  part_release(part);
  fixture_deinit(&fixture);
}

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p1_p2_where_blocks_end),
      cmocka_unit_test(test_p1_bytes),
      cmocka_unit_test(test_p1_single_large_rows),
      cmocka_unit_test(test_metadata_in_chunks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
