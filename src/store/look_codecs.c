/* What the columns of a part are encoded as and what that beat: every block is decoded and encoded
 * again in all ways, at the level of the part. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/compare.h"
#include "store/part_private.h"
#include "store/shard_private.h"
#include "store/tools.h"

struct comparing {
  struct store_part *part;
  struct mem_account *account;
  struct arena arena; /* a block's */
  int (*visit)(void *context, const struct store_codec_look *look);
  void *context;
};

static int compare(struct comparing *comparing, const struct column *column, int level,
                   struct store_codec_look *look, struct err *err) {
  struct codec_trial trials[CODEC_TRIALS_MAX];
  int code = codec_compare(column, (enum codec_level)level, comparing->account, trials,
                           &look->trial_count, err);
  look->trials = trials;
  return code ? code : comparing->visit(comparing->context, look);
}

/* Keys are never encoded below CODEC_HOT. */
static int compare_keys(struct comparing *comparing, uint32_t block, struct err *err) {
  struct store_part *part = comparing->part;
  uint32_t rows = part_blocks(part)[block].rows;
  struct store_codec_look look = {
      .block = block, .column = STORE_LOOK_KEYS, .type = TYPE_INT64, .values = rows};
  struct codec_image image;
  const int64_t *keys;
  int code = part_read_keys(part, block, &comparing->arena, &keys, NULL, err);
  if (!code) code = part_read_keys_image(part, block, NULL, &comparing->arena, &image, NULL, err);
  if (code) return code;
  struct column column = {.type = TYPE_INT64, .length = rows, .values = keys};
  look.codec = image.codec;
  look.bytes = (uint32_t)image.size;
  int level = (int)part->meta.level;
  return compare(comparing, &column, level < CODEC_HOT ? CODEC_HOT : level, &look, err);
}

static int compare_column(struct comparing *comparing, uint32_t block, uint32_t index,
                          struct err *err) {
  struct store_part *part = comparing->part;
  struct store_codec_look look = {
      .block = block, .column = part->column_ids[index], .type = part->column_types[index]};
  if (look.column == STORE_COLUMN_PAYLOAD) return ERR_OK;
  struct codec_image image;
  struct column_statistics statistics;
  struct column column;
  int code = part_read_image(part, block, look.column, NULL, &comparing->arena, &image, &statistics,
                             NULL, err);
  if (code || image.rows == 0) return code;
  code = codec_decode(&image, 0, image.rows, &comparing->arena, &column, err);
  if (code) return code;
  look.codec = image.codec;
  look.bytes = (uint32_t)image.size;
  look.values = image.values;
  return compare(comparing, &column, (int)part->meta.level, &look, err);
}

int store_part_compare(struct store_part *part, struct mem_account *account,
                       int (*visit)(void *context, const struct store_codec_look *look),
                       void *context, struct err *err) {
  struct comparing comparing = {
      .part = part, .account = account, .visit = visit, .context = context};
  arena_init(&comparing.arena, account, 65536);
  int code = part_load_blocks(part, err);
  for (uint32_t block = 0; block < part->meta.blocks && !code; block++) {
    arena_reset(&comparing.arena);
    code = compare_keys(&comparing, block, err);
    for (uint32_t i = 0; i < part->meta.column_count && !code; i++)
      code = compare_column(&comparing, block, i, err);
  }
  arena_deinit(&comparing.arena);
  return code;
}
