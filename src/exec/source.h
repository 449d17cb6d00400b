/* The rows of a table as a scan sees them: which series, their groups and order, and a reader that
 * streams their chunks. Shared by the scan and by the aggregation over a scan.
 *
 * A **source** is immutable once open and shared by threads. A **position** is an index into its
 * series (ascending ids). A **morsel** is a range of positions and of keys; a **reader** streams
 * one morsel on one thread, filters, and loads no column before somebody asks for it. */
#ifndef NILO_EXEC_SOURCE_H
#define NILO_EXEC_SOURCE_H

#include "exec/encoded_filter.h"
#include "exec/exec_private.h"
#include "store/scan_images.h"
#include "table/read.h"

struct source {
  struct exec *exec;
  const struct plan_node *scan;
  const struct expr *filter; /* over the scan's columns; NULL: none */
  const struct program *filter_program;
  bool *filter_columns;                 /* per column of the scan's schema */
  const struct encoded_filter *encoded; /* what of the filter needs no values; NULL: nothing */
  struct table_series series;
  bool all; /* no filter on tags: a range of ids is asked for, which keeps blocks whole */
  uint32_t group_count;
  uint32_t *groups;      /* per position; NULL: all of group 0 */
  uint32_t *group_sizes; /* series per group */
  int32_t *group_codes;  /* group_count × the schema's group columns */
  struct column *tags;   /* per column of the schema: codes per position; length 0: no tag */
  uint32_t *order;       /* positions by (group, tag values); NULL until source_order */
  uint32_t *ranks;       /* per position: its place in `order` */
  uint32_t *store_ids;   /* columns wanted from the store */
  uint32_t store_count;
  int32_t *store_index; /* per column of the schema: index in store_ids; -1: none */
  uint64_t rows_estimate;
  int64_t key_min, key_max; /* of the parts' rows in the range; empty range: no parts */
};
/* scan: a PLAN_SCAN, or a PLAN_FILTER over one. */
int exec__source_open(struct source *source, struct exec *exec, const struct plan_node *scan,
                      struct err *err);
/* Fills order and ranks; without `ties` only by group, then by id. */
int exec__source_order(struct source *source, bool ties, struct err *err);
static inline uint32_t source_group(const struct source *source, size_t position) {
  return source->groups ? source->groups[position] : 0;
}

struct morsel {
  const uint64_t *ids;       /* ascending */
  const uint32_t *positions; /* of the ids; NULL: consecutive from `first` */
  uint32_t first;
  uint32_t count;
  int64_t key_min, key_max;
  uint32_t head, tail;
};

/* A run of a series that the source does not have: its rows are passed over. */
#define POSITION_NONE UINT32_MAX

/* A column of a chunk as it is stored. */
struct reader_images {
  const struct store_image *images;
  uint32_t count; /* 0: there are none */
  bool asked;
};

struct reader {
  const struct source *source;
  const struct morsel *morsel;
  struct store_scan *scan;
  struct store_chunk chunk;
  struct arena memory;                               /* of the reader's life */
  struct arena scratch;                              /* of one filtering */
  struct program_state *filter;                      /* NULL: no filter */
  struct program_state *rest;                        /* of source->encoded; NULL: none */
  struct program_state *texts[ENCODED_PROGRAMS_MAX]; /* likewise */
  struct column *text_columns;                       /* what those read */
  struct column *columns;       /* per column of the schema; length 0 until loaded */
  struct reader_images *images; /* likewise */
  struct codec_kept **kept;     /* per column: of those that the filter looks at, else NULL */
  uint32_t *run_positions;      /* per run of the chunk */
  uint32_t run_capacity;
  uint32_t cursor;           /* in the morsel: ids before it are done */
  const uint64_t *selection; /* rows that passed the filter; NULL: all */
  uint64_t *selection_bits;
  uint32_t selected;   /* their number */
  void *zeros;         /* values and validity of columns that do not exist */
  int32_t **tag_codes; /* per column: scratch for codes of a chunk */
  /* See exec_figures. */
  uint64_t values_by_statistics, values_encoded, values_decoded;
};
/* How often a morsel may begin anew because parts turned out to be damaged. */
enum { READER_TRIES_MAX = 1000 };
/* Opens the store's scan; exec__reader_close must follow, also after a failure. Here and below
 * ERR_CONFLICT says that a part turned out to be damaged and that what was read of the morsel is
 * void: begin it anew. */
int exec__reader_open(struct reader *reader, const struct source *source,
                      const struct morsel *morsel, struct err *err);
/* The next chunk with its run_positions; chunk.rows 0: the end. Checks deadline and cancelling. */
int exec__reader_next(struct reader *reader, struct err *err);
/* Evaluates the filter on the chunk. */
int exec__reader_filter(struct reader *reader, struct err *err);
/* Makes columns[i] for every i with wanted[i]. The time column is the keys. */
int exec__reader_load(struct reader *reader, const bool *wanted, struct err *err);
/* The images of a stored column of the chunk, in order of its rows; *count 0: it has none, or the
 * column is loaded already. Errors as of exec__reader_load. */
int exec__reader_images(struct reader *reader, uint32_t column, const struct store_image **images,
                        uint32_t *count, struct err *err);
/* Loads chunk.keys. */
int exec__reader_keys(struct reader *reader, struct err *err);
/* Adds what was read to `figures`. */
void exec__reader_close(struct reader *reader, struct exec_figures *figures);

/* What to cut: the source's rows with keys in a range, into morsels of about `rows` rows. */
struct morsel_cut {
  int64_t key_min, key_max;
  uint64_t rows;
  bool any_order;
};
/* Cuts into morsels in the order of series and then of keys. With any_order a morsel may have many
 * series of a short range of keys, so that blocks of many series are not read once per series. The
 * cut depends on the data only, never on the number of threads. From the execution's memory. */
int exec__source_cut(const struct source *source, const struct morsel_cut *wanted,
                     struct morsel **morsels, uint32_t *count, struct err *err);

#endif
