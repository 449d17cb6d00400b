/* The HTTP door over real sockets, with an engine that is faked here: what it is told and what it
 * answers follow from the names of databases and the texts of queries. */
#include "server_fixture.h"

#ifdef __SANITIZE_THREAD__
/* A socket that moves between loops looks like two unrelated uses of one descriptor. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) { return "called_from_lib:libuv.so\n"; }
#endif

/* ---- tests ---- */

static void test_state_routes(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  struct buffer out;
  buffer_init(&out, &f.account);
  assert_int_equal(get(&f, "/ping", &out), 204);
  assert_int_equal(out.size, 0);
  assert_int_equal(call(&f, "HEAD", "/ping", STR(""), NULL, 0, &out), 204);
  assert_int_equal(get(&f, "/ping?verbose=true", &out), 200);
  assert_string_equal((char *)out.data, "{\"version\":\"1.8.0-nilo\"}\n");
  assert_int_equal(get(&f, "/health", &out), 200);
  assert_non_null(strstr((char *)out.data, "\"status\":\"pass\""));
  assert_int_equal(call(&f, "HEAD", "/health", STR(""), NULL, 0, &out), 200);
  assert_int_equal(out.size, 0);
  assert_int_equal(get(&f, "/ready", &out), 200);
  assert_string_equal((char *)out.data, "{\"status\":\"ready\",\"writes\":\"taken\"}\n");
  /* an answer may be here before it is counted */
  const char *counted = NULL;
  for (int i = 0; i < 1000 && !counted; i++) {
    assert_int_equal(get(&f, "/metrics", &out), 200);
    counted = strstr((char *)out.data, "nilo_http_requests_total{route=\"ping\",outcome=\"ok\"} 3");
  }
  assert_non_null(counted);
  atomic_store(&f.api.sick, true);
  assert_int_equal(get(&f, "/health", &out), 503);
  assert_non_null(strstr((char *)out.data, "quarantined"));
  assert_non_null(strstr((char *)out.data, "{\"checks\":[{\"hint\":\"restore it\",\"message\":"
                                           "\"a part is quarantined\",\"name\":\"damaged_part\","
                                           "\"severity\":\"degraded\",\"status\":\"fail\"}]"));
  assert_int_equal(get(&f, "/ready", &out), 503);
  assert_int_equal(get(&f, "/qury", &out), 404);
  assert_non_null(strstr((char *)out.data, "did you mean /query?"));
  assert_int_equal(call(&f, "DELETE", "/write", STR(""), NULL, 0, &out), 405);
  assert_int_equal(call(&f, "OPTIONS", "/write", STR(""), NULL, 0, &out), 204);
  buffer_deinit(&out);
  stop(&f);
}

static void test_write(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  struct buffer out;
  buffer_init(&out, &f.account);
  struct str body = STR("cpu v=1 1\ncpu v=2 2\n");
  assert_int_equal(
      call(&f, "POST", "/write?db=a%20b&rp=r&precision=ms&atomic=true", body, NULL, 0, &out), 204);
  assert_string_equal(seen(&f).database, "a b");
  assert_string_equal(seen(&f).schema, "r");
  assert_int_equal(seen(&f).precision, TIME_MS);
  assert_true(seen(&f).atomic);
  assert_int_equal(seen(&f).body_sum, sum_of(body));
  assert_int_equal(call(&f, "POST", "/write?db=x&precision=h", body, NULL, 0, &out), 204);
  assert_int_equal(seen(&f).precision, TIME_S);
  assert_int_equal(seen(&f).precision_factor, 3600);
  assert_false(seen(&f).atomic);
  assert_int_equal(
      call(&f, "POST", "/api/v2/write?org=o&bucket=d/p&precision=s", body, NULL, 0, &out), 204);
  assert_string_equal(seen(&f).database, "d");
  assert_string_equal(seen(&f).schema, "p");
  static const struct {
    const char *target;
    int status;
    const char *body;
  } rows[] = {
      {"/write", 400,
       "{\"error\":\"database is required\",\"hint\":\"name it in the query string: "
       "/write?db=mydb\"}\n"},
      {"/write?db=x&precision=y", 400,
       "{\"error\":\"invalid precision \\\"y\\\" (use ns, u, ms, s, m or h)\"}\n"},
      {"/write?db=x&atomic=maybe", 400, "{\"error\":\"atomic is neither true nor false\"}\n"},
      {"/write?db=none", 404,
       "{\"error\":\"database not found: \\\"none\\\"\",\"hint\":\"create it first\"}\n"},
      {"/write?db=partial", 400,
       "{\"error\":\"partial write: unable to parse 'cpu': missing fields dropped=1\"}\n"},
      {"/write?db=%zz", 400,
       "{\"error\":\"unable to parse the query string at byte 4 ('%' is not "
       "followed by two hexadecimal digits)\"}\n"},
      {"/api/v2/write?bucket=none", 404,
       "{\"code\":\"not found\",\"message\":\"database not found: \\\"none\\\"\",\"hint\":\"create "
       "it first\"}\n"},
      {"/api/v2/write?bucket=/x", 400,
       "{\"code\":\"invalid\",\"message\":\"bucket is required\",\"hint\":\"name it in the query "
       "string: /api/v2/write?bucket=mydb or bucket=mydb/policy\"}\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(call(&f, "POST", rows[i].target, body, NULL, 0, &out), rows[i].status);
    assert_string_equal((char *)out.data, rows[i].body);
  }
  buffer_deinit(&out);
  stop(&f);
}

/* A body of some MB arrives whole, by length, in chunks, and compressed. */
static void test_large_bodies(void **state) {
  (void)state;
  struct fixture f;
  start(&f, (const char *const[]){"http.body_size_max", "4MB", NULL});
  struct buffer out, coded;
  buffer_init(&out, &f.account);
  buffer_init(&coded, &f.account);
  size_t size = 4000000;
  char *text = malloc(size);
  for (size_t i = 0; i < size; i++)
    text[i] = (char)('a' + (i * i >> 5) % 26);
  struct str body = {text, size};
  for (int round = 0; round < 3; round++) {
    assert_int_equal(call(&f, "POST", "/write?db=x", body, NULL, 0, &out), 204);
    assert_int_equal(seen(&f).body_size, size);
    assert_true(seen(&f).body_sum == sum_of(body));
  }
  assert_int_equal(gzip_deflate(body, 1, &coded, NULL), 0);
  struct http_client_header gzip = {"Content-Encoding", STR("gzip")};
  assert_int_equal(call(&f, "POST", "/write?db=x", buffer_str(&coded), &gzip, 1, &out), 204);
  assert_int_equal(seen(&f).body_size, size);
  assert_true(seen(&f).body_sum == sum_of(body));
  coded.data[coded.size / 2] ^= 1;
  assert_int_equal(call(&f, "POST", "/write?db=x", buffer_str(&coded), &gzip, 1, &out), 400);
  gzip.value = STR("br");
  assert_int_equal(call(&f, "POST", "/write?db=x", buffer_str(&coded), &gzip, 1, &out), 400);

  int fd = dial(&f);
  put(fd, "POST /write?db=x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (size_t at = 0; at < size;) {
    size_t piece = 1 + at % 70001;
    if (piece > size - at) piece = size - at;
    char line[32];
    snprintf(line, sizeof line, "%zx\r\n", piece);
    put(fd, line);
    for (size_t sent = 0; sent < piece;) {
      ssize_t got = send(fd, text + at + sent, piece - sent, MSG_NOSIGNAL);
      assert_true(got > 0);
      sent += (size_t)got;
    }
    put(fd, "\r\n");
    at += piece;
  }
  put(fd, "0\r\n\r\n");
  char answer[2000];
  read_until(fd, "\r\n\r\n", answer, sizeof answer);
  assert_non_null(strstr(answer, "HTTP/1.1 204"));
  assert_true(seen(&f).body_sum == sum_of(body));
  close(fd);

  /* one byte too many: refused from its length, from its chunks, and after decompression */
  text = realloc(text, size + 1);
  text[size] = 'z';
  body = (struct str){text, size + 1};
  assert_int_equal(call(&f, "POST", "/write?db=x", body, NULL, 0, &out), 413);
  buffer_reset(&coded);
  assert_int_equal(gzip_deflate(body, 1, &coded, NULL), 0);
  gzip.value = STR("gzip");
  assert_int_equal(call(&f, "POST", "/write?db=x", buffer_str(&coded), &gzip, 1, &out), 413);
  talk(&f, "POST /write?db=x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3d0901\r\n",
       answer, sizeof answer);
  assert_non_null(strstr(answer, "HTTP/1.1 413"));
  free(text);
  buffer_deinit(&coded);
  buffer_deinit(&out);
  stop(&f);
}

/* Requests for /query and their whole answers. */
static const struct shape {
  const char *name, *target;
  int status;
  const char *body;
} shapes[] = {
    {"no rows", "/query?q=rows+0", 200, "{\"results\":[{\"statement_id\":0}]}\n"},
    {"times in words", "/query?q=rows+2", 200,
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"columns\":[\"time\","
     "\"v\"],\"values\":[[\"1970-01-01T00:00:00Z\",0],[\"1970-01-01T00:00:01Z\",0.5]]}]}]}\n"},
    {"epoch", "/query?q=rows+2&epoch=ms", 200,
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"columns\":[\"time\","
     "\"v\"],\"values\":[[0,0],[1000,0.5]]}]}]}\n"},
    {"pretty", "/query?q=rows+1&epoch=s&pretty=true", 200,
     "{\n    \"results\": [\n        {\n            \"statement_id\": 0,\n            "
     "\"series\": [\n                {\n                    \"name\": \"cpu\",\n                "
     "    \"columns\": [\n                        \"time\",\n                        \"v\"\n    "
     "                ],\n                    \"values\": [\n                        [\n        "
     "                    0,\n                            0\n                        ]\n        "
     "            ]\n                }\n            ]\n        }\n    ]\n}\n"},
    {"several", "/query?q=two&epoch=s", 200,
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"tags\":{\"host\":\"a "
     "b\"},\"columns\":[\"time\",\"v\"],\"values\":[[0,0],[1,0.5],[2,1]]},{\"name\":\"cpu\","
     "\"tags\":{\"host\":\"c\"},\"columns\":[\"time\",\"v\"],\"values\":[[3,1.5],[4,2],[5,2.5]]}"
     "]},{\"statement_id\":1,\"messages\":[{\"level\":\"warning\",\"text\":\"careful\"}]},{"
     "\"statement_id\":2,\"error\":\"database not found: \\\"x\\\"\"}]}\n"},
    {"chunked", "/query?q=two&epoch=s&chunked=true&chunk_size=2", 200,
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"tags\":{\"host\":\"a "
     "b\"},\"columns\":[\"time\",\"v\"],\"values\":[[0,0],[1,0.5]],\"partial\":true}],"
     "\"partial\":true}]}\n"
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"tags\":{\"host\":\"a "
     "b\"},\"columns\":[\"time\",\"v\"],\"values\":[[2,1]]}],\"partial\":true}]}\n"
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"tags\":{\"host\":\"c\"},"
     "\"columns\":[\"time\",\"v\"],\"values\":[[3,1.5],[4,2]],\"partial\":true}],\"partial\":"
     "true}]}\n"
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"tags\":{\"host\":\"c\"},"
     "\"columns\":[\"time\",\"v\"],\"values\":[[5,2.5]]}]}]}\n"
     "{\"results\":[{\"statement_id\":1,\"messages\":[{\"level\":\"warning\",\"text\":"
     "\"careful\"}]}]}\n"
     "{\"results\":[{\"statement_id\":2,\"error\":\"database not found: \\\"x\\\"\"}]}\n"},
    {"types", "/query?q=types", 200,
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"columns\":[\"time\","
     "\"i\",\"u\",\"b\",\"f\",\"s\",\"d\"],\"values\":[[\"1970-01-01T00:00:00Z\","
     "-9223372036854775808,null,true,1e+21,\"a\\\"b\",\"\\u003c,\\u003e\"],["
     "\"1970-01-01T00:00:01.5Z\",7,8,false,0.1,\"\\u003c,\\u003e\",\"a\\\"b\"]]}]}]}\n"},
    {"tags", "/query?q=tags&epoch=s", 200,
     "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"cpu\",\"tags\":{\"host\":\"first\"}"
     ","
     "\"columns\":[\"time\",\"v\"],\"values\":[[0,\"xyz\"],[1,\"a\\\"b\"],[2,\"xyz\"],"
     "[3,\"a\\\"b\"]]},{\"name\":\"cpu\",\"tags\":{\"host\":\"second\"},\"columns\":[\"time\","
     "\"v\"],\"values\":[[0,\"\\u003c\\n\\u003ecd\"],[1,\"ab\"],[2,\"\\u003c\\n\\u003ecd\"],"
     "[3,\"ab\"]]}]}]}\n"},
    {"no statement", "/query?db=x", 400, "{\"error\":\"missing required parameter \\\"q\\\"\"}\n"},
    {"syntax", "/query?q=syntax", 400,
     "{\"error\":\"error parsing query: found syntax, expected SELECT\"}\n"},
    {"epoch of no unit", "/query?q=rows+1&epoch=y", 400,
     "{\"error\":\"invalid epoch \\\"y\\\" (use ns, u, ms, s, m or h)\"}\n"},
    {"pretty error", "/query?q=syntax&pretty=true", 400,
     "{\n    \"error\": \"error parsing query: found syntax, expected SELECT\"\n}\n"},
    {"read only", "/query?q=CREATE+x", 400, "{\"error\":\"read only\"}\n"},
};

static void test_query_shapes(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  struct buffer out;
  buffer_init(&out, &f.account);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    int status = get(&f, shapes[i].target, &out);
    if (status != shapes[i].status || strcmp((char *)out.data, shapes[i].body) != 0) {
      fail_msg("%s: %d\n%s", shapes[i].name, status, (char *)out.data);
    }
  }
  struct http_client_header csv = {"Accept", STR("application/csv")};
  assert_int_equal(call(&f, "GET", "/query?q=two", STR(""), &csv, 1, &out), 200);
  assert_string_equal((char *)out.data, "name,tags,time,v\ncpu,host=a\\ b,0,0\n"
                                        "cpu,host=a\\ b,1000000000,0.5\n"
                                        "cpu,host=a\\ b,2000000000,1\n"
                                        "cpu,host=c,3000000000,1.5\ncpu,host=c,4000000000,2\n"
                                        "cpu,host=c,5000000000,2.5\n\nerror\n"
                                        "\"database not found: \"\"x\"\"\"\n");
  assert_int_equal(call(&f, "GET", "/query?q=types&epoch=ms", STR(""), &csv, 1, &out), 200);
  assert_string_equal(
      (char *)out.data,
      "name,tags,time,i,u,b,f,s,d\n"
      "cpu,,0,-9223372036854775808,,true,1000000000000000000000,\"a\"\"b\",\"<,>\"\n"
      "cpu,,1500,7,8,false,0.1,\"<,>\",\"a\"\"b\"\n");
  assert_int_equal(call(&f, "GET", "/query?q=syntax", STR(""), &csv, 1, &out), 400);
  assert_string_equal((char *)out.data,
                      "error\n\"error parsing query: found syntax, expected SELECT\"\n");
  struct http_client_header form = {"Content-Type", STR("application/x-www-form-urlencoded")};
  assert_int_equal(call(&f, "POST", "/query?q=syntax&epoch=s", STR("q=rows+1"), &form, 1, &out),
                   200);
  assert_non_null(strstr((char *)out.data, "[[0,0]]"));
  assert_int_equal(call(&f, "POST", "/query", STR("q=%z"), &form, 1, &out), 400);
  form.value = STR("multipart/form-data; boundary=x");
  assert_int_equal(call(&f, "POST", "/query", STR("q=rows"), &form, 1, &out), 400);
  buffer_deinit(&out);
  stop(&f);
}

/* A long answer arrives whole while the server holds little of it at any time. */
static void test_streaming(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  struct buffer out;
  buffer_init(&out, &f.account);
  struct str end = STR("[499999,249999.5]]}]}]}\n");
  assert_int_equal(get(&f, "/query?q=rows+500000&epoch=s", &out), 200);
  assert_true(out.size > 7000000);
  assert_memory_equal(out.data + out.size - end.size, end.data, end.size);
  buffer_deinit(&out);
  buffer_init(&out, &f.account);
  int64_t before = mem_account_used(&f.account);
  int fd = dial(&f);
  put(fd, "GET /query?q=rows+1000000 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  size_t total = 0;
  static char piece[65536];
  for (;;) {
    ssize_t got = recv(fd, piece, sizeof piece, 0);
    if (got <= 0) break;
    total += (size_t)got;
    assert_true(mem_account_used(&f.account) - before < 4 << 20);
  }
  close(fd);
  assert_true(total > 30000000);
  buffer_deinit(&out);
  stop(&f);
}

/* A client that goes away ends its query; one that never reads does not make memory grow. */
static void test_lost_clients(void **state) {
  (void)state;
  struct fixture f;
  start(&f, (const char *const[]){"http.write_timeout", "300ms", NULL});
  char text[1000];
  int fd = dial(&f);
  put(fd, "GET /query?q=endless HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(fd, "values", text, sizeof text);
  close(fd);
  fd = dial(&f);
  put(fd, "GET /query?q=endless HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(fd, "values", text, sizeof text);
  while (atomic_load(&f.api.queries) > 0) { /* it never reads: the write timeout ends it */
    assert_true(mem_account_used(&f.account) < 8 << 20);
    os_sleep_ns(f.os, 10 * NS_PER_MS);
  }
  assert_int_equal(atomic_load(&f.api.cancelled), 2);
  close(fd);
  /* an answer that cannot be completed is not ended as if it were whole */
  fd = dial(&f);
  put(fd, "GET /query?q=broken HTTP/1.1\r\nHost: h\r\n\r\n");
  static char all[8 << 20];
  read_until(fd, "\r\n0\r\n\r\n", all, sizeof all);
  assert_null(strstr(all, "\r\n0\r\n\r\n"));
  close(fd);
  stop(&f);
}

static void test_pipelining(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  char text[20000];
  talk(&f,
       "POST /write?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\ncpu v=1"
       "GET /query?q=rows+1&epoch=s HTTP/1.1\r\nHost: h\r\n\r\n"
       "GET /ping HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n\r\n"
       "GET /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
       "GET /ping?verbose=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
       "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n",
       text, sizeof text);
  const char *at = text;
  static const char *const order[] = {"204 No Content", "200 OK",       "[[0,0]]",
                                      "204 No Content", "mine",         "404 Not Found",
                                      "200 OK",         "1.8.0-nilo\"}"};
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
    at = strstr(at, order[i]);
    if (!at) fail_msg("%s is missing in\n%s", order[i], text);
    at += strlen(order[i]);
  }
  assert_null(strstr(at, "HTTP/1.1")); /* nothing behind Connection: close */
  talk(&f, "GET /query?q=rows+100000 HTTP/1.0\r\n\r\n", text, sizeof text);
  assert_null(strstr(text, "Transfer-Encoding"));
  assert_non_null(strstr(text, "Connection: close"));
  /* a client that says it sends no more still gets all its answers */
  set_held(&f, true);
  int fd = dial(&f);
  put(fd, "POST /write?db=held HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\ncpu v=1"
          "GET /ping HTTP/1.1\r\nHost: h\r\nX-Request-Id: second\r\n\r\n"
          "GET /ping HTTP/1.1\r\nHost: h\r\nX-Request-Id: third\r\n\r\nGET /pi");
  assert_int_equal(shutdown(fd, SHUT_WR), 0);
  os_sleep_ns(f.os, 20 * NS_PER_MS); /* time to read the end before the first answer */
  set_held(&f, false);
  read_until(fd, "no such text", text, sizeof text);
  assert_non_null(strstr(text, "X-Request-Id: second"));
  assert_non_null(strstr(text, "X-Request-Id: third"));
  close(fd);
  stop(&f);
}

static void test_bad_requests(void **state) {
  (void)state;
  struct fixture f;
  start(&f, (const char *const[]){"http.header_timeout", "200ms", "http.body_timeout", "200ms",
                                  "http.body_size_max", "1MiB", NULL});
  static const struct {
    const char *name, *text, *answer;
  } rows[] = {
      {"not HTTP", "hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
      {"no host", "GET /ping HTTP/1.1\r\n\r\n", "without a Host header"},
      {"version", "GET /ping HTTP/3.0\r\n\r\n", "HTTP/1.1 505 "},
      {"both framings",
       "POST /write?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n",
       "both Content-Length"},
      {"too large", "POST /write?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nabc",
       "HTTP/1.1 413 "},
      {"unknown path with a large body",
       "POST /wirte?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\nabc",
       "did you mean /write?"},
      {"slow head", "GET /ping HTT", "HTTP/1.1 408 "},
      {"slow body", "POST /write?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
       "HTTP/1.1 408 "},
      {"expectation", "POST /write HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", "HTTP/1.1 417 "},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[4000];
    talk(&f, rows[i].text, text, sizeof text);
    if (!strstr(text, rows[i].answer)) fail_msg("%s:\n%s", rows[i].name, text);
    assert_non_null(strstr(text, "Connection: close"));
    assert_non_null(strstr(text, "X-Influxdb-Error: "));
  }
  stop(&f);
}

static void test_continue(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  char text[4000];
  int fd = dial(&f);
  put(fd, "POST /write?db=x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
          "7\r\n\r\n");
  read_until(fd, "\r\n\r\n", text, sizeof text);
  assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
  put(fd, "cpu v=1");
  read_until(fd, "\r\n\r\n", text, sizeof text);
  assert_non_null(strstr(text, "HTTP/1.1 204"));
  /* a request that will be refused is not asked for its body */
  put(fd, "POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
          "7\r\n\r\n");
  read_until(fd, "}\n", text, sizeof text);
  assert_non_null(strstr(text, "HTTP/1.1 404"));
  assert_null(strstr(text, "100 Continue"));
  close(fd);
  stop(&f);
}

static void test_limits(void **state) {
  (void)state;
  struct fixture f;
  start(&f,
        (const char *const[]){"http.connections_max", "3", "http.bodies_size_max", "1MiB", NULL});
  char text[4000];
  int fds[3];
  for (int i = 0; i < 3; i++) {
    fds[i] = dial(&f);
    put(fds[i], "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
    read_until(fds[i], "\r\n\r\n", text, sizeof text);
  }
  int fd = dial(&f);
  read_until(fd, NULL, text, sizeof text);
  assert_non_null(strstr(text, "503"));
  assert_non_null(strstr(text, "too many connections"));
  close(fd);
  /* two bodies of 700 kB do not fit together: the second waits for the first */
  size_t size = 700000;
  char *body = malloc(size);
  memset(body, 'x', size);
  set_held(&f, true);
  for (int i = 0; i < 2; i++) {
    put(fds[i], i == 0 ? "POST /write?db=held HTTP/1.1\r\nHost: h\r\nContent-Length: 700000\r\n\r\n"
                       : "POST /write?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 700000\r\n\r\n");
    if (i == 0) {
      for (size_t at = 0; at < size;)
        at += (size_t)send(fds[i], body + at, size - at, 0);
    }
    os_sleep_ns(f.os, 50 * NS_PER_MS);
  }
  set_held(&f, false);
  for (size_t at = 0; at < size;)
    at += (size_t)send(fds[1], body + at, size - at, 0);
  for (int i = 0; i < 2; i++) {
    read_until(fds[i], "\r\n\r\n", text, sizeof text);
    if (!strstr(text, "HTTP/1.1 204")) fail_msg("%d: %s", i, text);
  }
  free(body);
  for (int i = 0; i < 3; i++)
    close(fds[i]);
  stop(&f);
}

/* Stopping lets a running write end and answer. */
static void let_go(void *context) {
  struct fixture *f = context;
  os_sleep_ns(f->os, 100 * NS_PER_MS);
  set_held(f, false);
}

static void test_stop(void **state) {
  (void)state;
  struct fixture f;
  start(&f, (const char *const[]){"http.shutdown_grace", "20s", NULL});
  char text[4000];
  set_held(&f, true);
  int idle = dial(&f);
  int busy = dial(&f);
  put(busy, "POST /write?db=held HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  os_sleep_ns(f.os, 50 * NS_PER_MS);
  struct os_thread *thread;
  assert_int_equal(os_thread_create(f.os, "let-go", let_go, &f, &thread, NULL), 0);
  server_interrupt(f.server);
  server_wait(f.server);
  server_stop(f.server);
  f.server = NULL;
  os_thread_join(thread);
  read_until(busy, NULL, text, sizeof text);
  assert_non_null(strstr(text, "HTTP/1.1 204"));
  assert_non_null(strstr(text, "Connection: close"));
  read_until(idle, NULL, text, sizeof text);
  assert_string_equal(text, "");
  close(idle);
  close(busy);
  stop(&f);
}

static void test_addresses(void **state) {
  (void)state;
  struct fixture f;
  start(&f, NULL);
  struct server_options options = {
      .api = &f.api,
      .os = f.os,
      .pool = f.pool,
      .account = &f.account,
      .settings = f.settings,
      .metrics = f.metrics,
      .address = server_address(f.server),
  };
  struct server *second;
  struct err err = {0};
  assert_int_equal(server_start(&options, &second, &err), ERR_NETWORK);
  assert_non_null(strstr(err.detail, "in use"));
  options.address = "localhost:port";
  assert_int_equal(server_start(&options, &second, &err), ERR_INVALID_ARGUMENT);
  options.address = "192.0.2.1:0"; /* TEST-NET: not an address of this host */
  assert_int_equal(server_start(&options, &second, &err), ERR_NETWORK);
  options.address = "localhost:0";
  assert_int_equal(server_start(&options, &second, &err), 0);
  server_stop(second);
  stop(&f);
}

/* Many connections at once, spread over the loops, each with several requests. */
static void test_many(void **state) {
  (void)state;
  struct fixture f;
  start(&f, (const char *const[]){"http.loops", "3", NULL});
  enum { COUNT = 60 };
  int fds[COUNT];
  char text[4000];
  for (int i = 0; i < COUNT; i++)
    fds[i] = dial(&f);
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < COUNT; i++) {
      put(fds[i], "POST /write?db=x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    }
    for (int i = 0; i < COUNT; i++) {
      read_until(fds[i], "\r\n\r\n", text, sizeof text);
      assert_non_null(strstr(text, "HTTP/1.1 204"));
    }
  }
  for (int i = 0; i < COUNT; i += 2)
    close(fds[i]);
  stop(&f);
  for (int i = 1; i < COUNT; i += 2)
    close(fds[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_state_routes), cmocka_unit_test(test_write),
      cmocka_unit_test(test_large_bodies), cmocka_unit_test(test_query_shapes),
      cmocka_unit_test(test_streaming),    cmocka_unit_test(test_lost_clients),
      cmocka_unit_test(test_pipelining),   cmocka_unit_test(test_bad_requests),
      cmocka_unit_test(test_continue),     cmocka_unit_test(test_limits),
      cmocka_unit_test(test_stop),         cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
