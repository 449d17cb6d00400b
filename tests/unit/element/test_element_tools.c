/* The tools on a store opened alone: one flipped bit anywhere is found with file and place, repair
 * puts it right, larger damage costs what it hit and is told, the state is made from the parts
 * where it is lost, and a power loss in between costs nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "element/element.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/tools.h"

struct fixture {
  struct os *os;
  struct mem_account account;
  struct nilo_store *store;
};

static void begin(struct fixture *fixture, uint64_t seed) {
  struct os_sim_options sim = {.seed = seed};
  memset(fixture, 0, sizeof *fixture);
  assert_int_equal(os_sim_create(&sim, &fixture->os, NULL), ERR_OK);
  mem_account_init(&fixture->account, "test", NULL, 0);
}

static void end(struct fixture *fixture) {
  nilo_store_close(fixture->store, NULL);
  mem_account_deinit(&fixture->account);
  os_destroy(fixture->os);
}

static void fail_text(const struct nilo_error *error) {
  char text[1024];
  nilo_store_error_text(error, text, sizeof text);
  fail_msg("%s", text);
}

static void open_store(struct fixture *fixture) {
  static const char *const indexed[] = {"host"};
  struct nilo_store_options options;
  struct nilo_error error;
  nilo_store_options_default(&options);
  options.path = "/alone";
  options.background = false;
  options.indexed_tags = indexed;
  options.indexed_tag_count = 1;
  if (element_open(fixture->os, &options, &fixture->store, &error)) fail_text(&error);
}

static void close_store(struct fixture *fixture) {
  nilo_store_close(fixture->store, NULL);
  fixture->store = NULL;
}

static void data_of(uint64_t series, int64_t key, char out[32]) {
  snprintf(out, 32, "element %llu/%lld", (unsigned long long)series, (long long)key);
}

/* Keys [from, to) of a series, one commit. */
static void put(struct fixture *fixture, uint64_t series, int64_t from, int64_t to) {
  struct nilo_store_batch *batch;
  struct nilo_error error;
  assert_int_equal(nilo_store_batch_create(fixture->store, &batch, &error), NILO_OK);
  for (int64_t key = from; key < to; key++) {
    char data[32], host[16];
    data_of(series, key, data);
    snprintf(host, sizeof host, "h%lld", (long long)(key % 7));
    struct nilo_store_tag tags[] = {
        {"host", {.type = NILO_STORE_STRING, .size = strlen(host), .data = host}},
        {"level/max", {.type = NILO_STORE_INT64, .i64 = key * 3}},
    };
    struct nilo_store_element element = {series, key, {data, strlen(data)}, tags, 2};
    if (nilo_store_batch_add(batch, &element, &error)) fail_text(&error);
  }
  if (nilo_store_batch_commit(batch, NULL, &error)) fail_text(&error);
  nilo_store_batch_destroy(batch);
}

static void flush(struct fixture *fixture) {
  struct nilo_error error;
  if (nilo_store_flush(fixture->store, &error)) fail_text(&error);
}

/* Elements of a series; each is what was written. */
static size_t count(struct fixture *fixture, uint64_t series) {
  struct nilo_store_query query = {.series = &series, .series_count = 1};
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  struct nilo_error error;
  size_t rows = 0;
  if (nilo_store_query_open(fixture->store, &query, &cursor, &error)) fail_text(&error);
  do {
    if (nilo_store_query_next(cursor, &answer, &error)) fail_text(&error);
    for (size_t i = 0; i < answer.rows; i++) {
      char data[32];
      data_of(series, answer.keys[i], data);
      assert_int_equal(answer.data[i].size, strlen(data));
      assert_memory_equal(answer.data[i].data, data, strlen(data));
      assert_int_equal(answer.tag_count, 2);
      assert_string_equal(answer.tags[0], "host");
      assert_int_equal(answer.values[2 * i].size, 2);
      assert_int_equal(((const char *)answer.values[2 * i].data)[1], '0' + answer.keys[i] % 7);
      assert_int_equal(answer.values[2 * i + 1].i64, answer.keys[i] * 3);
    }
    rows += answer.rows;
  } while (answer.rows);
  nilo_store_query_close(cursor);
  return rows;
}

/* Two parts, one element in the log. */
enum { SMALL = 30 };
static void fill(struct fixture *fixture) {
  open_store(fixture);
  put(fixture, 1, 0, SMALL);
  flush(fixture);
  put(fixture, 1, SMALL, 2 * SMALL);
  put(fixture, 2, 0, SMALL);
  flush(fixture);
  put(fixture, 3, 0, 1);
  close_store(fixture);
}

static void expect_all(struct fixture *fixture) {
  open_store(fixture);
  assert_int_equal(count(fixture, 1), 2 * SMALL);
  assert_int_equal(count(fixture, 2), SMALL);
  assert_int_equal(count(fixture, 3), 1);
  close_store(fixture);
}

/* ---- files ---- */

enum { NAMES_MAX = 64 };
struct names {
  struct os *os;
  char folder[64];
  char list[NAMES_MAX][96]; /* below the directory */
  size_t count;
};

static int add_name(void *context, const char *name, bool is_dir) {
  struct names *names = context;
  if (is_dir && strlen(name) == 16) {
    char path[128];
    snprintf(names->folder, sizeof names->folder, "%s/", name);
    snprintf(path, sizeof path, "/alone/%s", name);
    assert_int_equal(os_dir_list(names->os, path, add_name, names, NULL), ERR_OK);
    names->folder[0] = 0;
  } else if (!is_dir && strcmp(name, "LOCK") != 0) {
    assert_true(names->count < NAMES_MAX);
    snprintf(names->list[names->count++], 96, "%.20s%.70s", names->folder, name);
  }
  return 0;
}

/* Files of parts and snapshots. */
static struct names names_of(struct fixture *fixture) {
  struct names names = {.os = fixture->os};
  assert_int_equal(os_dir_list(fixture->os, "/alone", add_name, &names, NULL), ERR_OK);
  return names;
}

/* The last name with this in it. */
static const char *name_with(const struct names *names, const char *text) {
  for (size_t i = names->count; i-- > 0;)
    if (strstr(names->list[i], text)) return names->list[i];
  fail_msg("no file %s", text);
  return NULL;
}

static uint64_t size_of(struct fixture *fixture, const char *name) {
  char path[160];
  struct os_file *file;
  uint64_t size;
  snprintf(path, sizeof path, "/alone/%s", name);
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  os_file_close(file);
  return size;
}

static void change(struct fixture *fixture, const char *name, uint64_t offset, size_t size,
                   uint8_t mask) {
  char path[160];
  struct os_file *file;
  uint8_t bytes[4096];
  snprintf(path, sizeof path, "/alone/%s", name);
  assert_int_equal(os_file_open(fixture->os, path, OS_READ | OS_WRITE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_read_exact(file, offset, bytes, size, NULL), ERR_OK);
  for (size_t i = 0; i < size; i++)
    bytes[i] ^= mask;
  assert_int_equal(os_file_write(file, offset, bytes, size, NULL), ERR_OK);
  assert_int_equal(os_file_sync(file, NULL), ERR_OK); /* power loss must not mend it */
  os_file_close(file);
}

static void remove_name(struct fixture *fixture, const char *name) {
  char path[160];
  snprintf(path, sizeof path, "/alone/%s", name);
  assert_int_equal(os_file_remove(fixture->os, path, NULL), ERR_OK);
}

/* ---- the tools ---- */

struct told {
  size_t damages, notes;
  const char *file; /* damage in this one is counted */
  size_t in_file;
  char text[600];
};

static void found(void *context, const struct store_finding *finding) {
  struct told *told = context;
  bool damage = finding->kind == STORE_FINDING_DAMAGE;
  *(damage ? &told->damages : &told->notes) += 1;
  told->in_file += damage && told->file && !strcmp(finding->file, told->file) &&
                   finding->offset >= 0 && finding->remedy[0];
  if (damage || !told->damages)
    snprintf(told->text, sizeof told->text, "%s %s, %lld: %s", damage ? "damage" : "note",
             finding->file, (long long)finding->offset, finding->what);
  if (getenv("TOOLS_LOG")) print_message("%s\n", told->text);
}

static struct store_check_figures check(struct fixture *fixture, const char *file,
                                        struct told *told) {
  struct store_check_options options = {
      .os = fixture->os, .account = &fixture->account, .context = told, .found = found};
  struct store_check_figures figures;
  struct err err;
  memset(told, 0, sizeof *told);
  told->file = file;
  err_reset(&err);
  if (store_check_directory("/alone", &options, &figures, &err)) fail_msg("%s", err.message);
  return figures;
}

static void expect_clean(struct fixture *fixture) {
  struct told told;
  check(fixture, NULL, &told);
  if (told.damages) fail_msg("not clean: %s", told.text);
}

static int try_repair(struct fixture *fixture, bool dry_run, struct told *told,
                      struct store_repair_figures *figures, struct err *err) {
  struct store_repair_options options = {.os = fixture->os,
                                         .account = &fixture->account,
                                         .context = told,
                                         .found = found,
                                         .dry_run = dry_run};
  memset(told, 0, sizeof *told);
  err_reset(err);
  return store_repair_directory("/alone", &options, figures, err);
}

static void repair(struct fixture *fixture, struct told *told,
                   struct store_repair_figures *figures) {
  struct err err;
  if (try_repair(fixture, false, told, figures, &err)) fail_msg("repair: %s", err.message);
}

/* ---- checking ---- */

static void test_r4_clean(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  begin(&fixture, 1);
  fill(&fixture);
  struct store_check_figures figures = check(&fixture, NULL, &told);
  assert_int_equal(told.damages + told.notes, 0);
  assert_int_equal(figures.stores, 1);
  assert_int_equal(figures.parts, 2);
  assert_int_equal(figures.rows, 3 * SMALL);
  assert_true(figures.log_records >= 1);
  enum store_form form = STORE_FORM_SHARD;
  assert_int_equal(store_form_of(fixture.os, "/alone", &form, NULL), ERR_OK);
  assert_int_equal(form, STORE_FORM_ALONE);
  assert_int_equal(store_form_of(fixture.os, "/nowhere", &form, NULL), ERR_NO_FILE);
  struct store_repair_figures mended;
  repair(&fixture, &told, &mended);
  assert_int_equal(told.damages + told.notes, 0);
  assert_int_equal(mended.parts, 2);
  assert_int_equal(mended.parts_damaged, 0);
  expect_all(&fixture);
  end(&fixture);
}

static void test_r4_every_byte_of_every_file(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  begin(&fixture, 1);
  fill(&fixture);
  struct names names = names_of(&fixture);
  assert_true(names.count > 20);
  size_t flips = 0;
  for (size_t i = 0; i < names.count; i++) {
    uint64_t size = size_of(&fixture, names.list[i]);
    for (uint64_t offset = 0; offset < size; offset++, flips++) {
      uint8_t mask = (uint8_t)(1 << (offset % 8));
      change(&fixture, names.list[i], offset, 1, mask);
      check(&fixture, names.list[i], &told);
      if (!told.in_file)
        fail_msg("%s: a bit at %llu is not found: %s", names.list[i], (unsigned long long)offset,
                 told.text);
      change(&fixture, names.list[i], offset, 1, mask);
    }
  }
  assert_true(flips > 3000);
  expect_clean(&fixture);
  end(&fixture);
}

static void test_r4_missing_files(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  begin(&fixture, 1);
  fill(&fixture);
  struct names names = names_of(&fixture);
  end(&fixture);
  for (size_t i = 0; i < names.count; i++) {
    begin(&fixture, 1);
    fill(&fixture);
    remove_name(&fixture, names.list[i]);
    check(&fixture, NULL, &told);
    /* A list that is not there may also be a publication that was never finished. */
    bool list = strstr(names.list[i], ".snapshot") != NULL;
    if (!told.damages && !(list && told.notes)) fail_msg("%s is not missed", names.list[i]);
    end(&fixture);
  }
}

/* ---- mending ---- */

static void test_r5_every_file(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, 1);
  fill(&fixture);
  struct names names = names_of(&fixture);
  end(&fixture);
  for (size_t i = 0; i < names.count; i++) {
    uint64_t size = 1;
    for (uint64_t offset = 0; offset<size; offset += size> 400 ? 17 : 5) {
      struct told told;
      struct store_repair_figures figures;
      begin(&fixture, 1);
      fill(&fixture);
      size = size_of(&fixture, names.list[i]);
      change(&fixture, names.list[i], offset, 1, (uint8_t)(1 << (offset % 8)));
      repair(&fixture, &told, &figures);
      if (figures.rows_lost || figures.values_lost || told.damages)
        fail_msg("%s: a bit at %llu of %llu costs rows: %s", names.list[i],
                 (unsigned long long)offset, (unsigned long long)size, told.text);
      assert_true(figures.parts_rewritten || figures.manifest_rebuilt);
      expect_clean(&fixture);
      expect_all(&fixture);
      expect_clean(&fixture);
      end(&fixture);
    }
  }
}

/* 12,000 elements in one part: two blocks. */
static void fill_large(struct fixture *fixture) {
  open_store(fixture);
  put(fixture, 1, 0, 12000);
  put(fixture, 2, 0, SMALL);
  flush(fixture);
  put(fixture, 3, 0, 1);
  close_store(fixture);
}

static void test_r5_damaged_block(void **state) {
  (void)state;
  static const char *const files[] = {"keys.bin", "data.bin", ".td"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    struct fixture fixture;
    struct told told;
    struct store_repair_figures figures;
    char path[160];
    begin(&fixture, 1);
    fill_large(&fixture);
    struct names names = names_of(&fixture);
    const char *name = name_with(&names, files[i]);
    change(&fixture, name, 24, 12, 0xff);
    repair(&fixture, &told, &figures);
    assert_int_equal(figures.parts_rewritten, 1);
    assert_true(figures.rows_lost > 0 && figures.rows_lost < 12000);
    assert_int_equal(figures.rows_saved + figures.rows_lost, 12000 + SMALL);
    assert_true(told.damages >= 1);
    snprintf(path, sizeof path, "/alone/quarantine/%s", name);
    assert_true(os_path_exists(fixture.os, path));
    snprintf(path, sizeof path, "/alone/%s", name);
    assert_false(os_path_exists(fixture.os, path));
    expect_clean(&fixture);
    open_store(&fixture);
    assert_int_equal(count(&fixture, 1) + count(&fixture, 2), figures.rows_saved);
    assert_int_equal(count(&fixture, 3), 1);
    put(&fixture, 3, 1, SMALL);
    flush(&fixture);
    assert_int_equal(nilo_store_merge(fixture.store, NULL), NILO_OK);
    assert_int_equal(count(&fixture, 3), SMALL);
    close_store(&fixture);
    expect_clean(&fixture);
    end(&fixture);
  }
}

static void test_r5_missing_files(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture, 1);
  fill(&fixture);
  struct names names = names_of(&fixture);
  end(&fixture);
  for (size_t i = 0; i < names.count; i++) {
    struct told told;
    struct store_repair_figures figures;
    begin(&fixture, 1);
    fill(&fixture);
    remove_name(&fixture, names.list[i]);
    repair(&fixture, &told, &figures);
    bool lost = figures.rows_lost + figures.values_lost > 0;
    bool derived = strstr(names.list[i], ".snapshot") || strstr(names.list[i], ".state") ||
                   strstr(names.list[i], "manifest.json") || strstr(names.list[i], ".tf");
    if (lost == derived) fail_msg("%s: %s", names.list[i], told.text);
    assert_int_equal(told.damages > 0, lost);
    expect_clean(&fixture);
    open_store(&fixture);
    size_t rows = count(&fixture, 1) + count(&fixture, 2);
    assert_int_equal(rows, 3 * SMALL - figures.rows_lost);
    assert_int_equal(count(&fixture, 3), 1);
    end(&fixture);
  }
}

static void test_r5_lost_state(void **state) {
  (void)state;
  for (int merged = 0; merged < 2; merged++) {
    struct fixture fixture;
    struct told told;
    struct store_repair_figures figures;
    begin(&fixture, 1);
    fill(&fixture);
    if (merged) {
      open_store(&fixture);
      assert_int_equal(nilo_store_merge(fixture.store, NULL), NILO_OK);
      close_store(&fixture);
    }
    struct names names = names_of(&fixture);
    for (size_t i = 0; i < names.count; i++)
      if (strstr(names.list[i], ".snapshot") || strstr(names.list[i], ".state"))
        remove_name(&fixture, names.list[i]);
    check(&fixture, NULL, &told);
    assert_true(told.damages > 0);
    repair(&fixture, &told, &figures);
    assert_true(figures.manifest_rebuilt);
    assert_int_equal(told.damages, 0);
    expect_clean(&fixture);
    expect_all(&fixture);
    end(&fixture);
  }
}

/* The newest state is damaged, and so is a part that it alone names: its rows are in the log still,
 * so the older state has all of them. */
static void test_r5_older_state_and_log(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  begin(&fixture, 1);
  fill_large(&fixture);
  struct names names = names_of(&fixture);
  change(&fixture, name_with(&names, "keys.bin"), 24, 12, 0xff);
  change(&fixture, name_with(&names, ".state"), 60, 1, 4);
  repair(&fixture, &told, &figures);
  assert_int_equal(told.damages, 0);
  expect_clean(&fixture);
  open_store(&fixture);
  assert_int_equal(count(&fixture, 1), 12000);
  assert_int_equal(count(&fixture, 2), SMALL);
  assert_int_equal(count(&fixture, 3), 1);
  close_store(&fixture);
  expect_clean(&fixture);
  end(&fixture);
}

/* With the state a part is gone, too: nobody can name it, but its commits are missed. */
static void test_r5_lost_state_and_part(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  begin(&fixture, 1);
  fill(&fixture);
  struct names names = names_of(&fixture);
  const char *first = name_with(&names, "primary.bin");
  for (size_t i = 0; i < names.count; i++)
    if (strstr(names.list[i], "primary.bin") && strcmp(names.list[i], first) < 0)
      first = names.list[i];
  for (size_t i = 0; i < names.count; i++)
    if (strstr(names.list[i], ".snapshot") || strstr(names.list[i], ".state") ||
        !strncmp(names.list[i], first, 16))
      remove_name(&fixture, names.list[i]);
  repair(&fixture, &told, &figures);
  assert_int_equal(told.damages, 1);
  assert_non_null(strstr(told.text, "commits 1 to 1 are in no part"));
  expect_clean(&fixture);
  open_store(&fixture);
  assert_int_equal(count(&fixture, 1), SMALL);
  assert_int_equal(count(&fixture, 2), SMALL);
  assert_int_equal(count(&fixture, 3), 1);
  end(&fixture);
}

/* Nothing but the log is left. */
static void test_r5_only_a_log(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  begin(&fixture, 1);
  open_store(&fixture);
  put(&fixture, 3, 0, SMALL);
  close_store(&fixture);
  struct names names = names_of(&fixture);
  assert_int_equal(names.count, 2);
  remove_name(&fixture, names.list[0]);
  remove_name(&fixture, names.list[1]);
  repair(&fixture, &told, &figures);
  assert_int_equal(told.damages, 0);
  expect_clean(&fixture);
  open_store(&fixture);
  assert_int_equal(count(&fixture, 3), SMALL);
  end(&fixture);
}

static void test_r5_dry_run(void **state) {
  (void)state;
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  struct err err;
  begin(&fixture, 1);
  fill_large(&fixture);
  struct names names = names_of(&fixture);
  change(&fixture, name_with(&names, "keys.bin"), 24, 12, 0xff);
  uint64_t operations = os_sim_operations(fixture.os);
  assert_int_equal(try_repair(&fixture, true, &told, &figures, &err), ERR_OK);
  assert_int_equal(os_sim_operations(fixture.os), operations);
  assert_int_equal(figures.rows_saved + figures.rows_lost, 12000 + SMALL);
  assert_true(figures.rows_lost > 0);
  end(&fixture);
}

/* ---- power is lost, calls fail ---- */

static bool interrupted_at(uint64_t n, bool crash, bool states) {
  struct fixture fixture;
  struct told told;
  struct store_repair_figures figures;
  struct err err;
  char path[160];
  begin(&fixture, 1000 + n);
  fill_large(&fixture);
  struct names names = names_of(&fixture);
  const char *name = name_with(&names, "keys.bin");
  change(&fixture, name, 24, 12, 0xff);
  for (size_t i = 0; i < names.count && states; i++)
    if (strstr(names.list[i], ".state")) change(&fixture, names.list[i], 60, 1, 4);
  uint64_t before = os_sim_operations(fixture.os);
  if (crash)
    os_sim_crash_at(fixture.os, before + n);
  else
    os_sim_fail_at(fixture.os, before + n, ERR_IO);
  (void)try_repair(&fixture, false, &told, &figures, &err);
  bool reached = os_sim_operations(fixture.os) >= before + n;
  if (os_sim_crashed(fixture.os)) os_sim_reboot(fixture.os, OS_SIM_LOSS_DRAWN);
  os_sim_fail_at(fixture.os, 0, 0);
  os_sim_crash_at(fixture.os, 0);
  repair(&fixture, &told, &figures);
  expect_clean(&fixture);
  open_store(&fixture);
  size_t rows = count(&fixture, 1);
  if (!rows || rows >= 12000)
    fail_msg("operation %llu, %d: %zu rows", (unsigned long long)n, (int)crash + 2 * states, rows);
  assert_int_equal(count(&fixture, 2), SMALL);
  assert_int_equal(count(&fixture, 3), 1);
  close_store(&fixture);
  expect_clean(&fixture);
  /* What was damaged has not gone, whatever happened. */
  snprintf(path, sizeof path, "/alone/quarantine/%s", name);
  assert_true(os_path_exists(fixture.os, path));
  end(&fixture);
  return reached;
}

static void test_r5_interrupted_at_every_operation(void **state) {
  (void)state;
  for (int kind = 0; kind < 4; kind++) {
    uint64_t n = 1;
    while (interrupted_at(n, kind & 1, kind & 2))
      n++;
    assert_true(n > 20);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r4_clean),
      cmocka_unit_test(test_r4_every_byte_of_every_file),
      cmocka_unit_test(test_r4_missing_files),
      cmocka_unit_test(test_r5_every_file),
      cmocka_unit_test(test_r5_damaged_block),
      cmocka_unit_test(test_r5_missing_files),
      cmocka_unit_test(test_r5_lost_state),
      cmocka_unit_test(test_r5_older_state_and_log),
      cmocka_unit_test(test_r5_lost_state_and_part),
      cmocka_unit_test(test_r5_only_a_log),
      cmocka_unit_test(test_r5_dry_run),
      cmocka_unit_test(test_r5_interrupted_at_every_operation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
