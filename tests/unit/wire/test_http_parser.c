/* The HTTP parser: good and bad messages side by side, each fed whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "wire/http.h"

/* What reading one message gave. */
struct outcome {
  int code;
  int status; /* error_status */
  bool head;
  bool end;
  size_t used;
  char body[512];
  size_t body_size;
  char message[256];
};

static void take(struct http_parser *parser, struct str input, size_t step, struct outcome *out) {
  memset(out, 0, sizeof *out);
  struct err err = {0};
  size_t at = 0;
  while (!out->end) {
    size_t size = input.size - at < step ? input.size - at : step;
    size_t given = 0;
    for (;;) {
      size_t used;
      enum http_event event;
      struct str body;
      out->code = http_parser_next(parser, (struct str){input.data + at + given, size - given},
                                   &used, &event, &body, &err);
      if (out->code) {
        out->status = parser->error_status;
        snprintf(out->message, sizeof out->message, "%s", err.message);
        return;
      }
      given += used;
      if (event == HTTP_EVENT_HEAD) {
        assert_false(out->head);
        out->head = true;
      } else if (event == HTTP_EVENT_BODY) {
        assert_true(out->body_size + body.size <= sizeof out->body);
        memcpy(out->body + out->body_size, body.data, body.size);
        out->body_size += body.size;
      } else if (event == HTTP_EVENT_END) {
        out->end = true;
        break;
      } else {
        break;
      }
    }
    at += given;
    if (!out->end && at >= input.size) break;
  }
  out->used = at;
}

static const struct http_limits small_limits = {
    .line_max = 64, .header_bytes_max = 200, .header_count_max = 5, .body_max = 100};

#define HOST "Host: h\r\n"

struct good {
  const char *name, *text;
  const char *body, *path, *query;
  enum http_method method;
  bool keep_alive;
  size_t rest; /* bytes that belong to the next message */
};
static const struct good goods[] = {
    {"plain GET", "GET /ping HTTP/1.1\r\n" HOST "\r\n", "", "/ping", "", HTTP_GET, true, 0},
    {"query string", "GET /query?q=a%20b&db=x HTTP/1.1\r\n" HOST "\r\n", "", "/query",
     "q=a%20b&db=x", HTTP_GET, true, 0},
    {"empty query", "GET /query? HTTP/1.1\r\n" HOST "\r\n", "", "/query", "", HTTP_GET, true, 0},
    {"question mark in query", "GET /q?a=?b HTTP/1.1\r\n" HOST "\r\n", "", "/q", "a=?b", HTTP_GET,
     true, 0},
    {"sized body", "POST /write HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "hello",
     "/write", "", HTTP_POST, true, 0},
    {"empty body", "POST /write HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "", "/write", "",
     HTTP_POST, true, 0},
    {"chunked body",
     "POST /w HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
     "hello!", "/w", "", HTTP_POST, true, 0},
    {"chunked, any case, extension, trailer",
     "POST /w HTTP/1.1\r\n" HOST
     "transfer-encoding: Chunked\r\n\r\n00A ;x=\"y\"\r\n0123456789\r\n0\r\nTrail: er\r\n\r\n",
     "0123456789", "/w", "", HTTP_POST, true, 0},
    {"absolute form", "GET http://host:80/a/b?c HTTP/1.1\r\n" HOST "\r\n", "", "/a/b", "c",
     HTTP_GET, true, 0},
    {"absolute form without path", "GET http://host HTTP/1.1\r\n" HOST "\r\n", "", "", "", HTTP_GET,
     true, 0},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "", "*", "", HTTP_OPTIONS, true, 0},
    {"HTTP/1.0 needs no host", "GET / HTTP/1.0\r\n\r\n", "", "/", "", HTTP_GET, false, 0},
    {"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "", "/", "",
     HTTP_GET, true, 0},
    {"HTTP/1.1 close", "GET / HTTP/1.1\r\n" HOST "Connection: foo, close\r\n\r\n", "", "/", "",
     HTTP_GET, false, 0},
    {"a later minor version", "GET / HTTP/1.7\r\n" HOST "\r\n", "", "/", "", HTTP_GET, true, 0},
    {"empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "", "/", "", HTTP_GET, true,
     0},
    {"other method", "PURGE / HTTP/1.1\r\n" HOST "\r\n", "", "/", "", HTTP_OTHER, true, 0},
    {"bytes beyond ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\n\r\n", "", "/\xc3\xa9",
     "", HTTP_GET, true, 0},
    {"pipelined", "GET /a HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n", "", "/a", "", HTTP_GET,
     true, 17},
    {"bytes behind a body", "PUT /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nabc", "a", "/a",
     "", HTTP_PUT, true, 2},
};

static void test_good(void **state) {
  struct mem_account *account = *state;
  for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
    const struct good *row = &goods[i];
    for (size_t step = 1; step <= 4096; step = step == 1 ? 3 : step * 16) {
      struct http_parser parser;
      http_parser_init(&parser, &small_limits, account);
      struct outcome got;
      take(&parser, str_from(row->text), step, &got);
      if (got.code) fail_msg("%s, step %zu: %s", row->name, step, got.message);
      if (!got.head || !got.end) fail_msg("%s, step %zu: not complete", row->name, step);
      assert_int_equal(got.body_size, strlen(row->body));
      assert_memory_equal(got.body, row->body, got.body_size);
      assert_int_equal(strlen(row->text) - got.used, row->rest);
      struct str path = http_text(&parser, parser.message.path);
      if (!str_equal(path, str_from(row->path))) {
        fail_msg("%s: path '%.*s'", row->name, STR_ARG(path));
      }
      assert_true(str_equal(http_text(&parser, parser.message.query), str_from(row->query)));
      assert_int_equal(parser.message.method, row->method);
      assert_int_equal(parser.message.keep_alive, row->keep_alive);
      assert_false(http_parser_is_inside(&parser));
      http_parser_deinit(&parser);
    }
  }
}

struct bad {
  const char *name, *text;
  int status;
  const char *says; /* part of the message */
};
static const struct bad bads[] = {
    {"no version", "GET /\r\n\r\n", 400, "request line"},
    {"garbage", "\x16\x03\x01 abc\r\n", 400, "method"},
    {"two blanks", "GET  / HTTP/1.1\r\n", 400, "request line"},
    {"blank behind version", "GET / HTTP/1.1 \r\n", 400, "HTTP version"},
    {"tab as separator", "GET\t/ HTTP/1.1\r\n", 400, "method"},
    {"version 2", "GET / HTTP/2.0\r\n", 505, "2.0"},
    {"lower case version", "GET / http/1.1\r\n", 400, "HTTP version"},
    {"relative target", "GET ping HTTP/1.1\r\n", 400, "does not begin with"},
    {"asterisk for GET", "GET * HTTP/1.1\r\n", 400, "OPTIONS"},
    {"fragment", "GET /a#b HTTP/1.1\r\n", 400, "'#'"},
    {"no host in absolute form", "GET http:///a HTTP/1.1\r\n", 400, "without a host"},
    {"control byte in target", "GET /\x01 HTTP/1.1\r\n", 400, "control byte"},
    {"long request line",
     "GET /0123456789012345678901234567890123456789012345678901234567890123456789", 414, "64"},
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400, "Host"},
    {"two hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, "Host"},
    {"LF only", "GET / HTTP/1.1\n", 400, "LF"},
    {"LF only in headers", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400, "LF"},
    {"bare CR in header", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400, "CR inside"},
    {"bare CR in request line", "GET /\r HTTP/1.1\r\n", 400, "CR inside"},
    {"doubled CR", "GET / HTTP/1.1\r\r\n", 400, "CR inside"},
    {"folded header", "GET / HTTP/1.1\r\nHost: h\r\n  more\r\n\r\n", 400, "folded"},
    {"white space before the first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400, "folded"},
    {"blank before colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, "before the colon"},
    {"no colon", "GET / HTTP/1.1\r\nHost h\r\n\r\n", 400, "colon"},
    {"empty name", "GET / HTTP/1.1\r\n: h\r\n\r\n", 400, "name"},
    {"bad name", "GET / HTTP/1.1\r\nHo(st: h\r\n\r\n", 400, "name"},
    {"control byte in value", "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400, "control byte"},
    {"too many headers", "GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\n\r\n", 431, "5"},
    {"headers too large",
     "GET / HTTP/1.1\r\nA: 01234567890123456789012345678901234567890123456789\r\n"
     "B: 01234567890123456789012345678901234567890123456789\r\n"
     "C: 01234567890123456789012345678901234567890123456789\r\n"
     "D: 01234567890123456789012345678901234567890123456789\r\n",
     431, "200"},
    {"both framings",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "both"},
    {"both framings, other order",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400,
     "both"},
    {"two lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
     400, "more than one"},
    {"list of lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n", 400, "number"},
    {"signed length", "POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\n", 400, "number"},
    {"empty length", "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400, "number"},
    {"huge length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 413,
     "2^63"},
    {"length beyond the limit", "POST / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", 413,
     "101"},
    {"unknown coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501,
     "chunked"},
    {"coding list", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
     "chunked"},
    {"two codings",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400, "more than one"},
    {"chunks in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "1.0"},
    {"other expectation", "POST / HTTP/1.1\r\n" HOST "Expect: magic\r\n\r\n", 417, "Expect"},
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
    {"no chunk size", CHUNKED "\r\n", 400, "hex"},
    {"negative chunk", CHUNKED "-1\r\n", 400, "hex"},
    {"0x chunk", CHUNKED "0x5\r\n", 400, "followed"},
    {"chunk with LF", CHUNKED "5\nhello", 400, "LF"},
    {"chunk longer than said", CHUNKED "5\r\nhello!\r\n", 400, "longer"},
    {"chunk end without CR", CHUNKED "5\r\nhello\n", 400, "LF"},
    {"huge chunk", CHUNKED "fffffffffffffffff\r\n", 413, "2^62"},
    {"chunk beyond the limit", CHUNKED "65\r\n", 413, "100"},
    {"chunks beyond the limit", CHUNKED "20\r\n01234567890123456789012345678901\r\n45\r\n", 413,
     "100"},
    {"bad trailer", CHUNKED "0\r\nno colon\r\n\r\n", 400, "colon"},
    {"only empty lines", "\r\n\r\n\r\n\r\n\r\n", 400, "empty lines"},
};

static void test_bad(void **state) {
  struct mem_account *account = *state;
  for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
    const struct bad *row = &bads[i];
    for (size_t step = 1; step <= 4096; step *= 4096) {
      struct http_parser parser;
      http_parser_init(&parser, &small_limits, account);
      struct outcome got;
      take(&parser, str_from(row->text), step, &got);
      if (!got.code) fail_msg("%s, step %zu: accepted", row->name, step);
      if (got.status != row->status || !strstr(got.message, row->says)) {
        fail_msg("%s, step %zu: %d '%s'", row->name, step, got.status, got.message);
      }
      size_t used;
      enum http_event event;
      struct str body;
      assert_int_not_equal(
          http_parser_next(&parser, STR("GET / HTTP/1.1\r\n"), &used, &event, &body, NULL), 0);
      http_parser_deinit(&parser);
    }
  }
}

static void test_headers(void **state) {
  struct http_parser parser;
  http_parser_init(&parser, NULL, *state);
  struct outcome got;
  take(&parser,
       STR("POST /w HTTP/1.1\r\nHOST:  a \t\r\nExpect: 100-Continue\r\nX-Empty:\r\n"
           "Content-Length: 1\r\n\r\n."),
       4096, &got);
  assert_int_equal(got.code, 0);
  assert_true(parser.message.expect_continue);
  assert_int_equal(http_header_count(&parser), 4);
  assert_true(str_equal(http_header(&parser, STR("host")), STR("a")));
  assert_non_null(http_header(&parser, STR("x-empty")).data);
  assert_int_equal(http_header(&parser, STR("x-empty")).size, 0);
  assert_null(http_header(&parser, STR("absent")).data);
  assert_true(str_equal(http_text(&parser, parser.message.method_text), STR("POST")));
  http_parser_reset(&parser);
  take(&parser, STR("GET / HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\n\r\n"), 1, &got);
  assert_int_equal(got.code, 0);
  assert_false(parser.message.expect_continue); /* no body, nothing to wait for */
  assert_true(str_equal(http_header(&parser, STR("Host")), STR("b")));
  http_parser_deinit(&parser);
}

/* The texts of the head stay where they are while chunks arrive. */
static void test_head_does_not_move(void **state) {
  struct http_parser parser;
  http_parser_init(&parser, NULL, *state);
  struct str head = STR("POST /path HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
  size_t used;
  enum http_event event;
  struct str body;
  assert_int_equal(http_parser_next(&parser, head, &used, &event, &body, NULL), 0);
  assert_int_equal(event, HTTP_EVENT_HEAD);
  struct str path = http_text(&parser, parser.message.path);
  struct str chunk =
      STR("1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n.\r\n");
  for (int i = 0; i < 200; i++) {
    struct str rest = chunk;
    do {
      assert_int_equal(http_parser_next(&parser, rest, &used, &event, &body, NULL), 0);
      rest = (struct str){rest.data + used, rest.size - used};
    } while (event != HTTP_EVENT_MORE);
    assert_true(http_text(&parser, parser.message.path).data == path.data);
    assert_true(str_equal(path, STR("/path")));
  }
  http_parser_deinit(&parser);
}

static void test_chunk_overhead_is_bounded(void **state) {
  struct http_parser parser;
  http_parser_init(&parser, NULL, *state);
  struct outcome got;
  static char text[200000];
  int size = snprintf(text, sizeof text, "%s", CHUNKED);
  while (size < 150000) {
    size += snprintf(text + size, sizeof text - (size_t)size, "1;%0500d\r\n.\r\n", 0);
  }
  take(&parser, (struct str){text, (size_t)size}, 100000, &got);
  assert_int_equal(got.code, ERR_LIMIT_EXCEEDED);
  assert_int_equal(got.status, 431);
  http_parser_deinit(&parser);
}

static void test_finish(void **state) {
  static const struct {
    const char *name, *text;
    int code;
  } rows[] = {
      {"nothing came", "", ERR_OK},
      {"inside the request line", "GET", ERR_END_OF_INPUT},
      {"inside the headers", "GET / HTTP/1.1\r\nHost: x\r\n", ERR_END_OF_INPUT},
      {"inside the body", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
       ERR_END_OF_INPUT},
      {"behind a message", "GET / HTTP/1.1\r\n" HOST "\r\n", ERR_OK},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct http_parser parser;
    http_parser_init(&parser, NULL, *state);
    struct outcome got;
    take(&parser, str_from(rows[i].text), 4096, &got);
    assert_int_equal(got.code, 0);
    enum http_event event;
    if (http_parser_finish(&parser, &event, NULL) != rows[i].code) fail_msg("%s", rows[i].name);
    http_parser_deinit(&parser);
  }
}

static void test_responses(void **state) {
  static const struct {
    const char *name, *text;
    bool head_request;
    int status;
    const char *body;
    bool closes; /* the body ends with the connection */
  } rows[] = {
      {"sized", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, 200, "hi", false},
      {"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", false, 200, "hi", false},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
       false, 200, "hi", false},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", false},
      {"to a HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, 200, "", false},
      {"until the end", "HTTP/1.1 200 OK\r\n\r\nhi", false, 200, "hi", true},
      {"after 100", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 1\r\n\r\n!",
       false, 400, "!", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    for (size_t step = 1; step <= 4096; step *= 4096) {
      struct http_parser parser;
      http_parser_init_response(&parser, NULL, *state);
      if (rows[i].head_request) http_parser_expect_no_body(&parser);
      struct outcome got;
      take(&parser, str_from(rows[i].text), step, &got);
      if (got.code) fail_msg("%s: %s", rows[i].name, got.message);
      assert_int_equal(parser.message.status, rows[i].status);
      assert_int_equal(got.body_size, strlen(rows[i].body));
      assert_memory_equal(got.body, rows[i].body, got.body_size);
      assert_int_equal(got.end, !rows[i].closes);
      if (rows[i].closes) {
        enum http_event event;
        assert_int_equal(http_parser_finish(&parser, &event, NULL), 0);
        assert_int_equal(event, HTTP_EVENT_END);
      }
      http_parser_deinit(&parser);
    }
  }
}

static void test_bad_responses(void **state) {
  static const char *const rows[] = {
      "HTTP/1.1\r\n",       "HTTP/1.1 20 OK\r\n",      "HTTP/1.1 2000\r\n",
      "HTTP/1.1 099 X\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 101 Switch\r\n\r\n"};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct http_parser parser;
    http_parser_init_response(&parser, NULL, *state);
    struct outcome got;
    take(&parser, str_from(rows[i]), 4096, &got);
    if (!got.code) fail_msg("accepted: %s", rows[i]);
    http_parser_deinit(&parser);
  }
}

static void test_tokens(void **state) {
  (void)state;
  assert_true(http_value_has_token(STR("gzip, deflate"), STR("deflate")));
  assert_true(http_value_has_token(STR("a;q=1 , Close"), STR("close")));
  assert_true(http_value_has_token(STR("text/csv;q=0.5"), STR("text/csv")));
  assert_false(http_value_has_token(STR("closed"), STR("close")));
  assert_false(http_value_has_token(STR(""), STR("close")));
  assert_false(http_value_has_token(STR(",,"), STR("close")));
}

/* Refusing each allocation in turn gives an error and leaks nothing. */
static void test_memory_faults(void **state) {
  struct mem_account *account = *state;
  for (int fault = 1;; fault++) {
    struct http_parser parser;
    http_parser_init(&parser, NULL, account);
    atomic_store(&account->fail_countdown, fault);
    struct outcome got;
    take(&parser, str_from(goods[6].text), 7, &got);
    bool fired = atomic_load(&account->fail_countdown) <= 0;
    atomic_store(&account->fail_countdown, 0);
    http_parser_deinit(&parser);
    if (!fired) {
      assert_int_equal(got.code, 0);
      break;
    }
    assert_int_not_equal(got.code, 0);
    assert_int_equal(got.status, 503);
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
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_bad),
      cmocka_unit_test(test_headers),
      cmocka_unit_test(test_head_does_not_move),
      cmocka_unit_test(test_chunk_overhead_is_bounded),
      cmocka_unit_test(test_finish),
      cmocka_unit_test(test_responses),
      cmocka_unit_test(test_bad_responses),
      cmocka_unit_test(test_tokens),
      cmocka_unit_test(test_memory_faults),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
