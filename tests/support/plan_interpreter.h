/* A plan's answer, worked out in the plainest way: whole tables of cells, a row at a time, nothing
 * shared with the executor but the plan's structures. It is the reference of random plans.
 *
 * Covered: values, flat projections, filters, sorting with limits, unique rows, joins (not as-of),
 * sets, grouping (counts, sums of integers, extremes), window functions of that kind; scans come
 * from whoever calls. */
#ifndef TESTS_SUPPORT_PLAN_INTERPRETER_H
#define TESTS_SUPPORT_PLAN_INTERPRETER_H

#include "plan_cells.h"

/* ---- nodes ---- */

static inline struct table interpret(struct interpreter *self, const struct plan_node *node);

static inline void interpret_values(struct interpreter *self, const struct plan_node *node,
                                    struct table *out) {
  for (int64_t r = 0; r < node->values.length; r++) {
    struct cell *row = table_add(self, out);
    for (uint32_t c = 0; c < out->columns; c++)
      row[c] = cell_at(&node->values.columns[c], r, node->schema.columns[c].type);
  }
}

/* Stable, by insertion into the sorted front; sizes are small. */
static inline void interpret_sort(struct interpreter *self, const struct plan_node *node,
                                  const struct table *in, struct table *out) {
  const struct plan_sorting *sort = &node->sort;
  size_t *order = ARENA_ARRAY(self->arena, size_t, in->rows + 1);
  for (size_t i = 0; i < in->rows; i++) {
    size_t low = 0, high = i;
    while (low < high) {
      size_t middle = low + (high - low) / 2;
      if (cells_sorted(table_row(in, order[middle]), table_row(in, i), sort->keys,
                       sort->key_count) <= 0)
        low = middle + 1;
      else
        high = middle;
    }
    memmove(order + low + 1, order + low, (i - low) * sizeof *order);
    order[low] = i;
  }
  for (size_t i = sort->offset; i < in->rows && i - sort->offset < sort->limit; i++)
    table_copy(self, out, table_row(in, order[i]));
}

static inline bool same_columns(const struct cell *a, const struct cell *b, const uint32_t *columns,
                                uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (!cells_same(&a[columns ? columns[i] : i], &b[columns ? columns[i] : i])) return false;
  return true;
}
/* How many rows of the table equal this one. */
static inline size_t count_same(const struct table *table, const struct cell *row,
                                const uint32_t *columns, uint32_t count) {
  size_t same = 0;
  for (size_t i = 0; i < table->rows; i++)
    same += same_columns(table_row(table, i), row, columns, count);
  return same;
}

static inline void interpret_unique(struct interpreter *self, const struct plan_node *node,
                                    const struct table *in, struct table *out) {
  for (size_t i = 0; i < in->rows; i++)
    if (!count_same(out, table_row(in, i), node->unique.columns, node->unique.column_count))
      table_copy(self, out, table_row(in, i));
}

static inline bool join_partners(const struct plan_joining *join, const struct cell *left,
                                 const struct cell *right, const struct cell *both) {
  for (uint32_t k = 0; k < join->key_count; k++) {
    const struct cell *a = &left[join->left_keys[k]], *b = &right[join->right_keys[k]];
    if (!a->null && !b->null) {
      if (cell_order(a, b) != 0) return false;
    } else if (!join->null_aware && !(join->nulls_equal && a->null && b->null)) {
      return false;
    }
  }
  return !join->condition || is_true(join->condition, both);
}

static inline void interpret_join(struct interpreter *self, const struct plan_node *node,
                                  const struct table *left, const struct table *right,
                                  struct table *out) {
  enum plan_join_kind kind = node->join.kind;
  bool left_only = kind == JOIN_SEMI || kind == JOIN_ANTI;
  uint32_t width = left->columns + right->columns;
  struct cell *both = ARENA_ARRAY(self->arena, struct cell, width + 1);
  bool *has = ARENA_ARRAY(self->arena, bool, right->rows + 1);
  for (size_t a = 0; a < left->rows; a++) {
    bool found = false;
    memcpy(both, table_row(left, a), left->columns * sizeof *both);
    for (size_t b = 0; b < right->rows; b++) {
      memcpy(both + left->columns, table_row(right, b), right->columns * sizeof *both);
      if (!join_partners(&node->join, both, both + left->columns, both)) continue;
      found = has[b] = true;
      if (!left_only) table_copy(self, out, both);
    }
    for (uint32_t c = left->columns; c < width; c++)
      both[c] = cell_null(node->right->schema.columns[c - left->columns].type);
    if (found ? kind == JOIN_SEMI : kind == JOIN_ANTI || kind == JOIN_LEFT || kind == JOIN_FULL)
      table_copy(self, out, both);
  }
  for (size_t b = 0; b < right->rows && (kind == JOIN_RIGHT || kind == JOIN_FULL); b++) {
    if (has[b]) continue;
    for (uint32_t c = 0; c < left->columns; c++)
      both[c] = cell_null(node->input->schema.columns[c].type);
    memcpy(both + left->columns, table_row(right, b), right->columns * sizeof *both);
    table_copy(self, out, both);
  }
}

static inline void interpret_set(struct interpreter *self, const struct plan_node *node,
                                 const struct table *left, const struct table *right,
                                 struct table *out) {
  const struct plan_setting *set = &node->set;
  uint32_t width = left->columns;
  for (size_t i = 0; i < left->rows; i++) {
    const struct cell *row = table_row(left, i);
    size_t others = count_same(right, row, NULL, width),
           out_yet = count_same(out, row, NULL, width);
    size_t mine = count_same(left, row, NULL, width);
    size_t wanted = set->kind == SET_UNION ? set->all ? mine : 1
                    : set->kind == SET_INTERSECT
                        ? set->all ? mine < others ? mine : others : others > 0
                    : set->all ? mine > others ? mine - others : 0
                               : others == 0;
    if (out_yet < wanted) table_copy(self, out, row);
  }
  for (size_t i = 0; i < right->rows && set->kind == SET_UNION; i++)
    if (set->all || !count_same(out, table_row(right, i), NULL, width))
      table_copy(self, out, table_row(right, i));
}

/* One aggregate over rows [0, count) of a list. */
static inline struct cell aggregate_rows(const struct plan_group_call *call,
                                         const struct cell *const *rows, size_t count) {
  struct cell result = cell_null(call->type);
  int64_t counted = 0;
  for (size_t i = 0; i < count; i++) {
    const struct cell *argument = call->argument_count ? &rows[i][call->arguments[0]] : NULL;
    if (call->filter != PLAN_NO_COLUMN &&
        (rows[i][call->filter].null || !rows[i][call->filter].boolean))
      continue;
    if (argument && argument->null) continue;
    bool seen = false;
    for (size_t j = 0; j < i && call->distinct && argument && !seen; j++)
      seen = cells_same(&rows[j][call->arguments[0]], argument) &&
             (call->filter == PLAN_NO_COLUMN ||
              (!rows[j][call->filter].null && rows[j][call->filter].boolean));
    if (seen) continue;
    counted++;
    if (!argument || call->function == AGGREGATE_COUNT) continue;
    if (call->function == AGGREGATE_SUM) {
      result.u64 = (result.null ? 0 : result.u64) + argument->u64;
      result.null = false;
    } else if (result.null ||
               (call->function == AGGREGATE_MIN ? cell_order(argument, &result) < 0
                                                : cell_order(argument, &result) > 0)) {
      result = *argument;
    }
  }
  if (call->function == AGGREGATE_COUNT) return cell_int(counted);
  return result;
}

static inline void interpret_group(struct interpreter *self, const struct plan_node *node,
                                   const struct table *in, struct table *out) {
  const struct plan_grouping *group = &node->group;
  const struct cell **rows = ARENA_ARRAY(self->arena, const struct cell *, in->rows + 1);
  bool *done = ARENA_ARRAY(self->arena, bool, in->rows + 1);
  for (size_t first = 0; first < in->rows || (first == 0 && !group->key_count); first++) {
    size_t count = 0;
    if (done[first]) continue;
    for (size_t i = first; i < in->rows; i++) {
      if (done[i] ||
          !same_columns(table_row(in, first), table_row(in, i), group->keys, group->key_count))
        continue;
      done[i] = true;
      rows[count++] = table_row(in, i);
    }
    struct cell *row = table_add(self, out);
    for (uint32_t k = 0; k < group->key_count; k++)
      row[k] = rows[0][group->keys[k]];
    for (uint32_t c = 0; c < group->call_count; c++)
      row[group->key_count + c] = aggregate_rows(&group->calls[c], rows, count);
  }
}

/* Ranks, and aggregates over the whole partition or up to the peers of the row. */
static inline struct cell interpret_over_call(const struct plan_overing *over,
                                              const struct plan_over_call *call,
                                              const struct table *in, size_t at, size_t begin,
                                              size_t end, const struct cell **rows) {
  size_t before = 0, peers = 0, different = 0;
  for (size_t i = begin; i < end; i++) {
    int order = cells_sorted(table_row(in, i), table_row(in, at), over->order, over->order_count);
    before += order < 0;
    peers += order == 0;
    different += order < 0 && (i == begin || cells_sorted(table_row(in, i - 1), table_row(in, i),
                                                          over->order, over->order_count));
  }
  if (call->function == OVER_RANK) return cell_int((int64_t)before + 1);
  if (call->function == OVER_DENSE_RANK) return cell_int((int64_t)different + 1);
  bool whole = call->frame.end == BOUND_UNBOUNDED_FOLLOWING;
  size_t count = whole ? end - begin : before + peers;
  for (size_t i = 0; i < count; i++)
    rows[i] = table_row(in, begin + i);
  return aggregate_rows(&call->aggregate, rows, count);
}

static inline void interpret_over(struct interpreter *self, const struct plan_node *node,
                                  const struct table *in, struct table *out) {
  const struct plan_overing *over = &node->over;
  const struct cell **rows = ARENA_ARRAY(self->arena, const struct cell *, in->rows + 1);
  for (size_t begin = 0, end; begin < in->rows; begin = end) {
    end = begin;
    while (end < in->rows && same_columns(table_row(in, begin), table_row(in, end), over->partition,
                                          over->partition_count))
      end++;
    for (size_t at = begin; at < end; at++) {
      struct cell *row = table_add(self, out);
      memcpy(row, table_row(in, at), in->columns * sizeof *row);
      for (uint32_t c = 0; c < over->call_count; c++)
        row[in->columns + c] = interpret_over_call(over, &over->calls[c], in, at, begin, end, rows);
    }
  }
}

static inline void interpret_rows(struct interpreter *self, const struct plan_node *node,
                                  const struct table *in, struct table *out) {
  for (size_t i = 0; i < in->rows; i++) {
    const struct cell *row = table_row(in, i);
    if (node->kind == PLAN_FILTER) {
      if (is_true(node->filter, row)) table_copy(self, out, row);
      continue;
    }
    struct cell *to = table_add(self, out);
    for (uint32_t c = 0; c < out->columns; c++)
      to[c] = evaluate(node->projection[c], row);
  }
}

static inline struct table interpret(struct interpreter *self, const struct plan_node *node) {
  struct table out = {.columns = node->schema.count}, in = {0}, right = {0};
  if (node->input) in = interpret(self, node->input);
  if (node->right) right = interpret(self, node->right);
  if (self->too_large) return out;
  switch (node->kind) {
  case PLAN_SCAN:
    self->scan(self->context, node, &out);
    break;
  case PLAN_VALUES:
    interpret_values(self, node, &out);
    break;
  case PLAN_FILTER:
  case PLAN_PROJECT:
    interpret_rows(self, node, &in, &out);
    break;
  case PLAN_SORT:
    interpret_sort(self, node, &in, &out);
    break;
  case PLAN_UNIQUE:
    interpret_unique(self, node, &in, &out);
    break;
  case PLAN_JOIN:
    interpret_join(self, node, &in, &right, &out);
    break;
  case PLAN_SET:
    interpret_set(self, node, &in, &right, &out);
    break;
  case PLAN_GROUP:
    interpret_group(self, node, &in, &out);
    break;
  case PLAN_OVER:
    interpret_over(self, node, &in, &out);
    break;
  default:
    abort(); /* not one of those that are generated */
  }
  return out;
}

#endif
