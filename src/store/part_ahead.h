/* Reading ahead in a file of a part. Where units of a column, or the keys, lie one behind the
 * other, a walk over blocks reads them in order: once two follow each other, the next ones come
 * with one read. Where all units of a block lie together and a good share of their bytes is wanted,
 * whole blocks come with one read, from the second unit on. What is not asked for in order is read
 * by itself. */
#ifndef NILO_STORE_PART_AHEAD_H
#define NILO_STORE_PART_AHEAD_H

#include "store/part.h"

/* A unit of a block, and the end of the section that it is in. */
struct part_unit {
  uint32_t block, size;
  uint64_t offset, end;
  uint64_t begin; /* of the units of its block, where those lie together */
  uint32_t room;  /* bytes of all of them */
};

/* One walk's bytes of one kind of unit. */
struct part_ahead {
  struct mem_account *account;
  uint32_t until;    /* the walk's blocks end here */
  uint32_t most;     /* bytes that are read at once */
  bool together;     /* blocks are read, for all kinds of units */
  uint32_t capacity; /* of bytes; from here on zeros at first */
  uint32_t size;     /* that are there */
  uint8_t *bytes;
  uint64_t offset; /* of them in the image */
  uint64_t next;   /* where the unit behind the last one begins */
  uint32_t last;   /* with `together`: one more than the block asked for last */
  uint64_t served; /* what `bytes` were good for: where less than reading them, no more are */
};

/* Larger units are read by themselves. */
enum { PART_AHEAD_UNIT_MAX = 32 << 10, PART_AHEAD_MOST = 128 << 10 };
/* Bytes whose copying costs about as much as a read of its own. */
enum { PART_AHEAD_WORTH = 8 << 10 };
/* Whether blocks like this one are to be read whole when `units` of each are wanted. */
bool part_ahead_together(const struct store_part *part, uint32_t block, uint32_t units);

/* As part__bytes, of a unit; ahead may be NULL. Nothing of what is read ahead is trusted: the
 * caller checks the unit. The memory is the account's until part_ahead_deinit; without it, and
 * where more can't be read, the unit is read by itself. */
int part_ahead_bytes(const struct store_part *part, struct part_ahead *ahead,
                     const struct part_unit *unit, struct arena *arena, const uint8_t **bytes,
                     struct err *err);
void part_ahead_deinit(struct part_ahead *ahead);

#endif
