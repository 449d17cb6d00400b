/* The time that retention goes by: the system's clock, but not one that has just jumped ahead.
 * Private to the table module. */
#ifndef NILO_TABLE_CLOCK_H
#define NILO_TABLE_CLOCK_H

#include "base/log.h"
#include "os/os.h"

struct table_clock {
  struct os *os;
  struct logger *logger;
  struct os_mutex lock;
  int64_t seen_ns;  /* the latest time that was believed, as it would be at `at_ns`; 0: none yet */
  int64_t at_ns;    /* monotonic */
  int64_t until_ns; /* monotonic: when a clock that jumped is believed after all; 0: it did not */
};

/* Pair with table__clock_deinit. `logger` may be NULL. */
void table__clock_init(struct table_clock *clock, struct os *os, struct logger *logger);
void table__clock_deinit(struct table_clock *clock);
/* It has been this time (ns since 1970) at least once before: what is known from another run. */
void table__clock_saw(struct table_clock *clock, int64_t time_ns);
/* The time in ns since 1970. Any thread. */
int64_t table__clock_now(struct table_clock *clock);

#endif
