/* A session of SQL: what outlives a statement on one connection, or in one shell: where names are
 * looked up, the settings of SET, prepared statements.
 *
 * Settings have PostgreSQL's names ("TimeZone", "search_path" …) and texts; one that Nilo does not
 * act on is kept and shown, so that clients which set it go on. One thread at a time. */
#ifndef NILO_QUERY_QUERY_SESSION_H
#define NILO_QUERY_QUERY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "columnar/column.h"

struct err;
struct mem_account;
struct query_session;
struct sql_statement;
struct table_engine;
struct time_zone;

struct query_session_options {
  struct str database; /* empty: "nilo" */
  struct str user;     /* empty: "nilo" */
};
/* Charged to `account`, which outlives it, as the engine does. ERR_NO_MEMORY. */
int query_session_create(struct table_engine *engine, struct mem_account *account,
                         const struct query_session_options *options,
                         struct query_session **session, struct err *err);
/* NULL is allowed. */
void query_session_destroy(struct query_session *session);

/* Borrowed until they change. */
struct str query_session_database(const struct query_session *session);
/* The first schema of search_path; empty: the database's default. */
struct str query_session_schema(const struct query_session *session);
struct str query_session_user(const struct query_session *session);
/* NULL: UTC. */
const struct time_zone *query_session_zone(const struct query_session *session);
/* statement_timeout in ns; 0: none. */
int64_t query_session_timeout(const struct query_session *session);

/* Goes to another database. ERR_UNKNOWN_DATABASE. */
int query_session_use(struct query_session *session, struct str database, struct err *err);
/* Sets a setting, by any case of its name, to a text; `value` NULL: to its default.
 * ERR_INVALID_ARGUMENT for a value it can't have, ERR_NOT_FOUND for a name that is none of
 * PostgreSQL's nor has a dot in it. */
int query_session_set(struct query_session *session, struct str name, const struct str *value,
                      struct err *err);
/* Its text, and its proper name and description (each may be NULL). ERR_NOT_FOUND. */
int query_session_get(const struct query_session *session, struct str name, struct str *value,
                      struct str *proper, struct str *description, struct err *err);
/* All settings, ascending by name. */
uint32_t query_session_setting_count(const struct query_session *session);
void query_session_setting(const struct query_session *session, uint32_t index, struct str *name,
                           struct str *value, struct str *description);

/* A prepared statement: its text, read anew when it is executed, and the types of its parameters as
 * PREPARE gave them (TYPE_UNKNOWN: by use). */
struct query_prepared {
  struct str name, text;
  const struct type *types;
  uint32_t type_count;
  int64_t prepared_ns; /* wall clock */
};
/* Copies. ERR_DUPLICATE_PREPARED, ERR_LIMIT_EXCEEDED. */
int query_session_prepare(struct query_session *session, const struct query_prepared *prepared,
                          struct err *err);
/* Borrowed until it is deallocated. ERR_UNKNOWN_PREPARED. */
int query_session_prepared(const struct query_session *session, struct str name,
                           const struct query_prepared **prepared, struct err *err);
/* An empty name: all. ERR_UNKNOWN_PREPARED. */
int query_session_deallocate(struct query_session *session, struct str name, struct err *err);
uint32_t query_session_prepared_count(const struct query_session *session);
const struct query_prepared *query_session_prepared_at(const struct query_session *session,
                                                       uint32_t index);
/* DISCARD ALL: settings and prepared statements as at the start. */
int query_session_discard(struct query_session *session, struct err *err);

#endif
