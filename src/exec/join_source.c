/* Inputs of joins, and what a join is: who is built, who probes, what comes out. */
#include "base/err.h"
#include "exec/join.h"

int join__source_init(struct join_source *source, struct exec *exec, struct err *err) {
  source->at = source->count = 0;
  source->batches = ARENA_ARRAY(&exec->memory, struct batch, EXEC_SOME);
  return source->batches ? ERR_OK : exec__refused(exec, EXEC_SOME * sizeof *source->batches, err);
}

int join__source_some(struct join_source *source, struct err *err) {
  struct exec_batch given[EXEC_SOME];
  uint32_t count = 0;
  if (source->at < source->count) return ERR_OK;
  source->at = source->count = 0;
  if (source->reader) {
    int code = exec__spill_next(source->reader, &source->batches[0], err);
    source->count = !code && source->batches[0].length > 0;
    return code;
  }
  if (!source->op) return ERR_OK;
  int code = exec__check(source->op->exec, err);
  if (!code) code = exec__pull_some(source->op, given, EXEC_SOME, &count, err);
  if (code) return code;
  for (uint32_t i = 0; i < count; i++)
    source->batches[i] = given[i].batch;
  source->count = count;
  if (!count) source->op = NULL; /* an operator is not asked again behind its end */
  return ERR_OK;
}

int join__source_keep(struct join_source *source, const struct join_core *core,
                      struct row_buffer *buffer, size_t row_size, bool *taken, struct err *err) {
  uint32_t count = source->count - source->at;
  const struct batch *batches = source->batches + source->at;
  *taken = false;
  if (count < 2 || join__core_tight(core, exec__batches_size(batches, count, row_size)))
    return ERR_OK;
  int code = exec__row_buffer_append_batches(buffer, source->batches + source->at, count, err);
  if (code == ERR_MEMORY_LIMIT || code == ERR_NO_MEMORY) {
    if (err) err_reset(err);
    return ERR_OK;
  }
  *taken = !code;
  if (!code) source->at = source->count;
  return code;
}

int join__source_next(struct join_source *source, struct batch *batch, struct err *err) {
  if (source->batches) {
    int code = join__source_some(source, err);
    *batch = code || source->at == source->count ? (struct batch){0} : source->batches[source->at];
    source->at += batch->length > 0;
    return code;
  }
  if (source->reader) return exec__spill_next(source->reader, batch, err);
  struct exec_batch rows = {0};
  *batch = (struct batch){0};
  if (!source->op) return ERR_OK;
  int code = exec__check(source->op->exec, err);
  if (!code) code = exec__pull(source->op, &rows, err);
  if (!code) *batch = rows.batch;
  if (!batch->length) source->op = NULL; /* an operator is not asked again behind its end */
  return code;
}

int join__source_spill(struct join_source *source, struct exec *exec, struct spill_stream *stream,
                       struct err *err) {
  for (;;) {
    struct batch batch;
    int code = join__source_next(source, &batch, err);
    if (code || !batch.length) return code;
    code = exec__spill_append(stream, batch.columns, 0, batch.length, err);
    if (!code) code = exec__check(exec, err);
    if (code) return code;
  }
}

int join__stream(struct exec *exec, const struct plan_schema *schema, struct spill_stream **stream,
                 struct err *err) {
  size_t size = (schema->count + 1) * sizeof(struct type);
  struct type *types = mem_alloc(exec->options.account, size);
  if (!types) return exec__refused(exec, size, err);
  for (uint32_t i = 0; i < schema->count; i++)
    types[i] = schema->columns[i].type;
  int code = exec__spill_create(exec, types, schema->count, stream, err);
  mem_free(exec->options.account, types, size);
  return code;
}

/* ---- shape ---- */

static void decide_output(struct join_shape *shape) {
  enum plan_join_kind kind = shape->join->kind;
  bool left_rows = kind == JOIN_LEFT || kind == JOIN_FULL || kind == JOIN_ANTI;
  bool right_rows = kind == JOIN_RIGHT || kind == JOIN_FULL;
  shape->pairs = kind != JOIN_SEMI && kind != JOIN_ANTI;
  shape->probe_unmatched = shape->build_left ? right_rows : left_rows;
  shape->build_unmatched = shape->build_left ? left_rows : right_rows;
  shape->probe_matched = kind == JOIN_SEMI && !shape->build_left;
  shape->build_matched = kind == JOIN_SEMI && shape->build_left;
  shape->marks_build = shape->build_unmatched || shape->build_matched;
  shape->first_only = !shape->pairs && !shape->marks_build && !shape->join->condition;
}

int join__shape_init(struct join_shape *shape, struct exec_op *op, bool choose, struct err *err) {
  const struct plan_joining *join = &op->node->join;
  const struct plan_schema *left = &op->node->input->schema, *right = &op->node->right->schema;
  *shape = (struct join_shape){.join = join, .schema = &op->node->schema};
  bool left_only = join->kind == JOIN_SEMI || join->kind == JOIN_ANTI;
  if (op->node->schema.count != left->count + (left_only ? 0 : right->count))
    return err_set(err, ERR_INTERNAL, "a join whose schema is not that of its inputs");
  shape->nulls = join->null_aware    ? JOIN_NULLS_ANYTHING
                 : join->nulls_equal ? JOIN_NULLS_NULLS
                                     : JOIN_NULLS_NOTHING;
  if (join->null_aware && join->kind != JOIN_ANTI)
    return err_set(err, ERR_INTERNAL, "a null-aware join that is no anti join");
  shape->build_left = choose && join->build_left && !join->null_aware;
  shape->probe_schema = shape->build_left ? right : left;
  shape->build_schema = shape->build_left ? left : right;
  shape->left_count = left->count;
  shape->key_count = join->key_count;
  shape->probe_keys = ARENA_ARRAY(&op->exec->memory, uint32_t, join->key_count + 1);
  shape->build_keys = ARENA_ARRAY(&op->exec->memory, uint32_t, join->key_count + 1);
  if (!shape->probe_keys || !shape->build_keys)
    return exec__refused(op->exec, join->key_count * sizeof(uint32_t), err);
  for (uint32_t k = 0; k < join->key_count; k++) {
    shape->probe_keys[k] = shape->build_left ? join->right_keys[k] : join->left_keys[k];
    shape->build_keys[k] = shape->build_left ? join->left_keys[k] : join->right_keys[k];
    if (left->columns[join->left_keys[k]].type.physical !=
        right->columns[join->right_keys[k]].type.physical)
      return err_set(err, ERR_INTERNAL, "a join of keys of different types");
  }
  if (join->key_count == 1 && shape->nulls == JOIN_NULLS_NOTHING)
    shape->exact = !type_is_string(left->columns[join->left_keys[0]].type);
  decide_output(shape);
  return ERR_OK;
}
