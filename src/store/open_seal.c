/* An open part's end: its rows in order, packed in one go as a memory part.
 *
 * Where history is kept, and where rows are marks (which hide rows of other parts), nothing is
 * folded: every row goes, with its commit, and rows behind another one of their place say so. */
#include "base/err.h"
#include "codec/codec.h"
#include "columnar/builder.h"
#include "store/open_part_private.h"
#include "store/versions.h"

struct sealing {
  struct open_part *part;
  uint64_t commit; /* of the last row that goes */
  const struct open_view *view;
  struct store_column *columns; /* of the view, and two more */
  uint32_t column_count;
};

/* All columns of the view. */
static int view_columns(struct sealing *sealing, struct err *err) {
  const struct open_view *view = sealing->view;
  size_t size = (view->column_count + 2) * sizeof *sealing->columns;
  if (!(sealing->columns = mem_alloc_zero(sealing->part->account, size)))
    return mem_refused(sealing->part->account, size, err);
  for (uint32_t i = 0; i < view->column_count; i++) {
    int code = open_part_view_column(sealing->part, view, i, &sealing->columns[i].column, err);
    if (code) return code;
    sealing->columns[i].id = view->column_ids[i];
  }
  sealing->column_count = view->column_count;
  return ERR_OK;
}

/* Adds the commits, and says which rows follow others of their place. */
static int add_versions(struct sealing *sealing, struct versions *versions, struct err *err) {
  const struct open_view *view = sealing->view;
  struct store_column *columns = sealing->columns;
  uint32_t at = sealing->column_count;
  bool marks = at && columns[at - 1].id == STORE_COLUMN_MARK;
  struct store_column mark = {.id = STORE_COLUMN_MARK};
  at -= marks;
  int code = versions_mark(versions, view->series, view->keys, view->rows,
                           marks ? &columns[at].column : NULL, &mark.column, err);
  columns[at++] = (struct store_column){
      .id = STORE_COLUMN_COMMIT,
      .column = {.type = TYPE_UINT64, .length = view->rows, .values = view->commits}};
  if (mark.column.null_count < mark.column.length) columns[at++] = mark;
  sealing->column_count = at;
  return code;
}

static int seal(struct sealing *sealing, const uint8_t shard[16], bool folds,
                struct store_part **sealed, struct err *err) {
  struct open_part *part = sealing->part;
  struct part_writer_options options = {
      .store = part->store, .policy = part->policy, .level = CODEC_FAST};
  memcpy(options.shard, shard, sizeof options.shard);
  struct part_writer *writer = NULL;
  struct part_memory *memory = NULL;
  struct versions versions;
  uint64_t size = 0;
  versions_init(&versions, part->account);
  int code = view_columns(sealing, err);
  if (!code && !folds) code = add_versions(sealing, &versions, err);
  if (!code) code = part_writer_create(&options, part->account, NULL, 0, &writer, err);
  struct store_rows rows = {.store = part->store,
                            .policy = part->policy,
                            .rows = sealing->view->rows,
                            .series = sealing->view->series,
                            .keys = sealing->view->keys,
                            .columns = sealing->columns,
                            .column_count = sealing->column_count};
  if (!code && rows.rows) code = part_writer_append_last(writer, &rows, err);
  struct part_ending ending = {.commit_min = open_part_commit_min(part),
                               .commit_max = sealing->commit,
                               .has_history = !folds};
  if (!code) code = part_writer_finish(writer, &ending, &size, &memory, err);
  if (!code) code = part_open_memory(memory, 0, size, part->account, 0, sealed, err);
  if (memory) part_memory_release(memory);
  part_writer_destroy(writer);
  versions_deinit(&versions);
  return code;
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

int open_part_seal(struct open_part *part, uint64_t commit, const uint8_t shard[16], bool folds,
                   struct store_part **sealed, struct err *err) {
  struct sealing sealing = {.part = part, .commit = last_commit(part, commit)};
  int code = open_part_view(part, commit, &sealing.view, err);
  if (code) return code;
  if (sealing.view->versioned) folds = false;
  if (!folds && !sealing.view->versioned) {
    open_part_view_release(part, sealing.view);
    if ((code = open_part__whole_view(part, commit, &sealing.view, err))) return code;
  }
  code = seal(&sealing, shard, folds, sealed, err);
  mem_free(part->account, sealing.columns,
           (sealing.view->column_count + 2) * sizeof *sealing.columns);
  open_part_view_release(part, sealing.view);
  return code;
}
