/* The same rows, the same statements, the same answers: whatever the number of threads, the order
 * and the size of the writes, the parts, and what is flushed and merged meanwhile.
 *
 * The rows are a function of a seed, and so are the statements. One engine has everything in
 * memory and no threads; the others live in real files, were written in another order (so that
 * their series have other numbers), were flushed at other points, and one of them is rewritten
 * with the rows that it already has, flushed and merged while it is asked. Floats are dyadic, so
 * that their sums are exact in any order; stddev, which may differ in its last bits, is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "engine_fixture.h"
#include "os/pool.h"
#include "query/query.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STATEMENTS = 60 }; /* all is many times slower */
#else
enum { STATEMENTS = 300 };
#endif
enum {
  SLOTS = 48000, /* of time, one row each */
  PIECES = 12,   /* a commit each */
  HOSTS = 7,
  STEP = 250, /* ns between slots */
  /* Slots that are deleted; multiples of 3, as the times of slots are. */
  GONE_FIRST = 19998,
  GONE_END = 21000,
};
static const uint64_t seed = UINT64_C(20261120);

/* splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t mix(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}
static uint64_t below(uint64_t *random, uint64_t limit) {
  *random = mix(*random);
  return *random % limit;
}

/* ---- rows ---- */

static int64_t time_of(uint64_t slot) { return (int64_t)(slot - slot % 3) * STEP - 3000000; }

/* The row of a slot; three slots share a time, in different series. */
static void append_row(struct buffer *text, uint64_t slot) {
  uint64_t r = mix(seed ^ slot), v = mix(r);
  static const char *const regions[] = {"", ",region=eu", ",region=us"};
  /* the slots of one time have different hosts: no row overwrites another */
  unsigned host = (unsigned)((slot % 3 + mix(seed + slot / 3) % HOSTS) % HOSTS);
  const char *comma = " ";
  buffer_printf(text, "m,host=h%u%s", host, regions[host % 3]);
  if (r & 1 || (r & 15) == 0) {
    buffer_printf(text, "%sf=%.17g", comma,
                  v % 97 == 0 ? -0.0 : ((double)(v % 4096) - 2048) / 16.0);
    comma = ",";
  }
  if (r & 2) {
    int64_t i = v % 9001 == 0   ? INT64_MAX
                : v % 9001 == 1 ? INT64_MIN
                                : (int64_t)(v >> 20 & 1023) - 512;
    buffer_printf(text, "%si=%lldi", comma, (long long)i);
    comma = ",";
  }
  if (r & 4) {
    buffer_printf(text, "%su=%lluu", comma, (unsigned long long)(v >> 30 & 255));
    comma = ",";
  }
  if (r & 8) {
    buffer_printf(text, "%ss=\"text %u\"", comma, (unsigned)(v >> 40 & 7));
    comma = ",";
  }
  buffer_printf(text, "%sb=%s %lld\n", comma, v >> 50 & 1 ? "true" : "false",
                (long long)time_of(slot));
}

static void write_piece(struct fixture *fixture, uint64_t first, uint64_t stride, bool again) {
  struct mem_account account;
  struct buffer text;
  mem_account_init(&account, "text", NULL, 0);
  buffer_init(&text, &account);
  for (uint64_t slot = first; slot < SLOTS; slot += stride)
    if (!again || slot < GONE_FIRST || slot >= GONE_END) append_row(&text, slot);
  buffer_append(&text, "", 1);
  if (!text.data) fail();
  fixture_write(fixture, "d", (const char *)text.data);
  buffer_deinit(&text);
  mem_account_deinit(&account);
}

/* ---- statements ---- */

static const char *pick(uint64_t *random, const char *const *texts, size_t count) {
  return texts[below(random, count)];
}
#define PICK(random, texts) pick(random, texts, sizeof(texts) / sizeof *(texts))

static const char *const aggregates[] = {"count(f)",
                                         "count(s)",
                                         "sum(f)",
                                         "sum(u)",
                                         "sum(i)",
                                         "mean(f)",
                                         "mean(i)",
                                         "min(f)",
                                         "max(f)",
                                         "min(i)",
                                         "max(i)",
                                         "max(u)",
                                         "first(f)",
                                         "last(f)",
                                         "first(s)",
                                         "last(s)",
                                         "first(b)",
                                         "last(b)",
                                         "spread(u)",
                                         "spread(f)",
                                         "median(f)",
                                         "median(i)",
                                         "mode(i)",
                                         "mode(s)",
                                         "mode(b)",
                                         "percentile(f,37)",
                                         "percentile(i, 95)",
                                         "count(distinct(s))",
                                         "count(distinct(f))"};
static const char *const selectors[] = {
    "max(f)", "min(f)", "max(i)", "min(u)", "first(f)", "last(i)", "percentile(u, 60)", "last(s)"};
static const char *const transforms[] = {
    "difference(max(i))",         "derivative(mean(f), 1us)", "cumulative_sum(sum(u))",
    "moving_average(mean(f), 3)", "elapsed(first(f), 1ns)",   "non_negative_difference(last(f))"};
static const char *const rows_of[] = {"*", "f, i", "s, host", "b, f, region", "u"};
static const char *const tests[] = {
    "f > 10",       "i < 0",       "host = 'h3'",        "region =~ /u/",
    "s = 'text 3'", "region = ''", "u >= 128 AND f < 0", "host != 'h1' OR i = 3"};
static const char *const groups[] = {"host", "region", "host, region", "*"};
static const char *const fills[] = {"",         " fill(none)", " fill(previous)", " fill(linear)",
                                    " fill(7)", " fill(null)"};

/* A statement of any shape; its ranges of time begin and end anywhere, also where no row is. */
static void append_statement(struct buffer *text, uint64_t *random) {
  uint64_t shape = below(random, 6);
  bool buckets = shape == 3 || (shape < 3 && below(random, 2));
  buffer_append_text(text, "SELECT ");
  if (shape < 2) {
    for (uint64_t n = below(random, 3) + 1, i = 0; i < n; i++)
      buffer_printf(text, "%s%s AS a%u", i ? ", " : "", PICK(random, aggregates), (unsigned)i);
  } else if (shape == 2) {
    buffer_printf(text, "%s, host, i, s", PICK(random, selectors));
  } else if (shape == 3) {
    buffer_append_text(text, PICK(random, transforms));
  } else if (shape == 4) {
    buffer_append_text(text, PICK(random, rows_of));
  } else {
    buffer_printf(text, "distinct(%s)", below(random, 2) ? "s" : "u");
  }
  int64_t span = (int64_t)SLOTS * STEP, from = (int64_t)below(random, (uint64_t)span) - 4000000;
  int64_t width = (int64_t)below(random, below(random, 2) ? 100000 : (uint64_t)span) + 500;
  bool bounded = buckets || below(random, 2);
  buffer_append_text(text, " FROM m");
  if (bounded)
    buffer_printf(text, " WHERE time >= %lld AND time < %lld", (long long)from,
                  (long long)(from + width));
  if (below(random, 2))
    buffer_printf(text, "%s(%s)", bounded ? " AND " : " WHERE ", PICK(random, tests));
  bool by_tags = below(random, 2);
  if (buckets || by_tags) buffer_append_text(text, " GROUP BY ");
  if (by_tags) buffer_append_text(text, PICK(random, groups));
  if (buckets)
    buffer_printf(text, "%stime(%lldns, %lldns)%s", by_tags ? ", " : "",
                  (long long)(width / (int64_t)(below(random, 40) + 1) + 1),
                  (long long)below(random, 1000) - 500, PICK(random, fills));
  if (below(random, 3) == 0) buffer_append_text(text, " ORDER BY time DESC");
  if (shape == 4 || below(random, 3) == 0)
    buffer_printf(text, " LIMIT %u", (unsigned)below(random, 2000) + 1);
  if (below(random, 4) == 0) buffer_printf(text, " OFFSET %u", (unsigned)below(random, 50));
  if (below(random, 5) == 0) buffer_printf(text, " SLIMIT %u", (unsigned)below(random, 4) + 1);
}

/* ---- answers ---- */

static void append_cell(struct buffer *out, const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) {
    buffer_append_text(out, " -");
    return;
  }
  char cell[128];
  if (column->dictionary)
    fixture_print(column->dictionary, column->i32[row], cell, sizeof cell);
  else
    fixture_print(column, row, cell, sizeof cell);
  buffer_printf(out, " %s", cell);
}

static void append_event(struct buffer *out, const struct query_event *event) {
  if (event->kind == QUERY_SERIES) {
    buffer_printf(out, "series %.*s", STR_ARG(event->name));
    for (uint32_t i = 0; i < event->tag_count; i++)
      buffer_printf(out, " %.*s=%.*s", STR_ARG(event->tags[i].name), STR_ARG(event->tags[i].value));
    buffer_append_text(out, "\n");
  } else if (event->kind == QUERY_ROWS) {
    for (int64_t row = 0; row < event->batch.length; row++) {
      for (uint32_t i = 0; i < event->batch.column_count; i++)
        append_cell(out, &event->batch.columns[i], row);
      buffer_append_text(out, "\n");
    }
  } else if (event->kind == QUERY_DONE) {
    buffer_printf(out, "done %d %s\n", event->error.code,
                  event->error.code ? event->error.message : "");
  }
}

static void ask(struct fixture *fixture, struct str text, struct buffer *out) {
  struct query_options options = {.language = QUERY_INFLUXQL,
                                  .text = text,
                                  .database = STR("d"),
                                  .now_ns = INT64_C(1500000000000000000)};
  struct query *query;
  struct query_event event;
  struct err err;
  err_reset(&err);
  buffer_reset(out);
  if (query_open(fixture->engine, &options, &query, &err)) {
    buffer_printf(out, "refused: %s\n", err.message);
    return;
  }
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    append_event(out, &event);
  } while (event.kind != QUERY_END);
  query_close(query);
}

/* Fails with the first line that differs. */
static void compare(struct str statement, const char *engine, struct str expected,
                    struct str actual) {
  size_t at = 0, start = 0;
  if (str_equal(expected, actual)) return;
  while (at < expected.size && at < actual.size && expected.data[at] == actual.data[at])
    if (expected.data[at++] == '\n') start = at;
  fail_msg("%.*s\n%s: expected %.120s\nactual %.120s", STR_ARG(statement), engine,
           start < expected.size ? (const char *)expected.data + start : "the end",
           start < actual.size ? (const char *)actual.data + start : "the end");
}

/* ---- engines ---- */

struct place {
  struct fixture fixture;
  struct os_pool *pool;
  _Atomic bool stop;
  struct os_thread *thread;
};

static void place_open(struct place *place, unsigned threads) {
  struct err err;
  err_reset(&err);
  struct fixture *fixture = &place->fixture;
  *place = (struct place){0};
  snprintf(fixture->path, sizeof fixture->path, "/tmp/nilo-same-XXXXXX");
  assert_non_null(mkdtemp(fixture->path));
  if (os_real_create(&fixture->os, &err)) fixture_fail("os", &err);
  if (threads && os_pool_create(fixture->os, threads, &place->pool, &err))
    fixture_fail("pool", &err);
  mem_account_init(&fixture->account, "test", NULL, 0);
  struct table_engine_options options = {.pool = place->pool};
  store_options_default(&options.store);
  options.store.path = fixture->path;
  options.store.os = fixture->os;
  options.store.account = &fixture->account;
  options.store.sync = STORE_SYNC_OFF;
  if (table_engine_open(&options, &fixture->engine, &err)) fixture_fail("open", &err);
  if (ingest_cache_create(&fixture->account, &fixture->cache, &err)) fixture_fail("cache", &err);
}

static void place_close(struct place *place) {
  char command[128];
  fixture_close(&place->fixture);
  if (place->pool) os_pool_destroy(place->pool);
  os_destroy(place->fixture.os);
  mem_account_deinit(&place->fixture.account);
  snprintf(command, sizeof command, "rm -rf %s", place->fixture.path);
  assert_int_equal(system(command), 0);
}

/* All rows, backwards and a part after each `flush_every` writes (0: none), and the delete. */
static void fill_place(struct fixture *fixture, unsigned flush_every) {
  struct err err;
  struct buffer out;
  err_reset(&err);
  fixture_database(fixture, "d");
  for (unsigned i = 0; i < PIECES; i++) {
    write_piece(fixture, flush_every ? PIECES - 1 - i : i, PIECES, false);
    if (flush_every && i % flush_every == 0 &&
        store_flush(table_engine_shard(fixture->engine), 0, &err))
      fixture_fail("flush", &err);
  }
  buffer_init(&out, &fixture->account);
  char text[160];
  snprintf(text, sizeof text, "DELETE FROM m WHERE time >= %lld AND time < %lld",
           (long long)time_of(GONE_FIRST), (long long)time_of(GONE_END));
  ask(fixture, str_from(text), &out);
  assert_true(str_equal(buffer_str(&out), STR("done 0 \n")));
  buffer_deinit(&out);
}

/* Writes what is there already, flushes and merges until told to stop, at least once each. */
static void churn(void *context) {
  struct place *place = context;
  struct err err;
  err_reset(&err);
  for (unsigned i = 0; i < 8 || !atomic_load(&place->stop); i++) {
    write_piece(&place->fixture, i * 13 % 96, 96, true);
    struct store_shard *shard = table_engine_shard(place->fixture.engine);
    if (i % 2 && store_flush(shard, 0, &err)) fixture_fail("flush", &err);
    if (i % 8 == 7 && store_merge(shard, 0, &err)) fixture_fail("merge", &err);
  }
}

static void test_same_answers(void **state) {
  (void)state;
  struct place memory, alone, busy;
  struct buffer statement, expected, actual;
  struct mem_account account;
  struct err err;
  uint64_t random = seed;
  unsigned with_rows = 0;
  print_message("seed %llu\n", (unsigned long long)seed);
  err_reset(&err);
  place_open(&memory, 0);
  place_open(&alone, 0);
  place_open(&busy, 2);
  fill_place(&memory.fixture, 0);
  fill_place(&alone.fixture, 5);
  fill_place(&busy.fixture, 2);
  mem_account_init(&account, "answers", NULL, 0);
  buffer_init(&statement, &account);
  buffer_init(&expected, &account);
  buffer_init(&actual, &account);
  if (os_thread_create(busy.fixture.os, "churn", churn, &busy, &busy.thread, &err))
    fixture_fail("thread", &err);
  for (int i = 0; i < STATEMENTS; i++) {
    buffer_reset(&statement);
    append_statement(&statement, &random);
    struct str text = buffer_str(&statement);
    ask(&memory.fixture, text, &expected);
    with_rows += expected.size > 40;
    ask(&alone.fixture, text, &actual);
    compare(text, "parts, one thread", buffer_str(&expected), buffer_str(&actual));
    ask(&busy.fixture, text, &actual);
    compare(text, "changing parts, threads", buffer_str(&expected), buffer_str(&actual));
  }
  atomic_store(&busy.stop, true);
  os_thread_join(busy.thread);
  struct store_figures figures;
  store_shard_figures(table_engine_shard(busy.fixture.engine), &figures);
  assert_true(figures.flushes > 8 && figures.merges > 0); /* it did change meanwhile */
  assert_true(with_rows > STATEMENTS / 2);                /* the statements ask for something */
  buffer_deinit(&statement);
  buffer_deinit(&expected);
  buffer_deinit(&actual);
  mem_account_deinit(&account);
  place_close(&memory);
  place_close(&alone);
  place_close(&busy);
}

int main(void) {
  const struct CMUnitTest tests_of_answers[] = {cmocka_unit_test(test_same_answers)};
  return cmocka_run_group_tests(tests_of_answers, NULL, NULL);
}
