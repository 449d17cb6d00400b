/* Records in the order of buckets; those of the same bucket merged; one output row each. */
#include "exec/aggregate_emit.h"

#include "base/err.h"
#include "kernel/bucket.h"

int aggregate_emit_init(struct aggregate_emit *emit, const struct aggregator *aggregator,
                        const struct plan_node *node, struct err *err) {
  struct exec *exec = aggregator->exec;
  *emit = (struct aggregate_emit){.aggregator = aggregator, .node = node};
  arena_init(&emit->memory, exec->options.account, 4096);
  emit->codes = ARENA_ARRAY(&exec->memory, int32_t, node->schema.group_count + 1);
  if (!emit->codes) return exec__refused(exec, node->schema.group_count * 4, err);
  return exec__rows_init(&emit->rows, exec, &node->schema, err);
}

void aggregate_emit_deinit(struct aggregate_emit *emit) {
  if (!emit->aggregator) return;
  mem_free(emit->aggregator->exec->options.account, emit->records,
           emit->capacity * 2 * sizeof *emit->records);
  exec__rows_deinit(&emit->rows);
  arena_deinit(&emit->memory);
  emit->aggregator = NULL;
}

void aggregate_emit_begin(struct aggregate_emit *emit) {
  emit->count = emit->at = 0;
  if (emit->memory.chunk) arena_reset(&emit->memory);
  emit->begun = false;
}

/* The upper half of the memory is the spare that sorting needs. */
static int grow(struct aggregate_emit *emit, size_t needed, struct err *err) {
  if (needed <= emit->capacity) return ERR_OK;
  struct exec *exec = emit->aggregator->exec;
  size_t capacity = emit->capacity ? emit->capacity : 64;
  while (capacity < needed)
    capacity *= 2;
  struct sort_row *records =
      mem_resize(exec->options.account, emit->records, emit->capacity * 2 * sizeof *records,
                 capacity * 2 * sizeof *records);
  if (!records) return exec__refused(exec, capacity * 2 * sizeof *records, err);
  emit->records = records;
  emit->capacity = capacity;
  return ERR_OK;
}

int aggregate_emit_page(struct aggregate_emit *emit, const struct aggregate_page *page,
                        struct err *err) {
  const struct aggregator *aggregator = emit->aggregator;
  int code = grow(emit, emit->count + aggregator->page_buckets, err);
  if (code) return code;
  for (uint32_t i = 0; i < aggregator->page_buckets; i++) {
    uint8_t *record = page->records + (size_t)i * aggregator->record_size;
    if (aggregate_empty(aggregator, record)) continue;
    int64_t bucket = (int64_t)((uint64_t)page->number * aggregator->page_buckets + i);
    emit->records[emit->count++] =
        (struct sort_row){sort_key_i64(bucket), (uint64_t)(uintptr_t)record};
  }
  return ERR_OK;
}

size_t aggregate_emit_count(struct aggregate_emit *emit) {
  size_t distinct = emit->count > 0;
  if (emit->count) sort_rows(emit->records, emit->records + emit->capacity, emit->count);
  for (size_t i = 1; i < emit->count; i++)
    distinct += emit->records[i].key != emit->records[i - 1].key;
  return distinct;
}

/* Lets areas reach to the edges of their buckets. */
static int join_buckets(struct aggregate_emit *emit, const struct aggregate_call *call,
                        struct err *err) {
  const struct plan_bucket *bucket = &emit->aggregator->plan->bucket;
  const struct sort_row *before = NULL;
  for (size_t i = 0; i < emit->count; i++) {
    uint8_t *record = (uint8_t *)(uintptr_t)emit->records[i].row;
    if (*(const uint64_t *)(const void *)(record + call->offset) == 0) continue;
    if (before) {
      int64_t edge = plan_bucket_first(bucket, sort_key_to_i64(before->key) + 1);
      void *earlier = (uint8_t *)(uintptr_t)before->row + call->offset;
      int code = exec__aggregate_join_points(call->other, &emit->memory, earlier,
                                             record + call->offset, edge, err);
      if (code) return code;
    }
    before = &emit->records[i];
  }
  return ERR_OK;
}

int aggregate_emit_finish(struct aggregate_emit *emit, struct err *err) {
  if (emit->count == 0) return ERR_OK;
  sort_rows(emit->records, emit->records + emit->capacity, emit->count);
  size_t kept = 0;
  for (size_t i = 1; i < emit->count; i++) {
    if (emit->records[i].key != emit->records[kept].key) {
      emit->records[++kept] = emit->records[i];
      continue;
    }
    int code =
        aggregate_merge(emit->aggregator, &emit->memory, (void *)(uintptr_t)emit->records[kept].row,
                        (void *)(uintptr_t)emit->records[i].row, err);
    if (code) return code;
  }
  emit->count = kept + 1;
  int code = ERR_OK;
  for (uint32_t i = 0; i < emit->aggregator->call_count && !code; i++)
    if (emit->aggregator->calls[i].to_edges)
      code = join_buckets(emit, &emit->aggregator->calls[i], err);
  return code;
}

static void append_carried(struct aggregate_emit *emit, const uint64_t *carried, uint32_t column) {
  uint32_t count = emit->aggregator->carried_count;
  for (uint32_t i = 0; i < count; i++) {
    if (carried && bit_get(carried + count, i))
      exec__append_bits(&emit->rows.builders[column + i], carried[i]);
    else
      builder_append_null(&emit->rows.builders[column + i]);
  }
}

/* As everywhere in buckets, a call without any value gives null. */
static int append_other(struct aggregate_emit *emit, const struct aggregate_call *call,
                        const struct sort_row *row, uint32_t column, struct err *err) {
  struct builder *builder = &emit->rows.builders[column];
  void *state = (uint8_t *)(uintptr_t)row->row + call->offset;
  if (*(const uint64_t *)state)
    return exec__aggregate_finish(call->other, &emit->memory, state, builder, err);
  builder_append_null(builder);
  return ERR_OK;
}

static int append_row(struct aggregate_emit *emit, const struct sort_row *row, struct err *err) {
  const struct aggregator *aggregator = emit->aggregator;
  const struct plan_aggregation *plan = aggregator->plan;
  const struct plan_schema *schema = &emit->node->schema;
  uint32_t column = plan_schema_values(schema);
  int64_t time = !plan_bucket_is_all(&plan->bucket)
                     ? plan_bucket_first(&plan->bucket, sort_key_to_i64(row->key))
                     : plan->time;
  const uint64_t *carried = NULL;
  for (uint32_t i = 0; i < aggregator->call_count; i++, column++) {
    const struct aggregate_call *call = &aggregator->calls[i];
    struct aggregate_result result;
    if (call->other) {
      int code = append_other(emit, call, row, column, err);
      if (code) return code;
      continue;
    }
    int code = aggregate_finish(aggregator, &aggregator->calls[i],
                                (const void *)(uintptr_t)row->row, &result, err);
    if (code) return code;
    if (result.present)
      exec__append_bits(&emit->rows.builders[column], result.bits);
    else
      builder_append_null(&emit->rows.builders[column]);
    if (result.present && result.carried) carried = result.carried;
    if (plan->selected_time && result.present && result.has_time &&
        plan_aggregate_is_selector(aggregator->calls[i].function))
      time = result.time;
  }
  append_carried(emit, carried, column);
  exec__rows_codes(&emit->rows, emit->codes, 1);
  if (schema->has_time) builder_append_i64(&emit->rows.builders[schema->group_count], time);
  return ERR_OK;
}

int aggregate_emit_rows(struct aggregate_emit *emit, bool *done, struct err *err) {
  *done = false;
  if (emit->at < emit->count) exec__rows_group(&emit->rows, emit->begun);
  while (emit->at < emit->count) {
    if (exec__rows_count(&emit->rows) >= LIMIT_BLOCK_ROWS) return ERR_OK;
    size_t at = emit->aggregator->plan->descending ? emit->count - 1 - emit->at : emit->at;
    int code = append_row(emit, &emit->records[at], err);
    if (code) return code;
    emit->at++;
    emit->begun = true;
  }
  *done = true;
  return ERR_OK;
}
