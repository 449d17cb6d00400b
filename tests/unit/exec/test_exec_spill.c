/* Rows in temporary files: they come back bit by bit, in any interleaving of streams; bytes are
 * given back and used again; disks that are full, fail or lie give errors that name the place; and
 * nothing is left behind. */
#include "random_rows.h"

#include "base/limits.h"
#include "exec/spill.h"
#include "exec/spill_private.h"
#include "os/os.h"
#include "os/sim.h"
#include "plan/plan.h"

enum { STREAMS = 5 };

struct bench {
  struct os *os;
  struct mem_account account, query;
  struct spill_space *space;
  struct exec *exec;
};

static const struct plan_node *leaf(void) {
  static struct column none;
  static const struct plan_node node = {.kind = PLAN_VALUES, .values = {.columns = &none}};
  return &node;
}

static void open_space(struct bench *bench, uint64_t bytes_max, uint64_t query_bytes_max) {
  struct spill_space_options options = {.os = bench->os,
                                        .account = &bench->account,
                                        .directory = "tmp",
                                        .bytes_max = bytes_max,
                                        .query_bytes_max = query_bytes_max,
                                        .disk_reserve = LIMIT_MIB(4)};
  assert_int_equal(spill_space_create(&options, &bench->space, NULL), ERR_OK);
}
static void open_exec(struct bench *bench) {
  struct exec_options options = {.account = &bench->query, .os = bench->os, .space = bench->space};
  assert_int_equal(exec_open(leaf(), &options, &bench->exec, NULL), ERR_OK);
}
static void begin(struct bench *bench, uint64_t seed, int64_t query_limit) {
  struct os_sim_options options = {.seed = seed};
  *bench = (struct bench){0};
  assert_int_equal(os_sim_create(&options, &bench->os, NULL), ERR_OK);
  mem_account_init(&bench->account, "test", NULL, 0);
  mem_account_init(&bench->query, "query", &bench->account, query_limit);
  open_space(bench, 0, 0);
  open_exec(bench);
}

static int count_name(void *context, const char *name, bool is_dir) {
  (void)name, (void)is_dir;
  ++*(int *)context;
  return 0;
}
static int files_of(struct os *os) {
  int count = 0;
  if (os_path_exists(os, "tmp"))
    assert_int_equal(os_dir_list(os, "tmp", count_name, &count, NULL), ERR_OK);
  return count;
}

static void end(struct bench *bench) {
  struct spill_space_figures figures;
  exec_close(bench->exec);
  spill_space_figures(bench->space, &figures);
  assert_int_equal(figures.bytes, 0);
  assert_int_equal(figures.files, 0);
  assert_int_equal(files_of(bench->os), 0);
  spill_space_destroy(bench->space);
  mem_account_deinit(&bench->query);
  mem_account_deinit(&bench->account);
  os_destroy(bench->os);
}

/* The rows of a stream, as indices of the random rows they are. */
struct expected {
  uint32_t *rows;
  int64_t count;
};

static void check_stream(struct spill_stream *stream, const struct random_rows *rows,
                         const struct expected *expected) {
  struct spill_reader *reader;
  struct batch batch;
  int64_t at = 0;
  assert_int_equal(exec__spill_rows(stream), expected->count);
  assert_int_equal(exec__spill_open(stream, &reader, NULL), ERR_OK);
  for (;;) {
    struct err err;
    int code = exec__spill_next(reader, &batch, &err);
    if (code) fail_msg("%s (%s)", err.message, err.detail);
    if (batch.length == 0) break;
    assert_true(batch.length <= LIMIT_BLOCK_ROWS);
    assert_true(at + batch.length <= expected->count);
    for (uint32_t c = 0; c < RANDOM_COLUMNS; c++) {
      assert_null(batch.columns[c].dictionary);
      for (int64_t i = 0; i < batch.length; i++)
        if (!same_cell(&batch.columns[c], i, &rows->columns[c], expected->rows[at + i]))
          fail_msg("row %lld, column %u", (long long)(at + i), c);
    }
    at += batch.length;
  }
  assert_int_equal(at, expected->count);
  exec__spill_close(reader);
}

/* Several streams are written in turns, read twice, some given back, others written in their place.
 */
static void streams_come_back(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 8; seed++) {
    struct random_source random = random_begin(seed);
    struct random_rows rows;
    struct bench bench;
    struct spill_stream *streams[STREAMS];
    struct expected expected[STREAMS] = {{0}};
    print_message("seed %llu\n", (unsigned long long)seed);
    begin(&bench, seed, seed % 2 ? LIMIT_MIB(1) : 0);
    random_rows_make(&rows, &random, &bench.account, 2500, (int)(seed % 3) * 20,
                     seed % 4 == 0 ? 2000 : 30);
    for (int round = 0; round < 3; round++) {
      for (int s = 0; s < STREAMS; s++) {
        if (round && s % 2 == round % 2) continue;
        assert_int_equal(
            exec__spill_create(bench.exec, rows.types, RANDOM_COLUMNS, &streams[s], NULL), ERR_OK);
        expected[s] = (struct expected){.rows = malloc(200000 * sizeof(uint32_t))};
      }
      for (int i = 0; i < 40; i++) {
        int s = (int)random_less(&random, STREAMS);
        if (round && s % 2 == round % 2) continue;
        int64_t from = (int64_t)random_less(&random, 2500);
        int64_t count = (int64_t)random_less(&random, (uint64_t)(2500 - from) + 1);
        assert_int_equal(exec__spill_append(streams[s], rows.columns, from, count, NULL), ERR_OK);
        for (int64_t r = 0; r < count; r++)
          expected[s].rows[expected[s].count++] = (uint32_t)(from + r);
      }
      for (int s = 0; s < STREAMS; s++) {
        if (round == 0 || s % 2 != round % 2)
          assert_int_equal(exec__spill_finish(streams[s], NULL), ERR_OK);
        check_stream(streams[s], &rows, &expected[s]);
        check_stream(streams[s], &rows, &expected[s]);
      }
      for (int s = 0; s < STREAMS; s++) {
        if (round < 2 && s % 2 == (round + 1) % 2) continue;
        exec__spill_destroy(streams[s]);
        free(expected[s].rows);
      }
    }
    struct spill_space_figures figures;
    spill_space_figures(bench.space, &figures);
    assert_true(figures.bytes_written > 0 && figures.bytes_read >= 2 * figures.bytes_written);
    assert_int_equal(figures.bytes, 0); /* all was given back, and the file shortened */
    random_rows_free(&rows);
    end(&bench);
  }
}

/* Appends random rows until it fails or `bytes` were written. */
static int write_much(struct bench *bench, const struct random_rows *rows, uint64_t bytes,
                      struct err *err) {
  struct spill_stream *stream;
  struct spill_space_figures figures = {0};
  int code = exec__spill_create(bench->exec, rows->types, RANDOM_COLUMNS, &stream, err);
  while (!code && figures.bytes_written < bytes) {
    code = exec__spill_append(stream, rows->columns, 0, rows->count, err);
    spill_space_figures(bench->space, &figures);
  }
  exec__spill_destroy(stream);
  return code;
}

static void limits_are_told_by_name(void **state) {
  (void)state;
  static const struct {
    uint64_t all, query, disk;
    const char *text;
  } cases[] = {
      {0, LIMIT_MIB(1), 0, "query.spill_max"},
      {LIMIT_MIB(2), 0, 0, "query.spill_total_max"},
      {0, 0, LIMIT_MIB(5), "the disk has no room"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct random_source random = random_begin(i + 1);
    struct random_rows rows;
    struct bench bench;
    struct err err;
    begin(&bench, 1, 0);
    exec_close(bench.exec);
    spill_space_destroy(bench.space);
    open_space(&bench, cases[i].all, cases[i].query);
    open_exec(&bench);
    if (cases[i].disk) os_sim_set_disk_bytes(bench.os, cases[i].disk);
    random_rows_make(&rows, &random, &bench.account, 2000, 10, 40);
    assert_int_equal(write_much(&bench, &rows, LIMIT_MIB(40), &err), ERR_DISK_FULL);
    assert_non_null(strstr(err.message, cases[i].text));
    assert_true(err.hint[0]);
    struct spill_space_figures figures;
    spill_space_figures(bench.space, &figures);
    assert_int_equal(figures.refused, 1);
    random_rows_free(&rows);
    end(&bench);
  }
}

/* Every operation on files fails once, with each code: the error comes out, nothing leaks and
 * nothing stays. */
static void disks_that_fail(void **state) {
  (void)state;
  static const int codes[] = {ERR_IO, ERR_DISK_FULL};
  for (int c = 0; c < 2; c++) {
    for (uint64_t operation = 1;; operation++) {
      struct random_source random = random_begin(3);
      struct random_rows rows;
      struct bench bench;
      struct err err;
      struct expected all = {calloc(2000, sizeof(uint32_t)), 2000};
      struct spill_stream *stream;
      begin(&bench, 2, LIMIT_KIB(512));
      random_rows_make(&rows, &random, &bench.account, 2000, 10, 40);
      for (uint32_t i = 0; i < 2000; i++)
        all.rows[i] = i;
      uint64_t last = os_sim_operations(bench.os);
      os_sim_fail_at(bench.os, last + operation, codes[c]);
      assert_int_equal(exec__spill_create(bench.exec, rows.types, RANDOM_COLUMNS, &stream, &err),
                       ERR_OK);
      int code = exec__spill_append(stream, rows.columns, 0, 2000, &err);
      if (!code) code = exec__spill_finish(stream, &err);
      bool over = os_sim_operations(bench.os) < last + operation;
      os_sim_fail_at(bench.os, 0, 0);
      if (code)
        assert_int_equal(err.code, codes[c]);
      else
        check_stream(stream, &rows, &all);
      assert_true(over == (code == ERR_OK));
      exec__spill_destroy(stream);
      random_rows_free(&rows);
      free(all.rows);
      end(&bench);
      if (over) {
        assert_true(operation > 3);
        break;
      }
    }
  }
}

static int note_name(void *context, const char *name, bool is_dir) {
  (void)is_dir;
  snprintf(context, 256, "tmp/%s", name);
  return 0;
}

/* Any bit that turns is found, and the error names the file and the place. */
static void disks_that_lie(void **state) {
  (void)state;
  struct random_source random = random_begin(4);
  struct random_rows rows;
  struct bench bench;
  struct spill_stream *stream;
  char path[256];
  begin(&bench, 3, LIMIT_KIB(512));
  random_rows_make(&rows, &random, &bench.account, 2000, 10, 40);
  assert_int_equal(exec__spill_create(bench.exec, rows.types, RANDOM_COLUMNS, &stream, NULL),
                   ERR_OK);
  assert_int_equal(exec__spill_append(stream, rows.columns, 0, 2000, NULL), ERR_OK);
  assert_int_equal(exec__spill_finish(stream, NULL), ERR_OK);
  assert_int_equal(os_dir_list(bench.os, "tmp", note_name, path, NULL), ERR_OK);
  struct spill_space_figures figures;
  spill_space_figures(bench.space, &figures);
  int found = 0;
  for (int i = 0; i < 60; i++) {
    uint64_t bit = i < 32 ? (uint64_t)i * 8 : random_less(&random, (figures.bytes - 600) * 8);
    struct spill_reader *reader;
    struct batch batch = {.length = 1};
    struct err err;
    err_reset(&err);
    assert_int_equal(os_sim_flip_bit(bench.os, path, bit, NULL), ERR_OK);
    assert_int_equal(exec__spill_open(stream, &reader, NULL), ERR_OK);
    int code = ERR_OK;
    while (!code && batch.length)
      code = exec__spill_next(reader, &batch, &err);
    exec__spill_close(reader);
    assert_int_equal(os_sim_flip_bit(bench.os, path, bit, NULL), ERR_OK);
    if (!code) continue; /* between two pieces */
    found++;
    assert_int_equal(code, ERR_CORRUPTION);
    assert_non_null(strstr(err.detail, path));
    assert_true(err.offset >= 0 && (uint64_t)err.offset <= bit / 8);
  }
  assert_true(found > 50);
  exec__spill_destroy(stream);
  random_rows_free(&rows);
  end(&bench);
}

/* Every allocation of writing and reading fails once. */
static void refused_memory(void **state) {
  (void)state;
  int failures = 0;
  for (int64_t fail = 1;; fail++) {
    struct random_source random = random_begin(5);
    struct random_rows rows;
    struct bench bench;
    struct spill_stream *stream = NULL;
    struct spill_reader *reader = NULL;
    struct batch batch = {.length = 1};
    struct err err;
    begin(&bench, 4, LIMIT_MIB(1));
    random_rows_make(&rows, &random, &bench.account, 1000, 10, 40);
    bench.account.fail_countdown = fail;
    int code = exec__spill_create(bench.exec, rows.types, RANDOM_COLUMNS, &stream, &err);
    if (!code) code = exec__spill_append(stream, rows.columns, 0, 1000, &err);
    if (!code) code = exec__spill_finish(stream, &err);
    if (!code) code = exec__spill_open(stream, &reader, &err);
    while (!code && batch.length)
      code = exec__spill_next(reader, &batch, &err);
    bench.account.fail_countdown = 0;
    if (code) assert_true(code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT);
    failures += code != ERR_OK;
    exec__spill_close(reader);
    exec__spill_destroy(stream);
    random_rows_free(&rows);
    end(&bench);
    if (!code) break;
  }
  assert_true(failures > 20);
}

/* A query whose memory is at its end can spill what it has. */
static void spilling_needs_none_of_the_querys_memory(void **state) {
  (void)state;
  struct random_source random = random_begin(6);
  struct random_rows rows;
  struct bench bench;
  struct spill_stream *stream;
  struct expected all = {calloc(2000, sizeof(uint32_t)), 2000};
  begin(&bench, 5, LIMIT_MIB(1));
  random_rows_make(&rows, &random, &bench.account, 2000, 10, 40);
  for (uint32_t i = 0; i < 2000; i++)
    all.rows[i] = i;
  assert_false(exec__memory_tight(bench.exec));
  int64_t rest = bench.query.limit - mem_account_used(&bench.query);
  assert_int_equal(mem_charge(&bench.query, (size_t)rest), 0);
  assert_true(exec__memory_tight(bench.exec));
  assert_int_equal(exec__spill_create(bench.exec, rows.types, RANDOM_COLUMNS, &stream, NULL),
                   ERR_OK);
  assert_int_equal(exec__spill_append(stream, rows.columns, 0, 2000, NULL), ERR_OK);
  assert_int_equal(exec__spill_finish(stream, NULL), ERR_OK);
  mem_discharge(&bench.query, (size_t)rest);
  check_stream(stream, &rows, &all);
  exec__spill_destroy(stream);
  random_rows_free(&rows);
  free(all.rows);
  end(&bench);
}

/* What a process left behind goes at the next start; what another one uses, and what is not ours,
 * stays. */
static void leftovers(void **state) {
  (void)state;
  struct bench bench;
  struct os_file *used, *other;
  begin(&bench, 6, 0);
  assert_int_equal(os_dir_create(bench.os, "tmp", NULL), ERR_OK);
  unsigned flags = OS_READ | OS_WRITE | OS_CREATE;
  assert_int_equal(os_file_open(bench.os, "tmp/nilo-spill-1-1", flags, &used, NULL), ERR_OK);
  assert_int_equal(os_file_lock(used, NULL), ERR_OK);
  assert_int_equal(os_file_open(bench.os, "tmp/nilo-spill-1-2", flags, &other, NULL), ERR_OK);
  os_file_close(other);
  assert_int_equal(os_file_open(bench.os, "tmp/of-somebody", flags, &other, NULL), ERR_OK);
  os_file_close(other);
  exec_close(bench.exec);
  spill_space_destroy(bench.space);
  open_space(&bench, 0, 0);
  open_exec(&bench);
  assert_true(os_path_exists(bench.os, "tmp/nilo-spill-1-1"));
  assert_false(os_path_exists(bench.os, "tmp/nilo-spill-1-2"));
  assert_true(os_path_exists(bench.os, "tmp/of-somebody"));
  os_file_close(used);
  assert_int_equal(os_file_remove(bench.os, "tmp/nilo-spill-1-1", NULL), ERR_OK);
  assert_int_equal(os_file_remove(bench.os, "tmp/of-somebody", NULL), ERR_OK);
  end(&bench);
}

static void without_a_space(void **state) {
  (void)state;
  struct mem_account account;
  struct exec *exec;
  struct spill_stream *stream;
  mem_account_init(&account, "test", NULL, LIMIT_MIB(1));
  struct exec_options options = {.account = &account};
  assert_int_equal(exec_open(leaf(), &options, &exec, NULL), ERR_OK);
  assert_false(exec__can_spill(exec));
  assert_false(exec__memory_tight(exec));
  assert_int_not_equal(exec__spill_create(exec, NULL, 0, &stream, NULL), ERR_OK);
  exec_close(exec);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_come_back),
      cmocka_unit_test(limits_are_told_by_name),
      cmocka_unit_test(disks_that_fail),
      cmocka_unit_test(disks_that_lie),
      cmocka_unit_test(refused_memory),
      cmocka_unit_test(spilling_needs_none_of_the_querys_memory),
      cmocka_unit_test(leftovers),
      cmocka_unit_test(without_a_space),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
