/* A look at the parts of the tables that are wanted, into one or two sheets: what the views of
 * `nilo inspect` share. Private to the api. */
#ifndef NILO_API_VIEWING_H
#define NILO_API_VIEWING_H

#include "api/api_alone.h"
#include "api/api_private.h"
#include "api/api_tools.h"
#include "api/sheet.h"

struct viewing {
  struct api *api; /* NULL: a store opened alone */
  const struct api_alone *alone;
  struct os *os;
  struct mem_account *account;
  const char *path;
  const struct api_inspect *what;
  struct table_snapshot *snapshot;
  struct store_snapshot *stores; /* in it */
  struct store_part *at;         /* the part at hand */
  struct sheet sheet, second;
  struct buffer sums;         /* of the codecs view: struct codec_sum, ascending by column */
  struct str database, table; /* of the part at hand */
  enum time_unit unit;
  struct catalog_table *catalog_table; /* NULL: the catalog's own store */
  char part[32];
  int (*visit)(struct viewing *viewing, struct store_part *part);
  void (*store)(struct viewing *viewing, uint64_t store);
  void (*end)(struct viewing *viewing); /* of a store's parts */
  struct err *err;
};

/* The table: in tables one cell, in JSON two. */
void api__view_table(struct viewing *viewing, struct sheet *sheet);
/* The table, and the part at hand. */
void api__view_place(struct viewing *viewing, struct sheet *sheet);
/* The name of a column: the catalog's, one that the part itself says, or of the store's own; `out`
 * has room for a made-up one. */
struct str api__view_column(const struct viewing *viewing, uint32_t id, char *out, size_t size);

/* ---- api_inspect_codecs.c ---- */
/* What each column is encoded as and what that beat: by table, part or block. */
const char *const *api__codec_columns(const struct viewing *viewing);
int api__view_codecs(struct viewing *viewing, struct store_part *part);
void api__view_codecs_end(struct viewing *viewing);
/* What each table takes by how its parts are encoded, and what encoding took since opening. */
extern const char *const api__compression_columns[];
void api__view_compression(struct viewing *viewing, uint64_t store);

#endif
