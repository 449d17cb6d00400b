/* A unit is copied out of what was read ahead: chunks keep it while the walk goes on. */
#include "store/part_ahead.h"

#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "store/part_private.h"

bool part_ahead_together(const struct store_part *part, uint32_t block, uint32_t units) {
  const struct part_loaded_blocks *loaded = atomic_load(&part->blocks);
  return !part->memory && !part->column_major && loaded &&
         loaded->places[block].size <= (uint64_t)units * PART_AHEAD_WORTH;
}

/* Reads the unit, or its block, and what follows it, as if all were as large; false: it is to be
 * read by itself. */
static bool fill(const struct store_part *part, struct part_ahead *ahead,
                 const struct part_unit *unit) {
  if (ahead->together && ahead->served < ahead->size) {
    ahead->together = false;
    return false;
  }
  uint64_t from = ahead->together ? unit->begin : unit->offset;
  uint64_t each = ahead->together ? unit->room : unit->size;
  uint64_t wanted = ahead->until > unit->block ? each * (ahead->until - unit->block) : 0;
  if (wanted > unit->end - from) wanted = unit->end - from;
  if (wanted > ahead->most) wanted = ahead->most > each ? ahead->most : each;
  if (wanted < (ahead->together ? each : 2 * each)) return false;
  if (wanted > ahead->capacity) {
    uint8_t *larger = mem_alloc(ahead->account, wanted);
    if (!larger) return false;
    mem_free(ahead->account, ahead->bytes, ahead->capacity);
    ahead->bytes = larger;
    ahead->capacity = (uint32_t)wanted;
  }
  ahead->size = ahead->served = 0;
  struct err unsaid; /* the unit by itself says what is wrong with it */
  if (part__try_read(part, from, ahead->bytes, wanted, &unsaid)) return false;
  ahead->offset = from;
  ahead->size = (uint32_t)wanted;
  return true;
}

static bool is_there(const struct part_ahead *ahead, const struct part_unit *unit) {
  return unit->offset >= ahead->offset && unit->offset - ahead->offset <= ahead->size &&
         unit->size <= ahead->size - (unit->offset - ahead->offset);
}

/* Whether the walk goes on in order. */
static bool follows(const struct part_ahead *ahead, const struct part_unit *unit) {
  if (!ahead->together) return unit->offset == ahead->next;
  return ahead->last && (unit->block + 1 == ahead->last || unit->block == ahead->last);
}

int part_ahead_bytes(const struct store_part *part, struct part_ahead *ahead,
                     const struct part_unit *unit, struct arena *arena, const uint8_t **bytes,
                     struct err *err) {
  bool alone =
      !ahead || part->memory || unit->end <= unit->offset ||
      (!ahead->together && (unit->room || unit->size > PART_AHEAD_UNIT_MAX)) ||
      (ahead->together && (unit->offset < unit->begin || unit->offset - unit->begin > unit->room ||
                           unit->size > unit->room - (unit->offset - unit->begin) ||
                           unit->room > unit->end - unit->begin));
  if (alone) return part__bytes(part, unit->offset, unit->size, arena, bytes, err);
  bool there = is_there(ahead, unit), next = follows(ahead, unit);
  ahead->next = unit->offset + unit->size;
  ahead->last = unit->block + 1;
  if (!there && next) there = fill(part, ahead, unit);
  if (!there) return part__bytes(part, unit->offset, unit->size, arena, bytes, err);
  uint8_t *copy = arena_alloc(arena, unit->size);
  if (!copy) return mem_refused(arena->account, unit->size, err);
  memcpy(copy, ahead->bytes + (unit->offset - ahead->offset), unit->size);
  ahead->served += unit->size + PART_AHEAD_WORTH / 2;
  *bytes = copy;
  return ERR_OK;
}

void part_ahead_deinit(struct part_ahead *ahead) {
  mem_free(ahead->account, ahead->bytes, ahead->capacity);
  *ahead = (struct part_ahead){0};
}
