/* Texts of SQL's values, and their stored bytes: the first byte says the type, and whether the rest
 * is text or stored. What is read is printed, and what was printed reads as the same again; stored
 * bytes that are accepted print, too. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/datetime.h"
#include "base/memory.h"
#include "plan/value_text.h"

static const struct type types[] = {
    {PHYSICAL_BOOL, 0, 0},
    {PHYSICAL_INT64, LOGICAL_INT16, 0},
    {PHYSICAL_INT64, 0, 0},
    {PHYSICAL_UINT64, 0, 0},
    {PHYSICAL_FLOAT64, LOGICAL_REAL, 0},
    {PHYSICAL_FLOAT64, 0, 0},
    {PHYSICAL_BYTES, LOGICAL_DECIMAL, 0},
    {PHYSICAL_BYTES, 0, 0},
    {PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_US},
    {PHYSICAL_INT64, LOGICAL_LOCAL, TIME_NS},
    {PHYSICAL_INT64, LOGICAL_DATE, 0},
    {PHYSICAL_INT64, LOGICAL_TIME, TIME_US},
    {PHYSICAL_BYTES, LOGICAL_INTERVAL, 0},
    {PHYSICAL_STRING, LOGICAL_JSON, 1},
    {PHYSICAL_BYTES, LOGICAL_UUID, 0},
    {PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_STRING},
    {PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_BYTES | LOGICAL_DECIMAL << 8},
    {PHYSICAL_BYTES, LOGICAL_ARRAY, PHYSICAL_INT64 | LOGICAL_INT32 << 8},
};
enum { TYPES = sizeof types / sizeof types[0] };

static void fuzz_text(struct str text, struct type type, struct arena *arena) {
  struct plan_value value, again;
  struct str printed, twice;
  if (plan_value_read(text, type, NULL, arena, &value, NULL)) return;
  assert(plan_value_text(&value, NULL, arena, &printed, NULL) == 0);
  assert(plan_value_read(printed, type, NULL, arena, &again, NULL) == 0);
  assert(plan_value_text(&again, NULL, arena, &twice, NULL) == 0);
  assert(str_equal(printed, twice));
  assert(plan_value_order(&value, &again) == 0);
}

static void fuzz_stored(struct str bytes, struct type type, struct arena *arena) {
  struct plan_value value = {.type = type, .text = bytes};
  struct str printed;
  if (plan_value_text(&value, NULL, arena, &printed, NULL)) return;
  assert(plan_value_order(&value, &value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 4096) return 0;
  struct mem_account account;
  struct arena arena;
  mem_account_init(&account, "fuzz", NULL, 64 << 20);
  arena_init(&arena, &account, 4096);
  struct type type = types[(data[0] & 127) % TYPES];
  struct str rest = str_of(data + 1, size - 1);
  if (data[0] < 128)
    fuzz_text(rest, type, &arena);
  else if (type.physical == PHYSICAL_BYTES)
    fuzz_stored(rest, type, &arena);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
