/* Statements that parse are run: read-only ones, over a table of series, a table of rows and the
 * system's tables, with little memory and little time. Whatever comes is an answer or an error, and
 * what a query held is given back (its account asserts it). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/engine_fixture.h"
#include "ingest/ingest.h"
#include "query/query.h"
#include "table/read.h"

static struct fixture world;

static void run(struct str text, bool read_only, int64_t deadline_ns) {
  struct query_options options = {.language = QUERY_SQL,
                                  .text = text,
                                  .read_only = read_only,
                                  .form = QUERY_FORM_TEXT,
                                  .memory_bytes_max = INT64_C(16) << 20,
                                  .now_ns = INT64_C(1700000000000000000)};
  struct query *query;
  struct query_event event;
  if (deadline_ns) options.deadline_ns = os_monotonic_ns(world.os) + deadline_ns;
  if (query_open(world.engine, &options, &query, NULL)) return;
  int64_t rows = 0;
  do {
    if (query_next(query, &event, NULL)) break;
    if (event.kind == QUERY_ROWS) rows += event.batch.length;
  } while (event.kind != QUERY_END && rows < 100000);
  query_close(query);
}

static void remove_world(void) {
  char command[128];
  fixture_close(&world);
  os_destroy(world.os);
  snprintf(command, sizeof command, "rm -rf %s", world.path);
  if (system(command)) abort();
}

static void make_world(void) {
  char path[] = "/tmp/nilo-fuzz-sql-XXXXXX";
  if (!mkdtemp(path) || os_real_create(&world.os, NULL)) abort();
  snprintf(world.path, sizeof world.path, "%s", path);
  mem_account_init(&world.account, "fuzz", NULL, 0);
  fixture_open(&world);
  fixture_database(&world, "nilo");
  fixture_write(&world, "nilo",
                "cpu,host=a,region=eu usage=1.5,n=1i,up=true,note=\"x\" 1000000000\n"
                "cpu,host=b usage=-2,n=2i 2000000000\ncpu,host=a usage=3 61000000000\n");
  run(STR("CREATE TABLE t (id bigint PRIMARY KEY, name text, price numeric(10,2), day date);"
          "INSERT INTO t VALUES (1, 'a', 1.50, '2024-01-31'), (2, NULL, -3, NULL);"
          "CREATE VIEW v AS SELECT host, avg(usage) AS mean FROM cpu GROUP BY host"),
      false, 0);
  atexit(remove_world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!world.os) make_world();
  if (size > 4096) return 0;
  run(str_of(data, size), true, INT64_C(200000000));
  return 0;
}
