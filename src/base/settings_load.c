/* The sources: a file of sections and keys, the environment, flags. */
#include "base/err.h"
#include "base/settings_private.h"
#include "base/text.h"

/* Where a value stands, for messages and for `place`. */
struct source {
  enum setting_origin origin;
  const char *place; /* terminated, lives in the arena or longer */
  int32_t line;      /* of a file, else 0 */
};

static int located(int code, const struct source *source, struct err *err) {
  if (!code || code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT) return code;
  err_detail(err, "%s", source->place);
  if (source->line) err_position(err, source->line, 0, -1);
  return code;
}

static int unknown_name(const struct settings *settings, struct str name, struct err *err) {
  struct text_nearest nearest = text_nearest_of(name);
  for (size_t i = 0; i < settings->count; i++)
    text_nearest_offer(&nearest, str_from(settings->values[i].setting->name));
  err_set(err, ERR_NOT_FOUND, "there is no setting \"%.*s\"",
          (int)(name.size > 64 ? 64 : name.size), name.size ? name.data : "");
  if (nearest.best.data)
    err_hint(err, "did you mean %.*s?", STR_ARG(nearest.best));
  else
    err_hint(err, "`nilo config` lists all settings");
  return ERR_NOT_FOUND;
}

/* Checks the value in any case, keeps it unless a stronger source has spoken. */
static int assign(struct settings *settings, struct str name, struct str text,
                  const struct source *source, struct err *err) {
  struct setting_value *value = settings__find(settings, name);
  if (!value) return located(unknown_name(settings, name, err), source, err);
  struct setting_value parsed = {
      value->setting, source->origin, settings->loads, source->place, 0, NULL};
  int code = settings__parse_value(settings, value->setting, text, &parsed, err);
  if (code) return located(code, source, err);
  if (source->line && value->load == settings->loads && value->origin == source->origin) {
    err_set(err, ERR_PARSE, "%s is set twice in one file", value->setting->name);
    err_hint(err, "it is also set at %s", value->place);
    return located(ERR_PARSE, source, err);
  }
  if (source->origin >= value->origin) *value = parsed;
  return ERR_OK;
}

/* ---- file ---- */

struct line_scan {
  struct settings *settings;
  struct source source;
  struct err *err;
  struct str section;
};

static int line_fault(const struct line_scan *scan, const char *message, const char *hint) {
  err_set(scan->err, ERR_PARSE, "%s", message);
  err_hint(scan->err, "%s", hint);
  return located(ERR_PARSE, &scan->source, scan->err);
}

static bool is_name(struct str text) {
  for (size_t i = 0; i < text.size; i++)
    if (!text_is_letter(text.data[i]) && !text_is_digit(text.data[i]) && text.data[i] != '_' &&
        text.data[i] != '-' && text.data[i] != '.')
      return false;
  return text.size > 0;
}

/* True when nothing but a comment follows. */
static bool is_rest_empty(struct str rest) {
  rest = text_trim(rest);
  return rest.size == 0 || rest.data[0] == '#';
}

/* [section] */
static int read_section(struct line_scan *scan, struct str line) {
  size_t end = text_find(line, ']');
  struct str name = text_trim(str_of(line.data + 1, end == line.size ? 0 : end - 1));
  if (!is_name(name) || !is_rest_empty(str_of(line.data + end + 1, line.size - end - 1)))
    return line_fault(scan, "this is no section", "write [name] on a line of its own");
  scan->section = name;
  return ERR_OK;
}

/* The text between double quotes, unescaped into out (room for its size). */
static int read_quoted(struct line_scan *scan, struct str line, char *out, struct str *text) {
  size_t size = 0, at = 1;
  for (; at < line.size && line.data[at] != '"'; at++) {
    char c = line.data[at];
    if (c == '\\') {
      char escaped = ++at < line.size ? line.data[at] : '\0';
      if (escaped == 'n')
        c = '\n';
      else if (escaped == 't')
        c = '\t';
      else if (escaped == '"' || escaped == '\\')
        c = escaped;
      else
        return line_fault(scan, "unknown escape", "after a backslash come \", \\, n or t");
    }
    out[size++] = c;
  }
  if (at >= line.size)
    return line_fault(scan, "the closing quote is missing", "end the text with \"");
  if (!is_rest_empty(str_of(line.data + at + 1, line.size - at - 1)))
    return line_fault(scan, "unexpected text behind the value", "only a # comment may follow");
  *text = str_of(out, size);
  return ERR_OK;
}

/* key = value */
static int read_pair(struct line_scan *scan, struct str line) {
  size_t equals = text_find(line, '=');
  struct str key = text_trim(str_of(line.data, equals));
  if (equals == line.size || !is_name(key))
    return line_fault(scan, "this is no setting", "write key = value");
  struct str rest = text_trim(str_of(line.data + equals + 1, line.size - equals - 1));
  struct arena *arena = &scan->settings->arena;
  struct str name = arena_format(arena, "%.*s%s%.*s", STR_ARG(scan->section),
                                 scan->section.size ? "." : "", STR_ARG(key));
  char *unescaped = arena_alloc(arena, rest.size);
  if (!name.data || !unescaped)
    return mem_refused(scan->settings->account, name.size + rest.size, scan->err);
  struct str text;
  if (rest.size && rest.data[0] == '"') {
    int code = read_quoted(scan, rest, unescaped, &text);
    if (code) return code;
  } else {
    text = text_trim(str_of(rest.data, text_find(rest, '#')));
    if (text.size == 0) return line_fault(scan, "the value is missing", "write key = value");
  }
  return assign(scan->settings, name, text, &scan->source, scan->err);
}

int settings_load_file(struct settings *settings, const char *file, struct str text,
                       struct err *err) {
  settings->loads++;
  struct line_scan scan = {
      .settings = settings, .source = {.origin = SETTING_FILE}, .err = err, .section = STR("")};
  if (str_starts_with(text, STR("\xef\xbb\xbf"))) text = str_of(text.data + 3, text.size - 3);
  while (text.data) {
    struct str line = text_trim(text_split(&text, '\n'));
    scan.source.line++;
    if (line.size == 0 || line.data[0] == '#') continue;
    struct str place = arena_format(&settings->arena, "%s:%d", file, scan.source.line);
    if (!place.data) return mem_refused(settings->account, strlen(file) + 12, err);
    scan.source.place = place.data;
    int code = line.data[0] == '[' ? read_section(&scan, line) : read_pair(&scan, line);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- environment and flags ---- */

/* NILO_WAL_SYNC against wal.sync. */
static bool is_variable_of(struct str variable, const char *name) {
  size_t i = 0;
  for (; i < variable.size && name[i]; i++) {
    char wanted = name[i] == '.' || name[i] == '-' ? '_' : name[i];
    if (text_lower(variable.data[i]) != wanted) return false;
  }
  return i == variable.size && !name[i];
}

/* True when the name begins with a section that some setting stands in: what is left of NILO_… is
 * ours then. Others may use the prefix for what they like. */
static bool in_a_section(const struct settings *settings, struct str name) {
  size_t size = text_find(name, '_');
  for (size_t i = 0; i < settings->count && size < name.size; i++) {
    struct str setting = str_from(settings->values[i].setting->name);
    if (text_find(setting, '.') == size &&
        str_equal_ignoring_case(str_of(setting.data, size), str_of(name.data, size)))
      return true;
  }
  return false;
}

int settings_load_environment(struct settings *settings, char *const *environment,
                              struct err *err) {
  static const struct str prefix = {"NILO_", 5};
  settings->loads++;
  for (; *environment; environment++) {
    struct str text = str_from(*environment);
    struct str variable = text_split(&text, '=');
    if (!text.data || !str_starts_with(variable, prefix)) continue;
    struct str place = arena_format(&settings->arena, "environment %.*s", STR_ARG(variable));
    if (!place.data) return mem_refused(settings->account, variable.size, err);
    struct source source = {SETTING_ENVIRONMENT, place.data, 0};
    struct str rest = str_of(variable.data + prefix.size, variable.size - prefix.size);
    if (!in_a_section(settings, rest)) continue;
    struct str name = {NULL, 0};
    for (size_t i = 0; i < settings->count && !name.data; i++)
      if (is_variable_of(rest, settings->values[i].setting->name))
        name = str_from(settings->values[i].setting->name);
    /* For a suggestion, the underscore that stands for the dot is most often the first one. */
    if (!name.data) {
      struct str guess = arena_copy(&settings->arena, rest);
      if (!guess.data) return mem_refused(settings->account, rest.size, err);
      size_t dot = text_find(guess, '_');
      if (dot < guess.size) ((char *)(uintptr_t)guess.data)[dot] = '.';
      return located(unknown_name(settings, guess, err), &source, err);
    }
    int code = assign(settings, name, text_trim(text), &source, err);
    if (code) return code;
  }
  return ERR_OK;
}

int settings_load_flag(struct settings *settings, struct str name, struct str value,
                       struct err *err) {
  settings->loads++;
  struct str place = arena_format(&settings->arena, "flag --%.*s", STR_ARG(name));
  if (!place.data) return mem_refused(settings->account, name.size, err);
  struct source source = {SETTING_FLAG, place.data, 0};
  return assign(settings, name, text_trim(value), &source, err);
}
