/* The head of an HTTP message: start line, header lines, and what they mean for the framing of the
 * body (RFC 9112 sections 3 to 6). Lines arrive here whole and without their CRLF.
 *
 * What decides where a message ends is checked most strictly, because a proxy in front of the
 * server that reads it otherwise would let one client's bytes become another's request. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wire/http_private.h"

/* 1 for tchar of RFC 9110 5.6.2. */
static const uint8_t token_bytes[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,         ['&'] = 1,         ['\''] = 1,
    ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,         ['^'] = 1,         ['_'] = 1,
    ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

bool http__is_token(struct str text) {
  if (text.size == 0) return false;
  for (size_t i = 0; i < text.size; i++) {
    if (!token_bytes[(uint8_t)text.data[i]]) return false;
  }
  return true;
}

int http__fail(struct http_parser *parser, int status, int code, struct err *err,
               const char *format, ...) {
  char text[200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  parser->error_status = status;
  parser->state = HTTP_STATE_FAILED;
  return err_set(err, code, "%s", text);
}

static int bad(struct http_parser *parser, struct err *err, const char *what) {
  return http__fail(parser, 400, ERR_PARSE, err, "%s", what);
}

static enum http_method method_of(struct str text) {
  static const struct {
    struct str text;
    enum http_method method;
  } methods[] = {
      {{"GET", 3}, HTTP_GET},         {{"POST", 4}, HTTP_POST}, {{"HEAD", 4}, HTTP_HEAD},
      {{"OPTIONS", 7}, HTTP_OPTIONS}, {{"PUT", 3}, HTTP_PUT},   {{"DELETE", 6}, HTTP_DELETE},
      {{"PATCH", 5}, HTTP_PATCH},
  };
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    if (str_equal(text, methods[i].text)) return methods[i].method;
  }
  return HTTP_OTHER;
}

/* "HTTP/1.1" -> 1. A higher minor is read as 1, as RFC 9110 2.5 wants. */
static int parse_version(struct http_parser *parser, struct str text, struct err *err) {
  if (text.size != 8 || memcmp(text.data, "HTTP/", 5) != 0 || text.data[6] != '.' ||
      text.data[5] < '0' || text.data[5] > '9' || text.data[7] < '0' || text.data[7] > '9') {
    return bad(parser, err, "the start line does not name an HTTP version such as HTTP/1.1");
  }
  if (text.data[5] != '1') {
    return http__fail(parser, 505, ERR_UNSUPPORTED, err, "HTTP version %c.%c is not spoken here",
                      text.data[5], text.data[7]);
  }
  parser->message.minor = text.data[7] == '0' ? 0 : 1;
  parser->message.keep_alive = parser->message.minor == 1;
  return ERR_OK;
}

/* Finds path and query in the target: "/path?query", "http://host/path?query" or "*". */
static int parse_target(struct http_parser *parser, struct err *err) {
  struct http_message *message = &parser->message;
  struct str target = http_text(parser, message->target);
  for (size_t i = 0; i < target.size; i++) {
    uint8_t byte = (uint8_t)target.data[i];
    if (byte <= 0x20 || byte == 0x7f) return bad(parser, err, "control byte in the request target");
    if (byte == '#') return bad(parser, err, "'#' in the request target");
  }
  uint32_t start = message->target.start;
  uint32_t end = start + message->target.size;
  if (target.size == 1 && target.data[0] == '*') {
    if (message->method != HTTP_OPTIONS) return bad(parser, err, "target '*' is for OPTIONS only");
    message->path = message->target;
    return ERR_OK;
  }
  bool absolute =
      target.size > 7 && str_equal_ignoring_case((struct str){target.data, 7}, STR("http://"));
  if (absolute) {
    uint32_t authority = start + 7;
    uint32_t at = authority;
    const char *bytes = (const char *)parser->head.data;
    while (at < end && bytes[at] != '/' && bytes[at] != '?')
      at++;
    if (at == authority) return bad(parser, err, "absolute request target without a host");
    start = at;
  } else if (target.data[0] != '/') {
    return bad(parser, err, "the request target does not begin with '/' or 'http://'");
  }
  const char *bytes = (const char *)parser->head.data;
  const char *mark = end > start ? memchr(bytes + start, '?', end - start) : NULL;
  uint32_t path_end = mark ? (uint32_t)(mark - bytes) : end;
  message->path = (struct http_span){start, path_end - start};
  if (mark) message->query = (struct http_span){path_end + 1, end - path_end - 1};
  return ERR_OK;
}

int http__request_line(struct http_parser *parser, uint32_t start, uint32_t size, struct err *err) {
  struct str line = {(const char *)parser->head.data + start, size};
  const char *first = memchr(line.data, ' ', size);
  if (!first) return bad(parser, err, "the request line is not 'METHOD target HTTP/1.1'");
  struct str method = {line.data, (size_t)(first - line.data)};
  if (!http__is_token(method)) return bad(parser, err, "the method is not a valid name");
  const char *target = first + 1;
  const char *second = memchr(target, ' ', size - method.size - 1);
  if (!second || second == target) {
    return bad(parser, err, "the request line is not 'METHOD target HTTP/1.1'");
  }
  struct http_message *message = &parser->message;
  message->method = method_of(method);
  message->method_text = (struct http_span){start, (uint32_t)method.size};
  message->target =
      (struct http_span){start + (uint32_t)(target - line.data), (uint32_t)(second - target)};
  struct str version = {second + 1, size - (size_t)(second + 1 - line.data)};
  int code = parse_version(parser, version, err);
  return code ? code : parse_target(parser, err);
}

int http__status_line(struct http_parser *parser, uint32_t start, uint32_t size, struct err *err) {
  const char *line = (const char *)parser->head.data + start;
  if (size < 12 || line[8] != ' ' || (size > 12 && line[12] != ' ')) {
    return bad(parser, err, "the status line is not 'HTTP/1.1 200 OK'");
  }
  int status = 0;
  for (int i = 9; i < 12; i++) {
    if (line[i] < '0' || line[i] > '9') return bad(parser, err, "the status is not three digits");
    status = status * 10 + (line[i] - '0');
  }
  if (status < 100) return bad(parser, err, "the status is below 100");
  parser->message.status = status;
  return parse_version(parser, (struct str){line, 8}, err);
}

int http__split_header(struct http_parser *parser, struct str line, struct str *name,
                       struct str *value, struct err *err) {
  if (line.data[0] == ' ' || line.data[0] == '\t') {
    return bad(parser, err, "a header line begins with white space (folded lines are refused)");
  }
  const char *colon = memchr(line.data, ':', line.size);
  if (!colon) return bad(parser, err, "a header line has no colon");
  *name = (struct str){line.data, (size_t)(colon - line.data)};
  if (name->size && (colon[-1] == ' ' || colon[-1] == '\t')) {
    return bad(parser, err, "white space before the colon of a header");
  }
  if (!http__is_token(*name)) return bad(parser, err, "a header name holds a byte it may not");
  const char *begin = colon + 1;
  const char *end = line.data + line.size;
  while (begin < end && (*begin == ' ' || *begin == '\t'))
    begin++;
  while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
    end--;
  *value = (struct str){begin, (size_t)(end - begin)};
  for (size_t i = 0; i < value->size; i++) {
    uint8_t byte = (uint8_t)value->data[i];
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
      return bad(parser, err, "control byte in a header value");
    }
  }
  return ERR_OK;
}

/* Content-Length: one header, digits only, below 2^63. */
static int take_length(struct http_parser *parser, struct str value, struct err *err) {
  if (parser->message.has_length) return bad(parser, err, "more than one Content-Length");
  if (value.size == 0) return bad(parser, err, "Content-Length is not a number");
  uint64_t length = 0;
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] < '0' || value.data[i] > '9') {
      return bad(parser, err, "Content-Length is not a number");
    }
    if (length > (uint64_t)INT64_MAX / 10 - 1) {
      return http__fail(parser, 413, ERR_BODY_TOO_LARGE, err, "Content-Length is beyond 2^63");
    }
    length = length * 10 + (uint64_t)(value.data[i] - '0');
  }
  parser->message.has_length = true;
  parser->message.length = length;
  return ERR_OK;
}

static int take_encoding(struct http_parser *parser, struct str value, struct err *err) {
  if (parser->saw_encoding) return bad(parser, err, "more than one Transfer-Encoding");
  parser->saw_encoding = true;
  if (parser->message.minor == 0) return bad(parser, err, "Transfer-Encoding in HTTP/1.0");
  if (!str_equal_ignoring_case(value, STR("chunked"))) {
    return http__fail(parser, 501, ERR_UNSUPPORTED, err,
                      "the only Transfer-Encoding spoken here is 'chunked'");
  }
  parser->message.chunked = true;
  return ERR_OK;
}

/* The headers that steer the parser itself. */
static int take_header(struct http_parser *parser, struct str name, struct str value,
                       struct err *err) {
  struct http_message *message = &parser->message;
  switch (name.size) {
  case 4:
    if (!parser->response && str_equal_ignoring_case(name, STR("host"))) {
      if (parser->saw_host) return bad(parser, err, "more than one Host");
      parser->saw_host = true;
    }
    return ERR_OK;
  case 6:
    if (!parser->response && str_equal_ignoring_case(name, STR("expect"))) {
      if (!str_equal_ignoring_case(value, STR("100-continue"))) {
        return http__fail(parser, 417, ERR_UNSUPPORTED, err, "Expect is not '100-continue'");
      }
      message->expect_continue = message->minor == 1;
    }
    return ERR_OK;
  case 10:
    if (str_equal_ignoring_case(name, STR("connection"))) {
      if (http_value_has_token(value, STR("close")))
        message->keep_alive = false;
      else if (message->minor == 0 && http_value_has_token(value, STR("keep-alive"))) {
        message->keep_alive = true;
      }
    }
    return ERR_OK;
  case 14:
    return str_equal_ignoring_case(name, STR("content-length")) ? take_length(parser, value, err)
                                                                : ERR_OK;
  case 17:
    return str_equal_ignoring_case(name, STR("transfer-encoding"))
               ? take_encoding(parser, value, err)
               : ERR_OK;
  default:
    return ERR_OK;
  }
}

int http__header_line(struct http_parser *parser, uint32_t start, uint32_t size, struct err *err) {
  if (parser->header_count >= parser->limits.header_count_max) {
    return http__fail(parser, 431, ERR_LIMIT_EXCEEDED, err, "more than %u headers",
                      parser->limits.header_count_max);
  }
  const char *head = (const char *)parser->head.data;
  struct str name, value;
  int code = http__split_header(parser, (struct str){head + start, size}, &name, &value, err);
  if (code) return code;
  code = take_header(parser, name, value, err);
  if (code) return code;
  struct http_header_span span = {
      {start, (uint32_t)name.size},
      {(uint32_t)(value.data - head), (uint32_t)value.size},
  };
  if (!buffer_append(&parser->spans, &span, sizeof span)) {
    code = buffer_check(&parser->spans, err);
    parser->error_status = 503;
    parser->state = HTTP_STATE_FAILED;
    return code;
  }
  parser->header_count++;
  return ERR_OK;
}

/* RFC 9112 6.3, for a response. */
static void frame_response(struct http_parser *parser) {
  struct http_message *message = &parser->message;
  int status = message->status;
  if (parser->no_body || status == 204 || status == 304) {
    parser->state = HTTP_STATE_COMPLETE;
  } else if (message->chunked) {
    parser->state = HTTP_STATE_CHUNK_LINE;
  } else if (message->has_length) {
    parser->remaining = message->length;
    parser->state = message->length ? HTTP_STATE_SIZED : HTTP_STATE_COMPLETE;
  } else {
    message->keep_alive = false;
    parser->state = HTTP_STATE_UNTIL_END;
  }
}

int http__head_complete(struct http_parser *parser, struct err *err) {
  struct http_message *message = &parser->message;
  if (message->chunked && message->has_length) {
    return bad(parser, err, "both Content-Length and Transfer-Encoding");
  }
  if (!parser->response && !parser->saw_host && message->minor == 1) {
    return bad(parser, err, "HTTP/1.1 request without a Host header");
  }
  if (message->has_length && parser->limits.body_max && message->length > parser->limits.body_max) {
    return http__fail(parser, 413, ERR_BODY_TOO_LARGE, err,
                      "a body of %llu bytes is larger than the limit of %llu",
                      (unsigned long long)message->length,
                      (unsigned long long)parser->limits.body_max);
  }
  if (parser->response) {
    frame_response(parser);
  } else if (message->chunked) {
    parser->state = HTTP_STATE_CHUNK_LINE;
  } else if (message->length) {
    parser->remaining = message->length;
    parser->state = HTTP_STATE_SIZED;
  } else {
    message->expect_continue = false; /* there is no body to wait for */
    parser->state = HTTP_STATE_COMPLETE;
  }
  return ERR_OK;
}
