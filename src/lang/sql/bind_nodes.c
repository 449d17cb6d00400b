/* Plan nodes over flat streams, each with the schema that it must have. */
#include <string.h>

#include "columnar/builder.h"
#include "lang/sql/bind_private.h"
#include "plan/properties.h"

struct plan_node *bind__node(struct binder *binder, enum plan_kind kind,
                             const struct plan_node *input, struct err *err) {
  struct plan_node *node = bind__take(binder, sizeof *node, err);
  if (!node) return NULL;
  node->kind = kind;
  node->input = input;
  if (input) node->schema = input->schema;
  return node;
}

int bind__project(struct binder *binder, const struct plan_node *input,
                  const struct expr *const *exprs, const struct str *names, uint32_t count,
                  const struct plan_node **made, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_PROJECT, input, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, count, err);
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, count, err);
  if (!node || !columns || !list) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++) {
    list[i] = exprs[i];
    columns[i] = (struct plan_column){names ? names[i] : (struct str){0}, exprs[i]->type};
  }
  node->projection = list;
  node->schema = (struct plan_schema){columns, count, 0, false};
  *made = node;
  return ERR_OK;
}

int bind__extend(struct binder *binder, const struct plan_node *input,
                 const struct expr *const *exprs, uint32_t count, const struct plan_node **made,
                 struct err *err) {
  uint32_t width = input->schema.count;
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, width + count, err);
  struct str *names = BIND_ARRAY(binder, struct str, width + count, err);
  int code = list && names ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < width && !code; i++) {
    names[i] = input->schema.columns[i].name;
    code = bind__column_expr(binder, i, input->schema.columns[i].type, &list[i], err);
  }
  if (code) return code;
  for (uint32_t i = 0; i < count; i++)
    list[width + i] = exprs[i];
  return bind__project(binder, input, list, names, width + count, made, err);
}

int bind__narrow(struct binder *binder, const struct plan_node *input, uint32_t first,
                 uint32_t count, const struct plan_node **made, struct err *err) {
  const struct expr **list = BIND_ARRAY(binder, const struct expr *, count, err);
  struct str *names = BIND_ARRAY(binder, struct str, count, err);
  int code = list && names ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    names[i] = input->schema.columns[first + i].name;
    code =
        bind__column_expr(binder, first + i, input->schema.columns[first + i].type, &list[i], err);
  }
  return code ? code : bind__project(binder, input, list, names, count, made, err);
}

int bind__columns_of(struct binder *binder, const struct plan_node **plan,
                     const struct expr *const *exprs, uint32_t count, uint32_t *columns,
                     struct err *err) {
  const struct expr **added = BIND_ARRAY(binder, const struct expr *, count, err);
  uint32_t more = 0, width = (*plan)->schema.count;
  if (!added) return bind__refused(binder, err);
  for (uint32_t i = 0; i < count; i++) {
    if (exprs[i]->kind == EXPR_COLUMN) {
      columns[i] = exprs[i]->column;
      continue;
    }
    uint32_t at = 0;
    while (at < more && !expr_equal(added[at], exprs[i]))
      at++;
    added[at] = exprs[i];
    if (at == more) more++;
    columns[i] = width + at;
  }
  return more ? bind__extend(binder, *plan, added, more, plan, err) : ERR_OK;
}

int bind__column_of(struct binder *binder, const struct plan_node **plan, const struct expr *expr,
                    uint32_t *column, struct err *err) {
  return bind__columns_of(binder, plan, &expr, 1, column, err);
}

int bind__filter(struct binder *binder, const struct plan_node *input, const struct expr *condition,
                 const struct plan_node **made, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_FILTER, input, err);
  if (!node) return bind__refused(binder, err);
  node->filter = condition;
  *made = node;
  return ERR_OK;
}

/* Left columns, then right ones unless `left_only`. */
static int join_schema(struct binder *binder, const struct plan_node *left,
                       const struct plan_node *right, bool left_only, struct plan_schema *schema,
                       struct err *err) {
  uint32_t first = left->schema.count, more = left_only ? 0 : right->schema.count;
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, first + more, err);
  if (!columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < first; i++)
    columns[i] = left->schema.columns[i];
  for (uint32_t i = 0; i < more; i++)
    columns[first + i] = right->schema.columns[i];
  *schema = (struct plan_schema){columns, first + more, 0, false};
  return ERR_OK;
}

int bind__join(struct binder *binder, const struct plan_node *left, const struct plan_node *right,
               enum plan_join_kind kind, const struct expr *condition,
               const struct plan_joining *shape, const struct plan_node **made, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_JOIN, left, err);
  if (!node) return bind__refused(binder, err);
  node->right = right;
  node->join = shape ? *shape : (struct plan_joining){.asof_tolerance = -1};
  node->join.kind = kind;
  node->join.condition = condition;
  *made = node;
  bool left_only = kind == JOIN_SEMI || kind == JOIN_ANTI;
  return join_schema(binder, left, right, left_only, &node->schema, err);
}

int bind__apply(struct binder *binder, enum plan_apply_kind kind, const struct plan_node *left,
                const struct plan_node *right, const uint32_t *columns, uint32_t count,
                uint32_t first, const struct plan_node **made, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_APPLY, left, err);
  if (!node) return bind__refused(binder, err);
  node->right = right;
  node->apply = (struct plan_applying){kind, columns, count, first};
  *made = node;
  bool left_only = kind == APPLY_SEMI || kind == APPLY_ANTI;
  return join_schema(binder, left, right, left_only, &node->schema, err);
}

int bind__sort(struct binder *binder, const struct plan_node *input,
               const struct plan_sort_key *keys, uint32_t count, const struct plan_node **made,
               struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_SORT, input, err);
  if (!node) return bind__refused(binder, err);
  node->sort = (struct plan_sorting){.keys = keys, .key_count = count, .limit = UINT64_MAX};
  *made = node;
  return ERR_OK;
}

int bind__unique(struct binder *binder, const struct plan_node *input, const uint32_t *columns,
                 uint32_t count, const struct plan_node **made, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_UNIQUE, input, err);
  if (!node) return bind__refused(binder, err);
  node->unique = (struct plan_uniqueness){columns, count};
  *made = node;
  return ERR_OK;
}

int bind__limit(struct binder *binder, const struct plan_node *input, uint64_t limit,
                uint64_t offset, const struct plan_node **made, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_LIMIT, input, err);
  if (!node) return bind__refused(binder, err);
  node->limit = (struct plan_limit){.limit = limit, .offset = offset};
  *made = node;
  return ERR_OK;
}

int bind__one_row(struct binder *binder, const struct plan_node **made, struct err *err) {
  const struct expr *value, **row = &value;
  struct plan_column column = {.type = TYPE_BOOL};
  const struct expr *const *const rows[] = {row};
  int code = bind__boolean_literal(binder, true, &value, err);
  return code ? code : bind__values(binder, rows, 1, &column, 1, made, err);
}

static void append_value(struct builder *builder, const struct plan_value *value) {
  if (value->null)
    builder_append_null(builder);
  else if (type_is_string(value->type))
    builder_append_str(builder, value->text);
  else if (value->type.physical == PHYSICAL_BOOL)
    builder_append_bool(builder, value->boolean);
  else if (value->type.physical == PHYSICAL_FLOAT64)
    builder_append_f64(builder, value->f64);
  else
    builder_append_u64(builder, value->u64);
}

static int values_column(struct binder *binder, const struct expr *const *const *rows,
                         uint32_t row_count, uint32_t index, struct type type,
                         struct column *column, struct err *err) {
  struct builder builder;
  uint32_t *all = BIND_ARRAY(binder, uint32_t, row_count, err);
  if (!all) return bind__refused(binder, err);
  builder_init(&builder, type, binder->context->account);
  for (uint32_t r = 0; r < row_count; r++) {
    all[r] = r;
    append_value(&builder, &rows[r][index]->literal);
  }
  int code = builder_check(&builder, err);
  struct column view = builder_view(&builder);
  if (!code) code = column_take(&view, all, row_count, binder->arena, column, err);
  builder_deinit(&builder);
  return code;
}

int bind__values(struct binder *binder, const struct expr *const *const *rows, uint32_t row_count,
                 const struct plan_column *columns, uint32_t count, const struct plan_node **made,
                 struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_VALUES, NULL, err);
  struct plan_column *schema = BIND_ARRAY(binder, struct plan_column, count, err);
  struct column *list = BIND_ARRAY(binder, struct column, count, err);
  int code = node && schema && list ? ERR_OK : bind__refused(binder, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    schema[i] = columns[i];
    code = values_column(binder, rows, row_count, i, columns[i].type, &list[i], err);
  }
  if (code) return code;
  node->schema = (struct plan_schema){schema, count, 0, false};
  node->values = (struct batch){row_count, count, list};
  *made = node;
  return ERR_OK;
}

uint64_t bind__node_count(const struct plan_node *plan, uint64_t most) {
  uint64_t count = 1;
  if (plan->input) count += bind__node_count(plan->input, most);
  if (plan->right && count < most) count += bind__node_count(plan->right, most - count);
  return count;
}
