/* WITH: queries by name.
 *
 * A query is bound once, where it is named; every reference is its plan again, which the rules then
 * make better for its place. RECURSIVE ones are a PLAN_RECURSE: the name inside is its working
 * table. */
#include "lang/sql/bind_private.h"

/* Nodes that references may multiply a plan to: WITH a …, b (a, a), c (b, b) … doubles each time.
 */
enum { NODES_MAX = 20000 };

struct bind_with *bind__find_with(struct binder *binder, const struct sql_name *name) {
  if (name->count != 1) return NULL;
  for (struct bind_with *with = binder->with; with; with = (struct bind_with *)with->outer)
    if (str_equal(with->name, name->parts[0])) return with;
  return NULL;
}

static int working_table(struct binder *binder, struct bind_with *with,
                         const struct plan_node **plan, struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_WORKING, NULL, err);
  struct plan_column *columns = BIND_ARRAY(binder, struct plan_column, with->count, err);
  if (!node || !columns) return bind__refused(binder, err);
  for (uint32_t i = 0; i < with->count; i++)
    columns[i] = (struct plan_column){with->columns[i].name, with->columns[i].type};
  node->schema = (struct plan_schema){columns, with->count, 0, false};
  node->recurse.working = with->working;
  with->uses++;
  *plan = node;
  return ERR_OK;
}

int bind__from_with(struct binder *binder, const struct sql_from *from, struct bind_with *with,
                    struct bind_rows *rows, struct err *err) {
  int code = ERR_OK;
  struct str name = text_cut(with->name, 60);
  if (with->unusable)
    return bind__fail(err, from->offset, ERR_RECURSION,
                      with->working
                          ? "recursive reference to query \"%.*s\" must not appear within "
                            "its non-recursive term"
                          : "recursive query \"%.*s\" does not have the form "
                            "non-recursive-term UNION [ALL] recursive-term",
                      STR_ARG(name));
  if (with->working) {
    code = working_table(binder, with, &rows->plan, err);
  } else {
    rows->plan = with->plan;
    binder->nodes += with->nodes;
    if (binder->nodes > NODES_MAX)
      return bind__fail(err, from->offset, ERR_LIMIT_EXCEEDED,
                        "references to WITH queries make a plan of more than %d nodes", NODES_MAX);
  }
  if (!code)
    code = bind__table_names(binder, with->name, with->columns, with->count, &rows->names, err);
  return code ? code : bind__alias(binder, from, rows, err);
}

/* ---- naming ---- */

/* The columns under the names that WITH gives them. */
static int name_columns(struct binder *binder, const struct sql_with *tree,
                        const struct sql_result_column *columns, uint32_t count,
                        struct bind_with *with, struct err *err) {
  struct sql_result_column *list = BIND_ARRAY(binder, struct sql_result_column, count, err);
  if (!list) return bind__refused(binder, err);
  if (tree->columns.count > count)
    return bind__fail(err, tree->offset, ERR_COLUMN_REFERENCE,
                      "WITH query \"%.*s\" has %u columns available but %u columns specified",
                      STR_ARG(text_cut(tree->name, 60)), count, tree->columns.count);
  for (uint32_t i = 0; i < count; i++) {
    list[i] = columns[i];
    if (i < tree->columns.count) list[i].name = tree->columns.items[i];
  }
  with->columns = list;
  with->count = count;
  return ERR_OK;
}

static int plain(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
                 const struct sql_with *tree, struct bind_with *with, struct err *err) {
  struct bind_result result;
  uint64_t before = binder->nodes;
  int code = bind__select(binder, outer, capture, tree->statement->select, NULL, &result, err);
  if (!code) code = bind__close(binder, &result, err);
  if (!code) code = name_columns(binder, tree, result.columns, result.count, with, err);
  if (code) return code;
  with->plan = result.plan;
  with->nodes = bind__node_count(result.plan, NODES_MAX + 1);
  binder->nodes = before; /* counted where it is referred to */
  return ERR_OK;
}

/* ---- RECURSIVE ---- */

static int check_types(const struct sql_with *tree, const struct bind_result *base,
                       const struct bind_result *step, struct err *err) {
  if (base->count != step->count)
    return bind__fail(err, tree->offset, ERR_PARSE,
                      "each UNION query must have the same number of columns");
  for (uint32_t i = 0; i < base->count; i++) {
    struct type types[] = {base->columns[i].type, step->columns[i].type}, common;
    char had[SQL_TYPE_TEXT_MAX], has[SQL_TYPE_TEXT_MAX];
    int code = bind__at(err, tree->offset, sql_common_type(types, 2, "UNION", &common, err));
    if (code) return code;
    if (type_equal(common, types[0])) continue;
    bind__fail(err, tree->offset, ERR_TYPE_CONFLICT,
               "recursive query \"%.*s\" column %u has type %s in non-recursive term but type %s "
               "overall",
               STR_ARG(text_cut(tree->name, 40)), i + 1, sql_type_text(types[0], had),
               sql_type_text(common, has));
    err_hint(err, "Cast the output of the non-recursive term to the correct type.");
    return ERR_TYPE_CONFLICT;
  }
  return ERR_OK;
}

static int recurse_node(struct binder *binder, const struct sql_select *select,
                        const struct bind_with *with, const struct bind_result *base,
                        const struct bind_result *step, const struct plan_node **made,
                        struct err *err) {
  struct plan_node *node = bind__node(binder, PLAN_RECURSE, base->plan, err);
  if (!node) return bind__refused(binder, err);
  node->right = step->plan;
  node->recurse = (struct plan_recursion){with->working, select->all};
  *made = node;
  return ERR_OK;
}

/* The recursive term reads what the round before gave. */
static int recursive(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
                     const struct sql_with *tree, struct bind_with *with, struct err *err) {
  const struct sql_select *select = tree->statement->select;
  struct bind_result base, step, result;
  uint64_t before = binder->nodes;
  with->working = ++binder->workings;
  with->unusable = true;
  int code = bind__select(binder, outer, capture, select->left, NULL, &base, err);
  if (!code) code = bind__close(binder, &base, err);
  if (!code) code = name_columns(binder, tree, base.columns, base.count, with, err);
  with->unusable = false;
  if (!code) code = bind__select(binder, outer, capture, select->right, NULL, &step, err);
  if (code) return code;
  if (with->uses) {
    code = check_types(tree, &base, &step, err);
    for (uint32_t i = 0; i < base.count && !code; i++) {
      const struct sql_type type = {.type = base.columns[i].type};
      code = bind__retype(binder, &step, i, &type, SQL_IMPLICIT, err);
      if (!code && !select->all) code = bind__check_equal(type.type, tree->offset, err);
    }
    if (!code) code = bind__close(binder, &step, err);
    result = base;
    if (!code) code = recurse_node(binder, select, with, &base, &step, &result.plan, err);
  } else {
    code = bind__combine(binder, SQL_UNION, select->all, &base, &step, tree->offset, &result, err);
  }
  if (!code) code = bind__order_result(binder, outer, capture, select, &result, err);
  if (!code) code = name_columns(binder, tree, result.columns, result.count, with, err);
  if (code) return code;
  with->plan = result.plan;
  with->nodes = bind__node_count(result.plan, NODES_MAX + 1);
  with->working = 0;
  binder->nodes = before;
  return ERR_OK;
}

int bind__with(struct binder *binder, struct bind_scope *outer, struct bind_capture *capture,
               const struct sql_select *select, struct err *err) {
  struct bind_with *before = binder->with;
  for (uint32_t i = 0; i < select->with_count; i++) {
    const struct sql_with *tree = &select->with[i];
    struct bind_with *with = bind__take(binder, sizeof *with, err);
    if (!with) return bind__refused(binder, err);
    for (const struct bind_with *at = binder->with; at != before; at = at->outer)
      if (str_equal(at->name, tree->name))
        return bind__fail(err, tree->offset, ERR_DUPLICATE_ALIAS,
                          "WITH query name \"%.*s\" specified more than once",
                          STR_ARG(text_cut(tree->name, 60)));
    if (tree->statement->kind != SQL_STATEMENT_SELECT)
      return bind__fail(err, tree->offset, ERR_UNSUPPORTED,
                        "statements that change data can't stand in WITH");
    *with = (struct bind_with){.outer = binder->with, .name = tree->name};
    const struct sql_select *inner = tree->statement->select;
    bool unions = inner->kind == SQL_SELECT_SET && inner->set == SQL_UNION && !inner->with_count;
    with->unusable = select->recursive;
    int code;
    if (select->recursive) binder->with = with;
    if (select->recursive && unions)
      code = recursive(binder, outer, capture, tree, with, err);
    else
      code = plain(binder, outer, capture, tree, with, err);
    if (code) return code;
    with->unusable = false;
    binder->with = with;
  }
  return ERR_OK;
}
