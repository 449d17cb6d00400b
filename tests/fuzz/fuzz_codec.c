/* Images of any bytes: opened as the type and rows that the first four bytes choose, decoded whole
 * and in part. Whatever is answered, nothing outside is read or written. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/memory.h"
#include "codec/codec_kernels.h"

static int run_kernels(const struct codec_image *image, uint32_t from, uint32_t count,
                       struct arena *arena, struct err *err) {
  struct column_statistics statistics;
  union statistics_value low = {.u64 = from}, high = {.u64 = UINT64_C(1) << 62};
  uint64_t selected[CODEC_ROWS_MAX / 64];
  int code = codec_statistics(image, from, count, &statistics, err);
  if (!code && type_is_string(image->type))
    return codec_select_equal(image, from, count, STR("a"), arena, selected, err);
  if (code) return code;
  code = codec_select_range(image, from, count, low, high, NULL, selected, err);
  struct codec_range ranges[2] = {{from, count / 2}, {from + count / 2, count - count / 2}};
  struct column_statistics records[2];
  uint64_t among[CODEC_ROWS_MAX / 64];
  memset(among, 0x71, sizeof among);
  if (!code) code = codec_aggregate(image, ranges, 2, among, CODEC_TOTALS, records, err);
  if (!code) code = codec_aggregate(image, ranges, 2, NULL, CODEC_SUMS, records, err);
  if (!code) code = codec_select_range(image, from, count, low, high, among, selected, err);
  uint64_t values[2], valid[1];
  uint32_t rows[2] = {from, image->rows - 1}, absent, two = rows[0] < rows[1];
  if (!code && type_width(image->type) == 8)
    code = codec_pick(image, rows, 1 + two, values, valid, &absent, err);
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4) return 0;
  struct type type = {(uint8_t)(1 + data[0] % 6), 0, 0};
  uint32_t rows = 1 + (data[1] | (uint32_t)data[2] << 8) % CODEC_ROWS_MAX;
  uint32_t from = rows * data[3] / 256, count = (rows - from) / 2;
  size -= 4;
  uint8_t *bytes = malloc(size + 1); /* of exactly this size, so that a step outside is seen */
  memcpy(bytes, data + 4, size);
  bytes = size ? bytes : bytes + 1;
  struct mem_account account;
  struct arena arena;
  mem_account_init(&account, "fuzz", NULL, 64 * 1024 * 1024);
  arena_init(&arena, &account, 65536);
  struct codec_image image;
  struct column column;
  struct err err;
  int code = codec_open(bytes, size, type, rows, &image, &err);
  if (code == ERR_OK) {
    assert(image.size <= size && image.rows == rows);
    code = codec_decode(&image, 0, rows, &arena, &column, &err);
    if (code == ERR_OK && type_is_string(type)) {
      size_t total = 0;
      for (int64_t i = 0; i < column.length; i++)
        for (size_t b = 0; b < column_str(&column, i).size && b < 64; b++)
          total += (uint8_t)column_str(&column, i).data[b];
      assert(total <= SIZE_MAX / 2);
    }
    codec_decode(&image, from, count, &arena, &column, &err);
    code = run_kernels(&image, from, count, &arena, &err);
  }
  assert(code == ERR_OK || code == ERR_CORRUPTION || code == ERR_BAD_VERSION ||
         code == ERR_MEMORY_LIMIT || code == ERR_LIMIT_EXCEEDED);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  free(size ? bytes : bytes - 1);
  return 0;
}
