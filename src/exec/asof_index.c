/* Right rows of an as-of join by key, and by time within a key: the hash table of joins, whose runs
 * are put in the order of time, and the times beside them, so that a search touches nothing else.
 * A search begins where the last one for the key ended. */
#include <string.h>

#include "base/err.h"
#include "exec/asof.h"

enum { ENTRIES_PER_TASK = 1 << 16 };
/* Set in the row number of an entry without a time: such stand behind the others of their key. */
#define NO_TIME (UINT64_C(1) << 63)

struct ordering {
  struct asof_index *index;
  const struct join_core *core;
  uint32_t task_count;
  uint32_t *bounds; /* of the tasks; found before any of them runs, which change the entries */
};

static const struct column *build_columns(const struct join_core *core, uint64_t row) {
  return core->chunks[row / ROW_BUFFER_CHUNK].columns;
}

static bool same_key(const struct join_core *core, uint64_t a, uint64_t b) {
  const struct join_shape *shape = &core->shape;
  a &= ~NO_TIME;
  b &= ~NO_TIME;
  return join__equal(shape->build_keys, build_columns(core, a), (int64_t)(a % ROW_BUFFER_CHUNK),
                     shape->build_keys, build_columns(core, b), (int64_t)(b % ROW_BUFFER_CHUNK),
                     shape->key_count, JOIN_NULLS_NULLS);
}

/* Puts the rows with the key of the first one in front, the others behind them, in their order; how
 * many there are. */
static size_t gather_key(const struct join_core *core, struct sort_row *entries,
                         struct sort_row *spare, size_t count) {
  size_t same = 1, others = 0;
  for (size_t i = 1; i < count; i++) {
    if (same_key(core, entries[0].row, entries[i].row))
      entries[same++] = entries[i];
    else
      spare[others++] = entries[i];
  }
  memcpy(entries + same, spare, others * sizeof *entries);
  return same;
}

/* Rows of one key by time, those without one behind the others. */
static void order_key(const struct ordering *self, size_t at, size_t count,
                      struct sort_row *spare) {
  const struct join_core *core = self->core;
  struct sort_row *entries = self->index->table.entries + at;
  int64_t *times = self->index->times + at;
  uint32_t column = core->shape.join->right_time;
  uint64_t hash = entries[0].key;
  size_t timed = 0, others = 0;
  bool ordered = true;
  for (size_t i = 0; i < count; i++) {
    struct sort_row entry = entries[i];
    int64_t row = (int64_t)(entry.row % ROW_BUFFER_CHUNK);
    const struct column *time = &build_columns(core, entry.row)[column];
    if (!column_is_valid(time, row)) {
      spare[others++] = (struct sort_row){hash, entry.row | NO_TIME};
      continue;
    }
    entry.key = sort_key_i64(time->i64[row]);
    ordered &= timed == 0 || entries[timed - 1].key <= entry.key;
    entries[timed++] = entry;
  }
  memcpy(entries + timed, spare, others * sizeof *entries);
  if (!ordered) sort_rows(entries, spare, timed);
  for (size_t i = 0; i < count; i++) {
    times[i] = i < timed ? sort_key_to_i64(entries[i].key) : INT64_MAX;
    entries[i].key = hash;
  }
}

/* The first entry of a run at or behind `at`. */
static uint32_t run_start(const struct join_table *table, uint32_t at) {
  while (at > 0 && at < table->count && table->entries[at].key == table->entries[at - 1].key)
    at++;
  return at;
}

static int order_task(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  const struct ordering *self = context;
  struct exec *exec = self->core->exec;
  const struct join_table *table = &self->index->table;
  (void)figures;
  uint32_t at = self->bounds[i], to = self->bounds[i + 1];
  struct sort_row *spare = NULL;
  size_t capacity = 0;
  int code = ERR_OK;
  while (at < to && !code) {
    uint32_t end = at + 1;
    while (end < to && table->entries[end].key == table->entries[at].key)
      end++;
    if (end - at > capacity) {
      mem_free(exec->options.account, spare, capacity * sizeof *spare);
      capacity = 2 * (size_t)(end - at);
      spare = mem_alloc(exec->options.account, capacity * sizeof *spare);
      if (!spare) return exec__refused(exec, capacity * sizeof *spare, err);
    }
    while (at < end) {
      size_t same = end - at;
      if (!self->core->shape.exact && same > 1) {
        same = gather_key(self->core, table->entries + at, spare, same);
        if (same < end - at) atomic_store(&self->index->collided, true);
      }
      order_key(self, at, same, spare);
      at += (uint32_t)same;
    }
    code = exec__check(exec, err);
  }
  mem_free(exec->options.account, spare, capacity * sizeof *spare);
  return code;
}

int asof__index_build(struct asof_index *index, struct join_core *core,
                      const struct row_buffer *build, struct err *err) {
  struct exec *exec = core->exec;
  asof__index_deinit(index);
  int code = join__table_build(&index->table, exec, &core->shape, build, core->chunks, err);
  if (code) return code;
  index->time_count = index->table.capacity;
  index->times = mem_alloc(exec->options.account, index->time_count * sizeof *index->times);
  index->hints = mem_alloc_zero(exec->options.account, index->time_count * sizeof *index->hints);
  if (!index->times || !index->hints)
    return exec__refused(exec, index->time_count * sizeof *index->times, err);
  struct ordering ordering = {.index = index, .core = core};
  uint32_t tasks = ordering.task_count = index->table.count / ENTRIES_PER_TASK + 1;
  ordering.bounds = mem_alloc(exec->options.account, (tasks + 1) * sizeof *ordering.bounds);
  if (!ordering.bounds) return exec__refused(exec, (tasks + 1) * sizeof *ordering.bounds, err);
  for (uint32_t i = 0; i <= tasks; i++)
    ordering.bounds[i] =
        run_start(&index->table, (uint32_t)((uint64_t)index->table.count * i / tasks));
  code = exec__parallel(exec, tasks, order_task, &ordering, err);
  mem_free(exec->options.account, ordering.bounds, (tasks + 1) * sizeof *ordering.bounds);
  return code;
}

void asof__index_deinit(struct asof_index *index) {
  struct mem_account *account = index->table.exec ? index->table.exec->options.account : NULL;
  if (index->times) mem_free(account, index->times, index->time_count * sizeof *index->times);
  if (index->hints) mem_free(account, index->hints, index->time_count * sizeof *index->hints);
  join__table_deinit(&index->table);
  *index = (struct asof_index){0};
}

/* ---- lookup ---- */

static bool equal_to(const struct join_core *core, const struct join_probe *probe, int64_t row,
                     uint64_t build_row) {
  const struct join_shape *shape = &core->shape;
  build_row &= ~NO_TIME;
  return join__equal(shape->probe_keys, probe->columns, row, shape->build_keys,
                     build_columns(core, build_row), (int64_t)(build_row % ROW_BUFFER_CHUNK),
                     shape->key_count, shape->nulls);
}

/* Narrows a run of equal hashes to the rows with the key of the probe row. */
static void narrow(const struct asof_index *index, const struct join_core *core,
                   const struct join_probe *probe, int64_t row, uint32_t *begin, uint32_t *end) {
  const struct sort_row *entries = index->table.entries;
  while (*begin < *end && !equal_to(core, probe, row, entries[*begin].row)) {
    uint32_t at = *begin + 1;
    if (!index->collided) at = *end;
    while (at < *end && same_key(core, entries[*begin].row, entries[at].row))
      at++;
    *begin = at;
  }
  if (!index->collided || *begin == *end) return;
  uint32_t low = *begin + 1, high = *end;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (equal_to(core, probe, row, entries[middle].row))
      low = middle + 1;
    else
      high = middle;
  }
  *end = low;
}

static inline bool is_below(int64_t a, int64_t time, bool with_equal) {
  return with_equal ? a <= time : a < time;
}

/* The end of the rows that have a time. */
static uint32_t end_of_times(const struct sort_row *entries, uint32_t begin, uint32_t end) {
  if (begin == end || !(entries[end - 1].row & NO_TIME)) return end;
  while (begin < end) {
    uint32_t middle = begin + (end - begin) / 2;
    if (entries[middle].row & NO_TIME)
      end = middle;
    else
      begin = middle + 1;
  }
  return end;
}

/* The place behind those of times[begin, end) that are below `time` (with_equal: or equal). Looks
 * at `hint`, such a place of another time, first, and then a few steps on. */
static uint32_t place_of(const int64_t *times, uint32_t begin, uint32_t end, int64_t time,
                         bool with_equal, uint32_t hint) {
  uint32_t low = begin, high = end;
  if (hint >= begin && hint <= end &&
      (hint == begin || is_below(times[hint - 1], time, with_equal))) {
    low = hint;
    for (uint32_t step = 1; low < high; step *= 2) {
      uint32_t next = high - low > step ? low + step - 1 : high - 1;
      if (!is_below(times[next], time, with_equal)) {
        high = next;
        break;
      }
      low = next + 1;
    }
  }
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (is_below(times[middle], time, with_equal))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool asof__reaches(const struct plan_joining *join, int64_t left, int64_t right,
                   uint64_t *distance) {
  if (left == right && join->asof_strict) return false;
  if (join->asof == ASOF_BACKWARD && right > left) return false;
  if (join->asof == ASOF_FORWARD && right < left) return false;
  *distance = left > right ? (uint64_t)left - (uint64_t)right : (uint64_t)right - (uint64_t)left;
  return join->asof_tolerance < 0 || *distance <= (uint64_t)join->asof_tolerance;
}

/* The entry that is the partner; false: none. */
static bool find_time(const struct asof_index *index, const struct plan_joining *join,
                      uint32_t begin, uint32_t end, int64_t time, uint32_t *hint,
                      uint32_t *partner) {
  const int64_t *times = index->times;
  uint64_t before = 0, behind = 0;
  bool backward = false, forward = false;
  uint32_t low = place_of(times, begin, end, time, !join->asof_strict, *hint);
  *hint = low;
  uint32_t up = low;
  if (join->asof != ASOF_FORWARD && low > begin)
    backward = asof__reaches(join, time, times[low - 1], &before);
  if (join->asof != ASOF_BACKWARD) {
    if (join->asof_strict)
      up = place_of(times, low, end, time, true, low);
    else if (low > begin && times[low - 1] == time)
      up = low - 1; /* the last of those at this very time */
    forward = up < end && asof__reaches(join, time, times[up], &behind);
  }
  if (!backward && !forward) return false;
  if (backward && (!forward || before <= behind)) {
    *partner = low - 1;
    return true;
  }
  *partner = place_of(times, up, end, times[up], true, up) - 1;
  return true;
}

void asof__index_find(const struct asof_index *index, const struct join_core *core,
                      struct join_probe *probe) {
  const struct plan_joining *join = core->shape.join;
  const struct column *time = &probe->columns[join->left_time];
  join__table_find(&index->table, &core->shape, probe->columns, probe->length, probe->first,
                   probe->count);
  for (int64_t row = 0; row < probe->length; row++) {
    uint32_t begin = probe->first[row], end = begin + probe->count[row], partner;
    probe->count[row] = 0;
    if (begin == end || !column_is_valid(time, row)) continue;
    if (!core->shape.exact) narrow(index, core, probe, row, &begin, &end);
    end = end_of_times(index->table.entries, begin, end);
    if (begin == end) continue;
    uint32_t hint = atomic_load_explicit(&index->hints[begin], memory_order_relaxed), before = hint;
    bool found = find_time(index, join, begin, end, time->i64[row], &hint, &partner);
    if (hint != before) atomic_store_explicit(&index->hints[begin], hint, memory_order_relaxed);
    if (!found) continue;
    probe->first[row] = partner;
    probe->count[row] = 1;
  }
}
