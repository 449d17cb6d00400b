/* sql: how long SQL statements are looked at before they run, for `make bench`.
 *
 *     sql --data DIR --db NAME [--runs N]      statements on standard input, one a line
 *
 * Prints one line of JSON for each: medians in µs of parsing, of binding (names and types to a
 * plan) and of the rewrite rules. Tables are found in the directory's catalog as the engine finds
 * them; nothing runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "catalog/catalog.h"
#include "catalog/definition.h"
#include "lang/sql/sql.h"
#include "os/os.h"
#include "os/pool.h"
#include "table/engine.h"

enum { RUNS_MAX = 1000, LINE_MAX_BYTES = 1 << 16, TABLES_MAX = 64 };

static struct mem_account account;
static struct table_engine *engine;
static struct arena arena; /* of a statement's run */
static struct catalog_table *held[TABLES_MAX];
static size_t held_count;
static const char *database;

static void fail(const char *what, const struct err *err) {
  fprintf(stderr, "sql: %s: %s\n", what, err->message);
  exit(1);
}

static void log_line(void *os, enum log_level level, const char *line, size_t size) {
  (void)os;
  (void)level;
  fwrite(line, 1, size, stderr);
}

static int64_t log_now(void *os) { return os_wall_ns(os); }

static struct sql_relation_column key_of(const struct catalog_table *table) {
  const struct catalog_definition *definition = catalog_table_definition(table);
  struct str name = catalog_key_name(definition);
  bool rows = catalog_definition_is_rows(definition);
  return (struct sql_relation_column){.name = name.size ? name : STR("key of rows"),
                                      .type = !rows       ? TYPE_TIMESTAMP(table->unit)
                                              : name.size ? definition->key_type
                                                          : TYPE_INT64,
                                      .source = SQL_SOURCE_KEY,
                                      .not_null = true,
                                      .hidden = !name.size};
}

/* Columns in no promised order but the key first: what the plan costs does not depend on it. */
static int find(void *user, const struct sql_name *name, const struct sql_relation **relation,
                struct err *err) {
  (void)user;
  struct catalog_table *table = catalog_table_find(table_engine_catalog(engine), str_from(database),
                                                   (struct str){0}, name->parts[name->count - 1]);
  if (!table || held_count == TABLES_MAX) return err_set(err, ERR_UNKNOWN_TABLE, "no such table");
  held[held_count++] = table;
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  struct sql_relation *made = ARENA_NEW(&arena, struct sql_relation);
  struct sql_relation_column *list = ARENA_ARRAY(&arena, struct sql_relation_column, count + 1);
  if (!made || !list) return mem_refused(&account, count * sizeof *list, err);
  list[0] = key_of(table);
  for (size_t i = 0; i < count; i++)
    list[i + 1] = (struct sql_relation_column){
        .name = columns[i]->name,
        .type = columns[i]->type,
        .source = columns[i]->kind == COLUMN_TAG ? SQL_SOURCE_TAG : SQL_SOURCE_FIELD,
        .id = columns[i]->id};
  *made = (struct sql_relation){.kind = SQL_RELATION_TABLE,
                                .database = table->database,
                                .schema = table->schema,
                                .name = table->name,
                                .columns = list,
                                .column_count = (uint32_t)count + 1,
                                .table = table,
                                .relational =
                                    catalog_definition_is_rows(catalog_table_definition(table))};
  *relation = made;
  return ERR_OK;
}

/* CPU time: the work is one thread's, and the machine may be shared. */
static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

enum { PARSE, BIND, OPTIMIZE, STAGES };
static void run(const char *text, int64_t took[STAGES]) {
  struct err err = {0};
  struct sql_text parsed;
  struct sql_selection selection;
  struct sql_context context = {.arena = &arena,
                                .account = &account,
                                .now_ns = (__int128)1451606400 * 1000000000,
                                .zones = table_engine_zones(engine),
                                .database = str_from(database),
                                .user = STR("bench"),
                                .find = find};
  int64_t at = now_ns(), before = at;
  if (sql_parse(str_from(text), &arena, &parsed, &err)) fail(text, &err);
  took[PARSE] = (at = now_ns()) - before;
  before = at;
  if (sql_bind_select(&context, parsed.statements[0].select, &selection, &err)) fail(text, &err);
  took[BIND] = (at = now_ns()) - before;
  before = at;
  if (!plan_optimize(&arena, selection.plan, &err)) fail(text, &err);
  took[OPTIMIZE] = now_ns() - before;
  arena_reset(&arena);
  while (held_count)
    catalog_table_release(held[--held_count]);
}

static int order(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void measure(const char *text, long runs) {
  static int64_t times[STAGES][RUNS_MAX];
  for (long i = 0; i < runs; i++) {
    int64_t took[STAGES];
    run(text, took);
    for (int s = 0; s < STAGES; s++)
      times[s][i] = took[s];
  }
  for (int s = 0; s < STAGES; s++)
    qsort(times[s], (size_t)runs, sizeof *times[s], order);
  printf("{\"parse_us\":%.1f,\"bind_us\":%.1f,\"optimize_us\":%.1f}\n",
         (double)times[PARSE][runs / 2] / 1e3, (double)times[BIND][runs / 2] / 1e3,
         (double)times[OPTIMIZE][runs / 2] / 1e3);
  fflush(stdout);
}

static const char *argument(int argc, char **argv, const char *name, const char *fallback) {
  for (int i = 1; i + 1 < argc; i++)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return fallback;
}

int main(int argc, char **argv) {
  static char line[LINE_MAX_BYTES];
  static struct logger logger;
  struct err err = {0};
  struct os *os;
  struct os_pool *pool;
  struct metrics *metrics;
  struct settings *settings;
  struct api *api;
  const char *data = argument(argc, argv, "--data", NULL);
  long runs = strtol(argument(argc, argv, "--runs", "101"), NULL, 10);
  database = argument(argc, argv, "--db", "bench");
  if (!data || runs < 1 || runs > RUNS_MAX) {
    fputs("sql --data DIR --db NAME [--runs 1..1000]\n", stderr);
    return 2;
  }
  mem_account_init(&account, "sql", NULL, 0);
  arena_init(&arena, &account, 65536);
  if (os_real_create(&os, &err)) fail("os", &err);
  if (os_pool_create(os, 0, &pool, &err)) fail("pool", &err);
  logger_init(&logger, LOG_LEVEL_WARN, log_line, log_now, os);
  if (settings_create(&account, api_setting_tables, api_setting_table_count, &settings, &err))
    fail("settings", &err);
  if (metrics_create(&account, &metrics, &err)) fail("metrics", &err);
  struct api_options options = {.path = data,
                                .os = os,
                                .pool = pool,
                                .account = &account,
                                .settings = settings,
                                .logger = &logger,
                                .metrics = metrics};
  if (api_open(&options, &api, &err)) fail(data, &err);
  engine = api_engine(api);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    measure(line, runs);
  }
  arena_deinit(&arena);
  api_close(api);
  os_pool_destroy(pool);
  return 0;
}
