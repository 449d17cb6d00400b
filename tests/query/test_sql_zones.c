/* Daylight saving: for every zone whose clock was changed in the last twenty years, buckets by
 * hour, day, week, month and year cover all rows once.
 *
 * A row stands every half hour from 2006 to 2026. Of each width the counts must sum to all rows,
 * and every row must lie in its bucket: not before its start, and before the next one's. The zones
 * are those of the system's tz database; without it nothing is tested. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/time_zone.h"
#include "engine_fixture.h"
#include "os/zones.h"
#include "query/query.h"

enum { ZONES_MAX = 2000, ROW_SECONDS = 1800 };
#define FIRST INT64_C(1136073600) /* 2006-01-01T00:00:00Z */
#define LAST  INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

struct world {
  struct fixture fixture;
  char path[64];
  char *zones[ZONES_MAX];
  uint32_t zone_count;
};

/* The clock was changed in those years. */
static bool changes(const struct time_zone *zone) {
  struct time_zone_span span;
  time_zone_span(zone, FIRST, &span);
  return span.to < LAST;
}

static void find_zones(struct world *world, const char *folder) {
  char path[512];
  snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", folder);
  DIR *directory = opendir(path);
  struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    char name[300];
    struct stat facts;
    const struct time_zone *zone;
    if (entry->d_name[0] < 'A' || entry->d_name[0] > 'Z') continue; /* posix, right, tables */
    snprintf(name, sizeof name, "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    if (stat(path, &facts)) continue;
    if (S_ISDIR(facts.st_mode)) {
      find_zones(world, name);
    } else if (world->zone_count < ZONES_MAX &&
               !os_zones_find(table_engine_zones(world->fixture.engine), str_from(name), &zone,
                              NULL) &&
               changes(zone)) {
      world->zones[world->zone_count++] = strdup(name);
    }
  }
  if (directory) closedir(directory);
}

static void write_rows(struct world *world) {
  enum { LINES = 5000 };
  char *text = malloc(LINES * 40);
  assert_non_null(text);
  for (int64_t at = FIRST; at < LAST;) {
    size_t used = 0;
    for (int i = 0; i < LINES && at < LAST; i++, at += ROW_SECONDS)
      used +=
          (size_t)snprintf(text + used, LINES * 40 - used, "t v=1i %lld000000000\n", (long long)at);
    fixture_write(&world->fixture, "nilo", text);
  }
  free(text);
}

static int setup(void **state) {
  struct world *world = calloc(1, sizeof *world);
  struct err err = {.offset = -1};
  char path[] = "/tmp/nilo-zones-XXXXXX";
  assert_non_null(world);
  assert_non_null(mkdtemp(path));
  snprintf(world->fixture.path, sizeof world->fixture.path, "%s", path);
  snprintf(world->path, sizeof world->path, "%s", path);
  if (os_real_create(&world->fixture.os, &err)) fixture_fail("os", &err);
  mem_account_init(&world->fixture.account, "test", NULL, 0);
  fixture_open(&world->fixture);
  fixture_database(&world->fixture, "nilo");
  write_rows(world);
  find_zones(world, "");
  *state = world;
  return 0;
}

static int teardown(void **state) {
  struct world *world = *state;
  char command[128];
  for (uint32_t i = 0; i < world->zone_count; i++)
    free(world->zones[i]);
  fixture_end(&world->fixture);
  snprintf(command, sizeof command, "rm -rf %s", world->path);
  assert_int_equal(system(command), 0);
  free(world);
  return 0;
}

/* The one row of texts that a statement gives, joined by blanks; or its error. */
static void ask(struct world *world, const char *sql, char *answer, size_t size) {
  struct query_options options = {
      .language = QUERY_SQL, .text = str_from(sql), .form = QUERY_FORM_TEXT};
  struct query *query;
  struct query_event event;
  struct err err = {.offset = -1};
  size_t used = 0;
  answer[0] = 0;
  if (query_open(world->fixture.engine, &options, &query, &err)) {
    snprintf(answer, size, "%s", err.message);
    return;
  }
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    for (uint32_t i = 0; event.kind == QUERY_ROWS && i < event.batch.column_count; i++) {
      const struct column *column = &event.batch.columns[i];
      struct str text = column_is_valid(column, 0) ? column_str(column, 0) : STR("null");
      used += (size_t)snprintf(answer + used, size - used, "%s%.*s", i ? " " : "", STR_ARG(text));
    }
    if (event.kind == QUERY_DONE && event.error.code)
      snprintf(answer, size, "%s", event.error.message);
  } while (event.kind != QUERY_END);
  query_close(query);
}

static void check_zone(struct world *world, const char *zone, const char *width) {
  char sql[1024], answer[512], expected[64];
  snprintf(sql, sizeof sql,
           "SELECT sum(c), bool_and(least >= b), bool_and(next IS NULL OR most < next), "
           "count(*) = count(DISTINCT b) FROM (SELECT b, c, least, most, "
           "lead(b) OVER (ORDER BY b) AS next FROM (SELECT time_bucket('%s', time, '%s') AS b, "
           "count(*) AS c, min(time) AS least, max(time) AS most FROM t GROUP BY 1) x) y",
           width, zone);
  snprintf(expected, sizeof expected, "%lld t t t", (long long)((LAST - FIRST) / ROW_SECONDS));
  ask(world, sql, answer, sizeof answer);
  if (strcmp(answer, expected) != 0) fail_msg("%s in %s: %s", width, zone, answer);
}

static void check_all(struct world *world, const char *width) {
  for (uint32_t i = 0; i < world->zone_count; i++)
    check_zone(world, world->zones[i], width);
}

static void test_hours(void **state) { check_all(*state, "1 hour"); }
static void test_days(void **state) { check_all(*state, "1 day"); }
static void test_weeks(void **state) { check_all(*state, "1 week"); }
static void test_months(void **state) { check_all(*state, "1 month"); }
static void test_years(void **state) { check_all(*state, "1 year"); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hours),  cmocka_unit_test(test_days),  cmocka_unit_test(test_weeks),
      cmocka_unit_test(test_months), cmocka_unit_test(test_years),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
