/* The spellings of values. */
#include "base/buffer.h"
#include "base/err.h"
#include "base/number.h"
#include "base/settings_private.h"
#include "base/text.h"
#include "base/time.h"

struct str settings__next_choice(const char **at) {
  while (**at == ' ')
    ++*at;
  if (!**at) return (struct str){NULL, 0};
  const char *start = *at;
  while (**at && **at != ' ')
    ++*at;
  return str_of(start, (size_t)(*at - start));
}

static int refuse(const struct setting *setting, struct str text, int code, const char *wanted,
                  struct err *err) {
  err_set(err, code, "%s cannot be \"%.*s\"", setting->name, (int)(text.size > 64 ? 64 : text.size),
          text.size ? text.data : "");
  err_hint(err, "%s", wanted);
  return code;
}

static int parse_bool(const struct setting *setting, struct str text, int64_t *number,
                      struct err *err) {
  static const char *const spellings[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
  for (int i = 0; i < 8; i++) {
    if (!str_equal_ignoring_case(text, str_from(spellings[i]))) continue;
    *number = i % 2;
    return ERR_OK;
  }
  return refuse(setting, text, ERR_PARSE, "write true or false", err);
}

/* Digits with underscores between them; moves `text` behind them. */
static enum number_result take_integer(struct str *text, int64_t *number) {
  char digits[32];
  size_t count = 0, at = 0;
  for (; at < text->size && count < sizeof digits; at++) {
    char c = text->data[at];
    bool between = c == '_' && at > 0 && text_is_digit(text->data[at - 1]) && at + 1 < text->size &&
                   text_is_digit(text->data[at + 1]);
    if (between) continue;
    if (!text_is_digit(c) && !(at == 0 && (c == '-' || c == '+'))) break;
    digits[count++] = c;
  }
  const char *next = digits;
  enum number_result result = number_parse_i64(&next, digits + count, number);
  *text = str_of(text->data + at, text->size - at);
  return result;
}

static int parse_int(const struct setting *setting, struct str text, int64_t *number,
                     struct err *err) {
  struct str rest = text;
  enum number_result result = take_integer(&rest, number);
  if (result == NUMBER_SYNTAX || rest.size)
    return refuse(setting, text, ERR_PARSE, "write a whole number", err);
  if (result == NUMBER_RANGE)
    return refuse(setting, text, ERR_OUT_OF_RANGE, "write a number of at most 64 bits", err);
  return ERR_OK;
}

static bool size_factor(struct str unit, int64_t *factor) {
  static const char letters[] = "kmgt";
  *factor = 1;
  if (unit.size == 0 || str_equal_ignoring_case(unit, STR("B"))) return true;
  for (int i = 0; i < 4; i++) {
    char decimal[3] = {letters[i], 'b', 0}, binary[4] = {letters[i], 'i', 'b', 0};
    *factor *= 1000;
    if (str_equal_ignoring_case(unit, str_from(decimal))) return true;
    if (!str_equal_ignoring_case(unit, str_from(binary)) &&
        !str_equal_ignoring_case(unit, str_of(letters + i, 1)))
      continue;
    *factor = INT64_C(1) << (10 * (i + 1));
    return true;
  }
  return false;
}

static int parse_size(const struct setting *setting, struct str text, int64_t *number,
                      struct err *err) {
  struct str rest = text;
  int64_t factor;
  enum number_result result = take_integer(&rest, number);
  if (result == NUMBER_SYNTAX || !size_factor(text_trim(rest), &factor))
    return refuse(setting, text, ERR_PARSE, "write a size like 64MiB, 10KB or 4096", err);
  if (result == NUMBER_RANGE || __builtin_mul_overflow(*number, factor, number))
    return refuse(setting, text, ERR_OUT_OF_RANGE, "write a size of at most 64 bits", err);
  return ERR_OK;
}

static int parse_duration(const struct setting *setting, struct str text, int64_t *number,
                          struct err *err) {
  *number = 0;
  if (str_equal(text, STR("0"))) return ERR_OK;
  int code = duration_parse(text, number, NULL);
  if (!code) return ERR_OK;
  return refuse(setting, text, code, "write a duration like 10s, 1h30m or 250ms", err);
}

static int parse_choice(struct settings *settings, const struct setting *setting, struct str text,
                        struct setting_value *value, struct err *err) {
  const char *at = setting->choices;
  struct text_nearest nearest = text_nearest_of(text);
  for (int64_t i = 0;; i++) {
    struct str choice = settings__next_choice(&at);
    if (!choice.data) break;
    text_nearest_offer(&nearest, choice);
    if (!str_equal_ignoring_case(choice, text)) continue;
    struct str copy = arena_format(&settings->arena, "%.*s", STR_ARG(choice));
    if (!copy.data) return mem_refused(settings->account, choice.size, err);
    value->number = i;
    value->text = copy.data;
    return ERR_OK;
  }
  refuse(setting, text, ERR_PARSE, "", err);
  if (nearest.best.data)
    err_hint(err, "did you mean %.*s? It is one of: %s", STR_ARG(nearest.best), setting->choices);
  else
    err_hint(err, "write one of: %s", setting->choices);
  return ERR_PARSE;
}

static int parse_string(struct settings *settings, const struct setting *setting, struct str text,
                        struct setting_value *value, struct err *err) {
  if (setting->max > 0 && text.size > (size_t)setting->max)
    return refuse(setting, text, ERR_OUT_OF_RANGE, "write a shorter text", err);
  if (text_find(text, '\0') < text.size)
    return refuse(setting, text, ERR_PARSE, "a zero byte cannot be in it", err);
  char *copy = arena_alloc(&settings->arena, text.size + 1);
  if (!copy) return mem_refused(settings->account, text.size + 1, err);
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = '\0';
  value->text = copy;
  return ERR_OK;
}

/* A bound in the spelling of the setting's type. */
static const char *bound_text(const struct setting *setting, int64_t bound, char *out) {
  if (setting->type == SETTING_DURATION)
    duration_format(bound, out);
  else
    *number_print_i64(bound, out) = '\0';
  return out;
}

static int check_range(const struct setting *setting, struct str text, int64_t number,
                       struct err *err) {
  if (setting->min == 0 && setting->max == 0) return ERR_OK;
  if (number >= setting->min && number <= setting->max) return ERR_OK;
  char low[DURATION_TEXT_MAX], high[DURATION_TEXT_MAX];
  int code = refuse(setting, text, ERR_OUT_OF_RANGE, "", err);
  err_hint(err, "it lies between %s and %s", bound_text(setting, setting->min, low),
           bound_text(setting, setting->max, high));
  return code;
}

int settings__parse_value(struct settings *settings, const struct setting *setting, struct str text,
                          struct setting_value *value, struct err *err) {
  int code = ERR_OK;
  switch (setting->type) {
  case SETTING_BOOL:
    return parse_bool(setting, text, &value->number, err);
  case SETTING_STRING:
    return parse_string(settings, setting, text, value, err);
  case SETTING_ENUM:
    return parse_choice(settings, setting, text, value, err);
  case SETTING_INT:
    code = parse_int(setting, text, &value->number, err);
    break;
  case SETTING_SIZE:
    code = parse_size(setting, text, &value->number, err);
    break;
  case SETTING_DURATION:
    code = parse_duration(setting, text, &value->number, err);
    break;
  }
  return code ? code : check_range(setting, text, value->number, err);
}
