/* Rows as bytes: per column a byte that says whether the value is present, then the value (strings
 * with their length in front). Equal bytes are equal rows and the other way round. */
#include "store/twins.h"

#include "base/err.h"
#include "base/memory.h"

void twins_init(struct twins *twins, struct mem_account *account) {
  *twins = (struct twins){0};
  buffer_init(&twins->row, account);
  str_table_init(&twins->rows, account, true, 0);
}

void twins_deinit(struct twins *twins) {
  buffer_deinit(&twins->row);
  str_table_deinit(&twins->rows);
}

static void write_value(struct buffer *out, const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) {
    buffer_append_byte(out, 0);
    return;
  }
  buffer_append_byte(out, 1);
  if (type_is_string(column->type)) {
    struct str text = column_str(column, row);
    uint64_t size = text.size;
    buffer_append(out, &size, sizeof size);
    if (text.size) buffer_append(out, text.data, text.size);
  } else if (column->type.physical == PHYSICAL_BOOL) {
    buffer_append_byte(out, bit_get(column->bits, row));
  } else {
    buffer_append(out, &column->u64[row], sizeof column->u64[row]);
  }
}

int twins_add(struct twins *twins, uint64_t series, int64_t key, const struct column *columns,
              uint32_t column_count, int64_t row, bool *fresh, struct err *err) {
  if (!twins_in_group(twins, series, key)) {
    str_table_reset(&twins->rows);
    twins->open = true;
    twins->series = series;
    twins->key = key;
  }
  buffer_reset(&twins->row);
  buffer_append_byte(&twins->row, 0); /* never empty, whatever the columns */
  for (uint32_t i = 0; i < column_count; i++)
    write_value(&twins->row, &columns[i], row);
  int code = buffer_check(&twins->row, err);
  if (code) return code;
  if (!str_table_insert(&twins->rows, buffer_str(&twins->row), fresh))
    return mem_refused(twins->rows.account, twins->row.size, err);
  return ERR_OK;
}
