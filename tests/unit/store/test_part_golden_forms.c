/* Parts with payloads that were written once and must be readable for ever: a wide directory, a
 * compact one, an image; and the same rows written today. The rows follow from formulas.
 * NILO_GOLDEN=write makes the files anew: only for new ones of a new format. */
#include "part_fixture.h"

#include "base/buffer.h"
#include "codec/codec.h"
#include "os/os.h"
#include "store/part_format.h"

enum { EPOCH = 42 };

static struct os *os;
static struct mem_account account;
static struct part_handles *handles;

static const struct store_tombstone tombstones[] = {
    {.key_min = INT64_MIN, .key_max = 5},
    {.series = (const uint64_t[]){2, 70}, .series_count = 2, .key_min = -1, .key_max = 1}};
static const struct part_ending ending = {.commit_min = 11,
                                          .commit_max = 12,
                                          .tombstones = tombstones,
                                          .tombstone_commits = (const uint64_t[]){11, 12},
                                          .tombstone_count = 2,
                                          .sources = (const uint64_t[]){7, 8},
                                          .source_count = 2,
                                          .series = {"what the layer above says", 25}};

static const char *const names[] = {"host name", "value", "caf\xc3\xa9/\xe2\x82\xac", ""};

static int name_of(void *context, uint64_t store, uint32_t column, struct buffer *out,
                   struct err *err) {
  (void)context;
  (void)store;
  (void)err;
  buffer_append_text(out, names[column - 1]);
  return ERR_OK;
}

/* 20 short series and one of 3,000 rows; payloads of all lengths, some absent. */
static void make_rows(struct fixture *fixture) {
  fixture_init(fixture, 0);
  fixture->options.level = CODEC_HOT;
  fixture->options.id = (uint64_t)EPOCH << 20;
  fixture_column(fixture, 1, TYPE_STRING);
  fixture_column(fixture, 2, TYPE_FLOAT64);
  fixture_column(fixture, 3, TYPE_BOOL);
  fixture_column(fixture, 4, TYPE_INT64);
  fixture_column(fixture, STORE_COLUMN_PAYLOAD, TYPE_BYTES);
  struct builder *columns = fixture->columns;
  for (uint64_t series = 1; series <= 21; series++) {
    int64_t rows = series == 21 ? 3000 : (int64_t)(series % 4) + 1;
    for (int64_t i = 0; i < rows; i++) {
      char text[128];
      builder_append_u64(&fixture->series, series * series);
      builder_append_i64(&fixture->keys, -1000 + i * i);
      int size = snprintf(text, sizeof text, "host-%d", (int)(i % 11));
      builder_append_str(&columns[0], str_of(text, (size_t)size));
      builder_append_f64(&columns[1], (double)(i * 7919 % 1009) / 4);
      if (i % 4 == 1)
        builder_append_null(&columns[2]);
      else
        builder_append_bool(&columns[2], i % 3 == 0);
      builder_append_i64(&columns[3], i * 1000003 % 65537);
      size = snprintf(text, sizeof text, "{\"id\":%d,\"answer\":%d,\"by\":\"the same server\"}",
                      (int)i, (int)(i * 31 % 977));
      if (i % 13 == 5)
        builder_append_null(&columns[4]);
      else
        builder_append_str(&columns[4], str_of(text, (size_t)(i % 5 == 2 ? i % 9 : size)));
    }
  }
}

static void check_part(struct fixture *fixture, struct store_part *part, bool named) {
  struct err err;
  struct store_part_facts facts;
  const struct store_tombstone *read;
  const uint64_t *commits, *sources;
  char bytes[25];
  err_reset(&err);
  assert_ok(fixture_compare(fixture, part, &err), &err);
  assert_ok(part_verify(part, &err), &err);
  store_part_facts(part, &facts);
  assert_int_equal(facts.commit_min, 11);
  assert_int_equal(facts.commit_max, 12);
  assert_int_equal(facts.id, (uint64_t)EPOCH << 20);
  assert_int_equal(part_tombstones(part, &read, &commits), 2);
  assert_int_equal(read[1].series[1], 70);
  assert_int_equal(part_sources(part, &sources), 2);
  assert_int_equal(sources[1], 8);
  assert_int_equal(store_part_series_read(part, 0, bytes, 25, NULL), ERR_OK);
  assert_memory_equal(bytes, ending.series.data, 25);
  for (uint32_t i = 0; i < 4; i++)
    assert_true(str_equal(store_part_column_name(part, i), str_from(named ? names[i] : "")));
  part_release(part);
}

static void write_directory(struct fixture *fixture, const char *path, bool compact) {
  struct part_directory directory = {
      .os = os, .path = path, .compact_bytes = compact ? 1 << 20 : 0, .column_name = name_of};
  struct part_writer_options options = fixture->options;
  struct part_writer *writer;
  struct err err;
  uint64_t size;
  err_reset(&err);
  options.directory = &directory;
  assert_ok(part_directory_remove(os, path, &err), &err);
  assert_ok(part_writer_create(&options, &fixture->account, NULL, 0, &writer, &err), &err);
  assert_ok(fixture_append_all(fixture, writer, 0, &err), &err);
  assert_ok(part_writer_finish(writer, &ending, &size, NULL, &err), &err);
  part_writer_destroy(writer);
}

static void check_directory(struct fixture *fixture, const char *above, bool compact) {
  struct part_file *file;
  struct store_part *part;
  struct err err;
  err_reset(&err);
  assert_ok(part_directory_open(handles, &fixture->account, above, EPOCH, &file, &err), &err);
  assert_int_equal(file->layout, compact ? PART_COMPACT : PART_WIDE);
  assert_ok(part_open_directory(file, &fixture->account, &part, &err), &err);
  part_file_release(file);
  check_part(fixture, part, true);
}

static bool writing(void) {
  const char *mode = getenv("NILO_GOLDEN");
  return mode && strcmp(mode, "write") == 0;
}

static void check_form(const char *golden, bool compact) {
  struct fixture fixture;
  char above[] = "/tmp/nilo-test-golden-XXXXXX", path[200];
  make_rows(&fixture);
  assert_non_null(mkdtemp(above));
  snprintf(path, sizeof path, "%s/000000000000002a", above);
  write_directory(&fixture, path, compact);
  check_directory(&fixture, above, compact);
  assert_int_equal(part_directory_remove(os, path, NULL), ERR_OK);
  assert_int_equal(os_dir_remove(os, above, NULL), ERR_OK);
  if (writing()) {
    assert_int_equal(os_dir_create(os, golden, NULL), ERR_OK);
    snprintf(path, sizeof path, "%s/000000000000002a", golden);
    write_directory(&fixture, path, compact);
  }
  check_directory(&fixture, golden, compact);
  fixture_deinit(&fixture);
}

static void test_golden_wide(void **state) {
  (void)state;
  check_form("tests/golden/part/v1_wide", false);
}

static void test_golden_compact(void **state) {
  (void)state;
  check_form("tests/golden/part/v1_compact", true);
}

static void test_golden_payload_image(void **state) {
  (void)state;
  static const char path[] = "tests/golden/part/000000000000002a.part";
  struct fixture fixture;
  struct part_memory *memory;
  struct store_part *part;
  struct part_file *file;
  struct err err;
  err_reset(&err);
  make_rows(&fixture);
  assert_ok(fixture_write(&fixture, 0, &ending, &memory, &err), &err);
  assert_ok(part_open_memory(memory, 0, memory->size, &fixture.account, 0, &part, &err), &err);
  check_part(&fixture, part, false);
  if (writing()) {
    struct os_file *out;
    assert_ok(os_file_open(os, path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &out, &err), &err);
    assert_ok(os_file_write(out, 0, memory->data, memory->size, &err), &err);
    os_file_close(out);
  }
  part_memory_release(memory);
  assert_ok(part_file_open(handles, &fixture.account, "tests/golden/part", EPOCH, &file, &err),
            &err);
  assert_ok(part_open_file(file, 0, file->bytes, &fixture.account, &part, &err), &err);
  part_file_release(file);
  check_part(&fixture, part, false);
  fixture_deinit(&fixture);
}

int main(void) {
  assert_int_equal(os_real_create(&os, NULL), ERR_OK);
  mem_account_init(&account, "handles", NULL, 0);
  assert_int_equal(part_handles_create(os, &account, 0, &handles, NULL), ERR_OK);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden_wide),
      cmocka_unit_test(test_golden_compact),
      cmocka_unit_test(test_golden_payload_image),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  part_handles_destroy(handles);
  mem_account_deinit(&account);
  os_destroy(os);
  return failed;
}
