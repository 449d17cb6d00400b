/* Percent decoding and what stands on it: query strings, forms, addresses. */
#include "wire/url.h"

#include <string.h>

#include "base/err.h"
#include "base/memory.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool is_plain(struct str text, bool plus) {
  if (text.size == 0) return true;
  return !memchr(text.data, '%', text.size) && !(plus && memchr(text.data, '+', text.size));
}

int url_decode(struct str text, bool plus, struct arena *arena, struct str *out, struct err *err) {
  if (is_plain(text, plus)) {
    *out = (struct str){text.data ? text.data : "", text.size};
    return ERR_OK;
  }
  char *bytes = arena_alloc(arena, text.size);
  if (!bytes) return mem_refused(arena->account, text.size, err);
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '+' && plus) {
      c = ' ';
    } else if (c == '%') {
      int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
      int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
      if (high < 0 || low < 0) {
        err_set(err, ERR_PARSE, "'%%' is not followed by two hexadecimal digits");
        err_position(err, 0, 0, (int64_t)i);
        return ERR_PARSE;
      }
      c = (char)(high << 4 | low);
      i += 2;
    }
    bytes[size++] = c;
  }
  *out = (struct str){bytes, size};
  return ERR_OK;
}

static int pairs_grow(struct url_pairs *pairs, struct arena *arena, struct err *err) {
  if (pairs->count < pairs->capacity) return ERR_OK;
  if (pairs->count >= URL_PAIRS_MAX) {
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d parameters", URL_PAIRS_MAX);
  }
  size_t capacity = pairs->capacity ? pairs->capacity * 4 : 16;
  if (capacity > URL_PAIRS_MAX) capacity = URL_PAIRS_MAX;
  struct url_pair *items = ARENA_ARRAY(arena, struct url_pair, capacity);
  if (!items) return mem_refused(arena->account, capacity * sizeof *items, err);
  if (pairs->count) memcpy(items, pairs->items, pairs->count * sizeof *items);
  pairs->items = items;
  pairs->capacity = capacity;
  return ERR_OK;
}

/* Decodes a part at `offset` of the whole text, so that a mistake is placed there. */
static int decode_part(struct str part, size_t offset, struct arena *arena, struct str *out,
                       struct err *err) {
  int code = url_decode(part, true, arena, out, err);
  if (code == ERR_PARSE && err) err->offset += (int64_t)offset;
  return code;
}

int url_pairs_parse(struct url_pairs *pairs, struct str text, struct arena *arena,
                    struct err *err) {
  size_t at = 0;
  while (at < text.size) {
    const char *begin = text.data + at;
    const char *mark = memchr(begin, '&', text.size - at);
    size_t size = mark ? (size_t)(mark - begin) : text.size - at;
    if (size > 0) {
      int code = pairs_grow(pairs, arena, err);
      if (code) return code;
      struct url_pair *pair = &pairs->items[pairs->count];
      const char *equals = memchr(begin, '=', size);
      size_t name_size = equals ? (size_t)(equals - begin) : size;
      code = decode_part((struct str){begin, name_size}, at, arena, &pair->name, err);
      if (code) return code;
      struct str value = {"", 0};
      if (equals) value = (struct str){equals + 1, size - name_size - 1};
      code = decode_part(value, at + name_size + 1, arena, &pair->value, err);
      if (code) return code;
      pairs->count++;
    }
    at += size + 1;
  }
  return ERR_OK;
}

struct str url_pairs_find(const struct url_pairs *pairs, struct str name) {
  for (size_t i = 0; i < pairs->count; i++) {
    if (str_equal(pairs->items[i].name, name)) return pairs->items[i].value;
  }
  return (struct str){NULL, 0};
}

void url_encode(struct buffer *out, struct str text) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.size; i++) {
    uint8_t c = (uint8_t)text.data[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      buffer_append_byte(out, c);
    } else {
      char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
      buffer_append(out, coded, 3);
    }
  }
}

static int parse_port(struct str text, uint16_t *port, struct err *err) {
  uint32_t value = 0;
  if (text.size == 0 || text.size > 5) goto bad;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] < '0' || text.data[i] > '9') goto bad;
    value = value * 10 + (uint32_t)(text.data[i] - '0');
  }
  if (value > 65535) goto bad;
  *port = (uint16_t)value;
  return ERR_OK;
bad:
  return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not a port (0 to 65535)", STR_ARG(text));
}

int url_parse_address(struct str text, uint16_t default_port, struct str *host, uint16_t *port,
                      struct err *err) {
  *port = default_port;
  struct str rest;
  if (text.size && text.data[0] == '[') {
    const char *close = memchr(text.data, ']', text.size);
    if (!close) return err_set(err, ERR_INVALID_ARGUMENT, "'[' without ']' in an address");
    *host = (struct str){text.data + 1, (size_t)(close - text.data) - 1};
    rest = (struct str){close + 1, text.size - host->size - 2};
  } else {
    const char *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    *host = (struct str){text.data, colon ? (size_t)(colon - text.data) : text.size};
    rest = (struct str){text.data + host->size, text.size - host->size};
  }
  for (size_t i = 0; i < host->size; i++) {
    uint8_t c = (uint8_t)host->data[i];
    if (c <= 0x20 || c == 0x7f || c == '/' || c == '@') {
      return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not a host name or address",
                     STR_ARG(*host));
    }
  }
  if (rest.size == 0) return ERR_OK;
  if (rest.data[0] != ':') {
    return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not ADDR:PORT", STR_ARG(text));
  }
  return parse_port((struct str){rest.data + 1, rest.size - 1}, port, err);
}

int url_parse(struct str text, uint16_t default_port, struct url *url, struct err *err) {
  memset(url, 0, sizeof *url);
  struct str rest = text;
  for (size_t i = 0; i + 3 <= text.size; i++) {
    if (memcmp(text.data + i, "://", 3) != 0) continue;
    struct str scheme = {text.data, i};
    if (!str_equal_ignoring_case(scheme, STR("http"))) {
      return err_set(err, ERR_UNSUPPORTED,
                     "addresses of scheme '%.*s' are not supported, only http", STR_ARG(scheme));
    }
    rest = (struct str){text.data + i + 3, text.size - i - 3};
    break;
  }
  const char *slash = rest.size ? memchr(rest.data, '/', rest.size) : NULL;
  struct str authority = {rest.data, slash ? (size_t)(slash - rest.data) : rest.size};
  if (slash) {
    url->path = (struct str){slash, rest.size - authority.size};
    while (url->path.size && url->path.data[url->path.size - 1] == '/')
      url->path.size--;
    if (url->path.size && (memchr(url->path.data, '?', url->path.size) ||
                           memchr(url->path.data, '#', url->path.size))) {
      return err_set(err, ERR_INVALID_ARGUMENT, "the address of a server has no '?' or '#'");
    }
  }
  const char *at = NULL;
  for (size_t i = 0; i < authority.size; i++) {
    if (authority.data[i] == '@') at = authority.data + i;
  }
  if (at) {
    struct str login = {authority.data, (size_t)(at - authority.data)};
    const char *colon = login.size ? memchr(login.data, ':', login.size) : NULL;
    url->user = (struct str){login.data, colon ? (size_t)(colon - login.data) : login.size};
    if (colon) url->password = (struct str){colon + 1, login.size - url->user.size - 1};
    authority = (struct str){at + 1, authority.size - login.size - 1};
  }
  int code = url_parse_address(authority, default_port, &url->host, &url->port, err);
  if (code) return code;
  if (url->host.size == 0) return err_set(err, ERR_INVALID_ARGUMENT, "the address has no host");
  return ERR_OK;
}
