/* SQL: any bytes give a tree or an error with a place; a tree printed is the same tree when read
 * again. */
#include <stdlib.h>

#include "base/buffer.h"
#include "lang/sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const struct sql_text *all, struct buffer *out) {
  for (uint32_t i = 0; i < all->count; i++) {
    if (i) buffer_append_text(out, ";");
    sql_print(&all->statements[i], out);
  }
}

static void check_error(struct str text, const struct err *err, struct buffer *out) {
  if (!err->code || !err->message[0]) abort();
  if (err->offset > (int64_t)text.size) abort();
  sql_print_place(text, err, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  struct arena arena;
  struct buffer first, second;
  struct sql_text all, again;
  struct sql_expr *expr;
  struct err err;
  struct str text = str_of(data, size);
  mem_account_init(&account, "fuzz", NULL, 0);
  arena_init(&arena, &account, 4096);
  buffer_init(&first, &account);
  buffer_init(&second, &account);
  err_reset(&err);
  if (!sql_parse(text, &arena, &all, &err)) {
    print_all(&all, &first);
    /* Printed, a text may be longer than the limit, or deeper by what is spelled out. */
    int code = sql_parse(buffer_str(&first), &arena, &again, &err);
    if (code && code != ERR_LIMIT_EXCEEDED) abort();
    if (!code) print_all(&again, &second);
    if (!code && !str_equal(buffer_str(&first), buffer_str(&second))) abort();
  } else {
    check_error(text, &err, &first);
  }
  if (sql_parse_expr(text, &arena, &expr, &err)) check_error(text, &err, &first);
  buffer_deinit(&first);
  buffer_deinit(&second);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
