/* The settings object: values with their origins. Reading of sources is in settings_load.c,
 * spelling of values in settings_value.c, writing in settings_write.c. */
#include <assert.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/settings_private.h"

static int declare(struct settings *settings, const struct setting *setting, struct err *err) {
  bool is_new;
  uint64_t *index = str_table_insert(&settings->names, str_from(setting->name), &is_new);
  if (!index) return mem_refused(settings->account, sizeof(struct str_table_slot), err);
  if (!is_new) return err_set(err, ERR_INTERNAL, "setting %s is declared twice", setting->name);
  *index = settings->count;
  struct setting_value *value = &settings->values[settings->count++];
  value->setting = setting;
  value->place = "default";
  int code = settings__parse_value(settings, setting, str_from(setting->fallback), value, err);
  if (code == ERR_OK || code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT) return code;
  err_wrap(err, "the default of setting %s is wrong", setting->name);
  if (err) err->code = ERR_INTERNAL;
  return ERR_INTERNAL;
}

int settings_create(struct mem_account *account, const struct setting_table *tables, size_t count,
                    struct settings **settings, struct err *err) {
  struct settings *created = mem_alloc_zero(account, sizeof *created);
  if (!created) return mem_refused(account, sizeof *created, err);
  created->account = account;
  arena_init(&created->arena, account, 4096);
  str_table_init(&created->names, account, false, 0);
  size_t total = 0;
  for (size_t i = 0; i < count; i++)
    total += tables[i].count;
  created->values = arena_alloc_zero(&created->arena, total * sizeof *created->values);
  int code = created->values ? ERR_OK : mem_refused(account, total * sizeof *created->values, err);
  for (size_t i = 0; i < count && !code; i++)
    for (size_t k = 0; k < tables[i].count && !code; k++)
      code = declare(created, &tables[i].settings[k], err);
  if (code)
    settings_destroy(created);
  else
    *settings = created;
  return code;
}

void settings_destroy(struct settings *settings) {
  if (!settings) return;
  str_table_deinit(&settings->names);
  arena_deinit(&settings->arena);
  mem_free(settings->account, settings, sizeof *settings);
}

struct setting_value *settings__find(const struct settings *settings, struct str name) {
  uint64_t *index = str_table_find(&settings->names, name);
  return index ? &settings->values[*index] : NULL;
}

bool settings_known(const struct settings *settings, struct str name) {
  return settings__find(settings, name) != NULL;
}

/* A name that the program itself wrote. */
static const struct setting_value *declared(const struct settings *settings, const char *name) {
  const struct setting_value *value = settings__find(settings, str_from(name));
  assert(value && "a setting is read that nobody declared");
  return value;
}

bool settings_bool(const struct settings *settings, const char *name) {
  const struct setting_value *value = declared(settings, name);
  assert(value->setting->type == SETTING_BOOL);
  return value->number != 0;
}

int64_t settings_number(const struct settings *settings, const char *name) {
  const struct setting_value *value = declared(settings, name);
  assert(value->setting->type == SETTING_INT || value->setting->type == SETTING_SIZE ||
         value->setting->type == SETTING_DURATION);
  return value->number;
}

const char *settings_string(const struct settings *settings, const char *name) {
  const struct setting_value *value = declared(settings, name);
  assert(value->setting->type == SETTING_STRING || value->setting->type == SETTING_ENUM);
  return value->text;
}

int settings_choice(const struct settings *settings, const char *name) {
  const struct setting_value *value = declared(settings, name);
  assert(value->setting->type == SETTING_ENUM);
  return (int)value->number;
}

enum setting_origin settings_origin(const struct settings *settings, const char *name) {
  return declared(settings, name)->origin;
}
