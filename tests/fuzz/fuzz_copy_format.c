/* COPY's formats on any bytes, whole and in pieces: the same rows both times, and what is written
 * of them is read again. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "query/copy_format.h"

static uint64_t mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x9e3779b97f4a7c15u; }

static void write_row(const struct copy_format *format, const struct copy_row *row,
                      struct buffer *out) {
  for (uint32_t i = 0; i < row->count; i++)
    copy_write_field(format, row->fields[i].text, row->fields[i].null, i == 0, out);
  copy_write_end(out);
}

/* A sum over all fields; a faulty row ends it. `out` (may be NULL): the rows, written. */
static uint64_t run(const struct copy_format *format, struct str input, size_t step,
                    struct mem_account *account, struct buffer *out) {
  struct copy_reader reader;
  struct copy_row row;
  uint64_t sum = 0;
  bool found, good = true, finished = false;
  copy_reader_init(&reader, format, account);
  for (size_t at = 0; good && !finished;) {
    size_t size = input.size - at < step ? input.size - at : step;
    finished = size == 0;
    if (finished)
      copy_reader_finish(&reader);
    else
      assert(copy_reader_feed(&reader, str_of(input.data + at, size), NULL) == 0);
    at += size;
    while ((good = copy_reader_next(&reader, &row, &found, NULL) == 0) && found) {
      for (uint32_t i = 0; i < row.count; i++) {
        sum = mix(sum, row.fields[i].null);
        for (size_t j = 0; j < row.fields[i].text.size && !row.fields[i].null; j++)
          sum = mix(sum, (uint8_t)row.fields[i].text.data[j]);
      }
      if (out) write_row(format, &row, out);
    }
  }
  copy_reader_deinit(&reader);
  return good ? sum : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  struct mem_account account;
  struct buffer out;
  struct copy_format format = {.csv = data[0] & 1,
                               .delimiter = data[0] & 1 ? ',' : '\t',
                               .quote = '"',
                               .escape = data[0] & 2 ? '\\' : '"',
                               .null = data[0] & 1 ? STR("") : STR("\\N")};
  struct str input = str_of((const char *)data + 2, size - 2);
  mem_account_init(&account, "fuzz", NULL, 0);
  buffer_init(&out, &account);
  uint64_t whole = run(&format, input, input.size + 1, &account, &out);
  assert(whole == run(&format, input, (size_t)data[1] + 1, &account, NULL));
  /* Another escape than the quote can't say a quote's absence everywhere: not compared. */
  if (whole != 1 && format.escape == format.quote)
    assert(whole == run(&format, buffer_str(&out), out.size + 1, &account, NULL));
  buffer_deinit(&out);
  mem_account_deinit(&account);
  return 0;
}
