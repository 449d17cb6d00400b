/* Queries: opened, answered batch by batch, closed.
 *
 * A cursor pins a snapshot, so its answer does not depend on how fast it is read. Rows are read in
 * **windows** of keys (element_window.c) and handed out from there; the next window is read when
 * the one before is used up, so a consumer that stalls or stops reads nothing more.
 *
 *   one series, ascending    the scan's order is the answer's: one scan stays open, a chunk at a
 *                            time is a window
 *   anything else            a scan per window; its rows are sorted by key
 *   a window of one key      ascending the scan's order is the answer's again; so memory is bounded
 *                            whatever the keys are. Descending such a window has to fit the budget
 *
 * Each distinct data once (Q5): the data that was handed out is remembered, whole, so that the
 * answer is exact; it counts against the query's budget. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "element/element_private.h"

enum {
  BATCH_DEFAULT = 1024,
  BATCH_MAX = 65536,
  WINDOW_ROWS_FIRST = 4096,
  WINDOW_ROWS_MAX = 65536,
  HEAD_MAX = 8192, /* head and tail of a series are asked for up to this */
};

struct nilo_store_cursor {
  struct nilo_store *store;
  struct mem_account account;
  struct arena memory; /* of the cursor's life */
  struct arena chunk;  /* of one chunk's filtering */
  struct arena answer; /* of one answer */
  struct store_snapshot *snapshot;
  struct nilo_store_query query; /* its pointers are not used any more */
  uint64_t *series;              /* NULL: all */
  size_t series_count;
  bool descending, empty;
  int64_t from, end; /* distances: the next window begins at `from`; the last one ends at `end` */
  bool windows_done;
  struct element_known *tags; /* that are returned */
  size_t tag_count;
  const char **tag_names;
  uint32_t *tag_columns; /* index of the column of each; UINT32_MAX: never written */
  uint32_t data_column;  /* UINT32_MAX: not read */
  uint32_t *columns;     /* ids for the scan: the filter's first, then what is only returned */
  uint32_t column_count, filter_columns;
  struct element_filter filter;
  struct store_filter terms;
  uint32_t need; /* rows of each series that are enough; 0: all */
  struct element_windows windows;
  bool planned;
  uint64_t window_rows;    /* aimed at */
  struct store_scan *scan; /* of the window, or the one that is streamed */
  bool streaming;
  int64_t stream_end; /* distance of the last row of the stream */
  struct element_rows_held held;
  struct str_table seen; /* data that was handed out */
  bool seen_null;
  uint64_t skipped, returned;
  int64_t opened_ns, deadline_ns; /* 0: none */
  _Atomic bool cancelled;
  bool ended, truncated;
  struct err failed;
  struct nilo_store_query_figures figures; /* of closed scans */
};

/* ---- checking ---- */

static int check_query(const struct nilo_store_query *query, bool all_series, struct err *err) {
  int unknown = element__check_reserved(query->reserved, sizeof query->reserved / 8, "query", err);
  if (unknown) return unknown;
  if (all_series && query->series_count)
    return err_set(err, ERR_INVALID_ARGUMENT, "series: a scan is over all of them");
  if (!all_series && (query->series_count == 0 || !query->series)) {
    int code = err_set(err, ERR_INVALID_ARGUMENT, "series: a query names at least one");
    err_hint(err, "nilo_store_scan_open reads all series");
    return code;
  }
  for (size_t i = 0; i < query->series_count; i++)
    if (query->series[i] == 0) return err_set(err, ERR_INVALID_ARGUMENT, "series: 0 is none");
  if (query->lower.kind > NILO_STORE_EXCLUSIVE || query->upper.kind > NILO_STORE_EXCLUSIVE)
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: unknown kind of bound",
                   query->lower.kind > NILO_STORE_EXCLUSIVE ? "lower" : "upper");
  if (query->lower.kind && query->upper.kind && query->lower.key > query->upper.key)
    return err_set(err, ERR_INVALID_ARGUMENT, "lower: %lld is above upper, %lld",
                   (long long)query->lower.key, (long long)query->upper.key);
  if (query->limit < 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "limit: %lld is negative", (long long)query->limit);
  if (query->offset < 0)
    return err_set(err, ERR_INVALID_ARGUMENT, "offset: %lld is negative", (long long)query->offset);
  if (query->batch > BATCH_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "batch: %u elements, at most %d", query->batch,
                   BATCH_MAX);
  if (query->distinct_data && query->no_data)
    return err_set(err, ERR_INVALID_ARGUMENT, "distinct_data: data is not read with no_data");
  if (query->memory_max > INT64_MAX)
    return err_set(err, ERR_INVALID_ARGUMENT, "memory_max: too large");
  if (query->tag_count && !query->only_tags)
    return err_set(err, ERR_INVALID_ARGUMENT, "tags: given, but only_tags is not set");
  if (query->tag_count > UINT16_MAX || (query->tag_count && !query->tags))
    return err_set(err, ERR_INVALID_ARGUMENT, "tags: %zu of them", query->tag_count);
  return ERR_OK;
}

/* ---- opening ---- */

static int compare_series(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static int set_series(struct nilo_store_cursor *cursor, const struct nilo_store_query *query,
                      struct err *err) {
  if (query->series_count == 0) return ERR_OK;
  size_t size = query->series_count * sizeof *cursor->series;
  cursor->series = arena_alloc(&cursor->memory, size);
  if (!cursor->series) return mem_refused(&cursor->account, size, err);
  memcpy(cursor->series, query->series, size);
  qsort(cursor->series, query->series_count, sizeof *cursor->series, compare_series);
  for (size_t i = 0; i < query->series_count; i++)
    if (i == 0 || cursor->series[i] != cursor->series[cursor->series_count - 1])
      cursor->series[cursor->series_count++] = cursor->series[i];
  return ERR_OK;
}

static void set_bounds(struct nilo_store_cursor *cursor, const struct nilo_store_query *query) {
  int64_t low = INT64_MIN, high = INT64_MAX;
  if (query->lower.kind) low = query->lower.key;
  if (query->upper.kind) high = query->upper.key;
  if (query->lower.kind == NILO_STORE_EXCLUSIVE) {
    cursor->empty |= low == INT64_MAX;
    low += low < INT64_MAX;
  }
  if (query->upper.kind == NILO_STORE_EXCLUSIVE) {
    cursor->empty |= high == INT64_MIN;
    high -= high > INT64_MIN;
  }
  cursor->empty |= low > high;
  cursor->from = element_distance(cursor->descending, cursor->descending ? high : low);
  cursor->end = element_distance(cursor->descending, cursor->descending ? low : high);
}

/* The index of a column among those the scan reads; added when it is not there. */
static uint32_t want_column(struct nilo_store_cursor *cursor, uint32_t id) {
  for (uint32_t i = 0; i < cursor->column_count; i++)
    if (cursor->columns[i] == id) return i;
  cursor->columns[cursor->column_count] = id;
  return cursor->column_count++;
}

static int set_tags(struct nilo_store_cursor *cursor, const struct nilo_store_query *query,
                    struct element_known *known, size_t known_count, struct err *err) {
  struct arena *arena = &cursor->memory;
  size_t count = query->only_tags ? query->tag_count : known_count;
  cursor->tags = ARENA_ARRAY(arena, struct element_known, count + 1);
  cursor->tag_names = ARENA_ARRAY(arena, const char *, count + 1);
  cursor->tag_columns = ARENA_ARRAY(arena, uint32_t, count + 1);
  cursor->columns = ARENA_ARRAY(arena, uint32_t, count + 1 + cursor->filter.count);
  if (!cursor->tags || !cursor->tag_names || !cursor->tag_columns || !cursor->columns)
    return mem_refused(&cursor->account, count * sizeof *cursor->tags, err);
  cursor->tag_count = count;
  for (size_t i = 0; i < count; i++) {
    if (!query->only_tags) {
      cursor->tags[i] = known[i];
    } else {
      const char *name = query->tags[i];
      if (!name || !*name) return err_set(err, ERR_INVALID_ARGUMENT, "tags: %zu has no name", i);
      const struct element_known *tag = element_known_find(known, known_count, str_from(name));
      struct str copy = arena_format(arena, "%s", name);
      if (!copy.data) return mem_refused(&cursor->account, 64, err);
      cursor->tags[i] = tag ? *tag : (struct element_known){.name = copy};
    }
    cursor->tag_names[i] = cursor->tags[i].name.data;
  }
  return ERR_OK;
}

/* The filter's columns stand first, so that they can be loaded alone. */
static void set_columns(struct nilo_store_cursor *cursor) {
  for (struct element_condition *at = cursor->filter.all; at; at = at->next)
    if (at->id) at->column = want_column(cursor, at->id);
  cursor->filter_columns = cursor->column_count;
  cursor->data_column =
      cursor->query.no_data ? UINT32_MAX : want_column(cursor, STORE_COLUMN_PAYLOAD);
  for (size_t i = 0; i < cursor->tag_count; i++)
    cursor->tag_columns[i] =
        cursor->tags[i].id ? want_column(cursor, cursor->tags[i].id) : UINT32_MAX;
}

/* So many rows of each series are enough. */
static void set_need(struct nilo_store_cursor *cursor) {
  const struct nilo_store_query *query = &cursor->query;
  if (query->limit == 0 || query->distinct_data || cursor->filter.root) return;
  uint64_t need = (uint64_t)query->limit + (uint64_t)query->offset;
  if (need <= HEAD_MAX) cursor->need = (uint32_t)need;
}

static int check_going(void *context, struct err *err) {
  struct nilo_store_cursor *cursor = context;
  if (atomic_load_explicit(&cursor->cancelled, memory_order_relaxed))
    return err_set(err, ERR_CANCELLED, "the query was cancelled");
  if (cursor->deadline_ns && os_monotonic_ns(cursor->store->os) >= cursor->deadline_ns)
    return err_set(err, ERR_DEADLINE, "the query took more than its %llu ms",
                   (unsigned long long)cursor->query.timeout_ms);
  return ERR_OK;
}

static int prepare(struct nilo_store_cursor *cursor, const struct nilo_store_query *query,
                   struct err *err) {
  struct element_known *known;
  size_t known_count;
  int code = store_snapshot_acquire(cursor->store->shard, &cursor->snapshot, err);
  if (code) return code;
  code =
      element_registry_list(&cursor->store->registry, &cursor->memory, &known, &known_count, err);
  if (!code)
    code = element_filter_compile(&cursor->filter, query->filter, known, known_count,
                                  &cursor->account, &cursor->memory, err);
  cursor->filter.going = check_going;
  cursor->filter.context = cursor;
  if (!code) code = element_filter_terms(&cursor->filter, &cursor->terms, err);
  if (!code) code = set_series(cursor, query, err);
  if (!code) code = set_tags(cursor, query, known, known_count, err);
  if (code) return code;
  cursor->descending = query->descending;
  set_bounds(cursor, query);
  set_columns(cursor);
  set_need(cursor);
  cursor->window_rows = cursor->need ? cursor->need : WINDOW_ROWS_FIRST;
  return element_held_init(&cursor->held, &cursor->account, cursor->column_count, err);
}

static int open_cursor(struct nilo_store *store, const struct nilo_store_query *query,
                       bool all_series, struct nilo_store_cursor **opened, struct err *err) {
  int code = check_query(query, all_series, err);
  if (code) return code;
  struct nilo_store_cursor *cursor = mem_alloc_zero(&store->account, sizeof *cursor);
  if (!cursor) return mem_refused(&store->account, sizeof *cursor, err);
  uint64_t limit = query->memory_max ? query->memory_max : store->options.query_memory_max;
  cursor->store = store;
  cursor->query = *query;
  if (cursor->query.batch == 0) cursor->query.batch = BATCH_DEFAULT;
  mem_account_init(&cursor->account, "query", &store->account, (int64_t)limit);
  arena_init(&cursor->memory, &cursor->account, 1024);
  arena_init(&cursor->chunk, &cursor->account, 4096);
  arena_init(&cursor->answer, &cursor->account, 4096);
  str_table_init(&cursor->seen, &cursor->account, true, 0);
  cursor->windows.account = &cursor->account;
  cursor->held.account = &cursor->account;
  cursor->filter.account = &cursor->account;
  cursor->opened_ns = os_monotonic_ns(store->os);
  if (query->timeout_ms)
    cursor->deadline_ns = query->timeout_ms < INT64_MAX / 2000000
                              ? cursor->opened_ns + (int64_t)query->timeout_ms * 1000000
                              : INT64_MAX;
  code = prepare(cursor, query, err);
  if (code) {
    nilo_store_query_close(cursor);
    return code;
  }
  atomic_fetch_add(&store->queries, 1);
  *opened = cursor;
  return ERR_OK;
}

int nilo_store_query_open(struct nilo_store *store, const struct nilo_store_query *query,
                          struct nilo_store_cursor **cursor, struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  *cursor = NULL;
  return open_cursor(store, query, false, cursor, &err) ? element_fail(&err, error) : NILO_OK;
}

int nilo_store_scan_open(struct nilo_store *store, const struct nilo_store_query *query,
                         struct nilo_store_cursor **cursor, struct nilo_error *error) {
  struct err err;
  err_reset(&err);
  *cursor = NULL;
  return open_cursor(store, query, true, cursor, &err) ? element_fail(&err, error) : NILO_OK;
}

/* ---- scans ---- */

static void add_figures(const struct store_scan *scan, struct nilo_store_query_figures *figures) {
  struct store_scan_figures of_scan;
  store_scan_figures(scan, &of_scan);
  if (of_scan.parts > figures->parts) figures->parts = of_scan.parts;
  if (of_scan.parts_damaged > figures->parts_damaged)
    figures->parts_damaged = of_scan.parts_damaged;
  figures->blocks_considered += of_scan.blocks_considered;
  figures->blocks_skipped += of_scan.blocks_skipped;
  figures->blocks_read += of_scan.blocks_read;
  figures->rows_scanned += of_scan.rows_scanned;
  figures->bytes_read += of_scan.bytes_read;
}

static void close_scan(struct nilo_store_cursor *cursor) {
  if (!cursor->scan) return;
  add_figures(cursor->scan, &cursor->figures);
  store_scan_close(cursor->scan);
  cursor->scan = NULL;
}

void nilo_store_query_close(struct nilo_store_cursor *cursor) {
  if (!cursor) return;
  close_scan(cursor);
  element_held_deinit(&cursor->held);
  element_filter_deinit(&cursor->filter);
  element_windows_deinit(&cursor->windows);
  str_table_deinit(&cursor->seen);
  store_snapshot_release(cursor->snapshot);
  arena_deinit(&cursor->answer);
  arena_deinit(&cursor->chunk);
  arena_deinit(&cursor->memory);
  mem_account_deinit(&cursor->account);
  mem_free(&cursor->store->account, cursor, sizeof *cursor);
}

void nilo_store_query_cancel(struct nilo_store_cursor *cursor) {
  atomic_store(&cursor->cancelled, true);
}

void nilo_store_query_figures(const struct nilo_store_cursor *cursor,
                              struct nilo_store_query_figures *figures) {
  *figures = cursor->figures;
  if (cursor->scan) add_figures(cursor->scan, figures);
  figures->rows_returned = cursor->returned;
  figures->memory_peak = (uint64_t)atomic_load(&cursor->account.peak);
  figures->elapsed_ns = (uint64_t)(os_monotonic_ns(cursor->store->os) - cursor->opened_ns);
  figures->commit = store_snapshot_commit(cursor->snapshot);
  figures->truncated = cursor->truncated;
}

static void describe_scan(struct nilo_store_cursor *cursor, int64_t from, int64_t to,
                          struct store_scan_spec *spec) {
  bool back = cursor->descending;
  *spec = (struct store_scan_spec){
      .store = ELEMENT_STORE,
      .series = cursor->series,
      .series_count = cursor->series_count,
      .series_max = UINT64_MAX,
      .key_min = element_distance(back, back ? to : from),
      .key_max = element_distance(back, back ? from : to),
      .columns = cursor->columns,
      .column_count = cursor->column_count,
      .head = back ? 0 : cursor->need,
      .tail = back ? cursor->need : 0,
      .as_of = cursor->query.as_of,
      .filter = cursor->terms.term_count ? &cursor->terms : NULL,
      .account = &cursor->account,
  };
  if (spec->series && spec->series_count == 1) { /* as a range: the scan needs no list */
    spec->series_min = spec->series_max = spec->series[0];
    spec->series = NULL;
    spec->series_count = 0;
  }
}

static int open_scan(struct nilo_store_cursor *cursor, int64_t from, int64_t to, struct err *err) {
  struct store_scan_spec spec;
  close_scan(cursor);
  describe_scan(cursor, from, to, &spec);
  return store_scan_open(cursor->snapshot, &spec, &cursor->scan, err);
}

/* ---- rows in ---- */

/* Rows of the chunk that pass the filter, as indexes. */
static int choose_rows(struct nilo_store_cursor *cursor, struct store_chunk *chunk, uint32_t **rows,
                       uint32_t *count, struct err *err) {
  arena_reset(&cursor->chunk);
  uint32_t *chosen = arena_alloc(&cursor->chunk, chunk->rows * sizeof *chosen);
  uint8_t *passes = arena_alloc(&cursor->chunk, chunk->rows);
  if (!chosen || !passes) return mem_refused(&cursor->account, chunk->rows * 5, err);
  *rows = chosen;
  *count = 0;
  if (!cursor->filter.root) {
    for (uint32_t i = 0; i < chunk->rows; i++)
      chosen[i] = i;
    *count = chunk->rows;
    return ERR_OK;
  }
  uint64_t mask =
      cursor->filter_columns < 64 ? (UINT64_C(1) << cursor->filter_columns) - 1 : UINT64_MAX;
  int code = store_scan_load(cursor->scan, chunk, false, mask, err);
  if (!code)
    code = element_filter_test(&cursor->filter, chunk->columns, chunk->rows, &cursor->chunk, passes,
                               err);
  for (uint32_t i = 0; i < chunk->rows && !code; i++) {
    chosen[*count] = i;
    *count += passes[i];
  }
  return code;
}

/* The next chunk of the open scan into the held rows; *more false: it was the last. */
static int add_chunk(struct nilo_store_cursor *cursor, bool *more, struct err *err) {
  struct store_chunk chunk;
  uint32_t *rows = NULL, count = 0;
  int code = check_going(cursor, err);
  if (!code) code = store_scan_next(cursor->scan, &chunk, err);
  if (code) return code;
  *more = chunk.rows > 0;
  if (!*more) return ERR_OK;
  code = choose_rows(cursor, &chunk, &rows, &count, err);
  if (code || count == 0) return code;
  code = store_scan_load(cursor->scan, &chunk, true, UINT64_MAX, err);
  return code ? code : element_held_add(&cursor->held, &chunk, rows, count, err);
}

/* A chunk with rows of the stream; none: it has ended. */
static int fill_from_stream(struct nilo_store_cursor *cursor, struct err *err) {
  bool more = true;
  element_held_reset(&cursor->held);
  while (more && cursor->held.count == 0) {
    int code = add_chunk(cursor, &more, err);
    if (code) return code;
  }
  if (more) return ERR_OK;
  close_scan(cursor);
  cursor->streaming = false;
  if (cursor->stream_end == cursor->end)
    cursor->windows_done = true;
  else
    cursor->from = cursor->stream_end + 1;
  return ERR_OK;
}

static int begin_stream(struct nilo_store_cursor *cursor, int64_t to, struct err *err) {
  int code = open_scan(cursor, cursor->from, to, err);
  cursor->streaming = !code;
  cursor->stream_end = to;
  cursor->figures.windows += !code;
  return code;
}

/* ---- windows ---- */

struct planner {
  struct nilo_store_cursor *cursor;
  struct err *err;
};

static int add_span(void *context, int64_t key_min, int64_t key_max, uint32_t rows) {
  struct planner *planner = context;
  bool back = planner->cursor->descending;
  return element_windows_add(&planner->cursor->windows,
                             element_distance(back, back ? key_max : key_min),
                             element_distance(back, back ? key_min : key_max), rows, planner->err);
}

static int plan_windows(struct nilo_store_cursor *cursor, struct err *err) {
  struct planner planner = {cursor, err};
  struct store_scan_spec spec;
  describe_scan(cursor, cursor->from, cursor->end, &spec);
  int code = store_snapshot_spans(cursor->snapshot, &spec, add_span, &planner, err);
  element_windows_sort(&cursor->windows);
  cursor->planned = true;
  return code;
}

/* More than a window should hold: in rows, or in a quarter of what the query may take. */
static bool is_over(const struct nilo_store_cursor *cursor) {
  return cursor->held.count > 2 * WINDOW_ROWS_MAX ||
         (cursor->held.count > 1 &&
          element_held_bytes(&cursor->held) > (size_t)cursor->account.limit / 4);
}

/* Collects the rows of [from, *to]; where they are too many *to comes nearer and it begins anew;
 * *stream: they all have one key, and are better read in their order. */
static int collect(struct nilo_store_cursor *cursor, int64_t *to, bool *stream, struct err *err) {
  bool more = true;
  *stream = false;
  int code = open_scan(cursor, cursor->from, *to, err);
  element_held_reset(&cursor->held);
  while (more && !code) {
    code = add_chunk(cursor, &more, err);
    if (code || !more || !is_over(cursor)) continue;
    if (cursor->from == *to) {
      if (cursor->descending) continue; /* one key backwards: as much as the budget takes */
      *stream = true;
      return ERR_OK;
    }
    bool found;
    int64_t pivot;
    code = element_held_pivot(&cursor->held, cursor->descending, &found, &pivot, err);
    if (code) break;
    /* all of one key: it gets a window of its own; rows before it get one too */
    int64_t only = element_distance(cursor->descending, cursor->held.keys[0]);
    *to = found ? pivot : only == cursor->from ? only : only - 1;
    element_held_reset(&cursor->held);
    code = open_scan(cursor, cursor->from, *to, err);
  }
  close_scan(cursor);
  return code ? code : element_held_sort(&cursor->held, err);
}

/* Reads the next window that has rows. */
static int fill_window(struct nilo_store_cursor *cursor, struct err *err) {
  int code = cursor->planned ? ERR_OK : plan_windows(cursor, err);
  element_held_reset(&cursor->held);
  while (!code && !cursor->windows_done && cursor->held.count == 0) {
    double expected;
    bool stream;
    int64_t cut = element_windows_cut(&cursor->windows, cursor->from, cursor->end,
                                      cursor->window_rows, &expected);
    int64_t to = cut;
    if ((code = collect(cursor, &to, &stream, err))) break;
    if (stream) {
      if ((code = begin_stream(cursor, to, err))) break;
      return fill_from_stream(cursor, err);
    }
    cursor->figures.windows++;
    if (to == cut && !cursor->filter.root)
      element_windows_learn(&cursor->windows, expected, cursor->held.count);
    if (cursor->window_rows < WINDOW_ROWS_MAX) cursor->window_rows *= 2;
    if (to == cursor->end)
      cursor->windows_done = true;
    else
      cursor->from = to + 1;
  }
  return code;
}

/* More rows to hand out; held.count 0: the end. */
static int fill(struct nilo_store_cursor *cursor, struct err *err) {
  element_held_reset(&cursor->held);
  if (cursor->series_count == 1 && !cursor->descending && !cursor->scan && !cursor->windows_done &&
      !cursor->streaming) {
    int code = begin_stream(cursor, cursor->end, err);
    if (code) return code;
  }
  while (cursor->streaming) {
    int code = fill_from_stream(cursor, err);
    if (code || cursor->held.count) return code;
  }
  if (cursor->windows_done) return ERR_OK;
  return fill_window(cursor, err);
}

/* ---- rows out ---- */

/* True when this data was handed out before; remembers it. */
static int seen_before(struct nilo_store_cursor *cursor, uint32_t row, bool *seen,
                       struct err *err) {
  struct column data = builder_view(&cursor->held.columns[cursor->data_column]);
  if (!type_is_string(data.type) || !column_is_valid(&data, row)) {
    *seen = cursor->seen_null;
    cursor->seen_null = true;
    return ERR_OK;
  }
  bool is_new;
  struct str text = column_str(&data, row);
  if (!str_table_insert(&cursor->seen, text, &is_new))
    return mem_refused(&cursor->account, text.size + sizeof(struct str_table_slot), err);
  *seen = !is_new;
  return ERR_OK;
}

static int fill_list(struct nilo_store_cursor *cursor, struct str bytes,
                     struct nilo_store_value *value, struct err *err) {
  uint32_t items;
  int code = element_list_check(value->type, bytes, &items, err);
  if (code) return code;
  value->size = items;
  if (value->type == NILO_STORE_INT64_LIST) {
    int64_t *integers = arena_alloc(&cursor->answer, items * sizeof *integers);
    if (!integers) return mem_refused(&cursor->account, items * sizeof *integers, err);
    element_list_integers(bytes, integers);
    value->integers = integers;
    return ERR_OK;
  }
  struct nilo_store_bytes *strings = arena_alloc(&cursor->answer, items * sizeof *strings);
  if (!strings) return mem_refused(&cursor->account, items * sizeof *strings, err);
  element_list_strings(bytes, items, strings);
  value->strings = strings;
  return ERR_OK;
}

/* The value of a row; strings are borrowed from the held rows. */
static int fill_value(struct nilo_store_cursor *cursor, enum nilo_store_type type,
                      const struct column *column, uint32_t row, struct nilo_store_value *value,
                      struct err *err) {
  if (!column_is_valid(column, row)) return ERR_OK;
  value->type = type;
  switch (type) {
  case NILO_STORE_STRING:
  case NILO_STORE_BYTES: {
    struct str text = column_str(column, row);
    value->data = text.size ? text.data : "";
    value->size = text.size;
    return ERR_OK;
  }
  case NILO_STORE_BOOL:
    value->boolean = bit_get(column->bits, row);
    return ERR_OK;
  case NILO_STORE_STRING_LIST:
  case NILO_STORE_INT64_LIST:
    return fill_list(cursor, column_str(column, row), value, err);
  default:
    value->u64 = column->u64[row]; /* the bits of any number */
    return ERR_OK;
  }
}

/* Takes rows from the held ones into the answer until it is full or they are used up. */
static int take_rows(struct nilo_store_cursor *cursor, uint32_t *chosen, uint32_t room,
                     uint32_t *count, struct err *err) {
  struct element_rows_held *held = &cursor->held;
  const struct nilo_store_query *query = &cursor->query;
  *count = 0;
  while (held->at < held->count && *count < room && !cursor->ended) {
    uint32_t at = cursor->descending ? held->count - 1 - held->at : held->at;
    uint32_t row = held->ordered ? held->order[at] : at;
    bool seen = false;
    int code = query->distinct_data ? seen_before(cursor, row, &seen, err) : ERR_OK;
    if (code) return code;
    held->at++;
    if (seen) continue;
    if (cursor->skipped < (uint64_t)query->offset) {
      cursor->skipped++;
      continue;
    }
    chosen[(*count)++] = row;
    cursor->returned++;
    cursor->ended = query->limit && cursor->returned == (uint64_t)query->limit;
  }
  return ERR_OK;
}

static int describe_rows(struct nilo_store_cursor *cursor, const uint32_t *rows, uint32_t count,
                         struct nilo_store_answer *answer, struct err *err) {
  struct arena *arena = &cursor->answer;
  struct element_rows_held *held = &cursor->held;
  bool with_data = cursor->data_column != UINT32_MAX;
  uint64_t *series = arena_alloc(arena, count * sizeof *series);
  int64_t *keys = arena_alloc(arena, count * sizeof *keys);
  struct nilo_store_bytes *data = with_data ? arena_alloc_zero(arena, count * sizeof *data) : NULL;
  struct nilo_store_value *values =
      arena_alloc_zero(arena, count * cursor->tag_count * sizeof *values);
  if (!series || !keys || (with_data && !data) || !values)
    return mem_refused(&cursor->account, count * cursor->tag_count * sizeof *values, err);
  for (uint32_t i = 0; i < count; i++) {
    series[i] = held->series[rows[i]];
    keys[i] = held->keys[rows[i]];
  }
  if (with_data) {
    struct column column = builder_view(&held->columns[cursor->data_column]);
    for (uint32_t i = 0; type_is_string(column.type) && i < count; i++) {
      if (!column_is_valid(&column, rows[i])) continue;
      struct str text = column_str(&column, rows[i]);
      data[i] = (struct nilo_store_bytes){text.size ? text.data : "", text.size};
    }
  }
  int code = ERR_OK;
  for (size_t t = 0; t < cursor->tag_count; t++) {
    if (cursor->tag_columns[t] == UINT32_MAX) continue;
    struct type type = cursor->tags[t].type;
    struct column column = builder_view(&held->columns[cursor->tag_columns[t]]);
    if (column.type.physical != type.physical) continue; /* null in every row */
    enum nilo_store_type tag_type = element_tag_type(type);
    for (uint32_t i = 0; i < count && !code; i++)
      code =
          fill_value(cursor, tag_type, &column, rows[i], &values[i * cursor->tag_count + t], err);
  }
  *answer = (struct nilo_store_answer){.rows = count,
                                       .series = series,
                                       .keys = keys,
                                       .data = data,
                                       .tag_count = cursor->tag_count,
                                       .tags = cursor->tag_names,
                                       .values = values};
  return code;
}

/* Rows of one window at most, so that strings can be borrowed from it: an answer may be shorter
 * than the batch before the end. */
static int next_answer(struct nilo_store_cursor *cursor, struct nilo_store_answer *answer,
                       struct err *err) {
  uint32_t room = cursor->query.batch, count = 0;
  arena_reset(&cursor->answer);
  int code = check_going(cursor, err);
  uint32_t *chosen = code ? NULL : arena_alloc(&cursor->answer, room * sizeof *chosen);
  if (!code && !chosen) code = mem_refused(&cursor->account, room * sizeof *chosen, err);
  while (!code && count == 0 && !cursor->ended) {
    if (cursor->held.at == cursor->held.count) {
      code = fill(cursor, err);
      if (!code && cursor->held.count == 0) cursor->ended = true;
    }
    if (!code) code = take_rows(cursor, chosen, room, &count, err);
  }
  if (!code && count) code = describe_rows(cursor, chosen, count, answer, err);
  return code;
}

int nilo_store_query_next(struct nilo_store_cursor *cursor, struct nilo_store_answer *answer,
                          struct nilo_error *error) {
  *answer = (struct nilo_store_answer){.tag_count = cursor->tag_count, .tags = cursor->tag_names};
  if (cursor->failed.code) return element_fail(&cursor->failed, error);
  answer->truncated = cursor->truncated;
  if (cursor->empty || cursor->truncated) return NILO_OK;
  uint64_t before = cursor->returned;
  int code = next_answer(cursor, answer, &cursor->failed);
  if (!code) {
    atomic_fetch_add(&cursor->store->rows_returned, cursor->returned - before);
    return NILO_OK;
  }
  *answer = (struct nilo_store_answer){.tag_count = cursor->tag_count, .tags = cursor->tag_names};
  close_scan(cursor);
  if (code == ERR_MEMORY_LIMIT && cursor->query.truncate) {
    err_reset(&cursor->failed);
    cursor->returned = before;
    cursor->truncated = answer->truncated = true;
    return NILO_OK;
  }
  if (code == ERR_MEMORY_LIMIT)
    err_hint(&cursor->failed, "raise memory_max of the query, or ask for less at a time");
  return element_fail(&cursor->failed, error);
}
