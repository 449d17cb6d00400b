/* What SQL defines and changes of tables, below the language: each is one durable commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine_fixture.h"
#include "table/change_rows.h"
#include "table/define.h"

static const struct catalog_definition series_definition = {
    .number = 1, .key_name = {"ts", 2}, .retention_ns = -1};
static const struct catalog_definition rows_definition = {.number = 1,
                                                          .kind = CATALOG_ROWS,
                                                          .key = CATALOG_KEY_INTEGER,
                                                          .key_type = {PHYSICAL_INT64, 0, 0},
                                                          .key_name = {"id", 2},
                                                          .retention_ns = -1};
static const struct table_column_spec series_columns[] = {{COLUMN_TAG, {"host", 4}, {5, 0, 0}},
                                                          {COLUMN_FIELD, {"f", 1}, {4, 0, 0}},
                                                          {COLUMN_FIELD, {"g", 1}, {2, 0, 0}}};
static const struct table_column_spec rows_columns[] = {{COLUMN_FIELD, {"a", 1}, {2, 0, 0}},
                                                        {COLUMN_FIELD, {"b", 1}, {5, 0, 0}}};

static void create_in(struct fixture *fixture, const char *schema, const char *name, bool rows,
                      const struct catalog_definition *definition) {
  struct err err = {.offset = -1};
  struct table_creation creation = {.database = STR("d"),
                                    .schema = str_from(schema),
                                    .name = str_from(name),
                                    .unit = TIME_NS,
                                    .definition = definition,
                                    .columns = rows ? rows_columns : series_columns,
                                    .column_count = rows ? 2 : 3};
  if (table_create(fixture->engine, &creation, &err)) fixture_fail(name, &err);
}

static void begin(struct fixture *fixture) {
  fixture_begin(fixture);
  fixture_database(fixture, "d");
}

static struct catalog_table *find(struct fixture *fixture, const char *schema, const char *name) {
  return catalog_table_find(table_engine_catalog(fixture->engine), STR("d"), str_from(schema),
                            str_from(name));
}

static void expect_dump(struct fixture *fixture, const char *name, const char *expected) {
  char text[4096];
  fixture_dump(fixture, "d", name, text, sizeof text);
  assert_string_equal(text, expected);
}

static void test_schemas_hold_tables_of_their_own(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err = {.offset = -1};
  begin(&fixture);
  assert_int_equal(table_create_schema(fixture.engine, STR("d"), STR("s"), 0, 0, &err), ERR_OK);
  assert_int_equal(table_create_schema(fixture.engine, STR("d"), STR("s"), 0, 0, &err),
                   ERR_ALREADY_EXISTS);
  create_in(&fixture, "s", "t", false, &series_definition);
  create_in(&fixture, "", "t", false, &series_definition);
  fixture_write(&fixture, "d", "t,host=x f=1 10\n");
  fixture_reopen(&fixture);
  struct catalog_table *a = find(&fixture, "", "t"), *b = find(&fixture, "s", "t");
  assert_true(a && b && a->id != b->id);
  catalog_table_release(a);
  catalog_table_release(b);
  expect_dump(&fixture, "t", "host=x 10 f=1\n");
  assert_int_equal(table_drop_schema(fixture.engine, STR("d"), STR("autogen"), &err),
                   ERR_INVALID_ARGUMENT);
  assert_int_equal(table_drop_schema(fixture.engine, STR("d"), STR("s"), &err), ERR_OK);
  fixture_reopen(&fixture);
  assert_null(find(&fixture, "s", "t"));
  expect_dump(&fixture, "t", "host=x 10 f=1\n");
  fixture_end(&fixture);
}

static void test_a_renamed_table_keeps_its_rows(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err = {.offset = -1};
  begin(&fixture);
  create_in(&fixture, "", "t", false, &series_definition);
  fixture_write(&fixture, "d", "t,host=x f=1 10\n");
  struct catalog_table *table = find(&fixture, "", "t");
  assert_int_equal(table_rename(fixture.engine, table, STR(""), STR("u"), &err), ERR_OK);
  assert_int_equal(table_rename(fixture.engine, table, STR(""), STR("w"), &err), ERR_UNKNOWN_TABLE);
  catalog_table_release(table);
  fixture_write(&fixture, "d", "u,host=x f=2 20\nt,host=x f=3 30\n");
  for (int again = 0; again < 2; again++) {
    expect_dump(&fixture, "u", "host=x 10 f=1\nhost=x 20 f=2\n");
    expect_dump(&fixture, "t", "host=x 30 f=3\n"); /* another table */
    fixture_reopen(&fixture);
  }
  fixture_end(&fixture);
}

static void test_columns_are_made_renamed_and_dropped(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err = {.offset = -1};
  begin(&fixture);
  create_in(&fixture, "", "t", false, &series_definition);
  fixture_write(&fixture, "d", "t,host=x f=1,g=7i 10\n");
  struct catalog_table *table = find(&fixture, "", "t");
  static const struct table_column_spec made[] = {{COLUMN_FIELD, {"h", 1}, {4, 0, 0}}};
  struct table_alteration alteration = {
      .table = table, .made = made, .made_count = 1, .next_id = 9};
  assert_int_equal(table_alter(fixture.engine, &alteration, &err), ERR_CONFLICT);
  alteration.next_id = table_next_column(table);
  assert_int_equal(table_alter(fixture.engine, &alteration, &err), ERR_OK);
  alteration.next_id = table_next_column(table);
  assert_int_equal(table_alter(fixture.engine, &alteration, &err), ERR_DUPLICATE_COLUMN);
  alteration =
      (struct table_alteration){.table = table,
                                .column = catalog_column_find(table, COLUMN_FIELD, STR("f")),
                                .column_name = STR("z")};
  assert_int_equal(table_alter(fixture.engine, &alteration, &err), ERR_OK);
  alteration = (struct table_alteration){
      .table = table, .column = catalog_column_find(table, COLUMN_FIELD, STR("g"))};
  assert_int_equal(table_alter(fixture.engine, &alteration, &err), ERR_OK);
  catalog_table_release(table);
  fixture_reopen(&fixture);
  expect_dump(&fixture, "t", "host=x 10 z=1\n");
  /* The name is free, and what was there before does not come back. */
  fixture_write(&fixture, "d", "t,host=x g=\"text\" 20\n");
  expect_dump(&fixture, "t", "host=x 10 z=1\nhost=x 20 g=\"text\"\n");
  fixture_end(&fixture);
}

static void test_tables_of_rows_refuse_lines(void **state) {
  (void)state;
  struct fixture fixture;
  begin(&fixture);
  create_in(&fixture, "", "r", true, &rows_definition);
  struct table_write_options options = {.database = STR("d")};
  struct table_write *write;
  struct table_piece *piece;
  struct table_rows *rows;
  struct err err = {.offset = -1};
  assert_int_equal(table_write_begin(fixture.engine, &options, &write, &err), ERR_OK);
  assert_int_equal(table_write_piece(write, 0, &piece, &err), ERR_OK);
  assert_int_equal(table_piece_rows(piece, STR("r"), &rows, &err), ERR_WRONG_OBJECT);
  assert_non_null(strstr(err.hint, "INSERT"));
  table_write_abort(write);
  fixture_end(&fixture);
}

/* A line that uses the key's name otherwise is refused, and costs no other. */
static void test_the_name_of_the_key_is_taken(void **state) {
  (void)state;
  struct fixture fixture;
  struct table_write_options options = {.database = STR("d")};
  struct table_write *write;
  struct table_piece *piece;
  struct err err = {.offset = -1};
  begin(&fixture);
  create_in(&fixture, "", "t", false, &series_definition);
  fixture_write(&fixture, "d", "t,host=a f=1 5\n");
  assert_int_equal(table_write_begin(fixture.engine, &options, &write, &err), ERR_OK);
  assert_int_equal(table_write_piece(write, 0, &piece, &err), ERR_OK);
  struct table_rows *rows;
  struct table_tag tag = {STR("ts"), STR("x")};
  uint64_t series;
  assert_int_equal(table_piece_rows(piece, STR("t"), &rows, &err), ERR_OK);
  assert_int_equal(table_rows_series(rows, &tag, 1, &series, &err), ERR_INVALID_ARGUMENT);
  table_write_abort(write);
  fixture_end(&fixture);
}

/* ---- rows ---- */

static int change(struct fixture *fixture, const char *name, struct table_row_change *rows,
                  struct err *err) {
  struct catalog_table *table = find(fixture, "", name);
  struct table_turn turn;
  err_reset(err);
  int code = table_turn_begin(&turn, fixture->engine, table, catalog_table_definition(table),
                              rows->removed.count || rows->range_count, err);
  if (!code) code = table_change_rows(&turn, rows, err);
  table_turn_end(&turn);
  catalog_table_release(table);
  return code;
}

/* host=x, host=y */
static const struct str sets[] = {{"\x01\x01x", 3}, {"\x01\x01y", 3}};

static void write_four(struct fixture *fixture) {
  struct err err;
  static const uint32_t set[] = {1, 0, 0, 0};
  static const int64_t keys[] = {10, 20, 10, 10}; /* the last two are one row */
  static const double f[] = {1, 2, 3, 4};
  static const int64_t g[] = {5, 6, 7, 0};
  static const uint64_t three = 7;
  struct store_column columns[] = {
      {2, {.type = TYPE_FLOAT64, .length = 4, .f64 = f}},
      {3, {.type = TYPE_INT64, .length = 4, .i64 = g, .validity = &three, .null_count = 1}}};
  struct table_row_change rows = {.sets = sets,
                                  .set_count = 2,
                                  .written = {4, set, keys},
                                  .columns = columns,
                                  .column_count = 2};
  if (change(fixture, "t", &rows, &err)) fixture_fail("change", &err);
}

static void test_rows_of_series(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err;
  begin(&fixture);
  create_in(&fixture, "", "t", false, &series_definition);
  write_four(&fixture);
  for (int again = 0; again < 2; again++) {
    expect_dump(&fixture, "t", "host=x 10 f=4 g=7i\nhost=x 20 f=2 g=6i\nhost=y 10 f=1 g=5i\n");
    fixture_reopen(&fixture);
  }
  /* One is removed, one replaced by a row without g; the third moves to another series. */
  static const uint32_t removed_sets[] = {0, 0, 1}, written_sets[] = {0, 0};
  static const int64_t removed[] = {20, 10, 10}, written[] = {10, 30};
  static const double f[] = {40, 1};
  struct store_column column = {2, {.type = TYPE_FLOAT64, .length = 2, .f64 = f}};
  struct table_row_change rows = {.sets = sets,
                                  .set_count = 2,
                                  .removed = {3, removed_sets, removed},
                                  .written = {2, written_sets, written},
                                  .columns = &column,
                                  .column_count = 1};
  assert_int_equal(change(&fixture, "t", &rows, &err), ERR_OK);
  for (int again = 0; again < 3; again++) {
    expect_dump(&fixture, "t", "host=x 10 f=40\nhost=x 30 f=1\n");
    if (again == 1) store_flush(table_engine_shard(fixture.engine), 0, &err);
    fixture_reopen(&fixture);
  }
  struct table_range range = {0, 0, 15};
  rows =
      (struct table_row_change){.sets = sets, .set_count = 2, .ranges = &range, .range_count = 1};
  assert_int_equal(change(&fixture, "t", &rows, &err), ERR_OK);
  expect_dump(&fixture, "t", "host=x 30 f=1\n");
  fixture_end(&fixture);
}

static void test_truncate_and_drop(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err = {.offset = -1};
  begin(&fixture);
  create_in(&fixture, "", "t", false, &series_definition);
  create_in(&fixture, "", "r", true, &rows_definition);
  write_four(&fixture);
  struct catalog_table *tables[] = {find(&fixture, "", "t"), find(&fixture, "", "r")};
  assert_int_equal(table_truncate(fixture.engine, tables, 2, &err), ERR_OK);
  expect_dump(&fixture, "t", "");
  write_four(&fixture);
  assert_int_equal(table_drop_all(fixture.engine, tables, 2, NULL, 0, &err), ERR_OK);
  assert_int_equal(table_drop_all(fixture.engine, tables, 2, NULL, 0, &err), ERR_OK);
  catalog_table_release(tables[0]);
  catalog_table_release(tables[1]);
  fixture_reopen(&fixture);
  assert_null(find(&fixture, "", "t"));
  assert_null(find(&fixture, "", "r"));
  fixture_end(&fixture);
}

static void test_duplicates_may_be_kept(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err = {.offset = -1};
  struct catalog_definition keep = series_definition;
  keep.duplicates = CATALOG_KEEP;
  begin(&fixture);
  create_in(&fixture, "", "t", false, &keep);
  fixture_write(&fixture, "d", "t,host=x f=1 10\nt,host=x f=2 10\n");
  fixture_write(&fixture, "d", "t,host=x f=3 10\n");
  for (int again = 0; again < 2; again++) {
    expect_dump(&fixture, "t", "host=x 10 f=1\nhost=x 10 f=2\nhost=x 10 f=3\n");
    fixture_reopen(&fixture);
  }
  static const uint32_t set[] = {0};
  static const int64_t key[] = {10};
  struct table_row_change rows = {.sets = sets, .set_count = 1, .removed = {1, set, key}};
  assert_int_equal(change(&fixture, "t", &rows, &err), ERR_UNSUPPORTED);
  fixture_end(&fixture);
}

static void test_expired_rows_are_refused(void **state) {
  (void)state;
  struct fixture fixture;
  struct err err = {.offset = -1};
  struct catalog_definition day = series_definition;
  day.retention_ns = NS_PER_DAY;
  day.retention_rule = 1;
  begin(&fixture);
  create_in(&fixture, "", "t", false, &day);
  static const int64_t key[] = {10};
  static const double f[] = {1};
  struct store_column column = {2, {.type = TYPE_FLOAT64, .length = 1, .f64 = f}};
  struct table_row_change rows = {.sets = sets,
                                  .set_count = 1,
                                  .written = {1, NULL, key},
                                  .columns = &column,
                                  .column_count = 1};
  assert_int_equal(change(&fixture, "t", &rows, &err), ERR_OUT_OF_RANGE);
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_schemas_hold_tables_of_their_own),
      cmocka_unit_test(test_a_renamed_table_keeps_its_rows),
      cmocka_unit_test(test_columns_are_made_renamed_and_dropped),
      cmocka_unit_test(test_tables_of_rows_refuse_lines),
      cmocka_unit_test(test_the_name_of_the_key_is_taken),
      cmocka_unit_test(test_rows_of_series),
      cmocka_unit_test(test_truncate_and_drop),
      cmocka_unit_test(test_duplicates_may_be_kept),
      cmocka_unit_test(test_expired_rows_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
