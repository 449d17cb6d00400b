/* Which parts are merged.
 *
 * Parts that overlap in keys must never overlap in commits. So a set of parts may be merged when no
 * other part lies in its range of keys with commits in its range of commits (may_merge); every
 * choice is checked for that, however it came about.
 *
 * It comes about around a part that is new since the last look. Its neighbours are the parts that
 * come before and after it in commit order among those that touch the smallest span of partitions
 * which holds it; a part that reaches out of the span ends the row, and the span that holds both is
 * tried next. Of the windows of such neighbours with the part in them the one is taken whose merge
 * gains most: the bytes of all over the bytes of the largest, partition by partition, so that parts
 * of different partitions gain nothing by each other, and a large part is written again only when
 * what lies above it adds up to a good share. Small parts, which need not be cut, may also be
 * merged with small neighbours of other partitions, so that partitions with few rows share a part.
 *
 * Sizes within a part are taken as spread evenly over its partitions. Where that is wrong a merge
 * gains less than was thought, and no more is wrong. */
#include "store/merge_choose.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/err.h"

enum {
  LANES_MAX = 4,
  NEIGHBOURS = MERGE_PARTS_MAX - 1,
  FULL_ROW_MAX = 16, /* parts that are merged at once when everything is: a block of each is in
                        memory, and what they become is merged again */
};

struct entry {
  struct store_part *part;
  uint64_t first, last; /* its partitions */
  uint64_t commit_min, commit_max;
  uint64_t bytes;
  bool allowed; /* it may be merged */
  bool fresh;
};

struct chooser {
  const struct merge_rules *rules;
  const struct entry *entries; /* in commit order */
  uint32_t count;
  uint32_t *best; /* of the best set so far, ascending */
  uint32_t best_count;
  uint64_t best_bytes;
  double best_gain;
  bool waits; /* for room on the disk: it is to be looked at again */
};

/* A row of neighbours: indexes of entries, ascending. */
struct lane {
  uint32_t at[2 * NEIGHBOURS + 1];
  uint32_t count, middle;
  bool small; /* windows must not be larger than one uncut part */
};

static bool overlaps(const struct entry *entry, uint64_t first, uint64_t last) {
  return entry->first <= last && entry->last >= first;
}

static bool inside(const struct entry *entry, struct partition_span span) {
  return entry->first >= span.first && entry->last <= span.last;
}

/* ---- what may be merged ---- */

static bool touches_member(const struct chooser *chooser, const uint32_t *set, uint32_t count,
                           const struct entry *other) {
  for (uint32_t i = 0; i < count; i++)
    if (overlaps(other, chooser->entries[set[i]].first, chooser->entries[set[i]].last)) return true;
  return false;
}

/* No part may come between: see above. Nor may the result lie over parts that none of the set lies
 * over: it would stand in the way of their merges. */
static bool may_merge(const struct chooser *chooser, const uint32_t *set, uint32_t count) {
  struct entry hull = chooser->entries[set[0]];
  for (uint32_t i = 1; i < count; i++) {
    const struct entry *entry = &chooser->entries[set[i]];
    if (entry->first < hull.first) hull.first = entry->first;
    if (entry->last > hull.last) hull.last = entry->last;
    if (entry->commit_min < hull.commit_min) hull.commit_min = entry->commit_min;
    if (entry->commit_max > hull.commit_max) hull.commit_max = entry->commit_max;
  }
  for (uint32_t i = 0, member = 0; i < chooser->count; i++) {
    const struct entry *other = &chooser->entries[i];
    if (member < count && set[member] == i) {
      member++;
      continue;
    }
    if (!overlaps(other, hull.first, hull.last)) continue;
    if (other->commit_min <= hull.commit_max && other->commit_max >= hull.commit_min) return false;
    if (!touches_member(chooser, set, count, other)) return false;
  }
  return true;
}

static void propose(struct chooser *chooser, const uint32_t *set, uint32_t count, uint64_t bytes,
                    double gain) {
  if (gain < chooser->best_gain || (gain == chooser->best_gain && bytes >= chooser->best_bytes))
    return;
  if (!may_merge(chooser, set, count)) return;
  if (bytes > chooser->rules->room) {
    chooser->waits = true;
    return;
  }
  memcpy(chooser->best, set, count * sizeof *set);
  chooser->best_count = count;
  chooser->best_bytes = bytes;
  chooser->best_gain = gain;
}

/* ---- windows ---- */

static double share(const struct entry *entry, uint64_t first, uint64_t last) {
  double all = (double)(entry->last - entry->first) + 1, part = (double)(last - first) + 1;
  return (double)entry->bytes * (part / all);
}

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Bytes of the largest, partition by partition. */
static double largest_bytes(const struct chooser *chooser, const uint32_t *set, uint32_t count) {
  uint64_t edges[2 * MERGE_PARTS_MAX];
  uint32_t edge_count = 0;
  double sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct entry *entry = &chooser->entries[set[i]];
    edges[edge_count++] = entry->first;
    if (entry->last < UINT64_MAX) edges[edge_count++] = entry->last + 1;
  }
  qsort(edges, edge_count, sizeof *edges, by_number);
  for (uint32_t i = 0; i < edge_count; i++) {
    uint64_t first = edges[i], last = i + 1 < edge_count ? edges[i + 1] - 1 : UINT64_MAX;
    double most = 0;
    if (i + 1 < edge_count && edges[i + 1] == first) continue;
    for (uint32_t j = 0; j < count; j++) {
      const struct entry *entry = &chooser->entries[set[j]];
      if (entry->first > first || entry->last < last) continue;
      double bytes = share(entry, first, last);
      if (bytes > most) most = bytes;
    }
    sum += most;
  }
  return sum;
}

static void weigh(struct chooser *chooser, const uint32_t *set, uint32_t count,
                  uint32_t count_min) {
  uint64_t bytes = 0, largest = 0;
  if (count < count_min) return;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t own = chooser->entries[set[i]].bytes;
    bytes += own;
    if (own > largest) largest = own;
  }
  double gain = bytes <= chooser->rules->split_bytes
                    ? (double)bytes / (double)largest
                    : (double)bytes / largest_bytes(chooser, set, count);
  if (gain >= MERGE_RATIO) propose(chooser, set, count, bytes, gain);
}

/* The next group of parts of a window that hang together by partitions: those of `left` that can be
 * reached from its first. Moves them to `group`, ascending. */
static uint32_t take_group(const struct chooser *chooser, uint32_t *left, uint32_t *left_count,
                           uint32_t *group) {
  uint64_t first = chooser->entries[left[0]].first, last = chooser->entries[left[0]].last;
  uint32_t kept = *left_count, before;
  do { /* widens until nothing more is reached */
    before = kept;
    kept = 0;
    for (uint32_t i = 0; i < *left_count; i++) {
      const struct entry *entry = &chooser->entries[left[i]];
      if (!overlaps(entry, first, last)) continue;
      if (entry->first < first) first = entry->first;
      if (entry->last > last) last = entry->last;
      kept++;
    }
  } while (kept != before);
  uint32_t count = 0, rest = 0;
  for (uint32_t i = 0; i < *left_count; i++) {
    if (overlaps(&chooser->entries[left[i]], first, last))
      group[count++] = left[i];
    else
      left[rest++] = left[i];
  }
  *left_count = rest;
  return count;
}

static void weigh_window(struct chooser *chooser, const struct lane *lane, uint32_t from,
                         uint32_t count, uint32_t count_min) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; i++)
    bytes += chooser->entries[lane->at[from + i]].bytes;
  if (bytes <= chooser->rules->split_bytes) {
    weigh(chooser, lane->at + from, count, count_min);
    return;
  }
  if (lane->small) return;
  uint32_t left[MERGE_PARTS_MAX], group[MERGE_PARTS_MAX], left_count = count;
  memcpy(left, lane->at + from, count * sizeof *left);
  while (left_count)
    weigh(chooser, group, take_group(chooser, left, &left_count, group), count_min);
}

/* All windows with the middle in them. */
static void weigh_lane(struct chooser *chooser, const struct lane *lane) {
  uint32_t count_min = lane->count > MERGE_PARTS_MANY ? 2 : MERGE_PARTS_MIN;
  for (uint32_t from = 0; from <= lane->middle; from++)
    for (uint32_t end = lane->middle + 1; end <= lane->count; end++)
      if (end - from >= count_min && end - from <= MERGE_PARTS_MAX)
        weigh_window(chooser, lane, from, end - from, count_min);
}

/* ---- lanes ---- */

static void begin_lane(struct lane *lane, uint32_t *before, uint32_t before_count,
                       uint32_t middle) {
  lane->count = 0;
  for (uint32_t i = before_count; i-- > 0;)
    lane->at[lane->count++] = before[i];
  lane->middle = lane->count;
  lane->at[lane->count++] = middle;
}

/* Neighbours of `middle` in a span; *beyond: the span to try next, when a part that reaches out of
 * this one ended the row. */
static void fill_lane(const struct chooser *chooser, uint32_t middle, struct partition_span span,
                      struct lane *lane, struct partition_span *beyond) {
  uint32_t before[NEIGHBOURS], count = 0, added = 0;
  *beyond = span;
  for (uint32_t i = middle; i-- > 0 && count < NEIGHBOURS;) {
    const struct entry *entry = &chooser->entries[i];
    if (!overlaps(entry, span.first, span.last)) continue;
    if (entry->allowed && !inside(entry, span))
      *beyond = partition_home(entry->first < span.first ? entry->first : span.first,
                               entry->last > span.last ? entry->last : span.last);
    if (!entry->allowed || !inside(entry, span)) break;
    before[count++] = i;
  }
  begin_lane(lane, before, count, middle);
  for (uint32_t i = middle + 1; i < chooser->count && added < NEIGHBOURS; i++) {
    const struct entry *entry = &chooser->entries[i];
    if (!overlaps(entry, span.first, span.last)) continue;
    if (!entry->allowed || !inside(entry, span)) break;
    lane->at[lane->count++] = i;
    added++;
  }
}

/* Small neighbours of `middle`, whatever lies between. */
static void fill_small_lane(const struct chooser *chooser, uint32_t middle, struct lane *lane) {
  uint32_t before[NEIGHBOURS], count = 0, added = 0;
  uint64_t limit = chooser->rules->split_bytes;
  for (uint32_t i = middle; i-- > 0 && count < NEIGHBOURS;)
    if (chooser->entries[i].allowed && chooser->entries[i].bytes <= limit) before[count++] = i;
  begin_lane(lane, before, count, middle);
  for (uint32_t i = middle + 1; i < chooser->count && added < NEIGHBOURS; i++)
    if (chooser->entries[i].allowed && chooser->entries[i].bytes <= limit) {
      lane->at[lane->count++] = i;
      added++;
    }
}

static void look_around(struct chooser *chooser, uint32_t middle) {
  const struct entry *entry = &chooser->entries[middle];
  struct partition_span span = partition_home(entry->first, entry->last), beyond;
  struct lane lane = {0};
  for (uint32_t i = 0; i < LANES_MAX; i++) {
    fill_lane(chooser, middle, span, &lane, &beyond);
    weigh_lane(chooser, &lane);
    if (beyond.first == span.first && beyond.last == span.last) break;
    span = beyond;
  }
  if (!chooser->rules->partitions.width || entry->bytes > chooser->rules->split_bytes) return;
  fill_small_lane(chooser, middle, &lane);
  lane.small = true;
  weigh_lane(chooser, &lane);
}

/* ---- everything that can be merged ---- */

/* Whether parts hang together by partitions. `scratch` has room for twice `count`. */
static bool is_group(const struct chooser *chooser, const uint32_t *set, uint32_t count,
                     uint32_t *scratch) {
  uint32_t left_count = count;
  memcpy(scratch, set, count * sizeof *set);
  return take_group(chooser, scratch, &left_count, scratch + count) == count;
}

static uint64_t bytes_of(const struct chooser *chooser, const uint32_t *set, uint32_t count) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; i++)
    bytes += chooser->entries[set[i]].bytes;
  return bytes;
}

/* Whether no more than FULL_ROW_MAX of the parts lie over one partition. What they become is cut,
 * and each cell is made of those that lie over it alone. */
static bool is_shallow(const struct chooser *chooser, const uint32_t *set, uint32_t count) {
  if (count <= FULL_ROW_MAX) return true;
  if (bytes_of(chooser, set, count) <= chooser->rules->split_bytes) return false; /* not cut */
  for (uint32_t i = 0; i < count; i++) {
    uint64_t first = chooser->entries[set[i]].first;
    uint32_t over = 0;
    for (uint32_t j = 0; j < count; j++)
      over += overlaps(&chooser->entries[set[j]], first, first);
    if (over > FULL_ROW_MAX) return false;
  }
  return true;
}

/* All of a group: late rows over many partitions, and the parts of those. False where something
 * comes between, or too many lie above each other. */
static bool propose_group(struct chooser *chooser, const uint32_t *group, uint32_t count) {
  if (count < 2 || !is_shallow(chooser, group, count) || !may_merge(chooser, group, count))
    return false;
  propose(chooser, group, count, bytes_of(chooser, group, count), count);
  return true;
}

/* The longest rows of a group that nothing comes between. */
static void propose_rows(struct chooser *chooser, const uint32_t *group, uint32_t count,
                         uint32_t *scratch) {
  for (uint32_t from = 0; from + 1 < count;) {
    uint32_t end = count - from > FULL_ROW_MAX ? from + FULL_ROW_MAX : count;
    while (end > from + 1 && !(may_merge(chooser, group + from, end - from) &&
                               is_group(chooser, group + from, end - from, scratch)))
      end--;
    uint64_t bytes = bytes_of(chooser, group + from, end - from);
    if (end - from >= 2) propose(chooser, group + from, end - from, bytes, end - from);
    from = end;
  }
}

static void choose_full(struct chooser *chooser, uint32_t *left, uint32_t *group,
                        uint32_t *scratch) {
  uint32_t left_count = 0;
  for (uint32_t i = 0; i < chooser->count; i++)
    if (chooser->entries[i].allowed) left[left_count++] = i;
  while (left_count) {
    uint32_t count = take_group(chooser, left, &left_count, group);
    if (!propose_group(chooser, group, count)) propose_rows(chooser, group, count, scratch);
  }
  if (chooser->best_count) return;
  for (uint32_t i = 0; i < chooser->count; i++)
    if (chooser->entries[i].allowed && chooser->entries[i].bytes <= chooser->rules->split_bytes)
      left[left_count++] = i;
  for (uint32_t from = 0; from < left_count;) {
    uint64_t bytes = chooser->entries[left[from]].bytes;
    uint32_t end = from + 1;
    while (end < left_count &&
           bytes + chooser->entries[left[end]].bytes <= chooser->rules->split_bytes &&
           may_merge(chooser, left + from, end + 1 - from))
      bytes += chooser->entries[left[end++]].bytes;
    if (end - from >= 2) propose(chooser, left + from, end - from, bytes, end - from);
    from = end;
  }
}

/* ---- the whole of it ---- */

static void fill_entries(const struct store_version *version, const struct merge_rules *rules,
                         struct entry *entries, uint64_t *settled) {
  uint64_t newest = 0;
  *settled = 0;
  for (uint32_t i = 0; i < version->disk_count; i++) {
    struct store_part_facts facts;
    struct key_range keys = {0, 0};
    store_part_facts(version->parts[i], &facts);
    (void)part_extent(version->parts[i], &keys);
    entries[i] = (struct entry){
        .part = version->parts[i],
        .first = partition_of(&rules->partitions, keys.min),
        .last = partition_of(&rules->partitions, keys.max),
        .commit_min = facts.commit_min,
        .commit_max = facts.commit_max,
        .bytes = facts.bytes + 1,
        .allowed = facts.bytes < rules->bytes_max && facts.commit_min > version->live->gap,
        .fresh = facts.id >> 20 > rules->settled,
    };
    if (facts.commit_max > newest) newest = facts.commit_max;
    if (facts.id >> 20 > *settled) *settled = facts.id >> 20;
  }
  for (uint32_t i = 0; i < version->disk_count && !rules->full; i++) {
    struct store_part_facts facts;
    if (entries[i].commit_max < newest) continue;
    entries[i].allowed = false;
    store_part_facts(entries[i].part, &facts);
    if (facts.id >> 20 <= *settled) *settled = (facts.id >> 20) - 1;
  }
}

int merge_choose(const struct store_version *version, const struct merge_rules *rules,
                 struct merge_choice *choice, struct err *err) {
  uint32_t count = version->disk_count;
  size_t size = (count + MERGE_PARTS_MAX) * (sizeof(struct entry) + 5 * sizeof(uint32_t));
  if (count < 2) return ERR_OK;
  struct entry *entries = mem_alloc(rules->account, size);
  if (!entries) return mem_refused(rules->account, size, err);
  uint32_t *numbers = (uint32_t *)(entries + count + MERGE_PARTS_MAX);
  struct chooser chooser = {.rules = rules, .entries = entries, .count = count, .best = numbers};
  fill_entries(version, rules, entries, &choice->settled);
  if (rules->full) choose_full(&chooser, numbers + count, numbers + 2 * count, numbers + 3 * count);
  for (uint32_t i = 0; i < count && !rules->full; i++)
    if (entries[i].fresh && entries[i].allowed) look_around(&chooser, i);
  for (uint32_t i = 0; i < chooser.best_count; i++)
    buffer_append(&choice->parts, &entries[chooser.best[i]].part, sizeof entries->part);
  choice->bytes = chooser.best_bytes;
  if (chooser.waits) choice->settled = rules->settled;
  int code = buffer_check(&choice->parts, err);
  if (code == ERR_OK && chooser.best_count)
    choice->oldest = !version->live->gap &&
                     !merge_has_older(version, (struct store_part *const *)choice->parts.data,
                                      chooser.best_count);
  mem_free(rules->account, entries, size);
  return code;
}

void merge_choice_init(struct merge_choice *choice, struct mem_account *account) {
  *choice = (struct merge_choice){0};
  buffer_init(&choice->parts, account);
}

void merge_choice_deinit(struct merge_choice *choice) { buffer_deinit(&choice->parts); }

bool merge_has_older(const struct store_version *version, struct store_part *const *parts,
                     uint32_t count) {
  struct key_range keys = {INT64_MAX, INT64_MIN}, extent;
  uint64_t commit_min = UINT64_MAX;
  struct store_part_facts facts;
  for (uint32_t i = 0; i < count; i++) {
    store_part_facts(parts[i], &facts);
    if (facts.commit_min < commit_min) commit_min = facts.commit_min;
    if (part_extent(parts[i], &extent)) keys = key_range_hull(keys, extent);
  }
  for (uint32_t i = 0; i < version->disk_count; i++) {
    store_part_facts(version->parts[i], &facts);
    if (facts.commit_min >= commit_min) continue;
    bool member = false;
    for (uint32_t j = 0; j < count && !member; j++)
      member = parts[j] == version->parts[i];
    if (!member && part_extent(version->parts[i], &extent) && key_range_overlaps(extent, keys))
      return true;
  }
  return false;
}
