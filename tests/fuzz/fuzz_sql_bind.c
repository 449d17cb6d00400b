/* Whatever parses is bound over a small catalog, and its plan checked and optimized: errors are
 * fine, anything else is not. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "lang/sql/sql.h"
#include "lang/sql/types.h"
#include "plan/properties.h"
#include "plan/rules.h"

static const struct sql_relation_column columns[] = {
    {.name = {"time", 4}, .type = TYPE_TIMESTAMP(0), .source = SQL_SOURCE_KEY},
    {.name = {"host", 4}, .type = TYPE_STRING, .source = SQL_SOURCE_TAG, .id = 1},
    {.name = {"a", 1}, .type = TYPE_INT64, .source = SQL_SOURCE_FIELD, .id = 2},
    {.name = {"b", 1}, .type = TYPE_FLOAT64, .source = SQL_SOURCE_FIELD, .id = 3},
    {.name = {"c", 1}, .type = TYPE_STRING, .source = SQL_SOURCE_FIELD, .id = 4},
    {.name = {"d", 1}, .type = TYPE_BOOL, .source = SQL_SOURCE_FIELD, .id = 5},
};

/* Every name is a table with the same columns. */
static int find(void *owner, const struct sql_name *name, const struct sql_relation **relation,
                struct err *err) {
  struct arena *arena = owner;
  struct sql_relation *made = ARENA_NEW(arena, struct sql_relation);
  struct catalog_table *table = ARENA_NEW(arena, struct catalog_table);
  if (!made || !table) return err_set(err, ERR_NO_MEMORY, "no memory");
  table->name = name->parts[name->count - 1];
  *made = (struct sql_relation){.kind = SQL_RELATION_TABLE,
                                .database = {"db", 2},
                                .schema = {"public", 6},
                                .name = table->name,
                                .columns = columns,
                                .column_count = sizeof columns / sizeof columns[0],
                                .table = table};
  *relation = made;
  return ERR_OK;
}

static void bind(struct sql_context *context, const struct sql_statement *statement) {
  struct sql_selection selection;
  struct plan_optimizing optimizing = {.check = true};
  struct err err;
  err_reset(&err);
  if (!statement->select) return;
  if (sql_bind_select(context, statement->select, &selection, &err)) {
    if (!err.code || err.code == ERR_INTERNAL) abort();
    return;
  }
  if (plan_check(selection.plan, &err)) abort();
  if (!plan_optimize_with(context->arena, selection.plan, &optimizing, &err) &&
      err.code != ERR_MEMORY_LIMIT && err.code != ERR_NO_MEMORY)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  struct arena arena;
  struct sql_text text;
  struct type types[8];
  mem_account_init(&account, "fuzz", NULL, 64 << 20);
  arena_init(&arena, &account, 16384);
  struct sql_context context = {.arena = &arena,
                                .account = &account,
                                .database = {"db", 2},
                                .schema = {"public", 6},
                                .find = find,
                                .owner = &arena,
                                .parameter_types = types,
                                .parameter_count = 8};
  for (int i = 0; i < 8; i++)
    types[i] = TYPE_UNKNOWN;
  if (sql_parse((struct str){(const char *)data, size}, &arena, &text, NULL) == ERR_OK)
    for (uint32_t i = 0; i < text.count; i++)
      bind(&context, &text.statements[i]);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
