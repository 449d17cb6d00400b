/* Blocks that a filter rules out: by statistics, then by Bloom filters (store/predicate.h).
 *
 * Only where leaving out rows that do not pass changes nothing else: not where a newer row hides an
 * older one (the older would come out), not where head and tail count rows, and not in parts with
 * marks or commits of rows. Whatever can't be read or compared rules nothing out. */
#include "base/err.h"
#include "store/part_filter.h"
#include "store/predicate.h"
#include "store/scan_private.h"

/* What is prepared once per scan: the hashes of each term's values. */
struct scan_skip {
  const struct store_filter *filter;
  const uint64_t **hashes; /* per term; NULL: none */
};

int scan__skip_init(struct store_scan *scan, struct err *err) {
  const struct store_filter *filter = scan->spec.filter;
  scan->skip = NULL;
  if (!filter || filter->term_count == 0 || scan->spec.head || scan->spec.tail ||
      (scan->policy != STORE_KEEP_ALL && scan->policy != STORE_DROP_TWINS))
    return ERR_OK;
  struct scan_skip *skip = ARENA_NEW(&scan->memory, struct scan_skip);
  if (skip) skip->hashes = ARENA_ARRAY(&scan->memory, const uint64_t *, filter->term_count);
  if (!skip || !skip->hashes) return scan__refused(&scan->memory, sizeof *skip, err);
  skip->filter = filter;
  for (size_t i = 0; i < filter->term_count; i++) {
    const struct store_term *term = &filter->terms[i];
    bool list =
        term->type.logical == LOGICAL_LIST_STRING || term->type.logical == LOGICAL_LIST_INT64;
    if ((term->kind != STORE_TERM_IN || list) && term->kind != STORE_TERM_ITEMS) continue;
    bool text = term->kind == STORE_TERM_ITEMS ? term->type.logical == LOGICAL_LIST_STRING
                                               : type_is_string(term->type);
    uint64_t *hashes = arena_alloc(&scan->memory, (term->value_count + 1) * sizeof *hashes);
    if (!hashes) return scan__refused(&scan->memory, term->value_count * sizeof *hashes, err);
    for (size_t v = 0; v < term->value_count; v++)
      hashes[v] = text ? part_filter_hash_text(term->values[v].text)
                       : part_filter_hash_number(list ? TYPE_INT64 : term->type,
                                                 term->values[v].number.u64);
    skip->hashes[i] = hashes;
  }
  scan->skip = skip;
  return ERR_OK;
}

/* ---- statistics ---- */

/* -1, 0, 1 of two numbers of a type, signed numbers as signed ones. */
static int compare(struct type type, union statistics_value a, union statistics_value b) {
  if (type.physical == PHYSICAL_INT64) return (a.i64 > b.i64) - (a.i64 < b.i64);
  if (type.physical == PHYSICAL_FLOAT64) return (a.f64 > b.f64) - (a.f64 < b.f64);
  return (a.u64 > b.u64) - (a.u64 < b.u64);
}

static bool is_nan(struct type type, union statistics_value value) {
  return type.physical == PHYSICAL_FLOAT64 && value.f64 != value.f64;
}

static bool range_fails(const struct store_term *term, const struct column_statistics *facts) {
  struct type type = term->type;
  if (!(facts->flags & STATISTICS_RANGE)) return facts->nan_count == facts->count;
  if (term->has_min && is_nan(type, term->min)) return true; /* no number is above it */
  if (term->has_max && is_nan(type, term->max)) return true;
  int low = term->has_min ? compare(type, facts->max, term->min) : 1;
  int high = term->has_max ? compare(type, facts->min, term->max) : -1;
  return low < 0 || (low == 0 && term->min_exclusive) || high > 0 ||
         (high == 0 && term->max_exclusive);
}

static bool values_fail(const struct store_term *term, const struct column_statistics *facts) {
  if (term->value_count == 0) return true;
  if (type_is_string(term->type)) return false;
  if (!(facts->flags & STATISTICS_RANGE)) return facts->nan_count == facts->count;
  for (size_t i = 0; i < term->value_count; i++)
    if (compare(term->type, term->values[i].number, facts->min) >= 0 &&
        compare(term->type, term->values[i].number, facts->max) <= 0)
      return false;
  return true;
}

/* ---- one block ---- */

static bool term_fails(struct store_scan *scan, const struct scan_source *source, size_t at) {
  const struct store_term *term = &scan->skip->filter->terms[at];
  struct column_statistics facts;
  struct type type;
  if (!part_column_type(source->part, term->column, &type)) return term->kind != STORE_TERM_ABSENT;
  if (!type_equal(type, term->type) ||
      part_statistics(source->part, source->at, term->column, &facts, NULL))
    return false;
  if (term->kind == STORE_TERM_ABSENT) return facts.count == source->blocks[source->at].rows;
  if (facts.count == 0) return true;
  switch (term->kind) {
  case STORE_TERM_RANGE:
    return range_fails(term, &facts);
  case STORE_TERM_IN:
    if (values_fail(term, &facts)) return true;
    break;
  case STORE_TERM_ITEMS:
    if (term->value_count == 0) return true;
    break;
  default:
    return false;
  }
  return scan->skip->hashes[at] &&
         part_filter_excludes(source->part, source->at, term->column, scan->skip->hashes[at],
                              term->value_count, &scan->figures.bytes_read);
}

bool scan__block_fails(struct store_scan *scan, const struct scan_source *source) {
  struct type type;
  if (!scan->skip || !source->part || part_column_type(source->part, STORE_COLUMN_MARK, &type) ||
      part_column_type(source->part, STORE_COLUMN_COMMIT, &type))
    return false;
  for (size_t i = 0; i < scan->skip->filter->term_count; i++)
    if (term_fails(scan, source, i)) return true;
  return false;
}
