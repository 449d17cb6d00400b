/* Radix sort, least significant byte first, and quickselect (Hoare, "Algorithm 65: find", 1961,
 * with introspection after Musser, "Introspective sorting and selection algorithms", 1997). */
#include "kernel/sort.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

uint64_t sort_key_f64(double value) {
  if (isnan(value)) return UINT64_MAX;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

double sort_key_to_f64(uint64_t key) {
  if (key == UINT64_MAX) return NAN;
  uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

enum { DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, SMALL = 48, ROUNDS_MAX = 128 };

static void insert_rows(struct sort_row *rows, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct sort_row row = rows[i];
    size_t at = i;
    for (; at > 0 && rows[at - 1].key > row.key; at--)
      rows[at] = rows[at - 1];
    rows[at] = row;
  }
}

void sort_rows(struct sort_row *rows, struct sort_row *spare, size_t count) {
  if (count < SMALL) {
    insert_rows(rows, count);
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
  struct sort_row *from = rows, *to = spare;
  for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
    if ((differ >> shift & (DIGITS - 1)) == 0) continue;
    size_t starts[DIGITS] = {0};
    for (size_t i = 0; i < count; i++)
      starts[from[i].key >> shift & (DIGITS - 1)]++;
    size_t total = 0;
    for (int digit = 0; digit < DIGITS; digit++) {
      size_t size = starts[digit];
      starts[digit] = total;
      total += size;
    }
    for (size_t i = 0; i < count; i++)
      to[starts[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
    struct sort_row *swap = from;
    from = to;
    to = swap;
  }
  if (from != rows) memcpy(rows, from, count * sizeof *rows);
}

static void insert_keys(uint64_t *keys, size_t count) {
  for (size_t i = 1; i < count; i++) {
    uint64_t key = keys[i];
    size_t at = i;
    for (; at > 0 && keys[at - 1] > key; at--)
      keys[at] = keys[at - 1];
    keys[at] = key;
  }
}

void sort_keys(uint64_t *keys, uint64_t *spare, size_t count) {
  if (count < SMALL) {
    insert_keys(keys, count);
    return;
  }
  uint64_t all = ~UINT64_C(0), any = 0;
  for (size_t i = 0; i < count; i++) {
    all &= keys[i];
    any |= keys[i];
  }
  uint64_t *from = keys, *to = spare;
  for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
    if (((all ^ any) >> shift & (DIGITS - 1)) == 0) continue;
    size_t starts[DIGITS] = {0};
    for (size_t i = 0; i < count; i++)
      starts[from[i] >> shift & (DIGITS - 1)]++;
    size_t total = 0;
    for (int digit = 0; digit < DIGITS; digit++) {
      size_t size = starts[digit];
      starts[digit] = total;
      total += size;
    }
    for (size_t i = 0; i < count; i++)
      to[starts[from[i] >> shift & (DIGITS - 1)]++] = from[i];
    uint64_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != keys) memcpy(keys, from, count * sizeof *keys);
}

/* ---- selecting ---- */

static void sift_down(uint64_t *keys, size_t at, size_t count) {
  uint64_t key = keys[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && keys[child + 1] > keys[child]) child++;
    if (keys[child] <= key) break;
    keys[at] = keys[child];
  }
  keys[at] = key;
}

static void heap_sort(uint64_t *keys, size_t count) {
  for (size_t i = count / 2; i-- > 0;)
    sift_down(keys, i, count);
  for (size_t end = count; end-- > 1;) {
    uint64_t greatest = keys[0];
    keys[0] = keys[end];
    keys[end] = greatest;
    sift_down(keys, 0, end);
  }
}

static uint64_t median_of_three(const uint64_t *keys, size_t low, size_t high) {
  uint64_t a = keys[low], b = keys[low + (high - low) / 2], c = keys[high - 1];
  uint64_t least = a < b ? a : b, most = a < b ? b : a;
  return c < least ? least : c > most ? most : c;
}

uint64_t sort_select(uint64_t *keys, size_t count, size_t place) {
  size_t low = 0, high = count;
  for (unsigned rounds = 0; high - low > SMALL; rounds++) {
    if (rounds > ROUNDS_MAX) {
      heap_sort(keys + low, high - low);
      return keys[place];
    }
    uint64_t pivot = median_of_three(keys, low, high);
    size_t below = low, at = low, above = high; /* < pivot | = pivot | unseen | > pivot */
    while (at < above) {
      uint64_t key = keys[at];
      if (key < pivot) {
        keys[at++] = keys[below];
        keys[below++] = key;
      } else if (key > pivot) {
        keys[at] = keys[--above];
        keys[above] = key;
      } else {
        at++;
      }
    }
    if (place >= below && place < above) return pivot;
    if (place < below)
      high = below;
    else
      low = above;
  }
  insert_keys(keys + low, high - low);
  return keys[place];
}
