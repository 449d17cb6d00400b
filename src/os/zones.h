/* The system's time zones by name, read when they are first asked for and kept.
 *
 * They come from the tz database that the system keeps up to date (package tzdata); a file that
 * changes is seen at the next start. Any thread. */
#ifndef NILO_OS_ZONES_H
#define NILO_OS_ZONES_H

#include "base/time_zone.h"

struct os;
struct os_zones;

/* `folder`: of the files; NULL: the system's, /usr/share/zoneinfo. Must outlive the zones. Reads
 * nothing yet. */
int os_zones_create(struct os *os, struct mem_account *account, const char *folder,
                    struct os_zones **zones, struct err *err);
/* NULL is allowed. No zone may be in use any more. */
void os_zones_destroy(struct os_zones *zones);
/* "Europe/Berlin", as its file is spelled; "UTC" needs no file. The zone lives as long as `zones`.
 * ERR_INVALID_ARGUMENT for a name that is unknown, ERR_CORRUPTION for a file that is no zone's,
 * ERR_IO, ERR_MEMORY_LIMIT. */
int os_zones_find(struct os_zones *zones, struct str name, const struct time_zone **zone,
                  struct err *err);

#endif
