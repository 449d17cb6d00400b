#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "wire/json.h"

static void check(struct buffer *out, const char *expected) {
  assert_int_equal(buffer_check(out, NULL), 0);
  buffer_append_byte(out, 0);
  assert_string_equal((char *)out->data, expected);
  buffer_reset(out);
}

static void test_strings(void **state) {
  static const struct {
    struct str text;
    const char *expected;
  } rows[] = {
      {{"", 0}, "\"\""},
      {{"abc \x7f", 5}, "\"abc \x7f\""},
      {{"\"\\/", 3}, "\"\\\"\\\\/\""},
      {{"\n\r\t\b\f\0\x1f", 7}, "\"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\""},
      {{"<a>&'", 5}, "\"\\u003ca\\u003e\\u0026'\""},
      {{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {{"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9}, "\"\\u2028\\u2029\xe2\x80\xaa\""},
      {{"a\xffz", 3}, "\"a\\ufffdz\""},
      {{"\xc3", 1}, "\"\\ufffd\""},
      {{"\xc3(", 2}, "\"\\ufffd(\""},
      {{"\xed\xa0\x80", 3}, "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
      {{"\xc0\x80", 2}, "\"\\ufffd\\ufffd\""},            /* not the shortest form */
      {{"\xf4\x90\x80\x80", 4}, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
  };
  struct buffer out;
  buffer_init(&out, *state);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    json_append_string(&out, rows[i].text);
    check(&out, rows[i].expected);
  }
  buffer_deinit(&out);
}

static void write_sample(struct json_writer *writer) {
  json_begin_object(writer);
  json_key(writer, STR("results"));
  json_begin_array(writer);
  json_begin_object(writer);
  json_key(writer, STR("id"));
  json_i64(writer, INT64_MIN);
  json_key(writer, STR("values"));
  json_begin_array(writer);
  json_u64(writer, UINT64_MAX);
  json_f64(writer, 0.1);
  json_f64(writer, 1e21);
  json_f64(writer, NAN);
  json_f64(writer, -INFINITY);
  json_bool(writer, true);
  json_null(writer);
  json_string(writer, STR("x"));
  json_end_array(writer);
  json_key(writer, STR("none"));
  json_begin_array(writer);
  json_end_array(writer);
  json_end_object(writer);
  json_begin_object(writer);
  json_end_object(writer);
  json_end_array(writer);
  json_end_object(writer);
}

static void test_writer(void **state) {
  struct buffer out;
  buffer_init(&out, *state);
  struct json_writer writer;
  json_writer_init(&writer, &out, false);
  write_sample(&writer);
  check(&out, "{\"results\":[{\"id\":-9223372036854775808,\"values\":[18446744073709551615,0.1,"
              "1e+21,null,null,true,null,\"x\"],\"none\":[]},{}]}");
  json_writer_init(&writer, &out, true);
  write_sample(&writer);
  check(&out, "{\n    \"results\": [\n        {\n            \"id\": -9223372036854775808,\n"
              "            \"values\": [\n                18446744073709551615,\n"
              "                0.1,\n                1e+21,\n                null,\n"
              "                null,\n                true,\n                null,\n"
              "                \"x\"\n            ],\n            \"none\": []\n        },\n"
              "        {}\n    ]\n}");
  buffer_deinit(&out);
}

/* Tokens as text: "{", "k:", "\"s\"", "1i", "1.5", … */
static int read_all(struct mem_account *account, struct str text, int depth, char *out, size_t room,
                    struct err *err) {
  struct arena arena;
  arena_init(&arena, account, 1024);
  struct json_reader reader;
  json_reader_init(&reader, text, &arena, depth);
  size_t size = 0;
  int code;
  out[0] = '\0';
  for (;;) {
    struct json_token token;
    code = json_reader_next(&reader, &token, err);
    if (code || token.kind == JSON_END) break;
    static const char *const marks[] = {"", "{", "}",    "[",     "]",   "",
                                        "", "",  "true", "false", "null"};
    const char *before = token.kind == JSON_STRING ? "'" : "";
    const char *after = token.kind == JSON_STRING ? "'"
                        : token.kind == JSON_KEY  ? ":"
                        : token.is_integer        ? "i"
                                                  : "";
    size += (size_t)snprintf(out + size, room - size, "%s%s%s%.*s%s", size ? " " : "",
                             marks[token.kind], before, STR_ARG(token.text), after);
  }
  arena_deinit(&arena);
  return code;
}

static void test_reader(void **state) {
  static const struct {
    const char *text, *expected;
  } rows[] = {
      {"", ""},
      {" \n\t\r ", ""},
      {"{}", "{ }"},
      {"[]", "[ ]"},
      {" [ 1 , -2.5e+3, 0, 0.0, 1E5 ] ", "[ 1i -2.5e+3 0i 0.0 1E5 ]"},
      {"{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}",
       "{ a: 1i b: [ true false null ] c: { d: 'e' } }"},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "'\"\\/\b\f\n\r\t'"},
      {"\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "'A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'"},
      {"\"\\ud800x\\udc00\\ud800\\u0041\"", "'\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd"
                                            "A'"},
      {"{\"\\u0061\":\"\xc3\xa9\"}", "{ a: '\xc3\xa9' }"},
      {"{\"a\":1}\n{\"a\":2}\n", "{ a: 1i } { a: 2i }"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char out[512];
    struct err err = {0};
    if (read_all(*state, str_from(rows[i].text), 0, out, sizeof out, &err)) {
      fail_msg("%s: %s at %d:%d", rows[i].text, err.message, err.line, err.column);
    }
    assert_string_equal(out, rows[i].expected);
  }
}

static void test_bad(void **state) {
  static const struct {
    const char *text, *says;
    int line, column;
  } rows[] = {
      {"{", "object is not closed", 1, 2},
      {"[1,", "array is not closed", 1, 4},
      {"[1", "array is not closed", 1, 3},
      {"[1,]", "value", 1, 4},
      {"[,1]", "value", 1, 2},
      {"[1 2]", "',' or ']'", 1, 4},
      {"{\"a\"}", "':'", 1, 5},
      {"{\"a\":}", "value", 1, 6},
      {"{\"a\":1,}", "key", 1, 8},
      {"{a:1}", "key", 1, 2},
      {"{\"a\":1 \"b\":2}", "',' or '}'", 1, 8},
      {"[1}", "',' or ']'", 1, 3},
      {"{\"a\":1]", "',' or '}'", 1, 7},
      {"]", "value", 1, 1},
      {"\n\n  nul", "value", 3, 3},
      {"01", "begins with 0", 1, 2},
      {"-", "digit", 1, 2},
      {"1.", "digit", 1, 3},
      {"1e", "digit", 1, 3},
      {"+1", "value", 1, 1},
      {".5", "value", 1, 1},
      {"NaN", "value", 1, 1},
      {"\"abc", "not closed", 1, 1},
      {"\"abc\\", "not closed", 1, 1},
      {"\"a\nb\"", "control byte", 1, 3},
      {"\"a\\x\"", "escape", 1, 3},
      {"\"\\u12g4\"", "escape", 1, 2},
      {"\"\\u12\"", "escape", 1, 2},
      {"\"\xff\"", "UTF-8", 1, 2},
      {"\"\xc3\"", "UTF-8", 1, 2},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char out[512];
    struct err err = {0};
    int code = read_all(*state, str_from(rows[i].text), 0, out, sizeof out, &err);
    if (code != ERR_PARSE || !strstr(err.message, rows[i].says) || err.line != rows[i].line ||
        err.column != rows[i].column) {
      fail_msg("%s: %d '%s' at %d:%d", rows[i].text, code, err.message, err.line, err.column);
    }
  }
}

static void test_depth(void **state) {
  char out[2048];
  char deep[256];
  memset(deep, '[', JSON_DEPTH_MAX);
  memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
  struct str text = {deep, 2 * JSON_DEPTH_MAX};
  assert_int_equal(read_all(*state, text, 0, out, sizeof out, NULL), 0);
  assert_int_equal(read_all(*state, text, 10, out, sizeof out, NULL), ERR_LIMIT_EXCEEDED);
  memset(deep, '[', sizeof deep);
  text.size = sizeof deep;
  assert_int_equal(read_all(*state, text, 0, out, sizeof out, NULL), ERR_LIMIT_EXCEEDED);
}

static void test_skip(void **state) {
  struct arena arena;
  arena_init(&arena, *state, 1024);
  struct json_reader reader;
  json_reader_init(&reader, STR("{\"a\":[1,{\"x\":[]}],\"b\":2,\"c\":{}}"), &arena, 0);
  struct json_token token;
  assert_int_equal(json_reader_next(&reader, &token, NULL), 0);
  char keys[8] = "";
  size_t count = 0;
  for (;;) {
    assert_int_equal(json_reader_next(&reader, &token, NULL), 0);
    if (token.kind == JSON_END_OBJECT) break;
    assert_int_equal(token.kind, JSON_KEY);
    keys[count++] = token.text.data[0];
    assert_int_equal(json_reader_skip(&reader, &token, NULL), 0);
  }
  assert_string_equal(keys, "abc");
  arena_deinit(&arena);
}

/* Any string, written and read back, is the same when it is valid UTF-8. */
static void test_round_trip(void **state) {
  uint64_t seed = 77;
  print_message("seed %llu\n", (unsigned long long)seed);
  static const char *const pieces[] = {
      "a", "\"", "\\", "\n", "\x01", "<", "\xc3\xa9", "\xe2\x80\xa8", "\xf0\x9f\x98\x80", "/"};
  for (int round = 0; round < 1000; round++) {
    char text[128];
    size_t size = 0;
    for (int i = 0; i < 20; i++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      struct str piece = str_from(pieces[(seed >> 33) % 10]);
      memcpy(text + size, piece.data, piece.size);
      size += piece.size;
    }
    struct buffer out;
    buffer_init(&out, *state);
    json_append_string(&out, (struct str){text, size});
    struct arena arena;
    arena_init(&arena, *state, 1024);
    struct json_reader reader;
    json_reader_init(&reader, buffer_str(&out), &arena, 0);
    struct json_token token;
    assert_int_equal(json_reader_next(&reader, &token, NULL), 0);
    assert_true(str_equal(token.text, (struct str){text, size}));
    arena_deinit(&arena);
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
      cmocka_unit_test(test_strings),    cmocka_unit_test(test_writer),
      cmocka_unit_test(test_reader),     cmocka_unit_test(test_bad),
      cmocka_unit_test(test_depth),      cmocka_unit_test(test_skip),
      cmocka_unit_test(test_round_trip),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
