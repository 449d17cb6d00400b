/* Sessions. Settings are a table of texts beside query_session.def; those that something depends
 * on are kept in their own form, too (zone, schema, timeout).
 *
 * A text that is replaced is freed at once: nothing here grows with the number of SETs. */
#include "query/query_session.h"

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "base/time_zone.h"
#include "catalog/catalog.h"
#include "os/zones.h"
#include "table/engine.h"

enum setting_kind { ANY, FIXED, BOOL, DURATION, ZONE, SCHEMA, ENCODING, STYLE, INTERVAL_STYLE };
struct setting {
  const char *name, *initial;
  enum setting_kind kind;
  const char *description;
};
static const struct setting settings[] = {
#define SETTING(name, initial, kind, description) {name, initial, kind, description},
#include "query/query_session.def"
#undef SETTING
};
enum {
  SETTINGS = sizeof settings / sizeof settings[0],
  PREPARED_MAX = 1000, /* of a session */
  CUSTOM_MAX = 100,    /* settings of clients' own, "app.user" */
};

struct custom {
  struct custom *next;
  struct str name, value;
};
struct prepared {
  struct prepared *next;
  struct query_prepared as_told;
};
struct query_session {
  struct mem_account *account;
  struct table_engine *engine;
  struct str database, user;
  struct str values[SETTINGS]; /* data NULL: the default */
  struct str schema;           /* the first of search_path */
  const struct time_zone *zone;
  int64_t timeout_ns;
  struct custom *customs;
  uint32_t custom_count;
  struct prepared *prepared; /* newest first */
  uint32_t prepared_count;
};

/* ---- texts ---- */

static int copy(struct query_session *session, struct str text, struct str *kept, struct err *err) {
  char *data = mem_alloc(session->account, text.size + 1);
  if (!data) return mem_refused(session->account, text.size + 1, err);
  if (text.size) memcpy(data, text.data, text.size);
  data[text.size] = 0;
  *kept = str_of(data, text.size);
  return ERR_OK;
}

static void drop(struct query_session *session, struct str *text) {
  if (text->data) mem_free(session->account, (char *)text->data, text->size + 1);
  *text = (struct str){0};
}

static struct str trim(struct str text) {
  while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
    text = str_of(text.data + 1, text.size - 1);
  while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
    text.size--;
  return text;
}

/* ---- life ---- */

int query_session_create(struct table_engine *engine, struct mem_account *account,
                         const struct query_session_options *options, struct query_session **out,
                         struct err *err) {
  struct query_session *session = mem_alloc_zero(account, sizeof *session);
  *out = NULL;
  if (!session) return mem_refused(account, sizeof *session, err);
  session->account = account;
  session->engine = engine;
  int code = copy(session, options->database.size ? options->database : STR("nilo"),
                  &session->database, err);
  if (!code)
    code = copy(session, options->user.size ? options->user : STR("nilo"), &session->user, err);
  if (code) {
    query_session_destroy(session);
    return code;
  }
  *out = session;
  return ERR_OK;
}

static void free_prepared(struct query_session *session, struct prepared *prepared) {
  struct query_prepared *told = &prepared->as_told;
  drop(session, &told->name);
  drop(session, &told->text);
  if (told->types)
    mem_free(session->account, (void *)told->types, told->type_count * sizeof *told->types);
  mem_free(session->account, prepared, sizeof *prepared);
}

static void free_all_prepared(struct query_session *session) {
  while (session->prepared) {
    struct prepared *next = session->prepared->next;
    free_prepared(session, session->prepared);
    session->prepared = next;
  }
  session->prepared_count = 0;
}

static void free_settings(struct query_session *session) {
  for (uint32_t i = 0; i < SETTINGS; i++)
    drop(session, &session->values[i]);
  drop(session, &session->schema);
  while (session->customs) {
    struct custom *next = session->customs->next;
    drop(session, &session->customs->name);
    drop(session, &session->customs->value);
    mem_free(session->account, session->customs, sizeof *session->customs);
    session->customs = next;
  }
  session->custom_count = 0;
  session->zone = NULL;
  session->timeout_ns = 0;
}

void query_session_destroy(struct query_session *session) {
  if (!session) return;
  free_all_prepared(session);
  free_settings(session);
  drop(session, &session->database);
  drop(session, &session->user);
  mem_free(session->account, session, sizeof *session);
}

struct str query_session_database(const struct query_session *session) {
  return session->database;
}
struct str query_session_schema(const struct query_session *session) {
  return session->schema;
}
struct str query_session_user(const struct query_session *session) {
  return session->user;
}
const struct time_zone *query_session_zone(const struct query_session *session) {
  return session->zone;
}
int64_t query_session_timeout(const struct query_session *session) { return session->timeout_ns; }

int query_session_use(struct query_session *session, struct str database, struct err *err) {
  struct catalog_database found;
  struct str kept;
  int code = catalog_database_find(table_engine_catalog(session->engine), database, &found, err);
  if (!code) code = copy(session, database, &kept, err);
  if (code) return code;
  drop(session, &session->database);
  session->database = kept;
  return ERR_OK;
}

/* ---- settings ---- */

static int find(struct str name) {
  for (int i = 0; i < SETTINGS; i++)
    if (str_equal_ignoring_case(name, str_from(settings[i].name))) return i;
  return -1;
}

static struct custom *find_custom(const struct query_session *session, struct str name) {
  for (struct custom *at = session->customs; at; at = at->next)
    if (str_equal_ignoring_case(at->name, name)) return at;
  return NULL;
}

static int refuse_value(const struct setting *setting, struct str value, struct err *err) {
  err_set(err, ERR_INVALID_ARGUMENT, "invalid value for parameter \"%s\": \"%.*s\"", setting->name,
          STR_ARG(text_cut(value, 80)));
  if (setting->kind == FIXED) err_hint(err, "it can't be changed: it is %s", setting->initial);
  return ERR_INVALID_ARGUMENT;
}

/* The first name of a search_path that is no variable; "public" is the database's default. */
static struct str first_schema(struct str path) {
  while (path.size) {
    size_t end = 0;
    while (end < path.size && path.data[end] != ',')
      end++;
    struct str name = trim(str_of(path.data, end));
    if (name.size >= 2 && name.data[0] == '"') name = str_of(name.data + 1, name.size - 2);
    if (name.size && name.data[0] != '$') return str_equal(name, STR("public")) ? STR("") : name;
    size_t step = end < path.size ? end + 1 : end;
    path = str_of(path.data + step, path.size - step);
  }
  return STR("");
}

static bool is_bool(struct str value) {
  static const char *const words[] = {"on", "off", "true", "false", "yes", "no", "1", "0"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (str_equal_ignoring_case(value, str_from(words[i]))) return true;
  return false;
}

/* Milliseconds without a unit. */
static bool read_duration(struct str value, int64_t *ns) {
  const char *at = value.data, *end = value.data + value.size;
  int64_t ms;
  if (!number_parse_i64(&at, end, &ms) && at == end) {
    return ms >= 0 && !__builtin_mul_overflow(ms, NS_PER_MS, ns);
  }
  size_t digits = 0;
  while (digits < value.size && value.data[digits] >= '0' && value.data[digits] <= '9')
    digits++;
  struct str unit = trim(str_of(value.data + digits, value.size - digits));
  char text[64];
  if (!digits || digits + 3 > sizeof text || !unit.size || unit.size > 3) return false;
  if (str_equal(unit, STR("min"))) unit = STR("m");
  memcpy(text, value.data, digits);
  memcpy(text + digits, unit.data, unit.size);
  return duration_parse(str_of(text, digits + unit.size), ns, NULL) == ERR_OK && *ns >= 0;
}

/* Checks a value and makes the form that others use of it. */
static int apply(struct query_session *session, const struct setting *setting, struct str value,
                 struct err *err) {
  struct str schema;
  switch (setting->kind) {
  case ANY:
    return ERR_OK;
  case BOOL:
    return is_bool(value) ? ERR_OK : refuse_value(setting, value, err);
  case DURATION:
    return read_duration(value, &session->timeout_ns) ? ERR_OK : refuse_value(setting, value, err);
  case ENCODING:
    return str_equal_ignoring_case(value, STR("utf8")) ||
                   str_equal_ignoring_case(value, STR("utf-8")) ||
                   str_equal_ignoring_case(value, STR("unicode"))
               ? ERR_OK
               : refuse_value(setting, value, err);
  case STYLE: /* the order of day and month is of no matter in ISO */
    return value.size >= 3 && str_equal_ignoring_case(str_of(value.data, 3), STR("iso"))
               ? ERR_OK
               : refuse_value(setting, value, err);
  case INTERVAL_STYLE:
    return str_equal_ignoring_case(value, STR("postgres")) ? ERR_OK
                                                           : refuse_value(setting, value, err);
  case ZONE:
    if (os_zones_find(table_engine_zones(session->engine), value, &session->zone, err))
      return refuse_value(setting, value, err);
    return ERR_OK;
  case SCHEMA:
    if (copy(session, first_schema(value), &schema, err)) return ERR_NO_MEMORY;
    drop(session, &session->schema);
    session->schema = schema;
    return ERR_OK;
  default:
    return str_equal(value, str_from(setting->initial)) ? ERR_OK
                                                        : refuse_value(setting, value, err);
  }
}

static int set_custom(struct query_session *session, struct str name, const struct str *value,
                      struct err *err) {
  struct custom *custom = find_custom(session, name);
  struct str kept;
  int code = copy(session, value ? *value : STR(""), &kept, err);
  if (code) return code;
  if (custom) {
    drop(session, &custom->value);
    custom->value = kept;
    return ERR_OK;
  }
  custom =
      session->custom_count < CUSTOM_MAX ? mem_alloc_zero(session->account, sizeof *custom) : NULL;
  if (!custom || copy(session, name, &custom->name, err)) {
    drop(session, &kept);
    if (custom) mem_free(session->account, custom, sizeof *custom);
    return err_set(err, ERR_LIMIT_EXCEEDED, "a session may have %d settings of its own",
                   CUSTOM_MAX);
  }
  custom->value = kept;
  custom->next = session->customs;
  session->customs = custom;
  session->custom_count++;
  return ERR_OK;
}

static int unknown(struct str name, struct err *err) {
  return err_set(err, ERR_NOT_FOUND, "unrecognized configuration parameter \"%.*s\"",
                 STR_ARG(text_cut(name, 80)));
}

int query_session_set(struct query_session *session, struct str name, const struct str *value,
                      struct err *err) {
  int index = find(name);
  if (index < 0) {
    if (!memchr(name.data, '.', name.size)) return unknown(name, err);
    return set_custom(session, name, value, err);
  }
  const struct setting *setting = &settings[index];
  struct str kept = {0};
  int code = apply(session, setting, value ? *value : str_from(setting->initial), err);
  if (!code && value) code = copy(session, *value, &kept, err);
  if (code) return code;
  drop(session, &session->values[index]);
  session->values[index] = kept;
  return ERR_OK;
}

int query_session_get(const struct query_session *session, struct str name, struct str *value,
                      struct str *proper, struct str *description, struct err *err) {
  int index = find(name);
  if (index < 0) {
    const struct custom *custom = find_custom(session, name);
    if (!custom) return unknown(name, err);
    *value = custom->value;
    if (proper) *proper = custom->name;
    if (description) *description = STR("");
    return ERR_OK;
  }
  *value = session->values[index].data ? session->values[index] : str_from(settings[index].initial);
  if (proper) *proper = str_from(settings[index].name);
  if (description) *description = str_from(settings[index].description);
  return ERR_OK;
}

uint32_t query_session_setting_count(const struct query_session *session) {
  (void)session;
  return SETTINGS;
}

void query_session_setting(const struct query_session *session, uint32_t index, struct str *name,
                           struct str *value, struct str *description) {
  (void)query_session_get(session, str_from(settings[index].name), value, name, description, NULL);
}

int query_session_discard(struct query_session *session, struct err *err) {
  (void)err;
  free_all_prepared(session);
  free_settings(session);
  return ERR_OK;
}

/* ---- prepared statements ---- */

static struct prepared **place_of(const struct query_session *session, struct str name) {
  struct prepared **at = (struct prepared **)&session->prepared;
  while (*at && !str_equal((*at)->as_told.name, name))
    at = &(*at)->next;
  return at;
}

int query_session_prepare(struct query_session *session, const struct query_prepared *prepared,
                          struct err *err) {
  if (*place_of(session, prepared->name)) {
    return err_set(err, ERR_DUPLICATE_PREPARED, "prepared statement \"%.*s\" already exists",
                   STR_ARG(text_cut(prepared->name, 80)));
  }
  if (session->prepared_count == PREPARED_MAX) {
    err_set(err, ERR_LIMIT_EXCEEDED, "a session may have %d prepared statements", PREPARED_MAX);
    err_hint(err, "DEALLOCATE those that are not needed");
    return ERR_LIMIT_EXCEEDED;
  }
  struct prepared *made = mem_alloc_zero(session->account, sizeof *made);
  if (!made) return mem_refused(session->account, sizeof *made, err);
  struct query_prepared *told = &made->as_told;
  size_t size = prepared->type_count * sizeof *prepared->types;
  int code = copy(session, prepared->name, &told->name, err);
  if (!code) code = copy(session, prepared->text, &told->text, err);
  struct type *types = !code && size ? mem_alloc(session->account, size) : NULL;
  if (!code && size && !types) code = mem_refused(session->account, size, err);
  if (types) memcpy(types, prepared->types, size);
  told->types = types;
  told->type_count = types ? prepared->type_count : 0;
  told->prepared_ns = prepared->prepared_ns;
  if (code) {
    free_prepared(session, made);
    return code;
  }
  made->next = session->prepared;
  session->prepared = made;
  session->prepared_count++;
  return ERR_OK;
}

static int unknown_prepared(struct str name, struct err *err) {
  return err_set(err, ERR_UNKNOWN_PREPARED, "prepared statement \"%.*s\" does not exist",
                 STR_ARG(text_cut(name, 80)));
}

int query_session_prepared(const struct query_session *session, struct str name,
                           const struct query_prepared **prepared, struct err *err) {
  struct prepared *found = *place_of(session, name);
  if (!found) return unknown_prepared(name, err);
  *prepared = &found->as_told;
  return ERR_OK;
}

int query_session_deallocate(struct query_session *session, struct str name, struct err *err) {
  if (!name.size) {
    free_all_prepared(session);
    return ERR_OK;
  }
  struct prepared **at = place_of(session, name), *gone = *at;
  if (!gone) return unknown_prepared(name, err);
  *at = gone->next;
  free_prepared(session, gone);
  session->prepared_count--;
  return ERR_OK;
}

uint32_t query_session_prepared_count(const struct query_session *session) {
  return session->prepared_count;
}

const struct query_prepared *query_session_prepared_at(const struct query_session *session,
                                                       uint32_t index) {
  struct prepared *at = session->prepared;
  while (at && index--)
    at = at->next;
  return at ? &at->as_told : NULL;
}
