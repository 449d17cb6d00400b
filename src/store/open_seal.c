/* An open part's end: its ordered view, packed in one go as a memory part. */
#include "base/err.h"
#include "codec/codec.h"
#include "store/open_part_private.h"

/* All columns of the view; *columns is to be freed by the caller, with column_count entries. */
static int view_columns(struct open_part *part, const struct open_view *view,
                        struct store_column **columns, struct err *err) {
  size_t size = view->column_count * sizeof **columns;
  if (size == 0) return ERR_OK;
  if (!(*columns = mem_alloc_zero(part->account, size)))
    return mem_refused(part->account, size, err);
  for (uint32_t i = 0; i < view->column_count; i++) {
    int code = open_part_view_column(part, view, i, &(*columns)[i].column, err);
    if (code) return code;
    (*columns)[i].id = view->column_ids[i];
  }
  return ERR_OK;
}

/* The commit of the last row up to `commit`; the rows' commits ascend. */
static uint64_t last_commit(const struct open_part *part, uint64_t commit) {
  uint32_t low = 0, high = open_part_rows(part);
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (part->commits[middle] <= commit)
      low = middle + 1;
    else
      high = middle;
  }
  return low ? part->commits[low - 1] : 0;
}

int open_part_seal(struct open_part *part, uint64_t commit, const uint8_t shard[16],
                   struct store_part **sealed, struct err *err) {
  const struct open_view *view;
  int code = open_part_view(part, commit, &view, err);
  if (code) return code;
  struct part_writer_options options = {
      .store = part->store, .policy = part->policy, .level = CODEC_FAST};
  memcpy(options.shard, shard, sizeof options.shard);
  struct part_writer *writer = NULL;
  struct store_column *columns = NULL;
  struct part_memory *memory = NULL;
  uint64_t size = 0;
  if ((code = view_columns(part, view, &columns, err))) goto done;
  code = part_writer_create(&options, part->account, NULL, 0, &writer, err);
  if (code) goto done;
  struct store_rows rows = {.store = part->store,
                            .policy = part->policy,
                            .rows = view->rows,
                            .series = view->series,
                            .keys = view->keys,
                            .columns = columns,
                            .column_count = view->column_count};
  if (rows.rows) code = part_writer_append_last(writer, &rows, err);
  if (code) goto done;
  struct part_ending ending = {.commit_min = open_part_commit_min(part),
                               .commit_max = last_commit(part, commit)};
  code = part_writer_finish(writer, &ending, &size, &memory, err);
  if (!code) code = part_open_memory(memory, 0, size, part->account, 0, sealed, err);
done:
  if (memory) part_memory_release(memory);
  part_writer_destroy(writer);
  mem_free(part->account, columns, view->column_count * sizeof *columns);
  open_part_view_release(part, view);
  return code;
}
