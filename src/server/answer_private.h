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

/* answer_event for CSV. */
int answer__csv_event(struct answer *answer, const struct query_event *event, int64_t *row,
                      size_t size_max, struct err *err);

#endif
