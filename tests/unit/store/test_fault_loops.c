/* One fault at every place: the n-th allocation is refused, or the n-th file call fails, of
 * opening, writing, flushing, merging, querying and linking a snapshot, for every n until the call
 * runs through without meeting the fault. Each time: a clean error or none, no row lost and none
 * too many, then the same call succeeds (without a restart, unless a refusal of memory has halted
 * the shard), memory is back at zero after closing, and a restart finds the same rows. */
#include "shard_fixture.h"
#include "store/transfer.h"

enum { ROWS = 40, FAULTS_MAX = 4000 };

enum operation { OPEN, WRITE, FLUSH, MERGE, QUERY, LINK, OPERATIONS };
static const char *const names[] = {"open", "write", "flush", "merge", "query", "link"};

enum fault { ALLOCATION, CALL };

struct trial {
  struct fixture fixture;
  enum store_form form;
  uint64_t fail_at, calls; /* file calls */
  int64_t rows;            /* acknowledged: keys 0 to rows - 1 of series 1 in store 1 */
  bool maybe;              /* a write had an error: one row more may come after a restart */
};

/* Every file call but the question whether a name is there, which has no way to fail. */
static enum os_sim_verdict watch(void *context, const struct os_sim_event *event, int *code) {
  struct trial *trial = context;
  *code = ERR_IO;
  if (strcmp(event->call, "exists") == 0) return OS_SIM_GO;
  return ++trial->calls == trial->fail_at ? OS_SIM_FAIL : OS_SIM_GO;
}

static void trial_put(struct trial *trial, uint32_t count) {
  put(&trial->fixture, 1, 1, trial->rows, trial->rows * 3, count);
  trial->rows += count;
}

/* A shard with parts on disk, rows in memory and rows in the log. */
static void trial_begin(struct trial *trial, enum store_form form, uint64_t seed) {
  memset(trial, 0, sizeof *trial);
  trial->form = form;
  fixture_init(&trial->fixture, seed);
  trial->fixture.options.form = form;
  trial->fixture.options.log_segment_bytes = 64 << 10;
  fixture_open(&trial->fixture);
  for (int i = 0; i < 3; i++) {
    trial_put(trial, ROWS);
    if (i < 2) flush(&trial->fixture, 0);
  }
}

static void trial_check(struct trial *trial) {
  struct row_list list = read_all(&trial->fixture, 1);
  int64_t count = (int64_t)list.count;
  if (count != trial->rows && !(trial->maybe && count == trial->rows + 1))
    fail_msg("%lld rows instead of %lld", (long long)count, (long long)trial->rows);
  for (int64_t i = 0; i < count; i++) {
    assert_int_equal(list.rows[i].key, i);
    /* rows of one put count up from the value of the first */
    assert_int_equal(list.rows[i].value, i < 3 * ROWS ? i / ROWS * ROWS * 3 + i % ROWS : i * 3);
  }
  free(list.rows);
  trial->rows = count;
  trial->maybe = false;
}

/* ---- the operations ---- */

static int query(struct trial *trial, struct err *err) {
  uint32_t column = VALUE_COLUMN;
  struct store_scan_spec spec = {.store = 1,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .columns = &column,
                                 .column_count = 1,
                                 .account = &trial->fixture.account};
  struct store_snapshot *snapshot;
  struct store_scan *scan = NULL;
  struct store_chunk chunk = {.rows = 1};
  int64_t rows = 0;
  int code = store_snapshot_acquire(trial->fixture.shard, &snapshot, err);
  if (code) return code;
  code = store_scan_open(snapshot, &spec, &scan, err);
  while (code == ERR_OK && chunk.rows) {
    code = store_scan_next(scan, &chunk, err);
    if (code == ERR_OK && chunk.rows) code = store_scan_load(scan, &chunk, true, UINT64_MAX, err);
    if (code == ERR_OK) rows += chunk.rows;
  }
  if (scan) store_scan_close(scan);
  store_snapshot_release(snapshot);
  if (code == ERR_OK) assert_int_equal(rows, trial->rows);
  return code;
}

static int link_snapshot(struct trial *trial, unsigned number, struct err *err) {
  char target[32];
  struct store_link_figures linked;
  struct store_link_options options = {0};
  struct store_snapshot *snapshot;
  snprintf(target, sizeof target, "/copy%u", number);
  int code = store_snapshot_acquire(trial->fixture.shard, &snapshot, err);
  if (code) return code;
  code = store_snapshot_link(trial->fixture.shard, snapshot, target, &options, &linked, err);
  store_snapshot_release(snapshot);
  return code;
}

static int operate(struct trial *trial, enum operation operation, unsigned number,
                   struct err *err) {
  struct fixture *fixture = &trial->fixture;
  switch (operation) {
  case OPEN:
    return store_shard_open(&fixture->options, &fixture->shard, err);
  case WRITE: {
    int code = try_put(fixture, 1, 1, trial->rows, trial->rows * 3, 1, NULL, err);
    trial->rows += code == ERR_OK;
    trial->maybe |= code != ERR_OK;
    return code;
  }
  case FLUSH:
    return store_flush(fixture->shard, 0, err);
  case MERGE:
    return store_merge(fixture->shard, 0, err);
  case QUERY:
    return query(trial, err);
  default:
    return link_snapshot(trial, number, err);
  }
}

/* ---- the loop ---- */

static bool is_clean(int code, enum fault fault) {
  if (fault == ALLOCATION) return code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT;
  return code == ERR_IO || code == ERR_DISK_FULL; /* no answer about free space counts as none */
}

/* Opens what was copied: the rows of the moment, and not one less. */
static void check_copy(struct trial *trial, const char *target) {
  struct fixture copy = trial->fixture;
  copy.options.path = target;
  copy.shard = NULL;
  fixture_open(&copy);
  assert_int_equal(count_rows(&copy, 1), trial->rows);
  fixture_close(&copy);
}

/* What the fault left: the call works now, everything is there, and again after a restart. */
static void go_on(struct trial *trial, enum operation operation, enum fault fault, uint64_t n) {
  struct fixture *fixture = &trial->fixture;
  struct err err;
  err_reset(&err);
  bool written = operation == WRITE;
  if (written && trial->maybe && fault == ALLOCATION) { /* it may have halted */
    fixture_reopen(fixture);
    trial_check(trial);
  }
  if (operation == OPEN && !fixture->shard) fixture_open(fixture);
  trial->maybe = false;
  if (operation != OPEN && operate(trial, operation, 2, &err)) {
    char text[1024];
    err_format(&err, text, sizeof text);
    fail_msg("%s after fault %llu: %s", names[operation], (unsigned long long)n, text);
  }
  trial_check(trial);
  if (operation == LINK) check_copy(trial, "/copy2");
  fixture_close(fixture);
  assert_int_equal(mem_account_used(&fixture->account), 0);
  fixture_open(fixture);
  trial_check(trial);
}

/* False when the operation ran through without meeting the fault. */
static bool fail_once(enum store_form form, enum operation operation, enum fault fault,
                      uint64_t n) {
  struct trial trial;
  struct err err;
  err_reset(&err);
  trial_begin(&trial, form, n);
  struct fixture *fixture = &trial.fixture;
  if (operation == OPEN) fixture_close(fixture);
  if (operation == MERGE) flush(fixture, 0);
  os_sim_watch(fixture->os, watch, &trial);
  trial.fail_at = fault == CALL ? n : 0;
  fixture->account.fail_countdown = fault == ALLOCATION ? (int64_t)n : 0;
  int code = operate(&trial, operation, 1, &err);
  bool met = fault == CALL ? trial.calls >= n : fixture->account.fail_countdown == 0;
  fixture->account.fail_countdown = 0;
  os_sim_watch(fixture->os, NULL, NULL);
  if (code && !(met && is_clean(code, fault))) {
    char text[1024];
    err_format(&err, text, sizeof text);
    fail_msg("%s, %s %llu: error %d: %s", names[operation],
             fault == CALL ? "file call" : "allocation", (unsigned long long)n, code, text);
  }
  go_on(&trial, operation, fault, n);
  fixture_deinit(fixture);
  return met;
}

static void run_loops(enum store_form form, enum fault fault) {
  for (int operation = 0; operation < OPERATIONS; operation++) {
    uint64_t n = 1;
    while (fail_once(form, (enum operation)operation, fault, n))
      assert_true(++n < FAULTS_MAX);
    assert_true(n > 1 || operation == QUERY); /* rows in memory may need no call */
    print_message("%s: %llu %s\n", names[operation], (unsigned long long)n - 1,
                  fault == CALL ? "file calls" : "allocations");
  }
}

static void test_every_allocation_of_a_shard_is_refused_once(void **state) {
  (void)state;
  run_loops(STORE_FORM_SHARD, ALLOCATION);
}

static void test_every_call_of_a_shard_fails_once(void **state) {
  (void)state;
  run_loops(STORE_FORM_SHARD, CALL);
}

static void test_every_allocation_of_a_store_alone_is_refused_once(void **state) {
  (void)state;
  run_loops(STORE_FORM_ALONE, ALLOCATION);
}

static void test_every_call_of_a_store_alone_fails_once(void **state) {
  (void)state;
  run_loops(STORE_FORM_ALONE, CALL);
}

/* ---- a refused commit ---- */

static enum os_sim_verdict fail_changes(void *context, const struct os_sim_event *event,
                                        int *code) {
  (void)context;
  *code = ERR_IO;
  return event->changes ? OS_SIM_FAIL : OS_SIM_GO;
}

/* The disk fails everything for a while, and what a failed write left may be the whole record. Once
 * the shard was closed in order, the commit that was refused does not come back. */
static void test_w6_a_refused_commit_stays_away(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    struct trial trial;
    struct err err;
    trial_begin(&trial, STORE_FORM_SHARD, seed);
    struct fixture *fixture = &trial.fixture;
    os_sim_watch(fixture->os, fail_changes, NULL);
    assert_int_not_equal(try_put(fixture, 1, 1, trial.rows, 0, 1, NULL, &err), ERR_OK);
    os_sim_watch(fixture->os, NULL, NULL);
    trial_check(&trial);
    fixture_reopen(fixture);
    trial_check(&trial);
    fixture_deinit(fixture);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_allocation_of_a_shard_is_refused_once),
      cmocka_unit_test(test_every_call_of_a_shard_fails_once),
      cmocka_unit_test(test_every_allocation_of_a_store_alone_is_refused_once),
      cmocka_unit_test(test_every_call_of_a_store_alone_fails_once),
      cmocka_unit_test(test_w6_a_refused_commit_stays_away),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
