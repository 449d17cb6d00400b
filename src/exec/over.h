/* Window functions: what the files over*.c share.
 *
 *   over.c            the operator: reading ahead, tasks, giving
 *   over_rows.c       the rows that are held: a queue of chunks that are let go at its front
 *   over_spill.c      chunks that go to disk while memory is tight, and come back
 *   over_frame.c      where the frame of a row begins and ends
 *   over_call.c       ranks, distances, values of the frame
 *   over_aggregate.c  aggregates over frames
 *
 * Rows are numbered through the whole input. A call is evaluated row after row with a state of its
 * own; as the bounds of frames never go back, the state is a few cursors that only move on, and
 * rows that all cursors have passed are let go. Whoever evaluates asks for rows as far ahead as the
 * frame needs and no further (over__has), so that running and sliding frames hold little, whatever
 * the size of a partition. */
#ifndef NILO_EXEC_OVER_H
#define NILO_EXEC_OVER_H

#include "exec/aggregate_kind.h"
#include "exec/sort_key.h"

/* ---- rows (over_rows.c) ---- */

enum over_flag { OVER_PARTITION = 1, OVER_PEERS = 2 }; /* such a row begins one */

struct over_chunk {
  uint64_t first; /* row */
  int64_t length;
  struct builder *builders;
  struct column *columns;
  uint8_t *flags;
  struct aggregate_vector *vectors; /* per call; of aggregates only */
  uint64_t *bits;                   /* for the vectors: words of `length` bits per call */
  struct arena memory;
  struct spill_stream *stream; /* its rows; NULL: they never went to disk */
  bool away;                   /* they are there only; the flags never are */
  uint64_t came;               /* number of its coming, or coming back */
};
struct over_rows {
  struct exec *exec;
  struct exec_op *input;
  const struct over_call *calls;
  uint32_t call_count;
  struct over_chunk **chunks; /* `chunk_count` from `front` on */
  uint32_t front, chunk_count, chunk_capacity;
  uint64_t begin, end; /* rows that are held */
  uint64_t *starts; /* of partitions that begin in [begin, end), ascending; from start_front on */
  uint32_t start_front, start_count, start_capacity;
  bool ended;
  struct sort_key_layout partition, order;
  struct arena memory;                         /* of the keys of the last row */
  struct sort_keys last_partition, last_order; /* count 0: no row yet */
  uint64_t home;                               /* a row whose chunk must not go to disk */
  uint64_t arrivals;                           /* of chunks so far */
  uint32_t here;                               /* chunks that are not away */
};
/* The rows of an operator's input, of which nothing is read yet. `calls` must outlive them. */
int over__rows_init(struct over_rows *rows, struct exec_op *op, const struct over_call *calls,
                    struct err *err);
/* May be called on zeroed rows. */
void over__rows_deinit(struct over_rows *rows);
/* Reads one more batch, or as many as have the rows wanted and are there at once; or notes the end.
 */
int over__rows_load(struct over_rows *rows, uint64_t wanted, struct err *err);
/* Lets go of chunks that end at or before `row`. */
void over__rows_release(struct over_rows *rows, uint64_t row);
/* The chunk of a row that is held, of which only the flags are to be looked at. *hint: where to
 * look first; starts as 0. */
struct over_chunk *over__chunk(const struct over_rows *rows, uint64_t row, uint32_t *hint);
/* The same with its columns, which come back from disk if need be; good until the next call that
 * may read, unless it is home. In tasks of several threads nothing is away. */
int over__need(struct over_rows *rows, uint64_t row, uint32_t *hint,
               const struct over_chunk **chunk, struct err *err);
/* Brings rows [from, to) back, all of them. */
int over__bring(struct over_rows *rows, uint64_t from, uint64_t to, struct err *err);
/* Sends chunks to disk while memory is tight and more than a few are here; `hard`: all but two, of
 * which one is home. */
int over__relieve(struct over_rows *rows, bool hard, struct err *err);
/* The columns and vectors of a chunk as its builders have them. */
void over__chunk_view(const struct over_rows *rows, struct over_chunk *chunk);
/* The first partition start behind `row`; UINT64_MAX: none is known. */
uint64_t over__next_start(const struct over_rows *rows, uint64_t row);

/* The partition that is evaluated. */
struct over_part {
  struct over_rows *rows;
  uint64_t first, end; /* end: UINT64_MAX while it is not known */
};
/* Whether the partition has this row; reads on to find out. In tasks of several threads the end is
 * known, and nothing is read. */
int over__has(struct over_part *part, uint64_t row, bool *has, struct err *err);
/* Its rows; reads it to its end. */
int over__size(struct over_part *part, uint64_t *size, struct err *err);

/* ---- calls ---- */

struct over_call {
  const struct plan_over_call *plan;
  uint32_t number;                     /* among the calls */
  uint32_t column;                     /* the argument; PLAN_NO_COLUMN: none */
  struct aggregate_function aggregate; /* OVER_AGGREGATE */
  bool plain_state;                    /* a state is its bytes: it may be copied and kept by row */
  uint32_t order_column;               /* RANGE with offsets */
  bool descending, nulls_first;
  bool whole_peers; /* the frame is the same for rows that are peers */
};

/* A window that moves on over rows, with the aggregate of what is in it (over_aggregate.c). */
struct over_queue {
  uint64_t front_from, front_to; /* rows whose suffix states are kept */
  uint64_t back_to;              /* rows from front_to on are in `back` */
  uint8_t *front;                /* state of [front_from + i, front_to), per i */
  size_t front_size;
  uint8_t *back;
  struct arena memory; /* of `back` */
};

struct over_state {
  const struct over_call *call;
  struct exec *exec;
  uint64_t row;                     /* the current one */
  uint64_t peers_from, peers_known; /* rows [peers_from, peers_known) are its peers */
  uint64_t peers_to;                /* UINT64_MAX: not known yet */
  uint64_t group;                   /* number of its peers in the partition, from 0 */
  uint64_t frame_start, frame_end;  /* cursors; the frame is empty when end <= start */
  uint64_t start_group, end_group;  /* numbers of the groups that the cursors are in */
  bool frame_begun;
  uint32_t hint, start_hint, end_hint;
  struct over_queue left, right; /* right: behind the excluded rows */
  uint8_t *result;               /* a state */
  struct arena scratch;
  uint64_t last[4]; /* what the last result was made of */
  bool has_last;
};
/* A state that over__state_begin must be called for before rows are evaluated. It must be deinited
 * whatever init gave. */
int over__state_init(struct over_state *state, const struct over_call *call, struct exec *exec,
                     struct err *err);
/* May be called twice, and on a zeroed state. */
void over__state_deinit(struct over_state *state);
/* Forgets what was: a partition begins. */
void over__state_begin(struct over_state *state, const struct over_part *part);
/* Appends the results of rows [from, to) of the partition; calls come in the order of rows. */
int over__evaluate(struct over_state *state, struct over_part *part, uint64_t from, uint64_t to,
                   struct builder *result, struct err *err);
/* The first row that the state may ask for again. */
uint64_t over__low(const struct over_state *state, const struct over_part *part);

/* Up to three pieces of the frame of the state's row: excluded rows lie between them. */
struct over_frame {
  uint64_t from[3], to[3]; /* empty where to <= from */
};
/* The frame of the current row; calls come in the order of rows. */
int over__frame(struct over_state *state, struct over_part *part, struct over_frame *frame,
                struct err *err);
/* The row behind the last peer of the current one. */
int over__peers_to(struct over_state *state, struct over_part *part, uint64_t *to, struct err *err);

/* Appends the aggregate over a frame, whose bounds do not lie before those of the last call. */
int over__aggregate(struct over_state *state, struct over_part *part,
                    const struct over_frame *frame, struct builder *result, struct err *err);
/* The smaller one of `low` and the first row that the aggregate may yet have to look at. */
uint64_t over__aggregate_low(const struct over_state *state, uint64_t low);
/* Empties the windows: a partition begins at row `first`. */
void over__aggregate_begin(struct over_state *state, uint64_t first);
/* Gives the memory of the windows back. */
void over__aggregate_deinit(struct over_state *state);

#endif
