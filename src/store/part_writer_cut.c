/* Where blocks end.
 *
 * Complete runs are gathered as long as they fit one block together. A run that fits no block has
 * blocks of its own: full ones as long as more than two blocks' worth of it is known, the rest,
 * when its end is known, in two halves. So at most two blocks of rows wait, and the cuts depend on
 * the rows alone, never on how they were sliced into appends. */
#include "store/part_writer_private.h"

#include <assert.h>

#include "base/err.h"

void writer__measure_view(struct part_writer *writer) {
  writer->row_bits = 64; /* the key */
  writer->has_strings = false;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    const struct writer_column *column = &writer->columns[i];
    if (!column->present) continue;
    bool is_string = type_is_string(column->type);
    writer->row_bits += column->type.physical == PHYSICAL_BOOL ? 1 : is_string ? 32 : 64;
    writer->has_strings |= is_string;
  }
}

uint64_t writer__plain_bytes(const struct part_writer *writer, uint32_t from, uint32_t to) {
  uint64_t bytes = (writer->row_bits * (to - from) + 7) / 8;
  if (!writer->has_strings) return bytes;
  for (uint32_t i = 0; i < writer->column_count; i++) {
    const struct writer_column *column = &writer->columns[i];
    if (column->present && type_is_string(column->type))
      bytes += (uint64_t)(column->view.offsets[to] - column->view.offsets[from]);
  }
  return bytes;
}

uint32_t writer__rows_within(const struct part_writer *writer, uint32_t from, uint32_t to,
                             uint32_t limit, uint64_t bytes) {
  uint32_t high = to - from < limit ? to - from : limit; /* fits, once the loop ends */
  uint32_t low = 1;
  while (low < high) {
    uint32_t middle = high - (high - low) / 2;
    if (middle == high && writer__plain_bytes(writer, from, from + high) <= bytes) return high;
    if (writer__plain_bytes(writer, from, from + middle) <= bytes)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/* Rows of the greatest block that can begin at `from`. */
static uint32_t block_rows(const struct part_writer *writer, uint32_t from, uint32_t to) {
  uint32_t rows = to - from < CODEC_ROWS_MAX ? to - from : CODEC_ROWS_MAX;
  if (writer__plain_bytes(writer, from, from + rows) <= PART_BLOCK_BYTES_MAX) return rows;
  return writer__rows_within(writer, from, to, rows, PART_BLOCK_BYTES_MAX);
}

static bool fits_block(const struct part_writer *writer, uint32_t from, uint32_t to) {
  return to - from == 1 || (to - from <= CODEC_ROWS_MAX &&
                            writer__plain_bytes(writer, from, to) <= PART_BLOCK_BYTES_MAX);
}

/* The end of the run that begins at `from`: near ones step by step, far ones by doubling, then
 * halving. */
static uint32_t run_end(const uint64_t *series, uint32_t from, uint32_t to) {
  uint64_t value = series[from];
  uint32_t at = from + 1;
  for (; at < to && at - from < 16; at++)
    if (series[at] != value) return at;
  if (at >= to || series[to - 1] == value) return to;
  uint32_t step = 16;
  while (at + step < to && series[at + step] == value) {
    at += step;
    step *= 2;
  }
  uint32_t end = at + step < to ? at + step : to - 1; /* series[at] is equal or before, [end] not */
  while (at < end) {
    uint32_t middle = at + (end - at) / 2;
    if (series[middle] == value)
      at = middle + 1;
    else
      end = middle;
  }
  return at;
}

static int write_one_run(struct part_writer *writer, uint32_t from, uint32_t rows,
                         struct err *err) {
  uint32_t starts[2] = {from, from + rows};
  return writer__block(writer, from, rows, starts, 1, err);
}

/* Writes the gathered runs as a block. */
static int write_gathered(struct part_writer *writer, struct err *err) {
  uint32_t from = writer->run_starts[0];
  uint32_t rows = writer->run_starts[writer->run_count] - from;
  int code = writer__block(writer, from, rows, writer->run_starts, writer->run_count, err);
  writer->run_count = 0;
  return code;
}

/* A run [*from, to) that fits no block. */
static int cut_long_run(struct part_writer *writer, uint32_t *from, uint32_t to, bool complete,
                        struct err *err) {
  uint32_t at = *from;
  int code = ERR_OK;
  for (;;) {
    uint32_t first = block_rows(writer, at, to);
    uint32_t second = at + first < to ? block_rows(writer, at + first, to) : 0;
    if (first + second >= to - at) break;
    if ((code = write_one_run(writer, at, first, err))) return code;
    *from = at += first;
  }
  if (!complete) return ERR_OK;
  uint32_t first = block_rows(writer, at, to);
  if (first < to - at) {
    uint32_t half = (to - at + 1) / 2;
    if (half < first && fits_block(writer, at + half, to)) first = half;
    if ((code = write_one_run(writer, at, first, err))) return code;
    *from = at += first;
  }
  code = write_one_run(writer, at, to - at, err);
  *from = to;
  return code;
}

int writer__cut(struct part_writer *writer, uint32_t from, uint32_t to, bool final, uint32_t *rest,
                struct err *err) {
  int code = ERR_OK;
  uint32_t at = from;  /* the first row not written */
  uint32_t end = from; /* the end of the gathered runs, which begin at `at` */
  writer->run_count = 0;
  while (end < to && !code) {
    uint32_t next = run_end(writer->series, end, to);
    bool complete = next < to || final;
    if (writer->run_count && !fits_block(writer, at, next)) {
      code = write_gathered(writer, err);
      at = end;
      if (code) break;
    }
    if (!fits_block(writer, at, next)) {
      code = cut_long_run(writer, &at, next, complete, err);
      end = at;
      if (!complete) break;
      continue;
    }
    if (!complete) break;
    writer->run_starts[writer->run_count++] = end;
    writer->run_starts[writer->run_count] = next;
    end = next;
  }
  if (!code && final && writer->run_count) {
    code = write_gathered(writer, err);
    at = end;
  }
  writer->run_count = 0;
  assert(code || !final || at == to);
  *rest = at;
  return code;
}
