/* What the files of the HTTP parser share; nobody else includes it. */
#ifndef NILO_WIRE_HTTP_PRIVATE_H
#define NILO_WIRE_HTTP_PRIVATE_H

#include "wire/http.h"

enum http_state {
  HTTP_STATE_START,      /* nothing of the message has come, or the start line is incomplete */
  HTTP_STATE_HEADERS,    /* the start line is done */
  HTTP_STATE_SIZED,      /* in a body of known length */
  HTTP_STATE_UNTIL_END,  /* in a response body that ends with the connection */
  HTTP_STATE_CHUNK_LINE, /* before a chunk-size line */
  HTTP_STATE_CHUNK,      /* in a chunk's bytes */
  HTTP_STATE_CHUNK_END,  /* before the CRLF behind a chunk */
  HTTP_STATE_TRAILERS,   /* behind the last chunk */
  HTTP_STATE_COMPLETE,   /* all has come; HTTP_EVENT_END is next */
  HTTP_STATE_DONE,       /* HTTP_EVENT_END was given */
  HTTP_STATE_FAILED,
};

struct http_header_span {
  struct http_span name;
  struct http_span value;
};

/* Bytes that may stand in a method or a header name (RFC 9110 5.6.2 tchar). */
bool http__is_token(struct str text);

/* Notes the answer's status and fills err; returns `code`. */
int http__fail(struct http_parser *parser, int status, int code, struct err *err,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Each takes one line of parser->head, [start, start + size) without its CRLF. */
int http__request_line(struct http_parser *parser, uint32_t start, uint32_t size, struct err *err);
int http__status_line(struct http_parser *parser, uint32_t start, uint32_t size, struct err *err);
int http__header_line(struct http_parser *parser, uint32_t start, uint32_t size, struct err *err);
/* Syntax of a header or trailer line: finds name and value. */
int http__split_header(struct http_parser *parser, struct str line, struct str *name,
                       struct str *value, struct err *err);
/* The rules that need the whole head: Host, and which way the body is framed. Sets the state. */
int http__head_complete(struct http_parser *parser, struct err *err);

#endif
