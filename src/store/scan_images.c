/* Images of a chunk: one per slice of the plan. A unit is read and checked once per block, like a
 * decoded column, and lives as long in the block's slot. */
#include "store/scan_images.h"

#include "base/err.h"
#include "store/part_ahead.h"
#include "store/scan_private.h"

/* What is known of a column of a slot's block. */
struct scan_slot_image {
  bool read;
  bool absent;
  struct codec_image image;
  struct column_statistics statistics;
};

/* A column's images mostly share a code, whose table is then made once. */
static int find_tables(struct store_scan *scan, uint32_t i, struct codec_tables **tables,
                       struct err *err) {
  size_t size = scan->column_total * sizeof *scan->tables;
  if (!scan->tables) scan->tables = arena_alloc_zero(&scan->memory, size);
  if (!scan->tables) return scan__refused(&scan->memory, size, err);
  if (!scan->tables[i]) {
    scan->tables[i] = arena_alloc(&scan->memory, sizeof **scan->tables);
    if (!scan->tables[i]) return scan__refused(&scan->memory, sizeof **scan->tables, err);
    scan->tables[i]->size = 0;
  }
  *tables = scan->tables[i];
  return ERR_OK;
}

/* Per column, the keys behind them. */
static int slot_images(struct store_scan *scan, struct scan_slot *slot, struct err *err) {
  size_t size = (scan->column_total + 1) * sizeof *slot->images;
  if (!slot->images) slot->images = arena_alloc_zero(&slot->arena, size);
  return slot->images ? ERR_OK : scan__refused(&slot->arena, size, err);
}

/* Units of a block that the scan wants: columns and keys. */
static uint32_t wanted_units(const struct store_scan *scan, const struct scan_source *source) {
  uint32_t units = 1;
  for (uint32_t i = 0; i < scan->column_total; i++)
    units += source->has[i];
  return units;
}

/* What is read ahead of the slot's input; many inputs have little each. */
static int source_ahead(struct store_scan *scan, struct scan_source *source, uint32_t block,
                        uint32_t i, struct part_ahead **out, struct err *err) {
  enum { LEAST = 8 << 10 };
  uint32_t count = scan->column_total + 1;
  *out = NULL;
  if (scan->keep) return ERR_OK; /* outputs decode */
  if (!source->ahead) {
    source->ahead = arena_alloc_zero(&scan->memory, count * sizeof *source->ahead);
    if (!source->ahead) return scan__refused(&scan->memory, count * sizeof *source->ahead, err);
    uint32_t most = PART_AHEAD_MOST / (scan->active_count ? scan->active_count : 1);
    bool together = part_ahead_together(source->part, block, wanted_units(scan, source));
    for (uint32_t c = 0; c < count; c++)
      source->ahead[c] = (struct part_ahead){.account = scan->account,
                                             .until = source->end,
                                             .most = most < LEAST ? LEAST : most,
                                             .together = together};
  }
  /* All share the first, which may have found out that blocks are not worth it. */
  *out = &source->ahead[source->ahead[count - 1].together ? 0 : i];
  return ERR_OK;
}

void scan__ahead_deinit(struct store_scan *scan, struct scan_source *source) {
  for (uint32_t c = 0; source->ahead && c <= scan->column_total; c++)
    part_ahead_deinit(&source->ahead[c]);
  source->ahead = NULL;
}

int scan__slot_key_image(struct store_scan *scan, struct scan_slot *slot,
                         const struct codec_image **image, struct err *err) {
  int code = slot_images(scan, slot, err);
  if (code) return code;
  struct scan_slot_image *of = &slot->images[scan->column_total];
  *image = &of->image;
  if (of->read) return ERR_OK;
  slot->decoded = true;
  struct part_ahead *ahead;
  code = source_ahead(scan, slot->source, slot->block, scan->column_total, &ahead, err);
  if (!code)
    code = part_read_keys_image(slot->source->part, slot->block, ahead, &slot->arena, &of->image,
                                &scan->figures.bytes_read, err);
  of->read = code == ERR_OK;
  return code;
}

static int slot_image(struct store_scan *scan, struct scan_slot *slot, uint32_t i,
                      const struct scan_slot_image **out, struct err *err) {
  const struct scan_source *source = slot->source;
  const struct codec_image *keys;
  int code = slot_images(scan, slot, err);
  if (code) return code;
  struct scan_slot_image *of = &slot->images[i == STORE_IMAGE_KEYS ? scan->column_total : i];
  *out = of;
  if (i == STORE_IMAGE_KEYS) return scan__slot_key_image(scan, slot, &keys, err);
  if (of->read) return ERR_OK;
  of->absent = !source->has[i];
  if (!of->absent) {
    slot->decoded = true;
    struct part_ahead *ahead;
    code = source_ahead(scan, slot->source, slot->block, i, &ahead, err);
    if (code) return code;
    code = part_read_image(source->part, slot->block, scan->column_ids[i], ahead, &slot->arena,
                           &of->image, &of->statistics, &scan->figures.bytes_read, err);
    of->absent = of->image.rows == 0;
    if (!code && !of->absent) code = find_tables(scan, i, &of->image.tables, err);
  }
  of->read = code == ERR_OK;
  return code;
}

/* Whether all of the chunk's rows lie in slices of blocks of parts. */
static bool has_images(const struct store_scan *scan, uint32_t i) {
  const struct scan_plan *plan = &scan->plan;
  if (i != STORE_IMAGE_KEYS && scan->column_ids[i] >= STORE_COLUMN_RESERVED) return false;
  for (uint32_t p = 0; p < plan->piece_count; p++)
    if (!plan->pieces[p].slot || !plan->pieces[p].slot->source->part) return false;
  return true;
}

int scan__chunk_images(struct store_scan *scan, uint32_t i, const struct store_image **out,
                       uint32_t *count, struct err *err) {
  const struct scan_plan *plan = &scan->plan;
  *count = 0;
  if (!has_images(scan, i)) return ERR_OK;
  size_t size = plan->piece_count * sizeof(struct store_image);
  struct store_image *images = arena_alloc(&scan->chunk, size);
  if (!images) return scan__refused(&scan->chunk, size, err);
  for (uint32_t p = 0; p < plan->piece_count; p++) {
    const struct scan_piece *piece = &plan->pieces[p];
    const struct scan_slot_image *of = NULL;
    int code = slot_image(scan, piece->slot, i, &of, err);
    if (code) return code;
    images[p] = (struct store_image){.row = piece->row,
                                     .rows = piece->rows,
                                     .from = piece->from,
                                     .absent = of->absent,
                                     .image = of->image,
                                     .statistics = of->statistics};
  }
  *out = images;
  *count = plan->piece_count;
  return ERR_OK;
}
