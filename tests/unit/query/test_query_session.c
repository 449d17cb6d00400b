/* Sessions: settings, where names are looked up, prepared statements; and statements that ask them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "query/query.h"
#include "query/query_session.h"

struct world {
  struct fixture fixture;
  struct query_session *session;
};

static int setup(void **state) {
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  fixture_begin(&world->fixture);
  fixture_database(&world->fixture, "nilo");
  fixture_database(&world->fixture, "other");
  struct query_session_options options = {.user = STR("ada")};
  assert_int_equal(query_session_create(world->fixture.engine, &world->fixture.account, &options,
                                        &world->session, NULL),
                   ERR_OK);
  *state = world;
  return 0;
}

static int teardown(void **state) {
  struct world *world = *state;
  query_session_destroy(world->session);
  fixture_end(&world->fixture); /* asserts that nothing is held */
  free(world);
  return 0;
}

static const char *get(struct world *world, const char *name) {
  static char text[256];
  struct str value;
  if (query_session_get(world->session, str_from(name), &value, NULL, NULL, NULL)) return "none";
  snprintf(text, sizeof text, "%.*s", STR_ARG(value));
  return text;
}

static int set(struct world *world, const char *name, const char *value) {
  struct str text = value ? str_from(value) : (struct str){0};
  return query_session_set(world->session, str_from(name), value ? &text : NULL, NULL);
}

static struct str text_at(const struct column *column, int64_t row) {
  return column->dictionary ? column_str(column->dictionary, column->i32[row])
                            : column_str(column, row);
}

/* The code of the first statement that fails; the single text that came, if one did. */
static int run(struct world *world, const char *sql, char *text, size_t size) {
  struct query_options options = {.language = QUERY_SQL,
                                  .text = str_from(sql),
                                  .session = world->session,
                                  .form = QUERY_FORM_TEXT};
  struct query *query;
  struct query_event event;
  struct err err = {.offset = -1};
  int failed = query_open(world->fixture.engine, &options, &query, &err);
  if (failed) return failed;
  if (size) text[0] = 0;
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    if (event.kind == QUERY_ROWS && size)
      snprintf(text, size, "%.*s", STR_ARG(text_at(&event.batch.columns[0], 0)));
    if (event.kind == QUERY_DONE && event.error.code && !failed) failed = event.error.code;
  } while (event.kind != QUERY_END);
  query_close(query);
  return failed;
}

static void test_settings_have_names_of_any_case(void **state) {
  struct world *world = *state;
  assert_string_equal(get(world, "TimeZone"), "UTC");
  assert_int_equal(set(world, "timezone", "UTC"), ERR_OK);
  assert_int_equal(set(world, "APPLICATION_NAME", "probe"), ERR_OK);
  assert_string_equal(get(world, "application_name"), "probe");
  assert_int_equal(set(world, "application_name", NULL), ERR_OK);
  assert_string_equal(get(world, "application_name"), "");
  assert_int_equal(set(world, "nosuch", "1"), ERR_NOT_FOUND);
  assert_int_equal(set(world, "my.own", "1"), ERR_OK);
  assert_string_equal(get(world, "my.own"), "1");
}

static void test_values_are_checked(void **state) {
  struct world *world = *state;
  assert_int_equal(set(world, "TimeZone", "Mars/Olympus"), ERR_INVALID_ARGUMENT);
  assert_string_equal(get(world, "TimeZone"), "UTC");
  assert_int_equal(set(world, "client_encoding", "latin1"), ERR_INVALID_ARGUMENT);
  assert_int_equal(set(world, "client_encoding", "utf-8"), ERR_OK);
  assert_int_equal(set(world, "server_version", "9"), ERR_INVALID_ARGUMENT);
  assert_int_equal(set(world, "standard_conforming_strings", "on"), ERR_OK);
  assert_int_equal(set(world, "transaction_read_only", "maybe"), ERR_INVALID_ARGUMENT);
  assert_int_equal(set(world, "statement_timeout", "250"), ERR_OK);
  assert_int_equal(query_session_timeout(world->session), 250 * NS_PER_MS);
  assert_int_equal(set(world, "statement_timeout", "2min"), ERR_OK);
  assert_int_equal(query_session_timeout(world->session), 120 * NS_PER_SECOND);
  assert_int_equal(set(world, "statement_timeout", "-1"), ERR_INVALID_ARGUMENT);
  assert_int_equal(query_session_timeout(world->session), 120 * NS_PER_SECOND);
}

static void test_search_path_gives_the_schema(void **state) {
  struct world *world = *state;
  assert_int_equal(query_session_schema(world->session).size, 0);
  assert_int_equal(set(world, "search_path", "\"$user\", \"week\", public"), ERR_OK);
  assert_true(str_equal(query_session_schema(world->session), STR("week")));
  assert_int_equal(set(world, "search_path", NULL), ERR_OK);
  assert_int_equal(query_session_schema(world->session).size, 0);
}

static void test_use_goes_to_another_database(void **state) {
  struct world *world = *state;
  assert_int_equal(run(world, "USE other", NULL, 0), ERR_OK);
  assert_true(str_equal(query_session_database(world->session), STR("other")));
  assert_int_equal(run(world, "USE nosuch", NULL, 0), ERR_UNKNOWN_DATABASE);
  assert_true(str_equal(query_session_database(world->session), STR("other")));
}

static void test_prepared_statements_are_kept_by_name(void **state) {
  struct world *world = *state;
  char text[64];
  assert_int_equal(run(world, "PREPARE p (text) AS SELECT $1", NULL, 0), ERR_OK);
  assert_int_equal(run(world, "PREPARE p AS SELECT 'again'", NULL, 0), ERR_DUPLICATE_PREPARED);
  assert_int_equal(run(world, "EXECUTE p ('given')", text, sizeof text), ERR_OK);
  assert_string_equal(text, "given");
  assert_int_equal(run(world, "EXECUTE p", NULL, 0), ERR_PARSE);
  assert_int_equal(query_session_prepared_count(world->session), 1);
  assert_int_equal(run(world, "SELECT name FROM pg_prepared_statements", text, sizeof text),
                   ERR_OK);
  assert_string_equal(text, "p");
  assert_int_equal(run(world, "DEALLOCATE p", NULL, 0), ERR_OK);
  assert_int_equal(run(world, "EXECUTE p ('x')", NULL, 0), ERR_UNKNOWN_PREPARED);
}

static void test_statements_set_and_show(void **state) {
  struct world *world = *state;
  char text[64];
  assert_int_equal(
      run(world, "SET application_name = 'probe'; SHOW application_name", text, sizeof text),
      ERR_OK);
  assert_string_equal(text, "probe");
  assert_int_equal(run(world, "RESET ALL", NULL, 0), ERR_OK);
  assert_string_equal(get(world, "application_name"), "");
  assert_int_equal(run(world, "SHOW nosuch", NULL, 0), ERR_NOT_FOUND);
  assert_int_equal(run(world, "DISCARD ALL", NULL, 0), ERR_OK);
}

static void test_a_timeout_is_of_the_statements_behind_it(void **state) {
  struct world *world = *state;
  assert_int_equal(run(world,
                       "SET statement_timeout = 1; WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL "
                       "SELECT n FROM t) SELECT count(*) FROM t",
                       NULL, 0),
                   ERR_DEADLINE);
  assert_int_equal(run(world, "SET statement_timeout = 0; SELECT 'in time'", NULL, 0), ERR_OK);
}

static void test_read_only_sessions_refuse_changes(void **state) {
  struct world *world = *state;
  assert_int_equal(run(world, "SET default_transaction_read_only = on", NULL, 0), ERR_OK);
  assert_int_equal(run(world, "CREATE TABLE t (a integer)", NULL, 0), ERR_READ_ONLY);
  assert_int_equal(run(world, "SELECT 'reading goes on'", NULL, 0), ERR_OK);
  assert_int_equal(run(world, "SET default_transaction_read_only = off", NULL, 0), ERR_OK);
}

static void test_parameters_are_read_from_json(void **state) {
  struct world *world = *state;
  struct query *query;
  struct query_event event;
  struct query_options options = {.language = QUERY_SQL,
                                  .text = STR("SELECT $1"),
                                  .parameters = STR("[\"a\", 1, true, null, 1.5]"),
                                  .session = world->session,
                                  .form = QUERY_FORM_TEXT};
  struct err err = {.offset = -1};
  assert_int_equal(query_open(world->fixture.engine, &options, &query, &err), ERR_OK);
  do {
    assert_int_equal(query_next(query, &event, &err), ERR_OK);
    if (event.kind == QUERY_ROWS)
      assert_true(str_equal(text_at(&event.batch.columns[0], 0), STR("a")));
    if (event.kind == QUERY_DONE) assert_int_equal(event.error.code, ERR_OK);
  } while (event.kind != QUERY_END);
  query_close(query);
  const char *const bad[] = {"{}", "[[1]]", "[1", "[1] 2", "1", "[1e999]"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    options.parameters = str_from(bad[i]);
    assert_int_not_equal(query_open(world->fixture.engine, &options, &query, &err), ERR_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_settings_have_names_of_any_case, setup, teardown),
      cmocka_unit_test_setup_teardown(test_values_are_checked, setup, teardown),
      cmocka_unit_test_setup_teardown(test_search_path_gives_the_schema, setup, teardown),
      cmocka_unit_test_setup_teardown(test_use_goes_to_another_database, setup, teardown),
      cmocka_unit_test_setup_teardown(test_prepared_statements_are_kept_by_name, setup, teardown),
      cmocka_unit_test_setup_teardown(test_statements_set_and_show, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_timeout_is_of_the_statements_behind_it, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_read_only_sessions_refuse_changes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_parameters_are_read_from_json, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
