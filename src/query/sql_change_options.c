/* What WITH (…) and the words behind a column's type say.
 *
 * A value is a word, a text or a number; which it is does not matter: retention = 7d is written
 * '7d', and time_unit = ms and 'ms' are one. */
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "query/sql_change_private.h"

struct str change__option_text(const struct sql_option *option) {
  const struct sql_expr *value = option->value;
  bool known = value && (value->kind == SQL_STRING || value->kind == SQL_NUMBER);
  return known ? value->text : (struct str){0};
}

int change__bad_option(const struct sql_option *option, const char *wanted, struct err *err) {
  err_set(err, ERR_INVALID_ARGUMENT, "invalid value for option \"%.*s\": \"%.*s\"",
          STR_ARG(text_cut(option->name, 60)), STR_ARG(text_cut(change__option_text(option), 60)));
  err_hint(err, "%s", wanted);
  err_position(err, 0, 0, option->offset);
  return ERR_INVALID_ARGUMENT;
}

static int unknown_option(const struct sql_option *option, const char *known, struct err *err) {
  err_set(err, ERR_INVALID_ARGUMENT, "unrecognized parameter \"%.*s\"",
          STR_ARG(text_cut(option->name, 100)));
  err_hint(err, "%s", known);
  err_position(err, 0, 0, option->offset);
  return ERR_INVALID_ARGUMENT;
}

static bool is_any(struct str text, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_equal_ignoring_case(text, str_from(words[i]))) return true;
  return false;
}

static bool read_bool(const struct sql_option *option, bool *value) {
  static const char *const yes[] = {"true", "on", "yes", "1"}, *const no[] = {"false", "off", "no",
                                                                              "0"};
  struct str text = change__option_text(option);
  if (option->value && option->value->kind == SQL_BOOLEAN) {
    *value = option->value->boolean;
    return true;
  }
  *value = !option->value || is_any(text, yes, 4);
  return *value || is_any(text, no, 4);
}

static bool read_count(struct str text, uint64_t most, uint64_t *value) {
  const char *at = text.data, *end = text.data + text.size;
  return text.size && !number_parse_u64(&at, end, value) && at == end && *value <= most;
}

static bool read_float(struct str text, double *value) {
  const char *at = text.data, *end = text.data + text.size;
  return text.size && !number_parse_f64(&at, end, value) && at == end;
}

/* ---- durations ---- */

/* "30 days", "1 hour 30 minutes". */
static bool read_words(struct str text, int64_t *ns) {
  static const struct {
    const char *name;
    int64_t ns;
  } units[] = {{"second", NS_PER_SECOND},
               {"minute", NS_PER_MINUTE},
               {"hour", NS_PER_HOUR},
               {"day", NS_PER_DAY},
               {"week", NS_PER_WEEK}};
  __int128 sum = 0;
  text = text_trim(text);
  if (!text.size) return false;
  while (text.size) {
    uint64_t number;
    const char *at = text.data, *end = text.data + text.size;
    if (number_parse_u64(&at, end, &number)) return false;
    text = text_trim(str_of(at, (size_t)(end - at)));
    size_t size = text_find(text, ' ');
    struct str word = str_of(text.data, size);
    if (word.size > 1 && word.data[word.size - 1] == 's') word.size--;
    int64_t unit = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
      if (str_equal_ignoring_case(word, str_from(units[i].name))) unit = units[i].ns;
    if (!unit) return false;
    sum += (__int128)number * unit;
    text = text_trim(str_of(text.data + size, text.size - size));
    if (sum > INT64_MAX) return false;
  }
  *ns = (int64_t)sum;
  return true;
}

int change__duration(struct query *query, const struct sql_option *option, int64_t *ns,
                     struct err *err) {
  static const char *const forever[] = {"inf", "infinite", "infinity", "0", "0s", "forever"};
  (void)query;
  struct str text = change__option_text(option);
  if (is_any(text, forever, sizeof forever / sizeof *forever)) {
    *ns = 0;
    return ERR_OK;
  }
  if (text.size && !duration_parse(text, ns, NULL) && *ns > 0) return ERR_OK;
  if (read_words(text, ns) && *ns > 0) return ERR_OK;
  return change__bad_option(option, "a duration is written '7d', '12h', '30 days', or 'inf'", err);
}

/* ---- of a table ---- */

static int set_unit(const struct sql_option *option, struct change_options *made, struct err *err) {
  struct str text = change__option_text(option);
  static const char *const digits[] = {"9", "6", "3", "0"};
  made->has_unit = true;
  if (time_unit_parse(text, &made->unit)) return ERR_OK;
  for (int unit = 0; unit < TIME_UNIT_COUNT; unit++)
    if (str_equal(text, str_from(digits[unit]))) {
      made->unit = (enum time_unit)unit;
      return ERR_OK;
    }
  return change__bad_option(option, "units are s, ms, us and ns", err);
}

static int set_codec(const struct sql_option *option, bool reset, struct table_change *change,
                     struct err *err) {
  int codec = reset ? CATALOG_CODEC_ENTROPY : catalog_codec_of(change__option_text(option));
  if (codec < 0) return change__bad_option(option, "codecs are entropy, zstd and hot", err);
  *change = (struct table_change){.kind = TABLE_SET_CODEC, .codec = (enum catalog_codec)codec};
  return ERR_OK;
}

/* decimals, error, relative_error, exact: true when it is one of them. */
static bool set_bound(const struct sql_option *option, struct str field, bool reset,
                      struct table_change *change, int *code, struct err *err) {
  static const struct {
    const char *name;
    enum lossy_kind kind;
  } names[] = {{"decimals", LOSSY_DECIMALS},
               {"error", LOSSY_ABSOLUTE},
               {"relative_error", LOSSY_RELATIVE},
               {"exact", LOSSY_NONE}};
  struct str text = change__option_text(option);
  uint64_t decimals;
  *code = ERR_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!str_equal(option->name, str_from(names[i].name))) continue;
    *change = (struct table_change){.kind = reset ? TABLE_UNSET_BOUND : TABLE_SET_BOUND,
                                    .field = field,
                                    .bound = {.kind = names[i].kind}};
    if (reset || names[i].kind == LOSSY_NONE) return true;
    if (names[i].kind == LOSSY_DECIMALS) {
      if (!read_count(text, LOSSY_DECIMALS_MAX, &decimals))
        *code = change__bad_option(option, "decimals are 0 to 15", err);
      change->bound.decimals = (unsigned)decimals;
    } else if (!read_float(text, &change->bound.limit) || !(change->bound.limit >= 0)) {
      *code = change__bad_option(option, "an error is a number from 0 on", err);
    }
    return true;
  }
  return false;
}

static int set_duplicates(const struct sql_option *option, bool reset, struct change_options *made,
                          struct err *err) {
  struct str text = change__option_text(option);
  made->has_duplicates = true;
  made->duplicates = CATALOG_NEWEST;
  if (reset || str_equal_ignoring_case(text, STR("newest"))) return ERR_OK;
  made->duplicates = CATALOG_KEEP;
  return str_equal_ignoring_case(text, STR("keep"))
             ? ERR_OK
             : change__bad_option(option, "duplicates are 'newest' or 'keep'", err);
}

static int set_option(struct query *query, const struct sql_option *option, bool reset,
                      struct change_options *made, struct err *err) {
  struct table_change *change = &made->changes[made->change_count];
  struct str name = option->name;
  int code = ERR_OK;
  if (str_equal(name, STR("time_unit")) || str_equal(name, STR("precision")))
    return set_unit(option, made, err);
  if (str_equal(name, STR("retention"))) {
    made->has_retention = true;
    made->retention_ns = -1;
    return reset ? ERR_OK : change__duration(query, option, &made->retention_ns, err);
  }
  if (str_equal(name, STR("partition")) || str_equal(name, STR("partition_width")) ||
      str_equal(name, STR("chunk_time_interval"))) {
    made->has_partition = true;
    made->partition_ns = 0;
    return reset ? ERR_OK : change__duration(query, option, &made->partition_ns, err);
  }
  if (str_equal(name, STR("duplicates"))) return set_duplicates(option, reset, made, err);
  if (str_equal(name, STR("history"))) {
    made->has_history = true;
    made->history_commits = 0;
    return reset || read_count(change__option_text(option), UINT32_MAX, &made->history_commits)
               ? ERR_OK
               : change__bad_option(option, "history is a number of commits", err);
  }
  if (str_equal(name, STR("floor_times"))) {
    made->has_floor = true;
    made->floor_times = false;
    return reset || read_bool(option, &made->floor_times)
               ? ERR_OK
               : change__bad_option(option, "floor_times is true or false", err);
  }
  if (str_equal(name, STR("codec"))) {
    code = set_codec(option, reset, change, err);
  } else if (!set_bound(option, (struct str){0}, reset, change, &code, err)) {
    return unknown_option(option,
                          "options are time_unit, retention, partition, duplicates, history, "
                          "floor_times, codec, decimals, error, relative_error",
                          err);
  }
  made->change_count += !code;
  return code;
}

int change__options(struct query *query, const struct sql_options *options, bool reset,
                    struct change_options *made, struct err *err) {
  *made = (struct change_options){.retention_ns = -1};
  int code = ERR_OK;
  if (options->count && made->change_count) return code;
  for (uint32_t i = 0; i < options->count && !code; i++) {
    if (made->change_count == sizeof made->changes / sizeof *made->changes)
      return err_set(err, ERR_LIMIT_EXCEEDED, "too many options");
    code = set_option(query, &options->items[i], reset, made, err);
  }
  return code;
}

int change__column_options(struct query *query, struct str field, const struct sql_options *options,
                           bool reset, struct table_change *changes, size_t *count,
                           struct err *err) {
  (void)query;
  for (uint32_t i = 0; i < options->count; i++) {
    const struct sql_option *option = &options->items[i];
    int code;
    if (str_equal(option->name, STR("codec"))) {
      err_set(err, ERR_UNSUPPORTED, "a column has no codec of its own");
      err_hint(err, "columns are encoded by what their values are; WITH (codec = …) is for all");
      err_position(err, 0, 0, option->offset);
      return ERR_UNSUPPORTED;
    }
    if (!set_bound(option, field, reset, &changes[*count], &code, err))
      return unknown_option(option, "a column takes decimals, error, relative_error, exact", err);
    if (code) return code;
    ++*count;
  }
  return ERR_OK;
}
