/* The CSV reader on any bytes, whole and in pieces: the same rows and faults both times. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/memory.h"
#include "wire/csv.h"

static uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x9e3779b97f4a7c15u; }

static uint64_t run(struct str input, size_t step, struct mem_account *account) {
  struct csv_options options = {.fields_max = 20, .row_max = 1u << 20};
  struct csv_reader reader;
  csv_reader_init(&reader, &options, account);
  uint64_t sum = 0;
  size_t at = 0;
  bool finished = false;
  while (!finished) {
    size_t size = input.size - at < step ? input.size - at : step;
    finished = size == 0;
    if (finished)
      csv_reader_finish(&reader);
    else
      assert(csv_reader_feed(&reader, (struct str){input.data + at, size}, NULL) == 0);
    at += size;
    for (;;) {
      struct csv_row row;
      struct err err = {0};
      bool found;
      int code = csv_reader_next(&reader, &row, &found, &err);
      if (code) {
        assert(err.line > 0 && err.column > 0);
        sum = mix(sum, (uint64_t)code << 32 | (uint32_t)err.column);
        continue;
      }
      if (!found) break;
      assert(row.count > 0 && row.count <= 20);
      sum = mix(sum, row.count);
      for (size_t i = 0; i < row.count; i++) {
        for (size_t j = 0; j < row.fields[i].text.size; j++) {
          sum = mix(sum, (uint8_t)row.fields[i].text.data[j]);
        }
        sum = mix(sum, (uint64_t)row.fields[i].line << 32 | (uint32_t)row.fields[i].column);
      }
    }
  }
  csv_reader_deinit(&reader);
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct str input = {(const char *)data + 1, size - 1};
  uint64_t pieces = run(input, (size_t)data[0] + 1, &account);
  assert(pieces == run(input, input.size + 1, &account));
  mem_account_deinit(&account);
  return 0;
}
