/* A table whose rows a statement changes: what its columns are, running plans into rows that stay,
 * what new rows must obey, and RETURNING. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/hash_table.h"
#include "base/text.h"
#include "query/sql_change_private.h"

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

/* ---- the target ---- */

/* What columns take: lengths, precisions, defaults. */
static int describe(struct change_target *target, struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  const struct sql_relation *relation = target->relation;
  uint32_t count = relation->column_count;
  target->types = ARENA_ARRAY(arena, struct sql_type, count + 1);
  target->defaults = ARENA_ARRAY(arena, const struct sql_expr *, count + 1);
  if (!target->types || !target->defaults)
    return refused(target->query, count * sizeof *target->types, err);
  for (uint32_t i = 0; i < count; i++) {
    const struct sql_relation_column *column = &relation->columns[i];
    bool is_key = column->source == SQL_SOURCE_KEY;
    if (is_key) target->key = i;
    target->types[i] = (struct sql_type){.type = column->type};
    const struct catalog_column_definition *said =
        catalog_column_definition_of(target->definition, is_key ? 0 : column->id);
    if (!said) continue;
    target->types[i].length = said->length;
    target->types[i].blank_padded = said->padded;
    target->types[i].precision = said->precision;
    target->types[i].scale = said->scale;
    target->types[i].fraction = said->fraction;
    struct sql_expr *expr;
    if (!said->default_text.size) continue;
    int code = sql_parse_expr(said->default_text, arena, &expr, err);
    if (code) return code;
    target->defaults[i] = expr;
  }
  return ERR_OK;
}

/* The target, whose relation is found. */
static int aim(struct change_target *target, const struct sql_relation *found, struct str alias,
               struct err *err) {
  struct sql_relation *relation = ARENA_NEW(&target->query->statement.arena, struct sql_relation);
  if (!relation) return refused(target->query, sizeof *relation, err);
  *relation = *found;
  if (alias.size) relation->name = alias;
  target->relation = relation;
  target->table = relation->table;
  target->definition = catalog_table_definition(target->table);
  target->rows = relation->relational;
  return describe(target, err);
}

int change__target_made(struct query *query, struct catalog_table *table,
                        struct change_target *target, struct err *err) {
  const struct sql_relation *found;
  *target = (struct change_target){.query = query};
  catalog_table_retain(table);
  int code = query__sql_table(query, table, &found, err);
  return code ? code : aim(target, found, (struct str){0}, err);
}

int change__target(struct query *query, const struct sql_name *name, struct str alias,
                   struct change_target *target, struct err *err) {
  *target = (struct change_target){.query = query};
  const struct sql_relation *found;
  int code = query__sql_find(query, name, &found, err);
  if (code) return code;
  if (found->kind != SQL_RELATION_TABLE) {
    bool is_view = found->kind == SQL_RELATION_VIEW;
    err_set(err, ERR_WRONG_OBJECT, "cannot change %s \"%.*s\"", is_view ? "view" : "system table",
            STR_ARG(text_cut(found->name, 100)));
    err_hint(err, is_view ? "change the tables that it reads" : "it shows what is");
    err_position(err, 0, 0, name->offset);
    return ERR_WRONG_OBJECT;
  }
  return aim(target, found, alias, err);
}

int change__find_column(const struct change_target *target, struct str name, uint32_t offset,
                        uint32_t *column, struct err *err) {
  struct text_nearest nearest = text_nearest_of(name);
  for (uint32_t i = 0; i < target->relation->column_count; i++) {
    if (target->relation->columns[i].hidden) continue;
    text_nearest_offer(&nearest, target->relation->columns[i].name);
    if (!str_equal(target->relation->columns[i].name, name)) continue;
    *column = i;
    return ERR_OK;
  }
  err_set(err, ERR_UNKNOWN_COLUMN, "column \"%.*s\" of relation \"%.*s\" does not exist",
          STR_ARG(text_cut(name, 100)), STR_ARG(text_cut(target->table->name, 100)));
  if (nearest.best.size)
    err_hint(err, "perhaps \"%.*s\" is meant", STR_ARG(text_cut(nearest.best, 100)));
  err_position(err, 0, 0, offset);
  return ERR_UNKNOWN_COLUMN;
}

/* ---- values for columns ---- */

int change__cast(struct query *query, struct sql_expr **expr, struct type type, struct err *err) {
  struct arena *arena = &query->statement.arena;
  enum sql_expr_kind kind = (*expr)->kind;
  char name[SQL_TYPE_TEXT_MAX];
  struct sql_expr *cast;
  if (kind != SQL_STRING && kind != SQL_NULL && kind != SQL_PARAMETER) return ERR_OK;
  struct str kept = arena_format(arena, "NULL::%s", sql_type_text(type, name));
  int code = kept.data ? sql_parse_expr(kept, arena, &cast, err) : refused(query, 64, err);
  struct sql_expr *made = code ? NULL : ARENA_NEW(arena, struct sql_expr);
  struct sql_expr **argument = made ? ARENA_NEW(arena, struct sql_expr *) : NULL;
  if (!code && !argument) code = refused(query, sizeof *made, err);
  if (code) return code;
  *made = *cast;
  *argument = *expr;
  made->offset = (*expr)->offset;
  made->arguments = (struct sql_exprs){argument, 1};
  *expr = made;
  return ERR_OK;
}

int change__coerce(struct change_target *target, const struct expr *value, uint32_t column,
                   struct type type, const struct expr **coerced, struct err *err) {
  struct sql_type wanted = target->types[column];
  wanted.type = type;
  int code = sql_coerce_typed(&target->query->statement.sql_context, value, &wanted, SQL_ASSIGNMENT,
                              coerced, err);
  if (code != ERR_CANNOT_COERCE && code != ERR_TYPE_CONFLICT) return code;
  char have[SQL_TYPE_TEXT_MAX], want[SQL_TYPE_TEXT_MAX];
  err_set(err, ERR_TYPE_CONFLICT, "column \"%.*s\" is of type %s but expression is of type %s",
          STR_ARG(text_cut(target->relation->columns[column].name, 80)), sql_type_text(type, want),
          sql_type_text(value->type, have));
  err_hint(err, "You will need to rewrite or cast the expression.");
  return ERR_TYPE_CONFLICT;
}

/* ---- rows that stay ---- */

int change__rows_init(struct change_rows *rows, struct query *query, const struct type *types,
                      uint32_t count, struct err *err) {
  *rows = (struct change_rows){.account = &query->account};
  rows->columns = mem_alloc(&query->account, (count + 1) * sizeof *rows->columns);
  if (!rows->columns) return refused(query, count * sizeof *rows->columns, err);
  rows->column_count = count;
  for (uint32_t i = 0; i < count; i++)
    builder_init(&rows->columns[i], types[i], &query->account);
  return ERR_OK;
}

void change__rows_deinit(struct change_rows *rows) {
  if (!rows->columns) return;
  for (uint32_t i = 0; i < rows->column_count; i++)
    builder_deinit(&rows->columns[i]);
  mem_free(rows->account, rows->columns, (rows->column_count + 1) * sizeof *rows->columns);
  rows->columns = NULL;
}

static void append(struct builder *builder, const struct column *column, int64_t count) {
  if (!column->dictionary) {
    builder_append_column(builder, column, 0, count);
    return;
  }
  for (int64_t row = 0; row < count; row++)
    if (column_is_valid(column, row) && column_is_valid(column->dictionary, column->i32[row]))
      builder_append_str(builder, column_str(column->dictionary, column->i32[row]));
    else
      builder_append_null(builder);
}

static int gather(struct exec *exec, struct change_rows *rows, struct err *err) {
  struct exec_batch batch;
  for (;;) {
    int code = exec_next(exec, &batch, err);
    if (code || !batch.batch.length) return code;
    for (uint32_t i = 0; i < rows->column_count && !code; i++) {
      append(&rows->columns[i], &batch.batch.columns[i], batch.batch.length);
      code = builder_check(&rows->columns[i], err);
    }
    rows->count += batch.batch.length;
    if (!code && rows->count > INT32_MAX)
      code = err_set(err, ERR_LIMIT_EXCEEDED, "one statement changes at most %d rows", INT32_MAX);
    if (code) return code;
  }
}

int change__run(struct query *query, const struct plan_node *plan, bool alone,
                struct change_rows *rows, struct err *err) {
  struct exec_options options = {
      .snapshot = query->statement.snapshot,
      .pool = alone ? NULL : table_engine_pool(query->engine),
      .account = &query->account,
      .deadline_ns = query->deadline_ns,
      .cancelled = &query->cancelled,
      .os = table_engine_os(query->engine),
      .space = query->control ? query__control_space(query->control) : NULL,
  };
  struct exec *exec;
  struct err local = {.offset = -1};
  plan = plan_optimize(&query->statement.arena, plan, &local);
  if (!plan) {
    if (!local.code) return refused(query, sizeof *plan, err);
    if (err) *err = local;
    return local.code;
  }
  int code = exec_open(plan, &options, &exec, err);
  if (code) return code;
  code = gather(exec, rows, err);
  exec_close(exec);
  return code;
}

const struct plan_node *change__values(struct query *query, const struct change_rows *rows,
                                       struct err *err) {
  struct arena *arena = &query->statement.arena;
  uint32_t count = rows->column_count;
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_column *columns = ARENA_ARRAY(arena, struct plan_column, count + 1);
  struct column *values = ARENA_ARRAY(arena, struct column, count + 1);
  if (!node || !columns || !values) {
    refused(query, count * sizeof *values, err);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    columns[i] = (struct plan_column){STR("c"), rows->columns[i].type};
    values[i] = builder_view(&rows->columns[i]);
  }
  *node = (struct plan_node){.kind = PLAN_VALUES,
                             .schema = {.columns = columns, .count = count},
                             .values = {rows->count, count, values}};
  return node;
}

const struct plan_node *change__project(struct query *query, const struct plan_node *input,
                                        const struct expr *const *exprs, uint32_t count,
                                        struct err *err) {
  struct arena *arena = &query->statement.arena;
  struct plan_node *node = ARENA_NEW(arena, struct plan_node);
  struct plan_column *columns = ARENA_ARRAY(arena, struct plan_column, count + 1);
  if (!node || !columns) {
    refused(query, count * sizeof *columns, err);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++)
    columns[i] = (struct plan_column){STR("c"), exprs[i]->type};
  *node = (struct plan_node){.kind = PLAN_PROJECT,
                             .schema = {.columns = columns, .count = count},
                             .input = input,
                             .projection = exprs};
  return node;
}

/* Expressions over rows that are there, appended to `out`. */
static int evaluate(struct change_target *target, const struct change_rows *rows,
                    const struct expr *const *exprs, uint32_t count, struct change_rows *out,
                    struct err *err) {
  struct query *query = target->query;
  const struct plan_node *values = change__values(query, rows, err);
  const struct plan_node *plan = values ? change__project(query, values, exprs, count, err) : NULL;
  return plan ? change__run(query, plan, target->turn.engine != NULL, out, err) : ERR_NO_MEMORY;
}

/* ---- what new rows must obey ---- */

/* "(1, null, text)" of a row, cut. */
static void row_text(const struct change_target *target, const struct change_rows *rows,
                     int64_t row, char *out, size_t size) {
  size_t used = 0;
  for (uint32_t i = 0; i < rows->column_count && used + 40 < size; i++) {
    const struct sql_relation_column *column = &target->relation->columns[i];
    if (column->hidden) continue;
    struct column view = builder_view(&rows->columns[i]);
    used += (size_t)snprintf(out + used, size - used, used ? ", " : "(");
    if (!column_is_valid(&view, row))
      used += (size_t)snprintf(out + used, size - used, "null");
    else if (view.type.physical == PHYSICAL_STRING)
      used += (size_t)snprintf(out + used, size - used, "%.*s",
                               STR_ARG(text_cut(column_str(&view, row), 30)));
    else if (view.type.physical == PHYSICAL_BOOL)
      used += (size_t)snprintf(out + used, size - used, bit_get(view.bits, row) ? "t" : "f");
    else if (view.type.physical == PHYSICAL_FLOAT64)
      used += (size_t)snprintf(out + used, size - used, "%g", view.f64[row]);
    else if (view.type.physical == PHYSICAL_INT64 && view.type.logical != LOGICAL_TIMESTAMP)
      used += (size_t)snprintf(out + used, size - used, "%lld", (long long)view.i64[row]);
    else
      used += (size_t)snprintf(out + used, size - used, "…");
  }
  snprintf(out + used, size - used, ")");
}

static int not_null(const struct change_target *target, const struct change_rows *rows,
                    uint32_t column, int64_t row, struct err *err) {
  char text[200];
  row_text(target, rows, row, text, sizeof text);
  err_set(err, ERR_NOT_NULL,
          "null value in column \"%.*s\" of relation \"%.*s\" violates not-null constraint",
          STR_ARG(text_cut(target->relation->columns[column].name, 80)),
          STR_ARG(text_cut(target->table->name, 80)));
  err_detail(err, "Failing row contains %s.", text);
  return ERR_NOT_NULL;
}

static int check_nulls(const struct change_target *target, const struct change_rows *rows,
                       struct err *err) {
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct sql_relation_column *column = &target->relation->columns[i];
    if (!column->not_null || column->hidden || !rows->columns[i].null_count) continue;
    struct column view = builder_view(&rows->columns[i]);
    for (int64_t row = 0; row < rows->count; row++)
      if (!column_is_valid(&view, row)) return not_null(target, rows, i, row, err);
  }
  return ERR_OK;
}

static int check_one(struct change_target *target, const struct change_rows *rows,
                     const struct catalog_check *check, const struct column *passed,
                     struct err *err) {
  for (int64_t row = 0; row < passed->length; row++) {
    if (!column_is_valid(passed, row) || bit_get(passed->bits, row)) continue;
    char text[200];
    row_text(target, rows, row, text, sizeof text);
    err_set(err, ERR_CHECK, "new row for relation \"%.*s\" violates check constraint \"%.*s\"",
            STR_ARG(text_cut(target->table->name, 80)), STR_ARG(text_cut(check->name, 80)));
    err_detail(err, "Failing row contains %s.", text);
    return ERR_CHECK;
  }
  return ERR_OK;
}

int change__check(struct change_target *target, const struct change_rows *rows, struct err *err) {
  struct query *query = target->query;
  struct arena *arena = &query->statement.arena;
  const struct catalog_definition *definition = target->definition;
  uint32_t count = definition->check_count;
  int code = check_nulls(target, rows, err);
  if (code || !count || !rows->count) return code;
  const struct expr **exprs = ARENA_ARRAY(arena, const struct expr *, count);
  struct type *types = ARENA_ARRAY(arena, struct type, count);
  if (!exprs || !types) return refused(query, count * sizeof *exprs, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    struct sql_expr *parsed;
    types[i] = TYPE_BOOL;
    code = sql_parse_expr(definition->checks[i].text, arena, &parsed, err);
    /* Checks name columns, or the table by its own name. */
    struct sql_relation plain = *target->relation;
    plain.name = target->table->name;
    if (!code)
      code =
          sql_bind_expr(&query->statement.sql_context, parsed, &plain, TYPE_BOOL, &exprs[i], err);
  }
  struct change_rows passed;
  if (!code) code = change__rows_init(&passed, query, types, count, err);
  if (code) return code;
  code = evaluate(target, rows, exprs, count, &passed, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    struct column view = builder_view(&passed.columns[i]);
    code = check_one(target, rows, &definition->checks[i], &view, err);
  }
  change__rows_deinit(&passed);
  return code;
}

int change__duplicate(const struct change_target *target, const struct change_rows *rows,
                      int64_t row, struct err *err) {
  char text[200];
  const struct catalog_unique *primary = catalog_primary_key(target->definition);
  row_text(target, rows, row, text, sizeof text);
  err_set(err, ERR_UNIQUE, "duplicate key value violates unique constraint \"%.*s\"",
          STR_ARG(text_cut(primary ? primary->name : target->table->name, 120)));
  err_detail(err, "A row with the key of %s already exists.", text);
  return ERR_UNIQUE;
}

/* ---- RETURNING ---- */

struct returning {
  const struct expr **exprs;
  struct sql_result_column *columns;
  uint32_t count;
};

static bool is_star(const struct sql_item *item) { return item->expr->kind == SQL_STAR; }

static struct str item_name(const struct sql_item *item) {
  const struct sql_expr *expr = item->expr;
  if (item->alias.size) return item->alias;
  while (expr->kind == SQL_CAST && expr->arguments.count)
    expr = expr->arguments.items[0];
  if (expr->kind == SQL_COLUMN || expr->kind == SQL_CALL)
    return expr->name.parts[expr->name.count - 1];
  return STR("?column?");
}

static int bind_returning(struct change_target *target, const struct sql_statement *statement,
                          struct returning *made, struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  const struct sql_relation *relation = target->relation;
  uint32_t most = statement->returning_count * (relation->column_count + 1);
  made->exprs = ARENA_ARRAY(arena, const struct expr *, most + 1);
  made->columns = ARENA_ARRAY(arena, struct sql_result_column, most + 1);
  if (!made->exprs || !made->columns) return refused(target->query, most * 32, err);
  int code = ERR_OK;
  for (uint32_t i = 0; i < statement->returning_count && !code; i++) {
    const struct sql_item *item = &statement->returning[i];
    for (uint32_t c = 0; is_star(item) && c < relation->column_count; c++) {
      const struct sql_relation_column *column = &relation->columns[c];
      if (column->hidden) continue;
      made->columns[made->count] = (struct sql_result_column){column->name, column->type};
      made->exprs[made->count] = expr_column(arena, c, column->type);
      if (!made->exprs[made->count++]) return refused(target->query, 64, err);
    }
    if (is_star(item)) continue;
    const struct expr **expr = &made->exprs[made->count];
    code = sql_bind_expr(&target->query->statement.sql_context, item->expr, relation, TYPE_UNKNOWN,
                         expr, err);
    if (!code)
      made->columns[made->count++] = (struct sql_result_column){item_name(item), (*expr)->type};
  }
  return code;
}

int change__returning(struct change_target *target, const struct sql_statement *statement,
                      const struct change_rows *rows, struct err *err) {
  struct returning returning = {.count = 0};
  if (!statement->returning_count) return ERR_OK;
  int code = bind_returning(target, statement, &returning, err);
  if (!code) code = query__sql_answer(target->query, returning.columns, returning.count, err);
  if (code || !rows->count) return code;
  /* The answer's builders are the rows'. */
  struct change_rows answer = {.account = &target->query->account,
                               .column_count = returning.count,
                               .columns = target->query->statement.answer.builders};
  return evaluate(target, rows, returning.exprs, returning.count, &answer, err);
}

/* ---- tag sets ---- */

struct tag_column {
  uint32_t id;
  struct column values;
};

/* Tag columns ascending by id. */
static uint32_t tag_columns(const struct change_target *target, const struct change_rows *rows,
                            struct tag_column *tags) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct sql_relation_column *column = &target->relation->columns[i];
    if (column->source != SQL_SOURCE_TAG) continue;
    uint32_t at = count++;
    for (; at > 0 && tags[at - 1].id > column->id; at--)
      tags[at] = tags[at - 1];
    tags[at] = (struct tag_column){column->id, builder_view(&rows->columns[i])};
  }
  return count;
}

static int set_of_row(struct change_target *target, const struct tag_column *tags, uint32_t count,
                      int64_t row, struct buffer *bytes, struct str_table *known,
                      struct change_sets *sets, struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  buffer_reset(bytes);
  for (uint32_t t = 0; t < count; t++) {
    if (!column_is_valid(&tags[t].values, row)) continue;
    struct str value = column_str(&tags[t].values, row);
    if (!value.size) continue; /* an empty tag is an absent one */
    buffer_append_varint(bytes, tags[t].id);
    buffer_append_sized(bytes, value);
  }
  bool is_new;
  uint64_t *slot =
      buffer_check(bytes, NULL) ? NULL : str_table_insert(known, buffer_str(bytes), &is_new);
  if (!slot) return refused(target->query, bytes->size, err);
  if (is_new) {
    *slot = sets->set_count;
    struct str copy = arena_copy(arena, buffer_str(bytes));
    if (!copy.data) return refused(target->query, bytes->size, err);
    sets->sets[sets->set_count++] = copy;
  }
  sets->of[row] = (uint32_t)*slot;
  return ERR_OK;
}

int change__tag_sets(struct change_target *target, const struct change_rows *rows,
                     struct change_sets *sets, struct err *err) {
  struct arena *arena = &target->query->statement.arena;
  *sets = (struct change_sets){0};
  if (target->rows) return ERR_OK; /* one set, the empty one */
  struct tag_column *tags = ARENA_ARRAY(arena, struct tag_column, rows->column_count + 1);
  sets->of = ARENA_ARRAY(arena, uint32_t, rows->count + 1);
  sets->sets = ARENA_ARRAY(arena, struct str, rows->count + 1);
  if (!tags || !sets->of || !sets->sets)
    return refused(target->query, (size_t)rows->count * 20, err);
  uint32_t count = tag_columns(target, rows, tags);
  struct buffer bytes;
  struct str_table known;
  buffer_init(&bytes, &target->query->account);
  str_table_init(&known, &target->query->account, true, 0);
  int code = ERR_OK;
  for (int64_t row = 0; row < rows->count && !code; row++)
    code = set_of_row(target, tags, count, row, &bytes, &known, sets, err);
  str_table_deinit(&known);
  buffer_deinit(&bytes);
  return code;
}
