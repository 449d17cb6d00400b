/* Counting rows against rows: jobs.
 *
 * A job is two streams at some depth of partitioning (the first job: the inputs, at depth 0).
 *
 *   count     rows of `against` into the table
 *   give      rows of the first stream, by the table
 *   partition what does not fit: the lowest four bits of the hash at depth 0, the next at depth 1 …
 *
 * Rows on disk have a count behind their columns: of `against` how many there are of that row. */
#include "exec/set_rows.h"

#include <string.h>

#include "base/err.h"

enum { FANOUT = 16, FANOUT_BITS = 4, DEPTH_MAX = 8, TABLE_MIN = 1024, SLACK = 1 << 18 };

struct partitions {
  struct spill_stream *streams[FANOUT];
};
struct set_job {
  struct set_job *next;
  unsigned depth;
  struct spill_stream *rows, *against; /* NULL: the inputs, or none */
  struct spill_reader *reader;
  bool inputs;  /* reads operators */
  int input_at; /* which of the inputs */
  bool counted; /* `against` is in the table */
  bool split;   /* both streams go to partitions */
  bool frozen;  /* new rows go to partitions */
  struct partitions parts, against_parts;
};

static size_t count_column(const struct set_rows *set) { return set->schema->count; }

/* Rows to be given and rows on their way to partitions, with room before the table takes it all. */
static int init_rows(struct set_rows *set, struct err *err) {
  const struct plan_schema *schema = set->schema;
  int code = exec__rows_init(&set->rows, set->exec, schema, err);
  if (!code) code = exec__rows_init(&set->table_rows, set->exec, schema, err);
  for (uint32_t i = 0; i < schema->count && !code; i++) {
    set->table_builders[i] = &set->table_rows.builders[i];
    builder_reserve(&set->table_rows.builders[i], LIMIT_VECTOR_ROWS, 0);
    builder_reserve(&set->rows.builders[i], LIMIT_BLOCK_ROWS, 0);
    code = builder_check(&set->rows.builders[i], err);
    if (!code) code = builder_check(&set->table_rows.builders[i], err);
  }
  return code;
}

static void hold_slack(struct set_rows *set) {
  if (set->slack || mem_charge(set->exec->options.account, SLACK)) return;
  set->slack = SLACK;
}
static void release_slack(struct set_rows *set) {
  mem_discharge(set->exec->options.account, set->slack);
  set->slack = 0;
}

int exec__set_rows_init(struct set_rows *set, struct exec *exec, const struct plan_schema *schema,
                        enum set_rule rule, const uint32_t *columns, uint32_t column_count,
                        struct err *err) {
  struct arena *arena = &exec->memory;
  *set = (struct set_rows){.exec = exec,
                           .schema = schema,
                           .rule = rule,
                           .columns = columns,
                           .column_count = column_count};
  struct type *key_types = ARENA_ARRAY(arena, struct type, column_count + 1);
  set->types = ARENA_ARRAY(arena, struct type, schema->count + 1);
  set->keys = ARENA_ARRAY(arena, const struct column *, column_count + 1);
  set->table_builders = ARENA_ARRAY(arena, struct builder *, schema->count + 1);
  set->row_columns = ARENA_ARRAY(arena, struct column, schema->count + 1);
  set->row_counts = ARENA_ARRAY(arena, int64_t, LIMIT_BLOCK_ROWS);
  set->hashes = ARENA_ARRAY(arena, uint64_t, LIMIT_BLOCK_ROWS);
  set->ids = ARENA_ARRAY(arena, uint32_t, LIMIT_BLOCK_ROWS);
  set->picked = ARENA_ARRAY(arena, uint32_t, LIMIT_BLOCK_ROWS);
  set->job = ARENA_NEW(arena, struct set_job);
  if (!set->types || !key_types || !set->keys || !set->hashes || !set->ids || !set->picked ||
      !set->table_builders || !set->row_columns || !set->row_counts || !set->job)
    return exec__refused(exec, LIMIT_BLOCK_ROWS * 24, err);
  for (uint32_t i = 0; i < schema->count; i++)
    set->types[i] = schema->columns[i].type;
  set->types[schema->count] = TYPE_INT64;
  for (uint32_t i = 0; i < column_count; i++)
    key_types[i] = schema->columns[columns[i]].type;
  set->job->inputs = true;
  int code = init_rows(set, err);
  if (!code) code = exec__key_table_create(exec, key_types, column_count, &set->table, err);
  hold_slack(set);
  return code;
}

static void destroy_partitions(struct partitions *parts) {
  for (int p = 0; p < FANOUT; p++)
    exec__spill_destroy(parts->streams[p]);
  *parts = (struct partitions){0};
}

static void close_job(struct set_job *job) {
  if (job->reader) exec__spill_close(job->reader);
  exec__spill_destroy(job->rows);
  exec__spill_destroy(job->against);
  destroy_partitions(&job->parts);
  destroy_partitions(&job->against_parts);
  struct set_job *next = job->next;
  *job = (struct set_job){.next = next};
}

void exec__set_rows_deinit(struct set_rows *set) {
  if (!set->exec) return;
  if (set->job) close_job(set->job);
  for (struct set_job *job = set->jobs; job; job = job->next)
    close_job(job);
  release_slack(set);
  exec__key_table_destroy(set->table);
  exec__rows_deinit(&set->rows);
  exec__rows_deinit(&set->table_rows);
  mem_free(set->exec->options.account, set->counts, set->count_capacity * sizeof *set->counts);
  *set = (struct set_rows){0};
}

/* ---- reading ---- */

static int read_stream(struct set_job *job, struct spill_stream *stream, struct batch *batch,
                       struct err *err) {
  int code = ERR_OK;
  *batch = (struct batch){0};
  if (!stream) return ERR_OK;
  if (!job->reader) code = exec__spill_open(stream, &job->reader, err);
  if (!code) code = exec__spill_next(job->reader, batch, err);
  if (code || batch->length) return code;
  exec__spill_close(job->reader);
  job->reader = NULL;
  return ERR_OK;
}

/* The next rows of a stream of the job, with their keys and hashes. */
static int read_rows(struct set_rows *set, bool against, struct batch *batch, struct err *err) {
  struct set_job *job = set->job;
  int code = exec__check(set->exec, err);
  *batch = (struct batch){0};
  if (code) return code;
  if (!job->inputs) {
    code = read_stream(job, against ? job->against : job->rows, batch, err);
  } else {
    while (!code && batch->length == 0) {
      struct exec_op *op = against ? set->against : set->inputs[job->input_at];
      struct exec_batch read = {0};
      if (op) code = exec__pull(op, &read, err);
      *batch = read.batch;
      if (code || batch->length || against || ++job->input_at == 2) break;
    }
    if (job->input_at == 2) job->input_at = 1; /* asked again, it ends again */
  }
  for (uint32_t i = 0; i < set->column_count && batch->length; i++)
    set->keys[i] = &batch->columns[set->columns[i]];
  if (!code && batch->length)
    exec__key_hash(set->keys, set->column_count, 0, batch->length, set->hashes);
  return code;
}

/* ---- partitions ---- */

/* The last column holds counts: `counts` by row, or 1 for each. */
struct counted {
  const struct batch *batch;
  const int64_t *counts;
};

static int open_partition(struct set_rows *set, struct partitions *parts, unsigned p,
                          struct err *err) {
  if (parts->streams[p]) return ERR_OK;
  return exec__spill_create(set->exec, set->types, set->schema->count + 1, &parts->streams[p], err);
}

/* Picked rows of a partition, through the rows that are given, which are empty meanwhile. */
static int write_rows(struct set_rows *set, struct spill_stream *stream,
                      const struct counted *counted, const uint32_t *picked, int64_t count,
                      struct err *err) {
  struct exec_batch plain;
  exec__rows_reset(&set->rows);
  exec__rows_append_plain(&set->rows, counted->batch, picked, count);
  int code = exec__rows_batch(&set->rows, &plain, err);
  if (code) return code;
  for (int64_t i = 0; i < count; i++)
    set->row_counts[i] = counted->counts ? counted->counts[picked[i]] : 1;
  for (uint32_t c = 0; c < set->schema->count; c++)
    set->row_columns[c] = plain.batch.columns[c];
  set->row_columns[count_column(set)] =
      (struct column){.type = TYPE_INT64, .length = count, .i64 = set->row_counts};
  code = exec__spill_append(stream, set->row_columns, 0, count, err);
  exec__rows_reset(&set->rows);
  return code;
}

/* Rows of a batch from `from` on to the partitions that their hashes say; with `ids` only those
 * that have none. */
static int partition(struct set_rows *set, struct partitions *parts, const struct counted *counted,
                     const uint64_t *hashes, const uint32_t *ids, int64_t from, struct err *err) {
  unsigned shift = set->job->depth * FANOUT_BITS;
  int64_t length = counted->batch->length;
  for (unsigned p = 0; p < FANOUT; p++) {
    int64_t count = 0;
    for (int64_t i = from; i < length; i++) {
      set->picked[count] = (uint32_t)i;
      count += (hashes[i] >> shift & (FANOUT - 1)) == p && (!ids || ids[i] == KEY_NONE);
    }
    if (count == 0) continue;
    int code = open_partition(set, parts, p, err);
    if (!code) code = write_rows(set, parts->streams[p], counted, set->picked, count, err);
    if (code) return code;
  }
  return ERR_OK;
}

static const int64_t *counts_of(const struct set_rows *set, const struct batch *batch) {
  return set->job->inputs ? NULL : batch->columns[count_column(set)].i64;
}

/* What the table holds goes to the partitions of `against`. Only in jobs whose rows are compared by
 * all of their columns is there a stream `against`, so that the keys are the rows. */
static int partition_table(struct set_rows *set, struct err *err) {
  struct set_job *job = set->job;
  uint32_t total = exec__key_table_count(set->table);
  const uint64_t *hashes = exec__key_table_hashes(set->table);
  struct exec_rows *keys = &set->table_rows;
  int code = ERR_OK;
  for (uint32_t i = 0; i < set->column_count; i++)
    exec__rows_dictionary(keys, i, exec__key_table_dictionary(set->table, i));
  for (uint32_t at = 0; at < total && !code; at += LIMIT_VECTOR_ROWS) {
    uint32_t count = total - at < LIMIT_VECTOR_ROWS ? total - at : LIMIT_VECTOR_ROWS;
    struct exec_batch batch;
    exec__rows_reset(keys);
    exec__key_table_keys(set->table, at, count, set->table_builders);
    code = exec__rows_batch(keys, &batch, err);
    struct counted counted = {&batch.batch, (const int64_t *)set->counts + at};
    if (!code) code = partition(set, &job->against_parts, &counted, hashes + at, NULL, 0, err);
  }
  exec__rows_reset(keys);
  return code;
}

/* ---- counting ---- */

static int grow_counts(struct set_rows *set, uint32_t count, struct err *err) {
  if (count > set->count_capacity) {
    uint32_t capacity = set->count_capacity ? 2 * set->count_capacity : 1024;
    while (capacity < count)
      capacity *= 2;
    uint64_t *counts = mem_resize(set->exec->options.account, set->counts,
                                  set->count_capacity * sizeof *counts, capacity * sizeof *counts);
    if (!counts) return exec__refused(set->exec, capacity * sizeof *counts, err);
    set->counts = counts;
    set->count_capacity = capacity;
  }
  for (; set->known < count; set->known++)
    set->counts[set->known] = 0;
  return ERR_OK;
}

/* Rows of `against` into the table; those from *done on were refused. */
static int count_rows(struct set_rows *set, const struct batch *batch, int64_t *done,
                      struct err *err) {
  const int64_t *counts = counts_of(set, batch);
  *done = 0;
  int code = grow_counts(set, set->known + (uint32_t)batch->length, err);
  set->known = exec__key_table_count(set->table);
  if (code) return code;
  code = exec__key_table_add(set->table, set->keys, 0, batch->length, set->hashes, set->ids, done,
                             err);
  set->known = exec__key_table_count(set->table);
  bool counted = set->rule == SET_IN_COUNTED || set->rule == SET_OUT_COUNTED;
  for (int64_t i = 0; i < *done; i++) {
    uint64_t *count = &set->counts[set->ids[i]];
    *count = counted ? *count + (uint64_t)(counts ? counts[i] : 1) : 1;
  }
  return code;
}

static bool full(const struct set_rows *set) {
  return exec__key_table_count(set->table) >= TABLE_MIN && exec__memory_tight(set->exec) &&
         exec__can_spill(set->exec);
}

/* A refusal that partitions help against. */
static bool can_split(const struct set_rows *set, int code) {
  return code == ERR_MEMORY_LIMIT && exec__can_spill(set->exec) && set->job->depth < DEPTH_MAX;
}

static int begin_split(struct set_rows *set, struct err *err) {
  release_slack(set);
  int code = partition_table(set, err);
  exec__key_table_reset(set->table);
  set->known = 0;
  set->job->split = true;
  return code;
}

static int count_against(struct set_rows *set, struct err *err) {
  struct set_job *job = set->job;
  job->counted = true;
  for (;;) {
    struct batch batch;
    int64_t done = 0;
    int code = read_rows(set, true, &batch, err);
    if (code || batch.length == 0) return code;
    if (!job->split && full(set)) code = begin_split(set, err);
    if (!code && !job->split) {
      code = count_rows(set, &batch, &done, err);
      if (can_split(set, code)) {
        err_reset(err);
        code = begin_split(set, err);
      }
    }
    struct counted counted = {&batch, counts_of(set, &batch)};
    if (!code && job->split)
      code = partition(set, &job->against_parts, &counted, set->hashes, NULL, done, err);
    if (code) return code;
  }
}

/* ---- giving ---- */

/* Ids of rows, added where new unless the table is frozen; those from *added on were only looked
 * for. */
static int find_rows(struct set_rows *set, const struct batch *batch, int64_t *added,
                     struct err *err) {
  struct set_job *job = set->job;
  *added = 0;
  if (set->rule == SET_FIRST && !job->frozen) {
    int code = ERR_OK;
    job->frozen = full(set);
    if (!job->frozen)
      code = exec__key_table_add(set->table, set->keys, 0, batch->length, set->hashes, set->ids,
                                 added, err);
    if (code && !can_split(set, code)) return code;
    if (code) {
      err_reset(err);
      job->frozen = true;
    }
    if (job->frozen) release_slack(set);
  }
  if (*added < batch->length)
    exec__key_table_find(set->table, set->keys, *added, batch->length - *added,
                         set->hashes + *added, false, set->ids + *added);
  return ERR_OK;
}

static bool given(struct set_rows *set, int64_t row, int64_t added) {
  uint32_t id = set->ids[row];
  if (set->rule == SET_FIRST) { /* ids ascend as rows are new */
    bool first = row < added && id == set->known;
    set->known += first;
    return first;
  }
  bool left = id != KEY_NONE && set->counts[id] > 0;
  if (left) set->counts[id]--;
  return set->rule == SET_OUT_COUNTED ? !left : left;
}

static int append_rows(struct set_rows *set, const struct batch *batch, int64_t count,
                       struct err *err) {
  int code = ERR_OK;
  exec__rows_append_plain(&set->rows, batch, set->picked, count);
  for (uint32_t c = 0; c < set->schema->count && !code; c++)
    code = builder_check(&set->rows.builders[c], err);
  return code;
}

static int give_rows(struct set_rows *set, const struct batch *batch, struct err *err) {
  struct set_job *job = set->job;
  struct counted counted = {batch, counts_of(set, batch)};
  int64_t added, count = 0;
  if (job->split) return partition(set, &job->parts, &counted, set->hashes, NULL, 0, err);
  int code = find_rows(set, batch, &added, err);
  if (!code && job->frozen)
    code = partition(set, &job->parts, &counted, set->hashes, set->ids, added, err);
  if (code) return code;
  for (int64_t i = 0; i < batch->length; i++) {
    set->picked[count] = (uint32_t)i;
    count += given(set, i, added);
  }
  code = append_rows(set, batch, count, err);
  if (code != ERR_MEMORY_LIMIT || set->slack == 0) return code;
  release_slack(set);
  err_reset(err);
  exec__rows_reset(&set->rows);
  return append_rows(set, batch, count, err);
}

/* ---- jobs ---- */

static int finish_streams(struct partitions *parts, struct err *err) {
  int code = ERR_OK;
  for (int p = 0; p < FANOUT && !code; p++)
    if (parts->streams[p]) code = exec__spill_finish(parts->streams[p], err);
  return code;
}

/* Its partitions become jobs, and the next one begins. *more false: that was the last. */
static int next_job(struct set_rows *set, bool *more, struct err *err) {
  struct set_job *job = set->job;
  int code = finish_streams(&job->parts, err);
  if (!code) code = finish_streams(&job->against_parts, err);
  for (int p = FANOUT; p-- > 0 && !code;) {
    if (!job->parts.streams[p]) continue; /* nothing to give */
    struct set_job *part = ARENA_NEW(&set->exec->memory, struct set_job);
    if (!part) return exec__refused(set->exec, sizeof *part, err);
    *part = (struct set_job){.next = set->jobs,
                             .depth = job->depth + 1,
                             .rows = job->parts.streams[p],
                             .against = job->against_parts.streams[p]};
    job->parts.streams[p] = job->against_parts.streams[p] = NULL;
    set->jobs = part;
  }
  close_job(job);
  *more = set->jobs != NULL;
  if (code || !*more) return code;
  set->job = set->jobs;
  set->jobs = set->job->next;
  exec__key_table_reset(set->table);
  set->known = 0;
  hold_slack(set);
  return ERR_OK;
}

int exec__set_rows_next(struct set_rows *set, struct exec_batch *batch, struct err *err) {
  bool more = !set->ended;
  exec__rows_reset(&set->rows);
  while (more && exec__rows_count(&set->rows) == 0) {
    struct batch input;
    int code = set->job->counted ? ERR_OK : count_against(set, err);
    if (!code) code = read_rows(set, false, &input, err);
    if (!code) code = input.length ? give_rows(set, &input, err) : next_job(set, &more, err);
    if (code) return code;
  }
  set->ended = !more;
  exec__rows_group(&set->rows, set->begun);
  set->begun = true;
  if (set->rows.group_count) set->rows.groups[0].row = 0;
  return exec__rows_batch(&set->rows, batch, err);
}

void exec__rows_append_plain(struct exec_rows *rows, const struct batch *batch,
                             const uint32_t *picked, int64_t count) {
  for (uint32_t c = 0; c < rows->schema->count && count; c++) {
    const struct column *column = &batch->columns[c];
    struct builder *builder = &rows->builders[c];
    if (!column->dictionary) {
      builder_append_rows(builder, column, picked, count);
      continue;
    }
    for (int64_t i = 0; i < count; i++) {
      if (column_is_valid(column, picked[i]))
        builder_append_str(builder, column_str(column->dictionary, column->i32[picked[i]]));
      else
        builder_append_null(builder);
    }
  }
}
