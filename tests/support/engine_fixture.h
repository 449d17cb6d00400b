/* An engine in a fresh directory, for tests: real or simulated environment, reopening, and counting
 * what is there. */
#ifndef NILO_TESTS_ENGINE_FIXTURE_H
#define NILO_TESTS_ENGINE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "ingest/ingest.h"
#include "os/os.h"
#include "os/sim.h"
#include "table/read.h"

struct fixture {
  struct os *os;
  struct mem_account account;
  struct table_engine *engine;
  struct ingest_cache *cache;
  char path[64];
  bool background;
};

static inline void fixture_fail(const char *what, const struct err *err) {
  char text[800];
  err_format(err, text, sizeof text);
  fprintf(stderr, "%s: %s\n", what, text);
  abort();
}

static inline void fixture_open(struct fixture *fixture) {
  struct err err;
  err_reset(&err);
  struct table_engine_options options = {0};
  store_options_default(&options.store);
  options.store.path = fixture->path;
  options.store.os = fixture->os;
  options.store.account = &fixture->account;
  options.store.background = fixture->background;
  if (table_engine_open(&options, &fixture->engine, &err)) fixture_fail("open", &err);
  if (ingest_cache_create(&fixture->account, &fixture->cache, &err)) fixture_fail("cache", &err);
}

static inline void fixture_close(struct fixture *fixture) {
  ingest_cache_destroy(fixture->cache);
  table_engine_close(fixture->engine);
  fixture->cache = NULL;
  fixture->engine = NULL;
}

static inline void fixture_reopen(struct fixture *fixture) {
  fixture_close(fixture);
  fixture_open(fixture);
}

/* A simulated environment: everything in memory, no background work. */
static inline void fixture_begin(struct fixture *fixture) {
  struct err err;
  err_reset(&err);
  *fixture = (struct fixture){0};
  struct os_sim_options sim = {.seed = 1};
  if (os_sim_create(&sim, &fixture->os, &err)) fixture_fail("sim", &err);
  mem_account_init(&fixture->account, "test", NULL, 0);
  snprintf(fixture->path, sizeof fixture->path, "/data");
  fixture_open(fixture);
}

static inline void fixture_end(struct fixture *fixture) {
  fixture_close(fixture);
  os_destroy(fixture->os);
  mem_account_deinit(&fixture->account);
}

struct fixture_answer {
  bool done;
  struct table_write_result result;
  struct err error;
  struct os_mutex lock;
  struct os_cond cond;
};

static inline void fixture_done(void *context, const struct table_write_result *result,
                                const struct err *error) {
  struct fixture_answer *answer = context;
  os_mutex_lock(&answer->lock);
  answer->result = *result;
  answer->error = *error;
  answer->done = true;
  os_cond_signal(&answer->cond);
  os_mutex_unlock(&answer->lock);
}

/* Writes line protocol in nanoseconds as one body, cut into `pieces`; the answer says what became
 * of it. */
static inline void fixture_write_pieces(struct fixture *fixture, const char *database,
                                        const char *text, uint32_t pieces,
                                        struct fixture_answer *answer) {
  *answer = (struct fixture_answer){0};
  struct table_write_options options = {.database = str_from(database)};
  struct ingest_options ingest = {.precision = TIME_NS, .now_ns = INT64_C(1500000000000000000)};
  struct table_write *write;
  if (table_write_begin(fixture->engine, &options, &write, &answer->error)) return;
  struct str rest = str_from(text);
  uint32_t lines_before = 0;
  for (uint32_t p = 0; p < pieces; p++) {
    size_t size =
        p + 1 == pieces ? rest.size : ingest_line_protocol_cut(rest, rest.size / (pieces - p));
    struct table_piece *piece;
    uint32_t lines;
    if (table_write_piece(write, p, &piece, &answer->error)) fixture_fail("piece", &answer->error);
    table_piece_line_base(piece, lines_before);
    if (ingest_line_protocol(piece, fixture->cache, str_of(rest.data, size), &ingest, &lines,
                             &answer->error))
      fixture_fail("parse", &answer->error);
    lines_before += lines;
    rest = str_of(rest.data + size, rest.size - size);
  }
  os_mutex_init(&answer->lock, fixture->os);
  os_cond_init(&answer->cond, fixture->os);
  table_write_commit(write, fixture_done, answer);
  os_mutex_lock(&answer->lock);
  while (!answer->done)
    os_cond_wait(&answer->cond, &answer->lock);
  os_mutex_unlock(&answer->lock);
  os_cond_deinit(&answer->cond);
  os_mutex_deinit(&answer->lock);
}

static inline void fixture_write(struct fixture *fixture, const char *database, const char *text) {
  struct fixture_answer answer;
  fixture_write_pieces(fixture, database, text, 1, &answer);
  if (answer.error.code) fixture_fail("write", &answer.error);
}

static inline void fixture_database(struct fixture *fixture, const char *name) {
  struct err err;
  err_reset(&err);
  if (table_create_database(fixture->engine, str_from(name), TIME_NS, &err))
    fixture_fail("database", &err);
}

/* Prints row i of a column as line protocol writes it; the length as snprintf counts it. */
static inline size_t fixture_print(const struct column *c, int64_t i, char *out, size_t size) {
  switch (c->type.physical) {
  case PHYSICAL_FLOAT64:
    return (size_t)snprintf(out, size, "%.17g", c->f64[i]);
  case PHYSICAL_INT64:
    return (size_t)snprintf(out, size, "%lldi", (long long)c->i64[i]);
  case PHYSICAL_UINT64:
    return (size_t)snprintf(out, size, "%lluu", (unsigned long long)c->u64[i]);
  case PHYSICAL_BOOL:
    return (size_t)snprintf(out, size, bit_get(c->bits, i) ? "true" : "false");
  default:
    return (size_t)snprintf(out, size, "\"%.*s\"", STR_ARG(column_str(c, i)));
  }
}

/* Ids of the fields as they stand, and of the tags by name: ids follow from who came first. */
static inline void fixture_columns(const struct catalog_table *table, uint32_t fields[64],
                                   uint32_t *field_count, uint32_t tags[64], uint32_t *tag_count) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  *field_count = *tag_count = 0;
  for (size_t i = 0; i < count; i++) {
    if (columns[i]->kind == COLUMN_FIELD) {
      fields[(*field_count)++] = columns[i]->id;
      continue;
    }
    uint32_t at = (*tag_count)++;
    for (; at && str_compare(catalog_column_by_id(table, tags[at - 1])->name, columns[i]->name) > 0;
         at--)
      tags[at] = tags[at - 1];
    tags[at] = columns[i]->id;
  }
}

/* All rows of a table as text, a line each: tags, time, fields by name; series in the order of
 * their ids. */
static inline char *fixture_dump(struct fixture *fixture, const char *database,
                                 const char *table_name, char *out, size_t size) {
  struct err err;
  err_reset(&err);
  struct catalog_table *table =
      catalog_table_find(table_engine_catalog(fixture->engine), str_from(database), (struct str){0},
                         str_from(table_name));
  out[0] = 0;
  if (!table) return out;
  struct table_snapshot *snapshot;
  if (table_snapshot_acquire(fixture->engine, &snapshot, &err)) fixture_fail("snapshot", &err);
  uint32_t fields[64], tags[64], field_count, tag_count;
  fixture_columns(table, fields, &field_count, tags, &tag_count);
  struct arena arena;
  arena_init(&arena, &fixture->account, 4096);
  struct store_scan_spec spec = {.store = table->id,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .columns = fields,
                                 .column_count = field_count,
                                 .account = &fixture->account};
  struct store_scan *scan;
  if (store_scan_open(table_snapshot_store(snapshot), &spec, &scan, &err))
    fixture_fail("scan", &err);
  size_t used = 0;
  for (;;) {
    struct store_chunk chunk;
    if (store_scan_next(scan, &chunk, &err)) fixture_fail("next", &err);
    if (!chunk.rows) break;
    if (store_scan_load(scan, &chunk, true, UINT64_MAX, &err)) fixture_fail("load", &err);
    for (uint32_t r = 0; r < chunk.run_count; r++) {
      struct column values[64];
      struct table_series series = {&chunk.runs[r].series, 1, 0};
      if (table_series_tags(snapshot, table, &series, tags, tag_count, &arena, values, NULL, &err))
        fixture_fail("tags", &err);
      for (uint32_t i = chunk.runs[r].row;
           i < chunk.runs[r].row + chunk.runs[r].rows && used < size; i++) {
        for (uint32_t t = 0; t < tag_count; t++) {
          struct str value = column_str(values[t].dictionary, values[t].i32[0]);
          if (value.size) {
            struct str name = catalog_column_by_id(table, tags[t])->name;
            used += (size_t)snprintf(out + used, size - used, "%.*s=%.*s ", STR_ARG(name),
                                     STR_ARG(value));
          }
        }
        used += (size_t)snprintf(out + used, size - used, "%lld", (long long)chunk.keys[i]);
        for (uint32_t f = 0; f < field_count && used < size; f++) {
          const struct column *c = &chunk.columns[f];
          if (!column_is_valid(c, i)) continue;
          struct str name = catalog_column_by_id(table, fields[f])->name;
          used += (size_t)snprintf(out + used, size - used, " %.*s=", STR_ARG(name));
          if (used >= size) break;
          used += fixture_print(c, i, out + used, size - used);
        }
        if (used < size) used += (size_t)snprintf(out + used, size - used, "\n");
      }
    }
  }
  store_scan_close(scan);
  arena_deinit(&arena);
  table_snapshot_release(snapshot);
  catalog_table_release(table);
  return out;
}

#endif
