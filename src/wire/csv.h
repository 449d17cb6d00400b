/* CSV (RFC 4180): a reader that is fed pieces of a file and gives rows, and a writer.
 *
 * Fields may be quoted and then hold separators, quotes (doubled) and line ends. Rows end with LF
 * or CR LF; a byte order mark before the first row is skipped; empty lines are skipped. A quote
 * inside an unquoted field, text behind a closing quote, a lone CR and an unclosed quote are errors
 * with line and column.
 *
 * Threads: one at a time per reader. */
#ifndef NILO_WIRE_CSV_H
#define NILO_WIRE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

struct err;
struct mem_account;

struct csv_options {
  char separator;      /* 0: ',' */
  uint32_t fields_max; /* fields of a row; 0: 4,096 */
  uint32_t row_max;    /* bytes of a row as it stands; 0: 16 MiB */
};

struct csv_field {
  struct str text; /* without quotes, doubled quotes undone */
  int32_t line;    /* of its first byte, 1-based */
  int32_t column;  /* byte column of its first byte, 1-based */
  bool quoted;     /* so that "" and an absent value can be told apart */
};

/* A row; valid until the next call on the reader. */
struct csv_row {
  const struct csv_field *fields;
  size_t count;
  int32_t line; /* of its first byte */
};

struct csv_reader {
  struct csv_options options;
  /* the reader's own */
  struct buffer input;  /* what is not yet given out as rows */
  struct buffer fields; /* struct csv_field of the row at hand */
  size_t position;      /* where the next row begins in input */
  size_t scanned;       /* bytes behind position known not to end a row */
  int scan_state;       /* of the search for the row's end, at position + scanned */
  bool broken;          /* a row without end was given up: nothing more is read */
  bool first;           /* nothing was read: a byte order mark may come */
  bool at_end;
  int32_t line;
};

/* options NULL: the defaults. */
void csv_reader_init(struct csv_reader *reader, const struct csv_options *options,
                     struct mem_account *account);
void csv_reader_deinit(struct csv_reader *reader);
/* Adds bytes of the file (copied). ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int csv_reader_feed(struct csv_reader *reader, struct str bytes, struct err *err);
/* No more bytes will come: a last row without line end is a row. */
void csv_reader_finish(struct csv_reader *reader);
/* The next row; *found false when more bytes are needed, or at the end. After ERR_PARSE or
 * ERR_LIMIT_EXCEEDED (line and column set) the faulty row is passed over and reading may go on;
 * only an unclosed quote takes everything to the end, or to row_max, where reading ends. */
int csv_reader_next(struct csv_reader *reader, struct csv_row *row, bool *found, struct err *err);

/* The index of the field that says `name`, or -1. For header rows. */
int csv_row_find(const struct csv_row *row, struct str name);

/* Appends a field, quoted where it must be; `first` leaves out the separator in front. */
void csv_write_field(struct buffer *out, struct str text, bool first);
/* The line end of a row: LF. */
void csv_write_row_end(struct buffer *out);

#endif
