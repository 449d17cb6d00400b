/* Where rows lie, from block metadata alone: what callers plan with before they read. */
#include "base/err.h"
#include "store/predicate.h"
#include "store/root.h"

struct spans {
  const struct store_scan_spec *spec;
  int (*visit)(void *context, int64_t key_min, int64_t key_max, uint32_t rows);
  void *context;
};

/* First index in [from, count) whose block may hold series at or above `series`. */
static uint32_t block_from(const struct part_block *blocks, uint32_t from, uint32_t count,
                           uint64_t series) {
  uint32_t low = from, step = 1;
  while (step < count - low && blocks[low + step - 1].series_last < series) {
    low += step;
    step *= 2;
  }
  uint32_t high = step < count - low ? low + step : count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (blocks[middle].series_last < series)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* First wanted series at or above `series`; false: none. */
static bool next_wanted(const struct store_scan_spec *spec, size_t *at, uint64_t series,
                        uint64_t *next) {
  if (!spec->series) {
    *next = series > spec->series_min ? series : spec->series_min;
    return *next <= spec->series_max;
  }
  size_t low = *at, high = spec->series_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (spec->series[middle] < series)
      low = middle + 1;
    else
      high = middle;
  }
  *at = low;
  if (low == spec->series_count) return false;
  *next = spec->series[low];
  return true;
}

static int visit_blocks(const struct spans *spans, const struct part_block *blocks,
                        uint32_t count) {
  const struct store_scan_spec *spec = spans->spec;
  size_t wanted_at = 0;
  uint64_t wanted;
  uint32_t at = 0;
  if (!next_wanted(spec, &wanted_at, 0, &wanted)) return 0;
  at = block_from(blocks, 0, count, wanted);
  while (at < count) {
    const struct part_block *block = &blocks[at];
    if (!next_wanted(spec, &wanted_at, block->series_first, &wanted)) return 0;
    if (wanted > block->series_last) {
      at = block_from(blocks, at, count, wanted);
      continue;
    }
    if (block->key_max >= spec->key_min && block->key_min <= spec->key_max) {
      int result = spans->visit(spans->context, block->key_min, block->key_max, block->rows);
      if (result) return result;
    }
    at++;
  }
  return 0;
}

static bool part_may_match(const struct store_scan_spec *spec,
                           const struct store_part_facts *facts) {
  return facts->rows && facts->key_max >= spec->key_min && facts->key_min <= spec->key_max;
}

static int visit_open(const struct spans *spans, const struct scan_input *input, struct err *err) {
  const struct open_view *view;
  int code = open_part_view(input->open, input->open_commit, &view, err);
  if (code) return code;
  code = visit_blocks(spans, view->blocks, view->block_count);
  open_part_view_release(input->open, view);
  return code;
}

int store_snapshot_spans(struct store_snapshot *snapshot, const struct store_scan_spec *spec,
                         int (*visit)(void *context, int64_t key_min, int64_t key_max,
                                      uint32_t rows),
                         void *context, struct err *err) {
  struct spans spans = {spec, visit, context};
  struct scan_input input;
  int code = store__snapshot_input(snapshot, spec->store, &input);
  if (code)
    return err_set(err, code, "store %llu is not readable", (unsigned long long)spec->store);
  for (size_t i = 0; i < input.part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(input.parts[i], &facts);
    if (!part_may_match(spec, &facts)) continue;
    if (part_load_blocks(input.parts[i], NULL)) continue; /* the scan says what is wrong with it */
    code = visit_blocks(&spans, part_blocks(input.parts[i]), part_block_count(input.parts[i]));
    if (code) return code;
  }
  return input.open ? visit_open(&spans, &input, err) : ERR_OK;
}
