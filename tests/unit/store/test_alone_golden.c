/* A directory of one store written long ago: golden files of snapshots, parts and log are opened by
 * the code of today. With NILO_GOLDEN=write set the files are made anew, which a change of format
 * needs. */
#include "shard_fixture.h"

static const char golden[] = "tests/golden/alone";
enum { STORE = 1 };

/* Two parts, one of them merged, a part behind them, a delete and rows in the log. */
static void write_rows(struct fixture *fixture) {
  struct err err;
  put(fixture, STORE, 1, 0, 0, 50);
  flush(fixture, 0);
  put(fixture, STORE, 2, 0, 0, 1000);
  flush(fixture, 0);
  merge(fixture, 0);
  put(fixture, STORE, 1, 50, 50, 50);
  flush(fixture, 0);
  assert_int_equal(try_delete(fixture, STORE, 900, INT64_MAX, &err), ERR_OK);
  put(fixture, STORE, 3, -5, 7, 4);
}

static void expect_all(struct fixture *fixture) {
  struct row_list list = read_all(fixture, STORE);
  assert_int_equal(list.count, 100 + 900 + 4);
  for (int64_t i = 0; i < 1004; i++) {
    const struct row *row = &list.rows[i];
    int64_t at = i < 100 ? i : i < 1000 ? i - 100 : i - 1000;
    assert_int_equal(row->series, i < 100 ? 1 : i < 1000 ? 2 : 3);
    assert_int_equal(row->key, i < 1000 ? at : at - 5);
    assert_int_equal(row->value, i < 1000 ? at : at + 7);
  }
  free(list.rows);
}

/* ---- making them ---- */

struct copying {
  struct os *os;
  const char *folder; /* below the directory; empty: itself */
  FILE *list;
};

static void dump_file(const struct copying *copying, const char *name) {
  static uint8_t bytes[1 << 20];
  char from[256], to[256];
  const char *slash = *copying->folder ? "/" : "";
  struct os_file *file;
  size_t size;
  snprintf(from, sizeof from, "/shard/%s%s%s", copying->folder, slash, name);
  snprintf(to, sizeof to, "%s/%s%s%s", golden, copying->folder, *slash ? "-" : "", name);
  assert_int_equal(os_file_open(copying->os, from, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_read(file, 0, bytes, sizeof bytes, &size, NULL), ERR_OK);
  os_file_close(file);
  FILE *out = fopen(to, "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, size, out), size);
  fclose(out);
  fprintf(copying->list, "%s %s\n", *slash ? copying->folder : ".", name);
}

static int dump_entry(void *context, const char *name, bool is_dir) {
  struct copying *copying = context;
  if (is_dir) {
    char path[256];
    struct copying inner = {copying->os, name, copying->list};
    snprintf(path, sizeof path, "/shard/%s", name);
    return os_dir_list(copying->os, path, dump_entry, &inner, NULL);
  }
  if (strcmp(name, "LOCK") != 0) dump_file(copying, name);
  return 0;
}

static void make_golden(void) {
  struct fixture fixture;
  char path[256];
  fixture_init(&fixture, 79);
  fixture.options.form = STORE_FORM_ALONE;
  fixture.options.log_segment_bytes = 32 << 10;
  fixture_open(&fixture);
  write_rows(&fixture);
  expect_all(&fixture);
  fixture_close(&fixture);
  snprintf(path, sizeof path, "%s/files.txt", golden);
  struct copying copying = {.os = fixture.os, .folder = "", .list = fopen(path, "w")};
  assert_non_null(copying.list);
  assert_int_equal(os_dir_list(fixture.os, "/shard", dump_entry, &copying, NULL), ERR_OK);
  fclose(copying.list);
  fixture_deinit(&fixture);
}

/* ---- reading them ---- */

static void load_file(struct os *os, const char *folder, const char *name) {
  static uint8_t bytes[1 << 20];
  char from[256], to[256];
  struct os_file *file;
  bool inside = strcmp(folder, ".") != 0;
  snprintf(from, sizeof from, "%s/%s%s%s", golden, inside ? folder : "", inside ? "-" : "", name);
  snprintf(to, sizeof to, "/shard/%s/%s", folder, name);
  FILE *in = fopen(from, "rb");
  if (!in) fail_msg("%s is missing", from);
  size_t size = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  char path[256];
  snprintf(path, sizeof path, "/shard/%s", folder);
  assert_int_equal(os_dir_create(os, path, NULL), ERR_OK);
  assert_int_equal(os_file_open(os, to, OS_WRITE | OS_CREATE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_write(file, 0, bytes, size, NULL), ERR_OK);
  os_file_close(file);
}

static void test_golden_directory_of_one_store_opens(void **state) {
  (void)state;
  const char *mode = getenv("NILO_GOLDEN");
  if (mode && !strcmp(mode, "write")) make_golden();
  struct fixture fixture;
  char path[256], folder[64], name[64];
  fixture_init(&fixture, 80);
  fixture.options.form = STORE_FORM_ALONE;
  assert_int_equal(os_dir_create(fixture.os, "/shard", NULL), ERR_OK);
  snprintf(path, sizeof path, "%s/files.txt", golden);
  FILE *list = fopen(path, "r");
  assert_non_null(list);
  while (fscanf(list, "%63s %63s", folder, name) == 2)
    load_file(fixture.os, folder, name);
  fclose(list);
  fixture.options.read_only = true;
  for (int round = 0; round < 2; round++) {
    fixture_open(&fixture);
    expect_all(&fixture);
    assert_int_equal(figures(&fixture).parts, 2);
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_directory_of_one_store_opens)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
