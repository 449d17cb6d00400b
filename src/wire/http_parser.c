/* The HTTP message parser: bytes in, events out.
 *
 * The head is copied line by line into one buffer (it is small, and its parts must outlive the
 * input); body bytes are handed through as slices of the input. Chunk-size and trailer lines borrow
 * the room behind the head, which is made once, before HTTP_EVENT_HEAD is given: from then on the
 * buffer does not move, so the texts of the head stay where they are while the body arrives. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "wire/http_private.h"

void http_parser_init(struct http_parser *parser, const struct http_limits *limits,
                      struct mem_account *account) {
  memset(parser, 0, sizeof *parser);
  if (limits) {
    parser->limits = *limits;
  } else {
    parser->limits = (struct http_limits){
        .line_max = HTTP_LINE_MAX_DEFAULT,
        .header_bytes_max = HTTP_HEADER_BYTES_MAX_DEFAULT,
        .header_count_max = HTTP_HEADER_COUNT_MAX_DEFAULT,
    };
  }
  buffer_init(&parser->head, account);
  buffer_init(&parser->spans, account);
}

void http_parser_init_response(struct http_parser *parser, const struct http_limits *limits,
                               struct mem_account *account) {
  http_parser_init(parser, limits, account);
  parser->response = true;
}

void http_parser_deinit(struct http_parser *parser) {
  buffer_deinit(&parser->head);
  buffer_deinit(&parser->spans);
}

void http_parser_reset(struct http_parser *parser) {
  buffer_reset(&parser->head);
  buffer_reset(&parser->spans);
  memset(&parser->message, 0, sizeof parser->message);
  parser->error_status = 0;
  parser->state = HTTP_STATE_START;
  parser->no_body = false;
  parser->saw_host = false;
  parser->saw_encoding = false;
  parser->line_start = 0;
  parser->header_start = 0;
  parser->head_size = 0;
  parser->header_count = 0;
  parser->empty_lines = 0;
  parser->overhead = 0;
  parser->remaining = 0;
  parser->body_seen = 0;
}

void http_parser_expect_no_body(struct http_parser *parser) { parser->no_body = true; }

bool http_parser_is_inside(const struct http_parser *parser) {
  return parser->state != HTTP_STATE_DONE &&
         (parser->state != HTTP_STATE_START || parser->head.size > 0);
}

uint64_t http_parser_body_left(const struct http_parser *parser) {
  return parser->state == HTTP_STATE_SIZED ? parser->remaining : 0;
}

static int fail_memory(struct http_parser *parser, const struct buffer *buffer, struct err *err) {
  parser->error_status = 503;
  parser->state = HTTP_STATE_FAILED;
  return buffer_check(buffer, err);
}

static int too_long(struct http_parser *parser, struct err *err) {
  switch (parser->state) {
  case HTTP_STATE_START:
    return http__fail(parser, 414, ERR_LIMIT_EXCEEDED, err,
                      "the start line is longer than %u bytes", parser->limits.line_max);
  case HTTP_STATE_HEADERS:
    return http__fail(parser, 431, ERR_LIMIT_EXCEEDED, err, "the headers are larger than %u bytes",
                      parser->limits.header_bytes_max);
  default:
    return http__fail(parser, 400, ERR_LIMIT_EXCEEDED, err,
                      "a chunk-size or trailer line is longer than %d bytes", HTTP_CHUNK_LINE_MAX);
  }
}

/* Bytes that the line at hand may still grow by. */
static size_t line_room(const struct http_parser *parser) {
  size_t have = parser->head.size - parser->line_start;
  size_t max = HTTP_CHUNK_LINE_MAX;
  if (parser->state == HTTP_STATE_START) max = parser->limits.line_max;
  if (parser->state == HTTP_STATE_HEADERS) {
    have = parser->head.size - parser->header_start;
    max = parser->limits.header_bytes_max;
  }
  return have < max ? max - have : 0;
}

/* Copies bytes up to and with the next LF to the head; *size is the line's without CRLF when it is
 * complete. */
static int take_line(struct http_parser *parser, struct str input, size_t *used, bool *complete,
                     uint32_t *size, struct err *err) {
  const char *from = input.data + *used;
  size_t left = input.size - *used;
  const char *feed = left ? memchr(from, '\n', left) : NULL;
  size_t take = feed ? (size_t)(feed - from) + 1 : left;
  if (take > line_room(parser)) return too_long(parser, err);
  *complete = false;
  if (take == 0) return ERR_OK;
  if (!buffer_append(&parser->head, from, take)) return fail_memory(parser, &parser->head, err);
  *used += take;
  if (!feed) return ERR_OK;
  const char *line = (const char *)parser->head.data + parser->line_start;
  size_t length = parser->head.size - parser->line_start;
  const char *carriage = memchr(line, '\r', length);
  if (!carriage) {
    return http__fail(parser, 400, ERR_PARSE, err, "a line ends with LF instead of CR LF");
  }
  if (carriage != line + length - 2) {
    return http__fail(parser, 400, ERR_PARSE, err, "a CR inside a line");
  }
  *complete = true;
  *size = (uint32_t)length - 2;
  return ERR_OK;
}

/* Makes room for the lines of chunks, so that the head's texts never move afterwards. */
static int fix_head(struct http_parser *parser, struct err *err) {
  parser->head_size = (uint32_t)parser->head.size;
  parser->line_start = parser->head_size;
  if (parser->message.chunked && !buffer_reserve(&parser->head, HTTP_CHUNK_LINE_MAX)) {
    return fail_memory(parser, &parser->head, err);
  }
  return ERR_OK;
}

/* An interim response is over: what follows is a new head. */
static void skip_interim(struct http_parser *parser) {
  bool no_body = parser->no_body;
  http_parser_reset(parser);
  parser->no_body = no_body;
}

/* One line of the head. */
static int step_head(struct http_parser *parser, struct str input, size_t *used,
                     enum http_event *event, struct err *err) {
  bool complete;
  uint32_t size;
  int code = take_line(parser, input, used, &complete, &size, err);
  if (code || !complete) return code;
  uint32_t start = parser->line_start;
  parser->line_start = (uint32_t)parser->head.size;
  if (parser->state == HTTP_STATE_START) {
    if (size == 0) { /* RFC 9112 2.2: empty lines before a request are ignored, here up to four */
      if (++parser->empty_lines > 4) {
        return http__fail(parser, 400, ERR_PARSE, err, "empty lines instead of a request");
      }
      buffer_reset(&parser->head);
      parser->line_start = 0;
      return ERR_OK;
    }
    code = parser->response ? http__status_line(parser, start, size, err)
                            : http__request_line(parser, start, size, err);
    if (code) return code;
    parser->state = HTTP_STATE_HEADERS;
    parser->header_start = parser->line_start;
    return ERR_OK;
  }
  if (size > 0) return http__header_line(parser, start, size, err);
  code = http__head_complete(parser, err);
  if (code) return code;
  if (parser->response && parser->message.status < 200) {
    if (parser->message.status == 101) {
      return http__fail(parser, 502, ERR_UNSUPPORTED, err, "the server switched protocols");
    }
    skip_interim(parser);
    return ERR_OK;
  }
  *event = HTTP_EVENT_HEAD;
  return fix_head(parser, err);
}

/* Forgets the chunk-size or trailer line just read and counts its bytes. */
static int drop_line(struct http_parser *parser, uint32_t counted, struct err *err) {
  parser->head.size = parser->head_size;
  parser->overhead += counted;
  if (parser->overhead > HTTP_CHUNK_OVERHEAD_MAX) {
    return http__fail(parser, 431, ERR_LIMIT_EXCEEDED, err,
                      "chunk extensions and trailers are larger than %d bytes",
                      HTTP_CHUNK_OVERHEAD_MAX);
  }
  return ERR_OK;
}

/* "1a2b" or "1a2b;name=value": digits, then nothing or an extension, which is ignored. */
static int parse_chunk_size(struct http_parser *parser, struct str line, uint64_t *size,
                            uint32_t *digits, struct err *err) {
  uint64_t value = 0;
  size_t i = 0;
  for (; i < line.size; i++) {
    char c = line.data[i];
    unsigned digit;
    if (c >= '0' && c <= '9')
      digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = (unsigned)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F')
      digit = (unsigned)(c - 'A') + 10;
    else
      break;
    if (value >> 58) return http__fail(parser, 413, ERR_BODY_TOO_LARGE, err, "chunk beyond 2^62");
    value = value << 4 | digit;
  }
  if (i == 0) return http__fail(parser, 400, ERR_PARSE, err, "a chunk size is not a hex number");
  *digits = (uint32_t)i;
  while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t'))
    i++;
  if (i < line.size && line.data[i] != ';') {
    return http__fail(parser, 400, ERR_PARSE, err, "a chunk size is followed by something else");
  }
  *size = value;
  return ERR_OK;
}

static int step_chunk_line(struct http_parser *parser, struct str input, size_t *used,
                           struct err *err) {
  bool complete;
  uint32_t size;
  int code = take_line(parser, input, used, &complete, &size, err);
  if (code || !complete) return code;
  struct str line = {(const char *)parser->head.data + parser->head_size, size};
  if (parser->state == HTTP_STATE_CHUNK_END) {
    if (size) return http__fail(parser, 400, ERR_PARSE, err, "a chunk is longer than its size");
    parser->state = HTTP_STATE_CHUNK_LINE;
    return drop_line(parser, 0, err);
  }
  if (parser->state == HTTP_STATE_TRAILERS) {
    if (size == 0) {
      parser->state = HTTP_STATE_COMPLETE;
      return drop_line(parser, 0, err);
    }
    struct str name, value;
    code = http__split_header(parser, line, &name, &value, err);
    return code ? code : drop_line(parser, size + 2, err);
  }
  uint64_t chunk = 0;
  uint32_t digits = 0;
  code = parse_chunk_size(parser, line, &chunk, &digits, err);
  if (code) return code;
  uint64_t max = parser->limits.body_max;
  if (max && (chunk > max || parser->body_seen > max - chunk)) {
    return http__fail(parser, 413, ERR_BODY_TOO_LARGE, err, "the body is larger than %llu bytes",
                      (unsigned long long)max);
  }
  parser->remaining = chunk;
  parser->state = chunk ? HTTP_STATE_CHUNK : HTTP_STATE_TRAILERS;
  return drop_line(parser, size - digits, err);
}

/* Hands out what the input holds of the body or chunk. */
static void step_body(struct http_parser *parser, struct str input, size_t *used,
                      enum http_event *event, struct str *body) {
  size_t left = input.size - *used;
  if (left == 0) return;
  size_t take = left;
  if (parser->state != HTTP_STATE_UNTIL_END && take > parser->remaining) {
    take = (size_t)parser->remaining;
  }
  *body = (struct str){input.data + *used, take};
  *event = HTTP_EVENT_BODY;
  *used += take;
  parser->body_seen += take;
  if (parser->state == HTTP_STATE_UNTIL_END) return;
  parser->remaining -= take;
  if (parser->remaining == 0) {
    parser->state = parser->state == HTTP_STATE_CHUNK ? HTTP_STATE_CHUNK_END : HTTP_STATE_COMPLETE;
  }
}

int http_parser_next(struct http_parser *parser, struct str input, size_t *used,
                     enum http_event *event, struct str *body, struct err *err) {
  *used = 0;
  *event = HTTP_EVENT_MORE;
  for (;;) {
    size_t before = *used;
    int state = parser->state;
    int code = ERR_OK;
    switch (state) {
    case HTTP_STATE_START:
    case HTTP_STATE_HEADERS:
      code = step_head(parser, input, used, event, err);
      break;
    case HTTP_STATE_SIZED:
    case HTTP_STATE_CHUNK:
    case HTTP_STATE_UNTIL_END:
      step_body(parser, input, used, event, body);
      break;
    case HTTP_STATE_CHUNK_LINE:
    case HTTP_STATE_CHUNK_END:
    case HTTP_STATE_TRAILERS:
      code = step_chunk_line(parser, input, used, err);
      break;
    case HTTP_STATE_COMPLETE:
      parser->state = HTTP_STATE_DONE;
      *event = HTTP_EVENT_END;
      return ERR_OK;
    case HTTP_STATE_DONE:
      return ERR_OK; /* the next message waits for http_parser_reset */
    default:
      return err_set(err, ERR_PARSE, "the HTTP stream has failed before");
    }
    if (code || *event != HTTP_EVENT_MORE) return code;
    if (*used == before && parser->state == state) return ERR_OK;
  }
}

int http_parser_finish(struct http_parser *parser, enum http_event *event, struct err *err) {
  *event = HTTP_EVENT_MORE;
  if (parser->state == HTTP_STATE_UNTIL_END || parser->state == HTTP_STATE_COMPLETE) {
    parser->state = HTTP_STATE_DONE;
    *event = HTTP_EVENT_END;
    return ERR_OK;
  }
  if (!http_parser_is_inside(parser)) return ERR_OK;
  return http__fail(parser, 400, ERR_END_OF_INPUT, err,
                    "the connection was closed inside an HTTP message");
}

struct str http_text(const struct http_parser *parser, struct http_span span) {
  if (parser->head.data == NULL) return (struct str){NULL, 0};
  return (struct str){(const char *)parser->head.data + span.start, span.size};
}

size_t http_header_count(const struct http_parser *parser) { return parser->header_count; }

void http_header_at(const struct http_parser *parser, size_t index, struct str *name,
                    struct str *value) {
  assert(index < parser->header_count);
  struct http_header_span span;
  memcpy(&span, parser->spans.data + index * sizeof span, sizeof span);
  *name = http_text(parser, span.name);
  *value = http_text(parser, span.value);
}

struct str http_header(const struct http_parser *parser, struct str name) {
  for (size_t i = 0; i < parser->header_count; i++) {
    struct str other, value;
    http_header_at(parser, i, &other, &value);
    if (str_equal_ignoring_case(name, other)) return value;
  }
  return (struct str){NULL, 0};
}

bool http_value_has_token(struct str value, struct str token) {
  size_t at = 0;
  while (at < value.size) {
    size_t end = at;
    while (end < value.size && value.data[end] != ',')
      end++;
    size_t stop = at;
    while (stop < end && value.data[stop] != ';')
      stop++;
    while (at < stop && (value.data[at] == ' ' || value.data[at] == '\t'))
      at++;
    while (stop > at && (value.data[stop - 1] == ' ' || value.data[stop - 1] == '\t'))
      stop--;
    if (str_equal_ignoring_case((struct str){value.data + at, stop - at}, token)) return true;
    at = end + 1;
  }
  return false;
}
