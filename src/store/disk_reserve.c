/* Reservations of disk: whoever is about to write a file of parts sets its bytes aside first.
 *
 * A flush or a merge that finds the disk full half way has written for nothing, and has taken the
 * room from the log meanwhile. So each estimates what it will write (a union of parts is never much
 * larger than its parts) and begins only when that is there beside what others have set aside. A
 * reservation is a number in memory: it is freed when the work ends, however it ends, and with the
 * process. While a file grows, its bytes count twice, as used and as set aside: that errs on the
 * safe side. */
#include "base/err.h"
#include "store/shard_private.h"

#define RETRY_MS 5000

/* What this use has to leave alone. */
static uint64_t untouched(enum disk_use use, const struct store_pressure_facts *facts) {
  switch (use) {
  case DISK_MERGE:
    return facts->reserve_bytes / 2;
  case DISK_COPY:
    return facts->reserve_bytes;
  default:
    return 0;
  }
}

static int refuse(struct store_shard *shard, uint64_t free_bytes, uint64_t reserved, uint64_t bytes,
                  struct err *err) {
  atomic_fetch_add_explicit(&shard->pressure.reservations_refused, 1, memory_order_relaxed);
  err_set(err, ERR_DISK_FULL, "the disk has %llu bytes free, %llu are needed",
          (unsigned long long)free_bytes, (unsigned long long)bytes);
  err_detail(err, "%s, %llu bytes are set aside for other work", shard->options.path,
             (unsigned long long)reserved);
  err_hint(err, "free some space; it goes on by itself then");
  err_retry(err, RETRY_MS);
  return ERR_DISK_FULL;
}

/* What is left for a use, beside what others have set aside. */
static uint64_t room_beside(const struct store_shard *shard, enum disk_use use,
                            const struct store_pressure_facts *facts, uint64_t reserved) {
  uint64_t most = shard->options.disk_bytes_max, taken = untouched(use, facts) + reserved;
  uint64_t room = facts->free_bytes > taken ? facts->free_bytes - taken : 0;
  uint64_t own = facts->own_bytes + reserved;
  if (use == DISK_FLUSH || !most) return room;
  uint64_t left = most > own ? most - own : 0;
  return left < room ? left : room;
}

uint64_t disk_room(struct store_shard *shard, enum disk_use use) {
  struct store_pressure_facts facts;
  (void)pressure__measure(shard, true, &facts);
  return room_beside(shard, use, &facts, facts.reserved_bytes);
}

int disk_reserve(struct store_shard *shard, enum disk_use use, uint64_t bytes, struct err *err) {
  struct store_pressure_facts facts;
  (void)pressure__measure(shard, true, &facts);
  os_mutex_lock(&shard->pressure.lock);
  uint64_t reserved = shard->pressure.reserved_bytes;
  uint64_t room = room_beside(shard, use, &facts, reserved);
  bool fits = bytes <= room;
  if (fits) shard->pressure.reserved_bytes += bytes;
  os_mutex_unlock(&shard->pressure.lock);
  return fits ? ERR_OK : refuse(shard, room, reserved, bytes, err);
}

void disk_release(struct store_shard *shard, uint64_t bytes) {
  os_mutex_lock(&shard->pressure.lock);
  shard->pressure.reserved_bytes -= bytes;
  os_mutex_unlock(&shard->pressure.lock);
}
