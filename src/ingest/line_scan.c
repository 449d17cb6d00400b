/* Where lines and keys end. */
#include <string.h>

#include "ingest/ingest_private.h"

const char *ingest__key_end(const char *at, const char *end) {
  for (const char *from = at;;) {
    const char *blank = memchr(from, ' ', (size_t)(end - from));
    if (!blank) return end;
    /* An odd number of backslashes before it: the last one escapes it. */
    const char *run = blank;
    while (run > at && run[-1] == '\\')
      run--;
    if ((blank - run) % 2 == 0) return blank;
    from = blank + 1;
  }
}

/* Quotes mean something only in the fields: behind the first unescaped blank, and opened right
 * after a '='. */
const char *ingest__line_end_open(const char *at, const char *end, bool *open) {
  *open = false;
  const char *newline = memchr(at, '\n', (size_t)(end - at));
  const char *line_end = newline ? newline : end;
  if (!memchr(at, '"', (size_t)(line_end - at))) return line_end;
  while (at < line_end && (*at == ' ' || *at == '\t'))
    at++;
  if (at < line_end && *at == '#') return line_end;
  const char *p = ingest__key_end(at, line_end);
  for (bool equals = false; p < end;) {
    if (*p == '\n') return p;
    bool opened = *p == '"' && equals;
    equals = *p == '=';
    if (opened) {
      for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end) p++;
      /* A quote that nothing closes takes its line with it, not the rest of the body. */
      *open = p >= end;
      if (*open) return line_end;
    } else if (*p == '\\' && p + 1 < end && p[1] != '\n') {
      p++;
    }
    p++;
  }
  return end;
}

const char *ingest__line_end(const char *at, const char *end) {
  bool open;
  return ingest__line_end_open(at, end, &open);
}

size_t ingest_line_protocol_cut(struct str text, size_t target) {
  if (text.size <= target) return text.size;
  const char *end = text.data + text.size;
  if (!memchr(text.data, '"', target)) {
    const char *newline = memchr(text.data + target, '\n', text.size - target);
    /* The line over the target may hold the first quote: then walk it. */
    const char *quote =
        newline ? memchr(text.data + target, '"', (size_t)(newline - text.data) - target) : NULL;
    if (newline && !quote) return (size_t)(newline - text.data) + 1;
  }
  const char *at = text.data;
  while (at < end && (size_t)(at - text.data) < target) {
    at = ingest__line_end(at, end);
    if (at < end) at++;
  }
  return (size_t)(at - text.data);
}
