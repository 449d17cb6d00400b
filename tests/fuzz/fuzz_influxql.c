/* InfluxQL: any bytes give a tree or an error; a tree printed is the same tree when read again; its
 * times and its SELECT list can be looked at without tables. */
#include <stdlib.h>

#include "base/buffer.h"
#include "lang/influxql/influxql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const struct influxql_query *query, struct buffer *out) {
  for (uint32_t i = 0; i < query->count; i++) {
    if (i) buffer_append_text(out, ";");
    influxql_print(&query->statements[i], out);
  }
}

static int find_no_tables(void *user, const struct influxql_statement *select,
                          struct catalog_table *const **tables, uint32_t *count, struct err *err) {
  (void)user;
  (void)select;
  (void)err;
  *tables = NULL;
  *count = 0;
  return 0;
}

static void look_at(struct arena *arena, const struct influxql_statement *statement) {
  struct influxql_context context = {.arena = arena,
                                     .account = arena->account,
                                     .now_ns = INT64_C(1500000000000000000),
                                     .find_tables = find_no_tables};
  struct influxql_range range;
  const struct influxql_expr *rest;
  struct influxql_selection selection;
  struct err err;
  influxql_split_time(&context, statement->condition, &range, &rest, &err);
  if (statement->kind == INFLUXQL_SELECT)
    influxql_lower_select(&context, statement, &selection, &err);
  influxql_context_deinit(&context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  struct arena arena;
  struct buffer first, second;
  struct influxql_query query, again;
  struct err err;
  mem_account_init(&account, "fuzz", NULL, 0);
  arena_init(&arena, &account, 4096);
  buffer_init(&first, &account);
  buffer_init(&second, &account);
  if (!influxql_parse(str_of(data, size), &arena, &query, &err)) {
    print_all(&query, &first);
    if (influxql_parse(buffer_str(&first), &arena, &again, &err)) abort();
    print_all(&again, &second);
    if (!str_equal(buffer_str(&first), buffer_str(&second))) abort();
    for (uint32_t i = 0; i < query.count && i < 16; i++)
      look_at(&arena, &query.statements[i]);
  } else if (!err.code) {
    abort();
  }
  buffer_deinit(&first);
  buffer_deinit(&second);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
