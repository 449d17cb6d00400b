/* The history and the model: what the store must hold after each commit, computed the slow way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ---- dice ---- */

uint64_t sim_draw(uint64_t *dice) {
  uint64_t z = *dice += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t sim_draw_below(uint64_t *dice, uint64_t bound) { return sim_draw(dice) % bound; }

bool sim_draw_once_in(uint64_t *dice, uint64_t times) { return sim_draw_below(dice, times) == 0; }

static void *grow(void *list, size_t count, size_t *capacity, size_t element) {
  if (count < *capacity) return list;
  size_t wanted = *capacity ? *capacity * 2 : 16;
  list = realloc(list, wanted * element);
  if (!list) abort();
  memset((char *)list + *capacity * element, 0, (wanted - *capacity) * element);
  *capacity = wanted;
  return list;
}

/* ---- rows ---- */

void sim_rows_add(struct sim_rows *rows, const struct sim_row *row) {
  rows->rows = grow(rows->rows, rows->count, &rows->capacity, sizeof *row);
  rows->rows[rows->count++] = *row;
}

void sim_rows_deinit(struct sim_rows *rows) {
  free(rows->rows);
  *rows = (struct sim_rows){0};
}

static bool same_place(const struct sim_row *a, const struct sim_row *b) {
  return a->series == b->series && a->key == b->key;
}

static int compare_rows(const void *a, const void *b) {
  const struct sim_row *x = a, *y = b;
  if (x->series != y->series) return x->series < y->series ? -1 : 1;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  if (x->commit != y->commit) return x->commit < y->commit ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

void sim_rows_sort(struct sim_rows *rows) {
  if (rows->count) qsort(rows->rows, rows->count, sizeof *rows->rows, compare_rows);
}

static bool same_values(const struct sim_row *a, const struct sim_row *b) {
  if (a->present != b->present) return false;
  for (int c = 0; c < SIM_COLUMNS; c++)
    if (a->present >> c & 1 && a->value[c] != b->value[c]) return false;
  return true;
}

static void drop_marks(struct sim_rows *rows) {
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++)
    if (!rows->rows[i].mark) rows->rows[kept++] = rows->rows[i];
  rows->count = kept;
}

/* Sorted rows of one store, as its policy shows them. */
static void fold(struct sim_rows *rows, enum store_policy policy) {
  bool newest_wins = policy == STORE_NEWEST_COLUMN || policy == STORE_NEWEST_ROW;
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++) {
    struct sim_row row = rows->rows[i];
    bool twin = false;
    if (policy == STORE_DROP_TWINS)
      for (size_t j = kept; j-- > 0 && !twin && same_place(&rows->rows[j], &row);)
        twin = same_values(&rows->rows[j], &row);
    if (twin) continue;
    bool again = kept && same_place(&rows->rows[kept - 1], &row);
    bool anew = policy == STORE_NEWEST_ROW || row.mark || (again && rows->rows[kept - 1].mark);
    if (again && newest_wins && anew) {
      rows->rows[kept - 1] = row;
    } else if (again && policy == STORE_NEWEST_COLUMN) {
      struct sim_row *into = &rows->rows[kept - 1];
      for (int c = 0; c < SIM_COLUMNS; c++)
        if (row.present >> c & 1) into->value[c] = row.value[c];
      into->present |= row.present;
    } else {
      rows->rows[kept++] = row;
    }
  }
  rows->count = kept;
  drop_marks(rows);
}

static bool is_wanted(const struct sim_row *row, const struct sim_question *question) {
  return row->series >= question->series_min && row->series <= question->series_max &&
         row->key >= question->key_min && row->key <= question->key_max;
}

/* Keeps the first or the last rows of each series. */
static void keep_ends(struct sim_rows *rows, uint32_t head, uint32_t tail) {
  size_t kept = 0;
  for (size_t i = 0; i < rows->count;) {
    size_t end = i;
    while (end < rows->count && rows->rows[end].series == rows->rows[i].series)
      end++;
    size_t first = i, last = end;
    if (head && last - first > head) last = first + head;
    if (tail && last - first > tail) first = last - tail;
    memmove(&rows->rows[kept], &rows->rows[first], (last - first) * sizeof *rows->rows);
    kept += last - first;
    i = end;
  }
  rows->count = kept;
}

void sim_rows_filter(struct sim_rows *rows, const struct sim_question *question) {
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++) {
    if (!is_wanted(&rows->rows[i], question)) continue;
    rows->rows[kept] = rows->rows[i];
    rows->rows[kept++].present &= question->columns;
  }
  rows->count = kept;
  if (question->head || question->tail) keep_ends(rows, question->head, question->tail);
}

size_t sim_rows_difference(const struct sim_rows *a, const struct sim_rows *b) {
  size_t count = a->count < b->count ? a->count : b->count;
  for (size_t i = 0; i < count; i++)
    if (!same_place(&a->rows[i], &b->rows[i]) || !same_values(&a->rows[i], &b->rows[i])) return i;
  return a->count == b->count ? SIZE_MAX : count;
}

const char *sim_row_text(const struct sim_row *row, char out[160]) {
  int used = snprintf(out, 160, "series %llu key %lld:", (unsigned long long)row->series,
                      (long long)row->key);
  for (int c = 0; c < SIM_COLUMNS; c++)
    used += row->present >> c & 1
                ? snprintf(out + used, 160 - (size_t)used, " %u", (unsigned)row->value[c])
                : snprintf(out + used, 160 - (size_t)used, " -");
  if (row->commit)
    snprintf(out + used, 160 - (size_t)used, " (commit %llu)", (unsigned long long)row->commit);
  return out;
}

/* ---- history ---- */

struct sim_attempt *sim_history_attempt(struct sim_history *history) {
  struct sim_attempt *attempt = calloc(1, sizeof *attempt);
  if (!attempt) abort();
  history->attempts =
      grow(history->attempts, history->count, &history->capacity, sizeof *history->attempts);
  history->attempts[history->count++] = attempt;
  attempt->id = history->count;
  return attempt;
}

struct sim_change *sim_attempt_change(struct sim_attempt *attempt, uint64_t store) {
  for (size_t i = 0; i < attempt->change_count; i++)
    if (attempt->changes[i].store == store) return &attempt->changes[i];
  if (!attempt->changes) attempt->changes = calloc(SIM_STORES_MAX + 1, sizeof *attempt->changes);
  if (!attempt->changes) abort();
  struct sim_change *change = &attempt->changes[attempt->change_count++];
  change->store = store;
  return change;
}

struct sim_attempt *sim_history_at(const struct sim_history *history, uint64_t number) {
  return number < history->numbered_capacity ? history->numbered[number] : NULL;
}

bool sim_history_number(struct sim_history *history, struct sim_attempt *attempt, uint64_t number) {
  while (history->numbered_capacity <= number)
    history->numbered = grow(history->numbered, history->numbered_capacity,
                             &history->numbered_capacity, sizeof *history->numbered);
  if (history->numbered[number]) return false;
  history->numbered[number] = attempt;
  attempt->number = number;
  attempt->fate = FATE_ACKNOWLEDGED;
  return true;
}

void sim_history_cut(struct sim_history *history, uint64_t last) {
  for (size_t i = (size_t)last + 1; i < history->numbered_capacity; i++) {
    history->numbered[i] = NULL;
  }
}

bool sim_history_knows(const struct sim_history *history, uint64_t commit) {
  for (uint64_t number = 1; number <= commit; number++)
    if (!sim_history_at(history, number)) return false;
  return true;
}

static const struct sim_change *change_of(const struct sim_attempt *attempt, uint64_t store) {
  for (size_t i = 0; attempt && i < attempt->change_count; i++)
    if (attempt->changes[i].store == store) return &attempt->changes[i];
  return NULL;
}

static bool is_deleted(const struct sim_row *row, const struct sim_change *change) {
  for (size_t i = 0; i < change->delete_count; i++) {
    const struct sim_delete *mark = &change->deletes[i];
    if (row->key < mark->key_min || row->key > mark->key_max) continue;
    if (mark->series_count == 0) return true;
    for (size_t k = 0; k < mark->series_count; k++)
      if (mark->series[k] == row->series) return true;
  }
  return false;
}

static void drop_deleted(struct sim_rows *rows, const struct sim_change *change) {
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++)
    if (!is_deleted(&rows->rows[i], change)) rows->rows[kept++] = rows->rows[i];
  rows->count = kept;
}

bool sim_history_dropped(const struct sim_history *history, uint64_t store, uint64_t commit) {
  for (uint64_t number = 1; number <= commit; number++) {
    const struct sim_change *change = change_of(sim_history_at(history, number), store);
    if (change && change->drop) return true;
  }
  return false;
}

void sim_history_rows(const struct sim_history *history, uint64_t store, enum store_policy policy,
                      uint64_t commit, struct sim_rows *out) {
  *out = (struct sim_rows){0};
  for (uint64_t number = 1; number <= commit; number++) {
    const struct sim_change *change = change_of(sim_history_at(history, number), store);
    if (!change) continue;
    if (change->drop) {
      out->count = 0;
      break; /* what is written to it afterwards vanishes */
    }
    if (change->delete_count) drop_deleted(out, change);
    for (size_t i = 0; i < change->rows.count; i++) {
      struct sim_row row = change->rows.rows[i];
      row.commit = number;
      row.order = (uint32_t)i;
      sim_rows_add(out, &row);
    }
  }
  sim_rows_sort(out);
  fold(out, policy);
}

bool sim_history_wrote(const struct sim_history *history, uint64_t store,
                       const struct sim_row *row) {
  uint8_t missing = row->present;
  bool placed = false;
  for (size_t a = 0; a < history->count; a++) {
    const struct sim_change *change = change_of(history->attempts[a], store);
    for (size_t i = 0; change && i < change->rows.count; i++) {
      const struct sim_row *written = &change->rows.rows[i];
      if (!same_place(written, row) || written->mark) continue;
      placed = true;
      for (int c = 0; c < SIM_COLUMNS; c++)
        if (written->present >> c & 1 && written->value[c] == row->value[c])
          missing &= (uint8_t) ~(1u << c);
    }
  }
  return placed && missing == 0;
}

void sim_history_deinit(struct sim_history *history) {
  for (size_t i = 0; i < history->count; i++) {
    struct sim_attempt *attempt = history->attempts[i];
    for (size_t k = 0; k < attempt->change_count; k++)
      sim_rows_deinit(&attempt->changes[k].rows);
    free(attempt->changes);
    free(attempt);
  }
  free(history->attempts);
  free(history->numbered);
  *history = (struct sim_history){0};
}
