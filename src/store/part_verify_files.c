/* The other half of checking a part: that its bytes are all accounted for. Units lie one behind the
 * other without a gap, between sections there is padding of zeros, sections hold as wholes, each
 * file is as long as it should be, and manifest.json says what the part says. */
#include <stdio.h>

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "store/part_private.h"

enum { PIECE_BYTES = 64 << 10 };

/* ---- units ---- */

static int layout_damaged(const struct store_part *part, uint64_t offset, struct err *err) {
  return part__damaged(part, PART_BLOCKS, 0, offset, "units do not lie one behind the other", err);
}

/* A block of an image: run directory, keys, columns ascending. */
static int verify_image_block(struct store_part *part, uint32_t block, struct err *err) {
  const struct part_block_place *place = &atomic_load(&part->blocks)->places[block];
  uint64_t at = place->place + place->runs_size + place->keys_size;
  for (uint32_t i = 0; i < part->meta.column_count; i++) {
    struct part_record record;
    struct type type;
    uint64_t offset;
    int code =
        part__find_record(part, block, part->column_ids[i], false, &record, &type, &offset, err);
    if (code) return code;
    if (record.size && offset != at) return layout_damaged(part, at, err);
    at += record.size;
  }
  return at == place->place + place->size ? ERR_OK : layout_damaged(part, at, err);
}

/* A column of a column-major part. */
static int verify_values(struct store_part *part, uint32_t index, struct err *err) {
  const struct part_place *values = &part->columns[index].values;
  uint64_t at = values->offset;
  for (uint32_t block = 0; block < part->meta.blocks; block++) {
    struct part_record record;
    struct type type;
    uint64_t offset;
    int code = part__find_record(part, block, part->column_ids[index], false, &record, &type,
                                 &offset, err);
    if (code) return code;
    if (record.size && offset != at) return layout_damaged(part, at, err);
    at += record.size;
  }
  return at == values->offset + values->size ? ERR_OK : layout_damaged(part, at, err);
}

/* Where units of blocks end, as the section says. */
static int blocks_end(struct store_part *part, uint64_t *end, struct err *err) {
  const uint8_t *tail;
  uint64_t begin;
  part__blocks_range(part, &begin, end);
  if (part->column_major) return ERR_OK;
  int code = part__tail(part, &tail, err);
  if (code) return code;
  struct part_section section;
  uint64_t at = part->tail_size - part->section_count * sizeof section;
  for (; at < part->tail_size; at += sizeof section) {
    memcpy(&section, tail + at, sizeof section);
    if (section.kind == PART_BLOCKS) *end = section.offset + section.size;
  }
  return ERR_OK;
}

int part__verify_units(struct store_part *part, struct err *err) {
  uint64_t end;
  int found = blocks_end(part, &end, err);
  if (found) return found;
  const struct part_loaded_blocks *loaded = atomic_load(&part->blocks);
  uint64_t at = end;
  for (uint32_t block = 0; block < part->meta.blocks; block++) {
    const struct part_block_place *place = &loaded->places[block];
    int code = ERR_OK;
    if (!part->column_major)
      code = verify_image_block(part, block, err);
    else if ((uint64_t)place->runs_size + place->keys_size != place->size)
      code = layout_damaged(part, place->place, err);
    if (code) return code;
    at = place->place + place->size;
  }
  if (at != end) return layout_damaged(part, at, err);
  for (uint32_t i = 0; part->column_major && i < part->meta.column_count; i++) {
    int code = verify_values(part, i, err);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- sections ---- */

static int verify_padding(const struct store_part *part, uint64_t from, uint64_t to,
                          struct arena *arena, struct err *err) {
  const uint8_t *bytes;
  if (from == to) return ERR_OK;
  if (to < from || to - from >= PART_ALIGNMENT) return layout_damaged(part, from, err);
  uint64_t start = from & ~(uint64_t)(PART_ALIGNMENT - 1);
  int code = part__bytes(part, start, PART_ALIGNMENT, arena, &bytes, err);
  for (uint64_t i = from; i < to && !code; i++)
    if (bytes[i - start])
      code = part__damaged(part, PART_BLOCKS, 0, i, "there is something between two sections", err);
  return code;
}

/* A section of one checksum, in pieces: it may be large. */
static int verify_whole(const struct store_part *part, const struct part_section *section,
                        struct arena *arena, struct err *err) {
  XXH3_state_t *state = arena_alloc(arena, sizeof *state + 64);
  if (!state) return mem_refused(arena->account, sizeof *state, err);
  state = (XXH3_state_t *)(((uintptr_t)state + 63) & ~(uintptr_t)63); /* as xxHash wants it */
  XXH3_64bits_reset(state);
  struct arena pieces;
  arena_init(&pieces, arena->account, PIECE_BYTES);
  int code = ERR_OK;
  for (uint64_t at = 0; at < section->size && !code; at += PIECE_BYTES) {
    uint64_t left = section->size - at, size = left < PIECE_BYTES ? left : PIECE_BYTES;
    const uint8_t *bytes;
    arena_reset(&pieces);
    code = part__bytes(part, section->offset + at, size, &pieces, &bytes, err);
    if (!code) XXH3_64bits_update(state, bytes, size);
  }
  arena_deinit(&pieces);
  if (code || XXH3_64bits_digest(state) == section->checksum) return code;
  return part__damaged(part, section->kind, section->column, section->offset,
                       "the section's checksum does not hold", err);
}

/* Sections follow one another. */
static int verify_sections(struct store_part *part, struct arena *arena, struct err *err) {
  const uint8_t *tail;
  uint64_t at = sizeof(struct part_header);
  int code = part__tail(part, &tail, err);
  if (code) return code;
  const uint8_t *directory =
      tail + part->tail_size - part->section_count * sizeof(struct part_section);
  for (uint32_t i = 0; i < part->section_count && !code; i++) {
    struct part_section section;
    memcpy(&section, directory + i * sizeof section, sizeof section);
    if (section.form == PART_IN_TAIL) continue;
    code = verify_padding(part, at, section.offset, arena, err);
    at = section.offset + section.size;
    if (!code && section.form == PART_WHOLE) code = verify_whole(part, &section, arena, err);
  }
  return code ? code : verify_padding(part, at, part->tail_offset, arena, err);
}

/* ---- files ---- */

static int verify_sizes(const struct store_part *part, struct err *err) {
  for (uint32_t i = 0; i < part->extent_count; i++) {
    const struct part_extent *extent = &part->extents[i];
    uint64_t end = i + 1 < part->extent_count ? extent[1].offset : part->size, size;
    char name[PART_FILE_NAME_SIZE];
    part__extent_name(part, extent, name);
    uint32_t slot = extent->order == PART_ORDER_META ? 0 : i + 1;
    int code = part_file_size(part->file, slot, name, &size, err);
    if (code == ERR_NO_FILE)
      return part__damaged(part, PART_BLOCKS, 0, extent->offset, "a file of the part is missing",
                           err);
    if (code) return code;
    if (size != end - extent->offset)
      return part__damaged(part, PART_BLOCKS, 0, extent->offset,
                           "a file is not as long as the part says", err);
  }
  return ERR_OK;
}

static int manifest_damaged(const struct store_part *part, const char *what, struct err *err) {
  err_set(err, ERR_CORRUPTION, "a part is damaged: %s", what);
  const char *path = part->file->path;
  size_t length = strlen(path);
  err_detail(err, "%s/manifest.json", path + (length > 120 ? length - 120 : 0));
  err_hint(err, "the rows are not touched by this; repair writes it again");
  err_position(err, 0, 0, 0);
  return ERR_CORRUPTION;
}

static int verify_manifest(struct store_part *part, struct arena *arena, struct err *err) {
  if (!part->file || part->file->layout == PART_IMAGES) return ERR_OK;
  struct buffer text;
  buffer_init(&text, part->account);
  uint32_t slot = UINT32_MAX;
  uint64_t size = 0;
  uint8_t *bytes = NULL;
  int code = part_manifest_text(part, &text, err);
  if (!code) code = part_file_size(part->file, slot, "manifest.json", &size, err);
  if (!code && size == text.size && !(bytes = arena_alloc(arena, text.size)))
    code = mem_refused(arena->account, text.size, err);
  if (!code && bytes)
    code = part_file_read(part->file, slot, "manifest.json", 0, bytes, text.size, err);
  if (code == ERR_NO_FILE)
    code = manifest_damaged(part, "manifest.json is missing", err);
  else if (!code && (!bytes || memcmp(bytes, text.data, text.size) != 0))
    code = manifest_damaged(part, "manifest.json does not say what the part says", err);
  buffer_deinit(&text);
  return code;
}

int part__verify_files(struct store_part *part, struct arena *arena, struct err *err) {
  int code = verify_sizes(part, err);
  if (!code) code = verify_sections(part, arena, err);
  return code ? code : verify_manifest(part, arena, err);
}
