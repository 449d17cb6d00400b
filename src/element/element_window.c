/* Windows: how far to read before putting rows in order.
 *
 * Parts hold rows by (series, key); an answer over many series is by key. So the range of keys is
 * walked window by window: all rows of a window are collected, put in order, handed out. A window
 * should hold about so many rows, which block metadata tells well enough: a block is taken to be
 * spread evenly between its lowest and highest key. Where that is wrong the collector notices (too
 * many rows: it cuts the window; too few: the next one is larger), so the guess decides only the
 * cost, never the answer. */
#include <stdlib.h>

#include "element/element_private.h"

int element_windows_add(struct element_windows *windows, int64_t from, int64_t to, double rows,
                        struct err *err) {
  if (windows->count == windows->capacity) {
    size_t wanted = windows->capacity ? 2 * windows->capacity : 64;
    struct element_span *spans =
        mem_resize(windows->account, windows->spans, windows->capacity * sizeof *spans,
                   wanted * sizeof *spans);
    if (!spans) return mem_refused(windows->account, wanted * sizeof *spans, err);
    windows->spans = spans;
    windows->capacity = wanted;
  }
  windows->spans[windows->count++] = (struct element_span){from, to, rows};
  return ERR_OK;
}

static int by_from(const void *a, const void *b) {
  int64_t x = ((const struct element_span *)a)->from, y = ((const struct element_span *)b)->from;
  return x < y ? -1 : x > y;
}

void element_windows_sort(struct element_windows *windows) {
  if (windows->count) qsort(windows->spans, windows->count, sizeof *windows->spans, by_from);
  windows->share = 1;
}

void element_windows_deinit(struct element_windows *windows) {
  mem_free(windows->account, windows->spans, windows->capacity * sizeof *windows->spans);
  *windows = (struct element_windows){.account = windows->account};
}

/* Rows of a span with distances from `from` to `to`. */
static double rows_between(const struct element_span *span, int64_t from, int64_t to) {
  if (span->from > from) from = span->from;
  if (span->to < to) to = span->to;
  if (from > to) return 0;
  double part = (double)to - (double)from + 1, all = (double)span->to - (double)span->from + 1;
  return span->rows * (part < all ? part / all : 1);
}

static double rows_until(const struct element_windows *windows, int64_t from, int64_t to) {
  double rows = 0;
  for (size_t i = windows->first; i < windows->count && windows->spans[i].from <= to; i++)
    rows += rows_between(&windows->spans[i], from, to);
  return rows * windows->share;
}

/* Takes spans that end before `from` out of the way. */
static void drop_done(struct element_windows *windows, int64_t from) {
  size_t kept = windows->first, at = windows->first;
  /* those that begin before `from` and reach beyond it stay, moved to the end of their stretch */
  while (at < windows->count && windows->spans[at].from < from)
    at++;
  size_t end = at;
  for (size_t i = end; i-- > kept;)
    if (windows->spans[i].to >= from) windows->spans[--at] = windows->spans[i];
  windows->first = at;
}

int64_t element_windows_cut(struct element_windows *windows, int64_t from, int64_t end,
                            uint64_t rows, double *expected) {
  drop_done(windows, from);
  /* the first span that begins beyond the window, by doubling steps */
  int64_t low = from, high = end;
  size_t step = 64;
  for (size_t at = windows->first + step; at < windows->count && windows->spans[at].from <= end;
       at += step) {
    int64_t here = windows->spans[at].from;
    if (here > from && rows_until(windows, from, here) > (double)rows) {
      high = here;
      break;
    }
    if (here > low) low = here;
    step *= 2;
  }
  if (high == end && rows_until(windows, from, end) <= (double)rows) low = end;
  while (low < high) { /* the last distance with at most `rows` rows */
    int64_t middle = (int64_t)((uint64_t)low + ((uint64_t)high - (uint64_t)low) / 2);
    if (middle == low) break;
    if (rows_until(windows, from, middle) <= (double)rows)
      low = middle;
    else
      high = middle;
  }
  *expected = rows_until(windows, from, low);
  return low;
}

void element_windows_learn(struct element_windows *windows, double expected, uint64_t found) {
  if (expected < 1) return;
  double share = windows->share * ((double)found + 1) / (expected + 1);
  if (share < 1e-6) share = 1e-6;
  if (share > 16) share = 16;
  windows->share = (windows->share + share) / 2;
}
