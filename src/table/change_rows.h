/* What a statement does to the rows of one table: writes some and removes others, in one durable
 * commit.
 *
 * Rows come as columns, in any order; where several have one place the later ones win, as if they
 * had been written one after another. A place is a tag set and a key; tables of rows have one tag
 * set, the empty one. */
#ifndef NILO_TABLE_CHANGE_ROWS_H
#define NILO_TABLE_CHANGE_ROWS_H

#include "store/store.h"
#include "table/engine.h"

/* While one is open nobody else changes what it reads: of a table of rows no other such change, of
 * series no write at all. `alone` false (series only): others go on; for who only writes. The one
 * who has it open runs nothing on the pool's threads. */
struct table_turn {
  struct table_engine *engine;
  struct catalog_table *table;
  bool rows, alone;
};
/* ERR_UNKNOWN_TABLE: it was dropped; ERR_CONFLICT: it has changed since `definition` was looked at.
 */
struct catalog_definition;
int table_turn_begin(struct table_turn *turn, struct table_engine *engine,
                     struct catalog_table *table, const struct catalog_definition *definition,
                     bool alone, struct err *err);
void table_turn_end(struct table_turn *turn);

/* A column of places: which tag set (an index into `sets`; NULL: 0) and which key. */
struct table_places {
  uint32_t count;
  const uint32_t *sets;
  const int64_t *keys;
};
struct table_row_change {
  const struct str *sets; /* tag sets in canonical form (series/series.h) */
  uint32_t set_count;     /* 0: only the empty one */
  struct table_places written;
  const struct store_column *columns; /* of `written`, ascending ids; nulls are absent */
  uint32_t column_count;
  /* What was there before; a place may be written, too: then nothing of the old row stays. */
  struct table_places removed;
  /* Ranges of keys whose older rows go, in the series of `set` (UINT32_MAX: in all). */
  const struct table_range {
    uint32_t set;
    int64_t key_min, key_max;
  } * ranges;
  uint32_t range_count;
};
enum { TABLE_REPLACED_MAX = 1 << 16 };
/* ERR_OUT_OF_RANGE: rows that have expired already; ERR_LIMIT_EXCEEDED: more than a commit holds,
 * or more than TABLE_REPLACED_MAX places removed and written at once in a table of series;
 * ERR_UNSUPPORTED: single rows removed where all rows of a place are kept; and what a commit
 * returns. */
int table_change_rows(struct table_turn *turn, const struct table_row_change *change,
                      struct err *err);

#endif
