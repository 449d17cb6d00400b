/* Holding a group: where the input has it, when all of it is in one batch and no bits would have to
 * be moved; else in a copy. */
#include "exec/group_buffer.h"

#include "base/err.h"

int group_buffer_init(struct group_buffer *buffer, struct exec_op *op, struct err *err) {
  uint32_t count = op->input->node->schema.count + 1;
  buffer->groups.input = op->input;
  buffer->view = ARENA_ARRAY(&op->exec->memory, struct column, count);
  if (!buffer->view) return exec__refused(op->exec, count * sizeof *buffer->view, err);
  return exec__rows_init(&buffer->rows, op->exec, &op->input->node->schema, err);
}

void group_buffer_deinit(struct group_buffer *buffer) { exec__rows_deinit(&buffer->rows); }

/* Rows [row, row + rows) of a column without moving any; false: bits would have to be. */
static bool view_rows(const struct column *column, uint32_t row, uint32_t rows,
                      struct column *view) {
  if (column->null_count || column->type.physical == PHYSICAL_BOOL) return false;
  *view = *column;
  view->length = rows;
  view->validity = NULL;
  view->values =
      (const char *)column->values +
      (size_t)row * (type_is_string(column->type) ? sizeof(int32_t) : type_width(column->type));
  return true;
}

/* Holds the piece as it lies in its batch; false: it may go on in the next one, or is to be copied.
 */
static bool hold_view(struct group_buffer *buffer) {
  const struct exec_groups *groups = &buffer->groups;
  const struct exec_group *piece = &buffer->piece;
  if (groups->at >= groups->batch.group_count || groups->batch.groups[groups->at].continued)
    return false;
  uint32_t count = groups->batch.batch.column_count;
  for (uint32_t i = 0; i < count; i++)
    if (!view_rows(&groups->batch.batch.columns[i], piece->row, piece->rows, &buffer->view[i]))
      return false;
  buffer->rows.groups[0] = (struct exec_group){.rows = piece->rows};
  buffer->held = (struct exec_batch){
      .batch = {.length = piece->rows, .column_count = count, .columns = buffer->view},
      .groups = buffer->rows.groups,
      .group_count = 1};
  buffer->have_piece = false;
  return true;
}

int group_buffer_next(struct group_buffer *buffer, struct err *err) {
  exec__rows_reset(&buffer->rows);
  for (;;) {
    bool more = true;
    if (!buffer->have_piece) {
      int code = exec__groups_next(&buffer->groups, &buffer->piece, &more, err);
      if (code) return code;
      buffer->have_piece = more;
    }
    bool begun = exec__rows_count(&buffer->rows) > 0;
    if (!more || (begun && !buffer->piece.continued)) break;
    exec__rows_adopt(&buffer->rows, &buffer->groups.batch);
    if (!begun) exec__rows_group(&buffer->rows, false);
    if (!begun && buffer->rows.group_count && hold_view(buffer)) return ERR_OK;
    exec__rows_copy(&buffer->rows, &buffer->groups.batch, buffer->piece.row, buffer->piece.rows);
    buffer->have_piece = false;
    struct exec_batch so_far; /* refused memory shows here, before it becomes an endless loop */
    int code = exec__rows_batch(&buffer->rows, &so_far, err);
    if (code) return code;
  }
  return exec__rows_batch(&buffer->rows, &buffer->held, err);
}
