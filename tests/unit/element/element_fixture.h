/* A store opened alone on the simulated machine, and short ways to write and ask. */
#ifndef NILO_TESTS_ELEMENT_FIXTURE_H
#define NILO_TESTS_ELEMENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "element/element.h"
#include "os/os.h"
#include "os/sim.h"

struct alone {
  struct os *os;
  struct nilo_store_options options;
  struct nilo_store *store;
  struct nilo_error error;
};

static inline void alone_fail(const struct nilo_error *error, const char *what) {
  char text[800];
  nilo_store_error_text(error, text, sizeof text);
  fail_msg("%s: %s", what, text);
}

static inline void alone_open(struct alone *alone) {
  if (element_open(alone->os, &alone->options, &alone->store, &alone->error))
    alone_fail(&alone->error, "open");
}

/* Options are set; not open yet. */
static inline void alone_init(struct alone *alone, uint64_t seed) {
  struct os_sim_options sim = {.seed = seed};
  memset(alone, 0, sizeof *alone);
  assert_int_equal(os_sim_create(&sim, &alone->os, NULL), 0);
  nilo_store_options_default(&alone->options);
  alone->options.path = "/store";
  alone->options.background = false;
}

static inline void alone_close(struct alone *alone) {
  if (nilo_store_close(alone->store, &alone->error)) alone_fail(&alone->error, "close");
  alone->store = NULL;
}

static inline void alone_deinit(struct alone *alone) {
  if (alone->store) alone_close(alone);
  os_destroy(alone->os);
}

static inline void alone_reopen(struct alone *alone) {
  alone_close(alone);
  alone_open(alone);
}

static inline void alone_flush(struct alone *alone) {
  if (nilo_store_flush(alone->store, &alone->error)) alone_fail(&alone->error, "flush");
}

static inline void alone_merge(struct alone *alone) {
  if (nilo_store_merge(alone->store, &alone->error)) alone_fail(&alone->error, "merge");
}

/* ---- values ---- */

static inline struct nilo_store_value value_text(const char *text) {
  return (struct nilo_store_value){.type = NILO_STORE_STRING, .size = strlen(text), .data = text};
}
static inline struct nilo_store_value value_i64(int64_t value) {
  return (struct nilo_store_value){.type = NILO_STORE_INT64, .i64 = value};
}
static inline struct nilo_store_value value_u64(uint64_t value) {
  return (struct nilo_store_value){.type = NILO_STORE_UINT64, .u64 = value};
}
static inline struct nilo_store_value value_f64(double value) {
  return (struct nilo_store_value){.type = NILO_STORE_FLOAT64, .f64 = value};
}
static inline struct nilo_store_value value_bool(bool value) {
  return (struct nilo_store_value){.type = NILO_STORE_BOOL, .boolean = value};
}
static inline struct nilo_store_value value_bytes(const void *data, size_t size) {
  return (struct nilo_store_value){.type = NILO_STORE_BYTES, .size = size, .data = data};
}
static inline struct nilo_store_value value_integers(const int64_t *items, size_t count) {
  return (struct nilo_store_value){.type = NILO_STORE_INT64_LIST, .size = count, .integers = items};
}
static inline struct nilo_store_value value_strings(const struct nilo_store_bytes *items,
                                                    size_t count) {
  return (struct nilo_store_value){.type = NILO_STORE_STRING_LIST, .size = count, .strings = items};
}
static inline struct nilo_store_bytes bytes_of(const char *text) {
  return (struct nilo_store_bytes){text, text ? strlen(text) : 0};
}

/* ---- writing ---- */

static inline int alone_try_put(struct alone *alone, const struct nilo_store_element *elements,
                                size_t count) {
  struct nilo_store_batch *batch;
  int code = nilo_store_batch_create(alone->store, &batch, &alone->error);
  for (size_t i = 0; i < count && !code; i++)
    code = nilo_store_batch_add(batch, &elements[i], &alone->error);
  if (!code) code = nilo_store_batch_commit(batch, NULL, &alone->error);
  nilo_store_batch_destroy(batch);
  return code;
}

/* One element; tag may be NULL. */
static inline void alone_put(struct alone *alone, uint64_t series, int64_t key, const char *data,
                             const char *tag, struct nilo_store_value value) {
  struct nilo_store_tag tags = {tag, value};
  struct nilo_store_element element = {
      .series = series, .key = key, .data = bytes_of(data), .tags = &tags, .tag_count = !!tag};
  if (alone_try_put(alone, &element, 1)) alone_fail(&alone->error, "put");
}
#define NO_TAG                                                                                     \
  NULL, (struct nilo_store_value) { 0 }

/* ---- asking ---- */

/* The data of the answer's elements, joined by blanks; "-" for an element without data. */
static inline char *alone_ask(struct alone *alone, const struct nilo_store_query *query) {
  static char text[65536];
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  size_t size = 0;
  int code = query->series_count
                 ? nilo_store_query_open(alone->store, query, &cursor, &alone->error)
                 : nilo_store_scan_open(alone->store, query, &cursor, &alone->error);
  if (code) alone_fail(&alone->error, "query");
  text[0] = 0;
  do {
    if (nilo_store_query_next(cursor, &answer, &alone->error)) alone_fail(&alone->error, "next");
    for (size_t i = 0; i < answer.rows; i++)
      size += (size_t)snprintf(
          text + size, sizeof text - size, "%s%.*s", size ? " " : "",
          answer.data && answer.data[i].data ? (int)answer.data[i].size : 1,
          answer.data && answer.data[i].data ? (const char *)answer.data[i].data : "-");
    assert_true(size < sizeof text);
  } while (answer.rows);
  nilo_store_query_close(cursor);
  return text;
}

#endif
