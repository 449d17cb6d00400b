/* The formats of COPY: PostgreSQL's text and CSV.
 *
 * A reader is fed pieces of a file and gives rows of fields; a field is a text or null. Rows are
 * lines, but for line ends in quotes (CSV) or behind a backslash (text). One thread at a time. */
#ifndef NILO_QUERY_COPY_FORMAT_H
#define NILO_QUERY_COPY_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct err;

struct copy_format {
  bool csv;
  bool header;
  char delimiter, quote, escape; /* quote and escape: of CSV */
  struct str null;               /* what stands for null; in CSV only where it is not quoted */
};

enum { COPY_FIELDS_MAX = 65536, COPY_ROW_MAX = 16 << 20 };
struct copy_field {
  struct str text;
  bool null;
};
struct copy_row {
  const struct copy_field *fields; /* valid until the next call */
  uint32_t count;
  int64_t line; /* of its first byte, from 1 */
};
struct copy_reader {
  struct copy_format format;
  struct buffer input, fields, text;
  size_t position, scanned; /* where the next row begins; bytes behind that known not to end it */
  bool in_quotes, skip;     /* of the search for its end */
  bool at_end, done;        /* nothing more will be fed; "\." was read */
  int64_t line;
};

/* Pair with copy_reader_deinit; what `format` points at outlives it. */
void copy_reader_init(struct copy_reader *reader, const struct copy_format *format,
                      struct mem_account *account);
/* Frees what it holds. */
void copy_reader_deinit(struct copy_reader *reader);
/* Copies. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int copy_reader_feed(struct copy_reader *reader, struct str bytes, struct err *err);
/* The last row need not have a line end. */
void copy_reader_finish(struct copy_reader *reader);
/* *found false: more bytes are needed, or it is the end. ERR_INVALID_COPY with the line,
 * ERR_LIMIT_EXCEEDED. */
int copy_reader_next(struct copy_reader *reader, struct copy_row *row, bool *found,
                     struct err *err);

/* Appends a field (`first`: no delimiter before it), and the end of a row. */
void copy_write_field(const struct copy_format *format, struct str text, bool null, bool first,
                      struct buffer *out);
void copy_write_end(struct buffer *out);

#endif
