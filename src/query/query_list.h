/* The queries that are open now, and the slow ones of late: what `system.queries` and
 * `system.slow_queries` show. Part of what all queries share (query_control.h).
 *
 * Texts are cut to QUERY_TEXT_KEPT bytes. Threads: any. */
#ifndef NILO_QUERY_QUERY_LIST_H
#define NILO_QUERY_QUERY_LIST_H

#include <stdatomic.h>

#include "base/memory.h"
#include "base/str.h"
#include "os/os.h"

struct err;

enum { QUERY_TEXT_KEPT = 1000, QUERY_NAME_KEPT = 100, SLOW_QUERIES_KEPT = 100 };

/* An open query's place in the list; part of it. The texts outlive it there. */
struct query_entry {
  struct query_entry *next, **place; /* place NULL: not in a list */
  uint64_t id;
  const char *language; /* "influxql", "sql" */
  struct str database, text;
  int64_t begun_ns; /* wall clock */
  int64_t start_ns; /* monotonic */
  const struct mem_account *account;
  _Atomic int64_t rows; /* that it has given, for the list of slow ones */
  _Atomic int error;    /* the last of its statements */
};

/* One that is told. Texts are borrowed during the call. */
struct query_running {
  uint64_t id;
  const char *language;
  struct str database, text;
  int64_t begun_ns, elapsed_ns, memory_bytes, rows;
  int error;
};

struct slow_query;
struct query_list {
  struct os *os;
  struct mem_account *account;
  struct os_mutex lock;
  struct query_entry *first;
  uint64_t next_id;
  struct slow_query *slow; /* a ring, made with the first one */
  uint32_t slow_count, slow_next;
  int64_t slow_ns; /* how long a slow one takes; 0: none is kept */
};
/* An empty list; deinit when no query is open. */
void query__list_init(struct query_list *list, struct os *os, struct mem_account *account,
                      int64_t slow_ns);
void query__list_deinit(struct query_list *list);
/* Fills in id and times and adds it. */
void query__list_add(struct query_list *list, struct query_entry *entry);
/* It is closed; a slow one is remembered, where there is memory for it. */
void query__list_remove(struct query_list *list, struct query_entry *entry);

#endif
