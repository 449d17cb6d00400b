#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "wire/csv.h"

/* Rows as "a|b\n", faults as "!line:column text\n"; fed `step` bytes at a time. */
static void read_all(struct mem_account *account, struct str text, size_t step,
                     const struct csv_options *options, char *out, size_t room) {
  struct csv_reader reader;
  csv_reader_init(&reader, options, account);
  size_t written = 0;
  out[0] = '\0';
  size_t at = 0;
  bool finished = false;
  while (!finished) {
    size_t size = text.size - at < step ? text.size - at : step;
    finished = size == 0;
    if (finished)
      csv_reader_finish(&reader);
    else
      assert_int_equal(csv_reader_feed(&reader, (struct str){text.data + at, size}, NULL), 0);
    at += size;
    for (;;) {
      struct csv_row row;
      struct err err = {0};
      bool found;
      if (csv_reader_next(&reader, &row, &found, &err)) {
        written += (size_t)snprintf(out + written, room - written, "!%d:%d %s\n", err.line,
                                    err.column, err.message);
        continue;
      }
      if (!found) break;
      for (size_t i = 0; i < row.count; i++) {
        written += (size_t)snprintf(out + written, room - written, "%s%.*s", i ? "|" : "",
                                    STR_ARG(row.fields[i].text));
      }
      written += (size_t)snprintf(out + written, room - written, "\n");
    }
  }
  csv_reader_deinit(&reader);
}

static void test_rows(void **state) {
  static const struct {
    const char *name, *text, *expected;
  } rows[] = {
      {"nothing", "", ""},
      {"one field", "a", "a\n"},
      {"fields", "a,b,c\n1,2,3\n", "a|b|c\n1|2|3\n"},
      {"no line end at the end", "a,b\n1,2", "a|b\n1|2\n"},
      {"CR LF", "a,b\r\n1,2\r\n", "a|b\n1|2\n"},
      {"CR at the very end", "a,b\r", "a|b\n"},
      {"empty fields", ",\n,,\n", "|\n||\n"},
      {"empty lines", "\n\na\n\r\n\nb\n\n", "a\nb\n"},
      {"byte order mark",
       "\xef\xbb\xbf"
       "a,b\n",
       "a|b\n"},
      {"only a mark", "\xef\xbb\xbf", ""},
      {"mark in the middle",
       "a\n\xef\xbb\xbf"
       "b\n",
       "a\n\xef\xbb\xbf"
       "b\n"},
      {"quoted", "\"a,b\",\"c\"\n", "a,b|c\n"},
      {"doubled quotes", "\"a\"\"b\",\"\"\"\"\n", "a\"b|\"\n"},
      {"empty quoted", "\"\",x\n\"\"\n", "|x\n\n"},
      {"newlines inside", "\"a\r\nb\",c\nd\n", "a\r\nb|c\nd\n"},
      {"blanks stay", " a , b \n", " a | b \n"},
      {"quote in a plain field", "a,b\"c\nd,e\n",
       "!1:4 a quote inside a field that does not begin with one\nd|e\n"},
      {"text behind a quote", "x\n\"a\"b,c\nd\n",
       "x\n!2:4 text behind the closing quote of a field\nd\n"},
      {"unclosed quote", "a\n1,\"b\nc\n", "a\n!2:3 a quoted field is not closed\n"},
      {"lone CR", "a\rb\nc\n", "!1:2 a CR that no LF follows, outside quotes\nc\n"},
      {"position behind newlines", "\"a\nb\",c\nx\"\n",
       "a\nb|c\n!3:2 a quote inside a field that does not begin with one\n"},
      {"column inside a quoted newline", "\"a\nbc\"x\n",
       "!2:4 text behind the closing quote of a field\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    for (size_t step = 1; step < 5; step++) {
      char out[1024];
      read_all(*state, str_from(rows[i].text), step == 4 ? 4096 : step, NULL, out, sizeof out);
      if (strcmp(out, rows[i].expected) != 0) {
        fail_msg("%s, step %zu: got\n%s", rows[i].name, step, out);
      }
    }
  }
}

static void test_limits(void **state) {
  struct csv_options options = {.separator = ';', .fields_max = 3, .row_max = 20};
  char out[1024];
  read_all(*state, STR("a;b;c\n1;2;3;4\nx;\n0123456789012345678901234567890\ny\n"), 4096, &options,
           out, sizeof out);
  assert_string_equal(out, "a|b|c\n!2:7 too many fields in a row\nx|\n!4:1 a row is too long\ny\n");
  read_all(*state, STR("a\n\"01234567890123456789012345678901\n2345\n\"\nz\n"), 8, &options, out,
           sizeof out);
  assert_string_equal(out, "a\n!2:1 a row is too long\n");
}

static void test_positions(void **state) {
  struct csv_reader reader;
  csv_reader_init(&reader, NULL, *state);
  assert_int_equal(csv_reader_feed(&reader, STR("h\n\"x\ny\",\"\",b\n"), NULL), 0);
  struct csv_row row;
  bool found;
  assert_int_equal(csv_reader_next(&reader, &row, &found, NULL), 0);
  assert_int_equal(csv_row_find(&row, STR("h")), 0);
  assert_int_equal(csv_row_find(&row, STR("g")), -1);
  assert_int_equal(csv_reader_next(&reader, &row, &found, NULL), 0);
  assert_true(found);
  assert_int_equal(row.line, 2);
  assert_int_equal(row.count, 3);
  assert_true(row.fields[1].quoted);
  assert_int_equal(row.fields[1].line, 3);
  assert_int_equal(row.fields[1].column, 4);
  assert_int_equal(row.fields[2].column, 7);
  assert_false(row.fields[2].quoted);
  csv_reader_deinit(&reader);
}

/* What the writer writes, the reader reads back, whatever the bytes. */
static void test_round_trip(void **state) {
  uint64_t seed = 20240607;
  print_message("seed %llu\n", (unsigned long long)seed);
  static const char alphabet[] = "ab,\"\n\r; \t\xc3\xa9";
  for (int round = 0; round < 2000; round++) {
    char texts[5][12];
    size_t sizes[5];
    struct buffer out;
    buffer_init(&out, *state);
    for (int i = 0; i < 5; i++) {
      sizes[i] = 0;
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      size_t size = seed >> 60;
      if (size > sizeof texts[i]) size = sizeof texts[i];
      for (size_t j = 0; j < size; j++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        texts[i][sizes[i]++] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
      }
      csv_write_field(&out, (struct str){texts[i], sizes[i]}, i == 0);
    }
    csv_write_row_end(&out);
    struct csv_reader reader;
    csv_reader_init(&reader, NULL, *state);
    assert_int_equal(csv_reader_feed(&reader, buffer_str(&out), NULL), 0);
    csv_reader_finish(&reader);
    struct csv_row row;
    bool found;
    assert_int_equal(csv_reader_next(&reader, &row, &found, NULL), 0);
    assert_true(found);
    assert_int_equal(row.count, 5);
    for (int i = 0; i < 5; i++) {
      assert_true(str_equal(row.fields[i].text, (struct str){texts[i], sizes[i]}));
    }
    csv_reader_deinit(&reader);
    buffer_deinit(&out);
  }
}

static int set_up(void **state) {
  static struct mem_account account;
  mem_account_init(&account, "test", NULL, 0);
  *state = &account;
  return 0;
}
static int tear_down(void **state) {
  mem_account_deinit(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_positions),
      cmocka_unit_test(test_round_trip),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
