/* What may be set for a table: how far its floats may be rounded, and how its merged parts are
 * encoded. All of it is off or at its default until somebody asks for it.
 *
 * Settings are an immutable object that a change replaces; an old one stays as long as its table,
 * for who still looks at it. */
#ifndef NILO_CATALOG_TABLE_SETTINGS_H
#define NILO_CATALOG_TABLE_SETTINGS_H

#include "catalog/catalog.h"
#include "codec/lossy.h"

/* How merged parts of a table are encoded. Stored: never renumbered. */
enum catalog_codec {
  CATALOG_CODEC_ENTROPY = 0, /* entropy-coded residuals where they are smaller */
  CATALOG_CODEC_ZSTD = 1,    /* the same, or zstd where that is smaller still */
  CATALOG_CODEC_HOT = 2,     /* bit-packed as flushed parts are: larger, faster to read */
};
enum { CATALOG_BOUNDS_MAX = 4096 }; /* rules of a table */
/* "entropy", "zstd", "hot"; NULL for another number. */
const char *catalog_codec_name(int codec);
/* The number of a name, or -1. */
int catalog_codec_of(struct str name);

/* A rule for the floats of one field, or of every field that has none of its own. */
struct catalog_bound {
  struct str field;         /* empty: every other field */
  struct lossy_bound bound; /* LOSSY_NONE: exact, whatever the rule for every other field says */
};
/* "exact", "decimals 2", "error 0.05", "relative error 0.001"; returns `text`. */
enum { CATALOG_BOUND_TEXT_MAX = 64 };
const char *catalog_bound_text(const struct lossy_bound *bound, char text[CATALOG_BOUND_TEXT_MAX]);

struct catalog_settings {
  uint64_t number; /* grows with every change; 0: never changed */
  enum catalog_codec codec;
  uint32_t bound_count;
  const struct catalog_bound *bounds; /* ascending by field, bytewise */
};

/* Never NULL; borrowed, valid as long as the table is retained. */
const struct catalog_settings *catalog_table_settings(const struct catalog_table *table);
/* The same by id, of which only number and codec are told; false when there is no such table. */
bool catalog_table_codec(struct catalog *catalog, uint64_t table, enum catalog_codec *codec);
/* The bound of a field's floats, or NULL: exact. */
const struct lossy_bound *catalog_settings_bound(const struct catalog_settings *settings,
                                                 struct str field);
/* A draft of other settings: a copy whose rules lie in `arena`, with room for `more` of them; names
 * are borrowed. */
int catalog_settings_draft(const struct catalog_settings *settings, uint32_t more,
                           struct arena *arena, struct catalog_settings *draft, struct err *err);
/* Sets a field's rule in a draft (LOSSY_NONE: exact), or removes it (`bound` NULL). Takes one place
 * of its room at most; borrows the name. ERR_LIMIT_EXCEEDED. */
int catalog_settings_set(struct catalog_settings *draft, struct str field,
                         const struct lossy_bound *bound, struct err *err);

/* A copy of settings that the table keeps, for catalog_table_settings_apply: made before the commit
 * that says so, so that nothing is left that can fail after it. */
int catalog_table_settings_prepare(struct catalog_table *table,
                                   const struct catalog_settings *settings,
                                   const struct catalog_settings **kept, struct err *err);
/* After the commit. */
void catalog_table_settings_apply(struct catalog_table *table, const struct catalog_settings *kept);
/* The table's record as it will be with these settings. */
void catalog_changes_settings(struct catalog_changes *changes, struct catalog_table *table,
                              const struct catalog_settings *settings);

#endif
