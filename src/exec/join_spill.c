/* Partitions of a join in temporary files (the GRACE hash join: Kitsuregawa, Tanaka, Moto-oka,
 * "Application of hash to data base machine and its architecture", 1983): rows of both sides are
 * distributed by their hashes, so that partners meet in the partitions of one number. */
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "exec/join.h"

struct partitioner {
  struct exec *exec;
  const uint32_t *keys;
  uint32_t key_count;
  uint64_t salt;
  bool drop_absent;
  uint32_t column_count;
  struct spill_stream **streams;
  struct builder *builders; /* one partition's share of a vector */
  struct column *views;
};

void join__destroy_streams(struct spill_stream **streams) {
  for (int i = 0; i < JOIN_FANOUT; i++) {
    exec__spill_destroy(streams[i]);
    streams[i] = NULL;
  }
}

/* Hands picked rows to a partition's stream. */
static int append_picked(struct partitioner *self, struct spill_stream *stream,
                         const struct batch *batch, const uint32_t *rows, int64_t count,
                         struct err *err) {
  for (uint32_t c = 0; c < self->column_count; c++) {
    struct builder *builder = &self->builders[c];
    const struct column *column = &batch->columns[c];
    builder_reset(builder);
    if (builder->type.physical != column->type.physical) {
      builder_deinit(builder);
      builder_init(builder, column->type, self->exec->options.account);
    }
    builder_append_rows(builder, column, rows, count);
    int code = builder_check(builder, err);
    if (code) return code;
    self->views[c] = builder_view(builder);
    self->views[c].dictionary = column->dictionary;
  }
  return exec__spill_append(stream, self->views, 0, count, err);
}

static int distribute(struct partitioner *self, const struct batch *batch, int64_t from,
                      struct err *err) {
  uint64_t hashes[JOIN_VECTOR];
  uint8_t absent[JOIN_VECTOR], part[JOIN_VECTOR];
  uint32_t rows[JOIN_VECTOR];
  for (int64_t at = from; at < batch->length; at += JOIN_VECTOR) {
    int64_t count = batch->length - at < JOIN_VECTOR ? batch->length - at : JOIN_VECTOR;
    bool any;
    join__hash(self->keys, self->key_count, batch->columns, at, count, hashes, absent, &any);
    uint32_t ends[JOIN_FANOUT + 1] = {0};
    for (int64_t i = 0; i < count; i++) {
      bool drop = any && absent[i] && self->drop_absent;
      part[i] = drop ? JOIN_FANOUT : (uint8_t)(hash_mix(hashes[i] ^ self->salt) % JOIN_FANOUT);
      ends[part[i]]++;
    }
    uint32_t begins[JOIN_FANOUT + 1], sum = 0;
    for (int p = 0; p <= JOIN_FANOUT; p++) {
      begins[p] = sum;
      sum += ends[p];
      ends[p] = begins[p];
    }
    for (int64_t i = 0; i < count; i++)
      rows[ends[part[i]]++] = (uint32_t)(at + i);
    for (int p = 0; p < JOIN_FANOUT; p++) {
      if (ends[p] == begins[p]) continue;
      int code =
          append_picked(self, self->streams[p], batch, rows + begins[p], ends[p] - begins[p], err);
      if (code) return code;
    }
  }
  return exec__check(self->exec, err);
}

static int distribute_all(struct partitioner *self, struct row_buffer *buffer,
                          const struct batch *pending, int64_t pending_at,
                          struct join_source *source, struct err *err) {
  int code = ERR_OK;
  for (uint32_t i = 0; buffer && i < exec__row_buffer_chunks(buffer) && !code; i++) {
    struct batch chunk = exec__row_buffer_chunk(buffer, i);
    code = distribute(self, &chunk, 0, err);
  }
  if (buffer) exec__row_buffer_reset(buffer);
  if (!code && pending) code = distribute(self, pending, pending_at, err);
  while (!code && source) {
    struct batch batch;
    code = join__source_next(source, &batch, err);
    if (code || !batch.length) break;
    code = distribute(self, &batch, 0, err);
  }
  for (int p = 0; p < JOIN_FANOUT && !code; p++)
    code = exec__spill_finish(self->streams[p], err);
  return code;
}

int join__partition(struct exec *exec, const struct join_shape *shape, bool build, unsigned level,
                    struct row_buffer *buffer, const struct batch *pending, int64_t pending_at,
                    struct join_source *source, struct spill_stream **streams, struct err *err) {
  const struct plan_schema *schema = build ? shape->build_schema : shape->probe_schema;
  struct mem_account *account = exec->options.account;
  struct partitioner self = {
      .exec = exec,
      .keys = build ? shape->build_keys : shape->probe_keys,
      .key_count = shape->key_count,
      .salt = (level + 1) * UINT64_C(0x9e3779b97f4a7c15),
      .drop_absent = shape->nulls == JOIN_NULLS_NOTHING &&
                     !(build ? shape->build_unmatched : shape->probe_unmatched),
      .column_count = schema->count,
      .streams = streams,
  };
  size_t builders = (schema->count + 1) * sizeof *self.builders;
  size_t views = (schema->count + 1) * sizeof *self.views;
  memset(streams, 0, JOIN_FANOUT * sizeof *streams);
  self.builders = mem_alloc_zero(account, builders);
  self.views = mem_alloc_zero(account, views);
  int code = self.builders && self.views ? ERR_OK : exec__refused(exec, builders, err);
  for (uint32_t c = 0; c < schema->count && !code; c++)
    builder_init(&self.builders[c], schema->columns[c].type, account);
  for (int p = 0; p < JOIN_FANOUT && !code; p++)
    code = join__stream(exec, schema, &streams[p], err);
  if (!code) code = distribute_all(&self, buffer, pending, pending_at, source, err);
  for (uint32_t c = 0; c < schema->count && self.builders && self.builders[c].account; c++)
    builder_deinit(&self.builders[c]);
  mem_free(account, self.builders, self.builders ? builders : 0);
  mem_free(account, self.views, self.views ? views : 0);
  if (code) join__destroy_streams(streams);
  return code;
}
