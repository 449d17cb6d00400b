/* Directories and connections. */
#include <string.h>

#include "base/metrics.h"
#include "element/element.h"
#include "embed/embed_private.h"

void nilo_options_default(struct nilo_options *options) { *options = (struct nilo_options){0}; }

/* ---- a directory ---- */

static int check_options(const struct nilo_options *options, struct err *err) {
  if (!options || !options->path || !options->path[0])
    return err_set(err, ERR_INVALID_ARGUMENT, "a directory must be named");
  for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++) {
    if (!options->reserved[i]) continue;
    err_set(err, ERR_UNSUPPORTED, "an option that this library does not know is set");
    err_hint(err, "begin with nilo_options_default, or use a newer library");
    return ERR_UNSUPPORTED;
  }
  return ERR_OK;
}

static int load_settings(struct nilo *nilo, const struct nilo_options *options, struct err *err) {
  int code = settings_create(&nilo->account, api_setting_tables, api_setting_table_count,
                             &nilo->settings, err);
  for (size_t i = 0; !code && i < options->setting_count; i++) {
    const struct nilo_setting *setting = &options->settings[i];
    if (!setting->name || !setting->value)
      return err_set(err, ERR_INVALID_ARGUMENT, "a setting needs a name and a value");
    code =
        settings_load_flag(nilo->settings, str_from(setting->name), str_from(setting->value), err);
  }
  return code;
}

static int open_engine(struct nilo *nilo, const struct nilo_options *options, struct err *err) {
  int code = load_settings(nilo, options, err);
  if (!code) code = metrics_create(&nilo->account, &nilo->metrics, err);
  if (!code) code = os_pool_create(nilo->os, options->threads, &nilo->pool, err);
  if (code) return code;
  nilo->read_only = options->read_only;
  struct api_options api = {.path = options->path,
                            .os = nilo->os,
                            .pool = nilo->pool,
                            .account = &nilo->account,
                            .settings = nilo->settings,
                            .metrics = nilo->metrics,
                            .read_only = options->read_only};
  return api_open(&api, &nilo->api, err);
}

int nilo_open(const struct nilo_options *options, struct nilo **out, struct nilo_error *error) {
  struct err err = {.offset = -1};
  struct os *os = NULL;
  *out = NULL;
  int code = check_options(options, &err);
  if (!code) code = os_real_create(&os, &err);
  if (code) return element_fail(&err, error);
  struct mem_account first;
  mem_account_init(&first, "nilo", NULL, 0);
  struct nilo *nilo = mem_alloc_zero(&first, sizeof *nilo);
  if (!nilo) {
    code = mem_refused(&first, sizeof *nilo, &err);
    mem_account_deinit(&first);
    os_destroy(os);
    return element_fail(&err, error);
  }
  nilo->os = os;
  mem_account_init(&nilo->account, "nilo", NULL, 0);
  mem_discharge(&first, sizeof *nilo); /* from here on its own account bears it */
  mem_account_deinit(&first);
  (void)mem_charge(&nilo->account, sizeof *nilo);
  if (open_engine(nilo, options, &err)) {
    nilo_close(nilo);
    return element_fail(&err, error);
  }
  *out = nilo;
  return NILO_OK;
}

void nilo_close(struct nilo *nilo) {
  if (!nilo) return;
  struct os *os = nilo->os;
  api_close(nilo->api);
  if (nilo->pool) os_pool_destroy(nilo->pool);
  metrics_destroy(nilo->metrics);
  if (nilo->settings) settings_destroy(nilo->settings);
  struct mem_account last;
  mem_account_init(&last, "nilo", NULL, 0);
  (void)mem_charge(&last, sizeof *nilo);
  mem_discharge(&nilo->account, sizeof *nilo);
  mem_account_deinit(&nilo->account);
  mem_free(&last, nilo, sizeof *nilo);
  mem_account_deinit(&last);
  os_destroy(os);
}

int nilo_flush(struct nilo *nilo, struct nilo_error *error) {
  struct err err = {.offset = -1};
  return api_flush(nilo->api, &err) ? element_fail(&err, error) : NILO_OK;
}

static int create_database(struct nilo *nilo, const char *name, const char *unit, struct err *err) {
  enum time_unit parsed;
  if (!name || !name[0]) return err_set(err, ERR_INVALID_ARGUMENT, "a database needs a name");
  if (!unit || !time_unit_parse(str_from(unit), &parsed))
    return err_set(err, ERR_INVALID_ARGUMENT, "a unit of time is ns, us, ms or s");
  return api_create_database(nilo->api, str_from(name), parsed, err);
}

int nilo_create_database(struct nilo *nilo, const char *name, const char *unit,
                         struct nilo_error *error) {
  struct err err = {.offset = -1};
  return create_database(nilo, name, unit, &err) ? element_fail(&err, error) : NILO_OK;
}

/* ---- connections ---- */

static int connect(struct nilo *nilo, const char *database, struct nilo_connection *connection,
                   struct err *err) {
  struct query_session_options options = {.database = str_from(database ? database : "nilo")};
  int code = ERR_OK;
  if (!database && !nilo->read_only) {
    struct err local = {.offset = -1};
    code = api_create_database(nilo->api, STR("nilo"), TIME_NS, &local);
    /* it is there with another unit, which is as good */
    if (code && code != ERR_ALREADY_EXISTS) *err = local;
    if (code == ERR_ALREADY_EXISTS) code = ERR_OK;
  }
  if (!code)
    code = query_session_create(api_engine(nilo->api), &nilo->account, &options,
                                &connection->session, err);
  if (!code) code = query_session_use(connection->session, options.database, err);
  return code;
}

int nilo_connect(struct nilo *nilo, const char *database, struct nilo_connection **out,
                 struct nilo_error *error) {
  struct err err = {.offset = -1};
  struct nilo_connection *connection = mem_alloc_zero(&nilo->account, sizeof *connection);
  *out = NULL;
  if (!connection) {
    mem_refused(&nilo->account, sizeof *connection, &err);
    return element_fail(&err, error);
  }
  connection->nilo = nilo;
  os_mutex_init(&connection->lock, nilo->os);
  if (connect(nilo, database, connection, &err)) {
    nilo_disconnect(connection);
    return element_fail(&err, error);
  }
  *out = connection;
  return NILO_OK;
}

void nilo_disconnect(struct nilo_connection *connection) {
  if (!connection) return;
  struct nilo *nilo = connection->nilo;
  embed__query_close(connection);
  query_session_destroy(connection->session);
  os_mutex_deinit(&connection->lock);
  mem_free(&nilo->account, connection, sizeof *connection);
}

void nilo_cancel(struct nilo_connection *connection) {
  os_mutex_lock(&connection->lock);
  if (connection->query) query_cancel(connection->query);
  os_mutex_unlock(&connection->lock);
}

/* ---- line protocol ---- */

int nilo_write_lines(struct nilo_connection *connection, const char *text, size_t size,
                     const char *precision, uint64_t *rows, struct nilo_error *error) {
  struct err err = {.offset = -1};
  struct api_write_answer answer = {0};
  struct api_write write = {.database = query_session_database(connection->session),
                            .schema = query_session_schema(connection->session),
                            .format = API_LINE_PROTOCOL,
                            .body = str_of(text, size)};
  if (rows) *rows = 0;
  if (!precision || !time_unit_parse(str_from(precision), &write.precision)) {
    err_set(&err, ERR_INVALID_ARGUMENT, "a precision is ns, us, ms or s");
    return element_fail(&err, error);
  }
  api_write(connection->nilo->api, &write, &answer);
  if (rows) *rows = answer.rows_written;
  return answer.error.code ? element_fail(&answer.error, error) : NILO_OK;
}
