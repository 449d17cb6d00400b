/* The HTTP writer, and that the parser reads what it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/memory.h"
#include "wire/http.h"

static void check(struct buffer *out, const char *expected) {
  assert_int_equal(out->size, strlen(expected));
  assert_memory_equal(out->data, expected, out->size);
  buffer_reset(out);
}

static void test_heads(void **state) {
  struct buffer out;
  buffer_init(&out, *state);
  http_write_status(&out, 204);
  check(&out, "HTTP/1.1 204 No Content\r\n");
  http_write_status(&out, 299);
  check(&out, "HTTP/1.1 299 Unknown\r\n");
  http_write_request(&out, "POST", STR("/write?db=x"));
  check(&out, "POST /write?db=x HTTP/1.1\r\n");
  http_write_header(&out, "X-Influxdb-Error", STR("a\r\nSet-Cookie: b\x7f\t"));
  check(&out, "X-Influxdb-Error: a  Set-Cookie: b  \r\n");
  http_write_header_u64(&out, "Content-Length", 18446744073709551615u);
  check(&out, "Content-Length: 18446744073709551615\r\n");
  buffer_deinit(&out);
}

static void test_chunks(void **state) {
  struct buffer out;
  buffer_init(&out, *state);
  http_write_chunk(&out, STR(""));
  http_write_chunk(&out, STR("0123456789abcdef"));
  http_write_chunk_end(&out);
  check(&out, "10\r\n0123456789abcdef\r\n0\r\n\r\n");
  buffer_deinit(&out);
}

static void test_dates(void **state) {
  (void)state;
  static const struct {
    int64_t seconds;
    const char *text;
  } rows[] = {
      {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
      {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
      {951827696, "Tue, 29 Feb 2000 12:34:56 GMT"},
      {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
      {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
      {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
      {-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[HTTP_DATE_SIZE];
    http_date(rows[i].seconds, text);
    assert_string_equal(text, rows[i].text);
  }
}

static void test_round_trip(void **state) {
  struct buffer out;
  buffer_init(&out, *state);
  http_write_status(&out, 400);
  http_write_header(&out, "Transfer-Encoding", STR("chunked"));
  http_write_head_end(&out);
  http_write_chunk(&out, STR("one"));
  http_write_chunk(&out, STR("two"));
  http_write_chunk_end(&out);
  struct http_parser parser;
  http_parser_init_response(&parser, NULL, *state);
  struct str rest = buffer_str(&out);
  char body[16];
  size_t size = 0;
  enum http_event event;
  do {
    size_t used;
    struct str piece;
    assert_int_equal(http_parser_next(&parser, rest, &used, &event, &piece, NULL), 0);
    rest = (struct str){rest.data + used, rest.size - used};
    if (event == HTTP_EVENT_BODY) {
      memcpy(body + size, piece.data, piece.size);
      size += piece.size;
    }
  } while (event != HTTP_EVENT_END);
  assert_int_equal(rest.size, 0);
  assert_int_equal(size, 6);
  assert_memory_equal(body, "onetwo", 6);
  assert_int_equal(parser.message.status, 400);
  http_parser_deinit(&parser);
  buffer_deinit(&out);
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
      cmocka_unit_test(test_heads),
      cmocka_unit_test(test_chunks),
      cmocka_unit_test(test_dates),
      cmocka_unit_test(test_round_trip),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
