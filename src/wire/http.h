/* HTTP/1.0 and HTTP/1.1 messages (RFC 9112): a parser that is fed bytes as they come, for requests
 * and for responses, and a writer into a buffer. No sockets, no routes.
 *
 * The parser keeps the head (start line and header lines) in a buffer of its own and hands body
 * bytes through without copying. Where RFC 9112 leaves a choice it takes the one that two parsers
 * in a row cannot read differently: both a length and chunks, two lengths, folded lines, a lone CR
 * or LF, and white space before the colon are refused, never repaired.
 *
 * Threads: one at a time per parser. */
#ifndef NILO_WIRE_HTTP_H
#define NILO_WIRE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

struct err;
struct mem_account;

enum http_method {
  HTTP_GET,
  HTTP_HEAD,
  HTTP_POST,
  HTTP_PUT,
  HTTP_DELETE,
  HTTP_OPTIONS,
  HTTP_PATCH,
  HTTP_OTHER, /* a valid token that is none of these; its text says which */
};

enum http_event {
  HTTP_EVENT_MORE, /* everything was used; feed more */
  HTTP_EVENT_HEAD, /* the head is complete; the message and its headers may be asked */
  HTTP_EVENT_BODY, /* some body bytes, inside the input */
  HTTP_EVENT_END,  /* the message is complete; http_parser_reset comes before the next one */
};

/* Bounds on what a peer may send. */
struct http_limits {
  uint32_t line_max;         /* bytes of the start line; beyond: 414 */
  uint32_t header_bytes_max; /* bytes of all header lines together; beyond: 431 */
  uint32_t header_count_max; /* beyond: 431 */
  uint64_t body_max;         /* bytes of the body as sent; beyond: 413; 0: no limit */
};
enum {
  HTTP_LINE_MAX_DEFAULT = 65536, /* statements arrive in the target of GET /query */
  HTTP_HEADER_BYTES_MAX_DEFAULT = 65536,
  HTTP_HEADER_COUNT_MAX_DEFAULT = 100,
  HTTP_CHUNK_LINE_MAX = 1024,      /* bytes of one chunk-size or trailer line */
  HTTP_CHUNK_OVERHEAD_MAX = 65536, /* bytes of chunk extensions and trailers in one message */
  HTTP_DATE_SIZE = 30,             /* "Sun, 06 Nov 1994 08:49:37 GMT" and its terminator */
};

/* A part of the head, as offsets, so that the head may move while it grows. */
struct http_span {
  uint32_t start;
  uint32_t size;
};

/* What a head says. Valid from HTTP_EVENT_HEAD until http_parser_reset. */
struct http_message {
  enum http_method method; /* requests */
  int status;              /* responses */
  int minor;               /* HTTP/1.<minor>: 0 or 1 */
  bool keep_alive;         /* the connection may be used again after this message */
  bool expect_continue;    /* the client waits for "100 Continue" before it sends the body */
  bool chunked;
  bool has_length;
  uint64_t length; /* Content-Length, when has_length */
  struct http_span method_text;
  struct http_span target; /* as sent */
  struct http_span path;   /* of the target, still percent-encoded; "*" for OPTIONS * */
  struct http_span query;  /* after the '?', still encoded */
};

struct http_parser {
  struct http_limits limits;
  struct http_message message;
  int error_status; /* after a failure: the status to answer with (400, 413, 414, 431, 501, 505) */
  /* the parser's own */
  int state;
  bool response;
  bool no_body;
  bool saw_host;
  bool saw_encoding;
  uint32_t line_start;
  uint32_t header_start; /* where the header lines begin in head */
  uint32_t head_size;
  uint32_t header_count;
  uint32_t empty_lines;
  uint32_t overhead;
  uint64_t remaining; /* bytes of the body or of the chunk still to come */
  uint64_t body_seen;
  struct buffer head;
  struct buffer spans; /* struct http_header_span per header */
};

/* Prepares a parser for requests; limits NULL: the defaults, without a body limit. The head's bytes
 * are charged to `account`. */
void http_parser_init(struct http_parser *parser, const struct http_limits *limits,
                      struct mem_account *account);
/* The same for responses. */
void http_parser_init_response(struct http_parser *parser, const struct http_limits *limits,
                               struct mem_account *account);
void http_parser_deinit(struct http_parser *parser);
/* Ready for the next message; keeps the memory. */
void http_parser_reset(struct http_parser *parser);
/* For the response to a HEAD request: it has no body whatever its headers say. Call it before
 * feeding. */
void http_parser_expect_no_body(struct http_parser *parser);

/* Advances by at most one event. `*used` bytes of the input are done with; call again with the rest
 * until the event is HTTP_EVENT_MORE. `*body` is set for HTTP_EVENT_BODY and points into the input.
 * Interim responses (1xx) are skipped. Errors: ERR_PARSE, ERR_LIMIT_EXCEEDED, ERR_BODY_TOO_LARGE,
 * ERR_UNSUPPORTED, those of an allocation; parser->error_status is then the answer's status, and
 * the connection cannot be used further. */
int http_parser_next(struct http_parser *parser, struct str input, size_t *used,
                     enum http_event *event, struct str *body, struct err *err);
/* The peer has closed: ERR_OK at a message's end or where a response ends with the connection
 * (`*event` is then HTTP_EVENT_END), else ERR_END_OF_INPUT. */
int http_parser_finish(struct http_parser *parser, enum http_event *event, struct err *err);
/* Bytes of a body of known length that are still to come; 0 when it is complete, chunked or ends
 * with the connection. A caller that reads exactly so many into their final place saves a copy. */
uint64_t http_parser_body_left(const struct http_parser *parser);
/* True when bytes of a message have come in and it is not complete. */
bool http_parser_is_inside(const struct http_parser *parser);

/* The text of a span of the message; lives until http_parser_reset. */
struct str http_text(const struct http_parser *parser, struct http_span span);
/* The first header of that name, ignoring case; data is NULL when there is none. */
struct str http_header(const struct http_parser *parser, struct str name);
size_t http_header_count(const struct http_parser *parser);
void http_header_at(const struct http_parser *parser, size_t index, struct str *name,
                    struct str *value);
/* True when a comma-separated header value holds the token, ignoring case and parameters. */
bool http_value_has_token(struct str value, struct str token);

/* ---- writing ---- */

/* "No Content" for 204; "Unknown" for a status without a text. Static storage. */
const char *http_status_text(int status);
/* "HTTP/1.1 204 No Content\r\n". */
void http_write_status(struct buffer *out, int status);
/* "POST /write?db=x HTTP/1.1\r\n". The target must be encoded already. */
void http_write_request(struct buffer *out, const char *method, struct str target);
/* "Name: value\r\n"; control bytes of the value become spaces, so that no value can end its line.
 */
void http_write_header(struct buffer *out, const char *name, struct str value);
void http_write_header_u64(struct buffer *out, const char *name, uint64_t value);
/* The empty line. */
void http_write_head_end(struct buffer *out);
/* One chunk with its frame; nothing for an empty one (which would end the body). */
void http_write_chunk(struct buffer *out, struct str bytes);
/* The last chunk. */
void http_write_chunk_end(struct buffer *out);
/* IMF-fixdate (RFC 9110 5.6.7) of seconds since 1970. */
void http_date(int64_t seconds, char out[HTTP_DATE_SIZE]);

#endif
