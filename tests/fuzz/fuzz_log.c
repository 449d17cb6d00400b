/* The payload of a log record of any bytes, as replay reads it behind the checksum: commits,
 * sections, plain rows. Whatever they are, it ends with an error or with rows inside the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/commit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t touched;

static void touch_rows(const struct store_rows *rows) {
  for (uint32_t i = 0; i < rows->rows; i++)
    touched += rows->series[i] + (uint64_t)rows->keys[i];
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct column *column = &rows->columns[i].column;
    for (int64_t j = 0; j < column->length; j++) {
      touched += column_is_valid(column, j);
      if (type_is_string(column->type)) {
        struct str text = column_str(column, j);
        touched += text.size ? (uint8_t)text.data[text.size - 1] : 0;
      } else if (column->type.physical == PHYSICAL_BOOL) {
        touched += bit_get(column->bits, j);
      } else {
        touched += column->u64[j];
      }
    }
  }
}

static int read_section(const struct section_view *view) {
  for (size_t i = 0; i < view->note.size; i++)
    touched += (uint8_t)view->note.data[i];
  if (view->header.kind == WAL_SECTION_IMAGE)
    for (uint64_t i = 0; i < view->header.body_size; i++)
      touched += view->body[i];
  if (view->header.kind != WAL_SECTION_PLAIN) return ERR_OK;
  size_t count = view->header.column_count;
  struct store_column *columns = malloc((count + 1) * sizeof *columns);
  if (!columns) abort();
  struct store_rows rows;
  int code = section_rows(view, columns, &rows, NULL);
  if (code == ERR_OK) touch_rows(&rows);
  free(columns);
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *payload = malloc(size + 1); /* aligned, and no byte more than there is */
  if (!payload) abort();
  memcpy(payload, data, size);
  struct commit_reader reader;
  commit_reader_init(&reader, payload, size);
  int code = ERR_OK;
  while (code == ERR_OK) {
    bool done = false;
    code = commit_reader_enter(&reader, NULL);
    while (code == ERR_OK && !done) {
      struct section_view view;
      code = commit_reader_section(&reader, &view, &done, NULL);
      if (code == ERR_OK && !done) code = read_section(&view);
    }
  }
  free(payload);
  return 0;
}
