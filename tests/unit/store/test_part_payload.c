/* Payloads in frames: rows of any length come back in every form and at every level, a few rows are
 * read from a few frames, what does not shrink stays as it is. */
#include "part_forms.h"

#include "base/bytes.h"
#include "codec/codec.h"
#include "store/part_frames.h"

enum { SEED = 20240803 };

static const struct part_ending ending = {.commit_min = 1, .commit_max = 1};

enum kind { FIXED, VARIED, EMPTY, LARGE, ABSENT, FIXED_ABSENT, RANDOM, ONE_ABSENT, KINDS };

static void add_payload(struct fixture *fixture, struct builder *builder, enum kind kind,
                        uint32_t i) {
  static char text[300000];
  size_t size = 32;
  switch (kind) {
  case VARIED:
    size = fixture_below(fixture, 300);
    break;
  case EMPTY:
    size = 0;
    break;
  case LARGE:
    size = i % 37 == 5 ? 100 + fixture_below(fixture, sizeof text - 100) : i % 400;
    break;
  case ABSENT:
    size = i % 70;
    if (fixture_below(fixture, 3)) return (void)builder_append_null(builder);
    break;
  case FIXED_ABSENT:
    if (i % 1000 < 900 && i % 7) return (void)builder_append_null(builder);
    break;
  case ONE_ABSENT:
    if (i == 100) return (void)builder_append_null(builder);
    break;
  default:
    break;
  }
  for (size_t j = 0; j < size; j += 8) {
    uint64_t value = kind == RANDOM || j % 32 == 8 ? fixture_random(fixture) : i / 3;
    memcpy(text + j, &value, 8);
  }
  builder_append_str(builder, str_of(text, size));
}

static void make_rows(struct fixture *fixture, enum kind kind, uint32_t rows, int level) {
  fixture_init(fixture, SEED + (uint64_t)kind);
  fixture->options.level = level;
  fixture_column(fixture, 2, TYPE_INT64);
  fixture_column(fixture, STORE_COLUMN_PAYLOAD, TYPE_BYTES);
  for (uint32_t i = 0; i < rows; i++) {
    builder_append_u64(&fixture->series, 1 + i / 5000);
    builder_append_i64(&fixture->keys, i);
    builder_append_i64(&fixture->columns[0], i);
    add_payload(fixture, &fixture->columns[1], kind, i);
  }
}

/* Ranges of rows, against the rows; first and last, one, random. */
static void check_ranges(struct fixture *fixture, struct store_part *part) {
  struct arena arena;
  struct err err;
  err_reset(&err);
  arena_init(&arena, &fixture->account, 4096);
  assert_ok(part_load_blocks(part, &err), &err);
  struct column model = builder_view(&fixture->columns[1]);
  uint32_t row = 0;
  for (uint32_t block = 0; block < part_block_count(part); block++) {
    uint32_t rows = part_blocks(part)[block].rows;
    for (int round = 0; round < 30; round++) {
      uint32_t from = round == 0 ? 0 : (uint32_t)fixture_below(fixture, rows);
      uint32_t count = round < 5 ? 1 : 1 + (uint32_t)fixture_below(fixture, rows - from);
      if (round == 5) from = rows - 1, count = 1;
      struct column column;
      arena_reset(&arena);
      assert_ok(part_read_column_rows(part, block, STORE_COLUMN_PAYLOAD, from, count, &arena,
                                      &column, NULL, &err),
                &err);
      assert_int_equal(column.length, count);
      uint32_t nulls = 0;
      for (uint32_t i = 0; i < count; i++) {
        fixture_compare_row(&column, i, &model, row + from + i);
        nulls += !column_is_valid(&column, i);
      }
      assert_int_equal(column.null_count, nulls);
    }
    row += rows;
  }
  arena_deinit(&arena);
}

static void payloads_come_back(void *context) {
  (void)context;
  for (int kind = 0; kind < KINDS; kind++) {
    for (int level = CODEC_FAST; level <= CODEC_COLD; level++) {
      for (int form = 0; form < FORM_COUNT; form++) {
        struct fixture fixture;
        struct formed formed;
        struct store_part *part;
        struct err err;
        err_reset(&err);
        make_rows(&fixture, kind, kind == LARGE ? 600 : 6000, level);
        assert_ok(form_write(&formed, &fixture, form, 1, form ? 700 : 0, &ending, &err), &err);
        assert_ok(form_check(&formed, &err), &err);
        assert_ok(form_open(&formed, &part, &err), &err);
        check_ranges(&fixture, part);
        part_release(part);
        form_remove(&formed);
        fixture_deinit(&fixture);
      }
    }
  }
}

/* The frames of a block: their heads. */
static uint32_t read_head(struct store_part *part, uint32_t block, struct part_frame *frames,
                          uint32_t *unit) {
  struct part_record record;
  struct type type;
  uint64_t offset;
  struct part_frames head;
  assert_int_equal(
      part__find_record(part, block, STORE_COLUMN_PAYLOAD, true, &record, &type, &offset, NULL),
      ERR_OK);
  uint8_t *bytes = form_bytes(part, offset, record.head_size);
  memcpy(&head, bytes, sizeof head);
  assert_true(head.count <= 200);
  memcpy(frames, bytes + sizeof head, head.count * sizeof *frames);
  free(bytes);
  *unit = record.size;
  return head.count;
}

/* A few rows are read from the frames that they lie in. */
static void few_rows_few_frames(void *context) {
  (void)context;
  for (int form = 0; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct store_part *part;
    struct err err;
    struct arena arena;
    struct part_frame frames[200];
    uint32_t unit;
    err_reset(&err);
    make_rows(&fixture, RANDOM, 5000, CODEC_HOT);
    arena_init(&arena, &fixture.account, 4096);
    assert_ok(form_write(&formed, &fixture, form, 1, 0, &ending, &err), &err);
    assert_ok(form_open(&formed, &part, &err), &err);
    /* 512 payloads of 32 bytes fill a frame. */
    uint32_t count = read_head(part, 0, frames, &unit);
    assert_int_equal(count, (5000 + 511) / 512);
    uint64_t head = unit;
    for (uint32_t i = 0; i < count; i++) {
      assert_int_equal(frames[i].row, i * 512);
      assert_int_equal(frames[i].width, 0);
      assert_int_equal(frames[i].kind, PART_FRAME_RAW);
      head -= frames[i].stored;
    }
    static const struct {
      uint32_t from, count, frames;
    } reads[] = {{0, 1, 1}, {511, 1, 1}, {511, 2, 2}, {512, 512, 1}, {700, 1000, 3}, {0, 4097, 9}};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
      struct column column;
      uint64_t bytes_read = 0;
      arena_reset(&arena);
      assert_ok(part_read_column_rows(part, 0, STORE_COLUMN_PAYLOAD, reads[i].from, reads[i].count,
                                      &arena, &column, &bytes_read, &err),
                &err);
      assert_int_equal(bytes_read, head + reads[i].frames * (16 << 10));
    }
    /* Damage in one frame is nothing to rows of another. */
    struct part_record record;
    struct type type;
    struct column column;
    uint64_t offset;
    assert_ok(part__find_record(part, 0, STORE_COLUMN_PAYLOAD, true, &record, &type, &offset, &err),
              &err);
    form_patch(&formed, part, offset + head + (16 << 10) + 100, "damage", 6);
    assert_ok(part_read_column_rows(part, 0, STORE_COLUMN_PAYLOAD, 1024, 3000, &arena, &column,
                                    NULL, &err),
              &err);
    assert_int_equal(
        part_read_column_rows(part, 0, STORE_COLUMN_PAYLOAD, 1000, 1, &arena, &column, NULL, &err),
        ERR_CORRUPTION);
    assert_int_equal(part_verify(part, &err), ERR_CORRUPTION);
    part_release(part);
    arena_deinit(&arena);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

/* Compressed where it pays, and where the level says so; large ones alone. */
static void frames_as_they_pay(void *context) {
  (void)context;
  for (int level = CODEC_FAST; level <= CODEC_COLD; level++) {
    for (int kind = FIXED; kind <= LARGE; kind++) {
      struct fixture fixture;
      struct formed formed;
      struct store_part *part;
      struct err err;
      struct part_frame frames[200];
      uint32_t unit, compressed = 0;
      err_reset(&err);
      make_rows(&fixture, kind, kind == LARGE ? 30 : 4000, level);
      assert_ok(form_write(&formed, &fixture, FORM_WIDE, 1, 0, &ending, &err), &err);
      assert_ok(form_open(&formed, &part, &err), &err);
      uint32_t count = read_head(part, 0, frames, &unit);
      for (uint32_t i = 0; i < count; i++) {
        compressed += frames[i].kind == PART_FRAME_ZSTD;
        uint32_t end = i + 1 < count ? frames[i + 1].row : (uint32_t)fixture.series.length;
        if (frames[i].plain > (16 << 10) + 4 * 8192) assert_int_equal(end - frames[i].row, 1);
      }
      if (level == CODEC_FAST || kind == EMPTY) assert_int_equal(compressed, 0);
      if (level >= CODEC_HOT && kind == FIXED) assert_int_equal(compressed, count);
      if (kind == EMPTY) assert_int_equal(count, 1);
      part_release(part);
      form_remove(&formed);
      fixture_deinit(&fixture);
    }
  }
}

/* Heads that lie with a good checksum, and frames that lie: refused, never read beyond. */
static void lying_frames(void *context) {
  (void)context;
  struct fixture fixture;
  struct err err;
  err_reset(&err);
  for (int kind = FIXED; kind <= FIXED_ABSENT; kind++) {
    make_rows(&fixture, kind, 900, CODEC_HOT);
    struct buffer out;
    struct arena arena;
    struct frames_hint hint = {0};
    uint32_t head_size;
    uint64_t checksum;
    struct column column = builder_view(&fixture.columns[1]), read;
    buffer_init(&out, &fixture.account);
    arena_init(&arena, &fixture.account, 4096);
    assert_ok(part_frames_write(&column, CODEC_HOT, &hint, &arena, &fixture.account, &out,
                                &head_size, &checksum, &err),
              &err);
    part_frames_hint_deinit(&hint, &fixture.account);
    assert_true(part_frames_check(out.data, head_size, 900, (uint32_t)out.size));
    assert_false(part_frames_check(out.data, head_size, 899, (uint32_t)out.size));
    assert_false(part_frames_check(out.data, head_size - 8, 900, (uint32_t)out.size));
    assert_false(part_frames_check(out.data, head_size, 900, (uint32_t)out.size - 8));
    uint8_t *copy = malloc(out.size);
    uint32_t accepted = 0;
    for (int round = 0; round < 4000; round++) {
      memcpy(copy, out.data, out.size);
      size_t at =
          round % 2 ? fixture_below(&fixture, head_size) : fixture_below(&fixture, out.size);
      copy[at] ^= (uint8_t)(1 << fixture_below(&fixture, 8));
      if (!part_frames_check(copy, head_size, 900, (uint32_t)out.size)) continue;
      uint32_t first, last, from = (uint32_t)fixture_below(&fixture, 900);
      uint32_t count = 1 + (uint32_t)fixture_below(&fixture, 900 - from);
      uint64_t offset, size;
      part_frames_range(copy, from, count, &first, &last, &offset, &size);
      /* Frames whose checksum holds for nonsense. */
      struct part_frame *frames = (struct part_frame *)(void *)(copy + sizeof(struct part_frames));
      uint64_t place = offset;
      for (uint32_t i = first; i <= last; place += frames[i++].stored)
        frames[i].checksum = checksum64(copy + place, frames[i].stored);
      arena_reset(&arena);
      int code = part_frames_read(copy, copy + offset, first, last, from, count, NULL, &arena,
                                  &read, &err);
      if (code) {
        assert_int_equal(code, ERR_CORRUPTION);
        continue;
      }
      accepted++;
      for (uint32_t i = 0; i < count; i++) { /* inside, whatever they are */
        struct str text = column_str(&read, i);
        assert_true(text.size < 1 << 20);
        if (text.size) at += (uint8_t)text.data[text.size - 1];
      }
    }
    assert_true(accepted > 0);
    free(copy);
    buffer_deinit(&out);
    arena_deinit(&arena);
    fixture_deinit(&fixture);
  }
}

static void other_types_are_refused(void *context) {
  (void)context;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct part_writer *writer;
  assert_int_equal(part_writer_create(&fixture.options, &fixture.account, NULL, 0, &writer, NULL),
                   ERR_OK);
  const int64_t value = 1;
  struct store_column column = {STORE_COLUMN_PAYLOAD,
                                {.type = TYPE_INT64, .length = 1, .i64 = &value}};
  struct store_rows rows = {.policy = STORE_KEEP_ALL,
                            .rows = 1,
                            .series = (const uint64_t[]){1},
                            .keys = &value,
                            .columns = &column,
                            .column_count = 1};
  assert_int_equal(part_writer_append(writer, &rows, NULL), ERR_INVALID_ARGUMENT);
  part_writer_destroy(writer);
  fixture_deinit(&fixture);
}

static void test_payloads_come_back(void **state) {
  (void)state;
  forms_run(SEED, 16, payloads_come_back);
}
static void test_few_rows_few_frames(void **state) {
  (void)state;
  forms_run(SEED, 16, few_rows_few_frames);
}
static void test_frames_as_they_pay(void **state) {
  (void)state;
  forms_run(SEED, 16, frames_as_they_pay);
}
static void test_lying_frames(void **state) { (void)state, forms_run(SEED, 16, lying_frames); }
static void test_other_types_are_refused(void **state) {
  (void)state;
  forms_run(SEED, 16, other_types_are_refused);
}

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_payloads_come_back),      cmocka_unit_test(test_few_rows_few_frames),
      cmocka_unit_test(test_frames_as_they_pay),      cmocka_unit_test(test_lying_frames),
      cmocka_unit_test(test_other_types_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
