/* Private to join*.c and asof*.c: what the methods of joining share.
 *
 * One side is the **probe** side, which streams, the other the **build** side, whose rows (all of
 * them, a partition, a window or a group of equal keys) stand in a row buffer. A method finds, for
 * each row of some probe batches, a **run**: the build rows that may be its partners. What follows
 * is the same for all methods and is the join's **core**: runs are cut into **pieces** of at most
 * some thousand candidate pairs, several pieces are worked out side by side, each in a **lane** of
 * its own (keys compared where the run only promises equal hashes, the condition, marks of who has
 * a partner, the columns gathered), and the lanes' rows are given out in the order of the pieces.
 * So the rows and their order depend on the data, never on the number of threads.
 *
 * Order of rows: by probe row, then build row; a probe row without a partner stands where its pairs
 * would; build rows without one follow at the end (of the partition, window or pass). */
#ifndef NILO_EXEC_JOIN_H
#define NILO_EXEC_JOIN_H

#include "exec/program.h"
#include "exec/row_buffer.h"
#include "exec/spill.h"
#include "kernel/sort.h"

enum { JOIN_VECTOR = 1024 };

/* What a null in a key is equal to. */
enum join_nulls {
  JOIN_NULLS_NOTHING,
  JOIN_NULLS_NULLS,
  JOIN_NULLS_ANYTHING, /* null-aware: "may be equal" */
};

/* Who is who, and what is to come out. */
struct join_shape {
  const struct plan_joining *join;
  const struct plan_schema *probe_schema, *build_schema, *schema;
  uint32_t left_count;  /* columns of the left input */
  bool build_left;      /* the build side is the left input */
  uint32_t *probe_keys; /* columns of either side */
  uint32_t *build_keys;
  uint32_t key_count;
  enum join_nulls nulls;
  bool exact; /* one key of fixed width: rows with equal hashes have equal keys */
  /* What comes out: pairs; probe rows without, with a partner; build rows without, with one. */
  bool pairs, probe_unmatched, probe_matched, build_unmatched, build_matched;
  bool marks_build; /* either of the last two */
  bool first_only;  /* one partner decides a probe row, and nothing else wants to know of more */
};
/* Which side is built is the plan's choice where `choose`, else the right one. */
int join__shape_init(struct join_shape *shape, struct exec_op *op, bool choose, struct err *err);

/* ---- keys (join_keys.c) ---- */

/* Hashes of the key columns of rows [from, from + count), count at most JOIN_VECTOR. *any_absent:
 * some key among them is null; then absent[i] says which rows have one. */
void join__hash(const uint32_t *keys, uint32_t key_count, const struct column *columns,
                int64_t from, int64_t count, uint64_t *hashes, uint8_t *absent, bool *any_absent);
/* True when the keys of two rows are equal. */
bool join__equal(const uint32_t *a_keys, const struct column *a, int64_t a_row,
                 const uint32_t *b_keys, const struct column *b, int64_t b_row, uint32_t key_count,
                 enum join_nulls nulls);
/* Negative, 0, positive: rows by their keys, ascending, nulls last and equal. */
int join__compare(const uint32_t *a_keys, const struct column *a, int64_t a_row,
                  const uint32_t *b_keys, const struct column *b, int64_t b_row,
                  uint32_t key_count);
/* Any key of the row is null. */
bool join__absent(const uint32_t *keys, uint32_t key_count, const struct column *columns,
                  int64_t row);

/* ---- where probe and build rows come from (join_source.c) ---- */

/* An operator's batches, or those of a stream. */
struct join_source {
  struct exec_op *op;
  struct spill_reader *reader; /* not NULL: instead of op */
  /* Batches that were pulled at once, all valid: those from `at` on are yet to be taken. */
  struct batch *batches; /* EXEC_SOME of them; NULL: one is pulled at a time */
  uint32_t at, count;
};
/* Room for batches to be pulled at once, for the life of the execution. */
int join__source_init(struct join_source *source, struct exec *exec, struct err *err);
/* Pulls if none are at hand; then those are source->batches [at, count), and the caller moves `at`
 * on by what it took. None at hand: the end. */
int join__source_some(struct join_source *source, struct err *err);
/* The next rows, valid until the next call; length 0: the end. */
int join__source_next(struct join_source *source, struct batch *batch, struct err *err);
struct join_core;
/* Appends the batches at hand to a buffer, by all threads, where there are several; *taken false:
 * there are not, or memory would be tight with them (each row taking row_size bytes besides), and
 * they are still at hand. */
int join__source_keep(struct join_source *source, const struct join_core *core,
                      struct row_buffer *buffer, size_t row_size, bool *taken, struct err *err);
/* Appends what is left of a source to a stream of its schema. */
int join__source_spill(struct join_source *source, struct exec *exec, struct spill_stream *stream,
                       struct err *err);
/* A stream of a schema's columns. */
int join__stream(struct exec *exec, const struct plan_schema *schema, struct spill_stream **stream,
                 struct err *err);

/* ---- the hash table (join_table.c) ---- */

/* Entries stand in the order of their hashes, rows with equal hashes in their own order, so the
 * partners of a row are one run; a directory of the upper bits of hashes leads to it. (The layout
 * of Birler, Schmidt, Fent, Neumann, "Simple, Efficient, and Robust Hash Tables for Join
 * Processing", DaMoN 2024, without its filter.) */
struct join_table {
  struct exec *exec;
  struct sort_row *entries; /* hash and row number */
  size_t capacity;          /* entries allocated */
  uint32_t count;           /* entries that are found by hash */
  uint32_t tail;            /* entries behind them: rows with null keys, where those count */
  uint32_t *starts;         /* per value of the upper `bits` bits, and the end */
  unsigned bits;
};
/* The most rows a table is made of. */
#define JOIN_TABLE_ROWS_MAX (UINT32_C(1) << 31)
/* From all rows of the buffer, whose chunks `chunks` lists. */
int join__table_build(struct join_table *table, struct exec *exec, const struct join_shape *shape,
                      const struct row_buffer *build, const struct batch *chunks, struct err *err);
void join__table_deinit(struct join_table *table);
/* The runs of the rows of a probe batch; 0 for a row whose keys have a null. */
void join__table_find(const struct join_table *table, const struct join_shape *shape,
                      const struct column *columns, int64_t length, uint32_t *first,
                      uint32_t *count);

/* ---- the core (join_core.c, join_piece.c) ---- */

/* A batch of probe rows with their runs. */
struct join_probe {
  struct builder *builders; /* rows of its own, where batches are kept */
  struct column *columns;   /* views */
  int64_t length;
  uint32_t *first, *count;  /* per row: candidates [first, first + count) */
  _Atomic uint8_t *matched; /* per row: has a partner */
  uint64_t base;            /* number of the first row, in a pass over a stream */
};
enum join_piece_kind {
  JOIN_PIECE_ROWS,  /* whole rows of a probe batch */
  JOIN_PIECE_PART,  /* some candidates of one row that has too many for a piece */
  JOIN_PIECE_CLOSE, /* the end of such a row */
  JOIN_PIECE_REST,  /* a chunk of build rows: those with, or without, a partner */
};
struct join_piece {
  enum join_piece_kind kind;
  uint32_t batch, from, to; /* rows [from, to) of a probe batch; REST: of a chunk */
  uint32_t first, count;    /* PART: candidates of the row's run, from its start */
};
/* One piece's work space and output. */
struct join_lane {
  struct join_piece piece;
  struct arena arena;
  struct program_state *condition;
  uint32_t *probe_rows; /* pairs, at most core->piece_rows */
  uint64_t *build_rows;
  uint32_t *out_probe;      /* output rows */
  uint64_t *out_build;      /* ROW_NONE: none */
  struct builder *gathered; /* columns of the condition */
  struct column *condition_columns;
  struct builder *builders; /* output, a column of the schema each */
  struct builder **pointers;
  struct column *views; /* of the output */
  struct exec_group group;
  int64_t length;
};
struct join_core {
  struct exec_op *op;
  struct exec *exec;
  struct join_shape shape;
  bool compare_keys; /* runs do not promise equal keys */
  bool last_pass;    /* no further build rows come for these probe rows */
  bool plain_build;  /* build columns are never given as codes */
  /* build side */
  const struct row_buffer *build;
  struct batch *chunks;
  uint32_t chunk_capacity;
  _Atomic uint8_t *build_marks;
  size_t mark_capacity;
  const struct sort_row *entries; /* candidate i is row entries[i].row; NULL: row i */
  uint32_t entry_count, tail;     /* rows with null keys behind the others: join__candidate */
  /* probe side */
  struct join_probe *probes;
  uint32_t probe_capacity, probe_count;
  uint64_t probe_rows; /* added so far; the method sets it back at the start of a pass */
  /* pieces */
  uint32_t piece_rows;
  size_t work_size; /* bytes that builders of all lanes and probe batches will take, about */
  uint32_t at_batch, at_row, at_part;
  uint64_t rest_at, rest_end; /* build rows */
  struct join_lane *lanes;
  uint32_t lane_count, ran, given;
  /* output */
  const struct program *condition;
  bool *condition_uses;                    /* per column, left then right */
  const struct column **dictionaries;      /* per output column */
  uint32_t *build_columns, *build_outputs; /* gathered from the build side, and to where */
  uint32_t build_column_count;
  bool begun;
};
int join__core_init(struct join_core *core, struct exec_op *op, bool choose, struct err *err);
void join__core_deinit(struct join_core *core);
/* True when an operator that holds rows should spill them: as exec__memory_tight, with what the
 * core will still ask for and `more` bytes. */
bool join__core_tight(const struct join_core *core, size_t more);
/* Build rows for the probes to come: views of the chunks, marks (none set). */
int join__core_build(struct join_core *core, const struct row_buffer *build, struct err *err);
/* Forgets the probe batches; there is room for core->probe_capacity of them. */
void join__core_clear(struct join_core *core);
/* Keeps a copy of a batch (or, with one lane, the batch itself, which must stay) for the pieces to
 * come; no row has a partner yet. *room: another one fits. Runs are the caller's to find before the
 * next join__core_next. */
int join__core_add(struct join_core *core, const struct batch *batch, bool *room, struct err *err);
/* The same for a batch that stays as long as the pieces: no copy is made. There must be room. */
void join__core_add_view(struct join_core *core, const struct batch *batch);
/* Probe rows for all lanes, behind join__core_clear, from a source with room for several batches:
 * those that stay as they are, of others copies. No probe batch: the source's end. */
int join__core_fill(struct join_core *core, struct join_source *source, struct err *err);
/* The next outputs, at most `most`, all valid until the next call; none when all pieces are
 * through. */
int join__core_some(struct join_core *core, struct exec_batch *batches, uint32_t most,
                    uint32_t *count, struct err *err);
/* Only rows [from, to) of the one probe batch are to be worked on. */
void join__core_range(struct join_core *core, uint32_t from, uint32_t to);
/* Lets those of the first `rows` build rows follow that have, or lack, a partner, where they are
 * asked for at all. */
void join__core_rest(struct join_core *core, uint64_t rows);
/* The next output; length 0 when all pieces are through. */
int join__core_next(struct join_core *core, struct exec_batch *batch, struct err *err);
/* Runs the piece of a lane: join_piece.c. */
int join__piece_run(struct join_core *core, struct join_lane *lane, struct err *err);
/* The row of candidate i of a run of `count` that begins at `first`. */
static inline uint64_t join__candidate(const struct join_core *core, uint32_t first, uint32_t count,
                                       uint32_t i) {
  if (!core->entries) return first + (uint64_t)i;
  uint32_t hashed = count - core->tail;
  uint32_t at = i < hashed ? first + i : core->entry_count + (i - hashed);
  return core->entries[at].row;
}

/* ---- spilled partitions (join_spill.c) ---- */

enum { JOIN_FANOUT = 16, JOIN_LEVELS = 5 };
/* A partition that waits: rows of both sides whose hashes agree in what was looked at so far. */
struct join_task {
  struct join_task *next;
  struct spill_stream *build, *probe; /* NULL: the operators themselves */
  unsigned level;
  bool whole; /* splitting its parent brought next to nothing */
};
/* Distributes the rows of a side over JOIN_FANOUT new streams, which are finished: of the buffer,
 * which is emptied, of a batch from a row on, and of the source (each may be NULL). Rows whose keys
 * have a null are left out when they can't come out at all. On failure no stream is left. */
int join__partition(struct exec *exec, const struct join_shape *shape, bool build, unsigned level,
                    struct row_buffer *buffer, const struct batch *pending, int64_t pending_at,
                    struct join_source *source, struct spill_stream **streams, struct err *err);
void join__destroy_streams(struct spill_stream **streams);

#endif
