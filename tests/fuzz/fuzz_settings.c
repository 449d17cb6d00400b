/* The settings file: any bytes are a file or an error with a line. */
#include <stdlib.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct setting declared[] = {
    {"a.mode", SETTING_ENUM, "one", 0, 0, "one two three", "A choice."},
    {"a.size", SETTING_SIZE, "1MiB", 1, INT64_MAX, NULL, "A size."},
    {"a.wait", SETTING_DURATION, "1s", 0, 0, NULL, "A duration."},
    {"b.text", SETTING_STRING, "", 0, 100, NULL, "A text."},
    {"b.count", SETTING_INT, "0", -10, 10, NULL, "A number."},
    {"on", SETTING_BOOL, "true", 0, 0, NULL, "A switch."},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct setting_table table = {declared, sizeof declared / sizeof declared[0]};
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct settings *settings;
  if (settings_create(&account, &table, 1, &settings, NULL)) abort();
  struct err err = {.offset = -1};
  int code = settings_load_file(settings, "f", str_of(data, size), &err);
  if (code && (err.line < 1 || !err.message[0] || !err.detail[0])) abort();
  struct buffer buffer;
  buffer_init(&buffer, &account);
  settings_write_effective(settings, &buffer);
  if (buffer_check(&buffer, NULL)) abort();
  buffer_deinit(&buffer);
  settings_destroy(settings);
  mem_account_deinit(&account);
  return 0;
}
