/* Imports of CSV: headers, inferred and given types, times, bad rows, files fed in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "table/write.h"

static char dump[1 << 16];
static const struct str tag_names[] = {{"host", 4}, {"rack", 4}};

static int begin(void **state) {
  static struct fixture fixture;
  fixture_begin(&fixture);
  *state = &fixture;
  return 0;
}

static int end(void **state) {
  fixture_end(*state);
  return 0;
}

struct outcome {
  int code; /* of the import */
  struct err error;
  struct fixture_answer last; /* of the last commit */
  uint64_t written, rejected;
  struct err first; /* rejected row */
};

/* One commit of up to `rows_max` rows; false: nothing was there. */
static bool commit_some(struct fixture *fixture, const char *database, struct ingest_csv *csv,
                        uint32_t rows_max, struct outcome *outcome) {
  struct table_write_options target = {.database = str_from(database)};
  struct table_write *write;
  struct table_piece *piece;
  uint32_t rows;
  if (table_write_begin(fixture->engine, &target, &write, &outcome->error) ||
      table_write_piece(write, 0, &piece, &outcome->error))
    fixture_fail("begin", &outcome->error);
  outcome->code = ingest_csv_rows(csv, piece, rows_max, &rows, &outcome->error);
  if (outcome->code || rows == 0) {
    table_write_abort(write);
    return false;
  }
  struct fixture_answer *answer = &outcome->last;
  *answer = (struct fixture_answer){.done = false};
  os_mutex_init(&answer->lock, fixture->os);
  os_cond_init(&answer->cond, fixture->os);
  table_write_commit(write, fixture_done, answer);
  os_cond_deinit(&answer->cond);
  os_mutex_deinit(&answer->lock);
  if (answer->error.code && answer->error.code != ERR_PARTIAL_WRITE)
    fixture_fail("commit", &answer->error);
  outcome->written += answer->result.rows_written;
  outcome->rejected += answer->result.rows_rejected;
  if (!outcome->first.code) outcome->first = answer->result.first;
  return true;
}

static void import(struct fixture *fixture, const char *database,
                   const struct ingest_csv_options *options, const char *text, size_t step,
                   struct outcome *outcome) {
  *outcome = (struct outcome){.code = ERR_OK};
  struct ingest_csv *csv;
  if (ingest_csv_create(options, &fixture->account, &csv, &outcome->error))
    fixture_fail("create", &outcome->error);
  size_t size = strlen(text);
  for (size_t at = 0; at <= size && !outcome->code; at += step) {
    size_t n = size - at < step ? size - at : step;
    outcome->code = ingest_csv_feed(csv, str_of(text + at, n), at + step > size, &outcome->error);
    while (!outcome->code && commit_some(fixture, database, csv, 3, outcome))
      ;
  }
  ingest_csv_destroy(csv);
}

static const struct {
  const char *name, *text;
  struct ingest_csv_options options;
  enum time_unit unit;
  const char *rows;
} good[] = {
    {"types are inferred",
     "time,host,i,f,b,s\n10,a,1,1.5,true,x\n20,b,2,2,FALSE,7\n",
     {.tags = tag_names, .tag_count = 1},
     TIME_NS,
     "host=a 10 i=1i f=1.5 b=true s=\"x\"\nhost=b 20 i=2i f=2 b=false s=\"7\"\n"},
    {"widened by a later row",
     "time,v,w\n1,1,1\n2,2.5,true\n",
     {.tags = NULL},
     TIME_NS,
     "1 v=1 w=\"1\"\n2 v=2.5 w=\"true\"\n"},
    {"absent values",
     "time,host,rack,v,w\n1,a,,1,\n2,,r,,2\n",
     {.tags = tag_names, .tag_count = 2},
     TIME_NS,
     "host=a 1 v=1i\nrack=r 2 w=2i\n"},
    {"quotes, commas, line ends",
     "time,s\r\n1,\"a,\"\"b\"\"\nc\"\r\n2,d",
     {.tags = NULL},
     TIME_NS,
     "1 s=\"a,\"b\"\nc\"\n2 s=\"d\"\n"},
    {"a row without values is no row",
     "time,v,w\n1,1,\n2,,\n3,,3\n",
     {.tags = NULL},
     TIME_NS,
     "1 v=1i\n3 w=3i\n"},
    {"another separator", "time;v\n1;2,5\n", {.delimiter = ';'}, TIME_NS, "1 v=\"2,5\"\n"},
    {"the first column is the time", "when,v\n1,2\n", {.tags = NULL}, TIME_NS, "1 v=2i\n"},
    {"a named time column", "v,when\n2,1\n", {.time_column = {"when", 4}}, TIME_NS, "1 v=2i\n"},
    {"dates and precision",
     "time,v\n1970-01-02,1\n1970-01-01T00:00:01.5Z,2\n",
     {.tags = NULL},
     TIME_NS,
     "1500000000 v=2i\n86400000000000 v=1i\n"},
    {"seconds", "time,v\n5,1\n", {.precision = TIME_S}, TIME_MS, "5000 v=1i\n"},
    {"years",
     "time,v\n622,1\n1970,2\n",
     {.time_is_year = true},
     TIME_S,
     "-42538780800 v=1i\n0 v=2i\n"},
    {"a byte order mark, blanks, empty lines",
     "\xef\xbb\xbftime , v\n\n 1 , 2 \n\n",
     {.tags = NULL},
     TIME_NS,
     "1 v=2i\n"},
};

static void test_good_files(void **state) {
  struct fixture *fixture = *state;
  static const size_t steps[] = {1, 7, 100000};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
      char database[32];
      struct err err;
      snprintf(database, sizeof database, "db%zu-%zu", i, s);
      if (table_create_database(fixture->engine, str_from(database), good[i].unit, &err))
        fixture_fail("database", &err);
      struct ingest_csv_options options = good[i].options;
      options.measurement = STR("m");
      struct outcome outcome;
      import(fixture, database, &options, good[i].text, steps[s], &outcome);
      fixture_dump(fixture, database, "m", dump, sizeof dump);
      if (outcome.code || outcome.rejected || strcmp(dump, good[i].rows))
        fail_msg("%s, in steps of %zu: code %d, %llu rejected (%s), rows\n%s", good[i].name,
                 steps[s], outcome.code, (unsigned long long)outcome.rejected,
                 outcome.first.message, dump);
    }
}

static const struct {
  const char *name, *text, *message;
  int line, column;
} bad_rows[] = {
    {"too few columns", "time,v\n1,1\n2\n3,3\n", "the row has 1 columns, the header 2", 3, 1},
    {"too many columns", "time,v\n1,1\n2,2,2\n3,3\n", "the row has 3 columns", 3, 1},
    {"a bad time", "time,v\n1,1\nnever,2\n3,3\n", "bad time \"never\"", 3, 1},
    {"a time out of range", "time,v\n1,1\n9999-01-01,2\n3,3\n", "cannot be kept in", 3, 1},
    {"invalid UTF-8", "time,v,s\n1,1,x\n2,2,\xff\n3,3,x\n", "not UTF-8", 3, 5},
    {"a tag named time", "when,v,time\n1,1,\n2,2,x\n3,3,\n", "tag named \"time\"", 3, 0},
};

static void test_bad_rows_keep_the_good_ones(void **state) {
  struct fixture *fixture = *state;
  static const struct str time_tag[] = {{"time", 4}};
  for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
    char database[32];
    snprintf(database, sizeof database, "bad%zu", i);
    fixture_database(fixture, database);
    struct ingest_csv_options options = {.measurement = STR("m")};
    if (strstr(bad_rows[i].text, "when")) {
      options.time_column = STR("when");
      options.tags = time_tag;
      options.tag_count = 1;
    }
    struct outcome outcome;
    import(fixture, database, &options, bad_rows[i].text, 100000, &outcome);
    if (outcome.code || outcome.written != 2 || outcome.rejected != 1 ||
        !strstr(outcome.first.message, bad_rows[i].message) ||
        outcome.first.line != bad_rows[i].line ||
        (bad_rows[i].column && outcome.first.column != bad_rows[i].column))
      fail_msg("%s: code %d, %llu written, %llu rejected, line %d, column %d: %s", bad_rows[i].name,
               outcome.code, (unsigned long long)outcome.written,
               (unsigned long long)outcome.rejected, outcome.first.line, outcome.first.column,
               outcome.first.message);
  }
}

static const struct {
  const char *name, *text, *message;
  struct ingest_csv_options options;
  int code;
} bad_files[] = {
    {"an empty file", "", "no header row", {.tags = NULL}, ERR_PARSE},
    {"a column without a name", "time,,v\n", "column 2 has no name", {.tags = NULL}, ERR_PARSE},
    {"a column twice", "time,v,v\n", "twice", {.tags = NULL}, ERR_PARSE},
    {"an unknown tag",
     "time,v\n",
     "no column \"host\"",
     {.tags = tag_names, .tag_count = 1},
     ERR_UNKNOWN_COLUMN},
    {"an unknown time column",
     "time,v\n",
     "no column \"when\"",
     {.time_column = {"when", 4}},
     ERR_UNKNOWN_COLUMN},
};

static void test_bad_files(void **state) {
  struct fixture *fixture = *state;
  fixture_database(fixture, "db");
  for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
    struct ingest_csv_options options = bad_files[i].options;
    options.measurement = STR("m");
    struct outcome outcome;
    import(fixture, "db", &options, bad_files[i].text, 100000, &outcome);
    if (outcome.code != bad_files[i].code || !strstr(outcome.error.message, bad_files[i].message))
      fail_msg("%s: code %d: %s", bad_files[i].name, outcome.code, outcome.error.message);
  }
}

/* A given type is not inferred, and what does not fit it is that row's error. */
static void test_given_types(void **state) {
  struct fixture *fixture = *state;
  fixture_database(fixture, "db");
  struct ingest_csv_field fields[] = {{STR("v"), TYPE_FLOAT64}, {STR("u"), TYPE_UINT64}};
  struct ingest_csv_options options = {.measurement = STR("m"), .fields = fields, .field_count = 2};
  struct outcome outcome;
  import(fixture, "db", &options, "time,v,u\n1,1,18446744073709551615\n2,x,1\n3,3,-1\n4,4,4\n", 5,
         &outcome);
  assert_int_equal(outcome.code, ERR_OK);
  assert_int_equal(outcome.rejected, 2);
  assert_non_null(strstr(outcome.first.message, "\"x\" in column \"v\" is not a float"));
  fixture_dump(fixture, "db", "m", dump, sizeof dump);
  assert_string_equal(dump, "1 v=1 u=18446744073709551615u\n4 v=4 u=4u\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_good_files, begin, end),
      cmocka_unit_test_setup_teardown(test_bad_rows_keep_the_good_ones, begin, end),
      cmocka_unit_test_setup_teardown(test_bad_files, begin, end),
      cmocka_unit_test_setup_teardown(test_given_types, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
