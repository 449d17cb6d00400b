/* Answers of /sql, written from the events of a query (query/query.h) as they come.
 *
 *   JSON    {"results":[{"statement_id":0,"columns":[{"name":…,"type":…}],"rows":[[…]],
 *            "command":"SELECT","count":1}]}
 *   NDJSON  an object per row, {"a":1,"b":"x"}
 *   CSV     a header line, a line per row; null is nothing, an empty text is ""
 *   ARROW   an Arrow IPC stream for each statement that gives rows (columnar/arrow_ipc.h)
 *
 * An error of a statement is {"error":{"code":SQLSTATE,"message":…,"line":…,"column":…,"detail":…,
 * "hint":…}} in JSON and NDJSON, and a line "error,SQLSTATE,message" in CSV. Arrow has no place for
 * one: the answer must be broken off. One thread at a time. */
#ifndef NILO_SERVER_ROWS_ANSWER_H
#define NILO_SERVER_ROWS_ANSWER_H

#include "api/api.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "wire/json.h"

enum rows_format { ROWS_JSON, ROWS_NDJSON, ROWS_CSV, ROWS_ARROW };
/* "json", "ndjson", "csv", "arrow"; "" is JSON. */
bool rows_format_parse(struct str text, enum rows_format *format);
const char *rows_format_media_type(enum rows_format format);
/* The form that the query must give its values in. */
enum query_form rows_format_form(enum rows_format format);

struct rows_answer {
  struct buffer *out;
  enum rows_format format;
  /* the writer's own */
  struct json_writer json;
  struct arena arena; /* of the statement at hand */
  struct str *names;
  struct type *types;
  uint32_t column_count;
  const struct time_zone *zone;
  struct buffer messages; /* JSON texts of the statement's notes, separated by commas */
  bool in_statement, in_rows;
  bool any; /* CSV: something was written; Arrow: a stream is open */
};

/* Prepares one that appends to `out`. */
void rows_answer_init(struct rows_answer *answer, enum rows_format format, struct buffer *out,
                      struct mem_account *account);
/* Frees what it holds; `out` stays. */
void rows_answer_deinit(struct rows_answer *answer);
/* What stands before the first event. */
void rows_answer_begin(struct rows_answer *answer);
/* Writes an event, of QUERY_ROWS the rows from *row on until out holds `size_max` bytes or the
 * batch ends; *row says how far it came. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int rows_answer_event(struct rows_answer *answer, const struct query_event *event, int64_t *row,
                      size_t size_max, struct err *err);
/* What stands behind the last event. */
void rows_answer_end(struct rows_answer *answer);
/* An error as the object that statements are told. */
void rows_answer_error(struct json_writer *json, const struct err *err);

#endif
