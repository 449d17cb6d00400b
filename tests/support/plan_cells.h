/* Tables of cells, and expressions over rows of them: what the plain interpreter of plans
 * (plan_interpreter.h) is made of. Floats compare as PostgreSQL's: NaN above all and equal to
 * itself. */
#ifndef TESTS_SUPPORT_PLAN_CELLS_H
#define TESTS_SUPPORT_PLAN_CELLS_H

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "plan/plan.h"

struct cell {
  struct type type;
  bool null;
  union {
    bool boolean;
    int64_t i64;
    uint64_t u64;
    double f64;
  };
  struct str text;
};
struct table {
  uint32_t columns;
  size_t rows, capacity;
  struct cell *cells;
};
struct interpreter {
  struct arena *arena;
  /* The rows of a scan. */
  void (*scan)(void *context, const struct plan_node *node, struct table *table);
  void *context;
  size_t rows_max;
  bool too_large; /* some table would have had more rows: the answer is void */
};

/* ---- tables and cells ---- */

static inline struct cell *table_row(const struct table *table, size_t row) {
  return table->cells + row * table->columns;
}
/* Room for one more row. */
static inline struct cell *table_add(struct interpreter *self, struct table *table) {
  if (table->rows == table->capacity) {
    size_t capacity = table->capacity ? 2 * table->capacity : 32;
    struct cell *cells = ARENA_ARRAY(self->arena, struct cell, capacity * (table->columns + 1));
    if (table->rows) memcpy(cells, table->cells, table->rows * table->columns * sizeof *cells);
    table->cells = cells;
    table->capacity = capacity;
  }
  if (table->rows >= self->rows_max) {
    self->too_large = true;
    return table_row(table, table->rows - 1);
  }
  return table_row(table, table->rows++);
}
static inline void table_copy(struct interpreter *self, struct table *table,
                              const struct cell *row) {
  struct cell *to = table_add(self, table);
  memcpy(to, row, table->columns * sizeof *to);
}

static inline struct cell cell_at(const struct column *column, int64_t row, struct type type) {
  struct cell cell = {.type = type, .null = !column_is_valid(column, row)};
  if (cell.null) return cell;
  if (column->dictionary)
    cell.text = column_str(column->dictionary, column->i32[row]);
  else if (type_is_string(column->type))
    cell.text = column_str(column, row);
  else if (column->type.physical == PHYSICAL_BOOL)
    cell.boolean = bit_get(column->bits, row);
  else
    cell.u64 = column->u64[row];
  return cell;
}
static inline struct cell cell_int(int64_t value) {
  return (struct cell){.type = TYPE_INT64, .i64 = value};
}
static inline struct cell cell_bool(bool value) {
  return (struct cell){.type = TYPE_BOOL, .boolean = value};
}
static inline struct cell cell_null(struct type type) {
  return (struct cell){.type = type, .null = true};
}

/* Of two present cells of one type. */
static inline int cell_order(const struct cell *a, const struct cell *b) {
  if (type_is_string(a->type)) return str_compare(a->text, b->text);
  switch (a->type.physical) {
  case PHYSICAL_BOOL:
    return (int)a->boolean - (int)b->boolean;
  case PHYSICAL_UINT64:
    return (a->u64 > b->u64) - (a->u64 < b->u64);
  case PHYSICAL_FLOAT64:
    if (isnan(a->f64) || isnan(b->f64)) return (isnan(a->f64) != 0) - (isnan(b->f64) != 0);
    return (a->f64 > b->f64) - (a->f64 < b->f64);
  default:
    return (a->i64 > b->i64) - (a->i64 < b->i64);
  }
}
static inline bool cells_same(const struct cell *a, const struct cell *b) {
  return a->null || b->null ? a->null == b->null : cell_order(a, b) == 0;
}
static inline int cells_sorted(const struct cell *a, const struct cell *b,
                               const struct plan_sort_key *keys, uint32_t count) {
  for (uint32_t k = 0; k < count; k++) {
    const struct cell *x = &a[keys[k].column], *y = &b[keys[k].column];
    int order = x->null || y->null ? ((int)y->null - (int)x->null) * (keys[k].nulls_first ? 1 : -1)
                : keys[k].descending ? -cell_order(x, y)
                                     : cell_order(x, y);
    if (order) return order;
  }
  return 0;
}

/* A row as text; NaNs are alike, and so are the two zeros. */
static inline void cell_text(const struct cell *cell, struct buffer *out) {
  if (cell->null) {
    buffer_append_text(out, " -");
  } else if (type_is_string(cell->type)) {
    buffer_append_text(out, " '");
    for (size_t i = 0; i < cell->text.size; i++)
      buffer_printf(out, cell->text.data[i] >= 'a' ? "%c" : "\\%02x",
                    (unsigned char)cell->text.data[i]);
  } else if (cell->type.physical == PHYSICAL_BOOL) {
    buffer_append_text(out, cell->boolean ? " t" : " f");
  } else if (cell->type.physical == PHYSICAL_FLOAT64) {
    if (isnan(cell->f64))
      buffer_append_text(out, " nan");
    else
      buffer_printf(out, " %.17g", cell->f64 == 0 ? 0.0 : cell->f64);
  } else {
    buffer_printf(out, " %lld", (long long)cell->i64);
  }
}

/* ---- expressions ---- */

static inline struct cell evaluate(const struct expr *expr, const struct cell *row);

static inline struct cell evaluate_literal(const struct expr *expr) {
  const struct plan_value *value = &expr->literal;
  struct cell cell = {.type = expr->type, .null = value->null};
  if (value->null) return cell;
  if (type_is_string(value->type))
    cell.text = value->text;
  else if (value->type.physical == PHYSICAL_BOOL)
    cell.boolean = value->boolean;
  else
    cell.u64 = value->u64;
  return cell;
}

static inline struct cell evaluate_logic(bool is_and, const struct cell *a, const struct cell *b) {
  bool decides = !is_and; /* a true decides OR, a false AND */
  if ((!a->null && a->boolean == decides) || (!b->null && b->boolean == decides))
    return cell_bool(decides);
  return a->null || b->null ? cell_null(TYPE_BOOL) : cell_bool(!decides);
}

static inline struct cell evaluate_strict(const struct expr *expr, const struct cell *a,
                                          const struct cell *b) {
  if (a->null || b->null) return cell_null(expr->type);
  switch (expr->function) {
  case FUNCTION_ADD:
    return cell_int((int64_t)(a->u64 + b->u64));
  case FUNCTION_SUBTRACT:
    return cell_int((int64_t)(a->u64 - b->u64));
  case FUNCTION_MULTIPLY:
    return cell_int((int64_t)(a->u64 * b->u64));
  case FUNCTION_EQUAL:
  case FUNCTION_EQUAL_SQL:
    return cell_bool(cell_order(a, b) == 0);
  case FUNCTION_NOT_EQUAL:
  case FUNCTION_NOT_EQUAL_SQL:
    return cell_bool(cell_order(a, b) != 0);
  case FUNCTION_LESS:
  case FUNCTION_LESS_SQL:
    return cell_bool(cell_order(a, b) < 0);
  case FUNCTION_GREATER_EQUAL:
  case FUNCTION_GREATER_EQUAL_SQL:
    return cell_bool(cell_order(a, b) >= 0);
  case FUNCTION_NOT:
    return cell_bool(!a->boolean);
  default:
    abort(); /* not one of those that are generated */
  }
}

static inline struct cell evaluate(const struct expr *expr, const struct cell *row) {
  if (expr->kind == EXPR_COLUMN) return row[expr->column];
  if (expr->kind == EXPR_LITERAL) return evaluate_literal(expr);
  struct cell a = evaluate(expr->arguments[0], row), b = a;
  if (expr->argument_count > 1) b = evaluate(expr->arguments[1], row);
  switch (expr->function) {
  case FUNCTION_AND:
  case FUNCTION_OR:
    return evaluate_logic(expr->function == FUNCTION_AND, &a, &b);
  case FUNCTION_IS_NULL:
    return cell_bool(a.null);
  case FUNCTION_IS_PRESENT:
    return cell_bool(!a.null);
  case FUNCTION_NULLIF: /* only of tags that may be "" */
    if (!a.null && !b.null && cell_order(&a, &b) == 0) return cell_null(expr->type);
    return a;
  case FUNCTION_COALESCE:
    return a.null ? b : a;
  case FUNCTION_NOT_DISTINCT_FROM:
    return cell_bool(cells_same(&a, &b));
  default:
    return evaluate_strict(expr, &a, &b);
  }
}
static inline bool is_true(const struct expr *expr, const struct cell *row) {
  struct cell cell = evaluate(expr, row);
  return !cell.null && cell.boolean;
}

#endif
