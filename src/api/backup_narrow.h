/* What a directory is cut down to. Private to the api. */
#ifndef NILO_API_BACKUP_NARROW_H
#define NILO_API_BACKUP_NARROW_H

#include "api/api.h"

struct backup_range {
  struct str database; /* empty: all */
  bool has_from, has_to;
  __int128 from, to; /* ns; `to` is out */
};
static inline bool backup_range_is_all(const struct backup_range *range) {
  return !range->database.size && !range->has_from && !range->has_to;
}
/* Parses an instant: RFC 3339 or a date, or digits: ns since 1970. */
int api__instant(const char *text, __int128 *ns, struct err *err);
/* Opens the directory `path` (`options` for the rest), drops every other database, deletes rows
 * outside, flushes and merges, so that nothing of them stays, and closes it. */
int api__narrow(const struct api_options *options, const char *path,
                const struct backup_range *range, struct err *err);

#endif
