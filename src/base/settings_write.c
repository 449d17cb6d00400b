/* Settings as text: what is in force, and a file to start from. */
#include "base/buffer.h"
#include "base/err.h"
#include "base/number.h"
#include "base/settings_private.h"
#include "base/text.h"
#include "base/time.h"

static void write_quoted(struct buffer *buffer, const char *text) {
  buffer_append_byte(buffer, '"');
  for (; *text; text++) {
    if (*text == '\n')
      buffer_append_text(buffer, "\\n");
    else if (*text == '\t')
      buffer_append_text(buffer, "\\t");
    else {
      if (*text == '"' || *text == '\\') buffer_append_byte(buffer, '\\');
      buffer_append_byte(buffer, (uint8_t)*text);
    }
  }
  buffer_append_byte(buffer, '"');
}

static void write_size(struct buffer *buffer, int64_t bytes) {
  static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; unit < 4 && bytes && bytes % 1024 == 0; unit++)
    bytes /= 1024;
  buffer_printf(buffer, "%lld%s", (long long)bytes, units[unit]);
}

static void write_value(struct buffer *buffer, const struct setting_value *value) {
  char duration[DURATION_TEXT_MAX];
  switch (value->setting->type) {
  case SETTING_BOOL:
    buffer_append_text(buffer, value->number ? "true" : "false");
    break;
  case SETTING_INT:
    buffer_printf(buffer, "%lld", (long long)value->number);
    break;
  case SETTING_SIZE:
    write_size(buffer, value->number);
    break;
  case SETTING_DURATION:
    duration_format(value->number, duration);
    buffer_append_text(buffer, duration);
    break;
  case SETTING_STRING:
  case SETTING_ENUM:
    write_quoted(buffer, value->text);
    break;
  }
}

int settings_visit(const struct settings *settings,
                   void (*visit)(void *context, const struct setting_told *told), void *context,
                   struct err *err) {
  struct buffer text;
  int code = ERR_OK;
  buffer_init(&text, settings->account);
  for (size_t i = 0; !code && i < settings->count; i++) {
    const struct setting_value *value = &settings->values[i];
    bool is_text = value->setting->type == SETTING_STRING || value->setting->type == SETTING_ENUM;
    buffer_reset(&text);
    if (is_text)
      buffer_append_text(&text, value->text);
    else
      write_value(&text, value);
    code = buffer_check(&text, err);
    struct setting_told told = {value->setting, buffer_str(&text), value->place};
    if (!code) visit(context, &told);
  }
  buffer_deinit(&text);
  return code;
}

static void write_spaces(struct buffer *buffer, size_t from, size_t to) {
  for (; from < to; from++)
    buffer_append_byte(buffer, ' ');
}

void settings_write_effective(const struct settings *settings, struct buffer *buffer) {
  size_t name_width = 0, value_width = 0;
  for (size_t i = 0; i < settings->count; i++) {
    size_t size = strlen(settings->values[i].setting->name), before = buffer->size;
    if (size > name_width) name_width = size;
    write_value(buffer, &settings->values[i]); /* only to measure it */
    size_t width = text_utf8_length(str_of(buffer->data + before, buffer->size - before));
    if (width > value_width && width <= 40) value_width = width;
    buffer->size = before;
    if (buffer->failed) return;
  }
  for (size_t i = 0; i < settings->count; i++) {
    const struct setting_value *value = &settings->values[i];
    buffer_append_text(buffer, value->setting->name);
    write_spaces(buffer, strlen(value->setting->name), name_width);
    buffer_append_text(buffer, " = ");
    size_t before = buffer->size;
    write_value(buffer, value);
    if (buffer->failed) return;
    write_spaces(buffer, text_utf8_length(str_of(buffer->data + before, buffer->size - before)),
                 value_width);
    buffer_printf(buffer, "  # %s\n", value->place);
  }
}

enum { HELP_WIDTH = 96 };

/* Words of the help behind "# ", broken into lines. */
static void write_help(struct buffer *buffer, const char *help) {
  size_t column = 0;
  struct str rest = str_from(help);
  while (rest.data) {
    struct str word = text_split(&rest, ' ');
    if (word.size == 0) continue;
    if (column && column + 1 + word.size > HELP_WIDTH) {
      buffer_append_byte(buffer, '\n');
      column = 0;
    }
    buffer_append_text(buffer, column ? " " : "# ");
    column += word.size + (column ? 1 : 2);
    buffer_append_str(buffer, word);
  }
  if (column) buffer_append_byte(buffer, '\n');
}

static void write_bound(struct buffer *buffer, const struct setting *setting, int64_t bound) {
  struct setting_value value = {.setting = setting, .number = bound};
  write_value(buffer, &value);
}

/* What may be written, where the type does not say it. */
static void write_range(struct buffer *buffer, const struct setting *setting) {
  if (setting->type == SETTING_ENUM) {
    buffer_printf(buffer, "# One of: %s\n", setting->choices);
  } else if (setting->type != SETTING_BOOL && setting->type != SETTING_STRING &&
             (setting->min || setting->max)) {
    buffer_append_text(buffer, "# From ");
    write_bound(buffer, setting, setting->min);
    if (setting->max < INT64_MAX) {
      buffer_append_text(buffer, " to ");
      write_bound(buffer, setting, setting->max);
    } else {
      buffer_append_text(buffer, " up");
    }
    buffer_append_byte(buffer, '\n');
  }
}

static void write_default(const struct setting *setting, struct str key, struct buffer *buffer) {
  buffer_append_byte(buffer, '\n');
  write_help(buffer, setting->help ? setting->help : "");
  write_range(buffer, setting);
  buffer_printf(buffer, "#%.*s = ", STR_ARG(key));
  if (setting->type == SETTING_STRING || setting->type == SETTING_ENUM)
    write_quoted(buffer, setting->fallback ? setting->fallback : "");
  else
    buffer_append_text(buffer, setting->fallback);
  buffer_append_byte(buffer, '\n');
}

/* Splits "wal.sync" at its last dot. */
static struct str section_of(const char *name, struct str *key) {
  const char *dot = strrchr(name, '.');
  *key = str_from(dot ? dot + 1 : name);
  return str_of(name, dot ? (size_t)(dot - name) : 0);
}

/* True when an earlier setting has that section. */
static bool is_repeated(const struct settings *settings, size_t index, struct str section) {
  struct str key;
  for (size_t i = 0; i < index; i++)
    if (str_equal(section_of(settings->values[i].setting->name, &key), section)) return true;
  return false;
}

void settings_write_default_file(const struct settings *settings, struct buffer *buffer) {
  buffer_append_text(buffer, "# Settings of Nilo, at their defaults. Remove a # to change one.\n"
                             "# Environment (NILO_SECTION_KEY) and flags (--section.key=value) "
                             "are stronger than this file.\n");
  struct str none = STR("");
  for (int sections = 0; sections < 2; sections++) /* keys without a section come first */
    for (size_t i = 0; i < settings->count; i++) {
      struct str key, section = section_of(settings->values[i].setting->name, &key);
      if (str_equal(section, none) == (sections == 1)) continue;
      if (is_repeated(settings, i, section)) continue;
      if (section.size) buffer_printf(buffer, "\n[%.*s]\n", STR_ARG(section));
      for (size_t k = i; k < settings->count; k++)
        if (str_equal(section_of(settings->values[k].setting->name, &key), section))
          write_default(settings->values[k].setting, key, buffer);
    }
}
