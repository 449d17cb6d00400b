/* Percent encoding, query strings and form bodies (RFC 3986, WHATWG URL 5.1), and the parts of an
 * http:// address.
 *
 * Threads: none of this has state. */
#ifndef NILO_WIRE_URL_H
#define NILO_WIRE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

struct arena;
struct err;

enum { URL_PAIRS_MAX = 256 }; /* parameters of one query string or form */

struct url_pair {
  struct str name;
  struct str value;
};

/* The decoded parameters of a request, in their order; query string first, then form. */
struct url_pairs {
  struct url_pair *items;
  size_t count;
  size_t capacity;
};

/* Decodes %XX, and '+' as a space when `plus` is set; the result lives in the arena, or in `text`
 * itself where there is nothing to decode. ERR_PARSE with the offset of a '%' that two hexadecimal
 * digits do not follow; ERR_NO_MEMORY. */
int url_decode(struct str text, bool plus, struct arena *arena, struct str *out, struct err *err);

/* Appends the pairs of "a=1&b=two+words&c" to `pairs` (zero it before the first call). A pair
 * without '=' has an empty value; empty pairs are skipped. ERR_PARSE with the offset;
 * ERR_LIMIT_EXCEEDED beyond URL_PAIRS_MAX; ERR_NO_MEMORY. */
int url_pairs_parse(struct url_pairs *pairs, struct str text, struct arena *arena, struct err *err);

/* The value of the first pair of that name; data is NULL when there is none (an empty value has
 * data that is not NULL). */
struct str url_pairs_find(const struct url_pairs *pairs, struct str name);

/* Appends the text with everything but unreserved characters as %XX. */
void url_encode(struct buffer *out, struct str text);

/* An address of a server. */
struct url {
  struct str host; /* without the brackets of an IPv6 literal */
  uint16_t port;
  struct str path;     /* "" or "/…" without a '/' at its end */
  struct str user;     /* still percent-encoded; empty when there is none */
  struct str password; /* likewise */
};

/* "http://user:password@host:8086/path", also without the scheme. The parts point into `text`.
 * ERR_UNSUPPORTED for https and other schemes; ERR_INVALID_ARGUMENT. */
int url_parse(struct str text, uint16_t default_port, struct url *url, struct err *err);

/* "ADDR:PORT", ":PORT", "[::1]:PORT" or "ADDR" of a listener or peer. ERR_INVALID_ARGUMENT. */
int url_parse_address(struct str text, uint16_t default_port, struct str *host, uint16_t *port,
                      struct err *err);

#endif
