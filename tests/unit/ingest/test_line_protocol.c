/* Line protocol into an engine: the grammar's good and bad forms, types, pieces, folding,
 * reopening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"

static char dump[1 << 16];

static int begin(void **state) {
  static struct fixture fixture;
  fixture_begin(&fixture);
  fixture_database(&fixture, "db");
  *state = &fixture;
  return 0;
}

static int end(void **state) {
  fixture_end(*state);
  return 0;
}

static const struct {
  const char *name, *line, *table, *rows;
} good[] = {
    {"one field", "m v=1 10", "m", "10 v=1\n"},
    {"every type", "m f=1.5,i=-2i,u=3u,b=t,s=\"x\" 10", "m",
     "10 f=1.5 i=-2i u=3u b=true s=\"x\"\n"},
    {"booleans", "m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE 1", "m",
     "1 a=true b=true c=true d=true e=true f=false g=false h=false i=false j=false\n"},
    {"exponents", "m a=1e3,b=-1.5E-2,c=.5,d=5.,e=1e+02 1", "m",
     "1 a=1000 b=-0.014999999999999999 c=0.5 d=5 e=100\n"},
    {"extremes", "m a=9223372036854775807i,b=-9223372036854775808i,c=18446744073709551615u 1", "m",
     "1 a=9223372036854775807i b=-9223372036854775808i c=18446744073709551615u\n"},
    {"tags", "m,b=2,a=1 v=1 10", "m", "a=1 b=2 10 v=1\n"},
    {"escaped names", "my\\ m\\,x,t\\ a\\=g=v\\,\\ 1 f\\ \\=1=2 10", "my m,x",
     "t a=g=v, 1 10 f =1=2\n"},
    {"escaped strings", "m s=\"a\\\"b\\\\c\\d\" 10", "m", "10 s=\"a\"b\\c\\d\"\n"},
    {"a newline in a string", "m s=\"a\nb\" 10", "m", "10 s=\"a\nb\"\n"},
    {"a comma and a blank in a string", "m s=\"a, b=c\",v=1 10", "m", "10 s=\"a, b=c\" v=1\n"},
    {"a hash in a string", "m s=\"#\" 10", "m", "10 s=\"#\"\n"},
    {"UTF-8", "météo,ville=Zürich température=\"21 °C\" 10", "météo",
     "ville=Zürich 10 température=\"21 °C\"\n"},
    {"CRLF", "m v=1 10\r\nm v=2 20\r\n", "m", "10 v=1\n20 v=2\n"},
    {"comments and blanks", "# c\n\n  \nm v=1 10\n   # d\n\t m v=2 20", "m", "10 v=1\n20 v=2\n"},
    {"no timestamp", "m v=1", "m", "1500000000000000000 v=1\n"},
    {"a negative timestamp", "m v=1 -5", "m", "-5 v=1\n"},
    {"several blanks", "m  v=1   10  ", "m", "10 v=1\n"},
    {"a field twice", "m v=1,v=2 10", "m", "10 v=2\n"},
    {"equal rows fold", "m v=1,w=1 10\nm v=2 10", "m", "10 v=2 w=1\n"},
    {"out of order", "m v=3 30\nm v=1 10\nm v=2 20", "m", "10 v=1\n20 v=2\n30 v=3\n"},
    {"quotes in tags are plain", "m,t=\"a\" v=1 10\nm,t=\"b v=2 20", "m",
     "t=\"a\" 10 v=1\nt=\"b 20 v=2\n"},
    {"a backslash is plain", "m,t=a\\b v=1 10", "m", "t=a\\b 10 v=1\n"},
};

static void test_good_lines(void **state) {
  struct fixture *fixture = *state;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    char database[32];
    snprintf(database, sizeof database, "good%zu", i);
    fixture_database(fixture, database);
    fixture_write(fixture, database, good[i].line);
    fixture_dump(fixture, database, good[i].table, dump, sizeof dump);
    if (strcmp(dump, good[i].rows)) fail_msg("%s: got %s", good[i].name, dump);
    /* Again: now the cache knows the lines, and the rows stay the same. */
    fixture_write(fixture, database, good[i].line);
    fixture_dump(fixture, database, good[i].table, dump, sizeof dump);
    if (strcmp(dump, good[i].rows)) fail_msg("%s, written again: got %s", good[i].name, dump);
  }
}

static const struct {
  const char *name, *line, *message;
  int column;
} bad[] = {
    {"no fields", "m", "missing fields", 2},
    {"no fields behind tags", "m,a=1 ", "missing fields", 7},
    {"no measurement", ",a=1 v=1", "missing measurement", 1},
    {"no tag key", "m,=1 v=1", "missing tag key", 3},
    {"no tag value", "m,a= v=1", "missing tag value", 5},
    {"no tag value at all", "m,a v=1", "missing tag value", 4},
    {"no field value", "m v=", "missing field value", 5},
    {"no field key", "m v=1,=2", "missing field key", 7},
    {"no equals sign", "m v", "invalid field format", 4},
    {"not a number", "m v=1.2.3", "invalid number", 5},
    {"not an integer", "m v=1.5i", "invalid number", 5},
    {"integer too large", "m v=9223372036854775808i", "value out of range", 5},
    {"negative unsigned", "m v=-1u", "invalid number", 5},
    {"float too large", "m v=1e400", "out of range", 5},
    {"NaN", "m v=NaN", "not allowed in line protocol", 5},
    {"infinity", "m v=-inf", "not allowed in line protocol", 5},
    {"not a boolean", "m v=tru", "invalid boolean", 5},
    {"open quote", "m s=\"abc", "unbalanced quotes", 5},
    {"text behind a string", "m s=\"a\"b", "invalid field format", 8},
    {"bad timestamp", "m v=1 12x", "bad timestamp", 7},
    {"timestamp too large", "m v=1 9223372036854775808", "time outside range", 7},
    {"two timestamps", "m v=1 1 2", "bad timestamp", 7},
    {"duplicate tag", "m,a=1,a=2 v=1", "duplicate tag", 0},
    {"a tag named time", "m,time=1 v=1", "time", 0},
    {"a field named time", "m time=1", "time", 0},
    {"invalid UTF-8", "m s=\"\xff\"", "invalid UTF-8", 5},
};

static void test_bad_lines_keep_the_good_ones(void **state) {
  struct fixture *fixture = *state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char database[32], body[256];
    snprintf(database, sizeof database, "bad%zu", i);
    fixture_database(fixture, database);
    snprintf(body, sizeof body, "ok v=1 10\n%s\nok v=2 20\n", bad[i].line);
    struct fixture_answer answer;
    fixture_write_pieces(fixture, database, body, 1, &answer);
    if (answer.error.code != ERR_PARTIAL_WRITE)
      fail_msg("%s: code %d", bad[i].name, answer.error.code);
    if (!strstr(answer.error.message, bad[i].message))
      fail_msg("%s: %s", bad[i].name, answer.error.message);
    if (answer.error.line != 2) fail_msg("%s: line %d", bad[i].name, answer.error.line);
    if (bad[i].column && answer.error.column != bad[i].column)
      fail_msg("%s: column %d", bad[i].name, answer.error.column);
    assert_int_equal(answer.result.rows_rejected, 1);
    assert_int_equal(answer.result.rows_written, 2);
    assert_string_equal(fixture_dump(fixture, database, "ok", dump, sizeof dump),
                        "10 v=1\n20 v=2\n");
  }
}

static void test_type_conflicts(void **state) {
  struct fixture *fixture = *state;
  struct fixture_answer answer;
  fixture_write_pieces(fixture, "db", "m v=1i 1\nm v=2.5 2\nm v=3i 3\nm v=\"x\" 4", 1, &answer);
  assert_int_equal(answer.error.code, ERR_PARTIAL_WRITE);
  assert_int_equal(answer.result.rows_rejected, 2);
  assert_int_equal(answer.error.line, 2);
  assert_string_equal(answer.error.message, "field type conflict: input field \"v\" on measurement "
                                            "\"m\" is type float, already exists as "
                                            "type integer");
  /* The field is known now: the same from the catalog. */
  fixture_write_pieces(fixture, "db", "m v=2.5 5\nm v=6i 6", 1, &answer);
  assert_int_equal(answer.result.rows_rejected, 1);
  assert_string_equal(fixture_dump(fixture, "db", "m", dump, sizeof dump),
                      "1 v=1i\n3 v=3i\n6 v=6i\n");
}

/* The first line that uses a field fixes its type, however the body is cut. */
static void test_pieces_do_not_matter(void **state) {
  struct fixture *fixture = *state;
  const char *body = "a,t=1 v=1i 1\nb v=1.5 1\na,t=2 v=2.5,w=\"x\" 2\na,t=1 v=4i,n=1i 4\nb v=7i 7\n"
                     "a,t=2 v=5i 5\nb v=2.5 2\na,t=1 v=9i 4\nb v=3.5,k=t 3\na,t=3 n=1.5,v=1i 1\n";
  for (uint32_t pieces = 1; pieces <= 10; pieces++) {
    char database[32];
    snprintf(database, sizeof database, "cut%u", pieces);
    fixture_database(fixture, database);
    struct fixture_answer answer;
    fixture_write_pieces(fixture, database, body, pieces, &answer);
    assert_int_equal(answer.result.rows_rejected, 3);
    assert_int_equal(answer.error.line, 3);
    assert_string_equal(fixture_dump(fixture, database, "a", dump, sizeof dump),
                        "t=1 1 v=1i\nt=1 4 v=9i n=1i\nt=2 5 v=5i\n");
    assert_string_equal(fixture_dump(fixture, database, "b", dump, sizeof dump),
                        "1 v=1.5\n2 v=2.5\n3 v=3.5 k=true\n");
  }
}

static void test_many_series_survive_reopening(void **state) {
  struct fixture *fixture = *state;
  static char body[1 << 20];
  size_t used = 0;
  for (int i = 0; i < 5000; i++)
    used += (size_t)snprintf(body + used, sizeof body - used, "m,host=h%d,rack=r%d v=%di %d\n",
                             i * 7 % 5000, i % 17, i, i + 1);
  fixture_write(fixture, "db", body);
  for (int round = 0; round < 4; round++) {
    struct table_snapshot *snapshot;
    struct err err;
    err_reset(&err);
    struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine),
                                                     STR("db"), (struct str){0}, STR("m"));
    assert_non_null(table);
    assert_int_equal(table_snapshot_acquire(fixture->engine, &snapshot, &err), ERR_OK);
    uint64_t count;
    assert_int_equal(table_series_cardinality(snapshot, table, &count, &err), ERR_OK);
    assert_int_equal(count, 5000);
    struct arena arena;
    arena_init(&arena, &fixture->account, 4096);
    uint32_t host = catalog_column_find(table, COLUMN_TAG, STR("host"))->id;
    struct series_filter filter = {
        .kind = SERIES_FILTER_EQUAL, .column_id = host, .value = STR("h4242")};
    struct table_series series;
    assert_int_equal(
        table_select_series(snapshot, table, &filter, INT64_MIN, INT64_MAX, &arena, &series, &err),
        ERR_OK);
    assert_int_equal(series.count, 1);
    struct column column;
    assert_int_equal(
        table_series_tags(snapshot, table, &series, &host, 1, &arena, &column, NULL, &err), ERR_OK);
    assert_true(str_equal(column_str(column.dictionary, column.i32[0]), STR("h4242")));
    arena_deinit(&arena);
    table_snapshot_release(snapshot);
    catalog_table_release(table);
    fixture_write(fixture, "db", body); /* known series, found again wherever they are */
    if (round == 1)
      assert_int_equal(store_flush(table_engine_shard(fixture->engine), 0, &err), ERR_OK);
    if (round == 2)
      assert_int_equal(store_merge(table_engine_shard(fixture->engine), 0, &err), ERR_OK);
    fixture_reopen(fixture);
  }
}

static void test_drop_and_write_again(void **state) {
  struct fixture *fixture = *state;
  struct err err;
  err_reset(&err);
  fixture_write(fixture, "db", "m,t=1 v=1i 1");
  assert_int_equal(table_drop(fixture->engine, STR("db"), (struct str){0}, STR("m"), &err), ERR_OK);
  assert_string_equal(fixture_dump(fixture, "db", "m", dump, sizeof dump), "");
  fixture_write(fixture, "db", "m,t=1 v=\"now a string\" 2");
  assert_string_equal(fixture_dump(fixture, "db", "m", dump, sizeof dump),
                      "t=1 2 v=\"now a string\"\n");
  fixture_reopen(fixture);
  assert_string_equal(fixture_dump(fixture, "db", "m", dump, sizeof dump),
                      "t=1 2 v=\"now a string\"\n");
  assert_int_equal(table_drop_database(fixture->engine, STR("db"), &err), ERR_OK);
  assert_int_equal(
      catalog_database_find(table_engine_catalog(fixture->engine), STR("db"), NULL, &err),
      ERR_UNKNOWN_DATABASE);
  fixture_reopen(fixture);
  assert_int_equal(
      catalog_database_find(table_engine_catalog(fixture->engine), STR("db"), NULL, &err),
      ERR_UNKNOWN_DATABASE);
}

static void test_delete(void **state) {
  struct fixture *fixture = *state;
  struct err err;
  err_reset(&err);
  fixture_write(fixture, "db", "m,t=1 v=1i 1\nm,t=1 v=2i 2\nm,t=2 v=1i 1\nm,t=2 v=2i 2");
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture->engine), STR("db"),
                                                   (struct str){0}, STR("m"));
  uint32_t t = catalog_column_find(table, COLUMN_TAG, STR("t"))->id;
  struct series_filter filter = {.kind = SERIES_FILTER_EQUAL, .column_id = t, .value = STR("2")};
  assert_int_equal(table_delete(fixture->engine, table, &filter, 2, INT64_MAX, &err), ERR_OK);
  assert_string_equal(fixture_dump(fixture, "db", "m", dump, sizeof dump),
                      "t=1 1 v=1i\nt=1 2 v=2i\nt=2 1 v=1i\n");
  catalog_table_release(table);
  fixture_write(fixture, "db", "m,t=2 v=3i 3");
  fixture_reopen(fixture);
  assert_int_equal(store_flush(table_engine_shard(fixture->engine), 0, &err), ERR_OK);
  assert_string_equal(fixture_dump(fixture, "db", "m", dump, sizeof dump),
                      "t=1 1 v=1i\nt=1 2 v=2i\nt=2 1 v=1i\nt=2 3 v=3i\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_good_lines, begin, end),
      cmocka_unit_test_setup_teardown(test_bad_lines_keep_the_good_ones, begin, end),
      cmocka_unit_test_setup_teardown(test_type_conflicts, begin, end),
      cmocka_unit_test_setup_teardown(test_pieces_do_not_matter, begin, end),
      cmocka_unit_test_setup_teardown(test_many_series_survive_reopening, begin, end),
      cmocka_unit_test_setup_teardown(test_drop_and_write_again, begin, end),
      cmocka_unit_test_setup_teardown(test_delete, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
