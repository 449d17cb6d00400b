/* Cases P1, P2, P3, P7 and P8 of the contract, for each of them in every form that a part has:
 * image, compact directory, wide directory. */
#include "part_forms.h"

#include <math.h>

#include "codec/codec.h"

enum { SEED = 20240802 };

static const struct part_ending ending = {.commit_min = 1, .commit_max = 1};

/* Writes, checks and opens the fixture's rows in every form and hands each to `look`. */
static void in_every_form(struct fixture *fixture, uint32_t slice_max,
                          void (*look)(const struct formed *formed, struct store_part *part)) {
  for (int form = 0; form < FORM_COUNT; form++) {
    struct formed formed;
    struct store_part *part;
    struct err err;
    err_reset(&err);
    assert_ok(form_write(&formed, fixture, form, 1, slice_max, &ending, &err), &err);
    assert_ok(form_check(&formed, &err), &err);
    assert_ok(form_open(&formed, &part, &err), &err);
    if (look) look(&formed, part);
    part_release(part);
    form_remove(&formed);
  }
}

/* ---- P1 ---- */

static void look_at_limits(const struct formed *formed, struct store_part *part) {
  struct err err;
  err_reset(&err);
  (void)formed;
  assert_ok(part_load_blocks(part, &err), &err);
  for (uint32_t i = 0; i < part_block_count(part); i++) {
    assert_in_range(part_blocks(part)[i].rows, 1, 8192);
    /* Rows of these tests have 16 bytes, or 200,016. */
    uint64_t row = part->meta.bytes_plain > 2000000 && part->meta.rows < 100 ? 200000 : 16;
    assert_true(part_blocks(part)[i].rows * row <= 2 << 20);
  }
}

/* A chunk is closed once it holds 64 KiB: none is longer by more than a record. */
static uint32_t count_chunks(struct store_part *part, const struct part_place *place) {
  assert_int_equal(place->form, PART_CHUNKED);
  uint8_t *bytes = form_bytes(part, place->offset, place->size);
  uint32_t chunks = 0;
  for (uint64_t at = 0; at < place->size; chunks++) {
    struct part_chunk chunk;
    memcpy(&chunk, bytes + at, sizeof chunk);
    at += part_align(sizeof chunk + chunk.size);
    assert_true(chunk.size <= (64 << 10) + PART_RECORD_SIZE_MAX);
    if (at < place->size) assert_true(sizeof chunk + chunk.size >= 64 << 10);
  }
  free(bytes);
  return chunks;
}

static void limits(void *context) {
  (void)context;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_column(&fixture, 1, TYPE_INT64);
  fixture_run(&fixture, 1, 30000, 0);
  for (uint64_t i = 2; i < 3000; i++)
    fixture_run(&fixture, i, 1 + i % 30, 0);
  in_every_form(&fixture, 4000, look_at_limits);
  fixture_deinit(&fixture);

  static char text[200000];
  fixture_init(&fixture, SEED);
  fixture_column(&fixture, 1, TYPE_STRING);
  for (int i = 0; i < 40; i++) {
    memset(text, 'a' + i % 26, sizeof text);
    builder_append_u64(&fixture.series, 1 + (uint64_t)i / 15);
    builder_append_i64(&fixture.keys, i);
    builder_append_str(&fixture.columns[0], str_of(text, sizeof text));
  }
  in_every_form(&fixture, 3, look_at_limits);
  fixture_deinit(&fixture);
}

static void mixed_runs(void *context) {
  (void)context;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture_column(&fixture, 1, TYPE_FLOAT64);
  for (uint64_t i = 0; i < 3600; i++) { /* a series fits no block beside another */
    uint32_t rows = i % 2 ? 1 : 8192;
    if (i >= 40) rows = 1;
    for (uint32_t j = 0; j < rows; j++) {
      builder_append_u64(&fixture.series, 1 + i);
      builder_append_i64(&fixture.keys, (int64_t)j);
      builder_append_f64(&fixture.columns[0], (double)j);
    }
  }
  in_every_form(&fixture, 9000, look_at_limits);
  fixture_deinit(&fixture);
}

/* ---- P2 ---- */

static void writer_refuses(void *context) {
  (void)context;
  static const struct {
    uint64_t series[3];
    int64_t keys[3];
    enum store_policy policy;
    int code;
  } cases[] = {
      {{1, 1, 2}, {5, 6, -7}, STORE_KEEP_ALL, ERR_OK},
      {{2, 2, 1}, {1, 2, 3}, STORE_KEEP_ALL, ERR_INVALID_ARGUMENT},
      {{1, 2, 1}, {1, 2, 3}, STORE_KEEP_ALL, ERR_INVALID_ARGUMENT},
      {{1, 1, 1}, {1, 3, 2}, STORE_KEEP_ALL, ERR_INVALID_ARGUMENT},
      {{1, 1, 1}, {INT64_MIN, INT64_MAX, INT64_MIN}, STORE_KEEP_ALL, ERR_INVALID_ARGUMENT},
      {{0, 1, 1}, {1, 2, 3}, STORE_KEEP_ALL, ERR_INVALID_ARGUMENT},
      {{1, 1, 1}, {1, 2, 2}, STORE_KEEP_ALL, ERR_OK},
      {{1, 1, 1}, {1, 2, 2}, STORE_NEWEST_COLUMN, ERR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int form = 0; form < FORM_COUNT; form++) {
      struct fixture fixture;
      struct part_directory directory = {
          .os = forms.os, .path = "/refused", .compact_bytes = form == FORM_COMPACT ? 1 << 20 : 0};
      fixture_init(&fixture, SEED);
      fixture.options.policy = cases[i].policy;
      if (form != FORM_IMAGE) fixture.options.directory = &directory;
      struct part_writer *writer;
      struct part_memory *memory = NULL;
      uint64_t size;
      assert_int_equal(
          part_writer_create(&fixture.options, &fixture.account, NULL, 0, &writer, NULL), ERR_OK);
      int code = ERR_OK;
      for (uint32_t row = 0; row < 3 && !code; row++) {
        struct store_rows rows = {.policy = cases[i].policy,
                                  .rows = 1,
                                  .series = &cases[i].series[row],
                                  .keys = &cases[i].keys[row]};
        code = part_writer_append(writer, &rows, NULL);
      }
      int finished =
          part_writer_finish(writer, &ending, &size, form == FORM_IMAGE ? &memory : NULL, NULL);
      assert_int_equal(code, cases[i].code);
      assert_int_equal(finished, cases[i].code);
      /* What was refused has left nothing behind. */
      assert_int_equal(os_path_exists(forms.os, "/refused"), !code && form != FORM_IMAGE);
      assert_int_equal(part_directory_remove(forms.os, "/refused", NULL), ERR_OK);
      part_memory_release(memory);
      part_writer_destroy(writer);
      fixture_deinit(&fixture);
    }
  }
}

/* ---- P3 ---- */

/* Makes what is checksummed above a record of metadata hold again: the chunk, or the tail. */
static void seal_metadata(const struct formed *formed, struct store_part *part,
                          const struct part_place *place) {
  uint64_t checksum;
  if (place->form == PART_CHUNKED) {
    uint8_t *bytes = form_bytes(part, place->offset, place->size);
    struct part_chunk chunk;
    memcpy(&chunk, bytes, sizeof chunk);
    checksum = checksum64(bytes + 8, sizeof chunk + chunk.size - 8);
    form_patch(formed, part, place->offset, &checksum, 8);
    free(bytes);
    return;
  }
  uint64_t end = part->tail_offset + part->tail_size;
  uint8_t *tail = form_bytes(part, part->tail_offset, part->tail_size);
  uint8_t *footer = form_bytes(part, end, sizeof(struct part_footer));
  store_u64(footer + offsetof(struct part_footer, tail_checksum),
            checksum64(tail, part->tail_size));
  store_u64(footer + offsetof(struct part_footer, checksum),
            checksum64(footer, offsetof(struct part_footer, checksum)));
  form_patch(formed, part, end, footer, sizeof(struct part_footer));
  free(tail);
  free(footer);
}

/* Puts other bytes in the place of a unit, and their checksum into the metadata, where the old
 * one stood. */
static void replace_unit(const struct formed *formed, struct store_part *part, uint64_t offset,
                         const uint8_t *unit, size_t size, uint64_t old_checksum,
                         const struct part_place *metadata) {
  uint8_t *bytes = form_bytes(part, metadata->offset, metadata->size);
  uint8_t wanted[8];
  store_u64(wanted, old_checksum);
  uint64_t at = 0;
  while (memcmp(bytes + at, wanted, 8) != 0)
    assert_true(++at + 8 <= metadata->size);
  free(bytes);
  uint64_t checksum = checksum64(unit, size);
  form_patch(formed, part, offset, unit, size);
  form_patch(formed, part, metadata->offset + at, &checksum, 8);
  seal_metadata(formed, part, metadata);
}

/* The image of `values`, as large as the unit that it replaces. */
static struct buffer image_of(struct fixture *fixture, struct type type, const void *values,
                              uint32_t rows, size_t size) {
  struct column column = {.type = type, .length = rows, .values = values};
  struct buffer image;
  for (int level = 0; level < 3; level++) {
    buffer_init(&image, &fixture->account);
    struct codec_hint hint = {0};
    assert_int_equal(codec_encode(&column, level, &hint, &image, NULL), ERR_OK);
    buffer_align(&image, 8);
    if (image.size == size) return image;
    buffer_deinit(&image);
  }
  fail_msg("no image of %zu bytes", size);
  return image;
}

enum { LIE_ROWS = 64 };

static void look_at_lying_keys(const struct formed *formed, struct store_part *part) {
  struct fixture *fixture = formed->fixture;
  struct err err;
  err_reset(&err);
  assert_ok(part_load_blocks(part, &err), &err);
  const struct part_block_place place = part->blocks->places[0];
  int64_t keys[LIE_ROWS];
  for (int i = 0; i < LIE_ROWS; i++) /* the same keys, backwards */
    keys[i] = fixture->keys.i64[LIE_ROWS - 1 - i];
  struct buffer unit = image_of(fixture, TYPE_INT64, keys, LIE_ROWS, place.keys_size);
  replace_unit(formed, part, place.place + place.runs_size, unit.data, unit.size,
               place.keys_checksum, &part->primary);
  buffer_deinit(&unit);
  struct store_part *again;
  struct arena arena;
  const int64_t *read;
  arena_init(&arena, &fixture->account, 1000);
  assert_ok(form_open(formed, &again, &err), &err);
  assert_int_equal(part_read_keys(again, 0, &arena, &read, NULL, &err), ERR_CORRUPTION);
  assert_non_null(strstr(err.message, "not in order"));
  assert_int_equal(part_verify(again, &err), ERR_CORRUPTION);
  part_release(again);
  arena_deinit(&arena);
}

static void look_at_short_column(const struct formed *formed, struct store_part *part) {
  struct fixture *fixture = formed->fixture;
  struct part_record record;
  struct type type;
  uint64_t offset;
  struct err err;
  err_reset(&err);
  assert_ok(part__find_record(part, 0, 9, true, &record, &type, &offset, &err), &err);
  uint64_t values[LIE_ROWS];
  memcpy(values, fixture->columns[0].u64, sizeof values);
  struct buffer unit = image_of(fixture, TYPE_UINT64, values, LIE_ROWS - 1, record.size);
  replace_unit(formed, part, offset, unit.data, unit.size, record.checksum,
               &part->columns[0].place);
  buffer_deinit(&unit);
  struct store_part *again;
  struct arena arena;
  struct column column;
  arena_init(&arena, &fixture->account, 1000);
  assert_ok(form_open(formed, &again, &err), &err);
  assert_int_equal(part_read_column(again, 0, 9, &arena, &column, NULL, &err), ERR_CORRUPTION);
  assert_int_equal(part_verify(again, &err), ERR_CORRUPTION);
  part_release(again);
  arena_deinit(&arena);
}

static void lying_blocks(void *context) {
  (void)context;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  fixture.options.level = CODEC_HOT;
  fixture_column(&fixture, 9, TYPE_UINT64);
  int64_t key = 0;
  for (int i = 0; i < LIE_ROWS; i++) {
    key += 1000;
    builder_append_u64(&fixture.series, 3);
    builder_append_i64(&fixture.keys, key);
    builder_append_u64(&fixture.columns[0], 77);
  }
  in_every_form(&fixture, 0, look_at_lying_keys);
  in_every_form(&fixture, 0, look_at_short_column);
  fixture_deinit(&fixture);
}

/* ---- P7 ---- */

static void add_keys(struct fixture *fixture, int64_t (*key_of)(int64_t i)) {
  static uint64_t series;
  series++;
  for (int64_t i = 0; i < 2500; i++) {
    builder_append_u64(&fixture->series, series);
    builder_append_i64(&fixture->keys, key_of(i));
    builder_append_i64(&fixture->columns[0], i);
  }
}

static int64_t key_constant(int64_t i) { return (void)i, INT64_MIN; }
static int64_t key_constant_high(int64_t i) { return (void)i, INT64_MAX; }
static int64_t key_step(int64_t i) { return INT64_MAX - (2500 - i) * 1000; }
static int64_t key_step_low(int64_t i) { return INT64_MIN + i * 7; }
static int64_t key_delta(int64_t i) { return i * 1000000 + i * 7919 % 997; }
static int64_t key_delta2(int64_t i) { return -1000000000 + i * i * 37; }
static int64_t key_whole_range(int64_t i) {
  return (int64_t)((uint64_t)INT64_MIN + (uint64_t)i * (UINT64_MAX / 2499));
}
static int64_t key_both_ends(int64_t i) {
  return i < 1250 ? INT64_MIN + i / 2 : INT64_MAX - 2500 + i;
}
static int64_t key_jumps(int64_t i) {
  return i < 100 ? INT64_MIN : i < 200 ? -1 : i < 300 ? 0 : i < 2499 ? 1 : INT64_MAX;
}

static void key_encodings(void *context) {
  (void)context;
  int64_t (*const kinds[])(int64_t) = {
      key_constant, key_constant_high, key_step,      key_step_low, key_delta,
      key_delta2,   key_whole_range,   key_both_ends, key_jumps,
  };
  for (int level = CODEC_FAST; level <= CODEC_COLD; level++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    fixture.options.level = level;
    fixture_column(&fixture, 1, TYPE_INT64);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
      add_keys(&fixture, kinds[i]);
    in_every_form(&fixture, 1000, NULL);
    fixture_deinit(&fixture);
  }
}

/* ---- P8 ---- */

static void tag_value(struct fixture *fixture, struct builder *builder, int kind, int64_t i) {
  char text[400];
  size_t size = 0;
  if (kind == 0) /* constant */
    size = (size_t)snprintf(text, sizeof text, "same");
  else if (kind == 1) /* runs */
    size = (size_t)snprintf(text, sizeof text, "run %d", (int)(i / 700));
  else if (kind == 2) /* as many as one byte counts */
    size = (size_t)snprintf(text, sizeof text, "host-%d", (int)(i * 7 % 256));
  else if (kind == 3) /* more */
    size = (size_t)snprintf(text, sizeof text, "host-%d", (int)(i * 7 % 1500));
  else if (kind == 4) /* all different, and compressible */
    size = (size_t)snprintf(text, sizeof text, "request %d answered in %d ms by the same server",
                            (int)i, (int)(i * 31 % 977));
  else /* random bytes, some of them none */
    for (size = 0; size < (size_t)(i % 37); size++)
      text[size] = (char)fixture_random(fixture);
  switch (builder->type.physical) {
  case PHYSICAL_INT64:
    builder_append_i64(builder, kind == 0   ? INT64_MIN
                                : kind == 1 ? i / 700
                                : kind == 2 ? i * 1000 + 5
                                : kind == 3 ? (i % 2 ? INT64_MAX : INT64_MIN)
                                            : (int64_t)fixture_random(fixture));
    break;
  case PHYSICAL_UINT64:
    builder_append_u64(builder, kind == 0   ? UINT64_MAX
                                : kind == 1 ? (uint64_t)i / 700
                                : kind == 2 ? UINT64_MAX - (uint64_t)i
                                            : fixture_random(fixture) >> (i % 64));
    break;
  case PHYSICAL_FLOAT64: {
    static const double special[] = {-0.0, 0.0, INFINITY, -INFINITY, 5e-324, 1e308};
    union {
      uint64_t bits;
      double value;
    } any = {.bits = fixture_random(fixture)};
    if (kind == 3) any.bits = UINT64_C(0x7ff8000000000001) + (uint64_t)i; /* payloads of NaN */
    builder_append_f64(builder, kind == 0   ? 0.1
                                : kind == 1 ? (double)(i / 700) / 10
                                : kind == 2 ? special[i % 6]
                                            : any.value);
    break;
  }
  case PHYSICAL_BOOL:
    builder_append_bool(builder, kind == 0   ? true
                                 : kind == 1 ? (uint64_t)i / 700 % 2
                                             : fixture_random(fixture) & 1);
    break;
  default:
    builder_append_str(builder, str_of(text, size));
  }
}

static void tag_encodings(void *context) {
  (void)context;
  static const struct type types[] = {{PHYSICAL_INT64, 0, 0},   {PHYSICAL_UINT64, 0, 0},
                                      {PHYSICAL_FLOAT64, 0, 0}, {PHYSICAL_BOOL, 0, 0},
                                      {PHYSICAL_STRING, 0, 0},  {PHYSICAL_BYTES, 0, 0}};
  enum { TYPES = sizeof types / sizeof types[0] };
  for (int level = CODEC_FAST; level <= CODEC_COLD; level++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    fixture.options.level = level;
    for (uint32_t i = 0; i < TYPES; i++)
      fixture_column(&fixture, i + 1, types[i]);
    for (int kind = 0; kind < 6; kind++)
      for (int64_t i = 0; i < 3000; i++) {
        builder_append_u64(&fixture.series, (uint64_t)kind + 1);
        builder_append_i64(&fixture.keys, i);
        for (uint32_t j = 0; j < TYPES; j++) {
          if (kind % 2 && i % 5 == 3) /* nulls */
            builder_append_null(&fixture.columns[j]);
          else
            tag_value(&fixture, &fixture.columns[j], kind, i);
        }
      }
    in_every_form(&fixture, 5000, NULL);
    fixture_deinit(&fixture);
  }
}

/* Series that share no block, far apart: a block each, with as much metadata as blocks have. */
enum { WIDE_ROWS = 4097, WIDE_SERIES = 3500 };

static void append_series(struct fixture *fixture, struct part_writer *writer, uint64_t i) {
  static uint64_t series[WIDE_ROWS];
  static int64_t keys[WIDE_ROWS];
  static double values[WIDE_ROWS];
  int64_t key = (int64_t)(fixture_random(fixture) >> 2) - INT64_MAX / 4;
  for (int64_t j = 0; j < WIDE_ROWS; j++) {
    series[j] = 1 + i * 1000003;
    keys[j] = key + j;
  }
  values[0] = (double)fixture_random(fixture) * 1e-5;
  values[WIDE_ROWS - 1] = (double)fixture_random(fixture) * -1e-5;
  struct store_column column = {1, {.type = TYPE_FLOAT64, .length = WIDE_ROWS, .f64 = values}};
  struct store_rows rows = {.policy = STORE_KEEP_ALL,
                            .rows = WIDE_ROWS,
                            .series = series,
                            .keys = keys,
                            .columns = &column,
                            .column_count = 1};
  struct err err;
  err_reset(&err);
  assert_ok(part_writer_append(writer, &rows, &err), &err);
}

static void many_blocks(void *context) {
  (void)context;
  for (int form = 0; form < FORM_COUNT; form++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    struct part_directory directory = {.os = forms.os,
                                       .path = "/0000000000000001",
                                       .compact_bytes = form == FORM_COMPACT ? 256 << 20 : 0};
    struct part_writer_options options = fixture.options;
    struct formed formed = {.form = form, .epoch = 1, .fixture = &fixture};
    struct part_writer *writer;
    struct store_part *part;
    uint64_t size;
    struct err err;
    err_reset(&err);
    options.id = 1 << 20;
    options.directory = form == FORM_IMAGE ? NULL : &directory;
    assert_ok(part_writer_create(&options, &fixture.account, NULL, 0, &writer, &err), &err);
    for (uint64_t i = 0; i < WIDE_SERIES; i++)
      append_series(&fixture, writer, i);
    assert_ok(part_writer_finish(writer, &ending, &size, form == FORM_IMAGE ? &formed.memory : NULL,
                                 &err),
              &err);
    part_writer_destroy(writer);
    assert_ok(form_open(&formed, &part, &err), &err);
    assert_int_equal(part_block_count(part), WIDE_SERIES);
    assert_true(count_chunks(part, &part->primary) > 1);
    assert_true(count_chunks(part, &part->columns[0].place) > 1);
    assert_ok(part_verify(part, &err), &err);
    part_release(part);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

static void test_p1_limits_of_blocks(void **state) { (void)state, forms_run(SEED, 16, limits); }
static void test_p1_small_and_large_runs(void **state) {
  (void)state, forms_run(SEED, 16, mixed_runs);
}
static void test_p1_metadata_in_chunks(void **state) {
  (void)state;
  forms_run(SEED, 16, many_blocks);
}
static void test_p2_writer_refuses(void **state) {
  (void)state;
  forms_run(SEED, 16, writer_refuses);
}
static void test_p3_read_blocks_are_validated(void **state) {
  (void)state;
  forms_run(SEED, 16, lying_blocks);
}
static void test_p7_key_encodings(void **state) { (void)state, forms_run(SEED, 16, key_encodings); }
static void test_p8_tag_encodings(void **state) { (void)state, forms_run(SEED, 16, tag_encodings); }

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p1_limits_of_blocks),
      cmocka_unit_test(test_p1_small_and_large_runs),
      cmocka_unit_test(test_p1_metadata_in_chunks),
      cmocka_unit_test(test_p2_writer_refuses),
      cmocka_unit_test(test_p3_read_blocks_are_validated),
      cmocka_unit_test(test_p7_key_encodings),
      cmocka_unit_test(test_p8_tag_encodings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
