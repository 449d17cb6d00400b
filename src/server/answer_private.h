/* What the files of answer.h share. */
#ifndef NILO_SERVER_ANSWER_PRIVATE_H
#define NILO_SERVER_ANSWER_PRIVATE_H

#include "server/answer.h"

/* Writes a time as a count of the epoch's unit, rounded down, in up to NUMBER_TEXT_MAX bytes;
 * returns the byte behind it. */
char *answer__put_epoch(enum answer_epoch epoch, int64_t value, enum time_unit unit, char *to);
/* What is told of a statement's error: InfluxDB's text for mistakes of the statement, the place too
 * for faults of the engine. Uses `out` where it must. */
enum { ANSWER_ERROR_TEXT_MAX = 600 };
struct str answer__error_text(const struct err *error, char *out, size_t size);
/* The value of a dictionary or plain string column. */
struct str answer__text(const struct column *column, int64_t row);
/* Copies name, tags and column names of a series: they must outlive the event. */
int answer__keep_series(struct answer *answer, const struct query_event *event, struct err *err);

/* ---- cells of JSON that are no strings (answer_cells.c) ---- */

enum {
  ANSWER_CELL_MAX = 64,  /* bytes of any, quotes and comma included */
  ANSWER_CELL_ROWS = 32, /* made at once, at most */
};
struct answer_cell {
  char text[ANSWER_CELL_MAX];
};
/* Writes one, in up to ANSWER_CELL_MAX bytes; returns the byte behind it. */
char *answer__put_cell(struct answer *answer, const struct column *column, int64_t row, char *to);
/* A float that is known to be a decimal, from its integer; NULL: it is not. The text is the same in
 * JSON and CSV. */
char *answer__put_decimal(const struct column *column, int64_t row, char *to);
/* Makes the cells, each with a comma behind it, of *count rows from `row` on, at least one and at
 * most `wanted`. Of column c and the i-th row it is cells[c * *count + i], of cell_sizes[…] bytes;
 * 0: it is a string, which is not made. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int answer__fill_cells(struct answer *answer, const struct batch *batch, int64_t row,
                       int64_t wanted, uint32_t *count, struct err *err);
void answer__cells_deinit(struct answer *answer);

/* answer_event for CSV. */
int answer__csv_event(struct answer *answer, const struct query_event *event, int64_t *row,
                      size_t size_max, struct err *err);

#endif
