/* Scans as the outside opens them: over what a snapshot has of a store. */
#include "base/buffer.h"
#include "base/err.h"
#include "store/open_part.h"
#include "store/root.h"
#include "store/scan_private.h"

int store_scan_open(struct store_snapshot *snapshot, const struct store_scan_spec *spec,
                    struct store_scan **scan, struct err *err) {
  struct scan_input input;
  int code = store__snapshot_input(snapshot, spec->store, &input);
  if (code)
    return err_set(err, code, "store %llu is not readable", (unsigned long long)spec->store);
  if (snapshot->shard) return scan__open_guarded(snapshot->shard, &input, spec, scan, err);
  return store__scan_create(&input, spec, scan, err);
}

/* The share of the keys [low, high] that lies in [key_min, key_max]. */
static double share(int64_t low, int64_t high, int64_t key_min, int64_t key_max) {
  if (key_min <= low && high <= key_max) return 1;
  double first = (double)(key_min > low ? key_min : low);
  double last = (double)(key_max < high ? key_max : high);
  return first > last ? 0 : (last - first + 1) / ((double)high - (double)low + 1);
}

double store_snapshot_rows_about(const struct store_snapshot *snapshot, uint64_t store,
                                 int64_t key_min, int64_t key_max) {
  const struct store_version *version = root_map_find(&snapshot->map, store);
  if (!version || version->dropped) return 0;
  double rows = version->open ? open_part_rows(version->open) : 0;
  for (uint32_t i = 0; i < version->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(version->parts[i], &facts);
    rows += (double)facts.rows * share(facts.key_min, facts.key_max, key_min, key_max);
  }
  return rows;
}

/* Appends the series of a chunk's runs; a series that goes on from the chunk before is there
 * already. */
static int append_series(const struct store_chunk *chunk, uint64_t *last, struct buffer *out,
                         struct err *err) {
  for (uint32_t i = 0; i < chunk->run_count; i++) {
    if (chunk->runs[i].series == *last) continue;
    *last = chunk->runs[i].series;
    buffer_append(out, last, sizeof *last);
  }
  return buffer_check(out, err);
}

/* The series of a scan that is open; closes it. */
static int take_series(struct store_scan *scan, struct buffer *out, struct err *err) {
  uint64_t last = 0; /* no series has this id */
  struct store_chunk chunk;
  int code;
  while (!(code = store_scan_next(scan, &chunk, err)) && chunk.rows > 0)
    if ((code = append_series(&chunk, &last, out, err))) break;
  store_scan_close(scan);
  return code;
}

int store_snapshot_series(struct store_snapshot *snapshot, uint64_t store, struct buffer *out,
                          struct err *err) {
  /* one row of each series tells; no column is asked for, so next to nothing is read */
  struct store_scan_spec spec = {.store = store,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .head = 1,
                                 .account = snapshot->account};
  struct store_scan *scan;
  int code = store_scan_open(snapshot, &spec, &scan, err);
  return code ? code : take_series(scan, out, err);
}

int store_snapshot_memory_series(struct store_snapshot *snapshot, uint64_t store, int64_t key_min,
                                 int64_t key_max, struct buffer *out, struct err *err) {
  struct store_scan_spec spec = {.store = store,
                                 .series_max = UINT64_MAX,
                                 .key_min = key_min,
                                 .key_max = key_max,
                                 .head = 1,
                                 .account = snapshot->account};
  struct scan_input input;
  int code = store__snapshot_input(snapshot, store, &input);
  if (code) return err_set(err, code, "store %llu is not readable", (unsigned long long)store);
  size_t size = input.part_count * sizeof *input.parts, count = 0;
  struct store_part **parts = mem_alloc(snapshot->account, size);
  if (size && !parts) return mem_refused(snapshot->account, size, err);
  for (size_t i = 0; i < input.part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(input.parts[i], &facts);
    if (facts.in_memory) parts[count++] = input.parts[i];
  }
  input.parts = parts;
  input.part_count = count;
  struct store_scan *scan = NULL;
  if (count || input.open) code = store__scan_create(&input, &spec, &scan, err);
  mem_free(snapshot->account, parts, size);
  return code || !scan ? code : take_series(scan, out, err);
}
