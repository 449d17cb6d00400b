/* The tools of a running server: /api/v1/admin/….
 *
 * There are no users yet, so these routes answer the machine that the server runs on only, unless a
 * setting opens them; and no browser's page from elsewhere, which could otherwise reach the
 * loopback address in its visitor's name: not with an Origin, and, since a page may have a name of
 * its own point here and then reads without one, not by such a name. */
#include <stdlib.h>

#include "api/api_tools.h"
#include "base/number.h"
#include "server/routes.h"
#include "server/server_private.h"

/* ---- who asks ---- */

static bool is_loopback(const struct request *request) {
  struct sockaddr_storage peer;
  int size = sizeof peer;
  if (uv_tcp_getpeername(&request->connection->tcp, (struct sockaddr *)&peer, &size)) return false;
  if (peer.ss_family == AF_INET)
    return ntohl(((const struct sockaddr_in *)&peer)->sin_addr.s_addr) >> 24 == 127;
  const struct in6_addr *address = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
  return peer.ss_family == AF_INET6 &&
         (IN6_IS_ADDR_LOOPBACK(address) ||
          (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127));
}

/* Whether the request calls the server by an address or as localhost. */
static bool is_called_locally(const struct request *request) {
  struct str host = request_header(request, "Host");
  uint8_t address[16];
  char name[64];
  size_t size = 0;
  bool bracket = host.size && host.data[0] == '[';
  if (!host.size) return true; /* no browser */
  for (size_t i = bracket; i < host.size && host.data[i] != (bracket ? ']' : ':'); i++) {
    if (size + 1 == sizeof name) return false;
    name[size++] = host.data[i];
  }
  name[size] = 0;
  return !uv_inet_pton(bracket ? AF_INET6 : AF_INET, name, address) ||
         str_equal_ignoring_case(str_of(name, size), STR("localhost"));
}

/* False when it was refused, and the reply is on its way. */
static bool allowed(struct request *request) {
  struct err err = {.offset = -1};
  if (request_header(request, "Origin").data) {
    err_set(&err, ERR_UNAUTHORIZED, "a page in a browser cannot run the tools");
  } else if (!request->server->limits.admin_remote && !is_loopback(request)) {
    err_set(&err, ERR_UNAUTHORIZED, "the tools are for the machine that the server runs on");
    err_hint(&err, "run them there, or set http.admin_remote = true where the network is trusted");
  } else if (!request->server->limits.admin_remote && !is_called_locally(request)) {
    err_set(&err, ERR_UNAUTHORIZED, "the tools answer to an address or localhost, not to a name");
    err_hint(&err, "call the server by 127.0.0.1 or localhost: a page in a browser may use a name");
  } else {
    return true;
  }
  reply_error_status(request, 403, &err);
  return false;
}

/* ---- jobs ---- */

static void reply_job(struct request *request, uint64_t id) {
  buffer_printf(&request->out, "{\"job\":%llu}\n", (unsigned long long)id);
  request->status = 202;
  request->content_type = "application/json";
  reply_finish(request);
}

static void start(struct request *request, const struct api_job_spec *spec) {
  struct err err = {.offset = -1};
  uint64_t id;
  if (api_job_start(request_api(request), spec, &id, &err))
    reply_error(request, &err);
  else
    reply_job(request, id);
}

static void run_check(struct request *request) {
  struct api_job_spec spec = {.tool = API_JOB_CHECK};
  start(request, &spec);
}

static void run_compact(struct request *request) {
  struct api_job_spec spec = {.tool = API_JOB_COMPACT,
                              .database = request_param(request, "db"),
                              .table = request_param(request, "table")};
  start(request, &spec);
}

static void run_backup(struct request *request) {
  struct api_job_spec spec = {.tool = API_JOB_BACKUP,
                              .database = request_param(request, "db"),
                              .target = request_param(request, "to"),
                              .previous = request_param(request, "previous"),
                              .from = request_param(request, "from"),
                              .to = request_param(request, "before")};
  start(request, &spec);
}

static void run_inspect(struct request *request) {
  struct err err = {.offset = -1};
  struct api_inspect what = {.view = request_param(request, "view"),
                             .database = request_param(request, "db"),
                             .table = request_param(request, "table"),
                             .part = request_param(request, "part"),
                             .by = request_param(request, "by"),
                             .json = !str_equal(request_param(request, "format"), STR("text"))};
  if (api_inspect_as(request_api(request), &what, &request->out, &err)) {
    reply_error(request, &err);
    return;
  }
  request->status = 200;
  request->content_type = what.json ? "application/json" : "text/plain; charset=utf-8";
  reply_finish(request);
}

static int parse_number(struct request *request, const char *name, uint64_t *value,
                        struct err *err) {
  struct str text = request_param(request, name);
  const char *at = text.data;
  int64_t number = 0;
  if (text.size && (number_parse_i64(&at, text.data + text.size, &number) ||
                    at != text.data + text.size || number < 0))
    return err_set(err, ERR_INVALID_ARGUMENT, "%s is no number", name);
  *value = (uint64_t)number;
  return ERR_OK;
}

static void run_job(struct request *request) {
  struct err err = {.offset = -1};
  uint64_t id, from = 0;
  int code = parse_number(request, "id", &id, &err);
  if (!code) code = parse_number(request, "from", &from, &err);
  if (!code) code = api_job_read(request_api(request), id, from, &request->out, &err);
  if (code) {
    reply_error(request, &err);
    return;
  }
  request->status = 200;
  request->content_type = "application/json";
  reply_finish(request);
}

static void run_cancel(struct request *request) {
  struct err err = {.offset = -1};
  uint64_t id;
  int code = parse_number(request, "id", &id, &err);
  if (!code) code = api_job_cancel(request_api(request), id, &err);
  if (code)
    reply_error(request, &err);
  else
    reply_empty(request, 204);
}

/* ---- on the loop ---- */

void route_admin_inspect_begin(struct request *request) {
  if (allowed(request)) request_run(request, run_inspect);
}

void route_admin_check_begin(struct request *request) {
  if (allowed(request)) request_run(request, run_check);
}

void route_admin_compact_begin(struct request *request) {
  if (allowed(request)) request_run(request, run_compact);
}

void route_admin_backup_begin(struct request *request) {
  if (allowed(request)) request_run(request, run_backup);
}

void route_admin_job_begin(struct request *request) {
  if (allowed(request)) request_run(request, run_job);
}

void route_admin_cancel_begin(struct request *request) {
  if (allowed(request)) request_run(request, run_cancel);
}
