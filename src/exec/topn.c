/* The bound of a top-N: nearly all rows fall by one comparison of words, and only those that are
 * left are ever copied. */
#include "exec/topn.h"

#include "base/err.h"

int exec__topn_init(struct topn_bound *bound, struct exec *exec, const struct plan_sort_key *keys,
                    uint32_t key_count, const struct plan_schema *schema, bool with_ties,
                    struct err *err) {
  *bound = (struct topn_bound){.with_ties = with_ties};
  arena_init(&bound->memory, exec->options.account, 512);
  arena_init(&bound->batch, exec->options.account, 4096);
  return exec__sort_key_layout(&exec->memory, keys, key_count, schema, &bound->layout, err);
}

void exec__topn_deinit(struct topn_bound *bound) {
  if (bound->memory.account) arena_deinit(&bound->memory);
  if (bound->batch.account) arena_deinit(&bound->batch);
  *bound = (struct topn_bound){0};
}

int exec__topn_set(struct topn_bound *bound, const struct column *columns, int64_t row,
                   struct err *err) {
  arena_reset(&bound->memory);
  bound->key.count = 0;
  struct sort_keys key;
  int code = exec__sort_keys_make(&bound->layout, columns, row, 1, &bound->memory, &key, err);
  if (!code) bound->key = key;
  return code;
}

int exec__topn_pick(struct topn_bound *bound, const struct column *columns, int64_t count,
                    uint32_t *rows, int64_t *picked, struct err *err) {
  struct sort_keys keys;
  int64_t found = 0, kept = 0;
  if (bound->key.count == 0) {
    for (int64_t i = 0; i < count; i++)
      rows[i] = (uint32_t)i;
    *picked = count;
    return ERR_OK;
  }
  arena_reset(&bound->batch);
  int code = exec__sort_keys_make(&bound->layout, columns, 0, count, &bound->batch, &keys, err);
  if (code) return code;
  uint64_t last = bound->key.prefixes[0];
  for (int64_t i = 0; i < count; i++) {
    rows[found] = (uint32_t)i;
    found += keys.prefixes[i] <= last;
  }
  for (int64_t i = 0; i < found; i++) {
    int order = keys.prefixes[rows[i]] < last
                    ? -1
                    : exec__sort_keys_compare(&keys, rows[i], &bound->key, 0);
    rows[kept] = rows[i];
    kept += order < 0 || (order == 0 && bound->with_ties);
  }
  *picked = kept;
  return ERR_OK;
}
