/* What the files of this folder share. */
#ifndef NILO_INGEST_INGEST_PRIVATE_H
#define NILO_INGEST_INGEST_PRIVATE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "ingest/ingest.h"

/* True when an error is the line's own, so that only the line is rejected. What the machine failed
 * at (memory, reads, damage) fails the body: a line would be lost that its sender has no reason to
 * send again. */
static inline bool ingest__is_own_fault(int code) {
  enum err_class class = err_info(code)->class;
  return class == ERR_CLASS_VALIDATION || class == ERR_CLASS_NOT_FOUND;
}

/* ---- the cache (ingest_cache.c) ---- */
/* A field as lines of one shape spell it: "name=" and its type. */
struct shape_field {
  const char *key; /* with '=' */
  uint32_t key_size;
  uint8_t type; /* enum physical_type */
};
/* The fields of lines, in their order. */
struct line_shape {
  struct line_shape *next; /* of the same table */
  struct cached_table *table;
  uint64_t serial; /* of the piece that `number` belongs to */
  uint32_t number; /* table_rows_shape */
  uint32_t count;
  uint64_t table_id; /* not 0: `known` are its fields of that table */
  struct table_field *known;
  struct shape_field fields[];
};
struct cached_table {
  struct cached_table *next;
  struct str name;
  struct catalog_table *table; /* retained; NULL: it was new */
  uint64_t hash;               /* table_name_hash of the name */
  uint64_t serial;             /* of the piece that `rows` belongs to */
  struct table_rows *rows;
  uint64_t id; /* of the table that cached series belong to; 0: it was new */
  struct line_shape *shapes;
  uint32_t shape_count;
};
/* Raw "measurement,tags" bytes and what they mean. */
struct cached_key {
  uint64_t hash;
  struct cached_key *after; /* the key that followed last time */
  struct cached_table *table;
  struct line_shape *shape; /* of its last line; may be NULL */
  uint64_t series;
  uint64_t serial; /* not 0: `series` is a place in that piece */
  uint64_t table_id;
  uint32_t size;
  char bytes[];
};
struct ingest_cache {
  struct mem_account *account;
  struct arena arena;
  struct cached_key **slots; /* open addressing */
  uint32_t slot_count, key_count;
  uint64_t bytes; /* of the arena, about */
  bool starved;   /* memory was refused: emptied before the next piece */
  struct cached_table *tables;
  struct str_table *table_names;
  uint64_t serial;     /* of the piece at hand; counts up */
  uint64_t generation; /* of drops, when the keys were cached */
  struct cached_key *last;
  uint64_t hits, misses; /* since the cache was emptied */
  uint64_t pause;        /* lines for which nothing is cached: it did not pay */
};
/* Prepares for a piece: empties the cache if tables were dropped. */
void ingest__cache_begin(struct ingest_cache *cache, struct table_piece *piece);
struct cached_key *ingest__cache_find(struct ingest_cache *cache, struct str raw, uint64_t hash);
/* NULL: not worth it, or no memory; the line then goes on without. */
struct cached_key *ingest__cache_add(struct ingest_cache *cache, struct str raw, uint64_t hash,
                                     struct cached_table *table);
struct cached_table *ingest__cache_table(struct ingest_cache *cache, struct str name);
/* A shape of these fields; NULL as above. */
struct line_shape *ingest__cache_shape(struct ingest_cache *cache, struct cached_table *table,
                                       const struct shape_field *fields, uint32_t count);

/* ---- a line (line_general.c) ---- */
struct line_context {
  struct table_piece *piece; /* NULL: the line's parts are wanted alone */
  struct ingest_cache *cache;
  const struct ingest_options *options;
  struct arena arena; /* reset per line: unescaped names, arrays */
  uint32_t line;      /* 1-based in the piece */
  const char *start;  /* of the line */
  const char *end;    /* of the line, without its line end */
};
/* Parses a line of any form into its table. On failure err has message, line and column. */
int ingest__line(struct line_context *context, struct err *err);
/* The same without a table: its parts, in the context's arena. */
int ingest__line_parts(struct line_context *context, struct ingest_line *line, struct err *err);
/* The time of a line in the table's unit. `text`: what stands behind the fields, trimmed; may be
 * empty. */
int ingest__line_time(const struct line_context *context, struct str text, enum time_unit unit,
                      int64_t *time, struct err *err);
/* The end of the line that begins at `at`: the newline that ends it, or `end`. Quotes of field
 * values may hold some. */
const char *ingest__line_end(const char *at, const char *end);
/* The same; *open: a quote is open at the end of the text, which more text may close. */
const char *ingest__line_end_open(const char *at, const char *end, bool *open);
/* The first blank of [at, end) that no backslash escapes, or `end`. */
const char *ingest__key_end(const char *at, const char *end);

#endif
