#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "wire/url.h"

static void test_decode(void **state) {
  static const struct {
    const char *name, *text;
    bool plus;
    const char *expected; /* NULL: refused */
    int64_t offset;
  } rows[] = {
      {"nothing", "", true, "", 0},
      {"plain", "abc-._~", true, "abc-._~", 0},
      {"escapes", "%41%2f%2F%00x", true, "A//", 0}, /* compared up to the zero */
      {"plus", "a+b", true, "a b", 0},
      {"plus in a path", "a+b", false, "a+b", 0},
      {"coded plus", "a%2Bb", true, "a+b", 0},
      {"UTF-8", "%c3%a9", true, "\xc3\xa9", 0},
      {"cut behind percent", "ab%", true, NULL, 2},
      {"cut behind one digit", "ab%4", true, NULL, 2},
      {"not hexadecimal", "%4g", true, NULL, 0},
      {"sign", "%+1", true, NULL, 0},
  };
  struct arena arena;
  arena_init(&arena, *state, 1024);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct str out;
    struct err err = {0};
    int code = url_decode(str_from(rows[i].text), rows[i].plus, &arena, &out, &err);
    if (!rows[i].expected) {
      if (code != ERR_PARSE) fail_msg("%s: accepted", rows[i].name);
      assert_int_equal(err.offset, rows[i].offset);
      continue;
    }
    if (code) fail_msg("%s: %s", rows[i].name, err.message);
    assert_true(out.size >= strlen(rows[i].expected));
    assert_memory_equal(out.data, rows[i].expected, strlen(rows[i].expected));
  }
  arena_deinit(&arena);
}

static void test_pairs(void **state) {
  struct arena arena;
  arena_init(&arena, *state, 1024);
  struct url_pairs pairs = {0};
  assert_int_equal(url_pairs_parse(&pairs, STR("db=a%26b&&q=x+y=z&flag&empty="), &arena, NULL), 0);
  assert_int_equal(url_pairs_parse(&pairs, STR("db=second&late=1"), &arena, NULL), 0);
  assert_int_equal(pairs.count, 6);
  assert_true(str_equal(url_pairs_find(&pairs, STR("db")), STR("a&b")));
  assert_true(str_equal(url_pairs_find(&pairs, STR("q")), STR("x y=z")));
  assert_true(str_equal(url_pairs_find(&pairs, STR("late")), STR("1")));
  assert_non_null(url_pairs_find(&pairs, STR("flag")).data);
  assert_non_null(url_pairs_find(&pairs, STR("empty")).data);
  assert_int_equal(url_pairs_find(&pairs, STR("empty")).size, 0);
  assert_null(url_pairs_find(&pairs, STR("none")).data);
  struct err err = {0};
  assert_int_equal(url_pairs_parse(&pairs, STR("ok=1&bad=a%zz"), &arena, &err), ERR_PARSE);
  assert_int_equal(err.offset, 10);
  struct url_pairs many = {0};
  char text[2 * URL_PAIRS_MAX + 2];
  for (size_t i = 0; i < sizeof text; i += 2)
    memcpy(text + i, "a&", 2);
  assert_int_equal(url_pairs_parse(&many, (struct str){text, 2 * URL_PAIRS_MAX}, &arena, NULL), 0);
  assert_int_equal(many.count, URL_PAIRS_MAX);
  assert_int_equal(url_pairs_parse(&many, STR("a"), &arena, NULL), ERR_LIMIT_EXCEEDED);
  arena_deinit(&arena);
}

/* Every byte survives encoding and decoding. */
static void test_encode(void **state) {
  struct arena arena;
  arena_init(&arena, *state, 1024);
  struct buffer coded;
  buffer_init(&coded, *state);
  char all[256];
  for (int i = 0; i < 256; i++)
    all[i] = (char)i;
  url_encode(&coded, (struct str){all, sizeof all});
  struct str back;
  assert_int_equal(url_decode(buffer_str(&coded), true, &arena, &back, NULL), 0);
  assert_true(str_equal(back, (struct str){all, sizeof all}));
  buffer_reset(&coded);
  url_encode(&coded, STR("a b/\xff"));
  assert_true(str_equal(buffer_str(&coded), STR("a%20b%2F%FF")));
  buffer_deinit(&coded);
  arena_deinit(&arena);
}

static void test_addresses(void **state) {
  (void)state;
  static const struct {
    const char *text, *host, *path, *user, *password;
    uint16_t port;
    int code;
  } rows[] = {
      {"http://localhost:8086", "localhost", "", "", "", 8086, 0},
      {"localhost", "localhost", "", "", "", 1, 0},
      {"HTTP://h/", "h", "", "", "", 1, 0},
      {"http://h:9/a/b/", "h", "/a/b", "", "", 9, 0},
      {"http://u:p%40@h", "h", "", "u", "p%40", 1, 0},
      {"http://u@h", "h", "", "u", "", 1, 0},
      {"http://[::1]:80/x", "::1", "/x", "", "", 80, 0},
      {"[fe80::1]", "fe80::1", "", "", "", 1, 0},
      {"https://h", "", "", "", "", 0, ERR_UNSUPPORTED},
      {"http://", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://h:99999", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://h:", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://h:8x", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://[::1", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://[::1]8", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://a b", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"http://h/?q", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
      {"", "", "", "", "", 0, ERR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct url url;
    int code = url_parse(str_from(rows[i].text), 1, &url, NULL);
    if (code != rows[i].code) fail_msg("%s: %d", rows[i].text, code);
    if (code) continue;
    assert_true(str_equal(url.host, str_from(rows[i].host)));
    assert_true(str_equal(url.path, str_from(rows[i].path)));
    assert_true(str_equal(url.user, str_from(rows[i].user)));
    assert_true(str_equal(url.password, str_from(rows[i].password)));
    assert_int_equal(url.port, rows[i].port);
  }
  struct str host;
  uint16_t port;
  assert_int_equal(url_parse_address(STR(":8086"), 1, &host, &port, NULL), 0);
  assert_int_equal(host.size, 0); /* all addresses */
  assert_int_equal(port, 8086);
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
      cmocka_unit_test(test_decode),
      cmocka_unit_test(test_pairs),
      cmocka_unit_test(test_encode),
      cmocka_unit_test(test_addresses),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
