/* Scans that survive damaged parts.
 *
 * The scan proper (scan_open.c and on) ends with ERR_CORRUPTION where a checksum does not hold.
 * Here that becomes: report the part, begin anew without it behind the last row that was given, go
 * on.
 *
 * "Behind the last row" is a place (series, key). Everything in the series before it was given; so
 * the new scan reads the rest of that series first, with the key as a lower bound, and then the
 * series above. Places are unique where the newest write wins. Where every row is kept, rows of one
 * place may be given partly; such a place is **ragged**, and so is any place inside a series when
 * only its last rows were asked for, because without the part they begin earlier. From a ragged
 * place a scan cannot go on: it ends with ERR_CONFLICT, and who opens it again gets an answer
 * without the part from the start.
 *
 * A chunk counts as given when the next one is asked for. Damage that shows when its columns are
 * loaded therefore voids the chunk, and the scan goes on from the place before it. */
#include "store/scan_private.h"

#include "base/err.h"
#include "store/scan_images.h"
#include "store/shard_private.h"

/* ---- what is left out ---- */

static bool may_match(const struct store_scan_spec *spec, const struct store_part *part) {
  struct store_part_facts facts;
  store_part_facts(part, &facts);
  if (facts.rows == 0 || facts.key_max < spec->key_min || facts.key_min > spec->key_max)
    return false;
  uint64_t first = spec->series_min, last = spec->series_max;
  if (spec->series && spec->series_count == 0) return false;
  if (spec->series) {
    first = spec->series[0];
    last = spec->series[spec->series_count - 1];
  }
  return facts.series_max >= first && facts.series_min <= last;
}

/* An input without damaged parts, whose deletions stay. */
struct filtered {
  struct scan_input input;
  struct store_part **parts; /* those of the input, then those that give deletions only */
  size_t capacity;
  uint64_t left_out; /* that may have had wanted rows */
};

static int filter(const struct scan_input *input, const struct store_scan_spec *spec,
                  struct filtered *filtered, struct err *err) {
  size_t total = input->part_count + input->tombstone_part_count;
  bool whole = true;
  *filtered = (struct filtered){.input = *input};
  for (size_t i = 0; i < input->part_count && whole; i++)
    whole = !part_is_damaged(input->parts[i]);
  if (whole) return ERR_OK;
  filtered->parts = mem_alloc(spec->account, total * sizeof *filtered->parts);
  if (!filtered->parts) return mem_refused(spec->account, total * sizeof *filtered->parts, err);
  filtered->capacity = total;
  /* One look at each part: others may turn out to be damaged meanwhile. */
  size_t in = 0, out = input->part_count;
  for (size_t i = 0; i < input->part_count; i++) {
    struct store_part *part = input->parts[i];
    bool damaged = part_is_damaged(part);
    filtered->parts[damaged ? --out : in++] = part;
    if (damaged && may_match(spec, part)) filtered->left_out++;
  }
  for (size_t i = 0; i < input->tombstone_part_count; i++)
    filtered->parts[input->part_count + i] = input->tombstone_parts[i];
  filtered->input.parts = filtered->parts;
  filtered->input.part_count = in;
  filtered->input.tombstone_parts = filtered->parts + in;
  filtered->input.tombstone_part_count = total - in;
  return ERR_OK;
}

static void drop_filtered(struct filtered *filtered, const struct store_scan_spec *spec) {
  mem_free(spec->account, filtered->parts, filtered->capacity * sizeof *filtered->parts);
}

/* Parts that were found damaged by who could not say so: a scan that only looked whether it may
 * pass over a block. */
static void report_silent(struct store_shard *shard, const struct scan_input *input,
                          const struct filtered *filtered) {
  struct err cause;
  if (!filtered->parts) return;
  err_reset(&cause);
  err_set(&cause, ERR_CORRUPTION, "a part is damaged: its metadata cannot be read");
  (void)damage__report_all(shard, input->parts, input->part_count, &cause);
}

/* Opens a scan over what is whole of the input; parts that turn out to be damaged meanwhile are
 * reported and left out, too. */
static int create(struct store_shard *shard, const struct scan_input *input,
                  const struct store_scan_spec *spec, struct store_scan **scan, uint64_t *left_out,
                  struct err *err) {
  for (;;) {
    struct filtered filtered;
    int code = filter(input, spec, &filtered, err);
    if (code) return code;
    report_silent(shard, input, &filtered);
    code = store__scan_create(&filtered.input, spec, scan, err);
    *left_out = filtered.left_out;
    bool again = err_class(code) == ERR_CLASS_CORRUPTION &&
                 damage__report_all(shard, filtered.input.parts, filtered.input.part_count, err);
    if (code == ERR_OK) (*scan)->guard.input_count = filtered.input.part_count;
    drop_filtered(&filtered, spec);
    if (!again) return code;
  }
}

/* ---- opening ---- */

static int take_slot(struct store_shard *shard, struct err *err) {
  uint32_t limit = shard->options.scans_max;
  uint32_t open = atomic_fetch_add(&shard->pressure.scans_open, 1);
  if (!limit || open < limit) return ERR_OK;
  atomic_fetch_sub(&shard->pressure.scans_open, 1);
  atomic_fetch_add(&shard->pressure.scans_refused, 1);
  err_set(err, ERR_BUSY, "%u scans are open, and no more may be", limit);
  err_hint(err, "try again when others have ended");
  err_retry(err, 1000);
  return ERR_BUSY;
}

int scan__open_guarded(struct store_shard *shard, const struct scan_input *input,
                       const struct store_scan_spec *spec, struct store_scan **out,
                       struct err *err) {
  struct err own;
  if (!err) err = &own;
  int code = take_slot(shard, err);
  if (code) return code;
  uint64_t left_out;
  struct store_scan *scan;
  code = create(shard, input, spec, &scan, &left_out, err);
  if (code) {
    atomic_fetch_sub(&shard->pressure.scans_open, 1);
    return code;
  }
  scan->guard.shard = shard;
  scan->guard.spec = *spec;
  scan->guard.input = *input;
  scan->guard.parts_damaged = left_out + damage__missing(shard, spec->store);
  if (scan->guard.parts_damaged) atomic_fetch_add(&shard->damage.reads, 1);
  *out = scan;
  return ERR_OK;
}

void scan__guard_end(struct store_scan *scan) {
  if (scan->guard.shard) atomic_fetch_sub(&scan->guard.shard->pressure.scans_open, 1);
}

/* ---- going on ---- */

static void add_figures(struct store_scan_figures *sum, const struct store_scan_figures *of) {
  sum->blocks_considered += of->blocks_considered;
  sum->blocks_skipped += of->blocks_skipped;
  sum->blocks_read += of->blocks_read;
  sum->blocks_by_statistics += of->blocks_by_statistics;
  sum->rows_scanned += of->rows_scanned;
  sum->bytes_read += of->bytes_read;
}

/* What is still wanted behind a place; false: nothing. `rest`: of its own series, else of those
 * above. */
static bool spec_behind(struct scan_guard *guard, const struct scan_point *point, bool rest,
                        struct store_scan_spec *spec) {
  *spec = guard->spec;
  if (point->series == 0) return true;
  if (rest) {
    if (point->key >= spec->key_max) return false;
    guard->rest_series = point->series;
    spec->series = &guard->rest_series;
    spec->series_count = 1;
    if (point->key >= spec->key_min) spec->key_min = point->key + 1;
    return true;
  }
  if (point->series == UINT64_MAX) return false;
  if (!spec->series) {
    if (spec->series_min <= point->series) spec->series_min = point->series + 1;
    return spec->series_min <= spec->series_max;
  }
  while (spec->series_count && spec->series[0] <= point->series) {
    spec->series++;
    spec->series_count--;
  }
  return spec->series_count > 0;
}

/* The scan becomes another one over what is whole of its own inputs; its guard stays. */
static int become(struct store_scan *scan, const struct store_scan_spec *spec, struct err *err) {
  struct scan_guard *guard = &scan->guard;
  struct scan_input input = guard->input;
  input.open = scan->open;
  input.parts = scan->parts;
  input.part_count = guard->input_count;
  input.tombstone_parts = scan->parts + guard->input_count;
  input.tombstone_part_count = scan->part_count - guard->input_count;
  struct store_scan *fresh;
  uint64_t left_out;
  int code = create(guard->shard, &input, spec, &fresh, &left_out, err);
  if (code) return code;
  struct store_scan_figures figures;
  scan__figures(scan, &figures);
  add_figures(&guard->before, &figures);
  guard->parts_damaged += left_out;
  guard->before.rows_returned = scan->figures.rows_returned + guard->before.rows_returned;
  size_t input_count = fresh->guard.input_count;
  struct store_scan old = *scan;
  *scan = *fresh;
  *fresh = old;
  scan->guard = old.guard;
  scan->guard.input_count = input_count;
  fresh->guard.shard = NULL;
  store_scan_close(fresh);
  return ERR_OK;
}

/* Nothing is left: an empty scan. */
static int become_empty(struct store_scan *scan) {
  scan->active_count = 0;
  scan->in_series = false;
  scan->ended = true;
  scan->failed = ERR_OK;
  return ERR_OK;
}

/* Goes on behind the accepted place, first inside its series, then with those above. */
static int go_on(struct store_scan *scan, bool rest, struct err *err) {
  struct scan_guard *guard = &scan->guard;
  struct store_scan_spec spec;
  guard->rest = rest && guard->accepted.series != 0;
  if (guard->rest && !spec_behind(guard, &guard->accepted, true, &spec)) guard->rest = false;
  if (!guard->rest && !spec_behind(guard, &guard->accepted, false, &spec))
    return become_empty(scan);
  return become(scan, &spec, err);
}

static int end_in_conflict(struct store_scan *scan, struct err *err) {
  scan->failed = ERR_CONFLICT;
  err_set(err, ERR_CONFLICT, "a part turned out to be damaged in the middle of an answer");
  err_hint(err, "ask again: it is left out from now on");
  return ERR_CONFLICT;
}

/* After ERR_CORRUPTION: without the parts that are to blame; the error stays when none is. */
static int recover(struct store_scan *scan, int code, struct err *err) {
  struct scan_guard *guard = &scan->guard;
  if (!guard->shard || err_class(code) != ERR_CLASS_CORRUPTION) return code;
  if (!damage__report_all(guard->shard, scan->parts, guard->input_count, err)) return code;
  if (guard->parts_damaged == 0) atomic_fetch_add(&guard->shard->damage.reads, 1);
  if (guard->accepted.ragged) return end_in_conflict(scan, err);
  err_reset(err);
  return go_on(scan, true, err);
}

/* Whether rows of the place where the last chunk ended may still come. */
static bool is_ragged(const struct store_scan *scan, const struct scan_point *point) {
  if (point->series == 0) return false;
  for (uint32_t i = 0; i < scan->active_count; i++) {
    const struct scan_source *source = &scan->sources[scan->active[i]];
    if (scan->series[source->index] != point->series) continue;
    if (scan->guard.spec.tail) return true;
    if (scan->policy != STORE_KEEP_ALL && scan->policy != STORE_DROP_TWINS) continue;
    if (!source->exact || source->lo <= point->key) return true;
  }
  return false;
}

int store_scan_next(struct store_scan *scan, struct store_chunk *chunk, struct err *err) {
  struct scan_guard *guard = &scan->guard;
  struct err own;
  if (!err) err = &own;
  if (scan->failed == ERR_CONFLICT) return end_in_conflict(scan, err);
  if (guard->shard && !scan->failed) {
    guard->accepted = guard->pending;
    guard->accepted.ragged = is_ragged(scan, &guard->accepted);
  }
  for (;;) {
    int code = scan__next(scan, chunk, err);
    if (code) {
      int recovered = recover(scan, code, err);
      if (recovered) return scan->failed = recovered;
      continue;
    }
    if (!guard->shard) return ERR_OK;
    if (chunk->rows) {
      guard->pending = (struct scan_point){scan->planned, scan->planned_key, false};
      return ERR_OK;
    }
    if (!guard->rest) return ERR_OK;
    code = go_on(scan, false, err);
    if (code) return scan->failed = code;
  }
}

/* After a failure on the chunk: it is void, unless nobody is to blame. */
static int void_chunk(struct store_scan *scan, struct store_chunk *chunk, int code,
                      struct err *err) {
  int recovered = recover(scan, code, err);
  if (recovered) return recovered;
  scan->guard.pending = scan->guard.accepted;
  *chunk = (struct store_chunk){0};
  err_set(err, ERR_CONFLICT, "a part of the chunk turned out to be damaged: the chunk is void");
  return ERR_CONFLICT;
}

int store_scan_load(struct store_scan *scan, struct store_chunk *chunk, bool with_keys,
                    uint64_t mask, struct err *err) {
  struct err own;
  if (!err) err = &own;
  int code = scan__chunk_load(scan, chunk, with_keys, mask, err);
  return code ? void_chunk(scan, chunk, code, err) : ERR_OK;
}

int store_scan_images(struct store_scan *scan, struct store_chunk *chunk, uint32_t i,
                      const struct store_image **images, uint32_t *count, struct err *err) {
  struct err own;
  if (!err) err = &own;
  int code = scan__chunk_images(scan, i, images, count, err);
  return code ? void_chunk(scan, chunk, code, err) : ERR_OK;
}

void store_scan_figures(const struct store_scan *scan, struct store_scan_figures *figures) {
  scan__figures(scan, figures);
  add_figures(figures, &scan->guard.before);
  figures->rows_returned += scan->guard.before.rows_returned;
  figures->parts_damaged = scan->guard.parts_damaged;
}
