/* What the tests of SQL's grammar share: a text parsed and printed, and tables of both. */
#ifndef NILO_TESTS_SQL_PARSE_H
#define NILO_TESTS_SQL_PARSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "lang/sql/sql.h"

struct parsed {
  struct mem_account account;
  struct arena arena;
  struct sql_text all;
  struct buffer text; /* statements printed, joined by "; " */
  struct err err;
  int code;
};

static inline void parse(struct parsed *parsed, struct str text) {
  *parsed = (struct parsed){0};
  err_reset(&parsed->err);
  mem_account_init(&parsed->account, "test", NULL, 0);
  arena_init(&parsed->arena, &parsed->account, 4096);
  buffer_init(&parsed->text, &parsed->account);
  parsed->code = sql_parse(text, &parsed->arena, &parsed->all, &parsed->err);
  for (uint32_t i = 0; !parsed->code && i < parsed->all.count; i++) {
    if (i) buffer_append_text(&parsed->text, "; ");
    sql_print(&parsed->all.statements[i], &parsed->text);
  }
  buffer_append_byte(&parsed->text, 0);
}

static inline void parsed_deinit(struct parsed *parsed) {
  buffer_deinit(&parsed->text);
  arena_deinit(&parsed->arena);
  mem_account_deinit(&parsed->account);
}

struct good {
  const char *text, *printed;
};
/* The text is read, is printed as told, and what is printed is read as the same. */
static inline void check_good(const struct good *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct parsed first, second;
    parse(&first, str_from(rows[i].text));
    if (first.code) fail_msg("%s\n%s (%s)", rows[i].text, first.err.message, first.err.detail);
    const char *printed = (const char *)first.text.data;
    if (strcmp(printed, rows[i].printed) != 0)
      fail_msg("%s\nprints   %s\nexpected %s", rows[i].text, printed, rows[i].printed);
    parse(&second, str_from(printed));
    if (second.code) fail_msg("%s\nread again: %s", printed, second.err.message);
    assert_string_equal((const char *)second.text.data, printed);
    parsed_deinit(&second);
    parsed_deinit(&first);
  }
}

#endif
