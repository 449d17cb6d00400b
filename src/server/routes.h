/* What each route does when its request is complete (request.h says how and on which thread). */
#ifndef NILO_SERVER_ROUTES_H
#define NILO_SERVER_ROUTES_H

#include "server/request.h"

/* POST /write?db=&rp=&precision=&atomic=: line protocol, as InfluxDB 1.x. */
void route_write_begin(struct request *request);
/* POST /api/v2/write?bucket=db/rp&precision=, as InfluxDB 2. */
void route_write_v2_begin(struct request *request);
/* GET and POST /query?q=&db=&rp=&epoch=&pretty=&chunked=&chunk_size=: InfluxQL. */
void route_query_begin(struct request *request);
void route_query_cancel(struct request *request);
/* GET and POST /sql?q=&db=&params=&format=: SQL; POST also with the text as body, or as JSON. */
void route_sql_begin(struct request *request);
void route_sql_cancel(struct request *request);
/* GET /ping: 204; verbose=true: 200 and the version. */
void route_ping_begin(struct request *request);
/* GET /health: 200 pass or 503 fail. */
void route_health_begin(struct request *request);
/* GET /ready: 200 once the engine serves. */
void route_ready_begin(struct request *request);
/* GET /metrics: Prometheus text. */
void route_metrics_begin(struct request *request);

/* The tools, for the machine that the server runs on. GET inspect?view=&db=&table=&part=&format=.
 * POST check, POST compact?db=&table=, POST
 * backup?to=&db=&from=&before=&previous=: 202 and {"job":N}. GET job?id=&from=: how far it is. POST
 * cancel?id=. */
void route_admin_inspect_begin(struct request *request);
void route_admin_check_begin(struct request *request);
void route_admin_compact_begin(struct request *request);
void route_admin_backup_begin(struct request *request);
void route_admin_job_begin(struct request *request);
void route_admin_cancel_begin(struct request *request);

#endif
