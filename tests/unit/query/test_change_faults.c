/* Statements of SQL that change something, when memory is refused at any of their allocations and
 * when power is lost at any of their calls: what was there is there, or all that was to be; and
 * rows of a table of rows are whole behind flushes, merges and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "engine_fixture.h"
#include "query/query.h"
#include "query/query_session.h"

enum { TEXT_SIZE = 4096 };

static void print(const struct query_event *event, struct buffer *out) {
  for (int64_t row = 0; row < event->batch.length; row++) {
    for (uint32_t i = 0; i < event->batch.column_count; i++) {
      const struct column *column = &event->batch.columns[i];
      bool valid = column_is_valid(column, row);
      struct str text = !valid               ? STR("NULL")
                        : column->dictionary ? column_str(column->dictionary, column->i32[row])
                                             : column_str(column, row);
      if (i) buffer_append_byte(out, '|');
      buffer_append_str(out, text);
    }
    buffer_append_byte(out, '\n');
  }
}

/* The error of the statement, and its rows, if there is room for them. */
static struct err run_as(struct fixture *fixture, enum query_language language, const char *text,
                         char *rows) {
  struct query_options options = {.language = language,
                                  .text = str_from(text),
                                  .database = STR("d"),
                                  .form = QUERY_FORM_TEXT,
                                  .now_ns = INT64_C(1700000000000000000)};
  struct err err = {.offset = -1}, last = {.offset = -1};
  struct mem_account account;
  struct query *query;
  struct query_event event;
  struct buffer out;
  if (rows) rows[0] = 0;
  if (query_open(fixture->engine, &options, &query, &err)) return err;
  mem_account_init(&account, "rows", NULL, 0);
  buffer_init(&out, &account);
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    if (event.kind == QUERY_DONE && event.error.code && event.error.code != ERR_NOT_EXECUTED)
      last = event.error;
    if (event.kind == QUERY_ROWS) print(&event, &out);
  } while (event.kind != QUERY_END);
  query_close(query);
  assert_true(out.size < TEXT_SIZE);
  if (rows) snprintf(rows, TEXT_SIZE, "%.*s", (int)out.size, (const char *)out.data);
  buffer_deinit(&out);
  mem_account_deinit(&account);
  return last;
}

static struct err run(struct fixture *fixture, const char *text, char *rows) {
  return run_as(fixture, QUERY_SQL, text, rows);
}

static void must(struct fixture *fixture, const char *text) {
  struct err err = run(fixture, text, NULL);
  if (err.code) fixture_fail(text, &err);
}

/* Everything there is, as text. */
static void look(struct fixture *fixture, char *out) {
  static const char *const texts[] = {
      "SELECT * FROM r ORDER BY id",
      "SELECT * FROM h ORDER BY k",
      "SELECT * FROM s ORDER BY ts, host",
      "SELECT * FROM made ORDER BY 1",
      "SELECT * FROM v ORDER BY 1",
      "SELECT * FROM w ORDER BY 1",
      "SELECT column_name FROM information_schema.columns WHERE table_name = 'h' ORDER BY 1"};
  char rows[TEXT_SIZE];
  size_t used = 0;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct err err = run(fixture, texts[i], rows);
    if (err.code && err.code != ERR_UNKNOWN_TABLE) fixture_fail(texts[i], &err);
    used += (size_t)snprintf(out + used, TEXT_SIZE - used, "%s--\n", err.code ? "none\n" : rows);
    assert_true(used < TEXT_SIZE);
  }
}

static void begin(struct fixture *fixture) {
  fixture_begin(fixture);
  fixture_database(fixture, "d");
  must(fixture, "CREATE TABLE r (id bigint PRIMARY KEY, a text, n numeric(6,2), b boolean)");
  must(fixture, "CREATE TABLE h (k text PRIMARY KEY, v bigint)");
  must(fixture, "CREATE TABLE s (ts timestamptz TIME KEY, host text TAG, f double precision, g "
                "bigint)");
  must(fixture, "CREATE VIEW v AS SELECT id, a FROM r");
  must(fixture, "INSERT INTO r VALUES (1, 'one', 1.5, true), (2, NULL, NULL, NULL), (3, 'x', 3, "
                "false)");
  must(fixture, "INSERT INTO h VALUES ('a', 1), ('b', NULL)");
  must(fixture, "INSERT INTO s VALUES ('2024-01-01', 'x', 1, 1), ('2024-01-02', 'x', 2, NULL), "
                "('2024-01-01', 'y', 3, 3)");
}

static const char *const statements[] = {
    "INSERT INTO r VALUES (7, NULL, 7, true), (8, 'eight', NULL, NULL)",
    "INSERT INTO r SELECT id + 10, a, n, b FROM r",
    "INSERT INTO r VALUES (1, 'uno', 9, true), (9, 'n', 9, true) ON CONFLICT (id) DO UPDATE SET a "
    "= excluded.a, n = NULL RETURNING *",
    "UPDATE r SET a = NULL, n = 2 WHERE id < 3",
    "UPDATE r SET id = id + 1",
    "DELETE FROM r WHERE n > 1",
    "DELETE FROM r WHERE id >= 2",
    "INSERT INTO h VALUES ('c', 3), ('a', 4) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
    "UPDATE h SET k = k || 'x', v = 5",
    "INSERT INTO s VALUES ('2024-01-03', 'z', 1, 1), ('2024-01-01', 'x', NULL, 9)",
    "UPDATE s SET f = NULL WHERE host = 'x'",
    "UPDATE s SET ts = ts + interval '1 day', host = 'w'",
    "DELETE FROM s WHERE f > 1",
    "DELETE FROM s WHERE host = 'x'",
    "TRUNCATE r, s",
    "CREATE TABLE made AS SELECT id, a FROM r",
    "CREATE TABLE made AS SELECT id, a FROM r WHERE id > 100",
    "ALTER TABLE h ADD COLUMN c text DEFAULT 'd'",
    "ALTER TABLE h DROP COLUMN v",
    "ALTER TABLE h RENAME COLUMN v TO vv",
    "ALTER TABLE h RENAME TO made",
    "ALTER VIEW v RENAME TO w",
    "DROP TABLE r CASCADE",
};

/* Every allocation of each statement is refused once. */
static void test_memory_is_refused(void **state) {
  (void)state;
  char before[TEXT_SIZE], after[TEXT_SIZE], now[TEXT_SIZE];
  for (size_t t = 0; t < sizeof statements / sizeof *statements; t++) {
    struct fixture fixture;
    begin(&fixture);
    look(&fixture, before);
    int64_t n = 1;
    for (;; n++) {
      assert_true(n < 5000);
      atomic_store(&fixture.account.fail_countdown, n);
      struct err err = run(&fixture, statements[t], NULL);
      atomic_store(&fixture.account.fail_countdown, 0);
      if (!err.code) break;
      if (err.code != ERR_NO_MEMORY && err.code != ERR_MEMORY_LIMIT)
        fail_msg("%s, allocation %lld: %s", statements[t], (long long)n, err.message);
      look(&fixture, now);
      if (strcmp(before, now))
        fail_msg("%s, allocation %lld:\n%s\nnot\n%s", statements[t], (long long)n, now, before);
      if (n % 16) continue;
      fixture_reopen(&fixture);
      look(&fixture, now);
      assert_string_equal(before, now);
    }
    assert_true(n > 5);
    look(&fixture, after);
    assert_string_not_equal(before, after);
    fixture_reopen(&fixture);
    look(&fixture, now);
    assert_string_equal(after, now);
    fixture_end(&fixture);
  }
}

/* A view whose text could not be looked at for want of memory still depends on its table. */
static void test_dependents_are_not_missed(void **state) {
  (void)state;
  struct fixture fixture;
  int64_t n = 1;
  begin(&fixture);
  for (struct err err = {.code = 0}; err.code != ERR_DEPENDENT; n++) {
    assert_true(n < 5000);
    atomic_store(&fixture.account.fail_countdown, n);
    err = run(&fixture, "DROP TABLE r", NULL);
    atomic_store(&fixture.account.fail_countdown, 0);
    if (!err.code) fail_msg("allocation %lld: dropped", (long long)n);
  }
  assert_true(n > 5);
  fixture_end(&fixture);
}

/* Power is lost at every call of each statement. */
static void test_power_is_lost(void **state) {
  (void)state;
  static const enum os_sim_loss losses[] = {OS_SIM_LOSS_DRAWN, OS_SIM_LOSS_ALL, OS_SIM_LOSS_NONE};
  char before[TEXT_SIZE], after[TEXT_SIZE], now[TEXT_SIZE];
  for (size_t t = 0; t < sizeof statements / sizeof *statements; t++)
    for (size_t l = 0; l < sizeof losses / sizeof *losses; l++) {
      bool crashed = true;
      for (uint64_t operation = 1; crashed; operation++) {
        struct fixture fixture;
        begin(&fixture);
        look(&fixture, before);
        os_sim_crash_at(fixture.os, os_sim_operations(fixture.os) + operation);
        struct err err = run(&fixture, statements[t], NULL);
        crashed = os_sim_crashed(fixture.os);
        if (!crashed) {
          os_sim_crash(fixture.os);
          if (err.code) fixture_fail(statements[t], &err);
        }
        fixture_close(&fixture);
        os_sim_reboot(fixture.os, losses[l]);
        fixture_open(&fixture);
        look(&fixture, now);
        if (err.code || strcmp(before, now)) { /* what it would have been */
          struct fixture other;
          begin(&other);
          must(&other, statements[t]);
          look(&other, after);
          fixture_end(&other);
        }
        bool none = strcmp(before, now) == 0, all = !none && strcmp(after, now) == 0;
        if ((!none || !err.code) && !all)
          fail_msg("%s, operation %llu, loss %u, %s:\n%s", statements[t],
                   (unsigned long long)operation, (unsigned)l, err.code ? "failed" : "answered",
                   now);
        fixture_end(&fixture);
      }
    }
}

static void settle(struct fixture *fixture) {
  struct store_shard *shard = table_engine_shard(fixture->engine);
  struct err err = {.offset = -1};
  if (store_flush(shard, 0, &err)) fixture_fail("flush", &err);
}

/* The newest row is all there is, wherever its older ones lie. */
static void test_rows_are_whole(void **state) {
  (void)state;
  struct fixture fixture;
  char before[TEXT_SIZE], now[TEXT_SIZE];
  begin(&fixture);
  for (size_t t = 0; t < 13; t++) {
    must(&fixture, statements[t]);
    look(&fixture, before);
    settle(&fixture);
    look(&fixture, now);
    assert_string_equal(before, now);
    fixture_reopen(&fixture);
    look(&fixture, now);
    assert_string_equal(before, now);
  }
  struct err err = {.offset = -1};
  if (store_merge(table_engine_shard(fixture.engine), 0, &err)) fixture_fail("merge", &err);
  look(&fixture, now);
  assert_string_equal(before, now);
  fixture_reopen(&fixture);
  look(&fixture, now);
  assert_string_equal(before, now);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_are_whole),
      cmocka_unit_test(test_memory_is_refused),
      cmocka_unit_test(test_dependents_are_not_missed),
      cmocka_unit_test(test_power_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
