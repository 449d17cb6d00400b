/* Borrowed bytes: a pointer and a size, never terminated, never owned. */
#ifndef NILO_BASE_STR_H
#define NILO_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
  const char *data;
  size_t size;
};

/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).size, (s).data
/* From a string literal. */
#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})

/* From a terminated string; NULL gives the empty one. */
static inline struct str str_from(const char *text) {
  return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_of(const void *data, size_t size) {
  return (struct str){(const char *)data, size};
}

static inline bool str_equal(struct str a, struct str b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Bytewise order, a prefix before what it begins: <0, 0, >0. */
static inline int str_compare(struct str a, struct str b) {
  size_t size = a.size < b.size ? a.size : b.size;
  int order = size ? memcmp(a.data, b.data, size) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Equality that ignores the case of ASCII letters. */
bool str_equal_ignoring_case(struct str a, struct str b);

/* True when `text` begins with `prefix`. */
static inline bool str_starts_with(struct str text, struct str prefix) {
  return text.size >= prefix.size &&
         (prefix.size == 0 || memcmp(text.data, prefix.data, prefix.size) == 0);
}

#endif
