/* Opening and closing a scan, and the public calls.
 *
 * Opening retains the inputs, leaves out those whose rows can't match (whose block metadata is then
 * never read), finds each one's first and last block by series, and gathers the tombstones that
 * touch the key range. A tombstone deletes rows of inputs whose last commit is below its own; with
 * them in commit order those of one input are a suffix of the list. */
#include "store/scan_private.h"

#include "base/err.h"

static void *take(struct store_scan *scan, size_t size, struct err *err, int *code) {
  void *memory = arena_alloc_zero(&scan->memory, size);
  *code = memory ? ERR_OK : scan__refused(&scan->memory, size, err);
  return memory;
}

static int check_spec(const struct store_scan_spec *spec, struct err *err) {
  if (spec->key_min > spec->key_max)
    return err_set(err, ERR_INVALID_ARGUMENT, "the key range is empty: %lld is above %lld",
                   (long long)spec->key_min, (long long)spec->key_max);
  if (!spec->series && spec->series_min > spec->series_max)
    return err_set(err, ERR_INVALID_ARGUMENT, "the series range is empty: %llu is above %llu",
                   (unsigned long long)spec->series_min, (unsigned long long)spec->series_max);
  for (size_t i = 1; spec->series && i < spec->series_count; i++)
    if (spec->series[i] <= spec->series[i - 1])
      return err_set(err, ERR_INVALID_ARGUMENT, "the wanted series are not ascending at %zu", i);
  for (uint32_t i = 0; i < spec->column_count; i++)
    if (spec->columns[i] == 0)
      return err_set(err, ERR_INVALID_ARGUMENT, "column id 0 does not exist");
  return ERR_OK;
}

/* ---- columns ---- */

static bool view_column_type(const struct open_view *view, uint32_t id, struct type *type) {
  uint32_t low = 0, high = view ? view->column_count : 0;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (view->column_ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  if (!view || low == view->column_count || view->column_ids[low] != id) return false;
  *type = view->column_types[low];
  return true;
}

/* Twins are equal in every column, wanted or not: adds all that any input has. */
static int add_all_columns(struct store_scan *scan, const struct scan_input *input,
                           struct err *err) {
  size_t most = scan->column_total + (scan->view ? scan->view->column_count : 0);
  const uint32_t *ids;
  const struct type *types;
  for (size_t i = 0; i < input->part_count; i++)
    most += part_columns(input->parts[i], &ids, &types);
  int code;
  uint32_t *all = take(scan, (most + 1) * sizeof *all, err, &code);
  if (code) return code;
  memcpy(all, scan->column_ids, scan->column_total * sizeof *all);
  uint32_t count = scan->column_total;
  for (size_t i = 0; i <= input->part_count; i++) {
    uint32_t of_input = i < input->part_count ? part_columns(input->parts[i], &ids, &types)
                        : scan->view          ? scan->view->column_count
                                              : 0;
    for (uint32_t c = 0; c < of_input; c++) {
      uint32_t id = i < input->part_count ? ids[c] : scan->view->column_ids[c];
      uint32_t at = 0;
      while (at < count && all[at] != id)
        at++;
      if (at == count) all[count++] = id;
    }
  }
  scan->column_ids = all;
  scan->column_total = count;
  return ERR_OK;
}

/* Commits and marks are decoded where they decide. */
static int add_hidden_columns(struct store_scan *scan, struct err *err) {
  int code;
  uint32_t count = scan->column_total;
  uint32_t *all = take(scan, (count + 2) * sizeof *all, err, &code);
  if (code) return code;
  memcpy(all, scan->column_ids, count * sizeof *all);
  scan->commit_column = count;
  scan->mark_column = count + 1;
  all[count] = STORE_COLUMN_COMMIT;
  all[count + 1] = STORE_COLUMN_MARK;
  scan->column_ids = all;
  scan->column_total = count + 2;
  return ERR_OK;
}

/* Ids and types: a column's type is that of the newest input that has it. */
static int set_columns(struct store_scan *scan, const struct scan_input *input, struct err *err) {
  int code;
  scan->column_total = scan->spec.column_count;
  scan->column_ids = take(scan, (scan->column_total + 1) * sizeof *scan->column_ids, err, &code);
  if (code) return code;
  if (scan->column_total)
    memcpy(scan->column_ids, scan->spec.columns, scan->column_total * sizeof *scan->column_ids);
  if (scan->policy == STORE_DROP_TWINS && (code = add_all_columns(scan, input, err))) return code;
  if (scan->versions && (code = add_hidden_columns(scan, err))) return code;
  scan->types = take(scan, (scan->column_total + 1) * sizeof *scan->types, err, &code);
  for (uint32_t i = 0; i < scan->column_total && !code; i++) {
    scan->types[i] = scan->column_ids[i] == STORE_COLUMN_COMMIT ? TYPE_UINT64
                     : scan->column_ids[i] == STORE_COLUMN_MARK ? TYPE_BOOL
                                                                : TYPE_INT64;
    bool found = view_column_type(scan->view, scan->column_ids[i], &scan->types[i]);
    for (size_t p = input->part_count; p-- > 0 && !found;)
      found = part_column_type(input->parts[p], scan->column_ids[i], &scan->types[i]);
  }
  return code;
}

/* ---- inputs ---- */

static int set_source_columns(struct store_scan *scan, struct scan_source *source,
                              struct err *err) {
  int code;
  bool *has = take(scan, scan->column_total + 1, err, &code);
  for (uint32_t i = 0; i < scan->column_total && !code; i++) {
    struct type type;
    has[i] = source->part ? part_column_type(source->part, scan->column_ids[i], &type)
                          : view_column_type(source->view, scan->column_ids[i], &type);
    if (!has[i] || type.physical == scan->types[i].physical) continue;
    char place[128] = "the open part";
    if (source->part) part_describe(source->part, place, sizeof place);
    code = err_set(err, ERR_CORRUPTION, "column %u is %s in one part and %s in a newer one",
                   scan->column_ids[i], type_name(type), type_name(scan->types[i]));
    err_detail(err, "%s", place);
    err_hint(err, "check the directory with \"nilo check\"");
  }
  source->has = has;
  return code;
}

/* The blocks that may hold wanted series, by search. */
static void cut_blocks(struct store_scan *scan, struct scan_source *source, uint32_t count) {
  const struct store_scan_spec *spec = &scan->spec;
  uint64_t first = spec->series_min, last = spec->series_max;
  if (spec->series) {
    first = spec->series_count ? spec->series[0] : UINT64_MAX;
    last = spec->series_count ? spec->series[spec->series_count - 1] : 0;
  }
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (source->blocks[middle].series_last < first)
      low = middle + 1;
    else
      high = middle;
  }
  uint32_t end = low;
  high = count;
  while (end < high) {
    uint32_t middle = end + (high - end) / 2;
    if (source->blocks[middle].series_first <= last)
      end = middle + 1;
    else
      high = middle;
  }
  source->at = low;
  source->end = end;
  scan->figures.blocks_considered += count - (end - low);
  scan->figures.blocks_skipped += count - (end - low);
}

static int add_source(struct store_scan *scan, struct store_part *part,
                      const struct open_view *view, const struct store_part_facts *facts,
                      bool may_hold_twins, struct err *err) {
  struct scan_source *source = &scan->sources[scan->source_count];
  *source = (struct scan_source){.part = part, .view = view, .index = scan->source_count};
  source->may_hold_twins = may_hold_twins;
  source->deletion_first =
      part ? scan__deletions_above(scan, facts->commit_max) : scan->deletion_count;
  source->inner_first = source->deletion_first;
  source->one_commit = part && facts->commit_min == facts->commit_max;
  source->commit = part ? facts->commit_max : 0;
  if (part && !source->one_commit && part_has_history(part))
    source->commit = part_history_since(part);
  for (uint32_t i = 0; part && facts->rows && i < scan->column_total; i++)
    if (scan->column_ids[i] == STORE_COLUMN_PAYLOAD)
      source->plain_row = (size_t)(facts->bytes_plain / facts->rows) + 16;
  for (uint32_t i = 0; i < SCAN_SLOTS; i++)
    source->slots[i] =
        (struct scan_slot){.source = source, .ordinal = scan->source_count * SCAN_SLOTS + i};
  int code = set_source_columns(scan, source, err);
  if (!code && part) code = part_load_blocks(part, err);
  if (code) return code;
  source->blocks = part ? part_blocks(part) : view->blocks;
  cut_blocks(scan, source, part ? part_block_count(part) : view->block_count);
  if (scan->versions && (code = scan__find_versions(scan, source, facts, err))) return code;
  scan->source_count++;
  scan__settle(scan, source);
  if (!source->done) scan->active[scan->active_count++] = source->index;
  return ERR_OK;
}

static bool part_may_match(const struct store_scan_spec *spec,
                           const struct store_part_facts *facts) {
  if (facts->rows == 0 || facts->key_max < spec->key_min || facts->key_min > spec->key_max)
    return false;
  if (!spec->series)
    return facts->series_max >= spec->series_min && facts->series_min <= spec->series_max;
  return spec->series_count && facts->series_max >= spec->series[0] &&
         facts->series_min <= spec->series[spec->series_count - 1];
}

static int add_sources(struct store_scan *scan, const struct scan_input *input, struct err *err) {
  size_t most = input->part_count + 1;
  int code;
  if (most >= UINT32_MAX >> (SCAN_ROW_BITS + 1))
    return err_set(err, ERR_LIMIT_EXCEEDED, "%zu parts in one scan", most);
  if ((scan->sources = take(scan, most * sizeof *scan->sources, err, &code),
       scan->series = code ? NULL : take(scan, most * sizeof *scan->series, err, &code),
       scan->active = code ? NULL : take(scan, most * sizeof *scan->active, err, &code),
       scan->members = code ? NULL : take(scan, most * sizeof *scan->members, err, &code), code))
    return code;
  for (size_t i = 0; i < input->part_count; i++) {
    struct store_part_facts facts;
    store_part_facts(input->parts[i], &facts);
    scan->figures.parts++;
    if (facts.commit_min <= scan->as_of && part_may_match(&scan->spec, &facts)) {
      code = add_source(scan, input->parts[i], NULL, &facts,
                        scan->policy == STORE_DROP_TWINS && facts.in_memory, err);
      if (code) return code;
    } else {
      scan->figures.blocks_considered += facts.blocks;
      scan->figures.blocks_skipped += facts.blocks;
    }
  }
  if (!scan->view) return ERR_OK;
  scan->figures.parts++;
  return add_source(scan, NULL, scan->view, NULL, false, err);
}

/* ---- life ---- */

static int retain_parts(struct store_scan *scan, const struct scan_input *input, struct err *err) {
  size_t most = input->part_count + input->tombstone_part_count;
  int code;
  scan->parts = take(scan, (most + 1) * sizeof(struct store_part *), err, &code);
  if (code) return code;
  for (size_t i = 0; i < most; i++) {
    struct store_part *part =
        i < input->part_count ? input->parts[i] : input->tombstone_parts[i - input->part_count];
    part_retain(part);
    scan->parts[scan->part_count++] = part;
  }
  return ERR_OK;
}

/* Whether rows of the part have to be told apart by their commits: it holds some that are not to be
 * seen, or tombstones that delete older rows of itself. */
static bool commits_matter(const struct store_scan *scan, const struct store_part *part) {
  struct store_part_facts facts;
  if (!part_has_history(part)) return false;
  store_part_facts(part, &facts);
  if (facts.commit_min <= scan->as_of && facts.commit_max > scan->as_of) return true;
  uint64_t since = part_history_since(part);
  if (since < facts.commit_min) since = facts.commit_min;
  return scan__deletions_above(scan, since) < scan__deletions_above(scan, facts.commit_max);
}

/* Whether an input may hold several rows of a place, or marks; or the output shall. */
static bool holds_versions(const struct store_scan *scan, const struct scan_input *input) {
  struct type type;
  if (scan->policy != STORE_NEWEST_COLUMN && scan->policy != STORE_NEWEST_ROW) return false;
  if (scan->keep && scan->keep->settled < UINT64_MAX) return true;
  if (scan->view && scan->view->versioned) return true;
  for (size_t i = 0; i < input->part_count; i++)
    if (part_column_type(input->parts[i], STORE_COLUMN_MARK, &type) ||
        commits_matter(scan, input->parts[i]))
      return true;
  return false;
}

static int check_as_of(const struct scan_input *input, const struct store_scan_spec *spec,
                       struct err *err) {
  if (!spec->as_of) return ERR_OK;
  unsigned long long commit = spec->as_of, store = spec->store;
  if (commit > input->open_commit)
    return err_set(err, ERR_OUT_OF_RANGE, "store %llu as of commit %llu: the newest commit is %llu",
                   store, commit, (unsigned long long)input->open_commit);
  if (commit >= input->history_since) return ERR_OK;
  err_set(err, ERR_HISTORY_GONE,
          "store %llu as of commit %llu: the oldest that can be asked is %llu", store, commit,
          (unsigned long long)input->history_since);
  err_hint(err, "keep more history: what is superseded stays for that many commits");
  return ERR_HISTORY_GONE;
}

static int scan_fill(struct store_scan *scan, const struct scan_input *input, struct err *err) {
  int code = retain_parts(scan, input, err);
  if (code) return code;
  if (input->open) {
    open_part_retain(input->open);
    scan->open = input->open;
    uint64_t commit = input->open_commit < scan->as_of ? input->open_commit : scan->as_of;
    if ((code = open_part_view(input->open, commit, &scan->view, err))) return code;
  }
  if ((code = scan__gather_deletions(scan, err))) return code;
  scan->versions = holds_versions(scan, input);
  if ((code = set_columns(scan, input, err)) || (code = scan__skip_init(scan, err)) ||
      (code = add_sources(scan, input, err)))
    return code;
  scan->plain = !scan->spec.series && !scan->spec.head && !scan->spec.tail &&
                scan->deletion_count == 0 && scan->policy != STORE_DROP_TWINS && !scan->versions;
  return scan__plan_init(scan, err);
}

/* Expired rows are as if they were outside the key range; when that is all of it, nothing is read.
 */
static void apply_horizon(struct store_scan *scan, struct scan_input *input) {
  if (!input->has_horizon || input->horizon <= scan->spec.key_min) return;
  if (input->horizon <= scan->spec.key_max) {
    scan->spec.key_min = input->horizon;
    return;
  }
  input->part_count = 0;
  input->open = NULL;
}

int store__scan_create(const struct scan_input *input, const struct store_scan_spec *spec,
                       struct store_scan **created, struct err *err) {
  int code = check_spec(spec, err);
  if (!code) code = check_as_of(input, spec, err);
  if (code) return code;
  struct store_scan *scan = mem_alloc_zero(spec->account, sizeof *scan);
  if (!scan) return mem_refused(spec->account, sizeof *scan, err);
  scan->account = spec->account;
  scan->policy = input->policy;
  scan->spec = *spec;
  scan->as_of = spec->as_of ? spec->as_of : UINT64_MAX;
  scan->keep = input->keep;
  scan->settled = scan->keep ? scan->keep->settled : scan->as_of;
  arena_init(&scan->memory, scan->account, 4096);
  arena_init(&scan->chunk, scan->account, 4096);
  twins_init(&scan->twins, scan->account);
  struct scan_input visible = *input;
  apply_horizon(scan, &visible);
  code = scan_fill(scan, &visible, err);
  if (code)
    store_scan_close(scan);
  else
    *created = scan;
  return code;
}

void store_scan_close(struct store_scan *scan) {
  if (!scan) return;
  scan__guard_end(scan);
  for (uint32_t i = 0; i < scan->source_count; i++)
    for (uint32_t j = 0; j < SCAN_SLOTS; j++)
      if (scan->sources[i].slots[j].columns) arena_deinit(&scan->sources[i].slots[j].arena);
  for (uint32_t i = 0; i < scan->source_count; i++) {
    scan__ahead_deinit(scan, &scan->sources[i]);
    mem_free(scan->account, scan->sources[i].cuts,
             scan->sources[i].cut_capacity * sizeof(struct scan_cut));
  }
  scan__place_deinit(scan);
  scan__plan_deinit(scan);
  twins_deinit(&scan->twins);
  if (scan->view) open_part_view_release(scan->open, scan->view);
  open_part_release(scan->open);
  for (size_t i = 0; i < scan->part_count; i++)
    part_release(scan->parts[i]);
  arena_deinit(&scan->chunk);
  arena_deinit(&scan->memory);
  mem_free(scan->account, scan, sizeof *scan);
}

int scan__next(struct store_scan *scan, struct store_chunk *chunk, struct err *err) {
  *chunk = (struct store_chunk){0};
  if (scan->failed) return err_set(err, scan->failed, "the scan has failed before");
  int code = scan__plan(scan, err);
  if (!code) code = scan__chunk_describe(scan, chunk, err);
  scan->failed = code;
  return code;
}

void scan__figures(const struct store_scan *scan, struct store_scan_figures *figures) {
  /* what the slots hold is not counted yet: count a copy of it */
  struct store_scan copy = {.figures = scan->figures};
  for (uint32_t i = 0; i < scan->source_count; i++)
    for (uint32_t j = 0; j < SCAN_SLOTS; j++) {
      struct scan_slot slot = scan->sources[i].slots[j];
      scan__retire(&copy, &slot);
    }
  *figures = copy.figures;
}
