/* What the scan's files share.
 *
 *   scan_open.c    opening, closing, the next chunk, figures
 *   scan_damage.c  the public calls: the same, past parts that turn out to be damaged
 *   scan_source.c  one input: which block and run is next, what is decoded
 *   scan_deletions.c  tombstones, found by where they are
 *   scan_bounds.c  head and tail: how much of a series has to be read
 *   scan_series.c  which series is next; its runs from all inputs, put in order
 *   scan_runs.c    the common case of that: whole runs that follow each other
 *   scan_merge.c   interleaved keys: windows, merging, folding
 *   scan_versions.c  several rows of a place in one input: marks, history, AS OF
 *   scan_chunk.c   the plan of a chunk, and its columns when they are asked for
 *   scan_images.c  the same columns as they are stored
 *
 * The glossary stands in README.md. */
#ifndef NILO_STORE_SCAN_PRIVATE_H
#define NILO_STORE_SCAN_PRIVATE_H

#include "base/limits.h"
#include "store/scan.h"
#include "store/scan_damage.h"
#include "store/scan_deletions.h"
#include "store/twins.h"

enum {
  SCAN_ROWS_MAX = LIMIT_BLOCK_ROWS, /* of a chunk */
  SCAN_ROW_BITS = 13,               /* a row inside a block, in a pick */
  SCAN_SLOTS = 2, /* blocks of one input that may be decoded at once; of an output's input, one */
  SCAN_PICKS_MAX = 65536, /* folded rows behind one chunk */
  SCAN_LARGE = 1024,      /* rows of a slice worth a chunk of its own */
  SCAN_SHORT = 8,         /* slices shorter than this are cheaper as picks */
  SCAN_ENDS = 256,        /* rows for one that is wanted, where the others are not to be decoded */
};
_Static_assert(SCAN_ROWS_MAX == 1 << SCAN_ROW_BITS, "rows of a block fit a pick");

struct scan_source;
struct scan_candidate; /* scan_bounds.c */
struct scan_slot_image;
struct store_image;

/* Rows [from, to) of a block; to 0: none. */
struct scan_rows {
  uint32_t from, to;
};

/* A block of an input that a chunk refers to, and what of it is decoded. Arrays are indexed by the
 * row in the block, whichever part of it is there. */
struct scan_slot {
  struct scan_source *source;
  uint32_t ordinal; /* in picks */
  uint32_t block;
  bool held;      /* holds `block` */
  bool decoded;   /* keys or a column were */
  bool handed;    /* rows of it were put into a chunk */
  uint64_t chunk; /* the last chunk that refers to it */
  struct arena arena;
  const struct store_run *runs; /* NULL until read */
  const int64_t *run_keys;
  const int64_t *keys;
  struct column *columns;
  struct scan_rows keys_read, *columns_read;
  struct scan_slot_image *images; /* per column, encoded; NULL until asked for (scan_images.c) */
  struct scan_rows needed;        /* what the current chunk refers to */
};

/* One input. Its position: the block `at` and, when `exact`, rows [from, to) of run `run` in it,
 * which belong to scan->series[index]; when not exact, a block of several series whose runs are not
 * read, whose rows are not below (scan->series[index], lo). */
struct scan_source {
  struct store_part *part; /* NULL: the view */
  const struct open_view *view;
  const struct part_block *blocks;
  uint32_t index, at, end;
  uint64_t commit;         /* of rows that do not say; of the view 0 */
  bool one_commit;         /* all its rows are of that one */
  uint32_t deletion_first; /* deletions from here on may delete any of its rows */
  uint32_t inner_first;    /* those before, from here on, the rows of older commits in it */
  bool has_commits;        /* rows may say which commit wrote them */
  const bool *versioned;   /* per block: may hold several rows of a place, marks, or rows that are
                              not to be seen; NULL: none does */
  bool done;
  bool opened;  /* the block has several runs and slot->runs are they */
  bool exact;   /* see above */
  bool clipped; /* lo and hi are the keys of the first and last row of [from, to) */
  bool may_hold_twins;
  bool cuts_known; /* `cuts` are those of the run; behind cut_at those not passed yet */
  uint32_t cut_at, cut_count, cut_capacity;
  struct scan_cut *cuts; /* ascending, apart from each other */
  const bool *has;       /* per column of the scan */
  size_t plain_row;      /* bytes of a decoded row, about, where data is asked for; else 0 */
  uint32_t run;
  uint32_t from, to, stop; /* stop: the end of the run, or of what the key range leaves of it */
  int64_t lo, hi;
  struct part_ahead *ahead; /* per column of the scan, the keys behind them; NULL: none yet */
  size_t wanted_at;         /* index of the first wanted series not below the position */
  struct scan_slot *slot;   /* holds block `at`, or NULL */
  struct scan_slot slots[SCAN_SLOTS];
};

/* A piece of the chunk that is being planned: consecutive rows of one block, or picked rows. */
struct scan_piece {
  struct scan_slot *slot; /* NULL: picks */
  uint32_t from;          /* slices: the first row in the block */
  uint32_t row, rows;     /* in the chunk */
  int64_t key;            /* slices: of the first row */
  uint32_t fold, folds;   /* picks: folded rows behind them, in fold_pick; 0: none */
};

struct scan_plan {
  uint64_t number; /* of the chunk; 0: none yet */
  uint32_t rows;
  bool full;
  struct scan_piece *pieces;
  uint32_t piece_count, piece_capacity;
  struct store_run *runs;
  uint32_t run_count, run_capacity;
  int64_t key_min, key_max;
  uint32_t *picks; /* per row of the chunk, where pieces say so */
  bool keys_loaded;
  /* Rows of one place, oldest first, that newest-per-column folds into row fold_row. */
  uint32_t *fold_pick, *fold_row;
  uint32_t fold_count, fold_capacity;
  struct scan_slot **slots; /* that the chunk refers to */
  uint32_t slot_count;
  const struct store_run *direct_runs; /* the runs of the one whole block, not copied */
  struct column *columns;
  struct scan_output *outputs; /* per wanted column, and one more for the keys */
  struct column_statistics *statistics;
};

/* One input's share of a window. */
struct scan_list {
  struct scan_source *source;
  const int64_t *keys; /* of the block */
  uint32_t from, count;
};

/* The place that is being folded, where inputs hold several rows of one (scan_versions.c). Its rows
 * come oldest first; it stays open until a row of another place comes. */
struct scan_place {
  bool open;
  bool passed; /* rows of commits above `settled` have begun: what the others come to was planned */
  bool planned; /* a row of it was */
  uint64_t series;
  int64_t key;
  bool marked; /* `mark` is the last mark that is settled; rows before it are gone */
  uint32_t mark;
  uint32_t *rows; /* picks of settled rows, behind the last mark */
  uint32_t count, capacity;
  /* What it had when the last chunk ended, as a slot of its own: row 0 the mark, row 1 the rest
   * folded. Twice, because the one is made from the other. */
  struct scan_slot carried[2];
  uint32_t carrying;
  struct scan_source source; /* that the slots name; it has nothing else */
};

/* The arrays that a column of chunks is put together in; reused from chunk to chunk. */
struct scan_output {
  uint32_t capacity; /* rows */
  uint64_t *values;  /* or bits, or offsets */
  uint64_t *validity;
};

/* Scratch of merging: the lists, and keys and picks twice, because merging goes back and forth. */
struct scan_window {
  struct scan_list *lists;
  uint32_t list_count;
  uint32_t *ends; /* of sorted runs */
  uint32_t capacity;
  int64_t *keys[2];
  uint32_t *picks[2];
};

struct store_scan {
  struct mem_account *account;
  int failed; /* the code of a failed step: positions may be half moved, so it stays failed */
  enum store_policy policy;
  struct store_scan_spec spec;
  struct arena memory;   /* of the scan's life */
  struct arena chunk;    /* of the current chunk */
  uint32_t column_total; /* decoded: wanted ones, then all others where twins are compared; or
                            commit and mark */
  uint32_t *column_ids;
  struct type *types;
  struct store_part **parts; /* retained: inputs and holders of tombstones */
  size_t part_count;
  struct open_part *open;
  const struct open_view *view;
  struct scan_source *sources; /* in commit order */
  uint64_t *series;            /* of each source's position */
  uint32_t *active;            /* sources that are not done, ascending */
  uint32_t source_count, active_count;
  uint64_t as_of;                  /* rows of commits above it are not seen; UINT64_MAX: all are */
  uint64_t settled;                /* rows of commits up to it fold; readers see no others */
  const struct scan_keep *keep;    /* of outputs; NULL: for a reader */
  struct scan_deletion *deletions; /* ascending by commit */
  uint32_t deletion_count;
  struct scan_box_tree *deletion_tree; /* NULL: there are none */
  uint32_t *hits;                      /* deletions found last */
  bool plain;    /* no list of series, deletions, head, tail, twins or versions to mind */
  bool versions; /* inputs may hold several rows of a place, or marks, or outputs keep them */
  uint32_t commit_column, mark_column; /* of the decoded ones, with `versions` */
  struct scan_place place;
  uint64_t floor;      /* series below are done */
  bool ended;          /* the last possible series is done */
  bool in_series;      /* members and hits are those of `current` */
  uint64_t current;    /* the series being read */
  uint64_t planned;    /* the series of the last planned row; 0: none yet */
  int64_t planned_key; /* and its key */
  bool bounded;        /* head or tail cut the key range of bound_series */
  uint64_t bound_series;
  int64_t bound_min, bound_max;
  uint32_t *members; /* sources whose position is in `current`, ascending */
  uint32_t member_count;
  struct scan_candidate *candidates; /* NULL until head or tail asks */
  struct scan_plan plan;
  struct scan_window window;
  struct codec_tables **tables; /* per column: of its codes, from block to block; NULL until used */
  struct scan_skip *skip;       /* what filters rule out; NULL: nothing (scan_skip.c) */
  struct twins twins;
  void *nothing; /* zeros: values, bits and offsets of a column that a block lacks */
  /* While a column is put together, per slot ordinal; and the pick of each row. */
  const void **base_values;
  const uint64_t **base_validity;
  const char **base_data;
  uint32_t *effective;
  struct store_scan_figures figures;
  struct scan_guard guard;
};

/* ---- scan_source.c ---- */
/* The key range that is read of a series. */
static inline int64_t scan__key_min(const struct store_scan *scan, uint64_t series) {
  return scan->bounded && scan->bound_series == series ? scan->bound_min : scan->spec.key_min;
}
static inline int64_t scan__key_max(const struct store_scan *scan, uint64_t series) {
  return scan->bounded && scan->bound_series == series ? scan->bound_max : scan->spec.key_max;
}
/* Moves to the first block or run not below the floor that may hold wanted rows; sets done at the
 * end. Reads nothing. */
void scan__settle(struct store_scan *scan, struct scan_source *source);
/* Takes `count` rows off the front of [from, to); moves on when none are left. Keys must be read
 * unless that is all of the run. */
void scan__consume(struct store_scan *scan, struct scan_source *source, uint32_t count);
/* Leaves the current run for the next one, of whatever series. */
void scan__advance(struct store_scan *scan, struct scan_source *source);
/* Leaves the current block. */
void scan__leave_block(struct store_scan *scan, struct scan_source *source);
/* Makes the current block's slot: *ready false when the current chunk still needs all of them. */
int scan__slot(struct store_scan *scan, struct scan_source *source, bool *ready, struct err *err);
/* Reads the run directory of the current block and settles on a run of it. */
int scan__open_block(struct store_scan *scan, struct scan_source *source, bool *ready,
                     struct err *err);
int scan__slot_runs(struct scan_slot *slot, struct err *err);
/* Rows [from, to) of keys, and of column i of the scan's columns: decoded on first use, in part
 * where little is asked for at first. */
int scan__slot_keys(struct store_scan *scan, struct scan_slot *slot, uint32_t from, uint32_t to,
                    struct err *err);
int scan__slot_column(struct store_scan *scan, struct scan_slot *slot, uint32_t i, uint32_t from,
                      uint32_t to, struct err *err);
/* Cuts [from, to) to the next stretch of rows in the key range that no deletion takes out; moves on
 * when there is none. */
int scan__clip(struct store_scan *scan, struct scan_source *source, bool *ready, struct err *err);
/* Counts what became of the slot's block and forgets it. */
void scan__retire(struct store_scan *scan, struct scan_slot *slot);
/* True when a deletion may take rows out of the block. */
bool scan__block_cut(struct store_scan *scan, const struct scan_source *source,
                     const struct part_block *block);
/* The first wanted series at or above `series`, looking from wanted index *at on; false: none. */
bool scan__next_wanted(const struct store_scan *scan, uint64_t series, size_t *at, uint64_t *next);

/* First index in [from, to) whose key is not below (above) `key`; galloping from the front. */
uint32_t scan__lower(const int64_t *keys, uint32_t from, uint32_t to, int64_t key);
uint32_t scan__upper(const int64_t *keys, uint32_t from, uint32_t to, int64_t key);

/* True when head or tail leave so little of the runs of a block that it is to be opened, and only
 * some of its vectors to be decoded. */
static inline bool scan__wants_ends(const struct store_scan *scan, const struct part_block *block) {
  uint64_t each = (uint64_t)scan->spec.head + scan->spec.tail;
  return !scan->spec.head != !scan->spec.tail && block->rows / SCAN_ENDS >= block->runs * each;
}

/* ---- scan_versions.c ---- */
static inline bool scan__is_versioned(const struct scan_source *source) {
  return source->versioned && source->versioned[source->at];
}
/* Sets `versioned` of a source whose blocks are known. */
int scan__find_versions(struct store_scan *scan, struct scan_source *source,
                        const struct store_part_facts *facts, struct err *err);
/* True when versioned blocks of the inputs that are at `series` touch the keys: rows there may not
 * come out. */
bool scan__versions_touch(const struct store_scan *scan, uint64_t series, int64_t lo, int64_t hi);
/* Folds rows of the current series in order of (key, age) into the plan; the last place stays open.
 */
int scan__fold_versions(struct store_scan *scan, const int64_t *keys, const uint32_t *picks,
                        uint32_t count, struct err *err);
/* Plans what the open place comes to; needs room for two rows. */
int scan__close_place(struct store_scan *scan, struct err *err);
/* Before the next chunk: takes along what the open place has. */
int scan__carry_place(struct store_scan *scan, struct err *err);
void scan__place_deinit(struct store_scan *scan);

/* ---- scan_skip.c ---- */
/* Prepares what the spec's filter can rule out, before inputs are added. */
int scan__skip_init(struct store_scan *scan, struct err *err);
/* True when no row of the source's current block passes the filter. */
bool scan__block_fails(struct store_scan *scan, const struct scan_source *source);

/* ---- scan_bounds.c ---- */
/* Head or tail: finds the key range of `series` that holds enough of its rows. *again: positions
 * moved (blocks were opened) and the next series must be looked for anew. */
int scan__bound(struct store_scan *scan, uint64_t series, bool *again, bool *ready,
                struct err *err);

/* ---- scan_series.c ---- */
/* Plans the next chunk; plan.rows 0: the end. */
int scan__plan(struct store_scan *scan, struct err *err);

/* ---- scan_runs.c ---- */
/* Plans series as long as they are runs that follow each other in opened blocks; only where nothing
 * but ranges was asked for (scan->plain). */
int scan__pass_runs(struct store_scan *scan, struct err *err);

/* ---- scan_merge.c ---- */
/* Merges the members' rows up to some key into the plan: those of `first`, whose next key is the
 * lowest, and of all members that overlap it. Takes at least one row unless *ready comes back false
 * (the chunk must be finished first). */
int scan__merge_window(struct store_scan *scan, struct scan_source *first, bool *ready,
                       struct err *err);

/* ---- scan_chunk.c ---- */
/* Memory of the chunk in the making. ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int scan__plan_init(struct store_scan *scan, struct err *err);
void scan__plan_deinit(struct store_scan *scan);
/* Begins an empty plan. */
void scan__plan_reset(struct store_scan *scan);
static inline uint32_t scan__room(const struct store_scan *scan) {
  return SCAN_ROWS_MAX - scan->plan.rows;
}
/* Appends rows [from, from + count) of a slot's block, which belong to the current series and have
 * keys from lo to hi. */
int scan__plan_slice(struct store_scan *scan, struct scan_slot *slot, uint32_t from, uint32_t count,
                     int64_t lo, int64_t hi, struct err *err);
/* The same for fewer than SCAN_SHORT rows that something else follows. */
int scan__plan_short(struct store_scan *scan, struct scan_slot *slot, uint32_t from, uint32_t count,
                     int64_t lo, int64_t hi, struct err *err);
/* A whole block of several series into an empty plan. */
int scan__plan_block(struct store_scan *scan, struct scan_slot *slot, struct err *err);
/* Notes that the chunk refers to `count` rows of a slot, whose block then stays until the next
 * chunk. Slices do so themselves; for picks the caller does. */
void scan__plan_refer(struct store_scan *scan, struct scan_slot *slot, uint32_t from,
                      uint32_t count);
/* Appends picked rows of the current series with keys from lo to hi; `folds` more rows were put
 * behind fold_count before. */
int scan__plan_picks(struct store_scan *scan, const uint32_t *picks, uint32_t count, int64_t lo,
                     int64_t hi, uint32_t folds, struct err *err);
/* Room for `count` more folded rows. */
int scan__plan_reserve_folds(struct store_scan *scan, uint32_t count, struct err *err);
/* Fills the caller's chunk from the plan. */
int scan__chunk_describe(struct store_scan *scan, struct store_chunk *chunk, struct err *err);
int scan__chunk_load(struct store_scan *scan, struct store_chunk *chunk, bool with_keys,
                     uint64_t mask, struct err *err);

/* ---- scan_images.c ---- */
/* As store_scan_images, of a scan that minds no damage. */
int scan__chunk_images(struct store_scan *scan, uint32_t i, const struct store_image **images,
                       uint32_t *count, struct err *err);
/* The keys of a slot's block, which is one of a part. */
int scan__slot_key_image(struct store_scan *scan, struct scan_slot *slot,
                         const struct codec_image **image, struct err *err);
/* Gives up what was read ahead of an input. */
void scan__ahead_deinit(struct store_scan *scan, struct scan_source *source);

/* The error of an arena that gave nothing: it asks its account for a chunk, not for the block. */
static inline int scan__refused(const struct arena *arena, size_t size, struct err *err) {
  return mem_refused(arena->account, size + arena->chunk_size, err);
}

static inline uint32_t scan__pick(const struct scan_slot *slot, uint32_t row) {
  return slot->ordinal << SCAN_ROW_BITS | row;
}

#endif
