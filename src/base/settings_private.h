/* What the files of the settings share. */
#ifndef NILO_BASE_SETTINGS_PRIVATE_H
#define NILO_BASE_SETTINGS_PRIVATE_H

#include "base/hash_table.h"
#include "base/memory.h"
#include "base/settings.h"

struct setting_value {
  const struct setting *setting;
  enum setting_origin origin;
  unsigned load;     /* which load set it, for "set twice" */
  const char *place; /* "default", "nilo.toml:12", "environment NILO_…", "flag --…" */
  int64_t number;    /* a bool, a number, the place of a choice */
  const char *text;  /* strings and choices; terminated */
};

struct settings {
  struct mem_account *account;
  struct arena arena; /* everything below; what is replaced stays until the end */
  struct setting_value *values;
  size_t count;
  struct str_table names; /* name -> index of values */
  unsigned loads;
};

/* NULL when there is none. */
struct setting_value *settings__find(const struct settings *settings, struct str name);

/* Sets number and text of `value` from a spelling without quotes; origin and place are left alone.
 * ERR_PARSE, ERR_OUT_OF_RANGE, ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int settings__parse_value(struct settings *settings, const struct setting *setting, struct str text,
                          struct setting_value *value, struct err *err);

/* Takes the next blank-separated word of a list of choices; data is NULL at the end. */
struct str settings__next_choice(const char **at);

#endif
