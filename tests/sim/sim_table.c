/* The world of tables: the same attempts, as bodies of line protocol over several tables, read back
 * through snapshots of tables, by tag. So the catalog, the tag sets and their recovery take part,
 * and a body is one commit over all of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "ingest/ingest.h"
#include "sim.h"
#include "table/read.h"

static const char *const field_names[SIM_COLUMNS] = {"a", "b", "c"};

/* ---- opening ---- */

/* The commits that made the database are nobody's attempts. */
static int make_database(struct sim_world *world, struct err *err) {
  int code = table_create_database(world->engine, str_from("db"), TIME_NS, err);
  struct store_snapshot *snapshot;
  if (code || world->history.count > 0) return code;
  code = store_snapshot_acquire(world->shard, &snapshot, err);
  if (code) return code;
  uint64_t last = store_snapshot_commit(snapshot);
  store_snapshot_release(snapshot);
  for (uint64_t number = 1; number <= last; number++)
    (void)sim_history_number(&world->history, &world->history.burnt, number);
  world->floor = last;
  return ERR_OK;
}

int sim_open(struct sim_world *world, struct err *err) {
  if (!world->plan->config.tables) return store_shard_open(&world->options, &world->shard, err);
  struct table_engine_options options = {.store = world->options,
                                         .series_cache_bytes_max = 1 << 20};
  int code = table_engine_open(&options, &world->engine, err);
  if (code) return code;
  world->shard = table_engine_shard(world->engine);
  code = make_database(world, err);
  if (code) sim_close(world);
  return code;
}

void sim_close(struct sim_world *world) {
  ingest_cache_destroy(world->cache);
  if (world->engine)
    table_engine_close(world->engine);
  else
    store_shard_close(world->shard);
  world->cache = NULL;
  world->engine = NULL;
  world->shard = NULL;
}

int sim_pin_acquire(struct sim_world *world, struct sim_pin *pin, struct err *err) {
  *pin = (struct sim_pin){0};
  if (!world->engine) return store_snapshot_acquire(world->shard, &pin->store, err);
  int code = table_snapshot_acquire(world->engine, &pin->tables, err);
  if (code == ERR_OK) pin->store = table_snapshot_store(pin->tables);
  return code;
}

void sim_pin_release(struct sim_pin *pin) {
  if (pin->tables)
    table_snapshot_release(pin->tables);
  else
    store_snapshot_release(pin->store);
  *pin = (struct sim_pin){0};
}

/* ---- writing ---- */

static void add_row(struct buffer *text, uint64_t table, const struct sim_row *row) {
  static const char padding[41] = "----------------------------------------";
  buffer_printf(text, "t%llu,host=h%llu", (unsigned long long)table,
                (unsigned long long)row->series);
  char separator = ' ';
  for (int c = 0; c < SIM_COLUMNS; c++) {
    if (!(row->present >> c & 1)) continue;
    unsigned value = row->value[c];
    buffer_printf(text, "%c%s=", separator, field_names[c]);
    if (c == 0)
      buffer_printf(text, "%llui", (unsigned long long)value * 3);
    else if (c == 1)
      buffer_printf(text, "\"%u%.*s\"", value, (int)(value % 40), padding);
    else
      buffer_printf(text, "%.3f", (double)value / 8);
    separator = ',';
  }
  buffer_printf(text, " %lld\n", (long long)row->key);
}

struct answer {
  bool done;
  struct table_write_result result;
  struct err error;
  struct os_mutex lock;
  struct os_cond cond;
};

static void take_answer(void *context, const struct table_write_result *result,
                        const struct err *error) {
  struct answer *answer = context;
  os_mutex_lock(&answer->lock);
  answer->result = *result;
  answer->error = *error;
  answer->done = true;
  os_cond_signal(&answer->cond);
  os_mutex_unlock(&answer->lock);
}

static void commit(struct sim_world *world, struct table_write *write, struct answer *answer) {
  os_mutex_init(&answer->lock, world->os);
  os_cond_init(&answer->cond, world->os);
  table_write_commit(write, take_answer, answer);
  os_mutex_lock(&answer->lock);
  while (!answer->done)
    os_cond_wait(&answer->cond, &answer->lock);
  os_mutex_unlock(&answer->lock);
  os_cond_deinit(&answer->cond);
  os_mutex_deinit(&answer->lock);
}

/* Parses the body with the cache, unless another writer has it now. */
static int parse(struct sim_world *world, struct table_write *write, struct str body,
                 struct err *err) {
  struct ingest_options options = {.precision = TIME_NS};
  struct ingest_cache *cache = world->cache;
  struct table_piece *piece;
  uint32_t lines;
  world->cache = NULL;
  int code = cache ? ERR_OK : ingest_cache_create(&world->account, &cache, err);
  if (code) return code;
  code = table_write_piece(write, 0, &piece, err);
  if (code == ERR_OK) code = ingest_line_protocol(piece, cache, body, &options, &lines, err);
  if (world->cache)
    ingest_cache_destroy(cache);
  else
    world->cache = cache;
  return code;
}

int sim_table_write(struct sim_world *world, const struct sim_attempt *attempt, uint64_t *number,
                    struct err *err) {
  struct table_write_options options = {.database = str_from("db")};
  struct buffer text;
  buffer_init(&text, &world->own);
  for (size_t i = 0; i < attempt->change_count; i++)
    for (size_t k = 0; k < attempt->changes[i].rows.count; k++)
      add_row(&text, attempt->changes[i].store, &attempt->changes[i].rows.rows[k]);
  struct table_write *write;
  struct answer answer = {0};
  int code = table_write_begin(world->engine, &options, &write, err);
  if (code == ERR_OK) {
    code = parse(world, write, (struct str){(const char *)text.data, text.size}, err);
    if (code)
      table_write_abort(write);
    else
      commit(world, write, &answer);
  }
  if (code == ERR_OK && answer.error.code) {
    *err = answer.error;
    code = err->code;
  }
  *number = answer.result.commit;
  buffer_deinit(&text);
  return code;
}

/* ---- reading ---- */

/* Finds the ids of the tag and of the fields that the question asks for. */
static uint32_t find_columns(struct catalog_table *table, uint8_t wanted, uint32_t ids[SIM_COLUMNS],
                             int column_of[SIM_COLUMNS], uint32_t *tag) {
  const struct catalog_column *const *columns;
  size_t count = catalog_table_columns(table, &columns);
  uint32_t found = 0;
  for (size_t i = 0; i < count; i++) {
    if (columns[i]->kind != COLUMN_FIELD) {
      if (str_equal(columns[i]->name, str_from("host"))) *tag = columns[i]->id;
      continue;
    }
    for (int c = 0; c < SIM_COLUMNS; c++)
      if (wanted >> c & 1 && str_equal(columns[i]->name, str_from(field_names[c]))) {
        column_of[found] = c;
        ids[found++] = columns[i]->id;
      }
  }
  /* The store wants them ascending. */
  for (uint32_t i = 1; i < found; i++)
    for (uint32_t k = i; k > 0 && ids[k - 1] > ids[k]; k--) {
      uint32_t id = ids[k];
      int column = column_of[k];
      ids[k] = ids[k - 1];
      column_of[k] = column_of[k - 1];
      ids[k - 1] = id;
      column_of[k - 1] = column;
    }
  return found;
}

struct reading {
  struct sim_world *world;
  struct table_snapshot *snapshot;
  struct catalog_table *table;
  struct arena arena;
  uint32_t tag;
  uint32_t columns;
  int column_of[SIM_COLUMNS];
  struct sim_rows *rows;
  uint64_t unknown; /* series that are left out, because only a damaged part knew their tags */
};

/* The number in a series' tag "h<number>"; UINT64_MAX: only a damaged part knew it. */
static int host_of(struct reading *reading, uint64_t id, uint64_t *host, struct err *err) {
  struct table_series series = {&id, 1, 0};
  struct column column;
  const uint8_t *known;
  int code = table_series_tags(reading->snapshot, reading->table, &series, &reading->tag, 1,
                               &reading->arena, &column, &known, err);
  *host = UINT64_MAX;
  if (code || known) return code;
  struct str text = column_str(column.dictionary, column.i32[0]);
  *host = 0;
  for (size_t i = 1; i < text.size; i++)
    *host = *host * 10 + (uint64_t)(text.data[i] - '0');
  if (text.size < 2 || text.data[0] != 'h')
    sim_violation(reading->world, "series %llu has no tags", (unsigned long long)id);
  return ERR_OK;
}

static int take_chunk(struct reading *reading, const struct store_chunk *chunk, struct err *err) {
  for (uint32_t r = 0; r < chunk->run_count; r++) {
    uint64_t host;
    int code = host_of(reading, chunk->runs[r].series, &host, err);
    if (code) return code;
    if (host == UINT64_MAX) {
      reading->unknown++;
      continue;
    }
    for (uint32_t i = chunk->runs[r].row; i < chunk->runs[r].row + chunk->runs[r].rows; i++) {
      struct sim_row row = {.series = host, .key = chunk->keys[i]};
      for (uint32_t c = 0; c < reading->columns; c++) {
        int column = reading->column_of[c];
        if (!column_is_valid(&chunk->columns[c], i)) continue;
        row.present |= (uint8_t)(1u << column);
        row.value[column] = sim_value_of(reading->world, &chunk->columns[c], column, i);
      }
      sim_rows_add(reading->rows, &row);
    }
  }
  return ERR_OK;
}

static int read_rows(struct reading *reading, const struct store_scan_spec *spec, uint64_t *damaged,
                     struct err *err) {
  struct store_scan *scan = NULL;
  struct store_chunk chunk = {.rows = 1};
  int code = store_scan_open(table_snapshot_store(reading->snapshot), spec, &scan, err);
  while (code == ERR_OK && chunk.rows) {
    code = store_scan_next(scan, &chunk, err);
    if (code || chunk.rows == 0) break;
    code = store_scan_load(scan, &chunk, true, UINT64_MAX, err);
    if (code == ERR_CONFLICT) {
      code = ERR_OK; /* a part was found damaged: the chunk comes again without it */
      continue;
    }
    if (code == ERR_OK) code = take_chunk(reading, &chunk, err);
  }
  if (!scan) return code;
  struct store_scan_figures figures;
  store_scan_figures(scan, &figures);
  if (damaged) *damaged += figures.parts_damaged + reading->unknown;
  store_scan_close(scan);
  return code;
}

int sim_table_read(struct sim_world *world, struct table_snapshot *snapshot,
                   const struct sim_question *question, struct sim_rows *rows, uint64_t *damaged,
                   struct err *err) {
  char name[8];
  snprintf(name, sizeof name, "t%u", (unsigned)question->store);
  *rows = (struct sim_rows){0};
  struct catalog_table *table = catalog_table_find(table_engine_catalog(world->engine),
                                                   str_from("db"), (struct str){0}, str_from(name));
  if (!table) return ERR_OK;
  uint32_t ids[SIM_COLUMNS];
  struct reading reading = {.world = world, .snapshot = snapshot, .table = table, .rows = rows};
  reading.columns = find_columns(table, question->columns, ids, reading.column_of, &reading.tag);
  struct store_scan_spec spec = {.store = table->id,
                                 .series_max = UINT64_MAX,
                                 .key_min = question->key_min,
                                 .key_max = question->key_max,
                                 .columns = ids,
                                 .column_count = reading.columns,
                                 .head = question->head,
                                 .tail = question->tail,
                                 .account = &world->account};
  struct table_series series;
  arena_init(&reading.arena, &world->account, 4096);
  int code = table_select_series(snapshot, table, NULL, spec.key_min, spec.key_max, &reading.arena,
                                 &series, err);
  spec.series = series.ids;
  spec.series_count = series.count;
  reading.unknown = series.unknown;
  if (code == ERR_OK && series.count) code = read_rows(&reading, &spec, damaged, err);
  if (damaged && !series.count) *damaged += series.unknown;
  arena_deinit(&reading.arena);
  catalog_table_release(table);
  if (code) sim_rows_deinit(rows);
  sim_rows_sort(rows);
  struct sim_question all = *question;
  all.head = all.tail = 0;
  sim_rows_filter(rows, &all);
  return code;
}
