/* Rows per group, and groups: others are passed over. */
#include "base/err.h"
#include "exec/exec_private.h"

struct limit {
  struct exec_op op;
  struct exec_groups groups;
  struct exec_rows rows;
  uint64_t group; /* number of the current one, from 1 */
  uint64_t seen;  /* its rows that came by */
};

static int limit_open(struct exec_op *op, struct err *err) {
  struct limit *self = (struct limit *)op;
  self->groups.input = op->input;
  return exec__rows_init(&self->rows, op->exec, &op->node->schema, err);
}

static bool group_wanted(const struct limit *self) {
  const struct plan_limit *limit = &self->op.node->limit;
  if (self->group <= limit->group_offset) return false;
  return limit->group_limit == 0 || self->group - limit->group_offset <= limit->group_limit;
}

/* The row of a group behind the last wanted one. */
static uint64_t rows_end(const struct plan_limit *limit) {
  bool all = limit->limit == 0 || limit->limit > UINT64_MAX - limit->offset;
  return all ? UINT64_MAX : limit->offset + limit->limit;
}

static bool all_done(const struct limit *self) {
  const struct plan_limit *limit = &self->op.node->limit;
  bool one_group = self->op.node->schema.group_count == 0;
  if (one_group && self->seen >= rows_end(limit)) return true;
  if (limit->group_limit == 0 || self->group < limit->group_offset) return false;
  uint64_t number = self->group - limit->group_offset;
  return number > limit->group_limit;
}

static void take_piece(struct limit *self, const struct exec_group *piece) {
  const struct plan_limit *limit = &self->op.node->limit;
  if (!piece->continued) {
    self->group++;
    self->seen = 0;
  }
  uint64_t skip = limit->offset > self->seen ? limit->offset - self->seen : 0;
  uint64_t end = piece->rows;
  uint64_t last = rows_end(limit), left = last > self->seen ? last - self->seen : 0;
  if (end > left) end = left;
  bool begun = self->seen > limit->offset;
  self->seen += piece->rows;
  if (!group_wanted(self) || skip >= end) return;
  exec__rows_group(&self->rows, begun);
  exec__rows_copy(&self->rows, &self->groups.batch, piece->row + (int64_t)skip,
                  (int64_t)(end - skip));
}

static int limit_next(struct exec_op *op, struct exec_batch *batch, struct err *err) {
  struct limit *self = (struct limit *)op;
  exec__rows_reset(&self->rows);
  while (exec__rows_count(&self->rows) == 0 && !all_done(self)) {
    struct exec_group piece;
    bool more;
    do { /* one input batch at a time: an output batch is never larger than its input */
      int code = exec__groups_next(&self->groups, &piece, &more, err);
      if (code) return code;
      if (!more) return exec__rows_batch(&self->rows, batch, err);
      exec__rows_adopt(&self->rows, &self->groups.batch);
      take_piece(self, &piece);
    } while (self->groups.at < self->groups.batch.group_count && !all_done(self));
  }
  return exec__rows_batch(&self->rows, batch, err);
}

static void limit_close(struct exec_op *op) { exec__rows_deinit(&((struct limit *)op)->rows); }

const struct exec_op_kind exec__limit = {sizeof(struct limit), limit_open, limit_next, limit_close};
