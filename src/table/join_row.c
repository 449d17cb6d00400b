/* The join of a table that has one row in the body, of things that are all known: bodies of many
 * tables with a row each are made of these. The row itself serves as the columns: nothing is
 * copied, sorted or looked up. */
#include <stdlib.h>

#include "table/table_private.h"

/* The one row: its chunk holds nothing else. */
static struct table_row *only_row(const struct rows *rows) {
  return (struct table_row *)(void *)rows->first->bytes;
}

/* Everything that the general join exists for is absent. */
static bool is_plain(const struct rows *rows) {
  if (rows->public.row_count != 1 || !rows->public.table || rows->new_count) return false;
  if (!table__takes_rows(rows->public.table) || !rows->first->used) return false;
  const struct shape *shape = &rows->shapes[only_row(rows)->shape];
  for (uint32_t f = 0; f < shape->count; f++) {
    const struct table_field *field = &rows->public.fields[shape->fields[f]];
    if (field->column_id == 0 || type_is_string(field->type)) return false;
    if (f && field->column_id <= rows->public.fields[shape->fields[f - 1]].column_id) return false;
  }
  return true;
}

bool table__join_row(const struct join_input *input, struct arena *arena, struct joined *joined) {
  struct rows *rows = input->rows;
  if (!is_plain(rows)) return false;
  struct table_row *row = only_row(rows);
  const struct shape *shape = &rows->shapes[row->shape];
  struct store_column *columns = arena_alloc(arena, shape->count * sizeof *columns);
  if (!columns) return false;
  for (uint32_t f = 0; f < shape->count; f++) {
    const struct table_field *field = &rows->public.fields[shape->fields[f]];
    columns[f] = (struct store_column){field->column_id,
                                       {.type = field->type, .length = 1, .u64 = &row->cells[f]}};
  }
  *joined = (struct joined){.table = rows->public.table,
                            .index = rows->index,
                            .lines = 1,
                            .rows = 1,
                            .series = &row->series,
                            .times = &row->time,
                            .columns = columns,
                            .column_count = shape->count};
  rows->public.table = NULL; /* the reference goes along */
  return true;
}
