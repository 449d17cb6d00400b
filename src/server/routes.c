/* The table of routes. */
#include "server/routes.h"

static const struct route table[] = {
    {"/write", "write", ROUTE_POST, ERROR_STYLE_V1, false, route_write_begin, NULL},
    {"/api/v2/write", "write_v2", ROUTE_POST, ERROR_STYLE_V2, false, route_write_v2_begin, NULL},
    {"/query", "query", ROUTE_GET | ROUTE_POST, ERROR_STYLE_V1, true, route_query_begin,
     route_query_cancel},
    {"/sql", "sql", ROUTE_GET | ROUTE_POST, ERROR_STYLE_V1, true, route_sql_begin,
     route_sql_cancel},
    {"/ping", "ping", ROUTE_GET, ERROR_STYLE_V1, false, route_ping_begin, NULL},
    {"/health", "health", ROUTE_GET, ERROR_STYLE_V2, false, route_health_begin, NULL},
    {"/ready", "ready", ROUTE_GET, ERROR_STYLE_V2, false, route_ready_begin, NULL},
    {"/api/v1/admin/inspect", "admin_inspect", ROUTE_GET, ERROR_STYLE_V1, false,
     route_admin_inspect_begin, NULL},
    {"/api/v1/admin/check", "admin_check", ROUTE_POST, ERROR_STYLE_V1, false,
     route_admin_check_begin, NULL},
    {"/api/v1/admin/compact", "admin_compact", ROUTE_POST, ERROR_STYLE_V1, false,
     route_admin_compact_begin, NULL},
    {"/api/v1/admin/backup", "admin_backup", ROUTE_POST, ERROR_STYLE_V1, false,
     route_admin_backup_begin, NULL},
    {"/api/v1/admin/job", "admin_job", ROUTE_GET, ERROR_STYLE_V1, false, route_admin_job_begin,
     NULL},
    {"/api/v1/admin/cancel", "admin_cancel", ROUTE_POST, ERROR_STYLE_V1, false,
     route_admin_cancel_begin, NULL},
    {"/metrics", "metrics", ROUTE_GET, ERROR_STYLE_V1, false, route_metrics_begin, NULL},
};

const struct route *routes_all(size_t *count) {
  *count = sizeof table / sizeof table[0];
  return table;
}

const struct route *routes_find(struct str path) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (str_equal(path, str_from(table[i].path))) return &table[i];
  }
  return NULL;
}
