/* Sorting rows by words inside one thread and, mostly, inside its cache.
 *
 * Radix passes of eight bits, least significant first, but only over as many of the highest bits
 * that differ as tell nearly all of so many rows apart; the few that are left equal there are
 * sorted among themselves. Rows with equal words go on to the next word of their keys. Keys that
 * agree in very many bytes are merged by comparing them whole, so that depth is bounded. */
#include <string.h>

#include "exec/sort_order.h"

enum {
  DIGIT_BITS = 8,
  DIGITS = 1 << DIGIT_BITS,
  PASSES_MAX = 4,
  SMALL = 24,      /* rows: sorted by insertion */
  DEPTH_MAX = 512, /* bytes */
};

int exec__sort_source_compare(const struct sort_source *source, uint64_t a, uint64_t b) {
  return exec__sort_keys_compare(
      &source->chunks[a / ROW_BUFFER_CHUNK], (int64_t)(a % ROW_BUFFER_CHUNK),
      &source->chunks[b / ROW_BUFFER_CHUNK], (int64_t)(b % ROW_BUFFER_CHUNK));
}

/* ---- by words ---- */

static void insert_words(struct sort_row *rows, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct sort_row row = rows[i];
    size_t at = i;
    for (; at > 0 && rows[at - 1].key > row.key; at--)
      rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

/* One stable pass by a digit of the words. */
static void pass(const struct sort_row *from, struct sort_row *to, size_t count, unsigned shift) {
  size_t starts[DIGITS] = {0}, total = 0;
  for (size_t i = 0; i < count; i++)
    starts[from[i].key >> shift & (DIGITS - 1)]++;
  for (int digit = 0; digit < DIGITS; digit++) {
    size_t size = starts[digit];
    starts[digit] = total;
    total += size;
  }
  for (size_t i = 0; i < count; i++)
    to[starts[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

/* Passes that tell most of `count` rows apart. */
static unsigned passes_for(size_t count) {
  unsigned bits = 6 + 64 - (unsigned)__builtin_clzll(count);
  unsigned passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
  return passes < PASSES_MAX ? passes : PASSES_MAX;
}

static void sort_words(struct sort_row *rows, struct sort_row *spare, size_t count);

/* Rows in order by their words' bits from `low` on: orders those that are equal there. */
static void sort_rests(struct sort_row *rows, struct sort_row *spare, size_t count, unsigned low) {
  for (size_t i = 0, end; i < count; i = end) {
    uint64_t high = rows[i].key >> low;
    for (end = i + 1; end < count && rows[end].key >> low == high;)
      end++;
    if (end - i > 1) sort_words(rows + i, spare + i, end - i);
  }
}

static void sort_words(struct sort_row *rows, struct sort_row *spare, size_t count) {
  if (count <= SMALL) {
    insert_words(rows, count);
    return;
  }
  uint64_t all = ~UINT64_C(0), any = 0, previous = 0;
  bool sorted = true;
  for (size_t i = 0; i < count; i++) {
    all &= rows[i].key;
    any |= rows[i].key;
    sorted &= rows[i].key >= previous;
    previous = rows[i].key;
  }
  if (sorted) return;
  uint64_t differ = all ^ any;
  unsigned bits = 64 - (unsigned)__builtin_clzll(differ);
  unsigned window = passes_for(count) * DIGIT_BITS;
  unsigned low = bits > window ? bits - window : 0;
  struct sort_row *from = rows, *to = spare;
  for (unsigned shift = low; shift < bits; shift += DIGIT_BITS) {
    if ((differ >> shift & (DIGITS - 1)) == 0) continue;
    pass(from, to, count, shift);
    struct sort_row *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows) memcpy(rows, from, count * sizeof *rows);
  if (low && differ << (64 - low)) sort_rests(rows, spare, count, low);
}

/* ---- by whole keys ---- */

static void insert_keys(const struct sort_source *source, struct sort_row *rows, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct sort_row row = rows[i];
    size_t at = i;
    for (; at > 0 && exec__sort_source_compare(source, rows[at - 1].row, row.row) > 0; at--)
      rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

static void merge_runs(const struct sort_source *source, const struct sort_row *from,
                       struct sort_row *to, size_t middle, size_t count) {
  size_t a = 0, b = middle;
  for (size_t i = 0; i < count; i++) {
    bool right = a == middle ||
                 (b < count && exec__sort_source_compare(source, from[b].row, from[a].row) < 0);
    to[i] = from[right ? b++ : a++];
  }
}

static void merge_keys(const struct sort_source *source, struct sort_row *rows,
                       struct sort_row *spare, size_t count) {
  struct sort_row *from = rows, *to = spare;
  for (size_t at = 0; at < count; at += SMALL)
    insert_keys(source, rows + at, count - at < SMALL ? count - at : SMALL);
  for (size_t run = SMALL; run < count; run *= 2) {
    for (size_t at = 0; at < count; at += 2 * run) {
      size_t left = count - at;
      merge_runs(source, from + at, to + at, left < run ? left : run,
                 left < 2 * run ? left : 2 * run);
    }
    struct sort_row *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows) memcpy(rows, from, count * sizeof *rows);
}

/* ---- word after word ---- */

void exec__sort_deeper(const struct sort_source *source, struct sort_row *rows,
                       struct sort_row *spare, size_t count, uint64_t depth) {
  if (count < 2) return;
  /* No key is the beginning of another: where the first one ends, all of them do. */
  for (uint64_t size = exec__sort_source_size(source, rows[0].row); depth < size; depth += 8) {
    if (count <= SMALL || depth > DEPTH_MAX) {
      merge_keys(source, rows, spare, count);
      return;
    }
    uint64_t differ = 0;
    for (size_t i = 0; i < count; i++) {
      rows[i].key = exec__sort_source_word(source, rows[i].row, depth);
      differ |= rows[i].key ^ rows[0].key;
    }
    if (differ) {
      exec__sort_local(source, rows, spare, count, depth);
      return;
    }
  }
}

void exec__sort_local(const struct sort_source *source, struct sort_row *rows,
                      struct sort_row *spare, size_t count, uint64_t depth) {
  sort_words(rows, spare, count);
  if (!source) return;
  for (size_t i = 0, end; i < count; i = end) {
    uint64_t word = rows[i].key;
    for (end = i + 1; end < count && rows[end].key == word;)
      end++;
    if (end - i > 1) exec__sort_deeper(source, rows + i, spare + i, end - i, depth + 8);
  }
}
