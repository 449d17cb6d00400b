/* A directory written long ago: golden files of manifest, log and parts are opened by the code of
 * today. With NILO_GOLDEN_WRITE set the files are made anew, which a change of format needs. */
#include "shard_fixture.h"

static const char golden[] = "tests/golden/shard";

/* What the directory holds, made on the simulated machine. */
static void write_rows(struct fixture *fixture) {
  static const char *const notes[] = {"series of five", "series of six"};
  struct err err;
  put(fixture, 5, 1, 0, 0, 50);
  put(fixture, 6, 2, 0, 0, 2000);
  put(fixture, 8, 1, 0, 0, 3);
  flush(fixture, 0);
  put(fixture, 5, 1, 50, 50, 50);
  flush(fixture, 5);
  assert_int_equal(try_drop(fixture, 8, &err), ERR_OK);
  flush(fixture, 8);
  assert_int_equal(try_delete(fixture, 6, 1500, INT64_MAX, &err), ERR_OK);
  for (uint64_t i = 0; i < 2; i++) {
    struct rows rows;
    rows_init(&rows, 5 + i, 3 + i, -5, 5, 4);
    rows.rows.columns = &rows.column;
    rows.rows.note = str_from(notes[i]);
    if (store_write(fixture->shard, &rows.rows, 1, NULL, &err)) fail_err(&err, "write");
    rows_deinit(&rows);
  }
}

static void expect_all(struct fixture *fixture) {
  struct row_list list = read_all(fixture, 5);
  assert_int_equal(list.count, 104);
  for (int64_t i = 0; i < 104; i++) {
    assert_int_equal(list.rows[i].series, i < 100 ? 1 : 3);
    assert_int_equal(list.rows[i].key, i < 100 ? i : i - 105);
    assert_int_equal(list.rows[i].value, i < 100 ? i : i - 95);
  }
  free(list.rows);
  list = read_all(fixture, 6);
  assert_int_equal(list.count, 1504);
  assert_int_equal(list.rows[1499].value, 1499);
  assert_int_equal(list.rows[1503].series, 4);
  free(list.rows);
  assert_int_equal(count_rows(fixture, 8), 0);
}

struct copying {
  struct os *os;
  const char *folder;
  FILE *list;
};

static int dump_file(void *context, const char *name, bool is_dir) {
  struct copying *copying = context;
  char from[256], to[256];
  uint64_t size;
  struct os_file *file;
  if (is_dir) return 0;
  snprintf(from, sizeof from, "/shard/%s/%s", copying->folder, name);
  snprintf(to, sizeof to, "%s/%s-%s", golden, copying->folder, name);
  assert_int_equal(os_file_open(copying->os, from, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  uint8_t *bytes = malloc(size);
  assert_int_equal(os_file_read_exact(file, 0, bytes, size, NULL), ERR_OK);
  os_file_close(file);
  FILE *out = fopen(to, "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, size, out), size);
  fclose(out);
  free(bytes);
  fprintf(copying->list, "%s %s\n", copying->folder, name);
  return 0;
}

static const char *const folders[] = {"manifest", "parts", "log"};

static void make_golden(void) {
  struct fixture fixture;
  fixture_init(&fixture, 77);
  fixture.options.log_segment_bytes = 48 << 10;
  fixture_open(&fixture);
  write_rows(&fixture);
  expect_all(&fixture);
  fixture_close(&fixture);
  char path[256];
  snprintf(path, sizeof path, "%s/files.txt", golden);
  struct copying copying = {.os = fixture.os, .list = fopen(path, "w")};
  assert_non_null(copying.list);
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "/shard/%s", folders[i]);
    copying.folder = folders[i];
    assert_int_equal(os_dir_list(fixture.os, path, dump_file, &copying, NULL), ERR_OK);
  }
  fclose(copying.list);
  fixture_deinit(&fixture);
}

static void load_file(struct os *os, const char *folder, const char *name) {
  char from[256], to[256];
  struct os_file *file;
  static uint8_t bytes[1 << 20];
  snprintf(from, sizeof from, "%s/%s-%s", golden, folder, name);
  snprintf(to, sizeof to, "/shard/%s/%s", folder, name);
  FILE *in = fopen(from, "rb");
  if (!in) fail_msg("%s is missing", from);
  size_t size = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  assert_int_equal(os_file_open(os, to, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_write(file, 0, bytes, size, NULL), ERR_OK);
  os_file_close(file);
}

static void test_golden_directory_opens(void **state) {
  (void)state;
  if (getenv("NILO_GOLDEN_WRITE")) make_golden();
  struct fixture fixture;
  char path[256], folder[32], name[64];
  fixture_init(&fixture, 78);
  assert_int_equal(os_dir_create(fixture.os, "/shard", NULL), ERR_OK);
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "/shard/%s", folders[i]);
    assert_int_equal(os_dir_create(fixture.os, path, NULL), ERR_OK);
  }
  snprintf(path, sizeof path, "%s/files.txt", golden);
  FILE *list = fopen(path, "r");
  assert_non_null(list);
  while (fscanf(list, "%31s %63s", folder, name) == 2)
    load_file(fixture.os, folder, name);
  fclose(list);
  fixture.options.read_only = true;
  assert_int_equal(os_path_exists(fixture.os, "/shard/LOCK"), false);
  struct os_file *lock;
  assert_int_equal(os_file_open(fixture.os, "/shard/LOCK", OS_WRITE | OS_CREATE, &lock, NULL),
                   ERR_OK);
  os_file_close(lock);
  for (int round = 0; round < 2; round++) {
    fixture_open(&fixture);
    expect_all(&fixture);
    fixture_close(&fixture);
    fixture.options.read_only = false;
  }
  fixture_open(&fixture);
  flush(&fixture, 0);
  merge(&fixture, 0);
  expect_all(&fixture);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_directory_opens)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
