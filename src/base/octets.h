/* Bytes as text: PostgreSQL's bytea (hex and escape format) and UUIDs. Pure functions. */
#ifndef NILO_BASE_OCTETS_H
#define NILO_BASE_OCTETS_H

#include "base/str.h"

struct buffer;

/* Bytes of the value that a text of this size may have, at most. */
static inline size_t octets_room(size_t text_size) { return text_size; }
/* Reads bytea's text: "\x" and hexadecimal digits with blanks between the pairs, or characters with
 * "\\" and three octal digits. False: it is neither; *why says what is wrong (a static text with at
 * most one "%c", for `at`). `out` has octets_room(text.size) bytes. */
struct octets_fault {
  const char *why; /* PostgreSQL's words; NULL: "invalid input syntax for type bytea" */
  char at;
};
bool octets_read(struct str text, char *out, size_t *size, struct octets_fault *fault);
/* Appends "\x0102ff". */
void octets_print_hex(struct str bytes, struct buffer *out);
/* Appends the escape format: bytes beyond ASCII and '\' escaped. */
void octets_print_escape(struct str bytes, struct buffer *out);

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 36 };
/* Hexadecimal digits in either case, a hyphen behind any group of four, braces around all. */
bool uuid_read(struct str text, unsigned char out[UUID_SIZE]);
/* Not terminated. */
void uuid_print(const unsigned char uuid[UUID_SIZE], char out[UUID_TEXT_SIZE]);

#endif
