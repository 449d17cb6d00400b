/* Answers of /query in the two shapes of InfluxDB 1.x, JSON and CSV, written from the events of a
 * query (query/query.h) as they come.
 *
 *     {"results":[{"statement_id":0,"series":[
 *         {"name":…,"tags":…,"columns":…,"values":[[…]]}]}]}
 *
 * Chunked JSON is one such object per line, each with at most chunk_size rows of one series;
 * "partial" says that more of the series, or of the statement, follows.
 *
 * Threads: one at a time. */
#ifndef NILO_SERVER_ANSWER_H
#define NILO_SERVER_ANSWER_H

#include "api/api.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "wire/json.h"

enum answer_epoch { /* how times are shown */
                    ANSWER_RFC3339,
                    ANSWER_NS,
                    ANSWER_US,
                    ANSWER_MS,
                    ANSWER_S,
                    ANSWER_M,
                    ANSWER_H,
};
/* From the parameter `epoch`: "" is ANSWER_RFC3339. */
bool answer_epoch_parse(struct str text, enum answer_epoch *epoch);

struct answer_cell;
struct answer_memo;
struct answer {
  struct buffer *out;
  enum answer_epoch epoch;
  bool csv;
  bool pretty;
  int64_t chunk_size; /* rows; 0: not chunked */
  /* the writer's own */
  struct json_writer json;
  int64_t hour;                 /* whose text is in hour_text, in units of a time */
  int64_t hour_second;          /* as many of them are a second; 0: no hour yet */
  char hour_text[14];           /* "2016-01-01T00:" */
  const struct time_zone *zone; /* of the series at hand; NULL: UTC */
  struct arena arena;           /* of the series at hand */
  struct buffer messages;       /* of the statement at hand: texts, each behind its size */
  struct str name;
  struct query_tag *tags;
  uint32_t tag_count;
  struct str *columns;
  uint32_t column_count;
  uint32_t statement;
  int64_t rows;              /* of the chunk at hand */
  bool has_series;           /* the statement has had one */
  bool in_series;            /* a series object is open */
  bool in_values;            /* its values are */
  bool in_chunk;             /* chunked: a response object is open */
  bool headed;               /* CSV: a header line was written */
  bool same_header;          /* CSV: the series at hand has the header of the one before */
  struct answer_cell *cells; /* JSON: of some rows (answer_private.h), made ahead */
  uint8_t *cell_sizes;
  uint32_t cell_capacity;
  struct answer_memo *memo; /* JSON: quoted texts of tags; NULL until there are some */
};

/* Prepares one; set epoch, csv, pretty and chunk_size behind it. */
void answer_init(struct answer *answer, struct buffer *out, struct mem_account *account);
void answer_deinit(struct answer *answer);
/* What stands before the first event. */
void answer_begin(struct answer *answer);
/* Writes an event, of QUERY_ROWS the rows from *row on until out holds `size_max` bytes or the
 * batch ends; *row says how far it came. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int answer_event(struct answer *answer, const struct query_event *event, int64_t *row,
                 size_t size_max, struct err *err);
/* Whether a statement's error is a fault of the engine (damage, disk), not of the statement: such
 * ones are told with their place, and belong in the log. */
bool answer_is_fault(const struct err *error);
/* What stands behind the last event. */
void answer_end(struct answer *answer);

#endif
