/* Tables of statements and what they answer, over the relations t, u and e. */
#ifndef TESTS_UNIT_SQL_BIND_CASES_H
#define TESTS_UNIT_SQL_BIND_CASES_H

#include "bind_fixture.h"

struct bind_case {
  const char *sql, *answer; /* rows "a|b;c|d", ~ for null; NULL: an error */
  int code;
  const char *message; /* a part of it */
};

static const struct bind_view bind_views[] = {
    {"t", "select * from (values (1, 'a', 1.5::float8), (2, 'b', 2.5), (3, 'a', null), "
          "(4, null, 4.0)) as t(a, b, c)"},
    {"u", "select * from (values (1, 'x'), (2, 'y'), (2, 'z'), (null, 'n')) as u(a, d)"},
    {"e", "select * from (values (1, null::int, 'root'), (2, 1, 'c1'), (3, 1, 'c2'), "
          "(4, 2, 'g1')) as e(id, parent, name)"},
};

static inline void bind_check_case(const struct bind_case *wanted, bool optimize) {
  struct bind_world world;
  struct buffer out;
  struct err err;
  bind_begin(&world, bind_views, sizeof bind_views / sizeof bind_views[0]);
  buffer_init(&out, &world.account);
  err_reset(&err);
  int code = bind_run(&world, wanted->sql, optimize, &out, &err);
  if (code != wanted->code)
    fail_msg("%s: %d %s instead of %d", wanted->sql, code, code ? err.message : "", wanted->code);
  if (code && !strstr(err.message, wanted->message))
    fail_msg("%s: \"%s\" instead of \"%s\"", wanted->sql, err.message, wanted->message);
  if (!code && !str_equal(buffer_str(&out), str_from(wanted->answer)))
    fail_msg("%s: %.*s instead of %s", wanted->sql, (int)out.size, (const char *)out.data,
             wanted->answer);
  buffer_deinit(&out);
  bind_end(&world);
}

static inline void bind_check_cases(const struct bind_case *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    bind_check_case(&cases[i], true);
    bind_check_case(&cases[i], false);
  }
}

#endif
