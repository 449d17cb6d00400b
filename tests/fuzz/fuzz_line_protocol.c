/* Line protocol on any bytes, into an engine on the simulated environment: the same number of rows
 * and faults whether the body is parsed in one piece or cut, with a cold cache or with one that has
 * seen every line. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/memory.h"
#include "ingest/ingest.h"
#include "os/os.h"
#include "os/sim.h"
#include "table/engine.h"
#include "table/write.h"

struct run {
  struct table_engine *engine;
  struct ingest_cache *cache;
  struct table_write_result result;
};

static void done(void *context, const struct table_write_result *result, const struct err *error) {
  struct run *run = context;
  assert(error->code == ERR_OK || error->code == ERR_PARTIAL_WRITE);
  run->result = *result;
}

/* The bytes lie at the end of a block of their own, so that reading past them is seen. */
static void write_body(struct run *run, struct str database, struct str text, size_t step) {
  struct table_write_options options = {.database = database};
  struct ingest_options ingest = {.precision = TIME_NS, .now_ns = 1000};
  struct table_write *write;
  assert(table_write_begin(run->engine, &options, &write, NULL) == ERR_OK);
  uint32_t before = 0;
  for (uint32_t p = 0; text.size || p == 0; p++) {
    size_t size = ingest_line_protocol_cut(text, step ? step : text.size);
    assert(size <= text.size && (size || text.size == 0));
    struct table_piece *piece;
    uint32_t lines;
    assert(table_write_piece(write, p, &piece, NULL) == ERR_OK);
    table_piece_line_base(piece, before);
    assert(ingest_line_protocol(piece, run->cache, str_of(text.data, size), &ingest, &lines,
                                NULL) == ERR_OK);
    before += lines;
    text = str_of(text.data + size, text.size - size);
  }
  table_write_commit(write, done, run); /* no background: done has run */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct os *os;
  struct os_sim_options sim = {.seed = 1};
  assert(os_sim_create(&sim, &os, NULL) == ERR_OK);
  struct table_engine_options options = {0};
  store_options_default(&options.store);
  options.store.path = "/data";
  options.store.os = os;
  options.store.account = &account;
  options.store.background = false;
  struct run run = {0};
  assert(table_engine_open(&options, &run.engine, NULL) == ERR_OK);
  assert(table_create_database(run.engine, STR("a"), TIME_NS, NULL) == ERR_OK);
  assert(table_create_database(run.engine, STR("b"), TIME_NS, NULL) == ERR_OK);
  assert(ingest_cache_create(&account, &run.cache, NULL) == ERR_OK);
  char *copy = size ? mem_alloc(&account, size) : NULL;
  for (size_t i = 0; i < size; i++)
    copy[i] = (char)data[i];
  struct str text = str_of(copy ? copy : "", size);
  write_body(&run, STR("a"), text, 0);
  struct table_write_result first = run.result;
  write_body(&run, STR("a"), text, 0);
  assert(run.result.rows_written == first.rows_written &&
         run.result.rows_rejected == first.rows_rejected &&
         run.result.first.line == first.first.line);
  write_body(&run, STR("b"), text, 16);
  assert(run.result.rows_written == first.rows_written &&
         run.result.rows_rejected == first.rows_rejected &&
         run.result.first.line == first.first.line);
  mem_free(&account, copy, size);
  ingest_cache_destroy(run.cache);
  table_engine_close(run.engine);
  os_destroy(os);
  mem_account_deinit(&account);
  return 0;
}
