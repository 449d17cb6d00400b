/* Sketches: any bytes are a sketch that answers within bounds and is the same after saving and
 * loading it again, or an error. The first byte says which kind. */
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "kernel/distinct_sketch.h"
#include "kernel/quantile_sketch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quantiles(struct arena *arena, struct str bytes) {
  struct quantile_sketch sketch, again;
  struct buffer saved;
  struct err err;
  err_reset(&err);
  if (quantile_sketch_load(&sketch, arena, &bytes, &err)) {
    if (!err.message[0]) abort();
    return;
  }
  buffer_init(&saved, arena->account);
  quantile_sketch_save(&sketch, &saved);
  struct str cursor = buffer_str(&saved);
  if (quantile_sketch_load(&again, arena, &cursor, &err) || again.count != sketch.count) abort();
  for (int i = 0; i <= 4; i++) {
    double one = quantile_sketch_value(&sketch, i / 4.0);
    double two = quantile_sketch_value(&again, i / 4.0);
    if (one != two && !(isnan(one) && isnan(two))) abort();
  }
  buffer_deinit(&saved);
}

static void check_distinct(struct arena *arena, struct str bytes) {
  struct distinct_sketch sketch, again, merged = {0};
  struct buffer saved;
  struct err err;
  err_reset(&err);
  if (distinct_sketch_load(&sketch, arena, &bytes, &err)) {
    if (!err.message[0]) abort();
    return;
  }
  buffer_init(&saved, arena->account);
  distinct_sketch_save(&sketch, &saved);
  struct str cursor = buffer_str(&saved);
  if (distinct_sketch_load(&again, arena, &cursor, &err)) abort();
  if (!distinct_sketch_merge(&merged, arena, &again)) abort();
  if (distinct_sketch_count(&sketch) != distinct_sketch_count(&merged)) abort();
  buffer_deinit(&saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  struct arena arena;
  if (size == 0) return 0;
  mem_account_init(&account, "fuzz", NULL, 0);
  arena_init(&arena, &account, 4096);
  struct str bytes = str_of(data + 1, size - 1);
  if (data[0] & 1)
    check_distinct(&arena, bytes);
  else
    check_quantiles(&arena, bytes);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
