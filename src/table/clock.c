/* A clock for what cannot be taken back.
 *
 * Retention deletes by the clock, and clocks jump: a bad time server, a flat battery, a slip of who
 * sets it. Where the system's clock is ahead of where it should be by what was seen last and the
 * time that has passed since (by the monotonic clock), time goes on as if it had not jumped, for as
 * long as the jump is but at most a day. Then whoever set it has had time to set it back, and it is
 * believed: a machine that slept, or was off, for long is right. A clock that goes back is
 * believed at once; nothing is lost by that. */
#include "table/clock.h"

#include "base/time.h"

#define JUMP_NS     NS_PER_HOUR
#define HELD_MAX_NS NS_PER_DAY

void table__clock_init(struct table_clock *clock, struct os *os, struct logger *logger) {
  *clock = (struct table_clock){.os = os, .logger = logger};
  os_mutex_init(&clock->lock, os);
}

void table__clock_deinit(struct table_clock *clock) { os_mutex_deinit(&clock->lock); }

void table__clock_saw(struct table_clock *clock, int64_t time_ns) {
  os_mutex_lock(&clock->lock);
  if (time_ns > clock->seen_ns) {
    clock->seen_ns = time_ns;
    clock->at_ns = os_monotonic_ns(clock->os);
  }
  os_mutex_unlock(&clock->lock);
}

/* Under the lock: whether a clock that is so far ahead may be believed by now. */
static bool is_believed(struct table_clock *clock, int64_t ahead, int64_t now) {
  if (ahead > JUMP_NS && clock->until_ns && now < clock->until_ns) return false;
  if (ahead > JUMP_NS && !clock->until_ns) {
    int64_t held = ahead < HELD_MAX_NS ? ahead : HELD_MAX_NS;
    clock->until_ns = now + held;
    log_warn(clock->logger, "retention",
             "the clock is ahead of what was expected: rows expire as if it were not, for as long "
             "ahead_s=%lld for_s=%lld",
             (long long)(ahead / NS_PER_SECOND), (long long)(held / NS_PER_SECOND));
    return false;
  }
  if (clock->until_ns) log_info(clock->logger, "retention", "rows expire by the clock again");
  clock->until_ns = 0;
  return true;
}

int64_t table__clock_now(struct table_clock *clock) {
  os_mutex_lock(&clock->lock);
  int64_t wall = os_wall_ns(clock->os), now = os_monotonic_ns(clock->os);
  int64_t expected = clock->seen_ns ? clock->seen_ns + (now - clock->at_ns) : wall;
  bool believed = is_believed(clock, wall - expected, now);
  clock->seen_ns = believed && wall > expected ? wall : expected;
  clock->at_ns = now;
  os_mutex_unlock(&clock->lock);
  return believed ? wall : expected;
}
