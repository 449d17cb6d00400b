/* Small helpers about text: the nearest name, UTF-8, ASCII classes, quoting. Pure functions. */
#ifndef NILO_BASE_TEXT_H
#define NILO_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Insertions, deletions, changes and swaps of neighbours (optimal string alignment) that lead from
 * a to b, ignoring the case of ASCII letters; more than `limit` gives limit + 1. Texts over 64
 * bytes are beyond any limit unless equal. */
unsigned text_distance(struct str a, struct str b, unsigned limit);

/* For "did you mean …": offer candidates one after another, then ask. */
struct text_nearest {
  struct str wanted, best; /* best.data is NULL while nothing is near */
  unsigned distance;
};
struct text_nearest text_nearest_of(struct str wanted);
void text_nearest_offer(struct text_nearest *nearest, struct str candidate);

/* Size of the longest valid UTF-8 prefix (RFC 3629: no surrogates, no overlong forms, up to
 * U+10FFFF): text.size when all of it is valid. */
size_t text_utf8_prefix(struct str text);
static inline bool text_utf8_valid(struct str text) { return text_utf8_prefix(text) == text.size; }
/* text cut to at most `size` bytes, not inside a UTF-8 character. */
struct str text_cut(struct str text, size_t size);
/* Code points; every byte of invalid UTF-8 counts as one. For aligning columns. */
size_t text_utf8_length(struct str text);
/* The bytes of a code point at out (room for 4); 0 for one that is none. */
size_t text_utf8_encode(uint32_t code_point, char *out);

static inline bool text_is_digit(char c) { return (unsigned char)(c - '0') < 10; }
static inline bool text_is_letter(char c) { return (unsigned char)((c | 0x20) - 'a') < 26; }
static inline bool text_is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
static inline char text_lower(char c) {
  return (unsigned char)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}

/* Without blanks at both ends. */
struct str text_trim(struct str text);
/* Cuts *rest at the first `separator`: returns what was before it and moves *rest behind it; at the
 * last piece *rest.data becomes NULL. */
struct str text_split(struct str *rest, char separator);
/* Offset of the first `byte`, or text.size. */
size_t text_find(struct str text, char byte);

#endif
