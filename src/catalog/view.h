/* Views, which are texts with a name, and comments on objects.
 *
 * A view shares names with tables: whoever makes one asks for both. */
#ifndef NILO_CATALOG_VIEW_H
#define NILO_CATALOG_VIEW_H

#include "catalog/catalog.h"

enum { CATALOG_VIEW_COLUMNS_MAX = 1664 };
struct catalog_view {
  uint64_t id, database_id, schema_id;
  struct str database, schema, name;
  struct str body; /* the SELECT */
  uint32_t column_count;
  const struct str *columns; /* names given in front of AS; none: the SELECT's own */
};

/* False: there is none. Copied into `arena`; *view's name is empty when memory is refused. */
bool catalog_view_find(struct catalog *catalog, struct str database, struct str schema,
                       struct str name, struct arena *arena, struct catalog_view *view);
/* In bytewise order of names, of one schema; copies in `arena`. ERR_UNKNOWN_DATABASE, ERR_NOT_FOUND
 * (schema); a non-zero result of `visit` ends it and is returned. */
int catalog_view_list(struct catalog *catalog, struct str database, struct str schema,
                      struct arena *arena,
                      int (*visit)(void *context, const struct catalog_view *view), void *context,
                      struct err *err);
/* A view in the making: `view` names database, schema, name, body and columns; ids are filled in (a
 * new one, unless it replaces one of that name). Published after the commit, which cannot fail. */
struct catalog_view_draft {
  struct catalog *catalog;
  struct view *view, *replaced;
};
int catalog_view_prepare(struct catalog *catalog, struct catalog_view *view,
                         struct catalog_view_draft *draft, struct err *err);
void catalog_view_publish(struct catalog_view_draft *draft);
void catalog_view_discard(struct catalog_view_draft *draft);
/* After the commit. */
void catalog_view_drop(struct catalog *catalog, uint64_t schema_id, struct str name);
void catalog_changes_view(struct catalog_changes *changes, const struct catalog_view *view);
void catalog_changes_view_drop(struct catalog_changes *changes, const struct catalog_view *view);

/* ---- comments on databases, schemas, tables and views, by their ids ---- */
/* In `arena`; empty: there is none. */
struct str catalog_comment(struct catalog *catalog, uint64_t id, struct arena *arena);
/* Empty: none any more. Behind the commit; where memory is refused the old one is shown until the
 * next start. */
void catalog_comment_set(struct catalog *catalog, uint64_t id, struct str text);
void catalog_changes_comment(struct catalog_changes *changes, uint64_t id, struct str text);

#endif
