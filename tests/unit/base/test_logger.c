/* Lines, levels, forged lines, repetitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

struct capture {
  int64_t now;
  int lines;
  enum log_level level;
  char last[LOG_LINE_MAX + 1];
};

static void keep_line(void *context, enum log_level level, const char *line, size_t size) {
  struct capture *capture = context;
  assert_true(size <= LOG_LINE_MAX);
  assert_int_equal(line[size - 1], '\n');
  assert_null(memchr(line, '\n', size - 1));
  memcpy(capture->last, line, size);
  capture->last[size - 1] = '\0';
  capture->level = level;
  capture->lines++;
}

static int64_t read_now(void *context) { return ((struct capture *)context)->now; }

static void a_line_has_time_level_module_and_text(void **state) {
  (void)state;
  struct capture capture = {.now = INT64_C(1795168800123456789)};
  struct logger logger;
  logger_init(&logger, LOG_LEVEL_INFO, keep_line, read_now, &capture);
  log_info(&logger, "store", "opened parts=%d", 12);
  assert_string_equal(capture.last, "2026-11-20T10:00:00.123Z INFO store: opened parts=12");
  log_debug(&logger, "store", "not shown");
  assert_int_equal(capture.lines, 1);
  logger_set_level(&logger, LOG_LEVEL_DEBUG);
  log_debug(&logger, "store", "shown");
  assert_int_equal(capture.lines, 2);
  assert_int_equal(capture.level, LOG_LEVEL_DEBUG);
  logger_set_level(&logger, LOG_LEVEL_ERROR);
  log_warn(&logger, "store", "not shown");
  log_error(&logger, "wal", "bad name \"%s\"", "a\nb\x01\x7f\xc3\xa9");
  assert_string_equal(capture.last, "2026-11-20T10:00:00.123Z ERROR wal: bad name "
                                    "\"a\\x0ab\\x01\\x7f\xc3\xa9\"");
  log_error(&logger, "wal", "%05000d", 1);
  assert_int_equal(strlen(capture.last), LOG_LINE_MAX - 1);
  log_error((struct logger *)NULL, "wal", "nowhere");
  logger.sink = NULL;
  log_error(&logger, "wal", "nowhere");
  assert_int_equal(capture.lines, 4);
}

static void say(struct logger *logger, int i) { log_warn(logger, "http", "refused n=%d", i); }

static void repetitions_are_held_back_and_counted(void **state) {
  (void)state;
  struct capture capture = {.now = INT64_C(1795168800000000000)};
  struct logger logger;
  logger_init(&logger, LOG_LEVEL_INFO, keep_line, read_now, &capture);
  for (int i = 0; i < 100; i++)
    say(&logger, i);
  assert_int_equal(capture.lines, LOG_BURST);
  log_warn(&logger, "http", "another message");
  assert_int_equal(capture.lines, LOG_BURST + 1);
  capture.now += LOG_WINDOW_NS;
  say(&logger, 7);
  assert_string_equal(capture.last, "2026-11-20T10:00:10.000Z WARN http: refused n=7 held_back=90");
  say(&logger, 8);
  assert_string_equal(capture.last, "2026-11-20T10:00:10.000Z WARN http: refused n=8");
  capture.now -= 3 * LOG_WINDOW_NS; /* a clock that jumps back does not silence anybody */
  for (int i = 0; i < LOG_BURST; i++)
    say(&logger, i);
  assert_int_equal(capture.lines, 2 * LOG_BURST + 3);
}

static void level_names(void **state) {
  (void)state;
  enum log_level level = LOG_LEVEL_ERROR;
  for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
    assert_true(log_level_parse(str_from(log_level_name((enum log_level)i)), &level));
    assert_int_equal(level, i);
  }
  assert_true(log_level_parse(STR("WARN"), &level));
  assert_false(log_level_parse(STR("loud"), &level));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_has_time_level_module_and_text),
      cmocka_unit_test(repetitions_are_held_back_and_counted),
      cmocka_unit_test(level_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
