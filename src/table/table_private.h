/* What the files of this folder share. */
#ifndef NILO_TABLE_TABLE_PRIVATE_H
#define NILO_TABLE_TABLE_PRIVATE_H

#include "base/buffer.h"
#include "base/hash_table.h"
#include "catalog/definition.h"
#include "os/os.h"
#include "os/pool.h"
#include "series/series.h"
#include "table/clock.h"
#include "table/engine.h"
#include "table/read.h"
#include "table/write.h"

/* Bodies on their way from the join to the acknowledgement pass side by side; a definition or a
 * delete waits for them and goes alone. So what a join finds in the catalog and knows of its series
 * is still so when its commit is logged, and no commit that is under way brings back what was
 * dropped. */
struct table_gate {
  struct os_mutex lock;
  struct os_cond changed;
  uint32_t writes; /* under way */
  bool closed;     /* somebody goes alone, or waits for it */
};

struct table_engine {
  struct table_engine_options options;
  struct mem_account account;
  struct os *os;
  struct os_zones *zones;
  struct catalog *catalog;
  struct series_registry *series;
  struct store_shard *shard;
  struct table_gate gate;
  struct os_mutex rows_lock;     /* one statement at a time changes tables of rows */
  struct table_clock clock;      /* that rows expire by */
  _Atomic bool ready;            /* the catalog is loaded: settings of stores are known */
  _Atomic uint32_t piece_tables; /* that the last piece of many had: room for the next one */
};

/* A write enters before its join and leaves when its commit is confirmed or has failed. */
void table__gate_enter(struct table_engine *engine);
void table__gate_leave(struct table_engine *engine);
/* Waits until no write is under way and keeps others out until table__gate_open. */
void table__gate_close(struct table_engine *engine);
void table__gate_open(struct table_engine *engine);

/* ---- retention.c ---- */
/* What the store asks of an engine; the context is the engine. */
extern const struct store_hooks table__store_hooks;
/* The catalog is loaded: settings of stores are known from now on. Tells the engine's clock what
 * its stores know of the time. */
void table__retention_begin(struct table_engine *engine, struct store_snapshot *snapshot);
/* Rejects the rows of a write that have expired already, by the policy or by what the store has
 * given up since. */
struct table_write;
int table__reject_expired(struct table_write *write, struct err *err);

/* ---- change_settings.c ---- */
struct joined;
/* Rounds the floats of joined rows as their table's settings say. */
void table__round(struct joined *joined);
/* Writes catalog rows as one commit and confirms them. Behind the closed gate. */
int table__write_changes(struct table_engine *engine, struct catalog_changes *changes,
                         struct err *err);
/* The same with the ends of tables, of which those without a store are passed over. `ids` is
 * rewritten. */
int table__write_drops(struct table_engine *engine, struct catalog_changes *changes, uint64_t *ids,
                       size_t count, struct err *err);
/* What a retention becomes; negative values leave it as it is. ERR_INVALID_ARGUMENT. */
int table__change_retention(struct catalog_retention *retention, int64_t duration_ns,
                            int64_t shard_ns, struct err *err);
/* The settings of a table after all changes, in `arena`. */
int table__draft_settings(const struct catalog_table *table, const struct table_change *changes,
                          size_t count, struct arena *arena, struct catalog_settings *settings,
                          struct err *err);

/* The series index of a table, kept with it; NULL when memory is refused. Borrowed as long as the
 * table is retained. */
struct series_index *table__index(struct table_engine *engine, struct catalog_table *table);

/* ---- pieces ---- */
/* Rows of a table in chunks; rows of one chunk lie one behind another, each as long as its shape
 * says. */
struct row_chunk {
  struct row_chunk *next;
  uint32_t used, size; /* bytes */
  uint8_t bytes[];
};
struct shape {
  uint32_t count;
  uint32_t row_size; /* bytes */
  const uint32_t *fields;
  uint32_t rows;       /* that have it */
  uint32_t first_line; /* of the first of them */
};
struct rows {
  struct table_rows public;
  struct rows *next;          /* in the piece, in order of first use */
  uint64_t hash;              /* of the name, as tables of names want it */
  struct series_index *index; /* NULL: new table */
  struct row_chunk *first, *last;
  uint32_t last_row; /* offset of the newest row in `last` */
  uint32_t group;    /* while joining: the number of its table in the write */
  struct shape *shapes;
  uint32_t shape_count, shape_capacity;
  struct str *new_tags; /* raw tag sets: sized name, sized value, ascending by name */
  uint32_t new_count, new_capacity;
  struct str_table new_known;   /* raw tag set -> index */
  struct str_table field_names; /* used beyond a few fields: name -> first index + 1 */
  struct str_table shape_names; /* used beyond a few shapes: bytes of the fields -> number */
};
struct table_piece {
  struct table_write *write;
  uint32_t index;
  uint32_t lines_before;
  uint64_t generation; /* the catalog's, when the piece was begun */
  struct arena arena;
  struct str_table tables; /* name -> struct rows * */
  struct rows *first, *last;
  uint64_t rejected;
  struct err error;    /* of the first rejected line */
  uint32_t error_line; /* 1-based in the piece; 0: none */
};
struct table_write {
  struct table_engine *engine;
  struct table_write_options options; /* strings in `arena` */
  enum time_unit unit;                /* of new tables */
  uint64_t schema_id;
  struct catalog_retention retention;
  struct mem_account account;
  struct arena arena; /* lives until done */
  struct os_mutex lock;
  struct table_piece **pieces;
  uint32_t piece_count, piece_capacity;
  /* for the acknowledgement */
  struct catalog_changes changes;
  struct written_table *written;
  uint32_t written_count, written_capacity;
  struct table_write_result result;
  void (*done)(void *context, const struct table_write_result *result, const struct err *error);
  void *context;
};
/* A table that the commit touches. */
struct written_table {
  struct catalog_table *table; /* retained */
  struct series_index *index;
  struct buffer note;
};
void table__piece_destroy(struct table_piece *piece);

/* Neither dropped nor renamed. */
bool table__takes_rows(struct catalog_table *table);
/* ERR_WRONG_OBJECT: a table that is no measurement. */
int table__refuse_rows(struct str name, struct err *err);
/* What happens to rows of one place in the table's store. */
enum store_policy table__policy(const struct catalog_table *table);
/* Adds what is pending of a table, its columns too. */
void table__note_pending(struct catalog_changes *changes, struct catalog_table *table);

/* ---- the join ---- */
/* The rows of one table over all pieces as sorted, folded columns; in `arena`. */
struct joined {
  struct catalog_table *table; /* retained; given over to written_table */
  struct series_index *index;
  uint32_t lines; /* rows before folding, and those of a table that was dropped meanwhile */
  bool recall;    /* some series were found before rows were deleted */
  uint32_t rows;
  uint64_t *series;
  int64_t *times;
  struct store_column *columns;
  uint32_t column_count;
};
/* One piece's rows of a table, in piece order. */
struct join_input {
  struct table_piece *piece;
  struct rows *rows;
};
/* The same for one plain row that needs nothing made or changed (join_row.c); its columns are the
 * row's own cells, in the piece. False: it is not that simple. */
bool table__join_row(const struct join_input *input, struct arena *arena, struct joined *joined);
int table__join(struct table_write *write, const struct join_input *inputs, uint32_t count,
                struct arena *arena, struct joined *joined, struct err *err);
/* Orders (series, time, row) triples: order[i] is the input position of the i-th. Stable. *ordered:
 * nothing to do. */
int table__order(const uint64_t *series, const int64_t *times, uint32_t count, struct arena *arena,
                 const uint32_t **order, struct err *err);

#endif
