/* Rows that are kept: what is appended comes back by chunk and by number, and an append that is
 * refused at any allocation changes nothing. */
#include "random_rows.h"

#include "exec/row_buffer.h"
#include "os/os.h"
#include "os/pool.h"

static struct os_pool *pool; /* two threads */

struct bench {
  struct mem_account account;
  struct exec exec;
};

static void begin(struct bench *bench, int64_t limit) {
  memset(bench, 0, sizeof *bench);
  mem_account_init(&bench->account, "test", NULL, limit);
  bench->exec.options.account = &bench->account;
  bench->exec.options.pool = pool;
  arena_init(&bench->exec.memory, &bench->account, 1024);
}
static void end(struct bench *bench) {
  arena_deinit(&bench->exec.memory);
  mem_account_deinit(&bench->account);
}

static void check_rows(const struct row_buffer *buffer, const struct random_rows *rows,
                       const uint32_t *expected, int64_t count) {
  assert_int_equal(buffer->rows, count);
  for (int64_t i = 0; i < count; i++) {
    struct batch chunk = exec__row_buffer_chunk(buffer, (uint32_t)(i / ROW_BUFFER_CHUNK));
    for (uint32_t c = 0; c < RANDOM_COLUMNS; c++)
      if (!same_cell(&chunk.columns[c], i % ROW_BUFFER_CHUNK, &rows->columns[c], expected[i]))
        fail_msg("row %lld, column %u", (long long)i, c);
  }
}

/* Reads random numbers, and no row now and then, into builders. */
static void check_take(const struct row_buffer *buffer, const struct random_rows *rows,
                       const uint32_t *expected, struct random_source *random,
                       struct mem_account *account) {
  enum { TAKEN = 1500 };
  static uint64_t numbers[TAKEN];
  struct builder builders[RANDOM_COLUMNS], *list[RANDOM_COLUMNS];
  for (int c = 0; c < RANDOM_COLUMNS; c++) {
    builder_init(&builders[c], rows->types[c], account);
    list[c] = &builders[c];
  }
  for (int i = 0; i < TAKEN; i++)
    numbers[i] = buffer->rows == 0 || random_less(random, 9) == 0
                     ? ROW_NONE
                     : random_less(random, buffer->rows);
  exec__row_buffer_take(buffer, numbers, TAKEN, NULL, RANDOM_COLUMNS, list);
  for (int c = 0; c < RANDOM_COLUMNS; c++) {
    struct column taken = builder_view(&builders[c]);
    assert_int_equal(builder_check(&builders[c], NULL), ERR_OK);
    assert_int_equal(taken.length, TAKEN);
    for (int i = 0; i < TAKEN; i++) {
      if (numbers[i] == ROW_NONE)
        assert_false(column_is_valid(&taken, i));
      else if (!same_cell(&taken, i, &rows->columns[c], expected[numbers[i]]))
        fail_msg("number %d, column %d", i, c);
    }
    builder_deinit(&builders[c]);
  }
}

/* Rows [from, from + count) cut into some batches, a few of them empty, appended at once. */
static int append_cut(struct row_buffer *buffer, const struct random_rows *rows, int64_t from,
                      int64_t count, struct random_source *random, struct err *err) {
  enum { BATCHES = 5 };
  static struct column columns[BATCHES][RANDOM_COLUMNS];
  struct batch batches[BATCHES];
  struct mem_account account;
  struct arena arena;
  mem_account_init(&account, "slices", NULL, 0);
  arena_init(&arena, &account, 4096);
  for (int b = 0; b < BATCHES; b++) {
    int64_t part = b + 1 < BATCHES ? (int64_t)random_less(random, (uint64_t)count + 1) : count;
    for (int c = 0; c < RANDOM_COLUMNS; c++)
      assert_int_equal(column_slice(&rows->columns[c], from, part, &arena, &columns[b][c], NULL),
                       ERR_OK);
    batches[b] = (struct batch){part, RANDOM_COLUMNS, columns[b]};
    from += part;
    count -= part;
  }
  int code = exec__row_buffer_append_batches(buffer, batches, BATCHES, err);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return code;
}

static void rows_come_back(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    struct random_source random = random_begin(seed);
    struct mem_account account;
    struct bench bench;
    struct random_rows rows;
    struct row_buffer buffer;
    print_message("seed %llu\n", (unsigned long long)seed);
    mem_account_init(&account, "rows", NULL, 0);
    begin(&bench, 0);
    random_rows_make(&rows, &random, &account, 3000, (int)(seed % 3) * 20, 40);
    assert_int_equal(exec__row_buffer_init(&buffer, &bench.exec, rows.types, RANDOM_COLUMNS, NULL),
                     ERR_OK);
    static uint32_t expected[20 * 3000], picked[3000];
    int64_t count = 0;
    for (int round = 0; round < 20; round++) {
      int64_t from = (int64_t)random_less(&random, 3000);
      int64_t part = (int64_t)random_less(&random, (uint64_t)(3000 - from) + 1);
      bool pick = random_less(&random, 2), cut = !pick && random_less(&random, 2);
      for (int64_t i = 0; i < part; i++)
        expected[count + i] = picked[i] =
            pick ? (uint32_t)random_less(&random, 3000) : (uint32_t)(from + i);
      int code = pick  ? exec__row_buffer_append_rows(&buffer, rows.columns, picked, part, NULL)
                 : cut ? append_cut(&buffer, &rows, from, part, &random, NULL)
                       : exec__row_buffer_append(&buffer, rows.columns, from, part, NULL);
      assert_int_equal(code, ERR_OK);
      count += part;
    }
    assert_true(count > ROW_BUFFER_CHUNK);
    assert_true(buffer.bytes <= (uint64_t)mem_account_used(&bench.account));
    check_rows(&buffer, &rows, expected, count);
    check_take(&buffer, &rows, expected, &random, &account);
    exec__row_buffer_reset(&buffer);
    assert_int_equal(exec__row_buffer_chunks(&buffer), 0);
    check_take(&buffer, &rows, expected, &random, &account);
    exec__row_buffer_deinit(&buffer);
    exec__row_buffer_deinit(&buffer);
    random_rows_free(&rows);
    end(&bench);
    mem_account_deinit(&account);
  }
}

/* Every allocation of an append that crosses two chunks fails once: the rows before it stay. */
static void refuse_appends(bool cut) {
  struct random_source random = random_begin(5);
  struct mem_account account;
  struct bench bench;
  struct random_rows rows;
  static uint32_t expected[20000];
  mem_account_init(&account, "rows", NULL, 0);
  random_rows_make(&rows, &random, &account, 9000, 10, 40);
  for (int i = 0; i < 20000; i++)
    expected[i] = (uint32_t)(i < 5000 ? i : i - 5000);
  for (int64_t fail = 1;; fail++) {
    struct row_buffer buffer;
    struct err err;
    begin(&bench, 0);
    assert_int_equal(exec__row_buffer_init(&buffer, &bench.exec, rows.types, RANDOM_COLUMNS, NULL),
                     ERR_OK);
    assert_int_equal(exec__row_buffer_append(&buffer, rows.columns, 0, 5000, NULL), ERR_OK);
    bench.account.fail_countdown = fail;
    int code = cut ? append_cut(&buffer, &rows, 0, 9000, &random, &err)
                   : exec__row_buffer_append(&buffer, rows.columns, 0, 9000, &err);
    bench.account.fail_countdown = 0;
    check_rows(&buffer, &rows, expected, code ? 5000 : 14000);
    assert_true(buffer.bytes <= (uint64_t)mem_account_used(&bench.account));
    if (code) {
      assert_int_equal(err.code, code);
      assert_int_equal(exec__row_buffer_append(&buffer, rows.columns, 0, 9000, NULL), ERR_OK);
      check_rows(&buffer, &rows, expected, 14000);
    }
    exec__row_buffer_deinit(&buffer);
    end(&bench);
    if (!code) {
      assert_true(fail > 10);
      break;
    }
  }
  random_rows_free(&rows);
  mem_account_deinit(&account);
}

static void a_refused_append_changes_nothing(void **state) {
  (void)state;
  refuse_appends(false);
}
static void refused_batches_change_nothing(void **state) {
  (void)state;
  refuse_appends(true);
}

/* Texts that came plain first are kept as texts when codes follow. */
static void codes_behind_texts(void **state) {
  (void)state;
  struct random_source random = random_begin(6);
  struct mem_account account;
  struct bench bench;
  struct random_rows rows;
  struct row_buffer buffer;
  mem_account_init(&account, "rows", NULL, 0);
  begin(&bench, 0);
  random_rows_make(&rows, &random, &account, 100, 10, 40);
  assert_int_equal(
      exec__row_buffer_init(&buffer, &bench.exec, &(struct type){PHYSICAL_STRING, 0, 0}, 1, NULL),
      ERR_OK);
  const uint32_t picked[] = {7, 3};
  const struct column *codes = &rows.columns[RANDOM_COLUMNS - 1];
  assert_int_equal(exec__row_buffer_append(&buffer, &rows.columns[4], 0, 100, NULL), ERR_OK);
  assert_int_equal(exec__row_buffer_append(&buffer, codes, 10, 90, NULL), ERR_OK);
  assert_int_equal(exec__row_buffer_append_rows(&buffer, codes, picked, 2, NULL), ERR_OK);
  struct batch chunk = exec__row_buffer_chunk(&buffer, 0);
  assert_int_equal(chunk.length, 192);
  for (int64_t i = 0; i < 100; i++)
    assert_true(same_cell(&chunk.columns[0], i, &rows.columns[4], i));
  for (int64_t i = 0; i < 90; i++)
    assert_true(same_cell(&chunk.columns[0], 100 + i, codes, 10 + i));
  assert_true(same_cell(&chunk.columns[0], 190, codes, 7));
  assert_true(same_cell(&chunk.columns[0], 191, codes, 3));
  exec__row_buffer_deinit(&buffer);
  random_rows_free(&rows);
  end(&bench);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_come_back),
      cmocka_unit_test(a_refused_append_changes_nothing),
      cmocka_unit_test(refused_batches_change_nothing),
      cmocka_unit_test(codes_behind_texts),
  };
  struct os *os;
  struct err err;
  if (os_real_create(&os, &err) || os_pool_create(os, 1, &pool, &err)) return 1;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  os_pool_destroy(pool);
  os_destroy(os);
  return failed;
}
