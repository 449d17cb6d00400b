#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "wire/gzip.h"

static void gzip_text(struct buffer *out, struct str text) {
  assert_int_equal(gzip_deflate(text, 6, out, NULL), 0);
}

static void check(struct mem_account *account, enum gzip_format format, struct str input,
                  size_t limit, struct str expected) {
  struct buffer out;
  buffer_init(&out, account);
  buffer_append_text(&out, "before ");
  struct err err = {0};
  int code = gzip_inflate(format, input, limit, &out, &err);
  if (code) fail_msg("%s", err.message);
  assert_int_equal(out.size, 7 + expected.size);
  assert_memory_equal(out.data, "before ", 7);
  if (expected.size) assert_memory_equal(out.data + 7, expected.data, expected.size);
  buffer_deinit(&out);
}

static void check_fails(struct mem_account *account, enum gzip_format format, struct str input,
                        size_t limit, int expected) {
  struct buffer out;
  buffer_init(&out, account);
  assert_int_equal(gzip_inflate(format, input, limit, &out, NULL), expected);
  assert_int_equal(out.size, 0);
  buffer_deinit(&out);
}

static void test_members(void **state) {
  struct buffer coded;
  buffer_init(&coded, *state);
  gzip_text(&coded, STR("hello"));
  size_t first = coded.size;
  check(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 5, STR("hello"));
  gzip_text(&coded, STR(""));
  gzip_text(&coded, STR(", world"));
  check(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 100, STR("hello, world"));
  check(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 12, STR("hello, world"));
  check_fails(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 11, ERR_BODY_TOO_LARGE);
  check_fails(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 4, ERR_BODY_TOO_LARGE);
  /* cut anywhere but between members */
  for (size_t size = 0; size < first; size++) {
    check_fails(*state, GZIP_FORMAT_GZIP, (struct str){(char *)coded.data, size}, 100, ERR_PARSE);
  }
  coded.data[first - 6] ^= 1; /* the checksum of the first member */
  check_fails(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 100, ERR_PARSE);
  coded.data[first - 6] ^= 1;
  buffer_append_text(&coded, "trailing");
  check_fails(*state, GZIP_FORMAT_GZIP, buffer_str(&coded), 100, ERR_PARSE);
  buffer_deinit(&coded);
}

/* A body that expands a thousandfold is refused at the limit, and no more than about twice the
 * limit is ever held. */
static void test_bomb(void **state) {
  struct mem_account *account = *state;
  size_t size = 8u << 20;
  char *zeros = calloc(1, size);
  struct buffer coded;
  buffer_init(&coded, account);
  gzip_text(&coded, (struct str){zeros, size});
  assert_true(coded.size < size / 500);
  struct mem_account bounded;
  mem_account_init(&bounded, "bomb", account, 3u << 20);
  check_fails(&bounded, GZIP_FORMAT_GZIP, buffer_str(&coded), 1u << 20, ERR_BODY_TOO_LARGE);
  check(account, GZIP_FORMAT_GZIP, buffer_str(&coded), size, (struct str){zeros, size});
  /* the size in the trailer is a hint: a wrong one is damage, a lie about it costs nothing */
  memset(coded.data + coded.size - 4, 0xff, 4);
  check_fails(&bounded, GZIP_FORMAT_GZIP, buffer_str(&coded), 1u << 20, ERR_BODY_TOO_LARGE);
  mem_account_deinit(&bounded);
  buffer_deinit(&coded);
  free(zeros);
}

static void test_deflate(void **state) {
  struct libdeflate_compressor *engine = libdeflate_alloc_compressor(6);
  char text[20000];
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)(i * i >> 7);
  char coded[30000];
  size_t size = libdeflate_zlib_compress(engine, text, sizeof text, coded, sizeof coded);
  check(*state, GZIP_FORMAT_DEFLATE, (struct str){coded, size}, sizeof text,
        (struct str){text, sizeof text});
  check_fails(*state, GZIP_FORMAT_DEFLATE, (struct str){coded, size - 1}, 2 * sizeof text,
              ERR_PARSE);
  check_fails(*state, GZIP_FORMAT_DEFLATE, (struct str){coded, size}, sizeof text - 1,
              ERR_BODY_TOO_LARGE);
  coded[size] = 0;
  check_fails(*state, GZIP_FORMAT_DEFLATE, (struct str){coded, size + 1}, sizeof text, ERR_PARSE);
  size = libdeflate_deflate_compress(engine, text, sizeof text, coded, sizeof coded);
  check(*state, GZIP_FORMAT_DEFLATE, (struct str){coded, size}, sizeof text,
        (struct str){text, sizeof text});
  libdeflate_free_compressor(engine);
}

static void test_refused(void **state) {
  check_fails(*state, GZIP_FORMAT_GZIP, STR(""), 100, ERR_PARSE);
  check_fails(*state, GZIP_FORMAT_GZIP, STR("cpu v=1"), 100, ERR_PARSE);
  check_fails(*state, GZIP_FORMAT_DEFLATE, STR(""), 100, ERR_PARSE);
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
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_bomb),
      cmocka_unit_test(test_deflate),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
