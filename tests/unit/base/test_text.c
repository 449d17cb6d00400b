/* Distances, suggestions, UTF-8, pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void distances(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    unsigned limit, distance;
  } rows[] = {
      {"sync", "sync", 3, 0},      {"sync", "SYNC", 3, 0},  {"sync", "snyc", 3, 1},
      {"sync", "syn", 3, 1},       {"sync", "synch", 3, 1}, {"sync", "sink", 3, 2},
      {"", "abc", 3, 3},           {"", "abcd", 3, 4},      {"kitten", "sitting", 5, 3},
      {"kitten", "sitting", 2, 3}, {"ca", "abc", 5, 3},     {"", "", 0, 0},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct str a = str_from(rows[i].a), b = str_from(rows[i].b);
    if (text_distance(a, b, rows[i].limit) != rows[i].distance ||
        text_distance(b, a, rows[i].limit) != rows[i].distance)
      fail_msg("%s, %s: %u", rows[i].a, rows[i].b, text_distance(a, b, rows[i].limit));
  }
  char longer[200];
  memset(longer, 'x', sizeof longer);
  assert_int_equal(text_distance(str_of(longer, 200), str_of(longer, 200), 3), 0);
  assert_int_equal(text_distance(str_of(longer, 200), str_of(longer, 199), 3), 4);
}

static struct str nearest_of(const char *wanted) {
  static const char *const names[] = {"wal.sync", "wal.segment_size", "http.address", "log.level"};
  struct text_nearest nearest = text_nearest_of(str_from(wanted));
  for (size_t i = 0; i < COUNT(names); i++)
    text_nearest_offer(&nearest, str_from(names[i]));
  return nearest.best;
}

static void suggestions(void **state) {
  (void)state;
  assert_true(str_equal(nearest_of("wal.snyc"), STR("wal.sync")));
  assert_true(str_equal(nearest_of("WAL.SYNC"), STR("wal.sync")));
  assert_true(str_equal(nearest_of("log.levle"), STR("log.level")));
  assert_null(nearest_of("entirely_different").data);
  assert_null(nearest_of("x").data);
  assert_null(nearest_of("").data);
}

static void utf8(void **state) {
  (void)state;
  static const struct {
    const char *name;
    struct str text;
    size_t valid, length;
  } rows[] = {
      {"empty", {NULL, 0}, 0, 0},
      {"ascii", {"0123456789abcdefghijklmnopqrstuvwxyz", 36}, 36, 36},
      {"zero inside", {"a\0b", 3}, 3, 3},
      {"two bytes", {"\xc3\xa9", 2}, 2, 1},
      {"three bytes", {"\xe2\x82\xac", 3}, 3, 1},
      {"four bytes", {"\xf0\x9f\x90\x8a", 4}, 4, 1},
      {"after sixteen", {"0123456789abcdef\xc3\xa9z", 19}, 19, 18},
      {"lone continuation", {"a\x80", 2}, 1, 2},
      {"overlong slash", {"\xc0\xaf", 2}, 0, 2},
      {"overlong three", {"\xe0\x9f\xbf", 3}, 0, 3},
      {"surrogate", {"\xed\xa0\x80", 3}, 0, 3},
      {"last before surrogates", {"\xed\x9f\xbf", 3}, 3, 1},
      {"overlong four", {"\xf0\x8f\xbf\xbf", 4}, 0, 4},
      {"last code point", {"\xf4\x8f\xbf\xbf", 4}, 4, 1},
      {"beyond it", {"\xf4\x90\x80\x80", 4}, 0, 4},
      {"f5", {"\xf5\x80\x80\x80", 4}, 0, 4},
      {"cut", {"ab\xe2\x82", 4}, 2, 4},
      {"bad third", {"\xe2\x82z", 3}, 0, 3},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    char *copy = malloc(rows[i].text.size + 1);
    if (rows[i].text.size) memcpy(copy, rows[i].text.data, rows[i].text.size);
    struct str text = {copy, rows[i].text.size};
    if (text_utf8_prefix(text) != rows[i].valid || text_utf8_length(text) != rows[i].length)
      fail_msg("%s: %zu %zu", rows[i].name, text_utf8_prefix(text), text_utf8_length(text));
    free(copy);
  }
  for (uint32_t c = 0; c <= 0x110000; c++) {
    char bytes[4];
    size_t size = text_utf8_encode(c, bytes);
    bool none = c > 0x10ffff || (c >= 0xd800 && c < 0xe000);
    if ((size == 0) != none || text_utf8_prefix(str_of(bytes, size)) != size)
      fail_msg("code point %x", c);
  }
}

static void cutting_keeps_characters_whole(void **state) {
  (void)state;
  struct str text = STR("a\xe2\x82\xacz");
  static const size_t sizes[] = {0, 1, 1, 1, 4, 5, 5};
  for (size_t i = 0; i < COUNT(sizes); i++)
    assert_int_equal(text_cut(text, i).size, sizes[i]);
  assert_int_equal(text_cut(STR("\x80\x80\x80\x80\x80\x80"), 5).size, 5);
}

static void pieces(void **state) {
  (void)state;
  assert_true(str_equal(text_trim(STR(" \t a b\r\n")), STR("a b")));
  assert_int_equal(text_trim(STR(" \n ")).size, 0);
  struct str rest = STR("a,,b");
  assert_true(str_equal(text_split(&rest, ','), STR("a")));
  assert_true(str_equal(text_split(&rest, ','), STR("")));
  assert_non_null(rest.data);
  assert_true(str_equal(text_split(&rest, ','), STR("b")));
  assert_null(rest.data);
  assert_int_equal(text_find(STR("abc"), 'c'), 2);
  assert_int_equal(text_find(STR("abc"), 'x'), 3);
  assert_int_equal(text_find((struct str){NULL, 0}, 'x'), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(distances), cmocka_unit_test(suggestions),
      cmocka_unit_test(utf8),      cmocka_unit_test(cutting_keeps_characters_whole),
      cmocka_unit_test(pieces),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
