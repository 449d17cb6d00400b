/* A register holds the most leading zeros, plus one, that a hash had behind the bits that name the
 * register. */
#include "kernel/distinct_sketch.h"

#include <math.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/memory.h"

enum { VERSION = 1, KEPT = 0, REGISTERS = 1, RANK_MAX = 64 - DISTINCT_BITS + 1, CAPACITY_MIN = 16 };

static void set_register(uint8_t *registers, uint64_t hash) {
  uint64_t rest = hash << DISTINCT_BITS | UINT64_C(1) << (DISTINCT_BITS - 1);
  uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
  uint8_t *at = &registers[hash >> (64 - DISTINCT_BITS)];
  if (rank > *at) *at = rank;
}

static bool use_registers(struct distinct_sketch *sketch, struct arena *arena) {
  if (sketch->registers) return true;
  uint8_t *registers = arena_alloc_zero(arena, DISTINCT_REGISTERS);
  if (!registers) return false;
  for (uint32_t i = 0; i < sketch->kept_capacity; i++)
    if (sketch->kept[i]) set_register(registers, sketch->kept[i]);
  *sketch = (struct distinct_sketch){.registers = registers};
  return true;
}

static uint64_t *find(uint64_t *kept, uint32_t capacity, uint64_t hash) {
  uint32_t at = (uint32_t)hash & (capacity - 1);
  while (kept[at] && kept[at] != hash)
    at = (at + 1) & (capacity - 1);
  return &kept[at];
}

static bool grow(struct distinct_sketch *sketch, struct arena *arena) {
  uint32_t capacity = sketch->kept_capacity ? sketch->kept_capacity * 2 : CAPACITY_MIN;
  uint64_t *kept = ARENA_ARRAY(arena, uint64_t, capacity);
  if (!kept) return false;
  for (uint32_t i = 0; i < sketch->kept_capacity; i++)
    if (sketch->kept[i]) *find(kept, capacity, sketch->kept[i]) = sketch->kept[i];
  sketch->kept = kept;
  sketch->kept_capacity = capacity;
  return true;
}

static bool add_one(struct distinct_sketch *sketch, struct arena *arena, uint64_t hash) {
  hash += hash == 0;
  if (!sketch->registers) {
    if (sketch->kept_count * 2 >= sketch->kept_capacity && !grow(sketch, arena)) return false;
    uint64_t *slot = find(sketch->kept, sketch->kept_capacity, hash);
    if (*slot) return true;
    if (sketch->kept_count < DISTINCT_KEPT_MAX) {
      *slot = hash;
      sketch->kept_count++;
      return true;
    }
    if (!use_registers(sketch, arena)) return false;
  }
  set_register(sketch->registers, hash);
  return true;
}

bool distinct_sketch_add(struct distinct_sketch *sketch, struct arena *arena,
                         const uint64_t *hashes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!add_one(sketch, arena, hashes[i])) return false;
  return true;
}

bool distinct_sketch_merge(struct distinct_sketch *sketch, struct arena *arena,
                           const struct distinct_sketch *other) {
  if (!other->registers) {
    for (uint32_t i = 0; i < other->kept_capacity; i++)
      if (other->kept[i] && !add_one(sketch, arena, other->kept[i])) return false;
    return true;
  }
  if (!use_registers(sketch, arena)) return false;
  for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
    if (other->registers[i] > sketch->registers[i]) sketch->registers[i] = other->registers[i];
  return true;
}

/* Ertl's sigma and tau: series for the registers that are empty and those that are full. */
static double sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1, z = x, before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}
static double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before;
  do {
    x = sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

uint64_t distinct_sketch_count(const struct distinct_sketch *sketch) {
  if (!sketch->registers) return sketch->kept_count;
  const double registers = DISTINCT_REGISTERS;
  uint32_t ranks[RANK_MAX + 1] = {0};
  for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
    ranks[sketch->registers[i]]++;
  double z = registers * tau(1 - ranks[RANK_MAX] / registers);
  for (int rank = RANK_MAX - 1; rank >= 1; rank--)
    z = 0.5 * (z + ranks[rank]);
  z += registers * sigma(ranks[0] / registers);
  return (uint64_t)llround(registers / (2 * M_LN2) * (registers / z));
}

void distinct_sketch_save(const struct distinct_sketch *sketch, struct buffer *out) {
  buffer_append_byte(out, VERSION);
  buffer_append_byte(out, sketch->registers ? REGISTERS : KEPT);
  if (sketch->registers) {
    buffer_append(out, sketch->registers, DISTINCT_REGISTERS);
    return;
  }
  buffer_append_varint(out, sketch->kept_count);
  for (uint32_t i = 0; i < sketch->kept_capacity; i++)
    if (sketch->kept[i]) buffer_append_u64(out, sketch->kept[i]);
}

static int load_registers(struct distinct_sketch *sketch, struct arena *arena,
                          struct reader *reader, struct err *err) {
  const uint8_t *from = reader_bytes(reader, DISTINCT_REGISTERS);
  for (uint32_t i = 0; from && i < DISTINCT_REGISTERS; i++)
    if (from[i] > RANK_MAX) from = NULL;
  if (!from) return err_set(err, ERR_CORRUPTION, "a sketch of distinct values with bad registers");
  sketch->registers = arena_alloc(arena, DISTINCT_REGISTERS);
  if (!sketch->registers) return mem_refused(arena->account, DISTINCT_REGISTERS, err);
  memcpy(sketch->registers, from, DISTINCT_REGISTERS);
  return ERR_OK;
}

int distinct_sketch_load(struct distinct_sketch *sketch, struct arena *arena, struct str *bytes,
                         struct err *err) {
  struct reader reader = reader_of(bytes->data, bytes->size);
  *sketch = (struct distinct_sketch){0};
  uint8_t version = reader_u8(&reader), form = reader_u8(&reader);
  if (reader.failed || version != VERSION || form > REGISTERS)
    return err_set(err, ERR_CORRUPTION, "not a sketch of distinct values, or of another version");
  if (form == REGISTERS) {
    int code = load_registers(sketch, arena, &reader, err);
    if (code) return code;
  } else {
    uint64_t count = reader_varint(&reader);
    if (reader.failed || count > DISTINCT_KEPT_MAX || count * 8 > reader_left(&reader))
      return err_set(err, ERR_CORRUPTION, "a sketch of distinct values ends early");
    for (uint64_t i = 0; i < count; i++)
      if (!add_one(sketch, arena, reader_u64(&reader)))
        return mem_refused(arena->account, DISTINCT_KEPT_MAX * 16, err);
  }
  bytes->data = (const char *)reader.at;
  bytes->size = (size_t)(reader.end - reader.at);
  return ERR_OK;
}
