/* Deletions: the tombstones that touch a scan, found by where they are.
 *
 * A table may have thousands of tombstones, of which a block meets none or a few. So they stand in
 * a tree of boxes over series × keys (packed the way of Leutenegger, Lopez and Edgington, "STR: A
 * simple and efficient algorithm for R-tree packing", 1997): sorted by series into slabs, each slab
 * by key, eight to a box, eight boxes to a box above. A question walks down the boxes that it
 * touches. Which of them delete rows of an input is a question of commits: the list is in commit
 * order, so it is a range of indices, and boxes know theirs.
 *
 * Nothing is built where there are no tombstones; up to eight are one box, looked through. */
#include "store/scan_private.h"

#include <stdlib.h>

#include "base/err.h"

enum { FANOUT = 8, LEVELS_MAX = 12 };

struct scan_box {
  uint64_t series_min, series_max;
  int64_t key_min, key_max; /* the lowest beginning and the highest end */
  uint32_t first, last;     /* indices of deletions */
};

struct scan_box_tree {
  uint32_t *order; /* deletions, as the boxes of the lowest level hold them */
  uint32_t level_count;
  uint32_t counts[LEVELS_MAX]; /* boxes of each level; the last has one */
  struct scan_box *levels[LEVELS_MAX];
};

static int compare_commits(const void *a, const void *b) {
  const struct scan_deletion *x = a, *y = b;
  return x->commit < y->commit ? -1 : x->commit > y->commit;
}

/* ---- building ---- */

/* What is sorted: a deletion's corner. */
struct corner {
  uint64_t series;
  int64_t key;
  uint32_t index;
};

static int by_series(const void *a, const void *b) {
  const struct corner *x = a, *y = b;
  if (x->series != y->series) return x->series < y->series ? -1 : 1;
  return x->key < y->key ? -1 : x->key > y->key;
}

static int by_key(const void *a, const void *b) {
  const struct corner *x = a, *y = b;
  return x->key < y->key ? -1 : x->key > y->key;
}

static struct scan_box box_of(const struct scan_deletion *deletion, uint32_t index) {
  return (struct scan_box){
      .series_min = deletion->series ? deletion->series[0] : 0,
      .series_max = deletion->series ? deletion->series[deletion->series_count - 1] : UINT64_MAX,
      .key_min = deletion->key_min,
      .key_max = deletion->key_max,
      .first = index,
      .last = index};
}

static void box_add(struct scan_box *box, const struct scan_box *other, bool begins) {
  if (begins) {
    *box = *other;
    return;
  }
  if (other->series_min < box->series_min) box->series_min = other->series_min;
  if (other->series_max > box->series_max) box->series_max = other->series_max;
  if (other->key_min < box->key_min) box->key_min = other->key_min;
  if (other->key_max > box->key_max) box->key_max = other->key_max;
  if (other->first < box->first) box->first = other->first;
  if (other->last > box->last) box->last = other->last;
}

/* Orders the deletions so that neighbours are near each other. */
static void pack(const struct store_scan *scan, struct corner *corners, uint32_t *order) {
  uint32_t count = scan->deletion_count, slab = FANOUT;
  for (uint32_t i = 0; i < count; i++) {
    const struct scan_deletion *deletion = &scan->deletions[i];
    corners[i] = (struct corner){deletion->series ? deletion->series[0] : 0, deletion->key_min, i};
  }
  qsort(corners, count, sizeof *corners, by_series);
  while ((uint64_t)slab * slab < (uint64_t)count * FANOUT) /* about sqrt(count / 8) slabs */
    slab += FANOUT;
  for (uint32_t from = 0; from < count; from += slab)
    qsort(corners + from, count - from < slab ? count - from : slab, sizeof *corners, by_key);
  for (uint32_t i = 0; i < count; i++)
    order[i] = corners[i].index;
}

static int build_tree(struct store_scan *scan, struct err *err) {
  uint32_t count = scan->deletion_count, boxes = 0, levels = 0;
  struct scan_box_tree *tree;
  for (uint32_t of_level = count; levels == 0 || of_level > 1; levels++)
    boxes += of_level = (of_level + FANOUT - 1) / FANOUT;
  size_t size = sizeof *tree + boxes * sizeof(struct scan_box) + count * sizeof *tree->order;
  if (!(tree = arena_alloc(&scan->memory, size))) return scan__refused(&scan->memory, size, err);
  struct corner *corners = mem_alloc(scan->account, count * sizeof *corners);
  if (!corners) return mem_refused(scan->account, count * sizeof *corners, err);
  struct scan_box *box = (struct scan_box *)(tree + 1);
  tree->order = (uint32_t *)(box + boxes);
  pack(scan, corners, tree->order);
  mem_free(scan->account, corners, count * sizeof *corners);
  tree->level_count = levels;
  for (uint32_t level = 0, below = count; level < levels; level++) {
    tree->levels[level] = box;
    tree->counts[level] = (below + FANOUT - 1) / FANOUT;
    for (uint32_t i = 0; i < below; i++) {
      struct scan_box own;
      if (level == 0) own = box_of(&scan->deletions[tree->order[i]], tree->order[i]);
      box_add(&box[i / FANOUT], level ? &tree->levels[level - 1][i] : &own, i % FANOUT == 0);
    }
    box += tree->counts[level];
    below = tree->counts[level];
  }
  scan->deletion_tree = tree;
  return ERR_OK;
}

static void add_part(struct store_scan *scan, const struct store_part *part, uint64_t commit_max) {
  const struct store_tombstone *tombstones;
  const uint64_t *commits;
  uint32_t count = part_tombstones(part, &tombstones, &commits);
  for (uint32_t i = 0; i < count; i++) {
    const struct store_tombstone *tombstone = &tombstones[i];
    if (commits[i] > commit_max || tombstone->key_max < scan->spec.key_min ||
        tombstone->key_min > scan->spec.key_max)
      continue;
    if (tombstone->series && tombstone->series_count == 0) continue;
    scan->deletions[scan->deletion_count++] =
        (struct scan_deletion){commits[i], tombstone->key_min, tombstone->key_max,
                               tombstone->series, tombstone->series_count};
  }
}

int scan__gather_deletions(struct store_scan *scan, struct err *err) {
  const struct store_tombstone *tombstones;
  const uint64_t *commits;
  size_t most = 0;
  for (size_t i = 0; i < scan->part_count; i++)
    most += part_tombstones(scan->parts[i], &tombstones, &commits);
  if (most == 0) return ERR_OK;
  if (most > UINT32_MAX / 2)
    return err_set(err, ERR_LIMIT_EXCEEDED, "%zu deletions in one scan", most);
  size_t size = most * (sizeof *scan->deletions + sizeof *scan->hits);
  if (!(scan->deletions = arena_alloc(&scan->memory, size)))
    return scan__refused(&scan->memory, size, err);
  scan->hits = (uint32_t *)(scan->deletions + most);
  uint64_t commit_max = scan->as_of < scan->settled ? scan->as_of : scan->settled;
  for (size_t i = 0; i < scan->part_count; i++)
    add_part(scan, scan->parts[i], commit_max);
  if (scan->deletion_count == 0) return ERR_OK;
  qsort(scan->deletions, scan->deletion_count, sizeof *scan->deletions, compare_commits);
  return build_tree(scan, err);
}

uint32_t scan__deletions_above(const struct store_scan *scan, uint64_t commit) {
  uint32_t low = 0, high = scan->deletion_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (scan->deletions[middle].commit <= commit)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* ---- asking ---- */

struct question {
  struct store_scan *scan;
  const struct scan_region *region;
  bool covers; /* only those that delete all of the region */
  bool any;    /* one is enough */
  uint32_t found;
};

static bool set_touches(const struct scan_deletion *deletion, uint64_t first, uint64_t last) {
  if (!deletion->series) return true;
  size_t low = 0, high = deletion->series_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (deletion->series[middle] < first)
      low = middle + 1;
    else
      high = middle;
  }
  return low < deletion->series_count && deletion->series[low] <= last;
}

static bool box_may_hold(const struct question *question, const struct scan_box *box) {
  const struct scan_region *region = question->region;
  if (box->first >= region->end || box->last < region->first) return false;
  if (box->series_min > region->series_max || box->series_max < region->series_min) return false;
  if (question->covers) return box->key_min <= region->key_min && box->key_max >= region->key_max;
  return box->key_min <= region->key_max && box->key_max >= region->key_min;
}

static bool matches(const struct question *question, uint32_t index) {
  const struct scan_region *region = question->region;
  const struct scan_deletion *deletion = &question->scan->deletions[index];
  struct scan_box box = box_of(deletion, index);
  if (!box_may_hold(question, &box)) return false;
  if (question->covers && deletion->series && region->series_min != region->series_max)
    return false;
  return set_touches(deletion, region->series_min, region->series_max);
}

static void visit(struct question *question, uint32_t level, uint32_t at) {
  struct store_scan *scan = question->scan;
  const struct scan_box_tree *tree = scan->deletion_tree;
  uint32_t below = level ? tree->counts[level - 1] : scan->deletion_count;
  uint32_t from = at * FANOUT, to = from + FANOUT < below ? from + FANOUT : below;
  scan->figures.deletions_considered += to - from;
  for (uint32_t i = from; i < to && !(question->any && question->found); i++) {
    if (level) {
      if (box_may_hold(question, &tree->levels[level - 1][i])) visit(question, level - 1, i);
    } else if (matches(question, tree->order[i])) {
      if (!question->any) scan->hits[question->found] = tree->order[i];
      question->found++;
    }
  }
}

static uint32_t ask(struct store_scan *scan, const struct scan_region *region, bool covers,
                    bool any) {
  struct question question = {.scan = scan, .region = region, .covers = covers, .any = any};
  if (region->first >= region->end) return 0;
  visit(&question, scan->deletion_tree->level_count - 1, 0);
  return question.found;
}

bool scan__deletion_touches(struct store_scan *scan, const struct scan_region *region) {
  return ask(scan, region, false, true) > 0;
}

bool scan__deletion_covers(struct store_scan *scan, const struct scan_region *region) {
  return ask(scan, region, true, true) > 0;
}

uint32_t scan__find_deletions(struct store_scan *scan, const struct scan_region *region) {
  return ask(scan, region, false, false);
}

/* ---- what they leave of a run ---- */

static int compare_cuts(const void *a, const void *b) {
  const struct scan_cut *x = a, *y = b;
  return x->key_min < y->key_min ? -1 : x->key_min > y->key_min;
}

int scan__find_cuts(struct store_scan *scan, struct scan_source *source, struct err *err) {
  struct scan_region region = {scan->current, scan->current,          source->lo,
                               source->hi,    source->deletion_first, scan->deletion_count};
  uint32_t found = scan__find_deletions(scan, &region), count = 0;
  source->cut_at = source->cut_count = 0;
  source->cuts_known = true;
  if (found > source->cut_capacity) {
    uint32_t capacity = found + found / 2;
    struct scan_cut *cuts = mem_resize(
        scan->account, source->cuts, source->cut_capacity * sizeof *cuts, capacity * sizeof *cuts);
    if (!cuts) return mem_refused(scan->account, capacity * sizeof *cuts, err);
    source->cuts = cuts;
    source->cut_capacity = capacity;
  }
  struct scan_cut *cuts = source->cuts;
  for (uint32_t i = 0; i < found; i++) {
    const struct scan_deletion *deletion = &scan->deletions[scan->hits[i]];
    cuts[i] = (struct scan_cut){deletion->key_min, deletion->key_max};
  }
  if (found > 1) qsort(cuts, found, sizeof *cuts, compare_cuts);
  for (uint32_t i = 0; i < found; i++) {
    if (count &&
        (cuts[count - 1].key_max == INT64_MAX || cuts[i].key_min <= cuts[count - 1].key_max + 1)) {
      if (cuts[i].key_max > cuts[count - 1].key_max) cuts[count - 1].key_max = cuts[i].key_max;
    } else {
      cuts[count++] = cuts[i];
    }
  }
  source->cut_count = count;
  return ERR_OK;
}
