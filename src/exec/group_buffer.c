/* Holding a group. */
#include "exec/group_buffer.h"

#include "base/err.h"

int group_buffer_init(struct group_buffer *buffer, struct exec_op *op, struct err *err) {
  buffer->groups.input = op->input;
  return exec__rows_init(&buffer->rows, op->exec, &op->input->node->schema, err);
}

void group_buffer_deinit(struct group_buffer *buffer) { exec__rows_deinit(&buffer->rows); }

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
    exec__rows_copy(&buffer->rows, &buffer->groups.batch, buffer->piece.row, buffer->piece.rows);
    buffer->have_piece = false;
    struct exec_batch so_far; /* refused memory shows here, before it becomes an endless loop */
    int code = exec__rows_batch(&buffer->rows, &so_far, err);
    if (code) return code;
  }
  return exec__rows_batch(&buffer->rows, &buffer->held, err);
}
