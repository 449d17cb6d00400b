/* Taking rows back out of an open part: those of commits that could not be published.
 *
 * Nobody has seen them, because no root names their commits, and views cover only what some root
 * made visible. So the published length simply goes back; the bits behind it become 0 again, which
 * appending relies on, and strings end where the last row's do. */
#include "base/bitmap.h"
#include "store/open_part_private.h"

/* Makes bits [from, to) 0; readers may look at those before `from` in the same word. */
static void clear_bits(_Atomic uint64_t *bits, uint32_t from, uint32_t to) {
  for (uint32_t at = from; at < to;) {
    uint32_t step = 64 - (at & 63) < to - at ? 64 - (at & 63) : to - at;
    uint64_t mask = (step == 64 ? ~UINT64_C(0) : (UINT64_C(1) << step) - 1) << (at & 63);
    _Atomic uint64_t *word = bits + (at >> 6);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, old & ~mask, memory_order_relaxed);
    at += step;
  }
}

void open_part_undo(struct open_part *part, uint64_t commit) {
  uint32_t rows = atomic_load_explicit(&part->rows, memory_order_relaxed), left = rows;
  while (left && part->commits[left - 1] > commit)
    left--;
  if (left == rows) return;
  atomic_store_explicit(&part->rows, left, memory_order_release);
  for (uint32_t i = 0; i < part->column_count; i++) {
    struct open_column *column = &part->columns[i];
    clear_bits(column->validity, left, rows);
    if (column->type.physical == PHYSICAL_BOOL) clear_bits(column->bits, left, rows);
    if (type_is_string(column->type)) column->data_size = (uint32_t)column->offsets[left];
  }
}
