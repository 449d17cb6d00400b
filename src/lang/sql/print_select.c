/* SELECT and FROM as text that parses back to the same tree. */
#include "base/buffer.h"
#include "lang/sql/sql.h"
#include "lang/sql/syntax.h"

/* ---- windows ---- */

static void print_bound(enum sql_frame_bound bound, const struct sql_expr *offset,
                        struct buffer *out) {
  /* In parentheses, but for plain ones: a bound is an operand. */
  bool plain = offset && (offset->kind == SQL_NUMBER || offset->kind == SQL_PARAMETER);
  if (offset) {
    buffer_append_text(out, plain ? "" : "(");
    sql_print_expr(offset, out);
    buffer_append_text(out, plain ? "" : ")");
  }
  static const char *const texts[] = {"UNBOUNDED PRECEDING", " PRECEDING", "CURRENT ROW",
                                      " FOLLOWING", "UNBOUNDED FOLLOWING"};
  buffer_append_text(out, texts[bound]);
}

static void print_frame(const struct sql_window *window, const char *glue, struct buffer *out) {
  static const char *const units[] = {"ROWS", "RANGE", "GROUPS"};
  static const char *const excluded[] = {"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP",
                                         " EXCLUDE TIES"};
  if (window->has_frame) {
    buffer_printf(out, "%s%s BETWEEN ", glue, units[window->unit]);
    print_bound(window->start, window->start_offset, out);
    buffer_append_text(out, " AND ");
    print_bound(window->end, window->end_offset, out);
  }
  buffer_append_text(out, excluded[window->exclude]);
}

void sql__print_window(const struct sql_window *window, struct buffer *out) {
  const char *glue = "";
  buffer_append_byte(out, '(');
  if (window->base.size) {
    sql_print_name(window->base, out);
    glue = " ";
  }
  if (window->partition.count) {
    buffer_printf(out, "%sPARTITION BY ", glue);
    sql__print_expr_list(&window->partition, out);
    glue = " ";
  }
  if (window->order.count) {
    buffer_printf(out, "%sORDER BY ", glue);
    sql__print_orders(&window->order, out);
    glue = " ";
  }
  print_frame(window, glue, out);
  buffer_append_byte(out, ')');
}

/* ---- FROM ---- */

static void print_alias(const struct sql_from *from, struct buffer *out) {
  if (from->alias.size) {
    buffer_append_text(out, " AS ");
    sql_print_name(from->alias, out);
  } else if (from->definition_count) {
    buffer_append_text(out, " AS");
  }
  if (from->column_aliases.count) {
    buffer_append_text(out, " (");
    sql__print_names(&from->column_aliases, out);
    buffer_append_byte(out, ')');
  }
  if (!from->definition_count) return;
  buffer_append_text(out, " (");
  for (uint32_t i = 0; i < from->definition_count; i++) {
    if (i) buffer_append_text(out, ", ");
    sql_print_name(from->definitions[i].name, out);
    buffer_append_byte(out, ' ');
    sql__print_type(from->definitions[i].type, out);
  }
  buffer_append_byte(out, ')');
}

static void print_functions(const struct sql_from *from, struct buffer *out) {
  bool several = from->functions.count > 1;
  if (several) buffer_append_text(out, "ROWS FROM (");
  sql__print_expr_list(&from->functions, out);
  if (several) buffer_append_byte(out, ')');
  if (from->with_ordinality) buffer_append_text(out, " WITH ORDINALITY");
}

static void print_from(const struct sql_from *from, struct buffer *out);

/* A side of a join: a join in its turn is in parentheses, on the right and where it has a name. */
static void print_side(const struct sql_from *from, bool right, struct buffer *out) {
  bool parentheses = right && from->kind == SQL_FROM_JOIN && !from->alias.size;
  if (parentheses) buffer_append_byte(out, '(');
  print_from(from, out);
  if (parentheses) buffer_append_byte(out, ')');
}

static void print_join(const struct sql_from *from, struct buffer *out) {
  static const char *const kinds[] = {"", "LEFT ", "RIGHT ", "FULL ", "CROSS "};
  bool named = from->alias.size > 0;
  if (named) buffer_append_byte(out, '(');
  print_side(from->left, false, out);
  buffer_printf(out, " %s%s%sJOIN ", from->natural ? "NATURAL " : "", from->asof ? "ASOF " : "",
                kinds[from->join]);
  print_side(from->right, true, out);
  if (from->on) {
    buffer_append_text(out, " ON ");
    sql_print_expr(from->on, out);
  }
  if (from->using.count) {
    buffer_append_text(out, " USING (");
    sql__print_names(&from->using, out);
    buffer_append_byte(out, ')');
  }
  if (from->tolerance) {
    buffer_append_text(out, " TOLERANCE (");
    sql_print_expr(from->tolerance, out);
    buffer_append_byte(out, ')');
  }
  if (named) buffer_append_byte(out, ')');
}

static void print_from(const struct sql_from *from, struct buffer *out) {
  if (from->lateral) buffer_append_text(out, "LATERAL ");
  switch (from->kind) {
  case SQL_FROM_TABLE:
    sql__print_dotted(&from->table, out);
    if (from->as_of) {
      buffer_printf(out, " FOR SYSTEM_TIME AS OF %s(", from->as_of_commit ? "COMMIT " : "");
      sql_print_expr(from->as_of, out);
      buffer_append_byte(out, ')');
    }
    break;
  case SQL_FROM_SELECT:
    buffer_append_byte(out, '(');
    sql_print_select(from->select, out);
    buffer_append_byte(out, ')');
    break;
  case SQL_FROM_FUNCTION:
    print_functions(from, out);
    break;
  case SQL_FROM_JOIN:
    print_join(from, out);
    break;
  }
  print_alias(from, out);
}

void sql__print_froms(struct sql_from *const *from, uint32_t count, struct buffer *out) {
  for (uint32_t i = 0; i < count; i++) {
    if (i) buffer_append_text(out, ", ");
    print_from(from[i], out);
  }
}

/* ---- SELECT ---- */

void sql__print_items(const struct sql_item *items, uint32_t count, struct buffer *out) {
  for (uint32_t i = 0; i < count; i++) {
    if (i) buffer_append_text(out, ", ");
    sql_print_expr(items[i].expr, out);
    if (items[i].alias.size) {
      buffer_append_text(out, " AS ");
      sql_print_name(items[i].alias, out);
    }
  }
}

void sql__print_with(const struct sql_with *with, uint32_t count, bool recursive,
                     struct buffer *out) {
  if (!count) return;
  buffer_append_text(out, recursive ? "WITH RECURSIVE " : "WITH ");
  for (uint32_t i = 0; i < count; i++) {
    if (i) buffer_append_text(out, ", ");
    sql_print_name(with[i].name, out);
    if (with[i].columns.count) {
      buffer_append_text(out, " (");
      sql__print_names(&with[i].columns, out);
      buffer_append_byte(out, ')');
    }
    buffer_append_text(out, " AS (");
    sql_print(with[i].statement, out);
    buffer_append_byte(out, ')');
  }
  buffer_append_byte(out, ' ');
}

static void print_grouping(const struct sql_grouping *grouping, struct buffer *out) {
  switch (grouping->kind) {
  case SQL_GROUP_EXPR:
    sql_print_expr(grouping->expr, out);
    return;
  case SQL_GROUP_EMPTY:
    buffer_append_text(out, "()");
    return;
  case SQL_GROUP_ROLLUP:
  case SQL_GROUP_CUBE:
    buffer_append_text(out, grouping->kind == SQL_GROUP_CUBE ? "CUBE (" : "ROLLUP (");
    sql__print_expr_list(&grouping->exprs, out);
    break;
  case SQL_GROUP_SETS:
    buffer_append_text(out, "GROUPING SETS (");
    for (uint32_t i = 0; i < grouping->set_count; i++) {
      if (i) buffer_append_text(out, ", ");
      print_grouping(&grouping->sets[i], out);
    }
    break;
  }
  buffer_append_byte(out, ')');
}

static void print_clause(const char *word, const struct sql_expr *expr, struct buffer *out) {
  if (!expr) return;
  buffer_append_text(out, word);
  sql_print_expr(expr, out);
}

static void print_group(const struct sql_select *select, struct buffer *out) {
  if (!select->has_group) return;
  buffer_append_text(out, select->group_all ? " GROUP BY ALL" : " GROUP BY ");
  for (uint32_t i = 0; i < select->group_count; i++) {
    if (i) buffer_append_text(out, ", ");
    print_grouping(&select->group[i], out);
  }
}

static void print_plain(const struct sql_select *select, struct buffer *out) {
  buffer_append_text(out, select->distinct ? "SELECT DISTINCT" : "SELECT");
  if (select->distinct_on.count) {
    buffer_append_text(out, " ON (");
    sql__print_expr_list(&select->distinct_on, out);
    buffer_append_byte(out, ')');
  }
  if (select->item_count) buffer_append_byte(out, ' ');
  sql__print_items(select->items, select->item_count, out);
  if (select->from_count) buffer_append_text(out, " FROM ");
  sql__print_froms(select->from, select->from_count, out);
  print_clause(" WHERE ", select->where, out);
  if (select->latest_on) {
    buffer_append_text(out, " LATEST ON (");
    sql_print_expr(select->latest_on, out);
    buffer_append_text(out, ") PARTITION BY ");
    sql__print_expr_list(&select->latest_partition, out);
  }
  print_group(select, out);
  print_clause(" HAVING ", select->having, out);
  for (uint32_t i = 0; i < select->window_count; i++) {
    buffer_append_text(out, i ? ", " : " WINDOW ");
    sql_print_name(select->windows[i].name, out);
    buffer_append_text(out, " AS ");
    sql__print_window(&select->windows[i], out);
  }
}

static bool has_tail(const struct sql_select *select) {
  return select->order.count || select->limit || select->offset_rows || select->with_count;
}

/* A side of UNION and its kin: in parentheses where it would be read otherwise. */
static void print_operand(const struct sql_select *parent, const struct sql_select *side,
                          bool right, struct buffer *out) {
  bool looser = side->kind == SQL_SELECT_SET &&
                (right || (parent->set == SQL_INTERSECT && side->set != SQL_INTERSECT));
  bool parentheses = looser || has_tail(side);
  if (parentheses) buffer_append_byte(out, '(');
  sql_print_select(side, out);
  if (parentheses) buffer_append_byte(out, ')');
}

static void print_set(const struct sql_select *select, struct buffer *out) {
  static const char *const words[] = {" UNION ", " INTERSECT ", " EXCEPT "};
  print_operand(select, select->left, false, out);
  buffer_append_text(out, words[select->set]);
  if (select->all) buffer_append_text(out, "ALL ");
  print_operand(select, select->right, true, out);
}

static void print_values(const struct sql_select *select, struct buffer *out) {
  buffer_append_text(out, "VALUES ");
  for (uint32_t i = 0; i < select->rows.count; i++) {
    buffer_append_text(out, i ? ", (" : "(");
    sql__print_expr_list(&select->rows.items[i]->arguments, out);
    buffer_append_byte(out, ')');
  }
}

static void print_limits(const struct sql_select *select, struct buffer *out) {
  print_clause(" OFFSET ", select->offset_rows, out);
  if (!select->with_ties) {
    print_clause(" LIMIT ", select->limit, out);
    return;
  }
  buffer_append_text(out, " FETCH FIRST (");
  sql_print_expr(select->limit, out);
  buffer_append_text(out, ") ROWS WITH TIES");
}

void sql_print_select(const struct sql_select *select, struct buffer *out) {
  sql__print_with(select->with, select->with_count, select->recursive, out);
  switch (select->kind) {
  case SQL_SELECT_PLAIN:
    print_plain(select, out);
    break;
  case SQL_SELECT_SET:
    print_set(select, out);
    break;
  case SQL_SELECT_VALUES:
    print_values(select, out);
    break;
  }
  if (select->order.count) {
    buffer_append_text(out, " ORDER BY ");
    sql__print_orders(&select->order, out);
  }
  print_limits(select, out);
}
