/* A unit is copied out of what was read ahead: chunks keep it while the walk goes on. */
#include "store/part_ahead.h"

#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "store/part_private.h"

/* Reads the unit and what follows it, as if all units were as large; false: it is to be read by
 * itself. */
static bool fill(const struct store_part *part, struct part_ahead *ahead,
                 const struct part_unit *unit) {
  uint64_t wanted =
      ahead->until > unit->block ? (uint64_t)unit->size * (ahead->until - unit->block) : 0;
  if (wanted > unit->end - unit->offset) wanted = unit->end - unit->offset;
  if (wanted > ahead->most) wanted = ahead->most;
  if (wanted < 2 * (uint64_t)unit->size) return false;
  if (wanted > ahead->capacity) {
    uint8_t *larger = mem_alloc(ahead->account, wanted);
    if (!larger) return false;
    mem_free(ahead->account, ahead->bytes, ahead->capacity);
    ahead->bytes = larger;
    ahead->capacity = (uint32_t)wanted;
  }
  ahead->size = 0;
  struct err unsaid; /* the unit by itself says what is wrong with it */
  if (part__try_read(part, unit->offset, ahead->bytes, wanted, &unsaid)) return false;
  ahead->offset = unit->offset;
  ahead->size = (uint32_t)wanted;
  return true;
}

int part_ahead_bytes(const struct store_part *part, struct part_ahead *ahead,
                     const struct part_unit *unit, struct arena *arena, const uint8_t **bytes,
                     struct err *err) {
  if (!ahead || part->memory || unit->size > PART_AHEAD_UNIT_MAX || unit->end <= unit->offset)
    return part__bytes(part, unit->offset, unit->size, arena, bytes, err);
  bool follows = unit->offset == ahead->next;
  uint64_t skipped = unit->offset - ahead->offset;
  bool there = unit->offset >= ahead->offset && skipped <= ahead->size &&
               unit->size <= ahead->size - skipped;
  ahead->next = unit->offset + unit->size;
  if (!there && follows) {
    there = fill(part, ahead, unit);
    skipped = 0;
  }
  if (!there) return part__bytes(part, unit->offset, unit->size, arena, bytes, err);
  uint8_t *copy = arena_alloc(arena, unit->size);
  if (!copy) return mem_refused(arena->account, unit->size, err);
  memcpy(copy, ahead->bytes + skipped, unit->size);
  *bytes = copy;
  return ERR_OK;
}

void part_ahead_deinit(struct part_ahead *ahead) {
  mem_free(ahead->account, ahead->bytes, ahead->capacity);
  *ahead = (struct part_ahead){0};
}
