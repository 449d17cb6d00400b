/* Constructors of the tree: SELECT and FROM. */
#include "lang/sql/nodes.h"

struct sql_select *sql__select(struct parser *parser, enum sql_select_kind kind, uint32_t offset) {
  struct sql_select *select = NEW(select, sql_select);
  select->kind = kind;
  select->offset = offset;
  return select;
}

static uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }

static uint32_t grouping_depth(uint32_t depth, const struct sql_grouping *grouping) {
  depth = sql__deepest(sql__deeper(depth, grouping->expr), &grouping->exprs);
  for (uint32_t i = 0; i < grouping->set_count; i++)
    depth = max(depth, 1 + grouping_depth(0, &grouping->sets[i]));
  return depth;
}

static uint32_t window_depth(uint32_t depth, const struct sql_window *window) {
  depth = sql__deepest(depth, &window->partition);
  for (uint32_t i = 0; i < window->order.count; i++)
    depth = sql__deeper(depth, window->order.items[i].expr);
  return sql__deeper(sql__deeper(depth, window->start_offset), window->end_offset);
}

static uint32_t with_depth(const struct sql_with *with) {
  const struct sql_statement *statement = with->statement;
  uint32_t depth = statement->select ? statement->select->depth : 0;
  depth = sql__deeper(depth, statement->where);
  for (uint32_t i = 0; i < statement->assignment_count; i++)
    depth = sql__deeper(depth, statement->assignments[i].value);
  for (uint32_t i = 0; i < statement->returning_count; i++)
    depth = sql__deeper(depth, statement->returning[i].expr);
  for (uint32_t i = 0; i < statement->from_count; i++)
    depth = max(depth, statement->from[i]->depth);
  for (uint32_t i = 0; i < statement->with_count; i++)
    depth = max(depth, 1 + with_depth(&statement->with[i]));
  return depth;
}

struct sql_select *sql__whole_select(struct parser *parser, struct sql_select *select) {
  uint32_t depth = sql__deepest(0, &select->distinct_on);
  for (uint32_t i = 0; i < select->with_count; i++)
    depth = max(depth, with_depth(&select->with[i]));
  for (uint32_t i = 0; i < select->item_count; i++)
    depth = sql__deeper(depth, select->items[i].expr);
  for (uint32_t i = 0; i < select->from_count; i++)
    depth = max(depth, select->from[i]->depth);
  depth = sql__deeper(sql__deeper(depth, select->where), select->having);
  for (uint32_t i = 0; i < select->group_count; i++)
    depth = grouping_depth(depth, &select->group[i]);
  for (uint32_t i = 0; i < select->window_count; i++)
    depth = window_depth(depth, &select->windows[i]);
  depth = sql__deepest(sql__deeper(depth, select->latest_on), &select->latest_partition);
  if (select->left) depth = max(depth, max(select->left->depth, select->right->depth));
  depth = sql__deepest(depth, &select->rows);
  for (uint32_t i = 0; i < select->order.count; i++)
    depth = sql__deeper(depth, select->order.items[i].expr);
  depth = sql__deeper(sql__deeper(depth, select->limit), select->offset_rows);
  select->depth = sql__one_deeper(parser, depth, select->offset);
  return select;
}

void sql__add_row(struct parser *parser, struct sql_select *select, struct sql_expr *row) {
  uint32_t count = select->rows.count, capacity = 4;
  while (capacity < count)
    capacity *= 2;
  struct list list = {select->rows.items, count, capacity};
  select->rows = exprs_of(sql__push_expr(parser, list, row));
}

struct sql_select *sql__table_select(struct parser *parser, uint32_t offset,
                                     const struct sql_name *name) {
  struct sql_select *select = sql__select(parser, SQL_SELECT_PLAIN, offset);
  struct sql_item star = {.expr = sql__expr(parser, SQL_STAR, offset)};
  struct list items = sql__push(parser, (struct list){0}, &star, sizeof star);
  struct sql_from *table = sql__table(parser, name);
  struct list from = sql__push(parser, (struct list){0}, &table, sizeof table);
  select->items = items.items;
  select->item_count = items.count;
  select->from = from.items;
  select->from_count = from.count;
  return select;
}

struct sql_select *sql__set_operation(struct parser *parser, enum sql_set_kind kind, bool all,
                                      struct sql_select *left, struct sql_select *right) {
  struct sql_select *select = sql__select(parser, SQL_SELECT_SET, left->offset);
  select->set = kind;
  select->all = all;
  select->left = left;
  select->right = right;
  return select;
}

static void fail_twice(struct parser *parser, const struct sql_select *select, const char *what) {
  sql__fail(parser, ERR_PARSE, parser->text.data + select->offset,
            "multiple %s clauses not allowed", what);
}

void sql__set_order(struct parser *parser, struct sql_select *select, struct list orders) {
  if (select->order.count) fail_twice(parser, select, "ORDER BY");
  select->order = orders_of(orders);
}

void sql__set_limits(struct parser *parser, struct sql_select *select, struct limits limits) {
  if (select->limit && limits.limit) fail_twice(parser, select, "LIMIT");
  if (select->offset_rows && limits.offset) fail_twice(parser, select, "OFFSET");
  if (limits.with_ties && !select->order.count)
    sql__fail(parser, ERR_PARSE, parser->text.data + limits.limit->offset,
              "WITH TIES cannot be specified without ORDER BY clause");
  if (limits.limit) select->limit = limits.limit;
  if (limits.offset) select->offset_rows = limits.offset;
  select->with_ties |= limits.with_ties;
}

void sql__set_with(struct parser *parser, struct sql_select *select, struct with with) {
  if (select->with_count) fail_twice(parser, select, "WITH");
  select->with = with.ctes.items;
  select->with_count = with.ctes.count;
  select->recursive = with.recursive;
  select->offset = with.offset;
}

struct sql_grouping sql__grouping_sets(struct parser *parser, struct list sets) {
  struct sql_grouping grouping = {SQL_GROUP_SETS, .sets = sets.items, .set_count = sets.count};
  if (grouping_depth(0, &grouping) > LIMIT_NESTING_DEPTH)
    sql__one_deeper(parser, LIMIT_NESTING_DEPTH, sql__offset(parser, parser->last_end));
  return grouping;
}

/* ---- FROM ---- */

struct sql_from *sql__table(struct parser *parser, const struct sql_name *name) {
  struct sql_from *from = NEW(from, sql_from);
  from->kind = SQL_FROM_TABLE;
  from->offset = name->offset;
  from->table = *name;
  from->depth = 1;
  return from;
}

void sql__set_as_of(struct parser *parser, struct sql_from *from, struct as_of as_of) {
  from->as_of = as_of.expr;
  from->as_of_commit = as_of.commit;
  from->depth = sql__one_deeper(parser, as_of.expr->depth, from->offset);
}

struct sql_from *sql__from_select(struct parser *parser, struct sql_select *select) {
  struct sql_from *from = NEW(from, sql_from);
  from->kind = SQL_FROM_SELECT;
  from->offset = select->offset;
  from->select = select;
  from->depth = sql__one_deeper(parser, select->depth, from->offset);
  return from;
}

struct sql_from *sql__from_calls(struct parser *parser, uint32_t offset, struct list calls) {
  struct sql_from *from = NEW(from, sql_from);
  from->kind = SQL_FROM_FUNCTION;
  from->offset = offset;
  from->functions = exprs_of(calls);
  from->depth = sql__one_deeper(parser, sql__deepest(0, &from->functions), offset);
  return from;
}

struct sql_from *sql__alias(struct sql_from *from, struct alias alias) {
  from->alias = alias.name;
  from->column_aliases = names_of(alias.columns);
  from->definitions = alias.definitions.items;
  from->definition_count = alias.definitions.count;
  return from;
}

struct sql_from *sql__join(struct parser *parser, enum sql_join_kind kind, struct sql_from *left,
                           struct sql_from *right, struct sql_expr *on, struct list using) {
  struct sql_from *from = NEW(from, sql_from);
  from->kind = SQL_FROM_JOIN;
  from->offset = left->offset;
  from->join = kind;
  from->left = left;
  from->right = right;
  from->on = on;
  from->using = names_of(using);
  from->depth =
      sql__one_deeper(parser, sql__deeper(max(left->depth, right->depth), on), right->offset);
  return from;
}
