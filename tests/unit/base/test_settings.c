/* Settings: sources and their order, spellings, faults with their place, writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/settings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct setting wal_settings[] = {
    {"wal.sync", SETTING_ENUM, "always", 0, 0, "always interval off",
     "When the log is synced: before every answer, at intervals, or never. The last two lose what "
     "was acknowledged when the machine stops."},
    {"wal.sync_interval", SETTING_DURATION, "1s", 1000000, 60000000000, NULL,
     "How often, for wal.sync = interval."},
    {"wal.segment_size", SETTING_SIZE, "64MiB", 1 << 20, INT64_MAX, NULL, "Size of a segment."},
};
static const struct setting http_settings[] = {
    {"http.address", SETTING_STRING, "127.0.0.1:8086", 0, 64, NULL, "Where to listen."},
    {"http.enabled", SETTING_BOOL, "true", 0, 0, NULL, "Whether to listen."},
    {"http.workers", SETTING_INT, "0", -1, 1024, NULL, "Threads."},
    {"verbose", SETTING_BOOL, "off", 0, 0, NULL, "A setting without a section."},
};
static const struct setting_table tables[] = {{wal_settings, COUNT(wal_settings)},
                                              {http_settings, COUNT(http_settings)}};

struct fixture {
  struct mem_account account;
  struct settings *settings;
  struct err err;
};

static void fixture_init(struct fixture *fixture) {
  mem_account_init(&fixture->account, "settings", NULL, 0);
  err_reset(&fixture->err);
  assert_int_equal(
      settings_create(&fixture->account, tables, COUNT(tables), &fixture->settings, NULL), ERR_OK);
}

static void fixture_deinit(struct fixture *fixture) {
  settings_destroy(fixture->settings);
  mem_account_deinit(&fixture->account);
}

static void defaults_hold_until_a_source_speaks(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  assert_string_equal(settings_string(f.settings, "wal.sync"), "always");
  assert_int_equal(settings_choice(f.settings, "wal.sync"), 0);
  assert_int_equal(settings_number(f.settings, "wal.segment_size"), 64 << 20);
  assert_int_equal(settings_number(f.settings, "wal.sync_interval"), 1000000000);
  assert_true(settings_bool(f.settings, "http.enabled"));
  assert_false(settings_bool(f.settings, "verbose"));
  assert_int_equal(settings_origin(f.settings, "verbose"), SETTING_DEFAULT);
  assert_true(settings_known(f.settings, STR("wal.sync")));
  assert_false(settings_known(f.settings, STR("wal")));
  fixture_deinit(&f);
}

static void a_file_is_read(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  static const char text[] = "\xef\xbb\xbf# Nilo\r\n"
                             "verbose = yes # loud\r\n"
                             "http.workers = 1_000\n"
                             "\n"
                             "[ wal ] # the log\n"
                             "  sync=\"interval\"   # sometimes\n"
                             "sync_interval = 250ms\n"
                             "segment_size = 1 gib\n"
                             "[http]\n"
                             "address = \"[::1]:80 # \\\"x\\\\\" # quoted\n"
                             "enabled = FALSE";
  assert_int_equal(settings_load_file(f.settings, "nilo.toml", str_from(text), &f.err), ERR_OK);
  assert_true(settings_bool(f.settings, "verbose"));
  assert_int_equal(settings_number(f.settings, "http.workers"), 1000);
  assert_int_equal(settings_choice(f.settings, "wal.sync"), 1);
  assert_int_equal(settings_number(f.settings, "wal.sync_interval"), 250000000);
  assert_int_equal(settings_number(f.settings, "wal.segment_size"), 1 << 30);
  assert_string_equal(settings_string(f.settings, "http.address"), "[::1]:80 # \"x\\");
  assert_false(settings_bool(f.settings, "http.enabled"));
  assert_int_equal(settings_origin(f.settings, "wal.sync"), SETTING_FILE);
  fixture_deinit(&f);
}

static void stronger_sources_win_in_any_order(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  const char *const environment[] = {"HOME=/",
                                     "NILO_WAL_SYNC_INTERVAL=3s",
                                     "NILO_WAL_SYNC=off",
                                     "NILO_HTTP_WORKERS=7",
                                     "NILO_TEST_MODE=1",
                                     "NILO_HTTP=127.0.0.1:1",
                                     NULL};
  assert_int_equal(settings_load_flag(f.settings, STR("wal.sync"), STR("interval"), NULL), ERR_OK);
  assert_int_equal(
      settings_load_environment(f.settings, (char *const *)(uintptr_t)environment, &f.err), ERR_OK);
  assert_int_equal(settings_load_file(f.settings, "f",
                                      STR("[wal]\nsync=always\nsync_interval=9s\n"
                                          "segment_size=2MB"),
                                      NULL),
                   ERR_OK);
  assert_int_equal(settings_load_flag(f.settings, STR("http.workers"), STR("1"), NULL), ERR_OK);
  assert_int_equal(settings_load_flag(f.settings, STR("http.workers"), STR("2"), NULL), ERR_OK);
  assert_string_equal(settings_string(f.settings, "wal.sync"), "interval");
  assert_int_equal(settings_number(f.settings, "wal.sync_interval"), 3000000000);
  assert_int_equal(settings_number(f.settings, "wal.segment_size"), 2000000);
  assert_int_equal(settings_number(f.settings, "http.workers"), 2);
  assert_int_equal(settings_origin(f.settings, "http.workers"), SETTING_FLAG);
  struct buffer buffer;
  buffer_init(&buffer, &f.account);
  settings_write_effective(f.settings, &buffer);
  buffer_append_byte(&buffer, 0);
  assert_string_equal((char *)buffer.data,
                      "wal.sync          = \"interval\"        # flag --wal.sync\n"
                      "wal.sync_interval = 3s                # environment NILO_WAL_SYNC_INTERVAL\n"
                      "wal.segment_size  = 2000000           # f:4\n"
                      "http.address      = \"127.0.0.1:8086\"  # default\n"
                      "http.enabled      = true              # default\n"
                      "http.workers      = 2                 # flag --http.workers\n"
                      "verbose           = false             # default\n");
  buffer_deinit(&buffer);
  fixture_deinit(&f);
}

static void faults_name_their_place_and_a_way_out(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int code, line;
    const char *message, *hint;
  } rows[] = {
      {"[wal]\nsnyc = off", ERR_NOT_FOUND, 2, "there is no setting \"wal.snyc\"",
       "did you mean wal.sync?"},
      {"nonsense_here = 1", ERR_NOT_FOUND, 1, "there is no setting", "nilo config"},
      {"wal.sync = sometimes", ERR_PARSE, 1, "wal.sync cannot be \"sometimes\"", "one of: always"},
      {"wal.sync = alwys", ERR_PARSE, 1, "cannot be", "did you mean always?"},
      {"\n\nwal.segment_size = 64XiB", ERR_PARSE, 3, "cannot be \"64XiB\"", "64MiB"},
      {"wal.segment_size = -1", ERR_OUT_OF_RANGE, 1, "cannot be", "between 1048576 and"},
      {"wal.segment_size = 99999999TiB", ERR_OUT_OF_RANGE, 1, "cannot be", "64 bits"},
      {"wal.sync_interval = 10", ERR_PARSE, 1, "cannot be", "10s"},
      {"wal.sync_interval = 10h", ERR_OUT_OF_RANGE, 1, "cannot be", "between 1ms and 1m"},
      {"wal.sync_interval = 999999999w", ERR_OUT_OF_RANGE, 1, "cannot be", "duration"},
      {"http.workers = 1.5", ERR_PARSE, 1, "cannot be", "whole number"},
      {"http.workers = _1", ERR_PARSE, 1, "cannot be", "whole number"},
      {"http.workers = 1_", ERR_PARSE, 1, "cannot be", "whole number"},
      {"http.workers = 99999999999999999999", ERR_OUT_OF_RANGE, 1, "cannot be", "64 bits"},
      {"http.workers = 1025", ERR_OUT_OF_RANGE, 1, "cannot be", "between -1 and 1024"},
      {"http.enabled = maybe", ERR_PARSE, 1, "cannot be", "true or false"},
      {"http.address = \"", ERR_PARSE, 1, "closing quote", "end the text"},
      {"http.address = \"a\\q\"", ERR_PARSE, 1, "unknown escape", "backslash"},
      {"http.address = \"a\\", ERR_PARSE, 1, "unknown escape", "backslash"},
      {"http.address = \"a\" b", ERR_PARSE, 1, "unexpected text", "comment"},
      {"http.address = 0123456789012345678901234567890123456789012345678901234567890123456789",
       ERR_OUT_OF_RANGE, 1, "cannot be", "shorter"},
      {"http.address =", ERR_PARSE, 1, "value is missing", "key = value"},
      {"http.address = # nothing", ERR_PARSE, 1, "value is missing", "key = value"},
      {"just words", ERR_PARSE, 1, "no setting", "key = value"},
      {"= 5", ERR_PARSE, 1, "no setting", "key = value"},
      {"[wal", ERR_PARSE, 1, "no section", "[name]"},
      {"[]", ERR_PARSE, 1, "no section", "[name]"},
      {"[w al]", ERR_PARSE, 1, "no section", "[name]"},
      {"[wal] x", ERR_PARSE, 1, "no section", "[name]"},
      {"verbose = on\n[wal]\nsync = off\nsync = off", ERR_PARSE, 4, "wal.sync is set twice",
       "nilo.toml:3"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct fixture f;
    fixture_init(&f);
    int code = settings_load_file(f.settings, "nilo.toml", str_from(rows[i].text), &f.err);
    char place[32];
    snprintf(place, sizeof place, "nilo.toml:%d", rows[i].line);
    if (code != rows[i].code || f.err.line != rows[i].line ||
        !strstr(f.err.message, rows[i].message) || !strstr(f.err.hint, rows[i].hint) ||
        strcmp(f.err.detail, place) != 0)
      fail_msg("%s: %d, line %d, %s, %s, %s", rows[i].text, code, f.err.line, f.err.message,
               f.err.detail, f.err.hint);
    fixture_deinit(&f);
  }
  struct fixture f;
  fixture_init(&f);
  const char *const environment[] = {"NILO_WAL_SNYC=off", NULL};
  assert_int_equal(
      settings_load_environment(f.settings, (char *const *)(uintptr_t)environment, &f.err),
      ERR_NOT_FOUND);
  assert_string_equal(f.err.detail, "environment NILO_WAL_SNYC");
  assert_string_equal(f.err.hint, "did you mean wal.sync?");
  assert_int_equal(settings_load_flag(f.settings, STR("wal.sync"), STR("x"), &f.err), ERR_PARSE);
  assert_string_equal(f.err.detail, "flag --wal.sync");
  fixture_deinit(&f);
}

static void the_default_file_changes_nothing(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  struct buffer buffer, opened;
  buffer_init(&buffer, &f.account);
  buffer_init(&opened, &f.account);
  settings_write_default_file(f.settings, &buffer);
  assert_int_equal(buffer_check(&buffer, NULL), ERR_OK);
  assert_int_equal(settings_load_file(f.settings, "d", buffer_str(&buffer), &f.err), ERR_OK);
  assert_int_equal(settings_origin(f.settings, "wal.sync"), SETTING_DEFAULT);
  /* With the marks in front of the keys removed it says the same. */
  for (size_t i = 0; i < buffer.size; i++)
    if (buffer.data[i] != '#' || buffer.data[i + 1] == ' ')
      buffer_append_byte(&opened, buffer.data[i]);
  assert_int_equal(settings_load_file(f.settings, "d", buffer_str(&opened), &f.err), ERR_OK);
  assert_int_equal(settings_origin(f.settings, "verbose"), SETTING_FILE);
  assert_int_equal(settings_origin(f.settings, "wal.segment_size"), SETTING_FILE);
  assert_int_equal(settings_number(f.settings, "wal.segment_size"), 64 << 20);
  buffer_append_byte(&buffer, 0);
  assert_non_null(strstr((char *)buffer.data, "[wal]\n\n# When the log"));
  assert_non_null(strstr((char *)buffer.data, "# One of: always interval off\n#sync = \"always\""));
  assert_non_null(strstr((char *)buffer.data, "# From 1ms to 1m\n#sync_interval = 1s\n"));
  assert_non_null(strstr((char *)buffer.data, "# From 1MiB up\n#segment_size = 64MiB\n"));
  buffer_deinit(&buffer);
  buffer_deinit(&opened);
  fixture_deinit(&f);
}

static void bad_declarations_are_found(void **state) {
  (void)state;
  static const struct setting twice[] = {{"a", SETTING_INT, "1", 0, 0, NULL, ""},
                                         {"a", SETTING_INT, "1", 0, 0, NULL, ""}};
  static const struct setting wrong[] = {{"a", SETTING_INT, "11", 0, 10, NULL, ""}};
  const struct setting_table bad[] = {{twice, 2}, {wrong, 1}};
  struct mem_account account;
  mem_account_init(&account, "settings", NULL, 0);
  struct settings *settings;
  struct err err;
  for (int i = 0; i < 2; i++)
    assert_int_equal(settings_create(&account, &bad[i], 1, &settings, &err), ERR_INTERNAL);
  mem_account_deinit(&account);
}

static void refused_memory_is_told(void **state) {
  (void)state;
  for (int fail = 1; fail < 60; fail++) {
    struct mem_account account;
    mem_account_init(&account, "settings", NULL, 0);
    account.fail_countdown = fail;
    struct settings *settings = NULL;
    int code = settings_create(&account, tables, COUNT(tables), &settings, NULL);
    char big[64];
    if (!code) {
      account.fail_countdown = fail - 2;
      for (int i = 0; i < 500 && !code; i++) {
        snprintf(big, sizeof big, "%060d", i);
        code = settings_load_flag(settings, STR("http.address"), str_from(big), NULL);
      }
      settings_destroy(settings);
    }
    assert_true(code == ERR_OK || code == ERR_NO_MEMORY);
    mem_account_deinit(&account);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_hold_until_a_source_speaks),
      cmocka_unit_test(a_file_is_read),
      cmocka_unit_test(stronger_sources_win_in_any_order),
      cmocka_unit_test(faults_name_their_place_and_a_way_out),
      cmocka_unit_test(the_default_file_changes_nothing),
      cmocka_unit_test(bad_declarations_are_found),
      cmocka_unit_test(refused_memory_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
