/* The check of a directory: clean where nothing is wrong; and one flipped bit anywhere in a file is
 * found, with the file's name and a place near it. */
#include "shard_fixture.h"
#include "store/tools.h"

enum { FINDINGS_MAX = 64 };

struct findings {
  struct store_finding list[FINDINGS_MAX];
  size_t count, damages, notes;
  size_t parts;
};

static void found(void *context, const struct store_finding *finding) {
  struct findings *findings = context;
  if (findings->count < FINDINGS_MAX) findings->list[findings->count++] = *finding;
  if (finding->kind == STORE_FINDING_DAMAGE)
    findings->damages++;
  else
    findings->notes++;
}

static int on_part(void *context, uint64_t store, struct store_part *part, struct err *err) {
  struct findings *findings = context;
  (void)store;
  (void)part;
  (void)err;
  findings->parts++;
  return ERR_OK;
}

static struct store_check_options check_options(struct fixture *fixture,
                                                struct findings *findings) {
  memset(findings, 0, sizeof *findings);
  return (struct store_check_options){.os = fixture->os,
                                      .account = &fixture->account,
                                      .context = findings,
                                      .found = found,
                                      .part = on_part};
}

static void check(struct fixture *fixture, struct findings *findings,
                  struct store_check_figures *figures) {
  struct store_check_options options = check_options(fixture, findings);
  struct err err;
  err_reset(&err);
  if (store_check_directory(fixture->options.path, &options, figures, &err))
    fail_err(&err, "check");
}

/* Two stores, three files of parts, rows in the log: plain ones and an image. */
static void fill(struct fixture *fixture) {
  fixture_open(fixture);
  put(fixture, 3, 1, 100, 1, 3000);
  put(fixture, 4, 2, 50, 7, 20);
  flush(fixture, 0);
  put(fixture, 3, 2, 100, 5, 9000);
  flush(fixture, 0);
  fixture_reopen(fixture); /* the manifest is one checkpoint now */
  put(fixture, 3, 1, 90000, 9, 5);
  put(fixture, 4, 5, 90000, 9, 2000);
  fixture_close(fixture);
}

static void test_r4_clean(void **state) {
  (void)state;
  struct fixture fixture;
  struct findings findings;
  struct store_check_figures figures;
  fixture_init(&fixture, 1);
  fill(&fixture);
  check(&fixture, &findings, &figures);
  assert_int_equal(findings.count, 0);
  assert_int_equal(figures.stores, 2);
  assert_int_equal(figures.parts, 3);
  assert_int_equal(findings.parts, 3);
  assert_int_equal(figures.rows, 12020);
  assert_true(figures.log_records >= 2);
  assert_true(figures.bytes > 0);
  fixture_deinit(&fixture);
}

static void test_in_use(void **state) {
  (void)state;
  struct fixture fixture;
  struct findings findings;
  struct store_check_figures figures;
  fixture_init(&fixture, 1);
  fill(&fixture);
  fixture_open(&fixture);
  struct store_check_options options = check_options(&fixture, &findings);
  struct err err;
  err_reset(&err);
  assert_int_equal(store_check_directory("/shard", &options, &figures, &err), ERR_LOCKED);
  assert_int_equal(store_check_directory("/nowhere", &options, &figures, &err), ERR_NO_FILE);
  /* Beside its work. */
  assert_int_equal(store_check_shard(fixture.shard, &options, &figures, &err), ERR_OK);
  assert_int_equal(findings.damages, 0);
  assert_int_equal(figures.stores, 2);
  assert_true(figures.parts >= 3);
  fixture_deinit(&fixture);
}

/* ---- bits ---- */

struct names {
  char list[32][64];
  size_t count;
};

static int add_name(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  assert_false(is_dir);
  assert_true(names->count < 32);
  snprintf(names->list[names->count++], 64, "%s", name);
  return 0;
}

static void flip(struct fixture *fixture, const char *path, uint64_t offset, uint8_t mask) {
  struct os_file *file;
  uint8_t byte;
  assert_int_equal(os_file_open(fixture->os, path, OS_READ | OS_WRITE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_read_exact(file, offset, &byte, 1, NULL), ERR_OK);
  byte ^= mask;
  assert_int_equal(os_file_write(file, offset, &byte, 1, NULL), ERR_OK);
  os_file_close(file);
}

static uint64_t size_of(struct fixture *fixture, const char *path) {
  struct os_file *file;
  uint64_t size;
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  os_file_close(file);
  return size;
}

/* Flips one bit at every `step`th byte of a folder's files, `each` time asserting that it is found
 * in that file. */
static size_t flip_everywhere(struct fixture *fixture, const char *folder, uint64_t end,
                              uint64_t step) {
  struct names names = {.count = 0};
  char path[160], file[128];
  size_t flips = 0;
  snprintf(path, sizeof path, "/shard/%s", folder);
  assert_int_equal(os_dir_list(fixture->os, path, add_name, &names, NULL), ERR_OK);
  for (size_t i = 0; i < names.count; i++) {
    snprintf(file, sizeof file, "%s/%s", folder, names.list[i]);
    snprintf(path, sizeof path, "/shard/%s", file);
    uint64_t size = size_of(fixture, path);
    if (end && size > end) size = end;
    for (uint64_t offset = 0; offset < size; offset += step) {
      struct findings findings;
      struct store_check_figures figures;
      flip(fixture, path, offset, (uint8_t)(1 << (offset % 8)));
      check(fixture, &findings, &figures);
      bool named = false;
      for (size_t f = 0; f < findings.count; f++)
        named = named || (findings.list[f].kind == STORE_FINDING_DAMAGE &&
                          !strcmp(findings.list[f].file, file) && findings.list[f].offset >= 0 &&
                          findings.list[f].what[0] && findings.list[f].remedy[0]);
      if (!named) fail_msg("%s: flip at %llu is not found", file, (unsigned long long)offset);
      flip(fixture, path, offset, (uint8_t)(1 << (offset % 8)));
      flips++;
    }
  }
  struct findings findings;
  struct store_check_figures figures;
  check(fixture, &findings, &figures);
  assert_int_equal(findings.count, 0);
  return flips;
}

static void test_r4_bits_of_parts(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fill(&fixture);
  assert_true(flip_everywhere(&fixture, "parts", 0, 1) > 1000);
  fixture_deinit(&fixture);
}

static void test_r4_bits_of_the_manifest(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fill(&fixture);
  assert_true(flip_everywhere(&fixture, "manifest", 0, 1) > 300);
  fixture_deinit(&fixture);
}

/* The first record of the log, and its header; what lies behind the last record is nobody's. */
static void test_r4_bits_of_the_log(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 1);
  fixture_open(&fixture);
  put(&fixture, 3, 1, 90000, 9, 5);
  put(&fixture, 4, 5, 90000, 9, 2000);
  fixture_close(&fixture);
  struct findings findings;
  struct store_check_figures figures;
  check(&fixture, &findings, &figures);
  assert_int_equal(findings.count, 0);
  assert_int_equal(flip_everywhere(&fixture, "log", 128, 8), 16);
  struct names names = {.count = 0};
  assert_int_equal(os_dir_list(fixture.os, "/shard/log", add_name, &names, NULL), ERR_OK);
  assert_int_equal(names.count, 1);
  char path[128];
  snprintf(path, sizeof path, "/shard/log/%s", names.list[0]);
  for (uint64_t offset = 4096; offset < 4096 + 64 + 80; offset++) {
    flip(&fixture, path, offset, 16);
    check(&fixture, &findings, &figures);
    assert_int_equal(findings.damages, 1);
    assert_int_equal(findings.list[0].offset, 4096);
    assert_string_equal(findings.list[0].section, "record");
    flip(&fixture, path, offset, 16);
  }
  fixture_deinit(&fixture);
}

/* All that is wrong is told at once; what is left over is worth a note. */
static void test_goes_on(void **state) {
  (void)state;
  struct fixture fixture;
  struct names names = {.count = 0};
  struct findings findings;
  struct store_check_figures figures;
  char path[128];
  fixture_init(&fixture, 1);
  fill(&fixture);
  assert_int_equal(os_dir_list(fixture.os, "/shard/parts", add_name, &names, NULL), ERR_OK);
  assert_true(names.count >= 2);
  for (size_t i = 0; i < names.count; i++) {
    snprintf(path, sizeof path, "/shard/parts/%s", names.list[i]);
    flip(&fixture, path, 40, 1);
    flip(&fixture, path, size_of(&fixture, path) - 30, 1);
  }
  struct os_file *file;
  assert_int_equal(os_file_open(fixture.os, "/shard/parts/00000000000000ff.part",
                                OS_READ | OS_WRITE | OS_CREATE, &file, NULL),
                   ERR_OK);
  os_file_close(file);
  assert_int_equal(os_file_open(fixture.os, "/shard/parts/notes.txt",
                                OS_READ | OS_WRITE | OS_CREATE, &file, NULL),
                   ERR_OK);
  os_file_close(file);
  check(&fixture, &findings, &figures);
  assert_true(findings.damages >= names.count);
  assert_int_equal(findings.notes, 2);
  /* A missing file. */
  snprintf(path, sizeof path, "/shard/parts/%s", names.list[0]);
  assert_int_equal(os_file_remove(fixture.os, path, NULL), ERR_OK);
  check(&fixture, &findings, &figures);
  bool told = false;
  for (size_t f = 0; f < findings.count; f++)
    told = told || strstr(findings.list[f].what, "is missing") != NULL;
  assert_true(told);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r4_clean),           cmocka_unit_test(test_in_use),
      cmocka_unit_test(test_r4_bits_of_parts),   cmocka_unit_test(test_r4_bits_of_the_manifest),
      cmocka_unit_test(test_r4_bits_of_the_log), cmocka_unit_test(test_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
